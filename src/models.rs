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

pub use night::{NightSummary, refuse_future, score, score_in_slices, score_some};
pub use training::{HELD_OUT_DAYS, Trained, needed_days, train, train_with_backtest};

use crate::calendar::AsOf;
use crate::error::{Error, Result};
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
        Self {
            seed: 1,
            timing: TimingParameters::default(),
            basket: BasketParameters::default(),
        }
    }
}

impl Parameters {
    /// The parameters themselves, if they make sense.
    ///
    /// # Errors
    /// If a count is 0 or a share is not between 0 and 1.
    pub fn check(self) -> Result<Self> {
        let at_least_one = |name: &str, value: usize| match value {
            0 => Err(Error::request(format!(
                "{name} should be at least 1, but is 0"
            ))),
            _ => Ok(()),
        };
        let share = |name: &str, value: f64, zero: bool| match value {
            value if (zero && value == 0.0) || (value > 0.0 && value <= 1.0) => Ok(()),
            _ => Err(Error::request(format!(
                "{name} should be between 0 and 1, but is {value}"
            ))),
        };
        at_least_one("training.timing.days", self.timing.days as usize)?;
        at_least_one(
            "training.timing.max_training_rows",
            self.timing.max_training_rows,
        )?;
        at_least_one("training.timing.min_purchases", self.timing.min_purchases)?;
        at_least_one("training.basket.days", self.basket.days as usize)?;
        at_least_one("training.basket.every", self.basket.every as usize)?;
        at_least_one(
            "training.basket.max_training_rows",
            self.basket.max_training_rows,
        )?;
        at_least_one(
            "training.basket.bought_products",
            self.basket.bought_products,
        )?;
        at_least_one("training.basket.min_purchases", self.basket.min_purchases)?;
        share("training.timing.others", self.timing.others, true)?;
        share("training.basket.others", self.basket.others, true)?;
        share(
            "training.basket.min_negatives",
            self.basket.min_negatives,
            false,
        )?;
        share("training.basket.night_power", self.basket.night_power, true)?;
        share("training.basket.size_power", self.basket.size_power, true)?;
        if self.timing.days > 3_653 || self.basket.days > 3_653 {
            return Err(Error::request("training days should be at most 3653"));
        }
        for (name, boosting) in [
            ("timing", &self.timing.boosting),
            ("basket", &self.basket.boosting),
        ] {
            let name = |field: &str| format!("training.{name}.boosting.{field}");
            at_least_one(&name("trees"), boosting.trees)?;
            at_least_one(&name("min_rows"), boosting.min_rows)?;
            if !(2..=4_096).contains(&boosting.leaves) {
                return Err(Error::request(format!(
                    "{} should be between 2 and 4096, but is {}",
                    name("leaves"),
                    boosting.leaves
                )));
            }
            share(&name("learning_rate"), boosting.learning_rate, false)?;
            share(&name("row_share"), boosting.row_share, false)?;
            share(&name("feature_share"), boosting.feature_share, false)?;
            if !(boosting.ridge > 0.0 && boosting.ridge.is_finite()) {
                return Err(Error::request(format!(
                    "{} should be above 0, but is {}",
                    name("ridge"),
                    boosting.ridge
                )));
            }
        }
        let correction = &self.basket.correction;
        at_least_one(
            "training.basket.correction.min_bought",
            correction.min_bought,
        )?;
        if !(1..=16).contains(&correction.depth) {
            return Err(Error::request(format!(
                "training.basket.correction.depth should be between 1 and 16, but is {}",
                correction.depth
            )));
        }
        for (name, value) in [
            ("min_leaf", correction.min_leaf),
            ("ridge", correction.ridge),
        ] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::request(format!(
                    "training.basket.correction.{name} should be above 0, but is {value}"
                )));
            }
        }
        if self.basket.new_products > 10_000 {
            return Err(Error::request(format!(
                "training.basket.new_products should be at most 10000, but is {}",
                self.basket.new_products
            )));
        }
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
