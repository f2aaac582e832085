//! What was bought in the last weeks up to a night.

use crate::calendar::RECENT_DAYS;
use crate::purchases::History;

/// A product in more than this share of the purchases stands in nearly all of them.
const NEARLY_ALL: f64 = 0.8;

/// Fewer purchases do not tell what stands in nearly all of them.
const FEWEST_PURCHASES: u64 = 100;

/// How many purchases there are of the last [`RECENT_DAYS`] days, and of each product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentPurchases {
    /// How many there are.
    pub count: u64,
    /// How many of them have each product, by code.
    by_product: Vec<u32>,
}

impl RecentPurchases {
    /// No purchase of so many products.
    #[must_use]
    pub fn none(product_count: usize) -> Self {
        Self {
            count: 0,
            by_product: vec![0; product_count],
        }
    }

    /// Adds the customers of one more partition, up to its night.
    pub fn add(&mut self, history: &History<'_>) {
        let night = history.as_of().day();
        for customer in 0..history.customer_count() {
            let purchases = history.purchases_of(customer);
            let recent = purchases
                .iter()
                .rev()
                .take_while(|(day, _)| night - *day < RECENT_DAYS);
            for (_, basket) in recent {
                self.count += 1;
                for product in basket {
                    if let Some(purchases) = self.by_product.get_mut(*product as usize) {
                        *purchases += 1;
                    }
                }
            }
        }
    }

    /// Which products were bought, by code.
    #[must_use]
    pub fn bought(&self) -> Vec<bool> {
        self.by_product.iter().map(|count| *count > 0).collect()
    }

    /// Products that stand in nearly all purchases, by code, with their share of them: most likely
    /// they are totals, bags or deposits.
    #[must_use]
    pub fn in_nearly_all(&self) -> Vec<(u32, f64)> {
        if self.count < FEWEST_PURCHASES {
            return vec![];
        }
        let all = self.count as f64;
        (0_u32..)
            .zip(&self.by_product)
            .map(|(code, purchases)| (code, f64::from(*purchases) / all))
            .filter(|(_, share)| *share > NEARLY_ALL)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Ids;
    use crate::models::examples::{NIGHT, read, store};
    use crate::purchases::{Line, Purchases};

    /// So many customers who buy two products of four on the night, and those of `all` a fifth.
    fn lately(customers: u32, all: u32) -> RecentPurchases {
        let ids = |count: u32| Ids::Integer((1..=i64::from(count)).collect());
        let lines = (0..customers).flat_map(|customer| {
            let mut products = vec![customer % 4, (customer + 1) % 4];
            products.extend((customer < all).then_some(4));
            products.into_iter().map(move |product| Line {
                customer,
                day: NIGHT.day(),
                product,
            })
        });
        let purchases = Purchases::from_lines(ids(customers), ids(5), lines.collect()).unwrap();
        let mut lately = RecentPurchases::none(5);
        lately.add(&purchases.until(NIGHT));
        lately
    }

    #[test]
    fn what_stands_in_nearly_all_purchases_is_found() {
        assert_eq!(lately(400, 360).in_nearly_all(), [(4, 0.9)]);
        assert_eq!(lately(400, 320).in_nearly_all(), [], "bread");
        assert_eq!(lately(99, 99).in_nearly_all(), [], "too few purchases");
        assert_eq!(lately(400, 0).bought(), [true, true, true, true, false]);
    }

    #[test]
    fn what_was_bought_lately_is_what_the_history_says() {
        let purchases = read(store(80, 250, 1));
        let mut lately = RecentPurchases::none(purchases.products().len());
        lately.add(&purchases.until(NIGHT));
        assert_eq!(lately.in_nearly_all(), []);
        let within = purchases.until(NIGHT).products_bought_within(RECENT_DAYS);
        assert_eq!(lately.bought(), within);
    }
}
