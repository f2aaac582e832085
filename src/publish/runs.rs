//! Runs: one night's tables, made visible by one manifest.
//!
//! Publishing is: tables into the folder of their run; then the manifest, by one conditional put;
//! then, with the new manifest standing, what is no longer named is removed. So a reader who
//! follows the manifest sees one whole run, whenever a publisher stops.
//!
//! Removing must not hit a run that another publisher is just uploading, before its manifest
//! stands. So a folder that no manifest names is first put on the manifest's list of retired runs,
//! and removed only by a later publish that finds it there.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::manifest::{
    MANIFEST, Manifest, ManifestInput, ModelReference, Table, is_run_id, night_folder, run_folder,
    run_id,
};
use super::{ATTEMPTS, manifest, replacing, to_json};
use crate::calendar::AsOf;
use crate::domain::Funnel;
use crate::error::{Error, Kind, Result};
use crate::publish::tables::{TableFile, parquet_rows};
use crate::store::sha256_hex;
use crate::store::{Location, ObjectMeta, PutMode};

#[cfg(test)]
mod tests;

/// What is published for one night.
#[derive(Debug, Clone)]
pub struct Run {
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
    /// Lines read, kept, and dropped by cause.
    pub lines: serde_json::Value,
    /// How many customers pass each part of the rule.
    pub funnel: Funnel,
}

/// What publishing did.
#[derive(Debug, Clone)]
pub struct Published {
    /// The manifest that stood when it was done.
    pub manifest: Manifest,
    /// The manifest's name, for messages.
    pub name: String,
    /// What went wrong after the run had become visible: an old run that could not be removed.
    pub warnings: Vec<String>,
}

/// Publishes a night below `output`. The same run again changes nothing and repairs what is
/// missing; of two publishers of the same night, the last to write its manifest wins.
///
/// # Errors
/// If the store fails, another okuo's newer manifest stands there, or other publishers keep
/// winning. The former run then still stands.
pub async fn publish_run(output: &Location, run: &Run) -> Result<Published> {
    let night = output.child(&night_folder(run.as_of));
    let id = run_id(&run.tables);
    let mut warnings = Vec::new();
    for _ in 0..ATTEMPTS {
        // The manifest is read before the tables are looked at: whatever changes after that makes
        // the put below fail.
        let found = night.find(MANIFEST).await?;
        let standing = match &found {
            None => None,
            Some((content, _)) => match Manifest::read(&night.name_of(MANIFEST), content) {
                Ok(manifest) => Some(manifest),
                Err(error) if error.kind() == Kind::Input => {
                    warnings = vec![format!(
                        "the manifest that stood there is replaced: {error}"
                    )];
                    None
                }
                Err(error) => return Err(error),
            },
        };
        let listed = night.list("run=").await?;
        upload(&night, run, &id, &listed).await?;
        let (manifest, doomed) = succeed(run, &id, standing.as_ref(), &listed);
        let content = to_json("the manifest", &manifest)?;
        let stands = found.as_ref().is_some_and(|(before, _)| *before == content);
        if !stands {
            let mode = replacing(found.as_ref().map(|(_, tag)| tag.as_str()));
            match night.put(MANIFEST, content, mode).await {
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Conflict => continue,
                Err(error) => return Err(error),
            }
            // A publisher that retired this very run may have removed it while it was being
            // published again.
            upload(
                &night,
                run,
                &id,
                &night.list(&format!("{}/", run_folder(&id))).await?,
            )
            .await?;
        }
        if let Err(error) = remove(&night, &doomed).await {
            warnings.push(format!(
                "the run is published, but an older one could not be removed: {error}"
            ));
        }
        return Ok(Published {
            manifest,
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

/// Writes the tables that are not there yet as they should be.
async fn upload(night: &Location, run: &Run, id: &str, listed: &[ObjectMeta]) -> Result<()> {
    for table in &run.tables {
        let key = format!("{}/{}", run_folder(id), table.file);
        let same_size = listed
            .iter()
            .any(|object| object.key == key && object.size == table.content.len() as u64);
        if same_size
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

/// The manifest that follows the standing one, and the runs that may be removed once it stands.
fn succeed(
    run: &Run,
    id: &str,
    standing: Option<&Manifest>,
    listed: &[ObjectMeta],
) -> (Manifest, Vec<String>) {
    let again = standing.filter(|standing| standing.run_id == id);
    let previous = match again {
        Some(standing) => standing.previous.clone(),
        None => standing.map(|standing| standing.run_id.clone()),
    };
    let stays = |other: &String| other != id && Some(other) != previous.as_ref();
    let found = listed
        .iter()
        .filter_map(|object| object.key.strip_prefix("run=")?.split_once('/'))
        .map(|(run, _)| run.to_owned());
    let found: BTreeSet<String> = found.filter(|run| is_run_id(run) && stays(run)).collect();
    let known = |other: &&String| {
        standing.is_some_and(|standing| {
            standing.retired.contains(other) || standing.previous.as_ref() == Some(*other)
        })
    };
    let doomed = found.iter().filter(known).cloned().collect();
    let retired = match again {
        Some(standing) => standing.retired.clone(),
        None => found.into_iter().collect(),
    };
    let table = |table: &TableFile| Table {
        path: format!("{}/{}", run_folder(id), table.file),
        rows: table.rows,
        sha256: sha256_hex(&table.content),
        bytes: table.content.len() as u64,
    };
    let manifest = Manifest {
        format: manifest::FORMAT,
        as_of: run.as_of,
        run_id: id.to_owned(),
        previous,
        retired,
        okuo_version: env!("CARGO_PKG_VERSION").to_owned(),
        model: run.model.clone(),
        tables: run
            .tables
            .iter()
            .map(|file| (file.name.clone(), table(file)))
            .collect(),
        config: run.config.clone(),
        inputs: run.inputs.clone(),
        lines: run.lines.clone(),
        funnel: run.funnel.clone(),
    };
    (manifest, doomed)
}

/// Removes runs, except one that the manifest which stands now names: another publisher may have
/// published it again, so this is asked before each object. Between that question and the removal
/// one request's time remains; a run that is hit then is reported by its readers, and whole again
/// once it is published again.
async fn remove(night: &Location, doomed: &[String]) -> Result<()> {
    for id in doomed {
        for object in night.list(&format!("{}/", run_folder(id))).await? {
            let Some((content, _)) = night.find(MANIFEST).await? else {
                return Ok(());
            };
            let standing = Manifest::read(&night.name_of(MANIFEST), &content)?;
            if standing.run_id == *id || standing.previous.as_ref() == Some(id) {
                break;
            }
            night.delete(&object.key).await?;
        }
    }
    Ok(())
}

/// A published night: its manifest and the files of its tables, by name, as the manifest says they
/// are.
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
            // The same manifest has failed before: it is not a run that was replaced while it was
            // read.
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
    for (name, table) in &manifest.tables {
        let wrong = |what: String| {
            Error::input(format!("the manifest's table {name} {what}"))
                .object(night.name_of(&table.path))
                .hint("publish the night again")
        };
        let (content, _) = night
            .find(&table.path)
            .await?
            .ok_or_else(|| wrong("is missing".to_owned()))?;
        let checksum = sha256_hex(&content);
        if checksum != table.sha256 {
            return Err(wrong(format!(
                "is damaged: its SHA-256 is {checksum}, not {}",
                table.sha256
            )));
        }
        if table.path.ends_with(".parquet") {
            let rows = parquet_rows(&night.name_of(&table.path), &content)?;
            if rows != table.rows {
                return Err(wrong(format!("has {rows} rows, not {}", table.rows)));
            }
        }
        tables.insert(name.clone(), content);
    }
    Ok(tables)
}
