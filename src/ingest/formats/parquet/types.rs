//! With which types the columns are read.

use polars::prelude::{ArrowDataType, CompatLevel, DataType, TimeUnit, TimeZone};

use crate::error::{Error, Result};
use crate::ingest::columns::ColumnRole;

/// The type with which a column is read.
///
/// # Errors
/// If the column's type is none that its role can have.
pub(super) fn read_as(role: Option<ColumnRole>, found: &ArrowDataType) -> Result<ArrowDataType> {
    use ArrowDataType as A;
    match found {
        // polars has no decimals here: `decimals` makes numbers of them.
        A::Decimal(digits, places)
        | A::Decimal32(digits, places)
        | A::Decimal64(digits, places)
            if role != Some(ColumnRole::Time) =>
        {
            Ok(A::Decimal(*digits, *places))
        }
        _ => readable_type(role, found).map(|read_as| read_as.to_arrow(CompatLevel::newest())),
    }
}

fn readable_type(role: Option<ColumnRole>, found: &ArrowDataType) -> Result<DataType> {
    use ArrowDataType as A;
    let Some(role) = role else {
        return readable_by_filters(found);
    };
    let is_time = role == ColumnRole::Time;
    let may_be_time = is_time || role == ColumnRole::TimeOfDay;
    let read_as = match found {
        A::Utf8 | A::LargeUtf8 | A::Utf8View => DataType::String,
        A::Binary | A::LargeBinary | A::BinaryView => DataType::Binary,
        A::Int8 | A::Int16 | A::Int32 | A::UInt8 | A::UInt16 => DataType::Int32,
        A::Int64 => DataType::Int64,
        A::UInt32 => DataType::UInt32,
        A::UInt64 => DataType::UInt64,
        A::Float32 => DataType::Float32,
        A::Float64 => DataType::Float64,
        A::Date32 if is_time => DataType::Date,
        A::Timestamp(unit, zone) if may_be_time => {
            let zone = zone.is_some().then_some(TimeZone::UTC);
            DataType::Datetime(TimeUnit::from(unit), zone)
        }
        // A time of day counts from midnight as a timestamp does from 1970-01-01.
        A::Time64(unit) if role == ColumnRole::TimeOfDay => {
            DataType::Datetime(TimeUnit::from(unit), None)
        }
        other => return Err(wrong_type(role, other)),
    };
    Ok(read_as)
}

/// The type with which a column is read that only filters look at.
fn readable_by_filters(found: &ArrowDataType) -> Result<DataType> {
    use ArrowDataType as A;
    match found {
        A::Boolean => Ok(DataType::Boolean),
        A::Date32 | A::Timestamp(..) => readable_type(Some(ColumnRole::Time), found),
        _ => readable_type(Some(ColumnRole::Customer), found),
    }
}

fn wrong_type(role: ColumnRole, found: &ArrowDataType) -> Error {
    use ArrowDataType as A;
    let needed = match role {
        ColumnRole::Time => "a date, a timestamp, text or a number",
        ColumnRole::TimeOfDay => "a time, text or a number",
        ColumnRole::Quantity | ColumnRole::Price | ColumnRole::Margin | ColumnRole::Discount => {
            "a number"
        }
        ColumnRole::Customer
        | ColumnRole::Product
        | ColumnRole::Basket
        | ColumnRole::Category
        | ColumnRole::Store
        | ColumnRole::Brand
        | ColumnRole::Name => "integers or text",
        ColumnRole::Offerable => "true or false, integers or text",
    };
    let flag = role.flag();
    let hint = match (role, found) {
        (ColumnRole::Time | ColumnRole::TimeOfDay, A::Decimal(..)) => format!(
            "write the column as an integer (SQL: cast(column as bigint)), or map another one with {flag}"
        ),
        (ColumnRole::TimeOfDay, A::Time32(_)) => format!(
            "write the column as text (SQL: cast(column as varchar)), or map another one with {flag}"
        ),
        _ => format!("map another column with {flag}"),
    };
    Error::input(format!("the type is {found:?}, but {needed} is needed")).hint(hint)
}
