//! The page of published tables.

use super::{MarkdownTable, capitalized, code, sentence};
use crate::publish::tables::{ColumnType, TableSchema, schema};

const INTRODUCTION: &str = "\
# Tables

The tables that `okuo score` publishes for a night T, with their columns in the order of the files.
Later versions may add columns. They do not rename or remove any.
[Read the tables](../how-to/read-the-tables.md) shows how to find and read them.
[Published files](published-files.md) has the files around them.

A type with `or null` may have unknown values: null in Parquet and JSON lines, an empty field in CSV.

";

pub(super) fn page() -> String {
    let tables = schema();
    let mut text = INTRODUCTION.to_owned() + &types(&tables);
    for table in tables {
        let mut columns = MarkdownTable::new(&["column", "type", "meaning"]);
        for column in table.columns {
            let kind = match column.nullable {
                true => format!("{} or null", column.column_type),
                false => column.column_type.to_string(),
            };
            columns.row(vec![
                code(column.name),
                kind,
                sentence(&capitalized(column.meaning)),
            ]);
        }
        text += &format!(
            "## {}\n\n{}\n\n{}",
            table.name,
            sentence(&capitalized(table.meaning)),
            columns.text()
        );
    }
    text
}

/// The types that occur, and how files of each format have them.
fn types(tables: &[TableSchema]) -> String {
    let mut found: Vec<ColumnType> = vec![];
    for column in tables.iter().flat_map(|table| &table.columns) {
        if !found.contains(&column.column_type) {
            found.push(column.column_type);
        }
    }
    let mut types = MarkdownTable::new(&["type", "in Parquet", "in CSV and JSON lines"]);
    for column_type in found {
        let (parquet, text) = match column_type {
            ColumnType::Id => ("a 64-bit integer or text, as in the tickets", "the same"),
            ColumnType::Date => ("`Date32`", "`YYYY-MM-DD`"),
            ColumnType::Integer => ("a signed 32-bit integer", "a number"),
            ColumnType::Double => ("a 64-bit floating-point number", "a number"),
            ColumnType::Text => ("UTF-8 text", "UTF-8 text"),
            ColumnType::Boolean => ("a boolean", "`true` or `false`"),
        };
        types.row(vec![column_type.to_string(), parquet.into(), text.into()]);
    }
    types.text()
}
