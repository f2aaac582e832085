//! One ticket line as a file has it, whatever its format.

use super::ids::{RawId, is_null};
use super::time::ParsedTime;

/// A line that was decoded, before it is checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DecodedLine<'a> {
    pub(super) time: ParsedTime,
    pub(super) customer: RawId<'a>,
    pub(super) product: RawId<'a>,
    pub(super) quantity: Quantity,
}

/// A quantity as a file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantity {
    /// There is no such column: every line is a sale.
    Absent,
    /// None.
    Null,
    /// A number, or NaN.
    Number(f64),
    /// Text that is no number.
    NotANumber,
}

impl Quantity {
    /// Reads text; where fields are not separated by commas, there may be a decimal comma.
    #[inline]
    pub(super) fn of(text: &[u8], decimal_comma: bool) -> Self {
        let text = text.trim_ascii();
        // Nearly all quantities are one digit.
        if let [digit @ b'0'..=b'9'] = text {
            return Quantity::Number(f64::from(digit - b'0'));
        }
        let Ok(text) = std::str::from_utf8(text) else {
            return Quantity::NotANumber;
        };
        if is_null(text) {
            return Quantity::Null;
        }
        let number = if decimal_comma && text.contains(',') {
            text.replacen(',', ".", 1).parse()
        } else {
            text.parse()
        };
        number.map_or(Quantity::NotANumber, Quantity::Number)
    }
}
