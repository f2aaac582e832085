//! How a customer shops, which is drawn once: gaps, weekdays, hours, tastes, absences, and the
//! staples with their cycles.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Gamma, StandardNormal};

use super::Simulation;
use super::catalogue::{CATEGORIES, Catalogue, Today};
use super::parameters::{ShopperSegment, StyleParameters};
use crate::calendar::{DateRange, Day};
use crate::error::{Error, Result};

/// The most staples that a customer has at a time.
const MAX_STAPLES: usize = 120;
/// Shape of the gamma distribution of how long one purchase of a staple lasts. Its standard
/// deviation is half the mean.
const CONSUMPTION_SHAPE: f64 = 4.0;
/// Chance that a main trip leaves out a staple that has run out.
pub(super) const FORGOTTEN: f64 = 0.22;
/// Staples with a shorter cycle (days) are what top-up trips are for.
pub(super) const FRESH_DAYS: f32 = 9.0;
/// Relative traffic in the hours from 7 to 21 (Complete Journey's, cut to opening hours).
const HOUR_WEIGHTS: [f64; 15] = [
    0.010, 0.016, 0.027, 0.045, 0.064, 0.073, 0.077, 0.079, 0.083, 0.094, 0.106, 0.100, 0.082,
    0.064, 0.042,
];
/// The hour at which the store opens.
const OPENING: f64 = 7.0;
/// The hour at which it closes.
const CLOSING: f64 = 22.0;
/// The last second of a day at which the tills are open.
pub(super) const LAST_SECOND: i64 = 22 * 3600 - 1;
/// Relative traffic from Monday to Sunday of customers without favourite days.
const WEEKDAY_WEIGHTS: [f64; 7] = [0.85, 0.80, 0.78, 0.80, 0.90, 1.45, 1.50];

/// The distributions that all customers share, with a mean of 1.
#[derive(Debug)]
pub(super) struct Distributions {
    /// Gaps between main trips, one distribution a segment.
    gaps: Vec<Gamma<f64>>,
    pub(super) consumption: Gamma<f64>,
}

impl Distributions {
    pub(super) fn new(style: &StyleParameters) -> Result<Self> {
        let gaps = style
            .segments
            .iter()
            .map(|(_, segment)| gamma_of_mean_one(segment.regularity))
            .collect::<Result<_>>()?;
        Ok(Self {
            gaps,
            consumption: gamma_of_mean_one(CONSUMPTION_SHAPE)?,
        })
    }
}

fn gamma_of_mean_one(shape: f64) -> Result<Gamma<f64>> {
    Gamma::new(shape, 1.0 / shape)
        .map_err(|error| Error::system("a gamma distribution cannot be set up").source(error))
}

/// A product that a customer buys again and again.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedStaple {
    pub(super) product: u32,
    /// Mean days until it has run out.
    pub(super) cycle_days: f32,
    /// The day on which it has run out.
    pub(super) due: f32,
    /// The first day on which it is a staple.
    pub(super) from: i32,
    /// The first day on which it is no longer one.
    pub(super) until: i32,
}

/// What stays the same about a customer.
#[derive(Debug)]
pub(super) struct Habits {
    /// Position in the style's segments.
    segment: usize,
    /// Mean days between main trips.
    pub(super) gap_days: f64,
    /// Mean products in the basket of a main trip.
    pub(super) basket: f64,
    /// Spread of the basket over main trips.
    pub(super) basket_spread: f64,
    /// Chance of a top-up trip on the day after a main trip.
    top_up: f64,
    /// How many people live in the household.
    pub(super) household: u8,
    /// Relative weights, Monday to Sunday.
    pub(super) weekdays: [f64; 7],
    hours: PreferredHours,
    /// Running sums of the categories' weights, ending in 1.
    pub(super) tastes: [f32; CATEGORIES.len()],
    /// Chance to leave a brand that is not the favourite.
    pub(super) loyalty: f64,
    /// Absences in the order of their first days.
    absences: Vec<DateRange>,
    /// The first day on which the customer may come.
    pub(super) from: i32,
    /// The first day on which the customer no longer comes.
    pub(super) until: i32,
}

/// The hours of the day at which a customer likes to come.
#[derive(Debug)]
struct PreferredHours {
    working_day: f64,
    weekend: f64,
    /// Standard deviation around both.
    deviation: f64,
}

impl Habits {
    /// Draws a customer. The order of the draws is part of what a seed stands for.
    pub(super) fn draw(simulation: &Simulation, rng: &mut ChaCha8Rng) -> Self {
        let style = &simulation.style;
        let span = simulation.parameters.span();
        let (segment_position, segment) = draw_segment(&style.segments, rng);
        let household = [1, 1, 2, 2, 2, 3, 3, 4, 4, 5][rng.random_range(0..10)];
        let size = 0.72 + 0.11 * f64::from(household);
        let gap_days =
            (segment.gap_days * normal(rng, segment.gap_spread).exp()).clamp(1.05, 365.0);
        let basket =
            (segment.basket * size * normal(rng, segment.basket_spread).exp()).clamp(1.5, 80.0);
        let weekdays = draw_weekdays(segment.weekday_habit, rng);
        let hours = PreferredHours {
            working_day: draw_hour(rng),
            weekend: draw_hour(rng),
            deviation: rng.random_range(0.5..2.5),
        };
        let tastes = draw_tastes(style.individuality, rng);
        let (from, until) = draw_days_as_customer(span, style, rng);
        Self {
            segment: segment_position,
            gap_days,
            basket,
            basket_spread: segment.trip_spread,
            top_up: segment.top_up,
            household,
            weekdays,
            hours,
            tastes,
            loyalty: style.individuality * rng.random_range(0.2..0.8),
            absences: draw_absences(span, rng),
            from,
            until,
        }
    }

    /// Whole days from one main trip to the next, on average `gap_days`.
    pub(super) fn next_gap(&self, distributions: &Distributions, rng: &mut ChaCha8Rng) -> i32 {
        // At least one day. The rest is gamma-distributed and rounded up or down at random, which
        // keeps its mean.
        let rest = (self.gap_days - 1.0) * distributions.gaps[self.segment].sample(rng);
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

    /// Moves a planned day by up to three days to one that suits the customer, after `last` and out
    /// of absences.
    pub(super) fn suitable(&self, planned: i32, last: i32, rng: &mut ChaCha8Rng) -> i32 {
        let reach = ((self.gap_days / 2.0) as i32).clamp(0, 3);
        let weights: f64 = (planned - reach..=planned + reach)
            .map(|day| self.suitability(day, planned, last))
            .sum();
        let mut left = rng.random::<f64>() * weights;
        let mut day = (planned - reach..planned + reach)
            .find(|day| {
                left -= self.suitability(*day, planned, last);
                left < 0.0
            })
            .unwrap_or(planned + reach);
        for absence in &self.absences {
            if absence.contains(Day::from_epoch(day)) {
                day = absence.last.epoch() + 1 + rng.random_range(0..2);
            }
        }
        day
    }

    /// How well a day suits in place of the planned one; not at all up to `last`.
    fn suitability(&self, day: i32, planned: i32, last: i32) -> f64 {
        /// By how many days it is moved.
        const NEARNESS: [f64; 4] = [1.0, 0.75, 0.45, 0.2];
        if day <= last {
            return 0.0;
        }
        let moved_by = (day - planned).unsigned_abs().min(3) as usize;
        NEARNESS[moved_by] * self.weekdays[Day::from_epoch(day).weekday()]
    }

    /// The second of the day at which a trip ends, in opening hours.
    pub(super) fn time_of_day(&self, weekday: usize, rng: &mut ChaCha8Rng) -> i64 {
        let preferred = if weekday < 5 {
            self.hours.working_day
        } else {
            self.hours.weekend
        };
        let mut hour = preferred + self.hours.deviation * rng.sample::<f64, _>(StandardNormal);
        if !(OPENING..CLOSING).contains(&hour) {
            hour = rng.random_range(OPENING..CLOSING); // closed then: some other time
        }
        (hour * 3600.0) as i64
    }
}

/// A segment by the segments' shares, with its position.
fn draw_segment<'a>(
    segments: &'a [(f64, ShopperSegment)],
    rng: &mut ChaCha8Rng,
) -> (usize, &'a ShopperSegment) {
    let at: f64 = rng.random();
    let mut sum = 0.0;
    let position = segments
        .iter()
        .take_while(|(share, _)| {
            sum += share;
            sum < at
        })
        .count()
        .min(segments.len() - 1);
    (position, &segments[position].1)
}

/// Relative weights of the weekdays, two of which the customer prefers.
fn draw_weekdays(habit: f64, rng: &mut ChaCha8Rng) -> [f64; 7] {
    let mut weights = WEEKDAY_WEIGHTS;
    for preference in [14.0, 5.0] {
        weights[rng.random_range(0..7)] += preference * habit;
    }
    weights
}

/// A time of day by the store's traffic, in hours.
fn draw_hour(rng: &mut ChaCha8Rng) -> f64 {
    let at: f64 = rng.random::<f64>() * HOUR_WEIGHTS.iter().sum::<f64>();
    let mut sum = 0.0;
    let passed = HOUR_WEIGHTS.iter().take_while(|weight| {
        sum += **weight;
        sum < at
    });
    OPENING + passed.count() as f64 + rng.random::<f64>()
}

/// Running sums of the weights that the categories have for a customer, ending in 1.
fn draw_tastes(individuality: f64, rng: &mut ChaCha8Rng) -> [f32; CATEGORIES.len()] {
    let has_pets = rng.random_bool(0.4);
    let mut tastes = [0.0_f32; CATEGORIES.len()];
    let mut sum = 0.0;
    for (taste, category) in tastes.iter_mut().zip(&CATEGORIES) {
        let weight = category.sales * normal(rng, 0.6 * individuality).exp();
        sum += if category.name == "pet food" && !has_pets {
            0.0
        } else {
            weight
        };
        *taste = sum as f32;
    }
    tastes.iter_mut().for_each(|taste| *taste /= sum as f32);
    tastes
}

/// The first day on which a customer may come, and the first on which the customer no longer does.
fn draw_days_as_customer(
    span: DateRange,
    style: &StyleParameters,
    rng: &mut ChaCha8Rng,
) -> (i32, i32) {
    let (first, end) = (span.first.epoch(), span.last.epoch() + 1);
    let is_newcomer = rng.random::<f64>() < style.newcomers;
    let from = if is_newcomer {
        rng.random_range(first..end)
    } else {
        first
    };
    let stay = exponential(rng) * 365.25 / style.churn_per_year;
    let until = (f64::from(from) + stay).min(f64::from(i32::MAX)) as i32;
    (from, until.min(end).max(from + 1))
}

/// All staples that a customer ever has. Each slot of the list holds one product after the other.
pub(super) fn staples(
    simulation: &Simulation,
    habits: &Habits,
    rng: &mut ChaCha8Rng,
) -> Vec<PlannedStaple> {
    let (catalogue, style) = (&simulation.catalogue, &simulation.style);
    let share = style.segments[habits.segment].1.staple_share;
    let wanted = share * habits.basket / (1.0 - FORGOTTEN) / habits.gap_days; // purchases of staples a day
    let mut all: Vec<PlannedStaple> = Vec::new();
    let mut planned = 0.0;
    let mut slots = 0;
    while planned < wanted && slots < MAX_STAPLES {
        slots += 1;
        let mut from = habits.from;
        while from < habits.until {
            let Some(staple) = draw_staple(catalogue, habits, &all, from, rng) else {
                break;
            };
            if from == habits.from {
                planned += 1.0 / f64::from(staple.cycle_days).max(habits.gap_days);
            }
            let stay = (exponential(rng) * style.staple_life_days).min(1e6) as i32;
            let until = (from + stay.max(14))
                .min(catalogue.until(staple.product))
                .max(from + 1);
            all.push(PlannedStaple {
                until: until.min(habits.until),
                ..staple
            });
            from = until;
        }
    }
    all
}

/// A product that is no staple yet on that day, with its cycle. Its end is open. `None` if many
/// draws found none.
fn draw_staple(
    catalogue: &Catalogue,
    habits: &Habits,
    known: &[PlannedStaple],
    from: i32,
    rng: &mut ChaCha8Rng,
) -> Option<PlannedStaple> {
    let most = CATEGORIES
        .iter()
        .map(|category| category.staple)
        .fold(0.0, f64::max);
    let consumption = 0.55 + 0.18 * f64::from(habits.household);
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
        if known
            .iter()
            .any(|staple| staple.product == product && staple.until > from)
        {
            continue;
        }
        let cycle = CATEGORIES[category].cycle_days * normal(rng, 0.45).exp() / consumption;
        let cycle_days = cycle.clamp(3.0, 150.0) as f32;
        let due = from as f32 + cycle_days * rng.random::<f32>();
        return Some(PlannedStaple {
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
fn draw_absences(span: DateRange, rng: &mut ChaCha8Rng) -> Vec<DateRange> {
    let end = f64::from(span.last.epoch() + 1);
    let mut absences = Vec::new();
    let mut day = f64::from(span.first.epoch());
    loop {
        day += exponential(rng) * 365.25 / 2.4;
        if day >= end {
            return absences;
        }
        let first = day as i32;
        let is_long = rng.random_bool(0.03);
        let is_summer = (Today::new(first).day_of_year - 205).abs() < 45;
        if !is_long && !is_summer && rng.random_bool(0.6) {
            continue; // planned, but not taken
        }
        let days = if is_long {
            rng.random_range(42..85)
        } else {
            rng.random_range(6..=16)
        };
        absences.push(DateRange {
            first: Day::from_epoch(first),
            last: Day::from_epoch(first + days - 1),
        });
        day += f64::from(days);
    }
}

/// A draw from the normal distribution with mean 0.
pub(super) fn normal(rng: &mut ChaCha8Rng, deviation: f64) -> f64 {
    deviation * rng.sample::<f64, _>(StandardNormal)
}

/// A draw from the exponential distribution with mean 1.
fn exponential(rng: &mut ChaCha8Rng) -> f64 {
    rng.sample(Exp1)
}
