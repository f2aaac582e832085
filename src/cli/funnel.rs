//! The lines of the input, the rule and its funnel, as text.

use crate::calendar::AsOf;
use crate::domain::Funnel;
use crate::domain::words::counted;
use crate::ingest::report::Report;
use crate::recurrence::{PopulationSummary, Rule};

/// Below this many recurrent customers, other basket shares are shown.
const FEW: usize = 30;

/// What became of the lines, and how many customers pass each part of the rule.
pub(super) fn lines_and_funnel(lines: &Report, population: &PopulationSummary) -> String {
    let PopulationSummary {
        as_of,
        rule,
        funnel,
        ..
    } = population;
    text_of(lines, funnel, rule, *as_of)
}

/// The same of their parts.
pub(super) fn text_of(lines: &Report, funnel: &Funnel, rule: &Rule, night: AsOf) -> String {
    let left_out = match lines.suspects.len() {
        0 => String::new(),
        1 => " (and 1 left out that looks like no person)".to_owned(),
        count => format!(" (and {count} left out that look like no person)"),
    };
    format!("{lines}\n{}", funnel_text(funnel, &left_out, rule, night))
}

/// The rule in words.
pub(super) fn rule_text(rule: &Rule) -> String {
    let share = if rule.basket_share >= 1.0 {
        "every one".to_owned()
    } else {
        format!("a share of {}", rule.basket_share)
    };
    let Rule {
        period_days,
        periods,
        min_purchases,
        min_products,
        ..
    } = rule;
    let window = match periods {
        1 => format!("in the last {}", counted(*period_days, "day")),
        periods => format!(
            "in each of the last {periods} periods of {}",
            counted(*period_days, "day")
        ),
    };
    format!(
        "{window} at least {}; {share} of the purchases with at least {}",
        counted(*min_purchases, "purchase"),
        counted(*min_products, "product")
    )
}

/// The funnel as text, with other basket shares where few pass.
fn funnel_text(funnel: &Funnel, left_out: &str, rule: &Rule, night: AsOf) -> String {
    let mut text = format!(
        "customers on {night}: {} seen{left_out} → {} active → {} frequent → {} large baskets → {} recurrent",
        funnel.seen, funnel.active, funnel.frequent, funnel.large_baskets, funnel.recurrent
    );
    text.push_str(&format!("\n  ({})", rule_text(rule)));
    if funnel.recurrent < FEW {
        let shares: Vec<String> = funnel
            .by_basket_share
            .iter()
            .filter(|(share, count)| *share < rule.basket_share && *count > funnel.recurrent)
            .map(|(share, count)| format!("{share}: {count}"))
            .collect();
        if !shares.is_empty() {
            text.push_str(&format!(
                "\n  few pass; --basket-share would let in  {}",
                shares.join("  ")
            ));
        }
    }
    text
}
