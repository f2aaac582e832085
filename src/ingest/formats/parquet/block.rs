//! Some rows of a group, decoded.

use std::ops::Range;
use std::sync::Arc;

use polars::prelude::TimeUnit;
use rayon::prelude::*;

use super::cells::CellBlock;
use super::column_chunk::{ColumnChunkReader, ColumnSlice};
use super::columns::{
    DecodedColumn, IdColumn, PlainValues, QuantityColumn, TimeColumn, microseconds,
};
use super::footer::ParquetFooter;
use super::{damaged, unreadable};
use crate::error::Result;
use crate::ingest::anonymous::{AnonymousCustomers, Buyer};
use crate::ingest::columns::ColumnRole;
use crate::ingest::decoded_line::Quantity;
use crate::ingest::dictionary::KnownCodes;
use crate::ingest::excluded::{ExcludedProducts, Exclusion};
use crate::ingest::ids::{IdFault, RawId};
use crate::ingest::line_checker::{CheckedLine, LineChecker};
use crate::ingest::netting::NO_TICKET;
use crate::ingest::rejects::RejectedValue;
use crate::ingest::time::{ParsedTime, TimeRules};

/// How many rows of a group are decoded at a time.
const DECODED_ROWS: usize = 1 << 16;

/// How many rows are checked before their ids are looked up: few enough to stay in the cache.
const CHECKED_ROWS: usize = 1 << 12;

/// The codes of the ids in the dictionaries of a group.
#[derive(Default)]
pub(super) struct KnownIdCodes {
    customers: KnownCodes,
    products: KnownCodes,
}

/// Some rows of a group.
pub(super) enum DecodedRows {
    /// With the columns that nearly all files have, and no others.
    Plain(Box<PlainBlock>),
    /// With any columns.
    Cells(CellBlock),
}

impl DecodedRows {
    /// Decodes some of the rows that are left; `None` if no row is left.
    pub(super) fn read(
        footer: &Arc<ParquetFooter>,
        columns: &mut [ColumnChunkReader],
        left: &mut Range<usize>,
    ) -> Result<Option<Self>> {
        // A group may be large: some of its rows at a time, so that memory does not grow with it.
        let rows = left.start..left.end.min(left.start + DECODED_ROWS);
        if rows.is_empty() {
            return Ok(None);
        }
        left.start = rows.end;
        // Side by side; of several errors the first column's is told.
        let slices: Vec<Result<ColumnSlice>> = columns
            .par_iter_mut()
            .map(|column| column.read(&rows))
            .collect();
        let slices = slices.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(Some(match &footer.rows {
            None => Self::Plain(Box::new(PlainBlock::new(footer, rows, slices)?)),
            Some(_) => Self::Cells(CellBlock::new(footer, rows, slices)?),
        }))
    }

    /// Adds the rows to `lines`. `rows_before` is how many rows the file has before this group, and
    /// `known` are the codes of ids in the group's dictionaries.
    pub(super) fn add_to(
        &self,
        lines: &mut LineChecker,
        rows_before: u64,
        known: &mut KnownIdCodes,
    ) -> Result<()> {
        match self {
            Self::Plain(block) => block.add_to(lines, rows_before, known),
            Self::Cells(block) => block.add_to(lines, rows_before),
        }
    }
}

/// Some rows of a group with the columns that nearly all files have.
pub(super) struct PlainBlock {
    footer: Arc<ParquetFooter>,
    /// Which rows of the group they are.
    rows: Range<usize>,
    customers: DecodedColumn<IdColumn>,
    products: DecodedColumn<IdColumn>,
    times: DecodedColumn<TimeColumn>,
    quantities: Option<DecodedColumn<QuantityColumn>>,
}

impl PlainBlock {
    /// Makes a block of the values of some rows, which are in the order of the footer's columns.
    fn new(
        footer: &Arc<ParquetFooter>,
        rows: Range<usize>,
        slices: Vec<ColumnSlice>,
    ) -> Result<Self> {
        let roles = footer.columns.iter().map(|column| column.role);
        let mut read: Vec<(Option<ColumnRole>, ColumnSlice)> = roles.zip(slices).collect();
        let customers = take_column(&mut read, ColumnRole::Customer).ok_or_else(damaged)?;
        let products = take_column(&mut read, ColumnRole::Product).ok_or_else(damaged)?;
        let times = take_column(&mut read, ColumnRole::Time).ok_or_else(damaged)?;
        let quantities = take_column(&mut read, ColumnRole::Quantity);
        Ok(Self {
            footer: Arc::clone(footer),
            rows,
            customers: DecodedColumn::new(customers, IdColumn::of).map_err(unreadable)?,
            products: DecodedColumn::new(products, IdColumn::of).map_err(unreadable)?,
            times: DecodedColumn::new(times, TimeColumn::of).map_err(unreadable)?,
            quantities: quantities
                .map(|quantities| DecodedColumn::new(quantities, QuantityColumn::of))
                .transpose()
                .map_err(unreadable)?,
        })
    }

    /// Adds the rows to `lines`. `rows_before` is how many rows the file has before this group, and
    /// `known` are the codes of ids in the group's dictionaries.
    pub(super) fn add_to(
        &self,
        lines: &mut LineChecker,
        rows_before: u64,
        known: &mut KnownIdCodes,
    ) -> Result<()> {
        // Compiled twice: for the types that nearly all files have, and for any.
        match self.plain_rows() {
            Some(plain) => self.add_rows(&plain, lines, rows_before, known),
            None => self.add_rows(&AnyRows(self), lines, rows_before, known),
        }
    }

    /// The rows, if all of them have integers as ids, a timestamp, and a number as quantity.
    fn plain_rows(&self) -> Option<PlainRows<'_>> {
        let (times, unit, are_instants) = self.times.times()?;
        Some(PlainRows {
            customers: self.customers.integers()?,
            products: self.products.integers()?,
            times,
            unit,
            are_instants,
            quantities: self.quantities.as_ref()?.numbers()?,
        })
    }

    /// Some rows at a time: each is checked, then their ids are looked up column by column.
    #[inline(always)]
    fn add_rows(
        &self,
        values: &impl RowValues,
        lines: &mut LineChecker,
        rows_before: u64,
        known: &mut KnownIdCodes,
    ) -> Result<()> {
        let rows_before = rows_before + self.rows.start as u64;
        let rules = Arc::clone(lines.time_rules());
        let mut at_rows = Vec::with_capacity(CHECKED_ROWS);
        let mut sales = Vec::with_capacity(CHECKED_ROWS);
        for start in (0..self.rows.len()).step_by(CHECKED_ROWS) {
            at_rows.clear();
            sales.clear();
            for at in start..self.rows.len().min(start + CHECKED_ROWS) {
                match lines.check(
                    values.time(at, &rules),
                    |anonymous| values.buyer(at, anonymous, known),
                    |excluded| values.exclusion(at, excluded, known),
                    values.quantity(at),
                ) {
                    Ok(Some(sale)) if sale.is_anonymous => {
                        lines.keep_anonymous(sale, values.product(at))?;
                    }
                    Ok(Some(line)) if line.takes_back() => {
                        let (customer, product) = (values.customer(at), values.product(at));
                        lines.take_back(line, customer, product, NO_TICKET)?;
                    }
                    Ok(Some(sale)) => {
                        at_rows.push(at);
                        sales.push(sale);
                    }
                    Ok(None) => {}
                    Err(reason) => {
                        let row = rows_before + at as u64 + 1;
                        lines.reject(row, reason, |role| self.at_fault(at, role));
                    }
                }
            }
            self.keep_all(&sales, &at_rows, values, lines, known)?;
        }
        Ok(())
    }

    /// Looks up the ids of checked sales column by column, and keeps the sales.
    #[inline(always)]
    fn keep_all(
        &self,
        sales: &[CheckedLine],
        at_rows: &[usize],
        values: &impl RowValues,
        lines: &mut LineChecker,
        known: &mut KnownIdCodes,
    ) -> Result<()> {
        let KnownIdCodes {
            customers,
            products,
        } = known;
        let customer_positions = self.customers.positions();
        let product_positions = self.products.positions();
        lines.keep_all(
            sales,
            |ids| {
                let value = |at| values.customer(at);
                ids.codes_of(at_rows, value, customer_positions, customers)
            },
            |ids| {
                let value = |at| values.product(at);
                ids.codes_of(at_rows, value, product_positions, products)
            },
        )
    }

    /// The name and the value of a column in a row.
    fn at_fault(&self, at: usize, role: Option<ColumnRole>) -> (Option<&str>, RejectedValue) {
        let value = match role {
            Some(ColumnRole::Customer) => self.customers.get(at).rejected(),
            Some(ColumnRole::Product) => self.products.get(at).rejected(),
            Some(ColumnRole::Time) => self.times.rejected(at),
            Some(ColumnRole::Quantity) => {
                let quantities = self.quantities.as_ref();
                quantities.map_or_else(RejectedValue::null, |quantities| quantities.rejected(at))
            }
            _ => RejectedValue::null(),
        };
        (role.and_then(|role| self.footer.name_of(role)), value)
    }
}

/// Takes the column of a role out of those that were read.
fn take_column(
    read: &mut Vec<(Option<ColumnRole>, ColumnSlice)>,
    role: ColumnRole,
) -> Option<ColumnSlice> {
    let at = read.iter().position(|(other, _)| *other == Some(role))?;
    Some(read.swap_remove(at).1)
}

/// The values of rows, by the position of a row among them.
trait RowValues {
    fn time(&self, at: usize, rules: &TimeRules) -> ParsedTime;

    fn customer(&self, at: usize) -> RawId<'_>;

    fn product(&self, at: usize) -> RawId<'_>;

    fn quantity(&self, at: usize) -> Quantity;

    /// Who bought the row.
    fn buyer(
        &self,
        at: usize,
        anonymous: &AnonymousCustomers,
        known: &KnownIdCodes,
    ) -> Result<Buyer, IdFault>;

    /// Whether the row's product is an excluded one, if the row has one.
    fn exclusion(
        &self,
        at: usize,
        excluded: &ExcludedProducts,
        known: &KnownIdCodes,
    ) -> Result<Exclusion, IdFault>;
}

/// Rows of the types that nearly all files have.
struct PlainRows<'a> {
    customers: PlainValues<'a, i64>,
    products: PlainValues<'a, i64>,
    times: PlainValues<'a, i64>,
    unit: TimeUnit,
    are_instants: bool,
    quantities: PlainValues<'a, f64>,
}

impl RowValues for PlainRows<'_> {
    #[inline(always)]
    fn time(&self, at: usize, _rules: &TimeRules) -> ParsedTime {
        let time = microseconds(self.times.get(at), self.unit);
        if self.are_instants {
            ParsedTime::Instant(time)
        } else {
            ParsedTime::Naive(time)
        }
    }

    #[inline(always)]
    fn customer(&self, at: usize) -> RawId<'_> {
        RawId::Integer(self.customers.get(at))
    }

    #[inline(always)]
    fn product(&self, at: usize) -> RawId<'_> {
        RawId::Integer(self.products.get(at))
    }

    #[inline(always)]
    fn quantity(&self, at: usize) -> Quantity {
        Quantity::Number(self.quantities.get(at))
    }

    /// Every row has an integer: it is fetched only where it must be looked up.
    #[inline(always)]
    fn buyer(
        &self,
        at: usize,
        anonymous: &AnonymousCustomers,
        _known: &KnownIdCodes,
    ) -> Result<Buyer, IdFault> {
        if anonymous.named.are_none() {
            Ok(Buyer::Known)
        } else {
            anonymous.buyer(self.customer(at))
        }
    }

    /// Every row has an integer: it is fetched only where it must be looked up.
    #[inline(always)]
    fn exclusion(
        &self,
        at: usize,
        excluded: &ExcludedProducts,
        _known: &KnownIdCodes,
    ) -> Result<Exclusion, IdFault> {
        if excluded.named.are_none() {
            Ok(Exclusion::None)
        } else {
            excluded.judge(self.product(at))
        }
    }
}

/// Rows of any types.
struct AnyRows<'a>(&'a PlainBlock);

impl RowValues for AnyRows<'_> {
    #[inline(always)]
    fn time(&self, at: usize, rules: &TimeRules) -> ParsedTime {
        self.0.times.get(at, rules)
    }

    #[inline(always)]
    fn customer(&self, at: usize) -> RawId<'_> {
        self.0.customers.get(at)
    }

    #[inline(always)]
    fn product(&self, at: usize) -> RawId<'_> {
        self.0.products.get(at)
    }

    #[inline(always)]
    fn quantity(&self, at: usize) -> Quantity {
        let quantities = self.0.quantities.as_ref();
        quantities.map_or(Quantity::Absent, |quantities| quantities.get(at))
    }

    /// What has a code is an id of a customer.
    #[inline(always)]
    fn buyer(
        &self,
        at: usize,
        anonymous: &AnonymousCustomers,
        known: &KnownIdCodes,
    ) -> Result<Buyer, IdFault> {
        if known.customers.has(self.0.customers.positions(), at) {
            Ok(Buyer::Known)
        } else {
            anonymous.buyer(self.customer(at))
        }
    }

    /// What has a code is an id.
    #[inline(always)]
    fn exclusion(
        &self,
        at: usize,
        excluded: &ExcludedProducts,
        known: &KnownIdCodes,
    ) -> Result<Exclusion, IdFault> {
        if excluded.named.are_none() && known.products.has(self.0.products.positions(), at) {
            Ok(Exclusion::None)
        } else {
            excluded.judge(self.product(at))
        }
    }
}
