//! A night: whom the rule names, and what is predicted for them, one part of the customers after
//! the other.

use rayon::prelude::*;

use crate::calendar::{AsOf, DateRange, PURCHASES_WINDOW_DAYS, RECENT_DAYS};
use crate::domain::Funnel;
use crate::domain::Ids;
use crate::domain::{CustomerPrediction, Evidence, MAX_RANK, Predictions, ProductPrediction};
use crate::error::{Error, Result};
use crate::features::basket::BasketScratch;
use crate::features::store_snapshot::{PartialStoreCounts, SalesWindow, StoreSnapshot};
use crate::features::timing::TimingFeatures;
use crate::models::Model;
use crate::models::timing::ReturnTimeDistribution;
use crate::purchases::{CustomerPurchases, History, PartitionedHistory, Partitions, Purchases};
use crate::recurrence::{Rule, recurrent};

/// What all customers together say on a night: a first look at each part.
#[derive(Debug)]
pub struct Overview {
    /// The first and the last day with a purchase.
    pub span: Option<DateRange>,
    /// How many customers pass each part of the rule.
    pub funnel: Funnel,
    /// Those who meet it, by ascending code.
    pub recurrent: Vec<u32>,
    /// Distinct (customer, day, product).
    pub distinct_lines: usize,
    /// The products' ids.
    pub products: Ids,
    /// Which of them were bought lately ([`RECENT_DAYS`]).
    pub bought_lately: Vec<bool>,
    pub(super) store_counts: PartialStoreCounts,
}

impl Overview {
    /// Looks at a history on the night `as_of`, as `model` looks at the store.
    ///
    /// # Errors
    /// If a part cannot be brought back from where it was set aside.
    pub fn new(
        model: &Model,
        partitions: &dyn Partitions,
        as_of: AsOf,
        rule: &Rule,
    ) -> Result<Self> {
        let mut overview = Self::of_part(model, &*partitions.partition(0)?, as_of, rule);
        for at in 1..partitions.count() {
            let more = Self::of_part(model, &*partitions.partition(at)?, as_of, rule);
            overview.span = DateRange::union(overview.span, more.span);
            overview.funnel = overview.funnel.merge(&more.funnel);
            overview.recurrent.extend(more.recurrent);
            overview.distinct_lines += more.distinct_lines;
            overview
                .bought_lately
                .iter_mut()
                .zip(more.bought_lately)
                .for_each(|(bought, more)| *bought |= more);
            overview.store_counts = overview.store_counts.merge(more.store_counts);
        }
        overview.recurrent.sort_unstable();
        Ok(overview)
    }

    fn of_part(model: &Model, purchases: &Purchases, as_of: AsOf, rule: &Rule) -> Self {
        let history = purchases.until(as_of);
        let (recurrent, funnel) = recurrent(&history, rule);
        Self {
            span: purchases.span(),
            funnel,
            recurrent,
            distinct_lines: purchases.distinct_lines(),
            products: purchases.products().clone(),
            bought_lately: history.products_bought_within(RECENT_DAYS),
            store_counts: model.basket.store_counts(&history),
        }
    }
}

/// Predicts for the recurrent customers of the night `as_of`, whom `rule` names.
///
/// # Errors
/// If nobody meets the rule, or the model was trained on days after `as_of`.
pub fn score(
    model: &Model,
    model_id: &str,
    purchases: &Purchases,
    as_of: AsOf,
    rule: &Rule,
) -> Result<Predictions> {
    refuse_future(model, as_of)?;
    let mut overview = Overview::new(model, purchases, as_of, rule)?;
    refuse_nobody(&overview.funnel, as_of)?;
    let recurrent = std::mem::take(&mut overview.recurrent);
    score_some(model, model_id, purchases, overview, as_of, &recurrent)
}

/// As [`score`], of a history of which an overview was made for this model and night, for some
/// customers in whatever order, whether they meet the rule or not. The funnel is that of all.
///
/// # Errors
/// If the model was trained on days after `as_of`, or a part cannot be brought back from where it
/// was set aside.
pub fn score_some(
    model: &Model,
    model_id: &str,
    partitions: &dyn Partitions,
    overview: Overview,
    as_of: AsOf,
    customers: &[u32],
) -> Result<Predictions> {
    refuse_future(model, as_of)?;
    let Overview {
        funnel,
        products,
        store_counts,
        ..
    } = overview;
    let night = NightScorer::new(model, as_of, &products, store_counts);
    let (customer_ids, customers) = night.predict_some(partitions, customers)?;
    Ok(Predictions {
        as_of,
        model_id: model_id.to_owned(),
        funnel,
        customer_ids,
        product_ids: products,
        customers,
    })
}

/// As [`score`], of a history of which an overview was made for this model, night and rule: `take`
/// is given the predictions for at most `customers_at_a_time`, by ascending id.
///
/// # Errors
/// As [`score`], if a part cannot be brought back from where it was set aside, or what `take` says.
pub fn score_in_slices(
    model: &Model,
    model_id: &str,
    partitions: &dyn Partitions,
    overview: Overview,
    as_of: AsOf,
    customers_at_a_time: usize,
    take: &mut dyn FnMut(&Predictions) -> Result<()>,
) -> Result<()> {
    refuse_future(model, as_of)?;
    let Overview {
        funnel,
        recurrent,
        products,
        store_counts,
        ..
    } = overview;
    refuse_nobody(&funnel, as_of)?;
    let night = NightScorer::new(model, as_of, &products, store_counts);
    let (model_id, customer_ids) = (model_id.to_owned(), Ids::Integer(vec![]));
    let mut predictions = Predictions {
        as_of,
        model_id,
        funnel,
        customer_ids,
        product_ids: products,
        customers: vec![],
    };
    for some in recurrent.chunks(customers_at_a_time.max(1)) {
        (predictions.customer_ids, predictions.customers) = night.predict_some(partitions, some)?;
        take(&predictions)?;
    }
    Ok(())
}

fn refuse_nobody(funnel: &Funnel, as_of: AsOf) -> Result<()> {
    if funnel.recurrent > 0 {
        return Ok(());
    }
    let nothing =
        || "no basket share lets anyone in: see --min-purchases, --periods and --as-of".to_owned();
    let hint = funnel.lower_share().unwrap_or_else(nothing);
    Err(Error::request(format!("on {as_of} nobody meets the recurrence rule")).hint(hint))
}

/// Refuses a model that has seen days after the night: its predictions would look better than they
/// are.
///
/// # Errors
/// If it was trained up to a later day than `as_of`.
pub fn refuse_future(model: &Model, as_of: AsOf) -> Result<()> {
    if model.as_of <= as_of {
        return Ok(());
    }
    Err(Error::request(format!(
        "the model was trained up to {}, after the as-of date {as_of}",
        model.as_of
    ))
    .hint("choose an older model with --model; `okuo models list` shows them"))
}

/// The store on one night as a model sees it.
pub(super) struct NightScorer<'a> {
    pub(super) model: &'a Model,
    pub(super) as_of: AsOf,
    pub(super) store: StoreSnapshot,
    trees: Vec<Option<u32>>,
}

impl<'a> NightScorer<'a> {
    pub(super) fn new(
        model: &'a Model,
        as_of: AsOf,
        products: &Ids,
        store_counts: PartialStoreCounts,
    ) -> Self {
        Self {
            model,
            as_of,
            store: model.basket.store(store_counts),
            trees: model.basket.trees_by_code(products),
        }
    }

    /// What is predicted for some customers, by ascending id, under the codes of the ids that come
    /// with it.
    fn predict_some(
        &self,
        partitions: &dyn Partitions,
        some: &[u32],
    ) -> Result<(Ids, Vec<CustomerPrediction>)> {
        let of_part = |history: &History<'_>| {
            let predict = |scratch: &mut BasketScratch, customer: &u32| {
                self.predict(history, *customer, scratch)
            };
            some.par_iter()
                .map_init(BasketScratch::default, predict)
                .flatten()
                .map(|(prediction, _)| prediction)
                .collect()
        };
        let mut customers = PartitionedHistory::new(partitions, self.as_of)
            .gather(of_part, |prediction: &CustomerPrediction| {
                prediction.customer
            })?;
        let ids = partitions
            .customers()
            .select(customers.iter().map(|prediction| prediction.customer));
        (0..)
            .zip(&mut customers)
            .for_each(|(code, prediction)| prediction.customer = code);
        Ok((ids, customers))
    }

    /// What is predicted for a customer, and the wait that it comes from; `None` for one without a
    /// purchase. The candidates and their features stay in `scratch`.
    pub(super) fn predict(
        &self,
        history: &History<'_>,
        customer: u32,
        scratch: &mut BasketScratch,
    ) -> Option<(CustomerPrediction, ReturnTimeDistribution)> {
        let Self {
            model,
            as_of,
            store,
            trees,
        } = self;
        let night = as_of.day();
        let purchases = history.purchases_of(customer);
        let last_purchase = *purchases.days().last()?;
        let mut features = TimingFeatures::default();
        let expected = model.timing.expected_days(&mut features, &purchases, night);
        let wait = model.timing.wait(&mut features, &purchases, night);
        let (first, last) = model.timing.interval(&wait);
        let scored = model.basket.score(
            store,
            trees,
            history.customers().key(customer),
            &purchases,
            expected,
            scratch,
        );
        let products = scored
            .iter()
            .take(MAX_RANK)
            .map(|scored| ProductPrediction {
                product: scored.candidate.product,
                probability: scored.probability,
                times_bought: scored.candidate.times,
                days_since_bought: (scored.candidate.times > 0)
                    .then_some(scored.candidate.days_since_last),
                typical_gap_days: scored.candidate.gap_days(),
                model: scored.model,
                evidence: match scored.candidate.times {
                    0 => Evidence::Store {
                        share: store
                            .product(scored.candidate.product)
                            .share(SalesWindow::Days28),
                    },
                    _ => Evidence::Own {
                        lately: scored.candidate.in_latest_ten,
                        purchases: purchases.len().min(10) as u32,
                    },
                },
            });
        let prediction = CustomerPrediction {
            customer,
            last_purchase,
            purchases_90d: purchases
                .days()
                .iter()
                .filter(|day| night - **day < PURCHASES_WINDOW_DAYS)
                .count() as u32,
            days_to_next: wait.median(),
            earliest: night + first,
            latest: night + last,
            return_probability: model.timing.return_probability(&wait),
            expected_basket_size: expected_basket_size(&purchases),
            products: products.collect(),
        };
        Some((prediction, wait))
    }
}

/// The mean size of the latest baskets, each older one counting a tenth less.
fn expected_basket_size(purchases: &CustomerPurchases<'_>) -> f64 {
    let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
    for (_, basket) in purchases.iter().rev().take(50) {
        sum += weight * basket.len() as f64;
        weights += weight;
        weight *= 0.9;
    }
    sum / f64::max(weights, 1e-9)
}
