//! Snapshots: past nights of customers whose next purchase is known.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::BasketParameters;
use crate::calendar::{Day, HORIZON_DAYS};
use crate::features::store_snapshot::{CandidateLimits, PartialStoreCounts, StoreSnapshot};
use crate::models::strata::{Strata, Stratum};
use crate::purchases::History;
use crate::recurrence::Rule;
use crate::sampling::Draw;

#[cfg(test)]
mod tests;

/// How many folds there are: the last 28 days, the 28 days before, and all earlier ones.
pub(super) const FOLDS: usize = 3;

/// A night of a customer whose next purchase is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Snapshot {
    pub(super) customer: u32,
    pub(super) night: Day,
    /// The day of the next purchase.
    pub(super) next: Day,
    /// Nights of the grid that wait for the same purchase.
    pub(super) nights: u32,
}

impl Snapshot {
    /// What a draw about the snapshot is named by: the customer and the purchase.
    pub(super) fn names(&self, history: &History<'_>) -> [u64; 2] {
        let customer = history.customers().key(self.customer);
        [customer, self.next.epoch() as u64]
    }

    /// Whether the snapshot's customer is in a part of the history.
    pub(super) fn is_of(&self, history: &History<'_>) -> bool {
        !history.purchases_of(self.customer).is_empty()
    }
}

/// The past nights that snapshots are of.
pub(super) struct SnapshotGrid<'a> {
    parameters: &'a BasketParameters,
    seed: u64,
    rule: &'a Rule,
    /// The nights, ascending.
    nights: Vec<Day>,
    /// Next purchases after these days, 56 and 28 days before the end, are of later folds.
    splits: [Day; FOLDS - 1],
}

impl<'a> SnapshotGrid<'a> {
    /// Of a history that ends on a day. `rule` says whose nights come first.
    pub(super) fn new(
        end: Day,
        parameters: &'a BasketParameters,
        rule: &'a Rule,
        seed: u64,
    ) -> Self {
        let every = parameters.every.max(1) as usize;
        let mut nights: Vec<Day> = (1..=parameters.days.max(parameters.max_days))
            .step_by(every)
            .map(|back| end - back as i32)
            .collect();
        nights.reverse();
        Self {
            parameters,
            rule,
            seed,
            nights,
            splits: [2, 1].map(|months| end - months * HORIZON_DAYS),
        }
    }

    /// The last day of the history.
    fn end(&self) -> Day {
        self.splits[FOLDS - 2] + HORIZON_DAYS
    }

    /// Fewest purchases before a night for the night to count at all.
    fn least_purchases(&self) -> usize {
        self.rule.least_purchases(self.parameters.min_purchases)
    }

    /// Customers with few purchases come in where the others leave room.
    pub(super) fn stratum(&self, history: &History<'_>, snapshot: &Snapshot) -> Stratum {
        let purchases = history
            .purchases_of(snapshot.customer)
            .until(snapshot.night);
        if purchases.len() < self.parameters.min_purchases {
            return Stratum::Background;
        }
        Stratum::on(self.rule, &purchases, snapshot.night)
    }

    /// The fold of a snapshot, by the day of its next purchase: 0 for the early ones, which every
    /// fit may see; 2 for those of the last 28 days.
    pub(super) fn fold(&self, snapshot: &Snapshot) -> usize {
        self.splits
            .iter()
            .filter(|split| snapshot.next > **split)
            .count()
    }

    /// Early rows first, so that a fit can take a prefix.
    fn key(&self, snapshot: &Snapshot) -> (usize, Day, u32) {
        (self.fold(snapshot), snapshot.night, snapshot.customer)
    }

    /// Those of a customer: one for each purchase that nights of the grid wait for.
    pub(super) fn of_customer(&self, history: &History<'_>, customer: u32) -> Vec<Snapshot> {
        let days = history.purchases_of(customer).days();
        let mut out: Vec<Snapshot> = vec![];
        let mut waiting: Vec<Day> = vec![];
        let least = self.least_purchases();
        let Some(first) = days.get(least - 1) else {
            return out;
        };
        let first = self.nights.partition_point(|night| night < first);
        for (at, night) in self.nights.iter().enumerate().skip(first) {
            let known = days.partition_point(|day| day <= night);
            let Some(next) = days.get(known).copied() else {
                break;
            };
            if known >= least && next - *night <= HORIZON_DAYS {
                waiting.push(*night);
            }
            // The last night of the grid before the purchase closes the gap.
            if self.nights.get(at + 1).is_none_or(|after| *after >= next) && !waiting.is_empty() {
                let mut snapshot = Snapshot {
                    customer,
                    night: *night,
                    next,
                    nights: waiting.len() as u32,
                };
                let names = snapshot.names(history);
                let pick = Draw::SnapshotNights.hash(self.seed, &names) % waiting.len() as u64;
                snapshot.night = waiting[pick as usize];
                out.push(snapshot);
                waiting.clear();
            }
        }
        out
    }

    /// Those of a partition's customers that are wanted, in no order.
    pub(super) fn of_partition(
        &self,
        partition: &History<'_>,
        wanted: impl Fn(&Snapshot) -> bool + Sync,
    ) -> Vec<Snapshot> {
        (0..partition.customer_count())
            .into_par_iter()
            .flat_map_iter(|customer| {
                let mut snapshots = self.of_customer(partition, customer);
                snapshots.retain(|snapshot| wanted(snapshot));
                snapshots
            })
            .collect()
    }

    /// Puts the snapshots of all partitions into the order of their keys.
    pub(super) fn sort(&self, snapshots: &mut [Snapshot]) {
        snapshots.par_sort_unstable_by_key(|snapshot| self.key(snapshot));
    }

    /// Counts the store on some ascending nights.
    pub(super) fn store_counter(&self, nights: &[Day]) -> StoreSnapshotCounter {
        StoreSnapshotCounter {
            nights: nights.to_vec(),
            seed: self.seed,
            limits: self.parameters.limits(),
            counts: vec![],
        }
    }
}

/// The store on some nights, counted partition by partition.
pub(super) struct StoreSnapshotCounter {
    nights: Vec<Day>,
    seed: u64,
    limits: CandidateLimits,
    counts: Vec<PartialStoreCounts>,
}

impl StoreSnapshotCounter {
    /// Adds the customers of a partition.
    pub(super) fn add(&mut self, partition: &History<'_>) {
        let more = PartialStoreCounts::of_nights(partition, &self.nights, self.seed);
        let before = std::mem::take(&mut self.counts);
        self.counts = PartialStoreCounts::merge_each(before, more);
    }

    /// The store on each night.
    pub(super) fn finish(self) -> Vec<StoreSnapshot> {
        self.counts
            .into_iter()
            .map(|counts| StoreSnapshot::of(counts, self.limits))
            .collect()
    }
}

/// How many snapshots there are.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SnapshotCounts {
    by_night: BTreeMap<(usize, Day), Strata<usize>>,
}

impl SnapshotCounts {
    /// Adds those of a partition's customers.
    pub(super) fn add_partition(&mut self, grid: &SnapshotGrid<'_>, partition: &History<'_>) {
        let more = (0..partition.customer_count())
            .into_par_iter()
            .fold(Self::default, |mut counts, customer| {
                counts.add_customer(grid, partition, customer);
                counts
            })
            .reduce(Self::default, Self::merge);
        *self = std::mem::take(self).merge(more);
    }

    /// The nights that have snapshots, ascending.
    pub(super) fn nights(&self) -> Vec<Day> {
        let nights: BTreeSet<Day> = self.by_night.keys().map(|(_, night)| *night).collect();
        nights.into_iter().collect()
    }

    fn add_customer(&mut self, grid: &SnapshotGrid<'_>, history: &History<'_>, customer: u32) {
        for snapshot in grid.of_customer(history, customer) {
            let stratum = grid.stratum(history, &snapshot);
            self.add(grid.fold(&snapshot), snapshot.night, stratum);
        }
    }

    /// Counts one snapshot.
    pub(super) fn add(&mut self, fold: usize, night: Day, stratum: Stratum) {
        self.by_night.entry((fold, night)).or_default()[stratum] += 1;
    }

    fn merge(mut self, other: Self) -> Self {
        for (key, count) in other.by_night {
            let sum = self.by_night.entry(key).or_default();
            *sum = sum.merge(count);
        }
        self
    }

    /// Leaves the nights out that are not needed: those before the last `days` days, or as many more
    /// as bring `wanted` snapshots. Returns how many days those are that stay.
    pub(super) fn keep_last(&mut self, grid: &SnapshotGrid<'_>, wanted: usize) -> u32 {
        let mut by_night: BTreeMap<Day, usize> = BTreeMap::new();
        for ((_, night), count) in &self.by_night {
            *by_night.entry(*night).or_default() += count.target + count.background;
        }
        let least = grid.end() - grid.parameters.days as i32;
        let mut found = 0;
        let needed = by_night.iter().rev().take_while(|(night, count)| {
            let is_needed = **night >= least || found < wanted;
            found += **count;
            is_needed
        });
        let first = needed.last().map_or(least, |(night, _)| *night).min(least);
        self.by_night.retain(|(_, night), _| *night >= first);
        (grid.end() - first).max(0) as u32
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_night.is_empty()
    }

    /// How many folds count as early. A model that is measured on the last fold must not see it;
    /// but where there is nothing else, there is no such model either.
    pub(super) fn early_folds(&self) -> usize {
        let before_last = self.of_folds(FOLDS - 1);
        if before_last.target + before_last.background > 0 {
            FOLDS - 1
        } else {
            FOLDS
        }
    }

    /// Those of the early folds.
    pub(super) fn early(&self) -> Strata<usize> {
        self.of_folds(self.early_folds())
    }

    fn of_folds(&self, folds: usize) -> Strata<usize> {
        let of_folds = self.by_night.iter().filter(|((fold, _), _)| *fold < folds);
        of_folds.fold(Strata::default(), |sum, (_, count)| sum.merge(*count))
    }

    /// The night of the snapshot at a position in the order of their keys.
    pub(super) fn night_at(&self, position: usize) -> Option<Day> {
        let mut before = 0;
        self.by_night
            .iter()
            .find(|(_, count)| {
                before += count.target + count.background;
                position < before
            })
            .map(|((_, night), _)| *night)
    }
}
