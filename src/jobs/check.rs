//! Check a night's feed: the guards alone.

use serde::Serialize;

use super::guards::{NightFeed, WarningLog, is_not_there_yet, sample_of};
use super::registry::load_for_night;
use super::tickets::days_up_to;
use super::{Progress, Purpose, StoredModel, Tickets, compute};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::{Kind, Result};
use crate::guards::{FeatureRows, FeedCounts, GuardFinding, Warning};
use crate::ingest::report::Report;
use crate::models::NightSummary;
use crate::publish::runs::night_before;
use crate::purchases::History;
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
    let (population, features) = compute(|| {
        summarize(
            &tickets,
            &config,
            model.as_ref(),
            request.as_of,
            &mut counts,
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
        tickets: &tickets,
        model: model.as_ref(),
        features,
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

/// The summary of a night with the feed's counts, and the features of a sample of its customers, if
/// there is something to compare them with.
fn summarize(
    tickets: &Tickets,
    config: &Config,
    model: Option<&StoredModel>,
    as_of: AsOf,
    counts: &mut FeedCounts,
) -> Result<(PopulationSummary, Option<FeatureRows>)> {
    let partitions = &*tickets.partitions;
    let sampled = model.and_then(|model| Some((model, sample_of(config, model, as_of)?)));
    let Some((model, mut sample)) = sampled else {
        let count = |history: &History<'_>| counts.add(history);
        let population = PopulationSummary::with_each(partitions, as_of, &config.rule, count)?;
        return Ok((population, None));
    };
    let look = &mut |history: &History<'_>| {
        counts.add(history);
        sample.add(history);
    };
    let night = NightSummary::with_each(&model.model, partitions, as_of, &config.rule, look)?;
    let night = night.prepare(&model.model, partitions.products())?;
    let features = sample.features(&night.scorer);
    Ok((night.population, Some(features)))
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
