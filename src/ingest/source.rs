//! An object to read: what its format is, how it is compressed, and where its bytes are.

use std::cell::LazyCell;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;

use super::chunk::ChunkRequest;
use super::compression::{self, COMPRESSIONS, Compression};
use super::first_header::{FirstHeader, HeaderNames};
use super::formats::{Access, Formats, InputFormat};
use super::stream::ByteStream;
use super::{InputOptions, NeededDays, TableSample};
use crate::error::{Error, Result};
use crate::store::InputObject;

/// How many bytes of a large object are fetched to tell what it is.
const FIRST_BYTES: usize = 1 << 16;

/// How many unpacked bytes are looked at to tell the format.
const UNPACKED_BYTES: u64 = 1 << 12;

/// How many bytes of a large object are fetched at a time where it is read as a stream.
const STREAM_PART: u64 = 1 << 23;

/// How many ranges of a chunk are fetched side by side: a group of rows has as many columns that are
/// read.
const RANGES_AT_A_TIME: usize = 4;

/// An object that was sniffed.
#[derive(Debug)]
pub(super) struct Source {
    name: Arc<str>,
    /// The object in its store; `None` for bytes from elsewhere.
    object: Option<InputObject>,
    content: SourceContent,
    first_bytes: Bytes,
    format: &'static dyn InputFormat,
    compression: Option<&'static Compression>,
    /// The header that holds for objects without one.
    first_header: Option<Arc<FirstHeader>>,
}

/// Where the bytes are.
#[derive(Debug, Clone)]
enum SourceContent {
    InMemory(Bytes),
    /// In a store, from which tasks of this runtime fetch them.
    Stored(InputObject, Handle),
}

impl Source {
    /// An object in memory. `name` is for messages, and its ending may tell the format.
    ///
    /// # Errors
    /// If it has no bytes though its kind has some.
    pub(super) fn in_memory(name: &str, bytes: Bytes, formats: Formats) -> Result<Self> {
        let first_bytes = bytes.slice(..bytes.len().min(FIRST_BYTES));
        Self::sniff(name, first_bytes, SourceContent::InMemory(bytes), formats)
    }

    /// A stored object. A small one is fetched, of a large one the first bytes.
    ///
    /// # Errors
    /// If it cannot be fetched, or as [`Source::in_memory`].
    pub(super) async fn fetch(object: InputObject, formats: Formats) -> Result<Self> {
        if object.is_fetched_whole() {
            let (bytes, etag) = object.get().await?;
            let size = bytes.len() as u64;
            let source = Self::in_memory(&object.uri, bytes, formats)?;
            return Ok(Self {
                object: Some(InputObject {
                    size,
                    etag,
                    ..object
                }),
                ..source
            });
        }
        // As it is now: every part of it must be of the same version.
        let object = object.again().await?;
        let first_bytes = object
            .get_range(0..object.size.min(FIRST_BYTES as u64))
            .await?;
        let content = SourceContent::Stored(object.clone(), Handle::current());
        let source = Self::sniff(&object.uri, first_bytes, content, formats)?;
        Ok(Self {
            object: Some(object),
            ..source
        })
    }

    fn sniff(
        name: &str,
        first_bytes: Bytes,
        content: SourceContent,
        formats: Formats,
    ) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        let is_named_compressed = COMPRESSIONS
            .iter()
            .any(|compression| lower.ends_with(compression.ending));
        if first_bytes.is_empty() && is_named_compressed {
            return Err(no_bytes().object(name));
        }
        let compression = Compression::sniff(&lower, &first_bytes);
        let format = format_of(formats, &lower, &first_bytes, compression)
            .map_err(|error| error.object(name))?;
        Ok(Self {
            name: name.into(),
            object: None,
            content,
            first_bytes,
            format,
            compression,
            first_header: None,
        })
    }

    /// The same among objects of which the first with a header lends it to those without.
    #[must_use]
    pub(super) fn with_first_header(self, first_header: &Arc<FirstHeader>) -> Self {
        Self {
            first_header: Some(Arc::clone(first_header)),
            ..self
        }
    }

    /// The header that holds if the object has none.
    pub(super) fn first_header(&self) -> Option<&Arc<FirstHeader>> {
        self.first_header.as_ref()
    }

    /// The object's own header. Waits for the store.
    pub(super) fn header(self: &Arc<Self>, options: &InputOptions) -> Option<HeaderNames> {
        self.format.header(self, options)
    }

    /// The object's name, for messages.
    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What was found in the store, as it was when it was fetched.
    pub(super) fn object(&self) -> Option<&InputObject> {
        self.object.as_ref()
    }

    /// The object's first bytes, as they are stored.
    pub(super) fn first_bytes(&self) -> &[u8] {
        &self.first_bytes
    }

    /// How many bytes are stored.
    pub(super) fn size(&self) -> u64 {
        match &self.content {
            SourceContent::InMemory(bytes) => bytes.len() as u64,
            SourceContent::Stored(object, _) => object.size,
        }
    }

    /// Whether opening the object waits for nothing.
    pub(super) fn is_in_memory(&self) -> bool {
        matches!(self.content, SourceContent::InMemory(_))
    }

    /// Opens the object in its format: what to fetch of it, in the order of its rows. Waits for the
    /// store where the format must look into the object for that.
    ///
    /// # Errors
    /// If the object is not what its name says, is truncated or damaged, lacks a column, or has one
    /// of a type that cannot be read.
    pub(super) fn open(
        self: Arc<Self>,
        options: &InputOptions,
        days: NeededDays,
    ) -> Result<Vec<ChunkRequest>> {
        let source = self;
        let mut requests = source
            .format
            .open(&source, options, days)
            .map_err(|error| error.object(&*source.name))?;
        if let Some(first) = requests.first_mut() {
            first.is_first = true;
        }
        if let Some(last) = requests.last_mut() {
            last.is_last = true;
        }
        Ok(requests)
    }

    /// The first rows, at most so many, as a person would see them in a viewer. Waits for the store.
    ///
    /// # Errors
    /// As [`InputFormat::sample`].
    pub(super) fn sample(self, options: &InputOptions, rows: usize) -> Result<TableSample> {
        let source = Arc::new(self);
        source
            .format
            .sample(&source, options, rows)
            .map_err(|error| error.object(&*source.name))
    }

    /// Some of the stored bytes. Waits for the store, and so may only be called by
    /// [`InputFormat::open`].
    ///
    /// # Errors
    /// If they cannot be fetched, or the object has changed.
    pub(super) fn range(&self, range: Range<u64>) -> Result<Bytes> {
        match &self.content {
            SourceContent::InMemory(bytes) => slice(bytes, &range).ok_or_else(|| {
                Error::system("it ends before the part that is asked for").object(&*self.name)
            }),
            SourceContent::Stored(object, runtime) => runtime.block_on(object.get_range(range)),
        }
    }

    /// Fetches some of the stored bytes, several parts at a time. Parts of an object in memory are
    /// ready at once; one that the object does not have is empty.
    ///
    /// # Errors
    /// As [`Source::range`].
    pub(super) async fn fetch_ranges(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        match &self.content {
            SourceContent::InMemory(bytes) => {
                let parts = ranges.iter().map(|range| slice(bytes, range));
                Ok(parts.map(Option::unwrap_or_default).collect())
            }
            SourceContent::Stored(object, _) => {
                stream::iter(ranges)
                    .map(|range| object.get_range(range))
                    .buffered(RANGES_AT_A_TIME)
                    .try_collect()
                    .await
            }
        }
    }

    /// All bytes, unpacked. Reading them waits for the store.
    pub(super) fn stream(&self) -> ByteStream {
        match &self.content {
            SourceContent::InMemory(bytes) => {
                ByteStream::new(std::io::Cursor::new(bytes.clone()), self.compression)
            }
            SourceContent::Stored(object, runtime) => {
                let stored = StoredStream {
                    object: object.clone(),
                    runtime: runtime.clone(),
                    at: 0,
                    here: Bytes::new(),
                };
                ByteStream::new(stored, self.compression)
            }
        }
    }
}

/// The first format of a table that takes an object, or its last. The object's name is in lower case.
fn format_of(
    formats: Formats,
    name: &str,
    first_bytes: &Bytes,
    compression: Option<&'static Compression>,
) -> Result<&'static dyn InputFormat> {
    let (last, others) = formats
        .split_last()
        .ok_or_else(|| Error::system("no format is known"))?;
    let unpacked = LazyCell::new(|| unpacked_beginning(first_bytes, compression));
    let found = others.iter().find(|format| match format.access() {
        Access::Ranges => format.sniff(name, first_bytes),
        Access::Stream => format.sniff(compression::without_ending(name), &unpacked),
    });
    Ok(*found.unwrap_or(last))
}

/// The first bytes of an object, unpacked; none if they are damaged.
fn unpacked_beginning(first_bytes: &Bytes, compression: Option<&'static Compression>) -> Bytes {
    let Some(compression) = compression else {
        return first_bytes.clone();
    };
    let mut beginning = vec![];
    if let Ok(unpacked) = compression.unpack(Box::new(std::io::Cursor::new(first_bytes.clone()))) {
        // An error here means that they are cut off or damaged: reading the object tells which.
        _ = unpacked.take(UNPACKED_BYTES).read_to_end(&mut beginning);
    }
    beginning.into()
}

/// The error of an empty object whose format or compression is never empty.
pub(super) fn no_bytes() -> Error {
    Error::input("it has 0 bytes, which is no whole file of its kind")
        .hint("write or transfer the object again, or remove it")
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

/// A stored object that is fetched while it is read. Reading blocks its thread.
struct StoredStream {
    object: InputObject,
    runtime: Handle,
    at: u64,
    here: Bytes,
}

impl Read for StoredStream {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.here.is_empty() && self.at < self.object.size {
            let end = self.object.size.min(self.at + STREAM_PART);
            self.here = self
                .runtime
                .block_on(self.object.get_range(self.at..end))
                .map_err(std::io::Error::other)?;
            self.at = end;
        }
        let len = out.len().min(self.here.len());
        let part = self.here.split_to(len);
        out[..len].copy_from_slice(&part);
        Ok(len)
    }
}
