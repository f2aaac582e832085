//! What a column of a sample looks like.

use std::collections::BTreeMap;

use serde::Serialize;

use super::meaning::{NameMeaning, meaning_of};
use super::values::{
    DateForm, TimePart, ValueShape, date_of, is_list, number_of, quantity_of, shape_of,
};
use super::words::fold;
use crate::ingest::ids::is_scientific;

/// How many different values are shown of a column.
const EXAMPLES: usize = 3;

/// A column of a sample.
#[derive(Debug, Clone, Serialize)]
pub struct ColumnProfile {
    /// Its name.
    pub name: String,
    /// Its first different values.
    pub examples: Vec<String>,
    /// How many rows were looked at.
    pub rows: usize,
    /// How many of them have no value.
    pub nulls: usize,
    /// How many different values there are.
    pub distinct: usize,
    #[serde(skip)]
    pub(super) position: usize,
    #[serde(skip)]
    pub(super) meaning: Option<NameMeaning>,
    /// How many values have each shape.
    #[serde(skip)]
    pub(super) shapes: BTreeMap<ValueShape, usize>,
    /// How often each value stands there.
    #[serde(skip)]
    pub(super) counts: BTreeMap<String, usize>,
}

impl ColumnProfile {
    /// The profile of the column at a position. Rows that are too short have no value.
    pub(super) fn new(name: &str, position: usize, rows: &[Vec<Option<String>>]) -> Self {
        let mut profile = Self {
            name: name.to_owned(),
            examples: vec![],
            rows: rows.len(),
            nulls: 0,
            distinct: 0,
            position,
            meaning: meaning_of(name),
            shapes: BTreeMap::new(),
            counts: BTreeMap::new(),
        };
        for row in rows {
            match row.get(position).and_then(Option::as_deref) {
                Some(value) => profile.add(value.trim()),
                None => profile.nulls += 1,
            }
        }
        profile.distinct = profile.counts.len();
        profile
    }

    fn add(&mut self, value: &str) {
        match shape_of(value) {
            ValueShape::Null => self.nulls += 1,
            shape => {
                *self.shapes.entry(shape).or_default() += 1;
                let count = self.counts.entry(value.to_owned()).or_default();
                *count += 1;
                if *count == 1 && self.examples.len() < EXAMPLES {
                    self.examples.push(value.to_owned());
                }
            }
        }
    }

    /// How many values there are.
    pub(super) fn values(&self) -> usize {
        self.rows - self.nulls
    }

    /// The share of the values for which this holds, 0 if there is none.
    fn share(&self, holds: impl Fn(ValueShape) -> bool) -> f64 {
        let count: usize = self
            .shapes
            .iter()
            .filter(|(shape, _)| holds(**shape))
            .map(|(_, count)| *count)
            .sum();
        count as f64 / self.values().max(1) as f64
    }

    /// The share of values that are dates.
    pub(super) fn share_of_dates(&self) -> f64 {
        self.share(|shape| matches!(shape, ValueShape::Date(_)))
    }

    /// The share of values that are times of day.
    pub(super) fn share_of_clock_times(&self) -> f64 {
        self.share(|shape| shape == ValueShape::TimeOfDay)
    }

    /// The share of values that are numbers.
    pub(super) fn share_of_numbers(&self) -> f64 {
        self.share(|shape| matches!(shape, ValueShape::Whole | ValueShape::Decimal))
    }

    /// The share of values for whose texts this holds, 0 if there is none.
    fn share_of_texts(&self, holds: impl Fn(&str) -> bool) -> f64 {
        let count: usize = self
            .counts
            .iter()
            .filter(|(value, _)| holds(value))
            .map(|(_, count)| *count)
            .sum();
        count as f64 / self.values().max(1) as f64
    }

    /// The share of values that are quantities: numbers, also with a unit.
    pub(super) fn share_of_quantities(&self) -> f64 {
        self.share_of_texts(|value| quantity_of(value).is_some())
    }

    /// The share of values that a spreadsheet has rounded: `4,00638E+12`.
    pub(super) fn share_of_rounded(&self) -> f64 {
        self.share_of_texts(is_scientific)
    }

    /// The share of values that are lists.
    pub(super) fn share_of_lists(&self) -> f64 {
        self.share(|shape| shape == ValueShape::List)
    }

    /// The share of values that are lists, where numbers with a decimal comma are none: `7,12`.
    pub(super) fn share_of_lists_of_ids(&self) -> f64 {
        self.share_of_texts(|value| is_list(value) && !is_scientific(value))
    }

    /// How many dates are in a form.
    pub(super) fn dates_in(&self, form: DateForm) -> usize {
        let count = self.shapes.get(&ValueShape::Date(form));
        count.copied().unwrap_or_default()
    }

    /// Whether all values are `true` or `false`.
    pub(super) fn is_boolean(&self) -> bool {
        let are_booleans = |value: &String| ["true", "false"].contains(&fold(value).as_str());
        self.values() > 0 && self.counts.keys().all(are_booleans)
    }

    /// Whether every row has another value.
    pub(super) fn is_unique(&self) -> bool {
        self.values() > 1 && self.distinct == self.values()
    }

    /// The share of dates without a time of day.
    pub(super) fn share_of_bare_dates(&self) -> f64 {
        let bare: usize = self
            .counts
            .iter()
            .filter(|(value, _)| matches!(date_of(value), Some((_, TimePart::Missing))))
            .map(|(_, count)| *count)
            .sum();
        bare as f64 / self.values().max(1) as f64
    }

    /// The last hour after midnight with sales, if the store closes then: there are some late in the
    /// evening, some after midnight, and none in the hours before the morning.
    pub(super) fn closing_hour(&self) -> Option<u8> {
        let mut hours = [0_usize; 24];
        for (value, count) in &self.counts {
            let hour = match hour_of(value) {
                Some(hour) => hour,
                None => continue,
            };
            *hours.get_mut(usize::from(hour))? += count;
        }
        let has = |hour: usize| hours.get(hour).is_some_and(|count| *count > 0);
        let last = (0..4).rev().find(|hour| has(*hour))?;
        let is_night = (last + 1..last + 3).all(|hour| !has(hour));
        (is_night && (has(22) || has(23)))
            .then(|| u8::try_from(last).ok())
            .flatten()
    }

    /// How many values are below 0, whatever their unit.
    pub(super) fn negative(&self) -> usize {
        self.counts
            .iter()
            .filter(|(value, _)| quantity_of(value).is_some_and(|number| number < 0.0))
            .map(|(_, count)| *count)
            .sum()
    }

    /// How many values are 0.
    pub(super) fn zeros(&self) -> usize {
        self.counts
            .iter()
            .filter(|(value, _)| number_of(value) == Some(0.0))
            .map(|(_, count)| *count)
            .sum()
    }

    /// Whether all values are numbers, without a sign of a currency.
    pub(super) fn are_plain_numbers(&self) -> bool {
        self.counts
            .keys()
            .all(|value| number_of(value).is_some() && !value.contains(['€', '$', '£']))
    }

    /// The value that half of the numbers are at most; `None` if there is no number.
    pub(super) fn median(&self) -> Option<f64> {
        let mut numbers: Vec<(f64, usize)> = self
            .counts
            .iter()
            .filter_map(|(value, count)| Some((quantity_of(value)?, *count)))
            .collect();
        numbers.sort_by(|one, other| one.0.total_cmp(&other.0));
        let half = numbers.iter().map(|(_, count)| count).sum::<usize>() / 2;
        let mut below = 0;
        numbers
            .into_iter()
            .find(|(_, count)| {
                below += count;
                below > half
            })
            .map(|(number, _)| number)
    }

    /// The values by how often they stand there, the most frequent first.
    pub(super) fn by_count(&self) -> Vec<(&str, usize)> {
        let mut values: Vec<(&str, usize)> = self
            .counts
            .iter()
            .map(|(value, count)| (value.as_str(), *count))
            .collect();
        // Stable: equals stay in the order of their texts.
        values.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        values
    }
}

/// The hour of a time, with or without a date.
fn hour_of(value: &str) -> Option<u8> {
    let part = match date_of(value) {
        Some((_, part)) => part,
        // As if it stood behind a date.
        None => date_of(&format!("2000-01-01 {value}"))?.1,
    };
    match part {
        TimePart::Hour(hour) => Some(hour),
        TimePart::Midnight | TimePart::Missing => None,
    }
}

/// How numbers stand for times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumericTime {
    /// `20240301`, perhaps with a time of day behind it.
    Compact,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
    /// The day numbers of spreadsheets.
    Excel,
    /// Days counted from a day that the data do not tell.
    DayNumber,
}

impl NumericTime {
    /// How nearly all numbers of a column that should be times stand for times.
    pub(super) fn of(profile: &ColumnProfile) -> Option<Self> {
        let forms = [
            NumericTime::Compact,
            NumericTime::EpochSeconds,
            NumericTime::EpochMilliseconds,
            NumericTime::Excel,
            NumericTime::DayNumber,
        ];
        let values = profile.values();
        forms.into_iter().find(|form| {
            let fitting: usize = profile
                .counts
                .iter()
                .filter(|(value, _)| form.fits(value))
                .map(|(_, count)| *count)
                .sum();
            values > 0 && fitting as f64 >= 0.95 * values as f64
        })
    }

    fn fits(self, value: &str) -> bool {
        let number = value.parse::<f64>();
        let within = |least: f64, most: f64| {
            number
                .as_ref()
                .is_ok_and(|number| (least..most).contains(number))
        };
        match self {
            // 1990 to 2099
            Self::Compact => is_compact_date(value),
            Self::EpochSeconds => within(631_152_000.0, 4_102_444_800.0),
            Self::EpochMilliseconds => within(631_152_000_000.0, 4_102_444_800_000.0),
            Self::Excel => within(32_874.0, 73_051.0),
            Self::DayNumber => value.parse::<u32>().is_ok_and(|number| number < 10_000),
        }
    }
}

fn is_compact_date(value: &str) -> bool {
    let Some((date, rest)) = value.split_at_checked(8) else {
        return false;
    };
    let rest = rest.trim_start_matches(['T', ' ']);
    let dashed = date
        .get(..4)
        .zip(date.get(4..6))
        .zip(date.get(6..))
        .map(|((year, month), day)| format!("{year}-{month}-{day}"));
    date.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(rest.len(), 0 | 4 | 6)
        && rest.bytes().all(|byte| byte.is_ascii_digit())
        && dashed.is_some_and(|dashed| date_of(&dashed).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(values: &[&str]) -> ColumnProfile {
        let rows: Vec<Vec<Option<String>>> = values
            .iter()
            .map(|value| vec![Some((*value).to_owned())])
            .collect();
        ColumnProfile::new("x", 0, &rows)
    }

    #[test]
    fn a_profile_counts_what_stands_there() {
        let mut rows = vec![vec![], vec![None], vec![Some("#N/A".into())]];
        rows.extend(["3", " 3 ", "-2", "x"].map(|value| vec![Some(value.to_owned())]));
        let profile = ColumnProfile::new("Menge", 0, &rows);
        assert_eq!((profile.rows, profile.nulls, profile.distinct), (7, 3, 3));
        assert_eq!(profile.examples, ["3", "-2", "x"]);
        assert_eq!((profile.negative(), profile.median()), (1, Some(3.0)));
        assert_eq!(profile.by_count()[0], ("3", 2));
        assert!((profile.share_of_numbers() - 0.75).abs() < 1e-9);
    }

    #[test]
    fn a_store_that_closes_after_midnight_is_known() {
        let late = ["20:00:00", "22:30:00", "00:30:00", "01:15", "9:00"];
        assert_eq!(profile(&late).closing_hour(), Some(1));
        let with_dates = [
            "2024-03-01 23:10:00",
            "2024-03-02 00:40:00",
            "2024-03-02 08:00:00",
        ];
        assert_eq!(profile(&with_dates).closing_hour(), Some(0));
        assert_eq!(profile(&["08:00", "21:10"]).closing_hour(), None);
        assert_eq!(
            profile(&["23:00", "01:00", "02:00", "03:00", "04:00", "05:00"]).closing_hour(),
            None
        );
        assert_eq!(profile(&["2024-03-01"]).closing_hour(), None);
    }

    #[test]
    fn numbers_stand_for_times_in_one_way() {
        use NumericTime as N;
        for (values, form) in [
            (vec!["20240301", "20241231"], Some(N::Compact)),
            (vec!["20240301101500"], Some(N::Compact)),
            (vec!["1709287200", "1709290000"], Some(N::EpochSeconds)),
            (vec!["1709287200000"], Some(N::EpochMilliseconds)),
            (vec!["45352.41", "45353"], Some(N::Excel)),
            (vec!["1", "711"], Some(N::DayNumber)),
            (vec!["20241301"], None),
            (vec!["x"], None),
            (vec![], None),
        ] {
            assert_eq!(NumericTime::of(&profile(&values)), form, "{values:?}");
        }
    }
}
