use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::calendar::{AsOf, Day};
use crate::domain::Ids;
use crate::purchases::{Line, Purchases};

const NIGHT: Day = Day::from_epoch(17_000);

fn read(lines: &[(u32, i32, u32)]) -> Purchases {
    let lines = lines.iter().map(|(customer, back, product)| Line {
        customer: *customer,
        day: NIGHT - *back,
        product: *product,
    });
    Purchases::from_lines(
        Ids::Integer((0..50).collect()),
        Ids::Integer((0..100).collect()),
        lines.collect(),
    )
    .unwrap()
}

fn model(all: &Purchases, night: Day, parameters: TifuknnParameters, pool: usize) -> Tifuknn {
    Tifuknn::new(PartitionedHistory::new(all, AsOf(night)), parameters, pool).unwrap()
}

fn scores(model: &Tifuknn, history: &History<'_>, customer: u32) -> Vec<(u32, f64)> {
    let purchases = history.purchases_of(customer);
    let mut scores = model.scores(customer, &purchases, &mut model.buffers());
    scores.sort_by_key(|(product, _)| *product);
    scores
}

fn vector_of(model: &Tifuknn, customer: u32) -> &[(u32, f64)] {
    &model.vectors[model.pool.binary_search(&customer).unwrap()]
}

/// The paper's formulas word by word, on dense vectors.
fn slowly(
    history: &History<'_>,
    parameters: &TifuknnParameters,
    customer: u32,
) -> BTreeMap<u32, f64> {
    let dense = |customer: u32| -> Vec<f64> {
        let purchases = history.purchases_of(customer);
        let mut baskets: Vec<&[u32]> = purchases.iter().map(|(_, basket)| basket).collect();
        baskets.reverse();
        let groups: Vec<&[&[u32]]> = baskets.chunks(parameters.group).collect();
        let mut out = vec![0.0; history.product_count()];
        for (g, group) in groups.iter().enumerate() {
            for (i, basket) in group.iter().enumerate() {
                for product in *basket {
                    out[*product as usize] += parameters.within.powi(i as i32) / group.len() as f64
                        * parameters.across.powi(g as i32)
                        / groups.len() as f64;
                }
            }
        }
        out
    };
    let own = dense(customer);
    let mut others: Vec<(f64, Vec<f64>)> = (0..history.customer_count())
        .filter(|other| *other != customer && !history.purchases_of(*other).is_empty())
        .map(|other| {
            let vector = dense(other);
            (
                own.iter().zip(&vector).map(|(a, b)| (a - b).powi(2)).sum(),
                vector,
            )
        })
        .collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0));
    others.truncate(parameters.neighbours);
    let mean = |product: usize| {
        others
            .iter()
            .map(|(_, vector)| vector[product])
            .sum::<f64>()
            / others.len().max(1) as f64
    };
    let score =
        |product: usize| parameters.alpha * own[product] + (1.0 - parameters.alpha) * mean(product);
    (0..own.len())
        .filter(|product| score(*product) > 0.0)
        .map(|product| (product as u32, score(product)))
        .collect()
}

#[test]
fn a_vector_by_hand() {
    // Three purchases in groups of two, counted from the latest: {a}, {a, b} | {b}.
    let all = read(&[(0, 9, 2), (0, 5, 1), (0, 5, 2), (0, 1, 1), (1, 3, 3)]);
    let parameters = TifuknnParameters {
        group: 2,
        within: 0.5,
        across: 0.25,
        alpha: 0.75,
        neighbours: 1,
    };
    let (model, history) = (model(&all, NIGHT, parameters, POOL), all.until(AsOf(NIGHT)));
    let (a, b) = ((1.0 + 0.5) / 2.0 / 2.0, 0.5 / 2.0 / 2.0 + 0.25 / 2.0);
    assert_eq!(model.vectors[0], [(0, a), (1, b)]);
    // The one neighbour's product comes in with a quarter of its weight.
    assert_eq!(
        scores(&model, &history, 0),
        [(0, 0.75 * a), (1, 0.75 * b), (2, 0.25)]
    );
    let order = TextOrder::of(all.products());
    assert_eq!(
        model.lists(&history, &[0, 7], &order),
        [vec![0, 2, 1], vec![]],
        "nobody has no list"
    );
}

#[test]
fn alone_there_is_no_neighbour() {
    let all = read(&[(0, 1, 1)]);
    let model = model(&all, NIGHT, TifuknnParameters::default(), POOL);
    assert_eq!(scores(&model, &all.until(AsOf(NIGHT)), 0), [(0, 0.9)]);
}

#[test]
fn neighbours_are_those_drawn_and_everyone_has_a_list() {
    let all = read(
        &(0..50)
            .map(|customer| (customer, 1, customer))
            .collect::<Vec<_>>(),
    );
    let (few, history) = (
        model(&all, NIGHT, TifuknnParameters::default(), 10),
        all.until(AsOf(NIGHT)),
    );
    assert_eq!(few.pool.len(), 10);
    for customer in 0..50 {
        let products: Vec<u32> = scores(&few, &history, customer)
            .into_iter()
            .map(|(product, _)| product)
            .collect();
        let mut expected = few.pool.clone();
        expected.extend((!few.pool.contains(&customer)).then_some(customer));
        expected.sort_unstable();
        assert_eq!(products, expected, "what was drawn, and the customer's own");
    }
    // Drawn by id: who else is there changes little.
    let others = read(
        &(0..49)
            .map(|customer| (customer, 1, customer))
            .collect::<Vec<_>>(),
    );
    let stay = model(&others, NIGHT, TifuknnParameters::default(), 10).pool;
    assert!(
        stay.iter()
            .filter(|customer| few.pool.contains(customer))
            .count()
            >= 9
    );
}

proptest! {
    #[test]
    fn it_equals_the_slow_oracle(
        lines in prop::collection::vec((0_u32..12, 0_i32..60, 0_u32..20), 1..300),
        group in 1_usize..5,
        neighbours in 1_usize..15,
        later in 0_i32..30,
    ) {
        let all = read(&lines);
        let history = all.until(AsOf(NIGHT - later));
        let parameters = TifuknnParameters { group, within: 0.9, across: 0.6, alpha: 0.7, neighbours };
        let model = model(&all, NIGHT - later, parameters, POOL);
        for customer in 0..history.customer_count() {
            let fast = scores(&model, &history, customer);
            if history.purchases_of(customer).is_empty() {
                prop_assert!(fast.is_empty());
                continue;
            }
            let slow = slowly(&history, &parameters, customer);
            // Which of two equally distant neighbours is taken is open: leave such cases out.
            let mut distances: Vec<f64> = (0..history.customer_count())
                .filter(|other| *other != customer && !history.purchases_of(*other).is_empty())
                .map(|other| {
                    let (a, b) = (vector_of(&model, customer), vector_of(&model, other));
                    let mut sum = BTreeMap::<u32, f64>::new();
                    a.iter().for_each(|(product, weight)| *sum.entry(*product).or_default() += weight);
                    b.iter().for_each(|(product, weight)| *sum.entry(*product).or_default() -= weight);
                    sum.values().map(|difference| difference * difference).sum()
                })
                .collect();
            distances.sort_by(f64::total_cmp);
            if let (Some(last), Some(next)) = (distances.get(neighbours - 1), distances.get(neighbours))
                && next - last < 1e-9
            {
                continue;
            }
            prop_assert_eq!(fast.len(), slow.len());
            for (product, score) in &fast {
                prop_assert!((score - slow[product]).abs() < 1e-12, "{product}: {score} {}", slow[product]);
            }
        }
    }
}
