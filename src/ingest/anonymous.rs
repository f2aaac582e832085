//! Sales without a customer: cash sales, and those under an id that stands for nobody.

use polars::prelude::{InitHashMaps, PlHashMap};

use super::ids::{IdFault, IdKey, RawId, is_null};
use super::named_ids::NamedIds;
use crate::domain::words::first_quoted;

/// How many ids a warning lists.
const SHOWN: usize = 5;

/// Who bought, as far as one line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buyer {
    /// A customer with an id.
    Known,
    /// Nobody in particular: there is no id.
    Anonymous,
    /// Nobody, by the id at this position among those that stand for nobody.
    Named(usize),
}

/// The ids that stand for nobody.
#[derive(Debug, Clone)]
pub(super) struct AnonymousCustomers {
    /// Which of them lines have.
    pub(super) named: NamedIds,
    /// Positions in the ids.
    integers: PlHashMap<i64, usize>,
    texts: PlHashMap<String, usize>,
}

impl AnonymousCustomers {
    /// The ids that someone named, written as in the input.
    pub(super) fn new(ids: &[String]) -> Self {
        let (mut integers, mut texts) = (PlHashMap::new(), PlHashMap::new());
        for (at, id) in ids.iter().enumerate() {
            match IdKey::of(id.trim_ascii()) {
                // A column with nulls may write 0 as 0.0.
                IdKey::Integer(id) | IdKey::WholeFloat(id) => _ = integers.insert(id, at),
                IdKey::Text(id) => _ = texts.insert(id.to_owned(), at),
            }
        }
        Self {
            named: NamedIds::new(ids),
            integers,
            texts,
        }
    }

    /// Who bought a line: nobody, where there is no id.
    ///
    /// # Errors
    /// If there is something, but no id.
    #[inline]
    pub(super) fn buyer(&self, customer: RawId<'_>) -> Result<Buyer, IdFault> {
        match customer.key_of_id() {
            Ok(_) if self.named.are_none() => Ok(Buyer::Known),
            Ok(IdKey::Integer(id) | IdKey::WholeFloat(id)) => Ok(named_at(self.integers.get(&id))),
            Ok(IdKey::Text(id)) => Ok(named_at(self.texts.get(id))),
            Err(IdFault::Null) => Ok(Buyer::Anonymous),
            Err(fault) => Err(fault),
        }
    }

    /// A warning of the ids that no line names, which are most likely slips. What stands for nobody
    /// anyway is met without a look at it.
    pub(super) fn warning(&self) -> Option<String> {
        let unmet: Vec<&str> = self.named.unmet().filter(|id| !is_null(id)).collect();
        unmet_warning("--anonymous", &unmet)
    }
}

/// A warning of ids that a flag names and no line has.
pub(super) fn unmet_warning(flag: &str, ids: &[&str]) -> Option<String> {
    if ids.is_empty() {
        return None;
    }
    Some(format!(
        "no line that was read is of the customers {}, which {flag} names: ids are compared as the data write them",
        first_quoted(ids, SHOWN)
    ))
}

fn named_at(position: Option<&usize>) -> Buyer {
    position.map_or(Buyer::Known, |at| Buyer::Named(*at))
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
        named.named.mark(0);
        let warning = named.warning().unwrap();
        assert!(
            warning.starts_with("no line that was read is of the customers \"7\","),
            "{warning}"
        );
        named.named.merge(&[false, true]);
        assert_eq!(named.warning(), None);
    }
}
