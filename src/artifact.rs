//! The file of a trained model: a readable header, checksums, and a bincode body.
//!
//! ```text
//! bytes  what
//!     8  magic, "\x89okuo\r\n\x1a": shows if a transfer changed line ends or stripped a bit
//!     4  format version, little endian
//!     4  length of the header
//!     h  the header, JSON
//!    32  SHA-256 of everything above
//!     8  length of the body
//!    32  SHA-256 of the body
//!     b  the body, bincode, and nothing after it
//! ```
//!
//! All of it is checked before the body is decoded, and decoding stops if the body claims more than
//! it can hold. Nothing here reads a clock or draws a random number: the same model gives the same
//! bytes.
//!
//! bincode is no longer maintained. It is used in this file alone, so a new format version here is
//! enough to replace it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::calendar::AsOf;
use crate::domain::words::counted;
use crate::error::{Error, Result};
use crate::features::basket::BASKET_FEATURES;
use crate::features::timing::TIMING_FEATURES;
use crate::guards::{TrainingFeatures, TrainingFeed};
use crate::lift::LearnedMix;
use crate::models::basket::CorrectionInWords;
use crate::models::{Model, ModelVersion1, ModelVersion2};
use crate::recurrence::Rule;
use crate::store::hex;

mod origin;
mod signature;
#[cfg(test)]
mod tests;

pub use origin::Origin;
pub use signature::{SIGNATURE_ENDING, SigningKey, VerifyKey};

/// The format version that this okuo writes. It reads this one and those before.
pub const FORMAT_VERSION: u32 = 3;

/// The largest file that is read as a model, in bytes.
pub const MAX_FILE_BYTES: usize = MAX_BODY_BYTES + MAX_HEADER_BYTES + FRAME_BYTES;

const MAGIC: [u8; 8] = *b"\x89okuo\r\n\x1a";
const MAX_HEADER_BYTES: usize = 16 << 20;
const MAX_BODY_BYTES: usize = 128 << 20;
const CHECKSUM_BYTES: usize = 32;
const FRAME_BYTES: usize = MAGIC.len() + 4 + 4 + CHECKSUM_BYTES + 8 + CHECKSUM_BYTES;

/// What training says about the model that it made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The night up to which it was trained.
    pub as_of: AsOf,
    /// A checksum of the purchases that it was trained on.
    pub data_fingerprint: String,
    /// The rule that says whom it scores.
    pub rule: Rule,
    /// The names of the features that it reads, in their order.
    pub feature_names: Vec<String>,
    /// How it was fitted.
    pub parameters: serde_json::Value,
    /// Held-out figures: how well the same procedure did on nights that its model had not seen.
    pub figures: serde_json::Value,
    /// What a reader of these figures should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What tickets it was trained on; `None` in files of the first versions of okuo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The largest corrections of the products' own trees, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<CorrectionInWords>,
    /// What the feed was like that it was trained on; `None` in files of earlier versions of okuo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<TrainingFeed>,
    /// Shares of the offers that were learned from campaigns; `None` unless that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned_mix: Option<LearnedMix>,
    /// How the features of its recurrent customers were spread; `None` in files of earlier versions of
    /// okuo, and where customers were too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<TrainingFeatures>,
}

/// The readable part of a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelHeader {
    /// The okuo that wrote the file.
    pub okuo_version: String,
    /// SHA-256 of the body, in hexadecimal.
    pub body_sha256: String,
    /// Length of the body, in bytes.
    pub body_bytes: u64,
    /// What training says about the model.
    #[serde(flatten)]
    pub description: Description,
}

impl ModelHeader {
    fn new(okuo_version: &str, description: Description, body: &[u8]) -> Self {
        Self {
            okuo_version: okuo_version.to_owned(),
            body_sha256: hex(&sha256(body)),
            body_bytes: body.len() as u64,
            description,
        }
    }

    /// The model's id: `<as-of>-<first 12 hexadecimal digits of the body's checksum>`. The same
    /// data give the same id. A mix that was learned from campaigns is a part of what is checked: the
    /// same tickets with other campaigns are another model.
    #[must_use]
    pub fn model_id(&self) -> String {
        let learned = self.description.learned_mix.as_ref();
        let checksum = match learned.and_then(|mix| serde_json::to_vec(mix).ok()) {
            None => self.body_sha256.clone(),
            Some(mix) => hex(&sha256(&[self.body_sha256.as_bytes(), &mix].concat())),
        };
        let digits: String = checksum.chars().take(12).collect();
        format!("{}-{digits}", self.description.as_of)
    }
}

/// The names of the features that this okuo's models read, in their order.
#[must_use]
pub fn feature_names() -> Vec<String> {
    let timing = TIMING_FEATURES
        .iter()
        .map(|feature| format!("timing.{}", feature.name));
    timing
        .chain(
            BASKET_FEATURES
                .iter()
                .map(|feature| format!("basket.{}", feature.name)),
        )
        .collect()
}

/// The file of a model.
///
/// # Errors
/// If the model is not consistent in itself or too large to be read back.
pub fn encode(description: Description, model: &Model) -> Result<Vec<u8>> {
    check_features(&description, env!("CARGO_PKG_VERSION"))?;
    encode_body(description, model, check)
}

/// The header and the model of a file; `name` names it in messages.
///
/// # Errors
/// If the file is not a model, is truncated or damaged in any bit, comes from a newer okuo, reads
/// other features than this okuo computes, or is not consistent in itself.
pub fn decode(name: &str, bytes: &[u8]) -> Result<(ModelHeader, Model)> {
    decode_body(
        name,
        bytes,
        |header| check_features(&header.description, &header.okuo_version),
        decode_model,
        check,
    )
}

/// The model of a body, as files of a version hold it.
fn decode_model(version: u32, body: &[u8]) -> Result<Model> {
    match version {
        1 => decode_bincode::<ModelVersion1>(body).map(Model::from),
        2 => decode_bincode::<ModelVersion2>(body).map(Model::from),
        _ => decode_bincode(body),
    }
}

/// The header of a file, without decoding the model; the checksums of both are verified.
///
/// # Errors
/// As [`decode`], except for what only decoding the body can find.
pub fn read_header(name: &str, bytes: &[u8]) -> Result<ModelHeader> {
    open(bytes)
        .map(|file| file.header)
        .map_err(|error| error.object(name))
}

/// Whether a file was written by a newer okuo than this one, as far as can be told: a later format
/// version, or a later version of okuo in its header.
#[must_use]
pub fn is_of_newer_okuo(bytes: &[u8]) -> bool {
    let mut reader = FrameReader { bytes, position: 0 };
    let format = reader.magic().and_then(|()| reader.array());
    format.is_ok_and(|version| u32::from_le_bytes(version) > FORMAT_VERSION)
        || open(bytes).is_ok_and(|file| is_later_version(&file.header.okuo_version))
}

/// Whether a version of okuo is later than this one.
fn is_later_version(version: &str) -> bool {
    numbers_of(version) > numbers_of(env!("CARGO_PKG_VERSION"))
}

/// The numbers of a version such as `0.1.0` or `0.2.0-rc.1`, whose suffix is left out.
fn numbers_of(version: &str) -> Vec<u32> {
    let release = version.split(['-', '+']).next().unwrap_or_default();
    release.split('.').map_while(|it| it.parse().ok()).collect()
}

fn check(header: &ModelHeader, model: &Model) -> Result<()> {
    if header.description.as_of != model.as_of {
        return Err(Error::input(format!(
            "the header speaks of {}, the model of {}",
            header.description.as_of, model.as_of
        )));
    }
    if header.description.rule != model.rule {
        return Err(
            Error::input("the header speaks of another recurrence rule than the model")
                .hint("train the model again"),
        );
    }
    model.rule.check()?;
    let (_, basket) = split_tables(&header.description.feature_names);
    if !model.is_consistent() || model.basket.width() != basket.len() {
        return Err(
            Error::input("its trees and tables do not fit together").hint("train the model again")
        );
    }
    Ok(())
}

/// A model knows its features by position alone. If they had other names or another order, it would
/// predict nonsense, and nothing would show it. Features that have come since stand at the end, and
/// an older model does not read them.
fn check_features(description: &Description, okuo_version: &str) -> Result<()> {
    let (theirs, ours) = (&description.feature_names, feature_names());
    let (their_timing, their_basket) = split_tables(theirs);
    let (our_timing, our_basket) = split_tables(&ours);
    if their_timing == our_timing
        && !their_basket.is_empty()
        && our_basket.starts_with(their_basket)
    {
        return Ok(());
    }
    let what = if let Some(name) = theirs.iter().find(|name| !ours.contains(name)) {
        format!("it reads the feature \"{name}\", which this okuo does not know")
    } else if let Some(name) = ours.iter().find(|name| !theirs.contains(name)) {
        format!("it does not read the feature \"{name}\", which this okuo computes")
    } else {
        "it reads the same features in another order".to_owned()
    };
    Err(Error::input(format!(
        "the model was made by another version of okuo ({okuo_version}): {what}"
    ))
    .hint("train again with this okuo, or score with the one that trained the model"))
}

/// The names of timing features, and those of basket features, which follow.
fn split_tables(names: &[String]) -> (&[String], &[String]) {
    let timing = names.partition_point(|name| name.starts_with("timing."));
    names.split_at(timing)
}

fn sha256(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    Sha256::digest(bytes).into()
}

fn encode_body<M: Serialize + DeserializeOwned>(
    description: Description,
    model: &M,
    validate: impl Fn(&ModelHeader, &M) -> Result<()>,
) -> Result<Vec<u8>> {
    let body = bincode::serde::encode_to_vec(model, bincode::config::standard())
        .map_err(|error| Error::system("the model cannot be written").source(error))?;
    if body.len() > MAX_BODY_BYTES {
        return Err(Error::system(format!(
            "the model takes {} bytes, more than the {MAX_BODY_BYTES} that are read back",
            body.len()
        ))
        .hint("train with fewer or smaller trees"));
    }
    let header = ModelHeader::new(env!("CARGO_PKG_VERSION"), description, &body);
    // A model that cannot be read back must not be written.
    validate(&header, &decode_bincode(&body)?)?;
    let bytes = frame(&header, &body)?;
    // A number that JSON cannot hold would show when the header is read back.
    let read = open(&bytes)?.header;
    if read.description.as_of != header.description.as_of {
        return Err(Error::system(
            "the model's header does not come back from JSON as it was written",
        ));
    }
    Ok(bytes)
}

/// The bytes of a file with this header and body.
fn frame(header: &ModelHeader, body: &[u8]) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(header)
        .map_err(|error| Error::system("the model's header cannot be written").source(error))?;
    if json.len() > MAX_HEADER_BYTES {
        return Err(Error::system(format!(
            "the model's header takes {} bytes, more than {MAX_HEADER_BYTES}",
            json.len()
        )));
    }
    let mut bytes = Vec::with_capacity(FRAME_BYTES + json.len() + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&(json.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&json);
    bytes.extend_from_slice(&sha256(&bytes));
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&sha256(body));
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn decode_body<M>(
    name: &str,
    bytes: &[u8],
    accept: impl Fn(&ModelHeader) -> Result<()>,
    decode: impl Fn(u32, &[u8]) -> Result<M>,
    validate: impl Fn(&ModelHeader, &M) -> Result<()>,
) -> Result<(ModelHeader, M)> {
    open(bytes)
        .and_then(|file| {
            accept(&file.header)?;
            let model = decode(file.version, file.body)?;
            validate(&file.header, &model)?;
            Ok((file.header, model))
        })
        .map_err(|error| error.object(name))
}

/// A file whose frame is checked, and whose body is not decoded yet.
struct OpenedFile<'a> {
    version: u32,
    header: ModelHeader,
    body: &'a [u8],
}

/// Takes the frame apart and checks all of it.
fn open(bytes: &[u8]) -> Result<OpenedFile<'_>> {
    let mut reader = FrameReader { bytes, position: 0 };
    reader.magic()?;
    let (version, json) = reader.header()?;
    let (body, checksum) = reader.body()?;
    let header: ModelHeader = serde_json::from_slice(json)
        .map_err(|error| damaged("its header cannot be read").source(error))?;
    if header.body_sha256 != hex(&checksum) || header.body_bytes != body.len() as u64 {
        return Err(damaged("the header speaks of another body"));
    }
    Ok(OpenedFile {
        version,
        header,
        body,
    })
}

const COPY_AGAIN: &str = "copy it again from the registry, or train again";

fn damaged(what: &str) -> Error {
    Error::input(format!("the model file is damaged: {what}")).hint(COPY_AGAIN)
}

/// Reads the frame of a file from its beginning to its end, and checks each part.
struct FrameReader<'a> {
    bytes: &'a [u8],
    /// How many bytes are read.
    position: usize,
}

impl<'a> FrameReader<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    /// The next bytes, if the file has as many.
    fn slice(&mut self, length: usize) -> Result<&'a [u8]> {
        let slice = self.rest().get(..length).ok_or_else(|| self.truncated())?;
        self.position += length;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let slice = self.slice(N)?;
        slice.try_into().map_err(|_| self.truncated())
    }

    fn truncated(&self) -> Error {
        Error::input(format!(
            "the model file is truncated: it ends after {} bytes",
            self.bytes.len()
        ))
        .hint(COPY_AGAIN)
    }

    fn magic(&mut self) -> Result<()> {
        if self.bytes.is_empty() {
            return Err(Error::input("the model file is empty").hint(COPY_AGAIN));
        }
        // A file that ends within the magic is truncated, not foreign.
        let length = self.bytes.len().min(MAGIC.len());
        if self.slice(length)? != &MAGIC[..length] {
            return Err(Error::input("this is not a model file of okuo")
                .hint("name a model.okuo that `okuo train` wrote"));
        }
        Ok(())
    }

    /// The version, the header and its checksum; returns the version and the header's JSON.
    fn header(&mut self) -> Result<(u32, &'a [u8])> {
        let version = u32::from_le_bytes(self.array()?);
        let length = u32::from_le_bytes(self.array()?) as usize;
        if !(1..=FORMAT_VERSION).contains(&version) {
            return Err(Error::input(format!(
                "the model file has format version {version}; this okuo reads 1 to {FORMAT_VERSION}"
            ))
            .hint("use the okuo that wrote it or a newer one, or train again"));
        }
        if length > MAX_HEADER_BYTES {
            return Err(damaged(&format!(
                "it claims a header of {length} bytes, and {MAX_HEADER_BYTES} are the most"
            )));
        }
        let json = self.slice(length)?;
        let above = &self.bytes[..self.position];
        if self.array()? != sha256(above) {
            return Err(damaged("the header's checksum does not match"));
        }
        Ok((version, json))
    }

    /// The body, which ends the file, and its checksum.
    fn body(&mut self) -> Result<(&'a [u8], [u8; CHECKSUM_BYTES])> {
        let length = u64::from_le_bytes(self.array()?);
        let checksum = self.array()?;
        if length > MAX_BODY_BYTES as u64 {
            return Err(damaged(&format!(
                "it claims a body of {length} bytes, and {MAX_BODY_BYTES} are the most"
            )));
        }
        let body = self.slice(length as usize)?;
        if !self.rest().is_empty() {
            let surplus = counted(self.rest().len() as i64, "byte");
            return Err(damaged(&format!("it is followed by {surplus}")));
        }
        if checksum != sha256(body) {
            return Err(damaged("the body's checksum does not match"));
        }
        Ok((body, checksum))
    }
}

/// Decodes a whole body. bincode counts a value by its size in memory, which is at most 8 times its
/// encoded size (a 64-bit integer may be written in one byte). So the limit grows with the body, up
/// to 512 MiB: a small file that claims 2^60 entries, or one gigabyte of text, is stopped before
/// anything is allocated for it.
fn decode_bincode<M: DeserializeOwned>(body: &[u8]) -> Result<M> {
    const SMALL: usize = 1 << 20;
    const MEDIUM: usize = 32 << 20;
    const LARGE: usize = 512 << 20;
    let config = bincode::config::standard();
    let most = body.len().saturating_mul(8);
    let decoded = if most <= SMALL {
        bincode::serde::decode_from_slice(body, config.with_limit::<SMALL>())
    } else if most <= MEDIUM {
        bincode::serde::decode_from_slice(body, config.with_limit::<MEDIUM>())
    } else {
        bincode::serde::decode_from_slice(body, config.with_limit::<LARGE>())
    };
    match decoded {
        Ok((model, read)) if read == body.len() => Ok(model),
        Ok((_, read)) => {
            let surplus = counted((body.len() - read) as i64, "byte");
            Err(not_a_model(&format!("it is followed by {surplus}")))
        }
        Err(bincode::error::DecodeError::LimitExceeded) => {
            Err(not_a_model("it claims more than its size can hold"))
        }
        Err(bincode::error::DecodeError::UnexpectedEnd { .. }) => {
            Err(not_a_model("it claims more than it holds"))
        }
        Err(error) => Err(not_a_model("it cannot be decoded").source(error)),
    }
}

fn not_a_model(what: &str) -> Error {
    Error::input(format!("the model file's body is not a model: {what}"))
        .hint("train again with this okuo")
}
