//! What became of each line: read = kept + dropped + bad, always.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::cause::Cause;
use crate::error::{Error, Result};

/// How many places of a cause are kept.
const PLACES: usize = 3;

/// How many characters of a value are shown.
const SHOWN: usize = 60;

/// Where a bad value stands: `object: row R, column "C": value`, the value shortened and freed of control characters. Rows count from 1,
/// without the header.
pub(super) fn place(object: &str, row: u64, column: Option<&str>, value: &str) -> String {
    let mut text = format!("{object}: row {row}");
    if let Some(column) = column {
        text.push_str(&format!(", column \"{column}\""));
    }
    text.push_str(": ");
    for character in value.chars().take(SHOWN) {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
    if value.chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    text
}

/// The bad lines of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// Why.
    pub cause: Cause,
    /// How many lines.
    pub lines: u64,
    /// The first of them, at most three: `object: row R, column "C": value`.
    pub first: Vec<String>,
}

/// What became of each line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Objects read.
    pub objects: u64,
    /// Of those, without a line.
    pub empty_objects: u64,
    /// Lines read = kept + returned + excluded + after the as-of date + bad.
    pub lines_read: u64,
    /// Lines that went into purchases.
    pub kept: u64,
    /// Of those, repeats of a customer, day and product, which change nothing.
    pub repeated: u64,
    /// Dropped: returns and voids, with a quantity of 0 or less.
    pub returned: u64,
    /// Dropped: products on the exclusion list.
    pub excluded: u64,
    /// Dropped: after the as-of date.
    pub after_as_of: u64,
    /// Bad lines by cause, in a fixed order.
    pub bad: Vec<Bad>,
}

impl Report {
    /// How many lines are bad.
    #[must_use]
    pub fn bad_lines(&self) -> u64 {
        self.bad.iter().map(|bad| bad.lines).sum()
    }

    /// Whether read = kept + dropped + bad.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.lines_read == self.kept + self.returned + self.excluded + self.after_as_of + self.bad_lines()
    }

    /// Counts a bad line; `place` is asked for only while places of the cause are wanted.
    pub(super) fn add_bad(&mut self, cause: Cause, place: impl FnOnce() -> String) {
        let at = match self.bad.binary_search_by_key(&cause, |bad| bad.cause) {
            Ok(at) => at,
            Err(at) => {
                self.bad.insert(at, Bad { cause, lines: 0, first: vec![] });
                at
            }
        };
        if let Some(bad) = self.bad.get_mut(at) {
            bad.lines += 1;
            if bad.first.len() < PLACES {
                bad.first.push(place());
            }
        }
    }

    /// Whether the lines may be used.
    ///
    /// # Errors
    /// If there is no line, or more than the share `max_bad_share` is bad; then every cause is listed.
    pub fn judge(&self, max_bad_share: f64) -> Result<()> {
        if self.lines_read == 0 {
            let read = if self.objects == 1 { "1 object was".to_owned() } else { format!("{} objects were", self.objects) };
            return Err(Error::input(format!("{read} read, without a single line"))
                .hint("check that the feed was written: a header alone, or nothing, is not a day's tickets"));
        }
        let bad = self.bad_lines();
        let share = bad as f64 / self.lines_read as f64;
        if share <= max_bad_share {
            return Ok(());
        }
        let what = format!(
            "{bad} of {} lines are bad ({:.2} %), more than the {:.2} % allowed:{}",
            self.lines_read,
            100.0 * share,
            100.0 * max_bad_share,
            self.causes()
        );
        let mut hints: Vec<&str> = vec![];
        for bad in &self.bad {
            if !hints.contains(&bad.cause.hint()) {
                hints.push(bad.cause.hint());
            }
        }
        Err(Error::input(what).hint(hints.join("\n      ")))
    }

    /// Every cause with its count and first places, each after a line break: the text of an error.
    #[must_use]
    pub fn causes(&self) -> String {
        let causes: Vec<String> =
            self.bad.iter().map(|bad| format!("\n  {} × {}, first {}", bad.lines, bad.cause, bad.first.join("; "))).collect();
        causes.concat()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines read = {} kept", self.lines_read, self.kept)?;
        for (lines, what) in [(self.returned, "returned"), (self.excluded, "excluded"), (self.after_as_of, "after the as-of date")] {
            if lines > 0 {
                write!(f, " + {} {what}", lines)?;
            }
        }
        for bad in &self.bad {
            write!(f, " + {} with {}", bad.lines, bad.cause)?;
        }
        if self.repeated > 0 {
            write!(f, " ({} of the kept repeat another)", self.repeated)?;
        }
        Ok(())
    }
}
