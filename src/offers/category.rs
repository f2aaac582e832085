//! Categories and brands: those that are never discounted, and how many offers of one a customer
//! gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::OfferParameters;
use crate::domain::Details;
use crate::error::{Error, Result};

/// Products in groups that have names: categories, or brands.
#[derive(Debug, Clone, Default)]
pub(super) struct ProductGroups {
    /// The number of the group of each product, by product code.
    of: Vec<Option<u32>>,
    /// By name, as names are compared.
    numbers: BTreeMap<String, u32>,
}

impl ProductGroups {
    pub(super) fn new(names: &[Option<Arc<str>>]) -> Self {
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        let mut of = vec![];
        for name in names {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            of.push(
                name.as_ref()
                    .map(|name| *numbers.entry(folded(name)).or_insert(next)),
            );
        }
        Self { of, numbers }
    }

    /// The number of a product's group, if it is known.
    pub(super) fn of(&self, product: u32) -> Option<u32> {
        self.of.get(product as usize).copied().flatten()
    }

    /// The number of the group of this name, if any product is of it.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(&folded(name)).copied()
    }
}

/// What a night's products are, as far as offers care.
#[derive(Debug, Clone, Default)]
pub(super) struct OfferCategories {
    groups: ProductGroups,
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
        let groups = ProductGroups::new(categories);
        let excluded = names.iter().filter_map(|name| groups.number(name));
        let mut excluded: Vec<u32> = excluded.collect();
        excluded.sort_unstable();
        Ok(Self {
            groups,
            excluded,
            excludes_unknown: !names.is_empty(),
        })
    }

    /// The number of a product's category, if it is known.
    pub(super) fn of(&self, product: u32) -> Option<u32> {
        self.groups.of(product)
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

/// The brands of the night's products, if the parameters speak of brands.
///
/// # Errors
/// If they do, and none are known.
pub(super) fn brands(details: &Details, parameters: &OfferParameters) -> Result<ProductGroups> {
    match (&details.brands, parameters.max_per_brand) {
        (Some(brands), Some(_)) => Ok(ProductGroups::new(brands)),
        (None, Some(_)) => Err(Error::request(
            "[offers] max_per_brand is given, but no column says what a product's brand is",
        )
        .hint("name it with --products-brand COLUMN in a table of products, or leave max_per_brand out")),
        (_, None) => Ok(ProductGroups::default()),
    }
}

/// The products that may not be offered, by ascending code.
pub(super) fn not_offerable(details: &Details) -> Vec<u32> {
    let offerable = details.offerable.iter().flatten();
    let codes = (0_u32..).zip(offerable);
    codes
        .filter(|(_, offerable)| **offerable == Some(false))
        .map(|(code, _)| code)
        .collect()
}

/// A category as it is compared: case does not matter.
fn folded(name: &str) -> String {
    name.to_lowercase()
}

fn not_mapped() -> Error {
    Error::request("[offers] has rules for categories, but no column says what a product's category is")
        .hint("name it with --category COLUMN if it stands on the tickets' lines, or with --products-category COLUMN in a table of products; or leave out exclude_categories, max_per_category and category_discounts")
}

/// The categories that the parameters name and no product has: most likely misspelt.
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
    let discounted = parameters.category_discounts.iter();
    let discounted = discounted.filter_map(|text| Some(text.rsplit_once('=')?.0.trim()));
    let names = parameters.exclude_categories.iter().map(String::as_str);
    names
        .chain(discounted)
        .filter(|name| known.binary_search(&folded(name)).is_err())
        .collect()
}

/// The discounts of categories as discounts of their products, by product code.
///
/// # Errors
/// If there are any, and no categories are known.
pub(super) fn discounts_by_category(
    details: &Details,
    discounts: &[(String, f64)],
) -> Result<Vec<Option<f64>>> {
    if discounts.is_empty() {
        return Ok(vec![]);
    }
    let Some(categories) = &details.categories else {
        return Err(not_mapped());
    };
    let groups = ProductGroups::new(categories);
    let by_number: BTreeMap<u32, f64> = discounts
        .iter()
        .filter_map(|(name, discount)| Some((groups.number(name)?, *discount)))
        .collect();
    let codes = 0..u32::try_from(categories.len()).unwrap_or(u32::MAX);
    let discounts = codes.map(|code| by_number.get(&groups.of(code)?).copied());
    Ok(discounts.collect())
}
