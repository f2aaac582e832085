//! Features cut into bins, and rows of them.

use rayon::prelude::*;
use wide::i8x64;

use super::block::{ROWS, RowBlock};
use super::grow::GrownNode;

/// Where each feature is cut into bins: bin `b` holds values in `(cuts[b - 1], cuts[b]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    cuts: Vec<Vec<f32>>,
}

/// Most bins of a feature; a bin's number is one byte.
pub(super) const MAX_BINS: usize = 256;

impl Bins {
    /// Cuts at quantiles of a sample of rows (row-major, `width` features), halfway between
    /// neighbouring values.
    #[must_use]
    pub fn from_sample(rows: &[f32], width: usize, bins: usize) -> Self {
        let bins = bins.clamp(2, MAX_BINS);
        let cuts = (0..width).into_par_iter().map(|feature| {
            let values = rows.iter().skip(feature).step_by(width.max(1));
            let finite = values.copied().filter(|value| value.is_finite());
            cuts_at_quantiles(finite.collect(), bins)
        });
        Self {
            cuts: cuts.collect(),
        }
    }

    /// How many features.
    #[must_use]
    pub fn width(&self) -> usize {
        self.cuts.len()
    }

    /// The bin of a value of one feature.
    #[must_use]
    pub fn bin(&self, feature: usize, value: f32) -> u8 {
        self.cuts
            .get(feature)
            .map_or(0, |cuts| cuts.partition_point(|cut| *cut < value) as u8)
    }

    /// The bins of one row.
    pub fn bin_row(&self, row: &[f32], out: &mut Vec<u8>) {
        out.extend(
            row.iter()
                .enumerate()
                .map(|(feature, value)| self.bin(feature, *value)),
        );
    }

    pub(super) fn count(&self, feature: usize) -> usize {
        self.cuts.get(feature).map_or(1, |cuts| cuts.len() + 1)
    }

    /// The upper edge of a bin.
    #[must_use]
    pub fn edge(&self, feature: usize, bin: u8) -> f32 {
        self.cuts
            .get(feature)
            .and_then(|cuts| cuts.get(usize::from(bin)))
            .copied()
            .unwrap_or(f32::INFINITY)
    }
}

/// At most `bins - 1` cuts, ascending.
fn cuts_at_quantiles(mut values: Vec<f32>, bins: usize) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let mut cuts: Vec<f32> = vec![];
    let mut previous = 0;
    for bin in 1..bins {
        let at = values.len() * bin / bins;
        // The first value that differs from the last one before `at`.
        let Some(low) = at.checked_sub(1).and_then(|at| values.get(at)).copied() else {
            continue;
        };
        let next = at + values[at..].partition_point(|value| *value <= low);
        let Some(high) = values.get(next).copied() else {
            break;
        };
        if next > previous {
            let middle = low + (high - low) / 2.0;
            cuts.push(if middle < high { middle } else { low });
            previous = next;
        }
    }
    cuts.dedup();
    cuts
}

/// Binned training rows, in blocks of 64: of each block and feature the bins of the rows stand in
/// one cache line, so that a tree compares them with a threshold at once.
#[derive(Debug, Clone, Default)]
pub struct BinnedRows {
    width: usize,
    /// `columns[block * width + feature]`, as `signed` makes them.
    columns: Vec<i8x64>,
    /// Outcome of each row.
    pub label: Vec<bool>,
    /// Weight of each row, positive.
    pub weight: Vec<f32>,
}

/// A bin as a processor compares it: in the same order, from -128 on.
pub(super) const fn signed(bin: u8) -> i8 {
    (bin ^ 0x80).cast_signed()
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
        let columns = Vec::with_capacity(width * rows.div_ceil(ROWS));
        Self {
            width,
            columns,
            label: Vec::with_capacity(rows),
            weight: Vec::with_capacity(rows),
        }
    }

    /// Appends row-major rows.
    pub fn extend(&mut self, rows: &[u8], label: &[bool], weight: &[f32]) {
        for (at, row) in (self.len()..).zip(rows.chunks_exact(self.width.max(1))) {
            let block = at / ROWS * self.width;
            self.columns.resize(block + self.width, i8x64::ZERO);
            for (bins, bin) in self.columns[block..].iter_mut().zip(row) {
                bins.as_mut_array()[at % ROWS] = signed(*bin);
            }
        }
        self.label.extend_from_slice(label);
        self.weight.extend_from_slice(weight);
    }

    /// The bin of a row's feature.
    #[must_use]
    pub fn bin(&self, row: usize, feature: usize) -> u8 {
        signed(
            self.columns[row / ROWS * self.width + feature].as_array()[row % ROWS].cast_unsigned(),
        )
        .cast_unsigned()
    }

    /// Writes the bins of some features of rows that are all of one block, row-major: a feature at
    /// a time, since its bins are one cache line.
    pub(super) fn gather(&self, rows: &[u32], features: &[usize], out: &mut [u8]) {
        let block = rows
            .first()
            .map_or(0, |row| *row as usize / ROWS * self.width);
        for (at, feature) in features.iter().enumerate() {
            let bins = self.columns[block + feature].as_array();
            for (out, row) in out.chunks_exact_mut(features.len()).zip(rows) {
                out[at] = signed(bins[*row as usize % ROWS].cast_unsigned()).cast_unsigned();
            }
        }
    }

    /// The rows from `block` × [`ROWS`] on.
    pub(super) fn block(&self, block: usize) -> BinnedBlock<'_> {
        let rows = ROWS.min(self.len() - block * ROWS);
        BinnedBlock {
            rows,
            columns: &self.columns[block * self.width..(block + 1) * self.width],
        }
    }
}

/// Up to [`ROWS`] binned rows.
pub(super) struct BinnedBlock<'a> {
    rows: usize,
    columns: &'a [i8x64],
}

impl RowBlock<GrownNode> for BinnedBlock<'_> {
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    fn beyond(&self, node: &GrownNode) -> u64 {
        self.columns[usize::from(node.feature)]
            .simd_gt(i8x64::splat(signed(node.bin)))
            .to_bitmask()
    }

    #[inline]
    fn goes_right(&self, row: usize, node: &GrownNode) -> bool {
        self.columns[usize::from(node.feature)].as_array()[row] > signed(node.bin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_keep_the_order_and_equal_values_together() {
        let sample: Vec<f32> = (0..1_000).map(|i| (i % 7) as f32).collect();
        let bins = Bins::from_sample(&sample, 1, 255);
        let found: Vec<u8> = (0..7).map(|i| bins.bin(0, i as f32)).collect();
        assert_eq!(found, (0..7).collect::<Vec<u8>>());
        assert!(
            (0..6).all(|bin| bins.edge(0, bin) >= f32::from(bin)
                && bins.edge(0, bin) < f32::from(bin) + 1.0)
        );
    }

    #[test]
    fn bins_of_rows_come_back_whatever_block_they_are_in() {
        let bin = |row: usize, feature: usize| (row * 7 + feature * 31) as u8;
        let mut rows = BinnedRows::with_capacity(3, 200);
        for some in [0..1, 1..70, 70..200] {
            let bins: Vec<u8> = some
                .clone()
                .flat_map(|row| (0..3).map(move |feature| bin(row, feature)))
                .collect();
            rows.extend(&bins, &vec![false; some.len()], &vec![1.0; some.len()]);
        }
        assert_eq!(rows.len(), 200);
        assert!(
            (0..200).all(|row| (0..3).all(|feature| rows.bin(row, feature) == bin(row, feature)))
        );
        assert_eq!([0, 3].map(|block| rows.block(block).rows()), [64, 8]);
    }
}
