//! What single values look like, before it is known what their column means.

use chrono::NaiveDate;

use crate::ingest::ids::is_null;
use crate::ingest::quantity::Quantity;
use crate::ingest::time::MONTHS;

/// What a text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ValueShape {
    /// Nothing, or a word for it.
    Null,
    /// A date that can be read in one way, perhaps with a time of day.
    Date(DateForm),
    /// A time of day alone.
    TimeOfDay,
    /// A whole number.
    Whole,
    /// A number with decimals.
    Decimal,
    /// Several values with commas or the like between them.
    List,
    /// Anything else.
    Text,
}

/// In which form a date is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DateForm {
    /// `2024-03-01`, or with `/` or `.`.
    YearFirst,
    /// `13/03/2024`: can only be day first.
    DayFirst,
    /// `03/13/2024`: can only be month first.
    MonthFirst,
    /// `03/04/2024`: could be either.
    DayOrMonthFirst,
    /// `01-MAR-2024`, `Mar 1 2024`.
    MonthName,
}

/// What a date is followed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimePart {
    /// Nothing: it is a date.
    Missing,
    /// A time of day, at midnight.
    Midnight,
    /// Another time of day, and its hour.
    Hour(u8),
}

/// What a text looks like.
pub(super) fn shape_of(text: &str) -> ValueShape {
    let text = text.trim();
    // pandas writes a time that is missing as NaT.
    if is_null(text) || text.eq_ignore_ascii_case("nat") {
        return ValueShape::Null;
    }
    if let Some((form, _)) = date_of(text) {
        return ValueShape::Date(form);
    }
    if is_time_of_day(text) {
        return ValueShape::TimeOfDay;
    }
    if text.parse::<i64>().is_ok() {
        return ValueShape::Whole;
    }
    if number_of(text).is_some() {
        return ValueShape::Decimal;
    }
    if is_list(text) {
        return ValueShape::List;
    }
    ValueShape::Text
}

/// A number as people write it: `1.5`, `1,5`, `1.234,50`, `3-`, `12 €`.
pub(super) fn number_of(text: &str) -> Option<f64> {
    let mut text: String = text
        .chars()
        .filter(|character| !character.is_whitespace() && !matches!(character, '€' | '$' | '£'))
        .collect();
    if let Some(positive) = text.strip_suffix('-') {
        text = format!("-{positive}");
    }
    let is_numeric = text
        .chars()
        .all(|character| matches!(character, '0'..='9' | '.' | ',' | '-' | '+' | 'e' | 'E'));
    if !is_numeric || text.starts_with(['e', 'E']) {
        return None;
    }
    let decimal = match (text.rfind('.'), text.rfind(',')) {
        (Some(point), Some(comma)) if comma > point => text.replace('.', "").replace(',', "."),
        (Some(_), Some(_)) => text.replace(',', ""),
        (None, Some(_)) if text.matches(',').count() == 1 => text.replace(',', "."),
        _ => text,
    };
    decimal.parse().ok()
}

/// A quantity: a number, also with a unit, as it will be read: `2 kg`, `-1 Stk`.
pub(super) fn quantity_of(text: &str) -> Option<f64> {
    number_of(text).or_else(|| match Quantity::of(text.as_bytes(), true) {
        Quantity::Number(number) => Some(number),
        Quantity::Absent | Quantity::Null | Quantity::NotANumber => None,
    })
}

/// The form of a date at the start of a text, and what follows it; `None` if there is no date.
/// Numbers without separators are none: any id may look like that.
pub(super) fn date_of(text: &str) -> Option<(DateForm, TimePart)> {
    let text = text.trim();
    let (form, rest) = numeric_date(text).or_else(|| month_name_date(text))?;
    let rest = rest.trim_start_matches([' ', 'T', 't', ',']);
    if rest.is_empty() {
        return Some((form, TimePart::Missing));
    }
    time_part(rest).map(|part| (form, part))
}

fn numeric_date(text: &str) -> Option<(DateForm, &str)> {
    let (first, rest) = digits(text)?;
    let separator = rest.chars().next()?;
    if !matches!(separator, '-' | '/' | '.') {
        return None;
    }
    let (second, rest) = digits(rest.get(1..)?)?;
    let (third, rest) = digits(rest.strip_prefix(separator)?)?;
    let a: u32 = first.parse().ok()?;
    let b: u32 = second.parse().ok()?;
    let c: u32 = third.parse().ok()?;
    if first.len() == 4 {
        let is_date = second.len() <= 2 && third.len() <= 2 && is_day(a, b, c);
        return is_date.then_some((DateForm::YearFirst, rest));
    }
    if first.len() > 2 || second.len() > 2 || !matches!(third.len(), 2 | 4) {
        return None;
    }
    let year = if third.len() == 2 { 2000 + c } else { c };
    let form = match (is_day(year, b, a), is_day(year, a, b)) {
        (true, true) => DateForm::DayOrMonthFirst,
        (true, false) => DateForm::DayFirst,
        (false, true) => DateForm::MonthFirst,
        (false, false) => return None,
    };
    Some((form, rest))
}

/// `1-Mar-2024`, `01MAR2024`, `Mar 1 2024`, `March 1, 2024`.
fn month_name_date(text: &str) -> Option<(DateForm, &str)> {
    let (day, name, rest) = match digits(text) {
        Some((day, rest)) => {
            let (name, rest) = word(after_gap(rest))?;
            (day, name, rest)
        }
        None => {
            let (name, rest) = word(text)?;
            let (day, rest) = digits(after_gap(rest))?;
            (day, name, rest)
        }
    };
    let (year, rest) = digits(after_gap(rest))?;
    let is_date = is_month_name(name) && day.len() <= 2 && matches!(year.len(), 2 | 4);
    is_date.then_some((DateForm::MonthName, rest))
}

fn after_gap(text: &str) -> &str {
    text.trim_start_matches([' ', '-', '/', '.', ','])
}

fn word(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|letter: char| !letter.is_alphabetic())
        .unwrap_or(text.len());
    text.split_at_checked(end)
}

fn is_month_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.len() >= 3 && MONTHS.iter().any(|month| month.starts_with(&name))
}

fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    if end == 0 {
        None
    } else {
        text.split_at_checked(end)
    }
}

fn is_day(year: u32, month: u32, day: u32) -> bool {
    i32::try_from(year)
        .ok()
        .filter(|year| (1990..2100).contains(year))
        .and_then(|year| NaiveDate::from_ymd_opt(year, month, day))
        .is_some()
}

/// A time of day at the start of a text, whatever zone follows.
fn time_part(text: &str) -> Option<TimePart> {
    let (hour, rest) = digits(text)?;
    let (hour, minute, second, rest) = if hour.len() == 4 || hour.len() == 6 {
        (hour.get(..2)?, hour.get(2..4)?, hour.get(4..)?, rest)
    } else {
        let (minute, rest) = digits(rest.strip_prefix([':', '.', 'h', 'H'])?)?;
        match rest.strip_prefix([':', '.']).and_then(digits) {
            Some((second, rest)) => (hour, minute, second, rest),
            None => (hour, minute, "", rest),
        }
    };
    let hour: u8 = hour.parse().ok().filter(|hour| *hour < 25)?;
    let minute: u8 = minute.parse().ok().filter(|minute| *minute < 60)?;
    let second: u8 = match second {
        "" => 0,
        digits => digits.parse().ok()?,
    };
    let is_afternoon = rest.trim_start().to_ascii_lowercase().starts_with('p');
    let hour = match (is_afternoon, hour) {
        (true, 1..=11) => hour + 12,
        _ => hour,
    };
    Some(match (hour, minute, second) {
        (0, 0, 0) => TimePart::Midnight,
        _ => TimePart::Hour(hour),
    })
}

/// `8:26`, `08:26:00`, `8.26`? no: with a point it is a number.
fn is_time_of_day(text: &str) -> bool {
    text.contains(':') && time_part(text).is_some() && text.len() <= 16
}

/// Whether a text has two or more parts with the same separator, none of them with a blank in its
/// middle, or stands in brackets.
pub(super) fn is_list(text: &str) -> bool {
    if text.starts_with('[') && text.ends_with(']') || text.starts_with('{') && text.ends_with('}')
    {
        return true;
    }
    [',', ';', '|'].iter().any(|separator| {
        let parts: Vec<&str> = text.split(*separator).map(str::trim).collect();
        parts.len() >= 2
            && parts
                .iter()
                .all(|part| !part.is_empty() && !part.contains(char::is_whitespace))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_say_how_they_can_be_read() {
        use DateForm as F;
        for (text, form, part) in [
            ("2024-03-01", F::YearFirst, TimePart::Missing),
            ("2024/3/1 9:52", F::YearFirst, TimePart::Hour(9)),
            ("2024-03-01T00:00:00.000Z", F::YearFirst, TimePart::Midnight),
            ("13.03.2024", F::DayFirst, TimePart::Missing),
            ("03/13/2024 11:14 PM", F::MonthFirst, TimePart::Hour(23)),
            ("12/1/2010 8:26", F::DayOrMonthFirst, TimePart::Hour(8)),
            ("01-MAR-2024", F::MonthName, TimePart::Missing),
            ("Mar 1 2024 11:14AM", F::MonthName, TimePart::Hour(11)),
            ("March 1, 2024", F::MonthName, TimePart::Missing),
        ] {
            assert_eq!(date_of(text), Some((form, part)), "{text}");
        }
        for text in [
            "20240301",
            "2024-13-01",
            "31/31/2024",
            "1.5",
            "7-2",
            "Maria 1 2024",
            "12:30",
            "17850",
        ] {
            assert_eq!(date_of(text), None, "{text}");
        }
    }

    #[test]
    fn values_look_like_what_they_are() {
        use ValueShape as S;
        for (text, shape) in [
            ("", S::Null),
            ("#N/A", S::Null),
            ("17850", S::Whole),
            ("17850.0", S::Decimal),
            ("0,350", S::Decimal),
            ("1.234,50 €", S::Decimal),
            ("3-", S::Decimal),
            ("8:26", S::TimeOfDay),
            ("08:26:13", S::TimeOfDay),
            ("12,45,67", S::List),
            ("[12 45]", S::List),
            ("milk;bread;eggs", S::List),
            ("PUDDING SPOON, BOX", S::Text),
            ("85123A", S::Text),
        ] {
            assert_eq!(shape_of(text), shape, "{text}");
        }
        assert_eq!(number_of("1.234,50 €"), Some(1_234.5));
        assert_eq!(number_of("3-"), Some(-3.0));
        assert_eq!(number_of("1,234.5"), Some(1_234.5));
        assert_eq!(number_of("A3"), None);
    }

    #[test]
    fn a_quantity_may_have_a_unit() {
        for (text, quantity) in [
            ("1 Stk", Some(1.0)),
            ("-1 Stk", Some(-1.0)),
            ("0,350 kg", Some(0.35)),
            ("3-", Some(-3.0)),
            ("3 void", None),
        ] {
            assert_eq!(quantity_of(text), quantity, "{text}");
        }
    }
}
