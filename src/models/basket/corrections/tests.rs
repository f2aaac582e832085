use super::*;
use crate::features::basket::BASKET_WIDTH;
use crate::models::boosting::{BinnedRows, Bins, log_odds};
use crate::sampling::{hash, unit};

#[test]
fn a_tree_passes_the_gate_by_a_gain_above_chance() {
    // Nine gains of 1: 9 is more than 2 · √9. Four: 4 is not more than 2 · √4. Five: 5 > 4.47.
    assert!(passes_gate(&[1.0; 9], 5));
    assert!(!passes_gate(&[1.0; 4], 5));
    assert!(passes_gate(&[1.0; 5], 5));
    // A large gain of one row and losses elsewhere are luck: 1 against 2 · √11.
    assert!(!passes_gate(&[3.0, -1.0, -1.0], 5));
    assert!(!passes_gate(&[-1.0; 9], 5));
    assert!(!passes_gate(&[], 5));
    // Four purchases are too few to judge by.
    assert!(!passes_gate(&[1.0; 9], 4));
}

#[test]
fn log_loss_is_that_of_the_probability() {
    assert!((log_loss(0.0, true) - 2.0_f64.ln()).abs() < 1e-12);
    assert!((log_loss(log_odds(0.8), true) + 0.8_f64.ln()).abs() < 1e-12);
    assert!((log_loss(log_odds(0.8), false) + 0.2_f64.ln()).abs() < 1e-12);
    // However sure a model is, one mistake costs no more than a billion to one.
    assert!((log_loss(-1_000.0, true) - 1e9_f64.ln()).abs() < 1e-6);
}

/// Rows before the held-out ones, and those.
const EARLY: usize = 6_000;
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
        fold_ends: [0, EARLY, ALL],
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

fn run(table: &BasketRows) -> GatedCorrections {
    let ids = Ids::Integer(vec![30, 20, 10]);
    let scores = vec![log_odds(POOLED) as f32; ALL];
    let parameters = CorrectionParameters::default();
    CorrectionFit::new(table, &scores, EARLY..ALL, &ids, &parameters).run()
}

#[test]
fn only_a_product_of_which_the_pooled_model_is_wrong_gets_a_tree() {
    let table = table(|_, product, value| effect(product, value));
    let found = run(&table);
    assert_eq!((found.gate.tried, found.gate.kept), (2, 1));
    let [tree] = found.products.as_slice() else {
        panic!("{:?}", found.products);
    };
    // The code 1 stands for the id 20.
    assert_eq!(tree.product, "20");
    let bought = |rows: Range<usize>| {
        rows.filter(|row| table.product[*row] == 1 && table.rows.label[*row])
            .count()
    };
    assert_eq!(
        (tree.bought, tree.held_out_bought),
        (bought(0..EARLY), bought(EARLY..ALL))
    );
    // One step of Newton's method on some 1,470 rows of either half: ±.18 · 1,470 ÷ (.16 · 1,470
    // + 10) = ±1.08.
    let at = |value: f32| {
        let of_feature = |feature| if feature == 0 { value } else { 0.0 };
        tree.tree.correction(of_feature)
    };
    assert!((at(0.9) - 1.08).abs() < 0.15, "{}", at(0.9));
    assert!((at(0.1) + 1.08).abs() < 0.15, "{}", at(0.1));
}

#[test]
fn the_report_is_the_log_loss_of_the_held_out_rows() {
    let table = table(|_, product, value| effect(product, value));
    let found = run(&table);
    let labels = &table.rows.label[EARLY..];
    let share = labels.iter().filter(|label| **label).count() as f64 / labels.len() as f64;
    let pooled = -share * POOLED.ln() - (1.0 - share) * (1.0 - POOLED).ln();
    assert_eq!(found.gate.rows, ALL - EARLY);
    assert!((found.gate.pooled_log_loss - pooled).abs() < 1e-6);
    // What the kept tree gains over all held-out rows is what the report says.
    let gain: f64 = found.products.iter().map(|product| product.gain).sum();
    let difference = found.gate.pooled_log_loss - found.gate.log_loss;
    assert!((difference * (ALL - EARLY) as f64 - gain).abs() < 1e-6);
    assert!(gain > 100.0, "{gain}");
}

#[test]
fn what_does_not_hold_on_later_nights_is_not_kept() {
    // The effect of product 1 turns round after the days that the tree has seen.
    let turned =
        table(|row, product, value| effect(product, if row < EARLY { value } else { 1.0 - value }));
    let found = run(&turned);
    assert_eq!((found.gate.tried, found.gate.kept), (2, 0));
    assert_eq!(found.gate.log_loss, found.gate.pooled_log_loss);
}

#[test]
fn a_tree_is_fitted_without_the_rows_that_judge_it() {
    let one = table(|_, product, value| effect(product, value));
    // The same before the held-out rows; in these a stronger effect, which the gate accepts, too.
    let other = table(|row, product, value| match (product, row < EARLY) {
        (1, false) => f64::from(u8::from(value > 0.5)),
        _ => effect(product, value),
    });
    let (one, other) = (run(&one), run(&other));
    assert_eq!(one.products[0].tree, other.products[0].tree);
    assert_ne!(one.products[0].gain, other.products[0].gain);
}

#[test]
fn probabilities_are_calibrated_after_the_corrections() {
    // All products are bought twice as often as the pooled model says, on the held-out nights
    // alone: too late for a tree.
    let table = table(|row, _, _| if row < EARLY { POOLED } else { 2.0 * POOLED });
    let found = run(&table);
    assert_eq!(found.gate.kept, 0);
    let probability = found.calibration.probability(log_odds(POOLED));
    assert!((probability - 0.4).abs() < 0.02, "{probability}");
}

#[test]
fn customers_whom_a_run_scores_calibrate_where_they_bought_enough() {
    let ids = Ids::Integer(vec![30, 20, 10]);
    let scores = vec![0.0; ALL];
    let parameters = CorrectionParameters::default();
    let corrected: Vec<f64> = (EARLY..ALL).map(|row| row as f64).collect();
    let mut table = table(|_, _, _| 0.5);
    let points = |table: &BasketRows| {
        CorrectionFit::new(table, &scores, EARLY..ALL, &ids, &parameters)
            .calibration_points(&corrected)
    };
    // So many of the bought rows are of scored customers, and all of the others.
    let score_bought = |table: &mut BasketRows, wanted: usize| {
        let mut count = 0;
        for row in EARLY..ALL {
            table.scored[row] = !table.rows.label[row] || count < wanted;
            count += usize::from(table.rows.label[row]);
        }
    };
    score_bought(&mut table, 999);
    assert_eq!(points(&table).len(), ALL - EARLY);
    score_bought(&mut table, 1_000);
    table.sampling_weight = (0..ALL).map(|row| row as f32 + 0.5).collect();
    let found = points(&table);
    let expected: Vec<(f64, bool, f64)> = (EARLY..ALL)
        .filter(|row| table.scored[*row])
        .map(|row| (row as f64, table.rows.label[row], row as f64 + 0.5))
        .collect();
    assert!(expected.len() < ALL - EARLY);
    assert_eq!(found, expected);
}
