//! Days on which a store is closed, although it opens on their weekday.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};

use crate::calendar::Day;
use crate::error::{Error, Result};

/// Closed days: dates, dates of every year, and Easter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClosedDates {
    days: BTreeSet<Day>,
    of_every_year: BTreeSet<(u32, u32)>,
    easter: bool,
}

impl ClosedDates {
    /// Reads `YYYY-MM-DD`, `MM-DD` and `easter`.
    ///
    /// # Errors
    /// If a text is none of them.
    pub fn parse(texts: &[String]) -> Result<Self> {
        let mut closed = Self::default();
        for text in texts {
            if text == "easter" {
                closed.easter = true;
            } else if let Ok(day) = text.parse::<Day>() {
                closed.days.insert(day);
            } else if let Some(day) = day_of_year(text) {
                closed.of_every_year.insert(day);
            } else {
                return Err(
                    Error::request(format!("\"{text}\" in guards.closed_days is no day"))
                        .hint("write MM-DD for a day of every year, YYYY-MM-DD, or easter"),
                );
            }
        }
        Ok(closed)
    }

    /// Whether the store is closed.
    #[must_use]
    pub fn contain(&self, day: Day) -> bool {
        let date = day.date();
        self.days.contains(&day)
            || self.of_every_year.contains(&(date.month(), date.day()))
            || (self.easter && date.month() < 5 && easter(date.year()) == Some(date))
    }
}

/// A month and a day of it. 2024 has a 29th of February.
fn day_of_year(text: &str) -> Option<(u32, u32)> {
    let day: Day = format!("2024-{text}").parse().ok()?;
    Some((day.date().month(), day.date().day()))
}

/// Easter Sunday (the anonymous Gregorian algorithm, after J. Meeus, Astronomical Algorithms, 1991).
fn easter(year: i32) -> Option<NaiveDate> {
    let century = year / 100;
    let of_cycle = year % 19;
    let corrected = (century - (century - 17) / 25) / 3;
    let epact = (century - century / 4 - corrected + 19 * of_cycle + 15) % 30;
    let epact = epact - (epact / 28) * (1 - (29 / (epact + 1)) * ((21 - of_cycle) / 11));
    let weekday = (year + year / 4 + epact + 2 - century + century / 4) % 7;
    let since_march = epact - weekday;
    let month = 3 + (since_march + 40) / 44;
    let day = since_march + 28 - 31 * (month / 4);
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(texts: &[&str]) -> Result<ClosedDates> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        ClosedDates::parse(&texts)
    }

    #[test]
    fn days_of_one_year_and_of_every_year_are_closed() {
        let closed = closed(&["12-25", "2025-08-15", "easter"]).unwrap();
        let is_closed = |day: &str| closed.contain(day.parse().unwrap());
        for day in ["2017-12-25", "2030-12-25", "2025-08-15"] {
            assert!(is_closed(day), "{day}");
        }
        for easter in [
            "2008-03-23",
            "2011-04-24",
            "2024-03-31",
            "2025-04-20",
            "2038-04-25",
        ] {
            assert!(is_closed(easter), "{easter}");
        }
        for day in ["2026-08-15", "2025-04-21", "2024-04-20", "2025-12-26"] {
            assert!(!is_closed(day), "{day}");
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in ["12-32", "Christmas", "", "2025-02-30"] {
            assert!(closed(&[text]).is_err(), "{text}");
        }
    }
}
