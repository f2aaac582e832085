//! Where the bytes of an object are, and how parts of them come here.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;

use super::archive::ZipMember;
use super::compression::BoxedRead;
use crate::error::{Error, Result};
use crate::store::{InputObject, SpillFile};

/// How many bytes of a large object are fetched at a time where it is read as a stream.
const STREAM_PART: u64 = 1 << 23;

/// The same where it is read here and there.
const SEEK_PART: u64 = 1 << 16;

/// How many ranges of a chunk are fetched side by side: a group of rows has as many columns that are
/// read.
const RANGES_AT_A_TIME: usize = 4;

/// The most bytes that are unpacked to the local disk, where a format is not read as a stream.
const MAX_SPILLED: u64 = 1 << 36;

/// How many bytes are written to the local disk at a time.
const SPILL_PART: usize = 1 << 20;

/// Where the bytes are.
#[derive(Debug, Clone)]
pub(super) enum SourceContent {
    InMemory(Bytes),
    /// In a store, from which tasks of this runtime fetch them.
    Stored(InputObject, Handle),
    /// In a temporary file, which has so many of them.
    Spilled(Arc<SpillFile>, u64),
    /// In an archive, from which they can be read from the first to the last.
    Member(Arc<ZipMember>),
}

impl SourceContent {
    /// How many bytes there are; of a member of an archive, as the archive says.
    pub(super) fn size(&self) -> u64 {
        match self {
            SourceContent::InMemory(bytes) => bytes.len() as u64,
            SourceContent::Stored(object, _) => object.size,
            SourceContent::Spilled(_, size) => *size,
            SourceContent::Member(member) => member.size(),
        }
    }

    /// Whether reading waits for no store.
    pub(super) fn is_here(&self) -> bool {
        matches!(self, SourceContent::InMemory(_))
    }

    /// Some of the bytes. Waits for the store.
    ///
    /// # Errors
    /// If they cannot be fetched, or the object has changed.
    pub(super) fn range(&self, range: Range<u64>) -> Result<Bytes> {
        match self {
            SourceContent::InMemory(bytes) => slice(bytes, &range).ok_or_else(ends_before),
            SourceContent::Stored(object, runtime) => runtime.block_on(object.get_range(range)),
            SourceContent::Spilled(file, size) => read_spilled(file, *size, &range),
            SourceContent::Member(_) => {
                Err(Error::system("a member of an archive has no parts to read"))
            }
        }
    }

    /// Fetches several parts, some of them side by side. A part that is not there is empty where
    /// the bytes are in memory.
    ///
    /// # Errors
    /// As [`SourceContent::range`].
    pub(super) async fn fetch_ranges(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        match self {
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
            SourceContent::Spilled(file, size) => ranges
                .iter()
                .map(|range| read_spilled(file, *size, range))
                .collect(),
            SourceContent::Member(_) => ranges.into_iter().map(|range| self.range(range)).collect(),
        }
    }

    /// All bytes, one after the other.
    pub(super) fn stream(&self) -> BoxedRead {
        match self {
            SourceContent::InMemory(bytes) => Box::new(std::io::Cursor::new(bytes.clone())),
            SourceContent::Member(member) => member.stream(),
            SourceContent::Stored(..) | SourceContent::Spilled(..) => {
                Box::new(ContentReader::new(self.clone(), STREAM_PART))
            }
        }
    }

    /// The bytes, to be read here and there.
    pub(super) fn seekable(&self) -> ContentReader {
        ContentReader::new(self.clone(), SEEK_PART)
    }
}

/// All of a stream, in a temporary file.
///
/// # Errors
/// If the stream cannot be read, has too many bytes, or the file cannot be written.
pub(super) fn spill(mut stream: impl Read) -> Result<SourceContent> {
    let file = SpillFile::new();
    let mut size = 0;
    let mut part = vec![0; SPILL_PART];
    loop {
        let read = match stream.read(&mut part) {
            Ok(0) => return Ok(SourceContent::Spilled(Arc::new(file), size)),
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        file.append(part.get(..read).unwrap_or_default())?;
        size += read as u64;
        if size > MAX_SPILLED {
            return Err(Error::input("it unpacks to more than 64 GiB")
                .hint("unpack it yourself, and name what it unpacks to"));
        }
    }
}

fn unreadable(error: std::io::Error) -> Error {
    match okuo_error(error) {
        Ok(error) => error,
        Err(error) => Error::input("the packed data are truncated or damaged")
            .source(error)
            .hint("write or transfer the object again"),
    }
}

/// The error of okuo that a reader of this room put into one of the system, if it is one.
pub(super) fn okuo_error(error: std::io::Error) -> std::result::Result<Error, std::io::Error> {
    let is_own = error.get_ref().is_some_and(|inner| inner.is::<Error>());
    if !is_own {
        return Err(error);
    }
    let kind = error.kind();
    match error.into_inner().map(|inner| inner.downcast::<Error>()) {
        Some(Ok(own)) => Ok(*own),
        _ => Err(kind.into()),
    }
}

fn read_spilled(file: &SpillFile, size: u64, range: &Range<u64>) -> Result<Bytes> {
    if range.start > range.end || range.end > size {
        return Err(ends_before());
    }
    let len = usize::try_from(range.end - range.start).map_err(|_| ends_before())?;
    file.read(range.start, len).map(Bytes::from)
}

fn ends_before() -> Error {
    Error::system("it ends before the part that is asked for")
}

fn slice(bytes: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    let start = usize::try_from(range.start).ok()?;
    let end = usize::try_from(range.end).ok()?;
    (start <= end && end <= bytes.len()).then(|| bytes.slice(start..end))
}

/// Bytes that are fetched while they are read. Reading blocks its thread.
pub(super) struct ContentReader {
    content: SourceContent,
    size: u64,
    /// How many bytes are fetched at a time.
    part: u64,
    at: u64,
    /// The bytes that were fetched last, and where they begin.
    here: Bytes,
    here_at: u64,
}

impl ContentReader {
    fn new(content: SourceContent, part: u64) -> Self {
        let size = content.size();
        Self {
            content,
            size,
            part,
            at: 0,
            here: Bytes::new(),
            here_at: 0,
        }
    }
}

impl Read for ContentReader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.at >= self.size || out.is_empty() {
            return Ok(0);
        }
        let here_end = self.here_at + self.here.len() as u64;
        if self.at < self.here_at || self.at >= here_end {
            let end = self.size.min(self.at + self.part);
            self.here = Bytes::new();
            self.here = self
                .content
                .range(self.at..end)
                .map_err(std::io::Error::other)?;
            self.here_at = self.at;
        }
        let skipped = usize::try_from(self.at - self.here_at).unwrap_or(usize::MAX);
        let rest = self.here.get(skipped..).unwrap_or_default();
        let len = out.len().min(rest.len());
        if let (Some(out), Some(rest)) = (out.get_mut(..len), rest.get(..len)) {
            out.copy_from_slice(rest);
        }
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for ContentReader {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
