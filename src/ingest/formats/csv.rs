//! CSV: read field by field, so that each bad value has its row and column.
//!
//! polars' CSV reader is not used here: it refuses a whole file for one bad line, or takes it
//! silently, and does not say the row.

mod footer;
mod header;
mod layout;
mod list_field;
mod odd_record;
mod records;
mod refusal;
mod sample;
mod shape;
mod split_lines;
mod swallowed;

use std::borrow::Cow;
use std::sync::Arc;

use encoding_rs::Encoding;

use super::{Access, ChunkDecoder, InputFormat};
use crate::error::Result;
use crate::ingest::chunk::ChunkRequest;
use crate::ingest::columns::{ColumnRole, QuantityPresence, WantedColumns};
use crate::ingest::decoded_line::{DecodedLine, LineFacts, Quantity};
use crate::ingest::encoding::{UTF8_MARK, encoding_named};
use crate::ingest::first_header::{FirstHeader, HeaderNames};
use crate::ingest::ids::RawId;
use crate::ingest::line_checker::LineChecker;
use crate::ingest::rejects::RejectedValue;
use crate::ingest::row_reader::{Cell, Row};
use crate::ingest::sample::TableSample;
use crate::ingest::source::Source;
use crate::ingest::stream::ByteStream;
use crate::ingest::{InputOptions, NeededDays, Quotes};
use footer::HeldRecords;
use header::CsvHeader;
use layout::{Beginning, MAX_RECORD, layout};
use records::{RecordScanner, ScannedRecord};

/// Separated values.
#[derive(Debug)]
pub(super) struct Csv;

impl InputFormat for Csv {
    fn endings(&self) -> &'static [&'static str] {
        &[".csv"]
    }

    fn access(&self) -> Access {
        Access::Stream
    }

    /// Any bytes may be text of some kind; the header line tells.
    fn sniff(&self, _name: &str, _first_bytes: &[u8]) -> bool {
        true
    }

    fn open(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        _days: NeededDays,
    ) -> Result<Vec<ChunkRequest>> {
        let options = CsvOptions::new(options)?;
        let parser = CsvParser {
            columns: options.columns(source),
            first_header: source.first_header().cloned(),
            ..CsvParser::new(options)
        };
        Ok(vec![ChunkRequest::stream(source, move |stream| {
            Box::new(CsvDecoder {
                stream: stream.into_text(parser.options.encoding),
                parser,
            })
        })])
    }

    fn sample(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        rows: usize,
    ) -> Result<TableSample> {
        let options = CsvOptions::new(options)?;
        let stream = source.stream().into_text(options.encoding);
        sample::sample(stream, &options, rows).map_err(|error| error.object(&**source.name()))
    }

    fn header(&self, source: &Source, options: &InputOptions) -> Option<HeaderNames> {
        let options = CsvOptions::new(options).ok()?;
        let mut stream = source.stream().into_text(options.encoding);
        stream.fill(0).ok()?;
        let columns = options.columns(source);
        match layout(
            stream.data(),
            stream.has_ended(),
            &columns,
            &options,
            &|| None,
        )
        .ok()?
        {
            Beginning::Known(layout) => Some(HeaderNames {
                separator: layout.header.style.separator,
                names: layout.header.names,
            }),
            Beginning::Incomplete | Beginning::Empty => None,
        }
    }
}

/// What the settings say of CSV.
#[derive(Debug, Clone)]
struct CsvOptions {
    input: InputOptions,
    encoding: Option<&'static Encoding>,
    has_quotes: bool,
}

impl CsvOptions {
    fn new(options: &InputOptions) -> Result<Self> {
        Ok(Self {
            input: options.clone(),
            encoding: options
                .encoding
                .as_deref()
                .map(encoding_named)
                .transpose()?,
            has_quotes: options.quotes == Quotes::Auto,
        })
    }

    /// The columns that are looked for in an object.
    fn columns(&self, source: &Source) -> WantedColumns {
        WantedColumns::new(&self.input, source.name())
    }
}

/// Decodes an object, one buffer of whole lines after the other.
struct CsvDecoder {
    stream: ByteStream,
    parser: CsvParser,
}

impl ChunkDecoder for CsvDecoder {
    fn decode(&mut self, lines: &mut LineChecker) -> Result<bool> {
        let Self { stream, parser } = self;
        stream.fill(parser.row)?;
        match parser.parse(stream.data(), stream.has_ended(), lines) {
            Ok(len) => stream.consume(len),
            Err(error) => return Err(stream.damage(parser.row).unwrap_or(error)),
        }
        Ok(!stream.has_ended())
    }

    fn quantity(&self) -> QuantityPresence {
        let header = self.parser.header.as_ref();
        header.map_or_else(QuantityPresence::default, |header| {
            header.rows.columns().quantity()
        })
    }
}

/// Text becomes lines.
struct CsvParser {
    options: CsvOptions,
    columns: WantedColumns,
    /// The header that holds for objects without one.
    first_header: Option<Arc<FirstHeader>>,
    header: Option<Arc<CsvHeader>>,
    /// Rows that were read.
    row: u64,
    /// Of those, lines of data that are whole.
    whole_rows: u64,
    record: RecordScanner,
    held: HeldRecords,
}

impl CsvParser {
    fn new(options: CsvOptions) -> Self {
        Self {
            columns: WantedColumns::new(&options.input, ""),
            options,
            first_header: None,
            header: None,
            row: 0,
            whole_rows: 0,
            record: RecordScanner::default(),
            held: HeldRecords::default(),
        }
    }

    /// Adds the lines at the start of `data` to `lines`, all of them if no data follow (`last`).
    /// Returns how many bytes they are.
    fn parse(&mut self, data: &[u8], last: bool, lines: &mut LineChecker) -> Result<usize> {
        let mut at = match self.header {
            Some(_) => 0,
            None => self.begin(data, last, lines)?,
        };
        let Some(mut header) = self.header.clone() else {
            return Ok(at);
        };
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            if rest.starts_with(UTF8_MARK) {
                // Of a file that was put behind another.
                at += UTF8_MARK.len();
                continue;
            }
            match self.record.read(rest, &header.style, last) {
                ScannedRecord::Blank { len } => at += len,
                ScannedRecord::Record { len }
                    if self.record.is_plain(header.width) && !header.is_odd(&self.record, rest) =>
                {
                    self.add_whole(&header, rest, lines)?;
                    at += len;
                }
                ScannedRecord::Incomplete if rest.len() < MAX_RECORD => break,
                scanned => {
                    at += self.add_odd(&mut header, rest, scanned, last, lines)?;
                }
            }
        }
        if last {
            self.finish(&header, lines)?;
        }
        Ok(at)
    }

    /// Finds out how the object is written. Returns how many bytes stand before the data.
    fn begin(&mut self, data: &[u8], last: bool, lines: &mut LineChecker) -> Result<usize> {
        let lent = || self.first_header.as_ref()?.get();
        let found = match layout(data, last, &self.columns, &self.options, &lent)? {
            Beginning::Incomplete => return Ok(0),
            Beginning::Empty => return Ok(data.len()),
            Beginning::Known(found) => *found,
        };
        let rest = data.get(found.len..).unwrap_or_default();
        if let Some(error) = found.header.lists_of_products(rest, last) {
            return Err(error);
        }
        lines.note_layout(found.titles, found.is_lent);
        self.header = Some(Arc::new(found.header));
        Ok(found.len)
    }

    /// Adds the record that was just read from the start of `data`, which is whole.
    #[inline]
    fn add_whole(
        &mut self,
        header: &CsvHeader,
        data: &[u8],
        lines: &mut LineChecker,
    ) -> Result<()> {
        if !self.held.is_empty() {
            self.release_held(header, lines)?;
        }
        self.row += 1;
        self.whole_rows += 1;
        header.add(self.row, &self.record, data, lines)
    }
}

impl CsvHeader {
    /// Adds a record that was read from the start of `data`.
    fn add(
        &self,
        row: u64,
        record: &RecordScanner,
        data: &[u8],
        lines: &mut LineChecker,
    ) -> Result<()> {
        let record = CsvRow { record, data };
        let Some(positions) = self.plain else {
            return self.rows.add(row, &record, lines);
        };
        let quantity = match positions.quantity {
            Some(at) => Quantity::of(&record.field(at), self.style.separator != b','),
            None => Quantity::Absent,
        };
        let customer = record.field(positions.customer);
        let product = record.field(positions.product);
        let line = DecodedLine {
            time: lines.time_rules().bytes(&record.field(positions.time)),
            customer: raw_id(&customer),
            product: raw_id(&product),
            quantity,
            takes_back: false,
            facts: LineFacts::NONE,
        };
        lines.add(row, line, |role| self.at_fault(record, role))
    }

    /// The name and the value of a column of a record, or all of the record.
    fn at_fault(
        &self,
        record: CsvRow<'_>,
        role: Option<ColumnRole>,
    ) -> (Option<&str>, RejectedValue) {
        let at = role.and_then(|role| self.plain?.of(role));
        let value = match at.and_then(|at| record.record.fields().get(at)) {
            Some(field) => RejectedValue::bytes(&field.bytes(record.data)),
            None => RejectedValue::bytes(record.record.text(record.data)),
        };
        (role.and_then(|role| self.rows.columns().name(role)), value)
    }
}

/// A record as a row of any format.
#[derive(Clone, Copy)]
struct CsvRow<'a> {
    record: &'a RecordScanner,
    data: &'a [u8],
}

impl<'a> CsvRow<'a> {
    #[inline]
    fn field(&self, at: usize) -> Cow<'a, [u8]> {
        let field = self.record.fields().get(at);
        field.map_or(Cow::Borrowed(&[]), |field| field.bytes(self.data))
    }
}

impl Row for CsvRow<'_> {
    fn cell(&self, at: usize) -> Cell<'_> {
        let Some(field) = self.record.fields().get(at) else {
            return Cell::Null;
        };
        match field.bytes(self.data) {
            Cow::Borrowed(bytes) => {
                std::str::from_utf8(bytes).map_or(Cell::NotText, |text| Cell::Untyped(text.into()))
            }
            Cow::Owned(bytes) => {
                String::from_utf8(bytes).map_or(Cell::NotText, |text| Cell::Untyped(text.into()))
            }
        }
    }
}

fn raw_id(field: &[u8]) -> RawId<'_> {
    std::str::from_utf8(field).map_or(RawId::NotText, RawId::Untyped)
}
