//! Objects piece by piece: a Parquet file's groups of rows, of which only the mapped columns are
//! fetched; a CSV file as a stream.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::runtime::Handle;

use super::csv::CsvReader;
use super::lines::{Batch, Lines};
use super::parquet::{Footer, Part, PartReader};
use super::{Columns, InputOptions, NeededDays, csv, parquet};
use crate::error::{Error, Result};
use crate::store::InputObject;

/// So many bytes of a larger CSV object are fetched at a time.
const PART: u64 = 1 << 23;

/// So many ranges of a piece are fetched side by side: as many as a group of rows has mapped
/// columns.
const RANGES_AT_A_TIME: usize = 4;

/// So many batches of lines of a piece wait for those of the pieces before it.
const READ_AHEAD: usize = 4;

/// An object of which it is known how it is read.
pub(super) struct Opened {
    object: String,
    found: Option<InputObject>,
    kind: Kind,
}

enum Kind {
    Parquet(Arc<Footer>, Content),
    Csv(Content),
}

/// Where an object's bytes are.
#[derive(Debug, Clone)]
enum Content {
    Whole(Bytes),
    /// They are fetched from there, part by part, by tasks of this runtime.
    Parts(InputObject, Handle),
}

/// A piece whose bytes may not be here yet; those of an object that is here are.
pub(super) struct Unfetched {
    pub(super) piece: Piece,
    /// Of a Parquet piece that is not here.
    from: Option<InputObject>,
}

/// What is read at a time.
#[derive(Debug)]
pub(super) struct Piece {
    /// The object's name, for messages.
    pub(super) object: String,
    pub(super) found: Option<InputObject>,
    pub(super) is_first: bool,
    pub(super) is_last: bool,
    kind: PieceKind,
}

#[derive(Debug)]
enum PieceKind {
    /// Groups of rows and the bytes of their columns.
    Parquet(Box<Part>, Vec<Bytes>),
    Csv(Content),
}

impl Opened {
    /// An object that is here.
    pub(super) fn whole(name: &str, bytes: Bytes, columns: &Columns) -> Result<Self> {
        // Plain text may be empty; the others have a beginning and an end at least.
        let lower = name.to_ascii_lowercase();
        if bytes.is_empty()
            && [".parquet", ".gz", ".zst"]
                .iter()
                .any(|ending| lower.ends_with(ending))
        {
            return Err(
                Error::input("it has 0 bytes, which is no whole file of its kind")
                    .object(name)
                    .hint("write or transfer the object again, or remove it"),
            );
        }
        let kind = if parquet::is_parquet(name, &bytes) {
            let footer = Footer::of_whole(&bytes, columns).map_err(|error| error.object(name))?;
            Kind::Parquet(Arc::new(footer), Content::Whole(bytes))
        } else {
            Kind::Csv(Content::Whole(bytes))
        };
        Ok(Self {
            object: name.to_owned(),
            found: None,
            kind,
        })
    }

    /// Fetches a small object, and what tells how to read a large one.
    pub(super) async fn open(object: InputObject, columns: &Columns) -> Result<Self> {
        if object.is_fetched_whole() {
            let (content, etag) = object.get().await?;
            let opened = Self::whole(&object.uri, content.clone(), columns)?;
            return Ok(Self {
                found: Some(InputObject {
                    size: content.len() as u64,
                    etag,
                    ..object
                }),
                ..opened
            });
        }
        // As it is now: every part of it must be of the same version.
        let object = object.again().await?;
        let start = object
            .get_range(0..object.size.min(parquet::MAGIC.len() as u64))
            .await?;
        let kind = if parquet::is_parquet(&object.uri, &start) {
            let footer = Self::footer(&object, &start, columns)
                .await
                .map_err(|error| error.object(&object.uri))?;
            Kind::Parquet(
                Arc::new(footer),
                Content::Parts(object.clone(), Handle::current()),
            )
        } else {
            Kind::Csv(Content::Parts(object.clone(), Handle::current()))
        };
        Ok(Self {
            object: object.uri.clone(),
            found: Some(object),
            kind,
        })
    }

    async fn footer(object: &InputObject, start: &[u8], columns: &Columns) -> Result<Footer> {
        let mut len = parquet::LIKELY_FOOTER.min(object.size);
        loop {
            let tail = object.get_range(object.size - len..object.size).await?;
            match Footer::length(start, &tail)? {
                longer if longer > object.size => return Err(parquet::damaged()),
                longer if longer > len => len = longer,
                _ => return Footer::read(tail, object.size, columns),
            }
        }
    }

    /// The pieces, at least one. Groups of rows of days that are not needed are not among them.
    pub(super) fn pieces(self, options: &InputOptions, days: NeededDays) -> Vec<Unfetched> {
        let Self {
            object,
            found,
            kind,
        } = self;
        let (kinds, from): (Vec<PieceKind>, Option<InputObject>) = match kind {
            Kind::Csv(content) => (vec![PieceKind::Csv(content)], None),
            Kind::Parquet(footer, content) => {
                let (file, from) = match content {
                    Content::Whole(file) => (Some(file), None),
                    Content::Parts(found, _) => (None, Some(found)),
                };
                let piece = |part: Part| {
                    let bytes = file.as_ref().map_or(vec![], |file| part.slices(file));
                    PieceKind::Parquet(Box::new(part), bytes)
                };
                let lines = Lines::new(&object, options.clock, &options.exclude_products, days);
                (
                    Footer::parts(&footer, lines)
                        .into_iter()
                        .map(piece)
                        .collect(),
                    from,
                )
            }
        };
        let last = kinds.len().saturating_sub(1);
        let piece = |(at, kind)| {
            let piece = Piece {
                object: object.clone(),
                found: found.clone(),
                is_first: at == 0,
                is_last: at == last,
                kind,
            };
            Unfetched {
                piece,
                from: from.clone(),
            }
        };
        kinds.into_iter().enumerate().map(piece).collect()
    }
}

impl Unfetched {
    /// The piece with its bytes.
    pub(super) async fn fetch(self) -> Result<Piece> {
        let mut piece = self.piece;
        if let (PieceKind::Parquet(part, bytes), Some(from)) = (&mut piece.kind, &self.from) {
            let ranges = stream::iter(part.ranges()).map(|range| from.get_range(range));
            *bytes = ranges.buffered(RANGES_AT_A_TIME).try_collect().await?;
        }
        Ok(piece)
    }
}

/// A piece that is being read.
pub(super) struct Reading {
    object: String,
    /// Whether the object begins with it, until that is taken.
    pub(super) beginning: Option<bool>,
    is_last: bool,
    /// What is left to read.
    rest: Option<Rest>,
    /// What was read and is not taken yet; then why no more can be read.
    ready: Vec<Batch>,
    error: Option<Error>,
    has_quantity: bool,
}

enum Rest {
    Unopened(PieceKind),
    Opened(LinesReader),
}

enum LinesReader {
    Parquet(Box<PartReader>),
    Csv(Box<CsvReader>),
}

/// How a piece ends.
pub(super) struct End {
    pub(super) object: String,
    /// Whether the object ends with it.
    pub(super) is_last: bool,
    pub(super) has_quantity: bool,
}

impl Reading {
    /// At the beginning of a piece.
    pub(super) fn new(piece: Piece) -> Self {
        let Piece {
            object,
            is_first,
            is_last,
            kind,
            ..
        } = piece;
        Self {
            object,
            beginning: Some(is_first),
            is_last,
            rest: Some(Rest::Unopened(kind)),
            ready: vec![],
            error: None,
            has_quantity: false,
        }
    }

    /// Whether there is something to read, and room for it.
    pub(super) fn goes_on(&self) -> bool {
        self.rest.is_some() && self.ready.len() < READ_AHEAD
    }

    /// Whether something is to read, or could not be.
    pub(super) fn is_unfinished(&self) -> bool {
        self.rest.is_some() || self.error.is_some()
    }

    /// Reads on.
    pub(super) fn read_on(&mut self, options: &InputOptions, days: NeededDays) {
        if let Some(rest) = self.rest.take()
            && let Err(error) = self.read_rest(rest, options, days)
        {
            self.error = Some(error);
        }
    }

    fn read_rest(&mut self, rest: Rest, options: &InputOptions, days: NeededDays) -> Result<()> {
        let lines = || Lines::new(&self.object, options.clock, &options.exclude_products, days);
        let mut reader =
            match rest {
                Rest::Unopened(PieceKind::Parquet(part, bytes)) => {
                    LinesReader::Parquet(Box::new(PartReader::new(*part, bytes, lines())))
                }
                Rest::Unopened(PieceKind::Csv(content)) => LinesReader::Csv(Box::new(
                    content.csv(&self.object, &options.columns, lines())?,
                )),
                Rest::Opened(reader) => reader,
            };
        let (batch, is_last) = match &mut reader {
            LinesReader::Parquet(reader) => {
                self.has_quantity = reader.has_quantity();
                reader.read(&options.columns)?
            }
            LinesReader::Csv(reader) => {
                let read = reader.read()?;
                self.has_quantity = reader.has_quantity();
                read
            }
        };
        self.ready.push(batch);
        self.rest = (!is_last).then_some(Rest::Opened(reader));
        Ok(())
    }

    /// Takes what is ready; and the end, if nothing follows.
    ///
    /// # Errors
    /// If what follows cannot be read.
    pub(super) fn take_ready(&mut self) -> (Vec<Batch>, Option<Result<End>>) {
        let ready = std::mem::take(&mut self.ready);
        let end = match (self.error.take(), &self.rest) {
            (Some(error), _) => Some(Err(error.object(&self.object))),
            (None, Some(_)) => None,
            (None, None) => Some(Ok(End {
                object: self.object.clone(),
                is_last: self.is_last,
                has_quantity: self.has_quantity,
            })),
        };
        (ready, end)
    }
}

impl Content {
    /// Begins to read CSV.
    fn csv(self, object: &str, columns: &Columns, lines: Lines) -> Result<CsvReader> {
        let start = |bytes: &Bytes| bytes.slice(..bytes.len().min(csv::LONGEST_MAGIC));
        match self {
            Content::Whole(bytes) => CsvReader::new(
                object,
                &start(&bytes),
                std::io::Cursor::new(bytes),
                columns,
                lines,
            ),
            Content::Parts(found, runtime) => {
                let mut source = Parts {
                    found,
                    runtime,
                    at: 0,
                    here: Bytes::new(),
                };
                source
                    .fill()
                    .map_err(|error| Error::system("the object cannot be read").source(error))?;
                let start = start(&source.here);
                CsvReader::new(object, &start, source, columns, lines)
            }
        }
    }
}

/// An object that is fetched while it is read, on a thread that may wait.
struct Parts {
    found: InputObject,
    runtime: Handle,
    at: u64,
    here: Bytes,
}

impl Parts {
    fn fill(&mut self) -> std::io::Result<()> {
        if self.here.is_empty() && self.at < self.found.size {
            let end = self.found.size.min(self.at + PART);
            self.here = self
                .runtime
                .block_on(self.found.get_range(self.at..end))
                .map_err(std::io::Error::other)?;
            self.at = end;
        }
        Ok(())
    }
}

impl Read for Parts {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.fill()?;
        let len = out.len().min(self.here.len());
        let part = self.here.split_to(len);
        out[..len].copy_from_slice(&part);
        Ok(len)
    }
}
