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
    /// How many customers other shares would let in: `(basket_share, customers)`, from 1.0 down to
    /// 0.0.
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

    /// A hint for when nobody is recurrent: the three highest values of `basket_share` that would
    /// let somebody in; `None` if no value would.
    #[must_use]
    pub fn lower_share(&self) -> Option<String> {
        let shares: Vec<String> = self
            .by_basket_share
            .iter()
            .filter(|(_, count)| *count > 0)
            .take(3)
            .map(|(share, count)| format!("{share} ({count})"))
            .collect();
        (!shares.is_empty())
            .then(|| format!("a lower --basket-share would let in: {}", shares.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn funnel(recurrent: usize, by_basket_share: &[(f64, usize)]) -> Funnel {
        Funnel {
            seen: 10,
            active: 8,
            frequent: 6,
            large_baskets: 4,
            recurrent,
            by_basket_share: by_basket_share.to_vec(),
        }
    }

    #[test]
    fn parts_add_up_and_an_empty_one_changes_nothing() {
        let one = funnel(1, &[(1.0, 1), (0.0, 6)]);
        let other = funnel(2, &[(1.0, 2), (0.0, 6)]);
        let sum = Funnel::default().merge(&one).merge(&other);
        assert_eq!(
            (
                sum.seen,
                sum.active,
                sum.frequent,
                sum.large_baskets,
                sum.recurrent
            ),
            (20, 16, 12, 8, 3)
        );
        assert_eq!(sum.by_basket_share, [(1.0, 3), (0.0, 12)]);
        assert_eq!(sum.clone().merge(&Funnel::default()), sum);
    }

    #[test]
    fn the_hint_names_the_three_highest_shares_that_let_somebody_in() {
        let shares = [(1.0, 0), (0.9, 0), (0.8, 1), (0.7, 2), (0.6, 2), (0.5, 9)];
        assert_eq!(
            funnel(0, &shares).lower_share().unwrap(),
            "a lower --basket-share would let in: 0.8 (1), 0.7 (2), 0.6 (2)"
        );
        assert_eq!(funnel(0, &[(1.0, 0), (0.0, 0)]).lower_share(), None);
    }
}
