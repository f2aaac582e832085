//! What is predicted on one night: for each customer, the time of the next purchase and the
//! products of the next basket.

use serde::Serialize;

use crate::calendar::{AsOf, Day, HORIZON_DAYS};
use crate::domain::{Funnel, Ids};

/// The horizons of the return probabilities, in days.
pub const RETURN_HORIZONS: [u32; 3] = [7, 14, 28];

/// Fewest purchases of a product that make a habit of it.
pub const HABIT_PURCHASES: u32 = 3;

/// Fewest days without a purchase of a product for a habit to be gone.
pub const HABIT_GONE_DAYS: i32 = 42;

/// How many products are listed for a customer at most.
pub const MAX_RANK: usize = 25;

/// Everything that is predicted on one night.
#[derive(Debug, Clone)]
pub struct Predictions {
    /// The night T.
    pub as_of: AsOf,
    /// The id of the model that predicted.
    pub model_id: String,
    /// How many customers pass each part of the rule.
    pub funnel: Funnel,
    /// The ids behind the customer codes.
    pub customer_ids: Ids,
    /// The ids behind the product codes.
    pub product_ids: Ids,
    /// One for each recurrent customer, by ascending code.
    pub customers: Vec<CustomerPrediction>,
}

/// When a customer comes back, and with what.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerPrediction {
    /// Customer code.
    pub customer: u32,
    /// Day of the latest purchase.
    pub last_purchase: Day,
    /// Purchases in the 90 days up to T.
    pub purchases_90d: u32,
    /// Median of the days from T to the next purchase, at least 1.
    pub days_to_next: f64,
    /// First day of the 80 % interval.
    pub earliest: Day,
    /// Last day of the 80 % interval.
    pub latest: Day,
    /// Probability of a purchase within 7, 14 and 28 days.
    pub return_probability: [f64; 3],
    /// Probability that the next purchase comes on each day after T, from the first on.
    pub next_on: [f64; HORIZON_DAYS as usize],
    /// Expected number of distinct products in the next basket.
    pub expected_basket_size: f64,
    /// The likeliest products of the next basket, at most [`MAX_RANK`], by descending probability,
    /// then by ascending product code.
    pub products: Vec<ProductPrediction>,
    /// Other candidates for offers, in the same order.
    pub further: Vec<ProductPrediction>,
}

/// One likely product of the next basket.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductPrediction {
    /// Product code.
    pub product: u32,
    /// Probability that it is in the next basket, given that the customer comes.
    pub probability: f64,
    /// How many purchases of the customer up to T had it; 0 if it is new to the customer.
    pub times_bought: u32,
    /// Days from the customer's latest purchase of it to T.
    pub days_since_bought: Option<i32>,
    /// Mean days between the customer's purchases of it; `None` if there were fewer than two.
    pub typical_gap_days: Option<f64>,
    /// Which model gave the probability.
    pub model: ProductModel,
    /// What else makes it likely.
    pub evidence: Evidence,
}

/// What makes a product likely. [`ProductPrediction::reason`] puts it into words where it is shown:
/// a night has millions of predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Evidence {
    /// The customer bought it on some of the last visits, of which at most ten are looked at.
    Own {
        /// Visits on which it was bought.
        lately: u32,
        /// Visits that were looked at.
        purchases: u32,
    },
    /// It is new to the customer.
    Store {
        /// Share of all purchases of the last 28 days that had it.
        share: f64,
    },
}

/// Which model gave a product's probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProductModel {
    /// The pooled model, corrected by this product's own tree.
    Product,
    /// The pooled model alone.
    Pooled,
}

impl Predictions {
    /// The day on which a customer is expected: `days_to_next` rounded to whole days from T, at
    /// least the day after it.
    #[must_use]
    pub fn expected(&self, customer: &CustomerPrediction) -> Day {
        customer.expected(self.as_of)
    }
}

impl ProductPrediction {
    /// Why the product is likely, in a few words: what the customer's own purchases, or those of
    /// the whole store, show. Every number in it can be checked in the tickets.
    #[must_use]
    pub fn reason(&self) -> String {
        let often = match self.evidence {
            Evidence::Store { share } => {
                let percent = 100.0 * share;
                let percent = if percent < 0.05 {
                    "less than 0.1".to_owned()
                } else {
                    format!("{percent:.1}")
                };
                return format!(
                    "new to the customer; in {percent} % of all purchases of the last 28 days"
                );
            }
            Evidence::Own { lately: 0, .. } => {
                format!("bought {}", super::words::times(self.times_bought))
            }
            Evidence::Own { purchases: 1, .. } => "bought on the only visit".to_owned(),
            Evidence::Own { lately, purchases } if lately == purchases => {
                format!("bought on each of the last {purchases} visits")
            }
            Evidence::Own { lately, purchases } => {
                format!("bought on {lately} of the last {purchases} visits")
            }
        };
        let ago = super::words::ago(self.days_since_bought.unwrap_or_default());
        // One gap is no habit.
        match self.typical_gap_days.filter(|_| self.times_bought >= 3) {
            Some(gap) => format!(
                "{often}; {} on average, last {ago}",
                super::words::every(gap)
            ),
            None => format!("{often}; last {ago}"),
        }
    }
}

impl CustomerPrediction {
    /// As [`Predictions::expected`].
    #[must_use]
    pub fn expected(&self, as_of: AsOf) -> Day {
        // A cast of a float saturates, and NaN becomes 0.
        as_of.day() + (self.days_to_next.round() as i32).max(1)
    }
}

#[cfg(test)]
pub(crate) mod examples;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_rare_cases_are_good_english() {
        let own = |times_bought, ago, gap, lately, purchases| {
            let evidence = Evidence::Own { lately, purchases };
            ProductPrediction {
                times_bought,
                evidence,
                ..examples::product(0, 0.5, ago, gap)
            }
            .reason()
        };
        assert_eq!(
            own(1, 1, None, 1, 1),
            "bought on the only visit; last yesterday"
        );
        assert_eq!(
            own(2, 0, Some(1.0), 2, 2),
            "bought on each of the last 2 visits; last today"
        );
        assert_eq!(
            own(3, 0, Some(1.0), 3, 3),
            "bought on each of the last 3 visits; every day on average, last today"
        );
        assert_eq!(own(1, 40, None, 0, 10), "bought once; last 40 days ago");
        let new = |share| {
            ProductPrediction {
                evidence: Evidence::Store { share },
                ..examples::new_product(0, 0.5)
            }
            .reason()
        };
        assert_eq!(
            new(0.0123),
            "new to the customer; in 1.2 % of all purchases of the last 28 days"
        );
        assert_eq!(
            new(0.000_4),
            "new to the customer; in less than 0.1 % of all purchases of the last 28 days"
        );
    }
}
