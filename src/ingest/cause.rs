//! Why a line is bad, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a line is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The line has more or fewer fields than the header.
    FieldCount,
    /// Text follows the closing quote of a field.
    BrokenQuotes,
    /// No time.
    NullTime,
    /// A time in no known form, or a day that the calendar does not have.
    UnreadableTime,
    /// A time that could be day/month or month/day.
    AmbiguousTime,
    /// A day before 1990 or after 2099.
    AbsurdDate,
    /// No customer.
    NullCustomer,
    /// A customer that is a number with a fraction, infinite, or too large to be exact.
    FractionalCustomer,
    /// A customer that is not UTF-8.
    CustomerNotText,
    /// No product.
    NullProduct,
    /// A product that is a number with a fraction, infinite, or too large to be exact.
    FractionalProduct,
    /// A product that is not UTF-8.
    ProductNotText,
    /// No quantity.
    NullQuantity,
    /// A quantity that is no number.
    QuantityNotANumber,
}

/// Which of the mapped columns is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Customer,
    Product,
    Time,
    Quantity,
}

impl Role {
    /// The flag that maps the column.
    pub(super) fn flag(self) -> &'static str {
        match self {
            Role::Customer => "--customer",
            Role::Product => "--product",
            Role::Time => "--time",
            Role::Quantity => "--quantity",
        }
    }
}

impl Cause {
    /// The column at fault, if one is.
    pub(super) fn role(self) -> Option<Role> {
        match self {
            Cause::FieldCount | Cause::BrokenQuotes => None,
            Cause::NullTime | Cause::UnreadableTime | Cause::AmbiguousTime | Cause::AbsurdDate => {
                Some(Role::Time)
            }
            Cause::NullCustomer | Cause::FractionalCustomer | Cause::CustomerNotText => {
                Some(Role::Customer)
            }
            Cause::NullProduct | Cause::FractionalProduct | Cause::ProductNotText => {
                Some(Role::Product)
            }
            Cause::NullQuantity | Cause::QuantityNotANumber => Some(Role::Quantity),
        }
    }

    /// What to do about it.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Cause::FieldCount | Cause::BrokenQuotes => {
                "quote fields that contain the separator or a quote, and double the quotes in them"
            }
            Cause::NullTime | Cause::NullCustomer | Cause::NullProduct => {
                "leave lines without an id or time (sales without a loyalty card, say) out of the export"
            }
            Cause::UnreadableTime => {
                "write times as YYYY-MM-DD or YYYY-MM-DD HH:MM:SS; convert seconds since 1970 first"
            }
            Cause::AmbiguousTime => {
                "okuo does not guess between day/month and month/day: write dates as YYYY-MM-DD"
            }
            Cause::AbsurdDate => {
                "correct the dates or map another column with --time; 1990 to 2099 is taken for real"
            }
            Cause::FractionalCustomer | Cause::CustomerNotText => {
                "map another column with --customer, or write ids as integers or UTF-8 text"
            }
            Cause::FractionalProduct | Cause::ProductNotText => {
                "map another column with --product, or write ids as integers or UTF-8 text"
            }
            Cause::NullQuantity | Cause::QuantityNotANumber => "map another column with --quantity",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Cause::FieldCount => "a wrong number of fields",
            Cause::BrokenQuotes => "text after a closing quote",
            Cause::NullTime => "no time",
            Cause::UnreadableTime => "unreadable time",
            Cause::AmbiguousTime => "ambiguous time (day or month first?)",
            Cause::AbsurdDate => "date before 1990 or after 2099",
            Cause::NullCustomer => "no customer",
            Cause::FractionalCustomer => "customer that is not a whole number",
            Cause::CustomerNotText => "customer that is not UTF-8",
            Cause::NullProduct => "no product",
            Cause::FractionalProduct => "product that is not a whole number",
            Cause::ProductNotText => "product that is not UTF-8",
            Cause::NullQuantity => "no quantity",
            Cause::QuantityNotANumber => "quantity that is not a number",
        })
    }
}
