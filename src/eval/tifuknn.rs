//! TIFUKNN: a customer's own frequencies, decayed over time, mixed with those of the nearest
//! customers (Hu, He, Gao & Zhang, SIGIR 2020).
//!
//! A customer's purchases are cut into groups of `group`, counted back from the latest. The
//! purchase at place i (0 = latest) of group g (0 = latest), which has s purchases, of G groups,
//! gives each of its products `withinⁱ ÷ s · acrossᵍ ÷ G`. The sums are the customer's vector v.
//! The score is `alpha · v + (1 − alpha) · mean of the neighbours' v`. The neighbours are the
//! nearest customers by Euclidean distance. If there are more than [`POOL`] customers, they are
//! looked for among that many, drawn by a hash of their ids, so that the work for one customer is
//! bounded.

use rayon::prelude::*;

use super::baselines::{Accumulator, top_ranked};
use super::protocol::{TextOrder, customers_in};
use crate::error::Result;
use crate::purchases::{CustomerPurchases, History, PartitionedHistory};
use crate::sampling::Draw;

/// Most customers among whom neighbours are looked for.
pub const POOL: usize = 10_000;

/// How the vectors are made and mixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TifuknnParameters {
    /// How many purchases a group has.
    pub group: usize,
    /// Decay from purchase to purchase in a group.
    pub within: f64,
    /// Decay from group to group.
    pub across: f64,
    /// Weight of the customer's own vector, 0 to 1.
    pub alpha: f64,
    /// How many neighbours are averaged.
    pub neighbours: usize,
}

impl Default for TifuknnParameters {
    /// The values that were best on grocery data.
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
    /// The customers among whom neighbours are looked for, ascending. A position below is a
    /// position in this list.
    pool: Vec<u32>,
    /// The vector of each customer in the pool.
    vectors: Vec<SparseVector>,
    /// The squared length of each vector.
    squared_lengths: Vec<f64>,
    postings: Postings,
}

/// Products and their weights, by ascending product.
type SparseVector = Vec<(u32, f64)>;

/// For each product, the vectors that have it: an inverted index.
#[derive(Debug)]
struct Postings {
    /// The entries of product `p` are `starts[p]..starts[p + 1]`, by ascending position.
    starts: Vec<usize>,
    /// The position in the pool of the customer whose vector has the product.
    positions: Vec<u32>,
    /// The weight that the vector gives to the product.
    weights: Vec<f64>,
}

/// What one thread needs to score customers.
struct ScoringBuffers {
    /// The dot product of the customer's vector with each vector of the pool.
    dot_products: Vec<f64>,
    sums: Accumulator,
}

impl Tifuknn {
    /// Computes the vectors of the customers among whom neighbours are looked for, at most `pool`
    /// of them.
    ///
    /// # Errors
    /// If a part of the history cannot be brought back from where it was set aside.
    pub fn new(
        history: PartitionedHistory<'_>,
        parameters: TifuknnParameters,
        pool: usize,
    ) -> Result<Self> {
        let mut drawn = PoolDraw::new(pool);
        history.each(|partition| {
            drawn.add(partition);
            Ok(())
        })?;
        let products = history.products().len();
        let mut builder = TifuknnBuilder::new(drawn, parameters, products);
        history.each(|partition| {
            builder.add(partition);
            Ok(())
        })?;
        Ok(builder.finish())
    }

    /// A list for each of these customers, the best product first. It is empty for a customer who
    /// has not bought.
    #[must_use]
    pub fn lists(
        &self,
        history: &History<'_>,
        customers: &[u32],
        order: &TextOrder,
    ) -> Vec<Vec<u32>> {
        let lists = customers.par_iter().map_init(
            || self.buffers(),
            |buffers, customer| {
                let purchases = history.purchases_of(*customer);
                top_ranked(self.scores(*customer, &purchases, buffers), order)
            },
        );
        lists.collect()
    }

    fn buffers(&self) -> ScoringBuffers {
        ScoringBuffers {
            dot_products: vec![0.0; self.pool.len()],
            sums: Accumulator::new(self.products),
        }
    }

    /// Scores of all products that the customer or a neighbour has bought.
    fn scores(
        &self,
        customer: u32,
        purchases: &CustomerPurchases<'_>,
        buffers: &mut ScoringBuffers,
    ) -> Vec<(u32, f64)> {
        if purchases.is_empty() {
            return vec![];
        }
        let own = vector(&mut buffers.sums, purchases, &self.parameters);
        let neighbours = self.neighbours(customer, &own, &mut buffers.dot_products);
        let sums = &mut buffers.sums;
        let share = 1.0 / neighbours.len().max(1) as f64;
        for position in neighbours {
            for (product, weight) in &self.vectors[position] {
                sums.add(*product, share * weight);
            }
        }
        sums.scale(1.0 - self.parameters.alpha);
        for (product, weight) in &own {
            sums.add(*product, self.parameters.alpha * weight);
        }
        sums.take()
    }

    /// The positions of the nearest customers, without the customer's own, ascending.
    fn neighbours(
        &self,
        customer: u32,
        own: &[(u32, f64)],
        dot_products: &mut [f64],
    ) -> Vec<usize> {
        dot_products.fill(0.0);
        for (product, weight) in own {
            for (position, other_weight) in self.postings.of(*product) {
                dot_products[position as usize] += weight * other_weight;
            }
        }
        let own_position = self.pool.binary_search(&customer).ok();
        let own_squared_length = squared_length(own);
        let others = self.squared_lengths.iter().zip(dot_products.iter());
        let mut nearest: Vec<(f64, usize)> = others
            .enumerate()
            .filter(|(position, _)| Some(*position) != own_position)
            .map(|(position, (squared_length, dot_product))| {
                let distance = squared_length + own_squared_length - 2.0 * dot_product;
                (distance, position)
            })
            .collect();
        if nearest.len() > self.parameters.neighbours {
            nearest.select_nth_unstable_by(self.parameters.neighbours, |a, b| {
                a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
            });
            nearest.truncate(self.parameters.neighbours);
        }
        let mut positions: Vec<usize> = nearest.into_iter().map(|(_, position)| position).collect();
        // A sum of floats depends on its order.
        positions.sort_unstable();
        positions
    }
}

/// Draws the customers among whom neighbours are looked for, partition by partition: those who have
/// bought, or if they are too many, some of them, by a hash of their ids.
#[derive(Debug)]
pub struct PoolDraw {
    most: usize,
    /// Those with the lowest hashes up to now, at most `most`.
    drawn: Vec<(u64, u32)>,
}

impl PoolDraw {
    /// A draw of at most `most` customers.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            drawn: vec![],
        }
    }

    /// Adds the customers of a partition.
    pub fn add(&mut self, partition: &History<'_>) {
        self.drawn.extend(draws(partition));
        if self.drawn.len() > self.most {
            self.drawn.select_nth_unstable(self.most);
            self.drawn.truncate(self.most);
        }
    }

    /// Those who were drawn, ascending.
    fn finish(self) -> Vec<u32> {
        let mut customers: Vec<u32> = self
            .drawn
            .into_iter()
            .map(|(_, customer)| customer)
            .collect();
        customers.sort_unstable();
        customers
    }
}

/// Computes the vectors of a [`Tifuknn`], partition by partition.
#[derive(Debug)]
pub struct TifuknnBuilder {
    parameters: TifuknnParameters,
    products: usize,
    pool: Vec<u32>,
    /// Of each customer in the pool; empty until their partition comes.
    vectors: Vec<SparseVector>,
}

impl TifuknnBuilder {
    /// No vectors yet of the customers who were drawn. `products` is how many products the history
    /// has.
    #[must_use]
    pub fn new(drawn: PoolDraw, parameters: TifuknnParameters, products: usize) -> Self {
        let pool = drawn.finish();
        Self {
            parameters,
            products,
            vectors: vec![vec![]; pool.len()],
            pool,
        }
    }

    /// Computes the vectors of the customers of a partition.
    pub fn add(&mut self, partition: &History<'_>) {
        let (positions, present) = customers_in(partition, &self.pool);
        let vectors: Vec<SparseVector> = present
            .par_iter()
            .map_init(
                || Accumulator::new(self.products),
                |sums, customer| vector(sums, &partition.purchases_of(*customer), &self.parameters),
            )
            .collect();
        for (position, vector) in positions.into_iter().zip(vectors) {
            self.vectors[position] = vector;
        }
    }

    /// The vectors, ready to be compared.
    #[must_use]
    pub fn finish(self) -> Tifuknn {
        let Self {
            parameters,
            products,
            pool,
            vectors,
        } = self;
        Tifuknn {
            parameters,
            products,
            pool,
            squared_lengths: vectors
                .iter()
                .map(|vector| squared_length(vector))
                .collect(),
            postings: Postings::new(products, &vectors),
            vectors,
        }
    }
}

/// The customers of one part who have bought, each with its hash.
fn draws(history: &History<'_>) -> Vec<(u64, u32)> {
    (0..history.customer_count())
        .filter(|customer| !history.purchases_of(*customer).is_empty())
        .map(|customer| {
            let key = history.customers().key(customer);
            (Draw::TifuknnPool.hash_without_seed(&[key]), customer)
        })
        .collect()
}

fn squared_length(vector: &[(u32, f64)]) -> f64 {
    vector.iter().map(|(_, weight)| weight * weight).sum()
}

impl Postings {
    fn new(products: usize, vectors: &[SparseVector]) -> Self {
        let mut starts = vec![0_usize; products + 1];
        for (product, _) in vectors.iter().flatten() {
            starts[*product as usize + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let (mut positions, mut weights) = (vec![0; sum], vec![0.0; sum]);
        for (position, vector) in (0_u32..).zip(vectors) {
            for (product, weight) in vector {
                let entry = &mut next[*product as usize];
                positions[*entry] = position;
                weights[*entry] = *weight;
                *entry += 1;
            }
        }
        Self {
            starts,
            positions,
            weights,
        }
    }

    /// The positions of the customers whose vectors have the product, with its weights.
    fn of(&self, product: u32) -> impl Iterator<Item = (u32, f64)> {
        let product = product as usize;
        let entries = self.starts[product]..self.starts[product + 1];
        let positions = self.positions[entries.clone()].iter().copied();
        positions.zip(self.weights[entries].iter().copied())
    }
}

/// The vector of a customer with these purchases. `sums` is scratch.
fn vector(
    sums: &mut Accumulator,
    purchases: &CustomerPurchases<'_>,
    parameters: &TifuknnParameters,
) -> SparseVector {
    let group_size = parameters.group.max(1);
    let groups = purchases.len().div_ceil(group_size) as f64;
    for (back, (_, basket)) in (0..purchases.len()).rev().zip(purchases.iter()) {
        let (group, place) = (back / group_size, back % group_size);
        let members = group_size.min(purchases.len() - group * group_size) as f64;
        let weight = parameters.within.powf(place as f64) / members
            * parameters.across.powf(group as f64)
            / groups;
        basket.iter().for_each(|product| sums.add(*product, weight));
    }
    sums.take_sorted()
}

#[cfg(test)]
mod tests;
