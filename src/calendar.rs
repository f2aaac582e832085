//! Days of the store, ranges of days, months, as-of dates, and how an instant becomes a store-local
//! day.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::suggest;

const MICROSECONDS_PER_HOUR: i64 = 3_600_000_000;
const MICROSECONDS_PER_DAY: i64 = 24 * MICROSECONDS_PER_HOUR;

/// The horizon of every prediction, in days: a customer who has not come back by then is censored.
pub const HORIZON_DAYS: i32 = 28;

/// How many days are "lately" where products and purchases are listed or compared.
pub const RECENT_DAYS: i32 = 28;

/// The window of the count of purchases that a night publishes, in days.
pub const PURCHASES_WINDOW_DAYS: i32 = 90;

/// The days from a first to a last one, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DateRange {
    /// The first day.
    pub first: Day,
    /// The last day, not before the first.
    pub last: Day,
}

impl DateRange {
    /// How many days there are.
    #[must_use]
    pub fn days(&self) -> i32 {
        self.last - self.first + 1
    }

    /// The days, ascending.
    pub fn iter(self) -> impl Iterator<Item = Day> {
        (0..self.days()).map(move |after| self.first + after)
    }

    /// Whether a day is one of them.
    #[must_use]
    pub fn contains(&self, day: Day) -> bool {
        (self.first..=self.last).contains(&day)
    }

    /// From the earlier first day to the later last day; `None` where neither range is known.
    #[must_use]
    pub fn union(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self {
                first: one.first.min(other.first),
                last: one.last.max(other.last),
            }),
            (one, other) => one.or(other),
        }
    }
}

/// A calendar day of the store, as days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The days that okuo takes for real; a line of any other day is a bad line.
    /// 1990-01-01 to 2099-12-31.
    pub const PLAUSIBLE: std::ops::RangeInclusive<Day> = Day(7_305)..=Day(47_481);

    /// From days since 1970-01-01.
    #[must_use]
    pub const fn from_epoch(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn epoch(self) -> i32 {
        self.0
    }

    /// The names of the weekdays, in the order of [`Day::weekday`].
    pub const WEEKDAYS: [&'static str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];

    /// The weekday, 0 = Monday … 6 = Sunday.
    #[must_use]
    pub const fn weekday(self) -> usize {
        (self.0 + 3).rem_euclid(7) as usize // 1970-01-01 was a Thursday
    }

    /// The calendar date.
    #[must_use]
    pub fn date(self) -> NaiveDate {
        NaiveDate::from_epoch_days(self.0).unwrap_or(if self.0 < 0 {
            NaiveDate::MIN
        } else {
            NaiveDate::MAX
        })
    }

    /// The month in which the day falls.
    #[must_use]
    pub fn month(self) -> Month {
        let date = self.date();
        Month {
            year: date.year(),
            month: date.month(),
        }
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        Self(date.to_epoch_days())
    }
}

impl Add<i32> for Day {
    type Output = Day;
    fn add(self, days: i32) -> Day {
        Day(self.0.saturating_add(days))
    }
}

impl Sub<i32> for Day {
    type Output = Day;
    fn sub(self, days: i32) -> Day {
        Day(self.0.saturating_sub(days))
    }
}

impl Sub for Day {
    type Output = i32;
    fn sub(self, other: Day) -> i32 {
        self.0.saturating_sub(other.0)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date();
        // Through `pad`, so that a table can set the width.
        f.pad(&format!(
            "{:04}-{:02}-{:02}",
            date.year(),
            date.month(),
            date.day()
        ))
    }
}

impl FromStr for Day {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d")
            .map(Day::from)
            .map_err(|_| {
                Error::request(format!("\"{text}\" is not a date"))
                    .hint("write it as YYYY-MM-DD, for example 2017-10-31")
            })
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i32(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?
                .parse()
                .map_err(serde::de::Error::custom)
        } else {
            i32::deserialize(deserializer).map(Day)
        }
    }
}

/// The night T that a run speaks from: everything up to and including this day is known, nothing
/// after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AsOf(pub Day);

impl AsOf {
    /// The day itself.
    #[must_use]
    pub const fn day(self) -> Day {
        self.0
    }

    /// The first of the last `days` days, of which the night's is the last.
    #[must_use]
    pub fn first_of(self, days: u32) -> Day {
        self.0 + 1 - i32::try_from(days).unwrap_or(i32::MAX)
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AsOf {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(AsOf)
    }
}

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The first day of the month.
    #[must_use]
    pub fn first(self) -> Day {
        Day::from(NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or(NaiveDate::MIN))
    }

    /// The last day of the month.
    #[must_use]
    pub fn last(self) -> Day {
        self.next().first() - 1
    }

    /// The night before the month begins: what is trained for it may know everything up to here.
    #[must_use]
    pub fn eve(self) -> AsOf {
        AsOf(self.first() - 1)
    }

    /// The month after.
    #[must_use]
    pub fn next(self) -> Month {
        if self.month == 12 {
            Month {
                year: self.year + 1,
                month: 1,
            }
        } else {
            Month {
                year: self.year,
                month: self.month + 1,
            }
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:04}-{:02}", self.year, self.month))
    }
}

impl FromStr for Month {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        NaiveDate::parse_from_str(&format!("{}-01", text.trim()), "%Y-%m-%d")
            .map(|date| Month {
                year: date.year(),
                month: date.month(),
            })
            .map_err(|_| {
                Error::request(format!("\"{text}\" is not a month"))
                    .hint("write it as YYYY-MM, for example 2017-11")
            })
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// How a time of the input becomes a day of the store.
///
/// A naive time is store-local, unless `utc` says that naive times are UTC. An instant (UTC or with
/// a zone) is first converted to `zone`. A purchase before `day_start` o'clock belongs to the day
/// before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreClock {
    zone: Tz,
    utc: bool,
    day_start: u8,
}

/// UTC, with days that begin at midnight.
impl Default for StoreClock {
    fn default() -> Self {
        Self {
            zone: Tz::UTC,
            utc: false,
            day_start: 0,
        }
    }
}

/// When a run is due, in microseconds since 1970-01-01T00:00Z. It is told by a schedule, and never
/// read from a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunTime(i64);

impl FromStr for RunTime {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        DateTime::parse_from_rfc3339(text.trim())
            .map(|time| Self(time.timestamp_micros()))
            .map_err(|error| {
                Error::request(format!("\"{text}\" is not a time with its zone"))
                    .hint("write it as 2017-11-08T05:00:00Z")
                    .source(error)
            })
    }
}

impl fmt::Display for RunTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::from_timestamp_micros(self.0).unwrap_or_default();
        f.pad(&time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}

impl StoreClock {
    /// A checked clock.
    ///
    /// # Errors
    /// If `zone` is not in the IANA database or `day_start` is not 0…23.
    pub fn new(zone: &str, utc: bool, day_start: u8) -> Result<Self> {
        let found: Tz = zone.parse().map_err(|_| {
            let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
            let nearest = suggest::nearest_path(zone, names).unwrap_or("UTC");
            Error::request(format!("the time zone \"{zone}\" does not exist")).hint(format!(
                "use a name of the IANA database, for example {nearest}"
            ))
        })?;
        if day_start > 23 {
            return Err(Error::request(format!(
                "day_start should be an hour from 0 to 23, but is {day_start}"
            ))
            .hint(
                "sales before this hour belong to the day before: 4 where the till closes after \
                 midnight, else 0",
            ));
        }
        Ok(Self {
            zone: found,
            utc,
            day_start,
        })
    }

    /// The zone's IANA name.
    #[must_use]
    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// Whether naive times are UTC.
    #[must_use]
    pub const fn utc(&self) -> bool {
        self.utc
    }

    /// The hour at which the store's day begins.
    #[must_use]
    pub const fn day_start(&self) -> u8 {
        self.day_start
    }

    /// The store's day of an instant, given in microseconds since 1970-01-01T00:00Z; `None` beyond
    /// the end of the calendar.
    #[must_use]
    pub fn day_of_instant(&self, microseconds: i64) -> Option<Day> {
        let local = DateTime::from_timestamp_micros(microseconds)?
            .with_timezone(&self.zone)
            .naive_local();
        let shifted = local.checked_sub_signed(TimeDelta::hours(i64::from(self.day_start)))?;
        Some(Day::from(shifted.date()))
    }

    /// The night that a run at this time speaks from: the last day that is over in the store then.
    ///
    /// # Errors
    /// If the time is beyond the end of the calendar.
    pub fn night_before(&self, time: RunTime) -> Result<AsOf> {
        let today = self.day_of_instant(time.0);
        today
            .map(|today| AsOf(today - 1))
            .ok_or_else(|| Error::request("the time is beyond the end of the calendar"))
    }

    /// The store's day of a naive time, given in microseconds since a naive 1970-01-01T00:00.
    #[must_use]
    pub fn day_of_naive(&self, microseconds: i64) -> Option<Day> {
        if self.utc {
            return self.day_of_instant(microseconds);
        }
        let shifted =
            microseconds.checked_sub(i64::from(self.day_start) * MICROSECONDS_PER_HOUR)?;
        i32::try_from(shifted.div_euclid(MICROSECONDS_PER_DAY))
            .ok()
            .map(Day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_speaks_from_the_last_day_that_is_over_in_the_store() {
        for (zone, day_start, time, night) in [
            ("UTC", 0, "2017-11-08T03:00:00Z", "2017-11-07"),
            // It is the evening of the 7th there, which is not over.
            ("America/New_York", 0, "2017-11-08T03:00:00Z", "2017-11-06"),
            (
                "America/New_York",
                0,
                "2017-11-08T05:00:00.5Z",
                "2017-11-07",
            ),
            ("UTC", 4, "2017-11-08T03:00:00Z", "2017-11-06"),
            ("UTC", 0, "2017-11-08T00:30:00+01:00", "2017-11-06"),
        ] {
            let clock = StoreClock::new(zone, true, day_start).unwrap();
            let time: RunTime = time.parse().unwrap();
            assert_eq!(
                clock.night_before(time).unwrap().to_string(),
                night,
                "{time} {zone}"
            );
            assert_eq!(time.to_string().parse::<RunTime>().unwrap(), time);
        }
        for wrong in ["2017-11-08", "2017-11-08T03:00:00", "soon", ""] {
            assert!(wrong.parse::<RunTime>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_know_their_weekday_and_month() {
        let day: Day = "2017-10-31".parse().unwrap();
        assert_eq!(
            (day.weekday(), day.to_string(), day.month().to_string()),
            (1, "2017-10-31".into(), "2017-10".into())
        );
        assert_eq!(day + 1 - day, 1);
        let month: Month = "2017-12".parse().unwrap();
        assert_eq!(
            (
                month.first().to_string(),
                month.last().to_string(),
                month.eve().to_string()
            ),
            (
                "2017-12-01".into(),
                "2017-12-31".into(),
                "2017-11-30".into()
            )
        );
    }

    fn range(first: i32, last: i32) -> Option<DateRange> {
        Some(DateRange {
            first: Day::from_epoch(first),
            last: Day::from_epoch(last),
        })
    }

    #[test]
    fn a_range_has_its_first_and_its_last_day() {
        let one_day = range(7, 7).unwrap();
        assert_eq!(one_day.days(), 1);
        let week = range(-3, 3).unwrap();
        assert_eq!(week.days(), 7);
        let within: Vec<i32> = (-10..10)
            .filter(|day| week.contains(Day::from_epoch(*day)))
            .collect();
        assert_eq!(within, [-3, -2, -1, 0, 1, 2, 3]);
    }

    #[test]
    fn a_union_reaches_from_the_earlier_to_the_later_day() {
        for (one, other, union) in [
            (None, None, None),
            (range(1, 2), None, range(1, 2)),
            // Overlapping, apart, one within the other, and the same.
            (range(1, 5), range(3, 8), range(1, 8)),
            (range(1, 2), range(8, 9), range(1, 9)),
            (range(1, 9), range(3, 4), range(1, 9)),
            (range(1, 2), range(1, 2), range(1, 2)),
        ] {
            assert_eq!(DateRange::union(one, other), union);
            assert_eq!(DateRange::union(other, one), union);
        }
    }

    #[test]
    fn an_instant_after_midnight_utc_is_the_evening_before_in_new_york() {
        let clock = StoreClock::new("America/New_York", true, 0).unwrap();
        let instant = DateTime::parse_from_rfc3339("2017-11-01T03:30:00Z")
            .unwrap()
            .timestamp_micros();
        assert_eq!(
            clock.day_of_naive(instant).unwrap().to_string(),
            "2017-10-31"
        );
        let naive = StoreClock::new("America/New_York", false, 0).unwrap();
        assert_eq!(
            naive.day_of_naive(instant).unwrap().to_string(),
            "2017-11-01"
        );
        assert_eq!(
            naive.day_of_instant(instant).unwrap().to_string(),
            "2017-10-31"
        );
    }

    #[test]
    fn late_night_sales_belong_to_the_day_before() {
        let clock = StoreClock::new("UTC", false, 4).unwrap();
        let at = |text| {
            DateTime::parse_from_rfc3339(text)
                .unwrap()
                .timestamp_micros()
        };
        assert_eq!(
            clock
                .day_of_naive(at("2017-11-01T03:59:59Z"))
                .unwrap()
                .to_string(),
            "2017-10-31"
        );
        assert_eq!(
            clock
                .day_of_instant(at("2017-11-01T04:00:00Z"))
                .unwrap()
                .to_string(),
            "2017-11-01"
        );
    }

    #[test]
    fn an_unknown_zone_names_the_nearest() {
        let error = StoreClock::new("America/New_Yrok", false, 0)
            .unwrap_err()
            .to_string();
        assert!(error.contains("America/New_York"), "{error}");
    }
}
