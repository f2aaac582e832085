//! Isotonic regression of outcomes on log-odds.

use serde::{Deserialize, Serialize};

use crate::models::boosting::{log_odds, sigmoid};

/// Isotonic regression of outcomes on log-odds, by pool-adjacent-violators (Ayer et al., Annals of
/// Mathematical Statistics 1955; Zadrozny & Elkan, KDD 2002), read off by linear interpolation
/// between the blocks. A small share of the uncalibrated probability keeps the order of pairs that
/// share a block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Mean log-odds of each block, ascending.
    from: Vec<f64>,
    /// Calibrated log-odds of each block, ascending.
    to: Vec<f64>,
}

/// Fewest points to fit on.
const LEAST_POINTS: usize = 200;
/// Fewest hits, and fewest others, to fit on.
const LEAST_OF_A_KIND: usize = 20;
/// Outcomes are averaged in this many groups of equal weight before blocks are pooled.
const GROUPS: usize = 100;
/// Log-odds between blocks move at least this much for each unit of uncalibrated log-odds.
const LEAST_SLOPE: f64 = 0.02;

impl Isotonic {
    /// The map that changes nothing.
    #[must_use]
    pub fn identity() -> Self {
        Self {
            from: vec![],
            to: vec![],
        }
    }

    /// Fits to `(log-odds, outcome, weight)`. Too few outcomes (under 200, or 20 of either kind)
    /// give the identity.
    #[must_use]
    pub fn fit(mut points: Vec<(f64, bool, f64)>) -> Self {
        let hits = points.iter().filter(|(_, hit, _)| *hit).count();
        if points.len() < LEAST_POINTS
            || hits < LEAST_OF_A_KIND
            || points.len() - hits < LEAST_OF_A_KIND
        {
            return Self::identity();
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total: f64 = points.iter().map(|(_, _, weight)| weight).sum();
        let blocks = pool_adjacent_violators(&groups_of_equal_weight(&points, total));
        let from = blocks.iter().map(|block| block.score / block.weight);
        // Half an outcome of either kind keeps the log-odds of a pure block finite.
        let mean_weight = total / points.len() as f64;
        let to = blocks
            .iter()
            .map(|block| log_odds((block.hits + 0.5 * mean_weight) / (block.weight + mean_weight)));
        // Blocks of one and the same score differ by rounding; and a small block is smoothed more
        // than its neighbour, which could turn their order round.
        Self {
            from: never_falling(from),
            to: never_falling(to),
        }
    }

    /// The calibrated probability of a pair with these log-odds; strictly increasing.
    #[must_use]
    pub fn probability(&self, score: f64) -> f64 {
        let at = self.from.partition_point(|from| *from <= score);
        let mapped = match (at.checked_sub(1), self.from.len()) {
            (_, 0) => score,
            (None, _) => self.to[0] + (score - self.from[0]),
            (Some(before), n) if before + 1 == n => {
                self.to[before] + (score - self.from[before]).min(1.0)
            }
            (Some(before), _) => {
                let share = (score - self.from[before])
                    / (self.from[before + 1] - self.from[before]).max(1e-12);
                self.to[before] + share * (self.to[before + 1] - self.to[before])
            }
        };
        sigmoid(mapped + LEAST_SLOPE * (score - mapped).clamp(-50.0, 50.0)).clamp(1e-6, 1.0 - 1e-6)
    }

    /// Whether the blocks are finite, ascending and paired.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.from.len() == self.to.len() && is_ascending(&self.from) && is_ascending(&self.to)
    }
}

/// Points, or blocks of them, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct PooledBlock {
    weight: f64,
    /// Sum of weight × log-odds.
    score: f64,
    /// Weight of the points that were hits.
    hits: f64,
}

impl PooledBlock {
    fn add(&mut self, other: Self) {
        self.weight += other.weight;
        self.score += other.score;
        self.hits += other.hits;
    }

    fn rate(&self) -> f64 {
        self.hits / self.weight
    }
}

/// Adds ascending points up in [`GROUPS`] groups of about equal weight; `total` is the weight of
/// all.
fn groups_of_equal_weight(points: &[(f64, bool, f64)], total: f64) -> Vec<PooledBlock> {
    let mut groups = vec![];
    let mut group = PooledBlock::default();
    for (score, hit, weight) in points {
        group.add(PooledBlock {
            weight: *weight,
            score: weight * score,
            hits: weight * f64::from(u8::from(*hit)),
        });
        if group.weight >= total / GROUPS as f64 {
            groups.push(std::mem::take(&mut group));
        }
    }
    if group.weight > 0.0 {
        groups.push(group);
    }
    groups
}

/// Joins neighbours until the rates ascend.
fn pool_adjacent_violators(groups: &[PooledBlock]) -> Vec<PooledBlock> {
    let mut blocks: Vec<PooledBlock> = vec![];
    for group in groups {
        blocks.push(*group);
        while let [.., before, last] = blocks.as_mut_slice()
            && before.rate() >= last.rate()
        {
            before.add(*last);
            blocks.pop();
        }
    }
    blocks
}

/// Each value, or the largest before it where that is larger.
fn never_falling(values: impl Iterator<Item = f64>) -> Vec<f64> {
    values
        .scan(f64::NEG_INFINITY, |highest, value| {
            *highest = value.max(*highest);
            Some(*highest)
        })
        .collect()
}

fn is_ascending(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite()) && values.is_sorted()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sampling::{hash, unit};

    fn points(truth: impl Fn(f64) -> f64) -> Vec<(f64, bool, f64)> {
        let score = |i: u64| unit(hash(1, &[i])) * 6.0 - 4.0;
        (0..20_000)
            .map(|i| (score(i), unit(hash(2, &[i])) < truth(score(i)), 1.0))
            .collect()
    }

    #[test]
    fn isotonic_finds_the_truth_and_keeps_the_order() {
        let truth = |score: f64| sigmoid(0.5 * score - 1.0);
        let fitted = Isotonic::fit(points(truth));
        for score in [-3.5, -2.0, -0.5, 1.0] {
            assert!(
                (fitted.probability(score) - truth(score)).abs() < 0.03,
                "{score}: {}",
                fitted.probability(score)
            );
        }
        let probabilities: Vec<f64> = (-500..300)
            .map(|i| fitted.probability(f64::from(i) / 100.0))
            .collect();
        assert!(probabilities.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(fitted.is_consistent());
    }

    /// A group of so many points, of which some were hits.
    fn group(points: u32, hits: u32) -> PooledBlock {
        PooledBlock {
            weight: f64::from(points),
            score: 0.0,
            hits: f64::from(hits),
        }
    }

    /// The rates of the groups after pooling, one for each group.
    fn pooled_rates(groups: &[PooledBlock]) -> Vec<f64> {
        let blocks = pool_adjacent_violators(groups);
        let mut out = vec![];
        let mut end = 0.0;
        let mut before = 0.0;
        for block in blocks {
            end += block.weight;
            for group in &groups[out.len()..] {
                before += group.weight;
                if before > end + 1e-9 {
                    before -= group.weight;
                    break;
                }
                out.push(block.rate());
            }
        }
        out
    }

    #[test]
    fn neighbours_that_fall_are_pooled() {
        // .5 falls to .3: together 8 of 20, .4. That falls to .35: together 15 of 40, .375.
        let groups = [
            group(10, 1),
            group(10, 5),
            group(10, 3),
            group(20, 7),
            group(10, 9),
        ];
        assert_eq!(pooled_rates(&groups), [0.1, 0.375, 0.375, 0.375, 0.9]);
        // Each pooling may make another one necessary: all four are one block of 4 of 16.
        let falling = [group(4, 3), group(4, 1), group(4, 0), group(4, 0)];
        assert_eq!(pooled_rates(&falling), [0.25; 4]);
    }

    proptest! {
        /// The isotonic regression has a closed form (Robertson, Wright & Dykstra 1988): the
        /// largest, over the groups up to one, of the smallest mean from there to a group after it.
        #[test]
        fn pooling_is_isotonic_regression(
            counts in proptest::collection::vec((1_u32..20, 0.0..=1.0_f64), 1..12),
        ) {
            let groups: Vec<PooledBlock> = counts
                .iter()
                .map(|(points, share)| group(*points, (f64::from(*points) * share) as u32))
                .collect();
            let mean = |first: usize, last: usize| {
                let of = &groups[first..=last];
                let hits: f64 = of.iter().map(|group| group.hits).sum();
                hits / of.iter().map(|group| group.weight).sum::<f64>()
            };
            let found = pooled_rates(&groups);
            prop_assert_eq!(found.len(), groups.len());
            for (at, rate) in found.iter().enumerate() {
                let smallest = |first: usize| {
                    (at..groups.len()).map(|last| mean(first, last)).fold(f64::INFINITY, f64::min)
                };
                let expected = (0..=at).map(smallest).fold(0.0, f64::max);
                prop_assert!((rate - expected).abs() < 1e-9, "{}: {} {}", at, rate, expected);
            }
        }
    }

    #[test]
    fn groups_have_equal_weight_whatever_the_number_of_points() {
        // A hundredth of 400 is 4: one heavy point, or four light ones.
        let heavy = (0..50).map(|_| (0.0, true, 4.0));
        let light = (0..200).map(|_| (1.0, false, 1.0));
        let points: Vec<(f64, bool, f64)> = heavy.chain(light).collect();
        let groups = groups_of_equal_weight(&points, 400.0);
        assert_eq!(groups.len(), 100);
        assert!(groups.iter().all(|group| group.weight == 4.0));
        assert_eq!(groups[49].hits, 4.0);
        assert_eq!((groups[50].hits, groups[50].score), (0.0, 4.0));
    }

    #[test]
    fn a_calibrated_probability_is_the_share_that_was_bought() {
        // Whatever the pooled model says, 1 of 4 is bought below 0 and 3 of 4 above.
        let points = (0..4_000).map(|i| {
            let score = f64::from(i) / 2_000.0 - 1.0;
            let bought = if score < 0.0 { i % 4 == 0 } else { i % 4 != 0 };
            (score, bought, 1.0)
        });
        let fitted = Isotonic::fit(points.collect());
        assert!((fitted.probability(-0.5) - 0.25).abs() < 0.01);
        assert!((fitted.probability(0.5) - 0.75).abs() < 0.01);
    }

    #[test]
    fn weights_count_like_copies() {
        let copies = |i: u32| if i.is_multiple_of(3) { 5 } else { 1 };
        let point = |i: u32| (f64::from(i) / 100.0, unit(hash(5, &[i.into()])) < 0.4);
        let weighted = (0..600).map(|i| (point(i).0, point(i).1, f64::from(copies(i))));
        let copied =
            (0..600).flat_map(|i| (0..copies(i)).map(move |_| (point(i).0, point(i).1, 1.0)));
        let (weighted, copied) = (
            Isotonic::fit(weighted.collect()),
            Isotonic::fit(copied.collect()),
        );
        for score in [0.5, 2.0, 3.5, 5.0] {
            let (one, other) = (weighted.probability(score), copied.probability(score));
            assert!((one - other).abs() < 0.02, "{score}: {one} {other}");
        }
    }

    #[test]
    fn few_outcomes_change_nothing() {
        let fitted = Isotonic::fit(points(|_| 0.5).into_iter().take(100).collect());
        assert!((fitted.probability(0.4) - sigmoid(0.4)).abs() < 1e-12);
    }
}
