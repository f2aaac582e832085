//! The models: when a customer comes back, and what will be in the basket.

pub mod basket;
pub mod boosting;
pub mod calibration;
pub mod linear;
pub mod timing;
pub mod tree;

pub mod explain;
mod night;
mod training;

use serde::{Deserialize, Serialize};

pub use night::{Overview, refuse_future, score, score_in_slices, score_some};
pub use training::{HELD_OUT_DAYS, Trained, needed_days, train, train_with_backtest};

use crate::calendar::AsOf;
use crate::error::Result;
use crate::recurrence::Rule;
use crate::settings::{Allowed, Scope, section};
use basket::{BasketModel, BasketParameters};
use timing::{TimingModel, TimingParameters};

section! {
    /// How a model is fitted. The same parameters, data and seed give the same bytes.
    pub struct Parameters {
        /// Seed of all random choices
        #[setting(default = 1, flag(Scope::Training), value("N"))]
        pub seed: u64,
        /// The timing model: when a customer comes back
        #[setting(default = TimingParameters::default())]
        pub timing: TimingParameters,
        /// The basket model: what will be in the basket
        #[setting(default = BasketParameters::default())]
        pub basket: BasketParameters,
    }
}

/// Days of the past that a model may learn from: at most ten years.
const TRAINING_DAYS: Allowed = Allowed::Between(1.0, 3_653.0);

impl Parameters {
    /// The parameters themselves, if they make sense.
    ///
    /// # Errors
    /// If a value is out of its range. The message names it by its place in okuo.toml.
    pub fn check(self) -> Result<Self> {
        self.check_ranges("training.")?;
        Ok(self)
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
    /// Whether its parts fit together: every walk through a tree ends, every number is finite. A
    /// decoded model is asked before it is used.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.timing.is_consistent() && self.basket.is_consistent() && self.rule.check().is_ok()
    }
}

#[cfg(test)]
pub(crate) mod examples;
