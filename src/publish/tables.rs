//! The tables of a run, as files: Parquet that Spark, pandas and DuckDB read alike, or CSV, JSON
//! lines and Excel.
//!
//! Types: ids as they came (64-bit integers or text), dates as Date32, counts as signed 32-bit
//! integers, the rest as doubles and text; no dictionaries, no string views, nothing unsigned. The
//! same predictions give the same bytes. [`schema`] lists the columns.

mod check;
mod columns;
mod plan;
mod reader;
#[cfg(test)]
mod tests;
mod writer;
mod xlsx;

use std::str::FromStr;

use bytes::Bytes;

use crate::domain::{CustomerPrediction, Details, Predictions};
use crate::error::{Error, Result};
use crate::offers::Offer;
use check::check;
pub use columns::{ColumnSchema, ColumnType};
use columns::{
    CustomerRecord, FillContext, OFFER_COLUMNS, PLAN_COLUMNS, ProductRecord, fill, schema_of,
};
pub use plan::PlanTables;
pub use reader::read_predictions;
use writer::TableWriter;

/// Customers of one row group. With [`MAX_RANK`](crate::domain::MAX_RANK) products each, a row
/// group of `products` has some 250,000 rows.
pub const CUSTOMERS_AT_A_TIME: usize = 10_000;

const CUSTOMERS: &str = "customers";
const PRODUCTS: &str = "products";
pub(super) const OFFERS: &str = "offers";
/// All offers of a plan.
pub(super) const PLAN: &str = "plan";

/// What readers may rely on of a published table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSchema {
    /// Its name in the manifest.
    pub name: &'static str,
    /// One line on its rows and their order.
    pub meaning: &'static str,
    /// Its columns, in their order.
    pub columns: Vec<ColumnSchema>,
}

/// The published tables of a night with their columns.
#[must_use]
pub fn schema() -> [TableSchema; 3] {
    [
        TableSchema {
            name: CUSTOMERS,
            meaning: "one row for each recurrent customer, by ascending id",
            columns: schema_of(&CustomerRecord::COLUMNS),
        },
        TableSchema {
            name: PRODUCTS,
            meaning: "up to 25 likely products of each customer's next basket, by rank",
            columns: schema_of(&ProductRecord::COLUMNS),
        },
        TableSchema {
            name: OFFERS,
            meaning: "each customer's candidates by rank: those that a strategy of `mix` looked at until `per_customer` are offered, or would be if it were not too soon",
            columns: schema_of(&OFFER_COLUMNS),
        },
    ]
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Apache Parquet, compressed with zstd.
    Parquet,
    /// Comma-separated values with a header line, UTF-8; an unknown value is empty, and a text that a
    /// spreadsheet would take for a formula has `'` before it.
    Csv,
    /// One JSON object a line; an unknown value is null.
    Jsonl,
    /// An Excel workbook with one sheet; text is text there, whatever it begins with.
    Xlsx,
}

impl Format {
    const ALL: [Self; 4] = [Self::Parquet, Self::Csv, Self::Jsonl, Self::Xlsx];

    /// The extension of its files.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Xlsx => "xlsx",
        }
    }
}

impl FromStr for Format {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "parquet" => Ok(Format::Parquet),
            "csv" => Ok(Format::Csv),
            "jsonl" => Ok(Format::Jsonl),
            "xlsx" => Ok(Format::Xlsx),
            _ => Err(
                Error::request(format!("\"{text}\" is not a format of tables"))
                    .hint("the formats are parquet, csv, jsonl and xlsx"),
            ),
        }
    }
}

/// The file of a table in a format.
fn file_name(table: &str, format: Format) -> String {
    format!("{table}.{}", format.extension())
}

/// Whether a run may have a file of this name: offers come in all formats, the others in one.
pub(super) fn is_table_file(name: &str) -> bool {
    let offers = Format::ALL.map(|format| file_name(OFFERS, format));
    let others = [CUSTOMERS, PRODUCTS].map(|table| file_name(table, Format::Parquet));
    offers.iter().chain(&others).any(|file| file == name) || plan::is_plan_file(name)
}

/// One table, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// Its name in the manifest: `customers`; in another format than Parquet with the extension,
    /// `offers.csv`.
    pub name: String,
    /// Its file name: `customers.parquet`.
    pub file: String,
    /// How many rows it has.
    pub rows: u64,
    /// The file.
    pub content: Bytes,
}

/// All tables of a night: `customers`, `products` and `offers` as Parquet, and the offers in the
/// formats `also`.
///
/// # Errors
/// As [`Tables::push`].
pub fn files(
    predictions: &Predictions,
    offers: &[Offer],
    also: &[Format],
) -> Result<Vec<TableFile>> {
    let mut tables = Tables::new(also, Details::default());
    tables.push(predictions, offers)?;
    tables.finish()
}

/// The tables of a night while they are written, some customers after the other; see [`schema`].
/// Rows are held in memory only until they are written; what is written is compressed.
pub struct Tables {
    customers: TableWriter,
    products: TableWriter,
    /// One for each format.
    offers: Vec<TableWriter>,
    details: Details,
}

impl Tables {
    /// Tables without a row; offers are written in the formats `also` besides Parquet. The columns
    /// of `details` are those that have something in it.
    #[must_use]
    pub fn new(also: &[Format], details: Details) -> Self {
        let mut formats = vec![Format::Parquet];
        formats.extend(also);
        formats.sort_unstable();
        formats.dedup();
        Self {
            customers: TableWriter::new(CUSTOMERS, Format::Parquet),
            products: TableWriter::new(PRODUCTS, Format::Parquet),
            offers: formats
                .into_iter()
                .map(|format| TableWriter::new(OFFERS, format))
                .collect(),
            details,
        }
    }

    /// The names that the tables have in the manifest.
    pub fn names(&self) -> impl Iterator<Item = String> {
        [&self.customers, &self.products]
            .into_iter()
            .chain(&self.offers)
            .map(TableWriter::table_name)
    }

    /// Writes what is predicted for some customers, whose ids follow those of the calls before, and
    /// the offers made of it. The files do not depend on how the customers are spread over calls,
    /// as long as each call but the last has a multiple of [`CUSTOMERS_AT_A_TIME`].
    ///
    /// # Errors
    /// If a prediction must not be published (a probability outside 0 to 1, an interval that ends
    /// before it begins, a customer twice), or if a code has no id.
    pub fn push(&mut self, predictions: &Predictions, offers: &[Offer]) -> Result<()> {
        check(predictions)?;
        let Self {
            customers,
            products,
            offers: offer_tables,
            details,
        } = self;
        let context = FillContext {
            predictions,
            details,
        };
        let (products, others) = rayon::join(
            || write_products(products, context),
            || {
                let customers = write_customers(customers, context);
                (customers, write_offers(offer_tables, context, offers))
            },
        );
        let (customers, offers) = others;
        customers.and(products).and(offers)
    }

    /// The files.
    ///
    /// # Errors
    /// If one cannot be ended.
    pub fn finish(self) -> Result<Vec<TableFile>> {
        [self.customers, self.products]
            .into_iter()
            .chain(self.offers)
            .map(TableWriter::finish)
            .collect()
    }
}

/// The customers of one row group after the other. There is at least one, which may be empty, so
/// that an empty table has its columns.
fn chunks(customers: &[CustomerPrediction]) -> impl Iterator<Item = &[CustomerPrediction]> {
    customers
        .is_empty()
        .then_some(customers)
        .into_iter()
        .chain(customers.chunks(CUSTOMERS_AT_A_TIME))
}

fn write_customers(table: &mut TableWriter, context: FillContext<'_>) -> Result<()> {
    let predictions = context.predictions;
    for customers in chunks(&predictions.customers) {
        let rows = customers.iter().map(|customer| CustomerRecord {
            predictions,
            customer,
        });
        let rows: Vec<CustomerRecord<'_>> = rows.collect();
        table.write(fill(&CustomerRecord::COLUMNS, &rows, context)?)?;
    }
    Ok(())
}

fn write_products(table: &mut TableWriter, context: FillContext<'_>) -> Result<()> {
    let predictions = context.predictions;
    for customers in chunks(&predictions.customers) {
        let rows: Vec<ProductRecord<'_>> = product_rows(predictions, customers).collect();
        table.write(fill(&ProductRecord::COLUMNS, &rows, context)?)?;
    }
    Ok(())
}

fn product_rows<'a>(
    predictions: &'a Predictions,
    customers: &'a [CustomerPrediction],
) -> impl Iterator<Item = ProductRecord<'a>> {
    customers.iter().flat_map(|customer| {
        let ranked = (1..).zip(&customer.products);
        ranked.map(|(rank, product)| ProductRecord {
            as_of: predictions.as_of,
            customer: customer.customer,
            rank,
            product,
        })
    })
}

/// Writes the offers, which are by customer, in the same row groups as the customers.
fn write_offers(
    tables: &mut [TableWriter],
    context: FillContext<'_>,
    mut offers: &[Offer],
) -> Result<()> {
    for customers in chunks(&context.predictions.customers) {
        let last = customers.last().map_or(0, |customer| customer.customer);
        let (rows, rest) = offers.split_at(offers.partition_point(|offer| offer.customer <= last));
        offers = rest;
        for table in &mut *tables {
            table.write(fill(&OFFER_COLUMNS, rows, context)?)?;
        }
    }
    Ok(())
}
