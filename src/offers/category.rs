//! Categories: those that are never discounted, and how many offers of one a customer gets.

use std::collections::BTreeMap;

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
    /// Whether a product of no known category is never discounted either: it may be of one of those.
    excludes_unknown: bool,
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
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut of = vec![];
        for category in categories {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            of.push(
                category
                    .as_ref()
                    .map(|name| *numbers.entry(folded(name)).or_insert(next)),
            );
        }
        let mut excluded: Vec<u32> = names
            .iter()
            .filter_map(|name| numbers.get(&folded(name)).copied())
            .collect();
        excluded.sort_unstable();
        Ok(Self {
            of,
            excluded,
            excludes_unknown: !names.is_empty(),
        })
    }

    /// The number of a product's category, if it is known.
    pub(super) fn of(&self, product: u32) -> Option<u32> {
        self.of.get(product as usize).copied().flatten()
    }

    /// Why the product is never discounted, if it is not.
    pub(super) fn excludes(&self, product: u32) -> Option<&'static str> {
        match self.of(product) {
            Some(category) if self.excluded.binary_search(&category).is_ok() => {
                Some("its category is on the exclusion list")
            }
            None if self.excludes_unknown => {
                Some("its category is not known, and may be on the exclusion list")
            }
            _ => None,
        }
    }
}

/// A category as it is compared: case does not matter.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn not_mapped() -> Error {
    Error::request("[offers] has rules for categories, but no column says what a product's category is")
        .hint("name it with --category COLUMN if it stands on the tickets' lines, or with --products-category COLUMN in a table of products; or leave out exclude_categories and max_per_category")
}

/// The categories in `exclude_categories` that no product has: most likely misspelt.
#[must_use]
pub fn unknown_categories<'a>(details: &Details, parameters: &'a OfferParameters) -> Vec<&'a str> {
    let mut known: Vec<String> = details
        .categories
        .iter()
        .flatten()
        .flatten()
        .map(|name| folded(name))
        .collect();
    known.sort_unstable();
    let names = parameters.exclude_categories.iter().map(String::as_str);
    names
        .filter(|name| known.binary_search(&folded(name)).is_err())
        .collect()
}
