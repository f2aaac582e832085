//! What offers brought: published nights beside the purchases that followed, arm by arm.

use serde::Serialize;

use super::monitor::requested_nights;
use super::score::required_output;
use super::{Progress, Purpose, Tickets, compute};
use crate::calendar::{AsOf, Day, HORIZON_DAYS};
use crate::config::Config;
use crate::domain::Id;
use crate::error::{Error, Result};
use crate::ingest::{self, NeededDays};
use crate::lift::{CampaignOutcomes, EffectPlan, LiftRow, OfferPrices, lift_rows};
use crate::offers::{CampaignOffer, OfferParameters};
use crate::publish::campaign::published_campaign;
use crate::purchases::{PartitionedHistory, Purchases};
use crate::store::{self, InputObject, Location};

#[cfg(test)]
mod tests;

/// What is asked of [`lift`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LiftRequest {
    /// The first night; if `None`, the first that is published.
    pub from: Option<AsOf>,
    /// The last night; if `None`, the last that is published.
    pub to: Option<AsOf>,
    /// An effect on the share of offers that are bought, for which the campaign that shows it is
    /// planned.
    pub effect: Option<f64>,
}

impl LiftRequest {
    fn check(&self) -> Result<()> {
        match self.effect {
            Some(effect) if !(effect > 0.0 && effect < 1.0) => Err(Error::request(format!(
                "an effect should be between 0 and 1, but is {effect}"
            ))
            .hint("it is a difference of shares: 0.02 if 2 more of 100 offers shall be bought")),
            _ => Ok(()),
        }
    }
}

/// What the offers of some nights brought.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiftSummary {
    /// The first night whose offers count.
    pub from: Option<AsOf>,
    /// The last one.
    pub to: Option<AsOf>,
    /// The last day with a purchase.
    pub last_day: Day,
    /// Offers that count: all days on which they were valid are in the tickets.
    pub offers: usize,
    /// Customers to whom they were, or would have been.
    pub customers: usize,
    /// Offers that the tickets do not follow to their last day yet.
    pub waiting: usize,
    /// Offers that were valid before the tickets begin.
    pub before: usize,
    /// What the campaign tool says was sent; `None` without `[offers] sent`.
    pub sent: Option<SentAsDrawn>,
    /// The comparisons.
    pub rows: Vec<LiftRow>,
    /// What a campaign needs to show the effect that was asked for.
    pub effect: Option<EffectPlan>,
}

/// What became of the arms, by what was really sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SentAsDrawn {
    /// Offers that were to be sent.
    pub to_send: usize,
    /// How many of them were.
    pub sent: usize,
    /// Offers that were to be held back.
    pub to_hold_back: usize,
    /// How many of them were sent all the same.
    pub sent_all_the_same: usize,
}

/// Measures what the offers brought that are published below `config.output`. An offer counts once the
/// configured tickets cover all days on which it was valid.
///
/// # Errors
/// If no night is published, or none has an offer that was due; if the tickets or the table of what was
/// sent cannot be read, or the store fails.
pub async fn lift(
    config: &Config,
    request: &LiftRequest,
    progress: &dyn Progress,
) -> Result<LiftSummary> {
    request.check()?;
    let output = store::open(required_output(config)?).await?;
    config.required_inputs()?;
    let nights = requested_nights(&output, request.from, request.to).await?;
    let days = needed_days(config, &nights);
    let tickets = Tickets::read(config, days, Purpose::Scoring, progress).await?;
    progress.stage("reading the published offers");
    let campaign = read_campaign(&output, &nights, &tickets, progress).await?;
    if campaign.is_empty() {
        return Err(Error::not_found("no offer was due in these nights")
            .object(output.name())
            .hint("okuo marks the offers of a morning with due = true: see `okuo score`"));
    }
    progress.stage("comparing the arms");
    let outcomes = compute(|| {
        outcomes_of(
            campaign,
            &tickets,
            AsOf(Day::from_epoch(i32::MAX)),
            &config.offers,
        )
    })?;
    let (outcomes, sent) = match &config.offers.sent {
        Some(uri) => as_treated(outcomes, uri, config, days, &tickets, progress).await?,
        None => (outcomes, None),
    };
    let span = compute(|| PartitionedHistory::all(&*tickets.partitions).span())?;
    let last_day = span
        .map(|span| span.last)
        .ok_or_else(|| tickets.lines.no_purchase(""))?;
    let nights = outcomes.offers.iter().map(|outcome| outcome.offer.night);
    Ok(LiftSummary {
        from: nights.clone().min(),
        to: nights.max(),
        last_day,
        offers: outcomes.offers.len(),
        customers: outcomes.customers.len(),
        waiting: outcomes.waiting,
        before: outcomes.before,
        sent,
        rows: match outcomes.offers.is_empty() {
            true => vec![],
            false => compute(|| lift_rows(&outcomes)),
        },
        effect: request
            .effect
            .and_then(|effect| EffectPlan::new(&outcomes, effect)),
    })
}

/// The days of tickets that tell what became of the offers of some nights.
fn needed_days(config: &Config, nights: &[AsOf]) -> NeededDays {
    let first = nights.first().copied().unwrap_or(AsOf(Day::from_epoch(0)));
    let last = nights.last().copied().unwrap_or(first);
    let window = u32::try_from(config.rule.window_days()).unwrap_or_default();
    // No offer that is due is valid for longer than this after its night. A later day is not needed,
    // and one by a till whose clock is wrong would look like the end of the data.
    let longest = config.offers.lead_days + config.offers.max_valid_days + HORIZON_DAYS;
    NeededDays {
        // From there on, each customer of the first night has bought.
        first: Some(first.first_of(window)),
        until: Some(AsOf(last.day() + longest)),
    }
}

/// The offers of some nights, without those to customers who are not in the tickets.
///
/// # Errors
/// If the store fails.
pub(super) async fn read_campaign(
    output: &Location,
    nights: &[AsOf],
    tickets: &Tickets,
    progress: &dyn Progress,
) -> Result<Vec<CampaignOffer>> {
    let code_of_customer = |id: Id<'_>| tickets.code_of_customer(id);
    let code_of_product = |id: Id<'_>| tickets.partitions.products().code_of(id);
    let campaign = published_campaign(output, nights, &code_of_customer, &code_of_product).await?;
    for warning in &campaign.warnings {
        progress.warning(warning);
    }
    if campaign.unknown > 0 {
        progress.warning(&format!(
            "{} of {} offers are to customers who are not in the tickets, and are left out",
            campaign.unknown,
            campaign.unknown + campaign.offers.len()
        ));
    }
    Ok(campaign.offers)
}

/// What became of some offers up to a night.
///
/// # Errors
/// If the purchases cannot be read.
pub(super) fn outcomes_of(
    offers: Vec<CampaignOffer>,
    tickets: &Tickets,
    as_of: AsOf,
    parameters: &OfferParameters,
) -> Result<CampaignOutcomes> {
    let history = PartitionedHistory::new(&*tickets.partitions, as_of);
    let details = tickets.details(history.as_of(), &[]);
    let prices = OfferPrices {
        prices: details.last_prices,
        margin: parameters.margin,
        discount: parameters.discount,
    };
    CampaignOutcomes::new(offers, history, &prices)
}

/// The outcomes with what a campaign tool says was really sent.
async fn as_treated(
    mut outcomes: CampaignOutcomes,
    uri: &str,
    config: &Config,
    days: NeededDays,
    tickets: &Tickets,
    progress: &dyn Progress,
) -> Result<(CampaignOutcomes, Option<SentAsDrawn>)> {
    let each = |count: usize, object: &InputObject| progress.object(object, count);
    let merged = tickets.merged.clone();
    let read = ingest::read_sent(uri, &config.input, days, merged, &each).await;
    let (sent, _) = read.map_err(|error| super::sent::in_settings(error, uri))?;
    let mut counts = SentAsDrawn {
        to_send: 0,
        sent: 0,
        to_hold_back: 0,
        sent_all_the_same: 0,
    };
    for outcome in &mut outcomes.offers {
        let was_sent = was_sent(&outcome.offer, &sent, tickets);
        outcome.was_sent = Some(was_sent);
        let [drawn, really] = match outcome.offer.is_sent() {
            true => [&mut counts.to_send, &mut counts.sent],
            false => [&mut counts.to_hold_back, &mut counts.sent_all_the_same],
        };
        *drawn += 1;
        *really += usize::from(was_sent);
    }
    Ok((outcomes, Some(counts)))
}

/// Whether a table has an offer: its customer and product, from the day on which it was due to the last
/// day on which it was valid.
fn was_sent(offer: &CampaignOffer, sent: &Purchases, tickets: &Tickets) -> bool {
    let customer = tickets.partitions.customers().get(offer.customer);
    let customer = customer.and_then(|id| sent.customers().code_of(id));
    let product = offer.product;
    let product = product.and_then(|code| tickets.partitions.products().get(code));
    let product = product.and_then(|id| sent.products().code_of(id));
    let (Some(customer), Some(product)) = (customer, product) else {
        return false;
    };
    let mailings = sent
        .until(AsOf(offer.valid.last))
        .purchases_of(customer)
        .since(offer.night.day() + 1);
    mailings.have(product)
}
