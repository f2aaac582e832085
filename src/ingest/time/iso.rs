//! Dates that begin with the year, as nearly all exports write them: the short way for each line.

use chrono::NaiveDate;

use super::{MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND, ParsedTime};
use crate::calendar::Day;

/// Reads `YYYY-MM-DD` (or with `/` or `.`, or `YYYYMMDD`), alone or followed by `T` or a space,
/// `HH:MM[:SS[.fraction]]` and perhaps `Z`, `UTC` or an offset. `None` for all other forms.
#[inline]
pub(super) fn parse(text: &[u8]) -> Option<ParsedTime> {
    let (date, rest) = date(text)?;
    if rest.is_empty() {
        return Some(ParsedTime::Date(date.epoch()));
    }
    time_of_day(date, rest)
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
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + u32::from(digit - b'0'))
    })
}

/// A day of the calendar, if there is such a one.
pub(super) fn day(year: u32, month: u32, day: u32) -> Option<Day> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day).map(Day::from)
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
    let instant = naive - offset * MICROSECONDS_PER_SECOND;
    Some(ParsedTime::instant_of_clock(instant, naive))
}

/// Two digits below a limit, and what follows.
fn two_digits(text: &[u8], limit: u32) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    let value = number(digits)?;
    (value < limit).then_some((i64::from(value), rest))
}
