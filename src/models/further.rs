//! Candidates for offers beyond the likeliest products: what a customer used to buy and is gone, and
//! what similar customers buy. They are too unlikely for the list of the next basket, and are what a
//! discount could change.

use std::cmp::Reverse;

use crate::domain::{HABIT_GONE_DAYS, HABIT_PURCHASES};
use crate::features::basket::{BASKET_COLUMNS, BASKET_WIDTH, BasketScratch, Candidate};

/// Most candidates of each of the two kinds.
const OF_EACH_KIND: usize = 5;
/// The positions in `scratch` of more candidates than those that are `known`, whose product codes
/// ascend.
pub(super) fn further_candidates(scratch: &BasketScratch, known: &[u32]) -> Vec<usize> {
    let unknown = (0..)
        .zip(&scratch.candidates)
        .filter(|(_, candidate)| known.binary_search(&candidate.product).is_err());
    let (mut gone, mut new) = (vec![], vec![]);
    for (at, candidate) in unknown {
        if candidate.times == 0 {
            let score = scratch
                .rows
                .get(at * BASKET_WIDTH + BASKET_COLUMNS.neighbour_score);
            new.push((score.copied().unwrap_or_default(), at));
        } else if is_gone(candidate) {
            gone.push((Reverse(candidate.times), at));
        }
    }
    gone.sort_unstable();
    new.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let gone = gone.into_iter().take(OF_EACH_KIND).map(|(_, at)| at);
    gone.chain(new.into_iter().take(OF_EACH_KIND).map(|(_, at)| at))
        .collect()
}

fn is_gone(candidate: &Candidate) -> bool {
    candidate.times >= HABIT_PURCHASES && candidate.days_since_last >= HABIT_GONE_DAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Candidates with (times bought, days since, score of the neighbours).
    fn scratch(candidates: &[(u32, i32, f32)]) -> BasketScratch {
        let mut scratch = BasketScratch::default();
        for (product, (times, days_since_last, score)) in (0..).zip(candidates) {
            scratch.candidates.push(Candidate {
                product,
                times: *times,
                days_since_last: *days_since_last,
                days_since_first: 300,
                in_latest_ten: 0,
            });
            let mut row = [0.0; BASKET_WIDTH];
            row[BASKET_COLUMNS.neighbour_score] = *score;
            scratch.rows.extend(row);
        }
        scratch
    }

    #[test]
    fn what_is_gone_and_what_neighbours_buy_are_candidates() {
        let candidates = [
            (9, 41, 0.0),
            (3, 42, 0.0),
            (2, 90, 0.0),
            (8, 90, 0.0),
            (0, 0, 0.1),
            (0, 0, 0.3),
            (0, 0, 0.2),
        ];
        let scratch = scratch(&candidates);
        assert_eq!(further_candidates(&scratch, &[]), [3, 1, 5, 6, 4]);
        assert_eq!(
            further_candidates(&scratch, &[3, 5]),
            [1, 6, 4],
            "the others are listed"
        );
    }

    #[test]
    fn there_are_few_of_each_kind() {
        let candidates: Vec<_> = (0..20).map(|at| (at / 10 * (at + 3), 60, 0.5)).collect();
        let found = further_candidates(&scratch(&candidates), &[]);
        assert_eq!(found, [19, 18, 17, 16, 15, 0, 1, 2, 3, 4]);
    }
}
