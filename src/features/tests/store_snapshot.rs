//! What is counted of the store, the obvious way, and who are neighbours.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{LIMITS, Story, bought_by, lines, night, number, purchases, stories};
use crate::calendar::Day;
use crate::features::store_snapshot::{
    NeighbourScratch, PartialStoreCounts, ProductCounts, StoreSnapshot,
};
use crate::purchases::Line;

/// Counts of a product on a night.
pub(super) fn counts(story: &Story, product: u32, night: i32) -> ProductCounts {
    let mut counts = ProductCounts::default();
    for customer in 0..story.len() as u32 {
        let mut purchases = bought_by(story, customer, night);
        purchases.retain(|(day, _)| night - day < 365);
        let with: Vec<usize> = (0..purchases.len())
            .filter(|at| purchases[*at].1.contains(&product))
            .collect();
        for (bought, window) in counts.bought.iter_mut().zip([3, 14, 28, 56, 112]) {
            let inside = |at: &&usize| night - purchases[**at].0 < window;
            *bought += with.iter().filter(inside).count() as u32;
        }
        let (Some(first), Some(last)) = (with.first(), with.last()) else {
            continue;
        };
        counts.buyers += 1;
        counts.repeaters += u32::from(with.len() > 1);
        counts.rebought += with.len() as u32 - 1;
        counts.chances += (purchases.len() - 1 - first) as u64;
        counts.followed += with.iter().filter(|at| **at + 1 < purchases.len()).count() as u32;
        counts.next += with
            .windows(2)
            .filter(|pair| pair[1] == pair[0] + 1)
            .count() as u32;
        counts.span_days += (purchases[*last].0 - purchases[*first].0) as u64;
        let products: usize = with.iter().map(|at| purchases[*at].1.len()).sum();
        counts.basket_products += products as u64;
    }
    counts
}

proptest! {
    #[test]
    fn products_are_counted_as_the_obvious_way_counts_them(
        story in stories(),
        day in 20_i32..150,
    ) {
        let purchases = purchases(lines(&story), story.len());
        // Later nights see no new purchases, and lose the oldest ones.
        let nights = [day - 15, day, day + 200, day + 330];
        let history = purchases.until(night(day + 330));
        let partial = PartialStoreCounts::of_nights(&history, &nights.map(Day::from_epoch), 1);
        for (day, partial) in nights.into_iter().zip(partial) {
            let store = StoreSnapshot::of(partial, LIMITS);
            for code in 0..history.product_count() as u32 {
                let expected = counts(&story, number(history.products(), code), day);
                prop_assert_eq!(*store.product(code).counts(), expected);
            }
            // Alone, the night is the same.
            let alone = StoreSnapshot::new(&history.until(night(day)), LIMITS, 1);
            prop_assert_eq!(format!("{alone:?}"), format!("{store:?}"));
        }
    }
}

#[test]
fn neighbours_like_what_similar_customers_buy() {
    // Customers 0..10 buy products 0..5, customers 10..20 buy 5..10; product 12 is bought by the
    // first group alone.
    let mut all = vec![];
    for customer in 0..20_u32 {
        for purchase in 0..8 {
            let first = if customer < 10 { 0 } else { 5 };
            let own = (1..10).contains(&customer).then_some(12);
            all.extend((first..first + 5).chain(own).map(|product| Line {
                customer,
                day: Day::from_epoch(purchase * 5),
                product,
            }));
        }
    }
    let purchases = purchases(all, 20);
    let history = purchases.until(night(40));
    let store = StoreSnapshot::new(&history, LIMITS, 1);
    let code = history.products().code("12").unwrap();
    let mut scratch = NeighbourScratch::default();
    let mut score_for = |customer| {
        let products: BTreeSet<u32> = history
            .purchases_of(customer)
            .iter()
            .flat_map(|(_, basket)| basket.iter().copied())
            .collect();
        let key = history.customers().key(customer);
        store.find_neighbours(key, products.into_iter(), &mut scratch);
        store.neighbour_score(code, &scratch)
    };
    let (first, other) = (score_for(0), score_for(15));
    assert!(first > 0.9 && other < 0.1, "{first} {other}");
}
