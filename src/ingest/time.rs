//! A time of the input → the store's day.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use super::cause::Cause;
use super::dictionary::is_null;
use crate::calendar::{Day, StoreClock};

const MICROSECONDS_PER_SECOND: i64 = 1_000_000;
const MICROSECONDS_PER_HOUR: i64 = 3_600 * MICROSECONDS_PER_SECOND;
const MICROSECONDS_PER_DAY: i64 = 24 * MICROSECONDS_PER_HOUR;

/// A time as a file has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
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

impl Moment {
    /// Reads text; the forms are in the documentation of [`super`].
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim_ascii();
        let bytes = text.as_bytes();
        let Some((date, rest)) = date(bytes) else {
            return if is_null(text) {
                Moment::Null
            } else if is_ambiguous(bytes) {
                Moment::Ambiguous
            } else {
                Moment::Unreadable
            };
        };
        if rest.is_empty() {
            return Moment::Date(date.epoch());
        }
        time_of_day(date, rest).unwrap_or(Moment::Unreadable)
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
    let (first, rest) = digits(text)?;
    let (separator, rest) = rest.split_first()?;
    let (second, rest) = digits(rest)?;
    let (again, rest) = rest.split_first()?;
    let (third, rest) = digits(rest)?;
    if separator != again || second.len() > 2 {
        return None;
    }
    // Only with the year first is the order certain.
    if !matches!(separator, b'-' | b'/' | b'.') || first.len() != 4 || third.len() > 2 {
        return None;
    }
    Some((day(number(first)?, number(second)?, number(third)?)?, rest))
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
    let parts = || {
        let (first, rest) = digits(text)?;
        let (separator, rest) = rest.split_first()?;
        let (second, rest) = digits(rest)?;
        let (again, rest) = rest.split_first()?;
        let (third, _) = digits(rest)?;
        Some(
            separator == again
                && matches!(separator, b'/' | b'-' | b'.')
                && first.len() <= 2
                && second.len() <= 2
                && third.len() <= 4,
        )
    };
    parts().unwrap_or(false)
}

/// `T` or a space, `HH:MM[:SS[.fraction]]`, and perhaps a zone; all of the text.
fn time_of_day(date: Day, text: &[u8]) -> Option<Moment> {
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
        b"" => return Some(Moment::Naive(naive)),
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
    Some(Moment::Instant(naive - offset * MICROSECONDS_PER_SECOND))
}

/// Two digits below a limit, and what follows.
fn two_digits(text: &[u8], limit: u32) -> Option<(i64, &[u8])> {
    let (digits, rest) = text.split_at_checked(2)?;
    let value = number(digits)?;
    (value < limit).then_some((i64::from(value), rest))
}

/// Moments → days: the [`StoreClock`], with the zone's offset remembered for each UTC day.
#[derive(Debug, Clone)]
pub(super) struct DayResolver {
    clock: StoreClock,
    zone: Option<Tz>,
    shift: i64,
    /// Microseconds east of UTC by UTC day, from the eve of [`Day::PLAUSIBLE`] on.
    offsets: Vec<Offsets>,
    /// Instants that fall on the day of the last one, in microseconds: lines mostly come in the
    /// order of time.
    same_day: Range<i64>,
    last_day: Option<Day>,
    seen: TimesSeen,
}

/// What times there were.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TimesSeen {
    any_time_of_day: bool,
    any_midnight: bool,
}

/// What is known of a zone on one UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offsets {
    Unknown,
    /// Seconds east of UTC, the same all day.
    Fixed(i32),
    /// They change during the day.
    Vary,
}

/// The UTC day of `offsets[0]`.
const FIRST_DAY: i64 = Day::PLAUSIBLE.start().epoch() as i64 - 1;

/// UTC days that plausible store days can fall on.
const DAYS: usize = (Day::PLAUSIBLE.end().epoch() - Day::PLAUSIBLE.start().epoch()) as usize + 3;

impl DayResolver {
    pub(super) fn new(clock: StoreClock) -> Self {
        Self {
            clock,
            zone: clock.zone().parse().ok(),
            shift: i64::from(clock.day_start()) * MICROSECONDS_PER_HOUR,
            offsets: vec![Offsets::Unknown; DAYS],
            same_day: 0..0,
            last_day: None,
            seen: TimesSeen::default(),
        }
    }

    /// The store's day, if there is one and it is plausible.
    #[inline]
    pub(super) fn day(&mut self, moment: Moment) -> Result<Day, Cause> {
        let day = match moment {
            Moment::Date(days) => Some(Day::from_epoch(days)),
            Moment::Naive(microseconds) => {
                if !self.seen.any_time_of_day {
                    let midnight = microseconds % MICROSECONDS_PER_DAY == 0;
                    self.seen.any_time_of_day = !midnight;
                    self.seen.any_midnight |= midnight;
                }
                if self.clock.utc() {
                    self.day_of_instant(microseconds)
                } else {
                    self.clock.day_of_naive(microseconds)
                }
            }
            Moment::Instant(microseconds) => {
                self.seen.any_time_of_day = true;
                self.day_of_instant(microseconds)
            }
            Moment::Null => return Err(Cause::NullTime),
            Moment::Unreadable => return Err(Cause::UnreadableTime),
            Moment::Ambiguous => return Err(Cause::AmbiguousTime),
        };
        day.filter(|day| Day::PLAUSIBLE.contains(day))
            .ok_or(Cause::AbsurdDate)
    }

    /// As [`StoreClock::day_of_instant`].
    #[inline]
    fn day_of_instant(&mut self, microseconds: i64) -> Option<Day> {
        if self.same_day.contains(&microseconds) {
            return self.last_day;
        }
        let utc_day = microseconds.div_euclid(MICROSECONDS_PER_DAY);
        let at = utc_day
            .checked_sub(FIRST_DAY)
            .and_then(|at| usize::try_from(at).ok())
            .filter(|at| *at < self.offsets.len());
        let Some(at) = at else {
            return self.clock.day_of_instant(microseconds);
        };
        if self.offsets[at] == Offsets::Unknown {
            self.offsets[at] = self.look_up(utc_day);
        }
        match self.offsets[at] {
            Offsets::Fixed(seconds) => {
                let east = i64::from(seconds) * MICROSECONDS_PER_SECOND - self.shift;
                let day = (microseconds + east).div_euclid(MICROSECONDS_PER_DAY);
                // The offset is that of this UTC day.
                let (start, utc_start) = (
                    day * MICROSECONDS_PER_DAY - east,
                    utc_day * MICROSECONDS_PER_DAY,
                );
                self.same_day = start.max(utc_start)
                    ..(start + MICROSECONDS_PER_DAY).min(utc_start + MICROSECONDS_PER_DAY);
                self.last_day = i32::try_from(day).ok().map(Day::from_epoch);
                self.last_day
            }
            Offsets::Vary | Offsets::Unknown => self.clock.day_of_instant(microseconds),
        }
    }

    /// The zone's offset on a UTC day, seen at every full hour; no zone changes twice within one.
    fn look_up(&self, utc_day: i64) -> Offsets {
        let Some(zone) = self.zone else {
            return Offsets::Vary;
        };
        let offset_at = |hour: i64| {
            let instant = DateTime::from_timestamp(utc_day * 86_400 + hour * 3_600, 0)?;
            Some(
                zone.offset_from_utc_datetime(&instant.naive_utc())
                    .fix()
                    .local_minus_utc(),
            )
        };
        match offset_at(0) {
            Some(first) if (1..=24).all(|hour| offset_at(hour) == Some(first)) => {
                Offsets::Fixed(first)
            }
            _ => Offsets::Vary,
        }
    }

    /// What times there were so far.
    pub(super) fn seen(&self) -> TimesSeen {
        self.seen
    }

    /// Takes what another resolver has seen.
    pub(super) fn absorb(&mut self, seen: TimesSeen) {
        self.seen.any_time_of_day |= seen.any_time_of_day;
        self.seen.any_midnight |= seen.any_midnight;
    }

    /// A warning if all times are midnights that the clock moves to the day before or after: they
    /// look like dates.
    pub(super) fn warning(&self) -> Option<String> {
        let moved = self.clock.day_start() > 0 || (self.clock.utc() && self.clock.zone() != "UTC");
        (moved && self.seen.any_midnight && !self.seen.any_time_of_day).then(|| {
            "every time is a midnight, which --utc or --day-start moves to another day: if they are dates, leave these settings out"
                .to_owned()
        })
    }
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
        let date = Moment::Date("2017-10-05".parse::<Day>().unwrap().epoch());
        for text in [
            "2017-10-05",
            "2017/10/05",
            "2017.10.05",
            "20171005",
            "2017-10-5",
            " 2017-10-05 ",
        ] {
            assert_eq!(Moment::of(text), date, "{text}");
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
            assert_eq!(Moment::of(text), Moment::Naive(naive), "{text}");
        }
        assert_eq!(
            Moment::of("2017-10-31 23:05"),
            Moment::Naive(micros("2017-10-31T23:05:00"))
        );
        assert_eq!(
            Moment::of("2017-10-31 23:05:09.5"),
            Moment::Naive(naive + 500_000)
        );
        assert_eq!(
            Moment::of("2017-10-31 23:05:09,123456789"),
            Moment::Naive(naive + 123_456)
        );
        for text in [
            "2017-10-31T23:05:09Z",
            "2017-10-31 23:05:09 UTC",
            "2017-10-31 23:05:09+00",
            "2017-10-31T23:05:09-00:00",
        ] {
            assert_eq!(Moment::of(text), Moment::Instant(naive), "{text}");
        }
        for text in [
            "2017-11-01T00:05:09+01:00",
            "2017-11-01 00:05:09 +0100",
            "2017-10-31 17:35:09.0-05:30",
        ] {
            assert_eq!(Moment::of(text), Moment::Instant(naive), "{text}");
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
            assert_eq!(Moment::of(text), Moment::Ambiguous, "{text}");
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
            assert_eq!(Moment::of(text), Moment::Unreadable, "{text}");
        }
        for text in ["", " ", "NULL", "NaN", "\\N"] {
            assert_eq!(Moment::of(text), Moment::Null, "{text}");
        }
    }

    /// Every hour and both sides of it, over three years in zones with odd rules.
    #[test]
    fn the_remembered_offset_is_the_direct_way() {
        let zones = [
            "UTC",
            "America/New_York",
            "America/St_Johns", // changed at 00:01 until 2011
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
            "Pacific/Apia", // skipped a day in 2011
            "Africa/Casablanca",
            "America/Sao_Paulo",
        ];
        let start = micros("2009-12-31T00:00:00");
        for (zone, day_start) in zones.into_iter().zip([0, 4, 0, 23, 5, 0, 3, 0]) {
            let clock = StoreClock::new(zone, true, day_start).unwrap();
            let mut resolver = DayResolver::new(clock);
            for minute in (0..3 * 366 * 24 * 60).step_by(15) {
                for delta in [-1, 0, 1, 59_999_999, 60_000_000] {
                    let instant = start + minute * 60 * MICROSECONDS_PER_SECOND + delta;
                    assert_eq!(
                        resolver.day_of_instant(instant),
                        clock.day_of_instant(instant),
                        "{zone} {instant}"
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_instant_in_any_zone_is_the_direct_way(
            zone in proptest::sample::select(&chrono_tz::TZ_VARIANTS[..]),
            day_start in 0_u8..24,
            // 1960 to 2110, and the ends of the calendar
            instants in prop::collection::vec(
                prop_oneof![-315_619_200_000_000_i64..4_417_977_600_000_000, any::<i64>()], 1..40),
        ) {
            let clock = StoreClock::new(zone.name(), true, day_start).unwrap();
            let mut resolver = DayResolver::new(clock);
            for instant in instants {
                prop_assert_eq!(resolver.day_of_instant(instant), clock.day_of_instant(instant));
            }
        }

        #[test]
        fn what_chrono_prints_is_read(seconds in 631_152_000_i64..4_102_444_800, micro in 0_i64..1_000_000, offset in -14 * 4..=14 * 4) {
            let zone = chrono::FixedOffset::east_opt(offset * 900).unwrap();
            let instant = seconds * MICROSECONDS_PER_SECOND + micro;
            let time = DateTime::from_timestamp_micros(instant).unwrap().with_timezone(&zone);
            prop_assert_eq!(Moment::of(&time.format("%Y-%m-%dT%H:%M:%S%.f%:z").to_string()), Moment::Instant(instant));
            prop_assert_eq!(Moment::of(&time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()),
                Moment::Naive(time.naive_local().and_utc().timestamp_micros()));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}|[0-9:./TZ+ -]{0,30}") {
            Moment::of(&text);
        }
    }

    #[test]
    fn midnights_that_are_moved_are_warned_of() {
        let mut resolver = DayResolver::new(StoreClock::new("America/New_York", true, 0).unwrap());
        resolver.day(Moment::of("2017-10-31 00:00:00")).unwrap();
        assert!(resolver.warning().is_some());
        resolver.day(Moment::of("2017-10-31 00:00:01")).unwrap();
        assert!(resolver.warning().is_none());
    }

    #[test]
    fn a_date_is_the_day_as_it_stands() {
        let mut resolver = DayResolver::new(StoreClock::new("America/New_York", true, 4).unwrap());
        assert_eq!(
            resolver.day(Moment::of("2017-10-31")).unwrap().to_string(),
            "2017-10-31"
        );
        assert_eq!(
            resolver.day(Moment::of("1899-12-30")),
            Err(Cause::AbsurdDate)
        );
        assert_eq!(
            resolver.day(Moment::Instant(i64::MAX)),
            Err(Cause::AbsurdDate)
        );
        assert_eq!(
            resolver.day(Moment::Naive(i64::MIN)),
            Err(Cause::AbsurdDate)
        );
    }
}
