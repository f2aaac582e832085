//! The nightly protocol: for whom and of what predictions are judged, and what counts as the truth.
//!
//! The truth of a night T is the customer's first purchase day after T and its products. A customer
//! who has not returned [`HORIZON_DAYS`] days after T is censored: counted as the horizon in `mae_all`
//! and in the return probabilities, and left out where a next purchase is needed. A figure that
//! looks h days ahead uses only the nights that the data follow for h days or more.

use std::cmp::Ordering;

use crate::calendar::{AsOf, DateRange, Day, HORIZON_DAYS};
use crate::domain::Ids;
use crate::domain::{CustomerPrediction, Predictions, RETURN_HORIZONS};
use crate::error::{Error, Result};
use crate::purchases::{History, PartitionedHistory, Partitions};

/// The lengths at which a ranked list is judged.
pub const CUTS: [usize; 3] = [5, 10, 20];

/// What became of the customers of one night.
#[derive(Debug, Clone)]
pub struct Actuals {
    /// The night T.
    pub as_of: AsOf,
    /// Days that the data reach beyond the night.
    pub followed: i32,
    /// Codes of the customers, in the order of their ids as text.
    pub customers: Vec<u32>,
    /// One a customer: the next purchase, if it is known and within the horizon.
    pub following: Vec<Option<Following>>,
}

/// A next purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    /// Days after the night, 1 to [`HORIZON_DAYS`].
    pub days: i32,
    /// Codes of its distinct products, ascending.
    pub basket: Vec<u32>,
}

impl Actuals {
    /// Looks up what followed the night `as_of` for `customers` (codes of `all`). `last` is the
    /// last day with a purchase in `all`.
    ///
    /// # Errors
    /// If a part of the history cannot be brought back from where it was set aside.
    pub fn new(
        all: PartitionedHistory<'_>,
        last: Day,
        as_of: AsOf,
        mut customers: Vec<u32>,
    ) -> Result<Self> {
        // Bins of equal count split ties by position, so that the order of rows is part of the
        // protocol: ids as text.
        let ids = TextIds(all.customers());
        customers.sort_by_cached_key(|customer| ids.text(*customer));
        let of_some = |history: &History<'_>, some: &[u32]| {
            some.iter()
                .map(|customer| following(history, *customer, as_of.day()))
                .collect()
        };
        let following = by_customer(all, &customers, of_some)?;
        Ok(Self {
            as_of,
            followed: last - as_of.day(),
            customers,
            following,
        })
    }
}

fn following(all: &History<'_>, customer: u32, night: Day) -> Option<Following> {
    let (day, basket) = all.following(customer, night)?;
    let days = day - night;
    (days <= HORIZON_DAYS).then(|| Following {
        days,
        basket: basket.to_vec(),
    })
}

/// What `look` says of each customer, whatever part of the history they are in; the default of
/// those who are in none.
pub(super) fn by_customer<T: Clone + Default>(
    history: PartitionedHistory<'_>,
    customers: &[u32],
    mut look: impl FnMut(&History<'_>, &[u32]) -> Vec<T>,
) -> Result<Vec<T>> {
    let mut out = vec![T::default(); customers.len()];
    history.each(|history| {
        let here = |customer: &u32| !history.purchases_of(*customer).is_empty();
        let some: Vec<u32> = customers.iter().copied().filter(here).collect();
        let places = out
            .iter_mut()
            .zip(customers)
            .filter(|(_, customer)| here(customer));
        places
            .zip(look(history, &some))
            .for_each(|((place, _), said)| *place = said);
        Ok(())
    })?;
    Ok(out)
}

/// Ids as text, the form in which the protocol orders them.
struct TextIds<'a>(&'a Ids);

impl TextIds<'_> {
    fn text(&self, code: u32) -> String {
        self.0
            .get(code)
            .map(|id| id.to_string())
            .unwrap_or_default()
    }
}

/// The place of each code in the order of the ids as text ("10" before "9"), by which the protocol
/// breaks ties.
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
        let text = TextIds(ids);
        let mut order: Vec<u32> = (0..count).collect();
        order.sort_by_cached_key(|code| text.text(*code));
        let mut place = vec![0; ids.len()];
        for (at, code) in (0..count).zip(order) {
            if let Some(own) = place.get_mut(code as usize) {
                *own = at;
            }
        }
        Self(place)
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

/// How a ranked list met a basket, at one cut.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ranking {
    /// Hits ÷ size of the basket.
    pub recall: f64,
    /// Hits ÷ length of the list asked for.
    pub precision: f64,
    /// Discounted cumulative gain ÷ that of an ideal list over min(cut, basket) places (Järvelin &
    /// Kekäläinen, ACM TOIS 2002).
    pub ndcg: f64,
    /// 1 if there was any hit, else 0.
    pub hit: f64,
}

/// One customer on one night.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Code in the truth's dictionary.
    pub customer: u32,
    /// Days from the night to the next purchase; `None` for a censored customer.
    pub days: Option<i32>,
    /// Days predicted, at least 1; `None` where nothing is said of the time.
    pub predicted: Option<f64>,
    /// First and last day of the interval, in days after the night.
    pub interval: Option<(i32, i32)>,
    /// Probability of a purchase within 7, 14 and 28 days.
    pub returns: Option<[f64; RETURN_HORIZONS.len()]>,
    /// The list at each of [`CUTS`]; `None` for a censored customer, and where nothing is said of
    /// products.
    pub rankings: Option<[Ranking; CUTS.len()]>,
}

impl Row {
    /// Predicted minus true days, of a customer who returned.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        Some(self.predicted? - f64::from(self.days?))
    }

    /// The same for all customers of a night that the data follow to the horizon: later predictions
    /// and censored customers count as it.
    #[must_use]
    pub fn error_all(&self, followed: i32) -> Option<f64> {
        let predicted = self.predicted.filter(|_| followed >= HORIZON_DAYS)?;
        Some(predicted.min(f64::from(HORIZON_DAYS)) - f64::from(self.days.unwrap_or(HORIZON_DAYS)))
    }
}

/// One listed product of a customer who returned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Probability that it is in the next basket.
    pub probability: f64,
    /// Whether it was.
    pub bought: bool,
}

/// What was said on one night, beside what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NightRows {
    /// The night.
    pub as_of: AsOf,
    /// Days that the data reach beyond the night.
    pub followed: i32,
    /// One a customer, in the order of their ids as text.
    pub rows: Vec<Row>,
    /// One a listed product of the customers who returned, in the order of the published table.
    pub pairs: Vec<Pair>,
}

/// Judges how a ranked list of product codes, the best first, met a basket (ascending codes).
#[must_use]
pub fn rankings(
    list: impl IntoIterator<Item = Option<u32>>,
    basket: &[u32],
) -> [Ranking; CUTS.len()] {
    let discount = |place: usize| 1.0 / ((place + 2) as f64).log2();
    let longest = CUTS.iter().copied().max().unwrap_or(0);
    let hits: Vec<bool> = list
        .into_iter()
        .take(longest)
        .map(|product| product.is_some_and(|product| basket.binary_search(&product).is_ok()))
        .collect();
    CUTS.map(|cut| {
        let places = || {
            hits.iter()
                .take(cut)
                .enumerate()
                .filter(|(_, hit)| **hit)
                .map(|(place, _)| place)
        };
        let count = places().count() as f64;
        let gain: f64 = places().map(discount).sum();
        let ideal: f64 = (0..cut.min(basket.len())).map(discount).sum();
        Ranking {
            recall: if basket.is_empty() {
                0.0
            } else {
                count / basket.len() as f64
            },
            precision: count / cut as f64,
            ndcg: if ideal > 0.0 { gain / ideal } else { 0.0 },
            hit: f64::from(u8::from(count > 0.0)),
        }
    })
}

/// Rows of something that only says when; `days[i]` is for `truth.customers[i]`, and what is not a
/// number counts as the horizon.
#[must_use]
pub fn timing_rows(truth: &Actuals, days: &[f64]) -> NightRows {
    let days = days.iter().copied().chain(std::iter::repeat(f64::NAN));
    rows(truth, days, |row, days| {
        row.predicted = Some(at_least_a_day(days))
    })
}

/// Rows of something that only says what; `lists[i]` are the products of `truth.customers[i]`, the
/// best first.
#[must_use]
pub fn basket_rows(truth: &Actuals, lists: &[Vec<u32>]) -> NightRows {
    let lists = lists
        .iter()
        .map(Vec::as_slice)
        .chain(std::iter::repeat(&[][..]));
    rows(truth, lists.zip(&truth.following), |row, (list, next)| {
        row.rankings = next
            .as_ref()
            .map(|next| rankings(list.iter().copied().map(Some), &next.basket));
    })
}

fn rows<T>(
    truth: &Actuals,
    said: impl Iterator<Item = T>,
    mut fill: impl FnMut(&mut Row, T),
) -> NightRows {
    let known = truth.customers.iter().zip(&truth.following).zip(said);
    let rows = known.map(|((customer, next), said)| {
        let days = next.as_ref().map(|next| next.days);
        let mut row = Row {
            customer: *customer,
            days,
            predicted: None,
            interval: None,
            returns: None,
            rankings: None,
        };
        fill(&mut row, said);
        row
    });
    NightRows {
        as_of: truth.as_of,
        followed: truth.followed,
        rows: rows.collect(),
        pairs: vec![],
    }
}

fn at_least_a_day(days: f64) -> f64 {
    if days.is_nan() {
        f64::from(HORIZON_DAYS)
    } else {
        days.max(1.0)
    }
}

/// Judges one night's predictions by what `truth` knows of the days after it. Codes are matched by
/// id, since predictions come with the dictionaries of their night.
///
/// # Errors
/// If `truth` is empty or does not know a customer, or if a customer, or a customer's product,
/// stands twice.
pub fn observe(predictions: &Predictions, truth: &dyn Partitions) -> Result<NightRows> {
    let all = PartitionedHistory::all(truth);
    let DateRange { last, .. } = all
        .span()?
        .ok_or_else(|| Error::input("there is no purchase"))?;
    let mut customers: Vec<u32> = codes(predictions, all.customers())?;
    customers.sort_unstable();
    customers.dedup();
    observe_in(
        predictions,
        all,
        &Actuals::new(all, last, predictions.as_of, customers)?,
    )
}

/// The customers' codes in `ids`.
fn codes(predictions: &Predictions, ids: &Ids) -> Result<Vec<u32>> {
    let own = TextIds(&predictions.customer_ids);
    let code = |id: String| {
        ids.code(&id)
            .ok_or_else(|| Error::system(format!("the customer {id} was scored but never bought")))
    };
    predictions
        .customers
        .iter()
        .map(|customer| code(own.text(customer.customer)))
        .collect()
}

/// [`observe`] by a truth of the same customers.
pub(super) fn observe_in(
    predictions: &Predictions,
    all: PartitionedHistory<'_>,
    truth: &Actuals,
) -> Result<NightRows> {
    let night = predictions.as_of.day();
    let (customer_ids, product_ids) = (
        TextIds(&predictions.customer_ids),
        TextIds(&predictions.product_ids),
    );
    let said: Vec<(u32, &CustomerPrediction)> = codes(predictions, all.customers())?
        .into_iter()
        .zip(&predictions.customers)
        .collect();
    let mut known: Vec<(u32, Option<&Following>)> = truth
        .customers
        .iter()
        .copied()
        .zip(truth.following.iter().map(Option::as_ref))
        .collect();
    known.sort_unstable_by_key(|(code, _)| *code);
    let mut pairs = vec![];
    let mut lists = Vec::with_capacity(said.len());
    for (code, customer) in &said {
        let next = known
            .binary_search_by_key(code, |(known, _)| *known)
            .ok()
            .and_then(|at| known.get(at));
        let unexpected = || {
            Error::system(format!(
                "{night}: the customer {} was scored, but not by the rule",
                customer_ids.text(customer.customer)
            ))
        };
        let (_, next) = next.ok_or_else(unexpected)?;
        let mut list: Vec<(f64, String, Option<u32>)> = customer
            .products
            .iter()
            .map(|product| {
                let id = product_ids.text(product.product);
                let code = all.products().code(&id);
                (product.probability, id, code)
            })
            .collect();
        if let Some(next) = next {
            let bought = |code: Option<u32>| {
                code.is_some_and(|code| next.basket.binary_search(&code).is_ok())
            };
            pairs.extend(list.iter().map(|(probability, _, code)| Pair {
                probability: *probability,
                bought: bought(*code),
            }));
        }
        list.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let mut ids: Vec<&str> = list.iter().map(|(_, id, _)| id.as_str()).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            let id = customer_ids.text(customer.customer);
            return Err(Error::system(format!(
                "{night}: the product {} stands twice in the list of the customer {id}",
                twice[0]
            )));
        }
        lists.push((
            *code,
            *customer,
            list.into_iter()
                .map(|(_, _, code)| code)
                .collect::<Vec<_>>(),
        ));
    }
    lists.sort_by_key(|(code, ..)| *code);
    if let Some(twice) = lists.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::system(format!(
            "{night}: the customer {} stands twice",
            customer_ids.text(twice[0].1.customer)
        )));
    }
    if lists.len() < truth.customers.len() {
        let (scored, due) = (lists.len(), truth.customers.len());
        return Err(Error::system(format!(
            "{night}: {scored} customers were scored, but the rule names {due}"
        )));
    }
    let found = truth
        .customers
        .iter()
        .zip(&truth.following)
        .map(|(code, next)| {
            let at = lists.binary_search_by_key(code, |(known, ..)| *known).ok();
            (at.and_then(|at| lists.get(at)), next)
        });
    let mut out = rows(truth, found, |row, (found, next)| {
        let Some((_, customer, list)) = found else {
            return;
        };
        row.predicted = Some(at_least_a_day(customer.days_to_next));
        row.interval = Some((customer.earliest - night, customer.latest - night));
        row.returns = Some(customer.return_probability);
        row.rankings = next
            .as_ref()
            .map(|next| rankings(list.iter().copied(), &next.basket));
    });
    out.pairs = pairs;
    Ok(out)
}

#[cfg(test)]
mod tests;
