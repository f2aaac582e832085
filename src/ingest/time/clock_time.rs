//! Times of day: what stands after a date, or in a column of its own.

use chrono::{NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::scanner::Scanner;
use super::zone_names::{ZoneName, zone_name};
use super::{MICROSECONDS_PER_SECOND, ParsedTime, midnight};

const SECONDS_PER_HOUR: i64 = 3_600;

/// A time of day, with the zone if one stands beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::ingest) struct ClockTime {
    /// Microseconds since midnight.
    pub(super) microseconds: i64,
    pub(super) zone: ClockZone,
}

/// In which zone a clock goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::ingest) enum ClockZone {
    /// None is said.
    Unsaid,
    /// So many seconds east of UTC.
    Offset(i64),
    Named(Tz),
}

impl ClockTime {
    /// The time on a day, given in days since 1970-01-01.
    pub(super) fn on(self, day: i32) -> ParsedTime {
        let naive = midnight(day).saturating_add(self.microseconds);
        match self.zone {
            ClockZone::Unsaid => ParsedTime::Naive(naive),
            ClockZone::Offset(east) => {
                let instant = naive.saturating_sub(east * MICROSECONDS_PER_SECOND);
                ParsedTime::instant_of_clock(instant, naive)
            }
            ClockZone::Named(zone) => instant_in(zone, naive)
                .map_or(ParsedTime::Unreadable, |instant| {
                    ParsedTime::instant_of_clock(instant, naive)
                }),
        }
    }
}

/// The instant at which clocks of a zone show a time. Of two, the first; a time that clocks skip is
/// read as if they had not been put forward yet.
fn instant_in(zone: Tz, naive: i64) -> Option<i64> {
    let local: NaiveDateTime = chrono::DateTime::from_timestamp_micros(naive)?.naive_utc();
    let found = zone.from_local_datetime(&local).earliest();
    let instant = match found {
        Some(time) => time,
        None => {
            let before = local.checked_sub_signed(TimeDelta::hours(1))?;
            let time = zone.from_local_datetime(&before).earliest()?;
            time.checked_add_signed(TimeDelta::hours(1))?
        }
    };
    Some(instant.timestamp_micros())
}

/// `9:52`, `09:52:11.5`, `9:52 PM`, `9 pm`, `09.52.11`, `0952`, `095211`, and perhaps a zone; to the
/// end of the text.
pub(super) fn clock_time(text: &mut Scanner<'_>) -> Option<ClockTime> {
    let microseconds = clock(text)?;
    let zone = zone(text)?;
    text.is_at_end().then_some(ClockTime { microseconds, zone })
}

/// A time of day without a zone; what follows is left.
pub(super) fn clock(text: &mut Scanner<'_>) -> Option<i64> {
    let first = text.digits()?;
    let (seconds, fraction) = match (first.len(), text.peek()) {
        (1 | 2, Some(separator @ (b':' | b'.'))) => {
            text.advance();
            // `9:5` is five past nine; `9.5` is no time of day.
            let least = if separator == b':' { 1 } else { 2 };
            let minute = text.number_of(least..=2)?;
            let has_seconds = text.eat(separator);
            let second = if has_seconds {
                text.number_of(1..=2)?
            } else {
                0
            };
            let fraction = if has_seconds { text.fraction()? } else { 0 };
            (
                clock_seconds(super::number(first)?, minute, second)?,
                fraction,
            )
        }
        (4, _) => {
            let (hour, minute) = first.split_at_checked(2)?;
            (
                clock_seconds(super::number(hour)?, super::number(minute)?, 0)?,
                0,
            )
        }
        (6, _) => {
            let (hour, rest) = first.split_at_checked(2)?;
            let (minute, second) = rest.split_at_checked(2)?;
            let seconds = clock_seconds(
                super::number(hour)?,
                super::number(minute)?,
                super::number(second)?,
            )?;
            (seconds, text.fraction()?)
        }
        // `9 PM`: the hour alone is read only with its half of the day.
        (1 | 2, _) => {
            let seconds = clock_seconds(super::number(first)?, 0, 0)?;
            let mut ahead = *text;
            half_of_day(&mut ahead)?;
            (seconds, 0)
        }
        _ => return None,
    };
    let seconds = match half_of_day(text) {
        None => seconds,
        Some(half) => in_half_of_day(seconds, half)?,
    };
    Some(seconds * MICROSECONDS_PER_SECOND + fraction)
}

fn clock_seconds(hour: u32, minute: u32, second: u32) -> Option<i64> {
    let is_time = hour < 24 && minute < 60 && second < 60;
    is_time.then(|| i64::from(hour) * SECONDS_PER_HOUR + i64::from(minute * 60 + second))
}

/// The half of a day: before or after noon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HalfOfDay {
    Morning,
    Afternoon,
}

/// `AM`, `pm`, `a.m.`, `P`, with or without a blank before it.
fn half_of_day(text: &mut Scanner<'_>) -> Option<HalfOfDay> {
    let mut ahead = *text;
    ahead.blanks();
    let half = match ahead.peek()?.to_ascii_lowercase() {
        b'a' => HalfOfDay::Morning,
        b'p' => HalfOfDay::Afternoon,
        _ => return None,
    };
    ahead.advance();
    let has_dot = ahead.eat(b'.');
    let has_m = ahead.eat(b'm') || ahead.eat(b'M');
    if has_dot && has_m {
        ahead.eat(b'.');
    }
    if !has_m || ahead.peek().is_some_and(|next| next.is_ascii_alphabetic()) {
        return None;
    }
    *text = ahead;
    Some(half)
}

/// 12 AM is midnight, 12 PM is noon, 13 PM is no time.
fn in_half_of_day(seconds: i64, half: HalfOfDay) -> Option<i64> {
    let noon = 12 * SECONDS_PER_HOUR;
    let is_hour = (SECONDS_PER_HOUR..13 * SECONDS_PER_HOUR).contains(&seconds);
    let since_noon_or_midnight = if seconds >= noon {
        seconds - noon
    } else {
        seconds
    };
    is_hour.then_some(match half {
        HalfOfDay::Morning => since_noon_or_midnight,
        HalfOfDay::Afternoon => since_noon_or_midnight + noon,
    })
}

/// The zone that follows, if one does: `Z`, `UTC`, `+01:00`, `GMT+0100 (…)`, `Europe/Rome`,
/// `[Europe/Rome]`, `CET`. `None` if it is no zone.
pub(super) fn zone(text: &mut Scanner<'_>) -> Option<ClockZone> {
    text.blanks();
    let found = match text.peek() {
        None => return Some(ClockZone::Unsaid),
        Some(b'+' | b'-') => ClockZone::Offset(offset(text, 2)?),
        Some(b'[') => {
            text.advance();
            let zone = zone_name(text.word_of_zone())?;
            if !text.eat(b']') {
                return None;
            }
            named(zone)
        }
        Some(letter) if letter.is_ascii_alphabetic() => {
            // The year may still follow: `09:52:11 UTC 2024`.
            match zone_name(text.word_of_zone())? {
                ZoneName::Offset(0) if matches!(text.peek(), Some(b'+' | b'-')) => {
                    ClockZone::Offset(offset(text, 1)?)
                }
                name => named(name),
            }
        }
        // What follows is no zone.
        Some(_) => return Some(ClockZone::Unsaid),
    };
    // Java and JavaScript name the zone again: `+01:00[Europe/Rome]`, `GMT+0100 (CET)`.
    text.blanks();
    for (open, close) in [(b'[', b']'), (b'(', b')')] {
        if text.peek() == Some(open) && !text.skip_bracket(open, close) {
            return None;
        }
    }
    Some(found)
}

fn named(zone: ZoneName) -> ClockZone {
    match zone {
        ZoneName::Offset(seconds) => ClockZone::Offset(i64::from(seconds)),
        ZoneName::Zone(zone) => ClockZone::Named(zone),
    }
}

/// `+01:00`, `-0530`, `+02`: seconds east of UTC. The hour has `least_digits` at least.
fn offset(text: &mut Scanner<'_>, least_digits: usize) -> Option<i64> {
    let is_west = text.eat(b'-');
    if !is_west && !text.eat(b'+') {
        return None;
    }
    let digits = text.digits()?;
    let (hours, minutes) = match digits.len() {
        1 | 2 if digits.len() >= least_digits => {
            let minutes = if text.eat(b':') {
                text.number_of(2..=2)?
            } else {
                0
            };
            (super::number(digits)?, minutes)
        }
        4 => {
            let (hours, minutes) = digits.split_at_checked(2)?;
            (super::number(hours)?, super::number(minutes)?)
        }
        _ => return None,
    };
    let seconds = clock_seconds(hours, minutes, 0)?;
    Some(if is_west { -seconds } else { seconds })
}
