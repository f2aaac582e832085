//! Rows that go through trees together.
//!
//! A tree sends many of a customer's rows the same way: its candidates, or the days to come. All rows at a node are compared with its value
//! at once, and walk on as a set; what rows share is walked once. The idea of bit sets of rows or leaves is that of QuickScorer (Lucchese et
//! al., SIGIR 2015), here with the tree walked from its root.

use wide::f32x8;

use super::Node;

/// Most rows of a block: a set of them is a word.
pub(super) const ROWS: usize = u64::BITS as usize;

/// Sets with no more rows than that walk one by one: comparing all of them costs more.
const FEW: u32 = 2;

/// Up to [`ROWS`] rows, column by column.
pub(super) struct Block {
    rows: usize,
    /// `columns[feature * vectors + row / 8]`.
    columns: Vec<f32x8>,
    vectors: usize,
}

impl Block {
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
        Self { rows: count, columns, vectors }
    }

    /// Adds the value of the leaf that each row comes to.
    ///
    /// `waiting` is room that is the same for every tree.
    pub(super) fn add(&self, nodes: &[Node], out: &mut [f64], waiting: &mut Vec<(usize, u64)>) {
        // The root and sets that turned right, which wait while those beside them walk on.
        waiting.push((0, u64::MAX >> (ROWS - self.rows.clamp(1, ROWS))));
        while let Some((mut at, mut set)) = waiting.pop() {
            loop {
                let node = nodes[at];
                let left = node.left as usize;
                if left == 0 {
                    each(set, |row| out[row] += f64::from(node.value));
                    break;
                }
                if set.count_ones() <= FEW {
                    each(set, |row| out[row] += f64::from(self.leaf_of(row, nodes, at)));
                    break;
                }
                let right = set & self.beyond(node.feature as usize, node.value);
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

    /// The rows whose feature is larger than a value.
    #[inline]
    fn beyond(&self, feature: usize, value: f32) -> u64 {
        let column = &self.columns[feature * self.vectors..(feature + 1) * self.vectors];
        let value = f32x8::splat(value);
        column.iter().rev().fold(0, |set, values| (set << 8) | u64::from(values.simd_gt(value).to_bitmask()))
    }

    /// The value of the leaf that one row comes to from a node on.
    #[inline]
    fn leaf_of(&self, row: usize, nodes: &[Node], from: usize) -> f32 {
        let mut at = from;
        loop {
            let node = nodes[at];
            if node.left == 0 {
                return node.value;
            }
            let values = self.columns[node.feature as usize * self.vectors + row / 8].as_array();
            at = node.left as usize + usize::from(values[row % 8] > node.value);
        }
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
