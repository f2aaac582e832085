//! What the first rows of tickets tell: which column is what, how times are written, what stands for
//! no customer, which lines take back what was sold. `okuo init` proposes settings from it.
//!
//! All of it are functions of samples. Names are understood in many languages (`words`, `meaning`),
//! and values are held against them (`values`, `profile`): a column is taken where both agree.
//! Whatever may be otherwise is said.

mod habits;
mod meaning;
mod profile;
mod proposals;
mod roles;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod words;
mod zones;

use std::collections::BTreeSet;

use serde::Serialize;

use super::sample::TableSample;
pub use meaning::ColumnMeaning;
pub(super) use meaning::{CLEAR, meaning_of};
pub use profile::ColumnProfile;
use proposals::Proposals;
pub use proposals::ProposedSetting;
pub use roles::{Certainty, GivenColumns, RoleChoice};
use roles::{Roles, find_roles, quoted};
use tables::{TableColumns, TablesToJoin, product_table, tables_to_join};

/// Objects with the same columns, and rows of some of them.
#[derive(Debug, Clone, Default)]
pub struct SampledTable {
    /// The objects' names.
    pub objects: Vec<String>,
    /// Rows of all of them.
    pub sample: TableSample,
}

impl SampledTable {
    /// Samples of objects by their columns, whose order may differ: the most frequent first.
    #[must_use]
    pub fn group(samples: Vec<(String, TableSample)>) -> Vec<Self> {
        let mut tables: Vec<Self> = vec![];
        for (object, sample) in samples {
            let same = tables
                .iter_mut()
                .find(|table| table.has_columns(&sample.columns));
            match same {
                Some(table) => table.add(object, sample),
                None => tables.push(Self {
                    objects: vec![object],
                    sample,
                }),
            }
        }
        tables.sort_by_key(|table| std::cmp::Reverse(table.objects.len()));
        tables
    }

    fn has_columns(&self, columns: &[String]) -> bool {
        let known: BTreeSet<&String> = self.sample.columns.iter().collect();
        known == columns.iter().collect()
    }

    /// Adds an object with the same columns in whatever order.
    fn add(&mut self, object: String, sample: TableSample) {
        let places: Vec<Option<usize>> = self
            .sample
            .columns
            .iter()
            .map(|name| sample.columns.iter().position(|other| other == name))
            .collect();
        let rows = sample.rows.iter().map(|row| {
            let cells = places.iter();
            cells.map(|place| row.get((*place)?)?.clone()).collect()
        });
        self.sample.rows.extend(rows);
        for note in sample.notes {
            if !self.sample.notes.contains(&note) {
                self.sample.notes.push(note);
            }
        }
        self.objects.push(object);
    }
}

/// What the owner has settled.
#[derive(Debug, Clone, Default)]
pub struct GivenSettings {
    /// The columns that were named.
    pub columns: GivenColumns,
    /// The settings that were given, by their places in okuo.toml: nothing is proposed for them.
    pub paths: BTreeSet<String>,
}

/// What samples tell.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Survey {
    /// The columns of the table of ticket lines, with what stands in them.
    pub columns: Vec<ColumnProfile>,
    /// Which column is what.
    pub roles: Vec<RoleChoice>,
    /// What should stand in okuo.toml, beside the columns.
    pub settings: Vec<ProposedSetting>,
    /// What is certain.
    pub sure: Vec<String>,
    /// What someone who knows the data should look at.
    pub check: Vec<String>,
    /// What keeps the tickets from being read.
    pub problems: Vec<String>,
    /// What is needed and was not found.
    pub missing: Vec<ColumnMeaning>,
    /// What was noticed of the format.
    pub notes: Vec<String>,
    /// The objects that have ticket lines, of those that were looked at.
    pub objects: Vec<String>,
    /// The objects that have another table.
    pub other_objects: Vec<String>,
}

/// A table with what its columns look like.
struct ProfiledTable {
    table: SampledTable,
    profiles: Vec<ColumnProfile>,
    roles: Roles,
}

impl ProfiledTable {
    fn new(table: SampledTable, given: &GivenColumns) -> Self {
        let TableSample { columns, rows, .. } = &table.sample;
        let profiles: Vec<ColumnProfile> = columns
            .iter()
            .enumerate()
            .map(|(at, name)| ColumnProfile::new(name, at, rows))
            .collect();
        let roles = find_roles(&profiles, rows, given);
        Self {
            table,
            profiles,
            roles,
        }
    }

    /// The needed roles that no column has.
    fn missing(&self) -> Vec<ColumnMeaning> {
        let is_missing = |role: &ColumnMeaning| {
            role.is_needed()
                && self
                    .roles
                    .choice(*role)
                    .is_none_or(|choice| choice.position.is_none())
        };
        ColumnMeaning::ROLES
            .into_iter()
            .filter(is_missing)
            .collect()
    }
}

/// What the tables of an input tell, with what the owner has settled.
#[must_use]
pub fn survey(tables: Vec<SampledTable>, given: &GivenSettings) -> Survey {
    let tables: Vec<ProfiledTable> = tables
        .into_iter()
        .map(|table| ProfiledTable::new(table, &given.columns))
        .collect();
    let whole: Vec<&ProfiledTable> = tables
        .iter()
        .filter(|table| table.missing().is_empty())
        .collect();
    let main = whole
        .iter()
        .copied()
        .max_by_key(|table| table.table.sample.rows.len());
    let Some(main) = main else {
        return survey_of_parts(&tables, given);
    };
    let mut survey = survey_of_table(main, given);
    for other in &tables {
        if std::ptr::eq(other, main) {
            continue;
        }
        if other.missing().is_empty() {
            survey.objects.extend(other.table.objects.iter().cloned());
            add_alternatives(&mut survey.roles, &other.roles);
        } else {
            survey
                .other_objects
                .extend(other.table.objects.iter().cloned());
            survey.check.push(other_table(other));
        }
    }
    survey
}

/// What one table of ticket lines tells.
fn survey_of_table(main: &ProfiledTable, given: &GivenSettings) -> Survey {
    let mut proposals = Proposals::new(&main.profiles, &main.table.sample, &main.roles);
    proposals.propose();
    let Proposals {
        mut settings,
        sure,
        check,
        left_out,
        ..
    } = proposals;
    settings.retain(|setting| !given.paths.contains(&setting.path));
    let mut roles = main.roles.choices.clone();
    roles.retain(|choice| choice.certainty == Certainty::Given || !left_out.contains(&choice.role));
    Survey {
        columns: main.profiles.clone(),
        roles,
        settings,
        sure,
        check,
        problems: main.roles.problems.clone(),
        missing: main.missing(),
        notes: main.table.sample.notes.clone(),
        objects: main.table.objects.clone(),
        other_objects: vec![],
    }
}

/// Columns of other names in other objects are tried after those of the main table.
fn add_alternatives(choices: &mut [RoleChoice], others: &Roles) {
    for choice in choices {
        if let Some(other) = others.choice(choice.role)
            && choice.certainty != Certainty::Given
            && other.column != choice.column
            && !choice.alternatives.contains(&other.column)
        {
            choice.alternatives.push(other.column.clone());
        }
    }
}

fn other_table(other: &ProfiledTable) -> String {
    let objects = &other.table.objects;
    let columns: Vec<String> = other
        .profiles
        .iter()
        .map(|profile| quoted(&profile.name))
        .collect();
    let first = objects.first().map(String::as_str).unwrap_or_default();
    let more = match objects.len() {
        0 | 1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    format!(
        "{first}{more} has another table, with the columns {}: it is no part of the tickets",
        columns.join(", ")
    )
}

/// What tables tell of which none has all that is needed.
fn survey_of_parts(tables: &[ProfiledTable], given: &GivenSettings) -> Survey {
    let columns: Vec<TableColumns<'_>> = tables
        .iter()
        .map(|table| TableColumns {
            profiles: &table.profiles,
        })
        .collect();
    if let Some(join) = tables_to_join(&columns)
        && let (Some(lines), Some(headers)) = (tables.get(join.lines), tables.get(join.headers))
    {
        return survey_of_join(tables, &columns, &join, lines, headers);
    }
    let most = tables.iter().max_by_key(|table| {
        let found = ColumnMeaning::ROLES.len() - table.missing().len();
        (found, table.table.sample.rows.len())
    });
    let Some(main) = most else {
        return Survey::default();
    };
    let mut survey = survey_of_table(main, given);
    let others = tables.iter().filter(|other| !std::ptr::eq(*other, main));
    survey.check.extend(others.map(other_table));
    survey
}

fn survey_of_join(
    tables: &[ProfiledTable],
    columns: &[TableColumns<'_>],
    join: &TablesToJoin,
    lines: &ProfiledTable,
    headers: &ProfiledTable,
) -> Survey {
    let mut survey = Survey {
        columns: lines.profiles.clone(),
        objects: lines.table.objects.clone(),
        notes: lines.table.sample.notes.clone(),
        ..Survey::default()
    };
    let of_headers = headers
        .table
        .objects
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let of_lines = lines
        .table
        .objects
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    survey.sure.push(format!(
        "the tickets are two tables: {of_headers} has a line for each ticket (customer {}), {of_lines} the products of each (product {}); \
         both have the ticket's id in {}",
        quoted(&join.customer),
        quoted(&join.product),
        quoted(&join.ticket)
    ));
    let set = |path: &str, value: serde_json::Value| ProposedSetting::set(path, value, "");
    survey.settings = vec![
        set("input.paths", lines.table.objects.clone().into()),
        set("columns.product", join.product.clone().into()),
        set("columns.basket", join.ticket.clone().into()),
        set("input.tickets.paths", headers.table.objects.clone().into()),
        set("input.tickets.ticket", join.ticket.clone().into()),
        set("input.tickets.customer", join.customer.clone().into()),
    ];
    match &join.time {
        Some(time) => survey
            .settings
            .push(set("input.tickets.time", time.clone().into())),
        None => {
            survey.missing.push(ColumnMeaning::Time);
            survey.problems.push(format!(
                "{of_headers} says nothing of the day of a ticket: a weekday, an hour or the days since the last order are no date, \
                 and without dates nothing can be forecast. Ask for an export with the date of each ticket"
            ));
        }
    }
    if let Some(products) = product_table(columns, join.lines, &join.product)
        && let Some(table) = tables.get(products.table)
    {
        survey.settings.push(set(
            "input.products.paths",
            table.table.objects.clone().into(),
        ));
        survey
            .settings
            .push(set("input.products.id", products.id.into()));
        for (key, column) in [("name", products.name), ("category", products.category)] {
            if let Some(column) = column {
                survey
                    .settings
                    .push(set(&format!("input.products.{key}"), column.into()));
            }
        }
    }
    let customers = headers
        .profiles
        .iter()
        .find(|profile| profile.name == join.customer);
    if customers.is_some_and(|customers| customers.is_unique() && customers.values() > 1) {
        survey
            .problems
            .push(single_ticket_customers(tables, headers, &join.customer));
    }
    survey
}

/// What to say where each customer of the headers has one ticket: it is one for each order.
fn single_ticket_customers(
    tables: &[ProfiledTable],
    headers: &ProfiledTable,
    customer: &str,
) -> String {
    let mut text = format!(
        "each {} has exactly one ticket: it is the number of an order's customer record, not of a person, and nobody comes back by it",
        quoted(customer)
    );
    let person = tables
        .iter()
        .filter(|table| !std::ptr::eq(*table, headers))
        .filter(|table| {
            table
                .profiles
                .iter()
                .any(|profile| profile.name == customer)
        })
        .find_map(|table| {
            let other = table.profiles.iter().find(|profile| {
                profile.name != customer
                    && !profile.is_unique()
                    && profile
                        .meaning
                        .is_some_and(|name| name.meaning == ColumnMeaning::Customer)
            })?;
            Some((table.table.objects.first()?, other))
        });
    if let Some((object, person)) = person {
        text.push_str(&format!(
            ". {object} has {}, which comes again: join it to the tickets first. DuckDB does it: \
             COPY (SELECT t.*, c.\"{}\" FROM '{}' t JOIN '{object}' c USING (\"{customer}\")) TO 'tickets.parquet'",
            quoted(&person.name),
            person.name,
            headers.table.objects.first().map(String::as_str).unwrap_or_default()
        ));
    }
    text
}
