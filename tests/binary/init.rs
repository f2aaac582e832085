//! `okuo init`: what it finds, what it writes, and that okuo reads it.

use crate::sandbox::{Sandbox, TRAINED, parquet};

/// 230 days of a shop whose customers come every week: `line` writes one of them.
fn shop(header: &str, line: impl Fn(&Sale) -> String) -> String {
    let mut text = format!("{header}\n");
    for at in 0..230_u32 {
        let date =
            chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap() + chrono::Days::new(at.into());
        for customer in (0..48_u32).filter(|customer| (at + customer * 3) % 7 == 0) {
            for k in 0..3 {
                let sale = Sale {
                    date,
                    customer,
                    product: (customer * 5 + k * 7 + at % 4) % 60,
                    ticket: at * 100 + customer,
                };
                text.push_str(&line(&sale));
                text.push('\n');
            }
        }
    }
    text
}

struct Sale {
    date: chrono::NaiveDate,
    customer: u32,
    product: u32,
    ticket: u32,
}

/// A value of the file that was written.
fn written(sandbox: &Sandbox, table: &str, key: &str) -> Option<toml::Value> {
    let text = std::fs::read_to_string(sandbox.path("okuo.toml")).unwrap();
    let file: toml::Table = toml::from_str(&text).unwrap();
    file.get(table)?.get(key).cloned()
}

#[test]
fn what_init_writes_is_what_train_and_score_need() {
    let sandbox = Sandbox::empty();
    sandbox.write("tickets.parquet", parquet());
    let run = sandbox.okuo(&["init", "--input", ".", "--basket-share", "0"]);
    run.done();
    for part in [
        "the customer's id",
        "sure:",
        "wrote okuo.toml",
        "next:\n  okuo train --as-of 2024-07-18",
        "train with --promote always",
        "periods ↓ basket_share →",
        " lines read = ",
    ] {
        assert!(run.out.contains(part), "{part} is missing: {run}");
    }
    let train = ["train", "--as-of", TRAINED, "--promote", "always"];
    let settings = crate::sandbox::SETTINGS.replace("basket_share = 0.3", "");
    // The small models of the tests, below what init wrote.
    let text = std::fs::read_to_string(sandbox.path("okuo.toml")).unwrap();
    sandbox.write(
        "okuo.toml",
        format!("{text}\n{}", settings.replace("[rule]\n", "")),
    );
    let run = sandbox.okuo(&train);
    assert!(!run.done().err.contains("okuo.toml"), "its own file: {run}");
    let score = ["score", "--as-of", "2024-07-10", "--output", "out"];
    let run = sandbox.okuo(&score);
    assert!(!run.done().out.contains("→ 0 recurrent"), "{run}");
}

#[test]
fn a_file_that_is_there_is_kept() {
    let sandbox = Sandbox::empty();
    sandbox.write("tickets.parquet", parquet());
    sandbox.write("okuo.toml", "registry = \"mine\"\n");
    let init = ["init", "--input", "tickets.parquet"];
    let run = sandbox.okuo(&init);
    assert!(run.failed(1).err.contains("--force"), "{run}");
    let kept = std::fs::read_to_string(sandbox.path("okuo.toml")).unwrap();
    assert_eq!(kept, "registry = \"mine\"\n");
    let run = sandbox.okuo(&[&init[..], &["--config", "-"]].concat());
    let shown: toml::Table = toml::from_str(&run.done().out).unwrap();
    assert_eq!(shown["input"]["paths"][0].as_str(), Some("tickets.parquet"));
    sandbox.okuo(&[&init[..], &["--force"]].concat()).done();
    assert!(written(&sandbox, "columns", "customer").is_some());
}

#[test]
fn machines_get_the_same_as_json() {
    let sandbox = Sandbox::empty();
    sandbox.write("tickets.parquet", parquet());
    let document = sandbox
        .okuo(&["init", "--input", "tickets.parquet", "--json"])
        .json();
    assert_eq!(document["file"], "okuo.toml");
    assert_eq!(document["survey"]["roles"][0]["role"], "customer");
    assert_eq!(document["tickets"]["span"]["last"], "2024-07-18");
    assert!(
        document["tickets"]["grid"]["rows"]
            .as_array()
            .unwrap()
            .len()
            > 3
    );
}

#[test]
fn a_german_report_is_read_without_a_flag() {
    let sandbox = Sandbox::empty();
    let text = shop("Kunden-Nr.;Artikel-Nr.;Datum;Menge;Umsatz (€)", |sale| {
        format!(
            "{:08};{:06};{};0,350;1,99",
            sale.customer,
            sale.product,
            sale.date.format("%d.%m.%Y")
        )
    });
    sandbox.write("bericht.csv", text);
    let run = sandbox.okuo(&["init", "-i", "bericht.csv"]);
    run.done();
    let value = |table, key| written(&sandbox, table, key).unwrap();
    assert_eq!(value("columns", "customer").as_str(), Some("Kunden-Nr."));
    assert_eq!(value("columns", "product").as_str(), Some("Artikel-Nr."));
    assert_eq!(value("columns", "quantity").as_str(), Some("Menge"));
    assert_eq!(value("input", "time_format").as_str(), Some("day-first"));
    assert!(run.out.contains("48 customers"), "{run}");
    assert!(run.out.contains("from 2024-01-01 to 2024-08-17"), "{run}");
}

#[test]
fn placeholders_voids_and_the_person_behind_orders_are_found() {
    let sandbox = Sandbox::empty();
    let header = "sold_at,customer_id,customer_unique_id,sku,qty,type";
    let text = shop(header, |sale| {
        let kind = if sale.product == 7 { "VOID" } else { "SALE" };
        let line = |order: u32, person: &str| {
            format!("{},{order},{person},{},1,{kind}", sale.date, sale.product)
        };
        let person = format!("p{}", sale.customer);
        format!(
            "{}\n{}",
            line(sale.ticket, &person),
            line(sale.ticket + 1_000_000, "Walk-in Customer")
        )
    });
    sandbox.write("sales.csv", text);
    let run = sandbox.okuo(&["init", "-i", "sales.csv"]);
    run.done();
    let value = |table, key| written(&sandbox, table, key).unwrap();
    assert_eq!(
        value("columns", "customer").as_str(),
        Some("customer_unique_id")
    );
    assert_eq!(
        value("input", "anonymous")[0].as_str(),
        Some("Walk-in Customer")
    );
    assert_eq!(value("input", "returns")[0].as_str(), Some("type=VOID"));
}

#[test]
fn where_no_column_is_found_okuo_shows_what_it_saw() {
    let sandbox = Sandbox::empty();
    sandbox.write("people.csv", "city,age\nRome,31\nBari,44\nRome,27\n");
    let run = sandbox.okuo(&["init", "-i", "people.csv"]);
    assert_eq!(run.code, 1, "{run}");
    assert!(!sandbox.path("okuo.toml").exists());
    assert!(run.out.contains("Rome | Bari"), "{run}");
    for part in [
        "no column is known to have the customer's id, nor the product's id, nor the day",
        "okuo init --customer COLUMN --product COLUMN --time COLUMN",
    ] {
        assert!(run.err.contains(part), "{part} is missing: {run}");
    }
}

#[test]
fn lists_and_orders_without_a_date_are_refused_with_the_way_out() {
    let sandbox = Sandbox::empty();
    let baskets = shop("customer_id,timestamp,items", |sale| {
        format!(
            "{},{},\"{},{}{}\"",
            sale.customer,
            sale.date,
            sale.product,
            sale.product % 9,
            if sale.product % 2 == 0 { ",3" } else { "" }
        )
    });
    sandbox.write("baskets.csv", baskets);
    let run = sandbox.okuo(&["init", "-i", "baskets.csv"]);
    assert!(run.code == 1 && run.err.contains("unnest"), "{run}");
    let named = [
        "train",
        "-i",
        "baskets.csv",
        "--product",
        "items",
        "--as-of",
        "2024-08-01",
    ];
    let run = sandbox.okuo(&named);
    assert!(run.failed(1).err.contains("lists of products"), "{run}");
    sandbox.write(
        "shop/orders.csv",
        "order_id,user_id,order_dow\n1,5,2\n2,6,3\n3,5,2\n",
    );
    sandbox.write("shop/lines.csv", "order_id,product_id\n1,7\n2,8\n3,7\n");
    let run = sandbox.okuo(&["init", "-i", "shop/"]);
    assert!(run.code == 1 && run.err.contains("no date"), "{run}");
}

#[test]
fn what_has_no_rows_or_nested_ones_is_refused_with_what_it_is() {
    let ticket = r#"{"customer_id":7,"timestamp":"2024-03-01","lines":[{"product_id":10}]}"#;
    let tickets = format!("{ticket}\n{ticket}\n");
    let wrapped = format!("{{\"orders\":[{ticket},{ticket}]}}");
    for (name, text, parts) in [
        (
            "empty.csv",
            "",
            ["empty.csv: it is empty\n", "check that the export has run"],
        ),
        (
            "empty.json",
            "[]",
            ["empty.json: it is empty\n", "okuo init --input"],
        ),
        (
            "header.csv",
            "customer_id,product_id,timestamp\n",
            [
                "header.csv: there is a header, \"customer_id\", \"product_id\", \"timestamp\", and no row",
                "has run",
            ],
        ),
        (
            "wrapped.json",
            &wrapped,
            ["below \"orders\"", "jq -c '.orders[]' FILE"],
        ),
        (
            "tickets.jsonl",
            &tickets,
            ["below \"lines\"", "jq -c 'del(.lines) + .lines[]' FILE"],
        ),
    ] {
        let sandbox = Sandbox::empty();
        sandbox.write(name, text);
        let run = sandbox.okuo(&["init", "--input", name]);
        assert_eq!(run.code, 1, "{run}"); // some are shown as they are before
        let error = &run.err;
        assert!(
            parts.iter().all(|part| error.contains(part)),
            "{name}: {error}"
        );
    }
}

#[test]
fn another_table_in_the_folder_is_left_out() {
    let sandbox = Sandbox::empty();
    let text = shop("date,customer,product", |sale| {
        format!("{},{},{}", sale.date, sale.customer, sale.product)
    });
    let (first, second) = text.split_at(text.find("2024-05-01").unwrap());
    sandbox.write("d/tickets_1.csv", first);
    sandbox.write(
        "d/tickets_2.csv",
        format!("date,customer,product\n{second}"),
    );
    sandbox.write("d/weeks.csv", "shop_week,begins\n1,20240101\n");
    let run = sandbox.okuo(&["init", "-i", "d/"]);
    run.done();
    let paths = written(&sandbox, "input", "paths").unwrap();
    assert_eq!(paths[0].as_str(), Some("d/tickets_*.csv"), "{run}");
    assert!(run.out.contains("weeks.csv has another table"), "{run}");
}

#[test]
fn a_command_without_columns_proposes_init() {
    let sandbox = Sandbox::empty();
    sandbox.write("t.csv", "shop_week,store_id,ticket_id\n1,2,3\n");
    let run = sandbox.okuo(&["train", "-i", "t.csv", "--as-of", TRAINED]);
    run.failed(1);
    assert!(run.err.contains("okuo init --input"), "{run}");
    for wrong in [
        "--time shop_week",
        "--customer store_id",
        "--product ticket_id",
    ] {
        assert!(!run.err.contains(wrong), "{wrong}: {run}");
    }
}

#[test]
fn tables_in_two_folders_are_found_by_the_flags_that_train_takes() {
    let sandbox = Sandbox::empty();
    let (mut headers, mut lines) = (
        "ticket,member,sold\n".to_owned(),
        "ticket,article,qty\n".to_owned(),
    );
    for ticket in 0..400 {
        let day = ticket / 40;
        headers.push_str(&format!(
            "{ticket},{},2025-01-{:02} 10:00:00\n",
            ticket % 40,
            day + 1
        ));
        lines.push_str(&format!("{ticket},{},2\n{ticket},99,-1\n", day % 7));
    }
    sandbox.write("heads/tickets.csv", headers);
    sandbox.write("rows/lines.csv", lines);
    let run = sandbox.okuo(&[
        "init",
        "--input",
        "rows/lines.csv",
        "--tickets",
        "heads/tickets.csv",
        "--basket",
        "ticket",
        "--customer",
        "member",
        "--time",
        "sold",
    ]);
    run.done();
    let tickets = written(&sandbox, "input", "tickets").unwrap();
    assert_eq!(tickets["time"].as_str(), Some("sold"), "{run}");
    let quantity = written(&sandbox, "columns", "quantity").unwrap();
    assert_eq!(quantity.as_str(), Some("qty"), "{run}");
    assert!(!run.out.contains("no part of the tickets"), "{run}");
}

#[test]
fn voided_lines_totals_and_a_short_history_are_said() {
    let sandbox = Sandbox::empty();
    let text = shop("Bon;Datum;Kunde;Artikel;Menge;Storniert", |sale| {
        let flag = if sale.product == 7 { "ja" } else { "nein" };
        let head = format!("{};{};{}", sale.ticket, sale.date, sale.customer);
        format!("{head};{};1;{flag}\n{head};SUMME;1;nein", sale.product)
    });
    sandbox.write("t.csv", &text);
    let run = sandbox.okuo(&["init", "-i", "t.csv", "--min-products", "2"]);
    run.done();
    let rows = written(&sandbox, "input", "where").unwrap();
    assert_eq!(rows[0].as_str(), Some("Storniert!=ja"), "{run}");
    for part in [
        "lines that were looked at as voided: only lines with Storniert!=ja are read",
        "the product \"SUMME\" stands in 100 % of the ",
        "--exclude-product SUMME",
        "okuo train --as-of",
    ] {
        assert!(run.out.contains(part), "{part} is missing: {run}");
    }
    for (end, train) in [
        ("2024-04-25", Some("okuo train --periods 2 --as-of")),
        ("2024-03-01", None),
    ] {
        let lines = text.lines().enumerate();
        let short: Vec<&str> = lines
            .filter(|(at, line)| *at == 0 || line.split(';').nth(1).unwrap() <= end)
            .map(|(_, line)| line)
            .collect();
        sandbox.write("t.csv", short.join("\n"));
        let run = sandbox.okuo(&["init", "-i", "t.csv", "--min-products", "2", "--force"]);
        run.done();
        assert!(
            run.out.contains("more days, give older tickets too"),
            "{run}"
        );
        match train {
            Some(train) => assert!(run.out.contains(train), "{run}"),
            None => assert!(!run.out.contains("okuo train"), "{run}"),
        }
    }
}
