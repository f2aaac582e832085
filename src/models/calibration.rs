//! Calibration: of the pairs said to have 0.3, 30 % are bought.

use serde::{Deserialize, Serialize};

use super::boosting::{log_odds, sigmoid};

/// Isotonic regression of outcomes on log-odds, by pool-adjacent-violators (Ayer et al., Annals of
/// Mathematical Statistics 1955; Zadrozny & Elkan, KDD 2002), read off by linear interpolation
/// between the blocks. A small share of the uncalibrated probability keeps the order of pairs that
/// share a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Mean log-odds of each block, ascending.
    from: Vec<f64>,
    /// Calibrated log-odds of each block, ascending.
    to: Vec<f64>,
}

/// Outcomes are averaged in this many groups of equal weight before blocks are pooled.
const GROUPS: usize = 100;
/// Log-odds between blocks move at least this much for each unit of uncalibrated log-odds.
const LEAST_SLOPE: f64 = 0.02;

impl Isotonic {
    /// The map that changes nothing.
    #[must_use]
    pub fn identity() -> Self {
        Self {
            from: vec![],
            to: vec![],
        }
    }

    /// Fits to `(log-odds, outcome, weight)`. Too few outcomes (under 200, or 20 of either kind)
    /// give the identity.
    #[must_use]
    pub fn fit(mut points: Vec<(f64, bool, f64)>) -> Self {
        let hits = points.iter().filter(|(_, hit, _)| *hit).count();
        if points.len() < 200 || hits < 20 || points.len() - hits < 20 {
            return Self::identity();
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = points.iter().map(|(_, _, weight)| weight).sum();
        // A block: weight, weighted log-odds, weighted hits.
        let mut blocks: Vec<[f64; 3]> = vec![];
        let mut group = [0.0; 3];
        for (score, hit, weight) in &points {
            group[0] += weight;
            group[1] += weight * score;
            group[2] += weight * f64::from(u8::from(*hit));
            if group[0] >= total / GROUPS as f64 {
                push(&mut blocks, group);
                group = [0.0; 3];
            }
        }
        if group[0] > 0.0 {
            push(&mut blocks, group);
        }
        let mut furthest = f64::NEG_INFINITY;
        let from = blocks.iter().map(|[weight, score, _]| {
            // Blocks of one and the same score differ by rounding.
            furthest = (score / weight).max(furthest);
            furthest
        });
        let from = from.collect();
        // Half an outcome of either kind keeps the log-odds of a pure block finite.
        let mean = points.iter().map(|(_, _, weight)| weight).sum::<f64>() / points.len() as f64;
        let mut highest = f64::NEG_INFINITY;
        let smoothed = blocks.iter().map(|[weight, _, hits]| {
            // A small block is smoothed more than its neighbour, which could turn their order
            // round.
            highest = log_odds((hits + 0.5 * mean) / (weight + mean)).max(highest);
            highest
        });
        Self {
            from,
            to: smoothed.collect(),
        }
    }

    /// The calibrated probability of a pair with these log-odds; strictly increasing.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        let at = self.from.partition_point(|from| *from <= score);
        let mapped = match (at.checked_sub(1), self.from.len()) {
            (_, 0) => score,
            (None, _) => self.to[0] + (score - self.from[0]),
            (Some(before), n) if before + 1 == n => {
                self.to[before] + (score - self.from[before]).min(1.0)
            }
            (Some(before), _) => {
                let share = (score - self.from[before])
                    / (self.from[before + 1] - self.from[before]).max(1e-12);
                self.to[before] + share * (self.to[before + 1] - self.to[before])
            }
        };
        sigmoid(mapped + LEAST_SLOPE * (score - mapped).clamp(-50.0, 50.0)).clamp(1e-6, 1.0 - 1e-6)
    }

    /// Whether the blocks are finite, ascending and paired.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        let ascending = |values: &[f64]| {
            values.iter().all(|v| v.is_finite()) && values.windows(2).all(|pair| pair[0] <= pair[1])
        };
        self.from.len() == self.to.len() && ascending(&self.from) && ascending(&self.to)
    }
}

fn push(blocks: &mut Vec<[f64; 3]>, block: [f64; 3]) {
    blocks.push(block);
    while let [.., a, b] = blocks.as_mut_slice() {
        if a[2] / a[0] < b[2] / b[0] {
            break;
        }
        (0..3).for_each(|i| a[i] += b[i]);
        blocks.pop();
    }
}

/// Logistic recalibration of log-odds by slope and intercept (Platt 1999), for outcomes too few for
/// [`Isotonic`].
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

    fn points(truth: impl Fn(f64) -> f64) -> Vec<(f64, bool, f64)> {
        let score = |i: u64| unit(hash(1, &[i])) * 6.0 - 4.0;
        (0..20_000)
            .map(|i| (score(i), unit(hash(2, &[i])) < truth(score(i)), 1.0))
            .collect()
    }

    #[test]
    fn isotonic_finds_the_truth_and_keeps_the_order() {
        let truth = |score: f64| sigmoid(0.5 * score - 1.0);
        let fitted = Isotonic::fit(points(truth));
        for score in [-3.5, -2.0, -0.5, 1.0] {
            assert!(
                (fitted.probability(score) - truth(score)).abs() < 0.03,
                "{score}: {}",
                fitted.probability(score)
            );
        }
        let probabilities: Vec<f64> = (-500..300)
            .map(|i| fitted.probability(f64::from(i) / 100.0))
            .collect();
        assert!(probabilities.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(fitted.is_consistent());
    }

    #[test]
    fn few_outcomes_change_nothing() {
        let fitted = Isotonic::fit(points(|_| 0.5).into_iter().take(100).collect());
        assert!((fitted.probability(0.4) - sigmoid(0.4)).abs() < 1e-12);
    }

    #[test]
    fn platt_recovers_slope_and_intercept() {
        let data: Vec<(f64, bool)> = points(|score| sigmoid(0.7 * score - 0.4))
            .into_iter()
            .map(|(x, hit, _)| (x, hit))
            .collect();
        let fitted = Platt::fit(&data, 20.0);
        assert!(
            (fitted.slope - 0.7).abs() < 0.05 && (fitted.intercept + 0.4).abs() < 0.06,
            "{fitted:?}"
        );
        assert_eq!(Platt::fit(&[], 20.0), Platt::IDENTITY);
    }
}
