//! The parameters of a simulation, and the numbers behind each [`Style`] of store.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::calendar::{DateRange, Day, StoreClock};
use crate::error::{Error, Result};

/// What to simulate. The defaults are those of the sample in data/.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulationParameters {
    /// What the store's customers and products are like.
    pub style: Style,
    /// The seed of all draws.
    pub seed: u64,
    /// How many customers there are over the whole history, 1 to 100,000,000; some may never come.
    pub customers: u32,
    /// How many products there are over the whole history, 100 to 1,000,000.
    pub products: u32,
    /// The first day.
    pub start: Day,
    /// How many days, 1 to 3,653.
    pub days: u32,
    /// The store's IANA time zone, if times shall be naive UTC; without it they are store-local.
    pub utc_zone: Option<String>,
}

impl Default for SimulationParameters {
    fn default() -> Self {
        Self {
            style: Style::Grocery,
            seed: 1,
            customers: 330,
            products: 1_800,
            start: Day::from_epoch(20_089), // 2025-01-01
            days: 365,
            utc_zone: None,
        }
    }
}

impl SimulationParameters {
    /// The parameters themselves, if they make sense.
    ///
    /// # Errors
    /// If a number is out of its range, the span leaves the years 1990 to 2099, or the time zone
    /// does not exist.
    pub fn check(self) -> Result<Self> {
        check_range("customers", self.customers, 1..=100_000_000)?;
        check_range("products", self.products, 100..=1_000_000)?;
        check_range("days", self.days, 1..=3_653)?;
        for (name, day) in [("start", self.start), ("start + days − 1", self.last_day())] {
            if !Day::PLAUSIBLE.contains(&day) {
                return Err(Error::request(format!(
                    "{name} should be between {} and {}, but is {day}",
                    Day::PLAUSIBLE.start(),
                    Day::PLAUSIBLE.end()
                ))
                .hint("choose --start and --days so that the tickets lie between these years"));
            }
        }
        self.zone()?;
        Ok(self)
    }

    /// The days of the history.
    #[must_use]
    pub fn span(&self) -> DateRange {
        DateRange {
            first: self.start,
            last: self.last_day(),
        }
    }

    /// The last day.
    #[must_use]
    pub fn last_day(&self) -> Day {
        self.start
            + i32::try_from(self.days)
                .unwrap_or(i32::MAX)
                .saturating_sub(1)
    }

    /// The zone of the store, if times shall be UTC.
    pub(super) fn zone(&self) -> Result<Option<Tz>> {
        let Some(name) = &self.utc_zone else {
            return Ok(None);
        };
        let clock = StoreClock::new(name, false, 0)?; // its error names the nearest zone
        clock
            .zone()
            .parse()
            .map(Some)
            .map_err(|_| Error::request(format!("the time zone \"{name}\" does not exist")))
    }
}

fn check_range(name: &str, value: u32, range: RangeInclusive<u32>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Error::request(format!(
        "{name} should be between {} and {}, but is {value}",
        range.start(),
        range.end()
    ))
    .hint("`okuo simulate --help` shows the values that it takes by itself"))
}

/// What a store's customers and products are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// A supermarket: weekly planners, weekly shops with top-up trips, frequent small baskets,
    /// occasional customers.
    #[default]
    Grocery,
    /// A corner store: almost daily small baskets, mostly of the same products.
    Dense,
    /// Few purchases a customer, few of the same products again: what is popular wins.
    Sparse,
    /// A supermarket in which most products, and the visits, follow the time of the year.
    Seasonal,
    /// A supermarket in which tastes and popularity change from month to month, and many products
    /// come and go.
    Drifting,
    /// A supermarket in which one product in seven is promoted in any week, and then sells six times
    /// as often.
    Promotions,
}

impl Style {
    /// All styles.
    pub const ALL: [Style; 6] = [
        Style::Grocery,
        Style::Dense,
        Style::Sparse,
        Style::Seasonal,
        Style::Drifting,
        Style::Promotions,
    ];

    /// The style's name in parameters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Style::Grocery => "grocery",
            Style::Dense => "dense",
            Style::Sparse => "sparse",
            Style::Seasonal => "seasonal",
            Style::Drifting => "drifting",
            Style::Promotions => "promotions",
        }
    }

    /// The numbers behind the style.
    pub(super) fn parameters(self) -> StyleParameters {
        let grocery = StyleParameters::grocery();
        match self {
            Style::Grocery => grocery,
            Style::Dense => StyleParameters {
                segments: vec![(0.8, DAILY), (0.2, FREQUENT)],
                churn_per_year: 0.05,
                ..grocery
            },
            Style::Sparse => StyleParameters {
                segments: vec![
                    (0.9, RARE),
                    (
                        0.1,
                        ShopperSegment {
                            staple_share: 0.04,
                            ..OCCASIONAL
                        },
                    ),
                ],
                popularity_exponent: 1.6,
                popularity_shift: 1.0,
                individuality: 0.2,
                newcomers: 0.5,
                churn_per_year: 0.4,
                ..grocery
            },
            Style::Seasonal => StyleParameters {
                season: 3.0,
                visit_season: 0.3,
                ..grocery
            },
            Style::Drifting => StyleParameters {
                popularity_drift: 0.95,
                staple_life_days: 75.0,
                turnover: 0.5,
                churn_per_year: 0.25,
                ..grocery
            },
            Style::Promotions => StyleParameters {
                promotion_share: 1.0 / 7.0,
                promotion_lift: 6.0,
                ..grocery
            },
        }
    }
}

impl fmt::Display for Style {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Style {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Style::ALL
            .into_iter()
            .find(|style| style.name() == text)
            .ok_or_else(|| {
                let names = Style::ALL.map(Style::name).join(", ");
                Error::request(format!("\"{text}\" is not a style of store"))
                    .hint(format!("use one of {names}"))
            })
    }
}

/// The numbers behind a [`Style`].
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StyleParameters {
    /// The segments of shoppers, each with its share.
    pub(super) segments: Vec<(f64, ShopperSegment)>,
    /// The product of rank r in its category has popularity (r + shift)^−exponent
    /// (Zipf–Mandelbrot).
    pub(super) popularity_exponent: f64,
    /// See `popularity_exponent`: a larger shift makes the most popular products less dominant.
    pub(super) popularity_shift: f64,
    /// Scales how far customers' tastes differ, and their loyalty to brands; 0 makes all alike.
    pub(super) individuality: f64,
    /// Scales the seasons of products; above 1, every product has one.
    pub(super) season: f64,
    /// Amplitude of the yearly wave in the rate of visits, 0 to 1.
    pub(super) visit_season: f64,
    /// Amplitude of each product's own slow wave of popularity, 0 to 1.
    pub(super) popularity_drift: f64,
    /// Mean days for which a product stays a customer's staple.
    pub(super) staple_life_days: f64,
    /// Share of the products that are launched, and that are discontinued, in a year.
    pub(super) turnover: f64,
    /// The share of a product's weeks in which it is promoted.
    pub(super) promotion_share: f64,
    /// How much more a product sells in a promotion week.
    pub(super) promotion_lift: f64,
    /// Share of the customers who first come in the middle.
    pub(super) newcomers: f64,
    /// Rate at which customers leave for good, per year.
    pub(super) churn_per_year: f64,
}

impl StyleParameters {
    fn grocery() -> Self {
        Self {
            segments: vec![
                (0.36, PLANNER),
                (0.28, MIXER),
                (0.16, FREQUENT),
                (0.20, OCCASIONAL),
            ],
            popularity_exponent: 1.0,
            popularity_shift: 4.0,
            individuality: 1.0,
            season: 1.0,
            visit_season: 0.05,
            popularity_drift: 0.2,
            staple_life_days: 500.0,
            turnover: 0.08,
            promotion_share: 0.06,
            promotion_lift: 2.0,
            newcomers: 0.12,
            churn_per_year: 0.10,
        }
    }
}

/// A segment of shoppers. Spreads are standard deviations of logarithms.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ShopperSegment {
    /// Median over customers of the mean days between main trips.
    pub(super) gap_days: f64,
    /// Spread of these means over customers.
    pub(super) gap_spread: f64,
    /// Shape of the gamma distribution of gaps: higher is more regular.
    pub(super) regularity: f64,
    /// Median over customers of the mean products in a main trip's basket.
    pub(super) basket: f64,
    /// Spread of these baskets over customers.
    pub(super) basket_spread: f64,
    /// Spread of the basket over the main trips of one customer.
    pub(super) trip_spread: f64,
    /// Chance of a top-up trip on the day after a main trip. It falls by a quarter each further
    /// day.
    pub(super) top_up: f64,
    /// The share of a basket that staples fill on average.
    pub(super) staple_share: f64,
    /// How strongly a customer prefers some weekdays, 0 to 1.
    pub(super) weekday_habit: f64,
}

/// A large basket once a week.
const PLANNER: ShopperSegment = ShopperSegment {
    gap_days: 6.8,
    gap_spread: 0.22,
    regularity: 6.0,
    basket: 21.0,
    basket_spread: 0.25,
    trip_spread: 0.24,
    top_up: 0.0,
    staple_share: 0.42,
    weekday_habit: 0.75,
};
/// A weekly shop, with top-up trips in between.
const MIXER: ShopperSegment = ShopperSegment {
    gap_days: 7.0,
    gap_spread: 0.35,
    regularity: 2.5,
    basket: 15.0,
    basket_spread: 0.4,
    trip_spread: 0.6,
    top_up: 0.3,
    staple_share: 0.42,
    weekday_habit: 0.5,
};
/// A small basket every few days.
const FREQUENT: ShopperSegment = ShopperSegment {
    gap_days: 2.6,
    gap_spread: 0.3,
    regularity: 1.3,
    basket: 5.0,
    basket_spread: 0.5,
    trip_spread: 0.8,
    top_up: 0.0,
    staple_share: 0.4,
    weekday_habit: 0.25,
};
/// Comes now and then.
const OCCASIONAL: ShopperSegment = ShopperSegment {
    gap_days: 16.0,
    gap_spread: 0.5,
    regularity: 1.2,
    basket: 8.0,
    basket_spread: 0.6,
    trip_spread: 0.8,
    top_up: 0.03,
    staple_share: 0.35,
    weekday_habit: 0.25,
};
/// A small basket nearly every day, mostly of the same products.
const DAILY: ShopperSegment = ShopperSegment {
    gap_days: 1.4,
    gap_spread: 0.12,
    regularity: 1.0,
    basket: 4.0,
    basket_spread: 0.35,
    trip_spread: 0.5,
    top_up: 0.0,
    staple_share: 0.65,
    weekday_habit: 0.2,
};
/// Comes every few weeks, mostly for other products than before.
const RARE: ShopperSegment = ShopperSegment {
    gap_days: 45.0,
    gap_spread: 0.5,
    regularity: 1.0,
    basket: 5.0,
    basket_spread: 0.5,
    trip_spread: 0.6,
    top_up: 0.0,
    staple_share: 0.03,
    weekday_habit: 0.1,
};
