//! The columns of the published tables. Each is declared once: its name, what it means, its type,
//! and how it is filled.
//!
//! To add a column, add an entry to one of the lists. Readers rely on columns: never rename or
//! remove one.

use std::fmt;
use std::sync::Arc;

use rayon::prelude::*;

use super::writer::{ColumnValues, FilledColumn};
use crate::calendar::{AsOf, Day};
use crate::domain::{
    CustomerPrediction, Details, Ids, Predictions, ProductModel, ProductPrediction,
};
use crate::error::{Error, Result};
use crate::offers::{Arm, Offer};

/// The declaration of one column of a table whose rows are made of `Row`s.
pub(super) struct TableColumn<Row> {
    name: &'static str,
    /// One line for readers of the table.
    meaning: &'static str,
    fill: Fill<Row>,
}

/// The type of a column, and how its value is found in a row.
enum Fill<Row> {
    /// The id of a customer code.
    CustomerId(fn(&Row) -> u32),
    /// The id of a product code.
    ProductId(fn(&Row) -> u32),
    Date(fn(&Row) -> Day),
    NullableDate(fn(&Row) -> Option<Day>),
    Count(fn(&Row) -> u32),
    /// A number of days.
    Days(fn(&Row) -> i32),
    NullableDays(fn(&Row) -> Option<i32>),
    Double(fn(&Row) -> f64),
    NullableDouble(fn(&Row) -> Option<f64>),
    Text(fn(&Row) -> String),
    Truth(fn(&Row) -> bool),
    /// What is known of a product code or a customer code, where it is mapped: without that, the
    /// table has no such column.
    ProductName(fn(&Row) -> u32),
    Category(fn(&Row) -> u32),
    LastPrice(fn(&Row) -> u32),
    Brand(fn(&Row) -> u32),
    UsualStore(fn(&Row) -> u32),
    Segment(fn(&Row) -> u32),
    /// What follows from prices, where these are mapped.
    Money(fn(&Row) -> Option<f64>),
}

/// What the columns are filled from, beside the rows.
#[derive(Clone, Copy)]
pub(super) struct FillContext<'a> {
    /// The ids of the rows' codes.
    pub(super) predictions: &'a Predictions,
    pub(super) details: &'a Details,
}

/// A row of `customers`.
pub(super) struct CustomerRecord<'a> {
    pub(super) predictions: &'a Predictions,
    pub(super) customer: &'a CustomerPrediction,
}

impl CustomerRecord<'_> {
    pub(super) const COLUMNS: [TableColumn<Self>; 16] = [
        TableColumn {
            name: "customer_id",
            meaning: "the customer, as in the tickets",
            fill: Fill::CustomerId(|row| row.customer.customer),
        },
        TableColumn {
            name: "as_of",
            meaning: "the night T, from which all days are counted",
            fill: Fill::Date(|row| row.predictions.as_of.day()),
        },
        TableColumn {
            name: "last_purchase",
            meaning: "the day of the latest purchase",
            fill: Fill::Date(|row| row.customer.last_purchase),
        },
        TableColumn {
            name: "days_since_last",
            meaning: "days from the latest purchase to T",
            fill: Fill::Days(|row| row.predictions.as_of.day() - row.customer.last_purchase),
        },
        TableColumn {
            name: "purchases_90d",
            meaning: "purchases in the 90 days up to T",
            fill: Fill::Count(|row| row.customer.purchases_90d),
        },
        TableColumn {
            name: "days_to_next",
            meaning: "median of the days from T to the next purchase, at least 1",
            fill: Fill::Double(|row| row.customer.days_to_next),
        },
        TableColumn {
            name: "expected_date",
            meaning: "`days_to_next` as a date, rounded to whole days",
            fill: Fill::Date(|row| row.predictions.expected(row.customer)),
        },
        TableColumn {
            name: "earliest_date",
            meaning: "first day of the 80 % interval of the next purchase",
            fill: Fill::Date(|row| row.customer.earliest),
        },
        TableColumn {
            name: "latest_date",
            meaning: "last day of the 80 % interval of the next purchase",
            fill: Fill::Date(|row| row.customer.latest),
        },
        TableColumn {
            name: "p_return_7d",
            meaning: "probability of a purchase in the 7 days after T",
            fill: Fill::Double(|row| row.customer.return_probability[0]),
        },
        TableColumn {
            name: "p_return_14d",
            meaning: "probability of a purchase in the 14 days after T",
            fill: Fill::Double(|row| row.customer.return_probability[1]),
        },
        TableColumn {
            name: "p_return_28d",
            meaning: "probability of a purchase in the 28 days after T",
            fill: Fill::Double(|row| row.customer.return_probability[2]),
        },
        TableColumn {
            name: "expected_basket_size",
            meaning: "expected number of distinct products in the next basket",
            fill: Fill::Double(|row| row.customer.expected_basket_size),
        },
        TableColumn {
            name: "model_id",
            meaning: "the model that predicted",
            fill: Fill::Text(|row| row.predictions.model_id.clone()),
        },
        TableColumn {
            name: "store",
            meaning: "the store in which the customer mostly buys, or that of the table of customers; only where either is mapped",
            fill: Fill::UsualStore(|row| row.customer.customer),
        },
        TableColumn {
            name: "segment",
            meaning: "the customer's segment; only where a table of customers has it",
            fill: Fill::Segment(|row| row.customer.customer),
        },
    ];
}

/// A row of `products`.
pub(super) struct ProductRecord<'a> {
    pub(super) as_of: AsOf,
    pub(super) customer: u32,
    /// Place in the customer's list, from 1.
    pub(super) rank: u32,
    pub(super) product: &'a ProductPrediction,
}

impl ProductRecord<'_> {
    pub(super) const COLUMNS: [TableColumn<Self>; 14] = [
        TableColumn {
            name: "customer_id",
            meaning: "the customer, as in the tickets",
            fill: Fill::CustomerId(|row| row.customer),
        },
        TableColumn {
            name: "as_of",
            meaning: "the night T, from which all days are counted",
            fill: Fill::Date(|row| row.as_of.day()),
        },
        TableColumn {
            name: "rank",
            meaning: "place in the customer's list; 1 is the likeliest product",
            fill: Fill::Count(|row| row.rank),
        },
        TableColumn {
            name: "product_id",
            meaning: "the product, as in the tickets",
            fill: Fill::ProductId(|row| row.product.product),
        },
        TableColumn {
            name: "probability",
            meaning: "probability that the product is in the next basket, given that the customer comes",
            fill: Fill::Double(|row| row.product.probability),
        },
        TableColumn {
            name: "times_bought",
            meaning: "purchases of the customer up to T that had the product; 0 is new to the customer",
            fill: Fill::Count(|row| row.product.times_bought),
        },
        TableColumn {
            name: "days_since_bought",
            meaning: "days from the customer's latest purchase of the product to T; null if it is new",
            fill: Fill::NullableDays(|row| row.product.days_since_bought),
        },
        TableColumn {
            name: "typical_gap_days",
            meaning: "mean days between the customer's purchases of the product; null if there were fewer than two",
            fill: Fill::NullableDouble(|row| row.product.typical_gap_days),
        },
        TableColumn {
            name: "model",
            meaning: "`product`: corrected by the product's own tree; `pooled`: the common model alone",
            fill: Fill::Text(|row| model_name(row.product.model).to_owned()),
        },
        TableColumn {
            name: "reason",
            meaning: "why the product is likely, in a few words that can be checked in the tickets",
            fill: Fill::Text(|row| row.product.reason()),
        },
        TableColumn {
            name: "product_name",
            meaning: "what the product is called; only where a product table is given",
            fill: Fill::ProductName(|row| row.product.product),
        },
        TableColumn {
            name: "category",
            meaning: "the product's category; only where categories are mapped",
            fill: Fill::Category(|row| row.product.product),
        },
        TableColumn {
            name: "last_price",
            meaning: "the product's latest unit price; only where prices are mapped",
            fill: Fill::LastPrice(|row| row.product.product),
        },
        TableColumn {
            name: "brand",
            meaning: "the product's brand; only where a product table has it",
            fill: Fill::Brand(|row| row.product.product),
        },
    ];
}

/// The columns of `offers`.
pub(super) const OFFER_COLUMNS: [TableColumn<Offer>; 23] = [
    TableColumn {
        name: "customer_id",
        meaning: "the customer, as in the tickets",
        fill: Fill::CustomerId(|offer| offer.customer),
    },
    TableColumn {
        name: "product_id",
        meaning: "the product, as in the tickets",
        fill: Fill::ProductId(|offer| offer.product),
    },
    TableColumn {
        name: "rank",
        meaning: "place among the customer's candidates: up to 25 as in `products`",
        fill: Fill::Count(|offer| offer.rank),
    },
    TableColumn {
        name: "probability",
        meaning: "as in `products`: that it is in the next basket, whenever that is",
        fill: Fill::Double(|offer| offer.probability),
    },
    TableColumn {
        name: "send_on",
        meaning: "the day to send the offer: `lead_days` before the expected day or the first day of the 80 % interval, whichever is earlier, but after T; null if nothing is offered",
        fill: Fill::NullableDate(|offer| offer.dates.map(|dates| dates.send_on)),
    },
    TableColumn {
        name: "valid_from",
        meaning: "first day of validity: that of the 80 % interval or `send_on`, whichever is later; null if nothing is offered",
        fill: Fill::NullableDate(|offer| offer.dates.map(|dates| dates.valid_from)),
    },
    TableColumn {
        name: "valid_until",
        meaning: "last day of validity: that of the 80 % interval, kept within `min_valid_days` and `max_valid_days`; null if nothing is offered",
        fill: Fill::NullableDate(|offer| offer.dates.map(|dates| dates.valid_until)),
    },
    TableColumn {
        name: "action",
        meaning: "`offer`, or why not: `certain` (bought anyway), `recent` (not due yet), `excluded`, `opted_out` (the customer may not be mailed), `category` or `brand` (enough offers of its category, of its brand), `already_sent` (offered within its cycle), `too_soon` (mailed, and not back since), `over_budget` (others are worth more within `budget`), `not_planned` (a standing plan has no mailing to the customer)",
        fill: Fill::Text(|offer| offer.action.word().to_owned()),
    },
    TableColumn {
        name: "arm",
        meaning: "`treatment`, or `control`: do not send",
        fill: Fill::Text(|offer| offer.arm.word().to_owned()),
    },
    TableColumn {
        name: "reason",
        meaning: "why it is offered or not, in a few words",
        fill: Fill::Text(|offer| offer.reason.clone()),
    },
    TableColumn {
        name: "product_name",
        meaning: "what the product is called; only where a product table is given",
        fill: Fill::ProductName(|offer| offer.product),
    },
    TableColumn {
        name: "category",
        meaning: "the product's category; only where categories are mapped",
        fill: Fill::Category(|offer| offer.product),
    },
    TableColumn {
        name: "last_price",
        meaning: "the product's latest unit price; only where prices are mapped",
        fill: Fill::LastPrice(|offer| offer.product),
    },
    TableColumn {
        name: "due",
        meaning: "true if the offer is to be sent on the day after T: these rows, and no others, are the morning's mailings",
        fill: Fill::Truth(|offer| offer.due),
    },
    TableColumn {
        name: "strategy",
        meaning: "which part of `mix` looked at it: `likely`; `overdue` (regular, past its cycle), `winback` (regular once, gone), `new` (never bought)",
        fill: Fill::Text(|offer| offer.strategy.word().to_owned()),
    },
    TableColumn {
        name: "p_window",
        meaning: "probability that the customer comes while the offer is valid, or would be, and buys the product without it",
        fill: Fill::Double(|offer| offer.p_window),
    },
    TableColumn {
        name: "p_buy_without",
        meaning: "`p_window` in plain words",
        fill: Fill::Text(Offer::buys_without),
    },
    TableColumn {
        name: "segment",
        meaning: "the customer's segment; only where a table of customers has it",
        fill: Fill::Segment(|offer| offer.customer),
    },
    TableColumn {
        name: "expected_cost",
        meaning: "what the discount costs if it changes nothing: `p_window` times `discount` times the price; only where prices are mapped, null without `discount`",
        fill: Fill::Money(|offer| offer.expected_cost),
    },
    TableColumn {
        name: "gain_needed",
        meaning: "by how much the probability of the purchase has to rise for the offer to pay; only where prices are mapped, null without `discount` and `margin`, or if the discount takes all of the margin",
        fill: Fill::Money(|offer| offer.gain_needed),
    },
    TableColumn {
        name: "discount",
        meaning: "the discount, as a share of the price: that of the product, of its category, or `discount`; only where prices are mapped, null if there is none",
        fill: Fill::Money(|offer| offer.discount),
    },
    TableColumn {
        name: "brand",
        meaning: "the product's brand; only where a product table has it",
        fill: Fill::Brand(|offer| offer.product),
    },
    TableColumn {
        name: "offer_arm",
        meaning: "`treatment`, or `control`: this offer alone is held back, to measure what such offers bring (`control_offer_share`); never due",
        fill: Fill::Text(|offer| offer.offer_arm.word().to_owned()),
    },
];

/// The columns of a plan.
pub(super) const PLAN_COLUMNS: [TableColumn<Offer>; 11] = [
    TableColumn {
        name: "customer_id",
        meaning: "the customer, as in the tickets",
        fill: Fill::CustomerId(|offer| offer.customer),
    },
    TableColumn {
        name: "product_id",
        meaning: "the product, as in the tickets",
        fill: Fill::ProductId(|offer| offer.product),
    },
    TableColumn {
        name: "product_name",
        meaning: "what the product is called; only where a product table is given",
        fill: Fill::ProductName(|offer| offer.product),
    },
    TableColumn {
        name: "discount",
        meaning: "the discount, as a share of the price; only where prices are mapped",
        fill: Fill::Money(|offer| offer.discount),
    },
    TableColumn {
        name: "send_on",
        meaning: "the day to send the offer",
        fill: Fill::NullableDate(|offer| offer.dates.map(|dates| dates.send_on)),
    },
    TableColumn {
        name: "valid_from",
        meaning: "first day of validity",
        fill: Fill::NullableDate(|offer| offer.dates.map(|dates| dates.valid_from)),
    },
    TableColumn {
        name: "valid_until",
        meaning: "last day of validity",
        fill: Fill::NullableDate(|offer| offer.dates.map(|dates| dates.valid_until)),
    },
    TableColumn {
        name: "strategy",
        meaning: "as in `offers`",
        fill: Fill::Text(|offer| offer.strategy.word().to_owned()),
    },
    TableColumn {
        name: "reason",
        meaning: "why it is offered, in a few words",
        fill: Fill::Text(|offer| offer.reason.clone()),
    },
    TableColumn {
        name: "arm",
        meaning: "`treatment`, or `control`: do not send",
        fill: Fill::Text(|offer| match offer.is_treated() {
            true => Arm::Treatment.word().to_owned(),
            false => Arm::Control.word().to_owned(),
        }),
    },
    TableColumn {
        name: "p_window",
        meaning: "as in `offers`",
        fill: Fill::Double(|offer| offer.p_window),
    },
];

fn model_name(model: ProductModel) -> &'static str {
    match model {
        ProductModel::Product => "product",
        ProductModel::Pooled => "pooled",
    }
}

/// What readers of the tables may rely on of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnSchema {
    /// Its name.
    pub name: &'static str,
    /// The type of its values.
    pub column_type: ColumnType,
    /// Whether a value may be unknown.
    pub nullable: bool,
    /// One line on what it means.
    pub meaning: &'static str,
}

/// The type of a published column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// An id as it came: a 64-bit integer or text.
    Id,
    /// A calendar day: `Date32` in Parquet, `YYYY-MM-DD` in CSV and JSON lines.
    Date,
    /// A signed 32-bit integer.
    Integer,
    /// A 64-bit floating-point number.
    Double,
    /// UTF-8 text.
    Text,
    /// True or false.
    Boolean,
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ColumnType::Id => "integer or text",
            ColumnType::Date => "date",
            ColumnType::Integer => "int",
            ColumnType::Double => "double",
            ColumnType::Text => "text",
            ColumnType::Boolean => "boolean",
        })
    }
}

/// What readers may rely on of these columns, in their order.
pub(super) fn schema_of<Row>(columns: &[TableColumn<Row>]) -> Vec<ColumnSchema> {
    columns
        .iter()
        .map(|column| {
            let (column_type, nullable) = column.fill.column_type();
            ColumnSchema {
                name: column.name,
                column_type,
                nullable,
                meaning: column.meaning,
            }
        })
        .collect()
}

/// Fills the columns with the values of some rows. Columns of details that are not mapped are left
/// out.
///
/// # Errors
/// If a code has no id, or a count does not fit.
pub(super) fn fill<Row: Sync>(
    columns: &[TableColumn<Row>],
    rows: &[Row],
    context: FillContext<'_>,
) -> Result<Vec<FilledColumn>> {
    let columns = columns
        .iter()
        .filter(|column| column.fill.is_mapped(context.details));
    let filled = columns.map(|column| {
        Ok(FilledColumn {
            name: column.name,
            values: column.fill.values(rows, context)?,
        })
    });
    filled.collect()
}

impl<Row: Sync> Fill<Row> {
    fn values(&self, rows: &[Row], context: FillContext<'_>) -> Result<ColumnValues> {
        let FillContext {
            predictions,
            details,
        } = context;
        let each = rows.iter();
        Ok(match self {
            Fill::CustomerId(code) => ids(&predictions.customer_ids, each.map(code))?,
            Fill::ProductId(code) => ids(&predictions.product_ids, each.map(code))?,
            Fill::Date(day) => ColumnValues::Date(each.map(|row| Some(day(row))).collect()),
            Fill::NullableDate(day) => ColumnValues::Date(each.map(day).collect()),
            Fill::Count(count) => {
                ColumnValues::Count(each.map(|row| signed(count(row))).collect::<Result<_>>()?)
            }
            Fill::Days(days) => ColumnValues::Count(each.map(|row| Some(days(row))).collect()),
            Fill::NullableDays(days) => ColumnValues::Count(each.map(days).collect()),
            Fill::Double(value) => ColumnValues::Double(each.map(|row| Some(value(row))).collect()),
            Fill::NullableDouble(value) => ColumnValues::Double(each.map(value).collect()),
            // Reasons are millions of sentences.
            Fill::Text(text) => ColumnValues::Text(rows.par_iter().map(text).collect()),
            Fill::Truth(value) => ColumnValues::Truth(each.map(value).collect()),
            Fill::ProductName(code) => texts(each.map(|row| details.product_name(code(row)))),
            Fill::Category(code) => texts(each.map(|row| details.category(code(row)))),
            Fill::Brand(code) => texts(each.map(|row| details.brand(code(row)))),
            Fill::LastPrice(code) => {
                ColumnValues::Double(each.map(|row| details.last_price(code(row))).collect())
            }
            Fill::UsualStore(code) => texts(each.map(|row| {
                let customer = predictions.customer_ids.get(code(row))?;
                details.store(customer)
            })),
            Fill::Money(value) => ColumnValues::Double(each.map(value).collect()),
            Fill::Segment(code) => texts(each.map(|row| {
                let customer = predictions.customer_ids.get(code(row))?;
                details.segment(customer)
            })),
        })
    }
}

impl<Row> Fill<Row> {
    /// The type, and whether a value may be unknown.
    fn column_type(&self) -> (ColumnType, bool) {
        match self {
            Fill::CustomerId(_) | Fill::ProductId(_) => (ColumnType::Id, false),
            Fill::Date(_) => (ColumnType::Date, false),
            Fill::NullableDate(_) => (ColumnType::Date, true),
            Fill::Count(_) | Fill::Days(_) => (ColumnType::Integer, false),
            Fill::NullableDays(_) => (ColumnType::Integer, true),
            Fill::Double(_) => (ColumnType::Double, false),
            Fill::NullableDouble(_) => (ColumnType::Double, true),
            Fill::Text(_) => (ColumnType::Text, false),
            Fill::Truth(_) => (ColumnType::Boolean, false),
            Fill::ProductName(_)
            | Fill::Category(_)
            | Fill::Brand(_)
            | Fill::UsualStore(_)
            | Fill::Segment(_) => (ColumnType::Text, true),
            Fill::LastPrice(_) | Fill::Money(_) => (ColumnType::Double, true),
        }
    }

    /// Whether there is such a column, by what is known beside the predictions.
    fn is_mapped(&self, details: &Details) -> bool {
        match self {
            Fill::ProductName(_) => details.product_names.is_some(),
            Fill::Category(_) => details.categories.is_some(),
            Fill::Brand(_) => details.brands.is_some(),
            Fill::LastPrice(_) | Fill::Money(_) => details.last_prices.is_some(),
            Fill::UsualStore(_) => details.stores.is_some(),
            Fill::Segment(_) => details.segments.is_some(),
            _ => true,
        }
    }
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a Arc<str>>>) -> ColumnValues {
    let texts = values.map(|value| value.map(|text| text.to_string()));
    ColumnValues::NullableText(texts.collect())
}

fn signed(count: u32) -> Result<Option<i32>> {
    i32::try_from(count)
        .map(Some)
        .map_err(|_| Error::system(format!("a count of {count} does not fit the tables")))
}

/// The ids of some codes, as they came.
fn ids(ids: &Ids, codes: impl Iterator<Item = u32>) -> Result<ColumnValues> {
    Ok(match ids {
        Ids::Integer(ids) => ColumnValues::Integer(
            codes
                .map(|code| id_of(ids, code).copied())
                .collect::<Result<_>>()?,
        ),
        Ids::Text(ids) => ColumnValues::Text(
            codes
                .map(|code| id_of(ids, code).cloned())
                .collect::<Result<_>>()?,
        ),
    })
}

fn id_of<T>(ids: &[T], code: u32) -> Result<&T> {
    ids.get(code as usize).ok_or_else(|| {
        Error::system(format!(
            "the predictions name the code {code}, which has no id"
        ))
    })
}
