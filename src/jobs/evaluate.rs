//! Evaluate on held-out months, beside baselines.

use serde::Serialize;

use super::guards::WarningLog;
use super::registry::load_configured;
use super::tickets::check_history_days;
use super::{Progress, Purpose, StoredModel, Tickets, compute};
use crate::calendar::{AsOf, Month};
use crate::config::Config;
use crate::domain::Funnel;
use crate::error::{Error, Result};
use crate::eval::{self, Evaluation, HeldOutMonths, OfferSettings};
use crate::ingest::NeededDays;
use crate::ingest::report::Report;
use crate::models::Model;
use crate::record::{Measured, Stage};
use crate::recurrence::PopulationSummary;

/// What is asked of [`evaluate`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluateRequest {
    /// The months that are held out.
    pub months: Vec<Month>,
    /// Days from one night that is scored to the next, at least 1.
    pub every: u32,
    /// A model of the registry by its id, or a model file; if `None`, a model is trained on the eve
    /// of each month.
    pub model: Option<String>,
    /// Whether the offers of every night are measured too.
    pub offers: bool,
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluateSummary {
    /// okuo and the baselines on the held-out nights.
    pub evaluation: Evaluation,
    /// What became of each line of the input.
    pub lines: Report,
    /// How many customers pass each part of the rule on the last day of the data.
    pub funnel: Funnel,
    /// Which okuo it was, and what it took.
    pub measured: Measured,
}

/// Evaluates on held-out months of the configured tickets.
///
/// # Errors
/// If the model has seen one of the months, the tickets cannot be read or do not have the months,
/// training fails, or nobody meets the rule on any of the nights.
pub async fn evaluate(
    config: &Config,
    request: &EvaluateRequest,
    progress: &dyn Progress,
) -> Result<EvaluateSummary> {
    config.required_inputs()?;
    let log = WarningLog::new(progress);
    log.end(evaluated(config, request, &log).await)
}

async fn evaluated(
    config: &Config,
    request: &EvaluateRequest,
    progress: &WarningLog<'_>,
) -> Result<EvaluateSummary> {
    let first_month = request.months.iter().min().copied();
    let (model, config) = match &request.model {
        Some(named) => {
            let model = load_configured(config, named).await?;
            // Before anything is read; the evaluation itself would refuse it too.
            refuse_seen(&model.model, first_month)?;
            let config = config.for_model(model.model.rule)?;
            warn_of_other_length(&model, &config, progress);
            (Some(model), config)
        }
        None => (None, config.clone()),
    };
    let days = NeededDays {
        first: first_month.map(|month| month.eve().first_of(config.history_days)),
        until: None,
    };
    if model.is_none() {
        check_history_days(&config, Purpose::Training)?;
    }
    // Offers also need what scoring reads: products, and who may be mailed.
    let purpose = match model.is_some() || request.offers {
        true => Purpose::Scoring,
        false => Purpose::Training,
    };
    progress.enter(Stage::List);
    let mut tickets = Tickets::read(&config, days, purpose, progress).await?;
    progress.enter(Stage::Summarize);
    let partitions = &*tickets.partitions;
    let population = compute(|| PopulationSummary::on_last_day(partitions, &config.rule))?
        .ok_or_else(|| no_purchase(&tickets.lines, first_month))?;
    tickets.count_repeated(&population);
    progress.tickets(&tickets.lines, &population)?;
    let model = model.as_ref().map(|stored| &stored.model);
    progress.enter(Stage::Evaluate);
    Ok(EvaluateSummary {
        evaluation: evaluate_on(&config, model, &tickets, request, progress)?,
        measured: progress.measured(),
        lines: tickets.lines,
        funnel: population.funnel,
    })
}

/// Evaluates on tickets that have been read, as [`evaluate`] does: `model`, or a model that is
/// trained on the eve of each month. `request.model` is not looked at.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_on(
    config: &Config,
    model: Option<&Model>,
    tickets: &Tickets,
    request: &EvaluateRequest,
    progress: &dyn Progress,
) -> Result<Evaluation> {
    let details = |as_of: AsOf, customers: &[u32]| tickets.details(as_of, customers);
    let held_out = HeldOutMonths {
        months: &request.months,
        every: request.every,
        offers: request.offers.then_some(OfferSettings {
            parameters: &config.offers,
            details: &details,
        }),
    };
    compute(|| match model {
        None => eval::evaluate(
            &*tickets.partitions,
            &config.rule,
            &config.parameters,
            config.history_days,
            held_out,
            &|stage| progress.stage(stage),
        ),
        Some(model) => eval::evaluate_model(
            model,
            &*tickets.partitions,
            &config.rule,
            config.history_days,
            held_out,
            &|stage| progress.stage(stage),
        ),
    })
}

fn refuse_seen(model: &Model, first_month: Option<Month>) -> Result<()> {
    match first_month {
        Some(month) if model.as_of > month.eve() => Err(Error::request(format!(
            "the model was trained up to {} and has seen {month}",
            model.as_of
        ))
        .hint(format!(
            "hold out later months, or train one with --as-of {} or earlier",
            month.eve()
        ))),
        _ => Ok(()),
    }
}

fn warn_of_other_length(model: &StoredModel, config: &Config, progress: &dyn Progress) {
    let origin = model.header.description.origin.as_ref();
    if let Some(doubt) = origin.and_then(|origin| origin.doubt_of_length(config.history_days)) {
        progress.warning(&doubt);
    }
}

/// Why there is nothing to evaluate on.
fn no_purchase(lines: &Report, first_month: Option<Month>) -> Error {
    let others = lines.voided + lines.returned + lines.excluded + lines.bad_lines();
    match first_month {
        Some(month) if lines.before_history > 0 && others == 0 => {
            lines.out_of_reach(&format!("{month}, which is held out"))
        }
        _ => lines.no_purchase(""),
    }
}
