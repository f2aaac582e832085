//! All lines so far: what chunks gave batch by batch, in their order, becomes the history.

use super::Ingested;
use super::InputOptions;
use super::columns::ColumnRole;
use super::days::DayResolver;
use super::dictionary::IdDictionary;
use super::excluded::ExcludedProducts;
use super::line_checker::{LineBatch, LineQuantity, UndecidedSale};
use super::netting::{self, AllTakeBacks, NO_TICKET, with_codes};
use super::report::Report;
use crate::calendar::Day;
use crate::error::Result;
use crate::purchases::{Line, MemoryLimit, PartitionedPurchases, PurchasesBuilder, RunQuantities};
use crate::stats;

/// How many weeks before the last day are compared with it.
const WEEKS: usize = 8;

/// Fewer weeks than these tell nothing.
const MIN_WEEKS: usize = 4;

/// Below this share of the median the last day looks partial.
const PARTIAL: f64 = 0.5;

/// Assembles the history from the lines of all objects.
#[derive(Debug)]
pub(super) struct HistoryAssembler {
    customers: IdDictionary,
    products: IdDictionary,
    /// The codes here of the ids of the present chunk.
    customer_codes: Vec<u32>,
    product_codes: Vec<u32>,
    builder: PurchasesBuilder,
    quantities: RunQuantities,
    take_backs: AllTakeBacks,
    report: Report,
    days: DayResolver,
    excluded: ExcludedProducts,
    undecided: Vec<UndecidedSale>,
    /// Kept lines by day, from the first of [`Day::PLAUSIBLE`] on.
    by_day: Vec<u64>,
    /// Lines before the present object.
    lines_before: u64,
    /// Objects without a line.
    empty: Vec<String>,
    /// Objects with lines, with and without a column of quantities.
    with_quantity: u64,
    without_quantity: u64,
    first_without_quantity: Option<String>,
}

impl HistoryAssembler {
    /// Nothing yet.
    pub(super) fn new(options: &InputOptions, limit: Option<MemoryLimit>) -> Self {
        let quantities = netting::run_quantities(options);
        Self {
            customers: IdDictionary::new("customer"),
            products: IdDictionary::new("product"),
            customer_codes: vec![],
            product_codes: vec![],
            builder: PurchasesBuilder::with_quantities(limit, quantities),
            quantities,
            take_backs: AllTakeBacks::default(),
            report: Report::default(),
            days: DayResolver::new(options.clock),
            excluded: ExcludedProducts::new(&options.exclude_products),
            undecided: vec![],
            by_day: vec![0; (*Day::PLAUSIBLE.end() - *Day::PLAUSIBLE.start()) as usize + 1],
            lines_before: 0,
            empty: vec![],
            with_quantity: 0,
            without_quantity: 0,
            first_without_quantity: None,
        }
    }

    /// Takes the lines that follow.
    ///
    /// # Errors
    /// If there are more ids than codes, or the history cannot be set aside.
    pub(super) fn add(&mut self, batch: LineBatch) -> Result<()> {
        if batch.begins_object {
            self.lines_before = self.report.lines_read;
        }
        if batch.begins_chunk {
            self.customer_codes.clear();
            self.product_codes.clear();
            self.take_backs.begin_chunk();
        }
        for (day, lines) in batch.kept_by_day {
            count(&mut self.by_day, day, lines);
        }
        self.report.merge(batch.report);
        self.days.merge(batch.times);
        self.excluded.merge(&batch.excluded);
        self.customers
            .merge(batch.customers, &mut self.customer_codes)?;
        self.products
            .merge(batch.products, &mut self.product_codes)?;
        let (customers, products) = (&self.customer_codes, &self.product_codes);
        for ((day, product), lines) in batch.anonymous_sales {
            self.builder
                .add_anonymous(day, products[product as usize], lines);
        }
        self.undecided.extend(
            batch
                .undecided
                .into_iter()
                .map(|sale| sale.with_line(with_codes(sale.line, customers, products))),
        );
        let lines = &batch.lines;
        self.builder.add(
            lines
                .iter()
                .map(|line| with_codes(*line, customers, products)),
        )?;
        let mut tickets = batch.tickets.into_iter();
        for sale in batch.line_quantities {
            let line = with_codes(lines[sale.line as usize], customers, products);
            let ticket = tickets.next().unwrap_or(NO_TICKET);
            let LineQuantity {
                quantity, in_run, ..
            } = sale;
            let record = self
                .quantities
                .record_of_sale(line, quantity, ticket, in_run);
            self.builder.record(record)?;
        }
        if let Some(take_backs) = batch.take_backs {
            self.take_backs.merge(take_backs)?;
        }
        if batch.ends_object {
            self.end_object(&batch.object, batch.has_quantity);
        }
        Ok(())
    }

    fn end_object(&mut self, object: &str, has_quantity: bool) {
        self.report.objects += 1;
        self.customers.end(object);
        self.products.end(object);
        if self.report.lines_read == self.lines_before {
            self.report.empty_objects += 1;
            self.empty.push(object.to_owned());
        } else if has_quantity {
            self.with_quantity += 1;
        } else {
            self.without_quantity += 1;
            self.first_without_quantity
                .get_or_insert_with(|| object.to_owned());
        }
    }

    /// Judges all lines, and builds the history.
    ///
    /// # Errors
    /// If there is no line, too many are bad, or the history cannot be set aside or brought back.
    pub(super) fn finish(
        mut self,
        options: &InputOptions,
    ) -> Result<Ingested<PartitionedPurchases>> {
        self.settle_undecided()?;
        self.report.judge(options.max_bad_share)?;
        std::mem::take(&mut self.take_backs).record(
            &self.customers,
            &self.products,
            &mut self.builder,
        )?;
        let mut warnings = self.warnings();
        let customers = take_dictionary(&mut self.customers).settle();
        let products = take_dictionary(&mut self.products).settle();
        if customers.merges() || products.merges() {
            self.builder = self.builder.recoded(|line| Line {
                customer: customers.one(line.customer),
                product: products.one(line.product),
                ..line
            })?;
        }
        self.net()?;
        warnings.extend(self.warning_of_partial_last_day());
        let quantity = options.columns.name(ColumnRole::Quantity);
        warnings.extend(self.warning_of_missing_quantities(quantity));
        Ok(Ingested {
            purchases: self.builder.finish(customers.ids, products.ids)?,
            report: self.report,
            warnings,
        })
    }

    /// Leaves out what was sold and taken back on the same day.
    fn net(&mut self) -> Result<()> {
        let netted = self.builder.net()?;
        for (day, lines) in &netted.voided_sales {
            discount(&mut self.by_day, *day, *lines);
        }
        netting::count_netted(&mut self.report, &netted);
        Ok(())
    }

    /// Keeps or drops the lines that waited until all ids were known.
    fn settle_undecided(&mut self) -> Result<()> {
        let is_text = self.products.is_text();
        for sale in std::mem::take(&mut self.undecided) {
            let UndecidedSale {
                line,
                excluded,
                quantity,
                ticket,
            } = sale;
            if is_text {
                self.report.kept += 1;
                count(&mut self.by_day, line.day, 1);
                self.builder.add([line])?;
                let record = self.quantities.record_of_sale(line, quantity, ticket, true);
                self.builder.record(record)?;
            } else {
                self.report.excluded += 1;
                self.excluded.mark(excluded);
            }
        }
        Ok(())
    }

    /// What a user should know of objects, days and ids.
    fn warnings(&self) -> Vec<String> {
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
        warnings
    }

    /// A warning if the last day has far fewer lines than its weekday had in the weeks before.
    fn warning_of_partial_last_day(&self) -> Option<String> {
        let first = self.by_day.iter().position(|lines| *lines > 0)?;
        let last = self.by_day.iter().rposition(|lines| *lines > 0)?;
        let before: Vec<f64> = (1..=WEEKS)
            .filter_map(|week| last.checked_sub(7 * week).filter(|at| *at >= first))
            .filter_map(|at| self.by_day.get(at))
            .map(|lines| *lines as f64)
            .collect();
        if before.len() < MIN_WEEKS {
            return None;
        }
        let median = stats::median(before)?;
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

    /// A warning if objects have no column of quantities.
    fn warning_of_missing_quantities(&self, column: &str) -> Option<String> {
        match (self.with_quantity, self.without_quantity) {
            (_, 0) => None,
            (0, _) => Some(format!(
                "there is no column \"{column}\": all lines count as sales, and no return can be dropped; name the column with --quantity"
            )),
            (with, without) => Some(format!(
                "{without} of {} objects have no column \"{column}\", the first is {}: all of their lines count as sales",
                with + without,
                self.first_without_quantity.as_deref().unwrap_or_default()
            )),
        }
    }
}

/// Takes a dictionary out of its place.
fn take_dictionary(dictionary: &mut IdDictionary) -> IdDictionary {
    std::mem::replace(dictionary, IdDictionary::new(""))
}

fn count(by_day: &mut [u64], day: Day, lines: u64) {
    if let Some(count) = by_day.get_mut((day - *Day::PLAUSIBLE.start()) as usize) {
        *count += lines;
    }
}

fn discount(by_day: &mut [u64], day: Day, lines: u64) {
    if let Some(count) = by_day.get_mut((day - *Day::PLAUSIBLE.start()) as usize) {
        *count = count.saturating_sub(lines);
    }
}
