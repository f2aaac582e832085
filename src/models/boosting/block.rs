//! Rows that go through trees together.
//!
//! A tree sends many rows the same way: a customer's candidates, the days to come. All rows at a
//! node are compared with its threshold at once, and walk on as a set; what rows share is walked
//! once. The idea of bit sets of rows or leaves is that of QuickScorer (Lucchese et al., SIGIR
//! 2015), here with the tree walked from its root.

use wide::f32x8;

use super::tree::Node;

/// Most rows of a block: a set of them is a word.
pub(super) const ROWS: usize = u64::BITS as usize;

/// Sets with no more rows than that walk one by one: comparing all of them costs more.
const FEW: u32 = 2;

/// An inner node or a leaf in an array of them.
pub(super) trait FlatNode {
    /// Position of the left child, which the right one follows; 0 in a leaf.
    fn left(&self) -> usize;

    /// The value of a leaf.
    fn value(&self) -> f32;
}

/// Up to [`ROWS`] rows that can be compared with a node's threshold.
pub(super) trait RowBlock<N> {
    /// How many rows.
    fn rows(&self) -> usize;

    /// The set of rows that go to the right of a node. Bits beyond the rows say nothing.
    fn beyond(&self, node: &N) -> u64;

    /// Whether one row goes to the right of a node.
    fn goes_right(&self, row: usize, node: &N) -> bool;

    /// Calls `add` with each row and the value of the leaf that it comes to. `waiting` is room that
    /// is the same for every tree.
    #[inline]
    fn walk(&self, nodes: &[N], waiting: &mut Vec<(usize, u64)>, mut add: impl FnMut(usize, f32))
    where
        N: FlatNode,
    {
        // The root and sets that turned right, which wait while those beside them walk on.
        waiting.push((0, u64::MAX >> (ROWS - self.rows().clamp(1, ROWS))));
        while let Some((mut at, mut set)) = waiting.pop() {
            loop {
                let node = &nodes[at];
                let left = node.left();
                if left == 0 {
                    each(set, |row| add(row, node.value()));
                    break;
                }
                if set.count_ones() <= FEW {
                    each(set, |row| add(row, self.leaf_of(row, nodes, at)));
                    break;
                }
                let right = set & self.beyond(node);
                let stay = set & !right;
                if stay == 0 {
                    at = left + 1;
                    continue;
                }
                if right != 0 {
                    waiting.push((left + 1, right));
                }
                (at, set) = (left, stay);
            }
        }
    }

    /// The value of the leaf that one row comes to from a node on.
    #[inline]
    fn leaf_of(&self, row: usize, nodes: &[N], from: usize) -> f32
    where
        N: FlatNode,
    {
        let mut at = from;
        loop {
            let node = &nodes[at];
            if node.left() == 0 {
                return node.value();
            }
            at = node.left() + usize::from(self.goes_right(row, node));
        }
    }
}

/// Rows of raw features, column by column.
pub(super) struct RawBlock {
    rows: usize,
    /// `columns[feature * vectors + row / 8]`.
    columns: Vec<f32x8>,
    vectors: usize,
}

impl RawBlock {
    /// Of rows that are given row-major.
    pub(super) fn new(rows: &[f32], width: usize) -> Self {
        let count = rows.len() / width.max(1);
        let vectors = count.div_ceil(8);
        let mut columns = vec![f32x8::ZERO; width * vectors];
        for (at, row) in rows.chunks_exact(width.max(1)).enumerate() {
            for (values, value) in columns.iter_mut().skip(at / 8).step_by(vectors).zip(row) {
                values.as_mut_array()[at % 8] = *value;
            }
        }
        Self {
            rows: count,
            columns,
            vectors,
        }
    }
}

impl RowBlock<Node> for RawBlock {
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    fn beyond(&self, node: &Node) -> u64 {
        let feature = usize::from(node.feature);
        let column = &self.columns[feature * self.vectors..(feature + 1) * self.vectors];
        let value = f32x8::splat(node.value);
        column.iter().rev().fold(0, |set, values| {
            (set << 8) | u64::from(values.simd_gt(value).to_bitmask())
        })
    }

    #[inline]
    fn goes_right(&self, row: usize, node: &Node) -> bool {
        let values = self.columns[usize::from(node.feature) * self.vectors + row / 8].as_array();
        values[row % 8] > node.value
    }
}

/// Calls `visit` with each row of a set.
#[inline]
fn each(mut set: u64, mut visit: impl FnMut(usize)) {
    while set != 0 {
        visit(set.trailing_zeros() as usize);
        set &= set - 1;
    }
}
