//! Which time zones make sense of times that carry one, or are UTC.

use chrono::{DateTime, NaiveDate, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};

use crate::ingest::time::{MICROSECONDS_PER_SECOND, ParsedTime};

/// At most this many different instants are looked at.
const INSTANTS: usize = 2_000;

/// In January and in July of 2024, when the clocks of zones that change them differ.
const JANUARY: i64 = 1_704_110_400;
const JULY: i64 = 1_719_835_200;

/// An instant, and the offset that is written with it, both in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WrittenInstant {
    pub(super) instant: i64,
    pub(super) offset: i32,
}

impl WrittenInstant {
    /// From microseconds, and how many minutes the clock that showed it was ahead of UTC.
    fn new(microseconds: i64, ahead: i16) -> Self {
        Self {
            instant: microseconds.div_euclid(MICROSECONDS_PER_SECOND),
            offset: i32::from(ahead) * 60,
        }
    }
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
    /// All instants carry the same offset.
    SameOffset(SameOffset),
    /// Instants that tell no zone.
    Instants,
}

/// The offset that all instants carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SameOffset {
    /// In seconds.
    pub(super) offset: i32,
    /// The first and the last day, as they are written.
    pub(super) first: NaiveDate,
    pub(super) last: NaiveDate,
    /// A zone that has the offset at all of the instants, and another one in the rest of the year.
    pub(super) changing: Option<&'static str>,
}

impl SameOffset {
    fn of(instants: &[WrittenInstant], fits: impl Fn(Tz) -> bool) -> Option<Self> {
        let (first, last) = (instants.first()?, instants.last()?);
        if instants
            .iter()
            .any(|written| written.offset != first.offset)
        {
            return None;
        }
        let date = |written: &WrittenInstant| {
            let local = written.instant + i64::from(written.offset);
            Some(DateTime::from_timestamp(local, 0)?.date_naive())
        };
        let changes = |zone: &Tz| {
            let offsets = [JANUARY, JULY].map(|instant| offset_at(*zone, instant));
            offsets[0] != offsets[1]
        };
        let well_known = WELL_KNOWN.iter().filter_map(|name| name.parse::<Tz>().ok());
        Some(Self {
            offset: first.offset,
            first: date(first)?,
            last: date(last)?,
            changing: well_known
                .filter(changes)
                .find(|zone| fits(*zone))
                .map(|zone| zone.name()),
        })
    }

    /// `UTC+1`, `UTC+5:30`.
    pub(super) fn name(&self) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.unsigned_abs() / 60;
        match minutes % 60 {
            0 => format!("UTC{sign}{}", minutes / 60),
            rest => format!("UTC{sign}{}:{rest:02}", minutes / 60),
        }
    }

    /// The zone whose clocks have the offset all the year, by the name that is given to
    /// `--time-zone`: its sign is the other way round.
    pub(super) fn fixed_zone(&self) -> Option<String> {
        let hours = self.offset / 3_600;
        let name = format!("Etc/GMT{:+}", -hours);
        let is_known = self.offset % 3_600 == 0 && name.parse::<Tz>().is_ok();
        is_known.then_some(name)
    }
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
        match ParsedTime::of(value) {
            ParsedTime::Instant(at) => instants.push(WrittenInstant::new(at, 0)),
            ParsedTime::Offset(at, ahead) => instants.push(WrittenInstant::new(at, ahead)),
            ParsedTime::Naive(at) => naive.push(WrittenInstant::new(at, 0)),
            _ => return ZoneEvidence::NoInstants,
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
    if let Some(same) = SameOffset::of(&instants, offsets) {
        return ZoneEvidence::SameOffset(same);
    }
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
    fn an_offset_that_never_changes_is_told_with_its_days() {
        let same = |values: &[&str]| match evidence(values) {
            ZoneEvidence::SameOffset(same) => same,
            other => panic!("{other:?}"),
        };
        let winter = same(&["2024-01-02T09:55:00+01:00", "2024-02-03T00:05:00+01:00"]);
        assert_eq!(winter.changing, Some("Europe/Berlin"));
        let all_year = same(&["2024-01-02T09:55:00+01:00", "2024-07-03T00:05:00+01:00"]);
        assert_eq!(all_year.changing, None);
        assert_eq!(
            (all_year.name(), all_year.fixed_zone()),
            ("UTC+1".to_owned(), Some("Etc/GMT-1".to_owned()))
        );
        assert_eq!(
            [all_year.first, all_year.last].map(|date| date.to_string()),
            ["2024-01-02", "2024-07-03"]
        );
        let india = same(&["2024-01-02T09:55:00+05:30", "2024-07-03T00:05:00+05:30"]);
        assert_eq!(
            (india.name(), india.fixed_zone()),
            ("UTC+5:30".to_owned(), None)
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
