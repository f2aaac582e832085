//! What is offered to a customer: the strategies, and how many offers each of them gets.

use serde::{Deserialize, Serialize};

use crate::domain::{HABIT_GONE_DAYS, HABIT_PURCHASES, ProductPrediction};
use crate::error::{Error, Result};
use crate::settings::{Allowed, section};

/// How many strategies there are.
pub(super) const STRATEGIES: usize = 4;

/// A habit is gone after so many of its gaps without a purchase, and after [`HABIT_GONE_DAYS`].
const GONE_GAPS: f64 = 3.0;

/// Why a product is offered: one of the ways in which an offer could bring something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Likely in the next basket.
    Likely,
    /// Bought regularly, and past its cycle on the expected day.
    Overdue,
    /// Bought regularly once, and gone for weeks.
    Winback,
    /// Never bought by this customer.
    New,
}

impl Strategy {
    /// All strategies, in their order.
    pub const ALL: [Self; STRATEGIES] = [Self::Likely, Self::Overdue, Self::Winback, Self::New];

    /// All strategies. Those with the fewest candidates choose first.
    pub(super) const IN_ORDER: [Self; STRATEGIES] =
        [Self::Winback, Self::New, Self::Overdue, Self::Likely];

    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Strategy::Likely => "likely",
            Strategy::Overdue => "overdue",
            Strategy::Winback => "winback",
            Strategy::New => "new",
        }
    }

    /// The strategy of a word in the table.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::IN_ORDER
            .into_iter()
            .find(|strategy| strategy.word() == word)
    }

    /// Whether it may choose this product for a customer who is expected so many days after the
    /// night.
    #[must_use]
    pub fn may_choose(self, product: &ProductPrediction, days_ahead: i32) -> bool {
        let Some(since) = product.days_since_bought else {
            return matches!(self, Strategy::Likely | Strategy::New);
        };
        let gap = product.typical_gap_days;
        let habit = gap.filter(|_| product.times_bought >= HABIT_PURCHASES);
        let Some(gap) = habit else {
            return self == Strategy::Likely;
        };
        let by_then = since.saturating_add(days_ahead);
        let is_gone = by_then >= HABIT_GONE_DAYS && f64::from(by_then) >= GONE_GAPS * gap;
        match self {
            Strategy::Likely => true,
            Strategy::Overdue => !is_gone && f64::from(by_then) > gap,
            Strategy::Winback => is_gone,
            Strategy::New => false,
        }
    }
}

section! {
    /// `[offers] mix`: the share of the offers that each strategy gets, as weights.
    #[derive(Copy)]
    pub struct OfferMix {
        /// Weight of what is likely in the next basket
        #[setting(default = None, default_note("1 if no weight is given, else 0"), allowed(WEIGHT))]
        pub likely: Option<f64>,
        /// Weight of what is bought regularly and past its cycle on the expected day
        #[setting(default = None, default_note("1 if no weight is given, else 0"), allowed(WEIGHT))]
        pub overdue: Option<f64>,
        /// Weight of what was bought regularly once and is gone, for at least 42 days and 3 of its gaps
        #[setting(default = None, default_note("0.5 if no weight is given, else 0"), allowed(WEIGHT))]
        pub winback: Option<f64>,
        /// Weight of what the customer never bought
        #[setting(default = None, default_note("0.5 if no weight is given, else 0"), allowed(WEIGHT))]
        pub new: Option<f64>,
    }
}

/// What a weight may be.
const WEIGHT: Allowed = Allowed::Between(0.0, 1_000.0);

/// The weights if none is given, in the order of [`Strategy`].
const DEFAULT_WEIGHTS: [f64; STRATEGIES] = [1.0, 1.0, 0.5, 0.5];

impl OfferMix {
    /// All offers are of what is likely.
    pub const ONLY_LIKELY: Self = Self {
        likely: Some(1.0),
        overdue: None,
        winback: None,
        new: None,
    };

    /// # Errors
    /// If weights are given, and all of them are 0.
    pub(super) fn check(&self) -> Result<()> {
        if self.weights().iter().sum::<f64>() > 0.0 {
            return Ok(());
        }
        Err(
            Error::request("the weights of [offers] mix should not all be 0")
                .hint("give at least one of likely, overdue, winback and new a weight above 0, or leave mix out"),
        )
    }

    /// In the order of [`Strategy`].
    fn weights(&self) -> [f64; STRATEGIES] {
        let given = [self.likely, self.overdue, self.winback, self.new];
        match given.iter().all(Option::is_none) {
            true => DEFAULT_WEIGHTS,
            false => given.map(Option::unwrap_or_default),
        }
    }

    /// Whether a strategy has a weight.
    #[must_use]
    pub fn uses(&self, strategy: Strategy) -> bool {
        self.weights()[strategy as usize] > 0.0
    }

    /// How many of some offers each strategy gets, in the order of [`Strategy`]: its share of them,
    /// rounded down or up, so that it is right on average over `draw`, a number from 0 to 1
    /// (systematic sampling).
    pub(crate) fn quotas(&self, offers: usize, draw: f64) -> [usize; STRATEGIES] {
        let weights = self.weights();
        let step = weights.iter().sum::<f64>() / offers.max(1) as f64;
        let mut quotas = [0; STRATEGIES];
        for offer in 0..offers {
            let place = (offer as f64 + draw) * step;
            let mut end = 0.0;
            let chosen = weights.iter().position(|weight| {
                end += weight;
                place < end
            });
            // Rounding may lead past the end: the last strategy with a weight gets it.
            let last = weights.iter().rposition(|weight| *weight > 0.0);
            if let Some(quota) = chosen.or(last).and_then(|at| quotas.get_mut(at)) {
                *quota += 1;
            }
        }
        quotas
    }
}
