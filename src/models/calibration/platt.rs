//! Logistic recalibration by slope and intercept.

use serde::{Deserialize, Serialize};

use crate::models::boosting::{log_odds, sigmoid};

/// Logistic recalibration of log-odds by slope and intercept (Platt 1999), for outcomes too few for
/// [`Isotonic`](super::Isotonic).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Platt {
    intercept: f64,
    slope: f64,
}

impl Platt {
    /// The map that changes nothing.
    pub const IDENTITY: Platt = Platt {
        intercept: 0.0,
        slope: 1.0,
    };

    /// A map with a given slope and intercept.
    #[cfg(test)]
    pub(in crate::models) const fn new(intercept: f64, slope: f64) -> Self {
        Self { intercept, slope }
    }

    /// Fits to `(log-odds, outcome)` by Newton's method, drawn to the identity as by `prior`
    /// outcomes.
    #[must_use]
    pub fn fit(points: &[(f64, bool)], prior: f64) -> Self {
        let (mut a, mut b) = (0.0, 1.0);
        for _ in 0..30 {
            let mut gradient = [-prior * 0.1 * a, -prior * 0.1 * (b - 1.0)];
            let mut hessian = [prior * 0.1 + 1e-9, 0.0, prior * 0.1 + 1e-9];
            for (x, hit) in points {
                let p = sigmoid(a + b * x);
                let (error, weight) = (f64::from(u8::from(*hit)) - p, p * (1.0 - p));
                gradient[0] += error;
                gradient[1] += error * x;
                hessian[0] += weight;
                hessian[1] += weight * x;
                hessian[2] += weight * x * x;
            }
            let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
            if determinant.abs() < 1e-12 {
                return Self::IDENTITY;
            }
            let step = [
                (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant,
                (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant,
            ];
            a += step[0].clamp(-1.0, 1.0);
            b += step[1].clamp(-1.0, 1.0);
            if step[0].abs() + step[1].abs() < 1e-10 {
                break;
            }
        }
        // A falling map would turn the order round: then the log-odds say nothing and stay as they
        // are.
        if b <= 0.05 || !a.is_finite() || !b.is_finite() {
            Self::IDENTITY
        } else {
            Self {
                intercept: a,
                slope: b,
            }
        }
    }

    /// The recalibrated probability.
    #[must_use]
    pub fn probability(&self, probability: f64) -> f64 {
        sigmoid(self.intercept + self.slope * log_odds(probability))
    }

    /// Whether slope and intercept are finite and the map rises.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.intercept.is_finite() && self.slope.is_finite() && self.slope > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::{hash, unit};

    #[test]
    fn platt_recovers_slope_and_intercept() {
        let truth = |score: f64| sigmoid(0.7 * score - 0.4);
        let score = |i: u64| unit(hash(1, &[i])) * 6.0 - 4.0;
        let data: Vec<(f64, bool)> = (0..20_000)
            .map(|i| (score(i), unit(hash(2, &[i])) < truth(score(i))))
            .collect();
        let fitted = Platt::fit(&data, 20.0);
        assert!(
            (fitted.slope - 0.7).abs() < 0.05 && (fitted.intercept + 0.4).abs() < 0.06,
            "{fitted:?}"
        );
        assert_eq!(Platt::fit(&[], 20.0), Platt::IDENTITY);
    }
}
