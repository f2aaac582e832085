//! Gradient-boosted trees on binned features, for weighted binary outcomes.
//!
//! Newton boosting of the logistic loss (Friedman, Annals of Statistics 2001; Chen & Guestrin, KDD
//! 2016) over histograms, trees grown best leaf first (Ke et al., NeurIPS 2017). Gradients are
//! rounded to integers stochastically (Shi et al., NeurIPS 2022), so that histograms are exact
//! sums: the same model comes out whatever the number of threads.

mod bins;
mod block;
mod gradients;
mod grow;
mod tree;
mod tree_sample;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sampling::TreeDraw;
use crate::settings::{Allowed, section};
pub use bins::{BinnedRows, Bins};
use block::{ROWS, RawBlock, RowBlock};
use gradients::{RoundedGradients, sample_rows};
use grow::{GrownNode, grow};
use tree::Tree;
use tree_sample::{TreeSample, sample_features};

section! {
    /// How the trees are grown.
    #[derive(Copy)]
    pub struct BoostingParameters {
        /// Number of trees
        #[setting(default = 300, allowed(Allowed::POSITIVE_COUNT))]
        pub trees: usize,
        /// Most leaves of a tree
        #[setting(default = 48, allowed(Allowed::Between(2.0, 4_096.0)))]
        pub leaves: usize,
        /// Step length of each tree
        #[setting(default = 0.02, allowed(Allowed::PositiveShare))]
        pub learning_rate: f64,
        /// Share of the rows that a tree sees
        #[setting(default = 0.4, allowed(Allowed::PositiveShare))]
        pub row_share: f64,
        /// Share of the features that a tree sees
        #[setting(default = 0.3, allowed(Allowed::PositiveShare))]
        pub feature_share: f64,
        /// Fewest rows in a leaf
        #[setting(default = 80, allowed(Allowed::POSITIVE_COUNT))]
        pub min_rows: usize,
        /// Ridge penalty on a leaf's value, in units of the hessian
        #[setting(default = 5.0, allowed(Allowed::Above(0.0)))]
        pub ridge: f64,
    }
}

/// A sum of small trees that gives log-odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Boosted {
    width: usize,
    base: f64,
    trees: Vec<Tree>,
}

/// A fitted model with the log-odds that it gives to every row of its table.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The model.
    pub model: Boosted,
    /// Log-odds of each row, those after the fitted ones included.
    pub score: Vec<f32>,
}

/// The logistic function.
#[must_use]
pub fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The log-odds of a probability, kept finite.
#[must_use]
pub fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

impl Boosted {
    /// Fits trees to the first `take` binned rows; the rows after them only receive scores.
    ///
    /// # Errors
    /// If there is no row, or all rows have the same outcome.
    pub fn fit(
        rows: &BinnedRows,
        bins: &Bins,
        parameters: &BoostingParameters,
        seed: u64,
        take: usize,
    ) -> Result<Fitted> {
        let n = take.min(rows.len());
        let base = log_odds(positive_share(rows, bins, n)?);
        let mut model = Self {
            width: bins.width(),
            base,
            trees: Vec::with_capacity(parameters.trees),
        };
        let mut score = vec![base as f32; rows.len()];
        let rounding = RoundedGradients::new(rows, n, parameters.row_share);
        // The rows after the taken ones wait for all trees: they are fetched once, and not once a
        // tree.
        let known = n.next_multiple_of(ROWS).min(rows.len());
        let mut grown: Vec<Vec<GrownNode>> = Vec::with_capacity(parameters.trees);
        for tree in 0..parameters.trees {
            let draw = TreeDraw::new(seed, tree);
            let sampled = sample_rows(n, parameters.row_share, draw);
            let words = rounding.words(&sampled, &score, draw);
            let features = sample_features(bins, parameters.feature_share, draw.seed());
            let sample = TreeSample::new(rows, &sampled, words, features, bins);
            let nodes = grow(&sample, bins, parameters, rounding.scale());
            add_grown_trees(&[&nodes], rows, 0, &mut score[..known]);
            model.trees.push(Tree::from_grown(&nodes, bins));
            grown.push(nodes);
        }
        let grown: Vec<&[GrownNode]> = grown.iter().map(Vec::as_slice).collect();
        add_grown_trees(&grown, rows, known / ROWS, &mut score[known..]);
        Ok(Fitted { model, score })
    }

    /// The log-odds of one row of raw features.
    #[must_use]
    pub fn log_odds(&self, row: &[f32]) -> f64 {
        if row.len() < self.width {
            return self.base;
        }
        self.base
            + self
                .trees
                .iter()
                .map(|tree| f64::from(tree.value(row)))
                .sum::<f64>()
    }

    /// The log-odds of each of several rows (row-major).
    #[must_use]
    pub fn log_odds_of(&self, rows: &[f32]) -> Vec<f64> {
        let stride = self.width.max(1);
        let mut out = vec![self.base; rows.len() / stride];
        self.add_trees(0..self.trees.len(), rows, stride, &mut out);
        out
    }

    /// The log-odds of the rows (row-major, `stride` features each, of which the model reads the
    /// first ones) that are worth it: all rows see the first `trees` trees, and the `keep` best of them the others. Gives the position and the log-odds of each
    /// row that was kept, in the order of the rows.
    #[must_use]
    pub fn log_odds_of_best(
        &self,
        rows: &[f32],
        stride: usize,
        trees: usize,
        keep: usize,
    ) -> Vec<(usize, f64)> {
        let stride = stride.max(1);
        let first = trees.min(self.trees.len());
        let mut score = vec![self.base; rows.len() / stride];
        self.add_trees(0..first, rows, stride, &mut score);
        let mut kept: Vec<usize> = (0..score.len()).collect();
        if kept.len() > keep {
            kept.select_nth_unstable_by(keep, |a, b| {
                score[*b].total_cmp(&score[*a]).then(a.cmp(b))
            });
            kept.truncate(keep);
            kept.sort_unstable();
        }
        let mut best: Vec<f64> = kept.iter().map(|at| score[*at]).collect();
        let best_rows: Vec<f32> = kept
            .iter()
            .flat_map(|at| &rows[at * stride..(at + 1) * stride])
            .copied()
            .collect();
        self.add_trees(first..self.trees.len(), &best_rows, stride, &mut best);
        kept.into_iter().zip(best).collect()
    }

    /// The log-odds of the rows at some positions, of rows as in [`Boosted::log_odds_of_best`].
    #[must_use]
    pub fn log_odds_of_some(&self, rows: &[f32], stride: usize, at: &[usize]) -> Vec<f64> {
        let some = at
            .iter()
            .flat_map(|at| &rows[at * stride..(at + 1) * stride]);
        let some: Vec<f32> = some.copied().collect();
        let mut out = vec![self.base; at.len()];
        self.add_trees(0..self.trees.len(), &some, stride, &mut out);
        out
    }

    /// Tree by tree over blocks of rows, so that a tree stays in the cache.
    fn add_trees(
        &self,
        trees: std::ops::Range<usize>,
        rows: &[f32],
        stride: usize,
        out: &mut [f64],
    ) {
        let mut waiting = vec![];
        for (rows, out) in rows.chunks(stride * ROWS).zip(out.chunks_mut(ROWS)) {
            let block = RawBlock::new(rows, stride);
            for tree in &self.trees[trees.clone()] {
                block.walk(tree.nodes(), &mut waiting, |row, value| {
                    out[row] += f64::from(value)
                });
            }
        }
    }

    /// How many features a row has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many trees there are.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Whether the base is finite, and a walk through each tree ends in a finite value.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.base.is_finite() && self.trees.iter().all(|tree| tree.is_consistent(self.width))
    }

    /// A model without a tree: the same log-odds for every row.
    #[cfg(test)]
    pub(super) fn constant(width: usize, base: f64) -> Self {
        Self {
            width,
            base,
            trees: vec![],
        }
    }
}

/// The weighted share of positive outcomes among the first `n` rows.
///
/// # Errors
/// If there is nothing to learn: no row, no feature that varies, or one outcome only.
fn positive_share(rows: &BinnedRows, bins: &Bins, n: usize) -> Result<f64> {
    let total: f64 = rows.weight[..n].iter().map(|w| f64::from(*w)).sum();
    let positive: f64 = rows.weight[..n]
        .iter()
        .zip(&rows.label)
        .filter(|(_, label)| **label)
        .map(|(w, _)| f64::from(*w))
        .sum();
    let flat = (0..bins.width()).all(|feature| bins.count(feature) < 2);
    if n == 0 || flat || positive <= 0.0 || positive >= total {
        return Err(Error::input(format!(
            "{n} training rows with {positive:.0} of {total:.0} positive are nothing to learn from"
        ))
        .hint("train on a longer history or more customers"));
    }
    Ok(positive / total)
}

/// Rows that get their scores in one task.
const ROWS_A_TASK: usize = 64 * ROWS;

/// Adds trees to the scores of the rows from a block on.
fn add_grown_trees(trees: &[&[GrownNode]], rows: &BinnedRows, first: usize, score: &mut [f32]) {
    score
        .par_chunks_mut(ROWS_A_TASK)
        .enumerate()
        .for_each(|(task, score)| {
            let mut waiting = vec![];
            for (block, score) in (first + task * ROWS_A_TASK / ROWS..).zip(score.chunks_mut(ROWS))
            {
                let block = rows.block(block);
                trees.iter().for_each(|nodes| {
                    block.walk(nodes, &mut waiting, |row, value| score[row] += value)
                });
            }
        });
}

#[cfg(test)]
mod tests;
