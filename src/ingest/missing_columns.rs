//! Columns that are missing, and which of those that are there may be meant.

use super::columns::{ColumnAlternatives, ColumnNames, ColumnRole};
use super::missing_tables::table_to_join;
use super::survey::{CLEAR, meaning_of};
use crate::domain::words::{in_shell, shortened};
use crate::error::Error;
use crate::suggest;

/// How many of an object's columns a message lists.
const LISTED: usize = 40;

/// How many characters of a column's name a message shows: what is no header may have very long
/// ones.
const SHOWN: usize = 60;

/// How alike a name that means nothing must be to be taken for a slip (Jaro–Winkler, 0 to 1).
const SLIP: f64 = 0.85;

/// The error of an object without columns of roles that are needed: it names all of them, each with the
/// nearest column.
pub(super) fn missing_columns(
    names: &ColumnNames,
    missing: &[ColumnRole],
    present: &[&str],
) -> Error {
    let mut hints = proposals(names, missing, present);
    if hints.is_empty() {
        let flags: Vec<&str> = missing.iter().map(|role| names.table.flag(*role)).collect();
        hints.push(format!("name the columns with {}", flags.join(", ")));
    }
    hints.extend(table_to_join(names.table, missing).map(str::to_owned));
    let wanted: Vec<String> = missing
        .iter()
        .filter_map(|role| names.of(*role))
        .map(ColumnAlternatives::to_string)
        .collect();
    Error::input(format!(
        "there is no column {}; the columns are {}",
        wanted.join(", "),
        listed(present)
    ))
    .hint(format!("{}{}", hints.join("; "), proposal_of_init(missing)))
    .for_lack_of_columns()
}

/// A line that proposes `okuo init`, if a column is missing that all tickets have.
fn proposal_of_init(missing: &[ColumnRole]) -> &'static str {
    let needed = [ColumnRole::Customer, ColumnRole::Product, ColumnRole::Time];
    match missing.iter().any(|role| needed.contains(role)) {
        true => "\n      or let `okuo init --input …` look at the tickets and write an okuo.toml",
        false => "",
    }
}

/// The columns of an object as a message lists them.
pub(super) fn listed(present: &[&str]) -> String {
    if present.is_empty() {
        return "none".to_owned();
    }
    let mut listed: Vec<String> = present
        .iter()
        .take(LISTED)
        .map(|name| format!("\"{}\"", shortened(name, SHOWN)))
        .collect();
    if present.len() > LISTED {
        listed.push(format!("and {} more", present.len() - LISTED));
    }
    listed.join(", ")
}

/// A column that may be the one of a role.
struct Proposal<'a> {
    rank: i32,
    role: ColumnRole,
    column: &'a str,
}

/// For each missing column the one that most probably means it, with the flag that names it.
fn proposals(names: &ColumnNames, missing: &[ColumnRole], present: &[&str]) -> Vec<String> {
    likeliest_columns(names, missing, present)
        .iter()
        .map(|Proposal { role, column, .. }| {
            format!(
                "for \"{}\" the nearest is \"{column}\": {} {}",
                names.name(*role),
                names.table.flag(*role),
                in_shell(column)
            )
        })
        .collect()
}

/// The column that most probably means a role, if one may.
pub(super) fn likeliest_column<'a>(
    names: &ColumnNames,
    role: ColumnRole,
    present: &[&'a str],
) -> Option<&'a str> {
    names.of(role)?;
    let likeliest = likeliest_columns(names, &[role], present);
    likeliest.first().map(|proposal| proposal.column)
}

/// For each missing column the one that most probably means it, if one may.
fn likeliest_columns<'a>(
    names: &ColumnNames,
    missing: &[ColumnRole],
    present: &[&'a str],
) -> Vec<Proposal<'a>> {
    // A column that has a role is proposed for no other.
    let mut free: Vec<&str> = present.to_vec();
    free.retain(|column| !column.is_empty() && !names.have(column));
    let mut possible: Vec<Proposal<'a>> = vec![];
    for role in missing {
        possible.extend(free.iter().filter_map(|column| {
            Some(Proposal {
                rank: rank_of(*role, names.name(*role), column)?,
                role: *role,
                column,
            })
        }));
    }
    // The likeliest pair first, so that no role takes a column that means another.
    possible.sort_by_key(|proposal| std::cmp::Reverse(proposal.rank));
    let mut chosen: Vec<Proposal<'a>> = vec![];
    for proposal in possible {
        let is_taken = chosen
            .iter()
            .any(|other| other.role == proposal.role || other.column == proposal.column);
        if !is_taken {
            chosen.push(proposal);
        }
    }
    chosen
}

/// How probably a column is that of a role: it means the role by its name, or it is the wanted name
/// with a slip. `None` if it means something else, however alike its letters are.
fn rank_of(role: ColumnRole, wanted: &str, column: &str) -> Option<i32> {
    let meaning = meaning_of(column).filter(|name| name.clearness >= CLEAR);
    let likeness = suggest::likeness(wanted, column);
    match meaning {
        Some(name) if name.meaning.is_of(role) => Some(name.clearness + (10.0 * likeness) as i32),
        Some(_) => None,
        None => (likeness >= SLIP).then_some((100.0 * likeness) as i32),
    }
}
