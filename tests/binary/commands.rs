//! What the commands print and leave behind when all is well.

use std::io::Read;
use std::process::Stdio;

use crate::sandbox::{NIGHT, SETTINGS, Sandbox, TICKETS, TRAINED, assert_run};

const SCORE: [&str; 7] = [
    "score",
    "--input",
    "tickets.csv",
    "--as-of",
    NIGHT,
    "--output",
    "out",
];

#[test]
fn a_training_prints_lines_funnel_figures_and_the_decision() {
    let sandbox = Sandbox::new();
    let run = sandbox.okuo(&["train", "--input", "tickets.csv", "--as-of", TRAINED]);
    run.done();
    for part in [
        "lines read = ",
        "seen → ",
        " recurrent",
        "held out: the 28 days up to",
        "mae_all",
        "ndcg@10",
        "TIFUKNN",
        "is in models; ",
    ] {
        assert!(run.out.contains(part), "{part} is missing: {run}");
    }
    assert!(run.out.contains(&sandbox.model_id()), "{run}");
}

#[test]
fn a_training_for_a_rule_that_nobody_meets_is_stored_but_not_promoted() {
    let sandbox = Sandbox::new();
    let run = sandbox.okuo(&[
        "train",
        "--input",
        "tickets.csv",
        "--as-of",
        TRAINED,
        "--min-products",
        "500",
    ]);
    assert!(
        run.done()
            .err
            .contains("warning: the model cannot be measured"),
        "{run}"
    );
    assert!(
        run.out.contains("→ 0 recurrent") && run.out.contains("--basket-share would let in"),
        "{run}"
    );
    assert!(
        run.out.contains("not promoted: it could not be measured"),
        "{run}"
    );
    assert!(!sandbox.path("models/latest.json").exists());
    let run = sandbox.okuo(&SCORE);
    assert!(
        run.failed(1).err.contains(&format!(
            "promote one with `okuo models promote`: {}",
            sandbox.model_id()
        )),
        "{run}"
    );
}

#[test]
fn the_promoted_model_trained_again_stays_promoted() {
    let sandbox = Sandbox::trained();
    let run = sandbox.okuo(&[
        "train",
        "-i",
        "tickets.csv",
        "--as-of",
        TRAINED,
        "--promote",
        "never",
    ]);
    assert!(
        run.done()
            .out
            .contains("it is the promoted model already, and stays so"),
        "{run}"
    );
    assert!(!run.err.contains("promotes it all the same"), "{run}");
}

#[test]
fn training_is_the_same_again_and_on_any_number_of_threads() {
    let sandbox = Sandbox::new();
    for (registry, threads) in [("one", "1"), ("two", "2"), ("again", "2")] {
        sandbox
            .okuo(&[
                "train",
                "-i",
                "tickets.csv",
                "--as-of",
                TRAINED,
                "--registry",
                registry,
                "--threads",
                threads,
            ])
            .done();
    }
    let of = |registry: &str| -> Vec<(String, Vec<u8>)> {
        let files = sandbox.files(registry).into_iter();
        files
            .filter(|(name, _)| name.ends_with("model.okuo"))
            .map(|(name, bytes)| (name.replacen(registry, "", 1), bytes))
            .collect()
    };
    assert_eq!(of("one").len(), 1);
    assert_eq!(of("one"), of("two"));
    assert_eq!(of("two"), of("again"));
}

#[test]
fn a_night_is_published_with_its_manifest_and_said_in_words() {
    let sandbox = Sandbox::trained();
    let formats = ["--format", "csv", "--format", "jsonl"];
    let plain = sandbox.okuo(&[&SCORE[..], &formats].concat());
    assert!(
        !plain.out.contains("\ncustomer "),
        "no customer is named unasked: {plain}"
    );
    let run = sandbox.okuo(&[&SCORE[..], &formats, &["--examples", "2"]].concat());
    run.done();
    for part in [
        "lines read = ",
        " recurrent",
        "published: out/as_of=2024-07-10/manifest.json",
        "customers:\ncustomer ",
        "expected 2024-",
    ] {
        assert!(run.out.contains(part), "{part} is missing: {run}");
    }
    let manifest: serde_json::Value =
        serde_json::from_slice(&sandbox.read("out/as_of=2024-07-10/manifest.json")).unwrap();
    for (_, table) in manifest["tables"].as_object().unwrap() {
        let content = sandbox.read(&format!(
            "out/as_of=2024-07-10/{}",
            table["path"].as_str().unwrap()
        ));
        assert_eq!(table["sha256"], okuo::store::sha256_hex(&content));
    }
    let names: Vec<String> = sandbox
        .files("out")
        .into_iter()
        .map(|(name, _)| name.rsplit('/').next().unwrap().to_owned())
        .collect();
    for name in [
        "customers.parquet",
        "products.parquet",
        "offers.parquet",
        "offers.csv",
        "offers.jsonl",
    ] {
        assert!(
            names.iter().any(|known| known == name),
            "{name} is missing: {names:?}"
        );
    }
    assert_eq!(manifest["model"]["id"], sandbox.model_id());
}

#[test]
fn a_night_does_not_depend_on_what_comes_after_it_or_on_threads() {
    let sandbox = Sandbox::trained();
    sandbox
        .okuo(&[&SCORE[..], &["--threads", "1"]].concat())
        .done();
    let tables = |out: &str| -> Vec<(String, Vec<u8>)> {
        let files = sandbox.files(out).into_iter();
        files
            .filter(|(name, _)| name.contains("/run="))
            .map(|(name, bytes)| (name.replacen(out, "", 1), bytes))
            .collect()
    };
    let first = tables("out");
    assert_eq!(first.len(), 3);
    // Every line after the night says something else: other customers, products, quantities and new
    // ids.
    let text = String::from_utf8(TICKETS.clone()).unwrap();
    let changed: String = text
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            match fields[2].get(..10) {
                Some(day) if day > NIGHT && day.starts_with("2024") => {
                    format!("99{},9,{},77{},x,3,1\n", fields[0], fields[2], fields[3])
                }
                _ => format!("{line}\n"),
            }
        })
        .collect();
    assert_ne!(changed, text);
    sandbox.write("changed.csv", changed);
    let arguments = [
        "score",
        "--input",
        "changed.csv",
        "--as-of",
        NIGHT,
        "--output",
        "other",
        "--threads",
        "2",
    ];
    sandbox.okuo(&arguments).done();
    assert_eq!(tables("other"), first);
    sandbox.okuo(&SCORE).done();
    assert_eq!(tables("out"), first);
    let arguments = [
        "score",
        "--input",
        "tickets.csv",
        "--as-of",
        NIGHT,
        "--output",
        "limited",
        "--memory-limit",
        "100MB",
    ];
    sandbox.okuo(&arguments).done();
    assert_eq!(tables("limited"), first);
    // A shorter history says something else, of fewer lines.
    let arguments = [
        "score",
        "--input",
        "tickets.csv",
        "--as-of",
        NIGHT,
        "--output",
        "recent",
        "--history-days",
        "95",
    ];
    let run = sandbox.okuo(&arguments);
    assert!(
        run.done().out.contains(" longer ago than history_days"),
        "{run}"
    );
    assert_ne!(tables("recent"), first);
    let manifest: serde_json::Value =
        serde_json::from_slice(&sandbox.read(&format!("recent/as_of={NIGHT}/manifest.json")))
            .unwrap();
    assert_eq!(manifest["config"]["history_days"], 95);
    // More days than there are change nothing: the model and its file stay the same.
    let arguments = [
        "train",
        "-i",
        "tickets.csv",
        "--as-of",
        TRAINED,
        "--history-days",
        "2000",
    ];
    sandbox.okuo(&arguments).done();
    let run = sandbox.okuo(&[
        "train",
        "-i",
        "tickets.csv",
        "--as-of",
        TRAINED,
        "--history-days",
        "100",
    ]);
    assert!(
        run.failed(1).err.contains(
            "training needs the rule's window, or 56 days if it is shorter, and 56 days more: 146 days, and history_days is 100"
        ),
        "{run}"
    );
}

#[test]
fn a_model_that_has_seen_the_future_is_refused_before_anything_is_read() {
    let sandbox = Sandbox::trained();
    let run = sandbox.okuo(&[
        "score",
        "--input",
        "missing.csv",
        "--as-of",
        "2024-06-29",
        "--output",
        "out",
    ]);
    assert!(
        run.failed(1)
            .err
            .contains("no promoted model can be used on 2024-06-29"),
        "{run}"
    );
    let model = sandbox.model_id();
    let run = sandbox.okuo(&[
        "score",
        "--input",
        "missing.csv",
        "--as-of",
        "2024-06-29",
        "--output",
        "out",
        "--model",
        &model,
    ]);
    assert!(
        run.failed(1)
            .err
            .contains("after the as-of date 2024-06-29"),
        "{run}"
    );
    assert_eq!(sandbox.files("out"), []);
    let run = sandbox.okuo(&[
        "eval",
        "--input",
        "tickets.csv",
        "--holdout",
        "2024-06",
        "--model",
        &sandbox.model_id(),
    ]);
    assert!(run.failed(1).err.contains("has seen 2024-06"), "{run}");
}

#[test]
fn a_rule_that_is_not_the_models_is_told() {
    let sandbox = Sandbox::trained();
    let run = sandbox.okuo(&[&SCORE[..], &["--basket-share", "0.2"]].concat());
    assert!(
        run.done().err.contains("warning: the rule differs"),
        "{run}"
    );
    // Where no rule is given, the model's own decides.
    sandbox.write("okuo.toml", "[offers]\ncontrol_share = 0.0\n");
    let run = sandbox.okuo(&SCORE);
    assert_eq!(run.done().err, "", "{run}");
    assert!(run.out.contains("a share of 0.3 of the purchases"), "{run}");
}

#[test]
fn json_is_one_document_and_quiet_is_quiet() {
    let sandbox = Sandbox::trained();
    let json = sandbox.okuo(&[&SCORE[..], &["--json", "-q"]].concat());
    assert_eq!(json.err, "");
    let json = json.json();
    assert_eq!(
        (&json["as_of"], &json["model_id"]),
        (&NIGHT.into(), &sandbox.model_id().into())
    );
    assert!(
        json["customers"].as_u64().unwrap() > 0 && json["funnel"]["recurrent"] == json["customers"],
        "{json}"
    );
    let verbose = sandbox.okuo(&[&SCORE[..], &["-v"]].concat());
    assert!(
        verbose.done().err.contains("reading tickets.csv") && verbose.err.contains("publishing"),
        "{verbose}"
    );
}

const EXPLAIN: [&str; 5] = ["explain", "--input", "tickets.csv", "--as-of", NIGHT];

#[test]
fn a_customer_is_explained_with_the_numbers_that_are_published() {
    let sandbox = Sandbox::trained();
    sandbox
        .okuo(&[&SCORE[..], &["--format", "jsonl"]].concat())
        .done();
    let files = sandbox.files("out");
    let (_, offers) = files
        .iter()
        .find(|(name, _)| name.ends_with("offers.jsonl"))
        .unwrap();
    let offers: Vec<serde_json::Value> = std::str::from_utf8(offers)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let id = offers[0]["customer_id"].to_string();
    let json = sandbox
        .okuo(&[&EXPLAIN[..], &["--id", &id, "--top", "25", "--json", "-q"]].concat())
        .json();
    assert_eq!(
        (&json["customer_id"], &json["recurrent"]),
        (&offers[0]["customer_id"], &true.into())
    );
    assert_eq!(
        (&json["model_id"], &json["as_of"]),
        (&sandbox.model_id().into(), &NIGHT.into())
    );
    for offer in offers
        .iter()
        // What is too unlikely for the list is a candidate for offers nevertheless.
        .filter(|offer| offer["rank"].as_u64().unwrap() <= 25)
        .filter(|offer| offer["customer_id"] == json["customer_id"])
        // Products that are not listed may be offered too.
        .filter(|offer| offer["rank"].as_u64().unwrap() <= 25)
    {
        let product = &json["prediction"]["products"][offer["rank"].as_u64().unwrap() as usize - 1];
        assert_eq!(
            (&product["product_id"], &product["probability"]),
            (&offer["product_id"], &offer["probability"])
        );
        assert!(
            offer["action"] != "offer" || offer["reason"] == product["reason"],
            "{offer}"
        );
    }
    let prediction = &json["prediction"];
    assert_eq!(prediction["by_day"].as_array().unwrap().len(), 14);
    assert!(
        prediction["timing_features"]["gap_mean"].is_number()
            && prediction["products"][0]["features"]["due_days"].is_number()
    );
    let words = sandbox.okuo(&[&EXPLAIN[..], &["--id", &id, "--top", "3"]].concat());
    for part in [
        &format!("customer {id} on {NIGHT}, with model "),
        "recurrent: yes",
        "in each of the last 3 periods of 30 days at least 2 purchases; a share of 0.3",
        "share of large baskets: ",
        "next purchase: expected 2024-07-",
        "gap_mean ",
        "   3.  ",
    ] {
        assert!(
            words.done().out.contains(part),
            "{part} is missing: {words}"
        );
    }
    assert!(
        !words.out.contains("   4.  ") && words.err.is_empty(),
        "{words}"
    );
    // Without --id, --customer is the customer; with it, the column.
    let same = |arguments: &[&str]| {
        sandbox
            .okuo(&[&EXPLAIN[..], &["--top", "3"], arguments].concat())
            .done()
            .out
            .clone()
    };
    assert_eq!(same(&["--customer", &id]), words.out);
    assert_eq!(same(&["--customer", "customer_id", "--id", &id]), words.out);
}

#[test]
fn a_customer_who_is_not_recurrent_is_explained_too() {
    let sandbox = Sandbox::trained();
    let header = "customer_id,timestamp,product_id,quantity\n";
    let lines = |id: &str, days: &[&str]| -> String {
        days.iter().map(|day| format!("{id},{day},1,1\n")).collect()
    };
    let few = ["2024-07-01", "2024-07-09"];
    let six = [
        "2024-04-20",
        "2024-05-01",
        "2024-05-12",
        "2024-05-20",
        "2024-05-27",
        "2024-06-30",
    ];
    sandbox.write(
        "odd.csv",
        format!(
            "{header}{}{}{}",
            lines("-5", &few),
            lines("--7x", &six),
            lines("later", &["2024-07-12"])
        ),
    );
    let explain = |id: &str| {
        sandbox.okuo(&[
            "explain", "--input", "odd.csv", "--as-of", NIGHT, "--id", id,
        ])
    };
    let run = explain("-5");
    assert!(
        run.done()
            .out
            .starts_with(&format!("customer -5 on {NIGHT}")),
        "{run}"
    );
    assert!(
        run.out
            .contains("recurrent: no, `okuo score` leaves this customer out"),
        "{run}"
    );
    assert!(
        run.out.contains(
            "not met: 0 purchases from 2024-05-12 to 2024-06-10, where the rule asks for 2"
        ),
        "{run}"
    );
    assert!(run.out.contains("no prediction: the model learned from customers with at least 6 purchases, and this one has 2"), "{run}");
    let run = explain("--7x");
    assert!(
        run.done().out.contains("next purchase: expected 2024-")
            && run.out.contains("recurrent: no"),
        "{run}"
    );
    // Those who are not in the data, or only after the night.
    let run = explain("later");
    assert!(
        run.failed(1)
            .err
            .contains("no customer has bought anything up to 2024-07-10 under the id \"later\""),
        "{run}"
    );
    assert!(
        run.err
            .contains("hint: the customers' ids are text, compared letter by letter"),
        "{run}"
    );
    let run = sandbox.okuo(&[&EXPLAIN[..], &["--id", "nobody"]].concat());
    assert!(
        run.failed(1)
            .err
            .contains("hint: the customers' ids are integers; ")
            && run.err.contains("is a recurrent customer"),
        "{run}"
    );
}

#[test]
fn tickets_that_are_not_the_models_are_told() {
    let sandbox = Sandbox::trained();
    let run = sandbox.okuo(
        &[
            &SCORE[..],
            &["--time-zone", "Europe/Rome", "--day-start", "4"],
        ]
        .concat(),
    );
    for part in [
        "warning: the model was trained with time_zone = UTC, and this run has Europe/Rome",
        "day_start = 0, and this run has 4",
    ] {
        assert!(run.done().err.contains(part), "{part} is missing: {run}");
    }
    // The same tickets with other product ids.
    let text = String::from_utf8(TICKETS.clone()).unwrap();
    let renamed: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
            if at > 0 {
                fields[3] = format!("p{}", fields[3]);
            }
            fields.join(",")
        })
        .collect();
    sandbox.write("renamed.csv", renamed.join("\n"));
    let run = sandbox.okuo(&[
        "score",
        "--input",
        "renamed.csv",
        "--as-of",
        NIGHT,
        "--output",
        "other",
    ]);
    assert!(run.done().err.contains("the model knows 0 %: was it trained on another store's tickets, or with other product ids?"), "{run}");
}

#[test]
fn models_are_listed_shown_and_promoted() {
    let sandbox = Sandbox::new();
    assert!(
        sandbox
            .okuo(&["models", "list"])
            .failed(1)
            .err
            .contains("models: there is no registry")
    );
    sandbox.write("models/notes.txt", "the folder is there, and has no model");
    assert!(
        sandbox
            .okuo(&["models", "list"])
            .done()
            .err
            .contains("no model is in models")
    );
    let train = |as_of: &str, promote: &str| {
        sandbox
            .okuo(&[
                "train",
                "-i",
                "tickets.csv",
                "--as-of",
                as_of,
                "--promote",
                promote,
                "--json",
            ])
            .json()["model_id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (june, july) = (train("2024-06-30", "always"), train("2024-07-10", "never"));
    assert_run!(sandbox.okuo(&["models", "list"]).done());
    assert_run!(sandbox.okuo(&["models", "show", &july]).done());
    // What a reader of the figures should know stands beneath them.
    let card = format!("models/{june}/card.json");
    let mut warned: serde_json::Value = serde_json::from_slice(&sandbox.read(&card)).unwrap();
    warned["warnings"] = serde_json::json!(["80 % intervals held 65 % of the purchases"]);
    sandbox.write(&card, warned.to_string());
    let shown = sandbox.okuo(&["models", "show", &june]);
    let figures_and_after = shown.done().out.split("held-out figures").nth(1).unwrap();
    assert!(
        figures_and_after.contains("\n  warning: 80 % intervals held 65 % of the purchases\n"),
        "{shown}"
    );
    assert_eq!(
        sandbox.okuo(&["models", "promote", &july]).done().out,
        format!("promoted {july} in place of {june}\n")
    );
    let listed = sandbox.okuo(&["models", "list", "--json"]).json();
    assert_eq!(
        (&listed[0]["promoted"], &listed[1]["promoted"]),
        (&false.into(), &true.into())
    );
    assert_run!(
        sandbox
            .okuo(&["models", "promote", "2024-06-30-000000000000"])
            .failed(1)
    );
    // A damaged pointer hides no models.
    sandbox.write("models/latest.json", "{");
    let damaged = sandbox.okuo(&["models", "list"]);
    assert!(
        damaged.done().out.contains(&june)
            && damaged
                .err
                .contains("which model is promoted cannot be told"),
        "{damaged}"
    );
}

#[test]
fn an_evaluation_stands_beside_the_baselines() {
    let sandbox = Sandbox::new();
    let arguments = [
        "eval",
        "--input",
        "tickets.csv",
        "--holdout",
        "2024-06",
        "--every",
        "10",
    ];
    let run = sandbox.okuo(&arguments);
    for part in [
        "okuo",
        "population median",
        "personal median gap",
        "P-TopFreq",
        "GP-TopFreq",
        "decayed frequency",
        "TIFUKNN",
        "coverage_80",
        "ndcg@10",
    ] {
        assert!(run.done().out.contains(part), "{part} is missing: {run}");
    }
    let json = sandbox.okuo(&[&arguments[..], &["--json"]].concat()).json();
    assert_eq!(
        json["evaluation"]["nights"],
        serde_json::json!(["2024-05-31", "2024-06-10", "2024-06-20"])
    );
    let okuo = &json["evaluation"]["contenders"][0];
    assert!(
        okuo["figures"]["mae_all"].is_number() && okuo["intervals"]["mae_all"].is_object(),
        "{okuo}"
    );
}

#[test]
fn columns_may_have_other_names_and_settings_come_from_the_environment() {
    let sandbox = Sandbox::new();
    let text = String::from_utf8(TICKETS.clone()).unwrap();
    let renamed = text.replacen(
        "customer_id,basket_id,timestamp,product_id",
        "client,basket,bought_at,article",
        1,
    );
    sandbox.write("my tickets.csv", renamed);
    let by_flag = [
        "train",
        "-i",
        "my tickets.csv",
        "--as-of",
        TRAINED,
        "--customer",
        "client",
        "--product",
        "article",
        "--time",
        "bought_at",
    ];
    let by_flag = sandbox.okuo(&[&by_flag[..], &["--json"]].concat()).json();
    let variables = [
        ("OKUO_CUSTOMER", "client"),
        ("OKUO_PRODUCT", "article"),
        ("OKUO_TIME", "bought_at"),
        ("OKUO_REGISTRY", "other"),
    ];
    let by_variable = sandbox
        .okuo_with(
            &[
                "train",
                "-i",
                "my tickets.csv",
                "--as-of",
                TRAINED,
                "--json",
            ],
            &variables,
        )
        .json();
    assert_eq!(by_flag["model_id"], by_variable["model_id"]);
    assert_eq!(by_variable["registry"], "other");
}

#[test]
fn simulated_tickets_are_ordinary_files_and_the_same_again() {
    let sandbox = Sandbox::empty();
    let simulate = |output: &str| {
        let arguments = [
            "simulate",
            "--output",
            output,
            "--customers",
            "20",
            "--products",
            "100",
            "--days",
            "60",
            "--truth",
            "made/truth.json",
        ];
        sandbox.okuo(&arguments).done();
        sandbox.read(output)
    };
    let first = simulate("made/t.csv.gz");
    assert_eq!(first, simulate("again.csv.gz"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&first[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text.as_bytes(), simulate("t.csv"));
    assert!(text.starts_with("customer_id,") && !sandbox.read("made/truth.json").is_empty());
    assert!(simulate("t.parquet").starts_with(b"PAR1"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(sandbox.path("t.csv"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o400, 0o400);
        let plain = tempfile::Builder::new()
            .permissions(PermissionsExt::from_mode(0o666))
            .tempfile()
            .unwrap();
        assert_eq!(
            mode & 0o777,
            plain.as_file().metadata().unwrap().permissions().mode() & 0o777,
            "as any other new file"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let sandbox = Sandbox::trained();
    // Its control arm would be too small, of which a run warns.
    let settings = format!("{SETTINGS}[offers]\ncontrol_share = 0.0\n");
    sandbox.write("okuo.toml", settings);
    for arguments in [&["models", "list"][..], &SCORE, &["config"], &["--help"]] {
        let mut child = sandbox
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut err)
            .unwrap();
        assert!(
            child.wait().unwrap().success() && err.is_empty(),
            "{arguments:?}: {err}"
        );
    }
    assert!(sandbox.path("out/as_of=2024-07-10/manifest.json").exists());
}

#[test]
fn with_json_an_error_is_a_document_too() {
    let sandbox = Sandbox::empty();
    sandbox.write(
        "tickets.csv",
        "customer_id,product_id,time\n1,2,2024-01-01\n1,2,yesterday\n",
    );
    let train = [
        "train",
        "--input",
        "tickets.csv",
        "--as-of",
        "2024-01-01",
        "--json",
    ];
    let error = |arguments: &[&str]| -> serde_json::Value {
        let run = sandbox.okuo(arguments);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run}");
        let last = run.err.lines().last().unwrap();
        let document: serde_json::Value = serde_json::from_str(last).unwrap();
        document["error"].clone()
    };
    let missing = error(&[
        "train",
        "--input",
        "no.csv",
        "--as-of",
        "2024-01-01",
        "--json",
    ]);
    assert_eq!(
        (&missing["kind"], &missing["exit_code"]),
        (&"not_found".into(), &1.into())
    );
    assert!(
        missing["object"].as_str().unwrap().ends_with("no.csv"),
        "{missing}"
    );
    assert!(
        missing["row"].is_null() && missing["hint"].is_string(),
        "{missing}"
    );
    let bad = error(&train);
    assert_eq!(
        (&bad["kind"], &bad["exit_code"]),
        (&"input".into(), &1.into()),
        "{bad}"
    );
    let flag = error(&[&train[..], &["--no-such-flag"]].concat());
    assert_eq!(flag["kind"], "request");
    assert!(
        flag["what"].as_str().unwrap().contains("--no-such-flag"),
        "{flag}"
    );
}
