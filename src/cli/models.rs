//! `okuo models list|show|promote|history|rollback|delete|prune`.

use serde_json::Value;

use super::funnel::rule_text;
use super::output::Output;
use super::table::{Align, Column, Table, figure};
use super::{ModelsArguments, ModelsCommand, RegistryArguments, file};
use crate::error::Result;
use crate::jobs::{
    self, ListedModel, ListedPromotion, PromotedModel, RemoveOptions, RemovedModel, ShownModel,
};
use crate::models::basket::CorrectionInWords;
use crate::store;

pub(super) async fn run(arguments: ModelsArguments) -> Result<()> {
    match arguments.command {
        ModelsCommand::List(registry) => list(&registry).await,
        ModelsCommand::Show { id, registry } => show(&id, &registry).await,
        ModelsCommand::Promote { id, registry } => promote(&id, &registry).await,
        ModelsCommand::History(registry) => history(&registry).await,
        ModelsCommand::Rollback(registry) => roll_back(&registry).await,
        ModelsCommand::Delete {
            id,
            force,
            dry_run,
            registry,
        } => delete(&id, RemoveOptions { dry_run, force }, &registry).await,
        ModelsCommand::Prune {
            keep,
            dry_run,
            registry,
        } => prune(keep, dry_run, &registry).await,
    }
}

/// The registry's URI, by the flag, the environment or okuo.toml, and how to speak.
async fn registry(arguments: &RegistryArguments) -> Result<(String, Output)> {
    let given = arguments.flags.given.clone();
    let file = file(arguments.config.as_deref()).await?;
    let uri = given.over(file).check()?.registry;
    store::check_folder(&uri).map_err(|error| error.hint("name another place with --registry"))?;
    let output = Output {
        json: arguments.json,
        ..Output::plain()
    };
    Ok((uri, output))
}

async fn list(arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = registry(arguments).await?;
    let list = jobs::list_models(&registry, &output.progress()).await?;
    if list.models.is_empty() {
        output.note(&format!(
            "no model is in {}; train one with `okuo train`",
            list.registry
        ));
    } else {
        output.text(&list_text(&list.models))?;
    }
    output.summary(&list.models)
}

fn list_text(models: &[ListedModel]) -> String {
    let mut table = Table::new([
        Column::fixed(Align::Left, 1),
        Column::fixed(Align::Left, 24),
        Column::fixed(Align::Left, 11),
        Column::fixed(Align::Right, 9),
        Column::fixed(Align::Right, 9),
        Column::fixed(Align::Right, 10),
    ])
    .separator(" ");
    table.row(["", "model", "trained to", "mae_all", "ndcg@10", "bytes"]);
    for model in models {
        let mark = if model.promoted { "*" } else { "" };
        table.row([
            mark.to_owned(),
            model.model_id.clone(),
            model.as_of.to_string(),
            figure(model.mae_all, 4),
            figure(model.ndcg_at_10, 4),
            model.file_bytes.to_string(),
        ]);
    }
    format!(
        "{table}* the promoted one, which `okuo score` uses unless it was trained after the night; figures on the 28 days before the model's night"
    )
}

async fn show(id: &str, arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = registry(arguments).await?;
    let shown = jobs::show_model(&registry, id, &output.progress()).await?;
    output.text(&shown_text(&shown))?;
    output.document(&shown.card)
}

fn shown_text(shown: &ShownModel) -> String {
    let card = &shown.card;
    let description = &card.header.description;
    let promoted = if shown.promoted { " (promoted)" } else { "" };
    let fingerprint = &description.data_fingerprint;
    let figures = match description.figures.as_object() {
        Some(contenders) => contenders_table(contenders).to_string(),
        None => "  none: it could not be measured\n".to_owned(),
    };
    let warnings = warnings_text(&description.warnings);
    let mut corrections = corrections_text(&description.corrections);
    if let Some(learned) = &description.learned_mix {
        corrections += &learned.in_words();
    }
    format!(
        "model {}{promoted}\ntrained up to {} by okuo {} on data {}\nrule: {}\n{} bytes, sha256 {}\nheld-out figures (28 days up to {}):\n{figures}{warnings}{corrections}",
        card.model_id,
        description.as_of,
        card.header.okuo_version,
        fingerprint.get(..12).unwrap_or(fingerprint),
        rule_text(&description.rule),
        card.file_bytes,
        card.file_sha256,
        description.as_of
    )
}

/// What a reader of the figures should know; nothing if there is nothing.
fn warnings_text(warnings: &[String]) -> String {
    let lines = warnings.iter();
    lines
        .map(|warning| format!("  warning: {warning}\n"))
        .collect()
}

/// The largest corrections of the products' own trees; nothing if there are none.
fn corrections_text(corrections: &[CorrectionInWords]) -> String {
    if corrections.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = corrections
        .iter()
        .map(|correction| format!("  {}\n", correction.words))
        .collect();
    format!(
        "largest corrections of the products' own trees:\n{}",
        lines.concat()
    )
}

fn contenders_table(contenders: &serde_json::Map<String, Value>) -> Table {
    let mut table = Table::new([
        Column::fixed(Align::Left, 21),
        Column::fitted(Align::Left),
        Column::fitted(Align::Left),
        Column::fitted(Align::Left),
    ])
    .indent("  ");
    for (name, figures) in contenders {
        let cells = ["mae_all", "ndcg@10", "recall@10"].map(|of| {
            let value = figures.get(of).and_then(Value::as_f64);
            format!("{of} {:>7}", figure(value, 4))
        });
        table.row(std::iter::once(name.clone()).chain(cells));
    }
    table
}

async fn promote(id: &str, arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = registry(arguments).await?;
    let PromotedModel {
        pointer,
        was_promoted,
    } = jobs::promote_model(&registry, id).await?;
    output.text(&match &pointer.previous {
        _ if was_promoted => format!("{id} is promoted already"),
        Some(previous) => format!("promoted {id} in place of {previous}"),
        None => format!("promoted {id}"),
    })?;
    output.document(&pointer)
}

async fn history(arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = registry(arguments).await?;
    let history = jobs::promotion_history(&registry).await?;
    match history.promotions.as_slice() {
        [] => output.note(&format!(
            "no model was ever promoted in {}",
            history.registry
        )),
        promotions => output.text(&history_text(promotions))?,
    }
    output.document(&history.promotions)
}

fn history_text(promotions: &[ListedPromotion]) -> String {
    let mut table = Table::new([
        Column::fixed(Align::Left, 1),
        Column::fixed(Align::Left, 24),
        Column::fixed(Align::Left, 24),
        Column::fitted(Align::Left),
    ])
    .separator(" ");
    table.row(["", "promoted", "in place of", "why"]);
    for listed in promotions {
        let promotion = &listed.promotion;
        let mark = if listed.promoted { "*" } else { "" };
        let state = match (listed.standing, listed.stored) {
            (_, false) => " (removed)",
            (false, true) => " (taken back)",
            (true, true) => "",
        };
        table.row([
            mark.to_owned(),
            promotion.to.clone(),
            promotion.from.clone().unwrap_or_else(|| "–".to_owned()),
            format!("{}{state}", promotion.reason),
        ]);
    }
    format!("{table}* the promoted one")
}

async fn roll_back(arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = registry(arguments).await?;
    let pointer = jobs::roll_back(&registry).await?;
    output.text(&format!(
        "rolled back to {} from {}",
        pointer.model_id,
        pointer.previous.as_deref().unwrap_or("none")
    ))?;
    output.document(&pointer)
}

async fn delete(id: &str, options: RemoveOptions, arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = registry(arguments).await?;
    let removed = [jobs::delete_model(&registry, id, options).await?];
    output.text(&removed_text(&removed, options.dry_run))?;
    output.document(&removed)
}

async fn prune(keep: usize, dry_run: bool, arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = registry(arguments).await?;
    let removed = jobs::prune_models(&registry, keep, dry_run, &output.progress()).await?;
    output.text(&removed_text(&removed, dry_run))?;
    output.document(&removed)
}

/// A line for each model.
fn removed_text(removed: &[RemovedModel], dry_run: bool) -> String {
    if removed.is_empty() {
        return "nothing to remove".to_owned();
    }
    let verb = if dry_run { "would remove" } else { "removed" };
    let lines = removed.iter().map(|model| {
        let standing = match model.standing {
            true => "; its nights can no longer be repeated",
            false => "",
        };
        format!("{verb} {}{standing}\n", model.model_id)
    });
    lines.collect()
}
