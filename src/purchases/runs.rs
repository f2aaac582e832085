//! Runs: sorted, distinct (customer, day, product) as bytes, about two a line: what a history is
//! while it is being read.
//!
//! A run holds customers in ascending order, of each its days, of each day its products, as the
//! differences to the one before in variable-length integers (LEB128).

use crate::error::{Error, Result};

/// A customer's (day, product) pairs as they are sorted: the day in the upper half, its sign bit
/// flipped, the product below.
pub(super) const fn pair(day: i32, product: u32) -> u64 {
    (((day as u32 ^ (1 << 31)) as u64) << 32) | product as u64
}

/// The day of a pair.
pub(super) const fn day(pair: u64) -> i32 {
    ((pair >> 32) as u32 ^ (1 << 31)) as i32
}

/// Bytes to which customers are appended.
#[derive(Debug, Default)]
pub(super) struct RunWriter {
    bytes: Vec<u8>,
    next: u32,
}

impl RunWriter {
    /// Appends a customer, larger than all before, with pairs that are ascending and distinct.
    pub(super) fn push(&mut self, customer: u32, pairs: &[u64]) {
        self.write(u64::from(customer - self.next));
        self.next = customer + 1;
        let days = || pairs.chunk_by(|a, b| a >> 32 == b >> 32);
        self.write(days().count() as u64);
        let mut before = 0;
        for day in days() {
            let first = day.first().copied().unwrap_or_default();
            self.write((first >> 32) - before);
            before = first >> 32;
            self.write(day.len() as u64);
            let mut least = 0;
            for pair in day {
                let product = *pair & 0xffff_ffff;
                self.write(product - least);
                least = product + 1;
            }
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    #[inline]
    fn write(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }
}

/// Reads a run customer by customer.
#[derive(Debug)]
pub(super) struct RunReader<B> {
    bytes: B,
    at: usize,
    /// The customer that comes next.
    next: Option<u32>,
}

impl<B: AsRef<[u8]>> RunReader<B> {
    /// At the beginning of a run.
    pub(super) fn new(bytes: B) -> Result<Self> {
        let mut reader = Self {
            bytes,
            at: 0,
            next: None,
        };
        reader.advance(0)?;
        Ok(reader)
    }

    /// The customer that comes next.
    pub(super) fn next(&self) -> Option<u32> {
        self.next
    }

    /// Appends the pairs of a customer, if it comes next.
    pub(super) fn take(&mut self, customer: u32, out: &mut Vec<u64>) -> Result<()> {
        if self.next != Some(customer) {
            return Ok(());
        }
        let days = self.read()?;
        let mut day = 0;
        for _ in 0..days {
            day = self.read()?.checked_add(day).ok_or_else(damaged)?;
            let products = self.read()?;
            let mut least = 0;
            for _ in 0..products {
                let product = self
                    .read()?
                    .checked_add(least)
                    .filter(|product| *product <= u64::from(u32::MAX))
                    .ok_or_else(damaged)?;
                least = product + 1;
                out.push((day << 32) | product);
            }
        }
        self.advance(customer.checked_add(1).ok_or_else(damaged)?)
    }

    fn advance(&mut self, from: u32) -> Result<()> {
        self.next = match self.at < self.bytes.as_ref().len() {
            true => Some(
                u32::try_from(self.read()?)
                    .ok()
                    .and_then(|step| from.checked_add(step))
                    .ok_or_else(damaged)?,
            ),
            false => None,
        };
        Ok(())
    }

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
    Error::system("what was set aside while reading has changed")
        .hint("raise --memory-limit, or name another folder for temporary files in TMPDIR")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_run_comes_back(customers in prop::collection::btree_map(any::<u32>().prop_map(|c| c >> 1),
            prop::collection::btree_set((any::<i32>(), any::<u32>()), 1..40), 0..20)) {
            let mut writer = RunWriter::default();
            let sorted: BTreeMap<u32, Vec<u64>> = customers.iter().map(|(customer, pairs)| {
                (*customer, pairs.iter().map(|(day, product)| pair(*day, *product)).collect::<BTreeSet<u64>>().into_iter().collect())
            }).collect();
            sorted.iter().for_each(|(customer, pairs)| writer.push(*customer, pairs));
            let bytes = writer.finish();
            let mut reader = RunReader::new(&bytes).unwrap();
            for (customer, pairs) in &sorted {
                let mut out = vec![];
                if let Some(absent) = customer.checked_sub(1).filter(|absent| !sorted.contains_key(absent)) {
                    reader.take(absent, &mut out).unwrap();
                }
                prop_assert!(out.is_empty());
                reader.take(*customer, &mut out).unwrap();
                prop_assert_eq!(&out, pairs);
            }
            prop_assert_eq!(reader.next, None);
        }

        #[test]
        fn days_keep_their_order(a in any::<i32>(), b in any::<i32>(), product in any::<u32>()) {
            prop_assert_eq!(a.cmp(&b), pair(a, product).cmp(&pair(b, product)));
            prop_assert_eq!(day(pair(a, product)), a);
        }
    }

    #[test]
    fn a_cut_run_is_an_error() {
        let mut writer = RunWriter::default();
        writer.push(3, &[pair(5, 700), pair(5, 1_000)]);
        let bytes = writer.finish();
        for len in 1..bytes.len() {
            let outcome =
                RunReader::new(&bytes[..len]).and_then(|mut reader| reader.take(3, &mut vec![]));
            assert!(outcome.is_err(), "{len} of {} bytes", bytes.len());
        }
    }
}
