//! Training rows: (customer, night, candidate) of past nights, and whether the product was in the
//! basket that followed.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::BasketParameters;
use crate::calendar::{Day, HORIZON_DAYS};
use crate::error::{Error, Result};
use crate::features::basket::{BASKET_WIDTH, BasketScratch, CustomerBaskets};
use crate::features::store_snapshot::{PartialStoreCounts, ProductCounts, StoreSnapshot};
use crate::features::timing::TimingFeatures;
use crate::models::boosting::{BinnedRows, Bins};
use crate::models::timing::TimingModel;
use crate::purchases::{CustomerPurchases, History, PartitionedHistory};
use crate::recurrence::Rule;
use crate::sampling::Draw;

/// Bins of a feature: more of them cost time and bring nothing.
const MAX_BINS: usize = 64;

/// Most nights that are counted in one pass over the customers, and most bytes that a thread's
/// counts of them take: more nights save a little time, and take much memory where there are many
/// products.
const NIGHTS_AT_A_TIME: (usize, usize) = (8, 15_000_000);

fn nights_at_a_time(products: usize) -> usize {
    let (most, bytes) = NIGHTS_AT_A_TIME;
    (bytes / (products.max(1) * size_of::<ProductCounts>())).clamp(1, most)
}

/// The first rows, which give the bins and the share of candidates to keep, are of so many nights,
/// and of so many customers on each.
const PILOT: ([usize; 3], usize) = ([1, 3, 5], 60);

/// A night of a customer whose next purchase is known.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    customer: u32,
    night: Day,
    next: Day,
    /// Nights of the grid that wait for the same purchase.
    nights: u32,
}

/// What a basket model is fitted to: rows of past nights with what became of them, the early ones
/// first.
pub struct BasketRows {
    pub(super) rows: BinnedRows,
    /// Weights without regard to the basket's size: those of which probabilities are true. The
    /// rows' own are what trees are grown by.
    pub(super) natural: Vec<f32>,
    pub(super) product: Vec<u32>,
    /// Whether the customer met the rule on the night.
    pub(super) scored: Vec<bool>,
    pub(super) bins: Bins,
    /// How many rows have a next purchase 56 days before the end or earlier, and how many 28 days
    /// before it or earlier.
    pub(super) known: [usize; 2],
}

/// Which snapshots there are.
struct Grid<'a> {
    parameters: &'a BasketParameters,
    seed: u64,
    /// The nights, ascending.
    nights: Vec<Day>,
    /// Next purchases after these days, 56 and 28 days before the end, are of later folds.
    splits: [Day; 2],
}

impl<'a> Grid<'a> {
    fn new(end: Day, parameters: &'a BasketParameters, seed: u64) -> Self {
        let every = parameters.every.max(1) as i32;
        let mut nights: Vec<Day> = (1..=parameters.days as i32)
            .step_by(every as usize)
            .map(|back| end - back)
            .collect();
        nights.reverse();
        Self {
            parameters,
            seed,
            nights,
            splits: [2, 1].map(|months| end - months * HORIZON_DAYS),
        }
    }

    /// 0 for the early ones, which every fit may see; 2 for those of the last 28 days.
    fn fold(&self, snapshot: &Snapshot) -> usize {
        self.splits
            .iter()
            .filter(|split| snapshot.next > **split)
            .count()
    }

    /// Early rows first, so that a fit can take a prefix.
    fn key(&self, snapshot: &Snapshot) -> (usize, Day, u32) {
        (self.fold(snapshot), snapshot.night, snapshot.customer)
    }

    /// Those of a customer: one a purchase that follows nights of the grid.
    fn of_customer(&self, history: &History<'_>, customer: u32) -> Vec<Snapshot> {
        let days = history.purchases_of(customer).days();
        let mut out: Vec<Snapshot> = vec![];
        let mut waiting: Vec<Day> = vec![];
        for (at, night) in self.nights.iter().enumerate() {
            let known = days.partition_point(|day| day <= night);
            let Some(next) = days.get(known).copied() else {
                break;
            };
            if known >= self.parameters.min_purchases && next - *night <= HORIZON_DAYS {
                waiting.push(*night);
            }
            // The last night of the grid before the purchase closes the gap.
            if self.nights.get(at + 1).is_none_or(|after| *after >= next) && !waiting.is_empty() {
                let pick = Draw::SnapshotNights.hash(
                    self.seed,
                    &[history.customers().key(customer), next.epoch() as u64],
                ) % waiting.len() as u64;
                let night = waiting[pick as usize];
                out.push(Snapshot {
                    customer,
                    night,
                    next,
                    nights: waiting.len() as u32,
                });
                waiting.clear();
            }
        }
        out
    }

    /// Those of all customers that are wanted, in the order of their keys.
    fn gather(
        &self,
        history: PartitionedHistory<'_>,
        wanted: impl Fn(&History<'_>, &Snapshot) -> bool + Sync,
    ) -> Result<Vec<Snapshot>> {
        let of_part = |history: &History<'_>| {
            let of_customer = |customer| {
                let mut snapshots = self.of_customer(history, customer);
                snapshots.retain(|snapshot| wanted(history, snapshot));
                snapshots
            };
            (0..history.customer_count())
                .into_par_iter()
                .flat_map_iter(of_customer)
                .collect()
        };
        history.gather(of_part, |snapshot| self.key(snapshot))
    }

    /// The store on some ascending nights.
    fn stores(
        &self,
        history: PartitionedHistory<'_>,
        nights: &[Day],
    ) -> Result<Vec<StoreSnapshot>> {
        let mut all: Vec<PartialStoreCounts> = vec![];
        history.each(|history| {
            let more = PartialStoreCounts::of_nights(history, nights, self.seed);
            let before = std::mem::take(&mut all);
            all = if before.is_empty() {
                more
            } else {
                before
                    .into_iter()
                    .zip(more)
                    .map(|(store_counts, more)| store_counts.merge(more))
                    .collect()
            };
            Ok(())
        })?;
        Ok(all
            .into_iter()
            .map(|store_counts| StoreSnapshot::of(store_counts, self.parameters.limits()))
            .collect())
    }
}

/// What there is to sample from.
#[derive(Default)]
struct Counts {
    /// Snapshots by fold and night.
    by_night: BTreeMap<(usize, Day), usize>,
    /// Those of customers near the rule, by fold.
    near: [usize; 3],
}

impl Counts {
    fn new(grid: &Grid<'_>, history: PartitionedHistory<'_>, rule: &Rule) -> Result<Self> {
        let mut counts = Self::default();
        history.each(|history| {
            let of_customer = |mut counts: Self, customer| {
                for snapshot in grid.of_customer(history, customer) {
                    let fold = grid.fold(&snapshot);
                    *counts.by_night.entry((fold, snapshot.night)).or_default() += 1;
                    counts.near[fold] += usize::from(
                        rule.nearly_met(&history.purchases_of(customer), snapshot.night),
                    );
                }
                counts
            };
            let customers = (0..history.customer_count()).into_par_iter();
            let partition = customers
                .fold(Self::default, of_customer)
                .reduce(Self::default, Self::merge);
            counts = std::mem::take(&mut counts).merge(partition);
            Ok(())
        })?;
        Ok(counts)
    }

    fn merge(mut self, other: Self) -> Self {
        for (key, count) in other.by_night {
            *self.by_night.entry(key).or_default() += count;
        }
        self.near
            .iter_mut()
            .zip(other.near)
            .for_each(|(near, more)| *near += more);
        self
    }

    fn snapshots(&self, folds: usize) -> usize {
        self.by_night
            .iter()
            .filter(|((fold, _), _)| *fold < folds)
            .map(|(_, count)| count)
            .sum()
    }

    /// So many folds are early: a rehearsal must not see the last one, but where there is nothing
    /// else it has no rows either.
    fn early_folds(&self) -> usize {
        if self.snapshots(2) > 0 { 2 } else { 3 }
    }

    /// The night of the snapshot at a position in the order of their keys.
    fn night_at(&self, position: usize) -> Option<Day> {
        let mut before = 0;
        let mut nights = self.by_night.iter().filter(|(_, count)| {
            before += **count;
            position < before
        });
        nights.next().map(|((_, night), _)| *night)
    }
}

/// What the first rows say of all.
struct Pilot {
    bins: Bins,
    /// Candidates of a snapshot on average, and how many of them were bought.
    candidates: f64,
    bought: f64,
}

impl Pilot {
    fn new(
        grid: &Grid<'_>,
        history: PartitionedHistory<'_>,
        timing: &TimingModel,
        counts: &Counts,
    ) -> Result<Self> {
        let (folds, (partitions, most)) = (counts.early_folds(), PILOT);
        let picked =
            partitions.map(|partition| counts.night_at(counts.snapshots(folds) * partition / 6));
        let mut nights: Vec<Day> = picked.iter().flatten().copied().collect();
        nights.sort_unstable();
        nights.dedup();
        let on_nights = grid.gather(history, |_, snapshot| {
            grid.fold(snapshot) < folds && nights.contains(&snapshot.night)
        })?;
        let stores = grid.stores(history, &nights)?;
        let (mut rows, mut candidates, mut bought, mut snapshots) = (vec![], 0, 0, 0);
        let spread = |night: &Day| {
            let on_night: Vec<&Snapshot> = on_nights
                .iter()
                .filter(|snapshot| snapshot.night == *night)
                .collect();
            let step = on_night.len().div_ceil(most).max(1);
            on_night.into_iter().step_by(step)
        };
        let chosen: Vec<&Snapshot> = picked.iter().flatten().flat_map(spread).collect();
        history.each(|history| {
            let mut scratch = BasketScratch::default();
            for snapshot in chosen.iter().filter(|snapshot| has(history, snapshot)) {
                let Some(store) = stores.iter().find(|store| store.night() == snapshot.night)
                else {
                    continue;
                };
                let mut looker =
                    SnapshotLooker::new(history, timing, snapshot.customer, &mut scratch);
                let scratch = looker.look(store);
                rows.extend(&scratch.rows);
                candidates += scratch.candidates.len();
                let basket = history
                    .following(snapshot.customer, snapshot.night)
                    .map_or(&[][..], |(_, basket)| basket);
                bought += scratch
                    .candidates
                    .iter()
                    .filter(|c| basket.binary_search(&c.product).is_ok())
                    .count();
                snapshots += 1;
            }
            Ok(())
        })?;
        let mean = |sum: usize| sum as f64 / snapshots.max(1) as f64;
        Ok(Self {
            bins: Bins::from_sample(&rows, BASKET_WIDTH, MAX_BINS),
            candidates: mean(candidates),
            bought: mean(bought),
        })
    }
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
        let grid = Grid::new(history.as_of().day(), parameters, seed);
        let counts = Counts::new(&grid, history, rule)?;
        if counts.by_night.is_empty() {
            return Err(Error::input(format!(
                "up to {} no customer has {} purchases and a next one to learn from",
                history.as_of(),
                parameters.min_purchases
            ))
            .hint("train on a longer history, or with a later --as-of"));
        }
        let Pilot {
            bins,
            candidates,
            bought,
        } = Pilot::new(&grid, history, timing, &counts)?;
        // Counted before the last 28 days, which a rehearsal must not see, and grown by the days:
        // the last ones are held to be like them.
        let days = f64::from(parameters.days);
        let grown = days / (days - f64::from(HORIZON_DAYS)).max(days / 4.0);
        let folds = counts.early_folds();
        let near: usize = counts.near.iter().take(folds).sum();
        let near_count = grown * near as f64;
        let other_count = grown * (counts.snapshots(folds) - near) as f64;
        let room = parameters.max_training_rows as f64 / near_count.max(1.0);
        let negatives =
            ((room - bought) / (candidates - bought).max(1.0)).clamp(parameters.min_negatives, 1.0);
        let wanted = parameters.max_training_rows as f64
            / (bought + negatives * (candidates - bought)).max(1.0);
        let others = other_count.min((wanted - near_count).max(wanted * parameters.others));
        let shares = [
            others / other_count.max(1.0),
            (wanted - others) / near_count.max(1.0),
        ];
        let kept = grid.gather(history, |history, snapshot| {
            let near = rule.nearly_met(&history.purchases_of(snapshot.customer), snapshot.night);
            let names = [
                history.customers().key(snapshot.customer),
                snapshot.next.epoch() as u64,
            ];
            Draw::Snapshots.keeps(seed, &names, shares[usize::from(near)])
        })?;
        let capacity =
            (kept.len() as f64 * (bought + negatives * (candidates - bought)) * 1.05) as usize;
        let mut table = BasketRows {
            rows: BinnedRows::with_capacity(BASKET_WIDTH, capacity),
            natural: Vec::with_capacity(capacity),
            product: Vec::with_capacity(capacity),
            scored: Vec::with_capacity(capacity),
            bins,
            known: [0; 2],
        };
        let maker = RowMaker {
            timing,
            rule,
            bins: &table.bins,
            negatives,
            parameters,
            seed,
        };
        // The store is looked at once a night, whatever folds the rows of the night are in, and a
        // customer's purchases once for all of the nights that are counted together.
        let mut by_night: Vec<(usize, &Snapshot)> = kept.iter().enumerate().collect();
        by_night.sort_by_key(|(_, snapshot)| snapshot.night);
        let by_night: Vec<&[(usize, &Snapshot)]> =
            by_night.chunk_by(|a, b| a.1.night == b.1.night).collect();
        let mut made: Vec<(usize, Rows)> = Vec::with_capacity(kept.len());
        for by_night in by_night.chunks(nights_at_a_time(history.products().len())) {
            let nights: Vec<Day> = by_night
                .iter()
                .filter_map(|snapshots| snapshots.first())
                .map(|(_, snapshot)| snapshot.night)
                .collect();
            let stores = grid.stores(history, &nights)?;
            let mut by_customer = by_night.concat();
            by_customer.sort_by_key(|(_, snapshot)| (snapshot.customer, snapshot.night));
            let by_customer: Vec<&[(usize, &Snapshot)]> = by_customer
                .chunk_by(|a, b| a.1.customer == b.1.customer)
                .collect();
            history.each(|history| {
                let here = by_customer.par_iter().filter(|snapshots| {
                    snapshots.iter().any(|(_, snapshot)| has(history, snapshot))
                });
                let rows = |scratch: &mut BasketScratch, snapshots: &&[(usize, &Snapshot)]| {
                    maker.rows(history, &stores, snapshots, scratch)
                };
                made.par_extend(here.map_init(BasketScratch::default, rows).flatten_iter());
                Ok(())
            })?;
        }
        made.sort_unstable_by_key(|(at, _)| *at);
        for (at, rows) in made {
            table.rows.extend(&rows.bins, &rows.label, &rows.weight);
            table.natural.extend(rows.natural);
            table.product.extend(rows.product);
            table.scored.extend(rows.scored);
            let fold = kept.get(at).map_or(0, |snapshot| grid.fold(snapshot));
            table
                .known
                .iter_mut()
                .skip(fold)
                .for_each(|known| *known = table.rows.len());
        }
        Ok(table)
    }
}

/// Whether the snapshot's customer is in a part of the history.
fn has(history: &History<'_>, snapshot: &Snapshot) -> bool {
    !history.purchases_of(snapshot.customer).is_empty()
}

/// Looks at the snapshots of one customer, whose nights ascend.
struct SnapshotLooker<'a> {
    timing: &'a TimingModel,
    purchases: CustomerPurchases<'a>,
    when: TimingFeatures,
    what: CustomerBaskets<'a>,
}

impl<'a> SnapshotLooker<'a> {
    fn new(
        history: &History<'a>,
        timing: &'a TimingModel,
        customer: u32,
        scratch: &'a mut BasketScratch,
    ) -> Self {
        let purchases = history.purchases_of(customer);
        let what = CustomerBaskets::new(history.customers().key(customer), purchases, scratch);
        Self {
            timing,
            purchases,
            when: TimingFeatures::default(),
            what,
        }
    }

    /// The candidates on a night and their features.
    fn look(&mut self, store: &StoreSnapshot) -> &BasketScratch {
        let expected = self
            .timing
            .expected_days(&mut self.when, &self.purchases, store.night());
        self.what.on(store, expected)
    }
}

/// Rows of a snapshot.
#[derive(Default)]
struct Rows {
    bins: Vec<u8>,
    label: Vec<bool>,
    weight: Vec<f32>,
    natural: Vec<f32>,
    product: Vec<u32>,
    scored: Vec<bool>,
}

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
    /// Rows of the snapshots of one customer, whose nights ascend and are those of `stores`.
    fn rows(
        &self,
        history: &History<'_>,
        stores: &[StoreSnapshot],
        snapshots: &[(usize, &Snapshot)],
        scratch: &mut BasketScratch,
    ) -> Vec<(usize, Rows)> {
        let Some(customer) = snapshots.first().map(|(_, snapshot)| snapshot.customer) else {
            return vec![];
        };
        let mut looker = SnapshotLooker::new(history, self.timing, customer, scratch);
        let rows = |(at, snapshot): &(usize, &Snapshot)| {
            let store = stores
                .iter()
                .find(|store| store.night() == snapshot.night)?;
            Some((*at, self.rows_of(history, snapshot, looker.look(store))))
        };
        snapshots.iter().filter_map(rows).collect()
    }

    fn rows_of(&self, history: &History<'_>, snapshot: &Snapshot, scratch: &BasketScratch) -> Rows {
        let mut rows = Rows::default();
        let basket = history
            .following(snapshot.customer, snapshot.night)
            .map_or(&[][..], |(_, basket)| basket);
        let scored = self
            .rule
            .met(&history.purchases_of(snapshot.customer), snapshot.night);
        let nights = f64::from(snapshot.nights).powf(self.parameters.night_power) as f32;
        let size = (basket.len().max(1) as f64).powf(-self.parameters.size_power) as f32;
        let customer = history.customers().key(snapshot.customer);
        for (candidate, row) in scratch
            .candidates
            .iter()
            .zip(scratch.rows.chunks_exact(BASKET_WIDTH))
        {
            let bought = basket.binary_search(&candidate.product).is_ok();
            let names = [
                customer,
                snapshot.next.epoch() as u64,
                history.products().key(candidate.product),
            ];
            if !bought && !Draw::NegativeRows.keeps(self.seed, &names, self.negatives) {
                continue;
            }
            self.bins.bin_row(row, &mut rows.bins);
            rows.label.push(bought);
            let natural = if bought {
                nights
            } else {
                nights / self.negatives as f32
            };
            rows.natural.push(natural);
            rows.weight.push(natural * size);
            rows.product.push(candidate.product);
            rows.scored.push(scored);
        }
        rows
    }
}
