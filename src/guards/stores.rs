//! Stores of a chain that stop sending, while the others make up for it in the total.

use super::closed_days::ClosedDates;
use super::profile::{DayProfile, FeedProfile, LOOKED_AT_DAYS, Vanished};
use super::usual::{FEWEST_CUSTOMERS, Metric, Spreads, deviation, is_open_on, usual};
use super::{GuardFinding, GuardSettings, percent};
use crate::calendar::{AsOf, Day};
use crate::domain::words::first_quoted;
use crate::purchases::Facts;
use crate::visible::visible_line;

/// So many days up to the night are judged.
const JUDGED_DAYS: usize = 7;

/// A day with fewer customers than usual is no chance from so many deviations on.
const FAR_OFF: f64 = 4.0;

/// So many stores are named.
const NAMED: usize = 5;

/// How many customers a store had on each day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreDays {
    /// The store.
    pub store: String,
    /// Customers by how many days ago, the night first.
    pub customers: Vec<u64>,
}

impl StoreDays {
    /// All stores up to a night, where lines say them.
    #[must_use]
    pub fn of_all(facts: &Facts, night: AsOf) -> Vec<Self> {
        let mut stores: Vec<Self> = facts
            .store_ids()
            .map(|id| Self {
                store: id.to_string(),
                customers: vec![0; LOOKED_AT_DAYS],
            })
            .collect();
        for (day, store) in facts.store_visits() {
            let ago = usize::try_from(night.day() - day);
            let days = stores.get_mut(store as usize);
            if let (Ok(ago), Some(days)) = (ago, days)
                && let Some(customers) = days.customers.get_mut(ago)
            {
                *customers += 1;
            }
        }
        stores
    }

    /// The store as a feed of its own, over the days that the whole feed has.
    fn as_feed(&self, night: Day, days: usize) -> FeedProfile {
        let counts = self.customers.iter().take(days);
        let days = counts.map(|customers| DayProfile {
            lines: *customers,
            customers: *customers,
            ..DayProfile::default()
        });
        FeedProfile {
            night,
            days: days.collect(),
            products: Vanished::default(),
            customers: Vanished::default(),
            hours: None,
            stores: vec![],
        }
    }
}

/// The stores that are missing on one day.
#[derive(Debug, Clone)]
struct MissingStores<'a> {
    day: Day,
    stores: Vec<&'a str>,
    /// What share of the customers is usually theirs.
    share: f64,
}

pub(super) fn finding(
    feed: &FeedProfile,
    closed: &ClosedDates,
    settings: &GuardSettings,
) -> Option<GuardFinding> {
    let known = feed
        .stores
        .iter()
        .filter(|store| !settings.closed_stores.contains(&store.store));
    let stores: Vec<(&str, FeedProfile, Spreads)> = known
        .map(|store| {
            let days = store.as_feed(feed.night, feed.days.len());
            let spreads = Spreads::of(&days);
            (store.store.as_str(), days, spreads)
        })
        .collect();
    let judged = (0..JUDGED_DAYS.min(feed.days.len())).filter(|ago| {
        let has_lines = feed.days.get(*ago).is_some_and(|day| day.lines > 0);
        has_lines && !closed.contain(feed.day(*ago))
    });
    let missing: Vec<MissingStores<'_>> = judged
        .filter_map(|ago| missing_on(feed.day(ago), ago, &stores, settings))
        .collect();
    let most = missing
        .iter()
        .max_by(|one, other| one.share.total_cmp(&other.share))?;
    let limit = settings.max_missing_store_share;
    let text = format!(
        "{}. Usually {} of the customers buy there, and {} may be missing (max_missing_store_share). If a store has closed, add it to closed_stores",
        missing
            .iter()
            .map(MissingStores::text)
            .collect::<Vec<_>>()
            .join("; "),
        percent(most.share),
        percent(limit)
    );
    let finding = GuardFinding::new("missing-stores", most.share, limit, text);
    Some(GuardFinding {
        is_breach: most.share > limit,
        ..finding
    })
}

impl MissingStores<'_> {
    fn text(&self) -> String {
        let names: Vec<_> = self
            .stores
            .iter()
            .map(|store| visible_line(store))
            .collect();
        let what = match self.stores.len() {
            1 => "the store",
            _ => "the stores",
        };
        format!(
            "on {}, {what} {} sent nothing, or far less than usual",
            self.day,
            first_quoted(&names, NAMED)
        )
    }
}

/// The stores that usually have customers on a weekday, and on this one had none or far fewer.
fn missing_on<'a>(
    day: Day,
    ago: usize,
    stores: &[(&'a str, FeedProfile, Spreads)],
    settings: &GuardSettings,
) -> Option<MissingStores<'a>> {
    let (mut missing, mut of_missing, mut of_all) = (vec![], 0.0, 0.0);
    for (name, feed, spreads) in stores {
        let Some(usually) = usual(feed, ago, Metric::Customers).filter(|_| is_open_on(feed, ago))
        else {
            continue;
        };
        of_all += usually;
        let is_far_below = deviation(feed, spreads, ago, Metric::Customers)
            .is_some_and(|day| day.share < settings.min_day_share && day.deviations < -FAR_OFF);
        if usually >= FEWEST_CUSTOMERS && is_far_below {
            missing.push(*name);
            of_missing += usually;
        }
    }
    (!missing.is_empty()).then(|| MissingStores {
        day,
        stores: missing,
        share: of_missing / of_all,
    })
}
