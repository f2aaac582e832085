//! What a customer's purchases say of each product in them, brought up to date from one night to
//! the next.
//!
//! A count that fades with each purchase, or day, is kept as it stood at the latest purchase with
//! the product: `count ← count · decay^steps + 1`. It is faded to the night only when that is asked
//! for, so that a purchase touches its own products alone.

use crate::calendar::Day;
use crate::purchases::CustomerPurchases;

/// Percent that a purchase counts of the one after it, for each count that fades by purchase.
const DECAY_PERCENTS: [u32; 5] = [98, 95, 90, 80, 60];
/// Days in which a purchase fades to 1/e, for each count that fades by day.
const RECENCY_DAYS: [u32; 2] = [14, 45];
/// Lengths, in purchases back from the night, within which purchases with a product are counted.
const PURCHASE_WINDOWS: [u32; 5] = [1, 3, 5, 10, 20];
/// Lengths, in days back from the night, within which purchases with a product are counted.
const DAY_WINDOWS: [u32; 3] = [14, 30, 90];

/// The position of a length among those that are counted: one that is not does not compile.
const fn position_of<const N: usize>(length: u32, counted: [u32; N]) -> usize {
    let mut at = 0;
    while at < N && counted[at] != length {
        at += 1;
    }
    assert!(at < N, "this is not counted: add it to the array");
    at
}

/// A count of purchases for each of [`DECAY_PERCENTS`].
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DecayedCounts([f64; DECAY_PERCENTS.len()]);

impl DecayedCounts {
    /// What is left of one purchase after another one.
    fn decays() -> [f64; DECAY_PERCENTS.len()] {
        DECAY_PERCENTS.map(|percent| f64::from(percent) / 100.0)
    }

    /// The counts of something that was in all of so many purchases.
    pub(super) fn of_all(purchases: usize) -> Self {
        Self(Self::decays().map(|decay| (1.0 - decay.powi(purchases as i32)) / (1.0 - decay)))
    }

    /// The count in which a purchase counts `PERCENT` percent of the one after it.
    #[inline]
    pub(super) fn by<const PERCENT: u32>(&self) -> f64 {
        self.0[const { position_of(PERCENT, DECAY_PERCENTS) }]
    }
}

/// Counts of the purchases with a product that fade.
#[derive(Debug, Clone, Copy, Default)]
struct FadingCounts {
    by_purchase: DecayedCounts,
    by_day: [f64; RECENCY_DAYS.len()],
}

impl FadingCounts {
    #[inline]
    fn fade(&mut self, left: &FadingTables, purchases: u32, days: i32) {
        fade(
            &mut self.by_purchase.0,
            &left.by_purchase[purchases as usize],
        );
        fade(&mut self.by_day, &left.by_day[days as usize]);
    }

    #[inline]
    fn add_purchase(&mut self) {
        let counts = self.by_purchase.0.iter_mut().chain(&mut self.by_day);
        counts.for_each(|count| *count += 1.0);
    }
}

#[inline]
fn fade<const N: usize>(counts: &mut [f64; N], left: &[f64; N]) {
    counts
        .iter_mut()
        .zip(left)
        .for_each(|(count, left)| *count *= left);
}

/// What is left of a purchase after so many more purchases, and after so many days.
#[derive(Debug, Default)]
struct FadingTables {
    by_purchase: Vec<[f64; DECAY_PERCENTS.len()]>,
    by_day: Vec<[f64; RECENCY_DAYS.len()]>,
}

impl FadingTables {
    /// Makes them long enough.
    fn extend(&mut self, purchases: usize, days: usize) {
        for _ in self.by_purchase.len()..purchases {
            let next = match self.by_purchase.last() {
                None => [1.0; DECAY_PERCENTS.len()],
                Some(left) => {
                    let mut left = *left;
                    fade(&mut left, &DecayedCounts::decays());
                    left
                }
            };
            self.by_purchase.push(next);
        }
        for days in self.by_day.len()..=days {
            self.by_day
                .push(RECENCY_DAYS.map(|length| (-(days as f64) / f64::from(length)).exp()));
        }
    }
}

/// A product that a customer has bought, as a night sees it. Days and purchases "since" are counted
/// from a purchase to the night.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ProductOnNight {
    pub(super) product: u32,
    /// Purchases with it.
    pub(super) times: u32,
    fading: FadingCounts,
    in_purchases: [u32; PURCHASE_WINDOWS.len()],
    in_days: [u32; DAY_WINDOWS.len()],
    /// Days since the latest purchase with it, and since the first.
    pub(super) days_since_last: i32,
    pub(super) days_since_first: i32,
    /// Purchases since the latest one with it, and since the first.
    pub(super) purchases_since_last: u32,
    pub(super) purchases_since_first: u32,
    /// Days between the latest two purchases with it.
    pub(super) last_gap: i32,
    /// Squared days between two purchases with it, added up.
    pub(super) squared_gaps: f64,
    /// Purchases with it on the weekday on which the customer is expected.
    pub(super) on_target_weekday: u32,
    /// Products in the baskets with it, added up.
    pub(super) basket_products: u32,
}

impl ProductOnNight {
    /// Purchases with it, of which each counts `PERCENT` percent of the customer's purchase after
    /// it.
    #[inline]
    pub(super) fn decayed<const PERCENT: u32>(&self) -> f64 {
        self.fading.by_purchase.by::<PERCENT>()
    }

    /// Purchases with it, of which each fades to 1/e in `DAYS` days.
    #[inline]
    pub(super) fn recency<const DAYS: u32>(&self) -> f64 {
        self.fading.by_day[const { position_of(DAYS, RECENCY_DAYS) }]
    }

    /// How many of the latest `PURCHASES` purchases had it.
    #[inline]
    pub(super) fn in_purchases<const PURCHASES: u32>(&self) -> u32 {
        self.in_purchases[const { position_of(PURCHASES, PURCHASE_WINDOWS) }]
    }

    /// How many purchases of the last `DAYS` days had it.
    #[inline]
    pub(super) fn in_days<const DAYS: u32>(&self) -> u32 {
        self.in_days[const { position_of(DAYS, DAY_WINDOWS) }]
    }
}

/// A purchase by its position and day.
#[derive(Debug, Clone, Copy)]
struct DatedPurchase {
    position: u32,
    day: Day,
}

/// A product as the latest purchase with it left it.
#[derive(Debug, Clone, Copy)]
struct ProductHistory {
    product: u32,
    times: u32,
    fading: FadingCounts,
    first: DatedPurchase,
    last: DatedPurchase,
    last_gap: i32,
    squared_gaps: f64,
    by_weekday: [u32; 7],
    basket_products: u32,
}

impl ProductHistory {
    /// Before its first purchase is added.
    fn new(product: u32, first: DatedPurchase) -> Self {
        Self {
            product,
            times: 0,
            fading: FadingCounts::default(),
            first,
            last: first,
            last_gap: 0,
            squared_gaps: 0.0,
            by_weekday: [0; 7],
            basket_products: 0,
        }
    }

    /// Fades to a later purchase.
    #[inline]
    fn fade_to(&mut self, purchase: DatedPurchase, left: &FadingTables) {
        let gap = purchase.day - self.last.day;
        self.fading
            .fade(left, purchase.position - self.last.position, gap);
        self.last_gap = gap;
        self.squared_gaps += f64::from(gap) * f64::from(gap);
        self.last = purchase;
    }

    /// Adds the latest purchase.
    #[inline]
    fn add(&mut self, day: Day, basket_size: usize) {
        self.times += 1;
        self.fading.add_purchase();
        self.by_weekday[day.weekday()] += 1;
        self.basket_products += basket_size as u32;
    }

    /// As the night sees it, of which `newest` is the latest purchase; without the windows.
    #[inline]
    fn on_night(
        &self,
        newest: u32,
        night: Day,
        target_weekday: usize,
        left: &FadingTables,
    ) -> ProductOnNight {
        let mut seen = ProductOnNight {
            product: self.product,
            times: self.times,
            fading: self.fading,
            days_since_last: night - self.last.day,
            days_since_first: night - self.first.day,
            purchases_since_last: newest - self.last.position,
            purchases_since_first: newest - self.first.position,
            last_gap: self.last_gap,
            squared_gaps: self.squared_gaps,
            on_target_weekday: self.by_weekday[target_weekday],
            basket_products: self.basket_products,
            ..ProductOnNight::default()
        };
        seen.fading
            .fade(left, seen.purchases_since_last, seen.days_since_last);
        seen
    }
}

/// The products of one customer.
#[derive(Debug, Default)]
pub(super) struct ProductHistories {
    /// One more than the position of a product, 0 without one: as long as the largest code seen.
    slots: Vec<u32>,
    products: Vec<ProductHistory>,
    /// How many purchases are added up in them.
    purchases: usize,
    on_night: Vec<ProductOnNight>,
    left: FadingTables,
}

impl ProductHistories {
    /// Forgets a customer.
    pub(super) fn clear(&mut self) {
        for known in self.products.drain(..) {
            self.slots[known.product as usize] = 0;
        }
        self.purchases = 0;
        self.on_night.clear();
    }

    /// Whether the customer bought a product by the night that was looked at last.
    pub(super) fn contain(&self, product: u32) -> bool {
        self.slots
            .get(product as usize)
            .is_some_and(|slot| *slot > 0)
    }

    /// The products on the night that was looked at last, in the order in which they were first
    /// bought.
    pub(super) fn on_night(&self) -> &[ProductOnNight] {
        &self.on_night
    }

    /// Looks at the customer's purchases up to a night. Those that are known from an earlier night
    /// are not looked at again.
    pub(super) fn look(
        &mut self,
        purchases: &CustomerPurchases<'_>,
        night: Day,
        target_weekday: usize,
    ) {
        if purchases.len() < self.purchases {
            self.clear();
        }
        let Some(first) = purchases.days().first() else {
            return;
        };
        self.left.extend(purchases.len(), (night - *first) as usize);
        for (position, (day, basket)) in (0_u32..).zip(purchases.iter()).skip(self.purchases) {
            self.add(DatedPurchase { position, day }, basket);
        }
        self.purchases = purchases.len();

        let newest = purchases.len() as u32 - 1;
        self.on_night.clear();
        self.on_night.extend(
            self.products
                .iter()
                .map(|product| product.on_night(newest, night, target_weekday, &self.left)),
        );
        self.count_windows(purchases, night);
    }

    /// Adds the purchase after the known ones.
    fn add(&mut self, purchase: DatedPurchase, basket: &[u32]) {
        for product in basket {
            let code = *product as usize;
            if code >= self.slots.len() {
                self.slots.resize(code + 1, 0);
            }
            if self.slots[code] == 0 {
                self.products.push(ProductHistory::new(*product, purchase));
                self.slots[code] = self.products.len() as u32;
            }
            let known = &mut self.products[self.slots[code] as usize - 1];
            if known.times > 0 {
                known.fade_to(purchase, &self.left);
            }
            known.add(purchase.day, basket.len());
        }
    }

    /// Counts the latest purchases with each product.
    fn count_windows(&mut self, purchases: &CustomerPurchases<'_>, night: Day) {
        for (back, (day, basket)) in (0_u32..).zip(purchases.iter().rev()) {
            let ago = (night - day).unsigned_abs();
            let in_purchases = PURCHASE_WINDOWS.map(|window| u32::from(back < window));
            let in_days = DAY_WINDOWS.map(|window| u32::from(ago < window));
            if in_purchases
                .iter()
                .chain(&in_days)
                .all(|inside| *inside == 0)
            {
                break;
            }
            for product in basket {
                let seen = &mut self.on_night[self.slots[*product as usize] as usize - 1];
                add_counts(&mut seen.in_purchases, &in_purchases);
                add_counts(&mut seen.in_days, &in_days);
            }
        }
    }
}

#[inline]
fn add_counts<const N: usize>(counts: &mut [u32; N], more: &[u32; N]) {
    counts
        .iter_mut()
        .zip(more)
        .for_each(|(count, more)| *count += more);
}
