//! Times as files write them.

use chrono::{DateTime, NaiveDate};

use super::ids::is_null;
use super::rejects::RejectedValue;
use crate::calendar::Day;

pub(super) const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
pub(super) const MICROSECONDS_PER_HOUR: i64 = 3_600 * MICROSECONDS_PER_SECOND;
pub(super) const MICROSECONDS_PER_DAY: i64 = 24 * MICROSECONDS_PER_HOUR;

/// A time as a file has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ParsedTime {
    /// None.
    Null,
    /// A date without a time of day, in days since 1970-01-01.
    Date(i32),
    /// A time without a zone, in microseconds since a naive 1970-01-01T00:00.
    Naive(i64),
    /// A time with a zone, in microseconds since 1970-01-01T00:00Z.
    Instant(i64),
    /// Text in no known form.
    Unreadable,
    /// Text that could be day/month or month/day.
    Ambiguous,
}

impl ParsedTime {
    /// Reads text; [`crate::ingest`] documents the forms.
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim_ascii();
        let bytes = text.as_bytes();
        let Some((date, rest)) = date(bytes) else {
            return if is_null(text) {
                ParsedTime::Null
            } else if is_ambiguous(bytes) {
                ParsedTime::Ambiguous
            } else {
                ParsedTime::Unreadable
            };
        };
        if rest.is_empty() {
            return ParsedTime::Date(date.epoch());
        }
        time_of_day(date, rest).unwrap_or(ParsedTime::Unreadable)
    }

    /// As [`ParsedTime::of`], of bytes that may not be UTF-8.
    #[inline]
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        std::str::from_utf8(bytes).map_or(ParsedTime::Unreadable, ParsedTime::of)
    }

    /// The time as a message shows it, where it was no text.
    pub(super) fn rejected(self) -> RejectedValue {
        match self {
            ParsedTime::Date(days) => RejectedValue::Literal(Day::from_epoch(days).to_string()),
            ParsedTime::Naive(microseconds) | ParsedTime::Instant(microseconds) => {
                let time = DateTime::from_timestamp_micros(microseconds);
                RejectedValue::Literal(time.map_or_else(
                    || microseconds.to_string(),
                    |time| time.naive_utc().to_string(),
                ))
            }
            ParsedTime::Null | ParsedTime::Unreadable | ParsedTime::Ambiguous => {
                RejectedValue::null()
            }
        }
    }
}

/// The date at the start, and what follows.
fn date(text: &[u8]) -> Option<(Day, &[u8])> {
    if let Some((compact, rest)) = text.split_first_chunk::<8>()
        && compact.iter().all(u8::is_ascii_digit)
        && !rest.first().is_some_and(u8::is_ascii_digit)
    {
        return Some((
            day(
                number(&compact[..4])?,
                number(&compact[4..6])?,
                number(&compact[6..])?,
            )?,
            rest,
        ));
    }
    let ([year, month, day_of_month], rest) = three_numbers(text)?;
    // Only with the year first is the order certain.
    if year.len() != 4 || month.len() > 2 || day_of_month.len() > 2 {
        return None;
    }
    let date = day(number(year)?, number(month)?, number(day_of_month)?)?;
    Some((date, rest))
}

/// Three numbers at the start, with the same separator twice between them, and what follows.
fn three_numbers(text: &[u8]) -> Option<([&[u8]; 3], &[u8])> {
    let (first, rest) = digits(text)?;
    let (separator, rest) = rest.split_first()?;
    let (second, rest) = digits(rest)?;
    let (again, rest) = rest.split_first()?;
    let (third, rest) = digits(rest)?;
    let is_date = separator == again && matches!(separator, b'-' | b'/' | b'.');
    is_date.then_some(([first, second, third], rest))
}

/// The digits at the start, one or more, and what follows.
fn digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if len == 0 {
        None
    } else {
        text.split_at_checked(len)
    }
}

/// At most nine digits as a number.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + u32::from(digit - b'0'))
    })
}

fn day(year: u32, month: u32, day: u32) -> Option<Day> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).map(Day::from)
}

/// Whether text begins like `3/4/2017`, `03-04-17`, whatever its order.
fn is_ambiguous(text: &[u8]) -> bool {
    three_numbers(text).is_some_and(|([first, second, third], _)| {
        first.len() <= 2 && second.len() <= 2 && third.len() <= 4
    })
}

/// `T` or a space, `HH:MM[:SS[.fraction]]`, and perhaps a zone; all of the text.
fn time_of_day(date: Day, text: &[u8]) -> Option<ParsedTime> {
    let (b'T' | b't' | b' ', rest) = text.split_first()? else {
        return None;
    };
    let (hour, rest) = two_digits(rest, 24)?;
    let rest = rest.strip_prefix(b":")?;
    let (minute, mut rest) = two_digits(rest, 60)?;
    let mut seconds = hour * 3_600 + minute * 60;
    let mut microseconds = 0;
    if let Some(after) = rest.strip_prefix(b":") {
        let (second, after) = two_digits(after, 60)?;
        seconds += second;
        rest = after;
        if let [b'.' | b',', after @ ..] = after {
            let (fraction, after) = digits(after)?;
            let micro = fraction.get(..6).unwrap_or(fraction);
            microseconds = i64::from(number(micro)?) * 10_i64.pow(6 - micro.len() as u32);
            rest = after;
        }
    }
    let naive = i64::from(date.epoch()) * MICROSECONDS_PER_DAY
        + seconds * MICROSECONDS_PER_SECOND
        + microseconds;
    let offset = match rest.trim_ascii_start() {
        b"" => return Some(ParsedTime::Naive(naive)),
        b"Z" | b"z" | b"UTC" | b"GMT" => 0,
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let (hours, offset) = two_digits(offset, 24)?;
            let minutes = match offset.strip_prefix(b":").unwrap_or(offset) {
                b"" => 0,
                minutes => {
                    two_digits(minutes, 60)
                        .filter(|(_, rest)| rest.is_empty())?
                        .0
                }
            };
            let seconds = hours * 3_600 + minutes * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    Some(ParsedTime::Instant(
        naive - offset * MICROSECONDS_PER_SECOND,
    ))
}

/// Two digits below a limit, and what follows.
fn two_digits(text: &[u8], limit: u32) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    let value = number(digits)?;
    (value < limit).then_some((i64::from(value), rest))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;
    use proptest::prelude::*;

    use super::*;

    fn micros(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
            .unwrap()
            .and_utc()
            .timestamp_micros()
    }

    #[test]
    fn dates_are_read_in_their_unambiguous_forms() {
        let date = ParsedTime::Date("2017-10-05".parse::<Day>().unwrap().epoch());
        for text in [
            "2017-10-05",
            "2017/10/05",
            "2017.10.05",
            "20171005",
            "2017-10-5",
            " 2017-10-05 ",
        ] {
            assert_eq!(ParsedTime::of(text), date, "{text}");
        }
    }

    #[test]
    fn times_are_read_in_their_forms() {
        let naive = micros("2017-10-31T23:05:09");
        for text in [
            "2017-10-31 23:05:09",
            "2017-10-31T23:05:09",
            "2017/10/31 23:05:09.000",
            "20171031T23:05:09",
        ] {
            assert_eq!(ParsedTime::of(text), ParsedTime::Naive(naive), "{text}");
        }
        assert_eq!(
            ParsedTime::of("2017-10-31 23:05"),
            ParsedTime::Naive(micros("2017-10-31T23:05:00"))
        );
        assert_eq!(
            ParsedTime::of("2017-10-31 23:05:09.5"),
            ParsedTime::Naive(naive + 500_000)
        );
        assert_eq!(
            ParsedTime::of("2017-10-31 23:05:09,123456789"),
            ParsedTime::Naive(naive + 123_456)
        );
        for text in [
            "2017-10-31T23:05:09Z",
            "2017-10-31 23:05:09 UTC",
            "2017-10-31 23:05:09+00",
            "2017-10-31T23:05:09-00:00",
        ] {
            assert_eq!(ParsedTime::of(text), ParsedTime::Instant(naive), "{text}");
        }
        for text in [
            "2017-11-01T00:05:09+01:00",
            "2017-11-01 00:05:09 +0100",
            "2017-10-31 17:35:09.0-05:30",
        ] {
            assert_eq!(ParsedTime::of(text), ParsedTime::Instant(naive), "{text}");
        }
    }

    #[test]
    fn what_is_uncertain_is_not_guessed() {
        for text in [
            "03/04/2017",
            "31/10/2017",
            "3-4-2017",
            "03.04.2017",
            "03/04/17",
            "3.4.17",
            "10/31/2017 23:05",
        ] {
            assert_eq!(ParsedTime::of(text), ParsedTime::Ambiguous, "{text}");
        }
        for text in [
            "2017-02-30",
            "2017-13-01",
            "2017-10",
            "1509408000",
            "1509408000000",
            "2017-10-31 11:05 PM",
            "2017-10-31 24:00",
            "2017-10-31 23:60",
            "2017-10-31T",
            "2017-10-31Z",
            "2017-10-31 23:05:09+1",
            "2017-10-31 23:05:09+01:00x",
            "2017-10-31 23:05:09 Europe/Berlin",
            "2017-10/31",
            "Tue Oct 31 2017",
            "yesterday",
            "２０１７-10-31",
        ] {
            assert_eq!(ParsedTime::of(text), ParsedTime::Unreadable, "{text}");
        }
        for text in ["", " ", "NULL", "NaN", "\\N"] {
            assert_eq!(ParsedTime::of(text), ParsedTime::Null, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_chrono_prints_is_read(seconds in 631_152_000_i64..4_102_444_800, micro in 0_i64..1_000_000, offset in -14 * 4..=14 * 4) {
            let zone = chrono::FixedOffset::east_opt(offset * 900).unwrap();
            let instant = seconds * MICROSECONDS_PER_SECOND + micro;
            let time = DateTime::from_timestamp_micros(instant).unwrap().with_timezone(&zone);
            prop_assert_eq!(ParsedTime::of(&time.format("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()), ParsedTime::Instant(instant));
            prop_assert_eq!(ParsedTime::of(&time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
                ParsedTime::Naive(time.naive_local().and_utc().timestamp_micros()));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}|[0-9:./TZ+ -]{0,30}") {
            ParsedTime::of(&text);
        }
    }
}
