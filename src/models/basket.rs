//! What: the probability of each candidate product in the next basket.
//!
//! One pooled model over all products ([`Boosted`]), then, for products where it pays, a tree of corrections ([`CorrectionTree`]), then
//! isotonic calibration. Rows are (customer, night, candidate) of past nights; each next purchase counts once, weighted by the nights
//! that wait for it, so that rows are as plentiful and as fresh as the history allows. The last 28 days are held out first, to gate the
//! corrections and to calibrate; the pooled model is then fitted again with them.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::boosting::{BinnedRows, Bins, Boosted, BoostingParameters, sigmoid};
use super::calibration::Isotonic;
use super::timing::{HORIZON, TimingModel};
use super::tree::{CorrectionParameters, CorrectionTree, ProductRows};
use crate::calendar::{AsOf, Day};
use crate::error::{Error, Result};
use crate::features::basket::{BASKET_FEATURES, BASKET_WIDTH, BasketScratch, Candidate, basket_features};
use crate::features::world::World;
use crate::predictions::ProductModel;
use crate::purchases::{History, Visits};
use crate::recurrence::Rule;
use crate::sampling::{hash, keep};

/// How the basket model is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BasketParameters {
    /// Days of the past that nights are taken from.
    pub days: u32,
    /// Days between two of those nights; not a multiple of 7, so that all weekdays occur.
    pub every: u32,
    /// Popular products that every customer has as candidates besides those bought before.
    pub new_products: usize,
    /// Most rows that the pooled model is fitted on.
    pub max_rows: usize,
    /// How much a purchase counts that many nights wait for: the power of their number.
    pub night_power: f64,
    /// Largest share of the rows from customers who are far from meeting the rule.
    pub others: f64,
    /// Smallest share of the candidates not bought that is kept.
    pub min_negatives: f64,
    /// Fewest purchases of a customer before a night for the night to count.
    pub min_purchases: usize,
    /// How the trees of the pooled model grow.
    pub boosting: BoostingParameters,
    /// How the products' own trees grow.
    pub correction: CorrectionParameters,
}

impl Default for BasketParameters {
    fn default() -> Self {
        Self {
            days: 150,
            every: 3,
            new_products: 50,
            max_rows: 800_000,
            night_power: 0.5,
            others: 0.3,
            min_negatives: 0.3,
            min_purchases: 6,
            boosting: BoostingParameters::default(),
            correction: CorrectionParameters::default(),
        }
    }
}

/// A product's own tree and what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductTree {
    /// The product's id as text: codes differ from one reading of the data to the next.
    pub product: String,
    /// The corrections.
    pub tree: CorrectionTree,
    /// Purchases of the product among the rows that the tree was fitted on.
    pub bought: usize,
    /// Purchases of the product among the held-out rows.
    pub held_out_bought: usize,
    /// How much lower the log loss of the held-out rows is with the tree: total over the rows, in nats.
    pub gain: f64,
}

/// What fitting the products' own trees came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Products with enough purchases for a tree of their own.
    pub tried: usize,
    /// Products whose tree was kept.
    pub kept: usize,
    /// Held-out rows, and their log loss with the pooled model alone and with the kept trees.
    pub rows: usize,
    /// Mean log loss of the pooled model alone.
    pub pooled_log_loss: f64,
    /// Mean log loss with the kept trees.
    pub log_loss: f64,
}

/// The fitted basket model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BasketModel {
    new_products: usize,
    seed: u64,
    pooled: Boosted,
    /// By ascending id.
    products: Vec<ProductTree>,
    calibration: Isotonic,
    /// What the gate of the products' trees saw.
    pub gate: GateReport,
}

/// A candidate with its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The candidate.
    pub candidate: Candidate,
    /// Probability that it is in the next basket.
    pub probability: f64,
    /// Which model has spoken.
    pub model: ProductModel,
}

/// Features that the products' own trees may split on.
const CORRECTION_FEATURES: [&str; 14] = [
    "elapsed",
    "expected_days",
    "basket_mean",
    "target_weekday",
    "share_since_first",
    "decay_95",
    "decay_80",
    "last_days",
    "last_visits",
    "due_days",
    "due_visits",
    "size_fit",
    "product_trend",
    "neighbour_score",
];

/// Positions of [`CORRECTION_FEATURES`] in a row.
fn correction_columns() -> Vec<usize> {
    let position = |name: &&str| BASKET_FEATURES.iter().position(|feature| feature == name);
    CORRECTION_FEATURES.iter().filter_map(position).collect()
}

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
struct Table {
    rows: BinnedRows,
    product: Vec<u32>,
    /// Whether the customer met the rule on the night.
    scored: Vec<bool>,
    bins: Bins,
    /// How many rows have a next purchase up to the split.
    early: usize,
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
                let pick = hash(seed, &[0x5a9, u64::from(customer), next.epoch() as u64]) % waiting.len() as u64;
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
    fn new(history: &History<'_>, split: Day, timing: &TimingModel, rule: &Rule, parameters: &BasketParameters, seed: u64) -> Result<Self> {
        let mut all = snapshots(history, parameters, seed);
        // Early rows first, so that a fit can take a prefix; by night within, so that the store is looked at once a night.
        all.sort_by_key(|s| (s.next > split, s.night, s.customer));
        if all.is_empty() {
            return Err(Error::input(format!(
                "up to {} no customer has {} purchases and a next one to learn from",
                history.as_of(),
                parameters.min_purchases
            ))
            .hint("train on a longer history, or with a later --as-of"));
        }
        let world = |night: Day| World::new(&history.until(AsOf(night)), parameters.new_products, seed);
        // A pilot of three nights gives the bins and the share of candidates to keep.
        let early_end = all.partition_point(|s| s.next <= split).max(1);
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
        let bins = Bins::from_sample(&pilot, BASKET_WIDTH, 255);
        drop(pilot);
        let per_snapshot = pilot_rows as f64 / pilot_snapshots.max(1) as f64;
        let bought = pilot_bought as f64 / pilot_snapshots.max(1) as f64;
        let near: Vec<bool> = all.par_iter().map(|s| is_near(history, rule, s)).collect();
        let near_count = near.iter().filter(|near| **near).count() as f64;
        let other_count = all.len() as f64 - near_count;
        let room = parameters.max_rows as f64 / near_count.max(1.0);
        let negatives = ((room - bought) / (per_snapshot - bought).max(1.0)).clamp(parameters.min_negatives, 1.0);
        let wanted = parameters.max_rows as f64 / (bought + negatives * (per_snapshot - bought)).max(1.0);
        let others = other_count.min((wanted - near_count).max(wanted * parameters.others));
        let shares = [others / other_count.max(1.0), (wanted - others) / near_count.max(1.0)];
        let mut is_near = near.into_iter();
        all.retain(|s| {
            let share = shares[usize::from(is_near.next().unwrap_or(false))];
            keep(hash(seed, &[0xcaf, u64::from(s.customer), s.next.epoch() as u64]), share)
        });
        let capacity = (all.len() as f64 * (bought + negatives * (per_snapshot - bought)) * 1.05) as usize;
        let mut table = Table {
            rows: BinnedRows::with_capacity(BASKET_WIDTH, capacity),
            product: Vec::with_capacity(capacity),
            scored: Vec::with_capacity(capacity),
            bins,
            early: 0,
        };
        for group in all.chunk_by(|a, b| a.night == b.night && (a.next > split) == (b.next > split)) {
            let Some(first) = group.first() else { continue };
            let world = world(first.night);
            let bins = &table.bins;
            let parts: Vec<Part> = group
                .par_chunks(16)
                .map_init(BasketScratch::default, |scratch, snapshots| {
                    let mut part = Part::default();
                    for snapshot in snapshots {
                        look(history, &world, timing, snapshot, scratch);
                        part.add(history, rule, bins, snapshot, scratch, (negatives, parameters.night_power), seed);
                    }
                    part
                })
                .collect();
            for part in parts {
                table.rows.extend(&part.bins, &part.label, &part.weight);
                table.product.extend(part.product);
                table.scored.extend(part.scored);
            }
            if first.next <= split {
                table.early = table.rows.len();
            }
        }
        Ok(table)
    }
}

/// Whether the customer is much like those who are scored: frequent, with a good part of the large baskets that the rule asks for.
fn is_near(history: &History<'_>, rule: &Rule, snapshot: &Snapshot) -> bool {
    let relaxed = Rule { basket_share: 0.4 * rule.basket_share, ..*rule };
    relaxed.met(&history.visits(snapshot.customer), snapshot.night)
}

fn look(history: &History<'_>, world: &World, timing: &TimingModel, snapshot: &Snapshot, scratch: &mut BasketScratch) {
    let visits = history.visits(snapshot.customer).until(snapshot.night);
    let expected = timing.expected_days(&visits, snapshot.night);
    basket_features(world, snapshot.customer, &visits, expected, scratch);
}

/// Rows of a few snapshots.
#[derive(Default)]
struct Part {
    bins: Vec<u8>,
    label: Vec<bool>,
    weight: Vec<f32>,
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
        (negatives, night_power): (f64, f64),
        seed: u64,
    ) {
        let basket = history.following(snapshot.customer, snapshot.night).map_or(&[][..], |(_, basket)| basket);
        let scored = rule.met(&history.visits(snapshot.customer), snapshot.night);
        let nights = f64::from(snapshot.nights).powf(night_power) as f32;
        for (candidate, row) in scratch.candidates.iter().zip(scratch.rows.chunks_exact(BASKET_WIDTH)) {
            let bought = basket.binary_search(&candidate.product).is_ok();
            let names = [0xbad, u64::from(snapshot.customer), snapshot.next.epoch() as u64, u64::from(candidate.product)];
            if !bought && !keep(hash(seed, &names), negatives) {
                continue;
            }
            bins.bin_row(row, &mut self.bins);
            self.label.push(bought);
            self.weight.push(if bought { nights } else { nights / negatives as f32 });
            self.product.push(candidate.product);
            self.scored.push(scored);
        }
    }
}

/// What fitting gives: the model for now, and the same fit without the last 28 days.
pub struct FittedBasket {
    /// Fitted on all.
    pub model: BasketModel,
    /// Fitted on what was known at the split.
    pub rehearsal: BasketModel,
}

impl BasketModel {
    /// Fits to everything that the history knows; what was bought after `split` is held out first. `timing` says when customers were
    /// expected: an earlier fit than the one that will score, so that its guesses are honest on these nights.
    ///
    /// # Errors
    /// If there is too little to learn from.
    pub fn fit(
        history: &History<'_>,
        split: Day,
        timing: &TimingModel,
        rule: &Rule,
        parameters: &BasketParameters,
        seed: u64,
    ) -> Result<FittedBasket> {
        let table = Table::new(history, split, timing, rule, parameters, seed)?;
        let early = Boosted::fit(&table.rows, &table.bins, &parameters.boosting, hash(seed, &[0xba5]), table.early)?;
        let (products, gate, calibration) = corrections(&table, &early.score, history, parameters);
        let all = table.rows.len();
        let pooled = Boosted::fit(&table.rows, &table.bins, &parameters.boosting, hash(seed, &[0xba5]), all)?.model;
        let with = |pooled| BasketModel {
            new_products: parameters.new_products,
            seed,
            pooled,
            products: products.clone(),
            calibration: calibration.clone(),
            gate: gate.clone(),
        };
        Ok(FittedBasket { model: with(pooled), rehearsal: with(early.model) })
    }

    /// The products that have a tree of their own.
    #[must_use]
    pub fn products(&self) -> &[ProductTree] {
        &self.products
    }

    /// The store on the history's night, as this model looks at it.
    #[must_use]
    pub fn world(&self, history: &History<'_>) -> World {
        World::new(history, self.new_products, self.seed)
    }

    /// The trees by product code of a history: position in [`BasketModel::products`].
    #[must_use]
    pub fn trees_by_code(&self, history: &History<'_>) -> Vec<Option<u32>> {
        let mut out = vec![None; history.product_count()];
        for (at, product) in (0_u32..).zip(&self.products) {
            if let Some(slot) = history.products().code(&product.product).and_then(|code| out.get_mut(code as usize)) {
                *slot = Some(at);
            }
        }
        out
    }

    /// The candidates of a customer with their probabilities, the likeliest first (then by code).
    pub fn score(
        &self,
        world: &World,
        trees: &[Option<u32>],
        customer: u32,
        visits: &Visits<'_>,
        expected_days: f64,
        scratch: &mut BasketScratch,
    ) -> Vec<Scored> {
        basket_features(world, customer, visits, expected_days, scratch);
        let columns = correction_columns();
        let scores = self.pooled.log_odds_of(&scratch.rows);
        let of_candidate = |((candidate, row), score): ((&Candidate, &[f32]), f64)| {
            let tree = trees.get(candidate.product as usize).copied().flatten().and_then(|at| self.products.get(at as usize));
            let correction = tree.map_or(0.0, |product| product.tree.correction(|feature| row[columns[feature]]));
            Scored {
                candidate: *candidate,
                probability: self.calibration.probability(score + correction),
                model: if tree.is_some() { ProductModel::Product } else { ProductModel::Pooled },
            }
        };
        let mut out: Vec<Scored> =
            scratch.candidates.iter().zip(scratch.rows.chunks_exact(BASKET_WIDTH)).zip(scores).map(of_candidate).collect();
        out.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.candidate.product.cmp(&b.candidate.product)));
        out
    }

    /// Whether everything is finite and in range.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.pooled.is_consistent()
            && self.pooled.width() == BASKET_WIDTH
            && self.calibration.is_consistent()
            && self.products.iter().all(|product| product.tree.is_consistent(CORRECTION_FEATURES.len()))
            && self.products.windows(2).all(|pair| pair[0].product < pair[1].product)
    }
}

fn log_loss(score: f64, bought: bool) -> f64 {
    let p = sigmoid(score).clamp(1e-9, 1.0 - 1e-9);
    if bought { -p.ln() } else { -(1.0 - p).ln() }
}

/// Fits a tree for each product with enough purchases, keeps those that lower the held-out log loss, and calibrates what comes out.
fn corrections(
    table: &Table,
    score: &[f32],
    history: &History<'_>,
    parameters: &BasketParameters,
) -> (Vec<ProductTree>, GateReport, Isotonic) {
    let columns = correction_columns();
    let mut by_product: Vec<(u32, u32)> = table.product.iter().copied().zip(0..).collect();
    by_product.sort_unstable();
    let bought = |rows: &[(u32, u32)], early: bool| {
        rows.iter().filter(|(_, row)| table.rows.label[*row as usize] && ((*row as usize) < table.early) == early).count()
    };
    let groups: Vec<&[(u32, u32)]> =
        by_product.chunk_by(|a, b| a.0 == b.0).filter(|rows| bought(rows, true) >= parameters.correction.min_bought).collect();
    let value = |row: usize, feature: usize| table.bins.edge(columns[feature], table.rows.row(row)[columns[feature]]);
    let fit = |rows: &&[(u32, u32)]| {
        let (early, late): (Vec<u32>, Vec<u32>) = rows.iter().map(|(_, row)| *row).partition(|row| (*row as usize) < table.early);
        let mut own = ProductRows::default();
        for row in &early {
            let row = *row as usize;
            own.bins.extend(columns.iter().map(|column| table.rows.row(row)[*column]));
            own.label.push(table.rows.label[row]);
            own.probability.push(sigmoid(f64::from(score[row])));
            own.weight.push(f64::from(table.rows.weight[row]));
        }
        let tree = CorrectionTree::fit(&own, columns.len(), &parameters.correction, |feature, bin| table.bins.edge(columns[feature], bin))?;
        // A value sits below its bin's edge, so the edge stands for it wherever a threshold is an edge too.
        let gain: f64 = late
            .iter()
            .map(|row| {
                let row = *row as usize;
                let (score, bought) = (f64::from(score[row]), table.rows.label[row]);
                let corrected = score + tree.correction(|feature| value(row, feature));
                f64::from(table.rows.weight[row]) * (log_loss(score, bought) - log_loss(corrected, bought))
            })
            .sum();
        let product = history.products().get(rows.first()?.0)?.to_string();
        Some((ProductTree { product, tree, bought: bought(rows, true), held_out_bought: bought(rows, false), gain }, late))
    };
    let fitted: Vec<Option<(ProductTree, Vec<u32>)>> = groups.par_iter().map(fit).collect();
    let mut corrected: Vec<f64> = score.iter().skip(table.early).map(|score| f64::from(*score)).collect();
    let mut gate = GateReport { tried: groups.len(), ..GateReport::default() };
    let mut products = vec![];
    for (product, late) in fitted.into_iter().flatten() {
        if product.gain <= 0.0 || product.held_out_bought < 5 {
            continue;
        }
        for row in late {
            corrected[row as usize - table.early] += product.tree.correction(|feature| value(row as usize, feature));
        }
        products.push(product);
    }
    products.sort_by(|a, b| a.product.cmp(&b.product));
    gate.kept = products.len();
    let late = table.early..table.rows.len();
    gate.rows = late.len();
    let mut weights = 0.0;
    for (row, corrected) in late.clone().zip(&corrected) {
        let (weight, bought) = (f64::from(table.rows.weight[row]), table.rows.label[row]);
        weights += weight;
        gate.pooled_log_loss += weight * log_loss(f64::from(score[row]), bought);
        gate.log_loss += weight * log_loss(*corrected, bought);
    }
    if weights > 0.0 {
        gate.pooled_log_loss /= weights;
        gate.log_loss /= weights;
    }
    let point = |(row, score): (usize, &f64)| (*score, table.rows.label[row], f64::from(table.rows.weight[row]));
    let scored: Vec<(f64, bool, f64)> = late.clone().zip(&corrected).filter(|(row, _)| table.scored[*row]).map(point).collect();
    // The customers whom a run scores are those to be right about; where they are few, everyone is.
    let enough = scored.iter().filter(|(_, bought, _)| *bought).count() >= 1_000;
    let calibration = Isotonic::fit(if enough { scored } else { late.zip(&corrected).map(point).collect() });
    (products, gate, calibration)
}
