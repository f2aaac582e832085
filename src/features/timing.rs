//! Timing features: what a customer's purchases say, on the eve of a day, about a purchase on that
//! day.
//!
//! The eve may lie after the last known night: as long as the customer has not come, nothing but
//! time has changed, so the same function describes each of the coming days, and a night in the
//! middle of a gap is normal input.

use super::MISSING;
use crate::calendar::Day;
use crate::purchases::CustomerPurchases;

/// The features of one (customer, eve), in order. Durations are days.
pub const TIMING_FEATURES: [&str; 46] = [
    "elapsed",
    "span",
    "purchases",
    "purchases_7d",
    "purchases_14d",
    "purchases_28d",
    "purchases_56d",
    "purchases_90d",
    "gap_mean",
    "gap_median",
    "gap_deviation",
    "gap_max",
    "gap_last",
    "gap_second",
    "gap_third",
    "gap_decayed",
    "wait_own",
    "overdue",
    "overdue_median",
    "hazard_own",
    "hazard_own_near",
    "basket_last",
    "basket_mean",
    "basket_last_share",
    "weekday",
    "weekday_share",
    "weekday_share_recent",
    "weekday_hazard",
    "weekday_last",
    "days_since_same_weekday",
    "bought_7d_before",
    "bought_14d_before",
    "day_of_month",
    "weekday_share_next",
    "weekday_share_after_next",
    "weekday_share_before",
    "weekday_share_second_before",
    "frequency_trend",
    "weeks_active_share",
    "purchases_long",
    "distinct_mean",
    "products_7d_share",
    "products_14d_share",
    "large_elapsed",
    "large_overdue",
    "weekday_gap_hazard",
];

/// How many timing features there are.
pub const TIMING_WIDTH: usize = TIMING_FEATURES.len();

/// Gaps and baskets older than this many days say little about now.
const RECENT_DAYS: i32 = 120;
/// A gap weighs this much less than the one after it.
const GAP_DECAY: f64 = 0.8;

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let mut count = 0;
    let sum: f64 = values.inspect(|_| count += 1).sum();
    if count == 0 {
        f64::from(MISSING)
    } else {
        sum / f64::from(count)
    }
}

/// What the purchases of the last [`RECENT_DAYS`] say, whatever the eve: it changes only when the
/// oldest of them drops out, or another one is known.
#[derive(Debug, Default)]
struct Recent {
    /// Positions of the first of these purchases, and of the first one after the eve.
    from: usize,
    until: usize,
    gaps: Vec<f64>,
    gap_mean: f64,
    median: f64,
    deviation: f64,
    gap_max: f64,
    by_weekday: [f64; 7],
    /// Products in all baskets, and in a basket on average.
    products: f64,
    basket_mean: f64,
    /// The latest purchase with a large basket, and the mean days between two of them.
    large_last: Option<Day>,
    large_gap: f64,
}

impl Recent {
    fn new(purchases: &CustomerPurchases<'_>, from: usize) -> Self {
        let days = purchases.days();
        let missing = f64::from(MISSING);
        // A gap belongs to the purchase that ends it.
        let gaps: Vec<f64> = (from.max(1)..days.len())
            .map(|at| f64::from(days[at] - days[at - 1]))
            .collect();
        let mut sorted = gaps.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let median = match sorted.len() {
            0 => missing,
            n if n % 2 == 1 => sorted[n / 2],
            n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
        };
        let gap_mean = mean(gaps.iter().copied());
        let deviation = if gaps.len() < 2 {
            missing
        } else {
            (gaps.iter().map(|gap| (gap - gap_mean).powi(2)).sum::<f64>() / (gaps.len() - 1) as f64)
                .sqrt()
        };
        let mut by_weekday = [0.0_f64; 7];
        days[from..]
            .iter()
            .for_each(|day| by_weekday[day.weekday()] += 1.0);
        let basket_mean = mean((from..days.len()).map(|at| purchases.basket_size(at) as f64));
        // When was the last big shop, and how far apart are they?
        let mut large_count = 0.0;
        let (mut large_first, mut large_last) = (None, None);
        for at in (from..days.len()).filter(|at| purchases.basket_size(*at) as f64 >= basket_mean) {
            large_count += 1.0;
            large_first = large_first.or(Some(days[at]));
            large_last = Some(days[at]);
        }
        let large_gap = match (large_first, large_last) {
            (Some(first), Some(last)) if last > first => {
                f64::from(last - first) / (large_count - 1.0)
            }
            _ => missing,
        };
        let gap_max = sorted.last().copied().unwrap_or(missing);
        let products = products_from(purchases, from);
        let until = days.len();
        Self {
            from,
            until,
            gaps,
            gap_mean,
            median,
            deviation,
            gap_max,
            by_weekday,
            products,
            basket_mean,
            large_last,
            large_gap,
        }
    }
}

fn products_from(purchases: &CustomerPurchases<'_>, from: usize) -> f64 {
    (from..purchases.len())
        .map(|at| purchases.basket_size(at) as f64)
        .sum::<f64>()
}

/// The features on the night `eve` of a customer who has the purchases `purchases`, all up to `eve`;
/// one row of [`TIMING_WIDTH`].
///
/// Without a purchase there is nothing to say: all are missing.
#[must_use]
pub fn timing_features(purchases: &CustomerPurchases<'_>, eve: Day) -> [f32; TIMING_WIDTH] {
    TimingFeatures::default().on(purchases, eve)
}

/// [`timing_features`] of one customer on several eves: what does not change from one to the next
/// is looked at once.
#[derive(Debug, Default)]
pub struct TimingFeatures {
    recent: Option<Recent>,
}

impl TimingFeatures {
    /// As [`timing_features`]; `purchases` are of the same customer each time.
    #[must_use]
    pub fn on(&mut self, purchases: &CustomerPurchases<'_>, eve: Day) -> [f32; TIMING_WIDTH] {
        let mut out = [MISSING; TIMING_WIDTH];
        let purchases = purchases.until(eve);
        let days = purchases.days();
        let (Some(first), Some(last)) = (days.first(), days.last()) else {
            return out;
        };
        let elapsed = eve - *last;
        let target = eve + 1;
        let within = |window: i32| days.len() - days.partition_point(|day| eve - *day >= window);

        let recent_from = days.partition_point(|day| eve - *day >= RECENT_DAYS);
        let recent = match self
            .recent
            .take()
            .filter(|recent| (recent.from, recent.until) == (recent_from, days.len()))
        {
            Some(recent) => recent,
            None => Recent::new(&purchases, recent_from),
        };
        let recent = self.recent.insert(recent);
        let Recent {
            gaps,
            gap_mean,
            median,
            deviation,
            gap_max,
            by_weekday,
            products,
            basket_mean,
            large_last,
            large_gap,
            ..
        } = &*recent;
        let (gap_mean, median, basket_mean, large_gap) =
            (*gap_mean, *median, *basket_mean, *large_gap);
        let first_recent = days.get(recent_from).copied().unwrap_or(eve);
        let (mut decayed, mut weights, mut weight) = (0.0, 0.0, 1.0);
        for at in (1..days.len()).rev().take(30) {
            decayed += weight * f64::from(days[at] - days[at - 1]);
            weights += weight;
            weight *= GAP_DECAY;
        }
        let gap_decayed = if weights > 0.0 {
            decayed / weights
        } else {
            f64::from(MISSING)
        };
        let e = f64::from(elapsed);
        let longer = || gaps.iter().filter(|gap| **gap > e);
        let longer_count = longer().count();
        let wait_own = mean(longer().map(|gap| gap - e));
        // The customer's own share of gaps that end on the target day among those that last until
        // then, drawn to one gap's prior.
        let ends = gaps.iter().filter(|gap| **gap == e + 1.0).count() as f64;
        let near = gaps
            .iter()
            .filter(|gap| (**gap - e - 1.0).abs() <= 1.0)
            .count() as f64;
        let prior = if gap_mean > 0.0 {
            1.0 / gap_mean.max(1.0)
        } else {
            0.1
        };
        let hazard_own = (ends + 2.0 * prior) / (longer_count as f64 + 2.0);
        let hazard_near = (near + 2.0 * prior) / (longer_count as f64 + near + 2.0);

        let mut by_weekday_recent = [0.0_f64; 7];
        let lately = days
            .partition_point(|day| eve - *day >= 42)
            .max(recent_from);
        days[lately..]
            .iter()
            .for_each(|day| by_weekday_recent[day.weekday()] += 1.0);
        let all: f64 = by_weekday.iter().sum();
        let all_recent: f64 = by_weekday_recent.iter().sum();
        let share = |offset: i32| (by_weekday[(target + offset).weekday()] + 0.5) / (all + 3.5);
        // In how many of the weeks since the first recent purchase did the customer come on the
        // target's weekday?
        let weeks = f64::from((eve - first_recent) / 7 + 1);
        let bought_on = |day: Day| days.binary_search(&day).is_ok();
        let same_weekday = (1..=17)
            .map(|weeks| weeks * 7)
            .find(|ago| bought_on(target - *ago));
        let mut weeks_active = 0;
        for week in 0..8 {
            let newest = days.partition_point(|day| *day <= eve - week * 7);
            let oldest = days.partition_point(|day| *day <= eve - (week + 1) * 7);
            weeks_active += i32::from(newest > oldest);
        }

        let basket_last = purchases.basket_size(days.len() - 1) as f64;
        let distinct_long = mean(
            (days.len().saturating_sub(10)..days.len()).map(|at| purchases.basket_size(at) as f64),
        );
        // How much was brought home lately, beside what the customer usually brings home in as many
        // days.
        let reach = f64::from((eve - first_recent + 1).max(14));
        let brought = |window: i32| {
            let from = days.partition_point(|day| eve - *day >= window);
            products_from(&purchases, from) / (products / reach * f64::from(window)).max(1.0)
        };
        let large_elapsed = large_last.map_or(f64::from(MISSING), |day| f64::from(eve - day) + 1.0);
        // Of the gaps that began on the last purchase's weekday and lasted until the eve, the share
        // that ended on the target day.
        let (mut began, mut ended) = (1.0, prior);
        for at in recent_from.max(1)..days.len() {
            if days[at - 1].weekday() == last.weekday() && days[at] - days[at - 1] > elapsed {
                began += 1.0;
                ended += f64::from(u8::from(days[at] - days[at - 1] == elapsed + 1));
            }
        }
        let previous = |back: usize| {
            let at = days.len().checked_sub(1 + back).filter(|at| *at > 0);
            at.map_or(f64::from(MISSING), |at| f64::from(days[at] - days[at - 1]))
        };
        let ratio = |a: f64, b: f64| if b > 0.0 { a / b } else { f64::from(MISSING) };
        let (short, long) = (within(28) as f64, within(84) as f64);
        let values = [
            e,
            f64::from(eve - *first),
            days.len() as f64,
            within(7) as f64,
            within(14) as f64,
            short,
            within(56) as f64,
            within(90) as f64,
            gap_mean,
            median,
            *deviation,
            *gap_max,
            previous(0),
            previous(1),
            previous(2),
            gap_decayed,
            wait_own,
            ratio(e + 1.0, gap_mean),
            ratio(e + 1.0, median),
            hazard_own,
            hazard_near,
            basket_last,
            basket_mean,
            ratio(basket_last, basket_mean),
            target.weekday() as f64,
            share(0),
            (by_weekday_recent[target.weekday()] + 0.5) / (all_recent + 3.5),
            (by_weekday[target.weekday()] + 0.5) / (weeks + 1.0),
            last.weekday() as f64,
            same_weekday.map_or(f64::from(MISSING), f64::from),
            f64::from(u8::from(bought_on(target - 7))),
            f64::from(u8::from(bought_on(target - 14))),
            f64::from(chrono::Datelike::day(&target.date())),
            share(1),
            share(2),
            share(-1),
            share(-2),
            ratio(3.0 * short + 1.0, long + 1.0),
            f64::from(weeks_active) / 8.0,
            within(182) as f64,
            distinct_long,
            brought(7),
            brought(14),
            large_elapsed,
            ratio(large_elapsed, large_gap),
            ended / began,
        ];
        for (out, value) in out.iter_mut().zip(values) {
            *out = value as f32;
        }
        out
    }
}
