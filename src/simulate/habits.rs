//! How a customer shops, drawn once: cadence, weekdays, hours, tastes, absences, and the staples
//! with their cycles.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

use super::Simulation;
use super::catalogue::{CATEGORIES, Catalogue, Today};
use super::parameters::{Kind, Traits};
use crate::error::{Error, Result};

/// The most staples that a customer has at a time.
const MOST_STAPLES: usize = 120;
/// Shape of the gamma distribution of how long one purchase of a staple lasts: a spread of half the
/// mean.
const CONSUMPTION_SHAPE: f64 = 4.0;
/// Chance that a main trip leaves out a staple that has run out.
pub(super) const FORGOTTEN: f64 = 0.22;
/// Staples with a shorter cycle (days) are what top-up trips are for.
pub(super) const FRESH_DAYS: f32 = 9.0;
/// How store traffic is spread over the hours 7 to 21 (Complete Journey's, cut to opening hours).
const HOURS: [f64; 15] = [
    0.010, 0.016, 0.027, 0.045, 0.064, 0.073, 0.077, 0.079, 0.083, 0.094, 0.106, 0.100, 0.082,
    0.064, 0.042,
];
/// Opening hours.
const OPENING: f64 = 7.0;
const CLOSING: f64 = 22.0;
/// The last second of a day at which the tills are open.
pub(super) const LAST_SECOND: i64 = 22 * 3600 - 1;
/// Relative traffic from Monday to Sunday of customers without favourite days.
const WEEKDAYS: [f64; 7] = [0.85, 0.80, 0.78, 0.80, 0.90, 1.45, 1.50];

/// The unit-mean distributions that all customers share.
#[derive(Debug)]
pub(super) struct Laws {
    /// Gaps, one a kind of shopper.
    gaps: Vec<Gamma<f64>>,
    pub(super) consumption: Gamma<f64>,
}

impl Laws {
    pub(super) fn new(traits: &Traits) -> Result<Self> {
        let unit = |shape: f64| {
            Gamma::new(shape, 1.0 / shape)
                .map_err(|e| Error::system("a gamma distribution cannot be set up").source(e))
        };
        Ok(Self {
            gaps: traits
                .kinds
                .iter()
                .map(|(_, kind)| unit(kind.regularity))
                .collect::<Result<_>>()?,
            consumption: unit(CONSUMPTION_SHAPE)?,
        })
    }
}

/// A product on a customer's list, and when it will have run out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    pub(super) product: u32,
    pub(super) cycle_days: f32,
    /// The day on which it runs out.
    pub(super) due: f32,
    /// The days on which it is on the list, the last not included.
    pub(super) from: i32,
    pub(super) until: i32,
}

/// What is fixed about a customer.
#[derive(Debug)]
pub(super) struct Habits {
    kind: usize,
    pub(super) gap_days: f64,
    pub(super) basket: f64,
    pub(super) basket_within: f64,
    top_up: f64,
    pub(super) household: u8,
    /// Relative weights, Monday to Sunday.
    pub(super) weekdays: [f64; 7],
    /// The preferred hour on working days and at weekends, and the spread around them.
    hours: (f64, f64, f64),
    /// Running sums of the categories' weights, ending in 1.
    pub(super) tastes: [f32; CATEGORIES.len()],
    pub(super) loyalty: f64,
    /// Days away: first and last, ascending.
    absences: Vec<(i32, i32)>,
    /// The first day on which the customer may come, and the first on which no longer.
    pub(super) from: i32,
    pub(super) until: i32,
}

impl Habits {
    pub(super) fn draw(simulation: &Simulation, rng: &mut ChaCha8Rng) -> Self {
        let traits = &simulation.traits;
        let (first, end) = (
            simulation.parameters.start.epoch(),
            simulation.parameters.last_day().epoch() + 1,
        );
        let at: f64 = rng.random();
        let mut sum = 0.0;
        let passed = |(share, _): &&(f64, Kind)| {
            sum += share;
            sum < at
        };
        let kind = traits
            .kinds
            .iter()
            .take_while(passed)
            .count()
            .min(traits.kinds.len() - 1);
        let habits = traits.kinds[kind].1;
        let household = [1, 1, 2, 2, 2, 3, 3, 4, 4, 5][rng.random_range(0..10)];
        let size = 0.72 + 0.11 * f64::from(household);
        let gap_days = (habits.gap_days * normal(rng, habits.gap_between).exp()).clamp(1.05, 365.0);
        let basket =
            (habits.basket * size * normal(rng, habits.basket_between).exp()).clamp(1.5, 80.0);
        let mut weekdays = WEEKDAYS;
        let mut prefer = |rng: &mut ChaCha8Rng, weight: f64| {
            weekdays[rng.random_range(0..7)] += weight * habits.weekday_habit
        };
        prefer(rng, 14.0);
        prefer(rng, 5.0);
        let hour = |rng: &mut ChaCha8Rng| {
            let at: f64 = rng.random::<f64>() * HOURS.iter().sum::<f64>();
            let mut sum = 0.0;
            let passed = HOURS.iter().take_while(|share| {
                sum += **share;
                sum < at
            });
            OPENING + passed.count() as f64 + rng.random::<f64>()
        };
        let hours = (hour(rng), hour(rng), rng.random_range(0.5..2.5));
        let pets = rng.random_bool(0.4);
        let mut tastes = [0.0_f32; CATEGORIES.len()];
        let mut weights = 0.0;
        for (sum, category) in tastes.iter_mut().zip(&CATEGORIES) {
            let own = category.sales * normal(rng, 0.6 * traits.individuality).exp();
            weights += if category.name == "pet food" && !pets {
                0.0
            } else {
                own
            };
            *sum = weights as f32;
        }
        tastes.iter_mut().for_each(|sum| *sum /= weights as f32);
        let newcomer = rng.random::<f64>() < traits.newcomers;
        let from = if newcomer {
            rng.random_range(first..end)
        } else {
            first
        };
        let stay = exponential(rng) * 365.25 / traits.churn_per_year;
        let until = (f64::from(from) + stay).min(f64::from(i32::MAX)) as i32;
        Self {
            kind,
            gap_days,
            basket,
            basket_within: habits.basket_within,
            top_up: habits.top_up,
            household,
            weekdays,
            hours,
            tastes,
            loyalty: traits.individuality * rng.random_range(0.2..0.8),
            absences: absences(first, end, rng),
            from,
            until: until.min(end).max(from + 1),
        }
    }

    /// Whole days from one main trip to the next, on average `gap_days`.
    pub(super) fn next_gap(&self, laws: &Laws, rng: &mut ChaCha8Rng) -> i32 {
        // At least one day; the rest is gamma-distributed and rounded up or down by chance, which
        // keeps its mean.
        let rest = (self.gap_days - 1.0) * laws.gaps[self.kind].sample(rng);
        1 + (rest + rng.random::<f64>()).min(1e6) as i32
    }

    /// The offset from a main trip of each day with a top-up trip before the next main trip, `gap`
    /// days later.
    pub(super) fn top_ups(&self, gap: i32, rng: &mut ChaCha8Rng) -> impl Iterator<Item = i32> {
        let mut chance = self.top_up;
        let days = if self.top_up > 0.0 { gap } else { 0 };
        (1..days).filter(move |_| {
            let come = rng.random::<f64>() < chance;
            chance *= 0.75;
            come
        })
    }

    /// Moves a planned day by up to three days to one that suits the customer, and out of absences;
    /// after `last`.
    pub(super) fn suitable(&self, planned: i32, last: i32, rng: &mut ChaCha8Rng) -> i32 {
        const NEAR: [f64; 4] = [1.0, 0.75, 0.45, 0.2];
        let reach = ((self.gap_days / 2.0) as i32).clamp(0, 3);
        let weight = |day: i32| {
            let weekday = (day + 3).rem_euclid(7) as usize;
            if day <= last {
                0.0
            } else {
                NEAR[(day - planned).unsigned_abs().min(3) as usize] * self.weekdays[weekday]
            }
        };
        let mut left =
            rng.random::<f64>() * (planned - reach..=planned + reach).map(weight).sum::<f64>();
        let mut day = (planned - reach..planned + reach)
            .find(|day| {
                left -= weight(*day);
                left < 0.0
            })
            .unwrap_or(planned + reach);
        for (begin, end) in &self.absences {
            if (*begin..=*end).contains(&day) {
                day = end + 1 + rng.random_range(0..2);
            }
        }
        day
    }

    /// The second of the day at which a trip ends, in opening hours.
    pub(super) fn time_of_day(&self, weekday: usize, rng: &mut ChaCha8Rng) -> i64 {
        let preferred = if weekday < 5 {
            self.hours.0
        } else {
            self.hours.1
        };
        let mut hour = preferred + self.hours.2 * rng.sample::<f64, _>(StandardNormal);
        if !(OPENING..CLOSING).contains(&hour) {
            hour = rng.random_range(OPENING..CLOSING); // closed then: some other time
        }
        (hour * 3600.0) as i64
    }
}

/// All staples that the customer ever has: each slot of the list holds one product after the other.
pub(super) fn staples(
    simulation: &Simulation,
    habits: &Habits,
    rng: &mut ChaCha8Rng,
) -> Vec<Planned> {
    let (catalogue, traits) = (&simulation.catalogue, &simulation.traits);
    let share = traits.kinds[habits.kind].1.staple_share;
    let wanted = share * habits.basket / (1.0 - FORGOTTEN) / habits.gap_days; // purchases of staples a day
    let consumption = 0.55 + 0.18 * f64::from(habits.household);
    let mut all: Vec<Planned> = Vec::new();
    let mut planned = 0.0;
    let mut slots = 0;
    while planned < wanted && slots < MOST_STAPLES {
        slots += 1;
        let mut from = habits.from;
        while from < habits.until {
            let Some(staple) = staple(catalogue, habits, &all, from, consumption, rng) else {
                break;
            };
            if from == habits.from {
                planned += 1.0 / f64::from(staple.cycle_days).max(habits.gap_days);
            }
            let stay = (exponential(rng) * traits.staple_life_days).min(1e6) as i32;
            let until = (from + stay.max(14))
                .min(catalogue.until(staple.product))
                .max(from + 1);
            all.push(Planned {
                until: until.min(habits.until),
                ..staple
            });
            from = until;
        }
    }
    all
}

/// A product that is not on the list at that time, with its cycle.
fn staple(
    catalogue: &Catalogue,
    habits: &Habits,
    all: &[Planned],
    from: i32,
    consumption: f64,
    rng: &mut ChaCha8Rng,
) -> Option<Planned> {
    let most = CATEGORIES
        .iter()
        .map(|category| category.staple)
        .fold(0.0, f64::max);
    for _ in 0..200 {
        let at: f32 = rng.random();
        let category = habits
            .tastes
            .partition_point(|sum| *sum < at)
            .min(CATEGORIES.len() - 1);
        if rng.random::<f64>() * most > CATEGORIES[category].staple {
            continue;
        }
        let Some(product) = catalogue.pick_in(category as u8, from, rng) else {
            continue;
        };
        if all
            .iter()
            .any(|known| known.product == product && known.until > from)
        {
            continue;
        }
        let cycle = CATEGORIES[category].cycle_days * normal(rng, 0.45).exp() / consumption;
        let cycle_days = cycle.clamp(3.0, 150.0) as f32;
        let due = from as f32 + cycle_days * rng.random::<f32>();
        return Some(Planned {
            product,
            cycle_days,
            due,
            from,
            until: i32::MAX,
        });
    }
    None
}

/// Holidays (about 1.2 a year of 6 to 16 days, mostly in summer) and rare long lapses (6 to 12
/// weeks).
fn absences(first: i32, end: i32, rng: &mut ChaCha8Rng) -> Vec<(i32, i32)> {
    let mut all = Vec::new();
    let mut day = f64::from(first);
    loop {
        day += exponential(rng) * 365.25 / 2.4;
        if day >= f64::from(end) {
            return all;
        }
        let begin = day as i32;
        let long = rng.random_bool(0.03);
        let summer = (Today::new(begin).day_of_year - 205).abs() < 45;
        if !long && !summer && rng.random_bool(0.6) {
            continue; // planned, and not taken
        }
        let length = if long {
            rng.random_range(42..85)
        } else {
            rng.random_range(6..=16)
        };
        all.push((begin, begin + length - 1));
        day += f64::from(length);
    }
}

/// A normal draw with mean 0.
pub(super) fn normal(rng: &mut ChaCha8Rng, deviation: f64) -> f64 {
    deviation * rng.sample::<f64, _>(StandardNormal)
}

fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    rng.sample(Exp1)
}
