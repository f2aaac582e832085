//! Ids of customers and products, sorted, and as they came.

use std::fmt;

use rayon::prelude::*;
use serde::Serialize;

use crate::sampling::{hash_bytes, mix};

/// The distinct ids of customers or products, ascending. The position of an id is its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    /// Ids that came as integers, in numeric order.
    Integer(Vec<i64>),
    /// Ids that came as text, in byte order.
    Text(Vec<String>),
}

impl Ids {
    /// How many distinct ids there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Ids::Integer(ids) => ids.len(),
            Ids::Text(ids) => ids.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of a code, as it came.
    #[must_use]
    pub fn get(&self, code: u32) -> Option<Id<'_>> {
        match self {
            Ids::Integer(ids) => ids.get(code as usize).map(|id| Id::Integer(*id)),
            Ids::Text(ids) => ids.get(code as usize).map(|id| Id::Text(id)),
        }
    }

    /// The id of a code as text; empty if there is no such code.
    #[must_use]
    pub fn text(&self, code: u32) -> String {
        self.get(code).map(|id| id.to_string()).unwrap_or_default()
    }

    /// The code of an id written as text. An integer is found only as `i64` prints it, so `007` is
    /// not 7.
    #[must_use]
    pub fn code(&self, id: &str) -> Option<u32> {
        let found = match self {
            Ids::Integer(ids) => ids.binary_search(
                &id.parse()
                    .ok()
                    .filter(|parsed: &i64| parsed.to_string() == id)?,
            ),
            Ids::Text(ids) => ids.binary_search_by(|known| known.as_str().cmp(id)),
        };
        found.ok().and_then(|at| u32::try_from(at).ok())
    }

    /// The code of an id, which may have come in the other way: as text where these are integers.
    #[must_use]
    pub fn code_of(&self, id: Id<'_>) -> Option<u32> {
        let found = match (self, id) {
            (Ids::Integer(ids), Id::Integer(id)) => ids.binary_search(&id),
            (_, Id::Text(id)) => return self.code(id),
            (Ids::Text(_), id) => return self.code(&id.to_string()),
        };
        found.ok().and_then(|at| u32::try_from(at).ok())
    }

    /// A number for an id, to draw samples with. It depends on the id alone, so other ids that come
    /// or go change no draw.
    #[must_use]
    pub fn key(&self, code: u32) -> u64 {
        match self.get(code) {
            Some(Id::Integer(id)) => mix(id as u64),
            Some(Id::Text(id)) => hash_bytes(id.as_bytes()),
            None => 0,
        }
    }

    /// The ids of some codes, in their order.
    #[must_use]
    pub fn select(&self, codes: impl Iterator<Item = u32>) -> Ids {
        match self {
            Ids::Integer(ids) => Ids::Integer(
                codes
                    .filter_map(|code| ids.get(code as usize).copied())
                    .collect(),
            ),
            Ids::Text(ids) => Ids::Text(
                codes
                    .filter_map(|code| ids.get(code as usize).cloned())
                    .collect(),
            ),
        }
    }

    /// Sorts the ids. The second value has the new code of each old one.
    pub(crate) fn sorted(self) -> (Ids, Vec<u32>) {
        fn sort<T: Ord + Send>(ids: Vec<T>) -> (Vec<T>, Vec<u32>) {
            let mut order: Vec<(T, u32)> = ids.into_iter().zip(0..).collect();
            order.par_sort_unstable();
            let mut rank = vec![0; order.len()];
            let ids = (0..).zip(order).map(|(new, (id, old))| {
                rank[old as usize] = new;
                id
            });
            (ids.collect(), rank)
        }
        match self {
            Ids::Integer(ids) => {
                let (ids, rank) = sort(ids);
                (Ids::Integer(ids), rank)
            }
            Ids::Text(ids) => {
                let (ids, rank) = sort(ids);
                (Ids::Text(ids), rank)
            }
        }
    }

    /// Keeps the ids whose code is marked, in order.
    pub(crate) fn retain(self, keep: &[bool]) -> Ids {
        fn kept<T>(ids: Vec<T>, keep: &[bool]) -> Vec<T> {
            ids.into_iter()
                .zip(keep)
                .filter(|(_, keep)| **keep)
                .map(|(id, _)| id)
                .collect()
        }
        match self {
            Ids::Integer(ids) => Ids::Integer(kept(ids, keep)),
            Ids::Text(ids) => Ids::Text(kept(ids, keep)),
        }
    }
}

/// One id, as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Id<'a> {
    /// It came as an integer.
    Integer(i64),
    /// It came as text.
    Text(&'a str),
}

impl Id<'_> {
    /// The same id, on its own.
    #[must_use]
    pub fn owned(self) -> OwnedId {
        match self {
            Id::Integer(id) => OwnedId::Integer(id),
            Id::Text(id) => OwnedId::Text(id.to_owned()),
        }
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Integer(id) => f.pad(&id.to_string()),
            Id::Text(id) => f.pad(id),
        }
    }
}

/// One id, as it came, for results that outlive the history which it is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum OwnedId {
    /// It came as an integer.
    Integer(i64),
    /// It came as text.
    Text(String),
}

impl OwnedId {
    /// The same id, borrowed.
    #[must_use]
    pub fn as_id(&self) -> Id<'_> {
        match self {
            OwnedId::Integer(id) => Id::Integer(*id),
            OwnedId::Text(id) => Id::Text(id),
        }
    }
}

impl fmt::Display for OwnedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_id().fmt(f)
    }
}
