//! The nightly protocol: which customers are evaluated on a night, and what their predictions are
//! compared with.
//!
//! The actual outcome of a night T is the first day after T on which the customer buys, and the
//! products bought on it. A customer who does not return within [`HORIZON_DAYS`] days of T is
//! censored: `mae_all` and the return probabilities count the horizon for them, and a figure that
//! needs a next purchase leaves them out. A figure that looks h days ahead uses only the nights
//! that the data follow for h days or more.

use std::cmp::Ordering;

use crate::calendar::{AsOf, DateRange, Day, HORIZON_DAYS};
use crate::domain::{CustomerPrediction, Ids, Predictions, RETURN_HORIZONS};
use crate::error::{Error, Result};
use crate::purchases::{History, PartitionedHistory, Partitions};

/// The lengths at which a ranked list is evaluated.
pub const CUTOFFS: [usize; 3] = [5, 10, 20];

/// What the customers of one night did afterwards.
#[derive(Debug, Clone)]
pub struct Actuals {
    /// The night T.
    pub as_of: AsOf,
    /// How many days the data reach beyond the night.
    pub followed_days: i32,
    /// Codes of the customers, in the order of their ids as text.
    pub customers: Vec<u32>,
    /// For each customer, the next purchase, if there is one within the horizon.
    pub next_purchases: Vec<Option<NextPurchase>>,
}

/// A customer's first purchase after a night.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextPurchase {
    /// Days after the night, 1 to [`HORIZON_DAYS`].
    pub days: i32,
    /// Codes of its distinct products, ascending.
    pub basket: Vec<u32>,
}

impl Actuals {
    /// Looks up what `customers` (codes of `all`) did after the night `as_of`. `last` is the last
    /// day with a purchase in `all`.
    ///
    /// # Errors
    /// If a part of the history cannot be brought back from where it was set aside.
    pub fn new(
        all: PartitionedHistory<'_>,
        last: Day,
        as_of: AsOf,
        mut customers: Vec<u32>,
    ) -> Result<Self> {
        sort_as_text(&mut customers, all.customers());
        let mut actuals = Self {
            as_of,
            followed_days: last - as_of.day(),
            next_purchases: vec![None; customers.len()],
            customers,
        };
        all.each(|partition| {
            let (positions, present) = customers_in(partition, &actuals.customers);
            let next_purchases = next_purchases(partition, &present, as_of.day());
            for (position, next) in positions.into_iter().zip(next_purchases) {
                actuals.next_purchases[position] = next;
            }
            Ok(())
        })?;
        Ok(actuals)
    }

    /// The same of one partition: `customers` are those who are in it, in the order of their ids as
    /// text.
    pub(super) fn in_partition(
        all: &History<'_>,
        last: Day,
        as_of: AsOf,
        customers: Vec<u32>,
    ) -> Self {
        Self {
            as_of,
            followed_days: last - as_of.day(),
            next_purchases: next_purchases(all, &customers, as_of.day()),
            customers,
        }
    }

    /// A row for each customer that has no forecast yet.
    fn rows(&self) -> impl Iterator<Item = EvaluationRow> {
        let customers = self.customers.iter().zip(&self.next_purchases);
        customers.map(|(customer, next)| EvaluationRow {
            customer: *customer,
            actual_days: next.as_ref().map(|next| next.days),
            predicted_days: None,
            interval: None,
            return_probability: None,
            rankings: None,
        })
    }

    fn night_rows(&self, rows: impl Iterator<Item = EvaluationRow>) -> NightRows {
        NightRows {
            as_of: self.as_of,
            followed_days: self.followed_days,
            rows: rows.collect(),
            listed_products: vec![],
        }
    }

    /// The customers' next purchases, sorted by customer code.
    fn by_code(&self) -> Vec<(u32, Option<&NextPurchase>)> {
        let next_purchases = self.next_purchases.iter().map(Option::as_ref);
        let mut by_code: Vec<_> = self.customers.iter().copied().zip(next_purchases).collect();
        by_code.sort_unstable_by_key(|(code, _)| *code);
        by_code
    }
}

/// Sorts customers by their ids as text. Bins of equal count split ties by position, so the order of
/// the rows is part of the protocol.
pub(super) fn sort_as_text(customers: &mut [u32], ids: &Ids) {
    customers.sort_by_cached_key(|customer| ids.text(*customer));
}

fn next_purchases(all: &History<'_>, customers: &[u32], night: Day) -> Vec<Option<NextPurchase>> {
    let customers = customers.iter();
    customers
        .map(|customer| next_purchase(all, *customer, night))
        .collect()
}

fn next_purchase(all: &History<'_>, customer: u32, night: Day) -> Option<NextPurchase> {
    let (day, basket) = all.following(customer, night)?;
    let days = day - night;
    (days <= HORIZON_DAYS).then(|| NextPurchase {
        days,
        basket: basket.to_vec(),
    })
}

/// Those of some customers who are in a partition, with their positions among them.
pub(super) fn customers_in(partition: &History<'_>, customers: &[u32]) -> (Vec<usize>, Vec<u32>) {
    let customers = customers.iter().copied().enumerate();
    customers
        .filter(|(_, customer)| !partition.purchases_of(*customer).is_empty())
        .unzip()
}

/// The position of each code in the order of the ids as text ("10" before "9"). The protocol breaks
/// ties by it.
#[derive(Debug, Clone)]
pub struct TextOrder(Vec<u32>);

impl TextOrder {
    /// Sorts the ids as text, once for many rankings.
    #[must_use]
    pub fn of(ids: &Ids) -> Self {
        let count = ids.len() as u32;
        if matches!(ids, Ids::Text(_)) {
            return Self((0..count).collect());
        }
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by_cached_key(|code| ids.text(*code));
        let mut positions = vec![0; ids.len()];
        for (position, code) in (0..count).zip(order) {
            positions[code as usize] = position;
        }
        Self(positions)
    }

    /// Compares two codes by their ids as text.
    #[must_use]
    pub fn compare(&self, a: u32, b: u32) -> Ordering {
        self.0
            .get(a as usize)
            .cmp(&self.0.get(b as usize))
            .then(a.cmp(&b))
    }
}

/// How well a ranked list of products predicted a basket, at one cutoff.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RankingMetrics {
    /// Hits ÷ size of the basket.
    pub recall: f64,
    /// Hits ÷ cutoff, however short the list is.
    pub precision: f64,
    /// Discounted cumulative gain ÷ that of an ideal list over min(cutoff, basket size) places
    /// (Järvelin & Kekäläinen, ACM TOIS 2002).
    pub ndcg: f64,
    /// 1 if there was any hit, else 0.
    pub hit: f64,
}

/// The forecast for one customer on one night, and the actual outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationRow {
    /// Code of the customer in the purchases that the forecast is compared with.
    pub customer: u32,
    /// Days from the night to the next purchase; `None` for a censored customer.
    pub actual_days: Option<i32>,
    /// Days predicted, at least 1; `None` if the forecast says nothing about the time.
    pub predicted_days: Option<f64>,
    /// First and last day of the 80 % interval, in days after the night.
    pub interval: Option<(i32, i32)>,
    /// Probability of a purchase within 7, 14 and 28 days.
    pub return_probability: Option<[f64; RETURN_HORIZONS.len()]>,
    /// The ranked list at each of [`CUTOFFS`]; `None` for a censored customer, and if the forecast
    /// says nothing about products.
    pub rankings: Option<[RankingMetrics; CUTOFFS.len()]>,
}

impl EvaluationRow {
    /// Predicted minus actual days, of a customer who returned.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        Some(self.predicted_days? - f64::from(self.actual_days?))
    }

    /// Predicted minus actual days, of any customer, on a night that the data follow to the
    /// horizon. Later predictions and censored customers count as the horizon.
    #[must_use]
    pub fn error_all(&self, followed_days: i32) -> Option<f64> {
        let predicted = self
            .predicted_days
            .filter(|_| followed_days >= HORIZON_DAYS)?;
        let actual = self.actual_days.unwrap_or(HORIZON_DAYS);
        Some(predicted.min(f64::from(HORIZON_DAYS)) - f64::from(actual))
    }
}

/// One product that was listed for a customer who returned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListedProduct {
    /// Code of the customer in the purchases that the forecast is compared with.
    pub customer: u32,
    /// Probability that it is in the next basket.
    pub probability: f64,
    /// Whether it was in it.
    pub bought: bool,
}

/// The forecasts of one night beside the actual outcomes.
#[derive(Debug, Clone, PartialEq)]
pub struct NightRows {
    /// The night.
    pub as_of: AsOf,
    /// How many days the data reach beyond the night.
    pub followed_days: i32,
    /// One row a customer, in the order of their ids as text.
    pub rows: Vec<EvaluationRow>,
    /// The listed products of the customers who returned, in the order of the published table.
    pub listed_products: Vec<ListedProduct>,
}

/// Compares a ranked list of product codes, the best first, with a basket (ascending codes), at
/// each of [`CUTOFFS`]. A `None` is a product that nobody has bought: never a hit.
#[must_use]
pub fn ranking_metrics(
    list: impl IntoIterator<Item = Option<u32>>,
    basket: &[u32],
) -> [RankingMetrics; CUTOFFS.len()] {
    let longest = CUTOFFS.iter().copied().max().unwrap_or(0);
    let hits: Vec<usize> = list
        .into_iter()
        .take(longest)
        .enumerate()
        .filter(|(_, product)| is_bought(*product, basket))
        .map(|(place, _)| place)
        .collect();
    CUTOFFS.map(|cutoff| metrics_at(&hits, basket.len(), cutoff))
}

/// The metrics of a list with hits at these places, counted from 0.
fn metrics_at(hits: &[usize], basket_size: usize, cutoff: usize) -> RankingMetrics {
    let hits = &hits[..hits.partition_point(|place| *place < cutoff)];
    let count = hits.len() as f64;
    let gain: f64 = hits.iter().copied().map(discount).sum();
    let ideal: f64 = (0..cutoff.min(basket_size)).map(discount).sum();
    RankingMetrics {
        recall: if basket_size == 0 {
            0.0
        } else {
            count / basket_size as f64
        },
        precision: count / cutoff as f64,
        ndcg: if ideal > 0.0 { gain / ideal } else { 0.0 },
        hit: f64::from(u8::from(count > 0.0)),
    }
}

/// What a hit at a place, counted from 0, is worth.
fn discount(place: usize) -> f64 {
    1.0 / ((place + 2) as f64).log2()
}

fn is_bought(product: Option<u32>, basket: &[u32]) -> bool {
    product.is_some_and(|product| basket.binary_search(&product).is_ok())
}

/// Rows of a forecast of the time alone: `days` has a value for each of the customers, in their
/// order. A value that is missing or not a number counts as the horizon.
#[must_use]
pub fn timing_rows(actuals: &Actuals, days: impl IntoIterator<Item = f64>) -> NightRows {
    let days = days.into_iter().chain(std::iter::repeat(f64::NAN));
    let rows = actuals.rows().zip(days).map(|(row, days)| EvaluationRow {
        predicted_days: Some(at_least_a_day(days)),
        ..row
    });
    actuals.night_rows(rows)
}

/// Rows of a forecast of the products alone: `lists` has a ranked list for each of the customers,
/// in their order. A list that is missing counts as empty.
#[must_use]
pub fn basket_rows<'a>(actuals: &Actuals, lists: impl IntoIterator<Item = &'a [u32]>) -> NightRows {
    let lists = lists.into_iter().chain(std::iter::repeat(&[][..]));
    let forecasts = lists.zip(&actuals.next_purchases);
    let rows = actuals.rows().zip(forecasts);
    actuals.night_rows(rows.map(|(row, (list, next))| {
        let list = list.iter().copied().map(Some);
        EvaluationRow {
            rankings: next
                .as_ref()
                .map(|next| ranking_metrics(list, &next.basket)),
            ..row
        }
    }))
}

fn at_least_a_day(days: f64) -> f64 {
    if days.is_nan() {
        f64::from(HORIZON_DAYS)
    } else {
        days.max(1.0)
    }
}

/// Compares one night's predictions with the purchases that followed. Customers and products are
/// matched by id, since predictions come with the dictionaries of their own night.
///
/// # Errors
/// If `purchases` is empty or does not know a customer, or if a customer, or a product of a
/// customer, occurs twice.
pub fn night_rows(predictions: &Predictions, purchases: &dyn Partitions) -> Result<NightRows> {
    let all = PartitionedHistory::all(purchases);
    let DateRange { last, .. } = all
        .span()?
        .ok_or_else(|| Error::input("there is no purchase"))?;
    let mut customers = customer_codes(predictions, all.customers())?;
    customers.sort_unstable();
    customers.dedup();
    let actuals = Actuals::new(all, last, predictions.as_of, customers)?;
    prediction_rows(predictions, all, &actuals)
}

/// The codes that the predicted customers have in `ids`.
fn customer_codes(predictions: &Predictions, ids: &Ids) -> Result<Vec<u32>> {
    predictions
        .customers
        .iter()
        .map(|customer| {
            let id = predictions.customer_ids.text(customer.customer);
            ids.code(&id).ok_or_else(|| {
                Error::system(format!("the customer {id} was scored but never bought"))
            })
        })
        .collect()
}

/// What was predicted for one customer.
struct CustomerForecast<'a> {
    prediction: &'a CustomerPrediction,
    /// Product codes in the dictionary of the actuals, the best first.
    ranked: Vec<Option<u32>>,
}

/// Compares one night's predictions with the actual outcomes of the same customers, who have their
/// codes in `all`.
pub(super) fn prediction_rows(
    predictions: &Predictions,
    all: PartitionedHistory<'_>,
    actuals: &Actuals,
) -> Result<NightRows> {
    let night = predictions.as_of.day();
    let codes = customer_codes(predictions, all.customers())?;
    let next_purchases = actuals.by_code();
    let mut listed_products = vec![];
    let mut forecasts = Vec::with_capacity(codes.len());
    for (code, prediction) in codes.into_iter().zip(&predictions.customers) {
        let next = find_by_code(&next_purchases, code).ok_or_else(|| {
            Error::system(format!(
                "{night}: the customer {} was scored, but not by the rule",
                predictions.customer_ids.text(prediction.customer)
            ))
        })?;
        let list = published_list(predictions, prediction, all.products());
        if let Some(next) = next {
            listed_products.extend(list.iter().map(|product| ListedProduct {
                customer: code,
                probability: product.probability,
                bought: is_bought(product.code, &next.basket),
            }));
        }
        let ranked = ranked_codes(predictions, prediction, list)?;
        forecasts.push((code, CustomerForecast { prediction, ranked }));
    }
    forecasts.sort_by_key(|(code, _)| *code);
    check_same_customers(predictions, &forecasts, actuals)?;
    let rows = actuals.rows().zip(&actuals.next_purchases);
    let rows = rows.map(|(row, next)| match find_by_code(&forecasts, row.customer) {
        Some(forecast) => forecast.row(row, next.as_ref(), night),
        None => row,
    });
    Ok(NightRows {
        listed_products,
        ..actuals.night_rows(rows)
    })
}

impl CustomerForecast<'_> {
    /// The customer's row with the forecast filled in.
    fn row(&self, row: EvaluationRow, next: Option<&NextPurchase>, night: Day) -> EvaluationRow {
        let prediction = self.prediction;
        let ranked = self.ranked.iter().copied();
        EvaluationRow {
            predicted_days: Some(at_least_a_day(prediction.days_to_next)),
            interval: Some((prediction.earliest - night, prediction.latest - night)),
            return_probability: Some(prediction.return_probability),
            rankings: next.map(|next| ranking_metrics(ranked, &next.basket)),
            ..row
        }
    }
}

/// The value of a code in a list that is sorted by code.
fn find_by_code<T>(sorted: &[(u32, T)], code: u32) -> Option<&T> {
    let position = sorted
        .binary_search_by_key(&code, |(known, _)| *known)
        .ok()?;
    sorted.get(position).map(|(_, value)| value)
}

/// A product in a customer's list.
struct RankedProduct {
    probability: f64,
    id: String,
    /// Its code in the dictionary of the actuals; `None` if nobody has bought it.
    code: Option<u32>,
}

/// A customer's products in the order in which they are published. `products` is the dictionary of
/// the actuals.
fn published_list(
    predictions: &Predictions,
    customer: &CustomerPrediction,
    products: &Ids,
) -> Vec<RankedProduct> {
    customer
        .products
        .iter()
        .map(|product| {
            let id = predictions.product_ids.text(product.product);
            RankedProduct {
                probability: product.probability,
                code: products.code(&id),
                id,
            }
        })
        .collect()
}

/// The codes of a customer's products by descending probability, ties by id as text.
fn ranked_codes(
    predictions: &Predictions,
    customer: &CustomerPrediction,
    mut products: Vec<RankedProduct>,
) -> Result<Vec<Option<u32>>> {
    products.sort_by(|a, b| {
        b.probability
            .total_cmp(&a.probability)
            .then_with(|| a.id.cmp(&b.id))
    });
    let mut ids: Vec<&str> = products.iter().map(|product| product.id.as_str()).collect();
    ids.sort_unstable();
    if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::system(format!(
            "{}: the product {} occurs twice in the list of the customer {}",
            predictions.as_of,
            twice[0],
            predictions.customer_ids.text(customer.customer)
        )));
    }
    Ok(products.into_iter().map(|product| product.code).collect())
}

/// Fails unless every customer of the actuals has exactly one forecast. `forecasts` are sorted by
/// code, and all of them are of customers of the actuals.
fn check_same_customers(
    predictions: &Predictions,
    forecasts: &[(u32, CustomerForecast<'_>)],
    actuals: &Actuals,
) -> Result<()> {
    let night = predictions.as_of;
    if let Some(twice) = forecasts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let customer = twice[0].1.prediction.customer;
        return Err(Error::system(format!(
            "{night}: the customer {} occurs twice",
            predictions.customer_ids.text(customer)
        )));
    }
    let (scored, due) = (forecasts.len(), actuals.customers.len());
    if scored < due {
        return Err(Error::system(format!(
            "{night}: {scored} customers were scored, but the rule names {due}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
