//! The probability that a customer buys a product while an offer is valid, without it.

use super::OfferDates;
use crate::calendar::AsOf;
use crate::domain::CustomerPrediction;

/// How much less a purchase after the next one is to hold a product, beside the next one: who did not
/// buy it on one visit is less likely to want it on the following ones, and who did has it at home.
const LATER_PURCHASE: f64 = 0.6;

/// The days over which the customer's purchases are counted.
const DAYS: f64 = crate::calendar::PURCHASES_WINDOW_DAYS as f64;

/// When a customer may come while the offers are valid.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfferWindow<'a> {
    customer: &'a CustomerPrediction,
    /// First and last day, counted from the night.
    first: i32,
    last: i32,
}

impl<'a> OfferWindow<'a> {
    pub(super) fn new(as_of: AsOf, customer: &'a CustomerPrediction, dates: OfferDates) -> Self {
        Self {
            customer,
            first: dates.valid_from - as_of.day(),
            last: dates.valid_until - as_of.day(),
        }
    }

    /// The probability that a product is bought in the window which is in the next basket with this
    /// probability. The next purchase comes on the days that the timing model says; more follow as
    /// often as the customer came in the last 90 days, one independently of the other.
    pub(super) fn buys(&self, in_next_basket: f64) -> f64 {
        let a_day = f64::from(self.customer.purchases_90d) / DAYS;
        let later = LATER_PURCHASE * a_day * in_next_basket;
        let mut buys = 0.0;
        for (day, comes) in (1..).zip(self.customer.next_on) {
            if day > self.last {
                break;
            }
            let none_later = f64::exp(-later * f64::from(self.last - day.max(self.first - 1)));
            let none = match day < self.first {
                true => none_later,
                false => (1.0 - in_next_basket) * none_later,
            };
            buys += comes * (1.0 - none);
        }
        buys.clamp(0.0, 1.0)
    }
}

/// A probability as people say it: how many of so many customers.
pub(super) fn in_plain_words(probability: f64) -> String {
    let of_ten = (10.0 * probability).round();
    if of_ten >= 10.0 {
        return "nearly all would buy it without".to_owned();
    }
    if of_ten >= 2.0 {
        return format!("{of_ten:.0} in 10 would buy it without");
    }
    match (1.0 / probability.max(1e-9)).round() {
        of if of > 100.0 => "fewer than 1 in 100 would buy it without".to_owned(),
        of => format!("1 in {of:.0} would buy it without"),
    }
}
