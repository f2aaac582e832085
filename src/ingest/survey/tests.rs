//! Whole samples, as files of several countries look.

use super::*;

/// A table from text with `;` between the cells.
fn table(text: &str) -> SampledTable {
    let mut lines = text.trim().lines().map(str::trim);
    let columns: Vec<String> = lines
        .next()
        .unwrap()
        .split(';')
        .map(str::to_owned)
        .collect();
    let rows = lines
        .map(|line| {
            let cells = line.split(';');
            cells
                .map(|cell| (!cell.is_empty()).then(|| cell.to_owned()))
                .collect()
        })
        .collect();
    SampledTable {
        objects: vec!["tickets.csv".into()],
        sample: TableSample {
            columns,
            rows,
            ..TableSample::default()
        },
    }
}

fn column(survey: &Survey, role: ColumnMeaning) -> Option<&str> {
    let choice = survey.roles.iter().find(|choice| choice.role == role)?;
    Some(&choice.column)
}

fn setting(survey: &Survey, path: &str) -> Option<serde_json::Value> {
    let mut settings = survey.settings.iter();
    settings
        .find(|setting| setting.path == path && setting.is_set)
        .map(|setting| setting.value.clone())
}

fn of(text: &str) -> Survey {
    survey(vec![table(text)], &GivenSettings::default())
}

/// Lines of customers who come back: `line` makes each of the customer's number and the day's.
fn lines(header: &str, line: impl Fn(u32, u32) -> String) -> String {
    let mut text = header.to_owned();
    for day in 1..=20 {
        for customer in 1..=40 {
            text.push('\n');
            text.push_str(&line(customer, day));
        }
    }
    text
}

#[test]
fn a_german_till_is_understood() {
    let text = lines(
        "Bon;Kunden-Nr.;Artikel-Nr.;Artikelbezeichnung;Datum;Uhrzeit;Menge;Umsatz (€)",
        |customer, day| {
            format!(
                "{};{customer:08};004711;Brötchen;{day:02}.03.2024;10:15;0,350;1.234,50 €",
                customer * 100 + day
            )
        },
    );
    let found = of(&text);
    use ColumnMeaning as M;
    for (role, name) in [
        (M::Customer, "Kunden-Nr."),
        (M::Product, "Artikel-Nr."),
        (M::Time, "Datum"),
        (M::Quantity, "Menge"),
        (M::Basket, "Bon"),
    ] {
        assert_eq!(column(&found, role), Some(name));
    }
    assert_eq!(column(&found, M::Price), None, "a line's total is no price");
    assert_eq!(
        setting(&found, "input.time_format"),
        Some("day-first".into())
    );
    assert!(
        found.missing.is_empty() && found.problems.is_empty(),
        "{found:?}"
    );
}

#[test]
fn the_customer_is_the_one_who_comes_back() {
    let text = lines(
        "order_purchase_timestamp;customer_id;customer_unique_id;product_id",
        |customer, day| {
            format!(
                "2024-03-{day:02} 10:00:00;o{};c{customer};p{}",
                customer * 100 + day,
                day % 3
            )
        },
    );
    let found = of(&text);
    assert_eq!(
        column(&found, ColumnMeaning::Customer),
        Some("customer_unique_id")
    );
    let choice = &found.roles[0];
    assert!(
        choice
            .reason
            .contains("no \"customer_id\" is seen on two days"),
        "{choice:?}"
    );
}

#[test]
fn what_the_owner_says_stands() {
    let text = lines("date;customer_id;card;sku;ean", |customer, day| {
        format!("2024-03-{day:02};{customer};{};1;2", 100 + customer)
    });
    let given = GivenSettings {
        columns: GivenColumns::from([(ColumnMeaning::Customer, vec!["card".into()])]),
        ..GivenSettings::default()
    };
    let found = survey(vec![table(&text)], &given);
    assert_eq!(column(&found, ColumnMeaning::Customer), Some("card"));
    assert_eq!(found.roles[0].certainty, Certainty::Given);
}

#[test]
fn dates_that_contradict_each_other_are_not_settled() {
    let contradictory = of("date;customer;product\n13/03/2024;1;1\n03/13/2024;2;1");
    assert_eq!(setting(&contradictory, "input.time_format"), None);
    assert!(
        contradictory
            .check
            .iter()
            .any(|check| check.contains("swapped")),
        "{contradictory:?}"
    );
    let open = of("date;customer;product\n03/04/2024;1;1\n05/06/2024;2;1");
    assert_eq!(setting(&open, "input.time_format"), None);
    assert!(
        open.check
            .iter()
            .any(|check| check.contains("--time-format")),
        "{open:?}"
    );
    let month = of("date;customer;product\n03/14/2024;1;1\n05/06/2024;2;1");
    assert_eq!(
        setting(&month, "input.time_format"),
        Some("month-first".into())
    );
}

#[test]
fn words_that_take_back_are_returns_where_no_sign_says_so() {
    let text = lines(
        "timestamp;customer;product;quantity;type",
        |customer, day| {
            let kind = if customer == 7 { "VOID" } else { "SALE" };
            format!("2024-03-{day:02} 09:00:00;{customer};{day};2;{kind}")
        },
    );
    assert_eq!(
        setting(&of(&text), "input.returns"),
        Some(serde_json::json!(["type=VOID"]))
    );
    let signed = text.replace(";2;VOID", ";-2;VOID");
    let found = of(&signed);
    assert_eq!(setting(&found, "input.returns"), None);
    assert!(
        found.sure.iter().any(|sure| sure.contains("below 0")),
        "{found:?}"
    );
}

#[test]
fn tickets_of_returns_are_no_baskets() {
    let text = lines(
        "timestamp;customer;product;quantity;InvoiceNo",
        |customer, day| {
            let number = customer * 100 + day;
            match customer {
                7 => format!("2024-03-{day:02} 09:00:00;{customer};{day};-1;C{number}"),
                _ => format!("2024-03-{day:02} 09:00:00;{customer};{day};1;{number}"),
            }
        },
    );
    assert_eq!(column(&of(&text), ColumnMeaning::Basket), None);
    let same = text.replace(";-1;C", ";1;");
    assert_eq!(column(&of(&same), ColumnMeaning::Basket), Some("InvoiceNo"));
}

#[test]
fn a_file_without_a_header_is_known_by_what_stays_the_same() {
    let text = lines("#1;#2;#3;#4", |customer, day| {
        let line = |product: u32| {
            format!(
                "2024-03-{day:02} {:02}:{:02}:00;{};{product};{}",
                9 + customer % 12,
                customer,
                17_850 + customer,
                1 + product % 3
            )
        };
        format!(
            "{}\n{}",
            line(500 + (customer + day) % 70),
            line(600 + (customer * day) % 70)
        )
    });
    let found = of(&text);
    use ColumnMeaning as M;
    assert_eq!(
        [M::Customer, M::Product, M::Time, M::Quantity].map(|role| column(&found, role)),
        [Some("#2"), Some("#3"), Some("#1"), Some("#4")]
    );
    assert!(
        found
            .roles
            .iter()
            .any(|choice| choice.certainty == Certainty::Check)
    );
}

#[test]
fn lists_and_missing_columns_are_problems() {
    let text = lines("customer_id;timestamp;items", |customer, day| {
        format!("{customer};2024-03-{day:02};12,{day},{customer}")
    });
    let found = of(&text);
    assert_eq!(found.missing, [ColumnMeaning::Product]);
    assert!(
        found.problems[0].contains("one line for each product"),
        "{found:?}"
    );
    let pairs = of(&lines("customer_id;timestamp;items", |customer, day| {
        format!("{customer};2024-03-{day:02};{customer},{day}")
    }));
    assert_eq!(pairs.missing, [ColumnMeaning::Product], "no decimals");
    let numbers = of(&lines(
        "household_key;BASKET_ID;DAY;PRODUCT_ID",
        |customer, day| format!("{customer};{day}{customer};{day};5"),
    ));
    assert_eq!(numbers.missing, [ColumnMeaning::Time]);
    assert!(numbers.problems[0].contains("--day-zero"), "{numbers:?}");
    let with_day_zero = GivenSettings {
        paths: BTreeSet::from(["input.day_zero".to_owned()]),
        ..GivenSettings::default()
    };
    let found = survey(vec![table("client;DAY;sku\n1;5;7\n2;6;8")], &with_day_zero);
    assert_eq!(column(&found, ColumnMeaning::Time), Some("DAY"));
}

#[test]
fn another_table_is_named_and_other_names_are_alternatives() {
    let main = table(&lines(
        "Invoice;Customer ID;StockCode;InvoiceDate",
        |customer, day| format!("{day}{customer};{customer};8{day};2010-12-{day:02} 08:26"),
    ));
    let mut older = table("InvoiceNo;CustomerID;StockCode;InvoiceDate\n1;5;8;2009-12-01 08:26");
    older.objects = vec!["2009.csv".into()];
    let mut calendar = table("shop_week;date_from\n200701;20070226");
    calendar.objects = vec!["time.csv".into()];
    let found = survey(vec![calendar, main, older], &GivenSettings::default());
    let customer = found
        .roles
        .iter()
        .find(|choice| choice.role == ColumnMeaning::Customer)
        .unwrap();
    assert_eq!(
        (customer.column.as_str(), customer.alternatives.as_slice()),
        ("Customer ID", &["CustomerID".to_owned()][..])
    );
    assert_eq!(found.other_objects, ["time.csv"]);
    assert!(
        found
            .check
            .iter()
            .any(|check| check.contains("time.csv has another table")),
        "{found:?}"
    );
}

#[test]
fn orders_without_a_date_are_no_tickets() {
    let mut headers = table("order_id;user_id;order_dow\n1;55;3\n2;56;4\n3;55;4");
    headers.objects = vec!["orders.csv".into()];
    let lines = table("order_id;product_id\n1;7\n1;8\n2;7\n3;8");
    let found = survey(vec![headers, lines], &GivenSettings::default());
    assert_eq!(found.missing, [ColumnMeaning::Time]);
    assert!(found.problems[0].contains("no date"), "{found:?}");
}

#[test]
fn the_person_behind_orders_stands_in_another_table_or_nowhere() {
    let mut headers = table(
        "order_id;customer_id;order_purchase_timestamp\n1;a;2024-03-01 10:00:00\n2;b;2024-03-09 10:00:00",
    );
    headers.objects = vec!["orders.csv".into()];
    let items = table("order_id;product_id\n1;7\n1;8\n2;7");
    let mut customers = table("customer_id;customer_unique_id\na;x\nb;x");
    customers.objects = vec!["customers.csv".into()];
    let both = vec![headers.clone(), items.clone(), customers];
    let found = survey(both, &GivenSettings::default());
    assert_eq!(found.problems, [""; 0]);
    let value = |path| setting(&found, path).unwrap();
    assert_eq!(value("input.tickets.customer"), "customer_id");
    assert_eq!(value("input.customers.person"), "customer_unique_id");
    assert_eq!(value("input.customers.paths")[0], "customers.csv");
    let found = survey(vec![headers, items], &GivenSettings::default());
    assert!(
        found.problems[0].contains("exactly one ticket"),
        "{found:?}"
    );
}

#[test]
fn names_of_products_stand_in_a_table_of_their_own() {
    let tickets = table(&lines("date;customer;sku", |customer, day| {
        format!("2024-03-{day:02};{customer};{}", 100 + day)
    }));
    let mut products = table("sku;product_name;department\n101;milk;dairy\n102;bread;bakery");
    products.objects = vec!["products.csv".into()];
    let found = survey(vec![tickets, products], &GivenSettings::default());
    assert_eq!(
        setting(&found, "input.products.name").unwrap(),
        "product_name"
    );
    assert_eq!(
        setting(&found, "input.products.category").unwrap(),
        "department"
    );
    assert_eq!(found.other_objects, ["products.csv"]);
}

#[test]
fn amounts_below_0_take_back_where_quantities_do_not_say_it() {
    let line = |customer: u32, day: u32, quantity: &str| {
        let sign = if customer == 7 { "-" } else { "" };
        format!(
            "{customer};{};2024-03-{day:02};{quantity}{sign}1.99",
            customer % 5 + 100
        )
    };
    let with = lines("Cliente;Articolo;Data;Quantita;Importo", |customer, day| {
        line(customer, day, "1;")
    });
    let survey = of(&with);
    assert_eq!(column(&survey, ColumnMeaning::Quantity), Some("Importo"));
    let is_said =
        |survey: &Survey, text: &str| survey.check.iter().any(|check| check.contains(text));
    let said = "20 of 800 values of \"Importo\" are below 0, where \"Quantita\" never is";
    assert!(is_said(&survey, said), "{:?}", survey.check);
    let without = of(&lines("Cliente;Articolo;Data;Importo", |customer, day| {
        line(customer, day, "")
    }));
    assert_eq!(column(&without, ColumnMeaning::Quantity), Some("Importo"));
    // A discount is no return, and who named a quantity is only told.
    let discount = of(&with.replace("Importo", "Importo Sconto"));
    assert_eq!(column(&discount, ColumnMeaning::Quantity), Some("Quantita"));
    let given = GivenSettings {
        columns: [(ColumnMeaning::Quantity, vec!["Quantita".to_owned()])].into(),
        paths: ["columns.quantity".to_owned()].into(),
        ..GivenSettings::default()
    };
    let given = super::survey(vec![table(&with)], &given);
    assert_eq!(column(&given, ColumnMeaning::Quantity), Some("Quantita"));
    assert!(
        is_said(&given, "say so with --quantity Importo"),
        "{:?}",
        given.check
    );
}
/// A table of headers and one of lines, of which customer 7's are taken back.
fn headers_and_lines(time: &str) -> Vec<SampledTable> {
    let mut headers = table(&lines(
        &format!("ticket;member;{time};shop"),
        |customer, day| {
            format!(
                "{};{customer};2024-03-{day:02} 10:15:00;6",
                customer * 100 + day
            )
        },
    ));
    headers.objects = vec!["headers.csv".into()];
    let of_lines = table(&lines("ticket;article;qty;price", |customer, day| {
        let quantity = if customer == 7 { -1 } else { 2 };
        format!("{};{day};{quantity};1.46", customer * 100 + day)
    }));
    vec![headers, of_lines]
}

#[test]
fn lines_of_joined_tables_keep_their_columns() {
    let found = survey(headers_and_lines("sold_at"), &GivenSettings::default());
    use ColumnMeaning as M;
    for (role, name) in [
        (M::Customer, "member"),
        (M::Product, "article"),
        (M::Time, "sold_at"),
        (M::Quantity, "qty"),
        (M::Basket, "ticket"),
        (M::Price, "price"),
        (M::Store, "shop"),
    ] {
        assert_eq!(column(&found, role), Some(name));
    }
    assert_eq!(found.header_columns.len(), 4);
    let are_below_0 = |sure: &String| sure.contains("\"qty\"") && sure.contains("below 0");
    assert!(found.sure.iter().any(are_below_0), "{found:?}");
}

#[test]
fn the_time_of_headers_needs_no_name_that_says_so() {
    let found = survey(headers_and_lines("sold"), &GivenSettings::default());
    assert_eq!(found.problems, [""; 0]);
    assert_eq!(setting(&found, "input.tickets.time"), Some("sold".into()));
    let given = GivenSettings {
        columns: GivenColumns::from([
            (ColumnMeaning::Customer, vec!["member".into()]),
            (ColumnMeaning::Time, vec!["sold".into()]),
        ]),
        ..GivenSettings::default()
    };
    let found = survey(headers_and_lines("sold"), &given);
    assert!(
        found.missing.is_empty() && found.problems.is_empty(),
        "{found:?}"
    );
}

#[test]
fn quantities_may_have_units() {
    let text = lines("Cliente;Articolo;Data;Pezzi", |customer, day| {
        let sign = if customer == 7 { "-" } else { "" };
        format!("{customer};{day};2024-03-{day:02};{sign}1 pz")
    });
    let found = of(&text);
    assert_eq!(column(&found, ColumnMeaning::Quantity), Some("Pezzi"));
    assert!(
        found.sure.iter().any(|sure| sure.contains("below 0")),
        "{found:?}"
    );
    let words = of(&text.replace("1 pz", "1 void"));
    assert_eq!(column(&words, ColumnMeaning::Quantity), None);
}

#[test]
fn ids_that_a_spreadsheet_has_rounded_are_no_list() {
    let text = lines("customer;product_id;timestamp", |customer, day| {
        format!("{customer};4,00638E+12;2024-03-{day:02}")
    });
    let found = of(&text);
    assert!(
        found.problems[0].contains("a spreadsheet has rounded"),
        "{found:?}"
    );
    assert!(!found.problems[0].contains("list"), "{found:?}");
}

/// A till's lines with a flag: customer 7 has `yes`, and the quantity `voided`.
fn flagged(name: &str, yes: &str, no: &str, voided: &str) -> String {
    lines(
        &format!("timestamp;customer;product;quantity;{name}"),
        |customer, day| {
            let (flag, quantity) = if customer == 7 {
                (yes, voided)
            } else {
                (no, "2")
            };
            format!("2024-03-{day:02} 09:00:00;{customer};{day};{quantity};{flag}")
        },
    )
}

#[test]
fn lines_that_a_column_flags_as_voided_are_left_out() {
    for (name, yes, no) in [
        ("Storniert", "ja", "nein"),
        ("void", "1", "0"),
        ("is_void", "true", "false"),
        ("Stornokennzeichen", "X", ""),
        ("annulé", "oui", "non"),
        ("Belegart", "STORNO", "BON"),
    ] {
        let found = of(&flagged(name, yes, no, "2"));
        let condition = format!("{name}!={yes}");
        assert_eq!(
            setting(&found, "input.where"),
            Some(serde_json::json!([condition])),
            "{found:?}"
        );
        let is_said = |check: &String| check.contains("flags 20 of the 800 lines");
        assert!(found.check.iter().any(is_said), "{found:?}");
    }
    let at = of(&flagged("voided_at", "2024-03-21 10:00:00", "", "2"));
    let condition = Some(serde_json::json!(["voided_at="]));
    assert_eq!(setting(&at, "input.where"), condition, "{at:?}");
}

#[test]
fn flagged_lines_that_cancel_others_are_not_left_out() {
    let negative = of(&flagged("void", "1", "0", "-2"));
    assert_eq!(setting(&negative, "input.where"), None);
    let is_said = |sure: &String| sure.contains("cancel what they take back");
    assert!(negative.sure.iter().any(is_said), "{negative:?}");
    // Each stands beside the line that it takes back.
    let text = flagged("void", "1", "0", "2");
    let twins =
        text.replace(";1\n", ";0\n") + &text.replace(";0\n", ";1\n")[text.find('\n').unwrap()..];
    let twins: String = twins
        .lines()
        .enumerate()
        .filter(|(at, line)| *at <= 800 || line.contains(";7;"))
        .map(|(_, line)| format!("{line}\n"))
        .collect();
    let twins = of(&twins);
    assert_eq!(
        setting(&twins, "input.returns"),
        Some(serde_json::json!(["void=1"])),
        "{twins:?}"
    );
    assert_eq!(setting(&twins, "input.where"), None);
}

#[test]
fn a_flag_that_no_line_of_the_sample_has_is_told() {
    let found = of(&flagged("Storno", "0", "0", "2"));
    assert_eq!(setting(&found, "input.where"), None);
    let is_said = |check: &String| check.contains("--where 'Storno=0'");
    assert!(found.check.iter().any(is_said), "{found:?}");
}

#[test]
fn two_columns_leave_out_lines_together() {
    let text = flagged("void;status", "1;shipped", "0;ok", "2").replace(";ok", ";delivered");
    let text = text.replacen(";delivered", ";cancelled", 30);
    assert_eq!(
        setting(&of(&text), "input.where"),
        Some(serde_json::json!(["void!=1", "status!=cancelled"]))
    );
}

#[test]
fn a_boolean_is_no_customer() {
    let text = lines("time;loyalty;customer_key;product", |customer, day| {
        format!("2024-03-{day:02};true;{customer};{day}")
    });
    let found = of(&text);
    assert_eq!(
        column(&found, ColumnMeaning::Customer),
        Some("customer_key")
    );
    let without = of(&text.replace("customer_key", "x"));
    assert_eq!(
        column(&without, ColumnMeaning::Customer),
        None,
        "{without:?}"
    );
}
