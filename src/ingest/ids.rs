//! The dictionary of ids: each id that comes gets a code once.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::purchases::Ids;

/// Whole numbers below this are looked up in a table; it grows only as far as needed.
const TABLE: i64 = 1 << 24;
const NONE: u32 = u32::MAX;

/// Codes in the order of their first line.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    known: Vec<Known>,
    small: Vec<u32>,
    large: HashMap<i64, u32>,
    texts: HashMap<Box<str>, u32>,
    /// A column of text was seen whose ids stay text though they look like numbers.
    text_column: bool,
}

#[derive(Debug, Clone)]
enum Known {
    Integer(i64),
    Text(Box<str>),
}

/// `Some` if the text is how an integer is written: no leading zero, no plus sign, no space.
pub(super) fn canonical_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => text == "0",
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if canonical { text.parse().ok() } else { None }
}

impl Dictionary {
    fn add(&mut self, id: Known) -> Result<u32> {
        let code = u32::try_from(self.known.len()).ok().filter(|code| *code < NONE);
        let code = code.ok_or_else(|| Error::input("there are more than 4,294,967,294 distinct ids"))?;
        self.known.push(id);
        Ok(code)
    }

    /// The code of an integer id.
    pub(super) fn integer(&mut self, id: i64) -> Result<u32> {
        if (0..TABLE).contains(&id) {
            let at = id as usize;
            if at >= self.small.len() {
                self.small.resize((at + 1).next_power_of_two(), NONE);
            }
            if self.small[at] == NONE {
                self.small[at] = self.add(Known::Integer(id))?;
            }
            return Ok(self.small[at]);
        }
        if let Some(code) = self.large.get(&id) {
            return Ok(*code);
        }
        let code = self.add(Known::Integer(id))?;
        self.large.insert(id, code);
        Ok(code)
    }

    /// The code of an id in text; one that is written like an integer is the same id as the integer.
    pub(super) fn text(&mut self, id: &str) -> Result<u32> {
        if let Some(id) = canonical_integer(id) {
            return self.integer(id);
        }
        if let Some(code) = self.texts.get(id) {
            return Ok(*code);
        }
        let code = self.add(Known::Text(id.into()))?;
        self.texts.insert(id.into(), code);
        Ok(code)
    }

    /// Says that a column of text has come, whose ids come back as text.
    pub(super) fn saw_text_column(&mut self) {
        self.text_column = true;
    }

    /// The ids by code: integers if every one is, text otherwise.
    pub(super) fn finish(self) -> Ids {
        if self.texts.is_empty() && !self.text_column {
            let integers = self.known.iter().map(|id| match id {
                Known::Integer(id) => *id,
                Known::Text(_) => 0, // there is none: `texts` is empty
            });
            return Ids::Integer(integers.collect());
        }
        let texts = self.known.into_iter().map(|id| match id {
            Known::Integer(id) => id.to_string(),
            Known::Text(id) => id.into(),
        });
        Ids::Text(texts.collect())
    }
}
