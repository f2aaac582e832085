//! Check a night's feed: the guards alone.

use serde::Serialize;

use super::guards::{NightFeed, WarningLog, is_not_there_yet};
use super::registry::load_for_night;
use super::tickets::days_up_to;
use super::{Progress, Purpose, StoredModel, Tickets, compute};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::{Kind, Result};
use crate::guards::{FeedCounts, GuardFinding, Warning};
use crate::ingest::report::Report;
use crate::publish::runs::night_before;
use crate::record::{Measured, Stage};
use crate::recurrence::PopulationSummary;
use crate::store;

/// What is asked of [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRequest {
    /// The night to speak from.
    pub as_of: AsOf,
    /// A model of the registry by its id, or a model file; if `None`, the promoted model for the
    /// night, if there is one ([`AS_OF_MODEL`](super::AS_OF_MODEL)).
    pub model: Option<String>,
}

/// What the guards say of a night's feed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckSummary {
    /// The night.
    pub as_of: AsOf,
    /// The model with whose training the feed was compared.
    pub model_id: Option<String>,
    /// Whether `okuo score` would publish the night.
    pub passed: bool,
    /// Whether only the tickets of the night are not there yet.
    pub no_data_yet: bool,
    /// What would stop it.
    pub breaches: Vec<Warning>,
    /// What it would warn of.
    pub warnings: Vec<Warning>,
    /// What became of each line of the input.
    pub lines: Report,
    /// Which okuo it was, and what it took.
    pub measured: Measured,
    /// All of it, breaches first.
    #[serde(skip)]
    pub findings: Vec<GuardFinding>,
}

/// Judges the configured tickets as a night's feed. Nothing is written. The feed is compared with the
/// training of the model, if there is one, and with the last published night, if an output is
/// configured.
///
/// # Errors
/// If the tickets cannot be read, no purchase is known on the night, or a model that was named cannot
/// be used. A breach is none.
pub async fn check(
    config: &Config,
    request: &CheckRequest,
    progress: &dyn Progress,
) -> Result<CheckSummary> {
    config.required_inputs()?;
    let log = WarningLog::new(progress);
    log.end(judged(config, request, &log).await)
}

async fn judged(
    config: &Config,
    request: &CheckRequest,
    progress: &WarningLog<'_>,
) -> Result<CheckSummary> {
    let (model, config) = model_for_night(config, request, progress).await?;
    progress.enter(Stage::List);
    let days = days_up_to(request.as_of, &config);
    let mut tickets = Tickets::read(&config, days, Purpose::Scoring, progress).await?;
    progress.stage("judging the feed");
    progress.enter(Stage::Summarize);
    let mut counts = FeedCounts::new(request.as_of, tickets.partitions.products().len());
    let population = compute(|| {
        PopulationSummary::with_each(
            &*tickets.partitions,
            request.as_of,
            &config.rule,
            |history| {
                counts.add(history);
            },
        )
    })?;
    tickets.count_repeated(&population);
    tickets.warn_if_stale(&population, progress)?;
    let published = match &config.output {
        Some(output) => {
            night_before(&store::open(output).await?, request.as_of, &config.rule).await?
        }
        None => None,
    };
    let feed = NightFeed {
        counts,
        days: &tickets.feed,
        model: model.as_ref(),
        recurrent: population.funnel.recurrent,
        published,
    };
    let findings = feed.judge(&config)?;
    let of_kind = |is_breach: bool| {
        let findings = findings
            .iter()
            .filter(|finding| finding.is_breach == is_breach);
        findings.map(|finding| finding.warning.clone()).collect()
    };
    let breaches: Vec<Warning> = of_kind(true);
    Ok(CheckSummary {
        as_of: request.as_of,
        model_id: model.map(|model| model.id()),
        passed: breaches.is_empty(),
        no_data_yet: is_not_there_yet(&findings, &tickets.lines),
        breaches,
        warnings: of_kind(false),
        lines: tickets.lines,
        measured: progress.measured(),
        findings,
    })
}

/// The model for the night, and the settings with its rule. There need be none, if none was named.
async fn model_for_night(
    config: &Config,
    request: &CheckRequest,
    progress: &dyn Progress,
) -> Result<(Option<StoredModel>, Config)> {
    let named = request.model.as_deref();
    match load_for_night(config, named, request.as_of, progress).await {
        Ok((model, config)) => Ok((Some(model), config)),
        Err(error) if named.is_none() && error.kind() == Kind::NotFound => {
            Ok((None, config.clone()))
        }
        Err(error) => Err(error),
    }
}
