//! The products of a store: categories, popularity, brands, prices, seasons, promotions, launches
//! and ends.

use std::f64::consts::TAU;

use chrono::Datelike;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::StandardNormal;

use super::parameters::{Parameters, Traits};
use crate::calendar::Day;
use crate::sampling::{mix, unit};

/// What the products of a category have in common.
#[derive(Debug)]
pub(super) struct Category {
    pub(super) name: &'static str,
    /// Share of the products, and of the sales beyond staples.
    share: f64,
    pub(super) sales: f64,
    /// Median price, in hundredths.
    price: f64,
    /// Median days that one purchase lasts a household of two or three.
    pub(super) cycle_days: f64,
    /// How readily its products become staples.
    pub(super) staple: f64,
    /// Chance that another product of the category is taken in place of the staple.
    variety: f64,
    /// Day of the year (0 = 1 January) at which it sells most, and the amplitude of that wave, 0 to
    /// 1.
    peak: i32,
    amplitude: f64,
}

#[rustfmt::skip] // one row a category, as a table
pub(super) const CATEGORIES: [Category; 24] = {
    #[allow(clippy::too_many_arguments)] // the columns of the table
    const fn row(name: &'static str, share: f64, sales: f64, price: f64, cycle_days: f64, staple: f64, variety: f64, season: (i32, f64)) -> Category {
        Category { name, share, sales, price, cycle_days, staple, variety, peak: season.0, amplitude: season.1 }
    }
    [
        row("fruit",          0.05, 8.0,  249.0,  6.0, 8.0, 0.25, (196, 0.30)),
        row("vegetables",     0.06, 9.0,  199.0,  6.0, 8.0, 0.25, (166, 0.15)),
        row("salad",          0.02, 3.0,  299.0,  6.0, 3.0, 0.20, (181, 0.45)),
        row("milk",           0.02, 4.0,  319.0,  6.0, 9.0, 0.03, (0, 0.0)),
        row("bread",          0.04, 5.0,  279.0,  5.0, 8.0, 0.10, (0, 0.0)),
        row("eggs",           0.01, 2.0,  349.0, 10.0, 4.0, 0.05, (95, 0.15)),
        row("cheese",         0.05, 5.0,  449.0, 12.0, 5.0, 0.20, (345, 0.10)),
        row("yoghurt",        0.05, 4.0,  129.0,  8.0, 5.0, 0.40, (0, 0.0)),
        row("butter",         0.02, 2.0,  399.0, 16.0, 3.0, 0.08, (345, 0.15)),
        row("meat",           0.06, 6.0,  699.0,  8.0, 5.0, 0.30, (186, 0.15)),
        row("fish",           0.03, 1.5,  899.0, 14.0, 1.5, 0.30, (355, 0.15)),
        row("deli",           0.04, 3.0,  499.0,  9.0, 3.0, 0.25, (355, 0.15)),
        row("frozen",         0.08, 5.0,  449.0, 17.0, 3.0, 0.40, (20, 0.10)),
        row("ice cream",      0.02, 2.0,  549.0, 18.0, 1.0, 0.40, (201, 0.60)),
        row("soft drinks",    0.06, 5.0,  199.0,  8.0, 5.0, 0.20, (201, 0.25)),
        row("beer and wine",  0.07, 3.0,  999.0, 12.0, 2.0, 0.30, (355, 0.30)),
        row("coffee and tea", 0.04, 2.5,  699.0, 24.0, 2.5, 0.08, (15, 0.20)),
        row("cereals",        0.04, 3.0,  399.0, 16.0, 3.0, 0.20, (0, 0.0)),
        row("cans and pasta", 0.07, 5.0,  169.0, 22.0, 3.0, 0.25, (25, 0.15)),
        row("sweets",         0.05, 5.0,  229.0, 12.0, 2.0, 0.45, (350, 0.40)),
        row("snacks",         0.05, 4.5,  329.0, 11.0, 2.5, 0.40, (186, 0.10)),
        row("household",      0.05, 3.0,  599.0, 32.0, 2.0, 0.10, (0, 0.0)),
        row("personal care",  0.06, 2.5,  549.0, 38.0, 1.0, 0.10, (0, 0.0)),
        row("pet food",       0.02, 2.0,  129.0,  9.0, 4.0, 0.15, (0, 0.0)),
    ]
};

/// How many brands a category has at most.
const BRANDS: u8 = 8;
/// How much more a product sells in a promotion week, and the share of weeks in promotion.
const PROMOTION_LIFT: f64 = 2.0;
const PROMOTION_SHARE: f64 = 0.06;
/// A yearly wave repeats after this many days; leap days move it by one.
const YEAR: usize = 365;

/// A day, with what the catalogue and the shoppers ask of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Today {
    pub(super) day: i32,
    pub(super) weekday: usize,
    /// 0 = 1 January.
    pub(super) day_of_year: i32,
}

impl Today {
    pub(super) fn new(day: i32) -> Self {
        let day_of_store = Day::from_epoch(day);
        let day_of_year = i32::try_from(day_of_store.date().ordinal0()).unwrap_or(0);
        Self {
            day,
            weekday: day_of_store.weekday(),
            day_of_year,
        }
    }
}

#[derive(Debug)]
struct Product {
    id: i64,
    category: u8,
    brand: u8,
    price: i32,
    season_peak: i32,
    season: f32,
    drift_period: i32,
    drift_phase: i32,
    drift: f32,
    /// The days on which it is sold, the last not included.
    from: i32,
    until: i32,
}

/// All products; those of a category stand together, and a position is a product's code inside the
/// simulator.
#[derive(Debug)]
pub(super) struct Catalogue {
    products: Vec<Product>,
    /// Category `c` has the products `starts[c]..starts[c + 1]`.
    starts: Vec<usize>,
    /// How many brands each category has.
    brands: Vec<u8>,
    /// Running sums of popularity within each category, ending in 1.
    cumulative: Vec<f64>,
    /// cos(2π t / 365) for t = 0 … 364.
    wave: Vec<f64>,
    /// No product's demand is higher.
    highest_demand: f64,
    seed: u64,
}

impl Catalogue {
    pub(super) fn new(parameters: &Parameters, traits: &Traits) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(parameters.seed);
        let (first, last, years) = (
            parameters.start.epoch(),
            parameters.last_day().epoch(),
            f64::from(parameters.days) / 365.25,
        );
        let mut ids: Vec<i64> = (1..=i64::from(parameters.products)).collect();
        ids.shuffle(&mut rng);
        let mut ids = ids.into_iter();
        let mut products = Vec::with_capacity(parameters.products as usize);
        let (mut starts, mut brands_of, mut cumulative) = (
            vec![0],
            Vec::new(),
            Vec::with_capacity(parameters.products as usize),
        );
        let shares: f64 = CATEGORIES.iter().map(|category| category.share).sum();
        let (mut share, mut highest) = (0.0, 0.0_f64);
        for (at, category) in CATEGORIES.iter().enumerate() {
            share += category.share / shares;
            let end = (share * f64::from(parameters.products)).round() as usize;
            let count = if at + 1 == CATEGORIES.len() {
                ids.len()
            } else {
                end.saturating_sub(products.len()).clamp(1, ids.len())
            };
            let mut ranks: Vec<usize> = (1..=count).collect();
            ranks.shuffle(&mut rng);
            let brands = BRANDS.min((count / 4).max(1) as u8);
            let mut sum = 0.0;
            let begin = cumulative.len();
            for (rank, id) in ranks.into_iter().zip(ids.by_ref()) {
                sum += (rank as f64 + traits.popularity_shift).powf(-traits.popularity_exponent);
                cumulative.push(sum);
                let own_season = traits.season > 1.0 || rng.random_bool(0.12);
                let (season_peak, season) = if own_season {
                    (
                        rng.random_range(0..YEAR as i32),
                        rng.random_range(0.5..0.95),
                    )
                } else {
                    (
                        category.peak,
                        (category.amplitude * traits.season).min(0.95),
                    )
                };
                let drift = traits.popularity_drift * rng.random_range(0.5..1.0);
                highest = highest.max((1.0 + season) * (1.0 + drift));
                let happens = (traits.turnover * years).min(0.9);
                let day_within = |rng: &mut ChaCha8Rng| rng.random_range(first..=last);
                let from = if rng.random_bool(happens) {
                    day_within(&mut rng)
                } else {
                    i32::MIN
                };
                let until = if rng.random_bool(happens) {
                    day_within(&mut rng).max(from.saturating_add(60))
                } else {
                    i32::MAX
                };
                let spread: f64 = rng.sample(StandardNormal);
                let price = (category.price * (0.35 * spread).exp() / 10.0)
                    .round()
                    .clamp(3.0, 100_000.0) as i32
                    * 10
                    - 1;
                products.push(Product {
                    id,
                    category: at as u8,
                    brand: rng.random_range(0..brands),
                    price,
                    season_peak,
                    season: season as f32,
                    drift_period: rng.random_range(240..540),
                    drift_phase: rng.random_range(0..540),
                    drift: drift as f32,
                    from,
                    until,
                });
            }
            cumulative
                .iter_mut()
                .skip(begin)
                .for_each(|value| *value /= sum);
            starts.push(products.len());
            brands_of.push(brands);
        }
        Self {
            products,
            starts,
            brands: brands_of,
            cumulative,
            wave: (0..YEAR)
                .map(|t| (TAU * t as f64 / YEAR as f64).cos())
                .collect(),
            highest_demand: highest * PROMOTION_LIFT,
            seed: parameters.seed,
        }
    }

    pub(super) fn id(&self, product: u32) -> i64 {
        self.products[product as usize].id
    }

    pub(super) fn category(&self, product: u32) -> u8 {
        self.products[product as usize].category
    }

    /// The chance that another product of the category is taken in place of a staple.
    pub(super) fn variety(&self, category: u8) -> f64 {
        CATEGORIES[usize::from(category)].variety
    }

    /// The price of a unit on a day, in hundredths: a quarter off in a promotion week.
    pub(super) fn price(&self, product: u32, today: &Today) -> i32 {
        let full = self.products[product as usize].price;
        if self.promoted(product, today) {
            (full * 3 / 4) / 10 * 10 + 9
        } else {
            full
        }
    }

    /// The first day on which the product is no longer sold.
    pub(super) fn until(&self, product: u32) -> i32 {
        self.products[product as usize].until
    }

    pub(super) fn sold(&self, product: u32, day: i32) -> bool {
        let product = &self.products[product as usize];
        (product.from..product.until).contains(&day)
    }

    /// The yearly wave: 1 on the peak's day, −1 half a year away.
    pub(super) fn wave(&self, days_from_peak: i32) -> f64 {
        self.wave[days_from_peak.rem_euclid(YEAR as i32) as usize]
    }

    /// How much a staple is wanted at this time of the year: 0 to 2, 1 on average.
    pub(super) fn season(&self, product: u32, today: &Today) -> f64 {
        let product = &self.products[product as usize];
        1.0 + f64::from(product.season) * self.wave(today.day_of_year - product.season_peak)
    }

    /// A product of a category by popularity alone, sold on that day; `None` if none was found.
    pub(super) fn pick_in(&self, category: u8, day: i32, rng: &mut ChaCha8Rng) -> Option<u32> {
        (0..16)
            .map(|_| self.draw(category, rng))
            .find(|product| self.sold(*product, day))
    }

    /// A product as the shelves suggest it today: the category by the customer's tastes (running
    /// sums ending in 1), the product by popularity, season, drift, promotion and loyalty to
    /// brands. `None` if the shelves suggest nothing.
    pub(super) fn suggest(
        &self,
        tastes: &[f32],
        loyalty: f64,
        customer: u32,
        today: &Today,
        rng: &mut ChaCha8Rng,
    ) -> Option<u32> {
        for _ in 0..48 {
            let at: f32 = rng.random();
            let category = tastes
                .partition_point(|sum| *sum < at)
                .min(CATEGORIES.len() - 1);
            let product = self.draw(category as u8, rng);
            let it = &self.products[product as usize];
            if it.brand != self.favourite_brand(customer, category) && rng.random::<f64>() < loyalty
            {
                continue;
            }
            if rng.random::<f64>() * self.highest_demand < self.demand(product, today) {
                return Some(product);
            }
        }
        None
    }

    fn draw(&self, category: u8, rng: &mut ChaCha8Rng) -> u32 {
        let (start, end) = (
            self.starts[usize::from(category)],
            self.starts[usize::from(category) + 1],
        );
        let at: f64 = rng.random();
        let at = self.cumulative[start..end].partition_point(|sum| *sum < at);
        (start + at.min(end - start - 1)) as u32
    }

    fn demand(&self, product: u32, today: &Today) -> f64 {
        if !self.sold(product, today.day) {
            return 0.0;
        }
        let it = &self.products[product as usize];
        let in_wave = (today.day + it.drift_phase).rem_euclid(it.drift_period) * YEAR as i32
            / it.drift_period;
        let promotion = if self.promoted(product, today) {
            PROMOTION_LIFT
        } else {
            1.0
        };
        self.season(product, today) * (1.0 + f64::from(it.drift) * self.wave(in_wave)) * promotion
    }

    fn promoted(&self, product: u32, today: &Today) -> bool {
        let week = (today.day + 3).div_euclid(7); // promotions begin on Mondays
        unit(mix(self.seed
            ^ (u64::from(product) << 32)
            ^ u64::from(week.unsigned_abs())))
            < PROMOTION_SHARE
    }

    fn favourite_brand(&self, customer: u32, category: usize) -> u8 {
        (mix(self.seed ^ (u64::from(customer) << 16) ^ category as u64)
            % u64::from(self.brands[category])) as u8
    }
}
