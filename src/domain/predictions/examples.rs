//! A small night's predictions for tests.

use super::*;

/// A product that the customer bought before.
pub(crate) fn product(
    product: u32,
    probability: f64,
    days_since_bought: i32,
    typical_gap_days: Option<f64>,
) -> ProductPrediction {
    ProductPrediction {
        product,
        probability,
        times_bought: if typical_gap_days.is_some() { 4 } else { 1 },
        days_since_bought: Some(days_since_bought),
        typical_gap_days,
        model: ProductModel::Pooled,
        evidence: Evidence::Own {
            lately: 4,
            purchases: 10,
        },
    }
}

/// A product that is new to the customer.
pub(crate) fn new_product(product: u32, probability: f64) -> ProductPrediction {
    ProductPrediction {
        product,
        probability,
        times_bought: 0,
        days_since_bought: None,
        typical_gap_days: None,
        model: ProductModel::Product,
        evidence: Evidence::Store { share: 0.123 },
    }
}

/// A customer who is expected in 4 days.
pub(crate) fn customer(
    night: AsOf,
    customer: u32,
    products: Vec<ProductPrediction>,
) -> CustomerPrediction {
    CustomerPrediction {
        customer,
        last_purchase: night.day() - 3,
        purchases_90d: 12,
        days_to_next: 3.6,
        earliest: night.day() + 2,
        latest: night.day() + 9,
        return_probability: [0.7, 0.9, 0.97],
        next_on: std::array::from_fn(|day| if day < 10 { 0.095 } else { 0.0 }),
        expected_basket_size: 14.5,
        products,
        further: vec![],
    }
}

/// The night 2017-10-31 with the customers of codes 0, 2 and 3.
pub(crate) fn predictions(customer_ids: Ids, product_ids: Ids) -> Predictions {
    let night = AsOf(Day::from_epoch(17_470));
    let products = vec![
        product(2, 0.8, 20, Some(9.5)),
        new_product(0, 0.3),
        product(1, 0.1, 40, None),
    ];
    Predictions {
        as_of: night,
        model_id: "2017-09-30-0123456789ab".into(),
        funnel: Funnel {
            seen: 4,
            active: 4,
            frequent: 3,
            large_baskets: 3,
            recurrent: 3,
            by_basket_share: vec![(1.0, 3), (0.5, 4)],
        },
        customer_ids,
        product_ids,
        customers: vec![
            customer(night, 0, products.clone()),
            customer(night, 2, products),
            customer(night, 3, vec![]),
        ],
    }
}

/// Predictions with integer ids.
pub(crate) fn integer() -> Predictions {
    predictions(
        Ids::Integer(vec![-5, 7, 2_469, i64::MAX]),
        Ids::Integer(vec![10, 20, 30]),
    )
}

/// Predictions with text ids.
pub(crate) fn text() -> Predictions {
    predictions(
        Ids::Text(
            ["anna", "bob, \"b\"", "søren", "zoë\nx"]
                .map(String::from)
                .to_vec(),
        ),
        Ids::Text(["0001", "milk", "oats"].map(String::from).to_vec()),
    )
}
