//! Runs: one night's tables, made visible by one manifest.
//!
//! Publishing takes three steps: the tables are put into the folder of their run; the manifest is
//! put, by one conditional put; then, once the new manifest is in place, runs that were not named for
//! long are removed (`removal`). So a reader who follows the manifest sees one whole run, whenever a
//! publisher stops, and however many there are.

mod removal;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::manifest::{
    GuardRecord, MANIFEST, Manifest, ManifestInput, ModelReference, TableEntry, night_folder,
    run_folder, run_id,
};
use super::{manifest, replacing, to_json};
use crate::calendar::AsOf;
use crate::domain::Funnel;
use crate::error::{Error, Kind, Result};
use crate::guards::{PublishedNight, Warning};
use crate::publish::parquet::row_count;
use crate::publish::tables::TableFile;
use crate::record::Measured;
use crate::recurrence::Rule;
use crate::store::{Location, ObjectMeta, PutMode, sha256_hex};
use removal::{StandingManifest, may_be_removing, removable, remove, settled_manifest};

#[cfg(test)]
mod tests;

/// How often the manifest is written anew after another publisher of the same night has won: more often
/// than there are others.
const ATTEMPTS: usize = 64;

/// Days in which the last published night is looked for.
const WEEK: i32 = 7;

/// What is published for one night.
#[derive(Debug, Clone)]
pub struct NightRun {
    /// The night T.
    pub as_of: AsOf,
    /// The model that predicted.
    pub model: ModelReference,
    /// The tables.
    pub tables: Vec<TableFile>,
    /// The configuration in force, without credentials.
    pub config: serde_json::Value,
    /// The objects that were read.
    pub inputs: Vec<ManifestInput>,
    /// Lines read, kept and dropped, by cause.
    pub lines: serde_json::Value,
    /// How many customers pass each part of the recurrence rule.
    pub funnel: Funnel,
    /// What the run warned of.
    pub warnings: Vec<Warning>,
    /// What the guards said of the feed.
    pub guards: GuardRecord,
    /// Which okuo it is, and what it took up to here.
    pub measured: Option<Measured>,
}

/// What publishing did.
#[derive(Debug, Clone)]
pub struct Published {
    /// The manifest that is in place now.
    pub manifest: Manifest,
    /// The manifest's name, for messages.
    pub name: String,
    /// What did not prevent publishing: a damaged manifest that was replaced, an old run that could
    /// not be removed.
    pub warnings: Vec<String>,
}

/// Publishes a night below `output`. Publishing the same run again changes nothing and repairs what
/// is missing. Of two publishers of the same night, the last to write its manifest wins.
///
/// # Errors
/// If the store fails, there is a manifest of a newer okuo, or other publishers keep
/// winning. The former run then stays published.
pub async fn publish_run(output: &Location, run: &NightRun) -> Result<Published> {
    publish_in(output.child(&night_folder(run.as_of)), run).await
}

/// As [`publish_run`], in a folder: a night's, or a plan's.
///
/// # Errors
/// As [`publish_run`].
pub async fn publish_in(night: Location, run: &NightRun) -> Result<Published> {
    let id = run_id(&run.tables);
    let mut warnings = Vec::new();
    for _ in 0..ATTEMPTS {
        // The manifest is read before the tables are looked at: if anything changes after that, the
        // put below fails.
        let StandingManifest {
            found,
            manifest: current,
        } = settled_manifest(&night, &id, &mut warnings).await?;
        let listed = night.list("").await?;
        upload(&night, run, &id, &listed).await?;
        let (manifest, removable) = next_manifest(run, &id, current.as_ref(), &listed);
        let standing = current.filter(|current| current.is_same(&manifest));
        if standing.is_none() || !removable.is_empty() {
            let content = to_json("the manifest", &manifest)?;
            let mode = replacing(found.as_ref().map(|(_, tag)| tag.as_str()));
            let tag = match night.put(MANIFEST, content, mode).await {
                Ok(tag) => tag,
                Err(error) if error.kind() == Kind::Conflict => continue,
                Err(error) => return Err(error),
            };
            restore(&night, run, &id).await?;
            if let Err(error) = remove(&night, &tag, &removable).await {
                warnings.push(format!(
                    "the run is published, but an older one could not be removed: {error}"
                ));
            }
        }
        return Ok(Published {
            manifest: standing
                .filter(|_| removable.is_empty())
                .unwrap_or(manifest),
            name: night.name_of(MANIFEST),
            warnings,
        });
    }
    Err(Error::conflict(format!(
        "other publishers of the same night won {ATTEMPTS} times"
    ))
    .object(night.name_of(MANIFEST))
    .hint("publish a night from one place at a time"))
}

/// The manifest that is in place, if there is one that can be read. A damaged one will be replaced,
/// which is a warning.
fn current_manifest(
    night: &Location,
    found: Option<&(Bytes, String)>,
    warnings: &mut Vec<String>,
) -> Result<Option<Manifest>> {
    let Some((content, _)) = found else {
        return Ok(None);
    };
    match Manifest::read(&night.name_of(MANIFEST), content) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(error) if error.kind() == Kind::Input => {
            *warnings = vec![format!(
                "the former manifest cannot be read and is replaced: {error}"
            )];
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes the tables that are not there yet as they should be.
async fn upload(night: &Location, run: &NightRun, id: &str, listed: &[ObjectMeta]) -> Result<()> {
    for table in &run.tables {
        let key = format!("{}/{}", run_folder(id), table.file);
        if is_listed(listed, &key, table)
            && night
                .find(&key)
                .await?
                .is_some_and(|(content, _)| content == table.content)
        {
            continue;
        }
        night
            .put(&key, table.content.clone(), PutMode::Overwrite)
            .await?;
    }
    Ok(())
}

fn is_listed(listed: &[ObjectMeta], key: &str, table: &TableFile) -> bool {
    listed
        .iter()
        .any(|object| object.key == key && object.size == table.content.len() as u64)
}

/// Writes tables that have vanished since they were written: this process may have slept for longer
/// than any publisher waits for another one.
async fn restore(night: &Location, run: &NightRun, id: &str) -> Result<()> {
    let listed = night.list(&format!("{}/", run_folder(id))).await?;
    for table in &run.tables {
        let key = format!("{}/{}", run_folder(id), table.file);
        if !is_listed(&listed, &key, table) {
            night
                .put(&key, table.content.clone(), PutMode::Overwrite)
                .await?;
        }
    }
    Ok(())
}

/// The manifest that follows the current one, and the ids of the runs that may be removed once it
/// is in place.
fn next_manifest(
    run: &NightRun,
    id: &str,
    current: Option<&Manifest>,
    listed: &[ObjectMeta],
) -> (Manifest, BTreeSet<String>) {
    let again = current.filter(|current| current.run_id == id);
    let previous = match again {
        Some(current) => current.previous.clone(),
        None => current.map(|current| current.run_id.clone()),
    };
    let named = [Some(id), previous.as_deref()];
    let removable = current
        .map(|current| removable(named, current, listed))
        .unwrap_or_default();
    let mut retired = removable.clone();
    if let Some(current) = current
        && (again.is_some() || may_be_removing(listed))
    {
        let still = current.retired.iter().cloned();
        retired.extend(still.filter(|other| !named.contains(&Some(other.as_str()))));
    }
    let tables = run.tables.iter().map(|table| table_entry(id, table));
    let manifest = Manifest {
        format: manifest::FORMAT,
        as_of: run.as_of,
        run_id: id.to_owned(),
        retired: retired.into_iter().collect(),
        previous,
        okuo_version: env!("CARGO_PKG_VERSION").to_owned(),
        model: run.model.clone(),
        tables: tables.collect(),
        config: run.config.clone(),
        inputs: run.inputs.clone(),
        lines: run.lines.clone(),
        funnel: run.funnel.clone(),
        warnings: run.warnings.clone(),
        guards: Some(run.guards.clone()),
        measured: run.measured.clone(),
    };
    (manifest, removable)
}

/// A table under its name in the manifest.
fn table_entry(run_id: &str, table: &TableFile) -> (String, TableEntry) {
    let entry = TableEntry {
        path: format!("{}/{}", run_folder(run_id), table.file),
        rows: table.rows,
        sha256: sha256_hex(&table.content),
        bytes: table.content.len() as u64,
    };
    (table.name.clone(), entry)
}

/// The last night before `as_of` that was published in the week before it, by the same rule, with
/// how many customers were recurrent. A manifest that cannot be read is none.
///
/// # Errors
/// If the store fails.
pub async fn night_before(
    output: &Location,
    as_of: AsOf,
    rule: &Rule,
) -> Result<Option<PublishedNight>> {
    let rule = serde_json::to_value(rule).unwrap_or_default();
    for days in 1..=WEEK {
        let before = AsOf(as_of.day() - days);
        let night = output.child(&night_folder(before));
        let Some((content, _)) = night.find(MANIFEST).await? else {
            continue;
        };
        let manifest = Manifest::read(&night.name_of(MANIFEST), &content).ok();
        let same = manifest.filter(|manifest| manifest.config.get("rule") == Some(&rule));
        if let Some(manifest) = same {
            return Ok(Some(PublishedNight {
                as_of: before,
                recurrent: manifest.funnel.recurrent,
            }));
        }
    }
    Ok(None)
}

/// All nights that have a manifest, the oldest first.
///
/// # Errors
/// If the store fails.
pub async fn published_nights(output: &Location) -> Result<Vec<AsOf>> {
    let found = output.list("as_of=").await?;
    let nights = found.iter().filter_map(|object| {
        let (folder, file) = object.key.split_once('/')?;
        let night = folder.strip_prefix("as_of=")?.parse().ok()?;
        (file == MANIFEST && folder == night_folder(night)).then_some(night)
    });
    let mut nights: Vec<AsOf> = nights.collect();
    nights.sort_unstable();
    Ok(nights)
}

/// The manifest of a night that is published whole: each of its tables is there and is what the
/// manifest says. A manifest that cannot be read is none.
///
/// # Errors
/// If the store fails.
pub async fn standing_run(output: &Location, as_of: AsOf) -> Result<Option<Manifest>> {
    let night = output.child(&night_folder(as_of));
    let Some((content, _)) = night.find(MANIFEST).await? else {
        return Ok(None);
    };
    let read = Manifest::read(&night.name_of(MANIFEST), &content).ok();
    let Some(manifest) = read.filter(|manifest| manifest.as_of == as_of) else {
        return Ok(None);
    };
    match read_tables(&night, &manifest).await {
        Ok(_) => Ok(Some(manifest)),
        Err(error) if error.kind() == Kind::Input => Ok(None),
        Err(error) => Err(error),
    }
}

/// A published night: its manifest, and the files of its tables by name, which are as the manifest
/// says.
///
/// # Errors
/// If the night is not published ([`Kind::NotFound`]), or a table is missing, damaged, or does not
/// have its rows.
pub async fn read_run(
    output: &Location,
    as_of: AsOf,
) -> Result<(Manifest, BTreeMap<String, Bytes>)> {
    let night = output.child(&night_folder(as_of));
    let mut failed: Option<(Bytes, Error)> = None;
    loop {
        let Some((content, _)) = night.find(MANIFEST).await? else {
            return Err(Error::not_found(format!("no run is published for {as_of}"))
                .object(night.name_of(MANIFEST))
                .hint(format!("publish it with `okuo score --as-of {as_of}`")));
        };
        match failed.take() {
            // The manifest is still the one that failed before, so its run was not replaced while
            // it was read.
            Some((before, error)) if before == content => return Err(error),
            _ => {}
        }
        let manifest = Manifest::read(&night.name_of(MANIFEST), &content)?;
        if manifest.as_of != as_of {
            return Err(
                Error::input(format!("it is the manifest of {}", manifest.as_of))
                    .object(night.name_of(MANIFEST)),
            );
        }
        match read_tables(&night, &manifest).await {
            Ok(tables) => return Ok((manifest, tables)),
            Err(error) => failed = Some((content, error)),
        }
    }
}

async fn read_tables(night: &Location, manifest: &Manifest) -> Result<BTreeMap<String, Bytes>> {
    let mut tables = BTreeMap::new();
    for (name, entry) in &manifest.tables {
        let object = night.name_of(&entry.path);
        let Some((content, _)) = night.find(&entry.path).await? else {
            return Err(wrong_table(name, &object, "is missing"));
        };
        check_table(name, &object, entry, &content)?;
        tables.insert(name.clone(), content);
    }
    Ok(tables)
}

/// Compares a table with what the manifest says of it.
pub(super) fn check_table(
    name: &str,
    object: &str,
    entry: &TableEntry,
    content: &Bytes,
) -> Result<()> {
    let checksum = sha256_hex(content);
    if checksum != entry.sha256 {
        let what = format!(
            "is damaged: its SHA-256 is {checksum}, not {}",
            entry.sha256
        );
        return Err(wrong_table(name, object, &what));
    }
    if entry.path.ends_with(".parquet") {
        let rows = row_count(object, content)?;
        if rows != entry.rows {
            let what = format!("has {rows} rows, not {}", entry.rows);
            return Err(wrong_table(name, object, &what));
        }
    }
    Ok(())
}

fn wrong_table(name: &str, object: &str, what: &str) -> Error {
    Error::input(format!("the manifest's table {name} {what}"))
        .object(object)
        .hint("publish the night again")
}
