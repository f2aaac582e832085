//! Offers: which of the likely products are worth a personal discount, when to send it, and who is
//! left out to measure its effect.
//!
//! A likely purchase is not an uplift: a customer who would have bought anyway costs the discount
//! and brings nothing. So a share of the customers, the control arm, is never sent anything. The
//! difference between the arms is what the offers bring.

mod arm;
mod campaign;
mod category;
mod choice;
mod mix;
#[cfg(test)]
mod mix_tests;
mod money;
mod sent;
#[cfg(test)]
mod sent_tests;
#[cfg(test)]
mod tests;
mod window;

use serde::Serialize;

use crate::calendar::Day;
use crate::domain::{Details, Id, Ids, MAX_RANK, OwnedId, Predictions};
use crate::error::{Error, Result};
use crate::sampling::{Draw, hash_bytes, unit};
use crate::settings::{Allowed, section};

pub use arm::Arm;
pub use campaign::CampaignOffer;
use category::OfferCategories;
pub use category::unknown_categories;
use choice::{CustomerChoice, OfferArms};
pub use mix::{OfferMix, Strategy};
use money::OfferCosts;
pub use sent::{LONGEST_QUIET, SentOffer, SentOffers, SentToCustomer, nights_to_remember};

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
        /// Of the three likeliest products of each customer, the share that is most certainly bought
        /// while the offer would be valid: it is not offered either (`certain`)
        #[setting(default = 0.1, allowed(Allowed::SHARE))]
        pub certain_share: f64,
        /// What is offered: how many of the offers each strategy chooses
        #[setting(default = OfferMix::default())]
        pub mix: OfferMix,
        /// A product is not due yet if, on the expected day, less than this share of its typical gap
        /// has passed since it was bought (`recent`)
        #[setting(default = 0.5, allowed(Allowed::SHARE))]
        pub recent_gap_share: f64,
        /// The same in days, for a product whose typical gap is unknown because the customer bought it
        /// only once
        #[setting(default = 3, allowed(UP_TO_A_YEAR))]
        pub recent_days: i32,
        /// Days for which a product that was offered to a customer is not offered to them again
        /// (`already_sent`)
        #[setting(
            default = None,
            default_note("the customer's own gap between purchases of it, at most 84; 28 where there is none"),
            allowed(UP_TO_A_YEAR)
        )]
        pub quiet_days_product: Option<u32>,
        /// Most mailings that a customer gets in 7 days (`too_soon`)
        #[setting(default = 1, allowed(Allowed::Between(1.0, 7.0)))]
        pub max_per_week: usize,
        /// Table of what was really sent, with the columns customer_id, product_id and sent_on: a file,
        /// a folder or a glob, local or s3://
        #[setting(default = None, default_note("the offers published under the same output"))]
        pub sent: Option<String>,
        /// Ids of products that are never offered, such as tobacco (`excluded`)
        #[setting(default = vec![])]
        pub exclude_products: Vec<String>,
        /// Categories whose products are never offered, such as tobacco (`excluded`)
        #[setting(default = vec![])]
        pub exclude_categories: Vec<String>,
        /// Most offers of one category that a customer gets in one night (`category`)
        #[setting(
            default = None,
            default_note("as many as there are"),
            allowed(Allowed::Between(1.0, MAX_RANK as f64))
        )]
        pub max_per_category: Option<usize>,
        /// The discount of an offer, as a share of the price: then the offers say what they cost
        #[setting(default = None, allowed(Allowed::SHARE))]
        pub discount: Option<f64>,
        /// What is left of a price without a discount, as a share of it: then the offers say what they
        /// have to bring
        #[setting(default = None, allowed(Allowed::SHARE))]
        pub margin: Option<f64>,
        /// Share of the customers in the control arm. They are sent nothing, to measure what offers
        /// bring
        #[setting(default = 0.1, allowed(Allowed::SHARE))]
        pub control_share: f64,
        /// Share of the due offers that are held back although their customers are mailed, to measure
        /// what each kind of offer brings (`offer_arm`)
        #[setting(default = 0.0, allowed(Allowed::SHARE))]
        pub control_offer_share: f64,
        /// The salt with which the arms are drawn. With the same salt, a customer is in the same arm
        /// every night
        #[setting(default = "okuo".into())]
        pub salt: String,
        /// An offer is sent this many days before the expected day, or on the first day of the 80 %
        /// interval if that is earlier, but not before the day after the night: a customer who is
        /// expected tomorrow is sent it tomorrow
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
    /// The most days for which something that was sent holds back something else.
    #[must_use]
    pub fn longest_memory(&self) -> u32 {
        let valid = u32::try_from(self.max_valid_days).unwrap_or_default();
        self.quiet_days_product.unwrap_or(LONGEST_QUIET).max(valid)
    }

    /// The parameters themselves, if they make sense.
    ///
    /// # Errors
    /// If a value is out of its range, or the fewest days are more than the most.
    pub fn check(self) -> Result<Self> {
        self.check_ranges("offers.")?;
        self.mix.check()?;
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
    /// It is on the exclusion list, or its category is.
    Excluded,
    /// Other offers to the customer are of its category.
    Category,
    /// The customer may not be mailed.
    #[serde(rename = "opted_out")]
    OptedOut,
    /// It was offered to the customer within its cycle.
    #[serde(rename = "already_sent")]
    AlreadySent,
    /// The customer was mailed and has not come back, or was mailed often this week.
    #[serde(rename = "too_soon")]
    TooSoon,
}

impl Action {
    /// Whether the product would be offered if its customer were mailed.
    fn is_chosen(self) -> bool {
        matches!(self, Action::Offer | Action::TooSoon | Action::OptedOut)
    }

    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Action::Offer => "offer",
            Action::Certain => "certain",
            Action::Recent => "recent",
            Action::Excluded => "excluded",
            Action::Category => "category",
            Action::OptedOut => "opted_out",
            Action::AlreadySent => "already_sent",
            Action::TooSoon => "too_soon",
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
    /// Its place among the customer's candidates, from 1: the likely products come first.
    pub rank: u32,
    /// Probability that it is in the next basket, given that the customer comes.
    pub probability: f64,
    /// When to send the offer and how long it is valid; `None` if the product is not offered.
    pub dates: Option<OfferDates>,
    /// Whether it is offered, or why not.
    pub action: Action,
    /// The customer's arm.
    pub arm: Arm,
    /// The offer's own arm: in the control arm, it is held back although its customer is mailed.
    pub offer_arm: Arm,
    /// Whether it is to be sent on the day after the night.
    pub due: bool,
    /// Which strategy looked at it.
    pub strategy: Strategy,
    /// Probability that the customer buys it, without an offer, while the offer is valid, or would
    /// be.
    pub p_window: f64,
    /// What the discount costs if it changes nothing: its part of the price on a purchase that comes
    /// anyway.
    pub expected_cost: Option<f64>,
    /// By how much the probability of the purchase has to rise for the offer to pay.
    pub gain_needed: Option<f64>,
    /// Why, in a few words.
    pub reason: String,
}

impl Offer {
    /// [`Offer::p_window`] in plain words.
    #[must_use]
    pub fn buys_without(&self) -> String {
        window::in_plain_words(self.p_window)
    }
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

/// Makes the offers of one night.
#[derive(Debug, Clone)]
pub struct OfferMaker<'a> {
    parameters: OfferParameters,
    sent: &'a SentOffers,
    /// Product codes, ascending.
    excluded: Vec<u32>,
    categories: OfferCategories,
    costs: OfferCosts,
    /// By ascending id; `None` if all customers may be mailed.
    may_mail: Option<Vec<OwnedId>>,
    /// Above this probability that it is bought in the window, one of a customer's likeliest products
    /// is certain.
    certain_window: Option<f64>,
    seed: u64,
}

/// Customers whose likeliest products say what is certain: the first ones, however a night is cut
/// into parts.
const CUSTOMERS_LOOKED_AT: usize = 100_000;

impl<'a> OfferMaker<'a> {
    /// `products` are the ids behind the product codes of the night, and `sent` is what was sent
    /// before it.
    ///
    /// # Errors
    /// If the parameters do not pass [`OfferParameters::check`].
    pub fn new(parameters: &OfferParameters, products: &Ids, sent: &'a SentOffers) -> Result<Self> {
        let parameters = parameters.clone().check()?;
        let excluded = parameters.exclude_products.iter();
        let mut excluded: Vec<u32> = excluded.filter_map(|id| products.code(id)).collect();
        excluded.sort_unstable();
        Ok(Self {
            seed: hash_bytes(parameters.salt.as_bytes()),
            parameters,
            sent,
            excluded,
            categories: OfferCategories::default(),
            costs: OfferCosts::default(),
            may_mail: None,
            certain_window: None,
        })
    }

    /// The same with what is known of the products besides.
    ///
    /// # Errors
    /// If the parameters need what is not known.
    pub fn with_details(self, details: &Details) -> Result<Self> {
        Ok(Self {
            categories: OfferCategories::new(details, &self.parameters)?,
            costs: OfferCosts::new(details, &self.parameters)?,
            may_mail: details.may_mail.clone(),
            ..self
        })
    }

    /// Considers each customer's candidates in their order until `per_customer` of them are offered,
    /// or would be if it were not too soon. Each product considered is a row, offered or not. Rows
    /// are by customer, then rank. A night may come in several parts, of which the first has
    /// 100,000 customers at least if there are so many: they say which products are certain.
    ///
    /// # Errors
    /// If a customer's code has no id.
    pub fn offers(&mut self, predictions: &Predictions) -> Result<Vec<Offer>> {
        if self.certain_window.is_none() {
            self.certain_window = Some(self.certain_in_window(predictions));
        }
        let mut offers = Vec::new();
        for customer in &predictions.customers {
            let id = predictions.customer_ids.get(customer.customer);
            let id = id.ok_or_else(|| {
                Error::system(format!(
                    "the predictions' customer {} has no id",
                    customer.customer
                ))
            })?;
            let arm = Arm::of(id, &self.parameters.salt, self.parameters.control_share);
            let may_mail = self.may_mail(id);
            let choice = CustomerChoice::new(self, predictions.as_of, customer, self.sent.to(id));
            let key = predictions.customer_ids.key(customer.customer);
            let night = predictions.as_of.day().epoch() as u64;
            let arms = OfferArms {
                customer: arm,
                seed: self.seed,
                key,
                night,
                products: &predictions.product_ids,
            };
            let draw = unit(Draw::OfferMix.hash(self.seed, &[key, night]));
            let quotas = self
                .parameters
                .mix
                .quotas(self.parameters.per_customer, draw);
            choice.may_mail(may_mail).offers(arms, quotas, &mut offers);
        }
        Ok(offers)
    }

    fn may_mail(&self, customer: Id<'_>) -> bool {
        self.may_mail.as_ref().is_none_or(|allowed| {
            let found = allowed.binary_search_by(|known| known.as_id().cmp(&customer));
            found.is_ok()
        })
    }

    /// The probability that `certain_share` of the customers' likeliest products exceed.
    fn certain_in_window(&self, predictions: &Predictions) -> f64 {
        let nothing = SentToCustomer::default();
        let customers = predictions.customers.iter().take(CUSTOMERS_LOOKED_AT);
        let mut likeliest: Vec<f64> = customers
            .flat_map(|customer| {
                CustomerChoice::new(self, predictions.as_of, customer, nothing).likeliest()
            })
            .collect();
        likeliest.sort_unstable_by(f64::total_cmp);
        let certain = (self.parameters.certain_share * likeliest.len() as f64) as usize;
        let at = (likeliest.len() - certain).checked_sub(1);
        at.and_then(|at| likeliest.get(at))
            .copied()
            .unwrap_or_default()
    }
}

/// The offers of a night before which nothing was sent: see [`OfferMaker::offers`].
///
/// # Errors
/// As [`OfferMaker::new`] and [`OfferMaker::offers`].
pub fn offers(predictions: &Predictions, parameters: &OfferParameters) -> Result<Vec<Offer>> {
    let nothing = SentOffers::default();
    OfferMaker::new(parameters, &predictions.product_ids, &nothing)?.offers(predictions)
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
