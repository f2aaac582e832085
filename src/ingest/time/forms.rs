//! Dates and times in the forms that people's exports have, beside those of `iso`: names of months,
//! halves of the day, zones by name, and dates whose order is not certain.

use super::clock_time::{self, ClockTime, ClockZone};
use super::iso::day;
use super::numbers;
use super::order::{UncertainClock, UncertainDate};
use super::scanner::Scanner;
use super::{ParsedTime, number};

/// Reads all of a text that is no null.
pub(super) fn parse(text: &str) -> ParsedTime {
    numbers::parse(text)
        .or_else(|| date_and_time(text.as_bytes()))
        .unwrap_or(ParsedTime::Unreadable)
}

/// A date as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WrittenDate {
    /// Days since 1970-01-01.
    Certain(i32),
    /// Three numbers whose order is not certain.
    Uncertain([u16; 3]),
    /// A month and a day; the year stands at the end of the text.
    WithoutYear(u32, u32),
}

fn date_and_time(text: &[u8]) -> Option<ParsedTime> {
    let mut text = Scanner::new(text);
    weekday(&mut text);
    let date = date(&mut text)?;
    let clock = clock(&mut text)?;
    text.blanks();
    match date {
        WrittenDate::WithoutYear(month, day_of_month) => {
            let year = text.number_of(4..=4)?;
            let date = day(year, month, day_of_month)?.epoch();
            text.is_at_end()
                .then(|| clock.map_or(ParsedTime::Date(date), |clock| clock.on(date)))
        }
        _ if !text.is_at_end() => None,
        WrittenDate::Certain(date) => {
            Some(clock.map_or(ParsedTime::Date(date), |clock| clock.on(date)))
        }
        WrittenDate::Uncertain(numbers) => {
            let clock = clock.map_or(Some(UncertainClock::Absent), uncertain_clock)?;
            UncertainDate::new(numbers, clock).map(ParsedTime::Uncertain)
        }
    }
}

/// The clock beside a date whose order is not certain. None if it needs the date to be read.
pub(super) fn uncertain_clock(clock: ClockTime) -> Option<UncertainClock> {
    let seconds = i32::try_from(clock.microseconds / super::MICROSECONDS_PER_SECOND).ok()?;
    match clock.zone {
        ClockZone::Unsaid => Some(UncertainClock::Local(seconds)),
        ClockZone::Offset(east) => Some(UncertainClock::Utc(seconds - i32::try_from(east).ok()?)),
        ClockZone::Named(_) => None,
    }
}

/// Skips the name of a weekday.
fn weekday(text: &mut Scanner<'_>) {
    let mut ahead = *text;
    let name = ahead.word();
    if is_one_of(name, &WEEKDAYS).is_some() {
        ahead.eat(b'.');
        ahead.eat(b',');
        ahead.blanks();
        *text = ahead;
    }
}

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// The months in English, in lower case.
pub(in crate::ingest) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// The position of a name that is written out, or shortened to three letters or four.
fn is_one_of(name: &[u8], names: &[&str]) -> Option<usize> {
    let is_short = matches!(name.len(), 3 | 4);
    names.iter().position(|known| {
        let known = known.as_bytes();
        known.eq_ignore_ascii_case(name)
            || is_short
                && known
                    .get(..name.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(name))
    })
}

/// The number of the month whose name comes next.
fn month(text: &mut Scanner<'_>) -> Option<u32> {
    let mut ahead = *text;
    let month = is_one_of(ahead.word(), &MONTHS)?;
    ahead.eat(b'.');
    *text = ahead;
    u32::try_from(month + 1).ok()
}

fn date(text: &mut Scanner<'_>) -> Option<WrittenDate> {
    if text.peek()?.is_ascii_alphabetic() {
        return month_first(text);
    }
    let first = text.digits()?;
    match first.len() {
        8 => {
            let (year, rest) = first.split_at_checked(4)?;
            let (month, day_of_month) = rest.split_at_checked(2)?;
            certain(number(year)?, number(month)?, number(day_of_month)?)
        }
        4 => year_first(text, number(first)?),
        1 | 2 => day_or_month_first(text, number(first)?),
        _ => None,
    }
}

fn certain(year: u32, month: u32, day_of_month: u32) -> Option<WrittenDate> {
    Some(WrittenDate::Certain(
        day(year, month, day_of_month)?.epoch(),
    ))
}

/// `2024-03-01`, `2024-Mar-01`, `2024 March 1`.
fn year_first(text: &mut Scanner<'_>, year: u32) -> Option<WrittenDate> {
    let separator = separator(text)?;
    let month = match month(text) {
        Some(month) => month,
        None if separator == b' ' => return None,
        None => text.number_of(1..=2)?,
    };
    if self::separator(text)? != separator {
        return None;
    }
    certain(year, month, text.number_of(1..=2)?)
}

/// `1/3/2024`, `1.3.24`, `01-MAR-24`, `1 March 2024`, `01Mar2024`, `1st Mar 2024`.
fn day_or_month_first(text: &mut Scanner<'_>, first: u32) -> Option<WrittenDate> {
    let mut ahead = *text;
    let is_ordinal = ordinal_ending(&mut ahead);
    let separator = separator(&mut ahead);
    if let Some(month) = month(&mut ahead) {
        ahead.eat(b',');
        self::separator(&mut ahead);
        ahead.eat(b'\'');
        let year = ahead.digits().filter(|year| matches!(year.len(), 2 | 4))?;
        *text = ahead;
        return certain(year_of(number(year)?, year.len()), month, first);
    }
    let separator = separator.filter(|separator| !is_ordinal && *separator != b' ')?;
    let second = ahead.number_of(1..=2)?;
    if self::separator(&mut ahead)? != separator {
        return None;
    }
    let third = ahead
        .digits()
        .filter(|third| matches!(third.len(), 1 | 2 | 4))?;
    *text = ahead;
    let numbers = [first, second, number(third)?];
    // A year of four digits is never one of two.
    if third.len() == 4 && numbers[2] < 100 {
        return None;
    }
    let mut parts = [0; 3];
    for (part, number) in parts.iter_mut().zip(numbers) {
        *part = u16::try_from(number).ok()?;
    }
    Some(WrittenDate::Uncertain(parts))
}

/// `Mar 1 2024`, `March 1, 2024`, `Mar-01-2024`, or `Mar 1` where the year comes last of all.
fn month_first(text: &mut Scanner<'_>) -> Option<WrittenDate> {
    let month = month(text)?;
    separator(text);
    let day_of_month = text.number_of(1..=2)?;
    ordinal_ending(text);
    let mut ahead = *text;
    ahead.eat(b',');
    separator(&mut ahead);
    match ahead.number_of(4..=4) {
        Some(year) => {
            *text = ahead;
            certain(year, month, day_of_month)
        }
        None => Some(WrittenDate::WithoutYear(month, day_of_month)),
    }
}

/// The year of two digits: 1990 to 2089.
pub(super) fn year_of(year: u32, digits: usize) -> u32 {
    match (digits, year) {
        (4, _) => year,
        (_, 90..) => 1_900 + year,
        _ => 2_000 + year,
    }
}

/// `st`, `nd`, `rd`, `th` after a day.
fn ordinal_ending(text: &mut Scanner<'_>) -> bool {
    let mut ahead = *text;
    let ending = ahead.word().to_ascii_lowercase();
    let is_ending = matches!(&ending[..], b"st" | b"nd" | b"rd" | b"th");
    if is_ending {
        *text = ahead;
    }
    is_ending
}

/// `-`, `/`, `.`, or blanks; blanks may follow the others.
fn separator(text: &mut Scanner<'_>) -> Option<u8> {
    let had_blanks = text.blanks();
    match text.peek() {
        Some(separator @ (b'-' | b'/' | b'.')) if !had_blanks => {
            text.advance();
            text.blanks();
            Some(separator)
        }
        _ => had_blanks.then_some(b' '),
    }
}

/// The time of day that follows a date, if one does; `Some(None)` if none does.
#[allow(clippy::option_option, reason = "the outer one is an error")]
fn clock(text: &mut Scanner<'_>) -> Option<Option<ClockTime>> {
    if text.is_at_end() {
        return Some(None);
    }
    text.eat(b',');
    let has_blanks = text.blanks();
    let has_mark = match text.peek() {
        Some(b'T' | b't' | b':') => true,
        // DB2: `2024-03-02-09.52.11`.
        Some(b'-') if !has_blanks => true,
        _ => false,
    };
    if has_mark {
        text.advance();
    } else if !has_blanks {
        return None;
    }
    text.blanks();
    let microseconds = clock_time::clock(text)?;
    let zone = clock_time::zone(text)?;
    Some(Some(ClockTime { microseconds, zone }))
}
