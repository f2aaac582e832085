//! `okuo init`.

use super::InitArguments;
use super::funnel::text_of;
use super::output::Output;
use super::set_up;
use super::table::{Align, Column, Table};
use crate::calendar::AsOf;
use crate::config::Layer;
use crate::domain::words::{in_one_line, shortened};
use crate::error::{Error, Result};
use crate::ingest::survey::{Certainty, ColumnProfile, RoleChoice};
use crate::jobs::{self, InitRequest, InitSummary, TicketFacts};
use crate::models::needed_days;
use crate::recurrence::{Rule, RuleGrid};

/// What stands for stdout where a file is named.
const STDOUT: &str = "-";

/// How long an example of a value is at most, in characters.
const EXAMPLE: usize = 24;

/// The shares that the table of the rule shows.
const SHARES: [f64; 7] = [1.0, 0.9, 0.7, 0.5, 0.3, 0.1, 0.0];

pub(super) async fn run(arguments: InitArguments, output: &Output) -> Result<()> {
    let given = arguments.flags.given.clone();
    let config = given.over(Layer::of_machine()).check()?;
    set_up(&config)?;
    let is_shown = arguments.config == STDOUT;
    let request = InitRequest {
        file: (!is_shown).then(|| arguments.config.clone()),
        force: arguments.force,
    };
    let progress = output.progress();
    let mut summary = jobs::init(&config, &request, &progress).await?;
    drop(progress);
    let refusal = summary.refusal.take();
    match is_shown && refusal.is_none() {
        true => output.text(&summary.document)?,
        false => output.text(&text(&summary, &config.rule))?,
    }
    output.summary(&summary)?;
    refusal.map_or(Ok(()), |error: Error| Err(error))
}

/// What comes between the commands, if the first model is not promoted.
fn first_model(rule: &Rule) -> String {
    format!(
        "score takes the promoted model: train promotes the first one unless it is significantly worse than simple baselines on days that it has not seen,\n\
         and says so; one of a history below {} days cannot be measured and is not promoted by itself\n\
         if it is not promoted, `okuo models promote` or train with --promote always does it all the same\n",
        needed_days(rule)
    )
}

/// What was found, for people.
fn text(summary: &InitSummary, rule: &Rule) -> String {
    let survey = &summary.survey;
    let mut text = format!(
        "looked at {} of {} objects{}\n\n{}",
        summary.objects_looked_at,
        summary.objects,
        survey
            .notes
            .iter()
            .map(|note| format!("; {note}"))
            .collect::<String>(),
        columns(&survey.columns, &survey.roles, false)
    );
    if !survey.header_columns.is_empty() {
        text.push_str("\nthe table of ticket headers:\n");
        text.push_str(&columns(&survey.header_columns, &survey.roles, true));
    }
    for (title, items) in [("sure", &survey.sure), ("to check", &survey.check)] {
        if !items.is_empty() {
            text.push_str(&format!("\n{title}:\n"));
            for item in items {
                text.push_str(&format!("- {item}\n"));
            }
        }
    }
    if let Some(facts) = &summary.tickets {
        text.push_str(&tickets(facts));
    }
    if let Some(file) = &summary.file {
        text.push_str(&format!("\nwrote {file}\n"));
    }
    if !summary.commands.is_empty() {
        text.push_str("next:\n");
        for command in &summary.commands {
            text.push_str(&format!("  {command}\n"));
        }
        text.push_str(&first_model(rule));
    }
    text
}

/// Each column, what it is taken for, and examples of its values.
fn columns(columns: &[ColumnProfile], roles: &[RoleChoice], are_in_headers: bool) -> String {
    let mut table = Table::new([Column::fitted(Align::Left); 4]);
    table.row(["column", "is", "why", "for example"]);
    for column in columns {
        let mut roles = roles.iter();
        let choice = roles
            .find(|choice| choice.column == column.name && choice.is_in_headers == are_in_headers);
        let (is, why) = choice.map_or((String::new(), String::new()), role);
        table.row([shown(&column.name), is, why, examples(column)]);
    }
    table.to_string()
}

fn role(choice: &RoleChoice) -> (String, String) {
    let why = match choice.certainty {
        Certainty::Check => format!("CHECK: {}", choice.reason),
        Certainty::Given | Certainty::Sure => choice.reason.clone(),
    };
    (choice.role.words().to_owned(), why)
}

fn examples(column: &ColumnProfile) -> String {
    let examples: Vec<String> = column
        .examples
        .iter()
        .map(|example| shown(example))
        .collect();
    match examples.is_empty() {
        true => "(no value)".to_owned(),
        false => examples.join(" | "),
    }
}

fn shown(text: &str) -> String {
    shortened(&in_one_line(text), EXAMPLE)
}

/// What all lines tell.
fn tickets(facts: &TicketFacts) -> String {
    let night = facts.last_full_day;
    format!(
        "\n{}\n{} customers and {} products from {} to {}\n\ncustomers that other values of the rule would keep on {night}:\n{}",
        text_of(&facts.lines, &facts.funnel, &facts.rule, AsOf(night)),
        facts.customers,
        facts.products,
        facts.span.first,
        facts.span.last,
        grid(&facts.grid)
    )
}

/// The customers by periods and share.
fn grid(grid: &RuleGrid) -> String {
    let mut table = Table::new([Column::fitted(Align::Right); SHARES.len() + 1]);
    let shares = SHARES.iter().map(|share| share.to_string());
    table.row(
        ["periods ↓ basket_share →".to_owned()]
            .into_iter()
            .chain(shares),
    );
    for row in &grid.rows {
        let customers = SHARES.iter().map(|share| {
            let customers = grid.customers(row.periods, *share);
            customers.map_or_else(|| "–".to_owned(), |customers| customers.to_string())
        });
        table.row([row.periods.to_string()].into_iter().chain(customers));
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_odd_values_stay_in_their_line() {
        assert_eq!(shown("a\nb"), "a b");
        assert_eq!(shown(&"ä".repeat(30)), format!("{}…", "ä".repeat(24)));
    }
}
