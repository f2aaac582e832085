use super::examples::{NIGHT, read, rule, small, store};
use super::*;
use crate::purchases::Line;

fn bytes(model: &Model) -> String {
    serde_json::to_string(model).unwrap()
}

#[test]
fn any_number_of_threads_gives_the_same_model_and_predictions() {
    let purchases = read(store(80, 200, 1)).known(NIGHT).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let model = train(&purchases, NIGHT, &rule(), &small(), &|_| {}).unwrap().model;
            let predictions = score(&model, "m", &purchases, NIGHT, &rule()).unwrap();
            (bytes(&model), format!("{:?}", predictions.customers))
        })
    };
    let first = run(1);
    assert_eq!(first, run(2));
    assert_eq!(first, run(5));
}

#[test]
fn changing_every_line_after_the_night_changes_nothing() {
    let lines = store(80, 200, 1);
    let mut changed: Vec<Line> = lines.iter().copied().filter(|line| line.day <= NIGHT.day()).collect();
    changed.extend((0..200).map(|customer| Line { customer, day: NIGHT.day() + 1 + (customer as i32 % 20), product: 60 + customer % 10 }));
    let run = |lines: Vec<Line>| {
        let purchases = read(lines).known(NIGHT).unwrap();
        let model = train(&purchases, NIGHT, &rule(), &small(), &|_| {}).unwrap().model;
        let predictions = score(&model, "m", &purchases, NIGHT, &rule()).unwrap();
        (bytes(&model), format!("{predictions:?}"))
    };
    assert_eq!(run(lines), run(changed));
}

#[test]
fn a_regular_store_is_predicted_better_than_by_chance() {
    let purchases = read(store(120, 250, 7));
    let known = purchases.known(NIGHT).unwrap();
    let trained = train(&known, NIGHT, &rule(), &small(), &|_| {}).unwrap();
    assert!(trained.model.is_consistent() && trained.rehearsal.is_consistent());
    let predictions = score(&trained.model, "m", &known, NIGHT, &rule()).unwrap();
    let later = purchases.until(AsOf(NIGHT.day() + 28));
    let (mut error, mut hits, mut inside) = (0.0, 0.0, 0.0);
    for customer in &predictions.customers {
        let id = predictions.customer_ids.get(customer.customer).unwrap().to_string();
        let code = later.customers().code(&id).unwrap();
        let (day, basket) = later.following(code, NIGHT.day()).unwrap();
        error += (customer.days_to_next - f64::from(day - NIGHT.day())).abs();
        inside += f64::from(u8::from((customer.earliest..=customer.latest).contains(&day)));
        let name = |product: u32| predictions.product_ids.get(product).unwrap().to_string();
        let bought: Vec<String> = basket.iter().map(|product| later.products().get(*product).unwrap().to_string()).collect();
        hits += customer.products.iter().take(5).filter(|product| bought.contains(&name(product.product))).count() as f64 / 5.0;

        assert!(customer.earliest > NIGHT.day() && customer.earliest <= customer.latest);
        assert!(customer.days_to_next >= 1.0);
        assert!(customer.return_probability.windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(customer.products.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
        assert!(customer.products.len() <= MAX_RANK && customer.products.iter().all(|p| p.probability > 0.0 && p.probability < 1.0));
    }
    let n = predictions.customers.len() as f64;
    assert!(n > 60.0);
    assert!(error / n < 1.6, "mean absolute error {}", error / n);
    assert!(inside / n > 0.65, "inside the interval {}", inside / n);
    assert!(hits / n > 0.45, "share of the first five that were bought {}", hits / n);
}

#[test]
fn requests_that_cannot_be_met_say_so() {
    let purchases = read(store(80, 200, 1)).known(NIGHT).unwrap();
    let early = AsOf(NIGHT.day() - 1_000);
    let error = train(&purchases, early, &rule(), &small(), &|_| {}).unwrap_err();
    assert!(error.to_string().contains("no purchase up to") && error.exit_code() == 1, "{error}");
    let model = train(&purchases, NIGHT, &rule(), &small(), &|_| {}).unwrap().model;
    let error = score(&model, "m", &purchases, AsOf(NIGHT.day() - 1), &rule()).unwrap_err();
    assert!(error.to_string().contains("after the as-of date"), "{error}");
    let strict = Rule { min_products: 59, ..rule() };
    let error = score(&model, "m", &purchases, NIGHT, &strict).unwrap_err();
    assert!(error.to_string().contains("nobody meets") && error.to_string().contains("hint: a lower --basket-share"), "{error}");
    assert_eq!(error.exit_code(), 1);
}

#[test]
fn every_part_of_a_trained_model_is_consistent() {
    let model = super::examples::tiny_model(NIGHT, 1);
    assert!(model.timing.is_consistent(), "timing");
    assert!(model.basket.is_consistent(), "basket");
    assert!(model.is_consistent());
}
