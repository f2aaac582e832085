//! A customer on the eve of a day.

use super::habits::{RecentHabits, products};
use crate::calendar::Day;
use crate::purchases::CustomerPurchases;
use crate::stats;

/// How much a gap weighs beside the one after it.
const GAP_DECAY: f64 = 0.8;
/// Only this many of the latest gaps have a weight.
const DECAYED_GAPS: usize = 30;
/// Purchases a day of a customer of whom no gap is known.
const UNKNOWN_RATE: f64 = 0.1;
/// The prior of a hazard counts as much as this many gaps.
const PRIOR_GAPS: f64 = 2.0;
/// What a customer usually buys is looked at over this many days or more.
const LEAST_USUAL_DAYS: i32 = 14;

/// What is known of a customer on the eve of the target, computed once a row.
pub(super) struct CustomerOnEve<'a> {
    /// Those up to the eve.
    pub(super) purchases: CustomerPurchases<'a>,
    days: &'a [Day],
    pub(super) eve: Day,
    /// The day after the eve.
    pub(super) target: Day,
    /// The first and the latest purchase.
    pub(super) first: Day,
    pub(super) last: Day,
    /// The first one of the recent purchases; without any, the eve.
    first_recent: Day,
    /// Days from the latest purchase to the eve.
    pub(super) elapsed: i32,
    /// How many recent gaps are at least as long as the present one, how many are exactly as long,
    /// and how many differ from it by at most a day.
    as_long: f64,
    equal: f64,
    similar: f64,
    /// Mean remaining wait, after `elapsed`, in the recent gaps that were longer.
    pub(super) mean_wait: Option<f64>,
    /// Purchases a day.
    rate: f64,
}

impl<'a> CustomerOnEve<'a> {
    /// `purchases` end with the eve, and so do the recent ones; `None` without a purchase.
    pub(super) fn new(
        purchases: CustomerPurchases<'a>,
        eve: Day,
        recent: &RecentHabits,
    ) -> Option<Self> {
        let days = purchases.days();
        let (first, last) = (*days.first()?, *days.last()?);
        let elapsed = eve - last;
        let so_far = f64::from(elapsed);
        let present_gap = so_far + 1.0;
        let (mut as_long, mut equal, mut similar) = (0_u32, 0_u32, 0_u32);
        for gap in &recent.gaps {
            as_long += u32::from(*gap >= present_gap);
            equal += u32::from(*gap == present_gap);
            similar += u32::from((gap - present_gap).abs() <= 1.0);
        }
        let longer = recent.gaps.iter().filter(|gap| **gap > so_far);
        Some(Self {
            purchases,
            days,
            eve,
            target: eve + 1,
            first,
            last,
            first_recent: days.get(recent.positions.start).copied().unwrap_or(eve),
            elapsed,
            as_long: f64::from(as_long),
            equal: f64::from(equal),
            similar: f64::from(similar),
            mean_wait: stats::mean(longer.map(|gap| gap - so_far)),
            rate: recent
                .gap_mean
                .map_or(UNKNOWN_RATE, |mean| 1.0 / mean.max(1.0)),
        })
    }

    /// The gap that a purchase on the target would end.
    pub(super) fn present_gap(&self) -> f64 {
        f64::from(self.elapsed + 1)
    }

    /// The position of the first purchase of the last `window` days.
    fn first_within(&self, window: i32) -> usize {
        self.days.partition_point(|day| self.eve - *day >= window)
    }

    /// How many purchases the last `window` days had.
    pub(super) fn purchases_within(&self, window: i32) -> usize {
        self.days.len() - self.first_within(window)
    }

    /// Whether there was a purchase on a day.
    pub(super) fn bought_on(&self, day: Day) -> bool {
        self.days.binary_search(&day).is_ok()
    }

    /// The gap before the latest `back` gaps.
    pub(super) fn gap_from_end(&self, back: usize) -> Option<i32> {
        let at = self.days.len().checked_sub(1 + back)?;
        Some(self.days[at] - self.days[at.checked_sub(1)?])
    }

    /// The mean of the latest gaps, the later ones weighing more.
    pub(super) fn decayed_gap(&self) -> Option<f64> {
        let (mut sum, mut weights, mut weight) = (0.0, 0.0, 1.0);
        for gap in self.days.windows(2).rev().take(DECAYED_GAPS) {
            sum += weight * f64::from(gap[1] - gap[0]);
            weights += weight;
            weight *= GAP_DECAY;
        }
        (weights > 0.0).then(|| sum / weights)
    }

    /// Of the recent gaps at least as long as the present one, the share that were exactly as long,
    /// shrunk towards the customer's purchases a day.
    pub(super) fn own_hazard(&self) -> f64 {
        (self.equal + PRIOR_GAPS * self.rate) / (self.as_long + PRIOR_GAPS)
    }

    /// The same with the gaps that differ from the present one by at most a day.
    pub(super) fn own_hazard_nearby(&self) -> f64 {
        (self.similar + PRIOR_GAPS * self.rate) / (self.as_long + self.similar + PRIOR_GAPS)
    }

    /// The same as [`Self::own_hazard`], with the recent gaps that began on the weekday of the
    /// latest purchase and a prior of one gap.
    pub(super) fn weekday_gap_hazard(&self, recent: &RecentHabits) -> f64 {
        let (mut as_long, mut equal) = (1.0, self.rate);
        for at in recent.positions.start.max(1)..self.days.len() {
            let (began, gap) = (self.days[at - 1], self.days[at] - self.days[at - 1]);
            if began.weekday() == self.last.weekday() && gap > self.elapsed {
                as_long += 1.0;
                equal += f64::from(u8::from(gap == self.elapsed + 1));
            }
        }
        equal / as_long
    }

    /// The size of the latest basket.
    pub(super) fn basket_last(&self) -> f64 {
        self.purchases.basket_size(self.days.len() - 1) as f64
    }

    /// The mean size of the latest `most` baskets.
    pub(super) fn mean_of_latest_baskets(&self, most: usize) -> Option<f64> {
        let latest = self.days.len().saturating_sub(most)..self.days.len();
        stats::mean(latest.map(|at| self.purchases.basket_size(at) as f64))
    }

    /// The share of the purchases of the last `window` days that were on the target's weekday,
    /// shrunk towards 1/7.
    pub(super) fn weekday_share_within(&self, window: i32) -> f64 {
        let days = &self.days[self.first_within(window)..];
        let weekday = self.target.weekday();
        let on_weekday = days.iter().filter(|day| day.weekday() == weekday).count();
        (on_weekday as f64 + 0.5) / (days.len() as f64 + 3.5)
    }

    /// Purchases on the target's weekday per week since the first recent purchase, as if there had
    /// been half a purchase in one week more.
    pub(super) fn weekday_hazard(&self, recent: &RecentHabits) -> f64 {
        let weeks = f64::from((self.eve - self.first_recent) / 7 + 1);
        (recent.by_weekday[self.target.weekday()] + 0.5) / (weeks + 1.0)
    }

    /// Days to the target from the latest purchase on the same weekday, up to 17 weeks.
    pub(super) fn days_since_same_weekday(&self) -> Option<i32> {
        (1..=17)
            .map(|weeks| weeks * 7)
            .find(|ago| self.bought_on(self.target - *ago))
    }

    /// In how many of the last `weeks` weeks there was a purchase.
    pub(super) fn active_weeks(&self, weeks: i32) -> f64 {
        let had_one = |week: &i32| self.first_within(week * 7) > self.first_within((week + 1) * 7);
        (0..weeks).filter(had_one).count() as f64
    }

    /// Purchases of the last 28 days beside a third of those of the last 84, shrunk towards 1.
    pub(super) fn frequency_trend(&self) -> f64 {
        let (short, long) = (self.purchases_within(28), self.purchases_within(84));
        (3.0 * short as f64 + 1.0) / (long as f64 + 1.0)
    }

    /// Products bought in the last `window` days ÷ those that the customer usually buys in as many
    /// days, at least one.
    pub(super) fn products_beside_usual(&self, window: i32, recent: &RecentHabits) -> f64 {
        let bought = products(&self.purchases, self.first_within(window)..self.days.len());
        let usual_days = f64::from((self.eve - self.first_recent + 1).max(LEAST_USUAL_DAYS));
        bought / (recent.products / usual_days * f64::from(window)).max(1.0)
    }

    /// Days to the target from the latest large basket.
    pub(super) fn days_since_large(&self, recent: &RecentHabits) -> Option<f64> {
        recent.large_last.map(|last| f64::from(self.target - last))
    }

    /// The same in mean days between two large baskets.
    pub(super) fn large_overdue(&self, recent: &RecentHabits) -> Option<f64> {
        let since = self.days_since_large(recent)?;
        recent.large_gap.map(|gap| since / gap)
    }
}
