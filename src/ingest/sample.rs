//! The first rows of an object, as a person would see them in a viewer: what `okuo init` looks at.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::path_columns::PathColumns;
use super::source::Source;
use super::tables::{NoTable, SourceTables};
use super::{InputOptions, formats, pipeline};
use crate::error::Result;
use crate::store::InputObject;

/// The first rows of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableSample {
    /// The columns' names, in their order; `#1`, `#2`, … where there is no header.
    pub columns: Vec<String>,
    /// For each column, whether its type is that of an instant, a date and so on, in words; empty
    /// where the format has no types.
    pub types: Vec<String>,
    /// The rows, each with as many cells as there are columns; `None` is a null.
    pub rows: Vec<Vec<Option<String>>>,
    /// What to do if columns are missing that may be within the values of another one, which are
    /// lists or objects.
    pub nested: Option<String>,
    /// What was noticed, in words for a person: the format, the encoding, the separator.
    pub notes: Vec<String>,
}

/// What was looked at of an object.
#[derive(Debug)]
pub struct ObjectSample {
    /// The object's name.
    pub object: String,
    /// Whether nobody named it as a table: it lies in a folder, and its name does not tell.
    pub is_candidate: bool,
    /// Its first rows, or why they cannot be read. `None` if it was not looked at, because there
    /// are many objects.
    pub sample: Option<Result<TableSample>>,
}

/// At most so many objects are looked at: small ones, and large ones.
const SMALL_OBJECTS: usize = 200;
const LARGE_OBJECTS: usize = 40;

/// How many bytes a small object has on the average at most.
const SMALL: u64 = 1 << 20;

/// How many objects are looked at side by side.
const AT_A_TIME: usize = 8;

/// Fewest rows that are looked at of an object.
const FEWEST_ROWS: usize = 50;

/// Looks at the objects that the URIs name, in the order of their names: at `rows` rows, spread over
/// them. Columns in an object's path are among its columns, the last ones.
///
/// # Errors
/// If nothing matches a URI, or a place cannot be read.
pub async fn sample(
    uris: &[String],
    options: &InputOptions,
    rows: usize,
) -> Result<Vec<ObjectSample>> {
    let found = pipeline::find(uris, &formats::endings(formats::FORMATS))
        .await?
        .objects;
    let bytes: u64 = found.iter().map(|object| object.size).sum();
    let most = match bytes / (found.len() as u64).max(1) {
        ..=SMALL => SMALL_OBJECTS,
        _ => LARGE_OBJECTS,
    };
    let step = found.len().div_ceil(most).max(1);
    let looked_at = found.len().div_ceil(step).max(1);
    let rows = (rows / looked_at).max(FEWEST_ROWS);
    let last = found.len().saturating_sub(1);
    let options = Arc::new(options.clone());
    let samples = found.into_iter().enumerate().map(|(at, object)| {
        let options = Arc::clone(&options);
        let is_looked_at = at % step == 0 || at == last;
        async move {
            if is_looked_at {
                look_at(object, options, rows).await
            } else {
                vec![ObjectSample::unseen(object)]
            }
        }
    });
    let samples: Vec<Vec<ObjectSample>> = stream::iter(samples).buffered(AT_A_TIME).collect().await;
    Ok(without_other_candidates(
        samples.into_iter().flatten().collect(),
    ))
}

impl ObjectSample {
    fn unseen(object: InputObject) -> Self {
        Self {
            object: object.uri,
            is_candidate: object.is_candidate,
            sample: None,
        }
    }

    fn columns(&self) -> Option<BTreeSet<&String>> {
        match &self.sample {
            Some(Ok(sample)) => Some(sample.columns.iter().collect()),
            _ => None,
        }
    }
}

/// Leaves out what nobody named as a table and has not the columns of one that was named.
fn without_other_candidates(mut samples: Vec<ObjectSample>) -> Vec<ObjectSample> {
    let named: Vec<BTreeSet<String>> = samples
        .iter()
        .filter(|sample| !sample.is_candidate)
        .filter_map(ObjectSample::columns)
        .map(|columns| columns.into_iter().cloned().collect())
        .collect();
    if named.is_empty() {
        return samples;
    }
    samples.retain(|sample| {
        let columns = sample.columns().unwrap_or_default();
        !sample.is_candidate
            || named
                .iter()
                .any(|known| known.iter().collect::<BTreeSet<_>>() == columns)
    });
    samples
}

/// Looks at an object, or at each table of an archive.
async fn look_at(
    object: InputObject,
    options: Arc<InputOptions>,
    rows: usize,
) -> Vec<ObjectSample> {
    let (name, is_candidate) = (object.uri.clone(), object.is_candidate);
    let seen = |object: String, sample: Result<TableSample>| ObjectSample {
        object,
        is_candidate,
        sample: Some(sample),
    };
    if is_candidate && NoTable::by_name(&name).is_some() {
        return vec![];
    }
    match tables_of(object, options, rows).await {
        Ok(tables) => tables
            .into_iter()
            .map(|(table, sample)| seen(table, sample))
            .collect(),
        Err(error) => vec![seen(name, Err(error))],
    }
}

/// A sample of each table of an object, with the table's name.
async fn tables_of(
    object: InputObject,
    options: Arc<InputOptions>,
    rows: usize,
) -> Result<Vec<(String, Result<TableSample>)>> {
    let path = PathColumns::of(&object.uri);
    let uri = object.uri.clone();
    let source = Source::fetch(object, formats::FORMATS).await?;
    // Sampling may wait for the store.
    let samples = spawn_blocking(move || {
        let sources = SourceTables::to_look_at(source, formats::FORMATS)
            .map_err(|error| error.object(&uri))?;
        Ok(sources
            .into_iter()
            .map(|source| (source.name().to_string(), source.sample(&options, rows)))
            .collect::<Vec<_>>())
    });
    let samples = samples.await.map_err(pipeline::interrupted)??;
    let with_path = |(table, sample): (String, Result<TableSample>)| {
        (table, sample.map(|sample| with_path_columns(sample, &path)))
    };
    Ok(samples.into_iter().map(with_path).collect())
}

/// The columns of an object's path come last.
fn with_path_columns(mut sample: TableSample, path: &PathColumns) -> TableSample {
    let names: Vec<String> = path.names().map(str::to_owned).collect();
    for name in names {
        let Some(value) = path.value(&name) else {
            continue;
        };
        if sample.columns.contains(&name) {
            continue;
        }
        sample.columns.push(name);
        sample.types.push("in the object's path".to_owned());
        for row in &mut sample.rows {
            row.push((!value.is_empty()).then(|| value.to_string()));
        }
    }
    sample
}
