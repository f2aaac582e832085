use super::*;
use crate::config::HISTORY_DAYS;
use crate::domain::Ids;
use crate::models::examples::{NIGHT, read, rule, small, store, tiny_model};
use crate::purchases::tests::{CountedPartitions, limited};
use crate::purchases::{Line, Purchases};

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn nights_of(months: &[Month], every: u32) -> HeldOutMonths<'_> {
    HeldOutMonths {
        months,
        every,
        offers: None,
    }
}

fn texts(nights: &[AsOf]) -> Vec<String> {
    nights.iter().map(ToString::to_string).collect()
}

/// Two customers who buy the same product every three days from 2017-01-01 to `last`.
fn steady(last: &str) -> Purchases {
    let (first, last): (Day, Day) = ("2017-01-01".parse().unwrap(), last.parse().unwrap());
    let days = (0..)
        .map(|step| first + 3 * step)
        .take_while(|day| *day <= last);
    let lines = days.flat_map(|day| {
        [0, 1].map(|customer| Line {
            customer,
            day,
            product: 0,
        })
    });
    Purchases::from_lines(
        Ids::Integer(vec![1, 2]),
        Ids::Integer(vec![7]),
        lines
            .chain([Line {
                customer: 0,
                day: last,
                product: 0,
            }])
            .collect(),
    )
    .unwrap()
}

#[test]
fn nights_begin_on_the_eve_and_end_before_the_month_and_the_data_do() {
    let of = |name: &str, last: &str, every| {
        let (month, last): (Month, Day) = (month(name), last.parse().unwrap());
        texts(&nights(month.eve(), month.last().min(last), every))
    };
    assert_eq!(
        of("2017-11", "2018-01-01", 7),
        [
            "2017-10-31",
            "2017-11-07",
            "2017-11-14",
            "2017-11-21",
            "2017-11-28"
        ]
    );
    assert_eq!(
        of("2017-12", "2018-01-01", 7),
        [
            "2017-11-30",
            "2017-12-07",
            "2017-12-14",
            "2017-12-21",
            "2017-12-28"
        ]
    );
    assert_eq!(
        of("2017-12", "2017-12-21", 7),
        ["2017-11-30", "2017-12-07", "2017-12-14"],
        "nothing follows 12-21"
    );
    assert_eq!(
        of("2017-12", "2017-12-31", 30),
        ["2017-11-30", "2017-12-30"],
        "12-31 is in the month"
    );
    assert_eq!(of("2017-12", "2017-12-31", 31), ["2017-11-30"]);
    assert_eq!(of("2017-12", "2017-12-31", u32::MAX), ["2017-11-30"]);
}

#[test]
fn months_that_cannot_be_held_out_are_refused() {
    let data = steady("2017-11-20");
    let refused = |months: &[&str], every: u32| {
        let months: Vec<Month> = months.iter().map(|text| month(text)).collect();
        let error = evaluate(
            &data,
            &Rule::default(),
            &Parameters::default(),
            HISTORY_DAYS,
            nights_of(&months, every),
            &|_| {},
        )
        .unwrap_err();
        assert_eq!(error.exit_code(), 1);
        error.to_string()
    };
    assert!(
        refused(&["2017-12"], 7).contains("the data end on 2017-11-20 and do not reach 2017-12")
    );
    assert!(refused(&["2017-11", "2018-01"], 7).contains("2018-01"));
    assert!(refused(&["2017-01"], 7).contains("nothing before 2017-01"));
    assert!(
        refused(&["2017-11", "2017-10", "2017-11"], 7)
            .contains("the month 2017-11 is held out twice")
    );
    assert!(refused(&["2017-11"], 0).contains("at least 1 day"));
    assert!(refused(&[], 7).contains("no month"));
    let refused = |as_of: &str| {
        evaluate_model(
            &tiny_model(as_of.parse().unwrap(), 1),
            &data,
            &Rule::default(),
            HISTORY_DAYS,
            nights_of(&[month("2017-11")], 7),
            &|_| {},
        )
        .unwrap_err()
        .to_string()
    };
    let seen = refused("2017-11-01");
    assert!(
        seen.contains("trained up to 2017-11-01, so it has seen 2017-11")
            && seen.contains("--as-of 2017-10-31"),
        "{seen}"
    );
    let nobody = refused("2017-10-31");
    assert!(
        nobody.contains("nobody meets the recurrence rule")
            && nobody.contains("--basket-share would let in: 0 (2)"),
        "{nobody}"
    );
}

/// The example store's `NIGHT` is 2017-05-14, and it goes on for 40 days after it.
fn model_at(as_of: AsOf) -> Model {
    tiny_model(as_of, 1)
}

/// The summary of a history on the last night that is held out of a model.
fn held_out_population(purchases: &Purchases, backtest_model: &Model) -> PopulationSummary {
    let last = backtest_model.as_of.day() + models::HELD_OUT_DAYS;
    PopulationSummary::new(purchases, AsOf(last), &rule()).unwrap()
}

#[test]
fn a_model_is_compared_with_all_baselines() {
    let all = read(store(40, 150, 3));
    let eve: AsOf = "2017-05-31".parse().unwrap();
    let evaluation = evaluate_model(
        &model_at(eve),
        &all,
        &rule(),
        HISTORY_DAYS,
        nights_of(&[month("2017-06")], 7),
        &|_| {},
    )
    .unwrap();
    let short = evaluate_model(
        &model_at(eve),
        &all,
        &rule(),
        95,
        nights_of(&[month("2017-06")], 7),
        &|_| {},
    )
    .unwrap();
    let last = all.span().unwrap().last;
    let nights = nights(eve, last.min(month("2017-06").last()), 7);
    assert_eq!(evaluation.nights, nights);
    let names: Vec<&str> = evaluation
        .contenders
        .iter()
        .map(|contender| contender.name.as_str())
        .collect();
    let baselines = [
        "population median",
        "personal median gap",
        "personal mean gap",
        "P-TopFreq",
        "GP-TopFreq",
        "decayed frequency 0.9",
        "TIFUKNN",
    ];
    assert_eq!(names, [&[OKUO][..], &baselines].concat());
    // What stands there is what the model's own predictions give.
    let of_days = |days: u32| {
        let rows_of = |night: &AsOf| {
            let known = all.known(*night).unwrap().since(night.first_of(days));
            night_rows(
                &models::score(&model_at(eve), "x", &known, *night, &rule()).unwrap(),
                &all,
            )
            .unwrap()
        };
        figures(&nights.iter().map(rows_of).collect::<Vec<NightRows>>())
    };
    let okuo = &evaluation.contenders[0];
    assert_eq!(okuo.figures, of_days(HISTORY_DAYS));
    assert_eq!(short.contenders[0].figures, of_days(95));
    assert_ne!(short.contenders[0].figures, okuo.figures);
    for baseline in &evaluation.contenders[1..] {
        let (f, timing) = (
            &baseline.figures,
            baselines[..3].contains(&baseline.name.as_str()),
        );
        assert_eq!(
            (f.rows, f.returned, f.nights),
            (okuo.figures.rows, okuo.figures.returned, nights.len()),
            "{}",
            baseline.name
        );
        assert_eq!(
            (
                f.mae.is_some(),
                f.ndcg_at_10.is_some(),
                f.coverage_80.is_some(),
                f.pairs
            ),
            (timing, !timing, false, None)
        );
    }
    for (figure, best) in &evaluation.best_baselines {
        let of = |contender: &Contender| figure.of(&contender.figures);
        let best = of(evaluation
            .contenders
            .iter()
            .find(|contender| contender.name == *best)
            .unwrap())
        .unwrap();
        let rest = evaluation.contenders[1..].iter().filter_map(of);
        assert!(rest.into_iter().all(|other| if figure.higher_is_better() {
            other <= best
        } else {
            other >= best
        }));
    }
    for difference in &okuo.differences {
        assert!(
            difference.interval.low <= difference.difference
                && difference.difference <= difference.interval.high,
            "{difference:?}"
        );
    }
    assert!(
        okuo.intervals[&Figure::Mae].low <= okuo.figures.mae.unwrap()
            && okuo.figures.mae.unwrap() <= okuo.intervals[&Figure::Mae].high
    );
    let json = serde_json::to_value(&evaluation).unwrap();
    assert!(json["contenders"][0]["intervals"]["ndcg@10"]["low"].is_number());
}

#[test]
fn evaluate_trains_on_the_eve_and_is_the_same_twice() {
    let all = read(store(40, 150, 3));
    let run = || {
        let mut parameters = small();
        parameters.timing.boosting.trees = 2;
        parameters.basket.boosting.trees = 2;
        evaluate(
            &all,
            &rule(),
            &parameters,
            HISTORY_DAYS,
            nights_of(&[month("2017-06"), month("2017-05")], 10),
            &|_| {},
        )
        .unwrap()
    };
    let evaluation = run();
    let nights = texts(&evaluation.nights);
    assert_eq!(
        &nights[..5],
        [
            "2017-04-30",
            "2017-05-10",
            "2017-05-20",
            "2017-05-30",
            "2017-05-31"
        ]
    );
    assert_eq!(evaluation, run());
}

#[test]
fn the_final_model_is_measured_on_days_that_it_has_seen_and_stands_apart() {
    let all = read(store(40, 150, 3));
    let backtest_model = model_at(NIGHT);
    let population = held_out_population(&all, &backtest_model);
    let measured = |last: Option<&Model>| {
        held_out(
            &backtest_model,
            last,
            None,
            &all,
            &population,
            HISTORY_DAYS,
            HELD_OUT_CUSTOMERS,
        )
        .unwrap()
    };
    // The same model, trained later: the same figures.
    let last = Model {
        as_of: AsOf(NIGHT.day() + 28),
        ..backtest_model.clone()
    };
    let report = measured(Some(&last));
    let final_model = report.final_model.clone().unwrap();
    assert_eq!(final_model.figures, report.contender(OKUO).unwrap().figures);
    let differences = &final_model.differences;
    assert!(
        differences
            .iter()
            .all(|difference| difference.difference == 0.0)
    );
    assert!(
        differences
            .iter()
            .any(|difference| difference.figure == Figure::MaeAll)
    );
    let without = measured(None);
    assert_eq!(report.evaluation, without.evaluation);
    assert_eq!(without.final_model, None);
}

#[test]
fn held_out_compares_with_a_model_that_has_not_seen_the_days() {
    let all = read(store(40, 150, 3));
    let (backtest_model, old) = (model_at(NIGHT), tiny_model(AsOf(NIGHT.day() - 9), 2));
    let report = held_out(
        &backtest_model,
        None,
        Some(&old),
        &all,
        &held_out_population(&all, &backtest_model),
        HISTORY_DAYS,
        HELD_OUT_CUSTOMERS,
    )
    .unwrap();
    let expected: Vec<AsOf> = [0, 7, 14, 21]
        .iter()
        .map(|days| AsOf(NIGHT.day() + *days))
        .collect();
    assert_eq!(
        (report.evaluation.nights.clone(), &report.not_compared),
        (expected, &None)
    );
    // The same model under another name: the same figures, and a difference of nothing.
    let [new, replaced] = [OKUO, REPLACED].map(|name| report.contender(name).unwrap());
    assert_eq!(new.figures, replaced.figures);
    let contenders = &report.evaluation.contenders;
    let baselines = contenders.iter().filter(|contender| contender.baseline);
    assert_eq!(baselines.count(), 7);
    let difference = report.difference(Figure::MaeAll, REPLACED).unwrap();
    assert_eq!(
        (difference.difference, difference.verdict),
        (0.0, Verdict::Tie)
    );
    let beside: Vec<_> = report.evaluation.contenders[0]
        .differences
        .iter()
        .filter(|difference| difference.to == REPLACED)
        .collect();
    assert!(
        !beside.is_empty()
            && beside
                .iter()
                .all(|difference| difference.verdict == Verdict::Tie)
    );
    assert_eq!(report.evaluation.contenders.last().unwrap().name, REPLACED);

    // Days after T change nothing.
    let until = all.known(AsOf(NIGHT.day() + 28)).unwrap();
    assert_eq!(
        held_out(
            &backtest_model,
            None,
            Some(&old),
            &until,
            &held_out_population(&until, &backtest_model),
            HISTORY_DAYS,
            HELD_OUT_CUSTOMERS
        )
        .unwrap()
        .evaluation
        .contenders[0]
            .figures,
        report.evaluation.contenders[0].figures
    );

    let newer = tiny_model(AsOf(NIGHT.day() + 1), 3);
    let report = held_out(
        &backtest_model,
        None,
        Some(&newer),
        &all,
        &held_out_population(&all, &backtest_model),
        HISTORY_DAYS,
        HELD_OUT_CUSTOMERS,
    )
    .unwrap();
    assert!(report.contender(REPLACED).is_none());
    assert!(
        report
            .not_compared
            .unwrap()
            .contains("has seen the held-out days from 2017-05-15 on")
    );
}

#[test]
fn of_many_customers_the_same_some_are_measured_every_night() {
    let all = read(store(40, 150, 3));
    let backtest_model = model_at(NIGHT);
    let mut backtest = Backtest::new(&all, NIGHT.day() + 28, &rule(), HISTORY_DAYS);
    backtest.draw_customers(9);
    let two_nights = [NIGHT, AsOf(NIGHT.day() + 7)];
    backtest
        .measure(NIGHT, &two_nights, &[(OKUO, &backtest_model)], &|_| {})
        .unwrap();
    let nights = backtest
        .entrants
        .iter()
        .find(|entrant| entrant.name == OKUO)
        .map(|entrant| entrant.nights.clone())
        .unwrap();
    let customers: Vec<Vec<u32>> = nights
        .iter()
        .map(|night| night.rows.iter().map(|row| row.customer).collect())
        .collect();
    assert_eq!((customers[0].len(), &customers[0]), (9, &customers[1]));
    // Their rows are the same as when all customers are scored.
    let whole = night_rows(
        &models::score(
            &backtest_model,
            OKUO,
            &all.known(NIGHT).unwrap(),
            NIGHT,
            &rule(),
        )
        .unwrap(),
        &all,
    )
    .unwrap();
    let of_them: Vec<_> = whole
        .rows
        .iter()
        .filter(|row| customers[0].contains(&row.customer))
        .collect();
    assert_eq!(of_them, nights[0].rows.iter().collect::<Vec<_>>());
    let warnings = backtest.finish().unwrap().warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning
                .starts_with("9 of the up to 40 customers of a night are measured")),
        "{warnings:?}"
    );
}

#[test]
fn a_night_on_which_nobody_is_recurrent_is_a_warning() {
    // 55 days after the first purchase nobody has three periods yet; three weeks later everybody
    // has.
    let all = read(store(40, 150, 3));
    let first = all.span().unwrap().first;
    let backtest_model = model_at(AsOf(first + 55));
    let report = held_out(
        &backtest_model,
        None,
        None,
        &all,
        &held_out_population(&all, &backtest_model),
        HISTORY_DAYS,
        HELD_OUT_CUSTOMERS,
    )
    .unwrap();
    assert!(
        report.evaluation.nights[0] > backtest_model.as_of,
        "{:?}",
        report.evaluation.nights
    );
    assert!(
        report
            .evaluation
            .warnings
            .iter()
            .any(|warning| warning.contains("nobody meets"))
    );
}

#[test]
fn all_held_out_nights_share_three_walks_whatever_the_partitions() {
    let whole = read(store(80, 150, 3));
    let partitions = limited(&whole, 1_000).partitions().unwrap();
    assert!(partitions.count() > 10, "{}", partitions.count());
    let (backtest_model, old) = (model_at(NIGHT), tiny_model(AsOf(NIGHT.day() - 9), 2));
    let population = held_out_population(&whole, &backtest_model);
    for most_customers in [HELD_OUT_CUSTOMERS, 20] {
        let counted = CountedPartitions::new(&*partitions);
        let [one, many] = [&whole as &dyn Partitions, &counted].map(|purchases| {
            held_out(
                &backtest_model,
                None,
                Some(&old),
                purchases,
                &population,
                95,
                most_customers,
            )
            .unwrap()
        });
        assert_eq!(one, many);
        assert_eq!(one.evaluation.nights.len(), 4);
        assert_eq!(counted.walks(), 3);
    }
}

#[test]
fn rows_do_not_depend_on_the_partitions() {
    let whole = read(store(80, 150, 3));
    let partitions = limited(&whole, 1_000).partitions().unwrap();
    let model = model_at(NIGHT);
    let nights: Vec<AsOf> = (0..6).map(|days| AsOf(NIGHT.day() + days)).collect();
    let [one, many] = [&whole as &dyn Partitions, &*partitions].map(|purchases| {
        let mut backtest = Backtest::new(purchases, NIGHT.day() + 28, &rule(), HISTORY_DAYS);
        backtest
            .measure(NIGHT, &nights, &[(OKUO, &model)], &|_| {})
            .unwrap();
        let entrants = backtest.entrants.into_iter();
        entrants
            .map(|entrant| (entrant.name, entrant.nights))
            .collect::<Vec<_>>()
    });
    assert_eq!((one.len(), one[0].1.len()), (8, nights.len()));
    assert!(!one[0].1[0].listed_products.is_empty());
    assert_eq!(one, many);
}
