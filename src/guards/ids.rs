//! Customers and products that were never seen before, and those that are gone.

use super::profile::{DayProfile, FeedProfile, JUDGED_DAYS, LATELY, Vanished};
use super::usual::{FEWEST_CUSTOMERS, FEWEST_LINES};
use super::{GuardFinding, GuardSettings, percent};
use crate::stats;

/// A history shorter than these days before a day does not know most ids yet.
const KNOWN_DAYS: usize = 56;

/// So many days tell which share of unseen ids is usual.
const USUAL_DAYS: usize = 56;

/// Of fewer ids nothing can be told.
const FEWEST_IDS: u64 = 20;

pub(super) fn findings(feed: &FeedProfile, settings: &GuardSettings) -> Vec<GuardFinding> {
    let products = unseen(feed, settings, &UNSEEN_PRODUCTS);
    let customers = unseen(feed, settings, &UNSEEN_CUSTOMERS);
    let gone_products = vanished(feed.products, settings, &GONE_PRODUCTS);
    let gone_customers = vanished(feed.customers, settings, &GONE_CUSTOMERS);
    [products, customers, gone_products, gone_customers]
        .into_iter()
        .flatten()
        .collect()
}

/// Which ids are looked for.
struct Unseen {
    code: &'static str,
    what: &'static str,
    unseen: fn(&DayProfile) -> u64,
    all: fn(&DayProfile) -> u64,
    least: f64,
}

const UNSEEN_PRODUCTS: Unseen = Unseen {
    code: "unseen-products",
    what: "lines have a product that was never sold before",
    unseen: |day| day.unseen_lines,
    all: |day| day.lines,
    least: FEWEST_LINES,
};

const UNSEEN_CUSTOMERS: Unseen = Unseen {
    code: "unseen-customers",
    what: "customers were never seen before",
    unseen: |day| day.new_customers,
    all: |day| day.customers,
    least: FEWEST_CUSTOMERS,
};

impl Unseen {
    fn share(&self, day: &DayProfile) -> Option<f64> {
        let all = (self.all)(day) as f64;
        (all >= self.least).then(|| (self.unseen)(day) as f64 / all)
    }
}

/// The day with the largest share of unseen ids, if that is too large.
fn unseen(feed: &FeedProfile, settings: &GuardSettings, ids: &Unseen) -> Option<GuardFinding> {
    let judged = JUDGED_DAYS.min(feed.days.len().saturating_sub(KNOWN_DAYS));
    let share = |ago: usize| ids.share(feed.days.get(ago)?);
    let earlier: Vec<f64> = (judged..judged + USUAL_DAYS).filter_map(share).collect();
    let usual = stats::median(earlier).unwrap_or_default();
    let (ago, most) = (0..judged)
        .filter_map(|ago| Some((ago, share(ago)?)))
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    let limit = settings.max_unseen_share;
    (most - usual > limit).then(|| {
        GuardFinding::new(
            ids.code,
            most - usual,
            limit,
            format!(
                "on {}, {} of the {}, {} being usual: at most {} more are allowed (max_unseen_share). Are the ids of another scheme?",
                feed.day(ago), percent(most), ids.what, percent(usual), percent(limit)
            ),
        )
    })
}

/// Which ids are missed.
struct Gone {
    code: &'static str,
    what: &'static str,
    finding: fn(&str, f64, f64, String) -> GuardFinding,
}

/// Ten sales may be of one day: products come and go, so that these only warn.
const GONE_PRODUCTS: Gone = Gone {
    code: "vanished-products",
    what: "products that sold at least 10 times",
    finding: GuardFinding::warn,
};

const GONE_CUSTOMERS: Gone = Gone {
    code: "vanished-customers",
    what: "customers who came on at least 5 days",
    finding: GuardFinding::new,
};

/// The share of ids that are gone, if it is too large.
fn vanished(counts: Vanished, settings: &GuardSettings, ids: &Gone) -> Option<GuardFinding> {
    let share = counts.gone as f64 / counts.known.max(1) as f64;
    let limit = settings.max_vanished_share;
    (counts.known >= FEWEST_IDS && share > limit).then(|| {
        (ids.finding)(
            ids.code,
            share,
            limit,
            format!(
                "of the {} {} in the 56 days before, {} are not seen in the last {LATELY} days: {}, with at most {} allowed (max_vanished_share)",
                counts.known, ids.what, counts.gone, percent(share), percent(limit)
            ),
        )
    })
}
