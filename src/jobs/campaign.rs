//! The offers that were published for simulated tickets, so that the simulated customers react.

use super::Progress;
use crate::calendar::Day;
use crate::domain::{Id, Ids};
use crate::error::{Error, Result};
use crate::offers::CampaignOffer;
use crate::publish::campaign::published_campaign;
use crate::publish::runs::published_nights;
use crate::simulate::SimulationParameters;
use crate::store;

/// The offers that are published below `output` for nights before a day, with the codes that
/// [`Simulation::with_campaign`](crate::simulate::Simulation::with_campaign) takes.
///
/// # Errors
/// If no night is published, an offer is to a customer whom the simulated store does not have, or the
/// store fails.
pub async fn simulated_campaign(
    output: &str,
    until: Day,
    parameters: &SimulationParameters,
    progress: &dyn Progress,
) -> Result<Vec<CampaignOffer>> {
    let location = store::open(output).await?;
    let mut nights = published_nights(&location).await?;
    if nights.is_empty() {
        return Err(Error::not_found("no night is published")
            .object(location.name())
            .hint("publish offers for the simulated tickets with `okuo score --output URI`"));
    }
    nights.retain(|night| night.day() < until);
    let (customers, products) = (ids(parameters.customers), ids(parameters.products));
    let code_of_customer = |id: Id<'_>| customers.code_of(id);
    let code_of_product = |id: Id<'_>| products.code_of(id);
    let campaign =
        published_campaign(&location, &nights, &code_of_customer, &code_of_product).await?;
    for warning in &campaign.warnings {
        progress.warning(warning);
    }
    let unknown = campaign.offers.iter().any(|offer| offer.product.is_none());
    if unknown || campaign.unknown > 0 {
        return Err(Error::request(
            "the published offers are to customers or of products that the simulated store does not have",
        )
        .object(location.name())
        .hint("give the --style, --seed, --customers, --products, --start and --days with which the tickets were simulated"));
    }
    Ok(campaign.offers)
}

/// The ids of simulated customers or products.
fn ids(count: u32) -> Ids {
    Ids::Integer((1..=i64::from(count)).collect())
}
