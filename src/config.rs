//! What was typed becomes something checked: okuo.toml < `OKUO_*` environment < flags. Nothing
//! below sees a raw flag.
//!
//! A setting is declared once, with [`section!`](crate::settings), in the struct of its table:
//! `[columns]`, `[input]` and the top of the file here; `[rule]`, `[offers]` and `[training]` in
//! the rooms that they are for. [`declared`] lists all settings with what follows from their
//! places, [`flags`] makes arguments of them, and a [`Layer`] has what was given, key by key, with
//! its source. Layers are put over each other and then checked, once.

mod declared;
pub mod flags;
mod layer;
#[cfg(test)]
mod tests;
mod values;

use serde::Serialize;

pub use declared::{DeclaredSetting, SettingFlag, declared, keys};
pub use layer::{Layer, SettingInForce, SettingSource};
pub use values::MemorySize;

use crate::calendar::StoreClock;
use crate::error::{Error, Result};
use crate::ingest::{ColumnNames, InputOptions};
use crate::models::Parameters;
use crate::offers::OfferParameters;
use crate::publish::promotion::PromotionPolicy;
use crate::recurrence::Rule;
use crate::settings::{Allowed, Scope, section};

/// The name of the configuration file that is read if none is named.
pub const FILE_NAME: &str = "okuo.toml";

/// How many days of history are looked at by default: two of each season.
pub const HISTORY_DAYS: u32 = 730;

section! {
    /// Everything that okuo.toml may say.
    pub struct AllSettings {
        /// What the columns of the tickets are called
        #[setting(
            default = ColumnSettings::default(),
            flag(Scope::Tickets),
            heading("Input")
        )]
        pub columns: ColumnSettings,
        /// Where the tickets are, and how they are read
        #[setting(default = InputSettings::default(), flag(Scope::Tickets), heading("Input"))]
        pub input: InputSettings,
        /// Which customers are recurrent
        #[setting(default = Rule::default(), flag(Scope::Tickets), heading("Recurrence rule"))]
        pub rule: Rule,
        /// Which likely products are offered, to whom and when
        #[setting(default = OfferParameters::default())]
        pub offers: OfferParameters,
        /// How models are fitted
        #[setting(default = Parameters::default())]
        pub training: Parameters,
        /// Registry of models: a folder or prefix, local or s3://
        #[setting(default = "models".into(), flag(Scope::Registry), value("URI"))]
        pub registry: String,
        /// Where the night's tables are published: a folder or prefix, local or s3://
        #[setting(default = None, flag(Scope::Publishing), short('o'), value("URI"))]
        pub output: Option<String>,
        /// When a new model replaces the promoted one: if-better, always or never
        #[setting(
            default = PromotionPolicy::default(),
            flag(Scope::Training),
            value("WHEN")
        )]
        pub promote: PromotionPolicy,
        /// Number of threads; results do not depend on it
        #[setting(
            default = None,
            default_note("one a core"),
            allowed(Allowed::Between(1.0, 1_024.0)),
            flag(Scope::Computing),
            value("N"),
            hint("leave it out for one a core; results do not depend on it")
        )]
        pub threads: Option<usize>,
        /// Memory that the history may take, such as 4GB, at least 100MB. A larger history is set
        /// aside in TMPDIR and read part by part
        #[setting(
            default = None,
            default_note("as much as it needs"),
            allowed(Allowed::AtLeast(1e8)),
            flag(Scope::Tickets),
            value("SIZE"),
            hint("write a number and a unit, such as 4GB or 512MiB; without it, a history takes as much memory as it needs")
        )]
        pub memory_limit: Option<MemorySize>,
    }
}

section! {
    /// `[columns]`.
    pub struct ColumnSettings {
        /// Column of the customer's id
        #[setting(default = ColumnNames::default().customer, value("COLUMN"))]
        pub customer: String,
        /// Column of the product's id
        #[setting(default = ColumnNames::default().product, value("COLUMN"))]
        pub product: String,
        /// Column of the time
        #[setting(default = ColumnNames::default().time, value("COLUMN"))]
        pub time: String,
        /// Column of the quantity; lines of 0 or less are returns
        #[setting(default = None, default_note("quantity, if it exists"), value("COLUMN"))]
        pub quantity: Option<String>,
    }
}

section! {
    /// `[input]`.
    pub struct InputSettings {
        /// Tickets: a file, a folder, a prefix (all .csv, .csv.gz, .csv.zst and .parquet below it) or a
        /// glob; local or s3://
        #[setting(default = vec![], long("input"), short('i'), value("URI"), spaces(), first())]
        pub paths: Vec<String>,
        /// Time zone of the store, such as America/New_York: it decides on which day a sale falls
        #[setting(default = "UTC".into(), value("ZONE"))]
        pub time_zone: String,
        /// Times without a zone are UTC, not store-local
        #[setting(default = false, value("BOOL"))]
        pub utc: bool,
        /// Hour at which the store's day begins: earlier sales belong to the day before
        #[setting(
            default = 0,
            allowed(Allowed::Between(0.0, 23.0)),
            value("HOUR"),
            hint("sales before this hour belong to the day before: 4 where the till closes after midnight, else 0")
        )]
        pub day_start: u8,
        /// Largest share of bad lines that is accepted
        #[setting(
            default = 0.001,
            allowed(Allowed::SHARE),
            value("SHARE"),
            hint("it is a share: 0.001 allows one bad line in a thousand")
        )]
        pub max_bad_share: f64,
        /// Days of history to use, at least 90: older lines are counted and left out
        #[setting(
            default = HISTORY_DAYS,
            // Tables have counts of 90 days.
            allowed(Allowed::Between(90.0, 36_500.0)),
            value("DAYS"),
            hint("it says how long ago a purchase may be to count; leave it out for two years")
        )]
        pub history_days: u32,
        /// Id of a product that does not count as a purchase, such as fuel or bags; may be given several
        /// times
        #[setting(default = vec![], long("exclude-product"), value("ID"))]
        pub exclude_products: Vec<String>,
    }
}

/// Everything that a command needs, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Files, folders, prefixes or globs.
    pub inputs: Vec<String>,
    /// How input is read.
    pub input: InputOptions,
    /// How many days up to a night are looked at.
    pub history_days: u32,
    /// The recurrence rule: what is given of it, the rest by default. A job that has a model takes
    /// the rest from that: see [`Config::for_model`].
    pub rule: Rule,
    /// How models are fitted.
    pub parameters: Parameters,
    /// How offers are made.
    pub offers: OfferParameters,
    /// Where models are.
    pub registry: String,
    /// Where predictions go.
    pub output: Option<String>,
    /// When a new model is promoted.
    pub promote: PromotionPolicy,
    /// Threads to compute on; `None` for one a core.
    pub threads: Option<usize>,
    /// How much memory a history may take, in bytes; `None` for as much as it needs.
    pub memory_limit: Option<u64>,
    /// What file, environment and flags say. All else above is default.
    pub given: Layer,
}

impl Config {
    /// Checks the settings that were given. Those that were not have their defaults.
    fn new(given: Layer) -> Result<Self> {
        let settings = given.values()?;
        settings.check_ranges("")?;
        let AllSettings {
            columns,
            input,
            rule,
            offers,
            training,
            registry,
            output,
            promote,
            threads,
            memory_limit,
        } = settings;
        let InputSettings {
            paths,
            time_zone,
            utc,
            day_start,
            max_bad_share,
            history_days,
            exclude_products,
        } = input;
        Ok(Self {
            inputs: paths,
            input: InputOptions {
                columns: checked_columns(columns)?,
                clock: StoreClock::new(&time_zone, utc, day_start)?,
                exclude_products,
                max_bad_share,
            },
            history_days,
            rule: rule.check()?,
            parameters: training.check()?,
            offers: offers.check()?,
            registry,
            output,
            promote,
            threads,
            memory_limit: memory_limit.as_ref().and_then(MemorySize::bytes),
            given,
        })
    }

    /// The same for a model, whose rule this is: what was not given of the rule is as in the
    /// model's. A rule that was put in the place of the checked one stays as it is.
    ///
    /// # Errors
    /// If what was given and the model's rule do not go together.
    pub fn for_model(&self, rule: Rule) -> Result<Self> {
        let mut config = self.clone();
        if self.rule == self.given.rule_on(Rule::default())? {
            config.rule = self.given.rule_on(rule)?.check()?;
        }
        Ok(config)
    }

    /// The inputs.
    ///
    /// # Errors
    /// If there is none.
    pub fn required_inputs(&self) -> Result<&[String]> {
        if self.inputs.is_empty() {
            return Err(Error::request("no input was named")
                .hint("give --input PATH (a file, a folder, a glob or s3://bucket/prefix), or [input] paths in okuo.toml"));
        }
        Ok(&self.inputs)
    }

    /// What a manifest keeps of it: nothing secret is in it.
    #[must_use]
    pub fn summary(&self) -> serde_json::Value {
        #[derive(Serialize)]
        struct Summary<'a> {
            inputs: &'a [String],
            customer: &'a str,
            product: &'a str,
            time: &'a str,
            quantity: &'a str,
            time_zone: &'a str,
            utc: bool,
            day_start: u8,
            history_days: u32,
            max_bad_share: f64,
            exclude_products: &'a [String],
            rule: Rule,
            offers: &'a OfferParameters,
        }
        let columns = &self.input.columns;
        serde_json::to_value(Summary {
            inputs: &self.inputs,
            customer: &columns.customer,
            product: &columns.product,
            time: &columns.time,
            quantity: &columns.quantity,
            time_zone: self.input.clock.zone(),
            utc: self.input.clock.utc(),
            day_start: self.input.clock.day_start(),
            history_days: self.history_days,
            max_bad_share: self.input.max_bad_share,
            exclude_products: &self.input.exclude_products,
            rule: self.rule,
            offers: &self.offers,
        })
        .unwrap_or_default()
    }
}

/// Refuses one column for two things.
fn checked_columns(columns: ColumnSettings) -> Result<ColumnNames> {
    let default = ColumnNames::default();
    let columns = ColumnNames {
        customer: columns.customer,
        product: columns.product,
        time: columns.time,
        quantity_required: columns.quantity.is_some(),
        quantity: columns.quantity.unwrap_or(default.quantity),
    };
    let mut roles = vec![
        ("customer", &columns.customer),
        ("product", &columns.product),
        ("time", &columns.time),
        ("quantity", &columns.quantity),
    ];
    while let Some((role, name)) = roles.pop() {
        if let Some((other, _)) = roles.iter().find(|(_, other)| *other == name) {
            return Err(Error::request(format!(
                "the column \"{name}\" cannot be both the {other} and the {role}"
            ))
            .hint(format!(
                "give each a column of its own with --{other} and --{role}, or under [columns]"
            )));
        }
    }
    Ok(columns)
}
