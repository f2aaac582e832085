//! Types, ids, times and layouts.

use super::*;

const SMALL_INTEGERS: &[u8] = include_bytes!("fixtures/small_integers.parquet");
const LARGE_INTEGERS: &[u8] = include_bytes!("fixtures/large_integers.parquet");
const CATEGORIES: &[u8] = include_bytes!("fixtures/categories.parquet");
const DECIMALS: &[u8] = include_bytes!("fixtures/decimals.parquet");
const BINARY: &[u8] = include_bytes!("fixtures/binary.parquet");
const NESTED: &[u8] = include_bytes!("fixtures/nested.parquet");
const NO_ROWS: &[u8] = include_bytes!("fixtures/no_rows.parquet");
const NULLS: &[u8] = include_bytes!("fixtures/nulls.parquet");
/// The same 3,000 lines, some with nulls, in three groups of small pages: values as they are,
/// positions in a dictionary in both versions of pages, and positions up to where the dictionary
/// was full.
pub(super) const PAGES: [(&str, &[u8]); 4] = [
    ("plain", include_bytes!("fixtures/pages_plain.parquet")),
    ("indexed", include_bytes!("fixtures/pages_indexed.parquet")),
    (
        "indexed, version 2",
        include_bytes!("fixtures/pages_indexed_v2.parquet"),
    ),
    ("mixed", include_bytes!("fixtures/pages_mixed.parquet")),
];

fn lenient() -> InputOptions {
    InputOptions {
        max_bad_share: 1.0,
        ..options()
    }
}

#[test]
fn integers_of_every_width_stay_integers() {
    let read = read_all(&options(), None, &[("a.parquet", SMALL_INTEGERS.to_vec())]).unwrap();
    assert_eq!(
        spelled_out(&read.purchases),
        ["7 2017-10-30 -10", "7 2017-10-30 11"]
    );
    assert_eq!(
        (read.purchases.customers(), read.report.returned),
        (&Ids::Integer(vec![7]), 1)
    );
}

#[test]
fn unsigned_integers_beyond_i64_become_text() {
    let read = read_all(&options(), None, &[("a.parquet", LARGE_INTEGERS.to_vec())]).unwrap();
    assert_eq!(
        read.purchases.customers(),
        &Ids::Text(vec!["18446744073709551615".into(), "7".into()])
    );
    assert_eq!(
        read.purchases.products(),
        &Ids::Integer(vec![10, 11, 4_294_967_295])
    );
}

#[test]
fn categories_zones_and_float_quantities_of_pandas_are_read() {
    let clock = StoreClock::new("America/New_York", false, 0).unwrap();
    let read = read_all(
        &InputOptions { clock, ..lenient() },
        None,
        &[("a.parquet", CATEGORIES.to_vec())],
    )
    .unwrap();
    assert_eq!(
        spelled_out(&read.purchases),
        ["a 2017-10-30 11", "b 2017-10-30 10"]
    );
    assert_eq!(
        places(&read.report)[0],
        ["a.parquet: row 3, column \"quantity\": null"]
    );
}

#[test]
fn bytes_are_text_if_they_are_utf8() {
    let read = read_all(&lenient(), None, &[("a.parquet", BINARY.to_vec())]).unwrap();
    assert_eq!(
        (
            read.report.kept,
            read.report.anonymous,
            read.report.rejects.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(
        read.purchases.products(),
        &Ids::Text(vec!["7".into(), "9".into()])
    );
}

#[test]
fn values_and_positions_in_a_dictionary_are_read_alike() {
    let read = PAGES.map(|(what, content)| {
        let read = read_all(
            &lenient(),
            Some("2017-03-01"),
            &[("a.parquet", content.to_vec())],
        )
        .unwrap();
        (
            what,
            spelled_out(&read.purchases),
            read.report.to_string(),
            read.report.causes(),
        )
    });
    let (_, lines, report, bad) = &read[0];
    assert!(
        lines.len() > 1_500 && bad.contains("row 1001, column"),
        "{} lines, {bad}",
        lines.len()
    );
    for (what, other, other_report, other_bad) in &read[1..] {
        assert_eq!(
            (other, other_report, other_bad),
            (lines, report, bad),
            "{what}"
        );
    }
}

#[test]
fn every_type_is_read_alike_as_values_and_as_positions() {
    let plain: &[u8] = include_bytes!("fixtures/types_plain.parquet");
    let others: [&[u8]; 2] = [
        include_bytes!("fixtures/types_indexed.parquet"),
        include_bytes!("fixtures/types_int96.parquet"),
    ];
    let read = |customer: &str, time: &str, content: &[u8]| {
        let columns = ColumnNames {
            customer: customer.into(),
            product: "product".into(),
            time: time.into(),
            ..ColumnNames::default()
        };
        let read = read_all(
            &InputOptions {
                columns,
                ..lenient()
            },
            None,
            &[("a.parquet", content.to_vec())],
        )
        .unwrap();
        (spelled_out(&read.purchases), format!("{:?}", read.report))
    };
    for customer in ["u32", "u64", "i16", "f32", "f64", "binary", "text"] {
        for time in ["ms", "us", "ns", "date", "day"] {
            let expected = read(customer, time, plain);
            assert!(expected.0.len() > 40, "{customer} {time}: {expected:?}");
            // The former type of timestamps has no zone.
            for content in others
                .iter()
                .filter(|content| time != "us" || content.len() == others[0].len())
            {
                assert_eq!(read(customer, time, content), expected, "{customer} {time}");
            }
        }
    }
}

#[test]
fn types_that_are_no_id_are_named_with_a_way_out() {
    let error = |content: &[u8]| {
        read_all(&options(), None, &[("a.parquet", content.to_vec())])
            .unwrap_err()
            .to_string()
    };
    let decimals = read_all(&options(), None, &[("a.parquet", DECIMALS.to_vec())]).unwrap();
    assert_eq!(decimals.purchases.customers(), &Ids::Integer(vec![7]));
    let nested = error(NESTED);
    assert!(
        nested.contains("column \"customer_id\": its type is a ")
            && nested.contains("in DuckDB: COPY (SELECT * EXCLUDE (\"customer_id\")")
            && nested.contains("--customer"),
        "{nested}"
    );
    assert!(
        error(NULLS).contains("none of the 2 lines has a customer"),
        "{}",
        error(NULLS)
    );
}

#[test]
fn a_file_without_rows_is_empty_and_harmless() {
    assert!(
        read_all(&options(), None, &[("a.parquet", NO_ROWS.to_vec())])
            .unwrap_err()
            .to_string()
            .contains("no lines")
    );
    let read = read_all(
        &options(),
        None,
        &[
            ("a.parquet", NO_ROWS.to_vec()),
            ("b.csv", csv(TEXT)),
            ("c.csv", vec![]),
        ],
    )
    .unwrap();
    assert_eq!(
        (
            read.report.objects,
            read.report.empty_objects,
            read.report.kept
        ),
        (3, 2, 3)
    );
    assert_eq!(
        read.warnings,
        ["2 objects have no lines, for example a.parquet"]
    );
}

#[test]
fn floats_that_are_whole_are_integers_and_others_are_bad() {
    let file = parquet(vec![
        Column::new(
            "customer_id".into(),
            [
                Some(7.0),
                Some(1e17),
                Some(f64::INFINITY),
                Some(0.5),
                Some(f64::NAN),
                None,
            ],
        ),
        Column::new("product_id".into(), [1_i64; 6]),
        text_column("timestamp", &["2017-10-30"; 6]),
    ]);
    let read = read_all(&lenient(), None, &[("a.parquet", file)]).unwrap();
    assert_eq!(read.purchases.customers(), &Ids::Integer(vec![7]));
    let rejects = read.report.rejects.iter();
    let counts: Vec<u64> = rejects.map(|rejects| rejects.lines).collect();
    assert_eq!((counts, read.report.anonymous), (vec![3], 2));
}

#[test]
fn objects_may_differ_in_order_types_and_separators() {
    let dates = parquet(vec![
        text_column("other", &["x"]),
        Column::new("timestamp".into(), [17_470_i32])
            .cast(&DataType::Date)
            .unwrap(),
        Column::new("product_id".into(), [10_i64]),
        Column::new("customer_id".into(), [8_i64]),
    ]);
    let tabs = "timestamp\tcustomer_id\tquantity\tproduct_id\n2017-10-30\t7\t1\t10\n2017-10-30\t7\t0.5\t11\n";
    let read = read_all(
        &options(),
        None,
        &[("a.csv", csv(tabs)), ("b.parquet", dates)],
    )
    .unwrap();
    assert_eq!(spelled_out(&read.purchases), LINES);
    assert_eq!(
        read.warnings,
        [
            "1 of 2 objects have no column \"quantity\", the first is b.parquet: all of their lines count as sales"
        ]
    );
}

#[test]
fn every_unit_of_time_is_the_same_instant() {
    let clock = StoreClock::new("America/New_York", true, 4).unwrap();
    let options = InputOptions { clock, ..options() };
    let instant = 1_509_436_799_i64; // 2017-10-31T07:59:59Z: 3:59:59 in New York, so still the 30th where the day starts at 4
    for (unit, factor) in [
        (TimeUnit::Milliseconds, 1_000),
        (TimeUnit::Microseconds, 1_000_000),
        (TimeUnit::Nanoseconds, 1_000_000_000),
    ] {
        for zone in [None, Some(TimeZone::UTC)] {
            let file = parquet(vec![
                Column::new("customer_id".into(), [1_i64, 1]),
                Column::new("product_id".into(), [1_i64, 1]),
                Column::new(
                    "timestamp".into(),
                    [instant * factor, (instant + 1) * factor],
                )
                .cast(&DataType::Datetime(unit, zone.clone()))
                .unwrap(),
            ]);
            let read = read_all(&options, None, &[("a.parquet", file)]).unwrap();
            assert_eq!(
                spelled_out(&read.purchases),
                ["1 2017-10-30 1", "1 2017-10-31 1"],
                "{unit:?} {zone:?}"
            );
        }
    }
}

#[test]
fn unambiguous_times_may_mix_in_one_file_and_contradictory_ones_are_bad() {
    let text = "customer_id,product_id,timestamp\n1,1,2017-10-30\n1,2,2017/10/30 08:00\n1,3,2017-10-30T08:00:00Z\n1,4,30/10/2017\n1,5,10-30-2017\n1,6,1509350400\n";
    let error = read_all(&options(), None, &[("a.csv", csv(text))])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(
            "1 × only day-first, first a.csv: row 4, column \"timestamp\": \"30/10/2017\""
        )
    );
    assert!(
        error.contains("1 × only month-first, first a.csv: row 5"),
        "{error}"
    );
    assert_eq!(
        read_all(&lenient(), None, &[("a.csv", csv(text))])
            .unwrap()
            .report
            .kept,
        3
    );
}

#[test]
fn the_words_for_nothing_are_nulls() {
    let text = "customer_id,product_id,timestamp,quantity\nNULL,1,2017-10-30,1\n1,NA,2017-10-30,1\n1,1,NULL,1\n1,1,2017-10-30,NaN\n1,1,\\N,1\n";
    let report = read_all(&lenient(), None, &[("a.csv", csv(text))])
        .unwrap()
        .report;
    let reasons: Vec<(RejectReason, u64)> = report
        .rejects
        .iter()
        .map(|rejects| (rejects.reason, rejects.lines))
        .collect();
    assert_eq!(
        reasons,
        [
            (RejectReason::NullTime, 2),
            (RejectReason::NullProduct, 1),
            (RejectReason::NullQuantity, 1)
        ]
    );
    assert_eq!((report.anonymous, report.kept), (1, 0));
}

#[test]
fn quantities_may_have_a_decimal_comma_where_fields_are_not_separated_by_one() {
    let text = "customer_id;product_id;timestamp;quantity\n1;1;2017-10-30;1,5\n1;2;2017-10-30;-0,5\n1;3;2017-10-30;1,5,0\n";
    let report = read_all(&lenient(), None, &[("a.csv", csv(text))])
        .unwrap()
        .report;
    assert_eq!(
        (report.kept, report.returned, report.bad_lines()),
        (1, 1, 1)
    );
}

#[test]
fn excluded_products_match_as_they_are_written() {
    let text = "customer_id,product_id,timestamp\n1,7,2017-10-30\n1,007,2017-10-30\n1,bag,2017-10-30\n1,8,2017-10-30\n";
    let options = InputOptions {
        exclude_products: vec!["7".into(), "bag".into()],
        ..options()
    };
    let read = read_all(&options, None, &[("a.csv", csv(text))]).unwrap();
    assert_eq!(
        (read.purchases.products(), read.report.excluded),
        (&Ids::Text(vec!["007".into(), "8".into()]), 2)
    );
}

#[test]
fn integers_that_one_file_writes_like_floats_are_one_with_those_of_another() {
    let floats = "customer_id,product_id,timestamp,quantity\n7.0,10.0,2017-10-30,1\n8.0,10.0,2017-10-31,1\n8.0,99.0,2017-10-31,1\n";
    let integers =
        "customer_id,product_id,timestamp,quantity\n7,11,2017-10-30,1\n7,10,2017-10-30,1\n";
    let options = InputOptions {
        exclude_products: vec!["99".into()],
        ..options()
    };
    let read = read_all(
        &options,
        None,
        &[("a.csv", csv(floats)), ("b.csv", csv(integers))],
    )
    .unwrap();
    assert_eq!(
        (spelled_out(&read.purchases), &read.warnings),
        (LINES.map(str::to_owned).to_vec(), &vec![])
    );
    assert_eq!(
        (read.purchases.customers(), read.purchases.products()),
        (&Ids::Integer(vec![7, 8]), &Ids::Integer(vec![10, 11]))
    );
    assert_eq!(
        (
            read.report.kept,
            read.report.excluded,
            read.report.repeated,
            read.report.balanced()
        ),
        (4, 1, 1, true)
    );
    // Beside other text they stay what they are, and 99.0 is not 99.
    let read = read_all(
        &options,
        None,
        &[("a.csv", csv(&format!("{floats}x,y,2017-10-31,1\n")))],
    )
    .unwrap();
    assert_eq!(
        read.purchases.products(),
        &Ids::Text(vec!["10.0".into(), "99.0".into(), "y".into()])
    );
    assert_eq!((read.report.kept, read.report.excluded), (4, 0));
    assert!(
        read.warnings[0].contains("2 customer ids are written like floats, for example \"7.0\""),
        "{:?}",
        read.warnings
    );
    assert_eq!(
        read.warnings[2],
        "no sale is of the excluded products \"99\": ids are compared as the data write them"
    );
}

#[test]
fn integers_in_one_object_and_text_in_another_are_warned_of() {
    let text = parquet(vec![
        text_column("customer_id", &["7", "9"]),
        Column::new("product_id".into(), [10_i64, 11]),
        text_column("timestamp", &["2017-10-30", "2017-10-31"]),
        Column::new("quantity".into(), [1_i64, 1]),
    ]);
    let read = read_all(
        &options(),
        None,
        &[
            ("a.csv", csv(TEXT)),
            ("b.parquet", text),
            ("c.csv", csv(TEXT)),
        ],
    )
    .unwrap();
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    assert!(
        read.warnings[0]
            .starts_with("the customer ids are integers in a.csv and text in b.parquet: all are"),
        "{:?}",
        read.warnings
    );
    // One object that has both is text throughout.
    let read = read_all(
        &options(),
        None,
        &[("a.csv", csv(&format!("{TEXT}007,10,2017-10-31,1,b\n")))],
    )
    .unwrap();
    assert_eq!(read.warnings.len(), 1, "{:?}", read.warnings);
    assert!(
        read.warnings[0].contains("\"7\" and \"007\""),
        "{:?}",
        read.warnings
    );
}

#[test]
fn excluded_products_that_no_line_has_are_told() {
    let list = ["10", "010", "bag", "12", "13", "14", "15"]
        .map(str::to_owned)
        .to_vec();
    let read = read_all(
        &InputOptions {
            exclude_products: list,
            ..options()
        },
        None,
        &[("a.csv", csv(TEXT))],
    )
    .unwrap();
    assert_eq!(read.report.excluded, 2);
    let shown = "\"010\", \"12\", \"13\", \"14\", \"15\" and 1 more";
    assert_eq!(
        read.warnings,
        [format!(
            "no sale is of the excluded products {shown}: ids are compared as the data write them"
        )]
    );
}

#[test]
fn lines_after_the_as_of_date_change_nothing_but_their_count() {
    let known = "customer_id,product_id,timestamp,quantity\n1,10,2017-10-30,1\n2,11,2017-10-31,1\n";
    let later = [
        "3,12,2017-11-01,1\n1,10,2017-11-02,1\n",
        "x,,2017-11-01,-1\n,007,2017-12-24T00:00:00Z,many\n", // ids of another type, bad in every other way
    ];
    let read = |later: &str| {
        read_all(
            &options(),
            Some("2017-10-31"),
            &[("a.csv", csv(&format!("{known}{later}")))],
        )
        .unwrap()
    };
    let (one, other) = (read(later[0]), read(later[1]));
    assert_eq!(one.purchases, read("").purchases);
    assert_eq!(
        (&one.purchases, &one.report),
        (
            &other.purchases,
            &Report {
                first_after: one.report.first_after,
                ..other.report.clone()
            }
        )
    );
    assert_eq!(
        serde_json::to_string(&one.report).unwrap(),
        serde_json::to_string(&other.report).unwrap()
    );
    assert_eq!(one.report.after_as_of, 2);
}

#[test]
fn lines_before_the_needed_history_change_nothing_but_their_count() {
    let known = "customer_id,product_id,timestamp,quantity\n1,10,2017-10-30,1\n2,11,2017-10-31,1\n";
    let earlier = [
        "3,12,2017-10-29,1\n1,10,2016-10-30,1\n",
        "x,,2017-10-29,-1\n,007,2016-12-24T00:00:00Z,many\n",
    ];
    let days = NeededDays::up_to("2017-10-31".parse().unwrap(), 2);
    let read = |earlier: &str| {
        read_days(
            &options(),
            days,
            &[("a.csv", csv(&format!("{known}{earlier}")))],
        )
        .unwrap()
    };
    let (one, other) = (read(earlier[0]), read(earlier[1]));
    assert_eq!(one.purchases, read("").purchases);
    assert_eq!(
        (&one.purchases, &one.report),
        (&other.purchases, &other.report)
    );
    assert!(
        one.report.balanced() && one.report.before_history == 2,
        "{:?}",
        one.report
    );
    assert_eq!(
        one.report.to_string(),
        "4 lines read = 2 kept + 2 longer ago than history_days"
    );
}

#[test]
fn all_missing_columns_are_named_at_once() {
    let error = read_all(
        &options(),
        None,
        &[(
            "a.csv",
            csv("household_id,Product_ID,day,quantity\n1,1,2017-10-30,1\n"),
        )],
    )
    .unwrap_err();
    let message = error.to_string();
    assert!(message.starts_with("a.csv: there is no column \"customer_id\", \"product_id\", \"timestamp\"; the columns are"), "{message}");
    assert!(
        message.contains("for \"product_id\" the nearest is \"Product_ID\": --product Product_ID"),
        "{message}"
    );
    let twice = "customer_id,customer_id,product_id,timestamp\n1,1,1,2017-10-30\n";
    assert!(
        read_all(&options(), None, &[("a.csv", csv(twice))])
            .unwrap_err()
            .to_string()
            .contains("stands there twice")
    );
}

#[test]
fn a_column_that_has_a_role_or_is_too_unlike_is_not_proposed() {
    let message = |header: &str, columns: ColumnNames| {
        let options = InputOptions {
            columns,
            ..options()
        };
        read_all(
            &options,
            None,
            &[("a.csv", csv(&format!("{header}\n1,1,1\n")))],
        )
        .unwrap_err()
        .to_string()
    };
    let error = message(
        "id_of_customer,product_id,timestamp",
        ColumnNames {
            product: "product".into(),
            ..ColumnNames::default()
        },
    );
    assert!(
        !error.contains("--product timestamp") && error.contains("--product product_id"),
        "{error}"
    );
    let customer = ColumnNames {
        customer: "product_id".into(),
        ..ColumnNames::default()
    };
    let error = message(
        "a,product_id,w",
        ColumnNames {
            product: "product_ids".into(),
            ..customer
        },
    );
    assert!(
        error.contains("hint: name the columns with --product, --time"),
        "{error}"
    );
    let error = message("customer id,product_id,timestamp", ColumnNames::default());
    assert!(
        error.contains("the nearest is \"customer id\": --customer 'customer id'\n"),
        "{error}"
    );
}

#[test]
fn a_header_in_another_encoding_is_told() {
    let latin = |name: &[u8]| {
        [
            name,
            b",customer_id,product_id,timestamp\n1,1,1,2017-10-30\n",
        ]
        .concat()
    };
    let columns = ColumnNames {
        customer: "Käufer".into(),
        ..ColumnNames::default()
    };
    let named = InputOptions {
        columns,
        ..options()
    };
    let error = read_all(&named, None, &[("a.csv", latin(b"K\xe4ufer"))])
        .unwrap_err()
        .to_string();
    assert!(
        error
            == "a.csv: the header line is not UTF-8\nhint: in cp1252 it has the columns: --encoding cp1252",
        "{error}"
    );
    let told = InputOptions {
        encoding: Some("cp1252".into()),
        ..named
    };
    let read = read_all(&told, None, &[("a.csv", latin(b"K\xe4ufer"))]).unwrap();
    assert_eq!(read.report.kept, 1);
    assert_eq!(
        read_all(&options(), None, &[("a.csv", latin(b"K\xe4ufer"))])
            .unwrap()
            .report
            .kept,
        1
    );
}

#[test]
fn ids_with_a_decimal_comma_are_warned_of() {
    let text = "customer_id,product_id,timestamp,quantity\n\"7,0\",1,2017-10-30,1\n";
    let read = read_all(&options(), None, &[("a.csv", csv(text))]).unwrap();
    assert!(
        read.warnings[0].starts_with("1 customer ids have a decimal comma, for example \"7,0\""),
        "{:?}",
        read.warnings
    );
}

#[test]
fn a_column_that_stands_twice_in_parquet_is_named() {
    let file = parquet(vec![
        Column::new("customer_id".into(), [7_i64]),
        Column::new("product_id".into(), [10_i64]),
        Column::new("product_ix".into(), [11_i64]),
        text_column("timestamp", &["2017-10-30"]),
    ]);
    let mut twice = file.clone();
    for at in 0..file.len() {
        if file[at..].starts_with(b"product_ix") {
            twice[at + 9] = b'd';
        }
    }
    let error = read_all(&options(), None, &[("a.parquet", twice)]).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("a.parquet: column \"product_id\": the column stands there twice\nhint: name the columns of the export apart"),
        "{error}"
    );
}

#[test]
fn a_column_that_may_have_the_quantities_is_named() {
    let warning = |header: &str| {
        let text = format!("{header}\n1,1,2017-10-30,1\n");
        let read = read_all(&options(), None, &[("a.csv", csv(&text))]).unwrap();
        read.warnings.concat()
    };
    for (column, flag) in [
        ("Quantity", "--quantity Quantity"),
        ("qty", "--quantity qty"),
        ("Menge", "--quantity Menge"),
    ] {
        let warning = warning(&format!("customer_id,product_id,timestamp,{column}"));
        assert!(
            warning.starts_with("there is no column \"quantity\": all lines count as sales")
                && warning.ends_with(&format!("the nearest is \"{column}\": {flag}")),
            "{warning}"
        );
    }
    let warning = warning("customer_id,product_id,timestamp,colour");
    assert!(
        warning.ends_with("name the column with --quantity"),
        "{warning}"
    );
    let with = csv("customer_id,product_id,timestamp,quantity\n1,1,2017-10-30,1\n");
    let like = csv("customer_id,product_id,timestamp,Qty\n1,1,2017-10-30,1\n");
    let read = read_all(&options(), None, &[("a.csv", with), ("b.csv", like)]).unwrap();
    assert!(
        read.warnings
            .concat()
            .contains("quantity = [\"quantity\", \"Qty\"] under [columns]"),
        "{:?}",
        read.warnings
    );
}

#[test]
fn data_without_a_quantity_are_warned_of_once() {
    let text = "customer_id,product_id,timestamp\n1,1,2017-10-30\n";
    let read = read_all(
        &options(),
        None,
        &[("a.csv", csv(text)), ("b.csv", csv(text))],
    )
    .unwrap();
    assert_eq!(read.warnings.len(), 1);
    assert!(
        read.warnings[0].starts_with("there is no column \"quantity\": all lines count as sales"),
        "{:?}",
        read.warnings
    );
}

/// Groups of 100 rows: the store "B" and till 1, "A" and 2, both and 3 or 4.
fn groups_of_stores() -> Vec<u8> {
    let store = |row: u32| match row / 100 {
        0 => "B",
        1 => "A",
        _ => ["A", "B"][row as usize % 2],
    };
    let till = |row: u32| match row / 100 {
        2 => 3 + i64::from(row % 2),
        group => i64::from(group) + 1,
    };
    let columns = vec![
        Column::new("customer_id".into(), (0..300_u32).collect::<Vec<u32>>()),
        Column::new("product_id".into(), vec![1_i64; 300]),
        text_column("timestamp", &["2017-10-30"; 300]),
        text_column("store", &(0..300).map(store).collect::<Vec<&str>>()),
        Column::new("till".into(), (0..300).map(till).collect::<Vec<i64>>()),
    ];
    parquet_in_groups(columns, Some(100))
}

#[test]
fn groups_that_a_filter_leaves_out_are_counted_and_not_read() {
    let whole = groups_of_stores();
    let mut damaged = whole.clone();
    // The pages of the first group come first.
    damaged[4..200].fill(0xff);
    let read = |filter: &str, file: &[u8]| {
        let options = InputOptions {
            filters: vec![RowFilter::parse(filter, "--where").unwrap()],
            ..options()
        };
        read_all(&options, None, &[("a.parquet", file.to_vec())])
    };
    for (filter, kept) in [
        ("store=A", 150),
        ("store!=B", 150),
        ("till=2,4", 150),
        ("till!=1", 200),
        ("store=A, none", 150),
    ] {
        let of = [&whole, &damaged].map(|file| read(filter, file).unwrap());
        for read in &of {
            assert_eq!(
                (read.report.kept, read.report.filtered),
                (kept, 300 - kept),
                "{filter}"
            );
            assert!(read.report.balanced());
        }
        assert_eq!(of[0].warnings, of[1].warnings);
        let is_unmet = of[0].warnings.join("\n").contains("no row that was read");
        assert_eq!(is_unmet, filter.contains("none"), "{:?}", of[0].warnings);
    }
    // What is wanted of the first group is read.
    for filter in ["store=B", "till=1,2", "store!=A"] {
        assert!(read(filter, &damaged).is_err(), "{filter}");
        assert!(read(filter, &whole).is_ok(), "{filter}");
    }
}

#[test]
fn many_row_groups_keep_their_row_numbers() {
    let rows = 1_000_u32;
    let times: Vec<Option<&str>> = (0..rows)
        .map(|row| (row != 777).then_some("2017-10-30"))
        .collect();
    let columns = vec![
        Column::new("customer_id".into(), (0..rows).collect::<Vec<u32>>()),
        Column::new("product_id".into(), vec![1_i64; rows as usize]),
        Column::new("timestamp".into(), times),
    ];
    let out = parquet_in_groups(columns, Some(100));
    let read = read_all(&lenient(), None, &[("a.parquet", out)]).unwrap();
    assert_eq!((read.report.lines_read, read.report.kept), (1_000, 999));
    assert_eq!(
        places(&read.report)[0],
        ["a.parquet: row 778, column \"timestamp\": null"]
    );
    assert_eq!(read.purchases.customers().len(), 999);
}
