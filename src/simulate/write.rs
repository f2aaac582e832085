//! Writers of the tickets: CSV, gzipped CSV and Parquet, streamed into anything that can be written
//! to.
//!
//! Columns: `customer_id, basket_id, timestamp, product_id, category, quantity, price`; `price` is
//! that of one unit. Both formats hold the same lines in the same order. In Parquet, ids are signed
//! 64-bit, `quantity` 32-bit, `price` a double, `category` a plain string and `timestamp` naive
//! microseconds; a row group has half a million lines and is what memory holds.

use std::io::Write;

use chrono::DateTime;
use flate2::Compression;
use flate2::write::GzEncoder;
use polars::prelude::*;

use super::{Order, Simulation, TicketLine, categories};
use crate::error::{Error, Result};

const HEADER: &[u8] = b"customer_id,basket_id,timestamp,product_id,category,quantity,price\n";
/// Lines in a row group.
const ROW_GROUP: usize = 500_000;

/// Writes all lines as CSV; says how many.
///
/// # Errors
/// If `writer` fails.
pub fn write_csv(simulation: &Simulation, order: Order, mut writer: impl Write) -> Result<u64> {
    writer.write_all(HEADER).map_err(failed)?;
    let mut text = Vec::new();
    let mut stamp = Stamp::default();
    let mut count = 0;
    simulation.for_each_chunk(order, |lines| {
        for group in lines.chunks(ROW_GROUP) {
            text.clear();
            group
                .iter()
                .for_each(|line| push_line(line, &mut stamp, &mut text));
            writer.write_all(&text).map_err(failed)?;
        }
        count += lines.len() as u64;
        Ok(())
    })?;
    writer.flush().map_err(failed)?;
    Ok(count)
}

/// Writes all lines as gzipped CSV at a level 0 … 9 (higher levels count as 9); says how many.
///
/// # Errors
/// If `writer` fails.
pub fn write_csv_gz(
    simulation: &Simulation,
    order: Order,
    level: u32,
    writer: impl Write,
) -> Result<u64> {
    let mut encoder = GzEncoder::new(writer, Compression::new(level.min(9)));
    let count = write_csv(simulation, order, &mut encoder)?;
    encoder
        .finish()
        .and_then(|mut writer| writer.flush())
        .map_err(failed)?;
    Ok(count)
}

/// Writes all lines as Parquet (Snappy); says how many.
///
/// # Errors
/// If `writer` fails.
pub fn write_parquet(simulation: &Simulation, order: Order, mut writer: impl Write) -> Result<u64> {
    let names: Vec<&'static str> = categories().collect();
    let mut rows: Vec<TicketLine> = Vec::new();
    let mut count = 0;
    let empty = frame(&[], &names).map_err(unwritable)?;
    let parquet = ParquetWriter::new(&mut writer).with_compression(ParquetCompression::Snappy);
    let mut parquet = parquet.batched(empty.schema()).map_err(unwritable)?;
    simulation.for_each_chunk(order, |lines| {
        count += lines.len() as u64;
        rows.extend_from_slice(lines);
        let whole = rows.len() - rows.len() % ROW_GROUP;
        for group in rows[..whole].chunks(ROW_GROUP) {
            parquet
                .write_batch(&frame(group, &names).map_err(unwritable)?)
                .map_err(unwritable)?;
        }
        rows.drain(..whole);
        Ok(())
    })?;
    parquet
        .write_batch(&frame(&rows, &names).map_err(unwritable)?)
        .map_err(unwritable)?;
    // `finish` would add polars' Arrow schema, from which pyarrow reads string views; without it
    // Parquet's own types stand.
    match parquet.get_writer().lock() {
        Ok(mut footer) => footer.end(Some(Vec::new())).map_err(unwritable)?,
        Err(_) => {
            return Err(Error::system(
                "the tickets cannot be written: the Parquet writer stopped",
            ));
        }
    };
    drop(parquet);
    writer.flush().map_err(failed)?;
    Ok(count)
}

fn failed(error: std::io::Error) -> Error {
    Error::system("the tickets cannot be written").source(error)
}

fn unwritable(error: PolarsError) -> Error {
    Error::system("the tickets cannot be written as Parquet").source(error)
}

fn frame(lines: &[TicketLine], names: &[&'static str]) -> PolarsResult<DataFrame> {
    fn integers(
        name: &'static str,
        lines: &[TicketLine],
        of: impl Fn(&TicketLine) -> i64,
    ) -> Column {
        Column::new(name.into(), lines.iter().map(of).collect::<Vec<i64>>())
    }
    let category = |line: &TicketLine| {
        names
            .get(usize::from(line.category))
            .copied()
            .unwrap_or_default()
    };
    DataFrame::new(
        lines.len(),
        vec![
            integers("customer_id", lines, |line| line.customer),
            integers("basket_id", lines, |line| line.basket),
            integers("timestamp", lines, |line| line.time)
                .cast(&DataType::Datetime(TimeUnit::Microseconds, None))?,
            integers("product_id", lines, |line| line.product),
            Column::new(
                "category".into(),
                lines.iter().map(category).collect::<Vec<&str>>(),
            ),
            Column::new(
                "quantity".into(),
                lines.iter().map(|line| line.quantity).collect::<Vec<i32>>(),
            ),
            Column::new(
                "price".into(),
                lines
                    .iter()
                    .map(|line| f64::from(line.price) / 100.0)
                    .collect::<Vec<f64>>(),
            ),
        ],
    )
}

/// The last time that was written, with its text: the lines of a ticket share it.
#[derive(Default)]
struct Stamp {
    time: Option<i64>,
    text: String,
}

fn push_line(line: &TicketLine, stamp: &mut Stamp, text: &mut Vec<u8>) {
    if stamp.time != Some(line.time) {
        stamp.time = Some(line.time);
        stamp.text = DateTime::from_timestamp_micros(line.time)
            .map_or_else(String::new, |t| t.format("%Y-%m-%d %H:%M:%S").to_string());
    }
    push_integer(line.customer, text);
    text.push(b',');
    push_integer(line.basket, text);
    text.push(b',');
    text.extend_from_slice(stamp.text.as_bytes());
    text.push(b',');
    push_integer(line.product, text);
    text.push(b',');
    text.extend_from_slice(line.category_name().as_bytes());
    text.push(b',');
    push_integer(i64::from(line.quantity), text);
    text.push(b',');
    push_integer(i64::from(line.price / 100), text);
    let cents = (line.price % 100).unsigned_abs() as u8;
    text.extend_from_slice(&[b'.', b'0' + cents / 10, b'0' + cents % 10, b'\n']);
}

/// The decimal digits, without the detour through `fmt`, which would take most of the time.
fn push_integer(value: i64, text: &mut Vec<u8>) {
    if value < 0 {
        text.push(b'-');
    }
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[at..]);
}
