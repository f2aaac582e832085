//! Partitions of the customers, looked at one after the other, so that not all of a history has to
//! be in memory.

use std::borrow::Cow;

use rayon::prelude::*;

use super::{History, Purchases};
use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::Ids;
use crate::error::Result;

/// The partitions of a history. Each customer is in one of them; codes are the same in all.
pub trait Partitions: Sync {
    /// How many partitions there are.
    fn count(&self) -> usize;

    /// The purchases of the customers of a partition; all other customers have none in it.
    ///
    /// # Errors
    /// If a spilled run cannot be read.
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

/// The same partitions without what was bought before a day: what a run sees that does not read it.
pub struct RecentPartitions<'a> {
    partitions: &'a dyn Partitions,
    first: Day,
}

impl<'a> RecentPartitions<'a> {
    /// What was bought from the day `first` on.
    #[must_use]
    pub fn new(partitions: &'a dyn Partitions, first: Day) -> Self {
        Self { partitions, first }
    }
}

impl Partitions for RecentPartitions<'_> {
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

/// What is known on a night, in partitions: each has a [`History`].
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

    /// The history as it stood on an earlier night; a later night changes nothing.
    #[must_use]
    pub fn until(&self, as_of: AsOf) -> PartitionedHistory<'a> {
        PartitionedHistory {
            as_of: self.as_of.min(as_of),
            ..*self
        }
    }

    /// Its partitions, with the purchases of all nights.
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

    /// Looks at one partition after the other.
    ///
    /// # Errors
    /// What `look` returns, or if a spilled run cannot be read.
    pub fn each(&self, mut look: impl FnMut(&History<'_>) -> Result<()>) -> Result<()> {
        for at in 0..self.partitions.count() {
            look(&self.partitions.partition(at)?.until(self.as_of))?;
        }
        Ok(())
    }

    /// What `look` finds in all partitions, ascending by `key`. If no two partitions share a key,
    /// the order does not depend on the partitions.
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
        // Also where there is only one partition, whose findings may be in another order.
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
