//! `okuo score`.

use super::ScoreArguments;
use super::metrics;
use super::names::on_screen;
use super::output::Output;
use super::score_range;
use crate::config::Config;
use crate::domain::words::counted;
use crate::error::Result;
use crate::jobs::{self, ExampleCustomer, KeptPlan, ScoreRequest, ScoreSummary};

/// How many products of each are shown.
const PRODUCTS: usize = 5;

pub(super) async fn run(arguments: ScoreArguments, output: &Output) -> Result<()> {
    let config = within_budget(arguments.common.config().await?, arguments.budget)?;
    if let (Some(from), Some(to)) = (arguments.from, arguments.to) {
        return score_range::run(arguments, &config, (from, to), output).await;
    }
    let clock = &config.input.clock;
    let as_of = arguments.schedule.night(arguments.as_of, clock)?;
    let request = ScoreRequest {
        as_of,
        model: arguments.model,
        formats: arguments.format,
        examples: arguments.examples,
        force: arguments.force,
    };
    let progress = output.progress();
    let summary = jobs::score(&config, &request, &progress).await?;
    drop(progress);
    keep_metrics(&summary);
    let told = tell(&summary, output);
    told.map_err(|error| {
        error.hint(format!(
            "the night is published all the same: {}",
            summary.manifest
        ))
    })
}

/// Keeps what is told of the run when it ends.
pub(super) fn keep_metrics(summary: &ScoreSummary) {
    metrics::keep(
        &summary.measured,
        &[
            ("customers", summary.customers),
            ("offers", summary.offers),
            ("offers_due", summary.offers_due),
            ("warnings", summary.warnings.len()),
            ("breaches", summary.guards.breaches.len()),
        ],
    );
}

/// Prints what was published.
fn tell(summary: &ScoreSummary, output: &Output) -> Result<()> {
    output.text(&published_text(summary))?;
    // Ids of customers go into no log unless asked for.
    if !summary.examples.is_empty() {
        output.text(&format!(
            "\n{} of the {} customers:\n{}",
            summary.examples.len(),
            summary.customers,
            examples_text(&summary.examples)
        ))?;
    }
    output.summary(summary)
}

/// The settings with the budget that was given, if one was.
pub(super) fn within_budget(mut config: Config, budget: Option<f64>) -> Result<Config> {
    if budget.is_some() {
        config.offers.budget = budget;
        config.offers = config.offers.check()?;
    }
    Ok(config)
}

/// How much was published, and where.
pub(super) fn published_text(summary: &ScoreSummary) -> String {
    let ScoreSummary {
        customers,
        model_id,
        offers,
        offers_due,
        customers_due,
        manifest,
        ..
    } = summary;
    format!(
        "scored {customers} customers with model {model_id}; {offers} offers, of which {offers_due} are due on {}, to {}{}{}\npublished: {manifest}",
        summary.as_of.day() + 1,
        counted(*customers_due as i64, "customer"),
        summary
            .expected_cost
            .or(summary.budget.map(|_| 0.0))
            .map(|cost| cost_text(cost, summary))
            .unwrap_or_default(),
        summary.plan.as_ref().map(kept_text).unwrap_or_default()
    )
}

/// A line with how the morning differs from the plan that stands.
fn kept_text(plan: &KeptPlan) -> String {
    let changes = plan.changes;
    format!(
        "\nplan of {}: {} of the {} planned for the morning are due; not due are {} of customers who came since, and {} that may not be sent any more; {} added for customers who came since",
        plan.as_of,
        changes.kept,
        counted(changes.planned as i64, "offer"),
        changes.came_since,
        changes.withdrawn(),
        changes.added
    )
}

/// A line with what the discounts that are due cost, and how many are not in that.
fn cost_text(cost: f64, summary: &ScoreSummary) -> String {
    let unpriced = match summary.offers_without_cost {
        0 => String::new(),
        without => format!(
            "; {without} of {} have no price, and are not in it",
            summary.offers_due
        ),
    };
    let budget = match summary.budget {
        Some(budget) => format!(
            ", within the budget of {budget:.2}; {} held back for it",
            match summary.over_budget {
                1 => "1 offer is".to_owned(),
                many => format!("{many} offers are"),
            }
        ),
        None => String::new(),
    };
    format!("\nif nothing changes, the discounts that are due cost {cost:.2}{budget}{unpriced}")
}

/// A few customers in words.
pub(super) fn examples_text(examples: &[ExampleCustomer]) -> String {
    examples.iter().map(example_text).collect()
}

fn example_text(example: &ExampleCustomer) -> String {
    let prediction = &example.prediction;
    let mut text = format!(
        "customer {}: expected {} ({} to {}; within 7 days with {:.0} %), about {:.0} products; last here {}\n",
        example.customer_id,
        example.expected_date,
        prediction.earliest,
        prediction.latest,
        100.0 * prediction.return_probability[0],
        prediction.expected_basket_size,
        prediction.last_purchase
    );
    for product in example.products.iter().take(PRODUCTS) {
        let name = product.name.as_ref().map(|name| on_screen(name) + ": ");
        text.push_str(&format!(
            "  {:>3.0} %  product {:<8} {}{}\n",
            100.0 * product.prediction.probability,
            product.product_id,
            name.unwrap_or_default(),
            product.prediction.reason()
        ));
    }
    text
}
