//! Which columns of the input mean what, and where they are in an object.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::InputOptions;
use super::filters::RowFilter;
use super::missing_columns::{likeliest_column, listed, missing_columns};
use super::path_columns::PathColumns;
use crate::error::{Error, Result};
use crate::settings::{Setting, SettingValue, ValueKind};
use crate::suggest;

/// The names that a column may have, tried in order in each object: one, or several where objects
/// name it differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnAlternatives(Vec<String>);

impl ColumnAlternatives {
    /// The names, in the order in which they are tried.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// The first name.
    #[must_use]
    pub fn first(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// Whether it is one of the names.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

impl<T: Into<String>> From<T> for ColumnAlternatives {
    fn from(name: T) -> Self {
        Self(vec![name.into()])
    }
}

impl fmt::Display for ColumnAlternatives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted: Vec<String> = self.0.iter().map(|name| format!("\"{name}\"")).collect();
        f.write_str(&quoted.join(" or "))
    }
}

/// One name is written as text, several as a list.
impl Serialize for ColumnAlternatives {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [name] => serializer.serialize_str(name),
            names => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ColumnAlternatives {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "a column should be a name, or a list of names that are tried in order"
        )]
        enum NameOrNames {
            One(String),
            Several(Vec<String>),
        }
        match NameOrNames::deserialize(deserializer)? {
            NameOrNames::One(name) => Ok(Self(vec![name])),
            NameOrNames::Several(names) if names.is_empty() => {
                Err(serde::de::Error::custom("a column needs a name"))
            }
            NameOrNames::Several(names) => Ok(Self(names)),
        }
    }
}

impl SettingValue for ColumnAlternatives {
    const KIND: ValueKind = ValueKind::Texts;

    fn check(&self, _: &Setting, _: &str) -> Result<()> {
        Ok(())
    }
}

/// Which of the tables that may make up tickets the columns are of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TicketTable {
    /// Lines that say everything.
    #[default]
    Whole,
    /// Lines whose customer and time stand in the header of their ticket.
    Lines,
    /// Headers of tickets.
    Headers,
    /// What products are called.
    Products,
    /// Which person a customer's id belongs to.
    Customers,
    /// Who may be mailed, and which segment a customer is in.
    Mailing,
    /// Which customer goes on in the place of another: cards that were merged.
    Merged,
}

/// The names of the columns that are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnNames {
    /// Which table they are of. A role that the table does not have is not looked for.
    pub table: TicketTable,
    /// Who bought; integer or text.
    pub customer: ColumnAlternatives,
    /// What was bought; integer or text.
    pub product: ColumnAlternatives,
    /// When it was bought; date, timestamp, text or number.
    pub time: ColumnAlternatives,
    /// The time of day, where it stands apart from the date.
    pub time_of_day: Option<ColumnAlternatives>,
    /// How many; less than 0 takes back what was sold.
    pub quantity: Option<ColumnAlternatives>,
    /// The ticket; integer or text.
    pub basket: Option<ColumnAlternatives>,
    /// The price of one piece; a number.
    pub price: Option<ColumnAlternatives>,
    /// What kind of product it is; integer or text.
    pub category: Option<ColumnAlternatives>,
    /// Where it was bought; integer or text. In a table of customers, the customer's store.
    pub store: Option<ColumnAlternatives>,
    /// What the product is called, in a table of products; or the person, in one of customers.
    pub name: Option<ColumnAlternatives>,
    /// Whose product it is, in a table of products; integer or text.
    pub brand: Option<ColumnAlternatives>,
    /// What is left of the price without a discount, in a table of products; a share of it.
    pub margin: Option<ColumnAlternatives>,
    /// The discount of an offer, in a table of products; a share of the price.
    pub discount: Option<ColumnAlternatives>,
    /// Whether the product may be offered, in a table of products; yes or no.
    pub offerable: Option<ColumnAlternatives>,
    /// Whether the quantity's column was asked for by name: then it must be there. Otherwise all
    /// lines of an object without it are sales.
    pub quantity_required: bool,
}

impl Default for ColumnNames {
    fn default() -> Self {
        Self {
            table: TicketTable::Whole,
            customer: "customer_id".into(),
            product: "product_id".into(),
            time: "timestamp".into(),
            time_of_day: None,
            quantity: Some("quantity".into()),
            basket: None,
            price: None,
            category: None,
            store: None,
            name: None,
            brand: None,
            margin: None,
            discount: None,
            offerable: None,
            quantity_required: false,
        }
    }
}

impl ColumnNames {
    /// The names that the column of a role may have, if the role is mapped and the table has it.
    pub fn of(&self, role: ColumnRole) -> Option<&ColumnAlternatives> {
        if !self.table.has(role) {
            return None;
        }
        match role {
            ColumnRole::Customer => Some(&self.customer),
            ColumnRole::Product => Some(&self.product),
            ColumnRole::Time => Some(&self.time),
            ColumnRole::TimeOfDay => self.time_of_day.as_ref(),
            ColumnRole::Quantity => self.quantity.as_ref(),
            ColumnRole::Basket => self.basket.as_ref(),
            ColumnRole::Price => self.price.as_ref(),
            ColumnRole::Category => self.category.as_ref(),
            ColumnRole::Store => self.store.as_ref(),
            ColumnRole::Name => self.name.as_ref(),
            ColumnRole::Brand => self.brand.as_ref(),
            ColumnRole::Margin => self.margin.as_ref(),
            ColumnRole::Discount => self.discount.as_ref(),
            ColumnRole::Offerable => self.offerable.as_ref(),
        }
    }

    /// The first name of the column of a role; empty if the role is not mapped.
    pub(super) fn name(&self, role: ColumnRole) -> &str {
        self.of(role).map_or("", ColumnAlternatives::first)
    }

    /// Whether an object without the column of a role is refused.
    pub(super) fn is_required(&self, role: ColumnRole) -> bool {
        match role {
            ColumnRole::Quantity => self.quantity_required && self.of(role).is_some(),
            // It may stand in either table.
            ColumnRole::Store if self.table == TicketTable::Headers => false,
            _ => self.of(role).is_some(),
        }
    }

    /// Whether a column has a role by its name.
    pub(super) fn have(&self, column: &str) -> bool {
        ColumnRole::ALL
            .into_iter()
            .filter_map(|role| self.of(role))
            .any(|names| names.has(column))
    }
}

/// What a column is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnRole {
    /// Who bought.
    Customer,
    /// What was bought.
    Product,
    /// When: the day, and where it stands with it, the time of day.
    Time,
    /// How many.
    Quantity,
    /// The time of day, where it stands apart.
    TimeOfDay,
    /// The ticket.
    Basket,
    /// The price of one piece.
    Price,
    /// What kind of product.
    Category,
    /// Where.
    Store,
    /// What a product is called, or which person a customer is: never on a ticket's line.
    Name,
    /// Whose product it is: as those below, only in a table of products.
    Brand,
    /// What is left of its price without a discount.
    Margin,
    /// The discount of an offer of it.
    Discount,
    /// Whether it may be offered.
    Offerable,
}

impl ColumnRole {
    /// All roles, in the order in which columns are looked for.
    pub const ALL: [ColumnRole; 14] = [
        ColumnRole::Customer,
        ColumnRole::Product,
        ColumnRole::Time,
        ColumnRole::Quantity,
        ColumnRole::TimeOfDay,
        ColumnRole::Basket,
        ColumnRole::Price,
        ColumnRole::Category,
        ColumnRole::Store,
        ColumnRole::Name,
        ColumnRole::Brand,
        ColumnRole::Margin,
        ColumnRole::Discount,
        ColumnRole::Offerable,
    ];

    /// Those that only a table of products has.
    const OF_PRODUCTS: [ColumnRole; 4] = [
        ColumnRole::Brand,
        ColumnRole::Margin,
        ColumnRole::Discount,
        ColumnRole::Offerable,
    ];

    /// The flag that names the column.
    #[must_use]
    pub fn flag(self) -> &'static str {
        match self {
            ColumnRole::Customer => "--customer",
            ColumnRole::Product => "--product",
            ColumnRole::Time => "--time",
            ColumnRole::TimeOfDay => "--time-of-day",
            ColumnRole::Quantity => "--quantity",
            ColumnRole::Basket => "--basket",
            ColumnRole::Price => "--price",
            ColumnRole::Category => "--category",
            ColumnRole::Store => "--store",
            ColumnRole::Name => "--products-name",
            ColumnRole::Brand => "--products-brand",
            ColumnRole::Margin => "--products-margin",
            ColumnRole::Discount => "--products-discount",
            ColumnRole::Offerable => "--products-offerable",
        }
    }
}

impl TicketTable {
    /// Whether a table has the column of a role at all.
    fn has(self, role: ColumnRole) -> bool {
        let who_and_when = matches!(
            role,
            ColumnRole::Customer | ColumnRole::Time | ColumnRole::TimeOfDay
        );
        let is_of_products = ColumnRole::OF_PRODUCTS.contains(&role);
        match self {
            Self::Whole => role != ColumnRole::Name && !is_of_products,
            Self::Lines => !who_and_when && role != ColumnRole::Name && !is_of_products,
            Self::Headers => who_and_when || matches!(role, ColumnRole::Basket | ColumnRole::Store),
            Self::Products => {
                let others = [
                    ColumnRole::Product,
                    ColumnRole::Name,
                    ColumnRole::Category,
                    ColumnRole::Price,
                ];
                is_of_products || others.contains(&role)
            }
            // Who goes on in a customer's place is taken like a name, too.
            Self::Customers | Self::Merged => {
                matches!(role, ColumnRole::Customer | ColumnRole::Name)
            }
            // Whether a customer may be mailed is taken like a name, and the segment like a category.
            Self::Mailing => matches!(
                role,
                ColumnRole::Customer | ColumnRole::Name | ColumnRole::Category | ColumnRole::Store
            ),
        }
    }

    /// Whether the values of a role are answers, yes or no, in this table.
    pub(super) fn has_answers_in(self, role: ColumnRole) -> bool {
        (self == Self::Mailing && role == ColumnRole::Name) || role == ColumnRole::Offerable
    }

    /// What is read like products of a line: the tickets themselves, of headers.
    pub(super) fn products(self) -> &'static str {
        match self {
            Self::Headers => "ticket",
            _ => "product",
        }
    }

    /// The flag that names the column of a role in this table.
    pub(super) fn flag(self, role: ColumnRole) -> &'static str {
        match (self, role) {
            (Self::Headers, ColumnRole::Basket) => "--tickets-ticket",
            (Self::Headers, ColumnRole::Customer) => "--tickets-customer",
            (Self::Headers, ColumnRole::Time) => "--tickets-time",
            (Self::Headers, ColumnRole::TimeOfDay) => "--tickets-time-of-day",
            (Self::Products, ColumnRole::Product) => "--products-id",
            (Self::Products, ColumnRole::Category) => "--products-category",
            (Self::Products, ColumnRole::Price) => "--products-price",
            (Self::Customers, ColumnRole::Customer) => "--customers-id",
            (Self::Customers, ColumnRole::Name) => "--customers-person",
            (Self::Mailing | Self::Merged, ColumnRole::Customer) => "[customers] id",
            (Self::Merged, ColumnRole::Name) => "[customers] merged_into",
            (Self::Mailing, ColumnRole::Store) => "[customers] store",
            (Self::Mailing, ColumnRole::Name) => "[customers] may_mail",
            (Self::Mailing, ColumnRole::Category) => "[customers] segment",
            _ => role.flag(),
        }
    }
}

/// What an object's columns are looked through for.
#[derive(Debug, Clone)]
pub(super) struct WantedColumns {
    pub(super) names: ColumnNames,
    /// Which rows are read.
    filters: Vec<RowFilter>,
    /// Which rows take back what was sold.
    returns: Vec<RowFilter>,
    /// The columns that stand in the object's path.
    path: PathColumns,
    /// Whether each line is looked up in another table.
    is_looked_up: bool,
}

impl WantedColumns {
    /// Those of an object of this name.
    pub(super) fn new(options: &InputOptions, object: &str) -> Self {
        Self {
            names: options.columns.clone(),
            filters: options.filters.clone(),
            returns: options.returns.clone(),
            path: PathColumns::of(object),
            is_looked_up: options.loaded.are_used(),
        }
    }

    /// How many of the wanted columns are among those of an object.
    pub(super) fn count_present(&self, present: &[String]) -> usize {
        let roles = ColumnRole::ALL
            .into_iter()
            .filter_map(|role| self.names.of(role));
        let of_roles =
            roles.filter(|names| names.names().iter().any(|name| present.contains(name)));
        let filters = self.filters.iter().chain(&self.returns);
        of_roles.count()
            + filters
                .filter(|filter| present.contains(&filter.column))
                .count()
    }

    /// Finds the wanted columns among those of an object.
    ///
    /// # Errors
    /// If one is missing (all missing ones are named, each with the nearest name) or stands there
    /// twice.
    pub(super) fn find(&self, present: &[&str]) -> Result<FoundColumns> {
        let mut roles = vec![];
        let mut missing = vec![];
        for role in ColumnRole::ALL {
            match self.find_role(role, present)? {
                Some(column) => roles.push((role, column)),
                None if self.names.is_required(role) => missing.push(role),
                None => {}
            }
        }
        if !missing.is_empty() {
            let present: Vec<&str> = present.iter().copied().chain(self.path.names()).collect();
            return Err(missing_columns(&self.names, &missing, &present));
        }
        let quantity = match roles.iter().any(|(role, _)| *role == ColumnRole::Quantity) {
            true => QuantityPresence::Present,
            false => likeliest_column(&self.names, ColumnRole::Quantity, present)
                .map_or(QuantityPresence::Missing, |name| {
                    QuantityPresence::Like(name.into())
                }),
        };
        let mut of_products = roles.iter().map(|(role, _)| role);
        Ok(FoundColumns {
            are_of_products: of_products.any(|role| ColumnRole::OF_PRODUCTS.contains(role)),
            roles,
            quantity,
            is_looked_up: self.is_looked_up,
            filters: self.find_filters(&self.filters, "--where", present)?,
            returns: self.find_filters(&self.returns, "--returns", present)?,
        })
    }

    fn find_role(&self, role: ColumnRole, present: &[&str]) -> Result<Option<FoundColumn>> {
        let Some(names) = self.names.of(role) else {
            return Ok(None);
        };
        for name in names.names() {
            if let Some(column) = self.find_named(name, present)? {
                return Ok(Some(column));
            }
        }
        Ok(None)
    }

    /// Where a role has several names of which more than one is there: the position of the first, and
    /// those of each other.
    pub(super) fn other_positions(&self, present: &[&str]) -> Result<Vec<(usize, usize)>> {
        let mut others = vec![];
        for names in ColumnRole::ALL
            .into_iter()
            .filter_map(|role| self.names.of(role))
        {
            let mut positions = vec![];
            for name in names.names() {
                positions.extend(position_of(name, present)?);
            }
            if let Some((first, rest)) = positions.split_first() {
                others.extend(rest.iter().map(|other| (*first, *other)));
            }
        }
        Ok(others)
    }

    /// All names of the roles that have a column.
    pub(super) fn alternatives(&self, found: &FoundColumns) -> Vec<String> {
        let roles = found.roles.iter();
        let names = roles.filter_map(|(role, _)| self.names.of(*role));
        names.flat_map(|names| names.names().to_vec()).collect()
    }

    /// A warning of columns that are not read, though they differ from those of a role by case alone.
    pub(super) fn warning_of_alike(&self, present: &[&str]) -> Option<String> {
        ColumnRole::ALL.into_iter().find_map(|role| {
            let names = self.names.of(role)?.names();
            let read = names.iter().find(|name| present.contains(&name.as_str()))?;
            let alike = present.iter().find(|other| {
                !self.names.have(other) && names.iter().any(|name| is_alike(name, other))
            })?;
            Some(format!(
                "some objects have the key \"{alike}\", which is not read, and \"{read}\" is: if both are the same, name both in okuo.toml, \
                 where {} may be a list: [\"{read}\", \"{alike}\"]",
                self.names.table.flag(role)
            ))
        })
    }

    /// The column of a name: in the object, or else in its path.
    fn find_named(&self, name: &str, present: &[&str]) -> Result<Option<FoundColumn>> {
        let place = match position_of(name, present)? {
            Some(at) => ColumnPlace::Field(at),
            None => match self.path.value(name) {
                Some(value) => ColumnPlace::Path(value),
                None => return Ok(None),
            },
        };
        Ok(Some(FoundColumn {
            name: name.into(),
            place,
        }))
    }

    fn find_filters(
        &self,
        filters: &[RowFilter],
        flag: &str,
        present: &[&str],
    ) -> Result<Vec<FoundFilter>> {
        let mut found = vec![];
        for filter in filters {
            let Some(column) = self.find_named(&filter.column, present)? else {
                return Err(Error::input(format!(
                    "there is no column \"{}\", which {flag} names; the columns are {}",
                    filter.column,
                    listed(present)
                ))
                .hint(
                    match suggest::nearest(&filter.column, present.iter().copied(), suggest::ALIKE)
                    {
                        Some(nearest) => {
                            format!("the nearest is \"{nearest}\": name that one with {flag}")
                        }
                        None => format!("name one of these columns with {flag}"),
                    },
                ));
            };
            found.push(FoundFilter {
                column,
                numbers: filter.numbers(),
                filter: filter.clone(),
            });
        }
        Ok(found)
    }
}

/// Where the wanted columns of an object are.
#[derive(Debug, Clone)]
pub(super) struct FoundColumns {
    /// In the order of [`ColumnRole::ALL`].
    roles: Vec<(ColumnRole, FoundColumn)>,
    quantity: QuantityPresence,
    is_looked_up: bool,
    /// Whether there is a column that only a table of products has.
    pub(super) are_of_products: bool,
    pub(super) filters: Vec<FoundFilter>,
    pub(super) returns: Vec<FoundFilter>,
}

/// Whether an object has a column of quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum QuantityPresence {
    #[default]
    Missing,
    /// Not under the name that is looked for: this one may be it.
    Like(Arc<str>),
    Present,
}

/// A column with the name that it has in an object.
#[derive(Debug, Clone)]
pub(super) struct FoundColumn {
    pub(super) name: Arc<str>,
    pub(super) place: ColumnPlace,
}

/// Where the values of a column are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColumnPlace {
    /// In the rows, at this position.
    Field(usize),
    /// In the object's path: this is the value of all rows.
    Path(Arc<str>),
}

/// A filter with the column that it looks at.
#[derive(Debug, Clone)]
pub(super) struct FoundFilter {
    pub(super) column: FoundColumn,
    pub(super) filter: RowFilter,
    /// Those of its values that are numbers, at their positions.
    pub(super) numbers: Vec<Option<f64>>,
}

impl FoundColumns {
    /// The column of a role, if there is one.
    pub(super) fn of(&self, role: ColumnRole) -> Option<&FoundColumn> {
        let mut roles = self.roles.iter();
        roles
            .find(|(known, _)| *known == role)
            .map(|(_, column)| column)
    }

    /// The positions of all columns that rows are read for, each once, with the first role that
    /// each has; a column that only filters look at has none.
    pub(super) fn read_columns(&self) -> Vec<(Option<ColumnRole>, usize)> {
        let roles = self
            .roles
            .iter()
            .map(|(role, column)| (Some(*role), column));
        let filters = self.filters.iter().chain(&self.returns);
        let filters = filters.map(|filter| (None, &filter.column));
        let mut read: Vec<(Option<ColumnRole>, usize)> = vec![];
        for (role, column) in roles.chain(filters) {
            if let ColumnPlace::Field(at) = column.place
                && read.iter().all(|(_, known)| *known != at)
            {
                read.push((role, at));
            }
        }
        read
    }

    /// Gives the columns the positions that they have among [`FoundColumns::read_columns`].
    pub(super) fn renumber(&mut self) {
        let read = self.read_columns();
        let roles = self.roles.iter_mut().map(|(_, column)| column);
        let filters = self.filters.iter_mut().chain(&mut self.returns);
        for column in roles.chain(filters.map(|filter| &mut filter.column)) {
            if let ColumnPlace::Field(at) = &mut column.place {
                let position = read.iter().position(|(_, known)| known == at);
                *at = position.unwrap_or_default();
            }
        }
    }

    /// Whether there is a column of quantities.
    pub(super) fn quantity(&self) -> QuantityPresence {
        self.quantity.clone()
    }

    /// The name of the column of a role, as the object has it.
    pub(super) fn name(&self, role: ColumnRole) -> Option<&str> {
        self.of(role).map(|column| &*column.name)
    }

    /// Whether a column that is looked at has this name.
    pub(super) fn has_name(&self, name: &str) -> bool {
        let roles = self.roles.iter().map(|(_, column)| column);
        let filters = self.filters.iter().chain(&self.returns);
        roles
            .chain(filters.map(|filter| &filter.column))
            .any(|column| &*column.name == name)
    }

    /// The positions in the rows that are looked at, in no order.
    pub(super) fn fields(&self) -> Vec<usize> {
        let roles = self.roles.iter().map(|(_, column)| column);
        let filters = self.filters.iter().chain(&self.returns);
        roles
            .chain(filters.map(|filter| &filter.column))
            .filter_map(|column| match column.place {
                ColumnPlace::Field(at) => Some(at),
                ColumnPlace::Path(_) => None,
            })
            .collect()
    }

    /// The positions, if no more is wanted than the four columns that nearly all files have.
    pub(super) fn plain(&self) -> Option<PlainPositions> {
        if self.is_looked_up || !self.filters.is_empty() || !self.returns.is_empty() {
            return None;
        }
        let mut positions = [None; 4];
        for (role, column) in &self.roles {
            let ColumnPlace::Field(at) = column.place else {
                return None;
            };
            *positions.get_mut(*role as usize)? = Some(at);
        }
        let [customer, product, time, quantity] = positions;
        Some(PlainPositions {
            customer: customer?,
            product: product?,
            time: time?,
            quantity,
        })
    }
}

/// Positions of the columns that nearly all files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PlainPositions {
    pub(super) customer: usize,
    pub(super) product: usize,
    pub(super) time: usize,
    pub(super) quantity: Option<usize>,
}

impl PlainPositions {
    /// The position of the column of a role, if there is one.
    pub(super) fn of(&self, role: ColumnRole) -> Option<usize> {
        match role {
            ColumnRole::Customer => Some(self.customer),
            ColumnRole::Product => Some(self.product),
            ColumnRole::Time => Some(self.time),
            ColumnRole::Quantity => self.quantity,
            _ => None,
        }
    }
}

/// The position of a column by its name, or by its number: `#1` is the first.
fn position_of(name: &str, present: &[&str]) -> Result<Option<usize>> {
    let mut found = present
        .iter()
        .enumerate()
        .filter(|(_, column)| **column == name)
        .map(|(at, _)| at);
    let first = found.next();
    match found.next() {
        None => Ok(first.or_else(|| numbered_position(name).filter(|at| *at < present.len()))),
        Some(_) => Err(stands_twice(name)),
    }
}

/// The error of a column whose name another column has, too.
pub(super) fn stands_twice(name: &str) -> Error {
    Error::input("the column stands there twice")
        .column(name)
        .hint(format!("name the columns of the export apart, in SQL with AS: \"{name}\" and \"{name}_2\"; or leave one out"))
}

/// Whether two names differ by case alone.
fn is_alike(name: &str, other: &str) -> bool {
    name != other && name.to_lowercase() == other.to_lowercase()
}

/// The position that a name like `#1` stands for.
pub(super) fn numbered_position(name: &str) -> Option<usize> {
    name.strip_prefix('#')?
        .parse::<usize>()
        .ok()?
        .checked_sub(1)
}
