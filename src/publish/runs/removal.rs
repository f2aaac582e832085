//! How runs that are no longer read are removed while others publish.
//!
//! Two things must never happen: that a manifest names files that somebody removes, and that a reader
//! who holds a manifest loses its files in the middle of them. Neither can be had by one request, for
//! no store removes an object on the condition that another one still says something. So:
//!
//! - **Readers have time.** Only a run that no manifest has named for [`GRACE`] is removed: the manifest
//!   that is replaced stood so long, or its own publisher was about to remove the run.
//! - **Publishers have time.** Only a run whose files are all older than [`GRACE`] is removed, so none
//!   that somebody is uploading.
//! - **A removal is announced.** The new manifest lists the run as `retired`, and removing begins when it
//!   stands. It goes on only while that very manifest stands, and ends [`REMOVAL`] after it was written.
//!   Who wants to publish a run finds it on the list, since the manifest that it replaces is the one that
//!   stands, and waits until [`SETTLED`] after it. A manifest that follows sooner takes over the list.
//!
//! All ages are told by the store's own clock. A store that tells none keeps all runs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;

use super::super::manifest::{MANIFEST, Manifest, is_run_id, run_folder};
use super::current_manifest;
use crate::error::{Error, Result};
use crate::publish::tables::is_table_file;
use crate::store::{Location, ObjectMeta};

/// How long the files of a run stay after they were written, and after the last manifest that named
/// the run was replaced.
pub(super) const GRACE: Duration = Duration::from_secs(3600);

/// For so long after its manifest was written, its publisher removes the runs that it retired.
const REMOVAL: Duration = Duration::from_secs(60);

/// By then the last removal has been carried out, one whose answer was long in coming included.
const SETTLED: Duration = Duration::from_secs(180);

/// From one look at the manifest to the next while a removal goes on.
const PAUSE: Duration = match cfg!(test) {
    true => Duration::ZERO,
    false => Duration::from_secs(2),
};

/// How often it is looked at: for a quarter of an hour, in which others may have published.
const LOOKS: u32 = 450;

/// The manifest that is in place, with its content and tag.
pub(super) struct StandingManifest {
    pub(super) found: Option<(Bytes, String)>,
    pub(super) manifest: Option<Manifest>,
}

/// The manifest that is in place, once nobody removes the run with this id any more.
pub(super) async fn settled_manifest(
    night: &Location,
    id: &str,
    warnings: &mut Vec<String>,
) -> Result<StandingManifest> {
    for _ in 0..LOOKS {
        let found = night.find(MANIFEST).await?;
        let manifest = current_manifest(night, found.as_ref(), warnings)?;
        let is_retired = manifest
            .as_ref()
            .is_some_and(|manifest| manifest.retired.iter().any(|retired| retired == id));
        if !is_retired || !is_younger_than(SETTLED, night.head(MANIFEST).await?.as_ref()) {
            return Ok(StandingManifest { found, manifest });
        }
        if !PAUSE.is_zero() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    Err(
        Error::conflict(format!("other publishers go on removing the run {id}"))
            .object(night.name_of(MANIFEST))
            .hint("publish a night from one place at a time"),
    )
}

/// Whether the store says that an object is not yet so old.
fn is_younger_than(age: Duration, object: Option<&ObjectMeta>) -> bool {
    object
        .and_then(|object| object.age)
        .is_some_and(|found| found < age)
}

/// The runs that may be removed once a manifest is in place that follows `current` and names the runs
/// in `named`. `listed` is the night's folder.
pub(super) fn removable(
    named: [Option<&str>; 2],
    current: &Manifest,
    listed: &[ObjectMeta],
) -> BTreeSet<String> {
    let has_stood = age_of_manifest(listed).is_some_and(|age| age >= GRACE);
    let mut youngest: BTreeMap<&str, Duration> = BTreeMap::new();
    for object in listed {
        let folder = object.key.strip_prefix("run=").unwrap_or_default();
        if let Some((id, _)) = folder.split_once('/')
            && is_run_id(id)
            && !named.contains(&Some(id))
        {
            let age = object.age.unwrap_or_default();
            let so_far = youngest.entry(id).or_insert(age);
            *so_far = age.min(*so_far);
        }
    }
    youngest
        .into_iter()
        .filter(|(id, age)| {
            *age >= GRACE && (has_stood || current.retired.iter().any(|retired| retired == id))
        })
        .map(|(id, _)| id.to_owned())
        .collect()
}

/// Whether the publisher of a manifest may still be removing the runs that it retired.
pub(super) fn may_be_removing(listed: &[ObjectMeta]) -> bool {
    age_of_manifest(listed).is_some_and(|age| age < SETTLED)
}

fn age_of_manifest(listed: &[ObjectMeta]) -> Option<Duration> {
    listed
        .iter()
        .find(|object| object.key == MANIFEST)
        .and_then(|object| object.age)
}

/// Removes the files of runs that the manifest with this tag has retired, as long as it stands and is
/// new. What is left then, a later publisher removes.
pub(super) async fn remove(
    night: &Location,
    tag: &str,
    removable: &BTreeSet<String>,
) -> Result<()> {
    for id in removable {
        let folder = format!("{}/", run_folder(id));
        for object in night.list(&folder).await? {
            let file = object.key.strip_prefix(&folder).unwrap_or_default();
            // Nothing else is okuo's to remove.
            if !is_table_file(file) {
                continue;
            }
            let standing = night.head(MANIFEST).await?;
            let is_own = standing.as_ref().is_some_and(|found| found.etag == tag);
            if !is_own || !is_younger_than(REMOVAL, standing.as_ref()) {
                return Ok(());
            }
            night.delete(&object.key).await?;
        }
    }
    Ok(())
}
