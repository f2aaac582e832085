//! `okuo lift`, `okuo simulate --campaign` and `okuo train --lift`: a campaign from end to end.

use crate::sandbox::Sandbox;

/// A simulated store like that of the sandbox, up to a day.
fn simulate(sandbox: &Sandbox, until: &str, more: &[&str]) -> serde_json::Value {
    let store = ["simulate", "--output", "tickets.csv", "--customers", "60"];
    let size = [
        "--products",
        "120",
        "--days",
        "200",
        "--seed",
        "3",
        "--json",
    ];
    sandbox
        .okuo(&[&store[..], &size[..], &["--until", until], more].concat())
        .json()
}

/// A sandbox whose customers reacted to the offers of a week; the tickets end on 2024-07-15.
fn campaign() -> Sandbox {
    let sandbox = Sandbox::new();
    let settings = String::from_utf8(sandbox.read("okuo.toml")).unwrap();
    let arms = "[offers]\ncontrol_share = 0.4\ncontrol_offer_share = 0.3\n";
    sandbox.write("okuo.toml", format!("{settings}{arms}"));
    simulate(&sandbox, "2024-06-20", &[]);
    let train = ["train", "-i", "tickets.csv", "--as-of", "2024-06-20"];
    sandbox
        .okuo(&[&train[..], &["--promote", "always"]].concat())
        .done();
    let score = [
        "score",
        "-i",
        "tickets.csv",
        "-o",
        "out",
        "--force",
        "--as-of",
    ];
    sandbox.okuo(&[&score[..], &["2024-06-20"]].concat()).done();
    let reaction = [
        "--campaign",
        "out",
        "--uplift",
        "likely=0.3,overdue=0.6",
        "--uplift-come",
        "1",
    ];
    let next = simulate(&sandbox, "2024-06-21", &reaction);
    assert_eq!(
        next["campaign"]["strategies"][0]["strategy"], "likely",
        "{next}"
    );
    sandbox.okuo(&[&score[..], &["2024-06-21"]].concat()).done();
    simulate(&sandbox, "2024-07-15", &reaction);
    sandbox
}

#[test]
fn what_offers_brought_is_measured_and_learned_from() {
    let sandbox = campaign();
    let lift = ["lift", "-i", "tickets.csv", "-o", "out"];
    let run = sandbox.okuo(&[&lift[..], &["--effect", "0.1"]].concat());
    run.done();
    for part in [
        ", of the nights from 2024-06-20 to 2024-06-21\n",
        "of       measure        arms  ",
        "\nall      bought         customers  ",
        "\nall      visits a week  customers  ",
        "\nall      bought         offers     ",
        "\nlikely   bought         customers  ",
        "\nto show an effect of 10.0 points in ",
    ] {
        assert!(run.out.contains(part), "{part}{run}");
    }
    let json = sandbox.okuo(&[&lift[..], &["--json"]].concat()).json();
    assert_eq!(
        (&json["from"], &json["to"]),
        (&"2024-06-20".into(), &"2024-06-21".into())
    );
    let row = &json["rows"][0];
    assert_eq!(
        (&row["measure"], &row["arms"], &row["group"]),
        (&"bought".into(), &"customers".into(), &"all".into())
    );
    assert!(row["low"].as_f64() < row["high"].as_f64(), "{row}");

    let early = sandbox.okuo(&[&lift[..], &["--to", "2024-06-01"]].concat());
    early.failed(1);

    let train = [
        "train",
        "-i",
        "tickets.csv",
        "--as-of",
        "2024-07-15",
        "--promote",
        "always",
    ];
    let plain = sandbox.okuo(&[&train[..], &["--json"]].concat()).json();
    assert_eq!(plain["learned_mix"], serde_json::Value::Null);
    let refused = sandbox.okuo(&[&train[..], &["--lift"]].concat());
    refused.failed(1);
    assert!(refused.err.contains("no output was named"), "{refused}");
    let learned = sandbox.okuo(&[&train[..], &["--lift", "-o", "out"]].concat());
    learned.done();
    assert!(
        learned
            .out
            .contains("mix learned from offers of 2024-06-20 to 2024-06-21: likely "),
        "{learned}"
    );
    let json = sandbox
        .okuo(&[&train[..], &["--lift", "-o", "out", "--json"]].concat())
        .json();
    let id = json["model_id"].as_str().unwrap();
    assert_ne!(
        plain["model_id"], json["model_id"],
        "another mix is another model"
    );
    let shown = sandbox.okuo(&["models", "show", id]);
    assert!(shown.out.contains("mix learned from offers"), "{shown}");
    let score = [
        "score",
        "-i",
        "tickets.csv",
        "-o",
        "next",
        "--as-of",
        "2024-07-15",
        "--force",
    ];
    let scored = sandbox.okuo(&[&score[..], &["--json"]].concat()).json();
    assert_eq!(scored["model_id"], json["model_id"]);
    let customer = [
        "explain",
        "-i",
        "tickets.csv",
        "--as-of",
        "2024-07-15",
        "--customer",
        "1",
    ];
    let explained = sandbox.okuo(&customer);
    assert!(
        explained.out.contains("offers: mix learned from offers"),
        "{explained}"
    );
}

#[test]
fn an_uplift_that_cannot_be_is_refused() {
    let sandbox = Sandbox::empty();
    let store = [
        "simulate",
        "--output",
        "t.csv",
        "--customers",
        "20",
        "--products",
        "100",
    ];
    for (more, why) in [
        (&["--campaign", "out"][..], "no night is published"),
        (
            &["--campaign", "out", "--uplift", "overdue"],
            "\"overdue\" is no uplift of a strategy",
        ),
        (
            &["--until", "2023-01-01"],
            "the days end on 2023-01-01, before they begin",
        ),
    ] {
        let run = sandbox.okuo(&[&store[..], more].concat());
        run.failed(1);
        assert!(run.err.contains(why), "{run}");
    }
}
