//! The models: when a customer comes back, and what will be in the basket.

pub mod basket;
pub mod boosting;
pub mod calibration;
pub mod linear;
pub mod timing;
pub mod tree;

use serde::{Deserialize, Serialize};

use crate::calendar::AsOf;
use crate::recurrence::Rule;
use basket::{BasketModel, BasketParameters};
use timing::{TimingModel, TimingParameters};

/// How a model is fitted. The same parameters, data and seed give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Seed of every sampling.
    pub seed: u64,
    /// The timing model's.
    pub timing: TimingParameters,
    /// The basket model's.
    pub basket: BasketParameters,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { seed: 1, timing: TimingParameters::default(), basket: BasketParameters::default() }
    }
}

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
    /// Whether its parts fit together: every walk through a tree ends, every number is finite. A decoded model is asked before it is used.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.timing.is_consistent() && self.basket.is_consistent() && self.rule.check().is_ok()
    }
}
