//! A table as an Excel workbook with one sheet. Text is written as text, so that no spreadsheet takes
//! it for a formula. The same rows give the same bytes: no time is in it.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{DateTime, ZipWriter};

use super::writer::{ColumnValues, FilledColumn};
use crate::calendar::Day;
use crate::error::{Error, Result};

/// Rows that a sheet may have, that of the names included.
const MOST_ROWS: u64 = 1_048_576;

/// Characters that a cell may have.
const MOST_CHARACTERS: usize = 32_767;

/// Days from 1899-12-30, from which Excel counts, to 1970-01-01.
const EXCEL_EPOCH: i64 = 25_569;

/// The cell format of days, by its place in [`STYLES`].
const OF_DAYS: u8 = 1;
/// The cell format of names.
const OF_NAMES: u8 = 2;

/// The parts of a workbook beside the sheet.
const PARTS: [(&str, &str); 5] = [
    ("[Content_Types].xml", CONTENT_TYPES),
    ("_rels/.rels", RELATIONS),
    ("xl/workbook.xml", WORKBOOK),
    ("xl/_rels/workbook.xml.rels", WORKBOOK_RELATIONS),
    ("xl/styles.xml", STYLES),
];

const CONTENT_TYPES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>"#;

const RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;

const WORKBOOK: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="offers" sheetId="1" r:id="rId1"/></sheets></workbook>"#;

const WORKBOOK_RELATIONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>"#;

const STYLES: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/></numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/><xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs></styleSheet>"#;

/// What a sheet begins with: the row of names stays when the others are scrolled.
const SHEET_BEGINS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>"#;

const SHEET_ENDS: &str = "</sheetData></worksheet>";

/// A workbook while its rows are written.
pub(super) struct XlsxWriter {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    /// Rows so far, that of the names included.
    rows: u64,
}

impl XlsxWriter {
    /// A workbook whose sheet has these columns, and no rows yet.
    ///
    /// # Errors
    /// If the archive cannot be written.
    pub(super) fn new(columns: &[FilledColumn]) -> Result<Self> {
        let mut zip = ZipWriter::new(Cursor::new(vec![]));
        // Without a time, it is that of 1980.
        let options = SimpleFileOptions::default().last_modified_time(DateTime::default());
        for (name, content) in PARTS {
            zip.start_file(name, options).map_err(failed)?;
            zip.write_all(content.as_bytes()).map_err(failed)?;
        }
        zip.start_file("xl/worksheets/sheet1.xml", options)
            .map_err(failed)?;
        let mut text = SHEET_BEGINS.to_owned();
        text.push_str("<row>");
        for column in columns {
            push_text(&mut text, column.name, Some(OF_NAMES));
        }
        text.push_str("</row>");
        zip.write_all(text.as_bytes()).map_err(failed)?;
        Ok(Self { zip, rows: 1 })
    }

    /// Writes rows after those before.
    ///
    /// # Errors
    /// If a sheet cannot have as many, or the archive cannot be written.
    pub(super) fn write(&mut self, columns: &[FilledColumn], rows: usize) -> Result<()> {
        self.rows += rows as u64;
        if self.rows > MOST_ROWS {
            return Err(Error::request(format!(
                "a sheet of Excel has at most {MOST_ROWS} rows, and the table has more"
            ))
            .hint("write it as csv or parquet"));
        }
        let mut text = String::new();
        for row in 0..rows {
            text.push_str("<row>");
            for column in columns {
                push_cell(&mut text, &column.values, row);
            }
            text.push_str("</row>");
        }
        self.zip.write_all(text.as_bytes()).map_err(failed)
    }

    /// The file.
    ///
    /// # Errors
    /// If the archive cannot be ended.
    pub(super) fn finish(mut self) -> Result<Vec<u8>> {
        self.zip.write_all(SHEET_ENDS.as_bytes()).map_err(failed)?;
        self.zip.finish().map(Cursor::into_inner).map_err(failed)
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::system("a table cannot be written as xlsx").source(error)
}

/// Adds the cell of a row; an unknown value is an empty one.
fn push_cell(text: &mut String, values: &ColumnValues, row: usize) {
    match values {
        ColumnValues::Integer(values) => match values.get(row) {
            // A number of Excel has 15 digits: longer ids stay whole as text.
            Some(id) if id.unsigned_abs() >= 1_000_000_000_000_000 => {
                push_text(text, &id.to_string(), None);
            }
            id => push_number(text, id, None),
        },
        ColumnValues::Text(values) => match values.get(row) {
            Some(value) => push_text(text, value, None),
            None => text.push_str("<c/>"),
        },
        ColumnValues::NullableText(values) => match values.get(row).and_then(Option::as_ref) {
            Some(value) => push_text(text, value, None),
            None => text.push_str("<c/>"),
        },
        ColumnValues::Count(values) => push_number(text, values.get(row).copied().flatten(), None),
        ColumnValues::Double(values) => {
            let value = values.get(row).copied().flatten();
            push_number(text, value.filter(|value| value.is_finite()), None);
        }
        ColumnValues::Date(values) => {
            let day = values.get(row).copied().flatten();
            let number = day.map(|day: Day| i64::from(day.epoch()) + EXCEL_EPOCH);
            push_number(text, number, Some(OF_DAYS));
        }
        ColumnValues::Truth(values) => {
            let value = u8::from(values.get(row).copied().unwrap_or_default());
            text.push_str(&format!("<c t=\"b\"><v>{value}</v></c>"));
        }
    }
}

fn push_number(text: &mut String, number: Option<impl std::fmt::Display>, style: Option<u8>) {
    match (number, style) {
        (Some(number), Some(style)) => {
            text.push_str(&format!("<c s=\"{style}\"><v>{number}</v></c>"));
        }
        (Some(number), None) => text.push_str(&format!("<c><v>{number}</v></c>")),
        (None, _) => text.push_str("<c/>"),
    }
}

/// Adds a cell of text: whatever it begins with, it is no formula.
fn push_text(text: &mut String, value: &str, style: Option<u8>) {
    text.push_str("<c t=\"inlineStr\"");
    if let Some(style) = style {
        text.push_str(&format!(" s=\"{style}\""));
    }
    text.push_str("><is><t xml:space=\"preserve\">");
    for (at, character) in value.char_indices().take(MOST_CHARACTERS) {
        match character {
            '_' if value.get(at..).is_some_and(looks_escaped) => text.push_str("_x005F_"),
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '\t' | '\n' => text.push(character),
            // What XML cannot have is written as Excel writes it.
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                text.push_str(&format!("_x{:04X}_", u32::from(character)));
            }
            other => text.push(other),
        }
    }
    text.push_str("</t></is></c>");
}

/// Whether text begins as a character that XML cannot have is written.
fn looks_escaped(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 7
        && bytes.starts_with(b"_x")
        && bytes
            .get(2..6)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        && bytes.get(6) == Some(&b'_')
}
