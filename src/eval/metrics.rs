//! The nightly protocol's figures: for each scored customer, what was said of the next purchase and what became of it.
//!
//! The truth of a night T is the customer's first purchase day after T, within the horizon, and its products. A customer who has not
//! returned by then is censored: counted as the horizon in `mae_all` and in the return probabilities, and left out where a next purchase
//! is needed. A figure that looks h days ahead uses only nights that the data follow for h days or more.

use std::collections::BTreeMap;

use crate::calendar::{AsOf, Day};
use crate::models::timing::HORIZON;
use crate::predictions::{Predictions, RETURN_HORIZONS};
use crate::purchases::{History, Purchases};

/// The lengths at which a list of products is judged.
pub const CUTS: [usize; 3] = [5, 10, 20];

/// Figures by name; what could not be measured is missing.
pub type Figures = BTreeMap<String, f64>;

/// How a ranked list met a basket, at one cut.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ranking {
    /// Hits ÷ size of the basket.
    pub recall: f64,
    /// Hits ÷ length of the list asked for.
    pub precision: f64,
    /// Discounted cumulative gain ÷ that of an ideal list (Järvelin & Kekäläinen, ACM TOIS 2002), over min(cut, basket) places.
    pub ndcg: f64,
    /// Whether there was any hit.
    pub hit: f64,
}

/// One customer on one night.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The customer's id.
    pub customer: String,
    /// Days from the night to the next purchase; `None` for a censored customer.
    pub days: Option<i32>,
    /// Days predicted, at least 1.
    pub predicted: f64,
    /// First and last day of the interval after the night.
    pub interval: Option<(i32, i32)>,
    /// Probability of a purchase within 7, 14 and 28 days.
    pub returns: Option<[f64; RETURN_HORIZONS.len()]>,
    /// The list at each cut; `None` for a censored customer.
    pub rankings: Option<[Ranking; CUTS.len()]>,
    /// Probability of each listed product and whether it was bought; empty for a censored customer.
    pub pairs: Vec<(f64, bool)>,
}

/// All customers of one night.
#[derive(Debug, Clone, PartialEq)]
pub struct NightRows {
    /// The night.
    pub night: AsOf,
    /// Days that the data reach beyond the night.
    pub followed: i32,
    /// One a scored customer.
    pub rows: Vec<Row>,
}

impl Row {
    /// |predicted − days| over those who returned.
    #[must_use]
    pub fn error(&self) -> Option<f64> {
        self.days.map(|days| (self.predicted - f64::from(days)).abs())
    }

    /// The same for all, censored ones at the horizon.
    #[must_use]
    pub fn error_all(&self, followed: i32) -> Option<f64> {
        let horizon = HORIZON as f64;
        (followed >= HORIZON as i32).then(|| (self.predicted.min(horizon) - self.days.map_or(horizon, f64::from)).abs())
    }
}

/// The next purchase of a customer within the horizon: days and products.
#[must_use]
pub fn truth<'a>(all: &History<'a>, customer: u32, night: Day) -> Option<(i32, &'a [u32])> {
    all.following(customer, night).map(|(day, basket)| (day - night, basket)).filter(|(days, _)| *days <= HORIZON as i32)
}

/// How a list (the best first) meets a basket, at each cut.
#[must_use]
pub fn rankings<T: PartialEq>(list: &[T], basket: &[T]) -> [Ranking; CUTS.len()] {
    let discount = |place: usize| 1.0 / ((place + 2) as f64).log2();
    CUTS.map(|cut| {
        let hits: Vec<usize> =
            list.iter().take(cut).enumerate().filter(|(_, product)| basket.contains(product)).map(|(at, _)| at).collect();
        let gain: f64 = hits.iter().map(|at| discount(*at)).sum();
        let ideal: f64 = (0..cut.min(basket.len())).map(discount).sum();
        Ranking {
            recall: hits.len() as f64 / basket.len().max(1) as f64,
            precision: hits.len() as f64 / cut as f64,
            ndcg: if ideal > 0.0 { gain / ideal } else { 0.0 },
            hit: f64::from(u8::from(!hits.is_empty())),
        }
    })
}

/// Looks at one night's predictions with what `all` knows of the days after it.
#[must_use]
pub fn observe(predictions: &Predictions, all: &Purchases) -> NightRows {
    let night = predictions.as_of.day();
    let last = all.span().map_or(night, |(_, last)| last);
    let everything = all.until(AsOf(last));
    let product = |code: u32| predictions.product_ids.get(code).map(|id| id.to_string()).unwrap_or_default();
    let rows = predictions.customers.iter().map(|customer| {
        let id = predictions.customer_ids.get(customer.customer).map(|id| id.to_string()).unwrap_or_default();
        let next = all.customers().code(&id).and_then(|code| truth(&everything, code, night));
        // By probability, ties by id as text: how the published table is judged.
        let mut list: Vec<(f64, String)> = customer.products.iter().map(|p| (p.probability, product(p.product))).collect();
        let in_basket: Vec<String> = next
            .map_or(vec![], |(_, basket)| basket.iter().filter_map(|code| all.products().get(*code)).map(|id| id.to_string()).collect());
        let pairs = next.map_or(vec![], |_| list.iter().map(|(p, id)| (*p, in_basket.contains(id))).collect());
        list.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let ids: Vec<String> = list.into_iter().map(|(_, id)| id).collect();
        Row {
            customer: id,
            days: next.map(|(days, _)| days),
            predicted: customer.days_to_next.max(1.0),
            interval: Some((customer.earliest - night, customer.latest - night)),
            returns: Some(customer.return_probability),
            rankings: next.map(|_| rankings(&ids, &in_basket)),
            pairs,
        }
    });
    NightRows { night: predictions.as_of, followed: last - night, rows: rows.collect() }
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u64);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    if values.len() % 2 == 1 { Some(*upper) } else { Some((values.get(middle - 1)? + upper) / 2.0) }
}

/// Expected calibration error over ten bins of equal count (Naeini, Cooper & Hauskrecht, AAAI 2015).
#[must_use]
pub fn calibration_error(points: &[(f64, bool)]) -> Option<f64> {
    let mut order: Vec<&(f64, bool)> = points.iter().collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let n = order.len();
    let mut rest = order.as_slice();
    let mut error = 0.0;
    for bin in 0..10 {
        let (own, after) = rest.split_at(n / 10 + usize::from(bin < n % 10));
        rest = after;
        let said = mean(own.iter().map(|(p, _)| *p));
        let seen = mean(own.iter().map(|(_, hit)| f64::from(u8::from(*hit))));
        if let (Some(said), Some(seen)) = (said, seen) {
            error += own.len() as f64 / n as f64 * (said - seen).abs();
        }
    }
    (n > 0).then_some(error)
}

fn round(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$}").parse().unwrap_or(value)
}

/// The figures over all rows of several nights, rounded to four decimals (the interval's width to two).
#[must_use]
pub fn figures(nights: &[NightRows]) -> Figures {
    let mut out = Figures::new();
    let mut put = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), round(value, if name == "width_80" { 2 } else { 4 }));
        }
    };
    let rows = || nights.iter().flat_map(|night| night.rows.iter().map(move |row| (night.followed, row)));
    let back = || rows().filter_map(|(_, row)| row.days.map(|days| (row, f64::from(days))));
    put("rows", Some(rows().count() as f64));
    put("returned", Some(back().count() as f64));
    put("nights", Some(nights.len() as f64));
    put("mae", mean(back().filter_map(|(row, _)| row.error())));
    put("mae_all", mean(rows().filter_map(|(followed, row)| row.error_all(followed))));
    put("median_ae", median(back().filter_map(|(row, _)| row.error()).collect()));
    let whole = |row: &Row, days: f64| (row.predicted.round_ties_even().max(1.0) - days).abs();
    put("within_1", mean(back().map(|(row, days)| f64::from(u8::from(whole(row, days) <= 1.0)))));
    put("within_3", mean(back().map(|(row, days)| f64::from(u8::from(whole(row, days) <= 3.0)))));
    put("bias", mean(back().map(|(row, days)| row.predicted - days)));
    for (at, cut) in CUTS.iter().enumerate() {
        let lists = || back().filter_map(move |(row, _)| row.rankings.map(|rankings| rankings[at]));
        put(&format!("recall@{cut}"), mean(lists().map(|r| r.recall)));
        put(&format!("precision@{cut}"), mean(lists().map(|r| r.precision)));
        put(&format!("ndcg@{cut}"), mean(lists().map(|r| r.ndcg)));
        put(&format!("hit@{cut}"), mean(lists().map(|r| r.hit)));
    }
    let inside: Vec<(bool, i32)> = rows()
        .filter_map(|(followed, row)| row.interval.map(|interval| (followed, row, interval)))
        .filter(|(followed, row, (_, last))| row.days.is_some() || *last <= (*followed).min(HORIZON as i32))
        .map(|(_, row, (first, last))| (row.days.is_some_and(|days| (first..=last).contains(&days)), last - first + 1))
        .collect();
    put("coverage_80", mean(inside.iter().map(|(ok, _)| f64::from(u8::from(*ok)))));
    put("width_80", mean(inside.iter().map(|(_, width)| f64::from(*width))));
    for (at, horizon) in RETURN_HORIZONS.iter().enumerate() {
        let within = |row: &Row| row.days.is_some_and(|days| days <= *horizon as i32);
        let points: Vec<(f64, bool)> = rows()
            .filter(|(followed, _)| *followed >= *horizon as i32)
            .filter_map(|(_, row)| row.returns.map(|returns| (returns[at], within(row))))
            .collect();
        let hit = |hit: bool| f64::from(u8::from(hit));
        put(&format!("brier_return_{horizon}d"), mean(points.iter().map(|(p, h)| (p - hit(*h)).powi(2))));
        put(&format!("brier_base_{horizon}d"), mean(points.iter().map(|(_, h)| hit(*h))).map(|base| base * (1.0 - base)));
        put(&format!("ece_return_{horizon}d"), calibration_error(&points));
    }
    let pairs: Vec<(f64, bool)> = rows().flat_map(|(_, row)| row.pairs.iter().map(|(p, hit)| (p.clamp(1e-6, 1.0 - 1e-6), *hit))).collect();
    if !pairs.is_empty() {
        put("pairs", Some(pairs.len() as f64));
        put("ece_products", calibration_error(&pairs));
        put("log_loss_products", mean(pairs.iter().map(|(p, hit)| if *hit { -p.ln() } else { -(1.0 - p).ln() })));
    }
    out
}
