//! Arguments, and what each command does with them: clap structs here, one file a command below, all printing in `output`.

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

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::calendar::{AsOf, Month};
use crate::config::{ColumnsLayer, Config, FILE_NAME, InputLayer, Layer, RuleLayer};
use crate::error::{Error, Kind, Result};
use crate::predictions::tables::Format;
use crate::publish::promotion::Promote;
use crate::simulate::Style;
use crate::store;
use output::Output;

/// The help's texts are written for 100 columns, which is where clap wraps.
macro_rules! first_steps {
    () => {
        "\
First steps:
  okuo demo                                                  all of it, on a built-in sample
  okuo train -i tickets/ --as-of 2017-10-31                  monthly: a model into models/
  okuo score -i tickets/ --as-of 2017-11-07 -o nightly/      nightly: predictions and offers
  okuo eval  -i tickets/ --holdout 2017-10                   how well it goes on your data
"
    };
}
macro_rules! exit_codes {
    () => {
        "
Exit codes: 0 done; 1 the input or the request was wrong; 2 okuo or its surroundings (disk,
network, permissions) failed. Results go to stdout, everything else to stderr."
    };
}
const MANUAL: &str = concat!(first_steps!(), exit_codes!());
const LONG_MANUAL: &str = concat!(
    first_steps!(),
    "
Settings come from okuo.toml in the present folder (or --config FILE), above it the environment
(OKUO_BASKET_SHARE is --basket-share), above that the flags. `okuo config` prints what is in force
and where each value comes from, as a file that can be saved as okuo.toml. The date of a run is
read from no clock and no variable: --as-of says it.

s3:// addresses use the usual AWS_* environment: AWS_PROFILE or AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, AWS_REGION, and AWS_ENDPOINT_URL_S3 for a server other than Amazon's.
",
    exit_codes!()
);

/// Which customers come back regularly, on which day each will buy next, and what will be in that basket.
#[derive(Debug, Parser)]
#[command(name = "okuo", version, about, after_help = MANUAL, after_long_help = LONG_MANUAL, color = ColorChoice::Never)]
#[command(arg_required_else_help = true, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train on everything up to a day and store the model in the registry
    Train(TrainArguments),
    /// Score one night: who is recurrent, when each comes back, with what, and what to offer
    Score(ScoreArguments),
    /// Explain one customer on one night: history, rule, prediction, and what the model sees
    Explain(explain::ExplainArguments),
    /// Evaluate on months that the model has not seen, beside baselines
    Eval(EvalArguments),
    /// List, show and promote the models of a registry
    Models(ModelsArguments),
    /// Write simulated tickets whose truth is known
    Simulate(SimulateArguments),
    /// Show all of it on the sample that is built in
    Demo(DemoArguments),
    /// Print the settings in force, and where each comes from, as an okuo.toml
    Config(ConfigArguments),
}

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
        let Some((_, command)) = matches.subcommand() else { return Self::default() };
        Self(command.ids().filter_map(|id| Some((id.to_string(), command.value_source(id.as_str())?))).collect())
    }

    /// Whether a flag or the environment gives the argument.
    fn of_argument(&self, name: &str) -> Option<ValueSource> {
        self.0.get(name).copied().filter(|source| *source != ValueSource::DefaultValue)
    }
}

/// What every command that reads tickets takes.
#[derive(Debug, Args)]
struct Common {
    /// Tickets: a file, a folder, a prefix (all .csv, .csv.gz, .csv.zst and .parquet below it) or a glob; local or s3://
    #[arg(long, short, num_args = 1.., env = "OKUO_INPUT", value_name = "URI", help_heading = "Input")]
    input: Vec<String>,
    /// Configuration file [default: okuo.toml, if it exists]
    #[arg(long, env = "OKUO_CONFIG", value_name = "FILE")]
    config: Option<String>,
    /// Column of the customer's id [default: customer_id]
    #[arg(long, env = "OKUO_CUSTOMER", value_name = "COLUMN", help_heading = "Input")]
    customer: Option<String>,
    /// Column of the product's id [default: product_id]
    #[arg(long, env = "OKUO_PRODUCT", value_name = "COLUMN", help_heading = "Input")]
    product: Option<String>,
    /// Column of the time [default: timestamp]
    #[arg(long, env = "OKUO_TIME", value_name = "COLUMN", help_heading = "Input")]
    time: Option<String>,
    /// Column of the quantity; lines of 0 or less are returns [default: quantity, if it exists]
    #[arg(long, env = "OKUO_QUANTITY", value_name = "COLUMN", help_heading = "Input")]
    quantity: Option<String>,
    /// The store's time zone: instants become its local days [default: UTC]
    #[arg(long, env = "OKUO_TIME_ZONE", value_name = "ZONE", help_heading = "Input")]
    time_zone: Option<String>,
    /// Times without a zone are UTC, not store-local
    #[arg(long, env = "OKUO_UTC", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", help_heading = "Input")]
    utc: Option<bool>,
    /// Hour at which the store's day begins: earlier sales belong to the day before [default: 0]
    #[arg(long, env = "OKUO_DAY_START", value_name = "HOUR", help_heading = "Input")]
    day_start: Option<u8>,
    /// Largest share of bad lines [default: 0.001]
    #[arg(long, env = "OKUO_MAX_BAD_SHARE", allow_negative_numbers = true, value_name = "SHARE", help_heading = "Input")]
    max_bad_share: Option<f64>,
    /// Product that is no purchase (fuel, bags); may be given several times
    #[arg(long, env = "OKUO_EXCLUDE_PRODUCT", value_delimiter = ',', value_name = "ID", help_heading = "Input")]
    exclude_product: Vec<String>,
    /// Length of a period of the rule, in days [default: 30]
    #[arg(long, env = "OKUO_PERIOD_DAYS", value_name = "DAYS", help_heading = "Recurrence rule")]
    period_days: Option<u32>,
    /// How many periods the rule looks back [default: 3]
    #[arg(long, env = "OKUO_PERIODS", value_name = "N", help_heading = "Recurrence rule")]
    periods: Option<u32>,
    /// Fewest purchases in each period [default: 2]
    #[arg(long, env = "OKUO_MIN_PURCHASES", value_name = "N", help_heading = "Recurrence rule")]
    min_purchases: Option<u32>,
    /// Fewest distinct products of a large basket [default: 11]
    #[arg(long, env = "OKUO_MIN_PRODUCTS", value_name = "N", help_heading = "Recurrence rule")]
    min_products: Option<u32>,
    /// Share of the purchases that must have a large basket [default: 1.0, every one]
    #[arg(long, env = "OKUO_BASKET_SHARE", allow_negative_numbers = true, value_name = "SHARE", help_heading = "Recurrence rule")]
    basket_share: Option<f64>,
    #[command(flatten)]
    screen: Screen,
}

/// How a command speaks and computes.
#[derive(Debug, Args)]
struct Screen {
    /// Threads to compute on; results do not depend on it [default: one a core]
    #[arg(long, env = "OKUO_THREADS", value_name = "N")]
    threads: Option<usize>,
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
    /// Say more on stderr
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo config                                      what is in force here
  okuo config --basket-share 0.5 > okuo.toml       a file to begin with
  okuo config --json                               the same for machines")]
struct ConfigArguments {
    /// Where models are [default: models/]
    #[arg(long, env = "OKUO_REGISTRY", value_name = "URI")]
    registry: Option<String>,
    /// Where the night's run is published
    #[arg(long, short, env = "OKUO_OUTPUT", value_name = "URI")]
    output: Option<String>,
    /// When the new model takes the place of the promoted one: if-better, always or never [default: if-better]
    #[arg(long, env = "OKUO_PROMOTE", value_name = "WHEN")]
    promote: Option<Promote>,
    /// Seed of every sampling [default: 1]
    #[arg(long, env = "OKUO_SEED", value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  okuo train --input s3://tickets/2017/ --as-of 2017-10-31 --registry s3://models/okuo \\
      --time-zone America/New_York --utc --basket-share 0.5")]
struct TrainArguments {
    /// The last day that the model may know
    #[arg(long, value_name = "DATE")]
    as_of: AsOf,
    /// Where models are [default: models/]
    #[arg(long, env = "OKUO_REGISTRY", value_name = "URI")]
    registry: Option<String>,
    /// When the new model takes the place of the promoted one: if-better, always or never [default: if-better]
    #[arg(long, env = "OKUO_PROMOTE", value_name = "WHEN")]
    promote: Option<Promote>,
    /// Seed of every sampling [default: 1]
    #[arg(long, env = "OKUO_SEED", value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  okuo score --input s3://tickets/2017/ --as-of 2017-11-07 --registry s3://models/okuo \\
      --output s3://predictions/okuo

Readers follow <output>/as_of=DATE/manifest.json and so see one whole run.

An offer is to be sent lead_days before the customer's expected day, or on the day after DATE where
that day is past; it is valid from then or from the 80 % interval's first day, whichever is later.")]
struct ScoreArguments {
    /// The night to speak from: everything up to and including this day is known
    #[arg(long, value_name = "DATE")]
    as_of: AsOf,
    /// Where models are [default: models/]
    #[arg(long, env = "OKUO_REGISTRY", value_name = "URI")]
    registry: Option<String>,
    /// A model of the registry by its id, or a model file [default: the promoted one]
    #[arg(long, env = "OKUO_MODEL", value_name = "ID|FILE")]
    model: Option<String>,
    /// Where the night's run is published
    #[arg(long, short, env = "OKUO_OUTPUT", value_name = "URI")]
    output: Option<String>,
    /// Write the offers also as csv or jsonl
    #[arg(long, env = "OKUO_FORMAT", value_name = "FORMAT")]
    format: Vec<Format>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  okuo eval --input tickets/ --holdout 2017-11 --holdout 2017-12

For each month: trains on the data up to its eve, scores nights in it, compares with what followed.
With --model, that model is judged instead; one that has seen a month is refused.")]
struct EvalArguments {
    /// A month to hold out; may be given several times
    #[arg(long, required = true, num_args = 1.., value_name = "YYYY-MM")]
    holdout: Vec<Month>,
    /// Days between two scored nights
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=31), value_name = "DAYS")]
    every: u32,
    /// Judge this model (an id of the registry or a file) instead of training one a month
    #[arg(long, env = "OKUO_MODEL", value_name = "ID|FILE")]
    model: Option<String>,
    /// Where models are [default: models/]
    #[arg(long, env = "OKUO_REGISTRY", value_name = "URI")]
    registry: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct ModelsArguments {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// All models, the promoted one marked
    List(RegistryArguments),
    /// One model: when and on what it was trained, its rule, its held-out figures
    Show {
        /// The model's id
        id: String,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Make a model the one that `okuo score` uses
    Promote {
        /// The model's id
        id: String,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}

#[derive(Debug, Args)]
struct RegistryArguments {
    /// Where models are [default: models/]
    #[arg(long, env = "OKUO_REGISTRY", value_name = "URI")]
    registry: Option<String>,
    /// Configuration file [default: okuo.toml, if it exists]
    #[arg(long, env = "OKUO_CONFIG", value_name = "FILE")]
    config: Option<String>,
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  okuo simulate --output tickets.parquet --customers 5000 --days 365 --seed 7 --truth truth.json")]
struct SimulateArguments {
    /// File to write: .csv, .csv.gz or .parquet; local or s3://
    #[arg(long, short, value_name = "URI")]
    output: String,
    /// Kind of store: grocery, dense, sparse, seasonal or drifting
    #[arg(long, default_value = "grocery", value_name = "STYLE")]
    style: String,
    /// How many customers
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    customers: u32,
    /// How many products
    #[arg(long, default_value_t = 3_000, value_name = "N")]
    products: u32,
    /// The first day
    #[arg(long, default_value = "2024-01-01", value_name = "DATE")]
    start: crate::calendar::Day,
    /// How many days
    #[arg(long, default_value_t = 366, value_name = "N")]
    days: u32,
    /// Everything random follows from it
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Write times as naive UTC of a store in this zone
    #[arg(long, value_name = "ZONE")]
    utc_zone: Option<String>,
    /// Also write the truth behind the tickets to this .json or .csv file
    #[arg(long, value_name = "URI")]
    truth: Option<String>,
    /// Customer by customer instead of by time: memory does not grow with the number of customers
    #[arg(long)]
    by_customer: bool,
    #[command(flatten)]
    screen: Screen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
It needs no data and no network and takes less than a minute on two cores: a year of simulated
tickets is built in. It trains on the first ten months, evaluates on the last two, scores the last
night, and says where model and tables lie.")]
struct DemoArguments {
    /// Where the demo's models and predictions go
    #[arg(long, short, default_value = "out/demo", value_name = "FOLDER")]
    output: String,
    #[command(flatten)]
    screen: Screen,
}

impl Common {
    /// The flags and environment over the file; checked.
    async fn config(&self, above: Layer) -> Result<Config> {
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
            ..above
        };
        let config = flags.over(file(self.config.as_deref()).await?).check()?;
        set_threads(config.threads)?;
        Ok(config)
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
    match store::open(folder).await?.find(file).await? {
        Some((content, _)) => {
            let text = std::str::from_utf8(&content).map_err(|error| Error::request("it is not UTF-8 text").object(name).source(error))?;
            Ok(Some((name.to_owned(), text.to_owned())))
        }
        None if named.is_none() => Ok(None),
        None => Err(Error::not_found("there is no such configuration file").object(name).hint("check --config")),
    }
}

fn set_threads(threads: Option<usize>) -> Result<()> {
    let Some(threads) = crate::config::checked_threads(threads)? else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::system("the threads could not be started").source(error))
}

/// Runs okuo with these arguments (the first is the program's name) and returns the exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let parsed = Arguments::command().try_get_matches_from(arguments).and_then(|matches| {
        let sources = Sources::of(&matches);
        Ok((Arguments::from_arg_matches(&matches)?.command, sources))
    });
    let (mut command, sources) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are results; everything else is a wrong request.
            let help = !error.use_stderr();
            let _ = error.print();
            return u8::from(!help);
        }
    };
    // The environment has one text for all inputs; a flag may name a path with a space in it.
    if let (Some(common), Some(ValueSource::EnvVariable)) = (command.common(), sources.of_argument("input")) {
        common.input = common.input.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect();
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
        Command::Explain(arguments) => explain::run(arguments, &screen).await,
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
        command.get_arguments().filter_map(|argument| Some(argument.get_env()?.to_str()?.to_owned())).collect()
    };
    let nested = program.get_subcommands().flat_map(|command| command.get_subcommands().chain([command]));
    let known: Vec<String> = nested.flat_map(of).collect();
    let mut unknown: Vec<String> = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    unknown.retain(|name| name.starts_with("OKUO_") && !known.contains(name));
    unknown.sort_unstable();
    for name in unknown {
        let nearest = known.iter().max_by(|a, b| strsim::jaro_winkler(a, &name).total_cmp(&strsim::jaro_winkler(b, &name)));
        let nearest = nearest.map_or(String::new(), |nearest| format!("; did you mean {nearest}?"));
        output.warn(&format!("the variable {name} is none that okuo knows and has no effect{nearest}"));
    }
}

/// A model by its id in the registry or as a file, with the name to call it by.
async fn model(registry: &str, named: Option<&str>) -> Result<(crate::artifact::Header, crate::models::Model)> {
    use crate::publish::registry::{Registry, is_model_id};
    match named {
        None => Registry::new(store::open(registry).await?).load_promoted().await,
        Some(id) if is_model_id(id) => Registry::new(store::open(registry).await?).load(id).await,
        Some(file) => {
            let found = store::find(file, &[".okuo"]).await.map_err(|error| match error.kind() {
                Kind::NotFound => error.hint("name a model's file, or an id that `okuo models list` shows"),
                _ => error,
            })?;
            let [only] = found.as_slice() else {
                return Err(Error::request(format!("{} model files match {file}", found.len())).hint("name one of them"));
            };
            crate::artifact::decode(&only.uri, &only.get().await?.0)
        }
    }
}

/// The style of a simulated store by its name.
fn style(name: &str) -> Result<Style> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|_| {
        Error::request(format!("\"{name}\" is not a kind of store")).hint("the kinds are grocery, dense, sparse, seasonal and drifting")
    })
}
