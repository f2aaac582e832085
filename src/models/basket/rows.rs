//! Training rows: (customer, night, candidate) of past nights, and whether the product was in the
//! basket that followed.

use rayon::prelude::*;

use super::BasketParameters;
use super::quotas::{PilotSums, PilotWalks, SamplingQuotas};
use super::snapshot_looker::SnapshotLooker;
use super::snapshots::{FOLDS, Snapshot, SnapshotCounts, SnapshotGrid, StoreSnapshotCounter};
use crate::calendar::{AsOf, Day};
use crate::error::{Error, Result};
use crate::features::basket::{BASKET_WIDTH, BasketScratch};
use crate::features::store_snapshot::{ProductCounts, StoreSnapshot};
use crate::models::boosting::{BinnedRows, Bins};
use crate::models::timing::TimingModel;
use crate::purchases::{History, PartitionedHistory};
use crate::recurrence::Rule;
use crate::sampling::Draw;

#[cfg(test)]
mod tests;

/// Most groups of nights where each of them is a walk over partitions that come back from disk.
const MAX_GROUPS: usize = 6;
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
    /// Weights without regard to the basket's size: for how many candidates, on how many nights, a
    /// row stands. With these, probabilities are true on any night.
    pub(super) sampling_weight: Vec<f32>,
    pub(super) product: Vec<u32>,
    /// Whether the customer met the rule on the night.
    pub(super) scored: Vec<bool>,
    pub(super) bins: Bins,
    /// Where the rows of each fold end. Those of the last 28 days are the last fold; a fit takes
    /// the rows up to the end of a fold before.
    pub(super) fold_ends: [usize; FOLDS],
}

/// The past nights that a basket model learns from, before anything is known of them. First all
/// partitions are counted.
pub struct BasketNights<'a> {
    grid: SnapshotGrid<'a>,
    rule: &'a Rule,
    parameters: &'a BasketParameters,
    seed: u64,
    counts: SnapshotCounts,
    /// The days of the past that nights are taken from, once all partitions are counted.
    days: u32,
}

impl<'a> BasketNights<'a> {
    /// Of a history that ends on a night. `rule` says who is looked at first.
    #[must_use]
    pub fn new(end: AsOf, rule: &'a Rule, parameters: &'a BasketParameters, seed: u64) -> Self {
        Self {
            grid: SnapshotGrid::new(end.day(), parameters, rule, seed),
            rule,
            parameters,
            seed,
            counts: SnapshotCounts::default(),
            days: parameters.days,
        }
    }

    /// Counts a partition.
    pub fn count(&mut self, partition: &History<'_>) {
        self.counts.add_partition(&self.grid, partition);
    }

    /// The rows, when all partitions are counted, in walks that nothing shares.
    ///
    /// # Errors
    /// As [`PickedBasketPilot::rows`].
    pub fn rows(self, history: PartitionedHistory<'_>, timing: &TimingModel) -> Result<BasketRows> {
        let mut pilot = self.pilot();
        history.each(|partition| {
            pilot.gather(partition);
            Ok(())
        })?;
        let mut picked = pilot.pick();
        history.each(|partition| {
            picked.look(partition, timing);
            Ok(())
        })?;
        picked.rows(history, timing)
    }

    /// What comes next, when all partitions are counted.
    #[must_use]
    pub fn pilot(mut self) -> BasketPilot<'a> {
        let wanted = self.parameters.wanted_snapshots();
        self.days = self.counts.keep_last(&self.grid, wanted);
        let walks = PilotWalks::new(&self.grid, &self.counts);
        BasketPilot {
            nights: self,
            walks,
        }
    }
}

/// A pilot sample that is gathered. All partitions are gathered from before it is looked at.
pub struct BasketPilot<'a> {
    nights: BasketNights<'a>,
    walks: PilotWalks,
}

impl<'a> BasketPilot<'a> {
    /// Gathers from a partition.
    pub fn gather(&mut self, partition: &History<'_>) {
        self.walks.gather(&self.nights.grid, partition);
    }

    /// What comes next, when all partitions are gathered from.
    #[must_use]
    pub fn pick(self) -> PickedBasketPilot<'a> {
        let sums = self.walks.pick(&self.nights.grid);
        PickedBasketPilot {
            nights: self.nights,
            sums,
        }
    }
}

/// A pilot sample that is looked at, which says how many rows to make. All partitions are looked at
/// before the rows are made.
pub struct PickedBasketPilot<'a> {
    nights: BasketNights<'a>,
    sums: PilotSums,
}

impl PickedBasketPilot<'_> {
    /// Looks at a partition. `timing` says when customers were expected.
    pub fn look(&mut self, partition: &History<'_>, timing: &TimingModel) {
        self.sums.add(partition, timing);
    }

    /// Makes the rows, in some walks more: one, and one for each group of nights.
    ///
    /// # Errors
    /// If there is nothing to learn from, or a part of the history cannot be brought back.
    pub fn rows(self, history: PartitionedHistory<'_>, timing: &TimingModel) -> Result<BasketRows> {
        let BasketNights {
            grid,
            rule,
            parameters,
            seed,
            counts,
            days,
        } = self.nights;
        if counts.is_empty() {
            return Err(Error::input(format!(
                "up to {} no customer has {} purchases and a next one to learn from",
                history.as_of(),
                rule.least_purchases(parameters.min_purchases)
            ))
            .hint("train on a longer history, or with a later --as-of"));
        }
        let pilot = self.sums.finish();
        let quotas = SamplingQuotas::new(counts.early(), days, pilot.candidates, parameters);
        let nights = counts.nights();
        let groups = NightGroups::new(&nights, history);
        let mut snapshots = vec![];
        let mut stores = groups.first_stores(&grid);
        history.each(|partition| {
            snapshots.extend(grid.of_partition(partition, |snapshot| {
                let stratum = grid.stratum(partition, snapshot);
                let names = snapshot.names(partition);
                nights.contains(&snapshot.night)
                    && Draw::Snapshots.keeps(seed, &names, quotas.snapshots[stratum])
            }));
            stores.add(partition);
            Ok(())
        })?;
        grid.sort(&mut snapshots);
        let maker = RowMaker {
            timing,
            rule,
            bins: &pilot.bins,
            negatives: quotas.negatives,
            parameters,
            seed,
        };
        let made = maker.all(&grid, history, &snapshots, &groups, stores)?;
        let capacity = (snapshots.len() as f64 * quotas.rows_per_snapshot * 1.05) as usize;
        let mut table = BasketRows::with_capacity(pilot.bins, capacity);
        for (at, rows) in made {
            let fold = snapshots.get(at).map_or(0, |snapshot| grid.fold(snapshot));
            table.add(rows, fold);
        }
        Ok(table)
    }
}

/// The nights in groups whose stores are counted together.
struct NightGroups(Vec<Vec<Day>>);

impl NightGroups {
    /// As many nights a group as do not take much memory. Where each walk over the partitions
    /// brings them back from disk, the groups are few.
    fn new(nights: &[Day], history: PartitionedHistory<'_>) -> Self {
        let by_memory = nights_at_a_time(history.products().len());
        let size = match history.partitions().count() {
            1 => by_memory,
            _ => by_memory.max(nights.len().div_ceil(MAX_GROUPS)),
        };
        Self(nights.chunks(size).map(<[Day]>::to_vec).collect())
    }

    fn first_stores(&self, grid: &SnapshotGrid<'_>) -> StoreSnapshotCounter {
        grid.store_counter(self.0.first().map_or(&[], Vec::as_slice))
    }
}

impl BasketRows {
    /// Looks at the past nights of a history in walks of its own.
    ///
    /// # Errors
    /// As [`PickedBasketPilot::rows`].
    pub fn new(
        history: PartitionedHistory<'_>,
        timing: &TimingModel,
        rule: &Rule,
        parameters: &BasketParameters,
        seed: u64,
    ) -> Result<Self> {
        let mut nights = BasketNights::new(history.as_of(), rule, parameters, seed);
        history.each(|partition| {
            nights.count(partition);
            Ok(())
        })?;
        nights.rows(history, timing)
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
    /// Rows of the snapshots, with their positions, which ascend. `stores` has counted the first
    /// group of nights.
    ///
    /// The store is looked at once a night, whatever folds the rows of the night are in, and a
    /// customer's purchases once for all of the nights that are counted together.
    fn all(
        &self,
        grid: &SnapshotGrid<'_>,
        history: PartitionedHistory<'_>,
        snapshots: &[Snapshot],
        groups: &NightGroups,
        stores: StoreSnapshotCounter,
    ) -> Result<Vec<(usize, SnapshotRows)>> {
        let mut made = Vec::with_capacity(snapshots.len());
        // Where a walk costs something, the next group's stores are counted while rows are made.
        let counts_ahead = history.partitions().count() > 1;
        let mut counted = Some(stores);
        for (at, nights) in groups.0.iter().enumerate() {
            let stores = match counted.take() {
                Some(counter) => counter.finish(),
                None => count_stores(grid, history, nights)?,
            };
            let by_customer = by_customer(snapshots, nights);
            let next_nights = groups.0.get(at + 1).filter(|_| counts_ahead);
            counted = next_nights.map(|nights| grid.store_counter(nights));
            history.each(|partition| {
                self.add_partition(partition, &stores, &by_customer, &mut made);
                if let Some(counter) = &mut counted {
                    counter.add(partition);
                }
                Ok(())
            })?;
        }
        made.sort_unstable_by_key(|(at, _)| *at);
        Ok(made)
    }

    /// Adds the rows of a partition's customers on the nights of `stores`.
    fn add_partition(
        &self,
        partition: &History<'_>,
        stores: &[StoreSnapshot],
        by_customer: &[Vec<Numbered<'_>>],
        made: &mut Vec<(usize, SnapshotRows)>,
    ) {
        let here = by_customer.par_iter().filter(|snapshots| {
            let mut snapshots = snapshots.iter();
            snapshots.any(|(_, snapshot)| snapshot.is_of(partition))
        });
        let rows = here.map_init(BasketScratch::default, |scratch, snapshots| {
            self.of_customer(partition, stores, snapshots, scratch)
        });
        made.par_extend(rows.flatten_iter());
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
            rows.sampling_weight.push(weights.sampling_weight(bought));
            rows.weight.push(weights.training_weight(bought));
            rows.product.push(candidate.product);
            rows.scored.push(scored);
        }
        rows
    }
}

/// The store on some nights, counted in a walk of its own.
fn count_stores(
    grid: &SnapshotGrid<'_>,
    history: PartitionedHistory<'_>,
    nights: &[Day],
) -> Result<Vec<StoreSnapshot>> {
    let mut counter = grid.store_counter(nights);
    history.each(|partition| {
        counter.add(partition);
        Ok(())
    })?;
    Ok(counter.finish())
}

/// The snapshots on some nights, which ascend, by customer and then by night.
fn by_customer<'s>(snapshots: &'s [Snapshot], nights: &[Day]) -> Vec<Vec<Numbered<'s>>> {
    let mut on_nights: Vec<Numbered<'s>> = snapshots
        .iter()
        .enumerate()
        .filter(|(_, snapshot)| nights.binary_search(&snapshot.night).is_ok())
        .collect();
    on_nights.sort_by_key(|(_, snapshot)| (snapshot.customer, snapshot.night));
    on_nights
        .chunk_by(|a, b| a.1.customer == b.1.customer)
        .map(<[Numbered<'s>]>::to_vec)
        .collect()
}

/// The weights of a snapshot's rows.
#[derive(Debug, PartialEq)]
struct RowWeights {
    /// How many nights wait for the purchase. A run speaks on any of them.
    nights: f32,
    /// Of the purchase, to learn from: many nights that wait for it count more than one.
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
            nights: snapshot.nights as f32,
            purchase: f64::from(snapshot.nights).powf(parameters.night_power) as f32,
            basket: (basket_size.max(1) as f64).powf(-parameters.size_power) as f32,
            negatives: negatives as f32,
        }
    }

    /// For how many candidates a row stands, of all nights that wait for the purchase.
    fn sampling_weight(&self, bought: bool) -> f32 {
        self.candidates(bought) * self.nights
    }

    /// What a row counts when trees grow.
    fn training_weight(&self, bought: bool) -> f32 {
        self.candidates(bought) * self.purchase * self.basket
    }

    /// For how many candidates of its night a row stands: one that was not bought stands for those
    /// left out, too.
    fn candidates(&self, bought: bool) -> f32 {
        if bought { 1.0 } else { 1.0 / self.negatives }
    }
}
