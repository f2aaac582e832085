use std::sync::OnceLock;

use super::*;
use crate::domain::MAX_RANK;
use crate::models::basket::ProductTree;
use crate::models::examples::{NIGHT, read, rule, store, tiny_model};
use crate::models::score;
use crate::models::tree::CorrectionTree;
use crate::purchases::Line;

/// The example store, with one who comes rarely (190), one who came twice (191), and what follows
/// the night.
fn purchases() -> &'static Purchases {
    static PURCHASES: OnceLock<Purchases> = OnceLock::new();
    PURCHASES.get_or_init(|| {
        let line = |customer: u32, day: i32| {
            (0..8).map(move |product| Line {
                customer,
                day: NIGHT.day() - day,
                product,
            })
        };
        let rare = [100, 80, 61, 40, 20, 2]
            .into_iter()
            .flat_map(|day| line(190, day));
        let twice = [4, 1].into_iter().flat_map(|day| line(191, day));
        let small = (0..30).map(|step| Line {
            customer: 193,
            day: NIGHT.day() - 4 * step,
            product: 3,
        });
        read(
            store(40, 150, 3)
                .into_iter()
                .chain(rare)
                .chain(twice)
                .chain(line(192, -3))
                .chain(small)
                .collect(),
        )
    })
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| tiny_model(NIGHT, 1))
}

fn explained(id: &str) -> Result<Explanation> {
    let night = NightSummary::new(model(), purchases(), NIGHT, &rule())?;
    explain(model(), "m", purchases(), night, id, MAX_RANK)
}

#[test]
fn the_numbers_are_those_that_score_publishes() {
    let predictions = score(model(), "m", purchases(), NIGHT, &rule()).unwrap();
    assert!(predictions.customers.len() > 30);
    for published in &predictions.customers {
        let explanation = explained(
            &predictions
                .customer_ids
                .get(published.customer)
                .unwrap()
                .to_string(),
        )
        .unwrap();
        assert!(explanation.recurrent && explanation.why_not.is_empty());
        assert_eq!(
            (
                explanation.history.last_purchase,
                explanation.history.purchases_90d
            ),
            (published.last_purchase, published.purchases_90d)
        );
        let own = explanation.prediction.unwrap();
        assert_eq!(
            (own.expected_date, own.earliest_date, own.latest_date),
            (
                predictions.expected(published),
                published.earliest,
                published.latest
            )
        );
        assert_eq!(
            (own.days_to_next, own.expected_basket_size),
            (published.days_to_next, published.expected_basket_size)
        );
        assert_eq!(
            [own.p_return_7d, own.p_return_14d, own.p_return_28d],
            published.return_probability
        );
        assert_eq!(own.products.len(), published.products.len());
        for (own, published) in own.products.iter().zip(&published.products) {
            assert_eq!(
                own.product_id,
                predictions
                    .product_ids
                    .get(published.product)
                    .unwrap()
                    .owned()
            );
            assert_eq!(
                (own.probability, &own.reason, own.model),
                (published.probability, &published.reason(), published.model)
            );
            assert_eq!(
                (own.times_bought, own.days_since_bought),
                (published.times_bought, published.days_since_bought)
            );
            assert_eq!(own.typical_gap_days, published.typical_gap_days);
            let feature = |name: &str| {
                own.features
                    .0
                    .iter()
                    .find(|(known, _)| *known == name)
                    .unwrap()
                    .1
            };
            assert_eq!(
                feature("bought"),
                Some(published.times_bought as f32),
                "the features are this product's"
            );
        }
        let by_day: f64 = own.by_day.iter().map(|day| day.probability).sum();
        assert!(
            own.by_day.len() == 14 && by_day > 0.0 && by_day <= 1.0,
            "{by_day}"
        );
    }
}

#[test]
fn who_is_not_recurrent_is_told_why() {
    let rare = explained("190").unwrap();
    assert!(!rare.recurrent);
    let periods: Vec<(i32, i32, u32, u32)> = rare
        .rule
        .periods
        .iter()
        .map(|period| {
            (
                NIGHT.day() - period.first,
                NIGHT.day() - period.last,
                period.purchases,
                period.large_baskets,
            )
        })
        .collect();
    assert_eq!(periods, [(29, 0, 2, 2), (59, 30, 1, 1), (89, 60, 2, 2)]);
    assert_eq!(
        rare.why_not,
        ["1 purchase from 2017-03-16 to 2017-04-14, where the rule asks for 2"]
    );
    assert!(
        rare.prediction.is_some(),
        "six purchases are enough to say what the model thinks"
    );
    let small = explained("193").unwrap();
    assert_eq!(
        small.why_not,
        ["a share of 0.00 of the purchases has at least 5 products, where the rule asks for 0.5"]
    );
    assert_eq!(small.rule.large_basket_share, Some(0.0));
}

#[test]
fn the_past_is_told_as_it_was() {
    let past = explained("191").unwrap();
    assert!(
        past.prediction.is_none() && past.min_purchases == 6,
        "two purchases are too few to say anything"
    );
    let latest: Vec<(i32, Option<i32>, usize)> = past
        .history
        .latest
        .iter()
        .map(|purchase| {
            (
                NIGHT.day() - purchase.day,
                purchase.gap_days,
                purchase.products,
            )
        })
        .collect();
    assert_eq!(latest, [(1, Some(3), 8), (4, None, 8)]);
    assert_eq!(
        (past.history.mean_gap_days, past.history.median_gap_days),
        (Some(3.0), Some(3.0))
    );
}

#[test]
fn ids_that_nobody_has_are_refused_with_an_example() {
    for id in ["nobody", "-7", "1000000", ""] {
        let error = explained(id).unwrap_err();
        assert_eq!(error.exit_code(), 1);
        let text = error.to_string();
        assert!(
            text.contains(&format!("under the id \"{id}\""))
                && text.contains("ids are integers; 0, for example, is"),
            "{text}"
        );
    }
    assert!(
        explained("192").is_err(),
        "who comes after the night is not known on it"
    );
}

/// The likeliest products of a customer, by a model in which every product has the same tree: bought
/// more often by customers who came lately.
fn told_with_trees(strength: f64) -> Vec<Product> {
    let product = |id: u32| ProductTree {
        product: id.to_string(),
        tree: CorrectionTree::of_nodes(&[(0, 1.5, 0.0), (0, 0.0, 1.2), (0, 0.0, -0.8)]),
        bought: 40,
    };
    let mut model = model().clone();
    model.basket = model.basket.with_trees((0..70).map(product), strength);
    let night = NightSummary::new(&model, purchases(), NIGHT, &rule()).unwrap();
    let explanation = explain(&model, "m", purchases(), night, "0", MAX_RANK).unwrap();
    explanation.prediction.unwrap().products
}

#[test]
fn what_a_products_own_tree_makes_of_the_probability_is_told() {
    assert!(
        explained("0").unwrap().prediction.unwrap().products[0]
            .correction
            .is_none()
    );
    for strength in [0.5, 1.0] {
        let products = told_with_trees(strength);
        assert!(!products.is_empty());
        for product in &products {
            let correction = product.correction.as_ref().unwrap();
            let (_, elapsed) = product.features.0[1];
            let (value, when) = match elapsed.unwrap() <= 1.5 {
                true => (1.2_f64, "up to 1.5 days after the customer's last purchase"),
                false => (-0.8, "over 1.5 days after the customer's last purchase"),
            };
            // As a correction is kept.
            let value = f64::from(value as f32);
            assert_eq!(
                (correction.odds, correction.when.as_str()),
                ((strength * value).exp(), when)
            );
            // The calibration rises, so the probability moves as the odds do.
            let moved = product.probability - correction.probability_without;
            assert!(moved * value >= 0.0, "{correction:?} {moved}");
        }
    }
    // Trees that are not applied are not spoken of.
    let products = told_with_trees(0.0);
    let corrections = products.iter().filter_map(|it| it.correction.as_ref());
    assert_eq!((products.is_empty(), corrections.count()), (false, 0));
}
