//! Cards that were merged: which customer goes on in the place of another.

use super::index::IdIndex;
use super::lookup::{LookupRows, NO_VALUE, SettledRows, raw};
use crate::domain::{Id, Ids, OwnedId};
use crate::error::{Error, Result};
use crate::ingest::ids::RawId;

/// How many cards of a circle a message names.
const SHOWN: usize = 8;

/// Which customer goes on in the place of another.
#[derive(Debug)]
pub struct MergedCards {
    index: IdIndex,
    /// By position in the index; `None` for a customer who goes on as such.
    survivors: Vec<Option<Survivor>>,
}

/// The customer that goes on, as an integer, if it is one, and as text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Survivor {
    integer: Option<i64>,
    text: Box<str>,
}

impl MergedCards {
    /// The cards of a table's rows. Where `a` was merged into `b` and `b` into `c`, both go on as
    /// `c`.
    ///
    /// # Errors
    /// If cards were merged in a circle, so that none goes on.
    pub(in crate::ingest) fn new(rows: LookupRows) -> Result<Self> {
        if let Some(fault) = rows.fault() {
            return Err(Error::input(format!("[customers] merged_into: {fault}"))
                .hint("write ids as in the tickets, and leave merged_into empty for a card that goes on"));
        }
        let SettledRows {
            ids,
            rows,
            names: targets,
            ..
        } = rows.settle();
        let index = IdIndex::new(ids.clone());
        let next: Vec<Option<Merged<'_>>> = rows
            .iter()
            .map(|row| {
                let known = (row.name != NO_VALUE).then_some(row.name)?;
                let target = targets.ids.get(targets.one(known))?;
                let at = index.find(raw(target)).ok().flatten();
                Some(Merged { target, at })
            })
            .collect();
        let survivors = (0..next.len()).map(|at| survivor(&ids, &next, at));
        Ok(Self {
            survivors: survivors.collect::<Result<_>>()?,
            index,
        })
    }

    /// The customer that goes on in the place of one, in the way in which the line has it; the same
    /// customer, if it was not merged.
    pub(in crate::ingest) fn survivor<'a>(&'a self, customer: RawId<'a>) -> RawId<'a> {
        let at = self.index.find(customer).ok().flatten();
        let survivor = at.and_then(|at| self.survivors.get(at as usize)?.as_ref());
        match (survivor, customer) {
            (None, customer) => customer,
            (Some(survivor), RawId::Text(_)) => RawId::Text(&survivor.text),
            (Some(survivor), RawId::Untyped(_)) => RawId::Untyped(&survivor.text),
            (Some(survivor), _) => match survivor.integer {
                Some(integer) => RawId::Integer(integer),
                None => RawId::Text(&survivor.text),
            },
        }
    }

    /// The customer that goes on in the place of one that was merged.
    #[must_use]
    pub fn survivor_of(&self, customer: Id<'_>) -> Option<OwnedId> {
        let at = self.index.find(raw(customer)).ok().flatten()?;
        let survivor = self.survivors.get(at as usize)?.as_ref()?;
        Some(match survivor.integer {
            Some(integer) => OwnedId::Integer(integer),
            None => OwnedId::Text(survivor.text.to_string()),
        })
    }
}

/// What a customer was merged into, and where that one stands in the table, if it does.
struct Merged<'a> {
    target: Id<'a>,
    at: Option<u32>,
}

/// Follows the customer at a position to the one that goes on.
fn survivor(ids: &Ids, next: &[Option<Merged<'_>>], at: usize) -> Result<Option<Survivor>> {
    let mut last = None;
    let mut followed = vec![at];
    let mut here = at;
    while let Some(merged) = next.get(here).and_then(Option::as_ref) {
        last = Some(merged.target);
        let Some(there) = merged.at else { break };
        here = there as usize;
        if followed.contains(&here) {
            return Err(in_a_circle(ids, &followed, here));
        }
        followed.push(here);
    }
    Ok(last.map(|id| Survivor {
        integer: match id {
            Id::Integer(id) => Some(id),
            Id::Text(_) => None,
        },
        text: id.to_string().into(),
    }))
}

fn in_a_circle(ids: &Ids, followed: &[usize], again: usize) -> Error {
    let begin = followed.iter().position(|at| *at == again);
    let circle = followed
        .get(begin.unwrap_or_default()..)
        .unwrap_or_default();
    let name = |at: &usize| ids.text(u32::try_from(*at).unwrap_or(NO_VALUE)).to_string();
    let mut names: Vec<String> = circle.iter().take(SHOWN).map(name).collect();
    if circle.len() > SHOWN {
        names.push("…".to_owned());
    }
    names.push(name(&again));
    Error::input(format!(
        "[customers] merged_into goes in a circle, so that no card goes on: {}",
        names.join(" → ")
    ))
    .hint("leave merged_into empty for the card that goes on")
}
