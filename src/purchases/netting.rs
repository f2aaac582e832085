//! Netting: what was sold and taken back on the same day was not bought.
//!
//! Quantities are summed within a customer, day and product, and within the ticket too where tickets
//! are told apart. Such a **group** was bought if its sum is above 0. A product is in the basket of a
//! day if one of its groups was bought.
//!
//! A sorted run knows of no quantities: of a (customer, day, product) in it at least one line is a
//! sale. Quantities come from the [`QuantityLog`] of the shard, in which only those are looked at
//! that a line takes back from.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::builder::{PurchasesBuilder, empty_logs};
use super::quantity_log::{PIECE, QuantityLog, RecordKind, RunQuantities};
use super::shard::{SHARD_COUNT, ShardRow, ShardRuns};
use super::sorted_run::{DayProduct, SortedRunWriter};
use super::spill::{MemoryLimit, SpillableBytes};
use crate::calendar::Day;
use crate::error::Result;

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
    /// Leaves out what was sold and taken back on the same day. Costs nothing if no line takes
    /// anything back.
    ///
    /// # Errors
    /// If nothing can be spilled, or what was spilled cannot be read.
    pub fn net(&mut self) -> Result<NettedLines> {
        let mut netted = NettedLines::default();
        if self.logs.iter().all(|log| log.take_backs() == 0) {
            self.logs = empty_logs();
            return Ok(netted);
        }
        if !self.buffer.is_empty() {
            self.sort_buffer()?;
        }
        let (quantities, limit) = (self.quantities, self.limit.clone());
        let mut logs = std::mem::replace(&mut self.logs, empty_logs());
        // Some shards at a time, so that not all of them have to be in memory.
        let at_a_time = rayon::current_num_threads().clamp(1, SHARD_COUNT);
        for (shards, logs) in self
            .shards
            .chunks_mut(at_a_time)
            .zip(logs.chunks_mut(at_a_time))
        {
            let of_shards = shards
                .par_iter_mut()
                .zip(logs)
                .map(|(shard, log)| {
                    net_shard(shard, &std::mem::take(log), quantities, limit.as_ref())
                })
                .collect::<Result<Vec<_>>>()?;
            of_shards.into_iter().for_each(|lines| netted.merge(lines));
            if let Some(limit) = &limit {
                for run in shards.iter_mut().flat_map(|shard| &mut shard.runs) {
                    run.spill(limit)?;
                }
            }
        }
        if netted.voided_sales() > 0 {
            self.look_who_is_left()?;
        }
        Ok(netted)
    }

    /// Sees anew which customers and products have lines in runs.
    fn look_who_is_left(&mut self) -> Result<()> {
        let (customers, products) = (self.customer_seen.len(), self.product_seen.len());
        let none = || (vec![false; customers], vec![false; products]);
        let limit = self.limit.as_ref();
        (self.customer_seen, self.product_seen) = self
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
    row: usize,
    pair: DayProduct,
    ticket: u64,
    /// In millionths.
    quantity: i64,
    sales: u32,
    take_backs: u32,
}

/// Leaves out of a shard's runs what was taken back, and makes one run of them.
pub(super) fn net_shard(
    runs: &mut ShardRuns,
    log: &QuantityLog,
    quantities: RunQuantities,
    limit: Option<&MemoryLimit>,
) -> Result<NettedLines> {
    let amounts = contested_amounts(log, limit)?;
    if amounts.is_empty() {
        return Ok(NettedLines::default());
    }
    let mut netter = ShardNetter {
        writer: SortedRunWriter::default(),
        amounts: &amounts,
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

/// The amounts of all (customer, day, product) of which something was taken back, sorted.
fn contested_amounts(log: &QuantityLog, limit: Option<&MemoryLimit>) -> Result<Vec<Amount>> {
    let mut contested = vec![];
    log.each(limit, |record| {
        if record.kind == RecordKind::TakeBack {
            let line = record.line;
            contested.push((line.customer, DayProduct::new(line.day, line.product)));
        }
        Ok(())
    })?;
    contested.sort_unstable();
    contested.dedup();
    let mut amounts = vec![];
    if contested.is_empty() {
        return Ok(amounts);
    }
    log.each(limit, |record| {
        let line = record.line;
        let pair = DayProduct::new(line.day, line.product);
        if contested.binary_search(&(line.customer, pair)).is_ok() {
            let (sales, take_backs) = match record.kind {
                RecordKind::Counted => (0, 0),
                RecordKind::Sales(sales) => (sales, 0),
                RecordKind::TakeBack => (0, 1),
            };
            amounts.push(Amount {
                row: ShardRow::of(line.customer).row,
                pair,
                ticket: record.ticket,
                quantity: record.quantity,
                sales,
                take_backs,
            });
        }
        Ok(())
    })?;
    amounts.sort_unstable();
    Ok(amounts)
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
        let (start, end) = range_of_row(self.amounts, row as usize);
        let of_row = &self.amounts[start..end];
        self.amounts = &self.amounts[end..];
        let mut bought = Vec::with_capacity(pairs.len());
        for same in pairs.chunk_by(PartialEq::eq) {
            let amounts = amounts_of(of_row, same[0]);
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
            RunQuantities::Recorded => (0, 0),
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

/// Where the amounts of a row begin and end.
fn range_of_row(amounts: &[Amount], row: usize) -> (usize, usize) {
    let start = amounts.partition_point(|amount| amount.row < row);
    let len = amounts[start..].partition_point(|amount| amount.row == row);
    (start, start + len)
}

/// The amounts of a pair among those of its row.
fn amounts_of(of_row: &[Amount], pair: DayProduct) -> &[Amount] {
    let start = of_row.partition_point(|amount| amount.pair < pair);
    let len = of_row[start..].partition_point(|amount| amount.pair == pair);
    &of_row[start..start + len]
}

#[cfg(test)]
mod tests;
