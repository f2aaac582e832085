//! Confidence intervals by bootstrap over customers (Efron 1979). The nights of a customer are
//! drawn together, because they are not independent.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::metrics::Figures;
use super::protocol::{EvaluationRow, NightRows};
use crate::stats::{quantile_of_sorted, rounded};

/// How many times the customers are resampled.
const REPLICATES: u64 = 1_000;
const SEED: u64 = 1;

/// A figure that gets an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Figure {
    /// Mean absolute error over all.
    #[serde(rename = "mae_all")]
    MaeAll,
    /// Mean absolute error over those who returned.
    #[serde(rename = "mae")]
    Mae,
    /// Recall of the first 10 products.
    #[serde(rename = "recall@10")]
    RecallAt10,
    /// Normalised discounted cumulative gain of the first 10 products.
    #[serde(rename = "ndcg@10")]
    NdcgAt10,
}

impl Figure {
    /// All of them; timing first.
    pub const ALL: [Figure; 4] = [
        Figure::MaeAll,
        Figure::Mae,
        Figure::RecallAt10,
        Figure::NdcgAt10,
    ];
    /// Those of the timing: when customers return.
    pub const TIMING: [Figure; 2] = [Figure::MaeAll, Figure::Mae];
    /// Those of the basket: what customers buy.
    pub const BASKET: [Figure; 2] = [Figure::RecallAt10, Figure::NdcgAt10];

    /// The name, as in [`Figures`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Figure::MaeAll => "mae_all",
            Figure::Mae => "mae",
            Figure::RecallAt10 => "recall@10",
            Figure::NdcgAt10 => "ndcg@10",
        }
    }

    /// Whether more is better.
    #[must_use]
    pub const fn higher_is_better(self) -> bool {
        matches!(self, Figure::RecallAt10 | Figure::NdcgAt10)
    }

    /// Whether a value is better than another.
    #[must_use]
    pub fn is_better(self, value: f64, other: f64) -> bool {
        if self.higher_is_better() {
            value > other
        } else {
            value < other
        }
    }

    /// Its value in `figures`.
    #[must_use]
    pub const fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Figure::MaeAll => figures.mae_all,
            Figure::Mae => figures.mae,
            Figure::RecallAt10 => figures.recall_at_10,
            Figure::NdcgAt10 => figures.ndcg_at_10,
        }
    }

    /// What a row adds to the mean; `None` if it does not count.
    fn of_row(self, row: &EvaluationRow, followed_days: i32) -> Option<f64> {
        match self {
            Figure::MaeAll => row.error_all(followed_days).map(f64::abs),
            Figure::Mae => row.error().map(f64::abs),
            Figure::RecallAt10 => row.rankings.map(|[_, at_10, _]| at_10.recall),
            Figure::NdcgAt10 => row.rankings.map(|[_, at_10, _]| at_10.ndcg),
        }
    }
}

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// 2.5 % of the replicates lie below.
    pub low: f64,
    /// 2.5 % of the replicates lie above.
    pub high: f64,
}

/// The sum and the count of one figure's values.
pub(super) type SumAndCount = (f64, f64);

/// One for each of [`Figure::ALL`].
type FigureSums = [SumAndCount; Figure::ALL.len()];

/// The figures of several contenders on the same nights, in each replicate. The same customers are
/// drawn for all contenders, so that their differences are paired.
#[derive(Debug)]
pub struct Bootstrap {
    /// For each replicate and contender, the value of each of [`Figure::ALL`]; NaN if none of the
    /// drawn rows counts.
    replicates: Vec<Vec<[f64; Figure::ALL.len()]>>,
}

impl Bootstrap {
    /// Draws the replicates. `contenders[i]` are the rows of contender i. Customers are resampled
    /// with replacement from all that have a row. The result does not depend on the number of
    /// threads.
    #[must_use]
    pub fn new(contenders: &[&[NightRows]]) -> Self {
        let customers = sums_by_customer(contenders);
        if customers.len() < 2 {
            // One customer says nothing about how customers differ.
            return Self { replicates: vec![] };
        }
        let replicates = (0..REPLICATES)
            .into_par_iter()
            .map(|replicate| resample(&customers, contenders.len(), replicate))
            .collect();
        Self { replicates }
    }

    /// The interval of a figure of one contender; `None` if it cannot be measured.
    #[must_use]
    pub fn interval(&self, contender: usize, figure: Figure) -> Option<Interval> {
        let values = self.replicates.iter();
        interval(
            values
                .filter_map(|replicate| value(replicate, contender, figure))
                .collect(),
        )
    }

    /// The interval of the paired difference `contender − other`.
    #[must_use]
    pub fn difference(&self, contender: usize, other: usize, figure: Figure) -> Option<Interval> {
        let differences = self.replicates.iter().filter_map(|replicate| {
            Some(value(replicate, contender, figure)? - value(replicate, other, figure)?)
        });
        interval(differences.collect())
    }
}

/// The sums of each contender over the rows of one customer, for every customer by ascending code.
fn sums_by_customer(contenders: &[&[NightRows]]) -> Vec<Vec<FigureSums>> {
    let mut customers = BTreeMap::<u32, Vec<FigureSums>>::new();
    for (position, nights) in contenders.iter().enumerate() {
        for night in *nights {
            for row in &night.rows {
                let sums = customers
                    .entry(row.customer)
                    .or_insert_with(|| vec![FigureSums::default(); contenders.len()]);
                for (sum, figure) in sums[position].iter_mut().zip(Figure::ALL) {
                    if let Some(value) = figure.of_row(row, night.followed_days) {
                        *sum = (sum.0 + value, sum.1 + 1.0);
                    }
                }
            }
        }
    }
    customers.into_values().collect()
}

/// The intervals of the paired differences of two contenders in each of some means: the first less
/// the second. `customers` are the sums of both over the rows of each customer.
pub(super) fn paired_differences<const MEANS: usize>(
    customers: &[Vec<[SumAndCount; MEANS]>],
) -> [Option<Interval>; MEANS] {
    if customers.len() < 2 {
        return [None; MEANS];
    }
    let replicates: Vec<_> = (0..REPLICATES)
        .into_par_iter()
        .map(|replicate| resample(customers, 2, replicate))
        .collect();
    std::array::from_fn(|mean| {
        let differences = replicates.iter().filter_map(|replicate| {
            let (first, second) = (replicate.first()?, replicate.get(1)?);
            Some(first[mean] - second[mean]).filter(|difference| difference.is_finite())
        });
        interval(differences.collect())
    })
}

/// The means of each contender over customers that are drawn with replacement.
fn resample<const MEANS: usize>(
    customers: &[Vec<[SumAndCount; MEANS]>],
    contenders: usize,
    replicate: u64,
) -> Vec<[f64; MEANS]> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    random.set_stream(replicate);
    let count = customers.len() as u64;
    let mut totals = vec![[SumAndCount::default(); MEANS]; contenders];
    for _ in 0..count {
        let drawn = &customers[random.random_range(0..count) as usize];
        for (total, sum) in totals.iter_mut().flatten().zip(drawn.iter().flatten()) {
            *total = (total.0 + sum.0, total.1 + sum.1);
        }
    }
    totals
        .into_iter()
        .map(|sums| sums.map(|(sum, count)| sum / count))
        .collect()
}

fn value(replicate: &[[f64; Figure::ALL.len()]], contender: usize, figure: Figure) -> Option<f64> {
    let position = Figure::ALL.iter().position(|known| *known == figure)?;
    let value = *replicate.get(contender)?.get(position)?;
    value.is_finite().then_some(value)
}

/// The 2.5th and 97.5th percentiles, interpolated.
fn interval(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_unstable_by(f64::total_cmp);
    Some(Interval {
        low: rounded(quantile_of_sorted(&values, 0.025)?, 4),
        high: rounded(quantile_of_sorted(&values, 0.975)?, 4),
    })
}

#[cfg(test)]
mod tests;
