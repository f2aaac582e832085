//! The products of a store: categories, popularity, brands, prices, seasons, promotions, launches
//! and ends.

use std::f64::consts::TAU;

use chrono::Datelike;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::StandardNormal;

use super::parameters::{SimulationParameters, StyleParameters};
use crate::calendar::{DateRange, Day};
use crate::sampling::{mix, unit};

/// What the products of a category have in common.
#[derive(Debug)]
pub(super) struct Category {
    pub(super) name: &'static str,
    /// Share of the products; the shares of all categories need not add up to 1.
    product_share: f64,
    /// Weight among what is bought beyond staples.
    pub(super) sales: f64,
    /// Median price, in hundredths.
    price: f64,
    /// Median days that one purchase lasts a household of two or three.
    pub(super) cycle_days: f64,
    /// How readily its products become staples.
    pub(super) staple: f64,
    /// Chance that another product of the category is taken in place of the staple.
    variety: f64,
    /// Day of the year on which it sells most, 0 = 1 January.
    peak: i32,
    /// Amplitude of its yearly wave, 0 to 1.
    amplitude: f64,
}

/// Makes [`Category`] values of the rows of a table.
macro_rules! categories {
    ($($name:literal $share:literal $sales:literal $price:literal $cycle_days:literal
        $staple:literal $variety:literal $peak:literal $amplitude:literal;)*) => {
        [$(Category {
            name: $name,
            product_share: $share,
            sales: $sales,
            price: $price,
            cycle_days: $cycle_days,
            staple: $staple,
            variety: $variety,
            peak: $peak,
            amplitude: $amplitude,
        }),*]
    };
}

pub(super) const CATEGORIES: [Category; 24] = categories! {
    // name          share  sales   price   cycle_days   staple   variety   peak   amplitude
    "fruit"           0.05    8.0   249.0          6.0      8.0      0.25    196        0.30;
    "vegetables"      0.06    9.0   199.0          6.0      8.0      0.25    166        0.15;
    "salad"           0.02    3.0   299.0          6.0      3.0      0.20    181        0.45;
    "milk"            0.02    4.0   319.0          6.0      9.0      0.03      0         0.0;
    "bread"           0.04    5.0   279.0          5.0      8.0      0.10      0         0.0;
    "eggs"            0.01    2.0   349.0         10.0      4.0      0.05     95        0.15;
    "cheese"          0.05    5.0   449.0         12.0      5.0      0.20    345        0.10;
    "yoghurt"         0.05    4.0   129.0          8.0      5.0      0.40      0         0.0;
    "butter"          0.02    2.0   399.0         16.0      3.0      0.08    345        0.15;
    "meat"            0.06    6.0   699.0          8.0      5.0      0.30    186        0.15;
    "fish"            0.03    1.5   899.0         14.0      1.5      0.30    355        0.15;
    "deli"            0.04    3.0   499.0          9.0      3.0      0.25    355        0.15;
    "frozen"          0.08    5.0   449.0         17.0      3.0      0.40     20        0.10;
    "ice cream"       0.02    2.0   549.0         18.0      1.0      0.40    201        0.60;
    "soft drinks"     0.06    5.0   199.0          8.0      5.0      0.20    201        0.25;
    "beer and wine"   0.07    3.0   999.0         12.0      2.0      0.30    355        0.30;
    "coffee and tea"  0.04    2.5   699.0         24.0      2.5      0.08     15        0.20;
    "cereals"         0.04    3.0   399.0         16.0      3.0      0.20      0         0.0;
    "cans and pasta"  0.07    5.0   169.0         22.0      3.0      0.25     25        0.15;
    "sweets"          0.05    5.0   229.0         12.0      2.0      0.45    350        0.40;
    "snacks"          0.05    4.5   329.0         11.0      2.5      0.40    186        0.10;
    "household"       0.05    3.0   599.0         32.0      2.0      0.10      0         0.0;
    "personal care"   0.06    2.5   549.0         38.0      1.0      0.10      0         0.0;
    "pet food"        0.02    2.0   129.0          9.0      4.0      0.15      0         0.0;
};

/// How many brands a category has at most.
const MAX_BRANDS: u8 = 8;
/// Chance that a product has a season of its own, where the style does not give one to all.
const OWN_SEASON: f64 = 0.12;
/// A yearly wave repeats after this many days; leap days move it by one.
const YEAR: i32 = 365;

/// A day, with what the catalogue and the shoppers need to know of it.
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
struct CatalogueProduct {
    id: i64,
    category: u8,
    brand: u8,
    /// In hundredths, outside of promotions.
    price: i32,
    /// Day of the year on which it sells most, 0 = 1 January.
    season_peak: i32,
    /// Amplitude of its yearly wave, 0 to 1.
    season: f32,
    /// Period of the slow wave of its popularity, in days.
    drift_period: i32,
    /// Where that wave begins, in days.
    drift_phase: i32,
    /// Amplitude of that wave, 0 to 1.
    drift: f32,
    /// The first day on which it is sold.
    from: i32,
    /// The first day on which it is no longer sold.
    until: i32,
}

/// All products. Those of a category stand together; a product's position is its code inside the
/// simulator.
#[derive(Debug)]
pub(super) struct Catalogue {
    products: Vec<CatalogueProduct>,
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
    /// See [`StyleParameters`].
    promotion_share: f64,
    promotion_lift: f64,
    seed: u64,
}

impl Catalogue {
    /// Draws the products of a store.
    pub(super) fn new(parameters: &SimulationParameters, style: &StyleParameters) -> Self {
        let mut builder = CatalogueBuilder::new(parameters, style);
        let shares: f64 = CATEGORIES
            .iter()
            .map(|category| category.product_share)
            .sum();
        let mut share = 0.0;
        for (position, category) in (0..).zip(&CATEGORIES) {
            share += category.product_share / shares;
            let end = (share * f64::from(parameters.products)).round() as usize;
            let left = builder.ids.len();
            let count = if usize::from(position) + 1 == CATEGORIES.len() {
                left
            } else {
                end.saturating_sub(builder.catalogue.products.len())
                    .clamp(1, left)
            };
            builder.add_category(position, count);
        }
        builder.catalogue.highest_demand *= style.promotion_lift;
        builder.catalogue
    }

    fn product(&self, code: u32) -> &CatalogueProduct {
        &self.products[code as usize]
    }

    /// The id of a product.
    pub(super) fn id(&self, product: u32) -> i64 {
        self.product(product).id
    }

    /// The category of a product, as a position in [`CATEGORIES`].
    pub(super) fn category(&self, product: u32) -> u8 {
        self.product(product).category
    }

    /// The chance that another product of the category is taken in place of a staple.
    pub(super) fn variety(&self, category: u8) -> f64 {
        CATEGORIES[usize::from(category)].variety
    }

    /// The price of a unit on a day, in hundredths: a quarter off in a promotion week.
    pub(super) fn price(&self, product: u32, today: &Today) -> i32 {
        let full = self.product(product).price;
        if self.is_promoted(product, today) {
            (full * 3 / 4) / 10 * 10 + 9
        } else {
            full
        }
    }

    /// The first day on which the product is no longer sold.
    pub(super) fn until(&self, product: u32) -> i32 {
        self.product(product).until
    }

    /// Whether the product is sold on a day.
    pub(super) fn is_sold(&self, product: u32, day: i32) -> bool {
        let product = self.product(product);
        (product.from..product.until).contains(&day)
    }

    /// The yearly wave: 1 on the peak's day, −1 half a year away.
    pub(super) fn wave(&self, days_from_peak: i32) -> f64 {
        self.wave[days_from_peak.rem_euclid(YEAR) as usize]
    }

    /// How much a staple is wanted at this time of the year: 0 to 2, 1 on average.
    pub(super) fn season(&self, product: u32, today: &Today) -> f64 {
        let product = self.product(product);
        1.0 + f64::from(product.season) * self.wave(today.day_of_year - product.season_peak)
    }

    /// A product of a category that is sold on the day, drawn by popularity alone. `None` if
    /// several draws found none.
    pub(super) fn pick_in(&self, category: u8, day: i32, rng: &mut ChaCha8Rng) -> Option<u32> {
        (0..16)
            .map(|_| self.draw(category, rng))
            .find(|product| self.is_sold(*product, day))
    }

    /// A product that the store suggests to a customer today: its category is drawn by the
    /// customer's tastes (running sums ending in 1), the product by popularity, season, drift,
    /// promotion and loyalty to brands. `None` if nothing is suggested.
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
            let brand = self.product(product).brand;
            if brand != self.favourite_brand(customer, category) && rng.random::<f64>() < loyalty {
                continue;
            }
            if rng.random::<f64>() * self.highest_demand < self.demand(product, today) {
                return Some(product);
            }
        }
        None
    }

    /// A product of a category, drawn by popularity alone.
    fn draw(&self, category: u8, rng: &mut ChaCha8Rng) -> u32 {
        let (start, end) = (
            self.starts[usize::from(category)],
            self.starts[usize::from(category) + 1],
        );
        let at: f64 = rng.random();
        let at = self.cumulative[start..end].partition_point(|sum| *sum < at);
        (start + at.min(end - start - 1)) as u32
    }

    /// How much a product is wanted today, at most `highest_demand`.
    fn demand(&self, product: u32, today: &Today) -> f64 {
        if !self.is_sold(product, today.day) {
            return 0.0;
        }
        let CatalogueProduct {
            drift,
            drift_phase,
            drift_period,
            ..
        } = *self.product(product);
        let day_of_wave = (today.day + drift_phase).rem_euclid(drift_period) * YEAR / drift_period;
        let promotion = if self.is_promoted(product, today) {
            self.promotion_lift
        } else {
            1.0
        };
        self.season(product, today) * (1.0 + f64::from(drift) * self.wave(day_of_wave)) * promotion
    }

    /// Whether the product is in a promotion in this week.
    fn is_promoted(&self, product: u32, today: &Today) -> bool {
        let week = (today.day + 3).div_euclid(7); // promotions begin on Mondays
        unit(mix(self.seed
            ^ (u64::from(product) << 32)
            ^ u64::from(week.unsigned_abs())))
            < self.promotion_share
    }

    /// The brand of a category to which the customer is loyal.
    fn favourite_brand(&self, customer: u32, category: usize) -> u8 {
        (mix(self.seed ^ (u64::from(customer) << 16) ^ category as u64)
            % u64::from(self.brands[category])) as u8
    }
}

/// Draws a catalogue category by category.
struct CatalogueBuilder<'a> {
    parameters: &'a SimulationParameters,
    style: &'a StyleParameters,
    rng: ChaCha8Rng,
    /// The ids that are left, in random order.
    ids: std::vec::IntoIter<i64>,
    /// Chance that a product is launched within the history, and that it is discontinued.
    turnover: f64,
    catalogue: Catalogue,
}

impl<'a> CatalogueBuilder<'a> {
    fn new(parameters: &'a SimulationParameters, style: &'a StyleParameters) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(parameters.seed);
        let mut ids: Vec<i64> = (1..=i64::from(parameters.products)).collect();
        ids.shuffle(&mut rng);
        let products = ids.len();
        let years = f64::from(parameters.days) / 365.25;
        let wave = (0..YEAR)
            .map(|day| (TAU * f64::from(day) / f64::from(YEAR)).cos())
            .collect();
        Self {
            parameters,
            style,
            rng,
            ids: ids.into_iter(),
            turnover: (style.turnover * years).min(0.9),
            catalogue: Catalogue {
                products: Vec::with_capacity(products),
                starts: vec![0],
                brands: Vec::new(),
                cumulative: Vec::with_capacity(products),
                wave,
                highest_demand: 0.0,
                promotion_share: style.promotion_share,
                promotion_lift: style.promotion_lift,
                seed: parameters.seed,
            },
        }
    }

    /// Adds the next `count` products as a category.
    fn add_category(&mut self, category: u8, count: usize) {
        let mut ranks: Vec<usize> = (1..=count).collect();
        ranks.shuffle(&mut self.rng);
        self.add_popularity(&ranks);
        let brands = u8::try_from((count / 4).max(1)).map_or(MAX_BRANDS, |few| few.min(MAX_BRANDS));
        for _ in 0..count {
            let Some(id) = self.ids.next() else { break };
            let product = self.draw_product(id, category, brands);
            self.catalogue.products.push(product);
        }
        self.catalogue.starts.push(self.catalogue.products.len());
        self.catalogue.brands.push(brands);
    }

    /// Adds the running sums of the popularity of products with these ranks, ending in 1.
    fn add_popularity(&mut self, ranks: &[usize]) {
        let begin = self.catalogue.cumulative.len();
        let mut sum = 0.0;
        for rank in ranks {
            let shifted_rank = *rank as f64 + self.style.popularity_shift;
            sum += shifted_rank.powf(-self.style.popularity_exponent);
            self.catalogue.cumulative.push(sum);
        }
        for value in &mut self.catalogue.cumulative[begin..] {
            *value /= sum;
        }
    }

    fn draw_product(&mut self, id: i64, category: u8, brands: u8) -> CatalogueProduct {
        let in_common = &CATEGORIES[usize::from(category)];
        let (season_peak, season) = self.draw_season(in_common);
        let drift = self.style.popularity_drift * self.rng.random_range(0.5..1.0);
        let highest = (1.0 + season) * (1.0 + drift);
        self.catalogue.highest_demand = self.catalogue.highest_demand.max(highest);
        let (from, until) = self.draw_days_sold();
        CatalogueProduct {
            id,
            category,
            price: self.draw_price(in_common),
            brand: self.rng.random_range(0..brands),
            season_peak,
            season: season as f32,
            drift_period: self.rng.random_range(240..540),
            drift_phase: self.rng.random_range(0..540),
            drift: drift as f32,
            from,
            until,
        }
    }

    /// The peak and the amplitude of the yearly wave: a product's own, or that of its category.
    fn draw_season(&mut self, category: &Category) -> (i32, f64) {
        let is_own = self.style.season > 1.0 || self.rng.random_bool(OWN_SEASON);
        if is_own {
            let peak = self.rng.random_range(0..YEAR);
            (peak, self.rng.random_range(0.5..0.95))
        } else {
            let amplitude = (category.amplitude * self.style.season).min(0.95);
            (category.peak, amplitude)
        }
    }

    /// The first day on which a product is sold, and the first on which it no longer is: at least
    /// 60 days later.
    fn draw_days_sold(&mut self) -> (i32, i32) {
        let from = self.draw_day_of_change().unwrap_or(i32::MIN);
        let until = self
            .draw_day_of_change()
            .map_or(i32::MAX, |day| day.max(from.saturating_add(60)));
        (from, until)
    }

    /// The day on which a product is launched or discontinued, if that happens within the history.
    fn draw_day_of_change(&mut self) -> Option<i32> {
        let DateRange { first, last } = self.parameters.span();
        self.rng
            .random_bool(self.turnover)
            .then(|| self.rng.random_range(first.epoch()..=last.epoch()))
    }

    /// A price in hundredths, ending in 9.
    fn draw_price(&mut self, category: &Category) -> i32 {
        let spread: f64 = self.rng.sample(StandardNormal);
        let tens = (category.price * (0.35 * spread).exp() / 10.0).round();
        tens.clamp(3.0, 100_000.0) as i32 * 10 - 1
    }
}
