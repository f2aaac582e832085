//! Basket features: what is known on a night of each product that a customer may buy next.
//!
//! Candidates are the products that the customer bought before, those bought most often lately
//! first up to a limit, and the store's currently popular ones that they have not bought (`new`).

mod pairs;

use super::MISSING;
use super::store_snapshot::{LIKENESS_DAYS, NeighbourScratch, StoreSnapshot};
use crate::purchases::CustomerPurchases;
use pairs::{DECAYS, Pair, Pairs};

/// The features of one (customer, night, product), in order. `…_v` counts purchases of the
/// customer, `…_d` days.
pub const BASKET_FEATURES: [&str; 54] = [
    "purchases",
    "elapsed",
    "expected_days",
    "gap_mean",
    "basket_mean",
    "basket_last",
    "purchases_28d",
    "repeat_share",
    "distinct_products",
    "target_weekday",
    "bought",
    "share",
    "share_since_first",
    "decay_98",
    "decay_95",
    "decay_90",
    "decay_80",
    "decay_60",
    "recency_14d",
    "recency_45d",
    "bought_1v",
    "bought_3v",
    "bought_5v",
    "bought_10v",
    "bought_20v",
    "bought_14d",
    "bought_30d",
    "bought_90d",
    "last_days",
    "first_days",
    "last_visits",
    "gap_days",
    "gap_visits",
    "gap_deviation",
    "gap_last",
    "due_days",
    "due_visits",
    "due_last",
    "weekday_fit",
    "size_fit",
    "decay_share",
    "decay_rank",
    "product_share_28d",
    "product_share_112d",
    "product_trend",
    "product_repeat_rate",
    "product_next_rate",
    "product_repeaters",
    "product_gap_days",
    "product_basket",
    "neighbour_score",
    "neighbour_lift",
    "due_product",
    "expected_rate",
];

/// How many basket features there are.
pub const BASKET_WIDTH: usize = BASKET_FEATURES.len();

/// What is known of one (customer, product) pair besides its features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Product code.
    pub product: u32,
    /// Purchases of the customer with it; 0 = new to the customer.
    pub times: u32,
    /// Days from the latest purchase with it to the night.
    pub last_ago: i32,
    /// Days from the first purchase with it to the night.
    pub first_ago: i32,
    /// Purchases since the latest one with it (0 = it was in the last basket).
    pub last_back: u32,
    /// Purchases with it among the last ten.
    pub last_ten: u32,
}

impl Candidate {
    /// Mean days between the customer's purchases with it, from two on.
    #[must_use]
    pub fn gap_days(&self) -> Option<f64> {
        (self.times > 1)
            .then(|| f64::from(self.first_ago - self.last_ago) / f64::from(self.times - 1))
    }
}

/// Arrays of one thread, and the candidates of the customer that was looked at last.
#[derive(Debug, Default)]
pub struct BasketScratch {
    pairs: Pairs,
    by_code: Vec<(u32, u32)>,
    neighbours: NeighbourScratch,
    /// The candidates: bought ones by ascending code, then the new ones by descending popularity.
    pub candidates: Vec<Candidate>,
    /// Their features, row-major, [`BASKET_WIDTH`] a candidate.
    pub rows: Vec<f32>,
}

/// Fills `scratch` with the candidates of a customer, for whose id `customer` stands, who has the
/// purchases `purchases` up to the world's night and is expected `expected_days` after it. Durations
/// are days.
pub fn basket_features(
    store: &StoreSnapshot,
    customer: u64,
    purchases: &CustomerPurchases<'_>,
    expected_days: f64,
    scratch: &mut BasketScratch,
) {
    CustomerBaskets::new(customer, *purchases, scratch).on(store, expected_days);
}

/// [`basket_features`] of one customer on several nights: each purchase is looked at once for all
/// of them if they ascend.
#[derive(Debug)]
pub struct CustomerBaskets<'a> {
    customer: u64,
    purchases: CustomerPurchases<'a>,
    scratch: &'a mut BasketScratch,
}

impl<'a> CustomerBaskets<'a> {
    /// Of a customer, for whose id `customer` stands, who has these purchases.
    pub fn new(
        customer: u64,
        purchases: CustomerPurchases<'a>,
        scratch: &'a mut BasketScratch,
    ) -> Self {
        scratch.pairs.clear();
        Self {
            customer,
            purchases,
            scratch,
        }
    }

    /// As [`basket_features`]; gives the filled scratch.
    pub fn on(&mut self, store: &StoreSnapshot, expected_days: f64) -> &BasketScratch {
        fill(
            store,
            self.customer,
            &self.purchases,
            expected_days,
            self.scratch,
        );
        self.scratch
    }
}

fn fill(
    store: &StoreSnapshot,
    customer: u64,
    purchases: &CustomerPurchases<'_>,
    expected_days: f64,
    scratch: &mut BasketScratch,
) {
    let night = store.night();
    let purchases = purchases.until(night);
    scratch.candidates.clear();
    scratch.rows.clear();
    let days = purchases.days();
    let Some(last_day) = days.last() else { return };
    let expected = expected_days.max(1.0);
    let target_weekday = (night + expected.round() as i32).weekday();
    let BasketScratch {
        pairs: all,
        by_code,
        neighbours,
        candidates,
        rows,
    } = scratch;
    all.look(&purchases, night, target_weekday);
    // Positions are sorted, and not the pairs, which are large.
    by_code.clear();
    by_code.extend(
        (0_u32..)
            .zip(all.on_night())
            .map(|(at, pair)| (pair.product, at)),
    );
    by_code.sort_unstable();
    let pairs: Vec<&Pair> = by_code
        .iter()
        .map(|(_, at)| &all.on_night()[*at as usize])
        .collect();
    let lately = pairs
        .iter()
        .filter(|pair| pair.last_ago < LIKENESS_DAYS)
        .map(|pair| pair.product);
    store.look_for_neighbours(customer, lately, neighbours);

    let n = days.len() as f64;
    let decay_totals = DECAYS.map(|decay| (1.0 - decay.powi(days.len() as i32)) / (1.0 - decay));
    let recent = days.len() - days.partition_point(|day| night - *day >= 120);
    let gap_mean = if recent > 1 {
        f64::from(days[days.len() - 1] - days[days.len() - recent]) / (recent - 1) as f64
    } else if days.len() > 1 {
        f64::from(*last_day - days[0]) / (n - 1.0)
    } else {
        f64::from(MISSING)
    };
    let tail = days.len().saturating_sub(10)..days.len();
    let basket_mean = tail
        .clone()
        .map(|at| purchases.basket_size(at) as f64)
        .sum::<f64>()
        / tail.len() as f64;
    let repeats: u32 = pairs
        .iter()
        .map(|pair| pair.visits_window[3] - u32::from(pair.first_back < 10))
        .sum();
    let recent_lines: u32 = pairs.iter().map(|pair| pair.visits_window[3]).sum();
    let purchases_28d = (days.len() - days.partition_point(|day| night - *day >= 28)) as f64;
    let on_weekday = days
        .iter()
        .filter(|day| day.weekday() == target_weekday)
        .count() as f64;
    let decay_sum: f64 = pairs.iter().map(|pair| pair.decays[2]).sum();
    let all_sizes: f64 = (0..days.len())
        .map(|at| purchases.basket_size(at) as f64)
        .sum::<f64>()
        / n;
    let mut order: Vec<(f64, usize)> = pairs
        .iter()
        .zip(0..)
        .map(|(pair, at)| (pair.decays[2], at))
        .collect();
    order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut ranks = vec![0_u32; pairs.len()];
    for (rank, (_, at)) in (0..).zip(&order) {
        ranks[*at] = rank;
    }
    let context = [
        n,
        f64::from(night - *last_day),
        expected,
        gap_mean,
        basket_mean,
        purchases.basket_size(days.len() - 1) as f64,
        purchases_28d,
        (f64::from(repeats) + 3.0) / (f64::from(recent_lines) + 6.0),
        pairs.len() as f64,
        target_weekday as f64,
    ];
    let missing = f64::from(MISSING);
    let mut push = |candidate: Candidate, own: [f64; 32]| {
        let product = candidate.product;
        let neighbour = f64::from(store.liked(product, neighbours));
        let share_112 = store.share(product, 3);
        let product_gap = store.gap_days(product);
        let since = if candidate.times > 0 {
            f64::from(candidate.last_ago) + expected
        } else {
            missing
        };
        // The customer's own cycle, drawn to the product's (empirical Bayes), and how far through
        // it the expected day is.
        let gap = candidate.gap_days().map_or(product_gap, |own| {
            let seen = f64::from(candidate.times - 1);
            (own * seen + product_gap * 2.0) / (seen + 2.0)
        });
        let repeat_rate = store.repeat_rate(product);
        let since_first = share_since_first(&candidate, &own);
        let of_product = [
            store.share(product, 1),
            share_112,
            store.trend(product),
            repeat_rate,
            store.next_rate(product),
            store.repeater_share(product),
            product_gap,
            store.basket_size(product),
            neighbour,
            neighbour / (share_112 + 1e-4),
            if candidate.times > 0 {
                since / gap.max(1.0)
            } else {
                missing
            },
            since_first.map_or(neighbour, |(bought, chances)| {
                (bought + 6.0 * repeat_rate) / (chances + 6.0)
            }),
        ];
        rows.extend(
            context
                .iter()
                .chain(&own)
                .chain(&of_product)
                .map(|value| *value as f32),
        );
        candidates.push(candidate);
    };
    let most = store.limits().bought;
    // What is popular is a candidate for everyone, also for one who bought it long ago.
    let is_candidate =
        |(pair, rank): &(&&Pair, &u32)| (**rank as usize) < most || store.is_popular(pair.product);
    for (pair, rank) in pairs.iter().zip(&ranks).filter(is_candidate) {
        let times = f64::from(pair.times);
        let last_ago = f64::from(pair.last_ago);
        let again = pair.times > 1;
        let gap_days = if again {
            f64::from(pair.first_ago - pair.last_ago) / (times - 1.0)
        } else {
            missing
        };
        let gap_visits = if again {
            f64::from(pair.first_back - pair.last_back) / (times - 1.0)
        } else {
            missing
        };
        let deviation = if pair.times > 2 {
            let mean_square = pair.gap_squares / (times - 1.0);
            (mean_square - gap_days * gap_days).max(0.0).sqrt() / gap_days.max(1.0)
        } else {
            missing
        };
        let normal = |at: usize| pair.decays[at] / decay_totals[at];
        let own = [
            times,
            times / n,
            times / (f64::from(pair.first_back) + 1.0),
            normal(0),
            normal(1),
            normal(2),
            normal(3),
            normal(4),
            pair.recency[0],
            pair.recency[1],
            f64::from(pair.visits_window[0]),
            f64::from(pair.visits_window[1]),
            f64::from(pair.visits_window[2]),
            f64::from(pair.visits_window[3]),
            f64::from(pair.visits_window[4]),
            f64::from(pair.days_window[0]),
            f64::from(pair.days_window[1]),
            f64::from(pair.days_window[2]),
            last_ago + expected,
            f64::from(pair.first_ago),
            f64::from(pair.last_back),
            gap_days,
            gap_visits,
            deviation,
            if again {
                f64::from(pair.last_gap)
            } else {
                missing
            },
            if again {
                (last_ago + expected) / gap_days.max(1.0)
            } else {
                missing
            },
            if again {
                (f64::from(pair.last_back) + 1.0) / gap_visits.max(1.0)
            } else {
                missing
            },
            if again {
                (last_ago + expected) / f64::from(pair.last_gap.max(1))
            } else {
                missing
            },
            (f64::from(pair.on_weekday) + 1.0) / (times * on_weekday / n + 1.0),
            (f64::from(pair.basket_sizes) / times) / all_sizes.max(1.0),
            pair.decays[2] / decay_sum.max(1e-9),
            f64::from(*rank),
        ];
        let candidate = Candidate {
            product: pair.product,
            times: pair.times,
            last_ago: pair.last_ago,
            first_ago: pair.first_ago,
            last_back: pair.last_back,
            last_ten: pair.visits_window[3],
        };
        push(candidate, own);
    }
    let mut nothing = [missing; 32];
    nothing[..20].fill(0.0);
    nothing[30] = 0.0;
    nothing[31] = pairs.len() as f64;
    for product in store.popular() {
        if !all.contain(*product) {
            let candidate = Candidate {
                product: *product,
                times: 0,
                last_ago: 0,
                first_ago: 0,
                last_back: 0,
                last_ten: 0,
            };
            push(candidate, nothing);
        }
    }
}

/// Purchases with the product after the first one, and purchases at all since then; `None` for a
/// new product.
fn share_since_first(candidate: &Candidate, own: &[f64; 32]) -> Option<(f64, f64)> {
    if candidate.times == 0 {
        return None;
    }
    let times = f64::from(candidate.times);
    Some((times - 1.0, (times / own[2] - 1.0).max(0.0)))
}
