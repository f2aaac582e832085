//! Ids as files write them.

use super::rejects::RejectedValue;

/// An id as a file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum RawId<'a> {
    /// None.
    Null,
    /// From an integer column.
    Integer(i64),
    /// From a float column, which pandas makes of integers with nulls.
    Float(f64),
    /// From a column of 32-bit floats.
    Float32(f32),
    /// From a file without types: an integer if it is written as one.
    Untyped(&'a str),
    /// From a text column.
    Text(&'a str),
    /// From a column of true and false: no id, but an answer.
    Boolean(bool),
    /// Bytes that are no UTF-8.
    NotText,
}

/// An id to look up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdKey<'a> {
    /// An integer, or text that is written as one.
    Integer(i64),
    /// Text that is an integer and `.0`, as pandas writes an integer column with missing values:
    /// that integer, unless other ids are text.
    WholeFloat(i64),
    /// Any other text.
    Text(&'a str),
}

/// What is wrong with an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdFault {
    Null,
    Fractional,
    /// A number that 32 bits do not tell from its neighbours.
    Rounded,
    /// A number in scientific notation, as a spreadsheet writes long ids: digits are lost.
    Scientific,
    /// A text with a control character, which could steer a terminal on which the id is shown.
    Control,
    NotText,
}

impl<'a> RawId<'a> {
    /// The key to look up.
    #[inline]
    pub(super) fn key(self) -> Result<IdKey<'a>, IdFault> {
        match self {
            RawId::Integer(id) => Ok(IdKey::Integer(id)),
            RawId::Untyped(text) | RawId::Text(text) => match IdKey::of(text.trim()) {
                IdKey::Text(text) if is_null(text) => Err(IdFault::Null),
                IdKey::Text(text) if is_scientific(text) => Err(IdFault::Scientific),
                key => Ok(key),
            },
            // Beyond 2⁵³ a float no longer tells neighbouring integers apart.
            RawId::Float(id) if id.is_nan() => Err(IdFault::Null),
            RawId::Float(id) if id.fract() == 0.0 && id.abs() <= 9_007_199_254_740_992.0 => {
                Ok(IdKey::Integer(id as i64))
            }
            RawId::Float(_) => Err(IdFault::Fractional),
            RawId::Float32(id) if id.is_nan() => Err(IdFault::Null),
            RawId::Float32(id) if id.fract() != 0.0 => Err(IdFault::Fractional),
            // From 2²⁴ on it may have been another integer.
            RawId::Float32(id) if id.abs() >= 16_777_216.0 => Err(IdFault::Rounded),
            RawId::Float32(id) => Ok(IdKey::Integer(id as i64)),
            RawId::Null => Err(IdFault::Null),
            RawId::Boolean(_) | RawId::NotText => Err(IdFault::NotText),
        }
    }

    /// The key of the id of a customer or product, which may have no control characters.
    #[inline]
    pub(super) fn key_of_id(self) -> Result<IdKey<'a>, IdFault> {
        match self.key() {
            Ok(IdKey::Text(text)) if has_controls(text.as_bytes()) => Err(IdFault::Control),
            key => key,
        }
    }

    /// Whether the id came from a text column, which makes all ids text.
    #[inline]
    pub(super) fn is_text(self) -> bool {
        matches!(self, RawId::Text(_))
    }

    /// The id as a message shows it.
    pub(super) fn rejected(self) -> RejectedValue {
        match self {
            RawId::Null => RejectedValue::null(),
            RawId::Integer(id) => RejectedValue::Literal(id.to_string()),
            RawId::Float(id) => RejectedValue::Literal(id.to_string()),
            RawId::Float32(id) => RejectedValue::Literal(id.to_string()),
            RawId::Untyped(id) | RawId::Text(id) => RejectedValue::text(id),
            RawId::Boolean(value) => RejectedValue::Literal(value.to_string()),
            RawId::NotText => RejectedValue::Literal("bytes".to_owned()),
        }
    }
}

impl<'a> IdKey<'a> {
    /// Text that `i64` prints the same way is an integer.
    #[inline]
    pub(super) fn of(text: &'a str) -> Self {
        if let Some(id) = canonical_integer(text.as_bytes()) {
            return IdKey::Integer(id);
        }
        text.strip_suffix(".0")
            .and_then(|whole| canonical_integer(whole.as_bytes()))
            .map_or(IdKey::Text(text), IdKey::WholeFloat)
    }
}

/// Whether a text has control characters of ASCII, NUL among them. There is no early end, so that
/// many bytes are compared at a time.
#[inline]
fn has_controls(text: &[u8]) -> bool {
    text.iter()
        .fold(false, |has, byte| has | (*byte < b' ') | (*byte == 0x7f))
}

/// Whether text is a number like `8.41003E+12`.
pub(super) fn is_scientific(text: &str) -> bool {
    // Most ids that are no integers begin with a letter.
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '.' | ',' | '-')) {
        return false;
    }
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return false;
    };
    let is_signed = exponent.starts_with(['+', '-']);
    let exponent = exponent.trim_start_matches(['+', '-']);
    // `12E4` may be an article's number: a spreadsheet writes a fraction or a sign.
    (is_signed || mantissa.contains(['.', ',']))
        && !exponent.is_empty()
        && exponent.len() <= 3
        && exponent.bytes().all(|byte| byte.is_ascii_digit())
        && mantissa
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'-'))
        && mantissa.bytes().any(|byte| byte.is_ascii_digit())
}

/// The integer, if it is written as `i64` prints it: no plus sign, no leading zero, no `-0`.
#[inline]
fn canonical_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value = 0_i64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Downwards for negatives, so that i64::MIN is reached.
        let digit = if negative {
            -i64::from(digit)
        } else {
            i64::from(digit)
        };
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(value)
}

/// Whether a field is the way a program writes "nothing": the words that pandas takes for it, and
/// those of databases and tills.
#[inline]
pub(super) fn is_null(text: &str) -> bool {
    // No word is longer; most fields are.
    let trimmed = text.trim_ascii();
    let may_be = match trimmed.as_bytes() {
        [] => return true,
        [first, ..] => matches!(
            first,
            b'-' | b'\\' | b'<' | b'#' | b'(' | b'n' | b'N' | b'1'
        ),
    };
    may_be && trimmed.len() <= 8 && is_null_word(trimmed)
}

fn is_null_word(word: &str) -> bool {
    matches!(
        word,
        "" | "-" | "--" | "\\N" | "<NA>" | "#N/A" | "#NA" | "(null)" | "(NULL)"
    ) || is_spreadsheet_error(word)
        || [
            "null", "na", "n/a", "nan", "-nan", "none", "nil", "<null>", "1.#IND", "1.#QNAN",
            "-1.#IND",
        ]
        .iter()
        .any(|null| null.eq_ignore_ascii_case(word))
}

/// Whether a word is what a spreadsheet shows where a formula has failed.
fn is_spreadsheet_error(word: &str) -> bool {
    matches!(
        word,
        "#REF!" | "#VALUE!" | "#DIV/0!" | "#NAME?" | "#NUM!" | "#NULL!"
    )
}

/// Whether a text is digits, one or more.
pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_32_bits_cannot_tell_apart_is_no_id() {
        assert_eq!(RawId::Float32(7.0).key(), Ok(IdKey::Integer(7)));
        assert_eq!(
            RawId::Float32(-16_777_215.0).key(),
            Ok(IdKey::Integer(-16_777_215))
        );
        for (id, fault) in [
            (16_777_216.0, IdFault::Rounded),
            (8e9, IdFault::Rounded),
            (7.5, IdFault::Fractional),
            (f32::NAN, IdFault::Null),
        ] {
            assert_eq!(RawId::Float32(id).key(), Err(fault), "{id}");
        }
    }

    #[test]
    fn an_id_has_no_control_characters() {
        for text in ["a\0", "a\u{1b}[2Jb", "7\t8", "x\u{7f}"] {
            assert_eq!(RawId::Text(text).key_of_id(), Err(IdFault::Control));
            assert_eq!(RawId::Untyped(text).key_of_id(), Err(IdFault::Control));
            assert_eq!(RawId::Text(text).key(), Ok(IdKey::Text(text)), "a name");
        }
        for text in ["Müsli 7", " a\r", "a b"] {
            assert_eq!(
                RawId::Text(text).key_of_id(),
                Ok(IdKey::Text(text.trim())),
                "{text}"
            );
        }
    }

    #[test]
    fn a_long_number_with_an_exponent_was_rounded() {
        for text in ["4,00638E+12", "9.28000E+12", "4.0E12", "4E+12"] {
            assert!(is_scientific(text), "{text}");
        }
        for text in ["12E5", "4,5", "E+12", "85123E", "a.bE+1"] {
            assert!(!is_scientific(text), "{text}");
        }
    }

    #[test]
    fn what_a_failed_formula_shows_is_no_id() {
        for word in ["#REF!", "#VALUE!", " #DIV/0! ", "#NAME?", "#NUM!", "#NULL!"] {
            assert!(is_null(word), "{word}");
        }
        assert!(!is_null("#REF") && !is_null("#17"));
    }

    proptest! {
        #[test]
        fn an_integer_is_what_prints_the_same(text in "[-+0-9. ]{0,21}|-?[1-9][0-9]{17,19}") {
            let oracle = text.parse::<i64>().ok().filter(|id| id.to_string() == text);
            prop_assert_eq!(canonical_integer(text.as_bytes()), oracle);
        }

        #[test]
        fn every_integer_is_read(id in any::<i64>()) {
            prop_assert_eq!(canonical_integer(id.to_string().as_bytes()), Some(id));
        }
    }
}
