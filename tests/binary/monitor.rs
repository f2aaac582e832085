//! `okuo monitor`: published nights beside the tickets that followed.

use crate::sandbox::{Run, Sandbox, assert_run};

/// A sandbox with a model of 2024-05-31 and the nights of three weeks later; the tickets end on
/// 2024-07-18.
fn published() -> Sandbox {
    let sandbox = Sandbox::new();
    let train = ["train", "-i", "tickets.csv", "--as-of", "2024-05-31"];
    sandbox
        .okuo(&[&train[..], &["--promote", "always"]].concat())
        .done();
    let score = ["score", "-i", "tickets.csv", "-o", "out", "--from"];
    sandbox
        .okuo(&[&score[..], &["2024-06-18", "--to", "2024-06-21"]].concat())
        .done();
    sandbox
}

fn monitor(sandbox: &Sandbox, more: &[&str]) -> Run {
    sandbox.okuo(&[&["monitor", "-i", "tickets.csv", "-o", "out"], more].concat())
}

/// Puts a figure into the model's card.
fn promise(sandbox: &Sandbox, figure: &str, value: f64) {
    let file = format!("models/{}/card.json", sandbox.model_id());
    let mut card: serde_json::Value = serde_json::from_slice(&sandbox.read(&file)).unwrap();
    let figures = &mut card["figures"]["okuo"];
    figures[figure] = value.into();
    figures["rows"] = 4_000.into();
    figures["nights"] = 4.into();
    sandbox.write(&file, serde_json::to_vec(&card).unwrap());
}

#[test]
fn nights_are_measured_once_four_weeks_have_followed() {
    let sandbox = published();
    assert_run!(monitor(&sandbox, &[]).done());
    let run = monitor(&sandbox, &["--json"]).json();
    let nights: Vec<_> = run["nights"].as_array().unwrap().iter().collect();
    assert_eq!(
        nights
            .iter()
            .map(|it| it["as_of"].clone())
            .collect::<Vec<_>>(),
        ["2024-06-18", "2024-06-19", "2024-06-20"]
    );
    assert_eq!(run["waiting"], serde_json::json!(["2024-06-21"]));
    let one = monitor(
        &sandbox,
        &["--json", "--from", "2024-06-18", "--to", "2024-06-18"],
    )
    .json();
    assert_eq!(one["nights"][0], run["nights"][0]);
    assert_eq!(one["nights"][0]["unknown"], 0);

    let run = monitor(&sandbox, &["--from", "2024-06-21"]);
    assert_eq!(run.done().out, "");
    assert!(
        run.err.contains("1 night is not followed for 28 days yet"),
        "{run}"
    );
    let none = monitor(&sandbox, &["--to", "2024-06-01"]);
    none.failed(1);
    assert!(
        none.err
            .contains("nights from 2024-06-18 to 2024-06-21 are"),
        "{none}"
    );
}

#[test]
fn a_promise_that_is_not_kept_ends_with_exit_code_3() {
    let sandbox = published();
    promise(&sandbox, "mae_all", 0.5);
    monitor(&sandbox, &[]).done();
    let run = monitor(&sandbox, &["--fail-if-worse"]);
    assert_eq!(run.code, 3, "{run}");
    assert!(
        run.err
            .contains("published nights are worse than the backtest promised")
            && run.err.contains("mae_all")
            && run.err.contains("promised 0.5000"),
        "{run}"
    );
    promise(&sandbox, "mae_all", 20.0);
    promise(&sandbox, "ndcg@10", 0.01);
    let run = monitor(&sandbox, &["--fail-if-worse"]);
    assert_eq!(run.done().out.matches(", better").count(), 2, "{run}");
    // Without the model, the nights are measured all the same.
    let run = monitor(&sandbox, &["--fail-if-worse", "--registry", "none"]);
    assert!(
        run.done().out.contains("no figures to compare with"),
        "{run}"
    );
    assert!(run.err.contains("promised is not known"), "{run}");
}
