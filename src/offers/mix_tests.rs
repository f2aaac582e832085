//! Tests of the strategies, and of what they choose.

use proptest::prelude::*;

use super::mix::Strategy;
use super::tests::night;
use super::window::{OfferWindow, in_plain_words};
use super::*;
use crate::domain::examples::{self, customer, new_product, product};
use crate::domain::{CustomerPrediction, Predictions, ProductPrediction};

/// One customer, who is expected in 4 days.
fn one(products: Vec<ProductPrediction>, further: Vec<ProductPrediction>) -> Predictions {
    Predictions {
        customers: vec![CustomerPrediction {
            further,
            ..customer(night(), 0, products)
        }],
        ..examples::integer()
    }
}

fn mix(likely: f64, overdue: f64, winback: f64, new: f64) -> OfferMix {
    OfferMix {
        likely: Some(likely),
        overdue: Some(overdue),
        winback: Some(winback),
        new: Some(new),
    }
}

/// (rank, strategy, action) of the rows with so many offers.
fn chosen(predictions: &Predictions, mix: OfferMix, most: usize) -> Vec<(u32, Strategy, Action)> {
    let parameters = OfferParameters {
        mix,
        per_customer: most,
        ..OfferParameters::default()
    };
    let rows = offers(predictions, &parameters).unwrap();
    rows.iter()
        .map(|row| (row.rank, row.strategy, row.action))
        .collect()
}

#[test]
fn each_strategy_has_its_own_products() {
    let of = |product: ProductPrediction| -> Vec<Strategy> {
        let chooses = Strategy::IN_ORDER.into_iter();
        chooses
            .filter(|strategy| strategy.may_choose(&product, 4))
            .collect()
    };
    use Strategy::{Likely, New, Overdue, Winback};
    assert_eq!(of(new_product(0, 0.3)), [New, Likely]);
    assert_eq!(
        of(product(0, 0.3, 400, None)),
        [Likely],
        "bought once: no habit"
    );
    assert_eq!(
        of(product(0, 0.3, 6, Some(10.0))),
        [Likely],
        "in its cycle on the expected day"
    );
    assert_eq!(of(product(0, 0.3, 7, Some(10.0))), [Overdue, Likely]);
    assert_eq!(
        of(product(0, 0.3, 37, Some(10.0))),
        [Overdue, Likely],
        "not for long enough"
    );
    assert_eq!(of(product(0, 0.3, 38, Some(10.0))), [Winback, Likely]);
    assert_eq!(
        of(product(0, 0.3, 38, Some(14.1))),
        [Overdue, Likely],
        "not for three gaps"
    );
    let twice = ProductPrediction {
        times_bought: 2,
        ..product(0, 0.3, 38, Some(10.0))
    };
    assert_eq!(of(twice), [Likely]);
}

#[test]
fn strategies_choose_by_their_weights() {
    use Strategy::{Likely, New, Overdue, Winback};
    let candidates = one(
        vec![
            product(0, 0.6, 6, Some(8.0)),
            product(1, 0.5, 9, Some(10.0)),
            product(2, 0.4, 5, Some(6.0)),
        ],
        vec![new_product(3, 0.2), product(4, 0.1, 90, Some(9.0))],
    );
    let offer = Action::Offer;
    assert_eq!(
        chosen(&candidates, mix(1.0, 0.0, 0.0, 0.0), 2),
        [(1, Likely, offer), (2, Likely, offer)]
    );
    assert_eq!(
        chosen(&candidates, mix(1.0, 1.0, 1.0, 1.0), 4),
        [
            (1, Overdue, offer),
            (2, Likely, offer),
            (4, New, offer),
            (5, Winback, offer)
        ]
    );
    // There is one product to win back: its other offer goes to the next strategy.
    assert_eq!(
        chosen(&candidates, mix(0.0, 0.0, 1.0, 1.0), 4),
        [(4, New, offer), (5, Winback, offer)],
        "no weight, no offer"
    );
    assert_eq!(chosen(&candidates, mix(1.0, 0.0, 1.0, 0.0), 4).len(), 4);
}

#[test]
fn blocked_products_are_replaced_to_the_end_of_the_candidates() {
    let listed = vec![
        product(0, 0.6, 20, Some(8.0)),
        product(1, 0.5, 0, Some(90.0)),
    ];
    let candidates = one(listed, vec![product(2, 0.01, 20, Some(8.0))]);
    let parameters = OfferParameters {
        mix: OfferMix::ONLY_LIKELY,
        per_customer: 1,
        exclude_products: vec!["10".into()],
        ..OfferParameters::default()
    };
    let rows = offers(&candidates, &parameters).unwrap();
    let actions: Vec<Action> = rows.iter().map(|row| row.action).collect();
    assert_eq!(actions, [Action::Excluded, Action::Recent, Action::Offer]);
}

/// Products 0 and 1 are drinks, 2 is bread; what 3 is, is not known.
fn with_categories(parameters: &OfferParameters) -> Result<Vec<(u32, Action)>> {
    let candidates = one(
        vec![
            product(0, 0.5, 20, Some(8.0)),
            product(1, 0.4, 20, Some(8.0)),
            product(2, 0.3, 20, Some(8.0)),
        ],
        vec![product(3, 0.35, 20, Some(8.0))],
    );
    let [drinks, bread] = ["drinks", "bread"].map(std::sync::Arc::<str>::from);
    let details = Details {
        categories: Some(vec![Some(drinks.clone()), Some(drinks), Some(bread)]),
        ..Details::default()
    };
    assert_eq!(unknown_categories(&details, parameters).len(), 0);
    let nothing = SentOffers::default();
    let maker = OfferMaker::new(parameters, &candidates.product_ids, &nothing)?;
    let rows = maker.with_details(&details)?.offers(&candidates)?;
    Ok(rows.iter().map(|row| (row.product, row.action)).collect())
}

#[test]
fn categories_may_be_excluded_or_capped() {
    let two = OfferParameters {
        per_customer: 2,
        mix: OfferMix::ONLY_LIKELY,
        ..OfferParameters::default()
    };
    let offer = Action::Offer;
    assert_eq!(with_categories(&two).unwrap(), [(0, offer), (1, offer)]);
    let capped = OfferParameters {
        max_per_category: Some(1),
        ..two.clone()
    };
    assert_eq!(
        with_categories(&capped).unwrap(),
        [(0, offer), (1, Action::Category), (2, offer)]
    );
    let without = OfferParameters {
        exclude_categories: vec!["Drinks".into()],
        ..two
    };
    assert_eq!(
        with_categories(&without).unwrap(),
        [
            (0, Action::Excluded),
            (1, Action::Excluded),
            (2, offer),
            // It may be a drink.
            (3, Action::Excluded)
        ]
    );
    let nothing = SentOffers::default();
    for parameters in [&capped, &without] {
        let maker = OfferMaker::new(parameters, &examples::integer().product_ids, &nothing);
        let error = maker
            .unwrap()
            .with_details(&Details::default())
            .unwrap_err();
        assert_eq!(error.exit_code(), 1, "{error}");
    }
    assert_eq!(
        unknown_categories(&Details::default(), &without),
        ["Drinks"]
    );
}

#[test]
fn brands_may_be_capped_and_products_kept_out() {
    let candidates = one(
        vec![
            product(0, 0.5, 20, Some(8.0)),
            product(1, 0.4, 20, Some(8.0)),
            product(2, 0.3, 20, Some(8.0)),
        ],
        vec![],
    );
    let mill = std::sync::Arc::<str>::from("Mill");
    let details = Details {
        brands: Some(vec![Some(mill.clone()), Some(mill), None]),
        offerable: Some(vec![None, None, Some(false)]),
        ..Details::default()
    };
    let nothing = SentOffers::default();
    let rows = |details: &Details, max_per_brand: Option<usize>| {
        let parameters = OfferParameters {
            per_customer: 2,
            mix: OfferMix::ONLY_LIKELY,
            max_per_brand,
            ..OfferParameters::default()
        };
        let maker = OfferMaker::new(&parameters, &candidates.product_ids, &nothing)?;
        let rows = maker.with_details(details)?.offers(&candidates)?;
        Ok::<_, crate::error::Error>(rows.iter().map(|row| row.action).collect::<Vec<_>>())
    };
    let (offer, no_brands) = (Action::Offer, Details::default());
    assert_eq!(rows(&no_brands, None).unwrap(), [offer, offer]);
    assert_eq!(rows(&details, None).unwrap(), [offer, offer]);
    assert_eq!(
        rows(&details, Some(1)).unwrap(),
        [offer, Action::Brand, Action::Excluded]
    );
    let error = rows(&no_brands, Some(1)).unwrap_err().to_string();
    assert!(error.contains("what a product's brand is"), "{error}");
}

#[test]
fn a_products_own_discount_and_margin_go_first() {
    let candidates = one(
        vec![
            product(0, 0.5, 20, Some(8.0)),
            product(1, 0.4, 20, Some(8.0)),
            product(2, 0.3, 20, Some(8.0)),
        ],
        vec![],
    );
    let tea = std::sync::Arc::<str>::from("Tea");
    let details = Details {
        last_prices: Some(vec![Some(2.0); 3]),
        categories: Some(vec![Some(tea.clone()), Some(tea), None]),
        discounts: Some(vec![Some(0.1), None, None]),
        margins: Some(vec![None, Some(0.5), None]),
        ..Details::default()
    };
    let nothing = SentOffers::default();
    let rows = |details: &Details, discount: Option<f64>, of_category: &str| {
        let parameters = OfferParameters {
            mix: OfferMix::ONLY_LIKELY,
            discount,
            margin: Some(0.4),
            category_discounts: vec![of_category.to_owned()],
            ..OfferParameters::default()
        };
        let maker = OfferMaker::new(&parameters, &candidates.product_ids, &nothing)?;
        maker.with_details(details)?.offers(&candidates)
    };
    let all = rows(&details, Some(0.3), "tea=0.2").unwrap();
    let discounts: Vec<Option<f64>> = all.iter().map(|row| row.discount).collect();
    assert_eq!(discounts, [Some(0.1), Some(0.2), Some(0.3)]);
    let p_window = all[1].p_window;
    assert_eq!(all[1].expected_cost, Some(p_window * 0.2 * 2.0));
    let gain = all[1].gain_needed.unwrap();
    assert!(
        (gain * (0.5 - 0.2) - p_window * 0.2).abs() < 1e-12,
        "{gain}"
    );
    let some = rows(&details, None, "TEA = 0.2").unwrap();
    assert_eq!((some[2].discount, some[2].expected_cost), (None, None));
    for wrong in ["tea", "tea=20", "=0.2", "tea=a"] {
        let error = rows(&details, None, wrong).unwrap_err().to_string();
        assert!(error.contains("should be CATEGORY=SHARE"), "{error}");
    }
    let unknown = Details {
        categories: None,
        ..details
    };
    let error = rows(&unknown, None, "tea=0.2").unwrap_err().to_string();
    assert!(error.contains("what a product's category is"), "{error}");
}

#[test]
fn who_may_not_be_mailed_is_sent_nothing() {
    let candidates = one(vec![product(0, 0.5, 20, Some(8.0))], vec![]);
    let parameters = OfferParameters::default();
    let nothing = SentOffers::default();
    let rows = |may_mail: Option<Vec<OwnedId>>| {
        let maker = OfferMaker::new(&parameters, &candidates.product_ids, &nothing).unwrap();
        let details = Details {
            may_mail,
            ..Details::default()
        };
        let mut maker = maker.with_details(&details).unwrap();
        maker.offers(&candidates).unwrap().swap_remove(0)
    };
    assert_eq!(rows(None).action, Action::Offer);
    assert_eq!(rows(Some(vec![OwnedId::Integer(-5)])).action, Action::Offer);
    let row = rows(Some(vec![OwnedId::Integer(7)]));
    assert_eq!(
        (row.action, row.due, row.dates),
        (Action::OptedOut, false, None)
    );
    assert_eq!(row.reason, "may not be mailed");
}

#[test]
fn an_offer_says_what_it_costs_and_has_to_bring() {
    let candidates = one(
        vec![
            product(0, 0.5, 20, Some(8.0)),
            product(1, 0.4, 20, Some(8.0)),
        ],
        vec![],
    );
    let details = Details {
        last_prices: Some(vec![Some(2.0), None]),
        ..Details::default()
    };
    let nothing = SentOffers::default();
    let rows = |discount: Option<f64>, margin: Option<f64>, details: &Details| {
        let parameters = OfferParameters {
            discount,
            margin,
            ..OfferParameters::default()
        };
        let maker = OfferMaker::new(&parameters, &candidates.product_ids, &nothing)?;
        maker.with_details(details)?.offers(&candidates)
    };
    let with_both = rows(Some(0.25), Some(0.35), &details).unwrap();
    let p_window = with_both[0].p_window;
    assert_eq!(with_both[0].expected_cost, Some(p_window * 0.25 * 2.0));
    let gain = with_both[0].gain_needed.unwrap();
    assert!((gain * (0.35 - 0.25) - p_window * 0.25).abs() < 1e-12);
    assert_eq!(
        (with_both[1].expected_cost, with_both[1].gain_needed),
        (None, None)
    );
    assert_eq!(
        rows(Some(0.4), Some(0.3), &details).unwrap()[0].gain_needed,
        None,
        "never pays"
    );
    assert_eq!(rows(None, None, &details).unwrap()[0].expected_cost, None);
    let error = rows(Some(0.2), None, &Details::default()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no column says what a product costs"),
        "{error}"
    );
}

#[test]
fn what_few_are_as_sure_to_buy_is_certain() {
    let mut predictions = examples::integer();
    let with = |probability: f64| {
        customer(
            night(),
            0,
            vec![
                product(0, probability, 20, Some(7.0)),
                product(1, 0.02, 20, Some(7.0)),
            ],
        )
    };
    let codes = 0..20_u32;
    predictions.customer_ids = Ids::Integer(codes.clone().map(i64::from).collect());
    predictions.customers = codes
        .map(|code| CustomerPrediction {
            customer: code,
            ..with(0.1 + 0.03 * f64::from(code))
        })
        .collect();
    let certain = |certain_share: f64| -> Vec<u32> {
        let parameters = OfferParameters {
            certain_share,
            ..OfferParameters::default()
        };
        let rows = offers(&predictions, &parameters).unwrap();
        let certain = rows.iter().filter(|row| row.action == Action::Certain);
        certain.map(|row| row.customer).collect()
    };
    // Of 40 products of the customers' first three.
    assert_eq!(certain(0.1), [16, 17, 18, 19]);
    assert_eq!(certain(0.05), [18, 19]);
    assert!(certain(0.0).is_empty());
}

#[test]
fn weights_are_all_given_or_none() {
    let none = OfferMix::default();
    assert_eq!(none.quotas(3, 0.5).iter().sum::<usize>(), 3);
    assert!(
        Strategy::IN_ORDER
            .iter()
            .all(|strategy| none.uses(*strategy))
    );
    let only = OfferMix {
        new: Some(2.0),
        ..OfferMix::default()
    };
    assert!(only.uses(Strategy::New) && !only.uses(Strategy::Likely));
    let zero = OfferParameters {
        mix: mix(0.0, 0.0, 0.0, 0.0),
        ..OfferParameters::default()
    };
    let error = zero.check().unwrap_err().to_string();
    assert!(
        error.contains("[offers] mix should not all be 0"),
        "{error}"
    );
}

#[test]
fn a_probability_is_said_in_plain_words() {
    let said = [0.97, 0.42, 0.151, 0.149, 0.1, 0.012, 0.004, 0.0].map(in_plain_words);
    let without = [
        "nearly all",
        "4 in 10",
        "2 in 10",
        "1 in 7",
        "1 in 10",
        "1 in 83",
        "fewer than 1 in 100",
        "fewer than 1 in 100",
    ];
    assert_eq!(
        said,
        without.map(|often| format!("{often} would buy it without"))
    );
}

/// The customer's window with a return on one day, if at all.
fn buys(comes_on: usize, comes: f64, first: i32, last: i32, probability: f64) -> f64 {
    let mut customer = customer(night(), 0, vec![]);
    customer.next_on = [0.0; 28];
    customer.next_on[comes_on - 1] = comes;
    customer.purchases_90d = 9;
    let dates = OfferDates {
        send_on: night().day() + first,
        valid_from: night().day() + first,
        valid_until: night().day() + last,
    };
    OfferWindow::new(night(), &customer, dates).buys(probability)
}

#[test]
fn the_window_knows_when_and_what() {
    let close = |one: f64, other: f64| assert!((one - other).abs() < 1e-12, "{one} {other}");
    close(buys(4, 0.8, 2, 4, 0.5), 0.8 * 0.5);
    close(buys(5, 0.8, 2, 4, 0.5), 0.0);
    // 10 days after the purchase within the window, with 0.1 purchases a day, each counting 0.6.
    close(
        buys(4, 1.0, 2, 14, 0.5),
        1.0 - 0.5 * f64::exp(-0.6 * 0.1 * 0.5 * 10.0),
    );
    // Came before the window: 13 days of it remain.
    close(
        buys(1, 1.0, 2, 14, 0.5),
        1.0 - f64::exp(-0.6 * 0.1 * 0.5 * 13.0),
    );
    close(buys(4, 1.0, 2, 14, 0.0), 0.0);
    close(buys(4, 1.0, 2, 14, 1.0), 1.0);
}

proptest! {
    #[test]
    fn quotas_are_the_weights_on_average(
        weights in prop::array::uniform4(0.0..5.0_f64), offers in 1..6_usize,
    ) {
        prop_assume!(weights.iter().sum::<f64>() > 0.01);
        let [likely, overdue, winback, new] = weights;
        let mix = mix(likely, overdue, winback, new);
        let mut sums = [0.0; 4];
        for draw in 0..1_000 {
            let quotas = mix.quotas(offers, f64::from(draw) / 1_000.0);
            prop_assert_eq!(quotas.iter().sum::<usize>(), offers);
            for (sum, quota) in sums.iter_mut().zip(quotas) {
                *sum += quota as f64 / 1_000.0;
            }
        }
        let total: f64 = weights.iter().sum();
        for (sum, weight) in sums.iter().zip(weights) {
            prop_assert!((sum - weight / total * offers as f64).abs() < 0.01, "{sums:?}");
        }
    }

    #[test]
    fn a_longer_window_and_a_likelier_product_are_likelier(
        comes_on in 1..28_usize, first in 1..20_i32, days in 0..20_i32,
        probability in 0.0..1.0_f64,
    ) {
        let short = buys(comes_on, 0.9, first, first + days, probability);
        prop_assert!((0.0..=1.0).contains(&short));
        prop_assert!(buys(comes_on, 0.9, first, first + days + 1, probability) >= short);
        let likelier = f64::midpoint(probability, 1.0);
        prop_assert!(buys(comes_on, 0.9, first, first + days, likelier) >= short);
    }
}
