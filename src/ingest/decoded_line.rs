//! One ticket line as a file has it, whatever its format.

use super::ids::RawId;
pub(super) use super::quantity::Quantity;
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
    /// What the product is called, or which person the customer is.
    pub(super) name: RawId<'a>,
    /// What a table of products says besides.
    pub(super) of_product: Option<&'a ProductFacts<'a>>,
}

/// What only a table of products says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ProductFacts<'a> {
    /// Whose product it is.
    pub(super) brand: RawId<'a>,
    /// What is left of its price without a discount.
    pub(super) margin: Quantity,
    /// The discount of an offer of it.
    pub(super) discount: Quantity,
    /// Whether it may be offered.
    pub(super) offerable: RawId<'a>,
}

impl LineFacts<'_> {
    /// Nothing else.
    pub(super) const NONE: Self = Self {
        basket: RawId::Null,
        price: Quantity::Absent,
        category: RawId::Null,
        store: RawId::Null,
        name: RawId::Null,
        of_product: None,
    };
}
