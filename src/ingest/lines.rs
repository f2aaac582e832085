//! The one way of a line, whatever file it came from: checked, counted, and kept or not.

use polars::prelude::{InitHashMaps, PlHashMap};

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

/// How many excluded products a warning lists.
const SHOWN: usize = 5;

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
    /// Lines of a product like `211.0` where 211 is excluded: whether they mean it is known when all ids are.
    undecided: Vec<(Line, usize)>,
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
            undecided: vec![],
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
        self.customers.end(&self.object);
        self.products.end(&self.object);
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
            return Ok(None);
        }
        let exclusion = self.excluded.of(product_key);
        if exclusion == Exclusion::Excluded {
            self.report.excluded += 1;
            return Ok(None);
        }
        let line = Line {
            customer: self.customers.code(customer_key, customer.is_text())?,
            day,
            product: self.products.code(product_key, product.is_text())?,
        };
        match exclusion {
            Exclusion::IfInteger(at) => self.undecided.push((line, at)),
            Exclusion::None | Exclusion::Excluded => self.keep(line),
        }
        Ok(None)
    }

    #[inline]
    fn keep(&mut self, line: Line) {
        self.report.kept += 1;
        if let Some(count) = self.by_day.get_mut((line.day - *Day::PLAUSIBLE.start()) as usize) {
            *count += 1;
        }
        // The same product scanned twice in a row is the commonest repeat.
        if self.lines.last() != Some(&line) {
            self.lines.push(line);
        }
    }

    /// Decides on the lines that waited for all ids to be known.
    pub(super) fn decide(&mut self) {
        let text = self.products.is_text();
        for (line, at) in std::mem::take(&mut self.undecided) {
            if text {
                self.keep(line);
            } else {
                self.report.excluded += 1;
                self.excluded.mark(at);
            }
        }
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
        warnings.extend(self.customers.warnings());
        warnings.extend(self.products.warnings());
        warnings.extend(self.excluded.warning());
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
    ids: Vec<String>,
    /// Whether a line named the id.
    met: Vec<bool>,
    /// Positions in the ids.
    integers: PlHashMap<i64, usize>,
    wholes: PlHashMap<i64, usize>,
    texts: PlHashMap<String, usize>,
}

/// What the exclusion list says of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exclusion {
    None,
    Excluded,
    /// It is written `211.0` and 211 is on the list, at this position, or the other way round.
    IfInteger(usize),
}

impl Excluded {
    fn new(ids: &[String]) -> Self {
        let (mut integers, mut wholes, mut texts) = (PlHashMap::new(), PlHashMap::new(), PlHashMap::new());
        for (at, id) in ids.iter().enumerate() {
            match Key::of(id) {
                Key::Integer(id) => integers.insert(id, at),
                Key::Whole(id) => wholes.insert(id, at),
                Key::Text(id) => texts.insert(id.to_owned(), at),
            };
        }
        Self { ids: ids.to_vec(), met: vec![false; ids.len()], integers, wholes, texts }
    }

    #[inline]
    fn of(&mut self, product: Key<'_>) -> Exclusion {
        if self.ids.is_empty() {
            return Exclusion::None;
        }
        let found = match product {
            Key::Integer(id) => self.integers.get(&id),
            Key::Whole(id) => self.wholes.get(&id),
            Key::Text(id) => self.texts.get(id),
        };
        if let Some(at) = found.copied() {
            self.mark(at);
            return Exclusion::Excluded;
        }
        match product {
            Key::Whole(id) => self.integers.get(&id),
            Key::Integer(id) => self.wholes.get(&id),
            Key::Text(_) => None,
        }
        .map_or(Exclusion::None, |at| Exclusion::IfInteger(*at))
    }

    fn mark(&mut self, at: usize) {
        if let Some(met) = self.met.get_mut(at) {
            *met = true;
        }
    }

    /// A warning of the ids that no line names, which are most likely slips.
    fn warning(&self) -> Option<String> {
        let mut unmet: Vec<&str> = self.ids.iter().zip(&self.met).filter(|(_, met)| !**met).map(|(id, _)| id.as_str()).collect();
        unmet.sort_unstable();
        unmet.dedup();
        let shown: Vec<String> = unmet.iter().take(SHOWN).map(|id| format!("\"{id}\"")).collect();
        let more = if unmet.len() > SHOWN { format!(" and {} more", unmet.len() - SHOWN) } else { String::new() };
        (!unmet.is_empty())
            .then(|| format!("no sale is of the excluded products {}{more}: ids are compared as the data write them", shown.join(", ")))
    }
}
