use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::Ids;
use crate::purchases::tests::InMemorySpill;
use crate::purchases::{Line, PartitionedPurchases, Partitions, Purchases, QuantityRecord};

/// Customer, day, product, ticket, and the quantity in millionths.
type Sold = (u32, i32, u32, u64, i64);

const CUSTOMERS: u32 = 130;
const PRODUCTS: u32 = 4;

fn line(sold: &Sold) -> Line {
    Line {
        customer: sold.0,
        day: Day::from_epoch(sold.1),
        product: sold.2,
    }
}

/// The same lines as someone reads them who knows how they are netted, in runs of `per_run` lines.
fn build(
    sold: &[Sold],
    quantities: RunQuantities,
    per_run: usize,
    limit: Option<u64>,
) -> (PartitionedPurchases, NettedLines) {
    let limit = limit.map(|bytes| MemoryLimit {
        bytes,
        spill: Arc::new(InMemorySpill::default()),
    });
    let mut builder = PurchasesBuilder::with_quantities(limit, quantities);
    let mut last = None;
    for (at, sold) in sold.iter().enumerate() {
        let (line, (.., ticket, quantity)) = (line(sold), *sold);
        if quantity > 0 {
            // As lines are read, every other repeat is left out.
            let in_run = last != Some(line) || at % 2 == 0;
            builder.add(in_run.then_some(line)).unwrap();
            let record = quantities.record_of_sale(line, quantity, ticket, in_run);
            builder.record(record).unwrap();
            last = Some(line);
        } else {
            let ticket = match quantities {
                RunQuantities::Unknown | RunQuantities::OnePiece => 0,
                RunQuantities::Recorded => ticket,
            };
            let record = QuantityRecord {
                line,
                ticket,
                quantity,
                kind: RecordKind::TakeBack,
            };
            builder.record([record]).unwrap();
        }
        if at % per_run == per_run - 1 && !builder.buffer.is_empty() {
            builder.sort_buffer().unwrap();
            last = None;
        }
    }
    let netted = builder.net().unwrap();
    let customers = Ids::Integer((0..i64::from(CUSTOMERS)).collect());
    let products = Ids::Integer((0..i64::from(PRODUCTS)).collect());
    (builder.finish(customers, products).unwrap(), netted)
}

/// What was bought, and what was netted away, the slow and obvious way.
fn oracle(sold: &[Sold], with_tickets: bool) -> (BTreeSet<(u32, i32, u32)>, NettedLines) {
    let mut groups: BTreeMap<Sold, Vec<i64>> = BTreeMap::new();
    for (customer, day, product, ticket, quantity) in sold {
        let ticket = if with_tickets { *ticket } else { 0 };
        let group = groups
            .entry((*customer, *day, *product, ticket, 0))
            .or_default();
        group.push(*quantity);
    }
    let (mut bought, mut netted) = (BTreeSet::new(), NettedLines::default());
    for ((customer, day, product, ..), quantities) in groups {
        let sales = quantities.iter().filter(|quantity| **quantity > 0).count() as u64;
        if sales == 0 {
            continue;
        }
        netted.voids += quantities.len() as u64 - sales;
        if quantities.iter().sum::<i64>() > 0 {
            bought.insert((customer, day, product));
        } else {
            *netted.voided_sales.entry(Day::from_epoch(day)).or_default() += sales;
        }
    }
    (bought, netted)
}

/// Every customer, day and product by id.
fn bought(purchases: &Purchases) -> BTreeSet<(u32, i32, u32)> {
    let history = purchases.until(crate::calendar::AsOf(Day::from_epoch(100)));
    let id = |ids: &Ids, code: u32| ids.get(code).unwrap().to_string().parse::<u32>().unwrap();
    let mut out = BTreeSet::new();
    for customer in 0..history.customer_count() {
        for (day, basket) in history.purchases_of(customer).iter() {
            out.extend(basket.iter().map(|product| {
                (
                    id(history.customers(), customer),
                    day.epoch(),
                    id(history.products(), *product),
                )
            }));
        }
    }
    out
}

fn lines() -> impl Strategy<Value = Vec<Sold>> {
    let customer = prop_oneof![0_u32..3, 64_u32..66, Just(129_u32)];
    let quantity = prop_oneof![
        Just(PIECE),
        Just(-PIECE),
        (1_i64..4).prop_map(|pieces| pieces * PIECE),
        (1_i64..4).prop_map(|pieces| -pieces * PIECE),
        Just(350_000_i64),
        Just(-350_000_i64),
        Just(1_i64 << 60),
        Just(-(1_i64 << 60)),
    ];
    prop::collection::vec(
        (customer, 0_i32..3, 0_u32..PRODUCTS, 0_u64..3, quantity),
        0..80,
    )
}

proptest! {
    #[test]
    fn what_is_netted_is_what_an_oracle_nets(sold in lines(), per_run in 1_usize..40, seed in any::<u64>()) {
        // Sums of 2⁶⁰ do not fit into the oracle's integers often.
        let large = sold.iter().filter(|(.., quantity)| quantity.abs() > 1 << 50).count();
        prop_assume!(large < 7);
        for quantities in [RunQuantities::OnePiece, RunQuantities::Recorded] {
            let (expected, netted) = oracle(&sold, quantities == RunQuantities::Recorded);
            let mut shuffled = sold.clone();
            shuffled.sort_by_key(|sold| crate::sampling::hash(seed, &[u64::from(sold.0), sold.1 as u64, u64::from(sold.2), sold.3, sold.4 as u64]));
            for (sold, limit) in [(&sold, None), (&shuffled, None), (&sold, Some(8)), (&shuffled, Some(1_000))] {
                let (read, counts) = build(sold, quantities, per_run, limit);
                prop_assert_eq!(&counts, &netted);
                let customers: BTreeSet<u32> = expected.iter().map(|(customer, ..)| *customer).collect();
                prop_assert_eq!(read.customers().len(), customers.len(), "only those who bought something are known");
                let products: BTreeSet<u32> = expected.iter().map(|(.., product)| *product).collect();
                prop_assert_eq!(Partitions::products(&read).len(), products.len());
                prop_assert_eq!(&bought(&read.purchases().unwrap()), &expected);
            }
        }
    }
}

#[test]
fn only_the_same_ticket_is_netted_where_tickets_are_told_apart() {
    let sold = [(1, 1, 1, 7, PIECE), (1, 1, 1, 8, -PIECE)];
    let (read, netted) = build(&sold, RunQuantities::Recorded, 9, None);
    assert_eq!(bought(&read.purchases().unwrap()).len(), 1);
    assert_eq!(netted, NettedLines::default());
    let (read, netted) = build(&sold, RunQuantities::OnePiece, 9, None);
    assert!(read.purchases().unwrap().is_empty());
    assert_eq!((netted.voided_sales(), netted.voids), (1, 1));
}
