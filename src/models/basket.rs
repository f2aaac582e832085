//! The basket model: the probability of each candidate product in the next basket.
//!
//! One pooled model over all products ([`Boosted`]), then, for each product with rows enough, a tree
//! of corrections at the strength that later nights support (`corrections`), then isotonic
//! calibration. Rows are (customer, night, candidate) of past
//! nights; each next purchase counts once, weighted by the nights that wait for it, so that rows
//! are as plentiful and as fresh as the history allows. The last 28 days are held out first, to
//! calibrate; the pooled model is then fitted again with them.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::boosting::{Boosted, BoostingParameters, Fitted};
use super::calibration::Isotonic;
use super::parameters::TRAINING_DAYS;
use super::tree::CorrectionParameters;
use crate::domain::Ids;
use crate::domain::ProductModel;
use crate::error::Result;
use crate::features::basket::{
    BASKET_COLUMNS, BASKET_WIDTH, BasketScratch, Candidate, basket_features,
};
use crate::features::store_snapshot::{CandidateLimits, PartialStoreCounts, StoreSnapshot};
use crate::purchases::{CustomerPurchases, History};
use crate::sampling::Draw;
use crate::settings::{Allowed, section};

mod correction_words;
mod corrections;
mod quotas;
mod rows;
mod snapshot_looker;
mod snapshots;
pub(in crate::models) mod version_1;

pub use correction_words::{AppliedCorrection, CorrectionInWords};
use corrections::{CORRECTION_COLUMNS, CorrectionFit, Corrections};
pub use corrections::{CorrectionReport, ProductTree};
pub use rows::{BasketNights, BasketPilot, BasketRows, PickedBasketPilot};

section! {
    /// How the basket model is fitted.
    pub struct BasketParameters {
        /// Days of the past that nights are taken from
        #[setting(default = 150, allowed(TRAINING_DAYS))]
        pub days: u32,
        /// Most days of the past that nights are taken from where those of `days` have too few rows
        #[setting(default = 1_000, allowed(TRAINING_DAYS))]
        pub max_days: u32,
        /// Days between two of those nights. Avoid multiples of 7, so that all weekdays occur
        #[setting(default = 5, allowed(Allowed::POSITIVE_COUNT))]
        pub every: u32,
        /// Most products that are candidates of a customer because they bought them before; those
        /// bought most often lately come first
        #[setting(default = 100, allowed(Allowed::POSITIVE_COUNT))]
        pub bought_products: usize,
        /// Popular products that are candidates of every customer, besides those bought before
        #[setting(default = 50, allowed(Allowed::AtMost(10_000.0)))]
        pub new_products: usize,
        /// Most rows that the pooled model is fitted on
        #[was("max_rows")]
        #[setting(default = 400_000, allowed(Allowed::POSITIVE_COUNT))]
        pub max_training_rows: usize,
        /// Weight of a purchase that is the next one for several of the nights: the power of their
        /// number
        #[setting(default = 0.5, allowed(Allowed::SHARE))]
        pub night_power: f64,
        /// How much less each product counts in a large basket: the power of the basket's size
        #[setting(default = 0.4, allowed(Allowed::SHARE))]
        pub size_power: f64,
        /// Share of the rows kept for the background, if there are more than `max_training_rows`: for
        /// customers who do not nearly meet the rule
        #[was("others")]
        #[setting(default = 0.3, allowed(Allowed::SHARE))]
        pub background_share: f64,
        /// Smallest share of the candidates that were not bought which is kept for fitting
        #[setting(default = 0.3, allowed(Allowed::PositiveShare))]
        pub min_negatives: f64,
        /// Fewest purchases of a customer before a night for the night to count among the first. Nights
        /// with fewer, but as many as the rule asks for, come in where there is room
        #[setting(default = 6, allowed(Allowed::POSITIVE_COUNT))]
        pub min_purchases: usize,
        /// How the trees of the pooled model grow
        #[setting(default = BoostingParameters::default())]
        pub boosting: BoostingParameters,
        /// How the products' own trees grow
        #[setting(default = CorrectionParameters::default())]
        pub correction: CorrectionParameters,
    }
}

/// The share of the pooled model's trees that every candidate sees, and the fewest of them; the best
/// candidates see the others.
const FIRST_SHARE: usize = 10;
/// See [`FIRST_SHARE`].
const FEWEST_FIRST: usize = 10;
/// How many candidates see all trees: more than are ever predicted.
const SHORTLIST: usize = 40;

impl BasketParameters {
    /// How many snapshots fill the rows, if customers have few candidates of their own.
    fn wanted_snapshots(&self) -> usize {
        let rows = self.min_negatives * self.new_products as f64;
        (self.max_training_rows as f64 / rows.max(1.0)) as usize
    }

    fn limits(&self) -> CandidateLimits {
        CandidateLimits {
            bought: self.bought_products,
            new: self.new_products,
        }
    }
}

/// The fitted basket model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BasketModel {
    limits: CandidateLimits,
    seed: u64,
    pooled: Boosted,
    /// By ascending id.
    products: Vec<ProductTree>,
    calibration: Isotonic,
    /// How strongly the products' trees correct, and what by.
    pub corrections: CorrectionReport,
}

/// A candidate with its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredCandidate {
    /// The candidate.
    pub candidate: Candidate,
    /// Probability that it is in the next basket.
    pub probability: f64,
    /// Which model has spoken.
    pub model: ProductModel,
}

impl ScoredCandidate {
    /// The likeliest first, then by code.
    pub fn likelier_first(one: &Self, other: &Self) -> std::cmp::Ordering {
        let by_probability = other.probability.total_cmp(&one.probability);
        by_probability.then(one.candidate.product.cmp(&other.candidate.product))
    }
}

/// What fitting gives.
pub struct FittedBasket {
    /// Fitted on all.
    pub model: BasketModel,
    /// The same without the last 28 days, where it was asked for and there are rows enough.
    pub backtest_model: Option<BasketModel>,
}

/// What is fitted to which rows.
struct BasketFit<'a> {
    table: &'a BasketRows,
    products: &'a Ids,
    parameters: &'a BasketParameters,
    seed: u64,
}

impl BasketFit<'_> {
    /// The pooled model of the first rows.
    fn pooled(&self, take: usize) -> Result<Fitted> {
        Boosted::fit(
            &self.table.rows,
            &self.table.bins,
            &self.parameters.boosting,
            Draw::BasketTrees.hash(self.seed, &[]),
            take,
        )
    }

    /// Pooled models that know the rows before each of these positions, which ascend. The last of
    /// them comes back with what each said of the rows up to the next position. Positions before
    /// which there is too little to learn from are left out.
    ///
    /// # Errors
    /// If there is too little before the last one.
    fn out_of_fold(&self, bounds: &[usize]) -> Result<OutOfFold> {
        let rows = self.table.rows.len();
        let (last, earlier) = bounds.split_last().unwrap_or((&rows, &[]));
        let (of_last, of_earlier) = rayon::join(
            || self.pooled(*last),
            || {
                let fits = earlier
                    .par_iter()
                    .map(|bound| (*bound, self.pooled(*bound)));
                fits.collect::<Vec<_>>()
            },
        );
        let of_last = of_last?;
        let mut out = OutOfFold {
            bounds: vec![],
            score: vec![0.0; rows],
            models: vec![],
        };
        let fitted = of_earlier
            .into_iter()
            .filter_map(|(bound, fitted)| Some((bound, fitted.ok()?)));
        for (bound, fitted) in fitted.chain([(*last, of_last)]) {
            out.bounds.push(bound);
            out.score[bound..].copy_from_slice(&fitted.score[bound..]);
            out.models.push(fitted.model);
        }
        out.bounds.push(rows);
        Ok(out)
    }

    /// Where the rows end that the pooled models are fitted to which have not seen all of them. The
    /// last one has not seen the last 28 days.
    fn bounds(&self) -> Vec<usize> {
        let [early, split, _] = self.table.fold_ends;
        let mut bounds = vec![early / 3, 2 * early / 3, early, split];
        bounds.dedup();
        bounds.retain(|bound| *bound > 0 || *bound == split);
        bounds
    }

    /// The last of the pooled models, with what the rows decide that it has seen. `None`, and no error,
    /// without rows enough two months before the end.
    fn backtest_model(&self, pooled: OutOfFold) -> Option<BasketModel> {
        let [early, split, _] = self.table.fold_ends;
        let OutOfFold {
            bounds,
            score,
            mut models,
        } = pooled;
        let (_, up_to_split) = bounds.split_last()?;
        if !up_to_split.contains(&early) || early >= split {
            return None;
        }
        let corrections = self.corrections(&score, up_to_split);
        Some(self.model(models.pop()?, corrections))
    }

    /// What the rows after those that pooled models were fitted to decide.
    fn corrections(&self, pooled: &[f32], bounds: &[usize]) -> Corrections {
        CorrectionFit {
            table: self.table,
            pooled,
            bounds,
            products: self.products,
            parameters: &self.parameters.correction,
        }
        .run()
    }

    fn model(&self, pooled: Boosted, corrections: Corrections) -> BasketModel {
        BasketModel {
            limits: self.parameters.limits(),
            seed: self.seed,
            pooled,
            products: corrections.products,
            calibration: corrections.calibration,
            corrections: corrections.report,
        }
    }
}

/// What pooled models say of rows that they have not seen.
struct OutOfFold {
    /// Where the rows begin that each model has not seen, and the number of all rows.
    bounds: Vec<usize>,
    /// Log-odds of each row by the last model that has not seen it; 0 before the first bound.
    score: Vec<f32>,
    /// By their bounds.
    models: Vec<Boosted>,
}

impl BasketModel {
    /// Fits to the rows of a history. The strength of the products' trees is found, and the
    /// probabilities calibrated, by fits that have not seen the rows; the last 28 days calibrate.
    /// Those of the backtest model, which is the model of 28 days earlier, calibrate on the 28 days
    /// before. `products` are the history's ids.
    ///
    /// # Errors
    /// If there is too little to learn from.
    pub fn fit(
        table: &BasketRows,
        products: &Ids,
        parameters: &BasketParameters,
        with_backtest: bool,
        seed: u64,
    ) -> Result<FittedBasket> {
        let fit = BasketFit {
            table,
            products,
            parameters,
            seed,
        };
        let [_, _, all] = table.fold_ends;
        let (pooled, full) = rayon::join(|| fit.out_of_fold(&fit.bounds()), || fit.pooled(all));
        let pooled = pooled?;
        let corrections = fit.corrections(&pooled.score, &pooled.bounds);
        Ok(FittedBasket {
            backtest_model: with_backtest.then(|| fit.backtest_model(pooled)).flatten(),
            model: fit.model(full?.model, corrections),
        })
    }

    /// The backtest model of [`BasketModel::fit`] alone; `None` if there are too few rows for it.
    ///
    /// # Errors
    /// If there is too little to learn from.
    pub fn fit_backtest(
        table: &BasketRows,
        products: &Ids,
        parameters: &BasketParameters,
        seed: u64,
    ) -> Result<Option<Self>> {
        let fit = BasketFit {
            table,
            products,
            parameters,
            seed,
        };
        let pooled = fit.out_of_fold(&fit.bounds())?;
        Ok(fit.backtest_model(pooled))
    }

    /// The products that have a tree of their own.
    #[must_use]
    pub fn products(&self) -> &[ProductTree] {
        &self.products
    }

    /// The same model with these trees of the products, at this strength.
    #[cfg(test)]
    pub(in crate::models) fn with_trees(
        self,
        products: impl Iterator<Item = ProductTree>,
        strength: f64,
    ) -> Self {
        Self {
            products: products.collect(),
            corrections: CorrectionReport {
                strength,
                ..self.corrections
            },
            ..self
        }
    }

    /// The store on a night as this model looks at it (launches came with `product_trend_3d`), of
    /// the merged counts that
    /// [`BasketModel::store_counts`] makes of each part of the customers.
    #[must_use]
    pub fn store(&self, store_counts: PartialStoreCounts) -> StoreSnapshot {
        if self.width() > BASKET_COLUMNS.product_trend_3d {
            StoreSnapshot::of(store_counts, self.limits)
        } else {
            StoreSnapshot::without_launches(store_counts, self.limits)
        }
    }

    /// What some customers add to the store on the history's night.
    #[must_use]
    pub fn store_counts(&self, history: &History<'_>) -> PartialStoreCounts {
        PartialStoreCounts::new(history, self.seed)
    }

    /// The trees by product code: position in [`BasketModel::products`].
    #[must_use]
    pub fn trees_by_code(&self, products: &Ids) -> Vec<Option<u32>> {
        let mut out = vec![None; products.len()];
        for (at, product) in (0_u32..).zip(&self.products) {
            if let Some(slot) = products
                .code(&product.product)
                .and_then(|code| out.get_mut(code as usize))
            {
                *slot = Some(at);
            }
        }
        out
    }

    /// The candidates of a customer, for whose id `customer` stands, that are worth a full look,
    /// with their probabilities, the likeliest first (then by code).
    pub fn score(
        &self,
        store: &StoreSnapshot,
        trees: &[Option<u32>],
        customer: u64,
        purchases: &CustomerPurchases<'_>,
        expected_days: f64,
        scratch: &mut BasketScratch,
    ) -> Vec<ScoredCandidate> {
        basket_features(store, customer, purchases, expected_days, scratch);
        let first = (self.pooled.trees() / FIRST_SHARE).max(FEWEST_FIRST);
        let shortlist = self
            .pooled
            .log_odds_of_best(&scratch.rows, BASKET_WIDTH, first, SHORTLIST);
        let scored = shortlist.into_iter();
        let scored = scored.map(|(at, log_odds)| self.scored(trees, scratch, at, log_odds));
        let mut out: Vec<ScoredCandidate> = scored.collect();
        out.sort_by(ScoredCandidate::likelier_first);
        out
    }

    /// The probabilities of the candidates at these positions, as [`BasketModel::score`] gives those
    /// of the ones that it finds worth a full look.
    pub fn score_at(
        &self,
        trees: &[Option<u32>],
        scratch: &BasketScratch,
        at: &[usize],
    ) -> Vec<ScoredCandidate> {
        let log_odds = self
            .pooled
            .log_odds_of_some(&scratch.rows, BASKET_WIDTH, at);
        let scored = at.iter().zip(log_odds);
        scored
            .map(|(at, log_odds)| self.scored(trees, scratch, *at, log_odds))
            .collect()
    }

    /// The candidate at a position, to which the pooled model gives these log-odds.
    fn scored(
        &self,
        trees: &[Option<u32>],
        scratch: &BasketScratch,
        at: usize,
        log_odds: f64,
    ) -> ScoredCandidate {
        let candidate = scratch.candidates[at];
        let row = &scratch.rows[at * BASKET_WIDTH..(at + 1) * BASKET_WIDTH];
        let tree = self.tree_of(trees, candidate.product);
        let correction = tree.map_or(0.0, |product| {
            product
                .tree
                .correction(|feature| row[CORRECTION_COLUMNS[feature]])
        });
        let correction = self.corrections.strength * correction;
        ScoredCandidate {
            candidate,
            probability: self.calibration.probability(log_odds + correction),
            model: if tree.is_some() {
                ProductModel::Product
            } else {
                ProductModel::Pooled
            },
        }
    }

    /// The tree of a product, by what [`BasketModel::trees_by_code`] gives.
    fn tree_of(&self, trees: &[Option<u32>], product: u32) -> Option<&ProductTree> {
        let at = trees.get(product as usize).copied().flatten()?;
        self.products.get(at as usize)
    }

    /// How many of the basket features the model reads: the first ones.
    #[must_use]
    pub fn width(&self) -> usize {
        self.pooled.width()
    }

    /// Whether everything is finite and in range.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.pooled.is_consistent()
            // Features are only ever added at the end: older models read the first ones.
            && self.pooled.width() <= BASKET_WIDTH
            && self.calibration.is_consistent()
            && (0.0..=1.0).contains(&self.corrections.strength)
            && self
                .products
                .iter()
                .all(|product| product.tree.is_consistent(CORRECTION_COLUMNS.len()))
            && self
                .products
                .windows(2)
                .all(|pair| pair[0].product < pair[1].product)
    }
}
