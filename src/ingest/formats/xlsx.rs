//! Excel workbooks (.xlsx, .xlsm): every sheet that has the columns is read.

mod limits;
mod sheet;

use std::sync::Arc;

use calamine::{Reader, Xlsx as Workbook, XlsxError};

use super::{Access, ChunkDecoder, InputFormat};
use crate::domain::words::{first_quoted, shortened};
use crate::error::{Error, Result};
use crate::ingest::archive::is_zip;
use crate::ingest::chunk::ChunkRequest;
use crate::ingest::columns::{FoundColumns, QuantityPresence, WantedColumns};
use crate::ingest::content::ContentReader;
use crate::ingest::line_checker::LineChecker;
use crate::ingest::row_reader::{Cell, RowReader};
use crate::ingest::sample::TableSample;
use crate::ingest::source::Source;
use crate::ingest::{InputOptions, NeededDays};
use sheet::{Header, SheetRows};

/// The most rows that a sheet of Excel has.
const MAX_ROWS: u32 = 1 << 20;

/// How many rows of a sheet may stand above its header: titles.
const ABOVE_HEADER: usize = 50;

/// How many sheets a message names, and how many characters of a name it shows.
const SHOWN_SHEETS: usize = 12;
/// See [`SHOWN_SHEETS`].
const SHOWN_NAME: usize = 31;

/// Excel workbooks.
#[derive(Debug)]
pub(super) struct Xlsx;

impl InputFormat for Xlsx {
    fn endings(&self) -> &'static [&'static str] {
        &[".xlsx", ".xlsm"]
    }

    fn access(&self) -> Access {
        Access::Ranges
    }

    /// A workbook is a zip archive whose first members are these.
    fn sniff(&self, name: &str, first_bytes: &[u8]) -> bool {
        if !is_zip(first_bytes) {
            return false;
        }
        let parts = ["xl/", "[Content_Types].xml", "_rels/", "docProps/"];
        let first = first_bytes.get(30..).unwrap_or_default();
        let begins_so = parts.iter().any(|part| first.starts_with(part.as_bytes()));
        let is_other = ["word/", "ppt/", "xl/workbook.bin"].iter().any(|part| {
            first_bytes
                .windows(part.len())
                .any(|window| window == part.as_bytes())
        });
        (begins_so && !is_other) || name.ends_with(".xlsx") || name.ends_with(".xlsm")
    }

    fn open(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        _days: NeededDays,
    ) -> Result<Vec<ChunkRequest>> {
        let wanted = WantedColumns::new(options, source.name());
        let workbook = Arc::clone(source);
        // Its parts are fetched while it is read.
        Ok(vec![ChunkRequest::ranges(source, vec![], move |_| {
            Box::new(XlsxDecoder {
                source: workbook,
                wanted,
                quantity: QuantityPresence::default(),
            })
        })])
    }

    fn sample(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        rows: usize,
    ) -> Result<TableSample> {
        let mut workbook = open_workbook(source)?;
        let wanted = WantedColumns::new(options, source.name());
        let mut first = None;
        for name in workbook.sheet_names() {
            let mut top = vec![];
            read_rows(&mut workbook, &name, |_, row| {
                top.push(texts(&row));
                Ok(top.len() < ABOVE_HEADER + rows)
            })?;
            let header = Header::find(&top, &wanted).map(|(header, _)| header);
            let has_columns = header.is_ok();
            let at = header.map_or_else(|_| sheet::likely_header(&top), |header| header.row);
            // Where no sheet has the columns by their names, the longest is most likely the table.
            let is_longer = |first: &(String, Vec<_>, usize)| top.len() > first.1.len();
            if has_columns || first.as_ref().map_or(!top.is_empty(), is_longer) {
                first = Some((name, top, at));
            }
            if has_columns {
                break;
            }
        }
        let (name, top, at) = first.ok_or_else(no_rows)?;
        Ok(sample_of(&name, top, at, rows))
    }
}

fn sample_of(name: &str, top: Vec<Vec<Option<String>>>, header: usize, rows: usize) -> TableSample {
    let mut top = top.into_iter().skip(header);
    let columns: Vec<String> = top
        .next()
        .unwrap_or_default()
        .into_iter()
        .map(Option::unwrap_or_default)
        .collect();
    let width = columns.len();
    TableSample {
        types: vec![String::new(); width],
        rows: top
            .take(rows)
            .map(|mut row| {
                row.resize(width, None);
                row
            })
            .collect(),
        columns,
        nested: None,
        notes: vec![format!("an Excel workbook, the sheet \"{name}\"")],
    }
}

/// Decodes a workbook in one go.
struct XlsxDecoder {
    source: Arc<Source>,
    wanted: WantedColumns,
    quantity: QuantityPresence,
}

impl ChunkDecoder for XlsxDecoder {
    fn decode(&mut self, lines: &mut LineChecker) -> Result<bool> {
        let mut workbook = open_workbook(&self.source)?;
        let mut read: Vec<String> = vec![];
        let mut lacking: Option<Error> = None;
        let mut others = vec![];
        for name in workbook.sheet_names() {
            let mut top = vec![];
            read_rows(&mut workbook, &name, |_, row| {
                top.push(texts(&row));
                Ok(top.len() < ABOVE_HEADER)
            })?;
            match Header::find(&top, &self.wanted) {
                Ok((header, columns)) => {
                    if self.quantity != QuantityPresence::Present {
                        self.quantity = columns.quantity();
                    }
                    read_sheet(&mut workbook, &name, header, columns, lines)?;
                    read.push(name);
                }
                Err(_) if top.is_empty() => {}
                Err(error) => {
                    others.push(name);
                    lacking.get_or_insert(error);
                }
            }
        }
        match lacking {
            Some(error) if read.is_empty() => Err(error),
            _ => {
                for sheet in others {
                    lines.leave_out(&sheet, "a sheet without the columns");
                }
                if read.len() > 1 {
                    lines.warn(&several_sheets(&read));
                }
                Ok(false)
            }
        }
    }

    fn quantity(&self) -> QuantityPresence {
        self.quantity.clone()
    }
}

/// What is said of a workbook of which several sheets are read: one of them may be a copy, or of
/// returns.
fn several_sheets(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .map(|name| shortened(name, SHOWN_NAME))
        .collect();
    format!(
        "{} sheets have the columns, and all of them are read: {}",
        names.len(),
        first_quoted(&shown, SHOWN_SHEETS)
    )
}

/// Adds the rows of a sheet below its header.
fn read_sheet(
    workbook: &mut Workbook<ContentReader>,
    name: &str,
    header: Header,
    columns: FoundColumns,
    lines: &mut LineChecker,
) -> Result<()> {
    let rows = RowReader::new(columns, false);
    let mut last = 0;
    let mut number = 0;
    let mut read = 0;
    read_rows(workbook, name, |at, row| {
        last = at;
        read += 1;
        if read > header.row + 1 {
            number += 1;
            rows.add(number, &row, lines)?;
        }
        Ok(true)
    })?;
    if last + 1 >= MAX_ROWS {
        lines.warn(&format!(
            "the sheet \"{name}\" is full to the last row of Excel (1,048,576): what came after was probably cut off; export the table as CSV"
        ));
    }
    Ok(())
}

/// Gives the rows of a sheet that are not empty, with their numbers from 0, as long as `each` wants
/// more.
fn read_rows(
    workbook: &mut Workbook<ContentReader>,
    name: &str,
    mut each: impl FnMut(u32, Vec<Cell<'_>>) -> Result<bool>,
) -> Result<()> {
    let cells = match workbook.worksheet_cells_reader(name) {
        Ok(cells) => cells,
        // A chart, or another sheet without cells.
        Err(XlsxError::NotAWorksheet(_) | XlsxError::WorksheetNotFound(_)) => return Ok(()),
        Err(error) => return Err(damaged(error)),
    };
    let mut rows = SheetRows::new(cells);
    while let Some((at, row)) = rows.next_row().map_err(damaged)? {
        if !each(at, row)? {
            break;
        }
    }
    Ok(())
}

fn texts(row: &[Cell<'_>]) -> Vec<Option<String>> {
    let texts = row.iter().map(|cell| cell.text());
    texts
        .map(|text| text.map(|text| text.into_owned()))
        .collect()
}

fn open_workbook(source: &Source) -> Result<Workbook<ContentReader>> {
    limits::check(source)?;
    let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Workbook::new(source.seekable())
    }));
    match opened {
        Ok(workbook) => workbook.map_err(damaged),
        Err(_) => Err(damaged("its parts do not fit together")),
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::input("the workbook cannot be read")
        .source(error)
        .hint("it may be damaged, or have a password: open and save it again, or export its sheet as CSV")
}

fn no_rows() -> Error {
    Error::input("no sheet of the workbook has a row").hint("check that the export has run")
}
