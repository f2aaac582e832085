//! Zones by name: those of the IANA database, and abbreviations that mean one offset only.

use chrono_tz::Tz;

/// What the name of a zone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZoneName {
    /// Seconds east of UTC.
    Offset(i32),
    Zone(Tz),
}

/// Abbreviations, with hours east of UTC. Those that mean several zones (`CST`, `IST`, `BST`, …) are
/// left out: they are not read.
const ABBREVIATIONS: [(&str, i32); 30] = [
    ("Z", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("WET", 0),
    ("WEST", 1),
    ("CET", 1),
    ("CEST", 2),
    ("MEZ", 1),
    ("MESZ", 2),
    ("EET", 2),
    ("EEST", 3),
    ("MSK", 3),
    ("SAST", 2),
    ("EST", -5),
    ("EDT", -4),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("AKST", -9),
    ("AKDT", -8),
    ("HST", -10),
    ("JST", 9),
    ("KST", 9),
    ("AEST", 10),
    ("AEDT", 11),
    ("NZST", 12),
    ("NZDT", 13),
];

/// The zone of a name; `None` for one that is unknown or means several.
pub(super) fn zone_name(name: &[u8]) -> Option<ZoneName> {
    let name = std::str::from_utf8(name).ok()?;
    let known = ABBREVIATIONS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((_, hours)) = known {
        return Some(ZoneName::Offset(hours * 3_600));
    }
    // Names without a slash (`Israel`, `EST5EDT`) are old, and read as words elsewhere.
    let zone = name.contains('/').then(|| name.parse::<Tz>().ok())?;
    zone.map(ZoneName::Zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_mean_one_zone_are_read() {
        assert_eq!(zone_name(b"CEST"), Some(ZoneName::Offset(7_200)));
        assert_eq!(zone_name(b"est"), Some(ZoneName::Offset(-18_000)));
        assert_eq!(
            zone_name(b"Europe/Rome"),
            Some(ZoneName::Zone(chrono_tz::Europe::Rome))
        );
        // Chicago or Shanghai; Kolkata, Dublin or Jerusalem; London or Dhaka.
        for name in [&b"CST"[..], b"IST", b"BST", b"Europe/Atlantis", b"x", b""] {
            assert_eq!(zone_name(name), None, "{name:?}");
        }
    }
}
