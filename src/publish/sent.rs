//! What published nights say was sent: the offers that were due on the morning after each.

use futures::{StreamExt, TryStreamExt, stream};
use polars::prelude::{DataFrame, DataType, ParquetReader, PolarsError, SerReader};

use super::manifest::{MANIFEST, Manifest, ManifestInput, TableEntry, night_folder};
use super::runs::check_table;
use super::tables::OFFERS;
use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::Id;
use crate::error::{Error, Kind, Result};
use crate::offers::{Action, SentOffer};
use crate::store::Location;

#[cfg(test)]
mod tests;

/// Nights that are fetched at a time.
const NIGHTS_AT_A_TIME: usize = 8;

/// The columns that are read.
const COLUMNS: [&str; 5] = [
    "customer_id",
    "product_id",
    "action",
    "send_on",
    "valid_until",
];

/// Finds the code of an id.
pub type CodeOfId<'a> = &'a (dyn Fn(Id<'_>) -> Option<u32> + Sync);

/// What was sent after some published nights.
#[derive(Debug, Default)]
pub struct PublishedOffers {
    /// The offers, with the codes of their customers.
    pub offers: Vec<(u32, SentOffer)>,
    /// The nights that are published, ascending.
    pub nights: Vec<AsOf>,
    /// The tables that say so.
    pub inputs: Vec<ManifestInput>,
    /// Nights of which it is not known, and why.
    pub warnings: Vec<String>,
}

/// Reads what was due after each of these nights that is published below `output`: by its manifest,
/// so that what is being published does not count. `customers` and `products` find the codes of ids;
/// offers to customers without one are left out.
///
/// # Errors
/// If the store fails. A night that is damaged is a warning.
pub async fn published_offers(
    output: &Location,
    nights: DateRange,
    customers: CodeOfId<'_>,
    products: CodeOfId<'_>,
) -> Result<PublishedOffers> {
    let read = |night, content| {
        let due = DueOffers {
            night,
            customers,
            products,
        };
        due.read(content)
    };
    let mut published = PublishedOffers::default();
    each_offer_table(
        output,
        nights.iter().map(AsOf),
        &read,
        |night, read| match read {
            Ok((input, offers)) => {
                published.nights.push(night);
                published.inputs.push(input);
                published.offers.extend(offers);
            }
            Err(error) => published.warnings.push(format!(
                "what was sent after {night} is not known, and may be sent again: {error}"
            )),
        },
    )
    .await?;
    Ok(published)
}

/// Reads the table of offers of each of these nights that is published below `output`, and gives
/// `take` what `read` finds in it, in the order of the nights; or what is wrong with a night that is
/// damaged.
///
/// # Errors
/// If the store fails.
pub(super) async fn each_offer_table<T>(
    output: &Location,
    nights: impl Iterator<Item = AsOf> + Send,
    read: &(dyn Fn(AsOf, bytes::Bytes) -> Result<T, PolarsError> + Sync),
    mut take: impl FnMut(AsOf, Result<(ManifestInput, T)>) + Send,
) -> Result<()> {
    let mut tables = stream::iter(nights)
        .map(|night| async move { Ok::<_, Error>((night, offer_table(output, night).await?)) })
        .buffered(NIGHTS_AT_A_TIME);
    while let Some((night, table)) = tables.try_next().await? {
        let found = match table {
            Ok(Some((input, content))) => match read(night, content) {
                Ok(offers) => Ok((input, offers)),
                Err(error) => Err(Error::input("it cannot be read as a table of offers")
                    .object(input.object)
                    .source(error)),
            },
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        take(night, found);
    }
    Ok(())
}

/// The tables that [`published_offers`] would read, without reading them, with their nights.
///
/// # Errors
/// If the store fails.
pub async fn offer_tables(
    output: &Location,
    nights: DateRange,
) -> Result<Vec<(AsOf, ManifestInput)>> {
    let tables: Vec<Option<(AsOf, ManifestInput)>> = stream::iter(nights.iter().map(AsOf))
        .map(|night| async move {
            let table = named_offer_table(output, night).await?;
            Ok::<_, Error>(table.map(|table| (night, table)))
        })
        .buffered(NIGHTS_AT_A_TIME)
        .try_collect()
        .await?;
    Ok(tables.into_iter().flatten().collect())
}

/// The table of offers that a manifest names.
///
/// # Errors
/// If the manifest cannot be read.
fn entry_of(folder: &Location, manifest: &[u8]) -> Result<Option<TableEntry>> {
    let manifest = Manifest::read(&folder.name_of(MANIFEST), manifest);
    manifest.map(|mut manifest| manifest.tables.remove(OFFERS))
}

/// The table of offers that a night's manifest names; none if it cannot be read.
async fn named_offer_table(output: &Location, night: AsOf) -> Result<Option<ManifestInput>> {
    let folder = output.child(&night_folder(night));
    let Some((content, _)) = folder.find(MANIFEST).await? else {
        return Ok(None);
    };
    let entry = entry_of(&folder, &content).ok().flatten();
    Ok(entry.map(|entry| input(folder.name_of(&entry.path), &entry)))
}

/// The table of a night's offers, if the night is published; what is wrong with it, if it is
/// damaged.
///
/// # Errors
/// If the store fails.
async fn offer_table(
    output: &Location,
    night: AsOf,
) -> Result<Result<Option<(ManifestInput, bytes::Bytes)>>> {
    let folder = output.child(&night_folder(night));
    let mut before = None;
    loop {
        let Some((content, _)) = folder.find(MANIFEST).await? else {
            return Ok(Ok(None));
        };
        let entry = match entry_of(&folder, &content) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Ok(None)),
            Err(error) => return Ok(Err(error)),
        };
        let object = folder.name_of(&entry.path);
        let checked = match folder.find(&entry.path).await? {
            Some((table, _)) => check_table(OFFERS, &object, &entry, &table).map(|()| table),
            None => Err(Error::input("the table of offers is missing").object(&*object)),
        };
        match checked {
            Ok(table) => return Ok(Ok(Some((input(object, &entry), table)))),
            // The run was replaced while it was read, unless the manifest is still the same.
            Err(error) if before.as_ref() == Some(&content) => return Ok(Err(error)),
            Err(error) if error.kind() == Kind::Input => before = Some(content),
            Err(error) => return Err(error),
        }
    }
}

fn input(object: String, entry: &TableEntry) -> ManifestInput {
    ManifestInput {
        object,
        size: entry.bytes,
        etag: entry.sha256.clone(),
    }
}

/// Finds what was due on the morning after a night.
struct DueOffers<'a> {
    night: AsOf,
    customers: CodeOfId<'a>,
    products: CodeOfId<'a>,
}

impl DueOffers<'_> {
    /// # Errors
    /// If it is no table of offers.
    fn read(&self, content: bytes::Bytes) -> Result<Vec<(u32, SentOffer)>, PolarsError> {
        let rows = ParquetReader::new(std::io::Cursor::new(content))
            .with_columns(Some(COLUMNS.map(String::from).to_vec()))
            .finish()?;
        self.of_rows(&rows)
    }

    fn of_rows(&self, rows: &DataFrame) -> Result<Vec<(u32, SentOffer)>, PolarsError> {
        let sent_on = self.night.day() + 1;
        let customers = codes(rows, "customer_id", self.customers)?;
        let products = codes(rows, "product_id", self.products)?;
        let [send_on, valid_until] = [days(rows, "send_on")?, days(rows, "valid_until")?];
        let mut offers = vec![];
        for (row, action) in rows.column("action")?.str()?.iter().enumerate() {
            let is_due = action == Some(Action::Offer.word()) && send_on(row) == Some(sent_on);
            if let (true, Some(customer)) = (is_due, customers(row)) {
                let offer = SentOffer {
                    sent_on,
                    valid_until: valid_until(row).unwrap_or(sent_on),
                    product: products(row),
                };
                offers.push((customer, offer));
            }
        }
        Ok(offers)
    }
}

/// Finds the code of the id in a row of a column, whatever the type of its ids.
pub(super) fn codes<'a>(
    rows: &'a DataFrame,
    column: &str,
    code_of: CodeOfId<'a>,
) -> Result<Box<dyn Fn(usize) -> Option<u32> + 'a>, PolarsError> {
    let column = rows.column(column)?;
    if column.dtype() == &DataType::Int64 {
        let values = column.i64()?;
        return Ok(Box::new(move |row| code_of(Id::Integer(values.get(row)?))));
    }
    let values = column.str()?;
    Ok(Box::new(move |row| code_of(Id::Text(values.get(row)?))))
}

/// Finds the day in a row of a column.
pub(super) fn days<'a>(
    rows: &'a DataFrame,
    column: &str,
) -> Result<impl Fn(usize) -> Option<Day> + use<'a>, PolarsError> {
    let values = rows.column(column)?.date()?;
    Ok(move |row| values.physical().get(row).map(Day::from_epoch))
}
