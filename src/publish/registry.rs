//! The registry: trained models under their ids, and `latest.json`, the pointer to the promoted
//! one.
//!
//! ```text
//! <model-id>/model.okuo   the model; never changed once it is there
//! <model-id>/model.okuo.minisig   its signature, if there is a key
//! <model-id>/card.json    what a person wants to know about it
//! latest.json             the id of the promoted model, and all promotions
//! ```

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::promotion::Decision;
use super::{ATTEMPTS, from_json, replacing, to_json};
use crate::artifact::{
    self, Description, MAX_FILE_BYTES, ModelHeader, SIGNATURE_ENDING, SigningKey, VerifyKey,
};
use crate::calendar::AsOf;
use crate::error::{Error, Kind, Result};
use crate::models::{Model, Parameters};
use crate::record::Measured;
use crate::store::{Location, PutMode, sha256_hex};

mod pointer;
#[cfg(test)]
mod tests;

pub use pointer::{Pointer, Promotion};

const MODEL: &str = "model.okuo";
const CARD: &str = "card.json";
const LATEST: &str = "latest.json";
const ID_DIGITS: usize = 12;

/// The parts of a description that okuo itself says of a model. Nobody sets them: another okuo may
/// measure otherwise.
const MEASURES: [&str; 5] = ["corrections", "features", "feed", "figures", "warnings"];

/// What a person wants to know about a model, without reading the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    /// The model's id.
    pub model_id: String,
    /// Size of its file in bytes.
    pub file_bytes: u64,
    /// SHA-256 of its file, in hexadecimal.
    pub file_sha256: String,
    /// Which okuo trained it, and what that took; `None` in cards of earlier versions of okuo, and
    /// where the card was made from the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Its header: night, data, rule, features, parameters, held-out figures.
    #[serde(flatten)]
    pub header: ModelHeader,
}

/// What became of a model that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedModel {
    /// Its id.
    pub model_id: String,
    /// What a person should know of it.
    pub warning: Option<String>,
}

/// The pointer as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    /// What it says.
    pub pointer: Pointer,
    tag: String,
}

/// A prefix with models.
#[derive(Debug, Clone)]
pub struct Registry {
    place: Location,
    verify_key: Option<VerifyKey>,
}

impl Registry {
    /// The registry at a place; an empty place is an empty registry.
    #[must_use]
    pub fn new(place: Location) -> Self {
        Self {
            place,
            verify_key: None,
        }
    }

    /// The same, of which a model is used only if it is signed by this key; `None` is no key.
    #[must_use]
    pub fn verified_by(self, verify_key: Option<VerifyKey>) -> Self {
        Self { verify_key, ..self }
    }

    /// Its name, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        self.place.name()
    }

    /// Proves that models can be stored here, and leaves nothing.
    ///
    /// # Errors
    /// If they cannot.
    pub async fn prove_writable(&self) -> Result<()> {
        self.place.prove_writable().await
    }

    /// Stores a model's file and its card. Saving the same model again is harmless; what another okuo
    /// measured of it before stands.
    ///
    /// # Errors
    /// If the bytes are not a model, or the same model is already stored with another description by
    /// the same okuo, or by any okuo with other settings ([`Kind::Request`]).
    pub async fn save(&self, file: Bytes, measured: Option<Measured>) -> Result<SavedModel> {
        let header = artifact::read_header("the model to be saved", &file)?;
        let id = check_model_id(&header.model_id())?.to_owned();
        let key = format!("{id}/{MODEL}");
        let ours = NewModel {
            header,
            file,
            measured,
        };
        match self
            .place
            .put(&key, ours.file.clone(), PutMode::IfAbsent)
            .await
        {
            Ok(_) => {}
            Err(error) if error.kind() == Kind::Conflict => {
                let Some((current, _)) = self.place.find(&key).await? else {
                    return Err(error);
                };
                if let Some((theirs, warning)) = self.save_again(&id, &ours, current).await? {
                    self.save_card(&id, theirs).await?;
                    return Ok(SavedModel {
                        model_id: id,
                        warning,
                    });
                }
            }
            Err(error) => return Err(error),
        }
        self.save_card(&id, ours).await?;
        Ok(SavedModel {
            model_id: id,
            warning: None,
        })
    }

    /// Signs a stored model, whose file is this one.
    ///
    /// # Errors
    /// If other bytes are stored under the id, which are not signed.
    pub async fn sign(&self, id: &str, file: &[u8], key: &SigningKey) -> Result<()> {
        let object = format!("{id}/{MODEL}");
        if self.place.get(&object).await?.0 != file {
            if self.verify_key.is_some() && self.file(id).await.is_ok() {
                return Ok(());
            }
            return Err(Error::request(
                "this model is already stored, by another version of okuo, and is not signed",
            )
            .object(self.place.name_of(&object))
            .hint("remove it with `okuo models delete` and train again"));
        }
        let signature = key.sign(file, &format!("model {id} of okuo"))?;
        let name = format!("{object}{SIGNATURE_ENDING}");
        self.place
            .put(&name, signature.into(), PutMode::Overwrite)
            .await?;
        Ok(())
    }

    /// Writes the card of the model that stands, unless it is there already.
    async fn save_card(&self, id: &str, model: NewModel) -> Result<()> {
        let card = ModelCard {
            measured: model.measured,
            ..card_of(id, model.header, &model.file)
        };
        let standing = self.standing_card(id).await?;
        if standing.is_some_and(|standing| standing.is_same(&card)) {
            return Ok(());
        }
        let content = to_json("the model's card", &card)?;
        let key = format!("{id}/{CARD}");
        self.place.put(&key, content, PutMode::Overwrite).await?;
        Ok(())
    }

    /// The card that is stored, if there is one that can be read.
    async fn standing_card(&self, id: &str) -> Result<Option<ModelCard>> {
        let key = format!("{id}/{CARD}");
        let found = self.place.find(&key).await?;
        Ok(found.and_then(|(content, _)| read_card(id, &key, &content).ok()))
    }

    /// Saves a model's file where there is a file already. `None` if that is the same one, or was
    /// damaged and is replaced: its id says that it was the same. Else the same model with another
    /// description, which stands if another okuo gave it and nothing differs but what okuo says of a
    /// model by itself; then also what to tell of it.
    async fn save_again(
        &self,
        id: &str,
        ours: &NewModel,
        current: Bytes,
    ) -> Result<Option<(NewModel, Option<String>)>> {
        if current == ours.file {
            return Ok(None);
        }
        let key = format!("{id}/{MODEL}");
        let object = self.place.name_of(&key);
        let Ok(theirs) = artifact::read_header(&object, &current) else {
            let saved = self.place.put(&key, ours.file.clone(), PutMode::Overwrite);
            return saved.await.map(|_| None);
        };
        let differs = differences(&ours.header.description, &theirs.description);
        let is_by_another = self.is_by_another(id, ours, &theirs).await?;
        let by = theirs.okuo_version.clone();
        let stands = NewModel {
            header: theirs,
            file: current,
            measured: None,
        };
        if differs.is_empty() {
            // By another okuo, or the same parameters under the names that they had before.
            return Ok(Some((stands, None)));
        }
        let are_measures = differs.iter().all(|name| MEASURES.contains(&name.as_str()));
        let differs = differs.join(", ");
        if is_by_another && are_measures {
            let warning = format!(
                "the model {id} is already stored, by another build of okuo ({by}), with different {differs}: what is stored stands"
            );
            return Ok(Some((stands, Some(warning))));
        }
        Err(Error::request(format!("this model is already stored, with different {differs}"))
            .object(object)
            .hint("use it as it is, or remove its folder and train again to store it with the present settings"))
    }

    /// Whether it is certain that another okuo stored the model.
    async fn is_by_another(&self, id: &str, ours: &NewModel, theirs: &ModelHeader) -> Result<bool> {
        if ours.header.okuo_version != theirs.okuo_version {
            return Ok(true);
        }
        let card = self.standing_card(id).await?;
        let their_build = card.and_then(|card| card.measured);
        let builds = ours.measured.as_ref().zip(their_build.as_ref());
        Ok(builds.is_some_and(|(ours, theirs)| ours.build.differs(&theirs.build)))
    }

    /// Removes a model: its card first, so that what is left after a crash is a whole model.
    ///
    /// # Errors
    /// If the text is not a model's id, or the store fails.
    pub async fn delete(&self, id: &str) -> Result<()> {
        let id = check_model_id(id)?;
        self.place.delete(&format!("{id}/{CARD}")).await?;
        self.place.delete(&format!("{id}/{MODEL}")).await?;
        self.place
            .delete(&format!("{id}/{MODEL}{SIGNATURE_ENDING}"))
            .await
    }

    /// The ids of all models, oldest night first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn list(&self) -> Result<Vec<String>> {
        let found = self.place.list("").await?;
        let ids = found
            .iter()
            .filter_map(|object| object.key.strip_suffix(MODEL)?.strip_suffix('/'));
        let mut ids: Vec<String> = ids
            .filter(|id| is_model_id(id))
            .map(str::to_owned)
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// Whether there is any object in the registry.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_there(&self) -> Result<bool> {
        Ok(!self.place.list("").await?.is_empty())
    }

    /// Refuses a text that is only the beginning of a model's id, for example its night, and names
    /// the models that it may mean.
    ///
    /// # Errors
    /// If the text is not a whole id and the ids of some models begin with it.
    pub async fn check_whole(&self, text: &str) -> Result<()> {
        // For a path, the registry is not asked: it may be out of reach.
        if is_model_id(text)
            || text.is_empty()
            || !text
                .bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
        {
            return Ok(());
        }
        let mut ids = self.list().await?;
        ids.retain(|id| id.starts_with(text));
        if ids.is_empty() {
            return Ok(());
        }
        Err(
            Error::request(format!("\"{text}\" is only the beginning of a model's id"))
                .object(self.name())
                .hint(format!("name the whole of it: {}", ids.join(" or "))),
        )
    }

    /// The card of a model. If it is missing, as it may be after a crash, it is made from the
    /// model.
    ///
    /// # Errors
    /// If there is no such model (the hint lists the existing ones), or its card is damaged.
    pub async fn card(&self, id: &str) -> Result<ModelCard> {
        let key = format!("{}/{CARD}", check_model_id(id)?);
        let Some((content, _)) = self.place.find(&key).await? else {
            let file = self.file(id).await?;
            let name = self.place.name_of(&format!("{id}/{MODEL}"));
            return Ok(card_of(id, artifact::read_header(&name, &file)?, &file));
        };
        read_card(id, &self.place.name_of(&key), &content)
            .map_err(|error| error.hint(format!("remove it: it is made again from {MODEL}")))
    }

    /// A model and its header.
    ///
    /// # Errors
    /// If there is no such model (the hint lists the existing ones), it is damaged, or the
    /// file holds another model.
    pub async fn load(&self, id: &str) -> Result<(ModelHeader, Model)> {
        let file = self.file(id).await?;
        let name = self.place.name_of(&format!("{id}/{MODEL}"));
        let (header, model) = artifact::decode(&name, &file)?;
        match header.model_id() == id {
            true => Ok((header, model)),
            false => Err(
                Error::input(format!("the file holds the model {}", header.model_id()))
                    .object(name)
                    .hint("train again, or put the model under its own id"),
            ),
        }
    }

    /// The promoted model.
    ///
    /// # Errors
    /// If none is promoted, or the pointer or the model that it names is missing or damaged.
    pub async fn load_promoted(&self) -> Result<(ModelHeader, Model)> {
        let id = self.required_pointer().await?.model_id;
        let hint = "promote another model with `okuo models promote`, or train one";
        self.load_named(&id, hint).await
    }

    /// The promoted model for a night: the newest that was promoted, was not taken back, and was not
    /// trained on days after the night.
    ///
    /// # Errors
    /// If none is promoted, all are of later nights, or the pointer or the model is missing or
    /// damaged.
    pub async fn load_promoted_for(&self, night: AsOf) -> Result<(ModelHeader, Model)> {
        let pointer = self.required_pointer().await?;
        let Some(id) = pointer.model_for(night) else {
            return Err(self.no_model_for(night, &pointer).await?);
        };
        let hint = "name another model with --model; `okuo models list` shows them";
        self.load_named(&id, hint).await
    }

    /// Why no promoted model can be used on a night.
    async fn no_model_for(&self, night: AsOf, pointer: &Pointer) -> Result<Error> {
        let mut others = self.list().await?;
        others.retain(|id| model_night(id).is_some_and(|trained| trained <= night));
        let hint = match others.as_slice() {
            [] => format!("train one with `okuo train --as-of {night}` or an earlier date"),
            ids => format!(
                "one that is not promoted can be named with --model: {}",
                ids.join(", ")
            ),
        };
        Ok(Error::request(format!(
            "no promoted model can be used on {night}: all were trained on days after it, and the promoted one is {}",
            pointer.model_id
        ))
        .object(self.name())
        .hint(hint))
    }

    /// The pointer, where there must be one.
    async fn required_pointer(&self) -> Result<Pointer> {
        if let Some(promoted) = self.promoted().await? {
            return Ok(promoted.pointer);
        }
        let hint = match self.list().await?.as_slice() {
            [] => "train one with `okuo train`".to_owned(),
            ids => format!("promote one with `okuo models promote`: {}", ids.join(", ")),
        };
        Err(Error::not_found("no model is promoted in the registry")
            .object(self.name())
            .hint(hint))
    }

    /// A model that the pointer names.
    async fn load_named(&self, id: &str, hint: &str) -> Result<(ModelHeader, Model)> {
        let loaded = self.load(id).await;
        loaded.map_err(|error| match error.kind() {
            Kind::NotFound => Error::not_found(format!(
                "it names the model {id}, which is not in the registry"
            ))
            .object(self.place.name_of(LATEST))
            .hint(hint)
            .source(error),
            _ => error,
        })
    }

    /// Whether there is a file of this model that a newer okuo than this one wrote.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn is_of_newer_okuo(&self, id: &str) -> Result<bool> {
        // Whatever its signature: a model of a newer okuo is not to be replaced as one that is damaged.
        match self.unverified_file(id).await {
            Ok(file) => Ok(artifact::is_of_newer_okuo(&file)),
            Err(error) if matches!(error.kind(), Kind::Input | Kind::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The pointer; `None` if no model was promoted yet.
    ///
    /// # Errors
    /// If it is damaged.
    pub async fn promoted(&self) -> Result<Option<Promoted>> {
        let Some((content, tag)) = self.place.find(LATEST).await? else {
            return Ok(None);
        };
        let name = self.place.name_of(LATEST);
        let hint = "remove it and promote a model with `okuo models promote`";
        let pointer: Pointer = from_json(&name, "the pointer to a model", &content)
            .map_err(|error| error.hint(hint))?;
        match is_model_id(&pointer.model_id) {
            true => Ok(Some(Promoted { pointer, tag })),
            false => Err(
                Error::input(format!("\"{}\" is not a model's id", pointer.model_id))
                    .object(name)
                    .hint(hint),
            ),
        }
    }

    /// Moves the pointer to a model, if it is still as `expected`. `reason` goes into the history.
    ///
    /// # Errors
    /// If there is no such model, or the pointer has been moved in the meantime
    /// ([`Kind::Conflict`]).
    pub async fn promote(
        &self,
        id: &str,
        expected: Option<&Promoted>,
        reason: &str,
    ) -> Result<Pointer> {
        self.file_bytes(id).await?;
        if let Some(same) = expected.filter(|expected| expected.pointer.model_id == id) {
            return Ok(same.pointer.clone());
        }
        let before = expected.map(|expected| &expected.pointer);
        let pointer = Pointer::moved(before, id, reason);
        let content = to_json("the pointer", &pointer)?;
        self.place
            .put(
                LATEST,
                content,
                replacing(expected.map(|expected| expected.tag.as_str())),
            )
            .await?;
        Ok(pointer)
    }

    /// Moves the pointer to a model if `evaluate`, which is given the present pointer, decides so.
    /// If the pointer has been moved in the meantime, `evaluate` is called again.
    ///
    /// # Errors
    /// If there is no such model, the pointer is damaged, or others keep moving it
    /// ([`Kind::Conflict`]).
    pub async fn promote_if(
        &self,
        id: &str,
        mut evaluate: impl FnMut(Option<&Pointer>) -> Decision,
    ) -> Result<Decision> {
        self.file_bytes(id).await?;
        let mut lost = None;
        for _ in 0..ATTEMPTS {
            let current = self.promoted().await?;
            let decision = evaluate(current.as_ref().map(|current| &current.pointer));
            if !decision.promote {
                return Ok(decision);
            }
            match self.promote(id, current.as_ref(), &decision.reason).await {
                Ok(_) => return Ok(decision),
                Err(error) if error.kind() == Kind::Conflict => lost = Some(error),
                Err(error) => return Err(error),
            }
        }
        let error = Error::conflict(format!("others moved the pointer {ATTEMPTS} times"))
            .object(self.place.name_of(LATEST));
        let error = error.hint("train into a registry from one place at a time");
        Err(match lost {
            Some(lost) => error.source(lost),
            None => error,
        })
    }

    /// The size of a model's file. If there is no such model, the error lists those that there are.
    async fn file_bytes(&self, id: &str) -> Result<u64> {
        let key = format!("{}/{MODEL}", check_model_id(id)?);
        if let Some(found) = self
            .place
            .list(&key)
            .await?
            .iter()
            .find(|object| object.key == key)
        {
            return Ok(found.size);
        }
        let hint = match self.list().await?.as_slice() {
            [] => "the registry is empty; train a model with `okuo train`".to_owned(),
            ids => format!("the registry has {}", ids.join(", ")),
        };
        Err(Error::not_found(format!("there is no model {id}"))
            .object(self.name())
            .hint(hint))
    }

    /// A model's file, if it is signed as it has to be.
    async fn file(&self, id: &str) -> Result<Bytes> {
        let file = self.unverified_file(id).await?;
        if let Some(verify_key) = &self.verify_key {
            let key = format!("{id}/{MODEL}");
            let signature = self.place.find(&format!("{key}{SIGNATURE_ENDING}")).await?;
            let signature = signature.as_ref().map(|(content, _)| content.as_ref());
            verify_key.check(&self.place.name_of(&key), &file, signature)?;
        }
        Ok(file)
    }

    async fn unverified_file(&self, id: &str) -> Result<Bytes> {
        let size = self.file_bytes(id).await?;
        let key = format!("{id}/{MODEL}");
        if size > MAX_FILE_BYTES as u64 {
            return Err(Error::input(format!(
                "a file of {size} bytes is not a model; {MAX_FILE_BYTES} are the most"
            ))
            .object(self.place.name_of(&key))
            .hint("train again"));
        }
        Ok(self.place.get(&key).await?.0)
    }
}

/// Whether a text has the form of a model's id: `2017-10-31-0123456789ab`.
#[must_use]
pub fn is_model_id(text: &str) -> bool {
    model_night(text).is_some()
}

/// The night up to which a model was trained, which its id begins with; `None` if the text does not
/// have the form of an id.
#[must_use]
pub fn model_night(id: &str) -> Option<AsOf> {
    let (night, rest) = id.split_at_checked("YYYY-MM-DD".len())?;
    let digits = rest.strip_prefix('-')?;
    let is_hexadecimal = digits.len() == ID_DIGITS
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let parsed = night.parse::<AsOf>().ok().filter(|_| is_hexadecimal)?;
    (parsed.to_string() == night).then_some(parsed)
}

/// The parts in which two descriptions differ, by name.
fn differences(one: &Description, other: &Description) -> Vec<String> {
    let (one, other) = (with_present_names(one), with_present_names(other));
    let names = one
        .as_object()
        .into_iter()
        .chain(other.as_object())
        .flat_map(|parts| parts.keys());
    let mut different: Vec<String> = names
        .filter(|name| one.get(name.as_str()) != other.get(name.as_str()))
        .cloned()
        .collect();
    different.sort_unstable();
    different.dedup();
    different
}

/// A description as JSON, its parameters under the names that they have now.
fn with_present_names(description: &Description) -> serde_json::Value {
    let mut description = description.clone();
    if let Ok(parameters) = serde_json::from_value::<Parameters>(description.parameters.clone()) {
        description.parameters = serde_json::to_value(parameters).unwrap_or_default();
    }
    serde_json::to_value(description).unwrap_or_default()
}

/// The id, if it has the form of one. No other text is used in a key.
fn check_model_id(id: &str) -> Result<&str> {
    if is_model_id(id) {
        return Ok(id);
    }
    Err(Error::request(format!("\"{id}\" is not a model's id"))
        .hint("an id is a night and 12 hexadecimal digits, as in 2017-10-31-0123456789ab; `okuo models list` shows them"))
}

/// A model that is to be stored, or stands.
struct NewModel {
    header: ModelHeader,
    file: Bytes,
    measured: Option<Measured>,
}

impl ModelCard {
    /// Whether it says the same as another one, but for what was measured of the run.
    fn is_same(&self, other: &Self) -> bool {
        let unmeasured = |card: &Self| Self {
            measured: None,
            ..card.clone()
        };
        unmeasured(self) == unmeasured(other)
    }
}

fn card_of(id: &str, header: ModelHeader, file: &Bytes) -> ModelCard {
    ModelCard {
        model_id: id.to_owned(),
        file_bytes: file.len() as u64,
        file_sha256: sha256_hex(file),
        measured: None,
        header,
    }
}

fn read_card(id: &str, name: &str, content: &[u8]) -> Result<ModelCard> {
    let card: ModelCard = from_json(name, "a model's card", content)?;
    if card.model_id == id {
        return Ok(card);
    }
    Err(Error::input(format!("it is the card of {}", card.model_id)).object(name))
}
