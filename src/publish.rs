//! How a result becomes visible: one night's run through its manifest, a model through the registry's pointer.
//!
//! Data first, the name last: whatever is named is whole, and a crash at any instant leaves what was named before.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::store::{ObjectMeta, PutMode, Store};

pub mod manifest;
pub mod promotion;
pub mod registry;
pub mod runs;

#[cfg(test)]
pub(crate) mod memory;

/// How often a conditional write is tried anew after another writer has won.
const ATTEMPTS: usize = 8;

/// A prefix of a store: where the runs are published, or where the registry is.
#[derive(Debug, Clone)]
pub struct Place {
    store: Arc<dyn Store>,
    prefix: String,
}

impl Place {
    /// The place under `prefix`, a relative path without a `/` at its ends; an empty one is the store itself.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, prefix: &str) -> Self {
        Self { store, prefix: prefix.trim_matches('/').to_owned() }
    }

    /// The place `name` below this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        Self { store: Arc::clone(&self.store), prefix: self.key(name) }
    }

    /// An object here as a person would name it, for messages.
    #[must_use]
    pub fn name(&self, key: &str) -> String {
        format!("{}/{}", self.store.name().trim_end_matches('/'), self.key(key)).trim_end_matches('/').to_owned()
    }

    fn key(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    async fn get(&self, key: &str) -> Result<(Bytes, String)> {
        self.store.get(&self.key(key)).await
    }

    /// The object, or nothing where there is none.
    async fn find(&self, key: &str) -> Result<Option<(Bytes, String)>> {
        match self.get(key).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == crate::error::Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String> {
        self.store.put(&self.key(key), content, mode).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.store.delete(&self.key(key)).await
    }

    /// All objects whose key begins with `prefix`, with keys relative to this place.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let here = self.key("");
        let mut found = self.store.list(&self.key(prefix)).await?;
        found.retain_mut(|object| match object.key.strip_prefix(&here) {
            Some(key) => {
                object.key = key.to_owned();
                true
            }
            None => false,
        });
        Ok(found)
    }
}

/// Pretty JSON with the fields in their declared order, and a line end.
fn to_json<T: Serialize>(what: &str, value: &T) -> Result<Bytes> {
    let mut json = serde_json::to_vec_pretty(value).map_err(|error| Error::system(format!("{what} cannot be written")).source(error))?;
    json.push(b'\n');
    Ok(json.into())
}

fn from_json<T: DeserializeOwned>(name: &str, what: &str, content: &[u8]) -> Result<T> {
    serde_json::from_slice(content).map_err(|error| Error::input(format!("it is not {what}")).object(name).source(error))
}

/// The mode in which a write replaces exactly what was read.
fn replacing(tag: Option<&str>) -> PutMode {
    tag.map_or(PutMode::IfAbsent, |tag| PutMode::IfMatch(tag.to_owned()))
}
