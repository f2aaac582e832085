//! The values of the mapped columns, whatever their types.

use polars::prelude::{
    BinaryChunked, ChunkedArray, DataType, Float64Type, Int32Type, Int64Type, PolarsNumericType, PolarsResult, Series, StringChunked,
    TimeUnit, UInt32Type,
};

use crate::calendar::Day;
use crate::ingest::dictionary::Raw;
use crate::ingest::lines::Quantity;
use crate::ingest::time::Moment;

/// Numbers of one type: a plain slice, as nearly always, or values among nulls.
pub(super) enum Values<T: PolarsNumericType> {
    Whole(Vec<T::Native>),
    WithNulls(ChunkedArray<T>),
}

impl<T: PolarsNumericType> Values<T> {
    fn of(values: &ChunkedArray<T>) -> Self {
        match values.cont_slice() {
            Ok(slice) => Values::Whole(slice.to_vec()),
            Err(_) => Values::WithNulls(values.clone()),
        }
    }

    #[inline]
    fn get(&self, at: usize) -> Option<T::Native> {
        match self {
            Values::Whole(values) => values.get(at).copied(),
            Values::WithNulls(values) => values.get(at),
        }
    }
}

/// A column of ids.
pub(super) enum Ids {
    Int32(Values<Int32Type>),
    Int64(Values<Int64Type>),
    UInt32(Values<UInt32Type>),
    Float(Values<Float64Type>),
    /// Unsigned integers beyond `i64`, written out.
    Written(StringChunked),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Ids {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Int32 => Ids::Int32(Values::of(series.i32()?)),
            DataType::Int64 => Ids::Int64(Values::of(series.i64()?)),
            DataType::UInt32 => Ids::UInt32(Values::of(series.u32()?)),
            DataType::UInt64 => match series.strict_cast(&DataType::Int64) {
                Ok(fitting) => Ids::Int64(Values::of(fitting.i64()?)),
                Err(_) => Ids::Written(series.cast(&DataType::String)?.str()?.clone()),
            },
            DataType::String => Ids::Text(series.str()?.clone()),
            DataType::Binary => Ids::Binary(series.binary()?.clone()),
            _ => Ids::Float(Values::of(series.cast(&DataType::Float64)?.f64()?)),
        })
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
            Ids::Binary(ids) => ids.get(at).map(|id| std::str::from_utf8(id).map_or(Raw::NotText, Raw::Text)),
        };
        id.unwrap_or(Raw::Null)
    }
}

/// A column of times.
pub(super) enum Times {
    Date(Values<Int32Type>),
    Naive(Values<Int64Type>, TimeUnit),
    Instant(Values<Int64Type>, TimeUnit),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Times {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Date => Times::Date(Values::of(series.to_physical_repr().i32()?)),
            DataType::Datetime(unit, None) => Times::Naive(Values::of(series.to_physical_repr().i64()?), *unit),
            DataType::Datetime(unit, Some(_)) => Times::Instant(Values::of(series.to_physical_repr().i64()?), *unit),
            DataType::Binary => Times::Binary(series.binary()?.clone()),
            _ => Times::Text(series.str()?.clone()),
        })
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Moment {
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

    pub(super) fn show(&self, at: usize) -> String {
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

pub(super) fn microseconds(time: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Nanoseconds => time.div_euclid(1_000),
        TimeUnit::Microseconds => time,
        TimeUnit::Milliseconds => time.saturating_mul(1_000),
    }
}

/// A column of quantities.
pub(super) enum Numbers {
    Float(Values<Float64Type>),
    Text(StringChunked),
    Binary(BinaryChunked),
}

impl Numbers {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::String => Numbers::Text(series.str()?.clone()),
            DataType::Binary => Numbers::Binary(series.binary()?.clone()),
            _ => Numbers::Float(Values::of(series.cast(&DataType::Float64)?.f64()?)),
        })
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Quantity {
        let quantity = match self {
            Numbers::Float(numbers) => numbers.get(at).map(Quantity::Number),
            Numbers::Text(texts) => texts.get(at).map(|text| Quantity::of(text.as_bytes(), false)),
            Numbers::Binary(texts) => texts.get(at).map(|text| Quantity::of(text, false)),
        };
        quantity.unwrap_or(Quantity::Null)
    }

    pub(super) fn show(&self, at: usize) -> String {
        let text = match self {
            Numbers::Float(numbers) => numbers.get(at).map(|number| number.to_string()),
            Numbers::Text(texts) => texts.get(at).map(|text| format!("\"{text}\"")),
            Numbers::Binary(texts) => texts.get(at).map(|text| format!("\"{}\"", String::from_utf8_lossy(text))),
        };
        text.unwrap_or_else(|| "null".into())
    }
}
