//! From objects to purchases: CSV and Parquet, columns by name, times to store-local days, every line accounted for.

use bytes::Bytes;
use futures::StreamExt;
use polars::prelude::*;

use crate::calendar::{AsOf, Day, StoreClock};
use crate::error::{Error, Result};
use crate::purchases::{Line, Purchases};
use crate::store::{self, Found};

mod frames;
mod ids;
pub mod report;
mod time;

pub use frames::ENDINGS;
use frames::{Format, Frames};
use ids::Dictionary;
use report::{Cause, Report};
use time::{FastClock, Read};

/// Which columns hold what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// The customer's id.
    pub customer: String,
    /// The product's id.
    pub product: String,
    /// When it was bought.
    pub time: String,
    /// How many; lines of 0 or less are returns.
    pub quantity: String,
    /// Whether the quantity's column was asked for by name: then it must be there.
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

/// How input is read.
#[derive(Debug, Clone, PartialEq)]
pub struct InputOptions {
    /// Which columns hold what.
    pub columns: Columns,
    /// How a time becomes a day of the store.
    pub clock: StoreClock,
    /// Products that are no purchase: fuel, bags.
    pub exclude_products: Vec<String>,
    /// Largest share of bad lines, 0 to 1.
    pub max_bad_share: f64,
}

/// What was read.
#[derive(Debug)]
pub struct Ingested {
    /// The purchases.
    pub purchases: Purchases,
    /// What became of every line.
    pub report: Report,
    /// Empty objects, a last day that looks partial.
    pub warnings: Vec<String>,
}

/// How many objects are fetched while one is read.
const FETCHED_AHEAD: usize = 3;

/// Reads everything that the URIs name (files, folders, prefixes, globs), each object once, in the order of their URIs. `each` is told
/// the objects' number and the object that comes next.
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
    let mut reader = Reader::new(options, until);
    let mut read = Vec::with_capacity(found.len());
    {
        let fetch = |object: Found| async move {
            let content = object.get().await;
            (object, content)
        };
        let mut contents = futures::stream::iter(found.iter().cloned()).map(fetch).buffered(FETCHED_AHEAD);
        while let Some((object, content)) = contents.next().await {
            each(found.len(), &object);
            let (content, etag) = content?;
            read.push(Found { size: content.len() as u64, etag, ..object.clone() });
            tokio::task::block_in_place(|| reader.object(&object.uri, content))?;
        }
    }
    Ok((tokio::task::block_in_place(|| reader.finish())?, read))
}

/// Takes objects one after another.
#[derive(Debug)]
pub struct Reader<'a> {
    options: &'a InputOptions,
    until: Option<AsOf>,
    clock: FastClock,
    customers: Dictionary,
    products: Dictionary,
    lines: Vec<Line>,
    report: Report,
    warnings: Vec<String>,
}

/// Values of one column, without its table.
enum Values<'a> {
    Integer(Int64Chunked),
    Float(Float64Chunked),
    Text(&'a StringChunked),
}

impl<'a> Reader<'a> {
    /// A reader that keeps what is known on the night `until`, or everything.
    #[must_use]
    pub fn new(options: &'a InputOptions, until: Option<AsOf>) -> Self {
        let clock = FastClock::new(options.clock);
        let (customers, products) = (Dictionary::default(), Dictionary::default());
        Self { options, until, clock, customers, products, lines: vec![], report: Report::default(), warnings: vec![] }
    }

    /// Reads one object; `name` says its format by its ending.
    ///
    /// # Errors
    /// If it is not whole, lacks a column, or a column has a type that cannot be what it should be.
    pub fn object(&mut self, name: &str, content: Bytes) -> Result<()> {
        self.read(name, content).map_err(|error| error.object(name))
    }

    fn read(&mut self, name: &str, content: Bytes) -> Result<()> {
        let format = Format::of(name).ok_or_else(|| {
            Error::input("its ending is none that okuo reads")
                .hint(format!("name it {}", ENDINGS.map(|ending| format!("*{ending}")).join(", ")))
        })?;
        self.report.objects += 1;
        let frames = Frames::open(format, content)?;
        if matches!(frames, Frames::Empty) {
            self.warnings.push(format!("{name} is empty"));
            return Ok(());
        }
        let columns = &self.options.columns;
        let mut wanted = vec![];
        for (column, flag) in [(&columns.customer, "--customer"), (&columns.product, "--product"), (&columns.time, "--time")] {
            wanted.push(present(frames.columns(), column, flag)?);
        }
        let quantity = if columns.quantity_required || frames.columns().contains(&columns.quantity) {
            wanted.push(present(frames.columns(), &columns.quantity, "--quantity")?);
            true
        } else {
            false
        };
        let before = self.report.lines_read;
        frames.for_each(&wanted, |first_row, frame| self.batch(name, first_row, frame, quantity))?;
        if self.report.lines_read == before {
            self.warnings.push(format!("{name} has no line"));
        }
        Ok(())
    }

    fn batch(&mut self, name: &str, first_row: u64, frame: &DataFrame, has_quantity: bool) -> Result<()> {
        let columns = self.options.columns.clone();
        let customer = frame.column(&columns.customer).map_err(unexpected)?.as_materialized_series();
        let product = frame.column(&columns.product).map_err(unexpected)?.as_materialized_series();
        let times = frame.column(&columns.time).map_err(unexpected)?.as_materialized_series();
        let customers = ids(customer, &columns.customer)?;
        let products = ids(product, &columns.product)?;
        let text_customers = matches!(customers, Values::Text(_)) && !is_csv(name);
        let text_products = matches!(products, Values::Text(_)) && !is_csv(name);
        let days = Days::of(times, &columns.time)?;
        let quantities = match has_quantity {
            true => Some(numbers(frame.column(&columns.quantity).map_err(unexpected)?.as_materialized_series(), &columns.quantity)?),
            false => None,
        };
        self.lines.reserve(frame.height());
        for at in 0..frame.height() {
            self.report.lines_read += 1;
            let row = first_row + at as u64;
            let place = |column: &str, value: String| format!("{name}: row {row}, column \"{column}\": {value}");
            let day = match days.day(at, &mut self.clock) {
                Ok(day) if Day::PLAUSIBLE.contains(&day) => day,
                Ok(day) => {
                    self.report.count(Cause::AbsurdDate, || place(&columns.time, day.to_string()));
                    continue;
                }
                Err(cause) => {
                    self.report.count(cause, || place(&columns.time, days.show(at)));
                    continue;
                }
            };
            if self.until.is_some_and(|until| day > until.day()) {
                self.report.after_as_of += 1;
                continue;
            }
            match quantities.as_ref().map(|values| values.number(at)) {
                None => {}
                Some(Ok(quantity)) if quantity > 0.0 => {}
                Some(Ok(quantity)) if quantity <= 0.0 => {
                    self.report.returned += 1;
                    continue;
                }
                Some(bad) => {
                    let cause = if matches!(bad, Err(None)) { Cause::NullQuantity } else { Cause::UnreadableQuantity };
                    let value = match bad {
                        Err(None) => "null".to_owned(),
                        Err(Some(text)) => format!("\"{text}\""),
                        Ok(number) => number.to_string(),
                    };
                    self.report.count(cause, || place(&columns.quantity, value));
                    continue;
                }
            }
            // Both ids are looked at before either enters a dictionary.
            let bad = customers.bad(at).map(|bad| (bad, Cause::NullCustomer, &columns.customer));
            let bad = bad.or_else(|| products.bad(at).map(|bad| (bad, Cause::NullProduct, &columns.product)));
            if let Some((fractional, null, column)) = bad {
                let (cause, value) = fractional.map_or((null, "null".to_owned()), |number| (Cause::FractionalId, number.to_string()));
                self.report.count(cause, || place(column, value));
                continue;
            }
            // What is dropped leaves no trace in the dictionaries: neither an id nor the type of the ids.
            if !self.options.exclude_products.is_empty() && self.options.exclude_products.contains(&products.show(at)) {
                self.report.excluded += 1;
                continue;
            }
            let product = products.code(at, &mut self.products)?;
            let customer = customers.code(at, &mut self.customers)?;
            if text_customers {
                self.customers.saw_text_column();
            }
            if text_products {
                self.products.saw_text_column();
            }
            self.report.kept += 1;
            self.lines.push(Line { customer, day, product });
        }
        Ok(())
    }

    /// The purchases, once every object has been read.
    ///
    /// # Errors
    /// If there was no line, or more bad ones than allowed.
    pub fn finish(mut self) -> Result<Ingested> {
        if self.report.lines_read == 0 {
            return Err(Error::input(format!("{} objects were read and there is no line in them", self.report.objects))
                .hint("check that the feed was written: a header alone, or nothing, is not a day's tickets"));
        }
        let bad = self.report.bad_lines();
        // Lines after the as-of date were not looked at further.
        let share = bad as f64 / (self.report.lines_read - self.report.after_as_of).max(1) as f64;
        if share > self.options.max_bad_share {
            return Err(Error::input(format!(
                "{bad} of {} lines are bad ({:.2} %), more than the {:.2} % allowed:{}",
                self.report.lines_read,
                100.0 * share,
                100.0 * self.options.max_bad_share,
                self.report.causes()
            ))
            .hint(self.report.hint()));
        }
        self.warn_of_partial_day();
        let purchases = Purchases::from_lines(self.customers.finish(), self.products.finish(), self.lines)?;
        self.report.repeated = self.report.kept - purchases.distinct_lines() as u64;
        Ok(Ingested { purchases, report: self.report, warnings: self.warnings })
    }

    /// A last day with fewer than half the lines of the same weekday in the eight weeks before is likely cut off.
    fn warn_of_partial_day(&mut self) {
        let Some(last) = self.lines.iter().map(|line| line.day).max() else { return };
        let count = |day: Day| self.lines.iter().filter(|line| line.day == day).count();
        let mut usual: Vec<usize> = (1..=8).map(|weeks| count(last - 7 * weeks)).filter(|lines| *lines > 0).collect();
        usual.sort_unstable();
        let (Some(median), here) = (usual.get(usual.len() / 2), count(last)) else { return };
        if usual.len() >= 4 && here * 2 < *median {
            self.warnings.push(format!(
                "the last day of the feed, {last}, has {here} lines where this weekday usually has {median}: it looks partial; score the night before with --as-of {}",
                last - 1
            ));
        }
    }
}

fn is_csv(name: &str) -> bool {
    Format::of(name).is_some_and(|format| format != Format::Parquet)
}

fn unexpected(error: PolarsError) -> Error {
    Error::input("a column could not be read").source(error)
}

fn present(columns: &[String], column: &str, flag: &str) -> Result<String> {
    if columns.iter().any(|name| name == column) {
        return Ok(column.to_owned());
    }
    let likeness = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &column.to_lowercase());
    let nearest = columns.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|nearest| likeness(nearest) >= 0.65);
    let hint = match nearest {
        Some(nearest) => format!("is it \"{nearest}\"? then give {flag} {nearest}"),
        None => format!("name the right one with {flag}"),
    };
    Err(Error::input(format!("there is no column \"{column}\"; there are {}", columns.join(", "))).hint(hint))
}

fn wrong_type(series: &Series, column: &str, wanted: &str) -> Error {
    Error::input(format!("the type is {}, but {wanted} is needed", series.dtype())).column(column)
}

fn ids<'a>(series: &'a Series, column: &str) -> Result<Values<'a>> {
    let values = match series.dtype() {
        DataType::String => Values::Text(series.str().map_err(unexpected)?),
        dtype if dtype.is_integer() => {
            let cast = series.strict_cast(&DataType::Int64).map_err(|error| unexpected(error).column(column))?;
            Values::Integer(cast.i64().map_err(unexpected)?.clone())
        }
        dtype if dtype.is_float() => {
            Values::Float(series.cast(&DataType::Float64).and_then(|series| series.f64().cloned()).map_err(unexpected)?)
        }
        _ => return Err(wrong_type(series, column, "an integer or text").hint("map another column, or write the ids as text")),
    };
    Ok(values)
}

fn numbers<'a>(series: &'a Series, column: &str) -> Result<Values<'a>> {
    match series.dtype() {
        DataType::String => Ok(Values::Text(series.str().map_err(unexpected)?)),
        dtype if dtype.is_primitive_numeric() => {
            Ok(Values::Float(series.cast(&DataType::Float64).and_then(|series| series.f64().cloned()).map_err(unexpected)?))
        }
        _ => Err(wrong_type(series, column, "a number").hint("map another column with --quantity")),
    }
}

/// A whole number that a float holds exactly.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

impl Values<'_> {
    /// `Some` if the id cannot be used: `Some(None)` where it is null, else the number that is not whole.
    fn bad(&self, at: usize) -> Option<Option<f64>> {
        match self {
            Values::Integer(values) => values.get(at).is_none().then_some(None),
            Values::Text(values) => values.get(at).is_none_or(|text| text.trim().is_empty()).then_some(None),
            Values::Float(values) => match values.get(at).filter(|number| !number.is_nan()) {
                None => Some(None),
                Some(number) => whole(number).is_none().then_some(Some(number)),
            },
        }
    }

    fn code(&self, at: usize, dictionary: &mut Dictionary) -> Result<u32> {
        match self {
            Values::Integer(values) => dictionary.integer(values.get(at).unwrap_or_default()),
            Values::Text(values) => dictionary.text(values.get(at).unwrap_or_default()),
            Values::Float(values) => dictionary.integer(values.get(at).and_then(whole).unwrap_or_default()),
        }
    }

    /// The id as text.
    fn show(&self, at: usize) -> String {
        match self {
            Values::Integer(values) => values.get(at).map(|id| id.to_string()),
            Values::Text(values) => values.get(at).map(str::to_owned),
            Values::Float(values) => values.get(at).and_then(whole).map(|id| id.to_string()),
        }
        .unwrap_or_default()
    }

    /// The number, or the text that is none, or nothing.
    fn number(&self, at: usize) -> Result<f64, Option<String>> {
        match self {
            Values::Integer(values) => values.get(at).map(|number| number as f64).ok_or(None),
            Values::Float(values) => match values.get(at) {
                None => Err(None),
                Some(number) if number.is_nan() => Err(Some("NaN".into())),
                Some(number) => Ok(number),
            },
            Values::Text(values) => match values.get(at).map(str::trim).filter(|text| !text.is_empty()) {
                None => Err(None),
                Some(text) => text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| Some(text.to_owned())),
            },
        }
    }
}

/// The times of a batch.
enum Days<'a> {
    /// Days since 1970.
    Date(Int32Chunked),
    /// Microseconds, naive.
    Naive(Int64Chunked, i64, bool),
    /// Microseconds of UTC.
    Instant(Int64Chunked, i64, bool),
    Text(&'a StringChunked),
}

impl<'a> Days<'a> {
    fn of(series: &'a Series, column: &str) -> Result<Self> {
        match series.dtype() {
            DataType::String => Ok(Days::Text(series.str().map_err(unexpected)?)),
            DataType::Date => Ok(Days::Date(series.to_physical_repr().i32().map_err(unexpected)?.clone())),
            DataType::Datetime(unit, zone) => {
                let physical = series.to_physical_repr().i64().map_err(unexpected)?.clone();
                // Microseconds = value × factor, or value ÷ factor.
                let (factor, divide) = match unit {
                    TimeUnit::Milliseconds => (1_000, false),
                    TimeUnit::Microseconds => (1, false),
                    TimeUnit::Nanoseconds => (1_000, true),
                };
                Ok(if zone.is_some() { Days::Instant(physical, factor, divide) } else { Days::Naive(physical, factor, divide) })
            }
            _ => Err(wrong_type(series, column, "a date, a datetime or text")
                .hint("map another column with --time, or convert it first: pandas.to_datetime(…, unit=\"s\") for seconds since 1970")),
        }
    }

    fn day(&self, at: usize, clock: &mut FastClock) -> Result<Day, Cause> {
        let scale = |value: i64, factor: i64, divide: bool| if divide { Some(value.div_euclid(factor)) } else { value.checked_mul(factor) };
        match self {
            Days::Date(values) => values.get(at).map(Day::from_epoch).ok_or(Cause::NullTime),
            Days::Naive(values, factor, divide) => {
                let value = values.get(at).ok_or(Cause::NullTime)?;
                scale(value, *factor, *divide).and_then(|us| clock.naive(us)).ok_or(Cause::AbsurdDate)
            }
            Days::Instant(values, factor, divide) => {
                let value = values.get(at).ok_or(Cause::NullTime)?;
                scale(value, *factor, *divide).and_then(|us| clock.instant(us)).ok_or(Cause::AbsurdDate)
            }
            Days::Text(values) => {
                let text = values.get(at).filter(|text| !text.trim().is_empty()).ok_or(Cause::NullTime)?;
                match time::read(text).ok_or(Cause::UnreadableTime)? {
                    Read::Date(day) => Ok(day),
                    Read::Naive(us) => clock.naive(us).ok_or(Cause::AbsurdDate),
                    Read::Instant(us) => clock.instant(us).ok_or(Cause::AbsurdDate),
                }
            }
        }
    }

    fn show(&self, at: usize) -> String {
        match self {
            Days::Text(values) => values.get(at).map_or("null".into(), |text| format!("\"{text}\"")),
            Days::Date(values) => values.get(at).map_or("null".into(), |value| value.to_string()),
            Days::Naive(values, ..) | Days::Instant(values, ..) => values.get(at).map_or("null".into(), |value| value.to_string()),
        }
    }
}

/// What to say of the gap between the as-of date and the data: nothing, a warning, or an error.
///
/// # Errors
/// If the as-of date lies before the first day of the data.
pub fn staleness(purchases: &Purchases, report: &Report, as_of: AsOf) -> Result<Option<String>> {
    let Some((first, last)) = purchases.span() else {
        let what = if report.after_as_of > 0 {
            format!("all {} usable lines lie after the as-of date {as_of}", report.after_as_of)
        } else {
            format!("of {} lines none is a purchase up to {as_of}", report.lines_read)
        };
        return Err(Error::request(what).hint("choose a later --as-of, or give older --input too"));
    };
    let stale = as_of.day() - last;
    Ok((stale > 1).then(|| {
        format!("the data end on {last}, {stale} days before the as-of date {as_of} (they begin on {first}): predictions are stale")
    }))
}

#[cfg(test)]
mod tests;
