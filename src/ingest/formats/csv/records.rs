//! Where the fields of a CSV record lie: RFC 4180, and what is found beside it.

use std::borrow::Cow;

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordStyle {
    pub(super) separator: u8,
    /// The last byte of a line: LF, which may follow a CR, or a CR alone.
    pub(super) line_end: u8,
    /// Whether a field may be enclosed in quotes. Otherwise they are text.
    pub(super) has_quotes: bool,
    /// Whether a backslash takes its meaning from the byte that follows, as Spark and MySQL write.
    pub(super) has_escapes: bool,
    /// Whether blanks may stand before a field.
    pub(super) has_blanks: bool,
}

impl RecordStyle {
    /// RFC 4180 with a separator.
    pub(super) fn new(separator: u8) -> Self {
        Self {
            separator,
            line_end: b'\n',
            has_quotes: true,
            has_escapes: false,
            has_blanks: false,
        }
    }

    /// The same, with quotes as text.
    #[must_use]
    pub(super) fn without_quotes(self) -> Self {
        Self {
            has_quotes: false,
            has_escapes: false,
            ..self
        }
    }
}

/// What stands at the start of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScannedRecord {
    /// An empty line.
    Blank { len: usize },
    /// A record of `len` bytes, its line end included.
    Record { len: usize },
    /// The data end before the record does.
    Incomplete,
    /// The data end for good inside quotes.
    Unclosed,
}

/// How a field's content is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoded {
    AsIs,
    DoubledQuotes,
    Escapes,
}

/// Where a field lies, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldSpan {
    start: usize,
    end: usize,
    encoded: Encoded,
}

impl FieldSpan {
    /// The field's content; `data` is what its record was read from.
    #[inline]
    pub(super) fn bytes<'a>(&self, data: &'a [u8]) -> Cow<'a, [u8]> {
        let raw = data.get(self.start..self.end).unwrap_or_default();
        match self.encoded {
            Encoded::AsIs => Cow::Borrowed(raw),
            Encoded::DoubledQuotes => Cow::Owned(without_doubled_quotes(raw)),
            Encoded::Escapes => Cow::Owned(without_escapes(raw)),
        }
    }

    /// Whether its first character is a digit, as that of nearly all times.
    #[inline]
    pub(super) fn begins_with_digit(&self, data: &[u8]) -> bool {
        data.get(self.start).is_some_and(u8::is_ascii_digit)
    }

    /// Whether it is a text, which may have blanks around it.
    #[inline]
    pub(super) fn is(&self, data: &[u8], text: &str) -> bool {
        let raw = data.get(self.start..self.end).unwrap_or_default();
        raw.first() == text.as_bytes().first() && raw.trim_ascii_end() == text.as_bytes()
            || raw.first() == Some(&b' ') && raw.trim_ascii() == text.as_bytes()
    }

    /// Whether there is nothing in it, or blanks only.
    #[inline]
    pub(super) fn is_blank(&self, data: &[u8]) -> bool {
        let raw = data.get(self.start..self.end).unwrap_or_default();
        raw.first().is_none_or(u8::is_ascii_whitespace) && raw.trim_ascii().is_empty()
    }
}

fn without_doubled_quotes(raw: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(quote) = position(rest, |byte| byte == b'"') {
        let (before, after) = rest.split_at(quote + 1);
        content.extend_from_slice(before);
        rest = after.strip_prefix(b"\"").unwrap_or(after);
    }
    content.extend_from_slice(rest);
    content
}

/// A backslash goes where it protects a byte that has a meaning, and stays elsewhere (`\N`).
fn without_escapes(raw: &[u8]) -> Vec<u8> {
    let mut content = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let is_escape = byte == b'\\'
            && bytes
                .peek()
                .is_some_and(|next| !next.is_ascii_alphanumeric());
        content.push(if is_escape {
            bytes.next().unwrap_or(byte)
        } else {
            byte
        });
    }
    content
}

/// Finds the fields of one record after another; its memory is reused.
#[derive(Debug, Default)]
pub(super) struct RecordScanner {
    fields: Vec<FieldSpan>,
    is_broken: bool,
    has_line_breaks: bool,
    is_open: bool,
    has_quotes: bool,
    had_quotes: bool,
    len: usize,
}

impl RecordScanner {
    /// The fields of the record. Where the data end within quotes, those before the open one.
    pub(super) fn fields(&self) -> &[FieldSpan] {
        &self.fields
    }

    /// Whether text follows a closing quote.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Whether a line ends within the quotes of a field.
    pub(super) fn has_line_breaks(&self) -> bool {
        self.has_line_breaks
    }

    /// Whether the data end within quotes.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether the record is one line of so many fields.
    #[inline]
    pub(super) fn is_plain(&self, width: usize) -> bool {
        self.fields.len() == width && !self.is_broken && !self.has_line_breaks
    }

    /// Whether a field of an earlier record was enclosed in quotes.
    pub(super) fn had_quotes(&self) -> bool {
        self.had_quotes
    }

    /// The record as it stands in `data`, without its line end.
    pub(super) fn text<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(..self.len).unwrap_or_default().trim_ascii()
    }

    /// Reads the record at the start of `data`. No data follow if it is the `last` part.
    pub(super) fn read(&mut self, data: &[u8], style: &RecordStyle, last: bool) -> ScannedRecord {
        self.fields.clear();
        self.had_quotes |= std::mem::take(&mut self.has_quotes);
        self.is_broken = false;
        self.has_line_breaks = false;
        self.is_open = false;
        self.len = 0;
        let RecordStyle {
            separator,
            line_end,
            ..
        } = *style;
        // The rest of a CR LF, where lines end with CR.
        let begin = usize::from(line_end == b'\r' && data.first() == Some(&b'\n'));
        let mut at = begin;
        loop {
            if style.has_blanks {
                at += leading_blanks(data.get(at..).unwrap_or_default());
            }
            let is_quoted = style.has_quotes && data.get(at) == Some(&b'"');
            let mut field = FieldSpan {
                start: at,
                end: at,
                encoded: Encoded::AsIs,
            };
            if is_quoted {
                at = match self.read_quoted(&mut field, data, style, last) {
                    Ok(after) => after,
                    Err(step) => return step,
                };
            }
            let after = at;
            let rest = data.get(at..).unwrap_or_default();
            let stop = if style.has_escapes {
                unescaped_position(rest, |byte| byte == separator || byte == line_end)
            } else {
                position(rest, |byte| byte == separator || byte == line_end)
            };
            if stop.is_none() && !last {
                return ScannedRecord::Incomplete;
            }
            at += stop.unwrap_or(rest.len());
            let ends = data.get(at) != Some(&separator);
            let mut end = at;
            if ends && end > after && data.get(end - 1) == Some(&b'\r') {
                end -= 1;
            }
            if is_quoted {
                self.has_quotes = true;
                let between = data.get(after..end).unwrap_or_default();
                self.is_broken |= leading_blanks(between) < between.len();
            } else {
                field.end = end;
                if style.has_escapes {
                    field.encoded = Encoded::Escapes;
                }
            }
            self.fields.push(field);
            if ends {
                self.len = (at + 1).min(data.len());
                let is_blank = !is_quoted && self.fields.len() == 1 && end == begin;
                return if is_blank {
                    ScannedRecord::Blank { len: self.len }
                } else {
                    ScannedRecord::Record { len: self.len }
                };
            }
            at += 1;
        }
    }

    /// Reads the content of a field whose opening quote stands at its start. Returns where what
    /// follows the closing quote begins.
    fn read_quoted(
        &mut self,
        field: &mut FieldSpan,
        data: &[u8],
        style: &RecordStyle,
        last: bool,
    ) -> Result<usize, ScannedRecord> {
        field.start += 1;
        let closing = closing_quote(data, field.start, style.has_escapes, last);
        self.is_open = closing.is_err();
        let (quote, encoded) = closing?;
        field.end = quote;
        field.encoded = encoded;
        let content = data.get(field.start..field.end).unwrap_or_default();
        self.has_line_breaks |= content.contains(&style.line_end);
        Ok(quote + 1)
    }
}

/// The quote that ends a field whose content begins at `at`, and how the content is written.
fn closing_quote(
    data: &[u8],
    mut at: usize,
    has_escapes: bool,
    last: bool,
) -> Result<(usize, Encoded), ScannedRecord> {
    let mut encoded = if has_escapes {
        Encoded::Escapes
    } else {
        Encoded::AsIs
    };
    loop {
        let rest = data.get(at..).unwrap_or_default();
        let found = if has_escapes {
            unescaped_position(rest, |byte| byte == b'"')
        } else {
            position(rest, |byte| byte == b'"')
        };
        let Some(found) = found else {
            return Err(if last {
                ScannedRecord::Unclosed
            } else {
                ScannedRecord::Incomplete
            });
        };
        let quote = at + found;
        match data.get(quote + 1) {
            Some(b'"') if !has_escapes => {
                encoded = Encoded::DoubledQuotes;
                at = quote + 2;
            }
            None if !last => return Err(ScannedRecord::Incomplete),
            _ => return Ok((quote, encoded)),
        }
    }
}

#[inline]
fn position(data: &[u8], is_it: impl Fn(u8) -> bool) -> Option<usize> {
    data.iter().position(|byte| is_it(*byte))
}

/// As [`position`], of a byte that does not follow a backslash.
fn unescaped_position(data: &[u8], is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) = data.get(at) {
        match *byte {
            b'\\' => at += 2,
            byte if is_it(byte) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

fn leading_blanks(data: &[u8]) -> usize {
    data.iter().take_while(|byte| **byte == b' ').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All records of `data`, given in parts that end at `cut` and at the end.
    fn records(data: &[u8], cut: usize) -> Vec<Vec<Vec<u8>>> {
        let (mut record, mut out, mut at) = (RecordScanner::default(), vec![], 0);
        for (end, last) in [(cut.min(data.len()), false), (data.len(), true)] {
            while at < end {
                match record.read(&data[at..end], &RecordStyle::new(b','), last) {
                    ScannedRecord::Record { len } => {
                        assert!(!record.is_broken());
                        out.push(
                            record
                                .fields()
                                .iter()
                                .map(|field| field.bytes(&data[at..]).into_owned())
                                .collect(),
                        );
                        at += len;
                    }
                    ScannedRecord::Blank { len } => at += len,
                    ScannedRecord::Incomplete => break,
                    ScannedRecord::Unclosed => panic!("unclosed"),
                }
            }
        }
        out
    }

    proptest! {
        #[test]
        fn what_is_written_comes_back_wherever_the_data_are_cut(
            table in prop::collection::vec(prop::collection::vec("[a\", \n\r;é]{0,6}", 2..5), 0..8),
            cut in 0_usize..200,
            crlf in any::<bool>(),
            end in any::<bool>(),
        ) {
            let mut text = String::new();
            for (at, fields) in table.iter().enumerate() {
                for (at, field) in fields.iter().enumerate() {
                    if at > 0 { text.push(','); }
                    if field.contains(['"', ',', '\n', '\r']) {
                        text.push_str(&format!("\"{}\"", field.replace('"', "\"\"")));
                    } else {
                        text.push_str(field);
                    }
                }
                if end || at + 1 < table.len() {
                    text.push_str(if crlf { "\r\n" } else { "\n" });
                }
            }
            let expected: Vec<Vec<Vec<u8>>> =
                table.iter().map(|fields| fields.iter().map(|field| field.as_bytes().to_vec()).collect()).collect();
            prop_assert_eq!(records(text.as_bytes(), cut), expected);
        }

        #[test]
        fn any_bytes_end(
            data in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), Just(b'\\'), Just(b' '), any::<u8>()], 0..60),
            has_quotes in any::<bool>(), has_escapes in any::<bool>(), has_blanks in any::<bool>(), is_mac in any::<bool>(),
        ) {
            let style = RecordStyle { separator: b',', line_end: if is_mac { b'\r' } else { b'\n' }, has_quotes, has_escapes, has_blanks };
            let (mut record, mut at) = (RecordScanner::default(), 0);
            while at < data.len() {
                match record.read(&data[at..], &style, true) {
                    ScannedRecord::Record { len } | ScannedRecord::Blank { len } => {
                        prop_assert!(len > 0);
                        at += len;
                    }
                    ScannedRecord::Unclosed => break,
                    ScannedRecord::Incomplete => prop_assert!(false, "the last part is never incomplete"),
                }
            }
        }
    }

    /// The fields of the one record of `data`, and whether it is broken.
    fn fields(data: &str, style: RecordStyle) -> (Vec<String>, bool) {
        let mut record = RecordScanner::default();
        let read = record.read(data.as_bytes(), &style, true);
        assert!(matches!(read, ScannedRecord::Record { .. }), "{read:?}");
        let fields = record.fields().iter();
        let texts =
            fields.map(|field| String::from_utf8_lossy(&field.bytes(data.as_bytes())).into_owned());
        (texts.collect(), record.is_broken())
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn text_after_a_quote_and_quotes_inside_a_field() {
        let style = RecordStyle::new(b',');
        let mut record = RecordScanner::default();
        assert_eq!(
            record.read(b"\"a\"b,c\n", &style, true),
            ScannedRecord::Record { len: 7 }
        );
        assert!(record.is_broken());
        assert_eq!(
            fields("5\" pipe,c\n", style),
            (texts(&["5\" pipe", "c"]), false)
        );
        assert_eq!(fields("\"a\" ,c\n", style), (texts(&["a", "c"]), false));
        assert_eq!(
            record.read(b"a,\"b\n", &style, true),
            ScannedRecord::Unclosed
        );
        assert_eq!(
            record.read(b"\r\na,b", &style, true),
            ScannedRecord::Blank { len: 2 }
        );
    }

    #[test]
    fn each_style_has_its_fields() {
        let rfc = RecordStyle::new(b',');
        let line = "7, \"a, b\",\"12\\\" x\",\\N";
        assert_eq!(fields(line, rfc).0.len(), 5);
        let blanks = RecordStyle {
            has_blanks: true,
            ..rfc
        };
        assert_eq!(
            fields(line, blanks),
            (texts(&["7", "a, b", "12\\", "\\N"]), true)
        );
        let escapes = RecordStyle {
            has_escapes: true,
            ..blanks
        };
        assert_eq!(
            fields(line, escapes),
            (texts(&["7", "a, b", "12\" x", "\\N"]), false)
        );
        assert_eq!(
            fields("a\\,b,c\\\\\n", escapes),
            (texts(&["a,b", "c\\"]), false)
        );
        let text = rfc.without_quotes();
        assert_eq!(fields("\"a,b\"\n", text), (texts(&["\"a", "b\""]), false));
    }

    #[test]
    fn lines_may_end_with_cr() {
        let style = RecordStyle {
            line_end: b'\r',
            ..RecordStyle::new(b',')
        };
        let mut record = RecordScanner::default();
        assert_eq!(
            record.read(b"a,b\rc,d\r", &style, true),
            ScannedRecord::Record { len: 4 }
        );
        assert_eq!(
            record.read(b"\na,b\r", &style, true),
            ScannedRecord::Record { len: 5 }
        );
        assert_eq!(&*record.fields()[0].bytes(b"\na,b\r"), b"a");
        assert_eq!(
            record.read(b"\n\rc", &style, true),
            ScannedRecord::Blank { len: 2 }
        );
        assert_eq!(
            record.read(b"\"a\rb\",c\r", &style, true),
            ScannedRecord::Record { len: 8 }
        );
        assert!(record.has_line_breaks());
    }
}
