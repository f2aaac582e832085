//! Arrow IPC: streams, and files, which are streams between two magic words.

mod cells;

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use polars::error::PolarsResult;
use polars_arrow::array::Array;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema};
use polars_arrow::io::ipc::read::{StreamReader, StreamState, read_stream_metadata};
use polars_arrow::record_batch::RecordBatchT;

use super::{Access, ChunkDecoder, InputFormat, nested};
use crate::error::{Error, Result};
use crate::ingest::chunk::ChunkRequest;
use crate::ingest::columns::{QuantityPresence, WantedColumns};
use crate::ingest::compression::BoxedRead;
use crate::ingest::content::okuo_error;
use crate::ingest::line_checker::LineChecker;
use crate::ingest::row_reader::{Cell, Row, RowReader};
use crate::ingest::sample::TableSample;
use crate::ingest::source::Source;
use crate::ingest::stream::ByteStream;
use crate::ingest::{InputOptions, NeededDays};

/// How a file begins, and with two more bytes its stream.
const FILE_MAGIC: &[u8] = b"ARROW1";

/// How many bytes of a file come before its stream.
const FILE_START: u64 = 8;

/// How a stream begins: with the mark of a message, whose length follows.
const STREAM_MAGIC: &[u8] = &[0xff, 0xff, 0xff, 0xff];

/// Arrow IPC files (also called Feather of version 2) and streams.
#[derive(Debug)]
pub(super) struct Arrow;

impl InputFormat for Arrow {
    fn endings(&self) -> &'static [&'static str] {
        &[".arrow", ".arrows", ".feather"]
    }

    fn access(&self) -> Access {
        Access::Stream
    }

    fn sniff(&self, _name: &str, first_bytes: &[u8]) -> bool {
        let is_stream = first_bytes.starts_with(STREAM_MAGIC)
            && first_bytes
                .get(4..8)
                .is_some_and(|length| length[2..] == [0, 0]);
        first_bytes.starts_with(FILE_MAGIC) || is_stream
    }

    fn open(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        _days: NeededDays,
    ) -> Result<Vec<ChunkRequest>> {
        let wanted = WantedColumns::new(options, source.name());
        Ok(vec![ChunkRequest::stream(source, |stream| {
            Box::new(ArrowDecoder {
                stream: Some(stream),
                wanted,
                reading: None,
                row: 0,
            })
        })])
    }

    fn sample(
        &self,
        source: &Arc<Source>,
        _options: &InputOptions,
        rows: usize,
    ) -> Result<TableSample> {
        let mut batches = BatchReader::begin(source.stream(), |_| Ok(None))?;
        let mut sample = TableSample {
            columns: batches.names.clone(),
            types: batches.types.clone(),
            nested: batches.nested.clone(),
            notes: vec!["Arrow".to_owned()],
            rows: vec![],
        };
        while sample.rows.len() < rows
            && let Some(batch) = batches.next(sample.rows.len() as u64)?
        {
            for at in 0..batch.len().min(rows - sample.rows.len()) {
                let cells = batch.arrays().iter().map(|array| cells::cell(&**array, at));
                let texts = cells.map(|cell| cell.text().map(|text| text.into_owned()));
                sample.rows.push(texts.collect());
            }
        }
        Ok(sample)
    }
}

/// Decodes an object, one batch of rows after the other.
struct ArrowDecoder {
    /// Nothing from the first reading on.
    stream: Option<ByteStream>,
    wanted: WantedColumns,
    reading: Option<(BatchReader, RowReader)>,
    /// Rows that were read.
    row: u64,
}

impl ChunkDecoder for ArrowDecoder {
    fn decode(&mut self, lines: &mut LineChecker) -> Result<bool> {
        if let Some(stream) = self.stream.take() {
            self.begin(stream)?;
        }
        let Some((batches, rows)) = &mut self.reading else {
            return Ok(false);
        };
        let Some(batch) = batches.next(self.row)? else {
            return Ok(false);
        };
        for at in 0..batch.len() {
            self.row += 1;
            let row = BatchRow {
                batch: &batch,
                places: &batches.places,
                at,
            };
            rows.add(self.row, &row, lines)?;
        }
        Ok(true)
    }

    fn quantity(&self) -> QuantityPresence {
        let reading = self.reading.as_ref();
        reading.map_or_else(QuantityPresence::default, |(_, rows)| {
            rows.columns().quantity()
        })
    }
}

impl ArrowDecoder {
    fn begin(&mut self, stream: ByteStream) -> Result<()> {
        let mut found = None;
        let batches = BatchReader::begin(stream, |schema| {
            let names: Vec<&str> = schema.iter_names().map(|name| name.as_str()).collect();
            let columns = self
                .wanted
                .find(&names)
                .map_err(|error| nested::with_advice(error, types_of(schema)))?;
            for (role, at) in columns.read_columns() {
                let flag = role.map_or("--where", |role| self.wanted.names.table.flag(role));
                let refusal = schema
                    .get_at_index(at)
                    .and_then(|(name, field)| nested::refusal(name, &field.dtype, flag));
                if let Some(refusal) = refusal {
                    return Err(refusal);
                }
            }
            let fields = columns.fields();
            found = Some(columns);
            Ok(Some(fields))
        })?;
        self.reading = found.map(|columns| (batches, RowReader::new(columns, false)));
        Ok(())
    }
}

/// A row of a batch.
struct BatchRow<'a> {
    batch: &'a RecordBatchT<Box<dyn Array>>,
    /// Where the columns of the object are in the batch.
    places: &'a [Option<usize>],
    at: usize,
}

impl Row for BatchRow<'_> {
    fn cell(&self, at: usize) -> Cell<'_> {
        let place = self.places.get(at).copied().flatten();
        let array = place.and_then(|place| self.batch.arrays().get(place));
        array.map_or(Cell::Null, |array| cells::cell(&**array, self.at))
    }
}

/// The batches of a stream.
struct BatchReader {
    reader: StreamReader<ForwardReader>,
    names: Vec<String>,
    types: Vec<String>,
    /// What the sample says of columns that are missing.
    nested: Option<String>,
    places: Vec<Option<usize>>,
}

impl BatchReader {
    /// Reads the schema. `columns` gets it, and says which columns are read: all, if it says nothing.
    fn begin(
        stream: ByteStream,
        columns: impl FnOnce(&ArrowSchema) -> Result<Option<Vec<usize>>>,
    ) -> Result<Self> {
        let mut bytes = ForwardReader::of(stream)?;
        let metadata = guarded(0, || read_stream_metadata(&mut bytes))?;
        let names = names_of(&metadata.schema);
        let types = metadata.schema.iter_values();
        let types = types.map(|field| format!("{:?}", field.dtype)).collect();
        let nested = nested::advice(types_of(&metadata.schema));
        let mut projection = columns(&metadata.schema)?;
        if let Some(projection) = &mut projection {
            projection.sort_unstable();
            projection.dedup();
        }
        let read = projection
            .clone()
            .unwrap_or_else(|| (0..names.len()).collect());
        let mut places = vec![None; names.len()];
        for (place, column) in read.into_iter().enumerate() {
            if let Some(known) = places.get_mut(column) {
                *known = Some(place);
            }
        }
        let reader = guarded(0, || Ok(StreamReader::new(bytes, metadata, projection)))?;
        Ok(Self {
            reader,
            names,
            types,
            nested,
            places,
        })
    }

    /// The next batch; nothing at the end of the stream. `rows` is how many rows came before.
    fn next(&mut self, rows: u64) -> Result<Option<RecordBatchT<Box<dyn Array>>>> {
        match guarded(rows, || self.reader.next().transpose())? {
            Some(StreamState::Some(batch)) => Ok(Some(batch)),
            None => Ok(None),
            Some(StreamState::Waiting) => Err(Error::input(format!(
                "the Arrow stream ends without its mark of the end, after {rows} rows"
            ))
            .hint("it may be cut off: close its writer, and write or pipe it again")),
        }
    }
}

/// The columns' names and types.
fn types_of(schema: &ArrowSchema) -> impl Iterator<Item = (&str, &ArrowDataType)> {
    schema
        .iter()
        .map(|(name, field)| (name.as_str(), &field.dtype))
}

fn names_of(schema: &ArrowSchema) -> Vec<String> {
    schema.iter_names().map(ToString::to_string).collect()
}

/// What is damaged is the object: a panic of the decoder is an error of it. `rows` is how many rows
/// came before.
fn guarded<T>(rows: u64, read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    let damaged = || {
        Error::input(format!(
            "the Arrow data are truncated or damaged after {rows} rows, or have a type that is not read"
        ))
        .hint("write or transfer them again, or write them as Parquet")
    };
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(polars::error::PolarsError::IO { error, .. })) => {
            // What the store said, and not the decoder.
            match Arc::try_unwrap(error).map(okuo_error) {
                Ok(Ok(own)) => Err(own),
                _ => Err(damaged()),
            }
        }
        Ok(Err(error)) => Err(damaged().source(error)),
        Err(_) => Err(damaged()),
    }
}

/// A stream that knows where it is, and goes forward only.
struct ForwardReader {
    bytes: BoxedRead,
    at: u64,
}

impl ForwardReader {
    /// At the stream's first message, which a file has after its magic.
    fn of(stream: ByteStream) -> Result<Self> {
        let bytes = std::io::BufReader::with_capacity(1 << 16, stream.into_read()?);
        let mut reader = Self {
            bytes: Box::new(bytes),
            at: 0,
        };
        let mut beginning = [0; FILE_START as usize];
        guarded(0, || Ok(reader.read_exact(&mut beginning)?))?;
        if !beginning.starts_with(FILE_MAGIC) {
            let rest = std::mem::replace(&mut reader.bytes, Box::new(std::io::empty()));
            reader.bytes = Box::new(std::io::Cursor::new(beginning).chain(rest));
        }
        reader.at = 0;
        Ok(reader)
    }
}

impl Read for ForwardReader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let read = self.bytes.read(out)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for ForwardReader {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let SeekFrom::Current(by) = to else {
            return Err(std::io::ErrorKind::Unsupported.into());
        };
        let by = u64::try_from(by).map_err(|_| std::io::ErrorKind::Unsupported)?;
        let skipped = std::io::copy(&mut (&mut self.bytes).take(by), &mut std::io::sink())?;
        self.at += skipped;
        if skipped < by {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(self.at)
    }
}
