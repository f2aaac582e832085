//! Each stage on simulated tickets of stated sizes: `cargo bench --bench stages`.
//!
//! The tickets are those of `okuo simulate --seed 1`. A size is customers × days; the ids of the
//! benches also name the number of lines.

#![allow(
    missing_docs,
    reason = "criterion's macros make a function without one"
)]
#![allow(
    clippy::expect_used,
    reason = "a bench whose data cannot be made has nothing to measure"
)]

mod support;

use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
    measurement::WallTime,
};
use okuo::artifact;
use okuo::calendar::AsOf;
use okuo::features::basket::{BasketScratch, basket_features};
use okuo::features::store_snapshot::StoreSnapshot;
use okuo::features::timing::timing_features;
use okuo::models::Parameters;
use okuo::models::basket::{BasketModel, BasketRows};
use okuo::models::timing::{PersonDaySample, TimingModel};
use okuo::models::{score, train};
use okuo::offers::{OfferParameters, offers};
use okuo::publish::tables::files;
use okuo::purchases::{PartitionedHistory, Purchases};
use okuo::recurrence::{ClosedDays, recurrent};
use support::{LIMITS, SEED, lines, read, rule, tickets};

/// Customers and days of the simulated stores.
const SIZES: [(u32, u32); 2] = [(300, 200), (1_000, 365)];

fn stages(criterion: &mut Criterion) {
    for (customers, days) in SIZES {
        let parquet = tickets(customers, days);
        let (all, _) = read(&parquet);
        let size = format!("{customers}x{days}_{}_lines", all.distinct_lines());
        let mut group = criterion.benchmark_group(size);
        group.sample_size(10);
        reading(&mut group, &parquet, &all);
        features(&mut group, &all);
        models(&mut group, &all);
        group.finish();
    }
}

fn reading(group: &mut BenchmarkGroup<'_, WallTime>, parquet: &[u8], all: &Purchases) {
    group.throughput(Throughput::Elements(all.distinct_lines() as u64));
    group.bench_function("ingest", |bencher| bencher.iter(|| read(parquet)));
    let (customers, products, lines) = lines(all);
    group.bench_function("purchases", |bencher| {
        bencher.iter(|| {
            Purchases::from_lines(customers.clone(), products.clone(), lines.clone())
                .expect("the lines are good")
        });
    });
}

fn features(group: &mut BenchmarkGroup<'_, WallTime>, all: &Purchases) {
    let as_of = AsOf(all.span().expect("there are purchases").last);
    let history = all.until(as_of);
    let (known, _) = recurrent(&history, &rule());
    group.bench_function("store", |bencher| {
        bencher.iter(|| StoreSnapshot::new(&history, LIMITS, SEED))
    });
    group.throughput(Throughput::Elements(known.len() as u64));
    group.bench_function(
        BenchmarkId::new("timing_features", known.len()),
        |bencher| {
            bencher.iter(|| {
                known
                    .iter()
                    .map(|customer| {
                        timing_features(&history.purchases_of(*customer), as_of.day())[0]
                    })
                    .sum::<f32>()
            });
        },
    );
    let store = StoreSnapshot::new(&history, LIMITS, SEED);
    let mut scratch = BasketScratch::default();
    group.bench_function(
        BenchmarkId::new("basket_features", known.len()),
        |bencher| {
            bencher.iter(|| {
                for customer in &known {
                    basket_features(
                        &store,
                        history.customers().key(*customer),
                        &history.purchases_of(*customer),
                        3.0,
                        &mut scratch,
                    );
                }
            });
        },
    );
}

fn models(group: &mut BenchmarkGroup<'_, WallTime>, all: &Purchases) {
    let days = all.span().expect("there are purchases");
    let as_of = AsOf(days.last);
    let history = PartitionedHistory::new(all, as_of);
    let mut parameters = Parameters::default();
    // Fewer rows than by default, since each fit is repeated ten times.
    parameters.basket.max_training_rows = 100_000;
    parameters.timing.max_training_rows = 40_000;
    let rule = rule();
    let open = ClosedDays::NONE;
    let fit_timing = || {
        PersonDaySample::new(days, false, &rule, &open, &parameters.timing, SEED)
            .walk(history)
            .and_then(|sample| TimingModel::fit(sample, history.customers()))
            .expect("there is enough to learn from")
    };
    group.bench_function("fit_timing", |bencher| bencher.iter(fit_timing));
    let timing = fit_timing();
    let rows = || {
        BasketRows::new(history, &timing, &rule, &parameters.basket, SEED)
            .expect("there is enough to learn from")
    };
    group.bench_function("basket_rows", |bencher| bencher.iter(rows));
    let rows = rows();
    group.bench_function("fit_basket", |bencher| {
        bencher.iter(|| {
            BasketModel::fit(&rows, all.products(), &parameters.basket, false, SEED)
                .expect("there is enough to learn from")
        });
    });
    let model = train(all, as_of, &rule, &parameters, &|_| {})
        .expect("there is enough to learn from")
        .model;
    let night = || score(&model, "bench", all, as_of, &rule).expect("somebody is recurrent");
    let predictions = night();
    group.throughput(Throughput::Elements(predictions.customers.len() as u64));
    group.bench_function(
        BenchmarkId::new("score", predictions.customers.len()),
        |bencher| bencher.iter(night),
    );
    let made = offers(&predictions, &OfferParameters::default()).expect("the offers are good");
    group.bench_function("tables", |bencher| {
        bencher.iter(|| files(&predictions, &made, &[]).expect("the predictions are good"))
    });
    let file = support::artifact(&model);
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| support::artifact(&model))
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| artifact::decode("bench", &file).expect("it was just encoded"))
    });
}

criterion_group!(benches, stages);
criterion_main!(benches);
