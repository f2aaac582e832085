//! Parquet: read by groups of rows, only the columns that are named, and no group that lies after
//! the as-of date or before the needed history.

mod block;
mod cells;
mod column_chunk;
mod columns;
mod decimals;
mod footer;
mod pages;
mod row_groups;
mod sample;
mod types;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use polars::error::PolarsError;
use polars::prelude::PolarsResult;

use super::{Access, ChunkDecoder, InputFormat, nested};
use crate::error::{Error, Result};
use crate::ingest::chunk::ChunkRequest;
use crate::ingest::columns::{QuantityPresence, WantedColumns};
use crate::ingest::line_checker::LineChecker;
use crate::ingest::source::Source;
use crate::ingest::{InputOptions, NeededDays, TableSample};
use block::{DecodedRows, KnownIdCodes};
use column_chunk::ColumnChunkReader;
use footer::ParquetFooter;
use row_groups::RowGroups;

/// The first and the last bytes of a file.
const MAGIC: &[u8] = b"PAR1";

/// Apache Parquet.
#[derive(Debug)]
pub(super) struct Parquet;

impl InputFormat for Parquet {
    fn endings(&self) -> &'static [&'static str] {
        &[".parquet"]
    }

    fn access(&self) -> Access {
        Access::Ranges
    }

    /// What is named so is read so: another content is an error, and not text.
    fn sniff(&self, name: &str, first_bytes: &[u8]) -> bool {
        first_bytes.starts_with(MAGIC) || name.ends_with(".parquet")
    }

    fn open(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        days: NeededDays,
    ) -> Result<Vec<ChunkRequest>> {
        let footer = Arc::new(ParquetFooter::read(
            source,
            &WantedColumns::new(options, source.name()),
        )?);
        let lines = LineChecker::new(source.name(), options, days);
        let chunks = RowGroups::of(&footer, lines)
            .into_iter()
            .map(|groups| {
                let ranges = groups.ranges();
                ChunkRequest::ranges(source, ranges, |bytes| {
                    Box::new(ParquetDecoder::new(groups, bytes))
                })
            })
            .collect();
        Ok(chunks)
    }

    fn sample(
        &self,
        source: &Arc<Source>,
        _options: &InputOptions,
        rows: usize,
    ) -> Result<TableSample> {
        sample::sample(source, rows)
    }
}

/// Decodes groups of rows, a block of rows at a time.
struct ParquetDecoder {
    groups: RowGroups,
    /// What [`RowGroups::ranges`] are.
    bytes: Vec<Bytes>,
    /// Whether the rows of groups that are not needed were counted.
    has_skipped: bool,
    /// The position of the group that comes next.
    next_group: usize,
    /// The columns of the present group, its rows that are not decoded yet, and how many are before
    /// it in the file.
    columns: Vec<ColumnChunkReader>,
    rows: Range<usize>,
    rows_before: u64,
    known: KnownIdCodes,
    /// The rows that come next.
    block: Option<DecodedRows>,
}

impl ParquetDecoder {
    fn new(groups: RowGroups, bytes: Vec<Bytes>) -> Self {
        Self {
            groups,
            bytes,
            has_skipped: false,
            next_group: 0,
            columns: vec![],
            rows: 0..0,
            rows_before: 0,
            known: KnownIdCodes::default(),
            block: None,
        }
    }

    /// Begins the next group, if there is one.
    fn begin_group(&mut self) -> Result<bool> {
        let Some((group, rows_before)) = self.groups.get(self.next_group) else {
            return Ok(false);
        };
        let footer = &self.groups.footer;
        let width = footer.columns.len();
        let bytes = self.bytes.iter().skip(self.next_group * width).take(width);
        self.columns = bytes
            .enumerate()
            .map(|(column, bytes)| {
                ColumnChunkReader::new(Arc::clone(footer), group, column, bytes.clone())
            })
            .collect::<Result<_>>()?;
        self.rows = 0..footer.rows_in(group);
        (self.rows_before, self.known) = (rows_before, KnownIdCodes::default());
        self.next_group += 1;
        self.block = DecodedRows::read(footer, &mut self.columns, &mut self.rows)?;
        Ok(true)
    }
}

impl ChunkDecoder for ParquetDecoder {
    fn decode(&mut self, lines: &mut LineChecker) -> Result<bool> {
        if !std::mem::replace(&mut self.has_skipped, true) {
            self.groups.skip_unneeded(lines);
        }
        let Some(block) = self.block.take() else {
            return self.begin_group();
        };
        let Self {
            groups,
            columns,
            rows,
            rows_before,
            known,
            ..
        } = self;
        let (taken, next) = rayon::join(
            || block.add_to(lines, *rows_before, known),
            || DecodedRows::read(&groups.footer, columns, rows),
        );
        taken?;
        self.block = next?;
        Ok(true)
    }

    fn quantity(&self) -> QuantityPresence {
        self.groups.footer.quantity.clone()
    }
}

fn damaged() -> Error {
    Error::input("the Parquet file is damaged").hint("write or transfer the object again")
}

fn unreadable(error: PolarsError) -> Error {
    if let Some(error) = nested::stands_twice(&error) {
        return error;
    }
    Error::input("the Parquet file cannot be read")
        .source(error)
        .hint("it may be truncated or damaged: write or transfer the object again")
}

/// polars panics on some damaged files: that is the file's fault, and becomes an error.
fn guarded<T>(read: impl FnOnce() -> PolarsResult<T>) -> Result<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(unreadable),
        Err(_) => Err(damaged()),
    }
}
