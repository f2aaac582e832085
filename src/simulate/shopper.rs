//! A customer over time: trips, baskets, and the lines that the till records.

use chrono::{DateTime, Datelike, TimeZone};
use chrono_tz::Tz;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::catalogue::{Catalogue, Today};
use super::habits::{self, FORGOTTEN, FRESH_DAYS, Habits, PlannedStaple};
use super::truth::{Staple, Truth};
use super::{Simulation, TicketLine};
use crate::calendar::Day;

const SECONDS_PER_DAY: i64 = 86_400;
const MICROSECONDS: i64 = 1_000_000;
/// A ticket's id is the customer's id × this + the number of the ticket.
pub(super) const TICKETS: i64 = 10_000;
/// Of 2¹⁶ lines, how many are voided and entered again.
const VOIDED: u32 = 130;
/// Of 2¹⁶ lines, how many are scanned twice.
const SCANNED_TWICE: u32 = 520;
/// Of 2¹⁶ lines, how many are brought back later.
const RETURNED: u32 = 200;
/// The most products that a customer brings back on one trip.
const MAX_RETURNS: usize = 4;
/// Of 2¹⁶ lines, how many have more than 1, 2, 3 and 4 units (Complete Journey's).
const MORE_UNITS: [u32; 4] = [13_600, 4_100, 2_300, 1_100];
/// Chance of a second trip on the day of a main trip, for what was forgotten.
const SAME_DAY: f64 = 0.015;
/// The month and the day on which the store is closed.
const CLOSED: (u32, u32) = (12, 25);

/// A trip to come.
#[derive(Debug, Clone, Copy)]
struct Trip {
    day: i32,
    /// A main trip, not one for a top-up.
    is_main: bool,
}

/// A customer's state between two trips.
#[derive(Debug)]
pub(super) struct Shopper {
    customer: u32,
    rng: ChaCha8Rng,
    habits: Habits,
    staples: Vec<PlannedStaple>,
    /// The planned trips, the next one last.
    trips: Vec<Trip>,
    /// The day of the last main trip.
    last_main_day: i32,
    /// The store-local time of the last ticket, in seconds since 1970-01-01T00:00.
    last_time: i64,
    /// How many tickets there have been.
    tickets: i64,
    /// What will be brought back on the next trip: product and price.
    returns: Vec<(u32, i32)>,
    /// The basket of the present trip. It is kept between trips only for its memory.
    basket: Vec<u32>,
}

impl Shopper {
    pub(super) fn new(simulation: &Simulation, customer: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(simulation.parameters.seed);
        rng.set_stream(u64::from(customer) + 1); // stream 0 is the catalogue's
        let habits = Habits::draw(simulation, &mut rng);
        let staples = habits::staples(simulation, &habits, &mut rng);
        // The first trip is anywhere within a gap: most customers came before the history begins.
        let first = habits.from + (habits.gap_days * rng.random::<f64>()) as i32;
        let first = habits.suitable(first, habits.from - 1, &mut rng);
        Self {
            customer,
            rng,
            staples,
            trips: vec![Trip {
                day: first,
                is_main: true,
            }],
            last_main_day: first - habits.gap_days as i32,
            last_time: 0,
            habits,
            tickets: 0,
            returns: Vec::new(),
            basket: Vec::new(),
        }
    }

    /// Appends the lines of all trips up to and including a day, by time.
    pub(super) fn run(&mut self, simulation: &Simulation, until: Day, lines: &mut Vec<TicketLine>) {
        while let Some(trip) = self.trips.last().copied() {
            if trip.day > until.epoch() {
                return;
            }
            self.trips.pop();
            if trip.day >= self.habits.until {
                self.trips.clear(); // gone for good
                return;
            }
            self.shop(simulation, trip, lines);
            if trip.is_main {
                self.plan(simulation, trip.day);
            }
        }
    }

    /// Plans the next main trip, and the top-up trips before it.
    fn plan(&mut self, simulation: &Simulation, day: i32) {
        let mut gap = self
            .habits
            .next_gap(&simulation.distributions, &mut self.rng);
        let season = simulation.style.visit_season;
        if season > 0.0 {
            // Most visits in December.
            let rate = 1.0 + season * simulation.catalogue.wave(Today::new(day).day_of_year - 345);
            gap = ((f64::from(gap) / rate + self.rng.random::<f64>()) as i32).max(1);
        }
        let mut next = self.habits.suitable(day + gap, day, &mut self.rng);
        if is_closed(next) {
            next += if next - 1 > day { -1 } else { 1 };
        }
        self.trips.push(Trip {
            day: next,
            is_main: true,
        });
        let at = self.trips.len();
        if self.rng.random::<f64>() < SAME_DAY {
            self.trips.push(Trip {
                day,
                is_main: false,
            });
        }
        let top_ups = self
            .habits
            .top_ups(next - day, &mut self.rng)
            .map(|offset| Trip {
                day: day + offset,
                is_main: false,
            });
        self.trips
            .extend(top_ups.filter(|trip| !is_closed(trip.day)));
        self.trips[at..].reverse();
        self.last_main_day = day;
    }

    /// One trip: fills the basket and scans it.
    fn shop(&mut self, simulation: &Simulation, trip: Trip, lines: &mut Vec<TicketLine>) {
        let catalogue = &simulation.catalogue;
        let today = Today::new(trip.day);
        self.fill_basket(simulation, &today, trip.is_main);
        let ticket = self.next_ticket(&today, simulation.zone);
        for (product, price) in self.returns.drain(..) {
            lines.push(TicketLine {
                quantity: -1,
                price,
                ..ticket.of_product(product, catalogue)
            });
        }
        for product in &self.basket {
            let units = self.rng.random::<u32>() & 0xFFFF;
            let quantity = 1 + MORE_UNITS.iter().filter(|more| units < **more).count() as i32;
            let scanned = TicketLine {
                quantity,
                price: catalogue.price(*product, &today),
                ..ticket.of_product(*product, catalogue)
            };
            lines.push(scanned);
            let chance = self.rng.random::<u32>() & 0xFFFF;
            if chance < VOIDED {
                lines.push(TicketLine {
                    quantity: -quantity,
                    ..scanned
                });
                lines.push(scanned);
            } else if chance < VOIDED + SCANNED_TWICE {
                lines.push(scanned);
            } else if chance < VOIDED + SCANNED_TWICE + RETURNED && self.returns.len() < MAX_RETURNS
            {
                self.returns.push((*product, scanned.price));
            }
        }
    }

    /// A line of the next ticket, still without a product. A second trip on a day is later than the
    /// first.
    fn next_ticket(&mut self, today: &Today, zone: Option<Tz>) -> TicketLine {
        let mut second = self.habits.time_of_day(today.weekday, &mut self.rng);
        if self.last_time.div_euclid(SECONDS_PER_DAY) == i64::from(today.day) {
            let last = self.last_time.rem_euclid(SECONDS_PER_DAY);
            second = (last + self.rng.random_range(900..7200)).min(habits::LAST_SECOND);
        }
        self.last_time = i64::from(today.day) * SECONDS_PER_DAY + second;
        self.tickets += 1;
        let customer = i64::from(self.customer) + 1;
        TicketLine {
            customer,
            basket: customer * TICKETS + self.tickets,
            time: zone.map_or(self.last_time, |zone| utc(self.last_time, zone)) * MICROSECONDS,
            product: 0,
            category: 0,
            quantity: 1,
            price: 0,
        }
    }

    /// Fills the basket: staples that have run out, then what the store suggests.
    fn fill_basket(&mut self, simulation: &Simulation, today: &Today, is_main: bool) {
        let size = self.draw_basket_size(today, is_main);
        self.basket.clear();
        let count = self.staples.len();
        // From a random staple on, so that it is not always the same one for which there is no
        // room.
        let begin = match count {
            0 => 0,
            _ => self.rng.random_range(0..count),
        };
        for at in 0..count {
            if self.basket.len() >= size {
                break;
            }
            self.buy_staple((begin + at) % count, simulation, today, is_main);
        }
        self.buy_suggestions(size, simulation, today);
        if self.basket.is_empty() {
            let product = simulation.catalogue.pick_in(0, today.day, &mut self.rng);
            self.basket.extend(product);
        }
    }

    /// How many products are wanted in the basket, 1 to 120.
    fn draw_basket_size(&mut self, today: &Today, is_main: bool) -> usize {
        let habits = &self.habits;
        let (mean, spread, waited) = if is_main {
            // Larger after a longer wait.
            let days = f64::from(today.day - self.last_main_day).max(1.0);
            let waited = (days / habits.gap_days).clamp(0.4, 3.0).powf(0.2);
            (habits.basket, habits.basket_spread, waited)
        } else {
            ((0.25 * habits.basket).clamp(1.5, 5.0), 0.6, 1.0)
        };
        let before_christmas = if (345..359).contains(&today.day_of_year) {
            1.12
        } else {
            1.0
        };
        // Minus spread²/2, so that the mean of the log-normal distribution is `mean`.
        let size = mean
            * waited
            * before_christmas
            * (habits::normal(&mut self.rng, spread) - spread * spread / 2.0).exp();
        (size.round() as usize).clamp(1, 120)
    }

    /// Buys a staple if it has run out, is not forgotten and is in season; sometimes another
    /// product of its category instead.
    fn buy_staple(&mut self, at: usize, simulation: &Simulation, today: &Today, is_main: bool) {
        let (catalogue, rng) = (&simulation.catalogue, &mut self.rng);
        let (day, staple) = (today.day as f32, &mut self.staples[at]);
        if staple.due > day
            || today.day < staple.from
            || today.day >= staple.until
            || (!is_main && staple.cycle_days > FRESH_DAYS)
        {
            return;
        }
        let chance: f64 = rng.random();
        if chance < FORGOTTEN {
            return;
        }
        if rng.random::<f64>() > catalogue.season(staple.product, today) {
            // Out of season: not wanted for now.
            staple.due = day + 0.5 * staple.cycle_days;
            return;
        }
        let category = catalogue.category(staple.product);
        let is_replaced = rng.random::<f64>() < catalogue.variety(category);
        let replacement = is_replaced
            .then(|| catalogue.pick_in(category, today.day, rng))
            .flatten();
        let product = replacement.unwrap_or(staple.product);
        if !self.basket.contains(&product) {
            self.basket.push(product);
        }
        let consumption = rng.sample(simulation.distributions.consumption) as f32;
        staple.due = day + staple.cycle_days * consumption;
    }

    /// Buys what the store suggests until the basket has its size.
    fn buy_suggestions(&mut self, size: usize, simulation: &Simulation, today: &Today) {
        let (tastes, loyalty) = (&self.habits.tastes, self.habits.loyalty);
        let mut tries = 2 * size;
        while self.basket.len() < size && tries > 0 {
            tries -= 1;
            let suggested =
                simulation
                    .catalogue
                    .suggest(tastes, loyalty, self.customer, today, &mut self.rng);
            match suggested {
                Some(product) if !self.basket.contains(&product) => self.basket.push(product),
                _ => {}
            }
        }
    }

    /// What is true of this customer.
    pub(super) fn truth(&self, simulation: &Simulation) -> Truth {
        // The mean gap between days with a purchase has no closed form, since top-up trips depend
        // on the gap: it is estimated from many gaps.
        let mut rng = ChaCha8Rng::seed_from_u64(simulation.parameters.seed);
        rng.set_stream((1 << 63) | u64::from(self.customer));
        let (mut days, mut purchases) = (0_i64, 0_i64);
        for _ in 0..1000 {
            let gap = self.habits.next_gap(&simulation.distributions, &mut rng);
            days += i64::from(gap);
            purchases += 1 + self.habits.top_ups(gap, &mut rng).count() as i64;
        }
        let last = simulation.parameters.last_day().epoch();
        let staples = self.staples.iter().map(|staple| Staple {
            product_id: simulation.catalogue.id(staple.product),
            cycle_days: f64::from(staple.cycle_days),
            from: Day::from_epoch(staple.from),
            until: Day::from_epoch(staple.until - 1),
        });
        Truth {
            customer_id: i64::from(self.customer) + 1,
            household: self.habits.household,
            active_from: Day::from_epoch(self.habits.from),
            active_until: Day::from_epoch(self.habits.until - 1),
            stays: self.habits.until > last,
            trip_gap_days: self.habits.gap_days,
            purchase_gap_days: days as f64 / purchases as f64,
            basket_products: self.habits.basket,
            weekday_weights: self.habits.weekdays,
            staples: staples.collect(),
        }
    }
}

impl TicketLine {
    /// The line with another product.
    fn of_product(self, product: u32, catalogue: &Catalogue) -> Self {
        Self {
            product: catalogue.id(product),
            category: catalogue.category(product),
            ..self
        }
    }
}

/// Whether the store is closed on the day.
pub(super) fn is_closed(day: i32) -> bool {
    let date = Day::from_epoch(day).date();
    (date.month(), date.day()) == CLOSED
}

/// The UTC second of a store-local second; where clocks go back, the earlier one.
pub(super) fn utc(local: i64, zone: Tz) -> i64 {
    let Some(naive) = DateTime::from_timestamp(local, 0) else {
        return local;
    };
    zone.from_local_datetime(&naive.naive_utc())
        .earliest()
        .map_or(local, |instant| instant.timestamp())
}
