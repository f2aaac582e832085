//! Objects that are too large to be fetched as a whole, and objects of several groups of rows.

use super::*;
use crate::store;

const LINES: i64 = 560_000;

/// Customers, products, days and quantities of many lines, some of them bad or returned, in the
/// order of their days.
fn columns() -> (Vec<String>, Vec<String>, Vec<i64>, Vec<Option<i64>>) {
    let customers = (0..LINES)
        .map(|line| format!("customer-{:07}", line * 7_919 % 5_000))
        .collect();
    let products = (0..LINES)
        .map(|line| format!("product-{:012}", line * line % 1_009))
        .collect();
    let start = 1_483_228_800_000_000_i64; // 2017-01-01
    let times = (0..LINES).map(|line| start + line * 70_000_000).collect();
    let quantities = (0..LINES)
        .map(|line| {
            if line % 50_000 == 77 {
                None
            } else {
                Some(i64::from(line % 90 != 0))
            }
        })
        .collect();
    (customers, products, times, quantities)
}

fn as_csv() -> Vec<u8> {
    let (customers, products, times, quantities) = columns();
    let mut text = "customer_id,product_id,timestamp,quantity\n".to_owned();
    for (((customer, product), time), quantity) in
        customers.iter().zip(&products).zip(&times).zip(&quantities)
    {
        let time = chrono::DateTime::from_timestamp_micros(*time)
            .unwrap()
            .naive_utc();
        text.push_str(&format!(
            "{customer},{product},{time},{}\n",
            quantity.map_or(String::new(), |quantity| quantity.to_string())
        ));
    }
    text.into_bytes()
}

fn as_parquet(rows_a_group: usize) -> Vec<u8> {
    let (customers, products, times, quantities) = columns();
    let times = Column::new("timestamp".into(), times)
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap();
    let columns = vec![
        Column::new("customer_id".into(), customers),
        Column::new("product_id".into(), products),
        times,
        Column::new("quantity".into(), quantities),
        // Never fetched.
        Column::new(
            "note".into(),
            (0..LINES)
                .map(|line| format!("note of line {line:040}"))
                .collect::<Vec<String>>(),
        ),
    ];
    let mut out = vec![];
    let writer = ParquetWriter::new(&mut out)
        .with_compression(ParquetCompression::Uncompressed)
        .with_row_group_size(Some(rows_a_group));
    writer
        .finish(&mut DataFrame::new(LINES as usize, columns).unwrap())
        .unwrap();
    out
}

/// Reads files as a command does.
fn read_files(
    files: &[(&str, Vec<u8>)],
    days: NeededDays,
    memory_limit: Option<u64>,
) -> (Ingested, Vec<InputObject>) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let location = runtime
        .block_on(store::open(folder.path().to_str().unwrap()))
        .unwrap();
    for (name, content) in files {
        runtime
            .block_on(location.put(name, content.clone().into(), store::PutMode::Overwrite))
            .unwrap();
    }
    let options = InputOptions {
        max_bad_share: 0.001,
        ..options()
    };
    let uris = [folder.path().to_str().unwrap().to_owned()];
    let (ingested, found) = runtime
        .block_on(read(&uris, &options, days, memory_limit, &|_, _| {}))
        .unwrap();
    (ingested.whole().unwrap(), found)
}

fn without_places(report: &Report) -> String {
    let mut report = report.clone();
    report
        .rejects
        .iter_mut()
        .for_each(|rejects| rejects.first.clear());
    format!("{report:?}")
}

#[test]
fn large_objects_are_read_part_by_part_to_the_same() {
    let (csv, parquet) = (as_csv(), as_parquet(100_000));
    assert!(
        csv.len() > 1 << 24 && parquet.len() > 1 << 24,
        "{} {}",
        csv.len(),
        parquet.len()
    );
    // Where the first group of rows is not needed, it is not looked at.
    let mut damaged = parquet.clone();
    damaged[1_000..1_000_000].fill(0xaa);
    let night: AsOf = "2017-08-01".parse().unwrap();
    for (days, parquet) in [
        (None.into(), &parquet),
        (Some(night).into(), &parquet),
        (NeededDays::up_to(night, 60), &damaged),
    ] {
        let options = InputOptions {
            max_bad_share: 0.001,
            ..options()
        };
        let expected = read_days(&options, days, &[("x.csv", csv.clone())]).unwrap();
        assert_eq!(
            (
                expected.report.after_as_of > 0,
                expected.report.before_history > 0
            ),
            (days.until.is_some(), days.first.is_some())
        );
        let (from_csv, found) = read_files(&[("x.csv", csv.clone())], days, None);
        assert_eq!((found.len(), found[0].size), (1, csv.len() as u64));
        let (from_parquet, _) =
            read_files(&[("x.parquet", parquet.clone())], days, Some(100_000_000));
        let whole = read_days(&options, days, &[("x.parquet", parquet.clone())]).unwrap();
        for read in [from_csv, from_parquet, whole] {
            assert!(read.purchases == expected.purchases);
            assert_eq!(
                without_places(&read.report),
                without_places(&expected.report)
            );
            let (place, row) = if days.first.is_some() {
                (0, 200_078)
            } else {
                (1, 50_078)
            };
            let place = &places(&read.report)[0][place];
            assert!(
                place.contains(&format!("row {row}, column \"quantity\": ")),
                "{place}"
            );
        }
    }
}

#[test]
fn what_has_no_room_is_set_aside_and_comes_back_in_parts() {
    let expected = read_all(
        &InputOptions {
            max_bad_share: 0.001,
            ..options()
        },
        None,
        &[("x.csv", as_csv())],
    )
    .unwrap()
    .purchases;
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let location = runtime
        .block_on(store::open(folder.path().to_str().unwrap()))
        .unwrap();
    runtime
        .block_on(location.put(
            "x.parquet",
            as_parquet(100_000).into(),
            store::PutMode::Overwrite,
        ))
        .unwrap();
    let uris = [folder.path().to_str().unwrap().to_owned()];
    let options = InputOptions {
        max_bad_share: 0.001,
        ..options()
    };
    // Far below what the runs take.
    let (ingested, _) = runtime
        .block_on(read(&uris, &options, None, Some(400_000), &|_, _| {}))
        .unwrap();
    let sharded = ingested.purchases;
    assert!(sharded.count() > 10, "{}", sharded.count());
    let (mut lines, mut customers) = (0, 0);
    assert_eq!(sharded.customers(), expected.customers());
    for at in 0..sharded.count() {
        let partition = sharded.partition(at).unwrap();
        lines += partition.distinct_lines();
        let (history, all) = (
            partition.until(AsOf(*Day::PLAUSIBLE.end())),
            expected.until(AsOf(*Day::PLAUSIBLE.end())),
        );
        for customer in (0..history.customer_count()).filter(|customer| partition.has(*customer)) {
            customers += 1;
            assert!(
                history
                    .purchases_of(customer)
                    .iter()
                    .eq(all.purchases_of(customer).iter())
            );
        }
    }
    assert_eq!(
        (lines, customers),
        (expected.distinct_lines(), expected.customers().len())
    );
}

#[test]
fn groups_of_any_size_and_in_any_number_of_objects_give_the_same() {
    let expected = read_all(
        &InputOptions {
            max_bad_share: 0.001,
            ..options()
        },
        None,
        &[("x.csv", as_csv())],
    )
    .unwrap();
    let (twice, found) = read_files(
        &[
            ("a.parquet", as_parquet(500_000)),
            ("b.parquet", as_parquet(30_000)),
        ],
        None.into(),
        None,
    );
    assert!(twice.purchases == expected.purchases && found.len() == 2);
    assert_eq!(
        (twice.report.objects, twice.report.kept),
        (2, 2 * expected.report.kept)
    );
    assert_eq!(
        twice.report.repeated,
        twice.report.kept - twice.purchases.distinct_lines() as u64
    );
}

#[test]
fn a_large_object_that_is_cut_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let location = runtime
        .block_on(store::open(folder.path().to_str().unwrap()))
        .unwrap();
    let whole = as_parquet(100_000);
    let without_end = whole[..whole.len() - 10].to_vec();
    let mut without_footer = whole.clone();
    let at = whole.len() - 8;
    without_footer[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut with_other_start = whole;
    with_other_start[..4].copy_from_slice(b"PK\x03\x04");
    for (content, expected) in [
        (without_end, "truncated"),
        (without_footer, "damaged"),
        (with_other_start, "no Parquet file"),
    ] {
        runtime
            .block_on(location.put("x.parquet", content.into(), store::PutMode::Overwrite))
            .unwrap();
        let uris = [folder.path().to_str().unwrap().to_owned()];
        let error = runtime
            .block_on(read(&uris, &options(), None, None, &|_, _| {}))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("x.parquet") && error.contains(expected),
            "{error}"
        );
    }
}
