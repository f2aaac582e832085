//! How a result becomes visible: one night's run through its manifest, a model through the
//! registry's pointer.
//!
//! Data first, the name last: whatever is named is whole, and a crash at any instant leaves what
//! was named before.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::store::PutMode;

pub mod campaign;
pub mod manifest;
pub(crate) mod parquet;
pub mod plan;
pub mod promotion;
pub mod registry;
pub mod runs;
pub mod sent;
pub mod tables;
pub mod tickets;

#[cfg(test)]
pub(crate) mod faulty_store;

/// How often a conditional write is tried anew after another writer has won.
const ATTEMPTS: usize = 8;

/// Pretty JSON with the fields in their declared order, and a line end.
fn to_json<T: Serialize>(what: &str, value: &T) -> Result<Bytes> {
    let mut json = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::system(format!("{what} cannot be written")).source(error))?;
    json.push(b'\n');
    Ok(json.into())
}

fn from_json<T: DeserializeOwned>(name: &str, what: &str, content: &[u8]) -> Result<T> {
    serde_json::from_slice(content).map_err(|error| {
        Error::input(format!("it is not {what}"))
            .object(name)
            .source(error)
    })
}

/// The mode in which a write replaces exactly what was read.
fn replacing(tag: Option<&str>) -> PutMode {
    tag.map_or(PutMode::IfAbsent, |tag| PutMode::IfMatch(tag.to_owned()))
}
