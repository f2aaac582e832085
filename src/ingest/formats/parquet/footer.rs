//! What the end of a file says of it.

use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use polars::io::parquet::metadata::FileMetadata;
use polars::prelude::{
    ArrowDataType, ArrowField, ArrowSchema, ParquetReader, PlSmallStr, SerReader, TimeUnit,
};
use polars_parquet::parquet::schema::types::PhysicalType;
use polars_parquet::parquet::statistics::Statistics;
use polars_parquet::read::ColumnChunkMetadata;

use super::columns::microseconds;
use super::types::read_as;
use super::{MAGIC, damaged, guarded};
use crate::error::{Error, Result};
use crate::ingest::columns::{ColumnRole, QuantityPresence, WantedColumns};
use crate::ingest::formats::nested;
use crate::ingest::kind::FileKind;
use crate::ingest::line_checker::LineChecker;
use crate::ingest::row_reader::{Cell, KnownValues, RowReader};
use crate::ingest::source::{self, Source};
use crate::ingest::time::ParsedTime;

/// Most footers are shorter, in bytes.
const LIKELY_LENGTH: u64 = 1 << 16;

/// Longer ones are not believed.
const MAX_LENGTH: u64 = 1 << 28;

/// The magic and the footer's length stand after the footer.
const TRAILER: usize = 8;

/// The footer of a file.
#[derive(Debug)]
pub(super) struct ParquetFooter {
    metadata: FileMetadata,
    /// The columns that are read.
    pub(super) columns: Vec<NamedColumn>,
    /// Whether there is a column of quantities.
    pub(super) quantity: QuantityPresence,
    /// What makes lines of the rows, if more is wanted than nearly all files have. The positions in
    /// it are those of the columns that are read.
    pub(super) rows: Option<RowReader>,
}

/// A column that is read.
#[derive(Debug)]
pub(super) struct NamedColumn {
    /// What for; `None` if only filters look at it.
    pub(super) role: Option<ColumnRole>,
    /// Its name, and the type with which it is read.
    pub(super) field: ArrowField,
}

/// The error of an object that is named as Parquet and begins otherwise.
fn no_parquet(first_bytes: &[u8]) -> Error {
    let what = match FileKind::of(first_bytes) {
        Some(kind) => format!("this is no Parquet file, but {}", kind.name),
        None => "this is no Parquet file".to_owned(),
    };
    Error::input(what).hint("its name ends in .parquet; rename it, or write it again")
}

/// A column that a file has.
#[derive(Debug)]
pub(super) struct PresentColumn {
    pub(super) name: String,
    pub(super) dtype: ArrowDataType,
    /// Where it is among the columns that are read, if its type can be read.
    pub(super) position: Option<usize>,
}

impl ParquetFooter {
    /// Reads the footer of a file, and finds the columns.
    ///
    /// # Errors
    /// If the object is no Parquet file, is truncated or damaged, lacks a column, or has one of a
    /// type that cannot be read.
    pub(super) fn read(source: &Source, columns: &WantedColumns) -> Result<Self> {
        let (metadata, schema) = metadata_of(source)?;
        let present: Vec<&str> = schema.iter_names().map(PlSmallStr::as_str).collect();
        let types = || {
            schema
                .iter()
                .map(|(name, field)| (name.as_str(), &field.dtype))
        };
        let mut found = columns
            .find(&present)
            .map_err(|error| nested::with_advice(error, types()))?;
        let mut named = vec![];
        for (role, column) in found.read_columns() {
            let Some((name, field)) = schema.get_at_index(column) else {
                return Err(damaged());
            };
            let flag = role.map_or("--where", |role| columns.names.table.flag(role));
            if let Some(refusal) = nested::refusal(name, &field.dtype, flag) {
                return Err(refusal);
            }
            // True or false is an answer, and no id.
            let role = role.filter(|role| !columns.names.table.has_answers_in(*role));
            let read_as =
                read_as(role, &field.dtype).map_err(|error| error.column(name.as_str()))?;
            let read_as = match read_as {
                // The former type has no zone, and Spark, which writes it, means instants.
                ArrowDataType::Timestamp(unit, None) if is_int96(&metadata, name) => {
                    ArrowDataType::Timestamp(unit, Some("UTC".into()))
                }
                other => other,
            };
            named.push(NamedColumn {
                role,
                field: ArrowField::new(name.clone(), read_as, field.is_nullable),
            });
        }
        let is_plain = found.plain().is_some();
        found.renumber();
        let footer = Self {
            metadata,
            columns: named,
            quantity: found.quantity(),
            rows: (!is_plain).then(|| RowReader::new(found, false)),
        };
        footer.check(source.size())?;
        Ok(footer)
    }

    /// Reads the footer of a file, with all columns whose types can be read. The columns' names and
    /// types come with it, and for each its position among those that can be read.
    ///
    /// # Errors
    /// If the object is no Parquet file, or is truncated or damaged.
    pub(super) fn read_all(source: &Source) -> Result<(Self, Vec<PresentColumn>)> {
        let (metadata, schema) = metadata_of(source)?;
        let (mut named, mut present) = (vec![], vec![]);
        for (name, field) in schema.iter() {
            let read_as = read_as(None, &field.dtype).ok();
            present.push(PresentColumn {
                name: name.to_string(),
                dtype: field.dtype.clone(),
                position: read_as.is_some().then_some(named.len()),
            });
            if let Some(read_as) = read_as {
                named.push(NamedColumn {
                    role: None,
                    field: ArrowField::new(name.clone(), read_as, field.is_nullable),
                });
            }
        }
        let footer = Self {
            metadata,
            columns: named,
            quantity: QuantityPresence::default(),
            rows: None,
        };
        footer.check(source.size())?;
        Ok((footer, present))
    }

    /// Damaged counts and places must not become a request for gigabytes, or a wrong report.
    fn check(&self, size: u64) -> Result<()> {
        let mut rows = 0_u64;
        for (group, in_group) in self.rows_by_group().enumerate() {
            rows = rows
                .checked_add(in_group as u64)
                .filter(|rows| *rows <= i64::MAX as u64)
                .ok_or_else(damaged)?;
            for NamedColumn { field, .. } in &self.columns {
                let chunk = self.chunk(group, field)?;
                if usize::try_from(chunk.num_values()) != Ok(in_group)
                    || range_of(chunk)?.end > size
                {
                    return Err(damaged().column(field.name.as_str()));
                }
            }
        }
        Ok(())
    }

    /// How many rows each group has.
    pub(super) fn rows_by_group(&self) -> impl Iterator<Item = usize> {
        self.metadata
            .row_groups
            .iter()
            .map(|group| group.num_rows())
    }

    /// How many rows a group has.
    pub(super) fn rows_in(&self, group: usize) -> usize {
        let group = self.metadata.row_groups.get(group);
        group.map_or(0, |group| group.num_rows())
    }

    /// The name of the column of a role, if there is one.
    pub(super) fn name_of(&self, role: ColumnRole) -> Option<&str> {
        let mut columns = self.columns.iter();
        let column = columns.find(|column| column.role == Some(role))?;
        Some(column.field.name.as_str())
    }

    /// A column that is read, by its position among them, and its values in a group.
    pub(super) fn chunk_at(
        &self,
        group: usize,
        column: usize,
    ) -> Result<(&ColumnChunkMetadata, &NamedColumn)> {
        let named = self.columns.get(column).ok_or_else(damaged)?;
        Ok((self.chunk(group, &named.field)?, named))
    }

    fn chunk(&self, group: usize, field: &ArrowField) -> Result<&ColumnChunkMetadata> {
        let mut chunks = self
            .metadata
            .row_groups
            .get(group)
            .into_iter()
            .flat_map(|group| group.columns_under_root_iter(&field.name))
            .flatten();
        chunks
            .next()
            .ok_or_else(|| damaged().column(field.name.as_str()))
    }

    /// The bytes of each column that is read in a group. An empty range where a column cannot be
    /// found, which is told when it is read.
    pub(super) fn ranges_in(&self, group: usize) -> impl Iterator<Item = Range<u64>> {
        self.columns.iter().map(move |column| {
            self.chunk(group, &column.field)
                .and_then(range_of)
                .unwrap_or_default()
        })
    }

    /// Whether a filter leaves out all rows of a group, by what its statistics say.
    pub(super) fn leaves_out(&self, group: usize, lines: &mut LineChecker) -> bool {
        let Some(rows) = &self.rows else {
            return false;
        };
        rows.leaves_out_all(|column| self.values_in(group, column), lines)
    }

    /// What the statistics of a group tell of all values of a column, by its position among those that
    /// are read.
    fn values_in(&self, group: usize, column: usize) -> Option<KnownValues> {
        let (chunk, NamedColumn { field, .. }) = self.chunk_at(group, column).ok()?;
        let statistics = chunk.statistics(&self.metadata.footer_buf)?.ok()?;
        match field.dtype {
            ArrowDataType::Int32 | ArrowDataType::Int64 => {
                let (least, most) = least_and_most(&statistics)?;
                Some(match least == most {
                    true => KnownValues::One(Cell::Integer(least)),
                    false => KnownValues::Integers(least..=most),
                })
            }
            ArrowDataType::Utf8 | ArrowDataType::LargeUtf8 | ArrowDataType::Utf8View => {
                let texts = statistics.as_binary()?;
                // Statistics of long texts are cut off, and then differ.
                let least = texts.min_value.as_ref()?;
                let is_one = texts.null_count == Some(0) && texts.max_value.as_ref() == Some(least);
                let text = String::from_utf8(least.clone()).ok().filter(|_| is_one)?;
                Some(KnownValues::One(Cell::Text(text.into())))
            }
            _ => None,
        }
    }

    /// The earliest and the latest time in a group, where its statistics tell them of all rows.
    pub(super) fn times_in(&self, group: usize) -> Option<(ParsedTime, ParsedTime)> {
        let mut columns = self.columns.iter();
        let NamedColumn { field, .. } =
            columns.find(|column| column.role == Some(ColumnRole::Time))?;
        let chunk = self.chunk(group, field).ok()?;
        let statistics = chunk.statistics(&self.metadata.footer_buf)?.ok()?;
        let (earliest, latest) = least_and_most(&statistics)?;
        Some((
            time_of(field.dtype(), earliest),
            time_of(field.dtype(), latest),
        ))
    }
}

/// The least and the most of the integers that statistics are of, if they are of all rows.
fn least_and_most(statistics: &Statistics) -> Option<(i64, i64)> {
    let (nulls, least, most) = match (statistics.as_int32(), statistics.as_int64()) {
        (Some(it), _) => (
            it.null_count,
            it.min_value.map(i64::from),
            it.max_value.map(i64::from),
        ),
        (_, Some(it)) => (it.null_count, it.min_value, it.max_value),
        _ => return None,
    };
    (nulls == Some(0)).then_some((least?, most?))
}

/// Whether a column has the former type of timestamps.
fn is_int96(metadata: &FileMetadata, name: &str) -> bool {
    metadata.schema_descr.columns().iter().any(|column| {
        column
            .path_in_schema
            .first()
            .is_some_and(|first| first == name)
            && column.descriptor.primitive_type.physical_type == PhysicalType::Int96
    })
}

/// What the footer of an object says of its groups and columns.
fn metadata_of(source: &Source) -> Result<(FileMetadata, ArrowSchema)> {
    if source.size() == 0 {
        return Err(source::no_bytes());
    }
    if !source.first_bytes().starts_with(MAGIC) {
        return Err(no_parquet(source.first_bytes()));
    }
    let size = source.size();
    let mut length = LIKELY_LENGTH.min(size);
    loop {
        let tail = source.range(size - length..size)?;
        match length_of(&tail)? {
            longer if longer > size => return Err(damaged()),
            longer if longer > length => length = longer,
            shorter => {
                let start = tail.len() - usize::try_from(shorter).unwrap_or(tail.len());
                return decode(&tail.slice(start..));
            }
        }
    }
}

/// Decodes a footer.
fn decode(footer: &[u8]) -> Result<(FileMetadata, ArrowSchema)> {
    guarded(|| {
        // The decoder wants to see the magic at the beginning too.
        let mut file = MAGIC.to_vec();
        file.extend_from_slice(footer);
        let mut reader = ParquetReader::new(Cursor::new(file));
        // Without the writer's own notes, which would bring types (dictionaries, say) that the
        // data do not need.
        let mut metadata = (**reader.get_metadata()?).clone();
        metadata.key_value_metadata = None;
        reader.set_metadata(Arc::new(metadata.clone()));
        Ok((metadata, (*reader.schema()?).clone()))
    })
}

/// How many bytes at the end of a file, which `tail` is, are its footer and what follows it.
fn length_of(tail: &Bytes) -> Result<u64> {
    match tail.last_chunk::<TRAILER>() {
        Some([a, b, c, d, magic @ ..]) if magic == MAGIC && tail.len() >= MAGIC.len() + TRAILER => {
            match u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + TRAILER as u64 {
                length if length > MAX_LENGTH => Err(damaged()),
                length => Ok(length),
            }
        }
        _ => Err(Error::input("the Parquet file is truncated")
            .hint("write or transfer the object again")),
    }
}

fn range_of(chunk: &ColumnChunkMetadata) -> Result<Range<u64>> {
    let start = chunk
        .dictionary_page_offset()
        .unwrap_or(chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size());
    let range = u64::try_from(start)
        .ok()
        .zip(end.and_then(|end| u64::try_from(end).ok()));
    range
        .filter(|(start, end)| start <= end)
        .map(|(start, end)| start..end)
        .ok_or_else(damaged)
}

/// A time of a statistic, by the type with which its column is read.
fn time_of(dtype: &ArrowDataType, value: i64) -> ParsedTime {
    match dtype {
        ArrowDataType::Date32 => {
            i32::try_from(value).map_or(ParsedTime::Unreadable, ParsedTime::Date)
        }
        ArrowDataType::Timestamp(unit, None) => {
            ParsedTime::Naive(microseconds(value, TimeUnit::from(unit)))
        }
        ArrowDataType::Timestamp(unit, Some(_)) => {
            ParsedTime::Instant(microseconds(value, TimeUnit::from(unit)))
        }
        _ => ParsedTime::Unreadable,
    }
}
