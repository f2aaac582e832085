//! The rows that a tree sees, and their gradients, rounded to integers.

use rayon::prelude::*;

use super::bins::BinnedRows;
use super::block::ROWS;
use super::sigmoid;
use crate::sampling::TreeDraw;

/// More than any rounded gradient of a row: shifted above 0, where a cast rounds down.
const SHIFT: f64 = 4096.0;

/// Gradient (upper 32 bits, signed) and hessian (lower 32) of a row or a bin in one word: one
/// addition serves both.
const fn pack(gradient: i64, hessian: i64) -> u64 {
    ((gradient as u64) << 32).wrapping_add(hessian as u64)
}

/// The gradient and the hessian of a word, or of a sum of words.
pub(super) const fn unpack(word: u64) -> (i64, i64) {
    ((word as i64) >> 32, (word & 0xffff_ffff) as i64)
}

/// Gradients and hessians of the logistic loss as integers.
pub(super) struct RoundedGradients<'a> {
    rows: &'a BinnedRows,
    scale: f64,
}

impl<'a> RoundedGradients<'a> {
    /// Of trees that see the share `row_share` of the first `n` rows.
    pub(super) fn new(rows: &'a BinnedRows, n: usize, row_share: f64) -> Self {
        let max_weight = rows.weight[..n].iter().copied().fold(0.0_f32, f32::max);
        let most = (n as f64 * row_share * 1.1 + 1000.0).min(n as f64);
        // A row's word stays so small that the sums of all sampled rows fit into 31 bits.
        let scale = ((f64::from(1_u32 << 30)) / most).min(1024.0) / f64::from(max_weight);
        Self { rows, scale }
    }

    /// What a gradient is multiplied by before it is rounded.
    pub(super) fn scale(&self) -> f64 {
        self.scale
    }

    /// The words of the sampled rows; `score` has the log-odds of all rows.
    pub(super) fn words(&self, sampled: &[u32], score: &[f32], draw: TreeDraw) -> Vec<u64> {
        sampled
            .par_iter()
            .with_min_len(4096)
            .map(|row| {
                let row = *row as usize;
                self.word(row, f64::from(score[row]), draw)
            })
            .collect()
    }

    #[inline]
    fn word(&self, row: usize, score: f64, draw: TreeDraw) -> u64 {
        let p = sigmoid(score);
        let weight = f64::from(self.rows.weight[row]);
        let label = f64::from(u8::from(self.rows.label[row]));
        let gradient = (label - p) * weight * self.scale;
        let hessian = p * (1.0 - p) * weight * self.scale;
        let random = draw.rounding(row);
        let (a, b) = (
            (random & 0xff_ffff) as f64 / f64::from(1 << 24),
            (random >> 40) as f64 / f64::from(1 << 24),
        );
        pack(
            (gradient + a + SHIFT) as i64 - SHIFT as i64,
            (hessian + b) as i64,
        )
    }
}

/// Rows that are drawn in one task.
const ROWS_A_TASK: usize = 64 * ROWS;

/// The rows that a tree sees, of `n`.
pub(super) fn sample_rows(n: usize, share: f64, draw: TreeDraw) -> Vec<u32> {
    (0..n.div_ceil(ROWS_A_TASK))
        .into_par_iter()
        .map(|task| {
            let rows = task * ROWS_A_TASK..n.min((task + 1) * ROWS_A_TASK);
            sample_of_task(rows, share, draw)
        })
        .collect::<Vec<Vec<u32>>>()
        .concat()
}

fn sample_of_task(rows: std::ops::Range<usize>, share: f64, draw: TreeDraw) -> Vec<u32> {
    let (mut sampled, mut count) = (vec![0; rows.len()], 0);
    for row in rows {
        // Always written, sometimes kept: a branch here would be mispredicted half the time.
        sampled[count] = row as u32;
        count += usize::from(draw.sees(row, share));
    }
    sampled.truncate(count);
    sampled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_add_up_with_either_sign() {
        let sum = pack(-300, 7)
            .wrapping_add(pack(120, 9))
            .wrapping_add(pack(-1, 0));
        assert_eq!(unpack(sum), (-181, 16));
    }
}
