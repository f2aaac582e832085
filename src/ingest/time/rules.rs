//! How the times of an input are read: what was set, and what its own evidence has decided.

use super::ParsedTime;
use super::evidence::DateDecision;
use super::format::TimeFormat;
use super::numbers::{NumberForm, TimeNumber};
use super::order::DateOrder;
use super::time_of_day::NumberedTime;
use crate::calendar::Day;
use crate::ingest::InputOptions;
use crate::ingest::ids::is_null;

/// What the whole input's evidence has decided of the form of its times. Nothing, until all of it
/// has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DecidedForms {
    /// In which order dates are written that could be in several.
    pub(in crate::ingest) dates: Option<DateDecision>,
    /// What numbers of one or two digits are in a column of times of day.
    pub(in crate::ingest) numbered_time: Option<NumberedTime>,
}

/// How the times of an input are read.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct TimeRules {
    format: Option<TimeFormat>,
    numbers: Option<NumberForm>,
    order: Option<DateOrder>,
    numbered_time: Option<NumberedTime>,
}

impl TimeRules {
    pub(in crate::ingest) fn new(options: &InputOptions) -> Self {
        let day_zero: Option<Day> = options.day_zero;
        let format = options.time_format.clone();
        let by_format = format.as_ref().and_then(TimeFormat::number_form);
        let order = match &format {
            Some(TimeFormat::Order(order)) => Some(*order),
            _ => options.decided.dates.as_ref().map(|dates| dates.order),
        };
        Self {
            numbers: by_format.or(day_zero.map(NumberForm::DaysSince)),
            format,
            order,
            numbered_time: options.decided.numbered_time,
        }
    }

    /// The order of dates that could be in several, if it is known.
    pub(in crate::ingest) fn order(&self) -> Option<DateOrder> {
        self.order
    }

    /// What numbers of one or two digits are as times of day, if it is known.
    pub(in crate::ingest) fn numbered_time(&self) -> Option<NumberedTime> {
        self.numbered_time
    }

    /// Reads text.
    #[inline]
    pub(in crate::ingest) fn text(&self, text: &str) -> ParsedTime {
        if self.format.is_none() && self.numbers.is_none() {
            return ParsedTime::of(text);
        }
        self.text_as_set(text)
    }

    /// As [`TimeRules::text`], of bytes that may not be UTF-8.
    #[inline]
    pub(in crate::ingest) fn bytes(&self, bytes: &[u8]) -> ParsedTime {
        std::str::from_utf8(bytes).map_or(ParsedTime::Unreadable, |text| self.text(text))
    }

    fn text_as_set(&self, text: &str) -> ParsedTime {
        match &self.format {
            Some(TimeFormat::Pattern(pattern)) => {
                let text = text.trim_ascii();
                if is_null(text) {
                    ParsedTime::Null
                } else {
                    pattern.parse(text)
                }
            }
            _ => self.settle(ParsedTime::of(text)),
        }
    }

    /// A whole number of a typed column.
    pub(in crate::ingest) fn integer(&self, number: i64) -> ParsedTime {
        match &self.format {
            Some(TimeFormat::Pattern(pattern)) => pattern.parse(&number.to_string()),
            _ => self.settle(ParsedTime::of_integer(number)),
        }
    }

    /// A number of a typed column.
    pub(in crate::ingest) fn float(&self, number: f64) -> ParsedTime {
        match &self.format {
            Some(TimeFormat::Pattern(_)) => match ParsedTime::of_float(number) {
                ParsedTime::Null => ParsedTime::Null,
                _ if number.fract() == 0.0 && number.abs() < 1e15 => self.integer(number as i64),
                _ => ParsedTime::Unreadable,
            },
            _ => self.settle(ParsedTime::of_float(number)),
        }
    }

    /// Makes a time of a number, and a date of one whose order is known.
    pub(in crate::ingest) fn settle(&self, time: ParsedTime) -> ParsedTime {
        let number = match time {
            ParsedTime::Integer(number) => TimeNumber::Whole(number),
            ParsedTime::Fractional(number) => TimeNumber::Fractional(number),
            ParsedTime::Uncertain(date) => {
                return self.order.map_or(time, |order| date.in_order(order));
            }
            ParsedTime::NumberedTime(day, number) => {
                let certain =
                    NumberedTime::is_certain(number).then_some(NumberedTime::HoursAndMinutes);
                return self
                    .numbered_time
                    .or(certain)
                    .map_or(time, |numbered| numbered.on(day, number));
            }
            other => return other,
        };
        match self.numbers {
            // A number that is no time by its setting lies outside of all days.
            Some(form) => form.time(number).unwrap_or(ParsedTime::Instant(i64::MAX)),
            None => time,
        }
    }
}
