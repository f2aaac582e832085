//! `okuo score`.

use serde_json::json;

use super::ScoreArguments;
use super::input::lines_and_funnel;
use super::night::{Tickets, model_of, tickets_of};
use super::output::Output;
use crate::artifact::Header;
use crate::calendar::AsOf;
use crate::config::{Config, Layer};
use crate::error::{Error, Result};
use crate::models::Model;
use crate::pipeline;
use crate::predictions::offers::{Action, Arm, Offer, offers, unknown_exclusions};
use crate::predictions::tables::{Format, files};
use crate::predictions::{CustomerPrediction, Predictions};
use crate::publish::manifest::{MANIFEST, ModelReference, night_folder};
use crate::publish::runs::{Run, publish_run};
use crate::store;

/// How many customers are shown, and how many products of each.
const FIRST: (usize, usize) = (3, 5);

pub(super) async fn run(arguments: ScoreArguments, output: &Output) -> Result<()> {
    let above = Layer { registry: arguments.registry.clone(), output: arguments.output.clone(), ..Layer::default() };
    let mut config = arguments.common.config(above).await?;
    let target =
        config.output.clone().ok_or_else(|| Error::request("no output was named").hint("give --output URI, or output in okuo.toml"))?;
    config.required_inputs()?;
    let as_of = arguments.as_of;
    let (header, model) = model_of(&mut config, arguments.model.as_deref(), as_of, output).await?;
    // An output that cannot be reached is told now, not after the scoring.
    store::open(&target).await?.child(&night_folder(as_of)).find(MANIFEST).await?;
    let tickets = tickets_of(&config, &header, &model, as_of, output).await?;
    let report = tickets.report.clone();
    let scored = score(&config, &header, &model, tickets, as_of, &arguments.format, &target, output).await?;
    let (shown, all) = (FIRST.0.min(scored.predictions.customers.len()), scored.predictions.customers.len());
    output.text(&format!("\n{shown} of the {all} customers:\n{}", in_words(&scored.predictions, FIRST.0, FIRST.1)))?;
    output.document(&json!({
        "as_of": as_of,
        "model_id": header.model_id(),
        "manifest": scored.manifest,
        "run_id": scored.run_id,
        "customers": scored.predictions.customers.len(),
        "offers": scored.offers,
        "lines": report,
        "funnel": scored.predictions.funnel,
    }))
}

/// A night that has been published.
pub(super) struct ScoredNight {
    pub(super) predictions: Predictions,
    pub(super) manifest: String,
    pub(super) run_id: String,
    pub(super) offers: usize,
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
    output: &Output,
) -> Result<ScoredNight> {
    let Tickets { parts, report, objects, overview } = tickets;
    output.text(&lines_and_funnel(&report, &overview.funnel, &config.rule, as_of))?;
    let progress = output.progress();
    progress.stage("scoring");
    let model_id = header.model_id();
    let predictions = tokio::task::block_in_place(|| pipeline::score_parts(model, &model_id, &*parts, overview, as_of, &config.rule))?;
    drop(parts);
    let offers = offers(&predictions, &config.offers)?;
    for id in unknown_exclusions(&predictions, &config.offers) {
        output.warn(&format!("the product {id}, which is excluded from offers, does not occur in the data"));
    }
    progress.stage("publishing");
    let run = Run {
        as_of,
        model: ModelReference { id: model_id, sha256: header.body_sha256.clone() },
        tables: files(&predictions, &offers, also)?,
        config: config.summary(),
        inputs: objects,
        lines: serde_json::to_value(&report).unwrap_or_default(),
        funnel: predictions.funnel.clone(),
    };
    let published = publish_run(&store::open(target).await?, &run).await?;
    drop(progress);
    published.warnings.iter().for_each(|warning| output.warn(warning));
    let made: Vec<&Offer> = offers.iter().filter(|offer| offer.action == Action::Offer).collect();
    let treated = made.iter().filter(|offer| offer.arm == Arm::Treatment).count();
    output.text(&format!(
        "scored {} customers with model {}; {} offers ({treated} to send, {} held back as control)\npublished: {}",
        predictions.customers.len(),
        predictions.model_id,
        made.len(),
        made.len() - treated,
        published.name
    ))?;
    Ok(ScoredNight { manifest: published.name, run_id: published.manifest.run_id, offers: made.len(), predictions })
}

/// A few customers in words.
pub(super) fn in_words(predictions: &Predictions, customers: usize, products: usize) -> String {
    let mut text = String::new();
    // Spread over all of them, so that not only the smallest ids are seen.
    let step = (predictions.customers.len() / customers.max(1)).max(1);
    for customer in predictions.customers.iter().step_by(step).take(customers) {
        text.push_str(&one_in_words(predictions, customer, products));
    }
    text
}

fn one_in_words(predictions: &Predictions, customer: &CustomerPrediction, products: usize) -> String {
    let id = predictions.customer_ids.get(customer.customer).map(|id| id.to_string()).unwrap_or_default();
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
        let id = predictions.product_ids.get(product.product).map(|id| id.to_string()).unwrap_or_default();
        text.push_str(&format!("  {:>3.0} %  product {id:<8} {}\n", 100.0 * product.probability, product.reason()));
    }
    text
}
