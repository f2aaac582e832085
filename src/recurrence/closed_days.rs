//! Days on which the store was closed, told from its own sales.

use crate::calendar::{DateRange, Day};
use crate::purchases::History;

/// A day counts as open or closed by the days before it: at least so many that had a purchase.
const LEAST_DAYS_BEFORE: usize = 7;
/// And by at most so many.
const DAYS_BEFORE: usize = 14;
/// A day without a purchase is closed where the days before it had this many on average: on an
/// open day, all of them would hardly stay away by chance.
const LEAST_PURCHASES: f64 = 20.0;
/// A weekday is closed where it was on each of the last so many weeks.
const WEEKS: i32 = 6;

/// How many purchases the store had on each day, from the first one on.
#[derive(Debug, Clone, Default)]
pub(super) struct PurchasesByDay {
    first: Option<Day>,
    counts: Vec<u64>,
}

impl PurchasesByDay {
    /// Adds the purchases of a partition.
    pub(super) fn add(&mut self, history: &History<'_>) {
        let Some(span) = history.span() else { return };
        let first = self.make_room(span);
        for customer in 0..history.customer_count() {
            for day in history.purchases_of(customer).days() {
                self.counts[(*day - first) as usize] += 1;
            }
        }
    }

    /// Makes room for days; returns the first of all.
    fn make_room(&mut self, span: DateRange) -> Day {
        let before = self.first.unwrap_or(span.first);
        let first = before.min(span.first);
        let earlier = (before - first) as usize;
        self.counts.splice(0..0, std::iter::repeat_n(0, earlier));
        let days = (span.last - first) as usize + 1;
        self.counts.resize(self.counts.len().max(days), 0);
        self.first = Some(first);
        first
    }

    /// The closed ones among the days from the first to the last purchase.
    pub(super) fn closed_days(&self) -> ClosedDays {
        let Some(first) = self.first else {
            return ClosedDays::NONE;
        };
        let (mut closed, mut open) = (vec![], vec![]);
        for (day, purchases) in (first.epoch()..).map(Day::from_epoch).zip(&self.counts) {
            if *purchases > 0 {
                open.push(*purchases);
                continue;
            }
            let latest = &open[open.len().saturating_sub(DAYS_BEFORE)..];
            let mean = latest.iter().sum::<u64>() as f64 / latest.len().max(1) as f64;
            if latest.len() >= LEAST_DAYS_BEFORE && mean >= LEAST_PURCHASES {
                closed.push(day);
            }
        }
        ClosedDays(closed)
    }
}

/// The days on which a store was closed amid its history. On such a day nobody could come: it says
/// nothing of the customers.
#[derive(Debug, Clone)]
pub struct ClosedDays(Vec<Day>);

impl ClosedDays {
    /// None.
    pub const NONE: Self = Self(vec![]);

    /// Given days, ascending.
    #[cfg(test)]
    pub(crate) fn on(days: Vec<Day>) -> Self {
        Self(days)
    }

    /// Whether the store was closed on a day.
    #[must_use]
    pub fn contains(&self, day: Day) -> bool {
        self.0.binary_search(&day).is_ok()
    }

    /// The weekdays, from Monday on, on which the store was closed in each of the last six weeks up to
    /// a day.
    #[must_use]
    pub fn weekdays(&self, until: Day) -> [bool; 7] {
        let mut weekdays = [true; 7];
        for day in (0..7 * WEEKS).map(|ago| until - ago) {
            weekdays[day.weekday()] &= self.contains(day);
        }
        weekdays
    }
}
