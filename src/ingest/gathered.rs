//! All lines so far: what objects gave piece by piece, in their order.

use super::dictionary::Dictionary;
use super::lines::{Batch, Excluded};
use super::report::Report;
use super::time::DayResolver;
use crate::calendar::{Day, StoreClock};
use crate::error::Result;
use crate::purchases::{Line, MemoryLimit, PartitionedPurchases, PurchasesBuilder};

/// How many weeks before the last day are compared with it.
const WEEKS: i32 = 8;

/// Fewer weeks than these tell nothing.
const MIN_WEEKS: usize = 4;

/// Below this share of the median the last day looks partial.
const PARTIAL: f64 = 0.5;

/// What became of all lines so far.
#[derive(Debug)]
pub(super) struct Gathered {
    customers: Dictionary,
    products: Dictionary,
    /// The codes of the ids of the present piece.
    customer_codes: Vec<u32>,
    product_codes: Vec<u32>,
    builder: PurchasesBuilder,
    pub(super) report: Report,
    days: DayResolver,
    excluded: Excluded,
    /// Lines of a product like `211.0` where 211 is excluded: whether they mean it is known when
    /// all ids are.
    undecided: Vec<(Line, usize)>,
    /// Objects without a line.
    empty: Vec<String>,
    /// Kept lines by day, from the first of [`Day::PLAUSIBLE`] on.
    by_day: Vec<u64>,
}

impl Gathered {
    /// Nothing yet.
    pub(super) fn new(clock: StoreClock, excluded: &[String], limit: Option<MemoryLimit>) -> Self {
        Self {
            customers: Dictionary::new("customer"),
            products: Dictionary::new("product"),
            customer_codes: vec![],
            product_codes: vec![],
            builder: PurchasesBuilder::new(limit),
            report: Report::default(),
            days: DayResolver::new(clock),
            excluded: Excluded::new(excluded),
            undecided: vec![],
            empty: vec![],
            by_day: vec![0; (*Day::PLAUSIBLE.end() - *Day::PLAUSIBLE.start()) as usize + 1],
        }
    }

    /// The batches that follow are of another piece.
    pub(super) fn begin(&mut self) {
        self.customer_codes.clear();
        self.product_codes.clear();
    }

    /// Takes the lines that follow.
    ///
    /// # Errors
    /// If there are more ids than codes, or the history cannot be set aside.
    pub(super) fn absorb(&mut self, batch: Batch) -> Result<()> {
        let Batch {
            customers,
            products,
            lines,
            report,
            times,
            excluded,
            undecided,
            kept_by_day,
        } = batch;
        for (day, lines) in kept_by_day {
            count(&mut self.by_day, day, lines);
        }
        self.report.absorb(report);
        self.days.absorb(times);
        self.excluded.absorb(&excluded);
        self.customers.absorb(customers, &mut self.customer_codes)?;
        self.products.absorb(products, &mut self.product_codes)?;
        // Every code of a piece is one of its ids'.
        let (customers, products) = (&self.customer_codes, &self.product_codes);
        let here = |line: Line| Line {
            customer: customers[line.customer as usize],
            product: products[line.product as usize],
            ..line
        };
        self.undecided
            .extend(undecided.into_iter().map(|(line, at)| (here(line), at)));
        self.builder.add(lines.into_iter().map(here))
    }

    /// The object whose lines were taken has ended.
    pub(super) fn end(&mut self, object: &str, is_empty: bool) {
        self.report.objects += 1;
        self.customers.end(object);
        self.products.end(object);
        if is_empty {
            self.report.empty_objects += 1;
            self.empty.push(object.to_owned());
        }
    }

    /// Decides on the lines that waited for all ids to be known.
    ///
    /// # Errors
    /// If the history cannot be set aside.
    pub(super) fn decide(&mut self) -> Result<()> {
        let text = self.products.is_text();
        for (line, at) in std::mem::take(&mut self.undecided) {
            if text {
                self.report.kept += 1;
                count(&mut self.by_day, line.day, 1);
                self.builder.add([line])?;
            } else {
                self.report.excluded += 1;
                self.excluded.mark(at);
            }
        }
        Ok(())
    }

    /// The history.
    ///
    /// # Errors
    /// If it cannot be set aside, or be brought back.
    pub(super) fn finish(self) -> Result<(PartitionedPurchases, Report)> {
        let (customers, products) = (self.customers.settle(), self.products.settle());
        let mut builder = self.builder;
        if customers.merges() || products.merges() {
            builder = builder.recoded(|line| Line {
                customer: customers.one(line.customer),
                product: products.one(line.product),
                ..line
            })?;
        }
        Ok((builder.finish(customers.ids, products.ids)?, self.report))
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

fn count(by_day: &mut [u64], day: Day, lines: u64) {
    if let Some(count) = by_day.get_mut((day - *Day::PLAUSIBLE.start()) as usize) {
        *count += lines;
    }
}
