//! `train` and `score`: the only wiring of history, features, models and predictions.

pub mod explain;

use rayon::prelude::*;

use crate::calendar::{AsOf, Day};
use crate::error::{Error, Kind, Result};
use crate::features::basket::{BasketScratch, Candidate};
use crate::features::world::World;
use crate::models::basket::BasketModel;
use crate::models::timing::{HORIZON, TimingModel, Wait};
use crate::models::{Model, Parameters};
use crate::predictions::{CustomerPrediction, MAX_RANK, Predictions, ProductPrediction, words};
use crate::purchases::{History, Purchases, Visits};
use crate::recurrence::{Rule, recurrent};
use crate::sampling::{hash, keep};

/// The last days before the as-of date are held out to calibrate, to gate the products' trees and to measure.
pub const HELD_OUT_DAYS: i32 = HORIZON as i32;

/// So many days more than are needed, and a third month is held out of the timing model's first fit: intervals and return probabilities
/// vary from month to month.
const LONGER_HISTORY: i32 = 82;

/// About so many (customer, night) pairs calibrate the timing model at most.
const MAX_CALIBRATED: usize = 200_000;

/// What training gives.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, trained on all up to the as-of date.
    pub model: Model,
    /// The same procedure stopped 28 days before the last day with a purchase, so with 28 days less to learn from: what held-out figures
    /// are measured with. Neither a fit nor a gate nor a calibration of it has seen the days after. `None` where it was not asked for, or the history is too short for it.
    pub rehearsal: Option<Model>,
    /// What a user should know: few rows, a short history, a store that was closed.
    pub warnings: Vec<String>,
}

/// Trains on everything up to and including `as_of`. `stage` is told what is done next.
///
/// # Errors
/// If the history up to `as_of` is empty or too short to learn from.
pub fn train(purchases: &Purchases, as_of: AsOf, rule: &Rule, parameters: &Parameters, stage: &(dyn Fn(&str) + Sync)) -> Result<Trained> {
    fit(purchases, as_of, rule, parameters, false, stage)
}

/// The same model as [`train`] gives, and its rehearsal with it.
///
/// # Errors
/// As [`train`].
pub fn train_and_rehearse(
    purchases: &Purchases,
    as_of: AsOf,
    rule: &Rule,
    parameters: &Parameters,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Trained> {
    fit(purchases, as_of, rule, parameters, true, stage)
}

fn fit(
    purchases: &Purchases,
    as_of: AsOf,
    rule: &Rule,
    parameters: &Parameters,
    rehearse: bool,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Trained> {
    let history = purchases.until(as_of);
    let Some((first, last)) = history.span() else {
        return Err(Error::request(format!("there is no purchase up to {as_of}")).hint("choose a later --as-of, or give more --input"));
    };
    // Days after the last purchase are days that the feed does not tell of, not days on which nobody came.
    let history = history.until(AsOf(last));
    let mut warnings = vec![];
    let known = last - first + 1;
    let needed = rule.window_days() + 2 * HELD_OUT_DAYS;
    if known < needed {
        warnings.push(format!("the history has {known} days up to {as_of}; below {needed} days predictions are poor"));
    }
    // Whatever a fit finds too little of, a short history is the reason.
    let too_short = |error: Error| match error.kind() {
        Kind::Input if known < needed => Error::input(format!(
            "{known} days of history are known up to {as_of} ({first} to {last}), too few to learn from; from {needed} days on \
             predictions are good, and can be measured"
        ))
        .hint(format!("give the objects of earlier days with --input too, or a later --as-of if the data go on after {last}")),
        _ => error,
    };
    let split = last - HELD_OUT_DAYS;
    let months = 1 + i32::from(known >= needed) + i32::from(known >= needed + LONGER_HISTORY);
    let calibrated_from = last - months * HELD_OUT_DAYS;
    let rehearse = rehearse && calibrated_from < split;
    let seed = parameters.seed;
    stage("when: without the days that calibrate");
    let early = history.until(AsOf(calibrated_from));
    let timing = TimingModel::fit(&early, rule, &parameters.timing, seed).map_err(too_short)?;
    stage("when and what");
    let timing_up_to = |end: Day| -> Result<TimingModel> {
        let known = history.until(AsOf(end));
        let mut refitted = timing.refit(&known, rule, &parameters.timing, seed)?;
        refitted.calibrate_as(&timing, &known, &scored_nights(&known, calibrated_from, rule, seed));
        Ok(refitted)
    };
    let (timings, basket) = rayon::join(
        || rayon::join(|| timing_up_to(last), || rehearse.then(|| timing_up_to(split)).transpose()),
        || BasketModel::fit(&history, &timing, rule, &parameters.basket, rehearse, seed),
    );
    let (final_timing, basket) = (timings.0.map_err(too_short)?, basket.map_err(too_short)?);
    // What is too little to rehearse on may be enough to train on.
    let rehearsal_timing = match timings.1 {
        Err(error) if error.kind() == Kind::Input => None,
        fitted => fitted?,
    };
    let with = |as_of, timing, basket| Model { as_of, rule: *rule, parameters: parameters.clone(), timing, basket };
    let rehearsal = rehearsal_timing.zip(basket.rehearsal).map(|(timing, basket)| with(AsOf(split), timing, basket));
    Ok(Trained { model: with(as_of, final_timing, basket.model), rehearsal, warnings })
}

/// Every second night from `from` on with the customers whom a run would have scored, as long as a week follows: a sample of them where
/// they are more than [`MAX_CALIBRATED`].
fn scored_nights(history: &History<'_>, from: Day, rule: &Rule, seed: u64) -> Vec<(u32, Day)> {
    let nights: Vec<Day> = (from.epoch()..=history.as_of().day().epoch() - 7).step_by(2).map(Day::from_epoch).collect();
    let of_night = |night: Day| recurrent(&history.until(AsOf(night)), rule).0.into_iter().map(move |customer| (customer, night));
    // The recurrent customers of the last night are about as many as those of each of the others.
    let expected = recurrent(history, rule).0.len() * nights.len();
    let share = MAX_CALIBRATED as f64 / expected.max(1) as f64;
    let drawn = |customer: u32, night: Day| keep(hash(seed, &[0xca1, history.customers().key(customer), night.epoch() as u64]), share);
    nights.into_iter().flat_map(of_night).filter(|(customer, night)| drawn(*customer, *night)).collect()
}

/// Predicts for the recurrent customers of the night `as_of`, whom `rule` names.
///
/// # Errors
/// If nobody meets the rule, or the model was trained on days after `as_of`.
pub fn score(model: &Model, model_id: &str, purchases: &Purchases, as_of: AsOf, rule: &Rule) -> Result<Predictions> {
    refuse_future(model, as_of)?;
    let history = purchases.until(as_of);
    let (customers, funnel) = recurrent(&history, rule);
    if customers.is_empty() {
        let others: Vec<String> = funnel
            .by_basket_share
            .iter()
            .filter(|(_, count)| *count > 0)
            .take(3)
            .map(|(share, count)| format!("{share} ({count})"))
            .collect();
        let hint = match others.as_slice() {
            [] => "no basket share lets anyone in: see --min-purchases, --periods and --as-of".to_owned(),
            _ => format!("a lower --basket-share would let in: {}", others.join(", ")),
        };
        return Err(Error::request(format!("on {as_of} nobody meets the recurrence rule")).hint(hint));
    }
    let night = Night::new(model, history);
    let predict = |scratch: &mut BasketScratch, customer: &u32| night.predict(*customer, scratch);
    let customers = customers.par_iter().map_init(BasketScratch::default, predict).flatten();
    let customers = customers.map(|(prediction, _)| prediction).collect();
    Ok(Predictions {
        as_of,
        model_id: model_id.to_owned(),
        funnel,
        customer_ids: purchases.customers().clone(),
        product_ids: purchases.products().clone(),
        customers,
    })
}

/// Refuses a model that has seen days after the night: its predictions would look better than they are.
///
/// # Errors
/// If it was trained up to a later day than `as_of`.
pub fn refuse_future(model: &Model, as_of: AsOf) -> Result<()> {
    if model.as_of <= as_of {
        return Ok(());
    }
    Err(Error::request(format!("the model was trained up to {}, after the as-of date {as_of}", model.as_of))
        .hint("choose an older model with --model; `okuo models list` shows them"))
}

/// The store on one night as a model sees it.
struct Night<'a> {
    model: &'a Model,
    history: History<'a>,
    world: World,
    trees: Vec<Option<u32>>,
}

impl<'a> Night<'a> {
    fn new(model: &'a Model, history: History<'a>) -> Self {
        Self { model, history, world: model.basket.world(&history), trees: model.basket.trees_by_code(&history) }
    }

    /// What is predicted for a customer, and the wait that it comes from; `None` for one without a purchase. The candidates and their
    /// features stay in `scratch`.
    fn predict(&self, customer: u32, scratch: &mut BasketScratch) -> Option<(CustomerPrediction, Wait)> {
        let Self { model, history, world, trees } = self;
        let night = history.as_of().day();
        let visits = history.visits(customer);
        let last_purchase = *visits.days().last()?;
        let wait = model.timing.wait(&visits, night);
        let (first, last) = model.timing.interval(&wait);
        let expected = model.timing.expected_days(&visits, night);
        let scored = model.basket.score(world, trees, customer, &visits, expected, scratch);
        let products = scored.iter().take(MAX_RANK).map(|scored| ProductPrediction {
            product: scored.candidate.product,
            probability: scored.probability,
            times_bought: scored.candidate.times,
            days_since_bought: (scored.candidate.times > 0).then_some(scored.candidate.last_ago),
            typical_gap_days: scored.candidate.gap_days(),
            model: scored.model,
            reason: reason(&scored.candidate, &visits, world),
        });
        let prediction = CustomerPrediction {
            customer,
            last_purchase,
            purchases_90d: visits.days().iter().filter(|day| night - **day < 90).count() as u32,
            days_to_next: wait.median(),
            earliest: night + first,
            latest: night + last,
            return_probability: model.timing.return_probability(&wait),
            expected_basket_size: expected_basket_size(&visits),
            products: products.collect(),
        };
        Some((prediction, wait))
    }
}

/// The mean size of the latest baskets, each older one counting a tenth less.
fn expected_basket_size(visits: &Visits<'_>) -> f64 {
    let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
    for (_, basket) in visits.iter().rev().take(50) {
        sum += weight * basket.len() as f64;
        weights += weight;
        weight *= 0.9;
    }
    sum / f64::max(weights, 1e-9)
}

/// Why a product is likely: what the customer's own purchases, or the store's, say of it. Every word of it can be counted in the tickets.
fn reason(candidate: &Candidate, visits: &Visits<'_>, world: &World) -> String {
    if candidate.times == 0 {
        let percent = 100.0 * world.share(candidate.product, 1);
        let percent = if percent < 0.05 { "less than 0.1".to_owned() } else { format!("{percent:.1}") };
        return format!("new to the customer; in {percent} % of all purchases of the last 28 days");
    }
    let window = visits.len().min(10);
    let often = match (candidate.last_ten, window) {
        (0, _) => format!("bought {}", words::times(candidate.times)),
        (_, 1) => "bought on the only visit".to_owned(),
        (bought, window) if bought as usize == window => format!("bought on each of the last {window} visits"),
        (bought, window) => format!("bought on {bought} of the last {window} visits"),
    };
    let ago = words::ago(candidate.last_ago);
    // One gap is no habit.
    match candidate.gap_days().filter(|_| candidate.times >= 3) {
        Some(gap) => format!("{often}; {} on average, last {ago}", words::every(gap)),
        None => format!("{often}; last {ago}"),
    }
}

#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
mod tests;
