//! The basket model: the probability of each candidate product in the next basket.
//!
//! One pooled model over all products ([`Boosted`]), then, for products where it pays, a tree of
//! corrections (`tree`), then isotonic calibration. Rows are (customer, night, candidate) of past
//! nights; each next purchase counts once, weighted by the nights that wait for it, so that rows
//! are as plentiful and as fresh as the history allows. The last 28 days are held out first, to
//! gate the corrections and to calibrate; the pooled model is then fitted again with them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::boosting::{Boosted, BoostingParameters, Fitted};
use super::calibration::Isotonic;
use super::parameters::{Allowed, ParameterRange};
use super::tree::CorrectionParameters;
use crate::domain::Ids;
use crate::domain::ProductModel;
use crate::error::Result;
use crate::features::basket::{BASKET_WIDTH, BasketScratch, Candidate, basket_features};
use crate::features::store_snapshot::{CandidateLimits, PartialStoreCounts, StoreSnapshot};
use crate::purchases::{CustomerPurchases, History};
use crate::sampling::Draw;

mod corrections;
mod quotas;
mod rows;
mod snapshot_looker;
mod snapshots;

use corrections::{CORRECTION_COLUMNS, CorrectionFit, GatedCorrections};
pub use corrections::{GateReport, ProductTree};
pub use rows::{BasketNights, BasketPilot, BasketRows, PickedBasketPilot};

/// How the basket model is fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BasketParameters {
    /// Days of the past that nights are taken from.
    pub days: u32,
    /// Days between two of those nights; not a multiple of 7, so that all weekdays occur.
    pub every: u32,
    /// Most products bought before that are candidates of a customer, those bought most often
    /// lately first.
    pub bought_products: usize,
    /// Popular products that every customer has as candidates besides those bought before.
    pub new_products: usize,
    /// Most rows that the pooled model is fitted on.
    // What it was called in the headers of earlier models, and in earlier files of settings.
    #[serde(alias = "max_rows")]
    pub max_training_rows: usize,
    /// How much a purchase counts that many nights wait for: the power of their number.
    pub night_power: f64,
    /// How much less a product counts in the basket of which it is one of many: the power of the
    /// basket's size.
    pub size_power: f64,
    /// Where there are more rows than that, the share kept for the background: customers who do not
    /// nearly meet the rule.
    #[serde(alias = "others")]
    pub background_share: f64,
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
            every: 5,
            bought_products: 100,
            new_products: 50,
            max_training_rows: 400_000,
            night_power: 0.5,
            size_power: 0.4,
            background_share: 0.3,
            min_negatives: 0.3,
            min_purchases: 6,
            boosting: BoostingParameters::default(),
            correction: CorrectionParameters::default(),
        }
    }
}

/// Trees of the pooled model that every candidate sees, and how many of the best candidates see the
/// others.
const FIRST_TREES: usize = 10;
/// See [`FIRST_TREES`]: more than are ever predicted.
const SHORTLIST: usize = 40;

impl BasketParameters {
    /// The values that each of its own parameters may have.
    pub(super) fn ranges(&self) -> Vec<ParameterRange> {
        let (real, count) = (ParameterRange::real, ParameterRange::count);
        let positive = Allowed::POSITIVE_COUNT;
        vec![
            real("days", self.days.into(), Allowed::DAYS),
            real("every", self.every.into(), positive),
            count("bought_products", self.bought_products, positive),
            count("new_products", self.new_products, Allowed::AtMost(10_000.0)),
            count("max_training_rows", self.max_training_rows, positive),
            real("night_power", self.night_power, Allowed::SHARE),
            real("size_power", self.size_power, Allowed::SHARE),
            real("background_share", self.background_share, Allowed::SHARE),
            real("min_negatives", self.min_negatives, Allowed::PositiveShare),
            count("min_purchases", self.min_purchases, positive),
        ]
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
    /// What the gate of the products' trees saw.
    pub gate: GateReport,
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

    /// What the rows after those that the pooled model was fitted to decide.
    fn corrections(&self, pooled: &Fitted, held_out: Range<usize>) -> GatedCorrections {
        let correction = &self.parameters.correction;
        CorrectionFit::new(
            self.table,
            &pooled.score,
            held_out,
            self.products,
            correction,
        )
        .run()
    }

    fn model(&self, pooled: Boosted, corrections: GatedCorrections) -> BasketModel {
        BasketModel {
            limits: self.parameters.limits(),
            seed: self.seed,
            pooled,
            products: corrections.products,
            calibration: corrections.calibration,
            gate: corrections.gate,
        }
    }
}

impl BasketModel {
    /// Fits to the rows of a history. The products' trees are gated, and the probabilities
    /// calibrated, on the last 28 days by a fit that has not seen them; those of the backtest
    /// model, which is the model of 28 days earlier, on the 28 days before. `products` are the
    /// history's ids.
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
        let [early, split, all] = table.fold_ends;
        let ((without_last, full), without_two) = rayon::join(
            || {
                rayon::join(
                    || {
                        let pooled = fit.pooled(split)?;
                        let corrections = fit.corrections(&pooled, split..all);
                        Ok((pooled.model, corrections))
                    },
                    || fit.pooled(all).map(|pooled| pooled.model),
                )
            },
            // Without rows enough two months before the end there is no backtest model, and no
            // error.
            || {
                let pooled = with_backtest.then(|| fit.pooled(early).ok()).flatten()?;
                Some(fit.corrections(&pooled, early..split))
            },
        );
        let (pooled_without_last, corrections) = without_last?;
        Ok(FittedBasket {
            model: fit.model(full?, corrections),
            backtest_model: without_two
                .map(|corrections| fit.model(pooled_without_last, corrections)),
        })
    }

    /// The products that have a tree of their own.
    #[must_use]
    pub fn products(&self) -> &[ProductTree] {
        &self.products
    }

    /// The store on a night as this model looks at it, of the merged counts that
    /// [`BasketModel::store_counts`] makes of each part of the customers.
    #[must_use]
    pub fn store(&self, store_counts: PartialStoreCounts) -> StoreSnapshot {
        StoreSnapshot::of(store_counts, self.limits)
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
        let shortlist = self
            .pooled
            .log_odds_of_best(&scratch.rows, FIRST_TREES, SHORTLIST);
        let mut out = Vec::with_capacity(shortlist.len());
        for (at, log_odds) in shortlist {
            let candidate = scratch.candidates[at];
            let row = &scratch.rows[at * BASKET_WIDTH..(at + 1) * BASKET_WIDTH];
            let tree = self.tree_of(trees, candidate.product);
            let correction = tree.map_or(0.0, |product| {
                product
                    .tree
                    .correction(|feature| row[CORRECTION_COLUMNS[feature]])
            });
            out.push(ScoredCandidate {
                candidate,
                probability: self.calibration.probability(log_odds + correction),
                model: if tree.is_some() {
                    ProductModel::Product
                } else {
                    ProductModel::Pooled
                },
            });
        }
        out.sort_by(|a, b| {
            b.probability
                .total_cmp(&a.probability)
                .then(a.candidate.product.cmp(&b.candidate.product))
        });
        out
    }

    /// The tree of a product, by what [`BasketModel::trees_by_code`] gives.
    fn tree_of(&self, trees: &[Option<u32>], product: u32) -> Option<&ProductTree> {
        let at = trees.get(product as usize).copied().flatten()?;
        self.products.get(at as usize)
    }

    /// Whether everything is finite and in range.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.pooled.is_consistent()
            && self.pooled.width() == BASKET_WIDTH
            && self.calibration.is_consistent()
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
