//! The page of commands.

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::{MarkdownTable, code, default_of, range_of, sentence};
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

Each command above says which of them it takes.

";

/// A flag that this many commands take is described once for all of them.
const SHARED_BY: usize = 3;

const HEAD: [&str; 6] = ["flag", "meaning", "default", "range", "variable", "key"];

pub(super) fn page() -> String {
    let mut program = Arguments::command();
    program.build();
    let mut commands = vec![];
    add_commands(&program, "okuo", &mut commands);
    let shared = shared_flags(&commands);
    let mut text = INTRODUCTION.to_owned();
    for (name, command) in &commands {
        text += &section(name, command, &shared);
    }
    text += SHARED_INTRODUCTION;
    for heading in headings(&shared) {
        let flags = under(&shared, heading);
        text += &format!("### {heading}\n\n{}", table(&flags));
    }
    text
}

/// Adds the commands that do something, by their whole names: `okuo models list`.
fn add_commands<'a>(command: &'a Command, name: &str, found: &mut Vec<(String, &'a Command)>) {
    let below = command.get_subcommands();
    for command in below.filter(|command| command.get_name() != "help") {
        let name = format!("{name} {}", command.get_name());
        match command.has_subcommands() {
            true => add_commands(command, &name, found),
            false => found.push((name, command)),
        }
    }
}

/// The arguments of a command, but those that every program has.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let of_all = ["help", "version"];
    let arguments = command.get_arguments();
    arguments.filter(move |argument| !of_all.contains(&argument.get_id().as_str()))
}

/// Whether two commands have the same flag.
fn is_same(one: &Arg, other: &Arg) -> bool {
    one.get_id() == other.get_id() && help(one) == help(other)
}

fn help(argument: &Arg) -> String {
    let help = argument.get_help();
    help.map(ToString::to_string).unwrap_or_default()
}

/// The flags that several commands take, those first that are first under their headings.
fn shared_flags<'a>(commands: &[(String, &'a Command)]) -> Vec<&'a Arg> {
    let all: Vec<&Arg> = commands
        .iter()
        .flat_map(|(_, command)| arguments(command))
        .collect();
    let mut shared: Vec<&Arg> = vec![];
    for flag in all.iter().filter(|argument| !argument.is_positional()) {
        let takers = all.iter().filter(|other| is_same(flag, other)).count();
        if takers >= SHARED_BY && !shared.iter().any(|known| is_same(flag, known)) {
            shared.push(flag);
        }
    }
    shared.sort_by_key(|flag| !setting_of(flag).is_some_and(|declared| declared.setting.first));
    shared
}

/// The setting that a flag gives, if it is one.
fn setting_of(argument: &Arg) -> Option<&'static DeclaredSetting> {
    keys().find(|declared| {
        let flag = declared.flag.as_ref();
        flag.is_some_and(|flag| flag.variable == argument.get_id().as_str())
    })
}

fn section(name: &str, command: &Command, shared: &[&Arg]) -> String {
    let about = command.get_about().map(ToString::to_string);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let (shared, own): (Vec<&Arg>, Vec<&Arg>) =
        arguments(command).partition(|argument| shared.iter().any(|flag| is_same(argument, flag)));
    let mut text = format!(
        "## {name}\n\n{}\n\n```text\n{usage}\n```\n\n{}{}",
        sentence(&about.unwrap_or_default()),
        table(&own),
        also(&shared)
    );
    if let Some(after) = command.get_after_help() {
        text += &format!("```text\n{}\n```\n\n", after.to_string().trim());
    }
    text
}

/// The shared flags that a command takes: some by name, and all under a heading of their own.
fn also(shared: &[&Arg]) -> String {
    if shared.is_empty() {
        return String::new();
    }
    let general = under(shared, GENERAL).into_iter().filter_map(Arg::get_long);
    let names: Vec<String> = general.map(|long| code(&format!("--{long}"))).collect();
    let mut text = format!("Also the [general](#general) flags {}", names.join(", "));
    let others: Vec<String> = headings(shared)
        .into_iter()
        .filter(|heading| *heading != GENERAL)
        .map(|heading| format!("[{heading}](#{})", heading.to_lowercase().replace(' ', "-")))
        .collect();
    if !others.is_empty() {
        text += &format!(", and all flags under {}", others.join(" and "));
    }
    format!("{text}.\n\n")
}

/// The heading of flags that stand under none in the help.
const GENERAL: &str = "General";

fn heading_of(flag: &Arg) -> &str {
    flag.get_help_heading().unwrap_or(GENERAL)
}

/// The headings of flags, that of the general ones first.
fn headings<'a>(flags: &[&'a Arg]) -> Vec<&'a str> {
    let mut headings = vec![GENERAL];
    for flag in flags {
        if !headings.contains(&heading_of(flag)) {
            headings.push(heading_of(flag));
        }
    }
    headings
}

fn under<'a>(flags: &[&'a Arg], heading: &str) -> Vec<&'a Arg> {
    let flags = flags.iter().copied();
    flags.filter(|flag| heading_of(flag) == heading).collect()
}

fn table(arguments: &[&Arg]) -> String {
    let mut table = MarkdownTable::new(&HEAD);
    for argument in arguments {
        table.row(match setting_of(argument) {
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
        range_of(declared),
        variable(argument),
        code(&declared.path),
    ]
}

/// A flag that belongs to one call, and is no setting.
fn row_of_flag(argument: &Arg) -> Vec<String> {
    let help = help(argument);
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
    let count = argument.get_num_args().unwrap_or_default();
    let value = match value {
        Some(value) if takes_value && count.min_values() == 0 => format!("[<{value}>]"),
        Some(value) if takes_value && count.max_values() > 1 => format!("<{value}>..."),
        Some(value) if takes_value => format!("<{value}>"),
        _ => String::new(),
    };
    code(format!("{} {value}", names.join(", ")).trim())
}
