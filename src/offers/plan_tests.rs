use std::collections::BTreeMap;

use super::tests::night;
use super::*;
use crate::calendar::AsOf;
use crate::domain::examples::{self, customer, product};
use crate::domain::{CustomerPrediction, Details, OwnedId};

/// The first customer of the examples on a night, expected on the next day, last here on a day.
fn predictions(as_of: AsOf, last_purchase: Day) -> Predictions {
    let mut predictions = examples::integer();
    predictions.as_of = as_of;
    let products = vec![
        product(0, 0.6, 20, Some(8.0)),
        product(1, 0.5, 20, Some(8.0)),
        product(2, 0.4, 20, Some(8.0)),
    ];
    predictions.customers = vec![CustomerPrediction {
        last_purchase,
        days_to_next: 1.0,
        earliest: as_of.day() + 1,
        latest: as_of.day() + 6,
        ..customer(as_of, 0, products)
    }];
    predictions
}

fn parameters() -> OfferParameters {
    OfferParameters {
        per_customer: 1,
        mix: OfferMix::ONLY_LIKELY,
        certain_share: 0.0,
        control_share: 0.0,
        ..OfferParameters::default()
    }
}

fn dates(send_on: Day) -> OfferDates {
    OfferDates {
        send_on,
        valid_from: send_on + 1,
        valid_until: send_on + 5,
    }
}

/// A plan of the night for a week: so many days after it, a product is sent to a customer.
fn plan(customer: i64, offers: &[(i32, u32)]) -> StandingPlan {
    let offers = offers.iter().map(|(after, product)| PlannedOffer {
        dates: dates(night().day() + *after),
        product: *product,
        strategy: Strategy::Overdue,
    });
    let by_customer = BTreeMap::from([(OwnedId::Integer(customer), offers.collect())]);
    StandingPlan::new(night(), night().day() + 7, by_customer)
}

/// The offers so many days after the plan, and what they change.
fn kept(
    plan: &StandingPlan,
    after: i32,
    last_purchase: Day,
    parameters: &OfferParameters,
) -> (Vec<Offer>, PlanChanges) {
    let as_of = AsOf(night().day() + after);
    let predictions = predictions(as_of, last_purchase);
    let nothing = SentOffers::default();
    let maker = OfferMaker::new(parameters, &predictions.product_ids, &nothing).unwrap();
    let mut maker = maker.keeping_to(Some(plan));
    let offers = maker.offers(&predictions).unwrap();
    (offers, maker.plan_changes(as_of).unwrap())
}

fn changes(planned: usize, kept: usize, came_since: usize, added: usize) -> PlanChanges {
    PlanChanges {
        planned,
        kept,
        came_since,
        added,
    }
}

/// Days before the plan.
fn before() -> Day {
    night().day() - 10
}

#[test]
fn who_has_not_come_since_is_mailed_as_planned() {
    let plan = plan(-5, &[(3, 1), (3, 2)]);
    let (offers, changed) = kept(&plan, 2, before(), &parameters());
    assert_eq!(changed, changes(2, 2, 0, 0));
    let rows: Vec<_> = offers
        .iter()
        .map(|offer| (offer.product, offer.due, offer.strategy, offer.planned))
        .collect();
    let strategy = Strategy::Overdue;
    assert_eq!(rows, [(1, true, strategy, true), (2, true, strategy, true)]);
    assert_eq!(offers[0].dates, Some(dates(night().day() + 3)));

    // A day earlier nothing is due, although the customer is expected on the next day.
    let (offers, changed) = kept(&plan, 1, before(), &parameters());
    assert_eq!(changed, changes(0, 0, 0, 0));
    assert!(
        offers
            .iter()
            .all(|offer| offer.action == Action::Offer && !offer.due)
    );
}

#[test]
fn who_came_since_is_decided_anew() {
    let plan = plan(-5, &[(3, 1), (3, 2)]);
    let (offers, changed) = kept(&plan, 2, night().day() + 1, &parameters());
    assert_eq!(changed, changes(2, 0, 2, 1));
    assert_eq!(offers.len(), 1);
    assert!(offers[0].product == 0 && offers[0].due && !offers[0].planned);
}

#[test]
fn to_whom_nothing_is_planned_nothing_is_sent_while_the_plan_stands() {
    let plan = plan(7, &[(3, 1)]);
    let (offers, changed) = kept(&plan, 2, before(), &parameters());
    // The other customer is not among those who are scored.
    assert_eq!(changed, changes(1, 0, 0, 0));
    assert_eq!(changed.withdrawn(), 1);
    assert_eq!(
        (offers[0].action, offers[0].dates),
        (Action::NotPlanned, None)
    );
    assert!(offers[0].reason.contains("has no mailing to the customer"));
    let (offers, _) = kept(&plan, 7, before(), &parameters());
    assert_eq!(offers[0].action, Action::Offer, "sent after its last day");
}

#[test]
fn what_may_not_be_offered_any_more_is_withdrawn() {
    let plan = plan(-5, &[(3, 1), (3, 2)]);
    let without = OfferParameters {
        exclude_products: vec!["20".into()],
        ..parameters()
    };
    let (offers, changed) = kept(&plan, 2, before(), &without);
    assert_eq!(changed, changes(2, 1, 0, 0));
    assert_eq!(changed.withdrawn(), 1);
    let actions: Vec<_> = offers.iter().map(|offer| offer.action).collect();
    assert_eq!(actions, [Action::Excluded, Action::Offer]);

    // Consent that was withdrawn since.
    let as_of = AsOf(night().day() + 2);
    let predictions = predictions(as_of, before());
    let nothing = SentOffers::default();
    let parameters = parameters();
    let maker = OfferMaker::new(&parameters, &predictions.product_ids, &nothing).unwrap();
    let details = Details {
        may_mail: Some(vec![]),
        ..Details::default()
    };
    let mut maker = maker
        .with_details(&details)
        .unwrap()
        .keeping_to(Some(&plan));
    let offers = maker.offers(&predictions).unwrap();
    assert!(
        offers
            .iter()
            .all(|offer| offer.action == Action::OptedOut && !offer.due)
    );
}
