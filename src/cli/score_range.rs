//! `okuo score --from --to`.

use super::ScoreArguments;
use super::output::Output;
use crate::calendar::AsOf;
use crate::config::Config;
use crate::domain::words::in_one_line;
use crate::error::Result;
use crate::jobs::{self, NightOutcome, ScoreRangeRequest, ScoreSummary};

pub(super) async fn run(
    arguments: ScoreArguments,
    config: &Config,
    (from, to): (AsOf, AsOf),
    output: &Output,
) -> Result<()> {
    let request = ScoreRangeRequest {
        from,
        to,
        model: arguments.model,
        formats: arguments.format,
        force: arguments.force,
    };
    let progress = output.progress();
    let mut outcomes = vec![];
    // A stdout that cannot be written to does not decide which nights are published.
    let mut told = Ok(());
    let scored = jobs::score_range(config, &request, &progress, &mut |outcome| {
        let line = outcome_text(&outcome);
        outcomes.push(outcome);
        if let Err(error) = progress.print(|| output.text(&line)) {
            told = Err(error.hint("the nights are published all the same"));
        }
        Ok(())
    })
    .await;
    drop(progress);
    // What was done is told also where a later night failed.
    let told = told.and_then(|()| output.summary(&outcomes));
    scored.and(told)
}

/// One line.
fn outcome_text(outcome: &NightOutcome) -> String {
    match outcome {
        NightOutcome::Published(summary) => {
            let ScoreSummary {
                as_of,
                customers,
                model_id,
                offers,
                run_id,
                ..
            } = &**summary;
            format!(
                "{as_of}  published  run {run_id}, model {model_id}: {customers} customers, {offers} offers"
            )
        }
        NightOutcome::Unchanged {
            as_of,
            model_id,
            run_id,
        } => {
            format!("{as_of}  unchanged  run {run_id}, model {model_id}: published before")
        }
        NightOutcome::Stopped { as_of, reason } => {
            format!("{as_of}  stopped    {}", in_one_line(reason))
        }
        NightOutcome::NoData { as_of, reason } => {
            format!("{as_of}  no data    {}", in_one_line(reason))
        }
        NightOutcome::Failed { as_of, reason } => {
            format!("{as_of}  failed     {}", in_one_line(reason))
        }
    }
}
