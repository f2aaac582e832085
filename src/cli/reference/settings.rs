//! The page of settings.

use super::{MarkdownTable, code, default_of, range_of, sentence};
use crate::config::{DeclaredSetting, declared};

const INTRODUCTION: &str = "\
# Settings

Every key of okuo.toml. okuo looks for each setting in this order and takes the first that it finds:

1. the flag of the command,
2. the variable of the environment,
3. the file: okuo.toml in the present folder, or the one that `--config` names,
4. the default.

All values are checked before any ticket is read. `okuo config` prints the settings in force and
where each comes from. [Configure okuo](../how-to/configure.md) shows how to begin.

Keys that have a flag are named with it and its variable. [Commands](commands.md) says which command
takes which flag. The other keys stand in the file only.

## Top of the file

";

const HEAD: [&str; 6] = [
    "key",
    "type",
    "default",
    "range",
    "flag and variable",
    "meaning",
];

pub(super) fn page() -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut table = MarkdownTable::new(&HEAD);
    for setting in declared() {
        if setting.setting.table().is_some() {
            text += &table.text();
            table = MarkdownTable::new(&HEAD);
            let meaning = sentence(&setting.setting.meaning());
            text += &format!("## [{}]\n\n{meaning}\n\n", setting.path);
        } else {
            table.row(row(setting));
        }
    }
    text + &table.text()
}

fn row(declared: &DeclaredSetting) -> Vec<String> {
    let setting = declared.setting;
    let flag = declared.flag.as_ref().map(|flag| {
        let (long, variable) = (format!("--{}", flag.long), &flag.variable);
        format!("{}, {}", code(&long), code(variable))
    });
    vec![
        code(setting.key),
        setting.kind.words(),
        default_of(declared),
        range_of(declared),
        flag.unwrap_or_default(),
        meaning(declared),
    ]
}

/// What a setting means, and what it was once called.
fn meaning(declared: &DeclaredSetting) -> String {
    let mut text = sentence(&declared.setting.meaning());
    for former in declared.setting.former_keys {
        text += &format!(" Formerly `{former}`, which is still understood.");
    }
    text
}
