//! Chunks → history: some chunks are read side by side, while the batches of the chunks before them
//! are assembled in order.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use rayon::prelude::*;

use super::chunk::{Chunk, ChunkReader};
use super::first_header::FirstHeader;
use super::formats::{FORMATS, Formats};
use super::history::HistoryAssembler;
use super::line_checker::LineBatch;
use super::source::Source;
use super::{Ingested, InputOptions, NeededDays};
use crate::error::{Error, Result};
use crate::purchases::{MemoryLimit, PartitionedPurchases};

/// Reads one object after another, whatever fetches them.
pub struct Reader {
    options: InputOptions,
    days: NeededDays,
    formats: Formats,
    first_header: Arc<FirstHeader>,
    /// Chunks that are not all assembled yet, in their order.
    chunks: VecDeque<ChunkReader>,
    assembler: HistoryAssembler,
    /// Whether an object could not be read: what follows must not hide it.
    has_failed: bool,
}

impl Reader {
    /// A reader of the lines of some days: those up to and including a night, or all.
    #[must_use]
    pub fn new(options: &InputOptions, days: impl Into<NeededDays>) -> Self {
        Self::with(options, days.into(), None, FORMATS)
    }

    /// As [`Reader::new`], with a limit of memory and a table of formats.
    pub(super) fn with(
        options: &InputOptions,
        days: NeededDays,
        limit: Option<MemoryLimit>,
        formats: Formats,
    ) -> Self {
        Self {
            options: options.clone(),
            days,
            formats,
            first_header: Arc::new(FirstHeader::of_memory(options)),
            chunks: VecDeque::new(),
            assembler: HistoryAssembler::new(options, limit),
            has_failed: false,
        }
    }

    pub(super) fn options(&self) -> &InputOptions {
        &self.options
    }

    pub(super) fn days(&self) -> NeededDays {
        self.days
    }

    pub(super) fn formats(&self) -> Formats {
        self.formats
    }

    /// Reads one object; `name` is for messages.
    ///
    /// # Errors
    /// If the object is not what its name says, is truncated or damaged, lacks a column, or has one
    /// of a type that cannot be read. Single bad lines are counted, and judged in
    /// [`Reader::finish`].
    pub fn object(&mut self, name: &str, bytes: Bytes) -> Result<()> {
        let source = Source::in_memory(name, bytes, self.formats)?;
        let source = Arc::new(source.with_first_header(&self.first_header));
        self.first_header.look_into(&source);
        let mut chunks = vec![];
        for request in source.open(&self.options, self.days)? {
            // The bytes are in memory, so this never waits.
            let fetched = request.fetch().now_or_never();
            chunks.push(fetched.unwrap_or_else(|| {
                Err(Error::system("an object in memory was waited for").object(name))
            })?);
        }
        self.take(chunks)?;
        self.assemble_ready()
    }

    /// Reads the chunks that follow. Their last batches are assembled later, while the next chunks are
    /// read.
    pub(super) fn take(&mut self, chunks: Vec<Chunk>) -> Result<()> {
        self.chunks.extend(chunks.into_iter().map(ChunkReader::new));
        while self.chunks.iter().any(ChunkReader::is_unfinished) {
            let batches = self.ready()?;
            let Self {
                options,
                days,
                chunks,
                assembler,
                ..
            } = self;
            let (assembled, ()) = rayon::join(
                || assemble(assembler, batches),
                || {
                    chunks
                        .par_iter_mut()
                        .with_max_len(1)
                        .filter(|chunk| chunk.has_work())
                        .for_each(|chunk| chunk.read_batch(options, *days));
                },
            );
            assembled?;
        }
        Ok(())
    }

    fn assemble_ready(&mut self) -> Result<()> {
        let batches = self.ready()?;
        assemble(&mut self.assembler, batches)
    }

    /// The batches that come next and have been read.
    fn ready(&mut self) -> Result<Vec<LineBatch>> {
        if self.has_failed {
            return Err(Error::system("an object before this could not be read"));
        }
        let mut batches = vec![];
        while let Some(chunk) = self.chunks.front_mut() {
            let ready = chunk.take_ready();
            self.has_failed = ready.is_err();
            batches.extend(ready?);
            if chunk.is_unfinished() {
                break;
            }
            self.chunks.pop_front();
        }
        Ok(batches)
    }

    /// Judges the lines and builds the history.
    ///
    /// # Errors
    /// If there is no line, or too many are bad.
    pub fn finish(self) -> Result<Ingested> {
        self.finish_partitioned()?.whole()
    }

    /// As [`Reader::finish`], of a history that may not fit into memory.
    pub(super) fn finish_partitioned(mut self) -> Result<Ingested<PartitionedPurchases>> {
        self.assemble_ready()?;
        self.assembler.finish(&self.options)
    }
}

fn assemble(assembler: &mut HistoryAssembler, batches: Vec<LineBatch>) -> Result<()> {
    batches
        .into_iter()
        .try_for_each(|batch| assembler.add(batch))
}
