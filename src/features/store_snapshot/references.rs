//! Customers to compare with: who buys alike, and what they buy.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::ProductCounts;
use crate::calendar::Day;
use crate::purchases::{CustomerPurchases, History};
use crate::sampling::Draw;

/// How far back the products of a customer count for their likeness to others, in days.
pub const NEIGHBOUR_DAYS: i32 = 182;

/// How much a purchase counts beside the one after it, for the frequencies of reference customers.
const PURCHASE_DECAY: f64 = 0.95;
/// Most customers to compare with: the cost of a neighbourhood is linear in the number of customers
/// scored.
const REFERENCES: usize = 2_500;
/// Fewest purchases in the last [`NEIGHBOUR_DAYS`] of a customer to compare with.
const MIN_PURCHASES: usize = 4;
/// How many of the nearest reference customers speak.
const NEIGHBOURS: usize = 80;
/// Most postings of the index that one customer's likeness to the others is summed from.
const MAX_POSTINGS: usize = 16_000;
/// Likeness is raised to this power (the locality parameter q of UP-CF; Faggioli et al., UMAP
/// 2020).
const LOCALITY: i32 = 4;

/// A product with the decayed share of someone's purchases that have it.
type ProductShare = (u32, f32);

/// A customer to compare with.
#[derive(Debug, Clone)]
pub(super) struct ReferenceCustomer {
    /// What decides who is drawn.
    draw: u64,
    key: u64,
    /// By ascending product.
    shares: Vec<ProductShare>,
}

/// The customers to compare with among those of a history.
pub(super) fn references(history: &History<'_>, seed: u64) -> Vec<ReferenceCustomer> {
    let night = history.as_of().day();
    let mut drawn: Vec<(u64, u32)> = (0..history.customer_count())
        .into_par_iter()
        .filter(|customer| is_regular(&history.purchases_of(*customer), night))
        .map(|customer| {
            let names = [history.customers().key(customer)];
            (Draw::ReferenceCustomers.hash(seed, &names), customer)
        })
        .collect();
    if drawn.len() > REFERENCES {
        drawn.select_nth_unstable(REFERENCES);
        drawn.truncate(REFERENCES);
    }
    drawn
        .into_par_iter()
        .with_min_len(256)
        .map_init(
            || ProductShares::new(history.product_count()),
            |shares, (draw, customer)| ReferenceCustomer {
                draw,
                key: history.customers().key(customer),
                shares: shares.of(&history.purchases_of(customer), night),
            },
        )
        .collect()
}

/// Whether a customer came often enough to compare others with.
fn is_regular(purchases: &CustomerPurchases<'_>, night: Day) -> bool {
    let days = purchases.days();
    let earliest = days
        .len()
        .checked_sub(MIN_PURCHASES)
        .and_then(|at| days.get(at));
    earliest.is_some_and(|day| night - *day < NEIGHBOUR_DAYS)
}

/// Those who were drawn first, of however many parts.
pub(super) fn first_drawn(mut references: Vec<ReferenceCustomer>) -> Vec<ReferenceCustomer> {
    references.sort_unstable_by_key(|reference| (reference.draw, reference.key));
    references.truncate(REFERENCES);
    references
}

/// Sums of one customer by product.
struct ProductShares {
    by_product: Vec<f32>,
    touched: Vec<u32>,
}

impl ProductShares {
    fn new(products: usize) -> Self {
        Self {
            by_product: vec![0.0; products],
            touched: vec![],
        }
    }

    /// The products of a customer in the last [`NEIGHBOUR_DAYS`], ascending.
    fn of(&mut self, purchases: &CustomerPurchases<'_>, night: Day) -> Vec<ProductShare> {
        let (mut weight, mut total) = (1.0_f64, 0.0);
        for (day, basket) in purchases.iter().rev() {
            if night - day >= NEIGHBOUR_DAYS {
                break;
            }
            for product in basket {
                let sum = &mut self.by_product[*product as usize];
                if *sum == 0.0 {
                    self.touched.push(*product);
                }
                *sum += weight as f32;
            }
            total += weight;
            weight *= PURCHASE_DECAY;
        }
        self.touched.sort_unstable();
        self.touched
            .drain(..)
            .map(|product| {
                let sum = std::mem::take(&mut self.by_product[product as usize]);
                (product, sum / total as f32)
            })
            .collect()
    }
}

/// Reference customers as an inverted index from products to who buys them how often.
#[derive(Debug, Default)]
pub(super) struct ReferenceIndex {
    /// What stands for each one's id.
    keys: Vec<u64>,
    /// Product `p` is bought by the references at `starts[p]..starts[p + 1]` of the next two,
    /// ascending.
    starts: Vec<u32>,
    buyers: Vec<u16>,
    /// The decayed share of the buyer's purchases that have the product.
    shares: Vec<f32>,
    /// The length of each reference's vector of products.
    norms: Vec<f32>,
    /// Rare products tell more: the squared inverse document frequency.
    rarity: Vec<f32>,
}

/// Arrays of one thread for [`super::StoreSnapshot::find_neighbours`].
#[derive(Debug, Default)]
pub struct NeighbourScratch {
    /// The customer's likeness to each reference.
    likeness: Vec<f32>,
    /// How much each reference speaks; 0 for those who are no neighbours.
    weights: Vec<f32>,
    /// The customer's products, each after how many references buy it.
    own: Vec<(u32, u32)>,
}

impl ReferenceIndex {
    /// The index of the customers who were drawn first, of whom there are `seen` in all.
    pub(super) fn new(
        references: Vec<ReferenceCustomer>,
        counts: &[ProductCounts],
        seen: u64,
    ) -> Self {
        let references = first_drawn(references);
        let rarity: Vec<f32> = counts
            .par_iter()
            .map(|count| {
                let idf = (1.0 + seen as f64 / f64::from(count.buyers.max(1))).ln();
                (idf * idf) as f32
            })
            .collect();
        let mut starts = vec![0_u32; counts.len() + 1];
        for (product, _) in references.iter().flat_map(|reference| &reference.shares) {
            starts[*product as usize + 1] += 1;
        }
        for product in 0..counts.len() {
            starts[product + 1] += starts[product];
        }
        let postings = *starts.last().unwrap_or(&0) as usize;
        let mut next = starts.clone();
        let mut index = Self {
            keys: references.iter().map(|reference| reference.key).collect(),
            starts,
            buyers: vec![0; postings],
            shares: vec![0.0; postings],
            norms: references
                .par_iter()
                .map(|reference| norm(&reference.shares, &rarity))
                .collect(),
            rarity,
        };
        for (at, reference) in (0_u16..).zip(&references) {
            for (product, share) in &reference.shares {
                let place = &mut next[*product as usize];
                index.buyers[*place as usize] = at;
                index.shares[*place as usize] = *share;
                *place += 1;
            }
        }
        index
    }

    fn postings(&self, product: u32) -> std::ops::Range<usize> {
        self.starts[product as usize] as usize..self.starts[product as usize + 1] as usize
    }

    pub(super) fn find_neighbours(
        &self,
        customer: u64,
        products: impl Iterator<Item = u32>,
        scratch: &mut NeighbourScratch,
    ) {
        self.sum_likeness(products, scratch);
        let nearest = self.nearest(customer, &scratch.likeness);
        let weights = &mut scratch.weights;
        weights.clear();
        weights.resize(self.keys.len(), 0.0);
        let total: f32 = nearest
            .iter()
            .map(|(likeness, _)| likeness.powi(LOCALITY))
            .sum();
        if total > 0.0 {
            for (likeness, reference) in nearest {
                weights[reference as usize] = likeness.powi(LOCALITY) / total;
            }
        }
    }

    /// How like each reference is to someone who bought these products.
    fn sum_likeness(&self, products: impl Iterator<Item = u32>, scratch: &mut NeighbourScratch) {
        let NeighbourScratch { likeness, own, .. } = scratch;
        likeness.clear();
        likeness.resize(self.keys.len(), 0.0);
        // The rarest products tell most and cost least: in a fixed order, as many of them as there
        // is room for.
        own.clear();
        own.extend(products.map(|product| (self.postings(product).len() as u32, product)));
        own.sort_unstable();
        let mut room = MAX_POSTINGS;
        for (_, product) in own {
            let rarity = self.rarity[*product as usize];
            let buyers = &self.buyers[self.postings(*product)];
            for reference in buyers {
                likeness[*reference as usize] += rarity;
            }
            room = room.saturating_sub(buyers.len());
            if room == 0 {
                break;
            }
        }
    }

    /// The references that are most like, the customer excepted; the nearest first.
    fn nearest(&self, customer: u64, likeness: &[f32]) -> Vec<(f32, u32)> {
        // The length of the customer's own vector is the same beside everyone and falls out of the
        // weights.
        let mut near: Vec<(f32, u32)> = likeness
            .iter()
            .zip(&self.norms)
            .zip(0_u32..)
            .filter(|((likeness, _), reference)| {
                **likeness > 0.0 && self.keys[*reference as usize] != customer
            })
            .map(|((likeness, norm), reference)| (likeness / norm, reference))
            .collect();
        if near.len() > NEIGHBOURS {
            near.select_nth_unstable_by(NEIGHBOURS, nearest_first);
            near.truncate(NEIGHBOURS);
        }
        near.sort_unstable_by(nearest_first);
        near
    }

    pub(super) fn neighbour_score(&self, product: u32, scratch: &NeighbourScratch) -> f32 {
        if product as usize >= self.rarity.len() {
            return 0.0;
        }
        let postings = self.postings(product);
        self.buyers[postings.clone()]
            .iter()
            .zip(&self.shares[postings])
            .map(|(reference, share)| scratch.weights[*reference as usize] * share)
            .sum()
    }
}

fn norm(shares: &[ProductShare], rarity: &[f32]) -> f32 {
    let squared: f32 = shares
        .iter()
        .map(|(product, _)| rarity[*product as usize])
        .sum();
    squared.max(1e-6).sqrt()
}

fn nearest_first(a: &(f32, u32), b: &(f32, u32)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}
