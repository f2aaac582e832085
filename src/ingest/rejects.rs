//! Bad lines: why each is one, what to do about it, and where the first of them stand.
//!
//! A new reason is one entry of [`reject_reasons`].

use std::fmt;

use serde::{Serialize, Serializer};

use super::columns::ColumnRole;
use super::encoding::SAY_ENCODING;
use crate::visible::visible_line;

/// How many places of a reason are kept.
pub(super) const PLACES: usize = 3;

/// How many characters of a value are shown.
const SHOWN: usize = 60;

/// How many characters of a text are kept: more than are shown, so that it is seen to go on.
const KEPT: usize = SHOWN + 1;

const QUOTING: &str =
    "quote fields that contain the separator or a quote, and double the quotes in them";
const NO_VALUE: &str = "leave lines without a product or time (totals, say) out of the export, or out of what is read with --where";
const ROUNDED: &str = "digits are lost: export the ids anew from where they come from, and keep a spreadsheet from \
     turning them into numbers";
const TOO_NARROW: &str = "32-bit floats do not tell integers apart from 16,777,216 on: write the column as integers or text, \
     for example with CAST(… AS BIGINT) where it still has all digits";
const CONTROLS: &str = "export the ids without control characters: fields of a fixed width may be filled with NUL, and a \
     text in UTF-16 that is read as another encoding has one in every second place (--encoding)";
const OTHER_CUSTOMER: &str =
    "map another column with --customer, or write ids as integers or UTF-8 text";
const OTHER_PRODUCT: &str =
    "map another column with --product, or write ids as integers or UTF-8 text";
const OTHER_QUANTITY: &str = "map another column with --quantity";

/// Declares the reasons in the order in which they are listed. Each entry has its documentation, its
/// name, the column at fault (or `None`: the whole line is), what a message calls such a line, and
/// the hint.
macro_rules! reject_reasons {
    ($($(#[$documentation:meta])+ $reason:ident, $column:expr, $text:literal, $hint:expr;)+) => {
        /// Why a line is bad. Written by name in manifests: `field_count`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum RejectReason {
            $($(#[$documentation])+ $reason,)+
        }

        impl RejectReason {
            /// The column at fault, if one is.
            pub(super) fn column(self) -> Option<ColumnRole> {
                match self {
                    $(RejectReason::$reason => $column,)+
                }
            }

            /// What to do about it.
            pub(super) fn hint(self) -> &'static str {
                match self {
                    $(RejectReason::$reason => $hint,)+
                }
            }
        }

        impl fmt::Display for RejectReason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self {
                    $(RejectReason::$reason => $text,)+
                })
            }
        }
    };
}

reject_reasons! {
    /// The line has more or fewer fields than the header.
    FieldCount, None, "a wrong number of fields", QUOTING;
    /// Text follows the closing quote of a field.
    BrokenQuotes, None, "text after a closing quote", QUOTING;
    /// The line is no JSON object.
    NotJson, None, "no JSON object",
        "write one whole JSON object a line, as jq -c does";
    /// No time.
    NullTime, Some(ColumnRole::Time), "no time", NO_VALUE;
    /// A time in no known form, or a day that the calendar does not have.
    UnreadableTime, Some(ColumnRole::Time), "unreadable time",
        "write times as YYYY-MM-DD or YYYY-MM-DD HH:MM:SS, or give their pattern, such as --time-format '%d.%m.%Y %H:%M'";
    /// A number of which only a setting makes a time.
    NumberTime, Some(ColumnRole::Time), "time that is a number",
        "say what the number counts with --time-format or --day-zero";
    /// A time that could be day/month or month/day.
    AmbiguousTime, Some(ColumnRole::Time), "ambiguous time (day or month first?)",
        "say the order with --time-format day-first or --time-format month-first";
    /// A day before 1990 or after 2099.
    AbsurdDate, Some(ColumnRole::Time), "date before 1990 or after 2099",
        "correct the dates or map another column with --time; 1990 to 2099 is taken for real";
    /// A customer that is a number with a fraction, infinite, or too large to be exact.
    FractionalCustomer, Some(ColumnRole::Customer), "customer that is not a whole number",
        OTHER_CUSTOMER;
    /// A customer that a column of 32-bit floats has rounded.
    RoundedCustomer, Some(ColumnRole::Customer), "customer that 32-bit floats have rounded",
        TOO_NARROW;
    /// A customer in scientific notation: a spreadsheet has dropped digits.
    ScientificCustomer, Some(ColumnRole::Customer), "customer that a spreadsheet has rounded",
        ROUNDED;
    /// A customer with a control character, such as NUL.
    ControlCustomer, Some(ColumnRole::Customer), "customer with a control character", CONTROLS;
    /// A customer that is not UTF-8.
    CustomerNotText, Some(ColumnRole::Customer), "customer that is not UTF-8", SAY_ENCODING;
    /// No product.
    NullProduct, Some(ColumnRole::Product), "no product", NO_VALUE;
    /// A product that is a number with a fraction, infinite, or too large to be exact.
    FractionalProduct, Some(ColumnRole::Product), "product that is not a whole number",
        OTHER_PRODUCT;
    /// A product that a column of 32-bit floats has rounded.
    RoundedProduct, Some(ColumnRole::Product), "product that 32-bit floats have rounded",
        TOO_NARROW;
    /// A product in scientific notation: a spreadsheet has dropped digits.
    ScientificProduct, Some(ColumnRole::Product), "product that a spreadsheet has rounded",
        ROUNDED;
    /// A product with a control character, such as NUL.
    ControlProduct, Some(ColumnRole::Product), "product with a control character", CONTROLS;
    /// A product that is not UTF-8.
    ProductNotText, Some(ColumnRole::Product), "product that is not UTF-8", SAY_ENCODING;
    /// No ticket, where the ticket says who bought.
    NullTicket, Some(ColumnRole::Basket), "no ticket", NO_VALUE;
    /// A ticket that is no id: a number with a fraction, one that is rounded, or no UTF-8.
    TicketNotAnId, Some(ColumnRole::Basket), "ticket that is not an id",
        "map another column with --basket or --tickets-ticket, or write ids as integers or UTF-8 text";
    /// No quantity.
    NullQuantity, Some(ColumnRole::Quantity), "no quantity", OTHER_QUANTITY;
    /// A quantity that is no number.
    QuantityNotANumber, Some(ColumnRole::Quantity), "quantity that is not a number",
        "write quantities as numbers (3, -3, 3-, (3), 0.35, 1,234.5, 2 kg), or map another column with --quantity";
}

/// The bad lines of one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejects {
    /// Why they are bad.
    #[serde(rename = "cause")]
    pub reason: RejectReason,
    /// How many lines.
    pub lines: u64,
    /// The first of them, at most three.
    pub first: Vec<RejectedLine>,
}

impl Rejects {
    /// A warning if digits of an id are lost: the other ids of the column may be ruined too, though
    /// nothing shows it.
    pub(super) fn warning_of_ruined_ids(&self) -> Option<String> {
        let is_ruined = matches!(
            self.reason,
            RejectReason::ScientificCustomer
                | RejectReason::ScientificProduct
                | RejectReason::RoundedCustomer
                | RejectReason::RoundedProduct
        );
        let first = self.first.first().filter(|_| is_ruined)?;
        Some(format!(
            "{} × {}, first {first}: other ids of the column may have lost digits too; {}",
            self.lines,
            self.reason,
            self.reason.hint()
        ))
    }

    /// Counts a bad line in a list that is sorted by reason; `line` is asked for only while places
    /// of the reason are wanted.
    pub(super) fn count(
        list: &mut Vec<Rejects>,
        reason: RejectReason,
        line: impl FnOnce() -> RejectedLine,
    ) {
        let at = match list.binary_search_by_key(&reason, |rejects| rejects.reason) {
            Ok(at) => at,
            Err(at) => {
                let none = Rejects {
                    reason,
                    lines: 0,
                    first: vec![],
                };
                list.insert(at, none);
                at
            }
        };
        if let Some(rejects) = list.get_mut(at) {
            rejects.lines += 1;
            if rejects.first.len() < PLACES {
                rejects.first.push(line());
            }
        }
    }

    /// Adds the bad lines that follow those of a list that is sorted by reason.
    pub(super) fn merge(list: &mut Vec<Rejects>, others: Vec<Rejects>) {
        for other in others {
            match list.binary_search_by_key(&other.reason, |rejects| rejects.reason) {
                Ok(at) => {
                    if let Some(rejects) = list.get_mut(at) {
                        rejects.lines += other.lines;
                        rejects.first.extend(other.first);
                        rejects.first.truncate(PLACES);
                    }
                }
                Err(at) => list.insert(at, other),
            }
        }
    }
}

/// Where a bad line stands, and the value at fault. Printed, and written in manifests, as
/// `object: row R, column "C": value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedLine {
    /// The object's name.
    pub object: String,
    /// The row, counted from 1 without the header.
    pub row: u64,
    /// The column's name, unless the whole line is at fault.
    pub column: Option<String>,
    /// The value, or the line.
    pub value: RejectedValue,
}

impl fmt::Display for RejectedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: row {}", visible_line(&self.object), self.row)?;
        if let Some(column) = &self.column {
            write!(f, ", column \"{}\"", visible_line(column))?;
        }
        write!(f, ": {}", self.value)
    }
}

impl Serialize for RejectedLine {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A value that makes a line bad. Printed without control characters, and shortened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectedValue {
    /// The beginning of a text, printed in quotes.
    Text(String),
    /// A number, a date or `null`, printed as it stands.
    Literal(String),
}

impl RejectedValue {
    /// No value.
    pub(super) fn null() -> Self {
        RejectedValue::Literal("null".to_owned())
    }

    /// A text; only as much of it is kept as can be shown.
    pub(super) fn text(text: &str) -> Self {
        RejectedValue::Text(text.chars().take(KEPT).collect())
    }

    /// As [`RejectedValue::text`], of bytes that may not be UTF-8.
    pub(super) fn bytes(bytes: &[u8]) -> Self {
        Self::text(&String::from_utf8_lossy(bytes))
    }
}

impl fmt::Display for RejectedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = match self {
            RejectedValue::Text(text) => format!("\"{text}\""),
            RejectedValue::Literal(text) => text.clone(),
        };
        let shown: String = written.chars().take(SHOWN).collect();
        f.write_str(&visible_line(&shown))?;
        if written.chars().nth(SHOWN).is_some() {
            write!(f, "…")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejected_line_is_printed_with_its_place() {
        let line = RejectedLine {
            object: "a.csv".into(),
            row: 3,
            column: Some("quantity".into()),
            value: RejectedValue::text("two\t"),
        };
        assert_eq!(
            line.to_string(),
            "a.csv: row 3, column \"quantity\": \"two\\t\""
        );
        assert_eq!(
            serde_json::to_value(&line).unwrap(),
            serde_json::Value::String(line.to_string())
        );
        let whole = RejectedLine {
            column: None,
            value: RejectedValue::null(),
            ..line
        };
        assert_eq!(whole.to_string(), "a.csv: row 3: null");
    }

    #[test]
    fn a_long_value_is_shortened() {
        // Of 60 characters the opening quote is one.
        for length in [59, 60, 61, 1_000] {
            let shown = RejectedValue::text(&"é".repeat(length)).to_string();
            assert_eq!(shown, format!("\"{}…", "é".repeat(59)), "{length}");
        }
        let whole = RejectedValue::text(&"é".repeat(58)).to_string();
        assert_eq!(whole, format!("\"{}\"", "é".repeat(58)));
    }

    #[test]
    fn the_first_places_of_each_reason_are_kept_in_order() {
        let line = |row| RejectedLine {
            object: "a.csv".into(),
            row,
            column: None,
            value: RejectedValue::null(),
        };
        let (mut list, mut others) = (vec![], vec![]);
        Rejects::count(&mut list, RejectReason::NullTime, || line(1));
        Rejects::count(&mut others, RejectReason::FieldCount, || line(2));
        for row in 3..=6 {
            Rejects::count(&mut others, RejectReason::NullTime, || line(row));
        }
        Rejects::merge(&mut list, others);
        let rows = |rejects: &Rejects| rejects.first.iter().map(|line| line.row).collect();
        let listed: Vec<(RejectReason, u64, Vec<u64>)> = list
            .iter()
            .map(|rejects| (rejects.reason, rejects.lines, rows(rejects)))
            .collect();
        assert_eq!(
            listed,
            [
                (RejectReason::FieldCount, 1, vec![2]),
                (RejectReason::NullTime, 5, vec![1, 3, 4])
            ]
        );
    }
}
