use super::tree::Node;
use super::*;
use crate::sampling::{hash, unit};

#[test]
fn a_block_of_rows_comes_to_the_leaves_of_each() {
    // A complete tree of depth 5 on three features, whose cuts are among the values.
    let values = [
        -1.0_f32,
        0.0,
        0.25,
        0.5,
        1.0,
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
    ];
    let inner = |at: usize| Node {
        feature: (at % 3) as u16,
        value: values[at % 5],
        left: 2 * at as u32 + 1,
    };
    let leaf = |at: usize| Node {
        feature: 0,
        value: at as f32,
        left: 0,
    };
    let tree = Tree {
        nodes: (0..31).map(inner).chain((31..63).map(leaf)).collect(),
    };
    for count in (1..=block::ROWS).chain([65, 128, 129]) {
        let rows: Vec<f32> = (0..3 * count)
            .map(|at| values[(hash(7, &[at as u64, count as u64]) % 8) as usize])
            .collect();
        let model = Boosted {
            base: 0.5,
            width: 3,
            trees: vec![tree.clone(), tree.clone()],
        };
        let alone: Vec<f64> = rows
            .chunks(3)
            .map(|row| 0.5 + 2.0 * f64::from(tree.value(row)))
            .collect();
        assert_eq!(model.log_odds_of(&rows), alone, "{count} rows");
    }
}

/// Outcomes that depend on an interaction of the first two of four features.
fn table(n: u64) -> (Vec<f32>, BinnedRows, Bins) {
    let value = |row: u64, feature: u64| (unit(hash(row, &[feature])) * 10.0) as f32;
    let raw: Vec<f32> = (0..n)
        .flat_map(|row| (0..4).map(move |feature| value(row, feature)))
        .collect();
    let bins = Bins::from_sample(&raw, 4, 64);
    let mut rows = BinnedRows::with_capacity(4, n as usize);
    for (row, values) in (0..n).zip(raw.chunks(4)) {
        let mut binned = vec![];
        bins.bin_row(values, &mut binned);
        let p = if (values[0] > 5.0) == (values[1] > 3.0) {
            0.7
        } else {
            0.1
        };
        rows.extend(&binned, &[unit(hash(row, &[77])) < p], &[1.0]);
    }
    (raw, rows, bins)
}

fn parameters() -> BoostingParameters {
    BoostingParameters {
        trees: 60,
        leaves: 8,
        learning_rate: 0.2,
        min_rows: 20,
        ..BoostingParameters::default()
    }
}

#[test]
fn an_interaction_is_learnt_with_its_probabilities() {
    let (_, rows, bins) = table(8_000);
    let fitted = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len()).unwrap();
    let p = |row: [f32; 4]| sigmoid(fitted.model.log_odds(&row));
    assert!(
        (p([8.0, 8.0, 5.0, 5.0]) - 0.7).abs() < 0.12,
        "{}",
        p([8.0, 8.0, 5.0, 5.0])
    );
    assert!(
        (p([8.0, 1.0, 5.0, 5.0]) - 0.1).abs() < 0.08,
        "{}",
        p([8.0, 1.0, 5.0, 5.0])
    );
    assert!(fitted.model.is_consistent());
}

#[test]
fn scores_of_the_table_are_those_of_the_raw_rows() {
    let (raw, rows, bins) = table(3_000);
    let fitted = Boosted::fit(&rows, &bins, &parameters(), 1, 2_000).unwrap();
    let again = fitted.model.log_odds_of(&raw);
    for ((row, score), batch) in raw.chunks(4).zip(&fitted.score).zip(again) {
        assert!((f64::from(*score) - batch).abs() < 1e-4);
        assert!((fitted.model.log_odds(row) - batch).abs() < 1e-12);
    }
}

#[test]
fn the_best_rows_get_the_scores_that_all_would_get() {
    let (raw, rows, bins) = table(1_003);
    let model = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len())
        .unwrap()
        .model;
    let all = model.log_odds_of(&raw);
    let best = model.log_odds_of_best(&raw, 4, 20, 100);
    assert_eq!(best.len(), 100);
    assert!(
        best.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && best.iter().all(|(at, score)| *score == all[*at])
    );
    assert_eq!(
        model.log_odds_of_best(&raw, 4, 20, 5_000),
        all.into_iter().enumerate().collect::<Vec<_>>()
    );
    // The best by 20 trees of 60 are mostly the best by all.
    let mut ranked = model.log_odds_of_best(&raw, 4, 1_000, 100);
    ranked.retain(|one| best.contains(one));
    assert!(ranked.len() > 60, "{}", ranked.len());
}

#[test]
fn a_leaf_that_names_no_feature_is_inconsistent() {
    let (_, rows, bins) = table(1_000);
    let mut model = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len())
        .unwrap()
        .model;
    assert!(model.is_consistent());
    let leaf = model.trees[0]
        .nodes
        .iter()
        .position(|node| node.left == 0)
        .unwrap();
    model.trees[0].nodes[leaf].feature = 60_000;
    assert!(!model.is_consistent());
}

#[test]
fn rows_after_the_taken_ones_do_not_matter() {
    let (_, mut rows, bins) = table(3_000);
    let first = Boosted::fit(&rows, &bins, &parameters(), 1, 2_000)
        .unwrap()
        .model;
    rows.label[2_000..]
        .iter_mut()
        .for_each(|label| *label = !*label);
    assert_eq!(
        Boosted::fit(&rows, &bins, &parameters(), 1, 2_000)
            .unwrap()
            .model,
        first
    );
}

#[test]
fn a_weight_counts_like_copies_of_the_row() {
    let (_, rows, bins) = table(2_000);
    let mut weighted = rows.clone();
    weighted
        .weight
        .iter_mut()
        .zip(&rows.label)
        .for_each(|(weight, label)| *weight = if *label { 3.0 } else { 1.0 });
    let plain = Boosted::fit(&rows, &bins, &parameters(), 1, rows.len())
        .unwrap()
        .model;
    let heavy = Boosted::fit(&weighted, &bins, &parameters(), 1, rows.len())
        .unwrap()
        .model;
    assert!((heavy.base - plain.base - 3.0_f64.ln()).abs() < 1e-9);
    assert!(heavy.log_odds(&[8.0, 8.0, 5.0, 5.0]) > plain.log_odds(&[8.0, 8.0, 5.0, 5.0]) + 0.5);
}

#[test]
fn one_sided_outcomes_are_refused() {
    let (_, mut rows, bins) = table(100);
    rows.label.fill(true);
    assert!(Boosted::fit(&rows, &bins, &parameters(), 1, 100).is_err());
}
