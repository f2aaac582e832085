//! Training rows: (customer, night, candidate) of past nights, and whether the product was in the
//! basket that followed.

use rayon::prelude::*;

use super::BasketParameters;
use super::quotas::{PilotSample, SamplingQuotas};
use super::snapshot_looker::SnapshotLooker;
use super::snapshots::{FOLDS, Snapshot, SnapshotCounts, SnapshotGrid};
use crate::calendar::Day;
use crate::error::{Error, Result};
use crate::features::basket::{BASKET_WIDTH, BasketScratch};
use crate::features::store_snapshot::{ProductCounts, StoreSnapshot};
use crate::models::boosting::{BinnedRows, Bins};
use crate::models::strata::Stratum;
use crate::models::timing::TimingModel;
use crate::purchases::{History, PartitionedHistory};
use crate::recurrence::Rule;
use crate::sampling::Draw;

#[cfg(test)]
mod tests;

/// Most nights that are counted in one pass over the customers: more of them save a little time.
const MAX_NIGHTS_AT_A_TIME: usize = 8;
/// Most bytes that a thread's counts of these nights take.
const MAX_COUNT_BYTES: usize = 15_000_000;

fn nights_at_a_time(products: usize) -> usize {
    (MAX_COUNT_BYTES / (products.max(1) * size_of::<ProductCounts>()))
        .clamp(1, MAX_NIGHTS_AT_A_TIME)
}

/// What a basket model is fitted to: rows of past nights with what became of them, the early ones
/// first.
pub struct BasketRows {
    /// What trees are grown by: outcomes, and weights that count a product of a large basket less.
    pub(super) rows: BinnedRows,
    /// Weights without regard to the basket's size: for how many candidates a row stands. With
    /// these, probabilities are true.
    pub(super) sampling_weight: Vec<f32>,
    pub(super) product: Vec<u32>,
    /// Whether the customer met the rule on the night.
    pub(super) scored: Vec<bool>,
    pub(super) bins: Bins,
    /// Where the rows of each fold end. Those of the last 28 days are the last fold; a fit takes
    /// the rows up to the end of a fold before.
    pub(super) fold_ends: [usize; FOLDS],
}

impl BasketRows {
    /// Looks at the past nights of a history. `timing` says when customers were expected, `rule`
    /// who is looked at first.
    ///
    /// # Errors
    /// If there is nothing to learn from, or a part cannot be brought back.
    pub fn new(
        history: PartitionedHistory<'_>,
        timing: &TimingModel,
        rule: &Rule,
        parameters: &BasketParameters,
        seed: u64,
    ) -> Result<Self> {
        let grid = SnapshotGrid::new(history.as_of().day(), parameters, seed);
        let counts = SnapshotCounts::new(&grid, history, rule)?;
        if counts.is_empty() {
            return Err(Error::input(format!(
                "up to {} no customer has {} purchases and a next one to learn from",
                history.as_of(),
                parameters.min_purchases
            ))
            .hint("train on a longer history, or with a later --as-of"));
        }
        let pilot = PilotSample::new(&grid, history, timing, &counts)?;
        let quotas = SamplingQuotas::new(counts.early(), pilot.candidates, parameters);
        let snapshots = grid.gather(history, |history, snapshot| {
            let purchases = history.purchases_of(snapshot.customer);
            let stratum = Stratum::on(rule, &purchases, snapshot.night);
            Draw::Snapshots.keeps(seed, &snapshot.names(history), quotas.snapshots[stratum])
        })?;
        let maker = RowMaker {
            timing,
            rule,
            bins: &pilot.bins,
            negatives: quotas.negatives,
            parameters,
            seed,
        };
        let made = maker.all(&grid, history, &snapshots)?;
        let capacity = (snapshots.len() as f64 * quotas.rows_per_snapshot * 1.05) as usize;
        let mut table = Self::with_capacity(pilot.bins, capacity);
        for (at, rows) in made {
            let fold = snapshots.get(at).map_or(0, |snapshot| grid.fold(snapshot));
            table.add(rows, fold);
        }
        Ok(table)
    }

    fn with_capacity(bins: Bins, rows: usize) -> Self {
        Self {
            rows: BinnedRows::with_capacity(BASKET_WIDTH, rows),
            sampling_weight: Vec::with_capacity(rows),
            product: Vec::with_capacity(rows),
            scored: Vec::with_capacity(rows),
            bins,
            fold_ends: [0; FOLDS],
        }
    }

    /// Adds the rows of a snapshot, whose fold is not before that of the last one.
    fn add(&mut self, rows: SnapshotRows, fold: usize) {
        self.rows.extend(&rows.bins, &rows.label, &rows.weight);
        self.sampling_weight.extend(rows.sampling_weight);
        self.product.extend(rows.product);
        self.scored.extend(rows.scored);
        self.fold_ends[fold..].fill(self.rows.len());
    }
}

/// Rows of a snapshot, as they come into [`BasketRows`].
#[derive(Debug, Default)]
struct SnapshotRows {
    bins: Vec<u8>,
    label: Vec<bool>,
    weight: Vec<f32>,
    sampling_weight: Vec<f32>,
    product: Vec<u32>,
    scored: Vec<bool>,
}

/// Snapshots with their positions.
type Numbered<'a> = (usize, &'a Snapshot);

/// What snapshots become rows by.
struct RowMaker<'a> {
    timing: &'a TimingModel,
    rule: &'a Rule,
    bins: &'a Bins,
    /// The share kept of the candidates that were not bought.
    negatives: f64,
    parameters: &'a BasketParameters,
    seed: u64,
}

impl RowMaker<'_> {
    /// Rows of the snapshots, with their positions, which ascend.
    ///
    /// The store is looked at once a night, whatever folds the rows of the night are in, and a
    /// customer's purchases once for all of the nights that are counted together.
    fn all(
        &self,
        grid: &SnapshotGrid<'_>,
        history: PartitionedHistory<'_>,
        snapshots: &[Snapshot],
    ) -> Result<Vec<(usize, SnapshotRows)>> {
        let mut by_night: Vec<Numbered<'_>> = snapshots.iter().enumerate().collect();
        by_night.sort_by_key(|(_, snapshot)| snapshot.night);
        let by_night: Vec<&[Numbered<'_>]> =
            by_night.chunk_by(|a, b| a.1.night == b.1.night).collect();
        let mut made = Vec::with_capacity(snapshots.len());
        for some_nights in by_night.chunks(nights_at_a_time(history.products().len())) {
            let nights: Vec<Day> = some_nights
                .iter()
                .filter_map(|snapshots| snapshots.first())
                .map(|(_, snapshot)| snapshot.night)
                .collect();
            let stores = grid.stores(history, &nights)?;
            self.on_nights(history, &stores, some_nights.concat(), &mut made)?;
        }
        made.sort_unstable_by_key(|(at, _)| *at);
        Ok(made)
    }

    /// Adds the rows of the snapshots on the nights of `stores`.
    fn on_nights(
        &self,
        history: PartitionedHistory<'_>,
        stores: &[StoreSnapshot],
        mut snapshots: Vec<Numbered<'_>>,
        made: &mut Vec<(usize, SnapshotRows)>,
    ) -> Result<()> {
        snapshots.sort_by_key(|(_, snapshot)| (snapshot.customer, snapshot.night));
        let by_customer: Vec<&[Numbered<'_>]> = snapshots
            .chunk_by(|a, b| a.1.customer == b.1.customer)
            .collect();
        history.each(|history| {
            let here = by_customer.par_iter().filter(|snapshots| {
                snapshots
                    .iter()
                    .any(|(_, snapshot)| snapshot.is_of(history))
            });
            let rows = here.map_init(BasketScratch::default, |scratch, snapshots| {
                self.of_customer(history, stores, snapshots, scratch)
            });
            made.par_extend(rows.flatten_iter());
            Ok(())
        })
    }

    /// Rows of the snapshots of one customer, whose nights ascend and are those of `stores`.
    fn of_customer(
        &self,
        history: &History<'_>,
        stores: &[StoreSnapshot],
        snapshots: &[Numbered<'_>],
        scratch: &mut BasketScratch,
    ) -> Vec<(usize, SnapshotRows)> {
        let Some((_, first)) = snapshots.first() else {
            return vec![];
        };
        let mut looker = SnapshotLooker::new(history, self.timing, first.customer, scratch);
        let mut made = Vec::with_capacity(snapshots.len());
        for (at, snapshot) in snapshots {
            if let Some(store) = stores.iter().find(|store| store.night() == snapshot.night) {
                made.push((*at, self.of_snapshot(history, snapshot, looker.look(store))));
            }
        }
        made
    }

    /// Rows of a snapshot, whose candidates are in `scratch`.
    fn of_snapshot(
        &self,
        history: &History<'_>,
        snapshot: &Snapshot,
        scratch: &BasketScratch,
    ) -> SnapshotRows {
        let mut rows = SnapshotRows::default();
        let basket = snapshot.basket(history);
        let scored = self
            .rule
            .met(&history.purchases_of(snapshot.customer), snapshot.night);
        let weights = RowWeights::new(snapshot, basket.len(), self.negatives, self.parameters);
        let [customer, next] = snapshot.names(history);
        for (candidate, row) in scratch
            .candidates
            .iter()
            .zip(scratch.rows.chunks_exact(BASKET_WIDTH))
        {
            let bought = basket.binary_search(&candidate.product).is_ok();
            let names = [customer, next, history.products().key(candidate.product)];
            if !bought && !Draw::NegativeRows.keeps(self.seed, &names, self.negatives) {
                continue;
            }
            self.bins.bin_row(row, &mut rows.bins);
            rows.label.push(bought);
            let sampling_weight = weights.sampling_weight(bought);
            rows.sampling_weight.push(sampling_weight);
            rows.weight.push(sampling_weight * weights.basket);
            rows.product.push(candidate.product);
            rows.scored.push(scored);
        }
        rows
    }
}

/// The weights of a snapshot's rows.
#[derive(Debug, PartialEq)]
struct RowWeights {
    /// Of the purchase: many nights that wait for it count more than one.
    purchase: f32,
    /// Of a product in the basket: the more products, the less each of them.
    basket: f32,
    /// The share kept of the candidates that were not bought.
    negatives: f32,
}

impl RowWeights {
    fn new(
        snapshot: &Snapshot,
        basket_size: usize,
        negatives: f64,
        parameters: &BasketParameters,
    ) -> Self {
        Self {
            purchase: f64::from(snapshot.nights).powf(parameters.night_power) as f32,
            basket: (basket_size.max(1) as f64).powf(-parameters.size_power) as f32,
            negatives: negatives as f32,
        }
    }

    /// For how many candidates a row stands: one that was not bought stands for those left out,
    /// too.
    fn sampling_weight(&self, bought: bool) -> f32 {
        if bought {
            self.purchase
        } else {
            self.purchase / self.negatives
        }
    }
}
