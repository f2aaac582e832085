//! Times that are written as a number: `20240301`, seconds since 1970, a spreadsheet's days.

use super::iso::day;
use super::{MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND, ParsedTime, number};
use crate::calendar::Day;
use crate::ingest::ids::is_digits;

/// Whole numbers up to here are exact as floats.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Days from the day 0 of spreadsheets (1899-12-30) to 1970-01-01.
const EXCEL_DAYS: i32 = 25_569;

/// What a number of a time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum NumberForm {
    /// Units since 1970-01-01T00:00Z, so many of them in a second.
    Epoch(i64),
    /// Days since 1899-12-30, as spreadsheets count them.
    Excel,
    /// Days since a date.
    DaysSince(Day),
}

/// A number as a file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::ingest) enum TimeNumber {
    Whole(i64),
    Fractional(f64),
}

impl NumberForm {
    /// The time of a number; `None` far outside of the calendar.
    pub(super) fn time(self, number: TimeNumber) -> Option<ParsedTime> {
        match (self, number) {
            (NumberForm::Epoch(in_second), TimeNumber::Whole(count)) => {
                let microseconds = if in_second > MICROSECONDS_PER_SECOND {
                    count.div_euclid(in_second / MICROSECONDS_PER_SECOND)
                } else {
                    count.checked_mul(MICROSECONDS_PER_SECOND / in_second)?
                };
                Some(ParsedTime::Instant(microseconds))
            }
            (NumberForm::Epoch(in_second), TimeNumber::Fractional(count)) => {
                // To the second, a float is exact enough.
                let seconds = to_whole((count / in_second as f64).floor())?;
                let microseconds = seconds.checked_mul(MICROSECONDS_PER_SECOND)?;
                Some(ParsedTime::Instant(microseconds))
            }
            (NumberForm::Excel, number) => days_since(-EXCEL_DAYS, number),
            (NumberForm::DaysSince(zero), number) => days_since(zero.epoch(), number),
        }
    }
}

/// Days, with a fraction that is the time of day to the second.
fn days_since(zero: i32, number: TimeNumber) -> Option<ParsedTime> {
    match number {
        TimeNumber::Whole(days) => {
            let days = i32::try_from(days).ok()?.checked_add(zero)?;
            Some(ParsedTime::Date(days))
        }
        TimeNumber::Fractional(days) => {
            let seconds = to_whole((days * 86_400.0).round())?;
            let since_zero = seconds.checked_mul(MICROSECONDS_PER_SECOND)?;
            let zero = i64::from(zero) * MICROSECONDS_PER_DAY;
            Some(ParsedTime::Naive(since_zero.checked_add(zero)?))
        }
    }
}

/// A whole float as an integer, if it is exact.
fn to_whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// Reads all of a text as a number, or as a date and time without separators.
pub(super) fn parse(text: &str) -> Option<ParsedTime> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits
        .split_once(['.', ','])
        .map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let is_number = is_digits(whole) && fraction.is_none_or(is_digits);
    if !is_number {
        return None;
    }
    // pandas writes whole numbers beside nulls as floats.
    match fraction.filter(|fraction| fraction.bytes().any(|digit| digit != b'0')) {
        None => {
            let whole = text.get(..text.len() - digits.len() + whole.len())?;
            Some(whole.parse().map_or(ParsedTime::Unreadable, of_integer))
        }
        Some(fraction) => {
            let sign = if text.starts_with('-') { "-" } else { "" };
            let number = format!("{sign}{whole}.{fraction}").parse().ok()?;
            Some(with_fraction(whole, fraction).unwrap_or(ParsedTime::Fractional(number)))
        }
    }
}

/// `20240301111415.123`.
fn with_fraction(whole: &str, fraction: &str) -> Option<ParsedTime> {
    let ParsedTime::Naive(time) = without_separators(whole.as_bytes())? else {
        return None;
    };
    let fraction = fraction.get(..6).unwrap_or(fraction);
    let scale = 10_i64.pow(6 - u32::try_from(fraction.len()).ok()?);
    (whole.len() == 14)
        .then(|| fraction.parse::<i64>().ok())?
        .map(|fraction| ParsedTime::Naive(time + fraction * scale))
}

/// A time that is a whole number.
pub(super) fn of_integer(number: i64) -> ParsedTime {
    // Only these have as many digits as a date.
    if (19_900_101..=20_991_231).contains(&number) || number >= 199_001_010_000 {
        let text = number.to_string();
        if let Some(time) = without_separators(text.as_bytes()) {
            return time;
        }
    }
    ParsedTime::Integer(number)
}

/// A time that is a number with or without a fraction.
pub(super) fn of_float(number: f64) -> ParsedTime {
    if number.is_nan() {
        return ParsedTime::Null;
    }
    to_whole(number).map_or(ParsedTime::Fractional(number), of_integer)
}

/// `yyyymmdd`, `yyyymmddhhmm`, `yyyymmddhhmmss` or the same with milliseconds, of the years that are
/// taken for real.
fn without_separators(digits: &[u8]) -> Option<ParsedTime> {
    if !matches!(digits.len(), 8 | 12 | 14 | 17) {
        return None;
    }
    let part = |from: usize, to: usize| number(digits.get(from..to)?);
    let date = day(part(0, 4)?, part(4, 6)?, part(6, 8)?)?;
    if !Day::PLAUSIBLE.contains(&date) {
        return None;
    }
    if digits.len() == 8 {
        return Some(ParsedTime::Date(date.epoch()));
    }
    let (hour, minute) = (part(8, 10)?, part(10, 12)?);
    let second = if digits.len() > 12 { part(12, 14)? } else { 0 };
    let milliseconds = if digits.len() > 14 { part(14, 17)? } else { 0 };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour * 3_600 + minute * 60 + second);
    let midnight = i64::from(date.epoch()) * MICROSECONDS_PER_DAY;
    Some(ParsedTime::Naive(
        midnight + seconds * MICROSECONDS_PER_SECOND + i64::from(milliseconds) * 1_000,
    ))
}
