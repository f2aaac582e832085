//! Objects in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::{ObjectMeta, PutMode, Store, check_key, sha256_hex};
use crate::error::{Error, Result};

/// A store that lives as long as its process. The tag of an object is the SHA-256 of its content.
#[derive(Debug, Default)]
pub struct InMemory {
    objects: Mutex<BTreeMap<String, (Bytes, String)>>,
}

impl InMemory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No operation leaves the map half changed, so a poisoned lock is as good as any.
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, (Bytes, String)>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for InMemory {
    fn name(&self) -> String {
        "memory:".to_owned()
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let objects = self.objects();
        let from_prefix = objects
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix));
        Ok(from_prefix
            .map(|(key, (content, etag))| ObjectMeta {
                key: key.clone(),
                size: content.len() as u64,
                etag: etag.clone(),
                age: None,
            })
            .collect())
    }

    async fn get(&self, key: &str) -> Result<(Bytes, String)> {
        check_key(key)?;
        self.objects()
            .get(key)
            .cloned()
            .ok_or_else(|| Error::not_found("there is no such object").object(self.uri(key)))
    }

    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String> {
        check_key(key)?;
        let etag = sha256_hex(&content);
        let mut objects = self.objects();
        let present = objects.get(key).map(|(_, etag)| etag);
        match (mode, present) {
            (PutMode::IfAbsent, Some(_)) => {
                return Err(Error::conflict("is already there").object(self.uri(key)));
            }
            (PutMode::IfMatch(expected), present) if present != Some(&expected) => {
                return Err(Error::conflict("has changed since it was read").object(self.uri(key)));
            }
            _ => {}
        }
        objects.insert(key.to_owned(), (content, etag.clone()));
        Ok(etag)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        self.objects().remove(key);
        Ok(())
    }
}
