//! Columns of Parquet and Arrow whose values are lists, structs or maps: what they are in words, and
//! how DuckDB makes rows and columns of them.

use polars::error::PolarsError;
use polars_arrow::datatypes::{ArrowDataType, Field};

use crate::error::Error;
use crate::ingest::columns;

/// How many fields of a struct a message names.
const SHOWN_FIELDS: usize = 8;

/// What the values of a column are that are neither text nor numbers.
enum NestedType<'a> {
    List,
    ListOfStructs(&'a [Field]),
    Struct(&'a [Field]),
    Map,
}

impl<'a> NestedType<'a> {
    fn of(dtype: &'a ArrowDataType) -> Option<Self> {
        use ArrowDataType as A;
        match dtype {
            A::Map(..) => Some(Self::Map),
            A::Struct(fields) => Some(Self::Struct(fields)),
            A::List(inner) | A::LargeList(inner) | A::FixedSizeList(inner, _) => {
                Some(match inner.dtype() {
                    // How Parquet has a map.
                    A::Struct(_) if inner.name == "key_value" => Self::Map,
                    A::Struct(fields) => Self::ListOfStructs(fields),
                    _ => Self::List,
                })
            }
            _ => None,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::List => "a list".to_owned(),
            Self::ListOfStructs(fields) => format!("a list of structs with {}", named(fields)),
            Self::Struct(fields) => format!("a struct with {}", named(fields)),
            Self::Map => "a map".to_owned(),
        }
    }

    /// What DuckDB selects instead of the column.
    fn unnested(&self, column: &str) -> String {
        let column = in_sql(column);
        match self {
            Self::List => format!("unnest({column}) AS {column}"),
            Self::ListOfStructs(_) => format!("unnest({column}, recursive := true)"),
            Self::Struct(_) => format!("{column}.*"),
            Self::Map => format!("unnest(map_keys({column})) AS {column}"),
        }
    }

    /// The SQL that writes a file without the nesting.
    fn statement(&self, column: &str) -> String {
        format!(
            "COPY (SELECT * EXCLUDE ({}), {} FROM 'FILE') TO 'NEW.parquet'",
            in_sql(column),
            self.unnested(column)
        )
    }
}

/// The fields of a struct in words.
fn named(fields: &[Field]) -> String {
    let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let noun = if names.len() == 1 { "field" } else { "fields" };
    if names.len() > SHOWN_FIELDS {
        names.truncate(SHOWN_FIELDS);
        names.push("…");
    }
    format!("the {noun} {}", names.join(", "))
}

/// A name as SQL has it.
fn in_sql(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The error of a column that is wanted and has no single values, if it is so. `flag` names it.
pub(super) fn refusal(column: &str, dtype: &ArrowDataType, flag: &str) -> Option<Error> {
    let nesting = NestedType::of(dtype)?;
    let rows = match nesting {
        NestedType::Struct(_) => "a column of each field",
        NestedType::List | NestedType::ListOfStructs(_) | NestedType::Map => "a row of each value",
    };
    let error = Error::input(format!(
        "its type is {}, and single values are needed",
        nesting.words()
    ));
    Some(error.column(column).hint(format!(
        "write {rows} in DuckDB: {}; or map another column with {flag}",
        nesting.statement(column)
    )))
}

/// Where the columns of tickets may be if they are missing: in a struct, or in a list.
pub(super) fn advice<'a>(
    columns: impl IntoIterator<Item = (&'a str, &'a ArrowDataType)>,
) -> Option<String> {
    let columns = columns.into_iter();
    let mut nested = columns.filter_map(|(name, dtype)| Some((name, NestedType::of(dtype)?)));
    let (name, nesting) = nested.find(|(_, nesting)| !matches!(nesting, NestedType::Map))?;
    Some(format!(
        "the column \"{name}\" is {}: if what is missing is in it, take it out in DuckDB: {}",
        nesting.words(),
        nesting.statement(name)
    ))
}

/// The error of missing columns, with what the columns that are there tell of them.
pub(super) fn with_advice<'a>(
    error: Error,
    columns: impl IntoIterator<Item = (&'a str, &'a ArrowDataType)>,
) -> Error {
    match advice(columns).filter(|_| error.lacks_columns()) {
        Some(advice) => error.advised_first(&advice),
        None => error,
    }
}

/// The error of a table in which a column stands twice, if a schema cannot be read for that.
pub(super) fn stands_twice(error: &PolarsError) -> Option<Error> {
    let PolarsError::Duplicate(message) = error else {
        return None;
    };
    message.split('\'').nth(1).map(columns::stands_twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_is_named_with_the_command_that_unnests_it() {
        let integer = |name: &str| Field::new(name.into(), ArrowDataType::Int64, true);
        let of = |dtype: &ArrowDataType| {
            let refusal = refusal("product id", dtype, "--product")?;
            Some(refusal.to_string())
        };
        let fields = vec![integer("id"), integer("price")];
        let list = |inner: Field| ArrowDataType::LargeList(Box::new(inner));
        let structs = Field::new(
            "element".into(),
            ArrowDataType::Struct(fields.clone()),
            true,
        );
        let entries = Field::new(
            "key_value".into(),
            ArrowDataType::Struct(fields.clone()),
            true,
        );
        for (dtype, words, selected) in [
            (
                list(integer("element")),
                "a list",
                "unnest(\"product id\") AS \"product id\"",
            ),
            (
                list(structs),
                "a list of structs with the fields id, price",
                "unnest(\"product id\", recursive := true)",
            ),
            (
                ArrowDataType::Struct(fields),
                "a struct with the fields id, price",
                "\"product id\".*",
            ),
            (
                list(entries),
                "a map",
                "unnest(map_keys(\"product id\")) AS \"product id\"",
            ),
        ] {
            let refusal = of(&dtype).unwrap();
            assert!(
                refusal.contains(&format!("its type is {words}, and"))
                    && refusal.contains(&format!("EXCLUDE (\"product id\"), {selected} FROM"))
                    && refusal.contains("--product"),
                "{refusal}"
            );
        }
        assert_eq!(of(&ArrowDataType::Int64), None);
    }
}
