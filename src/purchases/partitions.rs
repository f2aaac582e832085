//! A history of which one part of the customers after the other is looked at, so that not all of it
//! has to be in memory.

use std::borrow::Cow;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{History, Purchases};
use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::Ids;
use crate::error::Result;

/// The parts of a history: each customer is in one of them. Codes are those of the whole in each.
pub trait Partitions: Sync {
    /// How many parts there are.
    fn count(&self) -> usize;

    /// The purchases of the customers of a part; all others have none in it.
    ///
    /// # Errors
    /// If it cannot be brought back from where it was set aside.
    fn partition(&self, at: usize) -> Result<Cow<'_, Purchases>>;

    /// The ids of all customers.
    fn customers(&self) -> &Ids;

    /// The ids of all products.
    fn products(&self) -> &Ids;
}

impl Partitions for Purchases {
    fn count(&self) -> usize {
        1
    }

    fn partition(&self, _: usize) -> Result<Cow<'_, Purchases>> {
        Ok(Cow::Borrowed(self))
    }

    fn customers(&self) -> &Ids {
        &self.customers
    }

    fn products(&self) -> &Ids {
        &self.products
    }
}

/// The same parts without what was bought before a day: what a run that does not read it would see.
pub struct Recent<'a> {
    partitions: &'a dyn Partitions,
    first: Day,
}

impl<'a> Recent<'a> {
    /// What was bought from a day on.
    #[must_use]
    pub fn new(partitions: &'a dyn Partitions, first: Day) -> Self {
        Self { partitions, first }
    }
}

impl Partitions for Recent<'_> {
    fn count(&self) -> usize {
        self.partitions.count()
    }

    fn partition(&self, at: usize) -> Result<Cow<'_, Purchases>> {
        Ok(Cow::Owned(self.partitions.partition(at)?.since(self.first)))
    }

    fn customers(&self) -> &Ids {
        self.partitions.customers()
    }

    fn products(&self) -> &Ids {
        self.partitions.products()
    }
}

/// What is known on a night, part by part: as [`History`], of which each part has one.
#[derive(Clone, Copy)]
pub struct PartitionedHistory<'a> {
    partitions: &'a dyn Partitions,
    as_of: AsOf,
}

impl<'a> PartitionedHistory<'a> {
    /// What is known of a history on the night `as_of`.
    #[must_use]
    pub fn new(partitions: &'a dyn Partitions, as_of: AsOf) -> Self {
        Self { partitions, as_of }
    }

    /// All of a history.
    #[must_use]
    pub fn all(partitions: &'a dyn Partitions) -> Self {
        Self {
            partitions,
            as_of: AsOf(Day::from_epoch(i32::MAX)),
        }
    }

    /// The night.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// The same as it stood on an earlier night; a later night changes nothing.
    #[must_use]
    pub fn until(&self, as_of: AsOf) -> PartitionedHistory<'a> {
        PartitionedHistory {
            as_of: self.as_of.min(as_of),
            ..*self
        }
    }

    /// Its parts, on all nights.
    #[must_use]
    pub fn partitions(&self) -> &'a dyn Partitions {
        self.partitions
    }

    /// The ids of all customers.
    #[must_use]
    pub fn customers(&self) -> &'a Ids {
        self.partitions.customers()
    }

    /// The ids of all products.
    #[must_use]
    pub fn products(&self) -> &'a Ids {
        self.partitions.products()
    }

    /// Looks at one part after the other.
    ///
    /// # Errors
    /// What `look` returns, or if a part cannot be brought back from where it was set aside.
    pub fn each(&self, mut look: impl FnMut(&History<'_>) -> Result<()>) -> Result<()> {
        for at in 0..self.partitions.count() {
            look(&self.partitions.partition(at)?.until(self.as_of))?;
        }
        Ok(())
    }

    /// What `look` finds in each part, the parts' findings together ascending by `key`: for keys of
    /// which each part has its own, in an order that does not depend on the parts.
    ///
    /// # Errors
    /// As [`PartitionedHistory::each`].
    pub fn gather<T: Send, K: Ord>(
        &self,
        mut look: impl FnMut(&History<'_>) -> Vec<T>,
        key: impl Fn(&T) -> K + Sync,
    ) -> Result<Vec<T>> {
        let mut found = vec![];
        self.each(|history| {
            let more = look(history);
            if found.is_empty() {
                found = more;
            } else {
                found.extend(more);
            }
            Ok(())
        })?;
        // One part's are not in another order, but for what a caller wants.
        found.par_sort_by_key(key);
        Ok(found)
    }

    /// The first and last day with a purchase up to the night.
    ///
    /// # Errors
    /// As [`PartitionedHistory::each`].
    pub fn span(&self) -> Result<Option<DateRange>> {
        let mut span = None;
        self.each(|history| {
            span = DateRange::union(span, history.span());
            Ok(())
        })?;
        Ok(span)
    }
}

/// A checksum over purchases: the same ones give the same, in whatever parts and order they are
/// added, and whatever ids the dictionaries hold besides. It tells data apart that differ by
/// accident; who wants two histories to have the same one can make them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fingerprint([u64; 4]);

impl Fingerprint {
    /// Adds the customers of a history up to its night. Theirs are added up as multiset hashes are
    /// (Clarke et al., ASIACRYPT 2003).
    #[must_use]
    pub fn merge(self, history: &History<'_>) -> Self {
        let of_customer = |customer: u32| {
            let purchases = history.purchases_of(customer);
            let mut sum = [0; 4];
            if purchases.is_empty() {
                return sum;
            }
            let mut sha256 = Sha256::new();
            sha256.update(history.customers().key(customer).to_le_bytes());
            for (day, basket) in purchases.iter() {
                sha256.update(day.epoch().to_le_bytes());
                sha256.update((basket.len() as u64).to_le_bytes());
                basket.iter().for_each(|product| {
                    sha256.update(history.products().key(*product).to_le_bytes())
                });
            }
            for (sum, bytes) in sum.iter_mut().zip(sha256.finalize().chunks_exact(8)) {
                *sum = bytes
                    .iter()
                    .fold(0, |number, byte| (number << 8) | u64::from(*byte));
            }
            sum
        };
        let add = |mut a: [u64; 4], b: [u64; 4]| {
            a.iter_mut()
                .zip(b)
                .for_each(|(a, b)| *a = a.wrapping_add(b));
            a
        };
        let customers = (0..history.customer_count()).into_par_iter();
        Self(add(
            self.0,
            customers.map(of_customer).reduce(|| [0; 4], add),
        ))
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
