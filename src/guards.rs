//! Guards: is this feed what it was? Each compares what was read up to a night with the weeks
//! before it, with what the model was trained on, or with the night that was published before.
//!
//! [`FeedCounts`] looks at each partition of the history once and gives a [`FeedProfile`]: a few
//! numbers a day. All guards are pure functions of it. A guard either ends the run, since nothing
//! that a person would send should come of such a feed ([`GuardFinding::is_breach`]), or it warns,
//! where the feed alone cannot tell.
//!
//! A day is compared with the same weekday in the 8 weeks before it, and a difference counts only if
//! it is large beside the usual differences of the store: a small store has wild days.

mod against_model;
mod closed_days;
mod days;
mod feature_shift;
mod hours;
mod ids;
mod lines;
mod profile;
mod stores;
#[cfg(test)]
mod tests;
mod usual;

use serde::{Deserialize, Serialize};

use crate::calendar::AsOf;
use crate::error::{Error, Result};
use crate::settings::{Allowed, section};

pub use against_model::TrainingFeed;
pub use closed_days::ClosedDates;
pub use feature_shift::{FeatureColumns, FeatureRows, FeatureShift, TrainingFeatures};
pub use profile::{DayProfile, FeedCounts, FeedProfile, JUDGED_DAYS, Vanished};
pub use stores::StoreDays;

section! {
    /// `[guards]`: what a feed may be like. A breach publishes nothing.
    pub struct GuardSettings {
        /// Whether the feed is judged at all
        #[setting(default = true)]
        pub enabled: bool,
        /// Days on which the store is closed although it is a weekday on which it opens: MM-DD in every
        /// year, YYYY-MM-DD, or easter
        #[setting(default = vec!["01-01".into(), "easter".into(), "12-25".into()])]
        pub closed_days: Vec<String>,
        /// Stores that have closed for good: that they send nothing is no gap
        #[setting(default = vec![])]
        pub closed_stores: Vec<String>,
        /// Most days that may lie between the last day with lines and the night, closed days apart
        #[setting(default = 0, allowed(Allowed::Between(0.0, 365.0)))]
        pub max_stale_days: u32,
        /// Most days in a row that may have no lines, and most days that may have far fewer than usual,
        /// in the last 35 days
        #[setting(default = 2, allowed(Allowed::Between(0.0, 35.0)))]
        pub max_missing_days: u32,
        /// Least lines of a day, as a share of what its weekday has had in the 8 weeks before
        #[setting(default = 0.5, allowed(Allowed::SHARE))]
        pub min_day_share: f64,
        /// The same for customers, and for products per customer, of the night's own day: fewer are a
        /// warning
        #[setting(default = 0.75, allowed(Allowed::SHARE))]
        pub warn_day_share: f64,
        /// Most customers of the night's day, or of one of the 6 days before, who usually buy in stores
        /// that sent nothing, as a share of all; where a store is mapped
        #[setting(default = 0.1, allowed(Allowed::SHARE))]
        pub max_missing_store_share: f64,
        /// Most lines of a day next to one without lines, as a multiple of the usual: more are two days
        /// on one
        #[setting(default = 1.5, allowed(Allowed::AtLeast(1.0)))]
        pub max_day_beside_gap: f64,
        /// Least lines of the last 28 days, as a share of the 56 days before
        #[setting(default = 0.75, allowed(Allowed::SHARE))]
        pub min_month_share: f64,
        /// Least products per customer and day of the last 28 days, as a share of the 56 days before
        #[setting(default = 0.85, allowed(Allowed::SHARE))]
        pub min_basket_share: f64,
        /// Most lines of a day with products, or customers of a day, that were never seen before,
        /// above the usual share
        #[setting(default = 0.3, allowed(Allowed::SHARE))]
        pub max_unseen_share: f64,
        /// Most of the products that sold well, and of the customers who came often, that may be gone
        /// for 28 days
        #[setting(default = 0.3, allowed(Allowed::SHARE))]
        pub max_vanished_share: f64,
        /// Most lines with a quantity of 0 or below, above the usual share
        #[setting(default = 0.1, allowed(Allowed::SHARE))]
        pub max_returned_share: f64,
        /// Most bad lines of the night's own day, as a share of its lines
        #[setting(default = 0.05, allowed(Allowed::SHARE))]
        pub max_bad_share_of_night: f64,
        /// Most repeated lines, above the usual share: more are a warning
        #[setting(default = 0.2, allowed(Allowed::SHARE))]
        pub max_repeated_share: f64,
        /// Most hours by which sales may have moved in the last 28 days; twice as many on a single day
        #[setting(default = 2.0, allowed(Allowed::Between(0.0, 12.0)))]
        pub max_hour_shift: f64,
        /// Most change of the number of recurrent customers since the night that was published before,
        /// as a share of it
        #[setting(default = 0.4, allowed(Allowed::AtLeast(0.0)))]
        pub max_recurrent_change: f64,
        /// Largest population stability index of a feature of the recurrent customers against the
        /// training's: more is a warning
        #[setting(default = 0.25, allowed(Allowed::AtLeast(0.0)))]
        pub max_feature_shift: f64,
        /// Most days between the model's night and this one
        #[setting(default = 120, allowed(Allowed::AtLeast(1.0)))]
        pub max_model_age_days: u32,
    }
}

impl GuardSettings {
    /// The settings themselves, if they make sense.
    ///
    /// # Errors
    /// If a value is out of its range, or a closed day is no date.
    pub fn check(self) -> Result<Self> {
        self.check_ranges("guards.")?;
        ClosedDates::parse(&self.closed_days)?;
        Ok(self)
    }
}

/// What a run should have told: kept in its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about, for machines: the guard's name, or `note` for everything else.
    pub code: String,
    /// What it is about, for people.
    pub text: String,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// What is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
}

impl Warning {
    /// A warning that no guard gave.
    #[must_use]
    pub fn note(text: &str) -> Self {
        Self {
            code: "note".to_owned(),
            text: text.to_owned(),
            value: None,
            limit: None,
        }
    }
}

/// What a guard found.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardFinding {
    /// Whether nothing may be published.
    pub is_breach: bool,
    /// What is wrong.
    pub warning: Warning,
}

impl GuardFinding {
    fn new(code: &str, value: f64, limit: f64, text: String) -> Self {
        Self {
            is_breach: true,
            warning: Warning {
                code: code.to_owned(),
                text,
                value: Some(rounded(value)),
                limit: Some(limit),
            },
        }
    }

    fn warn(code: &str, value: f64, limit: f64, text: String) -> Self {
        Self {
            is_breach: false,
            ..Self::new(code, value, limit, text)
        }
    }
}

fn rounded(value: f64) -> f64 {
    crate::stats::rounded(value, 4)
}

/// A share in percent, as messages have it.
fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The number of recurrent customers of a night that was published before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedNight {
    /// The night.
    pub as_of: AsOf,
    /// How many were recurrent, by the same rule.
    pub recurrent: usize,
}

/// What is compared with the feed besides itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct GuardContext<'a> {
    /// The night of the model that is to score.
    pub model: Option<AsOf>,
    /// The feed that it was trained on.
    pub training: Option<&'a TrainingFeed>,
    /// How far the features of the recurrent customers have shifted from the training's, the farthest
    /// first.
    pub shifts: &'a [FeatureShift],
    /// How many customers are recurrent on the night.
    pub recurrent: usize,
    /// The night that was published before.
    pub published: Option<PublishedNight>,
}

/// Everything that the guards have to say of a feed, breaches first.
///
/// # Errors
/// If a closed day is no date.
pub fn judge(
    feed: &FeedProfile,
    context: &GuardContext<'_>,
    settings: &GuardSettings,
) -> Result<Vec<GuardFinding>> {
    if !settings.enabled {
        return Ok(vec![]);
    }
    let closed = ClosedDates::parse(&settings.closed_days)?;
    let mut findings = days::findings(feed, &closed, settings);
    findings.extend(stores::finding(feed, &closed, settings));
    findings.extend(ids::findings(feed, settings));
    findings.extend(lines::findings(feed, settings));
    findings.extend(hours::findings(feed, settings));
    findings.extend(against_model::findings(feed, context, settings));
    findings.extend(feature_shift::finding(context.shifts, settings));
    findings.sort_by_key(|finding| !finding.is_breach);
    Ok(findings)
}

/// The breaches of a training's last days: days that are missing, have too little, or stand on another.
/// For a training, days without sales at the end are a gap like others, and may be as many.
///
/// # Errors
/// If a closed day is no date.
pub fn training_gaps(feed: &FeedProfile, settings: &GuardSettings) -> Result<Vec<GuardFinding>> {
    if !settings.enabled {
        return Ok(vec![]);
    }
    let closed = ClosedDates::parse(&settings.closed_days)?;
    let settings = GuardSettings {
        max_stale_days: settings.max_stale_days.max(settings.max_missing_days),
        ..settings.clone()
    };
    let mut findings = days::findings(feed, &closed, &settings);
    findings.retain(|finding| finding.is_breach);
    Ok(findings)
}

/// The guard that finds the feed to end before the night.
pub const STALE: &str = "stale";

/// All guards: their codes, and what each looks at.
pub const GUARDS: [(&str, &str); 21] = [
    (STALE, "the feed ends before the night"),
    ("missing-days", "days of the last 35 without sales"),
    (
        "two-days-on-one",
        "a day without sales beside one with those of two",
    ),
    ("low-night", "lines of the night's own day"),
    (
        "thin-night",
        "customers of the night's own day, and products for each",
    ),
    ("low-days", "lines of the other days of the last 35"),
    ("low-month", "lines of the last 28 days"),
    ("small-baskets", "products per customer of the last 28 days"),
    (
        "missing-stores",
        "customers of each store on the last days, where a store is mapped",
    ),
    (
        "unseen-products",
        "lines of a day with products that were never sold before",
    ),
    (
        "unseen-customers",
        "customers of a day who were never seen before",
    ),
    (
        "vanished-products",
        "products that sold well and no longer do",
    ),
    (
        "vanished-customers",
        "customers who came often and no longer do",
    ),
    ("returned-lines", "lines with a quantity of 0 or below"),
    ("bad-lines", "bad lines of the night's own day"),
    (
        "repeated-lines",
        "lines of the night's own day that repeat others",
    ),
    ("shifted-hours", "the hours of sales"),
    (
        "recurrent-customers",
        "recurrent customers against the last published night",
    ),
    ("old-model", "the age of the model"),
    (
        "other-feed-than-trained",
        "baskets, volume, repeats and hours against those of the training",
    ),
    (
        "shifted-features",
        "features of the recurrent customers against those of the training",
    ),
];

/// The error that ends a run after breaches; `None` if there is none. `outcome` says what that
/// means.
#[must_use]
pub fn refusal(findings: &[GuardFinding], outcome: &str) -> Option<Error> {
    let breaches: Vec<String> = findings
        .iter()
        .filter(|finding| finding.is_breach)
        .map(|finding| format!("\n  {}: {}", finding.warning.code, finding.warning.text))
        .collect();
    let guards = match breaches.len() {
        0 => return None,
        1 => "a breach of the guards".to_owned(),
        count => format!("{count} breaches of the guards"),
    };
    Some(
        Error::guard(format!("{guards}: {outcome}{}", breaches.concat()))
            .hint("look at the feed, and run again when it is mended. If it is right, `okuo score --force` publishes all the same and keeps a record of it; the limits stand under [guards] in okuo.toml"),
    )
}
