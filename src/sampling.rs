//! Deterministic sampling: whether something is chosen depends on the seed and on its ids, never on a
//! thread or on the order of the work. Every draw has a purpose: [`Draw`] for what has ids,
//! [`TreeDraw`] for the rows of a training table, which are in one order whatever the threads.

/// Mixes 64 bits: the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
#[must_use]
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A hash of several ids under a seed.
#[must_use]
pub fn hash(seed: u64, ids: &[u64]) -> u64 {
    ids.iter().fold(mix(seed), |state, id| mix(state ^ *id))
}

/// A hash of bytes. Their number is a part of what is hashed, so that bytes and the same bytes with
/// zeros appended have different hashes.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    bytes
        .chunks(8)
        .map(little_endian)
        .fold(mix(bytes.len() as u64), |state, word| mix(state ^ word))
}

/// Up to eight bytes as a number, the lowest first.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

/// A hash as a number in [0, 1).
#[must_use]
pub fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether a row with this hash is in a sample of the given share, 0 to 1.
#[must_use]
pub fn keep(hash: u64, share: f64) -> bool {
    unit(hash) < share
}

/// What a draw is for. The draws of one purpose are independent of those of another.
///
/// The numbers are part of a model: with other numbers, the same tickets give another model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Draw {
    /// Which (customer, night) pairs calibrate the timing model.
    CalibrationSamples = 0xca1,
    /// Which person-days the timing model learns from.
    PersonDays = 0xda1,
    /// Which person-days the least squares are fitted on.
    LeastSquaresRows = 0x11e,
    /// The seed of the timing model's trees.
    TimingTrees = 0x4a2,
    /// The seed of the basket model's trees.
    BasketTrees = 0xba5,
    /// Which night of a gap is a customer's snapshot.
    SnapshotNights = 0x5a9,
    /// Which snapshots the basket model learns from.
    Snapshots = 0xcaf,
    /// Which products that were not bought the basket model learns from.
    NegativeRows = 0xbad,
    /// Which features a tree may split on.
    TreeFeatures = 0xfea7,
    /// Which customers a customer is compared with, to find products that similar customers buy.
    ReferenceCustomers = 0x4e16,
    /// Which customers TIFUKNN looks for neighbours among.
    TifuknnPool = 0x71f,
    /// Which strategies choose the offers of a customer on a night.
    OfferMix = 0x0ff3,
    /// Which offers are held back although their customers are mailed.
    OfferArm = 0x0ffa,
    /// Which simulated customers react to an offer, and how.
    Reaction = 0x4eac,
    /// What the uplifts of strategies may be, to learn which is best.
    ThompsonSampling = 0x7503,
    /// Which of the offers that are worth the same goes first within a budget.
    OfferBudget = 0x0ffb,
    /// Which customers of a held-out night are measured.
    MeasuredCustomers = 0xd4a3,
    /// Which customers' features are compared with those of the training.
    FeatureSample = 0xf5a3,
}

impl Draw {
    /// A hash of several ids under a seed.
    #[must_use]
    pub fn hash(self, seed: u64, ids: &[u64]) -> u64 {
        ids.iter()
            .fold(mix(mix(seed) ^ self as u64), |state, id| mix(state ^ *id))
    }

    /// A hash of several ids the same under every seed.
    #[must_use]
    pub fn hash_without_seed(self, ids: &[u64]) -> u64 {
        hash(self as u64, ids)
    }

    /// Whether what has these ids is in a sample of the given share, 0 to 1.
    #[must_use]
    pub fn keeps(self, seed: u64, ids: &[u64], share: f64) -> bool {
        keep(self.hash(seed, ids), share)
    }
}

/// The draws of one boosted tree: of rows by their positions in the table, which is sorted.
#[derive(Debug, Clone, Copy)]
pub struct TreeDraw(u64);

impl TreeDraw {
    /// Of the tree at a position, under the seed of its model ([`Draw::TimingTrees`],
    /// [`Draw::BasketTrees`]).
    #[must_use]
    pub fn new(seed: u64, tree: usize) -> Self {
        Self(hash(seed, &[tree as u64]))
    }

    /// The seed of what else is drawn for the tree: [`Draw::TreeFeatures`].
    #[must_use]
    pub fn seed(self) -> u64 {
        self.0
    }

    /// Random bits by which a row's gradient and Hessian are rounded without bias.
    #[inline]
    #[must_use]
    pub fn rounding(self, row: usize) -> u64 {
        mix(self.0 ^ row as u64)
    }

    /// Whether the tree sees a row, of which it sees the given share, 0 to 1.
    #[inline]
    #[must_use]
    pub fn sees(self, row: usize, share: f64) -> bool {
        share >= 1.0 || keep(mix(self.0 ^ 0x5eed ^ ((row as u64) << 20)), share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_sees_about_its_share_of_the_rows() {
        let seen = |tree| {
            let draw = TreeDraw::new(1, tree);
            (0..10_000)
                .filter(|row| draw.sees(*row, 0.4))
                .collect::<Vec<usize>>()
        };
        assert!((3_850..4_150).contains(&seen(0).len()), "{}", seen(0).len());
        assert_ne!(seen(0), seen(1));
        assert!((0..100).all(|row| TreeDraw::new(1, 0).sees(row, 1.0)));
    }

    #[test]
    fn a_purpose_is_the_first_id() {
        assert_eq!(Draw::Snapshots.hash(5, &[7, 8]), hash(5, &[0xcaf, 7, 8]));
        assert_eq!(Draw::TifuknnPool.hash_without_seed(&[9]), hash(0x71f, &[9]));
    }

    #[test]
    fn bytes_are_hashed_by_words_and_length() {
        let words = |len: u64, words: &[u64]| hash(len, words);
        assert_eq!(hash_bytes(b""), words(0, &[]));
        assert_eq!(hash_bytes(b"ab"), words(2, &[0x6261]));
        assert_eq!(hash_bytes(b"ab\0"), words(3, &[0x6261]));
        assert_eq!(
            hash_bytes(b"abcdefghi"),
            words(9, &[0x6867_6665_6463_6261, 0x69])
        );
    }

    #[test]
    fn a_share_of_the_ids_is_kept() {
        let kept = (0..10_000)
            .filter(|id| Draw::PersonDays.keeps(1, &[*id], 0.25))
            .count();
        assert!((2_350..2_650).contains(&kept), "{kept}");
    }
}
