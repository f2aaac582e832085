//! How many of the snapshots, and of their candidates, become training rows.

use super::BasketParameters;
use super::snapshot_looker::SnapshotLooker;
use super::snapshots::{Snapshot, SnapshotCounts, SnapshotGrid, StoreSnapshotCounter};
use crate::calendar::{Day, HORIZON_DAYS};
use crate::features::basket::{BASKET_WIDTH, BasketScratch};
use crate::features::store_snapshot::StoreSnapshot;
use crate::models::boosting::Bins;
use crate::models::strata::Strata;
use crate::models::timing::TimingModel;
use crate::purchases::History;

#[cfg(test)]
mod tests;

/// Bins of a feature: more of them cost time and bring nothing.
const MAX_BINS: usize = 64;
/// The nights of a pilot sample: those of the snapshots at these sixths of the early ones.
const PILOT_SIXTHS: [usize; 3] = [1, 3, 5];
/// About how many customers a pilot sample has on each of its nights, at most.
const PILOT_CUSTOMERS: usize = 60;

/// The first rows, of a few early snapshots. They say where features are cut into bins, and how
/// many candidates to expect of all others.
pub(super) struct PilotSample {
    pub(super) bins: Bins,
    pub(super) candidates: CandidateMeans,
}

/// Means over snapshots.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct CandidateMeans {
    /// Candidates of a snapshot.
    pub(super) all: f64,
    /// Candidates that are in the next basket.
    pub(super) bought: f64,
}

/// A pilot sample in two walks over the partitions: one that gathers the snapshots on its nights and
/// counts the store on them, and then one that looks at some of the snapshots.
pub(super) struct PilotWalks {
    /// The nights as they were picked; two may be the same.
    picked: Vec<Day>,
    early_folds: usize,
    on_nights: Vec<Snapshot>,
    store_counter: StoreSnapshotCounter,
}

impl PilotWalks {
    pub(super) fn new(grid: &SnapshotGrid<'_>, counts: &SnapshotCounts) -> Self {
        let early = counts.early();
        let picked = PILOT_SIXTHS
            .map(|sixths| counts.night_at((early.target + early.background) * sixths / 6));
        let picked: Vec<Day> = picked.into_iter().flatten().collect();
        let mut nights = picked.clone();
        nights.sort_unstable();
        nights.dedup();
        Self {
            picked,
            early_folds: counts.early_folds(),
            on_nights: vec![],
            store_counter: grid.store_counter(&nights),
        }
    }

    /// The first walk: what is on the nights in a partition.
    pub(super) fn gather(&mut self, grid: &SnapshotGrid<'_>, partition: &History<'_>) {
        let (picked, early_folds) = (&self.picked, self.early_folds);
        self.on_nights
            .extend(grid.of_partition(partition, |snapshot| {
                grid.fold(snapshot) < early_folds && picked.contains(&snapshot.night)
            }));
        self.store_counter.add(partition);
    }

    /// What the second walk needs.
    pub(super) fn pick(mut self, grid: &SnapshotGrid<'_>) -> PilotSums {
        grid.sort(&mut self.on_nights);
        let on_nights = &self.on_nights;
        let snapshots = self
            .picked
            .iter()
            .flat_map(|night| spread(on_nights, *night));
        PilotSums {
            chosen: snapshots.copied().collect(),
            stores: self.store_counter.finish(),
            ..PilotSums::default()
        }
    }
}

/// About [`PILOT_CUSTOMERS`] of the snapshots on a night, at equal distances.
fn spread(snapshots: &[Snapshot], night: Day) -> impl Iterator<Item = &Snapshot> {
    let on_night: Vec<&Snapshot> = snapshots
        .iter()
        .filter(|snapshot| snapshot.night == night)
        .collect();
    let step = on_night.len().div_ceil(PILOT_CUSTOMERS).max(1);
    on_night.into_iter().step_by(step)
}

/// What is added up over the snapshots of a pilot sample.
#[derive(Default)]
pub(super) struct PilotSums {
    chosen: Vec<Snapshot>,
    /// The store on their nights.
    stores: Vec<StoreSnapshot>,
    /// Features of the candidates, row-major.
    rows: Vec<f32>,
    snapshots: usize,
    candidates: usize,
    bought: usize,
}

impl PilotSums {
    /// The second walk: adds the snapshots of the customers in a partition.
    pub(super) fn add(&mut self, history: &History<'_>, timing: &TimingModel) {
        let mut scratch = BasketScratch::default();
        for snapshot in &self.chosen {
            let mut stores = self.stores.iter();
            let store = stores.find(|store| store.night() == snapshot.night);
            let Some(store) = store.filter(|_| snapshot.is_of(history)) else {
                continue;
            };
            let mut looker = SnapshotLooker::new(history, timing, snapshot.customer, &mut scratch);
            let scratch = looker.look(store);
            self.rows.extend(&scratch.rows);
            self.candidates += scratch.candidates.len();
            let basket = snapshot.basket(history);
            self.bought += scratch
                .candidates
                .iter()
                .filter(|candidate| basket.binary_search(&candidate.product).is_ok())
                .count();
            self.snapshots += 1;
        }
    }

    /// The sample.
    pub(super) fn finish(self) -> PilotSample {
        PilotSample {
            bins: Bins::from_sample(&self.rows, BASKET_WIDTH, MAX_BINS),
            candidates: self.means(),
        }
    }

    fn means(&self) -> CandidateMeans {
        let snapshots = self.snapshots.max(1) as f64;
        CandidateMeans {
            all: self.candidates as f64 / snapshots,
            bought: self.bought as f64 / snapshots,
        }
    }
}

/// What share of the snapshots and of their candidates is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SamplingQuotas {
    /// The share of the snapshots, 1 or more to keep all.
    pub(super) snapshots: Strata<f64>,
    /// The share of the candidates that are not bought; the bought ones are all kept.
    pub(super) negatives: f64,
    /// Rows of a snapshot that come out on average.
    pub(super) rows_per_snapshot: f64,
}

impl SamplingQuotas {
    /// The quotas that give about `max_training_rows` rows. Of the candidates that are not bought,
    /// as many are kept as let every snapshot of the target stratum in, and at least
    /// `min_negatives`.
    ///
    /// `days` are those that snapshots are taken from. `early` are the snapshots without those of the last 28 days, which a model that is measured
    /// on them must not have counted; the last ones are held to be like them.
    pub(super) fn new(
        early: Strata<usize>,
        days: u32,
        candidates: CandidateMeans,
        parameters: &BasketParameters,
    ) -> Self {
        let days = f64::from(days);
        let grown = days / (days - f64::from(HORIZON_DAYS)).max(days / 4.0);
        let early = early.to_f64();
        let expected = Strata {
            target: grown * early.target,
            background: grown * early.background,
        };
        let max_rows = parameters.max_training_rows as f64;
        let not_bought = candidates.all - candidates.bought;
        let room = max_rows / expected.target.max(1.0);
        let negatives =
            ((room - candidates.bought) / not_bought.max(1.0)).clamp(parameters.min_negatives, 1.0);
        let rows_per_snapshot = candidates.bought + negatives * not_bought;
        let wanted = max_rows / rows_per_snapshot.max(1.0);
        Self {
            snapshots: expected.sampling_shares(wanted, parameters.background_share),
            negatives,
            rows_per_snapshot,
        }
    }
}
