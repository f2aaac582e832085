//! A night: predictions for the customers who meet the rule, one partition after the other.

use rayon::prelude::*;

use crate::calendar::{AsOf, PURCHASES_WINDOW_DAYS};
use crate::domain::{CustomerPrediction, Evidence, Ids, MAX_RANK, Predictions, ProductPrediction};
use crate::error::{Error, Result};
use crate::features::basket::BasketScratch;
use crate::features::store_snapshot::{PartialStoreCounts, SalesWindow, StoreSnapshot};
use crate::features::timing::TimingFeatures;
use crate::models::Model;
use crate::models::basket::{AppliedCorrection, ScoredCandidate};
use crate::models::further::further_candidates;
use crate::models::timing::ReturnTimeDistribution;
use crate::purchases::{CustomerPurchases, History, PartitionedHistory, Partitions, Purchases};
use crate::recurrence::{PopulationSummary, Rule};

/// The summary of a history on a night, and what a model needs to know of the store on it. Both are
/// computed in one pass over the partitions; scoring begins with them.
#[derive(Debug, Clone)]
pub struct NightSummary {
    /// The summary, which is the same for every model.
    pub population: PopulationSummary,
    pub(super) store_counts: PartialStoreCounts,
}

impl NightSummary {
    /// Summarizes a history on the night `as_of` for `model`.
    ///
    /// # Errors
    /// If a partition cannot be brought back from where it was set aside.
    pub fn new(
        model: &Model,
        partitions: &dyn Partitions,
        as_of: AsOf,
        rule: &Rule,
    ) -> Result<Self> {
        Self::with_each(model, partitions, as_of, rule, &mut |_| {})
    }

    /// The summary. `look` is shown each partition up to the night in the same pass.
    ///
    /// # Errors
    /// As [`NightSummary::new`].
    pub fn with_each(
        model: &Model,
        partitions: &dyn Partitions,
        as_of: AsOf,
        rule: &Rule,
        look: &mut dyn FnMut(&History<'_>),
    ) -> Result<Self> {
        let products = partitions.products().len();
        let mut builder = NightSummaryBuilder::new([model], products, as_of, rule);
        PartitionedHistory::new(partitions, as_of).each(|history| {
            builder.add(history);
            look(history);
            Ok(())
        })?;
        let (population, mut store_counts) = builder.finish()?;
        let store_counts = store_counts.pop().ok_or_else(no_partition)?;
        Ok(Self {
            population,
            store_counts,
        })
    }
}

/// A night with all that scoring its customers needs.
pub struct PreparedNight<'m> {
    /// The summary, which is the same for every model.
    pub population: PopulationSummary,
    /// What scores customers.
    pub scorer: NightScorer<'m>,
}

impl NightSummary {
    /// What scores the night with the model for which it was summarized. `products` are the history's.
    ///
    /// # Errors
    /// If the model was trained on days after the night.
    pub fn prepare<'m>(self, model: &'m Model, products: &Ids) -> Result<PreparedNight<'m>> {
        let Self {
            population,
            store_counts,
        } = self;
        refuse_future(model, population.as_of)?;
        let scorer = NightScorer::new(model, population.as_of, products, store_counts);
        Ok(PreparedNight { population, scorer })
    }
}

/// Summarizes a history on one night for several models, partition by partition.
#[derive(Debug)]
pub struct NightSummaryBuilder<'m> {
    models: Vec<&'m Model>,
    population: PopulationSummary,
    /// One for each model, as soon as there was a partition.
    store_counts: Vec<PartialStoreCounts>,
}

impl<'m> NightSummaryBuilder<'m> {
    /// A summary of nothing yet. `products` is how many products the history has.
    pub fn new(
        models: impl IntoIterator<Item = &'m Model>,
        products: usize,
        as_of: AsOf,
        rule: &Rule,
    ) -> Self {
        Self {
            models: models.into_iter().collect(),
            population: PopulationSummary::empty(products, as_of, rule),
            store_counts: vec![],
        }
    }

    /// Adds a partition, as it stands on the night.
    pub fn add(&mut self, history: &History<'_>) {
        self.population.add(history);
        let more = self
            .models
            .iter()
            .map(|model| model.basket.store_counts(history));
        let before = std::mem::take(&mut self.store_counts);
        self.store_counts = PartialStoreCounts::merge_each(before, more);
    }

    /// The summary of the customers, which is the same for every model.
    #[must_use]
    pub fn population(&self) -> &PopulationSummary {
        &self.population
    }

    /// What scores the customers of the night with each model. `products` are the history's.
    ///
    /// # Errors
    /// If no partition was added, or a model was trained on days after the night.
    pub fn scorers(self, products: &Ids) -> Result<Vec<NightScorer<'m>>> {
        let models = self.models.clone();
        let (population, store_counts) = self.finish()?;
        let as_of = population.as_of;
        let scorers = models.into_iter().zip(store_counts);
        scorers
            .map(|(model, counts)| {
                refuse_future(model, as_of)?;
                Ok(NightScorer::new(model, as_of, products, counts))
            })
            .collect()
    }

    fn finish(self) -> Result<(PopulationSummary, Vec<PartialStoreCounts>)> {
        if self.store_counts.len() < self.models.len() {
            return Err(no_partition());
        }
        Ok((self.population, self.store_counts))
    }
}

fn no_partition() -> Error {
    Error::system("a history has no partition")
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
    let night = NightSummary::new(model, purchases, as_of, rule)?;
    refuse_nobody(&night.population)?;
    let recurrent = night.population.recurrent.clone();
    score_some(model, model_id, purchases, night, &recurrent)
}

/// As [`score`], of a history that was summarized for this model, for some customers in whatever
/// order, whether they meet the rule or not. The funnel is that of all.
///
/// # Errors
/// If the model was trained on days after the night, or a partition cannot be brought back from
/// where it was set aside.
pub fn score_some(
    model: &Model,
    model_id: &str,
    partitions: &dyn Partitions,
    night: NightSummary,
    customers: &[u32],
) -> Result<Predictions> {
    let NightSummary {
        population,
        store_counts,
    } = night;
    let as_of = population.as_of;
    refuse_future(model, as_of)?;
    let products = partitions.products();
    let scorer = NightScorer::new(model, as_of, products, store_counts);
    let (customer_ids, customers) = scorer.predict_some(partitions, customers)?;
    Ok(Predictions {
        as_of,
        model_id: model_id.to_owned(),
        funnel: population.funnel,
        customer_ids,
        product_ids: products.clone(),
        customers,
    })
}

/// As [`score`], of a night that was prepared: `take` is given the predictions
/// for at most `customers_at_a_time`, by ascending id.
///
/// # Errors
/// If nobody meets the rule, a partition cannot be brought back from where it was set aside, or what
/// `take` says.
pub fn score_in_slices(
    night: &PreparedNight<'_>,
    model_id: &str,
    partitions: &dyn Partitions,
    customers_at_a_time: usize,
    take: &mut dyn FnMut(&Predictions) -> Result<()>,
) -> Result<()> {
    let PreparedNight { population, scorer } = night;
    refuse_nobody(population)?;
    let mut predictions = Predictions {
        as_of: population.as_of,
        model_id: model_id.to_owned(),
        funnel: population.funnel.clone(),
        customer_ids: Ids::Integer(vec![]),
        product_ids: partitions.products().clone(),
        customers: vec![],
    };
    for some in population.recurrent.chunks(customers_at_a_time.max(1)) {
        (predictions.customer_ids, predictions.customers) =
            scorer.predict_some(partitions, some)?;
        take(&predictions)?;
    }
    Ok(())
}

fn refuse_nobody(population: &PopulationSummary) -> Result<()> {
    let PopulationSummary { as_of, funnel, .. } = population;
    if funnel.recurrent > 0 {
        return Ok(());
    }
    let hint = funnel.lower_share().unwrap_or_else(|| {
        "no basket share lets anyone in: see --min-purchases, --periods and --as-of".to_owned()
    });
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

/// The store on one night as a model sees it: what scores customers.
pub struct NightScorer<'a> {
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

    /// What the own tree of a product makes of its row of features; `None` without a tree.
    pub(super) fn correction(&self, product: u32, row: &[f32]) -> Option<AppliedCorrection> {
        let basket = &self.model.basket;
        basket.applied_correction(&self.trees, product, row)
    }

    /// What is predicted for some customers, by ascending id, under the codes of the ids that come
    /// with it.
    fn predict_some(
        &self,
        partitions: &dyn Partitions,
        some: &[u32],
    ) -> Result<(Ids, Vec<CustomerPrediction>)> {
        let customers = PartitionedHistory::new(partitions, self.as_of).gather(
            |history| self.predict_each(history, some),
            |prediction: &CustomerPrediction| prediction.customer,
        )?;
        Ok(with_own_ids(partitions.customers(), customers))
    }

    /// Replaces the customers of `predictions` by those of some who have a purchase in this
    /// partition, by ascending id.
    pub fn predict_partition(
        &self,
        history: &History<'_>,
        some: &[u32],
        predictions: &mut Predictions,
    ) {
        let mut customers = self.predict_each(history, some);
        customers.par_sort_by_key(|prediction| prediction.customer);
        predictions.as_of = self.as_of;
        (predictions.customer_ids, predictions.customers) =
            with_own_ids(history.customers(), customers);
    }

    /// What is predicted for those of some customers who have a purchase in this partition.
    fn predict_each(&self, history: &History<'_>, some: &[u32]) -> Vec<CustomerPrediction> {
        some.par_iter()
            .map_init(BasketScratch::default, |scratch, customer| {
                self.predict(history, *customer, scratch)
            })
            .flatten()
            .map(|(prediction, _)| prediction)
            .collect()
    }

    /// What is predicted for a customer, and the probability of each day; `None` for one without a
    /// purchase. The candidates and their features stay in `scratch`.
    pub(super) fn predict(
        &self,
        history: &History<'_>,
        customer: u32,
        scratch: &mut BasketScratch,
    ) -> Option<(CustomerPrediction, ReturnTimeDistribution)> {
        let Self { model, as_of, .. } = self;
        let night = as_of.day();
        let purchases = history.purchases_of(customer);
        let last_purchase = *purchases.days().last()?;
        let mut features = TimingFeatures::default();
        let expected = model.timing.expected_days(&mut features, &purchases, night);
        let wait = model.timing.return_time(&mut features, &purchases, night);
        let forecast = model.timing.forecast(&wait, night - last_purchase);
        let (first, last) = forecast.interval;
        let scored = model.basket.score(
            &self.store,
            &self.trees,
            history.customers().key(customer),
            &purchases,
            expected,
            scratch,
        );
        let (listed, others) = scored.split_at(scored.len().min(MAX_RANK));
        let further = self.further(listed, others, scratch);
        let of_customer = |scored: &[ScoredCandidate]| {
            let products = scored.iter();
            products
                .map(|scored| self.product(scored, purchases.len()))
                .collect()
        };
        let purchases_90d = purchases
            .days()
            .iter()
            .filter(|day| night - **day < PURCHASES_WINDOW_DAYS)
            .count();
        let prediction = CustomerPrediction {
            customer,
            last_purchase,
            purchases_90d: purchases_90d as u32,
            days_to_next: f64::from(forecast.median),
            earliest: night + first,
            latest: night + last,
            return_probability: forecast.returns,
            next_on: forecast.distribution.probability,
            expected_basket_size: expected_basket_size(&purchases),
            products: of_customer(listed),
            further: of_customer(&further),
        };
        Some((prediction, forecast.distribution))
    }

    /// Candidates for offers beyond the listed ones: the others that were worth a full look, and
    /// [`further_candidates`].
    fn further(
        &self,
        listed: &[ScoredCandidate],
        others: &[ScoredCandidate],
        scratch: &BasketScratch,
    ) -> Vec<ScoredCandidate> {
        let known = listed.iter().chain(others);
        let mut known: Vec<u32> = known.map(|scored| scored.candidate.product).collect();
        known.sort_unstable();
        let at = further_candidates(scratch, &known);
        let mut further = others.to_vec();
        further.extend(self.model.basket.score_at(&self.trees, scratch, &at));
        further.sort_by(ScoredCandidate::likelier_first);
        further
    }

    /// What is predicted of one product for a customer with this many purchases.
    fn product(&self, scored: &ScoredCandidate, purchases: usize) -> ProductPrediction {
        let candidate = &scored.candidate;
        let evidence = match candidate.times {
            0 => Evidence::Store {
                share: self
                    .store
                    .product(candidate.product)
                    .share(SalesWindow::Days28),
            },
            _ => Evidence::Own {
                lately: candidate.in_latest_ten,
                purchases: purchases.min(10) as u32,
            },
        };
        ProductPrediction {
            product: candidate.product,
            probability: scored.probability,
            times_bought: candidate.times,
            days_since_bought: (candidate.times > 0).then_some(candidate.days_since_last),
            typical_gap_days: candidate.gap_days(),
            model: scored.model,
            evidence,
        }
    }
}

/// The same predictions with the ids of their customers alone, and the codes that these have there.
fn with_own_ids(
    ids: &Ids,
    mut customers: Vec<CustomerPrediction>,
) -> (Ids, Vec<CustomerPrediction>) {
    let ids = ids.select(customers.iter().map(|prediction| prediction.customer));
    (0..)
        .zip(&mut customers)
        .for_each(|(code, prediction)| prediction.customer = code);
    (ids, customers)
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
