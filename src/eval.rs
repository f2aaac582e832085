//! Evaluation on days that a model has not seen, through the very `train` and `score` that the
//! commands call, beside baselines.
//!
//! [`protocol`] says what is predicted and what counts as the truth, [`metrics`] makes figures of
//! it, [`baselines`] and [`tifuknn`] are what okuo has to beat, [`bootstrap`] says how sure the
//! figures are.

pub mod baselines;
mod backtest;
pub mod bootstrap;
pub mod metrics;
pub mod protocol;
pub mod tifuknn;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::calendar::{AsOf, DateRange, Day, Month};
use crate::error::{Error, Result};
use crate::models::{self, Model, Parameters};
use crate::purchases::{PartitionedHistory, Partitions, RecentPartitions};
use crate::recurrence::{PopulationSummary, Rule};
use backtest::Backtest;
pub use bootstrap::{Figure, Interval};
pub use metrics::{Figures, figures};
pub use protocol::{NightRows, observe};

/// The name of the model that is evaluated.
pub const OKUO: &str = "okuo";

/// The name of the model that a new one would replace, in a [`HoldoutReport`].
pub const REPLACED: &str = "replaced model";

/// Every so many days a night of the held-out ones is scored.
const HELD_OUT_EVERY: i32 = 7;

/// `train` compares with TIFUKNN only up to so many distinct (customer, day, product): each of its
/// customers is compared with up to [`tifuknn::POOL`] others, which takes longer than the training.
const HELD_OUT_TIFUKNN_LINES: usize = 5_000_000;

/// `train` measures at most so many customers of a night, so that it does not take longer than the
/// training where a million meet the rule: then the interval of `ndcg@10` is some thousandths wide,
/// that of `mae_all` a tenth of a day.
pub const HELD_OUT_CUSTOMERS: usize = 20_000;

/// Models and baselines on the same nights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The nights that were scored.
    pub nights: Vec<AsOf>,
    /// [`OKUO`] first, then the baselines; after them the replaced model, if any.
    pub contenders: Vec<Contender>,
    /// The name of the best baseline by each figure.
    pub best_baselines: BTreeMap<Figure, String>,
    /// What a reader should know.
    pub warnings: Vec<String>,
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
    /// What a model gains over the best baseline by each figure, and over the model that it would
    /// replace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// A paired difference of two contenders.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Of which figure.
    pub figure: Figure,
    /// The other contender's name.
    pub to: String,
    /// This contender's figure less the other's.
    pub difference: f64,
    /// Its 95 % interval, by bootstrap over customers; the same customers are drawn for both.
    #[serde(flatten)]
    pub interval: Interval,
    /// What that says.
    pub verdict: Verdict,
}

/// What an interval says of a difference.
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

/// For each month: trains on what is known on its eve of the last `history_days` days, scores
/// nights from the eve on, every `every` days while the next day is in the month and the data
/// follow, and compares with what followed. `stage` is told what is done next.
///
/// # Errors
/// If a month is given twice, or the data do not reach it or have nothing before it; if `every` is
/// 0; if training fails, or nobody meets the rule on any of the nights.
pub fn evaluate(
    purchases: &dyn Partitions,
    rule: &Rule,
    parameters: &Parameters,
    history_days: u32,
    months: &[Month],
    every: u32,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Evaluation> {
    let (months, last) = checked(purchases, months, every)?;
    let mut backtest = Backtest::new(purchases, last, rule, history_days);
    for month in months {
        let eve = month.eve();
        stage(&format!("{month}: training up to {eve}"));
        let training = |name: &str| stage(&format!("{month}: training up to {eve}: {name}"));
        let trained = models::train(
            &RecentPartitions::new(purchases, eve.first_of(history_days)),
            eve,
            rule,
            parameters,
            &training,
        )?;
        trained
            .warnings
            .into_iter()
            .for_each(|warning| backtest.warn(format!("{month}: {warning}")));
        backtest.learn(eve)?;
        for night in nights(eve, month.last().min(last), every) {
            stage(&format!("{month}: scoring the night of {night}"));
            backtest.night(night, &[(OKUO, &trained.model)])?;
        }
    }
    backtest.finish()
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
    months: &[Month],
    every: u32,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Evaluation> {
    let (months, last) = checked(purchases, months, every)?;
    if let Some(month) = months.iter().find(|month| model.as_of > month.eve()) {
        let wrong = format!(
            "the model was trained up to {}, so it has seen {month}",
            model.as_of
        );
        return Err(Error::request(wrong).hint(format!(
            "hold out a later month, or train a model with --as-of {} or earlier",
            month.eve()
        )));
    }
    let mut backtest = Backtest::new(purchases, last, rule, history_days);
    for month in months {
        backtest.learn(month.eve())?;
        for night in nights(month.eve(), month.last().min(last), every) {
            stage(&format!("{month}: scoring the night of {night}"));
            backtest.night(night, &[(OKUO, model)])?;
        }
    }
    backtest.finish()
}

/// The months in their order, and the last day with a purchase; refuses months that cannot be held
/// out.
fn checked(purchases: &dyn Partitions, months: &[Month], every: u32) -> Result<(Vec<Month>, Day)> {
    let DateRange { first, last } = PartitionedHistory::all(purchases)
        .span()?
        .ok_or_else(|| Error::input("there is no purchase"))?;
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
    Ok((months, last))
}

/// The nights from `eve` on, every `every` days, whose next day is up to `last`.
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

/// What `train` prints, keeps in the artifact and decides promotion by: figures on the days that
/// the rehearsal has not seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HoldoutReport {
    /// The rehearsal (as [`OKUO`]), the baselines, and the replaced model where it has not seen
    /// these days.
    pub evaluation: Evaluation,
    /// Why the replaced model is not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
}

/// Measures a training's rehearsal on the days that it has not seen, beside the baselines and the
/// model that would be replaced: the nights from `backtest_model.as_of` on, every 7 days up to T =
/// `backtest_model.as_of` + 28. Days after T count for nothing. At most `most_customers` of a night are
/// scored. `population` is the summary of `purchases` on T, or on a later night without a purchase
/// in between.
///
/// # Errors
/// If nobody meets the rule on any of the nights, or scoring fails.
pub fn held_out(
    backtest_model: &Model,
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
    let not_compared = replaced.filter(|replaced| replaced.as_of > eve).map(|replaced| {
        format!("the replaced model was trained up to {}, so it has seen the held-out days from {} on", replaced.as_of, eve.day() + 1)
    });
    let mut models = vec![(OKUO, backtest_model)];
    if not_compared.is_none() {
        models.extend(replaced.map(|replaced| (REPLACED, replaced)));
    }
    let mut backtest = Backtest::new(purchases, last, &population.rule, history_days);
    backtest.draw_customers(most_customers);
    if population.distinct_lines > HELD_OUT_TIFUKNN_LINES {
        backtest.leave_out_tifuknn();
    }
    backtest.learn(eve)?;
    for night in nights(eve, last, HELD_OUT_EVERY as u32) {
        backtest.night(night, &models)?;
    }
    Ok(HoldoutReport {
        evaluation: backtest.finish()?,
        not_compared,
    })
}

/// Figures on held-out nights that decide; a figure that something does not have is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HoldoutMetrics {
    /// Whose figures these are: a model's id or a baseline's name.
    pub name: String,
    /// Normalised discounted cumulative gain of the first 10 products; higher is better.
    pub ndcg_at_10: Option<f64>,
    /// Mean absolute error of the days to the next purchase, those who did not return within the
    /// horizon included; lower is better.
    pub mae_all: Option<f64>,
}

impl HoldoutReport {
    /// The figures that decide a promotion: of the new model, of the replaced one, of the
    /// baselines.
    #[must_use]
    pub fn contenders(&self) -> (HoldoutMetrics, Option<HoldoutMetrics>, Vec<HoldoutMetrics>) {
        let of = |contender: &Contender| HoldoutMetrics {
            name: contender.name.clone(),
            ndcg_at_10: contender.figures.ndcg_at_10,
            mae_all: contender.figures.mae_all,
        };
        let find = |name: &str| {
            self.evaluation
                .contenders
                .iter()
                .find(|contender| contender.name == name)
                .map(of)
        };
        let new = find(OKUO).unwrap_or_else(|| HoldoutMetrics {
            name: OKUO.to_owned(),
            ndcg_at_10: None,
            mae_all: None,
        });
        (
            new,
            find(REPLACED),
            self.evaluation
                .contenders
                .iter()
                .filter(|contender| contender.baseline)
                .map(of)
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests;
