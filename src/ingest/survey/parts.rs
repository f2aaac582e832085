//! Tickets in several tables: headers and lines, persons and products apart.

use super::fits::quoted;
use super::meaning::ColumnMeaning;
use super::proposals::ProposedSetting;
use super::tables::{TableColumns, TablesToJoin, product_table, tables_to_join};
use super::{GivenSettings, ProfiledTable, Survey, other_table, survey_of_table};

/// What tables tell of which none has all that is needed.
pub(super) fn survey_of_parts(tables: &[ProfiledTable], given: &GivenSettings) -> Survey {
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

fn first_object(table: &ProfiledTable) -> &str {
    table.table.objects.first().map_or("", String::as_str)
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
    let (of_headers, of_lines) = (first_object(headers), first_object(lines));
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
    survey
        .settings
        .extend(product_settings(tables, columns, join.lines, &join.product));
    let customers = headers
        .profiles
        .iter()
        .find(|profile| profile.name == join.customer);
    if customers.is_some_and(|customers| customers.is_unique() && customers.values() > 1) {
        add_person(&mut survey, tables, headers, &join.customer);
    }
    survey
}

/// The settings of the table of products, if there is one.
pub(super) fn product_settings(
    tables: &[ProfiledTable],
    columns: &[TableColumns<'_>],
    lines: usize,
    product: &str,
) -> Vec<ProposedSetting> {
    let Some(products) = product_table(columns, lines, product) else {
        return vec![];
    };
    let Some(table) = tables.get(products.table) else {
        return vec![];
    };
    let reason = "it says what the products are called";
    let paths = table.table.objects.clone().into();
    let mut settings = vec![
        ProposedSetting::set("input.products.paths", paths, reason),
        ProposedSetting::set("input.products.id", products.id.into(), ""),
    ];
    for (key, column) in [("name", products.name), ("category", products.category)] {
        let path = format!("input.products.{key}");
        settings.extend(column.map(|column| ProposedSetting::set(&path, column.into(), "")));
    }
    settings
}

/// Where each customer of the headers has one ticket, it is one for each order: the person stands in
/// another table, or nowhere.
fn add_person(
    survey: &mut Survey,
    tables: &[ProfiledTable],
    headers: &ProfiledTable,
    customer: &str,
) {
    let once = format!(
        "each {} has exactly one ticket: it stands for an order and not for a person, and nobody comes back by it",
        quoted(customer)
    );
    let others = tables.iter().filter(|table| !std::ptr::eq(*table, headers));
    let person = others
        .filter(|table| {
            table
                .profiles
                .iter()
                .any(|profile| profile.name == customer)
        })
        .find_map(|table| {
            let person = table.profiles.iter().find(|profile| {
                let meaning = profile.meaning.map(|name| name.meaning);
                profile.name != customer
                    && !profile.is_unique()
                    && meaning == Some(ColumnMeaning::Customer)
            })?;
            Some((table, person))
        });
    let Some((table, person)) = person else {
        survey.problems.push(format!(
            "{once}. Ask for an export with a customer's card or account, or join the table that has it"
        ));
        return;
    };
    let object = table
        .table
        .objects
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    let reason = format!(
        "{once}; {object} has the person in {}",
        quoted(&person.name)
    );
    survey.sure.push(reason.clone());
    let paths = table.table.objects.clone().into();
    survey.settings.extend([
        ProposedSetting::set("input.customers.paths", paths, &reason),
        ProposedSetting::set("input.customers.id", customer.into(), ""),
        ProposedSetting::set("input.customers.person", person.name.clone().into(), ""),
    ]);
}
