//! The page of commands.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::{MarkdownTable, code, default_of, sentence};
use crate::cli::arguments::Arguments;
use crate::config::{DeclaredSetting, keys};

const INTRODUCTION: &str = "\
# Commands

What each command does and which flags it takes. `okuo COMMAND --help` prints the same. Most flags
are settings: they may be given in the environment or in okuo.toml instead, under the variable and
the key beside them. [Settings](settings.md) says more on those. [Exit codes](exit-codes.md) says
how a command ends.

";

const SHARED_INTRODUCTION: &str = "\
## Flags that several commands take

Each command above lists those that it takes.

";

/// A flag that this many commands take is described once for all of them.
const SHARED_BY: usize = 3;

const HEAD: [&str; 6] = ["flag", "meaning", "default", "range", "variable", "key"];

pub(super) fn page() -> String {
    let mut program = Arguments::command();
    program.build();
    let mut commands = vec![];
    leaves(&program, "okuo", &mut commands);
    let shared = shared_flags(&commands);
    let is_shared = |argument: &Arg| shared.iter().any(|flag| flag.get_id() == argument.get_id());
    let mut text = INTRODUCTION.to_owned();
    for (name, command) in &commands {
        text += &section(name, command, &is_shared);
    }
    text += SHARED_INTRODUCTION;
    text += &by_heading(&shared);
    text.trim_end().to_owned() + "\n"
}

/// The commands that do something, by their whole names: `okuo models list`.
fn leaves<'a>(command: &'a Command, name: &str, found: &mut Vec<(String, &'a Command)>) {
    for below in command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
    {
        let name = format!("{name} {}", below.get_name());
        match below.has_subcommands() {
            true => leaves(below, &name, found),
            false => found.push((name, below)),
        }
    }
}

/// The arguments of a command, but those that every program has.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let own = |argument: &&Arg| !["help", "version"].contains(&argument.get_id().as_str());
    command.get_arguments().filter(own)
}

/// The flags that several commands take, in the order in which the first of them has them.
fn shared_flags<'a>(commands: &[(String, &'a Command)]) -> Vec<&'a Arg> {
    let mut takers: BTreeMap<&str, usize> = BTreeMap::new();
    let all = || commands.iter().flat_map(|(_, command)| arguments(command));
    for argument in all().filter(|argument| !argument.is_positional()) {
        *takers.entry(argument.get_id().as_str()).or_default() += 1;
    }
    let mut shared = vec![];
    for argument in all() {
        let count = takers.remove(argument.get_id().as_str());
        if count.is_some_and(|count| count >= SHARED_BY) {
            shared.push(argument);
        }
    }
    shared
}

fn section(name: &str, command: &Command, is_shared: &dyn Fn(&Arg) -> bool) -> String {
    let about = command.get_about().map(ToString::to_string);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let mut text = format!(
        "## {name}\n\n{}\n\n```text\n{usage}\n```\n\n",
        sentence(&about.unwrap_or_default())
    );
    let (shared, own): (Vec<&Arg>, Vec<&Arg>) =
        arguments(command).partition(|argument| is_shared(argument));
    text += &table(own.into_iter());
    if !shared.is_empty() {
        let names: Vec<String> = shared.into_iter().map(link).collect();
        text += &format!("It also takes {}.\n\n", names.join(", "));
    }
    if let Some(after) = command.get_after_help() {
        text += &format!("```text\n{}\n```\n\n", after.to_string().trim());
    }
    text
}

/// A shared flag's name, which leads to where it is described.
fn link(argument: &Arg) -> String {
    let heading = argument.get_help_heading().unwrap_or(GENERAL);
    format!("[`--{}`](#{})", long(argument), anchor(heading))
}

fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

fn long(argument: &Arg) -> &str {
    argument.get_long().unwrap_or_default()
}

/// The heading of flags that stand under none in the help.
const GENERAL: &str = "General";

/// Flags in a table for each heading, in the order of their first ones.
fn by_heading(flags: &[&Arg]) -> String {
    let mut headings: Vec<&str> = vec![];
    for flag in flags {
        let heading = flag.get_help_heading().unwrap_or(GENERAL);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    let mut text = String::new();
    for heading in headings {
        let below = flags.iter().copied();
        let below = below.filter(|flag| flag.get_help_heading().unwrap_or(GENERAL) == heading);
        text += &format!("### {heading}\n\n{}", table(below));
    }
    text
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let mut table = MarkdownTable::new(&HEAD);
    for argument in arguments {
        let declared = keys().find(|declared| declared.path == argument.get_id().as_str());
        table.row(match declared {
            Some(declared) => row_of_setting(argument, declared),
            None => row_of_flag(argument),
        });
    }
    table.text()
}

fn row_of_setting(argument: &Arg, declared: &DeclaredSetting) -> Vec<String> {
    vec![
        written(argument),
        sentence(&declared.setting.meaning()),
        default_of(declared),
        declared.setting.range().unwrap_or_default(),
        variable(argument),
        code(&declared.path),
    ]
}

/// A flag that belongs to one call, and is no setting.
fn row_of_flag(argument: &Arg) -> Vec<String> {
    let help = argument
        .get_help()
        .map(ToString::to_string)
        .unwrap_or_default();
    // A default that is no value stands in the help, as it does for settings.
    let (meaning, words) = match help.split_once(" [default: ") {
        Some((meaning, words)) => (meaning, words.trim_end_matches(']')),
        None => (help.as_str(), ""),
    };
    let values = argument.get_default_values().iter();
    let values: Vec<String> = values.map(|value| code(&value.to_string_lossy())).collect();
    let default = match argument.get_action() {
        ArgAction::SetTrue => String::new(),
        _ if values.is_empty() => words.to_owned(),
        _ => values.join(", "),
    };
    let default = match argument.is_required_set() {
        true => "required".to_owned(),
        false => default,
    };
    vec![
        written(argument),
        sentence(meaning),
        default,
        String::new(),
        variable(argument),
        String::new(),
    ]
}

fn variable(argument: &Arg) -> String {
    let variable = argument.get_env().map(|name| name.to_string_lossy());
    variable.map(|name| code(&name)).unwrap_or_default()
}

/// A flag as it is written: `-i, --input <URI>...`.
fn written(argument: &Arg) -> String {
    let names: Vec<String> = argument
        .get_short()
        .map(|short| format!("-{short}"))
        .into_iter()
        .chain(argument.get_long().map(|long| format!("--{long}")))
        .collect();
    let takes_value = argument.get_action().takes_values();
    let value = argument.get_value_names().and_then(|names| names.first());
    let several = argument
        .get_num_args()
        .is_some_and(|range| range.max_values() > 1);
    let value = match value {
        Some(value) if takes_value => format!("<{value}>{}", if several { "..." } else { "" }),
        _ => String::new(),
    };
    code(format!("{} {value}", names.join(", ")).trim())
}
