//! What an input tells of the form of its times: of all values that could be read in several ways,
//! which ways can read them.
//!
//! Values are counted by the set of orders that can read them. Only an order that can read every one
//! is taken. Years of two digits need one thing more: `24` could be a day, so that a store's days of
//! a few years could also be read as days in dozens of years. An order is left out if it makes more
//! than [`MANY_YEARS`] of them where another makes few.

use std::fmt;

use serde::Serialize;

use super::order::{DateOrder, DateOrders, UncertainDate};
use super::rules::{DecidedForms, TimeRules};
use super::time_of_day::NumberedTime;
use crate::error::Error;
use crate::ingest::InputOptions;
use crate::ingest::rejects::RejectedLine;
use crate::ingest::report::thousands;

/// More years of two digits than these are days.
const MANY_YEARS: u32 = 15;

/// As many dates are no accident.
const ENOUGH: u64 = 10;

/// What the values tell that could be read in several ways. The evidence of parts of an input is
/// merged in their order.
#[derive(Debug, Clone, Default)]
pub(in crate::ingest) struct TimeEvidence {
    /// By set of orders.
    dates: [DatesOfOrders; DateOrders::SETS],
    /// Years of two digits: bit n for the year n, at the beginning and at the end.
    years_at_beginning: u128,
    years_at_end: u128,
    /// Times of day that are numbers below 24, and above: those are hours and minutes.
    numbered_times: u64,
    hours_and_minutes: u64,
}

/// The values that the same orders can read.
#[derive(Debug, Clone, Default)]
struct DatesOfOrders {
    values: u64,
    first: Option<Box<RejectedLine>>,
}

/// What was decided of dates whose order was not certain, as reports and manifests keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateDecision {
    /// The order in which they were read.
    pub order: DateOrder,
    /// The orders that could not read all of them, and how many they could not read, with an
    /// example; or in how many years they would fall.
    pub against: Vec<OrderRuledOut>,
    /// How many values could be read in other orders, too.
    pub either: u64,
}

/// Why dates are not in an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrderRuledOut {
    /// The order.
    pub order: DateOrder,
    /// How many values it cannot read.
    pub unreadable: u64,
    /// One of them.
    pub example: Option<String>,
    /// Into how many years of two digits the dates would fall.
    pub years: u32,
}

impl TimeEvidence {
    /// Counts a date.
    pub(in crate::ingest) fn count(&mut self, date: UncertainDate) {
        if let Some(dates) = self.dates.get_mut(date.orders().position()) {
            dates.values += 1;
        }
        if let Some(number) = date.numbered_time() {
            self.count_numbered_time(number);
        }
        if let Some((beginning, end)) = date.short_years() {
            self.years_at_beginning |= 1_u128.checked_shl(beginning.into()).unwrap_or(0);
            self.years_at_end |= 1_u128.checked_shl(end.into()).unwrap_or(0);
        }
    }

    /// Counts a time of day that is a whole number.
    pub(in crate::ingest) fn count_numbered_time(&mut self, number: u16) {
        if NumberedTime::is_certain(number) {
            self.hours_and_minutes += 1;
        } else {
            self.numbered_times += 1;
        }
    }

    /// Whether the place of a date is wanted: the first of those that the same orders can read.
    pub(in crate::ingest) fn wants_example(&self, date: UncertainDate) -> bool {
        let dates = self.dates.get(date.orders().position());
        dates.is_some_and(|dates| dates.first.is_none())
    }

    /// Keeps the place of a date.
    pub(in crate::ingest) fn keep_example(&mut self, date: UncertainDate, line: RejectedLine) {
        if let Some(dates) = self.dates.get_mut(date.orders().position()) {
            dates.first = Some(Box::new(line));
        }
    }

    /// Adds the evidence of the part that follows.
    pub(in crate::ingest) fn merge(&mut self, other: Self) {
        for (dates, others) in self.dates.iter_mut().zip(other.dates) {
            dates.values += others.values;
            if dates.first.is_none() {
                dates.first = others.first;
            }
        }
        self.years_at_beginning |= other.years_at_beginning;
        self.years_at_end |= other.years_at_end;
        self.numbered_times += other.numbered_times;
        self.hours_and_minutes += other.hours_and_minutes;
    }

    /// How many dates could be read in several orders, or in one that is not the usual one.
    pub(in crate::ingest) fn uncertain_dates(&self) -> u64 {
        self.dates.iter().map(|dates| dates.values).sum()
    }

    fn sets(&self) -> impl Iterator<Item = (DateOrders, &DatesOfOrders)> {
        let sets = self.dates.iter().enumerate();
        sets.filter(|(_, dates)| dates.values > 0)
            .map(|(position, dates)| (DateOrders::at(position), dates))
    }

    /// Whether there are many dates, and each can be read in one order only.
    pub(in crate::ingest) fn is_of_one_order(&self) -> bool {
        self.uncertain_dates() >= ENOUGH && self.sets().all(|(orders, _)| orders.list().len() == 1)
    }

    /// The place of a date.
    pub(in crate::ingest) fn first(&self) -> Option<&RejectedLine> {
        self.sets().find_map(|(_, dates)| dates.first.as_deref())
    }

    /// The orders that can read all dates.
    fn possible(&self) -> DateOrders {
        self.sets()
            .fold(DateOrders::ALL, |all, (orders, _)| all.common(orders))
    }

    /// In how many different years of two digits an order reads the dates.
    fn years_in(&self, order: DateOrder) -> u32 {
        match order {
            DateOrder::YearFirst => self.years_at_beginning.count_ones(),
            DateOrder::DayFirst | DateOrder::MonthFirst => self.years_at_end.count_ones(),
        }
    }

    /// The orders that can read all dates, without those that make too many years of them.
    fn plausible(&self) -> DateOrders {
        let possible = self.possible();
        let few = DateOrders::where_each(|order| {
            possible.has(order) && self.years_in(order) <= MANY_YEARS
        });
        if few.list().is_empty() { possible } else { few }
    }

    /// What the evidence decides; `None` if there is nothing to decide.
    ///
    /// # Errors
    /// If no order can read all dates, or several can.
    pub(in crate::ingest) fn decide(
        &self,
        options: &InputOptions,
    ) -> Result<Option<DecidedForms>, Error> {
        let rules = TimeRules::new(options);
        let dates = match rules.order() {
            Some(_) => None,
            None => self.dates()?,
        };
        let clock = options.clock;
        let needs_hours = clock.utc() || clock.day_start() > 0;
        let numbered_time = match rules.numbered_time() {
            None if needs_hours => self.numbered_time(),
            _ => None,
        };
        let is_any = dates.is_some() || numbered_time.is_some();
        Ok(is_any.then_some(DecidedForms {
            dates,
            numbered_time,
        }))
    }

    /// The order that the dates are in; `None` if there are none.
    fn dates(&self) -> Result<Option<DateDecision>, Error> {
        if self.uncertain_dates() == 0 {
            return Ok(None);
        }
        match *self.plausible().list() {
            [order] => Ok(Some(self.decision(order))),
            [] => Err(self.contradiction()),
            ref several => Err(self.undecided(several)),
        }
    }

    fn decision(&self, order: DateOrder) -> DateDecision {
        let others = DateOrder::ALL.into_iter().filter(|other| *other != order);
        let only = self.sets().filter(|(orders, _)| *orders.list() == [order]);
        let only: u64 = only.map(|(_, dates)| dates.values).sum();
        DateDecision {
            order,
            against: others.map(|other| self.against(other)).collect(),
            either: self.uncertain_dates() - only,
        }
    }

    fn against(&self, order: DateOrder) -> OrderRuledOut {
        let mut unreadable = 0;
        let mut example = None;
        for (orders, dates) in self.sets() {
            if !orders.has(order) {
                unreadable += dates.values;
                example = example.or(dates.first.as_ref().map(|line| line.value.to_string()));
            }
        }
        OrderRuledOut {
            order,
            unreadable,
            example,
            years: self.years_in(order),
        }
    }

    /// What numbers of one or two digits are, in a column of times of day.
    pub(in crate::ingest) fn numbered_time(&self) -> Option<NumberedTime> {
        match (self.numbered_times, self.hours_and_minutes) {
            (0, _) => None,
            (_, 0) => Some(NumberedTime::Hours),
            _ => Some(NumberedTime::HoursAndMinutes),
        }
    }

    fn contradiction(&self) -> Error {
        let mut shown = vec![];
        for (orders, dates) in self.sets() {
            let names: Vec<String> = orders.list().iter().map(DateOrder::to_string).collect();
            if let Some(first) = &dates.first
                && orders.common(DateOrders::where_each(|order| {
                    order != DateOrder::YearFirst
                })) != DateOrders::where_each(|order| order != DateOrder::YearFirst)
            {
                let values = thousands(dates.values);
                shown.push(format!(
                    "\n  {values} × only {}, first {first}",
                    names.join(" or ")
                ));
            }
        }
        Error::input(format!(
            "the dates contradict each other: no order of day, month and year can read all of them:{}",
            shown.concat()
        ))
        .hint(
            "a spreadsheet may have swapped day and month of some of them: export them anew as YYYY-MM-DD, without a spreadsheet between. \
             If only a few are wrong, say the order with --time-format, and the others are bad lines",
        )
    }

    fn undecided(&self, possible: &[DateOrder]) -> Error {
        let names: Vec<String> = possible.iter().map(DateOrder::to_string).collect();
        let first = self
            .first()
            .map_or_else(String::new, |first| format!(", first {first}"));
        let settings: Vec<String> = names
            .iter()
            .map(|name| format!("--time-format {name}"))
            .collect();
        let values = match self.uncertain_dates() {
            1 => "1 date".to_owned(),
            values => format!("all of {} dates", thousands(values)),
        };
        Error::input(format!(
            "ambiguous dates: {values} can be read {}{first}",
            names.join(" and ")
        ))
        .hint(format!("say which with {}", settings.join(" or ")))
    }
}

/// The decision as a message.
impl fmt::Display for DateDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dates are read {}", self.order)?;
        let mut mark = ": ";
        for other in &self.against {
            let OrderRuledOut {
                order,
                unreadable,
                example,
                years,
            } = other;
            // Years of four digits stand at the end, which needs no word.
            let is_never = *order == DateOrder::YearFirst && *years == 0;
            match (unreadable, example) {
                _ if is_never => continue,
                (0, _) => write!(f, "{mark}{order}, they would fall into {years} years")?,
                (values, None) => {
                    write!(f, "{mark}{} values cannot be {order}", thousands(*values))?;
                }
                (values, Some(example)) => write!(
                    f,
                    "{mark}{} values cannot be {order}, such as {example}",
                    thousands(*values)
                )?,
            }
            mark = "; ";
        }
        write!(
            f,
            "; all can be {}. --time-format {} says it for good",
            self.order, self.order
        )
    }
}
