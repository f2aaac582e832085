//! Published tables, read again as the predictions that they hold.

use std::collections::BTreeMap;
use std::io::Cursor;

use bytes::Bytes;
use polars::prelude::{Column, DataFrame, DataType, ParquetReader, PolarsResult, SerReader};

use super::{CUSTOMERS, PRODUCTS};
use crate::calendar::{Day, HORIZON_DAYS};
use crate::domain::{
    CustomerPrediction, Evidence, Ids, Predictions, ProductModel, ProductPrediction,
};
use crate::error::{Error, Result};
use crate::publish::manifest::Manifest;

/// The predictions of a published night, to compare them with what followed. Of the products, only
/// ids and probabilities are read.
///
/// # Errors
/// If a table is missing or does not have its columns.
pub fn read_predictions(
    manifest: &Manifest,
    tables: &BTreeMap<String, Bytes>,
) -> Result<Predictions> {
    let (customer_ids, mut customers) = read(manifest, tables, CUSTOMERS, read_customers)?;
    let (owner_ids, product_ids, products) = read(manifest, tables, PRODUCTS, read_products)?;
    let owners: Vec<Option<u32>> = (0..)
        .take(owner_ids.len())
        .map(|code| customer_ids.code(&owner_ids.text(code)))
        .collect();
    for (owner, product) in products {
        let customer = owners.get(owner as usize).copied().flatten();
        let customer = customer.and_then(|code| customers.get_mut(code as usize));
        let customer = customer.ok_or_else(|| {
            Error::input(format!(
                "the night of {} has products of {}, who is not among its customers",
                manifest.as_of,
                owner_ids.text(owner)
            ))
            .hint("publish the night again")
        })?;
        customer.products.push(product);
    }
    Ok(Predictions {
        as_of: manifest.as_of,
        model_id: manifest.model.id.clone(),
        funnel: manifest.funnel.clone(),
        customer_ids,
        product_ids,
        customers,
    })
}

/// Reads one of the tables.
fn read<T>(
    manifest: &Manifest,
    tables: &BTreeMap<String, Bytes>,
    name: &str,
    rows: fn(&DataFrame) -> PolarsResult<T>,
) -> Result<T> {
    let night = manifest.as_of;
    let content = tables.get(name).ok_or_else(|| {
        Error::input(format!("the night of {night} has no table {name}"))
            .hint("publish the night again")
    })?;
    let frame = ParquetReader::new(Cursor::new(content)).finish();
    frame.and_then(|frame| rows(&frame)).map_err(|error| {
        Error::input(format!(
            "the table {name} of the night of {night} cannot be read"
        ))
        .source(error)
    })
}

/// The customers, whose codes are their rows' numbers: the table is by ascending id.
fn read_customers(frame: &DataFrame) -> PolarsResult<(Ids, Vec<CustomerPrediction>)> {
    let (ids, codes) = coded(frame.column("customer_id")?)?;
    let days_to_next = doubles(frame, "days_to_next")?;
    let sizes = doubles(frame, "expected_basket_size")?;
    let within_7 = doubles(frame, "p_return_7d")?;
    let within_14 = doubles(frame, "p_return_14d")?;
    let within_28 = doubles(frame, "p_return_28d")?;
    let last = days(frame, "last_purchase")?;
    let earliest = days(frame, "earliest_date")?;
    let latest = days(frame, "latest_date")?;
    let purchases = frame.column("purchases_90d")?.i32()?;
    let rows = codes.into_iter().zip(purchases.into_no_null_iter());
    let rows = (0..)
        .zip(rows)
        .map(|(row, (code, purchases))| CustomerPrediction {
            customer: code,
            last_purchase: day_of(&last, row),
            purchases_90d: purchases.unsigned_abs(),
            days_to_next: double_of(&days_to_next, row),
            earliest: day_of(&earliest, row),
            latest: day_of(&latest, row),
            return_probability: [&within_7, &within_14, &within_28]
                .map(|values| double_of(values, row)),
            // Neither is published.
            next_on: [0.0; HORIZON_DAYS as usize],
            further: vec![],
            expected_basket_size: double_of(&sizes, row),
            products: vec![],
        });
    let mut customers: Vec<CustomerPrediction> = rows.collect();
    customers.sort_by_key(|customer| customer.customer);
    Ok((ids, customers))
}

/// The ids of the customers and of the products, and each row's customer and product.
type ReadProducts = (Ids, Ids, Vec<(u32, ProductPrediction)>);

fn read_products(frame: &DataFrame) -> PolarsResult<ReadProducts> {
    let (owner_ids, owners) = coded(frame.column("customer_id")?)?;
    let (product_ids, products) = coded(frame.column("product_id")?)?;
    let probabilities = frame.column("probability")?.f64()?;
    let rows = owners.into_iter().zip(products);
    let rows = rows.zip(probabilities.into_no_null_iter());
    let rows = rows.map(|((owner, product), probability)| {
        let product = ProductPrediction {
            product,
            probability,
            times_bought: 0,
            days_since_bought: None,
            typical_gap_days: None,
            model: ProductModel::Pooled,
            evidence: Evidence::Store { share: 0.0 },
        };
        (owner, product)
    });
    Ok((owner_ids, product_ids, rows.collect()))
}

fn doubles(frame: &DataFrame, name: &str) -> PolarsResult<Vec<f64>> {
    Ok(frame.column(name)?.f64()?.into_no_null_iter().collect())
}

/// The value of a row. No column of these has nulls, so each row has one.
fn double_of(values: &[f64], row: usize) -> f64 {
    values.get(row).copied().unwrap_or(f64::NAN)
}

fn day_of(values: &[Day], row: usize) -> Day {
    values.get(row).copied().unwrap_or(Day::from_epoch(0))
}

fn days(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Day>> {
    let days = frame.column(name)?.cast(&DataType::Int32)?;
    Ok(days
        .i32()?
        .into_no_null_iter()
        .map(Day::from_epoch)
        .collect())
}

/// The distinct ids of a column, and the code of each row's.
fn coded(column: &Column) -> PolarsResult<(Ids, Vec<u32>)> {
    Ok(match column.dtype() {
        DataType::Int64 => {
            let (ids, codes) = distinct(column.i64()?.into_no_null_iter().collect());
            (Ids::Integer(ids), codes)
        }
        _ => {
            let (ids, codes) = distinct(
                column
                    .str()?
                    .iter()
                    .map(Option::unwrap_or_default)
                    .collect(),
            );
            (
                Ids::Text(ids.into_iter().map(str::to_owned).collect()),
                codes,
            )
        }
    })
}

fn distinct<T: Ord + Copy>(values: Vec<T>) -> (Vec<T>, Vec<u32>) {
    let mut ids = values.clone();
    ids.sort_unstable();
    ids.dedup();
    let codes = values.iter().map(|value| {
        let (Ok(code) | Err(code)) = ids.binary_search(value);
        u32::try_from(code).unwrap_or(u32::MAX)
    });
    let codes = codes.collect();
    (ids, codes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::examples;
    use crate::offers::{OfferParameters, offers};
    use crate::publish::tables::files;

    fn manifest(predictions: &Predictions) -> Manifest {
        serde_json::from_value(serde_json::json!({
            "format": 1,
            "as_of": predictions.as_of,
            "run_id": "0123456789ab",
            "previous": null,
            "okuo_version": "0.1.0",
            "model": {"id": predictions.model_id, "sha256": ""},
            "tables": {},
            "config": {},
            "inputs": [],
            "lines": {},
            "funnel": predictions.funnel,
        }))
        .unwrap()
    }

    fn named_products(
        predictions: &Predictions,
        customer: &CustomerPrediction,
    ) -> Vec<(String, f64)> {
        let products = customer.products.iter();
        let products = products.map(|product| {
            let id = predictions.product_ids.text(product.product);
            (id, product.probability)
        });
        products.collect()
    }

    #[test]
    fn what_was_published_is_read_again() {
        for predictions in [examples::integer(), examples::text()] {
            let offers = offers(&predictions, &OfferParameters::default()).unwrap();
            let files = files(&predictions, &offers, &[]).unwrap();
            let tables: BTreeMap<String, Bytes> = files
                .into_iter()
                .map(|file| (file.name, file.content))
                .collect();
            let manifest = manifest(&predictions);
            let read = read_predictions(&manifest, &tables).unwrap();
            assert_eq!(read.customers.len(), predictions.customers.len());
            for (one, other) in read.customers.iter().zip(&predictions.customers) {
                assert_eq!(
                    read.customer_ids.get(one.customer),
                    predictions.customer_ids.get(other.customer)
                );
                let with_products = CustomerPrediction {
                    customer: other.customer,
                    products: other.products.clone(),
                    ..one.clone()
                };
                assert_eq!(&with_products, other);
                assert_eq!(
                    named_products(&read, one),
                    named_products(&predictions, other)
                );
            }
            let error = read_predictions(&manifest, &BTreeMap::new()).unwrap_err();
            assert!(
                error.to_string().contains("has no table customers"),
                "{error}"
            );
        }
    }
}
