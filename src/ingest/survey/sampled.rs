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
    /// Samples of objects by their columns, whose order may differ: the most frequent first.
    #[must_use]
    pub fn group(samples: Vec<(String, TableSample)>) -> Vec<Self> {
        let mut tables: Vec<Self> = vec![];
        for (object, sample) in samples {
            let same = tables
                .iter_mut()
                .find(|table| table.has_columns(&sample.columns));
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
