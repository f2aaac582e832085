//! Objects piece by piece: a Parquet file's groups of rows, of which only the mapped columns are fetched; a CSV file as a stream.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use rayon::prelude::*;

use super::lines::Lines;
use super::parquet::{Footer, Part};
use super::{Columns, InputOptions, csv, parquet};
use crate::calendar::AsOf;
use crate::error::{Error, Result};
use crate::store::Found;

/// Up to this size in bytes an object is fetched as a whole.
const WHOLE: u64 = 1 << 24;

/// So many bytes of a larger CSV object are fetched at a time.
const PART: u64 = 1 << 23;

/// An object of which it is known how it is read.
pub(super) struct Opened {
    object: String,
    found: Option<Found>,
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
    /// They are fetched from there, part by part.
    Parts(Found),
}

/// A piece whose bytes may not be here yet; those of an object that is here are.
pub(super) struct Unfetched {
    pub(super) piece: Piece,
    /// Of a Parquet piece that is not here.
    from: Option<Found>,
}

/// What is read at a time.
#[derive(Debug)]
pub(super) struct Piece {
    /// The object's name, for messages.
    pub(super) object: String,
    pub(super) found: Option<Found>,
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
        let kind = if parquet::is_parquet(name, &bytes) {
            let footer = Footer::of_whole(&bytes, columns).map_err(|error| error.object(name))?;
            Kind::Parquet(Arc::new(footer), Content::Whole(bytes))
        } else {
            Kind::Csv(Content::Whole(bytes))
        };
        Ok(Self { object: name.to_owned(), found: None, kind })
    }

    /// Fetches a small object, and what tells how to read a large one.
    pub(super) async fn open(object: Found, columns: &Columns) -> Result<Self> {
        if object.size <= WHOLE {
            let (content, etag) = object.get().await?;
            let opened = Self::whole(&object.uri, content.clone(), columns)?;
            return Ok(Self { found: Some(Found { size: content.len() as u64, etag, ..object }), ..opened });
        }
        // As it is now: every part of it must be of the same version.
        let object = object.again().await?;
        let start = object.get_range(0..object.size.min(parquet::MAGIC.len() as u64)).await?;
        let kind = if parquet::is_parquet(&object.uri, &start) {
            let footer = Self::footer(&object, &start, columns).await.map_err(|error| error.object(&object.uri))?;
            Kind::Parquet(Arc::new(footer), Content::Parts(object.clone()))
        } else {
            Kind::Csv(Content::Parts(object.clone()))
        };
        Ok(Self { object: object.uri.clone(), found: Some(object), kind })
    }

    async fn footer(object: &Found, start: &[u8], columns: &Columns) -> Result<Footer> {
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

    /// The pieces, at least one. Groups of rows that lie after `until` are not among them.
    pub(super) fn pieces(self, options: &InputOptions, until: Option<AsOf>) -> Vec<Unfetched> {
        let Self { object, found, kind } = self;
        let (kinds, from): (Vec<PieceKind>, Option<Found>) = match kind {
            Kind::Csv(content) => (vec![PieceKind::Csv(content)], None),
            Kind::Parquet(footer, content) => {
                let (file, from) = match content {
                    Content::Whole(file) => (Some(file), None),
                    Content::Parts(found) => (None, Some(found)),
                };
                let piece = |part: Part| {
                    let bytes = file.as_ref().map_or(vec![], |file| part.slices(file));
                    PieceKind::Parquet(Box::new(part), bytes)
                };
                let lines = Lines::new(&object, options.clock, &options.exclude_products, until);
                (Footer::parts(&footer, lines).into_iter().map(piece).collect(), from)
            }
        };
        let last = kinds.len().saturating_sub(1);
        let piece = |(at, kind)| {
            let piece = Piece { object: object.clone(), found: found.clone(), is_first: at == 0, is_last: at == last, kind };
            Unfetched { piece, from: from.clone() }
        };
        kinds.into_iter().enumerate().map(piece).collect()
    }
}

impl Unfetched {
    /// The piece with its bytes.
    pub(super) async fn fetch(self) -> Result<Piece> {
        let mut piece = self.piece;
        if let (PieceKind::Parquet(part, bytes), Some(from)) = (&mut piece.kind, &self.from) {
            for range in part.ranges() {
                bytes.push(from.get_range(range).await?);
            }
        }
        Ok(piece)
    }
}

/// The lines of the Parquet pieces, read side by side, and whether they have quantities; nothing for the others.
#[allow(clippy::type_complexity, reason = "lines, or why not, or not here")]
pub(super) fn read_parquet(pieces: &[Piece], options: &InputOptions, until: Option<AsOf>) -> Vec<Option<Result<(Lines, bool)>>> {
    let lines = |piece: &Piece| Lines::new(&piece.object, options.clock, &options.exclude_products, until);
    let read = |piece: &Piece| match &piece.kind {
        PieceKind::Parquet(part, bytes) => {
            Some(part.read(bytes, &options.columns, lines(piece)).map_err(|error| error.object(&piece.object)))
        }
        PieceKind::Csv(_) => None,
    };
    pieces.par_iter().with_max_len(1).map(read).collect()
}

/// Reads a CSV piece into `sink`; whether it has quantities.
pub(super) fn read_csv(
    piece: &Piece,
    options: &InputOptions,
    until: Option<AsOf>,
    sink: &mut dyn FnMut(Lines) -> Result<()>,
) -> Result<bool> {
    let PieceKind::Csv(content) = &piece.kind else { return Ok(false) };
    let new = || Lines::new(&piece.object, options.clock, &options.exclude_products, until);
    let (start, source): (Bytes, Box<dyn Read>) = match content {
        Content::Whole(bytes) => (bytes.slice(..bytes.len().min(csv::LONGEST_MAGIC)), Box::new(std::io::Cursor::new(bytes.clone()))),
        Content::Parts(found) => {
            let mut source = Parts { found: found.clone(), at: 0, here: Bytes::new() };
            source.fill().map_err(|error| Error::system("the object cannot be read").source(error).object(&piece.object))?;
            (source.here.slice(..source.here.len().min(csv::LONGEST_MAGIC)), Box::new(source))
        }
    };
    csv::read(&piece.object, &start, source, &options.columns, &new, sink).map_err(|error| error.object(&piece.object))
}

/// An object that is fetched while it is read, on a thread that may wait.
struct Parts {
    found: Found,
    at: u64,
    here: Bytes,
}

impl Parts {
    fn fill(&mut self) -> std::io::Result<()> {
        if self.here.is_empty() && self.at < self.found.size {
            let end = self.found.size.min(self.at + PART);
            self.here = tokio::runtime::Handle::current().block_on(self.found.get_range(self.at..end)).map_err(std::io::Error::other)?;
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
