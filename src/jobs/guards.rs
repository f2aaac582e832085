//! Guards on a night's feed, and the record of what a run warned of.

use std::sync::{Mutex, PoisonError};

use super::stage_clock::StageClock;
use super::{Progress, StoredModel, Tickets};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::guards::{
    self, FeatureRows, FeedCounts, GuardContext, GuardFinding, PublishedNight, StoreDays, Warning,
};
use crate::ingest::report::Report;
use crate::models::CustomerSample;
use crate::publish::manifest::GuardRecord;
use crate::record::{Measured, Stage};
use crate::recurrence::PopulationSummary;
use crate::store::InputObject;

/// Hands everything on, keeps the warnings, and measures the job.
pub(super) struct WarningLog<'a> {
    progress: &'a dyn Progress,
    warnings: Mutex<Vec<Warning>>,
    clock: StageClock,
}

impl<'a> WarningLog<'a> {
    pub(super) fn new(progress: &'a dyn Progress) -> Self {
        Self {
            progress,
            warnings: Mutex::new(vec![]),
            clock: StageClock::start(),
        }
    }

    /// The job goes on with a stage, whose time is taken.
    pub(super) fn enter(&self, stage: Stage) {
        self.clock.enter(stage);
    }

    /// What has been measured so far.
    pub(super) fn measured(&self) -> Measured {
        self.clock.measured()
    }

    /// How the job ended; an error with what was measured.
    pub(super) fn end<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.measured(self.measured()))
    }

    /// The warnings so far, in their order.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let warnings = self.warnings.lock();
        warnings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, warning: Warning) {
        let warnings = self.warnings.lock();
        warnings
            .unwrap_or_else(PoisonError::into_inner)
            .push(warning);
    }

    /// Tells and keeps what a guard found.
    fn finding(&self, finding: &GuardFinding) {
        self.progress.warning(&finding.warning.text);
        self.keep(finding.warning.clone());
    }
}

impl Progress for WarningLog<'_> {
    fn stage(&self, what: &str) {
        self.progress.stage(what);
    }

    fn object(&self, object: &InputObject, count: usize) {
        self.clock.object(object);
        self.progress.object(object, count);
    }

    fn warning(&self, what: &str) {
        self.progress.warning(what);
        self.keep(Warning::note(what));
    }

    fn tickets(&self, lines: &Report, population: &PopulationSummary) -> Result<()> {
        self.progress.tickets(lines, population)
    }
}

/// What a night's feed is compared with.
pub(super) struct NightFeed<'a> {
    pub(super) counts: FeedCounts,
    pub(super) tickets: &'a Tickets,
    pub(super) model: Option<&'a StoredModel>,
    /// Features of a sample of the recurrent customers, if the model knows those of its training.
    pub(super) features: Option<FeatureRows>,
    pub(super) recurrent: usize,
    pub(super) published: Option<PublishedNight>,
}

impl NightFeed<'_> {
    /// Everything that the guards have to say.
    ///
    /// # Errors
    /// If a setting of the guards makes no sense.
    pub(super) fn judge(self, config: &Config) -> Result<Vec<GuardFinding>> {
        let header = self.model.map(|model| &model.header.description);
        let trained = header.and_then(|header| header.features.as_ref());
        let shifts = trained
            .zip(self.features.as_ref())
            .map(|(trained, rows)| trained.shifts(rows))
            .unwrap_or_default();
        let context = GuardContext {
            shifts: &shifts,
            model: header.map(|header| header.as_of),
            training: header.and_then(|header| header.feed.as_ref()),
            recurrent: self.recurrent,
            published: self.published,
        };
        let mut profile = self.counts.finish(&self.tickets.feed);
        if config.guards.enabled {
            profile.stores = StoreDays::of_all(&self.tickets.facts, AsOf(profile.night));
        }
        guards::judge(&profile, &context, &config.guards)
    }
}

/// A sample of the customers of a night, if their features are to be compared with those of the
/// model's training.
pub(super) fn sample_of(
    config: &Config,
    model: &StoredModel,
    as_of: AsOf,
) -> Option<CustomerSample> {
    let is_known = model.header.description.features.is_some();
    (config.guards.enabled && is_known).then(|| CustomerSample::new(as_of, &config.rule))
}

/// With so many days more than may be missing, an export has failed: waiting does not bring them.
const LATE_DAYS: f64 = 2.0;

/// Whether nothing but the end of the feed stops the night, and it is late by few days: the tickets
/// have not come yet. Where there are lines of later days, the night's own are missing, and will not
/// come.
pub(super) fn is_not_there_yet(findings: &[GuardFinding], lines: &Report) -> bool {
    let mut breaches = findings.iter().filter(|finding| finding.is_breach);
    lines.after_as_of == 0
        && breaches.clone().next().is_some()
        && breaches.all(|finding| {
            let Warning {
                code, value, limit, ..
            } = &finding.warning;
            let late = value.zip(*limit).map(|(value, limit)| value - limit);
            *code == guards::STALE && late.is_some_and(|late| late <= LATE_DAYS)
        })
}

/// The error that ends a night's run after breaches; `None` if there is none. `outcome` says what
/// that means.
#[must_use]
pub fn refusal(findings: &[GuardFinding], lines: &Report, outcome: &str) -> Option<Error> {
    let refused = guards::refusal(findings, outcome)?;
    if !is_not_there_yet(findings, lines) {
        return Some(refused);
    }
    let stale = findings.iter().find(|finding| finding.is_breach)?;
    Some(
        Error::no_data(format!(
            "the feed does not reach the night yet: {outcome}\n  {}: {}",
            stale.warning.code, stale.warning.text
        ))
        .hint("run again when the tickets have come. If no more will come, `okuo score --force` publishes all the same and keeps a record of it; max_stale_days stands under [guards] in okuo.toml"),
    )
}

/// Tells what was found, and what of it is overruled. `lines` are those of the whole feed.
///
/// # Errors
/// If there is a breach, and it is not overruled.
pub(super) fn settle(
    findings: &[GuardFinding],
    lines: &Report,
    config: &Config,
    force: bool,
    log: &WarningLog<'_>,
) -> Result<GuardRecord> {
    let (breaches, warnings): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| finding.is_breach);
    for warning in warnings {
        log.finding(warning);
    }
    if !force && let Some(error) = refusal(findings, lines, "nothing was published") {
        return Err(error);
    }
    for breach in &breaches {
        log.finding(breach);
    }
    Ok(GuardRecord {
        enabled: config.guards.enabled,
        forced: !breaches.is_empty(),
        breaches: breaches
            .into_iter()
            .map(|breach| breach.warning.clone())
            .collect(),
    })
}
