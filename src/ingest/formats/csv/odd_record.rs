//! Records that are not as the header says: other styles in which they are whole, lines that a quote
//! has swallowed, headers that come again, totals, and bad lines.

use std::sync::Arc;

use super::footer::may_be_footer;
use super::header::CsvHeader;
use super::layout::endless_line;
use super::list_field::{VALUES, refuse_lists};
use super::records::{RecordScanner, RecordStyle, ScannedRecord};
use super::swallowed::{PlainLines, StrayQuote, field_with_line_break};
use super::{CsvParser, CsvRow};
use crate::error::{Error, Result};
use crate::ingest::line_checker::LineChecker;
use crate::ingest::rejects::RejectReason;

/// What DOS writes at the end of a file.
const DOS_END: u8 = 0x1a;

impl CsvParser {
    /// Adds what was just scanned at the start of `data` and is no plain record, or leaves it out,
    /// counted. Returns how many bytes it is. A header that comes again may put columns elsewhere.
    ///
    /// # Errors
    /// If it is known to hold other lines.
    pub(super) fn add_odd(
        &mut self,
        header: &mut Arc<CsvHeader>,
        data: &[u8],
        scanned: ScannedRecord,
        last: bool,
        lines: &mut LineChecker,
    ) -> Result<usize> {
        let had_quotes = self.record.had_quotes();
        let present = Arc::clone(header);
        let swallowed = match scanned {
            ScannedRecord::Record { len } => {
                let text = data.get(..len).unwrap_or_default();
                if is_nothing(&self.record, text) {
                    return Ok(len);
                }
                if self.record.is_plain(present.width) {
                    self.add_suspect(header, text, lines)?;
                    return Ok(len);
                }
                let is_whole = !self.record.is_broken() && present.fits(&self.record, text);
                let swallowed = self.swallowed(&present, text, is_whole);
                if is_whole && swallowed == 0 {
                    self.add_suspect(header, text, lines)?;
                    return Ok(len);
                }
                swallowed
            }
            _ => PlainLines::of(data, &present).swallowed(false),
        };
        if let Some(len) = self.read_in_another_style(&present, data, last) {
            self.add_whole(&present, data, lines)?;
            return Ok(len);
        }
        let scanned = self.record.read(data, &present.style, last);
        let stray_quote = StrayQuote {
            header: &present,
            row: self.row + 1,
            field: match scanned {
                ScannedRecord::Record { .. } => {
                    field_with_line_break(&self.record, data, &present.style)
                }
                _ => Some(self.record.fields().len()),
            },
            swallowed,
            had_quotes,
            rest: data,
        };
        match scanned {
            ScannedRecord::Record { len } | ScannedRecord::Blank { len } if swallowed == 0 => {
                let text = data.get(..len).unwrap_or_default();
                self.add_broken(header, text, lines)?;
                Ok(len)
            }
            ScannedRecord::Incomplete if !self.record.is_open() => {
                Err(endless_line().row(self.row + 1))
            }
            _ => Err(stray_quote.error()),
        }
    }

    /// How many lines of data stand within the quotes of a record.
    fn swallowed(&self, header: &CsvHeader, text: &[u8], is_whole: bool) -> u64 {
        if self.record.has_line_breaks() {
            PlainLines::of(text, header).swallowed(is_whole)
        } else {
            0
        }
    }

    /// Reads the record at the start of `data` with backslashes as escapes, or with blanks before
    /// quotes. Returns its length if that makes it whole.
    fn read_in_another_style(
        &mut self,
        header: &CsvHeader,
        data: &[u8],
        last: bool,
    ) -> Option<usize> {
        let style = header.style;
        if !style.has_quotes {
            return None;
        }
        for (has_escapes, has_blanks) in [(true, false), (false, true), (true, true)] {
            let other = RecordStyle {
                has_escapes,
                has_blanks: has_blanks || style.has_blanks,
                ..style
            };
            let ScannedRecord::Record { len } = self.record.read(data, &other, last) else {
                continue;
            };
            let text = data.get(..len).unwrap_or_default();
            let is_needed = (!has_escapes || text.contains(&b'\\'))
                && (!has_blanks || text.windows(2).any(|two| two == b" \""));
            let is_whole = !self.record.is_broken() && header.fits(&self.record, text);
            if is_needed && is_whole && self.swallowed(header, text, true) == 0 {
                return Some(len);
            }
        }
        None
    }

    /// Adds a record that is whole, but may be no line.
    fn add_suspect(
        &mut self,
        header: &mut Arc<CsvHeader>,
        text: &[u8],
        lines: &mut LineChecker,
    ) -> Result<()> {
        if !header.is_odd(&self.record, text) {
            return self.add_whole(&Arc::clone(header), text, lines);
        }
        if self.take_header(header, text, lines)? {
            return Ok(());
        }
        if may_be_footer(&self.record, text, header, false) {
            return self.hold(header, text, lines);
        }
        self.add_whole(&Arc::clone(header), text, lines)
    }

    /// Adds a record that is not whole.
    fn add_broken(
        &mut self,
        header: &mut Arc<CsvHeader>,
        text: &[u8],
        lines: &mut LineChecker,
    ) -> Result<()> {
        if self.take_header(header, text, lines)? {
            return Ok(());
        }
        let with_cr = RecordStyle {
            line_end: b'\r',
            ..header.style
        };
        let joined = joined_lines(text.trim_ascii_end(), header, &with_cr);
        if joined > 1 {
            return Err(Error::input(format!(
                "{joined} lines stand in one: they end with a carriage return (CR) alone, and others with LF"
            ))
            .row(self.row + 1)
            .hint("end all lines alike, for example with: tr '\\r' '\\n' < FILE"));
        }
        let is_cut = text.last() != Some(&header.style.line_end);
        if !self.record.is_broken() && may_be_footer(&self.record, text, header, is_cut) {
            return self.hold(header, text, lines);
        }
        self.release_held(header, lines)?;
        self.row += 1;
        self.reject(self.row, header, text, lines);
        Ok(())
    }

    /// Takes a record that is a header, and counts it. Returns whether it is one.
    fn take_header(
        &mut self,
        header: &mut Arc<CsvHeader>,
        text: &[u8],
        lines: &mut LineChecker,
    ) -> Result<bool> {
        let names = CsvHeader::names_of(&self.record, text);
        if names.iter().all(String::is_empty) {
            return Ok(false);
        }
        if names != header.names {
            if self.columns.count_present(&names) == 0 {
                return Ok(false);
            }
            let Ok(other) = CsvHeader::new(header.style, names, &self.columns) else {
                return Ok(false);
            };
            *header = Arc::new(other);
            self.header = Some(Arc::clone(header));
        }
        self.release_held(&Arc::clone(header), lines)?;
        self.row += 1;
        lines.count_repeated_header();
        Ok(true)
    }

    /// Holds the present record until it is known whether a line of data follows.
    fn hold(&mut self, header: &CsvHeader, text: &[u8], lines: &mut LineChecker) -> Result<()> {
        self.row += 1;
        let is_empty = self
            .record
            .fields()
            .iter()
            .all(|field| field.is_blank(text));
        self.held.hold(self.row, text, is_empty);
        if self.held.is_too_long() {
            self.release_held(header, lines)?;
            self.held.give_up();
        }
        Ok(())
    }

    /// Adds the records that were held: they are no footers.
    pub(super) fn release_held(
        &mut self,
        header: &CsvHeader,
        lines: &mut LineChecker,
    ) -> Result<()> {
        let mut record = RecordScanner::default();
        for held in self.held.take() {
            record.read(&held.text, &header.style, true);
            for row in held.row..held.row + held.count {
                if !record.is_broken() && header.fits(&record, &held.text) {
                    header.add(row, &record, &held.text, lines)?;
                } else {
                    reject(&record, row, header, &held.text, lines);
                }
            }
        }
        Ok(())
    }

    /// Ends the object: what is held now are its totals and footers, unless it has no more lines
    /// than that.
    pub(super) fn finish(&mut self, header: &CsvHeader, lines: &mut LineChecker) -> Result<()> {
        let texts = self.held.texts();
        if self.whole_rows < texts.len() as u64 {
            return self.release_held(header, lines);
        }
        if !self.held.is_empty() {
            lines.count_footers(self.held.count(), texts);
            self.held.take();
        }
        Ok(())
    }

    fn reject(&self, row: u64, header: &CsvHeader, text: &[u8], lines: &mut LineChecker) {
        reject(&self.record, row, header, text, lines);
    }
}

fn reject(
    record: &RecordScanner,
    row: u64,
    header: &CsvHeader,
    data: &[u8],
    lines: &mut LineChecker,
) {
    let reason = if record.is_broken() {
        RejectReason::BrokenQuotes
    } else {
        RejectReason::FieldCount
    };
    lines.reject(row, reason, |role| {
        header.at_fault(CsvRow { record, data }, role)
    });
}

/// Whether a line is of blanks only, or marks the end of a file of DOS.
fn is_nothing(record: &RecordScanner, text: &[u8]) -> bool {
    record.fields().len() == 1
        && text
            .iter()
            .all(|byte| byte.is_ascii_whitespace() || *byte == DOS_END)
}

/// How many lines of data stand in a text whose lines may end with CR.
fn joined_lines(text: &[u8], header: &CsvHeader, with_cr: &RecordStyle) -> u64 {
    if !text.contains(&b'\r') {
        return 0;
    }
    let mut record = RecordScanner::default();
    let (mut rest, mut fitting) = (text, 0);
    while let ScannedRecord::Record { len } | ScannedRecord::Blank { len } =
        record.read(rest, with_cr, true)
        && len > 0
    {
        fitting += u64::from(header.fits(&record, rest) && !header.is_odd(&record, rest));
        rest = rest.get(len..).unwrap_or_default();
    }
    fitting
}

impl CsvHeader {
    /// The error if the first values of the column of products are lists of products.
    pub(super) fn lists_of_products(&self, data: &[u8], last: bool) -> Option<Error> {
        let product = self.product?;
        let mut record = RecordScanner::default();
        let (mut rest, mut values) = (data, vec![]);
        while values.len() < VALUES
            && let ScannedRecord::Record { len } | ScannedRecord::Blank { len } =
                record.read(rest, &self.style, last)
            && len > 0
        {
            let field = record
                .fields()
                .get(product)
                .filter(|_| self.fits(&record, rest));
            values.extend(
                field.map(|field| String::from_utf8_lossy(&field.bytes(rest)).into_owned()),
            );
            rest = rest.get(len..).unwrap_or_default();
        }
        values.retain(|value| !value.trim().is_empty());
        let name = self.names.get(product).map_or("", String::as_str);
        refuse_lists(name, &values)
    }
}
