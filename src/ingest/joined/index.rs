//! Where each id of a table stands, for tables that are looked up by an id.

use polars::prelude::{InitHashMaps, PlHashMap};

use crate::domain::Ids;
use crate::ingest::ids::{IdFault, IdKey, RawId};

/// The positions of ids. Integers take some 24 bytes each.
#[derive(Debug, PartialEq)]
pub(in crate::ingest) enum IdIndex {
    /// The ids are integers. Text that is written as one of them finds it, too.
    Integers(PlHashMap<i64, u32>),
    /// At least one id is text, so all are. An integer finds the text that it is printed as.
    Texts(PlHashMap<Box<str>, u32>),
}

impl IdIndex {
    /// The index of distinct ids. The position of an id is its code.
    pub(in crate::ingest) fn new(ids: Ids) -> Self {
        match ids {
            Ids::Integer(ids) => {
                let mut index = PlHashMap::with_capacity(ids.len());
                index.extend(ids.into_iter().zip(0..));
                Self::Integers(index)
            }
            Ids::Text(ids) => {
                let mut index = PlHashMap::with_capacity(ids.len());
                index.extend(ids.into_iter().map(String::into_boxed_str).zip(0..));
                Self::Texts(index)
            }
        }
    }

    /// The position of an id as a line has it; `None` if the table does not have it.
    ///
    /// # Errors
    /// If the line has no id.
    #[inline]
    pub(in crate::ingest) fn find(&self, id: RawId<'_>) -> Result<Option<u32>, IdFault> {
        let key = id.key()?;
        Ok(match (self, key) {
            // 7.0 is 7, as a column with nulls writes it.
            (Self::Integers(index), IdKey::Integer(id) | IdKey::WholeFloat(id)) => index.get(&id),
            (Self::Integers(_), IdKey::Text(_)) => None,
            (Self::Texts(index), IdKey::Text(id)) => index.get(id),
            (Self::Texts(index), IdKey::Integer(id)) => index.get(id.to_string().as_str()),
            (Self::Texts(index), IdKey::WholeFloat(id)) => index.get(format!("{id}.0").as_str()),
        }
        .copied())
    }

    /// What the ids are, in a message.
    pub(in crate::ingest) fn kind(&self) -> &'static str {
        match self {
            Self::Integers(_) => "integers",
            Self::Texts(_) => "text",
        }
    }

    /// The smallest id, as it is written: an example for a message.
    pub(in crate::ingest) fn example(&self) -> Option<String> {
        match self {
            Self::Integers(index) => index.keys().min().map(i64::to_string),
            Self::Texts(index) => index.keys().min().map(|id| format!("\"{id}\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_found_however_a_line_has_them() {
        let index = IdIndex::new(Ids::Integer(vec![-4, 7, 12]));
        for seven in [
            RawId::Integer(7),
            RawId::Float(7.0),
            RawId::Untyped("7"),
            RawId::Text("7"),
            RawId::Untyped("7.0"),
        ] {
            assert_eq!(index.find(seven), Ok(Some(1)), "{seven:?}");
        }
        for other in [
            RawId::Untyped("007"),
            RawId::Integer(8),
            RawId::Text("seven"),
        ] {
            assert_eq!(index.find(other), Ok(None), "{other:?}");
        }
        assert_eq!(index.find(RawId::Null), Err(IdFault::Null));
        assert_eq!(index.find(RawId::Float(7.5)), Err(IdFault::Fractional));
        assert_eq!(index.example().unwrap(), "-4");
    }

    #[test]
    fn text_is_found_as_it_is_written() {
        let ids = ["007", "12", "A7"].map(String::from);
        let index = IdIndex::new(Ids::Text(ids.to_vec()));
        assert_eq!(index.find(RawId::Untyped("007")), Ok(Some(0)));
        assert_eq!(index.find(RawId::Integer(12)), Ok(Some(1)));
        assert_eq!(index.find(RawId::Text("A7")), Ok(Some(2)));
        assert_eq!(index.find(RawId::Untyped("7")), Ok(None), "7 is not 007");
        assert_eq!(index.find(RawId::Untyped("12.0")), Ok(None));
        assert_eq!(index.example().unwrap(), "\"007\"");
    }
}
