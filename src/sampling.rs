//! Deterministic sampling: a row's fate depends on the seed and its names, never on its place in a
//! loop or a thread.

/// Mixes 64 bits: the finaliser of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014).
#[must_use]
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A hash of several names under a seed.
#[must_use]
pub fn hash(seed: u64, names: &[u64]) -> u64 {
    names
        .iter()
        .fold(mix(seed), |state, name| mix(state ^ *name))
}

/// A hash of bytes, of which no two of different length share the same words.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let word = |chunk: &[u8]| {
        chunk
            .iter()
            .rev()
            .fold(0, |word, byte| (word << 8) | u64::from(*byte))
    };
    bytes
        .chunks(8)
        .fold(mix(bytes.len() as u64), |state, chunk| {
            mix(state ^ word(chunk))
        })
}

/// The hash as a number in [0, 1).
#[must_use]
pub fn unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

/// Whether a row with this hash is in a sample of the given share.
#[must_use]
pub fn keep(hash: u64, share: f64) -> bool {
    unit(hash) < share
}

/// What something is drawn for: draws of one purpose say nothing of those of another.
///
/// The numbers are part of what a model is: with others, the same tickets give another model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Draw {
    /// Which (customer, night) pairs calibrate the timing model.
    CalibrationSamples = 0xca1,
    /// Which person-days the timing model learns from.
    PersonDays = 0xda1,
    /// Which of them the least squares see.
    LeastSquaresRows = 0x11e,
    /// The seed of the timing model's trees.
    TimingTrees = 0x4a2,
    /// The seed of the basket model's trees.
    BasketTrees = 0xba5,
    /// Which night of a gap is a customer's snapshot.
    SnapshotNights = 0x5a9,
    /// Which snapshots the basket model learns from.
    Snapshots = 0xcaf,
    /// Which products that were not bought it learns from.
    NegativeRows = 0xbad,
    /// Which features a tree may split on.
    TreeFeatures = 0xfea7,
    /// Which customers others are compared with for the products that they like.
    ReferenceCustomers = 0x4e16,
    /// Which customers TIFUKNN looks for neighbours among.
    TifuknnPool = 0x71f,
    /// Which customers of a held-out night are measured.
    MeasuredCustomers = 0xd4a3,
}

impl Draw {
    /// A hash of several names under a seed.
    #[must_use]
    pub fn hash(self, seed: u64, names: &[u64]) -> u64 {
        names
            .iter()
            .fold(mix(mix(seed) ^ self as u64), |state, name| {
                mix(state ^ *name)
            })
    }

    /// A hash of several names that is the same under every seed.
    #[must_use]
    pub fn hash_without_seed(self, names: &[u64]) -> u64 {
        hash(self as u64, names)
    }

    /// Whether what has these names is in a sample of the given share, 0 to 1.
    #[must_use]
    pub fn keeps(self, seed: u64, names: &[u64], share: f64) -> bool {
        keep(self.hash(seed, names), share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_the_first_name() {
        assert_eq!(Draw::Snapshots.hash(5, &[7, 8]), hash(5, &[0xcaf, 7, 8]));
        assert_eq!(Draw::TifuknnPool.hash_without_seed(&[9]), hash(0x71f, &[9]));
    }

    #[test]
    fn a_share_of_the_names_is_kept() {
        let kept = (0..10_000)
            .filter(|name| Draw::PersonDays.keeps(1, &[*name], 0.25))
            .count();
        assert!((2_350..2_650).contains(&kept), "{kept}");
    }
}
