//! Purchases: a compact columnar history, and `History`, the part of it that is known on a night.
//!
//! The layout is two levels of compressed sparse rows: a customer's purchases stand together in the
//! order of their days, and a purchase's distinct products stand together in the order of their
//! codes. A (customer, day, product) takes 4 bytes, a purchase 8. Customers are spread over
//! [`SHARDS`] such tables, so that they are built side by side. [`Builder`] makes them of lines in
//! any order.

mod builder;
mod partitions;
mod runs;

use std::sync::Arc;

use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::Ids;
use crate::error::Result;

pub use builder::{Aside, Builder, MemoryLimit, PartitionedPurchases};
pub use partitions::{Fingerprint, PartitionedHistory, Partitions, Recent};

/// Over so many tables customers are spread: the unit of parallel building, and of what is in
/// memory at a time.
pub const SHARDS: usize = 64;

/// One kept line of the input: provisional codes (positions in the unsorted ids that come with it)
/// and the store's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Position in the customers' ids.
    pub customer: u32,
    /// The store's day.
    pub day: Day,
    /// Position in the products' ids.
    pub product: u32,
}

/// All purchases of all customers, or of a part of them: a purchase is everything that one customer
/// bought on one day of the store.
#[derive(Debug, Clone)]
pub struct Purchases {
    /// Of all customers, whatever part of them this is: codes are the same in all parts.
    customers: Arc<Ids>,
    products: Arc<Ids>,
    /// Where the purchases of customer `c` are: in the shard `places[c] % SHARDS`, at `places[c] /
    /// SHARDS`.
    places: Arc<Vec<u32>>,
    /// Those of other parts are empty.
    shards: Vec<Arc<Shard>>,
    /// The first day that counts.
    first: Day,
}

/// The purchases of a part of the customers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Shard {
    /// The customer at `c` has the purchases `starts[c]..starts[c + 1]`.
    starts: Vec<u32>,
    days: Vec<Day>,
    /// Purchase `v` has the products `basket_starts[v]..basket_starts[v + 1]`.
    basket_starts: Vec<u32>,
    baskets: Vec<u32>,
}

impl Shard {
    fn purchases_of(&self, at: usize) -> CustomerPurchases<'_> {
        let range = match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(start), Some(end)) => *start as usize..*end as usize,
            _ => return CustomerPurchases::NONE,
        };
        CustomerPurchases {
            days: &self.days[range.clone()],
            basket_starts: &self.basket_starts[range.start..=range.end],
            baskets: &self.baskets,
        }
    }
}

/// The same customers with the same purchases, wherever they are kept.
impl PartialEq for Purchases {
    fn eq(&self, other: &Self) -> bool {
        let same = |customer: u32| {
            self.purchases_of(customer)
                .iter()
                .eq(other.purchases_of(customer).iter())
        };
        self.customers == other.customers
            && self.products == other.products
            && (0..self.customers.len() as u32).all(same)
    }
}

impl Eq for Purchases {}

impl Purchases {
    /// Builds the history from lines in any order; repeated lines count once, and ids that no line
    /// names are dropped.
    ///
    /// # Errors
    /// If a line's code is not in the ids, or there are more than 2³² − 1 distinct (customer, day,
    /// product) in a shard.
    pub fn from_lines(customers: Ids, products: Ids, lines: Vec<Line>) -> Result<Self> {
        let mut builder = Builder::new(None);
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
            .map(|purchases| purchases.lines())
            .sum()
    }

    /// The first and the last day with a purchase.
    #[must_use]
    pub fn span(&self) -> Option<DateRange> {
        self.until(AsOf(Day::from_epoch(i32::MAX))).span()
    }

    /// The same without what was bought before a day, as if it had not been read; the ids stay.
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

    /// Whether a customer has a purchase here, on whatever day.
    #[must_use]
    pub fn has(&self, customer: u32) -> bool {
        !self.purchases_of(customer).is_empty()
    }

    fn purchases_of(&self, customer: u32) -> CustomerPurchases<'_> {
        let place = self
            .places
            .get(customer as usize)
            .map_or(usize::MAX, |place| *place as usize);
        let all = self
            .shards
            .get(place % SHARDS)
            .map_or(CustomerPurchases::NONE, |shard| {
                shard.purchases_of(place / SHARDS)
            });
        all.since(self.first)
    }

    fn every_customer(&self) -> impl Iterator<Item = CustomerPurchases<'_>> {
        (0..self.customers.len() as u32).map(|customer| self.purchases_of(customer))
    }
}

/// The purchases that are known on a night. Everything that predicts takes this and so cannot see
/// the future.
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

    /// How many customers the dictionary has; a customer may have no purchase yet.
    #[must_use]
    pub fn customer_count(&self) -> u32 {
        self.purchases.customers.len() as u32
    }

    /// How many products the dictionary has; a product may not have been sold yet.
    #[must_use]
    pub fn product_count(&self) -> usize {
        self.purchases.products.len()
    }

    /// The customers' ids. Codes are in the order of ids, whenever a customer first came.
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
            .map(|customer| self.purchases_of(customer).lines())
            .sum()
    }

    /// Which products were bought in the last `days` days up to the night, by code. Those of the
    /// customers of different partitions go together by "or".
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

    /// The first and last day with a purchase up to the night.
    #[must_use]
    pub fn span(&self) -> Option<DateRange> {
        let of_customer = |customer| {
            let days = self.purchases_of(customer).days();
            Some(DateRange {
                first: *days.first()?,
                last: *days.last()?,
            })
        };
        (0..self.customer_count())
            .map(of_customer)
            .fold(None, DateRange::union)
    }
}

/// Purchases of one customer in the order of their days.
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

    /// How many distinct (day, product).
    fn lines(&self) -> usize {
        match (
            self.basket_starts.first(),
            self.basket_starts.get(self.days.len()),
        ) {
            (Some(start), Some(end)) => (end - start) as usize,
            _ => 0,
        }
    }

    /// The purchases from a day on.
    fn since(&self, day: Day) -> CustomerPurchases<'a> {
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
