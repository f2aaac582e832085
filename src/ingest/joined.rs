//! Tickets in more than one table: headers of tickets apart from their lines, the persons behind
//! customers' ids, and what products are called.
//!
//! A table of headers is read like tickets, so that its times and customers are checked like
//! theirs: each ticket takes the place of a product. What comes out, customers × days × tickets, is
//! turned into an index by ticket, in which each line finds its customer and day.

mod headers;
mod index;
mod lookup;
mod merged;
mod products;

use std::sync::Arc;

use super::columns::{ColumnNames, TicketTable};
use super::filters::RowFilter;
use super::first_header::FirstHeader;
use super::formats::FORMATS;
use super::line_checker::LineChecker;
use super::own_output;
use super::pipeline;
use super::report::{HeaderCounts, RejectedLine, Report};
use super::tables::NoTable;
use super::{InputOptions, NeededDays, read_lines};
use crate::error::{Error, Result};
use crate::store::InputObject;
pub(super) use headers::TicketHeaders;
pub use lookup::MailingTable;
pub(super) use lookup::{LookupRows, PersonTable};
pub use merged::MergedCards;
pub use products::ProductTable;

/// Where another table is, and what its columns are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSource {
    /// Files, folders, prefixes or globs.
    pub paths: Vec<String>,
    /// The columns.
    pub columns: ColumnNames,
    /// Which rows are read: those that meet all of these.
    pub filters: Vec<RowFilter>,
}

/// The tables beside the tickets' lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputTables {
    /// Headers of tickets: who bought, and when.
    pub tickets: Option<TableSource>,
    /// The persons behind customers' ids.
    pub customers: Option<TableSource>,
    /// What products are called.
    pub products: Option<TableSource>,
    /// Who may be mailed.
    pub mailing: Option<TableSource>,
    /// Which customers go on in the place of others.
    pub merged: Option<TableSource>,
}

/// Tables that have been read, to be looked up while lines are read.
#[derive(Debug, Clone, Default)]
pub struct LoadedTables {
    pub(super) headers: Option<Arc<TicketHeaders>>,
    pub(super) persons: Option<Arc<PersonTable>>,
    pub(super) merged: Option<Arc<MergedCards>>,
}

impl LoadedTables {
    /// Those that say which customers go on in the place of others.
    #[must_use]
    pub(super) fn of_merged(merged: Option<Arc<MergedCards>>) -> Self {
        Self {
            merged,
            ..Self::default()
        }
    }

    /// Whether lines are looked up in a table.
    pub(super) fn are_used(&self) -> bool {
        self.headers.is_some() || self.persons.is_some() || self.merged.is_some()
    }
}

/// Equal if they are the same tables in memory.
impl PartialEq for LoadedTables {
    fn eq(&self, other: &Self) -> bool {
        fn same<T>(one: &Option<Arc<T>>, other: &Option<Arc<T>>) -> bool {
            match (one, other) {
                (Some(one), Some(other)) => Arc::ptr_eq(one, other),
                (None, None) => true,
                _ => false,
            }
        }
        same(&self.headers, &other.headers)
            && same(&self.persons, &other.persons)
            && same(&self.merged, &other.merged)
    }
}

/// What was read beside the lines.
#[derive(Debug, Default)]
pub(super) struct TablesRead {
    pub(super) objects: Vec<InputObject>,
    pub(super) warnings: Vec<String>,
}

/// Told of the number of objects, and of the one that comes next.
pub(super) type EachObject<'a> = &'a (dyn Fn(usize, &InputObject) + Sync);

/// Reads the tables that lines are looked up in. Returns how the lines are to be read with them.
///
/// # Errors
/// If a table cannot be read, or headers contradict each other.
pub(super) async fn load(
    options: &InputOptions,
    each: EachObject<'_>,
) -> Result<(InputOptions, TablesRead)> {
    let mut options = options.clone();
    let mut read = TablesRead::default();
    if let Some(customers) = options.tables.customers.clone() {
        let (rows, objects) = read_lookup(&customers, &options, each).await?;
        read.objects.extend(objects);
        options.loaded.persons = Some(Arc::new(PersonTable::new(rows)));
    }
    if let Some(merged) = options.tables.merged.clone() {
        let (rows, objects) = read_lookup(&merged, &options, each).await?;
        read.objects.extend(objects);
        read.warnings
            .extend(lookup::warnings_of(&rows, "customer", "merged_into"));
        options.loaded.merged = Some(Arc::new(MergedCards::new(rows)?));
    }
    if let Some(tickets) = options.tables.tickets.clone() {
        let headers = load_headers(&tickets, &options, &mut read, each).await?;
        if headers.have_stores() {
            options.columns.store = None;
        }
        // The headers have persons instead of customers already.
        options.loaded = LoadedTables {
            headers: Some(Arc::new(headers)),
            persons: None,
            merged: options.loaded.merged,
        };
        options.columns.table = TicketTable::Lines;
    }
    Ok((options, read))
}

async fn load_headers(
    tickets: &TableSource,
    options: &InputOptions,
    read: &mut TablesRead,
    each: EachObject<'_>,
) -> Result<TicketHeaders> {
    let as_headers = InputOptions {
        columns: tickets.columns.clone(),
        exclude_products: vec![],
        filters: tickets.filters.clone(),
        returns: vec![],
        ..options.clone()
    };
    let all = NeededDays::default();
    let lines = read_lines(&tickets.paths, &as_headers, all, None, each).await;
    if let Some(persons) = &options.loaded.persons {
        // That no customer is known explains whatever else is wrong.
        read.warnings.extend(persons.judge()?);
    }
    let (ingested, objects) = lines?;
    read.objects.extend(objects);
    read.warnings.extend(ingested.warnings.iter().cloned());
    let indexing = tokio::task::spawn_blocking(move || {
        let ingested = ingested.whole()?;
        Ok(TicketHeaders::new(&ingested.purchases, &ingested.facts))
    });
    let headers = indexing.await.map_err(pipeline::interrupted)??;
    judge_conflicts(&headers, options.max_bad_share)?;
    Ok(headers)
}

/// Refuses headers of which too many contradict each other.
fn judge_conflicts(headers: &TicketHeaders, max_bad_share: f64) -> Result<()> {
    let conflicts = headers.conflicts();
    if conflicts.tickets as f64 <= max_bad_share * headers.len() as f64 {
        return Ok(());
    }
    Err(Error::input(format!(
        "{} of {} tickets have headers that contradict each other: {}",
        conflicts.tickets,
        headers.len(),
        conflicts.examples.join("; ")
    ))
    .hint(
        "a ticket's id must mean one ticket: where numbers begin anew each day or in each store, make an id of day, store and number in both tables \
         (a query into --input -); or accept more bad tickets with --max-bad-share: their lines are left out and counted",
    ))
}

/// Says what became of the tickets' headers, and judges how many lines found theirs.
///
/// # Errors
/// If most lines have no header.
pub(super) fn judge(options: &InputOptions, report: &mut Report) -> Result<Vec<String>> {
    let mut warnings = vec![];
    if let Some(headers) = &options.loaded.headers {
        let unused = headers.unused();
        report.headers = Some(HeaderCounts {
            tickets: headers.len(),
            unused,
            contradicting: headers.conflicts().tickets,
        });
        let is_filtered = options
            .tables
            .tickets
            .as_ref()
            .is_some_and(|tickets| !tickets.filters.is_empty());
        warnings.extend(judge_headers(headers, report, is_filtered)?);
    }
    Ok(warnings)
}

fn judge_headers(
    headers: &TicketHeaders,
    report: &Report,
    is_filtered: bool,
) -> Result<Vec<String>> {
    let mut warnings = vec![];
    let conflicts = headers.conflicts();
    if conflicts.tickets > 0 {
        warnings.push(format!(
            "{} tickets have headers that contradict each other, and their lines are left out: {}",
            conflicts.tickets,
            conflicts.examples.join("; ")
        ));
    }
    let lines = report.lines_read - report.filtered;
    let without = report.without_header;
    if without > 0 {
        let places: Vec<String> = report
            .first_without_header
            .iter()
            .map(RejectedLine::to_string)
            .collect();
        let what = format!(
            "{without} of {lines} lines have a ticket that has no header, first {}",
            places.join("; ")
        );
        // A filter may leave out most tickets, but not all.
        if without == lines || (2 * without > lines && !is_filtered) {
            return Err(Error::input(format!("{what}; the ids of the headers' tickets are {}", headers.kind_of_ids()))
                .hint("name the columns that have the same ticket with --basket (in the lines) and --tickets-ticket (in the headers); ids are compared as they are written, so 007 is not 7"));
        }
        warnings.push(format!("{what}: they are left out"));
    }
    if headers.unused() > 0 {
        warnings.push(format!(
            "{} of {} tickets that have a header have no line",
            headers.unused(),
            headers.len()
        ));
    }
    Ok(warnings)
}

/// Reads the table of products, if there is one.
///
/// # Errors
/// If it cannot be read.
pub async fn read_products(
    options: &InputOptions,
    each: EachObject<'_>,
) -> Result<Option<(ProductTable, Vec<InputObject>)>> {
    let Some(products) = &options.tables.products else {
        return Ok(None);
    };
    let (rows, objects) = read_lookup(products, options, each).await?;
    let table = ProductTable::new(rows, &products.columns)
        .map_err(|error| error.object(products.paths.join(", ")))?;
    Ok(Some((table, objects)))
}

/// All objects that would be read, without reading them: lines, and the tables beside them. An object
/// that has turned out to be no table before is among them, unless its name says so.
///
/// # Errors
/// If a URI names nothing.
pub async fn objects(uris: &[String], options: &InputOptions) -> Result<Vec<InputObject>> {
    let tables = &options.tables;
    let beside = [
        &tables.tickets,
        &tables.customers,
        &tables.products,
        // Both are in one table.
        if tables.merged.is_some() {
            &tables.merged
        } else {
            &tables.mailing
        },
    ];
    let places = beside.into_iter().flatten().map(|table| &*table.paths);
    let endings = super::formats::endings(FORMATS);
    let mut all = vec![];
    for paths in std::iter::once(uris).chain(places) {
        all.extend(pipeline::find(paths, &endings).await?.objects);
    }
    all.retain(|object| {
        let is_settings = options
            .settings_file
            .as_ref()
            .is_some_and(|settings| own_output::is_settings_file(object, settings));
        let is_left_out = object.is_candidate && NoTable::by_name(&object.uri).is_some();
        !is_settings && !is_left_out
    });
    Ok(all)
}

/// Reads the table of who may be mailed, if there is one.
///
/// # Errors
/// If it cannot be read.
pub async fn read_mailing(
    options: &InputOptions,
    each: EachObject<'_>,
) -> Result<Option<(MailingTable, Vec<InputObject>)>> {
    let Some(mailing) = &options.tables.mailing else {
        return Ok(None);
    };
    let (rows, objects) = read_lookup(mailing, options, each).await?;
    let table = MailingTable::new(rows, &mailing.columns)?;
    Ok(Some((table, objects)))
}

/// Reads a table that is looked up by an id, object by object.
async fn read_lookup(
    table: &TableSource,
    options: &InputOptions,
    each: EachObject<'_>,
) -> Result<(LookupRows, Vec<InputObject>)> {
    let options = Arc::new(InputOptions {
        columns: table.columns.clone(),
        filters: vec![],
        returns: vec![],
        ..options.clone()
    });
    let mut rows = LookupRows::new(table.columns.table);
    let mut report = Report::default();
    let found = pipeline::find(&table.paths, &super::formats::endings(FORMATS))
        .await?
        .objects;
    let count = found.len();
    let first_header = Arc::new(FirstHeader::of_stored(&options, &found, FORMATS));
    for object in &found {
        each(count, object);
        report.objects += 1;
        let days = NeededDays::default();
        let first_header = Arc::clone(&first_header);
        let options = Arc::clone(&options);
        let opening = pipeline::open(
            object.clone(),
            Arc::clone(&options),
            days,
            FORMATS,
            first_header,
        );
        let (requests, _) = opening.await?;
        for request in requests {
            let chunk = pipeline::fetch(Ok(request)).await?;
            let (name, options) = (object.uri.as_str().into(), Arc::clone(&options));
            let reading = tokio::task::spawn_blocking(move || {
                let mut lines = LineChecker::new(&name, &options, days);
                lines.give_lookup(rows);
                chunk.read_all(&mut lines)?;
                Ok::<_, Error>(lines.into_lookup())
            });
            let (all, of_chunk) = reading
                .await
                .map_err(pipeline::interrupted)??
                .ok_or_else(|| Error::system("a table to look up was read as something else"))?;
            report.merge(of_chunk);
            rows = all;
        }
    }
    if report.lines_read == 0 {
        return Err(Error::input("the table has no lines")
            .object(table.paths.join(", "))
            .hint("check that its export has run"));
    }
    report.judge(options.max_bad_share)?;
    Ok((rows, found))
}
