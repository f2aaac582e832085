//! The rows and features that one tree sees, and their histograms.

use rayon::prelude::*;

use super::bins::{BinnedRows, Bins, MAX_BINS};
use super::block::ROWS;
use super::gradients::unpack;
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
    pub(super) features: Vec<usize>,
    /// Words that a feature's histogram takes: a power of two, and as few as its bins allow, so
    /// that a tree's histogram stays in the cache.
    pub(super) stride: usize,
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

    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.words.len()
    }

    #[inline]
    fn width(&self) -> usize {
        self.features.len()
    }

    /// The bins of a row.
    #[inline]
    pub(super) fn row(&self, row: u32) -> &[u8] {
        let (row, width) = (row as usize, self.width());
        &self.bins[row * width..(row + 1) * width]
    }

    /// The gradient and the hessian of some rows.
    pub(super) fn sum(&self, rows: &[u32]) -> (i64, i64) {
        unpack(rows.iter().fold(0, |sum: u64, row| {
            sum.wrapping_add(self.words[*row as usize])
        }))
    }

    /// The histograms of some rows: [`TreeSample::stride`] words a feature, side by side.
    pub(super) fn histogram(&self, rows: &[u32]) -> Vec<u64> {
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
