//! How far hazards are from one another: as far as later nights support.

use serde::{Deserialize, Serialize};

use super::CalibrationSample;
use super::person_days::LongGoneAfter;
use crate::models::boosting::{log_odds, sigmoid};
use crate::models::calibration::{LogisticLine, fit_shift};

/// Fewer samples are too few to say anything.
const LEAST_SAMPLES: usize = 150;
/// The days after a night that are looked at: nights are as many days apart, and so a person-day
/// counts once.
const DAYS: usize = 2;

/// The strength that the differences between hazards are taken at. Trees find differences where
/// there are none, too: on a store where all customers come at one rate, what they learned does not
/// hold on later nights, and the median for everyone is the better date.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct HazardStrength {
    /// From 0, all the same, to 1, as the trees say.
    strength: f64,
    /// What keeps the mean hazard as it is.
    shift: f64,
}

impl HazardStrength {
    /// As the trees say.
    pub(super) const FULL: Self = Self {
        strength: 1.0,
        shift: 0.0,
    };

    /// The slope of what happened on what was said, and two standard errors more: hazards lose
    /// strength only where it is certain that they have too much.
    pub(super) fn of(samples: &[&CalibrationSample]) -> Self {
        if samples.len() < LEAST_SAMPLES {
            return Self::FULL;
        }
        let points: Vec<(f64, bool)> = samples
            .iter()
            .flat_map(|sample| sample.person_days(DAYS))
            .collect();
        let Some(line) = LogisticLine::fit(&points, 0.0) else {
            return Self::FULL;
        };
        let strength = line.slope + 2.0 * line.slope_error;
        if strength.is_nan() || strength >= 1.0 {
            return Self::FULL;
        }
        let strength = strength.max(0.0);
        Self {
            strength,
            shift: shift_that_keeps_the_mean(&points, strength),
        }
    }

    /// The hazard at this strength, so many days after the latest purchase, of the hazard that the
    /// trees say. It is theirs where the customer is long gone: the nights that say the strength
    /// have no such customers.
    pub(super) fn hazard(self, hazard: f64, elapsed: i32, long_gone: LongGoneAfter) -> f64 {
        if self == Self::FULL || long_gone.is_reached(elapsed) || hazard <= 0.0 {
            hazard
        } else {
            sigmoid(self.shift + self.strength * log_odds(hazard))
        }
    }

    pub(super) fn is_consistent(self) -> bool {
        (0.0..=1.0).contains(&self.strength) && self.shift.is_finite()
    }
}

/// The shift of log-odds at a strength that leaves their mean probability as it is.
fn shift_that_keeps_the_mean(points: &[(f64, bool)], strength: f64) -> f64 {
    let wanted: Vec<(f64, f64)> = points
        .iter()
        .map(|(x, _)| (strength * x, sigmoid(*x)))
        .collect();
    fit_shift(&wanted, 0.0)
}
