//! What holds for every night's predictions. A violation is a mistake of the models and must not
//! reach a customer.

use crate::calendar::Day;
use crate::domain::{CustomerPrediction, Id, MAX_RANK, Predictions, ProductPrediction};
use crate::error::{Error, Result};

/// Longest time to the next purchase that is believed, in days.
const MOST_DAYS: f64 = 36_525.0;

/// What is wrong, in words, if anything is.
type Checked = Result<(), String>;

/// # Errors
/// If a prediction is not what it should be; the message names the customer.
pub(super) fn check(predictions: &Predictions) -> Result<()> {
    let mut previous = None;
    for customer in &predictions.customers {
        check_order(previous, customer)
            .and_then(|()| check_timing(predictions.as_of.day(), customer))
            .and_then(|()| check_return_probabilities(customer))
            .and_then(|()| check_basket_size(customer))
            .and_then(|()| check_products(&customer.products))
            .and_then(|()| check_further(&customer.further))
            .map_err(|what| wrong(predictions, customer, &what))?;
        previous = Some(customer.customer);
    }
    Ok(())
}

fn wrong(predictions: &Predictions, customer: &CustomerPrediction, what: &str) -> Error {
    let id = predictions
        .customer_ids
        .get(customer.customer)
        .unwrap_or(Id::Text("?"));
    Error::system(format!("the prediction for customer {id} is wrong: {what}"))
        .hint("nothing was published; please report this")
}

fn check_order(previous: Option<u32>, customer: &CustomerPrediction) -> Checked {
    match previous {
        Some(previous) if previous >= customer.customer => {
            Err("it occurs twice or out of order".to_owned())
        }
        _ => Ok(()),
    }
}

fn check_timing(night: Day, customer: &CustomerPrediction) -> Checked {
    if !(1.0..=MOST_DAYS).contains(&customer.days_to_next) {
        return Err(format!("days_to_next is {}", customer.days_to_next));
    }
    if customer.earliest <= night
        || customer.latest < customer.earliest
        || customer.last_purchase > night
    {
        return Err(format!(
            "seen from {night}, the last purchase is on {} and the next from {} to {}",
            customer.last_purchase, customer.earliest, customer.latest
        ));
    }
    Ok(())
}

fn check_return_probabilities(customer: &CustomerPrediction) -> Checked {
    let [within_7, within_14, within_28] = customer.return_probability;
    check_probability("p_return_7d", within_7)?;
    check_probability("p_return_14d", within_14)?;
    check_probability("p_return_28d", within_28)?;
    if within_7 > within_14 || within_14 > within_28 {
        return Err(format!(
            "its return probabilities fall with time: {within_7}, {within_14}, {within_28}"
        ));
    }
    Ok(())
}

fn check_basket_size(customer: &CustomerPrediction) -> Checked {
    let size = customer.expected_basket_size;
    if size.is_finite() && size >= 0.0 {
        Ok(())
    } else {
        Err(format!("expected_basket_size is {size}"))
    }
}

fn check_products(products: &[ProductPrediction]) -> Checked {
    if products.len() > MAX_RANK {
        return Err(format!(
            "it lists {} products, more than {MAX_RANK}",
            products.len()
        ));
    }
    let mut above = f64::INFINITY;
    for product in products {
        check_probability("the probability of a product", product.probability)?;
        if product.probability > above {
            return Err("its products are not by descending probability".to_owned());
        }
        above = product.probability;
        if product.typical_gap_days.is_some_and(|gap| !gap.is_finite()) {
            return Err("the typical gap of a product is not a number".to_owned());
        }
    }
    let mut codes: Vec<u32> = products.iter().map(|product| product.product).collect();
    codes.sort_unstable();
    if codes.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("it lists a product twice".to_owned());
    }
    Ok(())
}

fn check_further(products: &[ProductPrediction]) -> Checked {
    let mut products = products.iter();
    products.try_for_each(|product| {
        check_probability("the probability of a candidate", product.probability)
    })
}

fn check_probability(name: &str, value: f64) -> Checked {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(format!("{name} is {value}, not a probability"))
    }
}
