//! `okuo plan`.

use super::PlanArguments;
use super::metrics;
use super::output::Output;
use super::score::within_budget;
use crate::domain::words::counted;
use crate::error::Result;
use crate::jobs::{self, PlanRequest, PlanSummary, PlannedDay};

pub(super) async fn run(arguments: PlanArguments, output: &Output) -> Result<()> {
    let config = within_budget(arguments.common.config().await?, arguments.budget)?;
    let request = PlanRequest {
        as_of: arguments.as_of,
        days: arguments.days,
        model: arguments.model,
        force: arguments.force,
    };
    let progress = output.progress();
    let summary = jobs::plan(&config, &request, &progress).await?;
    drop(progress);
    let offers = summary.days.iter().map(|day| day.sent.offers);
    metrics::keep(
        &summary.measured,
        &[
            ("offers", offers.sum()),
            ("warnings", summary.warnings.len()),
            ("breaches", summary.guards.breaches.len()),
        ],
    );
    let told = output
        .text(&plan_text(&summary))
        .and_then(|()| output.summary(&summary));
    told.map_err(|error| {
        error.hint(format!(
            "the plan is published all the same: {}",
            summary.manifest
        ))
    })
}

/// What is planned for each day, and where.
fn plan_text(summary: &PlanSummary) -> String {
    let days: String = summary.days.iter().map(day_text).collect();
    let budget = match summary.budget {
        Some(budget) => format!(
            "within the budget of {budget:.2} for each day; {} held back for it\n",
            match summary.over_budget {
                1 => "1 offer is".to_owned(),
                many => format!("{many} offers are"),
            }
        ),
        None => String::new(),
    };
    format!(
        "planned from {} with model {}:\n{days}{budget}published: {}",
        summary.as_of, summary.model_id, summary.manifest
    )
}

fn day_text(day: &PlannedDay) -> String {
    let unknown = match day.sent.offers_without_cost {
        0 => String::new(),
        unknown => format!(", without {unknown} whose price is not known"),
    };
    let cost = day
        .sent
        .expected_cost
        .map(|cost| format!("; if nothing changes, their discounts cost {cost:.2}{unknown}"));
    format!(
        "  {}: {} to {}{}\n",
        day.send_on,
        counted(day.sent.offers as i64, "offer"),
        counted(day.sent.customers as i64, "customer"),
        cost.unwrap_or_default()
    )
}
