//! Guards: what stops a night, what only warns, and what `okuo check` says.

use crate::sandbox::{NIGHT, Run, Sandbox, TRAINED, tickets};

/// A trained sandbox whose tickets have lost the night's own day.
fn stale() -> Sandbox {
    let sandbox = Sandbox::trained();
    sandbox.write("tickets.csv", tickets(|time| !time.starts_with(NIGHT)));
    sandbox
}

fn okuo(sandbox: &Sandbox, command: &str, more: &[&str]) -> Run {
    let arguments = [command, "-i", "tickets.csv", "--as-of", NIGHT, "-o", "out"];
    sandbox.okuo(&[&arguments[..], more].concat())
}

fn manifest(sandbox: &Sandbox) -> serde_json::Value {
    serde_json::from_slice(&sandbox.read(&format!("out/as_of={NIGHT}/manifest.json"))).unwrap()
}

#[test]
fn a_breach_publishes_nothing_and_force_is_on_record() {
    let sandbox = stale();
    let run = okuo(&sandbox, "score", &[]);
    run.failed(3);
    for part in [
        "1 day up to the night 2024-07-10 has none (max_stale_days = 0)",
        "--force",
    ] {
        assert!(run.err.contains(part), "{part}: {run}");
    }
    assert_eq!(sandbox.files("out"), [], "something was published");

    okuo(&sandbox, "score", &["--force"]).done();
    let forced = manifest(&sandbox);
    assert_eq!(forced["guards"]["forced"], true);
    assert_eq!(forced["guards"]["breaches"][0]["code"], "stale");
    let warnings = forced["warnings"].as_array().unwrap();
    let stale = warnings
        .iter()
        .find(|warning| warning["code"] == "stale")
        .unwrap();
    assert_eq!(
        (&stale["value"], &stale["limit"]),
        (&1.0.into(), &0.0.into())
    );
}

#[test]
fn a_limit_that_allows_it_and_guards_that_are_off_let_the_night_pass() {
    let sandbox = stale();
    for settings in [
        "max_stale_days = 1",
        "enabled = false",
        "closed_days = [\"07-10\"]",
    ] {
        let before = String::from_utf8(sandbox.read("okuo.toml")).unwrap();
        let rule = before.split("[guards]").next().unwrap();
        sandbox.write("okuo.toml", format!("{rule}[guards]\n{settings}\n"));
        okuo(&sandbox, "score", &[]).done();
        assert_eq!(manifest(&sandbox)["guards"]["forced"], false, "{settings}");
    }
}

#[test]
fn a_night_whose_tickets_have_not_come_yet_is_worth_a_retry() {
    let sandbox = Sandbox::trained();
    // The tickets end on 2024-07-18.
    let night = "2024-07-19";
    for command in ["score", "check"] {
        let arguments = [command, "-i", "tickets.csv", "--as-of", night, "-o", "out"];
        let run = sandbox.okuo(&arguments);
        assert_eq!(run.code, 4, "{run}");
        for part in [
            "the feed does not reach the night yet",
            "stale: the last day with sales is 2024-07-18",
            "--force",
        ] {
            assert!(run.err.contains(part), "{part}: {run}");
        }
        let run = sandbox.okuo(&[&arguments[..], &["--json"]].concat());
        let error: serde_json::Value =
            serde_json::from_str(run.err.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&error["error"]["kind"], &error["error"]["exit_code"]),
            (&"no_data".into(), &4.into())
        );
        if command == "check" {
            let summary: serde_json::Value = serde_json::from_str(&run.out).unwrap();
            assert_eq!(
                (&summary["passed"], &summary["no_data_yet"]),
                (&false.into(), &true.into())
            );
        }
    }
    // Four days late, the export has failed: waiting brings nothing.
    let late = [
        "score",
        "-i",
        "tickets.csv",
        "--as-of",
        "2024-07-23",
        "-o",
        "out",
    ];
    let run = sandbox.okuo(&late);
    assert!(run.failed(3).err.contains("stale: "), "{run}");
    assert_eq!(sandbox.files("out"), [], "something was published");
    let range = ["score", "-i", "tickets.csv", "-o", "out", "--from"];
    let run = sandbox.okuo(&[&range[..], &["2024-07-18", "--to", night]].concat());
    assert_eq!(run.code, 4, "{run}");
    assert!(
        run.out.contains("2024-07-18  published") && run.out.contains("2024-07-19  no data"),
        "{run}"
    );
    // Much of the feed is missing as well: that is no matter of waiting.
    sandbox.write(
        "tickets.csv",
        tickets(|time| time < "2024-07-19" && !time.starts_with("2024-07-1")),
    );
    okuo(&sandbox, "score", &[]).failed(4);
    sandbox.write(
        "tickets.csv",
        tickets(|time| time < "2024-07-10" && !("2024-06-20".."2024-07-01").contains(&time)),
    );
    okuo(&sandbox, "score", &[]).failed(3);
    // Nor is a training that is months late: the date is a slip, or the export has failed.
    let late = sandbox.okuo(&["train", "-i", "tickets.csv", "--as-of", "2024-09-30"]);
    late.failed(1);
}

#[test]
fn a_quiet_night_has_a_record_without_findings() {
    let sandbox = Sandbox::trained();
    okuo(&sandbox, "score", &[]).done();
    let quiet = manifest(&sandbox);
    assert_eq!(
        quiet["guards"],
        serde_json::json!({"enabled": true, "forced": false, "breaches": []})
    );
    let run = okuo(&sandbox, "check", &["--json"]).json();
    assert_eq!(
        (&run["passed"], &run["breaches"]),
        (&true.into(), &serde_json::json!([]))
    );
    assert_eq!(run["model_id"], sandbox.model_id());
}

#[test]
fn check_says_what_would_stop_the_night_and_publishes_nothing() {
    let sandbox = stale();
    let run = okuo(&sandbox, "check", &["--json", "--junit", "guards.xml"]);
    assert_eq!(run.code, 3, "{run}");
    let said: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(said["passed"], false);
    assert_eq!(said["breaches"][0]["code"], "stale");
    let report = String::from_utf8(sandbox.read("guards.xml")).unwrap();
    assert!(
        report.contains("failures=\"1\"") && report.contains("<failure message="),
        "{report}"
    );
    assert_eq!(sandbox.files("out"), []);
    // Without a registry, the feed is compared with itself alone.
    let alone = okuo(&sandbox, "check", &["--registry", "none"]);
    assert_eq!(alone.code, 3, "{alone}");
    assert!(
        alone.out.contains("without a model") && alone.out.contains("stop  stale"),
        "{alone}"
    );
}

#[test]
fn a_jump_of_recurrent_customers_since_the_night_before_is_a_breach() {
    let sandbox = Sandbox::trained();
    let before = format!("out/as_of={TRAINED}/manifest.json");
    let score = [
        "score",
        "-i",
        "tickets.csv",
        "--as-of",
        TRAINED,
        "-o",
        "out",
    ];
    sandbox.okuo(&score).done();
    let text = String::from_utf8(sandbox.read(&before)).unwrap();
    let mut night: serde_json::Value = serde_json::from_str(&text).unwrap();
    night["funnel"]["recurrent"] = 5_000.into();
    // It is the night before.
    sandbox.write(
        "out/as_of=2024-07-09/manifest.json",
        serde_json::to_vec(&night).unwrap(),
    );
    let run = okuo(&sandbox, "score", &[]);
    run.failed(3);
    assert!(
        run.err.contains("recurrent-customers: ") && run.err.contains("5000 were on 2024-07-09"),
        "{run}"
    );
}

/// Six stores, each with 20 customers a day, for 120 days up to 2024-04-29. One sends nothing on the
/// last day.
fn chain(missing: Option<&str>) -> String {
    let mut lines = String::from("customer_id,product_id,timestamp,shop\n");
    let first: chrono::NaiveDate = "2024-01-01".parse().unwrap();
    for back in 0..120 {
        let day = first + chrono::Days::new(back);
        for store in 1..=6_u32 {
            let name = format!("S{store}");
            if back == 119 && missing == Some(name.as_str()) {
                continue;
            }
            for customer in 0..20_u32 {
                let product = (u64::from(customer * store) + back) % 40;
                lines += &format!("{},{product},{day},{name}\n", 100 * store + customer);
            }
        }
    }
    lines
}

#[test]
fn a_store_that_stops_sending_is_found_although_the_total_is_within_its_limits() {
    let sandbox = Sandbox::empty();
    let check = |missing: Option<&str>, more: &[&str]| {
        sandbox.write("chain.csv", chain(missing));
        let arguments = [
            "check",
            "-i",
            "chain.csv",
            "--as-of",
            "2024-04-29",
            "--json",
        ];
        let run = sandbox.okuo(&[&arguments[..], more].concat());
        let said: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        (run.code, said["breaches"].clone())
    };
    let store = ["--store", "shop"];
    assert_eq!(check(None, &store), (0, serde_json::json!([])));
    assert_eq!(
        check(Some("S4"), &[]),
        (0, serde_json::json!([])),
        "unmapped"
    );
    let (code, breaches) = check(Some("S4"), &store);
    assert_eq!((code, &breaches[0]["code"]), (3, &"missing-stores".into()));
    assert_eq!(breaches.as_array().unwrap().len(), 1);
    assert_eq!(breaches[0]["limit"], 0.1);
    let text = breaches[0]["text"].as_str().unwrap();
    assert!(text.contains("the store \"S4\" sent nothing"), "{text}");
}

#[test]
fn names_in_a_feed_cannot_steer_the_terminal() {
    let sandbox = Sandbox::trained();
    let hostile = "customer_id,product_id,timestamp\nC\u{1b}]0;x\u{7}1,P1,2024-07-10\n";
    sandbox.write("in/tick\u{1b}[2J.csv", hostile);
    let run = sandbox.okuo(&["check", "-i", "in", "--as-of", NIGHT]);
    assert_ne!(run.code, 0);
    let is_hidden = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    assert!(
        !run.out.contains(is_hidden) && !run.err.contains(is_hidden),
        "{run}"
    );
    assert!(
        run.err.contains("customer with a control character"),
        "{run}"
    );
    assert!(run.err.contains("tick\\u{1b}[2J.csv"), "{run}");
}
