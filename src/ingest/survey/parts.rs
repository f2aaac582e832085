//! Tickets in several tables: headers and lines, persons and products apart.

use super::fits::quoted;
use super::meaning::ColumnMeaning;
use super::profile::ColumnProfile;
use super::proposals::{Proposals, ProposedSetting};
use super::roles::{BY_NAME_AND_VALUES, Certainty, RoleChoice};
use super::tables::{TableColumns, TablesToJoin, product_table, tables_to_join};
use super::{GivenSettings, ProfiledTable, Survey, other_table, survey_of_table};

/// What tables tell of which none has all that is needed.
pub(super) fn survey_of_parts(tables: &[ProfiledTable], given: &GivenSettings) -> Survey {
    let columns: Vec<TableColumns<'_>> = tables
        .iter()
        .map(|table| TableColumns {
            profiles: &table.profiles,
            given: &given.columns,
        })
        .collect();
    if let Some(join) = tables_to_join(&columns)
        && let (Some(lines), Some(headers)) = (tables.get(join.lines), tables.get(join.headers))
    {
        return survey_of_join(tables, &columns, &join, (lines, headers), given);
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
    (lines, headers): (&ProfiledTable, &ProfiledTable),
    given: &GivenSettings,
) -> Survey {
    let (of_headers, of_lines) = (first_object(headers), first_object(lines));
    let mut survey = Survey {
        columns: lines.profiles.clone(),
        header_columns: headers.profiles.clone(),
        objects: lines.table.objects.clone(),
        notes: lines.table.sample.notes.clone(),
        ..Survey::default()
    };
    survey.sure.push(format!(
        "the tickets are two tables: {of_headers} has a line for each ticket (customer {}), {of_lines} the products of each (product {}); \
         both have the ticket's id in {}",
        quoted(&join.customer),
        quoted(&join.product),
        quoted(&join.ticket)
    ));
    survey.settings = settings_of_join(join, lines, headers);
    if join.time.is_none() {
        survey.missing.push(ColumnMeaning::Time);
        let dates = columns
            .get(join.headers)
            .map(TableColumns::columns_of_dates);
        survey
            .problems
            .push(no_time(of_headers, &dates.unwrap_or_default()));
    }
    add_proposals(&mut survey, (lines, headers), given);
    survey.roles = joined_roles(join, lines, headers, &survey.left_out);
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

/// Where lines and headers are, and by which columns they belong together.
fn settings_of_join(
    join: &TablesToJoin,
    lines: &ProfiledTable,
    headers: &ProfiledTable,
) -> Vec<ProposedSetting> {
    let set = |path: &str, value: serde_json::Value| ProposedSetting::set(path, value, "");
    let mut settings = vec![
        set("input.paths", lines.table.objects.clone().into()),
        set("columns.product", join.product.clone().into()),
        set("columns.basket", join.ticket.clone().into()),
        set("input.tickets.paths", headers.table.objects.clone().into()),
        set("input.tickets.ticket", join.ticket.clone().into()),
        set("input.tickets.customer", join.customer.clone().into()),
    ];
    let time = join.time.clone();
    settings.extend(time.map(|time| set("input.tickets.time", time.into())));
    settings
}

/// Why there is no time: there is no date, or there are several.
fn no_time(of_headers: &str, dates: &[&ColumnProfile]) -> String {
    if dates.is_empty() {
        return format!(
            "{of_headers} says nothing of the day of a ticket: a weekday, an hour or the days since the last order are no date, \
             and without dates nothing can be forecast. Ask for an export with the date of each ticket"
        );
    }
    let names: Vec<String> = dates.iter().map(|profile| quoted(&profile.name)).collect();
    format!(
        "several columns of {of_headers} have dates: {}; name that of the sale with --time",
        names.join(", ")
    )
}

/// Adds what the headers tell of times and customers, and the lines of all else.
fn add_proposals(
    survey: &mut Survey,
    (lines, headers): (&ProfiledTable, &ProfiledTable),
    given: &GivenSettings,
) {
    let [mut of_headers, mut of_lines] = [headers, lines]
        .map(|table| Proposals::new(&table.profiles, &table.table.sample, &table.roles));
    of_headers.propose_for_headers(given);
    of_lines.propose_for_lines(given);
    for proposals in [of_headers, of_lines] {
        survey.sure.extend(proposals.sure);
        survey.check.extend(proposals.check);
        survey.left_out.extend(proposals.left_out);
        survey.open_dates = survey.open_dates.take().or(proposals.open_dates);
        for setting in proposals.settings {
            let is_known = survey
                .settings
                .iter()
                .any(|known| known.path == setting.path);
            if !is_known && !given.paths.contains(&setting.path) {
                survey.settings.push(setting);
            }
        }
    }
}

/// The columns of both tables that have a role.
fn joined_roles(
    join: &TablesToJoin,
    lines: &ProfiledTable,
    headers: &ProfiledTable,
    left_out: &[ColumnMeaning],
) -> Vec<RoleChoice> {
    use ColumnMeaning as M;
    let found = |table: &ProfiledTable, role: M| {
        let choice = table.roles.choice(role).cloned();
        choice.filter(|choice| choice.certainty == Certainty::Given || !left_out.contains(&role))
    };
    let shared = |name: &String, role: M| RoleChoice::of_join(role, name, "both tables have it");
    let mut roles = vec![];
    let by_name = |table: &ProfiledTable, role: M, name: &String| {
        let known = found(table, role).filter(|choice| choice.column == *name);
        known.unwrap_or_else(|| RoleChoice::of_join(role, name, BY_NAME_AND_VALUES))
    };
    roles.push(by_name(headers, M::Customer, &join.customer).in_headers());
    roles.push(by_name(lines, M::Product, &join.product));
    let time = join.time.as_ref();
    roles.extend(time.map(|name| by_name(headers, M::Time, name).in_headers()));
    roles.extend(found(headers, M::TimeOfDay).map(RoleChoice::in_headers));
    roles.extend(found(lines, M::Quantity));
    roles.push(shared(&join.ticket, M::Basket));
    roles.push(shared(&join.ticket, M::Basket).in_headers());
    roles.extend(found(lines, M::Price));
    roles.extend(found(lines, M::Category));
    // It may stand in either table.
    let of_headers = found(headers, M::Store).filter(RoleChoice::is_there);
    let store = of_headers.map(RoleChoice::in_headers);
    roles.extend(store.or_else(|| found(lines, M::Store)));
    roles
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
