//! Ids of customers or products → provisional codes, each id once.

use std::fmt;
use std::sync::Arc;

use polars::prelude::{InitHashMaps, PlHashMap};

use crate::error::{Error, Result};
use crate::purchases::Ids;

/// An id as a file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Raw<'a> {
    /// None.
    Null,
    /// From an integer column.
    Integer(i64),
    /// From a float column, which pandas makes of integers with nulls.
    Float(f64),
    /// From a file without types: an integer if it is written as one.
    Untyped(&'a str),
    /// From a text column.
    Text(&'a str),
    /// Bytes that are no UTF-8.
    NotText,
}

/// An id to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// An integer, or text that is written as one.
    Integer(i64),
    /// Any other text.
    Text(&'a str),
}

/// What is wrong with an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Null,
    Fractional,
    NotText,
}

impl<'a> Raw<'a> {
    /// The key to look up.
    #[inline]
    pub(super) fn key(self) -> Result<Key<'a>, Fault> {
        match self {
            Raw::Integer(id) => Ok(Key::Integer(id)),
            Raw::Untyped(text) | Raw::Text(text) => match Key::of(text) {
                Key::Text(text) if is_null(text) => Err(Fault::Null),
                key => Ok(key),
            },
            // Beyond 2⁵³ a float no longer tells neighbouring integers apart.
            Raw::Float(id) if id.is_nan() => Err(Fault::Null),
            Raw::Float(id) if id.fract() == 0.0 && id.abs() <= 9_007_199_254_740_992.0 => Ok(Key::Integer(id as i64)),
            Raw::Float(_) => Err(Fault::Fractional),
            Raw::Null => Err(Fault::Null),
            Raw::NotText => Err(Fault::NotText),
        }
    }

    /// Whether the id came from a text column, which makes all ids text.
    #[inline]
    pub(super) fn is_text(self) -> bool {
        matches!(self, Raw::Text(_))
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raw::Null => f.write_str("null"),
            Raw::Integer(id) => id.fmt(f),
            Raw::Float(id) => id.fmt(f),
            Raw::Untyped(id) | Raw::Text(id) => write!(f, "\"{id}\""),
            Raw::NotText => f.write_str("bytes"),
        }
    }
}

impl<'a> Key<'a> {
    /// Text that `i64` prints the same way is an integer.
    #[inline]
    pub(super) fn of(text: &'a str) -> Self {
        canonical_integer(text.as_bytes()).map_or(Key::Text(text), Key::Integer)
    }
}

/// The integer, if it is written as `i64` prints it: no plus sign, no leading zero, no `-0`.
#[inline]
fn canonical_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Downwards for negatives, so that i64::MIN is reached.
        let digit = if negative { -i64::from(digit) } else { i64::from(digit) };
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(value)
}

/// Whether a field is the way a program writes "nothing".
#[inline]
pub(super) fn is_null(text: &str) -> bool {
    // No word is longer; most fields are.
    let trimmed = text.trim_ascii();
    trimmed.len() <= 4 && matches!(trimmed, "" | "NULL" | "Null" | "null" | "NA" | "NaN" | "nan" | "None" | "<NA>" | "\\N")
}

/// Ids in the order in which they came; an id's position is its code.
#[derive(Debug)]
pub(super) struct Dictionary {
    what: &'static str,
    ids: Vec<Stored>,
    integers: PlHashMap<i64, u32>,
    texts: PlHashMap<Arc<str>, u32>,
    from_text_column: bool,
    /// A ticket's lines stand together and name the same customer.
    last: Option<(i64, u32)>,
}

#[derive(Debug)]
enum Stored {
    Integer(i64),
    Text(Arc<str>),
}

impl Dictionary {
    /// An empty dictionary of `what`s.
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, ids: vec![], integers: PlHashMap::new(), texts: PlHashMap::new(), from_text_column: false, last: None }
    }

    /// The code of a key; a new one if it is new.
    #[inline]
    pub(super) fn code(&mut self, key: Key<'_>, from_text_column: bool) -> Result<u32> {
        self.from_text_column |= from_text_column;
        match key {
            Key::Integer(id) => {
                if let Some((last, code)) = self.last
                    && last == id
                {
                    return Ok(code);
                }
                let code = match self.integers.get(&id) {
                    Some(code) => *code,
                    None => {
                        let code = self.next()?;
                        self.integers.insert(id, code);
                        self.ids.push(Stored::Integer(id));
                        code
                    }
                };
                self.last = Some((id, code));
                Ok(code)
            }
            Key::Text(id) => {
                if let Some(code) = self.texts.get(id) {
                    return Ok(*code);
                }
                let code = self.next()?;
                let id: Arc<str> = id.into();
                self.texts.insert(Arc::clone(&id), code);
                self.ids.push(Stored::Text(id));
                Ok(code)
            }
        }
    }

    fn next(&self) -> Result<u32> {
        u32::try_from(self.ids.len()).ok().filter(|code| *code < u32::MAX).ok_or_else(|| {
            Error::input(format!("there are more than 4,294,967,295 {}s", self.what)).hint("give okuo a part of the stores at a time")
        })
    }

    /// A warning if text ids look like integers that were written as floats.
    pub(super) fn warning(&self) -> Option<String> {
        let mut whole = self.ids.iter().filter_map(|id| match id {
            Stored::Text(id) => id.strip_suffix(".0").filter(|whole| canonical_integer(whole.as_bytes()).is_some()),
            Stored::Integer(_) => None,
        });
        let first = whole.next()?;
        Some(format!(
            "{} {} ids are written like floats, for example \"{first}.0\": they are taken as text, and differ from \"{first}\"",
            whole.count() + 1,
            self.what
        ))
    }

    /// Integers if all are, else text.
    pub(super) fn into_ids(self) -> Ids {
        let Self { ids, integers, texts, from_text_column, .. } = self;
        let any_text = from_text_column || !texts.is_empty();
        drop((integers, texts));
        if any_text {
            let text = |id| match id {
                Stored::Integer(id) => id.to_string(),
                Stored::Text(id) => String::from(&*id),
            };
            return Ids::Text(ids.into_iter().map(text).collect());
        }
        let integer = |id| match id {
            Stored::Integer(id) => Some(id),
            Stored::Text(_) => None,
        };
        Ids::Integer(ids.into_iter().filter_map(integer).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_integer_is_what_prints_the_same(text in "[-+0-9. ]{0,21}|-?[1-9][0-9]{17,19}") {
            let oracle = text.parse::<i64>().ok().filter(|id| id.to_string() == text);
            prop_assert_eq!(canonical_integer(text.as_bytes()), oracle);
        }

        #[test]
        fn every_integer_is_read(id in any::<i64>()) {
            prop_assert_eq!(canonical_integer(id.to_string().as_bytes()), Some(id));
        }
    }

    #[test]
    fn one_text_makes_all_ids_text_and_loses_none() {
        let mut ids = Dictionary::new("customer");
        let codes: Vec<u32> = ["7", "007", "7", "-3"].map(|id| ids.code(Key::of(id), false).unwrap()).to_vec();
        assert_eq!(codes, [0, 1, 0, 2]);
        assert_eq!(ids.into_ids(), Ids::Text(vec!["7".into(), "007".into(), "-3".into()]));
    }

    #[test]
    fn a_text_column_of_digits_stays_text() {
        let mut ids = Dictionary::new("customer");
        ids.code(Key::of("7"), false).unwrap();
        ids.code(Raw::Text("8").key().unwrap(), true).unwrap();
        assert_eq!(ids.into_ids(), Ids::Text(vec!["7".into(), "8".into()]));
    }

    #[test]
    fn ids_like_floats_are_warned_of() {
        let mut ids = Dictionary::new("product");
        for id in ["1.0", "a.0", "2.0", "3"] {
            ids.code(Key::of(id), false).unwrap();
        }
        let warning = ids.warning().unwrap();
        assert!(warning.starts_with("2 product ids are written like floats, for example \"1.0\""), "{warning}");
    }
}
