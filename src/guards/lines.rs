//! Lines that are bad, repeated, or have a quantity of 0 or below.

use super::profile::{BEFORE, DayProfile, FeedProfile, LATELY};
use super::{GuardFinding, GuardSettings, percent};
use crate::stats;

/// Fewer lines are slips.
const FEWEST: u64 = 10;

pub(super) fn findings(feed: &FeedProfile, settings: &GuardSettings) -> Vec<GuardFinding> {
    [
        returned_of_night(feed, settings),
        returned_of_month(feed, settings),
        bad(feed, settings),
        repeated(feed, settings),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn returned_share(day: &DayProfile) -> Option<f64> {
    let all = day.kept + day.returned;
    (all > 0).then(|| day.returned as f64 / all as f64)
}

/// The share of lines that repeat others. Lines of customers who are left out count as repeats: they
/// do so on every day.
fn repeated_share(day: &DayProfile) -> Option<f64> {
    (day.kept > 0).then(|| 1.0 - (day.lines as f64 / day.kept as f64).min(1.0))
}

/// The median of the weeks before a day.
fn usual(feed: &FeedProfile, share: fn(&DayProfile) -> Option<f64>) -> f64 {
    let days = feed.days.iter().skip(1).take(BEFORE);
    stats::median(days.filter_map(share).collect()).unwrap_or_default()
}

fn returned_of_night(feed: &FeedProfile, settings: &GuardSettings) -> Option<GuardFinding> {
    let night = feed.days.first()?;
    let (share, usual) = (returned_share(night)?, usual(feed, returned_share));
    let limit = settings.max_returned_share;
    (night.returned >= FEWEST && share - usual > limit).then(|| {
        GuardFinding::new(
            "returned-lines",
            share - usual,
            limit,
            format!(
                "{} of the lines of {} have a quantity of 0 or below, {} being usual: at most {} more are allowed (max_returned_share)",
                percent(share), feed.night, percent(usual), percent(limit)
            ),
        )
    })
}

fn returned_of_month(feed: &FeedProfile, settings: &GuardSettings) -> Option<GuardFinding> {
    let share = |ago: std::ops::Range<usize>| {
        let returned = feed.sum(ago.clone(), |day| day.returned);
        let all = returned + feed.sum(ago, |day| day.kept);
        (all > 0.0).then(|| returned / all)
    };
    let (lately, before) = (share(0..LATELY)?, share(LATELY..BEFORE)?);
    let limit = settings.max_returned_share;
    (lately - before > limit).then(|| {
        GuardFinding::new(
            "returned-lines",
            lately - before,
            limit,
            format!(
                "{} of the lines of the last {LATELY} days have a quantity of 0 or below, and {} of those before: at most {} more are allowed (max_returned_share)",
                percent(lately), percent(before), percent(limit)
            ),
        )
    })
}

fn bad(feed: &FeedProfile, settings: &GuardSettings) -> Option<GuardFinding> {
    let night = feed.days.first()?;
    let all = night.kept + night.returned + night.bad;
    let share = night.bad as f64 / all.max(1) as f64;
    let limit = settings.max_bad_share_of_night;
    (night.bad >= FEWEST && share > limit).then(|| {
        GuardFinding::new(
            "bad-lines",
            share,
            limit,
            format!(
                "{} of {all} lines on or beside {} are bad: {}, with at most {} allowed (max_bad_share_of_night)",
                night.bad, feed.night, percent(share), percent(limit)
            ),
        )
    })
}

fn repeated(feed: &FeedProfile, settings: &GuardSettings) -> Option<GuardFinding> {
    let night = feed.days.first()?;
    let (share, usual) = (repeated_share(night)?, usual(feed, repeated_share));
    let limit = settings.max_repeated_share;
    (night.kept >= FEWEST && share - usual > limit).then(|| {
        GuardFinding::warn(
            "repeated-lines",
            share - usual,
            limit,
            format!(
                "{} of the lines of {} repeat others, {} being usual: at most {} more are expected (max_repeated_share)",
                percent(share), feed.night, percent(usual), percent(limit)
            ),
        )
    })
}
