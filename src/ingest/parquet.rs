//! Parquet: read by groups of rows, only the mapped columns, and no group that lies after the as-of
//! date or before the needed history.

mod chunk;
mod columns;
mod pages;

use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use polars::io::parquet::metadata::FileMetadata;
use polars::prelude::{
    ArrowDataType, ArrowField, CompatLevel, DataType, ParquetReader, PlSmallStr, PolarsResult,
    SerReader, TimeUnit,
};
use polars_parquet::read::ColumnChunkMetadata;
use rayon::prelude::*;

use super::Columns;
use super::cause::Role;
use super::dictionary::{Fault, KnownCodes, Raw};
use super::lines::{Batch, Excluded, Exclusion, Lines, Quantity};
use super::schema::Positions;
use super::time::Moment;
use crate::error::{Error, Result};
use chunk::{ChunkReader, Rows};
use columns::{Column, Ids, Numbers, Times, microseconds};

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
const DECODED_ROWS: usize = 1 << 16;

/// So many rows are judged before their ids are looked up: few enough to stay in the cache.
const ROWS_AT_A_TIME: usize = 1 << 12;

const ROLES: [Role; 4] = [Role::Customer, Role::Product, Role::Time, Role::Quantity];

/// Whether an object is Parquet, by its first bytes, or is named so.
pub(super) fn is_parquet(name: &str, bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
        || (name.to_ascii_lowercase().ends_with(".parquet") && !bytes.is_empty())
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
    /// The groups of days that are not needed: rows, earliest and latest time.
    unneeded: Vec<(u64, Moment, Moment)>,
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
            return Err(Error::input("this is no Parquet file")
                .hint("its name ends in .parquet; rename it, or write it again"));
        }
        match tail.last_chunk::<TRAILER>() {
            Some([a, b, c, d, magic @ ..])
                if magic == MAGIC && tail.len() >= MAGIC.len() + TRAILER =>
            {
                match u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + TRAILER as u64 {
                    length if length > LARGEST_FOOTER => Err(damaged()),
                    length => Ok(length),
                }
            }
            _ => Err(Error::input("the Parquet file is truncated")
                .hint("write or transfer the object again")),
        }
    }

    /// Reads the footer, which `tail` is or ends with, of a file of `size` bytes.
    pub(super) fn read(tail: Bytes, size: u64, columns: &Columns) -> Result<Self> {
        let (metadata, schema) = guarded(|| {
            // The decoder wants to see the magic at the beginning too.
            let mut file = MAGIC.to_vec();
            file.extend_from_slice(&tail);
            let mut reader = ParquetReader::new(Cursor::new(file));
            // Without the writer's own notes, which would bring types (dictionaries, say) that the
            // data do not need.
            let mut metadata = (**reader.get_metadata()?).clone();
            metadata.key_value_metadata = None;
            reader.set_metadata(Arc::new(metadata.clone()));
            Ok((metadata, reader.schema()?))
        })?;
        let present: Vec<&str> = schema.iter_names().map(PlSmallStr::as_str).collect();
        let positions = Positions::find(columns, &present)?;
        let mut fields = vec![];
        for role in ROLES
            .into_iter()
            .filter(|role| positions.of(*role).is_some())
        {
            let name = columns.name(role);
            if let Some(field) = schema.get(name) {
                let read_as =
                    readable_type(role, &field.dtype).map_err(|error| error.column(name))?;
                fields.push((
                    role,
                    ArrowField::new(
                        name.into(),
                        read_as.to_arrow(CompatLevel::newest()),
                        field.is_nullable,
                    ),
                ));
            }
        }
        let footer = Self {
            metadata,
            positions,
            columns: fields,
        };
        footer.check(size)?;
        Ok(footer)
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

    /// A mapped column of a group.
    fn chunk_at(&self, group: usize, column: usize) -> Result<(&ColumnChunkMetadata, &ArrowField)> {
        let (_, field) = self.columns.get(column).ok_or_else(damaged)?;
        Ok((self.chunk(group, field)?, field))
    }

    /// Damaged counts and places must not become a request for gigabytes, or a wrong report.
    fn check(&self, size: u64) -> Result<()> {
        let mut rows = 0_u64;
        for (at, group) in self.metadata.row_groups.iter().enumerate() {
            rows = rows
                .checked_add(group.num_rows() as u64)
                .filter(|rows| *rows <= i64::MAX as u64)
                .ok_or_else(damaged)?;
            for (_, field) in &self.columns {
                let chunk = self.chunk(at, field)?;
                if usize::try_from(chunk.num_values()) != Ok(group.num_rows())
                    || range_of(chunk)?.end > size
                {
                    return Err(damaged().column(field.name.as_str()));
                }
            }
        }
        Ok(())
    }

    /// All groups of rows in parts of a useful size, at least one; those of days that are not
    /// needed are counted, and left out.
    pub(super) fn parts(footer: &Arc<Self>, mut lines: Lines) -> Vec<Part> {
        let part = || Part {
            footer: Arc::clone(footer),
            groups: vec![],
            unneeded: vec![],
        };
        let mut parts = vec![part()];
        let (mut rows, mut before) = (0, 0);
        for (at, group) in footer.metadata.row_groups.iter().enumerate() {
            let count = group.num_rows();
            if rows > 0 && rows + count > ROWS {
                parts.push(part());
                rows = 0;
            }
            if let Some(part) = parts.last_mut() {
                match footer.unneeded(at, &mut lines) {
                    Some(unneeded) => part.unneeded.push(unneeded),
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

    /// The rows of a group, their earliest and latest time, if all of them are of days that are not
    /// needed by what the footer says.
    fn unneeded(&self, group: usize, lines: &mut Lines) -> Option<(u64, Moment, Moment)> {
        let times = self.columns.iter().find(|(role, _)| *role == Role::Time);
        let (_, field) = times?;
        let rows = self.metadata.row_groups.get(group)?.num_rows() as u64;
        let statistics = self
            .chunk(group, field)
            .ok()?
            .statistics(&self.metadata.footer_buf)?
            .ok()?;
        let moment = |value: i64| match field.dtype() {
            ArrowDataType::Date32 => i32::try_from(value).map_or(Moment::Unreadable, Moment::Date),
            ArrowDataType::Timestamp(unit, None) => {
                Moment::Naive(microseconds(value, TimeUnit::from(unit)))
            }
            ArrowDataType::Timestamp(unit, Some(_)) => {
                Moment::Instant(microseconds(value, TimeUnit::from(unit)))
            }
            _ => Moment::Unreadable,
        };
        let bounds = match (statistics.as_int32(), statistics.as_int64()) {
            (Some(days), _) => (
                days.null_count,
                days.min_value.map(i64::from),
                days.max_value.map(i64::from),
            ),
            (_, Some(times)) => (times.null_count, times.min_value, times.max_value),
            _ => return None,
        };
        let (Some(0), Some(earliest), Some(latest)) = bounds else {
            return None;
        };
        lines
            .skip(rows, moment(earliest), moment(latest))
            .then(|| (rows, moment(earliest), moment(latest)))
    }
}

impl Part {
    /// The ranges of bytes that [`PartReader`] needs, in their order.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        let chunks = self.groups.iter().flat_map(|(group, _)| {
            self.footer
                .columns
                .iter()
                .map(|(_, field)| self.footer.chunk(*group, field))
        });
        // What cannot be found is told when it is read.
        chunks
            .map(|chunk| chunk.and_then(range_of).unwrap_or_default())
            .collect()
    }

    /// What [`Part::ranges`] are in a file that is here.
    pub(super) fn slices(&self, file: &Bytes) -> Vec<Bytes> {
        let slice = |range: Range<u64>| {
            let range = usize::try_from(range.start)
                .ok()
                .zip(usize::try_from(range.end).ok());
            range
                .filter(|(start, end)| start <= end && *end <= file.len())
                .map_or(Bytes::new(), |(start, end)| file.slice(start..end))
        };
        self.ranges().into_iter().map(slice).collect()
    }
}

/// Reads a part, some lines at a time.
pub(super) struct PartReader {
    part: Part,
    /// What [`Part::ranges`] are.
    bytes: Vec<Bytes>,
    lines: Lines,
    /// The position of the group that comes next.
    next_group: usize,
    /// The columns of the present group, its rows that are not decoded yet, and how many are before
    /// it in the file.
    columns: Vec<(Role, ChunkReader)>,
    rows: Range<usize>,
    before: u64,
    known: Known,
    /// The rows that come next.
    values: Option<Values>,
}

impl PartReader {
    /// At the beginning of a part; `lines` takes the lines.
    pub(super) fn new(part: Part, bytes: Vec<Bytes>, mut lines: Lines) -> Self {
        for (rows, earliest, latest) in &part.unneeded {
            lines.skip(*rows, *earliest, *latest);
        }
        Self {
            part,
            bytes,
            lines,
            next_group: 0,
            columns: vec![],
            rows: 0..0,
            before: 0,
            known: Known::default(),
            values: None,
        }
    }

    /// Whether there is a column of quantities.
    pub(super) fn has_quantity(&self) -> bool {
        self.part.footer.positions.quantity.is_some()
    }

    /// The lines that follow, and whether they are the last.
    pub(super) fn read(&mut self, names: &Columns) -> Result<(Batch, bool)> {
        loop {
            match self.values.take() {
                Some(values) => {
                    let Self {
                        lines,
                        columns,
                        rows,
                        before,
                        known,
                        ..
                    } = self;
                    let (taken, next) = rayon::join(
                        || take(&values, *before, names, known, lines),
                        || Values::read(columns, rows, names),
                    );
                    taken?;
                    self.values = next?;
                }
                None if self.begin_group(names)? => {}
                None => return Ok((self.lines.hand_on(), true)),
            }
            if self.lines.are_many() {
                return Ok((self.lines.hand_on(), false));
            }
        }
    }

    /// Begins the next group, if there is one.
    fn begin_group(&mut self, names: &Columns) -> Result<bool> {
        let footer = &self.part.footer;
        let Some((group, before)) = self.part.groups.get(self.next_group).copied() else {
            return Ok(false);
        };
        let width = footer.columns.len();
        let bytes = self.bytes.iter().skip(self.next_group * width).take(width);
        let reader = |((at, (role, _)), bytes): ((usize, &(Role, ArrowField)), &Bytes)| {
            let reader = ChunkReader::new(Arc::clone(footer), group, at, bytes.clone());
            reader
                .map(|reader| (*role, reader))
                .map_err(|error| error.column(names.name(*role)))
        };
        self.columns = footer
            .columns
            .iter()
            .enumerate()
            .zip(bytes)
            .map(reader)
            .collect::<Result<_>>()?;
        self.rows = 0..footer
            .metadata
            .row_groups
            .get(group)
            .map_or(0, |group| group.num_rows());
        (self.before, self.known) = (before, Known::default());
        self.next_group += 1;
        self.values = Values::read(&mut self.columns, &mut self.rows, names)?;
        Ok(true)
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
    Error::input("the Parquet file cannot be read")
        .source(error)
        .hint("it may be truncated or damaged: write or transfer the object again")
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

/// Some rows of a group.
struct Values {
    rows: Range<usize>,
    customers: Column<Ids>,
    products: Column<Ids>,
    times: Column<Times>,
    quantities: Option<Column<Numbers>>,
}

impl Values {
    /// Decodes some of the rows that are left; nothing if none are.
    fn read(
        readers: &mut [(Role, ChunkReader)],
        left: &mut Range<usize>,
        columns: &Columns,
    ) -> Result<Option<Self>> {
        // A group may be large: some of its rows at a time, so that memory does not grow with it.
        let rows = left.start..left.end.min(left.start + DECODED_ROWS);
        if rows.is_empty() {
            return Ok(None);
        }
        left.start = rows.end;
        let read = |(role, reader): &mut (Role, ChunkReader)| match reader.read(&rows) {
            Ok(read) => Ok((*role, read)),
            Err(error) => Err(error.column(columns.name(*role))),
        };
        // Side by side; of several errors the first column's is told.
        let read: Vec<Result<(Role, Rows)>> = readers.par_iter_mut().map(read).collect();
        let mut read = read.into_iter().collect::<Result<Vec<_>>>()?;
        let mut of = |role: Role| {
            read.iter()
                .position(|(has, _)| *has == role)
                .map(|at| read.swap_remove(at).1)
        };
        let mut needed = |role: Role| of(role).ok_or_else(|| damaged().column(columns.name(role)));
        let (customers, products, times) = (
            needed(Role::Customer)?,
            needed(Role::Product)?,
            needed(Role::Time)?,
        );
        Ok(Some(Self {
            customers: Column::new(customers, Ids::of).map_err(unreadable)?,
            products: Column::new(products, Ids::of).map_err(unreadable)?,
            times: Column::new(times, Times::of).map_err(unreadable)?,
            quantities: of(Role::Quantity)
                .map(|quantities| Column::new(quantities, Numbers::of))
                .transpose()
                .map_err(unreadable)?,
            rows,
        }))
    }
}

/// The codes of what stands in the dictionaries of a group.
#[derive(Default)]
struct Known {
    customers: KnownCodes,
    products: KnownCodes,
}

/// Takes some rows of a group, which has `before` rows before it.
fn take(
    values: &Values,
    before: u64,
    columns: &Columns,
    known: &mut Known,
    lines: &mut Lines,
) -> Result<()> {
    let Values {
        rows,
        customers,
        products,
        times,
        quantities,
    } = values;
    let describe = |at: usize, role: Option<Role>| {
        let value = match role {
            Some(Role::Customer) => customers.get(at).to_string(),
            Some(Role::Product) => products.get(at).to_string(),
            Some(Role::Time) => times.show(at),
            Some(Role::Quantity) => quantities
                .as_ref()
                .map_or(String::new(), |quantities| quantities.show(at)),
            None => String::new(),
        };
        (role.map(|role| columns.name(role)), value)
    };
    let before = before + rows.start as u64;
    let mut taker = Taker {
        rows: rows.len(),
        before,
        positions: (customers.positions(), products.positions()),
        known,
        lines,
    };
    // The same steps twice: with the types of nearly all files known to the compiler, and with any.
    match (
        customers.integers(),
        products.integers(),
        times.times(),
        quantities.as_ref().map(Column::numbers),
    ) {
        (
            Some(customers),
            Some(products),
            Some((times, unit, instants)),
            Some(Some(quantities)),
        ) => {
            let (customer, product) = (
                |at: usize| Raw::Integer(customers.get(at)),
                |at: usize| Raw::Integer(products.get(at)),
            );
            let time = |at: usize| {
                let time = microseconds(times.get(at), unit);
                if instants {
                    Moment::Instant(time)
                } else {
                    Moment::Naive(time)
                }
            };
            // Every row has an integer: it is fetched only where it must be looked up.
            let exclusion = |at: usize, excluded: &Excluded, _: &Known| match excluded.are_none() {
                true => Ok(Exclusion::None),
                false => excluded.judge(product(at)),
            };
            let judge = (
                time,
                |_: usize, _: &Known| Ok(()),
                exclusion,
                |at: usize| Quantity::Number(quantities.get(at)),
            );
            taker.take(judge, customer, product, describe)
        }
        _ => {
            let quantity = |at: usize| {
                quantities
                    .as_ref()
                    .map_or(Quantity::Absent, |quantities| quantities.get(at))
            };
            let (customer, product) = (|at: usize| customers.get(at), |at: usize| products.get(at));
            // What has a code is an id.
            let (customer_at, product_at) = (customers.positions(), products.positions());
            let has_customer = |at: usize, known: &Known| match known.customers.has(customer_at, at)
            {
                true => Ok(()),
                false => customer(at).key().map(drop),
            };
            let exclusion = |at: usize, excluded: &Excluded, known: &Known| match excluded
                .are_none()
                && known.products.has(product_at, at)
            {
                true => Ok(Exclusion::None),
                false => excluded.judge(product(at)),
            };
            let judge = (|at: usize| times.get(at), has_customer, exclusion, quantity);
            taker.take(judge, customer, product, describe)
        }
    }
}

/// Takes rows of which each value is given by its position.
struct Taker<'a> {
    rows: usize,
    before: u64,
    /// Positions in dictionaries of customers and products, where there are.
    positions: (Option<&'a [u32]>, Option<&'a [u32]>),
    known: &'a mut Known,
    lines: &'a mut Lines,
}

impl Taker<'_> {
    /// Some rows at a time: judged one by one, as [`Lines::judge`] does, then looked up column by
    /// column.
    #[inline(always)]
    fn take<'a>(
        &mut self,
        (time, has_customer, exclusion, quantity): (
            impl Fn(usize) -> Moment,
            impl Fn(usize, &Known) -> std::result::Result<(), Fault>,
            impl Fn(usize, &Excluded, &Known) -> std::result::Result<Exclusion, Fault>,
            impl Fn(usize) -> Quantity,
        ),
        customer: impl Fn(usize) -> Raw<'a>,
        product: impl Fn(usize) -> Raw<'a>,
        describe: impl Fn(usize, Option<Role>) -> (Option<&'a str>, String),
    ) -> Result<()> {
        let Self {
            rows,
            before,
            positions,
            known,
            lines,
        } = self;
        let (mut at_rows, mut sales) = (
            Vec::with_capacity(ROWS_AT_A_TIME),
            Vec::with_capacity(ROWS_AT_A_TIME),
        );
        for start in (0..*rows).step_by(ROWS_AT_A_TIME) {
            at_rows.clear();
            sales.clear();
            for at in start..(*rows).min(start + ROWS_AT_A_TIME) {
                match lines.judge(
                    time(at),
                    || has_customer(at, known),
                    |excluded| exclusion(at, excluded, known),
                    quantity(at),
                ) {
                    Ok(Some(sale)) => {
                        at_rows.push(at);
                        sales.push(sale);
                    }
                    Ok(None) => {}
                    Err(cause) => {
                        lines.bad(cause, *before + at as u64 + 1, |role| describe(at, role))
                    }
                }
            }
            let customers =
                lines
                    .customers
                    .codes_of(&at_rows, &customer, positions.0, &mut known.customers)?;
            let products =
                lines
                    .products
                    .codes_of(&at_rows, &product, positions.1, &mut known.products)?;
            lines.keep_all(&sales, &customers, &products);
        }
        Ok(())
    }
}
