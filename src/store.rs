//! One contract over objects, wherever they lie: local disk, S3, or memory.
//!
//! Keys are relative paths with `/` between their parts; no part is empty, `.` or `..`. A key that is written is seen whole or not at
//! all, and a conditional write has one winner.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The key, relative to the store.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// An opaque tag that changes when the content does.
    pub etag: String,
}

/// What must hold for a write to take place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutMode {
    /// Nothing: an existing object is replaced.
    Overwrite,
    /// There is no object under the key.
    IfAbsent,
    /// The object under the key still has this tag.
    IfMatch(String),
}

/// A place that keeps objects under keys.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// The place as a person would name it, for messages: `s3://bucket/prefix`, `/data/tickets`.
    fn name(&self) -> String;

    /// All objects whose key begins with `prefix`, in the byte order of their keys. Nothing there is an empty list.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>>;

    /// The object's content and its tag. [`crate::error::Kind::NotFound`] if there is none.
    async fn get(&self, key: &str) -> Result<(Bytes, String)>;

    /// Writes an object as a whole and returns its tag. [`crate::error::Kind::Conflict`] if the mode's condition does not hold.
    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String>;

    /// Removes an object; one that is not there is no error.
    async fn delete(&self, key: &str) -> Result<()>;
}
