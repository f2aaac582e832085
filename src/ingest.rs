//! Objects → lines → [`Purchases`]: CSV and Parquet, column mapping, the input contract, and the report of what was dropped or bad.
//!
//! **Formats.** CSV (plain, gzip, zstd; UTF-8; separator `,`, `;`, tab or `|`, taken from the header line) and Parquet, told apart by
//! their first bytes. Extra columns are ignored; objects may differ in column order and types.
//!
//! **Ids.** Integer columns stay integers; text stays text. A CSV column's ids are integers if every kept id of all objects is written
//! as `i64` prints it (`7`, not `007` or `+7`), or so and followed by `.0` as pandas writes integers beside nulls (`7.0` is 7), else text,
//! so that `007` and `7` stay different and come back as they came. Integers in one object and text in another (warned of), or unsigned
//! integers beyond `i64`, make text. Empty fields and the words `NULL`, `NA`, `NaN`, `None`,
//! `<NA>` and `\N` are nulls.
//!
//! **Times.** Dates and timestamps of Parquet; in text `YYYY-MM-DD` (or with `/` or `.`, or `YYYYMMDD`), alone or followed by `T` or a
//! space, `HH:MM[:SS[.fraction]]` and, for an instant, `Z`, `UTC` or an offset. Each value is read by itself, so that a column may mix these
//! forms; `03/04/2017` could be March or April and is a bad line, never a guess. A date without a time of day is the store's day
//! as it stands; a time of day goes through the [`StoreClock`].
//!
//! **Order of the checks.** Each line counts once: bad time, after the as-of date, bad customer, bad product, bad quantity, returned,
//! excluded, kept. A line after the as-of date is looked at no further and changes nothing but its count.

mod cause;
mod csv;
mod dictionary;
mod lines;
mod parquet;
pub mod report;
mod schema;
mod time;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use futures::StreamExt;

use crate::calendar::{AsOf, StoreClock};
use crate::error::{Error, Result};
use crate::purchases::{Line, Purchases};
use crate::store::{self, Found};
use lines::Lines;
use report::Report;

/// The endings of the objects that are read.
pub const ENDINGS: [&str; 4] = [".csv", ".csv.gz", ".csv.zst", ".parquet"];

/// How many objects are fetched while one is read.
const FETCHED_AHEAD: usize = 3;

/// Which columns of the input mean what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Who bought; integer or text.
    pub customer: String,
    /// What was bought; integer or text.
    pub product: String,
    /// When it was bought; date, timestamp or text.
    pub time: String,
    /// How many; a line with 0 or less is a return.
    pub quantity: String,
    /// Whether the quantity's column was asked for by name: then it must be there. Otherwise all lines of an object without it are sales.
    pub quantity_required: bool,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            customer: "customer_id".into(),
            product: "product_id".into(),
            time: "timestamp".into(),
            quantity: "quantity".into(),
            quantity_required: false,
        }
    }
}

/// How objects become purchases.
#[derive(Debug, Clone, PartialEq)]
pub struct InputOptions {
    /// Which columns mean what.
    pub columns: Columns,
    /// How a time becomes a day of the store.
    pub clock: StoreClock,
    /// Ids of products that are no purchase (fuel, bags), written as in the input.
    pub exclude_products: Vec<String>,
    /// The largest share of bad lines that is let through, 0 to 1.
    pub max_bad_share: f64,
}

/// What reading gives.
#[derive(Debug, Clone)]
pub struct Ingested {
    /// The history.
    pub purchases: Purchases,
    /// What became of each line.
    pub report: Report,
    /// What a user should know: empty objects, a last day that looks partial, ids that look like floats.
    pub warnings: Vec<String>,
}

/// Reads one object after another, whatever fetches them.
#[derive(Debug)]
pub struct Reader {
    columns: Columns,
    max_bad_share: f64,
    lines: Lines,
    with_quantity: u64,
    without_quantity: u64,
}

impl Reader {
    /// A reader of lines up to and including `until`, or of all.
    #[must_use]
    pub fn new(options: &InputOptions, until: Option<AsOf>) -> Self {
        Self {
            columns: options.columns.clone(),
            max_bad_share: options.max_bad_share,
            lines: Lines::new(options.clock, &options.exclude_products, until),
            with_quantity: 0,
            without_quantity: 0,
        }
    }

    /// Reads one object; `name` is for messages.
    ///
    /// # Errors
    /// If the object is not what its name says, is truncated or damaged, lacks a column, or has one of a type that cannot be read.
    /// Single bad lines are counted, and judged in [`Reader::finish`].
    pub fn object(&mut self, name: &str, bytes: Bytes) -> Result<()> {
        self.lines.begin(name);
        let before = self.lines.report.lines_read;
        let found = if parquet::is_parquet(name, &bytes) {
            parquet::read(bytes, &self.columns, &mut self.lines)
        } else {
            csv::read(name, bytes, &self.columns, &mut self.lines)
        };
        let has_quantity = found.map_err(|error| error.object(name))?;
        let is_empty = self.lines.report.lines_read == before;
        self.lines.end(is_empty);
        match (is_empty, has_quantity) {
            (true, _) => {}
            (false, true) => self.with_quantity += 1,
            (false, false) => self.without_quantity += 1,
        }
        Ok(())
    }

    /// What has been read so far.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.lines.report
    }

    /// Judges the lines and builds the history.
    ///
    /// # Errors
    /// If there is no line, or too many are bad.
    pub fn finish(mut self) -> Result<Ingested> {
        self.lines.decide();
        self.lines.report.judge(self.max_bad_share)?;
        let mut warnings = self.lines.warnings();
        if self.with_quantity > 0 && self.without_quantity > 0 {
            warnings.push(format!(
                "{} of {} objects have no column \"{}\": all of their lines count as sales",
                self.without_quantity,
                self.with_quantity + self.without_quantity,
                self.columns.quantity
            ));
        }
        if self.with_quantity == 0 && self.without_quantity > 0 {
            warnings.push(format!(
                "there is no column \"{}\": all lines count as sales, and no return can be dropped; name the column with --quantity",
                self.columns.quantity
            ));
        }
        let Lines { customers, products, mut lines, mut report, .. } = self.lines;
        let (customers, products) = (customers.settle(), products.settle());
        if customers.merges() || products.merges() {
            for line in &mut lines {
                *line = Line { customer: customers.one(line.customer), product: products.one(line.product), ..*line };
            }
        }
        let purchases = Purchases::from_lines(customers.ids, products.ids, lines)?;
        report.repeated = report.kept.saturating_sub(purchases.distinct_lines() as u64);
        Ok(Ingested { purchases, report, warnings })
    }
}

/// Reads everything that the URIs name (files, folders, prefixes, globs), each object once, in the order of their URIs: the next ones are
/// fetched while one is read. `each` is told the objects' number and the object that comes next.
///
/// # Errors
/// If nothing matches, an object cannot be fetched, or [`Reader`] refuses what is in it.
pub async fn read(
    uris: &[String],
    options: &InputOptions,
    until: Option<AsOf>,
    each: &(dyn Fn(usize, &Found) + Sync),
) -> Result<(Ingested, Vec<Found>)> {
    let mut found: Vec<Found> = vec![];
    for uri in uris {
        found.extend(store::find(uri, &ENDINGS).await?);
    }
    found.sort_by(|a, b| a.uri.cmp(&b.uri));
    found.dedup_by(|a, b| a.uri == b.uri);
    let interrupted = |error| Error::system("reading the input was interrupted").source(error);

    let mut reader = Reader::new(options, until);
    let mut read_objects = Vec::with_capacity(found.len());
    let fetch = |object: Found| async move {
        let content = object.get().await;
        (object, content)
    };
    let mut objects = futures::stream::iter(found.clone()).map(fetch).buffered(FETCHED_AHEAD);
    let mut next = objects.next().await;
    while let Some((object, content)) = next {
        each(found.len(), &object);
        // What was read, which may be newer than what was listed.
        let (content, etag) = content?;
        read_objects.push(Found { size: content.len() as u64, etag, ..object.clone() });
        let reading = tokio::task::spawn_blocking(move || {
            let result = reader.object(&object.uri, content);
            (reader, result)
        });
        // Polling the stream here is what lets the fetches go on meanwhile.
        let (read, following) = futures::future::join(reading, objects.next()).await;
        let (back, result) = read.map_err(interrupted)?;
        result?;
        reader = back;
        next = following;
    }
    let ingested = tokio::task::spawn_blocking(move || reader.finish()).await.map_err(interrupted)??;
    Ok((ingested, read_objects))
}

/// What to say of the gap between the as-of date and the data: nothing, or a warning if the last day lies more than a day before.
///
/// # Errors
/// If no purchase is known on the as-of date.
pub fn staleness(purchases: &Purchases, report: &Report, as_of: AsOf) -> Result<Option<String>> {
    let Some((first, last)) = purchases.span() else {
        return Err(match report.first_after {
            Some(first) if report.returned + report.excluded + report.bad_lines() == 0 => {
                Error::request(format!("all {} usable lines lie after the as-of date {as_of}; the first is of {first}", report.after_as_of))
                    .hint(format!("use an --as-of date from {first} on, or give the objects of earlier days with --input too"))
            }
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
