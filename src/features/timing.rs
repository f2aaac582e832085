//! Timing features: what a customer's purchases say, on the eve of a day, about a purchase on that
//! day.
//!
//! The eve may lie after the last known night: as long as the customer has not come, nothing but
//! time has changed, so the same function describes each of the coming days, and a night in the
//! middle of a gap is normal input.

mod eve;
mod habits;

use super::MISSING;
use super::table::feature_table;
use crate::calendar::Day;
use crate::purchases::CustomerPurchases;
use eve::CustomerOnEve;
use habits::RecentHabits;

feature_table! {
    /// The timing features of a customer on the eve of a day, the target; in the order of a row.
    ///
    /// Recent purchases are those of the last 120 days, and recent gaps those that a recent
    /// purchase ended. The present gap is the one that a purchase on the target would end.
    pub TIMING_FEATURES, TIMING_COLUMNS: TimingColumns, TIMING_WIDTH;
    /// The row of one customer.
    fn timing_row(customer: &CustomerOnEve<'_>, recent: &RecentHabits);

    /// Days from the latest purchase to the eve.
    elapsed: Days = customer.elapsed;
    /// Days from the first purchase to the eve.
    span: Days = customer.eve - customer.first;
    /// Purchases up to the eve.
    purchases: Purchases = customer.purchases.len();
    /// Purchases in the last 7 days.
    purchases_7d: Purchases = customer.purchases_within(7);
    /// Purchases in the last 14 days.
    purchases_14d: Purchases = customer.purchases_within(14);
    /// Purchases in the last 28 days.
    purchases_28d: Purchases = customer.purchases_within(28);
    /// Purchases in the last 56 days.
    purchases_56d: Purchases = customer.purchases_within(56);
    /// Purchases in the last 90 days.
    purchases_90d: Purchases = customer.purchases_within(90);
    /// Mean of the recent gaps.
    gap_mean: Days = recent.gap_mean;
    /// Median of the recent gaps.
    gap_median: Days = recent.gap_median;
    /// Sample standard deviation of the recent gaps; missing for fewer than two.
    gap_deviation: Days = recent.gap_deviation;
    /// Longest recent gap.
    gap_max: Days = recent.gap_max;
    /// The latest gap, however long ago.
    gap_last: Days = customer.gap_from_end(0);
    /// The gap before the latest one.
    gap_second: Days = customer.gap_from_end(1);
    /// The second gap before the latest one.
    gap_third: Days = customer.gap_from_end(2);
    /// Weighted mean of the latest 30 gaps: each weighs 0.8 times as much as the one after it.
    gap_decayed: Days = customer.decayed_gap();
    /// Mean remaining wait in the recent gaps that were longer than `elapsed`.
    wait_own: Days = customer.mean_wait;
    /// Present gap ÷ `gap_mean`.
    overdue: Ratio = recent.gap_mean.map(|mean| customer.present_gap() / mean);
    /// Present gap ÷ `gap_median`.
    overdue_median: Ratio = recent.gap_median.map(|median| customer.present_gap() / median);
    /// Of the recent gaps at least as long as the present one, the share that were exactly as long,
    /// shrunk towards 1 ÷ `gap_mean`.
    hazard_own: Probability = customer.own_hazard();
    /// Like `hazard_own`, with the gaps that differ from the present one by at most a day.
    hazard_own_near: Probability = customer.own_hazard_nearby();
    /// Size of the latest basket.
    basket_last: Products = customer.basket_last();
    /// Mean size of the recent baskets.
    basket_mean: Products = recent.basket_mean;
    /// `basket_last` ÷ `basket_mean`.
    basket_last_share: Ratio = recent.basket_mean.map(|mean| customer.basket_last() / mean);
    /// Weekday of the target.
    weekday: Weekday = customer.target.weekday();
    /// Share of the recent purchases that were on the target's weekday, shrunk towards 1/7.
    weekday_share: Share = recent.weekday_share(customer.target);
    /// The same among the purchases of the last 42 days.
    weekday_share_recent: Share = customer.weekday_share_within(42);
    /// Purchases on the target's weekday per week since the first recent purchase.
    weekday_hazard: Probability = customer.weekday_hazard(recent);
    /// Weekday of the latest purchase.
    weekday_last: Weekday = customer.last.weekday();
    /// Days to the target from the latest purchase on the same weekday; missing beyond 17 weeks.
    days_since_same_weekday: Days = customer.days_since_same_weekday();
    /// Whether there was a purchase 7 days before the target.
    bought_7d_before: YesOrNo = customer.bought_on(customer.target - 7);
    /// Whether there was a purchase 14 days before the target.
    bought_14d_before: YesOrNo = customer.bought_on(customer.target - 14);
    /// Day of the month of the target.
    day_of_month: DayOfMonth = chrono::Datelike::day(&customer.target.date());
    /// `weekday_share` of the day after the target.
    weekday_share_next: Share = recent.weekday_share(customer.target + 1);
    /// `weekday_share` of the second day after the target.
    weekday_share_after_next: Share = recent.weekday_share(customer.target + 2);
    /// `weekday_share` of the day before the target.
    weekday_share_before: Share = recent.weekday_share(customer.target - 1);
    /// `weekday_share` of the second day before the target.
    weekday_share_second_before: Share = recent.weekday_share(customer.target - 2);
    /// Purchases of the last 28 days ÷ a third of those of the last 84, shrunk towards 1.
    frequency_trend: Ratio = customer.frequency_trend();
    /// Share of the last 8 weeks that had a purchase.
    weeks_active_share: Share = customer.active_weeks(8) / 8.0;
    /// Purchases in the last 182 days.
    purchases_long: Purchases = customer.purchases_within(182);
    /// Mean size of the latest 10 baskets, however long ago.
    distinct_mean: Products = customer.mean_of_latest_baskets(10);
    /// Products bought in the last 7 days ÷ those that the customer usually buys in 7 days.
    products_7d_share: Ratio = customer.products_beside_usual(7, recent);
    /// Products bought in the last 14 days ÷ those that the customer usually buys in 14 days.
    products_14d_share: Ratio = customer.products_beside_usual(14, recent);
    /// Days to the target from the latest large basket: one of at least the size `basket_mean`.
    large_elapsed: Days = customer.days_since_large(recent);
    /// `large_elapsed` ÷ the mean days between two recent large baskets.
    large_overdue: Ratio = customer.large_overdue(recent);
    /// Like `hazard_own`, with the recent gaps that began on the weekday of the latest purchase.
    weekday_gap_hazard: Probability = customer.weekday_gap_hazard(recent);
}

/// The row of [`TIMING_FEATURES`] on the night `eve` of a customer who has the purchases
/// `purchases`, of which those after `eve` are not looked at. Without a purchase all values are
/// missing.
#[must_use]
pub fn timing_features(purchases: &CustomerPurchases<'_>, eve: Day) -> [f32; TIMING_WIDTH] {
    TimingFeatures::default().on(purchases, eve)
}

/// [`timing_features`] of one customer on several eves: what does not change from one eve to the
/// next is computed once.
#[derive(Debug, Default)]
pub struct TimingFeatures {
    recent: Option<RecentHabits>,
}

impl TimingFeatures {
    /// As [`timing_features`]; `purchases` are of the same customer each time.
    #[must_use]
    pub fn on(&mut self, purchases: &CustomerPurchases<'_>, eve: Day) -> [f32; TIMING_WIDTH] {
        let purchases = purchases.until(eve);
        let recent = RecentHabits::on(self.recent.take(), &purchases, eve);
        let recent = self.recent.insert(recent);
        CustomerOnEve::new(purchases, eve, recent).map_or([MISSING; TIMING_WIDTH], |customer| {
            timing_row(&customer, recent)
        })
    }
}
