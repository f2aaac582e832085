//! Objects under keys, in any place that stores them: local disk, S3, or memory.
//!
//! [`Store`] is the contract that all of these places keep. Keys are relative paths with `/`
//! between their parts; no part is empty, `.` or `..`. Readers see an object whole or not at all,
//! and of several conditional writes one wins.
//!
//! [`open`] turns what a person types into a [`Location`], a place to read from and write to.
//! [`find`] turns it into a list of [`InputObject`]s. Only this module knows where the bytes are.

mod find;
mod local;
mod location;
mod machine;
mod memory;
mod process;
mod s3;
mod spill_file;
mod spooled;
mod temporary;
mod writer;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};

pub use find::{Found, InputObject, STANDARD_INPUT, find, find_tables};
pub use local::Local;
pub use location::{Location, check_file, check_folder, open};
pub use machine::{GroupLimit, memory_limit};
pub use memory::InMemory;
pub use process::peak_memory_bytes;
pub use s3::{PATH_STYLE, RETRY_BUDGET, RETRY_SECONDS, S3};
pub use spill_file::SpillFile;
pub use temporary::remove_temporary_files;
pub use writer::{ObjectWriter, StagedFile};

use crate::error::{Error, Kind, Result};

/// The name of the object that [`Store::prove_writable`] does not write.
const PROOF: &str = "okuo-may-write";

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The key, relative to the store.
    pub key: String,
    /// Size in bytes.
    pub size: u64,
    /// An opaque tag that changes when the content does. [`Store::list`], [`Store::head`],
    /// [`Store::get`] and [`Store::put`] of one store give the same tag for the same version of an
    /// object.
    pub etag: String,
    /// How long ago it was written, by the clock of the store, to a second or so; `None` if the
    /// store does not say.
    pub age: Option<Duration>,
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

    /// An object as a person would name it: `s3://bucket/2017-11.csv`, `/data/tickets/2017-11.csv`.
    fn uri(&self, key: &str) -> String {
        let name = self.name();
        if key.is_empty() {
            name
        } else {
            format!("{}/{key}", name.trim_end_matches('/'))
        }
    }

    /// Whether a folder is there also while no object is in it. Where it is not, as on S3, nothing
    /// tells a prefix without objects from a misspelt one.
    fn has_folders(&self) -> bool {
        false
    }

    /// All objects whose key begins with `prefix`, in the byte order of their keys. Nothing there
    /// is an empty list.
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>>;

    /// The names directly below a folder (`""` is the store itself) in byte order, folders with a
    /// `/` at their end. For hints to a person: a store may stop after 1,000 names.
    async fn children(&self, folder: &str) -> Result<Vec<String>> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        let mut names: Vec<String> = Vec::new();
        for object in self.list(&prefix).await? {
            let below = object.key.get(prefix.len()..).unwrap_or_default();
            let name = below
                .split_once('/')
                .map_or_else(|| below.to_owned(), |(name, _)| format!("{name}/"));
            names.push(name);
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// What a listing would say of this one object; `None` if it is not there.
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        Ok(self
            .list(key)
            .await?
            .into_iter()
            .find(|object| object.key == key))
    }

    /// The size in bytes up to which an object is better fetched as a whole than in ranges: a
    /// request over a network takes as long as the transfer of some megabytes.
    fn whole_fetch_limit(&self) -> u64 {
        1 << 24
    }

    /// The object's content and its tag. [`crate::error::Kind::NotFound`] if there is none.
    async fn get(&self, key: &str) -> Result<(Bytes, String)>;

    /// A range of the object's content, in bytes. [`crate::error::Kind::Conflict`] if the object no
    /// longer has this tag.
    async fn get_range(&self, key: &str, range: Range<u64>, etag: &str) -> Result<Bytes> {
        let (content, found) = self.get(key).await?;
        if found != etag {
            return Err(changed(&self.uri(key)));
        }
        let bounds = usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok());
        match bounds.filter(|(start, end)| start <= end && *end <= content.len()) {
            Some((start, end)) => Ok(content.slice(start..end)),
            None => {
                Err(Error::system("it ends before the range that was asked for")
                    .object(self.uri(key)))
            }
        }
    }

    /// Writes an object as a whole and returns its tag. [`crate::error::Kind::Conflict`] if the
    /// mode's condition does not hold.
    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String>;

    /// Proves that objects can be written below a folder (`""` is the store itself), and leaves
    /// nothing there.
    ///
    /// The proof is a write on a condition that cannot hold, which a store refuses only to who may
    /// write.
    async fn prove_writable(&self, folder: &str) -> Result<()> {
        let key = match folder {
            "" => PROOF.to_owned(),
            folder => format!("{folder}/{PROOF}"),
        };
        let mode = PutMode::IfMatch("no object has this tag".to_owned());
        match self.put(&key, Bytes::new(), mode).await {
            Err(error) if error.kind() == Kind::Conflict => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                self.delete(&key).await?;
                Err(
                    Error::system("it writes although a condition does not hold")
                        .object(self.uri(&key))
                        .hint(
                            "okuo needs a store with conditional writes (If-None-Match, If-Match)",
                        ),
                )
            }
        }
    }

    /// A temporary file for the content of an object that is written as a stream.
    async fn stage(&self, key: &str) -> Result<StagedFile> {
        check_key(key)?;
        StagedFile::in_temporary_folder().await
    }

    /// Writes an object as [`Store::put`] does, with the content of a file that [`Store::stage`]
    /// gave for this key.
    async fn put_staged(&self, key: &str, staged: StagedFile, mode: PutMode) -> Result<String> {
        self.put(key, staged.content().await?, mode).await
    }

    /// Removes an object; it is no error if there is none.
    async fn delete(&self, key: &str) -> Result<()>;
}

/// Runs work on the disk where it does not hold up the asynchronous threads.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::system("the work on the disk broke off").source(error)),
    }
}

/// The error of a read whose object was replaced meanwhile.
fn changed(object: &str) -> Error {
    Error::conflict("it has changed while it was read")
        .object(object)
        .hint("wait until its writer has finished, and run this again")
}

/// Refuses a key that is absolute, empty, or has a part that is empty, `.` or `..`, so that no key
/// leads out of its store.
fn check_key(key: &str) -> Result<()> {
    let wrong = if key.is_empty() {
        "is empty"
    } else if key.starts_with('/') {
        "begins with /"
    } else if key.contains('\0') {
        "has a NUL character"
    } else if key.split('/').any(str::is_empty) {
        "has an empty part"
    } else if key.split('/').any(|part| part == "." || part == "..") {
        "has a part that is . or .."
    } else {
        return Ok(());
    };
    Err(Error::request(format!("the key {key:?} {wrong}"))
        .hint("name objects as folder/name, with one / between parts"))
}

/// The SHA-256 of a content in hexadecimal digits.
#[must_use]
pub fn sha256_hex(content: &[u8]) -> String {
    hex(&Sha256::digest(content))
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_inside_its_store() {
        for key in [
            "a",
            "a/b.csv",
            "as_of=2017-10-31/x",
            "...",
            "a b/ü+%",
            ".hidden",
        ] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        for key in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/./b", "a\0b",
        ] {
            assert!(check_key(key).is_err(), "{key}");
        }
    }

    #[test]
    fn sha256_is_the_published_one() {
        // FIPS 180-4, "abc".
        assert_eq!(
            sha256_hex(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
