//! `okuo models history|rollback|delete|prune`.

use crate::sandbox::{Run, Sandbox, assert_run};

fn train(sandbox: &Sandbox, as_of: &str, promote: &str) -> String {
    let train = ["train", "-i", "tickets.csv", "--as-of", as_of];
    let run = sandbox.okuo(&[&train[..], &["--promote", promote, "--json"]].concat());
    run.json()["model_id"].as_str().unwrap().to_owned()
}

/// A registry with models of four nights, of which three were promoted.
fn registry() -> (Sandbox, [String; 4]) {
    let sandbox = Sandbox::new();
    let nights = ["2024-06-28", "2024-06-30", "2024-07-02", "2024-07-04"];
    let models = [0, 1, 2, 3].map(|at: usize| {
        let promote = if at == 1 { "never" } else { "always" };
        train(&sandbox, nights[at], promote)
    });
    (sandbox, models)
}

fn models(sandbox: &Sandbox, arguments: &[&str]) -> Run {
    sandbox.okuo(&[&["models"], arguments].concat())
}

fn promoted(sandbox: &Sandbox) -> String {
    let pointer: serde_json::Value =
        serde_json::from_slice(&sandbox.read("models/latest.json")).unwrap();
    pointer["model_id"].as_str().unwrap().to_owned()
}

fn stored(sandbox: &Sandbox) -> Vec<String> {
    let listed = models(sandbox, &["list", "--json"]).json();
    let listed = listed.as_array().unwrap().iter();
    listed
        .map(|model| model["model_id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn promotions_are_kept_and_taken_back() {
    let (sandbox, [june, _, second, fourth]) = registry();
    let history = models(&sandbox, &["history", "--json"]).json();
    let moves: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["date"].clone(), it["from"].clone(), it["to"].clone()))
        .collect();
    let expected = [
        ("2024-06-28", serde_json::Value::Null, &june),
        ("2024-07-02", june.clone().into(), &second),
        ("2024-07-04", second.clone().into(), &fourth),
    ]
    .map(|(date, from, to)| (date.into(), from, to.as_str().into()));
    assert_eq!(moves, expected);

    let run = models(&sandbox, &["rollback"]);
    assert_eq!(
        run.done().out,
        format!("rolled back to {second} from {fourth}\n")
    );
    assert_run!(models(&sandbox, &["history"]).done());
    // What was taken back scores no night any more.
    let score = [
        "score",
        "-i",
        "tickets.csv",
        "-o",
        "out",
        "--as-of",
        "2024-07-10",
    ];
    let run = sandbox.okuo(&[&score[..], &["--json"]].concat()).json();
    assert_eq!(run["model_id"], second);
    models(&sandbox, &["rollback"]).done();
    assert_eq!(promoted(&sandbox), june);
    let none = models(&sandbox, &["rollback"]);
    none.failed(1);
    assert!(
        none.err
            .contains("no model was promoted before the present one"),
        "{none}"
    );
    models(&sandbox, &["promote", &fourth]).done();
    assert_eq!(promoted(&sandbox), fourth);
    models(&Sandbox::new(), &["history"]).failed(1);
}

#[test]
fn models_that_are_needed_are_not_removed() {
    let (sandbox, [june, never, second, fourth]) = registry();
    for (arguments, what) in [
        (&["delete", &fourth][..], "is the promoted one"),
        (&["delete", &fourth, "--force"], "is the promoted one"),
        (&["delete", &second], "a rollback would need"),
        (&["delete", "2024-06-30-000000000000"], "there is no model"),
        (&["delete", "2024-06-30"], "only the beginning"),
        (&["prune", "--keep", "0"], "no model would be kept"),
    ] {
        let run = models(&sandbox, arguments);
        run.failed(1);
        assert!(run.err.contains(what), "{what}: {run}");
    }
    let run = models(&sandbox, &["delete", &never, "--dry-run"]);
    assert_eq!(run.done().out, format!("would remove {never}\n"));
    let run = models(&sandbox, &["prune", "--keep", "1", "--dry-run", "--json"]).json();
    let pruned: Vec<_> = run.as_array().unwrap().iter().collect();
    assert_eq!(
        pruned
            .iter()
            .map(|it| it["model_id"].clone())
            .collect::<Vec<_>>(),
        [june.as_str(), never.as_str()]
    );
    assert_eq!(stored(&sandbox).len(), 4);

    let run = models(&sandbox, &["prune", "--keep", "3"]);
    assert_eq!(
        run.done().out,
        format!("removed {june}; its nights can no longer be repeated\n")
    );
    assert_eq!(
        stored(&sandbox),
        [never.clone(), second.clone(), fourth.clone()]
    );
    let score = [
        "score",
        "-i",
        "tickets.csv",
        "-o",
        "out",
        "--as-of",
        "2024-07-01",
    ];
    let run = sandbox.okuo(&score);
    run.failed(1);
    assert!(
        run.err.contains(&format!(
            "it names the model {june}, which is not in the registry"
        )),
        "{run}"
    );
    let run = models(&sandbox, &["history"]);
    assert!(run.done().out.contains("(removed)"), "{run}");
    models(&sandbox, &["delete", &second, "--force"]).done();
    assert_eq!(stored(&sandbox), [never.clone(), fourth.clone()]);
    assert!(!sandbox.path(&format!("models/{second}/card.json")).exists());
    let run = models(&sandbox, &["prune", "--keep", "2"]);
    assert_eq!(run.done().out, "nothing to remove\n");
    models(&sandbox, &["rollback"]).failed(1);
}
