//! The two strata that training rows are sampled from.
//!
//! A run scores customers who meet the rule. Models therefore learn first from customers who meet
//! it or nearly do (`target`), and from all others (`background`) as far as there is room.

use std::ops::{Index, IndexMut};

use crate::calendar::Day;
use crate::purchases::CustomerPurchases;
use crate::recurrence::Rule;

/// Which customers a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stratum {
    /// Those who meet the rule or nearly do.
    Target,
    /// All others.
    Background,
}

impl Stratum {
    /// The stratum of a customer on a night.
    pub(super) fn on(rule: &Rule, purchases: &CustomerPurchases<'_>, night: Day) -> Self {
        if rule.nearly_met(purchases, night) {
            Self::Target
        } else {
            Self::Background
        }
    }
}

/// One value for each stratum.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Strata<T> {
    pub(super) target: T,
    pub(super) background: T,
}

impl<T> Index<Stratum> for Strata<T> {
    type Output = T;

    fn index(&self, stratum: Stratum) -> &T {
        match stratum {
            Stratum::Target => &self.target,
            Stratum::Background => &self.background,
        }
    }
}

impl<T> IndexMut<Stratum> for Strata<T> {
    fn index_mut(&mut self, stratum: Stratum) -> &mut T {
        match stratum {
            Stratum::Target => &mut self.target,
            Stratum::Background => &mut self.background,
        }
    }
}

impl Strata<usize> {
    /// The counts of two groups of customers together.
    pub(super) fn merge(self, other: Self) -> Self {
        Self {
            target: self.target + other.target,
            background: self.background + other.background,
        }
    }

    /// The same counts as floating-point numbers.
    pub(super) fn to_f64(self) -> Strata<f64> {
        Strata {
            target: self.target as f64,
            background: self.background as f64,
        }
    }
}

impl Strata<f64> {
    /// The share of each stratum to sample, of counts that there are, so that about `wanted` rows
    /// come out. The background fills the room that the target leaves, and gets at least
    /// `background_share` of the sample as long as it has so many rows. A share of 1 or more keeps
    /// everything.
    pub(super) fn sampling_shares(self, wanted: f64, background_share: f64) -> Self {
        let room = wanted - self.target;
        let background = self.background.min(room.max(wanted * background_share));
        Self {
            target: (wanted - background) / self.target.max(1.0),
            background: background / self.background.max(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(target: f64, background: f64, wanted: f64, share: f64) -> (f64, f64) {
        let shares = Strata { target, background }.sampling_shares(wanted, share);
        (shares.target, shares.background)
    }

    #[test]
    fn examples_worked_by_hand() {
        // The target leaves room for 600 of 2,000: more than the 300 that are guaranteed.
        assert_eq!(shares(400.0, 2_000.0, 1_000.0, 0.3), (1.0, 0.3));
        // The target alone is too large: 300 of the background, and 700 of 1,400 of the target.
        assert_eq!(shares(1_400.0, 3_000.0, 1_000.0, 0.3), (0.5, 0.1));
        // The background has only 100: all of them, and 900 of 1,800 of the target.
        assert_eq!(shares(1_800.0, 100.0, 1_000.0, 0.3), (0.5, 1.0));
        // No background is wanted, and there is no room for it.
        assert_eq!(shares(2_000.0, 500.0, 1_000.0, 0.0), (0.5, 0.0));
        // Nothing to sample from: no division by 0.
        assert_eq!(shares(0.0, 0.0, 10.0, 0.3), (10.0, 0.0));
    }

    #[test]
    fn a_value_is_that_of_its_stratum() {
        let mut counts = Strata::default();
        counts[Stratum::Target] += 2;
        counts[Stratum::Background] += 5_usize;
        assert_eq!((counts.target, counts.background), (2, 5));
        assert_eq!(counts.merge(counts)[Stratum::Background], 10);
        assert_eq!(counts.merge(counts)[Stratum::Target], 4);
    }

    proptest! {
        #[test]
        fn a_sample_has_the_size_that_is_wanted_or_everything(
            target in 0_u32..10_000,
            background in 0_u32..10_000,
            wanted in 1_u32..10_000,
            background_share in 0.0..=1.0_f64,
        ) {
            let (target, background, wanted) =
                (f64::from(target), f64::from(background), f64::from(wanted));
            let (of_target, of_background) =
                shares(target, background, wanted, background_share);
            let sampled = (
                target * of_target.min(1.0),
                background * of_background.min(1.0),
            );
            let size = sampled.0 + sampled.1;
            prop_assert!((size - wanted.min(target + background)).abs() < 1e-6, "{size}");
            let guaranteed = background.min(wanted * background_share);
            prop_assert!(sampled.1 >= guaranteed - 1e-6);
        }
    }
}
