//! Which column has which role, by names and by values.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::GivenSettings;
use super::fits::{
    NEARLY_ALL, cell, day_numbers, day_of, is_clock, is_count, is_id, is_time, list_of_products,
    quoted, rounded, same_within_moments,
};
use super::meaning::{CLEAR, ColumnMeaning};
use super::profile::{ColumnProfile, NumericTime};
use crate::ingest::columns::numbered_position;

/// The reason for most choices.
pub const BY_NAME_AND_VALUES: &str = "its name and its values";

/// The columns that the owner named, by their roles.
pub type GivenColumns = BTreeMap<ColumnMeaning, Vec<String>>;

/// How certain a choice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The owner said so.
    Given,
    /// Names and values say so.
    Sure,
    /// It may be otherwise: someone who knows the data should look.
    Check,
}

/// A column that was chosen for a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RoleChoice {
    /// The role.
    pub role: ColumnMeaning,
    /// The column's name.
    pub column: String,
    /// How certain that is.
    pub certainty: Certainty,
    /// Why it was chosen.
    pub reason: String,
    /// What the column is called in other objects.
    pub alternatives: Vec<String>,
    /// Whether it is a column of the table of ticket headers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_in_headers: bool,
    #[serde(skip)]
    pub(super) position: Option<usize>,
}

impl RoleChoice {
    /// Whether the table has the column.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.position.is_some()
    }

    /// The column by which tables belong together, or one that was found beside it.
    pub(super) fn of_join(role: ColumnMeaning, column: &str, reason: &str) -> Self {
        Self {
            role,
            column: column.to_owned(),
            certainty: Certainty::Sure,
            reason: reason.to_owned(),
            alternatives: vec![],
            is_in_headers: false,
            position: None,
        }
    }

    /// The same, as a column of the table of headers.
    #[must_use]
    pub(super) fn in_headers(self) -> Self {
        Self {
            is_in_headers: true,
            ..self
        }
    }
}

/// The roles of a table.
#[derive(Debug, Default)]
pub(super) struct Roles {
    pub(super) choices: Vec<RoleChoice>,
    /// What keeps a column from its role.
    pub(super) problems: Vec<String>,
}

impl Roles {
    /// The column that was chosen for a role.
    pub(super) fn choice(&self, role: ColumnMeaning) -> Option<&RoleChoice> {
        self.choices.iter().find(|choice| choice.role == role)
    }

    fn position(&self, role: ColumnMeaning) -> Option<usize> {
        self.choice(role)?.position
    }
}

/// So many different customers are needed to judge whether they come back.
const CUSTOMERS: usize = 30;

/// Where so many ids were rounded, they are ids no longer.
const ROUNDED: f64 = 0.3;

/// Finds the columns of all roles. What is given stands.
pub(super) fn find_roles(
    profiles: &[ColumnProfile],
    rows: &[Vec<Option<String>>],
    given: &GivenSettings,
) -> Roles {
    let mut finder = RoleFinder {
        profiles,
        rows,
        has_day_zero: given.paths.contains("input.day_zero"),
        taken: BTreeSet::new(),
        roles: Roles::default(),
    };
    for (role, names) in &given.columns {
        finder.take_given(*role, names);
    }
    finder.find_time();
    finder.find_customer();
    finder.find_product();
    for role in [
        ColumnMeaning::Quantity,
        ColumnMeaning::TimeOfDay,
        ColumnMeaning::Basket,
        ColumnMeaning::Price,
        ColumnMeaning::Category,
        ColumnMeaning::Store,
    ] {
        finder.find_optional(role);
    }
    let order = |choice: &RoleChoice| {
        ColumnMeaning::ROLES
            .iter()
            .position(|role| *role == choice.role)
    };
    finder.roles.choices.sort_by_key(order);
    finder.roles
}

struct RoleFinder<'a> {
    profiles: &'a [ColumnProfile],
    rows: &'a [Vec<Option<String>>],
    /// Whether it is known which date day 0 is.
    has_day_zero: bool,
    /// Columns that have a role.
    taken: BTreeSet<usize>,
    roles: Roles,
}

impl<'a> RoleFinder<'a> {
    fn take_given(&mut self, role: ColumnMeaning, names: &[String]) {
        let present = names.iter().find_map(|name| {
            let numbered = numbered_position(name).and_then(|at| self.profiles.get(at));
            let named = self.profiles.iter().find(|profile| profile.name == *name);
            named.or(numbered)
        });
        let Some(name) = names.first() else {
            return;
        };
        self.taken.extend(present.map(|profile| profile.position));
        self.roles.choices.push(RoleChoice {
            role,
            column: name.clone(),
            certainty: Certainty::Given,
            reason: "you said so".to_owned(),
            alternatives: vec![],
            is_in_headers: false,
            position: present.map(|profile| profile.position),
        });
    }

    fn take(
        &mut self,
        role: ColumnMeaning,
        profile: &ColumnProfile,
        certainty: Certainty,
        reason: &str,
    ) {
        self.taken.insert(profile.position);
        self.roles.choices.push(RoleChoice {
            role,
            column: profile.name.clone(),
            certainty,
            reason: reason.to_owned(),
            alternatives: vec![],
            is_in_headers: false,
            position: Some(profile.position),
        });
    }

    fn is_found(&self, role: ColumnMeaning) -> bool {
        self.roles.choice(role).is_some()
    }

    /// The columns without a role whose names mean this, the clearest first.
    fn named(&self, meanings: &[ColumnMeaning]) -> Vec<&'a ColumnProfile> {
        let mut named: Vec<(&ColumnProfile, i32)> = self
            .profiles
            .iter()
            .filter(|profile| !self.taken.contains(&profile.position) && profile.values() > 0)
            .filter_map(|profile| Some((profile, profile.meaning?)))
            .filter(|(_, name)| meanings.contains(&name.meaning) && name.clearness >= CLEAR)
            .map(|(profile, name)| (profile, name.clearness))
            .collect();
        // Stable: of equals the first of the table.
        named.sort_by_key(|(_, clearness)| std::cmp::Reverse(*clearness));
        named.into_iter().map(|(profile, _)| profile).collect()
    }

    fn find_time(&mut self) {
        if self.is_found(ColumnMeaning::Time) {
            return;
        }
        let mut named = self.named(&[ColumnMeaning::Time, ColumnMeaning::TimeOfDay]);
        // Where there is a time with its date, the date beside it is not needed.
        named.sort_by_key(|profile| {
            let has_time_of_day =
                profile.share_of_dates() >= 0.5 && profile.share_of_bare_dates() < 0.5;
            let clearness = profile.meaning.map_or(0, |name| name.clearness);
            std::cmp::Reverse(clearness + if has_time_of_day { 8 } else { 0 })
        });
        if let Some(profile) = named
            .iter()
            .find(|profile| is_time(profile, self.has_day_zero))
        {
            return self.take(
                ColumnMeaning::Time,
                profile,
                Certainty::Sure,
                BY_NAME_AND_VALUES,
            );
        }
        let dates: Vec<&ColumnProfile> = self
            .profiles
            .iter()
            .filter(|profile| !self.taken.contains(&profile.position))
            .filter(|profile| profile.values() > 0 && profile.share_of_dates() >= NEARLY_ALL)
            .collect();
        match dates.as_slice() {
            [only] => self.take(
                ColumnMeaning::Time,
                only,
                Certainty::Check,
                "it is the only column of dates",
            ),
            [] => {
                let numbers = named
                    .iter()
                    .find(|profile| NumericTime::of(profile) == Some(NumericTime::DayNumber));
                if let Some(profile) = numbers {
                    self.roles.problems.push(day_numbers(profile));
                }
            }
            several => {
                let names: Vec<String> = several
                    .iter()
                    .map(|profile| quoted(&profile.name))
                    .collect();
                self.roles.problems.push(format!(
                    "several columns have dates: {}; name that of the sale with --time",
                    names.join(", ")
                ));
            }
        }
    }

    fn find_customer(&mut self) {
        if self.is_found(ColumnMeaning::Customer) {
            return;
        }
        let mut named = self.named(&[ColumnMeaning::Customer]);
        if self.refuse_rounded(&named) {
            return;
        }
        named.retain(|profile| is_id(profile));
        let Some(first) = named.first().copied() else {
            return self.find_customer_by_tickets();
        };
        let returning = |profile: &ColumnProfile| self.returning(profile);
        match returning(first) {
            Some(0.0) => {
                let other = named
                    .iter()
                    .find(|profile| returning(profile).is_some_and(|share| share > 0.05));
                if let Some(other) = other {
                    let reason = format!(
                        "its customers come back; no {} is seen on two days, so it names orders, not people",
                        quoted(&first.name)
                    );
                    return self.take(ColumnMeaning::Customer, other, Certainty::Sure, &reason);
                }
                self.take(
                    ColumnMeaning::Customer,
                    first,
                    Certainty::Check,
                    "its name; but none of its customers is seen on two days",
                );
            }
            _ if first.is_unique() && first.values() >= CUSTOMERS => self.take(
                ColumnMeaning::Customer,
                first,
                Certainty::Check,
                "its name; but it differs on every line",
            ),
            _ => self.take(
                ColumnMeaning::Customer,
                first,
                Certainty::Sure,
                BY_NAME_AND_VALUES,
            ),
        }
    }

    /// The share of a column's values that are seen on two days or more; `None` where the sample
    /// has too few of them, or one day only.
    fn returning(&self, profile: &ColumnProfile) -> Option<f64> {
        let time = self.roles.position(ColumnMeaning::Time)?;
        let mut days: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut all_days = BTreeSet::new();
        for row in self.rows {
            let (Some(value), Some(day)) =
                (cell(row, profile.position), cell(row, time).map(day_of))
            else {
                continue;
            };
            days.entry(value).or_default().insert(day);
            all_days.insert(day);
        }
        if days.len() < CUSTOMERS || all_days.len() < 2 {
            return None;
        }
        let several = days.values().filter(|days| days.len() > 1).count();
        Some(several as f64 / days.len() as f64)
    }

    /// Where no name tells: what stays the same on the lines of one moment, while something else
    /// changes, is the customer, and the other the product.
    fn find_customer_by_tickets(&mut self) {
        let Some(time) = self.roles.position(ColumnMeaning::Time) else {
            return;
        };
        if self.is_found(ColumnMeaning::Product)
            || !self.named(&[ColumnMeaning::Product]).is_empty()
        {
            return;
        }
        let free: Vec<&ColumnProfile> = self
            .profiles
            .iter()
            .filter(|profile| !self.taken.contains(&profile.position) && profile.meaning.is_none())
            .filter(|profile| is_id(profile) && !is_count(profile))
            .collect();
        let [one, other] = free.as_slice() else {
            return;
        };
        let same = |profile: &ColumnProfile| same_within_moments(self.rows, time, profile.position);
        let (customer, product) = match (same(one), same(other)) {
            (Some(one_same), Some(other_same)) if one_same > 0.98 && other_same < 0.5 => {
                (*one, *other)
            }
            (Some(one_same), Some(other_same)) if other_same > 0.98 && one_same < 0.5 => {
                (*other, *one)
            }
            _ => return,
        };
        self.take(
            ColumnMeaning::Customer,
            customer,
            Certainty::Check,
            "it stays the same on lines of the same moment",
        );
        self.take(
            ColumnMeaning::Product,
            product,
            Certainty::Check,
            "it changes on lines of the same moment",
        );
        let counts: Vec<&ColumnProfile> = self
            .profiles
            .iter()
            .filter(|profile| !self.taken.contains(&profile.position) && profile.meaning.is_none())
            .filter(|profile| is_count(profile))
            .collect();
        if let [quantity] = counts.as_slice() {
            self.take(
                ColumnMeaning::Quantity,
                quantity,
                Certainty::Check,
                "it has small whole numbers",
            );
        }
    }

    /// Whether the clearest column of ids has lost digits in a spreadsheet, which is told.
    fn refuse_rounded(&mut self, named: &[&ColumnProfile]) -> bool {
        let first = named.first();
        let first = first.filter(|profile| profile.share_of_rounded() > ROUNDED);
        self.roles
            .problems
            .extend(first.map(|profile| rounded(profile)));
        first.is_some()
    }

    fn find_product(&mut self) {
        if self.is_found(ColumnMeaning::Product) {
            return;
        }
        let named = self.named(&[ColumnMeaning::Product]);
        if self.refuse_rounded(&named) {
            return;
        }
        if let Some(list) = named
            .iter()
            .find(|profile| profile.share_of_lists_of_ids() > 0.3)
        {
            self.roles.problems.push(list_of_products(list));
            return;
        }
        if let Some(profile) = named.iter().find(|profile| is_id(profile)) {
            return self.take(
                ColumnMeaning::Product,
                profile,
                Certainty::Sure,
                BY_NAME_AND_VALUES,
            );
        }
        let names = self.named(&[ColumnMeaning::ProductName]);
        if let Some(profile) = names.iter().find(|profile| !profile.is_boolean()) {
            self.take(
                ColumnMeaning::Product,
                profile,
                Certainty::Check,
                "it has the products' names, and there is no column of their ids",
            );
        }
    }

    fn find_optional(&mut self, role: ColumnMeaning) {
        if self.is_found(role) {
            return;
        }
        let bare_dates = self
            .roles
            .position(ColumnMeaning::Time)
            .and_then(|time| self.profiles.get(time))
            .is_some_and(|time| {
                time.share_of_bare_dates() > 0.5
                    || NumericTime::of(time) == Some(NumericTime::Compact)
            });
        let found = self.named(&[role]).into_iter().find(|profile| match role {
            ColumnMeaning::Quantity => profile.share_of_quantities() >= NEARLY_ALL,
            ColumnMeaning::Price => profile.share_of_numbers() >= NEARLY_ALL,
            ColumnMeaning::TimeOfDay => bare_dates && is_clock(profile),
            _ => !profile.is_boolean(),
        });
        if let Some(profile) = found {
            self.take(role, profile, Certainty::Sure, BY_NAME_AND_VALUES);
        }
    }
}
