//! Whether the values of a column fit a role.

use super::profile::{ColumnProfile, NumericTime};

/// Nearly all.
pub(super) const NEARLY_ALL: f64 = 0.95;

/// Whether a column that should be the time has times. Numbers of days count where it is known
/// which date day 0 is.
pub(super) fn is_time(profile: &ColumnProfile, has_day_zero: bool) -> bool {
    let is_numeric =
        NumericTime::of(profile).is_some_and(|form| form != NumericTime::DayNumber || has_day_zero);
    profile.share_of_dates() >= 0.9 || is_numeric
}

/// Whether a column can have ids: no dates, no times, no lists, no flags.
pub(super) fn is_id(profile: &ColumnProfile) -> bool {
    profile.values() > 0
        && !profile.is_boolean()
        && profile.share_of_dates() < 0.5
        && profile.share_of_clock_times() < 0.5
        && profile.share_of_lists() < 0.3
}

/// Whether a column has small numbers, as quantities are.
pub(super) fn is_count(profile: &ColumnProfile) -> bool {
    profile.share_of_numbers() >= NEARLY_ALL
        && profile.median().is_some_and(|median| median < 20.0)
        && profile.distinct * 10 <= profile.values()
}

/// Whether a column has times of day: `8:26`, `1430`, `9`.
pub(super) fn is_clock(profile: &ColumnProfile) -> bool {
    let largest = profile
        .counts
        .keys()
        .map(|value| value.parse::<u32>().unwrap_or(u32::MAX))
        .max();
    profile.share_of_clock_times() >= NEARLY_ALL || largest.is_some_and(|largest| largest < 240_000)
}

/// The share of rows that have the same value as the row before, of those that have the same time;
/// `None` if there are few.
pub(super) fn same_within_moments(
    rows: &[Vec<Option<String>>],
    time: usize,
    column: usize,
) -> Option<f64> {
    let (mut same, mut all) = (0_usize, 0_usize);
    for pair in rows.windows(2) {
        let [before, row] = pair else { continue };
        if cell(before, time).is_some() && cell(before, time) == cell(row, time) {
            all += 1;
            same += usize::from(cell(before, column) == cell(row, column));
        }
    }
    (all >= 20).then(|| same as f64 / all as f64)
}

/// A value of a row.
pub(super) fn cell(row: &[Option<String>], position: usize) -> Option<&str> {
    row.get(position)?
        .as_deref()
        .map(str::trim)
        .filter(|value| !value.is_empty())
}

/// The part of a time that says the day.
pub(super) fn day_of(time: &str) -> &str {
    let end = match time.bytes().take(8).all(|byte| byte.is_ascii_digit()) {
        true => 8,
        false => time.find([' ', 'T']).unwrap_or(time.len()),
    };
    time.get(..end).unwrap_or(time)
}

pub(super) fn day_numbers(profile: &ColumnProfile) -> String {
    format!(
        "the column {} has numbers such as {}: if they count days, say which date day 0 is with --day-zero DATE",
        quoted(&profile.name),
        profile.examples.join(", ")
    )
}

pub(super) fn list_of_products(profile: &ColumnProfile) -> String {
    let name = &profile.name;
    format!(
        "each value of {} is a list of products, such as {}: okuo needs one line for each product of a ticket. DuckDB makes them: \
         SELECT * EXCLUDE (\"{name}\"), unnest(string_split(\"{name}\", ',')) AS product_id FROM 'FILE'",
        quoted(name),
        profile
            .examples
            .first()
            .map(String::as_str)
            .unwrap_or_default()
    )
}

pub(super) fn rounded(profile: &ColumnProfile) -> String {
    format!(
        "{} has numbers that a spreadsheet has rounded, such as {}: digits of the ids are lost, and different ids look the same. \
         Export them anew from where they come from, as text, without opening the file in a spreadsheet",
        quoted(&profile.name),
        profile
            .examples
            .first()
            .map(String::as_str)
            .unwrap_or_default()
    )
}

/// A name in quotation marks.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}
