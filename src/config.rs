//! What was typed becomes something checked: okuo.toml < `OKUO_*` environment < flags. Nothing
//! below sees a raw flag.
//!
//! A setting is declared once, with [`section!`](crate::settings), in the struct of its table:
//! `[columns]`, `[input]` and the top of the file in `sections`, `[rule]`, `[offers]` and
//! `[training]` beside the code that they are for. [`declared`] lists all settings with what
//! follows from their places, [`flags`] makes arguments of them, and a [`Layer`] has what was
//! given, key by key, with its source. Layers are put over each other and then checked, once.

mod declared;
pub mod flags;
mod layer;
mod sections;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use declared::{DeclaredSetting, SettingFlag, declared, keys};
pub use layer::{Layer, SettingInForce, Source};
pub use sections::{AllSettings, ColumnSettings, InputSettings, MemorySize};

use crate::calendar::StoreClock;
use crate::error::{Error, Result};
use crate::ingest::{ColumnNames, InputOptions};
use crate::models::Parameters;
use crate::offers::OfferParameters;
use crate::publish::promotion::PromotionPolicy;
use crate::recurrence::Rule;

/// The name of the configuration file that is read if none is named.
pub const FILE_NAME: &str = "okuo.toml";

/// How many days of history are looked at by default: two of each season.
pub const HISTORY_DAYS: u32 = 730;

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
        Ok(Self {
            inputs: input.paths,
            input: InputOptions {
                columns: checked_columns(columns)?,
                clock: StoreClock::new(&input.time_zone, input.utc, input.day_start)?,
                exclude_products: input.exclude_products,
                max_bad_share: input.max_bad_share,
            },
            history_days: input.history_days,
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
