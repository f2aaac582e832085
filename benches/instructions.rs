//! The three hottest functions on fixed data, for a count of their instructions: `python3
//! benches/instructions.py`.
//!
//! `instructions NAME` runs one of them, in a function of its own whose name callgrind is told.
//! Without a name all run once.

#![allow(
    clippy::expect_used,
    reason = "a bench whose data cannot be made has nothing to measure"
)]

mod support;

use std::hint::black_box;

use okuo::calendar::AsOf;
use okuo::features::basket::{BasketScratch, basket_features};
use okuo::features::store_snapshot::StoreSnapshot;
use okuo::models::boosting::{BinnedRows, Bins, Boosted, BoostingParameters};
use okuo::sampling::{hash, unit};
use support::{LIMITS, SEED, read, tickets};

const WIDTH: usize = 50;
const ROWS: u64 = 20_000;

/// Reading: Parquet to purchases.
#[inline(never)]
fn hot_ingest(parquet: &[u8]) {
    black_box(read(parquet));
}

/// Boosting: histograms, partitions, scores.
#[inline(never)]
fn hot_boosting(rows: &BinnedRows, bins: &Bins) {
    let parameters = BoostingParameters {
        trees: 10,
        ..BoostingParameters::default()
    };
    black_box(
        Boosted::fit(rows, bins, &parameters, SEED, rows.len())
            .expect("there is enough to learn from"),
    );
}

/// Features of a night: the store, then each customer's candidates.
#[inline(never)]
fn hot_features(parquet: &[u8]) {
    let (purchases, _) = read(parquet);
    let history = purchases.until(AsOf(purchases.span().expect("there are purchases").last));
    let store = StoreSnapshot::new(&history, LIMITS, SEED);
    let mut scratch = BasketScratch::default();
    for customer in 0..history.customer_count() {
        basket_features(
            &store,
            history.customers().key(customer),
            &history.purchases_of(customer),
            3.0,
            &mut scratch,
        );
        black_box(&scratch.rows);
    }
}

fn table() -> (BinnedRows, Bins) {
    let value = |row: u64, feature: u64| (unit(hash(row, &[feature])) * 10.0) as f32;
    let row = |row: u64| (0..WIDTH as u64).map(move |feature| value(row, feature));
    let sample: Vec<f32> = (0..2_000).flat_map(row).collect();
    let bins = Bins::from_sample(&sample, WIDTH, 64);
    let mut rows = BinnedRows::with_capacity(WIDTH, ROWS as usize);
    for at in 0..ROWS {
        let values: Vec<f32> = row(at).collect();
        let mut binned = vec![];
        bins.bin_row(&values, &mut binned);
        let probability = if (values[0] > 5.0) == (values[1] > 3.0) {
            0.6
        } else {
            0.1
        };
        rows.extend(&binned, &[unit(hash(at, &[77])) < probability], &[1.0]);
    }
    (rows, bins)
}

fn run() {
    let named = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let is_wanted = |name: &str| named.as_deref().is_none_or(|named| named == name);
    let parquet = tickets(100, 120);
    if is_wanted("ingest") {
        hot_ingest(&parquet);
    }
    if is_wanted("boosting") {
        let (rows, bins) = table();
        hot_boosting(&rows, &bins);
    }
    if is_wanted("features") {
        hot_features(&parquet);
    }
}

fn main() {
    // On one thread, and that one: callgrind counts where the function was entered, and the count
    // must not depend on how work is shared.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("one thread can be started")
        .install(run);
}
