//! Times → days of the store.

mod checks;
pub(super) mod far_after;
pub(super) mod gaps;
mod quiet_hours;
mod seen;
mod zones;

use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Datelike, Offset, TimeZone};
use chrono_tz::Tz;

use super::InputOptions;
use super::feed::HourCounts;
use super::rejects::{RejectReason, RejectedLine};
use super::time::{
    MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, MICROSECONDS_PER_SECOND, ParsedTime, TimeRules,
    UncertainDate,
};
use crate::calendar::{Day, StoreClock};
pub(super) use checks::ClockCheck;
pub(super) use seen::TimesSeen;

const SECONDS_PER_HOUR: i64 = 3_600;
const SECONDS_PER_DAY: i64 = 24 * SECONDS_PER_HOUR;

/// Times → days: the [`StoreClock`], with the zone's offset remembered for each UTC day.
#[derive(Debug, Clone)]
pub(super) struct DayResolver {
    clock: StoreClock,
    rules: Arc<TimeRules>,
    zone: Option<Tz>,
    shift: i64,
    /// Microseconds east of UTC by UTC day, from the eve of [`Day::PLAUSIBLE`] on.
    offsets: Vec<Offsets>,
    /// Instants that fall on the day of the last one, in microseconds: lines mostly come in the
    /// order of time.
    same_day: Range<i64>,
    /// When that day began, or would have with the offset that these have.
    day_began: i64,
    last_day: Option<Day>,
    /// The last time and its day, if it was certain: lines of a ticket have the same.
    last: Option<(ParsedTime, Day)>,
    /// The time or the date that was noted last.
    last_noted: i64,
    /// The certain day that was noted last.
    last_certain: i64,
    seen: TimesSeen,
    /// Sales by the hour, if there is a night.
    hours: Option<Box<HourCounts>>,
    /// The last date whose order is not known, until its place is kept.
    ambiguous: Option<UncertainDate>,
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
    pub(super) fn new(options: &InputOptions) -> Self {
        let clock = options.clock;
        Self {
            clock,
            rules: Arc::new(TimeRules::new(options)),
            zone: clock.zone().parse().ok(),
            shift: i64::from(clock.day_start()) * MICROSECONDS_PER_HOUR,
            offsets: vec![Offsets::Unknown; DAYS],
            same_day: 0..0,
            day_began: 0,
            last_day: None,
            last: None,
            last_noted: i64::MIN,
            last_certain: i64::MIN,
            seen: TimesSeen::default(),
            hours: None,
            ambiguous: None,
        }
    }

    /// Counts sales by the hour up to a night.
    pub(super) fn counting_hours_until(self, night: Option<Day>) -> Self {
        Self {
            hours: night.map(|night| Box::new(HourCounts::new(night))),
            ..self
        }
    }

    /// How times are read.
    pub(super) fn rules(&self) -> &Arc<TimeRules> {
        &self.rules
    }

    /// The store's day, if there is one and it is plausible.
    #[inline]
    pub(super) fn day(&mut self, time: ParsedTime) -> Result<Day, RejectReason> {
        match self.last {
            Some((last, day)) if last == time => Ok(day),
            _ => self.day_of_another(time),
        }
    }

    /// The day of a time that differs from the last one.
    fn day_of_another(&mut self, time: ParsedTime) -> Result<Day, RejectReason> {
        self.last = None;
        let day = match time {
            ParsedTime::Date(_)
            | ParsedTime::Naive(_)
            | ParsedTime::Instant(_)
            | ParsedTime::Offset(..) => self.day_and_hour(time)?,
            other => return self.day_of_other(other),
        };
        self.last = Some((time, day));
        Ok(day)
    }

    /// The day of a certain time, which is noted, and whose hour counts, if it differs from the last
    /// one that was.
    fn day_and_hour(&mut self, time: ParsedTime) -> Result<Day, RejectReason> {
        match time {
            ParsedTime::Date(days) if self.last_noted != i64::from(days) => {
                self.note(time, i64::from(days));
            }
            ParsedTime::Naive(microseconds) | ParsedTime::Instant(microseconds)
                if self.last_noted != microseconds =>
            {
                self.note(time, microseconds);
                return self.day_of_next_time(time);
            }
            ParsedTime::Offset(instant, ahead) if self.last_noted != instant => {
                self.note(ParsedTime::Instant(instant), instant);
                self.seen.note_offset(instant, ahead);
                return self.day_of_next_time(time);
            }
            _ => {}
        }
        self.day_of_certain(time)
    }

    /// The day of a time that differs from the last one: its hour counts.
    fn day_of_next_time(&mut self, time: ParsedTime) -> Result<Day, RejectReason> {
        let day = self.day_of_certain(time)?;
        let of_day = match time {
            ParsedTime::Naive(microseconds) if !self.clock.utc() => {
                Some((microseconds - self.shift).rem_euclid(MICROSECONDS_PER_DAY))
            }
            ParsedTime::Naive(instant)
            | ParsedTime::Instant(instant)
            | ParsedTime::Offset(instant, _) => self.time_of_day(instant),
            _ => None,
        };
        if let (Some(hours), Some(of_day)) = (&mut self.hours, of_day) {
            hours.count(day, (of_day / MICROSECONDS_PER_HOUR) as usize);
        }
        Ok(day)
    }

    /// How long after the beginning of its day an instant is, by the clock. The day was just looked
    /// up.
    fn time_of_day(&self, instant: i64) -> Option<i64> {
        if self.same_day.contains(&instant) {
            return Some(instant - self.day_began);
        }
        let seconds = offset_at(self.zone?, instant.div_euclid(MICROSECONDS_PER_SECOND))?;
        let east = i64::from(seconds) * MICROSECONDS_PER_SECOND - self.shift;
        Some((instant + east).rem_euclid(MICROSECONDS_PER_DAY))
    }

    /// The day of a date, a naive time or an instant.
    #[inline]
    fn day_of_certain(&mut self, time: ParsedTime) -> Result<Day, RejectReason> {
        let day = match time {
            ParsedTime::Date(days) => Some(Day::from_epoch(days)),
            ParsedTime::Naive(microseconds) if self.clock.utc() => {
                self.day_of_instant(microseconds)
            }
            ParsedTime::Naive(microseconds) => self.clock.day_of_naive(microseconds),
            ParsedTime::Instant(microseconds) | ParsedTime::Offset(microseconds, _) => {
                self.day_of_instant(microseconds)
            }
            _ => return Err(RejectReason::UnreadableTime),
        };
        day.filter(|day| Day::PLAUSIBLE.contains(day))
            .ok_or(RejectReason::AbsurdDate)
    }

    /// Notes a time that differs from the last one.
    fn note(&mut self, time: ParsedTime, value: i64) {
        self.last_noted = value;
        let day = match time {
            ParsedTime::Naive(_) => {
                self.seen.naive.note(value);
                value.div_euclid(MICROSECONDS_PER_DAY)
            }
            ParsedTime::Instant(_) => {
                self.seen.instants.note(value);
                value.div_euclid(MICROSECONDS_PER_DAY)
            }
            _ => {
                self.seen.any_date = true;
                value
            }
        };
        if !self.seen.any_after_twelfth && self.last_certain != day {
            self.last_certain = day;
            let date = i32::try_from(day).map(|day| Day::from_epoch(day).date());
            self.seen.certain_days += 1;
            self.seen.any_after_twelfth = date.is_ok_and(|date| date.day() > 12);
        }
    }

    /// The day of a time that is none, or that is one by its rules only.
    #[cold]
    fn day_of_other(&mut self, time: ParsedTime) -> Result<Day, RejectReason> {
        match time {
            ParsedTime::Uncertain(date) => self.seen.evidence.count(date),
            ParsedTime::NumberedTime(_, number) => {
                self.seen.evidence.count_numbered_time(number);
            }
            _ => {}
        }
        // A date in an order may have a number as its time of day.
        match self.rules.settle(self.rules.settle(time)) {
            ParsedTime::Null => Err(RejectReason::NullTime),
            ParsedTime::Integer(_) | ParsedTime::Fractional(_) => Err(RejectReason::NumberTime),
            ParsedTime::Uncertain(date) => {
                self.ambiguous = Some(date);
                Err(RejectReason::AmbiguousTime)
            }
            // The day is certain, and the hour may not matter.
            ParsedTime::NumberedTime(day, _) if !self.needs_hours() => {
                self.day_of_certain(ParsedTime::Date(day))
            }
            ParsedTime::NumberedTime(..) => Err(RejectReason::AmbiguousTime),
            settled => {
                self.note_settled(settled);
                self.day_of_next_time(settled)
            }
        }
    }

    /// Notes the time of day of a time that was made certain by its rules.
    fn note_settled(&mut self, time: ParsedTime) {
        match time {
            ParsedTime::Date(_) => self.seen.any_date = true,
            ParsedTime::Naive(value) if self.last_noted != value => {
                self.last_noted = value;
                self.seen.naive.note(value);
            }
            ParsedTime::Instant(value) if self.last_noted != value => {
                self.last_noted = value;
                self.seen.instants.note(value);
            }
            ParsedTime::Offset(value, ahead) if self.last_noted != value => {
                self.last_noted = value;
                self.seen.instants.note(value);
                self.seen.note_offset(value, ahead);
            }
            _ => {}
        }
    }

    /// Whether the day depends on the time of day.
    fn needs_hours(&self) -> bool {
        self.shift > 0 || self.clock.utc()
    }

    /// Whether the place of the last date is wanted, because its order is not known and it is the
    /// first of its kind.
    pub(super) fn wants_place(&self) -> bool {
        self.ambiguous
            .is_some_and(|date| self.seen.evidence.wants_example(date))
    }

    /// Keeps the place of the last date.
    pub(super) fn keep_place(&mut self, line: RejectedLine) {
        if let Some(date) = self.ambiguous.take() {
            self.seen.evidence.keep_example(date, line);
        }
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
                self.day_began = start;
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
        let midnight = utc_day * SECONDS_PER_DAY;
        match offset_at(zone, midnight) {
            Some(first)
                if (1..=24).all(|hour| {
                    offset_at(zone, midnight + hour * SECONDS_PER_HOUR) == Some(first)
                }) =>
            {
                Offsets::Fixed(first)
            }
            _ => Offsets::Vary,
        }
    }

    /// The sales by the hour since this was last asked.
    pub(super) fn take_hours(&mut self) -> Option<Box<HourCounts>> {
        let hours = self.hours.as_mut()?;
        let next = Box::new(hours.next());
        Some(std::mem::replace(hours, next))
    }

    /// What times there were since this was last asked.
    pub(super) fn take_seen(&mut self) -> TimesSeen {
        self.seen.take()
    }
}

/// Seconds east of UTC at an instant, in seconds since 1970-01-01T00:00Z.
fn offset_at(zone: Tz, instant: i64) -> Option<i32> {
    let instant = DateTime::from_timestamp(instant, 0)?.naive_utc();
    let offset = zone.offset_from_utc_datetime(&instant).fix();
    Some(offset.local_minus_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resolver(clock: StoreClock) -> DayResolver {
        DayResolver::new(&InputOptions {
            clock,
            ..InputOptions::default()
        })
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
        let first: Day = "2009-12-31".parse().unwrap();
        let start = i64::from(first.epoch()) * MICROSECONDS_PER_DAY;
        for (zone, day_start) in zones.into_iter().zip([0, 4, 0, 23, 5, 0, 3, 0]) {
            let clock = StoreClock::new(zone, true, day_start).unwrap();
            let mut resolver = resolver(clock);
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
            let mut resolver = resolver(clock);
            for instant in instants {
                prop_assert_eq!(resolver.day_of_instant(instant), clock.day_of_instant(instant));
            }
        }
    }

    #[test]
    fn a_date_is_the_day_as_it_stands() {
        let mut resolver = resolver(StoreClock::new("America/New_York", true, 4).unwrap());
        assert_eq!(
            resolver
                .day(ParsedTime::of("2017-10-31"))
                .unwrap()
                .to_string(),
            "2017-10-31"
        );
        assert_eq!(
            resolver.day(ParsedTime::of("1899-12-30")),
            Err(RejectReason::AbsurdDate)
        );
        assert_eq!(
            resolver.day(ParsedTime::Instant(i64::MAX)),
            Err(RejectReason::AbsurdDate)
        );
        assert_eq!(
            resolver.day(ParsedTime::Naive(i64::MIN)),
            Err(RejectReason::AbsurdDate)
        );
    }
}
