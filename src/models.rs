//! The models: when a customer comes back, and what will be in the basket.

use serde::{Deserialize, Serialize};

use crate::calendar::AsOf;
use crate::recurrence::Rule;

/// How a model is fitted. The same parameters, data and seed give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Seed of every sampling.
    pub seed: u64,
    /// Most (customer, night, product) rows that the pooled basket model is fitted on.
    pub max_training_rows: usize,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { seed: 1, max_training_rows: 1_000_000 }
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
}
