//! A checksum over purchases.

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::History;

/// A checksum over purchases. The same purchases have the same checksum, in whatever partitions and
/// order they are added, and whatever other ids the dictionaries hold.
///
/// It tells apart data that differ by accident. It is no protection against somebody who wants two
/// histories to have the same checksum.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fingerprint([u64; 4]);

impl Fingerprint {
    /// Adds the customers of a history, with their purchases up to its night. The hashes of the
    /// customers are added up, as in multiset hashes (Clarke et al., ASIACRYPT 2003).
    #[must_use]
    pub fn merge(self, history: &History<'_>) -> Self {
        (0..history.customer_count())
            .into_par_iter()
            .map(|customer| Self::of_customer(history, customer))
            .reduce(Self::default, Self::wrapping_add)
            .wrapping_add(self)
    }

    /// The SHA-256 of a customer's id and purchases; 0 where there are none.
    fn of_customer(history: &History<'_>, customer: u32) -> Self {
        let purchases = history.purchases_of(customer);
        let mut words = [0; 4];
        if purchases.is_empty() {
            return Self(words);
        }
        let mut sha256 = Sha256::new();
        sha256.update(history.customers().key(customer).to_le_bytes());
        for (day, basket) in purchases.iter() {
            sha256.update(day.epoch().to_le_bytes());
            sha256.update((basket.len() as u64).to_le_bytes());
            for product in basket {
                sha256.update(history.products().key(*product).to_le_bytes());
            }
        }
        for (word, bytes) in words.iter_mut().zip(sha256.finalize().chunks_exact(8)) {
            *word = bytes
                .iter()
                .fold(0, |word, byte| (word << 8) | u64::from(*byte));
        }
        Self(words)
    }

    fn wrapping_add(mut self, other: Self) -> Self {
        for (sum, word) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_add(word);
        }
        self
    }

    /// In hexadecimal, 64 digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0
            .iter()
            .map(|number| format!("{number:016x}"))
            .collect()
    }
}
