//! With which types the columns are read.

use polars::prelude::{ArrowDataType, DataType, TimeUnit, TimeZone};

use crate::error::{Error, Result};
use crate::ingest::columns::ColumnRole;

/// The type with which a column is read.
///
/// # Errors
/// If the column's type is none that its role can have.
pub(super) fn readable_type(role: Option<ColumnRole>, found: &ArrowDataType) -> Result<DataType> {
    use ArrowDataType as A;
    let Some(role) = role else {
        return readable_by_filters(found);
    };
    let is_time = role == ColumnRole::Time;
    let read_as = match found {
        A::Utf8 | A::LargeUtf8 | A::Utf8View => DataType::String,
        A::Binary | A::LargeBinary | A::BinaryView => DataType::Binary,
        A::Int8 | A::Int16 | A::Int32 | A::UInt8 | A::UInt16 if !is_time => DataType::Int32,
        A::Int64 if !is_time => DataType::Int64,
        A::UInt32 if !is_time => DataType::UInt32,
        A::UInt64 if !is_time => DataType::UInt64,
        A::Float32 if !is_time => DataType::Float32,
        A::Float64 if !is_time => DataType::Float64,
        A::Date32 if is_time => DataType::Date,
        A::Timestamp(unit, zone) if is_time => {
            let zone = zone.is_some().then_some(TimeZone::UTC);
            DataType::Datetime(TimeUnit::from(unit), zone)
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
        ColumnRole::Time => "a date, a timestamp or text",
        ColumnRole::TimeOfDay => "text or an integer",
        ColumnRole::Quantity | ColumnRole::Price => "a number",
        ColumnRole::Customer
        | ColumnRole::Product
        | ColumnRole::Basket
        | ColumnRole::Category
        | ColumnRole::Store => "integers or text",
    };
    let flag = role.flag();
    let hint = match (role, found) {
        (ColumnRole::Time, A::Int64 | A::Int32 | A::UInt32 | A::UInt64 | A::Float64) => format!(
            "if these are seconds since 1970, write the column as a timestamp (pandas: pd.to_datetime(column, unit=\"s\"); SQL: to_timestamp(column)); \
             or map another column with {flag}"
        ),
        (ColumnRole::Quantity, A::Decimal(..)) => format!(
            "write the column as a float (SQL: cast(column as double)), or map another one with {flag}"
        ),
        (ColumnRole::Customer | ColumnRole::Product, A::Decimal(..)) => format!(
            "write the column as an integer (SQL: cast(column as bigint)), or map another one with {flag}"
        ),
        _ => format!("map another column with {flag}"),
    };
    Error::input(format!("the type is {found:?}, but {needed} is needed")).hint(hint)
}
