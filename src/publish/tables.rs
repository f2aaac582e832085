//! The tables of a run, as files: Parquet that Spark, pandas and DuckDB read alike, or CSV and JSON
//! lines.
//!
//! Types: ids as they came (64-bit integers or text), dates as Date32, counts as signed 32-bit
//! integers, the rest as doubles and text; no dictionaries, no string views, nothing unsigned. The
//! same predictions give the same bytes.

use std::io::Write;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    Column, CsvWriter, DataFrame, DataType, NamedFrom, ParquetCompression, ParquetReader,
    ParquetWriter, PolarsError, SerReader, SerWriter, Series,
};
use rayon::prelude::*;

use crate::calendar::Day;
use crate::domain::{CustomerPrediction, MAX_RANK, Predictions, ProductModel, ProductPrediction};
use crate::domain::{Id, Ids};
use crate::error::{Error, Result};
use crate::offers::Offer;

#[cfg(test)]
mod tests;

/// Customers of one row group; with [`MAX_RANK`] products each, some 250,000 rows.
pub const CUSTOMERS_AT_A_TIME: usize = 10_000;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Apache Parquet, compressed with zstd.
    Parquet,
    /// Comma-separated values with a header line, UTF-8; an unknown value is empty.
    Csv,
    /// One JSON object a line; an unknown value is null.
    Jsonl,
}

impl Format {
    /// The extension of its files.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
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
            _ => Err(
                Error::request(format!("\"{text}\" is not a format of tables"))
                    .hint("the formats are parquet, csv and jsonl"),
            ),
        }
    }
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

/// All tables of a night: `customers`, `products` and `offers` as Parquet, and the offers in
/// `also`.
///
/// # Errors
/// As [`Tables::push`].
pub fn files(
    predictions: &Predictions,
    offers: &[Offer],
    also: &[Format],
) -> Result<Vec<TableFile>> {
    let mut tables = Tables::new(also);
    tables.push(predictions, offers)?;
    tables.finish()
}

/// The tables of a night while they are written, some of its customers after the other:
/// `customers`, one row a recurrent customer by ascending id; `products`, the likely products of
/// each by rank; and `offers`, the products that were looked at for each by rank, of which only
/// those that are offered have dates. What is not written yet has to be in memory, what is written
/// is compressed.
pub struct Tables {
    customers: Table,
    products: Table,
    /// One a format.
    offers: Vec<Table>,
}

impl Tables {
    /// Nothing yet; offers are written in the formats `also` besides Parquet.
    #[must_use]
    pub fn new(also: &[Format]) -> Self {
        let mut formats = vec![Format::Parquet];
        formats.extend(also);
        formats.sort_unstable();
        formats.dedup();
        let table = |name| Table::new(name, Format::Parquet);
        let offers = formats
            .into_iter()
            .map(|format| Table::new("offers", format))
            .collect();
        Self {
            customers: table("customers"),
            products: table("products"),
            offers,
        }
    }

    /// Writes what is predicted for customers whose ids follow on those before, and the offers made
    /// of it. The files are the same however customers come, as long as their number is a multiple
    /// of [`CUSTOMERS_AT_A_TIME`] each time but the last.
    ///
    /// # Errors
    /// If the predictions are not what they should be: a probability outside 0 to 1, an interval
    /// that ends before it begins, a customer twice; or if a code has no id. What is wrong must not
    /// be published.
    pub fn push(&mut self, predictions: &Predictions, offers: &[Offer]) -> Result<()> {
        check(predictions)?;
        let Self {
            customers,
            products,
            offers: offer_tables,
        } = self;
        let chunks = || chunks(&predictions.customers);
        let (products_written, (customers_written, offers_written)) = rayon::join(
            || chunks().try_for_each(|chunk| products.write(product_columns(predictions, chunk)?)),
            || {
                let customers_written = chunks()
                    .try_for_each(|chunk| customers.write(customer_columns(predictions, chunk)?));
                let mut unwritten = offers;
                let offers_written = chunks().try_for_each(|chunk| {
                    let last = chunk.last().map_or(0, |customer| customer.customer);
                    let (some, rest) = unwritten
                        .split_at(unwritten.partition_point(|offer| offer.customer <= last));
                    unwritten = rest;
                    offer_tables
                        .iter_mut()
                        .try_for_each(|table| table.write(offer_columns(predictions, some)?))
                });
                (customers_written, offers_written)
            },
        );
        customers_written.and(products_written).and(offers_written)
    }

    /// The files.
    ///
    /// # Errors
    /// If one cannot be ended.
    pub fn finish(self) -> Result<Vec<TableFile>> {
        [self.customers, self.products]
            .into_iter()
            .chain(self.offers)
            .map(Table::finish)
            .collect()
    }
}

fn customer_columns(
    predictions: &Predictions,
    customers: &[CustomerPrediction],
) -> Result<Columns> {
    let night = predictions.as_of.day();
    let float = |value: &dyn Fn(&CustomerPrediction) -> f64| {
        Values::Float(customers.iter().map(|c| Some(value(c))).collect())
    };
    let day = |value: &dyn Fn(&CustomerPrediction) -> Day| {
        Values::Date(customers.iter().map(|c| Some(value(c))).collect())
    };
    Ok(vec![
        (
            "customer_id",
            ids(
                &predictions.customer_ids,
                customers.iter().map(|c| c.customer),
            )?,
        ),
        ("as_of", day(&|_| night)),
        ("last_purchase", day(&|c| c.last_purchase)),
        (
            "days_since_last",
            Values::Count(
                customers
                    .iter()
                    .map(|c| Some(night - c.last_purchase))
                    .collect(),
            ),
        ),
        (
            "purchases_90d",
            Values::Count(
                customers
                    .iter()
                    .map(|c| count(c.purchases_90d))
                    .collect::<Result<_>>()?,
            ),
        ),
        ("days_to_next", float(&|c| c.days_to_next)),
        ("expected_date", day(&|c| predictions.expected(c))),
        ("earliest_date", day(&|c| c.earliest)),
        ("latest_date", day(&|c| c.latest)),
        ("p_return_7d", float(&|c| c.return_probability[0])),
        ("p_return_14d", float(&|c| c.return_probability[1])),
        ("p_return_28d", float(&|c| c.return_probability[2])),
        ("expected_basket_size", float(&|c| c.expected_basket_size)),
        (
            "model_id",
            Values::Text(
                customers
                    .iter()
                    .map(|_| predictions.model_id.clone())
                    .collect(),
            ),
        ),
    ])
}

fn product_columns(predictions: &Predictions, customers: &[CustomerPrediction]) -> Result<Columns> {
    let rows = || {
        customers.iter().flat_map(|c| {
            (1_i32..)
                .zip(&c.products)
                .map(move |(rank, product)| (c, rank, product))
        })
    };
    let night = predictions.as_of.day();
    Ok(vec![
        (
            "customer_id",
            ids(
                &predictions.customer_ids,
                rows().map(|(c, _, _)| c.customer),
            )?,
        ),
        ("as_of", Values::Date(rows().map(|_| Some(night)).collect())),
        (
            "rank",
            Values::Count(rows().map(|(_, rank, _)| Some(rank)).collect()),
        ),
        (
            "product_id",
            ids(
                &predictions.product_ids,
                rows().map(|(_, _, product)| product.product),
            )?,
        ),
        (
            "probability",
            Values::Float(
                rows()
                    .map(|(_, _, product)| Some(product.probability))
                    .collect(),
            ),
        ),
        (
            "times_bought",
            Values::Count(
                rows()
                    .map(|(_, _, product)| count(product.times_bought))
                    .collect::<Result<_>>()?,
            ),
        ),
        (
            "days_since_bought",
            Values::Count(
                rows()
                    .map(|(_, _, product)| product.days_since_bought)
                    .collect(),
            ),
        ),
        (
            "typical_gap_days",
            Values::Float(
                rows()
                    .map(|(_, _, product)| product.typical_gap_days)
                    .collect(),
            ),
        ),
        (
            "model",
            Values::Text(
                rows()
                    .map(|(_, _, product)| word(product.model).to_owned())
                    .collect(),
            ),
        ),
        (
            "reason",
            Values::Text(
                customers
                    .par_iter()
                    .flat_map_iter(|c| c.products.iter().map(ProductPrediction::reason))
                    .collect(),
            ),
        ),
    ])
}

fn offer_columns(predictions: &Predictions, offers: &[Offer]) -> Result<Columns> {
    let text = |word: &dyn Fn(&Offer) -> &str| {
        Values::Text(offers.iter().map(|offer| word(offer).to_owned()).collect())
    };
    Ok(vec![
        (
            "customer_id",
            ids(
                &predictions.customer_ids,
                offers.iter().map(|offer| offer.customer),
            )?,
        ),
        (
            "product_id",
            ids(
                &predictions.product_ids,
                offers.iter().map(|offer| offer.product),
            )?,
        ),
        (
            "rank",
            Values::Count(
                offers
                    .iter()
                    .map(|offer| count(offer.rank))
                    .collect::<Result<_>>()?,
            ),
        ),
        (
            "probability",
            Values::Float(offers.iter().map(|offer| Some(offer.probability)).collect()),
        ),
        (
            "send_on",
            Values::Date(
                offers
                    .iter()
                    .map(|offer| offer.dates.map(|dates| dates.send_on))
                    .collect(),
            ),
        ),
        (
            "valid_from",
            Values::Date(
                offers
                    .iter()
                    .map(|offer| offer.dates.map(|dates| dates.valid_from))
                    .collect(),
            ),
        ),
        (
            "valid_until",
            Values::Date(
                offers
                    .iter()
                    .map(|offer| offer.dates.map(|dates| dates.valid_until))
                    .collect(),
            ),
        ),
        ("action", text(&|offer| offer.action.word())),
        ("arm", text(&|offer| offer.arm.word())),
        ("reason", text(&|offer| &offer.reason)),
    ])
}

/// How many rows a Parquet file has; `name` names it in messages.
///
/// # Errors
/// If it is not a Parquet file.
pub fn parquet_rows(name: &str, content: &Bytes) -> Result<u64> {
    let rows = ParquetReader::new(std::io::Cursor::new(content)).num_rows();
    rows.map(|rows| rows as u64).map_err(|error| {
        Error::input("it cannot be read as Parquet")
            .object(name)
            .source(error)
    })
}

/// The values of one column of one chunk.
enum Values {
    Integer(Vec<i64>),
    Text(Vec<String>),
    Count(Vec<Option<i32>>),
    Float(Vec<Option<f64>>),
    Date(Vec<Option<Day>>),
}

type Columns = Vec<(&'static str, Values)>;

/// The customers a chunk at a time; at least one chunk, which may be empty, so that an empty table
/// has its columns.
fn chunks(customers: &[CustomerPrediction]) -> impl Iterator<Item = &[CustomerPrediction]> {
    customers
        .is_empty()
        .then_some(customers)
        .into_iter()
        .chain(customers.chunks(CUSTOMERS_AT_A_TIME))
}

/// A table while it is written.
struct Table {
    name: &'static str,
    format: Format,
    rows: u64,
    content: Content,
    /// Of a Parquet table that has begun.
    parquet: Option<BatchedWriter<Content>>,
}

/// The bytes of a file, which its writer shares: polars does not give them back.
#[derive(Debug, Clone, Default)]
struct Content(Arc<Mutex<Vec<u8>>>);

impl Content {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Content {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn failed<E: std::error::Error + Send + Sync + 'static>(name: &str) -> impl Fn(E) -> Error {
    move |error| Error::system(format!("the table {name} cannot be written")).source(error)
}

impl Table {
    fn new(name: &'static str, format: Format) -> Self {
        Self {
            name,
            format,
            rows: 0,
            content: Content::default(),
            parquet: None,
        }
    }

    /// Writes rows after those before: a row group of Parquet.
    fn write(&mut self, columns: Columns) -> Result<()> {
        let is_first = self.content.bytes().is_empty();
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        if rows == 0 && !is_first {
            return Ok(());
        }
        self.rows += rows as u64;
        match self.format {
            Format::Parquet => self.write_group(columns),
            Format::Csv => {
                let mut frame = frame(columns).map_err(failed(self.name))?;
                CsvWriter::new(&mut self.content)
                    .include_header(is_first)
                    .finish(&mut frame)
                    .map_err(failed(self.name))
            }
            Format::Jsonl => push_json_lines(&columns, rows, &mut self.content.bytes())
                .map_err(failed(self.name)),
        }
    }

    fn write_group(&mut self, columns: Columns) -> Result<()> {
        let frame = frame(columns).map_err(failed(self.name))?;
        let parquet = match &mut self.parquet {
            Some(parquet) => parquet,
            none => {
                let writer = ParquetWriter::new(self.content.clone())
                    .with_compression(ParquetCompression::Zstd(None));
                none.insert(writer.batched(frame.schema()).map_err(failed(self.name))?)
            }
        };
        parquet.write_batch(&frame).map_err(failed(self.name))
    }

    fn finish(self) -> Result<TableFile> {
        let Self {
            name,
            format,
            rows,
            content,
            parquet,
        } = self;
        if let Some(parquet) = parquet {
            // `finish` would add polars' Arrow schema, from which pyarrow reads string views;
            // without it Parquet's own types stand.
            match parquet.get_writer().lock() {
                Ok(mut footer) => footer.end(Some(Vec::new())).map_err(failed(name))?,
                Err(_) => {
                    return Err(Error::system(format!(
                        "the table {name} cannot be written: its writer stopped"
                    )));
                }
            };
        }
        let file = format!("{name}.{}", format.extension());
        let name = if format == Format::Parquet {
            name.to_owned()
        } else {
            file.clone()
        };
        let content = std::mem::take(&mut *content.bytes()).into();
        Ok(TableFile {
            name,
            file,
            rows,
            content,
        })
    }
}

fn frame(columns: Columns) -> Result<DataFrame, PolarsError> {
    let columns = columns.into_iter().map(|(name, values)| {
        let name = name.into();
        let series = match values {
            Values::Integer(values) => Series::new(name, values),
            Values::Text(values) => Series::new(name, values),
            Values::Count(values) => Series::new(name, values),
            Values::Float(values) => Series::new(name, values),
            Values::Date(values) => {
                let days: Vec<Option<i32>> =
                    values.into_iter().map(|day| day.map(Day::epoch)).collect();
                Series::new(name, days).cast(&DataType::Date)?
            }
        };
        Ok(Column::from(series))
    });
    DataFrame::new_infer_height(columns.collect::<Result<_, PolarsError>>()?)
}

fn push_json_lines(
    columns: &Columns,
    rows: usize,
    content: &mut Vec<u8>,
) -> serde_json::Result<()> {
    for row in 0..rows {
        for (at, (name, values)) in columns.iter().enumerate() {
            content.push(if at == 0 { b'{' } else { b',' });
            serde_json::to_writer(&mut *content, name)?;
            content.push(b':');
            match values {
                Values::Integer(values) => serde_json::to_writer(&mut *content, &values.get(row)),
                Values::Text(values) => serde_json::to_writer(&mut *content, &values.get(row)),
                Values::Count(values) => serde_json::to_writer(&mut *content, &values.get(row)),
                Values::Float(values) => serde_json::to_writer(&mut *content, &values.get(row)),
                Values::Date(values) => serde_json::to_writer(&mut *content, &values.get(row)),
            }?;
        }
        content.extend_from_slice(b"}\n");
    }
    Ok(())
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Values::Integer(values) => values.len(),
            Values::Text(values) => values.len(),
            Values::Count(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Date(values) => values.len(),
        }
    }
}

fn ids(ids: &Ids, codes: impl Iterator<Item = u32>) -> Result<Values> {
    let without_id = |code: u32| {
        Error::system(format!(
            "the predictions name the code {code}, which has no id"
        ))
    };
    Ok(match ids {
        Ids::Integer(ids) => Values::Integer(
            codes
                .map(|code| {
                    ids.get(code as usize)
                        .copied()
                        .ok_or_else(|| without_id(code))
                })
                .collect::<Result<_>>()?,
        ),
        Ids::Text(ids) => Values::Text(
            codes
                .map(|code| {
                    ids.get(code as usize)
                        .cloned()
                        .ok_or_else(|| without_id(code))
                })
                .collect::<Result<_>>()?,
        ),
    })
}

fn count(value: u32) -> Result<Option<i32>> {
    i32::try_from(value)
        .map(Some)
        .map_err(|_| Error::system(format!("a count of {value} does not fit the tables")))
}

fn word(model: ProductModel) -> &'static str {
    match model {
        ProductModel::Product => "product",
        ProductModel::Pooled => "pooled",
    }
}

/// What holds for every night's predictions; a violation is a mistake of the models and must not
/// reach a customer.
fn check(predictions: &Predictions) -> Result<()> {
    let night = predictions.as_of.day();
    let mut previous = None;
    for customer in &predictions.customers {
        let wrong = |what: String| {
            let id = predictions
                .customer_ids
                .get(customer.customer)
                .unwrap_or(Id::Text("?"));
            Error::system(format!("the prediction for customer {id} is wrong: {what}"))
                .hint("nothing was published; please report this")
        };
        let probability = |name: &str, value: f64| match (0.0..=1.0).contains(&value) {
            true => Ok(()),
            false => Err(wrong(format!("{name} is {value}, not a probability"))),
        };
        if previous.is_some_and(|previous| previous >= customer.customer) {
            return Err(wrong("it stands twice or out of order".to_owned()));
        }
        previous = Some(customer.customer);
        if !(1.0..=36_525.0).contains(&customer.days_to_next) {
            return Err(wrong(format!("days_to_next is {}", customer.days_to_next)));
        }
        if customer.earliest <= night
            || customer.latest < customer.earliest
            || customer.last_purchase > night
        {
            return Err(wrong(format!(
                "seen from {night}, the last purchase is on {} and the next from {} to {}",
                customer.last_purchase, customer.earliest, customer.latest
            )));
        }
        let [p7, p14, p28] = customer.return_probability;
        for (name, value) in [
            ("p_return_7d", p7),
            ("p_return_14d", p14),
            ("p_return_28d", p28),
        ] {
            probability(name, value)?;
        }
        if p7 > p14 || p14 > p28 {
            return Err(wrong(format!(
                "its return probabilities fall with time: {p7}, {p14}, {p28}"
            )));
        }
        if !(customer.expected_basket_size.is_finite() && customer.expected_basket_size >= 0.0) {
            return Err(wrong(format!(
                "expected_basket_size is {}",
                customer.expected_basket_size
            )));
        }
        if customer.products.len() > MAX_RANK {
            return Err(wrong(format!(
                "it lists {} products, more than {MAX_RANK}",
                customer.products.len()
            )));
        }
        let mut seen = Vec::with_capacity(customer.products.len());
        let mut above = f64::INFINITY;
        for product in &customer.products {
            probability("the probability of a product", product.probability)?;
            if product.probability > above {
                return Err(wrong(
                    "its products are not by descending probability".to_owned(),
                ));
            }
            above = product.probability;
            if product.typical_gap_days.is_some_and(|gap| !gap.is_finite()) {
                return Err(wrong(
                    "the typical gap of a product is not a number".to_owned(),
                ));
            }
            seen.push(product.product);
        }
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(wrong("it lists a product twice".to_owned()));
        }
    }
    Ok(())
}
