//! Files that are not whole, and lines that are not what the header says.

use super::*;

fn error(name: &str, content: Vec<u8>) -> String {
    read_all(&options(), None, &[(name, content)])
        .unwrap_err()
        .to_string()
}

#[test]
fn a_line_of_another_width_is_bad_and_the_rest_is_read() {
    let text = "customer_id,product_id,timestamp\n1,1,2017-10-30\n1,Milk, 1 l,2017-10-30\n1,2\n\n1,\"3\"x,2017-10-30\n1,\"a \"\"b\"\"\",2017-10-30\n";
    let read = read_all(
        &InputOptions {
            max_bad_share: 1.0,
            ..options()
        },
        None,
        &[("a.csv", csv(text))],
    )
    .unwrap();
    assert_eq!(
        read.purchases.products(),
        &Ids::Text(vec!["1".into(), "a \"b\"".into()])
    );
    let first = places(&read.report);
    assert_eq!(
        first[0],
        [
            "a.csv: row 2: \"1,Milk, 1 l,2017-10-30\"",
            "a.csv: row 3: \"1,2\""
        ]
    );
    assert_eq!(first[1], ["a.csv: row 4: \"1,\"3\"x,2017-10-30\""]);
}

#[test]
fn a_quote_that_is_never_closed_is_named() {
    let text =
        "customer_id,product_id,timestamp\n1,1,2017-10-30\n1,\"2,2017-10-30\n1,3,2017-10-30\n";
    assert_eq!(
        error("a.csv", csv(text)),
        "a.csv: row 2, column \"product_id\": a quote is opened here, and the line below stands within it\n\
         hint: if quotes are text in this file, read it with --quotes none: then all 2 lines from here on have the 3 fields of the header; \
         or close the quote in row 2, or double it if it belongs to the text"
    );
    let last = "customer_id,product_id,timestamp\n\"1\",1,2017-10-30\n1,\"2,2017-10-30\n";
    assert_eq!(
        error("a.csv", csv(last)),
        "a.csv: row 2, column \"product_id\": a quote is opened and never closed\n\
         hint: close the quote in row 2, or double it if it belongs to the text"
    );
}

#[test]
fn lines_longer_than_a_chunk_and_across_chunks_are_read() {
    let mut text = String::from("customer_id,product_id,timestamp,note\n");
    for line in 0..3_000 {
        let note = "é".repeat(if line == 1_500 { 2_000_000 } else { 700 });
        text.push_str(&format!("{line},1,2017-10-30,\"{note}\n{note}\"\n"));
    }
    let read = read_all(&options(), None, &[("a.csv.gz", gz(&text))]).unwrap();
    assert_eq!(
        (read.report.kept, read.purchases.customers().len()),
        (3_000, 3_000)
    );
}

#[test]
fn compression_is_told_by_the_first_bytes() {
    for (name, content) in [
        ("a.csv.gz", csv(TEXT)),
        ("a.csv", gz(TEXT)),
        ("a.csv", zstd::encode_all(TEXT.as_bytes(), 1).unwrap()),
    ] {
        assert_eq!(
            spelled_out(
                &read_all(&options(), None, &[(name, content)])
                    .unwrap()
                    .purchases
            ),
            LINES
        );
    }
    assert!(error("a.parquet", csv(TEXT)).starts_with("a.parquet: this is no Parquet file"));
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain(TEXT.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let read = read_all(&options(), None, &[("a.csv", utf16)]).unwrap();
    assert_eq!(spelled_out(&read.purchases), LINES);
}

#[test]
fn compressed_data_cut_or_flipped_anywhere_are_an_error_or_whole() {
    let text = format!("{TEXT}{}", "9,12,2017-10-31,1,b\n".repeat(50));
    for (name, whole) in [
        ("a.csv.gz", gz(&text)),
        ("a.csv.zst", zstd::encode_all(text.as_bytes(), 3).unwrap()),
    ] {
        for length in 1..whole.len() {
            let message = error(name, whole[..length].to_vec());
            assert!(
                message.contains("truncated or damaged") && message.contains("hint: "),
                "{length}: {message}"
            );
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x10;
            if let Err(error) = read_all(&options(), None, &[(name, flipped)]) {
                assert_eq!(error.exit_code(), 1, "{error}");
            }
        }
    }
}

/// Every kind of column, dictionary pages and several row groups.
fn many_columns() -> Vec<u8> {
    let rows = 300_i64;
    let texts: Vec<String> = (0..rows).map(|row| format!("p{}", row % 7)).collect();
    let columns = vec![
        Column::new(
            "customer_id".into(),
            (0..rows)
                .map(|row| (row % 5 > 0).then_some(row))
                .collect::<Vec<_>>(),
        ),
        Column::new("product_id".into(), texts),
        Column::new(
            "timestamp".into(),
            (0..rows)
                .map(|row| 1_509_354_000_000_000 + row * 3_600_000_000)
                .collect::<Vec<_>>(),
        )
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap(),
        Column::new(
            "quantity".into(),
            (0..rows).map(|row| row as f64 / 2.0).collect::<Vec<_>>(),
        ),
    ];
    parquet_in_groups(columns, Some(100))
}

#[test]
fn parquet_cut_anywhere_is_an_error_that_names_the_object() {
    let whole = many_columns();
    for length in 1..whole.len() {
        let message = error("a.parquet", whole[..length].to_vec());
        assert!(
            message.starts_with("a.parquet: ") && message.contains("hint: "),
            "{length}: {message}"
        );
    }
}

fn flipped_is_an_error_or_read(whole: &[u8], places: impl Iterator<Item = usize>) {
    let lenient = InputOptions {
        max_bad_share: 1.0,
        ..options()
    };
    for at in places {
        for mask in [0x01, 0x80, 0xff] {
            let mut flipped = whole.to_vec();
            flipped[at] ^= mask;
            match read_all(&lenient, None, &[("a.parquet", flipped)]) {
                Ok(read) => assert!(read.report.balanced()),
                Err(error) => assert_eq!(error.exit_code(), 1, "{at}: {error}"),
            }
        }
    }
}

#[test]
fn parquet_flipped_anywhere_is_an_error_or_read_and_never_a_panic() {
    let whole = many_columns();
    flipped_is_an_error_or_read(&whole, 0..whole.len());
}

#[test]
fn flipped_pages_of_positions_are_an_error_or_read() {
    for (_, whole) in formats::PAGES {
        flipped_is_an_error_or_read(whole, (0..whole.len()).step_by(7));
    }
}

#[test]
fn a_flipped_bit_in_gzip_pages_changes_nothing_in_silence() {
    let whole: &[u8] = include_bytes!("fixtures/pages_gzip.parquet");
    let lenient = InputOptions {
        max_bad_share: 1.0,
        ..options()
    };
    let read = |content: Vec<u8>| read_all(&lenient, None, &[("a.parquet", content)]);
    let lines = |read: &Ingested| (spelled_out(&read.purchases), read.report.to_string());
    let expected = lines(&read(whole.to_vec()).unwrap());
    // The footer has no checksum; all before it are pages.
    let footer = u32::from_le_bytes(*whole[..whole.len() - 4].last_chunk().unwrap()) as usize;
    let pages = 4..whole.len() - 8 - footer;
    let mut refused = 0;
    for at in pages.clone().step_by(3) {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 0x04;
        match read(flipped) {
            Ok(read) => assert!(lines(&read) == expected, "{at}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > pages.len() / 4, "{refused}");
}

#[test]
fn a_file_of_no_bytes_is_refused_where_its_kind_has_some() {
    for name in ["a.parquet", "a.csv.gz", "a.csv.zst"] {
        assert!(error(name, vec![]).contains("has 0 bytes"), "{name}");
    }
}

#[test]
fn nothing_that_follows_hides_an_object_that_cannot_be_read() {
    let mut reader = Reader::new(&options(), None);
    let whole = many_columns();
    assert!(
        reader
            .object("a.parquet", whole[..whole.len() - 9].to_vec().into())
            .is_err()
    );
    let mut flipped = whole.clone();
    flipped[10] ^= 0xff;
    let mut reader = Reader::new(&options(), None);
    assert!(reader.object("a.parquet", flipped.into()).is_err());
    assert!(reader.object("b.csv", csv(TEXT).into()).is_err());
    assert!(reader.finish().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_under_any_name_are_an_error_or_lines(
        content in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "(customer_id|product_id|timestamp|quantity|[,;\"\n\r])*[0-9,;\"\n -]{0,80}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60).prop_map(|tail| [b"PAR1".to_vec(), tail, b"PAR1".to_vec()].concat()),
        ],
        name in prop::sample::select(&["a.csv", "a.csv.gz", "a.csv.zst", "a.parquet"][..]),
    ) {
        let lenient = InputOptions { max_bad_share: 1.0, ..options() };
        if let Ok(read) = read_all(&lenient, None, &[(name, content)]) {
            prop_assert!(read.report.balanced());
        }
    }
}

#[test]
fn the_allowed_share_is_told_as_it_was_given() {
    let text = "customer_id,product_id,timestamp\n1,1,2017-10-30\n1,,2017-10-30\n";
    let strict = InputOptions {
        max_bad_share: 0.07,
        ..options()
    }; // 100 × 0.07 is 7.000000000000001
    let error = read_all(&strict, None, &[("a.csv", csv(text))])
        .unwrap_err()
        .to_string();
    assert!(error.contains("more than the 7 % allowed"), "{error}");
}
