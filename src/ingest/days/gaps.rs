//! Days of the history on which lines are missing.

use crate::calendar::Day;
use crate::stats;

/// A history of fewer days with lines has no usual days.
const ENOUGH_DAYS: usize = 28;

/// A weekday on which fewer of the days than this share have lines is one on which the store is
/// closed.
const OPEN_SHARE: f64 = 0.3;

/// A day with less than this share of its weekday's lines is far below the usual.
const LOW: f64 = 0.2;

/// How many weeks before and after are compared.
const WEEKS: usize = 8;

/// Fewer missing lines than these may be chance.
const ENOUGH_LINES: f64 = 25.0;

/// How many stretches are named.
const NAMED: usize = 5;

/// Days that follow each other, but for those on which the store is closed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    first: usize,
    last: usize,
    lines: u64,
    usual: f64,
}

/// What is usual of each day.
struct UsualLines<'a> {
    by_day: &'a [u64],
    is_open: [bool; 7],
}

impl<'a> UsualLines<'a> {
    /// Of days that begin with any weekday, and have lines on the first and the last.
    fn new(by_day: &'a [u64]) -> Self {
        let mut open = [0_u32; 7];
        let mut all = [0_u32; 7];
        for week in by_day
            .chunks(7)
            .filter(|week| week.iter().any(|lines| *lines > 0))
        {
            for ((lines, open), all) in week.iter().zip(&mut open).zip(&mut all) {
                *all += 1;
                *open += u32::from(*lines > 0);
            }
        }
        let mut is_open = [false; 7];
        for ((is_open, open), all) in is_open.iter_mut().zip(open).zip(all) {
            *is_open = f64::from(open) > OPEN_SHARE * f64::from(all);
        }
        Self { by_day, is_open }
    }

    fn is_open(&self, day: usize) -> bool {
        self.is_open.get(day % 7).copied().unwrap_or(false)
    }

    /// The median of the same weekday's lines in all weeks that have any.
    fn of_weekday(&self, day: usize) -> f64 {
        let days = (day % 7..self.by_day.len()).step_by(7);
        self.median(days, 1).unwrap_or(0.0)
    }

    /// The smaller of the medians of the same weekday's lines in the weeks before a day and in those
    /// after it: a store that grows has no low days. `None` near the ends.
    fn around(&self, day: usize) -> Option<f64> {
        let before = (1..=WEEKS).map_while(|week| day.checked_sub(7 * week));
        let after = (1..=WEEKS).map(|week| day + 7 * week);
        Some(self.median(before, 2)?.min(self.median(after, 2)?))
    }

    /// The median of the lines of days that have any, if there are `least` at least.
    fn median(&self, days: impl Iterator<Item = usize>, least: usize) -> Option<f64> {
        let lines = days.filter_map(|day| self.by_day.get(day));
        let lines = lines.filter(|lines| **lines > 0).map(|lines| *lines as f64);
        let lines: Vec<f64> = lines.collect();
        if lines.len() < least {
            return None;
        }
        stats::median(lines)
    }
}

/// A warning that names stretches of days without lines, or with far fewer than usual. `by_day` has
/// the lines of all days from `first` on; the first and the last day with lines are left out.
pub(in crate::ingest) fn warning(by_day: &[u64], first: Day) -> Option<String> {
    let begin = by_day.iter().position(|lines| *lines > 0)?;
    let end = by_day.iter().rposition(|lines| *lines > 0)?;
    let days = by_day.get(begin..=end)?;
    if days.iter().filter(|lines| **lines > 0).count() < ENOUGH_DAYS {
        return None;
    }
    let mut stretches = stretches(days);
    // One weak day is no stretch: a holiday, or snow.
    stretches.retain(|stretch| {
        let is_missing = stretch.lines == 0 || stretch.first != stretch.last;
        is_missing && stretch.usual - stretch.lines as f64 >= ENOUGH_LINES
    });
    if stretches.is_empty() {
        return None;
    }
    let day = |at: usize| first + i32::try_from(begin + at).unwrap_or(i32::MAX);
    let mut named: Vec<String> = stretches
        .iter()
        .take(NAMED)
        .map(|stretch| stretch.words(day(stretch.first), day(stretch.last)))
        .collect();
    if stretches.len() > NAMED {
        named.push(format!("and {} more", stretches.len() - NAMED));
    }
    Some(format!(
        "lines are missing, or the store was closed: {}",
        named.join("; ")
    ))
}

impl Stretch {
    fn words(&self, first: Day, last: Day) -> String {
        let when = if first == last {
            format!("on {first}")
        } else {
            format!("from {first} to {last}")
        };
        match self.lines {
            0 => format!("none {when}"),
            lines => format!("{lines} {when}, where {:.0} are usual", self.usual),
        }
    }
}

/// The stretches of days that have no lines, or far fewer than usual.
fn stretches(days: &[u64]) -> Vec<Stretch> {
    let usual_lines = UsualLines::new(days);
    let mut found = vec![];
    let mut present: Option<Stretch> = None;
    for (day, lines) in days
        .iter()
        .enumerate()
        .skip(1)
        .take(days.len().saturating_sub(2))
    {
        if !usual_lines.is_open(day) && *lines == 0 {
            continue;
        }
        let around = usual_lines.around(day);
        let is_low = *lines == 0 || around.is_some_and(|usual| (*lines as f64) < LOW * usual);
        if !is_low {
            found.extend(present.take());
            continue;
        }
        let usual = around.unwrap_or_else(|| usual_lines.of_weekday(day));
        let stretch = present.get_or_insert(Stretch {
            first: day,
            last: day,
            lines: 0,
            usual: 0.0,
        });
        stretch.last = day;
        stretch.lines += lines;
        stretch.usual += usual;
    }
    found.extend(present);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> Day {
        "2024-01-01".parse().unwrap()
    }

    /// Lines of a store that is closed on Sundays, from a Monday on.
    fn weeks(count: usize) -> Vec<u64> {
        [100, 90, 95, 110, 150, 180, 0].repeat(count)
    }

    #[test]
    fn closed_weekdays_are_no_gap() {
        assert_eq!(warning(&weeks(12), first()), None);
        // A ramp is none either.
        let ramp: Vec<u64> = (0..200).map(|day| 10 + day * 5).collect();
        assert_eq!(warning(&ramp, first()), None);
    }

    #[test]
    fn missing_days_and_low_ones_are_named() {
        let mut days = weeks(12);
        days[23] = 0; // a Wednesday
        days[39..=50].fill(0); // from a Friday to a Tuesday, with two Sundays within
        days[60] = 7; // a Friday and the Saturday after it
        days[61] = 7;
        days[67] = 7; // one weak day
        assert_eq!(
            warning(&days, first()).unwrap(),
            "lines are missing, or the store was closed: none on 2024-01-24; none from 2024-02-09 to 2024-02-20; \
             14 from 2024-03-01 to 2024-03-02, where 330 are usual"
        );
    }

    #[test]
    fn a_gap_of_half_a_year_is_one_stretch_and_many_are_counted() {
        let mut days = weeks(60);
        days[100..300].fill(0);
        let warned = warning(&days, first()).unwrap();
        assert!(
            warned.ends_with("none from 2024-04-10 to 2024-10-26"),
            "{warned}"
        );
        let mut days = weeks(60);
        for week in 5..15 {
            days[week * 7 + 2] = 0;
        }
        let warned = warning(&days, first()).unwrap();
        assert_eq!(warned.matches("none on").count(), 5);
        assert!(warned.ends_with("; and 5 more"), "{warned}");
    }

    #[test]
    fn a_few_lines_a_day_and_a_short_history_tell_nothing() {
        let mut sparse = vec![4; 100];
        sparse[50] = 0;
        sparse[51] = 0;
        assert_eq!(warning(&sparse, first()), None);
        let mut short = vec![1_000; 20];
        short[10] = 0;
        assert_eq!(warning(&short, first()), None);
        assert_eq!(warning(&[], first()), None);
    }
}
