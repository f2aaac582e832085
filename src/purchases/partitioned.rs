//! A history that has been read, as sorted runs whose tables are built when they are looked at.

use std::borrow::Cow;
use std::sync::Arc;

use rayon::prelude::*;

use super::anonymous::AnonymousSales;
use super::shard::{SHARD_COUNT, Shard, ShardRuns};
use super::spill::MemoryLimit;
use super::{Ids, Partitions, Purchases};
use crate::calendar::Day;
use crate::error::Result;

/// A history that has been read. Where it does not fit into memory, its customers are looked at
/// partition by partition.
#[derive(Debug)]
pub struct PartitionedPurchases {
    pub(super) customers: Arc<Ids>,
    /// The code that each customer had while the lines were read.
    pub(super) provisional_codes: Arc<Vec<u32>>,
    pub(super) products: Arc<Ids>,
    /// The code of a product by its code while the lines were read.
    pub(super) product_codes: Vec<u32>,
    pub(super) shards: Vec<ShardRuns>,
    /// How many rows each shard's table has.
    pub(super) rows: [usize; SHARD_COUNT],
    pub(super) limit: Option<MemoryLimit>,
    /// What nobody in particular bought.
    pub(super) anonymous: Arc<AnonymousSales>,
}

impl PartitionedPurchases {
    /// All of it, in memory.
    ///
    /// # Errors
    /// If a spilled run cannot be read.
    pub fn purchases(self) -> Result<Purchases> {
        let Self {
            customers,
            provisional_codes,
            products,
            product_codes,
            shards,
            rows,
            limit,
            anonymous,
        } = self;
        let shards = shards
            .into_par_iter()
            .zip(rows)
            .map(|(runs, rows)| {
                Ok(Arc::new(runs.merge(
                    rows,
                    &product_codes,
                    limit.as_ref(),
                )?))
            })
            .collect::<Result<_>>()?;
        Ok(Purchases {
            customers,
            products,
            provisional_codes,
            shards,
            first: Day::from_epoch(i32::MIN),
            anonymous,
        })
    }

    /// The partitions to work on one after the other: one, in memory, where all of it fits.
    ///
    /// # Errors
    /// If a spilled run cannot be read.
    pub fn partitions(self) -> Result<Box<dyn Partitions + Send>> {
        Ok(if self.count() == 1 {
            Box::new(self.purchases()?)
        } else {
            Box::new(self)
        })
    }

    /// How many consecutive shards make a partition: as many as take a quarter of the memory limit.
    fn shards_per_partition(&self) -> usize {
        let partitions = self.limit.as_ref().map_or(1, |limit| {
            self.table_bytes().div_ceil((limit.bytes / 4).max(1))
        });
        (SHARD_COUNT / (partitions as usize).clamp(1, SHARD_COUNT)).max(1)
    }

    /// An upper bound of the bytes that the tables of all shards take.
    fn table_bytes(&self) -> u64 {
        let shards = self
            .shards
            .iter()
            .map(|shard| 4 * shard.lines + 8 * shard.purchases);
        shards.sum::<u64>() + 8 * self.provisional_codes.len() as u64
    }

    fn build_shard(&self, shard: usize) -> Result<Shard> {
        self.shards[shard].merge(self.rows[shard], &self.product_codes, self.limit.as_ref())
    }
}

impl Partitions for PartitionedPurchases {
    fn count(&self) -> usize {
        SHARD_COUNT.div_ceil(self.shards_per_partition())
    }

    fn partition(&self, at: usize) -> Result<Cow<'_, Purchases>> {
        let shards_per_partition = self.shards_per_partition();
        let shards = (0..SHARD_COUNT)
            .into_par_iter()
            .map(|shard| match shard / shards_per_partition == at {
                true => self.build_shard(shard).map(Arc::new),
                false => Ok(Arc::default()),
            })
            .collect::<Result<_>>()?;
        Ok(Cow::Owned(Purchases {
            customers: Arc::clone(&self.customers),
            products: Arc::clone(&self.products),
            provisional_codes: Arc::clone(&self.provisional_codes),
            shards,
            first: Day::from_epoch(i32::MIN),
            anonymous: match at {
                0 => Arc::clone(&self.anonymous),
                _ => Arc::default(),
            },
        }))
    }

    fn customers(&self) -> &Ids {
        &self.customers
    }

    fn products(&self) -> &Ids {
        &self.products
    }
}
