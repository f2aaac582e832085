//! Settings as flags of clap, and below them variables of the environment.

use clap::builder::{BoolValueParser, StringValueParser, TypedValueParser, ValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::declared::{DeclaredSetting, SettingFlag, keys};
use super::layer::{Layer, SettingSource};
use crate::settings::{Scope, ValueKind};

/// The settings of a scope as arguments of a command.
macro_rules! flags {
    ($($(#[doc = $doc:literal])* $name:ident: $scope:ident;)+) => {$(
        $(#[doc = $doc])*
        ///
        /// Flattened into a command's arguments, it adds the flags, and has afterwards what they
        /// and the environment say of all settings that the command takes.
        #[derive(Debug, Clone)]
        pub struct $name {
            /// What flags and environment say.
            pub given: Layer,
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                command.args(arguments(Scope::$scope))
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self { given: given(matches) })
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    )+};
}

flags! {
    /// What is read, and who is recurrent.
    TicketFlags: Tickets;
    /// Where models are.
    RegistryFlags: Registry;
    /// How a model is trained and promoted.
    TrainingFlags: Training;
    /// Where a night is published.
    PublishingFlags: Publishing;
    /// How is computed.
    ComputingFlags: Computing;
}

/// The flags of a scope.
fn arguments(scope: Scope) -> impl Iterator<Item = Arg> {
    keys().filter_map(move |declared| {
        let flag = declared.flag.as_ref()?;
        (flag.scope == scope).then(|| argument(declared, flag))
    })
}

fn argument(declared: &'static DeclaredSetting, flag: &'static SettingFlag) -> Arg {
    let setting = declared.setting;
    let argument = Arg::new(flag.variable.as_str())
        .long(flag.long.as_str())
        .short(setting.short)
        .env(flag.variable.as_str())
        .value_name(setting.value_name)
        .help(flag.help.as_str())
        .help_heading(flag.heading)
        .value_parser(value_parser(setting.kind));
    let argument = match setting.first {
        true => argument.display_order(0),
        false => argument,
    };
    match setting.kind {
        ValueKind::Whole(..) | ValueKind::Number => argument.allow_negative_numbers(true),
        ValueKind::Switch => argument.num_args(0..=1).default_missing_value("true"),
        ValueKind::Texts if setting.spaces => argument.action(ArgAction::Append).num_args(1..),
        ValueKind::Texts if setting.undivided => argument.action(ArgAction::Append),
        ValueKind::Texts => argument
            .action(ArgAction::Append)
            .value_delimiter(',')
            .allow_negative_numbers(true),
        _ => argument,
    }
}

/// Reads a value of a type as one of TOML. clap's own parsers say what is wrong with it.
fn value_parser(kind: ValueKind) -> ValueParser {
    match kind {
        ValueKind::Whole(least, most) => clap::value_parser!(i64)
            .range(least..=most)
            .map(toml::Value::Integer)
            .into(),
        ValueKind::Number => StringValueParser::new()
            .try_map(|text| text.parse().map(toml::Value::Float))
            .into(),
        ValueKind::Switch => BoolValueParser::new().map(toml::Value::Boolean).into(),
        ValueKind::Choice { check, .. } => StringValueParser::new()
            .try_map(move |text| check(&text).map(|()| toml::Value::String(text)))
            .into(),
        ValueKind::Text | ValueKind::Texts | ValueKind::Size | ValueKind::Table(_) => {
            StringValueParser::new().map(toml::Value::String).into()
        }
    }
}

/// What a command was given: of each setting that has a flag there, by the flag or the environment.
fn given(matches: &ArgMatches) -> Layer {
    let mut layer = Layer::default();
    for declared in keys() {
        let Some(flag) = &declared.flag else { continue };
        // A command that does not take the flag does not know its name.
        let Ok(Some(values)) = matches.try_get_many::<toml::Value>(&flag.variable) else {
            continue;
        };
        let source = match matches.value_source(&flag.variable) {
            Some(ValueSource::EnvVariable) => SettingSource::Variable(flag.variable.clone()),
            _ => SettingSource::Flag(flag.long.clone()),
        };
        if let Some(value) = value(declared, values.cloned().collect(), &source) {
            layer.set(declared, value, source);
        }
    }
    layer
}

/// The value of a setting, which may be a list.
fn value(
    declared: &DeclaredSetting,
    mut values: Vec<toml::Value>,
    source: &SettingSource,
) -> Option<toml::Value> {
    if !matches!(declared.setting.kind, ValueKind::Texts) {
        return values.pop();
    }
    // The environment has one text for all of them; a flag may name a path with a space in it.
    if declared.setting.spaces && matches!(source, SettingSource::Variable(_)) {
        let texts = values.iter().filter_map(toml::Value::as_str);
        values = texts
            .flat_map(str::split_whitespace)
            .map(toml::Value::from)
            .collect();
    }
    (!values.is_empty()).then_some(toml::Value::Array(values))
}
