//! A table while it is written, in one of the formats.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use polars::prelude::{
    Column, CsvWriter, DataFrame, DataType, NamedFrom, ParquetCompression, PolarsError, SerWriter,
    Series,
};

use super::xlsx::XlsxWriter;
use super::{Format, TableFile, file_name};
use crate::calendar::Day;
use crate::error::{Error, Result};
use crate::publish::parquet::RowGroupWriter;

/// A column with the values of some rows.
pub(super) struct FilledColumn {
    pub(super) name: &'static str,
    pub(super) values: ColumnValues,
}

/// The values of a column, by type.
pub(super) enum ColumnValues {
    /// 64-bit integers.
    Integer(Vec<i64>),
    Text(Vec<String>),
    NullableText(Vec<Option<String>>),
    /// 32-bit integers.
    Count(Vec<Option<i32>>),
    Double(Vec<Option<f64>>),
    Date(Vec<Option<Day>>),
    Truth(Vec<bool>),
}

impl ColumnValues {
    fn len(&self) -> usize {
        match self {
            ColumnValues::Integer(values) => values.len(),
            ColumnValues::Text(values) => values.len(),
            ColumnValues::NullableText(values) => values.len(),
            ColumnValues::Count(values) => values.len(),
            ColumnValues::Double(values) => values.len(),
            ColumnValues::Date(values) => values.len(),
            ColumnValues::Truth(values) => values.len(),
        }
    }

    /// Writes the value of one row as JSON; an unknown value is null.
    fn write_json(&self, row: usize, content: &mut Vec<u8>) -> serde_json::Result<()> {
        match self {
            ColumnValues::Integer(values) => serde_json::to_writer(content, &values.get(row)),
            ColumnValues::Text(values) => serde_json::to_writer(content, &values.get(row)),
            ColumnValues::NullableText(values) => serde_json::to_writer(content, &values.get(row)),
            ColumnValues::Count(values) => serde_json::to_writer(content, &values.get(row)),
            ColumnValues::Double(values) => serde_json::to_writer(content, &values.get(row)),
            ColumnValues::Date(values) => serde_json::to_writer(content, &values.get(row)),
            ColumnValues::Truth(values) => serde_json::to_writer(content, &values.get(row)),
        }
    }
}

/// Writes one table in one format.
pub(super) struct TableWriter {
    name: String,
    format: Format,
    rows: u64,
    content: SharedBuffer,
    /// A Parquet table that has begun.
    parquet: Option<RowGroupWriter<SharedBuffer>>,
    /// A workbook that has begun.
    xlsx: Option<XlsxWriter>,
}

impl TableWriter {
    pub(super) fn new(name: &str, format: Format) -> Self {
        Self {
            name: name.to_owned(),
            format,
            rows: 0,
            content: SharedBuffer::default(),
            parquet: None,
            xlsx: None,
        }
    }

    /// Writes rows after those before; in Parquet, as a row group. The first call may have no rows:
    /// the table then has its columns nevertheless.
    pub(super) fn write(&mut self, columns: Vec<FilledColumn>) -> Result<()> {
        let is_first = self.content.bytes().is_empty() && self.xlsx.is_none();
        let rows = columns.first().map_or(0, |column| column.values.len());
        if rows == 0 && !is_first {
            return Ok(());
        }
        self.rows += rows as u64;
        match self.format {
            Format::Parquet => self.write_parquet(columns),
            Format::Csv => self
                .write_csv(columns, is_first)
                .map_err(|error| self.failed(error)),
            Format::Xlsx => self.write_xlsx(&columns, rows),
            Format::Jsonl => write_json_lines(&columns, rows, &mut self.content.bytes())
                .map_err(|error| self.failed(error)),
        }
    }

    fn write_parquet(&mut self, columns: Vec<FilledColumn>) -> Result<()> {
        let rows = data_frame(columns).map_err(|error| self.failed(error))?;
        let parquet = match &mut self.parquet {
            Some(parquet) => parquet,
            none => none.insert(RowGroupWriter::new(
                &format!("the table {}", self.name),
                self.content.clone(),
                ParquetCompression::Zstd(None),
                rows.schema(),
            )?),
        };
        parquet.write(&rows)
    }

    fn write_xlsx(&mut self, columns: &[FilledColumn], rows: usize) -> Result<()> {
        let xlsx = match &mut self.xlsx {
            Some(xlsx) => xlsx,
            none => none.insert(XlsxWriter::new(columns)?),
        };
        xlsx.write(columns, rows)
    }

    fn write_csv(
        &mut self,
        columns: Vec<FilledColumn>,
        with_header: bool,
    ) -> Result<(), PolarsError> {
        CsvWriter::new(&mut self.content)
            .include_header(with_header)
            .finish(&mut data_frame(without_formulas(columns))?)
    }

    fn failed(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::system(format!("the table {} cannot be written", self.name)).source(error)
    }

    /// Its name in the manifest.
    pub(super) fn table_name(&self) -> String {
        match self.format {
            Format::Parquet => self.name.clone(),
            Format::Csv | Format::Jsonl | Format::Xlsx => self.file_name(),
        }
    }

    fn file_name(&self) -> String {
        file_name(&self.name, self.format)
    }

    /// The file.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub(super) fn finish(self) -> Result<TableFile> {
        let (name, file) = (self.table_name(), self.file_name());
        if let Some(parquet) = self.parquet {
            parquet.finish()?;
        }
        if let Some(xlsx) = self.xlsx {
            *self.content.bytes() = xlsx.finish()?;
        }
        let content = std::mem::take(&mut *self.content.bytes()).into();
        Ok(TableFile {
            name,
            file,
            rows: self.rows,
            content,
        })
    }
}

/// The bytes of a file, shared with its writer: polars does not give them back.
#[derive(Debug, Clone, Default)]
struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The columns with a `'` before each text that a spreadsheet would take for a formula: an id may have
/// come from anywhere. Numbers stay as they are.
fn without_formulas(mut columns: Vec<FilledColumn>) -> Vec<FilledColumn> {
    for column in &mut columns {
        match &mut column.values {
            ColumnValues::Text(texts) => texts.iter_mut().for_each(escape_formula),
            ColumnValues::NullableText(texts) => {
                texts.iter_mut().flatten().for_each(escape_formula);
            }
            _ => {}
        }
    }
    columns
}

fn escape_formula(text: &mut String) {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if is_formula && text.parse::<f64>().is_err() {
        text.insert(0, '\'');
    }
}

fn data_frame(columns: Vec<FilledColumn>) -> Result<DataFrame, PolarsError> {
    let columns = columns.into_iter().map(|column| {
        let name = column.name.into();
        let series = match column.values {
            ColumnValues::Integer(values) => Series::new(name, values),
            ColumnValues::Text(values) => Series::new(name, values),
            ColumnValues::NullableText(values) => Series::new(name, values),
            ColumnValues::Count(values) => Series::new(name, values),
            ColumnValues::Double(values) => Series::new(name, values),
            ColumnValues::Truth(values) => Series::new(name, values),
            ColumnValues::Date(values) => {
                let days = values.into_iter().map(|day| day.map(Day::epoch));
                let days: Vec<Option<i32>> = days.collect();
                Series::new(name, days).cast(&DataType::Date)?
            }
        };
        Ok(Column::from(series))
    });
    DataFrame::new_infer_height(columns.collect::<Result<_, PolarsError>>()?)
}

fn write_json_lines(
    columns: &[FilledColumn],
    rows: usize,
    content: &mut Vec<u8>,
) -> serde_json::Result<()> {
    for row in 0..rows {
        for (position, column) in columns.iter().enumerate() {
            content.push(if position == 0 { b'{' } else { b',' });
            serde_json::to_writer(&mut *content, column.name)?;
            content.push(b':');
            column.values.write_json(row, content)?;
        }
        content.extend_from_slice(b"}\n");
    }
    Ok(())
}
