use super::*;
use crate::features::basket::BASKET_WIDTH;
use crate::models::boosting::{BinnedRows, Bins, log_odds};
use crate::sampling::{hash, unit};

#[test]
fn the_strength_is_what_holds_less_its_error() {
    let moments = |covariance, information| Moments {
        covariance,
        information,
        variance: 0.0,
    };
    // 10 ÷ 20; the products miss that by 1 each: √2 ÷ 20.
    let report = strength_of(&[moments(6.0, 10.0), moments(4.0, 10.0)]);
    assert!((report.estimate - 0.5).abs() < 1e-12);
    assert!((report.standard_error - 2.0_f64.sqrt() / 20.0).abs() < 1e-12);
    assert_eq!(report.strength, report.estimate - report.standard_error);
    // Two products can agree by chance: the error is at least that of independent rows, √18 ÷ 20.
    let mut agreed = [moments(5.0, 10.0), moments(5.0, 10.0)];
    agreed[0].variance = 18.0;
    assert!((strength_of(&agreed).standard_error - 18.0_f64.sqrt() / 20.0).abs() < 1e-12);
    // Never more than the whole correction, and never its contrary.
    assert_eq!(strength_of(&[moments(30.0, 10.0)]).strength, 1.0);
    assert_eq!(strength_of(&[moments(-3.0, 10.0)]).strength, 0.0);
    assert_eq!(strength_of(&[]).strength, 0.0);
}

#[test]
fn log_loss_is_that_of_the_probability() {
    assert!((log_loss(0.0, true) - 2.0_f64.ln()).abs() < 1e-12);
    assert!((log_loss(log_odds(0.8), true) + 0.8_f64.ln()).abs() < 1e-12);
    assert!((log_loss(log_odds(0.8), false) + 0.2_f64.ln()).abs() < 1e-12);
    // However sure a model is, one mistake costs no more than a billion to one.
    assert!((log_loss(-1_000.0, true) - 1e9_f64.ln()).abs() < 1e-6);
}

/// The blocks of time: the first is only learned from, and the last calibrates.
const BOUNDS: [usize; 4] = [1_000, 4_000, LAST, ALL];
const LAST: usize = 7_000;
const ALL: usize = 10_000;
/// What the pooled model says of every row.
const POOLED: f64 = 0.2;

/// A table of rows with a value from 0 to 1 in the first correction feature, of which a row is
/// bought as `probability` of its product and value says. The products are 0, 1 and 2, of which the
/// last has few rows.
fn table(probability: impl Fn(usize, u32, f64) -> f64) -> BasketRows {
    let column = CORRECTION_COLUMNS[0];
    let value = |row: usize| unit(hash(1, &[row as u64]));
    let raw: Vec<f32> = (0..ALL)
        .flat_map(|row| {
            let mut features = [0.0_f32; BASKET_WIDTH];
            features[column] = value(row) as f32;
            features
        })
        .collect();
    let bins = Bins::from_sample(&raw, BASKET_WIDTH, 64);
    let mut rows = BinnedRows::with_capacity(BASKET_WIDTH, ALL);
    let mut product = vec![];
    for (row, features) in raw.chunks(BASKET_WIDTH).enumerate() {
        let of = if row % 100 == 0 { 2 } else { row as u32 % 2 };
        let mut binned = vec![];
        bins.bin_row(features, &mut binned);
        let bought = unit(hash(2, &[row as u64])) < probability(row, of, value(row));
        rows.extend(&binned, &[bought], &[1.0]);
        product.push(of);
    }
    BasketRows {
        rows,
        sampling_weight: vec![1.0; ALL],
        product,
        scored: vec![true; ALL],
        bins,
        fold_ends: [0, LAST, ALL],
    }
}

/// Product 1 is bought by those with a high value, as the pooled model does not know.
fn effect(product: u32, value: f64) -> f64 {
    match (product, value > 0.5) {
        (1, true) => 0.38,
        (1, false) => 0.02,
        _ => POOLED,
    }
}

fn run(table: &BasketRows) -> Corrections {
    let ids = Ids::Integer(vec![30, 20, 10]);
    let scores = vec![log_odds(POOLED) as f32; ALL];
    let parameters = CorrectionParameters::default();
    CorrectionFit {
        table,
        pooled: &scores,
        bounds: &BOUNDS,
        products: &ids,
        parameters: &parameters,
    }
    .run()
}

#[test]
fn a_habit_that_holds_is_corrected_at_nearly_full_strength() {
    let table = table(|_, product, value| effect(product, value));
    let found = run(&table);
    // The codes 0 and 1 stand for the ids 30 and 20; of product 2 there are too few rows.
    let of = |tree: &ProductTree| tree.product.clone();
    assert_eq!(
        found.products.iter().map(of).collect::<Vec<_>>(),
        ["20", "30"]
    );
    assert_eq!(found.report.tried, 2);
    assert!(found.report.strength > 0.75, "{:?}", found.report);
    let bought = (BOUNDS[0]..ALL)
        .filter(|row| table.product[*row] == 1 && table.rows.label[*row])
        .count();
    assert_eq!(found.products[0].bought, bought);
    // One step of Newton's method on some 2,200 rows of either half: ±.18 · 2,200 ÷ (.16 · 2,200
    // + 60) = ±.96.
    let at = |value: f32| {
        let of_feature = |feature| if feature == 0 { value } else { 0.0 };
        found.products[0].tree.correction(of_feature)
    };
    assert!((at(0.9) - 0.96).abs() < 0.15, "{}", at(0.9));
    assert!((at(0.1) + 0.96).abs() < 0.15, "{}", at(0.1));
}

#[test]
fn the_report_is_the_log_loss_of_the_last_block() {
    let table = table(|_, product, value| effect(product, value));
    let report = run(&table).report;
    let labels = &table.rows.label[LAST..];
    let share = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    let pooled = -share * POOLED.ln() - (1.0 - share) * (1.0 - POOLED).ln();
    assert_eq!(report.rows, ALL - LAST);
    assert!((report.pooled_log_loss - pooled).abs() < 1e-6);
    assert!(report.log_loss < pooled - 0.03, "{report:?}");
}

#[test]
fn what_does_not_hold_on_later_nights_is_not_corrected() {
    // Nothing is planted: what a tree finds is luck.
    let nothing = run(&table(|_, _, _| POOLED));
    assert_eq!(nothing.report.tried, 2);
    let changed = (nothing.report.log_loss - nothing.report.pooled_log_loss).abs();
    assert!(nothing.report.standard_error > 0.3, "{:?}", nothing.report);
    assert!(changed < 0.001, "{:?}", nothing.report);
    // The effect of product 1 turns round from block to block.
    let turned = run(&table(|row, product, value| {
        let block = BOUNDS.iter().filter(|bound| row >= **bound).count();
        effect(product, if block == 2 { value } else { 1.0 - value })
    }));
    assert_eq!(turned.report.strength, 0.0, "{:?}", turned.report);
    assert_eq!(turned.products, []);
    assert_eq!(turned.report.log_loss, turned.report.pooled_log_loss);
}

#[test]
fn a_tree_is_judged_by_rows_that_it_has_not_seen() {
    // Every row has an outcome of its own that only a tree which has seen it could know; the value
    // says it in each block by other cuts.
    let known = |row: usize, value: f64| {
        let block = BOUNDS.iter().filter(|bound| row >= **bound).count();
        f64::from(u8::from((value * f64::from(1 << block)) as u32 % 2 == 1)) * 2.0 * POOLED
    };
    let found = run(&table(|row, product, value| match product {
        1 => known(row, value),
        _ => POOLED,
    }));
    assert!(found.report.strength < 0.3, "{:?}", found.report);
}
