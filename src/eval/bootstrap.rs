//! Confidence intervals by bootstrap over customers (Efron 1979): a customer's nights stay together, since they are not independent.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::metrics::NightRows;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// 2.5 % of the replicates lie below.
    pub low: f64,
    /// 2.5 % of the replicates lie above.
    pub high: f64,
}

/// The figures that get an interval: name, whether smaller is better, and its value for a row.
pub const FIGURES: [&str; 4] = ["mae_all", "mae", "recall@10", "ndcg@10"];
const REPLICATES: usize = 1_000;
const AT_10: usize = 1;

/// Sum and count of each figure.
type Sums = [(f64, f64); FIGURES.len()];

/// Sums by customer, customers in the order of their ids.
pub(super) fn by_customer(nights: &[NightRows]) -> Vec<Sums> {
    let mut customers = std::collections::BTreeMap::<&str, Sums>::new();
    for night in nights {
        for row in &night.rows {
            let ranking = row.rankings.and_then(|rankings| rankings.get(AT_10).copied());
            let values =
                [row.error_all(night.followed), row.error(), ranking.map(|ranking| ranking.recall), ranking.map(|ranking| ranking.ndcg)];
            let sums = customers.entry(&row.customer).or_default();
            for (sum, value) in sums.iter_mut().zip(values) {
                if let Some(value) = value {
                    *sum = (sum.0 + value, sum.1 + 1.0);
                }
            }
        }
    }
    customers.into_values().collect()
}

/// Intervals of `one`, or of the difference `one − other` where `other` is given (paired: the same customers are drawn).
pub(super) fn intervals(one: &[Sums], other: Option<&[Sums]>) -> [Option<Interval>; FIGURES.len()] {
    let n = one.len();
    if n < 2 || other.is_some_and(|other| other.len() != n) {
        return [None; FIGURES.len()];
    }
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut replicates: [Vec<f64>; FIGURES.len()] = Default::default();
    for _ in 0..REPLICATES {
        let mut sums = [[(0.0, 0.0); FIGURES.len()]; 2];
        for _ in 0..n {
            let drawn = random.random_range(0..n);
            for (sums, from) in sums.iter_mut().zip([Some(one), other]) {
                let Some(from) = from else { continue };
                for (sum, value) in sums.iter_mut().zip(&from[drawn]) {
                    *sum = (sum.0 + value.0, sum.1 + value.1);
                }
            }
        }
        for (figure, replicates) in replicates.iter_mut().enumerate() {
            let mean = |sums: &Sums| sums[figure].0 / sums[figure].1;
            let value = if other.is_some() { mean(&sums[0]) - mean(&sums[1]) } else { mean(&sums[0]) };
            if value.is_finite() {
                replicates.push(value);
            }
        }
    }
    replicates.map(|mut values| {
        values.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| values.get(((values.len() as f64 - 1.0) * share).round() as usize).copied();
        let round = |value: f64| (value * 1e4).round() / 1e4;
        Some(Interval { low: round(at(0.025)?), high: round(at(0.975)?) })
    })
}
