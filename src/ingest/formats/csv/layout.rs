//! How an object is written, by its beginning: where the header is, if there is one, which byte
//! separates fields, how lines end.

use super::header::CsvHeader;
use super::records::{RecordScanner, RecordStyle, ScannedRecord};
use super::shape::{looks_like_time, may_be_time};
use super::{CsvOptions, refusal};
use crate::error::{Error, Result};
use crate::ingest::columns::WantedColumns;
use crate::ingest::encoding::UTF8_MARK;
use crate::ingest::first_header::HeaderNames;

/// The longest line, in bytes.
pub(super) const MAX_RECORD: usize = 1 << 24;

/// The separators that are looked for, the likeliest first.
pub(super) const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Separators that are taken only where they divide a line into the wanted columns.
const RARE_SEPARATORS: [u8; 4] = [b'^', b'~', 0x01, 0x1f];

/// More fields than these make a separator no more likely.
const MOST_FIELDS: usize = 9_999;

/// In how many lines a header is looked for.
pub(super) const HEADER_LINES: usize = 50;

/// How many lines are looked at to see how an object is written.
const LINES: usize = 250;

/// How an object is written.
pub(super) struct Layout {
    pub(super) header: CsvHeader,
    /// How many bytes stand before the first line of data.
    pub(super) len: usize,
    /// The lines before the header.
    pub(super) titles: Vec<String>,
    /// Whether the header is that of another object.
    pub(super) is_lent: bool,
}

/// What is known of an object by its beginning.
pub(super) enum Beginning {
    /// More bytes are needed.
    Incomplete,
    /// There are only empty lines.
    Empty,
    Known(Box<Layout>),
}

/// A line of the beginning.
#[derive(Debug, Clone, Copy)]
pub(super) struct BeginningLine<'a> {
    /// Where it begins in the data.
    start: usize,
    /// Where the next one begins.
    end: usize,
    /// Without its line end.
    pub(super) text: &'a [u8],
}

impl BeginningLine<'_> {
    /// Where it begins in the data.
    pub(super) fn start(&self) -> usize {
        self.start
    }
}

/// The beginning of an object.
pub(super) struct BeginningLines<'a> {
    pub(super) data: &'a [u8],
    /// Whether no data follow.
    pub(super) last: bool,
    /// The lines that are not empty, without a first line that names the separator.
    pub(super) lines: Vec<BeginningLine<'a>>,
    /// The separator that the first line names, as Excel writes it: `sep=;`.
    separator: Option<u8>,
    line_end: u8,
    has_quotes: bool,
}

impl<'a> BeginningLines<'a> {
    /// The first lines of `data`.
    pub(super) fn new(data: &'a [u8], last: bool, line_end: u8, options: &CsvOptions) -> Self {
        let mut lines = vec![];
        let mut start = if data.starts_with(UTF8_MARK) {
            UTF8_MARK.len()
        } else {
            0
        };
        while lines.len() < LINES {
            let rest = data.get(start..).unwrap_or_default();
            let length = match rest.iter().position(|byte| *byte == line_end) {
                Some(at) => at + 1,
                None if last && !rest.is_empty() => rest.len(),
                None => break,
            };
            let text = rest.get(..length).unwrap_or_default().trim_ascii_end();
            if !text.is_empty() {
                lines.push(BeginningLine {
                    start,
                    end: start + length,
                    text,
                });
            }
            start += length;
        }
        let separator = lines.first().and_then(|line| named_separator(line.text));
        if separator.is_some() {
            lines.remove(0);
        }
        Self {
            data,
            last,
            lines,
            separator,
            line_end,
            has_quotes: options.has_quotes,
        }
    }

    /// How records are written with a separator.
    pub(super) fn style(&self, separator: u8) -> RecordStyle {
        RecordStyle {
            line_end: self.line_end,
            has_quotes: self.has_quotes,
            ..RecordStyle::new(separator)
        }
    }

    /// The separators that are looked for.
    pub(super) fn separators(&self) -> Vec<u8> {
        self.separator.map_or(SEPARATORS.to_vec(), |one| vec![one])
    }

    /// The fields of the record that begins with a line, as names; none if it does not end.
    pub(super) fn fields(&self, line: &BeginningLine<'_>, style: &RecordStyle) -> Option<Fields> {
        let rest = self.data.get(line.start..)?;
        let mut record = RecordScanner::default();
        record.read(rest, style, self.last);
        let has_leading_blanks = style.has_blanks || has_leading_blanks(&record, rest);
        let style = RecordStyle {
            has_blanks: has_leading_blanks,
            ..*style
        };
        match record.read(rest, &style, self.last) {
            ScannedRecord::Record { len } => Some(Fields {
                texts: CsvHeader::names_of(&record, rest),
                end: line.start + len,
                has_leading_blanks,
            }),
            _ => None,
        }
    }

    /// The first line that begins at or after a place.
    fn line_from(&self, start: usize) -> Option<&BeginningLine<'a>> {
        self.lines.iter().find(|line| line.start >= start)
    }

    fn titles(&self, before: usize) -> Vec<String> {
        let titles = self.lines.iter().take_while(|line| line.start < before);
        titles
            .map(|line| String::from_utf8_lossy(line.text).into_owned())
            .collect()
    }
}

/// The fields of a line of the beginning.
pub(super) struct Fields {
    pub(super) texts: Vec<String>,
    /// Where the next record begins.
    end: usize,
    /// Whether all fields but the first begin with a blank.
    has_leading_blanks: bool,
}

fn has_leading_blanks(record: &RecordScanner, data: &[u8]) -> bool {
    let mut fields = record.fields().iter().skip(1).peekable();
    fields.peek().is_some() && fields.all(|field| field.bytes(data).starts_with(b" "))
}

/// `sep=;`
fn named_separator(line: &[u8]) -> Option<u8> {
    let line = line.trim_ascii_start();
    let line = line
        .strip_prefix(b"\"")
        .and_then(|inner| inner.strip_suffix(b"\""))
        .unwrap_or(line);
    let (name, value) = line.split_at_checked(4)?;
    match value {
        [separator] if name.eq_ignore_ascii_case(b"sep=") => Some(*separator),
        // The tab was trimmed.
        [] if name.eq_ignore_ascii_case(b"sep=") => Some(b'\t'),
        _ => None,
    }
}

/// Finds out how the object that begins with `data` is written. `lent` gives the header of another
/// object, if the object has none.
///
/// # Errors
/// If a wanted column is not found.
pub(super) fn layout(
    data: &[u8],
    last: bool,
    columns: &WantedColumns,
    options: &CsvOptions,
    lent: &dyn Fn() -> Option<HeaderNames>,
) -> Result<Beginning> {
    let has_single_cr = has_single_cr(data, last);
    let mut beginning = BeginningLines::new(data, last, b'\n', options);
    let mut search = Search::of(&beginning, columns)?;
    let is_suspect = search
        .layout
        .as_ref()
        .is_none_or(|layout| data.get(..layout.len).is_some_and(has_single_cr_before_end));
    if has_single_cr && is_suspect {
        let with_cr = BeginningLines::new(data, last, b'\r', options);
        let search_with_cr = Search::of(&with_cr, columns)?;
        if search_with_cr.layout.is_some() || !data.contains(&b'\n') {
            (beginning, search) = (with_cr, search_with_cr);
        }
    }
    if beginning.lines.is_empty() && last {
        return Ok(Beginning::Empty);
    }
    let layout = match search.layout {
        Some(layout) => layout,
        None if !last && beginning.lines.len() < HEADER_LINES && data.len() < MAX_RECORD => {
            return Ok(Beginning::Incomplete);
        }
        None if beginning.lines.is_empty() => return Err(endless_line()),
        None => match lent_layout(&beginning, columns, lent)? {
            Some(layout) => layout,
            None => return Err(refusal::no_header(&beginning, columns, search.nearest)),
        },
    };
    Ok(Beginning::Known(Box::new(completed(
        layout, &beginning, columns,
    )?)))
}

/// The error of a line that is longer than any.
pub(super) fn endless_line() -> Error {
    Error::input(format!("a line is longer than {} MB", MAX_RECORD >> 20)).hint(
        "is this a table of text, a line for each sale? If it is one JSON value or has other line ends, export it as CSV again",
    )
}

/// Whether there is a CR that no LF follows.
fn has_single_cr(data: &[u8], last: bool) -> bool {
    let is_single = |at: usize| match data.get(at + 1) {
        Some(next) => *next != b'\n',
        None => last,
    };
    let mut from = 0;
    while let Some(at) = data
        .get(from..)
        .and_then(|rest| rest.iter().position(|byte| *byte == b'\r'))
    {
        if is_single(from + at) {
            return true;
        }
        from += at + 1;
    }
    false
}

fn has_single_cr_before_end(text: &[u8]) -> bool {
    has_single_cr(text.trim_ascii_end(), false)
}

/// The search for a header.
struct Search {
    layout: Option<Layout>,
    /// The names of the line that has most of the wanted columns, if no line has all.
    nearest: Option<Vec<String>>,
}

impl Search {
    fn of(beginning: &BeginningLines<'_>, columns: &WantedColumns) -> Result<Self> {
        if is_by_position(columns) {
            let layout = layout_by_position(beginning, columns)?;
            return Ok(Self {
                layout,
                nearest: None,
            });
        }
        Ok(search_names(beginning, columns))
    }
}

/// Whether all wanted columns are given by their numbers, so that no header is needed.
fn is_by_position(columns: &WantedColumns) -> bool {
    columns.find(&vec![""; MOST_FIELDS]).is_ok()
}

/// Looks for the first line that has all wanted columns under one separator.
fn search_names(beginning: &BeginningLines<'_>, columns: &WantedColumns) -> Search {
    let mut nearest: Option<(usize, Vec<String>)> = None;
    let mut separators = beginning.separators();
    separators.extend(RARE_SEPARATORS);
    for line in beginning.lines.iter().take(HEADER_LINES) {
        let mut best: Option<(usize, RecordStyle, Fields)> = None;
        for separator in &separators {
            let style = beginning.style(*separator);
            let Some(fields) = beginning.fields(line, &style) else {
                continue;
            };
            let present = columns.count_present(&fields.texts);
            if present == 0 {
                continue;
            }
            // The separator that finds the most of the wanted columns, then the one that makes the
            // most fields.
            let score = present * (MOST_FIELDS + 1) + fields.texts.len().min(MOST_FIELDS);
            let names: Vec<&str> = fields.texts.iter().map(String::as_str).collect();
            if columns.find(&names).is_err() {
                if nearest.as_ref().is_none_or(|(other, _)| score > *other) {
                    nearest = Some((score, fields.texts));
                }
            } else if best.as_ref().is_none_or(|(other, ..)| score > *other) {
                best = Some((score, style, fields));
            }
        }
        if let Some((_, style, fields)) = best {
            let layout = named_layout(beginning, line, style, fields, columns);
            return Search {
                layout: layout.ok(),
                nearest: None,
            };
        }
    }
    Search {
        layout: None,
        nearest: nearest.map(|(_, names)| names),
    }
}

/// The layout with a header line. Lines of data before it are data.
fn named_layout(
    beginning: &BeginningLines<'_>,
    line: &BeginningLine<'_>,
    style: RecordStyle,
    fields: Fields,
    columns: &WantedColumns,
) -> Result<Layout> {
    let style = RecordStyle {
        has_blanks: fields.has_leading_blanks,
        ..style
    };
    let header = CsvHeader::new(style, fields.texts, columns)?;
    let is_data = |other: &&BeginningLine<'_>| {
        other.start < line.start
            && beginning
                .fields(other, &style)
                .is_some_and(|fields| is_data(&fields.texts, &header))
    };
    let first_data = beginning.lines.iter().find(is_data);
    Ok(Layout {
        header,
        len: first_data.map_or(fields.end, |data| data.start),
        titles: beginning.titles(first_data.map_or(line.start, |data| data.start)),
        is_lent: false,
    })
}

/// Whether fields are a line of data of a header.
fn is_data(fields: &[String], header: &CsvHeader) -> bool {
    let time = header.time.and_then(|at| fields.get(at));
    fields.len() == header.width && time.is_some_and(|time| looks_like_time(time.as_bytes()))
}

/// The layout of columns that are given by their numbers: the first line whose time looks like one
/// is data; a line before it with as many fields is a header.
fn layout_by_position(
    beginning: &BeginningLines<'_>,
    columns: &WantedColumns,
) -> Result<Option<Layout>> {
    let mut best: Option<(usize, usize, Layout)> = None;
    for separator in beginning.separators() {
        let style = beginning.style(separator);
        for (at, line) in beginning.lines.iter().take(HEADER_LINES).enumerate() {
            let Some(fields) = beginning.fields(line, &style) else {
                continue;
            };
            let unnamed = vec![String::new(); fields.texts.len()];
            let Ok(header) = CsvHeader::new(style, unnamed, columns) else {
                continue;
            };
            let may_be_data = match header.time.and_then(|at| fields.texts.get(at)) {
                Some(time) => may_be_time(time.as_bytes()),
                None => fields
                    .texts
                    .iter()
                    .any(|field| may_be_time(field.as_bytes())),
            };
            if !may_be_data {
                continue;
            }
            let width = fields.texts.len();
            if best
                .as_ref()
                .is_none_or(|(line, fields, _)| at < *line || (at == *line && width > *fields))
            {
                let layout = positional_layout(beginning, at, header);
                best = Some((at, width, layout));
            }
            break;
        }
    }
    if best.is_none() && !beginning.lines.is_empty() {
        return Ok(only_header_by_position(beginning, columns));
    }
    Ok(best.map(|(.., layout)| layout))
}

fn positional_layout(beginning: &BeginningLines<'_>, at: usize, header: CsvHeader) -> Layout {
    let begin = beginning.lines.get(at).map_or(0, |line| line.start);
    let before = at.checked_sub(1).and_then(|at| beginning.lines.get(at));
    let named = before.and_then(|line| {
        let fields = beginning.fields(line, &header.style)?;
        (fields.texts.len() == header.width).then_some((line.start, fields.texts))
    });
    let (titles_end, names) = match named {
        Some((start, names)) => (start, names),
        None => (begin, header.names.clone()),
    };
    Layout {
        header: CsvHeader { names, ..header },
        len: begin,
        titles: beginning.titles(titles_end),
        is_lent: false,
    }
}

/// The layout of an object in which nothing looks like a time: its first line is taken for a header
/// if it is the only one.
fn only_header_by_position(
    beginning: &BeginningLines<'_>,
    columns: &WantedColumns,
) -> Option<Layout> {
    let line = beginning.lines.first()?;
    let mut headers = beginning.separators().into_iter().filter_map(|separator| {
        let style = beginning.style(separator);
        let fields = beginning.fields(line, &style)?;
        let header = CsvHeader::new(style, fields.texts.clone(), columns).ok()?;
        Some((fields, header))
    });
    let (fields, header) = headers.next()?;
    let is_alone = beginning.last && beginning.lines.len() == 1;
    Some(Layout {
        header,
        len: if is_alone { fields.end } else { line.start },
        titles: vec![],
        is_lent: false,
    })
}

/// The layout of an object without a header, by that of another: its first line has as many fields,
/// and its time looks like one.
fn lent_layout(
    beginning: &BeginningLines<'_>,
    columns: &WantedColumns,
    lent: &dyn Fn() -> Option<HeaderNames>,
) -> Result<Option<Layout>> {
    let (Some(first), Some(lent)) = (beginning.lines.first(), lent()) else {
        return Ok(None);
    };
    let style = beginning.style(lent.separator);
    let header = CsvHeader::new(style, lent.names, columns)?;
    let fields = beginning.fields(first, &style);
    let is_data = fields.is_some_and(|fields| is_data(&fields.texts, &header));
    Ok(is_data.then(|| Layout {
        header,
        len: first.start,
        titles: vec![],
        is_lent: true,
    }))
}

/// What the first line of data adds: a ruler before it, a separator at its end, row names.
fn completed(
    mut layout: Layout,
    beginning: &BeginningLines<'_>,
    columns: &WantedColumns,
) -> Result<Layout> {
    if let Some(line) = beginning.line_from(layout.len)
        && is_ruler(line.text, layout.header.style.separator)
    {
        layout.len = line.end;
    }
    let Some(line) = beginning.line_from(layout.len) else {
        return Ok(layout);
    };
    let Some(fields) = beginning.fields(line, &layout.header.style) else {
        return Ok(layout);
    };
    layout.header.style.has_blanks |= fields.has_leading_blanks;
    let header = &layout.header;
    if fields.texts.len() != header.width + 1 {
        return Ok(layout);
    }
    let is_time = |at: usize| {
        let time = fields.texts.get(at);
        time.is_some_and(|time| looks_like_time(time.as_bytes()))
    };
    let Some(time) = header.time else {
        return Ok(layout);
    };
    if fields.texts.last().is_some_and(String::is_empty) && !is_time(time + 1) {
        layout.header.has_trailing_separators = true;
    } else if !is_time(time) && is_time(time + 1) && !layout.is_lent {
        // R writes the names of rows, and no name for their column.
        let names = std::iter::once(String::new()).chain(header.names.iter().cloned());
        layout.header = CsvHeader::new(header.style, names.collect(), columns)?;
    }
    Ok(layout)
}

/// A line of dashes under the header: `------;------`.
fn is_ruler(line: &[u8], separator: u8) -> bool {
    let dashes = line
        .iter()
        .filter(|byte| matches!(byte, b'-' | b'='))
        .count();
    let is_ruled = line
        .iter()
        .all(|byte| matches!(byte, b'-' | b'=' | b'+' | b' ' | b'|') || *byte == separator);
    dashes >= 3 && is_ruled
}
