//! The products' own trees, how strongly they correct, and the calibration of what comes out.
//!
//! What a product's own rows say beyond the pooled model is mostly luck: a gate for each product has
//! no power, and a tree at full size does harm. So every product with enough rows has a tree, and
//! **one strength for the store**, from 0 to 1, says how much of all corrections holds on later
//! nights. It is the slope of the misses on the corrections by weighted least squares,
//!
//! ```text
//! strength = Σ w (bought − p) c ÷ Σ w p (1 − p) c², less its standard error,
//! ```
//!
//! over the rows of each block of time, where p is of a pooled model and c of trees that know the
//! blocks before alone. The standard error takes a product for one observation (the sandwich of a
//! ratio, clustered: Cochran, Sampling Techniques, 1977, §6.3); where products are few, it is at
//! least that of independent rows.

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

/// A product's own tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProductTree {
    /// The product's id as text: codes differ from one reading of the data to the next.
    pub product: String,
    /// The corrections at full strength.
    pub tree: CorrectionTree,
    /// Purchases of the product among the rows that the tree was fitted on.
    pub bought: usize,
}

/// What fitting the products' own trees came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CorrectionReport {
    /// Products with enough rows for a tree of their own.
    pub tried: usize,
    /// How much of a correction is applied: the estimate less its standard error, from 0 to 1. At 0
    /// no product has a tree.
    pub strength: f64,
    /// How much of the corrections held on later nights; 1 if all of it.
    pub estimate: f64,
    /// Standard error of the estimate.
    pub standard_error: f64,
    /// Rows of the last block of time, which none of the trees that judge it has seen.
    pub rows: usize,
    /// Their mean log loss with the pooled model alone.
    pub pooled_log_loss: f64,
    /// Their mean log loss with the corrections.
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

/// Fewest purchases by customers whom a run scores for the calibration to be theirs alone.
const LEAST_SCORED_BOUGHT: usize = 1_000;

/// What the products' own rows decide.
pub(super) struct Corrections {
    pub(super) products: Vec<ProductTree>,
    pub(super) report: CorrectionReport,
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

/// What is known of a product with enough rows.
struct FittedProduct {
    product: ProductTree,
    moments: Moments,
    /// Rows of the last block and their corrections at full strength.
    last_block: Vec<(usize, f64)>,
}

/// Sums over a product's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Moments {
    /// Σ w (bought − p) c.
    covariance: f64,
    /// Σ w p (1 − p) c².
    information: f64,
    /// Σ w² p (1 − p) c²: the variance of the covariance if p is right and all rows are independent.
    variance: f64,
}

/// What the products' own trees are fitted to and judged by.
pub(super) struct CorrectionFit<'a> {
    pub(super) table: &'a BasketRows,
    /// Log-odds of each row by a pooled model that knew the blocks before alone. Those of the rows
    /// before the first block say nothing.
    pub(super) pooled: &'a [f32],
    /// Where the blocks of time begin, and where the last one ends.
    pub(super) bounds: &'a [usize],
    pub(super) products: &'a Ids,
    pub(super) parameters: &'a CorrectionParameters,
}

impl CorrectionFit<'_> {
    /// Fits the trees, finds how strongly they correct, and calibrates what comes out on the last
    /// block.
    pub(super) fn run(&self) -> Corrections {
        let rows = self.rows_by_product();
        let groups = self.large_groups(&rows);
        let fitted: Vec<Option<FittedProduct>> = groups
            .iter()
            .par_bridge()
            .map(|rows| self.fit_product(rows))
            .collect();
        let mut fitted: Vec<FittedProduct> = fitted.into_iter().flatten().collect();
        fitted.sort_by(|a, b| a.product.product.cmp(&b.product.product));
        let moments: Vec<Moments> = fitted.iter().map(|fitted| fitted.moments).collect();
        let mut report = strength_of(&moments);
        report.tried = fitted.len();
        let corrected = self.corrected(&fitted, report.strength);
        self.measure(&mut report, &corrected);
        Corrections {
            calibration: Isotonic::fit(self.calibration_points(&corrected)),
            products: match report.strength > 0.0 {
                true => fitted.into_iter().map(|fitted| fitted.product).collect(),
                false => vec![],
            },
            report,
        }
    }

    /// The rows of the last block.
    fn last_block(&self) -> Range<usize> {
        match self.bounds {
            [.., start, end] => *start..*end,
            _ => 0..0,
        }
    }

    /// The rows that have a score, by product; those of a product in their order.
    fn rows_by_product(&self) -> Vec<ProductRow> {
        let begin = self.bounds.first().copied().unwrap_or(0);
        let mut rows: Vec<ProductRow> = (begin..self.last_block().end)
            .map(|row| ProductRow {
                product: self.table.product[row],
                row: row as u32,
            })
            .collect();
        rows.sort_unstable();
        rows
    }

    /// The rows of each product that has enough of them for a tree. The largest come first, so that
    /// no thread begins with one when the others have ended; what comes of it has no order of its
    /// own.
    fn large_groups<'r>(&self, rows: &'r [ProductRow]) -> Vec<&'r [ProductRow]> {
        let mut groups: Vec<&[ProductRow]> = rows
            .chunk_by(|a, b| a.product == b.product)
            .filter(|rows| self.is_enough(rows))
            .collect();
        groups.sort_by_key(|rows| Reverse(rows.len()));
        groups
    }

    /// Whether rows tell enough for a tree: Σ w p (1 − p) is what they would say of a correction
    /// that is the same for all of them.
    fn is_enough(&self, rows: &[ProductRow]) -> bool {
        let information: f64 = rows
            .iter()
            .map(|row| self.weight(row.at()) * variance(self.probability(row.at())))
            .sum();
        information >= self.parameters.min_information
    }

    fn probability(&self, row: usize) -> f64 {
        sigmoid(f64::from(self.pooled[row]))
    }

    fn weight(&self, row: usize) -> f64 {
        f64::from(self.table.rows.weight[row])
    }

    /// The tree of one product, fitted to all of its rows, and what trees that knew less would have
    /// been worth on each block.
    fn fit_product(&self, rows: &[ProductRow]) -> Option<FittedProduct> {
        let mut moments = Moments::default();
        let mut last_block = vec![];
        for block in self.bounds.windows(2).skip(1) {
            let start = rows.partition_point(|row| row.at() < block[0]);
            let end = rows.partition_point(|row| row.at() < block[1]);
            let (before, inside) = (&rows[..start], &rows[start..end]);
            last_block.clear();
            if !self.is_enough(before) {
                continue;
            }
            let Some(tree) = self.tree(before) else {
                continue;
            };
            for row in inside.iter().map(|row| row.at()) {
                let correction = self.correction(&tree, row);
                moments.add(self.table, row, self.probability(row), correction);
                last_block.push((row, correction));
            }
        }
        let bought = rows.iter().filter(|row| self.table.rows.label[row.at()]);
        Some(FittedProduct {
            product: ProductTree {
                product: self.products.get(rows.first()?.product)?.to_string(),
                tree: self.tree(rows)?,
                bought: bought.count(),
            },
            moments,
            last_block,
        })
    }

    fn tree(&self, rows: &[ProductRow]) -> Option<CorrectionTree> {
        CorrectionTree::fit(
            &self.product_rows(rows),
            CORRECTION_COLUMNS.len(),
            self.parameters,
            |feature, bin| self.table.bins.edge(CORRECTION_COLUMNS[feature], bin),
        )
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
            own.probability.push(self.probability(row));
            own.weight.push(self.weight(row));
        }
        own
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

    /// The log-odds of the rows of the last block, corrected.
    fn corrected(&self, fitted: &[FittedProduct], strength: f64) -> Vec<f64> {
        let block = self.last_block();
        let mut corrected: Vec<f64> = self.pooled[block.clone()]
            .iter()
            .map(|score| f64::from(*score))
            .collect();
        for (row, correction) in fitted.iter().flat_map(|fitted| &fitted.last_block) {
            corrected[row - block.start] += strength * correction;
        }
        corrected
    }

    /// The log loss of the rows of the last block, before and after the corrections.
    fn measure(&self, report: &mut CorrectionReport, corrected: &[f64]) {
        let block = self.last_block();
        report.rows = block.len();
        let mut weights = 0.0;
        for (row, corrected) in block.zip(corrected) {
            let weight = f64::from(self.table.sampling_weight[row]);
            let bought = self.table.rows.label[row];
            weights += weight;
            report.pooled_log_loss += weight * log_loss(f64::from(self.pooled[row]), bought);
            report.log_loss += weight * log_loss(*corrected, bought);
        }
        if weights > 0.0 {
            report.pooled_log_loss /= weights;
            report.log_loss /= weights;
        }
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
        self.last_block()
            .zip(corrected)
            .filter(|(row, _)| wanted(*row))
            .map(|(row, score)| {
                let weight = f64::from(self.table.sampling_weight[row]);
                (*score, self.table.rows.label[row], weight)
            })
            .collect()
    }
}

impl Moments {
    /// Adds a row of the table, of which a pooled model says `probability`.
    fn add(&mut self, table: &BasketRows, row: usize, probability: f64, correction: f64) {
        let weight = f64::from(table.rows.weight[row]);
        let miss = f64::from(u8::from(table.rows.label[row])) - probability;
        self.covariance += weight * miss * correction;
        let information = weight * variance(probability) * correction * correction;
        self.information += information;
        self.variance += weight * information;
    }
}

/// The strength that the products' moments support, with its standard error.
fn strength_of(products: &[Moments]) -> CorrectionReport {
    let covariance: f64 = products.iter().map(|product| product.covariance).sum();
    let information: f64 = products.iter().map(|product| product.information).sum();
    if information <= 0.0 {
        return CorrectionReport::default();
    }
    let estimate = covariance / information;
    let squares = products
        .iter()
        .map(|product| (product.covariance - estimate * product.information).powi(2));
    let independent: f64 = products.iter().map(|product| product.variance).sum();
    let standard_error = squares.sum::<f64>().max(independent).sqrt() / information;
    CorrectionReport {
        strength: (estimate - standard_error).clamp(0.0, 1.0),
        estimate,
        standard_error,
        ..CorrectionReport::default()
    }
}

fn variance(probability: f64) -> f64 {
    probability * (1.0 - probability)
}

/// The log loss of log-odds, in nats.
fn log_loss(score: f64, bought: bool) -> f64 {
    let p = sigmoid(score).clamp(1e-9, 1.0 - 1e-9);
    if bought { -p.ln() } else { -(1.0 - p).ln() }
}
