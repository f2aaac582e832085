//! What was sent before a night: what earlier nights published, or what a campaign tool says.

use super::progress::Progress;
use super::tickets::{Tickets, manifest_input};
use crate::calendar::{AsOf, DateRange};
use crate::config::Config;
use crate::domain::{Id, Ids};
use crate::error::{Error, Result};
use crate::ingest::{self, NeededDays};
use crate::offers::{OfferParameters, SentOffer, SentOffers, StandingPlan, nights_to_remember};
use crate::publish::campaign::published_campaign;
use crate::publish::manifest::ManifestInput;
use crate::publish::plan::{
    PublishedPlan, is_damaged, plans_of_nights, published_plans, read_plan, standing_plan,
};
use crate::publish::sent::{CodeOfId, offer_tables, published_offers};
use crate::purchases::Purchases;
use crate::store::{InputObject, Location};

/// What a night has to know of what was sent, and of what is planned.
pub(super) struct SentBefore {
    /// What was sent before the night.
    pub(super) sent: SentOffers,
    /// The plan that the night keeps to, if one stands.
    pub(super) plan: Option<StandingPlan>,
    /// The objects that say so.
    pub(super) inputs: Vec<ManifestInput>,
}

/// Finds out what was sent before a night.
pub(super) struct SentReader<'a> {
    pub(super) config: &'a Config,
    pub(super) output: &'a Location,
    pub(super) tickets: &'a Tickets,
    pub(super) as_of: AsOf,
    pub(super) progress: &'a dyn Progress,
}

impl SentReader<'_> {
    /// What was sent before the night, and what says so: the nights before it that are published below
    /// the output, and plans of nights that are not; or the table that `[offers] sent` names. Later
    /// nights and plans change nothing. With it, the plan that stands on the night.
    ///
    /// # Errors
    /// If the store fails, or the table cannot be read.
    pub(super) async fn read(&self) -> Result<SentBefore> {
        let nights = self.nights();
        let mut warnings = vec![];
        let days = (nights.first, self.as_of);
        let plans = published_plans(self.output, days, &mut warnings).await?;
        self.warn(&warnings);
        let mut before = match &self.config.offers.sent {
            Some(uri) => self.of_table(uri, nights).await?,
            None => self.of_published(&plans, nights).await?,
        };
        if let Some(plan) = standing_plan(&plans, self.as_of) {
            before.plan = self.plan(plan, &mut before.inputs).await?;
        }
        Ok(before)
    }

    fn nights(&self) -> DateRange {
        nights_to_remember(self.as_of, self.config.offers.longest_memory())
    }

    fn warn(&self, warnings: &[String]) {
        for warning in warnings {
            self.progress.warning(warning);
        }
    }

    /// What the campaign tool says.
    async fn of_table(&self, uri: &str, nights: DateRange) -> Result<SentBefore> {
        let partitions = &self.tickets.partitions;
        let (customers, products) = (partitions.customers(), partitions.products());
        let each = |count: usize, object: &InputObject| self.progress.object(object, count);
        let days = NeededDays {
            first: Some(nights.first + 1),
            until: Some(self.as_of),
        };
        let merged = self.tickets.merged.clone();
        let read = ingest::read_sent(uri, &self.config.input, days, merged, &each).await;
        let (sent, objects) = read.map_err(|error| in_settings(error, uri))?;
        if let Some(warning) = unknown_ids(&sent, customers, products) {
            let warning = format!("[offers] sent = \"{uri}\": {warning}");
            self.progress.warning(&warning);
        }
        let mut offers = offers_of(&sent, self.as_of, &self.config.offers, customers, products);
        let mut inputs: Vec<ManifestInput> = objects.into_iter().map(manifest_input).collect();
        // No table has what was held back to measure what offers bring. It counts as if it had been
        // sent: else the arms would differ in more than the sending.
        let (held_back, tables) = self.held_back(nights).await?;
        offers.extend(held_back);
        inputs.extend(tables);
        Ok(SentBefore {
            sent: SentOffers::new(customers, offers),
            plan: None,
            inputs,
        })
    }

    /// What earlier nights that are published held back, and their tables.
    async fn held_back(
        &self,
        nights: DateRange,
    ) -> Result<(Vec<(u32, SentOffer)>, Vec<ManifestInput>)> {
        let nights: Vec<AsOf> = nights.iter().map(AsOf).collect();
        let code_of_customer = |id: Id<'_>| self.tickets.code_of_customer(id);
        let code_of_product = |id: Id<'_>| self.tickets.partitions.products().code_of(id);
        let campaign =
            published_campaign(self.output, &nights, &code_of_customer, &code_of_product).await?;
        self.warn(&campaign.warnings);
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

    /// What published nights and plans say.
    async fn of_published(&self, plans: &[PublishedPlan], nights: DateRange) -> Result<SentBefore> {
        let code_of_customer = |id: Id<'_>| self.tickets.code_of_customer(id);
        let code_of_product = |id: Id<'_>| self.tickets.partitions.products().code_of(id);
        let published =
            published_offers(self.output, nights, &code_of_customer, &code_of_product).await?;
        self.warn(&published.warnings);
        let (mut offers, mut inputs) = (published.offers, published.inputs);
        for (plan, nights) in plans_of_nights(plans, nights, &published.nights) {
            let plan = self.plan(plan, &mut inputs).await?;
            offers.extend(
                plan.iter()
                    .flat_map(|plan| self.sent_of_plan(plan, &nights)),
            );
        }
        Ok(SentBefore {
            sent: SentOffers::new(self.tickets.partitions.customers(), offers),
            plan: None,
            inputs,
        })
    }

    /// What a plan sent on the mornings after some nights.
    fn sent_of_plan(&self, plan: &StandingPlan, nights: &[AsOf]) -> Vec<(u32, SentOffer)> {
        let mut sent = vec![];
        for (id, offers) in plan.customers() {
            let Some(customer) = self.tickets.partitions.customers().code_of(id) else {
                continue;
            };
            let on_mornings = offers.iter().filter(|offer| {
                let send_on = offer.dates.send_on;
                nights.iter().any(|night| night.day() + 1 == send_on)
            });
            sent.extend(on_mornings.map(|offer| {
                let offer = SentOffer {
                    sent_on: offer.dates.send_on,
                    valid_until: offer.dates.valid_until,
                    product: Some(offer.product),
                };
                (customer, offer)
            }));
        }
        sent
    }

    /// Reads a plan. One that is damaged is a warning, and none.
    async fn plan(
        &self,
        plan: &PublishedPlan,
        inputs: &mut Vec<ManifestInput>,
    ) -> Result<Option<StandingPlan>> {
        let code_of_customer = |id: Id<'_>| self.tickets.code_of_customer(id);
        let code_of_product = |id: Id<'_>| self.tickets.partitions.products().code_of(id);
        let id_of = |code: u32| {
            let id = self.tickets.partitions.customers().get(code)?;
            Some(id.owned())
        };
        let codes: (CodeOfId<'_>, CodeOfId<'_>) = (&code_of_customer, &code_of_product);
        match read_plan(self.output, plan, codes, &id_of).await {
            Ok(read) => {
                if !inputs.contains(&plan.input) {
                    inputs.push(plan.input.clone());
                }
                Ok(Some(read))
            }
            Err(error) if is_damaged(&error) => {
                let night = plan.as_of;
                let warning = format!("the plan of {night} is not kept to: {error}");
                self.progress.warning(&warning);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// The objects that a night's run is made of, without reading them: its tickets, and what says what
/// was sent before and what is planned.
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
    let plans = published_plans(output, (nights.first, as_of), &mut vec![]).await?;
    let mut used = vec![];
    let (published, tables): (Vec<AsOf>, Vec<ManifestInput>) =
        offer_tables(output, nights).await?.into_iter().unzip();
    inputs.extend(tables);
    if config.offers.sent.is_none() {
        used.extend(
            plans_of_nights(&plans, nights, &published)
                .into_iter()
                .map(|(plan, _)| plan),
        );
    }
    used.extend(standing_plan(&plans, as_of));
    for plan in used {
        if !inputs.contains(&plan.input) {
            inputs.push(plan.input.clone());
        }
    }
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
