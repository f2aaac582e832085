//! The page of exit codes.

use super::{MarkdownTable, code, sentence};
use crate::error::ExitCode;

const INTRODUCTION: &str = "\
# Exit codes

How a run of okuo ended, for the scheduler that started it. Results go to stdout. Warnings, progress
and errors go to stderr. An error begins with `error:` and says what was wrong and where; most have a
line that begins with `hint:` and says what to do. Bad lines are listed by cause, a line each. A flag
that cannot be read is refused by the argument parser, in its own words.

With `--json`, an error is one line of JSON on stderr instead:
`{\"error\": {\"kind\", \"exit_code\", \"object\", \"row\", \"column\", \"what\", \"hint\",
\"measured\"}}`. What is not known is null. `kind` is `request`, `input`, `not_found`, `conflict`, `system`, `guard` or
`no_data`. `measured` says which okuo it was and how far the run
came: the stage, the seconds of each stage, the bytes that were read, and the most memory.

";

pub(super) fn page() -> String {
    let mut table = MarkdownTable::new(&["code", "meaning", "what to do"]);
    for exit in ExitCode::ALL {
        table.row(vec![
            code(&exit.number().to_string()),
            exit.meaning().to_owned(),
            sentence(exit.advice()),
        ]);
    }
    INTRODUCTION.to_owned() + &table.text()
}
