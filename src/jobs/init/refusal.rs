//! Why `okuo init` writes nothing: what was looked at is no table of tickets.

use crate::error::{Error, Result};
use crate::ingest::survey::{ColumnMeaning, Survey};
use crate::ingest::{ObjectSample, TableSample};

/// The samples that could be taken, with their objects.
fn samples(objects: &[ObjectSample]) -> impl Iterator<Item = (&str, &TableSample)> {
    objects.iter().filter_map(|object| {
        Some((
            object.object.as_str(),
            object.sample.as_ref()?.as_ref().ok()?,
        ))
    })
}

/// Refuses objects of which none has a row, unless one could not be looked at.
///
/// # Errors
/// If it is so.
pub(super) fn refuse_without_rows(objects: &[ObjectSample]) -> Result<()> {
    let are_all_empty = objects.iter().all(|object| {
        let sample = object
            .sample
            .as_ref()
            .and_then(|sample| sample.as_ref().ok());
        sample.is_some_and(|sample| sample.rows.is_empty())
    });
    let Some((object, sample)) = samples(objects).next().filter(|_| are_all_empty) else {
        return Ok(());
    };
    let others = match objects.len() {
        1 => String::new(),
        all => format!(", and so it is with all {all} objects"),
    };
    let names: Vec<&str> = sample.columns.iter().map(String::as_str).collect();
    let error = match names.iter().all(|name| name.is_empty()) {
        true => Error::input(format!("it is empty{others}")),
        false => Error::input(format!(
            "there is a header, \"{}\", and no row below it{others}",
            names.join("\", \"")
        )),
    };
    Err(error.object(object).hint(
        "check that the export has run, and name objects that have tickets: okuo init --input URI",
    ))
}

/// What to do if columns are missing that may be within the values of another one.
pub(super) fn nested(objects: &[ObjectSample]) -> Option<String> {
    samples(objects).find_map(|(_, sample)| sample.nested.clone())
}

/// Why the tickets cannot be read yet.
///
/// `nested` says what to do if columns are missing that may be within the values of another one.
pub(super) fn refusal(survey: &Survey, nested: Option<&str>) -> Option<Error> {
    if survey.missing.is_empty() && survey.problems.is_empty() {
        return None;
    }
    if survey.columns.is_empty() {
        return Some(
            Error::input("there is no table in the input").hint("check the --input location"),
        );
    }
    let named = |role: &ColumnMeaning| survey.roles.iter().find(|choice| choice.role == *role);
    let missing: Vec<&str> = survey
        .missing
        .iter()
        .filter(|role| named(role).is_none())
        .map(|role| role.words())
        .collect();
    let not_there = survey.missing.iter().filter_map(named);
    let mut parts: Vec<String> = not_there
        .map(|choice| {
            format!(
                "there is no column \"{}\", which was named for {}",
                choice.column,
                choice.role.words()
            )
        })
        .collect();
    let flags: Vec<&str> = survey
        .missing
        .iter()
        .filter_map(|role| Some(role.role()?.flag()))
        .collect();
    if !missing.is_empty() {
        parts.push(format!(
            "no column is known to have {}",
            missing.join(", nor ")
        ));
    }
    parts.extend(survey.problems.iter().cloned());
    let error = Error::input(parts.join("\n  "));
    let error = match flags.is_empty() || !survey.problems.is_empty() {
        true => error.hint("mend the tickets as said above, and run `okuo init` again"),
        false => error.hint(format!(
            "if one of the columns above has it, name it: okuo init {} …",
            flags
                .iter()
                .map(|flag| format!("{flag} COLUMN"))
                .collect::<Vec<_>>()
                .join(" ")
        )),
    };
    Some(match nested {
        Some(nested) if !missing.is_empty() => error.advised_first(nested),
        _ => error,
    })
}
