//! Input: the objects that a file name, a folder or prefix, or a glob stands for.

use std::sync::Arc;

use bytes::Bytes;
use globset::{GlobBuilder, GlobMatcher};

use super::location::{Address, Location, without_file_scheme};
use super::{Local, ObjectMeta, Store, spooled};
use crate::error::{Error, Kind, Result};
use crate::suggest;
use crate::visible::visible_line;

/// An object of the input, as it was found.
#[derive(Debug, Clone)]
pub struct InputObject {
    /// The object as a person would name it.
    pub uri: String,
    /// Its key in the store.
    pub key: String,
    /// Size in bytes when it was found.
    pub size: u64,
    /// Its tag when it was found; [`InputObject::get`] gives the tag of what it read.
    pub etag: String,
    /// Whether nothing says that it is a table: it lies in a folder that was named, and its ending is
    /// of no known kind.
    pub is_candidate: bool,
    /// Where it lies.
    pub store: Arc<dyn Store>,
}

impl InputObject {
    /// The object's content and its tag.
    ///
    /// # Errors
    /// [`crate::error::Kind::NoData`] if it has been removed since.
    pub async fn get(&self) -> Result<(Bytes, String)> {
        self.unless_removed(self.store.get(&self.key).await)
    }

    /// What was read, or why not. It was found before, so what is not there has been removed.
    fn unless_removed<T>(&self, read: Result<T>) -> Result<T> {
        read.map_err(|error| match error.kind() {
            Kind::NotFound if error.advice().is_none() => self.removed(),
            _ => error,
        })
    }

    /// The error of an object that was found and is no longer there.
    fn removed(&self) -> Error {
        Error::no_data("it was removed while it was read")
            .object(&self.uri)
            .hint("wait until its writer has finished, and run this again")
    }

    /// A range of the object's content, in bytes.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] if the object has changed since it was found, and
    /// [`crate::error::Kind::NoData`] if it has been removed.
    pub async fn get_range(&self, range: std::ops::Range<u64>) -> Result<Bytes> {
        self.unless_removed(self.store.get_range(&self.key, range, &self.etag).await)
    }

    /// Whether it is better fetched as a whole than in ranges.
    pub(crate) fn is_fetched_whole(&self) -> bool {
        self.size <= self.store.whole_fetch_limit()
    }

    /// The object with its size and tag as they are now.
    ///
    /// # Errors
    /// [`crate::error::Kind::NoData`] if it has been removed since.
    pub async fn again(&self) -> Result<InputObject> {
        let now = self.store.head(&self.key).await?;
        let ObjectMeta { size, etag, .. } =
            now.ok_or_else(|| match self.key.contains(char::REPLACEMENT_CHARACTER) {
                true => name_not_utf8().object(&self.uri),
                false => self.removed(),
            })?;
        Ok(InputObject {
            size,
            etag,
            ..self.clone()
        })
    }
}

/// The error of an object that was listed as well as it could be, and cannot be asked for.
pub(super) fn name_not_utf8() -> Error {
    Error::not_found("its name is not UTF-8, and so it cannot be read")
        .hint("rename it, or leave it out with a glob; convmv -f latin1 -t utf8 renames all files of a folder")
}

/// What a URI names.
#[derive(Debug, Default)]
pub struct Found {
    /// The objects, in the byte order of their URIs.
    pub objects: Vec<InputObject>,
    /// Hidden objects that were met beside them, as a person would name them.
    pub hidden: Vec<String>,
    /// The folder that was looked through; `None` where the URI names an object.
    pub folder: Option<Location>,
}

/// The objects that a URI names, in the byte order of their URIs:
/// - a file or an object: that one, whatever its ending;
/// - a folder or prefix: all objects below it that have one of the `endings` (in small or capital
///   letters) and are not hidden. An object is hidden if a part of its path below the folder begins
///   with `.` or `_`, like Spark's `_SUCCESS`;
/// - a glob (`*`, `**`, `?`, `[..]`, `{a,b}`; only `**` crosses a `/`): each object that it
///   matches, and what is in each folder that it matches. It matches hidden objects only if it
///   names a hidden part. A glob that ends with `*` takes only objects with one of the `endings`.
///   If a glob matches nothing, it is read as a plain name.
///
/// # Errors
/// If nothing matches, with a hint on what is there instead: [`crate::error::Kind::NoData`] where
/// objects may still come (a glob, a folder that is there, a prefix of S3), and
/// [`crate::error::Kind::NotFound`] where a path on the disk is most likely misspelt;
/// [`crate::error::Kind::Request`] if the URI or glob cannot be read;
/// [`crate::error::Kind::System`] if the place cannot be read.
pub async fn find(uri: &str, endings: &[&str]) -> Result<Vec<InputObject>> {
    let found = find_tables(uri, endings).await?;
    without_candidates(uri, found, endings)
}

/// As [`find`], with the objects of other endings that are not hidden, as candidates. `-` is the
/// standard input, which is read to its end.
///
/// # Errors
/// As [`find`]; if the standard input is a terminal, or cannot be read.
pub async fn find_tables(uri: &str, endings: &[&str]) -> Result<Found> {
    if uri == STANDARD_INPUT {
        return Ok(Found {
            objects: vec![spooled::standard_input().await?],
            ..Found::default()
        });
    }
    let uri = without_file_scheme(uri)?;
    let address = Address::parse(&uri)?;
    if uri.contains(GLOB_CHARACTERS) {
        let (location, pattern) = split_at_glob(&uri, &address)?;
        let location = match location {
            Some(folder) => Address::parse(&folder)?.open().await?,
            None => Location::new(Arc::new(Local::new("")), ""),
        };
        find_glob(&uri, &location, &pattern, endings).await
    } else {
        find_plain(&uri, &address.open().await?, endings).await
    }
}

/// The name of the standard input among inputs.
pub const STANDARD_INPUT: &str = "-";

fn without_candidates(uri: &str, found: Found, endings: &[&str]) -> Result<Vec<InputObject>> {
    let all = found.objects.len() + found.hidden.len();
    let (candidates, objects): (Vec<InputObject>, Vec<InputObject>) = found
        .objects
        .into_iter()
        .partition(|object| object.is_candidate);
    if objects.is_empty() {
        let example = candidates
            .last()
            .and_then(|object| object.key.rsplit('/').next());
        return Err(none_of_a_known_kind(uri, all, endings, example));
    }
    Ok(objects)
}

/// As [`find`], in a store that is already open: `path` is a key, a folder or a glob in it.
#[cfg(test)]
async fn find_in(store: Arc<dyn Store>, path: &str, endings: &[&str]) -> Result<Found> {
    let key = path.trim_end_matches('/');
    match key.find(GLOB_CHARACTERS) {
        Some(first) => {
            let folder = key[..first]
                .rsplit_once('/')
                .map_or("", |(folder, _)| folder);
            let pattern = key[folder.len()..].trim_start_matches('/').to_owned();
            find_glob(
                &store.uri(path),
                &Location::new(store, folder),
                &pattern,
                endings,
            )
            .await
        }
        None => {
            find_plain(
                &format!("memory:/{path}"),
                &Location::new(store, key),
                endings,
            )
            .await
        }
    }
}

const GLOB_CHARACTERS: [char; 4] = ['*', '?', '[', '{'];

/// The longest folder above a glob as a URI (`None` is the present folder), and the glob relative
/// to it.
fn split_at_glob(uri: &str, address: &Address) -> Result<(Option<String>, String)> {
    if let Address::S3 { bucket, .. } = address
        && bucket.contains(GLOB_CHARACTERS)
    {
        return Err(Error::request("a bucket cannot be a glob")
            .object(uri)
            .hint("name the bucket; the rest may be a glob"));
    }
    let first = uri.find(GLOB_CHARACTERS).unwrap_or(uri.len());
    let (folder, pattern) = match uri.get(..first).and_then(|head| head.rfind('/')) {
        Some(slash) => (
            uri.get(..slash).map(str::to_owned),
            uri.get(slash..).unwrap_or_default(),
        ),
        None => (None, uri),
    };
    let folder = folder.map(|folder| {
        if folder.is_empty() {
            "/".to_owned()
        } else {
            folder
        }
    });
    let pattern: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty()).collect();
    Ok((folder, pattern.join("/")))
}

async fn find_glob(
    uri: &str,
    location: &Location,
    pattern: &str,
    endings: &[&str],
) -> Result<Found> {
    let glob = Glob::new(pattern).map_err(|error| error.object(uri))?;
    let objects = location.list(glob.literal_start()).await?;
    let all = objects.len();
    let mut example = None;
    let mut hidden = vec![];
    let mut chosen = Vec::new();
    for object in objects {
        match glob.match_of(&object.key, endings) {
            Some(is_candidate) => chosen.push((is_candidate, below(location, object))),
            None => {
                if is_hidden(&object.key) {
                    hidden.push(location.name_of(&object.key));
                }
                example.get_or_insert(object.key);
            }
        }
    }
    if !chosen.is_empty() {
        return Ok(Found {
            objects: input_objects(&location.store, chosen),
            hidden,
            folder: Some(location.clone()),
        });
    }
    // As a shell does: a glob without a match is a plain name.
    if let Ok(named) = find_plain(uri, &location.child(pattern), endings).await {
        return Ok(named);
    }
    let error = Error::no_data("no file matches").object(uri);
    Err(match example {
        Some(example) => error.hint(format!(
            "{} below {} begin like it; the first is {example}",
            count(all),
            location.name()
        )),
        None => {
            let names = location
                .store
                .children(&location.path)
                .await
                .unwrap_or_default();
            error.hint(match names.first() {
                Some(first) => format!(
                    "{} has {} of other names; the first is {first}",
                    location.name(),
                    count(names.len())
                ),
                None => format!("nothing lies in {}", location.name()),
            })
        }
    })
}

async fn find_plain(uri: &str, location: &Location, endings: &[&str]) -> Result<Found> {
    if !location.path.is_empty()
        && !uri.ends_with('/')
        && let Some(object) = location.store.head(&location.path).await?
    {
        return Ok(Found {
            objects: input_objects(&location.store, vec![(false, object)]),
            ..Found::default()
        });
    }
    let objects = location.list("").await?;
    if objects.is_empty() {
        return Err(nothing_found(uri, location).await);
    }
    let all = objects.len();
    let example = objects.first().map(|object| object.key.clone());
    let (hidden, chosen): (Vec<ObjectMeta>, Vec<ObjectMeta>) = objects
        .into_iter()
        .partition(|object| is_hidden(&object.key));
    if chosen.is_empty() {
        // Whoever writes it has not finished, as Spark with its `_temporary`.
        let error = Error::no_data(NONE_OF_A_KNOWN_KIND).object(uri);
        return Err(error.hint(what_is_there(all, endings, example.as_deref())));
    }
    let chosen = chosen
        .into_iter()
        .map(|object| (!has_ending(&object.key, endings), below(location, object)))
        .collect();
    Ok(Found {
        objects: input_objects(&location.store, chosen),
        hidden: hidden
            .iter()
            .map(|object| location.name_of(&object.key))
            .collect(),
        folder: Some(location.clone()),
    })
}

/// The error of a folder without an object that is read; `example` is one that is there.
fn none_of_a_known_kind(uri: &str, all: usize, endings: &[&str], example: Option<&str>) -> Error {
    Error::not_found(NONE_OF_A_KNOWN_KIND)
        .object(uri)
        .hint(what_is_there(all, endings, example))
}

const NONE_OF_A_KNOWN_KIND: &str = "no file in the folder is of a known kind";

fn what_is_there(all: usize, endings: &[&str], example: Option<&str>) -> String {
    let example = example
        .map(|key| format!(", for instance {}", visible_line(key)))
        .unwrap_or_default();
    format!(
        "the folder has {}, none ends with {}{example}",
        count(all),
        endings.join(", ")
    )
}

/// An object below a folder, with its key in the store.
fn below(location: &Location, object: ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        key: location.child(&object.key).path,
        ..object
    }
}

/// The objects with their store, in the byte order of their URIs.
fn input_objects(store: &Arc<dyn Store>, objects: Vec<(bool, ObjectMeta)>) -> Vec<InputObject> {
    let mut found: Vec<InputObject> = objects
        .into_iter()
        .map(
            |(
                is_candidate,
                ObjectMeta {
                    key, size, etag, ..
                },
            )| InputObject {
                uri: store.uri(&key),
                key,
                size,
                etag,
                is_candidate,
                store: Arc::clone(store),
            },
        )
        .collect();
    found.sort_unstable_by(|a, b| a.uri.cmp(&b.uri));
    found
}

/// The error for a place without objects; its hint says what is there instead.
async fn nothing_found(uri: &str, location: &Location) -> Error {
    let (folder, name) = location
        .path
        .rsplit_once('/')
        .unwrap_or(("", &location.path));
    let siblings = location.store.children(folder).await.unwrap_or_default();
    if name.is_empty()
        || siblings
            .iter()
            .any(|sibling| sibling.strip_suffix('/') == Some(name))
    {
        return Error::no_data("the folder is empty")
            .object(uri)
            .hint("name a file, a folder with files, or a glob");
    }
    let above = location.store.uri(folder);
    let names = siblings.iter().map(String::as_str);
    let nearest = suggest::nearest_file(name, names);
    let hint = match (nearest, siblings.len()) {
        (Some(nearest), _) => format!(
            "did you mean {}?",
            location.store.uri(&join(folder, nearest))
        ),
        (None, 0) => format!("nothing lies in {above} either"),
        (None, names) => format!("{above} has {}, none of a similar name", count(names)),
    };
    let what = "there is no such file or folder";
    let error = match location.store.has_folders() {
        true => Error::not_found(what),
        false => Error::no_data(what),
    };
    error.object(uri).hint(hint)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

fn count(files: usize) -> String {
    if files == 1 {
        "1 file".to_owned()
    } else {
        format!("{files} files")
    }
}

fn is_hidden(key: &str) -> bool {
    key.split('/').any(|part| part.starts_with(['.', '_']))
}

fn has_ending(key: &str, endings: &[&str]) -> bool {
    let key = key.to_ascii_lowercase();
    endings
        .iter()
        .any(|ending| key.ends_with(&ending.to_ascii_lowercase()))
}

/// A glob over keys.
struct Glob {
    pattern: String,
    matcher: GlobMatcher,
    names_hidden: bool,
}

impl Glob {
    fn new(pattern: &str) -> Result<Self> {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .empty_alternates(true)
            .build()
            .map_err(|error| {
                Error::request("the glob cannot be read")
                    .source(error)
                    .hint("quote [, { and * with a \\ before them if they are part of a name")
            })?;
        Ok(Self {
            pattern: pattern.to_owned(),
            matcher: glob.compile_matcher(),
            names_hidden: is_hidden(pattern),
        })
    }

    /// What every match begins with: only keys that begin so are listed.
    fn literal_start(&self) -> &str {
        self.pattern
            .split(['*', '?', '[', '{', '\\'])
            .next()
            .unwrap_or_default()
    }

    /// Whether the object is matched, or lies in a folder that is matched; if it is, whether it is a
    /// candidate only.
    fn match_of(&self, key: &str, endings: &[&str]) -> Option<bool> {
        if is_hidden(key) && !self.names_hidden {
            return None;
        }
        if self.matcher.is_match(key) {
            return Some(self.pattern.ends_with('*') && !has_ending(key, endings));
        }
        let lies_below = key.match_indices('/').any(|(at, _)| {
            let (folder, below) = key.split_at(at);
            self.matcher.is_match(folder) && !is_hidden(below.trim_start_matches('/'))
        });
        lies_below.then(|| !has_ending(key, endings))
    }
}

#[cfg(test)]
mod tests;
