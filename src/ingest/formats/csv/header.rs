//! The header line of a CSV object.

use super::MAX_RECORD;
use super::records::{RecordScanner, ScannedRecord};
use crate::error::{Error, Result};
use crate::ingest::columns::{PlainPositions, WantedColumns};
use crate::ingest::row_reader::RowReader;

/// The byte-order mark of UTF-8.
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The separators that are looked for, the likeliest first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// More fields than these make a separator no more likely.
const MOST_FIELDS: usize = 9_999;

/// What the first line says.
pub(super) struct CsvHeader {
    pub(super) separator: u8,
    /// How many fields a line has.
    pub(super) width: usize,
    /// The positions of the columns, if no more are wanted than nearly all files have.
    pub(super) plain: Option<PlainPositions>,
    /// What makes lines of the rows, whatever is wanted.
    pub(super) rows: RowReader,
}

impl CsvHeader {
    /// Reads the header at the start of `data`; no data follow if they are the `last`. Returns the
    /// line's length in bytes, and no header if the line is empty. `None` if the line is not
    /// complete.
    ///
    /// # Errors
    /// If the line does not end, is not UTF-8, or lacks a column.
    pub(super) fn read(
        data: &[u8],
        last: bool,
        columns: &WantedColumns,
        record: &mut RecordScanner,
    ) -> Result<Option<(usize, Option<Self>)>> {
        if matches!(data, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            return Err(Error::input("the file is UTF-16").hint("write it as UTF-8"));
        }
        let text = data.strip_prefix(UTF8_MARK).unwrap_or(data);
        let mark = data.len() - text.len();
        let mut best: Option<SplitHeader> = None;
        for separator in SEPARATORS {
            match record.read(text, separator, last) {
                ScannedRecord::Blank { len } => return Ok(Some((mark + len, None))),
                ScannedRecord::Incomplete if text.len() < MAX_RECORD => return Ok(None),
                ScannedRecord::Incomplete | ScannedRecord::Unclosed => {
                    return Err(Error::input("the header line does not end")
                        .hint("is this a CSV file, and are its quotes closed?"));
                }
                ScannedRecord::Record { len } => {
                    let candidate = SplitHeader::new(separator, mark + len, text, record, columns);
                    if best
                        .as_ref()
                        .is_none_or(|best| candidate.score > best.score)
                    {
                        best = Some(candidate);
                    }
                }
            }
        }
        match best {
            Some(best) => Ok(Some((best.len, Some(best.header(columns)?)))),
            None => Ok(None),
        }
    }
}

/// The header line as one separator divides it.
struct SplitHeader {
    score: usize,
    separator: u8,
    /// Bytes of the line.
    len: usize,
    names: Vec<String>,
}

impl SplitHeader {
    fn new(
        separator: u8,
        len: usize,
        text: &[u8],
        record: &RecordScanner,
        columns: &WantedColumns,
    ) -> Self {
        let names: Vec<String> = record
            .fields()
            .iter()
            .map(|field| {
                let name = field.bytes(text);
                String::from_utf8_lossy(&name).trim_ascii().to_owned()
            })
            .collect();
        // The separator that finds the most of the named columns, then the one that makes the most
        // fields.
        let found = columns.count_present(&names);
        Self {
            score: found * (MOST_FIELDS + 1) + names.len().min(MOST_FIELDS),
            separator,
            len,
            names,
        }
    }

    fn header(&self, columns: &WantedColumns) -> Result<CsvHeader> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let found = columns.find(&names).map_err(|error| {
            // Columns that nobody asks for may be named in any way.
            let is_unreadable = names
                .iter()
                .any(|name| name.contains(char::REPLACEMENT_CHARACTER));
            if is_unreadable {
                Error::input("the header line is not UTF-8, and lacks a column")
                    .hint("write the file as UTF-8, or convert it with iconv")
            } else {
                error
            }
        })?;
        Ok(CsvHeader {
            separator: self.separator,
            width: names.len(),
            plain: found.plain(),
            rows: RowReader::new(found, self.separator != b','),
        })
    }
}
