//! Which times an input has: what tells whether days have moved.

use std::collections::BTreeSet;

use crate::ingest::time::{
    MICROSECONDS_PER_DAY, MICROSECONDS_PER_HOUR, MICROSECONDS_PER_MINUTE, TimeEvidence,
};

/// As many times of day may be the midnights of one zone: in summer and in winter.
const MIDNIGHTS: usize = 2;

/// More different days are no dates of tickets.
const PLAUSIBLE_DAYS: usize = 50_000;

/// How many offsets are remembered.
const OFFSETS: usize = 8;

/// What times there were. Those of parts of an input are merged.
#[derive(Debug, Clone, Default)]
pub(in crate::ingest) struct TimesSeen {
    /// Whether there were dates without a time of day.
    pub(in crate::ingest) any_date: bool,
    /// Times without a zone.
    pub(in crate::ingest) naive: ClockReadings,
    /// Times with a zone, in UTC.
    pub(in crate::ingest) instants: ClockReadings,
    /// How many minutes the clocks that showed them were ahead of UTC, where they were: some of
    /// these, and how many days differ from those in UTC.
    pub(super) offsets: BTreeSet<i16>,
    pub(super) other_days: u64,
    /// Days that were certain: how often another came, and whether one was after the 12th of its
    /// month.
    pub(in crate::ingest) certain_days: u64,
    pub(in crate::ingest) any_after_twelfth: bool,
    /// What the values tell that could be read in several ways.
    pub(in crate::ingest) evidence: TimeEvidence,
}

impl TimesSeen {
    pub(in crate::ingest) fn merge(&mut self, other: Self) {
        self.any_date |= other.any_date;
        self.naive.merge(other.naive);
        self.instants.merge(other.instants);
        self.offsets.extend(other.offsets);
        self.other_days += other.other_days;
        self.certain_days += other.certain_days;
        self.any_after_twelfth |= other.any_after_twelfth;
        self.evidence.merge(other.evidence);
    }

    /// Notes by how many minutes the clock that showed an instant was ahead of UTC.
    pub(in crate::ingest) fn note_offset(&mut self, instant: i64, ahead: i16) {
        if self.offsets.len() < OFFSETS {
            self.offsets.insert(ahead);
        }
        let shown = instant.saturating_add(i64::from(ahead) * MICROSECONDS_PER_MINUTE);
        let is_other =
            shown.div_euclid(MICROSECONDS_PER_DAY) != instant.div_euclid(MICROSECONDS_PER_DAY);
        self.other_days += u64::from(is_other);
    }

    /// Takes what was seen. Whether there were many times of day stays known.
    pub(in crate::ingest) fn take(&mut self) -> Self {
        let rest = Self {
            naive: self.naive.rest(),
            instants: self.instants.rest(),
            any_after_twelfth: self.any_after_twelfth,
            ..Self::default()
        };
        std::mem::replace(self, rest)
    }
}

/// At what hours, and at which times of day, something was sold.
#[derive(Debug, Clone, Default)]
pub(in crate::ingest) struct ClockReadings {
    /// Tickets by hour, as far as one differs in time from the one before.
    pub(super) hours: [u64; 24],
    /// The times of day, while they are few, and the times themselves, in microseconds.
    times_of_day: BTreeSet<i64>,
    times: BTreeSet<i64>,
    has_many: bool,
}

impl ClockReadings {
    /// Notes a time that differs from the last one, in microseconds since 1970-01-01.
    #[inline]
    pub(super) fn note(&mut self, time: i64) {
        let of_day = time.rem_euclid(MICROSECONDS_PER_DAY);
        if let Some(hour) = self
            .hours
            .get_mut((of_day / MICROSECONDS_PER_HOUR) as usize)
        {
            *hour += 1;
        }
        if !self.has_many {
            self.note_few(time, of_day);
        }
    }

    #[cold]
    fn note_few(&mut self, time: i64, of_day: i64) {
        self.times_of_day.insert(of_day);
        self.times.insert(time);
        self.forget_many();
    }

    fn forget_many(&mut self) {
        if self.times_of_day.len() > MIDNIGHTS || self.times.len() > PLAUSIBLE_DAYS {
            self.has_many = true;
        }
        if self.has_many {
            self.times_of_day.clear();
            self.times.clear();
        }
    }

    fn merge(&mut self, other: Self) {
        for (hour, others) in self.hours.iter_mut().zip(other.hours) {
            *hour += others;
        }
        self.has_many |= other.has_many;
        self.times_of_day.extend(other.times_of_day);
        self.times.extend(other.times);
        self.forget_many();
    }

    /// Nothing, but whether there were many times of day.
    fn rest(&self) -> Self {
        Self {
            has_many: self.has_many,
            ..Self::default()
        }
    }

    /// Whether there were any.
    pub(in crate::ingest) fn are_none(&self) -> bool {
        self.hours.iter().all(|tickets| *tickets == 0)
    }

    /// All times, where they fall on few times of the day; and these times of day.
    pub(super) fn few(&self) -> Option<(&BTreeSet<i64>, Vec<i64>)> {
        let are_few = !self.has_many && !self.times.is_empty();
        are_few.then(|| (&self.times, self.times_of_day.iter().copied().collect()))
    }
}
