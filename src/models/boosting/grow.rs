//! A tree grown best leaf first, by exact sums over histograms.

use std::ops::Range;

use super::block::FlatNode;
use super::gradients::unpack;
use super::tree_sample::TreeSample;
use super::{Bins, BoostingParameters};

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
        let order: Vec<u32> = (0..sample.len() as u32).collect();
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
