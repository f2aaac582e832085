//! How a timing model is calibrated by what an earlier fit said on nights that it had not seen.

use serde::{Deserialize, Serialize};

use super::person_days::LongGoneAfter;
use super::strength::HazardStrength;
use super::{CalibrationSample, ReturnTimeDistribution};
use crate::calendar::HORIZON_DAYS;
use crate::domain::RETURN_HORIZONS;
use crate::models::boosting::{log_odds, sigmoid};
use crate::models::calibration::{Platt, fit_shift};
use crate::stats::conformal_quantile;

/// Nights that the data follow for fewer days do not calibrate intervals: too many customers who
/// have not returned yet still will.
const LEAST_FOLLOWED_FOR_INTERVALS: i32 = 14;
/// Share of the outcomes that an interval should hold.
const COVERAGE: f64 = 0.8;
/// Edges of the groups that intervals are calibrated for, in median days to the next purchase.
const GROUP_EDGES: [f64; 2] = [2.5, 5.5];
/// How many groups these are.
const GROUPS: usize = GROUP_EDGES.len() + 1;
/// Fewest samples that calibrate a group of its own.
const MIN_GROUP: usize = 150;
/// The mass that intervals must exceed on most stores to hold [`COVERAGE`]. It is below that since
/// days are whole: the smallest interval that exceeds a mass has rather more.
const USUAL_MASS: f64 = 0.77;
/// How much the nights of one store count beside [`USUAL_MASS`]. They are of one to three months,
/// in which a store differs from the months to come, however many customers it has.
const OWN_WEIGHT: f64 = 0.5;
/// The mass where too little is known to calibrate: rather too wide.
const UNCALIBRATED_MASS: f64 = 0.85;

/// An 80 % interval that goes on beyond a day by which so many return would leave out what is likelier.
const ENOUGH_RETURN: f64 = 0.9;

/// Return probabilities are drawn to the uncalibrated ones by at least this weight.
const LEAST_RETURN_PENALTY: f64 = 1_000.0;
/// And by so much for each sample: that a month was different from those that the fit knew does not
/// average out with more customers.
const RETURN_PENALTY_OF_SAMPLE: f64 = 0.5;

/// From so many days after the latest purchase on, a customer is *away*, and has a calibration of
/// their own.
const AWAY_DAYS: i32 = 28;
/// Those who are away, and those of them who are long gone.
const AWAY_GROUPS: usize = 2;
/// As [`LEAST_RETURN_PENALTY`].
const LEAST_AWAY_PENALTY: f64 = 30.0;
/// As [`RETURN_PENALTY_OF_SAMPLE`].
const AWAY_PENALTY_OF_SAMPLE: f64 = 0.1;

/// Whether a customer whose latest purchase is so many days ago is away.
pub(in crate::models) fn is_away(elapsed: i32) -> bool {
    elapsed >= AWAY_DAYS
}

/// What is added to the log-odds of a return of customers who are away, for each group of them.
type AwayShifts = [[f64; RETURN_HORIZONS.len()]; AWAY_GROUPS];

/// What later nights say about a fit: how strong its hazards are, what its probabilities of a
/// return mean, and how much an interval must hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TimingCalibration {
    pub(super) hazards: HazardStrength,
    pub(super) returns: [Platt; RETURN_HORIZONS.len()],
    /// `None` in models of former versions, which did not tell them from the others.
    pub(super) away: Option<AwayShifts>,
    /// Mass that a nested interval must exceed, one for each group of expected days.
    pub(super) interval_masses: [f64; GROUPS],
    /// When hazards are as the trees say again, and when customers who are away are another group.
    pub(super) long_gone: LongGoneAfter,
}

impl TimingCalibration {
    /// Of a fit of which no later night is known.
    pub(super) const fn uncalibrated(long_gone: LongGoneAfter) -> Self {
        Self {
            hazards: HazardStrength::FULL,
            returns: [Platt::IDENTITY; RETURN_HORIZONS.len()],
            away: None,
            interval_masses: [UNCALIBRATED_MASS; GROUPS],
            long_gone,
        }
    }

    /// As files of format versions 1 and 2 hold it.
    pub(super) fn version_2(
        returns: [Platt; RETURN_HORIZONS.len()],
        interval_masses: [f64; GROUPS],
    ) -> Self {
        Self {
            returns,
            interval_masses,
            ..Self::uncalibrated(LongGoneAfter::LEAST)
        }
    }

    /// Of samples in a fixed order.
    pub(super) fn of(samples: &[CalibrationSample], long_gone: LongGoneAfter) -> Self {
        let scored: Vec<&CalibrationSample> = samples.iter().filter(|it| it.is_scored).collect();
        let hazards = HazardStrength::of(&scored);
        let at_strength: Vec<CalibrationSample>;
        let samples = if hazards == HazardStrength::FULL {
            samples
        } else {
            let weakened = samples.iter().map(|it| it.at_strength(hazards, long_gone));
            at_strength = weakened.collect();
            &at_strength
        };
        let of_group = |group: Option<usize>| -> Vec<&CalibrationSample> {
            let is_in = |it: &&CalibrationSample| away_group(it.elapsed, long_gone) == group;
            samples.iter().filter(is_in).collect()
        };
        let scored: Vec<&CalibrationSample> = samples.iter().filter(|it| it.is_scored).collect();
        Self {
            hazards,
            returns: return_calibration(&of_group(None)),
            away: Some(std::array::from_fn(|group| {
                away_calibration(&of_group(Some(group)))
            })),
            interval_masses: interval_masses(&scored),
            long_gone,
        }
    }

    /// The hazard so many days after the latest purchase, of the one that the trees say.
    pub(super) fn hazard(&self, hazard: f64, elapsed: i32) -> f64 {
        self.hazards.hazard(hazard, elapsed, self.long_gone)
    }

    /// The probabilities of a return within each of [`RETURN_HORIZONS`], ascending, of a customer whose
    /// latest purchase is so many days ago.
    pub(super) fn return_probabilities(
        &self,
        return_time: &ReturnTimeDistribution,
        elapsed: i32,
    ) -> [f64; RETURN_HORIZONS.len()] {
        let mut least = 0.0;
        std::array::from_fn(|position| {
            let uncalibrated = return_time.within(RETURN_HORIZONS[position]);
            let calibrated = self.return_probability(position, uncalibrated, elapsed);
            least = f64::max(calibrated, least);
            least
        })
    }

    /// The distribution that has the calibrated probabilities of a return. In models of former versions,
    /// which have no group of those who are away, it is the uncalibrated one.
    pub(super) fn distribution(
        &self,
        return_time: &ReturnTimeDistribution,
        returns: [f64; RETURN_HORIZONS.len()],
    ) -> ReturnTimeDistribution {
        match self.away {
            Some(_) => return_time.with_returns(RETURN_HORIZONS, returns),
            None => return_time.clone(),
        }
    }

    /// The median and the interval as they are published beside these probabilities of a return, which
    /// are calibrated apart from them and would contradict them now and then. The median lies within a
    /// horizon if half return within it, and after it otherwise; an interval does not go on beyond a
    /// horizon within which [`ENOUGH_RETURN`] do. Models of former versions say what they always said.
    pub(super) fn in_agreement(
        &self,
        mut median: i32,
        (first, mut last): (i32, i32),
        returns: [f64; RETURN_HORIZONS.len()],
    ) -> (i32, (i32, i32)) {
        if self.away.is_some() {
            for (horizon, within) in RETURN_HORIZONS.into_iter().zip(returns) {
                let horizon = horizon as i32;
                median = match within >= 0.5 {
                    true => median.min(horizon),
                    false => median.max(horizon + 1).min(HORIZON_DAYS),
                };
                if within >= ENOUGH_RETURN {
                    last = last.min(horizon);
                }
            }
        }
        (median, (first.min(median), last.max(median)))
    }

    /// The 80 % interval: first and last day after the night.
    pub(super) fn interval(&self, return_time: &ReturnTimeDistribution) -> (i32, i32) {
        return_time.interval(self.interval_masses[group(return_time)])
    }

    /// The probability of a return within the horizon at a position of [`RETURN_HORIZONS`], of a
    /// customer whose latest purchase is so many days ago.
    fn return_probability(&self, position: usize, probability: f64, elapsed: i32) -> f64 {
        match self.away.zip(away_group(elapsed, self.long_gone)) {
            Some((shifts, group)) => sigmoid(log_odds(probability) + shifts[group][position]),
            None => self.returns[position].probability(probability),
        }
    }

    pub(super) fn is_consistent(&self) -> bool {
        self.hazards.is_consistent()
            && self.long_gone.is_consistent()
            && self.returns.iter().all(Platt::is_consistent)
            && self
                .away
                .iter()
                .flatten()
                .flatten()
                .all(|shift| shift.is_finite())
            && self
                .interval_masses
                .iter()
                .all(|mass| (0.0..=1.0).contains(mass))
    }
}

/// The group of those who are away that the days since the latest purchase are in; `None` of
/// customers who are not away. Whether a run scores them does not matter: a prediction does not ask
/// either.
fn away_group(elapsed: i32, long_gone: LongGoneAfter) -> Option<usize> {
    is_away(elapsed).then(|| usize::from(long_gone.is_reached(elapsed)))
}

/// The outcomes of those samples that the data follow for the horizon, with the log-odds of a
/// return within it.
fn outcomes<'a>(
    samples: impl Iterator<Item = &'a CalibrationSample>,
    horizon: u32,
) -> Vec<(f64, bool)> {
    samples
        .filter_map(|sample| sample.return_within(horizon))
        .collect()
}

/// The calibration of the probabilities of a return within each of [`RETURN_HORIZONS`].
pub(super) fn return_calibration(samples: &[&CalibrationSample]) -> [Platt; RETURN_HORIZONS.len()] {
    RETURN_HORIZONS.map(|horizon| {
        let points = outcomes(samples.iter().copied(), horizon);
        let penalty = RETURN_PENALTY_OF_SAMPLE * points.len() as f64;
        Platt::fit(&points, penalty.max(LEAST_RETURN_PENALTY))
    })
}

/// What is added to the log-odds of a group of customers who are away.
fn away_calibration(samples: &[&CalibrationSample]) -> [f64; RETURN_HORIZONS.len()] {
    RETURN_HORIZONS.map(|horizon| {
        let points: Vec<(f64, f64)> = outcomes(samples.iter().copied(), horizon)
            .into_iter()
            .map(|(x, returned)| (x, f64::from(u8::from(returned))))
            .collect();
        let penalty = AWAY_PENALTY_OF_SAMPLE * points.len() as f64;
        fit_shift(&points, penalty + LEAST_AWAY_PENALTY)
    })
}

/// The group whose intervals are calibrated together with those of this distribution.
pub(super) fn group(return_time: &ReturnTimeDistribution) -> usize {
    let median = return_time.median();
    GROUP_EDGES.iter().filter(|edge| median > **edge).count()
}

/// Whether a sample says anything about intervals.
fn calibrates_intervals(sample: &CalibrationSample) -> bool {
    sample.is_scored && sample.followed >= LEAST_FOLLOWED_FOR_INTERVALS
}

/// How many samples calibrate intervals, if they are too few for it.
#[must_use]
pub fn too_few_for_intervals(samples: &[CalibrationSample]) -> Option<usize> {
    let count = samples.iter().filter(|it| calibrates_intervals(it)).count();
    (count < MIN_GROUP).then_some(count)
}

/// The mass that an interval of each group must exceed to hold the share [`COVERAGE`] of the
/// outcomes: split-conformal (Papadopoulos et al., ECML 2002), drawn half-way to what most stores
/// need. A small group gets the mass of all groups together.
///
/// A customer who has not come back while the data follow counts as held by no interval.
pub(super) fn interval_masses(samples: &[&CalibrationSample]) -> [f64; GROUPS] {
    let followed: Vec<&CalibrationSample> = samples
        .iter()
        .copied()
        .filter(|sample| calibrates_intervals(sample))
        .collect();
    let all = sorted_scores(&followed);
    if all.len() < MIN_GROUP {
        return [UNCALIBRATED_MASS; GROUPS];
    }
    std::array::from_fn(|wanted| {
        let of_group: Vec<&CalibrationSample> = followed
            .iter()
            .copied()
            .filter(|sample| group(&sample.return_time) == wanted)
            .collect();
        let own = sorted_scores(&of_group);
        let scores = if own.len() < MIN_GROUP { &all } else { &own };
        let mass = conformal_quantile(scores, COVERAGE).unwrap_or(1.0);
        OWN_WEIGHT * mass + (1.0 - OWN_WEIGHT) * USUAL_MASS
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
