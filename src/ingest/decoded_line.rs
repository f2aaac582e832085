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
    /// Whether the line takes back what was sold, whatever the quantity's sign.
    pub(super) takes_back: bool,
    pub(super) facts: LineFacts<'a>,
}

/// What else a line says, where its columns are mapped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LineFacts<'a> {
    /// The ticket.
    pub(super) basket: RawId<'a>,
    /// The price of one piece.
    pub(super) price: Quantity,
    pub(super) category: RawId<'a>,
    pub(super) store: RawId<'a>,
}

impl LineFacts<'_> {
    /// Nothing else.
    pub(super) const NONE: Self = Self {
        basket: RawId::Null,
        price: Quantity::Absent,
        category: RawId::Null,
        store: RawId::Null,
    };
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
    /// The same as taken back: where the sign does not tell, another column does.
    #[must_use]
    pub(super) fn taken_back_if(self, takes_back: bool) -> Self {
        match self {
            Quantity::Number(number) if takes_back => Quantity::Number(-number.abs()),
            Quantity::Absent if takes_back => Quantity::Number(-1.0),
            other => other,
        }
    }

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
