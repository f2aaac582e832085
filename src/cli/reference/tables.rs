//! The page of published tables.

use super::{MarkdownTable, capitalized, code, sentence};
use crate::publish::tables::schema;

const INTRODUCTION: &str = "\
# Tables

The tables that `okuo score` publishes for a night T, with their columns in the order of the files.
Later versions may add columns. They do not rename or remove any.
[Read the tables](../how-to/read-the-tables.md) shows how to find and read them.
[Published files](published-files.md) has the files around them.

A column with `null` under its type may have unknown values: null in Parquet and JSON lines, an
empty field in CSV.

| type | in Parquet | in CSV and JSON lines |
| --- | --- | --- |
| integer or text | 64-bit integer, or text, as the ids in the tickets | the same |
| date | `Date32` | `YYYY-MM-DD` |
| int | 32-bit signed integer | a number |
| double | 64-bit floating-point number | a number |
| text | UTF-8 | UTF-8 |

";

pub(super) fn page() -> String {
    let mut text = INTRODUCTION.to_owned();
    for table in schema() {
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
