//! From a time of the input to the store's day.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};

use crate::calendar::{Day, StoreClock};

/// Microseconds of a quarter of an hour.
const QUARTER: i64 = 900_000_000;
/// Quarters of a day of UTC.
const QUARTERS: usize = 96;
/// Days of UTC since 1970 that are remembered: to 2099.
const REMEMBERED_DAYS: i64 = 47_482;

/// A store clock that remembers the day of each quarter of an hour that lies in one day as a whole.
#[derive(Debug)]
pub(super) struct FastClock {
    clock: StoreClock,
    days: Vec<Option<Box<[Option<Day>; QUARTERS]>>>,
}

impl FastClock {
    pub(super) fn new(clock: StoreClock) -> Self {
        Self { clock, days: vec![] }
    }

    /// The store's day of a naive time, in microseconds.
    pub(super) fn naive(&mut self, microseconds: i64) -> Option<Day> {
        if self.clock.utc() { self.instant(microseconds) } else { self.clock.day_of_naive(microseconds) }
    }

    /// The store's day of an instant, in microseconds of UTC.
    pub(super) fn instant(&mut self, microseconds: i64) -> Option<Day> {
        let quarter = microseconds.div_euclid(QUARTER);
        let day = quarter.div_euclid(QUARTERS as i64);
        if !(0..REMEMBERED_DAYS).contains(&day) {
            return self.clock.day_of_instant(microseconds);
        }
        let (day, slot) = (day as usize, quarter.rem_euclid(QUARTERS as i64) as usize);
        if day >= self.days.len() {
            self.days.resize(day + 1, None);
        }
        let clock = self.clock;
        let table = self.days[day].get_or_insert_with(|| {
            Box::new(std::array::from_fn(|slot| {
                let start = (day as i64 * QUARTERS as i64 + slot as i64) * QUARTER;
                // Zones move by whole minutes at whole minutes: a quarter all of whose minutes agree lies in one day.
                let minutes = (0..15).map(|minute| clock.day_of_instant(start + minute * (QUARTER / 15)));
                let mut minutes = minutes.collect::<Vec<_>>().into_iter();
                let first = minutes.next().flatten();
                if minutes.all(|day| day == first) { first } else { None }
            }))
        });
        table[slot].or_else(|| clock.day_of_instant(microseconds))
    }
}

/// What a text says of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// A time without a zone, in microseconds since a naive 1970-01-01T00:00.
    Naive(i64),
    /// A date alone: the store's day as it is.
    Date(Day),
    /// An instant, in microseconds of UTC.
    Instant(i64),
}

fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 4 {
        return None;
    }
    text.iter().try_fold(0_u32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

/// Reads the forms that have one meaning: `2017-10-31`, `2017/10/31`, `20171031`; with ` ` or `T` and `18:05`, `18:05:00` or `18:05:00.123`;
/// with `Z` or an offset as `+01:00` after it. `31/10/2017` and `31.10.2017` could be read in two ways, or are not worth the risk: `None`.
pub(super) fn read(text: &str) -> Option<Read> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let (date, rest) = if bytes.len() >= 10 && (bytes[4] == b'-' || bytes[4] == b'/') && bytes[7] == bytes[4] {
        (NaiveDate::from_ymd_opt(digits(&bytes[..4])? as i32, digits(&bytes[5..7])?, digits(&bytes[8..10])?)?, text.get(10..)?)
    } else if bytes.len() == 8 && bytes.iter().all(u8::is_ascii_digit) {
        (NaiveDate::from_ymd_opt(digits(&bytes[..4])? as i32, digits(&bytes[4..6])?, digits(&bytes[6..8])?)?, "")
    } else {
        return None;
    };
    if rest.is_empty() {
        return Some(Read::Date(Day::from(date)));
    }
    let time = rest.strip_prefix(['T', ' ', 't'])?;
    let zone_at = time.find(['Z', 'z', '+', '-']).or_else(|| time.find(" UTC")).unwrap_or(time.len());
    let (clock, zone) = (time.get(..zone_at)?.trim_end(), time.get(zone_at..)?.trim());
    let clock = NaiveTime::parse_from_str(clock, "%H:%M:%S%.f").or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M")).ok()?;
    let naive = NaiveDateTime::new(date, clock);
    match zone {
        "" => Some(Read::Naive(naive.and_utc().timestamp_micros())),
        "Z" | "z" | "UTC" => Some(Read::Instant(naive.and_utc().timestamp_micros())),
        zone => {
            let zone = if zone.len() == 3 { format!("{zone}:00") } else { zone.to_owned() };
            let whole = format!("{}{zone}", naive.format("%Y-%m-%dT%H:%M:%S%.f"));
            DateTime::parse_from_str(&whole, "%Y-%m-%dT%H:%M:%S%.f%z").ok().map(|time| Read::Instant(time.timestamp_micros()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn forms_with_one_meaning_are_read_and_others_are_not() {
        let noon = 1_509_451_200_000_000; // 2017-10-31T12:00Z
        for text in ["2017-10-31 12:00:00", "2017-10-31T12:00", "2017/10/31 12:00:00.000"] {
            assert_eq!(read(text), Some(Read::Naive(noon)), "{text}");
        }
        for text in [
            "2017-10-31T12:00:00Z",
            "2017-10-31 13:00:00+01:00",
            "2017-10-31T08:00:00-0400",
            "2017-10-31 12:00:00 UTC",
            "2017-10-31T13:00:00+01",
        ] {
            assert_eq!(read(text), Some(Read::Instant(noon)), "{text}");
        }
        for text in ["2017-10-31", "2017/10/31", "20171031", " 2017-10-31 "] {
            assert_eq!(read(text), Some(Read::Date("2017-10-31".parse().unwrap())), "{text}");
        }
        for text in [
            "31/10/2017",
            "10/31/2017",
            "31.10.2017",
            "2017-13-01",
            "2017-02-30",
            "2017-10-31 25:00",
            "1509451200",
            "soon",
            "",
            "2017-10-31x",
            "２０17-10-31",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,30}") {
            let _ = read(&text);
        }

        #[test]
        fn the_fast_clock_is_the_slow_one(seconds in 631_152_000_i64..4_102_444_800, zone in prop::sample::select(vec!["America/New_York", "America/St_Johns", "Europe/Berlin", "Pacific/Apia", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana", "UTC"]), start in 0_u8..24) {
            let clock = StoreClock::new(zone, true, start).unwrap();
            let mut fast = FastClock::new(clock);
            // Around the hour as well, where days and zones change.
            for at in [seconds, seconds - seconds.rem_euclid(3_600), seconds - seconds.rem_euclid(3_600) - 1] {
                let microseconds = at * 1_000_000 + 999_999;
                prop_assert_eq!(fast.naive(microseconds), clock.day_of_naive(microseconds));
                prop_assert_eq!(fast.instant(microseconds), clock.day_of_instant(microseconds));
            }
        }
    }
}
