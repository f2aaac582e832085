//! Quantities as files write them.
//!
//! Each text is read by itself, and the same text always gives the same number, so that a sale and
//! the line that takes it back cancel out. `1,234` may be 1.234 or 1234: it is a decimal comma
//! where fields are separated by something else than commas, and else groups of thousands. What can
//! be read in no way, or in no sure way, is no number.

use super::ids::is_null;
use super::rejects::RejectReason;
use crate::purchases::{Millionths, PIECE};

/// A quantity as a file has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantity {
    /// There is no such column: every line is a sale.
    Absent,
    /// None.
    Null,
    /// A number, or NaN.
    Number(f64),
    /// Text that is no number.
    NotANumber,
}

/// The largest quantity that is told from larger ones, in millionths.
const LARGEST: f64 = (1_i64 << 60) as f64;

/// Units that may follow a number, in lower case. A word that is not here may mean anything: `3 void`.
const UNITS: [&str; 47] = [
    "bt", "btl", "box", "bund", "cl", "cm", "cs", "ct", "dl", "ea", "each", "fl", "g", "gr", "kg",
    "kgs", "kpl", "krt", "l", "lb", "lbs", "lt", "ltr", "m", "ml", "oz", "pack", "pc", "pce",
    "pces", "pcs", "pk", "pkg", "pz", "pza", "pzas", "piece", "pieces", "st", "stck", "stk",
    "stück", "szt", "ud", "uds", "un", "und",
];

impl Quantity {
    /// Reads text; where fields are not separated by commas, there may be a decimal comma.
    #[inline]
    pub(super) fn of(text: &[u8], decimal_comma: bool) -> Self {
        let text = text.trim_ascii();
        // Nearly all quantities are one digit.
        if let [digit @ b'0'..=b'9'] = text {
            return Quantity::Number(f64::from(digit - b'0'));
        }
        let Ok(text) = std::str::from_utf8(text) else {
            return Quantity::NotANumber;
        };
        if is_null(text) {
            return Quantity::Null;
        }
        let number = text.parse().ok();
        number
            .or_else(|| number_of(text.trim(), decimal_comma))
            .map_or(Quantity::NotANumber, Quantity::Number)
    }

    /// The same as taken back: where the sign does not tell, another column does. A number that is
    /// negative already is not taken back twice.
    #[must_use]
    pub(super) fn taken_back_if(self, takes_back: bool) -> Self {
        match self {
            Quantity::Number(number) if takes_back => Quantity::Number(-number.abs()),
            Quantity::Absent if takes_back => Quantity::Number(-1.0),
            other => other,
        }
    }

    /// The quantity as an integer: above 0 for a sale, below 0 for what is taken back, 0 only for 0.
    ///
    /// # Errors
    /// If it tells nothing.
    #[inline(always)]
    pub(super) fn millionths(self) -> Result<Millionths, RejectReason> {
        match self {
            Quantity::Absent => Ok(PIECE),
            Quantity::Number(1.0) => Ok(PIECE),
            Quantity::Number(number) if number.is_finite() => Ok(millionths(number)),
            Quantity::Number(_) | Quantity::NotANumber => Err(RejectReason::QuantityNotANumber),
            Quantity::Null => Err(RejectReason::NullQuantity),
        }
    }
}

/// A finite number in millionths. What is too small or too large keeps its sign.
#[inline]
fn millionths(number: f64) -> Millionths {
    // Most are whole, and need no rounding.
    let whole = number as Millionths;
    if whole as f64 == number && whole.unsigned_abs() < 1 << 40 {
        return whole * PIECE;
    }
    let rounded = (number * PIECE as f64).round().clamp(-LARGEST, LARGEST) as Millionths;
    match rounded {
        0 if number > 0.0 => 1,
        0 if number < 0.0 => -1,
        rounded => rounded,
    }
}

/// Reads a number as people and tills write it: with a sign on either side or in parentheses, with
/// groups of thousands, and with a unit.
fn number_of(text: &str, decimal_comma: bool) -> Option<f64> {
    let (text, is_in_parentheses) = match text.strip_prefix('(') {
        Some(rest) => (rest.strip_suffix(')')?.trim(), true),
        None => (text, false),
    };
    let (text, sign_before) = without_sign_before(text);
    let (text, sign_behind) = without_sign_behind(text);
    let text = without_unit(text);
    let (text, sign_amid) = without_sign_behind(text);
    let mut signs = [sign_before, sign_behind, sign_amid].into_iter().flatten();
    let is_negative = signs.next();
    if signs.next().is_some() || (is_in_parentheses && is_negative.is_some()) {
        return None;
    }
    let number = unsigned_number_of(text, decimal_comma)?;
    Some(if is_in_parentheses || is_negative == Some(true) {
        -number
    } else {
        number
    })
}

/// Whether a character is a minus or a plus sign: hyphens, dashes and the signs themselves.
fn sign_of(character: char) -> Option<bool> {
    match character {
        '-' | '\u{2010}' | '\u{2011}' | '\u{2012}' | '\u{2013}' | '\u{2212}' | '\u{fe63}'
        | '\u{ff0d}' => Some(true),
        '+' | '\u{ff0b}' => Some(false),
        _ => None,
    }
}

/// The text without its first sign, and whether that is a minus.
fn without_sign_before(text: &str) -> (&str, Option<bool>) {
    let mut characters = text.chars();
    match characters.next().and_then(sign_of) {
        Some(is_minus) => (characters.as_str().trim_start(), Some(is_minus)),
        None => (text, None),
    }
}

/// The text without its last sign, and whether that is a minus.
fn without_sign_behind(text: &str) -> (&str, Option<bool>) {
    let mut characters = text.chars();
    match characters.next_back().and_then(sign_of) {
        Some(is_minus) => (characters.as_str().trim_end(), Some(is_minus)),
        None => (text, None),
    }
}

/// The text without a unit at its end, if that is a known one.
fn without_unit(text: &str) -> &str {
    let without_dot = text.strip_suffix('.').unwrap_or(text);
    let number = without_dot.trim_end_matches(char::is_alphabetic);
    let unit = without_dot.get(number.len()..).unwrap_or_default();
    if !unit.is_empty() && UNITS.contains(&unit.to_lowercase().as_str()) {
        number.trim_end()
    } else {
        text
    }
}

/// Reads digits with a decimal mark and groups of thousands.
fn unsigned_number_of(text: &str, decimal_comma: bool) -> Option<f64> {
    // Also an exponent behind a decimal comma.
    if decimal_comma
        && text.starts_with(is_digit_or_mark)
        && let Ok(number) = text.replacen(',', ".", 1).parse()
    {
        return Some(number);
    }
    let (whole, fraction) = match decimal_mark(text, decimal_comma) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, ""),
    };
    if !is_digits(fraction) || !(is_digits(whole) || is_in_groups(whole)) {
        return None;
    }
    let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() && fraction.is_empty() {
        return None;
    }
    format!("{digits}.{fraction}").parse().ok()
}

fn is_digit_or_mark(character: char) -> bool {
    matches!(character, '0'..='9' | ',' | '.')
}

/// Where the decimal mark stands, if there is one.
fn decimal_mark(text: &str, decimal_comma: bool) -> Option<usize> {
    let mut points = text.match_indices('.').map(|(at, _)| at);
    let mut commas = text.match_indices(',').map(|(at, _)| at);
    match (points.next(), points.next(), commas.next(), commas.next()) {
        (Some(at), None, None, _) => Some(at),
        (None, _, Some(at), None) => (decimal_comma || !is_in_groups(text)).then_some(at),
        // The mark of groups may come often, but only before the decimal mark.
        (Some(point), None, Some(_), _) if text.rfind(',') < Some(point) => Some(point),
        (Some(_), _, Some(comma), None) if text.rfind('.') < Some(comma) => Some(comma),
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether digits stand in groups of three, or in India's groups of two before one of three, all with
/// the same character between them.
fn is_in_groups(text: &str) -> bool {
    let Some(between) = text.chars().find(|character| !character.is_ascii_digit()) else {
        return false;
    };
    let is_between = |character: char| {
        if between.is_whitespace() {
            character.is_whitespace()
        } else {
            character == between
        }
    };
    if !between.is_whitespace() && !matches!(between, '.' | ',' | '\'' | '\u{2019}') {
        return false;
    }
    let groups: Vec<&str> = text.split(is_between).collect();
    let [first, inner @ .., last] = groups.as_slice() else {
        return false;
    };
    let are_all = |len: usize| inner.iter().all(|group| group.len() == len);
    groups.iter().all(|group| is_digits(group))
        && (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && last.len() == 3
        && (are_all(3) || (are_all(2) && first.len() <= 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<f64> {
        read_with(text, false)
    }

    fn read_with(text: &str, decimal_comma: bool) -> Option<f64> {
        match Quantity::of(text.as_bytes(), decimal_comma) {
            Quantity::Number(number) => Some(number),
            _ => None,
        }
    }

    #[test]
    fn signs_stand_before_behind_and_around() {
        for text in [
            "-3",
            "3-",
            "(3)",
            "( 3 )",
            "- 3",
            "3 -",
            "\u{2212}3",
            "\u{2013}3",
            "3\u{2212}",
            "(3.0)",
            "-3 Stk",
            "3- Stk",
            "3 Stk-",
            "-3,00",
        ] {
            assert_eq!(read(text), Some(-3.0), "{text}");
        }
        for text in [
            "3",
            "+3",
            "3+",
            " 3 ",
            "\u{a0}3\u{a0}",
            "+ 3",
            "3,0",
            "03",
            "3.",
        ] {
            assert_eq!(read(text), Some(3.0), "{text}");
        }
        for text in [
            "-3-", "(-3)", "(3-)", "+-3", "--3", "(3", "3)", "()", "+", "(+3)", "- -3", "3-4",
            "3-+",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn thousands_and_decimals_are_told_apart_where_they_can_be() {
        for (text, number) in [
            ("1.234,5", 1_234.5),
            ("1,234.5", 1_234.5),
            ("1 234", 1_234.0),
            ("1\u{a0}234\u{202f}567,25", 1_234_567.25),
            ("1'234", 1_234.0),
            ("1\u{2019}234.5", 1_234.5),
            ("12,34,567", 1_234_567.0),
            ("1.234.567", 1_234_567.0),
            ("1,234,567", 1_234_567.0),
            ("0,350", 0.35),
            ("0,000", 0.0),
            ("12,5", 12.5),
            ("1.234", 1.234),
            ("1234,567", 1_234.567),
            ("-1.234,5", -1_234.5),
            ("1.234,5-", -1_234.5),
            (".5", 0.5),
            (",5", 0.5),
            ("1e3", 1_000.0),
        ] {
            assert_eq!(read(text), Some(number), "{text}");
            assert_eq!(read_with(text, true), Some(number), "{text}");
        }
        assert_eq!(read("1,234"), Some(1_234.0));
        assert_eq!(read_with("1,234", true), Some(1.234));
        assert_eq!(read_with("1,5e2", true), Some(150.0));
        for text in [
            "1,5,0",
            "1.5.0",
            "1 23",
            "12 34",
            "1,234,5",
            "1.234.5",
            "1,234.567,8",
            "1234 567",
            "1 234'567",
            "1  234",
            "0 350",
            "1,",
            "1:30",
            "1/2",
            ",",
            ".",
            "1..5",
            "1_000",
        ] {
            let expected = (text == "1,").then_some(1.0);
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_known_unit_is_left_out_and_another_word_is_no_number() {
        for (text, number) in [
            ("3 Stk", 3.0),
            ("3 Stk.", 3.0),
            ("0,350 kg", 0.35),
            ("0.350KG", 0.35),
            ("2 Stück", 2.0),
            ("1 234 g", 1_234.0),
            ("-1.5 l", -1.5),
        ] {
            assert_eq!(read(text), Some(number), "{text}");
        }
        for text in [
            "3 void",
            "3 returned",
            "3 x 6",
            "2 for 1",
            "3 doz",
            "3D",
            "0x10",
            "kg",
            "3 kg 2",
            "inf kg",
            "-",
            "two",
            "12\"",
            "3 %",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn millionths_keep_the_sign_and_sum_to_nothing() {
        let of = |number| Quantity::Number(number).millionths();
        assert_eq!(of(0.1).unwrap() + of(0.2).unwrap() + of(-0.3).unwrap(), 0);
        assert_eq!(
            (of(1.0), of(-1.0), of(0.35)),
            (Ok(PIECE), Ok(-PIECE), Ok(350_000))
        );
        assert_eq!((of(1e-9), of(-1e-9)), (Ok(1), Ok(-1)));
        assert_eq!((of(0.0), of(-0.0)), (Ok(0), Ok(0)));
        let large = (1_i64 << 40) as f64;
        assert_eq!(of(large - 1.0), Ok(((1 << 40) - 1) * PIECE));
        assert_eq!(of(-large), Ok(-(1 << 40) * PIECE));
        assert!(of(large + 2.0) > of(large) && of(large) > of(large - 1.0));
        assert_eq!(of(1e300).unwrap() + of(-1e300).unwrap(), 0);
        assert!(of(1e300).unwrap() > 0);
        assert_eq!(Quantity::Absent.millionths(), Ok(PIECE));
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(of(number), Err(RejectReason::QuantityNotANumber));
        }
    }

    #[test]
    fn what_is_marked_is_taken_back_once() {
        let taken = |quantity: Quantity| quantity.taken_back_if(true).millionths();
        assert_eq!(taken(Quantity::Number(3.0)), Ok(-3 * PIECE));
        assert_eq!(taken(Quantity::Number(-3.0)), Ok(-3 * PIECE));
        assert_eq!(taken(Quantity::Absent), Ok(-PIECE));
        assert_eq!(taken(Quantity::Null), Err(RejectReason::NullQuantity));
        assert_eq!(Quantity::Absent.taken_back_if(false), Quantity::Absent);
    }

    proptest! {
        #[test]
        fn a_number_is_read_however_it_is_written(number in -9_999_999_i64..9_999_999, cents in 0_u32..1000) {
            let plain = format!("{}.{cents:03}", number.unsigned_abs());
            let expected: f64 = plain.parse().unwrap();
            let sign = if number < 0 { -1.0 } else { 1.0 };
            let digits = number.unsigned_abs().to_string();
            let grouped = |between: &str| {
                let mut out = String::new();
                for (at, digit) in digits.chars().enumerate() {
                    if at > 0 && (digits.len() - at) % 3 == 0 {
                        out.push_str(between);
                    }
                    out.push(digit);
                }
                out
            };
            let minus = if number < 0 { "-" } else { "" };
            for text in [
                format!("{minus}{plain}"),
                format!("{plain}{minus}"),
                format!("{minus}{},{cents:03} kg", grouped(" ")),
                format!("{minus}{}.{cents:03}", grouped("'")),
            ] {
                // Without groups a comma before three digits is a mark of groups.
                let is_sure = number.unsigned_abs() >= 1_000 || number == 0 || !text.contains(',');
                if is_sure {
                    prop_assert_eq!(read(&text), Some(sign * expected), "{}", text);
                }
                prop_assert_eq!(read_with(&text, true), Some(sign * expected), "{}", text);
            }
        }

        #[test]
        fn any_text_is_read_or_not(text in "[-+() 0-9.,'a-z\u{a0}\u{2212}é]{0,12}", decimal_comma in any::<bool>()) {
            _ = Quantity::of(text.as_bytes(), decimal_comma).millionths();
        }
    }
}
