//! What to do about times that cannot be read, by the first of them.

use super::ParsedTime;
use super::format::TimeFormat;
use super::numbers::TimeNumber;
use super::order::DateOrder;
use crate::calendar::Day;
use crate::ingest::rejects::{RejectReason, RejectedLine, RejectedValue, Rejects};

/// Days that sales are likely to be of: what a number would be outside of them is not proposed.
/// 1995-01-01 to 2039-12-31.
const LIKELY: std::ops::RangeInclusive<i32> = 9_131..=25_566;

/// The largest number that is taken for a day's, as `--day-zero` counts them.
const MAX_DAY_NUMBER: i64 = 9_999;

/// What to do about bad lines whose time is at fault; `None` if the reason's own hint says it.
pub(in crate::ingest) fn of_time(rejects: &Rejects) -> Option<String> {
    let first = rejects.first.first()?;
    match rejects.reason {
        RejectReason::NumberTime => Some(of_number(first)),
        RejectReason::UnreadableTime => of_unreadable(first),
        _ => None,
    }
}

fn shown(value: &RejectedValue) -> &str {
    match value {
        RejectedValue::Text(text) | RejectedValue::Literal(text) => text.trim(),
    }
}

fn of_number(line: &RejectedLine) -> String {
    let text = shown(&line.value);
    let mut readings: Vec<String> = TimeFormat::of_numbers()
        .filter_map(|(word, form)| {
            Some(format!(
                "{} with --time-format {word}",
                likely(form.time(number(text)?)?)?
            ))
        })
        .collect();
    readings.extend(patterns(text));
    let is_day_number = text
        .parse()
        .is_ok_and(|number: i64| (0..=MAX_DAY_NUMBER).contains(&number));
    if is_day_number {
        readings.push(format!(
            "day {text} with --day-zero DATE, where DATE is the date of day 0"
        ));
    }
    if readings.is_empty() {
        return format!(
            "{text} is no date in any form that is known: if it is a week, a month or an hour, map another column with --time; \
             else give its pattern with --time-format"
        );
    }
    if is_month_or_week(text) {
        readings.push(
            "a month or a week, which is no day: then map another column with --time".to_owned(),
        );
    }
    let from_1904 = if readings.iter().any(|reading| reading.ends_with("excel")) {
        " (a workbook that counts from 1904: --day-zero 1904-01-01)"
    } else {
        ""
    };
    format!("{text} would be {}{from_1904}", readings.join(", or "))
}

/// Whether digits may be a year and a month, or a year and a week.
fn is_month_or_week(text: &str) -> bool {
    let parts = text.split_at_checked(4).filter(|_| text.len() == 6);
    parts.is_some_and(|(year, rest)| {
        let is_year = year
            .parse()
            .is_ok_and(|year| (1990..=2099_u32).contains(&year));
        is_year && rest.parse().is_ok_and(|rest| (1..=53_u32).contains(&rest))
    })
}

fn number(text: &str) -> Option<TimeNumber> {
    let whole = text.parse().map(TimeNumber::Whole);
    whole
        .or_else(|_| {
            text.replacen(',', ".", 1)
                .parse()
                .map(TimeNumber::Fractional)
        })
        .ok()
}

/// A time in words, if it is a likely one.
fn likely(time: ParsedTime) -> Option<String> {
    let (day, microseconds) = match time {
        ParsedTime::Date(day) => (day, None),
        ParsedTime::Naive(time) | ParsedTime::Instant(time) => {
            let day = i32::try_from(time.div_euclid(super::MICROSECONDS_PER_DAY)).ok()?;
            (day, Some(time.rem_euclid(super::MICROSECONDS_PER_DAY)))
        }
        _ => return None,
    };
    if !LIKELY.contains(&day) {
        return None;
    }
    let date = Day::from_epoch(day);
    Some(match microseconds {
        None => date.to_string(),
        Some(time) => {
            let minutes = time / super::MICROSECONDS_PER_SECOND / 60;
            format!("{date} {:02}:{:02}", minutes / 60, minutes % 60)
        }
    })
}

/// Patterns that read digits as a likely date.
fn patterns(text: &str) -> Vec<String> {
    let candidates: &[&str] = match text.len() {
        6 => &["%y%m%d", "%d%m%y"],
        8 => &["%d%m%Y", "%m%d%Y"],
        10 => &["%Y%m%d%H"],
        12 => &["%d%m%Y%H%M", "%y%m%d%H%M%S"],
        14 => &["%d%m%Y%H%M%S"],
        _ => &[],
    };
    let mut found = vec![];
    for pattern in candidates {
        if let Ok(TimeFormat::Pattern(compiled)) = pattern.parse::<TimeFormat>()
            && let Some(words) = likely(compiled.parse(text))
        {
            found.push(format!("{words} with --time-format {pattern}"));
        }
    }
    found
}

fn of_unreadable(line: &RejectedLine) -> Option<String> {
    let text = shown(&line.value);
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let is_name = line
        .column
        .as_deref()
        .is_some_and(|column| column.trim().eq_ignore_ascii_case(text));
    if is_name {
        return Some(format!(
            "row {} repeats the header: leave repeated headers out of the export",
            line.row
        ));
    }
    if !has_digits {
        return Some(format!(
            "\"{text}\" is no time: row {} may be a title, a total or a repeated header; leave such lines out, or map another column with --time",
            line.row
        ));
    }
    if has_unknown_zone(text) {
        return Some(
            "the zone at the end means several zones, or none that is known: write the offset (+01:00) or the zone's full name (Europe/Rome), \
             or leave it out and say the zone with --time-zone"
                .to_owned(),
        );
    }
    if let Some(hint) = of_other_form(text) {
        return Some(hint);
    }
    if text.starts_with(['{', '[']) {
        return Some("map a column that has the time alone with --time".to_owned());
    }
    let has_letters = text
        .chars()
        .any(|letter| letter.is_alphabetic() && letter != 'T');
    has_letters.then(|| {
        "names of months are read in English; write times as YYYY-MM-DD HH:MM:SS, or give their pattern, such as --time-format '%d %B %Y'"
            .to_owned()
    })
}

/// What to do about a time that the form which is set does not read, and another does.
fn of_other_form(text: &str) -> Option<String> {
    let set_another = match ParsedTime::of(text) {
        ParsedTime::Date(_) | ParsedTime::Naive(_) | ParsedTime::Instant(_) => String::new(),
        ParsedTime::Uncertain(date) => {
            let reads = |order: &DateOrder| {
                let time = date.in_order(*order);
                matches!(time, ParsedTime::Date(_) | ParsedTime::Naive(_))
            };
            let orders: Vec<String> = DateOrder::ALL
                .into_iter()
                .filter(reads)
                .map(|order| format!("--time-format {order}"))
                .collect();
            if orders.is_empty() {
                return None;
            }
            format!("{}, or ", orders.join(" or "))
        }
        _ => return None,
    };
    Some(format!(
        "\"{text}\" is a time, but not in the form that --time-format names: give {set_another}no --time-format, and the input's own evidence decides"
    ))
}

/// Whether all but the last word is a time.
fn has_unknown_zone(text: &str) -> bool {
    text.trim_end_matches(']')
        .rsplit_once([' ', '['])
        .is_some_and(|(time, zone)| {
            zone.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && matches!(
                    ParsedTime::of(time),
                    ParsedTime::Naive(_) | ParsedTime::Instant(_)
                )
        })
}
