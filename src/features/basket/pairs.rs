//! What a customer's purchases say of each product in them, brought up to date from one night to
//! the next.
//!
//! A sum that fades with each purchase, or day, is kept as it stood at the latest purchase with the
//! product: `s ← s · decay^steps + 1`. It is faded to the night only when that is asked for, so
//! that a purchase touches its own products alone.

use crate::calendar::Day;
use crate::purchases::CustomerPurchases;

/// Decays by purchase of the personal frequencies.
pub(super) const DECAYS: [f64; 5] = [0.98, 0.95, 0.9, 0.8, 0.6];
/// In so many days a purchase counts a part of e less.
const RECENCY_DAYS: [f64; 2] = [14.0, 45.0];
/// The latest so many purchases.
const VISITS_WINDOWS: [u32; 5] = [1, 3, 5, 10, 20];
/// The last so many days.
const DAYS_WINDOWS: [i32; 3] = [14, 30, 90];

/// One product as a night sees it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pair {
    pub(super) product: u32,
    pub(super) times: u32,
    pub(super) decays: [f64; DECAYS.len()],
    pub(super) recency: [f64; RECENCY_DAYS.len()],
    /// Purchases with it in each of the windows.
    pub(super) visits_window: [u32; VISITS_WINDOWS.len()],
    pub(super) days_window: [u32; DAYS_WINDOWS.len()],
    /// Days, and purchases, since the latest and the first purchase with it.
    pub(super) last_ago: i32,
    pub(super) first_ago: i32,
    pub(super) last_back: u32,
    pub(super) first_back: u32,
    pub(super) last_gap: i32,
    pub(super) gap_squares: f64,
    pub(super) on_weekday: u32,
    pub(super) basket_sizes: u32,
}

/// The same as the latest purchase with it left it.
#[derive(Debug, Clone, Copy)]
struct Known {
    product: u32,
    times: u32,
    decays: [f64; DECAYS.len()],
    recency: [f64; RECENCY_DAYS.len()],
    first: (u32, Day),
    last: (u32, Day),
    last_gap: i32,
    gap_squares: f64,
    by_weekday: [u32; 7],
    basket_sizes: u32,
}

/// The products of one customer.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// One more than the position of a product, 0 without one: as long as the largest code seen.
    slots: Vec<u32>,
    known: Vec<Known>,
    /// So many purchases are known.
    purchases: usize,
    on_night: Vec<Pair>,
    /// What is left after so many purchases, and after so many days.
    by_purchase: Vec<[f64; DECAYS.len()]>,
    by_day: Vec<[f64; RECENCY_DAYS.len()]>,
}

impl Pairs {
    /// Forgets a customer.
    pub(super) fn clear(&mut self) {
        for known in self.known.drain(..) {
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
    pub(super) fn on_night(&self) -> &[Pair] {
        &self.on_night
    }

    /// Looks at the customer's purchases up to a night.
    pub(super) fn look(
        &mut self,
        purchases: &CustomerPurchases<'_>,
        night: Day,
        target_weekday: usize,
    ) {
        if purchases.len() < self.purchases {
            self.clear();
        }
        let days = purchases.days();
        let Some(first) = days.first() else { return };
        for purchases in self.by_purchase.len()..days.len() {
            let before = purchases
                .checked_sub(1)
                .map(|before| self.by_purchase[before]);
            self.by_purchase
                .push(before.map_or([1.0; DECAYS.len()], |mut left| {
                    left.iter_mut()
                        .zip(DECAYS)
                        .for_each(|(left, decay)| *left *= decay);
                    left
                }));
        }
        for days in self.by_day.len()..=(night - *first) as usize {
            self.by_day
                .push(RECENCY_DAYS.map(|length| (-(days as f64) / length).exp()));
        }
        for (at, (day, basket)) in purchases.iter().enumerate().skip(self.purchases) {
            self.take(at as u32, day, basket);
        }
        self.purchases = days.len();

        let newest = days.len() as u32 - 1;
        let Self {
            slots,
            known,
            on_night,
            by_purchase,
            by_day,
            ..
        } = self;
        on_night.clear();
        on_night.extend(known.iter().map(|known| {
            let (last_back, last_ago) = (newest - known.last.0, night - known.last.1);
            let mut pair = Pair {
                product: known.product,
                times: known.times,
                decays: known.decays,
                recency: known.recency,
                last_ago,
                first_ago: night - known.first.1,
                last_back,
                first_back: newest - known.first.0,
                last_gap: known.last_gap,
                gap_squares: known.gap_squares,
                on_weekday: known.by_weekday[target_weekday],
                basket_sizes: known.basket_sizes,
                ..Pair::default()
            };
            fade(&mut pair.decays, &by_purchase[last_back as usize]);
            fade(&mut pair.recency, &by_day[last_ago as usize]);
            pair
        }));
        for (back, (day, basket)) in (0_u32..).zip(purchases.iter().rev()) {
            let ago = night - day;
            let (in_visits, in_days) = (
                VISITS_WINDOWS.map(|window| back < window),
                DAYS_WINDOWS.map(|window| ago < window),
            );
            if !in_visits.into_iter().chain(in_days).any(|inside| inside) {
                break;
            }
            for product in basket {
                let pair = &mut on_night[slots[*product as usize] as usize - 1];
                pair.visits_window
                    .iter_mut()
                    .zip(in_visits)
                    .for_each(|(count, inside)| *count += u32::from(inside));
                pair.days_window
                    .iter_mut()
                    .zip(in_days)
                    .for_each(|(count, inside)| *count += u32::from(inside));
            }
        }
    }

    /// The purchase after the known ones.
    fn take(&mut self, at: u32, day: Day, basket: &[u32]) {
        let Self {
            slots,
            known,
            by_purchase,
            by_day,
            ..
        } = self;
        for product in basket {
            let p = *product as usize;
            if p >= slots.len() {
                slots.resize(p + 1, 0);
            }
            let known = match slots[p] {
                0 => {
                    known.push(Known {
                        product: *product,
                        times: 0,
                        decays: [0.0; DECAYS.len()],
                        recency: [0.0; RECENCY_DAYS.len()],
                        first: (at, day),
                        last: (at, day),
                        last_gap: 0,
                        gap_squares: 0.0,
                        by_weekday: [0; 7],
                        basket_sizes: 0,
                    });
                    slots[p] = known.len() as u32;
                    &mut known[slots[p] as usize - 1]
                }
                slot => {
                    let known = &mut known[slot as usize - 1];
                    let gap = day - known.last.1;
                    fade(
                        &mut known.decays,
                        &by_purchase[(at - known.last.0) as usize],
                    );
                    fade(&mut known.recency, &by_day[gap as usize]);
                    known.last_gap = gap;
                    known.gap_squares += f64::from(gap) * f64::from(gap);
                    known.last = (at, day);
                    known
                }
            };
            known.times += 1;
            known
                .decays
                .iter_mut()
                .chain(&mut known.recency)
                .for_each(|sum| *sum += 1.0);
            known.by_weekday[day.weekday()] += 1;
            known.basket_sizes += basket.len() as u32;
        }
    }
}

#[inline]
fn fade<const N: usize>(sums: &mut [f64; N], left: &[f64; N]) {
    sums.iter_mut()
        .zip(left)
        .for_each(|(sum, left)| *sum *= left);
}
