//! Parquet files that every reader understands alike: Parquet's own types and no schema of polars.

use std::io::Write;

use bytes::Bytes;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    DataFrame, ParquetCompression, ParquetReader, ParquetWriter, PolarsError, Schema, SerReader,
};

use crate::error::{Error, Result};

/// Streams rows into a Parquet file, one row group after the other.
pub(crate) struct RowGroupWriter<W: Write> {
    /// What is written, for messages: `the table customers`.
    what: String,
    writer: BatchedWriter<W>,
}

impl<W: Write> RowGroupWriter<W> {
    /// Begins a file. `what` names what is written in messages.
    ///
    /// # Errors
    /// If `writer` fails.
    pub(crate) fn new(
        what: &str,
        writer: W,
        compression: ParquetCompression,
        schema: &Schema,
    ) -> Result<Self> {
        let begun = ParquetWriter::new(writer)
            .with_compression(compression)
            .batched(schema);
        Ok(Self {
            what: what.to_owned(),
            writer: begun.map_err(|error| failed(what, error))?,
        })
    }

    /// Writes a row group, with the columns of the schema.
    ///
    /// # Errors
    /// If the writer fails.
    pub(crate) fn write(&mut self, rows: &DataFrame) -> Result<()> {
        self.writer
            .write_batch(rows)
            .map_err(|error| failed(&self.what, error))
    }

    /// Ends the file.
    ///
    /// # Errors
    /// If the writer fails.
    pub(crate) fn finish(self) -> Result<()> {
        // polars' own `finish` would add its Arrow schema, from which pyarrow reads string views.
        // Without it, the types of Parquet stand.
        let Ok(mut file) = self.writer.get_writer().lock() else {
            return Err(Error::system(format!(
                "{} cannot be written: its writer stopped",
                self.what
            )));
        };
        match file.end(Some(Vec::new())) {
            Ok(_) => Ok(()),
            Err(error) => Err(failed(&self.what, error)),
        }
    }
}

fn failed(what: &str, error: PolarsError) -> Error {
    Error::system(format!("{what} cannot be written")).source(error)
}

/// How many rows a Parquet file has; `name` names it in messages.
///
/// # Errors
/// If it is not a Parquet file.
pub(super) fn row_count(name: &str, content: &Bytes) -> Result<u64> {
    let rows = ParquetReader::new(std::io::Cursor::new(content)).num_rows();
    rows.map(|rows| rows as u64).map_err(|error| {
        Error::input("it cannot be read as Parquet")
            .object(name)
            .source(error)
    })
}
