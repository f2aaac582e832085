//! Basket features: what is known on a night of each product that a customer may buy next.
//!
//! Candidates are the products that the customer bought before, those bought most often lately
//! first up to a limit, and the store's currently popular ones that they have not bought (`new`).

mod context;
mod product_history;

use super::MISSING;
use super::store_snapshot::{NEIGHBOUR_DAYS, NeighbourScratch, SalesWindow, StoreSnapshot};
use super::table::feature_table;
use crate::purchases::CustomerPurchases;
use context::{BoughtProduct, CustomerOnNight, Expectation, ProductInStore};
use product_history::{ProductHistories, ProductOnNight};

feature_table! {
    /// The basket features of a customer, a night and a product; in the order of a row.
    ///
    /// The expected day is the one on which least squares expect the customer's next purchase. In
    /// names, `v` counts purchases back from the night and `d` counts days.
    pub BASKET_FEATURES, BASKET_COLUMNS: BasketColumns, BASKET_WIDTH;
    /// The row of a product that the customer bought before.
    fn bought_row(
        customer: &CustomerOnNight, product: &ProductInStore<'_>, own: &BoughtProduct<'_>
    );
    /// The row of a product that is new to the customer.
    fn new_row(customer: &CustomerOnNight, product: &ProductInStore<'_>);

    /// The customer's purchases up to the night.
    purchases: Purchases = customer.purchases;
    /// Days from the customer's latest purchase to the night.
    elapsed: Days = customer.elapsed;
    /// Days from the night to the expected day.
    expected_days: Days = customer.expected_days;
    /// Mean days between the customer's purchases of the last 120 days; if there are fewer than
    /// two, between all of them.
    gap_mean: Days = customer.gap_mean;
    /// Mean size of the customer's latest 10 baskets.
    basket_mean: Products = customer.basket_mean;
    /// Size of the customer's latest basket.
    basket_last: Products = customer.basket_last;
    /// The customer's purchases in the last 28 days.
    purchases_28d: Purchases = customer.purchases_28d;
    /// Of what is in the latest 10 baskets, the share that the customer had bought before, drawn to
    /// 1/2.
    repeat_share: Share = customer.repeat_share;
    /// Distinct products that the customer ever bought.
    distinct_products: Products = customer.distinct_products;
    /// Weekday of the expected day.
    target_weekday: Weekday = customer.target_weekday;
    /// The customer's purchases with the product.
    bought: Purchases = own.times, new 0;
    /// Share of the customer's purchases that had the product.
    share: Share = own.times / customer.purchases, new 0;
    /// Share of the purchases that had the product, from the first one with it on.
    share_since_first: Share = own.share_since_first(), new 0;
    /// Like `share`, but a purchase weighs 0.98 times as much as the one after it.
    decay_98: Share = own.decayed_share::<98>(customer), new 0;
    /// Like `share`, but a purchase weighs 0.95 times as much as the one after it.
    decay_95: Share = own.decayed_share::<95>(customer), new 0;
    /// Like `share`, but a purchase weighs 0.9 times as much as the one after it.
    decay_90: Share = own.decayed_share::<90>(customer), new 0;
    /// Like `share`, but a purchase weighs 0.8 times as much as the one after it.
    decay_80: Share = own.decayed_share::<80>(customer), new 0;
    /// Like `share`, but a purchase weighs 0.6 times as much as the one after it.
    decay_60: Share = own.decayed_share::<60>(customer), new 0;
    /// Purchases with the product; each fades to 1/e in 14 days.
    recency_14d: Purchases = own.seen.recency::<14>(), new 0;
    /// Purchases with the product; each fades to 1/e in 45 days.
    recency_45d: Purchases = own.seen.recency::<45>(), new 0;
    /// 1 if the latest purchase had the product, else 0.
    bought_1v: Purchases = own.seen.in_purchases::<1>(), new 0;
    /// Purchases with the product among the latest 3.
    bought_3v: Purchases = own.seen.in_purchases::<3>(), new 0;
    /// Purchases with the product among the latest 5.
    bought_5v: Purchases = own.seen.in_purchases::<5>(), new 0;
    /// Purchases with the product among the latest 10.
    bought_10v: Purchases = own.seen.in_purchases::<10>(), new 0;
    /// Purchases with the product among the latest 20.
    bought_20v: Purchases = own.seen.in_purchases::<20>(), new 0;
    /// Purchases with the product in the last 14 days.
    bought_14d: Purchases = own.seen.in_days::<14>(), new 0;
    /// Purchases with the product in the last 30 days.
    bought_30d: Purchases = own.seen.in_days::<30>(), new 0;
    /// Purchases with the product in the last 90 days.
    bought_90d: Purchases = own.seen.in_days::<90>(), new 0;
    /// Days from the latest purchase with the product to the expected day; 0 for a new product.
    last_days: Days = own.days_when_expected, new 0;
    /// Days from the first purchase with the product to the night; 0 for a new product.
    first_days: Days = own.seen.days_since_first, new 0;
    /// Purchases since the latest one with the product.
    last_visits: Purchases = own.seen.purchases_since_last, new MISSING;
    /// Mean days between two purchases with the product.
    gap_days: Days = own.gap_days, new MISSING;
    /// Mean number of purchases from one with the product to the next one with it.
    gap_visits: Purchases = own.gap_purchases, new MISSING;
    /// Standard deviation of the days between two purchases with the product ÷ `gap_days`; missing
    /// for fewer than three purchases.
    gap_deviation: Ratio = own.gap_deviation(), new MISSING;
    /// Days between the latest two purchases with the product.
    gap_last: Days = own.last_gap(), new MISSING;
    /// `last_days` ÷ `gap_days`.
    due_days: Ratio = own.due_days(), new MISSING;
    /// (`last_visits` + 1) ÷ `gap_visits`.
    due_visits: Ratio = own.due_purchases(), new MISSING;
    /// `last_days` ÷ `gap_last`.
    due_last: Ratio = own.due_after_last_gap(), new MISSING;
    /// Purchases with the product on the weekday of the expected day ÷ those that chance gives.
    weekday_fit: Ratio = own.weekday_fit(customer), new MISSING;
    /// Mean size of the baskets with the product ÷ mean size of all of the customer's baskets.
    size_fit: Ratio = own.size_fit(customer), new MISSING;
    /// The product's part of the counts that decay by 0.9, over all of the customer's products.
    decay_share: Share = own.decay_share(customer), new 0;
    /// Place of the product among the customer's products by that count.
    decay_rank: Rank = own.rank, new customer.distinct_products;
    /// Share of all customers' purchases of the last 28 days that had the product.
    product_share_28d: Share = product.sales.share(SalesWindow::Days28);
    /// Share of all customers' purchases of the last 112 days that had the product.
    product_share_112d: Share = product.sales.share(SalesWindow::Days112);
    /// Share of the purchases of the last 14 days that had the product ÷ that of the last 56.
    product_trend: Ratio = product.sales.trend(SalesWindow::Days14);
    /// Share of the purchases after a buyer's first one with the product that had it again.
    product_repeat_rate: Share = product.repeat_rate;
    /// Share of the purchases with the product whose next purchase had it again.
    product_next_rate: Share = product.sales.next_rate();
    /// Share of the product's buyers who bought it more than once.
    product_repeaters: Share = product.sales.repeater_share();
    /// Mean days between two purchases of a buyer with the product.
    product_gap_days: Days = product.gap_days;
    /// Mean size of all customers' baskets with the product.
    product_basket: Products = product.sales.basket_size();
    /// Share of purchases with the product of the customers who buy most like this one.
    neighbour_score: Share = product.neighbour_score;
    /// `neighbour_score` ÷ `product_share_112d`.
    neighbour_lift: Ratio = product.neighbour_lift();
    /// `last_days` ÷ `gap_days` shrunk towards `product_gap_days`.
    due_product: Ratio = own.due_by_store(product), new MISSING;
    /// Share of the purchases after the first one with the product that had it again, drawn to
    /// `product_repeat_rate`; for a new product `neighbour_score`.
    expected_rate: Share = own.expected_rate(product), new product.neighbour_score;
    /// Share of the purchases of the last 3 days that had the product ÷ that of the last 56.
    product_trend_3d: Ratio = product.sales.trend(SalesWindow::Days3);
}

/// What is known of one (customer, product) pair besides its features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Product code.
    pub product: u32,
    /// Purchases of the customer with it; 0 = new to the customer.
    pub times: u32,
    /// Days from the latest purchase with it to the night.
    pub days_since_last: i32,
    /// Days from the first purchase with it to the night.
    pub days_since_first: i32,
    /// Purchases with it among the latest ten.
    pub in_latest_ten: u32,
}

impl Candidate {
    /// A product that the customer has not bought.
    fn new(product: u32) -> Self {
        Self {
            product,
            times: 0,
            days_since_last: 0,
            days_since_first: 0,
            in_latest_ten: 0,
        }
    }

    /// Mean days between the customer's purchases with it, from two on.
    #[must_use]
    pub fn gap_days(&self) -> Option<f64> {
        let days = self.days_since_first - self.days_since_last;
        (self.times > 1).then(|| f64::from(days) / f64::from(self.times - 1))
    }
}

/// What [`basket_features`] fills, and arrays that a thread uses again for each customer.
#[derive(Debug, Default)]
pub struct BasketScratch {
    histories: ProductHistories,
    by_code: Vec<(u32, u32)>,
    neighbours: NeighbourScratch,
    /// The candidates: bought ones by ascending code, then the new ones by descending popularity.
    pub candidates: Vec<Candidate>,
    /// Their features, row-major, [`BASKET_WIDTH`] a candidate.
    pub rows: Vec<f32>,
}

/// Fills `scratch` with the candidates of a customer on the store's night and their
/// [`BASKET_FEATURES`].
///
/// `customer` is the key of the customer's id ([`crate::domain::Ids::key`]), and least squares
/// expect the customer `expected_days` days after the night.
pub fn basket_features(
    store: &StoreSnapshot,
    customer: u64,
    purchases: &CustomerPurchases<'_>,
    expected_days: f64,
    scratch: &mut BasketScratch,
) {
    CustomerBaskets::new(customer, *purchases, scratch).on(store, expected_days);
}

/// [`basket_features`] of one customer on several nights. If the nights ascend, each purchase is
/// read once for all of them.
#[derive(Debug)]
pub struct CustomerBaskets<'a> {
    customer: u64,
    purchases: CustomerPurchases<'a>,
    scratch: &'a mut BasketScratch,
}

impl<'a> CustomerBaskets<'a> {
    /// The baskets of a customer who has these purchases; `customer` is the key of the id.
    pub fn new(
        customer: u64,
        purchases: CustomerPurchases<'a>,
        scratch: &'a mut BasketScratch,
    ) -> Self {
        scratch.histories.clear();
        Self {
            customer,
            purchases,
            scratch,
        }
    }

    /// As [`basket_features`]; gives the filled scratch.
    pub fn on(&mut self, store: &StoreSnapshot, expected_days: f64) -> &BasketScratch {
        self.scratch.candidates.clear();
        self.scratch.rows.clear();
        let purchases = self.purchases.until(store.night());
        if !purchases.is_empty() {
            let expectation = Expectation::new(store.night(), expected_days);
            self.fill(store, &purchases, expectation);
        }
        self.scratch
    }

    /// Fills the empty candidates and rows of the night up to which the purchases are.
    fn fill(
        &mut self,
        store: &StoreSnapshot,
        purchases: &CustomerPurchases<'_>,
        expectation: Expectation,
    ) {
        let BasketScratch {
            histories,
            by_code,
            neighbours,
            candidates,
            rows,
        } = &mut *self.scratch;
        histories.look(purchases, expectation.night, expectation.weekday);
        let products = sorted_by_code(histories.on_night(), by_code);
        let lately = products
            .iter()
            .filter(|product| product.days_since_last < NEIGHBOUR_DAYS)
            .map(|product| product.product);
        store.find_neighbours(self.customer, lately, neighbours);
        let customer = CustomerOnNight::new(purchases, &products, expectation);

        for (seen, rank) in products.iter().zip(decay_ranks(&products)) {
            // What is popular is a candidate for everyone, also for one who bought it long ago.
            if rank as usize >= store.limits().bought && !store.is_popular(seen.product) {
                continue;
            }
            let product = ProductInStore::new(store, seen.product, neighbours);
            let own = BoughtProduct::new(seen, rank, &customer);
            rows.extend_from_slice(&bought_row(&customer, &product, &own));
            candidates.push(own.candidate());
        }
        for product in store.popular() {
            if !histories.contain(*product) {
                let in_store = ProductInStore::new(store, *product, neighbours);
                rows.extend_from_slice(&new_row(&customer, &in_store));
                candidates.push(Candidate::new(*product));
            }
        }
    }
}

/// The products by ascending code. Positions are sorted, and not the products, which are large.
fn sorted_by_code<'a>(
    products: &'a [ProductOnNight],
    by_code: &mut Vec<(u32, u32)>,
) -> Vec<&'a ProductOnNight> {
    by_code.clear();
    by_code.extend(
        (0..)
            .zip(products)
            .map(|(at, product)| (product.product, at)),
    );
    by_code.sort_unstable();
    by_code
        .iter()
        .map(|(_, at)| &products[*at as usize])
        .collect()
}

/// The place of each product, from 0, by descending count that decays to 90 %, then by position.
fn decay_ranks(products: &[&ProductOnNight]) -> Vec<u32> {
    let mut order: Vec<(f64, usize)> = products
        .iter()
        .zip(0..)
        .map(|(product, at)| (product.decayed::<90>(), at))
        .collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut ranks = vec![0; products.len()];
    for (rank, (_, at)) in (0..).zip(order) {
        ranks[at] = rank;
    }
    ranks
}
