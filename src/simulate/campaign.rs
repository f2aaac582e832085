//! Customers who react to offers: what they buy because of them, beside all that they buy anyway.

use chrono::{DateTime, TimeZone};
use rayon::prelude::*;
use serde::Serialize;

use super::catalogue::Today;
use super::shopper::{self, Shopper};
use super::{Simulation, TicketLine};
use crate::calendar::Day;
use crate::domain::words::counted;
use crate::error::{Error, Result};
use crate::offers::{CampaignOffer, Strategy};
use crate::sampling::{Draw, unit};

#[cfg(test)]
mod tests;

/// Tickets of customers who come only for an offer have numbers from here on within the customer,
/// one for each day: no customer has so many other tickets.
const EXTRA_TICKETS: i64 = 5_000;
/// The time of day of these tickets, in seconds.
const NOON: i64 = 12 * 3_600;
const SECONDS_PER_DAY: i64 = 86_400;
const MICROSECONDS: i64 = 1_000_000;

/// What offers bring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlantedUplift {
    /// By strategy, in the order of [`Strategy`]: the probability that a customer who would not have
    /// bought the product while the offer is valid reacts to it.
    pub by_strategy: [f64; 4],
    /// The share of those who react that come for the offer if they would not have come while it is
    /// valid. The others only buy where they come anyway.
    pub come: f64,
}

impl PlantedUplift {
    /// Nobody reacts.
    pub const NONE: Self = Self {
        by_strategy: [0.0; 4],
        come: 0.0,
    };

    /// The same with another probability for a strategy.
    #[must_use]
    pub fn with(mut self, strategy: Strategy, probability: f64) -> Self {
        self.by_strategy[strategy as usize] = probability;
        self
    }

    fn check(&self) -> Result<()> {
        let all = self.by_strategy.into_iter().chain([self.come]);
        for value in all {
            if !(0.0..=1.0).contains(&value) {
                return Err(Error::request(format!(
                    "an uplift should be between 0 and 1, but is {value}"
                ))
                .hint("it is a probability: 0.1 means that one in ten of those who would not have bought buys because of the offer"));
            }
        }
        Ok(())
    }
}

/// What is true of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CampaignTruth {
    /// One for each strategy that has offers, in the order of [`Strategy`].
    pub strategies: Vec<StrategyTruth>,
    /// Offers whose last day is not in the simulated history, and which are in no figure.
    pub unfinished: usize,
}

/// What is true of the offers of one strategy whose days are all in the history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyTruth {
    /// The strategy.
    pub strategy: Strategy,
    /// How many offers there were, held back or sent.
    pub offers: usize,
    /// How many of them were sent.
    pub sent: usize,
    /// Share of all of them whose product is bought while they are valid, if none was sent.
    pub bought_without: f64,
    /// By how much that share would rise on average if all were sent: the uplift that was planted.
    pub uplift: f64,
    /// How many products were bought only because of an offer.
    pub added: usize,
}

/// The sums behind a [`StrategyTruth`].
#[derive(Debug, Clone, Copy, Default)]
struct TruthSums {
    offers: usize,
    sent: usize,
    bought_without: usize,
    uplift: f64,
    added: usize,
}

/// What became of one offer.
struct Reaction {
    bought_without: bool,
    /// Probability that the product is bought only because of the offer, if it is sent.
    uplift: f64,
    /// What is bought because of it.
    line: Option<TicketLine>,
}

impl Simulation {
    /// The same store, whose customers react to offers: `uplift` says how often. The codes of the
    /// offers are the ids of the simulated tickets less 1. What an offer brings depends on the seed,
    /// the customer, the product and the night alone, and comes after the night, so that a campaign can
    /// be continued: with more offers, the days up to the last night stay as they were.
    ///
    /// # Errors
    /// If an uplift is no probability, or an offer is to no customer or of no product of this store.
    pub fn with_campaign(
        mut self,
        offers: &[CampaignOffer],
        uplift: PlantedUplift,
    ) -> Result<(Self, CampaignTruth)> {
        uplift.check()?;
        let positions = self.positions_by_id();
        if let Some(foreign) = offers
            .iter()
            .find(|offer| !self.has(offer, positions.len()))
        {
            return Err(Error::request(format!(
                "an offer of {} is to a customer or of a product that this simulated store does not have",
                foreign.night
            ))
            .hint("give the --style, --seed, --customers, --products, --start and --days with which the tickets were simulated"));
        }
        let mut offers: Vec<&CampaignOffer> = offers.iter().collect();
        offers.sort_by_key(|offer| (offer.customer, offer.night, offer.product));
        let customers: Vec<&[&CampaignOffer]> = offers
            .chunk_by(|one, next| one.customer == next.customer)
            .collect();
        let reacted: Vec<CustomerReactions> = customers
            .into_par_iter()
            .map(|offers| self.react(offers, &positions, uplift))
            .collect();
        let mut sums = [TruthSums::default(); 4];
        let mut unfinished = 0;
        self.reactions.clear();
        for customer in reacted {
            self.reactions.extend(customer.lines);
            unfinished += customer.unfinished;
            for (sum, more) in sums.iter_mut().zip(customer.sums) {
                sum.add(more);
            }
        }
        let truth = CampaignTruth {
            strategies: strategy_truths(&sums),
            unfinished,
        };
        Ok((self, truth))
    }

    /// The position of each product in the catalogue, by its id less 1.
    fn positions_by_id(&self) -> Vec<u32> {
        let mut positions = vec![0; self.parameters.products as usize];
        for product in 0..self.parameters.products {
            let id = usize::try_from(self.catalogue.id(product)).unwrap_or(usize::MAX);
            if let Some(position) = positions.get_mut(id.wrapping_sub(1)) {
                *position = product;
            }
        }
        positions
    }

    fn has(&self, offer: &CampaignOffer, products: usize) -> bool {
        offer.customer < self.parameters.customers
            && offer
                .product
                .is_some_and(|product| (product as usize) < products)
    }

    /// How one customer reacts to all offers.
    fn react(
        &self,
        offers: &[&CampaignOffer],
        positions: &[u32],
        uplift: PlantedUplift,
    ) -> CustomerReactions {
        let mut reactions = CustomerReactions::default();
        let (Some(first), Some(last)) = (
            offers.first(),
            offers.iter().map(|offer| offer.valid.last).max(),
        ) else {
            return reactions;
        };
        let mut untreated = vec![];
        Shopper::new(self, first.customer).run(self, last, &mut untreated);
        for offer in offers {
            let product = offer.product.and_then(|code| positions.get(code as usize));
            let Some(product) = product else { continue };
            let reaction = self.reaction(offer, *product, &untreated, uplift);
            reactions.lines.extend(reaction.line);
            if offer.valid.last > self.parameters.last_day() {
                reactions.unfinished += 1;
                continue;
            }
            reactions.sums[offer.strategy as usize].add(TruthSums {
                offers: 1,
                sent: usize::from(offer.is_sent()),
                bought_without: usize::from(reaction.bought_without),
                uplift: reaction.uplift,
                added: usize::from(reaction.line.is_some()),
            });
        }
        reactions.lines.sort_by_key(|line| (line.time, line.basket));
        reactions
    }

    /// How a customer reacts to one offer: `untreated` is all that they buy without any.
    fn reaction(
        &self,
        offer: &CampaignOffer,
        product: u32,
        untreated: &[TicketLine],
        uplift: PlantedUplift,
    ) -> Reaction {
        let id = self.catalogue.id(product);
        let in_window: Vec<&TicketLine> = untreated
            .iter()
            .filter(|line| offer.valid.contains(self.day_of(line)))
            .collect();
        let mut bought = in_window.iter().filter(|line| line.product == id);
        if bought.any(|line| line.quantity > 0) {
            return Reaction {
                bought_without: true,
                uplift: 0.0,
                line: None,
            };
        }
        let visit = in_window
            .iter()
            .find(|line| self.catalogue.is_sold(product, self.day_of(line).epoch()))
            .copied();
        let night = i64::from(offer.night.day().epoch()) as u64;
        let ids = [u64::from(offer.customer), id as u64, night];
        let draws = [0, 1, 2].map(|draw| {
            let seed = self.parameters.seed;
            unit(Draw::Reaction.hash(seed, &[ids[0], ids[1], ids[2], draw]))
        });
        let ticket = match visit {
            Some(visit) => Some(*visit),
            None => self.extra_ticket(offer, product, draws[2]),
        };
        let comes = if visit.is_some() { 1.0 } else { uplift.come };
        let probability = uplift.by_strategy[offer.strategy as usize];
        let reacts = offer.is_sent() && draws[0] < probability && draws[1] < comes;
        Reaction {
            bought_without: false,
            uplift: ticket.map_or(0.0, |_| probability * comes),
            line: ticket
                .filter(|_| reacts)
                .map(|ticket| self.bought(product, ticket)),
        }
    }

    /// The ticket of a customer who comes only for an offer, on a day on which it is valid.
    fn extra_ticket(&self, offer: &CampaignOffer, product: u32, draw: f64) -> Option<TicketLine> {
        let days: Vec<i32> = (offer.valid.first.epoch()..=offer.valid.last.epoch())
            .filter(|day| !shopper::is_closed(*day) && self.catalogue.is_sold(product, *day))
            .collect();
        let day = *days.get((draw * days.len() as f64) as usize)?;
        let customer = i64::from(offer.customer) + 1;
        let since_start = i64::from(day - self.parameters.start.epoch());
        let time = i64::from(day) * SECONDS_PER_DAY + NOON;
        let time = self.zone.map_or(time, |zone| shopper::utc(time, zone));
        Some(TicketLine {
            customer,
            basket: customer * shopper::TICKETS + EXTRA_TICKETS + since_start,
            time: time * MICROSECONDS,
            product: 0,
            category: 0,
            quantity: 1,
            price: 0,
        })
    }

    /// A product on a ticket.
    fn bought(&self, product: u32, ticket: TicketLine) -> TicketLine {
        let today = Today::new(self.day_of(&ticket).epoch());
        TicketLine {
            product: self.catalogue.id(product),
            category: self.catalogue.category(product),
            quantity: 1,
            price: self.catalogue.price(product, &today),
            ..ticket
        }
    }

    /// The store's day of a line.
    pub(super) fn day_of(&self, line: &TicketLine) -> Day {
        let local = self.zone.and_then(|zone| {
            let instant = DateTime::from_timestamp_micros(line.time)?;
            let local = zone.from_utc_datetime(&instant.naive_utc()).naive_local();
            Some(local.and_utc().timestamp_micros())
        });
        let days = local
            .unwrap_or(line.time)
            .div_euclid(SECONDS_PER_DAY * MICROSECONDS);
        Day::from_epoch(i32::try_from(days).unwrap_or(i32::MAX))
    }

    /// What offers bring of one customer, by time.
    pub(super) fn reactions_of(&self, customer: u32) -> &[TicketLine] {
        let id = i64::from(customer) + 1;
        let from = self.reactions.partition_point(|line| line.customer < id);
        let rest = self.reactions.get(from..).unwrap_or_default();
        let len = rest.partition_point(|line| line.customer == id);
        rest.get(..len).unwrap_or_default()
    }
}

/// How one customer reacts to all offers.
#[derive(Default)]
struct CustomerReactions {
    lines: Vec<TicketLine>,
    sums: [TruthSums; 4],
    unfinished: usize,
}

impl TruthSums {
    fn add(&mut self, more: Self) {
        self.offers += more.offers;
        self.sent += more.sent;
        self.bought_without += more.bought_without;
        self.uplift += more.uplift;
        self.added += more.added;
    }
}

fn strategy_truths(sums: &[TruthSums; 4]) -> Vec<StrategyTruth> {
    let truths = Strategy::ALL.into_iter().zip(sums);
    let truths = truths.filter(|(_, sum)| sum.offers > 0);
    truths
        .map(|(strategy, sum)| StrategyTruth {
            strategy,
            offers: sum.offers,
            sent: sum.sent,
            bought_without: sum.bought_without as f64 / sum.offers as f64,
            uplift: sum.uplift / sum.offers as f64,
            added: sum.added,
        })
        .collect()
}

impl StrategyTruth {
    /// A line for people.
    #[must_use]
    pub fn in_words(&self) -> String {
        format!(
            "{}: {}, {} sent; {:.1} % bought without any, {:+.1} points if all were sent; {} bought because of one",
            self.strategy.word(),
            counted(self.offers as i64, "offer"),
            self.sent,
            100.0 * self.bought_without,
            100.0 * self.uplift,
            self.added
        )
    }
}
