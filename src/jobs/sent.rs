//! What was sent before a night: what earlier nights published, or what a campaign tool says.

use super::progress::Progress;
use super::tickets::{Tickets, manifest_input};
use crate::calendar::{AsOf, DateRange};
use crate::config::Config;
use crate::domain::Ids;
use crate::error::{Error, Result};
use crate::ingest::{self, NeededDays};
use crate::offers::{OfferParameters, SentOffer, SentOffers, nights_to_remember};
use crate::publish::campaign::published_campaign;
use crate::publish::manifest::ManifestInput;
use crate::publish::sent::{offer_tables, published_offers};
use crate::purchases::Purchases;
use crate::store::{InputObject, Location};

/// What was sent before the night `as_of`, and what says so: the nights before it that are
/// published below `output`, or the table that `[offers] sent` names, with what those nights held back. Later nights change nothing.
///
/// # Errors
/// If the store fails, or the table cannot be read.
pub(super) async fn sent_before(
    config: &Config,
    output: &Location,
    tickets: &Tickets,
    as_of: AsOf,
    progress: &dyn Progress,
) -> Result<(SentOffers, Vec<ManifestInput>)> {
    let (customers, products) = (
        tickets.partitions.customers(),
        tickets.partitions.products(),
    );
    let nights = nights_to_remember(as_of, config.offers.longest_memory());
    if let Some(uri) = &config.offers.sent {
        let each = |count: usize, object: &InputObject| progress.object(object, count);
        let days = NeededDays {
            first: Some(nights.first + 1),
            until: Some(as_of),
        };
        let read = ingest::read_sent(uri, &config.input, days, &each).await;
        let (sent, objects) = read.map_err(|error| in_settings(error, uri))?;
        if let Some(warning) = unknown_ids(&sent, customers, products) {
            progress.warning(&format!("[offers] sent = \"{uri}\": {warning}"));
        }
        let mut offers = offers_of(&sent, as_of, &config.offers, customers, products);
        let mut inputs: Vec<ManifestInput> = objects.into_iter().map(manifest_input).collect();
        // No table has what was held back to measure what offers bring. It counts as if it had been
        // sent: else the arms would differ in more than the sending.
        let (held_back, tables) = held_back(output, nights, tickets, progress).await?;
        offers.extend(held_back);
        inputs.extend(tables);
        return Ok((SentOffers::new(customers, offers), inputs));
    }
    let published = published_offers(output, nights, customers, products).await?;
    for warning in &published.warnings {
        progress.warning(warning);
    }
    Ok((
        SentOffers::new(customers, published.offers),
        published.inputs,
    ))
}

/// What earlier nights that are published below `output` held back, and their tables.
async fn held_back(
    output: &Location,
    nights: DateRange,
    tickets: &Tickets,
    progress: &dyn Progress,
) -> Result<(Vec<(u32, SentOffer)>, Vec<ManifestInput>)> {
    let nights: Vec<AsOf> = (0..nights.days())
        .map(|after| AsOf(nights.first + after))
        .collect();
    let (customers, products) = (
        tickets.partitions.customers(),
        tickets.partitions.products(),
    );
    let campaign = published_campaign(output, &nights, customers, products).await?;
    for warning in &campaign.warnings {
        progress.warning(warning);
    }
    let held_back = campaign.offers.iter().filter(|offer| !offer.is_sent());
    let held_back = held_back.map(|offer| {
        let as_sent = SentOffer {
            sent_on: offer.night.day() + 1,
            valid_until: offer.valid.last,
            product: offer.product,
        };
        (offer.customer, as_sent)
    });
    Ok((held_back.collect(), campaign.inputs))
}

/// The objects that a night's run is made of, without reading them: its tickets, and what says what
/// was sent before.
///
/// # Errors
/// If the store fails.
pub(super) async fn inputs_of_night(
    config: &Config,
    output: &Location,
    as_of: AsOf,
) -> Result<Vec<ManifestInput>> {
    let mut uris = config.inputs.clone();
    uris.extend(config.offers.sent.clone());
    let objects = ingest::objects(&uris, &config.input).await?;
    let mut inputs: Vec<ManifestInput> = objects.into_iter().map(manifest_input).collect();
    let nights = nights_to_remember(as_of, config.offers.longest_memory());
    inputs.extend(offer_tables(output, nights).await?);
    Ok(inputs)
}

pub(super) fn in_settings(error: Error, uri: &str) -> Error {
    if !error.lacks_columns() {
        return error.hint(format!("[offers] sent = \"{uri}\" names it"));
    }
    error.hint_instead(format!(
        "[offers] sent = \"{uri}\" is the table of what was sent: it needs the columns customer_id, product_id and sent_on (a day such as 2024-10-15), under these names. Without the key, okuo goes by what it published"
    ))
}

/// A warning if most of the ids in a table of what was sent are not those of the tickets: what okuo
/// does not know was sent, it sends again.
fn unknown_ids(sent: &Purchases, customers: &Ids, products: &Ids) -> Option<String> {
    for (what, named, known) in [
        ("customers", sent.customers(), customers),
        ("products", sent.products(), products),
    ] {
        let all = u32::try_from(named.len()).unwrap_or(u32::MAX);
        let unknown = (0..all)
            .filter(|code| {
                named
                    .get(*code)
                    .is_none_or(|id| known.code_of(id).is_none())
            })
            .count();
        if 2 * unknown > named.len() {
            return Some(format!(
                "{unknown} of {all} {what} are not in the tickets, and what was sent to them does not count: ids must be those of the tickets"
            ));
        }
    }
    None
}

/// The offers that a table has, valid for as long as an offer may be: it does not say for how long.
fn offers_of(
    sent: &Purchases,
    as_of: AsOf,
    parameters: &OfferParameters,
    customers: &Ids,
    products: &Ids,
) -> Vec<(u32, SentOffer)> {
    let sent = sent.until(as_of);
    let mut offers = vec![];
    for code in 0..sent.customer_count() {
        let id = sent.customers().get(code);
        let Some(customer) = id.and_then(|id| customers.code_of(id)) else {
            continue;
        };
        for (sent_on, mailed) in sent.purchases_of(code).iter() {
            offers.extend(mailed.iter().map(|product| {
                let id = sent.products().get(*product);
                let offer = SentOffer {
                    sent_on,
                    valid_until: sent_on + (parameters.max_valid_days - 1),
                    product: id.and_then(|id| products.code_of(id)),
                };
                (customer, offer)
            }));
        }
    }
    offers
}
