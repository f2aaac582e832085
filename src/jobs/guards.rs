//! Guards on a night's feed, and the record of what a run warned of.

use std::sync::{Mutex, PoisonError};

use super::{Progress, StoredModel, Tickets};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::Result;
use crate::guards::{
    self, FeatureRows, FeedCounts, GuardContext, GuardFinding, PublishedNight, StoreDays, Warning,
};
use crate::ingest::report::Report;
use crate::models::CustomerSample;
use crate::publish::manifest::GuardRecord;
use crate::recurrence::PopulationSummary;
use crate::store::InputObject;

/// Hands everything on, and keeps the warnings.
pub(super) struct WarningLog<'a> {
    progress: &'a dyn Progress,
    warnings: Mutex<Vec<Warning>>,
}

impl<'a> WarningLog<'a> {
    pub(super) fn new(progress: &'a dyn Progress) -> Self {
        Self {
            progress,
            warnings: Mutex::new(vec![]),
        }
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

/// Tells what was found, and what of it is overruled.
///
/// # Errors
/// If there is a breach, and it is not overruled.
pub(super) fn settle(
    findings: &[GuardFinding],
    config: &Config,
    force: bool,
    log: &WarningLog<'_>,
) -> Result<GuardRecord> {
    let (breaches, warnings): (Vec<_>, Vec<_>) =
        findings.iter().partition(|finding| finding.is_breach);
    for warning in warnings {
        log.finding(warning);
    }
    if !force && let Some(error) = guards::refusal(findings, "nothing was published") {
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
