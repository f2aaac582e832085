//! Training rows: (customer, night, candidate) of past nights, and whether the product was in the basket that followed.

use rayon::prelude::*;

use super::BasketParameters;
use crate::calendar::{AsOf, Day};
use crate::error::{Error, Result};
use crate::features::basket::{BASKET_WIDTH, BasketScratch, basket_features};
use crate::features::world::{Tally, World};
use crate::models::boosting::{BinnedRows, Bins};
use crate::models::timing::{HORIZON, TimingModel};
use crate::purchases::History;
use crate::recurrence::Rule;
use crate::sampling::{hash, keep};

/// Bins of a feature: more of them cost time and bring nothing.
const MAX_BINS: usize = 64;

/// So many nights are counted in one pass over the customers: more of them take more memory.
const NIGHTS_AT_A_TIME: usize = 8;

/// A night of a customer whose next purchase is known.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    customer: u32,
    night: Day,
    next: Day,
    /// Nights of the grid that wait for the same purchase.
    nights: u32,
}

/// Rows of past nights with what became of them, the early ones first.
pub(super) struct Table {
    pub(super) rows: BinnedRows,
    /// Weights without regard to the basket's size: those of which probabilities are true. The rows' own are what trees are grown by.
    pub(super) natural: Vec<f32>,
    pub(super) product: Vec<u32>,
    /// Whether the customer met the rule on the night.
    pub(super) scored: Vec<bool>,
    pub(super) bins: Bins,
    /// How many rows have a next purchase 56 days before the end or earlier, and how many 28 days before it or earlier.
    pub(super) known: [usize; 2],
}

fn snapshots(history: &History<'_>, parameters: &BasketParameters, seed: u64) -> Vec<Snapshot> {
    let end = history.as_of().day();
    let every = parameters.every.max(1) as i32;
    let mut nights: Vec<Day> = (1..=parameters.days as i32).step_by(every as usize).map(|back| end - back).collect();
    nights.reverse();
    let of_customer = |customer: u32| {
        let days = history.visits(customer).days();
        let mut out: Vec<Snapshot> = vec![];
        let mut waiting: Vec<Day> = vec![];
        for (at, night) in nights.iter().enumerate() {
            let known = days.partition_point(|day| day <= night);
            let Some(next) = days.get(known).copied() else { break };
            if known >= parameters.min_purchases && next - *night <= HORIZON as i32 {
                waiting.push(*night);
            }
            // The last night of the grid before the purchase closes the gap.
            if nights.get(at + 1).is_none_or(|after| *after >= next) && !waiting.is_empty() {
                let pick = hash(seed, &[0x5a9, history.customers().key(customer), next.epoch() as u64]) % waiting.len() as u64;
                let night = waiting[pick as usize];
                out.push(Snapshot { customer, night, next, nights: waiting.len() as u32 });
                waiting.clear();
            }
        }
        out
    };
    (0..history.customer_count()).into_par_iter().flat_map_iter(of_customer).collect()
}

impl Table {
    pub(super) fn new(history: &History<'_>, timing: &TimingModel, rule: &Rule, parameters: &BasketParameters, seed: u64) -> Result<Self> {
        let mut all = snapshots(history, parameters, seed);
        // Early rows first, so that a fit can take a prefix; by night within, so that the store is looked at once a night.
        let splits = [2, 1].map(|months| history.as_of().day() - months * HORIZON as i32);
        let fold = |s: &Snapshot| splits.iter().filter(|split| s.next > **split).count();
        all.sort_by_key(|s| (fold(s), s.night, s.customer));
        if all.is_empty() {
            return Err(Error::input(format!(
                "up to {} no customer has {} purchases and a next one to learn from",
                history.as_of(),
                parameters.min_purchases
            ))
            .hint("train on a longer history, or with a later --as-of"));
        }
        let world = |night: Day| World::new(&history.until(AsOf(night)), parameters.limits(), seed);
        // A pilot of three nights gives the bins and the share of candidates to keep.
        let early_end = all.partition_point(|s| fold(s) < 2).max(1);
        let mut pilot: Vec<f32> = vec![];
        let (mut pilot_rows, mut pilot_bought, mut pilot_snapshots) = (0_usize, 0_usize, 0_usize);
        for part in [1, 3, 5] {
            let night = all[(early_end * part / 6).min(all.len() - 1)].night;
            let on_night: Vec<&Snapshot> = all[..early_end].iter().filter(|s| s.night == night).collect();
            let world = world(night);
            let step = on_night.len().div_ceil(60).max(1);
            let mut scratch = BasketScratch::default();
            for snapshot in on_night.into_iter().step_by(step) {
                look(history, &world, timing, snapshot, &mut scratch);
                pilot.extend(&scratch.rows);
                pilot_rows += scratch.candidates.len();
                let basket = history.following(snapshot.customer, snapshot.night).map_or(&[][..], |(_, basket)| basket);
                pilot_bought += scratch.candidates.iter().filter(|c| basket.binary_search(&c.product).is_ok()).count();
                pilot_snapshots += 1;
            }
        }
        let bins = Bins::from_sample(&pilot, BASKET_WIDTH, MAX_BINS);
        drop(pilot);
        let per_snapshot = pilot_rows as f64 / pilot_snapshots.max(1) as f64;
        let bought = pilot_bought as f64 / pilot_snapshots.max(1) as f64;
        let near: Vec<bool> = all.par_iter().map(|s| rule.nearly_met(&history.visits(s.customer), s.night)).collect();
        // Counted before the last 28 days, which a rehearsal must not see, and grown by the days: the last ones are held to be like them.
        let days = f64::from(parameters.days);
        let grown = days / (days - HORIZON as f64).max(days / 4.0);
        let early_near = near.iter().take(early_end).filter(|near| **near).count();
        let near_count = grown * early_near as f64;
        let other_count = grown * (early_end - early_near) as f64;
        let room = parameters.max_training_rows as f64 / near_count.max(1.0);
        let negatives = ((room - bought) / (per_snapshot - bought).max(1.0)).clamp(parameters.min_negatives, 1.0);
        let wanted = parameters.max_training_rows as f64 / (bought + negatives * (per_snapshot - bought)).max(1.0);
        let others = other_count.min((wanted - near_count).max(wanted * parameters.others));
        let shares = [others / other_count.max(1.0), (wanted - others) / near_count.max(1.0)];
        let mut is_near = near.into_iter();
        all.retain(|s| {
            let share = shares[usize::from(is_near.next().unwrap_or(false))];
            keep(hash(seed, &[0xcaf, history.customers().key(s.customer), s.next.epoch() as u64]), share)
        });
        let capacity = (all.len() as f64 * (bought + negatives * (per_snapshot - bought)) * 1.05) as usize;
        let mut table = Table {
            rows: BinnedRows::with_capacity(BASKET_WIDTH, capacity),
            natural: Vec::with_capacity(capacity),
            product: Vec::with_capacity(capacity),
            scored: Vec::with_capacity(capacity),
            bins,
            known: [0; 2],
        };
        // The store is looked at once a night, whatever folds the rows of the night are in.
        all.sort_by_key(|s| (s.night, fold(s), s.customer));
        let mut folds: [Vec<Part>; 3] = Default::default();
        let nights: Vec<&[Snapshot]> = all.chunk_by(|a, b| a.night == b.night).collect();
        let days: Vec<Day> = nights.iter().filter_map(|snapshots| snapshots.first()).map(|snapshot| snapshot.night).collect();
        let tallies = days.chunks(NIGHTS_AT_A_TIME).flat_map(|days| Tally::of_nights(history, days, seed));
        for (night, tally) in nights.into_iter().zip(tallies) {
            let world = World::of(tally, parameters.limits());
            let bins = &table.bins;
            for group in night.chunk_by(|a, b| fold(a) == fold(b)) {
                let parts: Vec<Part> = group
                    .par_chunks(16)
                    .map_init(BasketScratch::default, |scratch, snapshots| {
                        let mut part = Part::default();
                        for snapshot in snapshots {
                            look(history, &world, timing, snapshot, scratch);
                            part.add(history, rule, bins, snapshot, scratch, (negatives, parameters), seed);
                        }
                        part
                    })
                    .collect();
                if let Some(known) = group.first().and_then(|first| folds.get_mut(fold(first))) {
                    known.extend(parts);
                }
            }
        }
        for (fold, parts) in folds.into_iter().enumerate() {
            for part in parts {
                table.rows.extend(&part.bins, &part.label, &part.weight);
                table.natural.extend(part.natural);
                table.product.extend(part.product);
                table.scored.extend(part.scored);
            }
            for known in table.known.iter_mut().skip(fold) {
                *known = table.rows.len();
            }
        }
        Ok(table)
    }
}

fn look(history: &History<'_>, world: &World, timing: &TimingModel, snapshot: &Snapshot, scratch: &mut BasketScratch) {
    let visits = history.visits(snapshot.customer).until(snapshot.night);
    let expected = timing.expected_days(&visits, snapshot.night);
    basket_features(world, history.customers().key(snapshot.customer), &visits, expected, scratch);
}

/// Rows of a few snapshots.
#[derive(Default)]
struct Part {
    bins: Vec<u8>,
    label: Vec<bool>,
    weight: Vec<f32>,
    natural: Vec<f32>,
    product: Vec<u32>,
    scored: Vec<bool>,
}

impl Part {
    #[allow(clippy::too_many_arguments, reason = "the inner loop of Table::new")]
    fn add(
        &mut self,
        history: &History<'_>,
        rule: &Rule,
        bins: &Bins,
        snapshot: &Snapshot,
        scratch: &BasketScratch,
        (negatives, parameters): (f64, &BasketParameters),
        seed: u64,
    ) {
        let basket = history.following(snapshot.customer, snapshot.night).map_or(&[][..], |(_, basket)| basket);
        let scored = rule.met(&history.visits(snapshot.customer), snapshot.night);
        let nights = f64::from(snapshot.nights).powf(parameters.night_power) as f32;
        let size = (basket.len().max(1) as f64).powf(-parameters.size_power) as f32;
        let customer = history.customers().key(snapshot.customer);
        for (candidate, row) in scratch.candidates.iter().zip(scratch.rows.chunks_exact(BASKET_WIDTH)) {
            let bought = basket.binary_search(&candidate.product).is_ok();
            let names = [0xbad, customer, snapshot.next.epoch() as u64, history.products().key(candidate.product)];
            if !bought && !keep(hash(seed, &names), negatives) {
                continue;
            }
            bins.bin_row(row, &mut self.bins);
            self.label.push(bought);
            let natural = if bought { nights } else { nights / negatives as f32 };
            self.natural.push(natural);
            self.weight.push(natural * size);
            self.product.push(candidate.product);
            self.scored.push(scored);
        }
    }
}
