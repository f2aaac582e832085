//! `okuo score`.

use serde_json::json;

use super::ScoreArguments;
use super::input::lines_and_funnel;
use super::night::{Tickets, model_of, tickets_of};
use super::output::Output;
use crate::artifact::Header;
use crate::calendar::AsOf;
use crate::config::Config;
use crate::domain::Funnel;
use crate::domain::{CustomerPrediction, Predictions};
use crate::error::{Error, Result};
use crate::models;
use crate::models::Model;
use crate::offers::{Action, Arm, offers, unknown_exclusions};
use crate::publish::manifest::{MANIFEST, ModelReference, night_folder};
use crate::publish::runs::{Run, publish_run};
use crate::publish::tables::{CUSTOMERS_AT_A_TIME, Format, Tables};
use crate::store;

/// How many customers are shown, and how many products of each.
const SHOWN: (usize, usize) = (3, 5);

/// At least so many customers are predicted before their rows are written.
const SLICE: usize = 10 * CUSTOMERS_AT_A_TIME;

/// What is predicted for a customer takes so many bytes, offers included, until it is written.
const CUSTOMER_BYTES: u64 = 3_000;

/// How many customers are predicted at a time. Each slice is another look at all parts of the
/// history: where there are several, it is as large as a quarter of the memory limit lets it be.
fn slice(partitions: usize, memory_limit: Option<u64>) -> usize {
    let limit = memory_limit.filter(|_| partitions > 1).unwrap_or_default();
    let within = usize::try_from(limit / 4 / CUSTOMER_BYTES).unwrap_or(usize::MAX);
    (within / CUSTOMERS_AT_A_TIME * CUSTOMERS_AT_A_TIME).max(SLICE)
}

pub(super) async fn run(arguments: ScoreArguments, output: &Output) -> Result<()> {
    let mut config = arguments.common.config().await?;
    let target = config.output.clone().ok_or_else(|| {
        Error::request("no output was named").hint("give --output URI, or output in okuo.toml")
    })?;
    config.required_inputs()?;
    let as_of = arguments.as_of;
    let (header, model) = model_of(&mut config, arguments.model.as_deref(), as_of, output).await?;
    // An output that cannot be reached is told now, not after the scoring.
    store::open(&target)
        .await?
        .child(&night_folder(as_of))
        .find(MANIFEST)
        .await?;
    let tickets = tickets_of(&config, &header, &model, as_of, output).await?;
    let report = tickets.report.clone();
    let scored = score(
        &config,
        &header,
        &model,
        tickets,
        as_of,
        &arguments.format,
        &target,
        SHOWN,
        output,
    )
    .await?;
    let (shown, all) = (SHOWN.0.min(scored.customers), scored.customers);
    output.text(&format!(
        "\n{shown} of the {all} customers:\n{}",
        scored.in_words
    ))?;
    output.document(&json!({
        "as_of": as_of,
        "model_id": header.model_id(),
        "manifest": scored.manifest,
        "run_id": scored.run_id,
        "customers": scored.customers,
        "offers": scored.offers,
        "lines": report,
        "funnel": scored.funnel,
    }))
}

/// A night that has been published.
pub(super) struct ScoredNight {
    pub(super) customers: usize,
    pub(super) offers: usize,
    pub(super) funnel: Funnel,
    /// A few of the customers.
    pub(super) in_words: String,
    pub(super) manifest: String,
    pub(super) run_id: String,
}

#[allow(clippy::too_many_arguments, reason = "what one night needs, by name")]
pub(super) async fn score(
    config: &Config,
    header: &Header,
    model: &Model,
    tickets: Tickets,
    as_of: AsOf,
    also: &[Format],
    target: &str,
    (shown, products): (usize, usize),
    output: &Output,
) -> Result<ScoredNight> {
    let Tickets {
        partitions,
        report,
        objects,
        overview,
    } = tickets;
    output.text(&lines_and_funnel(
        &report,
        &overview.funnel,
        &config.rule,
        as_of,
    ))?;
    let progress = output.progress();
    progress.stage("scoring");
    let model_id = header.model_id();
    let funnel = overview.funnel.clone();
    for id in unknown_exclusions(&overview.products, &config.offers) {
        output.warn(&format!(
            "the product {id}, which is excluded from offers, does not occur in the data"
        ));
    }
    // Spread over all customers, so that not only the smallest ids are seen.
    let step = (overview.recurrent.len() / shown.max(1)).max(1);
    let mut tables = Tables::new(also);
    let (mut customers, mut made, mut treated, mut in_words) = (0, 0, 0, String::new());
    let take = &mut |predictions: &Predictions| {
        let offers = offers(predictions, &config.offers)?;
        tables.push(predictions, &offers)?;
        let offered = || offers.iter().filter(|offer| offer.action == Action::Offer);
        made += offered().count();
        treated += offered()
            .filter(|offer| offer.arm == Arm::Treatment)
            .count();
        let here = (customers..)
            .zip(&predictions.customers)
            .filter(|(at, _)| at % step == 0 && at / step < shown);
        here.for_each(|(_, customer)| {
            in_words.push_str(&one_in_words(predictions, customer, products))
        });
        customers += predictions.customers.len();
        Ok(())
    };
    let most = slice(partitions.count(), config.memory_limit);
    tokio::task::block_in_place(|| {
        models::score_in_slices(model, &model_id, &*partitions, overview, as_of, most, take)
    })?;
    drop(partitions);
    progress.stage("publishing");
    let run = Run {
        as_of,
        model: ModelReference {
            id: model_id,
            sha256: header.body_sha256.clone(),
        },
        tables: tables.finish()?,
        config: config.summary(),
        inputs: objects,
        lines: serde_json::to_value(&report).unwrap_or_default(),
        funnel,
    };
    let published = publish_run(&store::open(target).await?, &run).await?;
    drop(progress);
    published
        .warnings
        .iter()
        .for_each(|warning| output.warn(warning));
    output.text(&format!(
        "scored {customers} customers with model {}; {made} offers ({treated} to send, {} held back as control)\npublished: {}",
        run.model.id,
        made - treated,
        published.name
    ))?;
    Ok(ScoredNight {
        customers,
        offers: made,
        funnel: run.funnel,
        in_words,
        manifest: published.name,
        run_id: published.manifest.run_id,
    })
}

fn one_in_words(
    predictions: &Predictions,
    customer: &CustomerPrediction,
    products: usize,
) -> String {
    let id = predictions
        .customer_ids
        .get(customer.customer)
        .map(|id| id.to_string())
        .unwrap_or_default();
    let mut text = format!(
        "customer {id}: expected {} ({} to {}; within 7 days with {:.0} %), about {:.0} products; last here {}\n",
        predictions.expected(customer),
        customer.earliest,
        customer.latest,
        100.0 * customer.return_probability[0],
        customer.expected_basket_size,
        customer.last_purchase
    );
    for product in customer.products.iter().take(products) {
        let id = predictions
            .product_ids
            .get(product.product)
            .map(|id| id.to_string())
            .unwrap_or_default();
        text.push_str(&format!(
            "  {:>3.0} %  product {id:<8} {}\n",
            100.0 * product.probability,
            product.reason()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_of_whole_groups_and_larger_only_where_they_save_looks() {
        assert_eq!(
            [None, Some(100_000_000), Some(64_000_000_000)].map(|limit| slice(1, limit)),
            [SLICE; 3]
        );
        assert_eq!(
            [100_000_000, 1_000_000_000, 8_000_000_000].map(|limit| slice(5, Some(limit))),
            [SLICE, SLICE, 660_000]
        );
        assert_eq!(slice(5, Some(u64::MAX)) % CUSTOMERS_AT_A_TIME, 0);
    }
}
