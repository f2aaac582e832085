//! Evaluation on days that a model has not seen, beside baselines, through the same `train` and
//! `score` that the commands call.
//!
//! [`protocol`] compares forecasts with what customers did, [`metrics`] computes figures from that,
//! [`baselines`] and [`tifuknn`] are what okuo has to beat, and [`bootstrap`] says how certain the
//! figures are. What was published is measured in the same way by [`monitor_night`].

pub mod baselines;
mod backtest;
pub mod bootstrap;
mod coverage;
mod mailings;
pub mod metrics;
mod monitor;
mod nights;
pub mod protocol;
pub mod tifuknn;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::calendar::{AsOf, DateRange, Day, Month};
use crate::error::{Error, Result};
use crate::models::{self, Model, Parameters};
use crate::purchases::{PartitionedHistory, Partitions, RecentPartitions};
use crate::recurrence::{PopulationSummary, Rule};
use backtest::Backtest;
pub use bootstrap::{Figure, Interval};
use mailings::MailingTrial;
pub use mailings::{MailingEvaluation, OfferSettings, StrategyComparison};
pub use metrics::{FigureBasis, Figures, figures};
pub use monitor::{MonitoredNight, PromiseComparison, compare_with_promise, monitor_night};
pub use protocol::{NightRows, night_rows};

/// The name of the model that is evaluated.
pub const OKUO: &str = "okuo";

/// The name of the model that a new one would replace, in a [`HoldoutReport`].
pub const REPLACED: &str = "replaced model";

/// The name under which the model that is to be stored is measured, besides its backtest model.
const FINAL: &str = "final model";

/// `train` scores one of this many held-out nights.
const HELD_OUT_EVERY: u32 = 7;

/// `train` compares with TIFUKNN only up to this many distinct (customer, day, product). TIFUKNN
/// compares each customer with up to [`tifuknn::POOL`] others, and beyond this number that takes
/// longer than the training.
const HELD_OUT_TIFUKNN_LINES: usize = 5_000_000;

/// `train` measures at most this many customers of a night, so that measuring takes no longer than
/// the training even if a million customers meet the rule. The interval of `ndcg@10` is then some
/// thousandths wide, and that of `mae_all` a tenth of a day.
pub const HELD_OUT_CUSTOMERS: usize = 20_000;

/// Models and baselines, scored on the same nights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The nights that were scored.
    pub nights: Vec<AsOf>,
    /// [`OKUO`] first, then the baselines, then the replaced model, if there is one.
    pub contenders: Vec<Contender>,
    /// The name of the best baseline by each figure.
    pub best_baselines: BTreeMap<Figure, String>,
    /// How the offers of every night would have fared, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offers: Option<MailingEvaluation>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// What is held out, and what is measured there.
#[derive(Clone, Copy)]
pub struct HeldOutMonths<'a> {
    /// The months.
    pub months: &'a [Month],
    /// Days from one night that is scored to the next, at least 1.
    pub every: u32,
    /// If given, the offers of all nights are measured too.
    pub offers: Option<OfferSettings<'a>>,
}

/// A model or a baseline with its figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contender {
    /// Its name.
    pub name: String,
    /// Whether it is a baseline.
    pub baseline: bool,
    /// Its figures.
    pub figures: Figures,
    /// Their 95 % intervals, by bootstrap over customers.
    pub intervals: BTreeMap<Figure, Interval>,
    /// How a model differs from the best baseline by each figure, and from the model that it would
    /// replace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// A paired difference of two contenders.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The figure.
    pub figure: Figure,
    /// The other contender's name.
    pub to: String,
    /// This contender's figure less the other's.
    pub difference: f64,
    /// Its 95 % interval, by bootstrap over customers; the same customers are drawn for both.
    #[serde(flatten)]
    pub interval: Interval,
    /// What the interval says.
    pub verdict: Verdict,
}

/// What the interval of a difference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The whole interval is on the good side of 0.
    Better,
    /// The interval holds 0.
    Tie,
    /// The whole interval is on the bad side of 0.
    Worse,
}

impl Verdict {
    /// What the interval of a difference says, where more is better or worse.
    pub(crate) fn of(difference: Interval, higher_is_better: bool) -> Self {
        let (above, below) = (difference.low > 0.0, difference.high < 0.0);
        match (above, below) {
            (true, _) if higher_is_better => Self::Better,
            (_, true) if !higher_is_better => Self::Better,
            (false, false) => Self::Tie,
            _ => Self::Worse,
        }
    }

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Tie => "a tie",
            Verdict::Worse => "worse",
        }
    }
}

/// For each month: trains on what is known on its eve of the last `history_days` days; scores
/// nights from the eve on, every `held_out.every` days, as long as the next day is in the month and the data
/// reach it; and compares them with what followed. `stage` is told what is done next.
///
/// # Errors
/// If a month is given twice, or the data do not reach it or have nothing before it; if `every` is
/// 0; if training fails, or nobody meets the rule on any of the nights.
pub fn evaluate(
    purchases: &dyn Partitions,
    rule: &Rule,
    parameters: &Parameters,
    history_days: u32,
    held_out: HeldOutMonths<'_>,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Evaluation> {
    let holdout = Holdout::new(purchases, rule, history_days, held_out, stage)?;
    holdout.run(|month, backtest| {
        let eve = month.eve();
        stage(&format!("{month}: training up to {eve}"));
        let trained = models::train(
            &RecentPartitions::new(purchases, eve.first_of(history_days)),
            eve,
            rule,
            parameters,
            &|name: &str| stage(&format!("{month}: training up to {eve}: {name}")),
        )?;
        for warning in trained.warnings {
            backtest.warn(format!("{month}: {warning}"));
        }
        Ok(Cow::Owned(trained.model))
    })
}

/// Evaluates a model that exists on months that it has not seen, as [`evaluate`] does.
///
/// # Errors
/// If the model has seen one of the months, and as [`evaluate`] otherwise.
pub fn evaluate_model(
    model: &Model,
    purchases: &dyn Partitions,
    rule: &Rule,
    history_days: u32,
    held_out: HeldOutMonths<'_>,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Evaluation> {
    let holdout = Holdout::new(purchases, rule, history_days, held_out, stage)?;
    if let Some(month) = holdout
        .months
        .iter()
        .find(|month| model.as_of > month.eve())
    {
        let wrong = format!(
            "the model was trained up to {}, so it has seen {month}",
            model.as_of
        );
        return Err(Error::request(wrong).hint(format!(
            "hold out a later month, or train a model with --as-of {} or earlier",
            month.eve()
        )));
    }
    holdout.run(|_, _| Ok(Cow::Borrowed(model)))
}

/// Months that are held out, and how their nights are scored.
struct Holdout<'a> {
    purchases: &'a dyn Partitions,
    rule: &'a Rule,
    history_days: u32,
    /// Ascending.
    months: Vec<Month>,
    /// The last day with a purchase.
    last: Day,
    every: u32,
    offers: Option<OfferSettings<'a>>,
    stage: &'a (dyn Fn(&str) + Sync),
}

impl<'a> Holdout<'a> {
    /// # Errors
    /// As [`check_months`].
    fn new(
        purchases: &'a dyn Partitions,
        rule: &'a Rule,
        history_days: u32,
        held_out: HeldOutMonths<'a>,
        stage: &'a (dyn Fn(&str) + Sync),
    ) -> Result<Self> {
        let span = PartitionedHistory::all(purchases)
            .span()?
            .ok_or_else(|| Error::input("there is no purchase"))?;
        Ok(Self {
            purchases,
            rule,
            history_days,
            months: check_months(held_out.months, held_out.every, span)?,
            last: span.last,
            every: held_out.every,
            offers: held_out.offers,
            stage,
        })
    }

    /// Scores the nights of each month with the model that `model_of` gives for it.
    fn run<'m>(
        &self,
        mut model_of: impl FnMut(Month, &mut Backtest<'_>) -> Result<Cow<'m, Model>>,
    ) -> Result<Evaluation> {
        let mut backtest = Backtest::new(self.purchases, self.last, self.rule, self.history_days);
        let trial = self.offers.map(|settings| {
            MailingTrial::new(
                self.purchases,
                self.last,
                self.rule,
                self.history_days,
                settings,
            )
        });
        let mut trial = trial.transpose()?;
        for month in self.months.iter().copied() {
            let model = model_of(month, &mut backtest)?;
            let nights = nights(month.eve(), month.last().min(self.last), self.every);
            backtest.measure(month.eve(), &nights, &[(OKUO, &model)], &|some| {
                (self.stage)(&format!("{month}: scoring {}", words_of(some)));
            })?;
            if let Some(trial) = &mut trial {
                for night in self::nights(month.eve(), month.last().min(self.last), 1) {
                    (self.stage)(&format!("{month}: offers of the night of {night}"));
                    trial.night(&model, night)?;
                }
            }
        }
        let mut evaluation = backtest.finish()?;
        evaluation.offers = trial.map(MailingTrial::finish).transpose()?;
        Ok(evaluation)
    }
}

/// The months in ascending order, if all of them can be held out. `span` is from the first to the
/// last day with a purchase.
///
/// # Errors
/// If a month occurs twice, the data do not reach it or have nothing before it; if there is no
/// month; if `every` is 0.
fn check_months(months: &[Month], every: u32, span: DateRange) -> Result<Vec<Month>> {
    let DateRange { first, last } = span;
    if every == 0 {
        return Err(Error::request("every should be at least 1 day, but is 0")
            .hint("7 scores one night a week"));
    }
    let mut months = months.to_vec();
    months.sort_unstable();
    if months.is_empty() {
        return Err(Error::request("no month is held out")
            .hint("name one with --holdout, for example --holdout 2017-11"));
    }
    if let Some(twice) = months.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(
            Error::request(format!("the month {} is held out twice", twice[0]))
                .hint("name each month once"),
        );
    }
    for month in &months {
        if month.first() > last {
            let wrong = format!("the data end on {last} and do not reach {month}");
            return Err(Error::request(wrong)
                .hint(format!("hold out {} or an earlier month", last.month())));
        }
        if month.eve().day() < first {
            let wrong = format!(
                "the data begin on {first}, so there is nothing before {month} to train on"
            );
            return Err(Error::request(wrong).hint("hold out a later month, or give more --input"));
        }
    }
    Ok(months)
}

/// The nights from `eve` on, every `every` days, whose next day is not after `last`.
fn nights(eve: AsOf, last: Day, every: u32) -> Vec<AsOf> {
    let every = i32::try_from(every).unwrap_or(i32::MAX).max(1);
    let mut nights = vec![];
    let mut night = eve.day();
    while night < last {
        nights.push(AsOf(night));
        night = night + every;
    }
    nights
}

/// Nights in ascending order, as a stage names them.
fn words_of(nights: &[AsOf]) -> String {
    match nights {
        [first, .., last] => format!("the nights of {first} to {last}"),
        [night] => format!("the night of {night}"),
        [] => "no night".to_owned(),
    }
}

/// Figures on the days that a training's backtest model has not seen. `train` prints them, keeps
/// them in the artifact and decides by them whether the new model is promoted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HoldoutReport {
    /// The backtest model (as [`OKUO`]), the baselines, and the replaced model if it has not seen
    /// these days.
    pub evaluation: Evaluation,
    /// The model that is to be stored, on the same nights, whose days it has learned from, and how it
    /// differs from the backtest model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_model: Option<Contender>,
    /// Why the replaced model is not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
    /// Why what stands for the replaced model was trained again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_again: Option<String>,
    /// What a model has that has seen these days and whose training again would give the backtest
    /// model itself, so that these days cannot tell the two apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_settings: Option<String>,
}

/// Measures a training's backtest model on the days that it has not seen, beside the baselines and
/// the model that would be replaced. The nights are those from `backtest_model.as_of` on, every 7
/// days up to T = `backtest_model.as_of` + 28; days after T are ignored. At most `most_customers`
/// of a night are scored. `population` is the summary of `purchases` on T, or on a later night
/// without a purchase in between. The final model is measured too, as if it spoke from these nights:
/// it has learned from the days after them, so it should do no worse.
///
/// # Errors
/// If nobody meets the rule on any of the nights, or scoring fails.
pub fn held_out(
    backtest_model: &Model,
    final_model: Option<&Model>,
    replaced: Option<&Model>,
    purchases: &dyn Partitions,
    population: &PopulationSummary,
    history_days: u32,
    most_customers: usize,
) -> Result<HoldoutReport> {
    let eve = backtest_model.as_of;
    let last = population.span.map(|span| span.last).ok_or_else(|| {
        Error::request(format!("there is no purchase up to {}", population.as_of))
    })?;
    let seen = replaced.filter(|replaced| replaced.as_of > eve);
    let not_compared = seen.map(|replaced| {
        format!(
            "the replaced model was trained up to {}, so it has seen the held-out days from {} on",
            replaced.as_of,
            eve.day() + 1
        )
    });
    let mut models = vec![(OKUO, backtest_model)];
    let final_model = final_model.map(|model| Model {
        as_of: eve,
        ..model.clone()
    });
    models.extend(final_model.as_ref().map(|model| (FINAL, model)));
    if let (Some(replaced), None) = (replaced, seen) {
        models.push((REPLACED, replaced));
    }
    let mut backtest = Backtest::new(purchases, last, &population.rule, history_days);
    backtest.draw_customers(most_customers);
    if population.distinct_lines > HELD_OUT_TIFUKNN_LINES {
        backtest.leave_out_tifuknn();
    }
    let nights = nights(eve, last, HELD_OUT_EVERY);
    backtest.measure(eve, &nights, &models, &|_| {})?;
    let mut evaluation = backtest.finish()?;
    let mut contenders = evaluation.contenders.iter();
    let position = contenders.position(|contender| contender.name == FINAL);
    Ok(HoldoutReport {
        final_model: position.map(|position| evaluation.contenders.remove(position)),
        evaluation,
        not_compared,
        trained_again: None,
        same_settings: None,
    })
}

impl HoldoutReport {
    /// A contender, by its name.
    #[must_use]
    pub fn contender(&self, name: &str) -> Option<&Contender> {
        let mut contenders = self.evaluation.contenders.iter();
        contenders.find(|contender| contender.name == name)
    }

    /// How the backtest model differs from another contender in a figure; `None` if one of them
    /// does not have it, or too few customers were measured for an interval.
    #[must_use]
    pub fn difference(&self, figure: Figure, to: &str) -> Option<&Difference> {
        let mut differences = self.contender(OKUO)?.differences.iter();
        differences.find(|difference| difference.figure == figure && difference.to == to)
    }
}

#[cfg(test)]
mod tests;
