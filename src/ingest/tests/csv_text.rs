//! CSV as tills, spreadsheets and databases write it: each right, or refused with the way out.

use super::*;

/// What is read of one file.
fn read(options: &InputOptions, text: &[u8]) -> Result<Ingested> {
    read_all(options, None, &[("a.csv", text.to_vec())])
}

fn lines_of(options: &InputOptions, text: &[u8]) -> Vec<String> {
    let read = read(options, text).unwrap_or_else(|error| panic!("{error}"));
    assert!(read.report.balanced());
    spelled_out(&read.purchases)
}

fn error_of(options: &InputOptions, text: &[u8]) -> String {
    read(options, text).unwrap_err().to_string()
}

fn of_columns(customer: &str, product: &str, time: &str) -> InputOptions {
    InputOptions {
        columns: ColumnNames {
            customer: customer.into(),
            product: product.into(),
            time: time.into(),
            ..ColumnNames::default()
        },
        ..options()
    }
}

fn german() -> InputOptions {
    let options = of_columns("Kunde", "Artikel", "Datum");
    InputOptions {
        columns: ColumnNames {
            quantity: Some("Menge".into()),
            ..options.columns
        },
        ..options
    }
}

const GERMAN: &str =
    "Kunde;Artikel;Datum;Menge\n0850;04726;2024-03-01;0,350\n0877;04780;2024-03-02;2\n";
const GERMAN_LINES: [&str; 2] = ["0850 2024-03-01 04726", "0877 2024-03-02 04780"];

#[test]
fn what_stands_around_the_table_is_no_line_of_it() {
    let titled = format!("Verkaufsbericht Müllerstraße;;;\nStand: 01.03.2024\n;;;\n\n{GERMAN}");
    let ways = [
        ("as it is", GERMAN.to_owned(), 2),
        ("titles", titled, 2),
        ("sep=", format!("sep=;\r\n{GERMAN}"), 2),
        ("sep= in quotes", format!("\u{feff}\"SEP=;\"\n{GERMAN}"), 2),
        ("CR", GERMAN.replace('\n', "\r"), 2),
        ("CR and LF mixed", GERMAN.replacen('\n', "\r\n", 1), 2),
        (
            "CR, and LF at the end",
            format!("{}\n", GERMAN.replace('\n', "\r")),
            2,
        ),
        (
            "a ruler",
            GERMAN.replacen('\n', "\n-----;-----;-----;-----\n", 1),
            2,
        ),
        (
            "separators at the ends of lines",
            GERMAN.replace("0\n", "0;\n").replace("2\n", "2;\n"),
            2,
        ),
        (
            "one at the end of the header",
            GERMAN.replace("Menge\n", "Menge;\n"),
            2,
        ),
        (
            "totals",
            format!("{GERMAN};Summe;;2,350\n\n;;;\nEnde des Berichts\n"),
            5,
        ),
        ("count of rows", format!("{GERMAN}\n(2 rows affected)\n"), 3),
        ("Ctrl-Z", format!("{GERMAN}\u{1a}"), 2),
        ("blanks at the end", format!("{GERMAN}   \n"), 2),
        ("repeated header", format!("{GERMAN}{GERMAN}"), 5),
    ];
    for (way, text, read_lines) in ways {
        let read =
            read(&german(), text.as_bytes()).unwrap_or_else(|error| panic!("{way}: {error}"));
        assert_eq!(spelled_out(&read.purchases), GERMAN_LINES, "{way}");
        assert_eq!(read.report.lines_read, read_lines, "{way}: {}", read.report);
        assert!(
            read.report.balanced() && read.report.bad_lines() == 0,
            "{way}: {}",
            read.report
        );
    }
}

#[test]
fn titles_and_footers_are_told_and_counted() {
    let text = format!("Bericht;;;\n{GERMAN}{GERMAN};Summe;;2,350\nEnde des Berichts\n");
    let read = read(&german(), text.as_bytes()).unwrap();
    assert_eq!((read.report.footers, read.report.repeated_headers), (2, 1));
    assert_eq!(
        read.report.to_string(),
        "7 lines read = 4 kept + 1 repeated headers + 2 totals or footers (2 of the kept repeat another)"
    );
    assert_eq!(
        read.warnings,
        [
            "1 line before the header skipped as titles, a.csv: \"Bericht;;;\"",
            "2 lines at the end left out as totals or footers, a.csv: \";Summe;;2,350\", \"Ende des Berichts\"",
        ]
    );
}

#[test]
fn what_looks_like_a_footer_amid_the_lines_or_may_be_a_sale_is_bad() {
    let allowed = InputOptions {
        max_bad_share: 1.0,
        ..german()
    };
    for (text, bad) in [
        // Amid the lines.
        (format!("{GERMAN};Summe;;2,350\n0850;1;2024-03-03;1\n"), 1),
        (format!("{GERMAN};;;\n;;;\n0850;1;2024-03-03;1\n"), 2),
        // A sale that lacks its time, one with a separator too many, one that is cut off.
        (format!("{GERMAN}0850;1;;1\n"), 1),
        (format!("{GERMAN}0850;1;2024-03-03;1;9\n"), 1),
        (format!("{GERMAN}0850;1"), 1),
        (format!("{GERMAN}08"), 1),
        // More than an object ends with, and an object of nothing else.
        (format!("{GERMAN}{}", "Fuss\n".repeat(15)), 15),
        ("Kunde;Artikel;Datum\n1,2,2024-03-01\n".to_owned(), 1),
    ] {
        let read = read(&allowed, text.as_bytes()).unwrap();
        assert_eq!(
            (read.report.bad_lines(), read.report.footers),
            (bad, 0),
            "{text}"
        );
        assert!(read.report.balanced());
    }
}

#[test]
fn data_before_the_header_are_data() {
    let text = "7,10,2017-10-30\ncustomer_id,product_id,timestamp\n8,11,2017-10-31\n";
    let read = read(&options(), text.as_bytes()).unwrap();
    assert_eq!(
        spelled_out(&read.purchases),
        ["7 2017-10-30 10", "8 2017-10-31 11"]
    );
    assert_eq!(read.report.repeated_headers, 1);
}

#[test]
fn a_header_that_comes_again_may_have_the_columns_in_another_order() {
    let text = format!("{GERMAN}Datum;Kunde;Menge;Artikel\n2024-03-03;0899;1;04811\n");
    let read = read(&german(), text.as_bytes()).unwrap();
    assert_eq!(
        spelled_out(&read.purchases).last().unwrap(),
        "0899 2024-03-03 04811"
    );
    assert_eq!(read.report.repeated_headers, 1);
}

#[test]
fn columns_may_be_given_by_their_numbers() {
    let numbered = of_columns("#1", "#3", "#2");
    let lines = ["7 2017-10-30 10", "8 2017-10-31 11"];
    for text in [
        "7|2017-10-30 09:00|10|x\n8|2017-10-31|11|y\n",
        "7;2017-10-30;10;0,5\n8;2017-10-31;11;0,7\n",
        "who,when,what\n7,2017-10-30,10\n8,2017-10-31,11\n",
        "Report\n\nwho,when,what\n7,2017-10-30,10\n8,2017-10-31,11\nwho,when,what\n",
    ] {
        assert_eq!(lines_of(&numbered, text.as_bytes()), lines, "{text}");
    }
    let error = error_of(&of_columns("#1", "#9", "#2"), b"7,2017-10-30,10\n");
    assert!(
        error.starts_with("a.csv: there is no field #9: most lines have 3 fields\nhint: "),
        "{error}"
    );
}

#[test]
fn a_file_without_a_header_is_refused_with_the_flags() {
    let text = "Kasse 3;17867;2017-10-30 09:34:00;59;6\nKasse 3;17868;2017-10-30 09:35:00;23;5\n";
    assert_eq!(
        error_of(&options(), text.as_bytes()),
        "a.csv: there is no header: the first line looks like data: '#1' \"Kasse 3\", '#2' \"17867\", \
         '#3' \"2017-10-30 09:34:00\", '#4' \"59\", '#5' \"6\"\n\
         hint: name the columns by their numbers: --time '#3' --customer '#…' --product '#…', each with the number of its field; \
         a quantity, if there is one, with --quantity '#…'"
    );
    let basket =
        "milk,bread\ntea\neggs,milk,figs\nmilk\nbread,tea,figs,eggs\ntea\nrice\nmilk,rice\n";
    let error = error_of(&options(), basket.as_bytes());
    assert!(
        error.starts_with("a.csv: this looks like one basket a line: lines have 1 to 4 fields"),
        "{error}"
    );
    let titled = "Report of May\n\nclient,sku,day\n7,10,2017-10-30\n8,11,2017-10-31\n";
    let error = error_of(&options(), titled.as_bytes());
    assert!(
        error.contains("the columns are \"client\", \"sku\", \"day\"\n"),
        "{error}"
    );
}

#[test]
fn the_first_header_holds_for_objects_without_one() {
    let first = csv("customer_id,product_id,timestamp\n7,10,2017-10-30\n");
    let second = csv("8,11,2017-10-31\n");
    let files = [
        ("part-0.csv", first.clone()),
        ("part-1.csv", second.clone()),
        ("part-2.csv", first.clone()),
    ];
    let read = read_all(&options(), None, &files).unwrap();
    assert_eq!(
        spelled_out(&read.purchases),
        ["7 2017-10-30 10", "8 2017-10-31 11"]
    );
    assert_eq!(
        read.warnings.last().unwrap(),
        "there is no column \"quantity\": all lines count as sales, and no return can be dropped; name the column with --quantity"
    );
    assert_eq!(
        read.warnings[0],
        "part-1.csv has no header: the columns of the first object with one hold for it"
    );
    // Another number of fields, and a first line that is no data.
    for other in ["8,11,2017-10-31,1\n", "who,what,when\n8,11,2017-10-31\n"] {
        assert!(
            read_all(
                &options(),
                None,
                &[("part-0.csv", first.clone()), ("part-1.csv", csv(other))]
            )
            .is_err()
        );
    }
    // There is no header before it.
    assert!(read_all(&options(), None, &[("part-0.csv", second)]).is_err());
}

#[test]
fn encodings_are_told_by_marks_bytes_or_the_setting() {
    let text = GERMAN.replace("04726", "Müsli");
    let expected = ["0850 2024-03-01 Müsli", "0877 2024-03-02 04780"];
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [&[0xff, 0xfe][..], &utf16].concat();
    let latin: Vec<u8> = text.chars().map(|character| character as u8).collect();
    let set = InputOptions {
        encoding: Some("latin-1".into()),
        ..german()
    };
    assert_eq!(lines_of(&german(), &marked), expected);
    assert_eq!(lines_of(&german(), &utf16), expected);
    assert_eq!(lines_of(&set, &latin), expected);
    // A mark is surer than the setting.
    assert_eq!(
        lines_of(&set, &[&[0xef, 0xbb, 0xbf][..], text.as_bytes()].concat()),
        expected
    );
    assert_eq!(lines_of(&set, &marked), expected);
    let error = error_of(&german(), &latin);
    assert!(
        error.contains("1 × product that is not UTF-8") && error.contains("--encoding: cp1252"),
        "{error}"
    );
    // Only other columns are affected.
    let other = [
        &b"n\xe4her;"[..],
        GERMAN
            .replace('\n', "\n\u{e4};")
            .trim_end_matches("ä;")
            .as_bytes(),
    ]
    .concat();
    let other: Vec<u8> = other.into_iter().filter(|byte| *byte != 0xc3).collect();
    assert_eq!(lines_of(&german(), &other), GERMAN_LINES);
}

#[test]
fn half_of_a_character_at_the_end_is_seen() {
    let mut utf16: Vec<u8> = GERMAN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    utf16.truncate(utf16.len() - 1);
    utf16.splice(0..0, [0xff, 0xfe]);
    let allowed = InputOptions {
        max_bad_share: 1.0,
        ..german()
    };
    let read = read(&allowed, &utf16).unwrap();
    assert_eq!(read.report.bad_lines(), 1, "{}", read.report);
}

const TILL: &str = "customer_id\tproduct_id\ttimestamp\tname\n7\t10\t2017-10-28\tTEA\n7\t11\t2017-10-29\t\"EGGS LA\n8\t12\t2017-10-30\tMILK\n8\t13\t2017-10-31\tPIZZA 12\"\n9\t14\t2017-10-31\tRUSK\n";

#[test]
fn a_quote_that_swallows_lines_is_an_error_with_its_row() {
    assert_eq!(
        error_of(&options(), TILL.as_bytes()),
        "a.csv: row 2, column \"name\": a quote is opened here, and 2 lines below stand within it\n\
         hint: if quotes are text in this file, read it with --quotes none: then all 4 lines from here on have the 4 fields of the header; \
         or close the quote in row 2, or double it if it belongs to the text"
    );
    let none = InputOptions {
        quotes: Quotes::None,
        ..options()
    };
    assert_eq!(lines_of(&none, TILL.as_bytes()).len(), 5);
    // In the middle of a line, and closed within a line of three quotes.
    let middle = "customer_id,name,product_id,timestamp\n7,\"EGGS,10,2017-10-28\n8,TEA 3\",11,2017-10-29\n9,M,12,2017-10-30\n";
    assert!(
        error_of(&options(), middle.as_bytes()).starts_with(
            "a.csv: row 1, column \"name\": a quote is opened here, and the line below"
        )
    );
    let other = TILL.replace("MILK", "\"MILK\"");
    assert!(
        error_of(&options(), other.as_bytes())
            .starts_with("a.csv: row 2, column \"name\": a quote is opened here")
    );
    // Quotes that enclose fields elsewhere: they cannot all be text.
    let mixed = TILL.replace("TEA", "\"TEA\t5\"");
    let error = error_of(&options(), mixed.as_bytes());
    assert!(error.contains("hint: close the quote in row 2"), "{error}");
}

#[test]
fn fields_of_several_lines_and_inches_are_read() {
    let text = "customer_id,product_id,timestamp,address\n7,10,2017-10-30,\"High St 1\nLondon, UK\"\n8,11,2017-10-31,\"a\n\nb, c, d\"\n9,12,2017-10-31,TV 12\"\n9,\"13\",2017-10-31,\"12\"\" TV\"\n";
    assert_eq!(lines_of(&options(), text.as_bytes()).len(), 4);
    let first =
        "address,customer_id,product_id,timestamp\n\"High St 1\nLondon, UK, EU\",7,10,2017-10-30\n";
    assert_eq!(lines_of(&options(), first.as_bytes()), ["7 2017-10-30 10"]);
}

#[test]
fn backslashes_and_blanks_before_quotes_are_read_where_a_line_is_whole_with_them() {
    let spark = "customer_id,product_id,timestamp,name\n7,10,2017-10-30,\"MUG 12\\\" ROUND, BOXED\"\n\"7\",11,2017-10-31,\"12\\\"\"\n8,10,2017-10-31,\"MUG 3\\\", x\"\n9,10,2017-10-31,\\N\n";
    assert_eq!(
        lines_of(&options(), spark.as_bytes()),
        [
            "7 2017-10-30 10",
            "7 2017-10-31 11",
            "8 2017-10-31 10",
            "9 2017-10-31 10"
        ]
    );
    // A path that ends with a backslash is whole as it stands.
    let path = "customer_id,product_id,timestamp,path\n7,\"C:\\\",2017-10-30,x\n";
    assert_eq!(lines_of(&options(), path.as_bytes()), ["7 2017-10-30 C:\\"]);
    let blanks = "customer_id, \"product_id\", timestamp, name\n7, 10, 2017-10-30, \"a, b\"\n8, \"11\", 2017-10-31, c\n";
    assert_eq!(
        lines_of(&options(), blanks.as_bytes()),
        ["7 2017-10-30 10", "8 2017-10-31 11"]
    );
    let seldom = "customer_id,product_id,timestamp,name\n7,10,2017-10-30, \"a, b\"\n";
    assert_eq!(lines_of(&options(), seldom.as_bytes()), ["7 2017-10-30 10"]);
}

#[test]
fn lines_that_end_in_another_way_are_not_swallowed() {
    let text = "customer_id,product_id,timestamp\n7,10,2017-10-30\n7,11,2017-10-30\r8,12,2017-10-31\r8,13,2017-10-31\n";
    let allowed = InputOptions {
        max_bad_share: 1.0,
        ..options()
    };
    let error = error_of(&allowed, text.as_bytes());
    assert!(
        error.starts_with("a.csv: row 2: 3 lines stand in one"),
        "{error}"
    );
    // A carriage return within a text is part of it.
    let text = "customer_id,name,product_id,timestamp\n7,a\rb,10,2017-10-30\n";
    assert_eq!(lines_of(&options(), text.as_bytes()), ["7 2017-10-30 10"]);
}

#[test]
fn a_line_without_end_is_not_blamed_on_a_quote() {
    let text = format!(
        "customer_id,product_id,timestamp\n7,10,2017-10-30,{}",
        "x".repeat(17 << 20)
    );
    let error = error_of(&options(), format!("{text},\n").as_bytes());
    assert!(
        error.starts_with("a.csv: row 1: a line is longer than 16 MB"),
        "{error}"
    );
    let error = error_of(&options(), "x".repeat(17 << 20).as_bytes());
    assert!(
        error.starts_with("a.csv: a line is longer than 16 MB"),
        "{error}"
    );
}

#[test]
fn lists_of_products_in_a_field_are_refused() {
    let text = "customer_id,product_id,timestamp\n7,\"48\",2017-10-30\n7,\"67,49\",2017-10-30\n8,\"1,2,3\",2017-10-31\n8,\"9,4\",2017-10-31\n";
    assert!(error_of(&options(), text.as_bytes()).starts_with(
        "a.csv: column \"product_id\": the column holds lists of products, such as \"1,2,3\", and not one product a line\nhint: write one line"
    ));
}

#[test]
fn names_of_rows_without_a_name_are_those_of_r() {
    let text = "\"customer_id\" \"x\"\n".replace(' ', ",") + "";
    let r = "\"customer_id\",\"product_id\",\"timestamp\"\n\"1\",7,10,\"2017-10-30\"\n\"2\",8,11,\"2017-10-31\"\n";
    assert!(read(&options(), text.as_bytes()).is_err());
    assert_eq!(
        lines_of(&options(), r.as_bytes()),
        ["7 2017-10-30 10", "8 2017-10-31 11"]
    );
}

proptest! {
    #[test]
    fn no_text_is_read_without_a_balance(
        text in "([a7,;\"\\\\ \n\r|-]|2017-10-30|customer_id|product_id|timestamp|sep=;){0,60}",
        has_header in any::<bool>(),
    ) {
        let allowed = InputOptions { max_bad_share: 1.0, ..options() };
        let header = if has_header { "customer_id,product_id,timestamp\n" } else { "" };
        for allowed in [allowed.clone(), InputOptions { quotes: Quotes::None, ..allowed.clone() }, of_columns("#1", "#2", "#3")] {
            if let Ok(read) = read(&allowed, format!("{header}{text}").as_bytes()) {
                prop_assert!(read.report.balanced());
            }
        }
    }
}
