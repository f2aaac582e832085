//! Training: looks at the past nights, partition by partition, then fits timing and baskets side by
//! side.

use super::basket::{BasketModel, BasketRows};
use super::timing::{CalibrationSample, HazardRows, LEAST_FOLLOWED, TimingModel};
use super::{Model, Parameters};
use crate::calendar::{AsOf, DateRange, Day, HORIZON_DAYS};
use crate::error::{Error, Kind, Result};
use crate::purchases::{History, PartitionedHistory, Partitions};
use crate::recurrence::{PopulationSummary, Rule, recurrent};
use crate::sampling::Draw;

/// The last days before the as-of date are held out to calibrate, to gate the products' trees and
/// to measure.
pub const HELD_OUT_DAYS: i32 = HORIZON_DAYS;

/// So many days more than are needed, and a third month is held out of the timing model's first
/// fit: intervals and return probabilities vary from month to month.
const LONGER_HISTORY: i32 = 82;

/// About so many (customer, night) pairs calibrate the timing model at most.
const MAX_CALIBRATED: usize = 30_000;

/// What training gives.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, trained on all up to the as-of date.
    pub model: Model,
    /// The same procedure stopped 28 days before the last day with a purchase, so with 28 days less
    /// to learn from: what held-out figures are measured with. Neither a fit nor a gate nor a
    /// calibration of it has seen the days after. `None` where it was not asked for, or the history
    /// is too short for it.
    pub backtest_model: Option<Model>,
    /// What a user should know: few rows, a short history, a store that was closed.
    pub warnings: Vec<String>,
}

/// Trains on everything up to and including `as_of`, one part of the customers after the other.
/// `stage` is told what is done next.
///
/// # Errors
/// If the history up to `as_of` is empty or too short to learn from, or a part of it cannot be
/// brought back from where it was set aside.
pub fn train(
    purchases: &dyn Partitions,
    as_of: AsOf,
    rule: &Rule,
    parameters: &Parameters,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Trained> {
    let population = PopulationSummary::new(purchases, as_of, rule)?;
    fit(purchases, &population, parameters, false, stage)
}

/// The same model as [`train`] gives for the night and the rule of `population`, and its rehearsal
/// with it. `population` is the summary of `purchases`.
///
/// # Errors
/// As [`train`].
pub fn train_with_backtest(
    purchases: &dyn Partitions,
    population: &PopulationSummary,
    parameters: &Parameters,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Trained> {
    fit(purchases, population, parameters, true, stage)
}

/// So many days a history has to have for a model that can be measured.
#[must_use]
pub fn needed_days(rule: &Rule) -> i32 {
    rule.window_days().saturating_add(2 * HELD_OUT_DAYS)
}

fn fit(
    purchases: &dyn Partitions,
    population: &PopulationSummary,
    parameters: &Parameters,
    with_backtest: bool,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Trained> {
    let PopulationSummary {
        as_of, ref rule, ..
    } = *population;
    let Some(DateRange { first, last }) = population.span else {
        return Err(
            Error::request(format!("there is no purchase up to {as_of}"))
                .hint("choose a later --as-of, or give more --input"),
        );
    };
    // Days after the last purchase are days that the feed does not tell of, not days on which
    // nobody came.
    let history = PartitionedHistory::new(purchases, AsOf(last));
    let mut warnings = vec![];
    let known = last - first + 1;
    let needed = needed_days(rule);
    if known < needed {
        warnings.push(format!(
            "the history has {known} days up to {as_of}; below {needed} days predictions are poor"
        ));
    }
    // Whatever a fit finds too little of, a short history is the reason.
    let too_short = |error: Error| {
        match error.kind() {
        Kind::Input if known < needed => Error::input(format!(
            "{known} days of history are known up to {as_of} ({first} to {last}), too few to learn from; from {needed} days on \
             predictions are good, and can be measured"
        ))
        .hint(format!("give the objects of earlier days with --input too, or a later --as-of if the data go on after {last}")),
        _ => error,
    }
    };
    let split = last - HELD_OUT_DAYS;
    let months = 1 + i32::from(known >= needed) + i32::from(known >= needed + LONGER_HISTORY);
    let calibrated_from = last - months * HELD_OUT_DAYS;
    let with_backtest = with_backtest && calibrated_from < split;
    let seed = parameters.seed;
    stage("when: without the days that calibrate");
    let timing = TimingModel::fit(
        history.until(AsOf(calibrated_from)),
        rule,
        &parameters.timing,
        seed,
    )
    .map_err(too_short)?;
    // First everything is looked at, part by part, then everything is fitted, side by side.
    stage("when and what: looking at the past nights");
    let outcomes = calibrating(&timing, history, calibrated_from, split, rule, seed)?;
    let hazard_rows =
        |end: Day| timing.hazard_rows(history.until(AsOf(end)), rule, &parameters.timing, seed);
    let until_last = (hazard_rows(last).map_err(too_short)?, outcomes);
    // What a rehearsal would find on its last night is what is found now, as far as it was known
    // then.
    let known_by_split = || {
        until_last
            .1
            .iter()
            .filter_map(|outcome| outcome.known_by(split))
            .filter(CalibrationSample::is_followed)
            .collect()
    };
    let until_split = if with_backtest {
        hazard_rows(split)
            .map(|rows| Some((rows, known_by_split())))
            .or_else(none_if_insufficient_data)?
    } else {
        None
    };
    let baskets =
        BasketRows::new(history, &timing, rule, &parameters.basket, seed).map_err(too_short)?;
    stage("when and what");
    let timing_of = |(rows, outcomes): &(HazardRows, Vec<CalibrationSample>)| {
        let mut refitted = timing.refit(rows, &parameters.timing, seed)?;
        refitted.calibrate(outcomes);
        Ok(refitted)
    };
    let (timings, basket) = rayon::join(
        || {
            rayon::join(
                || timing_of(&until_last),
                || {
                    until_split
                        .as_ref()
                        .map(timing_of)
                        .transpose()
                        .or_else(none_if_insufficient_data)
                },
            )
        },
        || {
            BasketModel::fit(
                &baskets,
                history.products(),
                &parameters.basket,
                with_backtest,
                seed,
            )
        },
    );
    let (final_timing, basket) = (timings.0.map_err(too_short)?, basket.map_err(too_short)?);
    let rehearsal_timing = timings.1?;
    let with = |as_of, timing, basket| Model {
        as_of,
        rule: *rule,
        parameters: parameters.clone(),
        timing,
        basket,
    };
    let backtest_model = rehearsal_timing
        .zip(basket.backtest_model)
        .map(|(timing, basket)| with(AsOf(split), timing, basket));
    Ok(Trained {
        model: with(as_of, final_timing, basket.model),
        backtest_model,
        warnings,
    })
}

/// What is too little to rehearse on may be enough to train on.
fn none_if_insufficient_data<T>(error: Error) -> Result<Option<T>> {
    if error.kind() == Kind::Input {
        Ok(None)
    } else {
        Err(error)
    }
}

/// What `timing` said, and what became of it, every second night from `from` on of the customers
/// whom a run would have scored, as long as a week follows: of a sample of them where they are more
/// than [`MAX_CALIBRATED`]. How large a sample is known by `split`, after which a rehearsal sees
/// nothing.
fn calibrating(
    timing: &TimingModel,
    history: PartitionedHistory<'_>,
    from: Day,
    split: Day,
    rule: &Rule,
    seed: u64,
) -> Result<Vec<CalibrationSample>> {
    let nights: Vec<Day> = (from.epoch()..=history.as_of().day().epoch() - LEAST_FOLLOWED)
        .step_by(2)
        .map(Day::from_epoch)
        .collect();
    // The recurrent customers of one night are about as many as those of each of the others.
    let mut expected = 0;
    history.until(AsOf(split)).each(|history| {
        expected += recurrent(history, rule).0.len() * nights.len();
        Ok(())
    })?;
    let share = MAX_CALIBRATED as f64 / expected.max(1) as f64;
    let of_part = |history: &History<'_>| {
        let of_night = |night: &Day| {
            let night = *night;
            recurrent(&history.until(AsOf(night)), rule)
                .0
                .into_iter()
                .map(move |customer| (customer, night))
        };
        let drawn = |customer: u32, night: Day| {
            Draw::CalibrationSamples.keeps(
                seed,
                &[history.customers().key(customer), night.epoch() as u64],
                share,
            )
        };
        let pairs: Vec<(u32, Day)> = nights
            .iter()
            .flat_map(of_night)
            .filter(|(customer, night)| drawn(*customer, *night))
            .collect();
        timing.outcomes(history, &pairs)
    };
    history.gather(of_part, CalibrationSample::key)
}

#[cfg(test)]
mod tests;
