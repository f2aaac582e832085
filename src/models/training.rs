//! Training: looks at the past nights, partition by partition, then fits timing and baskets side by
//! side.

use rayon::prelude::*;

use super::basket::{BasketModel, BasketNights, BasketRows, FittedBasket};
use super::timing::{
    CalibrationSample, HazardRows, PersonDaySample, TimingModel, too_few_for_intervals,
};
use super::{Model, Parameters};
use crate::calendar::{AsOf, DateRange, Day, HORIZON_DAYS};
use crate::error::{Error, Kind, Result};
use crate::purchases::{History, PartitionedHistory, Partitions};
use crate::recurrence::{ClosedDays, PopulationSummary, Rule, SalesByDay};
use calibration_nights::CalibrationNights;

mod calibration_nights;

/// The last days before the as-of date are held out to calibrate, to gate the products' trees and
/// to measure.
pub const HELD_OUT_DAYS: i32 = HORIZON_DAYS;

/// Where a history has this many days more than are needed, a third month is held out of the timing
/// model's first fit: intervals and return probabilities vary from month to month.
const LONGER_HISTORY: i32 = 82;

/// However short the rule's window, a first fit that leaves days for a backtest has so many: least
/// squares learns from those that a whole horizon follows, and two weeks of these are too few.
const LEAST_FIRST_FIT: i32 = 2 * HORIZON_DAYS;

/// A fit to fewer days than this sees hardly a customer for longer than a customer may stay away.
const YOUNG_DAYS: i32 = 3 * HELD_OUT_DAYS;

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
    let mut sales = SalesByDay::default();
    let look = |history: &History<'_>| sales.add(history);
    let population = PopulationSummary::with_each(purchases, as_of, rule, look)?;
    let closed = sales.closed_days();
    fit(purchases, &population, &closed, parameters, false, stage)
}

/// The same model as [`train`] gives for the night and the rule of `population`, and its backtest
/// model with it. `population` is the summary of `purchases`, and `closed` are the days on which the
/// store was closed by what it sold up to that night.
///
/// # Errors
/// As [`train`].
pub fn train_with_backtest(
    purchases: &dyn Partitions,
    population: &PopulationSummary,
    closed: &ClosedDays,
    parameters: &Parameters,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Trained> {
    fit(purchases, population, closed, parameters, true, stage)
}

/// The backtest model of [`train_with_backtest`] alone: nothing is fitted that sees the days after
/// it. `None` where the history is too short for it.
///
/// # Errors
/// As [`train`].
pub fn train_backtest(
    purchases: &dyn Partitions,
    population: &PopulationSummary,
    closed: &ClosedDays,
    parameters: &Parameters,
) -> Result<Option<Model>> {
    let parameters = parameters.in_effect();
    let (training, length) = TrainingRun::new(purchases, population, closed, &parameters)?;
    let fitted = training
        .fit_backtest()
        .map_err(|error| length.explain(error))?;
    let night = AsOf(training.splits.backtest_end);
    Ok(fitted.map(|(timing, basket)| training.model(night, timing, basket)))
}

/// How many days a history must have for a model that can be measured.
#[must_use]
pub fn needed_days(rule: &Rule) -> i32 {
    rule.window_days()
        .max(LEAST_FIRST_FIT)
        .saturating_add(2 * HELD_OUT_DAYS)
}

fn fit(
    purchases: &dyn Partitions,
    population: &PopulationSummary,
    closed: &ClosedDays,
    parameters: &Parameters,
    with_backtest: bool,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Trained> {
    let as_of = population.as_of;
    let parameters = parameters.in_effect();
    let (training, length) = TrainingRun::new(purchases, population, closed, &parameters)?;
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
        warnings: length
            .warning()
            .into_iter()
            .chain(fitted.uncalibrated.map(warn_of_intervals))
            .collect(),
    })
}

/// What a user should know where this many (customer, night) pairs are all that is known of past
/// nights.
fn warn_of_intervals(pairs: usize) -> String {
    format!(
        "what the model said on past nights can be compared with what followed for only {pairs} \
         customers and nights, too few to calibrate the 80 % intervals, which are wider instead; a \
         longer history or a rule that keeps more customers gives more"
    )
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
                "the history has {days} days up to {as_of}; below {needed} days the next days are uncertain: \
                 intervals are wide, the model cannot be measured, and a customer's habits cannot be told \
                 from the season"
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
    /// The first day with a purchase.
    first: Day,
    /// Whether the timing model's first fit has less than [`YOUNG_DAYS`].
    is_young: bool,
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
            first: length.span.first,
            is_young: days - months * HELD_OUT_DAYS < YOUNG_DAYS,
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
    closed: &'a ClosedDays,
    parameters: &'a Parameters,
    splits: Splits,
}

/// The parts that a training fits.
struct FittedParts {
    timing: TimingModel,
    backtest_timing: Option<TimingModel>,
    basket: FittedBasket,
    /// How many samples there were for the intervals, if they were too few.
    uncalibrated: Option<usize>,
}

/// What the models are fitted to.
struct TrainingRows {
    /// The timing model of the days before those that calibrate.
    first: TimingModel,
    whole: TimingRefit,
    /// `None` without a backtest, or where too little is known by its last day.
    backtest: Option<TimingRefit>,
    basket: BasketRows,
}

/// What a timing model is fitted to again, and calibrated by.
struct TimingRefit {
    rows: HazardRows,
    samples: Vec<CalibrationSample>,
}

impl TimingRefit {
    /// The samples come in the order of partitions.
    fn new(rows: HazardRows, mut samples: Vec<CalibrationSample>) -> Self {
        samples.par_sort_by_key(CalibrationSample::key);
        Self { rows, samples }
    }
}

impl<'a> TrainingRun<'a> {
    /// A training on `purchases`, whose summary is `population`, and how long their history is.
    fn new(
        purchases: &'a dyn Partitions,
        population: &'a PopulationSummary,
        closed: &'a ClosedDays,
        parameters: &'a Parameters,
    ) -> Result<(Self, HistoryLength)> {
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
        let training = Self {
            // Days after the last purchase are days that the feed does not tell of, not days on
            // which nobody came.
            history: PartitionedHistory::new(purchases, AsOf(span.last)),
            rule,
            closed,
            parameters,
            splits: Splits::new(&length),
        };
        Ok((training, length))
    }
}

impl TrainingRun<'_> {
    /// The parts of the backtest model alone.
    fn fit_backtest(&self) -> Result<Option<(TimingModel, BasketModel)>> {
        if !self.splits.leave_a_backtest() {
            return Ok(None);
        }
        let rows = self.rows(true, &|_| ())?;
        let Some(backtest) = &rows.backtest else {
            return Ok(None);
        };
        let (timing, basket) = rayon::join(
            || self.refit(&rows.first, backtest),
            || {
                BasketModel::fit_backtest(
                    &rows.basket,
                    self.history.products(),
                    &self.parameters.basket,
                    self.parameters.seed,
                )
            },
        );
        let timing = timing.map(Some).or_else(none_if_insufficient_data)?;
        Ok(timing.zip(basket?))
    }

    /// First everything is looked at, partition by partition, then everything is fitted, side by
    /// side.
    fn fit(&self, with_backtest: bool, stage: &(dyn Fn(&str) + Sync)) -> Result<FittedParts> {
        let with_backtest = with_backtest && self.splits.leave_a_backtest();
        let rows = self.rows(with_backtest, stage)?;
        stage("timing and basket: fitting");
        let refit_backtest = || rows.backtest.as_ref().map(|it| self.refit(&rows.first, it));
        let ((timing, backtest_timing), basket) = rayon::join(
            || rayon::join(|| self.refit(&rows.first, &rows.whole), refit_backtest),
            || {
                BasketModel::fit(
                    &rows.basket,
                    self.history.products(),
                    &self.parameters.basket,
                    with_backtest,
                    self.parameters.seed,
                )
            },
        );
        Ok(FittedParts {
            timing: timing?,
            basket: basket?,
            uncalibrated: too_few_for_intervals(&rows.whole.samples),
            backtest_timing: backtest_timing
                .transpose()
                .or_else(none_if_insufficient_data)?,
        })
    }

    /// What the models are fitted to. A walk over partitions brings each of them back from disk: then
    /// one walk serves all that can be known by then. In memory a walk costs nothing: then one thing
    /// is made after the other, and takes its memory alone.
    fn rows(&self, with_backtest: bool, stage: &(dyn Fn(&str) + Sync)) -> Result<TrainingRows> {
        stage("timing: a first fit without the days that calibrate");
        let counted = self.count()?;
        match self.history.partitions().count() {
            1 => self.rows_one_by_one(counted, with_backtest, stage),
            _ => self.rows_in_shared_walks(counted, with_backtest, stage),
        }
    }

    fn rows_one_by_one(
        &self,
        counted: TrainingCounts<'_>,
        with_backtest: bool,
        stage: &(dyn Fn(&str) + Sync),
    ) -> Result<TrainingRows> {
        let history = self.history;
        let first = TimingModel::fit(counted.first.drawn(history)?, history.customers())?;
        stage("timing and basket: looking at the past nights");
        let mut samples = vec![];
        history.each(|partition| {
            samples = counted.calibration.samples(partition, &first);
            Ok(())
        })?;
        let whole = TimingRefit::new(
            first.hazard_rows(counted.whole.drawn(history)?, history.customers())?,
            samples,
        );
        let backtest = match with_backtest {
            true => self.backtest_refit(&first, counted.backtest.drawn(history)?, &whole)?,
            false => None,
        };
        Ok(TrainingRows {
            basket: counted.basket.rows(history, &first)?,
            first,
            whole,
            backtest,
        })
    }

    fn rows_in_shared_walks(
        &self,
        mut counted: TrainingCounts<'_>,
        with_backtest: bool,
        stage: &(dyn Fn(&str) + Sync),
    ) -> Result<TrainingRows> {
        let mut pilot = counted.basket.pilot();
        self.history.each(|partition| {
            counted.first.draw(partition);
            pilot.gather(partition);
            Ok(())
        })?;
        let first = TimingModel::fit(counted.first, self.history.customers())?;
        stage("timing and basket: looking at the past nights");
        let mut samples = vec![];
        let mut pilot = pilot.pick();
        self.history.each(|partition| {
            samples.extend(counted.calibration.samples(partition, &first));
            counted.whole.draw(partition);
            pilot.look(partition, &first);
            Ok(())
        })?;
        let whole = TimingRefit::new(
            first.hazard_rows(counted.whole, self.history.customers())?,
            samples,
        );
        let backtest = match with_backtest {
            // Two samples at a time would take twice the memory.
            true => self.backtest_refit(&first, counted.backtest.drawn(self.history)?, &whole)?,
            false => None,
        };
        Ok(TrainingRows {
            basket: pilot.rows(self.history, &first)?,
            first,
            whole,
            backtest,
        })
    }

    /// The first walk: how much there is of everything that is sampled.
    fn count(&self) -> Result<TrainingCounts<'_>> {
        let mut counts = TrainingCounts {
            first: self.person_days(self.splits.first_fit_end),
            whole: self.person_days(self.splits.end),
            backtest: self.person_days(self.splits.backtest_end),
            basket: BasketNights::new(
                self.history.as_of(),
                self.rule,
                &self.parameters.basket,
                self.parameters.seed,
            ),
            calibration: CalibrationNights::new(
                self.splits.first_fit_end,
                self.splits.end,
                AsOf(self.splits.backtest_end),
                self.rule,
                self.parameters,
            ),
        };
        self.history.each(|partition| {
            counts.first.count(partition);
            counts.whole.count(partition);
            counts.backtest.count(partition);
            counts.basket.count(partition);
            counts.calibration.count(partition);
            Ok(())
        })?;
        Ok(counts)
    }

    fn person_days(&self, end: Day) -> PersonDaySample<'_> {
        let (timing, seed) = (&self.parameters.timing, self.parameters.seed);
        let Splits {
            first, is_young, ..
        } = self.splits;
        let days = DateRange { first, last: end };
        PersonDaySample::new(days, is_young, self.rule, self.closed, timing, seed)
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

    /// What the backtest model's timing is fitted to. The samples that it would find on its last
    /// night are those that are found now, as far as they were known then.
    fn backtest_refit(
        &self,
        timing: &TimingModel,
        person_days: PersonDaySample<'_>,
        whole: &TimingRefit,
    ) -> Result<Option<TimingRefit>> {
        let end = self.splits.backtest_end;
        let known_by_end = whole
            .samples
            .iter()
            .filter_map(|sample| sample.known_by(end));
        timing
            .hazard_rows(person_days, self.history.customers())
            .map(|rows| {
                let samples = known_by_end.filter(CalibrationSample::is_followed);
                Some(TimingRefit::new(rows, samples.collect()))
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
}

/// What is counted in the first walk of a training, and drawn from in the next ones.
struct TrainingCounts<'a> {
    /// Person-days of the timing model's first fit.
    first: PersonDaySample<'a>,
    /// Person-days of the final timing model.
    whole: PersonDaySample<'a>,
    /// Person-days of the backtest model's.
    backtest: PersonDaySample<'a>,
    basket: BasketNights<'a>,
    calibration: CalibrationNights<'a>,
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
