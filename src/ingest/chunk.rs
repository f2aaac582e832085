//! Objects are read chunk by chunk: what to fetch, what has been fetched, and what is being read.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::formats::ChunkDecoder;
use super::line_checker::{LineBatch, LineChecker};
use super::source::Source;
use super::stream::ByteStream;
use super::{InputOptions, NeededDays};
use crate::error::{Error, Result};
use crate::store::InputObject;

/// How many batches of a chunk may wait for the chunks before it to be assembled.
const READ_AHEAD: usize = 4;

/// What to fetch of an object, and how it is decoded.
pub(super) struct ChunkRequest {
    source: Arc<Source>,
    needs: ChunkNeeds,
    /// Whether it is the first, and the last, of its object.
    pub(super) is_first: bool,
    pub(super) is_last: bool,
}

/// What is fetched, and what makes the decoder of it.
enum ChunkNeeds {
    Ranges(Vec<Range<u64>>, DecoderOf<Vec<Bytes>>),
    Stream(DecoderOf<ByteStream>),
}

type DecoderOf<T> = Box<dyn FnOnce(T) -> Box<dyn ChunkDecoder> + Send>;

impl ChunkRequest {
    /// Asks for parts of an object as it is stored; `decoder` gets them in this order. A part that the
    /// object does not have is empty or an error.
    pub(super) fn ranges(
        source: &Arc<Source>,
        ranges: Vec<Range<u64>>,
        decoder: impl FnOnce(Vec<Bytes>) -> Box<dyn ChunkDecoder> + Send + 'static,
    ) -> Self {
        Self::new(source, ChunkNeeds::Ranges(ranges, Box::new(decoder)))
    }

    /// Asks for all of an object, from the first byte to the last, unpacked.
    pub(super) fn stream(
        source: &Arc<Source>,
        decoder: impl FnOnce(ByteStream) -> Box<dyn ChunkDecoder> + Send + 'static,
    ) -> Self {
        Self::new(source, ChunkNeeds::Stream(Box::new(decoder)))
    }

    fn new(source: &Arc<Source>, needs: ChunkNeeds) -> Self {
        Self {
            source: Arc::clone(source),
            needs,
            is_first: false,
            is_last: false,
        }
    }

    /// The chunk with its bytes.
    ///
    /// # Errors
    /// If they cannot be fetched.
    pub(super) async fn fetch(self) -> Result<Chunk> {
        let decoder = match self.needs {
            ChunkNeeds::Ranges(ranges, decoder) => decoder(self.source.fetch_ranges(ranges).await?),
            ChunkNeeds::Stream(decoder) => decoder(self.source.stream()),
        };
        Ok(Chunk {
            source: self.source,
            decoder,
            is_first: self.is_first,
            is_last: self.is_last,
        })
    }
}

/// A part of an object, with its bytes or with a stream that brings them.
pub(super) struct Chunk {
    source: Arc<Source>,
    decoder: Box<dyn ChunkDecoder>,
    is_first: bool,
    is_last: bool,
}

impl Chunk {
    /// The object that begins with this chunk, if it comes from a store.
    pub(super) fn begun_object(&self) -> Option<&InputObject> {
        self.source.object().filter(|_| self.is_first)
    }

    /// Gives all lines to `lines`, which keeps them itself.
    ///
    /// # Errors
    /// If the object is truncated or damaged, or rows cannot be told apart.
    pub(super) fn read_all(mut self, lines: &mut LineChecker) -> Result<()> {
        let name = Arc::clone(self.source.name());
        let mut goes_on = true;
        while goes_on {
            goes_on = self
                .decoder
                .decode(lines)
                .map_err(|error| error.object(&*name))?;
        }
        Ok(())
    }

    /// Decodes some rows; see [`ChunkDecoder::decode`].
    ///
    /// # Errors
    /// As [`ChunkDecoder::decode`].
    pub(super) fn decode_some(&mut self, lines: &mut LineChecker) -> Result<bool> {
        self.decoder.decode(lines)
    }

    /// The lines that follow, as many as make a batch.
    fn next_batch(&mut self, lines: &mut LineChecker) -> Result<LineBatch> {
        let mut goes_on = true;
        while goes_on && !lines.has_full_batch() {
            goes_on = self.decoder.decode(lines)?;
        }
        let batch = lines.take_batch();
        Ok(LineBatch {
            begins_object: batch.begins_chunk && self.is_first,
            ends_object: !goes_on && self.is_last,
            ends_chunk: !goes_on,
            quantity: self.decoder.quantity(),
            ..batch
        })
    }
}

/// Reads a chunk, some lines at a time.
pub(super) struct ChunkReader {
    /// What is left to read, and what checks its lines, from the first reading on.
    rest: Option<(Chunk, Option<LineChecker>)>,
    /// Batches that were read and are not taken yet, and why no more can be read.
    ready: Vec<LineBatch>,
    error: Option<Error>,
}

impl ChunkReader {
    /// At the beginning of a chunk.
    pub(super) fn new(chunk: Chunk) -> Self {
        Self {
            rest: Some((chunk, None)),
            ready: vec![],
            error: None,
        }
    }

    /// Whether there is something to read, and room for a batch.
    pub(super) fn has_work(&self) -> bool {
        self.rest.is_some() && self.ready.len() < READ_AHEAD
    }

    /// Whether there is something to read, or an error to tell.
    pub(super) fn is_unfinished(&self) -> bool {
        self.rest.is_some() || self.error.is_some()
    }

    /// Reads the next batch.
    pub(super) fn read_batch(&mut self, options: &InputOptions, days: NeededDays) {
        let Some((mut chunk, lines)) = self.rest.take() else {
            return;
        };
        let name = chunk.source.name();
        let mut lines = lines.unwrap_or_else(|| LineChecker::new(name, options, days));
        match chunk.next_batch(&mut lines) {
            Ok(batch) => {
                let is_last = batch.ends_chunk;
                self.ready.push(batch);
                self.rest = (!is_last).then_some((chunk, Some(lines)));
            }
            Err(error) => self.error = Some(error.object(&**chunk.source.name())),
        }
    }

    /// Takes the batches that are ready.
    ///
    /// # Errors
    /// If the chunk cannot be read further.
    pub(super) fn take_ready(&mut self) -> Result<Vec<LineBatch>> {
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(std::mem::take(&mut self.ready)),
        }
    }
}
