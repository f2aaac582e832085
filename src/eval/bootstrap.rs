//! Confidence intervals by bootstrap over customers (Efron 1979): a customer's nights stay
//! together, since they are not independent.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::metrics::{Figures, rounded};
use super::protocol::{NightRows, Row};

/// How often the customers are drawn anew.
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
    /// Those about when.
    pub const TIMING: [Figure; 2] = [Figure::MaeAll, Figure::Mae];
    /// Those about what.
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

    /// What a row adds to the mean; `None` where it does not count.
    fn of_row(self, row: &Row, followed: i32) -> Option<f64> {
        match self {
            Figure::MaeAll => row.error_all(followed).map(f64::abs),
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

/// Sum and count of each figure.
type Sums = [(f64, f64); Figure::ALL.len()];

/// The figures of several contenders on the same nights, in each replicate: the same customers are
/// drawn for all of them, so that differences are paired.
#[derive(Debug)]
pub struct Bootstrap {
    /// One a replicate: one a contender: one a figure, NaN where no drawn row counts.
    replicates: Vec<Vec<[f64; Figure::ALL.len()]>>,
}

impl Bootstrap {
    /// Draws. `contenders[i]` are the rows of contender i; customers are resampled with replacement
    /// from all that have a row. The result does not depend on the number of threads.
    #[must_use]
    pub fn new(contenders: &[&[NightRows]]) -> Self {
        let mut customers = BTreeMap::<u32, Vec<Sums>>::new();
        for (at, nights) in contenders.iter().enumerate() {
            for night in *nights {
                for row in &night.rows {
                    let own = customers
                        .entry(row.customer)
                        .or_insert_with(|| vec![Sums::default(); contenders.len()]);
                    let Some(sums) = own.get_mut(at) else {
                        continue;
                    };
                    for (sum, figure) in sums.iter_mut().zip(Figure::ALL) {
                        if let Some(value) = figure.of_row(row, night.followed) {
                            *sum = (sum.0 + value, sum.1 + 1.0);
                        }
                    }
                }
            }
        }
        let customers: Vec<Vec<Sums>> = customers.into_values().collect();
        let count = customers.len() as u64;
        if count < 2 {
            // One customer says nothing of how customers differ.
            return Self { replicates: vec![] };
        }
        let draw = |replicate: u64| {
            let mut random = ChaCha8Rng::seed_from_u64(SEED);
            random.set_stream(replicate);
            let mut sums = vec![Sums::default(); contenders.len()];
            for _ in 0..count {
                let Some(drawn) = customers.get(random.random_range(0..count) as usize) else {
                    continue;
                };
                for (sums, own) in sums.iter_mut().zip(drawn) {
                    for (sum, own) in sums.iter_mut().zip(own) {
                        *sum = (sum.0 + own.0, sum.1 + own.1);
                    }
                }
            }
            sums.into_iter()
                .map(|sums| sums.map(|(sum, count)| sum / count))
                .collect()
        };
        Self {
            replicates: (0..REPLICATES).into_par_iter().map(draw).collect(),
        }
    }

    /// The interval of a figure of one contender; `None` where it cannot be measured.
    #[must_use]
    pub fn interval(&self, contender: usize, figure: Figure) -> Option<Interval> {
        interval(
            self.replicates
                .iter()
                .filter_map(|replicate| value(replicate, contender, figure))
                .collect(),
        )
    }

    /// The interval of the paired difference `contender − other`.
    #[must_use]
    pub fn difference(&self, contender: usize, other: usize, figure: Figure) -> Option<Interval> {
        let differences = self.replicates.iter().filter_map(|replicate| {
            let (one, two) = (
                value(replicate, contender, figure)?,
                value(replicate, other, figure)?,
            );
            Some(one - two)
        });
        interval(differences.collect())
    }
}

fn value(replicate: &[[f64; Figure::ALL.len()]], contender: usize, figure: Figure) -> Option<f64> {
    let at = Figure::ALL.iter().position(|known| *known == figure)?;
    replicate
        .get(contender)?
        .get(at)
        .copied()
        .filter(|value| value.is_finite())
}

/// The 2.5th and 97.5th percentiles, interpolated.
fn interval(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * values.len().checked_sub(1)? as f64;
        let (below, above) = (
            values.get(place.floor() as usize)?,
            values.get(place.ceil() as usize)?,
        );
        Some(rounded(below + (above - below) * place.fract(), 4))
    };
    Some(Interval {
        low: at(0.025)?,
        high: at(0.975)?,
    })
}

#[cfg(test)]
mod tests;
