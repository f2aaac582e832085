//! What `score` and `explain` have in common: a model, the tickets of a night, and what speaks
//! against them.

use super::input::{Input, Purpose, read_night};
use super::output::Output;
use crate::artifact::Header;
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::Result;
use crate::ingest;
use crate::ingest::report::Report;
use crate::models::Model;
use crate::models::{self, Overview};
use crate::publish::manifest::ManifestInput;
use crate::purchases::Partitions;

/// A model older than this many days should have been trained anew.
const OLD_DAYS: i32 = 62;

/// The model that speaks on a night, whose rule completes the configured one.
pub(super) async fn model_of(
    config: &mut Config,
    named: Option<&str>,
    as_of: AsOf,
    output: &Output,
) -> Result<(Header, Model)> {
    let (header, model) = super::model(&config.registry, named).await?;
    models::refuse_future(&model, as_of)?;
    *config = config.for_model(model.rule)?;
    if config.rule != model.rule {
        output.warn("the rule differs from the one that the model was trained with; the given one decides who is scored");
    }
    if as_of.day() - model.as_of.day() > OLD_DAYS {
        output.warn(&format!(
            "the model was trained up to {}: train one every month",
            model.as_of
        ));
    }
    Ok((header, model))
}

/// What was read of a night, of which one part after the other can be looked at.
pub(super) struct Tickets {
    pub(super) partitions: Box<dyn Partitions>,
    pub(super) report: Report,
    pub(super) objects: Vec<ManifestInput>,
    pub(super) overview: Overview,
}

/// The tickets up to the night, with a word where they are stale or do not seem to be the model's
/// store's.
pub(super) async fn tickets_of(
    config: &Config,
    header: &Header,
    model: &Model,
    as_of: AsOf,
    output: &Output,
) -> Result<Tickets> {
    let Input { ingested, objects } = read_night(config, as_of, Purpose::Night, output).await?;
    let progress = output.progress();
    progress.stage("looking at the store");
    let mut report = ingested.report;
    let (partitions, overview) = tokio::task::block_in_place(|| {
        let partitions = ingested.purchases.partitions()?;
        let overview = Overview::new(model, &*partitions, as_of, &config.rule)?;
        Ok((partitions, overview))
    })?;
    drop(progress);
    report.count_repeated(overview.distinct_lines as u64);
    if let Some(stale) = ingest::staleness(overview.span, &report, as_of)? {
        output.warn(&stale);
    }
    if let Some(origin) = &header.description.origin {
        let doubts = origin.doubts(
            &overview.products,
            &overview.bought_lately,
            as_of,
            &config.input.clock,
            config.history_days,
        );
        doubts.iter().for_each(|doubt| output.warn(doubt));
    }
    Ok(Tickets {
        partitions,
        report,
        objects,
        overview,
    })
}
