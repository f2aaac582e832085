//! How long a training takes, and what fits into a given time.
//!
//! Trees take most of it. A tree looks at a share of the features of a share of the rows, and a
//! training fits each model several times, so that the time goes with rows × trees × features. The
//! three constants below were measured once. Nothing looks at a clock or at the number of threads:
//! the same budget, settings and data give the same model on every machine, sooner or later.

use serde::{Deserialize, Serialize};

use super::Parameters;
use super::boosting::BoostingParameters;
use crate::features::basket::BASKET_WIDTH;
use crate::features::timing::TIMING_WIDTH;

/// Seconds of one core for each row, tree, and feature that the tree sees, all fits of a training
/// together: of 32 s of CPU on Complete Journey, two cores of an AMD EPYC, November 2026.
const SECONDS_PER_CELL: f64 = 9e-9;
/// Seconds of one core for each row: its features.
const SECONDS_PER_ROW: f64 = 5e-6;
/// How many times as fast two threads are as one. A budget means seconds of two threads.
const TWO_THREADS: f64 = 1.8;

/// How much less each step towards a smaller training takes.
const STEP: f64 = 0.95;
/// Fewest rows and trees that a budget leaves.
const FEWEST_ROWS: usize = 20_000;
/// See [`FEWEST_ROWS`].
const FEWEST_TREES: usize = 20;
/// Longest step of a tree that a budget makes of a shorter one.
const LONGEST_STEP: f64 = 0.2;

/// What was chosen for a budget of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BudgetChoice {
    /// The budget, in seconds.
    pub seconds: f64,
    /// How long the training is expected to take at most, in seconds of two threads.
    pub expected_seconds: f64,
    /// Most rows of the timing model.
    pub timing_rows: usize,
    /// Trees of the timing model.
    pub timing_trees: usize,
    /// Most rows of the basket model.
    pub basket_rows: usize,
    /// Trees of the basket model.
    pub basket_trees: usize,
}

impl BudgetChoice {
    /// The choice as a sentence.
    #[must_use]
    pub fn words(&self) -> String {
        format!(
            "a budget of {:.0} s: {} trees on at most {} rows for the timing model, {} trees on at \
             most {} rows for the basket model; growing them takes about {:.1} s on 2 threads at most",
            self.seconds,
            self.timing_trees,
            self.timing_rows,
            self.basket_trees,
            self.basket_rows,
            self.expected_seconds
        )
    }

    /// Whether even the smallest training is expected to take longer.
    #[must_use]
    pub fn is_exceeded(&self) -> bool {
        self.expected_seconds > self.seconds
    }
}

impl Parameters {
    /// The same with as many rows and trees as fit into a budget of seconds, and no more than there
    /// were. Rows and trees shrink alike, and the trees' steps grow as their number shrinks.
    #[must_use]
    pub fn within_budget(&self, seconds: f64) -> (Self, BudgetChoice) {
        let whole = self.in_effect();
        let smallest = whole.shrunk(0.0);
        let mut share: f64 = 1.0;
        let mut chosen = whole.clone();
        while chosen.expected_seconds() > seconds && chosen != smallest {
            share *= STEP;
            chosen = whole.shrunk(share.sqrt());
        }
        let choice = BudgetChoice {
            seconds,
            expected_seconds: chosen.expected_seconds(),
            timing_rows: chosen.timing.max_training_rows,
            timing_trees: chosen.timing.boosting.trees,
            basket_rows: chosen.basket.max_training_rows,
            basket_trees: chosen.basket.boosting.trees,
        };
        (chosen, choice)
    }

    /// How long a training with all of its rows takes two threads, in seconds.
    #[must_use]
    pub fn expected_seconds(&self) -> f64 {
        let timing = seconds_of_one_core(
            self.timing.max_training_rows,
            &self.timing.boosting,
            TIMING_WIDTH,
        );
        let basket = seconds_of_one_core(
            self.basket.max_training_rows,
            &self.basket.boosting,
            BASKET_WIDTH,
        );
        (timing + basket) / TWO_THREADS
    }

    fn shrunk(&self, share: f64) -> Self {
        let mut parameters = self.clone();
        let (timing, basket) = (&mut parameters.timing, &mut parameters.basket);
        timing.max_training_rows = at_least(timing.max_training_rows, share, FEWEST_ROWS);
        basket.max_training_rows = at_least(basket.max_training_rows, share, FEWEST_ROWS);
        shrink_trees(&mut timing.boosting, share);
        shrink_trees(&mut basket.boosting, share);
        parameters
    }
}

fn seconds_of_one_core(rows: usize, boosting: &BoostingParameters, width: usize) -> f64 {
    let features = (boosting.feature_share * width as f64).max(1.0);
    let cells = boosting.trees as f64 * features;
    rows as f64 * (SECONDS_PER_ROW + SECONDS_PER_CELL * cells)
}

/// A share of a count, but not less than `fewest`, nor more than there was.
fn at_least(count: usize, share: f64, fewest: usize) -> usize {
    let part = (count as f64 * share) as usize;
    part.max(fewest.min(count))
}

/// Fewer trees that go as far together.
fn shrink_trees(boosting: &mut BoostingParameters, share: f64) {
    let trees = at_least(boosting.trees, share, FEWEST_TREES);
    let longer = boosting.learning_rate * boosting.trees as f64 / trees as f64;
    boosting.learning_rate = longer.min(LONGEST_STEP.max(boosting.learning_rate));
    boosting.trees = trees;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_time_for_is_left_as_it_is() {
        let parameters = Parameters::default();
        let (chosen, choice) = parameters.within_budget(1e6);
        assert_eq!(chosen, parameters);
        assert_eq!((choice.basket_trees, choice.basket_rows), (300, 400_000));
        // What the defaults are expected to take.
        assert!(
            (10.0..30.0).contains(&choice.expected_seconds),
            "{choice:?}"
        );
    }

    #[test]
    fn a_smaller_budget_takes_fewer_rows_and_trees_with_longer_steps() {
        let parameters = Parameters::default();
        let mut before = parameters.within_budget(1e6);
        for seconds in [12.0, 8.0, 4.0, 2.0] {
            let (chosen, choice) = parameters.within_budget(seconds);
            assert!(!choice.is_exceeded(), "{choice:?}");
            assert!(choice.expected_seconds > 0.9 * seconds, "{choice:?}");
            assert!(choice.basket_trees < before.1.basket_trees);
            assert!(choice.basket_rows < before.1.basket_rows);
            assert!(choice.timing_trees < before.1.timing_trees);
            assert!(choice.timing_rows < before.1.timing_rows);
            let (basket, whole) = (&chosen.basket.boosting, &parameters.basket.boosting);
            let distance = basket.learning_rate * basket.trees as f64;
            let whole = whole.learning_rate * whole.trees as f64;
            assert!((distance - whole).abs() < 1e-9, "{distance} {whole}");
            // The choice stands in the parameters, so choosing again changes nothing.
            assert_eq!(chosen.within_budget(seconds).0, chosen);
            assert!(chosen.clone().check().is_ok());
            before = (chosen, choice);
        }
    }

    #[test]
    fn however_small_the_budget_something_is_trained() {
        let (_, choice) = Parameters::default().within_budget(0.001);
        assert_eq!((choice.basket_rows, choice.timing_rows), (20_000, 20_000));
        assert_eq!((choice.basket_trees, choice.timing_trees), (20, 20));
        assert!(choice.is_exceeded());
        // Also where a step of the share changes no count.
        let mut near = Parameters::default();
        for (rows, trees) in [
            (
                &mut near.timing.max_training_rows,
                &mut near.timing.boosting.trees,
            ),
            (
                &mut near.basket.max_training_rows,
                &mut near.basket.boosting.trees,
            ),
        ] {
            (*rows, *trees) = (20_000, 30);
        }
        let (_, choice) = near.within_budget(0.001);
        assert_eq!((choice.basket_trees, choice.timing_trees), (20, 20));
        // Fewer than these that were set stay.
        let mut few = Parameters::default();
        (few.basket.boosting.trees, few.basket.max_training_rows) = (5, 1_000);
        let (chosen, _) = few.within_budget(0.001);
        assert_eq!(chosen.basket.boosting.trees, 5);
        assert_eq!(chosen.basket.max_training_rows, 1_000);
    }

    #[test]
    fn a_fast_training_is_shrunk_further() {
        let fast = Parameters {
            fast: true,
            ..Parameters::default()
        };
        let (_, choice) = fast.within_budget(1e6);
        assert_eq!((choice.basket_trees, choice.timing_rows), (100, 150_000));
    }
}
