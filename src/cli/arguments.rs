//! The arguments of each command, as clap reads them from the command line and the environment.

use clap::{Args, ColorChoice, Parser, Subcommand};

use crate::calendar::{AsOf, Day, Month, RunTime, StoreClock};
use crate::config::FILE_NAME;
use crate::config::flags::{
    ComputingFlags, PublishingFlags, RegistryFlags, TicketFlags, TrainingFlags,
};
use crate::domain::MAX_RANK;
use crate::error::{Error, ExitCode, Result};
use crate::publish::tables::Format;
use crate::record;

/// The help's texts are written for 100 columns, which is where clap wraps.
const FIRST_STEPS: &str = "\
First steps:
  okuo demo                                                  all of it, on a built-in sample
  okuo init  -i tickets/                                     looks at them, writes okuo.toml
  okuo train -i tickets/ --as-of 2017-10-31                  monthly: a model into models/
  okuo score -i tickets/ --as-of 2017-11-07 -o nightly/      nightly: predictions and offers
  okuo eval  -i tickets/ --holdout 2017-10                   how well it goes on your data
";
const SETTINGS_AND_PLACES: &str = "\
Settings come from okuo.toml in the present folder (or --config FILE), above it the environment
(OKUO_BASKET_SHARE is --basket-share), above that the flags. `okuo config` prints what is in force
and where each value comes from, as a file that can be saved as okuo.toml. The date of a run is
read from no clock and no variable: --as-of says it.

s3:// addresses use the usual AWS_* environment: AWS_PROFILE or AWS_ACCESS_KEY_ID and
AWS_SECRET_ACCESS_KEY, AWS_REGION, and AWS_ENDPOINT_URL_S3 for a server other than Amazon's.
";

/// What stands below the help in short.
fn manual() -> String {
    format!("{FIRST_STEPS}\n{}", exit_codes())
}

/// What stands below the whole help.
fn long_manual() -> String {
    format!("{FIRST_STEPS}\n{SETTINGS_AND_PLACES}\n{}", exit_codes())
}

fn exit_codes() -> String {
    let codes = ExitCode::ALL.map(|code| format!("{} {}", code.number(), code.meaning()));
    format!(
        "Exit codes: {}. Results go to stdout, everything else to stderr.",
        codes.join("; ")
    )
}

/// Which customers come back regularly, on which day each will buy next, and what will be in that
/// basket.
#[derive(Debug, Parser)]
#[command(name = "okuo", version = record::version(), about, after_help = manual(), after_long_help = long_manual(), color = ColorChoice::Never)]
#[command(arg_required_else_help = true, propagate_version = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Look at the tickets and write an okuo.toml that reads them
    Init(InitArguments),
    /// Train on everything up to a day and store the model in the registry
    Train(TrainArguments),
    /// Score one night: who is recurrent, when each comes back, with what, and what to offer
    Score(ScoreArguments),
    /// Plan the offers of the coming days, and fix them: a file for each day
    Plan(PlanArguments),
    /// Check a night's feed: is it what it was? The guards of score alone, for a sensor
    Check(CheckArguments),
    /// Measure published nights on the tickets that followed
    Monitor(MonitorArguments),
    /// Measure what published offers brought: treatment beside control
    Lift(LiftArguments),
    /// Explain one customer on one night: history, rule, prediction, and what the model sees
    Explain(ExplainArguments),
    /// Evaluate on months that the model has not seen, beside baselines
    Eval(EvalArguments),
    /// List, show, promote, roll back and remove the models of a registry
    Models(ModelsArguments),
    /// Write simulated tickets whose truth is known
    Simulate(SimulateArguments),
    /// Show all of it on the sample that is built in
    Demo(DemoArguments),
    /// Print the settings in force, and where each comes from, as an okuo.toml
    Config(ConfigArguments),
}

/// What every command that reads tickets takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Configuration file [default: okuo.toml, if it exists]
    #[arg(long, env = "OKUO_CONFIG", value_name = "FILE")]
    pub(super) config: Option<String>,
    #[command(flatten)]
    pub(super) flags: TicketFlags,
    #[command(flatten)]
    pub(super) screen: Screen,
}

/// The night by the time of a schedule.
#[derive(Debug, Args)]
pub(super) struct ScheduleArguments {
    /// When the run is due, such as 2017-11-08T05:00:00Z, instead of --as-of: it speaks from the
    /// last day that is over in the store then
    #[arg(long, value_name = "TIME", conflicts_with = "as_of")]
    pub(super) at: Option<RunTime>,
}

impl ScheduleArguments {
    /// The night of a run, where `as_of` is what --as-of says.
    pub(super) fn night(&self, as_of: Option<AsOf>, clock: &StoreClock) -> Result<AsOf> {
        match self.at {
            Some(time) => clock.night_before(time),
            None => {
                as_of.ok_or_else(|| Error::request("no night was named").hint("give --as-of DATE"))
            }
        }
    }
}

/// How a command speaks and computes.
#[derive(Debug, Args)]
pub(super) struct Screen {
    #[command(flatten)]
    pub(super) computing: ComputingFlags,
    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(super) json: bool,
    /// Say more on stderr
    #[arg(long, short, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// Say nothing on stderr but errors
    #[arg(long, short)]
    pub(super) quiet: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo config                                      what is in force here
  okuo config --basket-share 0.5 > okuo.toml       a file to begin with
  okuo config --json                               the same for machines")]
pub(super) struct ConfigArguments {
    #[command(flatten)]
    _registry: RegistryFlags,
    #[command(flatten)]
    _training: TrainingFlags,
    #[command(flatten)]
    _publishing: PublishingFlags,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo init --input tickets/                              look at a folder, write okuo.toml
  okuo init --input sales.csv --time Datum --config -     one column is known; only show the file

What a flag says is written as it is. All else is found by names, in several languages, and by
values. The file says what is certain and what someone who knows the tickets should check. If the
columns cannot be found, nothing is written, and okuo shows what it saw.")]
pub(super) struct InitArguments {
    /// File to write; - shows it on stdout instead
    #[arg(long, default_value = FILE_NAME, value_name = "FILE")]
    pub(super) config: String,
    /// Replace the file if it is there already
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) flags: TicketFlags,
    #[command(flatten)]
    pub(super) screen: Screen,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  okuo train --input s3://tickets/2017/ --as-of 2017-10-31 --registry s3://models/okuo \\
      --time-zone America/New_York --utc --basket-share 0.5

With --lift, the mix of the offers is learned from what is published below --output.")]
pub(super) struct TrainArguments {
    /// The last day that the model may know
    #[arg(long, value_name = "DATE", required_unless_present = "at")]
    pub(super) as_of: Option<AsOf>,
    #[command(flatten)]
    pub(super) schedule: ScheduleArguments,
    #[command(flatten)]
    _registry: RegistryFlags,
    #[command(flatten)]
    _training: TrainingFlags,
    #[command(flatten)]
    _publishing: PublishingFlags,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo score --input s3://tickets/2017/ --as-of 2017-11-07 --registry s3://models/okuo \\
      --output s3://predictions/okuo
  okuo score --input tickets/ --from 2017-11-01 --to 2017-11-30 --output nightly/

With --from and --to, each night is scored as if it was run alone. A night that was published
before, of the same objects with the same model and settings, is not scored again, so a range that
broke off goes on where it stopped. A night that a guard stops does not stop those after it; the
exit code is then 3.

Readers follow <output>/as_of=DATE/manifest.json and so see one whole run.

Send the offers with due = true on the day after DATE. Offers that are published for earlier nights
below the same output count as sent: nobody is mailed again before coming back, or with the same
product.")]
pub(super) struct ScoreArguments {
    /// The night to speak from: everything up to and including this day is known
    #[arg(long, value_name = "DATE", required_unless_present_any = ["at", "from", "to"])]
    pub(super) as_of: Option<AsOf>,
    #[command(flatten)]
    pub(super) schedule: ScheduleArguments,
    /// The first of several nights, instead of --as-of
    #[arg(long, value_name = "DATE", requires = "to", conflicts_with_all = ["as_of", "at"])]
    pub(super) from: Option<AsOf>,
    /// The last of several nights
    #[arg(long, value_name = "DATE", requires = "from", conflicts_with_all = ["as_of", "at"])]
    pub(super) to: Option<AsOf>,
    #[command(flatten)]
    _registry: RegistryFlags,
    /// A model of the registry by its id, a model file, or as-of: the newest promoted model that was
    /// not trained on days after the night [default: as-of]
    #[arg(long, env = "OKUO_MODEL", value_name = "ID|FILE|as-of")]
    pub(super) model: Option<String>,
    #[command(flatten)]
    _publishing: PublishingFlags,
    /// Write the offers also as csv, jsonl or xlsx
    #[arg(long, env = "OKUO_FORMAT", value_name = "FORMAT")]
    pub(super) format: Vec<Format>,
    /// Most money that the discounts of the morning's offers may cost if they change nothing; what is
    /// worth least for it is held back [default: offers.budget]
    #[arg(long, value_name = "MONEY")]
    pub(super) budget: Option<f64>,
    /// Publish although guards would stop the night; the manifest keeps what they said
    #[arg(long)]
    pub(super) force: bool,
    /// Print what is predicted for N of the customers, with their ids
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub(super) examples: usize,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  okuo plan --input s3://tickets/2017/ --as-of 2017-11-07 --days 7 --registry s3://models/okuo \\
      --output s3://predictions/okuo

<output>/plan=DATE/manifest.json names a CSV and an XLSX for each day, and JSON lines in the shape of
Amazon Personalize. `okuo score` below the same output keeps to the plan while it lasts, and says what
it changed.")]
pub(super) struct PlanArguments {
    /// The night to plan from: everything up to and including this day is known
    #[arg(long, value_name = "DATE")]
    pub(super) as_of: AsOf,
    /// How many days to plan, 1 to 28; the first is the one after the night
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    pub(super) days: u32,
    #[command(flatten)]
    _registry: RegistryFlags,
    /// A model of the registry by its id, a model file, or as-of: the newest promoted model that was
    /// not trained on days after the night [default: as-of]
    #[arg(long, env = "OKUO_MODEL", value_name = "ID|FILE|as-of")]
    pub(super) model: Option<String>,
    #[command(flatten)]
    _publishing: PublishingFlags,
    /// Most money that the discounts of a day's offers may cost if they change nothing; what is worth
    /// least for it is held back [default: offers.budget]
    #[arg(long, value_name = "MONEY")]
    pub(super) budget: Option<f64>,
    /// Publish although guards would stop the night; the manifest keeps what they said
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo check --input s3://tickets/2017/ --as-of 2017-11-07 --registry s3://models/okuo
  okuo check --input tickets/ --as-of 2017-11-07 --output nightly/ --junit guards.xml

Nothing is published. The feed is compared with the weeks before, with what the model was trained on
if the registry has one, and with the last published night if --output says where it is. A breach
ends with exit code 3, as in `okuo score`; the limits stand under [guards] in okuo.toml.")]
pub(super) struct CheckArguments {
    /// The night to speak from: everything up to and including this day is known
    #[arg(long, value_name = "DATE", required_unless_present = "at")]
    pub(super) as_of: Option<AsOf>,
    #[command(flatten)]
    pub(super) schedule: ScheduleArguments,
    #[command(flatten)]
    _registry: RegistryFlags,
    /// A model of the registry by its id, a model file, or as-of: the newest promoted model that was
    /// not trained on days after the night [default: as-of, if there is one]
    #[arg(long, env = "OKUO_MODEL", value_name = "ID|FILE|as-of")]
    pub(super) model: Option<String>,
    #[command(flatten)]
    _publishing: PublishingFlags,
    /// Also write the outcome of each guard as a JUnit report
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo monitor --input s3://tickets/2017/ --output s3://predictions/okuo --registry s3://models/okuo
  okuo monitor --input tickets/ --output nightly/ --from 2017-11-01 --to 2017-11-30 --fail-if-worse

A night counts once the tickets follow it for 28 days. Of each night: how many customers were
published, the share who came within 28 days and the share that was expected, and the figures of
`okuo eval`. Each model is compared with its own backtest, whose figures are in the registry. It is
worse if the 95 % interval of the difference says so and the difference is a tenth or more.")]
pub(super) struct MonitorArguments {
    /// The first night [default: the first that is published]
    #[arg(long, value_name = "DATE")]
    pub(super) from: Option<AsOf>,
    /// The last night [default: the last that is published]
    #[arg(long, value_name = "DATE")]
    pub(super) to: Option<AsOf>,
    /// End with exit code 3 if a model is worse than its backtest promised
    #[arg(long)]
    pub(super) fail_if_worse: bool,
    #[command(flatten)]
    _registry: RegistryFlags,
    #[command(flatten)]
    _publishing: PublishingFlags,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo lift --input s3://tickets/2017/ --output s3://predictions/okuo --from 2017-09-01 --to 2017-11-30
  okuo lift --input tickets/ --output nightly/ --effect 0.02

An offer counts once the tickets cover all days on which it was valid, and by the arm that was drawn
for it. Two experiments are measured: by customers, of whom the control arm is sent nothing, and by
offers, of which single ones are held back (control_offer_share). The interval of a difference is
that of the delta method with the customer as the unit; a difference from \"visible from\" on is found in
80 of 100 cases. --effect says how many weeks and which control_share another effect needs.")]
pub(super) struct LiftArguments {
    /// The first night [default: the first that is published]
    #[arg(long, value_name = "DATE")]
    pub(super) from: Option<AsOf>,
    /// The last night [default: the last that is published]
    #[arg(long, value_name = "DATE")]
    pub(super) to: Option<AsOf>,
    /// Also say what a campaign needs to show this difference in the share of offers that are bought,
    /// such as 0.02
    #[arg(long, value_name = "SHARE")]
    pub(super) effect: Option<f64>,
    #[command(flatten)]
    _publishing: PublishingFlags,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo explain --customer 183 --input s3://tickets/2017/ --as-of 2017-11-07 --registry s3://models/okuo
  okuo explain --customer household_id --id 183 --input tickets/ --as-of 2017-11-07 --json

--customer is the customer here; with --id it names the column, as in every other command.
The numbers are those that `okuo score` publishes for that night. A customer whom the rule leaves
out is explained too: which part is not met, and what the model thinks all the same. The offers are
those of `okuo score` with the same --output, which says what was sent before. --json also has every
feature of every product.")]
pub(super) struct ExplainArguments {
    /// The customer, as the tickets write it [default: what --customer says]
    #[arg(long, allow_hyphen_values = true, value_name = "CUSTOMER")]
    pub(super) id: Option<String>,
    /// The night to speak from: everything up to and including this day is known
    #[arg(long, value_name = "DATE")]
    pub(super) as_of: AsOf,
    #[command(flatten)]
    _registry: RegistryFlags,
    /// A model of the registry by its id, a model file, or as-of: the newest promoted model that was
    /// not trained on days after the night [default: as-of]
    #[arg(long, env = "OKUO_MODEL", value_name = "ID|FILE|as-of")]
    pub(super) model: Option<String>,
    #[command(flatten)]
    _publishing: PublishingFlags,
    #[arg(long = "top", help = format!("How many likely products to show, 1 to {MAX_RANK}"), default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=MAX_RANK as i64), value_name = "N")]
    pub(super) products: u8,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  okuo eval --input tickets/ --holdout 2017-11 --holdout 2017-12

For each month: trains on the data up to its eve, scores nights in it, compares with what followed.
With --model, that model is judged instead; one that has seen a month is refused.")]
pub(super) struct EvalArguments {
    /// A month to hold out; may be given several times
    #[arg(long, required = true, num_args = 1.., value_name = "YYYY-MM")]
    pub(super) holdout: Vec<Month>,
    /// Days between two scored nights, 1 to 31
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=31), value_name = "DAYS")]
    pub(super) every: u32,
    /// Judge this model (an id of the registry or a file) instead of training one a month
    #[arg(long, env = "OKUO_MODEL", value_name = "ID|FILE")]
    pub(super) model: Option<String>,
    /// Also score every night of the months and say how its offers would have fared: mailings a visit,
    /// repeats, and what was bought in time
    #[arg(long)]
    pub(super) offers: bool,
    #[command(flatten)]
    _registry: RegistryFlags,
    #[command(flatten)]
    pub(super) common: Common,
}

#[derive(Debug, Args)]
pub(super) struct ModelsArguments {
    #[command(subcommand)]
    pub(super) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
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
    /// All promotions: from which model to which, and why
    History(RegistryArguments),
    /// Go back to the model that was promoted before the present one
    Rollback(RegistryArguments),
    /// Remove a model; the promoted one is never removed
    Delete {
        /// The model's id
        id: String,
        /// Remove it although a rollback would need it
        #[arg(long)]
        force: bool,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        registry: RegistryArguments,
    },
    /// Remove old models, but for the promoted one and the one that a rollback would need
    Prune {
        /// How many of the newest models are kept, at least 1
        #[arg(long, value_name = "N")]
        keep: usize,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        registry: RegistryArguments,
    },
}

#[derive(Debug, Args)]
pub(super) struct RegistryArguments {
    #[command(flatten)]
    pub(super) flags: RegistryFlags,
    /// Configuration file [default: okuo.toml, if it exists]
    #[arg(long, env = "OKUO_CONFIG", value_name = "FILE")]
    pub(super) config: Option<String>,
    /// Print one JSON document instead of tables
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  okuo simulate --output tickets.parquet --customers 5000 --days 365 --seed 7 --truth truth.json
  okuo simulate --output tickets.parquet --days 365 --until 2024-10-31
  okuo simulate --output tickets.parquet --days 365 --until 2024-11-07 \\
      --campaign nightly/ --uplift overdue=0.15,new=0.02

With --campaign, customers react to the offers that `okuo score` published for the same simulated
tickets: what they buy because of them is added, and nothing else changes. So a campaign is
simulated night by night: score a night, then simulate up to the next day. What the offers brought in
truth is printed.")]
pub(super) struct SimulateArguments {
    /// File to write: .csv, .csv.gz or .parquet; local or s3://
    #[arg(long, short, value_name = "URI")]
    pub(super) output: String,
    /// Kind of store: grocery, dense, sparse, seasonal, drifting or promotions
    #[arg(long, default_value = "grocery", value_name = "STYLE")]
    pub(super) style: String,
    /// How many customers
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub(super) customers: u32,
    /// How many products
    #[arg(long, default_value_t = 3_000, value_name = "N")]
    pub(super) products: u32,
    /// The first day
    #[arg(long, default_value = "2024-01-01", value_name = "DATE")]
    pub(super) start: Day,
    /// How many days the store's history has
    #[arg(long, default_value_t = 366, value_name = "N")]
    pub(super) days: u32,
    /// The last day to write, of the same history [default: its last day]
    #[arg(long, value_name = "DATE")]
    pub(super) until: Option<Day>,
    /// Everything random follows from it
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(super) seed: u64,
    /// Write times as naive UTC of a store in this zone
    #[arg(long, value_name = "ZONE")]
    pub(super) utc_zone: Option<String>,
    /// Also write the truth behind the tickets to this .json or .csv file
    #[arg(long, value_name = "URI")]
    pub(super) truth: Option<String>,
    /// Customers react to the offers that are published here: the --output of `okuo score`
    #[arg(long, value_name = "URI")]
    pub(super) campaign: Option<String>,
    /// Probability that a customer who would not have bought the product of an offer while it is valid
    /// buys it because of the offer, by strategy: likely, overdue, winback or new
    #[arg(
        long,
        value_delimiter = ',',
        requires = "campaign",
        value_name = "STRATEGY=P"
    )]
    pub(super) uplift: Vec<String>,
    /// Share of those who react that come for the offer if they would not have come while it is valid
    #[arg(
        long,
        default_value_t = 0.0,
        requires = "campaign",
        value_name = "SHARE"
    )]
    pub(super) uplift_come: f64,
    /// Customer by customer instead of by time: memory does not grow with the number of customers
    #[arg(long)]
    pub(super) by_customer: bool,
    #[command(flatten)]
    pub(super) screen: Screen,
}

#[derive(Debug, Args)]
#[command(after_help = "\
It needs no data and no network and takes less than a minute on two cores: a year of simulated
tickets is built in. It trains on the first ten months, evaluates on the last two, scores the last
night, and says where model and tables lie.")]
pub(super) struct DemoArguments {
    /// Where the demo's models and predictions go
    #[arg(long, short, default_value = "out/demo", value_name = "FOLDER")]
    pub(super) output: String,
    #[command(flatten)]
    pub(super) screen: Screen,
}
