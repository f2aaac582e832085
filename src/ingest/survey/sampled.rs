//! Samples of objects, put together by their columns.

use std::collections::BTreeSet;

use crate::ingest::sample::TableSample;

/// Objects with the same columns, and rows of some of them.
#[derive(Debug, Clone, Default)]
pub struct SampledTable {
    /// The objects' names.
    pub objects: Vec<String>,
    /// Rows of all of them.
    pub sample: TableSample,
}

impl SampledTable {
    /// Samples of objects by their columns, whose order may differ: the most frequent first. Objects
    /// without a header are parts of the table with a header and as many columns, if there is one.
    #[must_use]
    pub fn group(mut samples: Vec<(String, TableSample)>) -> Vec<Self> {
        let mut tables: Vec<Self> = vec![];
        samples.sort_by_key(|(_, sample)| is_numbered(sample));
        for (object, mut sample) in samples {
            let is_numbered = is_numbered(&sample);
            let same = tables.iter_mut().find(|table| {
                table.has_columns(&sample.columns)
                    || is_numbered && table.sample.columns.len() == sample.columns.len()
            });
            if let Some(table) = &same
                && is_numbered
            {
                sample.columns.clone_from(&table.sample.columns);
            }
            match same {
                Some(table) => table.add(object, sample),
                None => tables.push(Self {
                    objects: vec![object],
                    sample,
                }),
            }
        }
        tables.sort_by_key(|table| std::cmp::Reverse(table.objects.len()));
        tables
    }

    /// Whether the columns have these names, in whatever order.
    fn has_columns(&self, columns: &[String]) -> bool {
        let known: BTreeSet<&String> = self.sample.columns.iter().collect();
        known == columns.iter().collect()
    }

    /// Adds an object with the same columns in whatever order.
    fn add(&mut self, object: String, sample: TableSample) {
        let places: Vec<Option<usize>> = self
            .sample
            .columns
            .iter()
            .map(|name| sample.columns.iter().position(|other| other == name))
            .collect();
        let rows = sample.rows.iter().map(|row| {
            let cells = places.iter();
            cells.map(|place| row.get((*place)?)?.clone()).collect()
        });
        self.sample.rows.extend(rows);
        for note in sample.notes {
            if !self.sample.notes.contains(&note) {
                self.sample.notes.push(note);
            }
        }
        self.objects.push(object);
    }
}

/// Whether an object has no header: its columns have numbers instead of names.
fn is_numbered(sample: &TableSample) -> bool {
    sample.columns.first().is_some_and(|name| name == "#1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(columns: &[&str], row: &[&str]) -> TableSample {
        TableSample {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            rows: vec![row.iter().map(|cell| Some((*cell).to_owned())).collect()],
            ..TableSample::default()
        }
    }

    #[test]
    fn objects_belong_together_by_their_columns() {
        let samples = vec![
            ("z".to_owned(), sample(&["#1", "#2"], &["5", "6"])),
            ("a".to_owned(), sample(&["x", "y"], &["1", "2"])),
            ("b".to_owned(), sample(&["y", "x"], &["4", "3"])),
            (
                "c".to_owned(),
                sample(&["#1", "#2", "#3"], &["7", "8", "9"]),
            ),
        ];
        let tables = SampledTable::group(samples);
        assert_eq!(tables[0].objects, ["a", "b", "z"]);
        let cells: Vec<Option<&str>> = tables[0]
            .sample
            .rows
            .iter()
            .flat_map(|row| row.iter().map(Option::as_deref))
            .collect();
        assert_eq!(cells, ["1", "2", "3", "4", "5", "6"].map(Some));
        assert_eq!(tables[1].objects, ["c"]);
    }
}
