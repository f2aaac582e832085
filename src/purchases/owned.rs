//! Purchases of single customers that outlive their partition.

use super::CustomerPurchases;
use crate::calendar::Day;

/// A copy of the purchases of one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedPurchases {
    days: Vec<Day>,
    basket_starts: Vec<u32>,
    baskets: Vec<u32>,
}

impl OwnedPurchases {
    /// A copy.
    #[must_use]
    pub fn new(purchases: &CustomerPurchases<'_>) -> Self {
        let mut baskets = vec![];
        let mut basket_starts = vec![0];
        for (_, basket) in purchases.iter() {
            baskets.extend_from_slice(basket);
            basket_starts.push(baskets.len() as u32);
        }
        Self {
            days: purchases.days().to_vec(),
            basket_starts,
            baskets,
        }
    }

    /// The purchases.
    #[must_use]
    pub fn get(&self) -> CustomerPurchases<'_> {
        CustomerPurchases {
            days: &self.days,
            basket_starts: &self.basket_starts,
            baskets: &self.baskets,
        }
    }
}
