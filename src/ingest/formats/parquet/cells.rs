//! Some rows of a group with any columns, cell by cell.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::{BooleanChunked, DataType, PolarsResult, Series};

use super::column_chunk::ColumnSlice;
use super::columns::{DecodedColumn, IdColumn, TimeColumn};
use super::footer::ParquetFooter;
use super::{damaged, unreadable};
use crate::error::Result;
use crate::ingest::ids::RawId;
use crate::ingest::line_checker::LineChecker;
use crate::ingest::row_reader::{Cell, Row};
use crate::ingest::time::ParsedTime;

/// Some rows of a group.
pub(super) struct CellBlock {
    footer: Arc<ParquetFooter>,
    /// Which rows of the group they are.
    rows: Range<usize>,
    columns: Vec<DecodedColumn<CellColumn>>,
}

impl CellBlock {
    /// Makes a block of the values of some rows, column by column.
    pub(super) fn new(
        footer: &Arc<ParquetFooter>,
        rows: Range<usize>,
        slices: Vec<ColumnSlice>,
    ) -> Result<Self> {
        let columns: PolarsResult<Vec<_>> = slices
            .into_iter()
            .map(|slice| DecodedColumn::new(slice, CellColumn::of))
            .collect();
        Ok(Self {
            footer: Arc::clone(footer),
            rows,
            columns: columns.map_err(unreadable)?,
        })
    }

    /// Adds the rows to `lines`. `rows_before` is how many rows the file has before this group.
    pub(super) fn add_to(&self, lines: &mut LineChecker, rows_before: u64) -> Result<()> {
        let reader = self.footer.rows.as_ref().ok_or_else(damaged)?;
        let first = rows_before + self.rows.start as u64 + 1;
        for (number, at) in (first..).zip(0..self.rows.len()) {
            reader.add(number, &BlockRow { block: self, at }, lines)?;
        }
        Ok(())
    }
}

/// A row of a block.
struct BlockRow<'a> {
    block: &'a CellBlock,
    at: usize,
}

impl Row for BlockRow<'_> {
    fn cell(&self, at: usize) -> Cell<'_> {
        let column = self.block.columns.get(at);
        column.map_or(Cell::Null, |column| column.cell(self.at))
    }
}

/// The values of a column of any type.
pub(super) enum CellColumn {
    Ids(IdColumn),
    Times(TimeColumn),
    Booleans(BooleanChunked),
}

impl CellColumn {
    pub(super) fn of(series: Series) -> PolarsResult<Self> {
        Ok(match series.dtype() {
            DataType::Date | DataType::Datetime(..) => Self::Times(TimeColumn::of(series)?),
            DataType::Boolean => Self::Booleans(series.bool()?.clone()),
            _ => Self::Ids(IdColumn::of(series)?),
        })
    }

    /// The value at a position.
    pub(super) fn cell(&self, at: usize) -> Cell<'_> {
        match self {
            Self::Booleans(values) => values.get(at).map_or(Cell::Null, Cell::Boolean),
            Self::Times(times) => match times.typed(at) {
                ParsedTime::Null => Cell::Null,
                time => Cell::Time(time),
            },
            Self::Ids(ids) => match ids.get(at) {
                RawId::Null => Cell::Null,
                RawId::Integer(id) => Cell::Integer(id),
                RawId::Float(id) => Cell::Float(id),
                RawId::Float32(id) => Cell::Float32(id),
                RawId::Untyped(id) => Cell::Untyped(Cow::Borrowed(id)),
                RawId::Text(id) => Cell::Text(Cow::Borrowed(id)),
                RawId::Boolean(value) => Cell::Boolean(value),
                RawId::NotText => Cell::NotText,
            },
        }
    }
}
