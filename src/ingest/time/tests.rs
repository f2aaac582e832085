//! Which texts and numbers are which times, and which are none.

use chrono::{DateTime, NaiveDateTime};
use proptest::prelude::*;

use super::time_of_day::NumberedTime;
use super::*;
use crate::ingest::InputOptions;

fn micros(text: &str) -> i64 {
    let time: NaiveDateTime = text.parse().unwrap();
    time.and_utc().timestamp_micros()
}

fn days(text: &str) -> i32 {
    let day: Day = text.parse().unwrap();
    day.epoch()
}

/// The instant of a time, whatever clock showed it.
fn instant_of(time: ParsedTime) -> ParsedTime {
    match time {
        ParsedTime::Offset(instant, _) => ParsedTime::Instant(instant),
        other => other,
    }
}

fn rules(format: &str) -> TimeRules {
    TimeRules::new(&InputOptions {
        time_format: Some(format.parse().unwrap()),
        ..InputOptions::default()
    })
}

#[test]
fn dates_are_read_in_their_forms() {
    let date = ParsedTime::Date(days("2017-10-05"));
    for text in [
        "2017-10-05",
        "2017/10/05",
        "2017.10.05",
        "20171005",
        "20171005.0",
        "2017-10-5",
        " 2017-10-05 ",
        "05-OCT-2017",
        "5-Oct-17",
        "05Oct2017",
        "5 October 2017",
        "5. Oct. 2017",
        "5th October, 2017",
        "Oct 5 2017",
        "October 5, 2017",
        "Oct-05-2017",
        "2017-Oct-05",
        "Thu, 5 Oct 2017",
        "Thursday 5 October 2017",
    ] {
        assert_eq!(ParsedTime::of(text), date, "{text}");
    }
    assert_eq!(
        ParsedTime::of("01-JAN-89"),
        ParsedTime::Date(days("2089-01-01"))
    );
    assert_eq!(
        ParsedTime::of("01-JAN-90"),
        ParsedTime::Date(days("1990-01-01"))
    );
}

#[test]
fn times_are_read_in_their_forms() {
    let naive = micros("2017-10-31T23:05:09");
    for text in [
        "2017-10-31 23:05:09",
        "2017-10-31T23:05:09",
        "2017/10/31 23:05:09.000",
        "20171031T23:05:09",
        "20171031230509",
        "20171031 230509",
        "20171031T230509",
        "2017-10-31 11:05:09 PM",
        "2017-10-31 11:05:09pm",
        "2017-10-31 11:05:09 p.m.",
        "2017-10-31-23.05.09.000000",
        "31OCT2017:23:05:09",
        "31-OCT-17 11.05.09.000000 PM",
        "Oct 31, 2017 11:05:09 PM",
        "Oct 31 2017 23:05:09",
        "Tue Oct 31 23:05:09 2017",
    ] {
        assert_eq!(ParsedTime::of(text), ParsedTime::Naive(naive), "{text}");
    }
    for (text, time) in [
        ("2017-10-31 23:05", "2017-10-31T23:05:00"),
        ("2017-10-31 9:52", "2017-10-31T09:52:00"),
        ("2017-10-31 9:52:3", "2017-10-31T09:52:03"),
        ("201710310952", "2017-10-31T09:52:00"),
        ("20171031 0952", "2017-10-31T09:52:00"),
        ("Oct 31 2017  9:52AM", "2017-10-31T09:52:00"),
        ("2017-10-31 12:05 AM", "2017-10-31T00:05:00"),
        ("2017-10-31 12:05 PM", "2017-10-31T12:05:00"),
        ("2017-10-31 9 PM", "2017-10-31T21:00:00"),
        ("2017-10-31 23:05:09.5", "2017-10-31T23:05:09.5"),
        (
            "2017-10-31 23:05:09,123456789",
            "2017-10-31T23:05:09.123456",
        ),
        ("20171031230509.25", "2017-10-31T23:05:09.25"),
        ("20171031230509250", "2017-10-31T23:05:09.25"),
        ("Oct 31 2017 11:05:09:250PM", "2017-10-31T23:05:09.25"),
    ] {
        assert_eq!(
            ParsedTime::of(text),
            ParsedTime::Naive(micros(time)),
            "{text}"
        );
    }
}

#[test]
fn instants_are_read_in_their_forms() {
    let instant = micros("2017-10-31T23:05:09");
    for text in [
        "2017-10-31T23:05:09Z",
        "2017-10-31 23:05:09 UTC",
        "2017-10-31 23:05:09+00",
        "2017-10-31T23:05:09-00:00",
        "2017-11-01T00:05:09+01:00",
        "2017-11-01 00:05:09 +0100",
        "2017-10-31 17:35:09.0-05:30",
        "20171031T230509Z",
        "Tue Oct 31 23:05:09 UTC 2017",
        "Wed Nov 01 00:05:09 CET 2017",
        "Wed, 01 Nov 2017 00:05:09 +0100",
        "Wed, 1 Nov 2017 00:05:09 +0100 (CET)",
        "01/Nov/2017:00:05:09 +0100",
        "Wed Nov 01 2017 00:05:09 GMT+0100 (Central European Standard Time)",
        "2017-11-01T00:05:09+01:00[Europe/Berlin]",
        "2017-11-01 00:05:09 Europe/Berlin",
        "2017-11-01T00:05:09[Europe/Rome]",
        "2017-10-31 19:05:09 EDT",
        "2017-11-01 00:05:09 UTC+1",
        "2017-10-31 7:05:09 PM America/New_York",
    ] {
        assert_eq!(
            instant_of(ParsedTime::of(text)),
            ParsedTime::Instant(instant),
            "{text}"
        );
    }
    // Summer time ends at 3 o'clock of this day: 2:30 comes twice, and is the first.
    assert_eq!(
        ParsedTime::of("2017-10-29 02:30 Europe/Rome"),
        ParsedTime::Offset(micros("2017-10-29T00:30:00"), 120)
    );
    // It begins at 2 o'clock: there is no 2:30.
    assert_eq!(
        ParsedTime::of("2017-03-26 02:30 Europe/Rome"),
        ParsedTime::Offset(micros("2017-03-26T01:30:00"), 60)
    );
}

#[test]
fn what_is_uncertain_is_not_guessed() {
    let in_orders = |text: &str| match ParsedTime::of(text) {
        ParsedTime::Uncertain(date) => [
            DateOrder::DayFirst,
            DateOrder::MonthFirst,
            DateOrder::YearFirst,
        ]
        .map(|order| match date.in_order(order) {
            ParsedTime::Unreadable => "-".to_owned(),
            ParsedTime::Date(day) => Day::from_epoch(day).to_string(),
            time => format!("{:?}", time.rejected()),
        }),
        other => panic!("{text}: {other:?}"),
    };
    for text in ["03/04/2017", "3-4-2017", "3.4.2017", "3. 4. 2017"] {
        assert_eq!(in_orders(text), ["2017-04-03", "2017-03-04", "-"], "{text}");
    }
    assert_eq!(in_orders("31/10/2017"), ["2017-10-31", "-", "-"]);
    assert_eq!(
        in_orders("03/04/17"),
        ["2017-04-03", "2017-03-04", "2003-04-17"]
    );
    assert_eq!(in_orders("24-02-29"), ["2029-02-24", "-", "2024-02-29"]);
    assert_eq!(in_orders("24-02-32"), ["2032-02-24", "-", "-"]);
    let with_time = in_orders("10/31/2017 11:05 PM");
    assert!(
        with_time[1].contains("2017-10-31 23:05:00"),
        "{with_time:?}"
    );
    let with_zone = in_orders("10/31/2017 23:05 +0200");
    assert!(
        with_zone[1].contains("2017-10-31 21:05:00"),
        "{with_zone:?}"
    );
}

#[test]
fn what_is_no_time_is_unreadable() {
    for text in [
        "2017-02-30",
        "2017-13-01",
        "2017-10",
        "2017-10-31 24:00",
        "2017-10-31 23:60",
        "2017-10-31T",
        "2017-10-31Z",
        "2017-10-31 23:05:09+1",
        "2017-10-31 23:05:09+01:00x",
        "2017-10-31 13:05 PM",
        "2017-10-31 9",
        "2017-10-31 9.5",
        "2017-10/31",
        "Oct 31",
        "Oct 2017",
        "31 Oct",
        "30 Feb 2024",
        "1 März 2024",
        "45/45/2024",
        "30/02/2024",
        "0/1/2024",
        "1/2/024",
        "1/2/0024",
        "01-MAR-1",
        "1.70937E+09",
        // Chicago or Shanghai.
        "2017-10-31 23:05:09 CST",
        "2017-10-31 23:05 Europe/Atlantis",
        "yesterday",
        "２０１７-10-31",
        "timestamp",
    ] {
        assert_eq!(ParsedTime::of(text), ParsedTime::Unreadable, "{text}");
    }
    for text in ["", " ", "NULL", "NaN", "\\N"] {
        assert_eq!(ParsedTime::of(text), ParsedTime::Null, "{text}");
    }
}

#[test]
fn numbers_stay_numbers_unless_they_are_dates() {
    for (text, number) in [
        ("1509408000", 1_509_408_000),
        ("1509408000000.0", 1_509_408_000_000),
        ("45353", 45_353),
        ("711", 711),
        ("-3", -3),
        // No such day, or no such year.
        ("20171331", 20_171_331),
        ("99999999999999", 99_999_999_999_999),
    ] {
        assert_eq!(ParsedTime::of(text), ParsedTime::Integer(number), "{text}");
        assert_eq!(
            ParsedTime::of_integer(number),
            ParsedTime::Integer(number),
            "{text}"
        );
    }
    assert_eq!(
        ParsedTime::of("45353.25"),
        ParsedTime::Fractional(45_353.25)
    );
    assert_eq!(
        ParsedTime::of("45353,25"),
        ParsedTime::Fractional(45_353.25)
    );
    assert_eq!(
        ParsedTime::of_integer(20_251_231),
        ParsedTime::Date(days("2025-12-31"))
    );
    assert_eq!(
        ParsedTime::of_float(20_251_231.0),
        ParsedTime::Date(days("2025-12-31"))
    );
    assert_eq!(ParsedTime::of_float(f64::NAN), ParsedTime::Null);
}

#[test]
fn a_setting_makes_times_of_numbers() {
    let instant = ParsedTime::Instant(micros("2024-03-02T09:12:00"));
    for (format, text) in [
        ("epoch-s", "1709370720"),
        ("epoch-s", "1709370720.0"),
        ("epoch-s", "1709370720.9"),
        ("epoch-ms", "1709370720000"),
        ("epoch-us", "1709370720000000"),
        ("epoch-ns", "1709370720000000000"),
    ] {
        let read = rules(format).text(text);
        assert_eq!(read, instant, "{format} {text}");
    }
    assert_eq!(rules("epoch-s").integer(1_709_370_720), instant);
    assert_eq!(rules("epoch-ms").float(1_709_370_720_000.0), instant);
    // Times in other forms stay what they are.
    assert_eq!(
        rules("epoch-s").text("2024-03-02"),
        ParsedTime::Date(days("2024-03-02"))
    );
    let excel = rules("excel");
    assert_eq!(excel.text("45353"), ParsedTime::Date(days("2024-03-02")));
    assert_eq!(
        excel.text("45353.3833333333"),
        ParsedTime::Naive(micros("2024-03-02T09:12:00"))
    );
    assert_eq!(
        excel.float(45_353.5),
        ParsedTime::Naive(micros("2024-03-02T12:00:00"))
    );
    let numbered = TimeRules::new(&InputOptions {
        day_zero: Some("2024-03-01".parse().unwrap()),
        ..InputOptions::default()
    });
    assert_eq!(numbered.text("1"), ParsedTime::Date(days("2024-03-02")));
    assert_eq!(numbered.integer(711), ParsedTime::Date(days("2026-02-10")));
    // What overflows is no time, and no panic.
    for format in ["epoch-s", "epoch-ns", "excel"] {
        for number in [i64::MAX, i64::MIN] {
            rules(format).integer(number);
        }
        for number in [1e300, f64::INFINITY, f64::NEG_INFINITY] {
            rules(format).float(number);
        }
    }
    assert_eq!(
        rules("epoch-s").integer(i64::MAX),
        ParsedTime::Instant(i64::MAX)
    );
}

#[test]
fn a_pattern_reads_what_is_written_so_and_nothing_else() {
    let date = ParsedTime::Date(days("2024-03-02"));
    let naive = ParsedTime::Naive(micros("2024-03-02T09:12:00"));
    let instant = ParsedTime::Instant(micros("2024-03-02T09:12:00"));
    for (pattern, text, time) in [
        ("%d%m%Y", "02032024", date),
        ("%y%m%d", "240302", date),
        (
            "%Y%m%d%H",
            "2024030209",
            ParsedTime::Naive(micros("2024-03-02T09:00:00")),
        ),
        ("%d.%m.%Y %H:%M", "02.03.2024 09:12", naive),
        ("%Y-%d-%m %I:%M %p", "2024-02-03 09:12 AM", naive),
        ("%d %b %Y %H:%M %z", "02 Mar 2024 10:12 +0100", instant),
        ("%d %b %Y %H:%M %Z", "02 Mar 2024 10:12 CET", instant),
        ("%s", "1709370720", instant),
        ("%d.%m.%Y", "2024-03-02", ParsedTime::Unreadable),
        ("%d.%m.%Y", "02.03.2024 09:12", ParsedTime::Unreadable),
        ("%d.%m.%Y", "", ParsedTime::Null),
    ] {
        assert_eq!(
            instant_of(rules(pattern).text(text)),
            time,
            "{pattern} {text}"
        );
    }
    assert_eq!(
        rules("%d%m%Y").integer(12_032_024),
        ParsedTime::Date(days("2024-03-12"))
    );
}

#[test]
fn a_format_that_is_unknown_is_refused_with_those_that_are() {
    let error = |text: &str| text.parse::<TimeFormat>().unwrap_err().to_string();
    let unknown = error("european");
    assert!(
        unknown.contains("day-first, month-first, year-first, epoch-s, epoch-ms")
            && unknown.contains("\"european\""),
        "{unknown}"
    );
    assert!(error("dd.MM.yyyy HH:mm").contains("write dd.MM.yyyy HH:mm as %d.%m.%Y %H:%M"));
    assert!(error("%d.%m.%Q").contains("no pattern that can be read"));
    for pattern in ["%H:%M", "%m/%Y", "%Z %d.%m.%Y", "%", "%%"] {
        let refused = error(pattern);
        assert!(
            refused.contains("does not tell the day") || refused.contains("no pattern"),
            "{refused}"
        );
    }
    for text in ["day-first", "Month-First", "excel", "%d/%m/%y"] {
        let format: TimeFormat = text.parse().unwrap();
        assert_eq!(format.to_string().to_lowercase(), text.to_lowercase());
    }
}

#[test]
fn a_time_of_day_joins_its_date() {
    let date = ParsedTime::Date(days("2024-03-02"));
    let joined = |time: &str| ParsedTime::with_time_of_day(date, TimeOfDay::of(time));
    for (text, time) in [
        ("9:52", "2024-03-02T09:52:00"),
        ("09:52:11", "2024-03-02T09:52:11"),
        ("9:52 PM", "2024-03-02T21:52:00"),
        ("095211", "2024-03-02T09:52:11"),
        ("0009", "2024-03-02T00:09:00"),
        ("0.5", "2024-03-02T12:00:00"),
    ] {
        assert_eq!(joined(text), ParsedTime::Naive(micros(time)), "{text}");
    }
    assert_eq!(joined(""), date);
    for end in [i32::MIN, i32::MAX] {
        for text in ["9", "9:52", "23:59 +14:00"] {
            ParsedTime::with_time_of_day(ParsedTime::Date(end), TimeOfDay::of(text));
            NumberedTime::Hours.on(end, 9);
        }
    }
    assert_eq!(joined("25:00"), ParsedTime::Unreadable);
    assert_eq!(joined("noon"), ParsedTime::Unreadable);
    for (text, number) in [("9", 9), ("09", 9), ("952", 952), ("1524.0", 1524)] {
        let time = ParsedTime::NumberedTime(days("2024-03-02"), number);
        assert_eq!(joined(text), time, "{text}");
    }
    // Timestamps that are dates.
    let midnight = ParsedTime::Instant(micros("2024-03-02T00:00:00"));
    assert_eq!(
        ParsedTime::with_time_of_day(midnight, TimeOfDay::of("9:52")),
        ParsedTime::Naive(micros("2024-03-02T09:52:00"))
    );
    let in_rome = ParsedTime::Instant(micros("2024-03-01T23:00:00"));
    assert_eq!(
        ParsedTime::with_time_of_day(in_rome, TimeOfDay::of("9:52")),
        ParsedTime::Instant(micros("2024-03-02T08:52:00"))
    );
    let excel = ParsedTime::Naive(micros("1900-01-01T09:52:00"));
    assert_eq!(
        ParsedTime::with_time_of_day(date, TimeOfDay::of_time(excel)),
        ParsedTime::Naive(micros("2024-03-02T09:52:00"))
    );
    let uncertain =
        ParsedTime::with_time_of_day(ParsedTime::of("02/03/2024"), TimeOfDay::of("9:52"));
    assert_eq!(
        rules("day-first").settle(uncertain),
        ParsedTime::Naive(micros("2024-03-02T09:52:00"))
    );
}

proptest! {
    #[test]
    fn what_chrono_prints_is_read(seconds in 631_238_400_i64..4_102_444_800, micro in 0_i64..1_000_000, offset in -14 * 4..=14 * 4) {
        let zone = chrono::FixedOffset::east_opt(offset * 900).unwrap();
        let instant = seconds * MICROSECONDS_PER_SECOND + micro;
        let time = DateTime::from_timestamp_micros(instant).unwrap().with_timezone(&zone);
        let local = time.naive_local().and_utc().timestamp_micros();
        let whole = local - micro;
        let written = |pattern: &str| ParsedTime::of(&time.format(pattern).to_string());
        prop_assert_eq!(instant_of(written("%Y-%m-%dT%H:%M:%S%.f%:z")), ParsedTime::Instant(instant));
        prop_assert_eq!(instant_of(written("%a, %d %b %Y %H:%M:%S %z")), ParsedTime::Instant(instant - micro));
        prop_assert_eq!(written("%Y-%m-%d %H:%M:%S%.6f"), ParsedTime::Naive(local));
        for pattern in ["%d-%b-%Y %H:%M:%S", "%B %d, %Y %I:%M:%S %p", "%Y%m%d%H%M%S", "%Y%m%d %H%M%S", "%d%b%Y:%H:%M:%S", "%c", "%Y-%m-%d %k:%M:%S"] {
            prop_assert_eq!(written(pattern), ParsedTime::Naive(whole), "{}", pattern);
        }
        for (pattern, order) in [("%d/%m/%Y %H:%M:%S", DateOrder::DayFirst), ("%m/%d/%Y %I:%M:%S %p", DateOrder::MonthFirst), ("%-d.%-m.%Y %-H:%M:%S", DateOrder::DayFirst)] {
            let ParsedTime::Uncertain(date) = written(pattern) else { panic!("{pattern}") };
            prop_assert_eq!(date.in_order(order), ParsedTime::Naive(whole), "{}", pattern);
        }
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,30}|[0-9:./TZ+ -]{0,30}|[0-9]{0,30}[.,]?[0-9]{0,30}|[A-Za-z]{0,9}[ ,.0-9:/-]{0,20}[A-Za-z/+]{0,12}") {
        ParsedTime::of(&text);
        TimeOfDay::of(&text);
        for format in ["day-first", "epoch-ns", "excel", "%d.%m.%Y %H:%M %Z"] {
            rules(format).text(&text);
        }
        _ = text.parse::<TimeFormat>();
    }

    #[test]
    fn no_number_panics(integer in any::<i64>(), float in any::<f64>()) {
        for format in ["day-first", "epoch-s", "epoch-ms", "epoch-ns", "excel", "%Y%m%d"] {
            rules(format).integer(integer);
            rules(format).float(float);
        }
        TimeOfDay::of_integer(integer);
        TimeOfDay::of_float(float);
    }
}
