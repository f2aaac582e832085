//! Which rows are read, and which take back what was sold, by the value of a column.

use std::borrow::Cow;
use std::fmt;

use crate::error::{Error, Result};

/// A condition on the value of a column: `status=paid,sent`, or `status!=cancelled`.
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
                .hint(format!("for example {flag} status=paid,sent, or {flag} 'status!=cancelled'; an empty value stands for fields without one"))
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
            values: values
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect(),
            is_negated,
        })
    }

    /// Whether a row with this value meets the condition.
    #[must_use]
    pub fn meets(&self, value: &str) -> bool {
        let value = value.trim();
        self.values.iter().any(|wanted| wanted == value) != self.is_negated
    }

    /// As [`RowFilter::meets`], of a value that may be missing: it is as empty text.
    #[must_use]
    pub fn meets_cell(&self, value: Option<Cow<'_, str>>) -> bool {
        self.meets(&value.unwrap_or_default())
    }
}

impl fmt::Display for RowFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negated { "!=" } else { "=" };
        write!(f, "{}{sign}{}", self.column, self.values.join(","))
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
        assert!(empty.meets_cell(None) && !empty.meets("1"));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in ["status", "=paid", "!=paid", ""] {
            let error = RowFilter::parse(text, "--where").unwrap_err().to_string();
            assert!(error.contains("COLUMN=VALUE"), "{error}");
        }
    }
}
