//! The one way of a line, whatever file it came from: checked, counted, and kept or not.

use polars::prelude::{InitHashMaps, PlHashSet};

use super::cause::{Cause, Role};
use super::dictionary::{Dictionary, Fault, Key, Raw, is_null};
use super::report::{Report, place};
use super::time::{DayResolver, Moment};
use crate::calendar::{AsOf, Day, StoreClock};
use crate::error::Result;
use crate::purchases::Line;

/// How many weeks before the last day are compared with it.
const WEEKS: i32 = 8;

/// Fewer weeks than these tell nothing.
const MIN_WEEKS: usize = 4;

/// Below this share of the median the last day looks partial.
const PARTIAL: f64 = 0.5;

/// A quantity as a file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantity {
    /// There is no such column: every line is a sale.
    Absent,
    /// None.
    Null,
    /// A number, or NaN.
    Number(f64),
    /// Text that is no number.
    NotANumber,
}

impl Quantity {
    /// Reads text; where fields are not separated by commas, there may be a decimal comma.
    #[inline]
    pub(super) fn of(text: &[u8], decimal_comma: bool) -> Self {
        let text = text.trim_ascii();
        // Nearly all quantities are one digit.
        if let [digit @ b'0'..=b'9'] = text {
            return Quantity::Number(f64::from(digit - b'0'));
        }
        let Ok(text) = std::str::from_utf8(text) else { return Quantity::NotANumber };
        if is_null(text) {
            return Quantity::Null;
        }
        let number = if decimal_comma && text.contains(',') { text.replacen(',', ".", 1).parse() } else { text.parse() };
        number.map_or(Quantity::NotANumber, Quantity::Number)
    }
}

/// All lines so far.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) customers: Dictionary,
    pub(super) products: Dictionary,
    pub(super) lines: Vec<Line>,
    pub(super) report: Report,
    days: DayResolver,
    until: Option<AsOf>,
    excluded: Excluded,
    object: String,
    empty: Vec<String>,
    /// Kept lines by day, from the first of [`Day::PLAUSIBLE`] on.
    by_day: Vec<u64>,
}

impl Lines {
    pub(super) fn new(clock: StoreClock, excluded: &[String], until: Option<AsOf>) -> Self {
        Self {
            customers: Dictionary::new("customer"),
            products: Dictionary::new("product"),
            lines: vec![],
            report: Report::default(),
            days: DayResolver::new(clock),
            until,
            excluded: Excluded::new(excluded),
            object: String::new(),
            empty: vec![],
            by_day: vec![0; (*Day::PLAUSIBLE.end() - *Day::PLAUSIBLE.start()) as usize + 1],
        }
    }

    /// What follows is of this object.
    pub(super) fn begin(&mut self, object: &str) {
        object.clone_into(&mut self.object);
    }

    /// Counts the object, which has been read.
    pub(super) fn end(&mut self, is_empty: bool) {
        self.report.objects += 1;
        if is_empty {
            self.report.empty_objects += 1;
            self.empty.push(std::mem::take(&mut self.object));
        }
    }

    /// Makes room, in steps that keep the number of copies small.
    pub(super) fn reserve(&mut self, lines: usize) {
        self.lines.reserve(lines);
    }

    /// Takes one line. `Some` says why it is bad: the caller then calls [`Lines::bad`] with the value at fault.
    ///
    /// # Errors
    /// If there are more ids than codes.
    #[inline]
    pub(super) fn take(&mut self, moment: Moment, customer: Raw<'_>, product: Raw<'_>, quantity: Quantity) -> Result<Option<Cause>> {
        let day = match self.days.day(moment) {
            Ok(day) => day,
            Err(cause) => return Ok(Some(cause)),
        };
        if self.until.is_some_and(|until| day > until.day()) {
            self.report.lines_read += 1;
            self.report.after_as_of += 1;
            self.report.first_after = Some(self.report.first_after.map_or(day, |first| first.min(day)));
            return Ok(None);
        }
        let customer_key = match customer.key() {
            Ok(key) => key,
            Err(Fault::Null) => return Ok(Some(Cause::NullCustomer)),
            Err(Fault::Fractional) => return Ok(Some(Cause::FractionalCustomer)),
            Err(Fault::NotText) => return Ok(Some(Cause::CustomerNotText)),
        };
        let product_key = match product.key() {
            Ok(key) => key,
            Err(Fault::Null) => return Ok(Some(Cause::NullProduct)),
            Err(Fault::Fractional) => return Ok(Some(Cause::FractionalProduct)),
            Err(Fault::NotText) => return Ok(Some(Cause::ProductNotText)),
        };
        let returned = match quantity {
            Quantity::Absent => false,
            Quantity::Number(number) if number.is_nan() => return Ok(Some(Cause::QuantityNotANumber)),
            Quantity::Number(number) => number <= 0.0,
            Quantity::Null => return Ok(Some(Cause::NullQuantity)),
            Quantity::NotANumber => return Ok(Some(Cause::QuantityNotANumber)),
        };
        self.report.lines_read += 1;
        if returned {
            self.report.returned += 1;
        } else if self.excluded.contains(product_key) {
            self.report.excluded += 1;
        } else {
            self.report.kept += 1;
            if let Some(count) = self.by_day.get_mut((day - *Day::PLAUSIBLE.start()) as usize) {
                *count += 1;
            }
            let line = Line {
                customer: self.customers.code(customer_key, customer.is_text())?,
                day,
                product: self.products.code(product_key, product.is_text())?,
            };
            // The same product scanned twice in a row is the commonest repeat.
            if self.lines.last() != Some(&line) {
                self.lines.push(line);
            }
        }
        Ok(None)
    }

    /// Counts a bad line; `describe` gives the column's name and the value.
    pub(super) fn bad<'a>(&mut self, cause: Cause, row: u64, describe: impl FnOnce(Option<Role>) -> (Option<&'a str>, String)) {
        self.report.lines_read += 1;
        let object = &self.object;
        self.report.add_bad(cause, || {
            let (column, value) = describe(cause.role());
            place(object, row, column, &value)
        });
    }

    /// What a user should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = vec![];
        if let Some(first) = self.empty.first() {
            let count = self.empty.len();
            warnings.push(match count {
                1 => format!("{first} has no lines"),
                _ => format!("{count} objects have no lines, for example {first}"),
            });
        }
        warnings.extend(self.days.warning());
        warnings.extend(self.customers.warning());
        warnings.extend(self.products.warning());
        warnings.extend(self.partial_last_day());
        warnings
    }

    /// A warning if the last day has far fewer lines than its weekday had in the weeks before.
    fn partial_last_day(&self) -> Option<String> {
        let first = self.by_day.iter().position(|lines| *lines > 0)?;
        let last = self.by_day.iter().rposition(|lines| *lines > 0)?;
        let mut before: Vec<u64> = (1..=WEEKS as usize)
            .filter_map(|week| last.checked_sub(7 * week).filter(|at| *at >= first))
            .filter_map(|at| self.by_day.get(at).copied())
            .collect();
        if before.len() < MIN_WEEKS {
            return None;
        }
        before.sort_unstable();
        let middle = before.len() / 2;
        let (low, high) = (before.get((before.len() - 1) / 2)?, before.get(middle)?);
        let median = (*low as f64 + *high as f64) / 2.0;
        let lines = *self.by_day.get(last)?;
        let day = *Day::PLAUSIBLE.start() + last as i32;
        ((lines as f64) < PARTIAL * median).then(|| {
            format!(
                "the last day of the feed, {day}, has {lines} lines where this weekday usually has {median}: it looks partial; \
                 the night before is --as-of {}",
                day - 1
            )
        })
    }
}

/// Products that are no purchase.
#[derive(Debug)]
struct Excluded {
    integers: PlHashSet<i64>,
    texts: PlHashSet<String>,
}

impl Excluded {
    fn new(ids: &[String]) -> Self {
        let mut excluded = Self { integers: PlHashSet::new(), texts: PlHashSet::new() };
        for id in ids {
            match Key::of(id) {
                Key::Integer(id) => excluded.integers.insert(id),
                Key::Text(id) => excluded.texts.insert(id.to_owned()),
            };
        }
        excluded
    }

    #[inline]
    fn contains(&self, product: Key<'_>) -> bool {
        match product {
            Key::Integer(id) => !self.integers.is_empty() && self.integers.contains(&id),
            Key::Text(id) => !self.texts.is_empty() && self.texts.contains(id),
        }
    }
}
