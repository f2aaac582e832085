//! Which rows are read, and which take back what was sold, by the value of a column.

use std::fmt;

use crate::error::{Error, Result};

/// A condition on the value of a column: `status=paid,sent`, or `status!=cancelled`. A value with a
/// comma is quoted: `store="Rome, east"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFilter {
    /// The column's name.
    pub column: String,
    /// The values, as they are written in the input, without blanks around them.
    pub values: Vec<String>,
    /// Whether rows with one of the values are left out, and not the others.
    pub is_negated: bool,
}

impl RowFilter {
    /// Reads `COLUMN=VALUE,…` or `COLUMN!=VALUE,…`; `flag` stands in the message.
    ///
    /// # Errors
    /// If there is no `=`, or no column before it.
    pub fn parse(text: &str, flag: &str) -> Result<Self> {
        let malformed = || {
            Error::request(format!("{flag} should be COLUMN=VALUE,… or COLUMN!=VALUE,…, but is \"{text}\""))
                .hint(format!("for example {flag} status=paid,sent, or {flag} 'status!=cancelled'; an empty value stands for fields without one, and a value with a comma is quoted: {flag} 'store=\"Rome, east\",Milan'"))
        };
        let (column, values) = text.split_once('=').ok_or_else(malformed)?;
        let (column, is_negated) = match column.strip_suffix('!') {
            Some(column) => (column, true),
            None => (column, false),
        };
        let column = column.trim();
        if column.is_empty() {
            return Err(malformed());
        }
        Ok(Self {
            column: column.to_owned(),
            values: split_values(values).ok_or_else(malformed)?,
            is_negated,
        })
    }

    /// Whether a row with this value meets the condition.
    #[must_use]
    pub fn meets(&self, value: &str) -> bool {
        self.position(value).is_some() != self.is_negated
    }

    /// The position of a value among those of the condition, if it is one of them.
    pub(super) fn position(&self, value: &str) -> Option<usize> {
        let value = value.trim();
        self.values.iter().position(|wanted| wanted == value)
    }

    /// The values that are numbers, at their positions.
    pub(super) fn numbers(&self) -> Vec<Option<f64>> {
        let numbers = self.values.iter().map(|value| value.parse().ok());
        numbers
            .map(|number: Option<f64>| number.filter(|number| number.is_finite()))
            .collect()
    }
}

/// Splits values at commas, but not at those between quotes; a quote within is doubled. `None` if a
/// quote does not end, or text follows it.
fn split_values(text: &str) -> Option<Vec<String>> {
    let mut values = vec![];
    let mut rest = text;
    loop {
        let (value, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => {
                let (value, after) = quoted_value(quoted)?;
                (value, after.trim_start())
            }
            None => {
                let (value, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                (value.trim().to_owned(), after)
            }
        };
        values.push(value);
        if after.is_empty() {
            return Some(values);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// The value up to its closing quote, and what follows that.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                value.push('"');
                rest = more;
            }
            None => return Some((value.trim().to_owned(), after)),
        }
    }
}

/// A value as [`RowFilter::parse`] reads it.
fn written(value: &str) -> String {
    if value.contains(',') || value.starts_with('"') {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.to_owned()
    }
}

impl fmt::Display for RowFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<String> = self.values.iter().map(|value| written(value)).collect();
        let sign = if self.is_negated { "!=" } else { "=" };
        write!(f, "{}{sign}{}", self.column, values.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_read_and_met() {
        let paid = RowFilter::parse("status=paid, sent", "--where").unwrap();
        assert_eq!(
            (
                paid.meets("paid"),
                paid.meets(" sent "),
                paid.meets("open"),
                paid.meets("")
            ),
            (true, true, false, false)
        );
        let other = RowFilter::parse("status!=void", "--where").unwrap();
        assert_eq!((other.meets("void"), other.meets("")), (false, true));
        assert_eq!(other.column, "status");
        let empty = RowFilter::parse("cancelled=", "--where").unwrap();
        assert!(empty.meets("") && !empty.meets("1"));
    }

    #[test]
    fn a_value_with_a_comma_is_quoted() {
        let stores = RowFilter::parse(r#"store="Rome, east", Milan,"the ""Old"" one""#, "--where");
        let stores = stores.unwrap();
        assert_eq!(stores.values, ["Rome, east", "Milan", "the \"Old\" one"]);
        assert_eq!(
            RowFilter::parse(&stores.to_string(), "--where").unwrap(),
            stores
        );
        let inches = RowFilter::parse("size=5\"", "--where").unwrap();
        assert!(inches.meets("5\"") && !inches.meets("5"));
        for text in ["store=\"Rome", "store=\"Rome\" east"] {
            assert!(RowFilter::parse(text, "--where").is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in ["status", "=paid", "!=paid", ""] {
            let error = RowFilter::parse(text, "--where").unwrap_err().to_string();
            assert!(error.contains("COLUMN=VALUE"), "{error}");
        }
    }
}
