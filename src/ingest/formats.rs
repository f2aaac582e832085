//! The one door for formats: what a format is, and the table of those that are read.
//!
//! A new format is a file in this folder, with an `impl` of [`InputFormat`] and one of [`ChunkDecoder`],
//! and an entry of [`FORMATS`]. What it gets is fetched and unpacked by others, and what it gives, row
//! by row, is checked and counted by others: it only knows how rows are written.

mod arrow;
mod csv;
mod json_lines;
mod nested;
mod parquet;
mod xlsx;

use std::fmt;
use std::sync::Arc;

use super::chunk::ChunkRequest;
use super::columns::QuantityPresence;
use super::compression::COMPRESSIONS;
use super::first_header::HeaderNames;
use super::line_checker::LineChecker;
use super::source::Source;
use super::{InputOptions, NeededDays, TableSample};
use crate::error::{Error, Result};

/// A table of formats.
pub(super) type Formats = &'static [&'static dyn InputFormat];

/// The formats that are read. The first that takes an object reads it, and the last what no other
/// takes.
pub(super) static FORMATS: Formats = &[
    &parquet::Parquet,
    &xlsx::Xlsx,
    &arrow::Arrow,
    &json_lines::JsonLines,
    &csv::Csv,
];

/// A file format.
pub(super) trait InputFormat: fmt::Debug + Send + Sync {
    /// How the names of its files end: `.csv`. Files with these endings are read where a folder is
    /// named, and of a format that is read as a stream compressed ones, too.
    fn endings(&self) -> &'static [&'static str];

    /// How the format is read.
    fn access(&self) -> Access;

    /// Whether an object is in this format, by its first bytes, and by its name where they could be
    /// of any format. The name is in lower case and has lost the ending of a compression; the bytes
    /// are unpacked.
    fn sniff(&self, name: &str, first_bytes: &[u8]) -> bool;

    /// What to fetch of an object: one chunk at least, even if there are no rows, in the order of the
    /// rows. Chunks are fetched and decoded side by side. Lines of days that are not needed may be
    /// left out, if the decoder of a chunk counts them by [`LineChecker::skip`].
    ///
    /// # Errors
    /// If the object is not what its name says, is truncated or damaged, lacks a column, or has one
    /// of a type that cannot be read.
    fn open(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        days: NeededDays,
    ) -> Result<Vec<ChunkRequest>>;

    /// The header of an object, which holds for those that have none; `None` if it has none itself,
    /// or objects of the format always have one. May wait for the store.
    fn header(&self, _source: &Source, _options: &InputOptions) -> Option<HeaderNames> {
        None
    }

    /// The columns' names and the first rows, at most so many, as a person would see them in a
    /// viewer, whatever columns are wanted. May wait for the store.
    ///
    /// # Errors
    /// If the object is not what its name says, is truncated or damaged.
    fn sample(
        &self,
        source: &Arc<Source>,
        options: &InputOptions,
        rows: usize,
    ) -> Result<TableSample> {
        let _ = (options, rows);
        Err(Error::input("the first rows of this format cannot be shown").object(&**source.name()))
    }
}

/// How a format is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// By parts of the object as it is stored, of which the whole is one.
    Ranges,
    /// From the first byte to the last, whether it is compressed or not.
    Stream,
}

/// Decodes the rows of one chunk, on a thread that may wait.
pub(super) trait ChunkDecoder: Send {
    /// Decodes some of the rows that follow, and gives each with its row number to `lines`: some ten
    /// thousand, so that what was read can be assembled while this goes on. Whether there may be
    /// more.
    ///
    /// # Errors
    /// If the object is truncated or damaged, or rows cannot be told apart. A row that can be told
    /// apart and is bad is no error: [`LineChecker`] counts it.
    fn decode(&mut self, lines: &mut LineChecker) -> Result<bool>;

    /// Whether there is a column of quantities, by what was decoded so far.
    fn quantity(&self) -> QuantityPresence;
}

/// How the names of objects end that are read where a folder is named, in alphabetical order.
pub(super) fn endings(formats: Formats) -> Vec<String> {
    let mut endings = vec![];
    for format in formats {
        for ending in format.endings() {
            endings.push((*ending).to_owned());
            if format.access() == Access::Stream {
                endings.extend(
                    COMPRESSIONS
                        .iter()
                        .map(|compression| format!("{ending}{}", compression.ending)),
                );
            }
        }
    }
    // An archive is looked into.
    endings.push(".zip".to_owned());
    endings.sort_unstable();
    endings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_those_of_the_formats_and_of_their_compressed_forms() {
        assert_eq!(
            endings(FORMATS),
            [
                ".arrow",
                ".arrow.bz2",
                ".arrow.gz",
                ".arrow.xz",
                ".arrow.zst",
                ".arrows",
                ".arrows.bz2",
                ".arrows.gz",
                ".arrows.xz",
                ".arrows.zst",
                ".csv",
                ".csv.bz2",
                ".csv.gz",
                ".csv.xz",
                ".csv.zst",
                ".feather",
                ".feather.bz2",
                ".feather.gz",
                ".feather.xz",
                ".feather.zst",
                ".jsonl",
                ".jsonl.bz2",
                ".jsonl.gz",
                ".jsonl.xz",
                ".jsonl.zst",
                ".ndjson",
                ".ndjson.bz2",
                ".ndjson.gz",
                ".ndjson.xz",
                ".ndjson.zst",
                ".parquet",
                ".xlsm",
                ".xlsx",
                ".zip",
            ]
        );
    }
}
