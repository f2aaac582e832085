//! What is usual of a day: its weekday in the weeks before, and how much days differ from that.

use super::profile::{DayProfile, FeedProfile, JUDGED_DAYS};
use crate::stats;

/// How many weeks before a day are compared with it.
const WEEKS: usize = 8;

/// Fewer weeks than these tell nothing.
const MIN_WEEKS: usize = 4;

/// Fewer days than these do not tell how much days differ.
const MIN_DAYS: usize = 28;

/// Days differ by so much at least, and where it is not known by so much: deviations of logarithms.
const LEAST_SPREAD: f64 = 0.06;
const UNKNOWN_SPREAD: f64 = 0.3;

/// A normal deviation is so many median absolute ones.
const OF_MEDIAN_DEVIATION: f64 = 1.4826;

/// A day that usually has fewer lines or customers tells nothing.
pub(super) const FEWEST_LINES: f64 = 25.0;
pub(super) const FEWEST_CUSTOMERS: f64 = 8.0;

/// Something that is measured of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metric {
    Lines,
    Customers,
    /// Distinct products per customer.
    Basket,
}

impl Metric {
    fn of(self, day: &DayProfile) -> f64 {
        match self {
            Self::Lines => day.lines as f64,
            Self::Customers => day.customers as f64,
            Self::Basket => day.lines as f64 / day.customers.max(1) as f64,
        }
    }

    /// By how much it differs by chance where a single customer comes: customers as their number's
    /// root, and baskets about as much as they are large.
    fn chance(self) -> f64 {
        match self {
            Self::Lines => 1.3,
            Self::Customers => 1.0,
            Self::Basket => 0.75,
        }
    }
}

/// A day beside what is usual of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Deviation {
    pub(super) value: f64,
    pub(super) usual: f64,
    /// The value as a share of the usual.
    pub(super) share: f64,
    /// By how many of the usual deviations it is off.
    pub(super) deviations: f64,
}

/// The days of the same weekday in the weeks before the day that is `ago` days ago.
fn before(feed: &FeedProfile, ago: usize) -> impl Iterator<Item = &DayProfile> {
    (1..=WEEKS).filter_map(move |week| feed.days.get(ago + 7 * week))
}

/// The median of the same weekday in the weeks before, where there were sales; `None` if there were
/// in too few of them.
pub(super) fn usual(feed: &FeedProfile, ago: usize, metric: Metric) -> Option<f64> {
    let open = before(feed, ago).filter(|day| day.lines > 0);
    let values: Vec<f64> = open.map(|day| metric.of(day)).collect();
    if values.len() < MIN_WEEKS {
        return None;
    }
    stats::median(values)
}

/// Whether there were sales on most of the same weekdays before a day.
pub(super) fn is_open_on(feed: &FeedProfile, ago: usize) -> bool {
    let all = before(feed, ago).count();
    let open = before(feed, ago).filter(|day| day.lines > 0).count();
    2 * open > all
}

/// Whether a day must have lines, if the store was open: its weekday has so many that none are no
/// chance.
pub(super) fn is_expected(feed: &FeedProfile, ago: usize) -> bool {
    let has_enough =
        |metric: Metric, least: f64| usual(feed, ago, metric).is_some_and(|usual| usual >= least);
    is_open_on(feed, ago)
        && has_enough(Metric::Lines, FEWEST_LINES)
        && has_enough(Metric::Customers, FEWEST_CUSTOMERS)
}

/// The median of the logarithms of shares, and how much they differ, on the days before those that
/// are judged.
fn spread(feed: &FeedProfile, metric: Metric) -> (f64, f64) {
    let days = JUDGED_DAYS..JUDGED_DAYS + 7 * WEEKS;
    let logarithms: Vec<f64> = days
        .filter_map(|ago| {
            let value = metric.of(feed.days.get(ago)?);
            let usual = usual(feed, ago, metric)?;
            (value > 0.0 && usual > 0.0).then(|| (value / usual).ln())
        })
        .collect();
    if logarithms.len() < MIN_DAYS {
        return (0.0, UNKNOWN_SPREAD);
    }
    let center = stats::median(logarithms.clone()).unwrap_or_default();
    let off = logarithms.iter().map(|value| (value - center).abs());
    let spread = OF_MEDIAN_DEVIATION * stats::median(off.collect()).unwrap_or_default();
    (center, spread)
}

/// How much the days of a feed differ, by metric: the same for all days that are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spreads([(f64, f64); 3]);

impl Spreads {
    pub(super) fn of(feed: &FeedProfile) -> Self {
        Self([Metric::Lines, Metric::Customers, Metric::Basket].map(|metric| spread(feed, metric)))
    }
}

/// A day beside what is usual of it; `None` if that is not known.
pub(super) fn deviation(
    feed: &FeedProfile,
    spreads: &Spreads,
    ago: usize,
    metric: Metric,
) -> Option<Deviation> {
    let value = metric.of(feed.days.get(ago)?);
    let usual = usual(feed, ago, metric).filter(|usual| *usual > 0.0)?;
    let customers = feed.days.get(ago)?.customers.max(1) as f64;
    let (center, spread) = spreads.0[metric as usize];
    let share = value / usual;
    let by_chance = metric.chance() / customers.sqrt();
    let spread = spread.max(LEAST_SPREAD).max(by_chance);
    Some(Deviation {
        value,
        usual,
        share,
        deviations: (share.max(1e-6).ln() - center) / spread,
    })
}
