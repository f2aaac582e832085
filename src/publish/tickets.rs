//! Ticket lines as a Parquet file.
//!
//! Columns: `customer_id, basket_id, timestamp, product_id, category, quantity, price`. Ids are
//! signed 64-bit integers, `timestamp` is naive microseconds, `category` a plain string, `quantity`
//! a signed 32-bit integer and `price` a double. A row group has half a million lines; that is what
//! is kept in memory.

use std::io::Write;

use polars::io::parquet::write::BatchedWriter;
use polars::prelude::{
    Column, DataFrame, DataType, NamedFrom, ParquetCompression, ParquetWriter, PolarsError,
    PolarsResult, Series, TimeUnit,
};

use crate::error::{Error, Result};

/// Lines of a row group.
const ROW_GROUP: usize = 500_000;

/// One line of a ticket, as it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TicketRow {
    /// The customer's id.
    pub customer_id: i64,
    /// The ticket's id.
    pub basket_id: i64,
    /// Naive time of the ticket, in microseconds since 1970-01-01T00:00.
    pub timestamp: i64,
    /// The product's id.
    pub product_id: i64,
    /// The name of the product's category.
    pub category: &'static str,
    /// Units, negative in a return or a void.
    pub quantity: i32,
    /// Price of one unit.
    pub price: f64,
}

/// Writes ticket lines as one Parquet file (Snappy), row group by row group.
pub struct TicketWriter<W: Write> {
    parquet: BatchedWriter<W>,
    /// The lines of the row group that is being filled.
    rows: Vec<TicketRow>,
}

impl<W: Write> TicketWriter<W> {
    /// A file without lines.
    ///
    /// # Errors
    /// If `writer` fails.
    pub fn new(writer: W) -> Result<Self> {
        let no_rows = frame(&[]).map_err(failed)?;
        let parquet = ParquetWriter::new(writer)
            .with_compression(ParquetCompression::Snappy)
            .batched(no_rows.schema())
            .map_err(failed)?;
        Ok(Self {
            parquet,
            rows: vec![],
        })
    }

    /// Appends lines.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn write(&mut self, rows: impl IntoIterator<Item = TicketRow>) -> Result<()> {
        self.rows.extend(rows);
        let full = self.rows.len() - self.rows.len() % ROW_GROUP;
        for group in self.rows[..full].chunks(ROW_GROUP) {
            let group = frame(group).map_err(failed)?;
            self.parquet.write_batch(&group).map_err(failed)?;
        }
        self.rows.drain(..full);
        Ok(())
    }

    /// Writes the lines that are left, and the file's footer. It does not flush the writer.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(mut self) -> Result<()> {
        let rest = frame(&self.rows).map_err(failed)?;
        self.parquet.write_batch(&rest).map_err(failed)?;
        // `finish` would add polars' Arrow schema, from which pyarrow reads string views; without
        // it Parquet's own types stand.
        match self.parquet.get_writer().lock() {
            Ok(mut footer) => footer.end(Some(Vec::new())).map_err(failed)?,
            Err(_) => {
                return Err(Error::system(
                    "the tickets cannot be written: the Parquet writer stopped",
                ));
            }
        };
        Ok(())
    }
}

fn failed(error: PolarsError) -> Error {
    Error::system("the tickets cannot be written as Parquet").source(error)
}

/// Ticket lines as a data frame.
fn frame(rows: &[TicketRow]) -> PolarsResult<DataFrame> {
    let columns = vec![
        column("customer_id", rows, |row| row.customer_id),
        column("basket_id", rows, |row| row.basket_id),
        column("timestamp", rows, |row| row.timestamp)
            .cast(&DataType::Datetime(TimeUnit::Microseconds, None))?,
        column("product_id", rows, |row| row.product_id),
        column("category", rows, |row| row.category),
        column("quantity", rows, |row| row.quantity),
        column("price", rows, |row| row.price),
    ];
    DataFrame::new(rows.len(), columns)
}

/// A column with a value of each line.
fn column<T>(name: &str, rows: &[TicketRow], value: impl Fn(&TicketRow) -> T) -> Column
where
    Series: NamedFrom<Vec<T>, [T]>,
{
    let values: Vec<T> = rows.iter().map(value).collect();
    Series::new(name.into(), values).into()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use polars::prelude::{ParquetReader, SerReader};

    use super::*;

    fn written(rows: Vec<TicketRow>) -> DataFrame {
        let mut file = vec![];
        let mut tickets = TicketWriter::new(&mut file).unwrap();
        tickets.write(rows).unwrap();
        tickets.finish().unwrap();
        ParquetReader::new(Cursor::new(file)).finish().unwrap()
    }

    #[test]
    fn a_file_without_lines_has_its_columns() {
        let table = written(vec![]);
        assert_eq!(table.height(), 0);
        let types: Vec<(&str, DataType)> = table
            .columns()
            .iter()
            .map(|column| (column.name().as_str(), column.dtype().clone()))
            .collect();
        assert_eq!(
            types,
            [
                ("customer_id", DataType::Int64),
                ("basket_id", DataType::Int64),
                (
                    "timestamp",
                    DataType::Datetime(TimeUnit::Microseconds, None)
                ),
                ("product_id", DataType::Int64),
                ("category", DataType::String),
                ("quantity", DataType::Int32),
                ("price", DataType::Float64),
            ]
        );
    }

    #[test]
    fn lines_of_several_row_groups_come_back_in_order() {
        let row = |at: i64| TicketRow {
            customer_id: at,
            basket_id: 10 * at,
            timestamp: 1_000_000 * at,
            product_id: 7,
            category: "milk",
            quantity: -1,
            price: 3.19,
        };
        let count = 2 * ROW_GROUP as i64 + 3;
        let table = written((0..count).map(row).collect());
        let customers = table.column("customer_id").unwrap().i64().unwrap();
        assert!(customers.into_no_null_iter().eq(0..count));
    }
}
