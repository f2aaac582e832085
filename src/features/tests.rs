use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::basket::{
    BASKET_FEATURES, BASKET_WIDTH, BasketScratch, CustomerBaskets, basket_features,
};
use super::store_snapshot::{
    CandidateLimits, NeighbourScratch, PartialStoreCounts, ProductCounts, StoreSnapshot,
};
use super::timing::{TIMING_FEATURES, TIMING_WIDTH, TimingFeatures, timing_features};
use crate::calendar::{AsOf, Day};
use crate::domain::Ids;
use crate::purchases::{Line, Purchases};

/// Customers × visits: `(gap to the visit before, products)`.
type Story = Vec<Vec<(i32, Vec<u32>)>>;

const PRODUCTS: u32 = 15;
const LIMITS: CandidateLimits = CandidateLimits {
    bought: 100,
    new: 5,
};

fn stories() -> impl Strategy<Value = Story> {
    let basket = prop::collection::btree_set(0..PRODUCTS, 1..8)
        .prop_map(|basket| basket.into_iter().collect::<Vec<u32>>());
    prop::collection::vec(prop::collection::vec((1_i32..9, basket), 1..25), 1..6)
}

fn lines(story: &Story) -> Vec<Line> {
    let mut out = vec![];
    for (customer, purchases) in (0..).zip(story) {
        let mut day = 0;
        for (gap, basket) in purchases {
            day += gap;
            out.extend(basket.iter().map(|product| Line {
                customer,
                day: Day::from_epoch(day),
                product: *product,
            }));
        }
    }
    out
}

fn purchases(lines: Vec<Line>, customers: usize) -> Purchases {
    Purchases::from_lines(
        Ids::Integer((0..customers as i64).collect()),
        Ids::Integer((0..i64::from(PRODUCTS)).collect()),
        lines,
    )
    .unwrap()
}

/// The visits of a customer up to a night, the slow way.
fn visits_of(story: &Story, customer: usize, night: i32) -> Vec<(i32, &[u32])> {
    let mut day = 0;
    let mut out = vec![];
    for (gap, basket) in &story[customer] {
        day += gap;
        out.push((day, basket.as_slice()));
    }
    out.retain(|(day, _)| *day <= night);
    out
}

fn timing_named(row: &[f32], name: &str) -> f64 {
    f64::from(
        row[TIMING_FEATURES
            .iter()
            .position(|feature| *feature == name)
            .unwrap()],
    )
}

fn basket_named(row: &[f32], name: &str) -> f64 {
    f64::from(
        row[BASKET_FEATURES
            .iter()
            .position(|feature| *feature == name)
            .unwrap()],
    )
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-4 * (1.0 + a.abs().max(b.abs()))
}

proptest! {
    #[test]
    fn timing_features_of_many_eves_are_those_of_each(story in stories(), eves in prop::collection::vec(5_i32..400, 1..20)) {
        let purchases = purchases(lines(&story), story.len());
        let history = purchases.until(AsOf(Day::from_epoch(150)));
        for customer in 0..history.customer_count() {
            let purchases = history.purchases_of(customer);
            let mut features = TimingFeatures::default();
            for eve in eves.iter().map(|eve| Day::from_epoch(*eve)) {
                let bits = |row: [f32; TIMING_WIDTH]| row.map(f32::to_bits);
                prop_assert_eq!(bits(features.on(&purchases, eve)), bits(timing_features(&purchases, eve)));
            }
        }
    }

    #[test]
    fn timing_features_are_the_obvious_ones(story in stories(), night in 5_i32..150) {
        let purchases = purchases(lines(&story), story.len());
        let history = purchases.until(AsOf(Day::from_epoch(night)));
        for customer in 0..history.customer_count() {
            let Some(id) = history.customers().get(customer).and_then(|id| id.to_string().parse::<usize>().ok()) else { continue };
            let purchases = visits_of(&story, id, night);
            let row = timing_features(&history.purchases_of(customer), history.as_of().day());
            let Some((last, basket)) = purchases.last() else {
                prop_assert!(row.iter().all(|value| *value == -1.0));
                continue;
            };
            let check = |name: &str, value: f64| prop_assert_named(name, timing_named(&row, name), value);
            check("elapsed", f64::from(night - last))?;
            check("purchases", purchases.len() as f64)?;
            for window in [7, 14, 28, 56, 90] {
                check(&format!("purchases_{window}d"), purchases.iter().filter(|(day, _)| night - day < window).count() as f64)?;
            }
            check("basket_last", basket.len() as f64)?;
            let gaps: Vec<f64> = purchases.windows(2).filter(|pair| night - pair[1].0 < 120).map(|pair| f64::from(pair[1].0 - pair[0].0)).collect();
            if !gaps.is_empty() {
                check("gap_mean", gaps.iter().sum::<f64>() / gaps.len() as f64)?;
                check("gap_last", purchases[purchases.len() - 1].0 as f64 - purchases[purchases.len() - 2].0 as f64)?;
                let elapsed = f64::from(night - last);
                let waits: Vec<f64> = gaps.iter().filter(|gap| **gap > elapsed).map(|gap| gap - elapsed).collect();
                if !waits.is_empty() {
                    check("wait_own", waits.iter().sum::<f64>() / waits.len() as f64)?;
                }
            }
            check("bought_7d_before", f64::from(u8::from(purchases.iter().any(|(day, _)| *day == night + 1 - 7))))?;
            check("weekday", Day::from_epoch(night + 1).weekday() as f64)?;
            let recent: Vec<(i32, f64)> =
                purchases.iter().filter(|(day, _)| night - day < 120).map(|(day, basket)| (*day, basket.len() as f64)).collect();
            let Some((first, _)) = recent.first() else { continue };
            let all: f64 = recent.iter().map(|(_, size)| size).sum();
            let days = f64::from((night - first + 1).max(14));
            for window in [7, 14] {
                let own: f64 = recent.iter().filter(|(day, _)| night - day < window).map(|(_, size)| size).sum();
                check(&format!("products_{window}d_share"), own / (all / days * f64::from(window)).max(1.0))?;
            }
            let large: Vec<i32> = recent.iter().filter(|(_, size)| *size >= all / recent.len() as f64).map(|(day, _)| *day).collect();
            let since = f64::from(night + 1 - large[large.len() - 1]);
            check("large_elapsed", since)?;
            let apart = f64::from(large[large.len() - 1] - large[0]) / (large.len() as f64 - 1.0);
            check("large_overdue", if large.len() > 1 { since / apart } else { -1.0 })?;
            let like_last = |pair: &&[(i32, &[u32])]| {
                let weekday = |day: i32| Day::from_epoch(day).weekday();
                night - pair[1].0 < 120 && weekday(pair[0].0) == weekday(*last) && pair[1].0 - pair[0].0 > night - last
            };
            let began = purchases.windows(2).filter(like_last).count() as f64;
            let ended = purchases.windows(2).filter(like_last).filter(|pair| pair[1].0 - pair[0].0 == night - last + 1).count() as f64;
            let prior = if gaps.is_empty() { 0.1 } else { 1.0 / (gaps.iter().sum::<f64>() / gaps.len() as f64).max(1.0) };
            check("weekday_gap_hazard", (ended + prior) / (began + 1.0))?;
        }
    }

    #[test]
    fn basket_features_of_many_nights_are_those_of_each(story in stories(), nights in prop::collection::vec(5_i32..400, 1..12)) {
        let purchases = purchases(lines(&story), story.len());
        let history = purchases.until(AsOf(Day::from_epoch(400)));
        let stores: Vec<StoreSnapshot> = nights.iter().map(|night| StoreSnapshot::new(&history.until(AsOf(Day::from_epoch(*night))), LIMITS, 1)).collect();
        // What another customer left in them must not show.
        let (mut together, mut apart) = (BasketScratch::default(), BasketScratch::default());
        for customer in 0..history.customer_count() {
            let (key, purchases) = (history.customers().key(customer), history.purchases_of(customer));
            let mut baskets = CustomerBaskets::new(key, purchases, &mut together);
            for store in &stores {
                let of_many = baskets.on(store, 3.0);
                basket_features(store, key, &purchases, 3.0, &mut apart);
                let bits = |scratch: &BasketScratch| scratch.rows.iter().map(|value| value.to_bits()).collect::<Vec<u32>>();
                prop_assert_eq!(bits(of_many), bits(&apart));
                prop_assert_eq!(&of_many.candidates, &apart.candidates);
            }
        }
    }

    #[test]
    fn basket_features_are_the_obvious_ones(story in stories(), night in 20_i32..150) {
        let purchases = purchases(lines(&story), story.len());
        let history = purchases.until(AsOf(Day::from_epoch(night)));
        let store = StoreSnapshot::new(&history, LIMITS, 1);
        let mut scratch = BasketScratch::default();
        let name = |ids: &Ids, code: u32| ids.get(code).unwrap().to_string().parse::<usize>().unwrap();
        for customer in 0..history.customer_count() {
            let purchases = visits_of(&story, name(history.customers(), customer), night);
            basket_features(&store, history.customers().key(customer), &history.purchases_of(customer), 3.0, &mut scratch);
            if purchases.is_empty() {
                prop_assert!(scratch.candidates.is_empty());
                continue;
            }
            let mut when = BTreeMap::<usize, Vec<(usize, i32)>>::new(); // product → (purchases back, days ago), newest first
            for (back, (day, basket)) in purchases.iter().rev().enumerate() {
                for product in *basket {
                    when.entry(*product as usize).or_default().push((back, night - day));
                }
            }
            let own: Vec<_> = scratch.candidates.iter().zip(scratch.rows.chunks(BASKET_WIDTH)).filter(|(c, _)| c.times > 0).collect();
            prop_assert_eq!(own.len(), when.len());
            for (candidate, row) in own {
                let times = &when[&name(history.products(), candidate.product)];
                let check = |name: &str, value: f64| prop_assert_named(name, basket_named(row, name), value);
                let n = purchases.len() as f64;
                let count = times.len() as f64;
                check("bought", count)?;
                check("share", count / n)?;
                check("share_since_first", count / (times[times.len() - 1].0 as f64 + 1.0))?;
                check("last_days", f64::from(times[0].1) + 3.0)?;
                check("last_visits", times[0].0 as f64)?;
                check("decay_90", times.iter().map(|(back, _)| 0.9_f64.powi(*back as i32)).sum::<f64>() / (0..purchases.len()).map(|back| 0.9_f64.powi(back as i32)).sum::<f64>())?;
                for (name, decay) in [("decay_98", 0.98_f64), ("decay_80", 0.8), ("decay_60", 0.6)] {
                    let all = (0..purchases.len()).map(|back| decay.powi(back as i32)).sum::<f64>();
                    check(name, times.iter().map(|(back, _)| decay.powi(*back as i32)).sum::<f64>() / all)?;
                }
                for (name, length) in [("recency_14d", 14.0), ("recency_45d", 45.0)] {
                    check(name, times.iter().map(|(_, ago)| (-f64::from(*ago) / length).exp()).sum())?;
                }
                let target = Day::from_epoch(night + 3).weekday();
                let on_target = |ago: i32| Day::from_epoch(night - ago).weekday() == target;
                let expected = count * purchases.iter().filter(|(day, _)| on_target(night - day)).count() as f64 / n;
                check("weekday_fit", (times.iter().filter(|(_, ago)| on_target(*ago)).count() as f64 + 1.0) / (expected + 1.0))?;
                for window in [1, 3, 5, 10, 20] {
                    check(&format!("bought_{window}v"), times.iter().filter(|(back, _)| *back < window).count() as f64)?;
                }
                for window in [14, 30, 90] {
                    check(&format!("bought_{window}d"), times.iter().filter(|(_, ago)| *ago < window).count() as f64)?;
                }
                if times.len() > 1 {
                    let gap = f64::from(times[times.len() - 1].1 - times[0].1) / (count - 1.0);
                    check("gap_days", gap)?;
                    check("gap_last", f64::from(times[1].1 - times[0].1))?;
                    check("due_days", (f64::from(times[0].1) + 3.0) / gap.max(1.0))?;
                }
            }
            // The new ones: popular, and none that was bought before.
            let new: Vec<u32> = scratch.candidates.iter().filter(|c| c.times == 0).map(|c| c.product).collect();
            let expected: Vec<u32> = store.popular().iter().copied().filter(|p| !when.contains_key(&name(history.products(), *p))).collect();
            prop_assert_eq!(new, expected);
        }
    }

    #[test]
    fn the_world_counts_what_the_obvious_way_counts(story in stories(), night in 20_i32..150) {
        let purchases = purchases(lines(&story), story.len());
        // Later nights see no new purchases, and lose the oldest ones.
        let nights = [night - 15, night, night + 200, night + 330];
        let history = purchases.until(AsOf(Day::from_epoch(night + 330)));
        let tallies = PartialStoreCounts::of_nights(&history, &nights.map(Day::from_epoch), 1);
        for (night, store_counts) in nights.into_iter().zip(tallies) {
            let store = StoreSnapshot::of(store_counts, LIMITS);
            for product in 0..history.product_count() as u32 {
                let id: u32 = history.products().get(product).unwrap().to_string().parse().unwrap();
                let mut expected = ProductCounts::default();
                for customer in 0..story.len() {
                    let mut purchases = visits_of(&story, customer, night);
                    purchases.retain(|(day, _)| night - day < 365);
                    let at: Vec<usize> = (0..purchases.len()).filter(|at| purchases[*at].1.contains(&id)).collect();
                    for (bought, window) in expected.bought.iter_mut().zip([14, 28, 56, 112]) {
                        *bought += at.iter().filter(|at| night - purchases[**at].0 < window).count() as u32;
                    }
                    let Some(first) = at.first() else { continue };
                    expected.buyers += 1;
                    expected.repeaters += u32::from(at.len() > 1);
                    expected.rebought += at.len() as u32 - 1;
                    expected.chances += (purchases.len() - 1 - first) as u64;
                    expected.followed += at.iter().filter(|at| **at + 1 < purchases.len()).count() as u32;
                    expected.next += at.windows(2).filter(|pair| pair[1] == pair[0] + 1).count() as u32;
                    expected.span_days += (purchases[at[at.len() - 1]].0 - purchases[*first].0) as u64;
                    expected.basket_products += at.iter().map(|at| purchases[*at].1.len() as u64).sum::<u64>();
                }
                prop_assert_eq!(store.counts(product), expected);
            }
            // Alone, the night is the same.
            let alone = StoreSnapshot::new(&history.until(AsOf(Day::from_epoch(night))), LIMITS, 1);
            prop_assert_eq!(format!("{alone:?}"), format!("{store:?}"));
        }
    }

    /// Whatever happens after the night, no feature knows it.
    #[test]
    fn the_future_does_not_leak(story in stories(), other in stories(), night in 20_i32..80) {
        let day = Day::from_epoch(night);
        let all = lines(&story);
        let mut changed: Vec<Line> = all.iter().copied().filter(|line| line.day <= day).collect();
        changed.extend(lines(&other).into_iter().filter(|line| line.day > day && (line.customer as usize) < story.len()));
        let (one, two) = (purchases(all, story.len()), purchases(changed, story.len()));
        let look = |purchases: &Purchases| {
            let known = purchases.known(AsOf(day)).unwrap();
            let history = purchases.until(AsOf(day));
            let (store, known_world) = (StoreSnapshot::new(&history, LIMITS, 1), StoreSnapshot::new(&known.until(AsOf(day)), LIMITS, 1));
            let mut scratch = BasketScratch::default();
            let mut out = vec![];
            for customer in 0..known.customers().len() as u32 {
                let id = known.customers().get(customer).unwrap().to_string();
                let code = history.customers().code(&id).unwrap();
                let timing = timing_features(&history.purchases_of(code), day);
                basket_features(&known_world, known.customers().key(customer), &known.until(AsOf(day)).purchases_of(customer), 2.0, &mut scratch);
                let products: Vec<String> = scratch.candidates.iter().map(|c| known.products().get(c.product).unwrap().to_string()).collect();
                out.push((id, timing.map(f32::to_bits), products, scratch.rows.iter().map(|v| v.to_bits()).collect::<Vec<_>>()));
                // Seen through a history that goes on, every candidate and every bit of its
                // features is the same.
                let before = scratch.rows.clone();
                basket_features(&store, history.customers().key(code), &history.purchases_of(code), 2.0, &mut scratch);
                let names: Vec<String> = scratch.candidates.iter().map(|c| history.products().get(c.product).unwrap().to_string()).collect();
                prop_assert_eq!(&names, &out.last().map(|last: &(String, _, Vec<String>, Vec<u32>)| last.2.clone()).unwrap_or_default());
                prop_assert!(before.iter().zip(&scratch.rows).all(|(a, b)| a.to_bits() == b.to_bits()));
                prop_assert_eq!(before.len(), scratch.rows.len());
            }
            Ok(out)
        };
        prop_assert_eq!(look(&one)?, look(&two)?);
    }
}

fn prop_assert_named(name: &str, found: f64, expected: f64) -> Result<(), TestCaseError> {
    prop_assert!(
        close(found, expected),
        "{name}: found {found}, expected {expected}"
    );
    Ok(())
}

#[test]
fn neighbours_like_what_similar_customers_buy() {
    // Customers 0..10 buy products 0..5, customers 10..20 buy 5..10; product 12 is bought by the
    // first group alone.
    let mut all = vec![];
    for customer in 0..20_u32 {
        for visit in 0..8 {
            let base = if customer < 10 { 0 } else { 5 };
            all.extend((base..base + 5).map(|product| Line {
                customer,
                day: Day::from_epoch(visit * 5),
                product,
            }));
            if (1..10).contains(&customer) {
                all.push(Line {
                    customer,
                    day: Day::from_epoch(visit * 5),
                    product: 12,
                });
            }
        }
    }
    let purchases = purchases(all, 20);
    let history = purchases.until(AsOf(Day::from_epoch(40)));
    let store = StoreSnapshot::new(&history, LIMITS, 1);
    let code = history.products().code("12").unwrap();
    let mut scratch = NeighbourScratch::default();
    let mut liked_by_the_like = |customer| {
        let products: BTreeSet<u32> = history
            .purchases_of(customer)
            .iter()
            .flat_map(|(_, basket)| basket.iter().copied())
            .collect();
        store.look_for_neighbours(
            history.customers().key(customer),
            products.into_iter(),
            &mut scratch,
        );
        store.liked(code, &scratch)
    };
    let (first, other) = (liked_by_the_like(0), liked_by_the_like(15));
    assert!(first > 0.9 && other < 0.1, "{first} {other}");
}

#[test]
fn every_feature_has_a_name_of_its_own() {
    let mut names: Vec<&str> = TIMING_FEATURES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), TIMING_FEATURES.len());
    let mut names: Vec<&str> = BASKET_FEATURES.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), BASKET_FEATURES.len());
}
