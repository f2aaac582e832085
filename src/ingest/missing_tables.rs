//! Which table is missing, by the columns that are missing.

use super::columns::{ColumnRole, TicketTable};

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
