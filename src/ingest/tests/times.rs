//! How times are read that could be several things, and what is said of days that moved.

use super::*;
use crate::ingest::TimeFormat;

/// A line a day, from a date on, with the time as `write` has it.
fn daily(days: i32, write: impl Fn(chrono::NaiveDate) -> String) -> String {
    let first: Day = "2024-03-01".parse().unwrap();
    let mut text = "customer_id,product_id,timestamp\n".to_owned();
    for day in 0..days {
        let date = (first + day).date();
        text.push_str(&format!("{},{},{}\n", day % 5, day % 3, write(date)));
    }
    text
}

fn dates(pattern: &str, days: i32) -> String {
    daily(days, |date| date.format(pattern).to_string())
}

/// The history, which is the same for every way of writing the same days.
fn read_text(text: &str) -> Result<Ingested> {
    read_all(&options(), None, &[("a.csv", csv(text))])
}

fn zoned(zone: &str, utc: bool, day_start: u8) -> InputOptions {
    InputOptions {
        clock: StoreClock::new(zone, utc, day_start).unwrap(),
        is_zone_given: zone != "UTC",
        ..options()
    }
}

fn with_format(format: &str) -> InputOptions {
    InputOptions {
        time_format: Some(format.parse::<TimeFormat>().unwrap()),
        ..options()
    }
}

fn error_of(options: &InputOptions, text: &str) -> String {
    read_all(options, None, &[("a.csv", csv(text))])
        .unwrap_err()
        .to_string()
}

/// Warnings without the one of the missing quantities.
fn time_warnings(read: &Ingested) -> Vec<&str> {
    let warnings = read.warnings.iter().map(String::as_str);
    warnings.filter(|text| !text.contains("quantity")).collect()
}

#[test]
fn the_whole_inputs_evidence_decides_the_order_of_dates() {
    let expected = spelled_out(&read_text(&dates("%Y-%m-%d", 100)).unwrap().purchases);
    for (pattern, order) in [
        ("%d/%m/%Y", "day-first"),
        ("%d.%m.%Y", "day-first"),
        ("%-d-%-m-%Y", "day-first"),
        ("%m/%d/%Y", "month-first"),
        ("%-m/%-d/%Y 9:05 PM", "month-first"),
        ("%d.%m.%y", "day-first"),
        ("%m/%d/%y", "month-first"),
        ("%y-%m-%d", "year-first"),
    ] {
        let read = read_text(&dates(pattern, 100)).unwrap();
        assert_eq!(spelled_out(&read.purchases), expected, "{pattern}");
        let decided = read.report.dates.as_ref().unwrap();
        assert_eq!(decided.order.to_string(), order, "{pattern}");
        assert_eq!(read.report.lines_read, 100);
        let warning = &read.warnings[0];
        assert!(
            warning.starts_with(&format!("dates are read {order}: "))
                && warning.contains(&format!("--time-format {order}")),
            "{warning}"
        );
        // The setting says the same, and nothing is left to decide.
        let set = read_all(
            &with_format(order),
            None,
            &[("a.csv", csv(&dates(pattern, 100)))],
        )
        .unwrap();
        assert_eq!(spelled_out(&set.purchases), expected, "{pattern}");
        assert_eq!((&set.report.dates, time_warnings(&set).len()), (&None, 0));
    }
}

#[test]
fn the_evidence_is_that_of_all_objects_and_all_days() {
    // The first twelve days of a month tell nothing; another object, and a day that is not needed, do.
    let first = "customer_id,product_id,timestamp\n1,1,01/03/2024\n1,1,05/03/2024\n";
    let second = "customer_id,product_id,timestamp\n1,1,07/03/2024\n1,1,31/03/2024\n";
    let files = [("a.csv", csv(first)), ("b.csv", csv(second))];
    let read = read_all(&options(), Some("2024-03-10"), &files).unwrap();
    assert_eq!(
        spelled_out(&read.purchases),
        ["1 2024-03-01 1", "1 2024-03-05 1", "1 2024-03-07 1"]
    );
    assert_eq!((read.report.lines_read, read.report.after_as_of), (4, 1));
    assert!(read.report.balanced());
    let alone = error_of(&options(), first);
    assert!(
        alone.contains("ambiguous dates: all of 2 dates can be read day-first and month-first, first a.csv: row 1, column \"timestamp\": \"01/03/2024\"")
            && alone.contains("--time-format day-first or --time-format month-first"),
        "{alone}"
    );
    let json = serde_json::to_value(&read.report).unwrap();
    assert_eq!(json["dates"]["order"], "day-first");
    let certain = read_text(&dates("%Y-%m-%d", 3)).unwrap();
    assert!(
        serde_json::to_value(&certain.report)
            .unwrap()
            .get("dates")
            .is_none()
    );
}

#[test]
fn dates_that_contradict_each_other_are_refused_and_shown() {
    // A spreadsheet has written some dates anew.
    let text = "customer_id,product_id,timestamp\n1,1,13/03/2024\n1,1,03/14/2024\n1,1,01/02/2024\n";
    let error = error_of(&options(), text);
    for part in [
        "the dates contradict each other",
        "1 × only day-first, first a.csv: row 1, column \"timestamp\": \"13/03/2024\"",
        "1 × only month-first, first a.csv: row 2, column \"timestamp\": \"03/14/2024\"",
        "--time-format",
    ] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    let lenient = InputOptions {
        max_bad_share: 0.5,
        ..with_format("day-first")
    };
    let read = read_all(&lenient, None, &[("a.csv", csv(text))]).unwrap();
    assert_eq!(
        spelled_out(&read.purchases),
        ["1 2024-02-01 1", "1 2024-03-13 1"]
    );
    assert_eq!(read.report.rejects[0].reason, RejectReason::UnreadableTime);
}

#[test]
fn dates_that_a_spreadsheet_swapped_by_half_are_refused() {
    use chrono::Datelike;
    let swapped = daily(90, |date| {
        if date.day() > 12 {
            date.format("%d/%m/%Y").to_string()
        } else {
            date.format("%Y-%d-%m").to_string()
        }
    });
    let error = error_of(&options(), &swapped);
    assert!(error.contains("half of the dates look swapped"), "{error}");
    // Both forms of all days are a history of two tills.
    let mixed = daily(90, |date| {
        let pattern = if date.day() % 2 == 0 {
            "%d/%m/%Y"
        } else {
            "%Y-%m-%d"
        };
        date.format(pattern).to_string()
    });
    let expected = read_text(&dates("%Y-%m-%d", 90)).unwrap();
    assert_eq!(
        spelled_out(&read_text(&mixed).unwrap().purchases),
        spelled_out(&expected.purchases)
    );
}

#[test]
fn a_few_undecided_dates_are_bad_lines() {
    let mut text = dates("%Y-%m-%d", 99);
    text.push_str("1,1,05/03/2024\n");
    let read = |share| {
        let options = InputOptions {
            max_bad_share: share,
            ..options()
        };
        read_all(&options, None, &[("a.csv", csv(&text))])
    };
    let kept = read(0.01).unwrap();
    assert_eq!((kept.report.kept, kept.report.bad_lines()), (99, 1));
    assert_eq!(
        places(&kept.report),
        [["a.csv: row 100, column \"timestamp\": \"05/03/2024\""]]
    );
    let refused = read(0.001).unwrap_err().to_string();
    assert!(
        refused.contains("ambiguous dates: 1 date can be read"),
        "{refused}"
    );
}

#[test]
fn two_digit_years_are_told_from_days_by_how_many_they_are() {
    // Only days of the first twelve: day or month first stays open, the year's place does not.
    let text = "customer_id,product_id,timestamp\n1,1,05.03.24\n1,1,06.03.24\n";
    let error = error_of(&options(), text);
    assert!(
        error.contains("day-first and month-first and year-first"),
        "{error}"
    );
    // Day-first or month-first on whole months, of two years.
    let read = read_text(&dates("%d.%m.%y", 400)).unwrap();
    let warning = &read.warnings[0];
    assert!(
        warning.contains("year-first, they would fall into 31 years")
            || warning.contains("values cannot be year-first"),
        "{warning}"
    );
}

#[test]
fn the_decision_does_not_depend_on_threads_objects_or_memory() {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().to_str().unwrap().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let location = runtime.block_on(crate::store::open(&uri)).unwrap();
    let mut expected = String::new();
    for month in 1..=6 {
        let mut text = "customer_id,product_id,timestamp\n".to_owned();
        for line in 0..400 {
            let day = line % 28 + 1;
            text.push_str(&format!(
                "{},{},{day:02}.{month:02}.2024\n",
                line % 40,
                line % 7
            ));
            if month <= 6 {
                expected = format!("2024-{month:02}");
            }
        }
        let name = format!("{month}.csv");
        let put = location.put(&name, text.into(), crate::store::PutMode::Overwrite);
        runtime.block_on(put).unwrap();
    }
    let read = |limit: Option<u64>| {
        let input = [uri.clone()];
        let options = options();
        let (read, objects) = runtime
            .block_on(crate::ingest::read(
                &input,
                &options,
                None,
                limit,
                &|_, _| {},
            ))
            .unwrap();
        let read = read.whole().unwrap();
        (
            spelled_out(&read.purchases),
            format!("{:?} {:?}", read.report, read.warnings),
            objects.len(),
        )
    };
    let whole = read(None);
    assert_eq!(whole.2, 6);
    assert!(whole.0.iter().any(|line| line.contains(&expected)));
    assert!(whole.1.contains("order: DayFirst"), "{}", whole.1);
    assert_eq!(read(Some(100_000_000)), whole);
}

#[test]
fn numbers_are_refused_with_what_each_setting_makes_of_them() {
    let text = |time: &str| format!("customer_id,product_id,timestamp\n1,1,{time}\n");
    for (time, parts) in [
        (
            "1709370720",
            &[
                "1 × time that is a number",
                "1709370720 would be 2024-03-02 09:12 with --time-format epoch-s",
            ][..],
        ),
        (
            "1709370720000",
            &["1709370720000 would be 2024-03-02 09:12 with --time-format epoch-ms"],
        ),
        (
            "45353.3833",
            &[
                "2024-03-02 09:11 with --time-format excel",
                "--day-zero 1904-01-01",
            ],
        ),
        ("711", &["day 711 with --day-zero DATE"]),
        ("02032024", &["2024-03-02 with --time-format %d%m%Y"]),
        ("240302", &["2024-03-02 with --time-format %y%m%d"]),
        ("200701", &["map another column with --time"]),
        ("timestamp", &["row 1 repeats the header"]),
        (
            "Total",
            &["row 1 may be a title, a total or a repeated header"],
        ),
        (
            "2024-03-02 09:12 CST",
            &["the zone at the end means several zones", "--time-zone"],
        ),
        (
            "2. März 2024",
            &["names of months are read in English", "--time-format"],
        ),
    ] {
        let error = error_of(&options(), &text(time));
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error}");
        }
        assert!(!error.contains("since 1970"), "{error}");
    }
}

#[test]
fn numbers_of_parquet_are_read_as_their_text_is() {
    let file = |times: Column| {
        parquet(vec![
            Column::new("customer_id".into(), [1_i64, 1]),
            Column::new("product_id".into(), [1_i64, 2]),
            times.with_name("timestamp".into()),
        ])
    };
    let expected = ["1 2024-03-02 1", "1 2024-03-03 2"];
    let seconds = [1_709_370_720_i64, 1_709_370_720 + 86_400];
    let day_zero = InputOptions {
        day_zero: Some("2024-03-01".parse().unwrap()),
        ..options()
    };
    for (times, options) in [
        (
            Column::new("t".into(), [20_240_302_i64, 20_240_303]),
            options(),
        ),
        (
            Column::new("t".into(), [20_240_302_i32, 20_240_303]),
            options(),
        ),
        (
            Column::new("t".into(), [20_240_302.0_f64, 20_240_303.0]),
            options(),
        ),
        (
            Column::new("t".into(), [20_240_302_091_200_i64, 20_240_303_000_000]),
            options(),
        ),
        (Column::new("t".into(), seconds), with_format("epoch-s")),
        (
            Column::new("t".into(), seconds.map(|time| time as f64)),
            with_format("epoch-s"),
        ),
        (
            Column::new("t".into(), seconds.map(|time| time as u64)),
            with_format("epoch-s"),
        ),
        (
            Column::new("t".into(), [45_353.4_f64, 45_354.0]),
            with_format("excel"),
        ),
        (Column::new("t".into(), [1_i32, 2]), day_zero),
        (
            text_column("t", &["2/3/2024", "3/3/2024"]),
            with_format("day-first"),
        ),
        (
            text_column("t", &["02032024", "03032024"]),
            with_format("%d%m%Y"),
        ),
    ] {
        let read = read_all(&options, None, &[("a.parquet", file(times))]).unwrap();
        assert_eq!(spelled_out(&read.purchases), expected);
    }
    let refused = read_all(
        &options(),
        None,
        &[("a.parquet", file(Column::new("t".into(), seconds)))],
    )
    .unwrap_err()
    .to_string();
    assert!(
        refused.contains("row 1, column \"timestamp\": 1709370720")
            && refused.contains("2024-03-02 09:12 with --time-format epoch-s"),
        "{refused}"
    );
}

fn with_time_of_day(day_start: u8) -> InputOptions {
    InputOptions {
        columns: ColumnNames {
            time_of_day: Some("clock".into()),
            ..ColumnNames::default()
        },
        clock: StoreClock::new("UTC", false, day_start).unwrap(),
        ..options()
    }
}

#[test]
fn hours_and_hours_with_minutes_are_told_apart_by_all_values() {
    let text = |times: [&str; 3]| {
        let [a, b, c] = times;
        csv(&format!(
            "customer_id,product_id,timestamp,clock\n1,1,2024-03-02,{a}\n1,2,2024-03-02,{b}\n1,3,2024-03-02,{c}\n"
        ))
    };
    let days = |times: [&str; 3]| {
        let read = read_all(&with_time_of_day(4), None, &[("a.csv", text(times))]).unwrap();
        assert!(read.report.balanced() && read.report.kept == 3);
        spelled_out(&read.purchases)
    };
    // 9 o'clock is after the day's start at 4, nine past midnight is before it.
    let same_day = ["1 2024-03-01 2", "1 2024-03-02 1", "1 2024-03-02 3"];
    let night = ["1 2024-03-01 1", "1 2024-03-01 2", "1 2024-03-02 3"];
    assert_eq!(days(["9", "2", "23"]), same_day);
    assert_eq!(days(["9", "2", "2315"]), night);
    assert_eq!(days(["9:00", "1:59 AM", "9:15 PM"]), same_day);
    // Without a start of the day the hour changes nothing.
    let read = read_all(
        &with_time_of_day(0),
        None,
        &[("a.csv", text(["9", "2", "23"]))],
    )
    .unwrap();
    assert_eq!(
        spelled_out(&read.purchases),
        ["1 2024-03-02 1", "1 2024-03-02 2", "1 2024-03-02 3"]
    );
}

#[test]
fn a_date_in_any_order_and_a_time_of_day_are_read_together() {
    let mut text = "customer_id,product_id,timestamp,clock\n".to_owned();
    for day in 1..=28 {
        text.push_str(&format!(
            "1,{day},3/{day}/2024,{}\n",
            if day % 2 == 0 { "130" } else { "5" }
        ));
    }
    let read = read_all(&with_time_of_day(4), None, &[("a.csv", csv(&text))]).unwrap();
    // All of them are after midnight: half past one, and five past.
    let lines = spelled_out(&read.purchases);
    assert_eq!(lines.first().unwrap(), "1 2024-02-29 1");
    assert_eq!(lines.last().unwrap(), "1 2024-03-27 28");
    assert_eq!(lines.len(), 28);
}

/// Expects that times are the 60 days as they stand in Rome, without a warning. Returns the
/// purchases, spelled out.
#[track_caller]
fn expect_days_of_rome(text: &str) -> Vec<String> {
    let expected = spelled_out(&read_text(&dates("%Y-%m-%d", 60)).unwrap().purchases);
    let rome = read_all(
        &zoned("Europe/Rome", false, 0),
        None,
        &[("a.csv", csv(text))],
    )
    .unwrap();
    assert_eq!(spelled_out(&rome.purchases), expected);
    assert_eq!(time_warnings(&rome), [""; 0]);
    expected
}

#[test]
fn local_midnights_in_utc_are_refused_without_their_zone() {
    // Midnights of Rome, over the end of winter time.
    let text = daily(60, |date| {
        let hour = if date.format("%m%d").to_string().as_str() > "0331" {
            22
        } else {
            23
        };
        format!("{}T{hour}:00:00.000Z", date.pred_opt().unwrap())
    });
    let error = error_of(&options(), &text);
    for part in [
        "every time is 22:00 or 23:00 UTC: these look like midnights of Europe/Berlin, Europe/Paris or Europe/Rome",
        "--time-zone Europe/Berlin",
        "or --time-zone UTC if",
    ] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    let expected = expect_days_of_rome(&text);
    let settled = InputOptions {
        is_zone_given: true,
        ..options()
    };
    let utc = read_all(&settled, None, &[("a.csv", csv(&text))]).unwrap();
    assert_ne!(spelled_out(&utc.purchases), expected);
    // With a start of the day every midnight moves.
    let moved = error_of(&zoned("Europe/Rome", false, 4), &text);
    assert!(
        moved.contains("every time is midnight in Europe/Rome") && moved.contains("--day-start"),
        "{moved}"
    );
    // Another zone is warned of.
    let elsewhere = read_all(
        &zoned("America/New_York", false, 0),
        None,
        &[("a.csv", csv(&text))],
    )
    .unwrap();
    assert!(
        time_warnings(&elsewhere)[0].contains(
            "no midnight in America/New_York: these look like midnights of Europe/Berlin"
        ),
        "{:?}",
        elsewhere.warnings
    );
    // The same without a zone.
    let naive = text.replace(".000Z", "");
    let error = error_of(&zoned("Europe/Rome", false, 0), &naive);
    assert!(error.contains("--utc --time-zone Europe/Rome"), "{error}");
    let read = read_all(
        &zoned("Europe/Rome", true, 0),
        None,
        &[("a.csv", csv(&naive))],
    )
    .unwrap();
    assert_eq!(spelled_out(&read.purchases), expected);
}

#[test]
fn midnights_in_utc_are_refused_where_a_zone_moves_them() {
    let text = dates("%Y-%m-%dT00:00:00.000Z", 30);
    let expected = spelled_out(&read_text(&dates("%Y-%m-%d", 30)).unwrap().purchases);
    let error = error_of(&zoned("America/New_York", false, 0), &text);
    assert!(
        error.contains("every time is 00:00 UTC, and --time-zone America/New_York would move each sale to the day before")
            && error.contains("leave --time-zone America/New_York out"),
        "{error}"
    );
    for harmless in [options(), zoned("Europe/Rome", false, 0)] {
        let read = read_all(&harmless, None, &[("a.csv", csv(&text))]).unwrap();
        assert_eq!(spelled_out(&read.purchases), expected);
    }
    let moved = error_of(&zoned("UTC", false, 4), &text);
    assert!(moved.contains("leave --day-start 4 out"), "{moved}");
    let naive = error_of(&zoned("UTC", false, 4), &text.replace(".000Z", ""));
    assert!(
        naive.contains("every time is midnight, and --day-start 4 would move"),
        "{naive}"
    );
    // One other time of day, and they are no dates.
    let some = format!("{text}1,1,2024-05-01T13:30:00Z\n1,1,2024-05-01T14:30:00Z\n");
    assert!(
        read_all(
            &zoned("America/New_York", false, 0),
            None,
            &[("a.csv", csv(&some))]
        )
        .is_ok()
    );
}

#[test]
fn instants_need_the_stores_zone() {
    // Five past midnight in Rome, in winter and in summer.
    let text = daily(60, |date| {
        let hours = if date.format("%m%d").to_string().as_str() > "0331" {
            2
        } else {
            1
        };
        format!(
            "{}T{:02}:{:02}:00+0{hours}:00",
            date.format("%Y-%m-%d"),
            date.format("%d").to_string().parse::<u32>().unwrap() % 7,
            5
        )
    });
    let error = error_of(&options(), &text);
    for part in [
        "shown by clocks +01:00 and +02:00 from UTC, on other days than those of UTC",
        "--time-zone Europe/Berlin; or --time-zone UTC if",
    ] {
        assert!(error.contains(part), "{part:?} is not in {error}");
    }
    expect_days_of_rome(&text);
    // In the middle of the day the zone changes nothing here, but may on another day.
    let noon = text.replace("T0", "T1");
    let read = read_text(&noon).unwrap();
    assert!(
        time_warnings(&read)[0]
            .contains("days are those of UTC; give the store's zone with --time-zone"),
        "{:?}",
        read.warnings
    );
}

#[test]
fn settings_that_change_nothing_are_warned_of() {
    let naive = dates("%Y-%m-%d 09:52:11", 10).replacen("09:52:11", "10:15:00", 3);
    let read = read_all(
        &zoned("Europe/Rome", false, 0),
        None,
        &[("a.csv", csv(&naive))],
    )
    .unwrap();
    assert_eq!(
        time_warnings(&read),
        [
            "--time-zone Europe/Rome changes nothing: no time has a zone, so all are taken for local ones; if they are UTC, add --utc, else leave --time-zone out"
        ]
    );
    let date = dates("%Y-%m-%d", 10);
    let read = read_all(&zoned("UTC", false, 4), None, &[("a.csv", csv(&date))]).unwrap();
    assert!(
        time_warnings(&read)[0].contains("--day-start 4 changes nothing")
            && time_warnings(&read)[0].contains("--time-of-day"),
        "{:?}",
        read.warnings
    );
    for harmless in [
        (zoned("Europe/Rome", true, 0), &naive),
        (zoned("UTC", false, 4), &naive),
        (options(), &date),
    ] {
        let read = read_all(&harmless.0, None, &[("a.csv", csv(harmless.1))]).unwrap();
        assert_eq!(time_warnings(&read), [""; 0]);
    }
}

#[test]
fn quiet_hours_by_day_propose_the_zone() {
    let mut text = "customer_id,product_id,timestamp\n".to_owned();
    // A store in New York, open from 8 to 21, in UTC: from 12 or 13 to 1 or 2.
    for day in 1..=28 {
        for slot in 0..26 {
            let minutes = 12 * 60 + 30 + slot * 30 + day;
            let (day, minutes) = (day + minutes / 1_440, minutes % 1_440);
            text.push_str(&format!(
                "{slot},1,2024-06-{day:02} {:02}:{:02}:00\n",
                minutes / 60,
                minutes % 60
            ));
        }
    }
    let read = read_text(&text).unwrap();
    let warning = time_warnings(&read)[0];
    assert!(
        warning.starts_with("nothing is sold from 02:00 to 12:00, which is no night")
            && warning.contains("America/New_York")
            && warning.contains("--utc and --time-zone"),
        "{warning}"
    );
    let read = read_all(
        &zoned("America/New_York", true, 0),
        None,
        &[("a.csv", csv(&text))],
    )
    .unwrap();
    assert_eq!(time_warnings(&read), [""; 0]);
}

#[test]
fn a_clock_of_12_hours_is_told_from_a_zone() {
    // Open from 8 to 21, by a clock that counts to 12.
    let text = |first: i32| {
        let mut text = "customer_id,product_id,timestamp\n".to_owned();
        for day in 1..=28 {
            for slot in 0..26 {
                let minutes = first * 60 + slot * 30;
                let hour = (minutes / 60 + 11) % 12 + 1;
                text.push_str(&format!(
                    "{slot},1,2024-06-{day:02} {hour:02}:{:02}:00\n",
                    minutes % 60
                ));
            }
        }
        text
    };
    let read = read_text(&text(8)).unwrap();
    let [warning] = time_warnings(&read)[..] else {
        panic!("{:?}", read.warnings);
    };
    assert!(
        warning.starts_with("no time is before 01:00 or after 12:59")
            && warning.contains("export the times with 24 hours, or with AM and PM"),
        "{warning}"
    );
    // With its half of the day it is a time as any other.
    let mut halves = "customer_id,product_id,timestamp\n".to_owned();
    for line in text(8).lines().skip(1) {
        let half = if line.contains(" 12:") || line.contains(" 0") && !line.contains(" 08") {
            "PM"
        } else {
            "AM"
        };
        halves.push_str(&format!("{line} {half}\n"));
    }
    let read = read_text(&halves).unwrap();
    assert!(
        !read.warnings.concat().contains("12:59"),
        "{:?}",
        read.warnings
    );
}

#[test]
fn int96_is_an_instant() {
    // Midnights of Rome as Spark writes them.
    let content = include_bytes!("fixtures/types_int96.parquet");
    let read = |zone: &str| {
        let columns = ColumnNames {
            customer: "i16".into(),
            product: "product".into(),
            time: "ns".into(),
            ..ColumnNames::default()
        };
        let options = InputOptions {
            columns,
            max_bad_share: 1.0,
            ..zoned(zone, false, 0)
        };
        let read = read_all(&options, None, &[("a.parquet", content.to_vec())]).unwrap();
        spelled_out(&read.purchases)
    };
    assert_ne!(read("UTC"), read("Pacific/Auckland"));
}
