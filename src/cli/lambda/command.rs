//! Runs what an event asks for, by the same jobs as the command line.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::arguments::{
    CheckArguments, Command, MonitorArguments, ScoreArguments, TrainArguments,
};
use super::super::{check, monitor, train, warn_of_unknown_variables};
use super::InvocationProgress;
use super::event::{self, Asked};
use crate::calendar::AsOf;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::jobs::{self, CheckRequest, MonitorRequest, ScoreRangeRequest, ScoreRequest};

/// The memory of the function, in MiB, as Lambda says it.
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// The least that a history's memory can be limited to.
const LEAST_LIMIT: u64 = 100_000_000;

/// Runs what an event asks for, and returns its summary.
///
/// # Errors
/// If the event cannot be understood, or as the command.
pub(super) async fn run(event: &Value, progress: &InvocationProgress) -> Result<Value> {
    warn_of_unknown_variables(&InvocationProgress::output());
    match event::read(event)? {
        Asked::Nothing(why) => Ok(json!({ "ignored": why })),
        Asked::Command(command) => run_command(command, &[], progress).await,
        Asked::NewObjects(command, uris) => run_command(command, &uris, progress).await,
    }
}

async fn run_command(
    command: Command,
    created: &[String],
    progress: &InvocationProgress,
) -> Result<Value> {
    match command {
        Command::Score(arguments) => run_score(arguments, created, progress).await,
        Command::Train(arguments) => run_train(arguments, progress).await,
        Command::Check(arguments) => run_check(arguments, progress).await,
        Command::Monitor(arguments) => run_monitor(arguments, progress).await,
        _ => Err(Error::request("a function does not run this command")),
    }
}

async fn run_score(
    arguments: ScoreArguments,
    created: &[String],
    progress: &InvocationProgress,
) -> Result<Value> {
    let config = within_memory(arguments.common.config().await?);
    if let Some(why) = is_of_no_use(created, &config) {
        return Ok(json!({ "ignored": why }));
    }
    if let (Some(from), Some(to)) = (arguments.from, arguments.to) {
        return run_range(arguments, &config, (from, to), progress).await;
    }
    let request = ScoreRequest {
        as_of: arguments
            .schedule
            .night(arguments.as_of, &config.input.clock)?,
        model: arguments.model,
        formats: arguments.format,
        examples: 0,
        force: arguments.force,
    };
    document(&jobs::score(&config, &request, progress).await?)
}

async fn run_range(
    arguments: ScoreArguments,
    config: &Config,
    (from, to): (AsOf, AsOf),
    progress: &InvocationProgress,
) -> Result<Value> {
    let request = ScoreRangeRequest {
        from,
        to,
        model: arguments.model,
        formats: arguments.format,
        force: arguments.force,
    };
    let mut outcomes = vec![];
    jobs::score_range(config, &request, progress, &mut |outcome| {
        progress.night_done();
        outcomes.push(document(&outcome)?);
        Ok(())
    })
    .await?;
    Ok(json!({ "nights": outcomes }))
}

async fn run_train(arguments: TrainArguments, progress: &InvocationProgress) -> Result<Value> {
    let config = within_memory(arguments.common.config().await?);
    let as_of = arguments
        .schedule
        .night(arguments.as_of, &config.input.clock)?;
    let summary = jobs::train(&config, as_of, progress).await?;
    match train::refusal(&summary, &config) {
        Some(error) => Err(error),
        None => document(&summary),
    }
}

async fn run_check(arguments: CheckArguments, progress: &InvocationProgress) -> Result<Value> {
    let config = within_memory(arguments.common.config().await?);
    let request = CheckRequest {
        as_of: arguments
            .schedule
            .night(arguments.as_of, &config.input.clock)?,
        model: arguments.model,
    };
    let summary = jobs::check(&config, &request, progress).await?;
    match check::refusal(&summary) {
        Some(error) => Err(error),
        None => document(&summary),
    }
}

async fn run_monitor(arguments: MonitorArguments, progress: &InvocationProgress) -> Result<Value> {
    let config = within_memory(arguments.common.config().await?);
    let request = MonitorRequest {
        from: arguments.from,
        to: arguments.to,
    };
    let summary = jobs::monitor(&config, &request, progress).await?;
    match monitor::refusal(&summary) {
        Some(error) if arguments.fail_if_worse => Err(error),
        _ => document(&summary),
    }
}

fn document<T: Serialize>(summary: &T) -> Result<Value> {
    serde_json::to_value(summary)
        .map_err(|error| Error::system("the summary cannot be written as JSON").source(error))
}

/// Where nothing else is said, the history may take half of the function's memory.
fn within_memory(mut config: Config) -> Config {
    let mebibytes = std::env::var(MEMORY).ok();
    let memory = mebibytes.and_then(|text| text.trim().parse::<u64>().ok());
    config.memory_limit = config
        .memory_limit
        .or(memory.map(|mebibytes| (mebibytes << 19).max(LEAST_LIMIT)));
    config
}

/// Why none of the new objects is a reason to score; `None` if one is, or there are none. What okuo
/// itself has written must not start it again.
fn is_of_no_use(created: &[String], config: &Config) -> Option<String> {
    let own = [Some(&config.registry), config.output.as_ref()];
    let is_ticket = |uri: &&String| {
        let is_own = own.iter().flatten().any(|place| is_below(place, uri));
        !is_own && config.inputs.iter().any(|input| is_below(input, uri))
    };
    if created.is_empty() || created.iter().any(|uri| is_ticket(&uri)) {
        return None;
    }
    Some(format!(
        "{} is below none of the inputs",
        created.join(", ")
    ))
}

/// Whether an object is, or is below, a place; of a glob, whether it begins as that does.
fn is_below(place: &str, uri: &str) -> bool {
    match place.find(['*', '?', '[', '{']) {
        Some(end) => uri.starts_with(&place[..end]),
        None => {
            let behind = uri.strip_prefix(place.trim_end_matches('/'));
            behind.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    #[test]
    fn what_okuo_has_written_does_not_start_it() {
        let config = Config {
            inputs: vec![
                "s3://shop/tickets/".to_owned(),
                "s3://shop/more/2017-*.csv".to_owned(),
            ],
            registry: "s3://shop/tickets/models".to_owned(),
            output: Some("s3://shop/nightly".to_owned()),
            ..Layer::default().check().unwrap()
        };
        for (uris, is_used) in [
            (vec![], true),
            (vec!["s3://shop/tickets/2017-11-07.csv"], true),
            (vec!["s3://shop/more/2017-11.csv"], true),
            (
                vec!["s3://shop/nightly/as_of=2017-11-07/manifest.json"],
                false,
            ),
            (vec!["s3://shop/tickets/models/latest.json"], false),
            (vec!["s3://shop/ticketsold/a.csv"], false),
            (vec!["s3://other/tickets/a.csv"], false),
            (vec!["s3://other/a.csv", "s3://shop/tickets/a.csv"], true),
        ] {
            let uris: Vec<String> = uris.into_iter().map(str::to_owned).collect();
            assert_eq!(is_of_no_use(&uris, &config).is_none(), is_used, "{uris:?}");
        }
    }
}
