//! The files of a plan: all of its offers, and those of each day.

use std::collections::BTreeMap;

use serde::Serialize;

use super::writer::TableWriter;
use super::{FillContext, Format, PLAN, PLAN_COLUMNS, TableFile, check, file_name, fill};
use crate::calendar::Day;
use crate::domain::{Details, Predictions};
use crate::error::{Error, Result};
use crate::offers::{Action, Offer};

/// The formats of a day's table.
const OF_A_DAY: [Format; 2] = [Format::Csv, Format::Xlsx];

/// Whether a plan may have a file of this name.
pub(super) fn is_plan_file(name: &str) -> bool {
    let of_day = name.rsplit_once('.').is_some_and(|(day, extension)| {
        day.parse::<Day>().is_ok() && matches!(extension, "csv" | "xlsx" | "jsonl")
    });
    of_day || name == file_name(PLAN, Format::Parquet)
}

/// The tables of a plan while they are written, some customers after the other.
pub struct PlanTables {
    plan: TableWriter,
    days: BTreeMap<Day, DayTables>,
    details: Details,
}

/// The files of one day.
struct DayTables {
    tables: [TableWriter; OF_A_DAY.len()],
    /// JSON lines as Amazon Personalize writes them, one for each customer of the treatment arm.
    batch: Vec<u8>,
    customers: u64,
}

impl PlanTables {
    /// Tables without a row for these days.
    #[must_use]
    pub fn new(days: impl Iterator<Item = Day>, details: Details) -> Self {
        Self {
            plan: TableWriter::new(PLAN, Format::Parquet),
            days: days.map(|day| (day, DayTables::new(day))).collect(),
            details,
        }
    }

    /// Writes those of some customers' offers that are sent on these days.
    ///
    /// # Errors
    /// If a prediction must not be published, or a table cannot be written.
    pub fn push(&mut self, predictions: &Predictions, offers: &[Offer]) -> Result<()> {
        check(predictions)?;
        let context = FillContext {
            predictions,
            details: &self.details,
        };
        let (first, last) = match (self.days.first_key_value(), self.days.last_key_value()) {
            (Some((first, _)), Some((last, _))) => (*first, *last),
            _ => return Ok(()),
        };
        let planned = offers.iter().filter(|offer| {
            let send_on = sent_on(offer);
            send_on.is_some_and(|day| first <= day && day <= last)
        });
        let planned: Vec<Offer> = planned.cloned().collect();
        self.plan.write(fill(&PLAN_COLUMNS, &planned, context)?)?;
        for (day, tables) in &mut self.days {
            let of_day = planned.iter().filter(|offer| sent_on(offer) == Some(*day));
            let of_day: Vec<Offer> = of_day.cloned().collect();
            tables.push(&of_day, context)?;
        }
        Ok(())
    }

    /// The files.
    ///
    /// # Errors
    /// If one cannot be ended.
    pub fn finish(self) -> Result<Vec<TableFile>> {
        let mut files = vec![self.plan.finish()?];
        for (day, tables) in self.days {
            let DayTables {
                tables,
                batch,
                customers,
            } = tables;
            for table in tables {
                files.push(table.finish()?);
            }
            let file = file_name(&day.to_string(), Format::Jsonl);
            files.push(TableFile {
                name: file.clone(),
                file,
                rows: customers,
                content: batch.into(),
            });
        }
        Ok(files)
    }
}

/// The day on which an offer is sent, if it is.
fn sent_on(offer: &Offer) -> Option<Day> {
    let dates = offer.dates.filter(|_| offer.action == Action::Offer)?;
    Some(dates.send_on)
}

impl DayTables {
    fn new(day: Day) -> Self {
        Self {
            tables: OF_A_DAY.map(|format| TableWriter::new(&day.to_string(), format)),
            batch: vec![],
            customers: 0,
        }
    }

    fn push(&mut self, offers: &[Offer], context: FillContext<'_>) -> Result<()> {
        for table in &mut self.tables {
            table.write(fill(&PLAN_COLUMNS, offers, context)?)?;
        }
        for of_customer in offers.chunk_by(|one, next| one.customer == next.customer) {
            let treated = of_customer.iter().filter(|offer| offer.is_treated());
            let of_customer: Vec<Offer> = treated.cloned().collect();
            if !of_customer.is_empty() {
                self.customers += 1;
                write_batch(&of_customer, context.predictions, &mut self.batch)
                    .map_err(|error| Error::system("a plan cannot be written").source(error))?;
            }
        }
        Ok(())
    }
}

/// A line of a batch inference job of Amazon Personalize.
#[derive(Serialize)]
struct BatchLine {
    input: BatchInput,
    output: BatchOutput,
    error: Option<()>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchInput {
    user_id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BatchOutput {
    recommended_items: Vec<String>,
    /// The probability that each is bought in the window, without the offer.
    scores: Vec<f64>,
}

fn write_batch(
    offers: &[Offer],
    predictions: &Predictions,
    content: &mut Vec<u8>,
) -> serde_json::Result<()> {
    let Some(first) = offers.first() else {
        return Ok(());
    };
    let items = offers.iter();
    let line = BatchLine {
        input: BatchInput {
            user_id: predictions.customer_ids.text(first.customer),
        },
        output: BatchOutput {
            recommended_items: items
                .map(|offer| predictions.product_ids.text(offer.product))
                .collect(),
            scores: offers.iter().map(|offer| offer.p_window).collect(),
        },
        error: None,
    };
    serde_json::to_writer(&mut *content, &line)?;
    content.push(b'\n');
    Ok(())
}
