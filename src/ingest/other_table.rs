//! An object that lacks the columns which others have: another table in the same folder.

use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::formats::Formats;
use super::source::Source;
use super::tables::SourceTables;
use super::{InputOptions, NeededDays};
use crate::error::Error;
use crate::store::InputObject;

/// How many of the other objects are looked at. More would take too long for a message.
const LOOKED_AT: usize = 400;

/// How many are looked at side by side.
const AT_A_TIME: usize = 8;

/// The error that an object lacks a column, with what is to be said where others have it.
/// `objects` are all that are read, in order.
pub(super) async fn explain(
    error: Error,
    objects: &[InputObject],
    options: &InputOptions,
    formats: Formats,
) -> Error {
    if !error.lacks_columns() || objects.len() < 2 || objects.len() > LOOKED_AT {
        return error;
    }
    let options = Arc::new(options.clone());
    let have: Vec<Option<bool>> = stream::iter(objects.iter().cloned())
        .map(|object| tokio::spawn(has_columns(object, Arc::clone(&options), formats)))
        .buffered(AT_A_TIME)
        .map(|looked| looked.unwrap_or_default())
        .collect()
        .await;
    let names = |wanted: bool| -> Vec<&str> {
        let of_kind = objects
            .iter()
            .zip(&have)
            .filter(|(_, has)| **has == Some(wanted));
        of_kind.map(|(object, _)| object.uri.as_str()).collect()
    };
    let (with, without) = (names(true), names(false));
    match (with.is_empty(), without.first()) {
        (false, Some(_)) => other_tables(&error, &with, &without),
        _ => error,
    }
}

/// Whether an object has the columns, as far as can be told without reading it; `None` if it is no
/// table, or cannot be read.
async fn has_columns(
    object: InputObject,
    options: Arc<InputOptions>,
    formats: Formats,
) -> Option<bool> {
    let source = Source::fetch(object, formats).await.ok()?;
    let looking = spawn_blocking(move || {
        let mut tables = SourceTables::of(source, true, &options, formats).ok()?;
        let Some(source) = tables.sources.pop() else {
            let mut errors = tables.left_out.iter().map(|left| &left.error);
            return errors.any(Error::lacks_columns).then_some(false);
        };
        match Arc::new(source).open(&options, NeededDays::default()) {
            Ok(_) => Some(true),
            Err(error) => error.lacks_columns().then_some(false),
        }
    });
    looking.await.ok()?
}

fn other_tables(error: &Error, with: &[&str], without: &[&str]) -> Error {
    let all = with.len() + without.len();
    let others = match without {
        [only] => format!("{only} has not"),
        [first, rest @ ..] => format!("{first} and {} more have not", rest.len()),
        [] => String::new(),
    };
    let what = format!(
        "{} of {all} objects have these columns; {others}",
        with.len()
    );
    let hint = match glob_of(with, without) {
        Some(glob) => {
            format!("leave out what is another table with a glob, for example --input '{glob}'")
        }
        None => "name only the objects that have them, with --input for each or a glob".to_owned(),
    };
    Error::input(format!("{what}. {}", error.what()))
        .hint(match error.advice() {
            Some(advice) if with.len() <= without.len() => {
                format!("{hint}; or, if the columns have other names: {advice}")
            }
            _ => hint,
        })
        .for_lack_of_columns()
}

/// A glob that matches all objects `with` the columns and none `without`, if their names begin or
/// lie so.
fn glob_of(with: &[&str], without: &[&str]) -> Option<String> {
    let first = *with.first()?;
    let prefix_len = with
        .iter()
        .map(|name| common_prefix(first, name))
        .min()
        .unwrap_or(0);
    let prefix = first.get(..prefix_len)?;
    let suffix = match first
        .rsplit_once('/')
        .map_or(first, |(_, name)| name)
        .split_once('.')
    {
        Some((_, ending))
            if with
                .iter()
                .all(|name| name.ends_with(&format!(".{ending}"))) =>
        {
            format!(".{ending}")
        }
        _ => String::new(),
    };
    let is_flat = |name: &&&str| {
        name.get(prefix_len..)
            .is_some_and(|rest| !rest.contains('/'))
    };
    let stars = if with.iter().all(|name| is_flat(&name)) {
        "*"
    } else {
        "**/*"
    };
    let prefix = if stars == "*" {
        prefix
    } else {
        prefix.get(..=prefix.rfind('/')?)?
    };
    let matches_none = without
        .iter()
        .all(|name| !(name.starts_with(prefix) && name.ends_with(&suffix)));
    matches_none.then(|| {
        if with.len() == 1 {
            first.to_owned()
        } else {
            format!("{prefix}{stars}{suffix}")
        }
    })
}

/// How many bytes two names have in common at their beginnings, up to a whole character.
fn common_prefix(a: &str, b: &str) -> usize {
    a.char_indices()
        .zip(b.chars())
        .find(|((_, a), b)| a != b)
        .map_or(a.len().min(b.len()), |((at, _), _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_leaves_out_the_other_tables() {
        let with = ["t/transactions_1.csv", "t/transactions_2.csv"];
        assert_eq!(
            glob_of(&with, &["t/time.csv"]).unwrap(),
            "t/transactions_*.csv"
        );
        assert_eq!(
            glob_of(&with[..1], &["t/time.csv"]).unwrap(),
            "t/transactions_1.csv"
        );
        assert_eq!(glob_of(&["t/a.csv", "t/b.csv"], &["t/c.csv"]), None);
        assert_eq!(
            glob_of(&["t/2023/a.csv", "t/2024/b.csv"], &["t/x.txt"]).unwrap(),
            "t/**/*.csv"
        );
    }
}
