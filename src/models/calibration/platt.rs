//! Logistic recalibration by slope and intercept.

use serde::{Deserialize, Serialize};

use crate::models::boosting::{log_odds, sigmoid};

/// Steps of Newton's method at most.
const MAX_STEPS: usize = 50;

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

    /// Fits to `(log-odds, outcome)`, drawn to the identity by a penalty of half this weight on the
    /// squares of the intercept and of what the slope differs from 1.
    #[must_use]
    pub fn fit(points: &[(f64, bool)], penalty: f64) -> Self {
        // A falling map would turn the order round: then the log-odds say nothing and stay as they
        // are.
        match LogisticLine::fit(points, penalty) {
            Some(line) if line.slope > 0.05 => Self {
                intercept: line.intercept,
                slope: line.slope,
            },
            _ => Self::IDENTITY,
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

/// A logistic regression of outcomes on one variable.
#[derive(Debug, Clone, Copy)]
pub struct LogisticLine {
    /// The log-odds at 0.
    pub intercept: f64,
    /// What the log-odds rise by for 1.
    pub slope: f64,
    /// The standard error of the slope, for independent outcomes.
    pub slope_error: f64,
}

impl LogisticLine {
    /// Fits to `(variable, outcome)` by Newton's method, drawn to intercept 0 and slope 1 by a
    /// penalty of half this weight on the squares. `None` where the data do not determine it.
    #[must_use]
    pub fn fit(points: &[(f64, bool)], penalty: f64) -> Option<Self> {
        let (mut a, mut b) = (0.0, 1.0);
        for _ in 0..MAX_STEPS {
            let mut gradient = [-penalty * a, -penalty * (b - 1.0)];
            let mut hessian = [penalty, 0.0, penalty];
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
            if determinant.is_nan() || determinant <= 1e-12 * hessian[0] * hessian[2] {
                return None;
            }
            let step = [
                (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant,
                (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant,
            ];
            a += step[0].clamp(-1.0, 1.0);
            b += step[1].clamp(-1.0, 1.0);
            if step[0].abs() + step[1].abs() < 1e-10 {
                return Some(Self {
                    intercept: a,
                    slope: b,
                    slope_error: (hessian[0] / determinant).sqrt(),
                });
            }
        }
        None
    }
}

/// The shift of log-odds after which `(log-odds, probability)` say as much as the probabilities
/// together, drawn to 0 by a penalty of half this weight on its square. An outcome has the
/// probability 0 or 1.
#[must_use]
pub fn fit_shift(points: &[(f64, f64)], penalty: f64) -> f64 {
    let mut shift = 0.0;
    for _ in 0..MAX_STEPS {
        let (mut gradient, mut hessian) = (-penalty * shift, penalty);
        for (x, wanted) in points {
            let p = sigmoid(shift + x);
            gradient += wanted - p;
            hessian += p * (1.0 - p);
        }
        let step = gradient / hessian.max(1e-9);
        shift += step.clamp(-1.0, 1.0);
        if step.abs() < 1e-10 {
            break;
        }
    }
    shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::{hash, unit};

    #[test]
    fn a_shift_gives_the_mean_that_is_wanted() {
        let points: Vec<(f64, f64)> = (0..1_000)
            .map(|i| {
                (
                    4.0 * unit(hash(1, &[i])) - 2.0,
                    f64::from(u8::from(i % 5 == 0)),
                )
            })
            .collect();
        let sum = |shift: f64| points.iter().map(|(x, _)| sigmoid(x + shift)).sum::<f64>();
        let free = fit_shift(&points, 0.0);
        assert!((sum(free) - 200.0).abs() < 1e-6, "{}", sum(free));
        let drawn = fit_shift(&points, 200.0);
        assert!(free < 0.6 * drawn && drawn < 0.0, "{free} {drawn}");
        assert_eq!(fit_shift(&[], 0.0), 0.0);
    }

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
