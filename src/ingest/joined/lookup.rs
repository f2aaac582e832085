//! Tables that are looked up by an id: what products are called, and which person a customer is.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use super::index::IdIndex;
use crate::domain::{Id, Ids, OwnedId};
use crate::error::Result;
use crate::ingest::columns::{ColumnNames, TicketTable};
use crate::ingest::decoded_line::{DecodedLine, Quantity};
use crate::ingest::dictionary::{FinalIds, IdDictionary};
use crate::ingest::ids::{IdFault, RawId};

/// The code of no value.
pub(super) const NO_VALUE: u32 = u32::MAX;

/// What a row says of its id, as codes of values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LookupRow {
    pub(super) name: u32,
    pub(super) category: u32,
    /// NaN where it is not known.
    pub(super) price: f64,
}

/// What a row of a table of products or customers says besides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BesideRow {
    /// The code of the brand, or of the store in a table of customers.
    pub(super) group: u32,
    /// NaN where it is not known, as the discount.
    pub(super) margin: f64,
    pub(super) discount: f64,
    pub(super) offerable: Option<bool>,
}

/// The rows of a table that is looked up. A later row of an id stands in the place of an earlier
/// one.
#[derive(Debug, Clone)]
pub(in crate::ingest) struct LookupRows {
    table: TicketTable,
    ids: IdDictionary,
    names: IdDictionary,
    categories: IdDictionary,
    /// Brands of products, or stores of customers.
    groups: IdDictionary,
    /// By the code of the id.
    rows: Vec<LookupRow>,
    /// As `rows`; empty where the table has no such columns.
    beside: Vec<BesideRow>,
    /// The first value that is not what it should be.
    fault: Option<String>,
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
            TicketTable::Merged => ("customer", "merged_into"),
            TicketTable::Mailing => ("customer", "may_mail"),
            _ => ("product", "name"),
        };
        Self {
            table,
            ids: IdDictionary::new(what),
            names: IdDictionary::new(name),
            categories: IdDictionary::new("category"),
            groups: IdDictionary::new("group"),
            rows: vec![],
            beside: vec![],
            fault: None,
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
            TicketTable::Customers | TicketTable::Mailing | TicketTable::Merged => line.customer,
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
        self.add_beside(code, id, line)?;
        self.note_unreadable_card(id, line.facts.name);
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

    /// Takes what a row says besides, if the table has such columns.
    fn add_beside(&mut self, code: usize, id: RawId<'_>, line: &DecodedLine<'_>) -> Result<()> {
        let row = match (self.table, line.facts.of_product) {
            (TicketTable::Products, Some(facts)) => BesideRow {
                group: code_of_value(&mut self.groups, facts.brand)?,
                margin: self.share("margin", id, facts.margin),
                discount: self.share("discount", id, facts.discount),
                offerable: self.answer(id, facts.offerable),
            },
            (TicketTable::Mailing, _) => BesideRow {
                group: code_of_value(&mut self.groups, line.facts.store)?,
                margin: f64::NAN,
                discount: f64::NAN,
                offerable: None,
            },
            _ => return Ok(()),
        };
        match self.beside.get_mut(code) {
            Some(known) => *known = row,
            None => self.beside.push(row),
        }
        Ok(())
    }

    /// Notes a card that others cannot go on as: taken for none, a dead card would be mailed.
    fn note_unreadable_card(&mut self, id: RawId<'_>, target: RawId<'_>) {
        let is_read = matches!(target.key_of_id(), Ok(_) | Err(IdFault::Null));
        if self.table == TicketTable::Merged && !is_read {
            self.fault.get_or_insert_with(|| {
                format!(
                    "the card that {} was merged into is {}, which is no id",
                    id.rejected(),
                    target.rejected()
                )
            });
        }
    }

    /// A share of a price; NaN where there is none. Another number is noted as a fault.
    fn share(&mut self, what: &str, id: RawId<'_>, share: Quantity) -> f64 {
        let fault = match share {
            Quantity::Number(share) if (0.0..=1.0).contains(&share) => return share,
            Quantity::Number(other) if !other.is_nan() => format!("is {other}"),
            Quantity::NotANumber => "is no number".to_owned(),
            _ => return f64::NAN,
        };
        self.fault
            .get_or_insert_with(|| format!("the {what} of product {} {fault}", id.rejected()));
        f64::NAN
    }

    /// Yes or no; another word is noted as a fault.
    fn answer(&mut self, id: RawId<'_>, answer: RawId<'_>) -> Option<bool> {
        if let RawId::Boolean(answer) = answer {
            return Some(answer);
        }
        let text = match answer {
            RawId::Untyped(text) | RawId::Text(text) if answer.key().is_ok() => text.to_owned(),
            RawId::Integer(number) => number.to_string(),
            // 1.0, as a column with nulls writes it.
            RawId::Float(number) if !number.is_nan() => format!("{number:.1}"),
            RawId::Float32(number) if !number.is_nan() => format!("{number:.1}"),
            _ => return None,
        };
        let is_yes = answer_of(text.trim());
        if is_yes.is_none() {
            self.fault.get_or_insert_with(|| {
                format!(
                    "whether product {} may be offered is \"{text}\"",
                    id.rejected()
                )
            });
        }
        is_yes
    }

    /// The rows by the final codes of their ids: codes that mean the same id are one.
    pub(super) fn settle(self) -> SettledRows {
        let (ids, mut rows, mut beside) = (self.ids.settle(), self.rows, self.beside);
        settle_rows(&ids, &mut rows);
        settle_rows(&ids, &mut beside);
        SettledRows {
            ids: ids.ids,
            rows,
            beside,
            names: self.names.settle(),
            categories: self.categories.settle(),
            groups: self.groups.settle(),
        }
    }

    /// The first value that is not what it should be.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

/// Rows by the final codes of their ids.
pub(super) struct SettledRows {
    pub(super) ids: Ids,
    pub(super) rows: Vec<LookupRow>,
    pub(super) beside: Vec<BesideRow>,
    pub(super) names: FinalIds,
    pub(super) categories: FinalIds,
    pub(super) groups: FinalIds,
}

/// Of two ways in which an id is written, the later row counts for both.
fn settle_rows<T: Copy>(ids: &FinalIds, rows: &mut [T]) {
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

pub(super) fn raw(id: Id<'_>) -> RawId<'_> {
    match id {
        Id::Integer(id) => RawId::Integer(id),
        Id::Text(id) => RawId::Text(id),
    }
}

pub(super) fn texts(ids: &Ids) -> Vec<Arc<str>> {
    let codes = 0..u32::try_from(ids.len()).unwrap_or(NO_VALUE);
    codes.map(|code| ids.text(code).into()).collect()
}

/// The texts of some codes.
fn texts_of(codes: impl Iterator<Item = u32>, values: &FinalIds) -> Vec<Option<Arc<str>>> {
    let texts = texts(&values.ids);
    codes.map(|code| values.text(code, &texts)).collect()
}

pub(super) fn warnings_of(rows: &LookupRows, what: &str, name: &str) -> Vec<String> {
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
    stores: Option<Vec<Option<Arc<str>>>>,
    /// What a user should know of the table.
    pub warnings: Vec<String>,
}

/// The words for yes and for no; case does not matter.
const YES: [&str; 6] = ["true", "t", "yes", "y", "1", "1.0"];
/// See [`YES`].
const NO: [&str; 6] = ["false", "f", "no", "n", "0", "0.0"];

impl MailingTable {
    /// The table of some rows; `columns` says which are mapped.
    ///
    /// # Errors
    /// If whether a customer may be mailed is neither yes nor no.
    pub(in crate::ingest) fn new(rows: LookupRows, columns: &ColumnNames) -> Result<Self> {
        let warnings = warnings_of(&rows, "customer", "may_mail");
        let SettledRows {
            ids,
            rows,
            beside,
            names: answers,
            categories: segments,
            groups: stores,
        } = rows.settle();
        let answer = |row: &LookupRow| match row.name {
            // Who did not say yes is not mailed.
            NO_VALUE => Ok(false),
            code => yes_or_no(&answers.ids.text(answers.one(code))),
        };
        let may_mail = columns.name.as_ref();
        let may_mail = may_mail.map(|_| rows.iter().map(answer).collect::<Result<_>>());
        Ok(Self {
            may_mail: may_mail.transpose()?,
            segments: columns
                .category
                .as_ref()
                .map(|_| texts_of(rows.iter().map(|row| row.category), &segments)),
            stores: columns
                .store
                .as_ref()
                .map(|_| texts_of(beside.iter().map(|row| row.group), &stores)),
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
        Some(self.values_of(customers, self.segments.as_ref()?))
    }

    /// The stores of some customers, in their order, if the table has stores.
    pub fn stores(
        &self,
        customers: &mut dyn Iterator<Item = Id<'_>>,
    ) -> Option<Vec<(OwnedId, Arc<str>)>> {
        Some(self.values_of(customers, self.stores.as_ref()?))
    }

    fn values_of(
        &self,
        customers: &mut dyn Iterator<Item = Id<'_>>,
        values: &[Option<Arc<str>>],
    ) -> Vec<(OwnedId, Arc<str>)> {
        let known = customers.filter_map(|customer| {
            let value = values.get(self.position(customer)?)?.as_ref()?;
            Some((customer.owned(), Arc::clone(value)))
        });
        known.collect()
    }
}

/// Yes or no in words; `None` if it is neither.
fn answer_of(answer: &str) -> Option<bool> {
    let is = |words: [&str; 6]| words.iter().any(|word| word.eq_ignore_ascii_case(answer));
    match (is(YES), is(NO)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

fn yes_or_no(answer: &str) -> Result<bool> {
    answer_of(answer).ok_or_else(|| {
        crate::error::Error::input(format!(
            "the table of customers says \"{answer}\" where it should say whether a customer may be mailed"
        ))
        .hint("write true or false, yes or no, 1 or 0; nothing means no")
    })
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
        let SettledRows {
            ids,
            rows,
            names: persons,
            ..
        } = rows.settle();
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
