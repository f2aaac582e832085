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
use super::tables::{self, NoTable};
use super::{DecidedForms, Ingested, InputOptions, NeededDays, pipeline};
use crate::error::{Error, Result};
use crate::purchases::{MemoryLimit, PartitionedPurchases};
use crate::store::SpillFile;

/// Reads one object after another, whatever fetches them.
pub struct Reader {
    options: InputOptions,
    days: NeededDays,
    formats: Formats,
    first_header: Arc<FirstHeader>,
    /// Chunks that are not all assembled yet, in their order.
    chunks: VecDeque<ChunkReader>,
    assembler: HistoryAssembler,
    limit: Option<MemoryLimit>,
    /// Objects in memory, which are read again if only all of them tell how they are read.
    in_memory: Vec<(String, Bytes)>,
    /// What is no table.
    left_out: Vec<NoTable>,
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
            first_header: Arc::new(FirstHeader::of_memory(options, formats)),
            chunks: VecDeque::new(),
            assembler: HistoryAssembler::new(options, limit.clone()),
            limit,
            in_memory: vec![],
            left_out: vec![],
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
        self.in_memory.push((name.to_owned(), bytes.clone()));
        self.read_object(name, bytes)?;
        if self.lacks_quantities()
            && let Some(again) = self.again()?
        {
            self.read_in_memory(again)?;
        }
        Ok(())
    }

    /// Becomes a reader that reads the objects in memory again.
    fn read_in_memory(&mut self, again: Self) -> Result<()> {
        let in_memory = std::mem::take(&mut self.in_memory);
        *self = again;
        for (name, bytes) in &in_memory {
            self.read_object(name, bytes.clone())?;
        }
        self.in_memory = in_memory;
        Ok(())
    }

    /// Whether all must be read again, with quantities.
    pub(super) fn lacks_quantities(&self) -> bool {
        self.assembler.lacks_quantities(&self.options)
    }

    fn read_object(&mut self, name: &str, bytes: Bytes) -> Result<()> {
        let source = Source::in_memory(name, bytes, self.formats)?;
        let (requests, left_out) = pipeline::open_tables(
            source,
            false,
            &self.options,
            self.days,
            self.formats,
            &self.first_header,
        )?;
        self.leave_out(left_out);
        let mut chunks = vec![];
        for request in requests {
            // The bytes are in memory, so this never waits.
            let fetched = request.fetch().now_or_never();
            chunks.push(fetched.unwrap_or_else(|| {
                Err(Error::system("an object in memory was waited for").object(name))
            })?);
        }
        self.take(chunks)?;
        self.assemble_ready()
    }

    /// Compares the days of the objects that follow, since there are several.
    pub(super) fn compare_objects(&mut self) {
        self.assembler.compare_objects();
    }

    /// Notes what is not read beside what is.
    pub(super) fn leave_out(&mut self, no_tables: Vec<NoTable>) {
        self.left_out.extend(no_tables);
    }

    /// Reads the chunks that follow. Their last batches are assembled later, while the next chunks are
    /// read. Stops where all must be read again.
    pub(super) fn take(&mut self, chunks: Vec<Chunk>) -> Result<()> {
        self.chunks.extend(chunks.into_iter().map(ChunkReader::new));
        while !self.lacks_quantities() && self.chunks.iter().any(ChunkReader::is_unfinished) {
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
        while let Some(again) = self.again()? {
            self.read_in_memory(again)?;
        }
        let Self {
            options,
            assembler,
            left_out,
            ..
        } = self;
        let objects = assembler.objects();
        if objects == 0 && !left_out.is_empty() {
            return Err(tables::nothing_read(left_out));
        }
        let mut ingested = assembler.finish(&options)?;
        let report = &mut ingested.report;
        report
            .left_out
            .extend(left_out.into_iter().map(|left| left.left_out));
        report.left_out.sort_by(|a, b| a.object.cmp(&b.object));
        let notices = tables::notice_of_left_out(objects, &report.left_out)
            .into_iter()
            .chain(std::mem::take(&mut report.notes));
        ingested.warnings.splice(0..0, notices);
        Ok(ingested)
    }

    /// A reader that has read nothing, if all must be read again: now it is known that lines take
    /// something back, or how times are written.
    ///
    /// # Errors
    /// If the form of times cannot be known.
    pub(super) fn again(&mut self) -> Result<Option<Self>> {
        if !self.lacks_quantities() {
            self.assemble_ready()?;
        }
        let Some(options) = self.options_of_next_reading()? else {
            return Ok(None);
        };
        // What was set aside is let go with the assembler.
        self.assembler = HistoryAssembler::new(&options, None);
        let limit = self.limit.take().map(|limit| MemoryLimit {
            spill: Arc::new(SpillFile::new()),
            ..limit
        });
        Ok(Some(Self::with(&options, self.days, limit, self.formats)))
    }

    /// How all is read again; `None` if there is no need to.
    fn options_of_next_reading(&self) -> Result<Option<InputOptions>> {
        let options = self.options.clone();
        if self.lacks_quantities() {
            return Ok(Some(InputOptions {
                is_netted: true,
                ..options
            }));
        }
        if options.decided != DecidedForms::default() {
            return Ok(None);
        }
        let decided = self.assembler.decide_times(&options)?;
        Ok(decided.map(|decided| InputOptions { decided, ..options }))
    }
}

fn assemble(assembler: &mut HistoryAssembler, batches: Vec<LineBatch>) -> Result<()> {
    batches
        .into_iter()
        .try_for_each(|batch| assembler.add(batch))
}
