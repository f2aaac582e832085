//! What a customer's recent purchases say, whatever the eve.

use std::ops::Range;

use crate::calendar::Day;
use crate::features::HABIT_DAYS;
use crate::purchases::CustomerPurchases;
use crate::stats;

/// What the purchases of the last [`HABIT_DAYS`] say: it changes only when the oldest of them drops
/// out, or another one is known. Durations are days; what is not known is `None`.
#[derive(Debug)]
pub(super) struct RecentHabits {
    /// Positions of these purchases.
    pub(super) positions: Range<usize>,
    /// The gaps that they end.
    pub(super) gaps: Vec<f64>,
    pub(super) gap_mean: Option<f64>,
    pub(super) gap_median: Option<f64>,
    pub(super) gap_deviation: Option<f64>,
    pub(super) gap_max: Option<f64>,
    /// Purchases on each weekday.
    pub(super) by_weekday: [f64; 7],
    /// Products in all of the baskets.
    pub(super) products: f64,
    pub(super) basket_mean: Option<f64>,
    /// The latest purchase with a large basket: one of at least the mean size.
    pub(super) large_last: Option<Day>,
    /// Mean days between two of them.
    pub(super) large_gap: Option<f64>,
}

impl RecentHabits {
    /// Those on an eve, up to which the purchases are: `before` where they are still the same.
    pub(super) fn on(
        before: Option<Self>,
        purchases: &CustomerPurchases<'_>,
        eve: Day,
    ) -> RecentHabits {
        let days = purchases.days();
        let positions = days.partition_point(|day| eve - *day >= HABIT_DAYS)..days.len();
        before
            .filter(|before| before.positions == positions)
            .unwrap_or_else(|| Self::new(purchases, positions))
    }

    fn new(purchases: &CustomerPurchases<'_>, positions: Range<usize>) -> Self {
        let days = purchases.days();
        let gaps: Vec<f64> = (positions.start.max(1)..positions.end)
            .map(|at| f64::from(days[at] - days[at - 1]))
            .collect();
        let mut sorted = gaps.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let gap_mean = stats::mean(gaps.iter().copied());
        let mut by_weekday = [0.0; 7];
        for day in &days[positions.clone()] {
            by_weekday[day.weekday()] += 1.0;
        }
        let basket_mean = stats::mean(positions.clone().map(|at| purchases.basket_size(at) as f64));
        let (large_last, large_gap) = large_baskets(purchases, positions.clone(), basket_mean);
        Self {
            gap_deviation: gap_mean.and_then(|mean| stats::sample_deviation(&gaps, mean)),
            gaps,
            gap_mean,
            gap_median: stats::median_of_sorted(&sorted),
            gap_max: sorted.last().copied(),
            by_weekday,
            products: products(purchases, positions.clone()),
            basket_mean,
            large_last,
            large_gap,
            positions,
        }
    }

    /// The share of the recent purchases that were on a day's weekday, shrunk towards 1/7 as by
    /// half a purchase on each weekday.
    pub(super) fn weekday_share(&self, day: Day) -> f64 {
        (self.by_weekday[day.weekday()] + 0.5) / (self.positions.len() as f64 + 3.5)
    }
}

/// The latest purchase whose basket has at least the mean size, and the mean days between two of
/// them.
fn large_baskets(
    purchases: &CustomerPurchases<'_>,
    positions: Range<usize>,
    mean: Option<f64>,
) -> (Option<Day>, Option<f64>) {
    let is_large = |at: &usize| mean.is_some_and(|mean| purchases.basket_size(*at) as f64 >= mean);
    let (mut count, mut first, mut last) = (0.0, None, None);
    for at in positions.filter(is_large) {
        let day = purchases.days()[at];
        count += 1.0;
        first = first.or(Some(day));
        last = Some(day);
    }
    let between = first.zip(last).filter(|(first, last)| last > first);
    (
        last,
        between.map(|(first, last)| f64::from(last - first) / (count - 1.0)),
    )
}

/// How many products the baskets at these positions have, all added up.
pub(super) fn products(purchases: &CustomerPurchases<'_>, positions: Range<usize>) -> f64 {
    positions.map(|at| purchases.basket_size(at) as f64).sum()
}
