//! Reads the offers of published nights with their arms: those that were due on the morning after
//! each, sent or held back.

use std::collections::BTreeSet;
use std::sync::Arc;

use polars::prelude::{DataFrame, ParquetReader, PolarsError, SerReader};

use super::manifest::ManifestInput;
use super::sent::{CodeOfId, codes, days, each_offer_table};
use crate::calendar::{AsOf, DateRange};
use crate::error::Result;
use crate::offers::{Action, Arm, CampaignOffer, Strategy};
use crate::store::Location;

/// The columns that each table of offers has.
const COLUMNS: [&str; 8] = [
    "customer_id",
    "product_id",
    "action",
    "send_on",
    "valid_from",
    "valid_until",
    "arm",
    "strategy",
];
/// Columns that are read where they are.
const OPTIONAL_COLUMNS: [&str; 2] = ["offer_arm", "category"];

/// What some published nights offered.
#[derive(Debug, Default)]
pub struct PublishedCampaign {
    /// The offers, night by night.
    pub offers: Vec<CampaignOffer>,
    /// Offers to customers whose ids are not known.
    pub unknown: usize,
    /// The tables that were read.
    pub inputs: Vec<ManifestInput>,
    /// Nights that could not be read, and why.
    pub warnings: Vec<String>,
}

/// Reads what was due after each of these nights, in every arm. `customers` and `products` find
/// the codes of ids; offers to other customers are counted and left out.
///
/// # Errors
/// If the store fails. A night that is damaged is a warning.
pub async fn published_campaign(
    output: &Location,
    nights: &[AsOf],
    customers: CodeOfId<'_>,
    products: CodeOfId<'_>,
) -> Result<PublishedCampaign> {
    let read = |night, content| {
        let reader = CampaignNight {
            night,
            customers,
            products,
        };
        reader.of_rows(&rows(content)?)
    };
    let mut campaign = PublishedCampaign::default();
    each_offer_table(
        output,
        nights.iter().copied(),
        &read,
        |night, read| match read {
            Ok((input, (offers, unknown))) => {
                campaign.inputs.push(input);
                campaign.offers.extend(offers);
                campaign.unknown += unknown;
            }
            Err(error) => campaign
                .warnings
                .push(format!("the offers of {night} are left out: {error}")),
        },
    )
    .await?;
    Ok(campaign)
}

/// Finds what one night offered.
struct CampaignNight<'a> {
    night: AsOf,
    customers: CodeOfId<'a>,
    products: CodeOfId<'a>,
}

impl CampaignNight<'_> {
    /// The offers, and how many went to customers that are not known.
    ///
    /// # Errors
    /// If it is no table of offers.
    fn of_rows(&self, rows: &DataFrame) -> Result<(Vec<CampaignOffer>, usize), PolarsError> {
        let send_on = days(rows, "send_on")?;
        let [first, last] = [days(rows, "valid_from")?, days(rows, "valid_until")?];
        let customers = codes(rows, "customer_id", self.customers)?;
        let products = codes(rows, "product_id", self.products)?;
        let [arms, strategies] = [rows.column("arm")?.str()?, rows.column("strategy")?.str()?];
        let offer_arms = rows.column("offer_arm").ok().map(|it| it.str());
        let offer_arms = offer_arms.transpose()?;
        let categories = rows.column("category").ok().map(|it| it.str());
        let categories = categories.transpose()?;
        let mut known_categories = BTreeSet::<Arc<str>>::new();
        let (mut offers, mut unknown) = (vec![], 0);
        for (row, action) in rows.column("action")?.str()?.iter().enumerate() {
            let is_due =
                action == Some(Action::Offer.word()) && send_on(row) == Some(self.night.day() + 1);
            let (true, Some(first), Some(last)) = (is_due, first(row), last(row)) else {
                continue;
            };
            let Some(strategy) = strategies.get(row).and_then(Strategy::of_word) else {
                continue;
            };
            let Some(customer) = customers(row) else {
                unknown += 1;
                continue;
            };
            let category = categories.and_then(|names| names.get(row));
            offers.push(CampaignOffer {
                night: self.night,
                customer,
                product: products(row),
                valid: DateRange { first, last },
                strategy,
                arm: arm_of(arms.get(row)),
                // Nights of earlier versions held back no single offers.
                offer_arm: arm_of(offer_arms.and_then(|arms| arms.get(row))),
                category: category.map(|name| shared(name, &mut known_categories)),
            });
        }
        Ok((offers, unknown))
    }
}

/// The columns of a table that are of use.
fn rows(content: bytes::Bytes) -> Result<DataFrame, PolarsError> {
    let mut reader = ParquetReader::new(std::io::Cursor::new(content));
    let schema = reader.schema()?;
    let optional = OPTIONAL_COLUMNS.into_iter();
    let optional = optional.filter(|name| schema.contains(name));
    let columns = COLUMNS.into_iter().chain(optional).map(String::from);
    reader.with_columns(Some(columns.collect())).finish()
}

fn arm_of(word: Option<&str>) -> Arm {
    match word == Some(Arm::Control.word()) {
        true => Arm::Control,
        false => Arm::Treatment,
    }
}

/// A text that is kept once.
fn shared(text: &str, known: &mut BTreeSet<Arc<str>>) -> Arc<str> {
    if let Some(known) = known.get(text) {
        return known.clone();
    }
    let new: Arc<str> = text.into();
    known.insert(new.clone());
    new
}
