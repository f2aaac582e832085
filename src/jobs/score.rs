//! Score a night: predict for the recurrent customers, make offers, and publish the tables.

use std::sync::Arc;

use serde::Serialize;

use super::guards::{NightFeed, WarningLog, sample_of, settle};
use super::registry::load_for_night;
use super::sent::{SentBefore, SentReader};
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
    Action, Arm, Offer, OfferMaker, OfferParameters, PlanChanges, StandingPlan, unknown_categories,
    unknown_exclusions,
};
use crate::publish::manifest::{
    GuardRecord, MANIFEST, ManifestInput, ModelReference, night_folder,
};
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
    /// The most that they may cost, if there is a budget.
    pub budget: Option<f64>,
    /// How many offers are held back for it.
    pub over_budget: usize,
    /// The plan that the night keeps to, if one stands.
    pub plan: Option<KeptPlan>,
    /// Some of the customers, spread over all of them.
    #[serde(skip)]
    pub examples: Vec<ExampleCustomer>,
}

/// A plan that a night keeps to, and what it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeptPlan {
    /// The night on which it was made.
    pub as_of: AsOf,
    /// What differs from it on the next morning.
    #[serde(flatten)]
    pub changes: PlanChanges,
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
    prove_ready(&output.child(&night_folder(request.as_of))).await?;
    let tickets = read_tickets(config, request.as_of, progress).await?;
    score_into(&output, config, model, tickets, request, progress).await
}

/// That a manifest can be read from a folder, and one be written there.
pub(super) async fn prove_ready(folder: &Location) -> Result<()> {
    folder.find(MANIFEST).await?;
    folder.prove_writable().await
}

/// Reads the tickets of a night.
pub(super) async fn read_tickets(
    config: &Config,
    as_of: AsOf,
    progress: &WarningLog<'_>,
) -> Result<Tickets> {
    progress.enter(Stage::List);
    let days = days_up_to(as_of, config);
    let tickets = Tickets::read(config, days, Purpose::Scoring, progress).await?;
    progress.stage("looking at the store");
    Ok(tickets)
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
    let judged = JudgedNight {
        output,
        config,
        model,
        as_of: request.as_of,
        force: request.force,
    };
    let (night, guards) = judged.of(&mut tickets, progress).await?;
    let funnel = night.population.funnel.clone();
    let before = judged.sent_before(&tickets, progress).await?;
    let scored = compute(|| {
        predict(
            config,
            &model.id(),
            &tickets,
            &night,
            request,
            &before,
            progress,
        )
    })?;
    // Once: before the first mailing.
    let small_arm = scored.small_arm.as_ref();
    if let Some(warning) = small_arm.filter(|_| before.sent.is_empty()) {
        progress.warning(warning);
    }
    progress.stage("publishing");
    progress.enter(Stage::Publish);
    let lines = tickets.lines.clone();
    let run = NightRun {
        tables: scored.tables,
        funnel,
        guards,
        ..judged.run(tickets, before.inputs, progress)
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
        budget: config.offers.budget,
        over_budget: scored.over_budget,
        plan: scored
            .plan
            .map(|(as_of, changes)| KeptPlan { as_of, changes }),
        examples: scored.examples,
    })
}

/// A night that the guards let pass: what scoring it and planning from it have in common.
pub(super) struct JudgedNight<'a> {
    pub(super) output: &'a Location,
    pub(super) config: &'a Config,
    pub(super) model: &'a StoredModel,
    pub(super) as_of: AsOf,
    pub(super) force: bool,
}

impl<'a> JudgedNight<'a> {
    /// The night with all that scoring needs, and what the guards said of it.
    ///
    /// # Errors
    /// If a guard stops the night, or no purchase is known on it.
    pub(super) async fn of(
        &self,
        tickets: &mut Tickets,
        progress: &WarningLog<'_>,
    ) -> Result<(PreparedNight<'a>, GuardRecord)> {
        let (config, model) = (self.config, self.model);
        progress.enter(Stage::Summarize);
        let mut counts = FeedCounts::new(self.as_of, tickets.partitions.products().len());
        let mut sample = sample_of(config, model, self.as_of);
        let night =
            tickets.summarize_night(config, model, self.as_of, progress, &mut |history| {
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
            tickets: &*tickets,
            model: Some(model),
            features: compute(|| sample.map(|sample| sample.features(&night.scorer))),
            recurrent: night.population.funnel.recurrent,
            published: match config.guards.enabled {
                true => night_before(self.output, self.as_of, &config.rule).await?,
                false => None,
            },
        };
        let guards = settle(
            &feed.judge(config)?,
            &tickets.lines,
            config,
            self.force,
            progress,
        )?;
        progress.tickets(&tickets.lines, &night.population)?;
        tickets.warn_of_frequent_products(&night.population, progress);
        progress.stage("scoring");
        progress.enter(Stage::Predict);
        warn_of_unknown_exclusions(tickets, &config.offers, progress);
        Ok((night, guards))
    }

    /// What was sent before the night, and what is planned.
    ///
    /// # Errors
    /// As [`SentReader::read`].
    pub(super) async fn sent_before(
        &self,
        tickets: &Tickets,
        progress: &WarningLog<'_>,
    ) -> Result<SentBefore> {
        let reader = SentReader {
            config: self.config,
            output: self.output,
            tickets,
            as_of: self.as_of,
            progress,
        };
        reader.read().await
    }

    /// What is published of the night, but for its tables and what the guards said.
    pub(super) fn run(
        &self,
        tickets: Tickets,
        of_sent: Vec<ManifestInput>,
        progress: &WarningLog<'_>,
    ) -> NightRun {
        NightRun {
            as_of: self.as_of,
            model: ModelReference {
                id: self.model.id(),
                sha256: self.model.header.body_sha256.clone(),
            },
            tables: vec![],
            config: self.config.summary(),
            inputs: tickets.objects.into_iter().chain(of_sent).collect(),
            lines: serde_json::to_value(&tickets.lines).unwrap_or_default(),
            funnel: Funnel::default(),
            warnings: progress.warnings(),
            guards: GuardRecord::default(),
            measured: Some(progress.measured()),
        }
    }
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

pub(super) fn warn_of_unknown_categories(
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
    over_budget: usize,
    plan: Option<(AsOf, PlanChanges)>,
    examples: Vec<ExampleCustomer>,
}

fn predict(
    config: &Config,
    model_id: &str,
    tickets: &Tickets,
    night: &PreparedNight<'_>,
    request: &ScoreRequest,
    before: &SentBefore,
    progress: &WarningLog<'_>,
) -> Result<ScoredNight> {
    let recurrent = night.population.recurrent.len();
    let details = tickets.details(night.population.as_of, &night.population.recurrent);
    warn_of_unknown_categories(&details, &config.offers, progress);
    let maker = OfferMaker::new(&config.offers, tickets.partitions.products(), &before.sent)?;
    let mut maker = maker
        .with_details(&details)?
        .keeping_to(before.plan.as_ref());
    let mut collector = NightCollector::new(recurrent, request, details, &config.offers);
    let take = &mut |predictions: &Predictions, maker: &mut OfferMaker<'_>| -> Result<()> {
        progress.enter(Stage::Tables);
        collector.add(predictions, &maker.offers(predictions)?)?;
        progress.enter(Stage::Predict);
        Ok(())
    };
    make_offers(config, model_id, tickets, night, &mut maker, take)?;
    progress.enter(Stage::Tables);
    let plan = before.plan.as_ref().map(StandingPlan::as_of);
    Ok(ScoredNight {
        plan: plan.zip(maker.plan_changes(request.as_of)),
        ..collector.finish()?
    })
}

/// What is done with the predictions for some customers of a night, and what makes their offers.
type TakeSlice<'t> = &'t mut dyn FnMut(&Predictions, &mut OfferMaker<'_>) -> Result<()>;

/// Predicts for all customers of a night, some after the other, and lets `take` make their offers.
pub(super) fn make_offers(
    config: &Config,
    model_id: &str,
    tickets: &Tickets,
    night: &PreparedNight<'_>,
    maker: &mut OfferMaker<'_>,
    take: TakeSlice<'_>,
) -> Result<()> {
    let partitions = &*tickets.partitions;
    let at_a_time = customers_at_a_time(partitions.count(), config.memory_limit);
    if maker.looks_first() {
        // A budget is for all of the night: nothing is decided before all was looked at.
        models::score_in_slices(night, model_id, partitions, at_a_time, &mut |predictions| {
            maker.look(predictions)
        })?;
    }
    models::score_in_slices(night, model_id, partitions, at_a_time, &mut |predictions| {
        take(predictions, maker)
    })
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
    over_budget: usize,
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
            over_budget: 0,
            example_step: (recurrent / request.examples.max(1)).max(1),
            most_examples: request.examples,
            examples: vec![],
        }
    }

    fn add(&mut self, predictions: &Predictions, offers: &[Offer]) -> Result<()> {
        self.tables.push(predictions, offers)?;
        let made = offers.iter().filter(|offer| offer.action == Action::Offer);
        self.offers += made.count();
        let is_over = |offer: &&Offer| offer.action == Action::OverBudget && offer.is_treated();
        self.over_budget += offers.iter().filter(is_over).count();
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
            over_budget: self.over_budget,
            plan: None,
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
