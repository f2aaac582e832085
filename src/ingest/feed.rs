//! What was read of each day, and at what hours: what the guards compare.

use std::collections::BTreeMap;

use crate::calendar::Day;

/// How many days before the night have their hours counted one by one.
pub const DAYS_BY_HOUR: usize = 28;

/// What became of the lines of one day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinesOfDay {
    /// Lines that went into purchases, repeated ones included.
    pub kept: u64,
    /// Lines with a quantity of 0 or below.
    pub returned: u64,
    /// Bad lines. One without a day is counted on the day of the line before it.
    pub bad: u64,
}

impl LinesOfDay {
    pub(super) fn merge(&mut self, other: Self) {
        self.kept += other.kept;
        self.returned += other.returned;
        self.bad += other.bad;
    }
}

/// Where in time the lines stand that are being read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ReadingPosition {
    /// No line had a day yet.
    #[default]
    Unknown,
    /// The last line was of this day.
    On(Day),
    /// The last line was of a day that is not needed: what comes after the night must not count.
    NotNeeded,
}

/// Sales by the hour of the store's day: of the last days up to a night one by one, and of all
/// before together. Lines of one time after the other count once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourCounts {
    night: Day,
    /// The night first.
    by_day: Vec<[u32; 24]>,
    earlier: [u32; 24],
}

impl HourCounts {
    pub(super) fn new(night: Day) -> Self {
        Self {
            night,
            by_day: vec![[0; 24]; DAYS_BY_HOUR],
            earlier: [0; 24],
        }
    }

    /// No sales yet, up to the same night.
    pub(super) fn next(&self) -> Self {
        Self::new(self.night)
    }

    #[inline]
    pub(super) fn count(&mut self, day: Day, hour: usize) {
        let Ok(ago) = usize::try_from(self.night - day) else {
            return; // after the night
        };
        let hours = self.by_day.get_mut(ago).unwrap_or(&mut self.earlier);
        if let Some(sales) = hours.get_mut(hour) {
            *sales += 1;
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (hours, others) in self.by_day.iter_mut().zip(&other.by_day) {
            add_hours(hours, others);
        }
        add_hours(&mut self.earlier, &other.earlier);
    }

    /// The hours of the night's own day.
    #[must_use]
    pub fn of_night(&self) -> [f64; 24] {
        self.by_day
            .first()
            .map_or([0.0; 24], |hours| hours.map(f64::from))
    }

    /// The hours of the last [`DAYS_BY_HOUR`] days.
    #[must_use]
    pub fn of_last_days(&self) -> [f64; 24] {
        let mut sum = [0; 24];
        for hours in &self.by_day {
            add_hours(&mut sum, hours);
        }
        sum.map(f64::from)
    }

    /// The hours of all days before these.
    #[must_use]
    pub fn of_earlier_days(&self) -> [f64; 24] {
        self.earlier.map(f64::from)
    }

    /// The hours of all days.
    #[must_use]
    pub fn of_all_days(&self) -> [f64; 24] {
        let mut all = self.of_last_days();
        for (all, earlier) in all.iter_mut().zip(self.of_earlier_days()) {
            *all += earlier;
        }
        all
    }
}

fn add_hours(hours: &mut [u32; 24], others: &[u32; 24]) {
    for (hour, other) in hours.iter_mut().zip(others) {
        *hour = hour.saturating_add(*other);
    }
}

/// What was read of each day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedDays {
    days: BTreeMap<Day, LinesOfDay>,
    /// By hour, if lines have times of day and there is a night.
    pub hours: Option<HourCounts>,
}

impl FeedDays {
    /// `kept` has the kept lines of all days from `first` on, `others` what else there was.
    pub(super) fn new(
        first: Day,
        kept: &[u64],
        others: BTreeMap<Day, LinesOfDay>,
        hours: Option<HourCounts>,
    ) -> Self {
        let mut days = others;
        for (day, kept) in (0..).zip(kept).filter(|(_, kept)| **kept > 0) {
            days.entry(first + day).or_default().kept = *kept;
        }
        Self { days, hours }
    }

    /// The lines of a day.
    #[must_use]
    pub fn of(&self, day: Day) -> LinesOfDay {
        self.days.get(&day).copied().unwrap_or_default()
    }
}
