//! How many customers pass each part of the recurrence rule.

use serde::{Deserialize, Serialize};

/// How many customers pass each part of the rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Funnel {
    /// Customers with a purchase up to the night.
    pub seen: usize,
    /// Of those, with a purchase in the rule's window.
    pub active: usize,
    /// Of those, with enough purchases in each period.
    pub frequent: usize,
    /// Of those, with at least one large basket in the window.
    pub large_baskets: usize,
    /// Of those, with at least the share `basket_share` of large baskets.
    pub recurrent: usize,
    /// What other shares would let in: `(basket_share, recurrent customers)`, from 1.0 down to 0.0.
    pub by_basket_share: Vec<(f64, usize)>,
}

impl Funnel {
    /// Adds the counts of other customers.
    #[must_use]
    pub fn merge(mut self, other: &Funnel) -> Funnel {
        self.seen += other.seen;
        self.active += other.active;
        self.frequent += other.frequent;
        self.large_baskets += other.large_baskets;
        self.recurrent += other.recurrent;
        // An empty funnel has no share table yet; take the other's.
        if self.by_basket_share.is_empty() {
            self.by_basket_share.clone_from(&other.by_basket_share);
        } else {
            self.by_basket_share
                .iter_mut()
                .zip(&other.by_basket_share)
                .for_each(|((_, count), (_, more))| *count += more);
        }
        self
    }

    /// Where nobody is recurrent: the hint at what shares would let somebody in, the three highest;
    /// nothing if none would.
    #[must_use]
    pub fn lower_share(&self) -> Option<String> {
        let shares = self
            .by_basket_share
            .iter()
            .filter(|(_, count)| *count > 0)
            .take(3);
        let shares: Vec<String> = shares
            .map(|(share, count)| format!("{share} ({count})"))
            .collect();
        (!shares.is_empty())
            .then(|| format!("a lower --basket-share would let in: {}", shares.join(", ")))
    }
}
