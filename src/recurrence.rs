//! The recurrence rule and its funnel: which customers come back regularly.

mod closed_days;
mod grid;
mod lately;
mod population;

use rayon::prelude::*;
use serde::Serialize;

use crate::calendar::Day;
use crate::domain::Funnel;
use crate::error::{Error, Result};
use crate::purchases::{CustomerPurchases, History};
use crate::settings::{Allowed, section};
pub use closed_days::{ClosedDays, SalesByDay};
pub use grid::{GridRow, RuleGrid};
pub use lately::RecentPurchases;
pub use population::{PopulationSummary, Provenance};

section! {
    /// "More than one purchase every 30 days, and every purchase with more than 10 products", with its
    /// parameters.
    ///
    /// In each of the last `periods` periods of `period_days` days, counted back from and including
    /// the as-of date, at least `min_purchases` purchases; and of all purchases in those periods, at
    /// least the share `basket_share` with `min_products` distinct products or more.
    #[derive(Copy)]
    pub struct Rule {
        /// Length of a period of the rule, in days
        #[setting(
            default = 30,
            allowed(Allowed::POSITIVE_COUNT),
            value("DAYS"),
            hint("it is the length of a period in days: 30 is a month")
        )]
        pub period_days: u32,
        /// How many periods the rule looks back
        #[setting(
            default = 3,
            allowed(Allowed::POSITIVE_COUNT),
            value("N"),
            hint("it is how many periods the rule looks back on: 3 of 30 days are 90 days")
        )]
        pub periods: u32,
        /// Fewest purchases in each period
        #[setting(
            default = 2,
            allowed(Allowed::POSITIVE_COUNT),
            value("N"),
            hint("it is the fewest purchases in each period; 1 asks the least")
        )]
        pub min_purchases: u32,
        /// Fewest distinct products of a large basket
        #[setting(
            default = 11,
            allowed(Allowed::POSITIVE_COUNT),
            value("N"),
            hint("it is the fewest products of a large basket; 1 takes every basket for large")
        )]
        pub min_products: u32,
        /// Share of the purchases that must have a large basket
        #[setting(
            default = 1.0,
            default_note("every one"),
            allowed(Allowed::SHARE),
            value("SHARE"),
            hint("it is the share of the purchases that must have a large basket: 0.5 is every second one, 1 every one")
        )]
        pub basket_share: f64,
    }
}

/// The rule looks back at most so many days: ten years.
const MOST_DAYS: u64 = 3_653;

impl Rule {
    /// How many purchases to ask of a customer: as many as are `wanted`, but no more than one who
    /// meets the rule has.
    #[must_use]
    pub fn least_purchases(&self, wanted: usize) -> usize {
        let of_rule = self.periods.saturating_mul(self.min_purchases) as usize;
        wanted.min(of_rule).max(1)
    }

    /// The rule itself, if its parameters make sense.
    ///
    /// # Errors
    /// If a value is out of its range, or the rule looks back more than 10 years.
    pub fn check(self) -> Result<Self> {
        self.check_ranges("")?;
        if u64::from(self.period_days) * u64::from(self.periods) > MOST_DAYS {
            return Err(Error::request(format!(
                "periods × period_days should be at most {MOST_DAYS} days, but is {} × {}",
                self.periods, self.period_days
            ))
            .hint("it is how far the rule looks back: 3 periods of 30 days are 90 days"));
        }
        Ok(self)
    }

    /// How many days the rule looks back, the as-of date included.
    #[must_use]
    pub fn window_days(&self) -> i32 {
        (self.period_days * self.periods) as i32
    }

    /// How far a customer with these purchases gets on the night.
    #[must_use]
    pub fn standing(&self, purchases: &CustomerPurchases<'_>, night: Day) -> Standing {
        let known = purchases.until(night);
        if known.is_empty() {
            return Standing::Unseen;
        }
        let periods = self.counts(&known, night);
        let purchases: u32 = periods.iter().map(|period| period.purchases).sum();
        if purchases == 0 {
            return Standing::Seen;
        }
        if periods
            .iter()
            .any(|period| period.purchases < self.min_purchases)
        {
            return Standing::Active;
        }
        let large: u32 = periods.iter().map(|period| period.large_baskets).sum();
        Standing::Frequent {
            share: f64::from(large) / f64::from(purchases),
        }
    }

    /// What a customer with these purchases did in each period that the rule looks at on the night,
    /// the latest first.
    #[must_use]
    pub fn counts(&self, purchases: &CustomerPurchases<'_>, night: Day) -> Vec<PeriodCount> {
        let length = self.period_days.max(1) as i32;
        let mut counts: Vec<PeriodCount> = (0..self.periods as i32)
            .map(|back| PeriodCount::empty(night - back * length, length))
            .collect();
        for (day, basket) in purchases.until(night).iter().rev() {
            let Some(count) = counts.get_mut(((night - day) / length) as usize) else {
                break;
            };
            count.purchases += 1;
            count.large_baskets += u32::from(basket.len() >= self.min_products as usize);
        }
        counts
    }

    /// Whether a customer nearly meets the rule on the night: frequent, with 40 % of the large
    /// baskets that it asks for. Models learn from such customers first.
    #[must_use]
    pub fn nearly_met(&self, purchases: &CustomerPurchases<'_>, night: Day) -> bool {
        Rule {
            basket_share: 0.4 * self.basket_share,
            ..*self
        }
        .met(purchases, night)
    }

    /// Whether a customer with these purchases is recurrent on the night.
    #[must_use]
    pub fn met(&self, purchases: &CustomerPurchases<'_>, night: Day) -> bool {
        self.standing(purchases, night).has_share(self.basket_share)
    }
}

/// What one customer did in one period of the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PeriodCount {
    /// Its first day.
    pub first: Day,
    /// Its last day.
    pub last: Day,
    /// Purchases in it.
    pub purchases: u32,
    /// Of those, purchases with a large basket.
    pub large_baskets: u32,
}

impl PeriodCount {
    /// A period of `length` days without a purchase.
    fn empty(last: Day, length: i32) -> Self {
        Self {
            first: last - (length - 1),
            last,
            purchases: 0,
            large_baskets: 0,
        }
    }
}

/// How far one customer gets through the rule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// No purchase yet.
    Unseen,
    /// Has bought, but not in the rule's window.
    Seen,
    /// Has bought in the window, but not often enough in each period.
    Active,
    /// Buys often enough; `share` of the purchases in the window have a large basket.
    Frequent {
        /// Share of large baskets, 0 to 1.
        share: f64,
    },
}

impl Standing {
    /// Whether the customer is frequent, with at least this share of large baskets.
    fn has_share(self, least: f64) -> bool {
        matches!(self, Standing::Frequent { share } if share >= least)
    }
}

/// The recurrent customers of a night, by ascending code, and the funnel.
#[must_use]
pub fn recurrent(history: &History<'_>, rule: &Rule) -> (Vec<u32>, Funnel) {
    let night = history.as_of().day();
    let standings: Vec<Standing> = (0..history.customer_count())
        .into_par_iter()
        .map(|customer| rule.standing(&history.purchases_of(customer), night))
        .collect();
    let customers = (0..history.customer_count())
        .zip(&standings)
        .filter(|(_, standing)| standing.has_share(rule.basket_share))
        .map(|(customer, _)| customer)
        .collect();
    (customers, funnel(&standings, rule))
}

/// How many of the customers with these standings pass each part of the rule.
fn funnel(standings: &[Standing], rule: &Rule) -> Funnel {
    Funnel {
        seen: count(standings, |standing| *standing != Standing::Unseen),
        active: count(standings, |standing| {
            !matches!(standing, Standing::Unseen | Standing::Seen)
        }),
        frequent: count(standings, |standing| standing.has_share(0.0)),
        large_baskets: count(
            standings,
            |standing| matches!(standing, Standing::Frequent { share } if *share > 0.0),
        ),
        recurrent: count(standings, |standing| standing.has_share(rule.basket_share)),
        by_basket_share: [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
            .map(|share| {
                (
                    share,
                    count(standings, |standing| standing.has_share(share)),
                )
            })
            .to_vec(),
    }
}

fn count(standings: &[Standing], passes: impl Fn(&Standing) -> bool) -> usize {
    standings.iter().filter(|standing| passes(standing)).count()
}

#[cfg(test)]
mod tests;
