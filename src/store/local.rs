//! Objects as files below a folder of this machine.

mod disk;

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;

use super::{ObjectMeta, PutMode, StagedFile, Store, changed, check_key, run_blocking};
use crate::error::{Error, Result};

/// Names of this store's own files (temporary files, locks) begin so. They are never listed and
/// never a key.
const OWN: &str = ".okuo-";

/// A folder of this machine as a store.
///
/// **Writes.** A write goes to a temporary file beside its target, which is synced and renamed: a
/// reader sees the old content or the new. Conditional writes of several threads or processes
/// exclude each other by a lock file in the target's folder, which is there only while the write
/// lasts.
///
/// **Tags.** Up to 256 KiB a tag is the SHA-256 of the content. Pointers, manifests and cards are
/// not larger, and so [`PutMode::IfMatch`] never takes a changed one for unchanged. Above that a
/// tag is made of size, time of change in ns and inode: to hash every input file would read it
/// twice.
///
/// **Links and folders.** Links are followed, except into a folder that the link itself lies in. A
/// link that leads nowhere is listed with size 0, and reading it is an error. A folder that a
/// deletion leaves empty is removed, as on S3, where there are no folders.
#[derive(Debug, Clone)]
pub struct Local {
    root: PathBuf,
}

impl Local {
    /// The store below a folder, which need not exist: it is empty then, and the first write
    /// creates it. An empty path is the present folder.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, key: &str) -> Result<PathBuf> {
        check_key(key)?;
        if key.split('/').any(|part| part.starts_with(OWN)) {
            return Err(Error::request(format!(
                "names that begin with {OWN} are kept for okuo's temporary files"
            ))
            .object(self.uri(key)));
        }
        Ok(self.folder(key))
    }

    /// The path of a folder; the empty key is the root, and an empty root is the present folder.
    fn folder(&self, key: &str) -> PathBuf {
        let path = if key.is_empty() {
            self.root.clone()
        } else {
            self.root.join(key)
        };
        if path.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            path
        }
    }
}

#[async_trait]
impl Store for Local {
    fn name(&self) -> String {
        self.folder("").display().to_string()
    }

    fn uri(&self, key: &str) -> String {
        if key.is_empty() {
            self.name()
        } else {
            self.root.join(key).display().to_string()
        }
    }

    fn has_folders(&self) -> bool {
        true
    }

    async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let start = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        if !start.is_empty() || prefix.starts_with('/') {
            check_key(start)?;
        }
        let folder = self.folder(start);
        let start = if start.is_empty() {
            String::new()
        } else {
            format!("{start}/")
        };
        let prefix = prefix.to_owned();
        run_blocking(move || {
            let mut objects = Vec::new();
            disk::walk(&folder, &start, &prefix, &mut Vec::new(), &mut objects)?;
            objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
            Ok(objects)
        })
        .await
    }

    async fn children(&self, folder: &str) -> Result<Vec<String>> {
        if !folder.is_empty() {
            check_key(folder)?;
        }
        let folder = self.folder(folder);
        run_blocking(move || {
            let mut names: Vec<String> = disk::entries(&folder)?
                .into_iter()
                .map(|(name, path)| {
                    if path.is_dir() {
                        format!("{name}/")
                    } else {
                        name
                    }
                })
                .collect();
            names.sort_unstable();
            Ok(names)
        })
        .await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let (path, object, key) = (self.path(key)?, self.uri(key), key.to_owned());
        run_blocking(move || match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => Ok(None),
            Ok(metadata) => Ok(Some(ObjectMeta {
                key,
                size: metadata.len(),
                etag: disk::tag_of_file(&path, &metadata),
                age: disk::age(&metadata),
            })),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(failure(error, "cannot be read").object(object)),
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<(Bytes, String)> {
        let (path, object) = (self.path(key)?, self.uri(key));
        run_blocking(move || disk::read(&path).map_err(|error| error.object(object))).await
    }

    // Lower than over a network: reading a range costs little more than its bytes. Not 0, since the
    // tag of a small file is a hash of its whole content.
    fn whole_fetch_limit(&self) -> u64 {
        1 << 20
    }

    async fn get_range(&self, key: &str, range: Range<u64>, etag: &str) -> Result<Bytes> {
        let (path, object, etag) = (self.path(key)?, self.uri(key), etag.to_owned());
        run_blocking(move || {
            match disk::read_range(&path, range, &etag).map_err(|error| error.object(&object))? {
                Some(bytes) => Ok(bytes),
                None => Err(changed(&object)),
            }
        })
        .await
    }

    async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String> {
        let (path, object) = (self.path(key)?, self.uri(key));
        run_blocking(move || {
            disk::write(&path, &content, mode).map_err(|error| error.object(object))
        })
        .await
    }

    async fn stage(&self, key: &str) -> Result<StagedFile> {
        let (path, object) = (self.path(key)?, self.uri(key));
        run_blocking(move || disk::stage(&path).map_err(|error| error.object(object)))
            .await
            .map(StagedFile)
    }

    async fn put_staged(&self, key: &str, staged: StagedFile, mode: PutMode) -> Result<String> {
        let (path, object) = (self.path(key)?, self.uri(key));
        run_blocking(move || {
            disk::persist_staged(staged.0, &path, mode).map_err(|error| error.object(object))
        })
        .await
    }

    async fn prove_writable(&self, folder: &str) -> Result<()> {
        let folder = self.folder(folder);
        run_blocking(move || disk::prove_writable(&folder)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let (path, depth, object) = (self.path(key)?, key.matches('/').count(), self.uri(key));
        run_blocking(move || disk::delete(&path, depth).map_err(|error| error.object(object))).await
    }
}

/// Whether there is nothing under a path: no such name, or a file where the path needs a folder.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// An error of the disk as one of okuo; `what` says what could not be done ("cannot be written").
fn failure(error: std::io::Error, what: &str) -> Error {
    let (what, hint) = match error.kind() {
        ErrorKind::NotFound => return Error::not_found("there is no such file"),
        // The second comes of making a folder where a file is.
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => (
            format!("{what}: a part of the path is a file, not a folder"),
            None,
        ),
        ErrorKind::IsADirectory => (format!("{what}: it is a folder, not a file"), None),
        ErrorKind::PermissionDenied => (
            format!("{what}: permission denied"),
            Some("check the owner and the rights of the file and of its folder (ls -l)"),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
            format!("{what}: no space is left on the disk"),
            Some("make room, or name another place"),
        ),
        ErrorKind::ReadOnlyFilesystem => (
            format!("{what}: the disk is read-only"),
            Some("name another place"),
        ),
        _ => (what.to_owned(), None),
    };
    let failed = Error::system(what).source(error);
    match hint {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

/// Whether a file name is one of this store's temporary files or locks.
fn is_own(name: &str) -> bool {
    name.starts_with(OWN)
}

/// The folder of a path; of a plain name, the present folder.
fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests;
