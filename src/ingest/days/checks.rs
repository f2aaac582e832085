//! Days that have moved: what is refused, and what a user is warned of, by the times that there were.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::quiet_hours;
use super::seen::{ClockReadings, TimesSeen};
use super::zones;
use crate::calendar::Day;
use crate::error::{Error, Result};
use crate::ingest::InputOptions;
use crate::ingest::time::{MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND};

/// Fewer different times tell nothing.
const ENOUGH: usize = 7;

/// How many certain days, all up to the 12th of their month, look like swapped ones.
const ENOUGH_SWAPPED: u64 = 10;

/// The store's clock as it was set, beside the times that there were.
pub(in crate::ingest) struct ClockCheck<'a> {
    pub(in crate::ingest) seen: &'a TimesSeen,
    pub(in crate::ingest) options: &'a InputOptions,
}

/// Times that all fall on one or two times of the day: dates, as midnights of some zone.
struct FewTimes<'a> {
    times: &'a BTreeSet<i64>,
    of_day: Vec<i64>,
}

impl<'a> FewTimes<'a> {
    fn of(readings: &'a ClockReadings) -> Option<Self> {
        let (times, of_day) = readings.few()?;
        Some(Self { times, of_day })
    }

    fn are_midnights(&self) -> bool {
        self.of_day == [0]
    }

    fn are_enough(&self) -> bool {
        self.times.len() >= ENOUGH
    }

    /// The times of day in words: `22:00 or 23:00`.
    fn words(&self) -> String {
        let words: Vec<String> = self.of_day.iter().map(|time| clock_words(*time)).collect();
        words.join(" or ")
    }

    /// Whether some fall on another day by the one reading than by the other.
    fn differ(&self, one: impl Fn(i64) -> Option<Day>, other: impl Fn(i64) -> Option<Day>) -> bool {
        self.times.iter().any(|time| one(*time) != other(*time))
    }
}

fn clock_words(time: i64) -> String {
    let minutes = time / MICROSECONDS_PER_SECOND / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// `+01:00`.
fn offset_words(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The day on which a time falls as it stands.
fn day_of(time: i64) -> Option<Day> {
    let day = i32::try_from(time.div_euclid(MICROSECONDS_PER_DAY)).ok()?;
    Some(Day::from_epoch(day))
}

impl ClockCheck<'_> {
    fn zone(&self) -> Tz {
        self.options.clock.zone().parse().unwrap_or(Tz::UTC)
    }

    /// Whether nobody has named a zone.
    fn is_zone_assumed(&self) -> bool {
        !self.options.is_zone_given && self.zone() == Tz::UTC
    }

    fn day_start(&self) -> u8 {
        self.options.clock.day_start()
    }

    /// The times that go through the zone, and their kind in words.
    fn zoned(&self) -> Vec<(&ClockReadings, &'static str)> {
        let mut zoned = vec![(&self.seen.instants, " UTC")];
        if self.options.clock.utc() {
            zoned.push((&self.seen.naive, " UTC"));
        }
        zoned
    }

    /// Refuses times that are dates by their looks, where the settings would move them to another
    /// day; and days that a spreadsheet has swapped.
    ///
    /// # Errors
    /// If there are such.
    pub(in crate::ingest) fn refuse(&self) -> Result<()> {
        self.refuse_swapped()?;
        self.refuse_offsets()?;
        for (readings, kind) in self.zoned() {
            if let Some(few) = FewTimes::of(readings).filter(FewTimes::are_enough) {
                self.refuse_zoned(&few, kind)?;
            }
        }
        if !self.options.clock.utc()
            && let Some(few) = FewTimes::of(&self.seen.naive).filter(FewTimes::are_enough)
        {
            self.refuse_naive(&few)?;
        }
        Ok(())
    }

    /// Refuses instants whose own clocks show another day than UTC, where no zone was named.
    fn refuse_offsets(&self) -> Result<()> {
        if !self.is_zone_assumed() || self.seen.other_days == 0 {
            return Ok(());
        }
        let offsets: Vec<String> = self
            .seen
            .offsets
            .iter()
            .map(|ahead| offset_words(*ahead))
            .collect();
        let proposed = zones::of_offsets(&self.seen.offsets);
        let named = proposed.first().map_or("ZONE", |zone| zone.name());
        Err(Error::input(format!(
            "the times were shown by clocks {} from UTC, on other days than those of UTC, and no zone is given",
            offsets.join(" and ")
        ))
        .hint(format!(
            "give the store's zone, such as {}: --time-zone {named}; or --time-zone UTC if the days are those of UTC",
            zones::listed(&proposed)
        )))
    }

    fn refuse_zoned(&self, few: &FewTimes<'_>, kind: &str) -> Result<()> {
        let clock = self.options.clock;
        let zone = self.zone();
        let by_clock = |time| clock.day_of_instant(time);
        let words = few.words();
        if few.are_midnights() {
            if !few.differ(by_clock, day_of) {
                return Ok(());
            }
            return Err(Error::input(format!(
                "every time is {words}{kind}, and {} would move each sale to the day before: these look like dates",
                self.settings_that_move()
            ))
            .hint(format!("if they are, leave {} out", self.settings_that_move())));
        }
        if few.times.iter().all(|time| zones::is_midnight(zone, *time)) {
            if self.day_start() == 0 {
                return Ok(());
            }
            return Err(self.moved_by_day_start(&format!("midnight in {}", zone.name())));
        }
        // Noon is a way of writing a date that moves nowhere.
        let is_noon = few.of_day == [MICROSECONDS_PER_DAY / 2];
        if !self.is_zone_assumed() || is_noon {
            return Ok(());
        }
        let mut proposed = zones::of_midnights(few.times.iter());
        proposed
            .retain(|zone| few.differ(by_clock, |time| zones::local(*zone, time).and_then(day_of)));
        if proposed.is_empty() {
            return Ok(());
        }
        let names = zones::listed(&proposed);
        Err(Error::input(format!(
            "every time is {words}{kind}: these look like midnights of {names}, and each sale would fall on the day before its own"
        ))
        .hint(format!(
            "give the store's zone: --time-zone {}; or --time-zone UTC if the times are right as they stand",
            proposed.first().map_or("", |zone| zone.name())
        )))
    }

    fn refuse_naive(&self, few: &FewTimes<'_>) -> Result<()> {
        if few.are_midnights() {
            return match self.day_start() {
                0 => Ok(()),
                _ => Err(self.moved_by_day_start("midnight")),
            };
        }
        // The zone may be given in vain: without --utc it changes nothing. UTC says that all is right.
        let is_settled = self.options.is_zone_given && self.zone() == Tz::UTC;
        if is_settled || few.of_day.len() < 2 {
            return Ok(());
        }
        let mut proposed = zones::of_midnights(few.times.iter());
        proposed
            .retain(|zone| few.differ(day_of, |time| zones::local(*zone, time).and_then(day_of)));
        if proposed.is_empty() {
            return Ok(());
        }
        let zone = if proposed.contains(&self.zone()) {
            self.zone()
        } else {
            proposed.first().copied().unwrap_or(Tz::UTC)
        };
        Err(Error::input(format!(
            "every time is {}, with no zone: these look like midnights of {}, written in UTC, and each sale would fall on the day before its own",
            few.words(),
            zones::listed(&proposed)
        ))
        .hint(format!(
            "if they are, say --utc --time-zone {}; or --time-zone UTC alone if the times are right as they stand",
            zone.name()
        )))
    }

    fn moved_by_day_start(&self, what: &str) -> Error {
        let hour = self.day_start();
        Error::input(format!(
            "every time is {what}, and --day-start {hour} would move each sale to the day before: these look like dates"
        ))
        .hint("leave --day-start out; or name the column of the time of day with --time-of-day")
    }

    /// The settings that move a midnight in UTC to the day before, in words.
    fn settings_that_move(&self) -> String {
        let mut settings = vec![];
        if self.options.clock.zone() != "UTC" {
            settings.push(format!("--time-zone {}", self.options.clock.zone()));
        }
        if self.day_start() > 0 {
            settings.push(format!("--day-start {}", self.day_start()));
        }
        settings.join(" and ")
    }

    /// Refuses an input whose certain dates all have a day up to the 12th, while all others have a
    /// day above it: a spreadsheet took those that it could for months.
    ///
    /// # Errors
    /// If it is so.
    pub(in crate::ingest) fn refuse_swapped(&self) -> Result<()> {
        let seen = self.seen;
        if !seen.evidence.is_of_one_order()
            || seen.any_after_twelfth
            || seen.certain_days < ENOUGH_SWAPPED
        {
            return Ok(());
        }
        let first = seen
            .evidence
            .first()
            .map_or_else(String::new, |first| format!(", first {first}"));
        Err(Error::input(format!(
            "half of the dates look swapped: all that begin with the year fall on the first 12 days of a month, and all others after them{first}"
        ))
        .hint("a spreadsheet took the day for the month where it could: export the dates anew as YYYY-MM-DD, without a spreadsheet between"))
    }

    /// What a user should know.
    pub(in crate::ingest) fn warnings(&self) -> Vec<String> {
        let mut warnings = vec![];
        warnings.extend(self.few_moved_midnights());
        let quiet = self.quiet_hours();
        warnings.extend(self.assumed_zone().filter(|_| quiet.is_none()));
        warnings.extend(self.idle_zone());
        warnings.extend(self.idle_day_start());
        warnings.extend(self.midnights_elsewhere());
        warnings.extend(quiet);
        warnings
    }

    /// Too few times to refuse them.
    fn few_moved_midnights(&self) -> Option<String> {
        let clock = self.options.clock;
        let moved = self.day_start() > 0 || (clock.utc() && clock.zone() != "UTC");
        let few = FewTimes::of(&self.seen.naive).filter(|few| !few.are_enough())?;
        let only = !self.seen.any_date && self.seen.instants.are_none();
        (moved && only && few.are_midnights()).then(|| {
            "every time is a midnight, which --utc or --day-start moves to another day: if they are dates, leave these settings out"
                .to_owned()
        })
    }

    /// Times have a zone, and the store's is only assumed.
    fn assumed_zone(&self) -> Option<String> {
        let is_assumed = self.is_zone_assumed() && !self.seen.instants.are_none();
        let are_midnights =
            FewTimes::of(&self.seen.instants).is_some_and(|few| few.are_midnights());
        (is_assumed && !are_midnights).then(|| {
            "the times have a zone, and the store's is not given: days are those of UTC; give the store's zone with --time-zone, or --time-zone UTC if it is that"
                .to_owned()
        })
    }

    fn idle_zone(&self) -> Option<String> {
        let clock = self.options.clock;
        let is_idle = clock.zone() != "UTC"
            && self.seen.instants.are_none()
            && (self.seen.naive.are_none() || !clock.utc());
        if !is_idle {
            return None;
        }
        let zone = clock.zone();
        if self.seen.naive.are_none() {
            return self.seen.any_date.then(|| {
                format!(
                    "--time-zone {zone} changes nothing: every time is a date without a time of day"
                )
            });
        }
        Some(format!(
            "--time-zone {zone} changes nothing: no time has a zone, so all are taken for local ones; if they are UTC, add --utc, else leave --time-zone out"
        ))
    }

    fn idle_day_start(&self) -> Option<String> {
        let no_time_of_day = self.seen.naive.are_none() && self.seen.instants.are_none();
        (self.day_start() > 0 && no_time_of_day && self.seen.any_date).then(|| {
            format!(
                "--day-start {} changes nothing: every time is a date without a time of day; if the time of day stands in a column of its own, name it with --time-of-day",
                self.day_start()
            )
        })
    }

    /// A zone was given, and the midnights are those of another.
    fn midnights_elsewhere(&self) -> Option<String> {
        if self.zone() == Tz::UTC {
            return None;
        }
        self.zoned().into_iter().find_map(|(readings, kind)| {
            let few = FewTimes::of(readings).filter(FewTimes::are_enough)?;
            let zone = self.zone();
            let are_here = few.times.iter().all(|time| zones::is_midnight(zone, *time));
            let proposed = zones::of_midnights(few.times.iter());
            (!are_here && !few.are_midnights() && !proposed.is_empty()).then(|| {
                format!(
                    "every time is {}{kind}, which is no midnight in {}: these look like midnights of {}; check --time-zone",
                    few.words(),
                    zone.name(),
                    zones::listed(&proposed)
                )
            })
        })
    }

    fn quiet_hours(&self) -> Option<String> {
        let clock = self.options.clock;
        let spring = quiet_hours::SPRING;
        let instants = quiet_hours::Sales {
            by_hour: self.seen.instants.hours,
            has_zone: true,
            ahead: zones::local(self.zone(), spring).unwrap_or(spring) - spring,
        };
        let naive = quiet_hours::Sales {
            by_hour: self.seen.naive.hours,
            has_zone: clock.utc(),
            ahead: if clock.utc() { instants.ahead } else { 0 },
        };
        let flags = if clock.utc() {
            "--time-zone"
        } else {
            "--utc and --time-zone"
        };
        instants
            .warning("--time-zone")
            .or_else(|| naive.warning(flags))
    }
}
