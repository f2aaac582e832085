//! When a request that failed is sent again.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

/// How long a request that fails is sent again, by default. A failure of S3 that lasts longer is an
/// outage.
pub const RETRY_BUDGET: Duration = Duration::from_secs(300);

/// As long as the endpoint has never answered, its address is more likely wrong than its service
/// interrupted.
const BUDGET_BEFORE_FIRST_ANSWER: Duration = Duration::from_secs(15);

/// The longest pause before the second try. Each further pause may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Tries {
    budget: Duration,
    started: Instant,
    /// How many have failed.
    pub(super) failed: u32,
}

impl Tries {
    /// None yet. `budget` is how long after now the last one may start.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a request is tried shows in no result"
    )]
    pub(super) fn within(budget: Duration) -> Self {
        Self {
            budget,
            started: Instant::now(),
            failed: 0,
        }
    }

    /// Counts a failed try, and pauses; `false` if there is no time for another one.
    pub(super) async fn wait(&mut self, has_answered: bool) -> bool {
        self.failed += 1;
        let budget = if has_answered {
            self.budget
        } else {
            self.budget.min(BUDGET_BEFORE_FIRST_ANSWER)
        };
        let pause = pause_after(self.failed, draw());
        if self.started.elapsed() + pause > budget {
            return false;
        }
        tokio::time::sleep(pause).await;
        true
    }
}

/// The pause after so many failed tries. `draw`, from 0 to 1, makes it between half of its length
/// and all of it: many clients that failed at the same moment must not come back at the same moment.
fn pause_after(failed: u32, draw: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(failed.saturating_sub(1));
    let longest = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
    longest.mul_f64((1.0 + draw) / 2.0)
}

/// A number from 0 to 1 that differs each time. Nothing that okuo writes depends on it.
fn draw() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_are_spread() {
        let pauses = [1, 2, 3, 7, 8, 60].map(|failed| pause_after(failed, 1.0).as_millis());
        assert_eq!(pauses, [200, 400, 800, 12_800, 20_000, 20_000]);
        assert_eq!(pause_after(2, 0.0).as_millis(), 200);
    }

    #[tokio::test]
    async fn there_is_no_try_after_the_budget() {
        let mut tries = Tries::within(Duration::from_millis(500));
        while tries.wait(true).await {}
        assert!(tries.started.elapsed() < Duration::from_millis(600));
        assert!((2..=4).contains(&tries.failed), "{}", tries.failed);
        assert!(!Tries::within(Duration::ZERO).wait(true).await);
    }
}
