//! The board on which models and baselines are scored, night by night.

use std::collections::BTreeMap;

use super::baselines::{Middle, global_personal_frequency, personal_frequency, personal_gap, population_median};
use super::bootstrap::{Bootstrap, Figure, Interval};
use super::metrics::{figures, rounded};
use super::protocol::{HORIZON, NightRows, NightTruth, TextOrder, basket_rows, observe_in, timing_rows};
use super::tifuknn::{Tifuknn, TifuknnParameters};
use super::{Contender, Difference, Evaluation, OKUO, REPLACED, Verdict};
use crate::calendar::{AsOf, Day};
use crate::error::{Error, Result};
use crate::models::Model;
use crate::pipeline;
use crate::purchases::{History, Purchases};
use crate::recurrence::{Funnel, Rule, recurrent};

/// A customer's visit counts this much less with each visit since.
const DECAY: f64 = 0.9;

pub(super) struct Board<'a> {
    purchases: &'a Purchases,
    /// Everything that may count as the truth.
    all: History<'a>,
    last: Day,
    rule: Rule,
    order: TextOrder,
    population_median: f64,
    tifuknn: bool,
    nights: Vec<AsOf>,
    /// Name, whether it is a baseline, and its nights.
    entries: Vec<(String, bool, Vec<NightRows>)>,
    warnings: Vec<String>,
    /// The funnel of a night on which nobody met the rule.
    nobody: Option<Funnel>,
}

impl<'a> Board<'a> {
    /// A board on which days after `as_of` count for nothing.
    ///
    /// # Errors
    /// If there is no purchase up to it.
    pub(super) fn new(purchases: &'a Purchases, as_of: AsOf, rule: &Rule) -> Result<Self> {
        let all = purchases.until(as_of);
        let (_, last) = all.span().ok_or_else(|| Error::request(format!("there is no purchase up to {as_of}")))?;
        Ok(Self {
            purchases,
            all,
            last,
            rule: *rule,
            order: TextOrder::of(purchases.products()),
            population_median: f64::from(HORIZON),
            tifuknn: true,
            nights: vec![],
            entries: vec![],
            warnings: vec![],
            nobody: None,
        })
    }

    /// The last day that counts and has a purchase.
    pub(super) fn last(&self) -> Day {
        self.last
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    pub(super) fn leave_out_tifuknn(&mut self) {
        self.tifuknn = false;
        self.warn("TIFUKNN is left out: with so many customers it would take longer than the training; `okuo eval` has it".to_owned());
    }

    /// Lets the baselines that learn something learn it on the night `eve`.
    pub(super) fn learn(&mut self, eve: AsOf) {
        let median = population_median(&self.all.until(eve), &self.rule);
        if median.is_none() {
            self.warn(format!("the history up to {eve} is too short for the population median: {HORIZON} days stand for it"));
        }
        self.population_median = median.unwrap_or(f64::from(HORIZON));
    }

    /// Scores one night with every model and baseline. A night on which nobody meets the rule is a warning.
    pub(super) fn night(&mut self, night: AsOf, models: &[(&str, &Model)]) -> Result<()> {
        let history = self.all.until(night);
        let (customers, funnel) = recurrent(&history, &self.rule);
        if customers.is_empty() {
            self.warn(format!("on {night} nobody meets the recurrence rule"));
            self.nobody = Some(funnel);
            return Ok(());
        }
        let known = self.purchases.known(night)?;
        let truth = NightTruth::new(&self.all, self.last, night, customers);
        let mut scored = vec![];
        for (name, model) in models {
            let predictions = pipeline::score(model, name, &known, night, &self.rule)?;
            let rows = observe_in(&predictions, &self.all, self.last)?;
            if !rows.rows.iter().map(|row| row.customer).eq(truth.customers.iter().copied()) {
                let (scored, due) = (rows.rows.len(), truth.customers.len());
                return Err(Error::system(format!("{name} scored {scored} customers on {night}, but the rule gives {due}, or others")));
            }
            scored.push(((*name).to_owned(), rows));
        }
        drop(known);
        self.nights.push(night);
        scored.into_iter().for_each(|(name, rows)| self.add(&name, false, rows));
        self.baselines(&history, &truth);
        Ok(())
    }

    fn baselines(&mut self, history: &History<'_>, truth: &NightTruth<'_>) {
        let customers = truth.customers.as_slice();
        self.add("population median", true, timing_rows(truth, &vec![self.population_median; customers.len()]));
        self.add("personal median gap", true, timing_rows(truth, &personal_gap(history, customers, Middle::Median)));
        self.add("personal mean gap", true, timing_rows(truth, &personal_gap(history, customers, Middle::Mean)));
        // Only those who returned are judged by a list.
        let back: Vec<u32> =
            customers.iter().zip(&truth.following).filter(|(_, next)| next.is_some()).map(|(customer, _)| *customer).collect();
        let spread = |lists: Vec<Vec<u32>>| -> NightRows {
            let mut lists = lists.into_iter();
            let all: Vec<Vec<u32>> = truth.following.iter().map(|next| next.and_then(|_| lists.next()).unwrap_or_default()).collect();
            basket_rows(truth, &all)
        };
        let order = &self.order;
        let mut rows = vec![
            ("P-TopFreq", spread(personal_frequency(history, &back, 1.0, order))),
            ("GP-TopFreq", spread(global_personal_frequency(history, &back, order))),
            ("decayed frequency 0.9", spread(personal_frequency(history, &back, DECAY, order))),
        ];
        if self.tifuknn {
            rows.push(("TIFUKNN", spread(Tifuknn::new(history, TifuknnParameters::default()).lists(&back, order))));
        }
        rows.into_iter().for_each(|(name, rows)| self.add(name, true, rows));
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
                Some(funnel) => Error::request("nobody meets the recurrence rule on any of the held-out nights").hint(wider(&funnel)),
                None => Error::request("no held-out night has a day with purchases after it")
                    .hint("hold out an earlier month, or give more --input"),
            });
        }
        // Models first, the replaced one last.
        self.entries.sort_by_key(|(name, ..)| name == REPLACED);
        let rows: Vec<&[NightRows]> = self.entries.iter().map(|(.., nights)| nights.as_slice()).collect();
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
        let best: BTreeMap<Figure, usize> =
            Figure::ALL.into_iter().filter_map(|figure| Some((figure, best(&contenders, figure)?))).collect();
        let place = |name: &str| contenders.iter().position(|contender| contender.name == name);
        let mut differences = vec![];
        if let Some(okuo) = place(OKUO) {
            for (figure, other) in
                best.iter().map(|(figure, other)| (*figure, Some(*other))).chain(Figure::ALL.map(|figure| (figure, place(REPLACED))))
            {
                let difference = other.and_then(|other| {
                    let (one, two) = (contenders.get(okuo)?, contenders.get(other)?);
                    let interval = bootstrap.difference(okuo, other, figure)?;
                    let difference = rounded(figure.of(&one.figures)? - figure.of(&two.figures)?, 4);
                    Some(Difference { figure, to: two.name.clone(), difference, interval, verdict: verdict(figure, interval) })
                });
                differences.extend(difference);
            }
            if let Some(okuo) = contenders.get_mut(okuo) {
                okuo.differences = differences;
            }
        }
        let name = |at: &usize| contenders.get(*at).map(|contender| contender.name.clone()).unwrap_or_default();
        let best_baselines = best.iter().map(|(figure, at)| (*figure, name(at))).collect();
        Ok(Evaluation { nights: self.nights, contenders, best_baselines, warnings: self.warnings })
    }
}

/// The place of the best baseline by a figure, the first of equals.
fn best(contenders: &[Contender], figure: Figure) -> Option<usize> {
    let baselines = contenders.iter().enumerate().filter(|(_, contender)| contender.baseline);
    let known = baselines.filter_map(|(at, contender)| Some((at, figure.of(&contender.figures)?)));
    let better = |new: f64, old: f64| if figure.higher_is_better() { new > old } else { new < old };
    known.reduce(|best, next| if better(next.1, best.1) { next } else { best }).map(|(at, _)| at)
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

/// What would let somebody in.
fn wider(funnel: &Funnel) -> String {
    let shares = funnel.by_basket_share.iter().filter(|(_, count)| *count > 0).take(3);
    let shares: Vec<String> = shares.map(|(share, count)| format!("{share} ({count})")).collect();
    if shares.is_empty() {
        return "no basket share lets anyone in: see --min-purchases and --periods".to_owned();
    }
    format!("a lower --basket-share would let in: {}", shares.join(", "))
}
