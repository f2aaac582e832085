//! A model as files of format version 2 hold it.

use serde::Deserialize;

use super::basket::BasketModel;
use super::timing::version_2::TimingModelVersion2;
use super::{Model, Parameters};
use crate::calendar::AsOf;
use crate::recurrence::Rule;

/// As [`Model`] was.
#[derive(Deserialize)]
pub struct ModelVersion2 {
    as_of: AsOf,
    rule: Rule,
    parameters: Parameters,
    timing: TimingModelVersion2,
    basket: BasketModel,
}

impl From<ModelVersion2> for Model {
    fn from(old: ModelVersion2) -> Self {
        Self {
            as_of: old.as_of,
            rule: old.rule,
            parameters: old.parameters,
            timing: old.timing.into(),
            basket: old.basket,
        }
    }
}
