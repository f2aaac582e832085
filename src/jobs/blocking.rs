//! The jobs for callers without an async runtime: each starts one, and returns when it is done.
//!
//! Async callers use the functions of [`crate::jobs`] themselves.

use std::future::Future;

use tokio::runtime::{Builder, Handle};

use super::{
    CheckRequest, CheckSummary, EvaluateRequest, EvaluateSummary, ExplainRequest,
    ExplainedCustomer, LiftRequest, LiftSummary, ModelList, MonitorRequest, MonitorSummary,
    NightOutcome, PlanRequest, PlanSummary, Progress, PromotedModel, PromotionHistory,
    RemoveOptions, RemovedModel, ScoreRangeRequest, ScoreRequest, ScoreSummary, ShownModel,
    TrainSummary,
};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::publish::registry::Pointer;

/// As [`super::train`].
///
/// # Errors
/// As [`super::train`]; if it is called from async code.
pub fn train(config: &Config, as_of: AsOf, progress: &dyn Progress) -> Result<TrainSummary> {
    wait_for(super::train(config, as_of, progress))
}

/// As [`super::score`].
///
/// # Errors
/// As [`super::score`]; if it is called from async code.
pub fn score(
    config: &Config,
    request: &ScoreRequest,
    progress: &dyn Progress,
) -> Result<ScoreSummary> {
    wait_for(super::score(config, request, progress))
}

/// As [`super::score_range`].
///
/// # Errors
/// As [`super::score_range`]; if it is called from async code.
pub fn score_range(
    config: &Config,
    request: &ScoreRangeRequest,
    progress: &dyn Progress,
    take: &mut (dyn FnMut(NightOutcome) -> Result<()> + Send),
) -> Result<()> {
    wait_for(super::score_range(config, request, progress, take))
}

/// As [`super::check`].
///
/// # Errors
/// As [`super::check`]; if it is called from async code.
pub fn check(
    config: &Config,
    request: &CheckRequest,
    progress: &dyn Progress,
) -> Result<CheckSummary> {
    wait_for(super::check(config, request, progress))
}

/// As [`super::plan`].
///
/// # Errors
/// As [`super::plan`]; if it is called from async code.
pub fn plan(
    config: &Config,
    request: &PlanRequest,
    progress: &dyn Progress,
) -> Result<PlanSummary> {
    wait_for(super::plan(config, request, progress))
}

/// As [`super::explain`].
///
/// # Errors
/// As [`super::explain`]; if it is called from async code.
pub fn explain(
    config: &Config,
    request: &ExplainRequest,
    progress: &dyn Progress,
) -> Result<ExplainedCustomer> {
    wait_for(super::explain(config, request, progress))
}

/// As [`super::evaluate`].
///
/// # Errors
/// As [`super::evaluate`]; if it is called from async code.
pub fn evaluate(
    config: &Config,
    request: &EvaluateRequest,
    progress: &dyn Progress,
) -> Result<EvaluateSummary> {
    wait_for(super::evaluate(config, request, progress))
}

/// As [`super::monitor`].
///
/// # Errors
/// As [`super::monitor`]; if it is called from async code.
pub fn monitor(
    config: &Config,
    request: &MonitorRequest,
    progress: &dyn Progress,
) -> Result<MonitorSummary> {
    wait_for(super::monitor(config, request, progress))
}

/// As [`super::lift`].
///
/// # Errors
/// As [`super::lift`]; if it is called from async code.
pub fn lift(
    config: &Config,
    request: &LiftRequest,
    progress: &dyn Progress,
) -> Result<LiftSummary> {
    wait_for(super::lift(config, request, progress))
}

/// As [`super::list_models`].
///
/// # Errors
/// As [`super::list_models`]; if it is called from async code.
pub fn list_models(registry: &str, progress: &dyn Progress) -> Result<ModelList> {
    wait_for(super::list_models(registry, progress))
}

/// As [`super::show_model`].
///
/// # Errors
/// As [`super::show_model`]; if it is called from async code.
pub fn show_model(registry: &str, id: &str, progress: &dyn Progress) -> Result<ShownModel> {
    wait_for(super::show_model(registry, id, progress))
}

/// As [`super::promote_model`].
///
/// # Errors
/// As [`super::promote_model`]; if it is called from async code.
pub fn promote_model(registry: &str, id: &str) -> Result<PromotedModel> {
    wait_for(super::promote_model(registry, id))
}

/// As [`super::promotion_history`].
///
/// # Errors
/// As [`super::promotion_history`]; if it is called from async code.
pub fn promotion_history(registry: &str) -> Result<PromotionHistory> {
    wait_for(super::promotion_history(registry))
}

/// As [`super::roll_back`].
///
/// # Errors
/// As [`super::roll_back`]; if it is called from async code.
pub fn roll_back(registry: &str) -> Result<Pointer> {
    wait_for(super::roll_back(registry))
}

/// As [`super::delete_model`].
///
/// # Errors
/// As [`super::delete_model`]; if it is called from async code.
pub fn delete_model(registry: &str, id: &str, options: RemoveOptions) -> Result<RemovedModel> {
    wait_for(super::delete_model(registry, id, options))
}

/// As [`super::prune_models`].
///
/// # Errors
/// As [`super::prune_models`]; if it is called from async code.
pub fn prune_models(
    registry: &str,
    keep: usize,
    dry_run: bool,
    progress: &dyn Progress,
) -> Result<Vec<RemovedModel>> {
    wait_for(super::prune_models(registry, keep, dry_run, progress))
}

fn wait_for<T>(job: impl Future<Output = Result<T>>) -> Result<T> {
    if Handle::try_current().is_ok() {
        return Err(Error::request("a blocking job was called from async code")
            .hint("call the function of the same name in okuo::jobs and await it"));
    }
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::system("the runtime could not be started").source(error))?
        .block_on(job)
}
