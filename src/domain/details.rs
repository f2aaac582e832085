//! What is known of products and customers beside their purchases: for people who read results.

use std::sync::Arc;

use super::{Id, OwnedId};

/// Names, categories, prices and stores, as they were known on a night. What nobody mapped is
/// `None`. A value that is not known of one product or customer is `None` in its list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    /// What products are called, by product code.
    pub product_names: Option<Vec<Option<Arc<str>>>>,
    /// The products' categories, by product code.
    pub categories: Option<Vec<Option<Arc<str>>>>,
    /// The products' latest unit prices, by product code.
    pub last_prices: Option<Vec<Option<f64>>>,
    /// Whose products they are, by product code.
    pub brands: Option<Vec<Option<Arc<str>>>>,
    /// What is left of a price without a discount, as a share of it, by product code.
    pub margins: Option<Vec<Option<f64>>>,
    /// The discounts of offers, as shares of the price, by product code.
    pub discounts: Option<Vec<Option<f64>>>,
    /// Whether products may be offered, by product code; `None` of one that may, as far as is known.
    pub offerable: Option<Vec<Option<bool>>>,
    /// The usual stores of customers, by ascending id of the customer.
    pub stores: Option<Vec<(OwnedId, Arc<str>)>>,
    /// The segments of customers, by ascending id of the customer.
    pub segments: Option<Vec<(OwnedId, Arc<str>)>>,
    /// The customers who may be mailed, by ascending id; `None` if all may.
    pub may_mail: Option<Vec<OwnedId>>,
}

impl Details {
    /// What a product is called, if it is known.
    #[must_use]
    pub fn product_name(&self, product: u32) -> Option<&Arc<str>> {
        of_code(&self.product_names, product)
    }

    /// The category of a product, if it is known.
    #[must_use]
    pub fn category(&self, product: u32) -> Option<&Arc<str>> {
        of_code(&self.categories, product)
    }

    /// The latest unit price of a product, if it is known.
    #[must_use]
    pub fn last_price(&self, product: u32) -> Option<f64> {
        of_code(&self.last_prices, product).copied()
    }

    /// Whose product it is, if that is known.
    #[must_use]
    pub fn brand(&self, product: u32) -> Option<&Arc<str>> {
        of_code(&self.brands, product)
    }

    /// What is left of a product's price without a discount, if that is known.
    #[must_use]
    pub fn margin(&self, product: u32) -> Option<f64> {
        of_code(&self.margins, product).copied()
    }

    /// The discount of offers of a product, if it has one of its own.
    #[must_use]
    pub fn discount(&self, product: u32) -> Option<f64> {
        of_code(&self.discounts, product).copied()
    }

    /// Whether a product may be offered: nobody says that it may not.
    #[must_use]
    pub fn is_offerable(&self, product: u32) -> bool {
        of_code(&self.offerable, product).is_none_or(|offerable| *offerable)
    }

    /// The store in which a customer mostly buys, if it is known.
    #[must_use]
    pub fn store(&self, customer: Id<'_>) -> Option<&Arc<str>> {
        of_customer(&self.stores, customer)
    }

    /// The segment of a customer, if it is known.
    #[must_use]
    pub fn segment(&self, customer: Id<'_>) -> Option<&Arc<str>> {
        of_customer(&self.segments, customer)
    }
}

fn of_customer<'a>(
    values: &'a Option<Vec<(OwnedId, Arc<str>)>>,
    customer: Id<'_>,
) -> Option<&'a Arc<str>> {
    let values = values.as_ref()?;
    let at = values.binary_search_by(|(known, _)| known.as_id().cmp(&customer));
    at.ok()
        .and_then(|at| values.get(at))
        .map(|(_, value)| value)
}

fn of_code<T>(values: &Option<Vec<Option<T>>>, code: u32) -> Option<&T> {
    values.as_ref()?.get(code as usize)?.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_found_by_the_customers_id() {
        let of = |ids: [OwnedId; 2]| Details {
            stores: Some(
                ids.into_iter()
                    .zip(["north".into(), "south".into()])
                    .collect(),
            ),
            ..Details::default()
        };
        let integers = of([OwnedId::Integer(-3), OwnedId::Integer(12)]);
        assert_eq!(
            integers.store(Id::Integer(12)).map(|store| &**store),
            Some("south")
        );
        assert_eq!(integers.store(Id::Integer(7)), None);
        let texts = of([OwnedId::Text("12".into()), OwnedId::Text("7".into())]);
        assert_eq!(
            texts.store(Id::Text("12")).map(|store| &**store),
            Some("north")
        );
        assert_eq!(Details::default().store(Id::Text("7")), None);
    }

    #[test]
    fn what_is_not_mapped_or_not_known_is_none() {
        let details = Details {
            product_names: Some(vec![None, Some("oats".into())]),
            last_prices: Some(vec![Some(1.25)]),
            ..Details::default()
        };
        assert_eq!(details.product_name(0), None);
        assert_eq!(details.product_name(1).map(|name| &**name), Some("oats"));
        assert_eq!(details.product_name(2), None);
        assert_eq!(
            (details.last_price(0), details.last_price(1)),
            (Some(1.25), None)
        );
        assert_eq!(details.category(1), None);
    }
}
