//! `okuo explain`.

use std::borrow::Cow;

use super::ExplainArguments;
use super::input::rule_text;
use super::night::{Tickets, model_of, tickets_of};
use super::output::Output;
use crate::domain::ProductModel;
use crate::domain::words::{ago, counted};
use crate::error::{Error, Result};
use crate::models::explain::{
    Explanation, Features, Judgement, Past, Prediction, Product, explain,
};
use crate::purchases::{Partitions, Purchases};

/// Features of a product that are shown to people; `--json` has all.
const MAIN_FEATURES: [&str; 6] = [
    "share",
    "decay_95",
    "last_visits",
    "gap_days",
    "due_days",
    "product_share_28d",
];
/// How wide the likeliest day's bar is.
const BAR: f64 = 30.0;

/// Whom to explain. `--customer ID` reads best and is the column's flag too: with `--id` it is the
/// column, else the customer, and the column is what okuo.toml says.
fn whom(arguments: &mut ExplainArguments) -> Result<String> {
    if let Some(id) = arguments.id.take() {
        return Ok(id);
    }
    match arguments.common.flags.given.take_flag("columns.customer") {
        Some(id) => Ok(id),
        None => Err(Error::request("no customer was named")
            .hint("give --customer ID; where --customer names the column, give --id ID too")),
    }
}

pub(super) async fn run(mut arguments: ExplainArguments, output: &Output) -> Result<()> {
    let id = whom(&mut arguments)?;
    let mut config = arguments.common.config().await?;
    config.required_inputs()?;
    let as_of = arguments.as_of;
    let (header, model) = model_of(&mut config, arguments.model.as_deref(), as_of, output).await?;
    let tickets = tickets_of(&config, &header, &model, as_of, output).await?;
    let progress = output.progress();
    progress.stage("looking at the store and the customer");
    let products = usize::from(arguments.products);
    let Tickets {
        partitions,
        overview,
        ..
    } = tickets;
    let purchases = tokio::task::block_in_place(|| part_of(&*partitions, &id))?;
    let explanation = tokio::task::block_in_place(|| {
        explain(
            &model,
            &header.model_id(),
            &purchases,
            overview,
            as_of,
            &config.rule,
            &id,
            products,
        )
    })?;
    drop(progress);
    output.text(&in_words(&explanation))?;
    output.document(&explanation)
}

/// The part of the history that has the customer; where none has, any.
fn part_of<'a>(partitions: &'a dyn Partitions, id: &str) -> Result<Cow<'a, Purchases>> {
    if let Some(code) = partitions.customers().code(id) {
        for at in 1..partitions.count() {
            let partition = partitions.partition(at)?;
            if partition.has(code) {
                return Ok(partition);
            }
        }
    }
    partitions.partition(0)
}

fn in_words(explanation: &Explanation<'_>) -> String {
    let Explanation {
        customer_id,
        as_of,
        model_id,
        recurrent,
        why_not,
        history,
        rule,
        prediction,
        min_purchases,
    } = explanation;
    let mut text = format!(
        "customer {customer_id} on {as_of}, with model {model_id}\n\n{}\n",
        past(history)
    );
    text.push_str(&format!(
        "recurrent: {}\n{}",
        if *recurrent {
            "yes"
        } else {
            "no, `okuo score` leaves this customer out"
        },
        judgement(rule)
    ));
    why_not
        .iter()
        .for_each(|why| text.push_str(&format!("  not met: {why}\n")));
    match prediction {
        Some(prediction) => text.push_str(&predicted(prediction)),
        None => text.push_str(&format!(
            "\nno prediction: the model learned from customers with at least {min_purchases} purchases, and this one has {}\n",
            history.purchases
        )),
    }
    text
}

fn past(history: &Past) -> String {
    let mut text = format!(
        "{} from {} to {} ({}), {} in the last 90 days",
        counted(history.purchases as i64, "purchase"),
        history.first_purchase,
        history.last_purchase,
        ago(history.days_since_last),
        history.purchases_90d
    );
    if let (Some(mean), Some(median)) = (history.mean_gap_days, history.median_gap_days) {
        text.push_str(&format!(
            "; days between two: mean {mean:.1}, median {median}"
        ));
    }
    text.push_str(&format!(
        "\n  {:<10}  {:<9}  {:>9}  {:>8}\n",
        "day", "weekday", "gap, days", "products"
    ));
    for purchase in &history.latest {
        let gap = purchase
            .gap_days
            .map_or("–".to_owned(), |gap| gap.to_string());
        text.push_str(&format!(
            "  {:<10}  {:<9}  {gap:>9}  {:>8}\n",
            purchase.day, purchase.weekday, purchase.products
        ));
    }
    text
}

fn judgement(judgement: &Judgement) -> String {
    let mut text = format!("  {}\n", rule_text(&judgement.rule));
    for period in &judgement.periods {
        text.push_str(&format!(
            "  {} to {}  {:>3} {}, {} of them large\n",
            period.first,
            period.last,
            period.purchases,
            if period.purchases == 1 {
                "purchase"
            } else {
                "purchases"
            },
            period.large_baskets
        ));
    }
    if let Some(share) = judgement.large_basket_share {
        text.push_str(&format!(
            "  share of large baskets: {share:.2} ({} is asked for)\n",
            judgement.rule.basket_share
        ));
    }
    text
}

fn predicted(prediction: &Prediction<'_>) -> String {
    let percent = |probability: f64| format!("{:.0} %", 100.0 * probability);
    let mut text = format!(
        "\nnext purchase: expected {}, with 80 % from {} to {}; within 7 days with {}, 14 days with {}, 28 days with {}; about {:.0} products\n",
        prediction.expected_date,
        prediction.earliest_date,
        prediction.latest_date,
        percent(prediction.p_return_7d),
        percent(prediction.p_return_14d),
        percent(prediction.p_return_28d),
        prediction.expected_basket_size
    );
    let most = prediction
        .by_day
        .iter()
        .map(|day| day.probability)
        .fold(1e-9, f64::max);
    for day in &prediction.by_day {
        let bar = "#".repeat((BAR * day.probability / most).round() as usize);
        text.push_str(
            format!(
                "  {}  {:<9} {:>5.1} %  {bar}",
                day.day,
                day.weekday,
                100.0 * day.probability
            )
            .trim_end(),
        );
        text.push('\n');
    }
    text.push_str("\nwhat the model sees of when, in days and shares:\n");
    let least_squares = (
        "least_squares_days",
        Some(prediction.least_squares_days as f32),
    );
    let features: Vec<_> = prediction
        .timing_features
        .0
        .iter()
        .copied()
        .chain([least_squares])
        .collect();
    for three in features.chunks(3) {
        let cells: Vec<String> = three
            .iter()
            .map(|(name, value)| format!("{name:<27} {:>8}", number(*value)))
            .collect();
        text.push_str(&format!("  {}\n", cells.join("   ")));
    }
    text.push_str("\nwhat the basket is likely to hold:\n");
    prediction
        .products
        .iter()
        .for_each(|product| text.push_str(&likely(product)));
    text
}

fn likely(product: &Product<'_>) -> String {
    let model = match product.model {
        ProductModel::Product => "own tree",
        ProductModel::Pooled => "pooled",
    };
    let Features(features) = &product.features;
    let main = features
        .iter()
        .filter(|(name, value)| MAIN_FEATURES.contains(name) && value.is_some());
    let main: Vec<String> = main
        .map(|(name, value)| format!("{name} {}", number(*value)))
        .collect();
    format!(
        "  {:>2}.  {:>3.0} %  product {:<8}  {model:<8}  {}\n        {}\n",
        product.rank,
        100.0 * product.probability,
        product.product_id,
        product.reason,
        main.join(", ")
    )
}

/// A feature's value, or a dash where it is not known.
fn number(value: Option<f32>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::input::PopulationSummary;
    use crate::models::examples::{NIGHT, read, rule, store};
    use crate::purchases::PartitionedHistory;
    use crate::purchases::tests::limited;

    #[test]
    fn every_customer_is_found_in_one_of_many_parts_and_all_are_counted() {
        let whole = read(store(80, 250, 1));
        let partitions = limited(&whole, 1_000).partitions().unwrap();
        assert!(partitions.count() > 10, "{}", partitions.count());
        for code in 0..whole.customers().len() as u32 {
            let id = whole.customers().get(code).unwrap().to_string();
            let partition = part_of(&*partitions, &id).unwrap();
            assert!(
                partition
                    .until(NIGHT)
                    .purchases_of(code)
                    .iter()
                    .eq(whole.until(NIGHT).purchases_of(code).iter()),
                "{id}"
            );
        }
        assert!(part_of(&*partitions, "nobody").is_ok());
        let [all, by_parts] = [&whole as &dyn Partitions, &*partitions]
            .map(|partitions| PopulationSummary::new(partitions, Some(NIGHT), &rule()).unwrap());
        assert_eq!(
            (all.span, all.distinct_lines, all.funnel),
            (by_parts.span, by_parts.distinct_lines, by_parts.funnel)
        );
        assert_eq!(
            PartitionedHistory::all(&*partitions).span().unwrap(),
            whole.span()
        );
    }
}
