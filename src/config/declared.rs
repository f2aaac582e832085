//! All settings at their places in okuo.toml, with what follows from the place: the variable, the
//! flag and its help, the default.

use std::sync::LazyLock;

use super::AllSettings;
use crate::settings::{Scope, Setting};

/// A setting at its place in okuo.toml. Two tables may have the same keys with other defaults.
#[derive(Debug)]
pub struct DeclaredSetting {
    /// The table it stands in, dotted: `training.timing`; empty for the top of the file.
    pub section: String,
    /// Table and key, dotted: `training.timing.days`.
    pub path: String,
    /// What is declared of it.
    pub setting: &'static Setting,
    /// The default; `None` if there is none, or it is a table.
    pub default: Option<toml::Value>,
    /// The flag, if commands take it as one.
    pub flag: Option<SettingFlag>,
}

/// A setting as a flag of some commands.
#[derive(Debug)]
pub struct SettingFlag {
    /// The commands that take it.
    pub scope: Scope,
    /// The heading in the help that it stands under.
    pub heading: Option<&'static str>,
    /// Its name without the hyphens before it: `time-zone`.
    pub long: String,
    /// The variable of the environment that is read if the flag is not given: `OKUO_TIME_ZONE`.
    pub variable: String,
    /// What the help says of it.
    pub help: String,
}

/// All settings and the tables that they stand in, in the order of the file: the keys of a table
/// before the tables within it.
#[must_use]
pub fn declared() -> &'static [DeclaredSetting] {
    static DECLARED: LazyLock<Vec<DeclaredSetting>> = LazyLock::new(|| {
        // A test holds that the defaults can be written as TOML.
        let defaults = toml::Table::try_from(AllSettings::default()).unwrap_or_default();
        let mut declared = vec![];
        add_table("", AllSettings::SETTINGS, None, &defaults, &mut declared);
        declared
    });
    &DECLARED
}

/// All settings, without the tables that they stand in.
pub fn keys() -> impl Iterator<Item = &'static DeclaredSetting> {
    declared()
        .iter()
        .filter(|declared| declared.setting.table().is_none())
}

/// Adds the settings of a table; `table` is its own declaration, if it is not the whole file.
fn add_table(
    section: &str,
    settings: &'static [Setting],
    table: Option<&'static Setting>,
    defaults: &toml::Table,
    declared: &mut Vec<DeclaredSetting>,
) {
    let (tables, keys): (Vec<&Setting>, Vec<&Setting>) = settings
        .iter()
        .partition(|setting| setting.table().is_some());
    for setting in keys.into_iter().chain(tables) {
        let path = match section {
            "" => setting.key.to_owned(),
            _ => format!("{section}.{}", setting.key),
        };
        let default = defaults.get(setting.key);
        let is_key = setting.table().is_none();
        declared.push(DeclaredSetting {
            section: section.to_owned(),
            path: path.clone(),
            setting,
            default: default.filter(|_| is_key).cloned(),
            flag: SettingFlag::new(setting, table, default).filter(|_| is_key),
        });
        if let (Some(settings), Some(toml::Value::Table(defaults))) = (setting.table(), default) {
            add_table(&path, settings, Some(setting), defaults, declared);
        }
    }
}

impl SettingFlag {
    /// The flag of a setting in a table, if one of them says that commands take it.
    fn new(
        setting: &'static Setting,
        table: Option<&'static Setting>,
        default: Option<&toml::Value>,
    ) -> Option<Self> {
        let scope = setting.scope.or(table.and_then(|table| table.scope))?;
        let heading = setting.heading.or(table.and_then(|table| table.heading));
        let long = match setting.long {
            Some(long) => long.to_owned(),
            None => setting.key.replace('_', "-"),
        };
        let help = match default_in_help(setting, default) {
            Some(default) => format!("{} [default: {default}]", setting.meaning()),
            None => setting.meaning(),
        };
        Some(Self {
            scope,
            heading,
            variable: format!("OKUO_{}", long.replace('-', "_").to_uppercase()),
            long,
            help,
        })
    }
}

/// The default as the help has it. That a switch is off and a list empty goes without saying.
fn default_in_help(setting: &Setting, default: Option<&toml::Value>) -> Option<String> {
    let value = match default {
        None | Some(toml::Value::Boolean(false)) => None,
        Some(toml::Value::Array(values)) if values.is_empty() => None,
        Some(toml::Value::String(text)) => Some(text.clone()),
        Some(value) => Some(value.to_string()),
    };
    let words: Vec<String> = value
        .into_iter()
        .chain(setting.default_note.map(str::to_owned))
        .collect();
    (!words.is_empty()).then(|| words.join(", "))
}
