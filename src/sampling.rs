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
