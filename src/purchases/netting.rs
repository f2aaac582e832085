//! Netting: what was sold and taken back on the same day was not bought.
//!
//! Quantities are summed within a customer, day and product, and within the ticket too where tickets
//! are told apart. Such a **group** was bought if its sum is above 0. A product is in the basket of a
//! day if one of its groups was bought.
//!
//! A sorted run knows of no quantities: of a (customer, day, product) in it at least one line is a
//! sale. Quantities come from the [`QuantityLog`], in which only those are looked at that a line takes
//! back from.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use super::CustomerTotals;
use super::Line;
use super::builder::PurchasesBuilder;
use super::quantity_log::{PIECE, QuantityLog, QuantityRecord, RecordKind, RunQuantities};
use super::shard::{SHARD_COUNT, ShardRow, ShardRuns};
use super::sorted_run::{DayProduct, SortedRunWriter};
use super::spill::{MemoryLimit, SpillableBytes};
use crate::calendar::Day;
use crate::error::Result;

/// About how many bytes are known of quantities for each line that takes something back.
const TAKE_BACK_BYTES: u64 = 192;

/// How many bytes of that may be in memory at a time, if memory has no limit.
const AMOUNT_BYTES: u64 = 1 << 28;

/// How many lines were netted away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NettedLines {
    /// Sales that were taken back, by day.
    pub voided_sales: BTreeMap<Day, u64>,
    /// Lines that took something back from a sale of their day.
    pub voids: u64,
}

impl NettedLines {
    /// How many sales were taken back.
    #[must_use]
    pub fn voided_sales(&self) -> u64 {
        self.voided_sales.values().sum()
    }

    /// Adds those of other customers.
    pub(super) fn merge(&mut self, other: Self) {
        for (day, sales) in other.voided_sales {
            *self.voided_sales.entry(day).or_default() += sales;
        }
        self.voids += other.voids;
    }
}

impl PurchasesBuilder {
    /// Leaves out what was sold and taken back on the same day, if quantities are known.
    ///
    /// # Errors
    /// If nothing can be spilled, or what was spilled cannot be read.
    pub fn net(&mut self) -> Result<NettedLines> {
        let mut netted = NettedLines::default();
        if self.log.take_backs() == 0 || self.quantities == RunQuantities::Unknown {
            self.log = QuantityLog::default();
            return Ok(netted);
        }
        if !self.buffer.is_empty() {
            self.sort_buffer()?;
        }
        let log = std::mem::take(&mut self.log);
        let shards_at_a_time = self.shards_at_a_time(log.take_backs());
        for start in (0..SHARD_COUNT).step_by(shards_at_a_time) {
            let shards = start..SHARD_COUNT.min(start + shards_at_a_time);
            let amounts = contested_amounts(&log, shards.clone(), self.limit.as_ref())?;
            netted.merge(self.net_shards(shards, &amounts)?);
        }
        if netted.voided_sales() > 0 {
            self.look_who_is_left()?;
        }
        Ok(netted)
    }

    /// How many shards are netted at a time, so that what is known of their quantities has room in
    /// memory.
    fn shards_at_a_time(&self, take_backs: u64) -> usize {
        let room = self
            .limit
            .as_ref()
            .map_or(AMOUNT_BYTES, |limit| limit.bytes / 8);
        let all = take_backs.saturating_mul(TAKE_BACK_BYTES);
        let times = all.div_ceil(room.max(1)).clamp(1, SHARD_COUNT as u64);
        SHARD_COUNT / times as usize
    }

    /// Nets some shards, of which `amounts` are known.
    fn net_shards(&mut self, shards: Range<usize>, amounts: &[Amount]) -> Result<NettedLines> {
        let mut netted = NettedLines::default();
        let (quantities, limit) = (self.quantities, self.limit.as_ref());
        // As many as are worked on side by side: only their new runs are in memory.
        let at_a_time = rayon::current_num_threads().max(1);
        for start in shards.clone().step_by(at_a_time) {
            let some = start..shards.end.min(start + at_a_time);
            let runs = &mut self.shards[some.clone()];
            let of_shards = runs
                .par_iter_mut()
                .zip(some)
                .map(|(runs, shard)| {
                    let amounts = &amounts[range_of(amounts, |amount| amount.shard.cmp(&shard))];
                    net_shard(runs, amounts, quantities, limit)
                })
                .collect::<Result<Vec<_>>>()?;
            of_shards.into_iter().for_each(|lines| netted.merge(lines));
            if let Some(limit) = limit {
                for run in runs.iter_mut().flat_map(|shard| &mut shard.runs) {
                    run.spill(limit)?;
                }
            }
        }
        Ok(netted)
    }

    /// Sees anew which customers and products have lines in runs.
    fn look_who_is_left(&mut self) -> Result<()> {
        let (customers, products) = (self.customers.len(), self.product_seen.len());
        let none = || (vec![false; customers], vec![false; products]);
        let limit = self.limit.as_ref();
        let (customer_seen, product_seen) = self
            .shards
            .par_iter()
            .enumerate()
            .try_fold(none, |seen, (shard, runs)| {
                look_at_shard(seen, shard, runs, limit)
            })
            .try_reduce(none, |(mut customers, mut products), (more, others)| {
                mark(&mut customers, &more);
                mark(&mut products, &others);
                Ok((customers, products))
            })?;
        self.product_seen = product_seen;
        for (totals, is_seen) in self.customers.iter_mut().zip(customer_seen) {
            if !is_seen {
                *totals = CustomerTotals::default();
            }
        }
        Ok(())
    }
}

/// Marks the customers and products that a shard's runs have, by code.
fn look_at_shard(
    (mut customers, mut products): (Vec<bool>, Vec<bool>),
    shard: usize,
    runs: &ShardRuns,
    limit: Option<&MemoryLimit>,
) -> Result<(Vec<bool>, Vec<bool>)> {
    let mut pairs = vec![];
    for mut reader in runs.readers(limit)? {
        while let Some(row) = reader.next_row() {
            pairs.clear();
            reader.take(row, &mut pairs)?;
            let row = row as usize;
            customers[ShardRow { shard, row }.provisional_code() as usize] = true;
            for pair in &pairs {
                products[pair.product() as usize] = true;
            }
        }
    }
    Ok((customers, products))
}

/// Marks what others have marked, too.
fn mark(marks: &mut [bool], others: &[bool]) {
    for (mark, other) in marks.iter_mut().zip(others) {
        *mark |= other;
    }
}

/// What is known of a (customer, day, product) of which something was taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Amount {
    shard: usize,
    row: u32,
    pair: DayProduct,
    ticket: u64,
    /// In millionths.
    quantity: i64,
    sales: u32,
    take_backs: u32,
}

/// Leaves out of a shard's runs what was taken back, and makes one run of them.
fn net_shard(
    runs: &mut ShardRuns,
    amounts: &[Amount],
    quantities: RunQuantities,
    limit: Option<&MemoryLimit>,
) -> Result<NettedLines> {
    if amounts.is_empty() {
        return Ok(NettedLines::default());
    }
    let mut netter = ShardNetter {
        writer: SortedRunWriter::default(),
        amounts,
        quantities,
        lines: 0,
        purchases: 0,
        netted: NettedLines::default(),
    };
    let mut readers = runs.readers(limit)?;
    let mut pairs = vec![];
    while let Some(row) = readers.iter().filter_map(|reader| reader.next_row()).min() {
        pairs.clear();
        for reader in &mut readers {
            reader.take(row, &mut pairs)?;
        }
        pairs.sort_unstable();
        netter.add_row(row, &pairs);
    }
    drop(readers);
    let ShardNetter {
        writer,
        lines,
        purchases,
        netted,
        ..
    } = netter;
    *runs = ShardRuns {
        runs: vec![SpillableBytes::InMemory(writer.finish())],
        lines,
        purchases,
    };
    Ok(netted)
}

/// The amounts of all (customer, day, product) of some shards of which something was taken back,
/// sorted.
fn contested_amounts(
    log: &QuantityLog,
    shards: Range<usize>,
    limit: Option<&MemoryLimit>,
) -> Result<Vec<Amount>> {
    let mut contested = vec![];
    log.each(limit, |record| {
        if record.kind == RecordKind::TakeBack && shards.contains(&shard_of(record.line)) {
            contested.push(key_of(record.line));
        }
        Ok(())
    })?;
    contested.sort_unstable();
    contested.dedup();
    let mut amounts = Vec::with_capacity(contested.len());
    log.each(limit, |record| {
        if shards.contains(&shard_of(record.line))
            && contested.binary_search(&key_of(record.line)).is_ok()
        {
            amounts.push(Amount::of(&record));
        }
        Ok(())
    })?;
    amounts.par_sort_unstable();
    Ok(amounts)
}

fn shard_of(line: Line) -> usize {
    ShardRow::of(line.customer).shard
}

fn key_of(line: Line) -> (u32, DayProduct) {
    (line.customer, DayProduct::new(line.day, line.product))
}

impl Amount {
    fn of(record: &QuantityRecord) -> Self {
        let (customer, pair) = key_of(record.line);
        let ShardRow { shard, row } = ShardRow::of(customer);
        let (sales, take_backs) = match record.kind {
            RecordKind::Counted => (0, 0),
            RecordKind::Sales(sales) => (sales, 0),
            RecordKind::TakeBack => (0, 1),
        };
        Self {
            shard,
            row: row as u32,
            pair,
            ticket: record.ticket,
            quantity: record.quantity,
            sales,
            take_backs,
        }
    }
}

/// Writes the run of a shard without what was taken back.
struct ShardNetter<'a> {
    writer: SortedRunWriter,
    /// The amounts of this row and of those that follow.
    amounts: &'a [Amount],
    quantities: RunQuantities,
    /// Distinct (customer, day, product) that were written.
    lines: u64,
    purchases: u64,
    netted: NettedLines,
}

impl ShardNetter<'_> {
    /// Adds the sorted pairs of a customer, as often as runs have them.
    fn add_row(&mut self, row: u32, pairs: &[DayProduct]) {
        // Rows only come forward; of a row in between, runs have nothing.
        let range = range_of(self.amounts, |amount| amount.row.cmp(&row));
        let (of_row, others) = self.amounts[range.start..].split_at(range.len());
        self.amounts = others;
        let mut bought = Vec::with_capacity(pairs.len());
        for same in pairs.chunk_by(PartialEq::eq) {
            let amounts = &of_row[range_of(of_row, |amount| amount.pair.cmp(&same[0]))];
            if amounts.is_empty() || self.is_bought(amounts, same.len()) {
                bought.push(same[0]);
            }
        }
        if bought.is_empty() {
            return;
        }
        self.lines += bought.len() as u64;
        self.purchases += bought.chunk_by(DayProduct::is_same_day).count() as u64;
        self.writer.push(row, &bought);
    }

    /// Nets a (customer, day, product) that this many runs have, and counts its lines. Whether it was
    /// bought.
    fn is_bought(&mut self, amounts: &[Amount], in_runs: usize) -> bool {
        let (implied_sales, implied_quantity) = match self.quantities {
            RunQuantities::OnePiece => (in_runs as u64, in_runs as i128 * i128::from(PIECE)),
            RunQuantities::Recorded | RunQuantities::Unknown => (0, 0),
        };
        let mut is_bought = false;
        for group in amounts.chunk_by(|one, other| one.ticket == other.ticket) {
            let (mut sales, mut net, mut take_backs) = (implied_sales, implied_quantity, 0);
            for amount in group {
                sales += u64::from(amount.sales);
                net += i128::from(amount.quantity);
                take_backs += u64::from(amount.take_backs);
            }
            if sales == 0 {
                continue;
            }
            self.netted.voids += take_backs;
            if net > 0 {
                is_bought = true;
            } else if let Some(first) = group.first() {
                *self
                    .netted
                    .voided_sales
                    .entry(first.pair.day())
                    .or_default() += sales;
            }
        }
        is_bought
    }
}

/// Where those of sorted amounts are that compare as equal.
fn range_of(amounts: &[Amount], compare: impl Fn(&Amount) -> Ordering) -> Range<usize> {
    let start = amounts.partition_point(|amount| compare(amount) == Ordering::Less);
    let len = amounts[start..].partition_point(|amount| compare(amount) == Ordering::Equal);
    start..start + len
}

#[cfg(test)]
mod tests;
