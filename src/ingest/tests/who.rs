//! Sales of nobody's, ids and placeholders.

use super::*;

fn anonymous(ids: &[&str]) -> InputOptions {
    InputOptions {
        anonymous: ids.iter().map(|id| (*id).to_owned()).collect(),
        ..options()
    }
}

#[test]
fn a_sale_without_a_customer_is_no_bad_line_and_counts_for_the_store() {
    let text = "customer_id,product_id,timestamp,quantity\n1,10,2024-03-01,1\n,11,2024-03-01,1\n#N/A,11,2024-03-01,2\n0,11,2024-03-02,1\n";
    let read = read_all(&anonymous(&["0"]), None, &[("a.csv", csv(text))]).unwrap();
    let report = &read.report;
    assert_eq!(
        (report.kept, report.anonymous, report.bad_lines()),
        (1, 3, 0)
    );
    assert!(report.balanced());
    assert_eq!(read.purchases.customers(), &Ids::Integer(vec![1]));
    assert_eq!(read.purchases.products(), &Ids::Integer(vec![10, 11]));
    let night = read.purchases.until("2024-03-01".parse().unwrap());
    let sales: Vec<(u32, u32)> = night
        .anonymous_sales()
        .iter()
        .map(|sale| (sale.product, sale.lines))
        .collect();
    assert_eq!(sales, [(1, 2)], "the sale of the next day is not known yet");
    // Without the setting, 0 is a customer.
    let read = read_all(&options(), None, &[("a.csv", csv(text))]).unwrap();
    assert_eq!(read.purchases.customers(), &Ids::Integer(vec![0, 1]));
}

#[test]
fn an_input_without_any_customer_is_refused() {
    let text = "customer_id,product_id,timestamp\n,10,2024-03-01\n-,10,2024-03-01\n";
    let error = read_all(&options(), None, &[("a.csv", csv(text))]).unwrap_err();
    assert!(error.to_string().contains("--customer"), "{error}");
}

#[test]
fn blanks_around_ids_are_no_part_of_them() {
    let text = "customer_id,product_id,timestamp\n 7,10,2024-03-01\n7 , 10,2024-03-02\n\u{a0}Anna,11,2024-03-01\n";
    let read = read_all(&options(), None, &[("a.csv", csv(text))]).unwrap();
    let customers = Ids::Text(vec!["7".into(), "Anna".into()]);
    assert_eq!(read.purchases.customers(), &customers);
    assert_eq!(read.purchases.products(), &Ids::Integer(vec![10, 11]));
}

#[test]
fn ids_that_a_spreadsheet_has_rounded_are_named() {
    for id in ["8.41003E+12", "8,41003E+12", "1E+15"] {
        let text = format!("customer_id;product_id;timestamp\n{id};10;2024-03-01\n");
        let error = read_all(&options(), None, &[("a.csv", csv(&text))])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(id) && error.contains("digits are lost"),
            "{error}"
        );
    }
    // Where a few bad lines are allowed, it is named all the same.
    let allowed = InputOptions {
        max_bad_share: 0.5,
        ..options()
    };
    let text = "customer_id,product_id,timestamp\n8.41003E+12,10,2024-03-01\n7,10,2024-03-01\n";
    let read = read_all(&allowed, None, &[("a.csv", csv(text))]).unwrap();
    let said = "1 × customer that a spreadsheet has rounded, first a.csv: row 1, column \"customer_id\": \"8.41003E+12\"";
    let warnings = read.warnings.join("\n");
    assert!(warnings.contains(said), "{warnings}");
    // An article may be called so.
    let text = "customer_id,product_id,timestamp\n1,12E4,2024-03-01\n";
    let read = read_all(&options(), None, &[("a.csv", csv(text))]).unwrap();
    assert_eq!(read.purchases.products(), &Ids::Text(vec!["12E4".into()]));
}

#[test]
fn rows_are_chosen_and_columns_have_several_names() {
    let options = InputOptions {
        filters: vec![RowFilter::parse("status=paid,sent", "--where").unwrap()],
        columns: ColumnNames {
            customer: serde_json::from_str(r#"["CustomerID", "Customer ID"]"#).unwrap(),
            ..ColumnNames::default()
        },
        ..options()
    };
    let one =
        "CustomerID,product_id,timestamp,status\n1,10,2024-03-01,paid\n2,10,2024-03-01,open\n";
    let other = "status,Customer ID,product_id,timestamp\nsent,3,10,2024-03-01\n,4,10,2024-03-01\n";
    let read = read_all(
        &options,
        None,
        &[("a.csv", csv(one)), ("b.csv", csv(other))],
    )
    .unwrap();
    assert_eq!(read.purchases.customers(), &Ids::Integer(vec![1, 3]));
    assert_eq!((read.report.filtered, read.report.lines_read), (2, 4));
    assert!(read.report.balanced());
    let missing = read_all(
        &options,
        None,
        &[("a.csv", csv("CustomerID,product_id,timestamp\n"))],
    );
    let error = missing.unwrap_err().to_string();
    assert!(
        error.contains("\"status\"") && error.contains("--where"),
        "{error}"
    );
}

#[test]
fn the_same_columns_of_parquet_are_read_cell_by_cell() {
    let file = parquet(vec![
        Column::new("customer_id".into(), [Some(1_i64), Some(2), None, Some(4)]),
        Column::new("product_id".into(), [10_i64; 4]),
        text_column("timestamp", &["2024-03-01"; 4]),
        Column::new("is_test".into(), [false, true, false, false]),
    ]);
    let options = InputOptions {
        filters: vec![RowFilter::parse("is_test!=true", "--where").unwrap()],
        ..options()
    };
    let read = read_all(&options, None, &[("a.parquet", file)]).unwrap();
    assert_eq!(read.purchases.customers(), &Ids::Integer(vec![1, 4]));
    assert_eq!((read.report.filtered, read.report.anonymous), (1, 1));
}

#[test]
fn folders_give_columns() {
    let options = InputOptions {
        columns: ColumnNames {
            time: "date".into(),
            ..ColumnNames::default()
        },
        ..options()
    };
    let text = "customer_id,product_id\n1,10\n";
    let objects = [
        ("t/date=2024-03-01/a.csv", csv(text)),
        ("t/year=2024/month=3/day=2/a.csv", csv(text)),
    ];
    let read = read_all(&options, None, &objects).unwrap();
    let span = read.purchases.span().unwrap();
    assert_eq!(
        (span.first.to_string(), span.last.to_string()),
        ("2024-03-01".to_owned(), "2024-03-02".to_owned())
    );
    let error = read_all(&options, None, &[("a.csv", csv(text))]).unwrap_err();
    assert!(error.to_string().contains("\"date\""), "{error}");
}

/// 30 customers who come every fifth day, and one card that buys ten products every day.
fn tickets_with_a_shared_card(card: &str) -> String {
    let mut text = String::from("customer_id,product_id,timestamp\n");
    for day in 0..60_i32 {
        let date = Day::from_epoch(19_800 + day);
        for customer in (0..30).filter(|customer| (day + customer) % 5 == 0) {
            text.push_str(&format!("{},{},{date}\n", 100 + customer, customer));
        }
        for product in 0..10 {
            text.push_str(&format!("{card},{product},{date}\n"));
        }
    }
    text
}

#[test]
fn a_shared_card_is_left_out_unless_someone_keeps_it() {
    let text = tickets_with_a_shared_card("9");
    let read = read_all(&options(), None, &[("a.csv", csv(&text))]).unwrap();
    assert_eq!(read.purchases.customers().len(), 30);
    assert_eq!(read.purchases.customers().code("9"), None);
    let suspects = &read.report.suspects;
    assert_eq!(suspects.len(), 1);
    assert_eq!((&*suspects[0].customer, suspects[0].lines), ("9", 600));
    assert!(read.report.balanced() && read.report.repeated == 0);
    assert!(
        read.warnings
            .iter()
            .any(|warning| warning.contains("--keep-customer 9")),
        "{:?}",
        read.warnings
    );
    let kept = InputOptions {
        keep_customers: vec!["9".into()],
        ..options()
    };
    let read = read_all(&kept, None, &[("a.csv", csv(&text))]).unwrap();
    assert_eq!(read.purchases.customers().len(), 31);
    assert!(read.report.suspects.is_empty());
}

#[test]
fn a_customer_to_keep_is_named_as_the_data_write_it() {
    let text = tickets_with_a_shared_card("9");
    let keep = |id: &str| {
        let options = InputOptions {
            keep_customers: vec![id.into()],
            ..options()
        };
        let read = read_all(&options, None, &[("a.csv", csv(&text))]).unwrap();
        let unknown = "which --keep-customer names";
        let is_unknown = read
            .warnings
            .iter()
            .any(|warning| warning.contains(unknown));
        (read.report.suspects.len(), is_unknown)
    };
    assert_eq!(keep("9"), (0, false));
    assert_eq!(
        keep("009"),
        (1, true),
        "one way for the card and for the warning"
    );
}

#[test]
fn a_card_that_is_written_in_two_ways_is_left_out_too() {
    let text = tickets_with_a_shared_card("9").replace("\n100,", "\n100.0,");
    let read = read_all(
        &options(),
        None,
        &[
            ("a.csv", csv(&text)),
            (
                "b.csv",
                csv("customer_id,product_id,timestamp\n100,1,2024-04-01\n"),
            ),
        ],
    )
    .unwrap();
    assert_eq!(read.purchases.customers().len(), 30);
    assert_eq!(read.report.suspects.len(), 1);
}

#[test]
fn ids_that_are_alike_are_warned_of() {
    let text = "customer_id,product_id,timestamp\nab1,10,2024-03-01\nAB1,010,2024-03-01\n";
    let read = read_all(
        &options(),
        None,
        &[
            ("a.csv", csv(text)),
            (
                "b.csv",
                csv("customer_id,product_id,timestamp\nx,10,2024-03-01\n"),
            ),
        ],
    )
    .unwrap();
    let warned = |what: &str| read.warnings.iter().any(|warning| warning.contains(what));
    assert!(warned("\"ab1\" and \"AB1\""), "{:?}", read.warnings);
    assert!(warned("\"10\" and \"010\""), "{:?}", read.warnings);
}

/// Lines of 40 customers on 5 days: `quantity` makes each of the customer's number.
fn tickets(quantity: impl Fn(u32) -> u32) -> Vec<u8> {
    let mut text = "customer_id,product_id,timestamp,quantity\n".to_owned();
    for day in 1..=5 {
        for customer in 1..=40 {
            let quantity = quantity(customer);
            text.push_str(&format!(
                "{customer},{},2017-10-0{day},{quantity}\n",
                customer % 9
            ));
        }
    }
    text.into_bytes()
}

#[test]
fn many_quantities_of_0_are_warned_of() {
    let warnings = |content: Vec<u8>| {
        let read = read_all(&options(), None, &[("a.csv", content)]).unwrap();
        (read.report.returned, read.warnings.join("\n"))
    };
    let (returned, said) = warnings(tickets(|customer| u32::from(customer % 4 > 0)));
    assert_eq!(returned, 50, "a sale with quantity 0 is no sale");
    let expected = "50 of 200 lines (25.0 %) have a quantity of 0: they count as returned";
    assert!(said.contains(expected), "{said}");
    let (_, said) = warnings(tickets(|customer| u32::from(customer != 7)));
    assert!(!said.contains("quantity of 0"), "a slip: {said}");
}

#[test]
fn a_filter_that_meets_no_line_is_named() {
    let options = InputOptions {
        filters: vec![RowFilter::parse("quantity=7", "--where").unwrap()],
        ..options()
    };
    let read = read_all(&options, None, &[("a.csv", tickets(|_| 1))]).unwrap();
    let night = "the as-of date 2017-10-05";
    let message = read.report.out_of_reach(night).to_string();
    assert!(
        message.contains("--where leaves out all 200 lines"),
        "{message}"
    );
    let all = read_all(&super::options(), None, &[("a.csv", tickets(|_| 1))]).unwrap();
    let message = all.report.out_of_reach(night).to_string();
    assert!(!message.contains("--where"), "{message}");
}

#[test]
fn a_form_that_reads_no_time_is_named_with_those_that_do() {
    let text = "customer_id,product_id,timestamp\n1,2,13/03/2025\n";
    let hint = |form: &str| {
        let options = InputOptions {
            time_format: Some(form.parse().unwrap()),
            ..options()
        };
        read_all(&options, None, &[("a.csv", csv(text))])
            .unwrap_err()
            .to_string()
    };
    let refused = hint("month-first");
    assert!(
        refused.contains("not in the form that --time-format names: give --time-format day-first,"),
        "{refused}"
    );
    let refused = hint("%Y-%m-%d");
    assert!(
        refused.contains("give --time-format day-first,"),
        "{refused}"
    );
}

#[test]
fn a_filter_value_that_no_row_has_is_told() {
    let text =
        "customer_id,product_id,timestamp,type\n1,10,2024-03-01,VOID\n2,10,2024-03-01,SALE\n";
    let with = |filters: &[&str], returns: &[&str]| {
        let parsed = |texts: &[&str]| {
            let parse = |text: &&str| RowFilter::parse(text, "--where").unwrap();
            texts.iter().map(parse).collect()
        };
        let options = InputOptions {
            filters: parsed(filters),
            returns: parsed(returns),
            ..options()
        };
        read_all(&options, None, &[("a.csv", csv(text))]).unwrap()
    };
    let read = with(&["type!=Void"], &["type=void,SALE"]);
    let warnings = read.warnings.join("\n");
    for part in [
        "no row that was read has \"Void\" in the column \"type\", which --where names; other values are \"VOID\", \"SALE\"",
        "no row that was read has \"void\" in the column \"type\", which --returns names; other values are \"VOID\"",
    ] {
        assert!(warnings.contains(part), "{part:?} is not in {warnings}");
    }
    let right = with(&["type!=VOID"], &[]).warnings.join("\n");
    assert!(!right.contains("no row that was read"), "{right}");
    let none = with(&["type=Sale"], &[]);
    let error = none.report.out_of_reach("2024-03-02").to_string();
    assert!(
        error.contains("--where leaves out all 2 lines") && error.contains("\"SALE\""),
        "{error}"
    );
}

#[test]
fn a_customer_whom_nobody_has_is_told() {
    let named = InputOptions {
        anonymous: vec!["0".into(), "99".into(), "N/A".into()],
        keep_customers: vec!["1".into(), "88".into()],
        ..options()
    };
    let text = "customer_id,product_id,timestamp\n1,10,2024-03-01\n0,10,2024-03-01\n";
    let warnings = read_all(&named, None, &[("a.csv", csv(text))]).unwrap();
    let warnings = warnings.warnings.join("\n");
    for part in [
        "customers \"99\", which --anonymous names",
        "customers \"88\", which --keep-customer names",
    ] {
        assert!(warnings.contains(part), "{part:?} is not in {warnings}");
    }
}

#[test]
fn filters_compare_numbers_as_numbers() {
    let file = parquet(vec![
        Column::new("customer_id".into(), [1_i64, 2, 3]),
        Column::new("product_id".into(), [10_i64; 3]),
        text_column("timestamp", &["2024-03-01"; 3]),
        Column::new("store".into(), [1.0_f64, 2.0, 3.0]),
        Column::new("till".into(), [1_i64, 2, 3]),
        Column::new("is_open".into(), [true, true, false]),
    ]);
    for (filter, kept) in [
        ("store=1.0,2", vec![1, 2]),
        ("till=01,3", vec![1, 3]),
        ("is_open=True", vec![1, 2]),
    ] {
        let options = InputOptions {
            filters: vec![RowFilter::parse(filter, "--where").unwrap()],
            ..options()
        };
        let read = read_all(&options, None, &[("a.parquet", file.clone())]).unwrap();
        assert_eq!(read.purchases.customers(), &Ids::Integer(kept), "{filter}");
        assert!(!read.warnings.join("\n").contains("no row"), "{filter}");
    }
}

#[test]
fn ids_that_32_bit_floats_have_rounded_are_refused() {
    let file = parquet(vec![
        Column::new("customer_id".into(), [20_000_001_f32, 20_000_003_f32]),
        Column::new("product_id".into(), [10_i64; 2]),
        text_column("timestamp", &["2024-03-01"; 2]),
    ]);
    let error = read_all(&options(), None, &[("a.parquet", file)]).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("customer that 32-bit floats have rounded") && error.contains("BIGINT"),
        "{error}"
    );
}

/// Every reader refuses ids that could steer a terminal, by name, and goes on with the others.
#[test]
fn ids_with_control_characters_are_bad_lines() {
    let (bell, nul) = ("C\u{7}1", "P\u{0}1");
    let comma = format!(
        "customer_id,product_id,timestamp\n{bell},P2,2024-03-01\nC2,{nul},2024-03-01\nC2,P2,2024-03-01\n"
    );
    let json = "{\"customer_id\":\"C\\u00071\",\"product_id\":\"P2\",\"timestamp\":\"2024-03-01\"}\n\
                {\"customer_id\":\"C2\",\"product_id\":\"P\\u00001\",\"timestamp\":\"2024-03-01\"}\n\
                {\"customer_id\":\"C2\",\"product_id\":\"P2\",\"timestamp\":\"2024-03-01\"}\n";
    let columns = vec![
        Column::new("customer_id".into(), [bell, "C2", "C2"]),
        Column::new("product_id".into(), ["P2", nul, "P2"]),
        Column::new("timestamp".into(), ["2024-03-01"; 3]),
    ];
    let files = [
        ("a.csv", csv(&comma)),
        ("a.jsonl", csv(json)),
        ("a.parquet", parquet(columns)),
    ];
    let lenient = InputOptions {
        max_bad_share: 0.9,
        ..options()
    };
    for file in files {
        let name = file.0;
        let read = read_all(&lenient, None, &[file]).unwrap();
        let bad: Vec<(RejectReason, String)> = read
            .report
            .rejects
            .iter()
            .map(|rejects| (rejects.reason, rejects.first[0].to_string()))
            .collect();
        assert_eq!(
            bad,
            [
                (
                    RejectReason::ControlCustomer,
                    format!("{name}: row 1, column \"customer_id\": \"C\\u{{7}}1\"")
                ),
                (
                    RejectReason::ControlProduct,
                    format!("{name}: row 2, column \"product_id\": \"P\\u{{0}}1\"")
                ),
            ],
            "{name}"
        );
        assert_eq!(read.purchases.customers(), &Ids::Text(vec!["C2".into()]));
        assert_eq!(read.purchases.products(), &Ids::Text(vec!["P2".into()]));
    }
}
