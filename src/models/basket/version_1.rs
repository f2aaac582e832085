//! The basket model as files of format version 1 hold it.

use serde::Deserialize;

use super::{
    BasketModel, BasketParameters, BoostingParameters, CorrectionParameters, CorrectionReport,
    ProductTree,
};
use crate::features::store_snapshot::CandidateLimits;
use crate::models::boosting::Boosted;
use crate::models::calibration::Isotonic;
use crate::models::tree::CorrectionTree;

/// As [`BasketParameters`] were.
#[derive(Deserialize)]
pub(in crate::models) struct BasketParametersVersion1 {
    days: u32,
    every: u32,
    bought_products: usize,
    new_products: usize,
    max_training_rows: usize,
    night_power: f64,
    size_power: f64,
    background_share: f64,
    min_negatives: f64,
    min_purchases: usize,
    boosting: BoostingParameters,
    correction: CorrectionParametersVersion1,
}

#[derive(Deserialize)]
struct CorrectionParametersVersion1 {
    #[expect(dead_code, reason = "trees are kept by other means now")]
    min_bought: usize,
    depth: usize,
    min_leaf: f64,
    ridge: f64,
}

/// As [`BasketModel`] was: products had trees that had passed a gate, and all of them corrected at
/// full strength.
#[derive(Deserialize)]
pub(in crate::models) struct BasketModelVersion1 {
    limits: CandidateLimits,
    seed: u64,
    pooled: Boosted,
    products: Vec<ProductTreeVersion1>,
    calibration: Isotonic,
    gate: GateReportVersion1,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "bincode knows fields by their place alone")]
struct ProductTreeVersion1 {
    product: String,
    tree: CorrectionTree,
    bought: usize,
    held_out_bought: usize,
    gain: f64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "bincode knows fields by their place alone")]
struct GateReportVersion1 {
    tried: usize,
    kept: usize,
    rows: usize,
    pooled_log_loss: f64,
    log_loss: f64,
}

impl From<BasketParametersVersion1> for BasketParameters {
    fn from(old: BasketParametersVersion1) -> Self {
        Self {
            days: old.days,
            max_days: old.days,
            every: old.every,
            bought_products: old.bought_products,
            new_products: old.new_products,
            max_training_rows: old.max_training_rows,
            night_power: old.night_power,
            size_power: old.size_power,
            background_share: old.background_share,
            min_negatives: old.min_negatives,
            min_purchases: old.min_purchases,
            boosting: old.boosting,
            correction: CorrectionParameters {
                depth: old.correction.depth,
                min_leaf: old.correction.min_leaf,
                ridge: old.correction.ridge,
                ..CorrectionParameters::default()
            },
        }
    }
}

impl From<BasketModelVersion1> for BasketModel {
    fn from(old: BasketModelVersion1) -> Self {
        Self {
            limits: old.limits,
            seed: old.seed,
            pooled: old.pooled,
            products: old.products.into_iter().map(ProductTree::from).collect(),
            calibration: old.calibration,
            corrections: CorrectionReport {
                tried: old.gate.tried,
                strength: 1.0,
                estimate: 1.0,
                standard_error: 0.0,
                rows: old.gate.rows,
                pooled_log_loss: old.gate.pooled_log_loss,
                log_loss: old.gate.log_loss,
            },
        }
    }
}

impl From<ProductTreeVersion1> for ProductTree {
    fn from(old: ProductTreeVersion1) -> Self {
        Self {
            product: old.product,
            tree: old.tree,
            bought: old.bought,
        }
    }
}
