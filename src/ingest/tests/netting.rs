//! What was sold and taken back on the same day was not bought; what is brought back on another day
//! is a return.

use std::collections::{BTreeMap, BTreeSet};

use super::super::formats::FORMATS;
use super::*;
use crate::purchases::tests::InMemorySpill;

const HEADER: &str = "customer_id,product_id,timestamp,quantity,receipt,type\n";

fn with_tickets() -> InputOptions {
    let mut options = options();
    options.columns.basket = Some("receipt".into());
    options
}

/// Reads one CSV file for each text, and gives what was bought and the balance.
fn read_texts(options: &InputOptions, texts: &[&str]) -> (Vec<String>, String) {
    let names: Vec<String> = (0..texts.len()).map(|at| format!("{at}.csv")).collect();
    let files: Vec<(&str, Vec<u8>)> = names
        .iter()
        .zip(texts)
        .map(|(name, text)| (name.as_str(), csv(&format!("{HEADER}{text}"))))
        .collect();
    let read = read_all(options, None, &files).unwrap();
    assert!(read.report.balanced(), "{}", read.report);
    (spelled_out(&read.purchases), read.report.to_string())
}

#[test]
fn a_sale_that_is_voided_on_its_day_was_not_bought() {
    let sold = "7,10,2024-03-01 09:00,2,1,\n7,11,2024-03-01 09:00,1,1,\n";
    let voided = "7,10,2024-03-01 09:01,-2,1,\n";
    let other_day = "7,11,2024-03-02 09:01,-1,2,\n";
    let together = format!("{sold}{voided}{other_day}");
    for texts in [
        vec![together.as_str()],
        vec![sold, voided, other_day],
        vec![other_day, voided, sold],
    ] {
        for options in [options(), with_tickets()] {
            let (bought, balance) = read_texts(&options, &texts);
            assert_eq!(bought, ["7 2024-03-01 11"]);
            assert_eq!(balance, "4 lines read = 1 kept + 2 voided + 1 returned");
        }
    }
}

#[test]
fn what_is_left_of_a_sale_was_bought() {
    for (lines, balance) in [
        (
            "7,10,2024-03-01,3,1,\n7,10,2024-03-01,-2,1,\n",
            "2 lines read = 1 kept + 1 voided",
        ),
        // Scanned twice, voided once, whether the lines follow each other or not.
        (
            "7,10,2024-03-01,1,1,\n7,10,2024-03-01,1,1,\n7,10,2024-03-01,-1,1,\n",
            "3 lines read = 2 kept + 1 voided (1 of the kept repeat another)",
        ),
        (
            "7,10,2024-03-01,1,1,\n7,12,2024-03-01,1,1,\n7,12,2024-03-01,-1,1,\n7,10,2024-03-01,1,1,\n7,10,2024-03-01,-1,1,\n",
            "5 lines read = 2 kept + 3 voided (1 of the kept repeat another)",
        ),
        (
            "7,10,2024-03-01,0.1,1,\n7,10,2024-03-01,0.2,1,\n7,10,2024-03-01,-0.29,1,\n",
            "3 lines read = 2 kept + 1 voided (1 of the kept repeat another)",
        ),
    ] {
        for options in [options(), with_tickets()] {
            let expected = (vec!["7 2024-03-01 10".to_owned()], balance.to_owned());
            assert_eq!(read_texts(&options, &[lines]), expected);
        }
    }
    // Sums of decimals leave nothing over.
    let nothing = "7,10,2024-03-01,0.1,1,\n7,10,2024-03-01,0.2,1,\n7,10,2024-03-01,-0.3,1,\n7,9,2024-03-01,1,1,\n";
    assert_eq!(
        read_texts(&options(), &[nothing]).1,
        "4 lines read = 1 kept + 3 voided"
    );
}

#[test]
fn with_tickets_only_the_same_ticket_is_netted() {
    let lines = "7,10,2024-03-01,1,A-1,\n7,10,2024-03-01,-1,A-2,\n7,11,2024-03-01,1,A-2,\n7,11,2024-03-01,-1,A-2,\n7,11,2024-03-01,1,,\n";
    assert_eq!(
        read_texts(&with_tickets(), &[lines]),
        (
            vec!["7 2024-03-01 10".into(), "7 2024-03-01 11".into()],
            "5 lines read = 2 kept + 2 voided + 1 returned".into()
        )
    );
    assert_eq!(
        read_texts(&options(), &[lines]),
        (
            vec!["7 2024-03-01 11".into()],
            "5 lines read = 2 kept + 3 voided (1 of the kept repeat another)".into()
        )
    );
}

#[test]
fn the_sign_may_stand_in_another_column() {
    let lines = "7,10,2024-03-01,2,1,SALE\n7,10,2024-03-01,2,1,VOID\n7,11,2024-03-01,1,1,SALE\n7,12,2024-03-01,1,1,SALE\n7,12,2024-03-01,-1,1,VOID\n";
    let marked = InputOptions {
        returns: vec![RowFilter::parse("type=VOID,RETURN", "--returns").unwrap()],
        ..options()
    };
    assert_eq!(
        read_texts(&marked, &[lines]),
        (
            vec!["7 2024-03-01 11".into()],
            "5 lines read = 1 kept + 4 voided".into()
        )
    );
    // Without the setting, nothing tells.
    assert_eq!(read_texts(&options(), &[lines]).0.len(), 2);
    // Without quantities, lines are counted.
    let text = "customer_id,product_id,timestamp,type\n7,10,2024-03-01,SALE\n7,10,2024-03-01,VOID\n7,11,2024-03-01,SALE\n7,11,2024-03-01,SALE\n7,11,2024-03-01,VOID\n";
    let read = read_all(&marked, None, &[("a.csv", csv(text))]).unwrap();
    assert_eq!(spelled_out(&read.purchases), ["7 2024-03-01 11"]);
    assert_eq!((read.report.kept, read.report.voided), (2, 3));
}

#[test]
fn what_is_only_brought_back_is_in_no_history() {
    // Its ids are text, and make no text of the others.
    let lines = "7,10,2024-03-01,1,1,\nC8,10,2024-03-01,-1,2,\n7,bag,2024-03-01,-1,1,\n9,10,2024-03-01,1,3,\n9,10,2024-03-01,-1,3,\n";
    let read = read_all(
        &options(),
        None,
        &[("a.csv", csv(&format!("{HEADER}{lines}")))],
    )
    .unwrap();
    assert_eq!(read.purchases.customers(), &Ids::Integer(vec![7]));
    assert_eq!(read.purchases.products(), &Ids::Integer(vec![10]));
    assert_eq!(
        read.report.to_string(),
        "5 lines read = 1 kept + 2 voided + 2 returned"
    );
    assert_eq!(read.warnings, Vec::<String>::new());
}

#[test]
fn ids_that_mean_the_same_are_netted_together() {
    let whole = "7.0,10,2024-03-01,2,1,\n8,11.0,2024-03-01,1,1,\n8,12,2024-03-01,1,1,\n";
    let voids = "7,10.0,2024-03-01,-2,1,\n8,11,2024-03-01,-1,1,\n";
    let (bought, balance) = read_texts(&options(), &[whole, voids]);
    assert_eq!(bought, ["8 2024-03-01 12"]);
    assert_eq!(balance, "5 lines read = 1 kept + 4 voided");
    // As text, 7 and 7.0 are two customers; products are still integers.
    let text = "x,10,2024-03-01,1,1,\n";
    let (bought, balance) = read_texts(&options(), &[whole, voids, text]);
    assert_eq!(
        bought,
        ["7.0 2024-03-01 10", "8 2024-03-01 12", "x 2024-03-01 10"]
    );
    assert_eq!(balance, "6 lines read = 3 kept + 2 voided + 1 returned");
    // The same under both names: sold as 7.0, sold as 7, voided as 7.0.
    let both = "7.0,10,2024-03-01,1,1,\n7,10,2024-03-01,1,1,\n7.0,10,2024-03-01,-2,1,\n7,11,2024-03-01,1,1,\n";
    for options in [options(), with_tickets()] {
        let (bought, balance) = read_texts(&options, &[both]);
        assert_eq!(bought, ["7 2024-03-01 11"]);
        assert_eq!(balance, "4 lines read = 1 kept + 3 voided");
    }
}

#[test]
fn excluded_products_and_zeros_void_nothing() {
    let options = InputOptions {
        exclude_products: vec!["99".into()],
        ..options()
    };
    let lines =
        "7,99,2024-03-01,1,1,\n7,99,2024-03-01,-1,1,\n7,10,2024-03-01,1,1,\n7,10,2024-03-01,0,1,\n";
    assert_eq!(
        read_texts(&options, &[lines]),
        (
            vec!["7 2024-03-01 10".into()],
            "4 lines read = 1 kept + 2 returned + 1 excluded".into()
        )
    );
    // Whether 99.0 is 99 is known when all ids are.
    let undecided = "7,99.0,2024-03-01,3,1,\n7,99.0,2024-03-01,-3,1,\n7,10,2024-03-01,1,1,\n";
    assert_eq!(
        read_texts(&options, &[undecided]).1,
        "3 lines read = 1 kept + 1 returned + 1 excluded"
    );
    assert_eq!(
        read_texts(&options, &[undecided, "7,x,2024-03-01,1,1,\n"]).1,
        "4 lines read = 2 kept + 2 voided"
    );
}

#[test]
fn a_day_of_which_all_was_voided_is_no_purchase() {
    let lines = "7,10,2024-03-01,1,1,\n7,10,2024-03-01,-1,1,\n7,10,2024-03-09,1,2,\n";
    let read = read_all(
        &options(),
        None,
        &[("a.csv", csv(&format!("{HEADER}{lines}")))],
    )
    .unwrap();
    let day = "2024-03-09".parse().unwrap();
    let span = Some(DateRange {
        first: day,
        last: day,
    });
    assert_eq!((read.purchases.len(), read.purchases.span()), (1, span));
    // If nothing is left, the balance says why.
    let voided = "7,10,2024-03-01,1,1,\n7,10,2024-03-01,-1,1,\n";
    let read = read_all(
        &options(),
        None,
        &[("a.csv", csv(&format!("{HEADER}{voided}")))],
    )
    .unwrap();
    let error = staleness(read.purchases.span(), &read.report, AsOf(day)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("2 lines read = 0 kept + 2 voided"),
        "{error}"
    );
}

#[test]
fn quantities_are_read_as_people_write_them() {
    for (sold, voided) in [
        ("3", "3-"),
        ("3", "(3)"),
        ("+3", "\u{2212}3"),
        ("\"0,350\"", "\"-0,350\""),
        ("1 234", "-1234"),
        ("\"1.234,5\"", "-1234.5"),
        ("2 Stk", "2- Stk"),
    ] {
        let lines = format!(
            "7,10,2024-03-01,{sold},1,\n7,10,2024-03-01,{voided},1,\n7,11,2024-03-01,1,1,\n"
        );
        assert_eq!(
            read_texts(&options(), &[&lines]).1,
            "3 lines read = 1 kept + 2 voided",
            "{sold} {voided}"
        );
    }
    let lines = format!("{HEADER}7,10,2024-03-01,3 void,1,\n");
    let error = read_all(&options(), None, &[("a.csv", csv(&lines))]).unwrap_err();
    assert!(
        error.to_string().contains(
            "quantity that is not a number, first a.csv: row 1, column \"quantity\": \"3 void\""
        ),
        "{error}"
    );
}

/// Customer, product, day of March, ticket, quantity in tenths, object.
type Sold = (u8, u8, u8, u8, i64, usize);

const OBJECTS: usize = 3;

fn sold() -> impl Strategy<Value = Vec<Sold>> {
    let quantity = prop_oneof![3 => Just(10_i64), 2 => -30_i64..30, 1 => Just(-10_i64)];
    let line = (1_u8..4, 1_u8..4, 1_u8..3, 0_u8..3, quantity, 0..OBJECTS);
    prop::collection::vec(line, 0..60)
}

/// What was bought, and how many lines were kept, voided and returned, the slow and obvious way.
fn oracle(sold: &[Sold], with_tickets: bool) -> (BTreeSet<String>, [u64; 3]) {
    let mut groups: BTreeMap<[u8; 4], Vec<i64>> = BTreeMap::new();
    let (mut bought, mut counts) = (BTreeSet::new(), [0; 3]);
    for (customer, product, day, ticket, quantity, _) in sold {
        if *quantity == 0 {
            counts[2] += 1;
            continue;
        }
        let ticket = if with_tickets { *ticket } else { 0 };
        let group = groups.entry([*customer, *product, *day, ticket]);
        group.or_default().push(*quantity);
    }
    for ([customer, product, day, _], quantities) in groups {
        let sales = quantities.iter().filter(|quantity| **quantity > 0).count() as u64;
        let voids = quantities.len() as u64 - sales;
        if sales == 0 {
            counts[2] += voids;
        } else if quantities.iter().sum::<i64>() > 0 {
            bought.insert(format!("{customer} 2024-03-0{day} {product}"));
            counts[0] += sales;
            counts[1] += voids;
        } else {
            counts[1] += sales + voids;
        }
    }
    (bought, counts)
}

fn as_csv(lines: &[&Sold]) -> Vec<u8> {
    let mut text = HEADER.to_owned();
    for (customer, product, day, ticket, tenths, _) in lines {
        let quantity = *tenths as f64 / 10.0;
        text.push_str(&format!(
            "{customer},{product},2024-03-0{day} 09:00,{quantity},{ticket},\n"
        ));
    }
    text.into_bytes()
}

fn as_parquet(lines: &[&Sold]) -> Vec<u8> {
    let integers = |of: fn(&Sold) -> u8| -> Vec<i64> {
        lines.iter().map(|line| i64::from(of(line))).collect()
    };
    let first_of_march = 1_709_251_200_000_000_i64;
    let times = lines.iter().map(|line| {
        let day = i64::from(line.2) - 1;
        first_of_march + day * 86_400_000_000
    });
    let times = Column::new("timestamp".into(), times.collect::<Vec<i64>>())
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap();
    let quantities = lines.iter().map(|line| line.4 as f64 / 10.0);
    parquet(vec![
        Column::new("customer_id".into(), integers(|line| line.0)),
        Column::new("product_id".into(), integers(|line| line.1)),
        times,
        Column::new("quantity".into(), quantities.collect::<Vec<f64>>()),
        Column::new("receipt".into(), integers(|line| line.3)),
    ])
}

proptest! {
    #[test]
    fn netting_is_what_an_oracle_says_in_any_order_and_format(sold in sold(), as_text in any::<[bool; OBJECTS]>()) {
        let mut reversed = sold.clone();
        reversed.reverse();
        for options in [options(), with_tickets()] {
            let (bought, counts) = oracle(&sold, options.columns.basket.is_some());
            for (sold, bytes) in [(&sold, None), (&reversed, None), (&sold, Some(64))] {
                let limit = bytes.map(|bytes| MemoryLimit { bytes, spill: Arc::new(InMemorySpill::default()) });
                let mut reader = Reader::with(&options, NeededDays::default(), limit, FORMATS);
                for (object, as_text) in as_text.iter().enumerate() {
                    let lines: Vec<&Sold> = sold.iter().filter(|line| line.5 == object).collect();
                    let content = if *as_text { as_csv(&lines) } else { as_parquet(&lines) };
                    reader.object(&format!("object {object}"), content.into()).unwrap();
                }
                if sold.is_empty() {
                    continue;
                }
                let read = reader.finish_partitioned().unwrap();
                let report = read.report.clone();
                prop_assert!(report.balanced());
                prop_assert_eq!([report.kept, report.voided, report.returned], counts);
                let purchases = read.purchases.purchases().unwrap();
                let read: BTreeSet<String> = spelled_out(&purchases).into_iter().collect();
                prop_assert_eq!(&read, &bought);
            }
        }
    }
}

#[test]
fn a_void_many_batches_later_meets_its_sale() {
    const LINES: usize = 300_000;
    let mut text = HEADER.to_owned();
    for line in 0..LINES {
        let (customer, product) = (line % 500, line / 500);
        let quantity = 1 + line % 3;
        text.push_str(&format!(
            "{customer},{product},2024-03-01,{quantity},{line},\n"
        ));
    }
    // Every tenth product is voided by as much as was sold, and every tenth of these by one less.
    for line in (0..LINES).filter(|line| (line / 500) % 10 == 0) {
        let (customer, product) = (line % 500, line / 500);
        let is_partly = (line / 500) % 100 == 0 && line % 3 > 0;
        let quantity = 1 + line % 3 - usize::from(is_partly);
        text.push_str(&format!(
            "{customer},{product},2024-03-01,-{quantity},{line},\n"
        ));
    }
    let is_voided = |line: &usize| {
        (line / 500).is_multiple_of(10)
            && (!(line / 500).is_multiple_of(100) || line.is_multiple_of(3))
    };
    let voided = (0..LINES).filter(is_voided).count() as u64;
    for options in [options(), with_tickets()] {
        let read = read_all(&options, None, &[("a.csv", text.clone().into_bytes())]).unwrap();
        assert_eq!(read.report.kept, LINES as u64 - voided);
        assert_eq!(read.report.voided, LINES as u64 / 10 + voided);
        assert_eq!(
            read.purchases.distinct_lines() as u64,
            LINES as u64 - voided
        );
    }
}

/// Reads a folder with these files as a command does.
fn read_folder(
    options: &InputOptions,
    texts: &[&str],
    memory_limit: Option<u64>,
) -> (Ingested, usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let location = runtime.block_on(crate::store::open(&path)).unwrap();
    for (at, text) in texts.iter().enumerate() {
        let content = format!("{HEADER}{text}").into_bytes().into();
        let mode = crate::store::PutMode::Overwrite;
        let name = format!("{at}.csv");
        runtime
            .block_on(location.put(&name, content, mode))
            .unwrap();
    }
    let uris = [path];
    let reading = read(&uris, options, None, memory_limit, &|_, _| {});
    let (ingested, objects) = runtime.block_on(reading).unwrap();
    (ingested.whole().unwrap(), objects.len())
}

#[test]
fn what_was_read_before_the_first_void_is_read_again_once() {
    // The order of day and month is known at the end, too.
    let texts = [
        "7,10,05/03/2024,2,1,\n7,11,05/03/2024,1,1,\n7,12,05/03/2024,1,1,\n7,12,05/03/2024,1,1,\n",
        "7,10,13/03/2024,1,2,\n",
        "7,10,05/03/2024,-2,1,\n7,12,05/03/2024,-1,1,\n7,10,13/03/2024,-1,3,\n",
    ];
    for (options, bought, balance) in [
        (
            options(),
            vec!["7 2024-03-05 11", "7 2024-03-05 12"],
            "8 lines read = 3 kept + 5 voided (1 of the kept repeat another)",
        ),
        (
            with_tickets(),
            vec!["7 2024-03-05 11", "7 2024-03-05 12", "7 2024-03-13 10"],
            "8 lines read = 4 kept + 3 voided + 1 returned (1 of the kept repeat another)",
        ),
    ] {
        for limit in [None, Some(64)] {
            let (read, objects) = read_folder(&options, &texts, limit);
            assert_eq!(spelled_out(&read.purchases), bought);
            assert_eq!(read.report.to_string(), balance);
            assert_eq!((read.report.objects, objects), (3, 3));
        }
        let (in_memory, other_balance) = read_texts(&options, &texts);
        assert_eq!(
            (in_memory, other_balance.as_str()),
            (
                bought.iter().map(|line| (*line).to_owned()).collect(),
                balance
            )
        );
    }
}
