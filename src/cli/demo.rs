//! `okuo demo`: all of it on the sample that is built in.

use bytes::Bytes;
use serde_json::json;

use super::evaluation::evaluation_text;
use super::funnel::lines_and_funnel;
use super::output::Output;
use super::score::{examples_text, published_text};
use super::{DemoArguments, train as training};
use crate::calendar::{AsOf, Month};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::eval::Evaluation;
use crate::jobs::{self, EvaluateRequest, ScoreRequest, ScoreSummary, StoredModel, Tickets};
use crate::publish::promotion::PromotionPolicy;
use crate::recurrence::PopulationSummary;
use crate::store;

/// The sample of data/, so that the binary shows itself wherever it is.
const SAMPLE: &[u8] = include_bytes!("../../data/tickets.csv.gz");
const NAME: &str = "data/tickets.csv.gz";
/// How many customers are shown.
const EXAMPLES: usize = 5;
/// Days between two nights of the evaluation.
const NIGHTS_APART: u32 = 7;

pub(super) async fn run(arguments: DemoArguments, output: &Output) -> Result<()> {
    store::check_folder(&arguments.output)
        .map_err(|error| error.hint("name another place with --output"))?;
    let folder = arguments.output.trim_end_matches('/');
    let config = Config {
        promote: PromotionPolicy::Always,
        registry: format!("{folder}/models"),
        output: Some(format!("{folder}/predictions")),
        ..arguments.screen.settings()?
    };
    let tickets = Tickets::from_object(&config, NAME, Bytes::from_static(SAMPLE))?;
    let population = PopulationSummary::on_last_day(&*tickets.partitions, &config.rule)?
        .ok_or_else(|| Error::system("the sample is empty"))?;
    let last = population.as_of;
    output.text(&format!(
        "A year of simulated tickets ({NAME}, built into okuo)\n{}",
        lines_and_funnel(&tickets.lines, &population)
    ))?;
    // One training serves all: the two months before the end are held out of it.
    let final_month = last.day().month();
    let months = [(final_month.first() - 1).month(), final_month];
    let model = train(&config, &tickets, months[0].eve(), output).await?;
    let evaluation = evaluate(&config, &model, &tickets, &months, output)?;
    let night = score(&config, &model, tickets, last, output).await?;
    output.text(&format!(
        "the model lies in {}/{}/, the night's tables beside {}",
        config.registry, night.model_id, night.manifest
    ))?;
    output.document(&json!({
        "evaluation": evaluation,
        "model_id": night.model_id,
        "registry": config.registry,
        "manifest": night.manifest,
        "customers": night.customers,
        "lines": night.lines,
        "funnel": night.funnel,
    }))
}

async fn train(
    config: &Config,
    tickets: &Tickets,
    eve: AsOf,
    output: &Output,
) -> Result<StoredModel> {
    output.text(&format!("\n1. Train on everything up to {eve}"))?;
    let progress = output.progress();
    let summary = jobs::train_on(config, tickets, eve, &progress).await?;
    drop(progress);
    training::print(&summary, eve, output)?;
    jobs::load_model(&config.registry, Some(&summary.model_id)).await
}

fn evaluate(
    config: &Config,
    model: &StoredModel,
    tickets: &Tickets,
    months: &[Month; 2],
    output: &Output,
) -> Result<Evaluation> {
    output.text(&format!(
        "\n2. How well did it go? {} and {}, which the model has not seen, beside what costs nothing",
        months[0], months[1]
    ))?;
    let request = EvaluateRequest {
        months: months.to_vec(),
        every: NIGHTS_APART,
        model: None,
        offers: false,
    };
    let progress = output.progress();
    let evaluation = jobs::evaluate_on(config, Some(&model.model), tickets, &request, &progress)?;
    drop(progress);
    output.text(&evaluation_text(&evaluation))?;
    Ok(evaluation)
}

async fn score(
    config: &Config,
    model: &StoredModel,
    tickets: Tickets,
    night: AsOf,
    output: &Output,
) -> Result<ScoreSummary> {
    output.text(&format!("\n3. Score the night of {night}"))?;
    let request = ScoreRequest {
        examples: EXAMPLES,
        ..ScoreRequest::new(night)
    };
    let progress = output.progress();
    let summary = jobs::score_on(config, model, tickets, &request, &progress).await?;
    drop(progress);
    output.text(&published_text(&summary))?;
    output.text(&format!(
        "\n{EXAMPLES} of them:\n{}",
        examples_text(&summary.examples)
    ))?;
    Ok(summary)
}
