//! What was typed becomes something checked: okuo.toml < OKUO_* environment < flags. Nothing below
//! sees a raw flag.
//!
//! clap reads flags and, below them, the environment; what neither gives is taken from the file,
//! then from the defaults.

use std::ops::RangeInclusive;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::calendar::StoreClock;
use crate::error::{Error, Result};
use crate::ingest::{ColumnNames, InputOptions};
use crate::models::Parameters;
use crate::offers::OfferParameters;
use crate::publish::promotion::PromotionPolicy;
use crate::recurrence::Rule;
use crate::suggest;

/// The name of the configuration file that is read where none is named.
pub const FILE_NAME: &str = "okuo.toml";

/// Largest share of bad lines where nothing else is said.
pub const MAX_BAD_SHARE: f64 = 0.001;

/// So many days of history are looked at where nothing else is said: two of each season.
pub const HISTORY_DAYS: u32 = 730;

/// What `history_days` may be: tables have counts of 90 days.
const HISTORY_RANGE: RangeInclusive<u32> = 90..=36_500;

/// In fewer bytes nothing can be done.
const LEAST_MEMORY: u64 = 100_000_000;

/// The sections of the file.
const SECTIONS: [&str; 10] = [
    "columns",
    "input",
    "rule",
    "offers",
    "training",
    "training.timing",
    "training.timing.boosting",
    "training.basket",
    "training.basket.boosting",
    "training.basket.correction",
];

/// Values that may come from a file or a flag; `None` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// `[columns]`.
    pub columns: ColumnsLayer,
    /// `[input]`.
    pub input: InputLayer,
    /// `[rule]`.
    pub rule: RuleLayer,
    /// `[training]`.
    pub training: Option<Parameters>,
    /// `[offers]`.
    pub offers: Option<OfferParameters>,
    /// Where models are.
    pub registry: Option<String>,
    /// Where predictions go.
    pub output: Option<String>,
    /// When a new model is promoted.
    pub promote: Option<PromotionPolicy>,
    /// Threads to compute on.
    pub threads: Option<usize>,
    /// How much memory a history may take, as text: `4 GB`; a number is one of bytes.
    #[serde(deserialize_with = "size_or_text")]
    pub memory_limit: Option<String>,
}

/// `[columns]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ColumnsLayer {
    /// Column of the customer's id.
    pub customer: Option<String>,
    /// Column of the product's id.
    pub product: Option<String>,
    /// Column of the time.
    pub time: Option<String>,
    /// Column of the quantity.
    pub quantity: Option<String>,
}

/// `[input]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InputLayer {
    /// Files, folders, prefixes or globs.
    pub paths: Option<Vec<String>>,
    /// The store's time zone.
    pub time_zone: Option<String>,
    /// Whether naive times are UTC.
    pub utc: Option<bool>,
    /// The hour at which the store's day begins.
    pub day_start: Option<u8>,
    /// Largest share of bad lines.
    pub max_bad_share: Option<f64>,
    /// How many days before a night are looked at.
    pub history_days: Option<u32>,
    /// Products that are no purchase.
    pub exclude_products: Option<Vec<String>>,
}

/// `[rule]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleLayer {
    /// See [`Rule::period_days`].
    pub period_days: Option<u32>,
    /// See [`Rule::periods`].
    pub periods: Option<u32>,
    /// See [`Rule::min_purchases`].
    pub min_purchases: Option<u32>,
    /// See [`Rule::min_products`].
    pub min_products: Option<u32>,
    /// See [`Rule::basket_share`].
    pub basket_share: Option<f64>,
}

impl RuleLayer {
    /// A rule with the values that this layer gives.
    #[must_use]
    pub fn on(&self, rule: Rule) -> Rule {
        Rule {
            period_days: self.period_days.unwrap_or(rule.period_days),
            periods: self.periods.unwrap_or(rule.periods),
            min_purchases: self.min_purchases.unwrap_or(rule.min_purchases),
            min_products: self.min_products.unwrap_or(rule.min_products),
            basket_share: self.basket_share.unwrap_or(rule.basket_share),
        }
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
    /// The recurrence rule.
    pub rule: Rule,
    /// What file, environment and flags say of the rule: the rest is the model's, where there is
    /// one.
    pub rule_layer: RuleLayer,
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
}

impl Layer {
    /// Reads a file's text; `name` stands in messages.
    ///
    /// # Errors
    /// If it is not TOML, or has an unknown key or a value of the wrong type.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let wrong = |error: toml::de::Error| {
            let line = error
                .span()
                .map(|span| 1 + text.get(..span.start).unwrap_or(text).matches('\n').count());
            let message = error.message();
            let place = line.map_or(String::new(), |line| format!("line {line}: "));
            let out = Error::request(format!("{place}{message}")).object(name);
            match (belongs_under(message), did_you_mean(message)) {
                (Some(section), _) => out.hint(section),
                (None, Some(nearest)) => out.hint(format!("did you mean \"{nearest}\"?")),
                (None, None) => out.hint("`okuo config` shows every key with its value"),
            }
        };
        let mut layer: Self = toml::from_str(text).map_err(wrong)?;
        // What a section leaves open is as in the defaults of that very model, at any depth: serde
        // alone would fill a nested table with the defaults of its type, which two models share.
        let table: toml::Table = toml::from_str(text).map_err(wrong)?;
        if let Some(given) = table.get("training") {
            let mut all = toml::Value::try_from(Parameters::default()).map_err(|error| {
                Error::system("the default parameters are no TOML").source(error)
            })?;
            merge(&mut all, &current_names(given));
            layer.training =
                Some(all.try_into().map_err(|error: toml::de::Error| {
                    Error::request(error.message()).object(name)
                })?);
        }
        Ok(layer)
    }

    /// This layer where it says something, else the one below.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            columns: ColumnsLayer {
                customer: self.columns.customer.or(below.columns.customer),
                product: self.columns.product.or(below.columns.product),
                time: self.columns.time.or(below.columns.time),
                quantity: self.columns.quantity.or(below.columns.quantity),
            },
            input: InputLayer {
                paths: self.input.paths.or(below.input.paths),
                time_zone: self.input.time_zone.or(below.input.time_zone),
                utc: self.input.utc.or(below.input.utc),
                day_start: self.input.day_start.or(below.input.day_start),
                max_bad_share: self.input.max_bad_share.or(below.input.max_bad_share),
                history_days: self.input.history_days.or(below.input.history_days),
                exclude_products: self.input.exclude_products.or(below.input.exclude_products),
            },
            rule: RuleLayer {
                period_days: self.rule.period_days.or(below.rule.period_days),
                periods: self.rule.periods.or(below.rule.periods),
                min_purchases: self.rule.min_purchases.or(below.rule.min_purchases),
                min_products: self.rule.min_products.or(below.rule.min_products),
                basket_share: self.rule.basket_share.or(below.rule.basket_share),
            },
            training: self.training.or(below.training),
            offers: self.offers.or(below.offers),
            registry: self.registry.or(below.registry),
            output: self.output.or(below.output),
            promote: self.promote.or(below.promote),
            threads: self.threads.or(below.threads),
            memory_limit: self.memory_limit.or(below.memory_limit),
        }
    }

    /// Checks every value.
    ///
    /// # Errors
    /// If one is out of its range or a time zone does not exist: before any byte of data is read.
    pub fn check(self) -> Result<Config> {
        let default = ColumnNames::default();
        let columns = ColumnNames {
            customer: self.columns.customer.unwrap_or(default.customer),
            product: self.columns.product.unwrap_or(default.product),
            time: self.columns.time.unwrap_or(default.time),
            quantity_required: self.columns.quantity.is_some(),
            quantity: self.columns.quantity.unwrap_or(default.quantity),
        };
        one_role_each(&columns)?;
        let max_bad_share = self.input.max_bad_share.unwrap_or(MAX_BAD_SHARE);
        if !(0.0..=1.0).contains(&max_bad_share) {
            return Err(Error::request(format!(
                "max_bad_share should be between 0 and 1, but is {max_bad_share}"
            ))
            .hint("it is a share: 0.001 allows one bad line in a thousand"));
        }
        let clock = StoreClock::new(
            self.input.time_zone.as_deref().unwrap_or("UTC"),
            self.input.utc.unwrap_or(false),
            self.input.day_start.unwrap_or(0),
        )?;
        let history_days = self.input.history_days.unwrap_or(HISTORY_DAYS);
        if !HISTORY_RANGE.contains(&history_days) {
            let (least, most) = (HISTORY_RANGE.start(), HISTORY_RANGE.end());
            return Err(Error::request(format!(
                "history_days should be between {least} and {most}, but is {history_days}"
            ))
            .hint("it says how long ago a purchase may be to count; leave it out for two years"));
        }
        let rule = self.rule.on(Rule::default()).check()?;
        Ok(Config {
            inputs: self.input.paths.unwrap_or_default(),
            input: InputOptions { columns, clock, exclude_products: self.input.exclude_products.unwrap_or_default(), max_bad_share },
            history_days,
            rule,
            rule_layer: self.rule,
            parameters: self.training.unwrap_or_default().check().map_err(|error| {
                error.hint("[training] says how models are fitted: leave the key out for its default, which `okuo config` shows without it")
            })?,
            offers: self.offers.unwrap_or_default().check().map_err(|error| {
                error.hint(
                    "in [offers] a share is a part of 1, as 0.1 for a tenth, and days are whole days; `okuo config` shows the defaults",
                )
            })?,
            registry: self.registry.unwrap_or_else(|| "models".to_owned()),
            output: self.output,
            promote: self.promote.unwrap_or_default(),
            threads: checked_threads(self.threads)?,
            memory_limit: self.memory_limit.as_deref().map(memory_limit).transpose()?,
        })
    }
}

/// Refuses one column for two things.
fn one_role_each(columns: &ColumnNames) -> Result<()> {
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
    Ok(())
}

/// A number of threads, if a machine can start so many.
///
/// # Errors
/// If it is 0 or more than 1024.
pub fn checked_threads(threads: Option<usize>) -> Result<Option<usize>> {
    match threads {
        Some(0 | 1_025..) => Err(Error::request(format!(
            "threads should be between 1 and 1024, but is {}",
            threads.unwrap_or_default()
        ))
        .hint("leave it out for one a core; results do not depend on it")),
        _ => Ok(threads),
    }
}

/// A size as text, which may be written as a number.
fn size_or_text<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "a size should be text, as \"4 GB\", or a number of bytes"
    )]
    enum Size {
        Bytes(u64),
        Text(String),
    }
    Ok(Option::deserialize(deserializer)?.map(|size| match size {
        Size::Bytes(bytes) => bytes.to_string(),
        Size::Text(text) => text,
    }))
}

/// A limit of memory in bytes, from text like `4 GB` or `512MiB`.
fn memory_limit(text: &str) -> Result<u64> {
    let hint = "write a number and a unit, as 4GB or 512MiB; without it, a history takes as much memory as it needs";
    let size: ByteSize = text.parse().map_err(|_| {
        Error::request(format!("memory_limit should be a size, but is \"{text}\"")).hint(hint)
    })?;
    match size.as_u64() {
        bytes if bytes >= LEAST_MEMORY => Ok(bytes),
        _ => Err(Error::request(format!(
            "memory_limit should be at least 100 MB, but is \"{text}\""
        ))
        .hint(hint)),
    }
}

/// Of an unknown key's message, "unknown field `a`, expected one of `b`, `c`", the key and the
/// expected ones.
fn unknown_key(message: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    Some((quoted.next()?, quoted))
}

/// Where an unknown key of that very name is known.
fn belongs_under(message: &str) -> Option<String> {
    let (unknown, _) = unknown_key(message)?;
    // What a section knows is asked of the parser itself, by a key that none has.
    let knows = |section: &str| {
        let probe = if section.is_empty() {
            "\"\" = 0".to_owned()
        } else {
            format!("[{section}]\n\"\" = 0")
        };
        let told = toml::from_str::<Layer>(&probe).err();
        told.is_some_and(|error| {
            unknown_key(error.message())
                .is_some_and(|(_, mut known)| known.any(|key| key == unknown))
        })
    };
    let found: Vec<String> = SECTIONS
        .into_iter()
        .filter(|section| knows(section))
        .map(|section| format!("[{section}]"))
        .collect();
    match found.as_slice() {
        [] => knows("").then(|| {
            format!("{unknown} belongs at the top of the file, above the first [section]")
        }),
        found => Some(format!("{unknown} belongs under {}", found.join(" or "))),
    }
}

/// Of an unknown key's message, the expected key that is nearest.
fn did_you_mean(message: &str) -> Option<&str> {
    let (unknown, expected) = unknown_key(message)?;
    suggest::nearest(unknown, expected, 0.0)
}

/// The same with the present names of parameters in the place of former ones.
fn current_names(given: &toml::Value) -> toml::Value {
    let toml::Value::Table(table) = given else {
        return given.clone();
    };
    let renamed = table.iter().map(|(key, value)| {
        let found = Parameters::RENAMED.iter().find(|(former, _)| former == key);
        let key = found.map_or(key.as_str(), |(_, current)| current);
        (key.to_owned(), current_names(value))
    });
    toml::Value::Table(renamed.collect())
}

/// Puts what is given over what is there, table by table.
fn merge(below: &mut toml::Value, above: &toml::Value) {
    match (below, above) {
        (toml::Value::Table(below), toml::Value::Table(above)) => {
            for (key, value) in above {
                match below.get_mut(key) {
                    Some(standing) => merge(standing, value),
                    None => {
                        below.insert(key.clone(), value.clone());
                    }
                }
            }
        }
        (below, above) => *below = above.clone(),
    }
}

impl Config {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(text: &str) -> Result<Layer> {
        Layer::parse("okuo.toml", text)
    }

    #[test]
    fn a_layer_above_wins_value_by_value() {
        let file = layer("registry = \"file\"\n[rule]\nbasket_share = 0.5\nperiods = 2\n[input]\npaths = [\"a\"]\nutc = true").unwrap();
        let flags = Layer {
            rule: RuleLayer {
                basket_share: Some(0.7),
                ..RuleLayer::default()
            },
            ..Layer::default()
        };
        let config = flags.over(file).check().unwrap();
        assert_eq!(
            (
                config.rule.basket_share,
                config.rule.periods,
                config.rule.period_days
            ),
            (0.7, 2, 30)
        );
        assert_eq!(
            (
                config.registry.as_str(),
                config.input.clock.utc(),
                config.rule_layer.period_days
            ),
            ("file", true, None)
        );
        let model = Rule {
            basket_share: 0.2,
            period_days: 7,
            ..Rule::default()
        };
        let on = config.rule_layer.on(model);
        assert_eq!(
            (on.basket_share, on.periods, on.period_days),
            (0.7, 2, 7),
            "what is not given stays the model's"
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest() {
        let error = layer("[rule]\nperiods = 3\nbasket_shere = 0.5\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("okuo.toml: line 3")
                && error.contains("basket_shere")
                && error.contains("did you mean \"basket_share\""),
            "{error}"
        );
        let error = layer("[rule]\nperiods = \"three\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 2"), "{error}");
        let error = layer("rule = 3").unwrap_err().to_string();
        assert!(
            error.contains("line 1") && error.contains("okuo config"),
            "{error}"
        );
    }

    #[test]
    fn a_nested_table_keeps_the_defaults_of_its_own_model() {
        let default = Parameters::default();
        let given = layer("[training.timing.boosting]\ntrees = 7")
            .unwrap()
            .training
            .unwrap();
        assert_eq!(
            given.timing.boosting,
            crate::models::boosting::BoostingParameters {
                trees: 7,
                ..default.timing.boosting
            }
        );
        assert_eq!(given.basket, default.basket);
        let error = layer("[training.timing.boosting]\ntree = 7")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 2") && error.contains("did you mean \"trees\""),
            "{error}"
        );
    }

    #[test]
    fn values_out_of_range_are_refused_before_anything_is_read() {
        let wrong = |text: &str| layer(text).unwrap().check().unwrap_err().to_string();
        assert!(
            wrong("memory_limit = \"4 apples\"")
                .contains("memory_limit should be a size, but is \"4 apples\"")
        );
        assert!(
            wrong("memory_limit = 1000")
                .contains("memory_limit should be at least 100 MB, but is \"1000\"")
        );
        assert!(
            layer("memory_limit = 1.5")
                .unwrap_err()
                .to_string()
                .contains("a size should be text")
        );
        assert_eq!(
            layer("memory_limit = 4000000000")
                .unwrap()
                .check()
                .unwrap()
                .memory_limit,
            Some(4_000_000_000)
        );
        assert!(
            wrong("memory_limit = \"1 MB\"").contains("memory_limit should be at least 100 MB")
        );
        assert!(wrong("threads = 0").contains("threads should be between 1 and 1024"));
        assert!(wrong("[input]\nmax_bad_share = 2.0").contains("between 0 and 1"));
        assert!(wrong("[input]\ntime_zone = \"America/New_Yrok\"").contains("America/New_York"));
        assert!(wrong("[rule]\nmin_products = 0").contains("min_products should be at least 1"));
        assert!(wrong("[training.basket]\nevery = 0").contains("every should be at least 1"));
    }

    #[test]
    fn a_key_in_the_wrong_place_is_told_the_right_one() {
        let hint = |text: &str| {
            layer(text)
                .unwrap_err()
                .to_string()
                .split_once("\nhint: ")
                .unwrap()
                .1
                .to_owned()
        };
        assert_eq!(
            hint("time_zone = \"Europe/Rome\""),
            "time_zone belongs under [input]"
        );
        assert_eq!(hint("seed = 3"), "seed belongs under [training]");
        assert_eq!(
            hint("[input]\nbasket_share = 0.5"),
            "basket_share belongs under [rule]"
        );
        assert_eq!(
            hint("depth = 3"),
            "depth belongs under [training.basket.correction]"
        );
        assert_eq!(
            hint("trees = 3"),
            "trees belongs under [training.timing.boosting] or [training.basket.boosting]"
        );
        assert_eq!(
            hint("[input]\nregistry = \"r\""),
            "registry belongs at the top of the file, above the first [section]"
        );
        for section in SECTIONS {
            Layer::parse("okuo.toml", &format!("[{section}]")).unwrap();
        }
    }

    #[test]
    fn one_column_has_one_role() {
        let error = layer("[columns]\ncustomer = \"x\"\ntime = \"x\"")
            .unwrap()
            .check()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("the column \"x\" cannot be both the customer and the time")
                && error.contains("--customer"),
            "{error}"
        );
        assert!(
            layer("[columns]\nproduct = \"quantity\"")
                .unwrap()
                .check()
                .is_err()
        );
    }

    #[test]
    fn every_range_error_has_a_hint() {
        for text in [
            "threads = 2000",
            "[input]\nday_start = 24",
            "[input]\nmax_bad_share = -1.0",
            "[rule]\nperiods = 0",
            "[rule]\nperiods = 4000",
            "[rule]\nbasket_share = 1.5",
            "[offers]\ncontrol_share = 2.0",
            "[offers]\nmin_valid_days = 40",
            "[offers]\nper_customer = 0",
            "[training.timing]\ndays = 4000",
            "[training.basket.boosting]\ntrees = 0",
        ] {
            let error = layer(text).unwrap().check().unwrap_err();
            assert!(
                error.exit_code() == 1 && error.to_string().contains("\nhint: "),
                "{text}: {error}"
            );
        }
    }

    /// The block of README's section on configuration says that it has every key, with its default
    /// where it has one.
    #[test]
    fn the_readme_has_every_key_with_its_default() {
        let readme = include_str!("../README.md");
        let block = readme
            .split_once("## Configuration")
            .unwrap()
            .1
            .split_once("```toml\n")
            .unwrap()
            .1
            .split_once("```")
            .unwrap()
            .0;
        let config = layer(block).unwrap().check().unwrap();
        let default = Layer::default().check().unwrap();
        let given: toml::Table = toml::from_str(block).unwrap();
        let sections = [
            ("rule", toml::Value::try_from(default.rule).unwrap()),
            ("offers", toml::Value::try_from(&default.offers).unwrap()),
            (
                "training",
                toml::Value::try_from(&default.parameters).unwrap(),
            ),
        ];
        for (section, all) in sections {
            assert_eq!(given[section], all, "[{section}]");
        }
        for section in ["", "columns", "input"] {
            let probe = if section.is_empty() {
                "\"\" = 0".to_owned()
            } else {
                format!("[{section}]\n\"\" = 0")
            };
            let message = toml::from_str::<Layer>(&probe)
                .unwrap_err()
                .message()
                .to_owned();
            let table = if section.is_empty() {
                &given
            } else {
                given[section].as_table().unwrap()
            };
            for key in unknown_key(&message).unwrap().1 {
                assert!(table.contains_key(key), "[{section}] {key}");
            }
        }
        // Examples stand where there is no default, or where nearly everyone needs another value.
        let clock = StoreClock::new("Europe/Rome", false, 0).unwrap();
        let columns = ColumnNames {
            quantity_required: true,
            ..default.input.columns.clone()
        };
        let expected = Config {
            inputs: vec!["s3://acme-tickets/lines/".into()],
            input: InputOptions {
                clock,
                columns,
                ..default.input.clone()
            },
            output: Some("s3://acme-predictions/okuo".into()),
            threads: Some(2),
            memory_limit: Some(8_000_000_000),
            rule_layer: config.rule_layer.clone(),
            ..default
        };
        assert_eq!(config, expected);
    }
}
