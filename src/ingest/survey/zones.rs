//! Which time zones make sense of times that carry one, or are UTC.

use chrono::{DateTime, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};

/// At most this many different instants are looked at.
const INSTANTS: usize = 2_000;

/// An instant, and the offset that is written with it, both in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WrittenInstant {
    pub(super) instant: i64,
    pub(super) offset: i32,
}

/// What instants tell of the store's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ZoneEvidence {
    /// No time carries a zone.
    NoInstants,
    /// All instants are midnights in UTC: they are dates.
    UtcMidnights,
    /// All instants are midnights in this zone and those that agree with it: they are dates there.
    Midnights(ZoneCandidate),
    /// No time carries a zone, but taken as UTC, all are midnights in this zone on both sides of a
    /// change of its clocks.
    NaiveMidnights(&'static str),
    /// The offsets that are written are those of this zone.
    Offsets(ZoneCandidate),
    /// Instants that tell no zone.
    Instants,
}

/// A zone that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ZoneCandidate {
    pub(super) zone: &'static str,
    /// Whether the instants lie on both sides of a change of the clocks, so that all zones that fit
    /// mean the same days.
    pub(super) is_certain: bool,
}

/// Zones that are named first where several fit.
const WELL_KNOWN: [&str; 28] = [
    "Europe/Berlin",
    "Europe/Paris",
    "Europe/Rome",
    "Europe/Madrid",
    "Europe/London",
    "Europe/Athens",
    "Europe/Lisbon",
    "Europe/Warsaw",
    "Europe/Istanbul",
    "Europe/Moscow",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Phoenix",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/Bogota",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Buenos_Aires",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Kolkata",
    "Asia/Jakarta",
    "Asia/Dubai",
    "Australia/Sydney",
    "Africa/Johannesburg",
    "Pacific/Auckland",
];

/// What the values of a column of times tell.
pub(super) fn zone_evidence<'a>(values: impl Iterator<Item = &'a str>) -> ZoneEvidence {
    let (mut instants, mut naive): (Vec<WrittenInstant>, Vec<WrittenInstant>) = (vec![], vec![]);
    for value in values {
        match (
            written_instant(value),
            written_instant(&format!("{value}Z")),
        ) {
            (Some(instant), _) => instants.push(instant),
            (None, Some(time)) => naive.push(time),
            (None, None) => return ZoneEvidence::NoInstants,
        }
    }
    match (instants.is_empty(), naive.is_empty()) {
        (true, false) => return naive_evidence(naive),
        (_, true) => {}
        (false, false) => return ZoneEvidence::NoInstants,
    }
    instants.sort_unstable();
    instants.dedup();
    let step = instants.len().div_ceil(INSTANTS).max(1);
    let instants: Vec<WrittenInstant> = instants.into_iter().step_by(step).collect();
    if instants.len() < 2 {
        return match instants.is_empty() {
            true => ZoneEvidence::NoInstants,
            false => ZoneEvidence::Instants,
        };
    }
    if instants.iter().all(|written| written.instant % 86_400 == 0) {
        return ZoneEvidence::UtcMidnights;
    }
    let midnights = |zone: Tz| are_midnights(&instants, zone);
    if let Some(candidate) = first_zone(&instants, midnights) {
        return ZoneEvidence::Midnights(candidate);
    }
    if instants.iter().all(|written| written.offset == 0) {
        return ZoneEvidence::Instants;
    }
    let offsets = |zone: Tz| {
        instants
            .iter()
            .all(|written| offset_at(zone, written.instant) == Some(written.offset))
    };
    first_zone(&instants, offsets).map_or(ZoneEvidence::Instants, ZoneEvidence::Offsets)
}

/// What times without a zone tell.
fn naive_evidence(mut times: Vec<WrittenInstant>) -> ZoneEvidence {
    times.sort_unstable();
    times.dedup();
    let step = times.len().div_ceil(INSTANTS).max(1);
    let times: Vec<WrittenInstant> = times.into_iter().step_by(step).collect();
    let are_dates = times.iter().all(|written| written.instant % 86_400 == 0);
    let candidate = (!are_dates)
        .then(|| first_zone(&times, |zone| are_midnights(&times, zone)))
        .flatten();
    match candidate {
        Some(ZoneCandidate {
            zone,
            is_certain: true,
        }) => ZoneEvidence::NaiveMidnights(zone),
        _ => ZoneEvidence::NoInstants,
    }
}

fn are_midnights(instants: &[WrittenInstant], zone: Tz) -> bool {
    instants.iter().all(|written| {
        offset_at(zone, written.instant)
            .is_some_and(|offset| (written.instant + i64::from(offset)) % 86_400 == 0)
    })
}

/// The first zone that fits, well-known ones before others.
fn first_zone(instants: &[WrittenInstant], fits: impl Fn(Tz) -> bool) -> Option<ZoneCandidate> {
    let well_known = WELL_KNOWN.iter().filter_map(|name| name.parse::<Tz>().ok());
    let mut zones = well_known.chain(TZ_VARIANTS.iter().copied());
    let zone = zones.find(|zone| fits(*zone))?;
    let mut offsets = instants
        .iter()
        .filter_map(|written| offset_at(zone, written.instant));
    let first = offsets.next();
    Some(ZoneCandidate {
        zone: zone.name(),
        is_certain: offsets.any(|offset| Some(offset) != first),
    })
}

fn offset_at(zone: Tz, instant: i64) -> Option<i32> {
    let naive = DateTime::from_timestamp(instant, 0)?.naive_utc();
    Some(
        zone.offset_from_utc_datetime(&naive)
            .fix()
            .local_minus_utc(),
    )
}

/// An instant as files write it: a date, a time of day, and `Z`, `UTC` or an offset.
pub(super) fn written_instant(text: &str) -> Option<WrittenInstant> {
    let text = text.trim();
    let (naive, offset) = match text.strip_suffix(['Z', 'z']) {
        Some(naive) => (naive, 0),
        None => match text
            .strip_suffix("UTC")
            .or_else(|| text.strip_suffix("GMT"))
        {
            Some(naive) => (naive, 0),
            None => split_offset(text)?,
        },
    };
    let naive = naive.trim().replacen(' ', "T", 1);
    let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(&naive, form).ok())?;
    Some(WrittenInstant {
        instant: naive.and_utc().timestamp() - i64::from(offset),
        offset,
    })
}

/// A text that ends with an offset like `+01:00`, `-0530` or `+02`, and the offset in seconds.
fn split_offset(text: &str) -> Option<(&str, i32)> {
    // A sign before the time of day belongs to the date.
    let at = text.rfind(['+', '-']).filter(|at| *at > 13)?;
    let (naive, offset) = text.split_at_checked(at)?;
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    if !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = digits
        .get(2..)
        .filter(|rest| !rest.is_empty())
        .map_or(Some(0), |rest| rest.parse().ok())?;
    let seconds = hours * 3_600 + minutes * 60;
    Some((
        naive,
        if offset.starts_with('-') {
            -seconds
        } else {
            seconds
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(values: &[&str]) -> ZoneEvidence {
        zone_evidence(values.iter().copied())
    }

    #[test]
    fn midnights_of_a_zone_are_dates_there() {
        // Midnights of March and of July: an hour apart in UTC.
        let midnights = [
            "2024-03-01T23:00:00Z",
            "2024-07-01T22:00:00Z",
            "2024-12-24 23:00:00+00:00",
        ];
        assert_eq!(
            evidence(&midnights),
            ZoneEvidence::Midnights(ZoneCandidate {
                zone: "Europe/Berlin",
                is_certain: true
            })
        );
        let winter = evidence(
            &midnights[..1]
                .iter()
                .copied()
                .chain(["2024-02-01T23:00:00Z"])
                .collect::<Vec<_>>(),
        );
        assert!(
            matches!(
                winter,
                ZoneEvidence::Midnights(ZoneCandidate {
                    is_certain: false,
                    ..
                })
            ),
            "one season tells no zone: {winter:?}"
        );
        let dates = ["2024-03-01T00:00:00.000Z", "2024-07-01T00:00:00.000Z"];
        assert_eq!(evidence(&dates), ZoneEvidence::UtcMidnights);
    }

    #[test]
    fn midnights_that_lost_their_zone_are_found_where_clocks_change() {
        let times = [
            "2024-03-01 23:00:00",
            "2024-07-01 22:00:00",
            "2024-12-24 23:00:00",
        ];
        assert_eq!(
            evidence(&times),
            ZoneEvidence::NaiveMidnights("Europe/Berlin")
        );
        assert_eq!(
            evidence(&times[..1]),
            ZoneEvidence::NoInstants,
            "closing time"
        );
        let dates = ["2024-03-01 00:00:00", "2024-07-01 00:00:00"];
        assert_eq!(evidence(&dates), ZoneEvidence::NoInstants);
    }

    #[test]
    fn offsets_tell_the_zone_where_clocks_change() {
        let offsets = ["2024-10-20T23:55:00-04:00", "2024-11-20T00:05:00-05:00"];
        assert_eq!(
            evidence(&offsets),
            ZoneEvidence::Offsets(ZoneCandidate {
                zone: "America/New_York",
                is_certain: true
            })
        );
    }

    #[test]
    fn what_tells_nothing_tells_nothing() {
        assert_eq!(
            evidence(&["2024-10-20 23:55:00", "2024-10-21"]),
            ZoneEvidence::NoInstants
        );
        assert_eq!(evidence(&[]), ZoneEvidence::NoInstants);
        assert_eq!(
            evidence(&["2024-10-20T23:55:01Z", "2024-10-21T10:11:12Z"]),
            ZoneEvidence::Instants
        );
    }
}
