//! The obvious way to each basket feature.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::store_snapshot::counts;
use super::{
    Bought, LIMITS, Story, agrees, bought_by, in_order, lines, mean, night, number, purchases,
    stories, weekday,
};
use crate::features::basket::{
    BASKET_FEATURES, BASKET_WIDTH, BasketScratch, CustomerBaskets, basket_features,
};
use crate::features::store_snapshot::{CandidateLimits, ProductCounts, StoreSnapshot};
use crate::purchases::{History, Purchases};

/// A customer, a night and a product.
pub(super) struct CandidateCase<'a> {
    story: &'a Story,
    customer: u32,
    night: i32,
    /// Days from the night to the expected day, 1 or more.
    expected_days: f64,
    product: u32,
}

/// A purchase with the product: its day, and its place counted back from the latest one, from 0.
#[derive(Clone, Copy)]
struct With {
    day: i32,
    back: i32,
}

/// What the purchases of one customer say of the others' likeness to them.
struct PurchasedShares {
    /// Each product of the last 182 days with the decayed share of the purchases that have it.
    shares: Vec<(u32, f64)>,
}

impl PurchasedShares {
    fn new(purchases: &[Bought], night: i32) -> Self {
        let latest = purchases.iter().rev().enumerate();
        let latest: Vec<(f64, &Bought)> = latest
            .filter(|(_, (day, _))| night - day < 182)
            .map(|(back, purchase)| (0.95_f64.powi(back as i32), purchase))
            .collect();
        let all: f64 = latest.iter().map(|(weight, _)| weight).sum();
        let products: BTreeSet<u32> = latest.iter().flat_map(|(_, (_, b))| b.clone()).collect();
        let share = |product: u32| {
            let with = latest.iter().filter(|(_, (_, b))| b.contains(&product));
            (product, with.map(|(weight, _)| weight).sum::<f64>() / all)
        };
        Self {
            shares: products.into_iter().map(share).collect(),
        }
    }

    fn share(&self, product: u32) -> f64 {
        let found = self.shares.iter().find(|(other, _)| *other == product);
        found.map_or(0.0, |(_, share)| *share)
    }
}

impl CandidateCase<'_> {
    fn of(&self, customer: u32) -> Vec<Bought> {
        bought_by(self.story, customer, self.night)
    }

    fn purchases(&self) -> Vec<Bought> {
        self.of(self.customer)
    }

    fn n(&self) -> f64 {
        self.purchases().len() as f64
    }

    fn products(&self) -> BTreeSet<u32> {
        self.purchases().into_iter().flat_map(|(_, b)| b).collect()
    }

    /// The purchases with a product, the latest first.
    fn with_product(&self, product: u32) -> Vec<With> {
        let purchases = self.purchases();
        let backwards = (0..).zip(purchases.iter().rev());
        backwards
            .filter(|(_, (_, basket))| basket.contains(&product))
            .map(|(back, (day, _))| With { day: *day, back })
            .collect()
    }

    fn with(&self) -> Vec<With> {
        self.with_product(self.product)
    }

    fn times(&self) -> f64 {
        self.with().len() as f64
    }

    fn last(&self) -> Option<With> {
        self.with().first().copied()
    }

    fn first(&self) -> Option<With> {
        self.with().last().copied()
    }

    fn target_weekday(&self) -> i32 {
        weekday(self.night + self.expected_days.round() as i32)
    }

    fn mean_size(&self, purchases: &[Bought]) -> Option<f64> {
        let sizes: Vec<f64> = purchases.iter().map(|(_, b)| b.len() as f64).collect();
        mean(&sizes)
    }

    fn latest(&self, most: usize) -> Vec<Bought> {
        let mut purchases = self.purchases();
        purchases.drain(..purchases.len().saturating_sub(most));
        purchases
    }

    fn gap_mean(&self) -> Option<f64> {
        let mean_gap = |days: &[i32]| {
            let gaps: Vec<f64> = days.windows(2).map(|d| f64::from(d[1] - d[0])).collect();
            mean(&gaps)
        };
        let days: Vec<i32> = self.purchases().iter().map(|(day, _)| *day).collect();
        let recent: Vec<i32> = days
            .iter()
            .copied()
            .filter(|day| self.night - day < 120)
            .collect();
        mean_gap(&recent).or_else(|| mean_gap(&days))
    }

    fn repeat_share(&self) -> f64 {
        let purchases = self.purchases();
        let (mut all, mut again) = (0.0, 0.0);
        for at in purchases.len().saturating_sub(10)..purchases.len() {
            for product in &purchases[at].1 {
                all += 1.0;
                if purchases[..at].iter().any(|(_, b)| b.contains(product)) {
                    again += 1.0;
                }
            }
        }
        (again + 3.0) / (all + 6.0)
    }

    /// The sum over the purchases with a product of a decay for each purchase since.
    fn decayed(&self, product: u32, decay: f64) -> f64 {
        let with = self.with_product(product);
        with.iter().map(|with| decay.powi(with.back)).sum()
    }

    fn decayed_share(&self, decay: f64) -> Option<f64> {
        let all: f64 = (0..self.purchases().len() as i32)
            .map(|back| decay.powi(back))
            .sum();
        Some(self.decayed(self.product, decay) / all)
    }

    fn recency(&self, days: f64) -> Option<f64> {
        let with = self.with();
        let ago = with.iter().map(|with| f64::from(self.night - with.day));
        Some(ago.map(|ago| (-ago / days).exp()).sum())
    }

    fn in_purchases(&self, latest: i32) -> Option<f64> {
        let with = self.with();
        Some(with.iter().filter(|with| with.back < latest).count() as f64)
    }

    fn in_days(&self, days: i32) -> Option<f64> {
        let within = |with: &&With| self.night - with.day < days;
        Some(self.with().iter().filter(within).count() as f64)
    }

    fn last_days(&self) -> Option<f64> {
        let last = self.last()?;
        Some(f64::from(self.night - last.day) + self.expected_days)
    }

    /// Days between two purchases with the product, the latest first.
    fn gaps(&self) -> Vec<f64> {
        let with = self.with();
        with.windows(2)
            .map(|pair| f64::from(pair[0].day - pair[1].day))
            .collect()
    }

    fn gap_days(&self) -> Option<f64> {
        mean(&self.gaps())
    }

    fn gap_visits(&self) -> Option<f64> {
        let with = self.with();
        let gaps = with
            .windows(2)
            .map(|pair| f64::from(pair[1].back - pair[0].back));
        mean(&gaps.collect::<Vec<f64>>())
    }

    fn gap_deviation(&self) -> Option<f64> {
        let (gaps, gap) = (self.gaps(), self.gap_days()?);
        let squares: Vec<f64> = gaps.iter().map(|g| (g - gap) * (g - gap)).collect();
        (gaps.len() > 1).then_some(mean(&squares)?.sqrt() / gap.max(1.0))
    }

    fn weekday_fit(&self) -> Option<f64> {
        self.last()?;
        let target = self.target_weekday();
        let on_target = |day: i32| weekday(day) == target;
        let with = self
            .with()
            .iter()
            .filter(|with| on_target(with.day))
            .count() as f64;
        let all = self
            .purchases()
            .iter()
            .filter(|(day, _)| on_target(*day))
            .count() as f64;
        Some((with + 1.0) / (self.times() * all / self.n() + 1.0))
    }

    fn size_fit(&self) -> Option<f64> {
        let mut with = self.purchases();
        with.retain(|(_, basket)| basket.contains(&self.product));
        Some(self.mean_size(&with)? / self.mean_size(&self.purchases())?.max(1.0))
    }

    fn decay_share(&self) -> Option<f64> {
        let all: f64 = self.products().iter().map(|p| self.decayed(*p, 0.9)).sum();
        Some(self.decayed(self.product, 0.9) / all)
    }

    /// How many of the customer's products come before this one.
    fn decay_rank(&self) -> Option<f64> {
        let own = self.decayed(self.product, 0.9);
        let is_before = |other: &&u32| {
            let count = self.decayed(**other, 0.9);
            count > own || (count == own && **other < self.product)
        };
        Some(self.products().iter().filter(is_before).count() as f64)
    }

    /// All customers' purchases.
    fn everyone(&self) -> Vec<Bought> {
        (0..self.story.len() as u32)
            .flat_map(|customer| self.of(customer))
            .collect()
    }

    /// All customers' purchases of the last days, and those of them with the product.
    fn sold(&self, days: i32) -> (f64, f64) {
        let mut purchases = self.everyone();
        purchases.retain(|(day, _)| self.night - day < days);
        let with = purchases.iter().filter(|(_, b)| b.contains(&self.product));
        (purchases.len() as f64, with.count() as f64)
    }

    fn product_share(&self, days: i32) -> f64 {
        let (all, with) = self.sold(days);
        with / all.max(1.0)
    }

    fn product_trend(&self, days: i32) -> Option<f64> {
        let (all, with) = self.sold(days);
        Some((with + 5.0) / (self.product_share(56) * all.max(1.0) + 5.0))
    }

    /// A mean over cases of the product, with more cases of the mean of all products.
    fn drawn(&self, more: f64, sum_and_cases: fn(&ProductCounts) -> (f64, f64)) -> f64 {
        let sold = self.everyone().into_iter().flat_map(|(_, basket)| basket);
        let (mut sums, mut all_cases) = (0.0, 0.0);
        for product in sold.collect::<BTreeSet<u32>>() {
            let (sum, cases) = sum_and_cases(&counts(self.story, product, self.night));
            sums += sum;
            all_cases += cases;
        }
        let (sum, cases) = sum_and_cases(&counts(self.story, self.product, self.night));
        (sum + more * sums / f64::max(all_cases, 1.0)) / (cases + more)
    }

    fn product_repeat_rate(&self) -> f64 {
        self.drawn(100.0, |product| {
            (f64::from(product.rebought), product.chances as f64)
        })
    }

    fn product_gap_days(&self) -> f64 {
        self.drawn(5.0, |product| {
            (product.span_days as f64, f64::from(product.rebought))
        })
    }

    /// How much a product tells of likeness.
    fn rarity(&self, product: u32) -> f64 {
        let customers = 0..self.story.len() as u32;
        let seen = customers.filter(|customer| !self.of(*customer).is_empty());
        let buyers = counts(self.story, product, self.night).buyers.max(1);
        (1.0 + seen.count() as f64 / f64::from(buyers)).ln().powi(2)
    }

    /// Cosine with the other customers who came four times in 182 days, to the fourth power, as
    /// weights of their shares. There are too few of them for any to be left out.
    fn neighbour_score(&self) -> Option<f64> {
        let lately = |customer: u32| {
            let mut purchases = self.of(customer);
            purchases.retain(|(day, _)| self.night - day < 182);
            purchases
        };
        let own = PurchasedShares::new(&lately(self.customer), self.night);
        let (mut sum, mut weights) = (0.0, 0.0);
        for other in (0..self.story.len() as u32).filter(|other| *other != self.customer) {
            if lately(other).len() < 4 {
                continue;
            }
            let other = PurchasedShares::new(&lately(other), self.night);
            let norm: f64 = other.shares.iter().map(|(p, _)| self.rarity(*p)).sum();
            let common = other.shares.iter().filter(|(p, _)| own.share(*p) > 0.0);
            let likeness = common.map(|(p, _)| self.rarity(*p)).sum::<f64>() / norm.sqrt();
            sum += likeness.powi(4) * other.share(self.product);
            weights += likeness.powi(4);
        }
        Some(if weights > 0.0 { sum / weights } else { 0.0 })
    }

    fn due_product(&self) -> Option<f64> {
        let store = self.product_gap_days();
        let mut gaps = self.gaps();
        gaps.extend([store, store]);
        Some(self.last_days()? / mean(&gaps)?.max(1.0))
    }

    fn expected_rate(&self) -> Option<f64> {
        let Some(first) = self.first() else {
            return self.neighbour_score();
        };
        let again = self.times() - 1.0 + 6.0 * self.product_repeat_rate();
        Some(again / (f64::from(first.back) + 6.0))
    }
}

type BasketOracle = fn(&CandidateCase<'_>) -> Option<f64>;

pub(super) const ORACLES: [(&str, BasketOracle); BASKET_WIDTH] = [
    ("purchases", |case| Some(case.n())),
    ("elapsed", |case| {
        let last = case.purchases().last()?.0;
        Some(f64::from(case.night - last))
    }),
    ("expected_days", |case| Some(case.expected_days)),
    ("gap_mean", |case| case.gap_mean()),
    ("basket_mean", |case| case.mean_size(&case.latest(10))),
    ("basket_last", |case| case.mean_size(&case.latest(1))),
    ("purchases_28d", |case| {
        let within = |(day, _): &&Bought| case.night - day < 28;
        Some(case.purchases().iter().filter(within).count() as f64)
    }),
    ("repeat_share", |case| Some(case.repeat_share())),
    ("distinct_products", |case| {
        Some(case.products().len() as f64)
    }),
    ("target_weekday", |case| {
        Some(f64::from(case.target_weekday()))
    }),
    ("bought", |case| Some(case.times())),
    ("share", |case| Some(case.times() / case.n())),
    ("share_since_first", |case| {
        let first = case.first();
        Some(first.map_or(0.0, |first| case.times() / f64::from(first.back + 1)))
    }),
    ("decay_98", |case| case.decayed_share(0.98)),
    ("decay_95", |case| case.decayed_share(0.95)),
    ("decay_90", |case| case.decayed_share(0.9)),
    ("decay_80", |case| case.decayed_share(0.8)),
    ("decay_60", |case| case.decayed_share(0.6)),
    ("recency_14d", |case| case.recency(14.0)),
    ("recency_45d", |case| case.recency(45.0)),
    ("bought_1v", |case| case.in_purchases(1)),
    ("bought_3v", |case| case.in_purchases(3)),
    ("bought_5v", |case| case.in_purchases(5)),
    ("bought_10v", |case| case.in_purchases(10)),
    ("bought_20v", |case| case.in_purchases(20)),
    ("bought_14d", |case| case.in_days(14)),
    ("bought_30d", |case| case.in_days(30)),
    ("bought_90d", |case| case.in_days(90)),
    ("last_days", |case| Some(case.last_days().unwrap_or(0.0))),
    ("first_days", |case| {
        let first = case.first();
        Some(first.map_or(0.0, |first| f64::from(case.night - first.day)))
    }),
    ("last_visits", |case| Some(f64::from(case.last()?.back))),
    ("gap_days", |case| case.gap_days()),
    ("gap_visits", |case| case.gap_visits()),
    ("gap_deviation", |case| case.gap_deviation()),
    ("gap_last", |case| case.gaps().first().copied()),
    ("due_days", |case| {
        Some(case.last_days()? / case.gap_days()?)
    }),
    ("due_visits", |case| {
        Some((f64::from(case.last()?.back) + 1.0) / case.gap_visits()?)
    }),
    ("due_last", |case| {
        Some(case.last_days()? / case.gaps().first()?)
    }),
    ("weekday_fit", |case| case.weekday_fit()),
    ("size_fit", |case| case.size_fit()),
    ("decay_share", |case| case.decay_share()),
    ("decay_rank", |case| case.decay_rank()),
    ("product_share_28d", |case| Some(case.product_share(28))),
    ("product_share_112d", |case| Some(case.product_share(112))),
    ("product_trend", |case| case.product_trend(14)),
    ("product_repeat_rate", |case| {
        Some(case.product_repeat_rate())
    }),
    ("product_next_rate", |case| {
        Some(case.drawn(20.0, |product| {
            (f64::from(product.next), f64::from(product.followed))
        }))
    }),
    ("product_repeaters", |case| {
        Some(case.drawn(10.0, |product| {
            (f64::from(product.repeaters), f64::from(product.buyers))
        }))
    }),
    ("product_gap_days", |case| Some(case.product_gap_days())),
    ("product_basket", |case| {
        Some(case.drawn(5.0, |product| {
            let purchases = product.buyers + product.rebought;
            (product.basket_products as f64, f64::from(purchases))
        }))
    }),
    ("neighbour_score", |case| case.neighbour_score()),
    ("neighbour_lift", |case| {
        Some(case.neighbour_score()? / (case.product_share(112) + 1e-4))
    }),
    ("due_product", |case| case.due_product()),
    ("expected_rate", |case| case.expected_rate()),
    ("product_trend_3d", |case| case.product_trend(3)),
];

/// Compares all candidates of all customers with the oracles.
fn oracles_agree(
    story: &Story,
    history: &History<'_>,
    expected_days: f64,
) -> Result<(), TestCaseError> {
    let oracles = in_order(&BASKET_FEATURES, &ORACLES);
    let night = history.as_of().day().epoch();
    let store = StoreSnapshot::new(history, LIMITS, 1);
    let mut scratch = BasketScratch::default();
    for code in 0..history.customer_count() {
        let customer = number(history.customers(), code);
        let key = history.customers().key(code);
        basket_features(
            &store,
            key,
            &history.purchases_of(code),
            expected_days,
            &mut scratch,
        );
        let rows = scratch.rows.chunks_exact(BASKET_WIDTH);
        prop_assert_eq!(rows.len(), scratch.candidates.len());
        for (candidate, row) in scratch.candidates.iter().zip(rows) {
            let case = CandidateCase {
                story,
                customer,
                night,
                expected_days: expected_days.max(1.0),
                product: number(history.products(), candidate.product),
            };
            prop_assert_eq!(f64::from(candidate.times), case.times());
            for ((feature, oracle), value) in BASKET_FEATURES.iter().zip(&oracles).zip(row) {
                agrees(feature, *value, oracle(&case))?;
            }
        }
    }
    Ok(())
}

/// The products of a customer's candidates that were bought before, and the new ones.
fn candidates(
    purchases: &Purchases,
    day: i32,
    customer: u32,
    limits: CandidateLimits,
) -> (Vec<u32>, Vec<u32>) {
    let history = purchases.until(night(day));
    let store = StoreSnapshot::new(&history, limits, 1);
    let mut scratch = BasketScratch::default();
    let key = history.customers().key(customer);
    let known = history.purchases_of(customer);
    basket_features(&store, key, &known, 3.0, &mut scratch);
    let products = |is_new: bool| {
        let some = scratch
            .candidates
            .iter()
            .filter(|c| (c.times == 0) == is_new);
        some.map(|c| c.product).collect()
    };
    (products(false), products(true))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_basket_feature_is_what_its_oracle_says(
        story in stories(),
        day in 5_i32..400,
        expected_days in 0.3_f64..12.0,
    ) {
        let purchases = purchases(lines(&story), story.len());
        oracles_agree(&story, &purchases.until(night(day)), expected_days)?;
    }
}

proptest! {
    #[test]
    fn candidates_were_bought_lately_or_are_popular(
        story in stories(),
        day in 5_i32..400,
        bought in 0_usize..8,
        new in 0_usize..8,
    ) {
        let purchases = purchases(lines(&story), story.len());
        let history = purchases.until(night(day));
        let popular = StoreSnapshot::new(&history, CandidateLimits { bought, new }, 1);
        let popular = popular.popular();
        for code in 0..history.customer_count() {
            let customer = number(history.customers(), code);
            let case = |product: u32| CandidateCase {
                story: &story, customer, night: day, expected_days: 3.0, product,
            };
            let (old_ones, new_ones) =
                candidates(&purchases, day, code, CandidateLimits { bought, new });
            let was_bought =
                |product: &u32| case(number(history.products(), *product)).times() > 0.0;
            let is_candidate = |product: &u32| {
                let rank = case(number(history.products(), *product)).decay_rank();
                rank < Some(bought as f64) || popular.contains(product)
            };
            let all = 0..history.product_count() as u32;
            let expected: Vec<u32> = all.filter(was_bought).filter(is_candidate).collect();
            prop_assert_eq!(old_ones, expected);
            let has_purchases = !history.purchases_of(code).is_empty();
            let expected: Vec<u32> = popular
                .iter()
                .copied()
                .filter(|product| has_purchases && !was_bought(product))
                .collect();
            prop_assert_eq!(new_ones, expected);
        }
    }

    #[test]
    fn basket_features_of_many_nights_are_those_of_each(
        story in stories(),
        days in prop::collection::vec(5_i32..400, 1..12),
    ) {
        let purchases = purchases(lines(&story), story.len());
        let history = purchases.until(night(400));
        let stores: Vec<StoreSnapshot> = days
            .iter()
            .map(|day| StoreSnapshot::new(&history.until(night(*day)), LIMITS, 1))
            .collect();
        // What another customer left in them must not show.
        let (mut together, mut apart) = (BasketScratch::default(), BasketScratch::default());
        for customer in 0..history.customer_count() {
            let key = history.customers().key(customer);
            let purchases = history.purchases_of(customer);
            let mut baskets = CustomerBaskets::new(key, purchases, &mut together);
            for store in &stores {
                let of_many = baskets.on(store, 3.0);
                basket_features(store, key, &purchases, 3.0, &mut apart);
                let bits = |rows: &[f32]| rows.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
                prop_assert_eq!(bits(&of_many.rows), bits(&apart.rows));
                prop_assert_eq!(&of_many.candidates, &apart.candidates);
            }
        }
    }
}
