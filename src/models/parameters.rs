//! How a model is fitted.

use super::basket::BasketParameters;
use super::timing::TimingParameters;
use crate::error::Result;
use crate::settings::{Allowed, Scope, section};

/// Days of the past that a model may learn from: at most ten years.
pub(super) const TRAINING_DAYS: Allowed = Allowed::Between(1.0, 3_653.0);

/// Most person-days of a fast training.
const FAST_PERSON_DAYS: usize = 150_000;
/// Most trees of a fast training, and their step length if there would be more.
const FAST_TREES: usize = 100;
/// See [`FAST_TREES`].
const FAST_LEARNING_RATE: f64 = 0.06;

section! {
    /// How a model is fitted. The same parameters, data and seed give the same bytes.
    pub struct Parameters {
        /// Seed of all random choices
        #[setting(default = 1, flag(Scope::Training), value("N"))]
        pub seed: u64,
        /// Train in about half the time: on fewer rows, with fewer trees, somewhat less accurate
        #[setting(default = false, flag(Scope::Training), value("BOOL"))]
        pub fast: bool,
        /// The timing model: when a customer comes back
        #[setting(default = TimingParameters::default())]
        pub timing: TimingParameters,
        /// The basket model: what will be in the basket
        #[setting(default = BasketParameters::default())]
        pub basket: BasketParameters,
    }
}

impl Parameters {
    /// Checks every parameter and returns them unchanged.
    ///
    /// # Errors
    /// If a value is out of its range. The message names the parameter and the range.
    pub fn check(self) -> Result<Self> {
        self.check_ranges("training.")?;
        Ok(self)
    }

    /// What a fit works with: with `fast`, no more rows and trees than these.
    #[must_use]
    pub(super) fn in_effect(&self) -> Self {
        let mut parameters = self.clone();
        if self.fast {
            let (timing, basket) = (&mut parameters.timing, &mut parameters.basket);
            timing.max_training_rows = timing.max_training_rows.min(FAST_PERSON_DAYS);
            basket.max_days = basket.max_days.min(basket.days);
            if basket.boosting.trees > FAST_TREES {
                basket.boosting.trees = FAST_TREES;
                basket.boosting.learning_rate = FAST_LEARNING_RATE;
            }
        }
        parameters
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layer;

    fn refusal(change: impl Fn(&mut Parameters)) -> String {
        let mut parameters = Parameters::default();
        change(&mut parameters);
        let error = parameters.check().unwrap_err().to_string();
        let (refusal, hint) = error.split_once("\nhint: ").unwrap();
        assert!(hint.starts_with("it means: "), "{error}");
        refusal.to_owned()
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
    fn fast_takes_fewer_rows_and_trees_and_no_more_than_are_set() {
        let mut parameters = Parameters {
            fast: true,
            ..Parameters::default()
        };
        let fast = parameters.in_effect();
        assert_eq!(fast.basket.boosting.trees, 100);
        assert_eq!(fast.timing.max_training_rows, 150_000);
        assert_eq!(fast.basket.max_days, fast.basket.days);
        parameters.basket.boosting.trees = 20;
        parameters.basket.boosting.learning_rate = 0.3;
        let boosting = parameters.in_effect().basket.boosting;
        assert_eq!((boosting.trees, boosting.learning_rate), (20, 0.3));
        // The same again, and nothing where it is not asked for.
        assert_eq!(fast.in_effect(), fast);
        assert_eq!(Parameters::default().in_effect(), Parameters::default());
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
        let of_settings = Layer::parse("okuo.toml", text)
            .unwrap()
            .check()
            .unwrap()
            .parameters;
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
