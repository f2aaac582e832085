//! `okuo explain`.

use super::ExplainArguments;
use super::funnel::rule_text;
use super::names::on_screen;
use super::output::Output;
use super::table::{Align, Column, Table, figure};
use crate::domain::ProductModel;
use crate::domain::words::{ago, counted};
use crate::error::{Error, Result};
use crate::features::basket::BASKET_COLUMNS;
use crate::jobs::{self, ExplainRequest, ExplainedCustomer, ExplainedOffer};
use crate::models::explain::{Explanation, Features, Judgement, Past, Prediction, Product};
use crate::offers::Arm;

/// Features of a product that are shown to people, where they stand in a row; `--json` has all.
const MAIN_FEATURES: [usize; 6] = [
    BASKET_COLUMNS.share,
    BASKET_COLUMNS.decay_95,
    BASKET_COLUMNS.last_visits,
    BASKET_COLUMNS.gap_days,
    BASKET_COLUMNS.due_days,
    BASKET_COLUMNS.product_share_28d,
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
    let customer = whom(&mut arguments)?;
    let config = arguments.common.config().await?;
    let request = ExplainRequest {
        customer,
        as_of: arguments.as_of,
        model: arguments.model,
        products: usize::from(arguments.products),
    };
    let progress = output.progress();
    let explanation = jobs::explain(&config, &request, &progress).await?;
    drop(progress);
    output.text(&in_words(&explanation.explanation))?;
    output.text(&offers_in_words(&explanation))?;
    output.document(&explanation)
}

/// What is offered to the customer, and what is not, with the reasons.
fn offers_in_words(explained: &ExplainedCustomer) -> String {
    let Some(offers) = &explained.offers else {
        return "\nno offers: offers are for recurrent customers".to_owned();
    };
    let arm = match offers.first().map(|offer| offer.arm) {
        Some(Arm::Control) => " (control arm: nothing is sent)",
        _ => "",
    };
    let of_none = match explained.sent_is_known {
        true => "",
        false => ", as if nothing had been sent before (--output says what was)",
    };
    let lines: Vec<String> = offers.iter().map(offer_line).collect();
    format!("\noffers{arm}{of_none}:\n{}", lines.join("\n"))
}

fn offer_line(offer: &ExplainedOffer) -> String {
    let name = offer.product_name.as_deref().map(on_screen);
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    let discount = offer
        .discount
        .map(|share| format!("; {:.0} % off", 100.0 * share));
    let dates = match (offer.send_on, offer.valid_from, offer.valid_until) {
        (Some(send_on), Some(from), Some(until)) => {
            format!("; to send on {send_on}, valid {from} to {until}")
        }
        _ => String::new(),
    };
    format!(
        "  {:<12} {:<8} product {}{name}: {}{}{dates}",
        offer.action,
        offer.strategy,
        offer.product_id,
        offer.reason,
        discount.unwrap_or_default()
    )
}

fn in_words(explanation: &Explanation) -> String {
    let Explanation {
        customer_id,
        store,
        as_of,
        model_id,
        recurrent,
        why_not,
        history,
        rule,
        prediction,
        min_purchases,
        offer_mix,
    } = explanation;
    let mut text = format!(
        "customer {customer_id} on {as_of}, with model {model_id}\n\n{}\n",
        past(history)
    );
    if let Some(store) = store {
        text.push_str(&format!("mostly in store {}\n\n", on_screen(store)));
    }
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
    if let Some(offer_mix) = offer_mix {
        text.push_str(&format!("\noffers: {offer_mix}\n"));
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
    text.push('\n');
    text.push_str(&latest_purchases(history).to_string());
    text
}

fn latest_purchases(history: &Past) -> Table {
    let mut table = Table::new([
        Column::fixed(Align::Left, 10),
        Column::fixed(Align::Left, 9),
        Column::fixed(Align::Right, 9),
        Column::fixed(Align::Right, 8),
    ])
    .indent("  ");
    table.row(["day", "weekday", "gap, days", "products"]);
    for purchase in &history.latest {
        table.row([
            purchase.day.to_string(),
            purchase.weekday.to_owned(),
            figure(purchase.gap_days.map(f64::from), 0),
            purchase.products.to_string(),
        ]);
    }
    table
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

fn predicted(prediction: &Prediction) -> String {
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
    text.push_str(&coming_days(prediction).to_string());
    text.push_str("\nwhat the model sees of when, in days and shares:\n");
    text.push_str(&timing_features(prediction).to_string());
    text.push_str("\nwhat the basket is likely to hold:\n");
    text.extend(prediction.products.iter().map(likely));
    text
}

fn percent(probability: f64) -> String {
    format!("{:.0} %", 100.0 * probability)
}

/// The probability of each coming day, with a bar.
fn coming_days(prediction: &Prediction) -> Table {
    let most = prediction
        .by_day
        .iter()
        .map(|day| day.probability)
        .fold(1e-9, f64::max);
    let mut table = Table::new([Column::fitted(Align::Left); 3]).indent("  ");
    for day in &prediction.by_day {
        let bar = "#".repeat((BAR * day.probability / most).round() as usize);
        let weekday_and_percent = format!("{:<9} {:>5.1} %", day.weekday, 100.0 * day.probability);
        table.row([day.day.to_string(), weekday_and_percent, bar]);
    }
    table
}

/// What the timing model sees, three features in a line.
fn timing_features(prediction: &Prediction) -> Table {
    let least_squares = (
        "least_squares_days",
        Some(prediction.least_squares_days as f32),
    );
    let features: Vec<String> = prediction
        .timing_features
        .0
        .iter()
        .chain([&least_squares])
        .map(|(name, value)| format!("{name:<27} {:>8}", number(*value)))
        .collect();
    let mut table = Table::new([Column::fixed(Align::Left, 36); 3])
        .indent("  ")
        .separator("   ");
    for three in features.chunks(3) {
        table.row(three);
    }
    table
}

fn likely(product: &Product) -> String {
    let model = match product.model {
        ProductModel::Product => "own tree",
        ProductModel::Pooled => "pooled",
    };
    let Features(features) = &product.features;
    let main = MAIN_FEATURES
        .iter()
        .filter_map(|column| features.get(*column))
        .filter(|(_, value)| value.is_some());
    let main: Vec<String> = main
        .map(|(name, value)| format!("{name} {}", number(*value)))
        .collect();
    format!(
        "  {:>2}.  {:>3.0} %  product {:<8}  {model:<8}  {}\n{}{}        {}\n",
        product.rank,
        100.0 * product.probability,
        product.product_id,
        product.reason,
        details(product),
        correction(product),
        main.join(", ")
    )
}

/// What the product's own tree makes of the probability, in a line of its own; nothing without one.
fn correction(product: &Product) -> String {
    let Some(correction) = &product.correction else {
        return String::new();
    };
    let when = match correction.when.as_str() {
        "" => String::new(),
        when => format!(" {when}"),
    };
    format!(
        "        own tree: {:.1} % without it, {:.1} % with it; odds × {:.2}{when}\n",
        100.0 * correction.probability_without,
        100.0 * product.probability,
        correction.odds
    )
}

/// What a product is called, its category and its price, in a line of its own; nothing if none of
/// them is known.
fn details(product: &Product) -> String {
    let known: Vec<String> = [
        product.product_name.as_deref().map(on_screen),
        product.category.as_deref().map(on_screen),
        product
            .last_price
            .map(|price| format!("last price {price}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    match known.as_slice() {
        [] => String::new(),
        known => format!("        {}\n", known.join("; ")),
    }
}

/// A feature's value, or a dash where it is not known.
fn number(value: Option<f32>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.3}"),
    }
}
