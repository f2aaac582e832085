//! `okuo eval`.

use serde_json::json;

use super::EvalArguments;
use super::input::{Input, PopulationSummary, Purpose, lines_and_funnel, read};
use super::output::Output;
use crate::calendar::{AsOf, DateRange, Month};
use crate::error::{Error, Result};
use crate::eval;
use crate::ingest::NeededDays;
use crate::ingest::report::Report;

pub(super) async fn run(arguments: EvalArguments, output: &Output) -> Result<()> {
    let mut config = arguments.common.config().await?;
    config.required_inputs()?;
    let model = match &arguments.model {
        Some(named) => Some(super::model(&config.registry, Some(named)).await?),
        None => None,
    };
    // Before anything is read; the evaluation itself would refuse it too.
    if let (Some((_, model)), Some(month)) = (&model, arguments.holdout.iter().min())
        && model.as_of > month.eve()
    {
        return Err(Error::request(format!(
            "the model was trained up to {} and has seen {month}",
            model.as_of
        ))
        .hint(format!(
            "hold out later months, or train one with --as-of {} or earlier",
            month.eve()
        )));
    }
    if let Some((_, model)) = &model {
        config = config.for_model(model.rule)?;
    }
    let history_days = config.history_days;
    if let Some((header, _)) = &model {
        let doubt = header
            .description
            .origin
            .as_ref()
            .and_then(|origin| origin.doubt_of_length(history_days));
        doubt.iter().for_each(|doubt| output.warn(doubt));
    }
    let first = arguments
        .holdout
        .iter()
        .min()
        .map(|month| month.eve().first_of(history_days));
    let needs = if model.is_some() {
        Purpose::Night
    } else {
        Purpose::Training
    };
    let Input { ingested, .. } =
        read(&config, NeededDays { first, until: None }, needs, output).await?;
    let mut report = ingested.report;
    let (partitions, all) = tokio::task::block_in_place(|| {
        let partitions = ingested.purchases.partitions()?;
        let all = PopulationSummary::new(&*partitions, None, &config.rule)?;
        Ok((partitions, all))
    })?;
    report.count_repeated(all.distinct_lines as u64);
    let (purchases, DateRange { last, .. }) = (
        &*partitions,
        all.span
            .ok_or_else(|| nothing(&report, &arguments.holdout))?,
    );
    output.text(&lines_and_funnel(
        &report,
        &all.funnel,
        &config.rule,
        AsOf(last),
    ))?;
    let progress = output.progress();
    let evaluation = tokio::task::block_in_place(|| match &model {
        None => eval::evaluate(
            purchases,
            &config.rule,
            &config.parameters,
            history_days,
            &arguments.holdout,
            arguments.every,
            &|stage| progress.stage(stage),
        ),
        Some((_, model)) => eval::evaluate_model(
            model,
            purchases,
            &config.rule,
            history_days,
            &arguments.holdout,
            arguments.every,
            &|stage| progress.stage(stage),
        ),
    })?;
    drop(progress);
    evaluation
        .warnings
        .iter()
        .for_each(|warning| output.warn(warning));
    output.text(&format!("\n{}", eval::table(&evaluation)))?;
    output.document(&json!({
        "evaluation": evaluation,
        "lines": report,
        "funnel": all.funnel,
    }))
}

/// Why there is nothing to evaluate on.
fn nothing(report: &Report, holdout: &[Month]) -> Error {
    match holdout.iter().min() {
        Some(month)
            if report.before_history > 0
                && report.returned + report.excluded + report.bad_lines() == 0 =>
        {
            report.out_of_reach(&format!("{month}, which is held out"))
        }
        _ => report.no_purchase(""),
    }
}
