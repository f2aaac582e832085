//! A model as files of format version 1 hold it.

use serde::Deserialize;

use super::basket::version_1::{BasketModelVersion1, BasketParametersVersion1};
use super::timing::TimingParameters;
use super::timing::version_2::TimingModelVersion2;
use super::{Model, Parameters};
use crate::calendar::AsOf;
use crate::recurrence::Rule;

/// As [`Model`] was.
#[derive(Deserialize)]
pub struct ModelVersion1 {
    as_of: AsOf,
    rule: Rule,
    parameters: ParametersVersion1,
    timing: TimingModelVersion2,
    basket: BasketModelVersion1,
}

#[derive(Deserialize)]
struct ParametersVersion1 {
    seed: u64,
    timing: TimingParameters,
    basket: BasketParametersVersion1,
}

impl From<ModelVersion1> for Model {
    fn from(old: ModelVersion1) -> Self {
        Self {
            as_of: old.as_of,
            rule: old.rule,
            parameters: Parameters {
                seed: old.parameters.seed,
                fast: false,
                timing: old.parameters.timing,
                basket: old.parameters.basket.into(),
            },
            timing: old.timing.into(),
            basket: old.basket.into(),
        }
    }
}
