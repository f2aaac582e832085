//! `okuo plan`.

use super::PlanArguments;
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
    output.text(&plan_text(&summary))?;
    output.summary(&summary)
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
    let cost = day
        .sent
        .expected_cost
        .map(|cost| format!("; if nothing changes, their discounts cost {cost:.2}"));
    format!(
        "  {}: {} to {}{}\n",
        day.send_on,
        counted(day.sent.offers as i64, "offer"),
        counted(day.sent.customers as i64, "customer"),
        cost.unwrap_or_default()
    )
}
