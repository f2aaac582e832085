//! What each command does with its arguments: they are declared in `arguments`, one file a command,
//! all printing in `output`.

mod arguments;
mod config;
mod demo;
mod eval;
mod explain;
mod input;
mod models;
mod night;
pub mod output;
mod score;
mod simulate;
mod train;

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::config::{ColumnsLayer, Config, FILE_NAME, InputLayer, Layer, RuleLayer};
use crate::error::{Error, Kind, Result};
use crate::simulate::Style;
use crate::store;
use crate::suggest;
use arguments::{
    Arguments, Command, Common, ConfigArguments, DemoArguments, EvalArguments, ExplainArguments,
    ModelsArguments, ModelsCommand, RegistryArguments, ScoreArguments, Screen, SimulateArguments,
    TrainArguments, Training,
};
use output::Output;

impl Command {
    /// What it has in common with every command that reads tickets.
    fn common(&mut self) -> Option<&mut Common> {
        match self {
            Command::Train(arguments) => Some(&mut arguments.common),
            Command::Score(arguments) => Some(&mut arguments.common),
            Command::Explain(arguments) => Some(&mut arguments.common),
            Command::Eval(arguments) => Some(&mut arguments.common),
            Command::Config(arguments) => Some(&mut arguments.common),
            Command::Models(_) | Command::Simulate(_) | Command::Demo(_) => None,
        }
    }
}

/// Where the values of a command's arguments come from, by the arguments' names.
#[derive(Debug, Default)]
struct Sources(BTreeMap<String, ValueSource>);

impl Sources {
    fn of(matches: &ArgMatches) -> Self {
        let Some((_, command)) = matches.subcommand() else {
            return Self::default();
        };
        Self(
            command
                .ids()
                .filter_map(|id| Some((id.to_string(), command.value_source(id.as_str())?)))
                .collect(),
        )
    }

    /// Whether a flag or the environment gives the argument.
    fn of_argument(&self, name: &str) -> Option<ValueSource> {
        self.0
            .get(name)
            .copied()
            .filter(|source| *source != ValueSource::DefaultValue)
    }
}

impl Common {
    /// The settings for a run, whose places can be what they are used as.
    async fn config(&self, above: Layer) -> Result<Config> {
        let config = self.settings(above).await?;
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
    async fn settings(&self, above: Layer) -> Result<Config> {
        let some = |values: &Vec<String>| (!values.is_empty()).then(|| values.clone());
        let flags = Layer {
            columns: ColumnsLayer {
                customer: self.customer.clone(),
                product: self.product.clone(),
                time: self.time.clone(),
                quantity: self.quantity.clone(),
            },
            input: InputLayer {
                paths: some(&self.input),
                time_zone: self.time_zone.clone(),
                utc: self.utc,
                day_start: self.day_start,
                history_days: self.history_days,
                max_bad_share: self.max_bad_share,
                exclude_products: some(&self.exclude_product),
            },
            rule: RuleLayer {
                period_days: self.period_days,
                periods: self.periods,
                min_purchases: self.min_purchases,
                min_products: self.min_products,
                basket_share: self.basket_share,
            },
            threads: self.screen.threads,
            memory_limit: self.memory_limit.clone(),
            ..above
        };
        let config = flags.over(file(self.config.as_deref()).await?).check()?;
        set_threads(config.threads)?;
        Ok(config)
    }
}

impl Training {
    /// What the flags and the environment say of places and promotion.
    fn layer(&self) -> Layer {
        Layer {
            registry: self.registry.clone(),
            promote: self.promote,
            ..Layer::default()
        }
    }

    /// Puts the seed over the one of the file.
    fn seed(&self, config: &mut Config) {
        config.parameters.seed = self.seed.unwrap_or(config.parameters.seed);
    }
}

/// The configuration file's layer; one that is not named may be missing.
async fn file(named: Option<&str>) -> Result<Layer> {
    match file_text(named).await? {
        Some((name, text)) => Layer::parse(&name, &text),
        None => Ok(Layer::default()),
    }
}

/// The configuration file's name and text; one that is not named may be missing.
async fn file_text(named: Option<&str>) -> Result<Option<(String, String)>> {
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
            Ok(Some((name.to_owned(), text.to_owned())))
        }
        None if named.is_none() => Ok(None),
        None => Err(Error::not_found("there is no such configuration file")
            .object(name)
            .hint("check --config")),
    }
}

fn set_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = crate::config::checked_threads(threads)? else {
        return Ok(());
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::system("the threads could not be started").source(error))
}

/// Runs okuo with these arguments (the first is the program's name) and returns the exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let parsed = Arguments::command()
        .try_get_matches_from(arguments)
        .and_then(|matches| {
            let sources = Sources::of(&matches);
            Ok((Arguments::from_arg_matches(&matches)?.command, sources))
        });
    let (mut command, sources) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are results; everything else is a wrong request.
            let help = !error.use_stderr();
            let _ = error.print();
            if let Some(variable) = variable_at_fault(&error) {
                output::hint(&format!("the value is that of the variable {variable}"));
            }
            return u8::from(!help);
        }
    };
    // The environment has one text for all inputs; a flag may name a path with a space in it.
    if let (Some(common), Some(ValueSource::EnvVariable)) =
        (command.common(), sources.of_argument("input"))
    {
        common.input = common
            .input
            .iter()
            .flat_map(|text| text.split_whitespace())
            .map(str::to_owned)
            .collect();
    }
    let result = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::system("the runtime could not be started").source(error))
        .and_then(|runtime| runtime.block_on(dispatch(command, &sources)));
    match result {
        Ok(()) => 0,
        Err(error) => {
            output::error(&error);
            error.exit_code()
        }
    }
}

/// The variable of the environment that has the value which clap refuses: it names the flag alone.
fn variable_at_fault(error: &clap::Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg)?.strip_prefix("--")?;
    let flag = flag.split_once([' ', '=']).map_or(flag, |(flag, _)| flag);
    let variable = format!("OKUO_{}", flag.replace('-', "_").to_uppercase());
    let value = std::env::var(&variable).ok()?;
    (value == *text(ContextKind::InvalidValue)?).then_some(variable)
}

async fn dispatch(command: Command, sources: &Sources) -> Result<()> {
    let screen = match &command {
        Command::Train(arguments) => Output::new(&arguments.common.screen),
        Command::Score(arguments) => Output::new(&arguments.common.screen),
        Command::Explain(arguments) => Output::new(&arguments.common.screen),
        Command::Eval(arguments) => Output::new(&arguments.common.screen),
        Command::Simulate(arguments) => Output::new(&arguments.screen),
        Command::Demo(arguments) => Output::new(&arguments.screen),
        Command::Config(arguments) => Output::new(&arguments.common.screen),
        Command::Models(_) => Output::plain(),
    };
    warn_of_unknown_variables(&screen);
    match command {
        Command::Train(arguments) => train::run(arguments, &screen).await,
        Command::Score(arguments) => score::run(arguments, &screen).await,
        Command::Explain(arguments) => explain::run(arguments, sources, &screen).await,
        Command::Eval(arguments) => eval::run(arguments, &screen).await,
        Command::Models(arguments) => models::run(arguments).await,
        Command::Simulate(arguments) => simulate::run(arguments, &screen).await,
        Command::Demo(arguments) => demo::run(arguments, &screen).await,
        Command::Config(arguments) => config::run(arguments, sources, &screen).await,
    }
}

/// A variable that no flag has is most likely a slip, which would otherwise have no effect at all.
fn warn_of_unknown_variables(output: &Output) {
    let program = Arguments::command();
    let of = |command: &clap::Command| -> Vec<String> {
        command
            .get_arguments()
            .filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned()))
            .collect()
    };
    let nested = program
        .get_subcommands()
        .flat_map(|command| command.get_subcommands().chain([command]));
    let known: Vec<String> = nested.flat_map(of).collect();
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

/// A model by its id in the registry or as a file, with the name to call it by.
async fn model(
    registry: &str,
    named: Option<&str>,
) -> Result<(crate::artifact::ModelHeader, crate::models::Model)> {
    use crate::publish::registry::{Registry, is_model_id};
    match named {
        None => {
            Registry::new(store::open(registry).await?)
                .load_promoted()
                .await
        }
        Some(id) if is_model_id(id) => Registry::new(store::open(registry).await?).load(id).await,
        Some(file) => {
            Registry::new(store::open(registry).await?)
                .check_whole(file)
                .await?;
            let found =
                store::find(file, &[".okuo"])
                    .await
                    .map_err(|error| match error.kind() {
                        Kind::NotFound => error
                            .hint("name a model's file, or an id that `okuo models list` shows"),
                        _ => error,
                    })?;
            let [only] = found.as_slice() else {
                return Err(
                    Error::request(format!("{} model files match {file}", found.len()))
                        .hint("name one of them"),
                );
            };
            crate::artifact::decode(&only.uri, &only.get().await?.0)
        }
    }
}

/// The style of a simulated store by its name.
fn style(name: &str) -> Result<Style> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|_| {
        Error::request(format!("\"{name}\" is not a kind of store"))
            .hint("the kinds are grocery, dense, sparse, seasonal and drifting")
    })
}
