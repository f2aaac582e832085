//! Plan the offers of the coming days from one night, and publish them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::guards::WarningLog;
use super::registry::load_for_night;
use super::score::{
    JudgedNight, make_offers, prove_ready, read_tickets, required_output,
    warn_of_unknown_categories,
};
use super::sent::SentBefore;
use super::{Progress, StoredModel, Tickets, compute};
use crate::calendar::{AsOf, Day};
use crate::config::Config;
use crate::domain::Predictions;
use crate::error::{Error, Result};
use crate::guards::Warning;
use crate::models::PreparedNight;
use crate::offers::{Action, Offer, OfferMaker};
use crate::publish::manifest::GuardRecord;
use crate::publish::plan::{MOST_PLAN_DAYS, PLAN_DAYS, plan_folder};
use crate::publish::runs::{NightRun, publish_in};
use crate::publish::tables::{PlanTables, TableFile};
use crate::record::{Measured, Stage};
use crate::store;

/// What is asked of [`plan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRequest {
    /// The night to plan from: everything up to and including this day is known.
    pub as_of: AsOf,
    /// How many days are planned, beginning with the one after the night.
    pub days: u32,
    /// As in a [`ScoreRequest`](super::ScoreRequest).
    pub model: Option<String>,
    /// Whether the plan is published although guards would stop it.
    pub force: bool,
}

/// A plan that was published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanSummary {
    /// The night.
    pub as_of: AsOf,
    /// The model that predicted.
    pub model_id: String,
    /// The manifest, as messages name it.
    pub manifest: String,
    /// The run's id.
    pub run_id: String,
    /// What is sent on each day.
    pub days: Vec<PlannedDay>,
    /// The most that the offers of a day may cost, if there is a budget.
    pub budget: Option<f64>,
    /// How many offers are held back for it.
    pub over_budget: usize,
    /// What the run warned of.
    pub warnings: Vec<Warning>,
    /// What the guards said of the feed.
    pub guards: GuardRecord,
    /// Which okuo it was, and what it took.
    pub measured: Measured,
}

/// What a plan sends on one day; the control arm, to which nothing is sent, is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct DayCounts {
    /// To how many customers.
    pub customers: usize,
    /// How many offers.
    pub offers: usize,
    /// What their discounts cost if they change nothing; `None` if that is known of none.
    pub expected_cost: Option<f64>,
    /// How many of the offers have no price, and are not in it.
    pub offers_without_cost: usize,
}

/// One day of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlannedDay {
    /// The day.
    pub send_on: Day,
    /// What is sent.
    #[serde(flatten)]
    pub sent: DayCounts,
}

/// Makes the offers of the coming days on the configured tickets and publishes them below
/// `config.output`, in a file for each day.
///
/// # Errors
/// As [`score`](super::score()); if the days are none or too many.
pub async fn plan(
    config: &Config,
    request: &PlanRequest,
    progress: &dyn Progress,
) -> Result<PlanSummary> {
    required_output(config)?;
    config.required_inputs()?;
    if request.days == 0 || request.days > MOST_PLAN_DAYS {
        return Err(Error::request(format!(
            "--days should be between 1 and {MOST_PLAN_DAYS}, but is {}",
            request.days
        ))
        .hint("it says how many days are planned, beginning with the one after the night"));
    }
    let progress = &WarningLog::new(progress);
    let named = request.model.as_deref();
    let planned = async {
        let (model, config) = load_for_night(config, named, request.as_of, progress).await?;
        plan_with(&config, &model, request, progress).await
    };
    progress.end(planned.await)
}

async fn plan_with(
    config: &Config,
    model: &StoredModel,
    request: &PlanRequest,
    progress: &WarningLog<'_>,
) -> Result<PlanSummary> {
    let output = store::open(required_output(config)?).await?;
    let folder = output.child(&plan_folder(request.as_of));
    prove_ready(&folder).await?;
    let mut tickets = read_tickets(config, request.as_of, progress).await?;
    let judged = JudgedNight {
        output: &output,
        config,
        model,
        as_of: request.as_of,
        force: request.force,
    };
    let (night, guards) = judged.of(&mut tickets, progress).await?;
    let funnel = night.population.funnel.clone();
    let before = judged.sent_before(&tickets, progress).await?;
    let planned = compute(|| {
        offers(
            config,
            &model.id(),
            &tickets,
            &night,
            request,
            &before,
            progress,
        )
    })?;
    progress.stage("publishing");
    progress.enter(Stage::Publish);
    let run = judged.run(tickets, before.inputs, progress);
    let run = NightRun {
        tables: planned.tables,
        funnel,
        guards,
        config: with_days(run.config, request.days),
        ..run
    };
    let published = publish_in(folder, &run).await?;
    for warning in &published.warnings {
        progress.warning(warning);
    }
    Ok(PlanSummary {
        as_of: request.as_of,
        model_id: run.model.id,
        manifest: published.name,
        run_id: published.manifest.run_id,
        days: planned.days,
        budget: config.offers.budget,
        over_budget: planned.over_budget,
        warnings: progress.warnings(),
        guards: run.guards,
        measured: progress.measured(),
    })
}

/// The settings of a manifest with the number of days that are planned.
fn with_days(mut config: serde_json::Value, days: u32) -> serde_json::Value {
    if let Some(settings) = config.as_object_mut() {
        settings.insert(PLAN_DAYS.to_owned(), days.into());
    }
    config
}

/// The offers of a plan, before they are published.
struct PlannedOffers {
    tables: Vec<TableFile>,
    days: Vec<PlannedDay>,
    over_budget: usize,
}

fn offers(
    config: &Config,
    model_id: &str,
    tickets: &Tickets,
    night: &PreparedNight<'_>,
    request: &PlanRequest,
    before: &SentBefore,
    progress: &dyn Progress,
) -> Result<PlannedOffers> {
    let details = tickets.details(night.population.as_of, &night.population.recurrent);
    warn_of_unknown_categories(&details, &config.offers, progress);
    let maker = OfferMaker::new(&config.offers, tickets.partitions.products(), &before.sent)?;
    let mut maker = maker.with_details(&details)?.for_days(request.days);
    let first = request.as_of.day() + 1;
    let days = (0..request.days).map(|after| first + i32::try_from(after).unwrap_or_default());
    let mut counts: BTreeMap<Day, DayCounts> =
        days.map(|day| (day, DayCounts::default())).collect();
    let mut tables = PlanTables::new(counts.keys().copied(), details);
    let mut over_budget = 0;
    let take = &mut |predictions: &Predictions, maker: &mut OfferMaker<'_>| -> Result<()> {
        let offers = maker.offers(predictions)?;
        for of_customer in offers.chunk_by(|one, next| one.customer == next.customer) {
            over_budget += count(of_customer, &mut counts);
        }
        tables.push(predictions, &offers)
    };
    make_offers(config, model_id, tickets, night, &mut maker, take)?;
    let days = counts.into_iter();
    Ok(PlannedOffers {
        tables: tables.finish()?,
        days: days
            .map(|(send_on, sent)| PlannedDay { send_on, sent })
            .collect(),
        over_budget,
    })
}

/// Counts what is sent to a customer, on the day on which it is. Returns how many offers are held back
/// for the budget.
fn count(of_customer: &[Offer], counts: &mut BTreeMap<Day, DayCounts>) -> usize {
    let treated = of_customer.iter().filter(|offer| offer.is_treated());
    let (mut over_budget, mut last) = (0, None);
    for offer in treated {
        over_budget += usize::from(offer.action == Action::OverBudget);
        let send_on = offer.dates.filter(|_| offer.action == Action::Offer);
        let send_on = send_on.map(|dates| dates.send_on);
        let Some(day) = send_on.and_then(|day| counts.get_mut(&day)) else {
            continue;
        };
        day.offers += 1;
        day.customers += usize::from(last != send_on);
        last = send_on;
        match offer.expected_cost {
            Some(cost) => *day.expected_cost.get_or_insert(0.0) += cost,
            None => day.offers_without_cost += 1,
        }
    }
    over_budget
}
