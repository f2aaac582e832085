use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::domain::Ids;
use crate::purchases::{Line, Purchases};

const NIGHT: Day = Day::from_epoch(17_000);

fn read(products: i64, lines: &[(u32, i32, u32)]) -> Purchases {
    let lines = lines.iter().map(|(customer, back, product)| Line {
        customer: *customer,
        day: NIGHT - *back,
        product: *product,
    });
    Purchases::from_lines(
        Ids::Integer((0..20).collect()),
        Ids::Integer((0..products).collect()),
        lines.collect(),
    )
    .unwrap()
}

#[test]
fn own_gaps_by_hand() {
    // Gaps of 40, 100 (ended 120 days ago: too old), 90, 20 and 3; 7 days have gone by. The second
    // has bought once.
    let all = read(
        1,
        &[
            (0, 260, 0),
            (0, 220, 0),
            (0, 120, 0),
            (0, 30, 0),
            (0, 10, 0),
            (0, 7, 0),
            (1, 2, 0),
        ],
    );
    let history = all.until(AsOf(NIGHT));
    assert_eq!(
        personal_gap(&history, &[0, 1], TypicalGap::Median),
        [20.0 - 7.0, 28.0]
    );
    let mean = personal_gap(&history, &[0], TypicalGap::Mean)[0];
    assert!((mean - ((90.0 + 20.0 + 3.0) / 3.0 - 7.0)).abs() < 1e-12);
}

#[test]
fn the_population_median_looks_at_earlier_nights_alone() {
    // One customer, every 4 days for 200 days: waits of 1 to 4 days, as the nights fall.
    let every_four: Vec<(u32, i32, u32)> = (0..50).map(|at| (0, 4 * at, 0)).collect();
    let rule = Rule {
        min_products: 1,
        ..Rule::default()
    };
    let all = read(1, &every_four);
    // Nights 28, 31, … 106 days back, the last that has 90 days before it: 7 times 4, 3 and 2 days,
    // 6 times 1 day.
    assert_eq!(
        population_median(PartitionedHistory::new(&all, AsOf(NIGHT)), &rule).unwrap(),
        Some(3.0)
    );
    // Ten days earlier, 38, 41, … 104: 6 times 2, 1 and 4 days, 5 times 3 days.
    assert_eq!(
        population_median(PartitionedHistory::new(&all, AsOf(NIGHT - 10)), &rule).unwrap(),
        Some(2.0)
    );
    // Too short a history gives nothing.
    assert_eq!(
        population_median(PartitionedHistory::new(&all, AsOf(NIGHT - 100)), &rule).unwrap(),
        None
    );
}

#[test]
fn frequencies_by_hand() {
    // Customer 0: product 1 three times long ago, product 2 twice lately, 9 and 10 once on the same
    // day.
    let all = read(
        12,
        &[
            (0, 50, 1),
            (0, 40, 1),
            (0, 30, 1),
            (0, 2, 2),
            (0, 1, 2),
            (0, 9, 9),
            (0, 9, 10),
            (1, 5, 9),
            (1, 4, 9),
            (1, 3, 11),
        ],
    );
    let history = all.until(AsOf(NIGHT));
    // Codes are given by what was sold: 1, 2, 9, 10, 11.
    let id = |list: &[u32]| -> Vec<String> {
        list.iter()
            .map(|code| all.products().get(*code).unwrap().to_string())
            .collect()
    };
    let order = TextOrder::of(all.products());
    let lists = personal_frequency(&history, &[0, 1], 1.0, &order);
    assert_eq!(id(&lists[0]), ["1", "2", "10", "9"], "10 before 9, as text");
    assert_eq!(id(&lists[1]), ["9", "11"]);
    // 0.5⁵ + 0.5⁴ + 0.5³ against 0.5 + 1, and 0.5² for those of the third purchase from the end.
    assert_eq!(
        id(&personal_frequency(&history, &[0], 0.5, &order)[0]),
        ["2", "10", "9", "1"]
    );
    // All customers: 1 and 9 three times, 2 twice, 10 and 11 once. 9 wins its tie, and the popular
    // ones follow.
    let global = |customers: &[u32]| {
        GlobalFrequency::new(PartitionedHistory::new(&all, AsOf(NIGHT)), &order)
            .unwrap()
            .lists(&history, customers, &order)
    };
    assert_eq!(id(&global(&[0])[0]), ["1", "2", "9", "10", "11"]);
    assert_eq!(
        id(&global(&[2])[0]),
        ["1", "9", "2", "10", "11"],
        "nothing of one's own"
    );
    assert_eq!(
        personal_frequency(&all.until(AsOf(NIGHT - 5)), &[1], 1.0, &order)[0].len(),
        1,
        "later purchases are not seen"
    );
}

#[test]
fn lists_end_after_fifty_and_keep_ties_in_order() {
    let order = TextOrder::of(&Ids::Integer((0..200).collect()));
    let list = top_ranked(
        (0..200)
            .map(|product| (product, if product == 150 { 2.0 } else { 1.0 }))
            .collect(),
        &order,
    );
    assert_eq!((list.len(), &list[..5]), (TOP, &[150, 0, 1, 10, 100][..]));
}

proptest! {
    #[test]
    fn frequencies_are_those_of_a_naive_count(lines in prop::collection::vec((0_u32..4, 0_i32..30, 0_u32..15), 1..120), decay in 0.5_f64..1.0) {
        let all = read(15, &lines);
        let history = all.until(AsOf(NIGHT - 3));
        let order = TextOrder::of(all.products());
        let customers: Vec<u32> = (0..all.customers().len() as u32).collect();
        for (customer, list) in customers.iter().zip(personal_frequency(&history, &customers, decay, &order)) {
            let mut naive = BTreeMap::<u32, f64>::new();
            for (back, (_, basket)) in history.purchases_of(*customer).iter().rev().enumerate() {
                basket.iter().for_each(|product| *naive.entry(*product).or_default() += decay.powi(back as i32));
            }
            prop_assert_eq!(list.len(), naive.len());
            for pair in list.windows(2) {
                prop_assert!(naive[&pair[0]] >= naive[&pair[1]] - 1e-9);
            }
        }
    }
}
