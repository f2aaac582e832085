//! What an offer costs, and what it has to bring.

use super::OfferParameters;
use crate::domain::Details;
use crate::error::{Error, Result};

/// What discounts cost, where prices are known.
#[derive(Debug, Clone, Default)]
pub(super) struct OfferCosts {
    /// By product code.
    prices: Vec<Option<f64>>,
    /// As a share of the price.
    discount: f64,
    /// What is left of the price without a discount, as a share of it.
    margin: Option<f64>,
}

impl OfferCosts {
    /// # Errors
    /// If there is a discount, and no prices are known.
    pub(super) fn new(details: &Details, parameters: &OfferParameters) -> Result<Self> {
        let Some(discount) = parameters.discount else {
            return Ok(Self::default());
        };
        let Some(prices) = &details.last_prices else {
            return Err(Error::request("[offers] discount is given, but no column says what a product costs")
                .hint("name it with --price COLUMN if it stands on the tickets' lines, or with --products-price COLUMN in a table of products; or leave discount out"));
        };
        Ok(Self {
            prices: prices.clone(),
            discount,
            margin: parameters.margin,
        })
    }

    /// What an offer of a product costs if it changes nothing: the discount on a purchase that
    /// comes with this probability anyway.
    pub(super) fn expected_cost(&self, product: u32, p_window: f64) -> Option<f64> {
        let price = self.prices.get(product as usize).copied().flatten()?;
        Some(p_window * self.discount * price)
    }

    /// By how much the probability of the purchase has to rise for the offer to pay: so that the
    /// margin of the purchases won, less their discount, is the discount of those that come anyway.
    /// `None` if the margin is not known, or the discount takes all of it.
    pub(super) fn gain_needed(&self, product: u32, p_window: f64) -> Option<f64> {
        self.prices.get(product as usize).copied().flatten()?;
        let left = self.margin? - self.discount;
        (left > 0.0).then(|| p_window * self.discount / left)
    }
}
