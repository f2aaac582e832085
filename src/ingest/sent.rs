//! What a campaign tool says that it sent: a table of customers, products and days, which is read
//! and checked as tickets are.

use std::sync::Arc;

use super::columns::{ColumnNames, TicketTable};
use super::joined::{EachObject, InputTables, LoadedTables, MergedCards};
use super::{InputOptions, NeededDays, pipeline, read_lines};
use crate::error::Result;
use crate::purchases::Purchases;
use crate::store::InputObject;

/// The columns of the table.
const COLUMNS: [&str; 3] = ["customer_id", "product_id", "sent_on"];

/// Reads what was sent on some days. Each purchase of the result is one mailing. What was sent to a
/// card that was `merged` counts for the one that goes on.
///
/// # Errors
/// If the table cannot be read, or too many of its lines are bad.
pub async fn read_sent(
    uri: &str,
    options: &InputOptions,
    days: NeededDays,
    merged: Option<Arc<MergedCards>>,
    each: EachObject<'_>,
) -> Result<(Purchases, Vec<InputObject>)> {
    let [customer, product, time] = COLUMNS;
    let options = InputOptions {
        columns: ColumnNames {
            table: TicketTable::Whole,
            customer: customer.into(),
            product: product.into(),
            time: time.into(),
            ..ColumnNames::default()
        },
        // Before the first campaign, nothing was sent.
        may_be_empty: true,
        exclude_products: vec![],
        anonymous: vec![],
        filters: vec![],
        returns: vec![],
        // Days are written as days: whatever the tickets' times need is not theirs.
        time_format: None,
        day_zero: None,
        tables: InputTables::default(),
        loaded: LoadedTables::of_merged(merged),
        ..options.clone()
    };
    let uris = [uri.to_owned()];
    let (ingested, objects) = read_lines(&uris, &options, days, None, each).await?;
    let purchases = tokio::task::spawn_blocking(move || ingested.whole());
    let purchases = purchases.await.map_err(pipeline::interrupted)??.purchases;
    Ok((purchases, objects))
}
