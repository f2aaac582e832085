//! What a team would do without okuo: baselines that cost nothing, and TIFUKNN.

use rayon::prelude::*;

use super::metrics::{NightRows, Row, rankings, truth};
use crate::calendar::{AsOf, Day};
use crate::models::timing::HORIZON;
use crate::purchases::{History, Purchases, Visits};
use crate::recurrence::{Rule, recurrent};

/// How many products a baseline lists.
const TOP: usize = 50;
/// Gaps older than this many days do not count for a customer's own.
const RECENT_DAYS: i32 = 120;

/// The timing baselines, in the order of their columns.
pub const TIMING: [&str; 3] = ["population median", "personal median gap", "personal mean gap"];
/// The basket baselines, in the order of their columns.
pub const BASKET: [&str; 4] = ["P-TopFreq", "GP-TopFreq", "decayed frequency .9", "TIFUKNN"];

/// A customer's own gaps of the last 120 days, ascending.
fn gaps(visits: &Visits<'_>, night: Day) -> Vec<f64> {
    let days = visits.days();
    let mut gaps: Vec<f64> =
        days.windows(2).filter(|pair| night - pair[1] < RECENT_DAYS).map(|pair| f64::from(pair[1] - pair[0])).collect();
    gaps.sort_unstable_by(f64::total_cmp);
    gaps
}

fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some((sorted.get(middle - 1)? + upper) / 2.0) }
}

/// The median wait of the population over nights 28 days and more before `eve`, every 3 days, at most 40 of them; censored at the horizon.
#[must_use]
pub fn population_median(history: &History<'_>, rule: &Rule, eve: AsOf) -> f64 {
    let Some((first, _)) = history.span() else { return HORIZON as f64 };
    let earliest = first + rule.window_days();
    let nights = (0..40).map(|i| eve.day() - HORIZON as i32 - 3 * i).filter(|night| *night >= earliest);
    let mut waits: Vec<f64> = nights
        .flat_map(|night| {
            let (customers, _) = recurrent(&history.until(AsOf(night)), rule);
            let wait = move |customer: u32| truth(history, customer, night).map_or(HORIZON as f64, |(days, _)| f64::from(days));
            customers.into_iter().map(wait)
        })
        .collect();
    waits.sort_unstable_by(f64::total_cmp);
    median(&waits).unwrap_or(HORIZON as f64)
}

/// What every baseline says on one night, and what became of it: timing ones (each a row a customer), then basket ones.
#[must_use]
pub fn observe(all: &Purchases, night: AsOf, rule: &Rule, population: f64) -> Vec<NightRows> {
    let history = all.until(night);
    let (customers, _) = recurrent(&history, rule);
    let last = all.span().map_or(night.day(), |(_, last)| last);
    let everything = all.until(AsOf(last));
    let row = |customer: u32, predicted: f64| {
        let next = truth(&everything, customer, night.day());
        Row {
            customer: all.customers().get(customer).map(|id| id.to_string()).unwrap_or_default(),
            days: next.map(|(days, _)| days),
            // Unknown counts as not coming back.
            predicted: predicted.max(1.0),
            interval: None,
            returns: None,
            rankings: None,
            pairs: vec![],
        }
    };
    let mut tables: Vec<Vec<Row>> = vec![vec![]; TIMING.len() + BASKET.len()];
    for customer in &customers {
        let visits = history.visits(*customer);
        let gaps = gaps(&visits, night.day());
        let elapsed = visits.days().last().map_or(0.0, |last| f64::from(night.day() - *last));
        let mean = (!gaps.is_empty()).then(|| gaps.iter().sum::<f64>() / gaps.len() as f64);
        let own = |gap: Option<f64>| gap.map_or(HORIZON as f64, |gap| gap - elapsed);
        for (table, predicted) in tables.iter_mut().zip([population, own(median(&gaps)), own(mean)]) {
            table.push(row(*customer, predicted));
        }
    }
    let names: Vec<String> =
        (0..history.product_count() as u32).map(|p| all.products().get(p).map(|id| id.to_string()).unwrap_or_default()).collect();
    let mut by_name: Vec<u32> = (0..names.len() as u32).collect();
    by_name.sort_by(|a, b| names[*a as usize].cmp(&names[*b as usize]));
    let mut name_rank = vec![0_u32; names.len()];
    (0..).zip(&by_name).for_each(|(rank, product)| name_rank[*product as usize] = rank);
    let lists = Lists::new(&history, &name_rank);
    let of_customer = |customer: &u32| {
        let basket = truth(&everything, *customer, night.day()).map(|(_, basket)| basket);
        lists.of(*customer).map(|list| {
            let mut row = row(*customer, 1.0);
            row.rankings = basket.map(|basket| rankings(&list, basket));
            row
        })
    };
    let rows: Vec<[Row; BASKET.len()]> = customers.par_iter().map(of_customer).collect();
    for row in rows {
        tables[TIMING.len()..].iter_mut().zip(row).for_each(|(table, row)| table.push(row));
    }
    tables.into_iter().map(|rows| NightRows { night, followed: last - night.day(), rows }).collect()
}

/// TIFUKNN's parameters (Hu et al., SIGIR 2020), as tuned on grocery data: group size, decays within and across groups, share of the
/// customer's own vector, neighbours.
const GROUP: usize = 7;
const WITHIN: f64 = 0.9;
const ACROSS: f64 = 0.6;
const ALPHA: f64 = 0.9;
const NEIGHBOURS: usize = 300;

/// The ranked lists of one night.
struct Lists<'a> {
    history: History<'a>,
    name_rank: &'a [u32],
    /// Purchases of all customers with each product.
    all: Vec<u32>,
    most: f64,
    popular: Vec<u32>,
    /// TIFUKNN: each customer's vector, by ascending product.
    vectors: Vec<Vec<(u32, f64)>>,
    norms: Vec<f64>,
    /// Who has a product in the vector, with its weight.
    postings: Vec<Vec<(u32, f64)>>,
}

impl<'a> Lists<'a> {
    fn new(history: &History<'a>, name_rank: &'a [u32]) -> Self {
        let mut all = vec![0_u32; history.product_count()];
        let vectors: Vec<Vec<(u32, f64)>> = (0..history.customer_count()).into_par_iter().map(|c| vector(&history.visits(c))).collect();
        let mut postings = vec![vec![]; all.len()];
        for (customer, vector) in (0_u32..).zip(&vectors) {
            vector.iter().for_each(|(product, weight)| postings[*product as usize].push((customer, *weight)));
            history.visits(customer).iter().for_each(|(_, basket)| basket.iter().for_each(|product| all[*product as usize] += 1));
        }
        let norms = vectors.iter().map(|vector| vector.iter().map(|(_, weight)| weight * weight).sum()).collect();
        let mut popular: Vec<u32> = (0..all.len() as u32).filter(|product| all[*product as usize] > 0).collect();
        popular.sort_by_key(|product| (std::cmp::Reverse(all[*product as usize]), *product));
        popular.truncate(TOP);
        let most = f64::from(popular.first().map_or(0, |product| all[*product as usize])) + 1.0;
        Self { history: *history, name_rank, all, most, popular, vectors, norms, postings }
    }

    /// The lists of [`BASKET`], the best product first.
    fn of(&self, customer: u32) -> [Vec<u32>; BASKET.len()] {
        let mut frequency: Vec<(u32, f64, f64)> = vec![];
        let mut weight = 1.0;
        let mut lines: Vec<(u32, f64)> = vec![];
        for (_, basket) in self.history.visits(customer).iter().rev() {
            lines.extend(basket.iter().map(|product| (*product, weight)));
            weight *= 0.9;
        }
        lines.sort_by_key(|(product, _)| *product);
        for (product, weight) in lines {
            match frequency.last_mut() {
                Some((known, count, decayed)) if *known == product => (*count, *decayed) = (*count + 1.0, *decayed + weight),
                _ => frequency.push((product, 1.0, weight)),
            }
        }
        let of_all = |product: u32| f64::from(self.all[product as usize]) / self.most;
        let mut global: Vec<(u32, f64)> = frequency.iter().map(|(product, count, _)| (*product, count + of_all(*product))).collect();
        let known: Vec<u32> = global.iter().map(|(product, _)| *product).collect();
        global.extend(
            self.popular.iter().filter(|product| known.binary_search(product).is_err()).map(|product| (*product, of_all(*product))),
        );
        [
            self.ranked(frequency.iter().map(|(product, count, _)| (*product, *count)).collect()),
            self.ranked(global),
            self.ranked(frequency.iter().map(|(product, _, decayed)| (*product, *decayed)).collect()),
            self.ranked(self.tifuknn(customer)),
        ]
    }

    /// By descending score, ties by id as text.
    fn ranked(&self, mut scores: Vec<(u32, f64)>) -> Vec<u32> {
        scores.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| self.name_rank[a.0 as usize].cmp(&self.name_rank[b.0 as usize])));
        scores.truncate(TOP);
        scores.into_iter().map(|(product, _)| product).collect()
    }

    fn tifuknn(&self, customer: u32) -> Vec<(u32, f64)> {
        let own = &self.vectors[customer as usize];
        let mut products = vec![0.0; self.vectors.len()];
        for (product, weight) in own {
            self.postings[*product as usize].iter().for_each(|(other, theirs)| products[*other as usize] += weight * theirs);
        }
        let mut near: Vec<(f64, u32)> = (0_u32..)
            .zip(&products)
            .filter(|(other, _)| *other != customer && !self.vectors[*other as usize].is_empty())
            .map(|(other, product)| (self.norms[other as usize] + self.norms[customer as usize] - 2.0 * product, other))
            .collect();
        near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        near.truncate(NEIGHBOURS);
        let mut scores: std::collections::BTreeMap<u32, f64> = own.iter().map(|(product, weight)| (*product, ALPHA * weight)).collect();
        let share = (1.0 - ALPHA) / near.len().max(1) as f64;
        for (_, other) in &near {
            for (product, weight) in &self.vectors[*other as usize] {
                *scores.entry(*product).or_default() += share * weight;
            }
        }
        scores.into_iter().collect()
    }
}

/// A customer's temporal item frequency: purchases in groups of [`GROUP`], decayed within and across the groups.
fn vector(visits: &Visits<'_>) -> Vec<(u32, f64)> {
    let n = visits.len();
    let groups = n.div_ceil(GROUP).max(1) as f64;
    let mut lines: Vec<(u32, f64)> = vec![];
    for (back, (_, basket)) in visits.iter().rev().enumerate() {
        let (group, within) = (back / GROUP, back % GROUP);
        let size = GROUP.min(n - group * GROUP) as f64;
        let weight = WITHIN.powi(within as i32) / size * ACROSS.powi(group as i32) / groups;
        lines.extend(basket.iter().map(|product| (*product, weight)));
    }
    lines.sort_by_key(|(product, _)| *product);
    let mut out: Vec<(u32, f64)> = vec![];
    for (product, weight) in lines {
        match out.last_mut() {
            Some((known, sum)) if *known == product => *sum += weight,
            _ => out.push((product, weight)),
        }
    }
    out
}
