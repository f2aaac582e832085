//! What an offer costs, and what it has to bring.

use super::OfferParameters;
use super::budget::OfferWorth;
use super::category::discounts_by_category;
use crate::domain::Details;
use crate::error::{Error, Result};

/// What discounts cost, where prices are known.
#[derive(Debug, Clone, Default)]
pub(super) struct OfferCosts {
    /// By product code.
    prices: Vec<Option<f64>>,
    /// As shares of the price, by product code; those of products before those of categories.
    discounts: Vec<Option<f64>>,
    /// That of all other products.
    discount: Option<f64>,
    /// What is left of the price without a discount, as a share of it, by product code.
    margins: Vec<Option<f64>>,
    /// That of all other products.
    margin: Option<f64>,
}

impl OfferCosts {
    /// # Errors
    /// If there is a discount, and no prices are known; or discounts of categories, and no categories
    /// are known.
    pub(super) fn new(details: &Details, parameters: &OfferParameters) -> Result<Self> {
        let by_category = category_discounts(&parameters.category_discounts)?;
        let discounts = discounts(details, &by_category)?;
        if parameters.discount.is_none() && discounts.is_empty() {
            return Ok(Self::default());
        }
        let Some(prices) = &details.last_prices else {
            return Err(Error::request("[offers] discount is given, but no column says what a product costs")
                .hint("name it with --price COLUMN if it stands on the tickets' lines, or with --products-price COLUMN in a table of products; or leave all discounts out"));
        };
        Ok(Self {
            prices: prices.clone(),
            discounts,
            discount: parameters.discount,
            margins: details.margins.clone().unwrap_or_default(),
            margin: parameters.margin,
        })
    }

    /// The discount of a product, as a share of its price, if it has one.
    pub(super) fn discount(&self, product: u32) -> Option<f64> {
        of_product(&self.discounts, product).or(self.discount)
    }

    /// Whether discounts are known, and prices.
    pub(super) fn are_known(&self) -> bool {
        !self.prices.is_empty()
    }

    /// What an offer is expected to be worth for what it costs.
    pub(super) fn worth(&self, product: u32, p_window: f64) -> OfferWorth {
        let discount = self.discount(product).unwrap_or_default();
        OfferWorth::new(p_window, discount, self.margin(product))
    }

    /// What is left of a product's price without a discount, as a share of it, if it is known.
    pub(super) fn margin(&self, product: u32) -> Option<f64> {
        of_product(&self.margins, product).or(self.margin)
    }

    /// What an offer of a product costs if it changes nothing: the discount on a purchase that
    /// comes with this probability anyway.
    pub(super) fn expected_cost(&self, product: u32, p_window: f64) -> Option<f64> {
        let price = of_product(&self.prices, product)?;
        Some(p_window * self.discount(product)? * price)
    }

    /// By how much the probability of the purchase has to rise for the offer to pay: so that the
    /// margin of the purchases won, less their discount, is the discount of those that come anyway.
    /// `None` if the margin is not known, or the discount takes all of it.
    pub(super) fn gain_needed(&self, product: u32, p_window: f64) -> Option<f64> {
        of_product(&self.prices, product)?;
        let discount = self.discount(product)?;
        let left = self.margin(product)? - discount;
        (left > 0.0).then(|| p_window * discount / left)
    }
}

fn of_product(values: &[Option<f64>], product: u32) -> Option<f64> {
    values.get(product as usize).copied().flatten()
}

/// The discounts of products, by code: their own, or else that of their category. Nothing, if none has
/// one.
fn discounts(details: &Details, by_category: &[(String, f64)]) -> Result<Vec<Option<f64>>> {
    let of_category = discounts_by_category(details, by_category)?;
    let Some(own) = &details.discounts else {
        return Ok(of_category);
    };
    let each = (0_u32..).zip(own);
    let either = each.map(|(code, own)| own.or_else(|| of_product(&of_category, code)));
    Ok(either.collect())
}

/// The discounts of categories, which are written as `CATEGORY=SHARE`.
///
/// # Errors
/// If one is written otherwise, or is no share.
pub(super) fn category_discounts(texts: &[String]) -> Result<Vec<(String, f64)>> {
    let each = texts.iter().map(|text| {
        let (category, share) = text.rsplit_once('=')?;
        let share: f64 = share.trim().parse().ok()?;
        let is_named = !category.trim().is_empty();
        (is_named && (0.0..=1.0).contains(&share)).then(|| (category.trim().to_owned(), share))
    });
    let checked = each.zip(texts).map(|(discount, text)| {
        discount.ok_or_else(|| {
            Error::request(format!(
                "offers.category_discounts should be CATEGORY=SHARE, but is \"{text}\""
            ))
            .hint("the share is between 0 and 1: \"bread=0.2\" is 20 % off bread")
        })
    });
    checked.collect()
}
