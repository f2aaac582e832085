//! Days on which the store was closed, told from its own sales.

use crate::calendar::{DateRange, Day};
use crate::purchases::History;

/// A day without a sale can be told from a closed one where so many days before it had sales.
const LEAST_DAYS_BEFORE: usize = 7;
/// At most so many of these days, the latest, are looked at.
const DAYS_BEFORE: usize = 14;
/// The day is closed where they had at least this many purchases of known customers on average: on an
/// open day, all of those customers would hardly stay away by chance.
const LEAST_PURCHASES: f64 = 20.0;
/// A weekday is closed where it was on each of the last so many weeks in which the store was open.
const WEEKS: usize = 6;
/// A weekday that is not is *partly* closed where it was on a few of the last so many of these weeks.
const WEEKS_OF_PARTLY_CLOSED: usize = 12;
/// So many are a few: holidays alone are fewer.
const LEAST_CLOSED: usize = 3;

/// What the store sold on each day, from the first sale on.
#[derive(Debug, Clone, Default)]
pub struct SalesByDay {
    first: Option<Day>,
    days: Vec<DaySales>,
}

/// What the store sold on one day.
#[derive(Debug, Clone, Copy, Default)]
struct DaySales {
    /// Purchases of known customers.
    purchases: u64,
    /// Whether anything was sold without a customer.
    has_anonymous: bool,
}

impl DaySales {
    fn is_open(self) -> bool {
        self.purchases > 0 || self.has_anonymous
    }
}

impl SalesByDay {
    /// Adds the sales of a partition, those without a customer too.
    pub fn add(&mut self, history: &History<'_>) {
        let anonymous = history.anonymous_sales();
        let anonymous_span = anonymous
            .first()
            .zip(anonymous.last())
            .map(|(first, last)| DateRange {
                first: first.day,
                last: last.day,
            });
        let Some(span) = DateRange::union(history.span(), anonymous_span) else {
            return;
        };
        let first = self.make_room(span);
        for customer in 0..history.customer_count() {
            for day in history.purchases_of(customer).days() {
                self.days[(*day - first) as usize].purchases += 1;
            }
        }
        for sale in anonymous {
            self.days[(sale.day - first) as usize].has_anonymous |= sale.lines > 0;
        }
    }

    /// Makes room for days; returns the first of all.
    fn make_room(&mut self, span: DateRange) -> Day {
        let before = self.first.unwrap_or(span.first);
        let first = before.min(span.first);
        let earlier = (before - first) as usize;
        let none = DaySales::default();
        self.days.splice(0..0, std::iter::repeat_n(none, earlier));
        let days = (span.last - first) as usize + 1;
        self.days.resize(self.days.len().max(days), none);
        self.first = Some(first);
        first
    }

    /// The closed ones among the days from the first to the last sale.
    #[must_use]
    pub fn closed_days(&self) -> ClosedDays {
        let Some(first) = self.first else {
            return ClosedDays::NONE;
        };
        let (mut closed, mut open) = (vec![], vec![]);
        for (day, sales) in (first.epoch()..).map(Day::from_epoch).zip(&self.days) {
            if sales.is_open() {
                open.push(sales.purchases);
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

/// The days on which a store was closed amid its history. Nobody could come on them.
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
    /// a day. Weeks without an open day do not count: a gap says nothing of weekdays.
    #[must_use]
    pub fn weekdays(&self, until: Day) -> [bool; 7] {
        self.closed_weeks(until, WEEKS)
            .map(|closed| closed == WEEKS)
    }

    /// The closed days that say nothing of the customers, to a model that learns up to a day: all but
    /// those of weekdays that are now closed and now open. On these, whether the store opens is a
    /// part of whether customers come.
    #[must_use]
    pub fn without_partly_closed_weekdays(&self, until: Day) -> Self {
        let always = self.weekdays(until);
        let closed = self.closed_weeks(until, WEEKS_OF_PARTLY_CLOSED);
        let says_nothing = |day: &Day| {
            let weekday = day.weekday();
            let is_partly = closed[weekday] >= LEAST_CLOSED && !always[weekday];
            !is_partly || !self.has_open_day(*day)
        };
        Self(self.0.iter().copied().filter(says_nothing).collect())
    }

    /// On how many of the last `weeks` weeks that had an open day each weekday was closed.
    fn closed_weeks(&self, until: Day, weeks: usize) -> [usize; 7] {
        let mut closed = [0; 7];
        let last_days = (0..).map(|ago| until - 7 * ago);
        for last in last_days.filter(|day| self.has_open_day(*day)).take(weeks) {
            for day in (0..7).map(|ago| last - ago) {
                closed[day.weekday()] += usize::from(self.contains(day));
            }
        }
        closed
    }

    /// Whether the store was open within the seven days up to one.
    fn has_open_day(&self, last: Day) -> bool {
        (0..7).any(|ago| !self.contains(last - ago))
    }
}
