//! What published nights offered, in every arm: what an experiment is measured on.

use std::sync::Arc;

use super::{Arm, Strategy};
use crate::calendar::{AsOf, DateRange};

/// An offer that was due on the morning after a published night, or would have been if its customer
/// and the offer itself had not been held back to measure what offers bring.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignOffer {
    /// The night that made it; it was due on the day after.
    pub night: AsOf,
    /// Customer code.
    pub customer: u32,
    /// Product code; `None` for a product that occurs in no ticket.
    pub product: Option<u32>,
    /// The days on which it was valid, or would have been.
    pub valid: DateRange,
    /// Which strategy chose it.
    pub strategy: Strategy,
    /// The customer's arm.
    pub arm: Arm,
    /// The offer's own arm.
    pub offer_arm: Arm,
    /// The product's category, where it was known.
    pub category: Option<Arc<str>>,
}

impl CampaignOffer {
    /// Whether it was to be sent.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.arm == Arm::Treatment && self.offer_arm == Arm::Treatment
    }
}
