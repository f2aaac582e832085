//! The feed beside the one that the model was trained on, and beside the last published night.

use serde::{Deserialize, Serialize};

use super::hours::{FEWEST_SALES, shift};
use super::profile::{BEFORE, FeedProfile, LATELY};
use super::{GuardContext, GuardFinding, GuardSettings, percent};
use crate::ingest::HourCounts;

/// The last weeks may have so many times as many lines as those of the training, or as few.
const OTHER_STORE: f64 = 2.0;

/// Numbers of customers differ by chance by so many times their root.
const BY_CHANCE: f64 = 3.0;

/// What the feed was like on which a model was trained: kept in its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingFeed {
    /// Lines of a day, on average over the last 28 days.
    pub lines_per_day: f64,
    /// Distinct products of a customer and day, over the last 84 days.
    pub products_per_customer: f64,
    /// Share of the lines that repeat others, over the last 84 days.
    pub repeated_share: f64,
    /// Share of sales in each hour of the day; empty if times have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hours: Vec<f64>,
}

impl TrainingFeed {
    /// What a feed is like.
    #[must_use]
    pub fn new(feed: &FeedProfile) -> Self {
        let lines = feed.sum(0..BEFORE, |day| day.lines);
        let customers = feed.sum(0..BEFORE, |day| day.customers);
        let kept = feed.sum(0..BEFORE, |day| day.kept);
        let days = LATELY.min(feed.days.len()).max(1) as f64;
        let hours = feed
            .hours
            .as_ref()
            .map_or([0.0; 24], HourCounts::of_all_days);
        let sales: f64 = hours.iter().sum();
        Self {
            lines_per_day: feed.sum(0..LATELY, |day| day.lines) / days,
            products_per_customer: lines / customers.max(1.0),
            repeated_share: 1.0 - (lines / kept.max(1.0)).min(1.0),
            hours: match sales >= FEWEST_SALES {
                true => hours
                    .map(|hour| crate::stats::rounded(hour / sales, 6))
                    .to_vec(),
                false => vec![],
            },
        }
    }
}

pub(super) fn findings(
    feed: &FeedProfile,
    context: &GuardContext<'_>,
    settings: &GuardSettings,
) -> Vec<GuardFinding> {
    let mut findings = vec![];
    findings.extend(old_model(feed, context, settings));
    findings.extend(recurrent(context, settings));
    if let Some(training) = context.training {
        let now = TrainingFeed::new(feed);
        findings.extend(other_baskets(&now, training, settings));
        findings.extend(other_volume(&now, training));
        findings.extend(other_repeats(&now, training, settings));
        findings.extend(other_hours(feed, training, settings));
    }
    findings
}

fn old_model(
    feed: &FeedProfile,
    context: &GuardContext<'_>,
    settings: &GuardSettings,
) -> Option<GuardFinding> {
    let (trained, limit) = (context.model?, settings.max_model_age_days);
    let age = feed.night - trained.day();
    (i64::from(age) > i64::from(limit)).then(|| {
        GuardFinding::new(
            "old-model",
            f64::from(age),
            f64::from(limit),
            format!("the model was trained up to {trained}, {age} days before the night, with at most {limit} allowed (max_model_age_days): train one every month"),
        )
    })
}

/// The number of recurrent customers jumped.
fn recurrent(context: &GuardContext<'_>, settings: &GuardSettings) -> Option<GuardFinding> {
    let published = context.published?;
    let (now, before) = (context.recurrent as f64, published.recurrent as f64);
    let (change, limit) = (
        (now - before) / before.max(1.0),
        settings.max_recurrent_change,
    );
    let is_chance = (now - before).abs() <= BY_CHANCE * before.max(1.0).sqrt();
    (change.abs() > limit && !is_chance).then(|| {
        GuardFinding::new(
            "recurrent-customers",
            change,
            limit,
            format!(
                "{} customers are recurrent, and {} were on {}, the last published night: a change of {:+.0} %, with {} allowed (max_recurrent_change)",
                context.recurrent, published.recurrent, published.as_of, 100.0 * change, percent(limit)
            ),
        )
    })
}

fn other_baskets(
    feed: &TrainingFeed,
    training: &TrainingFeed,
    settings: &GuardSettings,
) -> Option<GuardFinding> {
    let now = feed.products_per_customer;
    let limit = settings.min_basket_share;
    let share = now / training.products_per_customer;
    (share.is_finite() && (share < limit || share > 1.0 / limit.max(0.01))).then(|| {
        GuardFinding::warn(
            "other-feed-than-trained",
            share,
            limit,
            format!(
                "a customer buys {now:.1} products a day, and {:.1} when the model was trained: {}, with at least {} expected (min_basket_share)",
                training.products_per_customer, percent(share), percent(limit)
            ),
        )
    })
}

fn other_volume(feed: &TrainingFeed, training: &TrainingFeed) -> Option<GuardFinding> {
    let now = feed.lines_per_day;
    let share = now / training.lines_per_day;
    (share.is_finite() && !(1.0 / OTHER_STORE..=OTHER_STORE).contains(&share)).then(|| {
        GuardFinding::warn(
            "other-feed-than-trained",
            share,
            OTHER_STORE,
            format!("the last {LATELY} days have {now:.0} lines a day, and {:.0} when the model was trained: more than {OTHER_STORE} times as many, or as few", training.lines_per_day),
        )
    })
}

fn other_repeats(
    feed: &TrainingFeed,
    training: &TrainingFeed,
    settings: &GuardSettings,
) -> Option<GuardFinding> {
    let now = feed.repeated_share;
    let (more, limit) = (now - training.repeated_share, settings.max_repeated_share);
    (more > limit).then(|| {
        GuardFinding::warn(
            "other-feed-than-trained",
            more,
            limit,
            format!(
                "{} of the lines repeat others, and {} did when the model was trained: at most {} more are expected (max_repeated_share)",
                percent(now), percent(training.repeated_share), percent(limit)
            ),
        )
    })
}

fn other_hours(
    feed: &FeedProfile,
    training: &TrainingFeed,
    settings: &GuardSettings,
) -> Option<GuardFinding> {
    let mut trained: [f64; 24] = training.hours.as_slice().try_into().ok()?;
    trained = trained.map(|share| share * FEWEST_SALES * 2.0);
    let moved = shift(&feed.hours.as_ref()?.of_all_days(), &trained, FEWEST_SALES)?;
    let limit = settings.max_hour_shift;
    (moved > limit).then(|| {
        GuardFinding::warn(
            "other-feed-than-trained",
            moved,
            limit,
            format!("sales have moved by {moved:.1} hours of the day since the model was trained (max_hour_shift = {limit}): are the times of another zone?"),
        )
    })
}
