//! What was found in text beside the lines: titles, totals, headers that are missing.

use std::sync::Arc;

use crate::domain::words::{in_one_line, shortened};

/// How many texts of an object are shown.
pub(super) const SHOWN_LINES: usize = 10;

/// How many characters of a text are shown.
const SHOWN: usize = 60;

/// What was found in some objects.
#[derive(Debug, Clone, Default)]
struct NotesFound {
    objects: u64,
    lines: u64,
    /// The first of the objects, and what stands in it.
    first: Option<(Arc<str>, Vec<String>)>,
}

impl NotesFound {
    fn add(&mut self, object: &Arc<str>, lines: u64, texts: Vec<String>) {
        self.merge(NotesFound {
            objects: 1,
            lines,
            first: Some((Arc::clone(object), texts)),
        });
    }

    fn merge(&mut self, other: NotesFound) {
        self.objects += other.objects;
        self.lines += other.lines;
        self.first = self.first.take().or(other.first);
    }

    /// What `sentence` makes of the numbers of lines and objects, and of the first example.
    fn warning(&self, sentence: fn(&Self, &str) -> String) -> Option<String> {
        let (object, texts) = self.first.as_ref()?;
        let texts: Vec<String> = texts.iter().map(|text| shown(text)).collect();
        let example = match texts.as_slice() {
            [] => object.to_string(),
            texts => format!("{object}: {}", texts.join(", ")),
        };
        Some(sentence(self, &example))
    }

    fn lines(&self) -> String {
        match self.lines {
            1 => "1 line".to_owned(),
            lines => format!("{lines} lines"),
        }
    }

    /// Where the example stands.
    fn place(&self) -> &'static str {
        if self.objects > 1 {
            "the first in "
        } else {
            ""
        }
    }
}

/// What was found in text beside the lines.
#[derive(Debug, Clone, Default)]
pub(super) struct TextNotes {
    titles: NotesFound,
    footers: NotesFound,
    lent_headers: NotesFound,
}

impl TextNotes {
    /// Title lines before a header.
    pub(super) fn add_titles(&mut self, object: &Arc<str>, texts: Vec<String>) {
        self.titles.add(object, texts.len() as u64, texts);
    }

    /// Lines at the end that are no sales. Lines without any text are not among the `texts`.
    pub(super) fn add_footers(&mut self, object: &Arc<str>, lines: u64, texts: Vec<String>) {
        self.footers.add(object, lines, texts);
    }

    /// An object without a header, for which the header of another holds.
    pub(super) fn add_lent_header(&mut self, object: &Arc<str>) {
        self.lent_headers.add(object, 0, vec![]);
    }

    /// Adds what was found later.
    pub(super) fn merge(&mut self, other: TextNotes) {
        self.titles.merge(other.titles);
        self.footers.merge(other.footers);
        self.lent_headers.merge(other.lent_headers);
    }

    /// What a user should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let titles = self.titles.warning(|found, example| {
            format!(
                "{} before the header skipped as titles, {}{example}",
                found.lines(),
                found.place()
            )
        });
        let footers = self.footers.warning(|found, example| {
            format!(
                "{} at the end left out as totals or footers, {}{example}",
                found.lines(),
                found.place()
            )
        });
        let lent = self.lent_headers.warning(|found, example| match found.objects {
            1 => format!("{example} has no header: the columns of the first object with one hold for it"),
            objects => format!(
                "{objects} objects have no header, the first is {example}: the columns of the first object with one hold for them"
            ),
        });
        titles.into_iter().chain(footers).chain(lent).collect()
    }
}

fn shown(text: &str) -> String {
    format!("\"{}\"", shortened(&in_one_line(text), SHOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_merged_in_order() {
        let mut notes = TextNotes::default();
        assert!(notes.warnings().is_empty());
        notes.add_footers(&"a.csv".into(), 3, vec!["Total;;9".into(), "x".repeat(70)]);
        let mut later = TextNotes::default();
        later.add_titles(&"b.csv".into(), vec!["Report".into()]);
        later.add_footers(&"b.csv".into(), 1, vec!["Total;;1".into()]);
        later.add_lent_header(&"b.csv".into());
        notes.merge(later);
        assert_eq!(
            notes.warnings(),
            [
                "1 line before the header skipped as titles, b.csv: \"Report\"".to_owned(),
                format!(
                    "4 lines at the end left out as totals or footers, the first in a.csv: \"Total;;9\", \"{}…\"",
                    "x".repeat(60)
                ),
                "b.csv has no header: the columns of the first object with one hold for it"
                    .to_owned(),
            ]
        );
    }
}
