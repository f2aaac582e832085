//! Dates whose order is not certain: which orders can read them.

use std::fmt;

use serde::Serialize;

use super::ParsedTime;
use super::forms::year_of;
use super::iso::day;
use super::{MICROSECONDS_PER_DAY, MICROSECONDS_PER_SECOND};

/// In which order day, month and year are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateOrder {
    /// 31/12/2024, 31.12.24.
    DayFirst,
    /// 12/31/2024, 12/31/24.
    MonthFirst,
    /// 24/12/31.
    YearFirst,
}

impl DateOrder {
    pub(super) const ALL: [DateOrder; 3] = [
        DateOrder::DayFirst,
        DateOrder::MonthFirst,
        DateOrder::YearFirst,
    ];
}

/// As `--time-format` names it.
impl fmt::Display for DateOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DateOrder::DayFirst => "day-first",
            DateOrder::MonthFirst => "month-first",
            DateOrder::YearFirst => "year-first",
        })
    }
}

/// Some of the orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) struct DateOrders(u8);

impl DateOrders {
    /// How many different sets of orders there are.
    pub(super) const SETS: usize = 1 << DateOrder::ALL.len();

    pub(super) const ALL: Self = Self(Self::SETS as u8 - 1);

    /// The orders that fulfil a condition.
    pub(super) fn where_each(fulfils: impl Fn(DateOrder) -> bool) -> Self {
        let orders = DateOrder::ALL.into_iter().filter(|order| fulfils(*order));
        Self(orders.map(|order| 1 << order as u8).sum())
    }

    /// The set at a position, as [`DateOrders::position`] gives it.
    pub(super) fn at(position: usize) -> Self {
        Self::where_each(|order| position & (1 << order as usize) != 0)
    }

    /// A number for each set, below [`DateOrders::SETS`].
    pub(super) fn position(self) -> usize {
        usize::from(self.0)
    }

    pub(super) fn has(self, order: DateOrder) -> bool {
        self.0 & (1 << order as u8) != 0
    }

    /// The orders that are in both.
    pub(super) fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn list(self) -> Vec<DateOrder> {
        let orders = DateOrder::ALL.into_iter();
        orders.filter(|order| self.has(*order)).collect()
    }
}

/// Three numbers that are a date in one order or another, and perhaps a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) struct UncertainDate {
    first: u8,
    second: u8,
    /// A year of four digits, or below 100.
    third: u16,
    clock: UncertainClock,
}

/// The time of day beside a date that is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum UncertainClock {
    Absent,
    /// Seconds since midnight.
    Local(i32),
    /// Seconds since the date's midnight in UTC.
    Utc(i32),
    /// A number of hours, or of hours and minutes.
    Number(u16),
}

impl UncertainClock {
    /// The time on a day, given in days since 1970-01-01.
    pub(super) fn on(self, day: i32) -> ParsedTime {
        let midnight = i64::from(day) * MICROSECONDS_PER_DAY;
        match self {
            UncertainClock::Absent => ParsedTime::Date(day),
            UncertainClock::Local(seconds) => {
                ParsedTime::Naive(midnight + i64::from(seconds) * MICROSECONDS_PER_SECOND)
            }
            UncertainClock::Utc(seconds) => {
                ParsedTime::Instant(midnight + i64::from(seconds) * MICROSECONDS_PER_SECOND)
            }
            UncertainClock::Number(number) => ParsedTime::NumberedTime(day, number),
        }
    }
}

impl UncertainDate {
    /// `None` if no order can read it.
    pub(super) fn new([first, second, third]: [u16; 3], clock: UncertainClock) -> Option<Self> {
        let date = Self {
            first: u8::try_from(first).ok()?,
            second: u8::try_from(second).ok()?,
            third,
            clock,
        };
        (date.orders() != DateOrders(0)).then_some(date)
    }

    /// The same date with a time of day.
    pub(super) fn with_clock(self, clock: UncertainClock) -> Self {
        Self { clock, ..self }
    }

    pub(super) fn has_clock(self) -> bool {
        self.clock != UncertainClock::Absent
    }

    /// The number beside it that is hours, or hours and minutes.
    pub(in crate::ingest) fn numbered_time(self) -> Option<u16> {
        match self.clock {
            UncertainClock::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Its day in an order, in days since 1970-01-01.
    fn day(self, order: DateOrder) -> Option<i32> {
        let (first, second) = (u32::from(self.first), u32::from(self.second));
        let third = u32::from(self.third);
        let digits = if third < 100 { 2 } else { 4 };
        let found = match order {
            DateOrder::DayFirst => day(year_of(third, digits), second, first),
            DateOrder::MonthFirst => day(year_of(third, digits), first, second),
            DateOrder::YearFirst if digits == 2 => day(year_of(first, 2), second, third),
            DateOrder::YearFirst => None,
        };
        found.map(|day| day.epoch())
    }

    /// The orders that can read it.
    pub(in crate::ingest) fn orders(self) -> DateOrders {
        DateOrders::where_each(|order| self.day(order).is_some())
    }

    /// The years that its first and its third number would be, where they have two digits.
    pub(super) fn short_years(self) -> Option<(u8, u8)> {
        let third = u8::try_from(self.third).ok().filter(|third| *third < 100)?;
        Some((self.first, third))
    }

    /// The time that it is in an order.
    pub(in crate::ingest) fn in_order(self, order: DateOrder) -> ParsedTime {
        self.day(order)
            .map_or(ParsedTime::Unreadable, |day| self.clock.on(day))
    }
}
