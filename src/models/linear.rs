//! Least squares on log days (linfa-linear): the expected days from a night to the next purchase.

use linfa::Dataset;
use linfa::traits::Fit;
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::features::timing::{TIMING_COLUMNS, TIMING_WIDTH};

/// `log days = intercept + Σ coefficient · (column − mean) / scale`, over transformed timing
/// features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogDays {
    intercept: f64,
    terms: Vec<Term>,
}

/// One standardised column and its coefficient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Term {
    column: u32,
    mean: f64,
    /// Standard deviation.
    scale: f64,
    coefficient: f64,
}

/// A standardised column that others explain up to this share of its length is collinear: least
/// squares would return coefficients of any size for it.
const COLLINEAR: f64 = 0.02;
/// Columns with a smaller standard deviation are constant.
const LEAST_DEVIATION: f64 = 1e-6;
/// About how many rows collinear columns are looked for in.
const COLLINEARITY_SAMPLE: usize = 4_000;
/// Largest believable coefficient of a standardised column, in log days.
const MAX_COEFFICIENT: f64 = 20.0;
/// Fewest rows to fit on.
const LEAST_ROWS: usize = 50;
/// Days are predicted between half a day and this many.
const MAX_DAYS: f64 = 90.0;

/// Columns of the linear fit: each feature raw, its logarithm, and one column a weekday.
const COLUMNS: usize = 2 * TIMING_WIDTH + 7;

fn column(row: &[f32; TIMING_WIDTH], column: usize) -> f64 {
    if column < TIMING_WIDTH {
        f64::from(row[column])
    } else if column < 2 * TIMING_WIDTH {
        f64::from(row[column - TIMING_WIDTH]).max(0.0).ln_1p()
    } else {
        f64::from(u8::from(
            row[TIMING_COLUMNS.weekday] as usize == column - 2 * TIMING_WIDTH,
        ))
    }
}

impl Term {
    /// Of a column with its mean and deviation in these rows, the coefficient 0.
    fn of_column(rows: &[[f32; TIMING_WIDTH]], at: usize) -> Self {
        let n = rows.len() as f64;
        let mean = rows.iter().map(|row| column(row, at)).sum::<f64>() / n;
        let variance = rows
            .iter()
            .map(|row| (column(row, at) - mean).powi(2))
            .sum::<f64>()
            / n;
        Self {
            column: at as u32,
            mean,
            scale: variance.sqrt(),
            coefficient: 0.0,
        }
    }

    fn is_constant(&self) -> bool {
        self.scale.is_nan() || self.scale < LEAST_DEVIATION
    }

    fn standardised(&self, row: &[f32; TIMING_WIDTH]) -> f64 {
        (column(row, self.column as usize) - self.mean) / self.scale
    }

    fn is_consistent(&self) -> bool {
        (self.column as usize) < COLUMNS
            && self.mean.is_finite()
            && self.scale.is_finite()
            && self.scale > 0.0
            && self.coefficient.is_finite()
    }
}

/// The columns that are neither constant nor explained by columns before them, with the coefficient
/// 0.
fn independent_terms(rows: &[[f32; TIMING_WIDTH]]) -> Vec<Term> {
    let mut terms = vec![];
    let mut basis: Vec<Vec<f64>> = vec![];
    // Orthogonalise on a sample of the rows; a column that is hardly longer than 0 after that is
    // collinear.
    let step = rows.len().div_ceil(COLLINEARITY_SAMPLE);
    for term in (0..COLUMNS).map(|at| Term::of_column(rows, at)) {
        if term.is_constant() {
            continue;
        }
        let sample = rows.iter().step_by(step);
        let mut rest: Vec<f64> = sample.map(|row| term.standardised(row)).collect();
        let length = norm(&rest);
        for other in &basis {
            let along: f64 = rest.iter().zip(other).map(|(a, b)| a * b).sum();
            rest.iter_mut()
                .zip(other)
                .for_each(|(a, b)| *a -= along * b);
        }
        let left = norm(&rest);
        if left > COLLINEAR * length.max(1e-9) {
            rest.iter_mut().for_each(|value| *value /= left);
            basis.push(rest);
            terms.push(term);
        }
    }
    terms
}

impl LogDays {
    /// Fits to timing features and the days to the next purchase (1 or more; censored ones at the
    /// horizon).
    ///
    /// # Errors
    /// If there are fewer than 50 rows, or the solution is not finite.
    pub fn fit(rows: &[[f32; TIMING_WIDTH]], days: &[f64]) -> Result<Self> {
        let n = rows.len().min(days.len());
        if n < LEAST_ROWS {
            return Err(Error::input(format!(
                "{n} snapshots are too few for the timing model, which needs {LEAST_ROWS}"
            ))
            .hint("train on a longer history or more customers"));
        }
        let (rows, days) = (&rows[..n], &days[..n]);
        let mut terms = independent_terms(rows);
        let records = Array2::from_shape_fn((n, terms.len()), |(row, term)| {
            terms[term].standardised(&rows[row])
        });
        let targets = Array1::from_iter(days.iter().map(|days| days.max(1.0).ln()));
        let fitted = LinearRegression::new()
            .fit(&Dataset::new(records, targets))
            .map_err(|error| Error::system("least squares on log days failed").source(error))?;
        if !fitted.intercept().is_finite()
            || fitted
                .params()
                .iter()
                .any(|c| !c.is_finite() || c.abs() > MAX_COEFFICIENT)
        {
            return Err(
                Error::system("least squares on log days gave no usable coefficients")
                    .hint("train on a longer history"),
            );
        }
        terms
            .iter_mut()
            .zip(fitted.params())
            .for_each(|(term, coefficient)| term.coefficient = *coefficient);
        Ok(Self {
            intercept: fitted.intercept(),
            terms,
        })
    }

    /// Expected days (geometric mean) from the night of these features to the next purchase.
    #[must_use]
    pub fn days(&self, row: &[f32; TIMING_WIDTH]) -> f64 {
        // The order of the operations is part of what a model file means: another one would round
        // differently.
        let terms = self.terms.iter().map(|term| {
            term.coefficient * (column(row, term.column as usize) - term.mean) / term.scale
        });
        (self.intercept + terms.sum::<f64>())
            .exp()
            .clamp(0.5, MAX_DAYS)
    }

    /// Whether every term names a column and is finite.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.intercept.is_finite() && self.terms.iter().all(Term::is_consistent)
    }
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::{hash, unit};

    fn rows(n: u64) -> Vec<[f32; TIMING_WIDTH]> {
        let row = |i: u64| {
            std::array::from_fn(|feature| {
                if feature == 3 {
                    2.0
                } else {
                    (unit(hash(i, &[feature as u64])) * 10.0) as f32
                }
            })
        };
        (0..n).map(row).collect()
    }

    #[test]
    fn a_planted_law_is_found_again() {
        let mut rows = rows(2_000);
        rows.iter_mut().for_each(|row| row[5] = row[4]); // a duplicate column
        let days: Vec<f64> = rows
            .iter()
            .map(|row| (1.0 + 0.1 * f64::from(row[0])).exp())
            .collect();
        let model = LogDays::fit(&rows, &days).unwrap();
        for (row, days) in rows.iter().zip(&days).take(50) {
            assert!((model.days(row) - days).abs() < 0.02 * days);
        }
        assert!(model.is_consistent());
    }

    #[test]
    fn too_few_rows_are_refused() {
        assert!(
            LogDays::fit(&rows(10), &[1.0; 10])
                .unwrap_err()
                .to_string()
                .contains("too few")
        );
    }
}
