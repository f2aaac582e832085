//! The figures of the protocol, over the rows of several nights. Every mean is a plain mean over
//! rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::protocol::{EvaluationRow, NightRows, RankingMetrics};
use crate::calendar::HORIZON_DAYS;
use crate::domain::RETURN_HORIZONS;
use crate::stats::{mean, median, rounded};

mod basis;

pub use basis::FigureBasis;
use basis::bases_of_figures;

/// Bins of the expected calibration error.
const BINS: usize = 10;

/// The figures, rounded to four decimals (the interval's width to two). A figure that could not be
/// measured is `None` and is left out of JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// (customer, night) rows.
    pub rows: usize,
    /// Rows whose customer returned within the horizon.
    pub returned: usize,
    /// Mean absolute error of the days to the next purchase, over those who returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mae: Option<f64>,
    /// The same over all rows of the nights that the data follow to the horizon. A customer who has
    /// not returned counts as the horizon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mae_all: Option<f64>,
    /// Median absolute error, over those who returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_ae: Option<f64>,
    /// Share of those who returned for whom the predicted day, rounded to a whole one, is at most 1
    /// day off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_1: Option<f64>,
    /// The same for 3 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_3: Option<f64>,
    /// Mean of predicted minus actual days, over those who returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<f64>,
    /// Share of the next basket among the first 5 listed products.
    #[serde(rename = "recall@5", skip_serializing_if = "Option::is_none")]
    pub recall_at_5: Option<f64>,
    /// Share of the first 5 places whose product was bought.
    #[serde(rename = "precision@5", skip_serializing_if = "Option::is_none")]
    pub precision_at_5: Option<f64>,
    /// Normalised discounted cumulative gain of the first 5 listed products.
    #[serde(rename = "ndcg@5", skip_serializing_if = "Option::is_none")]
    pub ndcg_at_5: Option<f64>,
    /// Share of rows in which any of the first 5 was bought.
    #[serde(rename = "hit@5", skip_serializing_if = "Option::is_none")]
    pub hit_at_5: Option<f64>,
    /// Share of the next basket among the first 10 listed products.
    #[serde(rename = "recall@10", skip_serializing_if = "Option::is_none")]
    pub recall_at_10: Option<f64>,
    /// Share of the first 10 places whose product was bought.
    #[serde(rename = "precision@10", skip_serializing_if = "Option::is_none")]
    pub precision_at_10: Option<f64>,
    /// Normalised discounted cumulative gain of the first 10 listed products.
    #[serde(rename = "ndcg@10", skip_serializing_if = "Option::is_none")]
    pub ndcg_at_10: Option<f64>,
    /// Share of rows in which any of the first 10 was bought.
    #[serde(rename = "hit@10", skip_serializing_if = "Option::is_none")]
    pub hit_at_10: Option<f64>,
    /// Share of the next basket among the first 20 listed products.
    #[serde(rename = "recall@20", skip_serializing_if = "Option::is_none")]
    pub recall_at_20: Option<f64>,
    /// Share of the first 20 places whose product was bought.
    #[serde(rename = "precision@20", skip_serializing_if = "Option::is_none")]
    pub precision_at_20: Option<f64>,
    /// Normalised discounted cumulative gain of the first 20 listed products.
    #[serde(rename = "ndcg@20", skip_serializing_if = "Option::is_none")]
    pub ndcg_at_20: Option<f64>,
    /// Share of rows in which any of the first 20 was bought.
    #[serde(rename = "hit@20", skip_serializing_if = "Option::is_none")]
    pub hit_at_20: Option<f64>,
    /// How many nights were scored.
    pub nights: usize,
    /// Share of the 80 % intervals that hold the day of the next purchase, among those for which
    /// this is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_80: Option<f64>,
    /// Mean width of those intervals in days, both ends included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width_80: Option<f64>,
    /// Brier score of the probability to return within 7 days: the mean squared difference to what
    /// happened (Brier 1950).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brier_return_7d: Option<f64>,
    /// The Brier score that the observed rate itself would have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brier_base_7d: Option<f64>,
    /// Expected calibration error of that probability.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ece_return_7d: Option<f64>,
    /// Brier score for 14 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brier_return_14d: Option<f64>,
    /// Brier score of the observed rate for 14 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brier_base_14d: Option<f64>,
    /// Expected calibration error for 14 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ece_return_14d: Option<f64>,
    /// Brier score for 28 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brier_return_28d: Option<f64>,
    /// Brier score of the observed rate for 28 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brier_base_28d: Option<f64>,
    /// Expected calibration error for 28 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ece_return_28d: Option<f64>,
    /// How many products were listed for those who returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Expected calibration error of the listed products' probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ece_products: Option<f64>,
    /// Mean negative log likelihood of the listed products, in nats; probabilities are clipped to
    /// 10⁻⁶ … 1 − 10⁻⁶.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_loss_products: Option<f64>,
    /// How many customers were scored on any of the nights.
    pub customers: usize,
    /// What figures rest on that do not rest on all rows, by their names; see the reference.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rests_on: BTreeMap<String, FigureBasis>,
}

/// A row, and how many days the data reach beyond its night.
type FollowedRow<'a> = (&'a EvaluationRow, i32);

/// The figures over all rows of several nights. A figure that these nights cannot give is `None`.
#[must_use]
pub fn figures(nights: &[NightRows]) -> Figures {
    let rows: Vec<FollowedRow<'_>> = nights
        .iter()
        .flat_map(|night| night.rows.iter().map(|row| (row, night.followed_days)))
        .collect();
    let mut figures = Figures {
        rows: rows.len(),
        returned: rows
            .iter()
            .filter(|(row, _)| row.actual_days.is_some())
            .count(),
        nights: nights.len(),
        customers: FigureBasis::of_all(nights).customers,
        rests_on: bases_of_figures(nights),
        ..Figures::default()
    };
    figures.set_timing(&rows);
    figures.set_rankings(&rows);
    figures.set_interval(&rows);
    figures.set_return_probabilities(nights);
    figures.set_listed_products(nights);
    figures
}

impl Figures {
    fn set_timing(&mut self, rows: &[FollowedRow<'_>]) {
        let errors: Vec<f64> = rows.iter().filter_map(|(row, _)| row.error()).collect();
        let absolute: Vec<f64> = errors.iter().copied().map(f64::abs).collect();
        let absolute_all = rows
            .iter()
            .filter_map(|(row, followed_days)| row.error_all(*followed_days))
            .map(f64::abs);
        self.mae_all = four_decimals(mean(absolute_all));
        self.mae = four_decimals(mean(absolute.iter().copied()));
        self.median_ae = four_decimals(median(absolute));
        self.bias = four_decimals(mean(errors));
        self.within_1 = within(rows, 1.0);
        self.within_3 = within(rows, 3.0);
    }

    fn set_rankings(&mut self, rows: &[FollowedRow<'_>]) {
        let [at_5, at_10, at_20] = [0, 1, 2].map(|cutoff| RankingMeans::of(rows, cutoff));
        self.recall_at_5 = at_5.recall;
        self.precision_at_5 = at_5.precision;
        self.ndcg_at_5 = at_5.ndcg;
        self.hit_at_5 = at_5.hit;
        self.recall_at_10 = at_10.recall;
        self.precision_at_10 = at_10.precision;
        self.ndcg_at_10 = at_10.ndcg;
        self.hit_at_10 = at_10.hit;
        self.recall_at_20 = at_20.recall;
        self.precision_at_20 = at_20.precision;
        self.ndcg_at_20 = at_20.ndcg;
        self.hit_at_20 = at_20.hit;
    }

    fn set_interval(&mut self, rows: &[FollowedRow<'_>]) {
        let outcomes: Vec<IntervalOutcome> = rows
            .iter()
            .filter_map(|(row, followed_days)| IntervalOutcome::of(row, *followed_days))
            .collect();
        let covered = outcomes.iter().map(|outcome| indicator(outcome.covered));
        let widths = outcomes.iter().map(|outcome| f64::from(outcome.days));
        self.coverage_80 = four_decimals(mean(covered));
        self.width_80 = mean(widths).map(|width| rounded(width, 2));
    }

    fn set_return_probabilities(&mut self, nights: &[NightRows]) {
        let [within_7, within_14, within_28] =
            [0, 1, 2].map(|position| ReturnCalibration::of(nights, position));
        self.brier_return_7d = within_7.brier;
        self.brier_base_7d = within_7.brier_of_rate;
        self.ece_return_7d = within_7.calibration_error;
        self.brier_return_14d = within_14.brier;
        self.brier_base_14d = within_14.brier_of_rate;
        self.ece_return_14d = within_14.calibration_error;
        self.brier_return_28d = within_28.brier;
        self.brier_base_28d = within_28.brier_of_rate;
        self.ece_return_28d = within_28.calibration_error;
    }

    fn set_listed_products(&mut self, nights: &[NightRows]) {
        let points: Vec<(f64, bool)> = nights
            .iter()
            .flat_map(|night| &night.listed_products)
            .map(|product| {
                let probability = product.probability.clamp(1e-6, 1.0 - 1e-6);
                (probability, product.bought)
            })
            .collect();
        let losses = points.iter().map(|(probability, bought)| {
            if *bought {
                -probability.ln()
            } else {
                -(1.0 - probability).ln()
            }
        });
        self.log_loss_products = four_decimals(mean(losses));
        self.ece_products = four_decimals(calibration_error(&reliability(&points)));
        self.pairs = (!points.is_empty()).then_some(points.len());
    }
}

/// The share of the customers who returned whose day, rounded to a whole one, was missed by at most
/// `most` days.
fn within(rows: &[FollowedRow<'_>], most: f64) -> Option<f64> {
    let misses = rows.iter().filter_map(|(row, _)| {
        let predicted = row.predicted_days?.round_ties_even().max(1.0);
        Some((predicted - f64::from(row.actual_days?)).abs())
    });
    four_decimals(mean(misses.map(|miss| indicator(miss <= most))))
}

/// Means of the ranking metrics at one cutoff.
struct RankingMeans {
    recall: Option<f64>,
    precision: Option<f64>,
    ndcg: Option<f64>,
    hit: Option<f64>,
}

impl RankingMeans {
    /// Over the rows that have rankings, at [`CUTOFFS`](super::protocol::CUTOFFS)`[cutoff]`.
    fn of(rows: &[FollowedRow<'_>], cutoff: usize) -> Self {
        let rankings: Vec<&RankingMetrics> = rows
            .iter()
            .filter_map(|(row, _)| row.rankings.as_ref()?.get(cutoff))
            .collect();
        Self {
            recall: four_decimals(mean(rankings.iter().map(|metrics| metrics.recall))),
            precision: four_decimals(mean(rankings.iter().map(|metrics| metrics.precision))),
            ndcg: four_decimals(mean(rankings.iter().map(|metrics| metrics.ndcg))),
            hit: four_decimals(mean(rankings.iter().map(|metrics| metrics.hit))),
        }
    }
}

/// How a customer's 80 % interval turned out.
struct IntervalOutcome {
    /// Whether the next purchase fell within it.
    covered: bool,
    /// How many days it spans, both ends included.
    days: i32,
}

impl IntervalOutcome {
    /// `None` if it cannot be known: the customer has not returned, and part of the interval lies
    /// beyond the horizon or beyond the data.
    fn of(row: &EvaluationRow, followed_days: i32) -> Option<Self> {
        let (first, last) = row.interval?;
        let known = row.actual_days.is_some() || last <= followed_days.min(HORIZON_DAYS);
        known.then(|| Self {
            covered: row
                .actual_days
                .is_some_and(|days| (first..=last).contains(&days)),
            days: last.saturating_sub(first).saturating_add(1),
        })
    }
}

/// How good the probability of a return within some days is.
struct ReturnCalibration {
    /// Brier score.
    brier: Option<f64>,
    /// The Brier score that the observed rate itself would have.
    brier_of_rate: Option<f64>,
    /// Expected calibration error.
    calibration_error: Option<f64>,
}

impl ReturnCalibration {
    /// For [`RETURN_HORIZONS`]`[position]`, over the nights that the data follow for as long.
    fn of(nights: &[NightRows], position: usize) -> Self {
        let horizon = RETURN_HORIZONS
            .get(position)
            .map_or(HORIZON_DAYS, |days| *days as i32);
        let points: Vec<(f64, bool)> = nights
            .iter()
            .filter(|night| night.followed_days >= horizon)
            .flat_map(|night| &night.rows)
            .filter_map(|row| {
                let probability = *row.return_probability?.get(position)?;
                Some((
                    probability,
                    row.actual_days.is_some_and(|days| days <= horizon),
                ))
            })
            .collect();
        let squares = points
            .iter()
            .map(|(probability, returned)| (probability - indicator(*returned)).powi(2));
        let rate = mean(points.iter().map(|(_, returned)| indicator(*returned)));
        let brier_of_rate = rate.and_then(|rate| {
            mean(
                points
                    .iter()
                    .map(|(_, returned)| (indicator(*returned) - rate).powi(2)),
            )
        });
        Self {
            brier: four_decimals(mean(squares)),
            brier_of_rate: four_decimals(brier_of_rate),
            calibration_error: four_decimals(calibration_error(&reliability(&points))),
        }
    }
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Share of all points.
    pub share: f64,
    /// Mean of the probabilities.
    pub predicted: f64,
    /// Share of the points that came true.
    pub observed: f64,
}

/// Ten bins of equal count by ascending probability. Ties stay in the order of the points. If the
/// points do not divide evenly, the first bins have one more.
#[must_use]
pub fn reliability(points: &[(f64, bool)]) -> Vec<ReliabilityBin> {
    let mut sorted: Vec<(f64, bool)> = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rest = sorted.as_slice();
    let mut bins = Vec::with_capacity(BINS);
    for bin in 0..BINS {
        let size = sorted.len() / BINS + usize::from(bin < sorted.len() % BINS);
        let (points, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let predicted = mean(points.iter().map(|(probability, _)| *probability));
        let observed = mean(points.iter().map(|(_, came_true)| indicator(*came_true)));
        if let (Some(predicted), Some(observed)) = (predicted, observed) {
            bins.push(ReliabilityBin {
                share: points.len() as f64 / sorted.len() as f64,
                predicted,
                observed,
            });
        }
    }
    bins
}

/// Expected calibration error (Naeini, Cooper & Hauskrecht, AAAI 2015); `None` if there is no bin.
#[must_use]
pub fn calibration_error(bins: &[ReliabilityBin]) -> Option<f64> {
    (!bins.is_empty()).then(|| {
        bins.iter()
            .map(|bin| bin.share * (bin.predicted - bin.observed).abs())
            .sum()
    })
}

/// 1 if it is so, else 0.
fn indicator(it_is_so: bool) -> f64 {
    f64::from(u8::from(it_is_so))
}

fn four_decimals(value: Option<f64>) -> Option<f64> {
    value.map(|value| rounded(value, 4))
}

#[cfg(test)]
mod tests;
