//! Writers of the tickets: CSV, gzipped CSV and Parquet, streamed to anything that can be written
//! to.
//!
//! All formats have the same lines in the same order, and the columns of
//! [`tickets`](crate::publish::tickets). `price` is that of one unit.

use std::io::Write;

use chrono::DateTime;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Order, Simulation, TicketLine};
use crate::error::{Error, Result};
use crate::publish::tickets::{TicketRow, TicketWriter};

const HEADER: &[u8] = b"customer_id,basket_id,timestamp,product_id,category,quantity,price\n";
/// Lines of CSV that are written at a time.
const CSV_LINES: usize = 500_000;

/// Writes all lines as CSV, and returns how many there are.
///
/// # Errors
/// If `writer` fails.
pub fn write_csv(simulation: &Simulation, order: Order, mut writer: impl Write) -> Result<u64> {
    writer.write_all(HEADER).map_err(failed)?;
    let mut text = Vec::new();
    let mut time_text = TimeText::default();
    let mut count = 0;
    simulation.for_each_chunk(order, |lines| {
        for group in lines.chunks(CSV_LINES) {
            text.clear();
            group
                .iter()
                .for_each(|line| push_line(line, &mut time_text, &mut text));
            writer.write_all(&text).map_err(failed)?;
        }
        count += lines.len() as u64;
        Ok(())
    })?;
    writer.flush().map_err(failed)?;
    Ok(count)
}

/// Writes all lines as gzipped CSV, and returns how many there are. Levels are 0 to 9; a higher one
/// counts as 9.
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

/// Writes all lines as Parquet (Snappy), and returns how many there are.
///
/// # Errors
/// If `writer` fails.
pub fn write_parquet(simulation: &Simulation, order: Order, mut writer: impl Write) -> Result<u64> {
    let mut tickets = TicketWriter::new(&mut writer)?;
    let mut count = 0;
    simulation.for_each_chunk(order, |lines| {
        count += lines.len() as u64;
        tickets.write(lines.iter().map(ticket_row))
    })?;
    tickets.finish()?;
    writer.flush().map_err(failed)?;
    Ok(count)
}

fn ticket_row(line: &TicketLine) -> TicketRow {
    TicketRow {
        customer_id: line.customer,
        basket_id: line.basket,
        timestamp: line.time,
        product_id: line.product,
        category: line.category_name(),
        quantity: line.quantity,
        price: f64::from(line.price) / 100.0,
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::system("the tickets cannot be written").source(error)
}

/// The last time that was written, with its text: the lines of a ticket share it.
#[derive(Default)]
struct TimeText {
    time: Option<i64>,
    text: String,
}

fn push_line(line: &TicketLine, time_text: &mut TimeText, text: &mut Vec<u8>) {
    if time_text.time != Some(line.time) {
        time_text.time = Some(line.time);
        time_text.text = DateTime::from_timestamp_micros(line.time)
            .map_or_else(String::new, |t| t.format("%Y-%m-%d %H:%M:%S").to_string());
    }
    push_integer(line.customer, text);
    text.push(b',');
    push_integer(line.basket, text);
    text.push(b',');
    text.extend_from_slice(time_text.text.as_bytes());
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

/// Appends the decimal digits. `fmt` would take most of the time.
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
