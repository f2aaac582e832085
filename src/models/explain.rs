//! One customer in full: what is known on a night, how the rule judges it, and what the model makes
//! of it.
//!
//! The numbers are those that [`super::score`] publishes, from the same code.

use serde::{Serialize, Serializer};

use super::night::{NightScorer, NightSummary, refuse_future};
use crate::calendar::{AsOf, Day};
use crate::domain::words::counted;
use crate::domain::{CustomerPrediction, Details, Ids, OwnedId, ProductModel, ProductPrediction};
use crate::error::{Error, Result};
use crate::features::basket::{BASKET_FEATURES, BASKET_WIDTH, BasketScratch};
use crate::features::timing::{TIMING_FEATURES, TimingFeatures, timing_features};
use crate::features::{Feature, MISSING};
use crate::models::Model;
use crate::models::basket::AppliedCorrection;
use crate::models::timing::ReturnTimeDistribution;
use crate::purchases::{CustomerPurchases, History, Purchases};
use crate::recurrence::{PeriodCount, PopulationSummary, Rule, recurrent};
use crate::stats;

/// How many purchases are listed.
const LATEST: usize = 10;
/// For how many coming days the probability is listed.
const DAYS: usize = 14;

/// Names and values of features; one that is not known is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Features(pub Vec<(&'static str, Option<f32>)>);

impl Features {
    fn new(features: &'static [Feature], values: &[f32]) -> Self {
        let known = |value: &f32| (*value != MISSING).then_some(*value);
        Self(
            features
                .iter()
                .map(|feature| feature.name)
                .zip(values.iter().map(known))
                .collect(),
        )
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// All that okuo knows and thinks of one customer on one night. Names are those of the published
/// tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The customer.
    pub customer_id: OwnedId,
    /// The store in which the customer mostly buys, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
    /// The night.
    pub as_of: AsOf,
    /// The model that speaks.
    pub model_id: String,
    /// Whether the rule is met, so that a night's run lists the customer.
    pub recurrent: bool,
    /// Where it is not: why, a sentence each.
    pub why_not: Vec<String>,
    /// What is known.
    pub history: Past,
    /// How the rule judges it.
    pub rule: Judgement,
    /// What the model predicts, where there are as many purchases as it learned from.
    pub prediction: Option<Prediction>,
    /// The fewest purchases of a customer that the model learned from.
    pub min_purchases: usize,
    /// How the customer's offers are divided among strategies, in words, if that was learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_mix: Option<String>,
}

/// The purchases of a customer up to the night.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Past {
    /// How many.
    pub purchases: usize,
    /// Day of the first.
    pub first_purchase: Day,
    /// Day of the latest.
    pub last_purchase: Day,
    /// Days from the latest to the night.
    pub days_since_last: i32,
    /// Purchases in the 90 days up to the night.
    pub purchases_90d: u32,
    /// Mean days between two purchases, from two on.
    pub mean_gap_days: Option<f64>,
    /// Their median.
    pub median_gap_days: Option<f64>,
    /// The latest purchases, the newest first.
    pub latest: Vec<Purchase>,
}

/// One purchase.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Purchase {
    /// Its day.
    pub day: Day,
    /// The day's name.
    pub weekday: &'static str,
    /// Days since the purchase before.
    pub gap_days: Option<i32>,
    /// Distinct products in it.
    pub products: usize,
}

/// The recurrence rule, part by part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judgement {
    /// The rule.
    pub rule: Rule,
    /// Its periods, the latest first.
    pub periods: Vec<PeriodCount>,
    /// The share of large baskets among the purchases in these periods, where there are any.
    pub large_basket_share: Option<f64>,
}

/// What the model predicts for the customer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Median of the days to the next purchase.
    pub days_to_next: f64,
    /// The same as a day.
    pub expected_date: Day,
    /// First day of the 80 % interval.
    pub earliest_date: Day,
    /// Last day of the 80 % interval.
    pub latest_date: Day,
    /// Probability of a purchase within 7 days.
    pub p_return_7d: f64,
    /// Within 14 days.
    pub p_return_14d: f64,
    /// Within 28 days.
    pub p_return_28d: f64,
    /// Expected number of distinct products in the next basket.
    pub expected_basket_size: f64,
    /// Probability that the next purchase is on each of the coming days. They add up to the calibrated
    /// probabilities of a return.
    pub by_day: Vec<DayProbability>,
    /// Days to the next purchase by least squares alone, which the hazards and the basket model see
    /// beside the features.
    pub least_squares_days: f64,
    /// What the timing model sees on the night.
    pub timing_features: Features,
    /// The likeliest products, the likeliest first.
    pub products: Vec<Product>,
}

/// The probability of one coming day.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DayProbability {
    /// The day.
    pub day: Day,
    /// Its name.
    pub weekday: &'static str,
    /// Probability that the next purchase is on it.
    pub probability: f64,
}

impl Explanation {
    /// Adds what is known beside the purchases. `products` are the ids of the products' codes.
    pub fn add_details(&mut self, details: &Details, products: &Ids) {
        let store = details.store(self.customer_id.as_id());
        self.store = store.map(|store| store.to_string());
        let likely = self.prediction.iter_mut();
        for product in likely.flat_map(|prediction| &mut prediction.products) {
            let Some(code) = products.code(&product.product_id.to_string()) else {
                continue;
            };
            product.product_name = details.product_name(code).map(|name| name.to_string());
            product.category = details.category(code).map(|category| category.to_string());
            product.last_price = details.last_price(code);
        }
    }
}

/// One likely product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Product {
    /// The product.
    pub product_id: OwnedId,
    /// What it is called, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// Its category, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Its latest unit price, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_price: Option<f64>,
    /// Its place, from 1.
    pub rank: usize,
    /// Probability that it is in the next basket, given that the customer comes.
    pub probability: f64,
    /// Purchases of the customer that had it.
    pub times_bought: u32,
    /// Days from the latest of them to the night.
    pub days_since_bought: Option<i32>,
    /// Mean days between them.
    pub typical_gap_days: Option<f64>,
    /// Which model has spoken.
    pub model: ProductModel,
    /// What the product's own tree makes of the probability, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correction: Option<AppliedCorrection>,
    /// Why, in a few words.
    pub reason: String,
    /// What the basket model sees of it.
    pub features: Features,
}

/// Explains one customer on the night of `night`, with the `products` likeliest products.
/// `purchases` are those of the partition that has the customer.
///
/// # Errors
/// If no ticket up to the night has the id, or the model was trained on days after it.
pub fn explain(
    model: &Model,
    model_id: &str,
    purchases: &Purchases,
    night: NightSummary,
    customer: &str,
    products: usize,
) -> Result<Explanation> {
    let (as_of, rule) = (night.population.as_of, night.population.rule);
    refuse_future(model, as_of)?;
    let history = purchases.until(as_of);
    explained(model, model_id, &history, night, customer, products)
        .ok_or_else(|| unknown(&history, &rule, customer))
}

/// The explanation; `None` for a customer without a purchase.
fn explained(
    model: &Model,
    model_id: &str,
    history: &History<'_>,
    night: NightSummary,
    customer: &str,
    products: usize,
) -> Option<Explanation> {
    let NightSummary {
        population: PopulationSummary { as_of, rule, .. },
        store_counts,
    } = night;
    let code = history.customers().code(customer)?;
    let scorer = NightScorer::new(model, as_of, history.products(), store_counts);
    let mut scratch = BasketScratch::default();
    let (prediction, wait) = scorer.predict(history, code, &mut scratch)?;
    let purchases = history.purchases_of(code);
    let min_purchases = model
        .parameters
        .timing
        .min_purchases
        .max(model.parameters.basket.min_purchases);
    let judgement = judge(&rule, &purchases, as_of);
    let recurrent = rule.met(&purchases, as_of.day());
    let why_not = if recurrent {
        vec![]
    } else {
        why_not(&judgement)
    };
    let likely = likely(&scorer, &prediction, history.products(), &scratch, products);
    Some(Explanation {
        customer_id: history.customers().get(code)?.owned(),
        store: None,
        as_of,
        model_id: model_id.to_owned(),
        recurrent,
        why_not,
        history: past(&purchases, as_of, prediction.purchases_90d)?,
        rule: judgement,
        prediction: (recurrent || purchases.len() >= min_purchases)
            .then(|| predicted(&scorer, &purchases, &prediction, &wait, likely)),
        min_purchases,
        offer_mix: None,
    })
}

fn unknown(history: &History<'_>, rule: &Rule, id: &str) -> Error {
    let ids = history.customers();
    let kind = match ids {
        Ids::Integer(_) => "integers",
        Ids::Text(_) => "text, compared letter by letter",
    };
    let example = recurrent(history, rule)
        .0
        .first()
        .and_then(|code| ids.get(*code));
    let example = example.map_or(String::new(), |id| {
        format!("; {id}, for example, is a recurrent customer")
    });
    Error::request(format!(
        "no customer has bought anything up to {} under the id \"{id}\"",
        history.as_of()
    ))
    .hint(format!("the customers' ids are {kind}{example}"))
}

fn weekday(day: Day) -> &'static str {
    Day::WEEKDAYS
        .get(day.weekday())
        .copied()
        .unwrap_or_default()
}

fn past(purchases: &CustomerPurchases<'_>, as_of: AsOf, purchases_90d: u32) -> Option<Past> {
    let days = purchases.days();
    let (first, last) = (*days.first()?, *days.last()?);
    let gaps: Vec<i32> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // The first purchase has no gap before it.
    let gaps_before = std::iter::once(None).chain(gaps.iter().copied().map(Some));
    let mut all: Vec<Purchase> = purchases
        .iter()
        .zip(gaps_before)
        .map(|((day, basket), gap_days)| Purchase {
            day,
            weekday: weekday(day),
            gap_days,
            products: basket.len(),
        })
        .collect();
    all.reverse();
    all.truncate(LATEST);
    Some(Past {
        purchases: days.len(),
        first_purchase: first,
        last_purchase: last,
        days_since_last: as_of.day() - last,
        purchases_90d,
        mean_gap_days: (!gaps.is_empty()).then(|| f64::from(last - first) / gaps.len() as f64),
        median_gap_days: stats::median(gaps.iter().copied().map(f64::from).collect()),
        latest: all,
    })
}

fn judge(rule: &Rule, purchases: &CustomerPurchases<'_>, as_of: AsOf) -> Judgement {
    let periods = rule.counts(purchases, as_of.day());
    let purchases: u32 = periods.iter().map(|period| period.purchases).sum();
    let large: u32 = periods.iter().map(|period| period.large_baskets).sum();
    let large_basket_share = (purchases > 0).then(|| f64::from(large) / f64::from(purchases));
    Judgement {
        rule: *rule,
        periods,
        large_basket_share,
    }
}

/// Each part of the rule that is not met.
fn why_not(judgement: &Judgement) -> Vec<String> {
    let Judgement {
        rule,
        periods,
        large_basket_share,
    } = judgement;
    let needed = rule.min_purchases;
    let mut why: Vec<String> = periods
        .iter()
        .filter(|period| period.purchases < needed)
        .map(|period| {
            format!(
                "{} from {} to {}, where the rule asks for {needed}",
                counted(period.purchases, "purchase"),
                period.first,
                period.last
            )
        })
        .collect();
    if let Some(share) = large_basket_share.filter(|share| *share < rule.basket_share) {
        why.push(format!(
            "a share of {share:.2} of the purchases has at least {}, where the rule asks for {}",
            counted(rule.min_products, "product"),
            rule.basket_share
        ));
    }
    why
}

fn likely(
    night: &NightScorer<'_>,
    prediction: &CustomerPrediction,
    ids: &Ids,
    scratch: &BasketScratch,
    products: usize,
) -> Vec<Product> {
    (1..)
        .zip(&prediction.products)
        .take(products)
        .filter_map(|(rank, product)| likely_product(night, rank, product, ids, scratch))
        .collect()
}

fn likely_product(
    night: &NightScorer<'_>,
    rank: usize,
    product: &ProductPrediction,
    ids: &Ids,
    scratch: &BasketScratch,
) -> Option<Product> {
    let mut rows = scratch
        .candidates
        .iter()
        .zip(scratch.rows.chunks_exact(BASKET_WIDTH));
    let (_, row) = rows.find(|(candidate, _)| candidate.product == product.product)?;
    Some(Product {
        product_id: ids.get(product.product)?.owned(),
        product_name: None,
        category: None,
        last_price: None,
        rank,
        probability: product.probability,
        times_bought: product.times_bought,
        days_since_bought: product.days_since_bought,
        typical_gap_days: product.typical_gap_days,
        model: product.model,
        correction: night.correction(product.product, row),
        reason: product.reason(),
        features: Features::new(&BASKET_FEATURES, row),
    })
}

fn predicted(
    night: &NightScorer<'_>,
    purchases: &CustomerPurchases<'_>,
    prediction: &CustomerPrediction,
    wait: &ReturnTimeDistribution,
    products: Vec<Product>,
) -> Prediction {
    let as_of = night.as_of;
    let by_day = (1..)
        .zip(&wait.probability)
        .take(DAYS)
        .map(|(ahead, probability)| {
            let day = as_of.day() + ahead;
            DayProbability {
                day,
                weekday: weekday(day),
                probability: *probability,
            }
        });
    let [p_return_7d, p_return_14d, p_return_28d] = prediction.return_probability;
    Prediction {
        days_to_next: prediction.days_to_next,
        expected_date: prediction.expected(as_of),
        earliest_date: prediction.earliest,
        latest_date: prediction.latest,
        p_return_7d,
        p_return_14d,
        p_return_28d,
        expected_basket_size: prediction.expected_basket_size,
        by_day: by_day.collect(),
        least_squares_days: night.model.timing.expected_days(
            &mut TimingFeatures::default(),
            purchases,
            as_of.day(),
        ),
        timing_features: Features::new(&TIMING_FEATURES, &timing_features(purchases, as_of.day())),
        products,
    }
}

#[cfg(test)]
mod tests;
