//! The manifest of a night: which files are its tables, and what they were made from.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::calendar::AsOf;
use crate::domain::Funnel;
use crate::error::{Error, Result};
use crate::guards::Warning;
use crate::publish::tables::TableFile;
use crate::record::Measured;
use crate::store::sha256_hex;

/// The file name of a night's manifest.
pub const MANIFEST: &str = "manifest.json";

/// The newest manifest format that this okuo writes and reads.
pub const FORMAT: u32 = 1;

/// What the readers of a night follow. It holds no time of day. What was measured is compared with
/// nothing: publishing the same night again leaves the manifest that stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this file.
    pub format: u32,
    /// The night T.
    pub as_of: AsOf,
    /// The id of the run, made of the checksums of its tables.
    pub run_id: String,
    /// The run before this one, which stays for readers in the middle of it.
    pub previous: Option<String>,
    /// Runs that are no longer read: whoever wrote this manifest removes them while it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<String>,
    /// The okuo that made the run.
    pub okuo_version: String,
    /// The model that predicted.
    pub model: ModelReference,
    /// The tables by name.
    pub tables: BTreeMap<String, TableEntry>,
    /// The configuration in force, without credentials.
    pub config: serde_json::Value,
    /// The objects that were read.
    pub inputs: Vec<ManifestInput>,
    /// Lines read, kept and dropped, by cause.
    pub lines: serde_json::Value,
    /// How many customers pass each part of the recurrence rule.
    pub funnel: Funnel,
    /// What the run warned of.
    #[serde(default)]
    pub warnings: Vec<Warning>,
    /// What the guards said of the feed; `None` in manifests of earlier versions of okuo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guards: Option<GuardRecord>,
    /// Which okuo published the run, and what it took up to the publishing; `None` in manifests of
    /// earlier versions of okuo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// What the guards said of a published night.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GuardRecord {
    /// Whether the feed was judged.
    pub enabled: bool,
    /// Whether breaches were overruled with `--force`.
    pub forced: bool,
    /// The breaches that were overruled.
    pub breaches: Vec<Warning>,
}

/// One table of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Its path, relative to the manifest.
    pub path: String,
    /// How many rows it has.
    pub rows: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The model of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelReference {
    /// The model's id.
    pub id: String,
    /// SHA-256 of the model's body, in hexadecimal ([`crate::artifact::ModelHeader::body_sha256`]).
    pub sha256: String,
}

/// One object that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestInput {
    /// Its name: a path or an `s3://` URI.
    pub object: String,
    /// Size in bytes.
    pub size: u64,
    /// Its tag in the store.
    pub etag: String,
}

/// The folder of a night.
#[must_use]
pub fn night_folder(as_of: AsOf) -> String {
    format!("as_of={as_of}")
}

/// The folder of a run below its night's.
#[must_use]
pub fn run_folder(run_id: &str) -> String {
    format!("run={run_id}")
}

/// The id of the run with these tables: the first 12 hexadecimal digits of the SHA-256 over their
/// names and checksums.
#[must_use]
pub fn run_id(tables: &[TableFile]) -> String {
    let mut lines: Vec<String> = tables
        .iter()
        .map(|table| format!("{} {}\n", table.file, sha256_hex(&table.content)))
        .collect();
    lines.sort_unstable();
    sha256_hex(lines.concat().as_bytes())
        .chars()
        .take(RUN_ID_DIGITS)
        .collect()
}

const RUN_ID_DIGITS: usize = 12;

/// Whether a text has the form of a run id. No other text is used in a key.
#[must_use]
pub fn is_run_id(text: &str) -> bool {
    text.len() == RUN_ID_DIGITS
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Manifest {
    /// Whether it says the same as another one, but for what was measured.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let unmeasured = |manifest: &Self| Self {
            measured: None,
            ..manifest.clone()
        };
        unmeasured(self) == unmeasured(other)
    }

    /// Reads a manifest; `name` names it in messages.
    ///
    /// # Errors
    /// If it is not a manifest, is of a newer format, or names files outside its run.
    pub fn read(name: &str, content: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let version: Version = parse(name, content)?;
        if version.format != FORMAT {
            return Err(Error::request(format!(
                "the manifest has format {}; this okuo reads {FORMAT}",
                version.format
            ))
            .object(name)
            .hint("use the okuo that wrote it or a newer one"));
        }
        let manifest: Self = parse(name, content)?;
        manifest.check(name)?;
        Ok(manifest)
    }

    /// Refuses ids and paths that could lead out of the night's folder.
    fn check(&self, name: &str) -> Result<()> {
        let named = std::iter::once(&self.run_id)
            .chain(&self.previous)
            .chain(&self.retired);
        if let Some(id) = named.into_iter().find(|id| !is_run_id(id)) {
            return Err(invalid(name, &format!("\"{id}\" is not a run id")));
        }
        let folder = format!("{}/", run_folder(&self.run_id));
        for table in self.tables.values() {
            let file = table.path.strip_prefix(&folder).unwrap_or_default();
            if file.is_empty() || file.starts_with('.') || file.contains(['/', '\\']) {
                let what = format!("the path \"{}\" is not a file in {folder}", table.path);
                return Err(invalid(name, &what));
            }
        }
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(name: &str, content: &[u8]) -> Result<T> {
    serde_json::from_slice(content)
        .map_err(|error| invalid(name, "it is not a manifest").source(error))
}

fn invalid(name: &str, what: &str) -> Error {
    Error::input(what)
        .object(name)
        .hint("publish the night again with `okuo score`")
}
