//! Cards that were merged, and what the table of products says for offers.

use super::joined::{LINES, ORDERS, SETTINGS, Shop, bought};
use super::*;
use crate::domain::{Id, OwnedId};

/// The settings of a shop whose lines say everything, with cards that were merged.
const WHOLE: &str = "[input]\npaths = [\"DIR/lines.csv\"]\n\
    [customers]\npaths = [\"DIR/cards.csv\"]\nid = \"card\"\nmerged_into = \"into\"\n";

const SALES: &str = "customer_id,product_id,timestamp,quantity\n\
    1,5,2024-03-01,1\n2,6,2024-03-01,1\n3,7,2024-03-02,1\n9,5,2024-03-02,1\n";

#[test]
fn merged_cards_have_one_history_under_the_one_that_goes_on() {
    let shop = Shop::new(&[
        ("lines.csv", csv(SALES)),
        // Customer 9 is not in it, and 4 is in no ticket.
        ("cards.csv", csv("card,into\n1,2\n2,3\n3,\n4,3\n")),
    ]);
    let ingested = shop.read(WHOLE).unwrap();
    let expected = ["3 2024-03-01 5+6", "3 2024-03-02 7", "9 2024-03-02 5"];
    assert_eq!(bought(&ingested), expected);
    let merged = ingested.merged.unwrap();
    let survivor = |id: i64| merged.survivor_of(Id::Integer(id));
    assert_eq!(survivor(1), Some(OwnedId::Integer(3)));
    assert_eq!((survivor(3), survivor(9)), (None, None));
    assert_eq!(
        merged.survivor_of(Id::Text("4")),
        Some(OwnedId::Integer(3)),
        "an id that came in the other way"
    );

    let unused = WHOLE.split("[customers]").next().unwrap();
    let ingested = shop.read(unused).unwrap();
    assert_eq!(bought(&ingested).len(), 4);
    assert!(ingested.merged.is_none());
}

#[test]
fn a_card_that_cannot_be_read_is_not_taken_for_none() {
    for (written, shown) in [("4.0E+12", "4.0E+12"), ("a\u{1}b", "a")] {
        let shop = Shop::new(&[
            ("lines.csv", csv(SALES)),
            ("cards.csv", csv(&format!("card,into\n1,{written}\n"))),
        ]);
        let error = shop.read(WHOLE).unwrap_err().to_string();
        assert!(
            error.contains("merged_into: the card that") && error.contains(shown),
            "{error}"
        );
    }
}

#[test]
fn merged_cards_are_joined_in_parquet_and_behind_headers() {
    let parquet = parquet(vec![
        Column::new("customer_id".into(), ["1", "2", "B"]),
        Column::new("product_id".into(), [5_i64, 6, 7]),
        text_column("timestamp", &["2024-03-01", "2024-03-01", "2024-03-02"]),
        Column::new("quantity".into(), [1.0, 1.0, 1.0]),
    ]);
    let shop = Shop::new(&[
        ("lines.parquet", parquet),
        ("cards.csv", csv("card,into\n1,B\n")),
    ]);
    let ingested = shop
        .read(&WHOLE.replace("lines.csv", "lines.parquet"))
        .unwrap();
    let expected = ["2 2024-03-01 6", "B 2024-03-01 5", "B 2024-03-02 7"];
    assert_eq!(bought(&ingested), expected);

    let shop = Shop::new(&[
        ("lines.csv", csv(LINES)),
        ("orders.csv", csv(ORDERS)),
        ("cards.csv", csv("card,into\n70,71\n")),
    ]);
    let cards = WHOLE.split_once("[customers]").unwrap().1;
    let ingested = shop.read(&format!("{SETTINGS}[customers]{cards}")).unwrap();
    let customers: Vec<String> = bought(&ingested)
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert!(
        customers.iter().all(|customer| customer == "71"),
        "{customers:?}"
    );
}

#[test]
fn cards_that_are_merged_in_a_circle_are_refused_by_name() {
    let circle = |cards: &str| {
        let shop = Shop::new(&[("lines.csv", csv(SALES)), ("cards.csv", csv(cards))]);
        shop.read(WHOLE).unwrap_err().to_string()
    };
    let error = circle("card,into\n1,2\n2,3\n3,2\n");
    assert!(
        error.contains("goes in a circle") && error.contains("2 → 3 → 2"),
        "{error}"
    );
    let error = circle("card,into\n7,7\n");
    assert!(error.contains("7 → 7"), "{error}");
    let shop = Shop::new(&[
        ("lines.csv", csv(SALES)),
        ("cards.csv", csv("card,x\n1,2\n")),
    ]);
    let error = shop.read(WHOLE).unwrap_err().to_string();
    assert!(error.contains("there is no column \"into\""), "{error}");
}

const OF_OFFERS: &str = "[input.products]\npaths = [\"DIR/products.csv\"]\nid = \"id\"\n\
    name = \"name\"\nbrand = \"brand\"\nmargin = \"margin\"\ndiscount = \"off\"\n\
    offerable = \"offer\"\n";

#[test]
fn a_product_table_says_what_offers_need() {
    let products = "id,name,brand,margin,off,offer\n1,oats,Mill,0.4,0.1,yes\n2,rye,Mill,,,0\n3,salt,,.25,0.2,\n";
    let shop = Shop::new(&[("products.csv", csv(products))]);
    let table = shop.products(OF_OFFERS).unwrap();
    let ids = Ids::Integer(vec![1, 2, 3, 4]);
    let brands = table.brands_of(&ids).unwrap();
    let brands: Vec<Option<&str>> = brands.iter().map(Option::as_deref).collect();
    assert_eq!(brands, [Some("Mill"), Some("Mill"), None, None]);
    assert_eq!(
        table.margins_of(&ids).unwrap(),
        [Some(0.4), None, Some(0.25), None]
    );
    assert_eq!(
        table.discounts_of(&ids).unwrap(),
        [Some(0.1), None, Some(0.2), None]
    );
    assert_eq!(
        table.offerable(&ids).unwrap(),
        [Some(true), Some(false), None, None]
    );
    let plain = OF_OFFERS.split("brand =").next().unwrap();
    let table = shop.products(plain).unwrap();
    assert!(table.brands_of(&ids).is_none() && table.offerable(&ids).is_none());

    let typed = parquet(vec![
        Column::new("id".into(), [1_i64, 2, 3]),
        Column::new("name".into(), ["oats", "rye", "salt"]),
        Column::new("brand".into(), ["Mill", "Mill", "Sea"]),
        Column::new("margin".into(), [Some(0.4), None, Some(0.25)]),
        Column::new("off".into(), [0.1, 0.2, 0.3]),
        Column::new("offer".into(), [Some(true), Some(false), None]),
    ]);
    let shop = Shop::new(&[("products.parquet", typed)]);
    let table = shop
        .products(&OF_OFFERS.replace(".csv", ".parquet"))
        .unwrap();
    assert_eq!(
        table.offerable(&ids).unwrap(),
        [Some(true), Some(false), None, None]
    );
    assert_eq!(
        table.margins_of(&ids).unwrap(),
        [Some(0.4), None, Some(0.25), None]
    );
}

#[test]
fn a_margin_that_is_no_share_and_an_answer_that_is_none_are_refused() {
    for (row, what) in [
        ("1,oats,Mill,35,,", "the margin of product \"1\" is 35"),
        (
            "1,oats,Mill,,-0.1,",
            "the discount of product \"1\" is -0.1",
        ),
        (
            "1,oats,Mill,much,,",
            "the margin of product \"1\" is no number",
        ),
        (
            "1,oats,Mill,,,maybe",
            "whether product \"1\" may be offered is \"maybe\"",
        ),
    ] {
        let table = format!("id,name,brand,margin,off,offer\n{row}\n");
        let shop = Shop::new(&[("products.csv", csv(&table))]);
        let error = shop.products(OF_OFFERS).unwrap_err().to_string();
        assert!(
            error.contains(what) && error.contains("products.csv"),
            "{error}"
        );
    }
}
