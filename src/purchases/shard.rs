//! Shards: the tables that hold purchases, and the sorted runs of which they are built.

use std::borrow::Cow;

use super::CustomerPurchases;
use super::sorted_run::{DayProduct, SortedRunReader};
use super::spill::{MemoryLimit, SpillableBytes};
use crate::calendar::Day;
use crate::error::{Error, Result};

/// How many shards there are. Each is built by one thread.
pub(super) const SHARD_COUNT: usize = 64;

/// Where a customer's purchases are: the shard, and the row in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShardRow {
    pub(super) shard: usize,
    pub(super) row: usize,
}

impl ShardRow {
    /// The row of the customer who had this code while the lines were read.
    #[inline]
    pub(super) const fn of(provisional_code: u32) -> Self {
        let code = provisional_code as usize;
        Self {
            shard: code % SHARD_COUNT,
            row: code / SHARD_COUNT,
        }
    }

    /// The inverse of [`ShardRow::of`].
    pub(super) const fn provisional_code(self) -> u32 {
        (self.row * SHARD_COUNT + self.shard) as u32
    }
}

/// The purchases of the customers of a shard: compressed sparse rows on two levels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shard {
    /// The customer in row `r` has the purchases `starts[r]..starts[r + 1]`.
    starts: Vec<u32>,
    /// The day of each purchase.
    days: Vec<Day>,
    /// Purchase `p` has the products `basket_starts[p]..basket_starts[p + 1]`.
    basket_starts: Vec<u32>,
    /// The products of all purchases.
    baskets: Vec<u32>,
}

impl Shard {
    /// An empty table with room for `lines` distinct (customer, day, product).
    fn with_capacity(lines: usize) -> Self {
        Self {
            starts: vec![0],
            days: vec![],
            basket_starts: vec![0],
            baskets: Vec::with_capacity(lines),
        }
    }

    /// The purchases of the customer in a row; none past the end.
    pub(super) fn purchases_of(&self, row: usize) -> CustomerPurchases<'_> {
        let range = match (self.starts.get(row), self.starts.get(row + 1)) {
            (Some(start), Some(end)) => *start as usize..*end as usize,
            _ => return CustomerPurchases::NONE,
        };
        CustomerPurchases {
            days: &self.days[range.clone()],
            basket_starts: &self.basket_starts[range.start..=range.end],
            baskets: &self.baskets,
        }
    }

    /// Appends a purchase to the row that is being built.
    fn push_purchase(&mut self, day: Day, basket: &[u32]) -> Result<()> {
        self.baskets.extend_from_slice(basket);
        self.days.push(day);
        self.basket_starts.push(position(self.baskets.len())?);
        Ok(())
    }

    /// Ends the row that is being built, and begins the next.
    fn end_row(&mut self) -> Result<()> {
        self.starts.push(position(self.days.len())?);
        Ok(())
    }

    fn shrink_to_fit(&mut self) {
        self.baskets.shrink_to_fit();
        self.days.shrink_to_fit();
        self.basket_starts.shrink_to_fit();
    }
}

/// A position in a shard's table, which has room for 2³² − 1 distinct (customer, day, product).
fn position(len: usize) -> Result<u32> {
    u32::try_from(len).map_err(|_| {
        Error::input("there are too many lines of some customers")
            .hint("score fewer customers at a time")
    })
}

/// The sorted runs of a shard.
#[derive(Debug, Default)]
pub(super) struct ShardRuns {
    pub(super) runs: Vec<SpillableBytes>,
    /// The sum of the runs' distinct (customer, day, product): what is in several counts several
    /// times.
    pub(super) lines: u64,
    /// The sum of the runs' purchases.
    pub(super) purchases: u64,
}

impl ShardRuns {
    /// Readers of all runs, at their beginnings.
    pub(super) fn readers<'a>(
        &'a self,
        limit: Option<&MemoryLimit>,
    ) -> Result<Vec<SortedRunReader<Cow<'a, [u8]>>>> {
        self.runs
            .iter()
            .map(|run| SortedRunReader::new(run.bytes(limit)?))
            .collect()
    }

    /// Merges the runs into a table of `rows` rows. `product_codes` has the final code of each
    /// product, by its code while the lines were read.
    pub(super) fn merge(
        &self,
        rows: usize,
        product_codes: &[u32],
        limit: Option<&MemoryLimit>,
    ) -> Result<Shard> {
        let mut readers = self.readers(limit)?;
        let mut shard = Shard::with_capacity(self.lines as usize);
        let (mut pairs, mut basket) = (vec![], vec![]);
        for row in 0..rows as u32 {
            pairs.clear();
            for reader in &mut readers {
                reader.take(row, &mut pairs)?;
            }
            // Mostly each run has later days than the one before. Only days matter here: the order
            // of products changes with their codes in any case.
            if !pairs.is_sorted_by_key(|pair: &DayProduct| pair.day()) {
                pairs.sort_unstable();
            }
            for pairs_of_day in pairs.chunk_by(DayProduct::is_same_day) {
                collect_basket(pairs_of_day, product_codes, &mut basket)?;
                shard.push_purchase(pairs_of_day[0].day(), &basket)?;
            }
            shard.end_row()?;
        }
        shard.shrink_to_fit();
        Ok(shard)
    }
}

/// Fills `basket` with the distinct products of a day by their final codes, ascending.
fn collect_basket(
    pairs_of_day: &[DayProduct],
    product_codes: &[u32],
    basket: &mut Vec<u32>,
) -> Result<()> {
    basket.clear();
    for pair in pairs_of_day {
        let product = product_codes.get(pair.product() as usize);
        basket.push(*product.ok_or_else(|| {
            Error::system("a line names a product that is not in the dictionary")
        })?);
    }
    basket.sort_unstable();
    basket.dedup();
    Ok(())
}
