//! What a field looks like, whatever it means: enough to tell a line of data from a header, a title
//! or a total.

/// Seconds since 1970 of 1990-01-01 and of 2040-01-01. Later ones are barcodes.
const EPOCHS: std::ops::Range<u64> = 631_152_000..2_208_988_800;

/// How months begin in English.
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The longest text that a time is.
const LONGEST_TIME: usize = 40;

/// Whether a field looks like a date, with or without a time of day, in whatever form.
pub(super) fn looks_like_time(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    if field.len() < 6 || field.len() > LONGEST_TIME {
        return false;
    }
    let Ok(text) = std::str::from_utf8(field) else {
        return false;
    };
    let is_of_times = |character: char| {
        character.is_alphanumeric() || matches!(character, ' ' | '-' | '/' | '.' | ':' | ',' | '+')
    };
    if !text.chars().all(is_of_times) {
        return false;
    }
    is_numeric_date(text) || is_compact_date(text) || is_epoch(text) || has_month_name(text)
}

/// Whether a field may be the time of a line of data: it looks like a time, or is a number of days,
/// say.
pub(super) fn may_be_time(field: &[u8]) -> bool {
    looks_like_time(field) || is_number(field)
}

/// Whether a field is a number, with a decimal point or comma.
pub(super) fn is_number(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    digits.first().is_some_and(u8::is_ascii_digit)
        && digits
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
}

/// `2024-03-01 …`, `1.3.24`, `03/01/2024 …`: three numbers, or two around the name of a month.
fn is_numeric_date(text: &str) -> bool {
    let Some(separator) = text.chars().find(|character| !character.is_ascii_digit()) else {
        return false;
    };
    if !matches!(separator, '-' | '/' | '.') {
        return false;
    }
    let mut parts = text.splitn(3, separator);
    let (Some(first), Some(second), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let end = rest
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(rest.len());
    let (third, rest) = rest.split_at(end);
    let is_month = is_below(second, 32) || is_month_name(second);
    let is_year_first = first.len() == 4 && is_below(third, 32);
    let is_year_last = is_below(first, 32) && matches!(third.len(), 2 | 4);
    let goes_on = rest.is_empty() || rest.starts_with([' ', 'T', 't', ',', ':']);
    is_month && (is_year_first || is_year_last) && goes_on
}

/// `20240301`, alone or followed by a time of day.
fn is_compact_date(text: &str) -> bool {
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let (Some(year), Some(month), Some(day)) =
        (digits.get(..4), digits.get(4..6), digits.get(6..8))
    else {
        return false;
    };
    let is_date = (1990..2100).contains(&year.parse::<u32>().unwrap_or(0))
        && (1..=12).contains(&month.parse::<u32>().unwrap_or(0))
        && (1..=31).contains(&day.parse::<u32>().unwrap_or(0));
    is_date
        && matches!(digits.len(), 8 | 12 | 14)
        && (rest.is_empty() || rest.starts_with([' ', 'T', 't', '.']))
}

/// Seconds or milliseconds since 1970.
fn is_epoch(text: &str) -> bool {
    let Ok(number) = text.parse::<u64>() else {
        return false;
    };
    match text.len() {
        9 | 10 => EPOCHS.contains(&number),
        12 | 13 => EPOCHS.contains(&(number / 1_000)),
        _ => false,
    }
}

/// `Mar 1 2024 11:14AM`, `Fri, 1 March 2024`.
fn has_month_name(text: &str) -> bool {
    let words = || text.split(|character: char| !character.is_alphanumeric());
    let has_number = words().any(|word| is_below(word, 32));
    let has_year = words().any(|word| word.len() == 4 && is_below(word, 2_100));
    has_number && has_year && words().any(is_month_name)
}

fn is_month_name(word: &str) -> bool {
    let begin = word.get(..3).unwrap_or_default().to_ascii_lowercase();
    word.chars().all(char::is_alphabetic) && MONTHS.contains(&begin.as_str())
}

/// Whether a word is a number of at most four digits below a limit.
fn is_below(word: &str, limit: u32) -> bool {
    word.len() <= 4
        && word.bytes().all(|byte| byte.is_ascii_digit())
        && word.parse::<u32>().is_ok_and(|number| number < limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_look_like_times_and_ids_and_names_do_not() {
        for time in [
            "2024-03-01",
            "2024-03-01 09:34:00",
            "2024-03-01T09:34:00Z",
            "01.03.2024",
            "1/3/24 9:05",
            "12/1/2010 8:26",
            "01-MAR-2024",
            "Mar 1 2024 11:14AM",
            "20240301",
            "20240301 1114",
            "20240301091400",
            "1709284440",
            "1709284440000",
            "Fri, 1 March 2024",
        ] {
            assert!(looks_like_time(time.as_bytes()), "{time}");
        }
        for other in [
            "17850",
            "timestamp",
            "Summe",
            "1.922,69",
            "192.168.0.12",
            "1.2.3",
            "4006381333931",
            "Sold in March",
            "20249999",
            "",
            "Müller",
            "00000850",
            "2024",
            "9:05",
            "10-20-3000-x",
        ] {
            assert!(!looks_like_time(other.as_bytes()), "{other}");
        }
        assert!(may_be_time(b"45352.39") && may_be_time(b"17") && !may_be_time(b"day"));
    }
}
