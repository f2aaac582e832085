use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};

use polars::prelude::*;
use proptest::prelude::*;

use super::*;
use crate::calendar::{AsOf, Day};
use crate::domain::Ids;
use crate::purchases::{Line, Purchases};
use crate::recurrence::{Rule, recurrent};

const SAMPLE: &[u8] = include_bytes!("../../data/tickets.csv.gz");

fn simulation(parameters: SimulationParameters) -> Simulation {
    Simulation::new(parameters).unwrap()
}

fn small(style: Style) -> SimulationParameters {
    SimulationParameters {
        style,
        customers: 40,
        products: 300,
        days: 120,
        seed: 7,
        ..SimulationParameters::default()
    }
}

fn lines(simulation: &Simulation, order: Order) -> Vec<TicketLine> {
    let mut all = Vec::new();
    simulation
        .for_each_chunk(order, |chunk| {
            all.extend_from_slice(chunk);
            Ok(())
        })
        .unwrap();
    all
}

fn by_customer(mut lines: Vec<TicketLine>) -> Vec<TicketLine> {
    lines.sort_by_key(|line| (line.customer, line.basket)); // stable: the order within a ticket stays
    lines
}

fn day(line: &TicketLine) -> Day {
    Day::from_epoch(i32::try_from(line.time.div_euclid(86_400_000_000)).unwrap())
}

fn purchases(simulation: &Simulation) -> Purchases {
    let bought = lines(simulation, Order::Customers(64))
        .into_iter()
        .filter(|line| line.quantity > 0);
    let line = |line: TicketLine| Line {
        customer: line.customer as u32 - 1,
        day: day(&line),
        product: line.product as u32 - 1,
    };
    let ids = |count: u32| Ids::Integer((1..=i64::from(count)).collect());
    let parameters = simulation.parameters();
    Purchases::from_lines(
        ids(parameters.customers),
        ids(parameters.products),
        bought.map(line).collect(),
    )
    .unwrap()
}

fn in_pool<T: Send>(threads: usize, job: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(job)
}

#[test]
fn threads_change_nothing() {
    let simulation = simulation(small(Style::Grocery));
    for order in [Order::Days(7), Order::Customers(3)] {
        let one = in_pool(1, || lines(&simulation, order));
        assert!(!one.is_empty());
        assert_eq!(one, in_pool(3, || lines(&simulation, order)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn chunks_change_only_the_order(days in 0_u32..150, customers in 0_u32..60, style in prop::sample::select(&Style::ALL[..]), seed in 0_u64..1000) {
        let simulation = simulation(SimulationParameters { seed, days: 60, customers: 15, ..small(style) });
        let whole = lines(&simulation, Order::Customers(15));
        prop_assert_eq!(&by_customer(whole.clone()), &whole);
        prop_assert_eq!(&lines(&simulation, Order::Customers(customers)), &whole);
        let feed = lines(&simulation, Order::Days(days));
        prop_assert_eq!(&lines(&simulation, Order::Days(u32::MAX)), &feed);
        prop_assert!(feed.is_sorted_by_key(|line| line.time));
        prop_assert_eq!(by_customer(feed), whole);
    }

    #[test]
    fn lines_are_what_a_till_records(style in prop::sample::select(&Style::ALL[..]), seed in 0_u64..1000) {
        let simulation = simulation(SimulationParameters { seed, ..small(style) });
        let parameters = simulation.parameters();
        for line in lines(&simulation, Order::Customers(8)) {
            let second = line.time.div_euclid(1_000_000).rem_euclid(86_400);
            prop_assert!((7 * 3600..22 * 3600).contains(&second), "{second}");
            prop_assert!((parameters.start..=parameters.last_day()).contains(&day(&line)));
            prop_assert!((1..=i64::from(parameters.customers)).contains(&line.customer));
            prop_assert!((1..=i64::from(parameters.products)).contains(&line.product));
            prop_assert!(line.quantity != 0 && line.price > 0 && !line.category_name().is_empty());
        }
    }
}

#[test]
fn a_seed_is_a_store() {
    let of = |seed| {
        lines(
            &simulation(SimulationParameters {
                seed,
                ..small(Style::Grocery)
            }),
            Order::Days(30),
        )
    };
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn a_customer_is_the_same_in_a_larger_store() {
    let few = simulation(small(Style::Grocery));
    let many = simulation(SimulationParameters {
        customers: 400,
        ..small(Style::Grocery)
    });
    let mut of_many = lines(&many, Order::Customers(50));
    of_many.retain(|line| line.customer <= 40);
    assert_eq!(lines(&few, Order::Customers(50)), of_many);
}

#[test]
fn the_sample_is_what_the_defaults_give() {
    let mut kept = Vec::new();
    flate2::read::GzDecoder::new(SAMPLE)
        .read_to_end(&mut kept)
        .unwrap();
    let mut now = Vec::new();
    write_csv(
        &simulation(SimulationParameters::default()),
        Order::Days(7),
        &mut now,
    )
    .unwrap();
    // Not assert_eq, which would print megabytes.
    assert!(
        kept == now,
        "data/tickets.csv.gz is not what `okuo simulate` writes: write it anew (data/README.md), or mend the simulator"
    );
    assert!(SAMPLE.len() < 2_000_000, "{}", SAMPLE.len());
}

#[test]
fn the_literal_rule_keeps_enough_of_the_sample() {
    let simulation = simulation(SimulationParameters::default());
    let purchases = purchases(&simulation);
    assert!(
        purchases.customers().len() >= 300,
        "{}",
        purchases.customers().len()
    );
    for night in ["2025-10-31", "2025-11-30", "2025-12-31"] {
        let (customers, funnel) = recurrent(
            &purchases.until(night.parse::<AsOf>().unwrap()),
            &Rule::default(),
        );
        assert!(customers.len() >= 40, "{night}: {funnel:?}");
        assert!(
            funnel.frequent > 2 * funnel.recurrent,
            "the rule should also turn many away: {night}: {funnel:?}"
        );
    }
}

/// Of the baskets in the last third of the history, the share of products that the customer had
/// bought before, and the mean basket.
fn repeats(simulation: &Simulation) -> (f64, f64) {
    let purchases = purchases(simulation);
    let late = simulation.parameters().start + simulation.parameters().days as i32 * 2 / 3;
    let history = purchases.until(AsOf(simulation.parameters().last_day()));
    let (mut again, mut all, mut baskets) = (0.0, 0.0, 0.0);
    for customer in 0..history.customer_count() {
        let mut known = BTreeSet::new();
        for (day, basket) in history.purchases_of(customer).iter() {
            if day >= late {
                again += basket
                    .iter()
                    .filter(|product| known.contains(*product))
                    .count() as f64;
                all += basket.len() as f64;
                baskets += 1.0;
            }
            known.extend(basket.iter().copied());
        }
    }
    (again / all, all / baskets)
}

#[test]
fn styles_differ_as_they_say() {
    let of = |style| {
        simulation(SimulationParameters {
            style,
            customers: 300,
            ..SimulationParameters::default()
        })
    };
    let visits = |simulation: &Simulation| {
        let purchases = purchases(simulation);
        purchases.len() as f64 / purchases.customers().len() as f64
    };
    let (grocery, dense, sparse) = (of(Style::Grocery), of(Style::Dense), of(Style::Sparse));
    assert!(
        visits(&dense) > 150.0 && visits(&sparse) < 15.0,
        "{} {}",
        visits(&dense),
        visits(&sparse)
    );
    assert!(
        (0.45..0.75).contains(&repeats(&grocery).0),
        "{:?}",
        repeats(&grocery)
    );
    assert!(
        (8.0..16.0).contains(&repeats(&grocery).1),
        "{:?}",
        repeats(&grocery)
    );
    assert!(repeats(&sparse).0 < 0.4, "{:?}", repeats(&sparse));
    assert!(repeats(&dense).1 < 6.0, "{:?}", repeats(&dense));

    // Seasonal: far more lines in winter than in summer. Drifting: what sells in January is not
    // what sells in December.
    let monthly = |style| {
        let mut months: BTreeMap<u32, BTreeMap<i64, f64>> = BTreeMap::new();
        for line in lines(&of(style), Order::Customers(64)) {
            let month = chrono::Datelike::month(&day(&line).date());
            *months
                .entry(month)
                .or_default()
                .entry(line.product)
                .or_default() += 1.0;
        }
        months
    };
    let sum = |products: &BTreeMap<i64, f64>| products.values().sum::<f64>();
    let likeness = |months: &BTreeMap<u32, BTreeMap<i64, f64>>| {
        let (a, b) = (&months[&1], &months[&12]);
        a.iter()
            .map(|(product, count)| {
                (count / sum(a)).min(b.get(product).map_or(0.0, |count| count / sum(b)))
            })
            .sum::<f64>()
    };
    let (seasonal, drifting, grocery) = (
        monthly(Style::Seasonal),
        monthly(Style::Drifting),
        monthly(Style::Grocery),
    );
    assert!(sum(&seasonal[&12]) > 1.3 * sum(&seasonal[&6]));
    assert!(sum(&grocery[&10]) < 1.2 * sum(&grocery[&6]));
    assert!(
        likeness(&drifting) < likeness(&grocery) - 0.1,
        "{} {}",
        likeness(&drifting),
        likeness(&grocery)
    );
}

#[test]
fn gaps_and_weekdays_are_those_of_the_truth() {
    let simulation = simulation(SimulationParameters {
        customers: 300,
        ..SimulationParameters::default()
    });
    let purchases = purchases(&simulation);
    let history = purchases.until(AsOf(simulation.parameters().last_day()));
    let (mut ratios, mut favourite, mut least, mut all) = (Vec::new(), 0.0, 0.0, 0.0);
    for code in 0..history.customer_count() {
        let customer = history
            .customers()
            .get(code)
            .unwrap()
            .to_string()
            .parse::<u32>()
            .unwrap();
        let truth = simulation.truth(customer - 1).unwrap();
        let visits = history.purchases_of(code);
        if visits.len() < 30 {
            continue;
        }
        assert!(
            visits
                .days()
                .iter()
                .all(|day| (truth.active_from..=truth.active_until).contains(day))
        );
        // Absences are in the data and not in the truth: leave out what is far longer than usual.
        let gaps: Vec<f64> = visits
            .days()
            .windows(2)
            .map(|pair| f64::from(pair[1] - pair[0]))
            .collect();
        let usual: Vec<f64> = gaps
            .iter()
            .copied()
            .filter(|gap| *gap < 3.5 * truth.purchase_gap_days + 3.0)
            .collect();
        ratios.push(usual.iter().sum::<f64>() / usual.len() as f64 / truth.purchase_gap_days);
        let at = |better: fn(&f64, &f64) -> bool| {
            (1..7).fold(0, |at, day| {
                if better(&truth.weekday_weights[day], &truth.weekday_weights[at]) {
                    day
                } else {
                    at
                }
            })
        };
        let on = |weekday: usize| {
            visits
                .days()
                .iter()
                .filter(|day| day.weekday() == weekday)
                .count() as f64
        };
        favourite += on(at(f64::gt));
        least += on(at(f64::lt));
        all += visits.len() as f64;
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios[ratios.len() / 2];
    assert!((0.9..1.1).contains(&median), "{median}");
    assert!(
        favourite / all > 0.2 && least / all < 0.13,
        "{} {}",
        favourite / all,
        least / all
    );
}

#[test]
fn staples_come_back_after_their_cycles() {
    let simulation = simulation(SimulationParameters {
        customers: 300,
        ..SimulationParameters::default()
    });
    let mut bought: BTreeMap<(i64, i64), BTreeSet<Day>> = BTreeMap::new();
    for line in lines(&simulation, Order::Customers(64))
        .iter()
        .filter(|line| line.quantity > 0)
    {
        bought
            .entry((line.customer, line.product))
            .or_default()
            .insert(day(line));
    }
    // Observed gaps by the cycle's size: under 12 days, under 24, under 48.
    let mut observed: [Vec<f64>; 3] = Default::default();
    for truth in (0..300)
        .filter_map(|customer| simulation.truth(customer))
        .filter(|truth| truth.trip_gap_days < 8.0)
    {
        for staple in truth
            .staples
            .iter()
            .filter(|staple| staple.until - staple.from > 180 && staple.cycle_days > 6.0)
        {
            let Some(days) = bought.get(&(truth.customer_id, staple.product_id)) else {
                continue;
            };
            let days: Vec<Day> = days
                .iter()
                .copied()
                .filter(|day| (staple.from..=staple.until).contains(day))
                .collect();
            if days.len() >= 4 && staple.cycle_days < 48.0 {
                let mut gaps: Vec<i32> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
                gaps.sort_unstable();
                // It has run out after the cycle and waits for a trip, on average half a gap later
                // or, if forgotten, more.
                let expected = staple.cycle_days + truth.trip_gap_days / 2.0;
                observed[(staple.cycle_days / 12.0).log2().ceil().clamp(0.0, 2.0) as usize]
                    .push(f64::from(gaps[gaps.len() / 2]) / expected);
            }
        }
    }
    for (at, ratios) in observed.iter_mut().enumerate() {
        ratios.sort_by(f64::total_cmp);
        assert!(ratios.len() > 100, "{at}: {}", ratios.len());
        let median = ratios[ratios.len() / 2];
        assert!((0.75..1.35).contains(&median), "{at}: {median}");
    }
}

#[test]
fn csv_and_parquet_hold_the_same_lines() {
    let simulation = simulation(small(Style::Grocery));
    let expected = lines(&simulation, Order::Days(7));
    let (mut csv, mut gz, mut parquet) = (Vec::new(), Vec::new(), Vec::new());
    let counts = [
        write_csv(&simulation, Order::Days(7), &mut csv).unwrap(),
        write_csv_gz(&simulation, Order::Days(7), 6, &mut gz).unwrap(),
        write_parquet(&simulation, Order::Days(7), &mut parquet).unwrap(),
    ];
    assert_eq!(counts, [expected.len() as u64; 3]);
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(gz.as_slice())
        .read_to_end(&mut unzipped)
        .unwrap();
    assert!(unzipped == csv);

    let table = ParquetReader::new(Cursor::new(parquet)).finish().unwrap();
    let integers = |name: &str| -> Vec<i64> {
        let column = table.column(name).unwrap().cast(&DataType::Int64).unwrap();
        column.i64().unwrap().into_no_null_iter().collect()
    };
    assert_eq!(
        table.column("timestamp").unwrap().dtype(),
        &DataType::Datetime(TimeUnit::Microseconds, None)
    );
    assert_eq!(
        integers("customer_id"),
        expected
            .iter()
            .map(|line| line.customer)
            .collect::<Vec<_>>()
    );
    assert_eq!(
        integers("basket_id"),
        expected.iter().map(|line| line.basket).collect::<Vec<_>>()
    );
    assert_eq!(
        integers("timestamp"),
        expected.iter().map(|line| line.time).collect::<Vec<_>>()
    );
    assert_eq!(
        integers("product_id"),
        expected.iter().map(|line| line.product).collect::<Vec<_>>()
    );
    assert_eq!(
        integers("quantity"),
        expected
            .iter()
            .map(|line| i64::from(line.quantity))
            .collect::<Vec<_>>()
    );
    let categories: Vec<&str> = table
        .column("category")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .flatten()
        .collect();
    let prices: Vec<f64> = table
        .column("price")
        .unwrap()
        .f64()
        .unwrap()
        .into_no_null_iter()
        .collect();

    let text = String::from_utf8(csv).unwrap();
    let mut rows = text.lines();
    assert_eq!(
        rows.next(),
        Some("customer_id,basket_id,timestamp,product_id,category,quantity,price")
    );
    for (at, row) in rows.enumerate() {
        let line = &expected[at];
        let time = chrono::DateTime::from_timestamp_micros(line.time)
            .unwrap()
            .format("%Y-%m-%d %H:%M:%S");
        let written = format!(
            "{},{},{time},{},{},{},{:.2}",
            line.customer, line.basket, line.product, categories[at], line.quantity, prices[at]
        );
        assert_eq!(row, written);
    }
}

#[test]
fn a_writer_that_fails_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no space left"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let simulation = simulation(small(Style::Dense));
    for error in [
        write_csv(&simulation, Order::Days(7), Full).unwrap_err(),
        write_csv_gz(&simulation, Order::Days(7), 6, Full).unwrap_err(),
        write_parquet(&simulation, Order::Days(7), Full).unwrap_err(),
        write_truth_json(&simulation, Full).unwrap_err(),
        write_truth_csv(&simulation, Full).unwrap_err(),
    ] {
        assert!(error.to_string().contains("no space left"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}

#[test]
fn utc_times_are_the_same_tickets() {
    let local = lines(&simulation(small(Style::Grocery)), Order::Customers(8));
    let zoned = SimulationParameters {
        utc_zone: Some("America/New_York".into()),
        ..small(Style::Grocery)
    };
    let utc = lines(&simulation(zoned), Order::Customers(8));
    let hours: BTreeSet<i64> = local
        .iter()
        .zip(&utc)
        .map(|(local, utc)| (utc.time - local.time) / 3_600_000_000)
        .collect();
    assert_eq!(hours, BTreeSet::from([4, 5])); // the clocks go forward on 9 March
    let back = utc.iter().zip(&local).map(|(utc, local)| TicketLine {
        time: local.time,
        ..*utc
    });
    assert_eq!(back.collect::<Vec<_>>(), local);
}

#[test]
fn the_till_returns_voids_and_repeats() {
    let all = lines(
        &simulation(SimulationParameters {
            customers: 100,
            ..SimulationParameters::default()
        }),
        Order::Customers(8),
    );
    let void = |pair: &[TicketLine]| {
        pair[1]
            == TicketLine {
                quantity: -pair[0].quantity,
                ..pair[0]
            }
    };
    let voids = all
        .windows(2)
        .filter(|pair| pair[0].quantity > 0 && void(pair))
        .count();
    let repeats = all.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let negative = all.iter().filter(|line| line.quantity < 0).count();
    assert!(
        voids > 50 && repeats > 200 && negative > voids + 50,
        "{voids} {repeats} {negative}"
    );
    assert!((negative as f64) < 0.02 * all.len() as f64);
    // Who brings something back has bought it before.
    let mut bought = BTreeSet::new();
    for line in &all {
        if line.quantity > 0 {
            bought.insert((line.customer, line.product));
        }
        assert!(bought.contains(&(line.customer, line.product)), "{line:?}");
    }
}

#[test]
fn the_estimate_is_near() {
    for style in Style::ALL {
        let simulation = simulation(SimulationParameters {
            style,
            customers: 500,
            ..SimulationParameters::default()
        });
        let lines = lines(&simulation, Order::Customers(64)).len() as f64;
        let ratio = simulation.estimated_lines() as f64 / lines;
        assert!((0.8..1.25).contains(&ratio), "{style}: {ratio}");
    }
}

#[test]
fn the_truth_is_written() {
    let simulation = simulation(small(Style::Sparse));
    let (mut json, mut csv) = (Vec::new(), Vec::new());
    assert_eq!(write_truth_json(&simulation, &mut json).unwrap(), 40);
    let truths: Vec<Truth> = serde_json::from_slice(&json).unwrap();
    assert_eq!(truths.len(), 40);
    assert_eq!(truths[3].customer_id, 4);
    let rows = write_truth_csv(&simulation, &mut csv).unwrap();
    assert_eq!(
        rows as usize,
        truths
            .iter()
            .map(|truth| truth.staples.len().max(1))
            .sum::<usize>()
    );
    let text = String::from_utf8(csv).unwrap();
    assert_eq!(text.lines().count() as u64, rows + 1);
    assert!(
        text.lines().all(|row| row.matches(',').count() == 10),
        "{text}"
    );
    assert_eq!(simulation.truth(40), None);
}

#[test]
fn parameters_out_of_range_are_refused() {
    fn check(parameters: SimulationParameters) -> String {
        let error = Simulation::new(parameters).unwrap_err().to_string();
        error.split_once("\nhint: ").unwrap().0.to_owned()
    }
    let default = SimulationParameters::default;
    assert_eq!(
        check(SimulationParameters {
            customers: 0,
            ..default()
        }),
        "customers should be between 1 and 100000000, but is 0"
    );
    assert_eq!(
        check(SimulationParameters {
            products: 99,
            ..default()
        }),
        "products should be between 100 and 1000000, but is 99"
    );
    assert_eq!(
        check(SimulationParameters {
            days: 3_654,
            ..default()
        }),
        "days should be between 1 and 3653, but is 3654"
    );
    assert_eq!(
        check(SimulationParameters {
            days: 0,
            ..default()
        }),
        "days should be between 1 and 3653, but is 0"
    );
    assert_eq!(
        check(SimulationParameters {
            start: Day::from_epoch(47_300),
            ..default()
        }),
        "start + days − 1 should be between 1990-01-01 and 2099-12-31, but is 2100-07-02"
    );
    assert_eq!(
        check(SimulationParameters {
            start: Day::from_epoch(0),
            ..default()
        }),
        "start should be between 1990-01-01 and 2099-12-31, but is 1970-01-01"
    );
    let zone = Simulation::new(SimulationParameters {
        utc_zone: Some("America/NewYork".into()),
        ..default()
    })
    .unwrap_err()
    .to_string();
    assert!(
        zone.starts_with("the time zone \"America/NewYork\" does not exist\nhint: ")
            && zone.contains("America/New_York"),
        "{zone}"
    );
    let style = "huge".parse::<Style>().unwrap_err().to_string();
    assert_eq!(
        style,
        "\"huge\" is not a style of store\nhint: use one of grocery, dense, sparse, seasonal, drifting, promotions"
    );
    assert!(serde_json::from_str::<SimulationParameters>(r#"{"customer": 3}"#).is_err());
    let some: SimulationParameters =
        serde_json::from_str(r#"{"style": "dense", "start": "2024-02-29"}"#).unwrap();
    assert_eq!(
        some,
        SimulationParameters {
            style: Style::Dense,
            start: "2024-02-29".parse().unwrap(),
            ..default()
        }
    );
}

#[test]
fn the_smallest_and_oddest_stores_work() {
    for style in Style::ALL {
        // With 13,600 products the largest category has 1,026.
        let sizes = [(1, 100, 1), (3, 100, 3_653), (30, 101, 2), (1, 13_600, 1)];
        for (customers, products, days) in sizes {
            let simulation = simulation(SimulationParameters {
                style,
                customers,
                products,
                days,
                ..SimulationParameters::default()
            });
            assert_eq!(
                by_customer(lines(&simulation, Order::Days(400))),
                lines(&simulation, Order::Customers(2))
            );
        }
    }
}
