//! The distribution of the days from a night to the customer's next purchase.

use crate::calendar::HORIZON_DAYS;

/// The horizon as a length: one probability a day.
pub(super) const HORIZON: usize = HORIZON_DAYS as usize;

/// The distribution of the days from a night to the next purchase. What is missing to 1 is the
/// probability that the customer does not return within the horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnTimeDistribution {
    /// `probability[d]`: the next purchase comes on day `d + 1` after the night.
    pub probability: [f64; HORIZON],
}

impl ReturnTimeDistribution {
    /// From the hazard of each day: the probability of a purchase on it, given none before.
    pub(super) fn from_hazards(hazards: impl IntoIterator<Item = f64>) -> Self {
        let mut probability = [0.0; HORIZON];
        let mut stays_away = 1.0;
        for (probability, hazard) in probability.iter_mut().zip(hazards) {
            *probability = stays_away * hazard;
            stays_away *= 1.0 - hazard;
        }
        Self { probability }
    }

    /// The hazard of each day: the probability of a purchase on it, given none before.
    pub(super) fn hazards(&self) -> [f64; HORIZON] {
        let mut stays_away = 1.0;
        self.probability.map(|probability| {
            let hazard = if stays_away > 0.0 {
                f64::min(probability / stays_away, 1.0)
            } else {
                1.0
            };
            stays_away -= probability;
            hazard
        })
    }

    /// The probability of a purchase within `days`.
    #[must_use]
    pub fn within(&self, days: u32) -> f64 {
        self.probability
            .iter()
            .take(days as usize)
            .sum::<f64>()
            .min(1.0)
    }

    /// The same with other probabilities of a return within the days of each horizon; both ascend, and
    /// the last horizon is that of the distribution. The days between two horizons keep their
    /// proportions.
    pub(super) fn with_returns<const N: usize>(
        &self,
        horizons: [u32; N],
        returns: [f64; N],
    ) -> Self {
        let mut probability = self.probability;
        let (mut begin, mut before) = (0, 0.0);
        for (horizon, within) in horizons.into_iter().zip(returns) {
            let days = &mut probability[begin..HORIZON.min(horizon as usize)];
            let (mass, wanted) = (days.iter().sum::<f64>(), within - before);
            let even = wanted / days.len().max(1) as f64;
            for day in days.iter_mut() {
                *day = if mass > 0.0 {
                    *day * (wanted / mass)
                } else {
                    even
                };
            }
            (begin, before) = (begin + days.len(), within);
        }
        Self { probability }
    }

    /// The median in days, a whole number. It is the horizon where the customer is as likely not to
    /// return within it.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut before = 0.0;
        for (day, probability) in (1_u32..).zip(&self.probability) {
            if before + probability >= 0.5 {
                return f64::from(day);
            }
            before += probability;
        }
        f64::from(HORIZON_DAYS)
    }

    /// The smallest nested interval with more than this probability: its first and last day after
    /// the night. All days where none has so much.
    #[must_use]
    pub fn interval(&self, mass: f64) -> (i32, i32) {
        let mut found = (1, HORIZON_DAYS);
        self.nested(|first, last, of_interval| {
            found = (first, last);
            of_interval > mass
        });
        found
    }

    /// How unlikely an outcome was: the probability of the largest nested interval that does not
    /// hold it, and 1 where no interval holds it. The interval of a mass `m` holds exactly the
    /// outcomes that score at most `m`.
    pub(super) fn conformal_score(&self, days: Option<i32>) -> f64 {
        let Some(days) = days else { return 1.0 };
        let mut before = 0.0;
        let mut found = 1.0;
        self.nested(|first, last, mass| {
            let holds = (first..=last).contains(&days);
            if holds {
                found = before;
            }
            before = mass;
            holds
        });
        found
    }

    /// Goes through the nested intervals (Gupta, Kuchibhotla & Ramdas, Pattern Recognition 2022):
    /// the first is the likeliest day, and each next one adds the likelier of the two days beside
    /// it. Calls `visit` with the first day, the last day and the probability of each, until it
    /// returns true.
    fn nested(&self, mut visit: impl FnMut(i32, i32, f64) -> bool) {
        let (mode, mut mass) = self.mode();
        let (mut first, mut last) = (mode, mode);
        while !visit(first, last, mass) {
            match (self.on(first - 1), self.on(last + 1)) {
                (None, None) => return,
                (Some(before), Some(after)) if before > after => {
                    (first, mass) = (first - 1, mass + before);
                }
                (Some(before), None) => (first, mass) = (first - 1, mass + before),
                (_, Some(after)) => (last, mass) = (last + 1, mass + after),
            }
        }
    }

    /// The likeliest day and its probability; the first of equals.
    fn mode(&self) -> (i32, f64) {
        (1..)
            .zip(self.probability)
            .reduce(|best, day| if day.1 > best.1 { day } else { best })
            .unwrap_or((1, 0.0))
    }

    /// The probability of one day, from 1 to the horizon.
    fn on(&self, day: i32) -> Option<f64> {
        let at = usize::try_from(day - 1).ok()?;
        self.probability.get(at).copied()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A distribution with these probabilities from day 1 on, and 0 after them.
    pub(in crate::models::timing) fn distribution(first: &[f64]) -> ReturnTimeDistribution {
        let mut probability = [0.0; HORIZON];
        probability[..first.len()].copy_from_slice(first);
        ReturnTimeDistribution { probability }
    }

    /// Any distribution, of which `returning` is the probability of a return within the horizon.
    pub(in crate::models::timing) fn any_distribution()
    -> impl Strategy<Value = ReturnTimeDistribution> {
        let weights = proptest::collection::vec(0.0..1.0_f64, HORIZON);
        (weights, 0.0..=1.0_f64).prop_map(|(weights, returning)| {
            let total: f64 = weights.iter().sum::<f64>().max(1e-9);
            let scaled: Vec<f64> = weights.iter().map(|w| returning * w / total).collect();
            distribution(&scaled)
        })
    }

    /// A distribution that rises to its mode and falls after it.
    fn unimodal_distribution() -> impl Strategy<Value = ReturnTimeDistribution> {
        (any_distribution(), 0..HORIZON).prop_map(|(mut any, mode)| {
            any.probability[..mode].sort_by(f64::total_cmp);
            any.probability[mode..].sort_by(|a, b| b.total_cmp(a));
            any
        })
    }

    #[test]
    fn a_return_is_a_hazard_after_days_without_one() {
        // .5, then .5 · .5, then .5 · .5 · 1; nothing is left for the days after.
        let certain = ReturnTimeDistribution::from_hazards([0.5, 0.5, 1.0, 0.7]);
        assert_eq!(certain, distribution(&[0.5, 0.25, 0.25]));
        // The geometric distribution: (1 − h)^(d − 1) · h.
        let geometric = ReturnTimeDistribution::from_hazards([0.2; HORIZON]);
        for (day, probability) in geometric.probability.iter().enumerate() {
            assert!((probability - 0.2 * 0.8_f64.powi(day as i32)).abs() < 1e-15);
        }
        assert!((geometric.within(7) - (1.0 - 0.8_f64.powi(7))).abs() < 1e-12);
    }

    #[test]
    fn within_adds_up_the_days() {
        let days = distribution(&[0.125, 0.25, 0.0, 0.5]);
        assert_eq!(
            [0, 1, 2, 3, 4, 28, 100].map(|d| days.within(d)),
            [0.0, 0.125, 0.375, 0.375, 0.875, 0.875, 0.875]
        );
        // Rounding never makes a probability above 1.
        assert_eq!(distribution(&[0.7, 0.7]).within(2), 1.0);
    }

    #[test]
    fn the_median_is_the_first_day_by_which_half_have_returned() {
        assert_eq!(distribution(&[0.5]).median(), 1.0);
        assert_eq!(distribution(&[0.25, 0.25, 0.5]).median(), 2.0);
        assert_eq!(distribution(&[0.25, 0.0, 0.0, 0.125, 0.25]).median(), 5.0);
        // Half of the customers do not return: they count, and the horizon is the median.
        assert_eq!(distribution(&[0.25, 0.125]).median(), 28.0);
    }

    #[test]
    fn the_interval_takes_the_likelier_neighbour() {
        let days = distribution(&[0.1, 0.3, 0.2, 0.25, 0.15]);
        // Day 2 alone (.3); day 3 before day 1 (.5); day 4 before day 1 (.75); day 5 (.9); day 1.
        assert_eq!(days.interval(0.0), (2, 2));
        assert_eq!(days.interval(0.29), (2, 2));
        assert_eq!(days.interval(0.3), (2, 3));
        assert_eq!(days.interval(0.74), (2, 4));
        assert_eq!(days.interval(0.8), (2, 5));
        assert_eq!(days.interval(0.95), (1, 5));
        // The later of two equal neighbours; the first of two equal modes.
        assert_eq!(distribution(&[0.25, 0.5, 0.25]).interval(0.6), (2, 3));
        assert_eq!(distribution(&[0.0, 0.5, 0.0, 0.5]).interval(0.4), (2, 2));
        // More than there is: all days.
        assert_eq!(days.interval(1.1), (1, 28));
    }

    #[test]
    fn a_score_is_the_mass_that_an_outcome_is_outside_of() {
        let days = distribution(&[0.125, 0.25, 0.0625, 0.5]);
        // Day 4 first; then day 3, since day 5 has nothing (.5625); then 2 (.8125); then 1.
        assert_eq!(
            [4, 3, 2, 1].map(|day| days.conformal_score(Some(day))),
            [0.0, 0.5, 0.5625, 0.8125]
        );
        assert_eq!(days.conformal_score(None), 1.0);
        assert_eq!(days.conformal_score(Some(29)), 1.0);
    }

    proptest! {
        #[test]
        fn the_median_is_the_first_day_with_half_of_the_mass(days in any_distribution()) {
            let oracle = (1..=28_u32).find(|day| days.within(*day) >= 0.5).unwrap_or(28);
            prop_assert_eq!(days.median(), f64::from(oracle));
        }

        #[test]
        fn intervals_grow_with_their_mass(
            days in any_distribution(),
            low in 0.0..1.0_f64,
            more in 0.0..1.0_f64,
        ) {
            let (inner, outer) = (days.interval(low), days.interval(low + more));
            prop_assert!(1 <= outer.0 && outer.1 <= 28);
            prop_assert!(outer.0 <= inner.0 && inner.1 <= outer.1, "{:?} {:?}", inner, outer);
        }

        #[test]
        fn of_one_mode_no_shorter_interval_has_more(
            days in unimodal_distribution(),
            least in 0.0..1.0_f64,
        ) {
            let (first, last) = days.interval(least);
            let mass = |first: usize, last: usize| -> f64 {
                days.probability[first - 1..last].iter().sum()
            };
            let length = (last - first + 1) as usize;
            if mass(1, 28) > least + 1e-9 {
                prop_assert!(mass(first as usize, last as usize) > least - 1e-9);
                for start in 1..=28 - (length - 1) {
                    // One day shorter, wherever it stands.
                    prop_assert!(length == 1 || mass(start, start + length - 2) < least + 1e-9);
                }
            }
        }

        #[test]
        fn an_interval_holds_the_outcomes_that_score_at_most_its_mass(
            days in any_distribution(),
            outcome in 1..=28_i32,
            least in 0.0..1.0_f64,
        ) {
            let (first, last) = days.interval(least);
            let holds = (first..=last).contains(&outcome);
            prop_assert_eq!(holds, days.conformal_score(Some(outcome)) <= least);
            // And at the very score of an outcome, which is what calibration gives.
            let score = days.conformal_score(Some(outcome));
            let (first, last) = days.interval(score);
            prop_assert!((first..=last).contains(&outcome));
        }
    }
}
