//! What is said on stderr, and a stdout that cannot be written to.

use std::process::Stdio;

use serde_json::Value;

use crate::sandbox::{NIGHT, Run, Sandbox, TRAINED, tickets};

const JSON: [&str; 2] = ["--log-format", "json"];

fn score(sandbox: &Sandbox, more: &[&str]) -> Run {
    sandbox.okuo(&[&SCORE[..], more].concat())
}

const SCORE: [&str; 7] = ["score", "-i", "tickets.csv", "--as-of", NIGHT, "-o", "out"];
const CHECK: [&str; 5] = ["check", "-i", "tickets.csv", "--as-of", NIGHT];
const TRAIN: [&str; 5] = ["train", "-i", "tickets.csv", "--as-of", TRAINED];

/// The lines of stderr, each an object.
fn events(run: &Run) -> Vec<Value> {
    let lines = run.err.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn each_line_of_a_log_in_json_has_its_time_level_run_and_stage() {
    let sandbox = Sandbox::trained();
    // A warning, and stages.
    let unknown = [("OKUO_NONSENSE", "1")];
    let verbose = [&SCORE[..], &["-v"]].concat();
    let text = sandbox.okuo_with(&verbose, &unknown);
    text.done();
    let json = sandbox.okuo_with(&[&verbose[..], &JSON].concat(), &unknown);
    assert_eq!(json.done().out, text.out, "stdout has the results alone");
    let events = events(&json);
    let runs: std::collections::BTreeSet<&str> = events
        .iter()
        .filter_map(|event| event["run"].as_str())
        .collect();
    assert_eq!(runs.len(), 1, "{json}");
    for event in &events {
        let time = event["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
        assert!(["debug", "info", "warn"].contains(&event["level"].as_str().unwrap()));
    }
    // The lines for people are the same messages.
    let messages = events.iter().map(|event| {
        let message = event["message"].as_str().unwrap();
        match event["level"] == "warn" {
            true => format!("warning: {message}\n"),
            false => format!("{message}\n"),
        }
    });
    assert_eq!(messages.collect::<String>(), text.err);
    let last = events.last().unwrap();
    assert_eq!(
        (&last["level"], &last["message"]),
        (&"info".into(), &"publishing".into())
    );
}

#[test]
fn an_error_is_an_event_too_whoever_refuses() {
    let sandbox = Sandbox::trained();
    sandbox.write("tickets.csv", tickets(|time| !time.starts_with(NIGHT)));
    let stopped = score(&sandbox, &JSON);
    assert_eq!(stopped.code, 3, "{stopped}");
    let events_of_run = events(&stopped);
    let last = events_of_run.last().unwrap();
    assert_eq!(
        (&last["level"], &last["error"]["kind"]),
        (&"error".into(), &"guard".into())
    );
    assert!(
        last["stage"].is_string() && last["message"].is_string(),
        "{last}"
    );
    let quiet = events(&score(&sandbox, &[&JSON[..], &["-q"]].concat()));
    assert_eq!(quiet.len(), 1, "{quiet:?}");
    // The parser of the arguments, by the flag; the file, by the environment and by the file itself.
    let refused = events(&score(&sandbox, &[&JSON[..], &["--no-such-flag"]].concat()));
    assert_eq!(refused[0]["error"]["exit_code"], 1);
    let variable = [("OKUO_LOG_FORMAT", "json")];
    let missing = sandbox.okuo_with(
        &[&SCORE[..], &["--config", "missing.toml"]].concat(),
        &variable,
    );
    assert_eq!(events(&missing)[0]["error"]["kind"], "not_found");
    let settings = String::from_utf8(sandbox.read("okuo.toml")).unwrap();
    sandbox.write("okuo.toml", format!("log_format = \"json\"\n{settings}"));
    assert_eq!(
        events(&score(&sandbox, &[])).last().unwrap()["error"]["kind"],
        "guard"
    );
}

#[test]
fn a_run_tells_cloudwatch_what_it_took_and_how_it_ended() {
    let sandbox = Sandbox::trained();
    let emf = |run: &Run| {
        let last = run.err.lines().last().unwrap();
        serde_json::from_str::<Value>(last).unwrap()
    };
    let line = emf(score(&sandbox, &["--metrics", "emf"]).done());
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "okuo");
    assert_eq!(
        (&line["command"], &line["done"]),
        (&"score".into(), &1.0.into())
    );
    for name in ["seconds", "bytes_read", "customers", "offers"] {
        assert!(line[name].as_f64() > Some(0.0), "{name}: {line}");
    }
    sandbox.write("tickets.csv", tickets(|time| !time.starts_with(NIGHT)));
    let line = emf(&score(&sandbox, &["--metrics", "emf"]));
    assert_eq!(
        (&line["done"], &line["stopped"]),
        (&0.0.into(), &1.0.into())
    );
    assert!(line["bytes_read"].as_f64() > Some(0.0), "{line}");
    assert!(!score(&sandbox, &[]).err.contains("_aws"));
}

/// Runs with a stdout that cannot be written to. A pipe is closed at its other end.
#[cfg(target_os = "linux")]
fn unwritable(sandbox: &Sandbox, arguments: &[&str], is_pipe: bool) -> (Option<i32>, String) {
    let mut command = sandbox.command(arguments);
    command.stderr(Stdio::piped());
    if is_pipe {
        command.stdout(Stdio::piped());
    } else {
        let full = std::fs::File::options().write(true).open("/dev/full");
        command.stdout(full.unwrap());
    }
    let mut run = command.spawn().unwrap();
    drop(run.stdout.take());
    let output = run.wait_with_output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_cannot_be_written_to_does_not_decide_what_is_published() {
    for json in [&[][..], &["--json"]] {
        for (is_pipe, code) in [(false, 2), (true, 0)] {
            let sandbox = Sandbox::new();
            let run =
                |arguments: &[&str]| unwritable(&sandbox, &[arguments, json].concat(), is_pipe);
            let (trained, told) = run(&[&TRAIN[..], &["--promote", "always"]].concat());
            assert_eq!(trained, Some(code), "{told}");
            assert!(sandbox.path("models/latest.json").exists(), "{told}");
            let (scored, told) = run(&SCORE);
            assert_eq!(scored, Some(code), "{told}");
            assert!(is_pipe || told.contains("published all the same"), "{told}");
            let manifest = format!("out/as_of={NIGHT}/manifest.json");
            assert!(sandbox.path(&manifest).exists(), "{told}");
            let range = ["--from", "2024-07-08", "--to", "2024-07-09"];
            let range = [&["score", "-i", "tickets.csv", "-o", "out"], &range[..]].concat();
            let (scored, told) = run(&range);
            assert_eq!(scored, Some(code), "{told}");
            assert!(
                sandbox.path("out/as_of=2024-07-09/manifest.json").exists(),
                "{told}"
            );
            assert_eq!(run(&CHECK).0, Some(code));
            // What the guards say goes first.
            sandbox.write("tickets.csv", tickets(|time| !time.starts_with(NIGHT)));
            assert_eq!(run(&CHECK).0, Some(3));
        }
    }
}
