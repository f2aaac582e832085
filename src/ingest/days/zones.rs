//! Which zones to propose.

use std::collections::BTreeSet;

use chrono_tz::Tz;

use super::offset_at;
use crate::ingest::time::{MICROSECONDS_PER_DAY, MICROSECONDS_PER_MINUTE, MICROSECONDS_PER_SECOND};

/// Zones that people know, one at least for each way of keeping time that many stores live with.
const KNOWN: [&str; 48] = [
    "Europe/London",
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/Rome",
    "Europe/Madrid",
    "Europe/Warsaw",
    "Europe/Athens",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Europe/Moscow",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "Africa/Cairo",
    "Africa/Nairobi",
    "Asia/Dubai",
    "Asia/Tehran",
    "Asia/Karachi",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Jakarta",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Manila",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Australia/Perth",
    "Australia/Adelaide",
    "Australia/Brisbane",
    "Australia/Sydney",
    "Pacific/Auckland",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "America/Halifax",
    "America/St_Johns",
    "America/Mexico_City",
    "America/Bogota",
    "America/Lima",
    "America/Caracas",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Argentina/Buenos_Aires",
];

fn known() -> impl Iterator<Item = Tz> {
    KNOWN.iter().filter_map(|name| name.parse().ok())
}

/// Noon of 2024-01-01.
const JANUARY: i64 = 1_704_110_400_000_000;

/// The time that clocks of a zone show at an instant, both in microseconds.
pub(super) fn local(zone: Tz, instant: i64) -> Option<i64> {
    let seconds = offset_at(zone, instant.div_euclid(MICROSECONDS_PER_SECOND))?;
    Some(instant + i64::from(seconds) * MICROSECONDS_PER_SECOND)
}

/// Whether clocks of a zone show midnight at an instant.
pub(super) fn is_midnight(zone: Tz, instant: i64) -> bool {
    local(zone, instant).is_some_and(|local| local % MICROSECONDS_PER_DAY == 0)
}

/// The known zones in which all instants are midnights.
pub(super) fn of_midnights<'a>(instants: impl Iterator<Item = &'a i64> + Clone) -> Vec<Tz> {
    known()
        .filter(|zone| instants.clone().all(|instant| is_midnight(*zone, *instant)))
        .collect()
}

/// By how many minutes clocks of a zone are ahead of UTC in the course of a year.
fn offsets_in_year(zone: Tz) -> BTreeSet<i16> {
    (0..12)
        .filter_map(|month| {
            let instant = JANUARY + month * 30 * MICROSECONDS_PER_DAY;
            let ahead = local(zone, instant)? - instant;
            i16::try_from(ahead / MICROSECONDS_PER_MINUTE).ok()
        })
        .collect()
}

/// The known zones whose clocks are ahead of UTC by these minutes, and by no others, in the course of
/// a year; by some of them, if there are none.
pub(super) fn of_offsets(minutes: &BTreeSet<i16>) -> Vec<Tz> {
    let same: Vec<Tz> = known()
        .filter(|zone| offsets_in_year(*zone) == *minutes)
        .collect();
    if !same.is_empty() {
        return same;
    }
    known()
        .filter(|zone| minutes.is_subset(&offsets_in_year(*zone)))
        .collect()
}

/// The known zones whose clocks are about so many hours ahead of UTC at an instant.
pub(super) fn about_ahead(hours: f64, instant: i64) -> Vec<Tz> {
    let mut near: Vec<(i64, Tz)> = known()
        .filter_map(|zone| {
            let ahead = local(zone, instant)? - instant;
            let wanted = hours * 3_600.0 * MICROSECONDS_PER_SECOND as f64;
            Some(((ahead - wanted as i64).abs(), zone))
        })
        .filter(|(off, _)| *off <= 5_400 * MICROSECONDS_PER_SECOND)
        .collect();
    near.sort_by_key(|(off, _)| *off);
    near.into_iter().map(|(_, zone)| zone).collect()
}

/// Zones as a message proposes them.
pub(super) fn listed(zones: &[Tz]) -> String {
    let names: Vec<&str> = zones.iter().take(3).map(|zone| zone.name()).collect();
    match names.split_last() {
        None => "the zone of the store".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
    }
}
