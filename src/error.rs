//! The one error of okuo: what was wrong, where (object, row, column), and what to do about it.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::record::Measured;
use crate::visible::visible_line;

/// Who has to act, which decides the exit code and whether a caller may retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What was asked for cannot be done: a flag, a date, a name that does not exist.
    Request,
    /// The data that were read are wrong.
    Input,
    /// An object or bucket that was named does not exist.
    NotFound,
    /// A conditional write lost: the object is already there, or has changed since it was read.
    Conflict,
    /// okuo, the disk, the network or a permission failed.
    System,
    /// A guard found the feed unlike what it was.
    Guard,
    /// What is to be read is not there yet, or no longer.
    NoData,
}

impl Kind {
    /// The exit code of a run that such an error ends.
    #[must_use]
    pub const fn exit_code(self) -> ExitCode {
        match self {
            Kind::Request | Kind::Input | Kind::NotFound => ExitCode::Refused,
            Kind::Conflict | Kind::System => ExitCode::Failed,
            Kind::Guard => ExitCode::Stopped,
            Kind::NoData => ExitCode::NoData,
        }
    }
}

/// How a run ended, for whoever started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// It did what was asked for.
    Done,
    /// What was asked for, or what was read, is wrong.
    Refused,
    /// okuo or what it runs on failed.
    Failed,
    /// A guard stopped it.
    Stopped,
    /// There is nothing to read yet.
    NoData,
    /// Somebody stopped it at the keyboard (SIGINT).
    Interrupted,
    /// The system stopped it (SIGTERM).
    Terminated,
}

impl ExitCode {
    /// All of them, by number.
    pub const ALL: [Self; 7] = [
        Self::Done,
        Self::Refused,
        Self::Failed,
        Self::Stopped,
        Self::NoData,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The process's exit code.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Refused => 1,
            Self::Failed => 2,
            Self::Stopped => 3,
            Self::NoData => 4,
            // 128 and the number of the signal, as shells have it.
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What it means, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "the input or the request was wrong",
            Self::Failed => "okuo or its surroundings (disk, network, permissions) failed",
            Self::Stopped => {
                "a guard found the feed unlike what it was, or published nights worse than promised"
            }
            Self::NoData => "there are no data yet",
            Self::Interrupted => "it was interrupted (SIGINT, Ctrl-C)",
            Self::Terminated => "it was told to end (SIGTERM)",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Done => "Nothing. Warnings, if there are any, are on stderr",
            Self::Refused => {
                "Fix what the message names: for example a flag, a value out of its range, a file or \
                 column that does not exist, too many bad lines. Do not retry: the same run would \
                 end the same way"
            }
            Self::Failed => {
                "Retry. If it fails again, check the disk, the network or the permission that the \
                 message names. A run also ends this way if another one wrote the same object at \
                 the same time. Nothing half-written was published"
            }
            Self::Stopped => {
                "Look at the feed: the message names each guard with its value and its limit. Nothing \
                 was published, and the night before still stands. Do not retry before the feed has \
                 changed. If the feed is right, run again with --force. `okuo monitor \
                 --fail-if-worse` ends so too: look at the figures that it names"
            }
            Self::NoData => {
                "Retry later, as a sensor does: the prefix, the folder or the glob has no tickets yet, \
                 the feed does not reach the night yet, or an object was removed while it was read. \
                 Nothing was published. If it stays so, look at the export and at --input"
            }
            Self::Interrupted | Self::Terminated => {
                "Start it again when it suits. It ended at once, its temporary files are removed, and \
                 nothing half-written was published"
            }
        }
    }
}

/// The result of everything in okuo that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with its place and a hint.
///
/// ```
/// use okuo::error::Error;
/// let error = Error::input("\"-\" is not a number").object("2017-11.csv").row(812).column("quantity").hint("map another column with --quantity");
/// assert_eq!(error.to_string(), "2017-11.csv: row 812, column \"quantity\": \"-\" is not a number\nhint: map another column with --quantity");
/// assert_eq!(error.exit_code(), 1);
/// ```
#[derive(Debug)]
pub struct Error(Box<ErrorDetails>);

/// Boxed, so that a `Result` stays as small as its value.
#[derive(Debug)]
struct ErrorDetails {
    kind: Kind,
    what: String,
    object: Option<String>,
    row: Option<u64>,
    column: Option<String>,
    hint: Option<String>,
    lacks_columns: bool,
    measured: Option<Measured>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self(Box::new(ErrorDetails {
            kind,
            what: what.into(),
            object: None,
            row: None,
            column: None,
            hint: None,
            lacks_columns: false,
            measured: None,
            source: None,
        }))
    }

    /// A guard found the feed unlike what it was.
    #[must_use]
    pub fn guard(what: impl Into<String>) -> Self {
        Self::new(Kind::Guard, what)
    }

    /// What was asked for cannot be done.
    #[must_use]
    pub fn request(what: impl Into<String>) -> Self {
        Self::new(Kind::Request, what)
    }

    /// The data that were read are wrong.
    #[must_use]
    pub fn input(what: impl Into<String>) -> Self {
        Self::new(Kind::Input, what)
    }

    /// Something that was named does not exist.
    #[must_use]
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, what)
    }

    /// What is to be read is not there yet, or no longer.
    #[must_use]
    pub fn no_data(what: impl Into<String>) -> Self {
        Self::new(Kind::NoData, what)
    }

    /// A conditional write lost.
    #[must_use]
    pub fn conflict(what: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, what)
    }

    /// okuo or its surroundings failed.
    #[must_use]
    pub fn system(what: impl Into<String>) -> Self {
        Self::new(Kind::System, what)
    }

    /// Names the object (file, URI) in which it happened. The innermost name stands.
    #[must_use]
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.0.object.get_or_insert(object.into());
        self
    }

    /// Names the row, counted from 1 as an editor or `LIMIT` counts data rows (the header is not
    /// counted).
    #[must_use]
    pub fn row(mut self, row: u64) -> Self {
        self.0.row.get_or_insert(row);
        self
    }

    /// Names the column.
    #[must_use]
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.0.column.get_or_insert(column.into());
        self
    }

    /// Says what the reader can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint.get_or_insert(hint.into());
        self
    }

    /// Says what the reader can do, in place of what was said before.
    #[must_use]
    pub fn hint_instead(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says first what else the reader can do, and then what was said before.
    #[must_use]
    pub fn advised_first(mut self, advice: &str) -> Self {
        self.0.hint = Some(match self.0.hint {
            Some(hint) => format!("{advice}\n      or {hint}"),
            None => advice.to_owned(),
        });
        self
    }

    /// Says that an object lacks a column: it may be another table than the one that is meant.
    #[must_use]
    pub fn for_lack_of_columns(mut self) -> Self {
        self.0.lacks_columns = true;
        self
    }

    /// Whether an object lacks a column.
    #[must_use]
    pub fn lacks_columns(&self) -> bool {
        self.0.lacks_columns
    }

    /// Keeps what was measured of the run that it ended. The innermost record stands.
    #[must_use]
    pub fn measured(mut self, measured: Measured) -> Self {
        self.0.measured.get_or_insert(measured);
        self
    }

    /// What was measured of the run that it ended, if that is known.
    #[must_use]
    pub fn record(&self) -> Option<&Measured> {
        self.0.measured.as_ref()
    }

    /// Keeps the error below; its text stands in the message once.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Who has to act.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What was wrong, without place and hint.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// What the reader can do, if that is known.
    #[must_use]
    pub fn advice(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The process's exit code: see [`ExitCode`].
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.kind().exit_code().number()
    }
}

impl Error {
    /// What was wrong, and the errors below.
    fn with_causes(&self) -> String {
        let mut text = self.0.what.clone();
        let mut below = self
            .0
            .source
            .as_deref()
            .map(|e| e as &(dyn std::error::Error + 'static));
        while let Some(error) = below {
            let cause = error.to_string();
            if !cause.is_empty() && !self.0.what.contains(&cause) {
                text = format!("{text}: {cause}");
            }
            below = error.source();
        }
        text
    }
}

/// As a document for machines: `kind`, `exit_code`, `object`, `row`, `column`, `what`, `hint`,
/// `measured`. What is not known is null.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Error", 8)?;
        document.serialize_field("kind", &self.kind())?;
        document.serialize_field("exit_code", &self.exit_code())?;
        document.serialize_field("object", &self.0.object)?;
        document.serialize_field("row", &self.0.row)?;
        document.serialize_field("column", &self.0.column)?;
        document.serialize_field("what", &self.with_causes())?;
        document.serialize_field("hint", &self.0.hint)?;
        document.serialize_field("measured", &self.0.measured)?;
        document.end()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(object) = &self.0.object {
            write!(f, "{}: ", visible_line(object))?;
        }
        let column = self.0.column.as_deref().map(visible_line);
        match (self.0.row, column) {
            (Some(row), Some(column)) => write!(f, "row {row}, column \"{column}\": ")?,
            (Some(row), None) => write!(f, "row {row}: ")?,
            (None, Some(column)) => write!(f, "column \"{column}\": ")?,
            (None, None) => {}
        }
        f.write_str(&self.with_causes())?;
        if let Some(hint) = &self.0.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
