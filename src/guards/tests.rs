use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::profile::LOOKED_AT_DAYS;
use super::*;
use crate::calendar::Day;
use crate::domain::Ids;
use crate::ingest::FeedDays;
use crate::purchases::{Line, Purchases};

/// A Monday.
const NIGHT: Day = Day::from_epoch(20_423);

/// The customers of a weekday as a share of the mean, from Monday on.
const WEEK: [f64; 7] = [0.8, 0.9, 0.9, 1.0, 1.1, 1.3, 1.0];

/// About a normal deviate: the sum of 12 uniform ones.
fn normal(random: &mut StdRng) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

fn poisson(random: &mut StdRng, mean: f64) -> u64 {
    (mean + mean.sqrt() * normal(random)).round().max(0.0) as u64
}

/// A store with so many customers a day, in which nothing happens.
fn quiet(seed: u64, customers: f64) -> FeedProfile {
    let mut random = StdRng::seed_from_u64(seed);
    let days = (0..LOOKED_AT_DAYS).map(|ago| {
        let weekday = (NIGHT - ago as i32).weekday();
        let came = poisson(&mut random, customers * WEEK[weekday]).max(1);
        // Baskets differ much between customers.
        let basket = (12.0 + 10.0 * normal(&mut random) / (came as f64).sqrt()).max(2.0);
        let lines = (came as f64 * basket).round() as u64;
        DayProfile {
            lines,
            customers: came,
            new_customers: poisson(&mut random, 0.02 * came as f64).min(came),
            unseen_lines: poisson(&mut random, 0.02 * lines as f64).min(lines),
            kept: lines + lines / 50,
            returned: lines / 100,
            bad: u64::from(lines.is_multiple_of(7)),
        }
    });
    FeedProfile {
        night: NIGHT,
        days: days.collect(),
        products: Vanished {
            known: 800,
            gone: 12,
        },
        customers: Vanished {
            known: 900,
            gone: 40,
        },
        hours: None,
        stores: vec![],
    }
}

/// The codes of breaches, and those of warnings.
fn codes(feed: &FeedProfile) -> (Vec<String>, Vec<String>) {
    codes_in(feed, &GuardContext::default())
}

fn codes_in(feed: &FeedProfile, context: &GuardContext<'_>) -> (Vec<String>, Vec<String>) {
    let findings = judge(feed, context, &GuardSettings::default()).unwrap();
    let (breaches, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.is_breach);
    let code = |finding: GuardFinding| finding.warning.code;
    (
        breaches.into_iter().map(code).collect(),
        warnings.into_iter().map(code).collect(),
    )
}

/// What the guards say after a change of a quiet feed.
fn after(change: impl FnOnce(&mut FeedProfile)) -> (Vec<String>, Vec<String>) {
    let mut feed = quiet(1, 300.0);
    change(&mut feed);
    codes(&feed)
}

fn thin(day: &mut DayProfile, share: f64) {
    day.lines = (day.lines as f64 * share) as u64;
    day.kept = (day.kept as f64 * share) as u64;
}

fn empty(day: &mut DayProfile) {
    *day = DayProfile::default();
}

fn breach(code: &str) -> (Vec<String>, Vec<String>) {
    (vec![code.to_owned()], vec![])
}

fn warning(code: &str) -> (Vec<String>, Vec<String>) {
    (vec![], vec![code.to_owned()])
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (vec![], vec![])
}

/// Chance alone warns of a small store's night once in some hundreds, and stops none. The cases are
/// always the same ones: a test of chance that draws anew would fail now and then.
#[test]
fn chance_alone_stops_no_night_and_hardly_ever_warns() {
    let mut warned = 0;
    for seed in 0..1_000_u64 {
        let customers = 1.5_f64.powf(seed as f64 % 18.0) + seed as f64 / 500.0;
        let mut feed = quiet(seed, customers);
        if seed % 2 == 1 {
            feed.days.truncate(seed as usize % LOOKED_AT_DAYS);
        }
        let (breaches, warnings) = codes(&feed);
        assert_eq!(breaches, Vec::<String>::new(), "seed {seed}: {customers}");
        warned += warnings.len();
    }
    assert!(warned <= 4, "{warned} of 1,000 nights");
}

#[test]
fn a_feed_that_ends_early_is_stale() {
    assert_eq!(after(|feed| empty(&mut feed.days[0])), breach("stale"));
    let week = after(|feed| feed.days[..7].iter_mut().for_each(empty));
    assert_eq!(week, breach("stale"));
}

#[test]
fn closed_days_are_neither_stale_nor_missing() {
    // Closed on Mondays, and the night is one.
    let closed_weekday = after(|feed| feed.days.iter_mut().step_by(7).for_each(empty));
    assert_eq!(closed_weekday, nothing());
    let mut feed = quiet(1, 300.0);
    empty(&mut feed.days[0]);
    feed.night = "2023-12-25".parse().unwrap(); // a Monday, too
    assert_eq!(codes(&feed), nothing());
    let settings = GuardSettings {
        closed_days: vec![],
        ..GuardSettings::default()
    };
    let found = judge(&feed, &GuardContext::default(), &settings).unwrap();
    assert!(
        found[0].is_breach && found[0].warning.text.contains("max_stale_days = 0"),
        "{found:?}"
    );
}

#[test]
fn single_days_without_lines_are_a_warning_and_a_stretch_is_a_breach() {
    let here_and_there = after(|feed| {
        for ago in [4, 11, 19] {
            empty(&mut feed.days[ago]);
        }
    });
    assert_eq!(here_and_there, warning("missing-days"));
    let week = after(|feed| feed.days[15..22].iter_mut().for_each(empty));
    assert_eq!(week, breach("missing-days"));
}

#[test]
fn two_days_on_one_are_found_whichever_is_empty() {
    for (gap, beside) in [(9, 8), (8, 9)] {
        let (breaches, _) = after(|feed| {
            let moved = feed.days[gap];
            empty(&mut feed.days[gap]);
            let day = &mut feed.days[beside];
            (day.lines, day.customers) = (day.lines + moved.lines, day.customers + moved.customers);
        });
        assert_eq!(breaches, ["two-days-on-one"], "{gap}");
    }
}

#[test]
fn a_night_without_half_of_its_lines_is_a_breach_and_without_a_third_a_warning() {
    assert_eq!(after(|feed| thin(&mut feed.days[0], 0.4)).0, ["low-night"]);
    assert_eq!(
        after(|feed| thin(&mut feed.days[0], 0.65)),
        warning("thin-night")
    );
    // Tickets are missing, and not lines.
    let tickets = after(|feed| {
        thin(&mut feed.days[0], 0.65);
        feed.days[0].customers = feed.days[0].customers * 65 / 100;
    });
    assert_eq!(tickets, warning("thin-night"));
}

#[test]
fn one_low_day_is_a_warning_and_several_are_a_breach() {
    let low = |days: &'static [usize]| {
        after(|feed| {
            for ago in days {
                thin(&mut feed.days[*ago], 0.3);
            }
        })
    };
    assert_eq!(low(&[5]), warning("low-days"));
    assert_eq!(low(&[5, 9, 16]), breach("low-days"));
}

#[test]
fn a_month_of_fewer_lines_is_a_breach() {
    let lines = after(|feed| feed.days[..30].iter_mut().for_each(|day| thin(day, 0.7)));
    assert!(lines.0.contains(&"low-month".to_owned()), "{lines:?}");
    assert!(lines.0.contains(&"small-baskets".to_owned()), "{lines:?}");
    let grown = after(|feed| feed.days[..30].iter_mut().for_each(|day| thin(day, 1.3)));
    assert_eq!(grown, nothing());
}

#[test]
fn ids_of_another_scheme_are_a_breach() {
    let products = after(|feed| feed.days[0].unseen_lines = feed.days[0].lines);
    assert_eq!(products, breach("unseen-products"));
    let customers = after(|feed| feed.days[29].new_customers = feed.days[29].customers);
    assert_eq!(customers, breach("unseen-customers"));
    // Before that, the history is too short to know many.
    let begins = after(|feed| {
        feed.days.truncate(90);
        feed.days[89].new_customers = feed.days[89].customers;
        feed.days[88].unseen_lines = feed.days[88].lines;
    });
    assert_eq!(begins, nothing());
}

#[test]
fn customers_that_are_gone_are_a_breach_and_products_a_warning() {
    let half = Vanished {
        known: 800,
        gone: 400,
    };
    assert_eq!(
        after(|feed| feed.products = half),
        warning("vanished-products")
    );
    assert_eq!(
        after(|feed| feed.customers = half),
        breach("vanished-customers")
    );
    let few = Vanished { known: 10, gone: 9 };
    assert_eq!(after(|feed| feed.customers = few), nothing());
}

#[test]
fn quantities_of_zero_and_bad_lines_are_breaches() {
    let returned = |days: usize, share: u64| {
        after(|feed| {
            for day in &mut feed.days[..days] {
                day.returned = day.kept * share / 100;
            }
        })
    };
    assert_eq!(returned(1, 30), breach("returned-lines"));
    let month = returned(30, 30);
    assert!(month.0.iter().all(|code| code == "returned-lines") && !month.0.is_empty());
    // A store in which a fifth of the lines are voids, as ever.
    assert_eq!(returned(LOOKED_AT_DAYS, 20), nothing());
    assert_eq!(
        after(|feed| feed.days[0].bad = feed.days[0].kept),
        breach("bad-lines")
    );
    // A store that had bad lines before.
    assert_eq!(
        after(|feed| feed.days[3].bad = feed.days[3].kept),
        nothing()
    );
}

#[test]
fn repeated_lines_are_a_warning() {
    let twice =
        |days: usize| after(|feed| feed.days[..days].iter_mut().for_each(|day| day.kept *= 2));
    assert_eq!(twice(1), warning("repeated-lines"));
    assert_eq!(twice(LOOKED_AT_DAYS), nothing());
}

fn context(training: &TrainingFeed) -> GuardContext<'_> {
    GuardContext {
        training: Some(training),
        ..GuardContext::default()
    }
}

#[test]
fn what_all_days_have_is_found_beside_the_training() {
    let training = TrainingFeed::new(&quiet(2, 300.0));
    assert_eq!(codes_in(&quiet(1, 300.0), &context(&training)), nothing());
    let mut less = quiet(1, 300.0);
    less.days.iter_mut().for_each(|day| thin(day, 0.7));
    assert_eq!(
        codes_in(&less, &context(&training)),
        warning("other-feed-than-trained")
    );
    let mut twice = quiet(1, 300.0);
    twice.days.iter_mut().for_each(|day| day.kept *= 2);
    assert_eq!(
        codes_in(&twice, &context(&training)),
        warning("other-feed-than-trained")
    );
    assert_eq!(
        codes_in(&quiet(1, 900.0), &context(&training)),
        warning("other-feed-than-trained")
    );
}

#[test]
fn the_number_of_recurrent_customers_may_not_jump() {
    let jump = |before: usize, recurrent: usize| {
        let context = GuardContext {
            recurrent,
            published: Some(PublishedNight {
                as_of: AsOf(NIGHT - 1),
                recurrent: before,
            }),
            ..GuardContext::default()
        };
        codes_in(&quiet(1, 300.0), &context)
    };
    assert_eq!(jump(83, 20), breach("recurrent-customers"));
    assert_eq!(jump(83, 180), breach("recurrent-customers"));
    assert_eq!(jump(83, 70), nothing());
    assert_eq!(jump(5, 2), nothing());
}

#[test]
fn an_old_model_is_a_breach() {
    let trained = |days: i32| {
        let context = GuardContext {
            model: Some(AsOf(NIGHT - days)),
            ..GuardContext::default()
        };
        codes_in(&quiet(1, 300.0), &context)
    };
    assert_eq!(trained(120), nothing());
    assert_eq!(trained(121), breach("old-model"));
}

#[test]
fn nothing_is_judged_where_guards_are_off() {
    let mut feed = quiet(1, 300.0);
    empty(&mut feed.days[0]);
    let settings = GuardSettings {
        enabled: false,
        ..GuardSettings::default()
    };
    assert_eq!(
        judge(&feed, &GuardContext::default(), &settings).unwrap(),
        []
    );
}

#[test]
fn sales_move_around_the_clock() {
    let mut day = [0.0; 24];
    day[8..20].fill(100.0);
    let moved = |hours: usize| {
        let mut moved = day;
        moved.rotate_right(hours);
        hours::shift(&moved, &day, 100.0).unwrap()
    };
    for (hours, shift) in [(0, 0.0), (1, 1.0), (6, 4.5), (23, 1.0)] {
        assert!(
            (moved(hours) - shift).abs() < 1e-9,
            "{hours}: {}",
            moved(hours)
        );
    }
    assert_eq!(hours::shift(&day, &[0.0; 24], 100.0), None);
}

#[test]
fn a_refusal_names_every_breach_with_its_value_and_limit() {
    let mut feed = quiet(1, 300.0);
    empty(&mut feed.days[0]);
    feed.customers = Vanished {
        known: 800,
        gone: 400,
    };
    let findings = judge(&feed, &GuardContext::default(), &GuardSettings::default()).unwrap();
    let error = refusal(&findings, "nothing was published").unwrap();
    assert_eq!(error.exit_code(), 3);
    let text = error.to_string();
    for part in [
        "2 breaches of the guards: nothing was published",
        "stale: ",
        "max_stale_days = 0",
        "50 %",
        "30 %",
        "--force",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(refusal(&[], "").map(|error| error.to_string()), None);
}

#[test]
fn a_profile_is_counted_from_purchases_whatever_the_partitions() {
    // Customer 0 buys product 0 every day of 100, customer 1 product 1 on the night for the first time.
    let mut lines: Vec<Line> = (0..100)
        .map(|ago| Line {
            customer: 0,
            day: NIGHT - ago,
            product: 0,
        })
        .collect();
    lines.push(Line {
        customer: 1,
        day: NIGHT,
        product: 1,
    });
    lines.push(Line {
        customer: 1,
        day: NIGHT + 1,
        product: 1,
    });
    let purchases =
        Purchases::from_lines(Ids::Integer(vec![10, 20]), Ids::Integer(vec![1, 2]), lines).unwrap();
    let mut counts = FeedCounts::new(AsOf(NIGHT), 2);
    counts.add(&purchases.until(AsOf(NIGHT)));
    let feed = counts.finish(&FeedDays::default());
    assert_eq!(feed.days.len(), 100);
    let night = DayProfile {
        lines: 2,
        customers: 2,
        new_customers: 1,
        unseen_lines: 1,
        ..DayProfile::default()
    };
    assert_eq!(feed.days[0], night);
    assert_eq!(
        (
            feed.days[99].new_customers,
            feed.days[99].unseen_lines,
            feed.days[50].unseen_lines
        ),
        (1, 1, 0)
    );
    assert_eq!(
        (feed.products, feed.customers),
        (
            Vanished { known: 1, gone: 0 },
            Vanished { known: 1, gone: 0 }
        )
    );
}

#[test]
fn a_product_bought_long_ago_is_not_unseen() {
    let line = |day| Line {
        customer: 0,
        day,
        product: 0,
    };
    let lines = vec![line(NIGHT - 400), line(NIGHT - 30), line(NIGHT)];
    let purchases =
        Purchases::from_lines(Ids::Integer(vec![10]), Ids::Integer(vec![1]), lines).unwrap();
    let mut counts = FeedCounts::new(AsOf(NIGHT), 1);
    counts.add(&purchases.until(AsOf(NIGHT)));
    let feed = counts.finish(&FeedDays::default());
    let of = |ago: usize| {
        let day = feed.days[ago];
        (day.lines, day.new_customers, day.unseen_lines)
    };
    assert_eq!([of(0), of(30), of(31)], [(1, 0, 0), (1, 0, 0), (0, 0, 0)]);
}

#[test]
fn the_page_of_guards_has_all_of_them_and_their_limits() {
    let page = include_str!("../../docs/how-to/guard-the-feed.md");
    for (code, _) in GUARDS {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
    for setting in GuardSettings::SETTINGS {
        assert!(page.contains(setting.key), "{}", setting.key);
    }
}

/// Features of so many customers, each with one row.
fn rows(seed: u64, customers: usize, value: impl Fn(&mut StdRng) -> [f32; 2]) -> FeatureRows {
    let mut random = StdRng::seed_from_u64(seed);
    let names = ["timing.gap", "timing.basket"].map(str::to_owned);
    let mut table = FeatureColumns::new(names.into());
    for _ in 0..customers {
        table.push(value(&mut random).into_iter(), 1.0);
    }
    FeatureRows {
        customers,
        tables: vec![table],
    }
}

/// A value of many and one of few kinds.
fn alike(random: &mut StdRng) -> [f32; 2] {
    let gap = 7.0 + 2.0 * normal(random) as f32;
    [gap, random.random_range(1..=4) as f32]
}

#[test]
fn chance_is_no_shift_of_features_however_few_customers() {
    for (seed, customers) in (0..400).zip([50, 80, 130, 500, 2_000].into_iter().cycle()) {
        let trained = TrainingFeatures::new(&rows(seed, 60 + customers, alike)).unwrap();
        let shifts = trained.shifts(&rows(1_000 + seed, customers, alike));
        assert_eq!(shifts.len(), 2);
        let most = shifts.first().unwrap().index;
        assert!(most < 0.25, "{customers} customers: {shifts:?}");
        assert!(customers < 500 || most < 0.1, "{customers}: {shifts:?}");
    }
    assert!(TrainingFeatures::new(&rows(1, 49, alike)).is_none());
    let trained = TrainingFeatures::new(&rows(1, 500, alike)).unwrap();
    assert!(trained.shifts(&rows(1, 49, |_| [90.0, 90.0])).is_empty());
}

#[test]
fn shifted_features_are_a_warning_that_names_them_with_value_and_limit() {
    let trained = TrainingFeatures::new(&rows(1, 500, alike)).unwrap();
    let shifts = trained.shifts(&rows(2, 500, |random| {
        let [gap, basket] = alike(random);
        [gap + 3.0, basket]
    }));
    let context = GuardContext {
        shifts: &shifts,
        ..GuardContext::default()
    };
    let findings = judge(&quiet(1, 300.0), &context, &GuardSettings::default()).unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    let GuardFinding { is_breach, warning } = &findings[0];
    assert!(!is_breach && warning.code == "shifted-features");
    assert_eq!(warning.limit, Some(0.25));
    assert!(warning.value.unwrap() > 1.0, "{warning:?}");
    assert!(warning.text.contains("timing.gap ") && !warning.text.contains("basket"));
}

#[test]
fn the_index_is_the_one_of_the_shares_less_what_chance_gives() {
    let values = |low: usize| {
        let mut table = FeatureColumns::new(vec!["x".to_owned()]);
        for at in 0..10_000 {
            table.push(std::iter::once(f32::from(u8::from(at >= low))), 1.0);
        }
        FeatureRows {
            customers: 10_000,
            tables: vec![table],
        }
    };
    let trained = TrainingFeatures::new(&values(5_000)).unwrap();
    let shift = trained.shifts(&values(8_000)).remove(0).index;
    let expected = 0.3 * (0.8_f64 / 0.5).ln() - 0.3 * (0.2_f64 / 0.5).ln() - 2.0 / 10_000.0;
    assert!((shift - expected).abs() < 1e-3, "{shift} {expected}");
    let back: TrainingFeatures =
        serde_json::from_str(&serde_json::to_string(&trained).unwrap()).unwrap();
    assert_eq!(back, trained);
}

/// A quiet chain of stores with these numbers of customers a day.
fn chain(seed: u64, customers: &[f64]) -> FeedProfile {
    let mut random = StdRng::seed_from_u64(seed);
    let stores = customers.iter().zip(1..).map(|(mean, store)| StoreDays {
        store: format!("S{store}"),
        customers: (0..LOOKED_AT_DAYS as i32)
            .map(|ago| poisson(&mut random, mean * WEEK[(NIGHT - ago).weekday()]))
            .collect(),
    });
    FeedProfile {
        stores: stores.collect(),
        ..quiet(seed, customers.iter().sum())
    }
}

#[test]
fn a_store_of_a_chain_that_stops_sending_is_a_breach() {
    let six = [60.0, 50.0, 40.0, 40.0, 35.0, 30.0];
    let mut feed = chain(1, &six);
    assert_eq!(codes(&feed), nothing());
    feed.stores[2].customers[0] = 0;
    assert_eq!(codes(&feed), breach("missing-stores"));
    let finding = &judge(&feed, &GuardContext::default(), &GuardSettings::default()).unwrap()[0];
    let text = &finding.warning.text;
    assert!(
        text.starts_with("on 2025-12-01, the store \"S3\" sent nothing"),
        "{text}"
    );
    assert!(text.contains("10 % may be missing (max_missing_store_share)"));
    // A store that has closed is known, and a small part of a large chain is a warning.
    let settings = GuardSettings {
        closed_stores: vec!["S3".into()],
        ..GuardSettings::default()
    };
    assert_eq!(
        judge(&feed, &GuardContext::default(), &settings).unwrap(),
        []
    );
    let mut large = chain(2, &[50.0; 30]);
    large.stores[7].customers[3] = 2;
    assert_eq!(codes(&large), warning("missing-stores"));
}

#[test]
fn chance_is_no_missing_store() {
    for seed in 0..200 {
        let feed = chain(seed, &[3.0, 9.0, 14.0, 30.0, 80.0, 200.0]);
        let (breaches, warnings) = codes(&feed);
        let is_found = |codes: Vec<String>| codes.contains(&"missing-stores".to_owned());
        assert!(!is_found(breaches) && !is_found(warnings), "{seed}");
    }
}
