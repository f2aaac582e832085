//! The rows of a sheet, and its header.

use std::borrow::Cow;

use calamine::{DataRef, ExcelDateTime, XlsxCellReader, XlsxError};

use crate::calendar::Day;
use crate::error::{Error, Result};
use crate::ingest::columns::{FoundColumns, WantedColumns};
use crate::ingest::content::ContentReader;
use crate::ingest::row_reader::Cell;
use crate::ingest::time::{MICROSECONDS_PER_DAY, ParsedTime};

/// The most columns that a sheet of Excel has.
const MAX_COLUMNS: usize = 1 << 14;

/// Where the header of a sheet is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    /// Among the rows that are not empty, from 0.
    pub(super) row: usize,
}

impl Header {
    /// The first of the rows that has the wanted columns.
    ///
    /// # Errors
    /// If none has them: what the likeliest lacks.
    pub(super) fn find(
        rows: &[Vec<Option<String>>],
        wanted: &WantedColumns,
    ) -> Result<(Self, FoundColumns)> {
        let find_in = |row: &Vec<Option<String>>| {
            let names: Vec<&str> = row
                .iter()
                .map(|name| name.as_deref().unwrap_or_default().trim())
                .collect();
            wanted.find(&names)
        };
        for (at, row) in rows.iter().enumerate() {
            if let Ok(columns) = find_in(row) {
                return Ok((Self { row: at }, columns));
            }
        }
        let likely = rows.get(likely_header(rows)).map(find_in);
        match likely {
            Some(Err(error)) => Err(error),
            _ => Err(Error::input("the sheet has no rows").for_lack_of_columns()),
        }
    }
}

/// The row that is most likely the header: the first of the widest.
pub(super) fn likely_header(rows: &[Vec<Option<String>>]) -> usize {
    let width = |row: &Vec<Option<String>>| row.iter().flatten().count();
    let widest = rows.iter().map(width).max().unwrap_or(0);
    rows.iter()
        .position(|row| width(row) == widest)
        .unwrap_or(0)
}

/// The rows of a sheet that are not empty.
pub(super) struct SheetRows<'a> {
    cells: XlsxCellReader<'a, ContentReader>,
    /// The first cell of the next row, with its row and column.
    next: Option<(u32, usize, Cell<'a>)>,
    has_begun: bool,
}

impl<'a> SheetRows<'a> {
    /// At the first row.
    pub(super) fn new(cells: XlsxCellReader<'a, ContentReader>) -> Self {
        Self {
            cells,
            next: None,
            has_begun: false,
        }
    }

    /// The next row that is not empty, with its number from 0.
    ///
    /// # Errors
    /// If the sheet is damaged.
    pub(super) fn next_row(
        &mut self,
    ) -> std::result::Result<Option<(u32, Vec<Cell<'a>>)>, XlsxError> {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.next = self.next_cell()?;
        }
        let Some((at, column, first)) = self.next.take() else {
            return Ok(None);
        };
        let mut row = vec![];
        place(&mut row, column, first);
        while let Some((of, column, cell)) = self.next_cell()? {
            if of != at {
                self.next = Some((of, column, cell));
                break;
            }
            place(&mut row, column, cell);
        }
        Ok(Some((at, row)))
    }

    /// The next cell that is not empty.
    fn next_cell(&mut self) -> std::result::Result<Option<(u32, usize, Cell<'a>)>, XlsxError> {
        while let Some(cell) = self.cells.next_cell()? {
            let (row, column) = cell.get_position();
            let column = column as usize;
            let value = cell_of(cell.get_value());
            if value != Cell::Null && column < MAX_COLUMNS {
                return Ok(Some((row, column, value)));
            }
        }
        Ok(None)
    }
}

fn place<'a>(row: &mut Vec<Cell<'a>>, column: usize, cell: Cell<'a>) {
    if row.len() <= column {
        row.resize_with(column + 1, || Cell::Null);
    }
    if let Some(place) = row.get_mut(column) {
        *place = cell;
    }
}

fn cell_of<'a>(value: &DataRef<'a>) -> Cell<'a> {
    match value {
        DataRef::Empty => Cell::Null,
        DataRef::Int(number) => Cell::Integer(*number),
        DataRef::Float(number) => Cell::Float(*number),
        DataRef::Bool(value) => Cell::Boolean(*value),
        DataRef::SharedString(text) => Cell::Untyped(Cow::Borrowed(text)),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            Cell::Untyped(Cow::Owned(text.clone()))
        }
        DataRef::DateTime(time) => time_of(time),
        DataRef::Error(error) => Cell::Untyped(Cow::Owned(error.to_string())),
    }
}

/// A whole number of days is a date, less than one a time of day, and anything else a time.
fn time_of(time: &ExcelDateTime) -> Cell<'static> {
    let (year, month, day, hour, minute, second, milliseconds) = time.to_ymd_hms_milli();
    let serial = time.as_f64();
    if time.is_duration() || (0.0..1.0).contains(&serial) {
        return Cell::Untyped(Cow::Owned(format!("{hour:02}:{minute:02}:{second:02}")));
    }
    let date = chrono::NaiveDate::from_ymd_opt(year.into(), month.into(), day.into());
    let Some(date) = date.map(Day::from) else {
        return Cell::Float(serial);
    };
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let microseconds = seconds * 1_000_000 + i64::from(milliseconds) * 1_000;
    if microseconds == 0 {
        return Cell::Time(ParsedTime::Date(date.epoch()));
    }
    let midnight = i64::from(date.epoch()) * MICROSECONDS_PER_DAY;
    Cell::Time(ParsedTime::Naive(midnight + microseconds))
}
