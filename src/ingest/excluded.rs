//! Products that are no purchase: fuel, bags, deposits.

use polars::prelude::{InitHashMaps, PlHashMap};

use super::ids::{IdFault, IdKey, RawId};

/// How many excluded products a warning lists.
const SHOWN: usize = 5;

/// Products that are no purchase.
#[derive(Debug, Clone)]
pub(super) struct ExcludedProducts {
    ids: Vec<String>,
    /// Whether a line named the id.
    met: Vec<bool>,
    /// Positions in the ids.
    integers: PlHashMap<i64, usize>,
    whole_floats: PlHashMap<i64, usize>,
    texts: PlHashMap<String, usize>,
}

/// What the exclusion list says of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exclusion {
    None,
    /// It is on the list, at this position.
    Listed(usize),
    /// It is written `211.0` and 211 is on the list, at this position, or the other way round.
    IfInteger(usize),
}

impl ExcludedProducts {
    pub(super) fn new(ids: &[String]) -> Self {
        let (mut integers, mut whole_floats, mut texts) =
            (PlHashMap::new(), PlHashMap::new(), PlHashMap::new());
        for (at, id) in ids.iter().enumerate() {
            match IdKey::of(id) {
                IdKey::Integer(id) => integers.insert(id, at),
                IdKey::WholeFloat(id) => whole_floats.insert(id, at),
                IdKey::Text(id) => texts.insert(id.to_owned(), at),
            };
        }
        Self {
            ids: ids.to_vec(),
            met: vec![false; ids.len()],
            integers,
            whole_floats,
            texts,
        }
    }

    /// Whether nothing is excluded.
    pub(super) fn are_none(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether a product has an id, and is on the list.
    #[inline]
    pub(super) fn judge(&self, product: RawId<'_>) -> Result<Exclusion, IdFault> {
        product.key().map(|key| self.of(key))
    }

    #[inline]
    fn of(&self, product: IdKey<'_>) -> Exclusion {
        if self.are_none() {
            return Exclusion::None;
        }
        let found = match product {
            IdKey::Integer(id) => self.integers.get(&id),
            IdKey::WholeFloat(id) => self.whole_floats.get(&id),
            IdKey::Text(id) => self.texts.get(id),
        };
        if let Some(at) = found.copied() {
            return Exclusion::Listed(at);
        }
        match product {
            IdKey::WholeFloat(id) => self.integers.get(&id),
            IdKey::Integer(id) => self.whole_floats.get(&id),
            IdKey::Text(_) => None,
        }
        .map_or(Exclusion::None, |at| Exclusion::IfInteger(*at))
    }

    /// Adds the ids that were met elsewhere.
    pub(super) fn merge(&mut self, met: &[bool]) {
        self.met
            .iter_mut()
            .zip(met)
            .for_each(|(met, theirs)| *met |= theirs);
    }

    /// Which of the ids were met, in the order of the list.
    pub(super) fn met(&self) -> &[bool] {
        &self.met
    }

    /// A line names the id at this position.
    pub(super) fn mark(&mut self, at: usize) {
        if let Some(met) = self.met.get_mut(at) {
            *met = true;
        }
    }

    /// A warning of the ids that no line names, which are most likely slips.
    pub(super) fn warning(&self) -> Option<String> {
        let listed = self.ids.iter().zip(&self.met);
        let mut unmet: Vec<&str> = listed
            .filter(|(_, met)| !**met)
            .map(|(id, _)| id.as_str())
            .collect();
        if unmet.is_empty() {
            return None;
        }
        unmet.sort_unstable();
        unmet.dedup();
        let shown: Vec<String> = unmet
            .iter()
            .take(SHOWN)
            .map(|id| format!("\"{id}\""))
            .collect();
        let more = if unmet.len() > SHOWN {
            format!(" and {} more", unmet.len() - SHOWN)
        } else {
            String::new()
        };
        Some(format!(
            "no sale is of the excluded products {}{more}: ids are compared as the data write them",
            shown.join(", ")
        ))
    }
}
