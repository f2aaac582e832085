//! The products' own trees: which are fitted, which pass the gate, and the calibration of what
//! comes out.

use std::cmp::Reverse;
use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::rows::BasketRows;
use crate::domain::Ids;
use crate::features::basket::BASKET_COLUMNS;
use crate::models::boosting::sigmoid;
use crate::models::calibration::Isotonic;
use crate::models::tree::{CorrectionParameters, CorrectionTree, ProductRows};

#[cfg(test)]
mod tests;

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

/// A tree is kept whose gain is more than so many times what chance would give (its standard
/// error).
const LEAST_GAIN: f64 = 2.0;
/// Fewest purchases of a product among the held-out rows for its tree to be kept.
const LEAST_HELD_OUT_BOUGHT: usize = 5;
/// Fewest purchases by customers whom a run scores for the calibration to be theirs alone.
const LEAST_SCORED_BOUGHT: usize = 1_000;

/// What the held-out rows decide.
pub(super) struct GatedCorrections {
    pub(super) products: Vec<ProductTree>,
    pub(super) gate: GateReport,
    pub(super) calibration: Isotonic,
}

/// A row of the table, by its product.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ProductRow {
    product: u32,
    row: u32,
}

impl ProductRow {
    fn at(self) -> usize {
        self.row as usize
    }
}

/// A tree that passed the gate, and the product's held-out rows.
struct KeptTree<'a> {
    product: ProductTree,
    held_out: &'a [ProductRow],
}

/// What the products' own trees are fitted to and judged by.
pub(super) struct CorrectionFit<'a> {
    pub(super) table: &'a BasketRows,
    /// Log-odds of each row by a pooled model that has not seen the held-out rows.
    pub(super) pooled: &'a [f32],
    /// The rows after those that the trees are fitted to.
    pub(super) held_out: Range<usize>,
    pub(super) products: &'a Ids,
    pub(super) parameters: &'a CorrectionParameters,
}

impl<'a> CorrectionFit<'a> {
    pub(super) fn new(
        table: &'a BasketRows,
        pooled: &'a [f32],
        held_out: Range<usize>,
        products: &'a Ids,
        parameters: &'a CorrectionParameters,
    ) -> Self {
        Self {
            table,
            pooled,
            held_out,
            products,
            parameters,
        }
    }

    /// Fits a tree for each product with enough purchases, keeps those that lower the log loss of
    /// the held-out rows, and calibrates what comes out.
    pub(super) fn run(&self) -> GatedCorrections {
        let rows = self.rows_by_product();
        let groups = self.large_groups(&rows);
        let fitted: Vec<Option<KeptTree<'_>>> = groups
            .iter()
            .par_bridge()
            .map(|rows| self.fit_product(rows))
            .collect();
        let mut kept: Vec<KeptTree<'_>> = fitted.into_iter().flatten().collect();
        kept.sort_by(|a, b| a.product.product.cmp(&b.product.product));
        let corrected = self.corrected(&kept);
        GatedCorrections {
            gate: self.report(groups.len(), kept.len(), &corrected),
            calibration: Isotonic::fit(self.calibration_points(&corrected)),
            products: kept.into_iter().map(|kept| kept.product).collect(),
        }
    }

    /// The rows up to the last held-out one, by product; those of a product in their order.
    fn rows_by_product(&self) -> Vec<ProductRow> {
        let products = self.table.product.iter().take(self.held_out.end);
        let mut rows: Vec<ProductRow> = products
            .zip(0..)
            .map(|(product, row)| ProductRow {
                product: *product,
                row,
            })
            .collect();
        rows.sort_unstable();
        rows
    }

    /// The rows of each product that was bought often enough for a tree. The largest come first, so
    /// that no thread begins with one when the others have ended; what comes of it has no order of
    /// its own.
    fn large_groups<'r>(&self, rows: &'r [ProductRow]) -> Vec<&'r [ProductRow]> {
        let mut groups: Vec<&[ProductRow]> = rows
            .chunk_by(|a, b| a.product == b.product)
            .filter(|rows| self.bought(self.split(rows).0) >= self.parameters.min_bought)
            .collect();
        groups.sort_by_key(|rows| Reverse(rows.len()));
        groups
    }

    /// A product's rows that its tree is fitted to, and the held-out ones.
    fn split<'r>(&self, rows: &'r [ProductRow]) -> (&'r [ProductRow], &'r [ProductRow]) {
        rows.split_at(rows.partition_point(|row| row.at() < self.held_out.start))
    }

    fn bought(&self, rows: &[ProductRow]) -> usize {
        rows.iter()
            .filter(|row| self.table.rows.label[row.at()])
            .count()
    }

    /// The tree of one product, if it passes the gate.
    fn fit_product<'r>(&self, rows: &'r [ProductRow]) -> Option<KeptTree<'r>> {
        let (early, held_out) = self.split(rows);
        let tree = CorrectionTree::fit(
            &self.product_rows(early),
            CORRECTION_COLUMNS.len(),
            self.parameters,
            |feature, bin| self.table.bins.edge(CORRECTION_COLUMNS[feature], bin),
        )?;
        let gains: Vec<f64> = held_out
            .iter()
            .map(|row| self.gain(&tree, row.at()))
            .collect();
        let held_out_bought = self.bought(held_out);
        let product = ProductTree {
            product: self.products.get(rows.first()?.product)?.to_string(),
            tree,
            bought: self.bought(early),
            held_out_bought,
            gain: gains.iter().sum(),
        };
        passes_gate(&gains, held_out_bought).then_some(KeptTree { product, held_out })
    }

    /// What a product's tree is fitted to.
    fn product_rows(&self, rows: &[ProductRow]) -> ProductRows {
        let table = &self.table.rows;
        let mut own = ProductRows::default();
        for row in rows.iter().map(|row| row.at()) {
            let bins = CORRECTION_COLUMNS
                .iter()
                .map(|column| table.bin(row, *column));
            own.bins.extend(bins);
            own.label.push(table.label[row]);
            own.probability.push(sigmoid(f64::from(self.pooled[row])));
            own.weight.push(f64::from(table.weight[row]));
        }
        own
    }

    /// How much lower a tree makes the weighted log loss of a row.
    fn gain(&self, tree: &CorrectionTree, row: usize) -> f64 {
        let (score, bought) = (f64::from(self.pooled[row]), self.table.rows.label[row]);
        let corrected = score + self.correction(tree, row);
        f64::from(self.table.rows.weight[row])
            * (log_loss(score, bought) - log_loss(corrected, bought))
    }

    /// A tree's correction of a row of the table. A value sits below its bin's edge, so the edge
    /// stands for it wherever a threshold is an edge too.
    fn correction(&self, tree: &CorrectionTree, row: usize) -> f64 {
        tree.correction(|feature| {
            let column = CORRECTION_COLUMNS[feature];
            self.table
                .bins
                .edge(column, self.table.rows.bin(row, column))
        })
    }

    /// The log-odds of the held-out rows, corrected by the kept trees.
    fn corrected(&self, kept: &[KeptTree<'_>]) -> Vec<f64> {
        let mut corrected: Vec<f64> = self.pooled[self.held_out.clone()]
            .iter()
            .map(|score| f64::from(*score))
            .collect();
        for KeptTree { product, held_out } in kept {
            for row in held_out.iter().map(|row| row.at()) {
                corrected[row - self.held_out.start] += self.correction(&product.tree, row);
            }
        }
        corrected
    }

    /// The log loss of the held-out rows, before and after the corrections.
    fn report(&self, tried: usize, kept: usize, corrected: &[f64]) -> GateReport {
        let mut gate = GateReport {
            tried,
            kept,
            rows: self.held_out.len(),
            ..GateReport::default()
        };
        let mut weights = 0.0;
        for (row, corrected) in self.held_out.clone().zip(corrected) {
            let weight = f64::from(self.table.sampling_weight[row]);
            let bought = self.table.rows.label[row];
            weights += weight;
            gate.pooled_log_loss += weight * log_loss(f64::from(self.pooled[row]), bought);
            gate.log_loss += weight * log_loss(*corrected, bought);
        }
        if weights > 0.0 {
            gate.pooled_log_loss /= weights;
            gate.log_loss /= weights;
        }
        gate
    }

    /// Log-odds, outcome and weight of the rows that calibrate: those of the customers whom a run
    /// scores, who are those to be right about; where they bought little, everyone's.
    fn calibration_points(&self, corrected: &[f64]) -> Vec<(f64, bool, f64)> {
        let scored = self.points(corrected, |row| self.table.scored[row]);
        let bought = scored.iter().filter(|(_, bought, _)| *bought).count();
        if bought >= LEAST_SCORED_BOUGHT {
            scored
        } else {
            self.points(corrected, |_| true)
        }
    }

    fn points(&self, corrected: &[f64], wanted: impl Fn(usize) -> bool) -> Vec<(f64, bool, f64)> {
        self.held_out
            .clone()
            .zip(corrected)
            .filter(|(row, _)| wanted(*row))
            .map(|(row, score)| {
                let weight = f64::from(self.table.sampling_weight[row]);
                (*score, self.table.rows.label[row], weight)
            })
            .collect()
    }
}

/// Whether a tree is kept: its gain, row by row, is more than chance would give. Of many products
/// some gain by luck alone, and a tree kept by luck does harm on the nights that come.
fn passes_gate(gains: &[f64], held_out_bought: usize) -> bool {
    let gain: f64 = gains.iter().sum();
    let by_chance = gains.iter().map(|gain| gain * gain).sum::<f64>().sqrt();
    gain > LEAST_GAIN * by_chance && held_out_bought >= LEAST_HELD_OUT_BOUGHT
}

/// The log loss of log-odds, in nats.
fn log_loss(score: f64, bought: bool) -> f64 {
    let p = sigmoid(score).clamp(1e-9, 1.0 - 1e-9);
    if bought { -p.ln() } else { -(1.0 - p).ln() }
}
