//! What products are called, and what else a table says of them.

use std::sync::Arc;

use super::index::IdIndex;
use super::lookup::{BesideRow, LookupRow, LookupRows, NO_VALUE, SettledRows};
use super::lookup::{raw, texts, warnings_of};
use crate::domain::{Id, Ids};
use crate::error::{Error, Result};
use crate::ingest::columns::ColumnNames;
use crate::ingest::dictionary::FinalIds;

/// What products are called, and what else a table says of them.
#[derive(Debug)]
pub struct ProductTable {
    index: IdIndex,
    rows: Vec<LookupRow>,
    beside: Vec<BesideRow>,
    names: Vec<Arc<str>>,
    categories: Vec<Arc<str>>,
    brands: FinalIds,
    /// Which columns the table has.
    columns: ColumnNames,
    warnings: Vec<String>,
}

impl ProductTable {
    /// The table of some rows; `columns` says which are mapped.
    ///
    /// # Errors
    /// If a margin or a discount is no share, or whether a product may be offered is neither yes
    /// nor no.
    pub(in crate::ingest) fn new(rows: LookupRows, columns: &ColumnNames) -> Result<Self> {
        if let Some(fault) = rows.fault() {
            return Err(Error::input(format!("the table of products cannot be used: {fault}")).hint(
                "margins and discounts are shares of the price, between 0 and 1: write 0.35 for 35 %. Whether a product may be offered is true or false, yes or no, 1 or 0. Leave empty what is not known",
            ));
        }
        let warnings = warnings_of(&rows, "product", "name");
        let SettledRows {
            ids,
            rows,
            beside,
            names,
            categories,
            groups,
        } = rows.settle();
        Ok(Self {
            index: IdIndex::new(ids),
            rows,
            beside,
            names: texts(&names.ids),
            categories: texts(&categories.ids),
            brands: groups,
            columns: columns.clone(),
            warnings,
        })
    }

    /// What products are called, by their codes.
    #[must_use]
    pub fn names_of(&self, products: &Ids) -> Vec<Option<Arc<str>>> {
        self.each(products, |row| self.names.get(row.name as usize).cloned())
    }

    /// What one product is called.
    #[must_use]
    pub fn name_of(&self, product: Id<'_>) -> Option<&str> {
        let row = self.rows.get(self.position(product)?)?;
        self.names.get(row.name as usize).map(|name| &**name)
    }

    /// The categories of products by their codes, if the table has them.
    #[must_use]
    pub fn categories_of(&self, products: &Ids) -> Option<Vec<Option<Arc<str>>>> {
        self.columns.category.as_ref()?;
        Some(self.each(products, |row| {
            self.categories.get(row.category as usize).cloned()
        }))
    }

    /// The prices of products by their codes, if the table has them.
    #[must_use]
    pub fn prices_of(&self, products: &Ids) -> Option<Vec<Option<f64>>> {
        self.columns.price.as_ref()?;
        Some(self.each(products, |row| known(row.price)))
    }

    /// The brands of products by their codes, if the table has them.
    #[must_use]
    pub fn brands_of(&self, products: &Ids) -> Option<Vec<Option<Arc<str>>>> {
        self.columns.brand.as_ref()?;
        let brands = texts(&self.brands.ids);
        Some(self.each_beside(products, |row| self.brands.text(row.group, &brands)))
    }

    /// The margins of products by their codes, if the table has them.
    #[must_use]
    pub fn margins_of(&self, products: &Ids) -> Option<Vec<Option<f64>>> {
        self.columns.margin.as_ref()?;
        Some(self.each_beside(products, |row| known(row.margin)))
    }

    /// The discounts of products by their codes, if the table has them.
    #[must_use]
    pub fn discounts_of(&self, products: &Ids) -> Option<Vec<Option<f64>>> {
        self.columns.discount.as_ref()?;
        Some(self.each_beside(products, |row| known(row.discount)))
    }

    /// Whether products may be offered, by their codes, if the table says so. One of which it does
    /// not is `None`.
    #[must_use]
    pub fn offerable(&self, products: &Ids) -> Option<Vec<Option<bool>>> {
        self.columns.offerable.as_ref()?;
        Some(self.each_beside(products, |row| row.offerable))
    }

    fn each<T>(&self, products: &Ids, value: impl Fn(&LookupRow) -> Option<T>) -> Vec<Option<T>> {
        self.each_position(products, |at| value(self.rows.get(at)?))
    }

    fn each_beside<T>(
        &self,
        products: &Ids,
        value: impl Fn(&BesideRow) -> Option<T>,
    ) -> Vec<Option<T>> {
        self.each_position(products, |at| value(self.beside.get(at)?))
    }

    fn each_position<T>(
        &self,
        products: &Ids,
        value: impl Fn(usize) -> Option<T>,
    ) -> Vec<Option<T>> {
        let codes = 0..u32::try_from(products.len()).unwrap_or(NO_VALUE);
        codes
            .map(|code| value(self.position(products.get(code)?)?))
            .collect()
    }

    fn position(&self, product: Id<'_>) -> Option<usize> {
        let at = self.index.find(raw(product)).ok().flatten()?;
        Some(at as usize)
    }

    /// What a user should know of the table beside the tickets' products.
    #[must_use]
    pub fn warnings(&self, products: &Ids) -> Vec<String> {
        let codes = 0..u32::try_from(products.len()).unwrap_or(NO_VALUE);
        let mut unknown = codes
            .filter_map(|code| products.get(code))
            .filter(|product| self.position(*product).is_none());
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

/// A number, unless it is not known.
fn known(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}
