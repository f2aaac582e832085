//! `okuo demo`: all of it on the sample that is built in.

use bytes::Bytes;
use serde_json::json;

use super::input::lines_and_funnel;
use super::night::Tickets;
use super::output::Output;
use super::score::score;
use super::{DemoArguments, train};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::eval;
use crate::ingest::Reader;
use crate::models::Overview;
use crate::publish::manifest::ManifestInput;
use crate::publish::promotion::PromotionPolicy;
use crate::publish::registry::Registry;
use crate::recurrence::recurrent;
use crate::store;

/// The sample of data/, so that the binary shows itself wherever it is.
const SAMPLE: &[u8] = include_bytes!("../../data/tickets.csv.gz");
const NAME: &str = "data/tickets.csv.gz";
/// How many customers are shown, and how many products of each.
const SHOWN: (usize, usize) = (5, 5);
/// Days between two nights of the evaluation.
const NIGHTS_APART: u32 = 7;

pub(super) async fn run(arguments: DemoArguments, output: &Output) -> Result<()> {
    store::check_folder(&arguments.output)
        .map_err(|error| error.hint("name another place with --output"))?;
    let folder = arguments.output.trim_end_matches('/');
    let config = Config {
        promote: PromotionPolicy::Always,
        registry: format!("{folder}/models"),
        ..arguments.screen.settings()?
    };
    let ingested = tokio::task::block_in_place(|| {
        let mut reader = Reader::new(&config.input, None);
        reader.object(NAME, Bytes::from_static(SAMPLE))?;
        reader.finish()
    })?;
    let object = ManifestInput {
        object: NAME.into(),
        size: SAMPLE.len() as u64,
        etag: crate::store::sha256_hex(SAMPLE),
    };
    let purchases = &ingested.purchases;
    let last = purchases
        .span()
        .map(|span| AsOf(span.last))
        .ok_or_else(|| Error::system("the sample is empty"))?;
    let (_, funnel) =
        tokio::task::block_in_place(|| recurrent(&purchases.until(last), &config.rule));
    output.text(&format!(
        "A year of simulated tickets ({NAME}, built into okuo)\n{}",
        lines_and_funnel(&ingested.report, &funnel, &config.rule, last)
    ))?;

    // One training serves all: the two months before the end are held out of it.
    let final_month = last.day().month();
    let months = [(final_month.first() - 1).month(), final_month];
    let eve = months[0].eve();
    output.text(&format!("\n1. Train on everything up to {eve}"))?;
    let registry = Registry::new(store::open(&config.registry).await?);
    let stored = train::train(&config, purchases, None, eve, &registry, output).await?;
    let (header, model) = registry.load(&stored.model_id).await?;

    output.text(&format!(
        "\n2. How well did it go? {} and {}, which the model has not seen, beside what costs nothing",
        months[0], months[1]
    ))?;
    let progress = output.progress();
    let evaluation = tokio::task::block_in_place(|| {
        eval::evaluate_model(
            &model,
            purchases,
            &config.rule,
            config.history_days,
            &months,
            NIGHTS_APART,
            &|stage| progress.stage(stage),
        )
    })?;
    drop(progress);
    output.text(&eval::table(&evaluation))?;

    output.text(&format!("\n3. Score the night of {last}"))?;
    let target = format!("{folder}/predictions");
    let report = ingested.report.clone();
    let overview = tokio::task::block_in_place(|| {
        Overview::new(&model, &ingested.purchases, last, &config.rule)
    })?;
    let tickets = Tickets {
        partitions: Box::new(ingested.purchases),
        report: ingested.report,
        objects: vec![object],
        overview,
    };
    let night = score(
        &config,
        &header,
        &model,
        tickets,
        last,
        &[],
        &target,
        SHOWN,
        output,
    )
    .await?;
    output.text(&format!("\n{} of them:\n{}", SHOWN.0, night.in_words))?;
    output.text(&format!(
        "the model lies in {}/{}/, the night's tables beside {}",
        config.registry, stored.model_id, night.manifest
    ))?;
    output.document(&json!({
        "evaluation": evaluation,
        "model_id": stored.model_id,
        "registry": config.registry,
        "manifest": night.manifest,
        "customers": night.customers,
        "lines": report,
        "funnel": funnel,
    }))
}
