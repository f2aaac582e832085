//! What a column's name says of its meaning, so that a message proposes no column of another
//! meaning whose name looks alike, and says where a table is missing.

use super::columns::{ColumnRole, TicketTable};

/// Words in the names of columns, by what they mean. A word may stand anywhere in a name.
const WORDS: [(ColumnRole, &[&str]); 5] = [
    (
        ColumnRole::Customer,
        &[
            "customer",
            "cust",
            "client",
            "user",
            "household",
            "member",
            "shopper",
            "card",
            "person",
        ],
    ),
    (
        ColumnRole::Product,
        &[
            "product",
            "prod",
            "item",
            "article",
            "sku",
            "upc",
            "ean",
            "gtin",
            "stock_code",
            "stockcode",
        ],
    ),
    (
        ColumnRole::Time,
        &[
            "time",
            "date",
            "day",
            "stamp",
            "when",
            "sold_at",
            "bought_at",
            "created",
        ],
    ),
    (
        ColumnRole::Basket,
        &[
            "order",
            "ticket",
            "basket",
            "receipt",
            "invoice",
            "transaction",
            "bill",
        ],
    ),
    (ColumnRole::Store, &["store", "shop", "branch", "outlet"]),
];

/// Whether a column may have a role by its name: its words mean that role, or none that is known.
pub(super) fn may_mean(role: ColumnRole, column: &str) -> bool {
    let name = column.to_lowercase();
    let meant = |(_, words): &&(ColumnRole, &[&str])| words.iter().any(|word| name.contains(word));
    let mut meanings = WORDS
        .iter()
        .filter(meant)
        .map(|(meaning, _)| *meaning)
        .peekable();
    if role == ColumnRole::Time && is_id(&name) {
        return false;
    }
    meanings.peek().is_none() || meanings.any(|meaning| meaning == role)
}

/// Whether a name in lower case ends as that of an id.
fn is_id(name: &str) -> bool {
    ["_id", " id", "_no", "_nr", "number"]
        .iter()
        .any(|end| name.ends_with(end))
        || name == "id"
}

/// Which other table tickets may need, by the roles that have no column in this one.
pub(super) fn table_to_join(table: TicketTable, missing: &[ColumnRole]) -> Option<&'static str> {
    if table != TicketTable::Whole {
        return None;
    }
    let has = |role| !missing.contains(&role);
    let roles = [ColumnRole::Customer, ColumnRole::Product, ColumnRole::Time];
    match roles.map(has) {
        [false, true, false] => Some(
            "if who bought and when stand in a table of ticket headers, give it with --tickets, and the column that both tables share with --basket",
        ),
        [true, false, false] => Some(
            "if this table says which person a customer is, give it with --customers, and the tickets with --input",
        ),
        [_, false, true] => Some(
            "if this is a table of ticket headers, give it with --tickets, the table of their lines with --input, and the column that both share with --basket",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_another_meaning_is_not_proposed() {
        for (role, column) in [
            (ColumnRole::Time, "order_id"),
            (ColumnRole::Time, "shop_week"),
            (ColumnRole::Product, "customer_unique_id"),
            (ColumnRole::Product, "ticket_id"),
            (ColumnRole::Customer, "store_id"),
            (ColumnRole::Time, "timestamp_id"),
        ] {
            assert!(!may_mean(role, column), "{role:?} {column}");
        }
        for (role, column) in [
            (ColumnRole::Time, "order_purchase_timestamp"),
            (ColumnRole::Time, "order_date"),
            (ColumnRole::Time, "ts"),
            (ColumnRole::Product, "Artikel-Nr."),
            (ColumnRole::Product, "store_product"),
            (ColumnRole::Customer, "CustomerID"),
            (ColumnRole::Quantity, "qty"),
        ] {
            assert!(may_mean(role, column), "{role:?} {column}");
        }
    }

    #[test]
    fn what_is_missing_tells_which_table_to_join() {
        use ColumnRole::{Customer, Product, Time};
        let told = |missing: &[ColumnRole]| table_to_join(TicketTable::Whole, missing);
        assert!(told(&[Customer, Time]).unwrap().contains("--tickets"));
        assert!(
            told(&[Product])
                .unwrap()
                .contains("this is a table of ticket headers")
        );
        assert!(
            told(&[Customer, Product])
                .unwrap()
                .contains("this is a table of ticket headers")
        );
        assert!(told(&[Product, Time]).unwrap().contains("--customers"));
        assert_eq!(told(&[Customer, Product, Time]), None);
        assert_eq!(told(&[Time]), None);
        assert_eq!(table_to_join(TicketTable::Lines, &[Product]), None);
    }
}
