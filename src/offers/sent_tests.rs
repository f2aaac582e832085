//! Tests of what holds offers back after others were sent.

use super::tests::{night, only_likely};
use super::*;
use crate::domain::examples::{self, customer, product};
use crate::domain::{Id, Predictions, ProductPrediction};

/// One customer, whose latest purchase is 3 days ago and who would be mailed in 2 days.
fn one(products: Vec<ProductPrediction>) -> Predictions {
    Predictions {
        customers: vec![customer(night(), 0, products)],
        ..examples::integer()
    }
}

/// The offers after product `product` was sent on some days, counted from the night, each valid for
/// as many days more as given.
fn after(
    predictions: &Predictions,
    sent: &[(i32, i32, u32)],
    parameters: &OfferParameters,
) -> Vec<(u32, Action)> {
    let sent = sent.iter().map(|(sent_on, valid_days, product)| {
        let sent_on = night().day() + *sent_on;
        let offer = SentOffer {
            sent_on,
            valid_until: sent_on + *valid_days,
            product: Some(*product),
        };
        (0, offer)
    });
    let sent = SentOffers::new(&predictions.customer_ids, sent.collect());
    let mut maker = OfferMaker::new(parameters, &predictions.product_ids, &sent).unwrap();
    let rows = maker.offers(predictions).unwrap();
    rows.iter().map(|row| (row.product, row.action)).collect()
}

fn actions(sent: &[(i32, i32, u32)]) -> Vec<(u32, Action)> {
    let candidates = one(vec![
        product(0, 0.5, 20, Some(7.0)),
        product(1, 0.4, 20, Some(9.0)),
    ]);
    let often = OfferParameters {
        max_per_week: 7,
        ..only_likely()
    };
    after(&candidates, sent, &often)
}

#[test]
fn who_was_mailed_is_mailed_again_after_coming_back() {
    let offered = [(0, Action::Offer), (1, Action::Offer)];
    assert_eq!(actions(&[]), offered);
    // Mailed two days ago, and here three days ago: not back. The offer was for product 2, which is
    // none of these.
    let too_soon = [(0, Action::TooSoon), (1, Action::TooSoon)];
    assert_eq!(
        actions(&[(-2, 4, 2)]),
        too_soon,
        "valid on the day of sending"
    );
    assert_eq!(
        actions(&[(-2, 3, 2)]),
        offered,
        "no longer valid on that day"
    );
    assert_eq!(
        actions(&[(-3, 9, 2)]),
        offered,
        "came on the day of the mailing"
    );
    assert_eq!(actions(&[(-4, 9, 2), (-2, 9, 2)]), too_soon);
}

#[test]
fn a_product_is_not_offered_again_within_its_cycle() {
    // Sent again in 2 days, 7 days after the last time: the gap of product 0 is 7, of product 1 it
    // is 9.
    assert_eq!(
        actions(&[(-5, 2, 0), (-5, 2, 1)]),
        [(0, Action::Offer), (1, Action::AlreadySent)]
    );
    let quiet = |days| OfferParameters {
        quiet_days_product: Some(days),
        per_customer: 1,
        ..only_likely()
    };
    let candidates = one(vec![
        product(0, 0.5, 20, Some(7.0)),
        product(1, 0.4, 20, Some(9.0)),
    ]);
    assert_eq!(
        after(&candidates, &[(-5, 2, 0)], &quiet(8)),
        [(0, Action::AlreadySent), (1, Action::Offer)],
        "the next product takes its place"
    );
    assert_eq!(
        after(&candidates, &[(-5, 2, 0)], &quiet(7)),
        [(0, Action::Offer)]
    );
    // Without a gap it is four weeks, and never longer than twelve.
    let rare = one(vec![
        product(0, 0.5, 200, None),
        product(1, 0.4, 200, Some(300.0)),
    ]);
    let with = |days: i32| after(&rare, &[(-days, 0, 0), (-days, 0, 1)], &only_likely());
    let sent = Action::AlreadySent;
    assert_eq!(with(25), [(0, sent), (1, sent)]);
    assert_eq!(with(26), [(0, Action::Offer), (1, sent)]);
    assert_eq!(with(82), [(0, Action::Offer), (1, Action::Offer)]);
}

#[test]
fn mailings_in_a_week_are_few() {
    let candidates = one(vec![product(0, 0.5, 20, Some(7.0))]);
    let most = |max_per_week: usize, sent: &[(i32, i32, u32)]| {
        let parameters = OfferParameters {
            max_per_week,
            ..only_likely()
        };
        after(&candidates, sent, &parameters)[0].1
    };
    assert_eq!(most(1, &[(-4, 0, 2)]), Action::TooSoon);
    assert_eq!(most(1, &[(-5, 0, 2)]), Action::Offer, "7 days before");
    let sent = [(-3, 0, 2), (-2, 0, 2), (-2, 0, 1)];
    assert_eq!(most(2, &sent), Action::TooSoon);
    assert_eq!(
        most(2, &sent[1..]),
        Action::Offer,
        "two offers, one mailing"
    );
    assert_eq!(most(3, &sent), Action::Offer);
}

#[test]
fn what_is_held_back_says_why_and_has_no_dates() {
    let candidates = one(vec![product(0, 0.5, 20, Some(7.0))]);
    let rows = |sent_on: i32, valid_days: i32| {
        let sent_on = night().day() + sent_on;
        let offer = SentOffer {
            sent_on,
            valid_until: sent_on + valid_days,
            product: Some(0),
        };
        let sent = SentOffers::new(&candidates.customer_ids, vec![(0, offer)]);
        let parameters = only_likely();
        let mut maker = OfferMaker::new(&parameters, &candidates.product_ids, &sent).unwrap();
        maker.offers(&candidates).unwrap()
    };
    let row = &rows(-2, 1)[0];
    assert_eq!(
        row.reason,
        "offered on 2017-10-29, and not again for 7 days"
    );
    assert_eq!((row.dates, row.due), (None, false));
    let row = &rows(-5, 20)[0];
    assert_eq!(row.action, Action::Offer, "here since");
}

#[test]
fn what_is_due_is_sent_on_the_next_day_to_the_treatment_arm() {
    let due = |days_to_next: f64, control_share: f64| {
        let mut predictions = one(vec![product(0, 0.5, 20, Some(7.0))]);
        predictions.customers[0].days_to_next = days_to_next;
        let parameters = OfferParameters {
            control_share,
            ..only_likely()
        };
        offers(&predictions, &parameters).unwrap()[0].due
    };
    assert!(
        due(1.0, 0.0) && due(2.0, 0.0),
        "expected on the next day or the one after"
    );
    assert!(!due(3.0, 0.0), "sent later");
    assert!(!due(1.0, 1.0), "held back as control");
}

#[test]
fn ids_that_came_in_another_way_are_the_same() {
    let predictions = examples::integer();
    let offer = SentOffer {
        sent_on: night().day(),
        valid_until: night().day(),
        product: None,
    };
    let sent = SentOffers::new(&predictions.customer_ids, vec![(2, offer), (0, offer)]);
    for (id, days) in [(-5, 1), (7, 0), (2_469, 1)] {
        assert_eq!(sent.to(Id::Integer(id)).mailings_since(night().day()), days);
        assert_eq!(
            sent.to(Id::Text(&id.to_string()))
                .mailings_since(night().day()),
            days
        );
    }
    assert!(
        SentOffers::default()
            .to(Id::Integer(7))
            .latest_mailing()
            .is_none()
    );
}

#[test]
fn the_nights_that_matter_are_before_the_night() {
    let range = nights_to_remember(night(), OfferParameters::default().longest_memory());
    assert_eq!(
        (night().day() - range.first, night().day() - range.last),
        (84, 1)
    );
    let short = OfferParameters {
        quiet_days_product: Some(0),
        max_valid_days: 3,
        ..only_likely()
    };
    let range = nights_to_remember(night(), short.longest_memory());
    assert_eq!(range.days(), 7, "a week, for max_per_week");
}
