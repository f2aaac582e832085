//! Stored objects → chunks → history: the next chunks are fetched while some are read.

use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use tokio::task::{spawn, spawn_blocking};

use super::chunk::{Chunk, ChunkRequest};
use super::first_header::FirstHeader;
use super::formats;
use super::reader::Reader;
use super::source::Source;
use super::{Ingested, InputOptions, NeededDays};
use crate::error::{Error, Result};
use crate::purchases::PartitionedPurchases;
use crate::store::{self, InputObject};

/// How many objects are fetched while one is read.
const FETCHED_AHEAD: usize = 3;

/// All objects that the URIs name, each once, in the order of their URIs.
pub(super) async fn find(uris: &[String], endings: &[String]) -> Result<Vec<InputObject>> {
    let endings: Vec<&str> = endings.iter().map(String::as_str).collect();
    let mut found: Vec<InputObject> = vec![];
    for uri in uris {
        found.extend(store::find(uri, &endings).await?);
    }
    found.sort_by(|a, b| a.uri.cmp(&b.uri));
    found.dedup_by(|a, b| a.uri == b.uri);
    Ok(found)
}

/// Reads all objects that the URIs name; see [`super::read`].
pub(super) async fn read(
    uris: &[String],
    mut reader: Reader,
    each: &(dyn Fn(usize, &InputObject) + Sync),
) -> Result<(Ingested<PartitionedPurchases>, Vec<InputObject>)> {
    let found = find(uris, &formats::endings(reader.formats())).await?;
    let (objects, threads) = (found.len(), rayon::current_num_threads());
    let mut read_objects = Vec::with_capacity(objects);
    let mut chunks = Box::pin(fetched_chunks(found, &reader, 2 * threads));
    let mut next = chunks.next().await;
    while let Some(first) = next {
        let (some, error) = some_chunks(first, &mut chunks, threads).await;
        for object in some.iter().filter_map(Chunk::begun_object) {
            each(objects, object);
            // What was read, which may be newer than what was listed.
            read_objects.push(object.clone());
        }
        let reading = spawn_blocking(move || {
            let result = reader.take(some);
            (reader, result)
        });
        // Polling the stream here is what begins the next fetches meanwhile.
        let (read, following) = futures::future::join(reading, chunks.next()).await;
        let (back, result) = read.map_err(interrupted)?;
        result?;
        if let Some(error) = error {
            return Err(error);
        }
        reader = back;
        next = following;
    }
    let ingested = spawn_blocking(move || reader.finish_partitioned())
        .await
        .map_err(interrupted)??;
    Ok((ingested, read_objects))
}

/// The chunks of all objects in their order: of the next objects the beginnings are fetched, and of
/// the next chunks, at most `ahead`, the bytes.
fn fetched_chunks(
    objects: Vec<InputObject>,
    reader: &Reader,
    ahead: usize,
) -> impl Stream<Item = Result<Chunk>> + Send + use<> {
    let options = Arc::new(reader.options().clone());
    let (days, formats) = (reader.days(), reader.formats());
    let first_header = Arc::new(FirstHeader::of_stored(&options, &objects, formats));
    stream::iter(objects)
        .map(move |object| {
            let first_header = Arc::clone(&first_header);
            open(object, Arc::clone(&options), days, formats, first_header)
        })
        .buffered(FETCHED_AHEAD)
        .flat_map(|opened| match opened {
            Ok(requests) => stream::iter(requests.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        })
        .map(fetch)
        .buffered(ahead)
}

/// Opens an object, in a task of its own, so that nothing waits while a batch is read.
async fn open(
    object: InputObject,
    options: Arc<InputOptions>,
    days: NeededDays,
    formats: formats::Formats,
    first_header: Arc<FirstHeader>,
) -> Result<Vec<ChunkRequest>> {
    let opening = spawn(async move {
        let source = Source::fetch(object, formats).await?;
        let source = Arc::new(source.with_first_header(&first_header));
        if source.is_in_memory() {
            return source.open(&options, days);
        }
        // Opening waits for the store.
        spawn_blocking(move || source.open(&options, days))
            .await
            .map_err(interrupted)?
    });
    opening.await.map_err(interrupted)?
}

/// Fetches a chunk, in a task of its own.
async fn fetch(request: Result<ChunkRequest>) -> Result<Chunk> {
    spawn(request?.fetch()).await.map_err(interrupted)?
}

/// The chunk that is here and those that follow, up to `most`, or up to one that could not be
/// fetched: what comes before it is looked at first, whatever is read beside what.
async fn some_chunks(
    first: Result<Chunk>,
    chunks: &mut (impl Stream<Item = Result<Chunk>> + Unpin),
    most: usize,
) -> (Vec<Chunk>, Option<Error>) {
    let mut some = Vec::with_capacity(most);
    let mut next = Some(first);
    while let Some(chunk) = next {
        match chunk {
            Ok(chunk) => some.push(chunk),
            Err(error) => return (some, Some(error)),
        }
        next = if some.len() < most {
            chunks.next().await
        } else {
            None
        };
    }
    (some, None)
}

pub(super) fn interrupted(error: tokio::task::JoinError) -> Error {
    Error::system("reading the input was interrupted").source(error)
}
