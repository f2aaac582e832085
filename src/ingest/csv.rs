//! CSV: decompressed in chunks, and read field by field so that each bad value has its row and
//! column.
//!
//! polars' CSV reader is not used here: it refuses a whole file for one bad line, or takes it
//! silently, and does not say the row.

mod records;

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::Columns;
use super::cause::{Cause, Role};
use super::dictionary::Raw;
use super::lines::{Batch, Lines, Quantity};
use super::schema::Positions;
use super::time::Moment;
use crate::error::{Error, Result};
use records::{Field, Record, Step};

/// How much is decompressed at a time, in bytes.
const CHUNK: usize = 1 << 20;

/// The longest line, in bytes: beyond it a quote must have been left open.
const MAX_RECORD: usize = 1 << 24;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The most bytes that tell how a file is compressed.
pub(super) const LONGEST_MAGIC: usize = ZSTD.len();

/// One object as it is read, some lines at a time.
pub(super) struct CsvReader {
    source: Box<dyn Read + Send>,
    /// How it is compressed; empty if it is not.
    format: &'static str,
    table: Table,
    buffer: Vec<u8>,
    filled: usize,
    has_ended: bool,
}

impl CsvReader {
    /// An object of a name, from its first byte on.
    ///
    /// The first bytes, of which `start` are some, say how it is compressed, not the name: S3
    /// clients decompress on the way where an object's headers ask for it. Only an object shorter
    /// than that is taken at its name's word. `lines` takes the lines.
    pub(super) fn new(
        name: &str,
        start: &[u8],
        source: impl Read + Send + 'static,
        columns: &Columns,
        lines: Lines,
    ) -> Result<Self> {
        let name = name.to_ascii_lowercase();
        let is = |magic: &[u8], ending: &str| {
            start.starts_with(magic)
                || (name.ends_with(ending) && !start.is_empty() && magic.starts_with(start))
        };
        let (source, format): (Box<dyn Read + Send>, _) = if is(GZIP, ".gz") {
            (Box::new(MultiGzDecoder::new(source)), "gzip")
        } else if is(ZSTD, ".zst") {
            let decoder = zstd::stream::read::Decoder::new(source);
            (
                Box::new(
                    decoder.map_err(|error| Error::system("zstd could not start").source(error))?,
                ),
                "zstd",
            )
        } else {
            (Box::new(source), "")
        };
        let table = Table {
            columns: columns.clone(),
            lines,
            header: None,
            row: 0,
            record: Record::default(),
        };
        Ok(Self {
            source,
            format,
            table,
            buffer: vec![0; CHUNK],
            filled: 0,
            has_ended: false,
        })
    }

    /// Whether it has a column of quantities.
    pub(super) fn has_quantity(&self) -> bool {
        self.table
            .header
            .as_ref()
            .is_some_and(|header| header.positions.quantity.is_some())
    }

    /// The lines that follow, and whether they are the last.
    ///
    /// Reads chunk by chunk, decompressing where there is a format; whole lines are taken, the rest
    /// waits for the next chunk.
    pub(super) fn read(&mut self) -> Result<(Batch, bool)> {
        while !self.table.lines.are_many() && !self.has_ended {
            self.read_chunk()?;
        }
        Ok((self.table.lines.hand_on(), self.has_ended))
    }

    fn read_chunk(&mut self) -> Result<()> {
        let Self {
            source,
            format,
            table,
            buffer,
            filled,
            has_ended,
        } = self;
        if *filled == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        // A decoder may give little at a time; lines are looked for only in a full buffer.
        while *filled < buffer.len() && !*has_ended {
            match source.read(buffer.get_mut(*filled..).unwrap_or_default()) {
                Ok(read) => {
                    *filled += read;
                    *has_ended = read == 0;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                // What the store said, and not the decoder.
                Err(error)
                    if format.is_empty()
                        || error.get_ref().is_some_and(|inner| inner.is::<Error>()) =>
                {
                    return Err(Error::system("the object cannot be read to its end").source(error));
                }
                Err(error) => {
                    return Err(Error::input(format!(
                        "the {format} data are truncated or damaged after {} good lines",
                        table.row
                    ))
                    .source(error)
                    .hint("write or transfer the object again"));
                }
            }
        }
        let taken = match table.take(buffer.get(..*filled).unwrap_or_default(), *has_ended) {
            Ok(taken) => taken,
            // Damaged data may look like a slip in a line until their checksum comes at the end.
            Err(_)
                if !format.is_empty() && std::io::copy(source, &mut std::io::sink()).is_err() =>
            {
                return Err(Error::input(format!(
                    "the {format} data are damaged after {} lines or before",
                    table.row
                ))
                .hint("write or transfer the object again"));
            }
            Err(error) => return Err(error),
        };
        buffer.copy_within(taken..*filled, 0);
        *filled -= taken;
        Ok(())
    }
}

/// What the first line says.
struct Header {
    separator: u8,
    width: usize,
    positions: Positions,
}

/// The lines of an object.
struct Table {
    columns: Columns,
    lines: Lines,
    header: Option<Header>,
    row: u64,
    record: Record,
}

impl Table {
    /// Takes the lines at the start of `data`, all if it is the `last` part; how many bytes were
    /// taken.
    fn take(&mut self, data: &[u8], last: bool) -> Result<usize> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(header) = &self.header else {
                match self.header_line(rest, last)? {
                    Some(len) => at += len,
                    None => break,
                }
                continue;
            };
            match self.record.read(rest, header.separator, last) {
                Step::Blank { len } => at += len,
                Step::Record { len } => {
                    self.row += 1;
                    self.line(rest)?;
                    at += len;
                }
                Step::Incomplete if rest.len() < MAX_RECORD => break,
                Step::Incomplete | Step::Unclosed => {
                    return Err(Error::input("a quote is opened and never closed")
                        .row(self.row + 1)
                        .hint("close it, or double it if it belongs to the text"));
                }
            }
        }
        Ok(at)
    }

    /// Reads the header; the bytes that it takes, or `None` if it is not complete.
    fn header_line(&mut self, data: &[u8], last: bool) -> Result<Option<usize>> {
        if matches!(data, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            return Err(Error::input("the file is UTF-16").hint("write it as UTF-8"));
        }
        let text = data.strip_prefix(UTF8_MARK).unwrap_or(data);
        let mark = data.len() - text.len();
        let mut best: Option<(usize, u8, Vec<String>, usize)> = None;
        for separator in [b',', b';', b'\t', b'|'] {
            match self.record.read(text, separator, last) {
                Step::Blank { len } => return Ok(Some(mark + len)),
                Step::Incomplete if text.len() < MAX_RECORD => return Ok(None),
                Step::Incomplete | Step::Unclosed => {
                    return Err(Error::input("the header line does not end")
                        .hint("is this a CSV file, and are its quotes closed?"));
                }
                Step::Record { len } => {
                    let names: Vec<String> = self
                        .record
                        .fields()
                        .iter()
                        .map(|field| {
                            String::from_utf8_lossy(&field.bytes(text))
                                .trim_ascii()
                                .to_owned()
                        })
                        .collect();
                    // The separator that finds the most of the mapped columns, then the one that
                    // makes the most fields.
                    let mapped = [Role::Customer, Role::Product, Role::Time, Role::Quantity];
                    let found = mapped
                        .into_iter()
                        .filter(|role| names.iter().any(|name| name == self.columns.name(*role)))
                        .count();
                    let score = found * 10_000 + names.len().min(9_999);
                    if best.as_ref().is_none_or(|(former, ..)| score > *former) {
                        best = Some((score, separator, names, mark + len));
                    }
                }
            }
        }
        let Some((_, separator, names, len)) = best else {
            return Ok(None);
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let positions = Positions::find(&self.columns, &names).map_err(|error| {
            // Columns that nobody asks for may be named in any way.
            let unreadable = names
                .iter()
                .any(|name| name.contains(char::REPLACEMENT_CHARACTER));
            if unreadable {
                Error::input("the header line is not UTF-8, and lacks a column")
                    .hint("write the file as UTF-8, or convert it with iconv")
            } else {
                error
            }
        })?;
        self.header = Some(Header {
            separator,
            width: names.len(),
            positions,
        });
        Ok(Some(len))
    }

    /// Takes the record that was just read from the start of `data`.
    fn line(&mut self, data: &[u8]) -> Result<()> {
        let Some(header) = &self.header else {
            return Ok(());
        };
        let fields = self.record.fields();
        let cause = if self.record.broken() {
            Some(Cause::BrokenQuotes)
        } else if fields.len() != header.width {
            Some(Cause::FieldCount)
        } else {
            let field = |at: usize| {
                fields
                    .get(at)
                    .map_or(Cow::Borrowed(&[][..]), |field| field.bytes(data))
            };
            let positions = header.positions;
            let quantity = match positions.quantity {
                Some(at) => Quantity::of(&field(at), header.separator != b','),
                None => Quantity::Absent,
            };
            let time = field(positions.time);
            let moment = std::str::from_utf8(&time).map_or(Moment::Unreadable, Moment::of);
            self.lines.take(
                moment,
                id(&field(positions.customer)),
                id(&field(positions.product)),
                quantity,
            )?
        };
        if let Some(cause) = cause {
            let (columns, positions) = (&self.columns, header.positions);
            self.lines.bad(cause, self.row, |role| {
                let field = role
                    .and_then(|role| positions.of(role))
                    .and_then(|at| fields.get(at));
                let value = field.map_or(Cow::Borrowed(self.record.text(data)), |field: &Field| {
                    field.bytes(data)
                });
                (
                    role.map(|role| columns.name(role)),
                    format!("\"{}\"", String::from_utf8_lossy(&value)),
                )
            });
        }
        Ok(())
    }
}

fn id(field: &[u8]) -> Raw<'_> {
    std::str::from_utf8(field).map_or(Raw::NotText, Raw::Untyped)
}
