//! `okuo-lambda` beside a runtime API of our own, with real deadlines and real ends of processes.

#![allow(
    clippy::disallowed_methods,
    reason = "deadlines are of the real clock, and files lie on the real disk"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may; clippy sees that only of functions that are tests themselves"
)]

mod runtime_api;
#[allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "shared with tests/binary, which uses all of it"
)]
#[path = "../binary/sandbox.rs"]
mod sandbox;

use std::time::Duration;

use runtime_api::{Function, LONG};
use sandbox::{NIGHT, Sandbox, TRAINED};
use serde_json::{Value, json};

/// What a function is configured with: variables, as in a template.
const VARIABLES: [(&str, &str); 2] = [("OKUO_INPUT", "tickets.csv"), ("OKUO_OUTPUT", "out")];

/// An error's document, which is the message of a failed invocation.
fn document(error: &Value) -> Value {
    serde_json::from_str(error["errorMessage"].as_str().unwrap()).unwrap()
}

/// The run that stands for a night.
fn standing(sandbox: &Sandbox, night: &str) -> Value {
    serde_json::from_slice(&sandbox.read(&format!("out/as_of={night}/manifest.json"))).unwrap()
}

#[tokio::test]
async fn a_process_scores_night_after_night() {
    let sandbox = Sandbox::trained();
    // The number of threads is a setting of each run, and the threads are those of the process.
    let variables = [VARIABLES[0], VARIABLES[1], ("OKUO_THREADS", "2")];
    let mut function = Function::start(&sandbox, &variables).await;
    let first = function
        .invoke(json!({"command": "score", "as_of": NIGHT}), LONG)
        .await
        .unwrap();
    assert_eq!(first["as_of"], NIGHT);
    assert_eq!(standing(&sandbox, NIGHT)["run_id"], first["run_id"]);
    // The time of a schedule: 01:00 on the 12th is the evening of the 11th in New York.
    for (zone, night) in [
        ("Etc/UTC", "2024-07-11"),
        ("America/New_York", "2024-07-10"),
    ] {
        let event = json!({
            "command": "check", "at": "2024-07-12T01:00:00Z", "time_zone": zone,
        });
        let checked = function.invoke(event, LONG).await.unwrap();
        assert_eq!(checked["as_of"], night, "{zone}");
    }
    let schedule = json!({
        "source": "aws.events", "detail-type": "Scheduled Event", "time": "2024-07-12T01:00:00Z",
    });
    let second = function.invoke(schedule, LONG).await.unwrap();
    assert_eq!(second["as_of"], "2024-07-11");
    assert_eq!(function.ended(), None);
    // The same as the command line makes of it.
    let alone = [
        "score",
        "-i",
        "tickets.csv",
        "-o",
        "alone",
        "--as-of",
        NIGHT,
        "--json",
    ];
    assert_eq!(sandbox.okuo(&alone).json()["run_id"], first["run_id"]);
}

#[tokio::test]
async fn all_commands_of_a_function_run() {
    let sandbox = Sandbox::new();
    let mut function = Function::start(&sandbox, &VARIABLES).await;
    let event = json!({"command": "train", "at": "2024-07-01T04:00:00Z", "promote": "always"});
    let trained = function.invoke(event, LONG).await.unwrap();
    assert_eq!(trained["promoted"], true);
    assert!(trained["model_id"].as_str().unwrap().starts_with(TRAINED));
    let range = json!({"command": "score", "from": "2024-07-09", "to": NIGHT});
    let nights = function.invoke(range, LONG).await.unwrap();
    assert_eq!(nights["nights"][1]["outcome"], "published");
    let monitored = function
        .invoke(json!({"command": "monitor"}), LONG)
        .await
        .unwrap();
    assert_eq!(monitored["waiting"], json!(["2024-07-09", NIGHT]));
}

#[tokio::test]
async fn a_failure_comes_in_the_form_of_lambda() {
    let sandbox = Sandbox::trained();
    let is_kept = |time: &str| !time.starts_with("2024-07-09") || time[11..13] == *"10";
    sandbox.write("odd.csv", sandbox::tickets(is_kept));
    let mut function = Function::start(&sandbox, &VARIABLES).await;
    for (event, error_type, kind, exit_code) in [
        (
            json!({"command": "score", "asof": NIGHT}),
            "Okuo.Request",
            "request",
            1,
        ),
        (json!([1]), "Okuo.Request", "request", 1),
        (
            json!({"command": "score", "as_of": NIGHT, "input": "none.csv"}),
            "Okuo.NotFound",
            "not_found",
            1,
        ),
        // The tickets end on the 18th.
        (
            json!({"command": "score", "as_of": "2024-07-19"}),
            "Okuo.NoData",
            "no_data",
            4,
        ),
        // Of its last day, an hour is left.
        (
            json!({"command": "score", "as_of": "2024-07-09", "input": "odd.csv"}),
            "Okuo.Guard",
            "guard",
            3,
        ),
        (
            json!({"command": "score", "as_of": NIGHT, "output": "/proc/okuo"}),
            "Okuo.System",
            "system",
            2,
        ),
    ] {
        let failed = function.invoke(event.clone(), LONG).await.unwrap_err();
        assert_eq!(failed["errorType"], error_type, "{event}: {failed}");
        let document = document(&failed);
        assert_eq!(document["kind"], kind, "{event}");
        assert_eq!(document["exit_code"], exit_code, "{event}");
        assert!(document["hint"].is_string(), "{event}: {document}");
    }
    assert_eq!(sandbox.files("out"), []);
    // A metric counts by the log.
    let log = String::from_utf8(sandbox.read("log")).unwrap();
    let mut documents = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert!(
        documents.any(|line| line["error"]["exit_code"] == 3),
        "{log}"
    );
    // It has failed, and goes on.
    let scored = function
        .invoke(json!({"command": "score", "as_of": NIGHT}), LONG)
        .await;
    assert!(scored.is_ok(), "{scored:?}");
}

#[tokio::test]
async fn an_event_names_no_file_of_the_function() {
    let sandbox = Sandbox::trained();
    let variables = [
        VARIABLES[0],
        VARIABLES[1],
        ("OKUO_LAMBDA_LOCAL_PLACES", "false"),
    ];
    let mut function = Function::start(&sandbox, &variables).await;
    for (key, place) in [("input", "tickets.csv"), ("output", "elsewhere")] {
        let event = json!({"command": "score", "as_of": NIGHT, key: place});
        let failed = function.invoke(event, LONG).await.unwrap_err();
        assert_eq!(failed["errorType"], "Okuo.Request", "{failed}");
        let what = document(&failed)["what"].to_string();
        assert!(what.contains("local place"), "{what}");
    }
    assert_eq!(sandbox.files("elsewhere"), []);
    // What the function itself is set to is its owner's word.
    let event = json!({"command": "check", "as_of": NIGHT});
    assert_eq!(function.invoke(event, LONG).await.unwrap()["as_of"], NIGHT);
}

#[tokio::test]
async fn what_was_done_before_a_failure_is_answered_too() {
    let sandbox = Sandbox::trained();
    let is_kept = |time: &str| !time.starts_with("2024-07-09") || time[11..13] == *"10";
    sandbox.write("odd.csv", sandbox::tickets(is_kept));
    let mut function = Function::start(&sandbox, &VARIABLES).await;
    let range = json!({
        "command": "score", "from": "2024-07-08", "to": "2024-07-09", "input": "odd.csv",
    });
    let failed = function.invoke(range, LONG).await.unwrap_err();
    assert_eq!(failed["errorType"], "Okuo.Guard", "{failed}");
    let nights = document(&failed)["summary"]["nights"].clone();
    let outcomes = [&nights[0]["outcome"], &nights[1]["outcome"]];
    assert_eq!(outcomes, ["published", "stopped"], "{nights}");
    let check = json!({"command": "check", "as_of": "2024-07-09", "input": "odd.csv"});
    let failed = function.invoke(check, LONG).await.unwrap_err();
    assert_eq!(document(&failed)["summary"]["as_of"], "2024-07-09");
}

#[tokio::test]
async fn log_and_metrics_are_of_each_invocation() {
    let sandbox = Sandbox::trained();
    let variables = [
        VARIABLES[0],
        VARIABLES[1],
        ("OKUO_METRICS", "emf"),
        ("OKUO_LOG_FORMAT", "json"),
    ];
    let mut function = Function::start(&sandbox, &variables).await;
    let score = |night: &str| json!({"command": "score", "as_of": night});
    function.invoke(score(NIGHT), LONG).await.unwrap();
    // The tickets end on the 18th.
    let failed = function.invoke(score("2024-07-19"), LONG).await;
    assert_eq!(failed.unwrap_err()["errorType"], "Okuo.NoData");
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent"});
    function.invoke(test, LONG).await.unwrap();
    let log = String::from_utf8(sandbox.read("log")).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (metrics, events): (Vec<&Value>, Vec<&Value>) =
        lines.iter().partition(|line| line.get("_aws").is_some());
    // What is ignored is no run.
    assert_eq!(metrics.len(), 2, "{log}");
    assert_eq!(
        (&metrics[0]["done"], &metrics[1]["done"]),
        (&json!(1.0), &json!(0.0))
    );
    assert_eq!(metrics[1]["no_data"], 1.0);
    assert!(metrics[0]["customers"].as_f64().unwrap() > 0.0);
    assert!(metrics[1].get("customers").is_none(), "of the one before");
    let begins: Vec<&&Value> = events
        .iter()
        .filter(|line| line["message"].as_str().unwrap().starts_with("request "))
        .collect();
    assert_eq!(begins.len(), 3, "{log}");
    assert!(begins.iter().all(|line| line["stage"].is_null()), "{log}");
    let request = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
    assert!(
        events.iter().all(|line| line["request"] == request),
        "{log}"
    );
    let mut runs: Vec<&str> = begins
        .iter()
        .map(|line| line["run"].as_str().unwrap())
        .collect();
    runs.sort_unstable();
    runs.dedup();
    assert_eq!(runs.len(), 3, "{log}");
}

#[tokio::test]
async fn a_run_that_computes_when_its_time_is_over_is_given_up() {
    let sandbox = Sandbox::new();
    // More than any machine can do in two seconds.
    sandbox.write(
        "okuo.toml",
        "[rule]\nbasket_share = 0.3\n[training.basket.boosting]\ntrees = 2000\nleaves = 255\n[training.timing.boosting]\ntrees = 2000\nleaves = 255\n",
    );
    let mut function = Function::start(&sandbox, &VARIABLES).await;
    let event = json!({"command": "train", "as_of": TRAINED, "promote": "always"});
    let failed = function
        .invoke(event, Duration::from_secs(3))
        .await
        .unwrap_err();
    assert_eq!(failed["errorType"], "Okuo.Deadline", "{failed}");
    let document = document(&failed);
    let what = document["what"].as_str().unwrap();
    assert!(
        what.contains("nearly over") && what.contains("it was "),
        "{what}"
    );
    assert!(document["hint"].as_str().unwrap().contains("memory"));
    // What it was computing must not go on beside the next invocation.
    assert_eq!(function.end().await, Some(2));
    assert_eq!(sandbox.files("models"), []);
    let left: Vec<String> = sandbox
        .files("tmp")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn a_run_that_waits_when_its_time_is_over_is_given_up() {
    let sandbox = Sandbox::trained();
    // A server that takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let variables = [
        ("AWS_ENDPOINT_URL_S3", endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("OKUO_INPUT", "s3://tickets/2024/"),
        ("OKUO_OUTPUT", "out"),
    ];
    let mut function = Function::start(&sandbox, &variables).await;
    let event = json!({"command": "score", "as_of": NIGHT});
    let failed = function
        .invoke(event, Duration::from_secs(2))
        .await
        .unwrap_err();
    assert_eq!(failed["errorType"], "Okuo.Deadline", "{failed}");
    assert_eq!(function.end().await, Some(2));
    assert_eq!(sandbox.files("out"), []);
}

#[tokio::test]
async fn a_killed_run_leaves_nothing_half_written_and_can_be_repeated() {
    let sandbox = Sandbox::trained();
    let event = json!({"command": "score", "as_of": NIGHT});
    // A fresh night.
    kill_at_all_times(&sandbox, &event).await;
    let mut function = Function::start(&sandbox, &VARIABLES).await;
    let scored = function.invoke(event, LONG).await.unwrap();
    assert_eq!(standing(&sandbox, NIGHT)["run_id"], scored["run_id"]);
    assert!(is_whole(&sandbox, NIGHT));
    // A night that stands, and is scored with one more table.
    let event = json!({"command": "score", "as_of": NIGHT, "format": "csv"});
    kill_at_all_times(&sandbox, &event).await;
    assert!(is_whole(&sandbox, NIGHT), "it stood before");
    let mut function = Function::start(&sandbox, &VARIABLES).await;
    let rescored = function.invoke(event, LONG).await.unwrap();
    assert_ne!(rescored["run_id"], scored["run_id"]);
    assert_eq!(standing(&sandbox, NIGHT)["run_id"], rescored["run_id"]);
    assert!(is_whole(&sandbox, NIGHT));
}

/// Runs an event again and again, and kills it ever later.
async fn kill_at_all_times(sandbox: &Sandbox, event: &Value) {
    let stood = is_whole(sandbox, NIGHT);
    for milliseconds in [0, 20, 40, 80, 160, 320] {
        let mut function = Function::start(sandbox, &VARIABLES).await;
        function.send(event.clone(), LONG).await;
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        function.kill().await;
        let stands = is_whole(sandbox, NIGHT);
        assert!(stands || !stood, "{milliseconds} ms: the night is gone");
    }
}

/// Whether a night has a manifest. One that it has must list its tables, each of which is there with
/// the size that the manifest says.
fn is_whole(sandbox: &Sandbox, night: &str) -> bool {
    let folder = sandbox.path(&format!("out/as_of={night}"));
    if !folder.join("manifest.json").exists() {
        return false;
    }
    let manifest = standing(sandbox, night);
    let tables = manifest["tables"].as_object().unwrap();
    assert!(tables.len() >= 2, "{manifest}");
    for table in tables.values() {
        let path = folder.join(table["path"].as_str().unwrap());
        let file = std::fs::metadata(&path).unwrap();
        assert_eq!(Some(file.len()), table["bytes"].as_u64(), "{path:?}");
    }
    true
}

#[tokio::test]
async fn only_new_tickets_start_a_run() {
    let sandbox = Sandbox::trained();
    let folder = sandbox.path("");
    let folder = folder.to_str().unwrap().trim_end_matches('/');
    let output = format!("{folder}/out");
    let mut function = Function::start(
        &sandbox,
        &[
            ("OKUO_INPUT", "s3://shop/tickets/"),
            ("OKUO_OUTPUT", &output),
        ],
    )
    .await;
    let created = |bucket: &str, key: &str| {
        json!({"Records": [{
            "eventName": "ObjectCreated:Put", "eventTime": "2024-07-11T05:00:00Z",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key}}
        }]})
    };
    let ignored = function
        .invoke(created("shop", "nightly/manifest.json"), LONG)
        .await
        .unwrap();
    assert!(
        ignored["ignored"]
            .as_str()
            .unwrap()
            .contains("s3://shop/nightly")
    );
    let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent"});
    assert!(function.invoke(test, LONG).await.unwrap()["ignored"].is_string());
    // There is no such bucket here, so that a run that is started ends with an error about it.
    let started = function
        .invoke(created("shop", "tickets/2024-07-10.csv"), LONG)
        .await
        .unwrap_err();
    assert!(started.to_string().contains("s3://shop"), "{started}");
}

#[test]
fn outside_of_lambda_it_is_okuo() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_okuo-lambda"))
        .arg("--version")
        .env_clear()
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.starts_with("okuo "),
        "{text}"
    );
}
