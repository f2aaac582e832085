//! From lines in any order to purchases, without ever holding all lines.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rayon::prelude::*;

use super::anonymous::{AnonymousSale, AnonymousSales};
use super::partitioned::PartitionedPurchases;
use super::quantity_log::{
    Millionths, PIECE, QuantityLog, QuantityRecord, RecordKind, RunQuantities,
};
use super::shard::{SHARD_COUNT, ShardRow, ShardRuns};
use super::sorted_run::{DayProduct, SortedRunReader, SortedRunWriter};
use super::spill::{MemoryLimit, SpillableBytes};
use super::{Ids, Line};
use crate::calendar::Day;
use crate::error::{Error, Result};

/// Bytes that a buffered line takes: 12 as a line, and 8 as a pair while it is sorted.
const BUFFERED_LINE_BYTES: u64 = 20;

/// The fewest and the most lines in the buffer. The most only where they take an eighth of the
/// memory limit or less.
const BUFFERED_LINES: RangeInclusive<usize> = 1 << 18..=1 << 22;

/// How many lines a customer are buffered, within [`BUFFERED_LINES`]: each sort walks all
/// customers, so more customers need a larger buffer.
const BUFFERED_LINES_PER_CUSTOMER: usize = 4;

/// Builds a history from lines in any order. The lines' codes are positions in ids that are known
/// at the end.
#[derive(Debug)]
pub struct PurchasesBuilder {
    pub(super) limit: Option<MemoryLimit>,
    pub(super) buffer: Vec<Line>,
    /// Room for sorting the buffer.
    pairs: Vec<DayProduct>,
    pub(super) shards: Vec<ShardRuns>,
    pub(super) quantities: RunQuantities,
    pub(super) log: QuantityLog,
    /// Bytes of the runs and of the log that are in memory.
    bytes_in_memory: usize,
    /// One more than the largest code of a customer.
    customer_codes: usize,
    /// One more than the largest code of a product.
    product_codes: usize,
    /// What the runs have of each customer, by code.
    pub(super) customers: Vec<CustomerTotals>,
    /// Which products have a line in a run, by code.
    pub(super) product_seen: Vec<bool>,
    /// What nobody in particular bought.
    anonymous: BTreeMap<(Day, u32), u32>,
}

impl PurchasesBuilder {
    /// An empty history, of lines of which none takes anything back.
    #[must_use]
    pub fn new(limit: Option<MemoryLimit>) -> Self {
        Self::with_quantities(limit, RunQuantities::Unknown)
    }

    /// An empty history.
    #[must_use]
    pub fn with_quantities(limit: Option<MemoryLimit>, quantities: RunQuantities) -> Self {
        Self {
            limit,
            buffer: vec![],
            pairs: vec![],
            shards: (0..SHARD_COUNT).map(|_| ShardRuns::default()).collect(),
            quantities,
            log: QuantityLog::default(),
            bytes_in_memory: 0,
            customer_codes: 0,
            product_codes: 0,
            customers: vec![],
            product_seen: vec![],
            anonymous: BTreeMap::new(),
        }
    }

    /// Adds lines of a product on a day that have no customer.
    pub fn add_anonymous(&mut self, day: Day, product: u32, lines: u32) {
        self.product_codes = self.product_codes.max(product as usize + 1);
        let sold = self.anonymous.entry((day, product)).or_default();
        *sold = sold.saturating_add(lines);
    }

    /// Adds lines.
    ///
    /// # Errors
    /// If there is no room in memory and nothing can be spilled.
    pub fn add(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<()> {
        for line in lines {
            self.customer_codes = self.customer_codes.max(line.customer as usize + 1);
            self.product_codes = self.product_codes.max(line.product as usize + 1);
            self.buffer.push(line);
            if self.buffer.len() >= *BUFFERED_LINES.start()
                && self.buffer.len() >= self.buffer_capacity()
            {
                self.sort_buffer()?;
            }
        }
        Ok(())
    }

    /// Records quantities, for [`PurchasesBuilder::net`]. What is recorded of a sale comes in addition
    /// to its line.
    ///
    /// # Errors
    /// If there is no room in memory and nothing can be spilled.
    pub fn record(&mut self, records: impl IntoIterator<Item = QuantityRecord>) -> Result<()> {
        for record in records {
            if self.log.push(&record) {
                self.bytes_in_memory += QuantityLog::part_bytes();
                self.spill_runs()?;
            }
        }
        Ok(())
    }

    /// How many lines may be buffered, apart from the least number.
    fn buffer_capacity(&self) -> usize {
        let limit = self
            .limit
            .as_ref()
            .map_or(u64::MAX, |limit| limit.bytes / BUFFERED_LINE_BYTES / 8);
        (self.customer_codes * BUFFERED_LINES_PER_CUSTOMER)
            .min(*BUFFERED_LINES.end())
            .min(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// Turns the buffered lines into sorted runs, one a shard.
    ///
    /// A counting sort brings the lines of a customer together, and the customers of a shard. Then
    /// each customer's pairs are sorted by comparison, the shards side by side.
    pub(super) fn sort_buffer(&mut self) -> Result<()> {
        let mut ends = self.count_lines();
        self.customers
            .resize(self.customer_codes, CustomerTotals::default());
        let bounds = counts_to_ends(&mut ends);
        let starts = self.group_by_customer(ends);
        let runs: Vec<NewRun> = split_at_bounds(&mut self.pairs, &bounds)
            .into_par_iter()
            .enumerate()
            .map(|(shard, pairs)| sort_shard(shard, bounds[shard], pairs, &starts))
            .collect();
        for (shard, run) in runs.into_iter().enumerate() {
            for (row, totals) in run.customers {
                let row = row as usize;
                let code = ShardRow { shard, row }.provisional_code();
                self.customers[code as usize].add(totals);
            }
            let shard = &mut self.shards[shard];
            if run.lines > 0 {
                self.bytes_in_memory += run.bytes.len();
                shard.runs.push(SpillableBytes::InMemory(run.bytes));
                shard.lines += run.lines;
                shard.purchases += run.purchases;
            }
            if self.quantities == RunQuantities::OnePiece {
                run.repeated.each_in_memory(|repeat| {
                    self.log.push(&repeat);
                    Ok(())
                })?;
            }
        }
        self.spill_runs()
    }

    /// Counts the buffered lines of each customer, and marks the products that they name as seen.
    fn count_lines(&mut self) -> Vec<u32> {
        let mut counts = vec![0_u32; self.customer_codes];
        self.product_seen.resize(self.product_codes, false);
        for line in &self.buffer {
            counts[line.customer as usize] += 1;
            self.product_seen[line.product as usize] = true;
        }
        counts
    }

    /// Moves the buffered lines to `pairs`, those of a customer to before its end. Returns where
    /// the pairs of each customer begin.
    fn group_by_customer(&mut self, mut ends: Vec<u32>) -> Vec<u32> {
        self.pairs.resize(self.buffer.len(), DayProduct::default());
        // From the last line to the first, so that lines that came in order stay in order.
        for line in self.buffer.iter().rev() {
            let end = &mut ends[line.customer as usize];
            *end -= 1;
            self.pairs[*end as usize] = DayProduct::new(line.day, line.product);
        }
        self.buffer.clear();
        ends
    }

    /// Spills the runs in memory if they take more than a quarter of the memory limit.
    fn spill_runs(&mut self) -> Result<()> {
        let Some(limit) = &self.limit else {
            return Ok(());
        };
        if self.bytes_in_memory as u64 > limit.bytes / 4 {
            self.bytes_in_memory = 0;
            for run in self.shards.iter_mut().flat_map(|shard| &mut shard.runs) {
                run.spill(limit)?;
            }
            self.log.spill(limit)?;
        }
        Ok(())
    }

    /// The same lines under other codes.
    ///
    /// # Errors
    /// If nothing can be spilled, or a spilled run cannot be read.
    pub fn recoded(mut self, recode: impl Fn(Line) -> Line) -> Result<Self> {
        let mut recoded = Self::with_quantities(self.limit.clone(), self.quantities);
        recoded.add(std::mem::take(&mut self.buffer).into_iter().map(&recode))?;
        std::mem::take(&mut self.log).each(self.limit.as_ref(), |record| {
            let line = recode(record.line);
            recoded.record([QuantityRecord { line, ..record }])
        })?;
        for (shard, runs) in self.shards.iter().enumerate() {
            for run in &runs.runs {
                let mut reader = SortedRunReader::new(run.bytes(self.limit.as_ref())?)?;
                let mut pairs = vec![];
                while let Some(row) = reader.next_row() {
                    pairs.clear();
                    reader.take(row, &mut pairs)?;
                    let row = row as usize;
                    let customer = ShardRow { shard, row }.provisional_code();
                    recoded.add(pairs.iter().map(|pair| recode(pair.line(customer))))?;
                }
            }
        }
        for ((day, product), lines) in self.anonymous {
            let line = recode(Line {
                customer: 0,
                day,
                product,
            });
            recoded.add_anonymous(day, line.product, lines);
        }
        Ok(recoded)
    }

    /// How much each customer bought, by code; at least that, where lines are repeated.
    ///
    /// # Errors
    /// If nothing can be spilled.
    pub fn customer_totals(&mut self) -> Result<&[CustomerTotals]> {
        if !self.buffer.is_empty() {
            self.sort_buffer()?;
        }
        Ok(&self.customers)
    }

    /// The distinct (day, product) of a customer, ascending.
    ///
    /// # Errors
    /// If a spilled run cannot be read.
    pub fn lines_of(&self, customer: u32) -> Result<Vec<(Day, u32)>> {
        let ShardRow { shard, row } = ShardRow::of(customer);
        let mut pairs = vec![];
        let mut others = vec![];
        for run in &self.shards[shard].runs {
            let mut reader = SortedRunReader::new(run.bytes(self.limit.as_ref())?)?;
            while let Some(next) = reader.next_row().filter(|next| *next as usize <= row) {
                let is_wanted = next as usize == row;
                reader.take(next, if is_wanted { &mut pairs } else { &mut others })?;
                others.clear();
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        Ok(pairs
            .iter()
            .map(|pair| (pair.day(), pair.product()))
            .collect())
    }

    /// Leaves a customer out of the history, with all lines.
    pub fn leave_out(&mut self, customer: u32) {
        if let Some(totals) = self.customers.get_mut(customer as usize) {
            *totals = CustomerTotals::default();
        }
    }

    /// The history. Its customers and products are those that a line names, by ascending id.
    ///
    /// # Errors
    /// If a line's code is not in the ids, or nothing can be spilled.
    pub fn finish(mut self, customers: Ids, products: Ids) -> Result<PartitionedPurchases> {
        if !self.buffer.is_empty() {
            self.sort_buffer()?;
        }
        (self.buffer, self.pairs) = (vec![], vec![]);
        if self.customer_codes > customers.len() || self.product_codes > products.len() {
            return Err(Error::system(
                "a line names a customer or product that is not in the dictionary",
            ));
        }
        self.product_seen.resize(self.product_codes, false);
        for (_, product) in self.anonymous.keys() {
            self.product_seen[*product as usize] = true;
        }
        let customer_seen = self
            .customers
            .iter()
            .map(|totals| totals.lines > 0)
            .collect();
        let (customers, customer_codes) = retain_seen(customers, customer_seen);
        let (products, product_codes) = retain_seen(products, self.product_seen);
        let product_codes = inverse(&product_codes);
        let anonymous = self.anonymous.into_iter().map(|((day, product), lines)| {
            let product = product_codes[product as usize];
            AnonymousSale {
                day,
                product,
                lines,
            }
        });
        Ok(PartitionedPurchases {
            anonymous: Arc::new(AnonymousSales::new(anonymous.collect())),
            rows: rows_by_shard(&customer_codes),
            customers: Arc::new(customers),
            provisional_codes: Arc::new(customer_codes),
            products: Arc::new(products),
            product_codes,
            shards: self.shards,
            limit: self.limit,
        })
    }
}

/// Turns the number of lines of each customer into the position at which they end, customers in the
/// order of shards and of rows in them. Returns the positions at which shards begin and end.
fn counts_to_ends(counts: &mut [u32]) -> Vec<usize> {
    let mut bounds = vec![0];
    let mut end = 0;
    for shard in 0..SHARD_COUNT {
        for count in counts.iter_mut().skip(shard).step_by(SHARD_COUNT) {
            end += *count;
            *count = end;
        }
        bounds.push(end as usize);
    }
    bounds
}

/// The slices between neighbouring bounds, of which the first is 0.
fn split_at_bounds<'a, T>(mut rest: &'a mut [T], bounds: &[usize]) -> Vec<&'a mut [T]> {
    let mut slices = Vec::with_capacity(bounds.len() - 1);
    for bound in bounds.windows(2) {
        let (slice, tail) = rest.split_at_mut(bound[1] - bound[0]);
        slices.push(slice);
        rest = tail;
    }
    slices
}

/// A sorted run with what is in it.
struct NewRun {
    bytes: Vec<u8>,
    /// Distinct (customer, day, product).
    lines: u64,
    purchases: u64,
    /// What it has of each customer, by the customer's row.
    customers: Vec<(u32, CustomerTotals)>,
    /// Lines that repeat another, as sales of one piece.
    repeated: QuantityLog,
}

/// How much a customer bought, as a sum over runs: what is in several runs counts several times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CustomerTotals {
    /// Purchases.
    pub purchases: u32,
    /// Distinct (day, product).
    pub lines: u32,
}

impl CustomerTotals {
    fn add(&mut self, more: Self) {
        self.purchases = self.purchases.saturating_add(more.purchases);
        self.lines = self.lines.saturating_add(more.lines);
    }
}

/// Sorts the pairs of a shard and writes them as a run. Those of the customer with code `c` begin
/// at `starts[c] - base`.
fn sort_shard(shard: usize, base: usize, pairs: &mut [DayProduct], starts: &[u32]) -> NewRun {
    let mut writer = SortedRunWriter::default();
    let (mut lines, mut purchases, mut distinct) = (0, 0, vec![]);
    let mut customers = vec![];
    let mut repeated = QuantityLog::default();
    let mut starts = starts
        .iter()
        .skip(shard)
        .step_by(SHARD_COUNT)
        .map(|start| *start as usize - base)
        .zip(0_u32..)
        .peekable();
    while let Some((start, row)) = starts.next() {
        let end = starts.peek().map_or(pairs.len(), |(next, _)| *next);
        let of_customer = &mut pairs[start..end];
        if of_customer.is_empty() {
            continue;
        }
        of_customer.sort_unstable();
        distinct.clear();
        distinct.extend(of_customer.iter().copied());
        distinct.dedup();
        if distinct.len() < of_customer.len() {
            let row = row as usize;
            let customer = ShardRow { shard, row }.provisional_code();
            for repeat in repeats(customer, of_customer) {
                repeated.push(&repeat);
            }
        }
        let totals = CustomerTotals {
            purchases: writer.push(row, &distinct) as u32,
            lines: distinct.len() as u32,
        };
        lines += u64::from(totals.lines);
        purchases += u64::from(totals.purchases);
        customers.push((row, totals));
    }
    NewRun {
        bytes: writer.finish(),
        lines,
        purchases,
        customers,
        repeated,
    }
}

/// The lines that repeat another among the sorted pairs of a customer.
fn repeats(customer: u32, pairs: &[DayProduct]) -> impl Iterator<Item = QuantityRecord> {
    let repeated = pairs.chunk_by(PartialEq::eq).filter(|same| same.len() > 1);
    repeated.map(move |same| {
        let more = same.len() - 1;
        QuantityRecord {
            line: same[0].line(customer),
            ticket: 0,
            quantity: more as Millionths * PIECE,
            kind: RecordKind::Sales(more as u32),
        }
    })
}

/// The ids that were seen, ascending, and the position of each in `ids`.
fn retain_seen(ids: Ids, mut seen: Vec<bool>) -> (Ids, Vec<u32>) {
    seen.resize(ids.len(), false);
    let (ids, ranks) = ids.sorted();
    let mut positions = inverse(&ranks);
    let keep: Vec<bool> = positions.iter().map(|at| seen[*at as usize]).collect();
    positions.retain(|at| seen[*at as usize]);
    (ids.retain(&keep), positions)
}

/// Where each number stands in a list of distinct numbers; 0 for one that is not in it.
fn inverse(numbers: &[u32]) -> Vec<u32> {
    let len = numbers.iter().max().map_or(0, |most| *most as usize + 1);
    let mut positions = vec![0; len];
    for (position, number) in (0..).zip(numbers) {
        positions[*number as usize] = position;
    }
    positions
}

/// How many rows each shard needs for the customers with these codes.
fn rows_by_shard(provisional_codes: &[u32]) -> [usize; SHARD_COUNT] {
    let mut rows = [0; SHARD_COUNT];
    for code in provisional_codes {
        let ShardRow { shard, row } = ShardRow::of(*code);
        rows[shard] = rows[shard].max(row + 1);
    }
    rows
}
