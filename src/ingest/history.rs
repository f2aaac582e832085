//! All lines so far: what chunks gave batch by batch, in their order, becomes the history.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Ingested;
use super::InputOptions;
use super::anonymous::{AnonymousCustomers, unmet_warning};
use super::columns::{ColumnRole, QuantityPresence, TicketTable};
use super::days::{ClockCheck, TimesSeen, far_after, gaps};
use super::dictionary::IdDictionary;
use super::excluded::ExcludedProducts;
use super::facts::FactsAssembler;
use super::feed::{FeedDays, HourCounts, LinesOfDay};
use super::filter_values::FilterValues;
use super::ids::IdKey;
use super::line_checker::{LineBatch, LineQuantity, UndecidedSale};
use super::lists::refuse_lists;
use super::netting::{self, AllTakeBacks, NO_TICKET, with_codes};
use super::overlap::OverlappingObjects;
use super::rejects::Rejects;
use super::report::{LinesFarAfter, Report};
use super::return_names::ReturnsByName;
use super::suspects::{self, Suspect};
use super::text_notes::TextNotes;
use super::time::{DateDecision, DecidedForms, TimeRules};
use crate::calendar::Day;
use crate::domain::Ids;
use crate::domain::words::in_shell;
use crate::error::Result;
use crate::purchases::{
    Facts, Line, MemoryLimit, PartitionedPurchases, PurchasesBuilder, RunQuantities,
};
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
    text: TextNotes,
    times: TimesSeen,
    excluded: ExcludedProducts,
    anonymous: AnonymousCustomers,
    filter_values: FilterValues,
    undecided: Vec<UndecidedSale>,
    /// Kept lines by day, from the first of [`Day::PLAUSIBLE`] on.
    by_day: Vec<u64>,
    /// Lines by day that are not kept.
    others_by_day: BTreeMap<Day, LinesOfDay>,
    /// The newest day so far: bad lines of objects without any day count on it.
    newest_day: Option<Day>,
    hours: Option<HourCounts>,
    /// Days of several objects, where there are several.
    overlapping: Option<OverlappingObjects>,
    /// Lines before the present object.
    lines_before: u64,
    /// Objects without a line.
    empty: Vec<String>,
    /// Objects with lines, with and without a column of quantities.
    with_quantity: u64,
    without_quantity: u64,
    first_without_quantity: Option<String>,
    /// A column that may have the quantities, by its name.
    like_quantity: Option<Arc<str>>,
    facts: Option<FactsAssembler>,
    returns_by_name: ReturnsByName,
    /// Lines that take something back, before the present object.
    returned_before: u64,
}

impl HistoryAssembler {
    /// Nothing yet.
    pub(super) fn new(options: &InputOptions, limit: Option<MemoryLimit>) -> Self {
        let quantities = netting::run_quantities(options);
        Self {
            customers: IdDictionary::new("customer"),
            products: IdDictionary::new(options.columns.table.products()),
            customer_codes: vec![],
            product_codes: vec![],
            builder: PurchasesBuilder::with_quantities(limit, quantities),
            quantities,
            take_backs: AllTakeBacks::default(),
            text: TextNotes::default(),
            report: Report {
                dates: options.decided.dates.clone(),
                ..Report::default()
            },
            times: TimesSeen::default(),
            excluded: ExcludedProducts::new(&options.exclude_products),
            anonymous: AnonymousCustomers::new(&options.anonymous),
            filter_values: FilterValues::default(),
            undecided: vec![],
            by_day: vec![0; (*Day::PLAUSIBLE.end() - *Day::PLAUSIBLE.start()) as usize + 1],
            others_by_day: BTreeMap::new(),
            newest_day: None,
            hours: None,
            overlapping: None,
            lines_before: 0,
            empty: vec![],
            with_quantity: 0,
            without_quantity: 0,
            first_without_quantity: None,
            like_quantity: None,
            facts: None,
            returns_by_name: ReturnsByName::default(),
            returned_before: 0,
        }
    }

    /// Compares the days of the objects that follow, since there are several.
    pub(super) fn compare_objects(&mut self) {
        self.overlapping.get_or_insert_default();
    }

    /// How many objects have been read to their end.
    pub(super) fn objects(&self) -> u64 {
        self.report.objects
    }

    /// Takes the lines that follow.
    ///
    /// # Errors
    /// If there are more ids than codes, or the history cannot be set aside.
    pub(super) fn add(&mut self, batch: LineBatch) -> Result<()> {
        if batch.begins_object {
            self.lines_before = self.report.lines_read;
            self.returned_before = self.report.returned;
        }
        if batch.begins_chunk {
            self.customer_codes.clear();
            self.product_codes.clear();
            self.take_backs.begin_chunk();
        }
        self.count_days(&batch.lines_by_day, batch.bad_without_day);
        if let Some(hours) = batch.hours {
            match &mut self.hours {
                Some(all) => all.merge(&hours),
                none => *none = Some(*hours),
            }
        }
        self.report.merge(batch.report);
        self.text.merge(batch.text);
        self.times.merge(batch.times);
        self.excluded.named.merge(&batch.excluded);
        self.anonymous.named.merge(&batch.anonymous);
        self.filter_values.merge(batch.filter_values);
        self.customers
            .merge(batch.customers, &mut self.customer_codes)?;
        self.products
            .merge(batch.products, &mut self.product_codes)?;
        let (customers, products) = (&self.customer_codes, &self.product_codes);
        if let Some(facts) = batch.facts {
            self.facts.get_or_insert_default().add(
                facts,
                batch.begins_chunk,
                customers,
                products,
            )?;
        }
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
        if let Some(overlapping) = &mut self.overlapping {
            let lines = batch.lines.iter();
            overlapping.add(lines.map(|line| with_codes(*line, customers, products)));
        }
        let lines = &batch.lines;
        self.builder.add(
            lines
                .iter()
                .map(|line| with_codes(*line, customers, products)),
        )?;
        self.add_quantities(&batch.lines, batch.line_quantities, batch.tickets)?;
        if let Some(take_backs) = batch.take_backs {
            self.take_backs.merge(take_backs)?;
        }
        if batch.ends_object {
            self.end_object(&batch.object, &batch.quantity);
        }
        Ok(())
    }

    fn count_days(&mut self, lines_by_day: &[(Day, LinesOfDay)], bad_without_day: u64) {
        let newest = lines_by_day.iter().map(|(day, _)| *day).max();
        self.newest_day = self.newest_day.max(newest);
        for (day, lines) in lines_by_day {
            count(&mut self.by_day, *day, lines.kept);
            if lines.returned + lines.bad > 0 {
                let others = LinesOfDay { kept: 0, ..*lines };
                self.others_by_day.entry(*day).or_default().merge(others);
            }
        }
        if let Some(day) = newest.or(self.newest_day).filter(|_| bad_without_day > 0) {
            self.others_by_day.entry(day).or_default().bad += bad_without_day;
        }
    }

    /// Takes what is known of the quantities of lines.
    fn add_quantities(
        &mut self,
        lines: &[Line],
        quantities: Vec<LineQuantity>,
        tickets: Vec<u64>,
    ) -> Result<()> {
        let mut tickets = tickets.into_iter();
        for sale in quantities {
            let line = lines[sale.line as usize];
            let line = with_codes(line, &self.customer_codes, &self.product_codes);
            let ticket = tickets.next().unwrap_or(NO_TICKET);
            let LineQuantity {
                quantity, in_run, ..
            } = sale;
            let record = self
                .quantities
                .record_of_sale(line, quantity, ticket, in_run);
            self.builder.record(record)?;
        }
        Ok(())
    }

    fn end_object(&mut self, object: &str, quantity: &QuantityPresence) {
        self.report.objects += 1;
        if let Some(overlapping) = &mut self.overlapping {
            overlapping.end(object);
        }
        self.customers.end(object);
        self.products.end(object);
        let are_sales = self.report.returned == self.returned_before;
        self.returns_by_name.end_object(object, are_sales);
        if self.report.lines_read == self.lines_before {
            self.report.empty_objects += 1;
            self.empty.push(object.to_owned());
        } else if *quantity == QuantityPresence::Present {
            self.with_quantity += 1;
        } else {
            self.without_quantity += 1;
            self.first_without_quantity
                .get_or_insert_with(|| object.to_owned());
            if let QuantityPresence::Like(name) = quantity {
                self.like_quantity.get_or_insert_with(|| Arc::clone(name));
            }
        }
    }

    /// Whether a line takes something back, and quantities were not noted so far.
    pub(super) fn lacks_quantities(&self, options: &InputOptions) -> bool {
        netting::lacks_quantities(options, &self.take_backs)
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
        if self.report.lines_read > 0 || !options.may_be_empty {
            self.report.judge(options.max_bad_share)?;
        }
        self.report.filter_notes = self.filter_values.warnings(options);
        self.report.is_filter_unmet = self.filter_values.has_unmet_filter(options);
        self.clock_check(options).refuse()?;
        std::mem::take(&mut self.take_backs).record(
            &self.customers,
            &self.products,
            &mut self.builder,
        )?;
        let mut warnings = self.warnings(options);
        let customers = take_dictionary(&mut self.customers).settle();
        let products = take_dictionary(&mut self.products).settle();
        refuse_lists(&products.ids, options.columns.name(ColumnRole::Product))?;
        if customers.merges() || products.merges() {
            self.builder = self.builder.recoded(|line| Line {
                customer: customers.one(line.customer),
                product: products.one(line.product),
                ..line
            })?;
        }
        self.net()?;
        // Headers are not sales: their lines are judged.
        if options.columns.table != TicketTable::Headers {
            self.set_far_lines_apart();
            let keep = options.keep_customers.iter();
            let kept: Vec<Option<u32>> = keep.map(|id| code_of(&customers.ids, id)).collect();
            self.find_suspects(&customers.ids, &kept)?;
            warnings.extend(warning_of_unknown(&options.keep_customers, &kept));
            warnings.extend(self.report.suspects.iter().map(Suspect::to_string));
            warnings.extend(self.report.far_after.as_ref().map(LinesFarAfter::to_string));
            warnings.extend(gaps::warning(&self.by_day, *Day::PLAUSIBLE.start()));
            warnings.extend(self.warning_of_partial_last_day());
            let quantity = options.columns.name(ColumnRole::Quantity);
            warnings.extend(self.warning_of_missing_quantities(quantity));
            warnings.extend(self.report.warning_of_zero_quantities());
            warnings.extend(self.returns_by_name.warning());
        }
        let product_ids = self.facts.as_ref().map(|_| products.ids.clone());
        let purchases = self.builder.finish(customers.ids, products.ids)?;
        let facts = match (self.facts, product_ids) {
            (Some(facts), Some(ids)) => {
                facts.finish(&customers.same, &products.same, &ids, &purchases)
            }
            _ => Facts::default(),
        };
        Ok(Ingested {
            purchases,
            facts,
            report: self.report,
            feed: FeedDays::new(
                *Day::PLAUSIBLE.start(),
                &self.by_day,
                self.others_by_day,
                self.hours,
            ),
            warnings,
            merged: None,
        })
    }

    /// Notes lines that lie far after all others: what is usual is told by the others alone.
    fn set_far_lines_apart(&mut self) {
        let first = *Day::PLAUSIBLE.start();
        self.report.far_after = far_after::find(&self.by_day, first);
        if let Some(far) = &self.report.far_after {
            let days = far.first - first;
            self.by_day.truncate(usize::try_from(days).unwrap_or(0));
        }
    }

    /// Leaves customers out who look like no person, unless someone asked to keep them.
    fn find_suspects(&mut self, customers: &Ids, kept: &[Option<u32>]) -> Result<()> {
        let totals = self.builder.customer_totals()?;
        let candidates = suspects::candidates(totals);
        if candidates.is_empty() {
            return Ok(());
        }
        let basket = suspects::mean_basket(totals, &candidates);
        let all_lines = totals.iter().map(|totals| u64::from(totals.lines)).sum();
        for code in candidates {
            if kept.contains(&Some(code)) {
                continue;
            }
            let customer = customers.text(code);
            let lines = self.builder.lines_of(code)?;
            let is_open = |day: Day| is_day_with_lines(&self.by_day, day);
            let suspect = suspects::judge(customer, &lines, is_open, all_lines, basket);
            if let Some(suspect) = suspect {
                self.builder.leave_out(code);
                self.report.suspects.push(suspect);
            }
        }
        Ok(())
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
                self.excluded.named.mark(excluded);
            }
        }
        Ok(())
    }

    /// The times that there were, beside the store's clock.
    fn clock_check<'a>(&'a self, options: &'a InputOptions) -> ClockCheck<'a> {
        ClockCheck {
            seen: &self.times,
            options,
        }
    }

    /// What the whole input's times tell of their form, if that decides something: then the input is
    /// read again. Dates whose order stays unknown are bad lines, if there are no more of them than
    /// may be.
    ///
    /// # Errors
    /// If more dates can be read in no order, or in several; or if a spreadsheet has swapped days
    /// and months.
    pub(super) fn decide_times(&self, options: &InputOptions) -> Result<Option<DecidedForms>> {
        let evidence = &self.times.evidence;
        if TimeRules::new(options).order().is_none() && evidence.uncertain_dates() > 0 {
            self.clock_check(options).refuse_swapped()?;
        }
        let decided = evidence.decide(options);
        match decided {
            Err(_)
                if self
                    .report
                    .may_be_bad(evidence.uncertain_dates(), options.max_bad_share) =>
            {
                Ok(None)
            }
            decided => decided,
        }
    }

    /// What a user should know. What was told of the headers of tickets is not told of their lines
    /// again.
    fn warnings(&self, options: &InputOptions) -> Vec<String> {
        let (is_headers, is_lines) = (
            options.columns.table == TicketTable::Headers,
            options.columns.table == TicketTable::Lines,
        );
        let mut warnings = vec![];
        if let Some(first) = self.empty.first() {
            let count = self.empty.len();
            warnings.push(match count {
                1 => format!("{first} has no lines"),
                _ => format!("{count} objects have no lines, for example {first}"),
            });
        }
        warnings.extend(self.text.warnings());
        if !is_lines {
            warnings.extend(self.report.dates.as_ref().map(DateDecision::to_string));
            warnings.extend(self.clock_check(options).warnings());
        }
        let overlapping = self.overlapping.as_ref();
        warnings.extend(overlapping.and_then(OverlappingObjects::warning));
        warnings.extend(overlapping.and_then(OverlappingObjects::warning_of_copies));
        if !is_lines {
            warnings.extend(self.customers.warnings());
            warnings.extend(self.anonymous.warning());
        }
        warnings.extend(self.products.warnings());
        if !is_headers {
            warnings.extend(self.excluded.warning());
        }
        warnings.extend(self.report.filter_notes.iter().cloned());
        let rejects = self.report.rejects.iter();
        warnings.extend(rejects.filter_map(Rejects::warning_of_ruined_ids));
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
        let like = self.like_quantity.as_deref();
        match (self.with_quantity, self.without_quantity) {
            (_, 0) => None,
            (0, _) => Some(format!(
                "there is no column \"{column}\": all lines count as sales, and no return can be dropped; {}",
                like.map_or_else(
                    || "name the column with --quantity".to_owned(),
                    |like| format!("the nearest is \"{like}\": --quantity {}", in_shell(like))
                )
            )),
            (with, without) => Some(format!(
                "{without} of {} objects have no column \"{column}\", the first is {}: all of their lines count as sales{}",
                with + without,
                self.first_without_quantity.as_deref().unwrap_or_default(),
                like.map_or_else(String::new, |like| format!(
                    "; if \"{like}\" is the same, name both in okuo.toml: quantity = [{column:?}, {like:?}] under [columns]"
                ))
            )),
        }
    }
}

/// The code of a customer who is named as the data write it; `None` if no line has the id. The ids are
/// in no order yet.
fn code_of(customers: &Ids, named: &str) -> Option<u32> {
    let named = named.trim_ascii();
    let position = match (customers, IdKey::of(named)) {
        // A column with nulls may write 7 as 7.0.
        (Ids::Integer(known), IdKey::Integer(id) | IdKey::WholeFloat(id)) => {
            known.iter().position(|known| *known == id)
        }
        (Ids::Integer(_), IdKey::Text(_)) => None,
        (Ids::Text(known), _) => known.iter().position(|known| known == named),
    };
    u32::try_from(position?).ok()
}

/// A warning of customers to keep whom no line names.
fn warning_of_unknown(keep: &[String], kept: &[Option<u32>]) -> Option<String> {
    let unknown = keep.iter().zip(kept).filter(|(_, code)| code.is_none());
    let unknown: Vec<&str> = unknown.map(|(id, _)| id.as_str()).collect();
    unmet_warning("--keep-customer", &unknown)
}

/// Takes a dictionary out of its place.
fn take_dictionary(dictionary: &mut IdDictionary) -> IdDictionary {
    std::mem::replace(dictionary, IdDictionary::new(""))
}

fn is_day_with_lines(by_day: &[u64], day: Day) -> bool {
    let at = usize::try_from(day - *Day::PLAUSIBLE.start()).ok();
    at.and_then(|at| by_day.get(at))
        .is_some_and(|lines| *lines > 0)
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
