//! Models in a registry: load, list, show, promote.

use serde::Serialize;
use serde_json::Value;

use super::Progress;
use crate::artifact::{self, ModelHeader, SIGNATURE_ENDING, VerifyKey};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::{Error, Kind, Result};
use crate::models::{self, Model};
use crate::publish::registry::{ModelCard, Pointer, Registry, is_model_id};
use crate::store;

/// A model older than this many days should have been trained anew.
const OLD_DAYS: i32 = 62;

/// A model that was stored, with what its file says of it.
#[derive(Debug, Clone)]
pub struct StoredModel {
    /// What the file says of it.
    pub header: ModelHeader,
    /// The model.
    pub model: Model,
}

impl StoredModel {
    /// The model's id.
    #[must_use]
    pub fn id(&self) -> String {
        self.header.model_id()
    }
}

/// The registry at a URI.
pub(super) async fn open(registry: &str) -> Result<Registry> {
    Ok(Registry::new(store::open(registry).await?))
}

/// The configured registry, whose models must be signed if there is a key for that.
pub(super) async fn open_configured(config: &Config) -> Result<Registry> {
    let registry = open(&config.registry).await?;
    Ok(registry.verified_by(config.verify_key.clone()))
}

/// A registry that must be there.
///
/// # Errors
/// If it is not, or cannot be read.
pub(super) async fn existing(registry: &str) -> Result<Registry> {
    let registry = open(registry).await?;
    if registry.is_there().await? {
        return Ok(registry);
    }
    Err(Error::not_found("there is no registry")
        .object(registry.name())
        .hint("check --registry; the first `okuo train` makes it"))
}

/// Loads a model by its id, or a model file by its path or URI; without a name, the promoted model.
///
/// # Errors
/// If there is no such model, it is damaged, or `named` is only the beginning of an id.
pub async fn load_model(registry: &str, named: Option<&str>) -> Result<StoredModel> {
    load_from(&open(registry).await?, named, None).await
}

/// As [`load_model`], from the configured registry, or a file; either must be signed if there is a
/// key for that.
pub(super) async fn load_configured(config: &Config, named: &str) -> Result<StoredModel> {
    let registry = open_configured(config).await?;
    load_from(&registry, Some(named), config.verify_key.as_ref()).await
}

async fn load_from(
    registry: &Registry,
    named: Option<&str>,
    verify_key: Option<&VerifyKey>,
) -> Result<StoredModel> {
    let (header, model) = match named {
        None => registry.load_promoted().await?,
        Some(id) if is_model_id(id) => registry.load(id).await?,
        Some(file) => {
            registry.check_whole(file).await?;
            load_file(file, verify_key).await?
        }
    };
    Ok(StoredModel { header, model })
}

async fn load_file(file: &str, verify_key: Option<&VerifyKey>) -> Result<(ModelHeader, Model)> {
    let found = store::find(file, &[".okuo"])
        .await
        .map_err(|error| match error.kind() {
            Kind::NotFound | Kind::NoData => {
                error.hint("name a model's file, or an id that `okuo models list` shows")
            }
            _ => error,
        })?;
    let [only] = found.as_slice() else {
        return Err(
            Error::request(format!("{} model files match {file}", found.len()))
                .hint("name one of them"),
        );
    };
    let content = only.get().await?.0;
    if let Some(verify_key) = verify_key {
        let signature = store::open(&format!("{}{SIGNATURE_ENDING}", only.uri)).await?;
        let signature = signature.find("").await?;
        let signature = signature.as_ref().map(|(content, _)| content.as_ref());
        verify_key.check(&only.uri, &content, signature)?;
    }
    artifact::decode(&only.uri, &content)
}

/// How the promoted model for a night is named where a model can be named.
pub const AS_OF_MODEL: &str = "as-of";

/// The model for a night, and the settings with its rule where none is given. Without a name, or
/// with [`AS_OF_MODEL`], it is the newest promoted model that was not trained on days after the
/// night, so that a night can be repeated after the next training.
///
/// # Errors
/// If the model was trained on days after the night, or as [`load_model`].
pub(super) async fn load_for_night(
    config: &Config,
    named: Option<&str>,
    as_of: AsOf,
    progress: &dyn Progress,
) -> Result<(StoredModel, Config)> {
    let stored = match named {
        None | Some(AS_OF_MODEL) => {
            let registry = open_configured(config).await?;
            let (header, model) = registry.load_promoted_for(as_of).await?;
            StoredModel { header, model }
        }
        Some(named) => load_configured(config, named).await?,
    };
    models::refuse_future(&stored.model, as_of)?;
    let mut config = config.for_model(stored.model.rule)?;
    if let Some(learned) = &stored.header.description.learned_mix {
        config.offers.mix = learned.applied_to(&config.offers.mix);
    }
    if config.rule != stored.model.rule {
        progress.warning("the rule differs from the one that the model was trained with; the given one decides who is scored");
    }
    let trained = stored.model.as_of;
    if as_of.day() - trained.day() > OLD_DAYS {
        progress.warning(&format!(
            "the model was trained up to {trained}: train one every month"
        ));
    }
    Ok((stored, config))
}

/// The models of a registry.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelList {
    /// The registry, as messages name it.
    pub registry: String,
    /// Its models, the oldest night first.
    pub models: Vec<ListedModel>,
}

/// One model of a registry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ListedModel {
    /// Its id.
    pub model_id: String,
    /// The night up to which it was trained.
    pub as_of: AsOf,
    /// Whether it is the promoted one.
    pub promoted: bool,
    /// Mean absolute error of the days to the next purchase, on the 28 days before its night.
    pub mae_all: Option<f64>,
    /// ndcg@10 of its products on the same days.
    #[serde(rename = "ndcg@10")]
    pub ndcg_at_10: Option<f64>,
    /// Size of its file in bytes.
    pub file_bytes: u64,
}

impl ListedModel {
    fn new(card: ModelCard, promoted: Option<&str>) -> Self {
        let description = &card.header.description;
        let figures = &description.figures;
        Self {
            as_of: description.as_of,
            promoted: promoted == Some(card.model_id.as_str()),
            mae_all: figures.pointer("/okuo/mae_all").and_then(Value::as_f64),
            ndcg_at_10: figures.pointer("/okuo/ndcg@10").and_then(Value::as_f64),
            file_bytes: card.file_bytes,
            model_id: card.model_id,
        }
    }
}

/// A model of a registry in full.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownModel {
    /// What the registry keeps of it beside its file.
    pub card: ModelCard,
    /// Whether it is the promoted one.
    pub promoted: bool,
}

/// Lists the models of a registry. A damaged card or pointer is a warning and hides no other model.
///
/// # Errors
/// If there is no registry, or it cannot be read.
pub async fn list_models(registry: &str, progress: &dyn Progress) -> Result<ModelList> {
    let registry = existing(registry).await?;
    let promoted = promoted(&registry, progress).await?;
    let mut models = vec![];
    for id in registry.list().await? {
        let what = format!("the model {id} cannot be shown");
        let card = warn_if_damaged(registry.card(&id).await, &what, progress)?;
        models.extend(card.map(|card| ListedModel::new(card, promoted.as_deref())));
    }
    Ok(ModelList {
        registry: registry.name(),
        models,
    })
}

/// One model of a registry, by its id.
///
/// # Errors
/// If there is no such model, or its card is damaged.
pub async fn show_model(registry: &str, id: &str, progress: &dyn Progress) -> Result<ShownModel> {
    let registry = open(registry).await?;
    registry.check_whole(id).await?;
    let card = registry.card(id).await?;
    let promoted = promoted(&registry, progress).await?.as_deref() == Some(id);
    Ok(ShownModel { card, promoted })
}

/// What [`promote_model`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromotedModel {
    /// The pointer now.
    pub pointer: Pointer,
    /// Whether the model was the promoted one before: then nothing has changed.
    pub was_promoted: bool,
}

/// Promotes a model by its id, whatever its figures.
///
/// # Errors
/// If there is no such model, it is damaged, or the pointer moved meanwhile.
pub async fn promote_model(registry: &str, id: &str) -> Result<PromotedModel> {
    let registry = open(registry).await?;
    // A damaged file would stop every night's run from now on: better to hear of it here.
    registry.check_whole(id).await?;
    registry.load(id).await?;
    let standing = registry.promoted().await?;
    let reason = "by hand, whatever its figures";
    let pointer = registry.promote(id, standing.as_ref(), reason).await?;
    let was_promoted = standing.is_some_and(|standing| standing.pointer.model_id == id);
    Ok(PromotedModel {
        pointer,
        was_promoted,
    })
}

/// The id of the promoted model, if there is one.
async fn promoted(registry: &Registry, progress: &dyn Progress) -> Result<Option<String>> {
    let promoted = warn_if_damaged(
        registry.promoted().await,
        "which model is promoted cannot be told",
        progress,
    )?;
    Ok(promoted.flatten().map(|promoted| promoted.pointer.model_id))
}

/// What was read; if it is damaged, nothing but a warning.
fn warn_if_damaged<T>(read: Result<T>, what: &str, progress: &dyn Progress) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == Kind::Input => {
            progress.warning(&format!("{what}: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
