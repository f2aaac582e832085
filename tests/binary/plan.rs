//! Plans, budgets, and what is said of them; and that a model knows no customer.

use crate::sandbox::{NIGHT, Sandbox, TRAINED};

const OF_NIGHT: [&str; 6] = [
    "--input",
    "tickets.csv",
    "--as-of",
    NIGHT,
    "--output",
    "out",
];

#[test]
fn a_week_is_planned_kept_to_and_explained() {
    let sandbox = Sandbox::trained();
    let planned = sandbox.okuo(&[&["plan", "--days", "3"][..], &OF_NIGHT].concat());
    planned.done();
    assert!(planned.out.contains("\n  2024-07-11: "), "{planned}");
    let days = planned
        .out
        .lines()
        .filter(|line| line.starts_with("  2024-07-1"));
    assert_eq!(days.count(), 3, "{planned}");
    let names: Vec<String> = sandbox
        .files("out")
        .into_iter()
        .map(|(name, _)| name.rsplit('/').next().unwrap().to_owned())
        .collect();
    let mut expected = vec!["manifest.json".to_owned(), "plan.parquet".to_owned()];
    for day in ["2024-07-11", "2024-07-12", "2024-07-13"] {
        expected.extend(["csv", "jsonl", "xlsx"].map(|extension| format!("{day}.{extension}")));
    }
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    assert_eq!(sorted(names), sorted(expected));

    let scored = sandbox.okuo(&[&["score", "--format", "xlsx"][..], &OF_NIGHT].concat());
    scored.done();
    assert!(
        scored.out.contains("\nplan of 2024-07-10: ")
            && scored.out.contains(" planned for the morning are due"),
        "{scored}"
    );
    let files = sandbox.files("out");
    assert!(files.iter().any(|(name, _)| name.ends_with("/offers.xlsx")));
    let csv = files
        .iter()
        .find(|(name, _)| name.ends_with("/2024-07-11.csv"));
    let csv = String::from_utf8(csv.unwrap().1.clone()).unwrap();
    let customer = csv.lines().nth(1).unwrap().split(',').next().unwrap();
    let explain = [&["explain", "--customer", customer][..], &OF_NIGHT].concat();
    let explained = sandbox.okuo(&explain);
    explained.done();
    assert!(
        explained.out.contains("\noffers") && explained.out.contains("to send on 2024-07-11"),
        "{explained}"
    );
    let json = sandbox.okuo(&[&explain[..], &["--json"]].concat()).json();
    assert_eq!(json["offers"][0]["action"], "offer", "{json}");
}

#[test]
fn a_night_says_what_it_costs_and_what_the_budget_holds_back() {
    let sandbox = Sandbox::trained();
    let refused = sandbox.okuo(&[&["score", "--budget", "5"][..], &OF_NIGHT].concat());
    assert_eq!(refused.code, 1, "{refused}");
    assert!(
        refused.err.contains("no discount says what they cost"),
        "{refused}"
    );
    let settings = String::from_utf8(sandbox.read("okuo.toml")).unwrap();
    let priced = "[columns]\nprice = \"price\"\n[offers]\ndiscount = 0.2\nmargin = 0.4\n";
    sandbox.write("okuo.toml", format!("{settings}{priced}"));
    let cost = |arguments: &[&str]| -> (f64, String) {
        let run = sandbox.okuo(&[arguments, &OF_NIGHT].concat());
        run.done();
        let text = run
            .out
            .split("the discounts that are due cost ")
            .nth(1)
            .unwrap();
        let number = text.split([',', '\n', ';']).next().unwrap();
        (number.parse().unwrap(), run.out)
    };
    let (all, _) = cost(&["score"]);
    let half = format!("{:.2}", all / 2.0);
    let (some, text) = cost(&["score", "--budget", &half]);
    assert!(some > 0.0 && some <= all / 2.0 + 0.005, "{some} of {all}");
    assert!(
        text.contains(&format!("within the budget of {half}; "))
            && text.contains(" held back for it"),
        "{text}"
    );
}

#[test]
fn a_model_and_its_card_name_no_customer() {
    let sandbox = Sandbox::new();
    let tickets = String::from_utf8(sandbox.read("tickets.csv")).unwrap();
    let (header, lines) = tickets.split_once('\n').unwrap();
    let lines: String = lines
        .lines()
        .map(|line| format!("person-{line}\n"))
        .collect();
    sandbox.write("tickets.csv", format!("{header}\n{lines}"));
    let train = [
        "train",
        "--input",
        "tickets.csv",
        "--as-of",
        TRAINED,
        "--promote",
        "always",
    ];
    sandbox.okuo(&train).done();
    let files = sandbox.files("models");
    assert!(files.iter().any(|(name, _)| name.ends_with("model.okuo")));
    for (name, content) in files {
        let named = content.windows(7).any(|bytes| bytes == b"person-");
        assert!(!named, "{name} names a customer");
    }
}
