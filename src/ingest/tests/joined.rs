//! Tickets in more than one table.

#![allow(clippy::disallowed_methods, reason = "a test writes its input")]

use super::*;
use crate::config::Layer;
use crate::purchases::Facts;

/// Files in a folder, and what is read of them.
pub(super) struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    pub(super) fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        Self { folder }
    }

    /// Settings as in okuo.toml, in which `DIR` is the folder.
    fn options(&self, settings: &str) -> (Vec<String>, InputOptions) {
        let folder = self.folder.path().to_str().unwrap();
        let layer = Layer::parse("okuo.toml", &settings.replace("DIR", folder)).unwrap();
        let config = layer.check().unwrap();
        (config.inputs, config.input)
    }

    fn read_until(&self, settings: &str, until: Option<&str>) -> Result<Ingested> {
        let (uris, options) = self.options(settings);
        let until: Option<AsOf> = until.map(|day| day.parse().unwrap());
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (ingested, _) = runtime.block_on(read(&uris, &options, until, None, &|_, _| {}))?;
        assert!(ingested.report.balanced(), "{}", ingested.report);
        ingested.whole()
    }

    pub(super) fn read(&self, settings: &str) -> Result<Ingested> {
        self.read_until(settings, None)
    }

    pub(super) fn products(&self, settings: &str) -> Result<ProductTable> {
        let (_, options) = self.options(settings);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let read = runtime.block_on(read_products(&options, &|_, _| {}))?;
        Ok(read.unwrap().0)
    }
}

/// Every purchase as `customer day products`.
pub(super) fn bought(ingested: &Ingested) -> Vec<String> {
    let history = ingested.purchases.until(AsOf(*Day::PLAUSIBLE.end()));
    let mut bought = vec![];
    for customer in 0..history.customer_count() {
        for (day, basket) in history.purchases_of(customer).iter() {
            let products: Vec<String> = basket
                .iter()
                .map(|product| history.products().text(*product))
                .collect();
            let customer = history.customers().text(customer);
            bought.push(format!("{customer} {day} {}", products.join("+")));
        }
    }
    bought
}

pub(super) const SETTINGS: &str = "\
[columns]
basket = \"order_id\"
customer = \"user_id\"
product = \"product_id\"
time = \"sold_at\"
[input]
paths = [\"DIR/lines.csv\"]
[input.tickets]
paths = [\"DIR/orders.csv\"]
";

pub(super) const LINES: &str =
    "order_id,product_id,quantity\n11,501,1\n11,502,2\n13,501,1\n12,503,2\n12,503,-1\n";
pub(super) const ORDERS: &str = "order_id,user_id,sold_at,status\n\
    12,71,2024-03-02 23:10:00,paid\n11,70,2024-03-01,paid\n13,70,2024-03-05 08:00:00,paid\n";

#[test]
fn lines_take_customer_and_day_from_their_tickets_header() {
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(ORDERS))]);
    let ingested = shop.read(SETTINGS).unwrap();
    let expected = [
        "70 2024-03-01 501+502",
        "70 2024-03-05 501",
        "71 2024-03-02 503",
    ];
    assert_eq!(bought(&ingested), expected);
    assert_eq!(ingested.report.lines_read, 5, "headers are no lines");
    assert_eq!(ingested.report.without_header, 0);
    let headers = ingested.report.headers.unwrap();
    assert_eq!(
        (headers.tickets, headers.unused, headers.contradicting),
        (3, 0, 0)
    );
    assert_eq!(ingested.warnings, [""; 0]);
}

#[test]
fn a_column_of_the_lines_that_is_named_is_not_looked_for_in_the_headers() {
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(ORDERS))]);
    let named = SETTINGS.replace("[columns]\n", "[columns]\nquantity = \"quantity\"\n");
    assert_eq!(bought(&shop.read(&named).unwrap()).len(), 3);
    let no_such = SETTINGS.replace("[columns]\n", "[columns]\nquantity = \"pieces\"\n");
    let error = shop.read(&no_such).unwrap_err().to_string();
    assert!(
        error.contains("lines.csv: there is no column \"pieces\""),
        "{error}"
    );
}

#[test]
fn what_a_ticket_takes_back_is_netted_and_days_first_are_found_by_evidence() {
    let lines = format!("{LINES}13,504,3\n13,504,-3\n");
    let orders = "order_id,user_id,sold_at\n12,71,02/03/2024\n11,70,21/03/2024\n13,70,05/04/2024\n";
    let shop = Shop::new(&[("lines.csv", csv(&lines)), ("orders.csv", csv(orders))]);
    let expected = [
        "70 2024-03-21 501+502",
        "70 2024-04-05 501",
        "71 2024-03-02 503",
    ];
    let ingested = shop.read(SETTINGS).unwrap();
    assert_eq!(bought(&ingested), expected);
    assert!(
        ingested
            .warnings
            .iter()
            .any(|warning| warning.contains("day")),
        "{:?}",
        ingested.warnings
    );
}

#[test]
fn tables_may_have_other_names_formats_and_types() {
    let orders = parquet(vec![
        Column::new("id".into(), [12_i64, 11, 13]),
        Column::new("client".into(), [71_i32, 70, 70]),
        text_column("bought", &["2024-03-02", "2024-03-01", "2024-03-05"]),
    ]);
    let shop = Shop::new(&[
        ("lines.csv", csv(&LINES.replace("11,", "11.0,"))),
        ("orders.parquet", orders),
    ]);
    let settings = "\
        [columns]\nbasket = \"order_id\"\n\
        [input]\npaths = [\"DIR/lines.csv\"]\n\
        [input.tickets]\npaths = [\"DIR/orders.parquet\"]\nticket = \"id\"\ncustomer = \"client\"\ntime = \"bought\"\n";
    let expected = [
        "70 2024-03-01 501+502",
        "70 2024-03-05 501",
        "71 2024-03-02 503",
    ];
    assert_eq!(bought(&shop.read(settings).unwrap()), expected);
}

#[test]
fn times_of_headers_become_days_as_those_of_lines_do() {
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(ORDERS))]);
    let early = SETTINGS.replace("[input]\n", "[input]\nday_start = 9\n");
    let expected = [
        "70 2024-03-01 501+502",
        "70 2024-03-04 501",
        "71 2024-03-02 503",
    ];
    assert_eq!(bought(&shop.read(&early).unwrap()), expected);
    let zone = "[input]\nutc = true\ntime_zone = \"Asia/Tokyo\"\n";
    let expected = [
        "70 2024-03-01 501+502",
        "70 2024-03-05 501",
        "71 2024-03-03 503",
    ];
    assert_eq!(
        bought(&shop.read(&SETTINGS.replace("[input]\n", zone)).unwrap()),
        expected
    );
}

#[test]
fn lines_after_the_night_are_counted_as_such_and_not_as_without_header() {
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(ORDERS))]);
    let ingested = shop.read_until(SETTINGS, Some("2024-03-02")).unwrap();
    assert_eq!(
        (ingested.report.after_as_of, ingested.report.without_header),
        (1, 0)
    );
    assert_eq!(bought(&ingested).len(), 2);
}

#[test]
fn a_line_without_a_header_is_counted_with_its_place() {
    let lines = format!("{LINES}14,501,1\n");
    let shop = Shop::new(&[
        ("lines.csv", csv(&lines)),
        (
            "orders.csv",
            csv(&format!("{ORDERS}15,72,2024-03-06,paid\n")),
        ),
    ]);
    let ingested = shop.read(SETTINGS).unwrap();
    assert_eq!(ingested.report.without_header, 1);
    assert!(
        ingested
            .report
            .to_string()
            .contains("+ 1 without a header of their ticket")
    );
    assert!(
        ingested.warnings[0].starts_with("1 of 6 lines have a ticket that has no header, first ")
            && ingested.warnings[0]
                .ends_with("lines.csv: row 6, column \"order_id\": \"14\": they are left out"),
        "{:?}",
        ingested.warnings
    );
    assert_eq!(
        ingested.warnings[1],
        "1 of 4 tickets that have a header have no line"
    );
}

#[test]
fn ids_that_do_not_meet_are_refused() {
    let lines = LINES
        .replace("11,", "011,")
        .replace("12,", "012,")
        .replace("13,", "013,");
    let shop = Shop::new(&[("lines.csv", csv(&lines)), ("orders.csv", csv(ORDERS))]);
    let error = shop.read(SETTINGS).unwrap_err().to_string();
    assert!(
        error.contains("5 of 5 lines have a ticket that has no header"),
        "{error}"
    );
    assert!(
        error.contains("the ids of the headers' tickets are integers, such as 11"),
        "{error}"
    );
    assert!(error.contains("007 is not 7"), "{error}");
}

#[test]
fn headers_that_contradict_each_other_are_refused_or_left_out() {
    let orders = format!("{ORDERS}11,99,2024-03-01,paid\n13,70,2024-03-05 08:00:00,paid\n");
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(&orders))]);
    let error = shop.read(SETTINGS).unwrap_err().to_string();
    let told = "1 of 3 tickets have headers that contradict each other: ticket 11 is of customer 70 on 2024-03-01 and of customer 99 on 2024-03-01";
    assert!(error.contains(told), "{error}");
    let lenient = SETTINGS.replace("[input]\n", "[input]\nmax_bad_share = 0.5\n");
    let ingested = shop.read(&lenient).unwrap();
    assert_eq!(
        bought(&ingested),
        ["70 2024-03-05 501", "71 2024-03-02 503"]
    );
    assert_eq!(ingested.report.without_header, 2);
    assert!(
        ingested.warnings[0].contains("ticket 11 is of customer 70"),
        "{:?}",
        ingested.warnings
    );
}

#[test]
fn tickets_of_nobody_are_anonymous_sales() {
    let orders = ORDERS
        .replace(",71,", ",,")
        .replace(",70,2024-03-05", ",0,2024-03-05");
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(&orders))]);
    let settings = SETTINGS.replace("[input]\n", "[input]\nanonymous = [\"0\"]\n");
    let ingested = shop.read(&settings).unwrap();
    assert_eq!(bought(&ingested), ["70 2024-03-01 501+502"]);
    assert_eq!(
        (ingested.report.without_header, ingested.report.anonymous),
        (0, 2)
    );
    let history = ingested.purchases.until(AsOf(*Day::PLAUSIBLE.end()));
    let days: Vec<String> = history
        .anonymous_sales()
        .iter()
        .map(|sale| sale.day.to_string())
        .collect();
    assert_eq!(days, ["2024-03-02", "2024-03-05"]);
}

#[test]
fn bad_headers_and_tickets_are_told_by_their_columns() {
    let orders = ORDERS.replace("11,70", ",70");
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(&orders))]);
    let error = shop.read(SETTINGS).unwrap_err().to_string();
    assert!(
        error.contains("1 × no ticket, first ")
            && error.contains("orders.csv: row 2, column \"order_id\""),
        "{error}"
    );
    let shop = Shop::new(&[
        ("lines.csv", csv(&LINES.replace("12,503,2", ",503,2"))),
        ("orders.csv", csv(ORDERS)),
    ]);
    let error = shop.read(SETTINGS).unwrap_err().to_string();
    assert!(
        error.contains("1 × no ticket, first ")
            && error.contains("lines.csv: row 4, column \"order_id\""),
        "{error}"
    );
    let shop = Shop::new(&[
        ("lines.csv", csv(LINES)),
        ("orders.csv", csv(&ORDERS.replace("user_id", "client_no"))),
    ]);
    let error = shop.read(SETTINGS).unwrap_err().to_string();
    assert!(
        error.contains("orders.csv: there is no column \"user_id\"")
            && error.contains("--tickets-customer"),
        "{error}"
    );
}

#[test]
fn a_persons_several_ids_become_one_customer() {
    let customers = "user_id,person\n70,P-1\n71,P-1\n73,P-3\n";
    let shop = Shop::new(&[
        ("lines.csv", csv(LINES)),
        ("orders.csv", csv(ORDERS)),
        ("customers.csv", csv(customers)),
    ]);
    let settings = format!(
        "{SETTINGS}[input.customers]\npaths = [\"DIR/customers.csv\"]\nperson = \"person\"\n"
    );
    let ingested = shop.read(&settings).unwrap();
    let expected = [
        "P-1 2024-03-01 501+502",
        "P-1 2024-03-02 503",
        "P-1 2024-03-05 501",
    ];
    assert_eq!(bought(&ingested), expected);

    let missing = Shop::new(&[
        ("lines.csv", csv(LINES)),
        ("orders.csv", csv(ORDERS)),
        ("customers.csv", csv("user_id,person\n70,P-1\n")),
    ]);
    let ingested = missing.read(&settings).unwrap();
    assert_eq!(
        bought(&ingested),
        ["P-1 2024-03-01 501+502", "P-1 2024-03-05 501"]
    );
    assert_eq!(ingested.report.anonymous, 1);
    assert!(
        ingested.warnings[0].starts_with("1 of 3 lines with a customer name one that the table of customers does not have, for example \"71\""),
        "{:?}",
        ingested.warnings
    );
    let none = Shop::new(&[
        ("lines.csv", csv(LINES)),
        ("orders.csv", csv(ORDERS)),
        ("customers.csv", csv("user_id,person\n070,P-1\n")),
    ]);
    let error = none.read(&settings).unwrap_err().to_string();
    assert!(
        error.contains("its ids are text, such as \"070\"") && error.contains("--customers-id"),
        "{error}"
    );
}

#[test]
fn persons_are_looked_up_for_lines_that_say_everything() {
    let parquet = parquet(vec![
        Column::new("customer_id".into(), [1_i64, 2, 3]),
        Column::new("product_id".into(), [5_i64, 6, 7]),
        text_column("timestamp", &["2024-03-01", "2024-03-01", "2024-03-02"]),
        Column::new("quantity".into(), [1.0, 1.0, 1.0]),
    ]);
    let shop = Shop::new(&[
        ("lines.parquet", parquet),
        (
            "customers.csv",
            csv("customer_id,person\n1,40\n2,40\n3,41\n"),
        ),
    ]);
    let settings = "[input]\npaths = [\"DIR/lines.parquet\"]\n\
        [input.customers]\npaths = [\"DIR/customers.csv\"]\nperson = \"person\"\n";
    assert_eq!(
        bought(&shop.read(settings).unwrap()),
        ["40 2024-03-01 5+6", "41 2024-03-02 7"]
    );
}

#[test]
fn products_are_named() {
    let products = "id;label;group;price\n501;Oat milk;drinks;1.25\n502;\"Rye; dark\";;x\n502;Rye bread;bakery;2.5\n;nothing;;\n504;Salt;spices;0.5\n";
    let shop = Shop::new(&[
        ("lines.csv", csv(LINES)),
        ("orders.csv", csv(ORDERS)),
        ("products.csv", csv(products)),
    ]);
    let settings = format!(
        "{SETTINGS}[input.products]\npaths = [\"DIR/products.csv\"]\nid = \"id\"\nname = \"label\"\ncategory = \"group\"\nprice = \"price\"\n"
    );
    let table = shop.products(&settings).unwrap();
    let ingested = shop.read(&settings).unwrap();
    let products = ingested.purchases.products();
    let text = |values: Vec<Option<Arc<str>>>| -> Vec<String> {
        let texts = values
            .into_iter()
            .map(|value| value.map(|text| text.to_string()));
        texts
            .map(|text| text.unwrap_or_else(|| "–".into()))
            .collect()
    };
    assert_eq!(
        text(table.names_of(products)),
        ["Oat milk", "Rye bread", "–"]
    );
    assert_eq!(
        text(table.categories_of(products).unwrap()),
        ["drinks", "bakery", "–"]
    );
    assert_eq!(
        table.prices_of(products).unwrap(),
        [Some(1.25), Some(2.5), None]
    );
    assert_eq!(
        table.warnings(products),
        [
            "1 rows of the table of products have no product id and are left out",
            "1 rows of the table of products give a product another name than an earlier row: the last one counts",
            "1 of 3 products of the tickets are not in the table of products, for example 503: they have no name",
        ]
    );
    let error = shop
        .products(&settings.replace("\"label\"", "\"name\""))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("products.csv: there is no column \"name\""),
        "{error}"
    );
}

#[test]
fn a_product_table_of_other_ids_is_warned_of() {
    let shop = Shop::new(&[(
        "products.csv",
        csv("product_id,product_name\n0501,Oat milk\n"),
    )]);
    let table = shop
        .products("[input.products]\npaths = [\"DIR/products.csv\"]\n")
        .unwrap();
    let warnings = table.warnings(&Ids::Integer(vec![501]));
    assert!(
        warnings[0].ends_with(
            "the table's ids are text, such as \"0501\": map another column with --products-id"
        ),
        "{warnings:?}"
    );
}

/// Facts of a shop whose lines have categories, prices and stores.
fn facts(shop: &Shop, settings: &str) -> (Ingested, Facts) {
    let ingested = shop.read(settings).unwrap();
    let facts = ingested.facts.clone();
    (ingested, facts)
}

#[test]
fn categories_prices_and_stores_of_lines_are_kept_for_each_night() {
    let lines = "customer_id,product_id,timestamp,quantity,group,unit,shop\n\
        8,21,2024-03-01,1,fresh,2.50,north\n\
        8,21,2024-03-03,1,dairy,2.75,south\n\
        8,22,2024-03-03,1,,,south\n\
        9,21,2024-03-04,2,dairy,2.25,north\n\
        9,21,2024-03-04,-1,voided,99,north\n\
        ,22,2024-03-05,1,frozen,4,east\n";
    let shop = Shop::new(&[("lines.csv", csv(lines))]);
    let settings = "[columns]\ncategory = \"group\"\nprice = \"unit\"\nstore = \"shop\"\n[input]\npaths = [\"DIR/lines.csv\"]\n";
    let (ingested, facts) = facts(&shop, settings);
    let code = |id: &str| ingested.purchases.products().code(id).unwrap();
    let customer = |id: &str| ingested.purchases.customers().code(id).unwrap();
    let on = |day: &str| -> AsOf { day.parse().unwrap() };
    let category = |product, day| {
        facts
            .category(code(product), on(day))
            .map(|id| id.to_string())
    };
    assert_eq!(category("21", "2024-02-29"), None);
    assert_eq!(category("21", "2024-03-02").unwrap(), "fresh");
    assert_eq!(category("21", "2024-03-09").unwrap(), "dairy");
    assert_eq!(category("22", "2024-03-04"), None);
    assert_eq!(
        category("22", "2024-03-05").unwrap(),
        "frozen",
        "a sale of nobody's tells of its product"
    );
    let price = |product, day| facts.last_price(code(product), on(day));
    assert_eq!(
        [
            price("21", "2024-03-03"),
            price("21", "2024-03-04"),
            price("22", "2024-03-04")
        ],
        [Some(2.75), Some(2.25), None]
    );
    let store = |id, day| {
        facts
            .usual_store(customer(id), on(day))
            .map(|id| id.to_string())
    };
    assert_eq!(store("8", "2024-03-01").unwrap(), "north");
    assert_eq!(store("8", "2024-03-03").unwrap(), "south");
    assert_eq!(store("9", "2024-03-03"), None);
    assert_eq!(store("9", "2024-03-04").unwrap(), "north");

    let unmapped = shop.read("[input]\npaths = [\"DIR/lines.csv\"]\n").unwrap();
    assert_eq!(unmapped.facts, Facts::default());
    assert_eq!(bought(&unmapped), bought(&ingested));
}

#[test]
fn the_store_may_stand_in_the_header() {
    let orders = ORDERS
        .replace("status", "shop")
        .replace("11,70,2024-03-01,paid", "11,70,2024-03-01,Halle");
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(&orders))]);
    let settings = SETTINGS.replace("[columns]\n", "[columns]\nstore = \"shop\"\n");
    let (ingested, facts) = facts(&shop, &settings);
    let store = |id: &str, day: &str| {
        let customer = ingested.purchases.customers().code(id).unwrap();
        facts
            .usual_store(customer, day.parse().unwrap())
            .map(|id| id.to_string())
    };
    assert_eq!(store("70", "2024-03-01").unwrap(), "Halle");
    assert_eq!(store("70", "2024-03-05").unwrap(), "paid");
    assert_eq!(store("71", "2024-03-05").unwrap(), "paid");
    let nowhere = SETTINGS.replace("[columns]\n", "[columns]\nstore = \"branch\"\n");
    let error = shop.read(&nowhere).unwrap_err().to_string();
    assert!(
        error.contains("lines.csv: there is no column \"branch\""),
        "{error}"
    );
}

#[test]
fn headers_are_filtered_by_their_own_columns() {
    let orders = ORDERS.replace("08:00:00,paid", "08:00:00,canceled");
    let shop = Shop::new(&[("lines.csv", csv(LINES)), ("orders.csv", csv(&orders))]);
    let settings = format!("{SETTINGS}where = [\"status!=canceled\"]\n");
    let ingested = shop.read(&settings).unwrap();
    assert_eq!(
        bought(&ingested),
        ["70 2024-03-01 501+502", "71 2024-03-02 503"]
    );
    assert_eq!(ingested.report.without_header, 1);
    let most = format!("{SETTINGS}where = [\"status=canceled\"]\n");
    assert_eq!(shop.read(&most).unwrap().report.without_header, 4);
    let no_such = shop.read(&format!("{SETTINGS}where = [\"state=paid\"]\n"));
    let error = no_such.unwrap_err().to_string();
    assert!(
        error.contains("orders.csv: there is no column \"state\""),
        "{error}"
    );
}
