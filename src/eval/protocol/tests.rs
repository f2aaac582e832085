use proptest::prelude::*;

use super::*;
use crate::domain::Funnel;
use crate::domain::{CustomerPrediction, Evidence, ProductModel, ProductPrediction};
use crate::purchases::{Line, Purchases};

const NIGHT: Day = Day::from_epoch(17_000);

fn line(customer: u32, day: i32, product: u32) -> Line {
    Line {
        customer,
        day: NIGHT + day,
        product,
    }
}

/// Customers 9, 10 and 11; products 5, 40 and 300. Customer 9 returns on day 3 with 5 and 300, 10
/// on day 29, 11 never.
fn purchases() -> Purchases {
    let lines = vec![
        line(0, -4, 0),
        line(0, 3, 0),
        line(0, 3, 2),
        line(0, 5, 1),
        line(1, 0, 1),
        line(1, 29, 1),
        line(2, -1, 2),
    ];
    Purchases::from_lines(
        Ids::Integer(vec![9, 10, 11]),
        Ids::Integer(vec![5, 40, 300]),
        lines,
    )
    .unwrap()
}

fn product(product: u32, probability: f64) -> ProductPrediction {
    ProductPrediction {
        product,
        probability,
        times_bought: 1,
        days_since_bought: None,
        typical_gap_days: None,
        model: ProductModel::Pooled,
        evidence: Evidence::Own {
            lately: 1,
            purchases: 1,
        },
    }
}

fn customer(
    customer: u32,
    days_to_next: f64,
    interval: (i32, i32),
    products: Vec<ProductPrediction>,
) -> CustomerPrediction {
    CustomerPrediction {
        customer,
        last_purchase: NIGHT,
        purchases_90d: 1,
        days_to_next,
        earliest: NIGHT + interval.0,
        latest: NIGHT + interval.1,
        return_probability: [0.2, 0.5, 0.9],
        next_on: [0.0; 28],
        expected_basket_size: 1.0,
        products,
        further: vec![],
    }
}

/// Predictions with dictionaries of their own: the product with code 2 in the purchases has code 1.
fn predictions(customers: Vec<CustomerPrediction>) -> Predictions {
    let funnel = Funnel {
        seen: 0,
        active: 0,
        frequent: 0,
        large_baskets: 0,
        recurrent: 0,
        by_basket_share: vec![],
    };
    let (customer_ids, product_ids) = (Ids::Integer(vec![9, 10, 11]), Ids::Integer(vec![5, 300]));
    Predictions {
        as_of: AsOf(NIGHT),
        model_id: "test".into(),
        funnel,
        customer_ids,
        product_ids,
        customers,
    }
}

#[test]
fn a_night_worked_by_hand() {
    let forecast = predictions(vec![
        customer(0, 0.4, (1, 3), vec![product(1, 0.5), product(0, 0.5)]),
        customer(1, f64::NAN, (2, 9), vec![product(0, 0.9)]),
        customer(2, 40.0, (20, 60), vec![]),
    ]);
    let night = night_rows(&forecast, &purchases()).unwrap();
    assert_eq!((night.as_of, night.followed_days), (AsOf(NIGHT), 29));
    // Customers in the order of "10", "11", "9".
    let rows: Vec<_> = night
        .rows
        .iter()
        .map(|row| {
            (
                row.customer,
                row.actual_days,
                row.predicted_days.unwrap(),
                row.interval.unwrap(),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            (1, None, 28.0, (2, 9)),
            (2, None, 40.0, (20, 60)),
            (0, Some(3), 1.0, (1, 3))
        ]
    );
    let errors: Vec<_> = night
        .rows
        .iter()
        .map(|row| {
            (
                row.error(),
                row.error_all(night.followed_days),
                row.error_all(27),
            )
        })
        .collect();
    assert_eq!(
        errors,
        [
            (None, Some(0.0), None),
            (None, Some(0.0), None),
            (Some(-2.0), Some(-2.0), None)
        ]
    );
    // Both products were bought: the list of 2 is perfect whatever its order.
    assert!(night.rows[0].rankings.is_none() && night.rows[1].rankings.is_none());
    let [at_5, at_10, _] = night.rows[2].rankings.unwrap();
    assert_eq!(
        at_5,
        RankingMetrics {
            recall: 1.0,
            precision: 0.4,
            ndcg: 1.0,
            hit: 1.0
        }
    );
    assert_eq!(at_10.precision, 0.2);
    // Only those of the customer who returned, as published.
    assert_eq!(
        night.listed_products,
        [ListedProduct {
            customer: 0,
            probability: 0.5,
            bought: true
        }; 2]
    );
}

#[test]
fn ties_go_to_the_smaller_id_as_text() {
    // "300" stands before "5": of two equally likely products, the one not bought comes first and
    // costs the first place.
    let lines = vec![line(0, 0, 0), line(0, 1, 0), line(1, 0, 1)];
    let all = Purchases::from_lines(Ids::Integer(vec![9, 10]), Ids::Integer(vec![5, 300]), lines)
        .unwrap();
    let night = night_rows(
        &predictions(vec![customer(
            0,
            1.0,
            (1, 1),
            vec![product(0, 0.5), product(1, 0.5)],
        )]),
        &all,
    )
    .unwrap();
    let ndcg = night.rows[0].rankings.unwrap()[0].ndcg;
    assert!((ndcg - 1.0 / 3.0_f64.log2()).abs() < 1e-12, "{ndcg}");
    assert_eq!(
        night.listed_products,
        [
            ListedProduct {
                customer: 0,
                probability: 0.5,
                bought: true
            },
            ListedProduct {
                customer: 0,
                probability: 0.5,
                bought: false
            }
        ],
        "as published"
    );

    let order = TextOrder::of(&Ids::Integer(vec![-3, 5, 9, 10, 300]));
    let mut codes = [0, 1, 2, 3, 4];
    codes.sort_by(|a, b| order.compare(*a, *b));
    assert_eq!(codes, [0, 3, 4, 1, 2], "-3, 10, 300, 5, 9");
}

#[test]
fn what_occurs_twice_or_is_unknown_is_an_error() {
    let refused = |customers| {
        night_rows(&predictions(customers), &purchases())
            .unwrap_err()
            .to_string()
    };
    let one = || customer(0, 1.0, (1, 1), vec![]);
    assert!(refused(vec![one(), one()]).contains("the customer 9 occurs twice"));
    assert!(
        refused(vec![customer(
            0,
            1.0,
            (1, 1),
            vec![product(1, 0.1), product(1, 0.2)]
        )])
        .contains("the product 300 occurs twice")
    );
    assert!(refused(vec![customer(7, 1.0, (1, 1), vec![])]).contains("never bought"));
}

#[test]
fn a_list_worked_by_hand() {
    // Hits in places 0 and 6 of 8; a basket of 4.
    let list = [1, 20, 21, 22, 23, 24, 2, 25].map(Some);
    let [at_5, at_10, at_20] = ranking_metrics(list, &[1, 2, 3, 4]);
    let ideal: f64 = [2.0_f64, 3.0, 4.0, 5.0]
        .iter()
        .map(|place| 1.0 / place.log2())
        .sum();
    assert_eq!((at_5.recall, at_5.precision, at_5.hit), (0.25, 0.2, 1.0));
    assert!((at_5.ndcg - 1.0 / ideal).abs() < 1e-12);
    assert_eq!((at_10.recall, at_10.precision, at_10.hit), (0.5, 0.2, 1.0));
    assert!(
        (at_10.ndcg - (1.0 + 1.0 / 3.0) / ideal).abs() < 1e-12,
        "place 6 is worth 1 / log2(8)"
    );
    assert_eq!(
        (at_20.recall, at_20.precision, at_20.ndcg),
        (0.5, 0.1, at_10.ndcg)
    );
    assert_eq!(
        ranking_metrics([None, Some(9)], &[1]),
        [RankingMetrics::default(); 3]
    );
    assert_eq!(ranking_metrics([Some(1)], &[])[0].recall, 0.0);
}

#[test]
fn what_lies_beyond_the_horizon_is_unknown() {
    let lines = vec![line(0, 0, 0), line(0, 28, 0), line(1, 0, 0), line(1, 29, 0)];
    let all =
        Purchases::from_lines(Ids::Integer(vec![1, 2]), Ids::Integer(vec![1]), lines).unwrap();
    let actuals = Actuals::new(
        PartitionedHistory::all(&all),
        NIGHT + 29,
        AsOf(NIGHT),
        vec![0, 1],
    )
    .unwrap();
    assert_eq!(
        actuals.next_purchases,
        [
            Some(NextPurchase {
                days: 28,
                basket: vec![0]
            }),
            None
        ]
    );
    let rows = timing_rows(&actuals, [0.5]);
    assert_eq!(
        rows.rows
            .iter()
            .map(|row| row.predicted_days)
            .collect::<Vec<_>>(),
        [Some(1.0), Some(28.0)],
        "what is missing is the horizon"
    );
    let rows = basket_rows(&actuals, [&[0][..]]);
    assert_eq!(rows.rows[0].rankings.unwrap()[0].recall, 1.0);
    assert_eq!(
        (rows.rows[1].rankings, rows.rows[0].predicted_days),
        (None, None)
    );
}

proptest! {
    #[test]
    fn rankings_stay_in_their_bounds(list in prop::collection::btree_set(0_u32..60, 0..30), basket in prop::collection::btree_set(0_u32..60, 1..30)) {
        let (list, basket): (Vec<u32>, Vec<u32>) = (list.into_iter().rev().collect(), basket.into_iter().collect());
        let metrics = ranking_metrics(list.iter().copied().map(Some), &basket);
        for (ranking, cut) in metrics.iter().zip(CUTOFFS) {
            for value in [ranking.recall, ranking.precision, ranking.ndcg, ranking.hit] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{value}");
            }
            prop_assert_eq!(ranking.hit > 0.0, ranking.recall > 0.0);
            prop_assert_eq!(ranking.hit > 0.0, ranking.ndcg > 0.0);
            prop_assert!((ranking.recall * basket.len() as f64 - ranking.precision * cut as f64).abs() < 1e-9, "both count the same hits");
        }
        prop_assert!(metrics[0].recall <= metrics[1].recall && metrics[1].recall <= metrics[2].recall);
        // The basket itself is the ideal list.
        let ideal = ranking_metrics(basket.iter().copied().map(Some), &basket);
        prop_assert!(ideal.iter().all(|ranking| (ranking.ndcg - 1.0).abs() < 1e-12));
    }

    #[test]
    fn the_order_of_predictions_changes_no_row(days in prop::collection::vec(1.0_f64..40.0, 3), turn in 0_usize..3) {
        let mut customers: Vec<_> = (0..3).map(|at| customer(at, days[at as usize], (1, 9), vec![product(at % 2, 0.25)])).collect();
        let straight = night_rows(&predictions(customers.clone()), &purchases()).unwrap();
        customers.rotate_left(turn);
        prop_assert_eq!(straight.rows, night_rows(&predictions(customers), &purchases()).unwrap().rows);
    }
}
