//! What a run leaves on record beside its results, and what of it decides nothing.

use serde_json::Value;

use crate::sandbox::{NIGHT, Run, Sandbox, TRAINED, tickets};

fn score(sandbox: &Sandbox, more: &[&str]) -> Run {
    let score = ["score", "-i", "tickets.csv", "--as-of", NIGHT, "-o", "out"];
    sandbox.okuo(&[&score[..], more].concat())
}

/// The last line of stderr, which is an error as JSON.
fn error(run: &Run) -> Value {
    let line = run.err.lines().last().unwrap();
    let document: Value = serde_json::from_str(line).unwrap();
    document["error"].clone()
}

/// What stands between the brackets of `okuo --version`.
fn commit(sandbox: &Sandbox) -> String {
    let run = sandbox.okuo(&["--version"]);
    let version = format!("okuo {} (", env!("CARGO_PKG_VERSION"));
    let rest = run.done().out.trim().strip_prefix(&version);
    let commit = rest.and_then(|rest| rest.strip_suffix(')')).unwrap();
    let digits = commit.strip_suffix("-dirty").unwrap_or(commit);
    assert!(
        commit == "unknown"
            || (digits.len() >= 12 && digits.chars().all(|digit| digit.is_ascii_hexdigit())),
        "{commit}"
    );
    commit.to_owned()
}

#[test]
fn a_night_and_a_model_say_who_made_them_and_what_it_took() {
    let sandbox = Sandbox::trained();
    let commit = commit(&sandbox);
    let summary = score(&sandbox, &["--json"]).json();
    let manifest = sandbox.read(&format!("out/as_of={NIGHT}/manifest.json"));
    let card = sandbox.read(&format!("models/{}/card.json", sandbox.model_id()));
    let of_file =
        |content: &[u8]| serde_json::from_slice::<Value>(content).unwrap()["measured"].clone();
    let size = sandbox.read("tickets.csv").len() as u64;
    for (measured, stages) in [
        (
            summary["measured"].clone(),
            &["list", "read", "predict", "tables", "publish"][..],
        ),
        (
            of_file(&manifest),
            &["list", "read", "summarize", "predict", "tables"],
        ),
        (of_file(&card), &["list", "read", "train", "measure"]),
    ] {
        assert_eq!(measured["build"]["commit"], *commit, "{measured}");
        assert_eq!(measured["build"]["version"], env!("CARGO_PKG_VERSION"));
        // Tickets with voids are read twice.
        let bytes = measured["bytes_read"].as_u64().unwrap();
        assert!(bytes > 0 && bytes % size == 0, "{measured}");
        let seconds = measured["seconds"].as_object().unwrap();
        for stage in stages {
            assert!(seconds.contains_key(*stage), "{stage}: {measured}");
        }
        let sum: f64 = seconds.values().filter_map(Value::as_f64).sum();
        let total = measured["total_seconds"].as_f64().unwrap();
        assert!((sum - total).abs() < 0.02, "{measured}");
        if cfg!(target_os = "linux") {
            assert!(measured["peak_memory_bytes"].as_u64() > Some(1 << 20));
        }
    }
    // No other time takes their place.
    score(&sandbox, &[]).done();
    let train = ["train", "-i", "tickets.csv", "--as-of", TRAINED];
    sandbox.okuo(&train).done();
    assert!(sandbox.read(&format!("out/as_of={NIGHT}/manifest.json")) == manifest);
    assert!(sandbox.read(&format!("models/{}/card.json", sandbox.model_id())) == card);
}

#[test]
fn an_error_says_how_far_the_run_came() {
    let sandbox = Sandbox::trained();
    sandbox.write("tickets.csv", tickets(|time| !time.starts_with(NIGHT)));
    let stopped = error(&score(&sandbox, &["--json"]));
    let measured = &stopped["measured"];
    assert_eq!(
        (&stopped["kind"], &measured["stage"]),
        (&"guard".into(), &"summarize".into())
    );
    assert!(measured["bytes_read"].as_u64() > Some(0), "{measured}");
    assert!(measured["seconds"]["read"].is_number());
    // Nothing was done yet, but that this okuo refused it is known.
    for wrong in [
        &["--model", "2024-13-01-0123456789ab"][..],
        &["--no-such-flag"],
    ] {
        let refused = error(&score(&sandbox, &[&["--json"], wrong].concat()));
        assert_eq!(refused["exit_code"], 1);
        assert_eq!(refused["measured"]["build"]["commit"], *commit(&sandbox));
    }
}
