//! Lines that a quote has swallowed: tills and databases write quotes that are text, and a field
//! that seems to begin with one goes on to the next, hundreds of lines below.

use super::header::CsvHeader;
use super::records::{RecordScanner, RecordStyle, ScannedRecord};
use super::shape::may_be_time;
use crate::error::Error;

/// What the lines of a text are, if quotes are text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PlainLines {
    /// Lines that are not empty.
    lines: u64,
    /// Lines that have as many fields as the header.
    fitting: u64,
    /// Lines after the first that look like lines of data, besides.
    data: u64,
    first_fits: bool,
}

impl PlainLines {
    /// Looks at the lines of `text`.
    pub(super) fn of(text: &[u8], header: &CsvHeader) -> Self {
        let style = header.style.without_quotes();
        let mut record = RecordScanner::default();
        let mut found = Self::default();
        let mut rest = text;
        while let ScannedRecord::Record { len } | ScannedRecord::Blank { len } =
            record.read(rest, &style, true)
            && len > 0
        {
            let (line, after) = rest.split_at(len.min(rest.len()));
            if !line.trim_ascii().is_empty() {
                found.add(&record, line, header);
            }
            rest = after;
        }
        found
    }

    fn add(&mut self, record: &RecordScanner, line: &[u8], header: &CsvHeader) {
        let fits = header.fits(record, line);
        let field = |at: Option<usize>| record.fields().get(at?);
        let is_data = match (field(header.time), field(header.customer)) {
            (Some(time), _) => may_be_time(&time.bytes(line)),
            (None, Some(customer)) => !customer.is_blank(line),
            (None, None) => false,
        };
        if self.lines == 0 {
            self.first_fits = fits;
        } else {
            self.data += u64::from(fits && is_data);
        }
        self.lines += 1;
        self.fitting += u64::from(fits);
    }

    /// How many lines a record of several lines has swallowed; `is_whole` says that it has the
    /// header's number of fields. An address of several lines has swallowed none.
    pub(super) fn swallowed(&self, is_whole: bool) -> u64 {
        let others = self.lines.saturating_sub(1);
        if is_whole && (!self.first_fits || 2 * self.data < others) {
            return 0;
        }
        self.data
    }
}

/// The first of the fields in quotes in which a line ends.
pub(super) fn field_with_line_break(
    record: &RecordScanner,
    data: &[u8],
    style: &RecordStyle,
) -> Option<usize> {
    let mut fields = record.fields().iter();
    fields.position(|field| field.bytes(data).contains(&style.line_end))
}

/// A quote that is opened and not closed where it should be.
pub(super) struct StrayQuote<'a> {
    pub(super) header: &'a CsvHeader,
    pub(super) row: u64,
    /// The position of the field that it opens.
    pub(super) field: Option<usize>,
    /// How many lines it swallows, as far as is known.
    pub(super) swallowed: u64,
    /// Whether fields before it were enclosed in quotes.
    pub(super) had_quotes: bool,
    /// What follows from its row on.
    pub(super) rest: &'a [u8],
}

impl StrayQuote<'_> {
    /// The error, with a way out that is certain.
    pub(super) fn error(&self) -> Error {
        let Self { row, swallowed, .. } = *self;
        let what = match swallowed {
            0 => "a quote is opened and never closed".to_owned(),
            1 => "a quote is opened here, and the line below stands within it".to_owned(),
            lines => format!("a quote is opened here, and {lines} lines below stand within it"),
        };
        let close = format!("close the quote in row {row}, or double it if it belongs to the text");
        let plain = PlainLines::of(self.rest, self.header);
        let are_text = !self.had_quotes && plain.fitting == plain.lines && plain.first_fits;
        let hint = if are_text {
            format!(
                "if quotes are text in this file, read it with --quotes none: then {} from here on \
                 {} the {} fields of the header; or {close}",
                if plain.lines == 1 {
                    "the line".to_owned()
                } else {
                    format!("all {} lines", plain.lines)
                },
                if plain.lines == 1 { "has" } else { "have" },
                self.header.width
            )
        } else {
            close
        };
        let error = Error::input(what).row(row).hint(hint);
        let name = self.field.and_then(|at| self.header.names.get(at));
        match name.filter(|name| !name.is_empty()) {
            Some(name) => error.column(name.clone()),
            None => error,
        }
    }
}
