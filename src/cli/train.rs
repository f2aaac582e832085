//! `okuo train`.

use super::TrainArguments;
use super::evaluation::evaluation_text;
use super::metrics;
use super::output::Output;
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::jobs::{self, TrainSummary};
use crate::models::basket::CorrectionReport;
use crate::publish::promotion::PromotionPolicy;

pub(super) async fn run(arguments: TrainArguments, output: &Output) -> Result<()> {
    let config = arguments.common.config().await?;
    let clock = &config.input.clock;
    let as_of = arguments.schedule.night(arguments.as_of, clock)?;
    let progress = output.progress();
    let summary = jobs::train(&config, as_of, &progress).await?;
    drop(progress);
    keep_metrics(&summary);
    let told = print(&summary, as_of, output).and_then(|()| output.summary(&summary));
    match refusal(&summary, &config) {
        Some(error) => Err(error),
        None => told.map_err(|error| {
            error.hint(format!(
                "the model {} is in {} all the same; it is{} promoted",
                summary.model_id,
                summary.registry_name,
                if summary.promoted { "" } else { " not" }
            ))
        }),
    }
}

/// Keeps what is told of the run when it ends.
pub(super) fn keep_metrics(summary: &TrainSummary) {
    metrics::keep(
        &summary.measured,
        &[
            ("promoted", usize::from(summary.promoted)),
            ("products_with_a_tree", summary.products_with_a_tree),
            ("gaps", summary.gaps.len()),
        ],
    );
}

/// The error of a model that was to be promoted and was not, for gaps; `None` if there is none.
pub(super) fn refusal(summary: &TrainSummary, config: &Config) -> Option<Error> {
    let was_wanted = config.promote == PromotionPolicy::IfBetter && !summary.was_promoted;
    gaps_error(summary).filter(|_| was_wanted)
}

/// The error of a model that was not promoted for gaps; `None` if it was, or there are none.
fn gaps_error(summary: &TrainSummary) -> Option<Error> {
    let gaps: Vec<String> = summary
        .gaps
        .iter()
        .map(|gap| format!("\n  {}: {}", gap.code, gap.text))
        .collect();
    (!gaps.is_empty() && !summary.promoted).then(|| {
        Error::guard(format!(
            "the model {} was stored and not promoted, since its last days have gaps:{}",
            summary.model_id,
            gaps.concat()
        ))
        .hint("train again when the feed is mended; --promote always promotes all the same; the limits stand under [guards] in okuo.toml")
    })
}

/// How many products have a tree of their own, and how strongly these correct.
fn trees_text(trees: &CorrectionReport, kept: usize) -> String {
    let CorrectionReport {
        tried,
        strength,
        estimate,
        standard_error,
        pooled_log_loss,
        log_loss,
        ..
    } = trees;
    let held =
        format!("{estimate:.2} ± {standard_error:.2} of their corrections held on later nights");
    if kept == 0 {
        return format!("no product has a tree of its own: of {tried} trees, {held}");
    }
    format!(
        "{kept} products have a tree of their own; {held}, and {strength:.2} is applied \
         (log loss of the last 28 days {pooled_log_loss:.5} → {log_loss:.5})"
    )
}

/// Prints what a training came to.
pub(super) fn print(summary: &TrainSummary, as_of: AsOf, output: &Output) -> Result<()> {
    if let Some(held_out) = &summary.held_out {
        output.text(&format!(
            "\nheld out: the 28 days up to {as_of}, with the same procedure stopped before them\n{}",
            evaluation_text(&held_out.evaluation)
        ))?;
        for warning in &held_out.evaluation.warnings {
            output.warn(warning);
        }
    }
    if let Some(budget) = &summary.budget {
        output.text(&budget.words())?;
    }
    output.text(&trees_text(&summary.trees, summary.products_with_a_tree))?;
    for correction in &summary.corrections {
        output.text(&format!("  {}", correction.words))?;
    }
    if let Some(learned) = &summary.learned_mix {
        output.text(&learned.in_words())?;
    }
    let verb = match summary.promoted {
        true => "promoted",
        false if summary.was_promoted => "it is the promoted model already, and stays so, though",
        false => "not promoted",
    };
    let model_id = &summary.model_id;
    output.text(&format!(
        "model {model_id} is in {}; {verb}: {}",
        summary.registry_name, summary.reason
    ))?;
    if !summary.promoted && !summary.was_promoted {
        output.note(&format!(
            "hint: `okuo models promote {model_id} --registry {}` promotes it all the same",
            summary.registry
        ));
    }
    Ok(())
}
