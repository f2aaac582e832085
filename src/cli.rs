//! What each command does with its arguments: they are declared in `arguments`, one file a command,
//! all printing in `output`.

mod arguments;
mod check;
mod config;
mod demo;
mod eval;
mod evaluation;
mod explain;
mod funnel;
mod init;
pub mod lambda;
mod lift;
mod log;
mod metrics;
mod models;
mod monitor;
mod names;
pub mod output;
mod plan;
pub mod reference;
mod score;
mod score_range;
mod signals;
mod simulate;
mod table;
mod threads;
mod train;

use std::ffi::OsString;
use std::sync::Mutex;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches};

use crate::config::{Config, FILE_NAME, Layer, LogFormat};
use crate::error::{Error, ExitCode, Result};
use crate::record::{self, Measured};
use crate::simulate::Style;
use crate::store;
use crate::suggest;
use arguments::{
    Arguments, CheckArguments, Command, Common, ConfigArguments, DemoArguments, EvalArguments,
    ExplainArguments, InitArguments, LiftArguments, ModelsArguments, ModelsCommand,
    MonitorArguments, PlanArguments, RegistryArguments, ScoreArguments, Screen, SimulateArguments,
    TrainArguments,
};
use output::Output;

impl Common {
    /// The settings for a run, whose places can be what they are used as.
    async fn config(&self) -> Result<Config> {
        let config = self.settings().await?;
        let places = [
            ("--registry", Some(&config.registry)),
            ("--output", config.output.as_ref()),
        ];
        for (flag, place) in places
            .into_iter()
            .filter_map(|(flag, place)| Some((flag, place?)))
        {
            store::check_folder(place)
                .map_err(|error| error.hint(format!("name another place with {flag}")))?;
        }
        Ok(config)
    }

    /// The flags and environment over the file; checked.
    async fn settings(&self) -> Result<Config> {
        let given = self.flags.given.clone();
        let given = given.over(file(self.config.as_deref()).await?);
        let config = given.over(Layer::of_machine()).check()?;
        set_up(&config)?;
        Ok(config)
    }
}

/// How the process computes and speaks.
fn set_up(config: &Config) -> Result<()> {
    log::set_format(config.log_format);
    metrics::set_format(config.metrics);
    threads::set(config.threads)
}

impl Screen {
    /// The settings of a command that reads no file of settings.
    fn settings(&self) -> Result<Config> {
        let given = self.computing.given.clone();
        let config = given.over(Layer::of_machine()).check()?;
        set_up(&config)?;
        Ok(config)
    }
}

/// The configuration file's layer; one that is not named may be missing.
async fn file(named: Option<&str>) -> Result<Layer> {
    let name = named.unwrap_or(FILE_NAME);
    let (folder, file) = match name.rsplit_once('/') {
        Some(("", file)) => ("/", file),
        Some((folder, file)) => (folder, file),
        None => (".", name),
    };
    if std::path::Path::new(name).is_dir() {
        return Err(Error::request("it is a folder, where a file is needed")
            .object(name)
            .hint("check --config"));
    }
    match store::open(folder).await?.find(file).await? {
        Some((content, _)) => {
            let text = std::str::from_utf8(&content).map_err(|error| {
                Error::request("it is not UTF-8 text")
                    .object(name)
                    .source(error)
            })?;
            Layer::parse(name, text)
        }
        None if named.is_none() => Ok(Layer::default()),
        None => Err(Error::not_found("there is no such configuration file")
            .object(name)
            .hint("check --config")),
    }
}

/// The whole program, built from this commit: runs okuo with the process's arguments, and maps every
/// end to an exit code.
#[must_use]
pub fn main(commit: &'static str) -> std::process::ExitCode {
    // A damaged file may panic in a library, where it is caught and becomes an error: only what
    // reaches this place is told.
    static PANIC: Mutex<String> = Mutex::new(String::new());
    std::panic::set_hook(Box::new(|panic| {
        if let Ok(mut text) = PANIC.lock() {
            *text = panic.to_string().replace('\n', " ");
        }
    }));
    record::set_commit(commit);
    // A panic is a failure of okuo like every other one.
    let code = std::panic::catch_unwind(|| run(std::env::args_os())).unwrap_or_else(|_| {
        output::panic(&PANIC.lock().map(|text| text.clone()).unwrap_or_default());
        ExitCode::Failed.number()
    });
    std::process::ExitCode::from(code)
}

/// Runs okuo with these arguments (the first is the program's name) and returns the exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    log::start(early_log_format(&arguments));
    let parsed = Arguments::command()
        .try_get_matches_from(arguments)
        .and_then(|matches| {
            let name = matches.subcommand_name().unwrap_or_default().to_owned();
            Ok((name, Arguments::from_arg_matches(&matches)?))
        });
    let (name, command) = match parsed {
        Ok((name, arguments)) => (name, arguments.command),
        Err(error) => {
            // Help and version are results; everything else is a wrong request.
            let help = !error.use_stderr();
            if (json || log::is_json()) && !help {
                let error = request_error(&error).measured(Measured::of_build());
                output::error(&error, json);
                return error.exit_code();
            }
            let _ = error.print();
            if let Some(variable) = variable_at_fault(&error) {
                output::hint(&format!("the value is that of the variable {variable}"));
            }
            let code = match help {
                true => ExitCode::Done,
                false => ExitCode::Refused,
            };
            return code.number();
        }
    };
    let result = threads::runtime().and_then(|runtime| {
        runtime.spawn(signals::end_when_told());
        runtime.block_on(dispatch(command))
    });
    let error = result
        .err()
        .map(|error| error.measured(Measured::of_build()));
    if let Some(error) = &error {
        output::error(error, json);
    }
    metrics::tell(&name, error.as_ref());
    error.map_or(ExitCode::Done.number(), |error| error.exit_code())
}

/// The format of the log, as far as it can be told before the arguments are read: whatever is wrong
/// with them is a line of the log too.
fn early_log_format(arguments: &[OsString]) -> LogFormat {
    let flag = arguments
        .iter()
        .zip(arguments.iter().skip(1).map(Some).chain([None]));
    let given = flag.filter_map(|(argument, next)| {
        let argument = argument.to_str()?;
        match argument.strip_prefix("--log-format=") {
            Some(value) => Some(value.to_owned()),
            None if argument == "--log-format" => Some(next?.to_str()?.to_owned()),
            None => None,
        }
    });
    let named = given
        .last()
        .or_else(|| std::env::var("OKUO_LOG_FORMAT").ok());
    named.and_then(|name| name.parse().ok()).unwrap_or_default()
}

/// What the argument parser refuses, in its own words, as an error of okuo.
fn request_error(error: &clap::Error) -> Error {
    let text = error.to_string();
    let what = text.lines().take_while(|line| !line.is_empty());
    let what: Vec<&str> = what
        .map(|line| line.trim_start_matches("error: "))
        .collect();
    let refused = Error::request(what.join(" "));
    match variable_at_fault(error) {
        Some(variable) => refused.hint(format!("the value is that of the variable {variable}")),
        None => refused.hint("--help lists the flags"),
    }
}

/// The variable of the environment that has the value which clap refuses: it names the flag alone.
fn variable_at_fault(error: &clap::Error) -> Option<String> {
    let flag = context(error, ContextKind::InvalidArg)?.strip_prefix("--")?;
    let flag = flag.split_once([' ', '=']).map_or(flag, |(flag, _)| flag);
    let variable = format!("OKUO_{}", flag.replace('-', "_").to_uppercase());
    let value = std::env::var(&variable).ok()?;
    (value == context(error, ContextKind::InvalidValue)?).then_some(variable)
}

/// What clap says of an error's circumstances.
fn context(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

async fn dispatch(command: Command) -> Result<()> {
    let screen = match &command {
        Command::Init(arguments) => Output::new(&arguments.screen),
        Command::Train(arguments) => Output::new(&arguments.common.screen),
        Command::Score(arguments) => Output::new(&arguments.common.screen),
        Command::Plan(arguments) => Output::new(&arguments.common.screen),
        Command::Check(arguments) => Output::new(&arguments.common.screen),
        Command::Monitor(arguments) => Output::new(&arguments.common.screen),
        Command::Lift(arguments) => Output::new(&arguments.common.screen),
        Command::Explain(arguments) => Output::new(&arguments.common.screen),
        Command::Eval(arguments) => Output::new(&arguments.common.screen),
        Command::Simulate(arguments) => Output::new(&arguments.screen),
        Command::Demo(arguments) => Output::new(&arguments.screen),
        Command::Config(arguments) => Output::new(&arguments.common.screen),
        Command::Models(_) => Output::plain(),
    };
    warn_of_unknown_variables(&screen);
    match command {
        Command::Init(arguments) => init::run(arguments, &screen).await,
        Command::Train(arguments) => train::run(arguments, &screen).await,
        Command::Score(arguments) => score::run(arguments, &screen).await,
        Command::Plan(arguments) => plan::run(arguments, &screen).await,
        Command::Check(arguments) => check::run(arguments, &screen).await,
        Command::Monitor(arguments) => monitor::run(arguments, &screen).await,
        Command::Lift(arguments) => lift::run(arguments, &screen).await,
        Command::Explain(arguments) => explain::run(arguments, &screen).await,
        Command::Eval(arguments) => eval::run(arguments, &screen).await,
        Command::Models(arguments) => models::run(arguments).await,
        Command::Simulate(arguments) => simulate::run(arguments, &screen).await,
        Command::Demo(arguments) => demo::run(arguments, &screen).await,
        Command::Config(arguments) => config::run(arguments, &screen).await,
    }
}

/// Adds the variables that a command and those below it read.
fn add_variables(command: &clap::Command, known: &mut Vec<String>) {
    let variables = command.get_arguments().filter_map(clap::Arg::get_env);
    known.extend(variables.filter_map(|name| Some(name.to_str()?.to_owned())));
    for below in command.get_subcommands() {
        add_variables(below, known);
    }
}

/// A variable that no flag has is most likely a slip, which would otherwise have no effect at all.
fn warn_of_unknown_variables(output: &Output) {
    let mut known = vec![];
    add_variables(&Arguments::command(), &mut known);
    known.extend([store::RETRY_SECONDS, store::PATH_STYLE].map(str::to_owned));
    // Read when okuo was built, and left in the environment of a container.
    known.push("OKUO_BUILD_COMMIT".to_owned());
    known.push(lambda::LOCAL_PLACES.to_owned());
    let mut unknown: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .collect();
    unknown.retain(|name| {
        name.starts_with("OKUO_") && !name.starts_with("OKUO_TEST_") && !known.contains(name)
    });
    unknown.sort_unstable();
    for name in unknown {
        // Without the beginning, in which all are alike.
        let known = known.iter().map(|known| known.trim_start_matches("OKUO_"));
        let nearest = suggest::nearest(name.trim_start_matches("OKUO_"), known, suggest::ALIKE)
            .map(|nearest| format!("; did you mean OKUO_{nearest}?"))
            .unwrap_or_default();
        output.warn(&format!(
            "the variable {name} is none that okuo knows and has no effect{nearest}"
        ));
    }
}

/// The style of a simulated store by its name.
fn style(name: &str) -> Result<Style> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|_| {
        Error::request(format!("\"{name}\" is not a kind of store"))
            .hint("the kinds are grocery, dense, sparse, seasonal, drifting and promotions")
    })
}
