//! Train and score on simulated tickets of stated sizes: `cargo bench --bench pipeline`.
//!
//! The tickets are those of `okuo simulate --seed 1`; the sizes are customers × days.

#![allow(missing_docs, reason = "criterion's macros make a function without one")]
#![allow(clippy::expect_used, reason = "a bench whose data cannot be made has nothing to measure")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use okuo::calendar::AsOf;
use okuo::ingest::{Columns, InputOptions, Reader};
use okuo::models::Parameters;
use okuo::pipeline::{score, train};
use okuo::purchases::Purchases;
use okuo::recurrence::Rule;
use okuo::simulate::{Order, Parameters as Store, Simulation, write_parquet};

/// Customers and days of the simulated stores.
const SIZES: [(u32, u32); 2] = [(300, 200), (1_000, 365)];

fn tickets(customers: u32, days: u32) -> Vec<u8> {
    let store = Store { customers, days, ..Store::default() };
    let mut parquet = vec![];
    Simulation::new(store).and_then(|simulation| write_parquet(&simulation, Order::Days(7), &mut parquet)).expect("the store is simulated");
    parquet
}

fn options() -> InputOptions {
    let clock = okuo::calendar::StoreClock::new("UTC", false, 0).expect("UTC exists");
    InputOptions { columns: Columns::default(), clock, exclude_products: vec![], max_bad_share: 0.0 }
}

fn read(parquet: &[u8]) -> Purchases {
    let options = options();
    let mut reader = Reader::new(&options, None);
    reader.object("tickets.parquet", parquet.to_vec().into()).expect("the tickets are whole");
    reader.finish().expect("the tickets are good").purchases
}

fn pipeline(c: &mut Criterion) {
    let rule = Rule { basket_share: 0.5, ..Rule::default() };
    // A training of a second or more needs no hundred repetitions.
    let mut parameters = Parameters::default();
    parameters.basket.max_rows = 200_000;
    parameters.timing.max_rows = 60_000;
    for (customers, days) in SIZES {
        let size = format!("{customers}x{days}");
        let parquet = tickets(customers, days);
        let purchases = read(&parquet);
        let as_of = AsOf(purchases.span().expect("there are purchases").1);
        let mut group = c.benchmark_group("pipeline");
        group.sample_size(10);
        group.bench_function(BenchmarkId::new("ingest", &size), |b| b.iter(|| read(&parquet)));
        group.bench_function(BenchmarkId::new("train", &size), |b| {
            b.iter(|| train(&purchases, as_of, &rule, &parameters, &|_| {}).expect("there is enough to learn from"));
        });
        let model = train(&purchases, as_of, &rule, &parameters, &|_| {}).expect("there is enough to learn from").model;
        group.bench_function(BenchmarkId::new("score", &size), |b| {
            b.iter(|| score(&model, "bench", &purchases, as_of, &rule).expect("somebody is recurrent"));
        });
        group.finish();
    }
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
