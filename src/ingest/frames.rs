//! From an object's bytes to tables of the columns that are needed, a batch at a time.

use std::io::{Cursor, Read};
use std::sync::Arc;

use bytes::Bytes;
use polars::prelude::*;

use crate::error::{Error, Result};

/// What an object's name says of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    CsvGz,
    CsvZst,
    Parquet,
}

/// The endings that are read.
pub const ENDINGS: [&str; 4] = [".csv", ".csv.gz", ".csv.zst", ".parquet"];

impl Format {
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let formats = [Format::Csv, Format::CsvGz, Format::CsvZst, Format::Parquet];
        ENDINGS.into_iter().zip(formats).find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| format)
    }
}

/// Lines of a Parquet batch: large enough to be fast, small enough to be forgotten.
const BATCH: usize = 1 << 20;

/// An opened object.
pub(super) enum Frames {
    Csv {
        text: Bytes,
        separator: u8,
        columns: Vec<String>,
    },
    Parquet {
        content: Bytes,
        rows: usize,
        columns: Vec<String>,
    },
    /// Not even a header.
    Empty,
}

fn broken(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::input(format!("it is not a whole {what} file")).source(error).hint("copy the object anew; it may have been cut off on the way")
}

/// polars may panic on a damaged file: that is the file's fault and becomes an error.
fn guarded<T>(what: &str, read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| broken(what, error)),
        Err(_) => {
            Err(Error::input(format!("it is not a whole {what} file")).hint("copy the object anew; it may have been cut off on the way"))
        }
    }
}

impl Frames {
    pub(super) fn open(format: Format, content: Bytes) -> Result<Self> {
        if content.is_empty() {
            return Ok(Frames::Empty);
        }
        let text = match format {
            Format::Parquet => {
                let (rows, columns) = guarded("Parquet", || {
                    let mut reader = ParquetReader::new(Cursor::new(content.clone()));
                    let columns = reader.schema()?.iter_names().map(|name| name.to_string()).collect();
                    Ok((reader.num_rows()?, columns))
                })?;
                return Ok(Frames::Parquet { content, rows, columns });
            }
            Format::Csv => content,
            Format::CsvGz => {
                let mut text = vec![];
                flate2::read::MultiGzDecoder::new(content.as_ref()).read_to_end(&mut text).map_err(|error| broken("gzip", error))?;
                text.into()
            }
            Format::CsvZst => zstd::decode_all(content.as_ref()).map_err(|error| broken("zstd", error))?.into(),
        };
        let text = if text.starts_with(b"\xef\xbb\xbf") { text.slice(3..) } else { text };
        let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if header.iter().all(u8::is_ascii_whitespace) {
            return Ok(Frames::Empty);
        }
        // The separator is the one that the header has most of.
        let separator =
            *b",;\t|".iter().rev().max_by_key(|separator| header.iter().filter(|byte| byte == separator).count()).unwrap_or(&b',');
        let empty = CsvReadOptions::default()
            .with_infer_schema_length(Some(0))
            .with_n_rows(Some(0))
            .map_parse_options(|options| options.with_separator(separator))
            .into_reader_with_file_handle(Cursor::new(header.to_vec()))
            .finish()
            .map_err(|error| broken("CSV", error))?;
        let columns = empty.get_column_names().into_iter().map(|name| name.to_string()).collect();
        Ok(Frames::Csv { text, separator, columns })
    }

    /// The names of the object's columns.
    pub(super) fn columns(&self) -> &[String] {
        match self {
            Frames::Csv { columns, .. } | Frames::Parquet { columns, .. } => columns,
            Frames::Empty => &[],
        }
    }

    /// Calls `each` with the first row's number (from 1) and a table of the wanted columns, in the order of the file.
    pub(super) fn for_each(&self, wanted: &[String], mut each: impl FnMut(u64, &DataFrame) -> Result<()>) -> Result<()> {
        match self {
            Frames::Empty => Ok(()),
            Frames::Csv { text, separator, .. } => {
                let names: Arc<[PlSmallStr]> = wanted.iter().map(|name| name.as_str().into()).collect();
                let frame = guarded("CSV", || {
                    CsvReadOptions::default()
                        .with_infer_schema_length(Some(0))
                        .with_columns(Some(names))
                        .map_parse_options(|options| options.with_separator(*separator).with_missing_is_null(true))
                        .into_reader_with_file_handle(Cursor::new(text.clone()))
                        .finish()
                })?;
                each(1, &frame)
            }
            Frames::Parquet { content, rows, .. } => {
                for start in (0..*rows).step_by(BATCH) {
                    let length = BATCH.min(rows - start);
                    let frame = guarded("Parquet", || {
                        ParquetReader::new(Cursor::new(content.clone()))
                            .with_columns(Some(wanted.to_vec()))
                            .with_slice(Some((start, length)))
                            .finish()
                    })?;
                    if frame.height() != length {
                        return Err(Error::input(format!("{} of {length} rows could be read", frame.height())).hint("copy the object anew"));
                    }
                    each(start as u64 + 1, &frame)?;
                }
                Ok(())
            }
        }
    }
}
