//! The tables beside the tickets' lines: `[input.tickets]`, `[input.customers]`,
//! `[input.products]`.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::ingest::{ColumnAlternatives, ColumnNames, InputTables, TableSource, TicketTable};
use crate::settings::section;

section! {
    /// `[input.tickets]`.
    pub struct TicketTableSettings {
        /// Table of ticket headers, if customer and time stand there and not in the lines; named like
        /// --input. Lines find their header by --basket
        #[setting(default = vec![], long("tickets"), value("URI"), spaces())]
        pub paths: Vec<String>,
        /// Column of the ticket's id in the headers
        #[setting(
            default = None,
            default_note("as --basket"),
            long("tickets-ticket"),
            value("COLUMN"),
            undivided()
        )]
        pub ticket: Option<ColumnAlternatives>,
        /// Column of the customer in the headers
        #[setting(
            default = None,
            default_note("as --customer"),
            long("tickets-customer"),
            value("COLUMN"),
            undivided()
        )]
        pub customer: Option<ColumnAlternatives>,
        /// Column of the time in the headers
        #[setting(
            default = None,
            default_note("as --time"),
            long("tickets-time"),
            value("COLUMN"),
            undivided()
        )]
        pub time: Option<ColumnAlternatives>,
        /// Column of the time of day in the headers
        #[setting(
            default = None,
            default_note("as --time-of-day"),
            long("tickets-time-of-day"),
            value("COLUMN"),
            undivided()
        )]
        pub time_of_day: Option<ColumnAlternatives>,
        /// Headers to read, as --where: lines of other tickets are left out
        #[setting(
            default = vec![],
            long("tickets-where"),
            value("COLUMN=VALUE"),
            undivided()
        )]
        pub r#where: Vec<String>,
    }
}

section! {
    /// `[input.customers]`.
    pub struct CustomerTableSettings {
        /// Table that says which person a customer's id belongs to, where a person has several ids;
        /// named like --input
        #[setting(default = vec![], long("customers"), value("URI"), spaces())]
        pub paths: Vec<String>,
        /// Column of the id that the tickets have
        #[setting(
            default = None,
            default_note("as --customer"),
            long("customers-id"),
            value("COLUMN"),
            undivided()
        )]
        pub id: Option<ColumnAlternatives>,
        /// Column of the person: the customers of what okuo says
        #[setting(default = None, long("customers-person"), value("COLUMN"), undivided())]
        pub person: Option<ColumnAlternatives>,
    }
}

section! {
    /// `[input.products]`.
    pub struct ProductTableSettings {
        /// Table of products: names stand in results wherever products do; named like --input
        #[setting(default = vec![], long("products"), value("URI"), spaces())]
        pub paths: Vec<String>,
        /// Column of the product's id
        #[setting(
            default = None,
            default_note("as --product"),
            long("products-id"),
            value("COLUMN"),
            undivided()
        )]
        pub id: Option<ColumnAlternatives>,
        /// Column of the product's name
        #[setting(
            default = "product_name".into(),
            long("products-name"),
            value("COLUMN"),
            undivided()
        )]
        pub name: ColumnAlternatives,
        /// Column of the product's category
        #[setting(default = None, long("products-category"), value("COLUMN"), undivided())]
        pub category: Option<ColumnAlternatives>,
        /// Column of the product's unit price
        #[setting(default = None, long("products-price"), value("COLUMN"), undivided())]
        pub price: Option<ColumnAlternatives>,
        /// Column of the product's brand
        #[setting(default = None, long("products-brand"), value("COLUMN"), undivided())]
        pub brand: Option<ColumnAlternatives>,
        /// Column of what is left of the product's price without a discount, as a share of it
        #[setting(
            default = None,
            default_note("as margin under [offers]"),
            long("products-margin"),
            value("COLUMN"),
            undivided()
        )]
        pub margin: Option<ColumnAlternatives>,
        /// Column of the discount of an offer of the product, as a share of the price
        #[setting(
            default = None,
            default_note("as discount under [offers]"),
            long("products-discount"),
            value("COLUMN"),
            undivided()
        )]
        pub discount: Option<ColumnAlternatives>,
        /// Column that says whether the product may be offered: true or false, yes or no, 1 or 0.
        /// Nothing means yes
        #[setting(default = None, long("products-offerable"), value("COLUMN"), undivided())]
        pub offerable: Option<ColumnAlternatives>,
    }
}

section! {
    /// `[customers]`.
    pub struct MailingSettings {
        /// Table of customers: who may be mailed, and in which segment they are; named like --input
        #[setting(default = vec![])]
        pub paths: Vec<String>,
        /// Column of the customer's id
        #[setting(default = None, default_note("as --customer"), undivided())]
        pub id: Option<ColumnAlternatives>,
        /// Column that says whether the customer may be mailed: true or false, yes or no, 1 or 0.
        /// Others than those who may are sent no offers (`opted_out`)
        #[setting(default = None, undivided())]
        pub may_mail: Option<ColumnAlternatives>,
        /// Column of the customer's segment: a column of the tables
        #[setting(default = None, undivided())]
        pub segment: Option<ColumnAlternatives>,
        /// Column of the customer's store: a column of the tables, in place of the store in which the
        /// customer mostly buys
        #[setting(default = None, undivided())]
        pub store: Option<ColumnAlternatives>,
        /// Column of the id that goes on in the place of this one, where cards were merged; empty for
        /// the others. All that either bought is the purchases of the one that goes on
        #[setting(default = None, undivided())]
        pub merged_into: Option<ColumnAlternatives>,
    }
}

/// Where the tables are, as a manifest keeps it.
#[derive(Debug, Serialize)]
pub(super) struct TableUris<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tickets: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customers: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    products: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mailing: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    merged: Option<&'a [String]>,
}

impl<'a> TableUris<'a> {
    pub(super) fn of(tables: &'a InputTables) -> Self {
        let paths = |table: &'a Option<TableSource>| table.as_ref().map(|table| &*table.paths);
        Self {
            tickets: paths(&tables.tickets),
            customers: paths(&tables.customers),
            products: paths(&tables.products),
            mailing: paths(&tables.mailing),
            merged: paths(&tables.merged),
        }
    }
}

/// The tables that are given. `columns` are those of the lines: they get the ticket's column of the
/// headers, if they have none of their own.
///
/// # Errors
/// If a column that is needed is not named, or columns of a table are named without the table.
pub(super) fn checked(
    tickets: TicketTableSettings,
    customers: CustomerTableSettings,
    products: ProductTableSettings,
    mailing: MailingSettings,
    columns: &mut ColumnNames,
) -> Result<InputTables> {
    let [mailing, merged] = customer_tables(mailing, columns)?;
    Ok(InputTables {
        tickets: ticket_table(tickets, columns)?,
        customers: customer_table(customers, columns)?,
        products: product_table(products, columns)?,
        mailing,
        merged,
    })
}

fn ticket_table(
    settings: TicketTableSettings,
    columns: &mut ColumnNames,
) -> Result<Option<TableSource>> {
    let TicketTableSettings {
        paths,
        ticket,
        customer,
        time,
        time_of_day,
        r#where,
    } = settings;
    if paths.is_empty() {
        let named = [&ticket, &customer, &time, &time_of_day];
        let is_named = !r#where.is_empty() || named.iter().any(|name| name.is_some());
        return refuse_without_paths(is_named, "tickets");
    }
    let basket = ticket.clone().or_else(|| columns.basket.clone());
    let basket = basket.ok_or_else(|| {
        Error::request("tickets have headers in a table of their own, but no column names the ticket")
            .hint("name the column that lines and headers share with --basket COLUMN; --tickets-ticket COLUMN if the headers call it otherwise")
    })?;
    columns.basket.get_or_insert_with(|| basket.clone());
    Ok(Some(TableSource {
        paths,
        columns: ColumnNames {
            table: TicketTable::Headers,
            basket: Some(basket),
            customer: customer.unwrap_or_else(|| columns.customer.clone()),
            time: time.unwrap_or_else(|| columns.time.clone()),
            time_of_day: time_of_day.or_else(|| columns.time_of_day.clone()),
            ..columns.clone()
        },
        filters: super::filters(&r#where, "--tickets-where")?,
    }))
}

fn customer_table(
    settings: CustomerTableSettings,
    columns: &ColumnNames,
) -> Result<Option<TableSource>> {
    let CustomerTableSettings { paths, id, person } = settings;
    if paths.is_empty() {
        return refuse_without_paths(id.is_some() || person.is_some(), "customers");
    }
    let person = person.ok_or_else(|| {
        Error::request("there is a table of customers, but no column of it names the person")
            .hint("name it with --customers-person COLUMN; --customers-id COLUMN is the column of the ids that the tickets have")
    })?;
    Ok(Some(TableSource {
        paths,
        columns: ColumnNames {
            table: TicketTable::Customers,
            customer: id.unwrap_or_else(|| columns.customer.clone()),
            name: Some(person),
            ..ColumnNames::default()
        },
        filters: vec![],
    }))
}

/// The table under `[customers]`: what it says for offers, and which customers were merged. The latter
/// is read before the tickets, the former after them.
fn customer_tables(
    settings: MailingSettings,
    columns: &ColumnNames,
) -> Result<[Option<TableSource>; 2]> {
    let MailingSettings {
        paths,
        id,
        may_mail,
        segment,
        store,
        merged_into,
    } = settings;
    let named = [&id, &may_mail, &segment, &store, &merged_into];
    let is_named = named.iter().any(|name| name.is_some());
    if paths.is_empty() && is_named {
        return Err(
            Error::request("columns of [customers] are named, but not the table")
                .hint("say where it is with paths under [customers]"),
        );
    }
    if paths.is_empty() {
        return Ok([None, None]);
    }
    let is_mailing = [&may_mail, &segment, &store]
        .iter()
        .any(|name| name.is_some());
    if !is_mailing && merged_into.is_none() {
        return Err(Error::request("nothing of the table under [customers] is used")
            .hint("name the column that says who may be mailed with may_mail, that of the segments with segment, that of the stores with store, or that of the ids which go on in the place of others with merged_into"));
    }
    let of_customers = ColumnNames {
        customer: id.unwrap_or_else(|| columns.customer.clone()),
        ..ColumnNames::default()
    };
    let merged = merged_into.map(|merged_into| ColumnNames {
        table: TicketTable::Merged,
        name: Some(merged_into),
        ..of_customers.clone()
    });
    let mailing = is_mailing.then_some(ColumnNames {
        table: TicketTable::Mailing,
        name: may_mail,
        category: segment,
        store,
        ..of_customers
    });
    Ok([mailing, merged].map(|columns| {
        Some(TableSource {
            paths: paths.clone(),
            columns: columns?,
            filters: vec![],
        })
    }))
}

fn product_table(
    settings: ProductTableSettings,
    columns: &ColumnNames,
) -> Result<Option<TableSource>> {
    let ProductTableSettings {
        paths,
        id,
        name,
        category,
        price,
        brand,
        margin,
        discount,
        offerable,
    } = settings;
    if paths.is_empty() {
        let is_named = name != ProductTableSettings::default().name;
        let columns = [
            &id, &category, &price, &brand, &margin, &discount, &offerable,
        ];
        return refuse_without_paths(
            is_named || columns.iter().any(|column| column.is_some()),
            "products",
        );
    }
    Ok(Some(TableSource {
        paths,
        columns: ColumnNames {
            table: TicketTable::Products,
            product: id.unwrap_or_else(|| columns.product.clone()),
            name: Some(name),
            category,
            price,
            brand,
            margin,
            discount,
            offerable,
            ..ColumnNames::default()
        },
        filters: vec![],
    }))
}

/// Refuses columns of a table that is not given.
fn refuse_without_paths(has_columns: bool, table: &str) -> Result<Option<TableSource>> {
    if !has_columns {
        return Ok(None);
    }
    Err(Error::request(format!(
        "columns of the table of {table} are named, but not the table"
    ))
    .hint(format!(
        "give it with --{table} URI, or paths under [input.{table}]"
    )))
}
