//! How text is encoded: a layer between compressions and formats, which see UTF-8 only.
//!
//! UTF-8 goes through as it is, whether it is valid or not: only the fields that are read must be.
//! Any other encoding is told by a byte-order mark, by the bytes of UTF-16, or by the setting.

use std::io::Read;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::compression::BoxedRead;
use crate::error::{Error, Result};

/// The byte-order mark of UTF-8.
pub(super) const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// How many bytes are looked at to recognise UTF-16 without a mark.
const LOOKED_AT: usize = 1 << 10;

/// How many bytes are decoded at a time.
const DECODED: usize = 1 << 16;

/// What stands in the place of bytes that the encoding does not have: no UTF-8, so that the field
/// is not taken for text.
const UNDECODABLE: u8 = 0xff;

/// Names that people use and that are no labels of the WHATWG standard.
const ALIASES: [(&str, &str); 12] = [
    ("latin-1", "latin1"),
    ("latin-2", "latin2"),
    ("latin-9", "iso-8859-15"),
    ("latin9", "iso-8859-15"),
    ("utf16", "utf-16"),
    ("utf16le", "utf-16le"),
    ("utf16be", "utf-16be"),
    ("cp932", "shift_jis"),
    ("cp936", "gbk"),
    ("cp949", "euc-kr"),
    ("cp950", "big5"),
    ("mac-roman", "macintosh"),
];

/// Encodings that are tried where text is not UTF-8, the commonest first.
const TRIED: [&str; 9] = [
    "cp1252",
    "cp1250",
    "cp1251",
    "shift_jis",
    "gbk",
    "big5",
    "euc-kr",
    "macintosh",
    "koi8-r",
];

/// What a message says of a value that is not UTF-8.
pub(super) const SAY_ENCODING: &str = "say how text files are encoded with --encoding: cp1252 (Windows, western Europe), cp1250 (central Europe), \
     cp1251 (Cyrillic), shift_jis, gbk, …; or write it as UTF-8, if other files are: \
     iconv -f CP1252 -t UTF-8 FILE > NEW";

/// The encoding of a name such as `cp1252`, `latin-1` or `utf-16le`.
///
/// # Errors
/// If it is not known.
pub(super) fn encoding_named(name: &str) -> Result<&'static Encoding> {
    let lower = name.trim().to_ascii_lowercase().replace('_', "-");
    let label = ALIASES
        .iter()
        .find(|(alias, _)| *alias == lower)
        .map_or(lower.as_str(), |(_, label)| label);
    Encoding::for_label(label.as_bytes())
        .or_else(|| Encoding::for_label(name.trim().as_bytes()))
        .ok_or_else(|| {
            Error::request(format!("the encoding \"{name}\" is not known")).hint(
                "write, for example, --encoding cp1252, latin-1, cp1250, cp1251, utf-16le, shift_jis or gbk; \
                 these names are those of the WHATWG encoding standard",
            )
        })
}

/// Refuses the name of an encoding that is not known.
///
/// # Errors
/// If it is not known.
pub fn check_encoding(name: &str) -> Result<()> {
    encoding_named(name).map(|_| ())
}

/// The encodings, with their names, that text may have which is not UTF-8.
pub(super) fn candidates() -> impl Iterator<Item = (&'static str, &'static Encoding)> {
    let named = |name: &&'static str| Some((*name, Encoding::for_label(name.as_bytes())?));
    TRIED.iter().filter_map(named)
}

/// The encoding that text which is not UTF-8 most likely has: of western Europe, unless most letters
/// in words are none of ASCII, as in Cyrillic.
pub(super) fn likeliest(text: &[u8]) -> (&'static str, &'static Encoding) {
    let high = text.iter().filter(|byte| !byte.is_ascii()).count();
    let in_words = text
        .array_windows()
        .filter(|[a, b]| !a.is_ascii() && !b.is_ascii())
        .count();
    if 2 * in_words > high {
        ("cp1251", encoding_rs::WINDOWS_1251)
    } else {
        ("cp1252", encoding_rs::WINDOWS_1252)
    }
}

/// The encoding that text must be decoded from, by its first bytes and by what is set; `None` if it
/// is UTF-8, or nothing tells.
///
/// # Errors
/// If it is UTF-32, or is UTF-8 where another encoding is set.
pub(super) fn encoding_of(
    first_bytes: &[u8],
    set: Option<&'static Encoding>,
) -> Result<Option<&'static Encoding>> {
    if matches!(first_bytes, [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..]) {
        return Err(Error::input("the file is UTF-32")
            .hint("write it as UTF-8: iconv -f UTF-32 -t UTF-8 FILE > utf-8.csv"));
    }
    if let Some(encoding) = set
        && encoding.is_single_byte()
        && is_utf8_beyond_ascii(first_bytes)
        && !first_bytes.starts_with(UTF8_MARK)
    {
        return Err(
            Error::input(format!("the text is UTF-8, and not {}", encoding.name())).hint(format!(
                "if all files are UTF-8, leave --encoding out; if others are {0}, make them UTF-8 and leave it out then: \
                 iconv -f {0} -t UTF-8 FILE > NEW",
                encoding.name()
            )),
        );
    }
    let told = match first_bytes {
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        bytes if bytes.starts_with(UTF8_MARK) => Some(UTF_8),
        bytes => utf16_without_mark(bytes).or(set),
    };
    Ok(told.filter(|encoding| *encoding != UTF_8))
}

/// Whether text has characters beyond ASCII, all of them as UTF-8 writes them, which text of other
/// encodings is not by chance. The last one may be cut off.
fn is_utf8_beyond_ascii(text: &[u8]) -> bool {
    let is_utf8 = match std::str::from_utf8(text) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    is_utf8 && !text.is_ascii()
}

/// UTF-16 by its NUL bytes: of Latin letters, digits and separators every other byte is one.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let (pairs, _) = bytes.get(..bytes.len().min(LOOKED_AT))?.as_chunks::<2>();
    let first = pairs.iter().filter(|[first, _]| *first == 0).count();
    let second = pairs.iter().filter(|[_, second]| *second == 0).count();
    match (first, second) {
        (0, nuls) if pairs.len() >= 4 && 2 * nuls > pairs.len() => Some(UTF_16LE),
        (nuls, 0) if pairs.len() >= 4 && 2 * nuls > pairs.len() => Some(UTF_16BE),
        _ => None,
    }
}

/// Bytes of an encoding, read as UTF-8.
pub(super) struct Utf8Reader {
    bytes: BoxedRead,
    decoder: Decoder,
    raw: Vec<u8>,
    /// What was decoded, and how much of it was given.
    text: Vec<u8>,
    given: usize,
    has_ended: bool,
}

impl Utf8Reader {
    /// Reads bytes of an encoding, which may begin with its byte-order mark.
    pub(super) fn new(bytes: BoxedRead, encoding: &'static Encoding) -> Self {
        Self {
            bytes,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: vec![0; DECODED],
            text: vec![],
            given: 0,
            has_ended: false,
        }
    }

    fn decode_next(&mut self) -> std::io::Result<()> {
        let read = self.bytes.read(&mut self.raw)?;
        self.has_ended = read == 0;
        self.given = 0;
        let raw = self.raw.get(..read).unwrap_or_default();
        decode_onto(&mut self.decoder, raw, self.has_ended, &mut self.text);
        Ok(())
    }
}

impl Read for Utf8Reader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.given == self.text.len() && !self.has_ended {
            self.decode_next()?;
        }
        let text = self.text.get(self.given..).unwrap_or_default();
        let len = text.len().min(out.len());
        out[..len].copy_from_slice(&text[..len]);
        self.given += len;
        Ok(len)
    }
}

/// Replaces `text` by what `raw` becomes.
fn decode_onto(decoder: &mut Decoder, mut raw: &[u8], last: bool, text: &mut Vec<u8>) {
    text.clear();
    loop {
        let room = decoder
            .max_utf8_buffer_length_without_replacement(raw.len())
            .unwrap_or(DECODED);
        let begin = text.len();
        text.resize(begin + room, 0);
        let into = text.get_mut(begin..).unwrap_or_default();
        let (result, read, written) = decoder.decode_to_utf8_without_replacement(raw, into, last);
        text.truncate(begin + written);
        raw = raw.get(read..).unwrap_or_default();
        match result {
            DecoderResult::InputEmpty => return,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(..) => text.push(UNDECODABLE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of some bytes, a few at a time.
    fn decoded(bytes: &[u8], encoding: &str) -> Vec<u8> {
        let encoding = encoding_named(encoding).unwrap();
        let mut reader = Utf8Reader::new(Box::new(std::io::Cursor::new(bytes.to_vec())), encoding);
        let (mut out, mut part) = (vec![], [0; 3]);
        loop {
            match reader.read(&mut part).unwrap() {
                0 => return out,
                len => out.extend_from_slice(&part[..len]),
            }
        }
    }

    #[test]
    fn text_of_any_encoding_becomes_utf8() {
        assert_eq!(decoded(b"M\xfcsli \x80", "cp1252"), "Müsli €".as_bytes());
        assert_eq!(decoded(b"M\xfcsli", "latin-1"), "Müsli".as_bytes());
        assert_eq!(decoded(b"a\xa4", "Latin-9"), "a€".as_bytes());
        assert_eq!(decoded(b"\xff\xfea\0\xe4\0", "UTF_16LE"), "aä".as_bytes());
        assert_eq!(
            decoded(&[0, b'a', 0xd8, 0x3d, 0xde, 0x00], "utf-16be"),
            "a😀".as_bytes()
        );
        // A surrogate without its other half, and half a character at the end.
        assert_eq!(
            decoded(&[0x3d, 0xd8, b'a', 0, b'b'], "utf-16le"),
            b"\xffa\xff"
        );
        let long = "é".repeat(DECODED);
        let latin: Vec<u8> = vec![0xe9; DECODED];
        assert_eq!(decoded(&latin, "cp1252"), long.as_bytes());
    }

    #[test]
    fn marks_decide_then_the_nul_bytes_then_the_setting() {
        let set = Some(encoding_named("cp1252").unwrap());
        let utf16: Vec<u8> = "id,när\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let swapped: Vec<u8> = utf16
            .chunks(2)
            .flat_map(|pair| [pair[1], pair[0]])
            .collect();
        for (bytes, expected) in [
            (&b"\xff\xfei\0"[..], Some(UTF_16LE)),
            (b"\xfe\xff\0i", Some(UTF_16BE)),
            (b"\xef\xbb\xbfid", None),
            (&utf16, Some(UTF_16LE)),
            (&swapped, Some(UTF_16BE)),
            (b"id,n\xe4r", set),
            (b"", set),
        ] {
            assert_eq!(encoding_of(bytes, set).unwrap(), expected, "{bytes:?}");
        }
        assert_eq!(encoding_of(b"id,n\xe4r\0\0\0", None).unwrap(), None);
        let error = encoding_of("id,när".as_bytes(), set)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("the text is UTF-8, and not windows-1252"),
            "{error}"
        );
        assert!(encoding_of(b"\xff\xfe\0\0i\0\0\0", None).is_err());
    }

    #[test]
    fn an_unknown_name_is_refused_with_some_that_are_known() {
        let error = check_encoding("cp437").unwrap_err().to_string();
        assert!(error.contains("\"cp437\" is not known\nhint: ") && error.contains("cp1252"));
    }
}
