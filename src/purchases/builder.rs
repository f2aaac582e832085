//! From lines in any order to purchases, without ever holding all lines.
//!
//! Lines are buffered, and now and then become a sorted run of each shard ([`super::runs`]): some
//! two bytes a distinct line of each run, in memory or, above a limit, set aside. The runs of a
//! shard are merged when its table is built.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rayon::prelude::*;

use super::runs::{RunReader, RunWriter, day, pair};
use super::{Ids, Line, Partitions, Purchases, SHARDS, Shard};
use crate::calendar::Day;
use crate::error::{Error, Result};

/// Bytes of a line that waits for being sorted: 12, and 8 more while it is.
const BUFFERED_BYTES: u64 = 20;

/// Fewest and most lines that wait, the most only where they take an eighth of the memory limit or
/// less.
const BUFFERED: RangeInclusive<usize> = 1 << 18..=1 << 22;

/// So many lines a customer wait, within [`BUFFERED`]: sorting walks all customers.
const BUFFERED_A_CUSTOMER: usize = 4;

/// Takes lines, whose codes are positions in ids that are known at the end.
#[derive(Debug)]
pub struct Builder {
    limit: Option<MemoryLimit>,
    buffer: Vec<Line>,
    /// Room for sorting the buffer.
    pairs: Vec<u64>,
    shards: Vec<Runs>,
    /// Bytes of the runs that are not set aside.
    in_memory: usize,
    /// One more than the largest code of a customer, and of a product.
    codes: (usize, usize),
    /// Whose lines have been sorted.
    customer_seen: Vec<bool>,
    product_seen: Vec<bool>,
}

/// The runs of a shard.
#[derive(Debug, Default)]
struct Runs {
    runs: Vec<Run>,
    /// Lines and purchases in all of them: what several have counts several times.
    lines: u64,
    purchases: u64,
}

#[derive(Debug)]
enum Run {
    Memory(Vec<u8>),
    /// From a position on, so many bytes.
    SetAside(u64, usize),
}

impl Run {
    fn bytes(&self, limit: Option<&MemoryLimit>) -> Result<Cow<'_, [u8]>> {
        match (self, limit) {
            (Run::Memory(bytes), _) => Ok(Cow::Borrowed(bytes)),
            (Run::SetAside(at, len), Some(limit)) => limit.aside.read(*at, *len).map(Cow::Owned),
            (Run::SetAside(..), None) => Err(Error::system("what was set aside is gone")),
        }
    }
}

/// How much memory a history may take, and where the rest goes.
#[derive(Debug, Clone)]
pub struct MemoryLimit {
    /// Bytes. Runs take a quarter of it, and so does the part of the customers that is worked on.
    pub bytes: u64,
    /// Takes what has no room.
    pub aside: Arc<dyn Aside>,
}

/// A place for bytes outside of memory.
pub trait Aside: std::fmt::Debug + Send + Sync {
    /// Appends bytes; where they begin.
    ///
    /// # Errors
    /// If there is no room.
    fn append(&self, bytes: &[u8]) -> Result<u64>;

    /// Reads what was appended.
    ///
    /// # Errors
    /// If it is not there any more.
    fn read(&self, start: u64, len: usize) -> Result<Vec<u8>>;
}

impl Builder {
    /// An empty history.
    #[must_use]
    pub fn new(limit: Option<MemoryLimit>) -> Self {
        let shards = (0..SHARDS).map(|_| Runs::default()).collect();
        Self {
            limit,
            buffer: vec![],
            pairs: vec![],
            shards,
            in_memory: 0,
            codes: (0, 0),
            customer_seen: vec![],
            product_seen: vec![],
        }
    }

    /// Takes lines.
    ///
    /// # Errors
    /// If what has no room cannot be set aside.
    pub fn add(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<()> {
        for line in lines {
            self.codes.0 = self.codes.0.max(line.customer as usize + 1);
            self.codes.1 = self.codes.1.max(line.product as usize + 1);
            self.buffer.push(line);
            if self.buffer.len() >= *BUFFERED.start() && self.buffer.len() >= self.room() {
                self.sort_buffer()?;
            }
        }
        Ok(())
    }

    /// So many lines may wait.
    fn room(&self) -> usize {
        let limit = self
            .limit
            .as_ref()
            .map_or(u64::MAX, |limit| limit.bytes / BUFFERED_BYTES / 8);
        (self.codes.0 * BUFFERED_A_CUSTOMER)
            .min(*BUFFERED.end())
            .min(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    /// Makes runs of the lines that wait.
    pub(super) fn sort_buffer(&mut self) -> Result<()> {
        // A counting sort by shard and place, then each customer's pairs by comparison, the shards
        // side by side.
        let mut ends = vec![0_u32; self.codes.0];
        self.product_seen.resize(self.codes.1, false);
        for line in &self.buffer {
            ends[line.customer as usize] += 1;
            self.product_seen[line.product as usize] = true;
        }
        self.customer_seen.resize(self.codes.0, false);
        self.customer_seen
            .iter_mut()
            .zip(&ends)
            .for_each(|(seen, lines)| *seen |= *lines > 0);
        let mut bounds = vec![0];
        let mut end = 0;
        for shard in 0..SHARDS {
            for count in ends.iter_mut().skip(shard).step_by(SHARDS) {
                end += *count;
                *count = end;
            }
            bounds.push(end as usize);
        }
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.resize(self.buffer.len(), 0);
        // From the last line to the first, so that lines that came in order stay in order.
        for line in self.buffer.iter().rev() {
            let place = &mut ends[line.customer as usize];
            *place -= 1;
            pairs[*place as usize] = pair(line.day.epoch(), line.product);
        }
        self.buffer.clear();
        let mut slices = Vec::with_capacity(SHARDS);
        let mut rest = pairs.as_mut_slice();
        for bound in bounds.windows(2) {
            let (slice, tail) = rest.split_at_mut(bound[1] - bound[0]);
            slices.push((bound[0], slice));
            rest = tail;
        }
        let starts = &ends;
        let written: Vec<(Vec<u8>, u64, u64)> = slices
            .into_par_iter()
            .enumerate()
            .map(|(shard, (base, slice))| run_of(shard, base, slice, starts))
            .collect();
        self.pairs = pairs;
        for (shard, (bytes, lines, purchases)) in self.shards.iter_mut().zip(written) {
            if lines > 0 {
                self.in_memory += bytes.len();
                shard.runs.push(Run::Memory(bytes));
                shard.lines += lines;
                shard.purchases += purchases;
            }
        }
        let Some(limit) = &self.limit else {
            return Ok(());
        };
        if self.in_memory as u64 > limit.bytes / 4 {
            self.in_memory = 0;
            for run in self.shards.iter_mut().flat_map(|shard| &mut shard.runs) {
                if let Run::Memory(bytes) = run {
                    *run = Run::SetAside(limit.aside.append(bytes)?, bytes.len());
                }
            }
        }
        Ok(())
    }

    /// The same lines under other codes.
    ///
    /// # Errors
    /// If what has no room cannot be set aside or brought back.
    pub fn renamed(mut self, name: impl Fn(Line) -> Line) -> Result<Self> {
        let mut renamed = Self::new(self.limit.clone());
        renamed.add(std::mem::take(&mut self.buffer).into_iter().map(&name))?;
        for (shard, runs) in self.shards.iter().enumerate() {
            for run in &runs.runs {
                let mut reader = RunReader::new(run.bytes(self.limit.as_ref())?)?;
                let mut pairs = vec![];
                while let Some(place) = reader.next() {
                    pairs.clear();
                    reader.take(place, &mut pairs)?;
                    let customer = place * SHARDS as u32 + shard as u32;
                    let line = |pair: &u64| {
                        name(Line {
                            customer,
                            day: Day::from_epoch(day(*pair)),
                            product: *pair as u32,
                        })
                    };
                    renamed.add(pairs.iter().map(line))?;
                }
            }
        }
        Ok(renamed)
    }

    /// The history, its customers and products being those that a line names, by ascending id.
    ///
    /// # Errors
    /// If a line's code is not in the ids, or what has no room cannot be set aside.
    pub fn finish(mut self, customers: Ids, products: Ids) -> Result<PartitionedPurchases> {
        if !self.buffer.is_empty() {
            self.sort_buffer()?;
        }
        (self.buffer, self.pairs) = (vec![], vec![]);
        if self.customer_seen.len() > customers.len() || self.product_seen.len() > products.len() {
            return Err(Error::system(
                "a line names a customer or product that is not in the dictionary",
            ));
        }
        let (customers, places) = settle(customers, self.customer_seen);
        let (products, product_places) = settle(products, self.product_seen);
        let mut product_codes = vec![
            0;
            product_places
                .iter()
                .max()
                .map_or(0, |last| *last as usize + 1)
        ];
        for (code, place) in (0..).zip(&product_places) {
            product_codes[*place as usize] = code;
        }
        let room = places_by_shard(&places);
        Ok(PartitionedPurchases {
            room,
            customers: Arc::new(customers),
            places: Arc::new(places),
            products: Arc::new(products),
            product_codes,
            shards: self.shards,
            limit: self.limit,
        })
    }
}

/// The ids that were seen, ascending, and the old code of each.
fn settle(ids: Ids, mut seen: Vec<bool>) -> (Ids, Vec<u32>) {
    seen.resize(ids.len(), false);
    let (ids, ranks) = ids.sorted();
    let mut old = vec![0; ranks.len()];
    for (code, rank) in (0..).zip(&ranks) {
        old[*rank as usize] = code;
    }
    let keep: Vec<bool> = old.iter().map(|code: &u32| seen[*code as usize]).collect();
    old.retain(|code| seen[*code as usize]);
    (ids.retain(&keep), old)
}

/// Sorts the pairs of a shard, of which those of the customer with code `c` begin at `starts[c] -
/// base`, and writes them as a run; with the lines and purchases in it.
fn run_of(shard: usize, base: usize, pairs: &mut [u64], starts: &[u32]) -> (Vec<u8>, u64, u64) {
    let mut writer = RunWriter::default();
    let (mut lines, mut purchases, mut distinct) = (0, 0, vec![]);
    let mut starts = starts
        .iter()
        .skip(shard)
        .step_by(SHARDS)
        .map(|start| *start as usize - base)
        .zip(0_u32..)
        .peekable();
    while let Some((start, place)) = starts.next() {
        let end = starts.peek().map_or(pairs.len(), |(next, _)| *next);
        let own = &mut pairs[start..end];
        if own.is_empty() {
            continue;
        }
        own.sort_unstable();
        distinct.clear();
        distinct.extend(own.iter().copied());
        distinct.dedup();
        lines += distinct.len() as u64;
        purchases += distinct.chunk_by(|a, b| a >> 32 == b >> 32).count() as u64;
        writer.push(place, &distinct);
    }
    (writer.finish(), lines, purchases)
}

/// A history that has been read, of which a part of the customers can be looked at at a time.
#[derive(Debug)]
pub struct PartitionedPurchases {
    customers: Arc<Ids>,
    /// The code of each customer while reading.
    places: Arc<Vec<u32>>,
    products: Arc<Ids>,
    /// The code of a product by its code while reading.
    product_codes: Vec<u32>,
    shards: Vec<Runs>,
    /// How many customers each shard has room for.
    room: [usize; SHARDS],
    limit: Option<MemoryLimit>,
}

impl PartitionedPurchases {
    /// All of it, in memory.
    ///
    /// # Errors
    /// If what was set aside cannot be read.
    pub fn purchases(self) -> Result<Purchases> {
        let Self {
            customers,
            places,
            products,
            product_codes,
            shards,
            room,
            limit,
        } = self;
        let build = |(shard, runs): (usize, Runs)| {
            runs.build(room[shard], &product_codes, limit.as_ref())
                .map(Arc::new)
        };
        let shards = shards
            .into_par_iter()
            .enumerate()
            .map(build)
            .collect::<Result<Vec<_>>>()?;
        Ok(Purchases {
            customers,
            products,
            places,
            shards,
            first: Day::from_epoch(i32::MIN),
        })
    }

    /// What works on one part after the other: all of it in memory, where it fits.
    ///
    /// # Errors
    /// If what was set aside cannot be read.
    pub fn partitions(self) -> Result<Box<dyn Partitions + Send>> {
        Ok(if self.count() == 1 {
            Box::new(self.purchases()?)
        } else {
            Box::new(self)
        })
    }

    /// So many shards make a part.
    fn shards_a_part(&self) -> usize {
        let partitions = self.limit.as_ref().map_or(1, |limit| {
            self.bytes_needed().div_ceil((limit.bytes / 4).max(1))
        });
        (SHARDS / (partitions as usize).clamp(1, SHARDS)).max(1)
    }

    /// At most so many bytes do all tables take.
    fn bytes_needed(&self) -> u64 {
        let shards = self
            .shards
            .iter()
            .map(|shard| 4 * shard.lines + 8 * shard.purchases);
        shards.sum::<u64>() + 8 * self.places.len() as u64
    }
}

impl Partitions for PartitionedPurchases {
    fn count(&self) -> usize {
        SHARDS.div_ceil(self.shards_a_part())
    }

    fn partition(&self, at: usize) -> Result<Cow<'_, Purchases>> {
        let shards_a_part = self.shards_a_part();
        let in_part = |shard: usize| shard / shards_a_part == at;
        let build = |(shard, runs): (usize, &Runs)| match in_part(shard) {
            true => runs
                .build(self.room[shard], &self.product_codes, self.limit.as_ref())
                .map(Arc::new),
            false => Ok(Arc::default()),
        };
        let shards = self
            .shards
            .par_iter()
            .enumerate()
            .map(build)
            .collect::<Result<Vec<_>>>()?;
        let (customers, products, places) = (
            Arc::clone(&self.customers),
            Arc::clone(&self.products),
            Arc::clone(&self.places),
        );
        Ok(Cow::Owned(Purchases {
            customers,
            products,
            places,
            shards,
            first: Day::from_epoch(i32::MIN),
        }))
    }

    fn customers(&self) -> &Ids {
        &self.customers
    }

    fn products(&self) -> &Ids {
        &self.products
    }
}

/// How many customers each shard has room for.
fn places_by_shard(places: &[u32]) -> [usize; SHARDS] {
    let mut room = [0; SHARDS];
    for place in places.iter().map(|place| *place as usize) {
        room[place % SHARDS] = room[place % SHARDS].max(place / SHARDS + 1);
    }
    room
}

impl Runs {
    /// Merges the runs into a table of `customers` places.
    fn build(
        &self,
        customers: usize,
        product_codes: &[u32],
        limit: Option<&MemoryLimit>,
    ) -> Result<Shard> {
        let mut readers = self
            .runs
            .iter()
            .map(|run| RunReader::new(run.bytes(limit)?))
            .collect::<Result<Vec<_>>>()?;
        let lines = self.lines as usize;
        let mut out = Shard {
            starts: vec![0],
            days: vec![],
            basket_starts: vec![0],
            baskets: Vec::with_capacity(lines),
        };
        let too_many = |_| {
            Error::input("there are too many lines of some customers")
                .hint("score fewer customers at a time")
        };
        let (mut pairs, mut basket) = (vec![], vec![]);
        for customer in 0..customers as u32 {
            pairs.clear();
            for reader in &mut readers {
                reader.take(customer, &mut pairs)?;
            }
            // Runs are mostly of different days, in their order; products have another order now in
            // any case.
            if pairs.windows(2).any(|pair| pair[0] >> 32 > pair[1] >> 32) {
                pairs.sort_unstable();
            }
            for day_pairs in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
                basket.clear();
                for pair in day_pairs {
                    let product = product_codes.get((*pair & 0xffff_ffff) as usize);
                    basket.push(*product.ok_or_else(|| {
                        Error::system("a line names a product that is not in the dictionary")
                    })?);
                }
                basket.sort_unstable();
                basket.dedup();
                out.baskets.extend_from_slice(&basket);
                out.days
                    .extend(day_pairs.first().map(|pair| Day::from_epoch(day(*pair))));
                out.basket_starts
                    .push(u32::try_from(out.baskets.len()).map_err(too_many)?);
            }
            out.starts
                .push(u32::try_from(out.days.len()).map_err(too_many)?);
        }
        out.baskets.shrink_to_fit();
        out.days.shrink_to_fit();
        out.basket_starts.shrink_to_fit();
        Ok(out)
    }
}
