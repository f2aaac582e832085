//! Days that are missing, that have too little, or that stand on another one.

use super::closed_days::ClosedDates;
use super::profile::{BEFORE, FeedProfile, JUDGED_DAYS, LATELY};
use super::usual::{Deviation, FEWEST_LINES, Metric, Spreads, deviation, is_expected, usual};
use super::{GuardFinding, GuardSettings, STALE, percent};
use crate::domain::words::counted;

/// A day far off differs by so many of the usual deviations at least.
const FAR_OFF: f64 = 3.25;

/// The same of the earlier days, of which there are many.
const FAR_OFF_EARLIER: f64 = 5.5;

/// The same of the last weeks together.
const FAR_OFF_MONTH: f64 = 4.0;

/// Two days that stand on one have at least this share of what both usually have.
const OF_BOTH: f64 = 0.7;

/// The last weeks, and the weeks before per week of them.
const WEEKS_BEFORE: f64 = ((BEFORE - LATELY) / LATELY) as f64;

/// The feed, with the days on which lines are expected.
struct Days<'a> {
    feed: &'a FeedProfile,
    /// Whether lines are expected, by how many days ago.
    expected: Vec<bool>,
    spreads: Spreads,
    settings: &'a GuardSettings,
}

pub(super) fn findings(
    feed: &FeedProfile,
    closed: &ClosedDates,
    settings: &GuardSettings,
) -> Vec<GuardFinding> {
    let expected = (0..JUDGED_DAYS.min(feed.days.len()))
        .map(|ago| !closed.contain(feed.day(ago)) && is_expected(feed, ago))
        .collect();
    let days = Days {
        feed,
        expected,
        spreads: Spreads::of(feed),
        settings,
    };
    let Some(last) = feed.days.iter().position(|day| day.lines > 0) else {
        return vec![];
    };
    let mut findings = vec![];
    findings.extend(days.stale(last));
    findings.extend(days.missing(last));
    findings.extend(days.two_on_one(last));
    findings.extend(days.low_night());
    findings.extend(days.thin_night());
    findings.extend(days.low_days(last));
    findings.extend(low_month(feed, settings));
    findings.extend(small_baskets(feed, settings));
    findings
}

impl Days<'_> {
    fn is_expected(&self, ago: usize) -> bool {
        self.expected.get(ago).copied().unwrap_or(false)
    }

    fn has_lines(&self, ago: usize) -> bool {
        self.feed.days.get(ago).is_some_and(|day| day.lines > 0)
    }

    fn deviation(&self, ago: usize, metric: Metric) -> Option<Deviation> {
        deviation(self.feed, &self.spreads, ago, metric)
    }

    /// The feed ends before the night; `last` is how many days ago.
    fn stale(&self, last: usize) -> Option<GuardFinding> {
        let missing = (0..last).filter(|ago| self.is_expected(*ago)).count();
        let limit = self.settings.max_stale_days;
        (missing > limit as usize).then(|| {
            GuardFinding::new(
                STALE,
                missing as f64,
                f64::from(limit),
                format!(
                    "the last day with sales is {}: {} up to the night {} {} none (max_stale_days = {limit})",
                    self.feed.day(last),
                    counted(missing as i64, "day"),
                    self.feed.night,
                    if missing == 1 { "has" } else { "have" },
                ),
            )
        })
    }

    /// Days without lines before the last one with some.
    fn missing(&self, last: usize) -> Option<GuardFinding> {
        let (mut longest, mut run, mut all) = (0, 0, vec![]);
        for ago in last..self.expected.len() {
            if self.has_lines(ago) {
                run = 0;
            } else if self.is_expected(ago) {
                run += 1;
                all.push(self.feed.day(ago).to_string());
                longest = longest.max(run);
            }
        }
        if all.is_empty() {
            return None;
        }
        all.reverse();
        let limit = self.settings.max_missing_days;
        let text = format!(
            "{} of the last {JUDGED_DAYS} have no sales, {longest} in a row (max_missing_days = {limit}): {}. If the store was closed, add them to closed_days",
            counted(all.len() as i64, "day"),
            all.join(", ")
        );
        let finding = GuardFinding::new("missing-days", f64::from(longest), f64::from(limit), text);
        Some(GuardFinding {
            is_breach: longest > limit,
            ..finding
        })
    }

    /// A day without lines beside one that has those of two.
    fn two_on_one(&self, last: usize) -> Option<GuardFinding> {
        let gaps = (last..self.expected.len())
            .filter(|ago| self.is_expected(*ago) && !self.has_lines(*ago));
        gaps.flat_map(|gap| gap.checked_sub(1).into_iter().chain([gap + 1]).map(move |beside| (gap, beside)))
            .find_map(|(gap, beside)| {
                let limit = self.settings.max_day_beside_gap;
                let lines = self.deviation(beside, Metric::Lines)?;
                let customers = self.deviation(beside, Metric::Customers)?;
                let of_gap = usual(self.feed, gap, Metric::Lines)?;
                let are_two = lines.share > limit
                    && customers.share > 1.0 + 0.7 * (limit - 1.0)
                    && lines.value > OF_BOTH * (lines.usual + of_gap);
                are_two.then(|| GuardFinding::new(
                    "two-days-on-one",
                    lines.share,
                    limit,
                    format!(
                        "{} has no sales, and {} has {:.2} times the usual number of lines (max_day_beside_gap = {limit}): two days seem to stand on one",
                        self.feed.day(gap), self.feed.day(beside), lines.share
                    ),
                ))
            })
    }

    /// The night's own day has too few lines.
    fn low_night(&self) -> Option<GuardFinding> {
        let limit = self.settings.min_day_share;
        let lines = self.far_below(0, Metric::Lines, limit)?;
        Some(GuardFinding::new(
            "low-night",
            lines.share,
            limit,
            format!(
                "{} has {:.0} lines where this weekday usually has {:.0}: {}, with at least {} allowed (min_day_share)",
                self.feed.night,
                lines.value,
                lines.usual,
                percent(lines.share),
                percent(limit)
            ),
        ))
    }

    /// The night's own day has few customers, or few products for each.
    fn thin_night(&self) -> Option<GuardFinding> {
        let limit = self.settings.warn_day_share;
        let metrics: [(Metric, &str); 2] = [
            (Metric::Customers, "customers"),
            (Metric::Basket, "products per customer"),
        ];
        metrics.into_iter().find_map(|(metric, what)| {
            let low = self.far_below(0, metric, limit)?;
            Some(GuardFinding::warn(
                "thin-night",
                low.share,
                limit,
                format!(
                    "{} has {:.1} {what} where this weekday usually has {:.1}: {}, and less than {} may mean that lines are missing (warn_day_share)",
                    self.feed.night, low.value, low.usual, percent(low.share), percent(limit)
                ),
            ))
        })
    }

    /// Earlier days that have too few lines.
    fn low_days(&self, last: usize) -> Option<GuardFinding> {
        let share = self.settings.min_day_share;
        let mut low: Vec<String> = (last.max(1)..self.expected.len())
            .filter(|ago| {
                self.has_lines(*ago)
                    && self
                        .far_below(*ago, Metric::Lines, share)
                        .is_some_and(|day| day.deviations < -FAR_OFF_EARLIER)
            })
            .map(|ago| self.feed.day(ago).to_string())
            .collect();
        low.reverse();
        let limit = self.settings.max_missing_days;
        (!low.is_empty()).then(|| {
            let finding = GuardFinding::new(
                "low-days",
                low.len() as f64,
                f64::from(limit),
                format!(
                    "{} of the last {JUDGED_DAYS} have less than {} of the lines that are usual of their weekday (min_day_share; max_missing_days = {limit}): {}",
                    counted(low.len() as i64, "day"), percent(share), low.join(", ")
                ),
            );
            GuardFinding {
                is_breach: low.len() > limit as usize,
                ..finding
            }
        })
    }

    /// A day on which something is below a share of the usual, and by more than chance.
    fn far_below(&self, ago: usize, metric: Metric, share: f64) -> Option<Deviation> {
        if !self.is_expected(ago) || !self.has_lines(ago) {
            return None;
        }
        self.deviation(ago, metric)
            .filter(|day| day.share < share && day.deviations < -FAR_OFF)
    }
}

/// The last weeks have fewer lines than those before.
fn low_month(feed: &FeedProfile, settings: &GuardSettings) -> Option<GuardFinding> {
    let (lately, before) = weeks(feed)?;
    let (share, limit) = (
        WEEKS_BEFORE * lately.lines / before.lines,
        settings.min_month_share,
    );
    (share < limit && is_no_chance(share, &lately, &before)).then(|| GuardFinding::new(
        "low-month",
        share,
        limit,
        format!(
            "the last {LATELY} days have {} of the lines that the weeks before had, with at least {} allowed (min_month_share)",
            percent(share), percent(limit)
        ),
    ))
}

/// The baskets of the last weeks are smaller than those before.
fn small_baskets(feed: &FeedProfile, settings: &GuardSettings) -> Option<GuardFinding> {
    let (lately, before) = weeks(feed)?;
    let (basket, basket_before) = (lately.basket(), before.basket());
    let (share, limit) = (basket / basket_before, settings.min_basket_share);
    (share < limit && is_no_chance(share, &lately, &before)).then(|| GuardFinding::new(
        "small-baskets",
        share,
        limit,
        format!(
            "a customer bought {basket:.1} products a day in the last {LATELY} days and {basket_before:.1} in the weeks before: {}, with at least {} allowed (min_basket_share)",
            percent(share), percent(limit)
        ),
    ))
}

/// What was counted in some weeks.
struct WeekCounts {
    lines: f64,
    customers: f64,
}

impl WeekCounts {
    fn new(feed: &FeedProfile, ago: std::ops::Range<usize>) -> Self {
        Self {
            lines: feed.sum(ago.clone(), |day| day.lines),
            customers: feed.sum(ago, |day| day.customers),
        }
    }

    /// Products per customer and day.
    fn basket(&self) -> f64 {
        self.lines / self.customers.max(1.0)
    }
}

/// The last weeks and those before, if the history has both and enough lines.
fn weeks(feed: &FeedProfile) -> Option<(WeekCounts, WeekCounts)> {
    let (lately, before) = (
        WeekCounts::new(feed, 0..LATELY),
        WeekCounts::new(feed, LATELY..BEFORE),
    );
    let has_enough = before.lines >= FEWEST_LINES * (BEFORE - LATELY) as f64;
    (feed.days.len() >= BEFORE && has_enough).then_some((lately, before))
}

/// Whether a share is smaller than a few customers with baskets of all sizes make it by chance: both
/// differ about as much as their number's root.
fn is_no_chance(share: f64, lately: &WeekCounts, before: &WeekCounts) -> bool {
    let variance = 2.0 / lately.customers.max(1.0) + 2.0 / before.customers.max(1.0);
    share.max(1e-6).ln() < -FAR_OFF_MONTH * variance.sqrt()
}
