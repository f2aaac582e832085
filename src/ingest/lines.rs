//! The one way of a line, whatever file it came from: checked, counted, and kept or not.

use std::collections::BTreeMap;

use polars::prelude::{InitHashMaps, PlHashMap};

use super::NeededDays;
use super::cause::{Cause, Role};
use super::dictionary::{Dictionary, Fault, Key, NewIds, Raw, is_null};
use super::report::{Report, place};
use super::time::{DayResolver, Moment, TimesSeen};
use crate::calendar::{Day, StoreClock};
use crate::error::Result;
use crate::purchases::Line;

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
        let Ok(text) = std::str::from_utf8(text) else {
            return Quantity::NotANumber;
        };
        if is_null(text) {
            return Quantity::Null;
        }
        let number = if decimal_comma && text.contains(',') {
            text.replacen(',', ".", 1).parse()
        } else {
            text.parse()
        };
        number.map_or(Quantity::NotANumber, Quantity::Number)
    }
}

/// A line that is kept, unless its product turns out to be an excluded one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sale {
    day: Day,
    /// Position of the excluded product that it may be of.
    excluded: Option<usize>,
}

/// So many lines are handed on at a time.
const BATCH: usize = 1 << 16;

/// Some of the lines of a piece. Their codes are positions in the ids of this batch and those of
/// the piece before it.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) customers: NewIds,
    pub(super) products: NewIds,
    pub(super) lines: Vec<Line>,
    pub(super) report: Report,
    pub(super) times: TimesSeen,
    /// Which of the excluded products were met.
    pub(super) excluded: Vec<bool>,
    /// Lines of a product like `211.0` where 211 is excluded: whether they mean it is known when
    /// all ids are.
    pub(super) undecided: Vec<(Line, usize)>,
    /// Kept lines by day; a day may come twice.
    pub(super) kept_by_day: Vec<(Day, u64)>,
}

/// Lines of one object that follow each other.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    pub(super) customers: Dictionary,
    pub(super) products: Dictionary,
    lines: Vec<Line>,
    report: Report,
    days: DayResolver,
    needed: NeededDays,
    excluded: Excluded,
    undecided: Vec<(Line, usize)>,
    /// Kept lines by day, but for those of the present day, which are apart: lines mostly come day
    /// by day.
    by_day: BTreeMap<Day, u64>,
    today: Option<(Day, u64)>,
    object: String,
}

impl Lines {
    /// No line of an object yet.
    pub(super) fn new(
        object: &str,
        clock: StoreClock,
        excluded: &[String],
        needed: NeededDays,
    ) -> Self {
        Self {
            customers: Dictionary::new("customer"),
            products: Dictionary::new("product"),
            lines: vec![],
            report: Report::default(),
            days: DayResolver::new(clock),
            needed,
            excluded: Excluded::new(excluded),
            undecided: vec![],
            by_day: BTreeMap::new(),
            today: None,
            object: object.to_owned(),
        }
    }

    /// Takes lines that are all after the as-of date or before the needed history, unread, by the
    /// earliest and latest of their times. Whether they are.
    pub(super) fn skip(&mut self, lines: u64, earliest: Moment, latest: Moment) -> bool {
        let (Ok(earliest), Ok(latest)) = (self.days.day(earliest), self.days.day(latest)) else {
            return false;
        };
        // Where clocks go back at midnight, a later time may be of the day before.
        if self
            .needed
            .until
            .is_some_and(|until| earliest > until.day() + 1)
        {
            self.count_after(earliest, lines);
            return true;
        }
        if self.needed.first.is_some_and(|first| latest + 1 < first) {
            self.count_before(lines);
            return true;
        }
        false
    }

    fn count_after(&mut self, earliest: Day, lines: u64) {
        self.report.lines_read += lines;
        self.report.after_as_of += lines;
        self.report.first_after = Some(
            self.report
                .first_after
                .map_or(earliest, |first| first.min(earliest)),
        );
    }

    fn count_before(&mut self, lines: u64) {
        self.report.lines_read += lines;
        self.report.before_history += lines;
    }

    /// Takes one line. `Some` says why it is bad: the caller then calls [`Lines::bad`] with the
    /// value at fault.
    ///
    /// # Errors
    /// If there are more ids than codes.
    #[inline]
    pub(super) fn take(
        &mut self,
        moment: Moment,
        customer: Raw<'_>,
        product: Raw<'_>,
        quantity: Quantity,
    ) -> Result<Option<Cause>> {
        match self.judge(
            moment,
            || customer.key().map(drop),
            |excluded| excluded.judge(product),
            quantity,
        ) {
            Ok(Some(sale)) => {
                let (customer, product) = (
                    self.customers.code_of(customer)?,
                    self.products.code_of(product)?,
                );
                self.keep(sale, customer, product);
                Ok(None)
            }
            Ok(None) => Ok(None),
            Err(cause) => Ok(Some(cause)),
        }
    }

    /// Takes lines that [`Lines::judge`] found to be sales, of these customers and products.
    pub(super) fn keep_all(&mut self, sales: &[Sale], customers: &[u32], products: &[u32]) {
        for ((sale, customer), product) in sales.iter().zip(customers).zip(products) {
            self.keep(*sale, *customer, *product);
        }
    }

    /// What a line is: a sale, nothing that is kept, or bad. It is counted, unless it is bad.
    /// `customer` and `product` say whether the line has one, and whether the product is an
    /// excluded one: ids are looked at only where that takes it.
    #[inline(always)]
    pub(super) fn judge(
        &mut self,
        moment: Moment,
        customer: impl FnOnce() -> Result<(), Fault>,
        product: impl FnOnce(&Excluded) -> Result<Exclusion, Fault>,
        quantity: Quantity,
    ) -> Result<Option<Sale>, Cause> {
        let day = self.days.day(moment)?;
        if self.needed.until.is_some_and(|until| day > until.day()) {
            self.count_after(day, 1);
            return Ok(None);
        }
        if self.needed.first.is_some_and(|first| day < first) {
            self.count_before(1);
            return Ok(None);
        }
        customer().map_err(|fault| match fault {
            Fault::Null => Cause::NullCustomer,
            Fault::Fractional => Cause::FractionalCustomer,
            Fault::NotText => Cause::CustomerNotText,
        })?;
        let exclusion = product(&self.excluded).map_err(|fault| match fault {
            Fault::Null => Cause::NullProduct,
            Fault::Fractional => Cause::FractionalProduct,
            Fault::NotText => Cause::ProductNotText,
        })?;
        let returned = match quantity {
            Quantity::Absent => false,
            Quantity::Number(number) if !number.is_finite() => {
                return Err(Cause::QuantityNotANumber);
            }
            Quantity::Number(number) => number <= 0.0,
            Quantity::Null => return Err(Cause::NullQuantity),
            Quantity::NotANumber => return Err(Cause::QuantityNotANumber),
        };
        self.report.lines_read += 1;
        if returned {
            self.report.returned += 1;
            return Ok(None);
        }
        let excluded = match exclusion {
            Exclusion::None => None,
            Exclusion::IfInteger(at) => Some(at),
            Exclusion::Excluded(at) => {
                self.excluded.mark(at);
                self.report.excluded += 1;
                return Ok(None);
            }
        };
        Ok(Some(Sale { day, excluded }))
    }

    #[inline]
    fn keep(&mut self, sale: Sale, customer: u32, product: u32) {
        let line = Line {
            customer,
            day: sale.day,
            product,
        };
        if let Some(at) = sale.excluded {
            self.undecided.push((line, at));
            return;
        }
        self.report.kept += 1;
        match &mut self.today {
            Some((day, lines)) if *day == sale.day => *lines += 1,
            today => {
                if let Some((day, lines)) = today.replace((sale.day, 1)) {
                    *self.by_day.entry(day).or_default() += lines;
                }
            }
        }
        // The same product scanned twice in a row is the commonest repeat.
        if self.lines.last() != Some(&line) {
            self.lines.push(line);
        }
    }

    /// Whether there are enough lines to be handed on.
    pub(super) fn are_many(&self) -> bool {
        self.lines.len() >= BATCH
    }

    /// The lines since they were last handed on.
    pub(super) fn hand_on(&mut self) -> Batch {
        let by_day = std::mem::take(&mut self.by_day);
        Batch {
            customers: self.customers.hand_on(),
            products: self.products.hand_on(),
            lines: std::mem::replace(&mut self.lines, Vec::with_capacity(BATCH)),
            report: std::mem::take(&mut self.report),
            times: self.days.seen(),
            excluded: self.excluded.met.clone(),
            undecided: std::mem::take(&mut self.undecided),
            kept_by_day: by_day.into_iter().chain(self.today.take()).collect(),
        }
    }

    /// Counts a bad line; `describe` gives the column's name and the value.
    pub(super) fn bad<'a>(
        &mut self,
        cause: Cause,
        row: u64,
        describe: impl FnOnce(Option<Role>) -> (Option<&'a str>, String),
    ) {
        self.report.lines_read += 1;
        let object = &self.object;
        self.report.add_bad(cause, || {
            let (column, value) = describe(cause.role());
            place(object, row, column, &value)
        });
    }
}

/// Products that are no purchase.
#[derive(Debug, Clone)]
pub(super) struct Excluded {
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
pub(super) enum Exclusion {
    None,
    /// It is on the list, at this position.
    Excluded(usize),
    /// It is written `211.0` and 211 is on the list, at this position, or the other way round.
    IfInteger(usize),
}

impl Excluded {
    pub(super) fn new(ids: &[String]) -> Self {
        let (mut integers, mut wholes, mut texts) =
            (PlHashMap::new(), PlHashMap::new(), PlHashMap::new());
        for (at, id) in ids.iter().enumerate() {
            match Key::of(id) {
                Key::Integer(id) => integers.insert(id, at),
                Key::Whole(id) => wholes.insert(id, at),
                Key::Text(id) => texts.insert(id.to_owned(), at),
            };
        }
        Self {
            ids: ids.to_vec(),
            met: vec![false; ids.len()],
            integers,
            wholes,
            texts,
        }
    }

    /// Whether nothing is excluded.
    pub(super) fn are_none(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether a product has an id, and is on the list.
    #[inline]
    pub(super) fn judge(&self, product: Raw<'_>) -> Result<Exclusion, Fault> {
        product.key().map(|key| self.of(key))
    }

    #[inline]
    fn of(&self, product: Key<'_>) -> Exclusion {
        if self.are_none() {
            return Exclusion::None;
        }
        let found = match product {
            Key::Integer(id) => self.integers.get(&id),
            Key::Whole(id) => self.wholes.get(&id),
            Key::Text(id) => self.texts.get(id),
        };
        if let Some(at) = found.copied() {
            return Exclusion::Excluded(at);
        }
        match product {
            Key::Whole(id) => self.integers.get(&id),
            Key::Integer(id) => self.wholes.get(&id),
            Key::Text(_) => None,
        }
        .map_or(Exclusion::None, |at| Exclusion::IfInteger(*at))
    }

    /// Takes the ids that another has met.
    pub(super) fn absorb(&mut self, met: &[bool]) {
        self.met
            .iter_mut()
            .zip(met)
            .for_each(|(met, theirs)| *met |= theirs);
    }

    pub(super) fn mark(&mut self, at: usize) {
        if let Some(met) = self.met.get_mut(at) {
            *met = true;
        }
    }

    /// A warning of the ids that no line names, which are most likely slips.
    pub(super) fn warning(&self) -> Option<String> {
        let mut unmet: Vec<&str> = self
            .ids
            .iter()
            .zip(&self.met)
            .filter(|(_, met)| !**met)
            .map(|(id, _)| id.as_str())
            .collect();
        unmet.sort_unstable();
        unmet.dedup();
        let shown: Vec<String> = unmet
            .iter()
            .take(SHOWN)
            .map(|id| format!("\"{id}\""))
            .collect();
        let more = if unmet.len() > SHOWN {
            format!(" and {} more", unmet.len() - SHOWN)
        } else {
            String::new()
        };
        (!unmet.is_empty())
            .then(|| format!("no sale is of the excluded products {}{more}: ids are compared as the data write them", shown.join(", ")))
    }
}
