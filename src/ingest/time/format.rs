//! How times are written, where someone says it: `--time-format`.

use std::fmt;
use std::str::FromStr;

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime};

use super::clock_time::{ClockTime, ClockZone, zone};
use super::numbers::NumberForm;
use super::order::DateOrder;
use super::scanner::Scanner;
use super::{MICROSECONDS_PER_SECOND, ParsedTime};
use crate::calendar::Day;
use crate::error::{Error, Result};

/// The words of `--time-format`.
const WORDS: [(&str, TimeFormat); 8] = [
    ("day-first", TimeFormat::Order(DateOrder::DayFirst)),
    ("month-first", TimeFormat::Order(DateOrder::MonthFirst)),
    ("year-first", TimeFormat::Order(DateOrder::YearFirst)),
    ("epoch-s", TimeFormat::EpochSeconds),
    ("epoch-ms", TimeFormat::EpochMilliseconds),
    ("epoch-us", TimeFormat::EpochMicroseconds),
    ("epoch-ns", TimeFormat::EpochNanoseconds),
    ("excel", TimeFormat::Excel),
];

/// How times are written, where it is not certain.
#[derive(Debug, Clone, PartialEq)]
pub enum TimeFormat {
    /// Dates of three numbers are in this order.
    Order(DateOrder),
    /// Numbers are seconds since 1970-01-01T00:00Z.
    EpochSeconds,
    /// Numbers are milliseconds since 1970-01-01T00:00Z.
    EpochMilliseconds,
    /// Numbers are microseconds since 1970-01-01T00:00Z.
    EpochMicroseconds,
    /// Numbers are nanoseconds since 1970-01-01T00:00Z.
    EpochNanoseconds,
    /// Numbers are days since 1899-12-30, as spreadsheets with the date system of 1900 count them.
    Excel,
    /// Text is written so.
    Pattern(TimePattern),
}

impl TimeFormat {
    /// What numbers count, if they are times.
    pub(super) fn number_form(&self) -> Option<NumberForm> {
        match self {
            TimeFormat::EpochSeconds => Some(NumberForm::Epoch(1)),
            TimeFormat::EpochMilliseconds => Some(NumberForm::Epoch(1_000)),
            TimeFormat::EpochMicroseconds => Some(NumberForm::Epoch(1_000_000)),
            TimeFormat::EpochNanoseconds => Some(NumberForm::Epoch(1_000_000_000)),
            TimeFormat::Excel => Some(NumberForm::Excel),
            TimeFormat::Order(_) | TimeFormat::Pattern(_) => None,
        }
    }

    /// The formats of numbers, with their words.
    pub(super) fn of_numbers() -> impl Iterator<Item = (&'static str, NumberForm)> {
        WORDS
            .iter()
            .filter_map(|(word, format)| Some((*word, format.number_form()?)))
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeFormat::Pattern(pattern) => f.write_str(&pattern.text),
            word => {
                let known = WORDS.iter().find(|(_, format)| format == word);
                f.write_str(known.map_or("", |(word, _)| word))
            }
        }
    }
}

impl FromStr for TimeFormat {
    type Err = Error;

    /// One of the words, or a pattern that contains `%`.
    fn from_str(text: &str) -> Result<Self> {
        let word = text.trim();
        let known = WORDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word));
        match known {
            Some((_, format)) => Ok(format.clone()),
            None if word.contains('%') => TimePattern::new(word).map(TimeFormat::Pattern),
            None => Err(unknown(word)),
        }
    }
}

fn unknown(text: &str) -> Error {
    let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
    let error = Error::request(format!(
        "--time-format should be {}, or a pattern such as %d.%m.%Y, but is \"{text}\"",
        words.join(", ")
    ));
    match pattern_of_letters(text) {
        Some(pattern) => error.hint(format!("write {text} as {pattern}")),
        None => error.hint(
            "day-first reads 31/12/2024, month-first 12/31/2024; in a pattern %d is the day, %m the \
             month, %Y the year, %H:%M:%S the time of day",
        ),
    }
}

/// `dd.MM.yyyy HH:mm` as a pattern, if it is one of these.
fn pattern_of_letters(text: &str) -> Option<String> {
    const PARTS: [(&str, &str); 14] = [
        ("yyyy", "%Y"),
        ("YYYY", "%Y"),
        ("yy", "%y"),
        ("YY", "%y"),
        ("MMM", "%b"),
        ("mmm", "%b"),
        ("MM", "%m"),
        ("dd", "%d"),
        ("DD", "%d"),
        ("HH", "%H"),
        ("hh", "%H"),
        ("mm", "%m"),
        ("ss", "%S"),
        ("SS", "%S"),
    ];
    let mut pattern = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        match PARTS.iter().find(|(part, _)| rest.starts_with(part)) {
            // After the hour, `mm` are minutes.
            Some((part, meaning)) => {
                let is_minute = *meaning == "%m" && pattern.contains("%H");
                pattern.push_str(if is_minute { "%M" } else { meaning });
                rest = rest.get(part.len()..)?;
            }
            None if next.is_ascii_alphabetic() && next != 'T' => return None,
            None => {
                pattern.push(next);
                rest = rest.get(next.len_utf8()..)?;
            }
        }
    }
    (pattern.contains("%d") && TimePattern::new(&pattern).is_ok()).then_some(pattern)
}

/// A pattern of `strftime`, compiled.
#[derive(Debug, Clone, PartialEq)]
pub struct TimePattern {
    text: String,
    items: Vec<Item<'static>>,
    /// Whether the name of a zone follows at the end.
    has_zone_name: bool,
}

impl TimePattern {
    fn new(text: &str) -> Result<Self> {
        let without_zone = text.strip_suffix("%Z");
        let items = StrftimeItems::new(without_zone.unwrap_or(text).trim_end())
            .parse_to_owned()
            .map_err(|_| {
                Error::request(format!("--time-format \"{text}\" is no pattern that can be read"))
                    .hint("%d is the day, %m the month, %Y the year, %y the year of two digits, %b the name of the month, %H:%M:%S the time of day, %p AM or PM, %z the offset")
            })?;
        let pattern = Self {
            text: text.to_owned(),
            items,
            has_zone_name: without_zone.is_some(),
        };
        // chrono skips the names of zones.
        let skips_zone = without_zone.unwrap_or(text).contains("%Z");
        if !skips_zone && pattern.reads_its_own() {
            return Ok(pattern);
        }
        Err(
            Error::request(format!("--time-format \"{text}\" does not tell the day"))
                .hint("a pattern needs the day, the month and the year, such as %d.%m.%Y; the name of a zone (%Z) stands at its end"),
        )
    }

    /// Whether what is written in the pattern is read again, to the day.
    fn reads_its_own(&self) -> bool {
        let sample = NaiveDate::from_ymd_opt(2024, 3, 2)
            .zip(NaiveTime::from_hms_opt(21, 52, 13))
            .zip(FixedOffset::east_opt(0));
        let Some(((date, time), utc)) = sample else {
            return false;
        };
        let sample: DateTime<FixedOffset> =
            DateTime::from_naive_utc_and_offset(date.and_time(time), utc);
        let mut written = String::new();
        // Items that cannot be written are errors, and no panic.
        let shown = sample.format_with_items(self.items.iter());
        if std::fmt::Write::write_fmt(&mut written, format_args!("{shown}")).is_err() {
            return false;
        }
        if self.has_zone_name {
            written.push_str(" UTC");
        }
        let day = match self.parse(&written) {
            ParsedTime::Date(day) => Some(day),
            ParsedTime::Naive(time) | ParsedTime::Instant(time) => {
                i32::try_from(time.div_euclid(super::MICROSECONDS_PER_DAY)).ok()
            }
            _ => None,
        };
        day == Some(Day::from(date).epoch())
    }

    /// Reads all of a text.
    pub(super) fn parse(&self, text: &str) -> ParsedTime {
        self.read(text).unwrap_or(ParsedTime::Unreadable)
    }

    fn read(&self, text: &str) -> Option<ParsedTime> {
        let (text, zone) = if self.has_zone_name {
            let (text, name) = text.trim_end().rsplit_once(' ')?;
            let mut name = Scanner::new(name.as_bytes());
            let zone = zone(&mut name).filter(|_| name.is_at_end())?;
            (text.trim_end(), Some(zone))
        } else {
            (text, None)
        };
        let mut parsed = Parsed::new();
        parse(&mut parsed, text, self.items.iter()).ok()?;
        time_of(parsed, zone)
    }
}

/// The time that was parsed: a date if there is no time of day.
fn time_of(mut parsed: Parsed, zone: Option<ClockZone>) -> Option<ParsedTime> {
    if let Some(seconds) = parsed.timestamp() {
        return Some(ParsedTime::Instant(
            seconds.checked_mul(MICROSECONDS_PER_SECOND)?,
        ));
    }
    let date = Day::from(parsed.to_naive_date().ok()?).epoch();
    let has_hour = parsed.hour_mod_12().is_some();
    if !has_hour {
        return Some(ParsedTime::Date(date));
    }
    if parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    let time = parsed.to_naive_time().ok()?;
    let microseconds = time
        .signed_duration_since(NaiveTime::MIN)
        .num_microseconds()?;
    let zone = match (zone, parsed.offset()) {
        (Some(zone), _) => zone,
        (None, Some(east)) => ClockZone::Offset(i64::from(east)),
        (None, None) => ClockZone::Unsaid,
    };
    Some(ClockTime { microseconds, zone }.on(date))
}
