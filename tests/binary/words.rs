//! What okuo says of itself, and to a wrong request.

use crate::sandbox::{Sandbox, assert_run};

#[test]
fn help_of_okuo() {
    assert_run!(Sandbox::empty().okuo(&["--help"]));
}

#[test]
fn help_in_short() {
    assert_run!(Sandbox::empty().okuo(&["-h"]));
}

#[test]
fn help_of_init() {
    assert_run!(Sandbox::empty().okuo(&["init", "--help"]));
}

#[test]
fn help_of_train() {
    assert_run!(Sandbox::empty().okuo(&["train", "--help"]));
}

#[test]
fn help_of_score() {
    assert_run!(Sandbox::empty().okuo(&["score", "--help"]));
}

#[test]
fn help_of_check() {
    assert_run!(Sandbox::empty().okuo(&["check", "--help"]));
}

#[test]
fn help_of_lift() {
    assert_run!(Sandbox::empty().okuo(&["lift", "--help"]));
}

#[test]
fn help_of_monitor() {
    assert_run!(Sandbox::empty().okuo(&["monitor", "--help"]));
}

#[test]
fn help_of_explain() {
    assert_run!(Sandbox::empty().okuo(&["explain", "--help"]));
}

#[test]
fn help_of_eval() {
    assert_run!(Sandbox::empty().okuo(&["eval", "--help"]));
}

#[test]
fn help_of_models() {
    let sandbox = Sandbox::empty();
    let commands = [
        "", "list", "show", "promote", "history", "rollback", "delete", "prune",
    ];
    let words = commands.map(|command| {
        let arguments: Vec<&str> = ["models", command, "--help"]
            .into_iter()
            .filter(|word| !word.is_empty())
            .collect();
        sandbox.okuo(&arguments).done().out.clone()
    });
    assert_run!(words.join("\n=======\n"));
}

#[test]
fn help_of_simulate() {
    assert_run!(Sandbox::empty().okuo(&["simulate", "--help"]));
}

#[test]
fn help_of_demo() {
    assert_run!(Sandbox::empty().okuo(&["demo", "--help"]));
}

#[test]
fn help_of_config() {
    assert_run!(Sandbox::empty().okuo(&["config", "--help"]));
}

#[test]
fn no_arguments_are_a_wrong_request_with_the_short_help() {
    let run = Sandbox::empty().okuo(&[]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(
        run.err.contains("Usage: okuo <COMMAND>") && run.err.contains("First steps"),
        "{run}"
    );
}

#[test]
fn the_version_is_a_result() {
    let run = Sandbox::empty().okuo(&["--version"]);
    // What stands in the brackets is looked at by the tests of what is on record.
    let version = format!("okuo {} (", env!("CARGO_PKG_VERSION"));
    assert!(
        run.done().out.starts_with(&version) && run.out.ends_with(")\n"),
        "{run}"
    );
}

#[test]
fn wrong_requests() {
    let sandbox = Sandbox::new();
    let of = |arguments: &[&str]| {
        let run = sandbox.okuo(arguments);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run}");
        format!("$ okuo {}\n{run}\n", arguments.join(" "))
    };
    let runs = [
        of(&["scroe"]),
        of(&["train", "--input", "tickets.csv"]),
        of(&["train", "--input", "tickets.csv", "--as-of", "31/10/2017"]),
        of(&["train", "--as-of", "2024-06-30"]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--basket-shere",
            "0.5",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--basket-share",
            "1.5",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--max-bad-share",
            "-1",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--threads",
            "0",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--day-start",
            "24",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--history-days",
            "7",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--history-days",
            "60",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--promote",
            "sometimes",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "-q",
            "-v",
        ]),
        of(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-06-30",
            "--customer",
            "x",
            "--product",
            "x",
        ]),
        of(&["score", "--input", "tickets.csv", "--as-of", "2024-07-10"]),
        of(&[
            "score",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-07-10",
            "--output",
            "out",
            "--format",
            "xls",
        ]),
        of(&["explain", "--input", "tickets.csv", "--as-of", "2024-07-10"]),
        of(&[
            "explain",
            "--input",
            "tickets.csv",
            "--as-of",
            "2024-07-10",
            "--id",
            "7",
            "--top",
            "26",
        ]),
        of(&["eval", "--input", "tickets.csv", "--holdout", "July"]),
        of(&[
            "eval",
            "--input",
            "tickets.csv",
            "--holdout",
            "2024-06",
            "--every",
            "0",
        ]),
        of(&["models", "show", "the-best"]),
        of(&["simulate", "--output", "tickets.xlsx"]),
        of(&["simulate", "--output", "t.csv", "--style", "kiosk"]),
        of(&["simulate", "--output", "t.csv", "--truth", "truth.txt"]),
    ];
    assert_run!(runs.join("\n"));
    assert!(!sandbox.path("t.csv").exists() && !sandbox.path("models").exists());
}

#[test]
fn settings_and_where_they_come_from() {
    let sandbox = Sandbox::empty();
    sandbox.write("okuo.toml", "[columns]\nproduct = \"article\"\n[rule]\nperiods = 2\nbasket_share = 0.5\n[training.basket]\nevery = 5\n");
    let variables = [
        ("OKUO_BASKET_SHARE", "0.6"),
        ("OKUO_INPUT", "a.csv b.csv"),
        ("OKUO_TIME_ZONE", "Europe/Rome"),
    ];
    let run = sandbox.okuo_with(
        &["config", "--basket-share", "0.7", "--customer", "client"],
        &variables,
    );
    // How models are fitted by default is tuned now and then, and shows in no snapshot.
    let (settings, training) = run.out.split_once("\n[training]\n").unwrap();
    assert_run!(settings);
    assert!(
        training
            .lines()
            .any(|line| line.starts_with("every = 5") && line.ends_with("# okuo.toml")),
        "{run}"
    );
    let json = sandbox.okuo_with(&["config", "--json"], &variables).json();
    assert_eq!(
        json["rule.basket_share"],
        serde_json::json!({ "value": 0.6, "source": "OKUO_BASKET_SHARE" })
    );
    assert_eq!(json["rule.periods"]["source"], "okuo.toml");
    // What is printed can be used as the file, and gives the same settings.
    sandbox.write("printed.toml", &run.out);
    let again = sandbox
        .okuo(&["config", "--config", "printed.toml", "--json"])
        .json();
    assert_eq!(
        (
            &again["rule.basket_share"]["value"],
            &again["input.paths"]["value"]
        ),
        (&0.7.into(), &json["input.paths"]["value"])
    );
}

#[test]
fn a_slip_in_the_file_or_the_environment_is_told() {
    let sandbox = Sandbox::empty();
    for (variable, value) in [("OKUO_HISTORY_DAYS", "abc"), ("OKUO_DAY_START", "")] {
        let run = sandbox.okuo_with(&["config"], &[(variable, value)]);
        assert_eq!(run.code, 1, "{run}");
        assert!(
            run.err.ends_with(&format!(
                "hint: the value is that of the variable {variable}\n"
            )),
            "{run}"
        );
    }
    let run = sandbox.okuo_with(
        &["config", "--history-days", "abc"],
        &[("OKUO_HISTORY_DAYS", "90")],
    );
    assert!(!run.err.contains("OKUO_HISTORY_DAYS"), "{run}");
    let run = sandbox.okuo_with(&["config"], &[("OKUO_BASKET_SHERE", "0.5")]);
    assert!(
        run.done()
            .err
            .contains("OKUO_BASKET_SHERE is none that okuo knows"),
        "{run}"
    );
    assert!(run.err.contains("did you mean OKUO_BASKET_SHARE?"), "{run}");
    let run = sandbox.okuo_with(
        &["config"],
        &[("OKUO_QXZ", "1"), ("OKUO_TEST_S3", "http://localhost")],
    );
    assert!(
        run.done().err.ends_with(
            "warning: the variable OKUO_QXZ is none that okuo knows and has no effect\n"
        ),
        "{run}"
    );
    assert_eq!(run.err.lines().count(), 1, "{run}");
    let runs = [
        "[rule]\n\nbasket_shere = 0.5",
        "[rules]\nperiods = 3",
        "time_zone = \"UTC\"",
        "[rule]\nperiods = \"three\"",
        "[rule\n",
        "[offers]\nper_customers = 3",
    ]
    .map(|text| {
        sandbox.write("okuo.toml", text);
        format!("{}\n", sandbox.okuo(&["config"]).failed(1))
    });
    assert_run!(runs.join("\n"));
    std::fs::remove_file(sandbox.path("okuo.toml")).unwrap();
    assert_run!(
        sandbox
            .okuo(&["config", "--config", "other.toml"])
            .failed(1)
    );
}
