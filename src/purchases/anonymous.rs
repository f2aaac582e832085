//! What was sold to nobody in particular: it counts for what the store sells, and for no customer.

use crate::calendar::Day;

/// Lines without a customer, by day and product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AnonymousSales {
    /// Ascending by day and product.
    sales: Vec<AnonymousSale>,
}

/// The lines without a customer of one product on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnonymousSale {
    /// The day.
    pub day: Day,
    /// The product's code.
    pub product: u32,
    /// How many lines.
    pub lines: u32,
}

impl AnonymousSales {
    /// Adds up sales in any order.
    pub(super) fn new(mut sales: Vec<AnonymousSale>) -> Self {
        sales.sort_unstable();
        sales.dedup_by(|sale, before| {
            let is_same = (sale.day, sale.product) == (before.day, before.product);
            if is_same {
                before.lines = before.lines.saturating_add(sale.lines);
            }
            is_same
        });
        Self { sales }
    }

    /// Those from a day up to another, both included.
    pub(super) fn within(&self, first: Day, last: Day) -> &[AnonymousSale] {
        let start = self.sales.partition_point(|sale| sale.day < first);
        let end = self.sales.partition_point(|sale| sale.day <= last);
        self.sales.get(start..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale(day: i32, product: u32, lines: u32) -> AnonymousSale {
        AnonymousSale {
            day: Day::from_epoch(day),
            product,
            lines,
        }
    }

    #[test]
    fn sales_add_up_by_day_and_product() {
        let sales = AnonymousSales::new(vec![
            sale(2, 7, 1),
            sale(1, 7, 3),
            sale(2, 7, 2),
            sale(2, 5, 1),
        ]);
        let of = |first, last| {
            sales
                .within(Day::from_epoch(first), Day::from_epoch(last))
                .to_vec()
        };
        assert_eq!(of(1, 2), [sale(1, 7, 3), sale(2, 5, 1), sale(2, 7, 3)]);
        assert_eq!(of(2, 9).len(), 2);
        assert_eq!(of(3, 9), []);
        assert_eq!(of(3, 1), []);
    }
}
