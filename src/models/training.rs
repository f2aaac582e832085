//! Training: looks at the past nights, partition by partition, then fits timing and baskets side by
//! side.

use super::basket::{BasketModel, BasketRows, FittedBasket};
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

/// Where a history has this many days more than are needed, a third month is held out of the timing
/// model's first fit: intervals and return probabilities vary from month to month.
const LONGER_HISTORY: i32 = 82;

/// About how many (customer, night) pairs calibrate the timing model at most.
const MAX_CALIBRATION_SAMPLES: usize = 30_000;

/// Days between two nights that calibrate the timing model.
const CALIBRATION_STEP_DAYS: usize = 2;

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

/// The same model as [`train`] gives for the night and the rule of `population`, and its backtest
/// model with it. `population` is the summary of `purchases`.
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

/// How many days a history must have for a model that can be measured.
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
    let span = population.span.ok_or_else(|| {
        Error::request(format!("there is no purchase up to {as_of}"))
            .hint("choose a later --as-of, or give more --input")
    })?;
    let length = HistoryLength {
        as_of,
        span,
        needed: needed_days(rule),
    };
    let training = TrainingRun {
        // Days after the last purchase are days that the feed does not tell of, not days on which
        // nobody came.
        history: PartitionedHistory::new(purchases, AsOf(span.last)),
        rule,
        parameters,
        splits: Splits::new(&length),
    };
    let fitted = training
        .fit(with_backtest, stage)
        .map_err(|error| length.explain(error))?;
    let backtest_night = AsOf(training.splits.backtest_end);
    Ok(Trained {
        model: training.model(as_of, fitted.timing, fitted.basket.model),
        backtest_model: fitted
            .backtest_timing
            .zip(fitted.basket.backtest_model)
            .map(|(timing, basket)| training.model(backtest_night, timing, basket)),
        warnings: length.warning().into_iter().collect(),
    })
}

/// How long the history is, and how long it should be.
struct HistoryLength {
    as_of: AsOf,
    /// The first and the last day with a purchase.
    span: DateRange,
    /// As [`needed_days`].
    needed: i32,
}

impl HistoryLength {
    fn is_short(&self) -> bool {
        self.span.days() < self.needed
    }

    fn warning(&self) -> Option<String> {
        let (days, as_of, needed) = (self.span.days(), self.as_of, self.needed);
        self.is_short().then(|| {
            format!(
                "the history has {days} days up to {as_of}; below {needed} days predictions are poor"
            )
        })
    }

    /// Whatever a fit finds too little of, a short history is the reason.
    fn explain(&self, error: Error) -> Error {
        if error.kind() != Kind::Input || !self.is_short() {
            return error;
        }
        let (days, as_of, needed) = (self.span.days(), self.as_of, self.needed);
        let DateRange { first, last } = self.span;
        Error::input(format!(
            "{days} days of history are known up to {as_of} ({first} to {last}), too few to learn \
             from; from {needed} days on predictions are good, and can be measured"
        ))
        .hint(format!(
            "give the objects of earlier days with --input too, or a later --as-of if the data go \
             on after {last}"
        ))
    }
}

/// The days at which a training splits its history.
#[derive(Debug, Clone, Copy)]
struct Splits {
    /// The last day of the timing model's first fit. What that fit says on later nights
    /// calibrates.
    first_fit_end: Day,
    /// The last day of the backtest model.
    backtest_end: Day,
    /// The last day with a purchase.
    end: Day,
}

impl Splits {
    fn new(length: &HistoryLength) -> Self {
        let (days, end) = (length.span.days(), length.span.last);
        let months = 1
            + i32::from(days >= length.needed)
            + i32::from(days >= length.needed + LONGER_HISTORY);
        Self {
            first_fit_end: end - months * HELD_OUT_DAYS,
            backtest_end: end - HELD_OUT_DAYS,
            end,
        }
    }

    /// Whether something is known that calibrates a backtest model and that it may see.
    fn leave_a_backtest(&self) -> bool {
        self.first_fit_end < self.backtest_end
    }
}

/// What a training works on.
struct TrainingRun<'a> {
    /// Up to the last day with a purchase.
    history: PartitionedHistory<'a>,
    rule: &'a Rule,
    parameters: &'a Parameters,
    splits: Splits,
}

/// The parts that a training fits.
struct FittedParts {
    timing: TimingModel,
    backtest_timing: Option<TimingModel>,
    basket: FittedBasket,
}

/// What a timing model is fitted to again, and calibrated by.
struct TimingRefit {
    rows: HazardRows,
    samples: Vec<CalibrationSample>,
}

impl TrainingRun<'_> {
    /// First everything is looked at, part by part, then everything is fitted, side by side.
    fn fit(&self, with_backtest: bool, stage: &(dyn Fn(&str) + Sync)) -> Result<FittedParts> {
        let seed = self.parameters.seed;
        stage("timing: a first fit without the days that calibrate");
        let first = TimingModel::fit(
            self.history.until(AsOf(self.splits.first_fit_end)),
            self.rule,
            &self.parameters.timing,
            seed,
        )?;
        stage("timing and basket: looking at the past nights");
        let samples = self.calibration_samples(&first)?;
        let refit = TimingRefit {
            rows: self.hazard_rows(&first, self.splits.end)?,
            samples,
        };
        let backtest_refit = if with_backtest && self.splits.leave_a_backtest() {
            self.backtest_refit(&first, &refit.samples)?
        } else {
            None
        };
        let basket_rows = BasketRows::new(
            self.history,
            &first,
            self.rule,
            &self.parameters.basket,
            seed,
        )?;
        stage("timing and basket: fitting");
        let ((timing, backtest_timing), basket) = rayon::join(
            || {
                rayon::join(
                    || self.refit(&first, &refit),
                    || {
                        backtest_refit
                            .as_ref()
                            .map(|refit| self.refit(&first, refit))
                    },
                )
            },
            || {
                BasketModel::fit(
                    &basket_rows,
                    self.history.products(),
                    &self.parameters.basket,
                    with_backtest && self.splits.leave_a_backtest(),
                    seed,
                )
            },
        );
        Ok(FittedParts {
            timing: timing?,
            basket: basket?,
            backtest_timing: backtest_timing
                .transpose()
                .or_else(none_if_insufficient_data)?,
        })
    }

    fn model(&self, as_of: AsOf, timing: TimingModel, basket: BasketModel) -> Model {
        Model {
            as_of,
            rule: *self.rule,
            parameters: self.parameters.clone(),
            timing,
            basket,
        }
    }

    fn hazard_rows(&self, timing: &TimingModel, end: Day) -> Result<HazardRows> {
        timing.hazard_rows(
            self.history.until(AsOf(end)),
            self.rule,
            &self.parameters.timing,
            self.parameters.seed,
        )
    }

    /// What the backtest model's timing is fitted to. The samples that it would find on its last
    /// night are those that are found now, as far as they were known then.
    fn backtest_refit(
        &self,
        timing: &TimingModel,
        samples: &[CalibrationSample],
    ) -> Result<Option<TimingRefit>> {
        let end = self.splits.backtest_end;
        let known_by_end = samples.iter().filter_map(|sample| sample.known_by(end));
        self.hazard_rows(timing, end)
            .map(|rows| {
                let samples = known_by_end.filter(CalibrationSample::is_followed);
                Some(TimingRefit {
                    rows,
                    samples: samples.collect(),
                })
            })
            .or_else(none_if_insufficient_data)
    }

    /// A timing model fitted again and calibrated.
    fn refit(&self, first: &TimingModel, refit: &TimingRefit) -> Result<TimingModel> {
        let seed = self.parameters.seed;
        let mut model = first.refit(&refit.rows, &self.parameters.timing, seed)?;
        model.calibrate(&refit.samples);
        Ok(model)
    }

    /// What `timing` said, and what became of it, every second night after its last day of the
    /// customers whom a run would have scored, as long as a week follows: of a sample of them where
    /// they are more than [`MAX_CALIBRATION_SAMPLES`]. The share of that sample is known by the
    /// last day of the backtest model, after which that model sees nothing.
    fn calibration_samples(&self, timing: &TimingModel) -> Result<Vec<CalibrationSample>> {
        let first = self.splits.first_fit_end;
        let last = self.history.as_of().day() - LEAST_FOLLOWED;
        let nights: Vec<Day> = (first.epoch()..=last.epoch())
            .step_by(CALIBRATION_STEP_DAYS)
            .map(Day::from_epoch)
            .collect();
        // The recurrent customers of one night are about as many as those of each of the others.
        let mut expected = 0;
        let known_to_backtest = self.history.until(AsOf(self.splits.backtest_end));
        known_to_backtest.each(|history| {
            expected += recurrent(history, self.rule).0.len() * nights.len();
            Ok(())
        })?;
        let share = MAX_CALIBRATION_SAMPLES as f64 / expected.max(1) as f64;
        self.history.gather(
            |history| {
                let pairs = self.sampled_pairs(history, &nights, share);
                timing.calibration_samples(history, &pairs)
            },
            CalibrationSample::key,
        )
    }

    /// A sample of the (customer, night) pairs that meet the rule.
    fn sampled_pairs(&self, history: &History<'_>, nights: &[Day], share: f64) -> Vec<(u32, Day)> {
        let mut pairs = vec![];
        for night in nights {
            let (customers, _) = recurrent(&history.until(AsOf(*night)), self.rule);
            let of_night = customers.into_iter().map(|customer| (customer, *night));
            pairs.extend(of_night.filter(|(customer, night)| {
                let names = [history.customers().key(*customer), night.epoch() as u64];
                Draw::CalibrationSamples.keeps(self.parameters.seed, &names, share)
            }));
        }
        pairs
    }
}

/// What is too little to fit a backtest model to may be enough to train on.
fn none_if_insufficient_data<T>(error: Error) -> Result<Option<T>> {
    if error.kind() == Kind::Input {
        Ok(None)
    } else {
        Err(error)
    }
}

#[cfg(test)]
mod tests;
