//! `train` and `score`: the only wiring of history, features, models and predictions.

pub mod explain;
mod night;

use crate::calendar::{AsOf, Day};
use crate::error::{Error, Kind, Result};
use crate::models::basket::BasketModel;
use crate::models::timing::{HORIZON, TimingModel};
use crate::models::{Model, Parameters};
use crate::purchases::{History, Purchases};
use crate::recurrence::{Rule, recurrent};
use crate::sampling::{hash, keep};

pub use night::{Overview, refuse_future, score, score_parts};

/// The last days before the as-of date are held out to calibrate, to gate the products' trees and to measure.
pub const HELD_OUT_DAYS: i32 = HORIZON as i32;

/// So many days more than are needed, and a third month is held out of the timing model's first fit: intervals and return probabilities
/// vary from month to month.
const LONGER_HISTORY: i32 = 82;

/// About so many (customer, night) pairs calibrate the timing model at most.
const MAX_CALIBRATED: usize = 30_000;

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

#[cfg(test)]
pub(crate) mod examples;
#[cfg(test)]
mod tests;
