//! Objects → lines → [`Purchases`]: file formats, column names, the input contract, and the report of
//! what was dropped or bad.
//!
//! **The way of one ticket line**, from the object to the history:
//!
//! | type | what it is |
//! |---|---|
//! | [`InputObject`] | an object that was found in a store |
//! | `Source` | the object, sniffed: its format, its compression, where its bytes are |
//! | `ChunkRequest` | what to fetch of it: a group of rows, or all of it as a stream |
//! | `Chunk` | the same with its bytes, which are here or come while it is read |
//! | `ChunkReader` | a chunk that is being read, side by side with others |
//! | `ChunkDecoder` | what the format knows: bytes become rows |
//! | `DecodedLine` | one row: time, customer, product, quantity as the file has them |
//! | `LineChecker` | keeps, drops or rejects the line, and counts it |
//! | `LineBatch` | lines that were kept, their new ids, and the counts |
//! | `HistoryAssembler` | merges the batches in the order of the objects, and builds [`Purchases`] |
//!
//! **Formats.** CSV (plain, gzip, zstd; UTF-8; separator `,`, `;`, tab or `|`, taken from the
//! header line) and Parquet, told apart by their first bytes. Extra columns are ignored; objects
//! may differ in column order and types. `formats` is the door for more of them, `compression` for
//! more ways to compress.
//!
//! **Ids.** Integer columns stay integers; text stays text. A CSV column's ids are integers if
//! every kept id of all objects is written as `i64` prints it (`7`, not `007` or `+7`), or so and
//! followed by `.0` as pandas writes integers beside nulls (`7.0` is 7), else text, so that `007`
//! and `7` stay different and come back as they came. Integers in one object and text in another
//! (warned of), or unsigned integers beyond `i64`, make text. Empty fields and the words `NULL`,
//! `NA`, `NaN`, `None`, `<NA>` and `\N` are nulls.
//!
//! **Times.** Dates and timestamps of Parquet (INT96 is an instant); in text `YYYY-MM-DD` (or with
//! `/` or `.`, or `YYYYMMDD`), alone or with a time of day (`9:52`, `09:52:11.5`, `9:52 PM`, `0952`),
//! names of months in English (`01-MAR-2024`, `Mar 1 2024 11:14AM`, `1 March 2024`), `yyyymmddhhmmss`,
//! and what other programs print (`01Mar2024:09:52:11`, `Fri Mar 01 09:52:11 UTC 2024`, RFC 2822). `Z`,
//! an offset, `Europe/Rome` or an abbreviation that means one zone makes an instant. Each value is read
//! by itself, so that a column may mix these forms. A date without a time of day is the store's day as
//! it stands; a time of day goes through the [`StoreClock`].
//!
//! `03/04/2024` could be March or April, and `45353` could be many things. A [`TimeFormat`] says what
//! they are. Without one, numbers are bad lines, and dates are counted by the orders that can read
//! them: if only one order can read all dates of the input, also those of days that are not needed, the
//! input is read a second time in that order; else it is refused. A pattern is the only form that is
//! read, where one is given.
//!
//! Times that are dates by their looks (all on one or two times of the day) are refused where the clock
//! would move them to another day.
//!
//! **Order of the checks.** Each line counts once: bad time, after the as-of date or before the
//! needed history, bad customer, bad product, bad quantity, returned, excluded, kept. A line of a
//! day that is not needed is looked at no further and changes nothing but its count.
//!
//! **More tables.** Where who bought and when stand in headers of tickets, `joined` reads these
//! first, and `LineChecker` looks each line's ticket up in them.
//! **Voids.** When all lines are known, quantities are summed within customer, day and product (and
//! ticket, where tickets are mapped): sales that come to nothing, and the lines that took them back,
//! move from kept and returned to voided ([`crate::purchases::PurchasesBuilder::net`]).

mod alike;
mod anonymous;
mod archive;
mod chunk;
mod columns;
mod compression;
mod content;
mod days;
mod decoded_line;
mod dictionary;
mod encoding;
mod excluded;
mod facts;
mod feed;
mod filter_values;
mod filters;
mod first_header;
mod formats;
mod history;
mod ids;
mod joined;
mod kind;
mod lake;
mod line_checker;
mod lists;
mod missing_columns;
mod missing_tables;
mod named_ids;
mod netting;
mod other_table;
mod overlap;
mod own_output;
mod path_columns;
mod pipeline;
mod quantity;
mod reader;
mod rejects;
pub mod report;
mod return_names;
mod row_reader;
mod sample;
mod sent;
mod source;
mod stream;
pub mod survey;
mod suspects;
mod tables;
mod text_notes;
mod time;
#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::calendar::{AsOf, DateRange, Day, StoreClock};
use crate::error::{Error, Result};
use crate::purchases::{Facts, MemoryLimit, PartitionedPurchases, Purchases, SpillStorage};
use crate::store::{InputObject, SpillFile};
pub use columns::{ColumnAlternatives, ColumnNames, ColumnRole, TicketTable};
pub use encoding::check_encoding;
pub use feed::{DAYS_BY_HOUR, FeedDays, HourCounts, LinesOfDay};
pub use filters::RowFilter;
use joined::EachObject;
pub use joined::{
    InputTables, LoadedTables, MailingTable, MergedCards, ProductTable, TableSource, objects,
    read_mailing, read_products,
};
pub use reader::Reader;
use report::Report;
pub use sample::{ObjectSample, TableSample, sample};
pub use sent::read_sent;
pub use suspects::Suspect;
pub use time::{DecidedForms, TimeFormat, TimePattern};

/// How objects become purchases.
#[derive(Debug, Clone, PartialEq)]
pub struct InputOptions {
    /// Which columns mean what.
    pub columns: ColumnNames,
    /// How a time becomes a day of the store.
    pub clock: StoreClock,
    /// Ids of products that are no purchase (fuel, bags), written as in the input.
    pub exclude_products: Vec<String>,
    /// The largest share of bad lines that is let through, 0 to 1.
    pub max_bad_share: f64,
    /// Whether a table without lines says that there is nothing; else it is refused.
    pub may_be_empty: bool,
    /// Customers' ids that stand for nobody, written as in the input.
    pub anonymous: Vec<String>,
    /// Customers who stay, whatever they look like, written as in the input.
    pub keep_customers: Vec<String>,
    /// Which rows are read: those that meet all of these.
    pub filters: Vec<RowFilter>,
    /// Which rows take back what was sold: those that meet one of these.
    pub returns: Vec<RowFilter>,
    /// How times are written, where it is not certain.
    pub time_format: Option<TimeFormat>,
    /// The date that is day 0, where days are numbered.
    pub day_zero: Option<Day>,
    /// Whether someone named the clock's zone: else it is only assumed to be UTC.
    pub is_zone_given: bool,
    /// What the input's own evidence has decided; nothing, before it is read.
    pub decided: DecidedForms,
    /// Whether a line takes back what was sold, as far as the input was read: then quantities are
    /// noted. Else it is read again once such a line is met.
    pub is_netted: bool,
    /// How text is encoded, where it is not UTF-8.
    pub encoding: Option<String>,
    /// Whether fields of CSV may be enclosed in quotes.
    pub quotes: Quotes,
    /// The tables beside the tickets' lines.
    pub tables: InputTables,
    /// Those of them that have been read: [`read`] fills it in.
    pub loaded: LoadedTables,
    /// The file that the settings were read from: where it lies among the tickets, nothing is said
    /// of it.
    pub settings_file: Option<String>,
}

/// What quotes in CSV are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quotes {
    /// They may enclose a field.
    #[default]
    Auto,
    /// They are text, wherever they stand.
    None,
}

impl FromStr for Quotes {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Quotes::Auto),
            "none" => Ok(Quotes::None),
            _ => Err(
                Error::request(format!("\"{text}\" does not say what quotes are"))
                    .hint("write --quotes none where quotes are text, or leave it out"),
            ),
        }
    }
}

impl Default for InputOptions {
    fn default() -> Self {
        Self {
            columns: ColumnNames::default(),
            clock: StoreClock::default(),
            exclude_products: vec![],
            max_bad_share: 0.001,
            may_be_empty: false,
            anonymous: vec![],
            keep_customers: vec![],
            filters: vec![],
            returns: vec![],
            time_format: None,
            day_zero: None,
            is_zone_given: false,
            decided: DecidedForms::default(),
            is_netted: false,
            encoding: None,
            quotes: Quotes::Auto,
            tables: InputTables::default(),
            loaded: LoadedTables::default(),
            settings_file: None,
        }
    }
}

/// The days whose lines are needed: those of other days are counted, and looked at no further.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NeededDays {
    /// The first of them, if any day is too long ago.
    pub first: Option<Day>,
    /// The night that nothing may come after, if there is one.
    pub until: Option<AsOf>,
}

impl NeededDays {
    /// The last `days` days up to and including a night.
    #[must_use]
    pub fn up_to(as_of: AsOf, days: u32) -> Self {
        Self {
            first: Some(as_of.first_of(days)),
            until: Some(as_of),
        }
    }
}

impl From<Option<AsOf>> for NeededDays {
    /// All days up to a night, or all there are.
    fn from(until: Option<AsOf>) -> Self {
        Self { first: None, until }
    }
}

/// What reading gives: all purchases, or a history of which parts can be looked at.
#[derive(Debug, Clone)]
pub struct Ingested<P = Purchases> {
    /// The history.
    pub purchases: P,
    /// What lines tell beside purchases, where it is mapped.
    pub facts: Facts,
    /// What became of each line.
    pub report: Report,
    /// The same by day, for the guards.
    pub feed: FeedDays,
    /// What a user should know: empty objects, a last day that looks partial, ids that look like
    /// floats.
    pub warnings: Vec<String>,
    /// Which customers go on in the place of others, if there is a table of it.
    pub merged: Option<Arc<MergedCards>>,
}

impl Ingested<PartitionedPurchases> {
    /// All purchases in memory.
    ///
    /// # Errors
    /// If what was set aside cannot be brought back.
    pub fn whole(self) -> Result<Ingested> {
        let purchases = self.purchases.purchases()?;
        let mut report = self.report;
        report.count_repeated(purchases.distinct_lines() as u64);
        Ok(Ingested {
            purchases,
            facts: self.facts,
            report,
            feed: self.feed,
            warnings: self.warnings,
            merged: self.merged,
        })
    }
}

impl SpillStorage for SpillFile {
    fn append(&self, bytes: &[u8]) -> Result<u64> {
        SpillFile::append(self, bytes)
    }

    fn read(&self, start: u64, len: usize) -> Result<Vec<u8>> {
        SpillFile::read(self, start, len)
    }
}

/// Reads everything that the URIs name (files, folders, prefixes, globs), each object once, in the
/// order of their URIs: the next chunks are fetched while some are read. `each` is told the
/// objects' number and the object that comes next. What is read is set aside on disk where it would
/// take more than a part of `memory_limit` bytes.
///
/// Where tickets have headers in a table of their own, these are read first, and held in memory.
///
/// # Errors
/// If nothing matches, an object cannot be fetched, [`Reader`] refuses what is in it, or most lines
/// have a ticket without a header.
pub async fn read(
    uris: &[String],
    options: &InputOptions,
    days: impl Into<NeededDays>,
    memory_limit: Option<u64>,
    each: EachObject<'_>,
) -> Result<(Ingested<PartitionedPurchases>, Vec<InputObject>)> {
    let (options, tables) = joined::load(options, each).await?;
    let lines = read_lines(uris, &options, days.into(), memory_limit, each).await;
    let mut warnings = tables.warnings;
    if let Some(persons) = &options.loaded.persons {
        // That no customer is known explains whatever else is wrong.
        warnings.extend(persons.judge()?);
    }
    let (mut ingested, objects) = lines?;
    warnings.extend(joined::judge(&options, &mut ingested.report)?);
    warnings.extend(ingested.warnings);
    ingested.warnings = warnings;
    ingested.merged = options.loaded.merged.clone();
    Ok((
        ingested,
        tables.objects.into_iter().chain(objects).collect(),
    ))
}

/// Reads everything that the URIs name as lines of one table.
async fn read_lines(
    uris: &[String],
    options: &InputOptions,
    days: NeededDays,
    memory_limit: Option<u64>,
    each: EachObject<'_>,
) -> Result<(Ingested<PartitionedPurchases>, Vec<InputObject>)> {
    let limit = memory_limit.map(|bytes| MemoryLimit {
        bytes,
        spill: Arc::new(SpillFile::new()),
    });
    let reader = Reader::with(options, days, limit, formats::FORMATS);
    pipeline::read(uris, reader, each).await
}

/// What to say of the gap between the as-of date and the data, which have purchases from the first
/// to the last day of `span`: nothing, or a warning if the last day lies more than a day before.
///
/// # Errors
/// If no purchase is known on the as-of date.
pub fn staleness(span: Option<DateRange>, report: &Report, as_of: AsOf) -> Result<Option<String>> {
    let Some(DateRange { first, last }) = span else {
        if let Some(error) = report.filtered_all() {
            return Err(error);
        }
        let others = report.anonymous
            + report.voided
            + report.returned
            + report.excluded
            + report.bad_lines();
        return Err(match report.first_after {
            Some(first) if others + report.before_history == 0 => {
                Error::request(format!("all {} usable lines lie after the as-of date {as_of}; the first is of {first}", report.after_as_of))
                    .hint(format!("use an --as-of date from {first} on, or give the objects of earlier days with --input too"))
            }
            _ if others == 0 => report.out_of_reach(&format!("the as-of date {as_of}")),
            _ => report.no_purchase(&format!(" up to {as_of}")),
        });
    };
    if as_of.day() < first {
        return Err(Error::request(format!("the as-of date {as_of} lies before the data, which begin on {first}"))
            .hint(format!("use an --as-of date from {first} on, or give the objects of earlier days with --input too")));
    }
    let stale = as_of.day() - last;
    Ok((stale > 1).then(|| {
        format!("the data end on {last}, {stale} days before the as-of date {as_of} (they begin on {first}): predictions are stale")
    }))
}
