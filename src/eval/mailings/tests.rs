use super::super::{Evaluation, HeldOutMonths, evaluate_model};
use super::*;
use crate::config::HISTORY_DAYS;
use crate::domain::Ids;
use crate::domain::examples::{self, customer, new_product, product};
use crate::models::examples::{read, rule, store, tiny_model};
use crate::purchases::tests::limited;
use crate::purchases::{Line, Purchases};

const NIGHT: Day = Day::from_epoch(17_000);

/// Customers 0, 1 and 2 with products 0 to 3. The days are counted from the night.
fn purchases(lines: &[(u32, i32, u32)]) -> Purchases {
    let lines = lines.iter().map(|(customer, day, product)| Line {
        customer: *customer,
        day: NIGHT + *day,
        product: *product,
    });
    Purchases::from_lines(
        Ids::Integer(vec![9, 10, 11]),
        Ids::Integer(vec![5, 40, 300, 301]),
        lines.collect(),
    )
    .unwrap()
}

fn offer(
    customer: u32,
    sent_on: i32,
    valid: (i32, i32),
    product: u32,
    strategy: Strategy,
) -> TrialOffer {
    TrialOffer {
        customer,
        product,
        sent_on: NIGHT + sent_on,
        valid: DateRange {
            first: NIGHT + valid.0,
            last: NIGHT + valid.1,
        },
        strategy,
        p_window: 0.25,
    }
}

fn no_details(_: AsOf, _: &[u32]) -> Details {
    Details::default()
}

fn trial<'a>(
    purchases: &'a Purchases,
    rule: &'a Rule,
    parameters: &'a OfferParameters,
) -> MailingTrial<'a> {
    let settings = OfferSettings {
        parameters,
        details: &no_details,
    };
    let last = purchases.span().unwrap().last;
    MailingTrial::new(purchases, last, rule, HISTORY_DAYS, settings).unwrap()
}

#[test]
fn what_followed_is_counted_by_hand() {
    let bought = [
        (0, 0, 0),
        (0, 2, 0),
        (0, 4, 1),
        (1, 0, 0),
        (1, 1, 2),
        (2, 0, 0),
        (2, 12, 3),
    ];
    let (purchases, rule, parameters) = (purchases(&bought), rule(), OfferParameters::default());
    let mut trial = trial(&purchases, &rule, &parameters);
    trial.mornings = vec![(NIGHT + 1, vec![0, 1, 2]), (NIGHT + 2, vec![0, 2])];
    trial.by_okuo.offers = vec![
        // Bought on day 4.
        offer(0, 1, (2, 4), 1, Strategy::Likely),
        // The customer came, and bought something else.
        offer(0, 1, (2, 4), 2, Strategy::New),
        // Bought a day after the window.
        offer(2, 2, (3, 11), 3, Strategy::Likely),
        // The data end within the window.
        offer(1, 2, (3, 13), 0, Strategy::Likely),
    ];
    trial.by_frequency.offers = vec![
        offer(0, 1, (2, 4), 3, Strategy::Likely),
        offer(2, 2, (3, 11), 0, Strategy::Likely),
    ];
    let measured = trial.finish().unwrap();
    assert_eq!(
        (measured.nights, measured.visits),
        (2, 2),
        "day 1 of customer 1, day 2 of 0"
    );
    assert_eq!((measured.mailings, measured.offers), (3, 4));
    assert_eq!(measured.mailings_per_visit, Some(1.5));
    assert_eq!(
        measured.visitors_mailed,
        Some(0.5),
        "customer 1 was mailed after the visit"
    );
    assert_eq!((measured.mailings_followed, measured.came), (2, Some(0.5)));
    assert_eq!(
        measured.ece_p_window,
        Some(0.4167),
        "one of three, each in a bin of its own"
    );
    let [likely, new] = &measured.strategies[..] else {
        panic!("{:?}", measured.strategies);
    };
    assert_eq!((likely.strategy, likely.offers), (Strategy::Likely, 2));
    assert_eq!((likely.bought, likely.expected), (Some(0.5), Some(0.25)));
    assert_eq!(likely.bought_by_frequency, Some(0.0));
    assert_eq!(
        (likely.difference, likely.offers_by_frequency),
        (Some(0.5), 2)
    );
    assert_eq!((new.bought, new.bought_by_frequency), (Some(0.0), None));
    assert_eq!((new.difference, new.verdict), (None, None));
}

#[test]
fn a_repeat_is_one_within_the_customers_own_gap() {
    let night = AsOf(NIGHT);
    let predictions = Predictions {
        as_of: night,
        customers: vec![customer(
            night,
            0,
            vec![product(0, 0.5, 20, Some(6.5)), product(1, 0.4, 20, None)],
        )],
        ..examples::integer()
    };
    let repeated = |days: i32, product: u32| {
        let mut mailings = TrialMailings::default();
        let gap = gap_of(&predictions.customers[0], product);
        for sent_on in [1, 1 + days] {
            let dates = crate::offers::OfferDates {
                send_on: NIGHT + sent_on,
                valid_from: NIGHT + sent_on,
                valid_until: NIGHT + sent_on + 3,
            };
            let offers = crate::offers::offers(&predictions, &OfferParameters::default()).unwrap();
            let offer = Offer {
                product,
                dates: Some(dates),
                ..offers[0].clone()
            };
            mailings.send(0, &offer, gap);
        }
        mailings.repeated_in_cycle
    };
    assert_eq!(repeated(6, 0), 1);
    assert_eq!(repeated(7, 0), 0);
    assert_eq!(repeated(1, 1), 0, "one purchase is no cycle");
}

#[test]
fn frequency_goes_by_purchases_then_by_what_the_store_sells() {
    let night = AsOf(NIGHT);
    let bought = |code, times_bought, days_ago| ProductPrediction {
        times_bought,
        ..product(code, 0.5, days_ago, Some(7.0))
    };
    let sold = |code, share| ProductPrediction {
        evidence: Evidence::Store { share },
        ..new_product(code, 0.5)
    };
    let listed = vec![bought(0, 2, 3), sold(1, 0.1), bought(2, 5, 9)];
    let mut one = customer(night, 0, listed);
    one.further = vec![sold(3, 0.2), bought(4, 5, 4)];
    let predictions = Predictions {
        as_of: night,
        customers: vec![one],
        ..examples::integer()
    };
    let ordered = by_frequency(&predictions);
    let codes: Vec<u32> = ordered.customers[0]
        .products
        .iter()
        .map(|product| product.product)
        .collect();
    assert_eq!(codes, [4, 2, 0, 3, 1]);
}

fn evaluated(partitions: &dyn Partitions, parameters: &OfferParameters) -> Evaluation {
    let months = ["2017-06".parse().unwrap()];
    let held_out = HeldOutMonths {
        months: &months,
        every: 7,
        offers: Some(OfferSettings {
            parameters,
            details: &no_details,
        }),
    };
    let model = tiny_model("2017-05-31".parse().unwrap(), 1);
    evaluate_model(&model, partitions, &rule(), HISTORY_DAYS, held_out, &|_| {}).unwrap()
}

#[test]
fn nights_in_a_row_remember_what_was_sent() {
    let all = read(store(40, 150, 3));
    let parameters = OfferParameters::default();
    let offers = evaluated(&all, &parameters).offers.unwrap();
    assert!(offers.nights >= 10 && offers.mailings > 50, "{offers:?}");
    assert_eq!(offers.repeated_in_cycle, 0);
    assert!(offers.mailings_per_visit.unwrap() < 1.5, "{offers:?}");
    let repeating = OfferParameters {
        quiet_days_product: Some(0),
        max_per_week: 7,
        ..OfferParameters::default()
    };
    let repeating = evaluated(&all, &repeating).offers.unwrap();
    assert!(repeating.repeated_in_cycle > 0, "{repeating:?}");
}

#[test]
fn partitions_and_the_control_share_change_nothing() {
    let all = read(store(40, 150, 3));
    let measured = evaluated(&all, &OfferParameters::default());
    let control = OfferParameters {
        control_share: 0.5,
        control_offer_share: 0.5,
        ..OfferParameters::default()
    };
    let parts = limited(&all, 3_000);
    let parts = parts.partitions().unwrap();
    assert!(parts.count() > 1);
    assert_eq!(evaluated(&*parts, &control), measured);
}
