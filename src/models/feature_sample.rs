//! A sample of the recurrent customers of a night with their features: what the guards compare with
//! the training's.

use rayon::prelude::*;

use super::night::NightScorer;
use crate::calendar::AsOf;
use crate::features::basket::{
    BASKET_COLUMNS, BASKET_FEATURES, BASKET_WIDTH, BasketScratch, basket_features,
};
use crate::features::timing::{TIMING_COLUMNS, TIMING_FEATURES, TIMING_WIDTH, TimingFeatures};
use crate::features::{Feature, Unit};
use crate::guards::{FeatureColumns, FeatureRows};
use crate::purchases::{History, OwnedPurchases};
use crate::recurrence::Rule;
use crate::sampling::Draw;

/// So many customers are looked at. Chance moves the population stability index of two samples of
/// them by about .07, which is subtracted, and their features take a few hundredths of a second.
const SAMPLED_CUSTOMERS: usize = 250;

/// Timing features are those of so many evenings, since they differ by weekday.
const EVENINGS: i32 = 7;

/// So many products of a customer are looked at, spread over all candidates.
const PRODUCTS_OF_CUSTOMER: usize = 40;

/// Features that grow for as long as the history does.
const GROWING_TIMING: [usize; 3] = [
    TIMING_COLUMNS.span,
    TIMING_COLUMNS.purchases,
    TIMING_COLUMNS.purchases_long,
];
/// The same of baskets, and the last ones hang on single days: after a day on which the store was
/// closed, all customers have been away for a day longer.
const GROWING_BASKET: [usize; 9] = [
    BASKET_COLUMNS.purchases,
    BASKET_COLUMNS.distinct_products,
    BASKET_COLUMNS.bought,
    BASKET_COLUMNS.first_days,
    BASKET_COLUMNS.product_repeaters,
    BASKET_COLUMNS.product_gap_days,
    BASKET_COLUMNS.elapsed,
    BASKET_COLUMNS.expected_days,
    BASKET_COLUMNS.product_trend_3d,
];

/// A sample of the recurrent customers of a night, with their purchases.
#[derive(Debug, Clone)]
pub struct CustomerSample {
    night: AsOf,
    rule: Rule,
    /// By ascending hash.
    chosen: Vec<SampledCustomer>,
}

#[derive(Debug, Clone)]
struct SampledCustomer {
    hash: u64,
    /// The key of the id.
    key: u64,
    purchases: OwnedPurchases,
}

impl CustomerSample {
    /// Nobody yet.
    #[must_use]
    pub fn new(night: AsOf, rule: &Rule) -> Self {
        Self {
            night,
            rule: *rule,
            chosen: vec![],
        }
    }

    /// Adds a partition, as it stands on the night: of all partitions, those with the smallest hashes
    /// are kept.
    pub fn add(&mut self, history: &History<'_>) {
        let found = self.smallest_of(history).into_iter();
        self.chosen
            .extend(found.map(|(hash, code)| SampledCustomer {
                hash,
                key: history.customers().key(code),
                purchases: OwnedPurchases::new(&history.purchases_of(code)),
            }));
        self.chosen.sort_unstable_by_key(|customer| customer.hash);
        self.chosen.truncate(SAMPLED_CUSTOMERS);
    }

    /// The recurrent customers of a partition with the smallest hashes, with their codes. The rule is
    /// asked of more and more customers until there are enough.
    fn smallest_of(&self, history: &History<'_>) -> Vec<(u64, u32)> {
        let codes = (0..history.customer_count()).into_par_iter();
        let mut hashes: Vec<(u64, u32)> = codes
            .map(|code| {
                let ids = [history.customers().key(code)];
                (Draw::FeatureSample.hash_without_seed(&ids), code)
            })
            .collect();
        let (mut found, mut looked_at) = (vec![], 0);
        while looked_at < hashes.len() && found.len() < SAMPLED_CUSTOMERS {
            let rest = &mut hashes[looked_at..];
            let more = looked_at.max(2 * SAMPLED_CUSTOMERS).min(rest.len());
            if more < rest.len() {
                rest.select_nth_unstable(more);
            }
            rest[..more].sort_unstable();
            let met = rest[..more].par_iter().filter(|(_, code)| {
                let purchases = history.purchases_of(*code);
                self.rule.met(&purchases, self.night.day())
            });
            found.extend(met.copied().collect::<Vec<_>>());
            looked_at += more;
        }
        found.truncate(SAMPLED_CUSTOMERS);
        found
    }

    /// The features of the sampled customers, as `scorer` sees the store on the night.
    #[must_use]
    pub fn features(&self, scorer: &NightScorer<'_>) -> FeatureRows {
        let compared = Compared::new();
        let of_each = self
            .chosen
            .par_iter()
            .map_init(BasketScratch::default, |scratch, customer| {
                compared.of_customer(scorer, customer, scratch)
            });
        let of_each: Vec<[FeatureColumns; 2]> = of_each.collect();
        let mut tables = compared.empty();
        for of_customer in &of_each {
            for (table, rows) in tables.iter_mut().zip(of_customer) {
                table.append(rows);
            }
        }
        FeatureRows {
            customers: self.chosen.len(),
            tables: tables.into(),
        }
    }
}

/// Which features are compared: columns of the timing and of the basket features.
struct Compared {
    timing: Vec<usize>,
    basket: Vec<usize>,
}

impl Compared {
    fn new() -> Self {
        Self {
            timing: compared(&TIMING_FEATURES, &GROWING_TIMING),
            basket: compared(&BASKET_FEATURES, &GROWING_BASKET),
        }
    }

    fn empty(&self) -> [FeatureColumns; 2] {
        let timing = self.timing.iter().map(|at| TIMING_FEATURES[*at].name);
        let basket = self.basket.iter().map(|at| BASKET_FEATURES[*at].name);
        [
            FeatureColumns::new(timing.map(|name| format!("timing.{name}")).collect()),
            FeatureColumns::new(basket.map(|name| format!("basket.{name}")).collect()),
        ]
    }

    /// The rows of one customer.
    fn of_customer(
        &self,
        scorer: &NightScorer<'_>,
        customer: &SampledCustomer,
        scratch: &mut BasketScratch,
    ) -> [FeatureColumns; 2] {
        let night = scorer.as_of.day();
        let purchases = customer.purchases.get();
        let [mut timing, mut basket] = [FeatureColumns::default(), FeatureColumns::default()];
        // Eves ascend, so that what does not change is computed once.
        let mut features = TimingFeatures::default();
        for eve in (1 - EVENINGS..=0).map(|back| night + back) {
            let row: [f32; TIMING_WIDTH] = features.on(&purchases, eve);
            let row = self.timing.iter().filter_map(|at| row.get(*at).copied());
            timing.push(row, 1.0 / EVENINGS as f32);
        }
        let expected = scorer
            .model
            .timing
            .expected_days(&mut features, &purchases, night);
        basket_features(&scorer.store, customer.key, &purchases, expected, scratch);
        let rows = scratch.rows.chunks_exact(BASKET_WIDTH);
        let bought = rows
            .zip(&scratch.candidates)
            .filter(|(_, candidate)| candidate.times > 0);
        let step = bought.clone().count().div_ceil(PRODUCTS_OF_CUSTOMER).max(1);
        let looked_at = bought.step_by(step);
        let weight = 1.0 / looked_at.clone().count().max(1) as f32;
        for (row, _) in looked_at {
            let row = self.basket.iter().filter_map(|at| row.get(*at).copied());
            basket.push(row, weight);
        }
        [timing, basket]
    }
}

/// The columns but those that say the date, and those that grow with it.
fn compared(features: &[Feature], growing: &[usize]) -> Vec<usize> {
    let columns = features.iter().enumerate();
    let of_habits = columns.filter(|(at, feature)| {
        !matches!(feature.unit, Unit::Weekday | Unit::DayOfMonth) && !growing.contains(at)
    });
    of_habits.map(|(at, _)| at).collect()
}
