//! A backtest: models and baselines are scored on past nights and compared with what followed.

use std::collections::BTreeMap;

use super::baselines::PopulationMedian;
use super::bootstrap::{Bootstrap, Figure};
use super::metrics::figures;
use super::nights::{
    BASELINES, Conditions, MeasuredNight, NightScoring, NightSurvey, TIFUKNN, TifuknnScoring,
    each_partition,
};
use super::protocol::{NightRows, TextOrder};
use super::{Contender, Difference, Evaluation, FINAL, OKUO, REPLACED, Verdict, coverage};
use crate::calendar::{AsOf, Day, HORIZON_DAYS};
use crate::domain::{Funnel, Ids};
use crate::error::{Error, Result};
use crate::models::Model;
use crate::purchases::{PartitionedHistory, Partitions};
use crate::recurrence::Rule;
use crate::sampling::Draw;
use crate::stats::rounded;

/// Most nights that share a walk over the partitions: each takes memory for what its models know of
/// the store and for the vectors of TIFUKNN.
const NIGHTS_AT_ONCE: usize = 4;

/// A model or a baseline, with its rows of each night.
pub(super) struct Entrant {
    pub(super) name: String,
    is_baseline: bool,
    pub(super) nights: Vec<NightRows>,
}

/// Collects the rows of models and baselines, night by night, and ends in an [`Evaluation`].
pub(super) struct Backtest<'a> {
    conditions: Conditions<'a>,
    /// Most customers of a night who are scored.
    most_customers: usize,
    /// If fewer customers are scored than meet the rule, the most who met it on a night; else 0.
    drawn_from: usize,
    nights: Vec<AsOf>,
    pub(super) entrants: Vec<Entrant>,
    warnings: Vec<String>,
    /// The funnel of a night on which nobody met the rule.
    funnel_of_nobody: Option<Funnel>,
}

impl<'a> Backtest<'a> {
    /// A backtest that ignores days after `last`, a day with a purchase, and lets each night know the
    /// last `history_days` days.
    pub(super) fn new(
        purchases: &'a dyn Partitions,
        last: Day,
        rule: &Rule,
        history_days: u32,
    ) -> Self {
        Self {
            conditions: Conditions {
                all: PartitionedHistory::new(purchases, AsOf(last)),
                last,
                rule: *rule,
                history_days,
                order: TextOrder::of(purchases.products()),
                population_median: f64::from(HORIZON_DAYS),
                with_tifuknn: true,
            },
            most_customers: usize::MAX,
            drawn_from: 0,
            nights: vec![],
            entrants: vec![],
            warnings: vec![],
            funnel_of_nobody: None,
        }
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Leaves TIFUKNN out of the baselines.
    pub(super) fn leave_out_tifuknn(&mut self) {
        self.conditions.with_tifuknn = false;
        self.warn("TIFUKNN is left out: with so many customers it would take longer than the training; `okuo eval` has it".to_owned());
    }

    /// Scores at most `most` customers of a night: the same ones every night, as long as they meet
    /// the rule.
    pub(super) fn draw_customers(&mut self, most: usize) {
        self.most_customers = most;
    }

    /// Scores some nights with every model, of which there is at least one, and with every baseline.
    /// What a baseline learns, it learns on the night `eve`. `stage` is told which nights come next.
    /// If nobody meets the rule on a night, that is a warning.
    pub(super) fn measure(
        &mut self,
        eve: AsOf,
        nights: &[AsOf],
        models: &[(&str, &Model)],
        stage: &dyn Fn(&[AsOf]),
    ) -> Result<()> {
        let mut eve = Some(eve);
        for some in nights.chunks(self.nights_at_once()) {
            stage(some);
            let surveys = self.survey(eve.take(), some, models)?;
            let (mut measured, tifuknn) = self.score(surveys)?;
            let tifuknn = self.score_tifuknn(tifuknn)?;
            for (night, rows) in measured.iter_mut().zip(tifuknn) {
                night.rows.extend(rows);
            }
            for night in measured {
                self.add(night, models);
            }
        }
        Ok(())
    }

    /// How many nights share a walk. A partition that is the only one is in memory anyway.
    fn nights_at_once(&self) -> usize {
        match self.partitions().count() {
            0 | 1 => 1,
            _ => NIGHTS_AT_ONCE,
        }
    }

    fn partitions(&self) -> &'a dyn Partitions {
        self.conditions.all.partitions()
    }

    /// The first walk of some nights. On it the population median is learned, if there is an `eve`
    /// on which to learn.
    fn survey<'m>(
        &mut self,
        eve: Option<AsOf>,
        nights: &[AsOf],
        models: &[(&str, &'m Model)],
    ) -> Result<Vec<NightSurvey<'m>>> {
        let conditions = &self.conditions;
        let mut surveys: Vec<_> = nights
            .iter()
            .map(|night| NightSurvey::new(*night, models, conditions))
            .collect();
        let mut learned = eve.map(|eve| {
            let known = conditions.known_on(eve);
            let median = PopulationMedian::new(known.until(), &conditions.rule);
            (eve, known, median)
        });
        each_partition(self.partitions(), |partition| {
            surveys.iter_mut().for_each(|survey| survey.add(partition));
            if let Some((_, known, median)) = &mut learned {
                known.of(partition, |known| median.add(known));
            }
            Ok(())
        })?;
        if let Some((eve, _, median)) = learned {
            self.set_population_median(eve, median.finish());
        }
        Ok(surveys)
    }

    fn set_population_median(&mut self, eve: AsOf, median: Option<f64>) {
        if median.is_none() {
            self.warn(format!("the history up to {eve} is too short for the population median: {HORIZON_DAYS} days stand for it"));
        }
        self.conditions.population_median = median.unwrap_or(f64::from(HORIZON_DAYS));
    }

    /// The second walk of the nights on which somebody meets the rule.
    fn score(
        &mut self,
        surveys: Vec<NightSurvey<'_>>,
    ) -> Result<(Vec<MeasuredNight>, Vec<TifuknnScoring>)> {
        let mut nights = vec![];
        for survey in surveys {
            nights.extend(self.begin_scoring(survey)?);
        }
        if !nights.is_empty() {
            let conditions = &self.conditions;
            let mut predictions = conditions.no_predictions();
            each_partition(self.partitions(), |partition| {
                nights
                    .iter_mut()
                    .try_for_each(|night| night.add(partition, conditions, &mut predictions))
            })?;
        }
        let (measured, tifuknn): (Vec<_>, Vec<_>) =
            nights.into_iter().map(NightScoring::finish).unzip();
        Ok((measured, tifuknn.into_iter().flatten().collect()))
    }

    /// `None`, and a warning, if nobody meets the rule on the night.
    fn begin_scoring<'m>(&mut self, survey: NightSurvey<'m>) -> Result<Option<NightScoring<'m>>> {
        let population = survey.population();
        if population.recurrent.is_empty() {
            let night = population.as_of;
            self.funnel_of_nobody = Some(population.funnel.clone());
            self.warn(format!("on {night} nobody meets the recurrence rule"));
            return Ok(None);
        }
        let customers = self.drawn(population.recurrent.clone());
        survey.score(customers, &self.conditions).map(Some)
    }

    /// The third walk: the rows of each night.
    fn score_tifuknn(&self, mut nights: Vec<TifuknnScoring>) -> Result<Vec<Vec<NightRows>>> {
        if !nights.is_empty() {
            each_partition(self.partitions(), |partition| {
                nights
                    .iter_mut()
                    .for_each(|night| night.add(partition, &self.conditions));
                Ok(())
            })?;
        }
        Ok(nights.into_iter().map(TifuknnScoring::finish).collect())
    }

    /// At most [`Self::most_customers`] of the customers, drawn by their ids.
    fn drawn(&mut self, customers: Vec<u32>) -> Vec<u32> {
        if customers.len() > self.most_customers {
            self.drawn_from = self.drawn_from.max(customers.len());
        }
        let ids = self.conditions.all.customers();
        draw_customers(ids, customers, self.most_customers)
    }

    /// Adds the rows of a night.
    fn add(&mut self, night: MeasuredNight, models: &[(&str, &Model)]) {
        self.nights.push(night.night);
        let baselines = BASELINES.into_iter().chain([TIFUKNN]);
        let names = models
            .iter()
            .map(|(name, _)| (*name, false))
            .chain(baselines.map(|name| (name, true)));
        for ((name, is_baseline), rows) in names.zip(night.rows) {
            self.add_rows(name, is_baseline, rows);
        }
    }

    fn add_rows(&mut self, name: &str, is_baseline: bool, rows: NightRows) {
        match self
            .entrants
            .iter_mut()
            .find(|entrant| entrant.name == name)
        {
            Some(entrant) => entrant.nights.push(rows),
            None => self.entrants.push(Entrant {
                name: name.to_owned(),
                is_baseline,
                nights: vec![rows],
            }),
        }
    }

    /// The figures of all models and baselines, with intervals.
    ///
    /// # Errors
    /// If nobody met the rule on any night, or there was no night.
    pub(super) fn finish(mut self) -> Result<Evaluation> {
        if self.nights.is_empty() {
            return Err(no_night(self.funnel_of_nobody));
        }
        if self.drawn_from > 0 {
            let (most, all) = (self.most_customers, self.drawn_from);
            self.warn(format!("{most} of the up to {all} customers of a night are measured, drawn by their ids; `okuo eval` measures all"));
        }
        let okuo = self.entrants.iter().find(|entrant| entrant.name == OKUO);
        if let Some(far) = okuo.and_then(|okuo| coverage::warning(&okuo.nights)) {
            self.warn(far);
        }
        // Models first, the replaced one last.
        self.entrants
            .sort_by_key(|entrant| entrant.name == REPLACED);
        let rows: Vec<&[NightRows]> = self
            .entrants
            .iter()
            .map(|entrant| entrant.nights.as_slice())
            .collect();
        let bootstrap = Bootstrap::new(&rows);
        let mut contenders: Vec<Contender> = self
            .entrants
            .iter()
            .enumerate()
            .map(|(position, entrant)| contender(entrant, position, &bootstrap))
            .collect();
        let best: BTreeMap<Figure, usize> = Figure::ALL
            .into_iter()
            .filter_map(|figure| Some((figure, best_baseline(&contenders, figure)?)))
            .collect();
        let differences = differences_of_okuo(&contenders, &best, &bootstrap);
        if let Some(okuo) = contenders
            .iter_mut()
            .find(|contender| contender.name == OKUO)
        {
            okuo.differences = differences;
        }
        let differences = differences_of_final(&contenders, &bootstrap);
        if let Some(last) = contenders
            .iter_mut()
            .find(|contender| contender.name == FINAL)
        {
            last.differences = differences;
        }
        let best_baselines = best
            .into_iter()
            .map(|(figure, position)| (figure, contenders[position].name.clone()))
            .collect();
        Ok(Evaluation {
            nights: self.nights,
            contenders,
            best_baselines,
            offers: None,
            warnings: self.warnings,
        })
    }
}

/// At most so many of some customers, drawn by their ids.
pub(super) fn draw_customers(ids: &Ids, mut customers: Vec<u32>, most: usize) -> Vec<u32> {
    if customers.len() > most {
        customers.sort_by_cached_key(|customer| {
            let draw = Draw::MeasuredCustomers.hash_without_seed(&[ids.key(*customer)]);
            (draw, *customer)
        });
        customers.truncate(most);
    }
    customers
}

/// Why no night could be scored.
fn no_night(funnel_of_nobody: Option<Funnel>) -> Error {
    match funnel_of_nobody {
        Some(funnel) => Error::request(
            "nobody meets the recurrence rule on any of the held-out nights",
        )
        .hint(funnel.lower_share().unwrap_or_else(|| {
            "no basket share lets anyone in: see --min-purchases and --periods".to_owned()
        })),
        None => Error::request("no held-out night has a day with purchases after it")
            .hint("hold out an earlier month, or give more --input"),
    }
}

/// The figures of one entrant with their intervals, without differences yet.
fn contender(entrant: &Entrant, position: usize, bootstrap: &Bootstrap) -> Contender {
    Contender {
        name: entrant.name.clone(),
        baseline: entrant.is_baseline,
        figures: figures(&entrant.nights),
        intervals: Figure::ALL
            .into_iter()
            .filter_map(|figure| Some((figure, bootstrap.interval(position, figure)?)))
            .collect(),
        differences: vec![],
    }
}

/// The differences of okuo to the best baseline by each figure, then to the replaced model.
fn differences_of_okuo(
    contenders: &[Contender],
    best: &BTreeMap<Figure, usize>,
    bootstrap: &Bootstrap,
) -> Vec<Difference> {
    let Some(okuo) = position_of(contenders, OKUO) else {
        return vec![];
    };
    let to_baselines = best.iter().map(|(figure, other)| (*figure, *other));
    let replaced = position_of(contenders, REPLACED);
    let to_replaced = replaced
        .into_iter()
        .flat_map(|other| Figure::ALL.map(|figure| (figure, other)));
    to_baselines
        .chain(to_replaced)
        .filter_map(|(figure, other)| difference(contenders, okuo, other, figure, bootstrap))
        .collect()
}

/// The differences of the final model to the backtest model.
fn differences_of_final(contenders: &[Contender], bootstrap: &Bootstrap) -> Vec<Difference> {
    let positions = position_of(contenders, FINAL).zip(position_of(contenders, OKUO));
    let Some((last, okuo)) = positions else {
        return vec![];
    };
    Figure::ALL
        .into_iter()
        .filter_map(|figure| difference(contenders, last, okuo, figure, bootstrap))
        .collect()
}

fn position_of(contenders: &[Contender], name: &str) -> Option<usize> {
    contenders
        .iter()
        .position(|contender| contender.name == name)
}

/// The paired difference of two contenders, by position, in one figure; `None` if one of them does
/// not have it.
fn difference(
    contenders: &[Contender],
    one: usize,
    other: usize,
    figure: Figure,
    bootstrap: &Bootstrap,
) -> Option<Difference> {
    let (own, others) = (contenders.get(one)?, contenders.get(other)?);
    let interval = bootstrap.difference(one, other, figure)?;
    Some(Difference {
        figure,
        to: others.name.clone(),
        difference: rounded(figure.of(&own.figures)? - figure.of(&others.figures)?, 4),
        interval,
        verdict: Verdict::of(interval, figure.higher_is_better()),
    })
}

/// The position of the best baseline by a figure, the first of equals.
fn best_baseline(contenders: &[Contender], figure: Figure) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (position, contender) in contenders.iter().enumerate() {
        let Some(value) = figure.of(&contender.figures).filter(|_| contender.baseline) else {
            continue;
        };
        if best.is_none_or(|(_, least)| figure.is_better(value, least)) {
            best = Some((position, value));
        }
    }
    best.map(|(position, _)| position)
}

#[cfg(test)]
mod tests {
    use super::super::{Figures, Interval};
    use super::*;

    fn baseline(name: &str, mae: Option<f64>, ndcg_at_10: Option<f64>) -> Contender {
        Contender {
            name: name.into(),
            baseline: true,
            figures: Figures {
                mae,
                ndcg_at_10,
                ..Figures::default()
            },
            intervals: BTreeMap::new(),
            differences: vec![],
        }
    }

    #[test]
    fn the_best_baseline_is_the_first_of_the_best_that_has_the_figure() {
        let model = Contender {
            baseline: false,
            ..baseline(OKUO, Some(1.0), Some(0.9))
        };
        let contenders = [
            model,
            baseline("a", Some(3.0), None),
            baseline("b", Some(2.0), Some(0.1)),
            baseline("c", Some(2.0), Some(0.2)),
        ];
        assert_eq!(best_baseline(&contenders, Figure::Mae), Some(1 + 1));
        assert_eq!(best_baseline(&contenders, Figure::NdcgAt10), Some(3));
        assert_eq!(best_baseline(&contenders, Figure::RecallAt10), None);
        assert_eq!(best_baseline(&contenders[..1], Figure::Mae), None);
    }

    #[test]
    fn a_verdict_needs_the_whole_interval_on_one_side_of_zero() {
        let above = Interval {
            low: 0.1,
            high: 0.2,
        };
        let below = Interval {
            low: -0.2,
            high: -0.1,
        };
        let around = Interval {
            low: -0.1,
            high: 0.1,
        };
        let touching = Interval {
            low: 0.0,
            high: 0.1,
        };
        for (figure, interval, expected) in [
            (Figure::NdcgAt10, above, Verdict::Better),
            (Figure::NdcgAt10, below, Verdict::Worse),
            (Figure::MaeAll, above, Verdict::Worse),
            (Figure::MaeAll, below, Verdict::Better),
            (Figure::MaeAll, around, Verdict::Tie),
            (Figure::NdcgAt10, touching, Verdict::Tie),
        ] {
            assert_eq!(
                Verdict::of(interval, figure.higher_is_better()),
                expected,
                "{figure:?} {interval:?}"
            );
        }
    }
}
