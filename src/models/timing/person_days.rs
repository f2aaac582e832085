//! Person-days: every day of every customer, and whether the next day has a purchase.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::TimingParameters;
use crate::calendar::{AsOf, DateRange, Day, HORIZON_DAYS};
use crate::error::{Error, Result};
use crate::features::MISSING;
use crate::features::timing::{TIMING_COLUMNS, TIMING_WIDTH, TimingFeatures};
use crate::models::strata::{Strata, Stratum};
use crate::purchases::{History, PartitionedHistory};
use crate::recurrence::{ClosedDays, Rule};
use crate::sampling::Draw;

/// So many days after the latest purchase, a day of a customer whom a run scores by a rule of 30 days
/// is out of reach of the horizon.
const LEAST_LONG_GONE: i32 = 58;
/// Of the person-days of customers who are long gone, one of so many is a row and weighs as much as
/// all of them: hardly anything changes from one of these days to the next. No multiple of a week.
const LONG_GONE_STEP: i32 = 3;
/// Person-days that long after the latest purchase are of customers who will not come again, unless
/// the rule keeps them.
const MAX_ELAPSED: i32 = 240;

/// After how many days since the latest purchase a customer is *long gone*: a run's own customers do
/// not stay away for longer until the horizon ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LongGoneAfter(i32);

impl LongGoneAfter {
    /// Of a rule of 30 days or fewer, and of all models of former format versions.
    pub(super) const LEAST: Self = Self(LEAST_LONG_GONE);

    /// Whom the rule keeps has bought within its period.
    pub(super) fn of(rule: &Rule) -> Self {
        let period = i32::try_from(rule.period_days).unwrap_or(i32::MAX);
        Self(period.saturating_add(HORIZON_DAYS).max(LEAST_LONG_GONE))
    }

    /// Whether a customer is long gone so many days after the latest purchase.
    pub(super) fn is_reached(self, elapsed: i32) -> bool {
        elapsed > self.0
    }

    pub(super) fn is_consistent(self) -> bool {
        self.0 >= LEAST_LONG_GONE
    }
}

/// One (customer, eve) that a model may be fitted on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PersonDay {
    pub(super) customer: u32,
    /// The day before the one that is looked at.
    pub(super) eve: Day,
    /// The next purchase, if it is known by now.
    pub(super) next: Option<Day>,
    /// Whether the latest purchase is longer ago than a run's own customers ever stay away.
    pub(super) is_long_gone: bool,
}

impl PersonDay {
    /// How many person-days the row stands for.
    pub(super) fn weight(&self) -> f32 {
        if self.is_long_gone {
            LONG_GONE_STEP as f32
        } else {
            1.0
        }
    }

    /// Whether there is a purchase on the day after the eve.
    pub(super) fn bought(&self) -> bool {
        self.next == Some(self.eve + 1)
    }

    /// Days from the eve to the next purchase, at most the horizon: a customer who has not returned
    /// by then is censored there.
    pub(super) fn censored_days(&self) -> i32 {
        self.next
            .map_or(HORIZON_DAYS, |day| day - self.eve)
            .min(HORIZON_DAYS)
    }
}

/// A person-day with its features.
#[derive(Debug, Clone, Copy)]
pub(super) struct PersonDayRow {
    pub(super) person_day: PersonDay,
    pub(super) features: [f32; TIMING_WIDTH],
}

/// Features that grow with every day of the calendar. Where the history is young, nearly all
/// customers seem to have come first at its beginning, and the trees would learn the date.
const CALENDAR_COLUMNS: [usize; 3] = [
    TIMING_COLUMNS.span,
    TIMING_COLUMNS.purchases,
    TIMING_COLUMNS.purchases_long,
];

/// Whose person-days are sampled, and how many.
pub(super) struct PersonDaySampler<'a> {
    /// The last night that the model may know.
    pub(super) end: AsOf,
    /// The first day of the history.
    pub(super) first: Day,
    /// Whether the history is too short to tell a customer's habits from the calendar.
    pub(super) is_young: bool,
    /// Says who belongs to the target stratum.
    pub(super) rule: &'a Rule,
    pub(super) long_gone: LongGoneAfter,
    /// Days on which nobody could come: no customer has a row for them.
    pub(super) left_out: ClosedDays,
    pub(super) closed_weekdays: [bool; 7],
    pub(super) parameters: &'a TimingParameters,
    pub(super) seed: u64,
}

/// A sample of the person-days of a history, in two walks over its partitions: one that counts, and
/// then one that draws.
pub struct PersonDaySample<'a> {
    sampler: PersonDaySampler<'a>,
    counts: Strata<usize>,
    rows: Vec<PersonDayRow>,
}

impl<'a> PersonDaySample<'a> {
    /// Of the days of a history but those that are `closed` and say nothing. `rule` says whose days
    /// count first.
    /// Features that stand for the calendar are left out where the history `is_young`.
    #[must_use]
    pub fn new(
        days: DateRange,
        is_young: bool,
        rule: &'a Rule,
        closed: &ClosedDays,
        parameters: &'a TimingParameters,
        seed: u64,
    ) -> Self {
        Self {
            sampler: PersonDaySampler {
                end: AsOf(days.last),
                first: days.first,
                is_young,
                rule,
                long_gone: LongGoneAfter::of(rule),
                left_out: closed.without_partly_closed_weekdays(days.last),
                closed_weekdays: closed.weekdays(days.last),
                parameters,
                seed,
            },
            counts: Strata::default(),
            rows: vec![],
        }
    }

    /// Counts the person-days of a partition. All are counted before the first is drawn from.
    pub fn count(&mut self, partition: &History<'_>) {
        self.counts = self.counts.merge(self.sampler.count(partition));
    }

    /// Draws from the person-days of a partition.
    pub fn draw(&mut self, partition: &History<'_>) {
        let shares = self.sampler.shares(self.counts);
        let drawn = self.sampler.draw(partition, shares);
        // Rows are large: neither a copy of them, nor room for more than there will be.
        let expected = self.sampler.expected(self.counts, shares);
        if self.rows.is_empty() {
            if 2 * drawn.len() > expected {
                self.rows = drawn;
                return;
            }
            self.rows.reserve_exact(expected);
        }
        self.rows.extend(drawn);
    }

    /// Counts and draws in two walks of their own.
    ///
    /// # Errors
    /// If a part of the history cannot be brought back.
    pub fn walk(mut self, history: PartitionedHistory<'_>) -> Result<Self> {
        history.each(|partition| {
            self.count(partition);
            Ok(())
        })?;
        self.drawn(history)
    }

    /// Draws in a walk of its own, after the counting.
    ///
    /// # Errors
    /// If a part of the history cannot be brought back.
    pub fn drawn(mut self, history: PartitionedHistory<'_>) -> Result<Self> {
        history.each(|partition| {
            self.draw(partition);
            Ok(())
        })?;
        Ok(self)
    }

    /// The last night that the sample knows.
    pub(super) fn end(&self) -> AsOf {
        self.sampler.end
    }

    pub(super) fn is_young(&self) -> bool {
        self.sampler.is_young
    }

    pub(super) fn long_gone(&self) -> LongGoneAfter {
        self.sampler.long_gone
    }

    /// The weekdays on which the store is always closed.
    pub(super) fn closed_weekdays(&self) -> [bool; 7] {
        self.sampler.closed_weekdays
    }

    /// The first eve whose rows the hazards learn from. In a young history most customers' first days
    /// are not their first: what is seen on the eves before the rule's whole window has passed is
    /// cut off, and says nothing of those that come. In a longer one few are, and all count.
    pub(super) fn first_eve(&self) -> Day {
        if self.sampler.is_young {
            self.sampler.first + (self.sampler.rule.window_days() - 1)
        } else {
            self.sampler.first
        }
    }

    pub(super) fn parameters(&self) -> &'a TimingParameters {
        self.sampler.parameters
    }

    pub(super) fn seed(&self) -> u64 {
        self.sampler.seed
    }

    /// The person-days that were drawn with their features, by customer and then by eve.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn finish(mut self) -> Result<Vec<PersonDayRow>> {
        if self.rows.is_empty() {
            return Err(Error::input(format!(
                "no customer has {} purchases within the days to learn from, which end on {}",
                self.sampler.least_purchases(),
                self.sampler.end
            ))
            .hint("check that --customer names the column of the customer, not of the ticket"));
        }
        self.rows
            .par_sort_unstable_by_key(|row| (row.person_day.customer, row.person_day.eve));
        Ok(self.rows)
    }
}

impl PersonDaySampler<'_> {
    /// How many person-days there are of each stratum.
    fn count(&self, partition: &History<'_>) -> Strata<usize> {
        let history = partition.until(self.end);
        (0..history.customer_count())
            .into_par_iter()
            .map(|customer| self.count_of(&history, customer))
            .reduce(Strata::default, Strata::merge)
    }

    /// Fewest purchases before an eve.
    fn least_purchases(&self) -> usize {
        self.rule.least_purchases(self.parameters.min_purchases)
    }

    /// The share of each stratum that is sampled.
    fn shares(&self, counts: Strata<usize>) -> Strata<f64> {
        counts.to_f64().sampling_shares(
            self.parameters.max_training_rows as f64,
            self.parameters.background_share,
        )
    }

    /// About how many person-days are drawn, and rather more than fewer.
    fn expected(&self, counts: Strata<usize>, shares: Strata<f64>) -> usize {
        let counts = counts.to_f64();
        let target = counts.target * shares.target.min(1.0);
        let background = counts.background * shares.background.min(1.0);
        (1.02 * (target + background)) as usize
    }

    fn draw(&self, partition: &History<'_>, shares: Strata<f64>) -> Vec<PersonDayRow> {
        let history = partition.until(self.end);
        (0..history.customer_count())
            .into_par_iter()
            .flat_map_iter(|customer| self.sample_of(&history, customer, shares))
            .collect()
    }

    fn count_of(&self, history: &History<'_>, customer: u32) -> Strata<usize> {
        let mut counts = Strata::default();
        self.each_of(history, customer, |_, stratum| counts[stratum] += 1);
        counts
    }

    fn sample_of(
        &self,
        history: &History<'_>,
        customer: u32,
        shares: Strata<f64>,
    ) -> Vec<PersonDayRow> {
        let mut rows = vec![];
        let key = history.customers().key(customer);
        let purchases = history.purchases_of(customer);
        // One pass over a customer's purchases for all eves.
        let mut features = TimingFeatures::default();
        self.each_of(history, customer, |person_day, stratum| {
            let names = [key, person_day.eve.epoch() as u64];
            if Draw::PersonDays.keeps(self.seed, &names, shares[stratum]) {
                let mut features = features.on(&purchases, person_day.eve);
                if self.is_young {
                    for column in CALENDAR_COLUMNS {
                        features[column] = MISSING;
                    }
                }
                rows.push(PersonDayRow {
                    person_day,
                    features,
                });
            }
        });
        rows
    }

    /// Calls `visit` with each person-day of a customer and its stratum.
    fn each_of(
        &self,
        history: &History<'_>,
        customer: u32,
        mut visit: impl FnMut(PersonDay, Stratum),
    ) {
        let end = history.as_of().day();
        let purchases = history.purchases_of(customer);
        let days = purchases.days();
        if days.is_empty() {
            return;
        }
        let least = self.least_purchases();
        // Whether the rule is nearly met hardly changes within a week.
        let mut of_week = (0, Stratum::Background);
        let first = AsOf(end - 1).first_of(self.parameters.days).max(days[0]);
        for eve in (first.epoch()..end.epoch()).map(Day::from_epoch) {
            let known = days.partition_point(|day| *day <= eve);
            if known < least || self.left_out.contains(eve + 1) {
                continue;
            }
            let elapsed = eve - days[known - 1];
            let is_long_gone = self.long_gone.is_reached(elapsed);
            if is_long_gone && (elapsed > MAX_ELAPSED || elapsed % LONG_GONE_STEP != 0) {
                continue;
            }
            let week = (end - eve) / 7 + 1;
            if of_week.0 != week {
                of_week = (week, Stratum::on(self.rule, &purchases, eve));
            }
            let next = days.get(known).copied();
            let person_day = PersonDay {
                customer,
                eve,
                next,
                is_long_gone,
            };
            visit(person_day, of_week.1);
        }
    }
}
