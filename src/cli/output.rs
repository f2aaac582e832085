//! The only place that prints: results to stdout, everything else to stderr.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::Screen;
use crate::error::{Error, Result};

/// How a command speaks.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Results as one JSON document.
    pub json: bool,
    pub(super) verbose: bool,
    pub(super) quiet: bool,
}

impl Output {
    pub(super) fn new(screen: &Screen) -> Self {
        Self {
            json: screen.json,
            verbose: screen.verbose,
            quiet: screen.quiet,
        }
    }

    pub(super) fn plain() -> Self {
        Self {
            json: false,
            verbose: false,
            quiet: false,
        }
    }

    /// A result for people; nothing where JSON is wanted.
    ///
    /// # Errors
    /// If stdout cannot be written to; a reader that has gone away is no error.
    pub fn text(&self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { write_out(text) }
    }

    /// The result for machines, where it is wanted.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub fn document<T: Serialize>(&self, document: &T) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let text = serde_json::to_string_pretty(document)
            .map_err(|error| Error::system("the result cannot be written as JSON").source(error))?;
        write_out(&text)
    }

    /// What the user should know.
    pub fn warn(&self, text: &str) {
        if !self.quiet {
            write_err(&format!("warning: {text}"));
        }
    }

    /// What is good to know.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            write_err(text);
        }
    }

    /// A spinner on a terminal, lines with `--verbose`, else nothing.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let shown = !self.quiet && !self.verbose && std::io::stderr().is_terminal();
        let bar = if shown {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
            bar.set_style(style);
        }
        if shown {
            bar.enable_steady_tick(std::time::Duration::from_millis(100));
        }
        Progress {
            bar,
            lines: self.verbose,
        }
    }
}

/// Says what is being done.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    lines: bool,
}

impl Progress {
    /// What is done now.
    pub fn stage(&self, text: &str) {
        if self.lines {
            write_err(text);
        }
        self.bar.set_message(text.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn write_out(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::system("stdout cannot be written to").source(error))
        }
        _ => Ok(()),
    }
}

fn write_err(text: &str) {
    // Where stderr is gone there is nobody left to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// An error with its hint.
pub fn error(error: &Error) {
    write_err(&format!("error: {error}"));
}

/// What more there is to say of an error.
pub fn hint(text: &str) {
    write_err(&format!("hint: {text}"));
}

/// The message of a panic: a bug of okuo.
pub fn panic(what: &str) {
    write_err(&format!(
        "error: okuo failed inside: {what}\nhint: this is a bug; please report it with the command that you ran. Nothing half-written was published"
    ));
}
