//! The file of a trained model: a readable header, checksums, and a bincode body.
//!
//! ```text
//! bytes  what
//!     8  magic, "\x89okuo\r\n\x1a": a transfer that changes line ends or strips a bit is noticed at once
//!     4  format version, little endian
//!     4  length of the header
//!     h  the header, JSON
//!    32  SHA-256 of everything above
//!     8  length of the body
//!    32  SHA-256 of the body
//!     b  the body, bincode, and nothing after it
//! ```
//!
//! All of it is checked before the body is decoded, and decoding stops where the body claims more
//! than it can hold. Nothing here reads a clock or draws a number: the same model gives the same
//! bytes.
//!
//! bincode is no longer maintained and is used nowhere else: replacing it is a new format version
//! in this file.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::calendar::AsOf;
use crate::error::{Error, Result};
use crate::features::basket::BASKET_FEATURES;
use crate::features::timing::TIMING_FEATURES;
use crate::models::Model;
use crate::recurrence::Rule;
use crate::store::hex;

mod origin;
#[cfg(test)]
mod tests;

pub use origin::Origin;

/// The newest format version that this okuo writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The largest file that is read as a model, in bytes.
pub const MAX_FILE_BYTES: usize = MAX_BODY_BYTES + MAX_HEADER_BYTES + FRAME_BYTES;

const MAGIC: [u8; 8] = *b"\x89okuo\r\n\x1a";
const MAX_HEADER_BYTES: usize = 16 << 20;
const MAX_BODY_BYTES: usize = 128 << 20;
const CHECKSUM_BYTES: usize = 32;
const FRAME_BYTES: usize = MAGIC.len() + 4 + 4 + CHECKSUM_BYTES + 8 + CHECKSUM_BYTES;

/// What the maker of a model says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The night up to which it was trained.
    pub as_of: AsOf,
    /// A checksum of the purchases that it was trained on.
    pub data_fingerprint: String,
    /// The rule of whom it scores.
    pub rule: Rule,
    /// The features that it reads, in their order.
    pub feature_names: Vec<String>,
    /// How it was fitted.
    pub parameters: serde_json::Value,
    /// Held-out figures: how well the same procedure did on nights that it had not seen.
    pub figures: serde_json::Value,
    /// What tickets it was trained on; the first files do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// The readable part of a model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The okuo that wrote the file.
    pub okuo_version: String,
    /// SHA-256 of the body, in hexadecimal.
    pub body_sha256: String,
    /// Length of the body, in bytes.
    pub body_bytes: u64,
    /// What the maker of the model says of it.
    #[serde(flatten)]
    pub description: Description,
}

impl Header {
    /// The model's id: `<as-of>-<first 12 hexadecimal digits of the body's checksum>`. The same
    /// data give the same id.
    #[must_use]
    pub fn model_id(&self) -> String {
        let digits: String = self.body_sha256.chars().take(12).collect();
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
/// other features than this one computes, or is not consistent in itself.
pub fn decode(name: &str, bytes: &[u8]) -> Result<(Header, Model)> {
    let same_features = |header: &Header| check_features(&header.description, &header.okuo_version);
    decode_body(name, bytes, same_features, check)
}

/// The header of a file, without decoding the model; the checksums of both are verified.
///
/// # Errors
/// As [`decode`], except for what only decoding the body can find.
pub fn read_header(name: &str, bytes: &[u8]) -> Result<Header> {
    open(bytes)
        .map(|(header, _)| header)
        .map_err(|error| error.object(name))
}

fn check(header: &Header, model: &Model) -> Result<()> {
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
    if !model.is_consistent() {
        return Err(
            Error::input("its trees and tables do not fit together").hint("train the model again")
        );
    }
    Ok(())
}

/// A model knows its features by their places alone: under other names, in another order, it would
/// speak nonsense without a sign of it.
fn check_features(description: &Description, okuo_version: &str) -> Result<()> {
    let (theirs, ours) = (&description.feature_names, feature_names());
    if *theirs == ours {
        return Ok(());
    }
    let differing = theirs
        .iter()
        .find(|name| !ours.contains(name))
        .map(|name| format!("\"{name}\", which this one does not know"));
    let missing = || {
        ours.iter()
            .find(|name| !theirs.contains(name))
            .map(|name| format!("no \"{name}\", which this one computes"))
    };
    let what = differing
        .or_else(missing)
        .unwrap_or_else(|| "the same ones in another order".to_owned());
    Err(Error::input(format!("the model was made by another version of okuo ({okuo_version}): of features, it reads {what}"))
        .hint("train anew with this okuo, or score with the one that trained it"))
}

fn sha256(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    Sha256::digest(bytes).into()
}

fn encode_body<M: Serialize + DeserializeOwned>(
    description: Description,
    model: &M,
    validate: impl Fn(&Header, &M) -> Result<()>,
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
    let checksum = sha256(&body);
    let header = Header {
        okuo_version: env!("CARGO_PKG_VERSION").to_owned(),
        body_sha256: hex(&checksum),
        body_bytes: body.len() as u64,
        description,
    };
    // What cannot be read back must not be written.
    validate(&header, &decode_bincode(&body)?)?;
    let json = serde_json::to_vec(&header)
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
    bytes.extend_from_slice(&checksum);
    bytes.extend_from_slice(&body);
    // The header as it will be read: a number that JSON cannot hold would show here.
    let (read, _) = open(&bytes)?;
    if read.description.as_of != header.description.as_of {
        return Err(Error::system(
            "the model's header does not come back from JSON as it was written",
        ));
    }
    Ok(bytes)
}

fn decode_body<M: DeserializeOwned>(
    name: &str,
    bytes: &[u8],
    accept: impl Fn(&Header) -> Result<()>,
    validate: impl Fn(&Header, &M) -> Result<()>,
) -> Result<(Header, M)> {
    let read = || {
        let (header, body) = open(bytes)?;
        accept(&header)?;
        let model = decode_bincode(body)?;
        validate(&header, &model)?;
        Ok((header, model))
    };
    read().map_err(|error: Error| error.object(name))
}

/// Takes the frame apart and checks all of it; the body is returned undecoded.
fn open(bytes: &[u8]) -> Result<(Header, &[u8])> {
    let truncated = || {
        Error::input(format!(
            "the model file is truncated: it ends after {} bytes",
            bytes.len()
        ))
        .hint(COPY_AGAIN)
    };
    let damaged =
        |what: &str| Error::input(format!("the model file is damaged: {what}")).hint(COPY_AGAIN);

    let known = bytes.len().min(MAGIC.len());
    if bytes.is_empty() {
        return Err(Error::input("the model file is empty").hint(COPY_AGAIN));
    }
    if bytes[..known] != MAGIC[..known] {
        return Err(Error::input("this is not a model file of okuo")
            .hint("name a model.okuo that `okuo train` wrote"));
    }
    let mut rest = &bytes[known..];
    let version = u32::from_le_bytes(take(&mut rest).ok_or_else(truncated)?);
    let header_len = u32::from_le_bytes(take(&mut rest).ok_or_else(truncated)?) as usize;
    if version != FORMAT_VERSION {
        return Err(Error::input(format!(
            "the model file has format version {version}; this okuo reads {FORMAT_VERSION}"
        ))
        .hint("use the okuo that wrote it or a newer one, or train again"));
    }
    if header_len > MAX_HEADER_BYTES {
        return Err(damaged(&format!(
            "it claims a header of {header_len} bytes, and {MAX_HEADER_BYTES} are the most"
        )));
    }
    let json = take_slice(&mut rest, header_len).ok_or_else(truncated)?;
    let above = &bytes[..bytes.len() - rest.len()];
    if take(&mut rest).ok_or_else(truncated)? != sha256(above) {
        return Err(damaged("the header's checksum does not match"));
    }
    let body_len = u64::from_le_bytes(take(&mut rest).ok_or_else(truncated)?);
    let checksum: [u8; CHECKSUM_BYTES] = take(&mut rest).ok_or_else(truncated)?;
    if body_len > MAX_BODY_BYTES as u64 {
        return Err(damaged(&format!(
            "it claims a body of {body_len} bytes, and {MAX_BODY_BYTES} are the most"
        )));
    }
    match (rest.len() as u64).cmp(&body_len) {
        std::cmp::Ordering::Less => return Err(truncated()),
        std::cmp::Ordering::Greater => {
            return Err(damaged(&format!(
                "{} bytes follow its end",
                rest.len() as u64 - body_len
            )));
        }
        std::cmp::Ordering::Equal => {}
    }
    if checksum != sha256(rest) {
        return Err(damaged("the body's checksum does not match"));
    }
    let header: Header = serde_json::from_slice(json)
        .map_err(|error| damaged("its header cannot be read").source(error))?;
    if header.body_sha256 != hex(&checksum) || header.body_bytes != body_len {
        return Err(damaged("the header speaks of another body"));
    }
    Ok((header, rest))
}

const COPY_AGAIN: &str = "copy it again from the registry, or train again";

/// The next `N` bytes, if there are so many.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn take_slice<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(head)
}

/// Decodes a whole body. bincode counts a value by its size in memory, at most 8 times its encoded
/// size (a 64-bit integer may be written in one byte), so the limit grows with the body up to 512
/// MiB: a small file that claims 2^60 entries, or one gigabyte of text, is stopped before anything
/// is allocated for it.
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
    let wrong = |what: String| {
        Error::input(format!("the model file's body is not a model: {what}"))
            .hint("train again with this okuo")
    };
    match decoded {
        Ok((model, read)) if read == body.len() => Ok(model),
        Ok((_, read)) => Err(wrong(format!("{} bytes follow its end", body.len() - read))),
        Err(bincode::error::DecodeError::LimitExceeded) => {
            Err(wrong("it claims more than its size can hold".to_owned()))
        }
        Err(bincode::error::DecodeError::UnexpectedEnd { .. }) => {
            Err(wrong("it claims more than it holds".to_owned()))
        }
        Err(error) => Err(wrong("it cannot be decoded".to_owned()).source(error)),
    }
}
