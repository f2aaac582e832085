//! What the whole store says on a night: product statistics, the currently popular products, and customers to compare with.

mod references;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::calendar::Day;
use crate::purchases::{History, Visits};
use references::{Reference, References, references};

pub use references::NeighbourScratch;

/// How far back product statistics look, in days.
const STATISTICS_DAYS: i32 = 365;
/// How far back the products of a customer count for their likeness to others, in days.
pub const LIKENESS_DAYS: i32 = 182;

/// Counts of one product over all customers up to the night. Counts are exact, whatever the order of summation.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
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
        self.bought.iter_mut().zip(other.bought).for_each(|(a, b)| *a += b);
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
    /// Most products bought before: those with the largest count of purchases that fades with visits.
    pub bought: usize,
    /// How many popular products every customer has as candidates besides.
    pub new: usize,
}

/// The store on a night.
#[derive(Debug)]
pub struct World {
    night: Day,
    limits: CandidateLimits,
    counts: Vec<ProductCounts>,
    /// Purchases of all customers in the last 14, 28, 56 and 112 days.
    visits: [u32; 4],
    totals: ProductCounts,
    popular: Vec<u32>,
    /// The same by ascending code.
    popular_by_code: Vec<u32>,
    references: References,
}

/// Windows of [`ProductCounts::bought`], in days.
pub const WINDOWS: [i32; 4] = [14, 28, 56, 112];

/// What customers add to the picture of the store on a night. Those of different customers add up, in any order, to the same.
#[derive(Debug)]
pub struct Tally {
    night: Day,
    counts: Vec<ProductCounts>,
    /// Purchases in the last 14, 28, 56 and 112 days.
    visits: [u32; 4],
    /// Customers with a purchase up to the night: a dictionary may hold some who first come later.
    seen: u64,
    references: Vec<Reference>,
}

impl Tally {
    /// Of the customers of a history on its night.
    #[must_use]
    pub fn new(history: &History<'_>, seed: u64) -> Self {
        let night = history.as_of().day();
        let products = history.product_count();
        let fold = || (vec![ProductCounts::default(); products], [0_u32; 4], 0_u64, vec![]);
        // Each part has counts of all products, so that there should be no more of them than threads.
        let customers_a_part = (history.customer_count() as usize).div_ceil(rayon::current_num_threads()).max(256);
        let (counts, visits, seen, _) = (0..history.customer_count())
            .into_par_iter()
            .with_min_len(customers_a_part)
            .fold(fold, |(mut counts, mut visits, seen, mut scratch), customer| {
                let of_customer = history.visits(customer);
                count_customer(&of_customer, night, &mut counts, &mut visits, &mut scratch);
                (counts, visits, seen + u64::from(!of_customer.is_empty()), scratch)
            })
            .reduce_with(|(mut counts, mut visits, seen, scratch), (more, more_visits, more_seen, _)| {
                counts.iter_mut().zip(&more).for_each(|(a, b)| a.add(b));
                visits.iter_mut().zip(more_visits).for_each(|(a, b)| *a += b);
                (counts, visits, seen + more_seen, scratch)
            })
            .unwrap_or_else(fold);
        Self { night, counts, visits, seen, references: references(history, seed) }
    }

    /// With that of other customers, whose products have the same codes, on the same night.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| a.add(b));
        self.visits.iter_mut().zip(other.visits).for_each(|(a, b)| *a += b);
        self.seen += other.seen;
        self.references.extend(other.references);
        self
    }
}

impl World {
    /// Looks at the store on the history's night.
    #[must_use]
    pub fn new(history: &History<'_>, limits: CandidateLimits, seed: u64) -> Self {
        Self::of(Tally::new(history, seed), limits)
    }

    /// The store of which all customers were counted.
    #[must_use]
    pub fn of(tally: Tally, limits: CandidateLimits) -> Self {
        let Tally { night, counts, visits, seen, references } = tally;
        let mut totals = ProductCounts::default();
        counts.iter().for_each(|count| totals.add(count));
        let mut popular: Vec<u32> = (0..counts.len() as u32).filter(|product| counts[*product as usize].bought[1] > 0).collect();
        popular.sort_by_key(|product| (std::cmp::Reverse(counts[*product as usize].bought[1]), *product));
        popular.truncate(limits.new);
        let mut popular_by_code = popular.clone();
        popular_by_code.sort_unstable();
        let references = References::new(references, &counts, seen);
        Self { night, limits, counts, visits, totals, popular, popular_by_code, references }
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
        self.counts.get(product as usize).copied().unwrap_or_default()
    }

    /// The share of all purchases of a window (a position in [`WINDOWS`]) that had the product.
    #[must_use]
    pub fn share(&self, product: u32, window: usize) -> f64 {
        let bought = self.counts.get(product as usize).map_or(0, |count| count.bought[window]);
        f64::from(bought) / f64::from(self.visits[window].max(1))
    }

    /// How much more often the product sells lately: its share of the last 14 days to that of the last 56, drawn to 1.
    #[must_use]
    pub fn trend(&self, product: u32) -> f64 {
        let expected = self.share(product, 2) * f64::from(self.visits[0].max(1));
        let bought = self.counts.get(product as usize).map_or(0, |count| count.bought[0]);
        (f64::from(bought) + 5.0) / (expected + 5.0)
    }

    /// The share of a buyer's later purchases that have the product again, drawn to the mean of all products (empirical Bayes).
    #[must_use]
    pub fn repeat_rate(&self, product: u32) -> f64 {
        let all = f64::from(self.totals.rebought) / (self.totals.chances.max(1) as f64);
        let count = self.counts(product);
        (f64::from(count.rebought) + 100.0 * all) / (count.chances as f64 + 100.0)
    }

    /// The share of purchases with the product whose next purchase has it again, drawn to the mean of all products.
    #[must_use]
    pub fn next_rate(&self, product: u32) -> f64 {
        let all = f64::from(self.totals.next) / f64::from(self.totals.followed.max(1));
        let count = self.counts(product);
        (f64::from(count.next) + 20.0 * all) / (f64::from(count.followed) + 20.0)
    }

    /// The share of its buyers who bought the product more than once, drawn to the mean of all products.
    #[must_use]
    pub fn repeater_share(&self, product: u32) -> f64 {
        let all = f64::from(self.totals.repeaters) / f64::from(self.totals.buyers.max(1));
        let count = self.counts(product);
        (f64::from(count.repeaters) + 10.0 * all) / (f64::from(count.buyers) + 10.0)
    }

    /// Mean days between two purchases of the product by one customer, drawn to the mean of all products.
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
        let all = self.totals.basket_products as f64 / ((self.totals.buyers + self.totals.rebought).max(1) as f64);
        (count.basket_products as f64 + 5.0 * all) / (f64::from(count.buyers + count.rebought) + 5.0)
    }

    /// Looks for the customers who bought most like this one, of whom `products` were bought in the last [`LIKENESS_DAYS`]. Then
    /// [`World::liked`] says what they buy. The customer, for whose id `customer` stands ([`crate::purchases::Ids::key`]), is not its own neighbour.
    pub fn look_for_neighbours(&self, customer: u64, products: impl Iterator<Item = u32>, scratch: &mut NeighbourScratch) {
        self.references.look_for_neighbours(customer, products, scratch);
    }

    /// How often the neighbours that were looked for last bought a product lately: the weighted mean of their shares of purchases with it.
    #[must_use]
    pub fn liked(&self, product: u32, scratch: &NeighbourScratch) -> f32 {
        self.references.liked(product, scratch)
    }
}

/// Counts a customer's purchases. `items` is scratch: the (product, purchase) pairs, sorted in it, stay in the cache where arrays of all
/// products would not.
fn count_customer(visits: &Visits<'_>, night: Day, counts: &mut [ProductCounts], totals: &mut [u32; 4], items: &mut Vec<u64>) {
    let days = visits.days();
    let from = days.partition_point(|day| night - *day >= STATISTICS_DAYS);
    items.clear();
    for (position, at) in (0_u64..).zip(from..days.len()) {
        let ago = night - days[at];
        totals.iter_mut().zip(WINDOWS).for_each(|(total, length)| *total += u32::from(ago < length));
        items.extend(visits.basket(at).iter().map(|product| (u64::from(*product) << 32) | position));
    }
    items.sort_unstable();
    // Of each window, the first purchase in it.
    let windows = WINDOWS.map(|length| (days.partition_point(|day| night - *day >= length).max(from) - from) as u32);
    let visited = (days.len() - from) as u32;
    for own in items.chunk_by(|a, b| a >> 32 == b >> 32) {
        let (Some(first), Some(last)) = (own.first(), own.last()) else { continue };
        let (product, first, last, times) = ((first >> 32) as usize, *first as u32, *last as u32, own.len() as u32);
        let count = &mut counts[product];
        for (bought, window) in count.bought.iter_mut().zip(windows) {
            *bought += own.iter().rev().take_while(|item| **item as u32 >= window).count() as u32;
        }
        count.buyers += 1;
        count.repeaters += u32::from(times > 1);
        count.rebought += times - 1;
        count.chances += u64::from(visited - 1 - first);
        count.followed += times - u32::from(last + 1 == visited);
        count.next += own.windows(2).map(|pair| u32::from(pair[0] + 1 == pair[1])).sum::<u32>();
        count.span_days += (days[from + last as usize] - days[from + first as usize]) as u64;
        count.basket_products += own.iter().map(|item| visits.basket_size(from + *item as u32 as usize) as u64).sum::<u64>();
    }
}
