//! Rows of any format become lines: which cell means what, and which rows are read.
//!
//! A format gives the cells of a row by their positions, as it has them. Parquet and CSV have
//! shorter ways of their own for the columns that nearly all files have.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::columns::{ColumnPlace, ColumnRole, FoundColumn, FoundColumns, FoundFilter};
use super::decoded_line::{DecodedLine, LineFacts, ProductFacts, Quantity};
use super::filter_values::ValuesMet;
use super::ids::{RawId, is_null};
use super::line_checker::LineChecker;
use super::rejects::RejectedValue;
use super::time::{ParsedTime, TimeOfDay, TimeRules};
use crate::error::Result;

/// A value as a file has it, whatever its format.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    /// None.
    Null,
    Integer(i64),
    Float(f64),
    /// From a column of 32-bit floats.
    Float32(f32),
    Boolean(bool),
    /// From a column of dates or timestamps.
    Time(ParsedTime),
    /// From a file without types: a number if it is written as one.
    Untyped(Cow<'a, str>),
    /// From a text column.
    Text(Cow<'a, str>),
    /// Bytes that are no UTF-8.
    NotText,
}

impl Cell<'_> {
    /// The same cell, without a copy of its text.
    pub(super) fn reborrow(&self) -> Cell<'_> {
        match self {
            Cell::Untyped(text) => Cell::Untyped(Cow::Borrowed(text)),
            Cell::Text(text) => Cell::Text(Cow::Borrowed(text)),
            Cell::Null => Cell::Null,
            Cell::Integer(number) => Cell::Integer(*number),
            Cell::Float(number) => Cell::Float(*number),
            Cell::Float32(number) => Cell::Float32(*number),
            Cell::Boolean(value) => Cell::Boolean(*value),
            Cell::Time(time) => Cell::Time(*time),
            Cell::NotText => Cell::NotText,
        }
    }

    /// The cell as an id.
    pub(super) fn id(&self) -> RawId<'_> {
        match self {
            Cell::Null => RawId::Null,
            Cell::Integer(id) => RawId::Integer(*id),
            Cell::Float(id) => RawId::Float(*id),
            Cell::Float32(id) => RawId::Float32(*id),
            Cell::Untyped(id) => RawId::Untyped(id),
            Cell::Text(id) => RawId::Text(id),
            Cell::Boolean(value) => RawId::Boolean(*value),
            Cell::Time(_) | Cell::NotText => RawId::NotText,
        }
    }

    /// The cell as a time.
    pub(super) fn time(&self, rules: &TimeRules) -> ParsedTime {
        match self {
            Cell::Null => ParsedTime::Null,
            Cell::Time(time) => *time,
            Cell::Untyped(text) | Cell::Text(text) => rules.text(text),
            Cell::Integer(number) => rules.integer(*number),
            Cell::Float(number) => rules.float(*number),
            Cell::Float32(number) => rules.float(f64::from(*number)),
            Cell::Boolean(_) | Cell::NotText => ParsedTime::Unreadable,
        }
    }

    /// The cell as a time of day beside a date.
    pub(super) fn time_of_day(&self) -> TimeOfDay {
        match self {
            Cell::Null => TimeOfDay::Null,
            Cell::Time(time) => TimeOfDay::of_time(*time),
            Cell::Untyped(text) | Cell::Text(text) => TimeOfDay::of(text),
            Cell::Integer(number) => TimeOfDay::of_integer(*number),
            Cell::Float(number) => TimeOfDay::of_float(*number),
            Cell::Float32(number) => TimeOfDay::of_float(f64::from(*number)),
            Cell::Boolean(_) | Cell::NotText => TimeOfDay::Unreadable,
        }
    }

    /// The cell as a quantity; where fields are not separated by commas, there may be a decimal
    /// comma.
    pub(super) fn quantity(&self, decimal_comma: bool) -> Quantity {
        match self {
            Cell::Null => Quantity::Null,
            // Exact up to 2⁵³.
            Cell::Integer(number) => Quantity::Number(*number as f64),
            Cell::Float(number) => Quantity::Number(*number),
            Cell::Float32(number) => Quantity::Number(f64::from(*number)),
            Cell::Untyped(text) | Cell::Text(text) => Quantity::of(text.as_bytes(), decimal_comma),
            Cell::Boolean(_) | Cell::Time(_) | Cell::NotText => Quantity::NotANumber,
        }
    }

    /// The cell as text, as a filter compares it; `None` if there is none.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Cell::Null | Cell::NotText => None,
            Cell::Integer(number) => Some(number.to_string().into()),
            Cell::Float(number) => Some(number.to_string().into()),
            Cell::Float32(number) => Some(number.to_string().into()),
            Cell::Boolean(value) => Some(value.to_string().into()),
            Cell::Time(time) => match time.rejected() {
                RejectedValue::Literal(text) | RejectedValue::Text(text) => Some(text.into()),
            },
            Cell::Untyped(text) | Cell::Text(text) => {
                (!is_null(text)).then(|| Cow::Borrowed(text.as_ref()))
            }
        }
    }

    /// The cell as a message shows it.
    pub(super) fn rejected(&self) -> RejectedValue {
        match self {
            Cell::Null => RejectedValue::null(),
            Cell::Untyped(text) | Cell::Text(text) => RejectedValue::text(text),
            Cell::NotText => RejectedValue::Literal("bytes".to_owned()),
            other => RejectedValue::Literal(other.text().unwrap_or_default().into_owned()),
        }
    }
}

/// One row.
pub(super) trait Row {
    /// The cell at a position; [`Cell::Null`] if the row has none there.
    fn cell(&self, at: usize) -> Cell<'_>;
}

/// The cells of a row, by their positions.
impl Row for Vec<Cell<'_>> {
    fn cell(&self, at: usize) -> Cell<'_> {
        self.get(at).map_or(Cell::Null, Cell::reborrow)
    }
}

/// Makes lines of the rows of an object.
#[derive(Debug, Clone)]
pub(super) struct RowReader {
    columns: FoundColumns,
    /// Whether numbers may have a decimal comma.
    decimal_comma: bool,
}

impl RowReader {
    /// A reader of rows with these columns.
    pub(super) fn new(columns: FoundColumns, decimal_comma: bool) -> Self {
        Self {
            columns,
            decimal_comma,
        }
    }

    /// The columns.
    pub(super) fn columns(&self) -> &FoundColumns {
        &self.columns
    }

    /// Adds a row to `lines`, or leaves it out. `number` counts the object's rows from 1.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(super) fn add(&self, number: u64, row: &impl Row, lines: &mut LineChecker) -> Result<()> {
        let is_read = self.meets_filters(row, lines);
        if !is_read {
            lines.filter_out(1);
            return Ok(());
        }
        let [customer, product, basket, category, store, name] = [
            ColumnRole::Customer,
            ColumnRole::Product,
            ColumnRole::Basket,
            ColumnRole::Category,
            ColumnRole::Store,
            ColumnRole::Name,
        ]
        .map(|role| self.cell(role, row));
        let [brand, offerable] = match self.columns.are_of_products {
            true => [ColumnRole::Brand, ColumnRole::Offerable].map(|role| self.cell(role, row)),
            false => [Cell::Null, Cell::Null],
        };
        let of_product = self.columns.are_of_products.then(|| ProductFacts {
            brand: brand.id(),
            margin: self.quantity(ColumnRole::Margin, row),
            discount: self.quantity(ColumnRole::Discount, row),
            offerable: offerable.id(),
        });
        let line = DecodedLine {
            time: self.time(row, lines.time_rules()),
            customer: customer.id(),
            product: product.id(),
            quantity: self.quantity(ColumnRole::Quantity, row),
            takes_back: self.takes_back(row, lines),
            facts: LineFacts {
                basket: basket.id(),
                price: self.quantity(ColumnRole::Price, row),
                category: category.id(),
                store: store.id(),
                name: name.id(),
                of_product: of_product.as_ref(),
            },
        };
        lines.add(number, line, |role| self.at_fault(role, row))
    }

    /// Whether a row meets all filters. Each looks at all rows, so that it is known what it met.
    fn meets_filters(&self, row: &impl Row, lines: &mut LineChecker) -> bool {
        let mut meets_all = true;
        for (at, filter) in self.columns.filters.iter().enumerate() {
            meets_all &= meets(filter, row, lines.filter_values().of_filter(at));
        }
        meets_all
    }

    /// Whether a filter leaves out all rows of a group, by what is known of the columns without reading
    /// them: `known` tells it of a column by its position. What was met is noted in `lines`.
    pub(super) fn leaves_out_all(
        &self,
        known: impl Fn(usize) -> Option<KnownValues>,
        lines: &mut LineChecker,
    ) -> bool {
        let mut filters = self.columns.filters.iter().enumerate();
        filters.any(|(at, filter)| {
            let values = match &filter.column.place {
                ColumnPlace::Field(column) => known(*column),
                ColumnPlace::Path(value) => Some(KnownValues::One(Cell::Untyped(Cow::Owned(
                    value.to_string(),
                )))),
            };
            match values {
                Some(KnownValues::One(cell)) => {
                    let position = position_of(filter, &cell);
                    let is_left_out = position.is_some() == filter.filter.is_negated;
                    if let Some(values) = lines.filter_values().of_filter(at)
                        && is_left_out
                    {
                        values.note(position, &cell);
                    }
                    is_left_out
                }
                Some(KnownValues::Integers(range)) => {
                    let mut numbers = filter.numbers.iter().flatten();
                    !filter.filter.is_negated && !numbers.any(|wanted| may_contain(&range, *wanted))
                }
                None => false,
            }
        })
    }

    /// Whether a row meets one of the filters for returns.
    fn takes_back(&self, row: &impl Row, lines: &mut LineChecker) -> bool {
        let mut meets_one = false;
        for (at, filter) in self.columns.returns.iter().enumerate() {
            meets_one |= meets(filter, row, lines.filter_values().of_return(at));
        }
        meets_one
    }

    /// The cell of a role; null if no column has it.
    fn cell<'r>(&'r self, role: ColumnRole, row: &'r impl Row) -> Cell<'r> {
        let column = self.columns.of(role);
        column.map_or(Cell::Null, |column| cell_of(column, row))
    }

    fn time(&self, row: &impl Row, rules: &TimeRules) -> ParsedTime {
        let date = self.cell(ColumnRole::Time, row).time(rules);
        match self.columns.of(ColumnRole::TimeOfDay) {
            None => date,
            Some(column) => ParsedTime::with_time_of_day(date, cell_of(column, row).time_of_day()),
        }
    }

    fn quantity(&self, role: ColumnRole, row: &impl Row) -> Quantity {
        match self.columns.of(role) {
            Some(column) => cell_of(column, row).quantity(self.decimal_comma),
            None => Quantity::Absent,
        }
    }

    /// The name and the value of the column at fault.
    fn at_fault<'r>(
        &'r self,
        role: Option<ColumnRole>,
        row: &'r impl Row,
    ) -> (Option<&'r str>, RejectedValue) {
        let column = role.and_then(|role| self.columns.of(role));
        match column {
            Some(column) => (Some(&*column.name), cell_of(column, row).rejected()),
            None => (None, RejectedValue::null()),
        }
    }
}

/// What is known of all values of a column in a group of rows.
pub(super) enum KnownValues {
    /// All are this one.
    One(Cell<'static>),
    /// They lie between these.
    Integers(RangeInclusive<i64>),
}

/// Whether a number may be among integers: exact up to 2⁵³, so that larger ones always may.
fn may_contain(range: &RangeInclusive<i64>, number: f64) -> bool {
    const EXACT: i64 = 1 << 53;
    let is_exact = -EXACT < *range.start() && *range.end() < EXACT;
    !is_exact || (*range.start() as f64..=*range.end() as f64).contains(&number)
}

fn meets(filter: &FoundFilter, row: &impl Row, values: Option<&mut ValuesMet>) -> bool {
    let cell = cell_of(&filter.column, row);
    let position = position_of(filter, &cell);
    if let Some(values) = values {
        values.note(position, &cell);
    }
    position.is_some() != filter.filter.is_negated
}

/// The position of a cell's value among those of a filter: numbers are compared as numbers.
fn position_of(filter: &FoundFilter, cell: &Cell<'_>) -> Option<usize> {
    let mut numbers = filter.numbers.iter();
    let as_number = match *cell {
        // Exact up to 2⁵³.
        Cell::Integer(number) if number.unsigned_abs() < 1 << 53 => {
            return numbers.position(|wanted| *wanted == Some(number as f64));
        }
        Cell::Float(number) => numbers.position(|wanted| *wanted == Some(number)),
        Cell::Float32(number) => {
            numbers.position(|wanted| wanted.is_some_and(|wanted| wanted as f32 == number))
        }
        Cell::Boolean(value) => {
            let written = if value { "true" } else { "false" };
            let mut values = filter.filter.values.iter();
            return values.position(|wanted| wanted.eq_ignore_ascii_case(written));
        }
        _ => None,
    };
    as_number.or_else(|| filter.filter.position(&cell.text().unwrap_or_default()))
}

fn cell_of<'r>(column: &'r FoundColumn, row: &'r impl Row) -> Cell<'r> {
    match &column.place {
        ColumnPlace::Field(at) => row.cell(*at),
        ColumnPlace::Path(value) => Cell::Untyped(Cow::Borrowed(value)),
    }
}
