//! On how many predictions each figure rests.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::protocol::{EvaluationRow, NightRows};
use super::IntervalOutcome;
use crate::domain::RETURN_HORIZONS;

/// What figures rest on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FigureBasis {
    /// (customer, night) rows.
    pub predictions: usize,
    /// Distinct customers among them.
    pub customers: usize,
    /// Nights with such a row.
    pub nights: usize,
}

impl FigureBasis {
    /// Of all rows.
    pub(super) fn of_all(nights: &[NightRows]) -> Self {
        Self::of(nights, |_, _| true)
    }

    /// Of the rows that count, of a row and of how many days the data follow its night.
    fn of(nights: &[NightRows], counts: impl Fn(&EvaluationRow, i32) -> bool) -> Self {
        let mut basis = Self::default();
        let mut customers = BTreeSet::new();
        for night in nights {
            let rows = night.rows.iter();
            let counted = rows.filter(|row| counts(row, night.followed_days));
            let before = basis.predictions;
            for row in counted {
                basis.predictions += 1;
                customers.insert(row.customer);
            }
            basis.nights += usize::from(basis.predictions > before);
        }
        basis.customers = customers.len();
        basis
    }
}

/// What the figures rest on that do not rest on all rows: by `mae` (and all figures of those who
/// returned, baskets too), `mae_all`, `coverage_80` (and `width_80`), `return_7d`, `return_14d` and
/// `return_28d` (the Brier scores and calibration errors). Figures that there are not are left out.
pub(super) fn bases_of_figures(nights: &[NightRows]) -> BTreeMap<String, FigureBasis> {
    let all = FigureBasis::of_all(nights);
    let mut bases = vec![
        (
            "mae".to_owned(),
            FigureBasis::of(nights, |row, _| row.error().is_some()),
        ),
        (
            "mae_all".to_owned(),
            FigureBasis::of(nights, |row, followed| row.error_all(followed).is_some()),
        ),
        (
            "coverage_80".to_owned(),
            FigureBasis::of(nights, |row, followed| {
                IntervalOutcome::of(row, followed).is_some()
            }),
        ),
    ];
    for horizon in RETURN_HORIZONS {
        let is_followed = |row: &EvaluationRow, followed: i32| {
            row.return_probability.is_some() && followed >= horizon as i32
        };
        bases.push((
            format!("return_{horizon}d"),
            FigureBasis::of(nights, is_followed),
        ));
    }
    bases.retain(|(_, basis)| *basis != all && basis.predictions > 0);
    bases.into_iter().collect()
}
