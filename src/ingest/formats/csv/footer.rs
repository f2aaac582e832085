//! Lines that may be totals or footers: whether they are is known when the object ends after them.

use super::header::CsvHeader;
use super::records::RecordScanner;
use super::shape::looks_like_time;
use crate::ingest::text_notes::SHOWN_LINES;

/// The longest line that is a footer, in bytes.
const LONGEST: usize = 1_000;

/// Of so many kinds are the lines that are held: memory has an end.
const MOST_KINDS: usize = 100;

/// So many of customer, product and time are empty in a total: a sale lacks one at most.
const FEWEST_EMPTY: usize = 2;

/// A record that may be a footer, and how many records like it follow each other.
#[derive(Debug)]
pub(super) struct HeldRecord {
    /// The row of the first.
    pub(super) row: u64,
    pub(super) count: u64,
    pub(super) text: Vec<u8>,
    /// Whether there is nothing but separators.
    is_empty: bool,
}

/// Records that are held until it is known whether a line of data follows them.
#[derive(Debug, Default)]
pub(super) struct HeldRecords {
    records: Vec<HeldRecord>,
    /// Whether the records before these were too many.
    has_given_up: bool,
}

impl HeldRecords {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && !self.has_given_up
    }

    /// How many records are held.
    pub(super) fn count(&self) -> u64 {
        self.records.iter().map(|record| record.count).sum()
    }

    /// Whether there are more with a text than an object may end with.
    pub(super) fn is_too_long(&self) -> bool {
        let with_text = self.records.iter().filter(|record| !record.is_empty);
        self.has_given_up || self.records.len() > MOST_KINDS || with_text.count() > SHOWN_LINES
    }

    /// Holds a record. Lines of nothing but separators, of which a spreadsheet may write a million,
    /// take no memory each.
    pub(super) fn hold(&mut self, row: u64, text: &[u8], is_empty: bool) {
        if let Some(last) = self.records.last_mut()
            && is_empty
            && last.is_empty
            && last.text == text
        {
            last.count += 1;
            return;
        }
        self.records.push(HeldRecord {
            row,
            count: 1,
            text: text.to_vec(),
            is_empty,
        });
    }

    /// Holds no record for long until a line of data comes.
    pub(super) fn give_up(&mut self) {
        self.has_given_up = true;
    }

    /// Takes all records.
    pub(super) fn take(&mut self) -> Vec<HeldRecord> {
        self.has_given_up = false;
        std::mem::take(&mut self.records)
    }

    /// The texts of the records that have some.
    pub(super) fn texts(&self) -> Vec<String> {
        let with_text = self.records.iter().filter(|record| !record.is_empty);
        with_text
            .map(|record| String::from_utf8_lossy(&record.text).trim().to_owned())
            .collect()
    }
}

/// Whether a record that is not whole may be a footer, and not a sale that was damaged on its way.
/// `is_cut` says that its line does not end.
pub(super) fn may_be_footer(
    record: &RecordScanner,
    data: &[u8],
    header: &CsvHeader,
    is_cut: bool,
) -> bool {
    let text = record.text(data);
    let is_readable = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r');
    if text.len() > LONGEST || !text.iter().all(is_readable) {
        return false;
    }
    let fields = record.fields();
    let filled = fields.iter().filter(|field| !field.is_blank(data)).count();
    if fields.len() == header.width {
        let needed = [header.customer, header.product, header.time];
        let needed = needed.iter().flatten().filter_map(|at| fields.get(*at));
        let time = header.time.and_then(|at| fields.get(at));
        return needed.filter(|field| field.is_blank(data)).count() >= FEWEST_EMPTY
            && time.is_none_or(|time| !looks_like_time(&time.bytes(data)));
    }
    let has_time = fields
        .iter()
        .any(|field| looks_like_time(&field.bytes(data)));
    if has_time && 2 * filled >= header.width {
        return false;
    }
    !is_cut || is_sentence(fields.len(), text)
}

/// Whether a last line without an end is a text, and not the first half of a sale.
fn is_sentence(fields: usize, text: &[u8]) -> bool {
    fields == 1
        && text.iter().any(u8::is_ascii_alphabetic)
        && text.iter().any(|byte| matches!(byte, b' ' | b':' | b'('))
}
