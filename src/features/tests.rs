//! Features beside the obvious way to compute each, and what holds for all of them.

mod basket;
mod store_snapshot;
mod timing;

use proptest::prelude::*;

use super::basket::{BASKET_FEATURES, BasketScratch, basket_features};
use super::store_snapshot::{CandidateLimits, StoreSnapshot};
use super::timing::{TIMING_FEATURES, timing_features};
use super::{Feature, Unit};
use crate::calendar::{AsOf, Day};
use crate::domain::Ids;
use crate::purchases::{Line, Purchases};

/// Of each customer, the purchases: days since the purchase before, and products.
type Story = Vec<Vec<(i32, Vec<u32>)>>;

/// A purchase by its day and products.
type Bought = (i32, Vec<u32>);

const PRODUCTS: u32 = 15;
const LIMITS: CandidateLimits = CandidateLimits {
    bought: 100,
    new: 5,
};

/// A few customers over a few months, some of whom stay away for long.
fn stories() -> impl Strategy<Value = Story> {
    let gap = prop_oneof![12 => 1_i32..9, 1 => 20_i32..140];
    let basket = prop::collection::btree_set(0..PRODUCTS, 1..8)
        .prop_map(|basket| basket.into_iter().collect::<Vec<u32>>());
    prop::collection::vec(prop::collection::vec((gap, basket), 1..40), 1..6)
}

fn lines(story: &Story) -> Vec<Line> {
    let mut out = vec![];
    for (customer, purchases) in (0..).zip(story) {
        let mut day = 0;
        for (gap, basket) in purchases {
            day += gap;
            out.extend(basket.iter().map(|product| Line {
                customer,
                day: Day::from_epoch(day),
                product: *product,
            }));
        }
    }
    out
}

fn purchases(lines: Vec<Line>, customers: usize) -> Purchases {
    Purchases::from_lines(
        Ids::Integer((0..customers as i64).collect()),
        Ids::Integer((0..i64::from(PRODUCTS)).collect()),
        lines,
    )
    .unwrap()
}

fn night(day: i32) -> AsOf {
    AsOf(Day::from_epoch(day))
}

/// The customer or product of a story that a code stands for.
fn number(ids: &Ids, code: u32) -> u32 {
    ids.get(code).unwrap().to_string().parse().unwrap()
}

/// The purchases of a customer up to a night, the slow way.
fn bought_by(story: &Story, customer: u32, night: i32) -> Vec<Bought> {
    let mut day = 0;
    let mut out = vec![];
    for (gap, basket) in &story[customer as usize] {
        day += gap;
        out.push((day, basket.clone()));
    }
    out.retain(|(day, _)| *day <= night);
    out
}

/// The weekday of a day since 1970-01-01, which was a Thursday; 0 = Monday.
fn weekday(day: i32) -> i32 {
    (day + 3).rem_euclid(7)
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Fails by name where a value of a row is not what its oracle says; `None` is a missing value.
fn agrees(feature: &Feature, found: f32, expected: Option<f64>) -> Result<(), TestCaseError> {
    let (found, expected) = (f64::from(found), expected.unwrap_or(-1.0));
    prop_assert!(
        (found - expected).abs() <= 1e-4 * (1.0 + found.abs().max(expected.abs())),
        "{}: found {found}, expected {expected}",
        feature.name
    );
    Ok(())
}

/// The oracles in the order of the features.
///
/// Panics for a feature without an oracle, an oracle without a feature, and a name that stands
/// twice.
fn in_order<Oracle: Copy>(features: &[Feature], oracles: &[(&str, Oracle)]) -> Vec<Oracle> {
    for (name, _) in oracles {
        let count = |names: &mut dyn Iterator<Item = &str>| names.filter(|n| n == name).count();
        assert_eq!(
            count(&mut features.iter().map(|feature| feature.name)),
            1,
            "features of the name {name}, which has an oracle"
        );
        assert_eq!(
            count(&mut oracles.iter().map(|(name, _)| *name)),
            1,
            "oracles of the name {name}"
        );
    }
    let oracle = |feature: &Feature| {
        let mut found = oracles.iter().filter(|(name, _)| *name == feature.name);
        let (_, oracle) = found
            .next()
            .unwrap_or_else(|| panic!("the feature {} has no oracle", feature.name));
        *oracle
    };
    features.iter().map(oracle).collect()
}

#[test]
fn every_feature_has_an_oracle_and_every_oracle_a_feature() {
    in_order(&TIMING_FEATURES, &timing::ORACLES);
    in_order(&BASKET_FEATURES, &basket::ORACLES);
}

#[test]
#[should_panic(expected = "the feature span has no oracle")]
fn a_feature_without_an_oracle_is_noticed() {
    in_order(&TIMING_FEATURES[..2], &[("elapsed", 1)]);
}

#[test]
#[should_panic(expected = "features of the name spam, which has an oracle")]
fn an_oracle_without_a_feature_is_noticed() {
    in_order(&TIMING_FEATURES[..1], &[("elapsed", 1), ("spam", 2)]);
}

#[test]
fn every_feature_is_documented_in_a_sentence() {
    for feature in TIMING_FEATURES.iter().chain(&BASKET_FEATURES) {
        let Feature { name, unit, doc } = feature;
        assert!(
            doc.ends_with('.') && !doc.contains("  ") && !doc.contains('\n') && doc.len() > 10,
            "{name}: {doc:?}"
        );
        assert!(!unit.name().is_empty());
    }
    assert_eq!(
        TIMING_FEATURES[0],
        Feature {
            name: "elapsed",
            unit: Unit::Days,
            doc: "Days from the latest purchase to the eve."
        }
    );
}

/// What is seen of all customers on a night: ids and bits.
type SeenRows = Vec<(u32, Vec<u32>, Vec<u32>, Vec<u32>)>;

fn seen_on(purchases: &Purchases, night: AsOf) -> SeenRows {
    let history = purchases.until(night);
    let store = StoreSnapshot::new(&history, LIMITS, 1);
    let mut scratch = BasketScratch::default();
    let mut seen = vec![];
    for customer in 0..history.customer_count() {
        let known = history.purchases_of(customer);
        if known.is_empty() {
            continue;
        }
        let timing = timing_features(&known, night.day());
        let key = history.customers().key(customer);
        basket_features(&store, key, &known, 2.0, &mut scratch);
        seen.push((
            number(history.customers(), customer),
            timing.iter().map(|value| value.to_bits()).collect(),
            scratch
                .candidates
                .iter()
                .map(|candidate| number(history.products(), candidate.product))
                .collect(),
            scratch.rows.iter().map(|value| value.to_bits()).collect(),
        ));
    }
    seen
}

proptest! {
    /// Whatever happens after the night, no feature knows it.
    #[test]
    fn the_future_does_not_leak(story in stories(), other in stories(), day in 20_i32..80) {
        let night = night(day);
        let all = lines(&story);
        let known: Vec<Line> = all.iter().copied().filter(|line| line.day <= night.day()).collect();
        let future = lines(&other).into_iter().filter(|line| line.day > night.day());
        let mut changed = known.clone();
        changed.extend(future.filter(|line| (line.customer as usize) < story.len()));
        let expected = seen_on(&purchases(known, story.len()), night);
        prop_assert_eq!(seen_on(&purchases(all, story.len()), night), expected.clone());
        prop_assert_eq!(seen_on(&purchases(changed, story.len()), night), expected);
    }
}
