//! The only place that prints: results to stdout, everything else to stderr.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::funnel::lines_and_funnel;
use super::{Screen, log};
use crate::error::{Error, Result};
use crate::ingest::report::Report;
use crate::jobs::Progress;
use crate::recurrence::PopulationSummary;
use crate::store::InputObject;
use crate::visible::{visible, visible_json, visible_line};

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
        if self.json {
            Ok(())
        } else {
            write_out(&visible(text))
        }
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
        write_out(&visible_json(&text))
    }

    /// A summary for machines, where it is wanted, its keys in the order of the alphabet.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub fn summary<T: Serialize>(&self, summary: &T) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let document = serde_json::to_value(summary)
            .map_err(|error| Error::system("the result cannot be written as JSON").source(error))?;
        self.document(&document)
    }

    /// What the user should know.
    pub fn warn(&self, text: &str) {
        if !self.quiet {
            log::warn(text);
        }
    }

    /// What is good to know.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            log::note(text);
        }
    }

    /// What tells of a job's progress: a spinner on a terminal, lines with `--verbose`, else
    /// nothing but warnings.
    #[must_use]
    pub fn progress(&self) -> Terminal {
        Terminal {
            output: *self,
            spinner: OnceLock::new(),
        }
    }

    fn spinner(&self) -> ProgressBar {
        let shows_lines = self.quiet || self.verbose || log::is_json();
        if shows_lines || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
            spinner.set_style(style);
        }
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    }
}

/// Tells on the terminal how a job goes on.
#[derive(Debug)]
pub struct Terminal {
    output: Output,
    /// Turns from the first stage on.
    spinner: OnceLock<ProgressBar>,
}

impl Terminal {
    /// The job begins its next stage.
    pub fn stage(&self, text: &str) {
        // People see a spinner, or ask for lines; a log without stages tells little.
        if self.output.verbose || (log::is_json() && !self.output.quiet) {
            log::note(text);
        }
        log::enter_stage(text);
        self.show(text);
    }

    fn show(&self, text: &str) {
        self.spinner
            .get_or_init(|| self.output.spinner())
            .set_message(visible_line(text).into_owned());
    }

    /// Prints while no spinner is in the way.
    pub(super) fn print<T>(&self, print: impl FnOnce() -> T) -> T {
        match self.spinner.get() {
            Some(spinner) => spinner.suspend(print),
            None => print(),
        }
    }
}

impl Progress for Terminal {
    fn stage(&self, what: &str) {
        Terminal::stage(self, what);
    }

    fn object(&self, object: &InputObject, count: usize) {
        let text = format!("reading {} (of {count} objects)", visible_line(&object.uri));
        if self.output.verbose {
            log::detail(&text);
        }
        self.show(&text);
    }

    fn warning(&self, what: &str) {
        self.print(|| self.output.warn(what));
    }

    fn tickets(&self, lines: &Report, population: &PopulationSummary) -> Result<()> {
        // A stdout that cannot be written to does not decide what is published: whatever is printed
        // next fails as well.
        _ = self.print(|| self.output.text(&lines_and_funnel(lines, population)));
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(spinner) = self.spinner.get() {
            spinner.finish_and_clear();
        }
    }
}

fn write_out(text: &str) -> Result<()> {
    /// Why stdout could not be written to. What is printed after that would have a gap before it.
    static FAILURE: OnceLock<String> = OnceLock::new();
    let mut stdout = std::io::stdout().lock();
    if FAILURE.get().is_none()
        && let Err(error) =
            writeln!(stdout, "{}", text.trim_end_matches('\n')).and_then(|()| stdout.flush())
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        _ = FAILURE.set(error.to_string());
    }
    match FAILURE.get() {
        Some(failure) => Err(Error::system(format!(
            "stdout cannot be written to: {failure}"
        ))),
        None => Ok(()),
    }
}

/// An error with its hint; where JSON is wanted, as one line of it.
pub fn error(error: &Error, json: bool) {
    log::error(error, json);
}

/// The process ends because of a signal.
pub fn stopped(signal: &str) {
    log::end(&format!(
        "stopped by {signal}\nhint: nothing half-written was published; start it again"
    ));
}

/// What more there is to say of an error.
pub fn hint(text: &str) {
    log::note(&format!("hint: {text}"));
}

/// The message of a panic: a bug of okuo.
pub fn panic(what: &str) {
    log::end(&format!(
        "okuo failed inside: {what}\nhint: this is a bug; please report it with the command that you ran. Nothing half-written was published"
    ));
}
