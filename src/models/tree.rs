//! One product's tree: where, and by how much, the pooled model is wrong about this product.
//!
//! linfa-trees classifies and its leaves keep only a label; after fitting it merges two leaves with
//! the same label. So it is given what the pooled model gets wrong: the label is `bought`, the
//! weight |bought − p|, and a leaf's label is then the sign of the sum of (bought − p). The leaves'
//! values are computed here, from the same rows in their order: a step of Newton's method in
//! log-odds, shrunk to 0 by a ridge (Friedman 2001; the ridge is the precision of a normal prior).

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_trees::{DecisionTree, TreeNode};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::settings::{Allowed, section};

/// A flat tree of corrections in log-odds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectionTree {
    nodes: Vec<CorrectionNode>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct CorrectionNode {
    /// Position among the features that corrections may use.
    feature: u16,
    /// Values up to this one go left.
    threshold: f32,
    /// Positions of the children; both 0 in a leaf.
    left: u32,
    right: u32,
    /// Correction of a leaf, in log-odds.
    value: f32,
    /// Training rows in the leaf.
    rows: u32,
}

/// The values of one feature with which a row goes to a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureRange {
    /// Position among the features that corrections may use.
    pub feature: u16,
    /// They are above this.
    pub above: Option<f32>,
    /// They are at most this.
    pub up_to: Option<f32>,
}

/// A leaf of a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrectionLeaf {
    /// Which rows go to it: all of these hold. In the order of the splits.
    pub ranges: Vec<FeatureRange>,
    /// The correction, in log-odds.
    pub value: f64,
}

impl FeatureRange {
    /// Whether a value is inside.
    #[must_use]
    pub fn contains(&self, value: f32) -> bool {
        self.above.is_none_or(|above| value > above)
            && self.up_to.is_none_or(|up_to| value <= up_to)
    }
}

impl CorrectionNode {
    /// Adds to some ranges what is known of a row on one side of this split.
    fn narrow(&self, ranges: &mut Vec<FeatureRange>, goes_left: bool) {
        if self.threshold.is_infinite() {
            return;
        }
        let known = ranges
            .iter()
            .position(|range| range.feature == self.feature);
        let at = known.unwrap_or_else(|| {
            ranges.push(FeatureRange {
                feature: self.feature,
                above: None,
                up_to: None,
            });
            ranges.len() - 1
        });
        let range = &mut ranges[at];
        // A split below another of the same feature is within its range.
        match goes_left {
            true => range.up_to = Some(self.threshold),
            false => range.above = Some(self.threshold),
        }
    }
}

/// One product's rows: features in bins (row-major), what happened, and what the pooled model said.
#[derive(Debug, Clone, Default)]
pub struct ProductRows {
    /// Features of each row, as bin numbers.
    pub bins: Vec<u8>,
    /// Whether it was bought.
    pub label: Vec<bool>,
    /// The pooled model's probability.
    pub probability: Vec<f64>,
    /// The row's weight.
    pub weight: Vec<f64>,
}

section! {
    /// How corrections are fitted.
    #[derive(Copy)]
    pub struct CorrectionParameters {
        /// Fewest rows of a product, in units of p (1 − p), for a tree of its own
        #[setting(default = 25.0, allowed(Allowed::Above(0.0)))]
        pub min_information: f64,
        /// Deepest tree
        #[setting(default = 2, allowed(Allowed::Between(1.0, 16.0)))]
        pub depth: usize,
        /// Least sum of |bought − p| in a leaf
        #[setting(default = 8.0, allowed(Allowed::Above(0.0)))]
        pub min_leaf: f64,
        /// Ridge penalty on a leaf's correction, in units of p (1 − p)
        #[setting(default = 60.0, allowed(Allowed::Above(0.0)))]
        pub ridge: f64,
    }
}

/// Bought rows weigh this much more: a tie between the labels of a node would follow hash order in
/// linfa.
const TIE_BREAK: f64 = 1.000_1;
/// Largest correction of a leaf, in log-odds.
const MAX_CORRECTION: f64 = 3.0;

impl ProductRows {
    /// Whether the row was bought, less the probability that it would be.
    fn miss(&self, row: usize) -> f64 {
        f64::from(u8::from(self.label[row])) - self.probability[row]
    }

    /// What linfa weighs the row by.
    fn miss_weight(&self, row: usize) -> f32 {
        let tie_break = if self.label[row] { TIE_BREAK } else { 1.0 };
        (self.weight[row] * self.miss(row).abs() * tie_break) as f32
    }

    /// The correction that suits some rows: a step of Newton's method, shrunk to 0.
    fn correction(&self, inside: &[u32], ridge: f64) -> f32 {
        let (mut gradient, mut hessian) = (0.0, ridge);
        for row in inside {
            let row = *row as usize;
            let p = self.probability[row];
            gradient += self.weight[row] * self.miss(row);
            hessian += self.weight[row] * p * (1.0 - p);
        }
        (gradient / hessian).clamp(-MAX_CORRECTION, MAX_CORRECTION) as f32
    }
}

impl CorrectionTree {
    /// Fits a correction to one product's rows; `edge` turns a feature's bin into its upper value.
    /// `None` where linfa finds nothing.
    #[must_use]
    pub fn fit(
        rows: &ProductRows,
        width: usize,
        parameters: &CorrectionParameters,
        edge: impl Fn(usize, u8) -> f32,
    ) -> Option<Self> {
        let n = rows.label.len();
        if n < 2 || width == 0 || rows.bins.len() != n * width {
            return None;
        }
        let records = Array2::from_shape_fn((n, width), |(row, feature)| {
            f64::from(rows.bins[row * width + feature])
        });
        let weights = Array1::from_iter((0..n).map(|row| rows.miss_weight(row)));
        let labels = Array1::from_iter(rows.label.iter().copied());
        let fitted = DecisionTree::<f64, bool>::params()
            .max_depth(Some(parameters.depth))
            .min_weight_leaf(parameters.min_leaf as f32)
            .min_weight_split(2.0)
            .fit(&Dataset::new(records, labels).with_weights(weights))
            .ok()?;
        let mut builder = TreeBuilder {
            rows,
            width,
            ridge: parameters.ridge,
            edge,
            nodes: vec![],
        };
        let all: Vec<u32> = (0..n as u32).collect();
        builder.add(fitted.root_node(), &all);
        Some(Self {
            nodes: builder.nodes,
        })
    }

    /// The correction of a row, in log-odds; `feature` gives the value of a feature.
    #[must_use]
    pub fn correction(&self, feature: impl Fn(usize) -> f32) -> f64 {
        let mut at = 0;
        loop {
            let node = self.nodes[at];
            if node.left == 0 {
                return f64::from(node.value);
            }
            at = if feature(usize::from(node.feature)) <= node.threshold {
                node.left
            } else {
                node.right
            } as usize;
        }
    }

    /// The leaf that a row goes to, as [`Self::correction`] does.
    #[must_use]
    pub fn leaf(&self, feature: impl Fn(usize) -> f32) -> CorrectionLeaf {
        let (mut at, mut ranges) = (0, vec![]);
        loop {
            let node = self.nodes[at];
            if node.left == 0 {
                let value = f64::from(node.value);
                return CorrectionLeaf { ranges, value };
            }
            let goes_left = feature(usize::from(node.feature)) <= node.threshold;
            node.narrow(&mut ranges, goes_left);
            at = if goes_left { node.left } else { node.right } as usize;
        }
    }

    /// All leaves of a tree that was fitted here: in one from a file, nodes may share children, and
    /// a leaf come up too often.
    #[must_use]
    pub fn every_leaf(&self) -> Vec<CorrectionLeaf> {
        let mut leaves = vec![];
        let mut waiting = vec![(0, vec![])];
        while let Some((at, ranges)) = waiting.pop() {
            let node: CorrectionNode = self.nodes[at];
            if node.left == 0 {
                let value = f64::from(node.value);
                leaves.push(CorrectionLeaf { ranges, value });
                continue;
            }
            for (child, goes_left) in [(node.right, false), (node.left, true)] {
                let mut ranges = ranges.clone();
                node.narrow(&mut ranges, goes_left);
                waiting.push((child as usize, ranges));
            }
        }
        leaves
    }

    /// A tree of nodes in their order, each with its feature, its threshold and its correction: the
    /// left child of a split is the next node, and a correction of 0 makes a split.
    #[cfg(test)]
    pub(in crate::models) fn of_nodes(nodes: &[(usize, f32, f32)]) -> Self {
        fn add(rest: &mut &[(usize, f32, f32)], nodes: &mut Vec<CorrectionNode>) -> u32 {
            let (feature, threshold, value) = rest[0];
            *rest = &rest[1..];
            let at = nodes.len();
            nodes.push(CorrectionNode {
                feature: feature as u16,
                threshold,
                left: 0,
                right: 0,
                value,
                rows: 0,
            });
            if value == 0.0 {
                nodes[at].left = add(rest, nodes);
                nodes[at].right = add(rest, nodes);
            }
            at as u32
        }
        let (mut rest, mut tree) = (nodes, vec![]);
        add(&mut rest, &mut tree);
        Self { nodes: tree }
    }

    /// How many leaves.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.nodes.iter().filter(|node| node.left == 0).count()
    }

    /// Whether every node points to later nodes of the tree and every value is finite.
    #[must_use]
    pub fn is_consistent(&self, width: usize) -> bool {
        !self.nodes.is_empty()
            && self.nodes.iter().enumerate().all(|(at, node)| {
                let later = at + 1..self.nodes.len();
                node.value.is_finite()
                    && !node.threshold.is_nan()
                    && ((node.left == 0 && node.right == 0)
                        || (later.contains(&(node.left as usize))
                            && later.contains(&(node.right as usize))
                            && usize::from(node.feature) < width))
            })
    }
}

/// Turns linfa's tree into a flat one whose leaves have values.
struct TreeBuilder<'a, E> {
    rows: &'a ProductRows,
    width: usize,
    ridge: f64,
    edge: E,
    nodes: Vec<CorrectionNode>,
}

impl<E: Fn(usize, u8) -> f32> TreeBuilder<'_, E> {
    /// Adds a node that has the rows `inside`, and all nodes below it. Gives its position.
    fn add(&mut self, node: &TreeNode<f64, bool>, inside: &[u32]) -> u32 {
        let at = self.nodes.len();
        self.nodes.push(CorrectionNode {
            feature: 0,
            threshold: 0.0,
            left: 0,
            right: 0,
            value: self.rows.correction(inside, self.ridge),
            rows: inside.len() as u32,
        });
        if let ([Some(left), Some(right)], false) = (node.children().as_slice(), node.is_leaf()) {
            let (feature, split, _) = node.split();
            let (below, above): (Vec<u32>, Vec<u32>) = inside
                .iter()
                .partition(|row| f64::from(self.bin(**row, feature)) <= split);
            let (left, right) = (self.add(left, &below), self.add(right, &above));
            self.nodes[at] = CorrectionNode {
                feature: feature as u16,
                threshold: (self.edge)(feature, split.floor().clamp(0.0, 255.0) as u8),
                left,
                right,
                ..self.nodes[at]
            };
        }
        at as u32
    }

    fn bin(&self, row: u32, feature: usize) -> u8 {
        self.rows.bins[row as usize * self.width + feature]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::boosting::sigmoid;
    use crate::sampling::{hash, unit};

    /// The pooled model says 0.2 everywhere; in truth it is 0.2 · e^±1 in odds, by feature 1.
    fn planted(effect: f64) -> ProductRows {
        let mut rows = ProductRows::default();
        for i in 0..4_000_u64 {
            let bins: [u8; 3] =
                std::array::from_fn(|feature| (unit(hash(i, &[feature as u64])) * 40.0) as u8);
            let shift = if bins[1] > 20 { effect } else { -effect };
            rows.bins.extend(bins);
            rows.label
                .push(unit(hash(i, &[9])) < sigmoid(-1.386 + shift));
            rows.probability.push(0.2);
            rows.weight.push(1.0);
        }
        rows
    }

    #[test]
    fn a_planted_effect_is_found_with_its_size() {
        let tree = CorrectionTree::fit(
            &planted(1.0),
            3,
            &CorrectionParameters::default(),
            |_, bin| f32::from(bin) + 0.5,
        )
        .unwrap();
        assert!(tree.leaves() >= 2 && tree.is_consistent(3));
        let at = |value: f32| tree.correction(|feature| if feature == 1 { value } else { 20.0 });
        assert!(at(5.0) < -0.4 && at(35.0) > 0.7, "{} {}", at(5.0), at(35.0));
    }

    #[test]
    fn the_same_rows_give_the_same_tree() {
        let fit = || {
            CorrectionTree::fit(
                &planted(0.3),
                3,
                &CorrectionParameters::default(),
                |_, bin| f32::from(bin) + 0.5,
            )
        };
        let first = fit();
        assert!((0..5).all(|_| fit() == first));
    }

    #[test]
    fn no_effect_gives_hardly_a_correction() {
        let tree = CorrectionTree::fit(
            &planted(0.0),
            3,
            &CorrectionParameters::default(),
            |_, bin| f32::from(bin) + 0.5,
        )
        .unwrap();
        assert!(tree.correction(|_| 20.0).abs() < 0.5);
    }
}
