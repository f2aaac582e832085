use proptest::prelude::*;

use super::super::protocol::ListedProduct;
use super::*;
use crate::calendar::{AsOf, Day};

fn row(customer: u32, days: Option<i32>, predicted: f64) -> EvaluationRow {
    EvaluationRow {
        customer,
        actual_days: days,
        predicted_days: Some(predicted),
        interval: None,
        return_probability: None,
        rankings: None,
    }
}

fn night(followed_days: i32, rows: Vec<EvaluationRow>) -> NightRows {
    NightRows {
        as_of: AsOf(Day::from_epoch(17_000)),
        followed_days,
        rows,
        listed_products: vec![],
    }
}

#[test]
fn timing_by_hand() {
    // Errors of those who returned: −1.5, 2, 4 and, on the night that is followed for 10 days only,
    // −0.5.
    let nights = [
        night(
            28,
            vec![
                row(0, Some(3), 1.5),
                row(1, Some(5), 7.0),
                row(2, Some(6), 10.0),
                row(3, None, 20.0),
                row(4, None, 40.0),
            ],
        ),
        night(10, vec![row(0, Some(2), 1.5), row(1, None, 9.0)]),
    ];
    let f = figures(&nights);
    assert_eq!((f.rows, f.returned, f.nights, f.customers), (7, 4, 2, 5));
    let basis = |predictions, customers, nights| FigureBasis {
        predictions,
        customers,
        nights,
    };
    let rests_on = [("mae", basis(4, 3, 2)), ("mae_all", basis(5, 5, 1))];
    assert_eq!(
        f.rests_on,
        rests_on
            .map(|(name, basis)| (name.to_owned(), basis))
            .into()
    );
    assert_eq!(
        (f.mae, f.median_ae, f.bias),
        (Some(2.0), Some(1.75), Some(1.0))
    );
    // 1.5, 2, 4, 28 − 20, and 0 for the one later than the horizon; the second night is not
    // followed for long enough.
    assert_eq!(f.mae_all, Some(3.1));
    // Whole days: 1.5 → 2 (to even), 7, 10, 1.5 → 2: misses 1, 2, 4, 0.
    assert_eq!((f.within_1, f.within_3), (Some(0.5), Some(0.75)));
    assert_eq!(
        (f.recall_at_10, f.coverage_80, f.brier_return_7d, f.pairs),
        (None, None, None, None)
    );
}

#[test]
fn halves_go_to_the_even_day_but_never_below_the_first() {
    let within = |predicted: f64, days: i32| {
        figures(&[night(28, vec![row(0, Some(days), predicted)])]).within_1
    };
    assert_eq!(within(2.5, 1), Some(1.0), "2.5 is 2");
    assert_eq!(within(3.5, 2), Some(0.0), "3.5 is 4");
    assert_eq!(within(1.0, 2), Some(1.0));
}

#[test]
fn intervals_count_only_where_the_outcome_is_known() {
    let row = |days: Option<i32>, interval: (i32, i32)| EvaluationRow {
        interval: Some(interval),
        ..row(0, days, 5.0)
    };
    let f = figures(&[
        // In, at both ends; out; not back by the end of the interval: out; not back, but the
        // interval goes on: unknown.
        night(
            28,
            vec![
                row(Some(2), (2, 6)),
                row(Some(6), (2, 6)),
                row(Some(7), (2, 6)),
                row(None, (1, 28)),
                row(None, (1, 29)),
            ],
        ),
        // Followed for 9 days: an interval to day 9 is known to have failed, one to day 10 is not.
        night(9, vec![row(None, (4, 9)), row(None, (4, 10))]),
    ]);
    assert_eq!(f.coverage_80, Some(0.4));
    assert_eq!(f.width_80, Some((5.0 * 3.0 + 28.0 + 6.0) / 5.0));
}

#[test]
fn return_probabilities_use_nights_that_are_followed() {
    let row = |days: Option<i32>, returns: [f64; 3]| EvaluationRow {
        return_probability: Some(returns),
        ..row(0, days, 5.0)
    };
    let f = figures(&[
        night(
            14,
            vec![row(Some(7), [0.5, 1.0, 1.0]), row(Some(8), [0.5, 0.0, 0.0])],
        ),
        night(
            7,
            vec![row(None, [0.0, 0.3, 0.9]), row(Some(1), [1.0, 0.3, 0.9])],
        ),
    ]);
    assert_eq!(
        (f.brier_return_7d, f.brier_base_7d),
        (Some(0.125), Some(0.25))
    );
    // One point a bin: 0.5 and 0.5 are each half wrong.
    assert_eq!(f.ece_return_7d, Some(0.25));
    assert_eq!(
        (f.brier_return_14d, f.brier_base_14d, f.ece_return_14d),
        (Some(0.5), Some(0.0), Some(0.5)),
        "the first night alone"
    );
    assert_eq!(
        (f.brier_return_28d, f.brier_base_28d, f.ece_return_28d),
        (None, None, None)
    );
}

#[test]
fn products_by_hand() {
    let mut night = night(28, vec![]);
    night.listed_products = vec![
        ListedProduct {
            customer: 0,
            probability: 0.0,
            bought: true,
        },
        ListedProduct {
            customer: 0,
            probability: 0.75,
            bought: true,
        },
        ListedProduct {
            customer: 0,
            probability: 0.5,
            bought: false,
        },
    ];
    let f = figures(&[night]);
    assert_eq!(f.pairs, Some(3));
    let log_loss = -(1e-6_f64.ln() + 0.75_f64.ln() + 0.5_f64.ln()) / 3.0;
    assert_eq!(f.log_loss_products, Some(rounded(log_loss, 4)));
    assert_eq!(
        f.ece_products,
        Some(rounded((1.0 - 1e-6 + 0.25 + 0.5) / 3.0, 4))
    );
}

/// Expected: judge.py's `reliability` on these points (numpy 2.4).
const RELIABILITY: f64 = 0.34782608695652173;

#[test]
fn bins_have_equal_counts_and_keep_the_order_of_ties() {
    let points: Vec<(f64, bool)> = (0..23)
        .map(|i| (f64::from(i * 7 % 5) / 5.0, i % 3 == 0))
        .collect();
    let bins = reliability(&points);
    let sizes: Vec<f64> = bins.iter().map(|bin| (bin.share * 23.0).round()).collect();
    assert_eq!(sizes, [3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]);
    assert!(
        (calibration_error(&bins).unwrap() - RELIABILITY).abs() < 1e-12,
        "{:?}",
        calibration_error(&bins)
    );
    assert_eq!(
        reliability(&points[..4]).len(),
        4,
        "empty bins do not count"
    );
    assert_eq!(calibration_error(&reliability(&[])), None);
}

#[test]
fn nothing_gives_nothing() {
    let json = serde_json::to_value(figures(&[])).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"rows": 0, "returned": 0, "nights": 0, "customers": 0})
    );
}

/// The keys that `judge.py --json` prints, in its order.
#[test]
fn the_names_are_those_of_the_protocol() {
    let some = serde_json::to_string(&figures(&[NightRows {
        listed_products: vec![ListedProduct {
            customer: 0,
            probability: 0.5,
            bought: true,
        }],
        ..night(
            28,
            vec![EvaluationRow {
                interval: Some((1, 2)),
                return_probability: Some([0.5; 3]),
                rankings: Some([RankingMetrics::default(); 3]),
                ..row(0, Some(1), 1.0)
            }],
        )
    }]))
    .unwrap();
    let names: Vec<&str> = some
        .split(['{', ','])
        .filter_map(|part| part.strip_prefix('"')?.split('"').next())
        .collect();
    let mut expected = "rows returned mae mae_all median_ae within_1 within_3 bias".to_owned();
    for cut in [5, 10, 20] {
        expected.push_str(&format!(
            " recall@{cut} precision@{cut} ndcg@{cut} hit@{cut}"
        ));
    }
    expected.push_str(" nights coverage_80 width_80");
    for days in [7, 14, 28] {
        expected.push_str(&format!(
            " brier_return_{days}d brier_base_{days}d ece_return_{days}d"
        ));
    }
    expected.push_str(" pairs ece_products log_loss_products");
    // And what okuo says besides.
    expected.push_str(" customers");
    assert_eq!(names.join(" "), expected);
    assert_eq!(
        serde_json::from_str::<Figures>(&some).unwrap().mae,
        Some(0.0)
    );
}

proptest! {
    /// With distinct probabilities no figure depends on the order of rows.
    #[test]
    fn figures_do_not_depend_on_the_order_of_rows(
        outcomes in prop::collection::vec((prop::option::of(1_i32..28), 4_u32..200, 1_i32..10, 1_i32..30), 1..40),
        turn in 0_usize..40,
    ) {
        let count = outcomes.len();
        let rows: Vec<EvaluationRow> = outcomes
            .iter()
            .enumerate()
            .map(|(at, (days, predicted, first, width))| EvaluationRow {
                interval: Some((*first, first + width)),
                return_probability: Some([0.1, 0.2, 0.3].map(|p| p + 0.5 * at as f64 / count as f64)),
                // Quarters, so that sums are exact in any order.
                ..row(at as u32, *days, f64::from(*predicted) / 4.0)
            })
            .collect();
        let mut turned = rows.clone();
        turned.rotate_left(turn % count);
        let (straight, turned) = (figures(&[night(28, rows)]), figures(&[night(28, turned)]));
        prop_assert!(straight.coverage_80.is_none_or(|share| (0.0..=1.0).contains(&share)));
        prop_assert!(straight.within_1 <= straight.within_3);
        prop_assert!(straight.bias.unwrap_or(0.0).abs() <= straight.mae.unwrap_or(0.0));
        let near = |a: Option<f64>, b: Option<f64>| a.is_some() == b.is_some() && (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 2e-4;
        prop_assert!(near(straight.brier_return_7d, turned.brier_return_7d) && near(straight.ece_return_28d, turned.ece_return_28d));
        let exact = |f: &Figures| (f.mae, f.mae_all, f.median_ae, f.within_1, f.bias, f.coverage_80, f.width_80);
        prop_assert_eq!(exact(&straight), exact(&turned));
    }
}
