//! What `score` and `explain` have in common: a model, the tickets of a night, and what speaks against them.

use super::input::{Input, read};
use super::output::Output;
use crate::artifact::Header;
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::Result;
use crate::ingest;
use crate::models::Model;
use crate::pipeline;

/// A model older than this many days should have been trained anew.
const OLD_DAYS: i32 = 62;

/// The model that speaks on a night, whose rule completes the configured one.
pub(super) async fn model_of(config: &mut Config, named: Option<&str>, as_of: AsOf, output: &Output) -> Result<(Header, Model)> {
    let (header, model) = super::model(&config.registry, named).await?;
    pipeline::refuse_future(&model, as_of)?;
    config.rule = config.rule_layer.on(model.rule).check()?;
    if config.rule != model.rule {
        output.warn("the rule differs from the one that the model was trained with; the given one decides who is scored");
    }
    if as_of.day() - model.as_of.day() > OLD_DAYS {
        output.warn(&format!("the model was trained up to {}: train one every month", model.as_of));
    }
    Ok((header, model))
}

/// The tickets up to the night, with a word where they are stale or do not seem to be the model's store's.
pub(super) async fn tickets_of(config: &Config, header: &Header, as_of: AsOf, output: &Output) -> Result<Input> {
    let input = read(config, Some(as_of), output).await?;
    let purchases = &input.ingested.purchases;
    if let Some(stale) = ingest::staleness(purchases, &input.ingested.report, as_of)? {
        output.warn(&stale);
    }
    if let Some(origin) = &header.description.origin {
        let doubts = tokio::task::block_in_place(|| origin.doubts(&purchases.until(as_of), &config.input.clock));
        doubts.iter().for_each(|doubt| output.warn(doubt));
    }
    Ok(input)
}
