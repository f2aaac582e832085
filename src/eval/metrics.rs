//! The protocol's figures over the rows of several nights. Every mean is a plain mean over rows.

use serde::{Deserialize, Serialize};

use super::protocol::{NightRows, Ranking, Row};
use crate::calendar::HORIZON_DAYS;
use crate::domain::RETURN_HORIZONS;

/// Bins of the expected calibration error.
const BINS: usize = 10;

/// The figures, rounded to four decimals (the interval's width to two); what could not be measured
/// is `None` and left out of JSON.
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
    /// The same over all rows of the nights that are followed to the horizon; who has not returned
    /// counts as the horizon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mae_all: Option<f64>,
    /// Median absolute error, over those who returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_ae: Option<f64>,
    /// Share of those who returned whose day, rounded to a whole one, was missed by at most 1 day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_1: Option<f64>,
    /// The same with 3 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_3: Option<f64>,
    /// Mean of predicted minus true days, over those who returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias: Option<f64>,
    /// Share of the next basket among the first 5 listed products.
    #[serde(rename = "recall@5", skip_serializing_if = "Option::is_none")]
    pub recall_at_5: Option<f64>,
    /// Share of the first 5 places that were bought.
    #[serde(rename = "precision@5", skip_serializing_if = "Option::is_none")]
    pub precision_at_5: Option<f64>,
    /// Normalised discounted cumulative gain of the first 5.
    #[serde(rename = "ndcg@5", skip_serializing_if = "Option::is_none")]
    pub ndcg_at_5: Option<f64>,
    /// Share of rows with any of the first 5 bought.
    #[serde(rename = "hit@5", skip_serializing_if = "Option::is_none")]
    pub hit_at_5: Option<f64>,
    /// Share of the next basket among the first 10 listed products.
    #[serde(rename = "recall@10", skip_serializing_if = "Option::is_none")]
    pub recall_at_10: Option<f64>,
    /// Share of the first 10 places that were bought.
    #[serde(rename = "precision@10", skip_serializing_if = "Option::is_none")]
    pub precision_at_10: Option<f64>,
    /// Normalised discounted cumulative gain of the first 10.
    #[serde(rename = "ndcg@10", skip_serializing_if = "Option::is_none")]
    pub ndcg_at_10: Option<f64>,
    /// Share of rows with any of the first 10 bought.
    #[serde(rename = "hit@10", skip_serializing_if = "Option::is_none")]
    pub hit_at_10: Option<f64>,
    /// Share of the next basket among the first 20 listed products.
    #[serde(rename = "recall@20", skip_serializing_if = "Option::is_none")]
    pub recall_at_20: Option<f64>,
    /// Share of the first 20 places that were bought.
    #[serde(rename = "precision@20", skip_serializing_if = "Option::is_none")]
    pub precision_at_20: Option<f64>,
    /// Normalised discounted cumulative gain of the first 20.
    #[serde(rename = "ndcg@20", skip_serializing_if = "Option::is_none")]
    pub ndcg_at_20: Option<f64>,
    /// Share of rows with any of the first 20 bought.
    #[serde(rename = "hit@20", skip_serializing_if = "Option::is_none")]
    pub hit_at_20: Option<f64>,
    /// Nights.
    pub nights: usize,
    /// Share of the rows whose outcome is known to be in or out of the 80 % interval that are in
    /// it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_80: Option<f64>,
    /// Mean days that those intervals span, both ends included.
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
    /// Listed products of those who returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pairs: Option<usize>,
    /// Expected calibration error of the listed products' probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ece_products: Option<f64>,
    /// Mean negative log likelihood of the listed products, in nats; probabilities are clipped to
    /// 10⁻⁶ … 1 − 10⁻⁶.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_loss_products: Option<f64>,
}

/// The figures over all rows of several nights. What those nights say nothing of is `None`.
#[must_use]
pub fn figures(nights: &[NightRows]) -> Figures {
    let rows = || {
        nights
            .iter()
            .flat_map(|night| night.rows.iter().map(move |row| (night.followed, row)))
    };
    let errors = || rows().filter_map(|(_, row)| row.error());
    let missed = |most: f64| {
        let misses = rows().filter_map(|(_, row)| {
            Some((row.predicted?.round_ties_even().max(1.0) - f64::from(row.days?)).abs())
        });
        four(mean(misses.map(|miss| share(miss <= most))))
    };
    let ranking = |cut: usize, value: fn(&Ranking) -> f64| {
        four(mean(
            rows()
                .filter_map(|(_, row)| row.rankings.as_ref())
                .filter_map(|rankings| rankings.get(cut))
                .map(value),
        ))
    };
    let [recall, precision, ndcg, hit]: [fn(&Ranking) -> f64; 4] =
        [|r| r.recall, |r| r.precision, |r| r.ndcg, |r| r.hit];
    let inside: Vec<(bool, i32)> = rows()
        .filter_map(|(followed, row)| covered(row, followed))
        .collect();
    let [seven, fourteen, twenty_eight] = [0, 1, 2].map(|at| Return::of(nights, at));
    let pairs: Vec<(f64, bool)> = nights
        .iter()
        .flat_map(|night| &night.pairs)
        .map(|pair| (pair.probability.clamp(1e-6, 1.0 - 1e-6), pair.bought))
        .collect();
    Figures {
        rows: rows().count(),
        returned: rows().filter(|(_, row)| row.days.is_some()).count(),
        mae: four(mean(errors().map(f64::abs))),
        mae_all: four(mean(
            rows()
                .filter_map(|(followed, row)| row.error_all(followed))
                .map(f64::abs),
        )),
        median_ae: four(median(errors().map(f64::abs).collect())),
        within_1: missed(1.0),
        within_3: missed(3.0),
        bias: four(mean(errors())),
        recall_at_5: ranking(0, recall),
        precision_at_5: ranking(0, precision),
        ndcg_at_5: ranking(0, ndcg),
        hit_at_5: ranking(0, hit),
        recall_at_10: ranking(1, recall),
        precision_at_10: ranking(1, precision),
        ndcg_at_10: ranking(1, ndcg),
        hit_at_10: ranking(1, hit),
        recall_at_20: ranking(2, recall),
        precision_at_20: ranking(2, precision),
        ndcg_at_20: ranking(2, ndcg),
        hit_at_20: ranking(2, hit),
        nights: nights.len(),
        coverage_80: four(mean(inside.iter().map(|(inside, _)| share(*inside)))),
        width_80: mean(inside.iter().map(|(_, width)| f64::from(*width)))
            .map(|width| rounded(width, 2)),
        brier_return_7d: seven.brier,
        brier_base_7d: seven.base,
        ece_return_7d: seven.error,
        brier_return_14d: fourteen.brier,
        brier_base_14d: fourteen.base,
        ece_return_14d: fourteen.error,
        brier_return_28d: twenty_eight.brier,
        brier_base_28d: twenty_eight.base,
        ece_return_28d: twenty_eight.error,
        pairs: (!pairs.is_empty()).then_some(pairs.len()),
        ece_products: four(calibration_error(&reliability(&pairs))),
        log_loss_products: four(mean(
            pairs
                .iter()
                .map(|(p, bought)| if *bought { -p.ln() } else { -(1.0 - p).ln() }),
        )),
    }
}

/// Whether the outcome is in the interval, and the days that the interval spans. `None` where it
/// cannot be known: a customer who has not returned while part of the interval lies beyond the
/// horizon or beyond the data.
fn covered(row: &Row, followed: i32) -> Option<(bool, i32)> {
    let (first, last) = row.interval?;
    let known = row.days.is_some() || last <= followed.min(HORIZON_DAYS);
    known.then(|| {
        (
            row.days.is_some_and(|days| (first..=last).contains(&days)),
            last.saturating_sub(first).saturating_add(1),
        )
    })
}

/// The figures of one return probability.
struct Return {
    brier: Option<f64>,
    base: Option<f64>,
    error: Option<f64>,
}

impl Return {
    /// For the horizon at position `at`, over the nights that are followed for as long.
    fn of(nights: &[NightRows], at: usize) -> Self {
        let horizon = RETURN_HORIZONS
            .get(at)
            .map_or(HORIZON_DAYS, |days| *days as i32);
        let points: Vec<(f64, bool)> = nights
            .iter()
            .filter(|night| night.followed >= horizon)
            .flat_map(|night| &night.rows)
            .filter_map(|row| {
                Some((
                    *row.returns?.get(at)?,
                    row.days.is_some_and(|days| days <= horizon),
                ))
            })
            .collect();
        let rate = mean(points.iter().map(|(_, hit)| share(*hit)));
        Self {
            brier: four(mean(
                points.iter().map(|(p, hit)| (p - share(*hit)).powi(2)),
            )),
            base: four(
                rate.and_then(|rate| {
                    mean(points.iter().map(|(_, hit)| (share(*hit) - rate).powi(2)))
                }),
            ),
            error: four(calibration_error(&reliability(&points))),
        }
    }
}

/// One bin of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Share of all points.
    pub share: f64,
    /// Mean probability that was said.
    pub predicted: f64,
    /// Share that came true.
    pub observed: f64,
}

/// Ten bins of equal count by ascending probability; ties stay in the order of the points, and the
/// first bins take what is left over.
#[must_use]
pub fn reliability(points: &[(f64, bool)]) -> Vec<Bin> {
    let mut order: Vec<(f64, bool)> = points.to_vec();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut rest = order.as_slice();
    let mut bins = Vec::with_capacity(BINS);
    for bin in 0..BINS {
        let size = order.len() / BINS + usize::from(bin < order.len() % BINS);
        let (own, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let (predicted, observed) = (
            mean(own.iter().map(|(p, _)| *p)),
            mean(own.iter().map(|(_, hit)| share(*hit))),
        );
        if let (Some(predicted), Some(observed)) = (predicted, observed) {
            bins.push(Bin {
                share: own.len() as f64 / order.len() as f64,
                predicted,
                observed,
            });
        }
    }
    bins
}

/// Expected calibration error (Naeini, Cooper & Hauskrecht, AAAI 2015); `None` without a point.
#[must_use]
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    (!bins.is_empty()).then(|| {
        bins.iter()
            .map(|bin| bin.share * (bin.predicted - bin.observed).abs())
            .sum()
    })
}

fn share(of: bool) -> f64 {
    f64::from(u8::from(of))
}

/// The mean; `None` of nothing.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u64);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// The median, the mean of the middle two where their number is even; `None` of nothing.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    values
        .get(middle.checked_sub(1)?)
        .map(|lower| (lower + upper) / 2.0)
}

/// Rounds to decimals as Python's `round` does: the nearest decimal to the exact binary value, an
/// exact tie to the even digit.
pub(super) fn rounded(value: f64, decimals: usize) -> f64 {
    // Adding 0 turns −0 into 0.
    format!("{value:.decimals$}").parse().unwrap_or(value) + 0.0
}

fn four(value: Option<f64>) -> Option<f64> {
    value.map(|value| rounded(value, 4))
}

#[cfg(test)]
mod tests;
