//! `okuo monitor`.

use super::MonitorArguments;
use super::output::Output;
use super::table::{Align, Column, Table, figure};
use crate::calendar::{AsOf, HORIZON_DAYS};
use crate::domain::words::counted;
use crate::error::{Error, Result};
use crate::eval::{MonitoredNight, PromiseComparison};
use crate::jobs::{self, MonitorRequest, MonitorSummary, MonitoredModel};

pub(super) async fn run(arguments: MonitorArguments, output: &Output) -> Result<()> {
    let config = arguments.common.config().await?;
    let request = MonitorRequest {
        from: arguments.from,
        to: arguments.to,
    };
    let progress = output.progress();
    let summary = jobs::monitor(&config, &request, &progress).await?;
    drop(progress);
    if let Some(waiting) = waiting_text(&summary) {
        output.note(&waiting);
    }
    let told = tell(&summary, output);
    match refusal(&summary) {
        Some(error) if arguments.fail_if_worse => Err(error),
        _ => told,
    }
}

/// Prints what was measured.
fn tell(summary: &MonitorSummary, output: &Output) -> Result<()> {
    if !summary.nights.is_empty() {
        output.text(&nights_text(&summary.nights))?;
        for model in &summary.models {
            output.text(&model_text(model))?;
        }
    }
    output.summary(summary)
}

/// The nights that cannot be measured yet.
fn waiting_text(summary: &MonitorSummary) -> Option<String> {
    let next = summary.waiting.first()?;
    let last = summary.last_day;
    Some(format!(
        "{} not followed for {HORIZON_DAYS} days yet, since the tickets end on {last}; that of {next} is from {} on",
        match summary.waiting.len() {
            1 => "1 night is".to_owned(),
            count => format!("{count} nights are"),
        },
        AsOf(next.day() + HORIZON_DAYS)
    ))
}

/// A row for each night.
fn nights_text(nights: &[MonitoredNight]) -> String {
    let mut columns = vec![Column::fitted(Align::Left)];
    columns.extend([Column::fitted(Align::Right); 9]);
    let mut table = Table::new(columns);
    table.row([
        "night",
        "customers",
        "came",
        "expected",
        "mae",
        "mae_all",
        "coverage_80",
        "hit@10",
        "ndcg@10",
        "ece_7d",
    ]);
    for night in nights {
        let figures = &night.figures;
        table.row([
            night.as_of.to_string(),
            night.customers.to_string(),
            figure(night.came, 4),
            figure(night.expected, 4),
            figure(figures.mae, 4),
            figure(figures.mae_all, 4),
            figure(figures.coverage_80, 4),
            figure(figures.hit_at_10, 4),
            figure(figures.ndcg_at_10, 4),
            figure(figures.ece_return_7d, 4),
        ]);
    }
    table.to_string()
}

/// A line with what became of a model's promise.
fn model_text(model: &MonitoredModel) -> String {
    let compared: Vec<String> = model.compared.iter().map(comparison_text).collect();
    let compared = match compared.is_empty() {
        true => "no figures to compare with".to_owned(),
        false => compared.join("; "),
    };
    format!(
        "model {}, {}: {compared}",
        model.model_id,
        counted(i64::try_from(model.nights).unwrap_or(i64::MAX), "night")
    )
}

fn comparison_text(compared: &PromiseComparison) -> String {
    format!(
        "{} {:.4}, promised {:.4} (difference {:+.4} … {:+.4}), {}",
        compared.figure.name(),
        compared.measured,
        compared.promised,
        compared.interval.low,
        compared.interval.high,
        compared.verdict.words()
    )
}

/// The error of models that are worse than promised; `None` if there is none.
pub(super) fn refusal(summary: &MonitorSummary) -> Option<Error> {
    let worse: Vec<String> = summary
        .worse()
        .map(|(model, compared)| {
            format!(
                "\n  model {}: {}",
                model.model_id,
                comparison_text(compared)
            )
        })
        .collect();
    (!worse.is_empty()).then(|| {
        Error::guard(format!(
            "published nights are worse than the backtest promised:{}",
            worse.concat()
        ))
        .hint("look at the feed and at what has changed in the store; train a new model, or go back with `okuo models rollback`")
    })
}
