//! Sales without a customer: cash sales, and those under an id that stands for nobody.

use polars::prelude::PlHashMap;

use super::ids::{IdFault, IdKey, RawId};

/// Who bought, as far as one line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buyer {
    /// A customer with an id.
    Known,
    /// Nobody in particular: there is no id.
    Anonymous,
    /// Nobody: the id at this position of the list stands for nobody.
    Listed(u32),
}

/// The ids that stand for nobody.
#[derive(Debug, Clone, Default)]
pub(super) struct AnonymousCustomers {
    integers: PlHashMap<i64, u32>,
    texts: PlHashMap<String, u32>,
    ids: Vec<String>,
    /// Which of the ids lines have.
    met: Vec<bool>,
}

/// How many ids a warning shows.
const SHOWN: usize = 5;

impl AnonymousCustomers {
    /// The ids that someone named, written as in the input.
    pub(super) fn new(ids: &[String]) -> Self {
        let mut named = Self {
            ids: ids.to_vec(),
            met: vec![false; ids.len()],
            ..Self::default()
        };
        for (at, id) in (0..).zip(ids) {
            match IdKey::of(id.trim_ascii()) {
                // A column with nulls may write 0 as 0.0.
                IdKey::Integer(id) | IdKey::WholeFloat(id) => _ = named.integers.insert(id, at),
                IdKey::Text(id) => _ = named.texts.insert(id.to_owned(), at),
            }
        }
        named
    }

    /// Whether nobody named an id.
    #[inline]
    pub(super) fn are_none(&self) -> bool {
        self.integers.is_empty() && self.texts.is_empty()
    }

    /// Who bought a line: nobody, where there is no id.
    ///
    /// # Errors
    /// If there is something, but no id.
    #[inline]
    pub(super) fn buyer(&self, customer: RawId<'_>) -> Result<Buyer, IdFault> {
        let listed = match customer.key() {
            Ok(_) if self.are_none() => None,
            Ok(IdKey::Integer(id) | IdKey::WholeFloat(id)) => self.integers.get(&id),
            Ok(IdKey::Text(id)) => self.texts.get(id),
            Err(IdFault::Null) => return Ok(Buyer::Anonymous),
            Err(fault) => return Err(fault),
        };
        Ok(listed.map_or(Buyer::Known, |at| Buyer::Listed(*at)))
    }

    /// A line has the id at this position.
    pub(super) fn mark(&mut self, at: u32) {
        if let Some(met) = self.met.get_mut(at as usize) {
            *met = true;
        }
    }

    /// Which of the ids were met, in the order of the list.
    pub(super) fn met(&self) -> &[bool] {
        &self.met
    }

    /// Adds the ids that were met elsewhere.
    pub(super) fn merge(&mut self, met: &[bool]) {
        let both = self.met.iter_mut().zip(met);
        both.for_each(|(met, theirs)| *met |= theirs);
    }

    /// A warning of the ids that no line has, which are most likely slips.
    pub(super) fn warning(&self) -> Option<String> {
        let listed = self.ids.iter().zip(&self.met);
        let mut unmet: Vec<String> = listed
            .filter(|(_, met)| !**met)
            .map(|(id, _)| format!("\"{id}\""))
            .collect();
        if unmet.is_empty() {
            return None;
        }
        let more = match unmet.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        unmet.truncate(SHOWN);
        Some(format!(
            "no line is of the customers {}{more}, which --anonymous names: ids are compared as the data write them",
            unmet.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nulls_and_named_ids_are_nobody() {
        let named = AnonymousCustomers::new(&["0".into(), "Walk-in Customer".into()]);
        for nobody in [
            RawId::Null,
            RawId::Integer(0),
            RawId::Untyped("0"),
            RawId::Untyped("0.0"),
            RawId::Text("Walk-in Customer"),
            RawId::Untyped("#N/A"),
        ] {
            let buyer = named.buyer(nobody).unwrap();
            assert_ne!(buyer, Buyer::Known, "{nobody:?}");
        }
        for somebody in [
            RawId::Integer(10),
            RawId::Untyped("00"),
            RawId::Text("walk-in customer"),
        ] {
            assert_eq!(named.buyer(somebody), Ok(Buyer::Known), "{somebody:?}");
        }
        assert_eq!(named.buyer(RawId::Float(0.5)), Err(IdFault::Fractional));
    }

    #[test]
    fn ids_that_no_line_has_are_named() {
        let mut named = AnonymousCustomers::new(&["0".into(), "7".into()]);
        named.mark(0);
        let warning = named.warning().unwrap();
        assert!(
            warning.starts_with("no line is of the customers \"7\","),
            "{warning}"
        );
        named.merge(&[false, true]);
        assert_eq!(named.warning(), None);
    }
}
