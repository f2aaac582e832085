//! Purchases: a compact columnar history, and `History`, the part of it that is known on a night.
//!
//! # The table
//! The layout is two levels of compressed sparse rows. The purchases of a customer stand together
//! in the order of their days, and the distinct products of a purchase stand together in the order
//! of their codes. A (customer, day, product) takes 4 bytes, a purchase 8.
//!
//! Customers are spread over 64 **shards**, each with a table of its own, so that the tables are
//! built in parallel.
//!
//! # Building it
//! [`PurchasesBuilder`] takes lines in any order and never holds all of them. It buffers lines, and
//! from time to time sorts the buffer into **sorted runs**, one a shard: about two bytes for each
//! distinct line. Runs that have no room in memory go to [`SpillStorage`], a temporary file. In the
//! end the runs of each shard are merged into its table.
//!
//! # Quantities
//! A line in a run stands for a sale of one piece. What differs, and what was taken back, is
//! recorded in [`QuantityLog`]s. If a line takes something back, [`PurchasesBuilder::net`] leaves out
//! of the runs what was not bought after all.
//!
//! # Partitions
//! Where the tables of all shards do not fit into memory, some consecutive shards make a
//! **partition**. [`Partitions`] gives one partition after the other and builds its tables anew
//! each time. Codes of customers and products are the same in all partitions.

mod anonymous;
mod builder;
mod facts;
mod fingerprint;
mod netting;
mod owned;
mod partitioned;
mod partitions;
mod quantity_log;
mod shard;
mod sorted_run;
mod spill;
mod varint;

use std::sync::Arc;

use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::Ids;
use crate::error::Result;

pub use anonymous::AnonymousSale;
pub use builder::{CustomerTotals, PurchasesBuilder};
pub use facts::{CodeOnDay, DatedFacts, Facts, compact_ids, compact_prices};
pub use fingerprint::Fingerprint;
pub use netting::NettedLines;
pub use owned::OwnedPurchases;
pub use partitioned::PartitionedPurchases;
pub use partitions::{PartitionedHistory, Partitions, RecentPartitions};
pub use quantity_log::{Millionths, PIECE, QuantityLog, QuantityRecord, RecordKind, RunQuantities};
pub use spill::{MemoryLimit, SpillStorage};

use anonymous::AnonymousSales;
use shard::{Shard, ShardRow};

/// One kept line of the input. Its codes are provisional: positions in the unsorted ids that come
/// with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Position in the customers' ids.
    pub customer: u32,
    /// The store's day.
    pub day: Day,
    /// Position in the products' ids.
    pub product: u32,
}

/// The purchases of all customers, or of those in a partition. A purchase is everything that one
/// customer bought on one day of the store.
#[derive(Debug, Clone)]
pub struct Purchases {
    /// The ids of all customers, whatever partition this is.
    customers: Arc<Ids>,
    /// The ids of all products.
    products: Arc<Ids>,
    /// The code that each customer had while the lines were read: [`ShardRow::of`] it is where the
    /// customer's purchases are.
    provisional_codes: Arc<Vec<u32>>,
    /// Shards of other partitions are empty.
    shards: Vec<Arc<Shard>>,
    /// The first day that counts.
    first: Day,
    /// What nobody in particular bought: of all partitions the first has it.
    anonymous: Arc<AnonymousSales>,
}

/// Equal if the same customers have the same purchases, in whatever shards and rows.
impl PartialEq for Purchases {
    fn eq(&self, other: &Self) -> bool {
        self.customers == other.customers
            && self.products == other.products
            && self
                .every_customer()
                .zip(other.every_customer())
                .all(|(own, others)| own.iter().eq(others.iter()))
    }
}

impl Eq for Purchases {}

impl Purchases {
    /// Builds the history from lines in any order. Repeated lines count once; ids that no line
    /// names are dropped.
    ///
    /// # Errors
    /// If a line's code is not in the ids, or a shard has more than 2³² − 1 distinct (customer,
    /// day, product).
    pub fn from_lines(customers: Ids, products: Ids, lines: Vec<Line>) -> Result<Self> {
        let mut builder = PurchasesBuilder::new(None);
        builder.add(lines)?;
        builder.finish(customers, products)?.purchases()
    }

    /// The customers' ids.
    #[must_use]
    pub fn customers(&self) -> &Ids {
        &self.customers
    }

    /// The products' ids.
    #[must_use]
    pub fn products(&self) -> &Ids {
        &self.products
    }

    /// How many purchases there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.every_customer().map(|purchases| purchases.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many distinct (customer, day, product) there are.
    #[must_use]
    pub fn distinct_lines(&self) -> usize {
        self.every_customer()
            .map(|purchases| purchases.lines().len())
            .sum()
    }

    /// The first and the last day with a purchase.
    #[must_use]
    pub fn span(&self) -> Option<DateRange> {
        self.until(AsOf(Day::from_epoch(i32::MAX))).span()
    }

    /// The purchases from a day on, as if no earlier line had been read; the ids stay.
    #[must_use]
    pub fn since(&self, first: Day) -> Purchases {
        Purchases {
            first: self.first.max(first),
            ..self.clone()
        }
    }

    /// What is known on the night `as_of`: everything up to and including it, nothing after.
    #[must_use]
    pub fn until(&self, as_of: AsOf) -> History<'_> {
        History {
            purchases: self,
            as_of,
        }
    }

    /// Whether a customer has a purchase in this partition.
    #[must_use]
    pub fn has(&self, customer: u32) -> bool {
        !self.purchases_of(customer).is_empty()
    }

    fn purchases_of(&self, customer: u32) -> CustomerPurchases<'_> {
        let Some(code) = self.provisional_codes.get(customer as usize) else {
            return CustomerPurchases::NONE;
        };
        let ShardRow { shard, row } = ShardRow::of(*code);
        match self.shards.get(shard) {
            Some(shard) => shard.purchases_of(row).since(self.first),
            None => CustomerPurchases::NONE,
        }
    }

    fn every_customer(&self) -> impl Iterator<Item = CustomerPurchases<'_>> {
        (0..self.customers.len() as u32).map(|customer| self.purchases_of(customer))
    }
}

/// The purchases that are known on a night. Everything that predicts takes a `History` and so
/// cannot see the future.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    purchases: &'a Purchases,
    as_of: AsOf,
}

impl<'a> History<'a> {
    /// The night.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// The history as it stood on an earlier night; a later night changes nothing.
    #[must_use]
    pub fn until(&self, as_of: AsOf) -> History<'a> {
        History {
            purchases: self.purchases,
            as_of: self.as_of.min(as_of),
        }
    }

    /// What nobody in particular bought up to the night, ascending by day and product. Of several
    /// partitions the first has all of it.
    #[must_use]
    pub fn anonymous_sales(&self) -> &'a [AnonymousSale] {
        let purchases = self.purchases;
        purchases
            .anonymous
            .within(purchases.first, self.as_of.day())
    }

    /// How many customers the dictionary has; some may have no purchase yet.
    #[must_use]
    pub fn customer_count(&self) -> u32 {
        self.purchases.customers.len() as u32
    }

    /// How many products the dictionary has; some may not have been sold yet.
    #[must_use]
    pub fn product_count(&self) -> usize {
        self.purchases.products.len()
    }

    /// The customers' ids. Codes are in the order of ids, not of the customers' first purchases.
    #[must_use]
    pub fn customers(&self) -> &'a Ids {
        &self.purchases.customers
    }

    /// The products' ids.
    #[must_use]
    pub fn products(&self) -> &'a Ids {
        &self.purchases.products
    }

    /// How many distinct (customer, day, product) there are up to the night.
    #[must_use]
    pub fn distinct_lines(&self) -> usize {
        (0..self.customer_count())
            .map(|customer| self.purchases_of(customer).lines().len())
            .sum()
    }

    /// Which products were bought in the last `days` days up to the night, by code. The answers of
    /// several partitions are combined by a logical or.
    #[must_use]
    pub fn products_bought_within(&self, days: i32) -> Vec<bool> {
        let night = self.as_of.day();
        let mut bought = vec![false; self.product_count()];
        for customer in 0..self.customer_count() {
            let purchases = self.purchases_of(customer);
            for (_, basket) in purchases
                .iter()
                .rev()
                .take_while(|(day, _)| night - *day < days)
            {
                for product in basket {
                    if let Some(bought) = bought.get_mut(*product as usize) {
                        *bought = true;
                    }
                }
            }
        }
        bought
    }

    /// The purchases of a customer up to the night, in the order of their days.
    #[must_use]
    pub fn purchases_of(&self, customer: u32) -> CustomerPurchases<'a> {
        self.purchases
            .purchases_of(customer)
            .until(self.as_of.day())
    }

    /// The customer's first purchase after `night` that is known by now: its day and products. This
    /// is what a model that speaks from `night` has to predict.
    #[must_use]
    pub fn following(&self, customer: u32, night: Day) -> Option<(Day, &'a [u32])> {
        let purchases = self.purchases_of(customer);
        let at = purchases.days.partition_point(|day| *day <= night);
        Some((*purchases.days.get(at)?, purchases.basket(at)))
    }

    /// The first and the last day with a purchase up to the night.
    #[must_use]
    pub fn span(&self) -> Option<DateRange> {
        (0..self.customer_count())
            .map(|customer| self.purchases_of(customer).span())
            .fold(None, DateRange::union)
    }
}

/// The purchases of one customer in the order of their days.
#[derive(Debug, Clone, Copy)]
pub struct CustomerPurchases<'a> {
    days: &'a [Day],
    basket_starts: &'a [u32],
    baskets: &'a [u32],
}

impl<'a> CustomerPurchases<'a> {
    const NONE: Self = Self {
        days: &[],
        basket_starts: &[],
        baskets: &[],
    };

    /// How many purchases.
    #[must_use]
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The days, ascending.
    #[must_use]
    pub fn days(&self) -> &'a [Day] {
        self.days
    }

    /// The distinct products of the purchase at position `at`, ascending; empty past the end.
    #[must_use]
    pub fn basket(&self, at: usize) -> &'a [u32] {
        match (
            self.days.get(at),
            self.basket_starts.get(at),
            self.basket_starts.get(at + 1),
        ) {
            (Some(_), Some(start), Some(end)) => &self.baskets[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// How many distinct products the purchase at position `at` has.
    #[must_use]
    pub fn basket_size(&self, at: usize) -> usize {
        self.basket(at).len()
    }

    /// The purchases with their baskets, in the order of their days.
    pub fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (Day, &'a [u32])> + ExactSizeIterator + use<'a> {
        let purchases = *self;
        (0..self.days.len()).map(move |at| (purchases.days[at], purchases.basket(at)))
    }

    /// The first and the last day.
    fn span(&self) -> Option<DateRange> {
        Some(DateRange {
            first: *self.days.first()?,
            last: *self.days.last()?,
        })
    }

    /// The distinct (day, product), of which the product: ascending within each day, in the order of
    /// the days.
    #[must_use]
    pub fn lines(&self) -> &'a [u32] {
        match (
            self.basket_starts.first(),
            self.basket_starts.get(self.days.len()),
        ) {
            (Some(start), Some(end)) => &self.baskets[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// The purchases from a day on.
    #[must_use]
    pub fn since(&self, day: Day) -> CustomerPurchases<'a> {
        match self.days.first() {
            Some(first) if *first < day => {
                let start = self.days.partition_point(|known| *known < day);
                CustomerPurchases {
                    days: &self.days[start..],
                    basket_starts: &self.basket_starts[start..],
                    ..*self
                }
            }
            _ => *self,
        }
    }

    /// The purchases on some days.
    #[must_use]
    pub fn within(&self, days: DateRange) -> CustomerPurchases<'a> {
        self.since(days.first).until(days.last)
    }

    /// Whether one of the purchases has a product.
    #[must_use]
    pub fn have(&self, product: u32) -> bool {
        self.iter()
            .any(|(_, basket)| basket.binary_search(&product).is_ok())
    }

    /// The purchases up to and including a day.
    #[must_use]
    pub fn until(&self, day: Day) -> CustomerPurchases<'a> {
        let len = self.days.partition_point(|known| *known <= day);
        CustomerPurchases {
            days: &self.days[..len],
            ..*self
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
