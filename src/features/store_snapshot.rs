//! What the whole store says on a night: product statistics, the currently popular products, and
//! customers to compare with.

mod counts;
mod references;

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::calendar::Day;
use crate::purchases::History;
use references::ReferenceIndex;

pub use counts::{PartialStoreCounts, ProductCounts, SalesWindow, WindowCounts};
pub use references::{NEIGHBOUR_DAYS, NeighbourScratch};

/// How many products are candidates for a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateLimits {
    /// Most products bought before: those bought most often lately.
    pub bought: usize,
    /// How many popular products every customer has as candidates besides.
    pub new: usize,
}

/// The store on a night.
#[derive(Debug)]
pub struct StoreSnapshot {
    night: Day,
    limits: CandidateLimits,
    /// By product code.
    counts: Vec<ProductCounts>,
    /// Purchases of all customers.
    purchases: WindowCounts,
    means: StoreMeans,
    popular: Vec<u32>,
    /// The same by ascending code.
    popular_by_code: Vec<u32>,
    references: ReferenceIndex,
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
        Self::with_popular(store_counts, limits, true)
    }

    /// The store as models see it that know nothing of launches: what was first sold lately is
    /// popular only if it has sold as much as products that were sold for 28 days.
    #[must_use]
    pub fn without_launches(store_counts: PartialStoreCounts, limits: CandidateLimits) -> Self {
        Self::with_popular(store_counts, limits, false)
    }

    fn with_popular(
        store_counts: PartialStoreCounts,
        limits: CandidateLimits,
        launches: bool,
    ) -> Self {
        let purchases = store_counts.purchases();
        let PartialStoreCounts {
            night,
            counts,
            totals,
            anonymous_lines: _,
            references,
        } = store_counts;
        let (references, (means, popular)) = rayon::join(
            || ReferenceIndex::new(references, &counts, totals.customers),
            || {
                (
                    StoreMeans::new(&counts),
                    popular(&counts, &purchases, limits.new, launches),
                )
            },
        );
        let mut popular_by_code = popular.clone();
        popular_by_code.sort_unstable();
        Self {
            night,
            limits,
            counts,
            purchases,
            means,
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

    /// How a product sells.
    #[must_use]
    pub fn product(&self, product: u32) -> ProductSales<'_> {
        ProductSales {
            store: self,
            counts: self
                .counts
                .get(product as usize)
                .unwrap_or(&ProductCounts::NONE),
        }
    }

    /// Finds the customers who bought most like this one, of whom `products` are those bought in
    /// the last [`NEIGHBOUR_DAYS`]; [`StoreSnapshot::neighbour_score`] then says what they buy.
    ///
    /// `customer` is the key of the customer's id ([`crate::domain::Ids::key`]): nobody is their
    /// own neighbour.
    pub fn find_neighbours(
        &self,
        customer: u64,
        products: impl Iterator<Item = u32>,
        scratch: &mut NeighbourScratch,
    ) {
        self.references.find_neighbours(customer, products, scratch);
    }

    /// How often the neighbours that were found last buy a product: the weighted mean of their
    /// shares of purchases with it.
    #[must_use]
    pub fn neighbour_score(&self, product: u32, scratch: &NeighbourScratch) -> f32 {
        self.references.neighbour_score(product, scratch)
    }
}

/// A product's statistics on a night. Means over its buyers are shrunk towards those of all
/// products (empirical Bayes).
#[derive(Debug, Clone, Copy)]
pub struct ProductSales<'a> {
    store: &'a StoreSnapshot,
    counts: &'a ProductCounts,
}

impl ProductSales<'_> {
    /// The counts that they are of.
    #[must_use]
    pub fn counts(&self) -> &ProductCounts {
        self.counts
    }

    /// The share of all purchases of a window that had the product.
    #[must_use]
    pub fn share(&self, window: SalesWindow) -> f64 {
        f64::from(self.counts.bought_within(window)) / self.store.purchases_within(window)
    }

    /// How much more often the product sells lately: its share of a window to that of the last 56
    /// days, shrunk towards 1.
    #[must_use]
    pub fn trend(&self, window: SalesWindow) -> f64 {
        let expected = self.share(SalesWindow::Days56) * self.store.purchases_within(window);
        let bought = f64::from(self.counts.bought_within(window));
        (bought + 5.0) / (expected + 5.0)
    }

    /// The share of a buyer's later purchases that have the product again.
    #[must_use]
    pub fn repeat_rate(&self) -> f64 {
        repeats(self.counts).shrunk_towards(self.store.means.repeat_rate, 100.0)
    }

    /// The share of purchases with the product whose next purchase has it again.
    #[must_use]
    pub fn next_rate(&self) -> f64 {
        nexts(self.counts).shrunk_towards(self.store.means.next_rate, 20.0)
    }

    /// The share of its buyers who bought the product more than once.
    #[must_use]
    pub fn repeater_share(&self) -> f64 {
        repeaters(self.counts).shrunk_towards(self.store.means.repeater_share, 10.0)
    }

    /// Mean days between two purchases of the product by one customer.
    #[must_use]
    pub fn gap_days(&self) -> f64 {
        gaps(self.counts).shrunk_towards(self.store.means.gap_days, 5.0)
    }

    /// Mean size of the baskets that have the product.
    #[must_use]
    pub fn basket_size(&self) -> f64 {
        baskets(self.counts).shrunk_towards(self.store.means.basket_size, 5.0)
    }
}

impl StoreSnapshot {
    /// All purchases of a window, at least one.
    fn purchases_within(&self, window: SalesWindow) -> f64 {
        f64::from(self.purchases[window as usize].max(1))
    }
}

/// A sum over a number of cases.
struct Average {
    sum: f64,
    cases: f64,
}

impl Average {
    fn mean(&self) -> f64 {
        self.sum / self.cases.max(1.0)
    }

    /// The mean with so many more cases of another mean.
    #[inline]
    fn shrunk_towards(&self, mean: f64, cases: f64) -> f64 {
        (self.sum + cases * mean) / (self.cases + cases)
    }
}

fn repeats(counts: &ProductCounts) -> Average {
    Average {
        sum: f64::from(counts.rebought),
        cases: counts.chances as f64,
    }
}

fn nexts(counts: &ProductCounts) -> Average {
    Average {
        sum: f64::from(counts.next),
        cases: f64::from(counts.followed),
    }
}

fn repeaters(counts: &ProductCounts) -> Average {
    Average {
        sum: f64::from(counts.repeaters),
        cases: f64::from(counts.buyers),
    }
}

fn gaps(counts: &ProductCounts) -> Average {
    Average {
        sum: counts.span_days as f64,
        cases: f64::from(counts.rebought),
    }
}

fn baskets(counts: &ProductCounts) -> Average {
    Average {
        sum: counts.basket_products as f64,
        cases: f64::from(counts.buyers + counts.rebought),
    }
}

/// [`ProductSales`] of all products together.
#[derive(Debug)]
struct StoreMeans {
    repeat_rate: f64,
    next_rate: f64,
    repeater_share: f64,
    gap_days: f64,
    basket_size: f64,
}

impl StoreMeans {
    fn new(counts: &[ProductCounts]) -> Self {
        let mut totals = ProductCounts::NONE;
        counts.iter().for_each(|count| totals.add(count));
        Self {
            repeat_rate: repeats(&totals).mean(),
            next_rate: nexts(&totals).mean(),
            repeater_share: repeaters(&totals).mean(),
            gap_days: gaps(&totals).mean(),
            basket_size: baskets(&totals).mean(),
        }
    }
}

/// The products of the most purchases of the last 28 days, the most popular first; at most `most`.
fn popular(
    counts: &[ProductCounts],
    purchases: &WindowCounts,
    most: usize,
    launches: bool,
) -> Vec<u32> {
    // In a store that is young itself, every product is.
    let [of_28_days, of_56_days] =
        [SalesWindow::Days28, SalesWindow::Days56].map(|window| purchases[window as usize]);
    let launches = launches && of_56_days > of_28_days;
    let mut popular: Vec<(Reverse<u32>, u32)> = (0..)
        .zip(counts)
        .map(|(product, count)| (Reverse(popularity(count, launches)), product))
        .filter(|(Reverse(bought), _)| *bought > 0)
        .collect();
    if popular.len() > most {
        popular.select_nth_unstable(most);
        popular.truncate(most);
    }
    popular.sort_unstable();
    popular.into_iter().map(|(_, product)| product).collect()
}

/// How many purchases of 28 days have a product. One that was first sold in the last 14 days
/// (`launches`) has half of them still before it, so that it can be a candidate from its second week
/// on.
fn popularity(count: &ProductCounts, launches: bool) -> u32 {
    let bought = count.bought_within(SalesWindow::Days28);
    let is_launch =
        count.bought_within(SalesWindow::Days112) == count.bought_within(SalesWindow::Days14);
    if launches && is_launch {
        bought.saturating_mul(2)
    } else {
        bought
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equally_popular_products_the_first_ones_are_popular() {
        let counts = [3, 0, 5, 3, 5, 3, 1].map(|times| ProductCounts {
            bought: [0, 0, times, times, times],
            ..ProductCounts::NONE
        });
        for most in 0..9 {
            let mut sorted: Vec<u32> = (0..7)
                .filter(|product| counts[*product as usize].bought[2] > 0)
                .collect();
            sorted.sort_by_key(|product| Reverse(counts[*product as usize].bought[2]));
            sorted.truncate(most);
            assert_eq!(popular(&counts, &[0, 9, 9, 9, 9], most, true), sorted);
        }
    }

    #[test]
    fn a_launch_is_popular_from_its_second_week() {
        let sold = |bought| ProductCounts {
            bought,
            ..ProductCounts::NONE
        };
        let counts = [sold([3, 15, 30, 60, 120]), sold([4, 20, 20, 20, 20])];
        let old_store = [90, 400, 900, 1_800, 3_600];
        assert_eq!(popular(&counts, &old_store, 1, true), [1]);
        assert_eq!(popular(&counts, &old_store, 1, false), [0]);
        let young_store = [90, 400, 900, 900, 900];
        assert_eq!(popular(&counts, &young_store, 1, true), [0], "no launch");
    }
}
