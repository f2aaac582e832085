use super::super::protocol::RankingMetrics;
use super::*;
use crate::calendar::{AsOf, Day};

/// One night; each customer's error.
fn night(errors: &[f64]) -> NightRows {
    let row = |(customer, error): (u32, &f64)| EvaluationRow {
        customer,
        actual_days: Some(5),
        predicted_days: Some(5.0 + error),
        interval: None,
        return_probability: None,
        rankings: Some(
            [RankingMetrics {
                recall: error / 10.0,
                ndcg: error / 20.0,
                ..RankingMetrics::default()
            }; 3],
        ),
    };
    NightRows {
        as_of: AsOf(Day::from_epoch(17_000)),
        followed_days: 28,
        rows: (0..).zip(errors).map(row).collect(),
        listed_products: vec![],
    }
}

#[test]
fn the_interval_is_about_the_standard_error_of_the_mean() {
    // 400 errors, half 1 and half 3: a mean of 2 with a standard error of 1/20.
    let errors: Vec<f64> = (0..400)
        .map(|at| if at % 2 == 0 { 1.0 } else { 3.0 })
        .collect();
    let nights = [night(&errors)];
    let bootstrap = Bootstrap::new(&[&nights]);
    let interval = bootstrap.interval(0, Figure::MaeAll).unwrap();
    assert!(
        (interval.low - (2.0 - 1.96 / 20.0)).abs() < 0.015,
        "{interval:?}"
    );
    assert!(
        (interval.high - (2.0 + 1.96 / 20.0)).abs() < 0.015,
        "{interval:?}"
    );
    let recall = bootstrap.interval(0, Figure::RecallAt10).unwrap();
    assert!(
        (recall.low - interval.low / 10.0).abs() < 1e-4
            && (recall.high - interval.high / 10.0).abs() < 1e-4,
        "the same draws"
    );
    // A customer's nights stay together: twice the nights make the same interval, not a narrower
    // one.
    let twice = [night(&errors), night(&errors)];
    assert_eq!(
        Bootstrap::new(&[&twice]).interval(0, Figure::MaeAll),
        Some(interval)
    );
}

#[test]
fn differences_are_paired() {
    let errors: Vec<f64> = (0..50).map(|at| f64::from(at % 7)).collect();
    let more: Vec<f64> = errors.iter().map(|error| error + 0.25).collect();
    let (one, two) = ([night(&errors)], [night(&more)]);
    let bootstrap = Bootstrap::new(&[&one, &two]);
    assert_eq!(
        bootstrap.difference(1, 0, Figure::Mae),
        Some(Interval {
            low: 0.25,
            high: 0.25
        }),
        "each customer is worse by as much"
    );
    assert_eq!(
        bootstrap.difference(0, 0, Figure::Mae),
        Some(Interval {
            low: 0.0,
            high: 0.0
        })
    );
}

#[test]
fn it_is_the_same_on_any_number_of_threads() {
    let nights = [night(&(0..30).map(f64::from).collect::<Vec<_>>())];
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| Bootstrap::new(&[&nights]).replicates)
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn what_cannot_be_measured_has_no_interval() {
    let one = [night(&[1.0])];
    assert_eq!(
        Bootstrap::new(&[&one]).interval(0, Figure::Mae),
        None,
        "one customer"
    );
    let short = [NightRows {
        followed_days: 27,
        ..night(&[1.0, 2.0])
    }];
    let bootstrap = Bootstrap::new(&[&short]);
    assert_eq!(
        (
            bootstrap.interval(0, Figure::MaeAll),
            bootstrap.interval(1, Figure::Mae)
        ),
        (None, None)
    );
    assert!(bootstrap.interval(0, Figure::Mae).is_some());
    assert_eq!(Bootstrap::new(&[]).interval(0, Figure::Mae), None);
}

#[test]
fn percentiles_are_interpolated() {
    // numpy.quantile([0, 1, 2, 3], [.025, .975])
    assert_eq!(
        interval(vec![3.0, 0.0, 2.0, 1.0]),
        Some(Interval {
            low: 0.075,
            high: 2.925
        })
    );
    assert_eq!(interval(vec![]), None);
}
