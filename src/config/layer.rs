//! What was given: okuo.toml, and above it the environment and the flags, key by key.

use std::collections::BTreeMap;
use std::fmt;

use super::declared::{DeclaredSetting, declared, keys};
use super::{AllSettings, Config};
use crate::error::{Error, Result};
use crate::recurrence::Rule;
use crate::suggest;

/// The settings that someone gave, by their places in okuo.toml, each with its source. What is not
/// in it is not given and has its default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layer(BTreeMap<String, GivenValue>);

/// A value and who gave it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GivenValue {
    pub(super) value: toml::Value,
    pub(super) source: SettingSource,
}

/// Where the value of a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SettingSource {
    /// Nobody has given it.
    #[default]
    Default,
    /// Nobody has given it: it is a limit of the control group, as this file says.
    ControlGroup(String),
    /// The file of this name.
    File(String),
    /// A variable of the environment.
    Variable(String),
    /// A flag, without the hyphens before it.
    Flag(String),
}

impl SettingSource {
    /// Whether someone has given it: what nobody gave may be otherwise on another machine, or in
    /// another version.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !matches!(self, Self::Default | Self::ControlGroup(_))
    }
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::ControlGroup(file) => write!(f, "control group ({file})"),
            Self::File(name) | Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A setting with the value that is in force.
#[derive(Debug)]
pub struct SettingInForce {
    /// Its place.
    pub declared: &'static DeclaredSetting,
    /// Its value; `None` if it has none.
    pub value: Option<toml::Value>,
    /// Who gave it.
    pub source: SettingSource,
}

impl Layer {
    /// Reads a file's text; `name` stands in messages.
    ///
    /// # Errors
    /// If it is not TOML, or has an unknown key or a value of the wrong type.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        // Reading all settings checks keys and types. What was given is the table itself.
        let table = toml::from_str::<AllSettings>(text)
            .and_then(|_| toml::from_str::<toml::Table>(text))
            .map_err(|error| refusal(name, text, &error))?;
        let mut layer = Self::default();
        for declared in keys() {
            if let Some(value) = value_in(&table, declared) {
                layer.set(
                    declared,
                    value.clone(),
                    SettingSource::File(name.to_owned()),
                );
            }
        }
        Ok(layer)
    }

    /// Gives a setting a value.
    pub(super) fn set(
        &mut self,
        declared: &DeclaredSetting,
        value: toml::Value,
        source: SettingSource,
    ) {
        let given = GivenValue { value, source };
        self.0.insert(declared.path.clone(), given);
    }

    /// This layer where it says something, else the one below.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let mut all = below.0;
        all.extend(self.0);
        Self(all)
    }

    /// Takes the text of a setting out of the layer, if a flag gave it.
    pub fn take_flag(&mut self, path: &str) -> Option<String> {
        match self.0.get(path)?.source {
            SettingSource::Flag(_) => match self.0.remove(path)?.value {
                toml::Value::String(text) => Some(text),
                // The last one, as of any flag that is given twice.
                toml::Value::Array(texts) => match texts.last()? {
                    toml::Value::String(text) => Some(text.clone()),
                    other => Some(other.to_string()),
                },
                other => Some(other.to_string()),
            },
            _ => None,
        }
    }

    /// The file that values come from, if any does.
    pub(super) fn file(&self) -> Option<&str> {
        self.0.values().find_map(|given| match &given.source {
            SettingSource::File(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether someone gave a setting, by its place in okuo.toml.
    pub(super) fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// If one is out of its range or a time zone does not exist: before any byte of data is read.
    pub fn check(self) -> Result<Config> {
        Config::new(self)
    }

    /// All settings, with the defaults for what is not given.
    pub(super) fn values(&self) -> Result<AllSettings> {
        self.on("", AllSettings::default())
    }

    /// The rule with what is given; the rest is as in `rule`.
    pub(super) fn rule_on(&self, rule: Rule) -> Result<Rule> {
        self.on("rule.", rule)
    }

    /// A table with what is given of it; the rest is as in `below`. `place` is the table with a
    /// dot, or nothing for the whole file.
    fn on<T>(&self, place: &str, below: T) -> Result<T>
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let mut table = toml::Table::try_from(below).map_err(not_toml)?;
        for (path, given) in &self.0 {
            if let Some(path) = path.strip_prefix(place) {
                put(&mut table, path, given.value.clone());
            }
        }
        table
            .try_into()
            .map_err(|error: toml::de::Error| Error::request(error.message()))
    }

    /// Every setting with its value and source, in the order of the file.
    ///
    /// # Errors
    /// If a value has the wrong type.
    pub fn in_force(&self) -> Result<Vec<SettingInForce>> {
        let values = toml::Table::try_from(self.values()?).map_err(not_toml)?;
        let in_force = keys().map(|declared| SettingInForce {
            declared,
            value: value_in(&values, declared).cloned(),
            source: self
                .0
                .get(&declared.path)
                .map_or(SettingSource::Default, |given| given.source.clone()),
        });
        Ok(in_force.collect())
    }
}

fn not_toml(error: toml::ser::Error) -> Error {
    Error::system("a setting cannot be written as TOML").source(error)
}

/// The value of a setting in a file, under its key or a former one.
fn value_in<'a>(file: &'a toml::Table, declared: &DeclaredSetting) -> Option<&'a toml::Value> {
    let sections = declared.section.split('.').filter(|name| !name.is_empty());
    let mut table = file;
    for name in sections {
        table = table.get(name)?.as_table()?;
    }
    let setting = declared.setting;
    let mut names = [setting.key]
        .into_iter()
        .chain(setting.former_keys.iter().copied());
    names.find_map(|name| table.get(name))
}

/// Puts a value at a dotted path.
fn put(table: &mut toml::Table, path: &str, value: toml::Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((name, rest)) => {
            if let Some(toml::Value::Table(below)) = table.get_mut(name) {
                put(below, rest, value);
            }
        }
    }
}

/// What is wrong with a file, where, and what was probably meant.
fn refusal(name: &str, text: &str, error: &toml::de::Error) -> Error {
    let line = error
        .span()
        .map(|span| 1 + text.get(..span.start).unwrap_or(text).matches('\n').count());
    let message = error.message();
    let place = line.map_or(String::new(), |line| format!("line {line}: "));
    let hint = unknown_key(message).and_then(|(unknown, expected)| {
        belongs_under(unknown).or_else(|| {
            let nearest = suggest::nearest(unknown, expected, 0.0)?;
            Some(format!("did you mean \"{nearest}\"?"))
        })
    });
    Error::request(format!("{place}{message}"))
        .object(name)
        .hint(hint.unwrap_or_else(|| "`okuo config` shows every key with its value".to_owned()))
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
fn belongs_under(unknown: &str) -> Option<String> {
    let known = declared()
        .iter()
        .filter(|declared| declared.setting.key == unknown);
    let (at_top, below): (Vec<_>, Vec<_>) = known.partition(|known| known.section.is_empty());
    let sections: Vec<String> = below
        .iter()
        .map(|known| format!("[{}]", known.section))
        .collect();
    match (at_top.as_slice(), sections.as_slice()) {
        ([], []) => None,
        (_, []) => Some(format!(
            "{unknown} belongs at the top of the file, above the first [section]"
        )),
        _ => Some(format!("{unknown} belongs under {}", sections.join(" or "))),
    }
}
