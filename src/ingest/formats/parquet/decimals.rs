//! Decimals, which polars reads only with a feature that is not on: they become numbers here.

use polars::prelude::{ArrowField, NamedFrom, PolarsResult, Series, polars_bail};
use polars_arrow::array::{Array, PrimitiveArray};

/// A column of decimals with so many places: integers if it has no places, else floats.
///
/// # Errors
/// If the arrays are no decimals.
pub(super) fn series_of(
    field: &ArrowField,
    arrays: &[Box<dyn Array>],
    places: usize,
) -> PolarsResult<Series> {
    let mut values: Vec<Option<i128>> = vec![];
    for array in arrays {
        match array.as_any().downcast_ref::<PrimitiveArray<i128>>() {
            Some(decimals) => values.extend(decimals.iter().map(|value| value.copied())),
            None => polars_bail!(ComputeError: "the decimals are none"),
        }
    }
    let name = field.name.clone();
    if places > 0 {
        let one = 10_f64.powi(i32::try_from(places).unwrap_or(i32::MAX));
        let floats: Vec<Option<f64>> = values
            .iter()
            .map(|value| value.map(|value| value as f64 / one))
            .collect();
        return Ok(Series::new(name, floats));
    }
    let fits = |value: &Option<i128>| value.is_none_or(|value| i64::try_from(value).is_ok());
    if values.iter().all(fits) {
        let integers: Vec<Option<i64>> = values
            .iter()
            .map(|value| value.and_then(|value| i64::try_from(value).ok()))
            .collect();
        return Ok(Series::new(name, integers));
    }
    let written: Vec<Option<String>> = values
        .iter()
        .map(|value| value.map(|value| value.to_string()))
        .collect();
    Ok(Series::new(name, written))
}
