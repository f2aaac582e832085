//! The values of the columns that are read, whatever their types.

use std::borrow::Cow;

use polars::prelude::{
    BinaryChunked, ChunkedArray, DataType, Float32Type, Float64Type, Int32Type, Int64Type,
    PolarsResult, Series, StringChunked, TimeUnit, UInt32Type,
};

use super::cells::CellColumn;
use super::column_chunk::{ColumnSlice, NULL};
use crate::ingest::decoded_line::Quantity;
use crate::ingest::ids::RawId;
use crate::ingest::rejects::RejectedValue;
use crate::ingest::row_reader::Cell;
use crate::ingest::time::{ParsedTime, TimeRules};

/// Values of rows, or of a dictionary in which the rows have positions.
pub(super) struct DecodedColumn<T> {
    values: T,
    positions: Option<Vec<u32>>,
    has_nulls: bool,
}

impl<T> DecodedColumn<T> {
    /// The values of some rows, by their type; `of` makes them.
    pub(super) fn new(
        rows: ColumnSlice,
        of: impl Fn(Series) -> PolarsResult<T>,
    ) -> PolarsResult<Self> {
        let ColumnSlice { values, positions } = rows;
        let has_nulls = positions.iter().flatten().any(|position| *position == NULL);
        Ok(Self {
            values: of(values)?,
            positions,
            has_nulls,
        })
    }

    /// The rows' positions in a dictionary, if there is one.
    pub(super) fn positions(&self) -> Option<&[u32]> {
        self.positions.as_deref()
    }

    /// Where a row's value is, if it has one.
    #[inline]
    fn place(&self, at: usize) -> Option<usize> {
        match &self.positions {
            Some(positions) => positions
                .get(at)
                .filter(|position| **position != NULL)
                .map(|position| *position as usize),
            None => Some(at),
        }
    }

    /// The plain values of all rows, where there are no nulls.
    fn plain<'a, V: Copy>(&'a self, values: Option<Cow<'a, [V]>>) -> Option<PlainValues<'a, V>> {
        values
            .filter(|_| !self.has_nulls)
            .map(|values| PlainValues {
                values,
                positions: self.positions(),
            })
    }
}

/// Values of which each row has one.
pub(super) struct PlainValues<'a, V: Copy> {
    values: Cow<'a, [V]>,
    positions: Option<&'a [u32]>,
}

impl<V: Copy> PlainValues<'_, V> {
    #[inline(always)]
    pub(super) fn get(&self, at: usize) -> V {
        // `column_chunk` has checked every position, and `DecodedColumn::plain` that there are no
        // nulls.
        self.values[self
            .positions
            .map_or(at, |positions| positions[at] as usize)]
    }
}

impl DecodedColumn<IdColumn> {
    /// The plain integers, where there are no others.
    pub(super) fn integers(&self) -> Option<PlainValues<'_, i64>> {
        self.plain(self.values.integers())
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> RawId<'_> {
        self.place(at).map_or(RawId::Null, |at| self.values.get(at))
    }
}

impl DecodedColumn<TimeColumn> {
    /// The plain times, their unit, and whether they are instants.
    pub(super) fn times(&self) -> Option<(PlainValues<'_, i64>, TimeUnit, bool)> {
        let (times, unit, instants) = self.values.times()?;
        Some((self.plain(Some(Cow::Borrowed(times)))?, unit, instants))
    }

    #[inline]
    pub(super) fn get(&self, at: usize, rules: &TimeRules) -> ParsedTime {
        self.place(at)
            .map_or(ParsedTime::Null, |at| self.values.get(at, rules))
    }

    /// The value of a row as a message shows it.
    pub(super) fn rejected(&self, at: usize) -> RejectedValue {
        self.place(at)
            .and_then(|at| self.values.rejected(at))
            .unwrap_or_else(RejectedValue::null)
    }
}

impl DecodedColumn<QuantityColumn> {
    /// The plain numbers.
    pub(super) fn numbers(&self) -> Option<PlainValues<'_, f64>> {
        self.plain(self.values.numbers().map(Cow::Borrowed))
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Quantity {
        self.place(at)
            .map_or(Quantity::Null, |at| self.values.get(at))
    }

    /// The value of a row as a message shows it.
    pub(super) fn rejected(&self, at: usize) -> RejectedValue {
        self.place(at)
            .and_then(|at| self.values.rejected(at))
            .unwrap_or_else(RejectedValue::null)
    }
}

impl DecodedColumn<CellColumn> {
    pub(super) fn cell(&self, at: usize) -> Cell<'_> {
        self.place(at).map_or(Cell::Null, |at| self.values.cell(at))
    }
}

/// A column of ids.
pub(super) enum IdColumn {
    Int32(ChunkedArray<Int32Type>),
    Int64(ChunkedArray<Int64Type>),
    UInt32(ChunkedArray<UInt32Type>),
    Float(ChunkedArray<Float64Type>),
    Float32(ChunkedArray<Float32Type>),
    /// Unsigned integers beyond `i64`, written out.
    Written(StringChunked),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl IdColumn {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Int32 => IdColumn::Int32(series.i32()?.clone()),
            DataType::Int64 => IdColumn::Int64(series.i64()?.clone()),
            DataType::UInt32 => IdColumn::UInt32(series.u32()?.clone()),
            DataType::UInt64 => match series.strict_cast(&DataType::Int64) {
                Ok(fitting) => IdColumn::Int64(fitting.i64()?.clone()),
                Err(_) => IdColumn::Written(series.cast(&DataType::String)?.str()?.clone()),
            },
            DataType::String => IdColumn::Text(series.str()?.clone()),
            DataType::Binary => IdColumn::Binary(series.binary()?.clone()),
            DataType::Float32 => IdColumn::Float32(series.f32()?.clone()),
            _ => IdColumn::Float(series.cast(&DataType::Float64)?.f64()?.clone()),
        })
    }

    /// The plain integers, where there are no others and no nulls.
    fn integers(&self) -> Option<Cow<'_, [i64]>> {
        match self {
            IdColumn::Int32(ids) => Some(
                ids.cont_slice()
                    .ok()?
                    .iter()
                    .map(|id| i64::from(*id))
                    .collect(),
            ),
            IdColumn::UInt32(ids) => Some(
                ids.cont_slice()
                    .ok()?
                    .iter()
                    .map(|id| i64::from(*id))
                    .collect(),
            ),
            IdColumn::Int64(ids) => ids.cont_slice().ok().map(Cow::Borrowed),
            IdColumn::Float(_)
            | IdColumn::Float32(_)
            | IdColumn::Written(_)
            | IdColumn::Text(_)
            | IdColumn::Binary(_) => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> RawId<'_> {
        let id = match self {
            IdColumn::Int32(ids) => ids.get(at).map(|id| RawId::Integer(i64::from(id))),
            IdColumn::Int64(ids) => ids.get(at).map(RawId::Integer),
            IdColumn::UInt32(ids) => ids.get(at).map(|id| RawId::Integer(i64::from(id))),
            IdColumn::Float(ids) => ids.get(at).map(RawId::Float),
            IdColumn::Float32(ids) => ids.get(at).map(RawId::Float32),
            IdColumn::Written(ids) => ids.get(at).map(RawId::Untyped),
            IdColumn::Text(ids) => ids.get(at).map(RawId::Text),
            IdColumn::Binary(ids) => ids
                .get(at)
                .map(|id| std::str::from_utf8(id).map_or(RawId::NotText, RawId::Text)),
        };
        id.unwrap_or(RawId::Null)
    }
}

/// A column of times.
pub(super) enum TimeColumn {
    Date(ChunkedArray<Int32Type>),
    Naive(ChunkedArray<Int64Type>, TimeUnit),
    Instant(ChunkedArray<Int64Type>, TimeUnit),
    Integer(ChunkedArray<Int64Type>),
    Float(ChunkedArray<Float64Type>),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl TimeColumn {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Date => TimeColumn::Date(series.to_physical_repr().i32()?.clone()),
            DataType::Datetime(unit, None) => {
                TimeColumn::Naive(series.to_physical_repr().i64()?.clone(), *unit)
            }
            DataType::Datetime(unit, Some(_)) => {
                TimeColumn::Instant(series.to_physical_repr().i64()?.clone(), *unit)
            }
            DataType::Int32 | DataType::Int64 | DataType::UInt32 => {
                TimeColumn::Integer(series.cast(&DataType::Int64)?.i64()?.clone())
            }
            DataType::UInt64 | DataType::Float32 | DataType::Float64 => {
                TimeColumn::Float(series.cast(&DataType::Float64)?.f64()?.clone())
            }
            DataType::Binary => TimeColumn::Binary(series.binary()?.clone()),
            _ => TimeColumn::Text(series.str()?.clone()),
        })
    }

    /// The plain times, where there are no nulls, their unit, and whether they are instants.
    fn times(&self) -> Option<(&[i64], TimeUnit, bool)> {
        match self {
            TimeColumn::Naive(times, unit) => Some((times.cont_slice().ok()?, *unit, false)),
            TimeColumn::Instant(times, unit) => Some((times.cont_slice().ok()?, *unit, true)),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize, rules: &TimeRules) -> ParsedTime {
        let time = match self {
            TimeColumn::Date(_) | TimeColumn::Naive(..) | TimeColumn::Instant(..) => {
                return self.typed(at);
            }
            TimeColumn::Integer(numbers) => numbers.get(at).map(|number| rules.integer(number)),
            TimeColumn::Float(numbers) => numbers.get(at).map(|number| rules.float(number)),
            TimeColumn::Text(texts) => texts.get(at).map(|text| rules.text(text)),
            TimeColumn::Binary(texts) => texts.get(at).map(|text| rules.bytes(text)),
        };
        time.unwrap_or(ParsedTime::Null)
    }

    /// A value of a column of dates or timestamps.
    #[inline]
    pub(super) fn typed(&self, at: usize) -> ParsedTime {
        let time = match self {
            TimeColumn::Date(days) => days.get(at).map(ParsedTime::Date),
            // What overflows lies far outside of the plausible days.
            TimeColumn::Naive(times, unit) => times
                .get(at)
                .map(|time| ParsedTime::Naive(microseconds(time, *unit))),
            TimeColumn::Instant(times, unit) => times
                .get(at)
                .map(|time| ParsedTime::Instant(microseconds(time, *unit))),
            _ => None,
        };
        time.unwrap_or(ParsedTime::Null)
    }

    fn rejected(&self, at: usize) -> Option<RejectedValue> {
        match self {
            TimeColumn::Text(texts) => texts.get(at).map(RejectedValue::text),
            TimeColumn::Binary(texts) => texts.get(at).map(RejectedValue::bytes),
            TimeColumn::Integer(numbers) => numbers
                .get(at)
                .map(|number| RejectedValue::Literal(number.to_string())),
            TimeColumn::Float(numbers) => numbers
                .get(at)
                .map(|number| RejectedValue::Literal(number.to_string())),
            TimeColumn::Date(_) | TimeColumn::Naive(..) | TimeColumn::Instant(..) => {
                Some(self.typed(at).rejected())
            }
        }
    }
}

pub(super) fn microseconds(time: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanoseconds => time.div_euclid(1_000),
        TimeUnit::Microseconds => time,
        TimeUnit::Milliseconds => time.saturating_mul(1_000),
    }
}

/// A column of quantities.
pub(super) enum QuantityColumn {
    Float(ChunkedArray<Float64Type>),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl QuantityColumn {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::String => QuantityColumn::Text(series.str()?.clone()),
            DataType::Binary => QuantityColumn::Binary(series.binary()?.clone()),
            _ => QuantityColumn::Float(series.cast(&DataType::Float64)?.f64()?.clone()),
        })
    }

    /// The plain numbers, where there are no nulls.
    fn numbers(&self) -> Option<&[f64]> {
        match self {
            QuantityColumn::Float(numbers) => numbers.cont_slice().ok(),
            QuantityColumn::Text(_) | QuantityColumn::Binary(_) => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Quantity {
        let quantity = match self {
            QuantityColumn::Float(numbers) => numbers.get(at).map(Quantity::Number),
            QuantityColumn::Text(texts) => texts
                .get(at)
                .map(|text| Quantity::of(text.as_bytes(), false)),
            QuantityColumn::Binary(texts) => texts.get(at).map(|text| Quantity::of(text, false)),
        };
        quantity.unwrap_or(Quantity::Null)
    }

    fn rejected(&self, at: usize) -> Option<RejectedValue> {
        match self {
            QuantityColumn::Float(numbers) => numbers
                .get(at)
                .map(|number| RejectedValue::Literal(number.to_string())),
            QuantityColumn::Text(texts) => texts.get(at).map(RejectedValue::text),
            QuantityColumn::Binary(texts) => texts.get(at).map(RejectedValue::bytes),
        }
    }
}
