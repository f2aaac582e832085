//! `okuo eval`.

use super::EvalArguments;
use super::evaluation::evaluation_text;
use super::output::Output;
use crate::error::Result;
use crate::jobs::{self, EvaluateRequest};

pub(super) async fn run(arguments: EvalArguments, output: &Output) -> Result<()> {
    let config = arguments.common.config().await?;
    let request = EvaluateRequest {
        months: arguments.holdout,
        every: arguments.every,
        model: arguments.model,
        offers: arguments.offers,
    };
    let progress = output.progress();
    let summary = jobs::evaluate(&config, &request, &progress).await?;
    drop(progress);
    for warning in &summary.evaluation.warnings {
        output.warn(warning);
    }
    output.text(&format!("\n{}", evaluation_text(&summary.evaluation)))?;
    output.summary(&summary)
}
