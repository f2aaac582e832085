//! Customers to compare with: who buys alike, and what they buy.

use rayon::prelude::*;

use super::{LIKENESS_DAYS, ProductCounts};
use crate::calendar::Day;
use crate::purchases::{CustomerPurchases, History};
use crate::sampling::Draw;

/// A visit counts this much less for the frequencies of reference customers than the one after it.
const VISIT_DECAY: f64 = 0.95;
/// Most customers to compare with: the cost of a neighbourhood is linear in the number of customers
/// scored.
const REFERENCES: usize = 2_500;
/// Fewest purchases in the last [`LIKENESS_DAYS`] of a customer to compare with.
const MIN_PURCHASES: usize = 4;
/// How many of the nearest reference customers speak.
const NEIGHBOURS: usize = 80;
/// Most postings of the index that one customer's likeness to the others is summed from.
const MAX_POSTINGS: usize = 16_000;
/// Likeness is raised to this power (the locality parameter q of UP-CF; Faggioli et al., UMAP
/// 2020).
const LOCALITY: i32 = 4;

/// Reference customers as an inverted index from products to who buys them how often.
#[derive(Debug, Default)]
pub(super) struct References {
    /// What stands for each one's id.
    keys: Vec<u64>,
    /// Product `p` is bought by the references at `starts[p]..starts[p + 1]` of the next two,
    /// ascending.
    starts: Vec<u32>,
    buyers: Vec<u16>,
    /// The decayed share of the buyer's purchases that have the product.
    shares: Vec<f32>,
    norms: Vec<f32>,
    /// Rare products tell more: the squared inverse document frequency.
    rarity: Vec<f32>,
}

/// Arrays of one thread for [`super::StoreSnapshot::look_for_neighbours`].
#[derive(Debug, Default)]
pub struct NeighbourScratch {
    likeness: Vec<f32>,
    /// How much each reference speaks; 0 for those who are no neighbours.
    weights: Vec<f32>,
    /// The customer's products, each after how many references buy it.
    own: Vec<(u32, u32)>,
}

/// Sums of one customer by product.
struct Shares {
    by_product: Vec<f32>,
    touched: Vec<u32>,
}

impl Shares {
    fn new(products: usize) -> Self {
        Self {
            by_product: vec![0.0; products],
            touched: vec![],
        }
    }

    /// The products of a customer in the last [`LIKENESS_DAYS`], ascending, with the decayed share
    /// of purchases that have them.
    fn of(&mut self, purchases: &CustomerPurchases<'_>, night: Day) -> Vec<(u32, f32)> {
        let (mut weight, mut total) = (1.0_f64, 0.0);
        for (day, basket) in purchases.iter().rev() {
            if night - day >= LIKENESS_DAYS {
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
            weight *= VISIT_DECAY;
        }
        self.touched.sort_unstable();
        let share = |product: u32| {
            (
                product,
                std::mem::take(&mut self.by_product[product as usize]) / total as f32,
            )
        };
        self.touched.drain(..).map(share).collect()
    }
}

/// A customer to compare with.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    /// What decides who is drawn.
    draw: u64,
    key: u64,
    /// Products, ascending, with the decayed share of purchases that have them.
    shares: Vec<(u32, f32)>,
}

/// The customers to compare with among those of a history.
pub(super) fn references(history: &History<'_>, seed: u64) -> Vec<Reference> {
    let night = history.as_of().day();
    let compares = |customer: u32| {
        let days = history.purchases_of(customer).days();
        let least = days
            .len()
            .checked_sub(MIN_PURCHASES)
            .and_then(|at| days.get(at))?;
        (night - *least < LIKENESS_DAYS).then(|| {
            (
                Draw::ReferenceCustomers.hash(seed, &[history.customers().key(customer)]),
                customer,
            )
        })
    };
    let mut drawn: Vec<(u64, u32)> = (0..history.customer_count())
        .into_par_iter()
        .filter_map(compares)
        .collect();
    if drawn.len() > REFERENCES {
        drawn.select_nth_unstable(REFERENCES);
        drawn.truncate(REFERENCES);
    }
    let reference = |shares: &mut Shares, (draw, customer): (u64, u32)| {
        let shares = shares.of(&history.purchases_of(customer), night);
        Reference {
            draw,
            key: history.customers().key(customer),
            shares,
        }
    };
    drawn
        .into_par_iter()
        .with_min_len(256)
        .map_init(|| Shares::new(history.product_count()), reference)
        .collect()
}

/// Those who were drawn first, of however many parts.
pub(super) fn first_drawn(mut references: Vec<Reference>) -> Vec<Reference> {
    references.sort_unstable_by_key(|reference| (reference.draw, reference.key));
    references.truncate(REFERENCES);
    references
}

impl References {
    /// The index of the customers who were drawn first, of whom there are `seen` in all.
    pub(super) fn new(references: Vec<Reference>, counts: &[ProductCounts], seen: u64) -> Self {
        let references = first_drawn(references);
        let rarity: Vec<f32> = counts
            .par_iter()
            .map(|count| {
                let idf = (1.0 + seen as f64 / f64::from(count.buyers.max(1))).ln();
                (idf * idf) as f32
            })
            .collect();
        let keys = references.iter().map(|reference| reference.key).collect();
        let shares: Vec<Vec<(u32, f32)>> = references
            .into_iter()
            .map(|reference| reference.shares)
            .collect();
        let mut starts = vec![0_u32; counts.len() + 1];
        for (product, _) in shares.iter().flatten() {
            starts[*product as usize + 1] += 1;
        }
        for product in 0..counts.len() {
            starts[product + 1] += starts[product];
        }
        let mut next = starts.clone();
        let all = *starts.last().unwrap_or(&0) as usize;
        let norm = |shares: &Vec<(u32, f32)>| {
            let norm: f32 = shares
                .iter()
                .map(|(product, _)| rarity[*product as usize])
                .sum();
            norm.max(1e-6).sqrt()
        };
        let norms = shares.par_iter().map(norm).collect();
        let mut out = Self {
            keys,
            starts,
            buyers: vec![0; all],
            shares: vec![0.0; all],
            norms,
            rarity,
        };
        for (reference, shares) in shares.iter().enumerate() {
            for (product, share) in shares {
                let place = &mut next[*product as usize];
                out.buyers[*place as usize] = reference as u16;
                out.shares[*place as usize] = *share;
                *place += 1;
            }
        }
        out
    }

    fn postings(&self, product: u32) -> std::ops::Range<usize> {
        self.starts[product as usize] as usize..self.starts[product as usize + 1] as usize
    }

    pub(super) fn look_for_neighbours(
        &self,
        customer: u64,
        products: impl Iterator<Item = u32>,
        scratch: &mut NeighbourScratch,
    ) {
        let NeighbourScratch {
            likeness,
            weights,
            own,
        } = scratch;
        weights.clear();
        weights.resize(self.keys.len(), 0.0);
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
        // The length of the customer's own vector is the same beside everyone and falls out of the
        // weights.
        let mut near: Vec<(f32, u32)> = likeness
            .iter()
            .zip(&self.norms)
            .zip(0_u32..)
            .filter(|((likeness, _), reference)| {
                **likeness > 0.0 && self.keys[*reference as usize] != customer
            })
            .map(|((likeness, other), reference)| (likeness / other, reference))
            .collect();
        let by_likeness = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if near.len() > NEIGHBOURS {
            near.select_nth_unstable_by(NEIGHBOURS, by_likeness);
            near.truncate(NEIGHBOURS);
        }
        near.sort_unstable_by(by_likeness);
        let total: f32 = near
            .iter()
            .map(|(likeness, _)| likeness.powi(LOCALITY))
            .sum();
        if total > 0.0 {
            near.iter().for_each(|(likeness, reference)| {
                weights[*reference as usize] = likeness.powi(LOCALITY) / total
            });
        }
    }

    pub(super) fn liked(&self, product: u32, scratch: &NeighbourScratch) -> f32 {
        if product as usize >= self.rarity.len() {
            return 0.0;
        }
        let postings = self.postings(product);
        let weighted = self.buyers[postings.clone()]
            .iter()
            .zip(&self.shares[postings]);
        weighted
            .map(|(reference, share)| scratch.weights[*reference as usize] * share)
            .sum()
    }
}
