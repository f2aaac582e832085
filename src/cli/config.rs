//! `okuo config`: the settings in force, and where each comes from.

use clap::parser::ValueSource;
use serde::Serialize;
use serde_json::json;

use super::output::Output;
use super::{ConfigArguments, Sources, file_text};
use crate::config::{Config, Layer};
use crate::error::{Error, Result};

/// The source of what nobody has set.
const DEFAULT: &str = "default";

/// One setting.
struct Setting {
    /// The section in the file, dotted; empty for the top.
    section: String,
    key: String,
    /// `None` where it has no default.
    value: Option<toml::Value>,
    source: String,
}

pub(super) async fn run(
    arguments: ConfigArguments,
    sources: &Sources,
    output: &Output,
) -> Result<()> {
    let above = Layer {
        output: arguments.output.clone(),
        ..arguments.training.layer()
    };
    let mut config = arguments.common.settings(above).await?;
    arguments.training.seed(&mut config);
    let file = match file_text(arguments.common.config.as_deref()).await? {
        Some((name, text)) => {
            let table = toml::from_str(&text)
                .map_err(|error| Error::request("it is no TOML").object(&name).source(error))?;
            Some((name, toml::Value::Table(table)))
        }
        None => None,
    };
    let settings = settings(&config, &|section, key, flag| {
        source(section, key, flag, sources, file.as_ref())
    })?;
    output.text(&text(&settings))?;
    let document = settings.iter().map(|setting| {
        let name = if setting.section.is_empty() {
            setting.key.clone()
        } else {
            format!("{}.{}", setting.section, setting.key)
        };
        (
            name,
            json!({ "value": setting.value, "source": setting.source }),
        )
    });
    output.document(&document.collect::<serde_json::Map<_, _>>())
}

/// A flag, a variable, the file, or the default.
fn source(
    section: &str,
    key: &str,
    flag: &str,
    sources: &Sources,
    file: Option<&(String, toml::Value)>,
) -> String {
    match sources.of_argument(flag) {
        Some(ValueSource::CommandLine) => return format!("--{}", flag.replace('_', "-")),
        Some(ValueSource::EnvVariable) => return format!("OKUO_{}", flag.to_uppercase()),
        _ => {}
    }
    let mut path = section
        .split('.')
        .filter(|part| !part.is_empty())
        .chain([key]);
    match file {
        Some((name, table)) if path.try_fold(table, |at, part| at.get(part)).is_some() => {
            name.clone()
        }
        _ => DEFAULT.to_owned(),
    }
}

/// Every setting in the order of the file; `source` is asked with section, key and the flag's name.
fn settings(config: &Config, source: &dyn Fn(&str, &str, &str) -> String) -> Result<Vec<Setting>> {
    let mut settings = vec![];
    let mut add = |section: &str, key: &str, flag: &str, value: Option<toml::Value>| {
        settings.push(Setting {
            section: section.into(),
            key: key.into(),
            value,
            source: source(section, key, flag),
        });
    };
    let text = |text: &str| Some(toml::Value::from(text));
    let texts = |texts: &[String]| {
        Some(toml::Value::Array(
            texts.iter().map(|text| text.as_str().into()).collect(),
        ))
    };
    add("", "registry", "registry", text(&config.registry));
    add(
        "",
        "output",
        "output",
        config.output.as_deref().and_then(text),
    );
    add("", "promote", "promote", Some(value(&config.promote)?));
    add(
        "",
        "threads",
        "threads",
        config.threads.map(|threads| value(&threads)).transpose()?,
    );
    // To the byte, so that it is the same when it is read again.
    let memory_limit = config.memory_limit.map(|bytes| match bytes % 1_000_000 {
        0 => format!("{}MB", bytes / 1_000_000),
        _ => format!("{bytes}B"),
    });
    add(
        "",
        "memory_limit",
        "memory_limit",
        memory_limit.as_deref().and_then(text),
    );
    let (columns, input) = (&config.input.columns, &config.input);
    for (key, column) in [
        ("customer", &columns.customer),
        ("product", &columns.product),
        ("time", &columns.time),
    ] {
        add("columns", key, key, text(column));
    }
    // A quantity that is not asked for may be missing in the data: a file that names it would
    // change that.
    add(
        "columns",
        "quantity",
        "quantity",
        columns
            .quantity_required
            .then(|| columns.quantity.as_str().into()),
    );
    add("input", "paths", "input", texts(&config.inputs));
    add("input", "time_zone", "time_zone", text(input.clock.zone()));
    add("input", "utc", "utc", Some(input.clock.utc().into()));
    add(
        "input",
        "day_start",
        "day_start",
        Some(i64::from(input.clock.day_start()).into()),
    );
    add(
        "input",
        "max_bad_share",
        "max_bad_share",
        Some(input.max_bad_share.into()),
    );
    add(
        "input",
        "history_days",
        "history_days",
        Some(i64::from(config.history_days).into()),
    );
    add(
        "input",
        "exclude_products",
        "exclude_product",
        texts(&input.exclude_products),
    );
    for (section, value) in [
        ("rule", value(&config.rule)?),
        ("offers", value(&config.offers)?),
        ("training", value(&config.parameters)?),
    ] {
        leaves(section, &value, &mut |section, key, value| {
            // Only the rule and the seed have flags.
            let flag = if section == "rule" || key == "seed" {
                key
            } else {
                ""
            };
            add(section, key, flag, Some(value.clone()));
        });
    }
    Ok(settings)
}

fn value(of: &impl Serialize) -> Result<toml::Value> {
    toml::Value::try_from(of)
        .map_err(|error| Error::system("a setting cannot be written as TOML").source(error))
}

/// Every value of a table, its own before those of the tables in it.
fn leaves(section: &str, table: &toml::Value, add: &mut dyn FnMut(&str, &str, &toml::Value)) {
    let Some(table) = table.as_table() else {
        return;
    };
    for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
        add(section, key, value);
    }
    for (key, value) in table.iter().filter(|(_, value)| value.is_table()) {
        leaves(&format!("{section}.{key}"), value, add);
    }
}

/// The settings as a file. What nobody has set stands in a comment: saved, it would be set, and
/// hide a later default or a model's rule.
fn text(settings: &[Setting]) -> String {
    let mut text = String::new();
    let mut section = "";
    for setting in settings {
        if setting.section != section {
            section = &setting.section;
            text.push_str(&format!("\n[{section}]\n"));
        }
        let line = match &setting.value {
            Some(value) if setting.source == DEFAULT => format!("# {} = {value}", setting.key),
            Some(value) => format!("{} = {value}", setting.key),
            None => format!("# {} =", setting.key),
        };
        text.push_str(&format!("{line:<48} # {}\n", setting.source));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_a_file_that_says_the_same() {
        let file = "registry = \"r\"\n[columns]\nquantity = \"n\"\n[input]\npaths = [\"a b\"]\nutc = true\n[rule]\nbasket_share = 0.5\n\
                    [training.timing.boosting]\ntrees = 7\n[offers]\nsalt = \"s\"";
        for file in ["", file] {
            let config = Layer::parse("okuo.toml", file).unwrap().check().unwrap();
            let printed = text(&settings(&config, &|_, _, _| "somewhere".into()).unwrap());
            let again = Layer::parse("printed", &printed).unwrap().check().unwrap();
            assert_eq!(
                Config {
                    rule_layer: config.rule_layer.clone(),
                    ..again
                },
                config,
                "{printed}"
            );
        }
    }
}
