//! Tables that are looked up by an id: what products are called, and which person a customer is.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use super::index::IdIndex;
use crate::domain::{Id, Ids, OwnedId};
use crate::error::Result;
use crate::ingest::columns::TicketTable;
use crate::ingest::decoded_line::{DecodedLine, Quantity};
use crate::ingest::dictionary::{FinalIds, IdDictionary};
use crate::ingest::ids::RawId;

/// The code of no value.
const NO_VALUE: u32 = u32::MAX;

/// What a row says of its id, as codes of values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct LookupRow {
    name: u32,
    category: u32,
    /// NaN where it is not known.
    price: f64,
}

/// The rows of a table that is looked up. A later row of an id stands in the place of an earlier
/// one.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct LookupRows {
    table: TicketTable,
    ids: IdDictionary,
    names: IdDictionary,
    categories: IdDictionary,
    /// By the code of the id.
    rows: Vec<LookupRow>,
    /// Rows without an id.
    without_id: u64,
    /// Rows that say something else than an earlier one of the same id.
    contradicting: u64,
}

impl LookupRows {
    /// No rows yet.
    pub(in crate::ingest) fn new(table: TicketTable) -> Self {
        let (what, name) = match table {
            TicketTable::Customers => ("customer", "person"),
            TicketTable::Mailing => ("customer", "may_mail"),
            _ => ("product", "name"),
        };
        Self {
            table,
            ids: IdDictionary::new(what),
            names: IdDictionary::new(name),
            categories: IdDictionary::new("category"),
            rows: vec![],
            without_id: 0,
            contradicting: 0,
        }
    }

    /// Takes a row.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(in crate::ingest) fn add(&mut self, line: &DecodedLine<'_>) -> Result<()> {
        let id = match self.table {
            TicketTable::Customers | TicketTable::Mailing => line.customer,
            _ => line.product,
        };
        if id.key_of_id().is_err() {
            self.without_id += 1;
            return Ok(());
        }
        let code = self.ids.code_of(id)? as usize;
        let row = LookupRow {
            name: code_of_value(&mut self.names, line.facts.name)?,
            category: code_of_value(&mut self.categories, line.facts.category)?,
            price: match line.facts.price {
                Quantity::Number(price) if price.is_finite() => price,
                _ => f64::NAN,
            },
        };
        match self.rows.get_mut(code) {
            Some(known) => {
                let contradicts = known.name != row.name;
                self.contradicting += u64::from(contradicts);
                *known = row;
                if contradicts && self.table == TicketTable::Mailing {
                    // Who said yes and no is not mailed, whatever follows.
                    known.name = NO_VALUE;
                }
            }
            None => self.rows.push(row),
        }
        Ok(())
    }

    /// The rows by the final codes of their ids: codes that mean the same id are one.
    fn settle(self) -> (Ids, Vec<LookupRow>, FinalIds, FinalIds) {
        let FinalIdsAndRows { ids, rows } = settled(self.ids.settle(), self.rows);
        (ids, rows, self.names.settle(), self.categories.settle())
    }
}

struct FinalIdsAndRows {
    ids: Ids,
    rows: Vec<LookupRow>,
}

/// Of two ways in which an id is written, the later row counts for both.
fn settled(ids: FinalIds, mut rows: Vec<LookupRow>) -> FinalIdsAndRows {
    for code in 0..rows.len() {
        let one = ids.one(u32::try_from(code).unwrap_or(NO_VALUE)) as usize;
        if let Some(row) = rows.get(code.max(one)).copied()
            && one != code
        {
            for same in [code, one] {
                if let Some(place) = rows.get_mut(same) {
                    *place = row;
                }
            }
        }
    }
    FinalIdsAndRows { ids: ids.ids, rows }
}

fn code_of_value(values: &mut IdDictionary, value: RawId<'_>) -> Result<u32> {
    let value = match value {
        RawId::Boolean(true) => RawId::Text("true"),
        RawId::Boolean(false) => RawId::Text("false"),
        value => value,
    };
    match value.key() {
        Ok(_) => values.code_of(value),
        Err(_) => Ok(NO_VALUE),
    }
}

/// What products are called, and what else a table says of them.
#[derive(Debug)]
pub struct ProductTable {
    index: IdIndex,
    rows: Vec<LookupRow>,
    names: Vec<Arc<str>>,
    categories: Vec<Arc<str>>,
    /// Whether the table has a column of categories, and of prices.
    has_categories: bool,
    has_prices: bool,
    warnings: Vec<String>,
}

impl ProductTable {
    /// The table of some rows. `has_categories` and `has_prices` say which columns are mapped.
    pub(in crate::ingest) fn new(rows: LookupRows, has_categories: bool, has_prices: bool) -> Self {
        let warnings = warnings_of(&rows, "product", "name");
        let (ids, rows, names, categories) = rows.settle();
        Self {
            index: IdIndex::new(ids),
            rows,
            names: texts(&names.ids),
            categories: texts(&categories.ids),
            has_categories,
            has_prices,
            warnings,
        }
    }

    /// What products are called, by their codes.
    #[must_use]
    pub fn names_of(&self, products: &Ids) -> Vec<Option<Arc<str>>> {
        self.each(products, |row| self.names.get(row.name as usize).cloned())
    }

    /// What one product is called.
    #[must_use]
    pub fn name_of(&self, product: Id<'_>) -> Option<&str> {
        let row = self.row(product)?;
        self.names.get(row.name as usize).map(|name| &**name)
    }

    /// The categories of products by their codes, if the table has them.
    #[must_use]
    pub fn categories_of(&self, products: &Ids) -> Option<Vec<Option<Arc<str>>>> {
        self.has_categories.then(|| {
            self.each(products, |row| {
                self.categories.get(row.category as usize).cloned()
            })
        })
    }

    /// The prices of products by their codes, if the table has them.
    #[must_use]
    pub fn prices_of(&self, products: &Ids) -> Option<Vec<Option<f64>>> {
        self.has_prices.then(|| {
            self.each(products, |row| {
                Some(row.price).filter(|price| !price.is_nan())
            })
        })
    }

    fn each<T>(&self, products: &Ids, value: impl Fn(&LookupRow) -> Option<T>) -> Vec<Option<T>> {
        let codes = 0..u32::try_from(products.len()).unwrap_or(NO_VALUE);
        codes
            .map(|code| self.row(products.get(code)?).and_then(&value))
            .collect()
    }

    fn row(&self, product: Id<'_>) -> Option<&LookupRow> {
        let at = self.index.find(raw(product)).ok().flatten()?;
        self.rows.get(at as usize)
    }

    /// What a user should know of the table beside the tickets' products.
    #[must_use]
    pub fn warnings(&self, products: &Ids) -> Vec<String> {
        let codes = 0..u32::try_from(products.len()).unwrap_or(NO_VALUE);
        let mut unknown = codes
            .filter_map(|code| products.get(code))
            .filter(|product| self.row(*product).is_none());
        let mut warnings = self.warnings.clone();
        if let Some(first) = unknown.next() {
            let count = unknown.count() + 1;
            let kind = match self.index.example() {
                Some(example) if count == products.len() => {
                    format!(
                        "; the table's ids are {}, such as {example}: map another column with --products-id",
                        self.index.kind()
                    )
                }
                _ => String::new(),
            };
            warnings.push(format!(
                "{count} of {} products of the tickets are not in the table of products, for example {first}: they have no name{kind}",
                products.len()
            ));
        }
        warnings
    }
}

fn raw(id: Id<'_>) -> RawId<'_> {
    match id {
        Id::Integer(id) => RawId::Integer(id),
        Id::Text(id) => RawId::Text(id),
    }
}

fn texts(ids: &Ids) -> Vec<Arc<str>> {
    let codes = 0..u32::try_from(ids.len()).unwrap_or(NO_VALUE);
    codes.map(|code| ids.text(code).into()).collect()
}

fn warnings_of(rows: &LookupRows, what: &str, name: &str) -> Vec<String> {
    let mut warnings = vec![];
    if rows.without_id > 0 {
        warnings.push(format!(
            "{} rows of the table of {what}s have no {what} id and are left out",
            rows.without_id
        ));
    }
    if rows.contradicting > 0 {
        warnings.push(format!(
            "{} rows of the table of {what}s give a {what} another {name} than an earlier row: {}",
            rows.contradicting,
            match rows.table {
                TicketTable::Mailing => "these customers are not mailed",
                _ => "the last one counts",
            }
        ));
    }
    warnings
}

/// Who may be mailed, and which segment customers are in.
#[derive(Debug)]
pub struct MailingTable {
    index: IdIndex,
    /// By position in the index; `None` where there is no such column.
    may_mail: Option<Vec<bool>>,
    segments: Option<Vec<Option<Arc<str>>>>,
    /// What a user should know of the table.
    pub warnings: Vec<String>,
}

/// The words for yes and for no; case does not matter.
const YES: [&str; 6] = ["true", "t", "yes", "y", "1", "1.0"];
/// See [`YES`].
const NO: [&str; 6] = ["false", "f", "no", "n", "0", "0.0"];

impl MailingTable {
    /// The table of some rows. The flags say which columns are mapped.
    ///
    /// # Errors
    /// If whether a customer may be mailed is neither yes nor no.
    pub(in crate::ingest) fn new(
        rows: LookupRows,
        has_may_mail: bool,
        has_segments: bool,
    ) -> Result<Self> {
        let warnings = warnings_of(&rows, "customer", "may_mail");
        let (ids, rows, answers, segments) = rows.settle();
        let answer = |row: &LookupRow| match row.name {
            // Who did not say yes is not mailed.
            NO_VALUE => Ok(false),
            code => yes_or_no(&answers.ids.text(answers.one(code))),
        };
        let may_mail = has_may_mail.then(|| rows.iter().map(answer).collect::<Result<_>>());
        let names = texts(&segments.ids);
        let segment = |row: &LookupRow| match row.category {
            NO_VALUE => None,
            code => names.get(segments.one(code) as usize).cloned(),
        };
        Ok(Self {
            may_mail: may_mail.transpose()?,
            segments: has_segments.then(|| rows.iter().map(segment).collect()),
            index: IdIndex::new(ids),
            warnings,
        })
    }

    /// A warning if few of the customers in the tickets are in the table. Who is not in it is not
    /// mailed.
    pub fn warning_of_unknown(&self, customers: &Ids) -> Option<String> {
        let all = u32::try_from(customers.len()).unwrap_or(u32::MAX);
        let ids = (0..all).filter_map(|code| customers.get(code));
        let known = ids.filter(|id| self.position(*id).is_some()).count();
        let what = match self.may_mail {
            Some(_) => "the others are not mailed",
            None => "the others have no segment",
        };
        (2 * known < customers.len()).then(|| {
            format!(
                "{known} of {all} customers in the tickets are in the table of customers: {what}. Its ids must be those of the tickets, and of persons where cards are joined"
            )
        })
    }

    fn position(&self, customer: Id<'_>) -> Option<usize> {
        self.index
            .find(raw(customer))
            .ok()
            .flatten()
            .map(|at| at as usize)
    }

    /// Those of some customers who may be mailed, in their order, if the table says so of anyone.
    /// Who is not in it may not.
    pub fn may_mail(&self, customers: &mut dyn Iterator<Item = Id<'_>>) -> Option<Vec<OwnedId>> {
        let may_mail = self.may_mail.as_ref()?;
        let allowed = customers.filter(|customer| {
            let at = self.position(*customer);
            at.and_then(|at| may_mail.get(at)) == Some(&true)
        });
        Some(allowed.map(Id::owned).collect())
    }

    /// The segments of some customers, in their order, if the table has segments.
    pub fn segments(
        &self,
        customers: &mut dyn Iterator<Item = Id<'_>>,
    ) -> Option<Vec<(OwnedId, Arc<str>)>> {
        let segments = self.segments.as_ref()?;
        let known = customers.filter_map(|customer| {
            let segment = segments.get(self.position(customer)?)?.as_ref()?;
            Some((customer.owned(), Arc::clone(segment)))
        });
        Some(known.collect())
    }
}

fn yes_or_no(answer: &str) -> Result<bool> {
    let is = |words: [&str; 6]| words.iter().any(|word| word.eq_ignore_ascii_case(answer));
    match (is(YES), is(NO)) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(crate::error::Error::input(format!(
            "the table of customers says \"{answer}\" where it should say whether a customer may be mailed"
        ))
        .hint("write true or false, yes or no, 1 or 0; nothing means no")),
    }
}

/// Which person each customer is.
#[derive(Debug)]
pub(in crate::ingest) struct PersonTable {
    index: IdIndex,
    rows: Vec<LookupRow>,
    persons: FinalIds,
    /// Customers of lines that were found, and that were not.
    found: AtomicU64,
    missing: AtomicU64,
    /// The smallest that was not.
    first_missing: Mutex<Option<String>>,
    warnings: Vec<String>,
}

impl PersonTable {
    pub(in crate::ingest) fn new(rows: LookupRows) -> Self {
        let warnings = warnings_of(&rows, "customer", "person");
        let (ids, rows, persons, _) = rows.settle();
        Self {
            index: IdIndex::new(ids),
            rows,
            persons,
            found: AtomicU64::new(0),
            missing: AtomicU64::new(0),
            first_missing: Mutex::new(None),
            warnings,
        }
    }

    /// The person that a customer is; none if the table does not say.
    pub(in crate::ingest) fn person(&self, customer: RawId<'_>) -> RawId<'_> {
        let at = self.index.find(customer).ok().flatten();
        let row = at.and_then(|at| self.rows.get(at as usize));
        let person = row.and_then(|row| self.persons.ids.get(self.persons.one(row.name)));
        match person {
            Some(Id::Integer(id)) => {
                self.found.fetch_add(1, Ordering::Relaxed);
                RawId::Integer(id)
            }
            Some(Id::Text(id)) => {
                self.found.fetch_add(1, Ordering::Relaxed);
                RawId::Text(id)
            }
            None => {
                self.missing.fetch_add(1, Ordering::Relaxed);
                self.remember(&customer.rejected().to_string());
                RawId::Null
            }
        }
    }

    fn remember(&self, customer: &str) {
        let mut first = self
            .first_missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if first.as_deref().is_none_or(|known| customer < known) {
            *first = Some(customer.to_owned());
        }
    }

    /// What a user should know, or what is wrong, of the customers that were looked up.
    ///
    /// # Errors
    /// If most of them were not found.
    pub(in crate::ingest) fn judge(&self) -> Result<Vec<String>> {
        let (found, missing) = (
            self.found.load(Ordering::Relaxed),
            self.missing.load(Ordering::Relaxed),
        );
        let mut warnings = self.warnings.clone();
        if missing == 0 {
            return Ok(warnings);
        }
        let first = self
            .first_missing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .unwrap_or_default();
        let what = format!(
            "{missing} of {} lines with a customer name one that the table of customers does not have, for example {first}",
            found + missing
        );
        if missing > found {
            let kind = match self.index.example() {
                Some(example) => format!("{}, such as {example}", self.index.kind()),
                None => self.index.kind().to_owned(),
            };
            return Err(crate::error::Error::input(format!("{what}; its ids are {kind}"))
                .hint("name the column of the table that has the lines' customers with --customers-id; ids are compared as they are written, so 007 is not 7"));
        }
        warnings.push(format!("{what}: they count as sales without a customer"));
        Ok(warnings)
    }
}
