//! Sorted runs: the distinct (customer, day, product) of some lines of a shard, as bytes.
//!
//! A run lists customers in ascending order, each with its days, each day with its products. Every
//! number is stored as the difference to the one before it, as a variable-length integer (LEB128),
//! so that a line takes about two bytes.

use super::{Line, varint};
use crate::calendar::Day;
use crate::error::{Error, Result};

/// A (day, product) of a customer in 64 bits, ordered by day and then by product.
///
/// The upper half holds the day with its sign bit flipped, so that unsigned order is the order of
/// days. The lower half holds the product.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DayProduct(u64);

impl DayProduct {
    pub(super) fn new(day: Day, product: u32) -> Self {
        Self::from_halves(day.epoch().cast_unsigned() ^ (1 << 31), product)
    }

    fn from_halves(sortable_day: u32, product: u32) -> Self {
        Self((u64::from(sortable_day) << 32) | u64::from(product))
    }

    /// The upper half: the day with its sign bit flipped.
    const fn sortable_day(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) const fn day(self) -> Day {
        Day::from_epoch((self.sortable_day() ^ (1 << 31)).cast_signed())
    }

    pub(super) const fn product(self) -> u32 {
        self.0 as u32
    }

    pub(super) fn is_same_day(&self, other: &Self) -> bool {
        self.sortable_day() == other.sortable_day()
    }

    /// The line of a customer that this stands for.
    pub(super) const fn line(self, customer: u32) -> Line {
        Line {
            customer,
            day: self.day(),
            product: self.product(),
        }
    }
}

/// Writes a run customer by customer. A customer is known by its row in the shard.
#[derive(Debug, Default)]
pub(super) struct SortedRunWriter {
    bytes: Vec<u8>,
    /// The smallest row that may come next.
    next_row: u32,
}

impl SortedRunWriter {
    /// Appends a customer, and returns on how many days there are pairs. The row is larger than all
    /// before; the pairs are ascending and distinct.
    pub(super) fn push(&mut self, row: u32, pairs: &[DayProduct]) -> usize {
        let days = pairs.chunk_by(DayProduct::is_same_day).count();
        let mut at = self.bytes.len();
        // Room for all numbers at once, and what is left goes: cheaper than to ask at each byte.
        self.bytes
            .resize(at + varint::LONGEST * (2 + 2 * days + pairs.len()), 0);
        let bytes = &mut *self.bytes;
        varint::set(bytes, &mut at, u64::from(row - self.next_row));
        self.next_row = row + 1;
        varint::set(bytes, &mut at, days as u64);
        let mut previous_day = 0;
        for pairs_of_day in pairs.chunk_by(DayProduct::is_same_day) {
            let day = pairs_of_day[0].sortable_day();
            varint::set(bytes, &mut at, u64::from(day - previous_day));
            previous_day = day;
            varint::set(bytes, &mut at, pairs_of_day.len() as u64);
            let mut next_product = 0;
            for pair in pairs_of_day {
                let product = u64::from(pair.product());
                varint::set(bytes, &mut at, product - next_product);
                next_product = product + 1;
            }
        }
        self.bytes.truncate(at);
        days
    }

    /// The bytes of the run.
    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads a run customer by customer.
#[derive(Debug)]
pub(super) struct SortedRunReader<B> {
    bytes: B,
    /// Where the next number begins.
    at: usize,
    next_row: Option<u32>,
}

impl<B: AsRef<[u8]>> SortedRunReader<B> {
    /// A reader at the beginning of a run.
    pub(super) fn new(bytes: B) -> Result<Self> {
        let mut reader = Self {
            bytes,
            at: 0,
            next_row: None,
        };
        reader.read_row(0)?;
        Ok(reader)
    }

    /// The row of the customer that comes next; `None` at the end.
    pub(super) fn next_row(&self) -> Option<u32> {
        self.next_row
    }

    /// Appends the pairs of the customer in this row, if it comes next.
    pub(super) fn take(&mut self, row: u32, pairs: &mut Vec<DayProduct>) -> Result<()> {
        if self.next_row != Some(row) {
            return Ok(());
        }
        let mut day = 0;
        for _ in 0..self.read()? {
            day += self.read()?;
            let sortable_day = u32::try_from(day).map_err(|_| damaged())?;
            let mut next_product = 0;
            for _ in 0..self.read()? {
                let product = u32::try_from(next_product + self.read()?).map_err(|_| damaged())?;
                next_product = u64::from(product) + 1;
                pairs.push(DayProduct::from_halves(sortable_day, product));
            }
        }
        self.read_row(row.checked_add(1).ok_or_else(damaged)?)
    }

    /// Reads the next customer's row as the difference to `least`, unless the run ends here.
    fn read_row(&mut self, least: u32) -> Result<()> {
        self.next_row = if self.at < self.bytes.as_ref().len() {
            let row = u64::from(least) + self.read()?;
            Some(u32::try_from(row).map_err(|_| damaged())?)
        } else {
            None
        };
        Ok(())
    }

    /// The next number, below 2⁴².
    #[inline]
    fn read(&mut self) -> Result<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = *self.bytes.as_ref().get(self.at).ok_or_else(damaged)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
            if shift > 28 + 7 {
                return Err(damaged());
            }
        }
    }
}

fn damaged() -> Error {
    Error::system("what was spilled to disk while reading has changed")
        .hint("raise --memory-limit, or name another folder for temporary files in TMPDIR")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn pair(day: i32, product: u32) -> DayProduct {
        DayProduct::new(Day::from_epoch(day), product)
    }

    fn sorted_pairs(pairs: &BTreeSet<(i32, u32)>) -> Vec<DayProduct> {
        let sorted: BTreeSet<DayProduct> = pairs
            .iter()
            .map(|(day, product)| pair(*day, *product))
            .collect();
        sorted.into_iter().collect()
    }

    proptest! {
        #[test]
        fn a_run_comes_back(customers in prop::collection::btree_map(any::<u32>().prop_map(|row| row >> 1),
            prop::collection::btree_set((any::<i32>(), any::<u32>()), 1..40), 0..20)) {
            let customers: BTreeMap<u32, Vec<DayProduct>> =
                customers.iter().map(|(row, pairs)| (*row, sorted_pairs(pairs))).collect();
            let mut writer = SortedRunWriter::default();
            customers.iter().for_each(|(row, pairs)| {
                writer.push(*row, pairs);
            });
            let bytes = writer.finish();
            let mut reader = SortedRunReader::new(&bytes).unwrap();
            for (row, pairs) in &customers {
                let mut read = vec![];
                if let Some(absent) = row.checked_sub(1).filter(|absent| !customers.contains_key(absent)) {
                    reader.take(absent, &mut read).unwrap();
                }
                prop_assert!(read.is_empty());
                reader.take(*row, &mut read).unwrap();
                prop_assert_eq!(&read, pairs);
            }
            prop_assert_eq!(reader.next_row(), None);
        }

        #[test]
        fn pairs_are_ordered_by_day_and_product(a in any::<(i32, u32)>(), b in any::<(i32, u32)>()) {
            prop_assert_eq!(a.cmp(&b), pair(a.0, a.1).cmp(&pair(b.0, b.1)));
            prop_assert_eq!((pair(a.0, a.1).day().epoch(), pair(a.0, a.1).product()), a);
        }
    }

    #[test]
    fn a_cut_run_is_an_error() {
        let mut writer = SortedRunWriter::default();
        writer.push(3, &[pair(5, 700), pair(5, 1_000)]);
        let bytes = writer.finish();
        for len in 1..bytes.len() {
            let outcome = SortedRunReader::new(&bytes[..len])
                .and_then(|mut reader| reader.take(3, &mut vec![]));
            assert!(outcome.is_err(), "{len} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn numbers_that_are_too_large_are_an_error() {
        let too_large = [0xff, 0xff, 0xff, 0xff, 0x7f];
        let row_of_one_day = [0, 1];
        let product_of_day_zero = [0, 1, 0, 1];
        for start in [&[][..], &row_of_one_day, &product_of_day_zero] {
            let bytes = [start, &too_large, &[0, 0]].concat();
            let outcome =
                SortedRunReader::new(&bytes).and_then(|mut reader| reader.take(0, &mut vec![]));
            assert!(outcome.is_err(), "{bytes:?}");
        }
    }
}
