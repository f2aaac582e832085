//! Values of Arrow arrays as cells.

use std::borrow::Cow;

use polars_arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, DictionaryArray, DictionaryKey,
    PrimitiveArray, Utf8Array, Utf8ViewArray,
};
use polars_arrow::datatypes::{ArrowDataType, IntegerType, TimeUnit};
use polars_arrow::types::NativeType;

use crate::ingest::row_reader::Cell;
use crate::ingest::time::ParsedTime;

/// The value of a row; [`Cell::NotText`] if its type is none that is read.
pub(super) fn cell(array: &dyn Array, at: usize) -> Cell<'_> {
    use ArrowDataType as A;
    if at >= array.len() || array.is_null(at) {
        return Cell::Null;
    }
    match array.dtype() {
        A::Null => Cell::Null,
        A::Boolean => {
            let values = array.as_any().downcast_ref::<BooleanArray>();
            values.map_or(Cell::NotText, |values| Cell::Boolean(values.value(at)))
        }
        A::Int8 => integer::<i8>(array, at),
        A::Int16 => integer::<i16>(array, at),
        A::Int32 => integer::<i32>(array, at),
        A::Int64 => integer::<i64>(array, at),
        A::UInt8 => integer::<u8>(array, at),
        A::UInt16 => integer::<u16>(array, at),
        A::UInt32 => integer::<u32>(array, at),
        A::UInt64 => match value::<u64>(array, at) {
            Some(number) => i64::try_from(number)
                .map_or_else(|_| Cell::Text(number.to_string().into()), Cell::Integer),
            None => Cell::NotText,
        },
        A::Float32 => value::<f32>(array, at).map_or(Cell::NotText, Cell::Float32),
        A::Float64 => float(value::<f64>(array, at)),
        A::Decimal(_, scale) => match value::<i128>(array, at) {
            Some(number) => decimal(number, *scale),
            None => Cell::NotText,
        },
        A::Date32 => match value::<i32>(array, at) {
            Some(days) => Cell::Time(ParsedTime::Date(days)),
            None => Cell::NotText,
        },
        A::Date64 => match value::<i64>(array, at) {
            Some(milliseconds) => naive(milliseconds, TimeUnit::Millisecond),
            None => Cell::NotText,
        },
        A::Timestamp(unit, zone) => match value::<i64>(array, at) {
            Some(time) if zone.is_none() => naive(time, *unit),
            Some(time) => Cell::Time(ParsedTime::Instant(microseconds(time, *unit))),
            None => Cell::NotText,
        },
        A::Time32(unit) => time_of_day(value::<i32>(array, at).map(i64::from), *unit),
        A::Time64(unit) => time_of_day(value::<i64>(array, at), *unit),
        A::Dictionary(key, _, _) => of_dictionary(array, *key, at),
        _ => text(array, at),
    }
}

fn value<T: NativeType>(array: &dyn Array, at: usize) -> Option<T> {
    let values = array.as_any().downcast_ref::<PrimitiveArray<T>>()?;
    values.values().get(at).copied()
}

fn integer<T: NativeType + Into<i64>>(array: &dyn Array, at: usize) -> Cell<'_> {
    value::<T>(array, at).map_or(Cell::NotText, |number| Cell::Integer(number.into()))
}

fn float<'a>(number: Option<f64>) -> Cell<'a> {
    number.map_or(Cell::NotText, Cell::Float)
}

/// A number of so many decimal places; without any it is an integer.
pub(in super::super) fn decimal<'a>(number: i128, scale: usize) -> Cell<'a> {
    match (i64::try_from(number), scale) {
        (Ok(number), 0) => Cell::Integer(number),
        (Err(_), 0) => Cell::Text(number.to_string().into()),
        _ => {
            let scale = i32::try_from(scale).unwrap_or(i32::MAX);
            Cell::Float(number as f64 / 10_f64.powi(scale))
        }
    }
}

fn naive<'a>(time: i64, unit: TimeUnit) -> Cell<'a> {
    Cell::Time(ParsedTime::Naive(microseconds(time, unit)))
}

/// A time in microseconds, rounded down; one beyond reach stays beyond any day that there is.
fn microseconds(time: i64, unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => time.saturating_mul(1_000_000),
        TimeUnit::Millisecond => time.saturating_mul(1_000),
        TimeUnit::Microsecond => time,
        TimeUnit::Nanosecond => time.div_euclid(1_000),
    }
}

fn time_of_day<'a>(time: Option<i64>, unit: TimeUnit) -> Cell<'a> {
    let Some(time) = time else {
        return Cell::NotText;
    };
    let seconds = microseconds(time, unit).div_euclid(1_000_000);
    let (hours, minutes) = (
        seconds.div_euclid(3_600),
        seconds.div_euclid(60).rem_euclid(60),
    );
    let text = format!("{hours:02}:{minutes:02}:{:02}", seconds.rem_euclid(60));
    Cell::Untyped(text.into())
}

fn text(array: &dyn Array, at: usize) -> Cell<'_> {
    let any = array.as_any();
    if let Some(values) = any.downcast_ref::<Utf8ViewArray>() {
        return Cell::Text(Cow::Borrowed(values.value(at)));
    }
    if let Some(values) = any.downcast_ref::<Utf8Array<i32>>() {
        return Cell::Text(Cow::Borrowed(values.value(at)));
    }
    if let Some(values) = any.downcast_ref::<Utf8Array<i64>>() {
        return Cell::Text(Cow::Borrowed(values.value(at)));
    }
    let bytes = if let Some(values) = any.downcast_ref::<BinaryViewArray>() {
        values.value(at)
    } else if let Some(values) = any.downcast_ref::<BinaryArray<i32>>() {
        values.value(at)
    } else if let Some(values) = any.downcast_ref::<BinaryArray<i64>>() {
        values.value(at)
    } else {
        return Cell::NotText;
    };
    std::str::from_utf8(bytes).map_or(Cell::NotText, |text| Cell::Text(Cow::Borrowed(text)))
}

fn of_dictionary(array: &dyn Array, key: IntegerType, at: usize) -> Cell<'_> {
    match key {
        IntegerType::Int8 => keyed::<i8>(array, at),
        IntegerType::Int16 => keyed::<i16>(array, at),
        IntegerType::Int32 => keyed::<i32>(array, at),
        IntegerType::Int64 => keyed::<i64>(array, at),
        IntegerType::UInt8 => keyed::<u8>(array, at),
        IntegerType::UInt16 => keyed::<u16>(array, at),
        IntegerType::UInt32 => keyed::<u32>(array, at),
        IntegerType::UInt64 => keyed::<u64>(array, at),
        _ => Cell::NotText,
    }
}

fn keyed<K: DictionaryKey>(array: &dyn Array, at: usize) -> Cell<'_> {
    match array.as_any().downcast_ref::<DictionaryArray<K>>() {
        Some(coded) => cell(&**coded.values(), coded.key_value(at)),
        None => Cell::NotText,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_without_places_are_integers() {
        assert_eq!(decimal(1_234, 0), Cell::Integer(1_234));
        assert_eq!(decimal(-150, 2), Cell::Float(-1.5));
        assert_eq!(
            decimal(i128::from(i64::MAX) + 1, 0),
            Cell::Text("9223372036854775808".into())
        );
    }

    #[test]
    fn times_before_1970_are_rounded_down() {
        assert_eq!(microseconds(-1, TimeUnit::Nanosecond), -1);
        assert_eq!(microseconds(i64::MAX, TimeUnit::Second), i64::MAX);
        assert_eq!(
            time_of_day(Some(34_200), TimeUnit::Second),
            Cell::Untyped("09:30:00".into())
        );
    }
}
