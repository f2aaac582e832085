//! What basket features are computed from: the customer on a night, a product in the store, and the
//! customer's own purchases of it.

use std::ops::Range;

use super::Candidate;
use super::product_history::{DecayedCounts, ProductOnNight};
use crate::calendar::Day;
use crate::features::HABIT_DAYS;
use crate::features::store_snapshot::{NeighbourScratch, ProductSales, SalesWindow, StoreSnapshot};
use crate::purchases::CustomerPurchases;
use crate::stats;

/// Over this many of the latest baskets their size is averaged.
const LATEST_BASKETS: usize = 10;
/// The store's gap of a product counts as much as this many gaps of the customer.
const PRIOR_GAPS: f64 = 2.0;
/// The store's repeat rate of a product counts as much as this many purchases of the customer.
const PRIOR_PURCHASES: f64 = 6.0;
/// Added to a share that divides.
const LEAST_SHARE: f64 = 1e-4;

/// A night, and when a customer is expected after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expectation {
    pub(super) night: Day,
    /// Days from the night to the expected purchase, 1 or more.
    days: f64,
    /// The weekday of the expected purchase.
    pub(super) weekday: usize,
}

impl Expectation {
    pub(super) fn new(night: Day, expected_days: f64) -> Self {
        let days = expected_days.max(1.0);
        Self {
            night,
            days,
            weekday: (night + days.round() as i32).weekday(),
        }
    }
}

/// What is known of a customer on a night whatever the product, computed once a night.
pub(super) struct CustomerOnNight {
    /// Purchases up to the night.
    pub(super) purchases: f64,
    /// Days from the latest purchase to the night.
    pub(super) elapsed: i32,
    /// Days from the night to the expected purchase, and its weekday.
    pub(super) expected_days: f64,
    pub(super) target_weekday: usize,
    /// Mean days between two purchases: recent ones if there are two.
    pub(super) gap_mean: Option<f64>,
    /// Products in the latest basket, and in the latest ones on average.
    pub(super) basket_last: usize,
    pub(super) basket_mean: Option<f64>,
    /// Purchases in the last 28 days.
    pub(super) purchases_28d: usize,
    /// The share of what is in the latest baskets that had been bought before, shrunk towards a
    /// half.
    pub(super) repeat_share: f64,
    /// Distinct products up to the night.
    pub(super) distinct_products: usize,
    /// The decayed counts of a product that is in every basket.
    decayed_at_most: DecayedCounts,
    /// The counts that decay to 90 % of all products, added up.
    decayed_90_of_all: f64,
    /// Purchases on the target's weekday.
    on_target_weekday: f64,
    /// Mean products in a basket, over all purchases.
    mean_of_all_baskets: f64,
}

impl CustomerOnNight {
    /// `purchases` are those up to the night, at least one, and `products` what they say of each
    /// product.
    pub(super) fn new(
        purchases: &CustomerPurchases<'_>,
        products: &[&ProductOnNight],
        expectation: Expectation,
    ) -> Self {
        let Expectation {
            night,
            days: expected_days,
            weekday: target_weekday,
        } = expectation;
        let days = purchases.days();
        let first_within = |window: i32| days.partition_point(|day| night - *day >= window);
        let latest = days.len().saturating_sub(LATEST_BASKETS)..days.len();
        let on_target_weekday = days
            .iter()
            .filter(|day| day.weekday() == target_weekday)
            .count();
        Self {
            purchases: days.len() as f64,
            elapsed: days.last().map_or(0, |last| night - *last),
            expected_days,
            target_weekday,
            gap_mean: mean_gap(&days[first_within(HABIT_DAYS)..]).or_else(|| mean_gap(days)),
            basket_last: purchases.basket_size(days.len().saturating_sub(1)),
            basket_mean: mean_basket(purchases, latest),
            purchases_28d: days.len() - first_within(28),
            repeat_share: repeat_share(products),
            distinct_products: products.len(),
            decayed_at_most: DecayedCounts::of_all(days.len()),
            decayed_90_of_all: products.iter().map(|product| product.decayed::<90>()).sum(),
            on_target_weekday: on_target_weekday as f64,
            mean_of_all_baskets: mean_basket(purchases, 0..days.len()).unwrap_or_default(),
        }
    }
}

/// Mean days between two of these days.
fn mean_gap(days: &[Day]) -> Option<f64> {
    let (first, last) = (days.first()?, days.last()?);
    (days.len() > 1).then(|| f64::from(*last - *first) / (days.len() - 1) as f64)
}

/// Mean products in the baskets at these positions.
fn mean_basket(purchases: &CustomerPurchases<'_>, positions: Range<usize>) -> Option<f64> {
    stats::mean(positions.map(|at| purchases.basket_size(at) as f64))
}

/// Of the products in the latest ten baskets, counted in each of them, the share that was not there
/// for the first time, shrunk towards a half.
fn repeat_share(products: &[&ProductOnNight]) -> f64 {
    let (mut bought, mut repeated) = (0, 0);
    for product in products {
        let lately = product.in_purchases::<10>();
        bought += lately;
        repeated += lately - u32::from(product.purchases_since_first < 10);
    }
    (f64::from(repeated) + 3.0) / (f64::from(bought) + 6.0)
}

/// What all customers say of a product on a night, and this one's neighbours.
pub(super) struct ProductInStore<'a> {
    pub(super) sales: ProductSales<'a>,
    /// [`ProductSales::repeat_rate`] and [`ProductSales::gap_days`].
    pub(super) repeat_rate: f64,
    pub(super) gap_days: f64,
    /// How often the customers who buy most like this one buy it.
    pub(super) neighbour_score: f64,
}

impl<'a> ProductInStore<'a> {
    /// `neighbours` are those of the customer.
    pub(super) fn new(
        store: &'a StoreSnapshot,
        product: u32,
        neighbours: &NeighbourScratch,
    ) -> Self {
        let sales = store.product(product);
        Self {
            repeat_rate: sales.repeat_rate(),
            gap_days: sales.gap_days(),
            neighbour_score: f64::from(store.neighbour_score(product, neighbours)),
            sales,
        }
    }

    /// How much more often the neighbours buy it than everyone does.
    #[inline]
    pub(super) fn neighbour_lift(&self) -> f64 {
        self.neighbour_score / (self.sales.share(SalesWindow::Days112) + LEAST_SHARE)
    }
}

/// What the customer's own purchases say of a product, with what follows from it on the night.
pub(super) struct BoughtProduct<'a> {
    pub(super) seen: &'a ProductOnNight,
    /// Purchases with it.
    pub(super) times: f64,
    /// Its place among the customer's products by the count that decays to 90 %.
    pub(super) rank: u32,
    /// Mean days between two purchases with it, and mean purchases from one to the next.
    pub(super) gap_days: Option<f64>,
    pub(super) gap_purchases: Option<f64>,
    /// Days from the latest purchase with it to the expected purchase.
    pub(super) days_when_expected: f64,
}

impl<'a> BoughtProduct<'a> {
    pub(super) fn new(seen: &'a ProductOnNight, rank: u32, customer: &CustomerOnNight) -> Self {
        let gaps = (seen.times > 1).then(|| f64::from(seen.times) - 1.0);
        Self {
            seen,
            times: f64::from(seen.times),
            rank,
            gap_days: gaps
                .map(|gaps| f64::from(seen.days_since_first - seen.days_since_last) / gaps),
            gap_purchases: gaps.map(|gaps| {
                f64::from(seen.purchases_since_first - seen.purchases_since_last) / gaps
            }),
            days_when_expected: f64::from(seen.days_since_last) + customer.expected_days,
        }
    }

    /// As a candidate.
    pub(super) fn candidate(&self) -> Candidate {
        Candidate {
            product: self.seen.product,
            times: self.seen.times,
            days_since_last: self.seen.days_since_last,
            days_since_first: self.seen.days_since_first,
            in_latest_ten: self.seen.in_purchases::<10>(),
        }
    }

    /// The share of the purchases from the first one with it on that had it.
    #[inline]
    pub(super) fn share_since_first(&self) -> f64 {
        self.times / (f64::from(self.seen.purchases_since_first) + 1.0)
    }

    /// The share of the customer's purchases that had it, each counting `PERCENT` percent of the
    /// one after it.
    #[inline]
    pub(super) fn decayed_share<const PERCENT: u32>(&self, customer: &CustomerOnNight) -> f64 {
        self.seen.decayed::<PERCENT>() / customer.decayed_at_most.by::<PERCENT>()
    }

    /// Days between the latest two purchases with it.
    #[inline]
    pub(super) fn last_gap(&self) -> Option<i32> {
        (self.seen.times > 1).then_some(self.seen.last_gap)
    }

    /// `days_when_expected` in mean days between two purchases with it.
    #[inline]
    pub(super) fn due_days(&self) -> Option<f64> {
        self.gap_days
            .map(|gap| self.days_when_expected / gap.max(1.0))
    }

    /// Purchases from the latest one with it to the expected one, in mean purchases from one with
    /// it to the next.
    #[inline]
    pub(super) fn due_purchases(&self) -> Option<f64> {
        let purchases = f64::from(self.seen.purchases_since_last) + 1.0;
        self.gap_purchases.map(|gap| purchases / gap.max(1.0))
    }

    /// `days_when_expected` in days between the latest two purchases with it.
    #[inline]
    pub(super) fn due_after_last_gap(&self) -> Option<f64> {
        self.last_gap()
            .map(|gap| self.days_when_expected / f64::from(gap.max(1)))
    }

    /// The standard deviation of the days between two purchases with it, in mean ones.
    #[inline]
    pub(super) fn gap_deviation(&self) -> Option<f64> {
        let gap = self.gap_days.filter(|_| self.seen.times > 2)?;
        let mean_square = self.seen.squared_gaps / (self.times - 1.0);
        Some((mean_square - gap * gap).max(0.0).sqrt() / gap.max(1.0))
    }

    /// How often it was bought on the target's weekday, beside the customer's purchases then.
    #[inline]
    pub(super) fn weekday_fit(&self, customer: &CustomerOnNight) -> f64 {
        let usual = self.times * customer.on_target_weekday / customer.purchases;
        (f64::from(self.seen.on_target_weekday) + 1.0) / (usual + 1.0)
    }

    /// The mean size of the baskets with it, in mean baskets.
    #[inline]
    pub(super) fn size_fit(&self, customer: &CustomerOnNight) -> f64 {
        f64::from(self.seen.basket_products) / self.times / customer.mean_of_all_baskets.max(1.0)
    }

    /// Its part of the decayed counts of all products.
    #[inline]
    pub(super) fn decay_share(&self, customer: &CustomerOnNight) -> f64 {
        self.seen.decayed::<90>() / customer.decayed_90_of_all.max(1e-9)
    }

    /// `days_when_expected` in mean days between two purchases with it, shrunk towards the store's
    /// (empirical Bayes).
    #[inline]
    pub(super) fn due_by_store(&self, product: &ProductInStore<'_>) -> f64 {
        let gap = self.gap_days.map_or(product.gap_days, |own| {
            let gaps = self.times - 1.0;
            (own * gaps + product.gap_days * PRIOR_GAPS) / (gaps + PRIOR_GAPS)
        });
        self.days_when_expected / gap.max(1.0)
    }

    /// The share of the purchases after the first one with it that had it, shrunk towards the
    /// store's repeat rate (empirical Bayes).
    #[inline]
    pub(super) fn expected_rate(&self, product: &ProductInStore<'_>) -> f64 {
        // `purchases_since_first`, but for rounding: models have learned from this value.
        let chances = (self.times / self.share_since_first() - 1.0).max(0.0);
        (self.times - 1.0 + PRIOR_PURCHASES * product.repeat_rate) / (chances + PRIOR_PURCHASES)
    }
}
