//! Values of JSON that are objects or arrays: columns that are missing may be within them.

use crate::domain::words::in_shell;

/// What the first objects have that is nested.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    /// The first key whose value is an array of objects.
    pub(super) rows: Option<String>,
    /// The first key whose value is an object.
    pub(super) object: Option<String>,
    /// The keys of the first object whose values are objects or arrays.
    pub(super) without_cell: Vec<String>,
    /// Whether there is one object only.
    pub(super) is_alone: bool,
}

impl Nesting {
    /// How jq makes rows and columns of what is nested.
    pub(super) fn advice(&self) -> Option<String> {
        let (where_it_is, filter) = match (&self.rows, &self.object) {
            (Some(key), _) => {
                let place = place(key);
                let filter = match self.is_alone {
                    true => format!("{place}[]"),
                    // Each line with what its ticket says.
                    false => format!("del({place}) + {place}[]"),
                };
                (format!("the rows seem to lie below \"{key}\""), filter)
            }
            (None, Some(key)) => {
                let place = place(key);
                let filter = format!("(. + {place}) | del({place})");
                (format!("what is missing may lie below \"{key}\""), filter)
            }
            (None, None) => return None,
        };
        let filter = in_shell(&filter);
        Some(format!(
            "{where_it_is}: pipe them with jq -c {filter} FILE | okuo … --input -"
        ))
    }
}

/// A key as jq has it.
fn place(key: &str) -> String {
    let is_word = key
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    match is_word && !key.starts_with(|first: char| first.is_ascii_digit()) {
        true => format!(".{key}"),
        false => format!(".{key:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_is_taken_out_with_jq() {
        let of = |rows: Option<&str>, object: Option<&str>, is_alone| {
            let nesting = Nesting {
                rows: rows.map(str::to_owned),
                object: object.map(str::to_owned),
                is_alone,
                ..Nesting::default()
            };
            nesting.advice().unwrap_or_default()
        };
        for (advice, filter) in [
            (of(Some("data"), None, true), "jq -c '.data[]' FILE"),
            (
                of(Some("lines"), Some("till"), false),
                "jq -c 'del(.lines) + .lines[]' FILE",
            ),
            (
                of(None, Some("the order"), false),
                "jq -c '(. + .\"the order\") | del(.\"the order\")' FILE",
            ),
        ] {
            assert!(advice.contains(filter), "{advice}");
        }
        assert_eq!(of(None, None, true), "");
    }
}
