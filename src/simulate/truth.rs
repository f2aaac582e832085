//! The ground truth of each customer, so that models can be compared with it.

use std::io::Write;

use serde::{Deserialize, Serialize};

use super::Simulation;
use crate::calendar::Day;
use crate::error::{Error, Result};

/// The ground truth of a customer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The customer's id in the tickets.
    pub customer_id: i64,
    /// People in the household, 1 to 5.
    pub household: u8,
    /// The first day on which the customer may come.
    pub active_from: Day,
    /// The last day on which the customer may come; of one who stays, the last day of the history.
    pub active_until: Day,
    /// Whether the customer is still one when the history ends.
    pub stays: bool,
    /// Mean days between main trips, absences and seasons of visits aside.
    pub trip_gap_days: f64,
    /// Mean days between days with a purchase, top-up trips included, absences and seasons of
    /// visits aside.
    pub purchase_gap_days: f64,
    /// Mean products in the basket of a main trip.
    pub basket_products: f64,
    /// Relative weights of the weekdays, Monday to Sunday.
    pub weekday_weights: [f64; 7],
    /// The products that the customer buys again and again, present and former.
    pub staples: Vec<Staple>,
}

/// A product that a customer buys again and again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Staple {
    /// The product's id in the tickets.
    pub product_id: i64,
    /// Mean days until it has run out; it is then bought on one of the next trips.
    pub cycle_days: f64,
    /// The first day on which it is a staple.
    pub from: Day,
    /// The last day on which it is a staple.
    pub until: Day,
}

/// Writes the truth of every customer as a JSON array, one customer a line, and returns how many
/// there are. It is streamed.
///
/// # Errors
/// If `writer` fails.
pub fn write_truth_json(simulation: &Simulation, mut writer: impl Write) -> Result<u64> {
    let mut count = 0;
    for truth in
        (0..simulation.parameters().customers).filter_map(|customer| simulation.truth(customer))
    {
        writer
            .write_all(if count == 0 { b"[\n" } else { b",\n" })
            .map_err(failed)?;
        serde_json::to_writer(&mut writer, &truth).map_err(|e| failed(e.into()))?;
        count += 1;
    }
    writer
        .write_all(b"\n]\n")
        .and_then(|()| writer.flush())
        .map_err(failed)?;
    Ok(count)
}

/// Writes the truth of every customer as CSV, one row a staple, and returns how many rows there
/// are. It is streamed. A customer without a staple has one row with empty columns for it.
///
/// # Errors
/// If `writer` fails.
pub fn write_truth_csv(simulation: &Simulation, mut writer: impl Write) -> Result<u64> {
    writeln!(
        writer,
        "customer_id,active_from,active_until,stays,trip_gap_days,purchase_gap_days,\
         basket_products,product_id,cycle_days,from,until"
    )
    .map_err(failed)?;
    let mut rows = 0;
    for truth in
        (0..simulation.parameters().customers).filter_map(|customer| simulation.truth(customer))
    {
        let customer = format!(
            "{},{},{},{},{:.3},{:.3},{:.3}",
            truth.customer_id,
            truth.active_from,
            truth.active_until,
            truth.stays,
            truth.trip_gap_days,
            truth.purchase_gap_days,
            truth.basket_products
        );
        for staple in &truth.staples {
            writeln!(
                writer,
                "{customer},{},{:.3},{},{}",
                staple.product_id, staple.cycle_days, staple.from, staple.until
            )
            .map_err(failed)?;
        }
        if truth.staples.is_empty() {
            writeln!(writer, "{customer},,,,").map_err(failed)?;
        }
        rows += truth.staples.len().max(1) as u64;
    }
    writer.flush().map_err(failed)?;
    Ok(rows)
}

fn failed(error: std::io::Error) -> Error {
    Error::system("the truth cannot be written").source(error)
}
