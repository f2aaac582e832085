//! What `okuo train` decides and prints where a promoted model stands. Every case is tested over
//! the library, in `src/jobs/train/tests.rs`.

use crate::sandbox::{NIGHT, Run, SETTINGS, Sandbox, TRAINED};

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
