//! What the first rows of tickets tell: which column is what, how times are written, what stands for
//! no customer, which lines take back what was sold. `okuo init` proposes settings from it.
//!
//! All of it are functions of samples. Names are understood in many languages (`words`, `meaning`),
//! and values are held against them (`values`, `profile`): a column is taken where both agree.
//! Whatever may be otherwise is said.

mod fits;
mod flags;
mod habits;
mod meaning;
mod parts;
mod profile;
mod proposals;
mod roles;
mod sampled;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod words;
mod zones;

use std::collections::BTreeSet;

use serde::Serialize;

use super::sample::TableSample;
use fits::quoted;
pub use meaning::ColumnMeaning;
pub(super) use meaning::{CLEAR, meaning_of};
use parts::{product_settings, survey_of_parts};
pub use profile::ColumnProfile;
use proposals::Proposals;
pub use proposals::ProposedSetting;
pub use roles::{BY_NAME_AND_VALUES, Certainty, GivenColumns, RoleChoice};
use roles::{Roles, find_roles};
pub use sampled::SampledTable;
use tables::TableColumns;

/// What the owner has settled.
#[derive(Debug, Clone, Default)]
pub struct GivenSettings {
    /// The columns that were named.
    pub columns: GivenColumns,
    /// The settings that were given, by their places in okuo.toml: nothing is proposed for them.
    pub paths: BTreeSet<String>,
    /// The objects that were named as tables beside the ticket lines.
    pub tables: BTreeSet<String>,
}

/// What samples tell.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Survey {
    /// The columns of the table of ticket lines, with what stands in them.
    pub columns: Vec<ColumnProfile>,
    /// The columns of the table of ticket headers, where customer and time stand in one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub header_columns: Vec<ColumnProfile>,
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
    /// What is said in `check` of dates whose order the sample does not tell: all lines may.
    #[serde(skip)]
    pub open_dates: Option<String>,
    /// Roles that are better not mapped.
    #[serde(skip)]
    pub left_out: Vec<ColumnMeaning>,
}

/// A table with what its columns look like.
struct ProfiledTable {
    table: SampledTable,
    profiles: Vec<ColumnProfile>,
    roles: Roles,
}

impl ProfiledTable {
    fn new(table: SampledTable, given: &GivenSettings) -> Self {
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

    /// Whether the owner named all its objects as another table.
    fn is_named(&self, given: &GivenSettings) -> bool {
        let mut objects = self.table.objects.iter();
        objects.all(|object| given.tables.contains(object))
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
        .map(|table| ProfiledTable::new(table, given))
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
    let columns: Vec<TableColumns<'_>> = tables
        .iter()
        .map(|table| TableColumns {
            profiles: &table.profiles,
            given: &given.columns,
        })
        .collect();
    let lines = tables.iter().position(|table| std::ptr::eq(table, main));
    if let Some(product) = survey
        .roles
        .iter()
        .find(|choice| choice.role == ColumnMeaning::Product)
    {
        let product = product.column.clone();
        survey.settings.extend(product_settings(
            &tables,
            &columns,
            lines.unwrap_or_default(),
            &product,
        ));
    }
    for other in &tables {
        if std::ptr::eq(other, main) {
            continue;
        }
        if other.missing().is_empty() {
            survey.objects.extend(other.table.objects.iter().cloned());
            add_alternatives(&mut survey, other);
        } else if !other.is_named(given) {
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
    proposals.propose(given);
    let Proposals {
        mut settings,
        sure,
        check,
        signed,
        left_out,
        open_dates,
        ..
    } = proposals;
    settings.retain(|setting| !given.paths.contains(&setting.path));
    let mut roles = main.roles.choices.clone();
    roles.retain(|choice| choice.certainty == Certainty::Given || !left_out.contains(&choice.role));
    if let Some(signed) = signed {
        roles.retain(|choice| choice.role != signed.role);
        roles.push(signed);
    }
    Survey {
        columns: main.profiles.clone(),
        header_columns: vec![],
        roles,
        settings,
        sure,
        check,
        problems: main.roles.problems.clone(),
        missing: main.missing(),
        notes: main.table.sample.notes.clone(),
        objects: main.table.objects.clone(),
        other_objects: vec![],
        open_dates,
        left_out,
    }
}

/// Columns of other names in other objects are tried after those of the main table. A column that
/// others have not, and that is not needed, is left out: they would be refused.
fn add_alternatives(survey: &mut Survey, other: &ProfiledTable) {
    let mut left_out = vec![];
    for choice in &mut survey.roles {
        let has_column = other
            .profiles
            .iter()
            .any(|profile| profile.name == choice.column);
        if choice.certainty == Certainty::Given || has_column {
            continue;
        }
        match other.roles.choice(choice.role) {
            Some(other) if !choice.alternatives.contains(&other.column) => {
                choice.alternatives.push(other.column.clone());
            }
            Some(_) => {}
            None => left_out.push(choice.role),
        }
    }
    for role in left_out {
        survey.roles.retain(|choice| choice.role != role);
        survey.check.push(format!(
            "some objects, such as {}, have no column of {}: it is not read",
            other
                .table
                .objects
                .first()
                .map(String::as_str)
                .unwrap_or_default(),
            role.words()
        ));
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
