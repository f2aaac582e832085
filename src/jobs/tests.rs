mod plan;

use std::sync::Mutex;

use super::*;
use crate::config::{Config, Layer};
use crate::error::{Error, Result};
use crate::guards::Warning;
use crate::ingest::report::Report;
use crate::recurrence::PopulationSummary;
use crate::simulate::{self, Order, Simulation};
use crate::store::{self, PutMode};

/// Settings with the tickets of a small store as the input, in a folder of their own.
async fn configured() -> (tempfile::TempDir, Config) {
    let folder = tempfile::tempdir().unwrap();
    let simulation = Simulation::new(simulate::SimulationParameters {
        customers: 30,
        products: 100,
        days: 200,
        start: "2024-01-01".parse().unwrap(),
        ..simulate::SimulationParameters::default()
    })
    .unwrap();
    let mut lines = vec![];
    simulate::write_csv(&simulation, Order::Days(16), &mut lines).unwrap();
    let place = folder.path().to_str().unwrap().to_owned();
    let location = store::open(&place).await.unwrap();
    location
        .put("tickets.csv", lines.into(), PutMode::Overwrite)
        .await
        .unwrap();
    let config = Config {
        inputs: vec![format!("{place}/tickets.csv")],
        registry: format!("{place}/models"),
        output: Some(format!("{place}/out")),
        ..Layer::default().check().unwrap()
    };
    (folder, config)
}

/// Writes down what it is told, and ends every job when the tickets have been read.
#[derive(Default)]
struct Stopper(Mutex<Vec<String>>);

impl Stopper {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl Progress for Stopper {
    fn stage(&self, what: &str) {
        self.note(what.to_owned());
    }

    fn object(&self, _: &store::InputObject, count: usize) {
        self.note(format!("1 of {count}"));
    }

    fn tickets(&self, lines: &Report, population: &PopulationSummary) -> Result<()> {
        assert!(lines.kept > 0 && population.funnel.seen > 0);
        self.note(format!("tickets on {}", population.as_of));
        Err(Error::request("that is enough"))
    }
}

#[tokio::test]
async fn a_job_ends_where_its_caller_says_so_and_has_stored_nothing() {
    let (_folder, config) = configured().await;
    let stopper = Stopper::default();
    let error = train(&config, "2024-06-30".parse().unwrap(), &stopper)
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "that is enough");
    // Some of the simulated lines take sales back, so that the input is read again.
    assert_eq!(
        *stopper.0.lock().unwrap(),
        ["1 of 1", "1 of 1", "tickets on 2024-06-30"]
    );
    let models = store::open(&config.registry).await.unwrap();
    assert_eq!(models.list("").await.unwrap(), []);
}

#[tokio::test]
async fn a_night_long_after_the_data_is_refused() {
    let (_folder, config) = configured().await;
    let error = train(&config, "2025-06-30".parse().unwrap(), &Silent)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("days before the as-of date 2025-06-30") && error.contains("train with"),
        "{error}"
    );
}

#[test]
fn a_blocking_job_needs_no_runtime_and_none_may_be_there() {
    let night = "2024-06-30".parse().unwrap();
    let config = Layer::default().check().unwrap();
    let error = blocking::train(&config, night, &Silent).unwrap_err();
    assert!(error.to_string().contains("no input was named"), "{error}");
    for mut runtime in [
        tokio::runtime::Builder::new_current_thread(),
        tokio::runtime::Builder::new_multi_thread(),
    ] {
        let error = runtime
            .build()
            .unwrap()
            .block_on(async { blocking::train(&config, night, &Silent).unwrap_err() });
        assert!(
            error.to_string().contains("called from async code"),
            "{error}"
        );
    }
}

#[test]
fn a_computation_runs_on_every_kind_of_runtime() {
    assert_eq!(compute(|| 1), 1);
    for mut runtime in [
        tokio::runtime::Builder::new_current_thread(),
        tokio::runtime::Builder::new_multi_thread(),
    ] {
        assert_eq!(
            runtime.build().unwrap().block_on(async { compute(|| 2) }),
            2
        );
    }
}

/// A service spawns its jobs, for which they have to be `Send`.
#[test]
fn jobs_can_be_spawned() {
    fn sendable(_: impl Send) {}
    let config = Layer::default().check().unwrap();
    let as_of = "2024-06-30".parse().unwrap();
    sendable(train(&config, as_of, &Silent));
    sendable(score(&config, &ScoreRequest::new(as_of), &Silent));
    let request = ScoreRangeRequest {
        from: as_of,
        to: as_of,
        model: None,
        formats: vec![],
        force: false,
    };
    sendable(score_range(&config, &request, &Silent, &mut |_| Ok(())));
    let request = ExplainRequest {
        customer: "1".into(),
        as_of,
        model: None,
        products: 1,
    };
    sendable(explain(&config, &request, &Silent));
    let request = PlanRequest {
        as_of,
        days: 7,
        model: None,
        force: false,
    };
    sendable(plan(&config, &request, &Silent));
    let request = EvaluateRequest {
        offers: false,
        months: vec![],
        every: 7,
        model: None,
    };
    sendable(evaluate(&config, &request, &Silent));
    sendable(monitor(&config, &MonitorRequest::default(), &Silent));
    sendable(list_models("models", &Silent));
    sendable(show_model("models", "m", &Silent));
    sendable(promote_model("models", "m"));
    sendable(promotion_history("models"));
    sendable(roll_back("models"));
    sendable(delete_model("models", "m", RemoveOptions::default()));
    sendable(prune_models("models", 3, false, &Silent));
}

/// As [`configured`], with a small model.
async fn trained() -> (tempfile::TempDir, Config) {
    let (folder, mut config) = configured().await;
    config.parameters.timing.boosting.trees = 5;
    config.parameters.basket.boosting.trees = 5;
    train(&config, "2024-06-30".parse().unwrap(), &Silent)
        .await
        .unwrap();
    (folder, config)
}

/// A night whose offers are written as JSON lines too.
fn with_lines(night: &str) -> ScoreRequest {
    ScoreRequest {
        formats: vec![crate::publish::tables::Format::Jsonl],
        ..ScoreRequest::new(night.parse().unwrap())
    }
}

/// (customer, product) of the offers that are due after a night.
async fn due(config: &Config, night: &str) -> Vec<(String, String)> {
    let output = store::open(config.output.as_deref().unwrap())
        .await
        .unwrap();
    let (_, tables) = crate::publish::runs::read_run(&output, night.parse().unwrap())
        .await
        .unwrap();
    let text = std::str::from_utf8(&tables["offers.jsonl"])
        .unwrap()
        .to_owned();
    let rows = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    rows.filter(|row| row["due"] == true)
        .map(|row| {
            (
                row["customer_id"].to_string(),
                row["product_id"].to_string(),
            )
        })
        .collect()
}

const NIGHTS: [&str; 4] = ["2024-07-01", "2024-07-02", "2024-07-03", "2024-07-04"];

#[tokio::test]
async fn nights_in_a_row_do_not_repeat_themselves_and_are_the_same_again() {
    let (_folder, config) = trained().await;
    let mut manifests = vec![];
    let mut mailed = vec![];
    for night in NIGHTS {
        let summary = score(&config, &with_lines(night), &Silent).await.unwrap();
        let output = store::open(config.output.as_deref().unwrap())
            .await
            .unwrap();
        manifests.push(
            output
                .get(&format!("as_of={night}/manifest.json"))
                .await
                .unwrap()
                .0,
        );
        let due = due(&config, night).await;
        assert_eq!(due.len(), summary.offers_due, "{night}");
        mailed.extend(due);
    }
    let all = mailed.len();
    assert!(all > 10, "{all} offers were due");
    mailed.sort();
    mailed.dedup();
    assert_eq!(mailed.len(), all, "an offer is repeated");
    let text = std::str::from_utf8(&manifests[2]).unwrap();
    assert_eq!(
        text.matches("/offers.parquet\",\n      \"size\"").count(),
        2,
        "{text}"
    );
    // In any order, whatever was published after them.
    for at in [2, 0, 3, 1] {
        score(&config, &with_lines(NIGHTS[at]), &Silent)
            .await
            .unwrap();
        let output = store::open(config.output.as_deref().unwrap())
            .await
            .unwrap();
        let again = output
            .get(&format!("as_of={}/manifest.json", NIGHTS[at]))
            .await
            .unwrap()
            .0;
        assert!(again == manifests[at], "{} is another one", NIGHTS[at]);
    }
}

#[tokio::test]
async fn what_the_campaign_tool_sent_goes_before_what_was_published() {
    let (folder, mut config) = trained().await;
    let place = folder.path().to_str().unwrap().to_owned();
    let request = with_lines("2024-07-02");
    score(&config, &request, &Silent).await.unwrap();
    let first = due(&config, "2024-07-02").await;
    let (customer, _) = first.first().unwrap();
    let put = async |days: &str| {
        let text = format!("customer_id,product_id,sent_on\n{customer},no-product,{days}\n");
        let location = store::open(&place).await.unwrap();
        location
            .put("sent.csv", text.into(), PutMode::Overwrite)
            .await
            .unwrap();
    };
    config.offers.sent = Some(format!("{place}/sent.csv"));
    // Before the first campaign; and ids that are written in another way.
    let location = store::open(&place).await.unwrap();
    for (lines, warned) in [("", false), ("nobody,no-product,2024-07-02\n", true)] {
        let text = format!("customer_id,product_id,sent_on\n{lines}");
        location
            .put("sent.csv", text.into(), PutMode::Overwrite)
            .await
            .unwrap();
        let summary = score(&config, &request, &Silent).await.unwrap();
        assert_eq!(due(&config, "2024-07-02").await, first);
        let of_ids = |warning: &Warning| warning.text.contains("1 of 1 customers are not in");
        assert_eq!(summary.warnings.iter().any(of_ids), warned, "{summary:?}");
    }
    // After the night nothing counts; on it, this customer was mailed, and is not back.
    put("2024-07-03").await;
    score(&config, &request, &Silent).await.unwrap();
    assert_eq!(due(&config, "2024-07-02").await, first);
    put("2024-07-02").await;
    let summary = score(&config, &request, &Silent).await.unwrap();
    let others = first.iter().filter(|(mailed, _)| mailed != customer);
    let bought = due(&config, "2024-07-02").await;
    assert_eq!(bought, others.cloned().collect::<Vec<_>>());
    let output = store::open(config.output.as_deref().unwrap())
        .await
        .unwrap();
    let manifest = output
        .get("as_of=2024-07-02/manifest.json")
        .await
        .unwrap()
        .0;
    assert!(
        std::str::from_utf8(&manifest).unwrap().contains("sent.csv"),
        "{summary:?}"
    );
}

#[tokio::test]
async fn a_table_says_who_may_be_mailed_and_who_is_in_which_segment() {
    let (folder, mut config) = trained().await;
    let place = folder.path().to_str().unwrap().to_owned();
    let location = store::open(&place).await.unwrap();
    let request = with_lines("2024-07-02");
    score(&config, &request, &Silent).await.unwrap();
    let first = due(&config, "2024-07-02").await;
    let (customer, _) = first.first().unwrap();
    config.input.tables.mailing = Some(crate::ingest::TableSource {
        paths: vec![format!("{place}/consent.csv")],
        columns: crate::ingest::ColumnNames {
            table: crate::ingest::TicketTable::Mailing,
            customer: "card".into(),
            name: Some("consent".into()),
            category: Some("group".into()),
            ..crate::ingest::ColumnNames::default()
        },
        filters: vec![],
    });
    let text = format!("card,consent,group\n{customer},Yes,gold\n999999,no,\n");
    location
        .put("consent.csv", text.into(), PutMode::Overwrite)
        .await
        .unwrap();
    score(&config, &request, &Silent).await.unwrap();
    let mailed: Vec<_> = first
        .iter()
        .filter(|(mailed, _)| mailed == customer)
        .cloned()
        .collect();
    assert_eq!(
        due(&config, "2024-07-02").await,
        mailed,
        "who is not in the table did not say yes"
    );
    let output = store::open(config.output.as_deref().unwrap())
        .await
        .unwrap();
    let night = "2024-07-02".parse().unwrap();
    let (manifest, tables) = crate::publish::runs::read_run(&output, night)
        .await
        .unwrap();
    let text = std::str::from_utf8(&tables["offers.jsonl"]).unwrap();
    assert!(text.contains("\"segment\":\"gold\"") && text.contains("\"action\":\"opted_out\""));
    assert!(
        manifest
            .inputs
            .iter()
            .any(|input| input.object.ends_with("consent.csv"))
    );
    // The same as true and false.
    let lines = format!(
        "{{\"card\":{customer},\"consent\":true}}\n{{\"card\":999999,\"consent\":false}}\n"
    );
    location
        .put("consent.csv", lines.into(), PutMode::Overwrite)
        .await
        .unwrap();
    let mut answers = config.clone();
    answers
        .input
        .tables
        .mailing
        .as_mut()
        .unwrap()
        .columns
        .category = None;
    let summary = score(&answers, &request, &Silent).await.unwrap();
    assert_eq!(due(&answers, "2024-07-02").await, mailed);
    let of_table = |warning: &Warning| warning.text.contains("are in the table of customers");
    assert!(summary.warnings.iter().any(of_table), "{summary:?}");
    // Who says yes and no is not mailed, in whatever order.
    let lines = format!("card,consent\n{customer},no\n{customer},yes\n");
    location
        .put("consent.csv", lines.into(), PutMode::Overwrite)
        .await
        .unwrap();
    score(&answers, &request, &Silent).await.unwrap();
    assert_eq!(due(&answers, "2024-07-02").await, []);
    let text = format!("card,consent,group\n{customer},perhaps,gold\n");
    location
        .put("consent.csv", text.into(), PutMode::Overwrite)
        .await
        .unwrap();
    let error = score(&config, &request, &Silent)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("says \"perhaps\""), "{error}");
}
