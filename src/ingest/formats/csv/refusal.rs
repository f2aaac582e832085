//! What to say of an object in which the wanted columns are not found: what kind of file it is, and
//! the way out.

use super::layout::{BeginningLines, SEPARATORS};
use super::shape::{looks_like_time, may_be_time};
use super::split_lines::SplitLines;
use crate::error::Error;
use crate::ingest::columns::{ColumnRole, WantedColumns, numbered_position};
use crate::ingest::encoding::{SAY_ENCODING, candidates};

/// How many fields of a line a message shows, and how many characters of each.
const SHOWN_FIELDS: usize = 12;
const SHOWN: usize = 24;

/// So many different numbers of fields make lines baskets.
const BASKET_WIDTHS: usize = 3;

/// The error of an object in which no line has all wanted columns. `nearest` are the names of the
/// line that has most of them.
pub(super) fn no_header(
    beginning: &BeginningLines<'_>,
    columns: &WantedColumns,
    nearest: Option<Vec<String>>,
) -> Error {
    refusal(beginning, columns, nearest).for_lack_of_columns()
}

fn refusal(
    beginning: &BeginningLines<'_>,
    columns: &WantedColumns,
    nearest: Option<Vec<String>>,
) -> Error {
    if is_binary(beginning.data) {
        return Error::input("this is no text: there are NUL bytes in it").hint(
            "okuo reads CSV, Parquet, JSON lines, Arrow and xlsx, each also compressed: export the table as one of these",
        );
    }
    if let Some(error) = other_encoding(beginning, columns) {
        return error;
    }
    if let Some(names) = nearest {
        return missing_columns(&names, columns);
    }
    let tables = SEPARATORS.map(|separator| SplitLines::new(beginning, separator));
    let likeliest = tables.iter().max_by_key(|table| table.score);
    let Some(table) = likeliest else {
        return missing_columns(&[], columns);
    };
    if let Some(error) = table.too_few_fields(columns) {
        return error;
    }
    if let Some(error) = table.no_header_but_data(columns) {
        return error;
    }
    if let Some(error) = tables.iter().find_map(SplitLines::baskets) {
        return error;
    }
    if table.score == 0 && !beginning.lines.is_empty() {
        return undivided(&table.header());
    }
    missing_columns(&table.header(), columns)
}

fn missing_columns(names: &[String], columns: &WantedColumns) -> Error {
    let is_readable = |name: &String| !name.contains(char::REPLACEMENT_CHARACTER);
    if !names.iter().all(is_readable) {
        return Error::input("the header line is not UTF-8, and lacks a column").hint(SAY_ENCODING);
    }
    let present: Vec<&str> = names.iter().map(String::as_str).collect();
    match columns.find(&present) {
        Err(error) => error,
        Ok(_) => Error::input("no line is a header"),
    }
}

/// The error of lines that no separator divides.
fn undivided(line: &[String]) -> Error {
    let first = line.first().map_or("", String::as_str);
    Error::input(format!(
        "no comma, semicolon, tab or | divides the lines; the first is {}",
        shown(first)
    ))
    .hint("export the table as CSV, with one of these between the fields")
}

fn is_binary(data: &[u8]) -> bool {
    data.iter().take(1 << 12).any(|byte| *byte == 0)
}

/// The error if text is not UTF-8, and the wanted columns are there in another encoding.
fn other_encoding(beginning: &BeginningLines<'_>, columns: &WantedColumns) -> Option<Error> {
    let is_utf8 = |line: &[u8]| std::str::from_utf8(line).is_ok();
    let lines: Vec<&[u8]> = beginning
        .lines
        .iter()
        .take(super::layout::HEADER_LINES)
        .map(|line| line.text)
        .collect();
    if lines.iter().all(|line| is_utf8(line)) {
        return None;
    }
    for (name, encoding) in candidates() {
        for line in &lines {
            let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(line)
            else {
                continue;
            };
            let has_columns = SEPARATORS.into_iter().any(|separator| {
                let fields: Vec<&str> = text
                    .split(char::from(separator))
                    .map(|field| field.trim().trim_matches('"'))
                    .collect();
                columns.find(&fields).is_ok()
            });
            if has_columns {
                return Some(
                    Error::input("the header line is not UTF-8")
                        .hint(format!("in {name} it has the columns: --encoding {name}")),
                );
            }
        }
    }
    None
}

impl SplitLines {
    /// The error if a column is given by a number that lines do not reach.
    fn too_few_fields(&self, columns: &WantedColumns) -> Option<Error> {
        let beyond = |name: &&String| numbered_position(name).is_some_and(|at| at >= self.width);
        let mut names = ColumnRole::ALL
            .into_iter()
            .filter(|role| columns.names.is_required(*role))
            .filter_map(|role| Some((role, columns.names.of(role)?.names())))
            .filter_map(|(role, names)| Some((role, names.iter().find(beyond)?)));
        let (role, name) = names.next()?;
        Some(
            Error::input(format!(
                "there is no field {name}: most lines have {} fields",
                self.width
            ))
            .hint(format!(
                "count the fields from '#1' on, and give another number with {}",
                role.flag()
            )),
        )
    }

    /// The error if the first line looks like data: how to name its columns by their numbers.
    fn no_header_but_data(&self, columns: &WantedColumns) -> Option<Error> {
        let first = self.header();
        let time = first
            .iter()
            .position(|field| looks_like_time(field.as_bytes()))?;
        let shown: Vec<String> = first
            .iter()
            .take(SHOWN_FIELDS)
            .enumerate()
            .map(|(at, field)| format!("'#{}' {}", at + 1, shown(field)))
            .collect();
        let others: Vec<String> = ColumnRole::ALL
            .into_iter()
            .filter(|role| *role != ColumnRole::Time && columns.names.is_required(*role))
            .map(|role| format!("{} '#…'", role.flag()))
            .collect();
        Some(
            Error::input(format!(
                "there is no header: the first line looks like data: {}",
                shown.join(", ")
            ))
            .hint(format!(
                "name the columns by their numbers: --time '#{}' {}, each with the number of its field; a quantity, if there is one, with --quantity '#…'",
                time + 1,
                others.join(" ")
            )),
        )
    }

    /// The error if each line is a basket: as many fields as there are products, and nothing else.
    fn baskets(&self) -> Option<Error> {
        let mut widths: Vec<usize> = self.lines.iter().map(Vec::len).collect();
        let most = widths.iter().max().copied()?;
        widths.sort_unstable();
        widths.dedup();
        let has_time = self
            .lines
            .iter()
            .flatten()
            .any(|field| may_be_time(field.as_bytes()));
        let are_baskets = widths.len() >= BASKET_WIDTHS && self.lines.len() > 2 * BASKET_WIDTHS;
        (are_baskets && !has_time).then(|| {
            Error::input(format!(
                "this looks like one basket a line: lines have 1 to {most} fields, all of them names of products, and there is no customer and no time"
            ))
            .hint("okuo needs to know who bought and when: export one line for each product bought, with the customer, the product and the time")
        })
    }
}

fn shown(field: &str) -> String {
    let short: String = field.chars().take(SHOWN).collect();
    let more = if field.chars().nth(SHOWN).is_some() {
        "…"
    } else {
        ""
    };
    format!("\"{short}{more}\"")
}
