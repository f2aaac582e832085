//! What a fit said on nights that it had not seen, and what became of it: calibrates intervals and
//! return probabilities.

use super::ReturnTimeDistribution;
use crate::calendar::Day;
use crate::domain::RETURN_HORIZONS;
use crate::models::boosting::log_odds;
use crate::models::calibration::Platt;
use crate::stats::conformal_quantile;

/// Nights that the data follow for fewer days calibrate nothing.
pub const LEAST_FOLLOWED: i32 = 7;
/// Nights that the data follow for fewer days do not calibrate intervals: too many customers who
/// have not returned yet still will.
const LEAST_FOLLOWED_FOR_INTERVALS: i32 = 14;
/// Share of the outcomes that an interval should hold.
pub(super) const COVERAGE: f64 = 0.8;
/// Edges of the groups that intervals are calibrated for, in median days to the next purchase.
const GROUP_EDGES: [f64; 2] = [2.5, 5.5];
/// How many groups these are.
pub(super) const GROUPS: usize = GROUP_EDGES.len() + 1;
/// Fewest samples that calibrate a group of its own.
const MIN_GROUP: usize = 150;
/// Return probabilities are drawn to the uncalibrated ones as by this many samples.
const PLATT_PRIOR: f64 = 100.0;

/// What a fit said on a night that it had not seen, and what became of it.
#[derive(Debug, Clone)]
pub struct CalibrationSample {
    pub(super) customer: u32,
    pub(super) night: Day,
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

    /// The log-odds of a return within the horizon, and whether there was one; `None` where the
    /// data end before.
    fn return_within(&self, horizon: u32) -> Option<(f64, bool)> {
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

/// The calibration of the probabilities of a return within each of [`RETURN_HORIZONS`].
pub(super) fn return_calibration(samples: &[CalibrationSample]) -> [Platt; RETURN_HORIZONS.len()] {
    RETURN_HORIZONS.map(|horizon| {
        let points: Vec<(f64, bool)> = samples
            .iter()
            .filter_map(|sample| sample.return_within(horizon))
            .collect();
        Platt::fit(&points, PLATT_PRIOR)
    })
}

/// The group whose intervals are calibrated together with those of this distribution.
pub(super) fn group(return_time: &ReturnTimeDistribution) -> usize {
    let median = return_time.median();
    GROUP_EDGES.iter().filter(|edge| median > **edge).count()
}

/// The mass that an interval of each group must exceed to hold the share [`COVERAGE`] of the
/// outcomes: split-conformal (Papadopoulos et al., ECML 2002). A small group gets the mass of all
/// groups together; `None` where these are few.
///
/// A customer who has not come back while the data follow counts as held by no interval.
pub(super) fn interval_masses(samples: &[CalibrationSample]) -> Option<[f64; GROUPS]> {
    let followed: Vec<&CalibrationSample> = samples
        .iter()
        .filter(|sample| sample.followed >= LEAST_FOLLOWED_FOR_INTERVALS)
        .collect();
    let all = sorted_scores(&followed);
    (all.len() >= MIN_GROUP).then(|| {
        std::array::from_fn(|wanted| {
            let of_group: Vec<&CalibrationSample> = followed
                .iter()
                .copied()
                .filter(|sample| group(&sample.return_time) == wanted)
                .collect();
            let own = sorted_scores(&of_group);
            let scores = if own.len() < MIN_GROUP { &all } else { &own };
            conformal_quantile(scores, COVERAGE).unwrap_or(1.0)
        })
    })
}

fn sorted_scores(samples: &[&CalibrationSample]) -> Vec<f64> {
    let mut scores: Vec<f64> = samples
        .iter()
        .map(|sample| sample.return_time.conformal_score(sample.days))
        .collect();
    scores.sort_unstable_by(f64::total_cmp);
    scores
}
