//! Gradient-boosted trees on binned features, for weighted binary outcomes.
//!
//! Newton boosting of the logistic loss (Friedman, Annals of Statistics 2001; Chen & Guestrin, KDD
//! 2016) over histograms, trees grown best leaf first (Ke et al., NeurIPS 2017). Gradients are
//! rounded to integers stochastically (Shi et al., NeurIPS 2022), so that histograms are exact
//! sums: the same model comes out whatever the number of threads.

mod bins;
mod block;
mod grow;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sampling::{hash, keep, mix};
use crate::settings::{Allowed, section};
pub use bins::{BinnedRows, Bins};
use block::{Block, Columns, ROWS, Step};
use grow::{GrownNode, SHIFT, Sample, grow, pack, sample_features};

section! {
    /// How the trees are grown.
    #[derive(Copy)]
    pub struct BoostingParameters {
        /// Number of trees
        #[setting(default = 100, allowed(Allowed::POSITIVE_COUNT))]
        pub trees: usize,
        /// Most leaves of a tree
        #[setting(default = 48, allowed(Allowed::Between(2.0, 4_096.0)))]
        pub leaves: usize,
        /// Step length of each tree
        #[setting(default = 0.06, allowed(Allowed::PositiveShare))]
        pub learning_rate: f64,
        /// Share of the rows that a tree sees
        #[setting(default = 0.4, allowed(Allowed::PositiveShare))]
        pub row_share: f64,
        /// Share of the features that a tree sees
        #[setting(default = 0.5, allowed(Allowed::PositiveShare))]
        pub feature_share: f64,
        /// Fewest rows in a leaf
        #[setting(default = 80, allowed(Allowed::POSITIVE_COUNT))]
        pub min_rows: usize,
        /// Ridge penalty on a leaf's value, in units of the hessian
        #[setting(default = 5.0, allowed(Allowed::Above(0.0)))]
        pub ridge: f64,
    }
}

/// One inner node or leaf of a tree in a flat array.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Node {
    feature: u16,
    /// Values up to this one go left. A leaf's value where `left` is 0.
    value: f32,
    /// Position of the left child; the right one follows it. 0 in a leaf: the root is nobody's
    /// child.
    left: u32,
}

impl Step for Node {
    #[inline]
    fn left(&self) -> usize {
        self.left as usize
    }

    #[inline]
    fn value(&self) -> f32 {
        self.value
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tree {
    nodes: Vec<Node>,
}

impl Tree {
    fn value(&self, row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            let node = self.nodes[at];
            if node.left == 0 {
                return node.value;
            }
            at = node.left as usize + usize::from(row[node.feature as usize] > node.value);
        }
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
        let total: f64 = rows.weight[..n].iter().map(|w| f64::from(*w)).sum();
        let positive: f64 = rows.weight[..n]
            .iter()
            .zip(&rows.label)
            .filter(|(_, label)| **label)
            .map(|(w, _)| f64::from(*w))
            .sum();
        let flat = (0..bins.width()).all(|feature| bins.count(feature) < 2);
        if n == 0 || flat || positive <= 0.0 || positive >= total {
            return Err(Error::input(format!("{n} training rows with {positive:.0} of {total:.0} positive are nothing to learn from"))
                .hint("train on a longer history or more customers"));
        }
        let base = log_odds(positive / total);
        let mut model = Self {
            width: bins.width(),
            base,
            trees: Vec::with_capacity(parameters.trees),
        };
        let mut score = vec![base as f32; rows.len()];
        let max_weight = rows.weight[..n].iter().copied().fold(0.0_f32, f32::max);
        let most = (n as f64 * parameters.row_share * 1.1 + 1000.0).min(n as f64);
        // A row's word stays so small that the sums of all sampled rows fit into 31 bits.
        let scale = ((f64::from(1_u32 << 30)) / most).min(1024.0) / f64::from(max_weight);
        // The rows after the taken ones wait for all trees: they are fetched once, and not once a
        // tree.
        let known = n.next_multiple_of(ROWS).min(rows.len());
        let mut grown: Vec<Vec<GrownNode>> = Vec::with_capacity(parameters.trees);
        for tree in 0..parameters.trees {
            let tree_seed = hash(seed, &[tree as u64]);
            let sampled = sample_rows(n, parameters.row_share, tree_seed);
            let word = |row: &u32| {
                let row = *row as usize;
                let p = sigmoid(f64::from(score[row]));
                let weight = f64::from(rows.weight[row]);
                let gradient = (f64::from(u8::from(rows.label[row])) - p) * weight * scale;
                let hessian = p * (1.0 - p) * weight * scale;
                let random = mix(tree_seed ^ (row as u64));
                let (a, b) = (
                    (random & 0xff_ffff) as f64 / f64::from(1 << 24),
                    (random >> 40) as f64 / f64::from(1 << 24),
                );
                // Shifted above 0, where a cast rounds down.
                pack(
                    (gradient + a + SHIFT) as i64 - SHIFT as i64,
                    (hessian + b) as i64,
                )
            };
            let words: Vec<u64> = sampled.par_iter().with_min_len(4096).map(word).collect();
            let features: Vec<usize> = sample_features(bins, parameters.feature_share, tree_seed);
            let sample = Sample::new(rows, &sampled, words, &features, bins);
            let nodes = grow(&sample, bins, &features, parameters, scale);
            apply(&[&nodes], rows, 0, &mut score[..known]);
            model.trees.push(finish(&nodes, bins));
            grown.push(nodes);
        }
        let grown: Vec<&[GrownNode]> = grown.iter().map(Vec::as_slice).collect();
        apply(&grown, rows, known / ROWS, &mut score[known..]);
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
        let mut out = vec![self.base; rows.len() / self.width.max(1)];
        self.add_trees(0..self.trees.len(), rows, &mut out);
        out
    }

    /// The log-odds of the rows (row-major) that are worth it: all rows see the first `trees`
    /// trees, and the `keep` best of them the others. Gives the position and the log-odds of each
    /// row that was kept, in the order of the rows.
    #[must_use]
    pub fn log_odds_of_best(&self, rows: &[f32], trees: usize, keep: usize) -> Vec<(usize, f64)> {
        let width = self.width.max(1);
        let first = trees.min(self.trees.len());
        let mut score = vec![self.base; rows.len() / width];
        self.add_trees(0..first, rows, &mut score);
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
            .flat_map(|at| &rows[at * width..(at + 1) * width])
            .copied()
            .collect();
        self.add_trees(first..self.trees.len(), &best_rows, &mut best);
        kept.into_iter().zip(best).collect()
    }

    /// Tree by tree over blocks of rows, so that a tree stays in the cache.
    fn add_trees(&self, trees: std::ops::Range<usize>, rows: &[f32], out: &mut [f64]) {
        let width = self.width.max(1);
        let mut waiting = vec![];
        for (rows, out) in rows
            .chunks(width * block::ROWS)
            .zip(out.chunks_mut(block::ROWS))
        {
            let block = Block::new(rows, width);
            for tree in &self.trees[trees.clone()] {
                block.walk(&tree.nodes, &mut waiting, |row, value| {
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

    /// Whether every node points where a walk ends: to later nodes of its tree, features of the
    /// row, finite values.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.base.is_finite()
            && self.trees.iter().all(|tree| {
                !tree.nodes.is_empty()
                    && tree.nodes.iter().enumerate().all(|(at, node)| {
                        let left = node.left as usize;
                        node.value.is_finite()
                            && (node.feature as usize) < self.width
                            && (left == 0 || (left > at && left + 1 < tree.nodes.len()))
                    })
            })
    }
}

/// So many rows are drawn, or get their scores, in one task.
const ROWS_A_TASK: usize = 64 * ROWS;

/// The rows that a tree sees, of `n`.
fn sample_rows(n: usize, share: f64, tree_seed: u64) -> Vec<u32> {
    let of_task = |task: usize| {
        let rows = task * ROWS_A_TASK..n.min((task + 1) * ROWS_A_TASK);
        let (mut sampled, mut count) = (vec![0; rows.len()], 0);
        for row in rows {
            // Always written, sometimes kept: a branch here would be mispredicted half the time.
            sampled[count] = row as u32;
            count += usize::from(
                share >= 1.0 || keep(mix(tree_seed ^ 0x5eed ^ ((row as u64) << 20)), share),
            );
        }
        sampled.truncate(count);
        sampled
    };
    (0..n.div_ceil(ROWS_A_TASK))
        .into_par_iter()
        .map(of_task)
        .collect::<Vec<Vec<u32>>>()
        .concat()
}

/// Adds trees to the scores of the rows from a block on.
fn apply(trees: &[&[GrownNode]], rows: &BinnedRows, first: usize, score: &mut [f32]) {
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

fn finish(nodes: &[GrownNode], bins: &Bins) -> Tree {
    let nodes = nodes.iter().map(|node| Node {
        feature: node.feature,
        value: if node.left == 0 {
            node.value
        } else {
            bins.edge(node.feature as usize, node.bin)
        },
        left: u32::from(node.left),
    });
    Tree {
        nodes: nodes.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::unit;

    #[test]
    fn a_block_of_rows_comes_to_the_leaves_of_each() {
        // A complete tree of depth 5 on three features, whose cuts are among the values.
        let values = [
            -1.0_f32,
            0.0,
            0.25,
            0.5,
            1.0,
            f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
        ];
        let inner = |at: usize| Node {
            feature: (at % 3) as u16,
            value: values[at % 5],
            left: 2 * at as u32 + 1,
        };
        let leaf = |at: usize| Node {
            feature: 0,
            value: at as f32,
            left: 0,
        };
        let tree = Tree {
            nodes: (0..31).map(inner).chain((31..63).map(leaf)).collect(),
        };
        for count in (1..=block::ROWS).chain([65, 128, 129]) {
            let rows: Vec<f32> = (0..3 * count)
                .map(|at| values[(hash(7, &[at as u64, count as u64]) % 8) as usize])
                .collect();
            let model = Boosted {
                base: 0.5,
                width: 3,
                trees: vec![tree.clone(), tree.clone()],
            };
            let alone: Vec<f64> = rows
                .chunks(3)
                .map(|row| 0.5 + 2.0 * f64::from(tree.value(row)))
                .collect();
            assert_eq!(model.log_odds_of(&rows), alone, "{count} rows");
        }
    }

    /// Outcomes that depend on an interaction of the first two of four features.
    fn table(n: u64) -> (Vec<f32>, BinnedRows, Bins) {
        let value = |row: u64, feature: u64| (unit(hash(row, &[feature])) * 10.0) as f32;
        let raw: Vec<f32> = (0..n)
            .flat_map(|row| (0..4).map(move |feature| value(row, feature)))
            .collect();
        let bins = Bins::from_sample(&raw, 4, 64);
        let mut rows = BinnedRows::with_capacity(4, n as usize);
        for (row, values) in (0..n).zip(raw.chunks(4)) {
            let mut binned = vec![];
            bins.bin_row(values, &mut binned);
            let p = if (values[0] > 5.0) == (values[1] > 3.0) {
                0.7
            } else {
                0.1
            };
            rows.extend(&binned, &[unit(hash(row, &[77])) < p], &[1.0]);
        }
        (raw, rows, bins)
    }

    fn parameters() -> BoostingParameters {
        BoostingParameters {
            trees: 60,
            leaves: 8,
            learning_rate: 0.2,
            min_rows: 20,
            ..BoostingParameters::default()
        }
    }

    #[test]
    fn an_interaction_is_learnt_with_its_probabilities() {
        let (_, rows, bins) = table(8_000);
        let fitted = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len()).unwrap();
        let p = |row: [f32; 4]| sigmoid(fitted.model.log_odds(&row));
        assert!(
            (p([8.0, 8.0, 5.0, 5.0]) - 0.7).abs() < 0.12,
            "{}",
            p([8.0, 8.0, 5.0, 5.0])
        );
        assert!(
            (p([8.0, 1.0, 5.0, 5.0]) - 0.1).abs() < 0.08,
            "{}",
            p([8.0, 1.0, 5.0, 5.0])
        );
        assert!(fitted.model.is_consistent());
    }

    #[test]
    fn scores_of_the_table_are_those_of_the_raw_rows() {
        let (raw, rows, bins) = table(3_000);
        let fitted = Boosted::fit(&rows, &bins, &parameters(), 1, 2_000).unwrap();
        let again = fitted.model.log_odds_of(&raw);
        for ((row, score), batch) in raw.chunks(4).zip(&fitted.score).zip(again) {
            assert!((f64::from(*score) - batch).abs() < 1e-4);
            assert!((fitted.model.log_odds(row) - batch).abs() < 1e-12);
        }
    }

    #[test]
    fn the_best_rows_get_the_scores_that_all_would_get() {
        let (raw, rows, bins) = table(1_003);
        let model = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len())
            .unwrap()
            .model;
        let all = model.log_odds_of(&raw);
        let best = model.log_odds_of_best(&raw, 20, 100);
        assert_eq!(best.len(), 100);
        assert!(
            best.windows(2).all(|pair| pair[0].0 < pair[1].0)
                && best.iter().all(|(at, score)| *score == all[*at])
        );
        assert_eq!(
            model.log_odds_of_best(&raw, 20, 5_000),
            all.into_iter().enumerate().collect::<Vec<_>>()
        );
        // The best by 20 trees of 60 are mostly the best by all.
        let mut ranked = model.log_odds_of_best(&raw, 1_000, 100);
        ranked.retain(|one| best.contains(one));
        assert!(ranked.len() > 60, "{}", ranked.len());
    }

    #[test]
    fn a_leaf_that_names_no_feature_is_inconsistent() {
        let (_, rows, bins) = table(1_000);
        let mut model = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len())
            .unwrap()
            .model;
        assert!(model.is_consistent());
        let leaf = model.trees[0]
            .nodes
            .iter()
            .position(|node| node.left == 0)
            .unwrap();
        model.trees[0].nodes[leaf].feature = 60_000;
        assert!(!model.is_consistent());
    }

    #[test]
    fn rows_after_the_taken_ones_do_not_matter() {
        let (_, mut rows, bins) = table(3_000);
        let first = Boosted::fit(&rows, &bins, &parameters(), 1, 2_000)
            .unwrap()
            .model;
        rows.label[2_000..]
            .iter_mut()
            .for_each(|label| *label = !*label);
        assert_eq!(
            Boosted::fit(&rows, &bins, &parameters(), 1, 2_000)
                .unwrap()
                .model,
            first
        );
    }

    #[test]
    fn a_weight_counts_like_copies_of_the_row() {
        let (_, rows, bins) = table(2_000);
        let mut weighted = rows.clone();
        weighted
            .weight
            .iter_mut()
            .zip(&rows.label)
            .for_each(|(weight, label)| *weight = if *label { 3.0 } else { 1.0 });
        let plain = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len())
            .unwrap()
            .model;
        let heavy = Boosted::fit(&weighted, &bins, &parameters(), 1, rows.len())
            .unwrap()
            .model;
        assert!((heavy.base - plain.base - 3.0_f64.ln()).abs() < 1e-9);
        assert!(
            heavy.log_odds(&[8.0, 8.0, 5.0, 5.0]) > plain.log_odds(&[8.0, 8.0, 5.0, 5.0]) + 0.5
        );
    }

    #[test]
    fn one_sided_outcomes_are_refused() {
        let (_, mut rows, bins) = table(100);
        rows.label.fill(true);
        assert!(Boosted::fit(&rows, &bins, &parameters(), 1, 100).is_err());
    }
}
