//! The hours in which a store sells nothing: it is closed at night, so they tell its zone.

use super::zones;
use crate::ingest::time::MICROSECONDS_PER_HOUR;

/// Fewer tickets tell nothing.
const ENOUGH_TICKETS: u64 = 500;

/// Hours with less than this share of the busiest hour's tickets are quiet.
const QUIET: f64 = 0.03;

/// A store is closed for so many hours at least, and open for so many.
const CLOSED_HOURS: usize = 5;
const OPEN_HOURS: usize = 6;

/// The middle of the night of stores: most open from about 8 to 21.
const MIDDLE_OF_NIGHT: f64 = 2.5;

/// A middle of the quiet hours that is so far off is no night.
const FAR_HOURS: f64 = 4.0;

/// When the offsets of zones are looked at: noon of 2024-03-30. An hour more or less does not matter.
pub(super) const SPRING: i64 = 1_711_800_000_000_000;

/// What is said of hours from 1 to 12 only.
const NO_HALVES: &str = "no time is before 01:00 or after 12:59, as a clock of 12 hours without AM and PM shows it: then the afternoon cannot be told from the \
     morning; the days are right as long as neither --day-start nor --utc moves them; export the times with 24 hours, or with AM and PM";

/// Tickets by hour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sales {
    pub(super) by_hour: [u64; 24],
    /// How many microseconds the store's clock is ahead of these hours.
    pub(super) ahead: i64,
    /// Whether the times have a zone, or one was given for them.
    pub(super) has_zone: bool,
}

impl Sales {
    /// The first of the quiet hours, and how many there are: one night.
    fn night(&self) -> Option<(usize, usize)> {
        let busiest = *self.by_hour.iter().max()?;
        if self.by_hour.iter().sum::<u64>() < ENOUGH_TICKETS {
            return None;
        }
        let is_quiet = self
            .by_hour
            .map(|tickets| (tickets as f64) < QUIET * busiest as f64);
        let mut nights = vec![];
        for first in 0..24 {
            let begins = is_quiet[first] && !is_quiet[(first + 23) % 24];
            let hours = (0..24)
                .take_while(|hour| is_quiet[(first + hour) % 24])
                .count();
            if begins && hours > 1 {
                nights.push((first, hours));
            }
        }
        match nights[..] {
            [(first, hours)] if hours >= CLOSED_HOURS && 24 - hours >= OPEN_HOURS => {
                Some((first, hours))
            }
            _ => None,
        }
    }

    /// Whether the hours may be those of a clock that counts to 12 twice a day: from 1 to 12 only.
    fn may_lack_halves(&self) -> bool {
        let outside = self
            .by_hour
            .iter()
            .take(1)
            .chain(self.by_hour.iter().skip(13));
        !self.has_zone
            && outside.sum::<u64>() == 0
            && self.by_hour.iter().sum::<u64>() >= ENOUGH_TICKETS
    }

    /// Whether they most likely are: then the sales of the afternoon stand at 1 to 4.
    fn has_afternoons_at_night(&self) -> bool {
        let busiest = self.by_hour.iter().max().copied().unwrap_or_default();
        let mut afternoon = self.by_hour.iter().skip(1).take(4);
        self.may_lack_halves() && afternoon.any(|tickets| *tickets as f64 >= QUIET * busiest as f64)
    }

    /// A warning where the quiet hours are no night; `flags` mend it.
    pub(super) fn warning(&self, flags: &str) -> Option<String> {
        let Some((first, hours)) = self.night() else {
            return self.has_afternoons_at_night().then(|| NO_HALVES.to_owned());
        };
        let middle = first as f64 + hours as f64 / 2.0;
        let shown_ahead = self.ahead as f64 / MICROSECONDS_PER_HOUR as f64;
        // How far the store's clock must still be put forward, from half a day back to half a day on.
        let missing = (MIDDLE_OF_NIGHT - middle - shown_ahead + 36.0).rem_euclid(24.0) - 12.0;
        if missing.abs() < FAR_HOURS {
            return self.has_afternoons_at_night().then(|| NO_HALVES.to_owned());
        }
        let zones = zones::about_ahead(missing + shown_ahead, SPRING);
        if self.may_lack_halves() {
            return Some(format!(
                "{NO_HALVES}; if the times are of another zone instead, give the store's zone, such as {}, with {flags}",
                zones::listed(&zones)
            ));
        }
        let ahead = shown_ahead.round() as i64;
        let hour = |hour: usize| (hour as i64 + ahead).rem_euclid(24);
        Some(format!(
            "nothing is sold from {:02}:00 to {:02}:00, which is no night: the times may be of another zone, and sales then fall on the wrong day; if so, give the store's zone, such as {}, with {flags}",
            hour(first),
            hour(first + hours),
            zones::listed(&zones)
        ))
    }
}
