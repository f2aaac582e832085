use proptest::prelude::*;

use super::*;
use crate::calendar::AsOf;
use crate::domain::examples::{self, customer, new_product, product};
use crate::domain::{Id, Ids, ProductPrediction};

pub(super) fn night() -> AsOf {
    AsOf(Day::from_epoch(17_470))
}

/// The defaults, but for the strategy: the likeliest products alone.
pub(super) fn only_likely() -> OfferParameters {
    OfferParameters {
        mix: OfferMix::ONLY_LIKELY,
        ..OfferParameters::default()
    }
}

fn one(products: Vec<ProductPrediction>) -> Predictions {
    Predictions {
        customers: vec![customer(night(), 0, products)],
        ..examples::integer()
    }
}

fn actions(predictions: &Predictions, parameters: &OfferParameters) -> Vec<(u32, Action)> {
    offers(predictions, parameters)
        .unwrap()
        .iter()
        .map(|offer| (offer.rank, offer.action))
        .collect()
}

#[test]
fn the_walk_ends_when_enough_offers_are_found() {
    let likely = one(vec![
        product(0, 0.95, 20, Some(7.0)),
        product(1, 0.6, 1, Some(30.0)),
        product(2, 0.5, 20, Some(7.0)),
        new_product(0, 0.4),
        product(1, 0.3, 20, None),
    ]);
    let two = OfferParameters {
        per_customer: 2,
        ..only_likely()
    };
    let expected = [
        (1, Action::Certain),
        (2, Action::Recent),
        (3, Action::Offer),
        (4, Action::Offer),
    ];
    assert_eq!(actions(&likely, &two), expected);
    let excluding = OfferParameters {
        exclude_products: vec!["30".into(), "99".into()],
        ..two
    };
    assert_eq!(
        actions(&likely, &excluding),
        [
            (1, Action::Certain),
            (2, Action::Recent),
            (3, Action::Excluded),
            (4, Action::Offer),
            (5, Action::Offer)
        ]
    );
    assert_eq!(unknown_exclusions(&likely.product_ids, &excluding), ["99"]);
    assert_eq!(
        offers(&likely, &excluding).unwrap()[2].reason,
        "on the exclusion list"
    );
}

#[test]
fn due_is_judged_on_the_expected_day() {
    // Expected in 4 days: 3 + 4 days of a gap of 14 are half of it, and no longer recent.
    assert_eq!(
        actions(&one(vec![product(0, 0.5, 3, Some(14.0))]), &only_likely()),
        [(1, Action::Offer)]
    );
    assert_eq!(
        actions(&one(vec![product(0, 0.5, 3, Some(14.1))]), &only_likely()),
        [(1, Action::Recent)]
    );
    // Without a known gap, the days count.
    let week = OfferParameters {
        recent_days: 8,
        ..only_likely()
    };
    assert_eq!(
        actions(&one(vec![product(0, 0.5, 3, None)]), &week),
        [(1, Action::Recent)]
    );
    assert_eq!(
        actions(
            &one(vec![product(0, 0.5, 4, None), new_product(1, 0.2)]),
            &week
        ),
        [(1, Action::Offer), (2, Action::Offer)]
    );
}

#[test]
fn a_product_that_is_not_due_says_why() {
    let reason = |product: ProductPrediction| {
        offers(&one(vec![product]), &only_likely()).unwrap()[0]
            .reason
            .clone()
    };
    assert_eq!(
        reason(product(0, 0.5, 3, Some(14.1))),
        "bought 3 days ago; every 14 days on average"
    );
    assert_eq!(
        reason(product(0, 0.5, 1, Some(30.0))),
        "bought yesterday; every 30 days on average"
    );
    let twice = ProductPrediction {
        times_bought: 2,
        ..product(0, 0.5, 0, Some(30.0))
    };
    assert_eq!(
        reason(twice),
        "bought today; for the second time, 30 days after the first"
    );
    let once = one(vec![product(0, 0.5, 1, None)]);
    assert_eq!(
        offers(
            &once,
            &OfferParameters {
                recent_days: 8,
                ..only_likely()
            }
        )
        .unwrap()[0]
            .reason,
        "bought yesterday"
    );
}

#[test]
fn dates_come_from_the_expected_day_and_the_interval() {
    let dates = |earliest: i32, latest: i32, days_to_next: f64, parameters: OfferParameters| {
        let mut predictions = one(vec![new_product(0, 0.5)]);
        let customer = &mut predictions.customers[0];
        (customer.earliest, customer.latest, customer.days_to_next) = (
            night().day() + earliest,
            night().day() + latest,
            days_to_next,
        );
        let dates = offers(&predictions, &parameters).unwrap()[0].dates.unwrap();
        [dates.send_on, dates.valid_from, dates.valid_until].map(|day| day - night().day())
    };
    assert_eq!(dates(2, 9, 3.6, only_likely()), [2, 2, 9]);
    assert_eq!(dates(3, 9, 3.6, only_likely()), [3, 3, 9]);
    assert_eq!(dates(5, 9, 5.2, only_likely()), [4, 5, 9]);
    assert_eq!(
        dates(1, 1, 0.4, only_likely()),
        [1, 1, 3],
        "never before the day after T, and at least min_valid_days"
    );
    assert_eq!(
        dates(1, 4, 1.0, only_likely()),
        [1, 1, 4],
        "expected tomorrow, sent tomorrow"
    );
    assert_eq!(
        dates(1, 2, 6.0, only_likely()),
        [1, 1, 3],
        "sent on the first day of the interval"
    );
    assert_eq!(
        dates(2, 400, 3.0, only_likely()),
        [2, 2, 29],
        "at most max_valid_days"
    );
    assert_eq!(
        dates(
            2,
            9,
            3.6,
            OfferParameters {
                lead_days: 30,
                ..only_likely()
            }
        ),
        [1, 2, 9]
    );
}

#[test]
fn only_what_is_offered_has_dates() {
    let rows = offers(
        &one(vec![product(0, 0.95, 20, Some(7.0)), new_product(1, 0.4)]),
        &only_likely(),
    )
    .unwrap();
    assert_eq!(
        rows.iter()
            .map(|row| row.dates.is_some())
            .collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn arms_are_stable_and_as_large_as_asked() {
    // Pinned: a change here would move customers between the arms of a running experiment.
    let first: Vec<_> = (0..40)
        .filter(|id| Arm::of(Id::Integer(*id), "okuo", 0.1) == Arm::Control)
        .collect();
    assert_eq!(first, PINNED);
    assert_eq!(
        Arm::of(Id::Integer(7), "s", 0.5),
        Arm::of(Id::Text("7"), "s", 0.5),
        "ids that read the same have the same arm"
    );
    let control = |salt: &str, share| {
        (0..20_000)
            .filter(|id| Arm::of(Id::Integer(*id), salt, share) == Arm::Control)
            .count()
    };
    assert!((1_800..2_200).contains(&control("okuo", 0.1)));
    assert_eq!((control("okuo", 0.0), control("okuo", 1.0)), (0, 20_000));
    let moved = (0..1_000)
        .filter(|id| Arm::of(Id::Integer(*id), "a", 0.5) != Arm::of(Id::Integer(*id), "b", 0.5))
        .count();
    assert!(
        (400..600).contains(&moved),
        "{moved}: another salt draws anew"
    );
}
/// Of the ids 0 to 39, those with salt "okuo" and a share of 0.1; computed with Python's hashlib.
const PINNED: [i64; 4] = [6, 31, 36, 38];

#[test]
fn one_customer_has_one_arm() {
    let rows = offers(
        &examples::text(),
        &OfferParameters {
            control_share: 0.5,
            ..only_likely()
        },
    )
    .unwrap();
    for pair in rows
        .windows(2)
        .filter(|pair| pair[0].customer == pair[1].customer)
    {
        assert_eq!(pair[0].arm, pair[1].arm);
    }
    assert_eq!(rows.iter().filter(|row| row.customer == 0).count(), 3);
}

#[test]
fn single_offers_are_held_back_and_drawn_anew_each_night() {
    let parameters = |control_offer_share| OfferParameters {
        control_share: 0.0,
        control_offer_share,
        per_customer: 20,
        certain_share: 0.0,
        ..only_likely()
    };
    let on = |after: i32, share: f64| {
        let products = (0..20).map(|at| product(at % 3, 0.3, 5, Some(10.0)));
        let mut predictions = one(products.collect());
        predictions.as_of = AsOf(night().day() + after);
        let customer = &mut predictions.customers[0];
        customer.days_to_next = 1.0;
        customer.last_purchase = predictions.as_of.day() - 5;
        let next = predictions.as_of.day() + 1;
        (customer.earliest, customer.latest) = (next, next + 3);
        offers(&predictions, &parameters(share)).unwrap()
    };
    let arms = |share: f64| {
        let rows = (0..200).flat_map(|after| on(after, share));
        rows.map(|row| (row.offer_arm, row.due)).collect::<Vec<_>>()
    };
    let drawn = arms(0.25);
    assert!(
        drawn
            .iter()
            .all(|(arm, due)| *due == (*arm == Arm::Treatment))
    );
    let held_back = drawn.iter().filter(|(arm, _)| *arm == Arm::Control);
    let share = held_back.count() as f64 / drawn.len() as f64;
    assert!((0.2..0.3).contains(&share), "{share}");
    assert!(arms(0.0).iter().all(|(_, due)| *due));
    assert!(arms(1.0).iter().all(|(_, due)| !due));
    let rows = on(3, 0.25);
    assert_eq!(rows, on(3, 0.25));
    assert!(rows.iter().all(|row| row.arm == Arm::Treatment));
}

#[test]
fn parameters_outside_their_range_are_named() {
    let default = only_likely;
    for (parameters, name) in [
        (
            OfferParameters {
                per_customer: 0,
                ..default()
            },
            "per_customer",
        ),
        (
            OfferParameters {
                per_customer: 26,
                ..default()
            },
            "per_customer",
        ),
        (
            OfferParameters {
                certain_above: 1.1,
                ..default()
            },
            "certain_above",
        ),
        (
            OfferParameters {
                recent_gap_share: f64::NAN,
                ..default()
            },
            "recent_gap_share",
        ),
        (
            OfferParameters {
                control_share: -0.1,
                ..default()
            },
            "control_share",
        ),
        (
            OfferParameters {
                recent_days: -1,
                ..default()
            },
            "recent_days",
        ),
        (
            OfferParameters {
                lead_days: 366,
                ..default()
            },
            "lead_days",
        ),
        (
            OfferParameters {
                min_valid_days: 0,
                ..default()
            },
            "min_valid_days",
        ),
        (
            OfferParameters {
                min_valid_days: 30,
                ..default()
            },
            "min_valid_days",
        ),
    ] {
        let error = offers(&examples::integer(), &parameters).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.exit_code(), 1);
    }
    assert!(default().check().is_ok());
}

#[test]
fn a_customer_without_an_id_is_an_error() {
    let predictions = Predictions {
        customer_ids: Ids::Integer(vec![]),
        ..examples::integer()
    };
    assert!(offers(&predictions, &only_likely()).is_err());
}

proptest! {
    #[test]
    fn every_offer_is_after_the_night_and_within_bounds(
        days_to_next in prop::num::f64::ANY, earliest in 1..60_i32, width in 0..60_i32, lead_days in 0..60_i32, per_customer in 1..5_usize,
        probabilities in prop::collection::vec(0.0..1.0_f64, 0..25),
    ) {
        let products = probabilities.iter().map(|p| product(1, *p, 5, Some(10.0))).collect();
        let mut predictions = one(products);
        let customer = &mut predictions.customers[0];
        (customer.days_to_next, customer.earliest, customer.latest) = (days_to_next, night().day() + earliest, night().day() + earliest + width);
        let parameters = OfferParameters { lead_days, per_customer, ..only_likely() };
        let rows = offers(&predictions, &parameters).unwrap();
        prop_assert!(rows.iter().filter(|row| row.action == Action::Offer).count() <= per_customer);
        prop_assert!(rows.iter().zip(1..).all(|(row, rank)| row.rank == rank));
        for dates in rows.iter().filter_map(|row| row.dates) {
            prop_assert!(dates.send_on > night().day() && dates.valid_from >= dates.send_on);
            let valid = dates.valid_until - dates.valid_from;
            prop_assert!((2..28).contains(&valid) || dates.valid_until == Day::from_epoch(i32::MAX), "{dates:?}");
        }
    }
}
