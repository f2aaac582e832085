//! Where the records of a JSON file begin and end.

/// How the records follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonLayout {
    /// An object a line.
    Lines,
    /// Objects, however they are broken into lines.
    Objects,
    /// One array of objects.
    Array,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonRecord {
    /// An object: where it begins, how long it is, and where what follows begins.
    Object {
        start: usize,
        len: usize,
        end: usize,
    },
    /// No whole object, after what may be skipped.
    Incomplete { skipped: usize },
    /// Something that is no object.
    Other,
}

/// Whether a file begins like JSON with objects in it.
pub(super) fn is_json(first_bytes: &[u8]) -> bool {
    let text = first_bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(first_bytes);
    let text = text.trim_ascii_start();
    let object = match text.strip_prefix(b"[") {
        Some(rest) => rest.trim_ascii_start(),
        None => text,
    };
    let is_object = object
        .strip_prefix(b"{")
        .is_some_and(|rest| matches!(rest.trim_ascii_start().first(), Some(b'"' | b'}')));
    is_object || (text.len() > object.len() && object.starts_with(b"]"))
}

impl JsonLayout {
    /// The layout of a file that begins so.
    pub(super) fn of(beginning: &[u8]) -> Self {
        let text = beginning.trim_ascii_start();
        if text.starts_with(b"[") {
            return JsonLayout::Array;
        }
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        match end_of_object(first) {
            Some(end) if first.get(end..).unwrap_or_default().trim_ascii().is_empty() => {
                JsonLayout::Lines
            }
            // A line that is no JSON at all is a bad line among others.
            None if !text.starts_with(b"{") => JsonLayout::Lines,
            _ => JsonLayout::Objects,
        }
    }

    /// In words.
    pub(super) fn describe(self) -> &'static str {
        match self {
            JsonLayout::Lines => "JSON lines",
            JsonLayout::Objects => "JSON objects",
            JsonLayout::Array => "a JSON array",
        }
    }

    /// The record at the beginning of `data`, after which nothing follows if they are the `last`.
    pub(super) fn next(self, data: &[u8], last: bool) -> JsonRecord {
        match self {
            JsonLayout::Lines => next_line(data, last),
            JsonLayout::Objects | JsonLayout::Array => next_object(data),
        }
    }
}

fn next_line(data: &[u8], last: bool) -> JsonRecord {
    let mut at = 0;
    while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
        let len = match rest.iter().position(|byte| *byte == b'\n') {
            Some(len) => len,
            None if last => rest.len(),
            None => break,
        };
        let end = data.len().min(at + len + 1);
        let line = rest.get(..len).unwrap_or_default();
        let indent = line.len() - line.trim_ascii_start().len();
        match line.trim_ascii() {
            [] => at = end,
            line => {
                return JsonRecord::Object {
                    start: at + indent,
                    len: line.len(),
                    end,
                };
            }
        }
    }
    JsonRecord::Incomplete { skipped: at }
}

fn next_object(data: &[u8]) -> JsonRecord {
    let between = data
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']'));
    let start = between.count();
    let rest = data.get(start..).unwrap_or_default();
    match rest.first() {
        None => JsonRecord::Incomplete { skipped: start },
        Some(b'{') => match end_of_object(rest) {
            Some(len) => JsonRecord::Object {
                start,
                len,
                end: start + len,
            },
            None => JsonRecord::Incomplete { skipped: start },
        },
        Some(_) => JsonRecord::Other,
    }
}

/// How long the object is that begins here, if it ends.
fn end_of_object(data: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut is_text = false;
    let mut is_escaped = false;
    for (at, byte) in data.iter().enumerate() {
        if is_text {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => is_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_told_by_the_beginning() {
        for (text, layout) in [
            ("{\"a\":1}\n{\"a\":2}\n", JsonLayout::Lines),
            ("{\"a\":\"}\\\"\"}", JsonLayout::Lines),
            ("{\n \"a\": 1\n}\n{\n \"a\": 2\n}", JsonLayout::Objects),
            ("{\"a\":1}{\"a\":2}", JsonLayout::Objects),
            (" [\n{\"a\":1}]", JsonLayout::Array),
        ] {
            assert_eq!(JsonLayout::of(text.as_bytes()), layout, "{text}");
            assert!(is_json(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "[customer_id],[day]\n",
            "{customer_id}\n",
            "a,{\"b\"",
            "[1, 2]",
        ] {
            assert!(!is_json(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn an_object_ends_where_its_last_bracket_is() {
        let data = br#" , {"a": "}{\"", "b": [{}, {"c": 1}]} , {"a""#;
        let JsonRecord::Object { start, len, end } = next_object(data) else {
            panic!("there is an object")
        };
        assert_eq!(
            (data[start], data[start + len - 1], end),
            (b'{', b'}', start + len)
        );
        assert_eq!(
            next_object(&data[end..]),
            JsonRecord::Incomplete { skipped: 3 }
        );
        assert_eq!(next_object(b"[7"), JsonRecord::Other);
        assert_eq!(
            next_line(b"\n\n {\"a\":1} \r\nx", false),
            JsonRecord::Object {
                start: 3,
                len: 7,
                end: 13
            }
        );
        assert_eq!(
            next_line(b"\n{", false),
            JsonRecord::Incomplete { skipped: 1 }
        );
        assert_eq!(
            next_line(b"\n{", true),
            JsonRecord::Object {
                start: 1,
                len: 1,
                end: 2
            }
        );
    }
}
