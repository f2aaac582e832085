//! JSON: an object a line, objects one after the other, or one array of objects.

mod late_keys;
mod nesting;
mod record;
mod split;

use std::sync::Arc;

use super::{Access, ChunkDecoder, InputFormat};
use crate::error::{Error, Result};
use crate::ingest::chunk::ChunkRequest;
use crate::ingest::columns::{FoundColumns, QuantityPresence, WantedColumns};
use crate::ingest::line_checker::LineChecker;
use crate::ingest::rejects::{RejectReason, RejectedValue};
use crate::ingest::row_reader::{Cell, RowReader};
use crate::ingest::sample::TableSample;
use crate::ingest::source::Source;
use crate::ingest::stream::ByteStream;
use crate::ingest::{InputOptions, NeededDays};
use late_keys::LateKeys;
use nesting::Nesting;
use record::{JsonColumns, keys_of};
use split::{JsonLayout, JsonRecord};

/// The longest object, in bytes.
const MAX_RECORD: usize = 1 << 24;

/// How many objects are looked at for their keys before the first is read.
const LOOKED_AT: usize = 10_000;

/// The most keys that the objects of a table may have.
const MAX_KEYS: usize = 10_000;

/// JSON lines and JSON.
#[derive(Debug)]
pub(super) struct JsonLines;

impl InputFormat for JsonLines {
    fn endings(&self) -> &'static [&'static str] {
        &[".jsonl", ".ndjson"]
    }

    fn access(&self) -> Access {
        Access::Stream
    }

    /// What is named so is read so: another content is an error, and not text.
    fn sniff(&self, name: &str, first_bytes: &[u8]) -> bool {
        split::is_json(first_bytes)
            || ((name.ends_with(".jsonl") || name.ends_with(".ndjson"))
                && !crate::ingest::archive::is_zip(first_bytes))
    }

    fn open(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        _days: NeededDays,
    ) -> Result<Vec<ChunkRequest>> {
        let wanted = WantedColumns::new(options, source.name());
        let again = Arc::clone(source);
        Ok(vec![ChunkRequest::stream(source, move |stream| {
            Box::new(JsonDecoder {
                source: again,
                stream,
                wanted,
                layout: None,
                table: None,
                is_closed: false,
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
        let mut stream = source.stream();
        let beginning = LineBeginning::read(&mut stream)?;
        let nested = beginning.nesting.advice();
        let LineBeginning {
            layout,
            mut columns,
            ..
        } = beginning;
        let mut sample = TableSample {
            columns: columns.names().to_vec(),
            types: vec![String::new(); columns.names().len()],
            notes: vec![layout.describe().to_owned()],
            nested,
            rows: vec![],
        };
        let everything: Vec<usize> = (0..columns.names().len()).collect();
        columns.want(&everything);
        let mut at = 0;
        let data = stream.data();
        while sample.rows.len() < rows {
            match layout.next(data.get(at..).unwrap_or_default(), stream.has_ended()) {
                JsonRecord::Object { start, len, end } => {
                    let object = data.get(at + start..at + start + len).unwrap_or_default();
                    at += end;
                    if let Ok(row) = columns.row(object) {
                        let texts = row
                            .iter()
                            .map(|cell| cell.text().map(|text| text.into_owned()));
                        sample.rows.push(texts.collect());
                    }
                }
                JsonRecord::Other => return Err(no_objects(1)),
                JsonRecord::Incomplete { .. } => break,
            }
        }
        Ok(sample)
    }
}

/// Decodes an object, one buffer of whole records after the other.
struct JsonDecoder {
    /// The object, to be looked through for keys.
    source: Arc<Source>,
    stream: ByteStream,
    wanted: WantedColumns,
    /// How the records follow each other; known from the first bytes on.
    layout: Option<JsonLayout>,
    /// Where the wanted columns are.
    table: Option<JsonTable>,
    /// Whether what was read so far ends with the bracket of an array.
    is_closed: bool,
    /// Records that were read.
    row: u64,
}

impl ChunkDecoder for JsonDecoder {
    fn decode(&mut self, lines: &mut LineChecker) -> Result<bool> {
        match self.decode_buffer(lines) {
            Err(error) => Err(self.stream.damage(self.row).unwrap_or(error)),
            goes_on => goes_on,
        }
    }

    fn quantity(&self) -> QuantityPresence {
        let table = self.table.as_ref();
        table.map_or_else(QuantityPresence::default, |table| {
            table.rows.columns().quantity()
        })
    }
}

impl JsonDecoder {
    fn decode_buffer(&mut self, lines: &mut LineChecker) -> Result<bool> {
        let Some(layout) = self.layout else {
            return self.begin(lines);
        };
        self.stream.fill(self.row)?;
        let data = self.stream.data();
        let is_last = self.stream.has_ended();
        let mut at = 0;
        loop {
            let rest = data.get(at..).unwrap_or_default();
            match layout.next(rest, is_last) {
                JsonRecord::Object { start, len, end } => {
                    let object = rest.get(start..start + len).unwrap_or_default();
                    self.row += 1;
                    add(
                        &mut self.table,
                        &self.wanted,
                        layout,
                        (self.row, object),
                        lines,
                    )?;
                    at += end;
                }
                JsonRecord::Incomplete { skipped } => {
                    at += skipped;
                    break;
                }
                JsonRecord::Other => return Err(no_objects(self.row + 1)),
            }
        }
        let rest = data.len() - at;
        if is_last && rest > 0 {
            return Err(cut_off(self.row));
        }
        if rest >= MAX_RECORD {
            return Err(too_long(self.row + 1));
        }
        if let Some(last) = data.get(..at).unwrap_or_default().trim_ascii_end().last() {
            self.is_closed = *last == b']';
        }
        if is_last && layout == JsonLayout::Array && !self.is_closed {
            return Err(cut_off(self.row));
        }
        self.stream.consume(at);
        Ok(!is_last)
    }

    /// Finds the wanted columns by the keys of the first objects.
    fn begin(&mut self, lines: &mut LineChecker) -> Result<bool> {
        let LineBeginning {
            layout,
            mut columns,
            nesting,
        } = LineBeginning::read(&mut self.stream)?;
        self.layout = Some(layout);
        if columns.names().is_empty() {
            return Ok(true);
        }
        let found = self.find(&mut columns, &nesting)?;
        let mut without_cell = nesting.without_cell.iter();
        if let Some(name) = without_cell.find(|name| found.has_name(name)) {
            return Err(no_values(name, nesting.is_alone));
        }
        // Any of the names may come later.
        columns.add(self.wanted.alternatives(&found));
        let names: Vec<&str> = columns.names().iter().map(String::as_str).collect();
        let others = self.wanted.other_positions(&names)?;
        if let Some(warning) = self.wanted.warning_of_alike(&names) {
            lines.warn(&warning);
        }
        columns.want(&found.fields());
        columns.want(&others.iter().map(|(_, other)| *other).collect::<Vec<_>>());
        self.table = Some(JsonTable {
            columns,
            others,
            rows: RowReader::new(found, false),
        });
        Ok(true)
    }
}

impl JsonDecoder {
    /// Finds the wanted columns among the keys. A key that no object has that was looked at may come
    /// later: then all objects are looked at, until it comes.
    fn find(&self, columns: &mut JsonColumns, nesting: &Nesting) -> Result<FoundColumns> {
        let error = match find_columns(&self.wanted, columns) {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        LateKeys {
            stream: self.source.stream(),
            columns,
        }
        .look_until(|columns| find_columns(&self.wanted, columns).is_ok());
        find_columns(&self.wanted, columns).map_err(|_| match nesting.advice() {
            Some(advice) if error.lacks_columns() => error.advised_first(&advice),
            _ => error,
        })
    }
}

/// Finds the wanted columns among the keys that are known.
fn find_columns(wanted: &WantedColumns, columns: &JsonColumns) -> Result<FoundColumns> {
    let names: Vec<&str> = columns.names().iter().map(String::as_str).collect();
    wanted.find(&names)
}

/// How objects become lines.
struct JsonTable {
    columns: JsonColumns,
    /// Where a column has several names: the position of the first, and of each other. Objects may
    /// have any of them.
    others: Vec<(usize, usize)>,
    rows: RowReader,
}

impl JsonTable {
    /// The wanted cells of an object, each under the first name of its column.
    fn cells<'o>(&mut self, object: &'o [u8]) -> serde_json::Result<Vec<Cell<'o>>> {
        let mut cells = self.columns.row(object)?;
        for (first, other) in &self.others {
            if cells.get(*first) == Some(&Cell::Null) && *other < cells.len() {
                cells.swap(*first, *other);
            }
        }
        Ok(cells)
    }
}

/// What the first objects say.
#[derive(Debug)]
struct LineBeginning {
    layout: JsonLayout,
    /// Their keys, in the order in which they come.
    columns: JsonColumns,
    nesting: Nesting,
}

impl LineBeginning {
    /// Reads the first objects, and leaves them in the buffer.
    ///
    /// # Errors
    /// If they are no objects, too long, or have too many keys.
    fn read(stream: &mut ByteStream) -> Result<Self> {
        stream.fill(0)?;
        if stream.data().starts_with(b"\xef\xbb\xbf") {
            stream.consume(3);
        }
        loop {
            let (beginning, objects) = Self::of(stream.data(), stream.has_ended())?;
            if beginning.columns.names().len() > MAX_KEYS {
                return Err(
                    Error::input("the JSON objects have more than 10,000 different keys").hint(
                        "write one object for each line of a ticket, each with the same keys",
                    ),
                );
            }
            if objects > 0 || stream.has_ended() {
                return Ok(beginning);
            }
            if stream.data().len() >= MAX_RECORD {
                return Err(too_long(1));
            }
            stream.fill(0)?;
        }
    }

    /// What the objects at the beginning of `data` say, and how many they are.
    fn of(data: &[u8], is_last: bool) -> Result<(Self, usize)> {
        let mut beginning = Self {
            layout: JsonLayout::of(data),
            columns: JsonColumns::default(),
            nesting: Nesting::default(),
        };
        let mut at = 0;
        let mut objects = 0;
        while objects < LOOKED_AT {
            match beginning
                .layout
                .next(data.get(at..).unwrap_or_default(), is_last)
            {
                JsonRecord::Object { start, len, end } => {
                    let object = data.get(at + start..at + start + len).unwrap_or_default();
                    beginning.add(object, objects == 0);
                    objects += 1;
                    at += end;
                }
                JsonRecord::Incomplete { .. } => break,
                // Told when it is read, if the columns are there at all.
                JsonRecord::Other if objects > 0 => break,
                JsonRecord::Other => return Err(no_objects(1)),
            }
        }
        beginning.nesting.is_alone = is_last && objects == 1;
        Ok((beginning, objects))
    }

    fn add(&mut self, object: &[u8], is_first: bool) {
        // What is no object is told when it is read.
        let Ok(keys) = keys_of(object) else {
            return;
        };
        let nesting = &mut self.nesting;
        nesting.rows = nesting.rows.take().or(keys.nested);
        nesting.object = nesting.object.take().or(keys.object);
        self.columns.add(keys.names);
        if is_first {
            nesting.without_cell = keys.without_cell;
        }
    }
}

/// Adds one object to the lines.
fn add(
    table: &mut Option<JsonTable>,
    wanted: &WantedColumns,
    layout: JsonLayout,
    (row, object): (u64, &[u8]),
    lines: &mut LineChecker,
) -> Result<()> {
    let Some(table) = table else {
        return bad_record(layout, row, object, lines);
    };
    let Ok(cells) = table.cells(object) else {
        return bad_record(layout, row, object, lines);
    };
    table.rows.add(row, &cells, lines)?;
    let rows = &table.rows;
    let late = table.columns.take_new_keys().into_iter().find(|key| {
        wanted.count_present(std::slice::from_ref(key)) > 0 && !rows.columns().has_name(key)
    });
    match late {
        Some(key) => Err(Error::input(
            "the column is missing in the first objects, and begins here",
        )
        .row(row)
        .column(key)
        .hint("write the key in every object, with null where there is no value")),
        None => Ok(()),
    }
}

/// What cannot be read is a bad line, or the end where records have no ends of their own.
fn bad_record(layout: JsonLayout, row: u64, object: &[u8], lines: &mut LineChecker) -> Result<()> {
    if layout != JsonLayout::Lines {
        return Err(Error::input("this is no JSON object")
            .row(row)
            .hint("check the file with jq, or write one object a line"));
    }
    lines.reject(row, RejectReason::NotJson, |_| {
        (None, RejectedValue::bytes(object))
    });
    Ok(())
}

fn no_objects(row: u64) -> Error {
    Error::input("the JSON is no table: its rows should be objects, {\"customer_id\": …}")
        .row(row)
        .hint("write an object for each line of a ticket, for example with jq -c")
        .for_lack_of_columns()
}

/// The error of a wanted column that has objects or arrays in it.
fn no_values(name: &str, is_alone: bool) -> Error {
    let error = Error::input("the value is a JSON object or array, and no text or number")
        .row(1)
        .column(name);
    if is_alone {
        return error.hint("the table seems to be written column by column: write its rows, in pandas with to_json(FILE, orient=\"records\", lines=True)");
    }
    error.hint(format!(
        "write the value itself, for example jq -c '.{name} = .{name}.id' FILE | okuo … --input -"
    ))
}

fn cut_off(rows: u64) -> Error {
    Error::input(format!(
        "the JSON ends in the middle, after {rows} whole objects"
    ))
    .hint("it is truncated: write or transfer it again")
}

fn too_long(row: u64) -> Error {
    Error::input("an object of the JSON has more than 16 MiB")
        .row(row)
        .hint("write an object for each line of a ticket; rows below a key are piped with jq -c '.KEY[]' FILE | okuo … --input -")
}
