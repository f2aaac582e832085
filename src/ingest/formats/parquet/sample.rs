//! Some rows of a file with all of its columns, as text.

use std::ops::Range;
use std::sync::Arc;

use polars::prelude::ArrowDataType;

use super::cells::CellColumn;
use super::column_chunk::ColumnChunkReader;
use super::columns::DecodedColumn;
use super::footer::{ParquetFooter, PresentColumn};
use super::unreadable;
use crate::error::Result;
use crate::ingest::TableSample;
use crate::ingest::formats::nested;
use crate::ingest::row_reader::Cell;
use crate::ingest::source::Source;
use crate::ingest::time::ParsedTime;

/// Groups of rows that are looked at, spread over the file.
const GROUPS: usize = 3;

/// Places in a file of one group that are looked at.
const PLACES: usize = 3;

/// Of a longer group only the first rows are looked at.
const LONGEST_GROUP: usize = 1 << 21;

/// A column with more bytes in a group is not fetched.
const LARGEST_COLUMN: u64 = 1 << 26;

/// How many rows are passed over at a time.
const STEP: usize = 1 << 16;

/// At most `rows` rows from the beginning, the middle and the end of a file.
pub(super) fn sample(source: &Arc<Source>, rows: usize) -> Result<TableSample> {
    let (footer, present) = ParquetFooter::read_all(source)?;
    let footer = Arc::new(footer);
    let mut sample = TableSample {
        columns: present.iter().map(|column| column.name.clone()).collect(),
        types: present
            .iter()
            .map(|column| type_words(&column.dtype))
            .collect(),
        nested: nested::advice(
            present
                .iter()
                .map(|column| (column.name.as_str(), &column.dtype)),
        ),
        rows: vec![],
        notes: vec!["the format is Parquet".to_owned()],
    };
    let filled: Vec<usize> = footer
        .rows_by_group()
        .enumerate()
        .filter(|(_, rows)| *rows > 0)
        .map(|(group, _)| group)
        .collect();
    let groups = spread(&filled, GROUPS);
    for group in &groups {
        let wanted = wanted_rows(footer.rows_in(*group), groups.len(), rows);
        let columns = sample_group(source, &footer, *group, &wanted)?;
        let count: usize = wanted.iter().map(Range::len).sum();
        for row in 0..count {
            sample.rows.push(row_of(&present, &columns, row));
        }
    }
    Ok(sample)
}

/// The rows of a group that are looked at, where so many groups share `rows` rows.
fn wanted_rows(in_group: usize, groups: usize, rows: usize) -> Vec<Range<usize>> {
    let rows = (rows / groups.max(1)).max(1);
    if groups > 1 || in_group <= rows || in_group > LONGEST_GROUP {
        return std::iter::once(0..rows.min(in_group)).collect();
    }
    let each = (rows / PLACES).max(1);
    let starts = (0..PLACES).map(|place| place * (in_group - each) / (PLACES - 1));
    starts.map(|start| start..start + each).collect()
}

/// At most `most` of the positions, the first and the last among them.
fn spread(positions: &[usize], most: usize) -> Vec<usize> {
    if positions.len() <= most {
        return positions.to_vec();
    }
    (0..most)
        .filter_map(|at| positions.get(at * (positions.len() - 1) / (most - 1)))
        .copied()
        .collect()
}

/// The texts of some rows of a group, column by column; an empty column was not fetched.
fn sample_group(
    source: &Source,
    footer: &Arc<ParquetFooter>,
    group: usize,
    wanted: &[Range<usize>],
) -> Result<Vec<Vec<Option<String>>>> {
    let mut columns = vec![];
    for (column, bytes) in footer.ranges_in(group).enumerate() {
        if bytes.end - bytes.start > LARGEST_COLUMN {
            columns.push(vec![]);
            continue;
        }
        let bytes = source.range(bytes)?;
        let mut reader = ColumnChunkReader::new(Arc::clone(footer), group, column, bytes)?;
        let mut texts = vec![];
        let mut at = 0;
        for rows in wanted {
            while at < rows.start {
                let end = rows.start.min(at + STEP);
                reader.read(&(at..end))?;
                at = end;
            }
            let slice = reader.read(rows)?;
            at = rows.end;
            let values = DecodedColumn::new(slice, CellColumn::of).map_err(unreadable)?;
            texts.extend((0..rows.len()).map(|row| text(&values.cell(row))));
        }
        columns.push(texts);
    }
    Ok(columns)
}

fn row_of(
    present: &[PresentColumn],
    columns: &[Vec<Option<String>>],
    row: usize,
) -> Vec<Option<String>> {
    present
        .iter()
        .map(|column| columns.get(column.position?)?.get(row)?.clone())
        .collect()
}

/// A cell as a person writes it; an instant ends with `Z`.
fn text(cell: &Cell<'_>) -> Option<String> {
    let text = cell.text()?.into_owned();
    match cell {
        Cell::Time(ParsedTime::Instant(_)) => Some(format!("{text}Z")),
        _ => Some(text),
    }
}

/// What a column's type is, in words that tell dates from times.
fn type_words(dtype: &ArrowDataType) -> String {
    use ArrowDataType as A;
    match dtype {
        A::Date32 | A::Date64 => "date".to_owned(),
        A::Timestamp(_, Some(_)) => "instant".to_owned(),
        A::Timestamp(_, None) => "timestamp without a zone".to_owned(),
        A::Utf8 | A::LargeUtf8 | A::Utf8View | A::Binary | A::LargeBinary | A::BinaryView => {
            "text".to_owned()
        }
        A::Boolean => "true or false".to_owned(),
        A::Float16 | A::Float32 | A::Float64 | A::Decimal(..) => "number".to_owned(),
        A::Int8 | A::Int16 | A::Int32 | A::Int64 | A::UInt8 | A::UInt16 | A::UInt32 | A::UInt64 => {
            "integer".to_owned()
        }
        A::List(_) | A::LargeList(_) | A::FixedSizeList(..) => "list".to_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range is meant")]
mod tests {
    use super::*;

    #[test]
    fn rows_are_spread_over_a_file() {
        assert_eq!(wanted_rows(100, 1, 30), [0..10, 45..55, 90..100]);
        assert_eq!(
            wanted_rows(20, 1, 30),
            [0..20],
            "a small file is looked at whole"
        );
        assert_eq!(wanted_rows(100, 3, 30), [0..10]);
        assert_eq!(wanted_rows(LONGEST_GROUP + 1, 1, 30), [0..30]);
        assert_eq!(spread(&[2, 3, 5, 7, 9], 3), [2, 5, 9]);
        assert_eq!(spread(&[2, 3], 3), [2, 3]);
    }
}
