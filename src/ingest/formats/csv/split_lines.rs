//! Lines as a separator divides them, where it is not known which columns there are.

use super::header::CsvHeader;
use super::layout::BeginningLines;
use super::records::{RecordScanner, ScannedRecord};

/// The lines as one separator divides them.
pub(super) struct SplitLines {
    pub(super) lines: Vec<Vec<String>>,
    /// The commonest number of fields.
    pub(super) width: usize,
    /// How likely the separator is.
    pub(super) score: usize,
}

impl SplitLines {
    pub(super) fn new(beginning: &BeginningLines<'_>, separator: u8) -> Self {
        let style = beginning.style(separator);
        let mut record = RecordScanner::default();
        let mut lines = vec![];
        for line in &beginning.lines {
            // A quote that is not closed in its line is text here.
            for style in [style, style.without_quotes()] {
                let read = record.read(line.text, &style, true);
                if matches!(read, ScannedRecord::Record { .. }) && !record.is_broken() {
                    lines.push(CsvHeader::names_of(&record, line.text));
                    break;
                }
            }
        }
        let mut widths: Vec<usize> = lines.iter().map(Vec::len).collect();
        widths.sort_unstable();
        let commonest = widths
            .chunk_by(|a, b| a == b)
            .max_by_key(|same| (same.len(), same[0]));
        let (count, width) = commonest.map_or((0, 0), |same| (same.len(), same[0]));
        Self {
            lines,
            width,
            score: if width > 1 { count * width.min(9) } else { 0 },
        }
    }

    /// The first line with the commonest number of fields.
    pub(super) fn header(&self) -> Vec<String> {
        let mut lines = self.lines.iter();
        lines
            .find(|line| line.len() == self.width)
            .cloned()
            .unwrap_or_default()
    }
}
