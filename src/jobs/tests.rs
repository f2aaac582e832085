use std::sync::Mutex;

use super::*;
use crate::config::{Config, Layer};
use crate::error::{Error, Result};
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
    let request = EvaluateRequest {
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
