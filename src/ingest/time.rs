//! Times as files write them.
//!
//! A value that can be read in one way only becomes a date, a naive time or an instant at once. One
//! that cannot (`03/04/2024`, `45353`) stays as it was written until [`TimeRules`] say what it is:
//! a setting, or the evidence of the whole input.

mod clock_time;
mod evidence;
mod forms;
mod format;
pub(super) mod hints;
mod iso;
mod numbers;
mod order;
mod rules;
mod scanner;
#[cfg(test)]
mod tests;
mod time_of_day;
mod zone_names;

use chrono::DateTime;

use super::ids::is_null;
use super::rejects::RejectedValue;
use crate::calendar::Day;
pub(super) use evidence::TimeEvidence;
pub use evidence::{DateDecision, OrderRuledOut};
pub use format::{TimeFormat, TimePattern};
pub(super) use forms::MONTHS;
pub use order::DateOrder;
pub(super) use order::UncertainDate;
pub use rules::DecidedForms;
pub(super) use rules::TimeRules;
pub(super) use time_of_day::TimeOfDay;

pub(super) const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
pub(super) const MICROSECONDS_PER_MINUTE: i64 = 60 * MICROSECONDS_PER_SECOND;
pub(super) const MICROSECONDS_PER_HOUR: i64 = 3_600 * MICROSECONDS_PER_SECOND;
pub(super) const MICROSECONDS_PER_DAY: i64 = 24 * MICROSECONDS_PER_HOUR;

/// A time as a file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ParsedTime {
    /// None.
    Null,
    /// A date without a time of day, in days since 1970-01-01.
    Date(i32),
    /// A time without a zone, in microseconds since a naive 1970-01-01T00:00.
    Naive(i64),
    /// A time with a zone, in microseconds since 1970-01-01T00:00Z.
    Instant(i64),
    /// The same, with how many minutes the clock that showed it was ahead of UTC; not 0.
    Offset(i64, i16),
    /// A date whose order is not certain.
    Uncertain(UncertainDate),
    /// A date, in days since 1970-01-01, with a number that is hours, or hours and minutes.
    NumberedTime(i32, u16),
    /// A number that only a setting makes a time of.
    Integer(i64),
    /// As `Integer`, with a fraction.
    Fractional(f64),
    /// Text in no known form.
    Unreadable,
}

impl ParsedTime {
    /// Reads text; [`crate::ingest`] documents the forms.
    #[inline]
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim_ascii();
        match iso::parse(text.as_bytes()) {
            Some(time) => time,
            None => Self::of_other_form(text),
        }
    }

    #[cold]
    fn of_other_form(text: &str) -> Self {
        if is_null(text) {
            ParsedTime::Null
        } else {
            forms::parse(text)
        }
    }

    /// A whole number, as typed columns have it.
    pub(super) fn of_integer(number: i64) -> Self {
        numbers::of_integer(number)
    }

    /// A number with or without a fraction, as typed columns have it.
    pub(super) fn of_float(number: f64) -> Self {
        numbers::of_float(number)
    }

    /// An instant at which a clock showed a time, both in microseconds since 1970-01-01.
    fn instant_of_clock(instant: i64, shown: i64) -> Self {
        match i16::try_from((shown - instant) / MICROSECONDS_PER_MINUTE) {
            Ok(0) | Err(_) => ParsedTime::Instant(instant),
            Ok(ahead) => ParsedTime::Offset(instant, ahead),
        }
    }

    /// The time as a message shows it, where it was no text.
    pub(super) fn rejected(self) -> RejectedValue {
        match self {
            ParsedTime::Date(days) | ParsedTime::NumberedTime(days, _) => {
                RejectedValue::Literal(Day::from_epoch(days).to_string())
            }
            ParsedTime::Naive(microseconds)
            | ParsedTime::Instant(microseconds)
            | ParsedTime::Offset(microseconds, _) => {
                let time = DateTime::from_timestamp_micros(microseconds);
                RejectedValue::Literal(time.map_or_else(
                    || microseconds.to_string(),
                    |time| time.naive_utc().to_string(),
                ))
            }
            ParsedTime::Integer(number) => RejectedValue::Literal(number.to_string()),
            ParsedTime::Fractional(number) => RejectedValue::Literal(number.to_string()),
            ParsedTime::Null | ParsedTime::Unreadable | ParsedTime::Uncertain(_) => {
                RejectedValue::null()
            }
        }
    }
}

/// Microseconds from 1970-01-01 to the beginning of a day. The ends of the calendar are far beyond all
/// plausible days.
fn midnight(day: i32) -> i64 {
    i64::from(day).saturating_mul(MICROSECONDS_PER_DAY)
}

/// At most nine digits as a number.
fn number(digits: &[u8]) -> Option<u32> {
    iso::number(digits)
}
