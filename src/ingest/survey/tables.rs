//! A folder with several tables: which has the ticket lines, and which belong to it.

use std::collections::BTreeSet;

use super::fits::{NEARLY_ALL, is_time};
use super::meaning::{CLEAR, ColumnMeaning};
use super::profile::ColumnProfile;
use super::roles::GivenColumns;

/// A table of a folder, for this question.
#[derive(Debug)]
pub(super) struct TableColumns<'a> {
    pub(super) profiles: &'a [ColumnProfile],
    /// The columns that the owner named.
    pub(super) given: &'a GivenColumns,
}

/// Tables that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TablesToJoin {
    /// The positions of the tables of lines and of headers.
    pub(super) lines: usize,
    pub(super) headers: usize,
    /// The column of the ticket's id, which both have.
    pub(super) ticket: String,
    /// The headers' columns of customer and time; a time is `None` if no table has one.
    pub(super) customer: String,
    pub(super) time: Option<String>,
    /// The lines' column of the product.
    pub(super) product: String,
}

/// A table of products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedProducts {
    /// Its position.
    pub(super) table: usize,
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) category: Option<String>,
}

impl TableColumns<'_> {
    /// Whether the owner named a column for a meaning.
    fn is_given(&self, profile: &ColumnProfile, meaning: ColumnMeaning) -> bool {
        let names = self.given.get(&meaning);
        names.is_some_and(|names| names.contains(&profile.name))
    }

    /// The column that the owner named, or else the clearest column of a meaning.
    fn column(&self, meaning: ColumnMeaning) -> Option<&ColumnProfile> {
        let mut profiles = self.profiles.iter();
        if let Some(given) = profiles.find(|profile| self.is_given(profile, meaning)) {
            return Some(given);
        }
        self.profiles
            .iter()
            .filter_map(|profile| Some((profile, profile.meaning?)))
            .filter(|(_, name)| name.meaning == meaning && name.clearness >= CLEAR)
            .max_by_key(|(profile, name)| (name.clearness, std::cmp::Reverse(profile.position)))
            .map(|(profile, _)| profile)
    }

    /// The column of the time: the one that was named, or one whose name says it, or the only one
    /// with dates, whatever its name.
    fn time(&self) -> Option<&ColumnProfile> {
        let has_time = |profile: &&ColumnProfile| {
            self.is_given(profile, ColumnMeaning::Time)
                || profile.values() == 0
                || is_time(profile, false)
        };
        let named = self.column(ColumnMeaning::Time).filter(has_time);
        named.or_else(|| match self.columns_of_dates().as_slice() {
            [only] => Some(*only),
            _ => None,
        })
    }

    /// All columns of dates.
    pub(super) fn columns_of_dates(&self) -> Vec<&ColumnProfile> {
        self.profiles
            .iter()
            .filter(|profile| profile.values() > 0 && profile.share_of_dates() >= NEARLY_ALL)
            .collect()
    }
}

/// The ticket headers and the ticket lines among tables of which none is whole.
pub(super) fn tables_to_join(tables: &[TableColumns<'_>]) -> Option<TablesToJoin> {
    let mut best: Option<(usize, TablesToJoin)> = None;
    for (headers, of_headers) in tables.iter().enumerate() {
        let Some(customer) = of_headers.column(ColumnMeaning::Customer) else {
            continue;
        };
        for (lines, of_lines) in tables.iter().enumerate().filter(|(at, _)| *at != headers) {
            let Some(product) = of_lines.column(ColumnMeaning::Product) else {
                continue;
            };
            let Some((ticket, shared)) = shared_ticket(of_headers, of_lines) else {
                continue;
            };
            let time = of_headers.time().map(|profile| profile.name.clone());
            let rank = shared + if time.is_some() { usize::MAX / 2 } else { 0 };
            let found = TablesToJoin {
                lines,
                headers,
                ticket,
                customer: customer.name.clone(),
                time,
                product: product.name.clone(),
            };
            if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                best = Some((rank, found));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// The column by which headers and lines belong together, and how many of its values both have: its
/// name means a ticket, and it differs on every header.
fn shared_ticket(headers: &TableColumns<'_>, lines: &TableColumns<'_>) -> Option<(String, usize)> {
    headers
        .profiles
        .iter()
        .filter(|profile| {
            let is_named = profile
                .meaning
                .is_some_and(|name| name.meaning == ColumnMeaning::Basket);
            is_named || headers.is_given(profile, ColumnMeaning::Basket)
        })
        .filter(|profile| profile.distinct * 10 >= profile.values() * 9)
        .filter_map(|profile| {
            let of_lines = lines
                .profiles
                .iter()
                .find(|other| other.name == profile.name)?;
            let known: BTreeSet<&String> = profile.counts.keys().collect();
            let shared = of_lines
                .counts
                .keys()
                .filter(|value| known.contains(value))
                .count();
            Some((profile.name.clone(), shared))
        })
        .max_by_key(|(_, shared)| *shared)
}

/// The table of the products, of which a column has the ids of the lines' column `product`.
pub(super) fn product_table(
    tables: &[TableColumns<'_>],
    lines: usize,
    product: &str,
) -> Option<NamedProducts> {
    let of_lines = tables.get(lines)?;
    let ids = of_lines
        .profiles
        .iter()
        .find(|profile| profile.name == product)?;
    tables
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != lines)
        .find_map(|(table, columns)| {
            let id = columns.profiles.iter().find(|profile| {
                (profile.name == product
                    || profile
                        .meaning
                        .is_some_and(|name| name.meaning == ColumnMeaning::Product))
                    && profile.is_unique()
                    && profile
                        .counts
                        .keys()
                        .any(|value| ids.counts.contains_key(value))
            })?;
            let name = columns.column(ColumnMeaning::ProductName);
            let category = columns.column(ColumnMeaning::Category);
            (name.is_some() || category.is_some()).then(|| NamedProducts {
                table,
                id: id.name.clone(),
                name: name.map(|profile| profile.name.clone()),
                category: category.map(|profile| profile.name.clone()),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Vec<ColumnProfile> {
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let rows: Vec<Vec<Option<String>>> = lines
            .map(|line| line.split(',').map(|cell| Some(cell.to_owned())).collect())
            .collect();
        names
            .iter()
            .enumerate()
            .map(|(at, name)| ColumnProfile::new(name, at, &rows))
            .collect()
    }

    #[test]
    fn headers_and_lines_are_found_by_the_id_that_they_share() {
        let products = table("product_id,product_name,aisle_id\n7,milk,1\n8,bread,2");
        let lines = table("order_id,product_id,add_to_cart_order\n1,7,1\n1,8,2\n2,7,1");
        let headers = table("order_id,user_id,order_dow\n1,55,3\n2,56,4");
        let given = GivenColumns::new();
        let tables = [&products, &lines, &headers].map(|profiles| TableColumns {
            profiles,
            given: &given,
        });
        let found = tables_to_join(&tables).unwrap();
        assert_eq!((found.lines, found.headers), (1, 2));
        assert_eq!(
            (found.ticket.as_str(), found.customer.as_str()),
            ("order_id", "user_id")
        );
        assert_eq!(found.time, None, "a weekday is no date");
        let known = product_table(&tables, 1, "product_id").unwrap();
        assert_eq!(
            (known.table, known.name.as_deref()),
            (0, Some("product_name"))
        );
    }

    #[test]
    fn tables_that_share_nothing_are_not_joined() {
        let lines = table("order_id,product_id\n1,7\n1,8");
        let others = table("customer_id,city\n5,Rome\n6,Bari");
        let given = GivenColumns::new();
        let tables = [&lines, &others].map(|profiles| TableColumns {
            profiles,
            given: &given,
        });
        assert_eq!(tables_to_join(&tables), None);
        assert_eq!(product_table(&tables, 0, "product_id"), None);
    }

    #[test]
    fn the_time_of_headers_is_a_column_of_dates_or_the_named_one() {
        let lines = table("ticket,article\n1,7\n1,8");
        let headers =
            table("ticket,member,sold\n1,55,2025-01-09 13:53:57\n2,56,2025-01-10 09:01:00");
        let two = table(
            "ticket,member,sold,paid\n1,55,2025-01-09,2025-01-09\n2,56,2025-01-10,2025-01-11",
        );
        let time = |headers: &Vec<ColumnProfile>, given: &GivenColumns| {
            let tables = [&lines, headers].map(|profiles| TableColumns { profiles, given });
            tables_to_join(&tables).unwrap().time
        };
        let none = GivenColumns::new();
        let named = GivenColumns::from([(ColumnMeaning::Time, vec!["sold".to_owned()])]);
        assert_eq!(time(&headers, &none).as_deref(), Some("sold"));
        assert_eq!(time(&two, &none), None, "it could be either");
        assert_eq!(time(&two, &named).as_deref(), Some("sold"));
    }
}
