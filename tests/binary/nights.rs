//! Nights in a row, and the model for each of them.

use crate::sandbox::{NIGHT, Run, Sandbox, TRAINED, tickets};

/// A night after [`NIGHT`] for which the sandbox is trained again.
const AGAIN: &str = "2024-07-12";

const SCORE: [&str; 5] = ["score", "-i", "tickets.csv", "-o", "out"];

fn train(sandbox: &Sandbox, as_of: &str) -> String {
    let train = ["train", "-i", "tickets.csv", "--as-of", as_of];
    let run = sandbox.okuo(&[&train[..], &["--promote", "always", "--json"]].concat());
    run.json()["model_id"].as_str().unwrap().to_owned()
}

fn score(sandbox: &Sandbox, more: &[&str]) -> Run {
    sandbox.okuo(&[&SCORE[..], more].concat())
}

fn range(sandbox: &Sandbox, from: &str, to: &str, more: &[&str]) -> Run {
    score(sandbox, &[&["--from", from, "--to", to], more].concat())
}

#[test]
fn a_night_can_be_repeated_after_the_next_training() {
    let sandbox = Sandbox::trained();
    let first = sandbox.model_id();
    score(&sandbox, &["--as-of", NIGHT]).done();
    let before = sandbox.files("out");
    let second = train(&sandbox, AGAIN);
    // The promoted model was trained after the night.
    let run = score(&sandbox, &["--as-of", NIGHT, "--json"]).json();
    assert_eq!(run["model_id"], first);
    assert!(sandbox.files("out") == before, "another run");
    let run = score(&sandbox, &["--as-of", NIGHT, "--model", "as-of", "--json"]).json();
    assert_eq!(run["model_id"], first);
    let later = score(&sandbox, &["--as-of", "2024-07-14", "--json"]).json();
    assert_eq!(later["model_id"], second);
    for command in ["check", "explain"] {
        let arguments = [command, "-i", "tickets.csv", "--as-of", NIGHT, "--json"];
        let more: &[&str] = if command == "explain" {
            &["--id", "1"]
        } else {
            &[]
        };
        let run = sandbox.okuo(&[&arguments[..], more].concat()).json();
        assert_eq!(run["model_id"], first, "{command}");
    }
    let early = score(&sandbox, &["--as-of", "2024-06-20"]);
    early.failed(1);
    for part in [
        "no promoted model can be used on 2024-06-20: all were trained on days after it".to_owned(),
        format!("the promoted one is {second}"),
        "okuo train --as-of 2024-06-20".to_owned(),
    ] {
        assert!(early.err.contains(&part), "{part}: {early}");
    }
}

#[test]
fn a_range_gives_the_runs_of_its_nights_and_goes_on_where_it_stopped() {
    let sandbox = Sandbox::trained();
    for night in ["2024-07-09", NIGHT] {
        score(&sandbox, &["--as-of", night, "--format", "csv"]).done();
    }
    let alone = sandbox.files("out");
    std::fs::remove_dir_all(sandbox.path("out")).unwrap();
    let format = ["--format", "csv"];
    let run = range(&sandbox, "2024-07-09", NIGHT, &format);
    run.done();
    assert_eq!(run.out.lines().count(), 2, "{run}");
    assert!(run.out.starts_with("2024-07-09  published  run "), "{run}");
    assert!(
        sandbox.files("out") == alone,
        "the manifests and tables differ"
    );

    let run = range(&sandbox, "2024-07-09", "2024-07-11", &format);
    let unchanged = run.done().out.matches("  unchanged  run ").count();
    assert_eq!(unchanged, 2, "{run}");
    assert!(run.out.contains("2024-07-11  published"), "{run}");
    // What the nights are made of has changed, or a table is not whole.
    let json = |more: &[&str]| {
        let outcomes = range(&sandbox, NIGHT, NIGHT, &[&["--json"], more].concat()).json();
        let [outcome] = outcomes.as_array().unwrap().as_slice() else {
            panic!("{outcomes}");
        };
        (outcome["outcome"].clone(), outcome["as_of"].clone())
    };
    assert_eq!(json(&format), ("unchanged".into(), NIGHT.into()));
    assert_eq!(json(&[]), ("published".into(), NIGHT.into()));
    assert_eq!(json(&["--periods", "2"]).0, "published");
    assert_eq!(json(&["--periods", "2"]).0, "unchanged");
    let files = sandbox.files("out");
    for (name, _) in files
        .iter()
        .filter(|(name, _)| name.contains("offers.parquet"))
    {
        sandbox.write(name, "short");
    }
    assert_eq!(json(&["--periods", "2"]).0, "published");
    sandbox.write(
        "tickets.csv",
        tickets(|time| !time.starts_with("2024-02-01")),
    );
    assert_eq!(json(&["--periods", "2"]).0, "published");
}

#[test]
fn a_night_that_a_guard_stops_does_not_stop_those_after_it() {
    let sandbox = Sandbox::trained();
    sandbox.write("tickets.csv", tickets(|time| !time.starts_with(NIGHT)));
    let run = range(&sandbox, "2024-07-09", "2024-07-11", &[]);
    assert_eq!(run.code, 3, "{run}");
    let outcomes: Vec<&str> = run
        .out
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(outcomes, ["published", "stopped", "published"], "{run}");
    assert!(
        run.err.contains("guards stopped 1 of 3 nights: 2024-07-10"),
        "{run}"
    );
    assert!(!sandbox.path(&format!("out/as_of={NIGHT}")).exists());
    let forced = range(&sandbox, NIGHT, NIGHT, &["--force"]);
    forced.done();
    // A night that was forced is judged again without --force.
    assert_eq!(range(&sandbox, NIGHT, NIGHT, &[]).code, 3);
    let again = range(&sandbox, NIGHT, NIGHT, &["--force"]);
    assert!(again.done().out.contains("unchanged"), "{again}");
}

#[test]
fn a_night_that_fails_ends_the_range_and_what_was_done_is_told() {
    let sandbox = Sandbox::trained();
    // Nobody is recurrent before there are three periods.
    let run = range(&sandbox, "2024-06-28", TRAINED, &["--json"]);
    assert_eq!(run.code, 1, "{run}");
    let outcomes: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(outcomes.as_array().unwrap().len(), 1, "{run}");
    assert_eq!(outcomes[0]["outcome"], "failed");
    assert!(
        run.err
            .contains("no promoted model can be used on 2024-06-28"),
        "{run}"
    );

    for (arguments, what) in [
        (&["--from", NIGHT, "--to", TRAINED][..], "before they begin"),
        (
            &["--from", NIGHT, "--to", NIGHT, "-i", "-"],
            "read only once",
        ),
        (&["--from", NIGHT], "--to"),
        (
            &["--as-of", NIGHT, "--from", NIGHT, "--to", NIGHT],
            "cannot be used with",
        ),
        (&[], "--as-of"),
    ] {
        let run = score(&sandbox, arguments);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run}");
        assert!(run.err.contains(what), "{what}: {run}");
    }
}

#[test]
fn a_damaged_night_is_published_again() {
    let sandbox = Sandbox::trained();
    let score = || {
        let night = [
            "score",
            "--input",
            "tickets.csv",
            "--from",
            NIGHT,
            "--to",
            NIGHT,
        ];
        sandbox.okuo(&[&night[..], &["--output", "out"]].concat())
    };
    score().done();
    let files = sandbox.files("out");
    let (name, content) = files
        .iter()
        .find(|(name, _)| name.ends_with("products.parquet"))
        .unwrap();
    let mut damaged = content.clone();
    damaged[40] ^= 1;
    sandbox.write(name, &damaged);
    let again = score();
    assert!(again.done().out.contains("  published  "), "{again}");
    assert_eq!(&sandbox.read(name), content);
    assert!(score().done().out.contains("  unchanged  "));
}

#[test]
fn a_run_that_was_replaced_leaves_no_file_in_any_format() {
    let sandbox = Sandbox::trained();
    for (least, format) in [
        ("4", "csv"),
        ("5", "jsonl"),
        ("6", ""),
        ("7", ""),
        ("8", ""),
    ] {
        let mut night = vec!["score", "--input", "tickets.csv", "--as-of", NIGHT];
        night.extend(["--output", "out", "--min-purchases", least]);
        if !format.is_empty() {
            night.extend(["--format", format]);
        }
        sandbox.okuo(&night).done();
        // Runs stay for an hour after the last manifest that named them.
        for (name, _) in sandbox.files("out") {
            let file = std::fs::File::options()
                .write(true)
                .open(sandbox.path(&name))
                .unwrap();
            let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7200);
            file.set_modified(long_ago).unwrap();
        }
    }
    let left = sandbox.files("out");
    let texts = left.iter().filter(|(name, _)| !name.ends_with(".parquet"));
    let texts: Vec<&str> = texts.map(|(name, _)| name.as_str()).collect();
    assert_eq!(texts, [format!("out/as_of={NIGHT}/manifest.json")]);
}
