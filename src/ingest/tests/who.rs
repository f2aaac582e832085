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
    assert_eq!((report.kept, report.anonymous, report.bad_lines()), (1, 3, 0));
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
        assert!(error.contains(id) && error.contains("digits are lost"), "{error}");
    }
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
    let one = "CustomerID,product_id,timestamp,status\n1,10,2024-03-01,paid\n2,10,2024-03-01,open\n";
    let other = "status,Customer ID,product_id,timestamp\nsent,3,10,2024-03-01\n,4,10,2024-03-01\n";
    let read = read_all(&options, None, &[("a.csv", csv(one)), ("b.csv", csv(other))]).unwrap();
    assert_eq!(read.purchases.customers(), &Ids::Integer(vec![1, 3]));
    assert_eq!((read.report.filtered, read.report.lines_read), (2, 4));
    assert!(read.report.balanced());
    let missing = read_all(&options, None, &[("a.csv", csv("CustomerID,product_id,timestamp\n"))]);
    let error = missing.unwrap_err().to_string();
    assert!(error.contains("\"status\"") && error.contains("--where"), "{error}");
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
