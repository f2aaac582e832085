//! Sales without a customer: cash sales, and those under an id that stands for nobody.

use polars::prelude::PlHashSet;

use super::ids::{IdFault, IdKey, RawId};

/// Who bought, as far as one line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Buyer {
    /// A customer with an id.
    Known,
    /// Nobody in particular.
    Anonymous,
}

/// The ids that stand for nobody.
#[derive(Debug, Clone, Default)]
pub(super) struct AnonymousCustomers {
    integers: PlHashSet<i64>,
    texts: PlHashSet<String>,
}

impl AnonymousCustomers {
    /// The ids that someone named, written as in the input.
    pub(super) fn new(ids: &[String]) -> Self {
        let mut named = Self::default();
        for id in ids {
            match IdKey::of(id.trim_ascii()) {
                // A column with nulls may write 0 as 0.0.
                IdKey::Integer(id) | IdKey::WholeFloat(id) => _ = named.integers.insert(id),
                IdKey::Text(id) => _ = named.texts.insert(id.to_owned()),
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
        match customer.key() {
            Ok(_) if self.are_none() => Ok(Buyer::Known),
            Ok(IdKey::Integer(id) | IdKey::WholeFloat(id)) if self.integers.contains(&id) => {
                Ok(Buyer::Anonymous)
            }
            Ok(IdKey::Text(id)) if self.texts.contains(id) => Ok(Buyer::Anonymous),
            Ok(_) => Ok(Buyer::Known),
            Err(IdFault::Null) => Ok(Buyer::Anonymous),
            Err(fault) => Err(fault),
        }
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
            assert_eq!(named.buyer(nobody), Ok(Buyer::Anonymous), "{nobody:?}");
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
}
