//! Purchases: a compact columnar history, and `History`, the part of it that is known on a night.
//!
//! The layout is two levels of compressed sparse rows: a customer's purchases stand together in the order of their days, and a
//! purchase's distinct products stand together in the order of their codes. A (customer, day, product) takes 4 bytes, a purchase 8.

use std::fmt;

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::calendar::{AsOf, Day};
use crate::error::{Error, Result};
use crate::sampling::{hash_bytes, mix};

/// The distinct ids of customers or products, ascending; an id's position is its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ids {
    /// Ids that came as integers, in numeric order.
    Integer(Vec<i64>),
    /// Ids that came as text, in byte order.
    Text(Vec<String>),
}

impl Ids {
    /// How many distinct ids there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Ids::Integer(ids) => ids.len(),
            Ids::Text(ids) => ids.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of a code, as it came.
    #[must_use]
    pub fn get(&self, code: u32) -> Option<Id<'_>> {
        match self {
            Ids::Integer(ids) => ids.get(code as usize).map(|id| Id::Integer(*id)),
            Ids::Text(ids) => ids.get(code as usize).map(|id| Id::Text(id)),
        }
    }

    /// The code of an id written as text: of an integer only as `i64` prints it, so that `007` is not 7.
    #[must_use]
    pub fn code(&self, id: &str) -> Option<u32> {
        let found = match self {
            Ids::Integer(ids) => ids.binary_search(&id.parse().ok().filter(|parsed: &i64| parsed.to_string() == id)?),
            Ids::Text(ids) => ids.binary_search_by(|known| known.as_str().cmp(id)),
        };
        found.ok().and_then(|at| u32::try_from(at).ok())
    }

    /// What stands for an id in samples: it depends on the id alone, so that other ids coming or going change no draw.
    #[must_use]
    pub fn key(&self, code: u32) -> u64 {
        match self.get(code) {
            Some(Id::Integer(id)) => mix(id as u64),
            Some(Id::Text(id)) => hash_bytes(id.as_bytes()),
            None => 0,
        }
    }

    /// Sorts the ids; `rank[old code]` is the new one.
    fn sorted(self) -> (Ids, Vec<u32>) {
        fn sort<T: Ord + Send>(ids: Vec<T>) -> (Vec<T>, Vec<u32>) {
            let mut order: Vec<(T, u32)> = ids.into_iter().zip(0..).collect();
            order.par_sort_unstable();
            let mut rank = vec![0; order.len()];
            let ids = (0..).zip(order).map(|(new, (id, old))| {
                rank[old as usize] = new;
                id
            });
            (ids.collect(), rank)
        }
        match self {
            Ids::Integer(ids) => {
                let (ids, rank) = sort(ids);
                (Ids::Integer(ids), rank)
            }
            Ids::Text(ids) => {
                let (ids, rank) = sort(ids);
                (Ids::Text(ids), rank)
            }
        }
    }

    /// Keeps the ids whose code is marked, in order.
    fn retain(self, keep: &[bool]) -> Ids {
        fn kept<T>(ids: Vec<T>, keep: &[bool]) -> Vec<T> {
            ids.into_iter().zip(keep).filter(|(_, keep)| **keep).map(|(id, _)| id).collect()
        }
        match self {
            Ids::Integer(ids) => Ids::Integer(kept(ids, keep)),
            Ids::Text(ids) => Ids::Text(kept(ids, keep)),
        }
    }
}

/// One id, as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Id<'a> {
    /// It came as an integer.
    Integer(i64),
    /// It came as text.
    Text(&'a str),
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Integer(id) => f.pad(&id.to_string()),
            Id::Text(id) => f.pad(id),
        }
    }
}

/// One kept line of the input: provisional codes (positions in the unsorted ids that come with it) and the store's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Position in the customers' ids.
    pub customer: u32,
    /// The store's day.
    pub day: Day,
    /// Position in the products' ids.
    pub product: u32,
}

/// All purchases of all customers: a purchase is everything that one customer bought on one day of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purchases {
    customers: Ids,
    products: Ids,
    /// Customer `c` has the purchases `starts[c]..starts[c + 1]`.
    starts: Vec<u32>,
    days: Vec<Day>,
    /// Purchase `v` has the products `basket_starts[v]..basket_starts[v + 1]`.
    basket_starts: Vec<u32>,
    baskets: Vec<u32>,
}

impl Purchases {
    /// Builds the history from lines in any order; repeated lines count once, and ids that no line names are dropped.
    ///
    /// # Errors
    /// If a line's code is not in the ids, or there are more than 2³² − 1 distinct (customer, day, product).
    pub fn from_lines(customers: Ids, products: Ids, lines: Vec<Line>) -> Result<Self> {
        let (customers, customer_rank) = customers.sorted();
        let (products, product_rank) = products.sorted();
        let unknown = || Error::system("a line names a customer or product that is not in the dictionary");

        // A counting sort by customer, then each customer's (day, product) pairs by comparison, in parallel.
        let mut ends = vec![0_usize; customers.len() + 1];
        for line in &lines {
            let customer = *customer_rank.get(line.customer as usize).ok_or_else(unknown)?;
            ends[customer as usize + 1] += 1;
        }
        for customer in 0..customers.len() {
            ends[customer + 1] += ends[customer];
        }
        let mut next = ends.clone();
        let mut pairs = vec![0_u64; lines.len()];
        for line in &lines {
            let customer = customer_rank[line.customer as usize] as usize;
            let product = *product_rank.get(line.product as usize).ok_or_else(unknown)?;
            // Flipping the sign bit lets the unsigned order be the order of days.
            let day = (line.day.epoch() as u32) ^ (1 << 31);
            pairs[next[customer]] = (u64::from(day) << 32) | u64::from(product);
            next[customer] += 1;
        }
        drop(lines);
        let mut slices = Vec::with_capacity(customers.len());
        let mut rest = pairs.as_mut_slice();
        for customer in 0..customers.len() {
            let (slice, tail) = rest.split_at_mut(ends[customer + 1] - ends[customer]);
            slices.push(slice);
            rest = tail;
        }
        slices.into_par_iter().for_each(<[u64]>::sort_unstable);

        let mut out = Self { customers, products, starts: vec![0], days: vec![], basket_starts: vec![0], baskets: vec![] };
        let mut seen_customer = vec![false; out.customers.len()];
        let mut seen_product = vec![false; out.products.len()];
        let too_many =
            |_| Error::input("there are more than 4,294,967,295 distinct (customer, day, product)").hint("score fewer customers at a time");
        for customer in 0..out.customers.len() {
            let slice = &pairs[ends[customer]..ends[customer + 1]];
            for (at, pair) in slice.iter().enumerate() {
                if at > 0 && slice[at - 1] == *pair {
                    continue;
                }
                let (day, product) = (Day::from_epoch(((pair >> 32) as u32 ^ (1 << 31)) as i32), *pair as u32);
                if at == 0 || (slice[at - 1] >> 32) != (pair >> 32) {
                    out.days.push(day);
                    out.basket_starts.push(0);
                }
                out.baskets.push(product);
                seen_product[product as usize] = true;
                if let Some(end) = out.basket_starts.last_mut() {
                    *end = u32::try_from(out.baskets.len()).map_err(too_many)?;
                }
            }
            if !slice.is_empty() {
                seen_customer[customer] = true;
                out.starts.push(u32::try_from(out.days.len()).map_err(too_many)?);
            }
        }
        drop(pairs);
        if seen_product.contains(&false) {
            let mut new = vec![0_u32; seen_product.len()];
            let mut code = 0;
            for (new, seen) in new.iter_mut().zip(&seen_product) {
                *new = code;
                code += u32::from(*seen);
            }
            out.baskets.iter_mut().for_each(|product| *product = new[*product as usize]);
            out.products = out.products.retain(&seen_product);
        }
        out.customers = out.customers.retain(&seen_customer);
        Ok(out)
    }

    /// The customers' ids.
    #[must_use]
    pub fn customers(&self) -> &Ids {
        &self.customers
    }

    /// The products' ids.
    #[must_use]
    pub fn products(&self) -> &Ids {
        &self.products
    }

    /// How many purchases there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// How many distinct (customer, day, product) there are.
    #[must_use]
    pub fn distinct_lines(&self) -> usize {
        self.baskets.len()
    }

    /// The first and the last day with a purchase.
    #[must_use]
    pub fn span(&self) -> Option<(Day, Day)> {
        Some((self.days.iter().min().copied()?, self.days.iter().max().copied()?))
    }

    /// A copy that holds only what is known on the night `as_of`, dictionaries included: equal to what would have been read then.
    ///
    /// # Errors
    /// Never in practice: only if the copy were larger than the original.
    pub fn known(&self, as_of: AsOf) -> Result<Purchases> {
        let history = self.until(as_of);
        let mut lines = Vec::with_capacity(self.baskets.len());
        for customer in 0..history.customer_count() {
            for (day, basket) in history.visits(customer).iter() {
                lines.extend(basket.iter().map(|product| Line { customer, day, product: *product }));
            }
        }
        Purchases::from_lines(self.customers.clone(), self.products.clone(), lines)
    }

    /// A SHA-256 over everything, in hexadecimal: the same purchases have the same one, however their lines came.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut sha256 = Sha256::new();
        for ids in [&self.customers, &self.products] {
            sha256.update((ids.len() as u64).to_le_bytes());
            for code in 0..ids.len() as u32 {
                if let Some(id) = ids.get(code) {
                    sha256.update(id.to_string());
                    sha256.update([0]);
                }
            }
        }
        self.starts.iter().chain(&self.basket_starts).chain(&self.baskets).for_each(|number| sha256.update(number.to_le_bytes()));
        self.days.iter().for_each(|day| sha256.update(day.epoch().to_le_bytes()));
        crate::store::hex(&sha256.finalize())
    }

    /// What is known on the night `as_of`: everything up to and including it, nothing after.
    #[must_use]
    pub fn until(&self, as_of: AsOf) -> History<'_> {
        History { purchases: self, as_of }
    }

    fn visits(&self, customer: u32) -> Visits<'_> {
        let range = match (self.starts.get(customer as usize), self.starts.get(customer as usize + 1)) {
            (Some(start), Some(end)) => *start as usize..*end as usize,
            _ => 0..0,
        };
        Visits { days: &self.days[range.clone()], basket_starts: &self.basket_starts[range.start..=range.end], baskets: &self.baskets }
    }
}

/// The purchases that are known on a night. Everything that predicts takes this and so cannot see the future.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    purchases: &'a Purchases,
    as_of: AsOf,
}

impl<'a> History<'a> {
    /// The night.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// The history as it stood on an earlier night; a later night changes nothing.
    #[must_use]
    pub fn until(&self, as_of: AsOf) -> History<'a> {
        History { purchases: self.purchases, as_of: self.as_of.min(as_of) }
    }

    /// How many customers the dictionary has; a customer may have no purchase yet.
    #[must_use]
    pub fn customer_count(&self) -> u32 {
        self.purchases.customers.len() as u32
    }

    /// How many products the dictionary has; a product may not have been sold yet.
    #[must_use]
    pub fn product_count(&self) -> usize {
        self.purchases.products.len()
    }

    /// The customers' ids. Codes are in the order of ids, whenever a customer first came.
    #[must_use]
    pub fn customers(&self) -> &'a Ids {
        &self.purchases.customers
    }

    /// The products' ids.
    #[must_use]
    pub fn products(&self) -> &'a Ids {
        &self.purchases.products
    }

    /// The purchases of a customer up to the night, in the order of their days.
    #[must_use]
    pub fn visits(&self, customer: u32) -> Visits<'a> {
        self.purchases.visits(customer).until(self.as_of.day())
    }

    /// The customer's first purchase after `night` that is known by now: its day and products. This is what a model that speaks
    /// from `night` has to predict.
    #[must_use]
    pub fn following(&self, customer: u32, night: Day) -> Option<(Day, &'a [u32])> {
        let visits = self.visits(customer);
        let at = visits.days.partition_point(|day| *day <= night);
        Some((*visits.days.get(at)?, visits.basket(at)))
    }

    /// The first and last day with a purchase up to the night.
    #[must_use]
    pub fn span(&self) -> Option<(Day, Day)> {
        let known = || self.purchases.days.iter().filter(|day| **day <= self.as_of.day());
        Some((known().min().copied()?, known().max().copied()?))
    }
}

/// Purchases of one customer in the order of their days.
#[derive(Debug, Clone, Copy)]
pub struct Visits<'a> {
    days: &'a [Day],
    basket_starts: &'a [u32],
    baskets: &'a [u32],
}

impl<'a> Visits<'a> {
    /// How many purchases.
    #[must_use]
    pub fn len(&self) -> usize {
        self.days.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The days, ascending.
    #[must_use]
    pub fn days(&self) -> &'a [Day] {
        self.days
    }

    /// The distinct products of the purchase at position `at`, ascending; empty past the end.
    #[must_use]
    pub fn basket(&self, at: usize) -> &'a [u32] {
        match (self.days.get(at), self.basket_starts.get(at), self.basket_starts.get(at + 1)) {
            (Some(_), Some(start), Some(end)) => &self.baskets[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// How many distinct products the purchase at position `at` has.
    #[must_use]
    pub fn basket_size(&self, at: usize) -> usize {
        self.basket(at).len()
    }

    /// The purchases with their baskets, in the order of their days.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Day, &'a [u32])> + ExactSizeIterator + use<'a> {
        let visits = *self;
        (0..self.days.len()).map(move |at| (visits.days[at], visits.basket(at)))
    }

    /// The purchases up to and including a day.
    #[must_use]
    pub fn until(&self, day: Day) -> Visits<'a> {
        let len = self.days.partition_point(|known| *known <= day);
        Visits { days: &self.days[..len], ..*self }
    }
}

#[cfg(test)]
mod tests;
