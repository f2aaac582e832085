//! An object to read: what its format is, how it is compressed, and where its bytes are.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::archive::{self, ZipMember};
use super::chunk::ChunkRequest;
use super::compression::{self, COMPRESSIONS, Compression};
use super::content::{self, ContentReader, SourceContent};
use super::first_header::{FirstHeader, HeaderNames};
use super::formats::{Access, Formats, InputFormat};
use super::kind::FileKind;
use super::stream::ByteStream;
use super::{InputOptions, NeededDays, TableSample};
use crate::error::{Error, Result};
use crate::store::InputObject;

/// How many bytes of a large object are fetched to tell what it is.
const FIRST_BYTES: usize = 1 << 16;

/// How many unpacked bytes are looked at to tell the format.
const UNPACKED_BYTES: u64 = 1 << 12;

/// How many unpacked bytes are looked at to tell whether an object is a table.
const BEGINNING_BYTES: u64 = 1 << 16;

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
    is_last_resort: bool,
    /// What the object is, if that is no table.
    kind: Option<&'static FileKind>,
    /// The header that holds for objects without one.
    first_header: Option<Arc<FirstHeader>>,
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
        // Of what may be no table, no more is fetched than tells.
        let is_small = !object.is_candidate || object.size <= FIRST_BYTES as u64;
        if object.is_fetched_whole() && is_small {
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

    /// A member of the archive that this object is. The first of them stands for the archive, where
    /// objects are counted. Waits for the store.
    ///
    /// # Errors
    /// If the member is damaged, or as [`Source::in_memory`].
    pub(super) fn member(&self, member: ZipMember, formats: Formats) -> Result<Self> {
        let name = format!("{}/{}", self.name, member.name);
        let mut first_bytes = vec![];
        let beginning = member
            .stream()
            .take(BEGINNING_BYTES)
            .read_to_end(&mut first_bytes);
        // Damage is told where the member is read.
        _ = beginning;
        let content = SourceContent::Member(Arc::new(member));
        Ok(Self {
            first_header: self.first_header.clone(),
            ..Self::sniff(&name, first_bytes.into(), content, formats)?
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
        let unpacked = unpacked_beginning(&first_bytes, compression, UNPACKED_BYTES);
        let (format, is_last_resort) =
            format_of(formats, &lower, &unpacked).map_err(|error| error.object(name))?;
        Ok(Self {
            name: name.into(),
            object: None,
            content,
            first_bytes,
            format,
            compression,
            is_last_resort,
            kind: FileKind::of(&unpacked).filter(|_| is_last_resort),
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
    pub(super) fn header(&self, options: &InputOptions) -> Option<HeaderNames> {
        self.format.header(self, options)
    }

    /// Lets a member stand for its archive, where objects are counted.
    pub(super) fn stand_for(&mut self, archive: Option<InputObject>) {
        self.object = archive;
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

    /// The format in which it is read.
    pub(super) fn format(&self) -> &'static dyn InputFormat {
        self.format
    }

    /// What the object is, if that is no table.
    pub(super) fn kind(&self) -> Option<&'static FileKind> {
        self.kind
    }

    /// Whether no format but the last takes the object, which takes anything.
    pub(super) fn is_last_resort(&self) -> bool {
        self.is_last_resort
    }

    /// Whether the object may be looked at as a zip archive, and not as a table.
    pub(super) fn is_archive(&self) -> bool {
        self.kind.is_some_and(|kind| kind.is_zip()) && self.compression.is_none()
    }

    /// The object's bytes as they are stored, to be read here and there.
    pub(super) fn seekable(&self) -> ContentReader {
        self.content.seekable()
    }

    /// How many bytes are stored.
    pub(super) fn size(&self) -> u64 {
        self.content.size()
    }

    /// Whether opening the object waits for nothing.
    pub(super) fn is_opened_at_once(&self) -> bool {
        self.content.is_here() && !self.is_archive() && !self.must_be_unpacked()
    }

    /// Whether the format looks for parts of the object, and the bytes only come one after the
    /// other.
    fn must_be_unpacked(&self) -> bool {
        let is_packed =
            self.compression.is_some() || matches!(self.content, SourceContent::Member(_));
        is_packed && self.format.access() == Access::Ranges
    }

    /// The object with its bytes unpacked where its format looks for parts of it. Waits for the
    /// store.
    ///
    /// # Errors
    /// If the object cannot be unpacked, or not onto the local disk.
    pub(super) fn unpacked_for_its_format(self) -> Result<Self> {
        if !self.must_be_unpacked() {
            return Ok(self);
        }
        let named = |error: Error| error.object(&*self.name);
        let packed = self.content.stream();
        let unpacked = match self.compression {
            Some(compression) => compression
                .unpack(packed)
                .map_err(|error| named(Error::system("unpacking could not start").source(error)))?,
            None => packed,
        };
        let content = content::spill(unpacked).map_err(named)?;
        let first_bytes = content
            .range(0..content.size().min(FIRST_BYTES as u64))
            .map_err(named)?;
        Ok(Self {
            content,
            first_bytes,
            compression: None,
            ..self
        })
    }

    /// The beginning of the object, unpacked, as an object of its own.
    pub(super) fn beginning(&self) -> Self {
        let unpacked = unpacked_beginning(&self.first_bytes, self.compression, BEGINNING_BYTES);
        Self {
            name: Arc::clone(&self.name),
            object: None,
            content: SourceContent::InMemory(unpacked.clone()),
            first_bytes: unpacked,
            format: self.format,
            compression: None,
            is_last_resort: self.is_last_resort,
            kind: self.kind,
            first_header: self.first_header.clone(),
        }
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
        let mut requests = self
            .format
            .open(&self, options, days)
            .map_err(|error| error.object(&*self.name))?;
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
        self.content
            .range(range)
            .map_err(|error| error.object(&*self.name))
    }

    /// Fetches some of the stored bytes, several parts at a time. Parts of an object in memory are
    /// ready at once; one that the object does not have is empty.
    ///
    /// # Errors
    /// As [`Source::range`].
    pub(super) async fn fetch_ranges(&self, ranges: Vec<Range<u64>>) -> Result<Vec<Bytes>> {
        self.content.fetch_ranges(ranges).await
    }

    /// All bytes, unpacked. Reading them waits for the store.
    pub(super) fn stream(&self) -> ByteStream {
        let stream = ByteStream::new(self.content.stream(), self.compression);
        match self.content {
            SourceContent::Member(_) => stream.of_archive(),
            _ => stream,
        }
    }
}

/// The first format of a table that takes an object, or its last, and whether it is the last. The
/// object's name is in lower case, and its first bytes are unpacked.
fn format_of(
    formats: Formats,
    name: &str,
    unpacked: &[u8],
) -> Result<(&'static dyn InputFormat, bool)> {
    let (last, others) = formats
        .split_last()
        .ok_or_else(|| Error::system("no format is known"))?;
    let name = compression::without_ending(name);
    let found = others.iter().find(|format| format.sniff(name, unpacked));
    Ok(found.map_or((*last, true), |format| (*format, false)))
}

/// The first bytes of an object, unpacked; none if they are damaged.
fn unpacked_beginning(
    first_bytes: &Bytes,
    compression: Option<&'static Compression>,
    most: u64,
) -> Bytes {
    let Some(compression) = compression else {
        return first_bytes.clone();
    };
    let mut beginning = vec![];
    if let Ok(unpacked) = compression.unpack(Box::new(std::io::Cursor::new(first_bytes.clone()))) {
        // An error here means that they are cut off or damaged: reading the object tells which.
        _ = unpacked.take(most).read_to_end(&mut beginning);
    }
    beginning.into()
}

/// The error of an empty object whose format or compression is never empty.
pub(super) fn no_bytes() -> Error {
    Error::input("it has 0 bytes, which is no whole file of its kind")
        .hint("write or transfer the object again, or remove it")
}

/// The members of the archive that an object is. Waits for the store.
///
/// # Errors
/// As [`archive::members`].
pub(super) fn members_of(source: &Source) -> Result<Vec<ZipMember>> {
    archive::members(&source.content).map_err(|error| error.object(&*source.name))
}
