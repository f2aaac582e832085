//! What is counted of a store's products on several nights, in one pass over each customer's
//! purchases.

use std::ops::Range;

use rayon::prelude::*;

use super::references::{ReferenceCustomer, first_drawn, references};
use crate::calendar::{AsOf, Day};
use crate::purchases::{AnonymousSale, CustomerPurchases, History};

/// How far back product statistics look, in days.
const STATISTICS_DAYS: i32 = 365;
/// A task adds up at least so many products.
const PRODUCTS_A_TASK: usize = 8_192;
/// A task counts at least so many customers.
const CUSTOMERS_A_TASK: usize = 256;

/// The last days of which sales are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SalesWindow {
    /// The last 3 days.
    Days3,
    /// The last 14 days.
    Days14,
    /// The last 28 days.
    Days28,
    /// The last 56 days.
    Days56,
    /// The last 112 days.
    Days112,
}

impl SalesWindow {
    /// All of them, in the order of [`ProductCounts::bought`].
    pub const ALL: [Self; 5] = [
        Self::Days3,
        Self::Days14,
        Self::Days28,
        Self::Days56,
        Self::Days112,
    ];

    /// Its length in days.
    #[must_use]
    pub const fn days(self) -> i32 {
        match self {
            Self::Days3 => 3,
            Self::Days14 => 14,
            Self::Days28 => 28,
            Self::Days56 => 56,
            Self::Days112 => 112,
        }
    }
}

/// A count for each of [`SalesWindow::ALL`].
pub type WindowCounts = [u32; SalesWindow::ALL.len()];

fn add_windows(counts: &mut WindowCounts, more: &WindowCounts) {
    counts
        .iter_mut()
        .zip(more)
        .for_each(|(count, more)| *count += more);
}

/// Counts of one product over all customers up to the night. Counts are exact, whatever the order
/// of summation. They lie in one cache line: each customer's purchases touch those of hundreds of
/// products in no order that memory knows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[repr(align(64))]
pub struct ProductCounts {
    /// Purchases with it in each window.
    pub bought: WindowCounts,
    /// Customers who bought it in the last 365 days.
    pub buyers: u32,
    /// Of those, customers who bought it more than once.
    pub repeaters: u32,
    /// Purchases with it after each buyer's first.
    pub rebought: u32,
    /// Purchases of its buyers after the first with it, whatever was in them.
    pub chances: u64,
    /// Purchases with it that another purchase followed.
    pub followed: u32,
    /// Of those, how many had it again in the purchase that followed.
    pub next: u32,
    /// Days between the first and the last purchase with it, over the repeaters.
    pub span_days: u64,
    /// Products in the baskets that had it, itself included.
    pub basket_products: u64,
}

impl ProductCounts {
    /// Of a product that nobody has bought.
    pub(super) const NONE: Self = Self {
        bought: [0; SalesWindow::ALL.len()],
        buyers: 0,
        repeaters: 0,
        rebought: 0,
        chances: 0,
        followed: 0,
        next: 0,
        span_days: 0,
        basket_products: 0,
    };

    /// Purchases with it in a window.
    #[must_use]
    pub fn bought_within(&self, window: SalesWindow) -> u32 {
        self.bought[window as usize]
    }

    pub(super) fn add(&mut self, other: &Self) {
        add_windows(&mut self.bought, &other.bought);
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

/// Adds up the counts of all products side by side.
fn add_all(counts: &mut [ProductCounts], more: &[ProductCounts]) {
    counts
        .par_iter_mut()
        .zip(more)
        .with_min_len(PRODUCTS_A_TASK)
        .for_each(|(count, more)| count.add(more));
}

/// What is counted of a night besides products.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NightCounts {
    /// Purchases in each window.
    pub(super) purchases: WindowCounts,
    /// Customers with a purchase up to the night: a dictionary may hold some who first come later.
    pub(super) customers: u64,
}

impl NightCounts {
    fn add(&mut self, other: &Self) {
        add_windows(&mut self.purchases, &other.purchases);
        self.customers += other.customers;
    }
}

/// What customers add to the picture of the store on a night. Those of different customers add up,
/// in any order, to the same.
#[derive(Debug, Clone)]
pub struct PartialStoreCounts {
    pub(super) night: Day,
    /// By product code.
    pub(super) counts: Vec<ProductCounts>,
    pub(super) totals: NightCounts,
    /// Lines without a customer in each window. They are among the products' counts already, but
    /// how many purchases they were is not known.
    pub(super) anonymous_lines: WindowCounts,
    pub(super) references: Vec<ReferenceCustomer>,
}

impl PartialStoreCounts {
    /// The counts of several nights, or as several models see one, with those of other customers.
    /// Before the first customers there are none.
    #[must_use]
    pub fn merge_each(before: Vec<Self>, more: impl IntoIterator<Item = Self>) -> Vec<Self> {
        if before.is_empty() {
            return more.into_iter().collect();
        }
        let both = before.into_iter().zip(more);
        both.map(|(counts, more)| counts.merge(more)).collect()
    }

    /// Of the customers of a history on its night.
    #[must_use]
    pub fn new(history: &History<'_>, seed: u64) -> Self {
        let mut of_nights = Self::of_nights(history, &[history.as_of().day()], seed);
        of_nights.pop().unwrap_or_else(|| Self::empty(history))
    }

    fn empty(history: &History<'_>) -> Self {
        Self {
            night: history.as_of().day(),
            counts: vec![ProductCounts::NONE; history.product_count()],
            totals: NightCounts::default(),
            anonymous_lines: WindowCounts::default(),
            references: vec![],
        }
    }

    /// Of the customers of a history on several nights, which ascend and are not after its own, in
    /// one pass over each customer's purchases. It takes 64 bytes for each product, night and
    /// thread.
    #[must_use]
    pub fn of_nights(history: &History<'_>, nights: &[Day], seed: u64) -> Vec<Self> {
        // Each part has counts of all products, so that there should be hardly more of them than
        // threads. rayon halves as long as both halves are at least that long: rounded up, it would
        // not halve at all.
        let parts = rayon::current_num_threads().next_power_of_two();
        let customers_a_part = (history.customer_count() as usize / parts).max(CUSTOMERS_A_TASK);
        let empty = || StoreCounter::new(history.product_count(), nights);
        let counter = (0..history.customer_count())
            .into_par_iter()
            .with_min_len(customers_a_part)
            .fold(empty, |mut counter, customer| {
                counter.add(&history.purchases_of(customer));
                counter
            })
            .reduce_with(StoreCounter::merge)
            .unwrap_or_else(empty);
        (0..)
            .zip(nights)
            .map(|(at, night)| {
                let history = history.until(AsOf(*night));
                let mut store_counts = Self {
                    night: *night,
                    counts: counter.counts_on(at),
                    totals: counter.totals[at],
                    anonymous_lines: WindowCounts::default(),
                    references: references(&history, seed),
                };
                store_counts.add_anonymous(history.anonymous_sales());
                store_counts
            })
            .collect()
    }

    /// Adds what nobody in particular bought up to the night, ascending by day.
    fn add_anonymous(&mut self, sales: &[AnonymousSale]) {
        for (at, window) in SalesWindow::ALL.into_iter().enumerate() {
            let first = sales.partition_point(|sale| self.night - sale.day >= window.days());
            for sale in sales.get(first..).unwrap_or_default() {
                if let Some(counts) = self.counts.get_mut(sale.product as usize) {
                    counts.bought[at] += sale.lines;
                }
                self.anonymous_lines[at] += sale.lines;
            }
        }
    }

    /// How many purchases there were in each window, with an estimate for those without a customer:
    /// their baskets are as large as the others'.
    pub(super) fn purchases(&self) -> WindowCounts {
        let mut purchases = self.totals.purchases;
        for (at, anonymous) in self.anonymous_lines.iter().enumerate() {
            if *anonymous == 0 {
                continue;
            }
            let lines: u64 = self
                .counts
                .iter()
                .map(|counts| u64::from(counts.bought[at]))
                .sum();
            let known = lines.saturating_sub(u64::from(*anonymous));
            let estimate = match known {
                0 => u64::from(*anonymous),
                _ => u64::from(*anonymous) * u64::from(purchases[at]) / known,
            };
            purchases[at] =
                purchases[at].saturating_add(u32::try_from(estimate).unwrap_or(u32::MAX));
        }
        purchases
    }

    /// With that of other customers, whose products have the same codes, on the same night.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        add_all(&mut self.counts, &other.counts);
        self.totals.add(&other.totals);
        add_windows(&mut self.anonymous_lines, &other.anonymous_lines);
        let references = self.references.into_iter().chain(other.references);
        self.references = first_drawn(references.collect());
        self
    }
}

/// Which of a customer's purchases count on a night.
#[derive(Debug, Clone)]
struct CountedPurchases {
    /// Positions of those that product statistics look at.
    positions: Range<u32>,
    /// Of each window, the position of the first one in it.
    windows: WindowCounts,
}

impl CountedPurchases {
    fn new(days: &[Day], night: Day) -> Self {
        let until = days.partition_point(|day| *day <= night) as u32;
        let since =
            |length: i32| (days.partition_point(|day| night - *day >= length) as u32).min(until);
        Self {
            positions: since(STATISTICS_DAYS)..until,
            windows: SalesWindow::ALL.map(|window| since(window.days())),
        }
    }
}

/// A product in one of a customer's purchases: sorted by product, then by the purchase's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct BasketItem(u64);

impl BasketItem {
    fn new(product: u32, position: u32) -> Self {
        Self((u64::from(product) << 32) | u64::from(position))
    }

    fn product(self) -> usize {
        (self.0 >> 32) as usize
    }

    fn position(self) -> u32 {
        self.0 as u32
    }
}

/// What the first items of a product add up to.
#[derive(Debug, Clone, Copy, Default)]
struct RunningSums {
    /// Items that follow on the purchase before.
    next: u32,
    /// Products in the baskets.
    basket_products: u64,
}

/// Counts customers one after the other, on several nights.
#[derive(Debug)]
struct StoreCounter<'a> {
    /// They ascend.
    nights: &'a [Day],
    /// Of product `p` on the night at `n`: `counts[p * nights + n]`.
    counts: Vec<ProductCounts>,
    /// By night.
    totals: Vec<NightCounts>,
    /// Of the customer that is counted, by night. These arrays stay in the cache, where arrays of
    /// all products would not.
    counted: Vec<CountedPurchases>,
    /// The customer's items, sorted.
    items: Vec<BasketItem>,
    /// Of the items of one product before each, itself not included.
    sums: Vec<RunningSums>,
}

impl<'a> StoreCounter<'a> {
    fn new(products: usize, nights: &'a [Day]) -> Self {
        Self {
            nights,
            counts: vec![ProductCounts::NONE; products * nights.len()],
            totals: vec![NightCounts::default(); nights.len()],
            counted: vec![],
            items: vec![],
            sums: vec![],
        }
    }

    /// The counts of all products on the night at a position.
    fn counts_on(&self, at: usize) -> Vec<ProductCounts> {
        let on_night = self.counts.iter().skip(at).step_by(self.nights.len());
        on_night.copied().collect()
    }

    fn merge(mut self, other: Self) -> Self {
        add_all(&mut self.counts, &other.counts);
        for (total, more) in self.totals.iter_mut().zip(&other.totals) {
            total.add(more);
        }
        self
    }

    /// Counts a customer.
    fn add(&mut self, purchases: &CustomerPurchases<'_>) {
        self.counted.clear();
        for (night, total) in self.nights.iter().zip(&mut self.totals) {
            let counted = CountedPurchases::new(purchases.days(), *night);
            let until = counted.positions.end;
            total.customers += u64::from(until > 0);
            add_windows(
                &mut total.purchases,
                &counted.windows.map(|first| until - first),
            );
            self.counted.push(counted);
        }
        let (Some(first), Some(last)) = (self.counted.first(), self.counted.last()) else {
            return;
        };
        self.items.clear();
        for position in first.positions.start..last.positions.end {
            let basket = purchases.basket(position as usize);
            self.items.extend(
                basket
                    .iter()
                    .map(|product| BasketItem::new(*product, position)),
            );
        }
        self.items.sort_unstable();
        self.bring_into_cache();
        for own in self.items.chunk_by(|a, b| a.product() == b.product()) {
            let Some(product) = own.first().map(|item| item.product()) else {
                continue;
            };
            running_sums(own, purchases, &mut self.sums);
            let counts =
                &mut self.counts[product * self.nights.len()..(product + 1) * self.nights.len()];
            add_product(own, &self.sums, purchases.days(), &self.counted, counts);
        }
    }

    /// Reads the counts of the customer's products side by side; else each would be waited for in
    /// its turn.
    fn bring_into_cache(&self) {
        let nights = self.nights.len();
        let touched = self.items.iter().fold(0_u32, |sum, item| {
            let counts = self
                .counts
                .get(item.product() * nights..)
                .unwrap_or_default();
            counts
                .iter()
                .take(nights)
                .fold(sum, |sum, count| sum.wrapping_add(count.buyers))
        });
        std::hint::black_box(touched);
    }
}

/// The sums before each item of one product, and after the last.
fn running_sums(
    own: &[BasketItem],
    purchases: &CustomerPurchases<'_>,
    sums: &mut Vec<RunningSums>,
) {
    let mut sum = RunningSums::default();
    sums.clear();
    sums.push(sum);
    let mut before = u64::MAX - 1;
    for item in own {
        sum.next += u32::from(before + 1 == item.0);
        sum.basket_products += purchases.basket_size(item.position() as usize) as u64;
        sums.push(sum);
        before = item.0;
    }
}

/// Adds a customer's purchases with one product, of which `sums` are the running sums, to its
/// counts on each night.
fn add_product(
    own: &[BasketItem],
    sums: &[RunningSums],
    days: &[Day],
    counted: &[CountedPurchases],
    counts: &mut [ProductCounts],
) {
    // Nights ascend, and so do the items that count on them: those at `low..high`.
    let (mut low, mut high) = (0, 0);
    for (CountedPurchases { positions, windows }, count) in counted.iter().zip(counts) {
        low += before(&own[low..], positions.start);
        high += before(&own[high..], positions.end);
        if low >= high {
            continue;
        }
        let (first, last) = (own[low].position(), own[high - 1].position());
        let times = (high - low) as u32;
        // Added without a branch, which no processor could foresee.
        for item in &own[low..high] {
            let inside = windows.map(|window| u32::from(item.position() >= window));
            add_windows(&mut count.bought, &inside);
        }
        count.buyers += 1;
        count.repeaters += u32::from(times > 1);
        count.rebought += times - 1;
        count.chances += u64::from(positions.end - 1 - first);
        count.followed += times - u32::from(last + 1 == positions.end);
        // The first one that counts follows on none that does.
        count.next += sums[high].next - sums[low + 1].next;
        count.span_days += (days[last as usize] - days[first as usize]) as u64;
        count.basket_products += sums[high].basket_products - sums[low].basket_products;
    }
}

/// How many of the items lie before a position.
fn before(items: &[BasketItem], position: u32) -> usize {
    items
        .iter()
        .take_while(|item| item.position() < position)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_added_up_however_many_there_are() {
        let mut counts: Vec<ProductCounts> = (0..2 * PRODUCTS_A_TASK as u32 + 7)
            .map(|times| ProductCounts {
                bought: [0, 0, times, times, times],
                buyers: times,
                ..ProductCounts::NONE
            })
            .collect();
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
