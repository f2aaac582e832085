//! TIFUKNN: a customer's own frequencies, decayed over time, mixed with those of the nearest
//! customers (Hu, He, Gao & Zhang, SIGIR 2020).
//!
//! A customer's purchases are cut into groups of `group`, counted back from the latest. A purchase
//! of place i (0 = latest) in group g (0 = latest) of size s, of G groups, gives each of its
//! products `withinⁱ ÷ s · acrossᵍ ÷ G`; the sums are the customer's vector v. The score is `alpha
//! · v + (1 − alpha) · mean of the v of the neighbours`, who are the nearest of all customers by
//! Euclidean distance; where there are more than [`POOL`] of them, of so many that are drawn by a
//! hash of their ids: what is done for one customer is bounded.

use rayon::prelude::*;

use super::baselines::{Accumulator, ranked};
use super::protocol::{TextOrder, by_customer};
use crate::error::Result;
use crate::purchases::{CustomerPurchases, History, PartitionedHistory};
use crate::sampling::Draw;

/// Most customers among whom neighbours are looked for.
pub const POOL: usize = 10_000;

/// How the vectors are made and mixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TifuknnParameters {
    /// Purchases in a group.
    pub group: usize,
    /// Decay from purchase to purchase in a group.
    pub within: f64,
    /// Decay from group to group.
    pub across: f64,
    /// Weight of the customer's own vector, 0 to 1.
    pub alpha: f64,
    /// Neighbours.
    pub neighbours: usize,
}

impl Default for TifuknnParameters {
    /// What was best on grocery data.
    fn default() -> Self {
        Self {
            group: 7,
            within: 0.9,
            across: 0.6,
            alpha: 0.9,
            neighbours: 300,
        }
    }
}

/// The vectors of the customers who have bought by a night, ready to be compared.
#[derive(Debug)]
pub struct Tifuknn {
    parameters: TifuknnParameters,
    products: usize,
    /// The customers among whom neighbours are looked for, ascending; all positions below are
    /// positions in it.
    customers: Vec<u32>,
    /// Each customer's vector, by ascending product.
    vectors: Vec<Vec<(u32, f64)>>,
    /// Squared lengths.
    norms: Vec<f64>,
    /// Product `p` is in the vectors `holders[posting_starts[p]..posting_starts[p + 1]]`, with
    /// these `weights`; by ascending position.
    posting_starts: Vec<usize>,
    holders: Vec<u32>,
    weights: Vec<f64>,
}

impl Tifuknn {
    /// Makes the vectors of those among whom neighbours are looked for, `pool` of them at most.
    ///
    /// # Errors
    /// If a part of the history cannot be brought back from where it was set aside.
    pub fn new(
        history: PartitionedHistory<'_>,
        parameters: TifuknnParameters,
        pool: usize,
    ) -> Result<Self> {
        let products = history.products().len();
        let everyone = |history: &History<'_>| {
            let bought = (0..history.customer_count())
                .filter(|customer| !history.purchases_of(*customer).is_empty());
            bought
                .map(|customer| {
                    (
                        Draw::TifuknnPool.hash_without_seed(&[history.customers().key(customer)]),
                        customer,
                    )
                })
                .collect()
        };
        let mut drawn: Vec<(u64, u32)> = history.gather(everyone, |(_, customer)| *customer)?;
        if drawn.len() > pool {
            drawn.select_nth_unstable(pool);
            drawn.truncate(pool);
        }
        let mut customers: Vec<u32> = drawn.into_iter().map(|(_, customer)| customer).collect();
        customers.sort_unstable();
        let vectors = by_customer(history, &customers, |history, customers| {
            let start = || Accumulator::new(products);
            customers
                .par_iter()
                .map_init(start, |sums, customer| {
                    vector(sums, &history.purchases_of(*customer), &parameters)
                })
                .collect()
        })?;
        let norms = vectors
            .iter()
            .map(|vector| vector.iter().map(|(_, weight)| weight * weight).sum())
            .collect();
        let mut posting_starts = vec![0_usize; products + 1];
        for (product, _) in vectors.iter().flatten() {
            if let Some(count) = posting_starts.get_mut(*product as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut posting_starts {
            sum += *start;
            *start = sum;
        }
        let mut next = posting_starts.clone();
        let (mut holders, mut weights) = (vec![0; sum], vec![0.0; sum]);
        for (position, vector) in (0_u32..).zip(&vectors) {
            for (product, weight) in vector {
                let Some(next) = next.get_mut(*product as usize) else {
                    continue;
                };
                if let (Some(holder), Some(held)) = (holders.get_mut(*next), weights.get_mut(*next))
                {
                    (*holder, *held) = (position, *weight);
                }
                *next += 1;
            }
        }
        Ok(Self {
            parameters,
            products,
            customers,
            vectors,
            norms,
            posting_starts,
            holders,
            weights,
        })
    }

    /// The lists of these customers, the best product first; empty for a customer who has not
    /// bought.
    #[must_use]
    pub fn lists(
        &self,
        history: &History<'_>,
        customers: &[u32],
        order: &TextOrder,
    ) -> Vec<Vec<u32>> {
        let start = || {
            (
                vec![0.0; self.customers.len()],
                Accumulator::new(self.products),
            )
        };
        let list = |(dots, sums): &mut (Vec<f64>, Accumulator), customer: &u32| {
            ranked(
                self.scores(*customer, &history.purchases_of(*customer), dots, sums),
                order,
            )
        };
        customers.par_iter().map_init(start, list).collect()
    }

    /// Whose vectors have the product, and with which weight.
    fn posting(&self, product: u32) -> impl Iterator<Item = (&u32, &f64)> {
        let at = product as usize;
        let range = match (self.posting_starts.get(at), self.posting_starts.get(at + 1)) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..0,
        };
        let (holders, weights) = (self.holders.get(range.clone()), self.weights.get(range));
        holders
            .unwrap_or_default()
            .iter()
            .zip(weights.unwrap_or_default())
    }

    /// Scores of all products that the customer or a neighbour has bought. `dots` and `sums` are
    /// scratch.
    fn scores(
        &self,
        customer: u32,
        purchases: &CustomerPurchases<'_>,
        dots: &mut [f64],
        sums: &mut Accumulator,
    ) -> Vec<(u32, f64)> {
        if purchases.is_empty() {
            return vec![];
        }
        let own = vector(sums, purchases, &self.parameters);
        let position = self.customers.binary_search(&customer).ok();
        dots.fill(0.0);
        for (product, weight) in &own {
            for (other, theirs) in self.posting(*product) {
                if let Some(dot) = dots.get_mut(*other as usize) {
                    *dot += weight * theirs;
                }
            }
        }
        let norm: f64 = own.iter().map(|(_, weight)| weight * weight).sum();
        let others = self
            .norms
            .iter()
            .zip(dots.iter())
            .enumerate()
            .filter(|(other, _)| Some(*other) != position);
        let mut near: Vec<(f64, usize)> = others
            .map(|(other, (theirs, dot))| (theirs + norm - 2.0 * dot, other))
            .collect();
        if near.len() > self.parameters.neighbours {
            near.select_nth_unstable_by(self.parameters.neighbours, |a, b| {
                a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
            });
            near.truncate(self.parameters.neighbours);
        }
        // Float sums depend on their order.
        near.sort_unstable_by_key(|(_, other)| *other);
        let share = 1.0 / near.len().max(1) as f64;
        for vector in near
            .iter()
            .filter_map(|(_, other)| self.vectors.get(*other))
        {
            vector
                .iter()
                .for_each(|(product, weight)| sums.add(*product, share * weight));
        }
        sums.scale(1.0 - self.parameters.alpha);
        own.iter()
            .for_each(|(product, weight)| sums.add(*product, self.parameters.alpha * weight));
        sums.take()
    }
}

fn vector(
    sums: &mut Accumulator,
    purchases: &CustomerPurchases<'_>,
    parameters: &TifuknnParameters,
) -> Vec<(u32, f64)> {
    let size = parameters.group.max(1);
    let groups = purchases.len().div_ceil(size) as f64;
    for (back, (_, basket)) in (0..purchases.len()).rev().zip(purchases.iter()) {
        let (group, place) = (back / size, back % size);
        let members = size.min(purchases.len() - group * size) as f64;
        let weight = parameters.within.powf(place as f64) / members
            * parameters.across.powf(group as f64)
            / groups;
        basket.iter().for_each(|product| sums.add(*product, weight));
    }
    sums.take_sorted()
}

#[cfg(test)]
mod tests;
