//! Input that cannot be used: one clear message with a hint, exit code 1, and nothing is stored or
//! published.

use std::io::Write;

use polars::prelude::*;

use crate::sandbox::{NIGHT, SETTINGS, Sandbox, TICKETS, TRAINED, assert_run, parquet};

/// Training on one file with this name and content.
fn train_on(name: &str, content: impl AsRef<[u8]>) -> crate::sandbox::Run {
    train_on_ends(1, name, content)
}

fn train_on_ends(code: i32, name: &str, content: impl AsRef<[u8]>) -> crate::sandbox::Run {
    let sandbox = Sandbox::new();
    sandbox.write(name, content);
    sandbox.train_fails(code, &["--input", name])
}

#[test]
fn a_missing_column() {
    assert_run!(train_on(
        "t.csv",
        "client_id,product_id,timestamp,quantity\n1,2,2024-05-01,1\n"
    ));
}

#[test]
fn a_missing_quantity_that_was_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "t.csv",
        "customer_id,product_id,timestamp\n1,2,2024-05-01\n",
    );
    assert_run!(sandbox.train_fails(1, &["--input", "t.csv", "--quantity", "amount"]));
}

#[test]
fn a_column_of_the_wrong_type() {
    let mut frame =
        df!("customer_id" => [1_i64, 2], "product_id" => [1_i64, 2], "timestamp" => [1_714_521_600_i64, 1_714_608_000]).unwrap();
    let mut bytes = vec![];
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    assert_run!(train_on("t.parquet", bytes));
    let mut frame = df!("customer_id" => [true, false], "product_id" => [1_i64, 2], "timestamp" => ["2024-05-01", "2024-05-02"]).unwrap();
    let mut bytes = vec![];
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    let run = train_on("t.parquet", bytes);
    assert!(
        run.err
            .contains("column \"customer_id\": the type is Boolean"),
        "{run}"
    );
}

#[test]
fn nothing_in_the_input() {
    let header = "customer_id,product_id,timestamp\n";
    assert_run!(train_on_ends(4, "t.csv", header));
    let empty = train_on_ends(4, "t.csv", "");
    assert!(empty.err.contains("the input has no lines"), "{empty}");
}

#[test]
fn no_file_matches() {
    let sandbox = Sandbox::new();
    sandbox.write("notes/readme.txt", "no tickets");
    // A path that is not there is most likely misspelt; what matches a glob may still come.
    let runs = [
        (1, "ticket.csv"),
        (4, "2017-*.csv"),
        (1, "notes"),
        (4, "notes/*.csv"),
    ]
    .map(|(code, input)| format!("{}\n", sandbox.train_fails(code, &["--input", input])));
    assert_run!(runs.join("\n"));
}

#[test]
fn text_in_the_quantity() {
    let text = "customer_id,product_id,timestamp,quantity\n1,2,2024-05-01,1\n1,3,2024-05-01,two\n1,4,2024-05-02,-\n2,4,2024-05-02,1\n";
    assert_run!(train_on("t.csv", text));
}

#[test]
fn times_in_three_formats() {
    let text = "customer_id,product_id,timestamp\n1,2,2024-05-01 10:00:00\n1,3,01/05/2024 10:00\n1,4,May 2 2024\n2,4,2024-05-02T09:00:00Z\n";
    assert_run!(train_on("t.csv", text));
}

#[test]
fn a_time_zone_that_does_not_exist() {
    assert_run!(Sandbox::new().train_fails(
        1,
        &["--input", "tickets.csv", "--time-zone", "America/New_Yrok"]
    ));
}

#[test]
fn an_as_of_date_before_the_data() {
    let sandbox = Sandbox::new();
    let run = sandbox.okuo(&["train", "--input", "tickets.csv", "--as-of", "2023-12-01"]);
    run.failed(1);
    assert_eq!(sandbox.files("models"), []);
    insta::with_settings!({ filters => vec![(r"\d+ usable", "[lines] usable")], prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(run.to_string());
    });
}

#[test]
fn a_history_too_short_to_learn_from() {
    let sandbox = Sandbox::new();
    let run = sandbox.okuo(&["train", "--input", "tickets.csv", "--as-of", "2024-01-12"]);
    assert_eq!((run.code, sandbox.files("models")), (1, vec![]), "{run}");
    assert!(
        run.err.contains(
            "12 days of history are known up to 2024-01-12 (2024-01-01 to 2024-01-12), too few"
        ),
        "{run}"
    );
    assert!(
        run.err.contains("from 146 days on predictions are good")
            && run
                .err
                .contains("hint: give the objects of earlier days with --input"),
        "{run}"
    );
}

#[test]
fn no_line_is_a_sale() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "t.csv",
        "customer_id,product_id,timestamp,quantity\n1,2,2024-05-01,0\n1,3,2024-05-01,-1\n",
    );
    let runs = [
        sandbox.train_fails(1, &["--input", "t.csv"]),
        sandbox.okuo(&["eval", "--input", "t.csv", "--holdout", "2024-05"]),
    ];
    for run in runs {
        assert!(
            run.failed(1)
                .err
                .contains(": 2 lines read = 0 kept + 2 returned"),
            "{run}"
        );
    }
}

#[test]
fn an_as_of_date_after_the_data_is_published_by_force_alone() {
    let sandbox = Sandbox::trained();
    let score = [
        "score",
        "--input",
        "tickets.csv",
        "--as-of",
        "2024-07-28",
        "--output",
        "out",
        "--min-purchases",
        "1",
    ];
    let run = sandbox.okuo(&score);
    assert!(
        run.failed(3)
            .err
            .contains("stale: the last day with sales is 2024-07-18"),
        "{run}"
    );
    assert!(!sandbox.path("out/as_of=2024-07-28").exists());
    let run = sandbox.okuo(&[&score[..], &["--force"]].concat());
    run.done();
    assert!(
        run.err.contains(
            "warning: the data end on 2024-07-18, 10 days before the as-of date 2024-07-28"
        ),
        "{run}"
    );
    assert!(sandbox.path("out/as_of=2024-07-28/manifest.json").exists());
}

#[test]
fn nobody_meets_the_rule() {
    let sandbox = Sandbox::trained();
    let run = sandbox.okuo(&[
        "score",
        "--input",
        "tickets.csv",
        "--as-of",
        NIGHT,
        "--output",
        "out",
        "--basket-share",
        "1",
        "--min-products",
        "30",
    ]);
    assert_eq!(run.code, 1, "{run}");
    assert!(
        run.err.contains(&format!(
            "error: on {NIGHT} nobody meets the recurrence rule"
        )),
        "{run}"
    );
    assert!(
        run.err
            .contains("hint: a lower --basket-share would let in: 0"),
        "{run}"
    );
    assert_eq!(sandbox.files("out"), []);
}

#[test]
fn a_truncated_parquet_file() {
    let whole = parquet();
    assert_run!(train_on("t.parquet", &whole[..whole.len() / 2]));
    // Cut at other places it is never read as if it were whole.
    for kept in [0, 3, 4, 12, whole.len() - 1] {
        train_on("t.parquet", &whole[..kept]);
    }
}

#[test]
fn a_truncated_gz_file() {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(&TICKETS).unwrap();
    let whole = encoder.finish().unwrap();
    assert_run!(train_on("t.csv.gz", &whole[..whole.len() / 2]));
    for kept in [5, whole.len() - 4] {
        train_on("t.csv.gz", &whole[..kept]);
    }
}

#[test]
fn few_bad_lines_are_counted_and_told() {
    let sandbox = Sandbox::new();
    let mut tickets = TICKETS.clone();
    tickets.extend_from_slice(b"1,1,2024-06-01 10:00:00,,dairy,1,1\n1,1,soon,5,dairy,1,1\n");
    sandbox.write("tickets.csv", tickets);
    let run = sandbox.okuo(&["train", "--input", "tickets.csv", "--as-of", TRAINED]);
    run.done();
    assert!(
        run.out.contains("1 with no product") && run.out.contains("1 with unreadable time"),
        "{run}"
    );
    let run = sandbox.okuo(&[
        "train",
        "--input",
        "tickets.csv",
        "--as-of",
        TRAINED,
        "--max-bad-share",
        "0",
    ]);
    assert!(
        run.failed(1)
            .err
            .contains("1 × no product, first tickets.csv: row"),
        "{run}"
    );
}

#[test]
fn bad_input_leaves_the_former_night_as_it_was() {
    let sandbox = Sandbox::trained();
    let score = [
        "score",
        "--input",
        "tickets.csv",
        "--as-of",
        NIGHT,
        "--output",
        "out",
    ];
    sandbox.okuo(&score).done();
    let before = sandbox.files("out");
    assert!(before.len() > 3);
    sandbox.write(
        "tickets.csv",
        "client,product_id,timestamp\n1,2,2024-05-01\n",
    );
    sandbox.okuo(&score).failed(1);
    sandbox.write("tickets.csv", &TICKETS[..100]);
    sandbox.okuo(&score).failed(1);
    assert_eq!(sandbox.files("out"), before);
}

#[test]
fn a_damaged_model() {
    let sandbox = Sandbox::trained();
    let whole = sandbox.read(&format!("models/{}/model.okuo", sandbox.model_id()));
    let score = |bytes: &[u8]| {
        sandbox.write("m.okuo", bytes);
        let run = sandbox.okuo(&[
            "score",
            "--input",
            "tickets.csv",
            "--as-of",
            NIGHT,
            "--output",
            "out",
            "--model",
            "m.okuo",
        ]);
        run.failed(1);
        assert_eq!(sandbox.files("out"), []);
        run
    };
    // One bit anywhere: in the magic, the lengths, the header, the checksums, the body.
    for at in [0, 9, 13, 40, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        score(&flipped);
    }
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert_run!(score(&flipped));
    score(&whole[..whole.len() / 2]);
    score(b"not a model");
}

#[test]
fn a_model_that_claims_two_to_the_sixty_entries() {
    let sandbox = Sandbox::trained();
    let whole = sandbox.read(&format!("models/{}/model.okuo", sandbox.model_id()));
    let header_at = 16;
    let header_len = u32::from_le_bytes(whole[12..16].try_into().unwrap()) as usize;
    let length_at = header_at + header_len + 32;

    // The frame claims it.
    let mut frame = whole.clone();
    frame[length_at..length_at + 8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    // The body claims it, in a file whose checksums are all right: the model up to its first
    // vector, and then that vector's length.
    let (_, model) = okuo::artifact::decode("m", &whole).unwrap();
    let standard = bincode::config::standard();
    let intercept = 0.0_f64;
    let mut body = bincode::serde::encode_to_vec(
        (model.as_of, model.rule, &model.parameters, intercept),
        standard,
    )
    .unwrap();
    body.extend(bincode::serde::encode_to_vec(1_u64 << 60, standard).unwrap());
    body.extend([0; 64]);
    let checksum = sha2_hex(&body);
    let mut header: serde_json::Value =
        serde_json::from_slice(&whole[header_at..header_at + header_len]).unwrap();
    header["body_sha256"] = checksum.clone().into();
    header["body_bytes"] = body.len().into();
    let header = serde_json::to_vec(&header).unwrap();
    let mut hostile = whole[..12].to_vec();
    hostile.extend((header.len() as u32).to_le_bytes());
    hostile.extend(&header);
    hostile.extend(bytes_of(&sha2_hex(&hostile)));
    hostile.extend((body.len() as u64).to_le_bytes());
    hostile.extend(bytes_of(&checksum));
    hostile.extend(&body);

    let runs = [frame, hostile].map(|file| {
        sandbox.write("m.okuo", file);
        let run = sandbox.okuo(&[
            "score",
            "--input",
            "tickets.csv",
            "--as-of",
            NIGHT,
            "--output",
            "out",
            "--model",
            "m.okuo",
        ]);
        format!("{}\n", run.failed(1))
    });
    assert_eq!(sandbox.files("out"), []);
    assert_run!(runs.join("\n"));
}

fn sha2_hex(bytes: &[u8]) -> String {
    okuo::store::sha256_hex(bytes)
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn every_line_that_was_read_is_accounted_for() {
    let sandbox = Sandbox::empty();
    sandbox.write("okuo.toml", SETTINGS);
    let mut tickets = TICKETS.clone();
    tickets.extend_from_slice(b"1,1,2024-06-01 10:00:00,5,dairy,0,1\n");
    sandbox.write("tickets.csv", &tickets);
    let json = sandbox
        .okuo(&[
            "train",
            "--input",
            "tickets.csv",
            "--as-of",
            TRAINED,
            "--exclude-product",
            "1,2",
            "--json",
        ])
        .json();
    let lines = &json["lines"];
    let count = |name: &str| lines[name].as_u64().unwrap();
    let bad: u64 = lines["bad"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bad| bad["lines"].as_u64().unwrap())
        .sum();
    assert_eq!(
        count("lines_read"),
        tickets.iter().filter(|byte| **byte == b'\n').count() as u64 - 1
    );
    assert_eq!(
        count("lines_read"),
        count("kept")
            + count("voided")
            + count("returned")
            + count("excluded")
            + count("after_as_of")
            + bad
    );
    assert!(
        count("excluded") > 0 && count("returned") > 0 && count("after_as_of") > 0,
        "{lines}"
    );
}
