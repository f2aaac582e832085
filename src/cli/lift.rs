//! `okuo lift`.

use super::LiftArguments;
use super::output::Output;
use super::table::{Align, Column, Table};
use crate::domain::words::counted;
use crate::error::Result;
use crate::jobs::{self, LiftRequest, LiftSummary};
use crate::lift::{ArmDifference, EffectPlan, LiftGroup, LiftMeasure, LiftRow};

/// At most so many categories are shown; `--json` has all.
const CATEGORIES: usize = 10;

pub(super) async fn run(arguments: LiftArguments, output: &Output) -> Result<()> {
    let config = arguments.common.config().await?;
    let request = LiftRequest {
        from: arguments.from,
        to: arguments.to,
        effect: arguments.effect,
    };
    let progress = output.progress();
    let summary = jobs::lift(&config, &request, &progress).await?;
    drop(progress);
    if summary.waiting > 0 {
        output.note(&format!(
            "{} left out, since the tickets end on {}, before the offers do",
            counted(summary.waiting as i64, "offer"),
            summary.last_day
        ));
    }
    if summary.before > 0 {
        output.note(&format!(
            "{} left out, since the tickets begin after the offers do",
            counted(summary.before as i64, "offer")
        ));
    }
    if !summary.rows.is_empty() {
        output.text(&headline(&summary))?;
        output.text(&rows_text(&summary.rows))?;
    }
    match (&summary.effect, request.effect) {
        (Some(plan), _) => output.text(&plan_text(plan))?,
        (None, Some(_)) => {
            output.note("what the effect needs is not known: one of the arms has no customers yet");
        }
        _ => {}
    }
    output.summary(&summary)
}

/// Of what the rows speak.
fn headline(summary: &LiftSummary) -> String {
    let nights = match (summary.from, summary.to) {
        (Some(from), Some(to)) => format!("the nights from {from} to {to}"),
        _ => "no night".to_owned(),
    };
    let sent = summary.sent.as_ref().map(|sent| {
        format!(
            "\n{} of {} offers to be sent were sent, and {} of {} to be held back",
            sent.sent, sent.to_send, sent.sent_all_the_same, sent.to_hold_back
        )
    });
    format!(
        "{} to {}, of {nights}{}",
        counted(summary.offers as i64, "offer"),
        counted(summary.customers as i64, "customer"),
        sent.unwrap_or_default()
    )
}

fn rows_text(rows: &[LiftRow]) -> String {
    let shown = largest_categories(rows);
    let mut columns = vec![Column::fitted(Align::Left); 3];
    columns.extend([Column::fitted(Align::Right); 5]);
    columns.push(Column::fitted(Align::Left));
    let mut table = Table::new(columns);
    table.row([
        "of",
        "measure",
        "arms",
        "sent",
        "held back",
        "difference",
        "95 %",
        "visible from",
        "",
    ]);
    for row in rows {
        let is_shown = match &row.of {
            LiftGroup::Category(category) => shown.contains(&category.as_str()),
            _ => true,
        };
        if !is_shown {
            continue;
        }
        let mut cells = vec![
            row.of.words(),
            row.measure.word().to_owned(),
            row.arms.word().to_owned(),
        ];
        cells.extend(figures_text(row.measure, row.compared.as_ref()));
        cells.push(row.verdict.words().to_owned());
        table.row(cells);
    }
    table.to_string()
}

/// The categories with the most offers.
fn largest_categories(rows: &[LiftRow]) -> Vec<&str> {
    let mut categories: Vec<(u64, &str)> = rows
        .iter()
        .filter_map(|row| match (&row.of, &row.compared) {
            (LiftGroup::Category(category), Some(compared)) => {
                Some((compared.treatment.size as u64, category.as_str()))
            }
            _ => None,
        })
        .collect();
    categories.sort_unstable_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(other.1)));
    let mut names: Vec<&str> = vec![];
    for (_, name) in categories {
        if names.len() < CATEGORIES && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn figures_text(measure: LiftMeasure, compared: Option<&ArmDifference>) -> [String; 5] {
    let Some(compared) = compared else {
        return ["–"; 5].map(str::to_owned);
    };
    let figure = |value: f64, sign: bool| match (measure, sign) {
        (LiftMeasure::Bought, true) => format!("{:+.1}", 100.0 * value),
        (LiftMeasure::Bought, false) => format!("{:.1} %", 100.0 * value),
        (_, true) => format!("{value:+.3}"),
        (_, false) => format!("{value:.3}"),
    };
    [
        figure(compared.treatment.value, false),
        figure(compared.control.value, false),
        figure(compared.difference, true),
        format!(
            "{} … {}",
            figure(compared.low, true),
            figure(compared.high, true)
        ),
        figure(compared.smallest_visible, true),
    ]
}

/// What an effect needs.
fn plan_text(plan: &EffectPlan) -> String {
    let effect = 100.0 * plan.effect;
    let needed = match plan.control_share_needed {
        Some(share) => format!("a control arm of {:.0} % of the customers", 100.0 * share),
        None => "more customers: half of them in the control arm are too few".to_owned(),
    };
    let mut text = format!(
        "\nto show an effect of {effect:.1} points in {:.0} weeks takes {needed} (it has {:.0} %); with\n",
        plan.weeks,
        100.0 * plan.control_share
    );
    for needed in &plan.weeks_needed {
        let weeks = needed.weeks.map_or_else(
            || "more than 104 weeks".to_owned(),
            |weeks| counted(weeks, "week"),
        );
        text += &format!("  {:>3.0} %  {weeks}\n", 100.0 * needed.control_share);
    }
    text
}
