//! Plans, and nights that keep to them.

use std::collections::BTreeMap;

use super::*;

const PLANNED: &str = "2024-07-02";

fn request(night: &str) -> PlanRequest {
    PlanRequest {
        as_of: night.parse().unwrap(),
        days: 7,
        model: None,
        force: false,
    }
}

/// The files of a plan by the names of their tables.
async fn files(config: &Config, night: &str) -> BTreeMap<String, String> {
    let output = store::open(config.output.as_deref().unwrap())
        .await
        .unwrap();
    let folder = output.child(&format!("plan={night}"));
    let (manifest, _) = folder.find("manifest.json").await.unwrap().unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let mut files = BTreeMap::new();
    for (name, entry) in manifest["tables"].as_object().unwrap() {
        let path = entry["path"].as_str().unwrap();
        let (content, _) = folder.get(path).await.unwrap();
        files.insert(name.clone(), String::from_utf8_lossy(&content).into_owned());
    }
    files
}

/// (customer, product) of the rows of a day that are sent.
fn sent(files: &BTreeMap<String, String>, day: &str) -> Vec<(String, String)> {
    let lines = files[&format!("{day}.csv")].lines().skip(1);
    let rows = lines.filter(|line| line.contains(",treatment,"));
    rows.map(|line| {
        let mut cells = line.split(',').map(str::to_owned);
        (cells.next().unwrap(), cells.next().unwrap())
    })
    .collect()
}

async fn manifest(config: &Config, night: &str) -> serde_json::Value {
    let output = store::open(config.output.as_deref().unwrap())
        .await
        .unwrap();
    let manifest = output.get(&format!("as_of={night}/manifest.json")).await;
    serde_json::from_slice(&manifest.unwrap().0).unwrap()
}

#[tokio::test]
async fn a_plan_has_files_for_each_day_and_nights_keep_to_it() {
    let (_folder, mut config) = trained().await;
    // Who came back may be mailed again within the week.
    config.offers.max_per_week = 7;
    let summary = plan(&config, &request(PLANNED), &Silent).await.unwrap();
    let files = files(&config, PLANNED).await;
    assert_eq!(files.len(), 3 * 7 + 1, "{:?}", files.keys());
    assert_eq!(summary.days.len(), 7);
    for day in &summary.days {
        let rows = sent(&files, &day.send_on.to_string());
        assert_eq!(rows.len(), day.sent.offers, "{day:?}");
        let lines = &files[&format!("{}.jsonl", day.send_on)];
        assert_eq!(lines.lines().count(), day.sent.customers, "{day:?}");
        let mut batch = vec![];
        for line in lines.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["error"].is_null(), "{line}");
            let items = line["output"]["recommendedItems"].as_array().unwrap();
            assert_eq!(
                items.len(),
                line["output"]["scores"].as_array().unwrap().len()
            );
            let user = line["input"]["userId"].as_str().unwrap();
            let items = items.iter().map(|item| item.as_str().unwrap().to_owned());
            batch.extend(items.map(|item| (user.to_owned(), item)));
        }
        assert_eq!(batch, rows, "the control arm is sent nothing");
    }
    let again = plan(&config, &request(PLANNED), &Silent).await.unwrap();
    assert_eq!(again.run_id, summary.run_id);

    // The night of the plan: nobody came since.
    let scored = score(&config, &with_lines(PLANNED), &Silent).await.unwrap();
    let kept = scored.plan.unwrap();
    assert_eq!(due(&config, PLANNED).await, sent(&files, "2024-07-03"));
    assert_eq!(kept.changes.kept, scored.offers_due);
    assert_eq!(
        (kept.changes.planned, kept.changes.added),
        (scored.offers_due, 0)
    );

    let mut added = 0;
    for (night, morning) in [("2024-07-03", "2024-07-04"), ("2024-07-04", "2024-07-05")] {
        let scored = score(&config, &with_lines(night), &Silent).await.unwrap();
        let changes = scored.plan.unwrap().changes;
        let (due, sent) = (due(&config, night).await, sent(&files, morning));
        assert_eq!(changes.planned, sent.len());
        assert_eq!(changes.kept + changes.added, due.len());
        assert_eq!(
            changes.kept + changes.came_since + changes.withdrawn(),
            changes.planned
        );
        let inputs = manifest(&config, night).await["inputs"].to_string();
        assert!(inputs.contains("plan=2024-07-02"), "{inputs}");
        added += changes.added;
    }
    assert!(added > 0, "nobody came since");
}

#[tokio::test]
async fn a_range_of_nights_is_not_scored_again_and_a_plan_counts_as_sent() {
    let (_folder, config) = trained().await;
    plan(&config, &request(PLANNED), &Silent).await.unwrap();
    let range = ScoreRangeRequest {
        from: "2024-07-10".parse().unwrap(),
        to: "2024-07-11".parse().unwrap(),
        model: None,
        formats: vec![],
        force: false,
    };
    let mut outcomes = vec![];
    for _ in 0..2 {
        score_range(&config, &range, &Silent, &mut |outcome| {
            outcomes.push(matches!(outcome, NightOutcome::Published(_)));
            Ok(())
        })
        .await
        .unwrap();
    }
    assert_eq!(outcomes, [true, true, false, false]);
    // The plan is over; nobody scored its nights, so what it sent is known from it.
    let of_night = manifest(&config, "2024-07-10").await;
    assert!(of_night["inputs"].to_string().contains("plan=2024-07-02"));
    // A plan that is damaged is warned of.
    let output = store::open(config.output.as_deref().unwrap())
        .await
        .unwrap();
    let damaged = "{}".to_owned().into();
    output
        .put("plan=2024-07-02/manifest.json", damaged, PutMode::Overwrite)
        .await
        .unwrap();
    let scored = score(&config, &with_lines("2024-07-04"), &Silent)
        .await
        .unwrap();
    let warned = |warning: &Warning| {
        warning
            .text
            .contains("the plan of 2024-07-02 is not kept to")
    };
    assert!(
        scored.plan.is_none() && scored.warnings.iter().any(warned),
        "{scored:?}"
    );
}

#[tokio::test]
async fn a_budget_is_for_each_day_of_a_plan_and_days_are_few() {
    let (_folder, mut config) = trained().await;
    let none = PlanRequest {
        days: 0,
        ..request(PLANNED)
    };
    let error = plan(&config, &none, &Silent).await.unwrap_err();
    assert!(error.to_string().contains("between 1 and 28"), "{error}");
    config.input.columns.price = Some("price".into());
    config.offers.discount = Some(0.2);
    let all = plan(&config, &request(PLANNED), &Silent).await.unwrap();
    let most = all.days.iter().filter_map(|day| day.sent.expected_cost);
    let most = most.fold(0.0, f64::max);
    assert!(most > 0.0);
    config.offers.budget = Some(most / 2.0);
    let some = plan(&config, &request(PLANNED), &Silent).await.unwrap();
    assert!(some.over_budget > 0);
    for (some, all) in some.days.iter().zip(&all.days) {
        let cost = some.sent.expected_cost.unwrap_or_default();
        assert!(cost <= most / 2.0, "{some:?}");
        assert!(some.sent.offers <= all.sent.offers);
    }
    let scored = score(&config, &with_lines(PLANNED), &Silent).await.unwrap();
    assert!(scored.expected_cost.unwrap() <= most / 2.0);
}

#[tokio::test]
async fn an_explanation_has_the_offers_of_the_night() {
    let (_folder, config) = trained().await;
    for night in ["2024-07-02", "2024-07-03"] {
        score(&config, &with_lines(night), &Silent).await.unwrap();
    }
    let output = store::open(config.output.as_deref().unwrap())
        .await
        .unwrap();
    let night = "2024-07-03".parse().unwrap();
    let (_, tables) = crate::publish::runs::read_run(&output, night)
        .await
        .unwrap();
    let text = std::str::from_utf8(&tables["offers.jsonl"]).unwrap();
    let rows: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut customers: Vec<String> = rows
        .iter()
        .map(|row| row["customer_id"].to_string())
        .collect();
    customers.dedup();
    let mut actions = std::collections::BTreeSet::new();
    for customer in customers.into_iter().take(4) {
        let request = ExplainRequest {
            customer: customer.clone(),
            as_of: night,
            model: None,
            products: 3,
        };
        let explained = explain(&config, &request, &Silent).await.unwrap();
        let offers = serde_json::to_value(explained.offers.unwrap()).unwrap();
        let of_customer = |row: &&serde_json::Value| {
            let id = row["customer_id"].to_string();
            id == customer
        };
        let published: Vec<_> = rows.iter().filter(of_customer).collect();
        assert_eq!(offers.as_array().unwrap().len(), published.len());
        for (offer, row) in offers.as_array().unwrap().iter().zip(published) {
            for key in [
                "product_id",
                "action",
                "strategy",
                "reason",
                "arm",
                "due",
                "send_on",
            ] {
                assert_eq!(offer[key], row[key], "{key} of {customer}");
            }
            actions.insert(row["action"].to_string());
        }
    }
    assert!(actions.len() > 1, "{actions:?}");
}
