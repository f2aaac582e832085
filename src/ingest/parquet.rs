//! Parquet: read by groups of rows, only the mapped columns.

mod pages;

use std::io::Cursor;
use std::sync::Arc;

use bytes::Bytes;
use polars::io::parquet::metadata::{FileMetadata, FileMetadataRef};
use polars::prelude::{
    ArrowDataType, BinaryChunked, DataFrame, DataType, Float64Chunked, Int32Chunked, Int64Chunked, ParquetReader, ParquetWriter,
    PlSmallStr, PolarsResult, Schema, SerReader, Series, StringChunked, TimeUnit, UInt32Chunked,
};

use super::Columns;
use super::cause::Role;
use super::dictionary::Raw;
use super::lines::{Lines, Quantity};
use super::schema::Positions;
use super::time::Moment;
use crate::calendar::Day;
use crate::error::{Error, Result};

const MAGIC: &[u8] = b"PAR1";

/// Row groups are read together up to about this many rows.
const ROWS: usize = 1 << 19;

/// Whether an object is Parquet, by its first bytes, or is named so.
pub(super) fn is_parquet(name: &str, bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || (name.to_ascii_lowercase().ends_with(".parquet") && !bytes.is_empty())
}

/// Reads an object's lines; whether it has a quantity column.
pub(super) fn read(bytes: Bytes, columns: &Columns, lines: &mut Lines) -> Result<bool> {
    if !bytes.starts_with(MAGIC) {
        return Err(Error::input("this is no Parquet file").hint("its name ends in .parquet; rename it, or write it again"));
    }
    if !bytes.ends_with(MAGIC) || bytes.len() < 12 {
        return Err(Error::input("the Parquet file is truncated").hint("write or transfer the object again"));
    }
    let (mut metadata, schema) = guarded(|| {
        let mut reader = ParquetReader::new(Cursor::new(bytes.clone()));
        // Without the writer's own notes, which would bring types (dictionaries, say) that the data do not need.
        let mut metadata = (**reader.get_metadata()?).clone();
        metadata.key_value_metadata = None;
        reader.set_metadata(Arc::new(metadata.clone()));
        Ok((metadata, reader.schema()?))
    })?;

    let present: Vec<&str> = schema.iter_names().map(PlSmallStr::as_str).collect();
    let positions = Positions::find(columns, &present)?;
    let mut wanted = Schema::default();
    let roles = [Role::Customer, Role::Product, Role::Time, Role::Quantity];
    for role in roles.into_iter().filter(|role| positions.of(*role).is_some()) {
        let name = columns.name(role);
        if let Some(field) = schema.get(name) {
            wanted.with_column(name.into(), readable_type(role, &field.dtype).map_err(|error| error.column(name))?);
        }
    }
    check_counts(&bytes, &metadata, columns, &positions)?;
    let wanted = metadata_of(&wanted).map_err(unreadable)?;

    let groups = std::mem::take(&mut metadata.row_groups);
    let mut row = 0_u64;
    let mut rest = groups.as_slice();
    while let Some(first) = rest.first() {
        let mut count = first.num_rows();
        let mut len = 1;
        while let Some(group) = rest.get(len).filter(|group| count.saturating_add(group.num_rows()) <= ROWS) {
            count += group.num_rows();
            len += 1;
        }
        let (part, others) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        rest = others;
        let mut metadata = metadata.clone();
        metadata.row_groups = part.to_vec();
        metadata.num_rows = count;
        let frame = guarded(|| {
            let mut reader = ParquetReader::new(Cursor::new(bytes.clone()));
            // polars keeps the first schema that it sees, and so reads with the wanted one.
            reader.set_metadata(Arc::clone(&wanted));
            reader.schema()?;
            reader.set_metadata(Arc::new(metadata));
            reader.set_rechunk(true).finish()
        })?;
        take(&frame, row, count, columns, &positions, lines)?;
        row += count as u64;
    }
    Ok(positions.quantity.is_some())
}

/// Damaged counts must not become a request for gigabytes: those of the footer and of the pages stand apart in the file, and must agree.
fn check_counts(file: &[u8], metadata: &FileMetadata, columns: &Columns, positions: &Positions) -> Result<()> {
    for group in &metadata.row_groups {
        for role in [Role::Customer, Role::Product, Role::Time, Role::Quantity].into_iter().filter(|role| positions.of(*role).is_some()) {
            let name = columns.name(role);
            for column in group.columns_under_root_iter(name).into_iter().flatten() {
                let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
                let end = start.checked_add(column.compressed_size());
                let range = usize::try_from(start).ok().zip(end.and_then(|end| usize::try_from(end).ok()));
                let chunk = range.and_then(|(start, end)| file.get(start..end));
                let values = column.num_values();
                let whole = usize::try_from(values) == Ok(group.num_rows())
                    && chunk.is_some_and(|chunk| pages::are_whole(chunk, values, column.uncompressed_size()));
                if !whole {
                    return Err(damaged().column(name));
                }
            }
        }
    }
    Ok(())
}

fn damaged() -> Error {
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

/// The metadata of an empty file with these columns: what tells polars' reader which columns and types to expect.
///
/// 8- and 16-bit integers are stored as 32-bit ones, and are read as such: their own polars types would cost every build minutes.
fn metadata_of(schema: &Schema) -> PolarsResult<FileMetadataRef> {
    let mut file = Cursor::new(vec![]);
    ParquetWriter::new(&mut file).finish(&mut DataFrame::empty_with_schema(schema))?;
    let mut metadata = (**ParquetReader::new(file).get_metadata()?).clone();
    metadata.key_value_metadata = None;
    Ok(Arc::new(metadata))
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
            format!("write the column as an integer (SQL: cast(column as bigint)), or map another one with {}", role.flag()),
        ),
        (Role::Quantity, _) => ("a number", "map another column with --quantity".to_owned()),
        (role, _) => ("integers or text", format!("map another column with {}", role.flag())),
    };
    Error::input(format!("the type is {found:?}, but {needed} is needed")).hint(hint)
}

/// Takes the rows of a frame, which follow `before` others.
fn take(frame: &DataFrame, before: u64, rows: usize, columns: &Columns, positions: &Positions, lines: &mut Lines) -> Result<()> {
    let series = |role: Role| {
        let name = columns.name(role);
        let series = frame.column(name).map_err(unreadable)?.as_materialized_series();
        if series.len() != rows {
            return Err(damaged().column(name));
        }
        Ok(series)
    };
    let customers = Ids::of(series(Role::Customer)?).map_err(unreadable)?;
    let products = Ids::of(series(Role::Product)?).map_err(unreadable)?;
    let times = Times::of(series(Role::Time)?).map_err(unreadable)?;
    let quantities = match positions.quantity {
        Some(_) => Some(Numbers::of(series(Role::Quantity)?).map_err(unreadable)?),
        None => None,
    };
    lines.reserve(rows);
    for at in 0..rows {
        let quantity = quantities.as_ref().map_or(Quantity::Absent, |quantities| quantities.get(at));
        let cause = lines.take(times.get(at), customers.get(at), products.get(at), quantity)?;
        if let Some(cause) = cause {
            lines.bad(cause, before + at as u64 + 1, |role| {
                let value = match role {
                    Some(Role::Customer) => customers.get(at).to_string(),
                    Some(Role::Product) => products.get(at).to_string(),
                    Some(Role::Time) => times.show(at),
                    Some(Role::Quantity) => quantities.as_ref().map_or(String::new(), |quantities| quantities.show(at)),
                    None => String::new(),
                };
                (role.map(|role| columns.name(role)), value)
            });
        }
    }
    Ok(())
}

/// A column of ids.
enum Ids {
    Int32(Int32Chunked),
    Int64(Int64Chunked),
    UInt32(UInt32Chunked),
    Float(Float64Chunked),
    /// Unsigned integers beyond `i64`, written out.
    Written(StringChunked),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Ids {
    fn of(series: &Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Int32 => Ids::Int32(series.i32()?.clone()),
            DataType::Int64 => Ids::Int64(series.i64()?.clone()),
            DataType::UInt32 => Ids::UInt32(series.u32()?.clone()),
            DataType::UInt64 => match series.strict_cast(&DataType::Int64) {
                Ok(fitting) => Ids::Int64(fitting.i64()?.clone()),
                Err(_) => Ids::Written(series.cast(&DataType::String)?.str()?.clone()),
            },
            DataType::String => Ids::Text(series.str()?.clone()),
            DataType::Binary => Ids::Binary(series.binary()?.clone()),
            _ => Ids::Float(series.cast(&DataType::Float64)?.f64()?.clone()),
        })
    }

    #[inline]
    fn get(&self, at: usize) -> Raw<'_> {
        let id = match self {
            Ids::Int32(ids) => ids.get(at).map(|id| Raw::Integer(i64::from(id))),
            Ids::Int64(ids) => ids.get(at).map(Raw::Integer),
            Ids::UInt32(ids) => ids.get(at).map(|id| Raw::Integer(i64::from(id))),
            Ids::Float(ids) => ids.get(at).map(Raw::Float),
            Ids::Written(ids) => ids.get(at).map(Raw::Untyped),
            Ids::Text(ids) => ids.get(at).map(Raw::Text),
            Ids::Binary(ids) => ids.get(at).map(|id| std::str::from_utf8(id).map_or(Raw::NotText, Raw::Text)),
        };
        id.unwrap_or(Raw::Null)
    }
}

/// A column of times.
enum Times {
    Date(Int32Chunked),
    Naive(Int64Chunked, TimeUnit),
    Instant(Int64Chunked, TimeUnit),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Times {
    fn of(series: &Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Date => Times::Date(series.to_physical_repr().i32()?.clone()),
            DataType::Datetime(unit, None) => Times::Naive(series.to_physical_repr().i64()?.clone(), *unit),
            DataType::Datetime(unit, Some(_)) => Times::Instant(series.to_physical_repr().i64()?.clone(), *unit),
            DataType::Binary => Times::Binary(series.binary()?.clone()),
            _ => Times::Text(series.str()?.clone()),
        })
    }

    #[inline]
    fn get(&self, at: usize) -> Moment {
        let moment = match self {
            Times::Date(days) => days.get(at).map(Moment::Date),
            // What overflows lies far outside of the plausible days.
            Times::Naive(times, unit) => times.get(at).map(|time| Moment::Naive(microseconds(time, *unit))),
            Times::Instant(times, unit) => times.get(at).map(|time| Moment::Instant(microseconds(time, *unit))),
            Times::Text(texts) => texts.get(at).map(Moment::of),
            Times::Binary(texts) => texts.get(at).map(|text| std::str::from_utf8(text).map_or(Moment::Unreadable, Moment::of)),
        };
        moment.unwrap_or(Moment::Null)
    }

    fn show(&self, at: usize) -> String {
        let text = match self {
            Times::Text(texts) => texts.get(at).map(|text| format!("\"{text}\"")),
            Times::Binary(texts) => texts.get(at).map(|text| format!("\"{}\"", String::from_utf8_lossy(text))),
            _ => match self.get(at) {
                Moment::Date(days) => Some(Day::from_epoch(days).to_string()),
                Moment::Naive(time) | Moment::Instant(time) => Some(
                    chrono::DateTime::from_timestamp_micros(time).map_or_else(|| time.to_string(), |time| time.naive_utc().to_string()),
                ),
                _ => None,
            },
        };
        text.unwrap_or_else(|| "null".into())
    }
}

fn microseconds(time: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanoseconds => time.div_euclid(1_000),
        TimeUnit::Microseconds => time,
        TimeUnit::Milliseconds => time.saturating_mul(1_000),
    }
}

/// A column of quantities.
enum Numbers {
    Float(Float64Chunked),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Numbers {
    fn of(series: &Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::String => Numbers::Text(series.str()?.clone()),
            DataType::Binary => Numbers::Binary(series.binary()?.clone()),
            _ => Numbers::Float(series.cast(&DataType::Float64)?.f64()?.clone()),
        })
    }

    #[inline]
    fn get(&self, at: usize) -> Quantity {
        let quantity = match self {
            Numbers::Float(numbers) => numbers.get(at).map(Quantity::Number),
            Numbers::Text(texts) => texts.get(at).map(|text| Quantity::of(text.as_bytes(), false)),
            Numbers::Binary(texts) => texts.get(at).map(|text| Quantity::of(text, false)),
        };
        quantity.unwrap_or(Quantity::Null)
    }

    fn show(&self, at: usize) -> String {
        let text = match self {
            Numbers::Float(numbers) => numbers.get(at).map(|number| number.to_string()),
            Numbers::Text(texts) => texts.get(at).map(|text| format!("\"{text}\"")),
            Numbers::Binary(texts) => texts.get(at).map(|text| format!("\"{}\"", String::from_utf8_lossy(text))),
        };
        text.unwrap_or_else(|| "null".into())
    }
}
