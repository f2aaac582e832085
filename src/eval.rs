//! Evaluation on months that the model has not seen, through the very `train` and `score` that the commands call, beside baselines.

pub mod baselines;
pub mod bootstrap;
pub mod metrics;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::calendar::{AsOf, Month};
use crate::error::{Error, Result};
use crate::models::{Model, Parameters};
use crate::pipeline;
use crate::publish::promotion::HeldOut;
use crate::purchases::Purchases;
use crate::recurrence::Rule;
use bootstrap::Interval;
use metrics::{Figures, NightRows};
pub use table::table;

/// One model or baseline with its figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contender {
    /// Its name.
    pub name: String,
    /// Whether it is a baseline.
    pub baseline: bool,
    /// Its figures, named as shared by all.
    pub figures: Figures,
    /// 95 % intervals by bootstrap over customers.
    pub intervals: BTreeMap<String, Interval>,
    /// 95 % intervals of the difference to the best baseline of each figure.
    pub differences: BTreeMap<String, Interval>,
}

/// Models and baselines on the same nights.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The nights that were scored.
    pub nights: Vec<AsOf>,
    /// okuo first, then the baselines.
    pub contenders: Vec<Contender>,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// Nights from `eve` on, every `every` days, while the next day is up to `last` and something follows.
fn nights(eve: AsOf, last: crate::calendar::Day, every: u32) -> Vec<AsOf> {
    (0..).map(|step| AsOf(eve.day() + step * every.max(1) as i32)).take_while(|night| night.day() < last).collect()
}

/// Collects the rows of several contenders over nights.
#[derive(Default)]
struct Board {
    names: Vec<(String, bool)>,
    nights: Vec<AsOf>,
    rows: Vec<Vec<NightRows>>,
}

impl Board {
    fn add(&mut self, name: &str, baseline: bool, rows: NightRows) {
        let at = self.names.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.names.push((name.to_owned(), baseline));
            self.rows.push(vec![]);
            self.names.len() - 1
        });
        if let Some(own) = self.rows.get_mut(at) {
            own.push(rows);
        }
    }

    fn baselines(&mut self, all: &Purchases, night: AsOf, rule: &Rule, population: f64) {
        let names = baselines::TIMING.iter().chain(&baselines::BASKET);
        for (name, rows) in names.zip(baselines::observe(all, night, rule, population)) {
            self.add(name, true, rows);
        }
    }

    fn finish(self, warnings: Vec<String>) -> Evaluation {
        let sums: Vec<_> = self.rows.iter().map(|rows| bootstrap::by_customer(rows)).collect();
        let mut contenders: Vec<Contender> = self
            .names
            .into_iter()
            .zip(&self.rows)
            .map(|((name, baseline), rows)| {
                let mut figures = metrics::figures(rows);
                // A baseline speaks of days or of products, not of both.
                if baseline {
                    let timing = baselines::TIMING.contains(&name.as_str());
                    figures.retain(|figure, _| figure.contains('@') != timing || ["rows", "returned", "nights"].contains(&figure.as_str()));
                    if !timing {
                        figures.retain(|figure, _| figure.contains('@') || ["rows", "returned", "nights"].contains(&figure.as_str()));
                    }
                }
                Contender { name, baseline, figures, intervals: BTreeMap::new(), differences: BTreeMap::new() }
            })
            .collect();
        let best: Vec<Option<usize>> = bootstrap::FIGURES
            .iter()
            .map(|figure| {
                let larger = figure.contains('@');
                let known =
                    contenders.iter().enumerate().filter(|(_, c)| c.baseline).filter_map(|(at, c)| Some((at, *c.figures.get(*figure)?)));
                known.reduce(|best, next| if (next.1 > best.1) == larger && next.1 != best.1 { next } else { best }).map(|(at, _)| at)
            })
            .collect();
        for (at, contender) in contenders.iter_mut().enumerate() {
            let intervals = bootstrap::intervals(&sums[at], None);
            for (figure, interval) in bootstrap::FIGURES.iter().zip(intervals) {
                if let (Some(interval), true) = (interval, contender.figures.contains_key(*figure)) {
                    contender.intervals.insert((*figure).to_owned(), interval);
                }
            }
            if contender.baseline {
                continue;
            }
            for (place, figure) in bootstrap::FIGURES.iter().enumerate() {
                let Some(other) = best[place] else { continue };
                if let Some(interval) = bootstrap::intervals(&sums[at], Some(&sums[other]))[place] {
                    contender.differences.insert((*figure).to_owned(), interval);
                }
            }
        }
        Evaluation { nights: self.nights, contenders, warnings }
    }
}

/// For each month: trains on the data up to its eve, scores nights from the eve on, every `every` days while the next day is in the month
/// and something is known to follow, and compares with what followed.
///
/// # Errors
/// If a month is named twice, the data do not reach it, or there is too little before it to train on.
pub fn evaluate(
    all: &Purchases,
    rule: &Rule,
    parameters: &Parameters,
    months: &[Month],
    every: u32,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Evaluation> {
    let months = checked(all, months)?;
    let mut board = Board::default();
    let mut warnings = vec![];
    for month in &months {
        stage(&format!("training up to {}, the eve of {month}", month.eve()));
        let known = all.known(month.eve())?;
        let trained = pipeline::train(&known, month.eve(), rule, parameters, &|_| {})?;
        warnings.extend(trained.warnings.into_iter().map(|warning| format!("{month}: {warning}")));
        judge(&mut board, "okuo", &trained.model, all, rule, month.eve(), month.last(), every, stage)?;
    }
    Ok(board.finish(warnings))
}

/// The months in order, if the data reach each of them and something lies before it.
fn checked(all: &Purchases, months: &[Month]) -> Result<Vec<Month>> {
    let Some((first, last)) = all.span() else { return Err(Error::input("there is no purchase")) };
    let mut months = months.to_vec();
    months.sort_unstable();
    if let Some(twice) = months.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::request(format!("--holdout {} is given twice", twice[0])));
    }
    for month in &months {
        if month.first() > last || month.eve().day() <= first {
            return Err(Error::request(format!("the month {month} cannot be held out: the data go from {first} to {last}"))
                .hint("choose months in which the data end and before which there is something to learn"));
        }
    }
    Ok(months)
}

#[allow(clippy::too_many_arguments, reason = "one call in each kind of evaluation")]
fn judge(
    board: &mut Board,
    name: &str,
    model: &Model,
    all: &Purchases,
    rule: &Rule,
    eve: AsOf,
    last: crate::calendar::Day,
    every: u32,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<()> {
    let population = baselines::population_median(&all.until(eve), rule, eve);
    // A night that nothing follows has no truth.
    let last = all.span().map_or(last, |(_, end)| end.min(last));
    for night in nights(eve, last, every) {
        stage(&format!("scoring the night of {night}"));
        let known = all.known(night)?;
        let predictions = pipeline::score(model, name, &known, night, rule)?;
        board.add(name, false, metrics::observe(&predictions, all));
        board.baselines(all, night, rule, population);
        board.nights.push(night);
    }
    Ok(())
}

/// Evaluates a model that exists on months that it has not seen.
///
/// # Errors
/// If the model has seen one of them, or nobody meets the rule on one of the nights.
pub fn evaluate_model(
    model: &Model,
    all: &Purchases,
    rule: &Rule,
    months: &[Month],
    every: u32,
    stage: &(dyn Fn(&str) + Sync),
) -> Result<Evaluation> {
    let months = checked(all, months)?;
    let mut board = Board::default();
    for month in &months {
        if model.as_of > month.eve() {
            return Err(Error::request(format!("the model was trained up to {} and has seen {month}", model.as_of))
                .hint(format!("hold out later months, or train one with --as-of {} or earlier", month.eve())));
        }
        judge(&mut board, "okuo", model, all, rule, month.eve(), month.last(), every, stage)?;
    }
    Ok(board.finish(vec![]))
}

/// What `train` prints, keeps in the artifact and decides promotion by: figures on the last 28 days before the as-of date.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldOutReport {
    /// The new model's rehearsal and the baselines, and the replaced model where it has not seen these days.
    pub evaluation: Evaluation,
    /// Why the replaced model is not among them.
    pub not_compared: Option<String>,
}

/// The name of the replaced model in a [`HeldOutReport`].
const REPLACED: &str = "replaced model";

/// Measures the rehearsal of a training on the days that it has not seen, beside the replaced model and the baselines.
///
/// # Errors
/// If nobody meets the rule on one of the nights.
pub fn held_out(rehearsal: &Model, replaced: Option<&Model>, all: &Purchases, rule: &Rule) -> Result<HeldOutReport> {
    let eve = rehearsal.as_of;
    let last = eve.day() + pipeline::HELD_OUT_DAYS;
    let mut board = Board::default();
    judge(&mut board, "okuo", rehearsal, all, rule, eve, last, 7, &|_| {})?;
    let mut not_compared = None;
    match replaced {
        Some(replaced) if replaced.as_of <= eve => {
            for night in board.nights.clone() {
                let predictions = pipeline::score(replaced, REPLACED, &all.known(night)?, night, rule)?;
                board.add(REPLACED, false, metrics::observe(&predictions, all));
            }
        }
        Some(replaced) => {
            not_compared =
                Some(format!("the replaced model was trained up to {} and has seen the held-out days from {eve} on", replaced.as_of));
        }
        None => {}
    }
    Ok(HeldOutReport { evaluation: board.finish(vec![]), not_compared })
}

impl HeldOutReport {
    /// The figures that decide a promotion: of the new model, of the replaced one, of the baselines.
    #[must_use]
    pub fn contenders(&self) -> (HeldOut, Option<HeldOut>, Vec<HeldOut>) {
        let of = |contender: &Contender| HeldOut {
            name: contender.name.clone(),
            ndcg_at_10: contender.figures.get("ndcg@10").copied(),
            mae_all: contender.figures.get("mae_all").copied(),
        };
        let find = |name: &str| self.evaluation.contenders.iter().find(|c| c.name == name && !c.baseline).map(of);
        let new = find("okuo").unwrap_or_else(|| HeldOut { name: "okuo".into(), ndcg_at_10: None, mae_all: None });
        (new, find(REPLACED), self.evaluation.contenders.iter().filter(|c| c.baseline).map(of).collect())
    }
}

#[cfg(test)]
mod tests;
