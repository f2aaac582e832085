//! Gradient-boosted trees on binned features, for weighted binary outcomes.
//!
//! Newton boosting of the logistic loss (Friedman, Annals of Statistics 2001; Chen & Guestrin, KDD 2016) over histograms, trees grown
//! best leaf first (Ke et al., NeurIPS 2017). Gradients are rounded to integers stochastically (Shi et al., NeurIPS 2022), so that
//! histograms are exact sums: the same model comes out whatever the number of threads.

mod block;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sampling::{hash, keep, mix};
use block::Block;

/// How the trees are grown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BoostingParameters {
    /// How many trees.
    pub trees: usize,
    /// Most leaves of a tree.
    pub leaves: usize,
    /// Step length of each tree.
    pub learning_rate: f64,
    /// Share of the rows that a tree sees.
    pub row_share: f64,
    /// Share of the features that a tree sees.
    pub feature_share: f64,
    /// Fewest rows in a leaf.
    pub min_rows: usize,
    /// Ridge penalty on a leaf's value, in units of the hessian.
    pub ridge: f64,
}

impl Default for BoostingParameters {
    fn default() -> Self {
        Self { trees: 100, leaves: 48, learning_rate: 0.06, row_share: 0.4, feature_share: 0.5, min_rows: 80, ridge: 5.0 }
    }
}

/// Where each feature is cut into bins: bin `b` holds values in `(cuts[b - 1], cuts[b]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    cuts: Vec<Vec<f32>>,
}

/// Most bins of a feature; a bin's number is one byte.
const MAX_BINS: usize = 256;

impl Bins {
    /// Cuts at quantiles of a sample of rows (row-major, `width` features), halfway between neighbouring values.
    #[must_use]
    pub fn from_sample(rows: &[f32], width: usize, bins: usize) -> Self {
        let bins = bins.clamp(2, MAX_BINS);
        let cuts = (0..width).into_par_iter().map(|feature| {
            let mut values: Vec<f32> = rows.iter().skip(feature).step_by(width.max(1)).copied().filter(|value| value.is_finite()).collect();
            values.sort_unstable_by(f32::total_cmp);
            let mut cuts: Vec<f32> = vec![];
            let mut previous = 0;
            for bin in 1..bins {
                let at = values.len() * bin / bins;
                // The first value that differs from the last one before `at`.
                let Some(low) = at.checked_sub(1).and_then(|at| values.get(at)).copied() else { continue };
                let next = at + values[at..].partition_point(|value| *value <= low);
                let Some(high) = values.get(next).copied() else { break };
                if next > previous {
                    let middle = low + (high - low) / 2.0;
                    cuts.push(if middle < high { middle } else { low });
                    previous = next;
                }
            }
            cuts.dedup();
            cuts
        });
        Self { cuts: cuts.collect() }
    }

    /// How many features.
    #[must_use]
    pub fn width(&self) -> usize {
        self.cuts.len()
    }

    /// The bin of a value of one feature.
    #[must_use]
    pub fn bin(&self, feature: usize, value: f32) -> u8 {
        self.cuts.get(feature).map_or(0, |cuts| cuts.partition_point(|cut| *cut < value) as u8)
    }

    /// The bins of one row.
    pub fn bin_row(&self, row: &[f32], out: &mut Vec<u8>) {
        out.extend(row.iter().enumerate().map(|(feature, value)| self.bin(feature, *value)));
    }

    fn count(&self, feature: usize) -> usize {
        self.cuts.get(feature).map_or(1, |cuts| cuts.len() + 1)
    }

    /// The upper edge of a bin.
    #[must_use]
    pub fn edge(&self, feature: usize, bin: u8) -> f32 {
        self.cuts.get(feature).and_then(|cuts| cuts.get(bin as usize)).copied().unwrap_or(f32::INFINITY)
    }
}

/// Binned training rows, row-major: the bins of a row share a cache line or two.
#[derive(Debug, Clone, Default)]
pub struct BinnedRows {
    width: usize,
    /// `bins[row * width + feature]`.
    bins: Vec<u8>,
    /// Outcome of each row.
    pub label: Vec<bool>,
    /// Weight of each row, positive.
    pub weight: Vec<f32>,
}

impl BinnedRows {
    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.label.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.label.is_empty()
    }

    /// An empty table with room for `rows` rows.
    #[must_use]
    pub fn with_capacity(width: usize, rows: usize) -> Self {
        Self { width, bins: Vec::with_capacity(width * rows), label: Vec::with_capacity(rows), weight: Vec::with_capacity(rows) }
    }

    /// Appends row-major rows.
    pub fn extend(&mut self, rows: &[u8], label: &[bool], weight: &[f32]) {
        self.bins.extend_from_slice(rows);
        self.label.extend_from_slice(label);
        self.weight.extend_from_slice(weight);
    }

    /// The bins of a row.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        &self.bins[row * self.width..(row + 1) * self.width]
    }
}

/// One inner node or leaf of a tree in a flat array.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Node {
    feature: u16,
    /// Values up to this one go left. A leaf's value where `left` is 0.
    value: f32,
    /// Position of the left child; the right one follows it. 0 in a leaf: the root is nobody's child.
    left: u32,
}

/// Rows that walk through a tree side by side.
const LANES: usize = 8;

/// The leaves to which up to [`LANES`] rows walk. `step` tells of a row and a node the left child, 0 in a leaf, and whether the row goes to
/// the right one after it. Each walk waits for the memory at every step: several of them wait together.
#[inline(always)]
fn walk_side_by_side(rows: usize, step: impl Fn(usize, usize) -> (usize, bool)) -> [usize; LANES] {
    let mut nodes = [0; LANES];
    loop {
        let mut moved = 0;
        for (row, node) in nodes.iter_mut().enumerate().take(rows) {
            let (left, goes_right) = step(row, *node);
            *node = if left == 0 { *node } else { left + usize::from(goes_right) };
            moved |= left;
        }
        if moved == 0 {
            return nodes;
        }
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

/// A node's exact sums and rows while a tree grows.
struct Leaf {
    node: usize,
    start: usize,
    end: usize,
    histogram: Vec<u64>,
    gradient: i64,
    hessian: i64,
    best: Option<Split>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    /// Position among the tree's features.
    at: usize,
    bin: u8,
}

/// More than any rounded gradient of a row.
const SHIFT: f64 = 4096.0;

/// Gradient (upper 32 bits, signed) and hessian (lower 32) of a row or a bin in one word: one addition serves both.
const fn pack(gradient: i64, hessian: i64) -> u64 {
    ((gradient as u64) << 32).wrapping_add(hessian as u64)
}

const fn unpack(word: u64) -> (i64, i64) {
    ((word as i64) >> 32, (word & 0xffff_ffff) as i64)
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
    pub fn fit(rows: &BinnedRows, bins: &Bins, parameters: &BoostingParameters, seed: u64, take: usize) -> Result<Fitted> {
        let n = take.min(rows.len());
        let total: f64 = rows.weight[..n].iter().map(|w| f64::from(*w)).sum();
        let positive: f64 = rows.weight[..n].iter().zip(&rows.label).filter(|(_, label)| **label).map(|(w, _)| f64::from(*w)).sum();
        let flat = (0..bins.width()).all(|feature| bins.count(feature) < 2);
        if n == 0 || flat || positive <= 0.0 || positive >= total {
            return Err(Error::input(format!("{n} training rows with {positive:.0} of {total:.0} positive are nothing to learn from"))
                .hint("train on a longer history or more customers"));
        }
        let base = log_odds(positive / total);
        let mut model = Self { width: bins.width(), base, trees: Vec::with_capacity(parameters.trees) };
        let mut score = vec![base as f32; rows.len()];
        let max_weight = rows.weight[..n].iter().copied().fold(0.0_f32, f32::max);
        let most = (n as f64 * parameters.row_share * 1.1 + 1000.0).min(n as f64);
        // A row's word stays so small that the sums of all sampled rows fit into 31 bits.
        let scale = ((f64::from(1_u32 << 30)) / most).min(1024.0) / f64::from(max_weight);
        for tree in 0..parameters.trees {
            let tree_seed = hash(seed, &[tree as u64]);
            let share = parameters.row_share;
            let sampled: Vec<u32> = (0..n as u32)
                .into_par_iter()
                .with_min_len(4096)
                .filter(|row| share >= 1.0 || keep(mix(tree_seed ^ 0x5eed ^ (u64::from(*row) << 20)), share))
                .collect();
            let word = |row: &u32| {
                let row = *row as usize;
                let p = sigmoid(f64::from(score[row]));
                let weight = f64::from(rows.weight[row]);
                let gradient = (f64::from(u8::from(rows.label[row])) - p) * weight * scale;
                let hessian = p * (1.0 - p) * weight * scale;
                let random = mix(tree_seed ^ (row as u64));
                let (a, b) = ((random & 0xff_ffff) as f64 / f64::from(1 << 24), (random >> 40) as f64 / f64::from(1 << 24));
                // Shifted above 0, where a cast rounds down.
                pack((gradient + a + SHIFT) as i64 - SHIFT as i64, (hessian + b) as i64)
            };
            let words: Vec<u64> = sampled.par_iter().with_min_len(4096).map(word).collect();
            let features: Vec<usize> = sample_features(bins, parameters.feature_share, tree_seed);
            let sample = Sample::new(rows, &sampled, words, &features, bins);
            let (grown, in_leaf) = grow(&sample, bins, &features, parameters, scale);
            apply(&grown, rows, &mut score, &sampled, &in_leaf);
            model.trees.push(finish(&grown, bins));
        }
        Ok(Fitted { model, score })
    }

    /// The log-odds of one row of raw features.
    #[must_use]
    pub fn log_odds(&self, row: &[f32]) -> f64 {
        if row.len() < self.width {
            return self.base;
        }
        self.base + self.trees.iter().map(|tree| f64::from(tree.value(row))).sum::<f64>()
    }

    /// The log-odds of each of several rows (row-major).
    #[must_use]
    pub fn log_odds_of(&self, rows: &[f32]) -> Vec<f64> {
        let mut out = vec![self.base; rows.len() / self.width.max(1)];
        self.add_trees(0..self.trees.len(), rows, &mut out);
        out
    }

    /// The log-odds of the rows (row-major) that are worth it: all rows see the first `trees` trees, and the `keep` best of them the others.
    /// Gives the position and the log-odds of each row that was kept, in the order of the rows.
    #[must_use]
    pub fn log_odds_of_best(&self, rows: &[f32], trees: usize, keep: usize) -> Vec<(usize, f64)> {
        let width = self.width.max(1);
        let first = trees.min(self.trees.len());
        let mut score = vec![self.base; rows.len() / width];
        self.add_trees(0..first, rows, &mut score);
        let mut kept: Vec<usize> = (0..score.len()).collect();
        if kept.len() > keep {
            kept.select_nth_unstable_by(keep, |a, b| score[*b].total_cmp(&score[*a]).then(a.cmp(b)));
            kept.truncate(keep);
            kept.sort_unstable();
        }
        let mut best: Vec<f64> = kept.iter().map(|at| score[*at]).collect();
        let best_rows: Vec<f32> = kept.iter().flat_map(|at| &rows[at * width..(at + 1) * width]).copied().collect();
        self.add_trees(first..self.trees.len(), &best_rows, &mut best);
        kept.into_iter().zip(best).collect()
    }

    /// Tree by tree over blocks of rows, so that a tree stays in the cache.
    fn add_trees(&self, trees: std::ops::Range<usize>, rows: &[f32], out: &mut [f64]) {
        let width = self.width.max(1);
        let mut waiting = vec![];
        for (rows, out) in rows.chunks(width * block::ROWS).zip(out.chunks_mut(block::ROWS)) {
            let block = Block::new(rows, width);
            for tree in &self.trees[trees.clone()] {
                block.add(&tree.nodes, out, &mut waiting);
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

    /// Whether every node points where a walk ends: to later nodes of its tree, features of the row, finite values.
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

fn sample_features(bins: &Bins, share: f64, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bins.width()).filter(|feature| bins.count(*feature) > 1).collect();
    order.sort_by_key(|feature| hash(seed, &[0xfea7, *feature as u64]));
    order.truncate(((order.len() as f64 * share).ceil() as usize).max(1));
    order.sort_unstable();
    order
}

/// The rows and features that one tree sees, close together in memory.
struct Sample {
    width: usize,
    /// Words that a feature's histogram takes: a power of two, and as few as its bins allow, so that a tree's histogram stays in the cache.
    stride: usize,
    /// `bins[row * width + feature]`, both counted within the sample.
    bins: Vec<u8>,
    /// Gradient and hessian of each row.
    words: Vec<u64>,
}

impl Sample {
    fn new(rows: &BinnedRows, sampled: &[u32], words: Vec<u64>, features: &[usize], bins: &Bins) -> Self {
        let width = features.len();
        let stride = features.iter().map(|feature| bins.count(*feature)).max().unwrap_or(1).next_power_of_two().clamp(64, MAX_BINS);
        let mut bins = vec![0_u8; sampled.len() * width];
        bins.par_chunks_mut(4096 * width).zip(sampled.par_chunks(4096)).for_each(|(bins, sampled)| {
            for (out, row) in bins.chunks_exact_mut(width).zip(sampled) {
                let row = rows.row(*row as usize);
                out.iter_mut().zip(features).for_each(|(out, feature)| *out = row[*feature]);
            }
        });
        Self { width, stride, bins, words }
    }

    fn row(&self, row: u32) -> &[u8] {
        &self.bins[row as usize * self.width..(row as usize + 1) * self.width]
    }

    fn sum(&self, order: &[u32]) -> (i64, i64) {
        unpack(order.iter().fold(0, |sum: u64, row| sum.wrapping_add(self.words[*row as usize])))
    }
}

/// A grown tree in bins.
struct Grown {
    nodes: Vec<GrownNode>,
}

/// As [`Node`], with a bin for a threshold.
#[derive(Clone, Copy, Default)]
struct GrownNode {
    left: u16,
    feature: u16,
    bin: u8,
    value: f32,
}

/// Rows of each finished leaf, as positions in the sample.
struct InLeaf {
    rows: Vec<u32>,
    leaves: Vec<(usize, usize, usize)>,
}

fn grow(sample: &Sample, bins: &Bins, features: &[usize], parameters: &BoostingParameters, scale: f64) -> (Grown, InLeaf) {
    let mut order: Vec<u32> = (0..sample.words.len() as u32).collect();
    let mut grown = Grown { nodes: vec![GrownNode::default()] };
    let ridge = parameters.ridge * scale;
    let root = histogram(sample, &order);
    let (gradient, hessian) = sample.sum(&order);
    let mut leaf = Leaf { node: 0, start: 0, end: order.len(), histogram: root, gradient, hessian, best: None };
    leaf.best = best_split(&leaf, sample.stride, bins, features, parameters, ridge);
    let mut open = vec![leaf];
    let mut scratch = vec![0_u32; order.len()];
    while open.len() < parameters.leaves.max(2) {
        // The largest gain; the first of equals.
        let Some((at, split)) = open
            .iter()
            .enumerate()
            .filter_map(|(at, leaf)| leaf.best.map(|split| (at, split)))
            .reduce(|best, next| if next.1.gain > best.1.gain { next } else { best })
        else {
            break;
        };
        let parent = open.swap_remove(at);
        // Both places are written and one of them advances: a branch here would be mispredicted half the time.
        let (mut middle, mut right) = (parent.start, 0);
        for position in parent.start..parent.end {
            let row = order[position];
            let goes_right = sample.row(row)[split.at] > split.bin;
            order[middle] = row;
            scratch[right] = row;
            middle += usize::from(!goes_right);
            right += usize::from(goes_right);
        }
        order[middle..parent.end].copy_from_slice(&scratch[..right]);
        let left = grown.nodes.len();
        grown.nodes[parent.node] = GrownNode { left: left as u16, feature: features[split.at] as u16, bin: split.bin, value: 0.0 };
        grown.nodes.extend([GrownNode::default(); 2]);
        let left_is_smaller = middle - parent.start <= parent.end - middle;
        let smaller = if left_is_smaller { &order[parent.start..middle] } else { &order[middle..parent.end] };
        let last = open.len() + 2 >= parameters.leaves.max(2);
        let (small, large) = if last {
            (vec![], vec![]) // nobody will split these
        } else {
            let small = histogram(sample, smaller);
            let mut large = parent.histogram;
            large.iter_mut().zip(&small).for_each(|(all, part)| *all = all.wrapping_sub(*part));
            (small, large)
        };
        let (g, h) = sample.sum(smaller);
        let (g_rest, h_rest) = (parent.gradient - g, parent.hessian - h);
        let (left_part, right_part) =
            if left_is_smaller { ((small, g, h), (large, g_rest, h_rest)) } else { ((large, g_rest, h_rest), (small, g, h)) };
        for (node, start, end, (histogram, gradient, hessian)) in
            [(left, parent.start, middle, left_part), (left + 1, middle, parent.end, right_part)]
        {
            let mut leaf = Leaf { node, start, end, histogram, gradient, hessian, best: None };
            if !last {
                leaf.best = best_split(&leaf, sample.stride, bins, features, parameters, ridge);
            }
            open.push(leaf);
        }
    }
    let mut leaves = vec![];
    for leaf in &open {
        let value = parameters.learning_rate * leaf.gradient as f64 / (leaf.hessian as f64 + ridge);
        grown.nodes[leaf.node].value = value as f32;
        leaves.push((leaf.node, leaf.start, leaf.end));
    }
    (grown, InLeaf { rows: order, leaves })
}

/// Rows that one task adds up; the sums are exact, so that their order does not matter.
const ROWS_A_TASK: usize = 16_384;

/// One histogram of [`Sample::stride`] words a feature, side by side.
fn histogram(sample: &Sample, order: &[u32]) -> Vec<u64> {
    let empty = || vec![0_u64; sample.width * sample.stride];
    // The compiler knows each length, and so that no bin lies outside.
    let fill = |mut out: Vec<u64>, order: &[u32]| {
        match sample.stride {
            64 => add_up::<64>(&mut out, sample, order),
            128 => add_up::<128>(&mut out, sample, order),
            _ => add_up::<MAX_BINS>(&mut out, sample, order),
        }
        out
    };
    if order.len() <= ROWS_A_TASK {
        return fill(empty(), order);
    }
    order.par_chunks(ROWS_A_TASK).fold(empty, fill).reduce(empty, |mut sum, part| {
        sum.iter_mut().zip(&part).for_each(|(a, b)| *a = a.wrapping_add(*b));
        sum
    })
}

fn add_up<const STRIDE: usize>(out: &mut [u64], sample: &Sample, order: &[u32]) {
    for row in order {
        let word = sample.words[*row as usize];
        for (histogram, bin) in out.as_chunks_mut::<STRIDE>().0.iter_mut().zip(sample.row(*row)) {
            let sum = &mut histogram[*bin as usize & (STRIDE - 1)];
            *sum = sum.wrapping_add(word);
        }
    }
}

fn best_split(leaf: &Leaf, stride: usize, bins: &Bins, features: &[usize], parameters: &BoostingParameters, ridge: f64) -> Option<Split> {
    let rows = leaf.end - leaf.start;
    if rows < 2 * parameters.min_rows.max(1) {
        return None;
    }
    let score = |g: i64, h: i64| (g as f64) * (g as f64) / (h as f64 + ridge);
    let whole = score(leaf.gradient, leaf.hessian);
    // Rows are not counted in the histogram; the hessian's share of them stands in.
    let least = leaf.hessian as f64 * parameters.min_rows as f64 / rows as f64;
    let mut best: Option<Split> = None;
    for (at, feature) in features.iter().enumerate() {
        let histogram = &leaf.histogram[at * stride..(at + 1) * stride];
        let (mut g, mut h) = (0, 0);
        for (bin, word) in histogram.iter().enumerate().take(bins.count(*feature) - 1) {
            let (a, b) = unpack(*word);
            g += a;
            h += b;
            let (g_rest, h_rest) = (leaf.gradient - g, leaf.hessian - h);
            if (h as f64) < least || (h_rest as f64) < least {
                continue;
            }
            let gain = score(g, h) + score(g_rest, h_rest) - whole;
            if gain > 1e-9 && best.is_none_or(|best| gain > best.gain) {
                best = Some(Split { gain, at, bin: bin as u8 });
            }
        }
    }
    best
}

/// So many rows get their scores in one task.
const CHUNK: usize = 4_096;

/// Adds a tree to the scores of all rows: those that it was grown on by their leaf, the others by a walk.
fn apply(grown: &Grown, rows: &BinnedRows, score: &mut [f32], sampled: &[u32], in_leaf: &InLeaf) {
    let mut leaf_of = vec![u32::MAX; score.len()];
    for (node, start, end) in &in_leaf.leaves {
        for row in &in_leaf.rows[*start..*end] {
            leaf_of[sampled[*row as usize] as usize] = *node as u32;
        }
    }
    let add = |(chunk, (score, leaf_of)): (usize, (&mut [f32], &[u32]))| {
        let mut others = Vec::with_capacity(score.len());
        for ((at, score), leaf) in score.iter_mut().enumerate().zip(leaf_of) {
            match grown.nodes.get(*leaf as usize) {
                Some(leaf) => *score += leaf.value,
                None => others.push(at),
            }
        }
        for group in others.chunks(LANES) {
            let leaves = walk_side_by_side(group.len(), |lane, at| {
                let node = grown.nodes[at];
                (node.left as usize, rows.row(chunk * CHUNK + group[lane])[node.feature as usize] > node.bin)
            });
            group.iter().zip(leaves).for_each(|(at, leaf)| score[*at] += grown.nodes[leaf].value);
        }
    };
    score.par_chunks_mut(CHUNK).zip(leaf_of.par_chunks(CHUNK)).enumerate().for_each(add);
}

fn finish(grown: &Grown, bins: &Bins) -> Tree {
    let nodes = grown.nodes.iter().map(|node| Node {
        feature: node.feature,
        value: if node.left == 0 { node.value } else { bins.edge(node.feature as usize, node.bin) },
        left: u32::from(node.left),
    });
    Tree { nodes: nodes.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::unit;

    #[test]
    fn a_block_of_rows_comes_to_the_leaves_of_each() {
        // A complete tree of depth 5 on three features, whose cuts are among the values.
        let values = [-1.0_f32, 0.0, 0.25, 0.5, 1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        let inner = |at: usize| Node { feature: (at % 3) as u16, value: values[at % 5], left: 2 * at as u32 + 1 };
        let leaf = |at: usize| Node { feature: 0, value: at as f32, left: 0 };
        let tree = Tree { nodes: (0..31).map(inner).chain((31..63).map(leaf)).collect() };
        for count in (1..=block::ROWS).chain([65, 128, 129]) {
            let rows: Vec<f32> = (0..3 * count).map(|at| values[(hash(7, &[at as u64, count as u64]) % 8) as usize]).collect();
            let model = Boosted { base: 0.5, width: 3, trees: vec![tree.clone(), tree.clone()] };
            let alone: Vec<f64> = rows.chunks(3).map(|row| 0.5 + 2.0 * f64::from(tree.value(row))).collect();
            assert_eq!(model.log_odds_of(&rows), alone, "{count} rows");
        }
    }

    /// Outcomes that depend on an interaction of the first two of four features.
    fn table(n: u64) -> (Vec<f32>, BinnedRows, Bins) {
        let value = |row: u64, feature: u64| (unit(hash(row, &[feature])) * 10.0) as f32;
        let raw: Vec<f32> = (0..n).flat_map(|row| (0..4).map(move |feature| value(row, feature))).collect();
        let bins = Bins::from_sample(&raw, 4, 64);
        let mut rows = BinnedRows::with_capacity(4, n as usize);
        for (row, values) in (0..n).zip(raw.chunks(4)) {
            let mut binned = vec![];
            bins.bin_row(values, &mut binned);
            let p = if (values[0] > 5.0) == (values[1] > 3.0) { 0.7 } else { 0.1 };
            rows.extend(&binned, &[unit(hash(row, &[77])) < p], &[1.0]);
        }
        (raw, rows, bins)
    }

    fn parameters() -> BoostingParameters {
        BoostingParameters { trees: 60, leaves: 8, learning_rate: 0.2, min_rows: 20, ..BoostingParameters::default() }
    }

    #[test]
    fn an_interaction_is_learnt_with_its_probabilities() {
        let (_, rows, bins) = table(8_000);
        let fitted = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len()).unwrap();
        let p = |row: [f32; 4]| sigmoid(fitted.model.log_odds(&row));
        assert!((p([8.0, 8.0, 5.0, 5.0]) - 0.7).abs() < 0.12, "{}", p([8.0, 8.0, 5.0, 5.0]));
        assert!((p([8.0, 1.0, 5.0, 5.0]) - 0.1).abs() < 0.08, "{}", p([8.0, 1.0, 5.0, 5.0]));
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
        let model = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len()).unwrap().model;
        let all = model.log_odds_of(&raw);
        let best = model.log_odds_of_best(&raw, 20, 100);
        assert_eq!(best.len(), 100);
        assert!(best.windows(2).all(|pair| pair[0].0 < pair[1].0) && best.iter().all(|(at, score)| *score == all[*at]));
        assert_eq!(model.log_odds_of_best(&raw, 20, 5_000), all.into_iter().enumerate().collect::<Vec<_>>());
        // The best by 20 trees of 60 are mostly the best by all.
        let mut ranked = model.log_odds_of_best(&raw, 1_000, 100);
        ranked.retain(|one| best.contains(one));
        assert!(ranked.len() > 60, "{}", ranked.len());
    }

    #[test]
    fn a_leaf_that_names_no_feature_is_inconsistent() {
        let (_, rows, bins) = table(1_000);
        let mut model = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len()).unwrap().model;
        assert!(model.is_consistent());
        let leaf = model.trees[0].nodes.iter().position(|node| node.left == 0).unwrap();
        model.trees[0].nodes[leaf].feature = 60_000;
        assert!(!model.is_consistent());
    }

    #[test]
    fn rows_after_the_taken_ones_do_not_matter() {
        let (_, mut rows, bins) = table(3_000);
        let first = Boosted::fit(&rows, &bins, &parameters(), 1, 2_000).unwrap().model;
        rows.label[2_000..].iter_mut().for_each(|label| *label = !*label);
        assert_eq!(Boosted::fit(&rows, &bins, &parameters(), 1, 2_000).unwrap().model, first);
    }

    #[test]
    fn a_weight_counts_like_copies_of_the_row() {
        let (_, rows, bins) = table(2_000);
        let mut weighted = rows.clone();
        weighted.weight.iter_mut().zip(&rows.label).for_each(|(weight, label)| *weight = if *label { 3.0 } else { 1.0 });
        let plain = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len()).unwrap().model;
        let heavy = Boosted::fit(&weighted, &bins, &parameters(), 1, rows.len()).unwrap().model;
        assert!((heavy.base - plain.base - 3.0_f64.ln()).abs() < 1e-9);
        assert!(heavy.log_odds(&[8.0, 8.0, 5.0, 5.0]) > plain.log_odds(&[8.0, 8.0, 5.0, 5.0]) + 0.5);
    }

    #[test]
    fn one_sided_outcomes_are_refused() {
        let (_, mut rows, bins) = table(100);
        rows.label.fill(true);
        assert!(Boosted::fit(&rows, &bins, &parameters(), 1, 100).is_err());
    }

    #[test]
    fn bins_keep_the_order_and_equal_values_together() {
        let sample: Vec<f32> = (0..1_000).map(|i| (i % 7) as f32).collect();
        let bins = Bins::from_sample(&sample, 1, 255);
        let found: Vec<u8> = (0..7).map(|i| bins.bin(0, i as f32)).collect();
        assert_eq!(found, (0..7).collect::<Vec<u8>>());
        assert!((0..6).all(|bin| bins.edge(0, bin) >= f32::from(bin) && bins.edge(0, bin) < f32::from(bin) + 1.0));
    }

    #[test]
    fn words_add_up_with_either_sign() {
        let sum = pack(-300, 7).wrapping_add(pack(120, 9)).wrapping_add(pack(-1, 0));
        assert_eq!(unpack(sum), (-181, 16));
    }
}
