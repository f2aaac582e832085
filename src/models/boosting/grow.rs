//! A tree grown best leaf first, by exact sums over histograms.

use rayon::prelude::*;

use super::bins::MAX_BINS;
use super::block::{ROWS, Step};
use super::{BinnedRows, Bins, BoostingParameters};
use crate::sampling::Draw;

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
pub(super) const SHIFT: f64 = 4096.0;

/// Gradient (upper 32 bits, signed) and hessian (lower 32) of a row or a bin in one word: one
/// addition serves both.
pub(super) const fn pack(gradient: i64, hessian: i64) -> u64 {
    ((gradient as u64) << 32).wrapping_add(hessian as u64)
}

const fn unpack(word: u64) -> (i64, i64) {
    ((word as i64) >> 32, (word & 0xffff_ffff) as i64)
}

pub(super) fn sample_features(bins: &Bins, share: f64, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bins.width())
        .filter(|feature| bins.count(*feature) > 1)
        .collect();
    order.sort_by_key(|feature| Draw::TreeFeatures.hash(seed, &[*feature as u64]));
    order.truncate(((order.len() as f64 * share).ceil() as usize).max(1));
    order.sort_unstable();
    order
}

/// The rows and features that one tree sees, close together in memory.
pub(super) struct Sample {
    width: usize,
    /// Words that a feature's histogram takes: a power of two, and as few as its bins allow, so
    /// that a tree's histogram stays in the cache.
    stride: usize,
    /// `bins[row * width + feature]`, both counted within the sample.
    bins: Vec<u8>,
    /// Gradient and hessian of each row.
    words: Vec<u64>,
}

impl Sample {
    pub(super) fn new(
        rows: &BinnedRows,
        sampled: &[u32],
        words: Vec<u64>,
        features: &[usize],
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
                    rows.gather(same_block, features, out);
                    rest = after;
                }
            });
        Self {
            width,
            stride,
            bins,
            words,
        }
    }

    fn row(&self, row: u32) -> &[u8] {
        &self.bins[row as usize * self.width..(row as usize + 1) * self.width]
    }

    fn sum(&self, order: &[u32]) -> (i64, i64) {
        unpack(order.iter().fold(0, |sum: u64, row| {
            sum.wrapping_add(self.words[*row as usize])
        }))
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

impl Step for GrownNode {
    #[inline]
    fn left(&self) -> usize {
        self.left as usize
    }

    #[inline]
    fn value(&self) -> f32 {
        self.value
    }
}

/// The nodes of a tree that fits the sample; `scale` is that of its words.
pub(super) fn grow(
    sample: &Sample,
    bins: &Bins,
    features: &[usize],
    parameters: &BoostingParameters,
    scale: f64,
) -> Vec<GrownNode> {
    let mut order: Vec<u32> = (0..sample.words.len() as u32).collect();
    let mut nodes = vec![GrownNode::default()];
    let ridge = parameters.ridge * scale;
    let root = histogram(sample, &order);
    let (gradient, hessian) = sample.sum(&order);
    let mut leaf = Leaf {
        node: 0,
        start: 0,
        end: order.len(),
        histogram: root,
        gradient,
        hessian,
        best: None,
    };
    leaf.best = best_split(&leaf, sample.stride, bins, features, parameters, ridge);
    let mut open = vec![leaf];
    let mut scratch = vec![0_u32; order.len()];
    while open.len() < parameters.leaves.max(2) {
        // The largest gain; the first of equals.
        let Some((at, split)) = open
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
        else {
            break;
        };
        let parent = open.swap_remove(at);
        // Both places are written and one of them advances: a branch here would be mispredicted
        // half the time.
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
        let left = nodes.len();
        nodes[parent.node] = GrownNode {
            left: left as u16,
            feature: features[split.at] as u16,
            bin: split.bin,
            value: 0.0,
        };
        nodes.extend([GrownNode::default(); 2]);
        let left_is_smaller = middle - parent.start <= parent.end - middle;
        let smaller = if left_is_smaller {
            &order[parent.start..middle]
        } else {
            &order[middle..parent.end]
        };
        let last = open.len() + 2 >= parameters.leaves.max(2);
        let (small, large) = if last {
            (vec![], vec![]) // nobody will split these
        } else {
            let small = histogram(sample, smaller);
            let mut large = parent.histogram;
            large
                .iter_mut()
                .zip(&small)
                .for_each(|(all, partition)| *all = all.wrapping_sub(*partition));
            (small, large)
        };
        let (g, h) = sample.sum(smaller);
        let (g_rest, h_rest) = (parent.gradient - g, parent.hessian - h);
        let (left_part, right_part) = if left_is_smaller {
            ((small, g, h), (large, g_rest, h_rest))
        } else {
            ((large, g_rest, h_rest), (small, g, h))
        };
        for (node, start, end, (histogram, gradient, hessian)) in [
            (left, parent.start, middle, left_part),
            (left + 1, middle, parent.end, right_part),
        ] {
            let mut leaf = Leaf {
                node,
                start,
                end,
                histogram,
                gradient,
                hessian,
                best: None,
            };
            if !last {
                leaf.best = best_split(&leaf, sample.stride, bins, features, parameters, ridge);
            }
            open.push(leaf);
        }
    }
    for leaf in &open {
        let value = parameters.learning_rate * leaf.gradient as f64 / (leaf.hessian as f64 + ridge);
        nodes[leaf.node].value = value as f32;
    }
    nodes
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
    order
        .par_chunks(ROWS_A_TASK)
        .fold(empty, fill)
        .reduce(empty, |mut sum, partition| {
            sum.iter_mut()
                .zip(&partition)
                .for_each(|(a, b)| *a = a.wrapping_add(*b));
            sum
        })
}

fn add_up<const STRIDE: usize>(out: &mut [u64], sample: &Sample, order: &[u32]) {
    for row in order {
        let word = sample.words[*row as usize];
        for (histogram, bin) in out
            .as_chunks_mut::<STRIDE>()
            .0
            .iter_mut()
            .zip(sample.row(*row))
        {
            let sum = &mut histogram[*bin as usize & (STRIDE - 1)];
            *sum = sum.wrapping_add(word);
        }
    }
}

fn best_split(
    leaf: &Leaf,
    stride: usize,
    bins: &Bins,
    features: &[usize],
    parameters: &BoostingParameters,
    ridge: f64,
) -> Option<Split> {
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
                best = Some(Split {
                    gain,
                    at,
                    bin: bin as u8,
                });
            }
        }
    }
    best
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
