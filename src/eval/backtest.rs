//! A backtest: models and baselines are scored on past nights and compared with what followed.

use std::collections::BTreeMap;

use super::baselines::{
    GlobalFrequency, TypicalGap, personal_frequency, personal_gap, population_median,
};
use super::bootstrap::{Bootstrap, Figure, Interval};
use super::metrics::figures;
use super::protocol::{
    Actuals, NightRows, TextOrder, basket_rows, map_customers, prediction_rows, timing_rows,
};
use super::tifuknn::{POOL, Tifuknn, TifuknnParameters};
use super::{Contender, Difference, Evaluation, OKUO, REPLACED, Verdict};
use crate::calendar::{AsOf, Day, HORIZON_DAYS};
use crate::domain::Funnel;
use crate::error::{Error, Result};
use crate::models::{Model, NightSummary, score_some};
use crate::purchases::{History, PartitionedHistory, Partitions, RecentPartitions};
use crate::recurrence::Rule;
use crate::sampling::Draw;
use crate::stats::rounded;

/// The decay of the baseline that counts recent purchases more.
const DECAY: f64 = 0.9;

/// What the baselines forecast for one customer.
#[derive(Clone, Default)]
struct BaselineForecasts {
    /// Days to the next purchase.
    median_gap: f64,
    /// Days to the next purchase.
    mean_gap: f64,
    /// Product codes, the best first.
    personal_frequency: Vec<u32>,
    /// Product codes, the best first.
    global_frequency: Vec<u32>,
    /// Product codes, the best first.
    decayed_frequency: Vec<u32>,
}

impl BaselineForecasts {
    /// One for each of these customers.
    fn of_customers(
        history: &History<'_>,
        customers: &[u32],
        global: &GlobalFrequency,
        order: &TextOrder,
    ) -> Vec<Self> {
        let median_gaps = personal_gap(history, customers, TypicalGap::Median);
        let mean_gaps = personal_gap(history, customers, TypicalGap::Mean);
        let personal = personal_frequency(history, customers, 1.0, order);
        let decayed = personal_frequency(history, customers, DECAY, order);
        let gaps = median_gaps.into_iter().zip(mean_gaps);
        let lists = personal
            .into_iter()
            .zip(global.lists(history, customers, order))
            .zip(decayed);
        let forecasts = gaps.zip(lists).map(|((median_gap, mean_gap), lists)| {
            let ((personal_frequency, global_frequency), decayed_frequency) = lists;
            Self {
                median_gap,
                mean_gap,
                personal_frequency,
                global_frequency,
                decayed_frequency,
            }
        });
        forecasts.collect()
    }
}

/// A model or a baseline, with its rows of each night.
pub(super) struct Entrant {
    pub(super) name: String,
    is_baseline: bool,
    pub(super) nights: Vec<NightRows>,
}

/// Collects the rows of models and baselines, night by night, and ends in an [`Evaluation`].
pub(super) struct Backtest<'a> {
    /// All purchases that count.
    all: PartitionedHistory<'a>,
    /// The last day with one.
    last: Day,
    rule: Rule,
    history_days: u32,
    order: TextOrder,
    population_median: f64,
    with_tifuknn: bool,
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
            all: PartitionedHistory::new(purchases, AsOf(last)),
            last,
            rule: *rule,
            history_days,
            order: TextOrder::of(purchases.products()),
            population_median: f64::from(HORIZON_DAYS),
            with_tifuknn: true,
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
        self.with_tifuknn = false;
        self.warn("TIFUKNN is left out: with so many customers it would take longer than the training; `okuo eval` has it".to_owned());
    }

    /// Scores at most `most` customers of a night: the same ones every night, as long as they meet
    /// the rule.
    pub(super) fn draw_customers(&mut self, most: usize) {
        self.most_customers = most;
    }

    /// Lets the baselines that learn something learn it on the night `eve`.
    pub(super) fn learn(&mut self, eve: AsOf) -> Result<()> {
        let recent = RecentPartitions::new(self.all.partitions(), eve.first_of(self.history_days));
        let median = population_median(
            PartitionedHistory::new(&recent, self.all.as_of().min(eve)),
            &self.rule,
        )?;
        if median.is_none() {
            self.warn(format!("the history up to {eve} is too short for the population median: {HORIZON_DAYS} days stand for it"));
        }
        self.population_median = median.unwrap_or(f64::from(HORIZON_DAYS));
        Ok(())
    }

    /// Scores one night with every model, of which there is at least one, and with every baseline.
    /// If nobody meets the rule on it, that is a warning.
    pub(super) fn night(&mut self, night: AsOf, models: &[(&str, &Model)]) -> Result<()> {
        let recent =
            RecentPartitions::new(self.all.partitions(), night.first_of(self.history_days));
        let known = PartitionedHistory::new(&recent, self.all.as_of().min(night));
        let summaries = models
            .iter()
            .map(|(_, model)| NightSummary::new(model, &recent, night, &self.rule))
            .collect::<Result<Vec<_>>>()?;
        // All summaries are of the same customers.
        let Some(NightSummary { population, .. }) = summaries.first() else {
            return Ok(());
        };
        if population.recurrent.is_empty() {
            self.funnel_of_nobody = Some(population.funnel.clone());
            self.warn(format!("on {night} nobody meets the recurrence rule"));
            return Ok(());
        }
        let customers = self.drawn(population.recurrent.clone());
        let actuals = Actuals::new(self.all, self.last, night, customers)?;
        let mut scored = vec![];
        for ((name, model), summary) in models.iter().zip(summaries) {
            let predictions = score_some(model, name, &recent, summary, &actuals.customers)?;
            scored.push((*name, prediction_rows(&predictions, self.all, &actuals)?));
        }
        self.nights.push(night);
        for (name, rows) in scored {
            self.add(name, false, rows);
        }
        self.score_baselines(known, &actuals)
    }

    /// At most [`Self::most_customers`] of the customers, drawn by their ids.
    fn drawn(&mut self, mut customers: Vec<u32>) -> Vec<u32> {
        if customers.len() > self.most_customers {
            self.drawn_from = self.drawn_from.max(customers.len());
            let ids = self.all.customers();
            customers.sort_by_cached_key(|customer| {
                let draw = Draw::MeasuredCustomers.hash_without_seed(&[ids.key(*customer)]);
                (draw, *customer)
            });
            customers.truncate(self.most_customers);
        }
        customers
    }

    /// Adds the rows of all baselines. `known` is what is known on the night.
    fn score_baselines(&mut self, known: PartitionedHistory<'_>, actuals: &Actuals) -> Result<()> {
        let global = GlobalFrequency::new(known, &self.order)?;
        let forecasts = map_customers(known, &actuals.customers, |partition, present| {
            BaselineForecasts::of_customers(partition, present, &global, &self.order)
        })?;
        let tifuknn = match self.with_tifuknn {
            true => Some(self.tifuknn_rows(known, actuals)?),
            false => None,
        };
        let each = forecasts.iter();
        let medians = std::iter::repeat_n(self.population_median, actuals.customers.len());
        let median_gaps = each.clone().map(|forecast| forecast.median_gap);
        let mean_gaps = each.clone().map(|forecast| forecast.mean_gap);
        let personal = each.clone().map(|forecast| &*forecast.personal_frequency);
        let global = each.clone().map(|forecast| &*forecast.global_frequency);
        let decayed = each.map(|forecast| &*forecast.decayed_frequency);
        let baselines = [
            ("population median", timing_rows(actuals, medians)),
            ("personal median gap", timing_rows(actuals, median_gaps)),
            ("personal mean gap", timing_rows(actuals, mean_gaps)),
            ("P-TopFreq", basket_rows(actuals, personal)),
            ("GP-TopFreq", basket_rows(actuals, global)),
            ("decayed frequency 0.9", basket_rows(actuals, decayed)),
        ];
        let tifuknn = tifuknn.map(|rows| ("TIFUKNN", rows));
        for (name, rows) in baselines.into_iter().chain(tifuknn) {
            self.add(name, true, rows);
        }
        Ok(())
    }

    fn tifuknn_rows(&self, known: PartitionedHistory<'_>, actuals: &Actuals) -> Result<NightRows> {
        let model = Tifuknn::new(known, TifuknnParameters::default(), POOL)?;
        let lists = map_customers(known, &actuals.customers, |partition, present| {
            model.lists(partition, present, &self.order)
        })?;
        Ok(basket_rows(actuals, lists.iter().map(Vec::as_slice)))
    }

    fn add(&mut self, name: &str, is_baseline: bool, rows: NightRows) {
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
        let best_baselines = best
            .into_iter()
            .map(|(figure, position)| (figure, contenders[position].name.clone()))
            .collect();
        Ok(Evaluation {
            nights: self.nights,
            contenders,
            best_baselines,
            warnings: self.warnings,
        })
    }
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
        verdict: verdict(figure, interval),
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

fn verdict(figure: Figure, interval: Interval) -> Verdict {
    let (above, below) = (interval.low > 0.0, interval.high < 0.0);
    match (above, below) {
        (true, _) if figure.higher_is_better() => Verdict::Better,
        (_, true) if !figure.higher_is_better() => Verdict::Better,
        (false, false) => Verdict::Tie,
        _ => Verdict::Worse,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Figures;
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
                verdict(figure, interval),
                expected,
                "{figure:?} {interval:?}"
            );
        }
    }
}
