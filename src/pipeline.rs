//! `train` and `score`: the only wiring of history, features, models and predictions.

use crate::calendar::AsOf;
use crate::error::{Error, Result};
use crate::models::{Model, Parameters};
use crate::predictions::Predictions;
use crate::purchases::Purchases;
use crate::recurrence::Rule;

/// What training gives.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The model, trained on all up to the as-of date.
    pub model: Model,
    /// The same procedure stopped 28 days earlier (`rehearsal.as_of` = T − 28): what held-out figures are measured with.
    pub rehearsal: Model,
    /// What a user should know: few rows, a short history, a store that was closed.
    pub warnings: Vec<String>,
}

/// Trains on everything up to and including `as_of`.
///
/// # Errors
/// If the history up to `as_of` is empty or too short to learn from.
pub fn train(purchases: &Purchases, as_of: AsOf, rule: &Rule, parameters: &Parameters, stage: &(dyn Fn(&str) + Sync)) -> Result<Trained> {
    stage("features");
    let _ = (purchases, as_of, rule, parameters);
    Err(Error::system("not built yet"))
}

/// Predicts for the recurrent customers of the night `as_of`.
///
/// # Errors
/// If nobody meets the rule, or the model was trained on days after `as_of`.
pub fn score(model: &Model, model_id: &str, purchases: &Purchases, as_of: AsOf) -> Result<Predictions> {
    let _ = (model, model_id, purchases, as_of);
    Err(Error::system("not built yet"))
}
