use polars::prelude::{AnyValue, DataFrame, ParquetReader, SerReader};

use super::writer::FilledColumn;
use super::*;
use crate::domain::{Ids, OwnedId, examples};
use crate::offers::{OfferMix, OfferParameters, offers};
use crate::publish::parquet::row_count;

fn all(predictions: &Predictions) -> Vec<TableFile> {
    let offers = offers(predictions, &OfferParameters::default()).unwrap();
    files(
        predictions,
        &offers,
        &[Format::Jsonl, Format::Csv, Format::Csv],
    )
    .unwrap()
}

fn written(name: &'static str, format: Format, columns: Result<Vec<FilledColumn>>) -> TableFile {
    let mut table = TableWriter::new(name, format);
    table.write(columns.unwrap()).unwrap();
    table.finish().unwrap()
}

fn context<'a>(predictions: &'a Predictions, details: &'a Details) -> FillContext<'a> {
    FillContext {
        predictions,
        details,
    }
}

/// Something of each kind for some of the products and customers of `examples::text`.
fn details() -> Details {
    Details {
        product_names: Some(vec![Some("Rye \"bread\",\n500 g".into()), None]),
        categories: Some(vec![None, None, Some("cereals".into())]),
        last_prices: Some(vec![Some(2.5), None, None]),
        brands: Some(vec![None, Some("Mill".into())]),
        stores: Some(vec![(OwnedId::Text("søren".into()), "Halle".into())]),
        segments: Some(vec![(OwnedId::Text("søren".into()), "gold".into())]),
        ..Details::default()
    }
}

fn all_with(predictions: &Predictions, details: Details) -> Vec<TableFile> {
    let offers = offers(predictions, &OfferParameters::default()).unwrap();
    let mut tables = Tables::new(&[Format::Jsonl, Format::Csv], details);
    tables.push(predictions, &offers).unwrap();
    tables.finish().unwrap()
}

fn read(file: &TableFile) -> DataFrame {
    ParquetReader::new(std::io::Cursor::new(&file.content))
        .finish()
        .unwrap()
}

fn types(frame: &DataFrame) -> Vec<(String, String)> {
    frame
        .schema()
        .iter()
        .map(|(name, kind)| (name.to_string(), kind.to_string()))
        .collect()
}

fn described(columns: &[(&str, &str)]) -> Vec<(String, String)> {
    columns
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()))
        .collect()
}

#[test]
fn the_columns_and_types_are_those_of_the_contract() {
    for (predictions, id) in [(examples::integer(), "i64"), (examples::text(), "str")] {
        let files = all(&predictions);
        let names: Vec<_> = files
            .iter()
            .map(|file| (file.name.as_str(), file.file.as_str(), file.rows))
            .collect();
        assert_eq!(
            names,
            [
                ("customers", "customers.parquet", 3),
                ("products", "products.parquet", 6),
                ("offers", "offers.parquet", 6),
                ("offers.csv", "offers.csv", 6),
                ("offers.jsonl", "offers.jsonl", 6)
            ]
        );
        let customers = [
            ("customer_id", id),
            ("as_of", "date"),
            ("last_purchase", "date"),
            ("days_since_last", "i32"),
            ("purchases_90d", "i32"),
            ("days_to_next", "f64"),
            ("expected_date", "date"),
            ("earliest_date", "date"),
            ("latest_date", "date"),
            ("p_return_7d", "f64"),
            ("p_return_14d", "f64"),
            ("p_return_28d", "f64"),
            ("expected_basket_size", "f64"),
            ("model_id", "str"),
        ];
        assert_eq!(types(&read(&files[0])), described(&customers));
        let products = [
            ("customer_id", id),
            ("as_of", "date"),
            ("rank", "i32"),
            ("product_id", id),
            ("probability", "f64"),
            ("times_bought", "i32"),
            ("days_since_bought", "i32"),
            ("typical_gap_days", "f64"),
            ("model", "str"),
            ("reason", "str"),
        ];
        assert_eq!(types(&read(&files[1])), described(&products));
        let offers = [
            ("customer_id", id),
            ("product_id", id),
            ("rank", "i32"),
            ("probability", "f64"),
            ("send_on", "date"),
            ("valid_from", "date"),
            ("valid_until", "date"),
            ("action", "str"),
            ("arm", "str"),
            ("reason", "str"),
            ("due", "bool"),
            ("strategy", "str"),
            ("p_window", "f64"),
            ("p_buy_without", "str"),
            ("offer_arm", "str"),
        ];
        assert_eq!(types(&read(&files[2])), described(&offers));
        assert!(
            files[..3]
                .iter()
                .all(|file| row_count(&file.file, &file.content).unwrap() == file.rows)
        );
    }
}

#[test]
fn the_declared_columns_are_those_of_the_files() {
    let files = all_with(&examples::text(), details());
    let mut names = vec![];
    for (table, file) in schema().iter().zip(&files) {
        assert_eq!(table.name, file.name);
        let frame = read(file);
        let written = frame.columns();
        assert_eq!(table.columns.len(), written.len());
        for (declared, column) in table.columns.iter().zip(written) {
            let name = column.name().as_str();
            let polars_type = match declared.column_type {
                ColumnType::Id | ColumnType::Text => "str",
                ColumnType::Date => "date",
                ColumnType::Integer => "i32",
                ColumnType::Double => "f64",
                ColumnType::Boolean => "bool",
            };
            assert_eq!(
                (declared.name, polars_type),
                (name, column.dtype().to_string().as_str())
            );
            assert!(declared.nullable || column.null_count() == 0, "{name}");
            assert!(
                !declared.meaning.is_empty() && !declared.meaning.contains('\n'),
                "{name}"
            );
            names.extend(declared.nullable.then_some(name.to_owned()));
        }
    }
    assert_eq!(
        names,
        [
            "store",
            "segment",
            "days_since_bought",
            "typical_gap_days",
            "product_name",
            "category",
            "last_price",
            "brand",
            "send_on",
            "valid_from",
            "valid_until",
            "product_name",
            "category",
            "last_price",
            "segment",
            "expected_cost",
            "gain_needed",
            "discount",
            "brand"
        ]
    );
}

#[test]
fn values_stand_where_they_belong() {
    let predictions = examples::integer();
    let night = predictions.as_of.day();
    let files = all(&predictions);
    let customers = read(&files[0]);
    let value = |frame: &DataFrame, column: &str, row: usize| {
        frame
            .column(column)
            .unwrap()
            .get(row)
            .unwrap()
            .into_static()
    };
    assert_eq!(
        value(&customers, "customer_id", 2),
        AnyValue::Int64(i64::MAX)
    );
    assert_eq!(value(&customers, "customer_id", 0), AnyValue::Int64(-5));
    assert_eq!(value(&customers, "days_since_last", 0), AnyValue::Int32(3));
    assert_eq!(value(&customers, "days_to_next", 0), AnyValue::Float64(3.6));
    assert_eq!(
        value(&customers, "expected_date", 0),
        AnyValue::Date((night + 4).epoch())
    );
    assert_eq!(
        value(&customers, "earliest_date", 0),
        AnyValue::Date((night + 2).epoch())
    );
    assert_eq!(
        value(&customers, "latest_date", 0),
        AnyValue::Date((night + 9).epoch())
    );
    assert_eq!(
        value(&customers, "p_return_28d", 0),
        AnyValue::Float64(0.97)
    );
    let products = read(&files[1]);
    let column = |name: &str| {
        (0..6)
            .map(|row| value(&products, name, row).to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        column("customer_id"),
        ["-5", "-5", "-5", "2469", "2469", "2469"]
    );
    assert_eq!(column("rank"), ["1", "2", "3", "1", "2", "3"]);
    assert_eq!(column("product_id"), ["30", "10", "20", "30", "10", "20"]);
    assert_eq!(column("times_bought")[..3], ["4", "0", "1"]);
    assert_eq!(column("days_since_bought")[..3], ["20", "null", "40"]);
    assert_eq!(column("typical_gap_days")[..3], ["9.5", "null", "null"]);
    let text = read(&all(&examples::text())[1]);
    assert_eq!(
        value(&text, "product_id", 1),
        AnyValue::StringOwned("0001".into()),
        "text that looks like a number stays text"
    );
    assert_eq!(
        value(&text, "customer_id", 3),
        AnyValue::StringOwned("søren".into())
    );
}

#[test]
fn csv_and_json_lines_say_the_same() {
    let predictions = examples::text();
    let likely = &predictions.customers;
    let predictions = Predictions {
        customers: vec![CustomerPrediction {
            customer: 1,
            ..likely[0].clone()
        }],
        ..predictions
    };
    let offers = offers(
        &predictions,
        &OfferParameters {
            recent_gap_share: 1.0,
            per_customer: 1,
            mix: OfferMix::ONLY_LIKELY,
            ..OfferParameters::default()
        },
    )
    .unwrap();
    let text = |format| {
        String::from_utf8(
            written(
                "offers",
                format,
                fill(
                    &OFFER_COLUMNS,
                    &offers,
                    context(&predictions, &Details::default()),
                ),
            )
            .content
            .to_vec(),
        )
        .unwrap()
    };
    let (arm, p_window) = (offers[0].arm.word(), offers[0].p_window);
    assert_eq!(
        text(Format::Csv),
        format!(
            "customer_id,product_id,rank,probability,send_on,valid_from,valid_until,action,arm,reason,due,strategy,p_window,p_buy_without,offer_arm\n\
             \"bob, \"\"b\"\"\",oats,1,0.8,2017-11-02,2017-11-02,2017-11-09,offer,{arm},\"bought on 4 of the last 10 visits; \
             every 10 days on average, last 20 days ago\",false,likely,{p_window},7 in 10 would buy it without,treatment\n"
        )
    );
    assert_eq!(
        text(Format::Jsonl),
        format!(
            "{{\"customer_id\":\"bob, \\\"b\\\"\",\"product_id\":\"oats\",\"rank\":1,\"probability\":0.8,\"send_on\":\"2017-11-02\",\
             \"valid_from\":\"2017-11-02\",\"valid_until\":\"2017-11-09\",\"action\":\"offer\",\"arm\":\"{arm}\",\
             \"reason\":\"bought on 4 of the last 10 visits; every 10 days on average, last 20 days ago\",\
             \"due\":false,\"strategy\":\"likely\",\"p_window\":{p_window},\"p_buy_without\":\"7 in 10 would buy it without\",\"offer_arm\":\"treatment\"}}\n"
        )
    );
    let rows: Vec<ProductRecord<'_>> = product_rows(&predictions, &predictions.customers).collect();
    let products = written(
        "products",
        Format::Jsonl,
        fill(
            &ProductRecord::COLUMNS,
            &rows,
            context(&predictions, &Details::default()),
        ),
    );
    let second: serde_json::Value = serde_json::from_slice(
        products
            .content
            .split(|byte| *byte == b'\n')
            .nth(1)
            .unwrap(),
    )
    .unwrap();
    assert_eq!(second["typical_gap_days"], serde_json::Value::Null);
    assert_eq!(second["model"], "product");
}

#[test]
fn ids_that_would_be_formulas_are_texts_in_a_spreadsheet() {
    let ids = ["+49 30", "-2+3", "-5", "=1+1", "@cmd", "a=b"];
    let mut predictions = examples::predictions(
        Ids::Text(ids.map(String::from).to_vec()),
        Ids::Text(vec!["=p".into()]),
    );
    let one = CustomerPrediction {
        products: vec![examples::new_product(0, 0.5)],
        ..predictions.customers[0].clone()
    };
    let codes = 0..ids.len() as u32;
    predictions.customers = codes
        .map(|customer| CustomerPrediction {
            customer,
            ..one.clone()
        })
        .collect();
    let files = all(&predictions);
    let starts = |file: &str| -> Vec<String> {
        let file = files.iter().find(|other| other.file == file).unwrap();
        let text = std::str::from_utf8(&file.content).unwrap();
        let lines = text.lines().filter(|line| !line.starts_with("customer_id"));
        lines
            .map(|line| {
                line.split(",\"rank\"")
                    .next()
                    .unwrap()
                    .split(",1,")
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(
        starts("offers.csv"),
        [
            "'+49 30,'=p",
            "'-2+3,'=p",
            "-5,'=p",
            "'=1+1,'=p",
            "'@cmd,'=p",
            "a=b,'=p"
        ]
    );
    assert_eq!(
        starts("offers.jsonl")[3],
        "{\"customer_id\":\"=1+1\",\"product_id\":\"=p\"",
        "machines get ids as they came"
    );
}

#[test]
fn a_workbook_has_the_rows_with_text_as_text_and_the_same_bytes() {
    use calamine::{Data, Reader};
    let mut predictions = examples::text();
    let ids = ["=1+1", "@cmd", "a & <b>", "x_x0041_\u{1}"].map(String::from);
    predictions.customer_ids = Ids::Text(ids.to_vec());
    let offers = offers(&predictions, &OfferParameters::default()).unwrap();
    let write = || files(&predictions, &offers, &[Format::Xlsx]).unwrap();
    let (tables, again) = (write(), write());
    assert_eq!(tables, again);
    let xlsx = tables
        .iter()
        .find(|table| table.file == "offers.xlsx")
        .unwrap();
    assert_eq!(
        (xlsx.name.as_str(), xlsx.rows as usize),
        ("offers.xlsx", offers.len())
    );
    let content = std::io::Cursor::new(xlsx.content.to_vec());
    let mut workbook = calamine::Xlsx::new(content).unwrap();
    let sheet = workbook.worksheet_range("offers").unwrap();
    assert_eq!(sheet.height(), offers.len() + 1);
    assert_eq!(
        workbook
            .worksheet_formula("offers")
            .unwrap()
            .used_cells()
            .count(),
        0
    );
    let names: Vec<String> = sheet
        .rows()
        .next()
        .unwrap()
        .iter()
        .map(Data::to_string)
        .collect();
    let parquet = read(tables.iter().find(|table| table.name == "offers").unwrap());
    let columns = parquet.get_column_names();
    let columns: Vec<String> = columns.iter().map(|name| name.to_string()).collect();
    assert_eq!(names, columns);
    let at = |name: &str| names.iter().position(|known| known == name).unwrap();
    for (row, offer) in sheet.rows().skip(1).zip(&offers) {
        let id = &ids[offer.customer as usize];
        match id.as_str() {
            // The reader does not decode what Excel decodes.
            "x_x0041_\u{1}" => {
                let cell = row[0].to_string();
                assert!(cell == *id || cell == "x_x005F_x0041__x0001_", "{cell}");
            }
            _ => assert_eq!(row[0], Data::String(id.clone())),
        }
        assert_eq!(row[at("probability")], Data::Float(offer.probability));
        assert_eq!(row[at("due")], Data::Bool(offer.due));
        match offer.dates {
            Some(dates) => {
                let day = match &row[at("send_on")] {
                    Data::DateTime(day) => day.as_f64(),
                    other => panic!("{other:?} is no day"),
                };
                assert_eq!(day as i32 - 25_569, dates.send_on.epoch());
            }
            None => assert_eq!(row[at("send_on")], Data::Empty),
        }
    }
}

#[test]
fn details_are_columns_only_where_they_are_mapped() {
    let predictions = examples::text();
    let names = Details {
        product_names: details().product_names,
        ..Details::default()
    };
    let width = |files: &[TableFile]| [0, 1, 2].map(|at| read(&files[at]).width());
    assert_eq!(width(&all(&predictions)), [14, 10, 15]);
    assert_eq!(width(&all_with(&predictions, names)), [14, 11, 16]);
    assert_eq!(width(&all_with(&predictions, details())), [16, 14, 23]);
}

#[test]
fn details_stand_beside_their_products_and_customers() {
    let files = all_with(&examples::text(), details());
    let column = |file: usize, name: &str| -> Vec<Option<String>> {
        let frame = read(&files[file]);
        let column = frame.column(name).unwrap().str().unwrap().clone();
        column.iter().map(|text| text.map(String::from)).collect()
    };
    let [rye, cereals, halle] = ["Rye \"bread\",\n500 g", "cereals", "Halle"];
    // Products 2, 0 and 1 of two customers.
    let twice = |three: [Option<&str>; 3]| -> Vec<Option<String>> {
        let both = three.into_iter().chain(three);
        both.map(|text| text.map(String::from)).collect()
    };
    for table in [1, 2] {
        assert_eq!(
            column(table, "product_name"),
            twice([None, Some(rye), None])
        );
        assert_eq!(
            column(table, "category"),
            twice([Some(cereals), None, None])
        );
    }
    let prices = read(&files[2])
        .column("last_price")
        .unwrap()
        .f64()
        .unwrap()
        .clone();
    let prices: Vec<Option<f64>> = prices.iter().take(3).collect();
    assert_eq!(prices, [None, Some(2.5), None]);
    assert_eq!(column(0, "store"), [None, Some(halle.to_owned()), None]);
    let json = files
        .iter()
        .find(|file| file.file == "offers.jsonl")
        .unwrap();
    let lines: Vec<serde_json::Value> = json
        .content
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines[1]["product_name"], rye);
    assert_eq!(lines[0]["product_name"], serde_json::Value::Null);
    let csv = files.iter().find(|file| file.file == "offers.csv").unwrap();
    let text = std::str::from_utf8(&csv.content).unwrap();
    assert!(
        text.contains(",\"Rye \"\"bread\"\",\n500 g\",,2.5,"),
        "{text}"
    );
}

#[test]
fn the_same_predictions_give_the_same_bytes() {
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let one = pool(1).install(|| all(&examples::text()));
    assert_eq!(one, pool(4).install(|| all(&examples::text())));
    assert_eq!(one, all(&examples::text()));
}

#[test]
fn a_night_without_customers_still_has_its_columns() {
    let nobody = Predictions {
        customers: vec![],
        ..examples::integer()
    };
    for file in all(&nobody) {
        assert_eq!(file.rows, 0);
        match file.file.rsplit('.').next() {
            Some("parquet") => assert_eq!(read(&file).height(), 0, "{}", file.name),
            Some("csv") => assert_eq!(file.content.split(|byte| *byte == b'\n').count(), 2),
            _ => assert!(file.content.is_empty()),
        }
    }
    assert_eq!(read(&all(&nobody)[0]).width(), 14);
}

#[test]
fn many_rows_are_several_row_groups_in_order() {
    let ids = Ids::Integer((0..25_000).collect());
    let mut predictions = examples::predictions(ids, Ids::Integer(vec![10, 20, 30]));
    let first = predictions.customers[0].clone();
    predictions.customers = (0..25_000)
        .map(|customer| CustomerPrediction {
            customer,
            ..first.clone()
        })
        .collect();
    let file = all(&predictions).swap_remove(0);
    assert_eq!(
        (file.rows, row_count("x", &file.content).unwrap()),
        (25_000, 25_000)
    );
    let frame = read(&file);
    let ids: Vec<i64> = frame
        .column("customer_id")
        .unwrap()
        .i64()
        .unwrap()
        .into_no_null_iter()
        .collect();
    assert_eq!(ids, (0..25_000).collect::<Vec<_>>());
}

#[test]
fn slice_after_slice_of_the_customers_gives_the_same_files() {
    let slice = |ids: std::ops::Range<i64>| {
        let mut predictions = examples::predictions(
            Ids::Integer(ids.clone().collect()),
            Ids::Integer(vec![10, 20, 30]),
        );
        let first = predictions.customers[0].clone();
        predictions.customers = (0..)
            .zip(ids)
            .map(|(customer, _)| CustomerPrediction {
                customer,
                ..first.clone()
            })
            .collect();
        predictions
    };
    let mut tables = Tables::new(&[Format::Jsonl, Format::Csv], Details::default());
    for ids in [0..20_000, 20_000..21_500] {
        let predictions = slice(ids);
        tables
            .push(
                &predictions,
                &offers(&predictions, &OfferParameters::default()).unwrap(),
            )
            .unwrap();
    }
    let files = tables.finish().unwrap();
    let csv = files.iter().find(|file| file.file == "offers.csv").unwrap();
    assert_eq!(
        csv.content.iter().filter(|byte| **byte == b'\n').count() as u64,
        csv.rows + 1,
        "one header"
    );
    assert!(files == all(&slice(0..21_500)));
}

#[test]
fn what_is_wrong_is_not_written() {
    let refused = |change: &dyn Fn(&mut Predictions), word: &str| {
        let mut predictions = examples::integer();
        change(&mut predictions);
        let error = files(&predictions, &[], &[]).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    };
    refused(
        &|p| p.customers[0].days_to_next = f64::NAN,
        "customer -5 is wrong: days_to_next is NaN",
    );
    refused(
        &|p| p.customers[0].days_to_next = 0.4,
        "days_to_next is 0.4",
    );
    refused(&|p| p.customers[1].customer = 0, "twice or out of order");
    refused(
        &|p| p.customers[0].return_probability = [0.5, 0.4, 0.9],
        "fall with time",
    );
    refused(
        &|p| p.customers[0].return_probability = [0.5, 0.6, 1.1],
        "p_return_28d is 1.1",
    );
    refused(
        &|p| p.customers[0].latest = p.customers[0].earliest - 1,
        "the next from",
    );
    refused(
        &|p| p.customers[0].earliest = p.as_of.day(),
        "the next from",
    );
    refused(
        &|p| p.customers[0].last_purchase = p.as_of.day() + 1,
        "the last purchase is on",
    );
    refused(
        &|p| p.customers[0].expected_basket_size = f64::INFINITY,
        "expected_basket_size is inf",
    );
    refused(
        &|p| p.customers[0].products[0].probability = f64::NAN,
        "NaN, not a probability",
    );
    refused(
        &|p| p.customers[0].products.swap(0, 1),
        "descending probability",
    );
    refused(
        &|p| p.customers[0].products[1].product = 2,
        "a product twice",
    );
    refused(
        &|p| p.customers[0].products[1].typical_gap_days = Some(f64::NAN),
        "typical gap",
    );
    refused(
        &|p| {
            p.customers[0].products = (0..26)
                .map(|code| examples::new_product(code, 0.5))
                .collect()
        },
        "26 products",
    );
    refused(
        &|p| p.product_ids = Ids::Integer(vec![1]),
        "which has no id",
    );
    assert!(
        row_count("x.parquet", &Bytes::from_static(b"PAR1PAR1"))
            .unwrap_err()
            .to_string()
            .starts_with("x.parquet: ")
    );
}

#[test]
fn formats_are_named_by_their_extension() {
    for format in Format::ALL {
        assert_eq!(format.extension().parse::<Format>().unwrap(), format);
    }
    assert!(
        "xls"
            .parse::<Format>()
            .unwrap_err()
            .to_string()
            .contains("hint: the formats are parquet, csv, jsonl and xlsx")
    );
}
