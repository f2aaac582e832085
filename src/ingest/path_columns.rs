//! Columns that stand in the path of an object, as Hive, Spark and Athena write partitions:
//! `tickets/date=2024-03-01/part-0.parquet`.

use std::sync::Arc;

/// The columns in the path of an object, with their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PathColumns(Vec<(String, Arc<str>)>);

/// What Hive writes for a missing value.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

impl PathColumns {
    /// Those of an object of this name. Where there is a `year`, a `month` and a `day` and no
    /// `date`, these three are a `date` as well.
    pub(super) fn of(object: &str) -> Self {
        let folders = object.rsplit_once('/').map_or("", |(folders, _)| folders);
        let mut columns: Vec<(String, Arc<str>)> = folders
            .split('/')
            .filter_map(|folder| folder.split_once('='))
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, value)| (unescaped(name), value_of(value)))
            .collect();
        let parts = Self(columns.clone());
        if let (Some(year), Some(month), Some(day), None) = (
            parts.value("year"),
            parts.value("month"),
            parts.value("day"),
            parts.value("date"),
        ) {
            let date = format!("{year}-{month:0>2}-{day:0>2}");
            columns.push(("date".to_owned(), date.into()));
        }
        Self(columns)
    }

    /// The value of a column; the innermost folder's, if several have it.
    pub(super) fn value(&self, name: &str) -> Option<Arc<str>> {
        let mut columns = self.0.iter().rev();
        columns
            .find(|(known, _)| known == name)
            .map(|(_, value)| Arc::clone(value))
    }

    /// The columns' names.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

fn value_of(written: &str) -> Arc<str> {
    if written == NULL {
        "".into()
    } else {
        unescaped(written).into()
    }
}

/// Hive writes some characters as `%` and two hexadecimal digits.
fn unescaped(written: &str) -> String {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| written.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(object: &str, name: &str) -> Option<String> {
        PathColumns::of(object)
            .value(name)
            .map(|value| value.to_string())
    }

    #[test]
    fn folders_are_columns() {
        let object = "s3://shop/tickets/store=Halle%2FSaale/dt=20240301/part-0.csv";
        assert_eq!(value(object, "dt").unwrap(), "20240301");
        assert_eq!(value(object, "store").unwrap(), "Halle/Saale");
        assert_eq!(value(object, "part-0.csv"), None);
        assert_eq!(value("a=1/b.csv", "a").unwrap(), "1");
        assert_eq!(value("x=1.csv", "x"), None, "a file is no folder");
        let null = "store=__HIVE_DEFAULT_PARTITION__/a.csv";
        assert_eq!(value(null, "store").unwrap(), "");
    }

    #[test]
    fn year_month_and_day_are_a_date() {
        let object = "t/year=2024/month=3/day=1/part-0.csv";
        assert_eq!(value(object, "date").unwrap(), "2024-03-01");
        assert_eq!(value("t/year=2024/month=3/part-0.csv", "date"), None);
        let both = "t/date=2024-05-06/year=2024/month=3/day=1/part-0.csv";
        assert_eq!(value(both, "date").unwrap(), "2024-05-06");
    }
}
