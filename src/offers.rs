//! Offers: which of the likely products are worth a personal discount, when to send it, and who is
//! left out to measure its effect.
//!
//! A likely purchase is not an uplift: a customer who would have bought anyway costs the discount
//! and brings nothing. So a share of the customers, the control arm, is never sent anything. The
//! difference between the arms is what the offers bring.

mod arm;
mod budget;
#[cfg(test)]
mod budget_tests;
mod campaign;
mod category;
mod choice;
mod mix;
#[cfg(test)]
mod mix_tests;
mod money;
mod plan;
#[cfg(test)]
mod plan_tests;
mod sent;
#[cfg(test)]
mod sent_tests;
#[cfg(test)]
mod tests;
mod window;

use serde::Serialize;

use crate::calendar::{AsOf, Day};
use crate::domain::{Details, Id, Ids, MAX_RANK, OwnedId, Predictions};
use crate::error::{Error, Result};
use crate::sampling::{Draw, hash_bytes, unit};
use crate::settings::{Allowed, section};

pub use arm::Arm;
use budget::OfferBudget;
pub use campaign::CampaignOffer;
pub use category::unknown_categories;
use category::{OfferCategories, ProductGroups, brands, not_offerable};
use choice::{CustomerChoice, OfferArms};
pub use mix::{OfferMix, Strategy};
use money::OfferCosts;
pub use plan::{PlanChanges, PlannedOffer, StandingPlan};
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
        /// Most offers of one brand that a customer gets in one night (`brand`)
        #[setting(
            default = None,
            default_note("as many as there are"),
            allowed(Allowed::Between(1.0, MAX_RANK as f64))
        )]
        pub max_per_brand: Option<usize>,
        /// The discount of an offer, as a share of the price: then the offers say what they cost
        #[setting(default = None, allowed(Allowed::SHARE))]
        pub discount: Option<f64>,
        /// The discount of offers of a category, as CATEGORY=SHARE. The discount of a product, in the
        /// table of products, goes before it
        #[setting(default = vec![])]
        pub category_discounts: Vec<String>,
        /// What is left of a price without a discount, as a share of it: then the offers say what they
        /// have to bring
        #[setting(default = None, allowed(Allowed::SHARE))]
        pub margin: Option<f64>,
        /// Most money that the discounts of a morning's offers may cost if they change nothing: the
        /// offers that are worth most for it are sent, the others held back (`over_budget`)
        #[setting(default = None, allowed(Allowed::AtLeast(0.0)))]
        pub budget: Option<f64>,
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
        money::category_discounts(&self.category_discounts)?;
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
    /// Other offers to the customer are of its brand.
    Brand,
    /// The customer may not be mailed.
    #[serde(rename = "opted_out")]
    OptedOut,
    /// It was offered to the customer within its cycle.
    #[serde(rename = "already_sent")]
    AlreadySent,
    /// The customer was mailed and has not come back, or was mailed often this week.
    #[serde(rename = "too_soon")]
    TooSoon,
    /// Others are worth more within the budget.
    #[serde(rename = "over_budget")]
    OverBudget,
    /// A standing plan has no mailing to the customer.
    #[serde(rename = "not_planned")]
    NotPlanned,
}

impl Action {
    /// Whether the product would be offered if its customer were mailed.
    fn is_chosen(self) -> bool {
        matches!(
            self,
            Action::Offer | Action::TooSoon | Action::OptedOut | Action::NotPlanned
        )
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
            Action::Brand => "brand",
            Action::OptedOut => "opted_out",
            Action::AlreadySent => "already_sent",
            Action::TooSoon => "too_soon",
            Action::OverBudget => "over_budget",
            Action::NotPlanned => "not_planned",
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
    /// The discount, as a share of the price, if it is known.
    pub discount: Option<f64>,
    /// Whether a standing plan has it.
    pub planned: bool,
    /// Why, in a few words.
    pub reason: String,
}

impl Offer {
    /// Whether neither its customer nor the offer itself is held back to measure what offers bring.
    #[must_use]
    pub fn is_treated(&self) -> bool {
        self.arm == Arm::Treatment && self.offer_arm == Arm::Treatment
    }

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
    brands: ProductGroups,
    /// Products that the table of products says may not be offered, by ascending code.
    not_offerable: Vec<u32>,
    costs: OfferCosts,
    /// By ascending id; `None` if all customers may be mailed.
    may_mail: Option<Vec<OwnedId>>,
    /// Above this probability that it is bought in the window, one of a customer's likeliest products
    /// is certain.
    certain_window: Option<f64>,
    budget: Option<OfferBudget>,
    /// The last day, counted from the night, whose offers the budget is for.
    budgeted_days: i32,
    plan: Option<&'a StandingPlan>,
    plan_changes: PlanChanges,
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
        let seed = hash_bytes(parameters.salt.as_bytes());
        let limit = parameters.budget;
        Ok(Self {
            seed,
            budget: limit.map(|limit| OfferBudget::new(limit, seed)),
            budgeted_days: 1,
            plan: None,
            plan_changes: PlanChanges::default(),
            parameters,
            sent,
            excluded,
            categories: OfferCategories::default(),
            brands: ProductGroups::default(),
            not_offerable: vec![],
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
        let costs = OfferCosts::new(details, &self.parameters)?;
        if self.parameters.budget.is_some() && !costs.are_known() {
            return Err(Error::request("there is a budget for offers, but no discount says what they cost")
                .hint("give discount or category_discounts under [offers], or --products-discount COLUMN in a table of products; or leave the budget out"));
        }
        Ok(Self {
            categories: OfferCategories::new(details, &self.parameters)?,
            brands: brands(details, &self.parameters)?,
            not_offerable: not_offerable(details),
            costs,
            may_mail: details.may_mail.clone(),
            ..self
        })
    }

    /// The same where the budget is for the mornings of so many days.
    #[must_use]
    pub fn for_days(self, days: u32) -> Self {
        Self {
            budgeted_days: i32::try_from(days).unwrap_or(i32::MAX),
            ..self
        }
    }

    /// The same on a night that keeps to a plan: customers who have not come since it was made are
    /// mailed as planned, or not at all while it stands.
    #[must_use]
    pub fn keeping_to(self, plan: Option<&'a StandingPlan>) -> Self {
        Self { plan, ..self }
    }

    /// How the morning differs from the plan, once all offers of the night are made.
    #[must_use]
    pub fn plan_changes(&self, as_of: AsOf) -> Option<PlanChanges> {
        let planned = PlanChanges::new(self.plan?, as_of, &self.parameters).planned;
        Some(PlanChanges {
            planned,
            ..self.plan_changes
        })
    }

    /// Whether all of a night's predictions have to be looked at, with [`OfferMaker::look`], before
    /// offers are made of any: there is a budget.
    #[must_use]
    pub fn looks_first(&self) -> bool {
        self.budget.is_some()
    }

    /// Looks at what could be offered, for the budget. A night may come in several parts, in the same
    /// order as to [`OfferMaker::offers`] afterwards.
    ///
    /// # Errors
    /// As [`OfferMaker::offers`].
    pub fn look(&mut self, predictions: &Predictions) -> Result<()> {
        let offers = self.offers_without_budget(predictions)?;
        let Some(mut budget) = self.budget.take() else {
            return Ok(());
        };
        for offer in offers
            .iter()
            .filter(|offer| self.is_budgeted(offer, predictions))
        {
            let worth = self.costs.worth(offer.product, offer.p_window);
            budget.look(offer, worth, predictions);
        }
        self.budget = Some(budget);
        Ok(())
    }

    /// Whether the budget decides on an offer.
    fn is_budgeted(&self, offer: &Offer, predictions: &Predictions) -> bool {
        let last = predictions.as_of.day() + self.budgeted_days;
        offer.action == Action::Offer && offer.dates.is_some_and(|dates| dates.send_on <= last)
    }

    /// Considers each customer's candidates in their order until `per_customer` of them are offered,
    /// or would be if it were not too soon, and holds back what the budget does not reach. Each
    /// product considered is a row, offered or not. Rows are by customer, then rank. A night may come in
    /// several parts, of which the first has 100,000 customers at least if there are so many: they say
    /// which products are certain. With a budget, all parts were looked at before, or the first one is
    /// all there is.
    ///
    /// # Errors
    /// If a customer's code has no id.
    pub fn offers(&mut self, predictions: &Predictions) -> Result<Vec<Offer>> {
        if self.budget.as_ref().is_some_and(OfferBudget::is_empty) {
            self.look(predictions)?;
        }
        let mut offers = self.offers_without_budget(predictions)?;
        let Some(mut budget) = self.budget.take() else {
            self.count_plan_changes(predictions, &offers);
            return Ok(offers);
        };
        if !budget.is_settled() {
            budget.settle();
        }
        for offer in &mut offers {
            if self.is_budgeted(offer, predictions) {
                budget.decide(offer);
            }
        }
        self.budget = Some(budget);
        self.count_plan_changes(predictions, &offers);
        Ok(offers)
    }

    /// Counts what is sent on the next morning as planned, what is not, and why.
    fn count_plan_changes(&mut self, predictions: &Predictions, offers: &[Offer]) {
        let Some(plan) = self.plan else { return };
        let due = offers.iter().filter(|offer| offer.due);
        let (kept, added): (Vec<_>, Vec<_>) = due.partition(|offer| offer.planned);
        self.plan_changes.kept += kept.len();
        self.plan_changes.added += added.len();
        let (as_of, parameters) = (predictions.as_of, &self.parameters);
        let came = predictions.customers.iter().filter_map(|customer| {
            let id = predictions.customer_ids.get(customer.customer)?;
            let arm = Arm::of(id, &parameters.salt, parameters.control_share);
            let is_sent = arm == Arm::Treatment && plan.as_of().day() < customer.last_purchase;
            is_sent.then(|| plan.after(id, as_of))
        });
        let for_morning = came.flatten();
        self.plan_changes.came_since += for_morning
            .filter(|offer| offer.dates.send_on == as_of.day() + 1)
            .count();
    }

    /// The offers before the budget holds any back.
    fn offers_without_budget(&mut self, predictions: &Predictions) -> Result<Vec<Offer>> {
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
            let choice = choice.may_mail(may_mail);
            let key = predictions.customer_ids.key(customer.customer);
            let arms = OfferArms {
                customer: arm,
                seed: self.seed,
                key,
                products: &predictions.product_ids,
            };
            let choice = match self.plan {
                Some(plan) if customer.last_purchase <= plan.as_of().day() => {
                    let planned = plan.after(id, predictions.as_of);
                    if !planned.is_empty() {
                        choice.planned_offers(arms, &planned, &mut offers);
                        continue;
                    }
                    choice.without_plan(plan)
                }
                _ => choice,
            };
            let night = predictions.as_of.day().epoch() as u64;
            let draw = unit(Draw::OfferMix.hash(self.seed, &[key, night]));
            let quotas = self
                .parameters
                .mix
                .quotas(self.parameters.per_customer, draw);
            choice.offers(arms, quotas, &mut offers);
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
