//! Ids that are lists: a column with several products in each field, which read as one product each
//! would be silently wrong.

use std::collections::BTreeSet;

use crate::domain::Ids;
use crate::error::{Error, Result};

/// What may stand between the ids of a list.
const SEPARATORS: [char; 3] = [',', ';', '|'];

/// So many ids must be lists, and this share of all.
const FEWEST: usize = 20;
const SHARE: f64 = 0.3;

/// Refuses products of which many are lists of others: their parts come again in other ids, and
/// their numbers of parts differ, which those of an id that is put together do not.
///
/// # Errors
/// If that is so; `column` is the products' column.
pub(super) fn refuse_lists(products: &Ids, column: &str) -> Result<()> {
    let Ids::Text(ids) = products else {
        return Ok(());
    };
    for separator in SEPARATORS {
        if let Some(example) = example_of_lists(ids, separator) {
            return Err(Error::input(format!(
                "its values are lists of products, such as \"{example}\": okuo needs a line for each product of a ticket"
            ))
            .column(column)
            .hint(format!(
                "make a line of each, for example with DuckDB: COPY (SELECT * EXCLUDE (\"{column}\"), \
                 unnest(string_split(\"{column}\", '{separator}')) AS product_id FROM 'FILE') TO 'tickets.parquet'"
            )));
        }
    }
    Ok(())
}

/// A list, if the ids are lists.
fn example_of_lists(ids: &[String], separator: char) -> Option<&str> {
    let is_list = |id: &&String| {
        id.contains(separator)
            && id
                .split(separator)
                .all(|part| !part.trim().is_empty() && !part.trim().contains(' '))
    };
    let lists: Vec<&String> = ids.iter().filter(is_list).collect();
    if lists.len() < FEWEST || (lists.len() as f64) < SHARE * ids.len() as f64 {
        return None;
    }
    let mut lengths = BTreeSet::new();
    let mut parts = BTreeSet::new();
    let mut all_parts = 0_usize;
    for list in &lists {
        let count = list.split(separator).count();
        lengths.insert(count);
        all_parts += count;
        parts.extend(list.split(separator).map(str::trim));
    }
    let has_single = ids
        .iter()
        .any(|id| !id.contains(separator) && parts.contains(id.trim()));
    let come_again = parts.len() * 2 <= all_parts;
    (come_again && (lengths.len() > 1 || has_single))
        .then(|| lists.first().map(|list| list.as_str()))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(id: impl Fn(u32) -> String) -> Ids {
        let ids: BTreeSet<String> = (0..60).map(id).collect();
        Ids::Text(ids.into_iter().collect())
    }

    #[test]
    fn lists_of_products_are_refused() {
        for separator in SEPARATORS {
            let lists = ids(|n| match n % 3 {
                0 => format!("{}", n % 20),
                1 => format!("{}{separator}{}", n % 20, n % 17),
                _ => format!("{}{separator} {}{separator}{}", n % 20, n % 7, n % 11),
            });
            let error = refuse_lists(&lists, "items").unwrap_err().to_string();
            assert!(
                error.contains("lists of products") && error.contains("unnest"),
                "{error}"
            );
        }
    }

    #[test]
    fn names_and_ids_that_are_put_together_are_no_lists() {
        let put_together = ids(|n| format!("{},{}", n % 5, 4_700 + n));
        assert!(
            refuse_lists(&put_together, "p").is_ok(),
            "department and number"
        );
        let names = ids(|n| format!("SPOON, BOX OF {n}, RED"));
        assert!(refuse_lists(&names, "p").is_ok());
        assert!(refuse_lists(&Ids::Integer(vec![1, 2]), "p").is_ok());
        let plain = ids(|n| n.to_string());
        assert!(refuse_lists(&plain, "p").is_ok());
    }
}
