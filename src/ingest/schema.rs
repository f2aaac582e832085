//! The mapped columns among those that an object has.

use super::Columns;
use super::cause::Role;
use crate::error::{Error, Result};
use crate::suggest;

/// How many of an object's columns a message lists.
const LISTED: usize = 40;

/// How alike a name must be to be proposed (Jaro–Winkler, 0 to 1).
const NEAR: f64 = 0.65;

/// Positions of the mapped columns in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Positions {
    pub(super) customer: usize,
    pub(super) product: usize,
    pub(super) time: usize,
    pub(super) quantity: Option<usize>,
}

impl Positions {
    /// Finds the mapped columns.
    ///
    /// # Errors
    /// If one is missing (all missing ones are named, each with the nearest name) or stands there
    /// twice.
    pub(super) fn find(columns: &Columns, present: &[&str]) -> Result<Self> {
        let mut missing: Vec<(Role, &str)> = vec![];
        let mut find = |role, name, required| {
            let mut found = present
                .iter()
                .enumerate()
                .filter(|(_, column)| **column == name)
                .map(|(at, _)| at);
            let first = found.next();
            if found.next().is_some() {
                return Err(Error::input("the column stands there twice")
                    .column(name)
                    .hint("name the columns of the export apart"));
            }
            if first.is_none() && required {
                missing.push((role, name));
            }
            Ok(first)
        };
        let customer = find(Role::Customer, columns.customer.as_str(), true)?;
        let product = find(Role::Product, columns.product.as_str(), true)?;
        let time = find(Role::Time, columns.time.as_str(), true)?;
        let quantity = find(
            Role::Quantity,
            columns.quantity.as_str(),
            columns.quantity_required,
        )?;
        match (customer, product, time, missing.is_empty()) {
            (Some(customer), Some(product), Some(time), true) => Ok(Self {
                customer,
                product,
                time,
                quantity,
            }),
            _ => Err(missing_columns(columns, &missing, present)),
        }
    }

    /// The position of a column.
    pub(super) fn of(&self, role: Role) -> Option<usize> {
        match role {
            Role::Customer => Some(self.customer),
            Role::Product => Some(self.product),
            Role::Time => Some(self.time),
            Role::Quantity => self.quantity,
        }
    }
}

impl Columns {
    /// The name of a column.
    pub(super) fn name(&self, role: Role) -> &str {
        match role {
            Role::Customer => &self.customer,
            Role::Product => &self.product,
            Role::Time => &self.time,
            Role::Quantity => &self.quantity,
        }
    }
}

fn missing_columns(columns: &Columns, missing: &[(Role, &str)], present: &[&str]) -> Error {
    let names: Vec<String> = missing
        .iter()
        .map(|(_, name)| format!("\"{name}\""))
        .collect();
    let mut listed: Vec<String> = present
        .iter()
        .take(LISTED)
        .map(|name| format!("\"{name}\""))
        .collect();
    if present.len() > LISTED {
        listed.push(format!("and {} more", present.len() - LISTED));
    }
    // A column that has a role is proposed for no other.
    let roles = [Role::Customer, Role::Product, Role::Time, Role::Quantity];
    let mut free: Vec<&str> = present
        .iter()
        .copied()
        .filter(|column| !column.is_empty())
        .collect();
    free.retain(|column| roles.iter().all(|role| columns.name(*role) != *column));
    let mut pairs: Vec<(f64, Role, &str, &str)> = vec![];
    for (role, name) in missing {
        pairs.extend(
            free.iter()
                .map(|column| (suggest::likeness(name, column), *role, *name, *column)),
        );
    }
    pairs.retain(|(likeness, ..)| *likeness >= NEAR);
    // The likest pair first, so that no role takes a column that means another.
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut proposed: Vec<(Role, &str)> = vec![];
    let mut hints: Vec<String> = vec![];
    for (_, role, name, column) in pairs {
        if proposed
            .iter()
            .all(|(other, taken)| *other != role && *taken != column)
        {
            hints.push(format!(
                "for \"{name}\" the nearest is \"{column}\": {} {}",
                role.flag(),
                in_shell(column)
            ));
            proposed.push((role, column));
        }
    }
    if hints.is_empty() {
        let flags: Vec<&str> = missing.iter().map(|(role, _)| role.flag()).collect();
        hints.push(format!("name the columns with {}", flags.join(", ")));
    }
    Error::input(format!(
        "there is no column {}; the columns are {}",
        names.join(", "),
        if listed.is_empty() {
            "none".to_owned()
        } else {
            listed.join(", ")
        }
    ))
    .hint(hints.join("; "))
}

/// A name as it is typed in a shell.
fn in_shell(name: &str) -> String {
    let plain = name
        .chars()
        .all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.'));
    if plain {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}
