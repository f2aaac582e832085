//! Runs what an event asks for, by the same jobs as the command line.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::arguments::{
    CheckArguments, Command, MonitorArguments, ScoreArguments, TrainArguments,
};
use super::super::{check, monitor, score, train, warn_of_unknown_variables};
use super::InvocationProgress;
use super::event::{self, Asked, EventPlaces};
use crate::calendar::AsOf;
use crate::config::{Config, half_of_memory};
use crate::error::{Error, Result};
use crate::jobs::{self, CheckRequest, MonitorRequest, ScoreRangeRequest, ScoreRequest};

/// The memory of the function, in MiB, as Lambda says it.
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// Runs what an event asks for, and returns its summary.
///
/// # Errors
/// If the event cannot be understood, or as the command.
pub(super) async fn run(event: &Value, progress: &InvocationProgress) -> Result<Value> {
    warn_of_unknown_variables(&InvocationProgress::output());
    match event::read(event, EventPlaces::of_environment())? {
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
        Command::Score(arguments) => {
            progress.set_command(Some("score"));
            run_score(arguments, created, progress).await
        }
        Command::Train(arguments) => {
            progress.set_command(Some("train"));
            run_train(arguments, progress).await
        }
        Command::Check(arguments) => {
            progress.set_command(Some("check"));
            run_check(arguments, progress).await
        }
        Command::Monitor(arguments) => {
            progress.set_command(Some("monitor"));
            run_monitor(arguments, progress).await
        }
        _ => Err(Error::request("a function does not run this command")),
    }
}

async fn run_score(
    arguments: ScoreArguments,
    created: &[String],
    progress: &InvocationProgress,
) -> Result<Value> {
    let config = within_memory(arguments.common.config().await?)?;
    let config = score::within_budget(config, arguments.budget)?;
    if let Some(why) = is_of_no_use(created, &config) {
        progress.set_command(None);
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
    let summary = jobs::score(&config, &request, progress).await?;
    score::keep_metrics(&summary);
    document(&summary)
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
        progress.night_ended(&outcome);
        outcomes.push(document(&outcome)?);
        progress.keep(json!({ "nights": outcomes }));
        Ok(())
    })
    .await?;
    Ok(json!({ "nights": outcomes }))
}

async fn run_train(arguments: TrainArguments, progress: &InvocationProgress) -> Result<Value> {
    let config = within_memory(arguments.common.config().await?)?;
    let as_of = arguments
        .schedule
        .night(arguments.as_of, &config.input.clock)?;
    let summary = jobs::train(&config, as_of, progress).await?;
    train::keep_metrics(&summary);
    progress.keep(document(&summary)?);
    match train::refusal(&summary, &config) {
        Some(error) => Err(error),
        None => document(&summary),
    }
}

async fn run_check(arguments: CheckArguments, progress: &InvocationProgress) -> Result<Value> {
    let config = within_memory(arguments.common.config().await?)?;
    let request = CheckRequest {
        as_of: arguments
            .schedule
            .night(arguments.as_of, &config.input.clock)?,
        model: arguments.model,
    };
    let summary = jobs::check(&config, &request, progress).await?;
    check::keep_metrics(&summary);
    progress.keep(document(&summary)?);
    match check::refusal(&summary) {
        Some(error) => Err(error),
        None => document(&summary),
    }
}

async fn run_monitor(arguments: MonitorArguments, progress: &InvocationProgress) -> Result<Value> {
    let config = within_memory(arguments.common.config().await?)?;
    let request = MonitorRequest {
        from: arguments.from,
        to: arguments.to,
    };
    let summary = jobs::monitor(&config, &request, progress).await?;
    progress.keep(document(&summary)?);
    match monitor::refusal(&summary) {
        Some(error) if arguments.fail_if_worse => Err(error),
        _ => document(&summary),
    }
}

fn document<T: Serialize>(summary: &T) -> Result<Value> {
    serde_json::to_value(summary)
        .map_err(|error| Error::system("the summary cannot be written as JSON").source(error))
}

/// As [`within`], with the memory that Lambda says.
fn within_memory(config: Config) -> Result<Config> {
    let mebibytes = std::env::var(MEMORY).ok();
    within(mebibytes.and_then(|text| text.trim().parse().ok()), config)
}

/// Where nobody has given a limit, the history may take half of the function's memory. What a control
/// group says of the machine below the function is no one's choice.
fn within(mebibytes: Option<u64>, mut config: Config) -> Result<Config> {
    let settings = config.given.in_force()?.into_iter();
    let is_given = settings
        .filter(|setting| setting.declared.path == "memory_limit")
        .any(|setting| setting.source.is_given());
    if let Some(mebibytes) = mebibytes.filter(|_| !is_given) {
        config.memory_limit = Some(half_of_memory(mebibytes << 20));
    }
    Ok(config)
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
    fn half_of_the_functions_memory_is_the_limit_unless_someone_gave_another() {
        let limit = |mebibytes, layer: Layer| {
            let config = layer.check().unwrap();
            within(mebibytes, config).unwrap().memory_limit
        };
        // Of a control group, there is more than the function may have.
        let of_group = || Layer::within_bytes(64_000_000_000);
        assert_eq!(limit(Some(1_024), of_group()), Some(512 << 20));
        assert_eq!(limit(Some(1_024), Layer::default()), Some(512 << 20));
        assert_eq!(limit(Some(128), of_group()), Some(100_000_000));
        assert_eq!(limit(None, of_group()), Some(32_000_000_000));
        let own = Layer::parse("okuo.toml", "memory_limit = \"4 GB\"").unwrap();
        assert_eq!(
            limit(Some(1_024), own.over(of_group())),
            Some(4_000_000_000)
        );
    }

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
