//! The models: when a customer comes back, and what will be in the basket.

pub mod basket;
pub mod boosting;
mod budget;
pub mod calibration;
pub mod linear;
pub mod timing;
pub mod tree;

pub mod explain;
mod feature_sample;
mod further;
mod night;
mod parameters;
mod strata;
mod training;
mod version_1;
mod version_2;

use serde::{Deserialize, Serialize};

pub use budget::BudgetChoice;
pub use feature_sample::CustomerSample;
pub use night::{
    NightScorer, NightSummary, NightSummaryBuilder, PreparedNight, refuse_future, score,
    score_in_slices, score_some,
};
pub use parameters::Parameters;
pub use training::{
    HELD_OUT_DAYS, Trained, needed_days, train, train_backtest, train_with_backtest,
};
pub use version_1::ModelVersion1;
pub use version_2::ModelVersion2;

use crate::calendar::AsOf;
use crate::recurrence::Rule;
use basket::BasketModel;
use timing::TimingModel;

/// A fitted model: the only thing that can score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The night up to which it was trained.
    pub as_of: AsOf,
    /// The rule of whom it scores.
    pub rule: Rule,
    /// How it was fitted.
    pub parameters: Parameters,
    /// When customers come back.
    pub timing: TimingModel,
    /// What they buy.
    pub basket: BasketModel,
}

impl Model {
    /// Whether its parts fit together: every walk through a tree ends, every number is finite. A
    /// decoded model is asked before it is used.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.timing.is_consistent() && self.basket.is_consistent() && self.rule.check().is_ok()
    }
}

#[cfg(test)]
pub(crate) mod examples;
