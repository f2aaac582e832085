//! The obvious way to each timing feature.

use proptest::prelude::*;

use super::{agrees, bought_by, in_order, lines, mean, night, number, purchases, stories, weekday};
use crate::calendar::Day;
use crate::features::timing::{TIMING_FEATURES, TIMING_WIDTH, TimingFeatures, timing_features};

/// A customer on an eve.
pub(super) struct EveCase {
    /// Day and size of each purchase up to the eve; at least one.
    purchases: Vec<(i32, f64)>,
    eve: i32,
}

impl EveCase {
    fn target(&self) -> i32 {
        self.eve + 1
    }

    fn first(&self) -> i32 {
        self.purchases[0].0
    }

    fn last(&self) -> (i32, f64) {
        self.purchases[self.purchases.len() - 1]
    }

    /// The gap that a purchase on the target would end.
    fn present_gap(&self) -> f64 {
        f64::from(self.target() - self.last().0)
    }

    /// The purchases of the last days.
    fn within(&self, days: i32) -> Vec<(i32, f64)> {
        let since = |(day, _): &(i32, f64)| self.eve - day < days;
        self.purchases.iter().copied().filter(since).collect()
    }

    fn count(&self, days: i32) -> Option<f64> {
        Some(self.within(days).len() as f64)
    }

    fn recent(&self) -> Vec<(i32, f64)> {
        self.within(120)
    }

    /// The first day and the length of each gap that ended in the last days.
    fn gaps_within(&self, days: i32) -> Vec<(i32, f64)> {
        self.purchases
            .windows(2)
            .filter(|pair| self.eve - pair[1].0 < days)
            .map(|pair| (pair[0].0, f64::from(pair[1].0 - pair[0].0)))
            .collect()
    }

    fn recent_gaps(&self) -> Vec<f64> {
        let gaps = self.gaps_within(120);
        gaps.into_iter().map(|(_, gap)| gap).collect()
    }

    fn gap_mean(&self) -> Option<f64> {
        mean(&self.recent_gaps())
    }

    fn gap_median(&self) -> Option<f64> {
        let mut gaps = self.recent_gaps();
        gaps.sort_by(f64::total_cmp);
        let n = gaps.len();
        match n {
            0 => None,
            _ if n % 2 == 1 => Some(gaps[n / 2]),
            _ => Some((gaps[n / 2 - 1] + gaps[n / 2]) / 2.0),
        }
    }

    /// All gaps, the latest first.
    fn gaps_backwards(&self) -> Vec<f64> {
        let mut gaps = self.gaps_within(i32::MAX);
        gaps.reverse();
        gaps.into_iter().map(|(_, gap)| gap).collect()
    }

    fn prior(&self) -> f64 {
        self.gap_mean().map_or(0.1, |mean| 1.0 / mean)
    }

    fn hazard(&self, tolerance: f64) -> f64 {
        let (gaps, present) = (self.recent_gaps(), self.present_gap());
        let similar = |gap: &&f64| (**gap - present).abs() <= tolerance;
        let ended = gaps.iter().filter(similar).count() as f64;
        let as_long = gaps.iter().filter(|gap| **gap >= present).count() as f64;
        let others = if tolerance > 0.0 { ended } else { 0.0 };
        (ended + 2.0 * self.prior()) / (as_long + others + 2.0)
    }

    fn basket_mean(&self) -> Option<f64> {
        let sizes: Vec<f64> = self.recent().iter().map(|(_, size)| *size).collect();
        mean(&sizes)
    }

    /// The share of the purchases of the last days that were on the weekday of a day.
    fn weekday_share(&self, day: i32, within: i32) -> Option<f64> {
        let purchases = self.within(within);
        let on_weekday = |(other, _): &&(i32, f64)| weekday(*other) == weekday(day);
        let count = purchases.iter().filter(on_weekday).count() as f64;
        Some((count + 0.5) / (purchases.len() as f64 + 3.5))
    }

    fn weekday_hazard(&self) -> Option<f64> {
        let recent = self.recent();
        let on_weekday = |(day, _): &&(i32, f64)| weekday(*day) == weekday(self.target());
        let count = recent.iter().filter(on_weekday).count() as f64;
        let first = recent.first().map_or(self.eve, |(day, _)| *day);
        let weeks = (first..=self.eve).filter(|day| (self.eve - day) % 7 == 0);
        Some((count + 0.5) / (weeks.count() as f64 + 1.0))
    }

    fn bought_before_target(&self, days: i32) -> Option<f64> {
        let bought = self
            .purchases
            .iter()
            .any(|(day, _)| *day == self.target() - days);
        Some(if bought { 1.0 } else { 0.0 })
    }

    fn days_since_same_weekday(&self) -> Option<f64> {
        let ago = self.purchases.iter().map(|(day, _)| self.target() - day);
        let same = ago.filter(|ago| ago % 7 == 0 && *ago <= 17 * 7);
        same.min().map(f64::from)
    }

    fn active_weeks(&self) -> f64 {
        let bought_in = |week: &i32| {
            let mut ago = self.purchases.iter().map(|(day, _)| self.eve - day);
            ago.any(|ago| ago / 7 == *week)
        };
        (0..8).filter(bought_in).count() as f64
    }

    fn products_beside_usual(&self, days: i32) -> Option<f64> {
        let sum = |purchases: Vec<(i32, f64)>| purchases.iter().map(|(_, size)| size).sum::<f64>();
        let first = self.recent().first().map_or(self.eve, |(day, _)| *day);
        let length = f64::from((self.eve - first + 1).max(14));
        let usual = sum(self.recent()) / length * f64::from(days);
        Some(sum(self.within(days)) / usual.max(1.0))
    }

    /// Days of the recent purchases with large baskets.
    fn large(&self) -> Vec<i32> {
        let recent = self.recent();
        let large = |(_, size): &&(i32, f64)| Some(*size) >= self.basket_mean();
        recent.iter().filter(large).map(|(day, _)| *day).collect()
    }

    fn large_elapsed(&self) -> Option<f64> {
        let last = self.large().last().copied();
        last.map(|day| f64::from(self.target() - day))
    }

    fn large_overdue(&self) -> Option<f64> {
        let gaps: Vec<f64> = self
            .large()
            .windows(2)
            .map(|pair| f64::from(pair[1] - pair[0]))
            .collect();
        Some(self.large_elapsed()? / mean(&gaps)?)
    }

    fn weekday_gap_hazard(&self) -> Option<f64> {
        let gaps: Vec<f64> = self
            .gaps_within(120)
            .into_iter()
            .filter(|(first, _)| weekday(*first) == weekday(self.last().0))
            .map(|(_, gap)| gap)
            .collect();
        let present = self.present_gap();
        let as_long = gaps.iter().filter(|gap| **gap >= present).count() as f64;
        let equal = gaps.iter().filter(|gap| **gap == present).count() as f64;
        Some((equal + self.prior()) / (as_long + 1.0))
    }
}

type TimingOracle = fn(&EveCase) -> Option<f64>;

pub(super) const ORACLES: [(&str, TimingOracle); TIMING_WIDTH] = [
    ("elapsed", |case| Some(case.present_gap() - 1.0)),
    ("span", |case| Some(f64::from(case.eve - case.first()))),
    ("purchases", |case| Some(case.purchases.len() as f64)),
    ("purchases_7d", |case| case.count(7)),
    ("purchases_14d", |case| case.count(14)),
    ("purchases_28d", |case| case.count(28)),
    ("purchases_56d", |case| case.count(56)),
    ("purchases_90d", |case| case.count(90)),
    ("gap_mean", EveCase::gap_mean),
    ("gap_median", EveCase::gap_median),
    ("gap_deviation", |case| {
        let (gaps, mean) = (case.recent_gaps(), case.gap_mean()?);
        let squares: f64 = gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum();
        (gaps.len() > 1).then(|| (squares / (gaps.len() as f64 - 1.0)).sqrt())
    }),
    ("gap_max", |case| {
        case.recent_gaps().into_iter().reduce(f64::max)
    }),
    ("gap_last", |case| case.gaps_backwards().first().copied()),
    ("gap_second", |case| case.gaps_backwards().get(1).copied()),
    ("gap_third", |case| case.gaps_backwards().get(2).copied()),
    ("gap_decayed", |case| {
        let gaps = case.gaps_backwards();
        let weight = |back: usize| 0.8_f64.powi(back as i32);
        let latest = gaps.iter().take(30).enumerate();
        let sum: f64 = latest.map(|(back, gap)| weight(back) * gap).sum();
        let weights: f64 = (0..gaps.len().min(30)).map(weight).sum();
        (!gaps.is_empty()).then(|| sum / weights)
    }),
    ("wait_own", |case| {
        let elapsed = case.present_gap() - 1.0;
        let gaps = case.recent_gaps().into_iter();
        let waits: Vec<f64> = gaps.map(|gap| gap - elapsed).collect();
        let waits: Vec<f64> = waits.into_iter().filter(|wait| *wait > 0.0).collect();
        mean(&waits)
    }),
    ("overdue", |case| {
        Some(case.present_gap() / case.gap_mean()?)
    }),
    ("overdue_median", |case| {
        Some(case.present_gap() / case.gap_median()?)
    }),
    ("hazard_own", |case| Some(case.hazard(0.0))),
    ("hazard_own_near", |case| Some(case.hazard(1.0))),
    ("basket_last", |case| Some(case.last().1)),
    ("basket_mean", EveCase::basket_mean),
    ("basket_last_share", |case| {
        Some(case.last().1 / case.basket_mean()?)
    }),
    ("weekday", |case| Some(f64::from(weekday(case.target())))),
    ("weekday_share", |case| {
        case.weekday_share(case.target(), 120)
    }),
    ("weekday_share_recent", |case| {
        case.weekday_share(case.target(), 42)
    }),
    ("weekday_hazard", EveCase::weekday_hazard),
    ("weekday_last", |case| {
        Some(f64::from(weekday(case.last().0)))
    }),
    ("days_since_same_weekday", EveCase::days_since_same_weekday),
    ("bought_7d_before", |case| case.bought_before_target(7)),
    ("bought_14d_before", |case| case.bought_before_target(14)),
    ("day_of_month", |case| {
        let date = Day::from_epoch(case.target()).to_string();
        date.rsplit('-').next()?.parse().ok()
    }),
    ("weekday_share_next", |case| {
        case.weekday_share(case.target() + 1, 120)
    }),
    ("weekday_share_after_next", |case| {
        case.weekday_share(case.target() + 2, 120)
    }),
    ("weekday_share_before", |case| {
        case.weekday_share(case.target() - 1, 120)
    }),
    ("weekday_share_second_before", |case| {
        case.weekday_share(case.target() - 2, 120)
    }),
    ("frequency_trend", |case| {
        Some((3.0 * case.count(28)? + 1.0) / (case.count(84)? + 1.0))
    }),
    ("weeks_active_share", |case| Some(case.active_weeks() / 8.0)),
    ("purchases_long", |case| case.count(182)),
    ("distinct_mean", |case| {
        let latest = case.purchases.iter().rev().take(10);
        let sizes: Vec<f64> = latest.map(|(_, size)| *size).collect();
        mean(&sizes)
    }),
    ("products_7d_share", |case| case.products_beside_usual(7)),
    ("products_14d_share", |case| case.products_beside_usual(14)),
    ("large_elapsed", EveCase::large_elapsed),
    ("large_overdue", EveCase::large_overdue),
    ("weekday_gap_hazard", EveCase::weekday_gap_hazard),
];

proptest! {
    #[test]
    fn every_timing_feature_is_what_its_oracle_says(story in stories(), eve in 5_i32..400) {
        let oracles = in_order(&TIMING_FEATURES, &ORACLES);
        let purchases = purchases(lines(&story), story.len());
        let history = purchases.until(night(eve));
        for customer in 0..history.customer_count() {
            let row = timing_features(&history.purchases_of(customer), Day::from_epoch(eve));
            let bought = bought_by(&story, number(history.customers(), customer), eve);
            if bought.is_empty() {
                prop_assert!(row.iter().all(|value| *value == -1.0));
                continue;
            }
            let sizes = bought.iter().map(|(day, basket)| (*day, basket.len() as f64));
            let case = EveCase { purchases: sizes.collect(), eve };
            for ((feature, oracle), value) in TIMING_FEATURES.iter().zip(&oracles).zip(row) {
                agrees(feature, value, oracle(&case))?;
            }
        }
    }

    #[test]
    fn timing_features_of_many_eves_are_those_of_each(
        story in stories(),
        eves in prop::collection::vec(5_i32..400, 1..20),
    ) {
        let purchases = purchases(lines(&story), story.len());
        let history = purchases.until(night(150));
        for customer in 0..history.customer_count() {
            let purchases = history.purchases_of(customer);
            let mut features = TimingFeatures::default();
            for eve in eves.iter().map(|eve| Day::from_epoch(*eve)) {
                let together = features.on(&purchases, eve).map(f32::to_bits);
                let apart = timing_features(&purchases, eve).map(f32::to_bits);
                prop_assert_eq!(together, apart);
            }
        }
    }
}
