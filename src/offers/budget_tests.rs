use super::tests::night;
use super::*;
use crate::domain::examples::{self, customer, product};
use crate::domain::{CustomerPrediction, Details};

/// Twelve customers who are expected on the next day, each with one product that costs 4: the first
/// ones are the likeliest to buy it.
fn predictions() -> Predictions {
    let codes = 0..12_u32;
    let mut predictions = examples::integer();
    predictions.customer_ids =
        Ids::Integer(codes.clone().map(|code| i64::from(code) * 7).collect());
    predictions.customers = codes
        .map(|code| CustomerPrediction {
            customer: code,
            days_to_next: 1.0,
            earliest: night().day() + 1,
            ..customer(
                night(),
                0,
                vec![product(
                    code % 3,
                    0.8 - 0.05 * f64::from(code),
                    20,
                    Some(8.0),
                )],
            )
        })
        .collect();
    predictions
}

fn details() -> Details {
    Details {
        last_prices: Some(vec![Some(4.0), Some(4.0), None]),
        ..Details::default()
    }
}

fn parameters(budget: Option<f64>) -> OfferParameters {
    OfferParameters {
        mix: OfferMix::ONLY_LIKELY,
        certain_share: 0.0,
        discount: Some(0.25),
        margin: Some(0.5),
        control_share: 0.5,
        budget,
        ..OfferParameters::default()
    }
}

/// The rows of a night that comes in slices of so many customers.
fn rows(parameters: &OfferParameters, details: &Details, slice: usize) -> Vec<Offer> {
    let whole = predictions();
    let nothing = SentOffers::default();
    let maker = OfferMaker::new(parameters, &whole.product_ids, &nothing).unwrap();
    let mut maker = maker.with_details(details).unwrap();
    let slices: Vec<Predictions> = whole
        .customers
        .chunks(slice)
        .map(|customers| Predictions {
            customers: customers.to_vec(),
            ..whole.clone()
        })
        .collect();
    if maker.looks_first() {
        slices.iter().for_each(|slice| maker.look(slice).unwrap());
    }
    let each = slices.iter().map(|slice| maker.offers(slice).unwrap());
    each.collect::<Vec<_>>().concat()
}

fn cost(rows: &[Offer]) -> f64 {
    let due = rows.iter().filter(|row| row.due);
    due.filter_map(|row| row.expected_cost).sum()
}

#[test]
fn the_offers_worth_most_are_sent_within_the_budget() {
    let all = rows(&parameters(None), &details(), 12);
    assert!(all.iter().all(|row| row.action == Action::Offer));
    let budget = cost(&all) / 2.0;
    let some = rows(&parameters(Some(budget)), &details(), 12);
    let spent = cost(&some);
    assert!(
        spent > 0.25 * budget && spent <= budget,
        "{spent} of {budget}"
    );
    let held: Vec<&Offer> = some
        .iter()
        .filter(|row| row.action == Action::OverBudget)
        .collect();
    assert!(held.iter().all(|row| !row.due && row.dates.is_none()));
    // All products have the same margin: the least certain are worth most for their cost.
    let [least_held, most_sent] = [
        held.iter()
            .filter(|row| row.expected_cost.is_some())
            .map(|row| row.p_window)
            .fold(1.0, f64::min),
        some.iter()
            .filter(|row| row.action == Action::Offer)
            .map(|row| row.p_window)
            .fold(0.0, f64::max),
    ];
    assert!(least_held > most_sent - 0.1, "{least_held} {most_sent}");
    // Whose price is not known is held back, in both arms.
    let unpriced = some.iter().filter(|row| row.product == 2);
    assert!(unpriced.clone().count() == 4);
    for row in unpriced {
        assert_eq!(row.action, Action::OverBudget);
        assert_eq!(
            row.reason,
            "what it costs is not known, and there is a budget"
        );
    }
    for arm in [Arm::Treatment, Arm::Control] {
        let of_arm = || some.iter().filter(|row| row.arm == arm && row.product != 2);
        assert!(of_arm().any(|row| row.action == Action::Offer), "{arm:?}");
        assert!(
            of_arm().any(|row| row.action == Action::OverBudget),
            "{arm:?}"
        );
    }
}

#[test]
fn a_budget_decides_alike_however_a_night_is_cut() {
    let parameters = parameters(Some(1.5));
    let whole = rows(&parameters, &details(), 12);
    assert!(whole.iter().any(|row| row.action == Action::OverBudget));
    for slice in [1, 5] {
        assert_eq!(rows(&parameters, &details(), slice), whole, "{slice}");
    }
    let nothing = rows(&self::parameters(Some(0.0)), &details(), 12);
    assert!(nothing.iter().all(|row| row.action == Action::OverBudget));
    let plenty = rows(&self::parameters(Some(1e6)), &details(), 12);
    let held = plenty.iter().filter(|row| row.action == Action::OverBudget);
    assert!(held.clone().count() == 4 && held.clone().all(|row| row.product == 2));
}

#[test]
fn a_better_margin_goes_first_and_no_discount_is_refused() {
    // Product 1 leaves three times as much of its price as product 0.
    let details = Details {
        margins: Some(vec![Some(0.3), Some(0.4), Some(0.3)]),
        last_prices: Some(vec![Some(4.0); 3]),
        ..Details::default()
    };
    let all = rows(&parameters(None), &details, 12);
    let of_best = all.iter().filter(|row| row.product == 1 && row.due);
    let budget: f64 = of_best.clone().filter_map(|row| row.expected_cost).sum();
    let some = rows(&parameters(Some(budget + 1e-9)), &details, 12);
    let sent: Vec<u32> = some
        .iter()
        .filter(|row| row.due)
        .map(|row| row.product)
        .collect();
    assert!(
        sent.len() == of_best.count() && sent.iter().all(|product| *product == 1),
        "{sent:?}"
    );

    let without = OfferParameters {
        discount: None,
        ..parameters(Some(1.0))
    };
    let products = predictions().product_ids;
    let nothing = SentOffers::default();
    let maker = OfferMaker::new(&without, &products, &nothing).unwrap();
    let error = maker.with_details(&Details::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no discount says what they cost"),
        "{error}"
    );
    let negative = parameters(Some(-1.0)).check().unwrap_err();
    assert!(
        negative.to_string().contains("budget should be at least 0"),
        "{negative}"
    );
}
