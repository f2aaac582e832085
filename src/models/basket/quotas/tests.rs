use proptest::prelude::*;

use super::*;

fn parameters(days: u32, max_training_rows: usize) -> BasketParameters {
    BasketParameters {
        days,
        max_training_rows,
        background_share: 0.25,
        min_negatives: 0.25,
        ..BasketParameters::default()
    }
}

fn strata(target: usize, background: usize) -> Strata<usize> {
    Strata { target, background }
}

/// 20 candidates that are not bought for each that is.
const CANDIDATES: CandidateMeans = CandidateMeans {
    all: 21.0,
    bought: 1.0,
};

#[test]
fn quotas_worked_by_hand() {
    // 56 days, of which the last 28 are not counted: twice as many are expected in all, 100 of the
    // target and 800 of the background. 1,100 rows are 11 for each of the target: the bought one
    // and half of the 20 others. With 11 rows each, 100 snapshots have room: at least a quarter
    // of the background, 25 of 800, and 75 of 100 of the target.
    let quotas = SamplingQuotas::new(strata(50, 400), 56, CANDIDATES, &parameters(56, 1_100));
    assert_eq!(
        quotas,
        SamplingQuotas {
            snapshots: Strata {
                target: 0.75,
                background: 0.031_25,
            },
            negatives: 0.5,
            rows_per_snapshot: 11.0,
        }
    );
}

#[test]
fn where_there_is_room_everything_is_kept() {
    let quotas = SamplingQuotas::new(strata(50, 400), 56, CANDIDATES, &parameters(56, 1_000_000));
    assert_eq!(quotas.negatives, 1.0);
    assert!(quotas.snapshots.target >= 1.0 && quotas.snapshots.background >= 1.0);
}

#[test]
fn where_there_is_hardly_room_the_least_share_of_the_candidates_is_kept() {
    // 100 rows for 100 snapshots of the target: a quarter of 20 and the bought one, 6 rows each.
    let quotas = SamplingQuotas::new(strata(50, 0), 56, CANDIDATES, &parameters(56, 120));
    assert_eq!((quotas.negatives, quotas.rows_per_snapshot), (0.25, 6.0));
    // 120 rows are 20 snapshots of 100.
    assert_eq!(quotas.snapshots.target, 0.2);
}

#[test]
fn a_history_of_less_than_a_month_grows_fourfold_at_most() {
    // 20 days less 28 would be fewer than none; a quarter of 20 days stands for the counted ones.
    let quotas = SamplingQuotas::new(strata(25, 0), 20, CANDIDATES, &parameters(20, 1_100));
    // 4 · 25 = 100 snapshots are expected, as in the first example.
    assert_eq!(quotas.negatives, 0.5);
}

proptest! {
    #[test]
    fn the_expected_rows_fit(
        target in 0_usize..5_000,
        background in 0_usize..50_000,
        all in 4.0..150.0_f64,
        bought_share in 0.0..0.5_f64,
        max_rows in 1_000_usize..1_000_000,
    ) {
        let parameters = parameters(150, max_rows);
        let candidates = CandidateMeans { all, bought: all * bought_share };
        let quotas = SamplingQuotas::new(strata(target, background), 150, candidates, &parameters);
        prop_assert!((parameters.min_negatives..=1.0).contains(&quotas.negatives));
        let grown = 150.0 / 122.0;
        let kept = |count: usize, share: f64| grown * count as f64 * share.min(1.0);
        let snapshots =
            kept(target, quotas.snapshots.target) + kept(background, quotas.snapshots.background);
        let rows = snapshots * quotas.rows_per_snapshot;
        // A snapshot counts as a row at least.
        prop_assert!(snapshots * quotas.rows_per_snapshot.max(1.0) <= max_rows as f64 + 1e-3);
        let everything = grown * (target + background) as f64 * candidates.all;
        if everything <= max_rows as f64 && target > 0 {
            prop_assert!((rows - everything).abs() <= 1e-6 * everything.max(1.0), "{} {}", rows, everything);
        }
    }
}

#[test]
fn a_pilot_sample_is_spread_over_the_customers_of_a_night() {
    let on = |night: i32, customers: u32| {
        (0..customers).map(move |customer| Snapshot {
            customer,
            night: Day::from_epoch(night),
            next: Day::from_epoch(night + 3),
            nights: 1,
        })
    };
    let snapshots: Vec<Snapshot> = on(1, 5).chain(on(2, 130)).collect();
    let customers = |night: i32| -> Vec<u32> {
        spread(&snapshots, Day::from_epoch(night))
            .map(|snapshot| snapshot.customer)
            .collect()
    };
    assert_eq!(customers(1), [0, 1, 2, 3, 4]);
    // 130 are more than twice 60: every third.
    assert_eq!(customers(2), (0..130).step_by(3).collect::<Vec<u32>>());
    assert!(customers(3).is_empty());
}
