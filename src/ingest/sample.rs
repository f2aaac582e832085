//! The first rows of an object, as a person would see them in a viewer: what `okuo init` looks at.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::path_columns::PathColumns;
use super::source::Source;
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
    /// What was noticed, in words for a person: the format, the encoding, the separator.
    pub notes: Vec<String>,
}

/// What was looked at of an object.
#[derive(Debug)]
pub struct ObjectSample {
    /// The object's name.
    pub object: String,
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
    let found = pipeline::find(uris, &formats::endings(formats::FORMATS)).await?;
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
            ObjectSample {
                object: object.uri.clone(),
                sample: match is_looked_at {
                    true => Some(sample_object(object, options, rows).await),
                    false => None,
                },
            }
        }
    });
    Ok(stream::iter(samples).buffered(AT_A_TIME).collect().await)
}

async fn sample_object(
    object: InputObject,
    options: Arc<InputOptions>,
    rows: usize,
) -> Result<TableSample> {
    let path = PathColumns::of(&object.uri);
    let source = Source::fetch(object, formats::FORMATS).await?;
    // Sampling may wait for the store.
    let mut sample = spawn_blocking(move || source.sample(&options, rows))
        .await
        .map_err(pipeline::interrupted)??;
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
    Ok(sample)
}
