//! Baskets in one field: `"67,49,12"` in the column of products is a list of ids, and no id.

use std::collections::BTreeSet;

use crate::error::Error;

/// How many values are looked at.
pub(super) const VALUES: usize = 500;

/// Fewer lists than these prove nothing.
const FEWEST: usize = 3;

/// So many different lengths make lists of words.
const WORD_LENGTHS: usize = 5;

/// So often a word stands in lists of words.
const WORD_REPEATS: usize = 4;

/// The error if the values of the column of products are lists.
pub(super) fn refuse_lists(column: &str, values: &[String]) -> Option<Error> {
    let example = values.iter().find(|value| parts(value).len() > 2)?;
    (are_ids(values) || are_words(values) || are_bracketed(values)).then(|| {
        let shown: String = example.chars().take(40).collect();
        Error::input(format!(
            "the column holds lists of products, such as \"{shown}\", and not one product a line"
        ))
        .column(column)
        .hint("write one line for each product bought, with its customer and time: in SQL by unnest(string_split(…)), in pandas by explode()")
    })
}

fn parts(value: &str) -> Vec<&str> {
    let inner = value
        .trim()
        .trim_start_matches(['[', '{', '('])
        .trim_end_matches([']', '}', ')']);
    let separator = [',', ';', '|']
        .into_iter()
        .find(|separator| inner.contains(*separator));
    let Some(separator) = separator.or_else(|| inner.contains(' ').then_some(' ')) else {
        return vec![inner];
    };
    inner.split(separator).map(str::trim).collect()
}

fn is_id(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Nearly all values are ids or lists of ids, of different lengths.
fn are_ids(values: &[String]) -> bool {
    let lists: Vec<usize> = values
        .iter()
        .map(|value| parts(value))
        .filter(|parts| parts.iter().all(|part| is_id(part)))
        .map(|parts| parts.len())
        .collect();
    let lengths: BTreeSet<usize> = lists.iter().copied().collect();
    let long = lists.iter().filter(|length| **length > 1).count();
    20 * lists.len() >= 19 * values.len() && lengths.len() > 1 && long >= FEWEST
}

/// Nearly all values stand in brackets, and have several parts.
fn are_bracketed(values: &[String]) -> bool {
    let is_list = |value: &&String| {
        let value = value.trim();
        let is_enclosed = [("[", "]"), ("{", "}")]
            .iter()
            .any(|(open, close)| value.starts_with(open) && value.ends_with(close));
        is_enclosed && !value.contains(':')
    };
    values.len() >= FEWEST && 10 * values.iter().filter(is_list).count() >= 9 * values.len()
}

/// The values are of many lengths and seldom the same, and their parts come again and again.
fn are_words(values: &[String]) -> bool {
    let lists: Vec<Vec<&str>> = values.iter().map(|value| parts(value)).collect();
    if !values.iter().any(|value| value.contains([',', ';', '|'])) {
        return false;
    }
    let lengths: BTreeSet<usize> = lists.iter().map(Vec::len).collect();
    let words: BTreeSet<&str> = lists.iter().flatten().copied().collect();
    let count: usize = lists.iter().map(Vec::len).sum();
    let whole: BTreeSet<&String> = values.iter().collect();
    lengths.len() >= WORD_LENGTHS
        && count >= 2 * values.len()
        && count >= WORD_REPEATS * words.len()
        && 2 * whole.len() >= values.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(values: &[&str]) -> bool {
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        refuse_lists("items", &values).is_some()
    }

    #[test]
    fn lists_are_told_from_ids_and_names() {
        assert!(refused(&["48", "67,49", "1,2,3", "12", "7,9"]));
        assert!(refused(&["[48]", "[67, 49, 5]", "[1, 2]"]));
        assert!(refused(&[
            "[\"milk\"]",
            "[\"milk\", \"tea\", \"rusk\"]",
            "[\"tea\"]"
        ]));
        let names = ["milk", "tea", "rusk", "figs"];
        let baskets: Vec<String> = (0..60)
            .map(|at| {
                (0..=at % 7)
                    .map(|more| names[(at * more + more) % 4])
                    .collect::<Vec<_>>()
                    .join(",")
            })
            .chain((0..70).map(|at| format!("milk,tea,{}", names[at % 4].repeat(1 + at % 2))))
            .collect();
        let distinct: BTreeSet<&String> = baskets.iter().collect();
        let baskets: Vec<&str> = distinct.iter().map(|basket| basket.as_str()).collect();
        assert!(refused(&[&baskets[..], &baskets[..]].concat()));
        // Names with commas, ids of two numbers, dates, and single ids.
        assert!(!refused(&[
            "Milk, 1 l",
            "Bread, dark, 500 g",
            "Eggs, 10",
            "Milk, 1 l"
        ]));
        assert!(!refused(&["10,5,1", "11,5,1", "12,5,2", "13,5,1"]));
        assert!(!refused(&["1", "2", "3"]));
    }
}
