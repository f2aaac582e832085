//! The values of the mapped columns, whatever their types.

use std::borrow::Cow;

use polars::prelude::{
    BinaryChunked, ChunkedArray, DataType, Float64Type, Int32Type, Int64Type, PolarsResult, Series,
    StringChunked, TimeUnit, UInt32Type,
};

use super::chunk::{NULL, Rows};
use crate::calendar::Day;
use crate::ingest::dictionary::Raw;
use crate::ingest::lines::Quantity;
use crate::ingest::time::Moment;

/// Values of rows, or of a dictionary in which the rows have positions.
pub(super) struct Column<T> {
    values: T,
    positions: Option<Vec<u32>>,
    has_nulls: bool,
}

impl<T> Column<T> {
    /// Rows whose values are told by their type.
    pub(super) fn new(rows: Rows, of: impl Fn(Series) -> PolarsResult<T>) -> PolarsResult<Self> {
        let Rows { values, positions } = rows;
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
    fn plain<'a, V: Copy>(&'a self, values: Option<Cow<'a, [V]>>) -> Option<Plain<'a, V>> {
        values.filter(|_| !self.has_nulls).map(|values| Plain {
            values,
            positions: self.positions(),
        })
    }
}

/// Values of which each row has one.
pub(super) struct Plain<'a, V: Copy> {
    values: Cow<'a, [V]>,
    positions: Option<&'a [u32]>,
}

impl<V: Copy> Plain<'_, V> {
    #[inline(always)]
    pub(super) fn get(&self, at: usize) -> V {
        // `chunk` has seen that every position is that of a value, and there are no nulls: see
        // `Column::plain`.
        self.values[self
            .positions
            .map_or(at, |positions| positions[at] as usize)]
    }
}

impl Column<Ids> {
    /// The plain integers, where there are no others.
    pub(super) fn integers(&self) -> Option<Plain<'_, i64>> {
        self.plain(self.values.integers())
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Raw<'_> {
        self.place(at).map_or(Raw::Null, |at| self.values.get(at))
    }
}

impl Column<Times> {
    /// The plain times, their unit, and whether they are instants.
    pub(super) fn times(&self) -> Option<(Plain<'_, i64>, TimeUnit, bool)> {
        let (times, unit, instants) = self.values.times()?;
        Some((self.plain(Some(Cow::Borrowed(times)))?, unit, instants))
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Moment {
        self.place(at)
            .map_or(Moment::Null, |at| self.values.get(at))
    }

    pub(super) fn show(&self, at: usize) -> String {
        self.place(at)
            .map_or_else(|| "null".into(), |at| self.values.show(at))
    }
}

impl Column<Numbers> {
    /// The plain numbers.
    pub(super) fn numbers(&self) -> Option<Plain<'_, f64>> {
        self.plain(self.values.numbers().map(Cow::Borrowed))
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Quantity {
        self.place(at)
            .map_or(Quantity::Null, |at| self.values.get(at))
    }

    pub(super) fn show(&self, at: usize) -> String {
        self.place(at)
            .map_or_else(|| "null".into(), |at| self.values.show(at))
    }
}

/// A column of ids.
pub(super) enum Ids {
    Int32(ChunkedArray<Int32Type>),
    Int64(ChunkedArray<Int64Type>),
    UInt32(ChunkedArray<UInt32Type>),
    Float(ChunkedArray<Float64Type>),
    /// Unsigned integers beyond `i64`, written out.
    Written(StringChunked),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Ids {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
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

    /// The plain integers, where there are no others and no nulls.
    fn integers(&self) -> Option<Cow<'_, [i64]>> {
        match self {
            Ids::Int32(ids) => Some(
                ids.cont_slice()
                    .ok()?
                    .iter()
                    .map(|id| i64::from(*id))
                    .collect(),
            ),
            Ids::UInt32(ids) => Some(
                ids.cont_slice()
                    .ok()?
                    .iter()
                    .map(|id| i64::from(*id))
                    .collect(),
            ),
            Ids::Int64(ids) => ids.cont_slice().ok().map(Cow::Borrowed),
            Ids::Float(_) | Ids::Written(_) | Ids::Text(_) | Ids::Binary(_) => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Raw<'_> {
        let id = match self {
            Ids::Int32(ids) => ids.get(at).map(|id| Raw::Integer(i64::from(id))),
            Ids::Int64(ids) => ids.get(at).map(Raw::Integer),
            Ids::UInt32(ids) => ids.get(at).map(|id| Raw::Integer(i64::from(id))),
            Ids::Float(ids) => ids.get(at).map(Raw::Float),
            Ids::Written(ids) => ids.get(at).map(Raw::Untyped),
            Ids::Text(ids) => ids.get(at).map(Raw::Text),
            Ids::Binary(ids) => ids
                .get(at)
                .map(|id| std::str::from_utf8(id).map_or(Raw::NotText, Raw::Text)),
        };
        id.unwrap_or(Raw::Null)
    }
}

/// A column of times.
pub(super) enum Times {
    Date(ChunkedArray<Int32Type>),
    Naive(ChunkedArray<Int64Type>, TimeUnit),
    Instant(ChunkedArray<Int64Type>, TimeUnit),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Times {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Date => Times::Date(series.to_physical_repr().i32()?.clone()),
            DataType::Datetime(unit, None) => {
                Times::Naive(series.to_physical_repr().i64()?.clone(), *unit)
            }
            DataType::Datetime(unit, Some(_)) => {
                Times::Instant(series.to_physical_repr().i64()?.clone(), *unit)
            }
            DataType::Binary => Times::Binary(series.binary()?.clone()),
            _ => Times::Text(series.str()?.clone()),
        })
    }

    /// The plain times, where there are no nulls, their unit, and whether they are instants.
    fn times(&self) -> Option<(&[i64], TimeUnit, bool)> {
        match self {
            Times::Naive(times, unit) => Some((times.cont_slice().ok()?, *unit, false)),
            Times::Instant(times, unit) => Some((times.cont_slice().ok()?, *unit, true)),
            Times::Date(_) | Times::Text(_) | Times::Binary(_) => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Moment {
        let moment = match self {
            Times::Date(days) => days.get(at).map(Moment::Date),
            // What overflows lies far outside of the plausible days.
            Times::Naive(times, unit) => times
                .get(at)
                .map(|time| Moment::Naive(microseconds(time, *unit))),
            Times::Instant(times, unit) => times
                .get(at)
                .map(|time| Moment::Instant(microseconds(time, *unit))),
            Times::Text(texts) => texts.get(at).map(Moment::of),
            Times::Binary(texts) => texts
                .get(at)
                .map(|text| std::str::from_utf8(text).map_or(Moment::Unreadable, Moment::of)),
        };
        moment.unwrap_or(Moment::Null)
    }

    pub(super) fn show(&self, at: usize) -> String {
        let text = match self {
            Times::Text(texts) => texts.get(at).map(|text| format!("\"{text}\"")),
            Times::Binary(texts) => texts
                .get(at)
                .map(|text| format!("\"{}\"", String::from_utf8_lossy(text))),
            _ => match self.get(at) {
                Moment::Date(days) => Some(Day::from_epoch(days).to_string()),
                Moment::Naive(time) | Moment::Instant(time) => Some(
                    chrono::DateTime::from_timestamp_micros(time)
                        .map_or_else(|| time.to_string(), |time| time.naive_utc().to_string()),
                ),
                _ => None,
            },
        };
        text.unwrap_or_else(|| "null".into())
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
pub(super) enum Numbers {
    Float(ChunkedArray<Float64Type>),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Numbers {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::String => Numbers::Text(series.str()?.clone()),
            DataType::Binary => Numbers::Binary(series.binary()?.clone()),
            _ => Numbers::Float(series.cast(&DataType::Float64)?.f64()?.clone()),
        })
    }

    /// The plain numbers, where there are no nulls.
    fn numbers(&self) -> Option<&[f64]> {
        match self {
            Numbers::Float(numbers) => numbers.cont_slice().ok(),
            Numbers::Text(_) | Numbers::Binary(_) => None,
        }
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Quantity {
        let quantity = match self {
            Numbers::Float(numbers) => numbers.get(at).map(Quantity::Number),
            Numbers::Text(texts) => texts
                .get(at)
                .map(|text| Quantity::of(text.as_bytes(), false)),
            Numbers::Binary(texts) => texts.get(at).map(|text| Quantity::of(text, false)),
        };
        quantity.unwrap_or(Quantity::Null)
    }

    pub(super) fn show(&self, at: usize) -> String {
        let text = match self {
            Numbers::Float(numbers) => numbers.get(at).map(|number| number.to_string()),
            Numbers::Text(texts) => texts.get(at).map(|text| format!("\"{text}\"")),
            Numbers::Binary(texts) => texts
                .get(at)
                .map(|text| format!("\"{}\"", String::from_utf8_lossy(text))),
        };
        text.unwrap_or_else(|| "null".into())
    }
}
