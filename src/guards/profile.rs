//! What a history is like day by day, counted in one pass over its partitions.

use rayon::prelude::*;

use super::stores::StoreDays;
use crate::calendar::{AsOf, Day};
use crate::ingest::{FeedDays, HourCounts};
use crate::purchases::{CustomerPurchases, History};

/// So many days up to the night are judged.
pub const JUDGED_DAYS: usize = 35;

/// So many days are looked at: those judged, as many weeks again that tell how much days differ, and
/// the 8 weeks before them.
pub(super) const LOOKED_AT_DAYS: usize = JUDGED_DAYS + 8 * 7 + 8 * 7;

/// The last weeks, which are compared with those before.
pub(super) const LATELY: usize = 28;

/// The weeks before the last ones end so many days before the night.
pub(super) const BEFORE: usize = LATELY + 56;

/// A product that sold so often in the weeks before is missed if it does not in the last ones.
const WELL_SOLD: u32 = 10;

/// A customer who came so often in the weeks before is missed if nobody sees him in the last ones.
const OFTEN: usize = 5;

/// One day of a feed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayProfile {
    /// Distinct (customer, product) bought.
    pub lines: u64,
    /// Customers who bought.
    pub customers: u64,
    /// Of these, those who never had before.
    pub new_customers: u64,
    /// Lines with a product that was never bought before.
    pub unseen_lines: u64,
    /// Lines that were kept, repeated ones included.
    pub kept: u64,
    /// Lines with a quantity of 0 or below.
    pub returned: u64,
    /// Bad lines.
    pub bad: u64,
}

/// How many were there in the weeks before the last ones, and are no longer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Vanished {
    /// Well sold products, or customers who came often, in the weeks before.
    pub known: u64,
    /// Of these, those of whom nothing was seen in the last 28 days.
    pub gone: u64,
}

/// What a history is like up to a night.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedProfile {
    /// The night.
    pub night: Day,
    /// By how many days ago: the night first, as far back as the history goes.
    pub days: Vec<DayProfile>,
    /// Products.
    pub products: Vanished,
    /// Customers.
    pub customers: Vanished,
    /// Sales by the hour.
    pub hours: Option<HourCounts>,
    /// Customers by store and day, where lines say the store.
    pub stores: Vec<StoreDays>,
}

impl FeedProfile {
    /// The day that is so many days ago.
    pub(super) fn day(&self, ago: usize) -> Day {
        self.night - i32::try_from(ago).unwrap_or(i32::MAX)
    }

    /// The sum over some days, as far as there are any.
    pub(super) fn sum(
        &self,
        ago: std::ops::Range<usize>,
        count: impl Fn(&DayProfile) -> u64,
    ) -> f64 {
        let end = ago.end.min(self.days.len());
        let days = self.days.get(ago.start.min(end)..end).unwrap_or_default();
        days.iter().map(count).sum::<u64>() as f64
    }
}

/// What is known of a product within the days looked at.
#[derive(Debug, Clone, Copy)]
struct ProductSightings {
    /// How many days ago it was first bought.
    first: usize,
    /// Lines on that day.
    on_first: u32,
    lately: u32,
    before: u32,
}

impl ProductSightings {
    const NONE: Self = Self {
        first: 0,
        on_first: 0,
        lately: 0,
        before: 0,
    };

    #[inline]
    fn add(&mut self, ago: usize) {
        self.add_first(ago, 1);
        self.lately += u32::from(ago < LATELY);
        self.before += u32::from((LATELY..BEFORE).contains(&ago));
    }

    fn add_first(&mut self, ago: usize, lines: u32) {
        if ago > self.first {
            (self.first, self.on_first) = (ago, 0);
        }
        if ago == self.first {
            self.on_first += lines;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.add_first(other.first, other.on_first);
        self.lately += other.lately;
        self.before += other.before;
    }
}

/// Counts the days of a history, partition by partition.
#[derive(Debug, Clone)]
pub struct FeedCounts {
    night: Day,
    /// The first day with a purchase.
    first: Option<Day>,
    days: Vec<DayProfile>,
    products: Vec<ProductSightings>,
    /// Which products were bought before the days looked at. Of these days nothing else is needed,
    /// and they are most of a history.
    known_products: Vec<bool>,
    customers: Vanished,
}

impl FeedCounts {
    /// Nothing yet, of so many products.
    #[must_use]
    pub fn new(as_of: AsOf, products: usize) -> Self {
        Self {
            night: as_of.day(),
            first: None,
            days: vec![DayProfile::default(); LOOKED_AT_DAYS],
            products: vec![ProductSightings::NONE; products],
            known_products: vec![false; products],
            customers: Vanished::default(),
        }
    }

    /// Adds a partition, as it stands on the night.
    pub fn add(&mut self, history: &History<'_>) {
        let customers = history.customer_count();
        let threads = u32::try_from(rayon::current_num_threads()).unwrap_or(1);
        let part = customers.div_ceil(threads.max(1)).max(1);
        let starts: Vec<u32> = (0..customers).step_by(part as usize).collect();
        let empty = Self::new(AsOf(self.night), self.products.len());
        let parts: Vec<Self> = starts
            .into_par_iter()
            .map(|start| {
                let mut counts = empty.clone();
                for customer in start..customers.min(start.saturating_add(part)) {
                    counts.add_customer(&history.purchases_of(customer));
                }
                counts
            })
            .collect();
        for counts in &parts {
            self.merge(counts);
        }
    }

    fn add_customer(&mut self, purchases: &CustomerPurchases<'_>) {
        let Some(first) = purchases.days().first() else {
            return;
        };
        self.first = Some(self.first.map_or(*first, |known| known.min(*first)));
        let first_looked_at = self.night - (LOOKED_AT_DAYS as i32 - 1);
        for product in purchases.until(first_looked_at - 1).lines() {
            if let Some(known) = self.known_products.get_mut(*product as usize) {
                *known = true;
            }
        }
        let (mut lately, mut before) = (0, 0);
        for (day, basket) in purchases.since(first_looked_at).iter() {
            let ago = (self.night - day) as usize;
            lately += usize::from(ago < LATELY);
            before += usize::from((LATELY..BEFORE).contains(&ago));
            if let Some(counts) = self.days.get_mut(ago) {
                counts.lines += basket.len() as u64;
                counts.customers += 1;
                counts.new_customers += u64::from(day == *first);
            }
            for product in basket {
                if let Some(counts) = self.products.get_mut(*product as usize) {
                    counts.add(ago);
                }
            }
        }
        self.customers.known += u64::from(before >= OFTEN);
        self.customers.gone += u64::from(before >= OFTEN && lately == 0);
    }

    fn merge(&mut self, other: &Self) {
        self.first = self.first.into_iter().chain(other.first).min();
        for (day, others) in self.days.iter_mut().zip(&other.days) {
            day.lines += others.lines;
            day.customers += others.customers;
            day.new_customers += others.new_customers;
        }
        for (product, others) in self.products.iter_mut().zip(&other.products) {
            product.merge(others);
        }
        for (known, others) in self.known_products.iter_mut().zip(&other.known_products) {
            *known |= others;
        }
        self.customers.known += other.customers.known;
        self.customers.gone += other.customers.gone;
    }

    /// The profile, with what else was read of each day.
    #[must_use]
    pub fn finish(mut self, feed: &FeedDays) -> FeedProfile {
        let mut vanished = Vanished::default();
        for (product, known) in self.products.iter().zip(&self.known_products) {
            if let Some(day) = self.days.get_mut(product.first)
                && !known
            {
                day.unseen_lines += u64::from(product.on_first);
            }
            vanished.known += u64::from(product.before >= WELL_SOLD);
            vanished.gone += u64::from(product.before >= WELL_SOLD && product.lately == 0);
        }
        let known_days = self.first.map_or(0, |first| self.night - first + 1);
        self.days
            .truncate(usize::try_from(known_days).unwrap_or_default());
        for (ago, day) in (0..).zip(&mut self.days) {
            let read = feed.of(self.night - ago);
            (day.kept, day.returned, day.bad) = (read.kept, read.returned, read.bad);
        }
        FeedProfile {
            night: self.night,
            days: self.days,
            products: vanished,
            customers: self.customers,
            hours: feed.hours.clone(),
            stores: vec![],
        }
    }
}
