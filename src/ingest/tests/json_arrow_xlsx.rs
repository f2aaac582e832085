//! JSON, Arrow and Excel: the same lines as in CSV, and what is wrong with others.

use polars_arrow::array::{Array, Int64Array, PrimitiveArray, Utf8Array};
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field, TimeUnit as ArrowUnit};
use polars_arrow::io::ipc::write::{FileWriter, StreamWriter, WriteOptions};
use polars_arrow::record_batch::RecordBatchT;

use super::containers::zip;
use super::*;

fn read_one(name: &str, content: Vec<u8>) -> Result<Ingested> {
    read_all(&options(), None, &[(name, content)])
}

fn message(name: &str, content: Vec<u8>) -> String {
    read_one(name, content).unwrap_err().to_string()
}

const JSON: [&str; 3] = [
    r#"{"customer_id":7,"product_id":10,"timestamp":"2017-10-30 09:00:00","quantity":1,"store":{"id":1}}"#,
    r#"{"customer_id":7,"product_id":11,"timestamp":"2017-10-30","quantity":2.0,"note":"a } \" b"}"#,
    r#"{"quantity":1,"timestamp":"2017-10-31","product_id":10,"customer_id":8}"#,
];

#[test]
fn json_is_read_however_its_objects_follow_each_other() {
    let indented = JSON[0].replace(",\"", ",\n  \"");
    let ways = [
        ("a.jsonl", JSON.join("\n")),
        (
            "a.jsonl",
            format!("\u{feff}\n{}\r\n\r\n", JSON.join("\r\n")),
        ),
        ("a", JSON.join("\n")),
        ("a.json", format!("[{}]", JSON.join(","))),
        ("a.json", format!(" [\n {}\n]\n", JSON.join(" ,\n "))),
        ("a.json", format!("{indented}\n{}\n{}", JSON[1], JSON[2])),
        ("a.csv", JSON.join("\n")),
    ];
    for (name, text) in ways {
        let read = read_one(name, csv(&text)).unwrap();
        assert_eq!(spelled_out(&read.purchases), LINES, "{text}");
        assert!(
            read.report.balanced() && read.warnings.is_empty(),
            "{:?}",
            read.warnings
        );
        let packed = read_one(name, gz(&text)).unwrap();
        assert_eq!(spelled_out(&packed.purchases), LINES, "{text}");
    }
}

#[test]
fn a_json_array_longer_than_a_buffer_is_read_and_its_end_is_missed() {
    let object = |row: usize| {
        format!(
            "{{\"customer_id\":{row},\"product_id\":1,\"timestamp\":\"2017-10-30\",\"note\":\"{}\"}}",
            "x".repeat(400)
        )
    };
    let objects: Vec<String> = (0..6_000).map(object).collect();
    let whole = format!("[{}\n]", objects.join(",\n"));
    let read = read_one("a.json", csv(&whole)).unwrap();
    assert_eq!(read.report.kept, 6_000);
    for cut in [whole.len() - 1, whole.len() - 300, 2_000_000] {
        let message = message("a.json", csv(&whole[..cut]));
        assert!(message.contains("ends in the middle, after "), "{message}");
    }
    let no_space = message("a.json", csv(&whole[..whole.len() - 2]));
    assert!(no_space.contains("after 6000 whole objects"), "{no_space}");
}

#[test]
fn a_json_line_that_is_none_is_bad_and_the_rest_is_read() {
    let text = format!("{}\n{{\"customer_id\": 7,\n7,10\n{}\n", JSON[0], JSON[2]);
    let options = InputOptions {
        max_bad_share: 1.0,
        ..options()
    };
    let read = read_all(&options, None, &[("a.jsonl", csv(&text))]).unwrap();
    assert_eq!((read.report.kept, read.report.bad_lines()), (2, 2));
    assert_eq!(places(&read.report)[0][1], "a.jsonl: row 3: \"7,10\"");
}

#[test]
fn json_keeps_long_integers_and_text_apart_and_refuses_what_is_no_value() {
    let lines = [
        r#"{"customer_id":9007199254740993,"product_id":"007","timestamp":"2017-10-30"}"#,
        r#"{"customer_id":9007199254740994,"product_id":"7","timestamp":"2017-10-30"}"#,
    ];
    let read = read_one("a.jsonl", csv(&lines.join("\n"))).unwrap();
    assert_eq!(
        read.purchases.customers(),
        &Ids::Integer(vec![9_007_199_254_740_993, 9_007_199_254_740_994])
    );
    assert_eq!(
        read.purchases.products(),
        &Ids::Text(vec!["007".into(), "7".into()])
    );
    let nested = r#"{"customer_id":{"id":7},"product_id":1,"timestamp":"2017-10-30"}"#;
    let nested = message("a.jsonl", csv(nested));
    assert!(nested.contains("row 1, column \"customer_id\""), "{nested}");
}

#[test]
fn json_without_the_columns_says_where_the_rows_may_be() {
    let wrapped = format!("{{\"count\": 3, \"data\": [{}]}}", JSON.join(","));
    let message_of_wrapped = message("a.json", csv(&wrapped));
    assert!(
        message_of_wrapped.contains("the columns are \"count\", \"data\"")
            && message_of_wrapped.contains("jq -c '.data[]' FILE | okuo"),
        "{message_of_wrapped}"
    );
    // As pandas writes a table with orient="split", and by default.
    let split = r#"{"columns":["customer_id"],"data":[[7]]}"#;
    let split = message("a.json", csv(split));
    assert!(!split.contains("jq -c '.data[]'"), "{split}");
    let by_column =
        r#"{"customer_id":{"0":7},"product_id":{"0":10},"timestamp":{"0":"2017-10-30"}}"#;
    let by_column = message("a.json", csv(by_column));
    assert!(
        by_column.contains("column \"customer_id\": the value is a JSON object")
            && by_column.contains("orient=\"records\""),
        "{by_column}"
    );
    let arrays = message("a.json", csv("[{\"a\": 1}, [7, 10]]"));
    assert!(arrays.contains("there is no column"), "{arrays}");
    // A column that comes later than is looked for it would else be no column at all.
    let mut late: Vec<String> = (0..10_001)
        .map(|row| format!(r#"{{"customer_id":{row},"product_id":1,"timestamp":"2017-10-30"}}"#))
        .collect();
    late.push(JSON[0].to_owned());
    let late = message("a.jsonl", csv(&late.join("\n")));
    assert!(
        late.contains("row 10002, column \"quantity\": the column is missing in the first"),
        "{late}"
    );
    let early = [JSON[0], &JSON[1].replace(",\"quantity\":2.0", "")].join("\n");
    let early = message("a.jsonl", csv(&early));
    assert!(early.contains("no quantity"), "{early}");
}

#[test]
fn a_key_that_comes_late_is_a_column_and_null_before() {
    let mut lines: Vec<String> = (0..10_001)
        .map(|row| {
            format!(r#"{{"customer_id":{row},"product_id":1,"timestamp":"2017-10-30","till":2}}"#)
        })
        .collect();
    lines.push(
        r#"{"customer_id":7,"product_id":1,"timestamp":"2017-10-30","shop":3,"ticket":"a"}"#
            .to_owned(),
    );
    let text = csv(&lines.join("\n"));
    let with = |columns: ColumnNames| {
        let options = InputOptions {
            columns,
            ..options()
        };
        read_all(&options, None, &[("a.jsonl", text.clone())])
    };
    let basket = with(ColumnNames {
        basket: Some("ticket".into()),
        ..ColumnNames::default()
    });
    assert_eq!(basket.unwrap().report.kept, 10_002);
    // One of the names of a column may come late, too.
    let names: ColumnAlternatives = serde_json::from_str(r#"["till", "shop"]"#).unwrap();
    let store = with(ColumnNames {
        store: Some(names),
        ..ColumnNames::default()
    });
    assert_eq!(store.unwrap().report.kept, 10_002);
    let nowhere = with(ColumnNames {
        basket: Some("basket_number".into()),
        ..ColumnNames::default()
    });
    let nowhere = nowhere.unwrap_err().to_string();
    assert!(
        nowhere.contains("there is no column \"basket_number\""),
        "{nowhere}"
    );
}

#[test]
fn json_with_objects_in_it_says_how_to_take_them_out() {
    let lines = r#"{"customer_id":7,"timestamp":"2017-10-30","lines":[{"product_id":1}]}"#;
    let lines = message("a.jsonl", csv(&[lines, lines].join("\n")));
    assert!(
        lines.contains("jq -c 'del(.lines) + .lines[]' FILE"),
        "{lines}"
    );
    let order = r#"{"order":{"customer_id":7,"product_id":1},"timestamp":"2017-10-30"}"#;
    let order = message("a.jsonl", csv(&[order, order].join("\n")));
    assert!(
        order.contains("jq -c '(. + .order) | del(.order)' FILE"),
        "{order}"
    );
}

fn arrow_schema() -> ArrowSchema {
    [
        ("store", ArrowDataType::Int64),
        ("customer_id", ArrowDataType::Int64),
        ("product_id", ArrowDataType::Decimal(12, 0)),
        (
            "timestamp",
            ArrowDataType::Timestamp(ArrowUnit::Nanosecond, None),
        ),
        ("quantity", ArrowDataType::LargeUtf8),
    ]
    .into_iter()
    .map(|(name, dtype)| (name.into(), Field::new(name.into(), dtype, true)))
    .collect()
}

fn arrow_batch(rows: std::ops::Range<usize>) -> RecordBatchT<Box<dyn Array>> {
    let schema = arrow_schema();
    let dtype = |name: &str| schema.get(name).unwrap().dtype.clone();
    let customers = Int64Array::from_slice(&[7, 7, 8][rows.clone()]).boxed();
    let products = PrimitiveArray::<i128>::from_slice(&[10, 11, 10][rows.clone()])
        .to(dtype("product_id"))
        .boxed();
    let hour = 3_600_000_000_000_i64;
    let days = [
        17_469 * 24 * hour + 9 * hour,
        17_469 * 24 * hour,
        17_470 * 24 * hour,
    ];
    let times = PrimitiveArray::<i64>::from_slice(&days[rows.clone()])
        .to(dtype("timestamp"))
        .boxed();
    let quantities = Utf8Array::<i64>::from_slice(&["1", "2", "1"][rows.clone()]).boxed();
    let stores = Int64Array::from_slice(&[1, 2, 3][rows.clone()]).boxed();
    let arrays = vec![stores, customers, products, times, quantities];
    RecordBatchT::new(rows.len(), schema.into(), arrays)
}

fn arrow_stream() -> Vec<u8> {
    let mut writer = StreamWriter::new(vec![], WriteOptions::default());
    writer.start(&arrow_schema(), None).unwrap();
    writer.write(&arrow_batch(0..2), None).unwrap();
    writer.write(&arrow_batch(2..3), None).unwrap();
    writer.finish().unwrap();
    writer.into_inner()
}

fn arrow_file() -> Vec<u8> {
    let schema = Arc::new(arrow_schema());
    let mut out = vec![];
    let mut writer = FileWriter::try_new(&mut out, schema, None, WriteOptions::default()).unwrap();
    writer.write(&arrow_batch(0..3), None).unwrap();
    writer.finish().unwrap();
    out
}

#[test]
fn arrow_streams_and_files_are_read_packed_or_not() {
    for content in [arrow_stream(), arrow_file()] {
        let zst = zstd::encode_all(&content[..], 1).unwrap();
        for (name, content) in [("a", content), ("a.arrow.zst", zst)] {
            let read = read_one(name, content).unwrap();
            assert_eq!(spelled_out(&read.purchases), LINES);
            assert_eq!(read.purchases.products(), &Ids::Integer(vec![10, 11]));
        }
    }
}

#[test]
fn arrow_cut_anywhere_is_an_error_and_flipped_anywhere_no_panic() {
    for (whole, footer) in [(arrow_stream(), 0), (arrow_file(), 400)] {
        for length in 8..whole.len() - footer {
            let Err(error) = read_one("a.arrow", whole[..length].to_vec()) else {
                // The end of the stream in a file comes before its footer.
                assert!(footer > 0 && length > whole.len() / 2, "{length}");
                continue;
            };
            assert_eq!(error.exit_code(), 1, "{length}: {error}");
        }
        for at in 8..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x40;
            if let Err(error) = read_one("a.arrow", flipped) {
                assert_eq!(error.exit_code(), 1, "{at}: {error}");
            }
        }
    }
    let wrong = InputOptions {
        columns: ColumnNames {
            customer: "kunde".into(),
            ..ColumnNames::default()
        },
        ..options()
    };
    let lacking = read_all(&wrong, None, &[("a.arrow", arrow_stream())]).unwrap_err();
    assert!(
        lacking.to_string().contains("there is no column \"kunde\""),
        "{lacking}"
    );
}

fn sheet(rows: &[&str]) -> String {
    let rows: String = rows.iter().map(|row| format!("<row>{row}</row>")).collect();
    format!(
        "<?xml version=\"1.0\"?><worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>{rows}</sheetData></worksheet>"
    )
}

fn texts(cells: &[&str]) -> String {
    let cell = |text: &&str| format!("<c t=\"inlineStr\"><is><t>{text}</t></is></c>");
    cells.iter().map(cell).collect()
}

fn numbers(cells: &[&str]) -> String {
    cells
        .iter()
        .map(|number| format!("<c><v>{number}</v></c>"))
        .collect()
}

/// A workbook with these sheets; cells with the style 1 are dates.
fn workbook(sheets: &[String]) -> Vec<u8> {
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let package = "http://schemas.openxmlformats.org/package/2006";
    let count = sheets.len();
    let each = |of: &dyn Fn(usize) -> String| (1..=count).map(of).collect::<String>();
    let listed = each(&|at| format!("<sheet name=\"S{at}\" sheetId=\"{at}\" r:id=\"r{at}\"/>"));
    let targets = each(&|at| {
        format!(
            "<Relationship Id=\"r{at}\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet{at}.xml\"/>"
        )
    });
    let mut parts = vec![
        (
            "[Content_Types].xml".to_owned(),
            format!("<Types xmlns=\"{package}/content-types\"/>"),
        ),
        (
            "_rels/.rels".to_owned(),
            format!(
                "<Relationships xmlns=\"{package}/relationships\"><Relationship Id=\"r1\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
            ),
        ),
        (
            "xl/workbook.xml".to_owned(),
            format!(
                "<workbook xmlns=\"{main}\" xmlns:r=\"{relations}\"><sheets>{listed}</sheets></workbook>"
            ),
        ),
        (
            "xl/_rels/workbook.xml.rels".to_owned(),
            format!("<Relationships xmlns=\"{package}/relationships\">{targets}</Relationships>"),
        ),
        (
            "xl/styles.xml".to_owned(),
            format!(
                "<styleSheet xmlns=\"{main}\"><cellXfs count=\"2\"><xf numFmtId=\"0\"/><xf numFmtId=\"22\"/></cellXfs></styleSheet>"
            ),
        ),
    ];
    for (at, sheet) in (1..).zip(sheets) {
        parts.push((format!("xl/worksheets/sheet{at}.xml"), sheet.clone()));
    }
    let parts: Vec<(&str, &[u8])> = parts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_bytes()))
        .collect();
    zip(&parts)
}

const HEADER: [&str; 4] = ["timestamp", "customer_id", "product_id", "quantity"];

#[test]
fn every_sheet_with_the_columns_is_read_and_the_others_are_said() {
    let header = texts(&HEADER);
    // 2017-10-30 09:00 and 2017-10-30, as Excel counts days.
    let first = format!(
        "<c s=\"1\"><v>43038.375</v></c>{}",
        numbers(&["7", "10", "1"])
    );
    let second = format!(
        "<c s=\"1\"><v>43038</v></c>{}{}",
        texts(&["7"]),
        numbers(&["11", "2"])
    );
    let third = format!("{}{}", texts(&["2017-10-31"]), numbers(&["8", "10", "1"]));
    let sheets = [
        sheet(&[&texts(&["Sales of October"]), &header, &first, &second]),
        sheet(&[&texts(&["week", "from"]), &numbers(&["1", "2"])]),
        sheet(&[]),
        sheet(&[&header, &third]),
    ];
    let read = read_one("a.xlsx", workbook(&sheets)).unwrap();
    assert_eq!(spelled_out(&read.purchases), LINES);
    let left = &read.report.left_out;
    assert_eq!(
        (left.len(), left[0].object.as_str(), left[0].why.as_str()),
        (1, "a.xlsx/S2", "a sheet without the columns")
    );
    let said = "a.xlsx: 2 sheets have the columns, and all of them are read: \"S1\", \"S4\"";
    assert!(
        read.warnings.iter().any(|warning| warning == said),
        "{:?}",
        read.warnings
    );
    // By its content, and in an archive.
    let packed = zip(&[("export/tickets", &workbook(&sheets))]);
    let read = read_one("a.csv", packed).unwrap();
    assert_eq!(spelled_out(&read.purchases), LINES);
}

#[test]
fn a_workbook_that_lacks_columns_is_cut_or_is_a_bomb_is_refused() {
    let other = workbook(&[sheet(&[&texts(&["week", "from"]), &numbers(&["1", "2"])])]);
    let lacking = message("a.xlsx", other);
    assert!(
        lacking.contains("a.xlsx: there is no column \"customer_id\"")
            && lacking.contains("\"week\", \"from\""),
        "{lacking}"
    );
    let bad = sheet(&[&texts(&HEADER), &numbers(&["1.5", "7", "10", "1"])]);
    let bad = message("a.xlsx", workbook(&[bad]));
    assert!(bad.contains("a.xlsx: row 1, column \"timestamp\""), "{bad}");
    let whole = workbook(&[sheet(&[&texts(&HEADER)])]);
    for length in (4..whole.len()).step_by(7) {
        let error = read_one("a.xlsx", whole[..length].to_vec()).unwrap_err();
        assert_eq!(error.exit_code(), 1, "{length}: {error}");
    }
    for at in 4..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        if let Err(error) = read_one("a.xlsx", flipped) {
            // What is left may be a sheet without lines.
            assert!([1, 4].contains(&error.exit_code()), "{at}: {error}");
        }
    }
    let bomb = workbook(&[sheet(&[&texts(&[&"x".repeat(1 << 22)])])]);
    let bomb = message("a.xlsx", bomb);
    assert!(
        bomb.contains("one of its cells has more than 1 MiB"),
        "{bomb}"
    );
    let named = message("a.xlsx", csv(TEXT).into_iter().chain([0]).collect());
    assert!(!named.contains("panicked"), "{named}");
}

#[test]
fn a_full_sheet_is_probably_cut() {
    let last = format!(
        "<c r=\"A1048576\" t=\"inlineStr\"><is><t>2017-10-31</t></is></c>{}",
        numbers(&["8", "10", "1"])
    );
    let full = format!("{}</row><row r=\"1048576\">{last}", texts(&HEADER));
    let read = read_one("a.xlsx", workbook(&[sheet(&[&full])])).unwrap();
    assert!(
        read.warnings[0].starts_with("a.xlsx: the sheet \"S1\" is full to the last row"),
        "{:?}",
        read.warnings
    );
    assert_eq!(read.report.kept, 1);
}

#[test]
fn each_object_of_json_may_have_another_name_of_a_column() {
    let text = "{\"customer_id\":7,\"product_id\":10,\"timestamp\":\"2017-10-30\"}\n\
                {\"Customer_ID\":8,\"product_id\":10,\"timestamp\":\"2017-10-30\"}\n\
                {\"Customer_ID\":null,\"customer_id\":9,\"product_id\":10,\"timestamp\":\"2017-10-30\"}\n";
    let both = InputOptions {
        columns: ColumnNames {
            customer: serde_json::from_str(r#"["customer_id", "Customer_ID"]"#).unwrap(),
            ..ColumnNames::default()
        },
        ..options()
    };
    let read = read_all(&both, None, &[("a.jsonl", csv(text))]).unwrap();
    assert_eq!(read.purchases.customers(), &Ids::Integer(vec![7, 8, 9]));
    assert!(!read.warnings.join("\n").contains("Customer_ID"));
    // With one name, the other is told.
    let read = read_one("a.jsonl", csv(text)).unwrap();
    assert_eq!(read.report.anonymous, 1);
    let warnings = read.warnings.join("\n");
    assert!(
        warnings.contains("the key \"Customer_ID\", which is not read")
            && warnings.contains("--customer"),
        "{warnings}"
    );
}
