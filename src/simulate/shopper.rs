//! A customer in the course of time: trips, baskets, and the lines that the till records.

use chrono::{DateTime, Datelike, TimeZone};
use chrono_tz::Tz;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::catalogue::Today;
use super::habits::{self, FORGOTTEN, FRESH_DAYS, Habits, Planned};
use super::truth::{Staple, Truth};
use super::{Simulation, TicketLine};
use crate::calendar::Day;

const SECONDS_PER_DAY: i64 = 86_400;
const MICROSECONDS: i64 = 1_000_000;
/// How tickets are numbered: customer × this + number.
const TICKETS: i64 = 10_000;
/// Chances, per line in 2¹⁶: to be voided and entered again, scanned twice, brought back later.
const VOIDED: u32 = 130;
const SCANNED_TWICE: u32 = 520;
const RETURNED: u32 = 200;
/// Units of a line: of 2¹⁶ lines, how many have more than 1, 2, 3, 4 units (Complete Journey's).
const MORE_UNITS: [u32; 4] = [13_600, 4_100, 2_300, 1_100];
/// Chance of a second trip on the day of a main trip, for what was forgotten.
const SAME_DAY: f64 = 0.015;
/// The store is closed on this day of the year (25 December).
const CLOSED: (u32, u32) = (12, 25);

/// A trip to come.
#[derive(Debug, Clone, Copy)]
struct Trip {
    day: i32,
    main: bool,
}

/// A customer's state between two trips.
#[derive(Debug)]
pub(super) struct Shopper {
    customer: u32,
    rng: ChaCha8Rng,
    habits: Habits,
    staples: Vec<Planned>,
    /// The trips that are planned, the next one last.
    trips: Vec<Trip>,
    last_main: i32,
    last_time: i64,
    tickets: i64,
    /// What will be brought back on the next trip: product, price.
    returns: Vec<(u32, i32)>,
    /// The basket of the present trip; kept for its memory.
    basket: Vec<u32>,
}

impl Shopper {
    pub(super) fn new(simulation: &Simulation, customer: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(simulation.parameters.seed);
        rng.set_stream(u64::from(customer) + 1); // stream 0 is the catalogue's
        let habits = Habits::draw(simulation, &mut rng);
        let staples = habits::staples(simulation, &habits, &mut rng);
        // The first trip falls anywhere in a gap: who has been a customer for long is not seen to
        // begin.
        let first = habits.from + (habits.gap_days * rng.random::<f64>()) as i32;
        let first = habits.suitable(first, habits.from - 1, &mut rng);
        Self {
            customer,
            rng,
            staples,
            trips: vec![Trip {
                day: first,
                main: true,
            }],
            last_main: first - habits.gap_days as i32,
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
            if trip.main {
                self.plan(simulation, trip.day);
            }
        }
    }

    /// Plans the next main trip, and the top-up trips before it.
    fn plan(&mut self, simulation: &Simulation, day: i32) {
        let mut gap = self.habits.next_gap(&simulation.laws, &mut self.rng);
        let season = simulation.traits.visit_season;
        if season > 0.0 {
            // Most visits in December.
            let rate = 1.0 + season * simulation.catalogue.wave(Today::new(day).day_of_year - 345);
            gap = ((f64::from(gap) / rate + self.rng.random::<f64>()) as i32).max(1);
        }
        let mut next = self.habits.suitable(day + gap, day, &mut self.rng);
        if closed(next) {
            next += if next - 1 > day { -1 } else { 1 };
        }
        self.trips.push(Trip {
            day: next,
            main: true,
        });
        let at = self.trips.len();
        if self.rng.random::<f64>() < SAME_DAY {
            self.trips.push(Trip { day, main: false });
        }
        let top_ups = self
            .habits
            .top_ups(next - day, &mut self.rng)
            .map(|offset| Trip {
                day: day + offset,
                main: false,
            });
        self.trips.extend(top_ups.filter(|trip| !closed(trip.day)));
        self.trips[at..].reverse();
        self.last_main = day;
    }

    /// One trip: fills the basket, and has it scanned.
    fn shop(&mut self, simulation: &Simulation, trip: Trip, lines: &mut Vec<TicketLine>) {
        let catalogue = &simulation.catalogue;
        let today = Today::new(trip.day);
        self.fill(simulation, &today, trip.main);
        let rng = &mut self.rng;
        let mut second = self.habits.time_of_day(today.weekday, rng);
        if self.last_time.div_euclid(SECONDS_PER_DAY) == i64::from(trip.day) {
            let later = self.last_time.rem_euclid(SECONDS_PER_DAY) + rng.random_range(900..7200);
            second = later.min(habits::LAST_SECOND); // a second trip on the day
        }
        let local = i64::from(trip.day) * SECONDS_PER_DAY + second;
        self.last_time = local;
        self.tickets += 1;
        let line = TicketLine {
            customer: i64::from(self.customer) + 1,
            basket: (i64::from(self.customer) + 1) * TICKETS + self.tickets,
            time: simulation.zone.map_or(local, |zone| utc(local, zone)) * MICROSECONDS,
            product: 0,
            category: 0,
            quantity: 1,
            price: 0,
        };
        let of = |product: u32| TicketLine {
            product: catalogue.id(product),
            category: catalogue.category(product),
            ..line
        };
        for (product, price) in self.returns.drain(..) {
            lines.push(TicketLine {
                quantity: -1,
                price,
                ..of(product)
            });
        }
        for product in &self.basket {
            let price = catalogue.price(*product, &today);
            let units = rng.random::<u32>() & 0xFFFF;
            let quantity = 1 + MORE_UNITS.iter().filter(|more| units < **more).count() as i32;
            let scanned = TicketLine {
                quantity,
                price,
                ..of(*product)
            };
            lines.push(scanned);
            let chance = rng.random::<u32>() & 0xFFFF;
            if chance < VOIDED {
                lines.push(TicketLine {
                    quantity: -quantity,
                    ..scanned
                });
                lines.push(scanned);
            } else if chance < VOIDED + SCANNED_TWICE {
                lines.push(scanned);
            } else if chance < VOIDED + SCANNED_TWICE + RETURNED && self.returns.len() < 4 {
                self.returns.push((*product, price));
            }
        }
    }

    /// Fills the basket: staples that have run out, then what the shelves suggest.
    fn fill(&mut self, simulation: &Simulation, today: &Today, main: bool) {
        let (catalogue, habits, rng) = (&simulation.catalogue, &self.habits, &mut self.rng);
        let mean = if main {
            habits.basket
        } else {
            (0.25 * habits.basket).clamp(1.5, 5.0)
        };
        let within = if main { habits.basket_within } else { 0.6 };
        // Larger after a longer wait, and before the end of the year; minus within²/2, so that the
        // mean of the log-normal is `mean`.
        let waited = if main {
            (f64::from(today.day - self.last_main).max(1.0) / habits.gap_days)
                .clamp(0.4, 3.0)
                .powf(0.2)
        } else {
            1.0
        };
        let feast = if (345..359).contains(&today.day_of_year) {
            1.12
        } else {
            1.0
        };
        let size =
            mean * waited * feast * (habits::normal(rng, within) - within * within / 2.0).exp();
        let size = (size.round() as usize).clamp(1, 120);
        self.basket.clear();
        let (day, list) = (today.day as f32, self.staples.len());
        // From a random place on, so that no staple is always the one for which there is no room.
        let begin = if list == 0 {
            0
        } else {
            rng.random_range(0..list)
        };
        for at in 0..list {
            if self.basket.len() >= size {
                break;
            }
            let staple = &mut self.staples[(begin + at) % list];
            if staple.due > day
                || today.day < staple.from
                || today.day >= staple.until
                || (!main && staple.cycle_days > FRESH_DAYS)
            {
                continue;
            }
            let chance: f64 = rng.random();
            if chance < FORGOTTEN {
                continue;
            }
            // Out of season it is not wanted for now.
            if rng.random::<f64>() > catalogue.season(staple.product, today) {
                staple.due = day + 0.5 * staple.cycle_days;
                continue;
            }
            let category = catalogue.category(staple.product);
            let other = rng.random::<f64>() < catalogue.variety(category);
            let taken = other
                .then(|| catalogue.pick_in(category, today.day, rng))
                .flatten()
                .unwrap_or(staple.product);
            if !self.basket.contains(&taken) {
                self.basket.push(taken);
            }
            staple.due = day + staple.cycle_days * rng.sample(simulation.laws.consumption) as f32;
        }
        let mut tries = 2 * size;
        while self.basket.len() < size && tries > 0 {
            tries -= 1;
            match catalogue.suggest(&habits.tastes, habits.loyalty, self.customer, today, rng) {
                Some(product) if !self.basket.contains(&product) => self.basket.push(product),
                _ => {}
            }
        }
        if self.basket.is_empty() {
            self.basket.extend(catalogue.pick_in(0, today.day, rng));
        }
    }

    /// What is true of this customer.
    pub(super) fn truth(&self, simulation: &Simulation) -> Truth {
        // The mean gap between days with a purchase has no closed form where top-up trips depend on
        // the gap: the mean of many.
        let mut rng = ChaCha8Rng::seed_from_u64(simulation.parameters.seed);
        rng.set_stream((1 << 63) | u64::from(self.customer));
        let (mut days, mut purchases) = (0_i64, 0_i64);
        for _ in 0..1000 {
            let gap = self.habits.next_gap(&simulation.laws, &mut rng);
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

/// Whether the store is closed on the day.
fn closed(day: i32) -> bool {
    let date = Day::from_epoch(day).date();
    (date.month(), date.day()) == CLOSED
}

/// The UTC second of a store-local second; where clocks go back, the earlier one.
fn utc(local: i64, zone: Tz) -> i64 {
    let Some(naive) = DateTime::from_timestamp(local, 0) else {
        return local;
    };
    zone.from_local_datetime(&naive.naive_utc())
        .earliest()
        .map_or(local, |instant| instant.timestamp())
}
