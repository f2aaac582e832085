//! The input contract, by what [`Reader`] makes of files that the tests write into memory.

mod csv_text;
mod containers;
mod json_arrow_xlsx;
mod damage;
mod decimals;
mod feed;
mod formats;
mod joined;
mod merged;
mod large;
mod netting;
mod third_format;
mod times;
mod who;

use std::io::Write;

use bytes::Bytes;
use proptest::prelude::*;

use polars::prelude::*;

use super::report::RejectReason;
use super::*;
use crate::calendar::Day;
use crate::domain::Ids;
use crate::purchases::Partitions;

fn options() -> InputOptions {
    InputOptions {
        max_bad_share: 0.0,
        ..InputOptions::default()
    }
}

fn read_all(
    options: &InputOptions,
    until: Option<&str>,
    files: &[(&str, Vec<u8>)],
) -> Result<Ingested> {
    read_days(options, until.map(|day| day.parse().unwrap()).into(), files)
}

fn read_days(
    options: &InputOptions,
    days: NeededDays,
    files: &[(&str, Vec<u8>)],
) -> Result<Ingested> {
    let mut reader = Reader::new(options, days);
    for (name, content) in files {
        reader.object(name, content.clone().into())?;
    }
    reader.finish()
}

fn csv(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn parquet(columns: Vec<Column>) -> Vec<u8> {
    parquet_in_groups(columns, None)
}

/// As [`parquet`], with so many rows in a group.
fn parquet_in_groups(columns: Vec<Column>, rows: Option<usize>) -> Vec<u8> {
    let mut out = vec![];
    let height = columns[0].len();
    ParquetWriter::new(&mut out)
        .with_row_group_size(rows)
        .finish(&mut DataFrame::new(height, columns).unwrap())
        .unwrap();
    out
}

fn text_column(name: &str, values: &[&str]) -> Column {
    Column::new(
        name.into(),
        values
            .iter()
            .map(|value| (*value).to_owned())
            .collect::<Vec<String>>(),
    )
}

/// Where the first bad lines of each reason stand.
fn places(report: &Report) -> Vec<Vec<String>> {
    let first = |rejects: &report::Rejects| rejects.first.iter().map(ToString::to_string).collect();
    report.rejects.iter().map(first).collect()
}

/// Every (customer, day, product) in words.
fn spelled_out(purchases: &Purchases) -> Vec<String> {
    let Some(DateRange { last, .. }) = purchases.span() else {
        return vec![];
    };
    let history = purchases.until(AsOf(last));
    let mut out = vec![];
    for customer in 0..history.customer_count() {
        for (day, basket) in history.purchases_of(customer).iter() {
            for product in basket {
                out.push(format!(
                    "{} {day} {}",
                    history.customers().get(customer).unwrap(),
                    history.products().get(*product).unwrap()
                ));
            }
        }
    }
    out
}

const TEXT: &str = "customer_id,product_id,timestamp,quantity,store\n7,10,2017-10-30 09:00:00,1,a\n7,11,2017-10-30 09:00:00,2,a\n8,10,2017-10-31,1,b\n";
const LINES: [&str; 3] = ["7 2017-10-30 10", "7 2017-10-30 11", "8 2017-10-31 10"];

#[test]
fn every_way_of_writing_the_same_lines_gives_the_same_purchases() {
    let swapped = "store;quantity;product_id;customer_id;timestamp\na;1;10;7;2017-10-30T09:00:00\na;2;11;7;2017-10-30T23:59\nb;1;10;8;2017-10-31\n";
    let ways: Vec<(&str, Vec<u8>)> = vec![
        ("a.csv", csv(TEXT)),
        ("a.CSV", csv(&TEXT.replace('\n', "\r\n"))),
        ("a.csv", csv(&format!("\u{feff}{TEXT}"))),
        ("a.csv", csv(TEXT.trim_end())),
        ("a.csv", csv(&TEXT.replace("7,10", "\"7\",\"10\""))),
        ("a.csv", csv(&TEXT.replace(',', "\t"))),
        ("a.csv", csv(swapped)),
        ("a.csv.gz", gz(TEXT)),
        ("a.csv.gz", [gz(&TEXT[..60]), gz(&TEXT[60..])].concat()),
        ("a.csv.zst", zstd::encode_all(TEXT.as_bytes(), 3).unwrap()),
        (
            "a.parquet",
            parquet(vec![
                Column::new("product_id".into(), [10_u32, 11, 10]),
                Column::new("customer_id".into(), [7_i32, 7, 8]),
                text_column(
                    "timestamp",
                    &["2017-10-30 09:00:00", "2017-10-30", "2017-10-31"],
                ),
                Column::new("quantity".into(), [1.0_f64, 2.0, 1.0]),
            ]),
        ),
        (
            "a.parquet",
            parquet(vec![
                Column::new("customer_id".into(), [7.0_f64, 7.0, 8.0]),
                Column::new("product_id".into(), [10_i64, 11, 10]),
                Column::new(
                    "timestamp".into(),
                    [1_509_354_000_000_i64, 1_509_354_000_000, 1_509_408_000_000],
                )
                .cast(&DataType::Datetime(TimeUnit::Milliseconds, None))
                .unwrap(),
            ]),
        ),
    ];
    for (name, content) in ways {
        let read = read_all(&options(), None, &[(name, content)]).unwrap();
        assert_eq!(spelled_out(&read.purchases), LINES, "{name}");
        assert_eq!(
            read.purchases.customers(),
            &Ids::Integer(vec![7, 8]),
            "{name}"
        );
        assert_eq!((read.report.lines_read, read.report.kept), (3, 3));
    }
}

#[test]
fn ids_come_back_as_they_came() {
    let ids = |files: &[(&str, Vec<u8>)]| {
        read_all(&options(), None, files)
            .unwrap()
            .purchases
            .customers()
            .clone()
    };
    let with = |id: &str| {
        csv(&format!(
            "customer_id,product_id,timestamp\n{id},1,2017-10-30\n7,1,2017-10-30\n"
        ))
    };
    assert_eq!(ids(&[("a.csv", with("-12"))]), Ids::Integer(vec![-12, 7]));
    assert_eq!(
        ids(&[("a.csv", with("007"))]),
        Ids::Text(vec!["007".into(), "7".into()])
    );
    assert_eq!(
        ids(&[("a.csv", with("9223372036854775808"))]),
        Ids::Text(vec!["7".into(), "9223372036854775808".into()])
    );
    let text = parquet(vec![
        text_column("customer_id", &["7"]),
        text_column("product_id", &["x"]),
        text_column("timestamp", &["2017-10-30"]),
    ]);
    assert_eq!(
        ids(&[("a.csv", with("8")), ("b.parquet", text)]),
        Ids::Text(vec!["7".into(), "8".into()])
    );
}

#[test]
fn instants_become_days_of_the_store() {
    let options = InputOptions {
        clock: StoreClock::new("America/New_York", true, 0).unwrap(),
        ..options()
    };
    let late = 1_509_420_600_000_000_i64; // 2017-10-31T03:30:00Z is the evening of the 30th in New York
    let zoned = |zone: Option<TimeZone>| {
        parquet(vec![
            Column::new("customer_id".into(), [1_i64]),
            Column::new("product_id".into(), [1_i64]),
            Column::new("timestamp".into(), [late])
                .cast(&DataType::Datetime(TimeUnit::Microseconds, zone))
                .unwrap(),
        ])
    };
    for file in [
        ("a.parquet", zoned(None)),
        ("a.parquet", zoned(Some(TimeZone::UTC))),
        (
            "a.csv",
            csv("customer_id,product_id,timestamp\n1,1,2017-10-31 03:30:00\n"),
        ),
        (
            "a.csv",
            csv("customer_id,product_id,timestamp\n1,1,2017-10-31T04:30:00+01:00\n"),
        ),
    ] {
        assert_eq!(
            spelled_out(&read_all(&options, None, &[file]).unwrap().purchases),
            ["1 2017-10-30 1"]
        );
    }
    // A date is a day of the store already.
    let date = (
        "a.csv",
        csv("customer_id,product_id,timestamp\n1,1,2017-10-31\n"),
    );
    assert_eq!(
        spelled_out(&read_all(&options, None, &[date]).unwrap().purchases),
        ["1 2017-10-31 1"]
    );
}

#[test]
fn what_is_no_purchase_is_dropped_and_counted() {
    let text = "customer_id,product_id,timestamp,quantity\n1,10,2017-10-30,1\n1,10,2017-10-30,-1\n1,11,2017-10-30,0\n1,99,2017-10-30,1\n1,10,2017-11-01,1\n2,12,2017-11-01,1\n1,10,2017-10-30,1\n";
    let options = InputOptions {
        exclude_products: vec!["99".into()],
        ..options()
    };
    let read = read_all(&options, Some("2017-10-31"), &[("a.csv", csv(text))]).unwrap();
    let report = &read.report;
    assert_eq!(
        (
            report.lines_read,
            report.kept,
            report.voided,
            report.returned,
            report.excluded,
            report.after_as_of,
            report.repeated
        ),
        (7, 2, 1, 1, 1, 2, 1)
    );
    assert_eq!(
        report.to_string(),
        "7 lines read = 2 kept + 1 voided + 1 returned + 1 excluded + 2 after the as-of date (1 of the kept repeat another)"
    );
    // Nothing of the days after is in the dictionaries.
    assert_eq!(
        (
            read.purchases.customers().len(),
            read.purchases.products().len()
        ),
        (1, 1)
    );
}

#[test]
fn bad_lines_are_counted_by_cause_with_their_places() {
    let text = "customer_id,product_id,timestamp,quantity\n1,10,2017-10-30,1\n,10,2017-10-30,1\n1,,2017-10-30,1\n1,10,,1\n1,10,31/02/2017,1\n1,10,1017-10-30,1\n1,10,2017-10-30,two\n1,10,2017-10-30,\n";
    let error = read_all(&options(), None, &[("tickets/a.csv", csv(text))]).unwrap_err();
    let message = error.to_string();
    for part in [
        "6 of 8 lines are bad (75.00 %), more than the 0 % allowed",
        "1 × no product, first tickets/a.csv: row 3, column \"product_id\": \"\"",
        "1 × no time, first tickets/a.csv: row 4, column \"timestamp\": \"\"",
        "1 × unreadable time, first tickets/a.csv: row 5, column \"timestamp\": \"31/02/2017\"",
        "1 × date before 1990 or after 2099, first tickets/a.csv: row 6, column \"timestamp\": \"1017-10-30\"",
        "1 × quantity that is not a number, first tickets/a.csv: row 7, column \"quantity\": \"two\"",
        "1 × no quantity, first tickets/a.csv: row 8, column \"quantity\": \"\"",
        "hint: ",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    assert_eq!(error.exit_code(), 1);
    let read = read_all(
        &InputOptions {
            max_bad_share: 0.9,
            ..options()
        },
        None,
        &[("a.csv", csv(text))],
    )
    .unwrap();
    let report = read.report;
    assert_eq!(
        (report.kept, report.anonymous, report.bad_lines()),
        (1, 1, 6)
    );
}

#[test]
fn a_missing_column_names_those_present_and_the_nearest() {
    let error = read_all(
        &options(),
        None,
        &[(
            "a.csv",
            csv("customer,product_id,timestamp\n1,1,2017-10-30\n"),
        )],
    )
    .unwrap_err()
    .to_string();
    assert_eq!(
        error,
        "a.csv: there is no column \"customer_id\"; the columns are \"customer\", \"product_id\", \"timestamp\"\nhint: for \"customer_id\" the nearest is \"customer\": --customer customer\n      or let `okuo init --input …` look at the tickets and write an okuo.toml"
    );
    let wanted = InputOptions {
        columns: ColumnNames {
            quantity: Some("units".into()),
            quantity_required: true,
            ..ColumnNames::default()
        },
        ..options()
    };
    assert!(
        read_all(&wanted, None, &[("a.csv", csv(TEXT))])
            .unwrap_err()
            .to_string()
            .contains("there is no column \"units\"")
    );
}

#[test]
fn a_wrong_type_is_named_with_what_is_needed() {
    let seconds = parquet(vec![
        Column::new("customer_id".into(), [1_i64]),
        Column::new("product_id".into(), [1_i64]),
        Column::new("timestamp".into(), [1_509_420_600_i64]),
    ]);
    let error = read_all(&options(), None, &[("a.parquet", seconds)])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("1509420600 would be 2017-10-31 03:30 with --time-format epoch-s"),
        "{error}"
    );
    let truth = parquet(vec![
        Column::new("customer_id".into(), [true]),
        Column::new("product_id".into(), [1_i64]),
        text_column("timestamp", &["2017-10-30"]),
    ]);
    assert!(
        read_all(&options(), None, &[("a.parquet", truth)])
            .unwrap_err()
            .to_string()
            .contains("integers or text is needed")
    );
    let fraction = parquet(vec![
        Column::new("customer_id".into(), [1.5_f64]),
        Column::new("product_id".into(), [1_i64]),
        text_column("timestamp", &["2017-10-30"]),
    ]);
    assert!(
        read_all(&options(), None, &[("a.parquet", fraction)])
            .unwrap_err()
            .to_string()
            .contains("customer that is not a whole number")
    );
}

#[test]
fn nothing_to_read_is_an_error_and_an_empty_file_among_others_a_warning() {
    for content in ["", "\n", "customer_id,product_id,timestamp\n"] {
        let error = read_all(&options(), None, &[("a.csv", csv(content))]).unwrap_err();
        assert!(
            error.to_string().contains("the input has no lines") && error.exit_code() == 4,
            "{error}"
        );
    }
    let read = read_all(
        &options(),
        None,
        &[("a.csv", csv("")), ("b.csv", csv(TEXT))],
    )
    .unwrap();
    assert_eq!(read.warnings, ["a.csv has no lines"]);
    assert_eq!(read.purchases.len(), 2);
}

#[test]
fn a_file_cut_off_anywhere_is_noticed() {
    let text = TEXT.to_owned() + &"9,12,2017-10-31,1,b\n".repeat(200);
    let compressed = gz(&text);
    for length in [
        1,
        10,
        compressed.len() / 2,
        compressed.len() - 9,
        compressed.len() - 1,
    ] {
        let error = read_all(
            &options(),
            None,
            &[("a.csv.gz", compressed[..length].to_vec())],
        )
        .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("a.csv.gz: the gzip data are truncated or damaged"),
            "{length}: {error}"
        );
    }
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    assert!(
        read_all(
            &options(),
            None,
            &[("a.csv.zst", packed[..packed.len() - 3].to_vec())]
        )
        .unwrap_err()
        .to_string()
        .contains("zstd")
    );
    let whole = parquet(vec![
        Column::new("customer_id".into(), (0..500_i64).collect::<Vec<_>>()),
        Column::new("product_id".into(), vec![1_i64; 500]),
        text_column("timestamp", &["2017-10-30"; 500]),
    ]);
    for length in (1..whole.len()).step_by(whole.len() / 60) {
        let error =
            read_all(&options(), None, &[("a.parquet", whole[..length].to_vec())]).unwrap_err();
        assert!(
            error.to_string().starts_with("a.parquet: ") && error.exit_code() == 1,
            "{length}: {error}"
        );
    }
}

#[test]
fn a_last_day_far_below_its_weekday_is_warned_of() {
    let mut text = String::from("customer_id,product_id,timestamp,quantity\n");
    let last: Day = "2017-10-31".parse().unwrap();
    for weeks in 1..=6 {
        (0..100)
            .for_each(|product| text.push_str(&format!("1,{product},{},1\n", last - 7 * weeks)));
    }
    let with = |lines: usize| {
        let mut text = text.clone();
        (0..lines).for_each(|product| text.push_str(&format!("1,{product},{last},1\n")));
        read_all(&options(), None, &[("a.csv", text.into_bytes())])
            .unwrap()
            .warnings
    };
    assert!(with(60).is_empty());
    assert!(
        with(40)[0].contains("2017-10-31, has 40 lines where this weekday usually has 100"),
        "{:?}",
        with(40)
    );
}

#[test]
fn a_night_outside_the_data_is_told() {
    let read = |until| read_all(&options(), Some(until), &[("a.csv", csv(TEXT))]).unwrap();
    let early = read("2017-01-01");
    let error = staleness(
        early.purchases.span(),
        &early.report,
        "2017-01-01".parse().unwrap(),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("all 3 usable lines lie after the as-of date 2017-01-01"),
        "{error}"
    );
    let none = read_all(
        &options(),
        Some("2017-10-30"),
        &[(
            "a.csv",
            csv(&TEXT.replace(",1,", ",0,").replace(",2,", ",-1,")),
        )],
    )
    .unwrap();
    let error = staleness(
        none.purchases.span(),
        &none.report,
        "2017-10-30".parse().unwrap(),
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains(
            "up to 2017-10-30: 3 lines read = 0 kept + 2 returned + 1 after the as-of date\nhint: "
        ),
        "{error}"
    );
    let recent = NeededDays::up_to("2017-12-31".parse().unwrap(), 30);
    let none = read_days(&options(), recent, &[("a.csv", csv(TEXT))]).unwrap();
    let error = staleness(
        none.purchases.span(),
        &none.report,
        "2017-12-31".parse().unwrap(),
    )
    .unwrap_err()
    .to_string();
    assert!(
        error.contains(
            "all 3 usable lines are longer ago than history_days before the as-of date 2017-12-31"
        ),
        "{error}"
    );
    let late = read("2017-11-30");
    let warning = staleness(
        late.purchases.span(),
        &late.report,
        "2017-11-30".parse().unwrap(),
    )
    .unwrap()
    .unwrap();
    assert!(
        warning.contains("30 days before the as-of date"),
        "{warning}"
    );
    let here = read("2017-10-31");
    assert_eq!(
        staleness(
            here.purchases.span(),
            &here.report,
            "2017-10-31".parse().unwrap()
        )
        .unwrap(),
        None
    );
}

proptest! {
    #[test]
    fn lines_read_are_kept_dropped_or_bad(lines in prop::collection::vec((
        prop::sample::select(vec!["1", "2", "", "x"]), prop::sample::select(vec!["5", "6", "", "99"]),
        prop::sample::select(vec!["2017-10-30", "2017-11-02", "", "no day", "3017-01-01"]), prop::sample::select(vec!["1", "0", "-2", "", "no"])), 1..60)) {
        let mut text = String::from("customer_id,product_id,timestamp,quantity\n");
        lines.iter().for_each(|(customer, product, time, quantity)| text.push_str(&format!("{customer},{product},{time},{quantity}\n")));
        let options = InputOptions { max_bad_share: 1.0, exclude_products: vec!["99".into()], ..options() };
        let read = match read_all(&options, Some("2017-10-31"), &[("a.csv", text.into_bytes())]) {
            Ok(read) => read,
            // Where nobody in particular bought anything up to the day, no column of customers is meant.
            Err(error) => {
                prop_assert!(error.to_string().contains(" lines has a customer"), "{error}");
                prop_assert!(lines.iter().all(|(customer, _, time, _)| customer.is_empty() || *time == "2017-11-02"));
                return Ok(());
            }
        };
        let report = read.report;
        prop_assert_eq!(report.lines_read, lines.len() as u64);
        prop_assert_eq!(report.lines_read, report.kept + report.anonymous + report.voided + report.returned + report.excluded + report.after_as_of + report.footers + report.bad_lines());
        let of_pair = |customer: &str, product: &str, quantity: &str| lines.iter().filter(|line| **line == (customer, product, "2017-10-30", quantity)).count() as u64;
        let kept: u64 = ["1", "2", "x"].into_iter().flat_map(|customer| ["5", "6"].map(|product| (customer, product))).map(|(customer, product)| {
            let (sales, voids) = (of_pair(customer, product, "1"), of_pair(customer, product, "-2"));
            if sales > 2 * voids { sales } else { 0 }
        }).sum();
        prop_assert_eq!(report.kept, kept);
    }
}
