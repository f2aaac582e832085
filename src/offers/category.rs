//! Categories: those that are never discounted, and how many offers of one a customer gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::OfferParameters;
use crate::domain::Details;
use crate::error::{Error, Result};

/// What a night's products are, as far as offers care.
#[derive(Debug, Clone, Default)]
pub(super) struct OfferCategories {
    /// A number for the category of each product, by product code.
    of: Vec<Option<u32>>,
    /// The numbers of those that are never discounted, ascending.
    excluded: Vec<u32>,
}

impl OfferCategories {
    /// # Errors
    /// If the parameters speak of categories, and none are known.
    pub(super) fn new(details: &Details, parameters: &OfferParameters) -> Result<Self> {
        let names = &parameters.exclude_categories;
        let are_used = !names.is_empty() || parameters.max_per_category.is_some();
        let categories = match &details.categories {
            Some(categories) if are_used => categories,
            None if are_used => return Err(not_mapped()),
            _ => return Ok(Self::default()),
        };
        let mut numbers: BTreeMap<Arc<str>, u32> = BTreeMap::new();
        for category in categories.iter().flatten() {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            numbers.entry(Arc::clone(category)).or_insert(next);
        }
        let number = |category: &Option<Arc<str>>| numbers.get(category.as_ref()?).copied();
        let of = categories.iter().map(number).collect();
        let mut excluded: Vec<u32> = names
            .iter()
            .filter_map(|name| numbers.get(name.as_str()).copied())
            .collect();
        excluded.sort_unstable();
        Ok(Self { of, excluded })
    }

    /// The number of a product's category, if it is known.
    pub(super) fn of(&self, product: u32) -> Option<u32> {
        self.of.get(product as usize).copied().flatten()
    }

    /// Whether the product's category is never discounted.
    pub(super) fn excludes(&self, product: u32) -> bool {
        let category = self.of(product);
        category.is_some_and(|category| self.excluded.binary_search(&category).is_ok())
    }
}

fn not_mapped() -> Error {
    Error::request("[offers] has rules for categories, but no column says what a product's category is")
        .hint("name it with --category COLUMN if it stands on the tickets' lines, or with --products-category COLUMN in a table of products; or leave out exclude_categories and max_per_category")
}

/// The categories in `exclude_categories` that no product has: most likely misspelt.
#[must_use]
pub fn unknown_categories<'a>(details: &Details, parameters: &'a OfferParameters) -> Vec<&'a str> {
    let mut known: Vec<&str> = details
        .categories
        .iter()
        .flatten()
        .flatten()
        .map(|name| &**name)
        .collect();
    known.sort_unstable();
    let names = parameters.exclude_categories.iter().map(String::as_str);
    names
        .filter(|name| known.binary_search(name).is_err())
        .collect()
}
