//! Every line, whatever its format, is checked and counted here, and kept or not.

mod tables;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::anonymous::{AnonymousCustomers, Buyer};
use super::columns::{ColumnRole, QuantityPresence};
use super::days::{DayResolver, TimesSeen};
use super::decoded_line::{DecodedLine, Quantity};
use super::dictionary::{IdDictionary, NewIds};
use super::excluded::{ExcludedProducts, Exclusion};
use super::facts::{BatchFacts, FactCollector};
use super::feed::{HourCounts, LinesOfDay, ReadingPosition};
use super::filter_values::FilterValues;
use super::ids::{IdFault, RawId};
use super::netting::{self, NO_TICKET, NewTakeBacks, TakeBacks};
use super::rejects::{RejectReason, RejectedLine, RejectedValue};
use super::report::{LeftOut, Report};
use super::text_notes::TextNotes;
use super::time::{ParsedTime, TimeRules};
use super::{InputOptions, NeededDays};
use crate::calendar::{AsOf, Day};
use crate::error::Result;
use crate::purchases::{Line, Millionths, PIECE, QuantityRecord, RecordKind, RunQuantities};
use tables::TableReading;

/// How many lines make a batch.
const BATCH: usize = 1 << 16;

/// A sale that is kept, unless its product turns out to be an excluded one, or a line that takes back
/// what was sold.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckedLine {
    day: Day,
    quantity: Millionths,
    /// The position in the exclusion list of a product that this one may be.
    excluded: Option<usize>,
    /// Whether nobody is known to have bought it.
    pub(super) is_anonymous: bool,
}

impl CheckedLine {
    /// Whether it takes back what was sold.
    #[inline(always)]
    pub(super) fn takes_back(&self) -> bool {
        self.quantity < 0
    }
}

/// A sale of a product like `211.0` where 211 is excluded: whether that is meant is known when all
/// ids are.
#[derive(Debug, Clone, Copy)]
pub(super) struct UndecidedSale {
    pub(super) line: Line,
    /// The product's position in the exclusion list.
    pub(super) excluded: usize,
    pub(super) quantity: Millionths,
    pub(super) ticket: u64,
}

impl UndecidedSale {
    /// The same sale under other codes.
    pub(super) fn with_line(self, line: Line) -> Self {
        Self { line, ..self }
    }
}

/// The quantity of a sale, where its line does not tell it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineQuantity {
    /// The position of the line among those of the batch.
    pub(super) line: u32,
    /// Whether it is the quantity of that line, and not of one more like it.
    pub(super) in_run: bool,
    pub(super) quantity: Millionths,
}

/// Some of the lines of a chunk. Their codes are positions in the ids of this batch and those of
/// the chunk before it.
#[derive(Debug)]
pub(super) struct LineBatch {
    /// The object's name.
    pub(super) object: Arc<str>,
    /// Whether the batch is the first, and the last, of its chunk.
    pub(super) begins_chunk: bool,
    pub(super) ends_chunk: bool,
    /// Whether it is the first, and the last, of its object.
    pub(super) begins_object: bool,
    pub(super) ends_object: bool,
    /// Whether the chunk has a column of quantities, as far as is known.
    pub(super) quantity: QuantityPresence,
    pub(super) customers: NewIds,
    pub(super) products: NewIds,
    pub(super) lines: Vec<Line>,
    pub(super) report: Report,
    pub(super) times: TimesSeen,
    pub(super) text: TextNotes,
    /// Which of the excluded products were met.
    pub(super) excluded: Vec<bool>,
    /// Which of the ids that stand for nobody were met.
    pub(super) anonymous: Vec<bool>,
    /// Which of the values that filters name were met.
    pub(super) filter_values: FilterValues,
    pub(super) undecided: Vec<UndecidedSale>,
    /// What is known of quantities beside the lines, and the ticket of each of these if tickets are
    /// told apart.
    pub(super) line_quantities: Vec<LineQuantity>,
    pub(super) tickets: Vec<u64>,
    /// Lines that take something back, if there are any.
    pub(super) take_backs: Option<NewTakeBacks>,
    /// Lines by day; a day may come twice.
    pub(super) lines_by_day: Vec<(Day, LinesOfDay)>,
    /// Bad lines before the first line that has a day.
    pub(super) bad_without_day: u64,
    /// Sales by the hour, if there is a night.
    pub(super) hours: Option<Box<HourCounts>>,
    /// Lines without a customer by day and product.
    pub(super) anonymous_sales: BTreeMap<(Day, u32), u32>,
    /// What else the lines tell, where something is mapped.
    pub(super) facts: Option<BatchFacts>,
}

/// Checks and keeps lines of one chunk, which follow each other.
#[derive(Debug, Clone)]
pub(super) struct LineChecker {
    object: Arc<str>,
    customers: IdDictionary,
    products: IdDictionary,
    lines: Vec<Line>,
    report: Report,
    text: TextNotes,
    days: DayResolver,
    needed: NeededDays,
    excluded: ExcludedProducts,
    anonymous: AnonymousCustomers,
    filter_values: FilterValues,
    anonymous_sales: BTreeMap<(Day, u32), u32>,
    undecided: Vec<UndecidedSale>,
    quantities: RunQuantities,
    line_quantities: Vec<LineQuantity>,
    tickets: Vec<u64>,
    take_backs: Option<Box<TakeBacks>>,
    /// Lines by day. Those of the present day are counted apart, because lines mostly come day by
    /// day.
    by_day: BTreeMap<Day, LinesOfDay>,
    today: (Day, LinesOfDay),
    position: ReadingPosition,
    bad_without_day: u64,
    has_given_batch: bool,
    facts: Option<Box<FactCollector>>,
    /// How lines are taken where tickets stand in more than one table.
    tables: Option<Box<TableReading>>,
}

impl LineChecker {
    /// No line of a chunk yet.
    pub(super) fn new(object: &Arc<str>, options: &InputOptions, needed: NeededDays) -> Self {
        Self {
            object: Arc::clone(object),
            customers: IdDictionary::new("customer"),
            products: IdDictionary::new(options.columns.table.products()),
            lines: vec![],
            report: Report::default(),
            text: TextNotes::default(),
            days: DayResolver::new(options).counting_hours_until(needed.until.map(AsOf::day)),
            needed,
            excluded: ExcludedProducts::new(&options.exclude_products),
            anonymous: AnonymousCustomers::new(&options.anonymous),
            filter_values: FilterValues::default(),
            anonymous_sales: BTreeMap::new(),
            undecided: vec![],
            quantities: netting::run_quantities(options),
            line_quantities: vec![],
            tickets: vec![],
            take_backs: None,
            by_day: BTreeMap::new(),
            today: (Day::from_epoch(0), LinesOfDay::default()),
            position: ReadingPosition::Unknown,
            bad_without_day: 0,
            has_given_batch: false,
            facts: FactCollector::new(options).map(Box::new),
            tables: TableReading::new(options).map(Box::new),
        }
    }

    /// How times are read.
    pub(super) fn time_rules(&self) -> &Arc<TimeRules> {
        self.days.rules()
    }

    /// Counts lines without reading them, if all of them are after the as-of date or before the needed
    /// history by the earliest and latest of their times. Returns whether they are.
    pub(super) fn skip(&mut self, lines: u64, earliest: ParsedTime, latest: ParsedTime) -> bool {
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

    /// Adds one line: it is kept, dropped or rejected, and counted. If it is bad, `at_fault` gives the
    /// name and the value of the column at fault, or the line as it stands if no column is.
    ///
    /// # Errors
    /// If there are more ids than codes.
    #[inline]
    pub(super) fn add<'a>(
        &mut self,
        row: u64,
        line: DecodedLine<'_>,
        at_fault: impl FnOnce(Option<ColumnRole>) -> (Option<&'a str>, RejectedValue),
    ) -> Result<()> {
        if self.tables.is_some() {
            return self.add_of_table(row, line, at_fault);
        }
        match self.check_line(&line) {
            Ok(Some(sale)) => self.keep_line(sale, &line),
            Ok(None) => Ok(()),
            Err(reason) => {
                self.reject(row, reason, at_fault);
                Ok(())
            }
        }
    }

    #[inline]
    fn check_line(&mut self, line: &DecodedLine<'_>) -> Result<Option<CheckedLine>, RejectReason> {
        self.check(
            line.time,
            |anonymous| anonymous.buyer(line.customer),
            |excluded| excluded.judge(line.product),
            line.quantity.taken_back_if(line.takes_back),
        )
    }

    #[inline]
    fn keep_line(&mut self, sale: CheckedLine, line: &DecodedLine<'_>) -> Result<()> {
        let ticket = match self.quantities {
            RunQuantities::Unknown | RunQuantities::OnePiece => NO_TICKET,
            RunQuantities::Recorded => netting::ticket_of(line.facts.basket),
        };
        if sale.takes_back() {
            return self.take_back(sale, line.customer, line.product, ticket);
        }
        if sale.is_anonymous {
            self.keep_anonymous(sale, line.product)?;
        } else {
            let customer = self.customers.code_of(line.customer)?;
            let product = self.products.code_of(line.product)?;
            self.keep(sale, customer, product, ticket);
        }
        if self.facts.is_some() {
            self.keep_facts(sale, line)?;
        }
        Ok(())
    }

    fn keep_facts(&mut self, sale: CheckedLine, line: &DecodedLine<'_>) -> Result<()> {
        let Some(facts) = &mut self.facts else {
            return Ok(());
        };
        let customer = match sale.is_anonymous {
            true => None,
            false => Some(self.customers.code_of(line.customer)?),
        };
        let product = self.products.code_of(line.product)?;
        facts.add(sale.day, customer, product, line.facts)
    }

    /// Checks one line. A sale is returned, for [`LineChecker::keep_all`], and so is a line that takes
    /// something back, for [`LineChecker::take_back`]; a line that is dropped is counted; the reason
    /// why a line is bad is returned, for [`LineChecker::reject`]. `customer` and
    /// `product` say whether the line has these, and whether the product is excluded. They are called
    /// only if the checks before have passed.
    #[inline(always)]
    pub(super) fn check(
        &mut self,
        time: ParsedTime,
        customer: impl FnOnce(&AnonymousCustomers) -> Result<Buyer, IdFault>,
        product: impl FnOnce(&ExcludedProducts) -> Result<Exclusion, IdFault>,
        quantity: Quantity,
    ) -> Result<Option<CheckedLine>, RejectReason> {
        let day = self.days.day(time)?;
        self.check_on(day, customer, product, quantity)
    }

    /// As [`LineChecker::check`], of a line whose day is known.
    #[inline(always)]
    fn check_on(
        &mut self,
        day: Day,
        customer: impl FnOnce(&AnonymousCustomers) -> Result<Buyer, IdFault>,
        product: impl FnOnce(&ExcludedProducts) -> Result<Exclusion, IdFault>,
        quantity: Quantity,
    ) -> Result<Option<CheckedLine>, RejectReason> {
        if self.needed.until.is_some_and(|until| day > until.day()) {
            self.count_after(day, 1);
            self.position = ReadingPosition::NotNeeded;
            return Ok(None);
        }
        if self.needed.first.is_some_and(|first| day < first) {
            self.count_before(1);
            self.position = ReadingPosition::NotNeeded;
            return Ok(None);
        }
        self.position = ReadingPosition::On(day);
        let buyer = customer(&self.anonymous).map_err(reason_of_customer)?;
        let exclusion = product(&self.excluded).map_err(reason_of_product)?;
        let quantity = quantity.millionths()?;
        let is_anonymous = buyer != Buyer::Known;
        if let Buyer::Named(at) = buyer {
            self.anonymous.named.mark(at);
        }
        self.report.lines_read += 1;
        if quantity <= 0 {
            self.report.returned += 1;
            self.lines_of(day).returned += 1;
            self.report.zero_quantities += u64::from(quantity == 0);
            // Nothing is taken back from who is not known, or from what is excluded.
            let may_void =
                quantity < 0 && !is_anonymous && !matches!(exclusion, Exclusion::Listed(_));
            return Ok(may_void.then_some(CheckedLine {
                day,
                quantity,
                excluded: None,
                is_anonymous,
            }));
        }
        let excluded = match exclusion {
            Exclusion::None => None,
            Exclusion::IfInteger(at) => Some(at),
            Exclusion::Listed(at) => {
                self.excluded.named.mark(at);
                self.report.excluded += 1;
                return Ok(None);
            }
        };
        Ok(Some(CheckedLine {
            day,
            quantity,
            excluded,
            is_anonymous,
        }))
    }

    /// Counts rows that the filters leave out, and that are looked at no further.
    pub(super) fn filter_out(&mut self, rows: u64) {
        self.report.lines_read += rows;
        self.report.filtered += rows;
    }

    /// Which of the values that filters name were met.
    pub(super) fn filter_values(&mut self) -> &mut FilterValues {
        &mut self.filter_values
    }

    /// Counts a header that comes again amid the lines.
    pub(super) fn count_repeated_header(&mut self) {
        self.report.lines_read += 1;
        self.report.repeated_headers += 1;
    }

    /// Counts lines at the end of an object that are no sales; `texts` are those with a text.
    pub(super) fn count_footers(&mut self, lines: u64, texts: Vec<String>) {
        self.report.lines_read += lines;
        self.report.footers += lines;
        if !texts.is_empty() {
            self.text
                .add_footers(&self.object, texts.len() as u64, texts);
        }
    }

    /// Notes the titles before the header, and whether the header is that of another object.
    pub(super) fn note_layout(&mut self, titles: Vec<String>, has_lent_header: bool) {
        if !titles.is_empty() {
            self.text.add_titles(&self.object, titles);
        }
        if has_lent_header {
            self.text.add_lent_header(&self.object);
        }
    }

    /// Keeps a sale of nobody's: it counts for what the store sells.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(super) fn keep_anonymous(&mut self, sale: CheckedLine, product: RawId<'_>) -> Result<()> {
        self.report.anonymous += 1;
        let product = self.products.code_of(product)?;
        *self.anonymous_sales.entry((sale.day, product)).or_default() += 1;
        Ok(())
    }

    /// Keeps lines that [`LineChecker::check`] returned as sales. `customers` and `products` look up
    /// the codes of their ids, a column at a time.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(super) fn keep_all(
        &mut self,
        sales: &[CheckedLine],
        customers: impl FnOnce(&mut IdDictionary) -> Result<Vec<u32>>,
        products: impl FnOnce(&mut IdDictionary) -> Result<Vec<u32>>,
    ) -> Result<()> {
        let customers = customers(&mut self.customers)?;
        let products = products(&mut self.products)?;
        for ((sale, customer), product) in sales.iter().zip(customers).zip(products) {
            self.keep(*sale, customer, product, NO_TICKET);
        }
        Ok(())
    }

    /// Sets a line aside that takes back what was sold: whether it meets a sale of its day is known
    /// at the end. Until then it counts as returned.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(super) fn take_back(
        &mut self,
        line: CheckedLine,
        customer: RawId<'_>,
        product: RawId<'_>,
        ticket: u64,
    ) -> Result<()> {
        let CheckedLine { day, quantity, .. } = line;
        let take_backs = self.take_backs.get_or_insert_default();
        take_backs.add(customer, product, |customer, product| QuantityRecord {
            line: Line {
                customer,
                day,
                product,
            },
            ticket,
            quantity,
            kind: RecordKind::TakeBack,
        })
    }

    #[inline]
    fn keep(&mut self, sale: CheckedLine, customer: u32, product: u32, ticket: u64) {
        let line = Line {
            customer,
            day: sale.day,
            product,
        };
        if let Some(excluded) = sale.excluded {
            self.undecided.push(UndecidedSale {
                line,
                excluded,
                quantity: sale.quantity,
                ticket,
            });
            return;
        }
        self.report.kept += 1;
        self.lines_of(sale.day).kept += 1;
        // The same product scanned twice in a row is the commonest repeat.
        let in_run = self.lines.last() != Some(&line);
        if in_run {
            self.lines.push(line);
        }
        if self.quantities == RunQuantities::Unknown {
            return;
        }
        if !in_run || sale.quantity != PIECE || self.quantities == RunQuantities::Recorded {
            self.line_quantities.push(LineQuantity {
                // Of the line that was kept last.
                line: self.lines.len().saturating_sub(1) as u32,
                in_run,
                quantity: sale.quantity,
            });
            if self.quantities == RunQuantities::Recorded {
                self.tickets.push(ticket);
            }
        }
    }

    /// The counts of a day, which becomes the present one.
    #[inline]
    fn lines_of(&mut self, day: Day) -> &mut LinesOfDay {
        if self.today.0 != day {
            let (before, lines) = std::mem::replace(&mut self.today, (day, LinesOfDay::default()));
            self.by_day.entry(before).or_default().merge(lines);
        }
        &mut self.today.1
    }

    /// Counts a bad line; `at_fault` as in [`LineChecker::add`].
    pub(super) fn reject<'a>(
        &mut self,
        row: u64,
        reason: RejectReason,
        at_fault: impl FnOnce(Option<ColumnRole>) -> (Option<&'a str>, RejectedValue),
    ) {
        match self.position {
            ReadingPosition::On(day) => self.lines_of(day).bad += 1,
            ReadingPosition::Unknown => self.bad_without_day += 1,
            ReadingPosition::NotNeeded => {}
        }
        let object = &self.object;
        let line = || {
            let (column, value) = at_fault(reason.column());
            RejectedLine {
                object: object.to_string(),
                row,
                column: column.map(str::to_owned),
                value,
            }
        };
        if reason == RejectReason::AmbiguousTime && self.days.wants_place() {
            let line = line();
            self.days.keep_place(line.clone());
            self.report.reject(reason, || line);
        } else {
            self.report.reject(reason, line);
        }
    }

    /// Says that a part of the object was not read, and why.
    pub(super) fn leave_out(&mut self, part: &str, why: &str) {
        self.report.left_out.push(LeftOut {
            object: format!("{}/{part}", self.object),
            why: why.to_owned(),
        });
    }

    /// Warns of something in the object.
    pub(super) fn warn(&mut self, what: &str) {
        self.report.notes.push(format!("{}: {what}", self.object));
    }

    /// Whether there are enough lines for a batch.
    pub(super) fn has_full_batch(&self) -> bool {
        let take_backs = self.take_backs.as_ref().map_or(0, |lines| lines.len());
        self.lines
            .len()
            .max(self.line_quantities.len() / 2)
            .max(take_backs)
            >= BATCH
    }

    /// The lines since the last batch. The caller says whether they begin or end an object, or end a
    /// chunk.
    pub(super) fn take_batch(&mut self) -> LineBatch {
        let by_day = std::mem::take(&mut self.by_day);
        let today = (self.today.0, std::mem::take(&mut self.today.1));
        LineBatch {
            object: Arc::clone(&self.object),
            begins_chunk: !std::mem::replace(&mut self.has_given_batch, true),
            ends_chunk: false,
            begins_object: false,
            ends_object: false,
            quantity: QuantityPresence::default(),
            customers: self.customers.take_new(),
            products: self.products.take_new(),
            lines: std::mem::replace(&mut self.lines, Vec::with_capacity(BATCH)),
            report: std::mem::take(&mut self.report),
            text: std::mem::take(&mut self.text),
            times: self.days.take_seen(),
            excluded: self.excluded.named.met().to_vec(),
            anonymous: self.anonymous.named.met().to_vec(),
            filter_values: std::mem::take(&mut self.filter_values),
            undecided: std::mem::take(&mut self.undecided),
            line_quantities: replace_by_as_large(&mut self.line_quantities),
            tickets: std::mem::take(&mut self.tickets),
            take_backs: self.take_backs.as_mut().map(|lines| lines.take_new()),
            lines_by_day: by_day
                .into_iter()
                .chain([today])
                .filter(|(_, lines)| *lines != LinesOfDay::default())
                .collect(),
            bad_without_day: std::mem::take(&mut self.bad_without_day),
            hours: self.days.take_hours(),
            anonymous_sales: std::mem::take(&mut self.anonymous_sales),
            facts: self.facts.as_mut().map(|facts| facts.take_batch()),
        }
    }
}

/// Takes a list, and leaves an empty one with room for as many.
fn replace_by_as_large<T>(list: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(list.len());
    std::mem::replace(list, room)
}

fn reason_of_customer(fault: IdFault) -> RejectReason {
    match fault {
        // A line without a customer is a sale of nobody's, and no bad line.
        IdFault::Null => RejectReason::FractionalCustomer,
        IdFault::Fractional => RejectReason::FractionalCustomer,
        IdFault::Rounded => RejectReason::RoundedCustomer,
        IdFault::Scientific => RejectReason::ScientificCustomer,
        IdFault::Control => RejectReason::ControlCustomer,
        IdFault::NotText => RejectReason::CustomerNotText,
    }
}

fn reason_of_product(fault: IdFault) -> RejectReason {
    match fault {
        IdFault::Null => RejectReason::NullProduct,
        IdFault::Fractional => RejectReason::FractionalProduct,
        IdFault::Rounded => RejectReason::RoundedProduct,
        IdFault::Scientific => RejectReason::ScientificProduct,
        IdFault::Control => RejectReason::ControlProduct,
        IdFault::NotText => RejectReason::ProductNotText,
    }
}
