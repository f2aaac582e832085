//! Products that are no purchase: fuel, bags, deposits.

use polars::prelude::{InitHashMaps, PlHashMap};

use super::ids::{IdFault, IdKey, RawId};
use super::named_ids::NamedIds;

/// How many excluded products a warning lists.
const SHOWN: usize = 5;

/// Products that are no purchase.
#[derive(Debug, Clone)]
pub(super) struct ExcludedProducts {
    /// Which of them lines have.
    pub(super) named: NamedIds,
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
            named: NamedIds::new(ids),
            integers,
            whole_floats,
            texts,
        }
    }

    /// Whether a product has an id, and is on the list.
    #[inline]
    pub(super) fn judge(&self, product: RawId<'_>) -> Result<Exclusion, IdFault> {
        product.key_of_id().map(|key| self.of(key))
    }

    #[inline]
    fn of(&self, product: IdKey<'_>) -> Exclusion {
        if self.named.are_none() {
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

    /// A warning of the ids that no line names, which are most likely slips.
    pub(super) fn warning(&self) -> Option<String> {
        let mut unmet: Vec<&str> = self.named.unmet().collect();
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
