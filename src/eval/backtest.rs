//! The board on which models and baselines are scored, night by night.

use std::collections::BTreeMap;

use super::baselines::{
    GlobalFrequency, Middle, personal_frequency, personal_gap, population_median,
};
use super::bootstrap::{Bootstrap, Figure, Interval};
use super::metrics::{figures, rounded};
use super::protocol::{
    Actuals, NightRows, TextOrder, basket_rows, by_customer, observe_in, timing_rows,
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

/// A customer's visit counts this much less with each visit since.
const DECAY: f64 = 0.9;

/// What the baselines say of a customer.
#[derive(Clone, Default)]
struct BaselineForecasts {
    /// Median and mean gap.
    gaps: [f64; 2],
    /// P-TopFreq, GP-TopFreq and decayed frequency.
    lists: [Vec<u32>; 3],
}

pub(super) struct Backtest<'a> {
    /// Everything that may count as the truth.
    all: PartitionedHistory<'a>,
    last: Day,
    rule: Rule,
    history_days: u32,
    order: TextOrder,
    population_median: f64,
    tifuknn: bool,
    /// Most customers of a night who are scored.
    most_customers: usize,
    /// Where fewer are scored than meet the rule, how many do.
    drawn_from: usize,
    nights: Vec<AsOf>,
    /// Name, whether it is a baseline, and its nights.
    pub(super) entries: Vec<(String, bool, Vec<NightRows>)>,
    warnings: Vec<String>,
    /// The funnel of a night on which nobody met the rule.
    nobody: Option<Funnel>,
}

impl<'a> Backtest<'a> {
    /// A board on which days after `last`, a day with a purchase, count for nothing, and each night
    /// knows the last `history_days` days.
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
            tifuknn: true,
            most_customers: usize::MAX,
            drawn_from: 0,
            nights: vec![],
            entries: vec![],
            warnings: vec![],
            nobody: None,
        }
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// Compares with all baselines but TIFUKNN.
    pub(super) fn leave_out_tifuknn(&mut self) {
        self.tifuknn = false;
        self.warn("TIFUKNN is left out: with so many customers it would take longer than the training; `okuo eval` has it".to_owned());
    }

    /// Scores at most so many customers of a night: the same ones every night, as long as they meet
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

    /// Scores one night with every model, of which there is at least one, and baseline. A night on
    /// which nobody meets the rule is a warning.
    pub(super) fn night(&mut self, night: AsOf, models: &[(&str, &Model)]) -> Result<()> {
        let recent =
            RecentPartitions::new(self.all.partitions(), night.first_of(self.history_days));
        let known = PartitionedHistory::new(&recent, self.all.as_of().min(night));
        let summaries = models
            .iter()
            .map(|(_, model)| NightSummary::new(model, &recent, night, &self.rule))
            .collect::<Result<Vec<_>>>()?;
        // All of them have seen the same customers.
        let Some(NightSummary { population, .. }) = summaries.first() else {
            return Ok(());
        };
        if population.recurrent.is_empty() {
            self.warn(format!("on {night} nobody meets the recurrence rule"));
            self.nobody = Some(population.funnel.clone());
            return Ok(());
        }
        let mut customers = population.recurrent.clone();
        if customers.len() > self.most_customers {
            self.drawn_from = self.drawn_from.max(customers.len());
            let ids = self.all.customers();
            customers.sort_by_cached_key(|customer| {
                let draw = Draw::MeasuredCustomers.hash_without_seed(&[ids.key(*customer)]);
                (draw, *customer)
            });
            customers.truncate(self.most_customers);
        }
        let truth = Actuals::new(self.all, self.last, night, customers)?;
        let mut scored = vec![];
        for ((name, model), summary) in models.iter().zip(summaries) {
            let predictions = score_some(model, name, &recent, summary, &truth.customers)?;
            scored.push((
                (*name).to_owned(),
                observe_in(&predictions, self.all, &truth)?,
            ));
        }
        self.nights.push(night);
        scored
            .into_iter()
            .for_each(|(name, rows)| self.add(&name, false, rows));
        self.baselines(known, &truth)
    }

    fn baselines(&mut self, known: PartitionedHistory<'_>, truth: &Actuals) -> Result<()> {
        let order = &self.order;
        let global = GlobalFrequency::new(known, order)?;
        let said = by_customer(
            known,
            &truth.customers,
            |history: &History<'_>, customers| {
                let middles = [Middle::Median, Middle::Mean]
                    .map(|middle| personal_gap(history, customers, middle));
                let [plain, decayed] =
                    [1.0, DECAY].map(|decay| personal_frequency(history, customers, decay, order));
                let lists = plain
                    .into_iter()
                    .zip(global.lists(history, customers, order))
                    .zip(decayed);
                let [median, mean] = middles;
                let said = median.into_iter().zip(mean).zip(lists);
                said.map(
                    |((median, mean), ((plain, global), decayed))| BaselineForecasts {
                        gaps: [median, mean],
                        lists: [plain, global, decayed],
                    },
                )
                .collect()
            },
        )?;
        let tifuknn = if self.tifuknn {
            let model = Tifuknn::new(known, TifuknnParameters::default(), POOL)?;
            Some(by_customer(
                known,
                &truth.customers,
                |history, customers| model.lists(history, customers, order),
            )?)
        } else {
            None
        };
        let gap = |at: usize| {
            timing_rows(
                truth,
                &said.iter().map(|said| said.gaps[at]).collect::<Vec<_>>(),
            )
        };
        let lists = |at: usize| {
            basket_rows(
                truth,
                &said
                    .iter()
                    .map(|said| said.lists[at].clone())
                    .collect::<Vec<_>>(),
            )
        };
        let mut rows = vec![
            (
                "population median",
                timing_rows(truth, &vec![self.population_median; truth.customers.len()]),
            ),
            ("personal median gap", gap(0)),
            ("personal mean gap", gap(1)),
            ("P-TopFreq", lists(0)),
            ("GP-TopFreq", lists(1)),
            ("decayed frequency 0.9", lists(2)),
        ];
        rows.extend(tifuknn.map(|lists| ("TIFUKNN", basket_rows(truth, &lists))));
        rows.into_iter()
            .for_each(|(name, rows)| self.add(name, true, rows));
        Ok(())
    }

    fn add(&mut self, name: &str, baseline: bool, rows: NightRows) {
        match self.entries.iter_mut().find(|(known, ..)| known == name) {
            Some((.., nights)) => nights.push(rows),
            None => self.entries.push((name.to_owned(), baseline, vec![rows])),
        }
    }

    /// The figures of all, with intervals.
    ///
    /// # Errors
    /// If nobody met the rule on any night, or there was no night.
    pub(super) fn finish(mut self) -> Result<Evaluation> {
        if self.nights.is_empty() {
            return Err(match self.nobody {
                Some(funnel) => {
                    Error::request("nobody meets the recurrence rule on any of the held-out nights")
                        .hint(funnel.lower_share().unwrap_or_else(|| {
                            "no basket share lets anyone in: see --min-purchases and --periods"
                                .to_owned()
                        }))
                }
                None => Error::request("no held-out night has a day with purchases after it")
                    .hint("hold out an earlier month, or give more --input"),
            });
        }
        if self.drawn_from > 0 {
            let (most, all) = (self.most_customers, self.drawn_from);
            self.warn(format!("{most} of the up to {all} customers of a night are measured, drawn by their ids; `okuo eval` measures all"));
        }
        // Models first, the replaced one last.
        self.entries.sort_by_key(|(name, ..)| name == REPLACED);
        let rows: Vec<&[NightRows]> = self
            .entries
            .iter()
            .map(|(.., nights)| nights.as_slice())
            .collect();
        let bootstrap = Bootstrap::new(&rows);
        let mut contenders: Vec<Contender> = vec![];
        for (at, (name, baseline, nights)) in self.entries.iter().enumerate() {
            let interval = |figure: Figure| Some((figure, bootstrap.interval(at, figure)?));
            contenders.push(Contender {
                name: name.clone(),
                baseline: *baseline,
                figures: figures(nights),
                intervals: Figure::ALL.into_iter().filter_map(interval).collect(),
                differences: vec![],
            });
        }
        let best: BTreeMap<Figure, usize> = Figure::ALL
            .into_iter()
            .filter_map(|figure| Some((figure, best(&contenders, figure)?)))
            .collect();
        let place = |name: &str| {
            contenders
                .iter()
                .position(|contender| contender.name == name)
        };
        let mut differences = vec![];
        if let Some(okuo) = place(OKUO) {
            for (figure, other) in best
                .iter()
                .map(|(figure, other)| (*figure, Some(*other)))
                .chain(Figure::ALL.map(|figure| (figure, place(REPLACED))))
            {
                let difference = other.and_then(|other| {
                    let (one, two) = (contenders.get(okuo)?, contenders.get(other)?);
                    let interval = bootstrap.difference(okuo, other, figure)?;
                    let difference =
                        rounded(figure.of(&one.figures)? - figure.of(&two.figures)?, 4);
                    Some(Difference {
                        figure,
                        to: two.name.clone(),
                        difference,
                        interval,
                        verdict: verdict(figure, interval),
                    })
                });
                differences.extend(difference);
            }
            if let Some(okuo) = contenders.get_mut(okuo) {
                okuo.differences = differences;
            }
        }
        let name = |at: &usize| {
            contenders
                .get(*at)
                .map(|contender| contender.name.clone())
                .unwrap_or_default()
        };
        let best_baselines = best
            .iter()
            .map(|(figure, at)| (*figure, name(at)))
            .collect();
        Ok(Evaluation {
            nights: self.nights,
            contenders,
            best_baselines,
            warnings: self.warnings,
        })
    }
}

/// The place of the best baseline by a figure, the first of equals.
fn best(contenders: &[Contender], figure: Figure) -> Option<usize> {
    let baselines = contenders
        .iter()
        .enumerate()
        .filter(|(_, contender)| contender.baseline);
    let known = baselines.filter_map(|(at, contender)| Some((at, figure.of(&contender.figures)?)));
    let better = |new: f64, old: f64| {
        if figure.higher_is_better() {
            new > old
        } else {
            new < old
        }
    };
    known
        .reduce(|best, next| if better(next.1, best.1) { next } else { best })
        .map(|(at, _)| at)
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
