use super::*;
use crate::artifact::Origin;
use crate::calendar::StoreClock;
use crate::config::HISTORY_DAYS;
use crate::domain::Ids;
use crate::domain::{CustomerPrediction, Details, MAX_RANK, Predictions, ProductPrediction};
use crate::eval::{Contender, Evaluation};
use crate::models::examples::{NIGHT, read, rule, small, store};
use crate::models::{NightSummary, score, score_in_slices, score_some};
use crate::offers::{OfferParameters, offers};
use crate::publish::tables::{Format, TableFile, Tables, files};
use crate::purchases::tests::{CountedPartitions, limited};
use crate::purchases::{Line, Purchases, RecentPartitions};

fn bytes(model: &Model) -> String {
    serde_json::to_string(model).unwrap()
}

#[test]
fn any_number_of_threads_gives_the_same_model_and_predictions() {
    let purchases = read(store(80, 200, 1)).known(NIGHT).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let model = train(&purchases, NIGHT, &rule(), &small(), &|_| {})
                .unwrap()
                .model;
            let predictions = score(&model, "m", &purchases, NIGHT, &rule()).unwrap();
            (bytes(&model), format!("{:?}", predictions.customers))
        })
    };
    let first = run(1);
    assert_eq!(first, run(2));
    assert_eq!(first, run(5));
}

#[test]
fn part_after_part_of_the_customers_gives_the_same_predictions() {
    let purchases = read(store(80, 200, 1)).known(NIGHT).unwrap();
    let model = train(&purchases, NIGHT, &rule(), &small(), &|_| {})
        .unwrap()
        .model;
    let whole = score(&model, "m", &purchases, NIGHT, &rule()).unwrap();
    let partitions = crate::purchases::tests::limited(&purchases, 1_000)
        .partitions()
        .unwrap();
    assert!(partitions.count() > 10, "{}", partitions.count());
    let night = NightSummary::new(&model, &*partitions, NIGHT, &rule()).unwrap();
    assert_eq!(
        (night.population.span, night.population.distinct_lines),
        (purchases.span(), purchases.distinct_lines())
    );
    let mut slices = vec![];
    let take = &mut |predictions: &Predictions| {
        slices.push(predictions.clone());
        Ok(())
    };
    let night = night.prepare(&model, partitions.products()).unwrap();
    score_in_slices(&night, "m", &*partitions, 30, take).unwrap();
    assert!(
        slices.len() > 1 && slices[0].customers.len() == 30,
        "{}",
        slices.len()
    );
    assert!(slices.iter().all(|slice| slice.funnel == whole.funnel));
    assert_eq!(
        slices.iter().flat_map(by_ids).collect::<Vec<_>>(),
        by_ids(&whole)
    );
    assert!(slices[0].customers == whole.customers[..30]);
    // The tables say the same, line by line.
    let formats = [Format::Csv, Format::Jsonl];
    let made =
        |predictions: &Predictions| offers(predictions, &OfferParameters::default()).unwrap();
    let mut tables = Tables::new(&formats, Details::default());
    slices
        .iter()
        .for_each(|slice| tables.push(slice, &made(slice)).unwrap());
    let (by_slices, whole) = (
        tables.finish().unwrap(),
        files(&whole, &made(&whole), &formats).unwrap(),
    );
    let rows = |files: &[TableFile]| {
        files
            .iter()
            .map(|file| (file.name.clone(), file.rows))
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&by_slices), rows(&whole));
    let text = |files: &[TableFile]| {
        files
            .iter()
            .skip(3)
            .map(|file| file.content.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(text(&by_slices), text(&whole));
}

#[test]
fn part_after_part_of_the_customers_gives_the_same_model() {
    let purchases = read(store(80, 250, 1));
    let partitions = crate::purchases::tests::limited(&purchases, 1_000)
        .partitions()
        .unwrap();
    assert!(partitions.count() > 10, "{}", partitions.count());
    let [whole, by_parts] = [&purchases as &dyn Partitions, &*partitions].map(|purchases| {
        let mut sales = SalesByDay::default();
        let look = |history: &History<'_>| sales.add(history);
        let (population, provenance) =
            PopulationSummary::with_provenance(purchases, NIGHT, &rule(), look).unwrap();
        let closed = sales.closed_days();
        let trained =
            train_with_backtest(purchases, &population, &closed, &small(), &|_| {}).unwrap();
        let report = crate::eval::held_out(
            trained.backtest_model.as_ref().unwrap(),
            None,
            None,
            purchases,
            &population,
            HISTORY_DAYS,
            20,
        )
        .unwrap();
        let models = (
            bytes(&trained.model),
            trained.backtest_model.as_ref().map(bytes),
        );
        let clock = StoreClock::new("UTC", false, 0).unwrap();
        let origin = Origin::new(purchases.products(), &provenance.bought_ever, &clock, None);
        let fingerprint = provenance.fingerprint.hex();
        ((models, origin), fingerprint, report.evaluation)
    });
    assert_eq!((whole.0, whole.1), (by_parts.0, by_parts.1));
    let figures = |evaluation: &Evaluation| {
        let named = |contender: &Contender| (contender.name.clone(), contender.figures.clone());
        evaluation.contenders.iter().map(named).collect::<Vec<_>>()
    };
    assert_eq!(figures(&whole.2), figures(&by_parts.2));
    assert_eq!(whole.2.warnings, by_parts.2.warnings);
}

#[test]
fn a_backtest_model_alone_is_the_one_of_a_whole_training() {
    let purchases = read(store(80, 250, 1)).known(NIGHT).unwrap();
    let partitions = limited(&purchases, 1_000).partitions().unwrap();
    let both = |purchases: &dyn Partitions, as_of| {
        let population = PopulationSummary::new(purchases, as_of, &rule()).unwrap();
        let closed = ClosedDays::NONE;
        let trained =
            train_with_backtest(purchases, &population, &closed, &small(), &|_| {}).unwrap();
        let alone = train_backtest(purchases, &population, &closed, &small()).unwrap();
        [trained.backtest_model, alone].map(|model| model.as_ref().map(bytes))
    };
    let [with, alone] = both(&purchases, NIGHT);
    assert!(alone.is_some() && with == alone);
    assert_eq!(both(&*partitions, NIGHT), [with, alone]);
    // Too short a history has none.
    let short = AsOf(NIGHT.day() - 130);
    assert_eq!(both(&purchases, short), [None, None]);
}

/// Each walk brings every partition back from disk.
#[test]
fn training_walks_over_the_partitions_a_few_times_only() {
    let purchases = read(store(80, 250, 1)).known(NIGHT).unwrap();
    let partitions = limited(&purchases, 1_000).partitions().unwrap();
    let counted = CountedPartitions::new(&*partitions);
    let population = PopulationSummary::new(&purchases, NIGHT, &rule()).unwrap();
    // A night each day, and so many groups of nights.
    let mut parameters = small();
    (parameters.basket.days, parameters.basket.every) = (150, 1);
    let train = |purchases: &dyn Partitions| {
        let closed = ClosedDays::NONE;
        train_with_backtest(purchases, &population, &closed, &parameters, &|_| {}).unwrap()
    };
    let by_partitions = train(&counted);
    let walks = counted.walks();
    assert!((6..=11).contains(&walks), "{walks}");
    assert_eq!(bytes(&by_partitions.model), bytes(&train(&purchases).model));
}

#[test]
fn what_was_known_of_a_night_is_what_an_earlier_look_finds() {
    let purchases = read(store(80, 250, 1));
    let history = PartitionedHistory::new(&purchases, NIGHT);
    let (from, split) = (NIGHT.day() - 84, NIGHT.day() - HELD_OUT_DAYS);
    let (rule, open, parameters) = (rule(), ClosedDays::NONE, small());
    let first = NIGHT.day() - 250;
    let days = DateRange { first, last: from };
    let sample = PersonDaySample::new(days, false, &rule, &open, &parameters.timing, 1);
    let timing = TimingModel::fit(sample.walk(history).unwrap(), history.customers()).unwrap();
    let found = |history: PartitionedHistory<'_>| {
        let run = TrainingRun {
            history,
            rule: &rule,
            closed: &open,
            parameters: &parameters,
            splits: Splits {
                first,
                is_young: false,
                first_fit_end: from,
                backtest_end: split,
                end: history.as_of().day(),
            },
        };
        let partition = purchases.until(run.history.as_of());
        let mut samples = run
            .count()
            .unwrap()
            .calibration
            .samples(&partition, &timing);
        samples.sort_by_key(CalibrationSample::key);
        samples
    };
    let later = found(history);
    let known: Vec<CalibrationSample> = later
        .iter()
        .filter_map(|sample| sample.known_by(split))
        .filter(CalibrationSample::is_followed)
        .collect();
    let earlier = found(history.until(AsOf(split)));
    assert!(
        earlier.len() > 100 && earlier.len() < later.len(),
        "{} {}",
        earlier.len(),
        later.len()
    );
    assert_eq!(format!("{known:?}"), format!("{earlier:?}"));
}

/// Where hardly a customer meets the rule, nothing tells how wide an interval must be, and training
/// says so.
#[test]
fn training_says_where_intervals_are_not_calibrated() {
    let warnings = |customers: u32| {
        let purchases = read(store(customers, 250, 1));
        train(&purchases, NIGHT, &rule(), &small(), &|_| {})
            .unwrap()
            .warnings
    };
    let few = warnings(3);
    assert!(
        few.iter()
            .any(|warning| warning.contains("too few to calibrate the 80 % intervals")),
        "{few:?}"
    );
    assert_eq!(warnings(60), Vec::<String>::new());
}

#[test]
fn what_is_longer_ago_than_the_history_changes_nothing() {
    let (lines, first) = (store(80, 250, 1), NIGHT.first_of(180));
    let recent: Vec<Line> = lines
        .iter()
        .copied()
        .filter(|line| line.day >= first)
        .collect();
    let changed = |line: &Line| match line.day < first {
        true => Line {
            customer: (line.customer * 7) % 90,
            product: 69 - line.product,
            day: line.day - 3,
        },
        false => *line,
    };
    let (recent, other) = (read(recent), read(lines.iter().map(changed).collect()));
    let (longer, all) = (RecentPartitions::new(&other, first), read(lines));
    let model = |purchases: &dyn Partitions| {
        train(purchases, NIGHT, &rule(), &small(), &|_| {})
            .unwrap()
            .model
    };
    let [one, two, three] = [&recent as &dyn Partitions, &longer, &all].map(model);
    assert_eq!(bytes(&one), bytes(&two));
    assert_ne!(bytes(&one), bytes(&three));
    let scored = |purchases: &dyn Partitions| {
        let night = NightSummary::new(&one, purchases, NIGHT, &rule()).unwrap();
        let recurrent = night.population.recurrent.clone();
        let predictions = score_some(&one, "m", purchases, night, &recurrent).unwrap();
        (predictions.funnel.clone(), by_ids(&predictions))
    };
    assert_eq!(scored(&recent), scored(&longer));
}

/// A customer's prediction with ids in place of codes, and every float as its bits.
fn by_ids(predictions: &Predictions) -> Vec<String> {
    let id = |ids: &Ids, code: u32| ids.get(code).unwrap().to_string();
    let one = |customer: &CustomerPrediction| {
        let candidates = customer.products.iter().chain(&customer.further);
        let products = candidates.map(|product| {
            let probability = product.probability.to_bits();
            format!(
                "{} {probability:x} {:?}",
                id(&predictions.product_ids, product.product),
                ProductPrediction {
                    product: 0,
                    ..product.clone()
                }
            )
        });
        let products: Vec<String> = products.collect();
        let when = (
            customer.days_to_next.to_bits(),
            customer.return_probability.map(f64::to_bits),
            customer.expected_basket_size.to_bits(),
        );
        let customer = CustomerPrediction {
            products: vec![],
            further: vec![],
            customer: id(&predictions.customer_ids, customer.customer)
                .parse()
                .unwrap(),
            ..customer.clone()
        };
        format!("{customer:?} {when:x?} {products:?}")
    };
    predictions.customers.iter().map(one).collect()
}

/// The store as it is, and with all that follows the night told differently: by other customers, of
/// whom some are new, on other days, in other baskets, with products that nobody has seen yet. Ids
/// of the new ones stand before, between and after the known ones.
fn two_futures() -> [Purchases; 2] {
    let ids = |len: i64| Ids::Integer((0..len).collect());
    let known: Vec<Line> = store(80, 200, 1)
        .into_iter()
        .map(|line| Line {
            customer: 2 * line.customer + 20,
            product: 2 * line.product + 10,
            ..line
        })
        .collect();
    let mut changed: Vec<Line> = known
        .iter()
        .copied()
        .filter(|line| line.day <= NIGHT.day())
        .collect();
    changed.extend((0..220).flat_map(|customer| {
        (0..12).map(move |step| Line {
            customer,
            day: NIGHT.day() + 1 + ((customer as i32 + 3 * step) % 38),
            product: (7 * customer + 11 * step as u32) % 150,
        })
    }));
    [known, changed].map(|lines| Purchases::from_lines(ids(220), ids(150), lines).unwrap())
}

#[test]
fn whatever_follows_the_night_changes_nothing() {
    let [purchases, changed] = two_futures();
    assert!(
        changed.customers().len() > purchases.customers().len()
            && changed.products().len() > purchases.products().len()
    );
    assert!(
        purchases.span().unwrap().last > NIGHT.day(),
        "the future is there to leak"
    );
    let model = train(
        &purchases.known(NIGHT).unwrap(),
        NIGHT,
        &rule(),
        &small(),
        &|_| {},
    )
    .unwrap()
    .model;
    let scored = |purchases: &Purchases| score(&model, "m", purchases, NIGHT, &rule()).unwrap();
    let first = scored(&purchases);
    assert!(first.customers.len() > 60);
    for other in [&changed, &purchases.known(NIGHT).unwrap()] {
        let other = scored(other);
        assert_eq!(by_ids(&first), by_ids(&other));
        assert_eq!(first.funnel, other.funnel);
    }
    // And the features themselves, by the customer's id.
    for customer in (20..180).step_by(2).map(|id: u32| id.to_string()) {
        let features = |purchases: &Purchases| {
            let purchases = purchases
                .until(NIGHT)
                .purchases_of(purchases.customers().code(&customer).unwrap());
            crate::features::timing::timing_features(&purchases, NIGHT.day()).map(f32::to_bits)
        };
        assert_eq!(
            features(&purchases),
            features(&changed),
            "customer {customer}"
        );
    }
}

#[test]
fn a_training_sees_nothing_of_what_follows_its_night() {
    let [purchases, changed] = two_futures();
    let trained = |purchases: &Purchases| {
        bytes(
            &train(purchases, NIGHT, &rule(), &small(), &|_| {})
                .unwrap()
                .model,
        )
    };
    assert_eq!(trained(&purchases), trained(&changed));
}

/// Every reason, counted anew from the customer's baskets.
#[test]
fn reasons_are_true() {
    // One customer buys few products, so that others' are on the list.
    let narrow = (0..34).flat_map(|step| {
        (0..6).map(move |product| Line {
            customer: 100,
            day: NIGHT.day() - 3 * step,
            product,
        })
    });
    let purchases = read(store(80, 200, 1).into_iter().chain(narrow).collect());
    let model = crate::models::examples::tiny_model(NIGHT, 1);
    let history = purchases.until(NIGHT);
    let predictions = score(&model, "m", &purchases, NIGHT, &rule()).unwrap();
    let (mut averages, mut new) = (0, 0);
    for customer in &predictions.customers {
        let purchases: Vec<(Day, &[u32])> =
            history.purchases_of(customer.customer).iter().collect();
        for product in &customer.products {
            let reason = product.reason();
            let on: Vec<Day> = purchases
                .iter()
                .filter(|(_, basket)| basket.contains(&product.product))
                .map(|(day, _)| *day)
                .collect();
            let (Some(first), Some(last)) = (on.first(), on.last()) else {
                let month = |customer: u32| {
                    let of = move |day: &Day| NIGHT.day() - *day < 28;
                    history
                        .purchases_of(customer)
                        .iter()
                        .filter(move |(day, _)| of(day))
                        .collect::<Vec<_>>()
                };
                let all: Vec<_> = (0..history.customer_count()).flat_map(month).collect();
                let with = all
                    .iter()
                    .filter(|(_, basket)| basket.contains(&product.product))
                    .count();
                let percent = 100.0 * with as f64 / all.len() as f64;
                assert_eq!(
                    reason,
                    format!(
                        "new to the customer; in {percent:.1} % of all purchases of the last 28 days"
                    )
                );
                new += 1;
                continue;
            };
            let tail = &purchases[purchases.len().saturating_sub(10)..];
            let (recent, window) = (
                tail.iter()
                    .filter(|(_, basket)| basket.contains(&product.product))
                    .count(),
                tail.len(),
            );
            let often = match recent {
                0 if on.len() == 1 => "bought once".to_owned(),
                0 if on.len() == 2 => "bought twice".to_owned(),
                0 => format!("bought {} times", on.len()),
                recent if recent == window => format!("bought on each of the last {window} visits"),
                recent => format!("bought on {recent} of the last {window} visits"),
            };
            let ago = match NIGHT.day() - *last {
                0 => "today".to_owned(),
                1 => "yesterday".to_owned(),
                days => format!("{days} days ago"),
            };
            let gap = f64::from(*last - *first) / (on.len() as f64 - 1.0);
            let average = match gap.round() {
                _ if on.len() < 3 => String::new(),
                1.0 => "every day on average, ".to_owned(),
                days => format!("every {days} days on average, "),
            };
            averages += usize::from(on.len() >= 3);
            assert_eq!(reason, format!("{often}; {average}last {ago}"));
        }
    }
    assert!(averages > 500 && new > 0, "{averages} {new}");
}

#[test]
fn a_regular_store_is_predicted_better_than_by_chance() {
    let purchases = read(store(120, 250, 7));
    let known = purchases.known(NIGHT).unwrap();
    let trained = train(&known, NIGHT, &rule(), &small(), &|_| {}).unwrap();
    assert!(trained.model.is_consistent() && trained.backtest_model.is_none());
    let predictions = score(&trained.model, "m", &known, NIGHT, &rule()).unwrap();
    let later = purchases.until(AsOf(NIGHT.day() + 28));
    let (mut error, mut hits, mut inside) = (0.0, 0.0, 0.0);
    for customer in &predictions.customers {
        let id = predictions
            .customer_ids
            .get(customer.customer)
            .unwrap()
            .to_string();
        let code = later.customers().code(&id).unwrap();
        let (day, basket) = later.following(code, NIGHT.day()).unwrap();
        error += (customer.days_to_next - f64::from(day - NIGHT.day())).abs();
        inside += f64::from(u8::from(
            (customer.earliest..=customer.latest).contains(&day),
        ));
        let name = |product: u32| predictions.product_ids.get(product).unwrap().to_string();
        let bought: Vec<String> = basket
            .iter()
            .map(|product| later.products().get(*product).unwrap().to_string())
            .collect();
        hits += customer
            .products
            .iter()
            .take(5)
            .filter(|product| bought.contains(&name(product.product)))
            .count() as f64
            / 5.0;

        assert!(customer.earliest > NIGHT.day() && customer.earliest <= customer.latest);
        assert!(customer.days_to_next >= 1.0);
        assert!(
            customer
                .return_probability
                .windows(2)
                .all(|pair| pair[0] <= pair[1])
        );
        assert!(
            customer
                .products
                .windows(2)
                .all(|pair| pair[0].probability >= pair[1].probability)
        );
        assert!(
            customer.products.len() <= MAX_RANK
                && customer
                    .products
                    .iter()
                    .all(|p| p.probability > 0.0 && p.probability < 1.0)
        );
    }
    let n = predictions.customers.len() as f64;
    assert!(n > 60.0);
    assert!(error / n < 1.6, "mean absolute error {}", error / n);
    assert!(inside / n > 0.65, "inside the interval {}", inside / n);
    assert!(
        hits / n > 0.45,
        "share of the first five that were bought {}",
        hits / n
    );
}

/// What is measured must not have been learned from: the backtest model of a night is the same
/// whatever is bought after it.
#[test]
fn a_backtest_model_has_not_seen_the_days_after_it() {
    let purchases = read(store(80, 250, 1)).known(NIGHT).unwrap();
    let with_backtest = |purchases: &Purchases| {
        let population = PopulationSummary::new(purchases, NIGHT, &rule()).unwrap();
        let closed = ClosedDays::NONE;
        let trained =
            train_with_backtest(purchases, &population, &closed, &small(), &|_| {}).unwrap();
        let alone = train(purchases, NIGHT, &rule(), &small(), &|_| {}).unwrap();
        assert_eq!(
            bytes(&trained.model),
            bytes(&alone.model),
            "a backtest changes nothing of the model"
        );
        trained.backtest_model.unwrap()
    };
    let split = NIGHT.day() - HELD_OUT_DAYS;
    // The same customers on the same days with as many products, but every product another one.
    let swapped = {
        let history = purchases.until(NIGHT);
        let mut lines = vec![];
        for customer in 0..history.customer_count() {
            for (day, basket) in history.purchases_of(customer).iter() {
                let product = |product: u32| if day > split { 59 - product } else { product };
                lines.extend(basket.iter().map(|p| Line {
                    customer,
                    day,
                    product: product(*p),
                }));
            }
        }
        Purchases::from_lines(
            purchases.customers().clone(),
            purchases.products().clone(),
            lines,
        )
        .unwrap()
    };
    let (first, second) = (with_backtest(&purchases), with_backtest(&swapped));
    assert_eq!(first.as_of.day(), split);
    assert_eq!(bytes(&first), bytes(&second));
}

/// A rule with a short window needs no long history, but a first fit needs some days to learn from:
/// where a shorter history trains, so does one that is long enough to be measured.
#[test]
fn a_rule_of_one_period_trains_on_a_history_that_is_just_long_enough() {
    let rule = Rule {
        periods: 1,
        ..rule()
    };
    assert_eq!(needed_days(&rule), 112);
    for days in [85, 86, 111, 112] {
        let lines = store(40, days - 1, 1);
        let trained = train(
            &read(lines).known(NIGHT).unwrap(),
            NIGHT,
            &rule,
            &small(),
            &|_| {},
        );
        assert!(trained.is_ok(), "{days}: {:?}", trained.err());
    }
}

#[test]
fn requests_that_cannot_be_met_say_so() {
    let purchases = read(store(80, 200, 1)).known(NIGHT).unwrap();
    let early = AsOf(NIGHT.day() - 1_000);
    let error = train(&purchases, early, &rule(), &small(), &|_| {}).unwrap_err();
    assert!(
        error.to_string().contains("no purchase up to") && error.exit_code() == 1,
        "{error}"
    );
    let model = train(&purchases, NIGHT, &rule(), &small(), &|_| {})
        .unwrap()
        .model;
    let error = score(&model, "m", &purchases, AsOf(NIGHT.day() - 1), &rule()).unwrap_err();
    assert!(
        error.to_string().contains("after the as-of date"),
        "{error}"
    );
    let strict = Rule {
        min_products: 59,
        ..rule()
    };
    let error = score(&model, "m", &purchases, NIGHT, &strict).unwrap_err();
    assert!(
        error.to_string().contains("nobody meets")
            && error.to_string().contains("hint: a lower --basket-share"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 1);
}

#[test]
fn every_part_of_a_trained_model_is_consistent() {
    let model = crate::models::examples::tiny_model(NIGHT, 1);
    assert!(model.timing.is_consistent(), "timing");
    assert!(model.basket.is_consistent(), "basket");
    assert!(model.is_consistent());
}
