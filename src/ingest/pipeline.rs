//! Stored objects → chunks → history: the next chunks are fetched while some are read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{spawn, spawn_blocking};

use super::chunk::{Chunk, ChunkRequest};
use super::first_header::FirstHeader;
use super::reader::Reader;
use super::source::Source;
use super::tables::{NoTable, SourceTables};
use super::{Ingested, InputOptions, NeededDays};
use super::{formats, lake, other_table, own_output};
use crate::error::{Error, Result};
use crate::purchases::PartitionedPurchases;
use crate::store::{self, InputObject};

/// How many objects are fetched while one is read. From a store over a network, each takes as long as
/// a request, however small it is.
const FETCHED_AHEAD: usize = 16;

/// How many bytes these are at most, if it is more than one object: as three of those that are fetched
/// whole.
const BYTES_AHEAD: u64 = 3 << 24;

/// Of an object that is not fetched whole: its beginning, and what its format has at its end.
const BYTES_OF_LARGE: u64 = 1 << 20;

/// What URIs name.
#[derive(Debug, Default)]
pub(super) struct FoundObjects {
    /// Each object once, in the order of their URIs.
    pub(super) objects: Vec<InputObject>,
    /// What okuo itself wrote into the folders.
    pub(super) left_out: Vec<NoTable>,
}

/// All objects that the URIs name, each once, in the order of their URIs.
///
/// # Errors
/// If a URI names nothing, or a table of a data lake.
pub(super) async fn find(uris: &[String], endings: &[String]) -> Result<FoundObjects> {
    let endings: Vec<&str> = endings.iter().map(String::as_str).collect();
    let mut found: Vec<InputObject> = vec![];
    let mut left_out = vec![];
    let mut looked_at = BTreeSet::new();
    for uri in uris {
        let mut named = store::find_tables(uri, &endings).await?;
        lake::refuse(&named, &mut looked_at).await?;
        left_out.extend(own_output::leave_out(&mut named));
        found.extend(named.objects);
    }
    // What was named by another URI is no candidate.
    found.sort_by(|a, b| (&a.uri, a.is_candidate).cmp(&(&b.uri, b.is_candidate)));
    found.dedup_by(|a, b| a.uri == b.uri);
    Ok(FoundObjects {
        objects: found,
        left_out,
    })
}

/// Reads all objects that the URIs name; see [`super::read`].
pub(super) async fn read(
    uris: &[String],
    reader: Reader,
    each: &(dyn Fn(usize, &InputObject) + Sync),
) -> Result<(Ingested<PartitionedPurchases>, Vec<InputObject>)> {
    let FoundObjects {
        mut objects,
        left_out,
    } = find(uris, &formats::endings(reader.formats())).await?;
    if let Some(settings) = &reader.options().settings_file {
        objects.retain(|object| !own_output::is_settings_file(object, settings));
    }
    let (options, formats) = (reader.options().clone(), reader.formats());
    match read_found(objects.clone(), left_out, reader, each).await {
        Err(error) if error.lacks_columns() => {
            Err(other_table::explain(error, &objects, &options, formats).await)
        }
        read => read,
    }
}

/// Reads what was found, and again where it tells that it must be read otherwise; see
/// [`Reader::again`].
async fn read_found(
    found: Vec<InputObject>,
    left_out: Vec<NoTable>,
    reader: Reader,
    each: &(dyn Fn(usize, &InputObject) + Sync),
) -> Result<(Ingested<PartitionedPurchases>, Vec<InputObject>)> {
    let (mut reader, mut read_objects) = read_objects(found.clone(), reader, each).await?;
    loop {
        let (back, again) = spawn_blocking(move || {
            let again = reader.again();
            (reader, again)
        })
        .await
        .map_err(interrupted)?;
        reader = back;
        let Some(again) = again? else {
            break;
        };
        (reader, read_objects) = self::read_objects(found.clone(), again, each).await?;
    }
    reader.leave_out(left_out);
    let ingested = spawn_blocking(move || reader.finish_partitioned())
        .await
        .map_err(interrupted)??;
    Ok((ingested, read_objects))
}

/// Reads objects in their order. Returns the reader, and the objects as they were read.
async fn read_objects(
    found: Vec<InputObject>,
    mut reader: Reader,
    each: &(dyn Fn(usize, &InputObject) + Sync),
) -> Result<(Reader, Vec<InputObject>)> {
    let (objects, threads) = (found.len(), rayon::current_num_threads());
    if objects > 1 {
        reader.compare_objects();
    }
    let mut read_objects = Vec::with_capacity(objects);
    let left_out = Arc::new(Mutex::new(vec![]));
    let chunks = fetched_chunks(found, &reader, 2 * threads, Arc::clone(&left_out));
    let mut chunks = Box::pin(chunks);
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
        if reader.lacks_quantities() {
            break;
        }
        next = following;
    }
    reader.leave_out(std::mem::take(&mut *lock(&left_out)));
    Ok((reader, read_objects))
}

/// What was left out so far. No operation leaves the list half changed, so a poisoned lock is as
/// good as any.
fn lock(left_out: &Mutex<Vec<NoTable>>) -> MutexGuard<'_, Vec<NoTable>> {
    left_out.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The chunks of all objects in their order: of the next objects the beginnings are fetched, and of
/// the next chunks, at most `ahead`, the bytes. What is no table goes to `left_out`.
fn fetched_chunks(
    objects: Vec<InputObject>,
    reader: &Reader,
    ahead: usize,
    left_out: Arc<Mutex<Vec<NoTable>>>,
) -> impl Stream<Item = Result<Chunk>> + Send + use<> {
    let options = Arc::new(reader.options().clone());
    let (days, formats) = (reader.days(), reader.formats());
    let first_header = Arc::new(FirstHeader::of_stored(&options, &objects, formats));
    let room = Arc::new(Semaphore::new(kibibytes(BYTES_AHEAD) as usize));
    stream::iter(objects)
        // One after the other, so that the next one that is waited for is never kept out.
        .then(move |object| with_room(object, Arc::clone(&room)))
        .map(move |(object, room)| {
            let first_header = Arc::clone(&first_header);
            let opening = open(object, Arc::clone(&options), days, formats, first_header);
            async move { (opening.await, room) }
        })
        .buffered(FETCHED_AHEAD)
        .flat_map(move |(opened, _room)| match opened {
            Ok((requests, no_tables)) => {
                lock(&left_out).extend(no_tables);
                stream::iter(requests.into_iter().map(Ok).collect::<Vec<_>>())
            }
            Err(error) => stream::iter(vec![Err(error)]),
        })
        .map(fetch)
        .buffered(ahead)
}

/// Waits until there is room for the bytes of an object among those that are fetched ahead.
async fn with_room(
    object: InputObject,
    room: Arc<Semaphore>,
) -> (InputObject, Option<OwnedSemaphorePermit>) {
    let bytes = match object.is_fetched_whole() {
        true => object.size,
        false => BYTES_OF_LARGE,
    };
    let wanted = kibibytes(bytes.min(BYTES_AHEAD)).max(1);
    // The semaphore is never closed.
    let taken = room.acquire_many_owned(wanted).await.ok();
    (object, taken)
}

/// Bytes in units in which a semaphore can count them.
fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX)
}

/// Opens an object, in a task of its own, so that nothing waits while a batch is read.
pub(super) async fn open(
    object: InputObject,
    options: Arc<InputOptions>,
    days: NeededDays,
    formats: formats::Formats,
    first_header: Arc<FirstHeader>,
) -> Result<(Vec<ChunkRequest>, Vec<NoTable>)> {
    let is_candidate = object.is_candidate;
    if let Some(no_table) = is_candidate
        .then(|| NoTable::by_name(&object.uri))
        .flatten()
    {
        return Ok((vec![], vec![no_table]));
    }
    let opening = spawn(async move {
        let source = Source::fetch(object, formats).await?;
        if source.is_opened_at_once() && !is_candidate {
            return open_tables(source, is_candidate, &options, days, formats, &first_header);
        }
        // Opening waits for the store.
        spawn_blocking(move || {
            open_tables(source, is_candidate, &options, days, formats, &first_header)
        })
        .await
        .map_err(interrupted)?
    });
    opening.await.map_err(interrupted)?
}

/// Opens all tables of an object: what to fetch, and what is left out.
pub(super) fn open_tables(
    source: Source,
    is_candidate: bool,
    options: &InputOptions,
    days: NeededDays,
    formats: formats::Formats,
    first_header: &Arc<FirstHeader>,
) -> Result<(Vec<ChunkRequest>, Vec<NoTable>)> {
    let source = source.with_first_header(first_header);
    if source.is_archive() {
        // A member may borrow the header of another, whichever comes first.
        first_header.look_into(&source);
    }
    let tables = SourceTables::of(source, is_candidate, options, formats)?;
    let mut requests = vec![];
    for source in tables.sources {
        let source = Arc::new(source);
        first_header.look_into(&source);
        requests.extend(source.open(options, days)?);
    }
    Ok((requests, tables.left_out))
}

/// Fetches a chunk, in a task of its own.
pub(super) async fn fetch(request: Result<ChunkRequest>) -> Result<Chunk> {
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
