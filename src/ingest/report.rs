//! What became of each line: read = kept + dropped + bad, always.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::cause::Cause;
use crate::calendar::Day;
use crate::error::{Error, Result};

/// How many places of a cause are kept.
const PLACES: usize = 3;

/// How many characters of a value are shown.
const SHOWN: usize = 60;

/// Where a bad value stands: `object: row R, column "C": value`, the value shortened and freed of
/// control characters. Rows count from 1, without the header.
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
    /// Lines read = kept + returned + excluded + after the as-of date + before the needed history +
    /// bad.
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
    /// Dropped: longer ago than `history_days`.
    #[serde(default)]
    pub before_history: u64,
    /// Bad lines by cause, in a fixed order.
    pub bad: Vec<Bad>,
    /// The first day after the as-of date: only for a message, since it must change no byte of a
    /// result.
    #[serde(skip)]
    pub(super) first_after: Option<Day>,
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
        let dropped = self.returned + self.excluded + self.after_as_of + self.before_history;
        self.lines_read == self.kept + dropped + self.bad_lines()
    }

    /// Counts a bad line; `place` is asked for only while places of the cause are wanted.
    pub(super) fn add_bad(&mut self, cause: Cause, place: impl FnOnce() -> String) {
        let at = match self.bad.binary_search_by_key(&cause, |bad| bad.cause) {
            Ok(at) => at,
            Err(at) => {
                self.bad.insert(
                    at,
                    Bad {
                        cause,
                        lines: 0,
                        first: vec![],
                    },
                );
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

    /// Adds what became of the lines that follow.
    pub(super) fn absorb(&mut self, other: Report) {
        self.objects += other.objects;
        self.empty_objects += other.empty_objects;
        self.lines_read += other.lines_read;
        self.kept += other.kept;
        self.repeated += other.repeated;
        self.returned += other.returned;
        self.excluded += other.excluded;
        self.after_as_of += other.after_as_of;
        self.before_history += other.before_history;
        self.first_after = self.first_after.into_iter().chain(other.first_after).min();
        for theirs in other.bad {
            match self
                .bad
                .binary_search_by_key(&theirs.cause, |bad| bad.cause)
            {
                Ok(at) => {
                    if let Some(ours) = self.bad.get_mut(at) {
                        ours.lines += theirs.lines;
                        ours.first.extend(theirs.first);
                        ours.first.truncate(PLACES);
                    }
                }
                Err(at) => self.bad.insert(at, theirs),
            }
        }
    }

    /// Of the kept lines so many are distinct.
    pub(crate) fn count_repeated(&mut self, distinct: u64) {
        self.repeated = self.kept.saturating_sub(distinct);
    }

    /// Whether the lines may be used.
    ///
    /// # Errors
    /// If there is no line, or more than the share `max_bad_share` is bad; then every cause is
    /// listed.
    pub fn judge(&self, max_bad_share: f64) -> Result<()> {
        if self.lines_read == 0 {
            let what = match self.objects {
                0 => "there is no object to read".to_owned(),
                1 => "the input has no lines".to_owned(),
                objects => format!("the input has no lines in any of its {objects} objects"),
            };
            return Err(
                Error::input(what).hint("check the --input location, and that the export has run")
            );
        }
        // Lines of other days are not looked at, and would hide bad ones.
        let looked_at = self.lines_read - self.after_as_of - self.before_history;
        let bad = self.bad_lines();
        if bad as f64 <= max_bad_share * looked_at as f64 {
            return Ok(());
        }
        let what = format!(
            "{} of {} lines are bad ({:.2} %), more than the {} % allowed:{}",
            thousands(bad),
            thousands(looked_at),
            100.0 * bad as f64 / looked_at as f64,
            (100.0 * max_bad_share * 1e6).round() / 1e6, // 7, not 7.000000000000001
            self.causes()
        );
        let mut advice: Vec<&str> = Vec::new();
        for bad in &self.bad {
            let decimal_comma = bad.cause == Cause::QuantityNotANumber
                && bad.first.iter().any(|place| ends_with_decimal_comma(place));
            let hint = if decimal_comma {
                "write quantities with a decimal point: 1.5, not 1,5"
            } else {
                bad.cause.hint()
            };
            if !advice.contains(&hint) {
                advice.push(hint);
            }
        }
        advice.push("or accept more bad lines with --max-bad-share: they are left out and counted");
        Err(Error::input(what).hint(advice.join("\n      ")))
    }

    /// The error of an input in which no line is a purchase up to a night: what became of the
    /// lines.
    #[must_use]
    pub fn no_purchase(&self, until: &str) -> Error {
        Error::input(format!(
            "no line is a purchase{until}: {self}{}",
            self.causes()
        ))
        .hint("check the column mapped with --quantity, and the excluded products")
    }

    /// The error of an input that has lines, but none of the days that are looked at up to a night,
    /// which `night` names.
    #[must_use]
    pub fn out_of_reach(&self, night: &str) -> Error {
        let lines = match self.after_as_of {
            0 => format!(
                "all {} usable lines are longer ago than history_days before {night}",
                thousands(self.before_history)
            ),
            after => format!(
                "no line is of the days that are looked at: {} lie after {night}, and {} are longer ago than history_days before it",
                thousands(after),
                thousands(self.before_history)
            ),
        };
        Error::request(lines).hint("choose another date, give the objects of the days between with --input too, or raise --history-days")
    }

    /// Every cause with its count and first places, each after a line break: the text of an error.
    #[must_use]
    pub fn causes(&self) -> String {
        let causes: Vec<String> = self
            .bad
            .iter()
            .map(|bad| {
                format!(
                    "\n  {} × {}, first {}",
                    thousands(bad.lines),
                    bad.cause,
                    bad.first.join("; ")
                )
            })
            .collect();
        causes.concat()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lines read = {} kept",
            thousands(self.lines_read),
            thousands(self.kept)
        )?;
        for (lines, what) in [
            (self.returned, "returned"),
            (self.excluded, "excluded"),
            (self.after_as_of, "after the as-of date"),
            (self.before_history, "longer ago than history_days"),
        ] {
            if lines > 0 {
                write!(f, " + {} {what}", thousands(lines))?;
            }
        }
        for bad in &self.bad {
            write!(f, " + {} with {}", thousands(bad.lines), bad.cause)?;
        }
        if self.repeated > 0 {
            write!(
                f,
                " ({} of the kept repeat another)",
                thousands(self.repeated)
            )?;
        }
        Ok(())
    }
}

/// Whether the value at the end of a place, which is in quotes, is a number with a decimal comma.
fn ends_with_decimal_comma(place: &str) -> bool {
    let value = place
        .strip_suffix('"')
        .and_then(|place| place.rsplit_once('"'))
        .map_or("", |(_, value)| value);
    has_decimal_comma(value.trim().trim_start_matches('-'))
}

/// Whether a text is digits, a comma and digits.
pub(super) fn has_decimal_comma(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once(',')
        .is_some_and(|(whole, fraction)| digits(whole) && digits(fraction))
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
