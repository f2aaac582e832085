//! A tree grown best leaf first, by exact sums over histograms.

use std::ops::Range;

use rayon::prelude::*;

use super::bins::MAX_BINS;
use super::block::{FlatNode, ROWS};
use super::gradients::unpack;
use super::{BinnedRows, Bins, BoostingParameters};
use crate::sampling::Draw;

/// The features that a tree sees, ascending: a share of those that vary.
pub(super) fn sample_features(bins: &Bins, share: f64, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bins.width())
        .filter(|feature| bins.count(*feature) > 1)
        .collect();
    order.sort_by_key(|feature| Draw::TreeFeatures.hash(seed, &[*feature as u64]));
    order.truncate(((order.len() as f64 * share).ceil() as usize).max(1));
    order.sort_unstable();
    order
}

/// Rows that one task adds up; the sums are exact, so that their order does not matter.
const ROWS_A_TASK: usize = 16_384;

/// The rows and features that one tree sees, close together in memory.
pub(super) struct TreeSample {
    features: Vec<usize>,
    /// Words that a feature's histogram takes: a power of two, and as few as its bins allow, so
    /// that a tree's histogram stays in the cache.
    stride: usize,
    /// `bins[row * width + feature]`, both counted within the sample.
    bins: Vec<u8>,
    /// Gradient and hessian of each row.
    words: Vec<u64>,
}

impl TreeSample {
    pub(super) fn new(
        rows: &BinnedRows,
        sampled: &[u32],
        words: Vec<u64>,
        features: Vec<usize>,
        bins: &Bins,
    ) -> Self {
        let width = features.len();
        let stride = features
            .iter()
            .map(|feature| bins.count(*feature))
            .max()
            .unwrap_or(1)
            .next_power_of_two()
            .clamp(64, MAX_BINS);
        let mut bins = vec![0_u8; sampled.len() * width];
        bins.par_chunks_mut(ROWS_A_TASK * width)
            .zip(sampled.par_chunks(ROWS_A_TASK))
            .for_each(|(bins, sampled)| {
                let mut rest = bins;
                for same_block in sampled.chunk_by(|a, b| *a as usize / ROWS == *b as usize / ROWS)
                {
                    let (out, after) = rest.split_at_mut(same_block.len() * width);
                    rows.gather(same_block, &features, out);
                    rest = after;
                }
            });
        Self {
            features,
            stride,
            bins,
            words,
        }
    }

    #[inline]
    fn width(&self) -> usize {
        self.features.len()
    }

    #[inline]
    fn row(&self, row: u32) -> &[u8] {
        let (row, width) = (row as usize, self.width());
        &self.bins[row * width..(row + 1) * width]
    }

    /// The gradient and the hessian of some rows.
    fn sum(&self, rows: &[u32]) -> (i64, i64) {
        unpack(rows.iter().fold(0, |sum: u64, row| {
            sum.wrapping_add(self.words[*row as usize])
        }))
    }

    /// The histograms of some rows: [`TreeSample::stride`] words a feature, side by side.
    fn histogram(&self, rows: &[u32]) -> Vec<u64> {
        if rows.len() <= ROWS_A_TASK {
            return self.add_up(self.empty_histogram(), rows);
        }
        rows.par_chunks(ROWS_A_TASK)
            .fold(
                || self.empty_histogram(),
                |histogram, rows| self.add_up(histogram, rows),
            )
            .reduce(
                || self.empty_histogram(),
                |mut sum, partition| {
                    sum.iter_mut()
                        .zip(&partition)
                        .for_each(|(a, b)| *a = a.wrapping_add(*b));
                    sum
                },
            )
    }

    fn empty_histogram(&self) -> Vec<u64> {
        vec![0; self.width() * self.stride]
    }

    fn add_up(&self, mut histogram: Vec<u64>, rows: &[u32]) -> Vec<u64> {
        // The compiler knows each length, and so that no bin lies outside.
        match self.stride {
            64 => self.add_up_stride::<64>(&mut histogram, rows),
            128 => self.add_up_stride::<128>(&mut histogram, rows),
            _ => self.add_up_stride::<MAX_BINS>(&mut histogram, rows),
        }
        histogram
    }

    fn add_up_stride<const STRIDE: usize>(&self, histogram: &mut [u64], rows: &[u32]) {
        for row in rows {
            let word = self.words[*row as usize];
            for (sums, bin) in histogram
                .as_chunks_mut::<STRIDE>()
                .0
                .iter_mut()
                .zip(self.row(*row))
            {
                let sum = &mut sums[usize::from(*bin) & (STRIDE - 1)];
                *sum = sum.wrapping_add(word);
            }
        }
    }
}

/// A node as it grows: bins up to `bin` go left.
#[derive(Clone, Copy, Default)]
pub(super) struct GrownNode {
    /// Position of the left child; the right one follows it. 0 in a leaf.
    pub(super) left: u16,
    pub(super) feature: u16,
    pub(super) bin: u8,
    /// A leaf's value.
    pub(super) value: f32,
}

impl FlatNode for GrownNode {
    #[inline]
    fn left(&self) -> usize {
        usize::from(self.left)
    }

    #[inline]
    fn value(&self) -> f32 {
        self.value
    }
}

/// Exact sums over the rows of a leaf.
struct LeafSums {
    gradient: i64,
    hessian: i64,
    /// As [`TreeSample::histogram`]; empty where nobody will split the leaf.
    histogram: Vec<u64>,
}

/// A leaf while a tree grows.
struct OpenLeaf {
    /// Position of its node.
    node: usize,
    /// Its rows' positions in [`TreeGrower::order`].
    rows: Range<usize>,
    sums: LeafSums,
    /// The best way to split it, where one is worth it.
    best: Option<Split>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    /// Position among the tree's features.
    at: usize,
    bin: u8,
}

/// The nodes of a tree that fits the sample; `scale` is that of its words.
pub(super) fn grow(
    sample: &TreeSample,
    bins: &Bins,
    parameters: &BoostingParameters,
    scale: f64,
) -> Vec<GrownNode> {
    let mut grower = TreeGrower::new(sample, bins, parameters, scale);
    while let Some((at, split)) = grower.best_split() {
        grower.split(at, split);
    }
    grower.finish()
}

/// A tree while it grows.
struct TreeGrower<'a> {
    sample: &'a TreeSample,
    bins: &'a Bins,
    parameters: &'a BoostingParameters,
    /// In units of the words.
    ridge: f64,
    max_leaves: usize,
    /// The rows of the sample, those of a leaf side by side.
    order: Vec<u32>,
    /// Room for the rows that go right.
    scratch: Vec<u32>,
    nodes: Vec<GrownNode>,
    open: Vec<OpenLeaf>,
}

impl<'a> TreeGrower<'a> {
    /// A tree of one leaf.
    fn new(
        sample: &'a TreeSample,
        bins: &'a Bins,
        parameters: &'a BoostingParameters,
        scale: f64,
    ) -> Self {
        let order: Vec<u32> = (0..sample.words.len() as u32).collect();
        let (gradient, hessian) = sample.sum(&order);
        let sums = LeafSums {
            gradient,
            hessian,
            histogram: sample.histogram(&order),
        };
        let mut grower = Self {
            sample,
            bins,
            parameters,
            ridge: parameters.ridge * scale,
            max_leaves: parameters.leaves.max(2),
            scratch: vec![0; order.len()],
            order,
            nodes: vec![GrownNode::default()],
            open: vec![],
        };
        let rows = 0..grower.order.len();
        grower.add_leaf(0, rows, sums);
        grower
    }

    fn add_leaf(&mut self, node: usize, rows: Range<usize>, sums: LeafSums) {
        let best = if sums.histogram.is_empty() {
            None
        } else {
            self.best_split_of(&sums, rows.len())
        };
        self.open.push(OpenLeaf {
            node,
            rows,
            sums,
            best,
        });
    }

    /// The open leaf with the largest gain, the first of equals, and its split; `None` where the
    /// tree is complete.
    fn best_split(&self) -> Option<(usize, Split)> {
        if self.open.len() >= self.max_leaves {
            return None;
        }
        self.open
            .iter()
            .enumerate()
            .filter_map(|(at, leaf)| leaf.best.map(|split| (at, split)))
            .reduce(|best, next| {
                if next.1.gain > best.1.gain {
                    next
                } else {
                    best
                }
            })
    }

    /// Splits an open leaf into two.
    fn split(&mut self, at: usize, split: Split) {
        let parent = self.open.swap_remove(at);
        let middle = self.partition(&parent.rows, split);
        let left = self.nodes.len();
        self.nodes[parent.node] = GrownNode {
            left: left as u16,
            feature: self.sample.features[split.at] as u16,
            bin: split.bin,
            value: 0.0,
        };
        self.nodes.extend([GrownNode::default(); 2]);
        let (below, above) = (parent.rows.start..middle, middle..parent.rows.end);
        let left_is_smaller = below.len() <= above.len();
        let smaller = if left_is_smaller { &below } else { &above };
        let (small, large) = self.children_sums(parent.sums, smaller);
        let (left_sums, right_sums) = if left_is_smaller {
            (small, large)
        } else {
            (large, small)
        };
        self.add_leaf(left, below, left_sums);
        self.add_leaf(left + 1, above, right_sums);
    }

    /// Puts the rows that go left before those that go right; gives where the latter begin.
    fn partition(&mut self, rows: &Range<usize>, split: Split) -> usize {
        // Both places are written and one of them advances: a branch here would be mispredicted
        // half the time.
        let (mut middle, mut right) = (rows.start, 0);
        for position in rows.clone() {
            let row = self.order[position];
            let goes_right = self.sample.row(row)[split.at] > split.bin;
            self.order[middle] = row;
            self.scratch[right] = row;
            middle += usize::from(!goes_right);
            right += usize::from(goes_right);
        }
        self.order[middle..rows.end].copy_from_slice(&self.scratch[..right]);
        middle
    }

    /// The sums of the smaller child, which are added up, and of the larger one, which are what
    /// the parent has besides.
    fn children_sums(&self, parent: LeafSums, smaller: &Range<usize>) -> (LeafSums, LeafSums) {
        let rows = &self.order[smaller.clone()];
        let (gradient, hessian) = self.sample.sum(rows);
        let is_last_split = self.open.len() + 2 >= self.max_leaves;
        let (small, large) = if is_last_split {
            (vec![], vec![])
        } else {
            let small = self.sample.histogram(rows);
            let mut large = parent.histogram;
            large
                .iter_mut()
                .zip(&small)
                .for_each(|(all, of_small)| *all = all.wrapping_sub(*of_small));
            (small, large)
        };
        (
            LeafSums {
                gradient,
                hessian,
                histogram: small,
            },
            LeafSums {
                gradient: parent.gradient - gradient,
                hessian: parent.hessian - hessian,
                histogram: large,
            },
        )
    }

    /// The split of a leaf of so many rows that gains most; the first of equals.
    fn best_split_of(&self, leaf: &LeafSums, rows: usize) -> Option<Split> {
        let min_rows = self.parameters.min_rows;
        if rows < 2 * min_rows.max(1) {
            return None;
        }
        let whole = self.quality(leaf.gradient, leaf.hessian);
        // Rows are not counted in the histogram; the hessian's share of them stands in.
        let least = leaf.hessian as f64 * min_rows as f64 / rows as f64;
        let mut best: Option<Split> = None;
        let histograms = leaf.histogram.chunks_exact(self.sample.stride);
        for ((at, feature), histogram) in self.sample.features.iter().enumerate().zip(histograms) {
            let (mut g, mut h) = (0, 0);
            let cuts = self.bins.count(*feature) - 1;
            for (bin, word) in histogram.iter().enumerate().take(cuts) {
                let (gradient, hessian) = unpack(*word);
                g += gradient;
                h += hessian;
                let (g_rest, h_rest) = (leaf.gradient - g, leaf.hessian - h);
                if (h as f64) < least || (h_rest as f64) < least {
                    continue;
                }
                let gain = self.quality(g, h) + self.quality(g_rest, h_rest) - whole;
                if gain > 1e-9 && best.is_none_or(|best| gain > best.gain) {
                    let bin = bin as u8;
                    best = Some(Split { gain, at, bin });
                }
            }
        }
        best
    }

    /// How much the loss falls, doubled, where a leaf gets its best value.
    #[inline]
    fn quality(&self, gradient: i64, hessian: i64) -> f64 {
        (gradient as f64) * (gradient as f64) / (hessian as f64 + self.ridge)
    }

    /// The nodes, with the values of the leaves.
    fn finish(mut self) -> Vec<GrownNode> {
        for leaf in &self.open {
            let gradient = leaf.sums.gradient as f64;
            let value =
                self.parameters.learning_rate * gradient / (leaf.sums.hessian as f64 + self.ridge);
            self.nodes[leaf.node].value = value as f32;
        }
        self.nodes
    }
}
