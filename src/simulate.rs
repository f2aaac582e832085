//! A seeded generator of realistic supermarket tickets whose ground truth is known.
//!
//! [`Simulation::new`] takes [`SimulationParameters`]: a style of store, a seed, sizes, and a span
//! of days. It gives every line that the tills of such a store would have recorded. Memory is
//! bounded, whatever the size. The same parameters give the same lines, whatever the chunks and the
//! threads: each customer draws from a ChaCha8 stream of their own.
//!
//! # What is modelled
//! - **Customers**: a segment (weekly planner, weekly shop with top-up trips, frequent small
//!   baskets, occasional), a mean gap and a regularity of their own (a renewal process: 1 day plus
//!   a gamma-distributed rest), weekday habits, hours, a household that scales baskets and
//!   consumption, holidays and long lapses, churn, and customers who first come in the middle.
//! - **Baskets**: log-normal sizes around the customer's mean, larger after a longer wait. They are
//!   filled first with the customer's staples that have run out, then by tastes and popularity. A
//!   staple runs out after a cycle of its own (gamma-distributed consumption), so the chance that
//!   it is in the next basket rises with the days since it was bought. Sometimes it is forgotten.
//!   Staples come and go.
//! - **Products**: 24 categories, Zipf–Mandelbrot popularity within each, brands and loyalty to
//!   them, categories in which people seek variety, yearly seasons, popularity that drifts,
//!   launched and discontinued products, promotion weeks with lower prices and more sales.
//! - **The till**: several units, voids (the line, its negative, the line again), lines scanned
//!   twice, returns on a later visit, a second trip on one day, a store that is closed on 25
//!   December, and on request naive UTC times instead of store-local ones.
//!
//! # What is not modelled
//! Several stores, stock-outs, inflation, weighed goods (quantities are whole), coupons, one product
//! replacing another after a price change,
//! products bought together for a recipe, events (weather, strikes, pandemics), sales without a
//! loyalty card, and bad lines (test ingestion with hand-made ones). Households do not grow or
//! share a card.
//!
//! # Offers
//! [`Simulation::with_campaign`] adds what customers buy because of offers that were published for
//! the same simulated tickets, with an uplift that is planted by strategy. Whatever else happens in
//! the store stays as it is, so that what the offers brought is known.
//!
//! Simulated customers are more alike than real ones. A model's figures on simulated tickets say
//! whether it finds what was planted, not how well it will do in a store.
//!
//! # Order
//! [`Order::Days`] gives lines by time, like a feed, and keeps the state of every customer in
//! memory (3 to 5 kB each). [`Order::Customers`] gives them customer by customer, and keeps the
//! lines of two chunks a thread. Measured with 103 million lines of 130,000 customers as Parquet:
//! 611 MB by days, 183 MB by customers, over 1 million lines a second and core.
//!
//! ```
//! use okuo::simulate::{Order, SimulationParameters, Simulation};
//! let simulation = Simulation::new(SimulationParameters { customers: 20, days: 60, ..SimulationParameters::default() })?;
//! let mut lines = 0;
//! simulation.for_each_chunk(Order::Days(7), |chunk| {
//!     lines += chunk.len();
//!     Ok(())
//! })?;
//! assert!(lines > 500);
//! # Ok::<(), okuo::error::Error>(())
//! ```

mod campaign;
mod catalogue;
mod habits;
mod parameters;
mod shopper;
mod truth;
mod write;

#[cfg(test)]
mod tests;

use rayon::prelude::*;

pub use campaign::{CampaignTruth, PlantedUplift, StrategyTruth};
pub use parameters::{SimulationParameters, Style};
pub use truth::{Staple, Truth, write_truth_csv, write_truth_json};
pub use write::{write_csv, write_csv_gz, write_parquet};

use crate::calendar::Day;
use crate::error::{Error, Result};
use catalogue::{CATEGORIES, Catalogue};
use chrono_tz::Tz;
use habits::Distributions;
use parameters::StyleParameters;
use shopper::Shopper;

/// One line of a simulated ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TicketLine {
    /// The customer's id, 1 … [`SimulationParameters::customers`].
    pub customer: i64,
    /// The ticket's id: customer × 10,000 + the number of the customer's ticket. So it is unique
    /// without a counter that customers share.
    pub basket: i64,
    /// Naive time of the ticket in microseconds since 1970-01-01T00:00: store-local or, with
    /// [`SimulationParameters::utc_zone`], UTC.
    pub time: i64,
    /// The product's id, 1 … [`SimulationParameters::products`].
    pub product: i64,
    /// Position of the product's category in [`categories`].
    pub category: u8,
    /// Units: negative in a return or a void, never 0.
    pub quantity: i32,
    /// Price of one unit, in hundredths.
    pub price: i32,
}

impl TicketLine {
    /// The name of the product's category.
    #[must_use]
    pub fn category_name(&self) -> &'static str {
        CATEGORIES
            .get(usize::from(self.category))
            .map_or("", |category| category.name)
    }
}

/// The names of the categories, in the order of [`TicketLine::category`].
pub fn categories() -> impl ExactSizeIterator<Item = &'static str> {
    CATEGORIES.iter().map(|category| category.name)
}

/// The order of the lines, and the size of a chunk. Neither changes which lines there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By time over the whole history, like a feed. A chunk has this many days, at least 1. The
    /// state of every customer is in memory.
    Days(u32),
    /// Customer by customer, each by time. A chunk has this many customers, at least 1. Memory does
    /// not grow with the number of customers.
    Customers(u32),
}

/// A simulated store, whose history can be generated as often as wanted.
#[derive(Debug)]
pub struct Simulation {
    parameters: SimulationParameters,
    style: StyleParameters,
    distributions: Distributions,
    catalogue: Catalogue,
    zone: Option<Tz>,
    /// The last day of which lines are given.
    until: Day,
    /// What offers bring, by customer and time.
    reactions: Vec<TicketLine>,
}

impl Simulation {
    /// The store of these parameters. This draws the catalogue, and no line yet.
    ///
    /// # Errors
    /// If a parameter is out of range (see [`SimulationParameters::check`]).
    pub fn new(parameters: SimulationParameters) -> Result<Self> {
        let parameters = parameters.check()?;
        let zone = parameters.zone()?;
        let style = parameters.style.parameters();
        let distributions = Distributions::new(&style)?;
        let catalogue = Catalogue::new(&parameters, &style);
        Ok(Self {
            until: parameters.last_day(),
            reactions: vec![],
            parameters,
            style,
            distributions,
            catalogue,
            zone,
        })
    }

    /// The same store, of whose history only the days up to one are given: a longer one begins with
    /// the same lines.
    #[must_use]
    pub fn until(self, day: Day) -> Self {
        let until = day.min(self.parameters.last_day());
        Self { until, ..self }
    }

    /// The checked parameters.
    #[must_use]
    pub fn parameters(&self) -> &SimulationParameters {
        &self.parameters
    }

    /// Calls `each` with one chunk of lines after the other, in the stated order; chunks may be
    /// empty. Lines are generated on the threads of rayon's current pool.
    ///
    /// # Errors
    /// The first error that `each` returns. Generating does not fail.
    pub fn for_each_chunk(
        &self,
        order: Order,
        each: impl FnMut(&[TicketLine]) -> Result<()>,
    ) -> Result<()> {
        match order {
            Order::Days(days) => self.by_days(days.max(1), each),
            Order::Customers(customers) => self.by_customers(customers.max(1), each),
        }
    }

    /// Roughly how many lines there will be, estimated from up to 200 customers: for a progress
    /// bar, or to choose `customers` for a wanted size.
    #[must_use]
    pub fn estimated_lines(&self) -> u64 {
        let customers = u64::from(self.parameters.customers);
        let sampled = customers.min(200);
        let lines: u64 = (0..sampled)
            .into_par_iter()
            .map(|at| {
                let customer = at * customers / sampled;
                let mut lines = Vec::new();
                self.shopper(customer as u32)
                    .run(self, self.until, &mut lines);
                lines.len() as u64
            })
            .sum();
        lines.saturating_mul(customers) / sampled.max(1)
    }

    /// What is true of the customer at a position 0 … customers − 1; `None` past the end.
    #[must_use]
    pub fn truth(&self, customer: u32) -> Option<Truth> {
        (customer < self.parameters.customers).then(|| self.shopper(customer).truth(self))
    }

    fn shopper(&self, customer: u32) -> Shopper {
        Shopper::new(self, customer)
    }

    /// Appends the lines of one customer, by time.
    fn add_customer(&self, customer: u32, last: Day, lines: &mut Vec<TicketLine>) {
        let from = lines.len();
        self.shopper(customer).run(self, last, lines);
        let reactions = self.reactions_of(customer).iter();
        let reactions = reactions.filter(|line| self.day_of(line) <= last);
        let before = lines.len();
        lines.extend(reactions);
        if lines.len() > before {
            // Stable: what an offer brings is at the end of its ticket.
            lines[from..].sort_by_key(|line| (line.time, line.basket));
        }
    }

    fn by_days(&self, days: u32, mut each: impl FnMut(&[TicketLine]) -> Result<()>) -> Result<()> {
        let mut shoppers: Vec<Shopper> = (0..self.parameters.customers)
            .into_par_iter()
            .map(|customer| self.shopper(customer))
            .collect();
        let (first, last) = (self.parameters.start, self.until);
        let mut reactions = self.reactions.clone();
        reactions.sort_by_key(|line| line.time);
        let mut reactions = reactions.into_iter().peekable();
        let mut lines: Vec<TicketLine> = Vec::new();
        let days = days.min(self.parameters.days) as i32;
        let mut from = first;
        while from <= last {
            let until = last.min(from + days - 1);
            lines.clear();
            let groups: Vec<Vec<TicketLine>> = shoppers
                .par_chunks_mut(256)
                .map(|group| {
                    let mut lines = Vec::new();
                    group
                        .iter_mut()
                        .for_each(|shopper| shopper.run(self, until, &mut lines));
                    lines
                })
                .collect();
            groups
                .iter()
                .for_each(|group| lines.extend_from_slice(group));
            while let Some(line) = reactions.next_if(|line| self.day_of(line) <= until) {
                lines.push(line);
            }
            // The sort is stable and the groups are in the order of customers: the order does not
            // depend on threads.
            lines.par_sort_by_key(|line| (line.time, line.basket));
            each(&lines)?;
            from = until + 1;
        }
        Ok(())
    }

    fn by_customers(
        &self,
        customers: u32,
        mut each: impl FnMut(&[TicketLine]) -> Result<()>,
    ) -> Result<()> {
        let last = self.until;
        let parallel = u32::try_from(2 * rayon::current_num_threads())
            .map_err(|_| Error::system("too many threads"))?;
        let all = self.parameters.customers;
        let mut from = 0;
        while from < all {
            let chunks: Vec<Vec<TicketLine>> = (0..parallel)
                .into_par_iter()
                .map(|chunk| {
                    let start = from
                        .saturating_add(chunk.saturating_mul(customers))
                        .min(all);
                    let mut lines = Vec::new();
                    (start..start.saturating_add(customers).min(all))
                        .for_each(|at| self.add_customer(at, last, &mut lines));
                    lines
                })
                .collect();
            chunks
                .iter()
                .filter(|chunk| !chunk.is_empty())
                .try_for_each(|chunk| each(chunk))?;
            from = from.saturating_add(parallel.saturating_mul(customers));
        }
        Ok(())
    }
}
