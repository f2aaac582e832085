//! The products' own trees: which are fitted, which are kept, and the calibration of what comes
//! out.

use std::cmp::Reverse;
use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::BasketParameters;
use super::table::BasketRows;
use crate::domain::Ids;
use crate::features::basket::BASKET_COLUMNS;
use crate::models::boosting::sigmoid;
use crate::models::calibration::Isotonic;
use crate::models::tree::{CorrectionTree, ProductRows};

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
    /// How much lower the log loss of the held-out rows is with the tree: weighted total over the
    /// rows, in nats.
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

/// The features that the products' own trees may split on, where they stand in a row.
pub(super) const CORRECTION_COLUMNS: [usize; 14] = [
    BASKET_COLUMNS.elapsed,
    BASKET_COLUMNS.expected_days,
    BASKET_COLUMNS.basket_mean,
    BASKET_COLUMNS.target_weekday,
    BASKET_COLUMNS.share_since_first,
    BASKET_COLUMNS.decay_95,
    BASKET_COLUMNS.decay_80,
    BASKET_COLUMNS.last_days,
    BASKET_COLUMNS.last_visits,
    BASKET_COLUMNS.due_days,
    BASKET_COLUMNS.due_visits,
    BASKET_COLUMNS.size_fit,
    BASKET_COLUMNS.product_trend,
    BASKET_COLUMNS.neighbour_score,
];

fn log_loss(score: f64, bought: bool) -> f64 {
    let p = sigmoid(score).clamp(1e-9, 1.0 - 1e-9);
    if bought { -p.ln() } else { -(1.0 - p).ln() }
}

/// A tree is kept whose gain is more than so many times what chance would give (its standard
/// error).
const LEAST_GAIN: f64 = 2.0;

/// What the held-out rows decide.
pub(super) struct GatedCorrections {
    pub(super) products: Vec<ProductTree>,
    pub(super) gate: GateReport,
    pub(super) calibration: Isotonic,
}

/// Fits a tree for each product with enough purchases to the rows before the held-out ones, keeps
/// those that lower the log loss of the held-out ones, and calibrates what comes out. `score` is a
/// fit's that has not seen them.
pub(super) fn corrections(
    table: &BasketRows,
    score: &[f32],
    held_out: Range<usize>,
    products: &Ids,
    parameters: &BasketParameters,
) -> GatedCorrections {
    let columns = CORRECTION_COLUMNS;
    let mut by_product: Vec<(u32, u32)> = table
        .product
        .iter()
        .copied()
        .zip(0..)
        .take(held_out.end)
        .collect();
    by_product.sort_unstable();
    let bought = |rows: &[(u32, u32)], early: bool| {
        rows.iter()
            .filter(|(_, row)| {
                table.rows.label[*row as usize] && ((*row as usize) < held_out.start) == early
            })
            .count()
    };
    let mut groups: Vec<&[(u32, u32)]> = by_product
        .chunk_by(|a, b| a.0 == b.0)
        .filter(|rows| bought(rows, true) >= parameters.correction.min_bought)
        .collect();
    // The largest first, so that no thread begins with one when the others have ended. What comes
    // of it has no order of its own.
    groups.sort_by_key(|rows| Reverse(rows.len()));
    let value = |row: usize, feature: usize| {
        table
            .bins
            .edge(columns[feature], table.rows.bin(row, columns[feature]))
    };
    let fit = |rows: &&[(u32, u32)]| {
        let (early, late): (Vec<u32>, Vec<u32>) = rows
            .iter()
            .map(|(_, row)| *row)
            .partition(|row| (*row as usize) < held_out.start);
        let mut own = ProductRows::default();
        for row in &early {
            let row = *row as usize;
            own.bins
                .extend(columns.iter().map(|column| table.rows.bin(row, *column)));
            own.label.push(table.rows.label[row]);
            own.probability.push(sigmoid(f64::from(score[row])));
            own.weight.push(f64::from(table.rows.weight[row]));
        }
        let tree = CorrectionTree::fit(
            &own,
            columns.len(),
            &parameters.correction,
            |feature, bin| table.bins.edge(columns[feature], bin),
        )?;
        // A value sits below its bin's edge, so the edge stands for it wherever a threshold is an
        // edge too.
        let gains: Vec<f64> = late
            .iter()
            .map(|row| {
                let row = *row as usize;
                let (score, bought) = (f64::from(score[row]), table.rows.label[row]);
                let corrected = score + tree.correction(|feature| value(row, feature));
                f64::from(table.rows.weight[row])
                    * (log_loss(score, bought) - log_loss(corrected, bought))
            })
            .collect();
        let gain: f64 = gains.iter().sum();
        // Of many products some gain by luck alone, and a tree kept by luck does harm on the nights
        // that come.
        let by_chance = gains.iter().map(|gain| gain * gain).sum::<f64>().sqrt();
        let held_out_bought = bought(rows, false);
        if gain <= LEAST_GAIN * by_chance || held_out_bought < 5 {
            return None;
        }
        let product = products.get(rows.first()?.0)?.to_string();
        Some((
            ProductTree {
                product,
                tree,
                bought: bought(rows, true),
                held_out_bought,
                gain,
            },
            late,
        ))
    };
    let fitted: Vec<Option<(ProductTree, Vec<u32>)>> =
        groups.iter().par_bridge().map(fit).collect();
    let mut corrected: Vec<f64> = score[held_out.clone()]
        .iter()
        .map(|score| f64::from(*score))
        .collect();
    let mut gate = GateReport {
        tried: groups.len(),
        ..GateReport::default()
    };
    let mut kept = vec![];
    for (product, late) in fitted.into_iter().flatten() {
        for row in late {
            corrected[row as usize - held_out.start] += product
                .tree
                .correction(|feature| value(row as usize, feature));
        }
        kept.push(product);
    }
    kept.sort_by(|a: &ProductTree, b| a.product.cmp(&b.product));
    gate.kept = kept.len();
    gate.rows = held_out.len();
    let mut weights = 0.0;
    for (row, corrected) in held_out.clone().zip(&corrected) {
        let (weight, bought) = (f64::from(table.natural[row]), table.rows.label[row]);
        weights += weight;
        gate.pooled_log_loss += weight * log_loss(f64::from(score[row]), bought);
        gate.log_loss += weight * log_loss(*corrected, bought);
    }
    if weights > 0.0 {
        gate.pooled_log_loss /= weights;
        gate.log_loss /= weights;
    }
    let point = |(row, score): (usize, &f64)| {
        (*score, table.rows.label[row], f64::from(table.natural[row]))
    };
    let scored: Vec<(f64, bool, f64)> = held_out
        .clone()
        .zip(&corrected)
        .filter(|(row, _)| table.scored[*row])
        .map(point)
        .collect();
    // The customers whom a run scores are those to be right about; where they are few, everyone is.
    let enough = scored.iter().filter(|(_, bought, _)| *bought).count() >= 1_000;
    let calibration = Isotonic::fit(if enough {
        scored
    } else {
        held_out.zip(&corrected).map(point).collect()
    });
    GatedCorrections {
        products: kept,
        gate,
        calibration,
    }
}
