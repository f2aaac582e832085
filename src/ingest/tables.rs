//! What there is to read of an object: the object itself, the tables of an archive, or nothing.

use std::sync::Arc;

use futures::FutureExt;

use super::formats::{Access, Formats};
use super::kind;
use super::line_checker::LineChecker;
use super::report::LeftOut;
use super::source::{self, Source};
use super::{InputOptions, NeededDays};
use crate::error::{Error, Kind, Result};

/// What there is to read of an object.
#[derive(Debug, Default)]
pub(super) struct SourceTables {
    /// In the order in which they are read.
    pub(super) sources: Vec<Source>,
    pub(super) left_out: Vec<NoTable>,
}

/// What is not read, because it is no table with the columns.
#[derive(Debug)]
pub(super) struct NoTable {
    pub(super) left_out: LeftOut,
    /// What an object is told that was named as a table.
    pub(super) error: Error,
}

impl NoTable {
    pub(super) fn new(object: &str, why: impl Into<String>, error: Error) -> Self {
        Self {
            left_out: LeftOut {
                object: object.to_owned(),
                why: why.into(),
            },
            error: error.object(object),
        }
    }

    /// An object that is no table by its name.
    pub(super) fn by_name(object: &str) -> Option<Self> {
        let ending = kind::is_no_table_by_name(object)?;
        let error = Error::input(format!(
            "files that end with {ending} are not read from a folder"
        ))
        .hint("name the file itself if it is a table");
        Some(Self::new(object, format!("a {ending} file"), error))
    }
}

impl SourceTables {
    /// What there is to read of an object. `is_candidate` says that nobody named it as a table: what
    /// is none is left out, and no error. Waits for the store.
    ///
    /// # Errors
    /// If the object was named as a table and is none; if an archive is damaged or encrypted.
    pub(super) fn of(
        source: Source,
        is_candidate: bool,
        options: &InputOptions,
        formats: Formats,
    ) -> Result<Self> {
        if source.is_archive() {
            return Self::of_archive(source, is_candidate, options, formats);
        }
        let checked = if is_candidate {
            check_candidate(&source, options)
        } else {
            check_named(&source)
        };
        match checked {
            Ok(()) => Ok(Self {
                sources: vec![source.unpacked_for_its_format()?],
                left_out: vec![],
            }),
            Err(no_table) if is_candidate => Ok(Self {
                sources: vec![],
                left_out: vec![*no_table],
            }),
            Err(no_table) => Err(no_table.error),
        }
    }

    /// What there is to look at of an object, whatever its columns are called. Waits for the store.
    ///
    /// # Errors
    /// If it is no table; if an archive is damaged or encrypted, or has none.
    pub(super) fn to_look_at(source: Source, formats: Formats) -> Result<Vec<Source>> {
        if !source.is_archive() {
            check_text(&source).map_err(|no_table| no_table.error)?;
            return Ok(vec![source.unpacked_for_its_format()?]);
        }
        let (mut sources, mut left_out) = (vec![], vec![]);
        for member in source::members_of(&source)? {
            let name = format!("{}/{}", source.name(), member.name);
            if let Some(no_table) = NoTable::by_name(&name) {
                left_out.push(no_table);
                continue;
            }
            let member = source.member(member, formats)?;
            match check_text(&member) {
                Ok(()) => sources.push(member.unpacked_for_its_format()?),
                Err(no_table) => left_out.push(*no_table),
            }
        }
        match sources.is_empty() {
            true => Err(no_table_in(&source, left_out)),
            false => Ok(sources),
        }
    }

    fn of_archive(
        archive: Source,
        is_candidate: bool,
        options: &InputOptions,
        formats: Formats,
    ) -> Result<Self> {
        let mut tables = Self::default();
        for member in source::members_of(&archive)? {
            let name = member.name.clone();
            if let Some(no_table) = NoTable::by_name(&format!("{}/{name}", archive.name())) {
                tables.left_out.push(no_table);
                continue;
            }
            let member = archive.member(member, formats)?;
            // A table or not, it is in an archive that was named.
            let of_member = Self::of_member(member, options)?;
            tables.sources.extend(of_member.sources);
            tables.left_out.extend(of_member.left_out);
        }
        if let Some(first) = tables.sources.first_mut() {
            first.stand_for(archive.object().cloned());
        } else if !is_candidate {
            return Err(no_table_in(&archive, tables.left_out));
        }
        Ok(tables)
    }

    fn of_member(member: Source, options: &InputOptions) -> Result<Self> {
        match check_candidate(&member, options) {
            Ok(()) => Ok(Self {
                sources: vec![member.unpacked_for_its_format()?],
                left_out: vec![],
            }),
            Err(no_table) => Ok(Self {
                sources: vec![],
                left_out: vec![*no_table],
            }),
        }
    }
}

/// The error of an archive without a table: that of its only member, or what its members are.
fn no_table_in(archive: &Source, mut left_out: Vec<NoTable>) -> Error {
    if left_out.len() == 1
        && let Some(only) = left_out.pop()
    {
        return only.error;
    }
    Error::input("the zip archive has no table with the columns")
        .object(&**archive.name())
        .hint("look into it with unzip -l, and name its columns with --customer, --product and --time")
}

/// Whether an object that was named as a table may be one.
fn check_named(source: &Source) -> Result<(), Box<NoTable>> {
    match source.kind() {
        Some(kind) => Err(Box::new(NoTable::new(
            source.name(),
            kind.name,
            kind.refusal(),
        ))),
        None => Ok(()),
    }
}

/// Whether an object that nobody named as a table is one with the columns, by its beginning.
fn check_candidate(source: &Source, options: &InputOptions) -> Result<(), Box<NoTable>> {
    check_named(source)?;
    if source.size() == 0 {
        let error = source::no_bytes();
        return Err(Box::new(NoTable::new(source.name(), "empty", error)));
    }
    if source.format().access() == Access::Ranges {
        // Its first bytes say that it is a table.
        return Ok(());
    }
    let beginning = source.beginning();
    if beginning.first_bytes().is_empty() {
        // Packed, and damaged or cut off: reading it tells.
        return Ok(());
    }
    check_text(source)?;
    read_beginning(beginning, options).map_err(|error| {
        let why = if error.lacks_columns() {
            "text without the columns"
        } else {
            "no table"
        };
        Box::new(NoTable::new(source.name(), why, error))
    })
}

/// Whether an object is of a kind that is read, by its first bytes.
fn check_text(source: &Source) -> Result<(), Box<NoTable>> {
    check_named(source)?;
    let beginning = source.beginning();
    if !kind::is_text(beginning.first_bytes()) && source.is_last_resort() {
        let error = Error::input("it is no text, and of no kind that is known")
            .hint("write the tickets as CSV, Parquet, JSON lines, Arrow or xlsx");
        return Err(Box::new(NoTable::new(source.name(), "no table", error)));
    }
    Ok(())
}

/// Reads the beginning of an object, which may end anywhere.
///
/// # Errors
/// If it has no row.
fn read_beginning(beginning: Source, options: &InputOptions) -> Result<()> {
    let name = Arc::clone(beginning.name());
    let days = NeededDays::default();
    let mut lines = LineChecker::new(&name, options, days);
    for request in Arc::new(beginning).open(options, days)? {
        // The bytes are in memory, so this never waits.
        let Some(chunk) = request.fetch().now_or_never() else {
            continue;
        };
        let read = chunk?.decode_some(&mut lines);
        let has_rows = lines.take_batch().report.lines_read > 0;
        match read {
            Err(error) if !has_rows && error.kind() == Kind::Input => return Err(error),
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// How many objects a notice lists.
const LISTED: usize = 8;

/// What to say of objects that were not read beside `read` others; nothing if all were.
pub(super) fn notice_of_left_out(read: u64, left_out: &[LeftOut]) -> Option<String> {
    if left_out.is_empty() {
        return None;
    }
    let all = read + left_out.len() as u64;
    Some(format!(
        "read {read} of {all} objects; left out: {}",
        listed(left_out)
    ))
}

fn listed(left_out: &[LeftOut]) -> String {
    let mut listed: Vec<String> = left_out
        .iter()
        .take(LISTED)
        .map(|LeftOut { object, why }| {
            let name = object.rsplit_once('/').map_or(&**object, |(_, name)| name);
            format!("{name} ({why})")
        })
        .collect();
    if left_out.len() > LISTED {
        listed.push(format!("and {} more", left_out.len() - LISTED));
    }
    listed.join(", ")
}

/// The error of an input in which no object is a table: what is wrong with the likeliest of them.
pub(super) fn nothing_read(no_tables: Vec<NoTable>) -> Error {
    let mut left_out = vec![];
    let mut errors = vec![];
    for no_table in no_tables {
        left_out.push(no_table.left_out);
        errors.push(no_table.error);
    }
    if errors.len() == 1
        && let Some(only) = errors.pop()
    {
        return only;
    }
    let likeliest = errors.into_iter().find(Error::lacks_columns);
    likeliest.unwrap_or_else(|| {
        Error::input(format!(
            "no object is a table that is read: {}",
            listed(&left_out)
        ))
        .hint("name files in CSV, Parquet, JSON lines, Arrow or xlsx with --input")
    })
}
