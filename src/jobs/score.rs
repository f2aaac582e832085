//! Score a night: predict for the recurrent customers, make offers, and publish the tables.

use std::sync::Arc;

use serde::Serialize;

use super::guards::{NightFeed, WarningLog, sample_of, settle};
use super::registry::load_for_night;
use super::sent::sent_before;
use super::tickets::days_up_to;
use super::{Progress, Purpose, StoredModel, Tickets, compute};
use crate::calendar::{AsOf, Day};
use crate::config::Config;
use crate::domain::{CustomerPrediction, Details, Funnel, OwnedId, Predictions, ProductPrediction};
use crate::error::{Error, Result};
use crate::guards::{FeedCounts, Warning};
use crate::ingest::report::Report;
use crate::lift::small_arm;
use crate::models::{self, PreparedNight};
use crate::offers::{
    Action, Arm, Offer, OfferMaker, OfferParameters, SentOffers, unknown_categories,
    unknown_exclusions,
};
use crate::publish::manifest::{GuardRecord, MANIFEST, ModelReference, night_folder};
use crate::publish::runs::{NightRun, night_before, publish_run};
use crate::publish::tables::{CUSTOMERS_AT_A_TIME, Format, TableFile, Tables};
use crate::record::{Measured, Stage};
use crate::store::{self, Location};

/// At least this many customers are predicted before their rows are written.
const SLICE: usize = 10 * CUSTOMERS_AT_A_TIME;

/// Bytes that a customer's predictions take until they are written, offers included.
const CUSTOMER_BYTES: u64 = 5_500;

/// What is asked of [`score`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreRequest {
    /// The night to speak from: everything up to and including this day is known.
    pub as_of: AsOf,
    /// A model of the registry by its id, or a model file; if `None`, the promoted model for the
    /// night ([`AS_OF_MODEL`](super::AS_OF_MODEL)).
    pub model: Option<String>,
    /// Formats in which the offers are written besides Parquet.
    pub formats: Vec<Format>,
    /// How many customers the summary shows as examples.
    pub examples: usize,
    /// Whether the night is published although guards would stop it.
    pub force: bool,
}

impl ScoreRequest {
    /// The promoted model for the night `as_of` scores it; tables are Parquet, and there are no examples.
    #[must_use]
    pub fn new(as_of: AsOf) -> Self {
        Self {
            as_of,
            model: None,
            formats: vec![],
            examples: 0,
            force: false,
        }
    }
}

/// A night that was published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreSummary {
    /// The night.
    pub as_of: AsOf,
    /// The model that predicted.
    pub model_id: String,
    /// The manifest, as messages name it.
    pub manifest: String,
    /// The run's id.
    pub run_id: String,
    /// How many customers were scored.
    pub customers: usize,
    /// How many offers were made, those held back as control included.
    pub offers: usize,
    /// What became of each line of the input.
    pub lines: Report,
    /// How many customers pass each part of the rule.
    pub funnel: Funnel,
    /// What the run warned of.
    pub warnings: Vec<Warning>,
    /// What the guards said of the feed.
    pub guards: GuardRecord,
    /// Which okuo it was, and what it took.
    pub measured: Measured,
    /// How many of the offers are to be sent on the day after the night.
    pub offers_due: usize,
    /// To how many customers.
    pub customers_due: usize,
    /// What the discounts of these offers cost if they change nothing; `None` without prices or
    /// `[offers] discount`.
    pub expected_cost: Option<f64>,
    /// How many of the due offers have no price, and are not in it.
    pub offers_without_cost: usize,
    /// Some of the customers, spread over all of them.
    #[serde(skip)]
    pub examples: Vec<ExampleCustomer>,
}

/// A customer of a night, with ids instead of codes.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleCustomer {
    /// The customer.
    pub customer_id: OwnedId,
    /// The day on which the next purchase is expected.
    pub expected_date: Day,
    /// What is predicted, without the products.
    pub prediction: CustomerPrediction,
    /// The likeliest products, the likeliest first.
    pub products: Vec<ExampleProduct>,
}

/// A product of an [`ExampleCustomer`].
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleProduct {
    /// The product.
    pub product_id: OwnedId,
    /// What it is called, if that is known.
    pub name: Option<Arc<str>>,
    /// What is predicted.
    pub prediction: ProductPrediction,
}

/// Scores one night on the configured tickets and publishes it below `config.output`.
///
/// # Errors
/// If no output is configured, the model cannot be used on the night, the tickets cannot be read,
/// a guard stops the night ([`crate::error::Kind::Guard`]) or its tickets have not come yet
/// ([`crate::error::Kind::NoData`]), nobody meets the rule, or the output cannot
/// be written. A run that was published before still
/// stands then.
pub async fn score(
    config: &Config,
    request: &ScoreRequest,
    progress: &dyn Progress,
) -> Result<ScoreSummary> {
    required_output(config)?;
    config.required_inputs()?;
    let progress = &WarningLog::new(progress);
    let named = request.model.as_deref();
    let scored = async {
        let (model, config) = load_for_night(config, named, request.as_of, progress).await?;
        read_and_score(&config, &model, request, progress).await
    };
    progress.end(scored.await)
}

/// Reads the tickets of a night and scores them with the model for it, and with the settings that
/// have the model's rule.
pub(super) async fn read_and_score(
    config: &Config,
    model: &StoredModel,
    request: &ScoreRequest,
    progress: &WarningLog<'_>,
) -> Result<ScoreSummary> {
    // An output that cannot be read or written is told now, not after the scoring.
    let output = store::open(required_output(config)?).await?;
    let night = output.child(&night_folder(request.as_of));
    night.find(MANIFEST).await?;
    night.prove_writable().await?;
    progress.enter(Stage::List);
    let days = days_up_to(request.as_of, config);
    let tickets = Tickets::read(config, days, Purpose::Scoring, progress).await?;
    progress.stage("looking at the store");
    score_into(&output, config, model, tickets, request, progress).await
}

/// Scores tickets that have been read, as [`score`] does, with a model that has been loaded.
/// `config.rule` decides who is scored.
///
/// # Errors
/// As [`score`].
pub async fn score_on(
    config: &Config,
    model: &StoredModel,
    tickets: Tickets,
    request: &ScoreRequest,
    progress: &dyn Progress,
) -> Result<ScoreSummary> {
    let output = store::open(required_output(config)?).await?;
    let progress = &WarningLog::new(progress);
    progress.end(score_into(&output, config, model, tickets, request, progress).await)
}

async fn score_into(
    output: &Location,
    config: &Config,
    model: &StoredModel,
    mut tickets: Tickets,
    request: &ScoreRequest,
    progress: &WarningLog<'_>,
) -> Result<ScoreSummary> {
    progress.enter(Stage::Summarize);
    let mut counts = FeedCounts::new(request.as_of, tickets.partitions.products().len());
    let mut sample = sample_of(config, model, request.as_of);
    let night =
        tickets.summarize_night(config, model, request.as_of, progress, &mut |history| {
            if config.guards.enabled {
                counts.add(history);
            }
            if let Some(sample) = &mut sample {
                sample.add(history);
            }
        })?;
    let night = compute(|| night.prepare(&model.model, tickets.partitions.products()))?;
    let feed = NightFeed {
        counts,
        tickets: &tickets,
        model: Some(model),
        features: compute(|| sample.map(|sample| sample.features(&night.scorer))),
        recurrent: night.population.funnel.recurrent,
        published: match config.guards.enabled {
            true => night_before(output, request.as_of, &config.rule).await?,
            false => None,
        },
    };
    let guards = settle(
        &feed.judge(config)?,
        &tickets.lines,
        config,
        request.force,
        progress,
    )?;
    progress.tickets(&tickets.lines, &night.population)?;
    tickets.warn_of_frequent_products(&night.population, progress);
    progress.stage("scoring");
    progress.enter(Stage::Predict);
    warn_of_unknown_exclusions(&tickets, &config.offers, progress);
    let funnel = night.population.funnel.clone();
    let (sent, of_sent) = sent_before(config, output, &tickets, request.as_of, progress).await?;
    let scored = compute(|| {
        predict(
            config,
            &model.id(),
            &tickets,
            &night,
            request,
            &sent,
            progress,
        )
    })?;
    // Once: before the first mailing.
    if let Some(warning) = scored.small_arm.as_ref().filter(|_| sent.is_empty()) {
        progress.warning(warning);
    }
    let Tickets { lines, objects, .. } = tickets;
    progress.stage("publishing");
    progress.enter(Stage::Publish);
    let run = NightRun {
        as_of: request.as_of,
        model: ModelReference {
            id: model.id(),
            sha256: model.header.body_sha256.clone(),
        },
        tables: scored.tables,
        config: config.summary(),
        inputs: objects.into_iter().chain(of_sent).collect(),
        lines: serde_json::to_value(&lines).unwrap_or_default(),
        funnel,
        warnings: progress.warnings(),
        guards,
        measured: Some(progress.measured()),
    };
    let published = publish_run(output, &run).await?;
    for warning in &published.warnings {
        progress.warning(warning);
    }
    Ok(ScoreSummary {
        as_of: request.as_of,
        model_id: run.model.id,
        manifest: published.name,
        run_id: published.manifest.run_id,
        customers: scored.customers,
        offers: scored.offers,
        lines,
        funnel: run.funnel,
        warnings: progress.warnings(),
        guards: run.guards,
        measured: progress.measured(),
        offers_due: scored.offers_due,
        customers_due: scored.customers_due,
        expected_cost: scored.expected_cost,
        offers_without_cost: scored.offers_without_cost,
        examples: scored.examples,
    })
}

pub(super) fn required_output(config: &Config) -> Result<&str> {
    config.output.as_deref().ok_or_else(|| {
        Error::request("no output was named").hint("give --output URI, or output in okuo.toml")
    })
}

fn warn_of_unknown_exclusions(
    tickets: &Tickets,
    parameters: &OfferParameters,
    progress: &dyn Progress,
) {
    for id in unknown_exclusions(tickets.partitions.products(), parameters) {
        progress.warning(&format!(
            "the product {id}, which is excluded from offers, does not occur in the data"
        ));
    }
}

fn warn_of_unknown_categories(
    details: &Details,
    parameters: &OfferParameters,
    progress: &dyn Progress,
) {
    for category in unknown_categories(details, parameters) {
        progress.warning(&format!(
            "the category {category}, which is excluded from offers, is that of no product"
        ));
    }
}

/// Predictions and offers of a night, before they are published.
struct ScoredNight {
    tables: Vec<TableFile>,
    customers: usize,
    offers: usize,
    offers_due: usize,
    customers_due: usize,
    expected_cost: Option<f64>,
    offers_without_cost: usize,
    /// What to say if the control arm is too small to show anything.
    small_arm: Option<String>,
    examples: Vec<ExampleCustomer>,
}

fn predict(
    config: &Config,
    model_id: &str,
    tickets: &Tickets,
    night: &PreparedNight<'_>,
    request: &ScoreRequest,
    sent: &SentOffers,
    progress: &WarningLog<'_>,
) -> Result<ScoredNight> {
    let recurrent = night.population.recurrent.len();
    let details = tickets.details(night.population.as_of, &night.population.recurrent);
    warn_of_unknown_categories(&details, &config.offers, progress);
    let maker = OfferMaker::new(&config.offers, tickets.partitions.products(), sent)?;
    let mut maker = maker.with_details(&details)?;
    let mut collector = NightCollector::new(recurrent, request, details, &config.offers);
    models::score_in_slices(
        night,
        model_id,
        &*tickets.partitions,
        customers_at_a_time(tickets.partitions.count(), config.memory_limit),
        &mut |predictions| {
            progress.enter(Stage::Tables);
            collector.add(predictions, &maker.offers(predictions)?)?;
            progress.enter(Stage::Predict);
            Ok(())
        },
    )?;
    progress.enter(Stage::Tables);
    collector.finish()
}

/// How many customers are predicted at a time. Each slice is another look at all partitions of the
/// history: if there are several, a slice is as large as a quarter of the memory limit allows.
fn customers_at_a_time(partitions: usize, memory_limit: Option<u64>) -> usize {
    let limit = memory_limit.filter(|_| partitions > 1).unwrap_or_default();
    let within = usize::try_from(limit / 4 / CUSTOMER_BYTES).unwrap_or(usize::MAX);
    (within / CUSTOMERS_AT_A_TIME * CUSTOMERS_AT_A_TIME).max(SLICE)
}

/// Takes a night's predictions slice by slice.
struct NightCollector {
    tables: Tables,
    details: Details,
    customers: usize,
    offers: usize,
    offers_due: usize,
    customers_due: usize,
    expected_cost: Option<f64>,
    offers_without_cost: usize,
    arms: ArmCounts,
    /// Customers from one example to the next, so that not only the smallest ids are shown.
    example_step: usize,
    most_examples: usize,
    examples: Vec<ExampleCustomer>,
}

impl NightCollector {
    fn new(
        recurrent: usize,
        request: &ScoreRequest,
        details: Details,
        offers: &OfferParameters,
    ) -> Self {
        Self {
            tables: Tables::new(&request.formats, details.clone()),
            details,
            customers: 0,
            offers: 0,
            offers_due: 0,
            customers_due: 0,
            expected_cost: None,
            offers_without_cost: 0,
            arms: ArmCounts {
                max_per_week: offers.max_per_week as f64,
                ..ArmCounts::default()
            },
            example_step: (recurrent / request.examples.max(1)).max(1),
            most_examples: request.examples,
            examples: vec![],
        }
    }

    fn add(&mut self, predictions: &Predictions, offers: &[Offer]) -> Result<()> {
        self.tables.push(predictions, offers)?;
        let made = offers.iter().filter(|offer| offer.action == Action::Offer);
        self.offers += made.count();
        for offer in offers.iter().filter(|offer| offer.due) {
            self.offers_due += 1;
            match offer.expected_cost {
                Some(cost) => *self.expected_cost.get_or_insert(0.0) += cost,
                None => self.offers_without_cost += 1,
            }
        }
        let of_customer = offers.chunk_by(|one, next| one.customer == next.customer);
        self.customers_due += of_customer
            .filter(|offers| offers.iter().any(|offer| offer.due))
            .count();
        self.arms.add(predictions, offers);
        for (at, customer) in (self.customers..).zip(&predictions.customers) {
            if at % self.example_step == 0 && self.examples.len() < self.most_examples {
                self.examples
                    .extend(example(predictions, customer, &self.details));
            }
        }
        self.customers += predictions.customers.len();
        Ok(())
    }

    fn finish(self) -> Result<ScoredNight> {
        Ok(ScoredNight {
            tables: self.tables.finish()?,
            customers: self.customers,
            offers: self.offers,
            offers_due: self.offers_due,
            customers_due: self.customers_due,
            expected_cost: self.expected_cost,
            offers_without_cost: self.offers_without_cost,
            small_arm: self.arms.small(),
            examples: self.examples,
        })
    }
}

/// How large the arms are, and how many offers a customer gets.
#[derive(Default)]
struct ArmCounts {
    max_per_week: f64,
    /// Customers who are offered something.
    customers: usize,
    of_control: usize,
    offers: usize,
    /// Sum of the probabilities that they are bought anyway.
    bought: f64,
    scored: usize,
    purchases_90d: u64,
}

impl ArmCounts {
    fn add(&mut self, predictions: &Predictions, offers: &[Offer]) {
        self.scored += predictions.customers.len();
        let purchases = predictions.customers.iter();
        let purchases = purchases.map(|customer| u64::from(customer.purchases_90d));
        self.purchases_90d += purchases.sum::<u64>();
        for of_customer in offers.chunk_by(|one, next| one.customer == next.customer) {
            let made = of_customer.iter();
            let made = made.filter(|offer| offer.action == Action::Offer);
            self.offers += made.clone().count();
            self.bought += made.clone().map(|offer| offer.p_window).sum::<f64>();
            if let Some(first) = made.clone().next() {
                self.customers += 1;
                self.of_control += usize::from(first.arm == Arm::Control);
            }
        }
    }

    /// What to say if the control arm is too small to show anything.
    fn small(&self) -> Option<String> {
        let visits = self.purchases_90d as f64 * 7.0 / 90.0 / self.scored.max(1) as f64;
        let offers = self.offers as f64;
        let a_mailing = offers / self.customers.max(1) as f64;
        let a_week = a_mailing * visits.min(self.max_per_week);
        small_arm(
            self.customers,
            self.of_control,
            a_week,
            self.bought / offers.max(1.0),
        )
    }
}

fn example(
    predictions: &Predictions,
    customer: &CustomerPrediction,
    details: &Details,
) -> Option<ExampleCustomer> {
    Some(ExampleCustomer {
        customer_id: predictions.customer_ids.get(customer.customer)?.owned(),
        expected_date: predictions.expected(customer),
        prediction: CustomerPrediction {
            products: vec![],
            further: vec![],
            ..customer.clone()
        },
        products: customer
            .products
            .iter()
            .filter_map(|product| example_product(predictions, product, details))
            .collect(),
    })
}

fn example_product(
    predictions: &Predictions,
    product: &ProductPrediction,
    details: &Details,
) -> Option<ExampleProduct> {
    Some(ExampleProduct {
        product_id: predictions.product_ids.get(product.product)?.owned(),
        name: details.product_name(product.product).cloned(),
        prediction: product.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_of_whole_groups_and_larger_only_where_they_save_looks() {
        assert_eq!(
            [None, Some(100_000_000), Some(64_000_000_000)]
                .map(|limit| customers_at_a_time(1, limit)),
            [SLICE; 3]
        );
        assert_eq!(
            [100_000_000, 1_000_000_000, 8_000_000_000]
                .map(|limit| customers_at_a_time(5, Some(limit))),
            [SLICE, SLICE, 360_000]
        );
        assert_eq!(
            customers_at_a_time(5, Some(u64::MAX)) % CUSTOMERS_AT_A_TIME,
            0
        );
    }
}
