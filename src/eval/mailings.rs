//! How the offers of nights in a row would have fared.
//!
//! Each night is scored, and what is due next morning is taken as sent. What the customers bought
//! then, they bought without an offer: so this says how few, how timely and how well chosen the
//! mailings are, and what would have been bought anyway. It does not say what offers bring; that
//! takes a control arm. Beside okuo, the same nights with the same rules, but with the candidates in
//! the order of how often the customer bought them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use super::Verdict;
use super::bootstrap::{Interval, SumAndCount, paired_differences};
use super::metrics::{calibration_error, reliability};
use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::{
    CustomerPrediction, Details, Evidence, MAX_RANK, Predictions, ProductPrediction,
};
use crate::error::{Error, Result};
use crate::models::{self, Model, NightSummary};
use crate::offers::{
    Offer, OfferMaker, OfferParameters, SentOffer, SentOffers, Strategy, nights_to_remember,
};
use crate::purchases::{History, PartitionedHistory, Partitions, RecentPartitions};
use crate::recurrence::Rule;
use crate::stats::rounded;

/// Customers who are scored at a time: so many say what is certain ([`OfferMaker::offers`]).
const CUSTOMERS_AT_A_TIME: usize = 100_000;

/// How many strategies are compared.
const STRATEGIES: usize = Strategy::ALL.len();

/// How offers are made in an evaluation.
#[derive(Clone, Copy)]
pub struct OfferSettings<'a> {
    /// Their parameters. Nothing is held back for a control arm, and `sent` is not looked at: what the nights
    /// before would have sent is remembered.
    pub parameters: &'a OfferParameters,
    /// What is known beside the purchases on a night, of all products and of these customers.
    pub details: &'a (dyn Fn(AsOf, &[u32]) -> Details + Sync),
}

/// How the offers of nights in a row would have fared without any effect on the customers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MailingEvaluation {
    /// How many nights were scored, one after the other.
    pub nights: usize,
    /// Purchases on the day after a night, of customers who were scored on it.
    pub visits: usize,
    /// Mailings: a customer and a day with at least one offer.
    pub mailings: usize,
    /// Mailings ÷ visits.
    pub mailings_per_visit: Option<f64>,
    /// Offers in these mailings.
    pub offers: usize,
    /// Offers of a product that was offered to the customer before, within the customer's own gap
    /// between purchases of it.
    pub repeated_in_cycle: usize,
    /// Of the customers who made one of the visits, the share who were mailed before one or on its
    /// day.
    pub visitors_mailed: Option<f64>,
    /// Mailings whose time of validity the data cover.
    pub mailings_followed: usize,
    /// Of these, the share whose customer bought something in that time.
    pub came: Option<f64>,
    /// Expected calibration error of `p_window`, over the offers that the data cover.
    pub ece_p_window: Option<f64>,
    /// The offers by strategy, of those that made any.
    pub strategies: Vec<StrategyComparison>,
}

/// The offers of one strategy, beside a choice by frequency: of the products that it may choose, those
/// that the customer bought most often; of new ones, those that the store sells most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyComparison {
    /// The strategy.
    pub strategy: Strategy,
    /// How many of its offers the data cover.
    pub offers: usize,
    /// The share of them that was bought while valid.
    pub bought: Option<f64>,
    /// The mean of their `p_window`.
    pub expected: Option<f64>,
    /// How many offers by frequency the data cover.
    pub offers_by_frequency: usize,
    /// The share of those that was bought while valid.
    pub bought_by_frequency: Option<f64>,
    /// `bought` less `bought_by_frequency`.
    pub difference: Option<f64>,
    /// Its 95 % interval, by bootstrap over customers; the same customers are drawn for both.
    pub interval: Option<Interval>,
    /// What the interval says.
    pub verdict: Option<Verdict>,
}

/// Collects what the nights of an evaluation would have sent.
pub(super) struct MailingTrial<'a> {
    history: PartitionedHistory<'a>,
    last: Day,
    rule: &'a Rule,
    history_days: u32,
    details: &'a (dyn Fn(AsOf, &[u32]) -> Details + Sync),
    parameters: OfferParameters,
    /// For each night that was scored, its next morning and the customers, by ascending code.
    mornings: Vec<(Day, Vec<u32>)>,
    by_okuo: TrialMailings,
    by_frequency: TrialMailings,
}

/// What was sent with one way to choose.
#[derive(Default)]
struct TrialMailings {
    /// By customer code.
    sent: Vec<(u32, SentOffer)>,
    offers: Vec<TrialOffer>,
    /// The day on which a product was last offered to a customer.
    latest: BTreeMap<(u32, u32), Day>,
    repeated_in_cycle: usize,
}

/// One offer that would have been sent.
#[derive(Debug, Clone, Copy)]
struct TrialOffer {
    customer: u32,
    product: u32,
    sent_on: Day,
    valid: DateRange,
    strategy: Strategy,
    p_window: f64,
}

impl<'a> MailingTrial<'a> {
    /// # Errors
    /// If the parameters make no sense.
    pub(super) fn new(
        purchases: &'a dyn Partitions,
        last: Day,
        rule: &'a Rule,
        history_days: u32,
        settings: OfferSettings<'a>,
    ) -> Result<Self> {
        let parameters = OfferParameters {
            control_share: 0.0,
            control_offer_share: 0.0,
            // What is measured is the choice, and not how much of it is paid for.
            budget: None,
            ..settings.parameters.clone()
        };
        Ok(Self {
            history: PartitionedHistory::new(purchases, AsOf(last)),
            last,
            rule,
            history_days,
            details: settings.details,
            parameters: parameters.check()?,
            mornings: vec![],
            by_okuo: TrialMailings::default(),
            by_frequency: TrialMailings::default(),
        })
    }

    /// Scores a night that is after all others. One on which nobody meets the rule sends nothing.
    pub(super) fn night(&mut self, model: &Model, as_of: AsOf) -> Result<()> {
        let partitions = self.history.partitions();
        let known = RecentPartitions::new(partitions, as_of.first_of(self.history_days));
        let night = NightSummary::new(model, &known, as_of, self.rule)?;
        if night.population.recurrent.is_empty() {
            return Ok(());
        }
        let night = night.prepare(model, partitions.products())?;
        let recurrent = night.population.recurrent.clone();
        let details = (self.details)(as_of, &recurrent);
        let customers = partitions.customers();
        let sent = [&self.by_okuo, &self.by_frequency];
        let sent = sent.map(|way| SentOffers::new(customers, way.sent.clone()));
        let maker = |sent| {
            OfferMaker::new(&self.parameters, partitions.products(), sent)?.with_details(&details)
        };
        let (mut okuo, mut frequency) = (maker(&sent[0])?, maker(&sent[1])?);
        models::score_in_slices(
            &night,
            "",
            &known,
            CUSTOMERS_AT_A_TIME,
            &mut |predictions| {
                let offers = okuo.offers(predictions)?;
                self.by_okuo.add(predictions, &offers, partitions)?;
                let predictions = by_frequency(predictions);
                let offers = frequency.offers(&predictions)?;
                self.by_frequency.add(&predictions, &offers, partitions)
            },
        )?;
        self.mornings.push((as_of.day() + 1, recurrent));
        let remembered = nights_to_remember(as_of, self.parameters.longest_memory());
        self.by_okuo.forget_before(remembered.first);
        self.by_frequency.forget_before(remembered.first);
        Ok(())
    }

    /// What became of it all.
    pub(super) fn finish(self) -> Result<MailingEvaluation> {
        let mailings = mailings_of(&self.by_okuo.offers);
        let visits = self.visits()?;
        let followed = self.followed_mailings(&mailings)?;
        let by_okuo = self.judged(&self.by_okuo.offers)?;
        let by_frequency = self.judged(&self.by_frequency.offers)?;
        let came = followed.iter().filter(|mailing| mailing.came).count();
        let points: Vec<_> = by_okuo
            .iter()
            .map(|judged| (judged.offer.p_window, judged.bought))
            .collect();
        let four_decimals = |value: f64| rounded(value, 4);
        Ok(MailingEvaluation {
            nights: self.mornings.len(),
            visits: visits.len(),
            mailings: mailings.len(),
            mailings_per_visit: share(mailings.len(), visits.len()),
            offers: self.by_okuo.offers.len(),
            repeated_in_cycle: self.by_okuo.repeated_in_cycle,
            visitors_mailed: visitors_mailed(&visits, &mailings),
            mailings_followed: followed.len(),
            came: share(came, followed.len()),
            ece_p_window: calibration_error(&reliability(&points)).map(four_decimals),
            strategies: compare(&by_okuo, &by_frequency),
        })
    }

    /// Purchases on the morning after a night, of customers who were scored on it.
    fn visits(&self) -> Result<Vec<Visit>> {
        let visits_in = |history: &History<'_>| {
            let scored = self.mornings.iter().flat_map(|(day, customers)| {
                customers.iter().map(|customer| Visit {
                    customer: *customer,
                    day: *day,
                })
            });
            let came = |visit: &Visit| {
                let days = history.purchases_of(visit.customer).days();
                days.binary_search(&visit.day).is_ok()
            };
            scored.filter(came).collect()
        };
        self.history.gather(visits_in, |visit| *visit)
    }

    /// The mailings whose time of validity the data cover.
    fn followed_mailings(
        &self,
        mailings: &BTreeMap<(u32, Day), DateRange>,
    ) -> Result<Vec<FollowedMailing>> {
        let followed_in = |history: &History<'_>| {
            let covered = mailings.iter().filter(|(_, valid)| valid.last <= self.last);
            let in_partition = covered.filter_map(|((customer, sent_on), valid)| {
                let purchases = history.purchases_of(*customer);
                (!purchases.is_empty()).then(|| FollowedMailing {
                    customer: *customer,
                    sent_on: *sent_on,
                    came: !purchases.within(*valid).is_empty(),
                })
            });
            in_partition.collect()
        };
        self.history
            .gather(followed_in, |mailing| (mailing.customer, mailing.sent_on))
    }

    /// The offers whose time of validity the data cover, and whether each was bought in it.
    fn judged(&self, offers: &[TrialOffer]) -> Result<Vec<JudgedOffer>> {
        let judged_in = |history: &History<'_>| {
            let covered = offers.iter().filter(|offer| offer.valid.last <= self.last);
            let in_partition = covered.filter_map(|offer| {
                let purchases = history.purchases_of(offer.customer);
                (!purchases.is_empty()).then(|| JudgedOffer {
                    offer: *offer,
                    bought: purchases.within(offer.valid).have(offer.product),
                })
            });
            in_partition.collect()
        };
        self.history.gather(judged_in, |JudgedOffer { offer, .. }| {
            (offer.customer, offer.sent_on, offer.product)
        })
    }
}

impl TrialMailings {
    /// Takes what is due next morning as sent.
    fn add(
        &mut self,
        predictions: &Predictions,
        offers: &[Offer],
        partitions: &dyn Partitions,
    ) -> Result<()> {
        let of_customers = offers.chunk_by(|one, next| one.customer == next.customer);
        for offers in of_customers {
            let due: Vec<_> = offers.iter().filter(|offer| offer.due).collect();
            let Some(code) = due.first().map(|offer| offer.customer) else {
                continue;
            };
            let id = predictions.customer_ids.get(code);
            let customer = id.and_then(|id| partitions.customers().code_of(id));
            let customer = customer
                .ok_or_else(|| Error::system(format!("the offers' customer {code} has no id")))?;
            let prediction = prediction_for(predictions, code);
            for offer in due {
                let gap = prediction.and_then(|customer| gap_of(customer, offer.product));
                self.send(customer, offer, gap);
            }
        }
        Ok(())
    }

    /// `gap` are the days between the customer's purchases of it.
    fn send(&mut self, customer: u32, offer: &Offer, gap: Option<f64>) {
        let Some(dates) = offer.dates else {
            return;
        };
        let pair = (customer, offer.product);
        let before = self.latest.insert(pair, dates.send_on);
        let since = before.map(|before| f64::from(dates.send_on - before));
        let is_repeated = since
            .zip(gap)
            .is_some_and(|(since, gap)| since < gap.ceil());
        self.repeated_in_cycle += usize::from(is_repeated);
        self.sent.push((
            customer,
            SentOffer {
                sent_on: dates.send_on,
                valid_until: dates.valid_until,
                product: Some(offer.product),
            },
        ));
        self.offers.push(TrialOffer {
            customer,
            product: offer.product,
            sent_on: dates.send_on,
            valid: DateRange {
                first: dates.valid_from,
                last: dates.valid_until,
            },
            strategy: offer.strategy,
            p_window: offer.p_window,
        });
    }

    /// Forgets what can no longer hold anything back.
    fn forget_before(&mut self, first: Day) {
        self.sent.retain(|(_, offer)| offer.sent_on >= first);
    }
}

/// The purchase of a customer who was scored on the night before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Visit {
    customer: u32,
    day: Day,
}

/// A mailing whose time of validity the data cover.
struct FollowedMailing {
    customer: u32,
    sent_on: Day,
    /// Whether the customer bought something in that time.
    came: bool,
}

/// An offer whose time of validity the data cover.
struct JudgedOffer {
    offer: TrialOffer,
    /// Whether the product was bought in that time.
    bought: bool,
}

fn prediction_for(predictions: &Predictions, code: u32) -> Option<&CustomerPrediction> {
    let customers = &predictions.customers;
    let at = customers.binary_search_by_key(&code, |customer| customer.customer);
    customers.get(at.ok()?)
}

/// The days between the customer's purchases of a product.
fn gap_of(customer: &CustomerPrediction, product: u32) -> Option<f64> {
    let mut candidates = customer.products.iter().chain(&customer.further);
    candidates
        .find(|candidate| candidate.product == product)
        .and_then(|candidate| candidate.typical_gap_days)
}

/// The time of validity of each mailing: all its offers have the same.
fn mailings_of(offers: &[TrialOffer]) -> BTreeMap<(u32, Day), DateRange> {
    let mailings = offers.iter();
    mailings
        .map(|offer| ((offer.customer, offer.sent_on), offer.valid))
        .collect()
}

/// Of the customers with a visit, the share who were mailed before one or on its day.
fn visitors_mailed(visits: &[Visit], mailings: &BTreeMap<(u32, Day), DateRange>) -> Option<f64> {
    let by_customer = visits.chunk_by(|one, next| one.customer == next.customer);
    let (mut visitors, mut mailed) = (0, 0);
    for latest in by_customer.filter_map(<[Visit]>::last) {
        visitors += 1;
        let first_days = (latest.customer, *Day::PLAUSIBLE.start())..=(latest.customer, latest.day);
        mailed += usize::from(mailings.range(first_days).next().is_some());
    }
    share(mailed, visitors)
}

fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| rounded(part as f64 / of as f64, 4))
}

/// The offers by strategy.
fn compare(by_okuo: &[JudgedOffer], by_frequency: &[JudgedOffer]) -> Vec<StrategyComparison> {
    let mut customers = BTreeMap::<u32, Vec<[SumAndCount; STRATEGIES]>>::new();
    for (way, offers) in [by_okuo, by_frequency].into_iter().enumerate() {
        for JudgedOffer { offer, bought } in offers {
            let sums = customers
                .entry(offer.customer)
                .or_insert_with(|| vec![Default::default(); 2]);
            let (sum, count) = &mut sums[way][offer.strategy as usize];
            *sum += f64::from(u8::from(*bought));
            *count += 1.0;
        }
    }
    let customers: Vec<_> = customers.into_values().collect();
    let intervals = paired_differences(&customers);
    Strategy::ALL
        .into_iter()
        .map(|strategy| {
            let interval = intervals[strategy as usize];
            StrategyComparison::new(strategy, by_okuo, by_frequency, interval)
        })
        .filter(|compared| compared.offers > 0)
        .collect()
}

/// The judged offers of one strategy.
#[derive(Default)]
struct StrategyCounts {
    offers: usize,
    bought: usize,
    expected: f64,
}

impl StrategyCounts {
    fn of(strategy: Strategy, offers: &[JudgedOffer]) -> Self {
        let mut counts = Self::default();
        for JudgedOffer { offer, bought } in offers {
            if offer.strategy == strategy {
                counts.offers += 1;
                counts.bought += usize::from(*bought);
                counts.expected += offer.p_window;
            }
        }
        counts
    }
}

impl StrategyComparison {
    fn new(
        strategy: Strategy,
        by_okuo: &[JudgedOffer],
        by_frequency: &[JudgedOffer],
        interval: Option<Interval>,
    ) -> Self {
        let okuo = StrategyCounts::of(strategy, by_okuo);
        let frequency = StrategyCounts::of(strategy, by_frequency);
        let bought = share(okuo.bought, okuo.offers);
        let bought_by_frequency = share(frequency.bought, frequency.offers);
        Self {
            strategy,
            offers: okuo.offers,
            bought,
            expected: bought.map(|_| rounded(okuo.expected / okuo.offers as f64, 4)),
            offers_by_frequency: frequency.offers,
            bought_by_frequency,
            difference: bought
                .zip(bought_by_frequency)
                .map(|(bought, other)| rounded(bought - other, 4)),
            interval,
            verdict: interval.map(|interval| Verdict::of(interval, true)),
        }
    }
}

/// The same predictions with each customer's candidates in the order of how often the customer bought
/// them, the latest first among equals; new ones in the order of how often the store sells them.
fn by_frequency(predictions: &Predictions) -> Predictions {
    let customers = predictions.customers.iter().map(|customer| {
        let candidates = customer.products.iter().chain(&customer.further);
        let mut candidates: Vec<_> = candidates.cloned().collect();
        candidates.sort_by(more_frequent_first);
        let further = candidates.split_off(candidates.len().min(MAX_RANK));
        CustomerPrediction {
            products: candidates,
            further,
            ..customer.clone()
        }
    });
    Predictions {
        customers: customers.collect(),
        ..predictions.clone()
    }
}

fn more_frequent_first(one: &ProductPrediction, other: &ProductPrediction) -> Ordering {
    other
        .times_bought
        .cmp(&one.times_bought)
        .then_with(|| sold_share(other).total_cmp(&sold_share(one)))
        .then_with(|| one.days_since_bought.cmp(&other.days_since_bought))
        .then_with(|| one.product.cmp(&other.product))
}

/// The share of all purchases that have a product which is new to the customer.
fn sold_share(product: &ProductPrediction) -> f64 {
    match product.evidence {
        Evidence::Store { share } => share,
        Evidence::Own { .. } => 0.0,
    }
}

#[cfg(test)]
mod tests;
