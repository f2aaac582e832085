//! Ids of customers or products → provisional codes, each id once.

use std::fmt;
use std::sync::Arc;

use polars::prelude::{InitHashMaps, PlHashMap};

use super::report::has_decimal_comma;
use crate::domain::Ids;
use crate::error::{Error, Result};

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
    /// Text that is an integer and `.0`, as pandas writes an integer column with missing values:
    /// that integer, unless other ids are text.
    Whole(i64),
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
            Raw::Float(id) if id.fract() == 0.0 && id.abs() <= 9_007_199_254_740_992.0 => {
                Ok(Key::Integer(id as i64))
            }
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
        if let Some(id) = canonical_integer(text.as_bytes()) {
            return Key::Integer(id);
        }
        text.strip_suffix(".0")
            .and_then(|whole| canonical_integer(whole.as_bytes()))
            .map_or(Key::Text(text), Key::Whole)
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
        let digit = if negative {
            -i64::from(digit)
        } else {
            i64::from(digit)
        };
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(value)
}

/// Whether a field is the way a program writes "nothing".
#[inline]
pub(super) fn is_null(text: &str) -> bool {
    // No word is longer; most fields are.
    let trimmed = text.trim_ascii();
    trimmed.len() <= 4
        && matches!(
            trimmed,
            "" | "NULL" | "Null" | "null" | "NA" | "NaN" | "nan" | "None" | "<NA>" | "\\N"
        )
}

/// So many bits of a hash choose the place of a recent integer.
const RECENT_BITS: u32 = 12;

/// No id has it.
const NO_CODE: u32 = u32::MAX;

/// The codes of the ids of a file's dictionary that were looked up, by their positions there.
#[derive(Debug, Default)]
pub(super) struct KnownCodes(Vec<u32>);

impl KnownCodes {
    /// Whether the id of a row has a code; `positions` are those of all rows, where the file has a
    /// dictionary.
    #[inline]
    pub(super) fn has(&self, positions: Option<&[u32]>, at: usize) -> bool {
        positions.is_some_and(|positions| self.code(positions, at) != NO_CODE)
    }

    #[inline]
    fn code(&self, positions: &[u32], at: usize) -> u32 {
        positions
            .get(at)
            .and_then(|position| self.0.get(*position as usize))
            .copied()
            .unwrap_or(NO_CODE)
    }

    fn learn(&mut self, positions: &[u32], at: usize, code: u32) {
        let Some(position) = positions.get(at).map(|position| *position as usize) else {
            return;
        };
        if self.0.len() <= position {
            self.0.resize(position + 1, NO_CODE);
        }
        if let Some(known) = self.0.get_mut(position) {
            *known = code;
        }
    }
}

/// Ids in the order in which they came; an id's position is its code.
#[derive(Debug, Clone)]
pub(super) struct Dictionary {
    what: &'static str,
    /// But for the first ones, so many of which have been handed on.
    ids: Vec<Stored>,
    handed_on: usize,
    integers: PlHashMap<i64, u32>,
    wholes: PlHashMap<i64, u32>,
    texts: PlHashMap<Arc<str>, u32>,
    from_text_column: bool,
    /// The last integer that fell on each place, with its code: most lines name a customer or
    /// product that was met just before, and are spared the way to the memory of the map.
    recent: Vec<(i64, u32)>,
    /// What the ids of the present object are.
    here: Seen,
    /// The first object whose ids are all integers, and the first that has text.
    of_integers: Option<String>,
    of_text: Option<String>,
}

/// Ids, in the order of their codes, that follow those handed on before.
#[derive(Debug)]
pub(super) struct NewIds {
    ids: Vec<Stored>,
    from_text_column: bool,
    here: Seen,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    integer: bool,
    text: bool,
}

#[derive(Debug, Clone)]
enum Stored {
    Integer(i64),
    Whole(i64),
    Text(Arc<str>),
}

/// Ids, and the codes that mean the same id as another code.
#[derive(Debug, PartialEq)]
pub(super) struct Settled {
    pub(super) ids: Ids,
    same: PlHashMap<u32, u32>,
}

impl Settled {
    /// Whether some codes mean the same id.
    pub(super) fn merges(&self) -> bool {
        !self.same.is_empty()
    }

    /// The one code of an id.
    pub(super) fn one(&self, code: u32) -> u32 {
        self.same.get(&code).copied().unwrap_or(code)
    }
}

impl Dictionary {
    /// An empty dictionary of `what`s.
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            ids: vec![],
            handed_on: 0,
            integers: PlHashMap::new(),
            wholes: PlHashMap::new(),
            texts: PlHashMap::new(),
            from_text_column: false,
            recent: vec![(0, NO_CODE); 1 << RECENT_BITS],
            here: Seen::default(),
            of_integers: None,
            of_text: None,
        }
    }

    /// The code of an id that has a key, which was asked for before; a new one if it is new.
    #[inline]
    pub(super) fn code_of(&mut self, id: Raw<'_>) -> Result<u32> {
        match id.key() {
            Ok(key) => self.code(key, id.is_text()),
            Err(_) => Err(Error::system(format!(
                "a {} without an id was taken for a sale",
                self.what
            ))),
        }
    }

    /// The codes of the ids of some rows, which all have keys; `positions` are those of the rows'
    /// ids in a dictionary of the file, of which some codes are known. One column at a time, so
    /// that many look-ups wait for the memory together.
    pub(super) fn codes_of<'a>(
        &mut self,
        rows: &[usize],
        id: impl Fn(usize) -> Raw<'a>,
        positions: Option<&[u32]>,
        known: &mut KnownCodes,
    ) -> Result<Vec<u32>> {
        let Some(positions) = positions else {
            return rows.iter().map(|at| self.code_of(id(*at))).collect();
        };
        let mut codes: Vec<u32> = rows.iter().map(|at| known.code(positions, *at)).collect();
        for (code, at) in codes
            .iter_mut()
            .zip(rows)
            .filter(|(code, _)| **code == NO_CODE)
        {
            // Met earlier in these very rows, or not yet.
            *code = known.code(positions, *at);
            if *code == NO_CODE {
                *code = self.code_of(id(*at))?;
                known.learn(positions, *at, *code);
            }
        }
        Ok(codes)
    }

    /// The code of a key; a new one if it is new.
    #[inline]
    pub(super) fn code(&mut self, key: Key<'_>, from_text_column: bool) -> Result<u32> {
        self.from_text_column |= from_text_column;
        self.here.text |= from_text_column;
        match key {
            Key::Integer(id) => {
                self.here.integer = true;
                // Multiplicative hashing (Knuth, The Art of Computer Programming 3, 6.4).
                let place = ((id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - RECENT_BITS))
                    as usize;
                if let Some((known, code)) = self.recent.get(place).copied()
                    && known == id
                    && code != NO_CODE
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
                if let Some(recent) = self.recent.get_mut(place) {
                    *recent = (id, code);
                }
                Ok(code)
            }
            Key::Whole(id) => {
                self.here.integer = true;
                if let Some(code) = self.wholes.get(&id) {
                    return Ok(*code);
                }
                let code = self.next()?;
                self.wholes.insert(id, code);
                self.ids.push(Stored::Whole(id));
                Ok(code)
            }
            Key::Text(id) => {
                self.here.text = true;
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

    /// The ids that are new since they were last handed on.
    pub(super) fn hand_on(&mut self) -> NewIds {
        let ids = std::mem::take(&mut self.ids);
        self.handed_on += ids.len();
        NewIds {
            ids,
            from_text_column: self.from_text_column,
            here: std::mem::take(&mut self.here),
        }
    }

    /// Takes new ids of what was read apart from this: appends the code here of each to `codes`.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(super) fn absorb(&mut self, new: NewIds, codes: &mut Vec<u32>) -> Result<()> {
        let NewIds {
            ids,
            from_text_column,
            here,
        } = new;
        for id in ids {
            codes.push(match &id {
                Stored::Integer(id) => self.code(Key::Integer(*id), from_text_column)?,
                Stored::Whole(id) => self.code(Key::Whole(*id), from_text_column)?,
                Stored::Text(id) => self.code(Key::Text(id), from_text_column)?,
            });
        }
        self.here.integer |= here.integer;
        self.here.text |= here.text;
        Ok(())
    }

    fn next(&self) -> Result<u32> {
        u32::try_from(self.handed_on + self.ids.len())
            .ok()
            .filter(|code| *code < NO_CODE)
            .ok_or_else(|| {
                Error::input(format!("there are more than 4,294,967,295 {}s", self.what))
                    .hint("give okuo a part of the stores at a time")
            })
    }

    /// The object that was read so far has ended.
    pub(super) fn end(&mut self, object: &str) {
        let Seen { integer, text } = std::mem::take(&mut self.here);
        match (integer, text) {
            (_, true) => _ = self.of_text.get_or_insert_with(|| object.to_owned()),
            (true, false) => _ = self.of_integers.get_or_insert_with(|| object.to_owned()),
            (false, false) => {}
        }
    }

    /// Whether one id at least is text, which makes all of them text.
    pub(super) fn is_text(&self) -> bool {
        self.from_text_column || !self.texts.is_empty()
    }

    /// Warnings of text ids that look like numbers, and of objects that write ids in different
    /// ways.
    pub(super) fn warnings(&self) -> Vec<String> {
        if !self.is_text() {
            return vec![];
        }
        let mut warnings = vec![];
        let mut whole = self.ids.iter().filter_map(|id| match id {
            Stored::Whole(id) => Some(id),
            Stored::Integer(_) | Stored::Text(_) => None,
        });
        if let Some(first) = whole.next() {
            warnings.push(format!(
                "{} {} ids are written like floats, for example \"{first}.0\": they are taken as text, and differ from \"{first}\"",
                whole.count() + 1,
                self.what
            ));
        }
        let mut commas = self.ids.iter().filter_map(|id| match id {
            Stored::Text(id) => has_decimal_comma(id).then_some(id),
            Stored::Integer(_) | Stored::Whole(_) => None,
        });
        if let Some(first) = commas.next() {
            warnings.push(format!(
                "{} {} ids have a decimal comma, for example \"{first}\": they are taken as text; write ids as integers",
                commas.count() + 1,
                self.what
            ));
        }
        // One slip makes all ids text, in the tables too.
        let texts = self.texts.len();
        if !self.from_text_column
            && texts * 100 < self.ids.len()
            && let Some(first) = self.ids.iter().find_map(|id| {
                if let Stored::Text(id) = id {
                    Some(id)
                } else {
                    None
                }
            })
        {
            warnings.push(format!(
                "{texts} of {} {} ids are no integers, for example \"{first}\": therefore all are taken as text, and are text in the tables",
                self.ids.len(),
                self.what
            ));
        }
        if let (Some(integers), Some(text)) = (&self.of_integers, &self.of_text) {
            warnings.push(format!(
                "the {what} ids are integers in {integers} and text in {text}: all are taken as text, and a {what} that is written in two ways counts as two",
                what = self.what
            ));
        }
        warnings
    }

    /// Integers if all are, else text.
    pub(super) fn settle(self) -> Settled {
        let any_text = self.is_text();
        let Self {
            ids,
            integers,
            wholes,
            texts,
            ..
        } = self;
        drop((wholes, texts));
        let mut same = PlHashMap::new();
        if any_text {
            drop(integers);
            let text = |id| match id {
                Stored::Integer(id) => id.to_string(),
                Stored::Whole(id) => format!("{id}.0"),
                Stored::Text(id) => String::from(&*id),
            };
            return Settled {
                ids: Ids::Text(ids.into_iter().map(text).collect()),
                same,
            };
        }
        let integer = |(code, id)| match id {
            Stored::Integer(id) => Some(id),
            Stored::Whole(id) => {
                // No line will name this code any more, and so it is dropped.
                if let Some(written) = integers.get(&id) {
                    same.insert(code, *written);
                }
                Some(id)
            }
            Stored::Text(_) => None,
        };
        let ids = Ids::Integer((0..).zip(ids).filter_map(integer).collect());
        Settled { ids, same }
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
        let codes: Vec<u32> = ["7", "007", "7", "-3"]
            .map(|id| ids.code(Key::of(id), false).unwrap())
            .to_vec();
        assert_eq!(codes, [0, 1, 0, 2]);
        assert_eq!(
            ids.settle().ids,
            Ids::Text(vec!["7".into(), "007".into(), "-3".into()])
        );
    }

    #[test]
    fn a_text_column_of_digits_stays_text() {
        let mut ids = Dictionary::new("customer");
        ids.code(Key::of("7"), false).unwrap();
        ids.code(Raw::Text("8").key().unwrap(), true).unwrap();
        assert_eq!(ids.settle().ids, Ids::Text(vec!["7".into(), "8".into()]));
    }

    #[test]
    fn ids_like_floats_are_the_integers_that_they_mean() {
        let mut ids = Dictionary::new("customer");
        let codes: Vec<u32> = ["211.0", "7", "211", "-3.0", "211.0"]
            .map(|id| ids.code(Key::of(id), false).unwrap())
            .to_vec();
        assert_eq!((&codes, ids.warnings()), (&vec![0, 1, 2, 3, 0], vec![]));
        let settled = ids.settle();
        assert_eq!(
            codes
                .into_iter()
                .map(|code| settled.one(code))
                .collect::<Vec<_>>(),
            [2, 1, 2, 3, 2]
        );
        assert_eq!(settled.ids, Ids::Integer(vec![211, 7, 211, -3]));
    }

    #[test]
    fn ids_like_floats_are_text_beside_text_and_warned_of() {
        let mut ids = Dictionary::new("product");
        for id in ["1.0", "a.0", "2.0", "3", "-0.0", "1.00"] {
            ids.code(Key::of(id), false).unwrap();
        }
        let warnings = ids.warnings();
        assert!(
            warnings[0].starts_with("2 product ids are written like floats, for example \"1.0\""),
            "{warnings:?}"
        );
        let text = ["1.0", "a.0", "2.0", "3", "-0.0", "1.00"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(
            ids.settle(),
            Settled {
                ids: Ids::Text(text),
                same: PlHashMap::new()
            }
        );
    }
}
