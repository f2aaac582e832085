//! What a fit said on nights that it had not seen, and what became of it: calibrates intervals and
//! return probabilities.

use super::ReturnTimeDistribution;
use super::person_days::LongGoneAfter;
use super::strength::HazardStrength;
use crate::calendar::Day;
use crate::models::boosting::log_odds;

/// Nights that the data follow for fewer days calibrate nothing.
pub const LEAST_FOLLOWED: i32 = 7;

/// What a fit said on a night that it had not seen, and what became of it.
#[derive(Debug, Clone)]
pub struct CalibrationSample {
    pub(super) customer: u32,
    pub(super) night: Day,
    /// Whether a run would have scored the customer.
    pub(super) is_scored: bool,
    /// Days from the latest purchase to the night.
    pub(super) elapsed: i32,
    pub(super) return_time: ReturnTimeDistribution,
    /// Days to the next purchase, if it is known by now.
    pub(super) days: Option<i32>,
    /// How many days after the night are known.
    pub(super) followed: i32,
}

impl CalibrationSample {
    /// By night, then by customer: the order in which calibration sums.
    #[must_use]
    pub fn key(&self) -> (Day, u32) {
        (self.night, self.customer)
    }

    /// The same as it was known on an earlier day; `None` before the night.
    #[must_use]
    pub fn known_by(&self, end: Day) -> Option<Self> {
        let followed = end - self.night;
        let days = self.days.filter(|days| *days <= followed);
        (followed >= 0).then(|| Self {
            return_time: self.return_time.clone(),
            days,
            followed,
            ..*self
        })
    }

    /// Whether it is known for long enough to calibrate with.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.followed >= LEAST_FOLLOWED
    }

    /// The first `days` days after the night, up to the next purchase: the log-odds of a purchase on
    /// each, given none before, and whether there was one.
    pub(super) fn person_days(&self, days: usize) -> impl Iterator<Item = (f64, bool)> {
        let last = self.days.unwrap_or(i32::MAX).min(self.followed);
        let bought = self.days;
        (1..=last)
            .zip(self.return_time.hazards())
            .take(days)
            // Nobody can come on a day on which the store is always closed.
            .filter(|(_, hazard)| *hazard > 0.0)
            .map(move |(day, hazard)| (log_odds(hazard), bought == Some(day)))
    }

    /// The same with hazards at a strength.
    pub(super) fn at_strength(&self, strength: HazardStrength, long_gone: LongGoneAfter) -> Self {
        let hazards = (self.elapsed..)
            .zip(self.return_time.hazards())
            .map(|(elapsed, hazard)| strength.hazard(hazard, elapsed, long_gone));
        Self {
            return_time: ReturnTimeDistribution::from_hazards(hazards),
            ..*self
        }
    }

    /// The log-odds of a return within the horizon, and whether there was one; `None` where the
    /// data end before.
    pub(super) fn return_within(&self, horizon: u32) -> Option<(f64, bool)> {
        (self.followed >= days_of(horizon)).then(|| {
            (
                log_odds(self.return_time.within(horizon)),
                self.days.is_some_and(|days| days <= days_of(horizon)),
            )
        })
    }
}

fn days_of(horizon: u32) -> i32 {
    i32::try_from(horizon).unwrap_or(i32::MAX)
}
