//! One fitted tree, over raw features.

use serde::{Deserialize, Serialize};

use super::bins::Bins;
use super::block::FlatNode;
use super::grow::GrownNode;

/// One inner node or leaf of a tree in a flat array.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    pub(super) feature: u16,
    /// Values up to this one go left. A leaf's value where `left` is 0.
    pub(super) value: f32,
    /// Position of the left child; the right one follows it. 0 in a leaf: the root is nobody's
    /// child.
    pub(super) left: u32,
}

impl FlatNode for Node {
    #[inline]
    fn left(&self) -> usize {
        self.left as usize
    }

    #[inline]
    fn value(&self) -> f32 {
        self.value
    }
}

/// A tree whose inner nodes compare a feature with a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
}

impl Tree {
    /// Of a tree over bins: the upper edge of a bin is the threshold.
    pub(super) fn from_grown(nodes: &[GrownNode], bins: &Bins) -> Self {
        let nodes = nodes.iter().map(|node| Node {
            feature: node.feature,
            value: if node.left == 0 {
                node.value
            } else {
                bins.edge(usize::from(node.feature), node.bin)
            },
            left: u32::from(node.left),
        });
        Self {
            nodes: nodes.collect(),
        }
    }

    /// The nodes, the root first.
    #[inline]
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The value of the leaf that a row comes to.
    pub(super) fn value(&self, row: &[f32]) -> f32 {
        let mut at = 0;
        loop {
            let node = self.nodes[at];
            if node.left == 0 {
                return node.value;
            }
            at = node.left() + usize::from(row[usize::from(node.feature)] > node.value);
        }
    }

    /// Whether every node points where a walk ends: to later nodes of the tree, features of a row
    /// of this width, finite values.
    pub(super) fn is_consistent(&self, width: usize) -> bool {
        !self.nodes.is_empty()
            && self.nodes.iter().enumerate().all(|(at, node)| {
                let left = node.left();
                node.value.is_finite()
                    && usize::from(node.feature) < width
                    && (left == 0 || (left > at && left + 1 < self.nodes.len()))
            })
    }
}
