//! `okuo models list|show|promote`.

use serde_json::json;

use super::input::rule_text;
use super::output::Output;
use super::{ModelsArguments, ModelsCommand, RegistryArguments, file};
use crate::error::{Error, Kind, Result};
use crate::publish::registry::Registry;
use crate::store;

async fn open(arguments: &RegistryArguments) -> Result<(Registry, Output)> {
    let given = arguments.flags.given.clone();
    let config = given
        .over(file(arguments.config.as_deref()).await?)
        .check()?;
    let uri = config.registry;
    store::check_folder(&uri).map_err(|error| error.hint("name another place with --registry"))?;
    let output = Output {
        json: arguments.json,
        ..Output::plain()
    };
    Ok((Registry::new(store::open(&uri).await?), output))
}

pub(super) async fn run(arguments: ModelsArguments) -> Result<()> {
    match arguments.command {
        ModelsCommand::List(registry) => list(&registry).await,
        ModelsCommand::Show { id, registry } => show(&id, &registry).await,
        ModelsCommand::Promote { id, registry } => {
            let (registry, output) = open(&registry).await?;
            // A damaged file would stop every night's run from now on: better to hear of it here.
            registry.check_whole(&id).await?;
            registry.load(&id).await?;
            let standing = registry.promoted().await?;
            let pointer = registry.promote(&id, standing.as_ref()).await?;
            output.text(&match &pointer.previous {
                Some(previous) => format!("promoted {id} in place of {previous}"),
                None => format!("promoted {id}"),
            })?;
            output.document(&pointer)
        }
    }
}

/// What was read; where it is damaged, nothing but a warning: one damaged file hides no others.
fn unless_damaged<T>(read: Result<T>, what: &str, output: &Output) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == Kind::Input => {
            output.warn(&format!("{what}: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The id of the promoted model, if there is one.
async fn promoted(registry: &Registry, output: &Output) -> Result<Option<String>> {
    let promoted = unless_damaged(
        registry.promoted().await,
        "which model is promoted cannot be told",
        output,
    )?;
    Ok(promoted.flatten().map(|promoted| promoted.pointer.model_id))
}

async fn list(arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = open(arguments).await?;
    if !registry.is_there().await? {
        return Err(Error::not_found("there is no registry")
            .object(registry.name())
            .hint("check --registry; the first `okuo train` makes it"));
    }
    let promoted = promoted(&registry, &output).await?;
    let mut cards = vec![];
    for id in registry.list().await? {
        cards.extend(unless_damaged(
            registry.card(&id).await,
            &format!("the model {id} cannot be shown"),
            &output,
        )?);
    }
    let mut text = format!(
        "  {:<24} {:<11} {:>9} {:>9} {:>10}\n",
        "model", "trained to", "mae_all", "ndcg@10", "bytes"
    );
    let mut documents = vec![];
    for card in &cards {
        let is_promoted = promoted.as_deref() == Some(card.model_id.as_str());
        let figure = |name: &str| {
            card.header
                .description
                .figures
                .pointer("/okuo")
                .and_then(|own| own.get(name))
                .and_then(|value| value.as_f64())
        };
        let shown =
            |name: &str| figure(name).map_or("–".to_owned(), |value| format!("{value:.4}"));
        let mark = if is_promoted { "*" } else { " " };
        let night = card.header.description.as_of;
        text.push_str(&format!(
            "{mark} {:<24} {night:<11} {:>9} {:>9} {:>10}\n",
            card.model_id,
            shown("mae_all"),
            shown("ndcg@10"),
            card.file_bytes
        ));
        documents.push(json!({
            "model_id": card.model_id,
            "as_of": night,
            "promoted": is_promoted,
            "mae_all": figure("mae_all"),
            "ndcg@10": figure("ndcg@10"),
            "file_bytes": card.file_bytes,
        }));
    }
    if cards.is_empty() {
        output.note(&format!(
            "no model is in {}; train one with `okuo train`",
            registry.name()
        ));
    } else {
        text.push_str("* the promoted one, which `okuo score` uses; figures on the 28 days before the model's night");
        output.text(&text)?;
    }
    output.document(&documents)
}

async fn show(id: &str, arguments: &RegistryArguments) -> Result<()> {
    let (registry, output) = open(arguments).await?;
    registry.check_whole(id).await?;
    let card = registry.card(id).await?;
    let promoted = promoted(&registry, &output).await?.as_deref() == Some(id);
    let description = &card.header.description;
    let mut text = format!(
        "model {id}{}\ntrained up to {} by okuo {} on data {}\nrule: {}\n{} bytes, sha256 {}\nheld-out figures (28 days up to {}):\n",
        if promoted { " (promoted)" } else { "" },
        description.as_of,
        card.header.okuo_version,
        description
            .data_fingerprint
            .get(..12)
            .unwrap_or(&description.data_fingerprint),
        rule_text(&description.rule),
        card.file_bytes,
        card.file_sha256,
        description.as_of
    );
    match description.figures.as_object() {
        Some(contenders) => {
            for (name, figures) in contenders {
                let shown = |figure: &str| {
                    figures
                        .get(figure)
                        .and_then(|value| value.as_f64())
                        .map_or("–".to_owned(), |value| format!("{value:.4}"))
                };
                text.push_str(&format!(
                    "  {name:<22} mae_all {:>7}  ndcg@10 {:>7}  recall@10 {:>7}\n",
                    shown("mae_all"),
                    shown("ndcg@10"),
                    shown("recall@10")
                ));
            }
        }
        None => text.push_str("  none: it could not be measured\n"),
    }
    output.text(&text)?;
    output.document(&card)
}
