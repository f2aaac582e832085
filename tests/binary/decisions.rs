//! What `okuo train` decides and prints where a promoted model stands. Every case is tested over
//! the library, in `src/jobs/train/tests.rs`.

use crate::sandbox::{NIGHT, Run, SETTINGS, Sandbox, TRAINED, tickets};

/// A night whose model has not seen the 28 days before [`TRAINED`].
const EARLIER: &str = "2024-05-31";

fn train(sandbox: &Sandbox, as_of: &str, promote: &str) -> Run {
    let input = ["train", "-i", "tickets.csv", "--as-of", as_of];
    let run = sandbox.okuo(&[&input[..], &["--promote", promote]].concat());
    run.done();
    run
}

fn pointer(sandbox: &Sandbox) -> serde_json::Value {
    serde_json::from_slice(&sandbox.read("models/latest.json")).unwrap()
}

#[test]
fn a_worse_model_leaves_the_promoted_one_in_its_place() {
    let sandbox = Sandbox::new();
    train(&sandbox, EARLIER, "always");
    let standing = sandbox.model_id();
    // A model that learns next to nothing.
    let poor = SETTINGS
        .replace("trees = 5", "trees = 1\nlearning_rate = 0.001")
        .replace("leaves = 8", "leaves = 2");
    sandbox.write("okuo.toml", poor);
    let run = train(&sandbox, TRAINED, "if-better");
    let reason = format!(
        "; not promoted: its ndcg@10 is significantly worse than that of the promoted model {standing}: \
         ndcg@10 -"
    );
    for part in ["replaced model  ", &reason] {
        assert!(run.out.contains(part), "{part} is missing: {run}");
    }
    assert!(
        run.err
            .contains("--registry models` promotes it all the same"),
        "{run}"
    );
    assert_eq!(pointer(&sandbox)["model_id"], standing);
    let score = [
        "score",
        "-i",
        "tickets.csv",
        "--as-of",
        NIGHT,
        "-o",
        "out",
        "--json",
    ];
    assert_eq!(sandbox.okuo(&score).json()["model_id"], standing);
}

#[test]
fn a_model_whose_last_days_have_gaps_is_stored_and_not_promoted() {
    let sandbox = Sandbox::new();
    let gap = "2024-06-12".."2024-06-22";
    sandbox.write("tickets.csv", tickets(|time| !gap.contains(&&time[..10])));
    let arguments = ["train", "-i", "tickets.csv", "--as-of", TRAINED];
    let run = sandbox.okuo(&arguments);
    assert_eq!(run.code, 3, "{run}");
    for part in [
        "not promoted: its last days have gaps, from which it would learn that customers stay away: ",
        "10 days of the last 35 have no sales, 10 in a row (max_missing_days = 2)",
    ] {
        assert!(run.out.contains(part), "{part}: {run}");
    }
    assert!(
        run.err.contains(
            "was stored and not promoted, since its last days have gaps:\n  missing-days: "
        ),
        "{run}"
    );
    assert!(!sandbox.path("models/latest.json").exists());
    sandbox.model_id();

    let settings = format!("{SETTINGS}[guards]\nenabled = false\n");
    sandbox.write("okuo.toml", settings);
    assert_ne!(sandbox.okuo(&arguments).code, 3);
    sandbox.write("okuo.toml", SETTINGS);
    let run = train(&sandbox, TRAINED, "always");
    assert!(run.err.contains("warning: 10 days of the last 35"), "{run}");
    assert_eq!(pointer(&sandbox)["model_id"], sandbox.model_id());
}

#[test]
fn a_promoted_model_that_cannot_be_read_is_a_warning_of_the_training() {
    let sandbox = Sandbox::new();
    train(&sandbox, EARLIER, "always");
    let standing = sandbox.model_id();
    let file = format!("models/{standing}/model.okuo");
    let mut newer_format = sandbox.read(&file);
    newer_format[8] += 1;
    for (content, what) in [
        (&newer_format[..], "the model file has format version 4"),
        (b"damaged", "this is not a model file of okuo"),
    ] {
        sandbox.write(&file, content);
        let run = train(&sandbox, TRAINED, "if-better");
        let warning =
            format!("warning: the promoted model {standing} cannot be compared: {file}: ");
        assert!(
            run.err.contains(&warning) && run.err.contains(what),
            "{run}"
        );
        assert!(!run.out.contains("replaced model"), "{run}");
    }
    let run = train(&sandbox, TRAINED, "always");
    assert!(
        run.out
            .contains("promoted: promotion was asked for, whatever the figures"),
        "{run}"
    );
    assert_eq!(pointer(&sandbox)["previous"], standing);
}
