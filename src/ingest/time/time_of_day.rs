//! A column of the time of day beside a column of the date.

use super::clock_time::{ClockTime, ClockZone, clock_time};
use super::order::UncertainClock;
use super::scanner::Scanner;
use super::{
    MICROSECONDS_PER_DAY, MICROSECONDS_PER_MINUTE, MICROSECONDS_PER_SECOND, ParsedTime, midnight,
    number,
};
use crate::ingest::ids::is_null;

/// A time of day as a file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::ingest) enum TimeOfDay {
    /// None.
    Null,
    /// A time of day.
    Clock(ClockTime),
    /// A number of up to four digits: hours, or hours and minutes.
    Number(u16),
    /// In no known form.
    Unreadable,
}

/// What whole numbers are in a column of times of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum NumberedTime {
    /// `9` is nine o'clock.
    Hours,
    /// `9` is nine minutes past midnight, as `952` is eight minutes to ten.
    HoursAndMinutes,
}

impl NumberedTime {
    /// Whether a number could only be hours and minutes.
    pub(in crate::ingest) fn is_certain(number: u16) -> bool {
        number >= 24
    }

    /// The time of a number on a day, given in days since 1970-01-01.
    pub(in crate::ingest) fn on(self, day: i32, number: u16) -> ParsedTime {
        let (hour, minute) = match self {
            NumberedTime::Hours => (number, 0),
            NumberedTime::HoursAndMinutes => (number / 100, number % 100),
        };
        if hour > 23 || minute > 59 {
            return ParsedTime::Unreadable;
        }
        let minutes = i64::from(hour) * 60 + i64::from(minute);
        ParsedTime::Naive(midnight(day).saturating_add(minutes * MICROSECONDS_PER_MINUTE))
    }
}

impl TimeOfDay {
    /// Reads text: `9:52`, `09:52:11`, `9:52 PM`, `0952`, `952`, `095211`, `9`.
    pub(in crate::ingest) fn of(text: &str) -> Self {
        let text = text.trim_ascii();
        if is_null(text) {
            return TimeOfDay::Null;
        }
        // pandas writes whole numbers beside nulls as floats.
        let digits = text.strip_suffix(".0").unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Self::of_digits(digits.as_bytes());
        }
        if let Ok(fraction) = text.parse::<f64>()
            && (0.0..1.0).contains(&fraction)
        {
            return Self::of_float(fraction);
        }
        clock_time(&mut Scanner::new(text.as_bytes()))
            .map_or(TimeOfDay::Unreadable, TimeOfDay::Clock)
    }

    fn of_digits(digits: &[u8]) -> Self {
        let Some(value) = number(digits) else {
            return TimeOfDay::Unreadable;
        };
        match (digits.len(), digits.first()) {
            // `0009` is nine past midnight, where `9` could be nine o'clock.
            (4, Some(b'0')) => Self::of_parts(value / 100, value % 100, 0),
            (1..=4, _) => u16::try_from(value).map_or(TimeOfDay::Unreadable, TimeOfDay::Number),
            (5 | 6, _) => Self::of_parts(value / 10_000, value / 100 % 100, value % 100),
            _ => TimeOfDay::Unreadable,
        }
    }

    fn of_parts(hour: u32, minute: u32, second: u32) -> Self {
        if hour > 23 || minute > 59 || second > 59 {
            return TimeOfDay::Unreadable;
        }
        let seconds = i64::from(hour * 3_600 + minute * 60 + second);
        Self::since_midnight(seconds * MICROSECONDS_PER_SECOND)
    }

    /// Microseconds since midnight, as columns of times of day have them.
    pub(in crate::ingest) fn since_midnight(microseconds: i64) -> Self {
        if !(0..MICROSECONDS_PER_DAY).contains(&microseconds) {
            return TimeOfDay::Unreadable;
        }
        TimeOfDay::Clock(ClockTime {
            microseconds,
            zone: ClockZone::Unsaid,
        })
    }

    /// A whole number: `952`, `9`.
    pub(in crate::ingest) fn of_integer(number: i64) -> Self {
        if number < 0 {
            return TimeOfDay::Unreadable;
        }
        Self::of_digits(number.to_string().as_bytes())
    }

    /// A number: a fraction of the day as spreadsheets have it, or as a whole number.
    pub(in crate::ingest) fn of_float(number: f64) -> Self {
        if number.is_nan() {
            TimeOfDay::Null
        } else if number > 0.0 && number < 1.0 {
            let seconds = (number * 86_400.0).round() as i64;
            Self::since_midnight(seconds.min(86_399) * MICROSECONDS_PER_SECOND)
        } else if number.fract() == 0.0 && number.abs() < 1e6 {
            Self::of_integer(number as i64)
        } else {
            TimeOfDay::Unreadable
        }
    }

    /// The time of day of a time, as databases without a type for it have it (`1900-01-01 09:52`).
    pub(in crate::ingest) fn of_time(time: ParsedTime) -> Self {
        match time {
            ParsedTime::Null => TimeOfDay::Null,
            ParsedTime::Naive(time) | ParsedTime::Instant(time) => {
                Self::since_midnight(time.rem_euclid(MICROSECONDS_PER_DAY))
            }
            _ => TimeOfDay::Unreadable,
        }
    }
}

impl ParsedTime {
    /// A date with the time of day that stands in another column. A time of day that is missing
    /// changes nothing.
    pub(in crate::ingest) fn with_time_of_day(date: ParsedTime, time_of_day: TimeOfDay) -> Self {
        match (date, time_of_day) {
            (ParsedTime::Null, _) => ParsedTime::Null,
            (date, TimeOfDay::Null) => date,
            (_, TimeOfDay::Unreadable) => ParsedTime::Unreadable,
            (ParsedTime::Date(day), TimeOfDay::Clock(clock)) => clock.on(day),
            (ParsedTime::Date(day), TimeOfDay::Number(number)) => {
                ParsedTime::NumberedTime(day, number)
            }
            (ParsedTime::Uncertain(date), time_of_day) if !date.has_clock() => time_of_day
                .uncertain_clock()
                .map_or(ParsedTime::Unreadable, |clock| {
                    ParsedTime::Uncertain(date.with_clock(clock))
                }),
            // A date that was written as a timestamp.
            (ParsedTime::Naive(time), time_of_day) => {
                let day = i32::try_from(time.div_euclid(MICROSECONDS_PER_DAY));
                day.map_or(ParsedTime::Unreadable, |day| {
                    Self::with_time_of_day(ParsedTime::Date(day), time_of_day)
                })
            }
            (ParsedTime::Instant(time) | ParsedTime::Offset(time, _), time_of_day) => {
                with_midnight(time, time_of_day)
            }
            _ => ParsedTime::Unreadable,
        }
    }
}

/// The time of day after an instant that is a date: a midnight in UTC, or in the store's zone.
fn with_midnight(midnight: i64, time_of_day: TimeOfDay) -> ParsedTime {
    if midnight % MICROSECONDS_PER_DAY == 0 {
        return ParsedTime::with_time_of_day(ParsedTime::Naive(midnight), time_of_day);
    }
    match time_of_day {
        TimeOfDay::Clock(ClockTime {
            microseconds,
            zone: ClockZone::Unsaid,
        }) => midnight
            .checked_add(microseconds)
            .map_or(ParsedTime::Unreadable, ParsedTime::Instant),
        _ => ParsedTime::Unreadable,
    }
}

impl TimeOfDay {
    /// As it stands beside a date whose order is not known.
    fn uncertain_clock(self) -> Option<UncertainClock> {
        match self {
            TimeOfDay::Null => Some(UncertainClock::Absent),
            TimeOfDay::Number(number) => Some(UncertainClock::Number(number)),
            TimeOfDay::Clock(clock) => super::forms::uncertain_clock(clock),
            TimeOfDay::Unreadable => None,
        }
    }
}
