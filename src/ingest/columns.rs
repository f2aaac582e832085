//! Which columns of the input mean what, and where they are in an object.

use crate::error::{Error, Result};
use crate::suggest;

/// How many of an object's columns a message lists.
const LISTED: usize = 40;

/// How alike a name must be to be proposed (Jaro–Winkler, 0 to 1).
const NEAR: f64 = 0.65;

/// The names of the columns that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnNames {
    /// Who bought; integer or text.
    pub customer: String,
    /// What was bought; integer or text.
    pub product: String,
    /// When it was bought; date, timestamp or text.
    pub time: String,
    /// How many; a line with 0 or less is a return.
    pub quantity: String,
    /// Whether the quantity's column was asked for by name: then it must be there. Otherwise all
    /// lines of an object without it are sales.
    pub quantity_required: bool,
}

impl Default for ColumnNames {
    fn default() -> Self {
        Self {
            customer: "customer_id".into(),
            product: "product_id".into(),
            time: "timestamp".into(),
            quantity: "quantity".into(),
            quantity_required: false,
        }
    }
}

impl ColumnNames {
    /// The name of the column of a role.
    pub(super) fn name(&self, role: ColumnRole) -> &str {
        match role {
            ColumnRole::Customer => &self.customer,
            ColumnRole::Product => &self.product,
            ColumnRole::Time => &self.time,
            ColumnRole::Quantity => &self.quantity,
        }
    }

    /// How many of the columns are among those of an object.
    pub(super) fn count_present(&self, present: &[String]) -> usize {
        ColumnRole::ALL
            .into_iter()
            .filter(|role| present.iter().any(|column| column == self.name(*role)))
            .count()
    }

    /// Whether an object without the column of a role is refused.
    fn is_required(&self, role: ColumnRole) -> bool {
        role != ColumnRole::Quantity || self.quantity_required
    }
}

/// What a column is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnRole {
    Customer,
    Product,
    Time,
    Quantity,
}

impl ColumnRole {
    /// All roles, in the order in which columns are looked for.
    pub(super) const ALL: [ColumnRole; 4] = [
        ColumnRole::Customer,
        ColumnRole::Product,
        ColumnRole::Time,
        ColumnRole::Quantity,
    ];

    /// The flag that names the column.
    pub(super) fn flag(self) -> &'static str {
        match self {
            ColumnRole::Customer => "--customer",
            ColumnRole::Product => "--product",
            ColumnRole::Time => "--time",
            ColumnRole::Quantity => "--quantity",
        }
    }
}

/// Positions of the named columns in an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ColumnPositions {
    pub(super) customer: usize,
    pub(super) product: usize,
    pub(super) time: usize,
    pub(super) quantity: Option<usize>,
}

impl ColumnPositions {
    /// Finds the named columns.
    ///
    /// # Errors
    /// If one is missing (all missing ones are named, each with the nearest name) or stands there
    /// twice.
    pub(super) fn find(names: &ColumnNames, present: &[&str]) -> Result<Self> {
        let customer = position_of(&names.customer, present)?;
        let product = position_of(&names.product, present)?;
        let time = position_of(&names.time, present)?;
        let quantity = position_of(&names.quantity, present)?;
        match (customer, product, time) {
            (Some(customer), Some(product), Some(time))
                if quantity.is_some() || !names.quantity_required =>
            {
                Ok(Self {
                    customer,
                    product,
                    time,
                    quantity,
                })
            }
            _ => Err(missing_columns(names, present)),
        }
    }

    /// The position of the column of a role, if there is one.
    pub(super) fn of(&self, role: ColumnRole) -> Option<usize> {
        match role {
            ColumnRole::Customer => Some(self.customer),
            ColumnRole::Product => Some(self.product),
            ColumnRole::Time => Some(self.time),
            ColumnRole::Quantity => self.quantity,
        }
    }
}

fn position_of(name: &str, present: &[&str]) -> Result<Option<usize>> {
    let mut found = present
        .iter()
        .enumerate()
        .filter(|(_, column)| **column == name)
        .map(|(at, _)| at);
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(_) => Err(Error::input("the column stands there twice")
            .column(name)
            .hint("name the columns of the export apart")),
    }
}

fn missing_columns(names: &ColumnNames, present: &[&str]) -> Error {
    let mut missing: Vec<ColumnRole> = ColumnRole::ALL.to_vec();
    missing.retain(|role| names.is_required(*role) && !present.contains(&names.name(*role)));
    let mut hints = proposals(names, &missing, present);
    if hints.is_empty() {
        let flags: Vec<&str> = missing.iter().map(|role| role.flag()).collect();
        hints.push(format!("name the columns with {}", flags.join(", ")));
    }
    let wanted: Vec<String> = missing
        .iter()
        .map(|role| format!("\"{}\"", names.name(*role)))
        .collect();
    Error::input(format!(
        "there is no column {}; the columns are {}",
        wanted.join(", "),
        listed(present)
    ))
    .hint(hints.join("; "))
    .for_lack_of_columns()
}

/// The columns of an object as a message lists them.
fn listed(present: &[&str]) -> String {
    if present.is_empty() {
        return "none".to_owned();
    }
    let mut listed: Vec<String> = present
        .iter()
        .take(LISTED)
        .map(|name| format!("\"{name}\""))
        .collect();
    if present.len() > LISTED {
        listed.push(format!("and {} more", present.len() - LISTED));
    }
    listed.join(", ")
}

/// A column that may be the one of a role.
struct Proposal<'a> {
    likeness: f64,
    role: ColumnRole,
    column: &'a str,
}

/// For each missing column the nearest one that is there, with the flag that names it.
fn proposals(names: &ColumnNames, missing: &[ColumnRole], present: &[&str]) -> Vec<String> {
    // A column that has a role is proposed for no other.
    let mut free: Vec<&str> = present.to_vec();
    free.retain(|column| {
        let has_role = ColumnRole::ALL
            .iter()
            .any(|role| names.name(*role) == *column);
        !column.is_empty() && !has_role
    });
    let mut possible: Vec<Proposal<'_>> = vec![];
    for role in missing {
        possible.extend(free.iter().map(|column| Proposal {
            likeness: suggest::likeness(names.name(*role), column),
            role: *role,
            column,
        }));
    }
    possible.retain(|proposal| proposal.likeness >= NEAR);
    // The likeliest pair first, so that no role takes a column that means another.
    possible.sort_by(|a, b| b.likeness.total_cmp(&a.likeness));
    let mut chosen: Vec<Proposal<'_>> = vec![];
    for proposal in possible {
        let is_taken = chosen
            .iter()
            .any(|other| other.role == proposal.role || other.column == proposal.column);
        if !is_taken {
            chosen.push(proposal);
        }
    }
    chosen
        .iter()
        .map(|Proposal { role, column, .. }| {
            format!(
                "for \"{}\" the nearest is \"{column}\": {} {}",
                names.name(*role),
                role.flag(),
                in_shell(column)
            )
        })
        .collect()
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
