//! What became of every line: kept, dropped or bad, with the first places of each cause.

use std::fmt;

use serde::Serialize;

/// Why a line cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The customer is null or empty.
    NullCustomer,
    /// The product is null or empty.
    NullProduct,
    /// The time is null or empty.
    NullTime,
    /// The time is in no form that can be read for sure.
    UnreadableTime,
    /// The time lies before 1990 or after 2099.
    AbsurdDate,
    /// The quantity is null or empty.
    NullQuantity,
    /// The quantity is not a number.
    UnreadableQuantity,
    /// An id that came as a number is not a whole one.
    FractionalId,
}

impl Cause {
    const ALL: [Cause; 8] = [
        Cause::NullCustomer,
        Cause::NullProduct,
        Cause::NullTime,
        Cause::UnreadableTime,
        Cause::AbsurdDate,
        Cause::NullQuantity,
        Cause::UnreadableQuantity,
        Cause::FractionalId,
    ];

    fn words(self) -> &'static str {
        match self {
            Cause::NullCustomer => "no customer",
            Cause::NullProduct => "no product",
            Cause::NullTime => "no time",
            Cause::UnreadableTime => "unreadable time",
            Cause::AbsurdDate => "date before 1990 or after 2099",
            Cause::NullQuantity => "no quantity",
            Cause::UnreadableQuantity => "quantity that is not a number",
            Cause::FractionalId => "id that is not a whole number",
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Cause::UnreadableTime => {
                "write times as 2017-10-31, 2017-10-31 18:05:00 or 2017-10-31T18:05:00Z; 31/10/2017 could be read in two ways"
            }
            Cause::NullCustomer => "leave sales without a customer out of the feed, or raise --max-bad-share",
            Cause::NullQuantity | Cause::UnreadableQuantity => "map another column with --quantity, or mend the feed",
            _ => "mend the feed, or raise --max-bad-share if these lines can be spared",
        }
    }
}

/// The lines of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bad {
    /// Why.
    pub cause: Cause,
    /// How many.
    pub lines: u64,
    /// The first of them: `object: row R, column "C": value`.
    pub first: Vec<String>,
}

/// How many places of a cause are kept.
const PLACES: usize = 3;

/// Lines read = kept + dropped + bad.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Objects read.
    pub objects: u64,
    /// Lines in them.
    pub lines_read: u64,
    /// Lines that count as bought.
    pub kept: u64,
    /// Of the kept, lines that repeat a (customer, day, product) of another one; harmless.
    pub repeated: u64,
    /// Dropped: returns and voids, with a quantity of 0 or less.
    pub returned: u64,
    /// Dropped: products on the exclusion list.
    pub excluded: u64,
    /// Dropped: after the as-of date.
    pub after_as_of: u64,
    /// Dropped: bad lines by cause.
    pub bad: Vec<Bad>,
}

impl Report {
    /// How many lines are bad.
    #[must_use]
    pub fn bad_lines(&self) -> u64 {
        self.bad.iter().map(|bad| bad.lines).sum()
    }

    /// Counts a bad line; `place` is asked for only while places are kept.
    pub(super) fn count(&mut self, cause: Cause, place: impl FnOnce() -> String) {
        let at = match self.bad.iter().position(|bad| bad.cause == cause) {
            Some(at) => at,
            None => {
                self.bad.push(Bad { cause, lines: 0, first: vec![] });
                self.bad.sort_by_key(|bad| Cause::ALL.iter().position(|cause| *cause == bad.cause));
                self.bad.iter().position(|bad| bad.cause == cause).unwrap_or(0)
            }
        };
        if let Some(bad) = self.bad.get_mut(at) {
            bad.lines += 1;
            if bad.first.len() < PLACES {
                bad.first.push(place());
            }
        }
    }

    /// Every cause with its count and first places, and what to do: the text of an error.
    #[must_use]
    pub fn causes(&self) -> String {
        let causes: Vec<String> =
            self.bad.iter().map(|bad| format!("\n  {} × {}, first {}", bad.lines, bad.cause.words(), bad.first.join("; "))).collect();
        causes.concat()
    }

    /// A hint on the most frequent cause.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        self.bad.iter().max_by_key(|bad| bad.lines).map_or("", |bad| bad.cause.hint())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lines read = {} kept", self.lines_read, self.kept)?;
        for (count, words) in [(self.returned, "returned"), (self.excluded, "excluded"), (self.after_as_of, "after the as-of date")] {
            if count > 0 {
                write!(f, " + {count} {words}")?;
            }
        }
        for bad in &self.bad {
            write!(f, " + {} with {}", bad.lines, bad.cause.words())?;
        }
        if self.repeated > 0 {
            write!(f, " ({} of the kept repeat another)", self.repeated)?;
        }
        Ok(())
    }
}
