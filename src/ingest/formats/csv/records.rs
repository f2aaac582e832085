//! Where the fields of a CSV record lie (RFC 4180, with any separator and with LF or CRLF).

use std::borrow::Cow;

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

/// Where a field lies, without its quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldSpan {
    start: usize,
    end: usize,
    doubled_quotes: bool,
}

impl FieldSpan {
    /// The field's content; `data` is what its record was read from.
    #[inline]
    pub(super) fn bytes<'a>(&self, data: &'a [u8]) -> Cow<'a, [u8]> {
        let raw = data.get(self.start..self.end).unwrap_or_default();
        if !self.doubled_quotes {
            return Cow::Borrowed(raw);
        }
        let mut content = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(quote) = position(rest, |byte| byte == b'"') {
            let (before, after) = rest.split_at(quote + 1);
            content.extend_from_slice(before);
            rest = after.strip_prefix(b"\"").unwrap_or(after);
        }
        content.extend_from_slice(rest);
        Cow::Owned(content)
    }
}

/// Finds the fields of one record after another; its memory is reused.
#[derive(Debug, Default)]
pub(super) struct RecordScanner {
    fields: Vec<FieldSpan>,
    broken: bool,
    len: usize,
}

impl RecordScanner {
    pub(super) fn fields(&self) -> &[FieldSpan] {
        &self.fields
    }

    /// Whether text follows a closing quote.
    pub(super) fn broken(&self) -> bool {
        self.broken
    }

    /// The record as it stands in `data`, without its line end.
    pub(super) fn text<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(..self.len).unwrap_or_default().trim_ascii_end()
    }

    /// Reads the record at the start of `data`. No data follow if it is the `last` part.
    pub(super) fn read(&mut self, data: &[u8], separator: u8, last: bool) -> ScannedRecord {
        self.fields.clear();
        self.broken = false;
        let mut at = 0;
        loop {
            let quoted = data.get(at) == Some(&b'"');
            let mut field = FieldSpan {
                start: at,
                end: at,
                doubled_quotes: false,
            };
            if quoted {
                field.start = at + 1;
                match closing_quote(data, at + 1, last) {
                    Ok((quote, doubled_quotes)) => {
                        field.end = quote;
                        field.doubled_quotes = doubled_quotes;
                        at = quote + 1;
                    }
                    Err(step) => return step,
                }
            }
            let after = at;
            let rest = data.get(at..).unwrap_or_default();
            let stop = position(rest, |byte| byte == separator || byte == b'\n');
            if stop.is_none() && !last {
                return ScannedRecord::Incomplete;
            }
            at += stop.unwrap_or(rest.len());
            let ends = data.get(at) != Some(&separator);
            let mut end = at;
            if ends && end > after && data.get(end - 1) == Some(&b'\r') {
                end -= 1;
            }
            if quoted {
                self.broken |= end > after;
            } else {
                field.end = end;
            }
            self.fields.push(field);
            if ends {
                self.len = (at + 1).min(data.len());
                let blank = !quoted && self.fields.len() == 1 && end == 0;
                return if blank {
                    ScannedRecord::Blank { len: self.len }
                } else {
                    ScannedRecord::Record { len: self.len }
                };
            }
            at += 1;
        }
    }
}

/// The quote that ends a field whose content begins at `at`, and whether there are doubled ones
/// before it.
fn closing_quote(data: &[u8], mut at: usize, last: bool) -> Result<(usize, bool), ScannedRecord> {
    let mut doubled = false;
    loop {
        let Some(found) = position(data.get(at..).unwrap_or_default(), |byte| byte == b'"') else {
            return Err(if last {
                ScannedRecord::Unclosed
            } else {
                ScannedRecord::Incomplete
            });
        };
        let quote = at + found;
        match data.get(quote + 1) {
            Some(b'"') => {
                doubled = true;
                at = quote + 2;
            }
            None if !last => return Err(ScannedRecord::Incomplete),
            _ => return Ok((quote, doubled)),
        }
    }
}

#[inline]
fn position(data: &[u8], is_it: impl Fn(u8) -> bool) -> Option<usize> {
    data.iter().position(|byte| is_it(*byte))
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
                match record.read(&data[at..end], b',', last) {
                    ScannedRecord::Record { len } => {
                        assert!(!record.broken());
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
        fn any_bytes_end(data in prop::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..60)) {
            let (mut record, mut at) = (RecordScanner::default(), 0);
            while at < data.len() {
                match record.read(&data[at..], b',', true) {
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

    #[test]
    fn text_after_a_quote_and_quotes_inside_a_field() {
        let mut record = RecordScanner::default();
        assert_eq!(
            record.read(b"\"a\"b,c\n", b',', true),
            ScannedRecord::Record { len: 7 }
        );
        assert!(record.broken());
        assert_eq!(
            record.read(b"5\" pipe,c\n", b',', true),
            ScannedRecord::Record { len: 10 }
        );
        assert_eq!(
            (record.broken(), &*record.fields()[0].bytes(b"5\" pipe,c\n")),
            (false, &b"5\" pipe"[..])
        );
        assert_eq!(record.read(b"a,\"b\n", b',', true), ScannedRecord::Unclosed);
        assert_eq!(
            record.read(b"\r\na,b", b',', true),
            ScannedRecord::Blank { len: 2 }
        );
    }
}
