//! What the whole store says on a night: product statistics, the currently popular products, and
//! customers to compare with.

mod references;

use std::cmp::Reverse;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::calendar::{AsOf, Day};
use crate::purchases::{CustomerPurchases, History};
use references::{Reference, References, first_drawn, references};

pub use references::NeighbourScratch;

/// How far back product statistics look, in days.
const STATISTICS_DAYS: i32 = 365;
/// How far back the products of a customer count for their likeness to others, in days.
pub const LIKENESS_DAYS: i32 = 182;

/// Counts of one product over all customers up to the night. Counts are exact, whatever the order
/// of summation. They lie in one cache line: each customer's purchases touch those of hundreds of
/// products in no order that memory knows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[repr(align(64))]
pub struct ProductCounts {
    /// Purchases with it in the last 14, 28, 56 and 112 days.
    pub bought: [u32; 4],
    /// Customers who bought it in the last 365 days.
    pub buyers: u32,
    /// Of those, customers who bought it more than once.
    pub repeaters: u32,
    /// Purchases with it after each buyer's first.
    pub rebought: u32,
    /// Purchases of its buyers after the first with it, whatever was in them.
    pub chances: u64,
    /// Purchases with it that another purchase followed, and of those, how many had it again.
    pub followed: u32,
    /// See `followed`.
    pub next: u32,
    /// Days between the first and the last purchase with it, over the repeaters.
    pub span_days: u64,
    /// Products in the baskets that had it, itself included.
    pub basket_products: u64,
}

impl ProductCounts {
    fn add(&mut self, other: &Self) {
        self.bought
            .iter_mut()
            .zip(other.bought)
            .for_each(|(a, b)| *a += b);
        self.buyers += other.buyers;
        self.repeaters += other.repeaters;
        self.rebought += other.rebought;
        self.chances += other.chances;
        self.followed += other.followed;
        self.next += other.next;
        self.span_days += other.span_days;
        self.basket_products += other.basket_products;
    }
}

/// How many products are candidates for a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateLimits {
    /// Most products bought before: those with the largest count of purchases that fades with
    /// visits.
    pub bought: usize,
    /// How many popular products every customer has as candidates besides.
    pub new: usize,
}

/// The store on a night.
#[derive(Debug)]
pub struct StoreSnapshot {
    night: Day,
    limits: CandidateLimits,
    counts: Vec<ProductCounts>,
    /// Purchases of all customers in the last 14, 28, 56 and 112 days.
    purchases: [u32; 4],
    totals: ProductCounts,
    popular: Vec<u32>,
    /// The same by ascending code.
    popular_by_code: Vec<u32>,
    references: References,
}

/// A task adds up at least so many products.
const PRODUCTS_A_TASK: usize = 8_192;

/// Windows of [`ProductCounts::bought`], in days.
pub const WINDOWS: [i32; 4] = [14, 28, 56, 112];

/// What customers add to the picture of the store on a night. Those of different customers add up,
/// in any order, to the same.
#[derive(Debug)]
pub struct PartialStoreCounts {
    night: Day,
    counts: Vec<ProductCounts>,
    /// Purchases in the last 14, 28, 56 and 112 days.
    purchases: [u32; 4],
    /// Customers with a purchase up to the night: a dictionary may hold some who first come later.
    seen: u64,
    references: Vec<Reference>,
}

impl PartialStoreCounts {
    /// Of the customers of a history on its night.
    #[must_use]
    pub fn new(history: &History<'_>, seed: u64) -> Self {
        let mut tallies = Self::of_nights(history, &[history.as_of().day()], seed);
        tallies.pop().unwrap_or_else(|| Self::empty(history))
    }

    fn empty(history: &History<'_>) -> Self {
        let counts = vec![ProductCounts::default(); history.product_count()];
        Self {
            night: history.as_of().day(),
            counts,
            purchases: [0; 4],
            seen: 0,
            references: vec![],
        }
    }

    /// Of the customers of a history on several nights, which ascend and are not after its own, in
    /// one pass over each customer's purchases. It takes 64 bytes for each product, night and
    /// thread.
    #[must_use]
    pub fn of_nights(history: &History<'_>, nights: &[Day], seed: u64) -> Vec<Self> {
        let cells = history.product_count() * nights.len();
        let fold = || {
            (
                vec![ProductCounts::default(); cells],
                vec![NightCounts::default(); nights.len()],
                Scratch::default(),
            )
        };
        // Each part has counts of all products, so that there should be hardly more of them than
        // threads. rayon halves as long as both halves are at least that long: rounded up, it would
        // not halve at all.
        let parts = rayon::current_num_threads().next_power_of_two();
        let customers_a_part = (history.customer_count() as usize / parts).max(256);
        let (counts, totals, _) = (0..history.customer_count())
            .into_par_iter()
            .with_min_len(customers_a_part)
            .fold(fold, |(mut counts, mut totals, mut scratch), customer| {
                count_customer(
                    &history.purchases_of(customer),
                    nights,
                    &mut counts,
                    &mut totals,
                    &mut scratch,
                );
                (counts, totals, scratch)
            })
            .reduce_with(
                |(mut counts, mut totals, scratch), (more, more_totals, _)| {
                    add_all(&mut counts, &more);
                    totals
                        .iter_mut()
                        .zip(&more_totals)
                        .for_each(|(a, b)| a.add(b));
                    (counts, totals, scratch)
                },
            )
            .unwrap_or_else(fold);
        let of_night = |(at, (night, totals)): (usize, (&Day, &NightCounts))| Self {
            night: *night,
            counts: counts
                .iter()
                .skip(at)
                .step_by(nights.len())
                .copied()
                .collect(),
            purchases: totals.purchases,
            seen: totals.seen,
            references: references(&history.until(AsOf(*night)), seed),
        };
        nights
            .iter()
            .zip(&totals)
            .enumerate()
            .map(of_night)
            .collect()
    }

    /// With that of other customers, whose products have the same codes, on the same night.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        add_all(&mut self.counts, &other.counts);
        self.purchases
            .iter_mut()
            .zip(other.purchases)
            .for_each(|(a, b)| *a += b);
        self.seen += other.seen;
        self.references = first_drawn(
            self.references
                .into_iter()
                .chain(other.references)
                .collect(),
        );
        self
    }
}

impl StoreSnapshot {
    /// Looks at the store on the history's night.
    #[must_use]
    pub fn new(history: &History<'_>, limits: CandidateLimits, seed: u64) -> Self {
        Self::of(PartialStoreCounts::new(history, seed), limits)
    }

    /// The store of which all customers were counted.
    #[must_use]
    pub fn of(store_counts: PartialStoreCounts, limits: CandidateLimits) -> Self {
        let PartialStoreCounts {
            night,
            counts,
            purchases,
            seen,
            references,
        } = store_counts;
        let (references, (totals, popular)) = rayon::join(
            || References::new(references, &counts, seen),
            || (totals(&counts), popular(&counts, limits.new)),
        );
        let mut popular_by_code = popular.clone();
        popular_by_code.sort_unstable();
        Self {
            night,
            limits,
            counts,
            purchases,
            totals,
            popular,
            popular_by_code,
            references,
        }
    }

    /// The night.
    #[must_use]
    pub fn night(&self) -> Day {
        self.night
    }

    /// How many products are candidates.
    #[must_use]
    pub fn limits(&self) -> CandidateLimits {
        self.limits
    }

    /// The products that sold in most purchases of the last 28 days, the most popular first.
    #[must_use]
    pub fn popular(&self) -> &[u32] {
        &self.popular
    }

    /// Whether the product is one of the popular ones.
    #[must_use]
    pub fn is_popular(&self, product: u32) -> bool {
        self.popular_by_code.binary_search(&product).is_ok()
    }

    /// The counts of a product.
    #[must_use]
    pub fn counts(&self, product: u32) -> ProductCounts {
        self.counts
            .get(product as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The share of all purchases of a window (a position in [`WINDOWS`]) that had the product.
    #[must_use]
    pub fn share(&self, product: u32, window: usize) -> f64 {
        let bought = self
            .counts
            .get(product as usize)
            .map_or(0, |count| count.bought[window]);
        f64::from(bought) / f64::from(self.purchases[window].max(1))
    }

    /// How much more often the product sells lately: its share of the last 14 days to that of the
    /// last 56, drawn to 1.
    #[must_use]
    pub fn trend(&self, product: u32) -> f64 {
        let expected = self.share(product, 2) * f64::from(self.purchases[0].max(1));
        let bought = self
            .counts
            .get(product as usize)
            .map_or(0, |count| count.bought[0]);
        (f64::from(bought) + 5.0) / (expected + 5.0)
    }

    /// The share of a buyer's later purchases that have the product again, drawn to the mean of all
    /// products (empirical Bayes).
    #[must_use]
    pub fn repeat_rate(&self, product: u32) -> f64 {
        let all = f64::from(self.totals.rebought) / (self.totals.chances.max(1) as f64);
        let count = self.counts(product);
        (f64::from(count.rebought) + 100.0 * all) / (count.chances as f64 + 100.0)
    }

    /// The share of purchases with the product whose next purchase has it again, drawn to the mean
    /// of all products.
    #[must_use]
    pub fn next_rate(&self, product: u32) -> f64 {
        let all = f64::from(self.totals.next) / f64::from(self.totals.followed.max(1));
        let count = self.counts(product);
        (f64::from(count.next) + 20.0 * all) / (f64::from(count.followed) + 20.0)
    }

    /// The share of its buyers who bought the product more than once, drawn to the mean of all
    /// products.
    #[must_use]
    pub fn repeater_share(&self, product: u32) -> f64 {
        let all = f64::from(self.totals.repeaters) / f64::from(self.totals.buyers.max(1));
        let count = self.counts(product);
        (f64::from(count.repeaters) + 10.0 * all) / (f64::from(count.buyers) + 10.0)
    }

    /// Mean days between two purchases of the product by one customer, drawn to the mean of all
    /// products.
    #[must_use]
    pub fn gap_days(&self, product: u32) -> f64 {
        let all = self.totals.span_days as f64 / f64::from(self.totals.rebought.max(1));
        let count = self.counts(product);
        (count.span_days as f64 + 5.0 * all) / (f64::from(count.rebought) + 5.0)
    }

    /// Mean size of the baskets that have the product.
    #[must_use]
    pub fn basket_size(&self, product: u32) -> f64 {
        let count = self.counts(product);
        let all = self.totals.basket_products as f64
            / ((self.totals.buyers + self.totals.rebought).max(1) as f64);
        (count.basket_products as f64 + 5.0 * all)
            / (f64::from(count.buyers + count.rebought) + 5.0)
    }

    /// Looks for the customers who bought most like this one, of whom `products` were bought in the
    /// last [`LIKENESS_DAYS`]. Then [`StoreSnapshot::liked`] says what they buy. The customer, for whose id
    /// `customer` stands ([`crate::purchases::Ids::key`]), is not its own neighbour.
    pub fn look_for_neighbours(
        &self,
        customer: u64,
        products: impl Iterator<Item = u32>,
        scratch: &mut NeighbourScratch,
    ) {
        self.references
            .look_for_neighbours(customer, products, scratch);
    }

    /// How often the neighbours that were looked for last bought a product lately: the weighted
    /// mean of their shares of purchases with it.
    #[must_use]
    pub fn liked(&self, product: u32, scratch: &NeighbourScratch) -> f32 {
        self.references.liked(product, scratch)
    }
}

fn totals(counts: &[ProductCounts]) -> ProductCounts {
    let mut totals = ProductCounts::default();
    counts.iter().for_each(|count| totals.add(count));
    totals
}

/// So many products of the most purchases of the last 28 days, the most popular first.
fn popular(counts: &[ProductCounts], most: usize) -> Vec<u32> {
    let sold = (0..).zip(counts).filter(|(_, count)| count.bought[1] > 0);
    let mut popular: Vec<(Reverse<u32>, u32)> = sold
        .map(|(product, count)| (Reverse(count.bought[1]), product))
        .collect();
    if popular.len() > most {
        popular.select_nth_unstable(most);
        popular.truncate(most);
    }
    popular.sort_unstable();
    popular.into_iter().map(|(_, product)| product).collect()
}

/// Adds up the counts of all products side by side.
fn add_all(counts: &mut [ProductCounts], more: &[ProductCounts]) {
    counts
        .par_iter_mut()
        .zip(more)
        .with_min_len(PRODUCTS_A_TASK)
        .for_each(|(a, b)| a.add(b));
}

/// What is counted of a night besides products.
#[derive(Debug, Clone, Copy, Default)]
struct NightCounts {
    purchases: [u32; 4],
    seen: u64,
}

impl NightCounts {
    fn add(&mut self, other: &Self) {
        self.purchases
            .iter_mut()
            .zip(other.purchases)
            .for_each(|(a, b)| *a += b);
        self.seen += other.seen;
    }
}

/// Which of a customer's purchases count on a night.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Positions of the first one that counts, and of the first one after the night.
    from: u32,
    until: u32,
    /// Of each window, the position of the first one in it.
    windows: [u32; 4],
}

/// Arrays of one thread: they stay in the cache, where arrays of all products would not.
#[derive(Debug, Default)]
struct Scratch {
    known: Vec<Known>,
    /// (product, position of the purchase), sorted.
    items: Vec<u64>,
    /// For the items of one product: how many of those before each, itself included, follow on the
    /// purchase before, and the products in their baskets.
    sums: Vec<(u32, u64)>,
}

/// Counts a customer's purchases on each night: `counts[product * nights + night]`.
fn count_customer(
    purchases: &CustomerPurchases<'_>,
    nights: &[Day],
    counts: &mut [ProductCounts],
    totals: &mut [NightCounts],
    scratch: &mut Scratch,
) {
    let Scratch { known, items, sums } = scratch;
    let days = purchases.days();
    known.clear();
    for (night, total) in nights.iter().zip(totals) {
        let until = days.partition_point(|day| day <= night) as u32;
        let since =
            |length: i32| (days.partition_point(|day| *night - *day >= length) as u32).min(until);
        let from = since(STATISTICS_DAYS);
        let windows = WINDOWS.map(since);
        total.seen += u64::from(until > 0);
        total
            .purchases
            .iter_mut()
            .zip(windows)
            .for_each(|(total, window)| *total += until - window);
        known.push(Known {
            from,
            until,
            windows,
        });
    }
    let (Some(first), Some(last)) = (known.first(), known.last()) else {
        return;
    };
    items.clear();
    for position in first.from..last.until {
        items.extend(
            purchases
                .basket(position as usize)
                .iter()
                .map(|product| (u64::from(*product) << 32) | u64::from(position)),
        );
    }
    items.sort_unstable();
    // Their counts come into the cache side by side; else each would be waited for in its turn.
    let touched = items.iter().fold(0_u32, |sum, item| {
        let counts = counts
            .get((item >> 32) as usize * nights.len()..)
            .unwrap_or_default();
        counts
            .iter()
            .take(nights.len())
            .fold(sum, |sum, count| sum.wrapping_add(count.buyers))
    });
    std::hint::black_box(touched);
    for own in items.chunk_by(|a, b| a >> 32 == b >> 32) {
        let product = own.first().map_or(0, |item| (item >> 32) as usize);
        sums.clear();
        sums.push((0, 0));
        let (mut next, mut basket_products, mut before) = (0, 0, u64::MAX - 1);
        for item in own {
            next += u32::from(before + 1 == *item);
            basket_products += purchases.basket_size(*item as u32 as usize) as u64;
            sums.push((next, basket_products));
            before = *item;
        }
        let counts = &mut counts[product * nights.len()..(product + 1) * nights.len()];
        // Nights ascend, and so do the items that count on them.
        let (mut low, mut high) = (0, 0);
        for (known, count) in known.iter().zip(counts) {
            low += own[low..]
                .iter()
                .take_while(|item| (**item as u32) < known.from)
                .count();
            high += own[high..]
                .iter()
                .take_while(|item| (**item as u32) < known.until)
                .count();
            if low >= high {
                continue;
            }
            let (first, last, times) = (own[low] as u32, own[high - 1] as u32, (high - low) as u32);
            // Added without a branch, which no processor could foresee.
            for item in &own[low..high] {
                count
                    .bought
                    .iter_mut()
                    .zip(known.windows)
                    .for_each(|(bought, window)| *bought += u32::from(*item as u32 >= window));
            }
            count.buyers += 1;
            count.repeaters += u32::from(times > 1);
            count.rebought += times - 1;
            count.chances += u64::from(known.until - 1 - first);
            count.followed += times - u32::from(last + 1 == known.until);
            // The first one that counts follows on none that does.
            count.next += sums[high].0 - sums[low + 1].0;
            count.span_days += (days[last as usize] - days[first as usize]) as u64;
            count.basket_products += sums[high].1 - sums[low].1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sold(times: u32) -> ProductCounts {
        ProductCounts {
            bought: [0, times, times, times],
            buyers: times,
            ..ProductCounts::default()
        }
    }

    #[test]
    fn of_equally_popular_products_the_first_ones_are_popular() {
        let counts = [3, 0, 5, 3, 5, 3, 1].map(sold);
        for most in 0..9 {
            let mut sorted: Vec<u32> = (0..7)
                .filter(|product| counts[*product as usize].bought[1] > 0)
                .collect();
            sorted.sort_by_key(|product| Reverse(counts[*product as usize].bought[1]));
            sorted.truncate(most);
            assert_eq!(popular(&counts, most), sorted);
        }
    }

    #[test]
    fn every_product_is_added_up_however_many_there_are() {
        let mut counts: Vec<ProductCounts> =
            (0..2 * PRODUCTS_A_TASK as u32 + 7).map(sold).collect();
        let more = counts.clone();
        add_all(&mut counts, &more);
        assert!(
            counts
                .iter()
                .zip(&more)
                .all(|(count, before)| count.buyers == 2 * before.buyers
                    && count.bought[3] == 2 * before.bought[3])
        );
    }
}
