//! From what a person types (`models/`, `file:///data`, `s3://bucket/prefix`) to a store and a path
//! in it.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{Local, ObjectMeta, ObjectWriter, PutMode, S3, Store};
use crate::error::{Error, Result};

/// A place in a store: an object, or a folder or prefix with objects below it. Keys given to its
/// methods are relative to it.
#[derive(Debug, Clone)]
pub struct Location {
    /// Where it lies.
    pub store: Arc<dyn Store>,
    /// The key of the object or folder in the store, without a `/` at its end; empty for the store
    /// itself.
    pub path: String,
}

impl Location {
    /// A location in a store, for instance [`super::InMemory`] in tests.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, path: impl Into<String>) -> Self {
        Self {
            store,
            path: path.into(),
        }
    }

    /// The place as a person would name it: `models/latest.json`, `s3://bucket/models`.
    #[must_use]
    pub fn name(&self) -> String {
        self.store.uri(&self.path)
    }

    /// The place at `key` below this one; an empty key is this place itself.
    #[must_use]
    pub fn child(&self, key: &str) -> Self {
        Self {
            store: Arc::clone(&self.store),
            path: self.key(key),
        }
    }

    /// All objects below this place whose key relative to it begins with `prefix`, in the byte
    /// order of their keys, which are relative too. Nothing there is an empty list.
    ///
    /// # Errors
    /// [`crate::error::Kind::System`] if the place cannot be read, [`crate::error::Kind::NotFound`]
    /// if its bucket does not exist.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let base = if self.path.is_empty() {
            String::new()
        } else {
            format!("{}/", self.path)
        };
        let objects = self.store.list(&format!("{base}{prefix}")).await?;
        Ok(objects
            .into_iter()
            .map(|object| ObjectMeta {
                key: object.key.get(base.len()..).unwrap_or_default().to_owned(),
                ..object
            })
            .collect())
    }

    /// What a listing says of one object (an empty key: of this place as an object); `None` if it
    /// is not there.
    ///
    /// # Errors
    /// [`crate::error::Kind::System`] if that cannot be found out.
    pub async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let found = self.store.head(&self.key(key)).await?;
        Ok(found.map(|object| ObjectMeta {
            key: key.to_owned(),
            ..object
        }))
    }

    /// An object below, as a person would name it.
    #[must_use]
    pub fn name_of(&self, key: &str) -> String {
        self.store.uri(&self.key(key))
    }

    /// The object's content and tag, or nothing where there is none.
    ///
    /// # Errors
    /// As [`Location::get`], but for an object that is not there.
    pub async fn find(&self, key: &str) -> Result<Option<(Bytes, String)>> {
        match self.get(key).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.kind() == crate::error::Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// An object's content and its tag; an empty key is this place as an object.
    ///
    /// # Errors
    /// [`crate::error::Kind::NotFound`] if there is none.
    pub async fn get(&self, key: &str) -> Result<(Bytes, String)> {
        self.store.get(&self.key(key)).await
    }

    /// Writes an object as a whole and returns its tag.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] if the mode's condition does not hold.
    pub async fn put(&self, key: &str, content: Bytes, mode: PutMode) -> Result<String> {
        self.store.put(&self.key(key), content, mode).await
    }

    /// Proves that objects can be written here, and leaves nothing.
    ///
    /// # Errors
    /// If they cannot.
    pub async fn prove_writable(&self) -> Result<()> {
        self.store.prove_writable(&self.path).await
    }

    /// Begins to write an object as a stream; an empty key is this place as an object. Readers see
    /// it once [`ObjectWriter::commit`] has stored it.
    ///
    /// # Errors
    /// [`crate::error::Kind::System`] if there is no place for a temporary file.
    pub async fn writer(&self, key: &str) -> Result<ObjectWriter> {
        ObjectWriter::new(self.child(key)).await
    }

    /// Removes an object; it is no error if there is none.
    ///
    /// # Errors
    /// [`crate::error::Kind::System`] if it is there and cannot be removed.
    pub async fn delete(&self, key: &str) -> Result<()> {
        self.store.delete(&self.key(key)).await
    }

    fn key(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (_, true) => self.path.clone(),
            _ => format!("{}/{key}", self.path),
        }
    }
}

/// What a URI names, before anything is opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// `s3://bucket/key`; the key has no `/` at either end.
    S3 { bucket: String, key: String },
    /// A path of this machine: the folder as it was typed, and the last name. `../a/b` is `../a`
    /// and `b`; `..` and `/` have no name.
    Local { root: String, name: String },
}

impl Address {
    /// Reads `s3://bucket/key`, `file:///path`, or a path.
    pub(super) fn parse(uri: &str) -> Result<Self> {
        let uri = &*without_file_scheme(uri)?;
        if let Some(rest) = uri.strip_prefix("s3://") {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err(Error::request("no bucket is named")
                    .object(uri)
                    .hint("write s3://bucket/path"));
            }
            let key = key.trim_end_matches('/');
            if !key.is_empty() {
                super::check_key(key).map_err(|error| error.object(uri))?;
            }
            return Ok(Self::S3 {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            });
        }
        if let Some((scheme, rest)) = uri.split_once("://") {
            let hint = match scheme {
                "s3a" | "s3n" | "S3" => format!("write s3://{rest}"),
                _ => "okuo reads and writes local paths, file:// and s3://".to_owned(),
            };
            return Err(Error::request(format!("{scheme}:// is not supported"))
                .object(uri)
                .hint(hint));
        }
        if uri.is_empty() {
            return Err(Error::request("the path is empty")
                .hint("name a file, a folder, or s3://bucket/path; . is the present folder"));
        }
        if uri.contains('\0') {
            return Err(Error::request("the path has a NUL character")
                .object(uri.escape_debug().to_string()));
        }
        Ok(Self::local(uri))
    }

    fn local(path: &str) -> Self {
        let path = Path::new(path);
        match (path.parent(), path.file_name()) {
            (Some(root), Some(name)) => Self::Local {
                root: root.to_string_lossy().into_owned(),
                name: name.to_string_lossy().into_owned(),
            },
            _ => Self::Local {
                root: path.to_string_lossy().into_owned(),
                name: String::new(),
            },
        }
    }

    /// Opens the store; nothing is read yet.
    pub(super) async fn open(self) -> Result<Location> {
        match self {
            Self::S3 { bucket, key } => Ok(Location::new(
                Arc::new(S3::from_environment(&bucket).await?),
                key,
            )),
            // The root is the folder above, so that a file and a folder are opened alike, and
            // messages show the path as it was typed.
            Self::Local { root, name } => Ok(Location::new(Arc::new(Local::new(root)), name)),
        }
    }
}

/// Opens what a person typed: `s3://bucket/prefix`, `file:///folder`, or a path, absolute or
/// relative. Nothing is read or created yet.
///
/// # Errors
/// [`crate::error::Kind::Request`] if it is no such address, [`crate::error::Kind::System`] if S3
/// is not configured (no region).
pub async fn open(uri: &str) -> Result<Location> {
    Address::parse(uri)?.open().await
}

/// Refuses a place of this machine that is to be a folder, where it or a part of its path is a
/// file. Nothing there is fine, and so is S3, which has no folders.
///
/// # Errors
/// [`crate::error::Kind::Request`] if a file stands there, or the URI is no address.
pub fn check_folder(uri: &str) -> Result<()> {
    let Some(path) = local_path(uri)? else {
        return Ok(());
    };
    match path
        .ancestors()
        .find(|part| std::fs::metadata(part).is_ok_and(|found| !found.is_dir()))
    {
        Some(file) if *file == path => {
            Err(Error::request("it is a file, where a folder is needed").object(uri))
        }
        Some(file) => Err(Error::request(format!(
            "{} is a file, where a folder is needed",
            file.display()
        ))
        .object(uri)),
        None => Ok(()),
    }
}

/// Refuses a place of this machine that is to be a file, where it is a folder or a part of its path
/// is a file.
///
/// # Errors
/// As [`check_folder`].
pub fn check_file(uri: &str) -> Result<()> {
    let Some(path) = local_path(uri)? else {
        return Ok(());
    };
    if std::fs::metadata(&path).is_ok_and(|found| found.is_dir()) {
        return Err(Error::request("it is a folder, where a file is needed")
            .object(uri)
            .hint("name a file in it"));
    }
    match path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        Some(parent) => check_folder(&parent.to_string_lossy())
            .map_err(|error| error.hint("name a file in a folder")),
        None => Ok(()),
    }
}

/// The path of a place of this machine.
fn local_path(uri: &str) -> Result<Option<std::path::PathBuf>> {
    Ok(match Address::parse(uri)? {
        Address::S3 { .. } => None,
        Address::Local { root, name } => Some(Path::new(&root).join(name)),
    })
}

/// A `file://` address as the path that it means; anything else as it is.
pub(super) fn without_file_scheme(uri: &str) -> Result<Cow<'_, str>> {
    let Some(rest) = uri.strip_prefix("file://") else {
        return Ok(Cow::Borrowed(uri));
    };
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(Error::request("a file:// address has an absolute path")
            .object(uri)
            .hint("write file:///folder/name, or just the path"));
    }
    let path = percent_decoded(path).ok_or_else(|| {
        Error::request(
            "the address has a % that is not followed by two hexadecimal digits, or is not UTF-8",
        )
        .object(uri)
    })?;
    Ok(Cow::Owned(path))
}

/// The path with each `%20` and the like replaced; `None` if an escape is broken or the result is
/// not UTF-8.
fn percent_decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let high = char::from(rest.next()?).to_digit(16)?;
            let low = char::from(rest.next()?).to_digit(16)?;
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(root: &str, name: &str) -> Address {
        Address::Local {
            root: root.to_owned(),
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_uri_is_a_store_and_a_path() {
        let s3 = |bucket: &str, key: &str| Address::S3 {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        };
        for (uri, place) in [
            ("s3://b", s3("b", "")),
            ("s3://b/", s3("b", "")),
            ("s3://b/a/c.csv", s3("b", "a/c.csv")),
            ("s3://b/a/", s3("b", "a")),
            ("models", local("", "models")),
            ("models/", local("", "models")),
            ("./models", local(".", "models")),
            ("../a/b", local("../a", "b")),
            ("..", local("..", "")),
            (".", local(".", "")),
            ("/", local("/", "")),
            ("/a", local("/", "a")),
            ("file:///a/b%20c", local("/a", "b c")),
            ("file://localhost/a/b", local("/a", "b")),
        ] {
            assert_eq!(Address::parse(uri).unwrap(), place, "{uri}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_hint() {
        for (uri, text) in [
            ("", "the path is empty"),
            ("s3://", "no bucket"),
            ("s3:///key", "no bucket"),
            ("s3://b/a//c", "empty part"),
            ("s3://b/../c", ". or .."),
            ("s3a://b/c", "write s3://b/c"),
            ("gs://b/c", "s3://"),
            ("file://host/a", "absolute path"),
            ("file:///a%2", "hexadecimal"),
        ] {
            let error = Address::parse(uri).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Request, "{uri}");
            assert!(error.to_string().contains(text), "{uri}: {error}");
        }
    }

    #[test]
    fn a_file_is_no_folder_and_a_folder_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| format!("{}/{name}", folder.path().display());
        let _file = tempfile::Builder::new()
            .prefix("file")
            .rand_bytes(0)
            .tempfile_in(folder.path())
            .unwrap();
        for (folder, file) in [
            ("file", true),
            ("file/below", false),
            ("file/below/it", false),
        ] {
            let error = check_folder(&at(folder)).unwrap_err();
            assert!(
                error.kind() == crate::error::Kind::Request
                    && error.to_string().contains("is a file, where a folder"),
                "{error}"
            );
            assert_eq!(check_file(&at(folder)).is_ok(), file, "{folder}");
        }
        for nothing in [
            &at("new"),
            &at("new/below"),
            &at(""),
            "s3://bucket/file",
            ".",
            "new",
        ] {
            check_folder(nothing).unwrap();
        }
        check_file(&at("new.csv")).unwrap();
        check_file("new.csv").unwrap();
        assert!(
            check_file(&at(""))
                .unwrap_err()
                .to_string()
                .contains("it is a folder, where a file")
        );
    }

    #[tokio::test]
    async fn keys_are_relative_to_the_location() {
        let location = Location::new(Arc::new(super::super::InMemory::new()), "models");
        location
            .put("m1/card.json", Bytes::from_static(b"{}"), PutMode::IfAbsent)
            .await
            .unwrap();
        location
            .child("m2")
            .put("card.json", Bytes::from_static(b"[]"), PutMode::IfAbsent)
            .await
            .unwrap();
        let keys: Vec<String> = location
            .list("")
            .await
            .unwrap()
            .into_iter()
            .map(|object| object.key)
            .collect();
        assert_eq!(keys, ["m1/card.json", "m2/card.json"]);
        assert_eq!(location.list("m2").await.unwrap().len(), 1);
        assert_eq!(
            location.child("m1/card.json").get("").await.unwrap().0,
            "{}"
        );
        assert_eq!(location.child("m1").name(), "memory:/models/m1");
        assert_eq!(location.store.list("models/m1").await.unwrap().len(), 1);
    }
}
