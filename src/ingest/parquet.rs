//! Parquet: read by groups of rows, only the mapped columns, and no group that lies after the as-of date.

mod columns;
mod pages;

use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use polars::io::parquet::metadata::FileMetadata;
use polars::prelude::{
    ArrowDataType, ArrowField, CompatLevel, DataType, ParquetReader, PlSmallStr, PolarsResult, SerReader, Series, TimeUnit,
};
use polars_buffer::Buffer;
use polars_parquet::read::{BasicDecompressor, ColumnChunkMetadata, Filter, PageReader, column_iter_to_arrays};

use super::Columns;
use super::cause::Role;
use super::dictionary::Raw;
use super::lines::{Lines, Quantity};
use super::schema::Positions;
use super::time::Moment;
use crate::error::{Error, Result};
use columns::{Ids, Numbers, Times, microseconds};

pub(super) const MAGIC: &[u8] = b"PAR1";

/// Most footers are shorter, in bytes.
pub(super) const LIKELY_FOOTER: u64 = 1 << 16;

/// Larger ones are not believed.
const LARGEST_FOOTER: u64 = 1 << 28;

/// The magic and the footer's length stand after the footer.
const TRAILER: usize = 8;

/// Row groups are read together up to about this many rows.
const ROWS: usize = 1 << 19;

/// So many rows of a group are decoded at a time.
const DECODED_ROWS: usize = 1 << 18;

/// So many rows are judged before their ids are looked up: few enough to stay in the cache.
const ROWS_AT_A_TIME: usize = 1 << 12;

const ROLES: [Role; 4] = [Role::Customer, Role::Product, Role::Time, Role::Quantity];

/// Whether an object is Parquet, by its first bytes, or is named so.
pub(super) fn is_parquet(name: &str, bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || (name.to_ascii_lowercase().ends_with(".parquet") && !bytes.is_empty())
}

/// What the end of a file says of it.
#[derive(Debug)]
pub(super) struct Footer {
    metadata: FileMetadata,
    positions: Positions,
    /// The mapped columns: how each is read.
    columns: Vec<(Role, ArrowField)>,
}

/// Some groups of rows of a file.
#[derive(Debug)]
pub(super) struct Part {
    footer: Arc<Footer>,
    /// Position of each group, and the rows before it.
    groups: Vec<(usize, u64)>,
    /// The groups that lie after the as-of date: rows, first and last time.
    late: Vec<(u64, Moment, Moment)>,
}

impl Footer {
    /// Of a file that is here.
    pub(super) fn of_whole(bytes: &Bytes, columns: &Columns) -> Result<Self> {
        let start = bytes.slice(..bytes.len().min(MAGIC.len()));
        let len = usize::try_from(Self::length(&start, bytes)?).unwrap_or(usize::MAX);
        let from = bytes.len().checked_sub(len).ok_or_else(damaged)?;
        Self::read(bytes.slice(from..), bytes.len() as u64, columns)
    }

    /// How many bytes at the end of a file are its footer.
    pub(super) fn length(start: &[u8], tail: &[u8]) -> Result<u64> {
        if !start.starts_with(MAGIC) {
            return Err(Error::input("this is no Parquet file").hint("its name ends in .parquet; rename it, or write it again"));
        }
        match tail.last_chunk::<TRAILER>() {
            Some([a, b, c, d, magic @ ..]) if magic == MAGIC && tail.len() >= MAGIC.len() + TRAILER => {
                match u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + TRAILER as u64 {
                    length if length > LARGEST_FOOTER => Err(damaged()),
                    length => Ok(length),
                }
            }
            _ => Err(Error::input("the Parquet file is truncated").hint("write or transfer the object again")),
        }
    }

    /// Reads the footer, which `tail` is or ends with, of a file of `size` bytes.
    pub(super) fn read(tail: Bytes, size: u64, columns: &Columns) -> Result<Self> {
        let (metadata, schema) = guarded(|| {
            // The decoder wants to see the magic at the beginning too.
            let mut file = MAGIC.to_vec();
            file.extend_from_slice(&tail);
            let mut reader = ParquetReader::new(Cursor::new(file));
            // Without the writer's own notes, which would bring types (dictionaries, say) that the data do not need.
            let mut metadata = (**reader.get_metadata()?).clone();
            metadata.key_value_metadata = None;
            reader.set_metadata(Arc::new(metadata.clone()));
            Ok((metadata, reader.schema()?))
        })?;
        let present: Vec<&str> = schema.iter_names().map(PlSmallStr::as_str).collect();
        let positions = Positions::find(columns, &present)?;
        let mut fields = vec![];
        for role in ROLES.into_iter().filter(|role| positions.of(*role).is_some()) {
            let name = columns.name(role);
            if let Some(field) = schema.get(name) {
                let read_as = readable_type(role, &field.dtype).map_err(|error| error.column(name))?;
                fields.push((role, ArrowField::new(name.into(), read_as.to_arrow(CompatLevel::newest()), field.is_nullable)));
            }
        }
        let footer = Self { metadata, positions, columns: fields };
        footer.check(size)?;
        Ok(footer)
    }

    fn chunk(&self, group: usize, field: &ArrowField) -> Result<&ColumnChunkMetadata> {
        let mut chunks =
            self.metadata.row_groups.get(group).into_iter().flat_map(|group| group.columns_under_root_iter(&field.name)).flatten();
        chunks.next().ok_or_else(|| damaged().column(field.name.as_str()))
    }

    /// Damaged counts and places must not become a request for gigabytes, or a wrong report.
    fn check(&self, size: u64) -> Result<()> {
        let mut rows = 0_u64;
        for (at, group) in self.metadata.row_groups.iter().enumerate() {
            rows = rows.checked_add(group.num_rows() as u64).filter(|rows| *rows <= i64::MAX as u64).ok_or_else(damaged)?;
            for (_, field) in &self.columns {
                let chunk = self.chunk(at, field)?;
                if usize::try_from(chunk.num_values()) != Ok(group.num_rows()) || range_of(chunk)?.end > size {
                    return Err(damaged().column(field.name.as_str()));
                }
            }
        }
        Ok(())
    }

    /// The counts of the footer and of the pages stand apart in the file, and must agree before polars trusts them.
    fn check_count(&self, group: usize, field: &ArrowField, bytes: &[u8]) -> Result<()> {
        let chunk = self.chunk(group, field)?;
        let rows = self.metadata.row_groups.get(group).map(|group| group.num_rows());
        let whole =
            usize::try_from(chunk.num_values()).ok() == rows && pages::are_whole(bytes, chunk.num_values(), chunk.uncompressed_size());
        if whole { Ok(()) } else { Err(damaged()) }
    }

    /// All groups of rows in parts of a useful size, at least one; those that lie after the as-of date are counted, and left out.
    pub(super) fn parts(footer: &Arc<Self>, mut lines: Lines) -> Vec<Part> {
        let part = || Part { footer: Arc::clone(footer), groups: vec![], late: vec![] };
        let mut parts = vec![part()];
        let (mut rows, mut before) = (0, 0);
        for (at, group) in footer.metadata.row_groups.iter().enumerate() {
            let count = group.num_rows();
            if rows > 0 && rows + count > ROWS {
                parts.push(part());
                rows = 0;
            }
            if let Some(part) = parts.last_mut() {
                match footer.late(at, &mut lines) {
                    Some(late) => part.late.push(late),
                    None => {
                        part.groups.push((at, before));
                        rows += count;
                    }
                }
            }
            before += count as u64;
        }
        parts
    }

    /// The rows of a group, their first and last time, if all of them lie after the as-of date by what the footer says.
    fn late(&self, group: usize, lines: &mut Lines) -> Option<(u64, Moment, Moment)> {
        let times = self.columns.iter().find(|(role, _)| *role == Role::Time);
        let (_, field) = times?;
        let rows = self.metadata.row_groups.get(group)?.num_rows() as u64;
        let statistics = self.chunk(group, field).ok()?.statistics(&self.metadata.footer_buf)?.ok()?;
        let moment = |value: i64| match field.dtype() {
            ArrowDataType::Date32 => i32::try_from(value).map_or(Moment::Unreadable, Moment::Date),
            ArrowDataType::Timestamp(unit, None) => Moment::Naive(microseconds(value, TimeUnit::from(unit))),
            ArrowDataType::Timestamp(unit, Some(_)) => Moment::Instant(microseconds(value, TimeUnit::from(unit))),
            _ => Moment::Unreadable,
        };
        let bounds = match (statistics.as_int32(), statistics.as_int64()) {
            (Some(days), _) => (days.null_count, days.min_value.map(i64::from), days.max_value.map(i64::from)),
            (_, Some(times)) => (times.null_count, times.min_value, times.max_value),
            _ => return None,
        };
        let (Some(0), Some(first), Some(last)) = bounds else { return None };
        lines.skip(rows, moment(first), moment(last)).then(|| (rows, moment(first), moment(last)))
    }
}

impl Part {
    /// The ranges of bytes that [`Part::read`] needs, in their order.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        let chunks =
            self.groups.iter().flat_map(|(group, _)| self.footer.columns.iter().map(|(_, field)| self.footer.chunk(*group, field)));
        // What cannot be found is told when it is read.
        chunks.map(|chunk| chunk.and_then(range_of).unwrap_or_default()).collect()
    }

    /// What [`Part::ranges`] are in a file that is here.
    pub(super) fn slices(&self, file: &Bytes) -> Vec<Bytes> {
        let slice = |range: Range<u64>| {
            let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            range.filter(|(start, end)| start <= end && *end <= file.len()).map_or(Bytes::new(), |(start, end)| file.slice(start..end))
        };
        self.ranges().into_iter().map(slice).collect()
    }

    /// Reads the lines, to which there are none before; whether there is a quantity column.
    pub(super) fn read(&self, bytes: &[Bytes], columns: &Columns, mut lines: Lines) -> Result<(Lines, bool)> {
        for (rows, first, last) in &self.late {
            lines.skip(*rows, *first, *last);
        }
        let fields = &self.footer.columns;
        for ((group, before), bytes) in self.groups.iter().zip(bytes.chunks(fields.len().max(1))) {
            let rows = self.footer.metadata.row_groups.get(*group).map_or(0, |group| group.num_rows());
            for ((role, field), bytes) in fields.iter().zip(bytes) {
                self.footer.check_count(*group, field, bytes).map_err(|error| error.column(columns.name(*role)))?;
            }
            // A group may be large: some of its rows at a time, so that memory does not grow with it.
            for start in (0..rows).step_by(DECODED_ROWS) {
                let range = start..rows.min(start + DECODED_ROWS);
                let of = |role: Role| -> Result<Option<Series>> {
                    let Some(at) = fields.iter().position(|(has, _)| *has == role) else { return Ok(None) };
                    let (Some((_, field)), Some(bytes)) = (fields.get(at), bytes.get(at)) else { return Ok(None) };
                    let read = self.footer.chunk(*group, field).and_then(|chunk| column(chunk, field, bytes, &range));
                    let whole = read.and_then(|series| if series.len() == range.len() { Ok(series) } else { Err(damaged()) });
                    whole.map(Some).map_err(|error| error.column(columns.name(role)))
                };
                let needed = |role: Role| of(role)?.ok_or_else(|| damaged().column(columns.name(role)));
                let values = Values {
                    customers: Ids::of(needed(Role::Customer)?).map_err(unreadable)?,
                    products: Ids::of(needed(Role::Product)?).map_err(unreadable)?,
                    times: Times::of(needed(Role::Time)?).map_err(unreadable)?,
                    quantities: of(Role::Quantity)?.map(Numbers::of).transpose().map_err(unreadable)?,
                };
                take(&values, before + start as u64, range.len(), columns, &mut lines)?;
            }
        }
        Ok((lines, self.footer.positions.quantity.is_some()))
    }
}

fn range_of(chunk: &ColumnChunkMetadata) -> Result<Range<u64>> {
    let start = chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset());
    let end = start.checked_add(chunk.compressed_size());
    let range = u64::try_from(start).ok().zip(end.and_then(|end| u64::try_from(end).ok()));
    range.filter(|(start, end)| start <= end).map(|(start, end)| start..end).ok_or_else(damaged)
}

/// Decodes the values of a column in some rows of a group.
fn column(chunk: &ColumnChunkMetadata, field: &ArrowField, bytes: &Bytes, rows: &Range<usize>) -> Result<Series> {
    guarded(|| {
        let pages = PageReader::new(Cursor::new(Buffer::from_owner(bytes.clone())), chunk, vec![], usize::MAX);
        let types = vec![&chunk.descriptor().descriptor.primitive_type];
        let (arrays, _) = column_iter_to_arrays(
            vec![BasicDecompressor::new(pages, vec![])],
            types,
            field.clone(),
            Some(Filter::new_ranged(rows.start, rows.end)),
        )?;
        Ok(Series::try_from((field.name.clone(), arrays))?.rechunk())
    })
}

pub(super) fn damaged() -> Error {
    Error::input("the Parquet file is damaged").hint("write or transfer the object again")
}

/// polars panics on some damaged files: that is the file's fault, and becomes an error.
fn guarded<T>(read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(unreadable),
        Err(_) => Err(damaged()),
    }
}

fn unreadable(error: polars::error::PolarsError) -> Error {
    Error::input("the Parquet file cannot be read").source(error).hint("it may be truncated or damaged: write or transfer the object again")
}

/// The type with which a column is read.
fn readable_type(role: Role, found: &ArrowDataType) -> Result<DataType> {
    use ArrowDataType as A;
    let id_or_number = matches!(role, Role::Customer | Role::Product | Role::Quantity);
    let read_as = match found {
        A::Utf8 | A::LargeUtf8 | A::Utf8View => DataType::String,
        A::Binary | A::LargeBinary | A::BinaryView => DataType::Binary,
        A::Int8 | A::Int16 | A::Int32 | A::UInt8 | A::UInt16 if id_or_number => DataType::Int32,
        A::Int64 if id_or_number => DataType::Int64,
        A::UInt32 if id_or_number => DataType::UInt32,
        A::UInt64 if id_or_number => DataType::UInt64,
        A::Float32 if id_or_number => DataType::Float32,
        A::Float64 if id_or_number => DataType::Float64,
        A::Date32 if role == Role::Time => DataType::Date,
        A::Timestamp(unit, zone) if role == Role::Time => {
            let zone = zone.is_some().then_some(polars::prelude::TimeZone::UTC);
            DataType::Datetime(TimeUnit::from(unit), zone)
        }
        other => return Err(wrong_type(role, other)),
    };
    Ok(read_as)
}

fn wrong_type(role: Role, found: &ArrowDataType) -> Error {
    use ArrowDataType as A;
    let (needed, hint) = match (role, found) {
        (Role::Time, A::Int64 | A::Int32 | A::UInt32 | A::UInt64 | A::Float64) => (
            "a date, a timestamp or text",
            "if these are seconds since 1970, write the column as a timestamp (pandas: pd.to_datetime(column, unit=\"s\"); SQL: to_timestamp(column)); \
             or map another column with --time"
                .to_owned(),
        ),
        (Role::Time, _) => ("a date, a timestamp or text", "map another column with --time".to_owned()),
        (role, A::Decimal(..)) => (
            if role == Role::Quantity { "a number" } else { "integers or text" },
            match role {
                Role::Quantity => "write the column as a float (SQL: cast(column as double)), or map another one with --quantity".to_owned(),
                role => format!("write the column as an integer (SQL: cast(column as bigint)), or map another one with {}", role.flag()),
            },
        ),
        (Role::Quantity, _) => ("a number", "map another column with --quantity".to_owned()),
        (role, _) => ("integers or text", format!("map another column with {}", role.flag())),
    };
    Error::input(format!("the type is {found:?}, but {needed} is needed")).hint(hint)
}

/// The values of the rows of a group.
struct Values {
    customers: Ids,
    products: Ids,
    times: Times,
    quantities: Option<Numbers>,
}

/// Takes the rows of a group, which follow `before` others.
fn take(values: &Values, before: u64, rows: usize, columns: &Columns, lines: &mut Lines) -> Result<()> {
    let Values { customers, products, times, quantities } = values;
    let describe = |at: usize, role: Option<Role>| {
        let value = match role {
            Some(Role::Customer) => customers.get(at).to_string(),
            Some(Role::Product) => products.get(at).to_string(),
            Some(Role::Time) => times.show(at),
            Some(Role::Quantity) => quantities.as_ref().map_or(String::new(), |quantities| quantities.show(at)),
            None => String::new(),
        };
        (role.map(|role| columns.name(role)), value)
    };
    // The same steps twice: with the types of nearly all files known to the compiler, and with any.
    match (customers.integers(), products.integers(), times.times(), quantities.as_ref().map(Numbers::numbers)) {
        (Some(customers), Some(products), Some((times, unit, instants)), Some(Some(quantities))) => {
            let (customer, product) = (|at: usize| Raw::Integer(customers[at]), |at: usize| Raw::Integer(products[at]));
            let time = |at: usize| {
                let time = microseconds(times[at], unit);
                if instants { Moment::Instant(time) } else { Moment::Naive(time) }
            };
            take_rows(rows, before, lines, time, customer, product, |at| Quantity::Number(quantities[at]), describe)
        }
        _ => {
            let quantity = |at: usize| quantities.as_ref().map_or(Quantity::Absent, |quantities| quantities.get(at));
            take_rows(rows, before, lines, |at| times.get(at), |at| customers.get(at), |at| products.get(at), quantity, describe)
        }
    }
}

/// Takes rows of which each value is given by its position, some at a time: judged one by one, then looked up column by column.
#[allow(clippy::too_many_arguments, reason = "one for each column")]
#[inline(always)]
fn take_rows<'a>(
    rows: usize,
    before: u64,
    lines: &mut Lines,
    time: impl Fn(usize) -> Moment,
    customer: impl Fn(usize) -> Raw<'a>,
    product: impl Fn(usize) -> Raw<'a>,
    quantity: impl Fn(usize) -> Quantity,
    describe: impl Fn(usize, Option<Role>) -> (Option<&'a str>, String),
) -> Result<()> {
    let mut sales = Vec::with_capacity(ROWS_AT_A_TIME);
    for start in (0..rows).step_by(ROWS_AT_A_TIME) {
        sales.clear();
        for at in start..rows.min(start + ROWS_AT_A_TIME) {
            match lines.judge(time(at), customer(at), product(at), quantity(at)) {
                Ok(Some(sale)) => sales.push((at, sale)),
                Ok(None) => {}
                Err(cause) => lines.bad(cause, before + at as u64 + 1, |role| describe(at, role)),
            }
        }
        lines.take_sales(&sales, &customer, &product)?;
    }
    Ok(())
}
