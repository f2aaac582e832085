//! How a model is fitted, and which values a parameter may have.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::basket::BasketParameters;
use super::timing::TimingParameters;
use crate::error::{Error, Result};

/// How a model is fitted. The same parameters, data and seed give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Parameters {
    /// Seed of every sampling.
    pub seed: u64,
    /// The timing model's.
    pub timing: TimingParameters,
    /// The basket model's.
    pub basket: BasketParameters,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            seed: 1,
            timing: TimingParameters::default(),
            basket: BasketParameters::default(),
        }
    }
}

impl Parameters {
    /// What parameters were called in earlier versions, and what they are called now. The headers
    /// of model files and `okuo.toml` may have either name.
    pub const RENAMED: [(&str, &str); 2] = [
        ("max_rows", "max_training_rows"),
        ("others", "background_share"),
    ];

    /// Checks every parameter and returns them unchanged.
    ///
    /// # Errors
    /// If a value is out of its range. The message names the parameter and the range.
    pub fn check(self) -> Result<Self> {
        for (section, ranges) in self.ranges() {
            for range in ranges {
                range.check(section)?;
            }
        }
        Ok(self)
    }

    /// The ranges of all parameters, section by section of `okuo.toml`.
    fn ranges(&self) -> [(&'static str, Vec<ParameterRange>); 5] {
        let (timing, basket) = (&self.timing, &self.basket);
        [
            ("training.timing", timing.ranges()),
            ("training.timing.boosting", timing.boosting.ranges()),
            ("training.basket", basket.ranges()),
            ("training.basket.boosting", basket.boosting.ranges()),
            ("training.basket.correction", basket.correction.ranges()),
        ]
    }
}

/// A parameter's key, its value, and the values that it may have.
#[derive(Debug)]
pub(super) struct ParameterRange {
    key: &'static str,
    value: f64,
    allowed: Allowed,
}

impl ParameterRange {
    /// Of a number that may have decimals.
    pub(super) fn real(key: &'static str, value: f64, allowed: Allowed) -> Self {
        Self {
            key,
            value,
            allowed,
        }
    }

    /// Of a whole number.
    pub(super) fn count(key: &'static str, value: usize, allowed: Allowed) -> Self {
        // Exact up to 2^53, which is more than any range allows.
        Self::real(key, value as f64, allowed)
    }

    fn check(&self, section: &str) -> Result<()> {
        let Self {
            key,
            value,
            allowed,
        } = self;
        if allowed.holds(*value) {
            return Ok(());
        }
        Err(Error::request(format!(
            "{section}.{key} should be {allowed}, but is {value}"
        )))
    }
}

/// The values that a parameter may have. None of them is infinite or not a number.
#[derive(Debug, Clone, Copy)]
pub(super) enum Allowed {
    /// This value or more.
    AtLeast(f64),
    /// This value or less.
    AtMost(f64),
    /// The first value to the second, both included.
    Between(f64, f64),
    /// More than this value.
    Above(f64),
    /// A part of 1 that is not empty: more than 0, at most 1.
    PositiveShare,
}

impl Allowed {
    /// A count that must not be 0.
    pub(super) const POSITIVE_COUNT: Self = Self::AtLeast(1.0);
    /// Days of the past that are learned from: at most 10 years.
    pub(super) const DAYS: Self = Self::Between(1.0, 3_653.0);
    /// A part of 1.
    pub(super) const SHARE: Self = Self::Between(0.0, 1.0);

    fn holds(self, value: f64) -> bool {
        value.is_finite()
            && match self {
                Self::AtLeast(least) => value >= least,
                Self::AtMost(most) => value <= most,
                Self::Between(least, most) => (least..=most).contains(&value),
                Self::Above(bound) => value > bound,
                Self::PositiveShare => value > 0.0 && value <= 1.0,
            }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::Between(least, most) => write!(f, "between {least} and {most}"),
            Self::Above(bound) => write!(f, "above {bound}"),
            Self::PositiveShare => write!(f, "above 0 and at most 1"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    fn refusal(change: impl Fn(&mut Parameters)) -> String {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        parameters.check().unwrap_err().to_string()
    }

    #[test]
    fn a_refusal_names_the_parameter_its_range_and_its_value() {
        assert_eq!(
            refusal(|p| p.timing.days = 0),
            "training.timing.days should be between 1 and 3653, but is 0"
        );
        assert_eq!(
            refusal(|p| p.basket.boosting.leaves = 1),
            "training.basket.boosting.leaves should be between 2 and 4096, but is 1"
        );
        assert_eq!(
            refusal(|p| p.basket.correction.ridge = 0.0),
            "training.basket.correction.ridge should be above 0, but is 0"
        );
        assert_eq!(
            refusal(|p| p.basket.new_products = 10_001),
            "training.basket.new_products should be at most 10000, but is 10001"
        );
        assert_eq!(
            refusal(|p| p.basket.min_negatives = 0.0),
            "training.basket.min_negatives should be above 0 and at most 1, but is 0"
        );
        assert_eq!(
            refusal(|p| p.timing.background_share = -0.5),
            "training.timing.background_share should be between 0 and 1, but is -0.5"
        );
    }

    #[test]
    fn what_is_no_number_is_in_no_range() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for allowed in [
                Allowed::AtLeast(1.0),
                Allowed::AtMost(1.0),
                Allowed::SHARE,
                Allowed::Above(0.0),
                Allowed::PositiveShare,
            ] {
                assert!(!allowed.holds(value), "{allowed}: {value}");
            }
        }
    }

    #[test]
    fn the_ends_of_a_range_belong_to_it_where_the_message_says_so() {
        let held = |allowed: Allowed| [0.0, 0.5, 1.0, 1.5].map(|value| allowed.holds(value));
        assert_eq!(held(Allowed::AtLeast(0.5)), [false, true, true, true]);
        assert_eq!(held(Allowed::AtMost(0.5)), [true, true, false, false]);
        assert_eq!(held(Allowed::SHARE), [true, true, true, false]);
        assert_eq!(held(Allowed::Above(0.5)), [false, false, true, true]);
        assert_eq!(held(Allowed::PositiveShare), [false, true, true, false]);
    }

    /// Keys of a table, those of nested tables after the name of theirs.
    fn keys(section: &str, value: &serde_json::Value, found: &mut Vec<String>) {
        for (key, value) in value.as_object().unwrap() {
            let key = format!("{section}.{key}");
            if value.is_object() {
                keys(&key, value, found);
            } else {
                found.push(key);
            }
        }
    }

    #[test]
    fn every_parameter_but_the_seed_has_a_range() {
        let parameters = Parameters::default();
        let mut declared = vec![];
        keys(
            "training",
            &serde_json::to_value(&parameters).unwrap(),
            &mut declared,
        );
        declared.retain(|key| key != "training.seed");
        let mut ranged: Vec<String> = parameters
            .ranges()
            .iter()
            .flat_map(|(section, ranges)| {
                ranges
                    .iter()
                    .map(move |range| format!("{section}.{}", range.key))
            })
            .collect();
        declared.sort();
        ranged.sort();
        assert_eq!(declared, ranged);
        assert!(declared.len() > 30, "{}", declared.len());
    }

    #[test]
    fn former_names_are_understood_in_headers_and_settings() {
        let json = r#"{"timing": {"others": 0.4, "max_rows": 7}, "basket": {"others": 0.5}}"#;
        let of_header: Parameters = serde_json::from_str(json).unwrap();
        assert_eq!(of_header.timing.background_share, 0.4);
        assert_eq!(of_header.timing.max_training_rows, 7);
        assert_eq!(of_header.basket.background_share, 0.5);
        let text =
            "[training.timing]\nothers = 0.4\nmax_rows = 7\n[training.basket]\nothers = 0.5\n";
        let of_settings = Layer::parse("okuo.toml", text).unwrap().training.unwrap();
        let rest = Parameters::default();
        assert_eq!(
            of_settings,
            Parameters {
                timing: TimingParameters {
                    background_share: 0.4,
                    max_training_rows: 7,
                    ..rest.timing
                },
                basket: BasketParameters {
                    background_share: 0.5,
                    ..rest.basket
                },
                ..rest
            }
        );
        let printed = serde_json::to_string(&of_settings).unwrap();
        assert!(printed.contains("background_share") && !printed.contains("others"));
    }
}
