//! Offers: which of the likely products are worth a personal discount, when to send it, and who is
//! left out to measure its effect.
//!
//! A likely purchase is not an uplift: a customer who would have bought anyway costs the discount
//! and brings nothing. So a share of the customers, the control arm, is never sent anything. The
//! difference between the arms is what the offers bring.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::calendar::Day;
use crate::domain::{CustomerPrediction, Id, Ids, MAX_RANK, Predictions, ProductPrediction, words};
use crate::error::{Error, Result};
use crate::settings::{Allowed, section};

#[cfg(test)]
mod tests;

/// The days that a number of days in `[offers]` may be: up to a year.
const UP_TO_A_YEAR: Allowed = Allowed::Between(0.0, 365.0);
/// The same for a length, which is a day at least.
const A_DAY_TO_A_YEAR: Allowed = Allowed::Between(1.0, 365.0);

section! {
    /// How offers are made from predictions.
    pub struct OfferParameters {
        /// Most offers that a customer gets in one night
        #[setting(default = 3, allowed(Allowed::Between(1.0, MAX_RANK as f64)))]
        pub per_customer: usize,
        /// A product with a probability above this is not offered: the customer would buy it anyway
        /// (`certain`)
        #[setting(default = 0.9, allowed(Allowed::SHARE))]
        pub certain_above: f64,
        /// A product is not due yet if, on the expected day, less than this share of its typical gap
        /// has passed since it was bought (`recent`)
        #[setting(default = 0.5, allowed(Allowed::SHARE))]
        pub recent_gap_share: f64,
        /// The same in days, for a product whose typical gap is unknown because the customer bought it
        /// only once
        #[setting(default = 3, allowed(UP_TO_A_YEAR))]
        pub recent_days: i32,
        /// Ids of products that are never offered, such as tobacco (`excluded`)
        #[setting(default = vec![])]
        pub exclude_products: Vec<String>,
        /// Share of the customers in the control arm. They are sent nothing, to measure what offers
        /// bring
        #[setting(default = 0.1, allowed(Allowed::SHARE))]
        pub control_share: f64,
        /// The salt with which the arms are drawn. With the same salt, a customer is in the same arm
        /// every night
        #[setting(default = "okuo".into())]
        pub salt: String,
        /// An offer is sent this many days before the expected day, but not before the day after the
        /// night: a customer who is expected tomorrow is sent it tomorrow
        #[setting(default = 1, allowed(UP_TO_A_YEAR))]
        pub lead_days: i32,
        /// Fewest days that an offer is valid
        #[setting(default = 3, allowed(A_DAY_TO_A_YEAR))]
        pub min_valid_days: i32,
        /// Most days that an offer is valid
        #[setting(default = 28, allowed(A_DAY_TO_A_YEAR))]
        pub max_valid_days: i32,
    }
}

impl OfferParameters {
    /// The parameters themselves, if they make sense.
    ///
    /// # Errors
    /// If a value is out of its range, or the fewest days are more than the most.
    pub fn check(self) -> Result<Self> {
        self.check_ranges("offers.")?;
        if self.min_valid_days > self.max_valid_days {
            return Err(Error::request(format!(
                "min_valid_days should be at most max_valid_days, but is {} and max_valid_days is {}",
                self.min_valid_days, self.max_valid_days
            ))
            .hint("they are the fewest and the most days that an offer is valid"));
        }
        Ok(self)
    }
}

/// Whether a product is offered, or why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is offered (to the treatment arm).
    Offer,
    /// The customer would buy it without a discount.
    Certain,
    /// It was bought so recently that it is not due yet.
    Recent,
    /// It is on the exclusion list.
    Excluded,
}

impl Action {
    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Action::Offer => "offer",
            Action::Certain => "certain",
            Action::Recent => "recent",
            Action::Excluded => "excluded",
        }
    }
}

/// Whether a customer is sent offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// Offers are sent.
    Treatment,
    /// Offers are recorded but not sent.
    Control,
}

impl Arm {
    /// The arm of a customer: control if the first 53 bits of SHA-256 over salt and id, read as a
    /// number from 0 to 1, are below `control_share`. It depends on nothing else, so it stays the
    /// same from night to night, and a larger share only adds customers to the control arm.
    #[must_use]
    pub fn of(customer: Id<'_>, salt: &str, control_share: f64) -> Self {
        // The salt's length keeps ("a", "b1") and ("ab", "1") apart.
        let digest = Sha256::new()
            .chain_update((salt.len() as u64).to_le_bytes())
            .chain_update(salt)
            .chain_update(customer.to_string());
        let bytes: [u8; 32] = digest.finalize().into();
        let bits = bytes
            .iter()
            .take(8)
            .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte))
            >> 11;
        match (bits as f64) / ((1_u64 << 53) as f64) < control_share {
            true => Arm::Control,
            false => Arm::Treatment,
        }
    }

    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Arm::Treatment => "treatment",
            Arm::Control => "control",
        }
    }
}

/// One product that was considered for one customer.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Customer code.
    pub customer: u32,
    /// Product code.
    pub product: u32,
    /// Its place among the customer's likely products, from 1.
    pub rank: u32,
    /// Probability that it is in the next basket, given that the customer comes.
    pub probability: f64,
    /// When to send the offer and how long it is valid; `None` if the product is not offered.
    pub dates: Option<OfferDates>,
    /// Whether it is offered, or why not.
    pub action: Action,
    /// The customer's arm.
    pub arm: Arm,
    /// Why, in a few words.
    pub reason: String,
}

/// The days of an offer, all after T.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfferDates {
    /// The day on which to send it, the day after T at the earliest.
    pub send_on: Day,
    /// The first day of validity: the first day of the 80 % interval or `send_on`, whichever is
    /// later.
    pub valid_from: Day,
    /// The last day of validity: the last day of the interval, kept within the fewest and most days
    /// of validity counted from `valid_from`.
    pub valid_until: Day,
}

/// Considers each customer's likely products in their order until `per_customer` of them are
/// offered. Each product considered is a row, offered or not. Rows are by customer, then rank.
///
/// # Errors
/// If the parameters do not pass [`OfferParameters::check`], or a customer's code has no id.
pub fn offers(predictions: &Predictions, parameters: &OfferParameters) -> Result<Vec<Offer>> {
    let parameters = parameters.clone().check()?;
    let mut excluded: Vec<u32> = parameters
        .exclude_products
        .iter()
        .filter_map(|id| predictions.product_ids.code(id))
        .collect();
    excluded.sort_unstable();
    let mut offers = Vec::new();
    for customer in &predictions.customers {
        let id = predictions.customer_ids.get(customer.customer);
        let id = id.ok_or_else(|| {
            Error::system(format!(
                "the predictions' customer {} has no id",
                customer.customer
            ))
        })?;
        let arm = Arm::of(id, &parameters.salt, parameters.control_share);
        let dates = dates(predictions, customer, &parameters);
        let days_ahead = predictions.expected(customer) - predictions.as_of.day();
        let mut offered = 0;
        for (rank, product) in (1..).zip(&customer.products) {
            if offered == parameters.per_customer {
                break;
            }
            let (action, reason) = decide(product, days_ahead, &excluded, &parameters);
            let is_offered = action == Action::Offer;
            offered += usize::from(is_offered);
            offers.push(Offer {
                customer: customer.customer,
                product: product.product,
                rank,
                probability: product.probability,
                dates: is_offered.then_some(dates),
                action,
                arm,
                reason,
            });
        }
    }
    Ok(offers)
}

/// The ids in `exclude_products` that occur in no ticket, in their order: most likely misspelt.
#[must_use]
pub fn unknown_exclusions<'a>(products: &Ids, parameters: &'a OfferParameters) -> Vec<&'a str> {
    parameters
        .exclude_products
        .iter()
        .map(String::as_str)
        .filter(|id| products.code(id).is_none())
        .collect()
}

/// Whether a product is offered, and why or why not. The customer is expected `days_ahead` days
/// after the night; `excluded` are product codes, ascending.
fn decide(
    product: &ProductPrediction,
    days_ahead: i32,
    excluded: &[u32],
    parameters: &OfferParameters,
) -> (Action, String) {
    if excluded.binary_search(&product.product).is_ok() {
        return (Action::Excluded, "on the exclusion list".to_owned());
    }
    if product.probability > parameters.certain_above {
        let reason = format!("bought anyway with probability {:.2}", product.probability);
        return (Action::Certain, reason);
    }
    match not_due(product, days_ahead, parameters) {
        Some(reason) => (Action::Recent, reason),
        None => (Action::Offer, product.reason()),
    }
}

/// Why a product is not due yet on the expected day; `None` if it is due.
fn not_due(
    product: &ProductPrediction,
    days_ahead: i32,
    parameters: &OfferParameters,
) -> Option<String> {
    let since = product.days_since_bought?;
    let by_then = since.saturating_add(days_ahead);
    let bought = words::ago(since);
    let Some(gap) = product.typical_gap_days else {
        return (by_then < parameters.recent_days).then(|| format!("bought {bought}"));
    };
    let is_recent = f64::from(by_then) < parameters.recent_gap_share * gap;
    if !is_recent {
        return None;
    }
    // One gap is no habit.
    let habit = match product.times_bought {
        ..=2 => format!(
            "for the second time, {} after the first",
            words::counted(gap.round() as i32, "day")
        ),
        _ => format!("{} on average", words::every(gap)),
    };
    Some(format!("bought {bought}; {habit}"))
}

/// The dates of what is offered to a customer; see [`OfferDates`].
fn dates(
    predictions: &Predictions,
    customer: &CustomerPrediction,
    parameters: &OfferParameters,
) -> OfferDates {
    let send_on =
        (predictions.expected(customer) - parameters.lead_days).max(predictions.as_of.day() + 1);
    let valid_from = customer.earliest.max(send_on);
    let valid_until = customer
        .latest
        .max(valid_from + (parameters.min_valid_days - 1))
        .min(valid_from + (parameters.max_valid_days - 1));
    OfferDates {
        send_on,
        valid_from,
        valid_until,
    }
}
