//! A plan: the offers of the coming days, fixed on one night, in a file for each day.
//!
//! A plan is published as a night is, below `plan=DATE`. Nights after it keep to it as long as its days
//! last: see [`standing_plan`].

use std::collections::BTreeMap;

use bytes::Bytes;
use polars::prelude::{DataFrame, ParquetReader, PolarsError, SerReader};

use super::manifest::{MANIFEST, Manifest, ManifestInput, TableEntry};
use super::runs::check_table;
use super::sent::{CodeOfId, codes, days};
use super::tables::PLAN;
use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::OwnedId;
use crate::error::{Error, Kind, Result};
use crate::offers::{OfferDates, PlannedOffer, StandingPlan, Strategy};
use crate::store::Location;

/// The most days that a plan may be for.
pub const MOST_PLAN_DAYS: u32 = 28;

/// The key of the manifest's configuration that has the number of days.
pub const PLAN_DAYS: &str = "plan_days";

/// The folder of a plan.
#[must_use]
pub fn plan_folder(as_of: AsOf) -> String {
    format!("plan={as_of}")
}

/// A plan that is published.
#[derive(Debug, Clone)]
pub struct PublishedPlan {
    /// The night on which it was made.
    pub as_of: AsOf,
    /// The last day on which it sends.
    pub last: Day,
    /// The table of its offers.
    pub input: ManifestInput,
    entry: TableEntry,
}

impl PublishedPlan {
    /// Whether it says what is sent on a day.
    #[must_use]
    pub fn covers(&self, day: Day) -> bool {
        self.as_of.day() < day && day <= self.last
    }
}

/// The plans below `output` that were made up to a night and can still send something on `first` or
/// later, the oldest first, without their offers. What is wrong with a plan that cannot be read is told in `warnings`.
///
/// # Errors
/// If the store fails.
pub async fn published_plans(
    output: &Location,
    (first, as_of): (Day, AsOf),
    warnings: &mut Vec<String>,
) -> Result<Vec<PublishedPlan>> {
    let found = output.list("plan=").await?;
    let nights = found.iter().filter_map(|object| {
        let (folder, file) = object.key.split_once('/')?;
        let night: AsOf = folder.strip_prefix("plan=")?.parse().ok()?;
        let may_send = night <= as_of && night.day() + MOST_PLAN_DAYS as i32 >= first;
        (file == MANIFEST && folder == plan_folder(night) && may_send).then_some(night)
    });
    let mut nights: Vec<AsOf> = nights.collect();
    nights.sort_unstable();
    let mut plans = vec![];
    for night in nights {
        let folder = output.child(&plan_folder(night));
        let Some((content, _)) = folder.find(MANIFEST).await? else {
            continue;
        };
        match plan_of(&folder, night, &content) {
            Ok(plan) => plans.push(plan),
            Err(error) => warnings.push(format!("the plan of {night} is not kept to: {error}")),
        }
    }
    Ok(plans)
}

/// The plan that a manifest describes.
///
/// # Errors
/// If it is no manifest of a plan.
fn plan_of(folder: &Location, night: AsOf, content: &[u8]) -> Result<PublishedPlan> {
    let name = folder.name_of(MANIFEST);
    let mut manifest = Manifest::read(&name, content)?;
    let days = manifest.config.get(PLAN_DAYS);
    let days = days.and_then(serde_json::Value::as_u64);
    let days = days.and_then(|days| i32::try_from(days).ok());
    let (Some(days), Some(entry)) = (days, manifest.tables.remove(PLAN)) else {
        return Err(Error::input("it is not the manifest of a plan").object(name));
    };
    Ok(PublishedPlan {
        as_of: night,
        last: night.day() + days,
        input: ManifestInput {
            object: folder.name_of(&entry.path),
            size: entry.bytes,
            etag: entry.sha256.clone(),
        },
        entry,
    })
}

/// The plan that holds on a night: the last that was made up to it, if it says what is sent on the
/// next day.
#[must_use]
pub fn standing_plan(plans: &[PublishedPlan], as_of: AsOf) -> Option<&PublishedPlan> {
    let latest = plans.iter().rev().find(|plan| plan.as_of <= as_of)?;
    latest.covers(as_of.day() + 1).then_some(latest)
}

/// The plans that say what was sent after nights that are not published themselves, each with these
/// nights.
#[must_use]
pub fn plans_of_nights<'a>(
    plans: &'a [PublishedPlan],
    nights: DateRange,
    published: &[AsOf],
) -> Vec<(&'a PublishedPlan, Vec<AsOf>)> {
    let mut used: Vec<(&PublishedPlan, Vec<AsOf>)> = vec![];
    for night in nights
        .iter()
        .map(AsOf)
        .filter(|night| !published.contains(night))
    {
        let Some(plan) = standing_plan(plans, night) else {
            continue;
        };
        match used.last_mut() {
            Some((last, of_plan)) if last.as_of == plan.as_of => of_plan.push(night),
            _ => used.push((plan, vec![night])),
        }
    }
    used
}

/// Reads the offers of a plan. `customers` and `products` find the codes of ids, and `id_of` the id of
/// a customer's code; offers to others are left out.
///
/// # Errors
/// If the store fails, or the plan is damaged ([`Kind::Input`]).
pub async fn read_plan(
    output: &Location,
    plan: &PublishedPlan,
    (customers, products): (CodeOfId<'_>, CodeOfId<'_>),
    id_of: &(dyn Fn(u32) -> Option<OwnedId> + Sync),
) -> Result<StandingPlan> {
    let folder = output.child(&plan_folder(plan.as_of));
    let object = folder.name_of(&plan.entry.path);
    let Some((content, _)) = folder.find(&plan.entry.path).await? else {
        return Err(Error::input("the plan's table is missing").object(object));
    };
    check_table(PLAN, &object, &plan.entry, &content)?;
    let rows = rows_of(content, customers, products).map_err(|error| {
        Error::input("it cannot be read as a plan")
            .object(object)
            .source(error)
    })?;
    let mut by_customer: BTreeMap<OwnedId, Vec<PlannedOffer>> = BTreeMap::new();
    for (customer, offer) in rows {
        if let Some(id) = id_of(customer) {
            by_customer.entry(id).or_default().push(offer);
        }
    }
    Ok(StandingPlan::new(plan.as_of, plan.last, by_customer))
}

/// Whether an error says that a plan is damaged, and not that the store fails.
#[must_use]
pub fn is_damaged(error: &Error) -> bool {
    error.kind() == Kind::Input
}

fn rows_of(
    content: Bytes,
    customers: CodeOfId<'_>,
    products: CodeOfId<'_>,
) -> Result<Vec<(u32, PlannedOffer)>, PolarsError> {
    let rows: DataFrame = ParquetReader::new(std::io::Cursor::new(content)).finish()?;
    let customers = codes(&rows, "customer_id", customers)?;
    let products = codes(&rows, "product_id", products)?;
    let [send_on, valid_from, valid_until] =
        ["send_on", "valid_from", "valid_until"].map(|column| days(&rows, column));
    let (send_on, valid_from, valid_until) = (send_on?, valid_from?, valid_until?);
    let strategies = rows.column("strategy")?.str()?;
    let each = (0..rows.height()).filter_map(|row| {
        let dates = OfferDates {
            send_on: send_on(row)?,
            valid_from: valid_from(row)?,
            valid_until: valid_until(row)?,
        };
        let offer = PlannedOffer {
            dates,
            product: products(row)?,
            strategy: Strategy::of_word(strategies.get(row)?)?,
        };
        Some((customers(row)?, offer))
    });
    Ok(each.collect())
}
