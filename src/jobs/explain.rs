//! Explain one customer on one night.

use std::borrow::Cow;

use serde::Serialize;

use super::registry::load_for_night;
use super::score::make_offers;
use super::sent::{SentBefore, SentReader};
use super::tickets::days_up_to;
use super::{Progress, Purpose, StoredModel, Tickets, compute};
use crate::calendar::{AsOf, Day};
use crate::config::Config;
use crate::domain::{Details, OwnedId, Predictions};
use crate::error::Result;
use crate::lift::LearnedMix;
use crate::models::NightSummary;
use crate::models::explain::{self, Explanation};
use crate::offers::{Arm, Offer, OfferMaker, SentOffers};
use crate::purchases::{Partitions, Purchases};
use crate::store;

/// What is asked of [`explain()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainRequest {
    /// The customer's id, as it stands in the tickets.
    pub customer: String,
    /// The night to speak from.
    pub as_of: AsOf,
    /// A model of the registry by its id, or a model file; if `None`, the promoted model for the
    /// night ([`AS_OF_MODEL`](super::AS_OF_MODEL)).
    pub model: Option<String>,
    /// How many of the likeliest products are explained, at most [`crate::domain::MAX_RANK`].
    pub products: usize,
}

/// A customer on one night: what is known and predicted, and what is offered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedCustomer {
    /// What is known and predicted.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// Whether it is known what was sent before: an output is named.
    pub sent_is_known: bool,
    /// The offers, and what was looked at and is not offered; `None` for a customer who is not
    /// recurrent.
    pub offers: Option<Vec<ExplainedOffer>>,
}

/// A product that was considered for an offer, with ids instead of codes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExplainedOffer {
    /// The product.
    pub product_id: OwnedId,
    /// What it is called, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// As in the table of offers, as all that follows.
    pub action: &'static str,
    /// Which part of the mix looked at it.
    pub strategy: &'static str,
    /// Why it is offered or not.
    pub reason: String,
    /// The customer's arm.
    pub arm: Arm,
    /// Whether it is sent on the day after the night.
    pub due: bool,
    /// When it is sent, if it is offered.
    pub send_on: Option<Day>,
    /// The first day of validity.
    pub valid_from: Option<Day>,
    /// The last day of validity.
    pub valid_until: Option<Day>,
    /// The probability that the product is bought in this time without an offer.
    pub p_window: f64,
    /// The discount, if it is known.
    pub discount: Option<f64>,
    /// What the discount costs if it changes nothing.
    pub expected_cost: Option<f64>,
    /// The rise of the probability at which it pays.
    pub gain_needed: Option<f64>,
}

/// Explains what okuo knows and predicts of one customer, recurrent or not, and what it offers.
///
/// The offers are those that [`score`](super::score()) makes on the night with these settings: all
/// customers are scored for it, since what is certain and what a budget reaches depend on the others.
///
/// # Errors
/// If the model cannot be used on the night, the tickets cannot be read, or the customer is not in
/// them.
pub async fn explain(
    config: &Config,
    request: &ExplainRequest,
    progress: &dyn Progress,
) -> Result<ExplainedCustomer> {
    config.required_inputs()?;
    let named = request.model.as_deref();
    let (model, config) = load_for_night(config, named, request.as_of, progress).await?;
    let days = days_up_to(request.as_of, &config);
    let mut tickets = Tickets::read(&config, days, Purpose::Scoring, progress).await?;
    progress.stage("looking at the store");
    let night = tickets.summarize_night(&config, &model, request.as_of, progress, &mut |_| {})?;
    progress.stage("looking at the store and the customer");
    let customer = survivor(&tickets, &request.customer, progress);
    let explanation = compute(|| {
        let purchases = partition_of(&*tickets.partitions, &customer)?;
        let mut explanation = explain::explain(
            &model.model,
            &model.id(),
            &purchases,
            night.clone(),
            &customer,
            request.products,
        )?;
        let code = tickets.partitions.customers().code(&customer);
        let details = tickets.details(request.as_of, code.as_slice());
        explanation.add_details(&details, tickets.partitions.products());
        let learned = model.header.description.learned_mix.as_ref();
        explanation.offer_mix = learned.map(LearnedMix::in_words);
        Ok::<_, crate::error::Error>(explanation)
    })?;
    let offers = match explanation.recurrent {
        true => {
            progress.stage("making offers");
            let before = sent_before(&config, &tickets, request.as_of, progress).await?;
            let id = &explanation.customer_id;
            Some(compute(|| {
                offers_to(id, &config, &model, &tickets, night, &before)
            })?)
        }
        false => None,
    };
    Ok(ExplainedCustomer {
        explanation,
        sent_is_known: config.output.is_some(),
        offers,
    })
}

/// The customer that goes on in the place of the one who is asked for, if its card was merged.
fn survivor(tickets: &Tickets, customer: &str, progress: &dyn Progress) -> String {
    let merged = tickets.merged.as_ref();
    let survivor = merged.and_then(|merged| merged.survivor_of(crate::domain::Id::Text(customer)));
    let Some(survivor) = survivor else {
        return customer.to_owned();
    };
    let survivor = survivor.as_id().to_string();
    progress.warning(&format!(
        "customer {customer} was merged into {survivor}, who is explained"
    ));
    survivor
}

/// What was sent before the night, as far as that is known: without an output, what was published is
/// not.
async fn sent_before(
    config: &Config,
    tickets: &Tickets,
    as_of: AsOf,
    progress: &dyn Progress,
) -> Result<SentBefore> {
    let Some(output) = &config.output else {
        return Ok(SentBefore {
            sent: SentOffers::default(),
            plan: None,
            inputs: vec![],
        });
    };
    let output = store::open(output).await?;
    let reader = SentReader {
        config,
        output: &output,
        tickets,
        as_of,
        progress,
    };
    reader.read().await
}

/// What is offered to a customer on the night, and what is not.
fn offers_to(
    customer: &OwnedId,
    config: &Config,
    model: &StoredModel,
    tickets: &Tickets,
    night: NightSummary,
    before: &SentBefore,
) -> Result<Vec<ExplainedOffer>> {
    let partitions = &*tickets.partitions;
    let night = night.prepare(&model.model, partitions.products())?;
    let details = tickets.details(night.population.as_of, &night.population.recurrent);
    let maker = OfferMaker::new(&config.offers, partitions.products(), &before.sent)?;
    let mut maker = maker
        .with_details(&details)?
        .keeping_to(before.plan.as_ref());
    let mut explained = vec![];
    let take = &mut |predictions: &Predictions, maker: &mut OfferMaker<'_>| -> Result<()> {
        let offers = maker.offers(predictions)?;
        let code = predictions.customer_ids.code_of(customer.as_id());
        let of_customer = offers.iter().filter(|offer| Some(offer.customer) == code);
        explained
            .extend(of_customer.filter_map(|offer| explained_offer(predictions, offer, &details)));
        Ok(())
    };
    make_offers(config, &model.id(), tickets, &night, &mut maker, take)?;
    Ok(explained)
}

fn explained_offer(
    predictions: &Predictions,
    offer: &Offer,
    details: &Details,
) -> Option<ExplainedOffer> {
    Some(ExplainedOffer {
        product_id: predictions.product_ids.get(offer.product)?.owned(),
        product_name: details
            .product_name(offer.product)
            .map(|name| name.to_string()),
        action: offer.action.word(),
        strategy: offer.strategy.word(),
        reason: offer.reason.clone(),
        arm: offer.arm,
        due: offer.due,
        send_on: offer.dates.map(|dates| dates.send_on),
        valid_from: offer.dates.map(|dates| dates.valid_from),
        valid_until: offer.dates.map(|dates| dates.valid_until),
        p_window: offer.p_window,
        discount: offer.discount,
        expected_cost: offer.expected_cost,
        gain_needed: offer.gain_needed,
    })
}

/// The partition that has the customer; if none has, any.
fn partition_of<'a>(partitions: &'a dyn Partitions, customer: &str) -> Result<Cow<'a, Purchases>> {
    if let Some(code) = partitions.customers().code(customer) {
        for at in 1..partitions.count() {
            let partition = partitions.partition(at)?;
            if partition.has(code) {
                return Ok(partition);
            }
        }
    }
    partitions.partition(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::examples::{NIGHT, read, store};
    use crate::purchases::tests::limited;

    #[test]
    fn every_customer_is_found_in_one_of_many_partitions() {
        let whole = read(store(80, 250, 1));
        let partitions = limited(&whole, 1_000).partitions().unwrap();
        assert!(partitions.count() > 10, "{}", partitions.count());
        for code in 0..whole.customers().len() as u32 {
            let id = whole.customers().get(code).unwrap().to_string();
            let partition = partition_of(&*partitions, &id).unwrap();
            assert!(
                partition
                    .until(NIGHT)
                    .purchases_of(code)
                    .iter()
                    .eq(whole.until(NIGHT).purchases_of(code).iter()),
                "{id}"
            );
        }
        assert!(partition_of(&*partitions, "nobody").is_ok());
    }
}
