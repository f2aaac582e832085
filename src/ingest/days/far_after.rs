//! A handful of lines that lie far after all others, as a slip in the year makes them.

use crate::calendar::Day;
use crate::ingest::report::LinesFarAfter;

/// So many days without any line lie between them and the others at least.
const GAP: usize = 28;

/// At most one line of so many lies there.
const ONE_OF: u64 = 1_000;

/// The lines that lie far after all others. `by_day` has the lines of all days from `first` on.
pub(in crate::ingest) fn find(by_day: &[u64], first: Day) -> Option<LinesFarAfter> {
    let all: u64 = by_day.iter().sum();
    let mut lines = 0;
    let mut later: Option<usize> = None;
    let mut found = None;
    let days = by_day.iter().enumerate().rev();
    for (at, of_day) in days.filter(|(_, lines)| **lines > 0) {
        if let Some(later) = later
            && later - at > GAP
        {
            found = Some(LinesFarAfter {
                lines,
                first: day(first, later),
                last_before: day(first, at),
            });
        }
        lines += of_day;
        if lines.saturating_mul(ONE_OF) > all {
            break;
        }
        later = Some(at);
    }
    found
}

fn day(first: Day, at: usize) -> Day {
    first + i32::try_from(at).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: i32 = 19_000;

    fn far(by_day: &[u64]) -> Option<(u64, i32, i32)> {
        let far = find(by_day, Day::from_epoch(FIRST))?;
        Some((
            far.lines,
            far.first.epoch() - FIRST,
            far.last_before.epoch() - FIRST,
        ))
    }

    #[test]
    fn a_handful_far_after_all_others_is_found() {
        let mut by_day = vec![100; 60];
        by_day.resize(200, 0);
        assert_eq!(far(&by_day), None);
        by_day[150] = 1;
        by_day[199] = 2;
        assert_eq!(far(&by_day), Some((3, 150, 59)));
        // More than a handful are the store that has opened again.
        by_day[150] = 50;
        assert_eq!(far(&by_day), Some((2, 199, 150)));
        by_day[199] = 90;
        assert_eq!(far(&by_day), None);
    }

    #[test]
    fn a_short_break_is_none() {
        let mut by_day = vec![100; 60];
        by_day.resize(90, 0);
        by_day[80] = 1;
        assert_eq!(far(&by_day), None);
        assert_eq!(far(&[]), None);
    }
}
