//! Tickets in more than one table, and names of products.

use crate::sandbox::{NIGHT, Run, Sandbox, TICKETS, TRAINED};

/// The cells of the simulated tickets: customer, basket, time, product, category, quantity, price.
fn cells() -> Vec<Vec<String>> {
    let text = std::str::from_utf8(&TICKETS).unwrap();
    let lines = text.lines().skip(1);
    lines
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

/// The tickets in two tables: headers, and lines in another order.
fn split() -> (String, String) {
    let mut headers = vec![];
    let mut lines = vec![];
    for cells in cells() {
        headers.push(format!("{},{},{}", cells[1], cells[0], cells[2]));
        lines.push(format!(
            "{},{},{},{},{}",
            cells[3], cells[1], cells[5], cells[4], cells[6]
        ));
    }
    headers.sort();
    headers.dedup();
    lines.reverse();
    (
        format!("id,client,sold\n{}\n", headers.join("\n")),
        format!(
            "product_id,basket_id,quantity,category,price\n{}\n",
            lines.join("\n")
        ),
    )
}

/// A product table without the smallest product of the tickets.
fn products() -> String {
    let mut ids: Vec<i64> = cells()
        .iter()
        .map(|cells| cells[3].parse().unwrap())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let rows = ids
        .iter()
        .skip(1)
        .map(|id| format!("{id},\"Name, of \u{1b}[1m{id}\"\n"));
    format!("product_id,product_name\n{}", rows.collect::<String>())
}

const IN_TWO: [&str; 11] = [
    "--input",
    "lines.csv",
    "--tickets",
    "headers.csv",
    "--basket",
    "basket_id",
    "--tickets-ticket",
    "id",
    "--tickets-customer",
    "client",
    "--tickets-time=sold",
];

fn score(sandbox: &Sandbox, output: &str, arguments: &[&str]) -> Run {
    let common = [
        "score", "--as-of", NIGHT, "--output", output, "--format", "csv",
    ];
    sandbox.okuo(&[&common, arguments].concat())
}

fn manifest(sandbox: &Sandbox, output: &str) -> serde_json::Value {
    let name = format!("{output}/as_of={NIGHT}/manifest.json");
    serde_json::from_slice(&sandbox.read(&name)).unwrap()
}

/// The first line of the night's `offers.csv`, and one that has the text.
fn offers(sandbox: &Sandbox, output: &str) -> String {
    let files = sandbox.files(output);
    let found = files.iter().find(|(name, _)| name.ends_with("offers.csv"));
    String::from_utf8(found.unwrap().1.clone()).unwrap()
}

#[test]
fn tickets_in_two_tables_give_the_model_and_the_night_of_whole_lines() {
    let sandbox = Sandbox::trained();
    let (headers, lines) = split();
    sandbox.write("headers.csv", headers);
    sandbox.write("lines.csv", lines);
    let train = [
        "train",
        "--as-of",
        TRAINED,
        "--promote",
        "always",
        "--registry",
        "other",
    ];
    sandbox.okuo(&[&train[..], &IN_TWO].concat()).done();
    let models = |folder: &str| -> Vec<String> {
        let files = sandbox.files(folder).into_iter();
        let ids = files.filter_map(|(name, _)| Some(name.strip_suffix("/model.okuo")?.to_owned()));
        ids.map(|name| name.rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(models("other"), models("models"));

    score(&sandbox, "whole", &["--input", "tickets.csv"]).done();
    score(&sandbox, "in-two", &IN_TWO).done();
    let (whole, in_two) = (manifest(&sandbox, "whole"), manifest(&sandbox, "in-two"));
    assert_eq!(whole["run_id"], in_two["run_id"]);
    assert_eq!(whole["lines"]["kept"], in_two["lines"]["kept"]);
    assert_eq!(in_two["lines"]["without_header"], 0);
    assert!(
        in_two["lines"]["headers"]["tickets"].as_u64().unwrap() > 1_000,
        "{in_two}"
    );
    let inputs: Vec<&str> = in_two["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| {
            input["object"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(inputs, ["headers.csv", "lines.csv"]);
}

#[test]
fn names_stand_wherever_products_are_shown_and_only_where_mapped() {
    let sandbox = Sandbox::trained();
    sandbox.write("products.csv", products());
    score(&sandbox, "plain", &["--input", "tickets.csv"]).done();
    let named = score(
        &sandbox,
        "named",
        &[
            "--input",
            "tickets.csv",
            "--products",
            "products.csv",
            "--examples",
            "1",
        ],
    );
    named.done();
    assert!(
        named
            .err
            .contains("1 of 119 products of the tickets are not in the table of products"),
        "{named}"
    );
    assert!(named.out.contains("Name, of \\u{1b}[1m"), "{named}");
    let header = |text: &str| text.lines().next().unwrap().to_owned();
    let (plain, with_names) = (offers(&sandbox, "plain"), offers(&sandbox, "named"));
    assert_eq!(
        header(&with_names),
        header(&plain).replacen(",reason", ",reason,product_name", 1)
    );
    let second = with_names.lines().nth(1).unwrap();
    let product = second.split(',').nth(1).unwrap();
    assert!(
        second.contains(&format!(",\"Name, of \u{1b}[1m{product}\",")),
        "{second}"
    );
    let runs = ["plain", "named"].map(|output| manifest(&sandbox, output)["run_id"].clone());
    assert_ne!(runs[0], runs[1]);

    let customer = second.split(',').next().unwrap();
    let explain = [
        "explain",
        "--customer",
        customer,
        "--as-of",
        NIGHT,
        "--input",
        "tickets.csv",
    ];
    let more = [
        "--products",
        "products.csv",
        "--category",
        "category",
        "--price",
        "price",
    ];
    let told = sandbox.okuo(&[&explain[..], &more].concat());
    told.done();
    assert!(told.out.contains("\n        Name, of \\u{1b}[1m"), "{told}");
    assert!(told.out.contains("; last price "), "{told}");
    let json = sandbox
        .okuo(&[&explain[..], &more, &["--json"]].concat())
        .json();
    let likely = &json["prediction"]["products"][0];
    assert!(
        likely["product_name"]
            .as_str()
            .unwrap()
            .starts_with("Name, of \u{1b}"),
        "{likely}"
    );
    assert!(
        likely["last_price"].as_f64().unwrap() > 0.0 && likely["category"].is_string(),
        "{likely}"
    );
    let plain = sandbox.okuo(&[&explain[..], &["--json"]].concat()).json();
    assert!(
        plain["prediction"]["products"][0]
            .get("product_name")
            .is_none(),
        "{plain}"
    );
}

#[test]
fn a_table_without_its_columns_and_columns_without_their_table_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("headers.csv", split().0);
    let run = sandbox.train_fails(1, &["--input", "tickets.csv", "--tickets", "headers.csv"]);
    assert!(run.err.contains("--basket COLUMN"), "{run}");
    let run = sandbox.train_fails(1, &["--input", "tickets.csv", "--tickets-time", "sold"]);
    assert!(run.err.contains("give it with --tickets URI"), "{run}");
    let run = sandbox.train_fails(1, &["--input", "tickets.csv", "--customers", "headers.csv"]);
    assert!(run.err.contains("--customers-person COLUMN"), "{run}");
}

/// The tickets with the customers of their even lines under a card of their own, 1,000,000 higher.
fn with_two_cards() -> (String, String) {
    let text = std::str::from_utf8(&TICKETS).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    let mut cards = std::collections::BTreeSet::new();
    let mut tickets = format!("{header}\n");
    for (at, line) in lines.lines().enumerate() {
        let (customer, rest) = line.split_once(',').unwrap();
        let customer: u32 = customer.parse().unwrap();
        let card = if at % 2 == 0 {
            customer
        } else {
            customer + 1_000_000
        };
        cards.insert(customer);
        tickets.push_str(&format!("{card},{rest}\n"));
    }
    let rows = cards
        .iter()
        .map(|card| format!("{},{card}\n", card + 1_000_000));
    (tickets, format!("card,into\n{}", rows.collect::<String>()))
}

#[test]
fn merged_cards_give_the_model_and_the_night_of_one_card() {
    let sandbox = Sandbox::trained();
    let (tickets, cards) = with_two_cards();
    sandbox.write("two.csv", tickets);
    sandbox.write("cards.csv", cards);
    let settings = String::from_utf8(sandbox.read("okuo.toml")).unwrap();
    let merged = "[customers]\npaths = [\"cards.csv\"]\nid = \"card\"\nmerged_into = \"into\"\n";
    sandbox.write("merged.toml", format!("{settings}{merged}"));
    let train = [
        "train",
        "--as-of",
        TRAINED,
        "--promote",
        "always",
        "--registry",
        "other",
        "--config",
        "merged.toml",
        "--input",
        "two.csv",
    ];
    sandbox.okuo(&train).done();
    let models = |folder: &str| -> Vec<String> {
        let files = sandbox.files(folder).into_iter();
        let ids = files.filter_map(|(name, _)| Some(name.strip_suffix("/model.okuo")?.to_owned()));
        ids.map(|name| name.rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(models("other"), models("models"));
    score(&sandbox, "one", &["--input", "tickets.csv"]).done();
    let two = ["--config", "merged.toml", "--input", "two.csv"];
    score(&sandbox, "two", &two).done();
    let (one, two) = (manifest(&sandbox, "one"), manifest(&sandbox, "two"));
    assert_eq!(one["run_id"], two["run_id"]);
    let inputs = two["inputs"].as_array().unwrap();
    let cards = inputs.iter().filter(|input| {
        let object = input["object"].as_str().unwrap();
        object.ends_with("cards.csv")
    });
    assert_eq!(cards.count(), 1);
}
