//! The three hottest parts of the program on fixed data. `python3 benches/instructions.py` counts
//! their instructions.
//!
//! `instructions NAME` runs one of them, in a function of its own: callgrind is told its name.
//! Without a name each runs once.

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

/// Features of the table that boosting learns from.
const FEATURES: u64 = 50;
/// Rows of that table.
const ROWS: u64 = 20_000;

/// Reading: Parquet to purchases.
#[inline(never)]
fn hot_ingest(parquet: &[u8]) {
    black_box(read(parquet));
}

/// Boosting: histograms, splits, scores.
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

/// The basket features of a night: the store's snapshot, then the candidates of each customer.
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

/// The values of a row, 0 to 10.
fn values_of_row(row: u64) -> impl Iterator<Item = f32> {
    (0..FEATURES).map(move |feature| (unit(hash(row, &[feature])) * 10.0) as f32)
}

/// A table in which the first two features decide how likely a label is.
fn binned_table() -> (BinnedRows, Bins) {
    let width = FEATURES as usize;
    let sample: Vec<f32> = (0..2_000).flat_map(values_of_row).collect();
    let bins = Bins::from_sample(&sample, width, 64);
    let mut rows = BinnedRows::with_capacity(width, ROWS as usize);
    for at in 0..ROWS {
        let values: Vec<f32> = values_of_row(at).collect();
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
        let (rows, bins) = binned_table();
        hot_boosting(&rows, &bins);
    }
    if is_wanted("features") {
        hot_features(&parquet);
    }
}

fn main() {
    // On a pool of one thread: callgrind counts on the thread that enters the function, and the
    // count must not depend on how threads share work.
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .expect("one thread can be started")
        .install(run);
}
