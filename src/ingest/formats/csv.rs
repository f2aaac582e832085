//! CSV: read field by field, so that each bad value has its row and column.
//!
//! polars' CSV reader is not used here: it refuses a whole file for one bad line, or takes it
//! silently, and does not say the row.

mod header;
mod records;

use std::borrow::Cow;
use std::sync::Arc;

use super::{Access, ChunkDecoder, InputFormat};
use crate::error::{Error, Result};
use crate::ingest::chunk::ChunkRequest;
use crate::ingest::columns::{ColumnRole, WantedColumns};
use crate::ingest::decoded_line::{DecodedLine, LineFacts, Quantity};
use crate::ingest::ids::RawId;
use crate::ingest::line_checker::LineChecker;
use crate::ingest::rejects::{RejectReason, RejectedValue};
use crate::ingest::row_reader::{Cell, Row};
use crate::ingest::source::Source;
use crate::ingest::stream::ByteStream;
use crate::ingest::time::ParsedTime;
use crate::ingest::{InputOptions, NeededDays};
use header::CsvHeader;
use records::{RecordScanner, ScannedRecord};

/// The longest line, in bytes: beyond it a quote must have been left open.
const MAX_RECORD: usize = 1 << 24;

/// Separated values with a header line.
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
        let columns = WantedColumns::new(options, source.name());
        Ok(vec![ChunkRequest::stream(source, |stream| {
            Box::new(CsvDecoder {
                stream,
                parser: CsvParser::new(columns),
            })
        })])
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

    fn has_quantity(&self) -> bool {
        let header = self.parser.header.as_ref();
        header.is_some_and(|header| header.rows.columns().of(ColumnRole::Quantity).is_some())
    }
}

/// Text becomes lines.
struct CsvParser {
    columns: WantedColumns,
    header: Option<CsvHeader>,
    /// Rows that were read.
    row: u64,
    record: RecordScanner,
}

impl CsvParser {
    fn new(columns: WantedColumns) -> Self {
        Self {
            columns,
            header: None,
            row: 0,
            record: RecordScanner::default(),
        }
    }

    /// Adds the lines at the start of `data` to `lines`, all of them if no data follow (`last`).
    /// Returns how many bytes they are.
    fn parse(&mut self, data: &[u8], last: bool, lines: &mut LineChecker) -> Result<usize> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(header) = &self.header else {
                match CsvHeader::read(rest, last, &self.columns, &mut self.record)? {
                    Some((len, header)) => {
                        at += len;
                        self.header = header;
                    }
                    None => break,
                }
                continue;
            };
            match self.record.read(rest, header.separator, last) {
                ScannedRecord::Blank { len } => at += len,
                ScannedRecord::Record { len } => {
                    self.row += 1;
                    self.add_record(header, rest, lines)?;
                    at += len;
                }
                ScannedRecord::Incomplete if rest.len() < MAX_RECORD => break,
                ScannedRecord::Incomplete | ScannedRecord::Unclosed => {
                    return Err(Error::input("a quote is opened and never closed")
                        .row(self.row + 1)
                        .hint("close it, or double it if it belongs to the text"));
                }
            }
        }
        Ok(at)
    }

    /// Adds the record that was just read from the start of `data`.
    fn add_record(&self, header: &CsvHeader, data: &[u8], lines: &mut LineChecker) -> Result<()> {
        let reason = if self.record.broken() {
            Some(RejectReason::BrokenQuotes)
        } else if self.record.fields().len() != header.width {
            Some(RejectReason::FieldCount)
        } else {
            None
        };
        if let Some(reason) = reason {
            lines.reject(self.row, reason, |role| self.at_fault(header, data, role));
            return Ok(());
        }
        let Some(positions) = header.plain else {
            let row = CsvRow {
                record: &self.record,
                data,
            };
            return header.rows.add(self.row, &row, lines);
        };
        let quantity = match positions.quantity {
            Some(at) => Quantity::of(&self.field(data, at), header.separator != b','),
            None => Quantity::Absent,
        };
        let customer = self.field(data, positions.customer);
        let product = self.field(data, positions.product);
        let line = DecodedLine {
            time: ParsedTime::of_bytes(&self.field(data, positions.time)),
            customer: raw_id(&customer),
            product: raw_id(&product),
            quantity,
            takes_back: false,
            facts: LineFacts::NONE,
        };
        lines.add(self.row, line, |role| self.at_fault(header, data, role))
    }

    /// A field of the present record.
    #[inline]
    fn field<'d>(&self, data: &'d [u8], at: usize) -> Cow<'d, [u8]> {
        let field = self.record.fields().get(at);
        field.map_or(Cow::Borrowed(&[]), |field| field.bytes(data))
    }

    /// The name and the value of a column of the present record, or all of the record.
    fn at_fault<'h>(
        &self,
        header: &'h CsvHeader,
        data: &[u8],
        role: Option<ColumnRole>,
    ) -> (Option<&'h str>, RejectedValue) {
        let field = role
            .and_then(|role| header.plain?.of(role))
            .and_then(|at| self.record.fields().get(at));
        let value = match field {
            Some(field) => RejectedValue::bytes(&field.bytes(data)),
            None => RejectedValue::bytes(self.record.text(data)),
        };
        (
            role.and_then(|role| header.rows.columns().name(role)),
            value,
        )
    }
}

/// A record as a row of any format.
struct CsvRow<'a> {
    record: &'a RecordScanner,
    data: &'a [u8],
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
