//! Whether the 80 % intervals held what they say, as far as it can be told from chance.

use std::collections::BTreeMap;

use super::protocol::NightRows;
use crate::calendar::HORIZON_DAYS;
use crate::domain::words::counted;

/// The share of the outcomes that an interval should hold.
const NOMINAL: f64 = 0.8;
/// A share that differs by less than this is near enough for any use.
const FAR: f64 = 0.05;
/// So many standard errors are no chance: in one of a hundred evaluations, if intervals are right.
const STANDARD_ERRORS: f64 = 2.576;

/// How many of the intervals held the next purchase that ended within the data. An interval that
/// goes on beyond them is known only if the customer returned early, and would count as a miss too
/// often.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coverage {
    intervals: u32,
    customers: u32,
    /// The share that held the next purchase.
    share: f64,
    /// The standard error of the share if intervals are right. A customer is one observation,
    /// whatever the number of nights: those of one customer are missed together.
    standard_error: f64,
}

impl Coverage {
    /// `None` if no interval ended within the data.
    fn of(nights: &[NightRows]) -> Option<Self> {
        let mut by_customer = BTreeMap::<u32, f64>::new();
        let (mut intervals, mut held) = (0_u32, 0_u32);
        for night in nights {
            let end = night.followed_days.min(HORIZON_DAYS);
            for row in &night.rows {
                let Some((first, last)) = row.interval.filter(|(_, last)| *last <= end) else {
                    continue;
                };
                let is_held = row
                    .actual_days
                    .is_some_and(|days| (first..=last).contains(&days));
                intervals += 1;
                held += u32::from(is_held);
                *by_customer.entry(row.customer).or_default() +=
                    f64::from(u8::from(is_held)) - NOMINAL;
            }
        }
        let squares: f64 = by_customer.values().map(|sum| sum * sum).sum();
        (intervals > 0).then(|| Self {
            intervals,
            customers: by_customer.len() as u32,
            share: f64::from(held) / f64::from(intervals),
            standard_error: squares.sqrt() / f64::from(intervals),
        })
    }

    fn is_far(&self) -> bool {
        let miss = (self.share - NOMINAL).abs();
        miss >= FAR && miss > STANDARD_ERRORS * self.standard_error
    }
}

/// What a reader should know of a model's intervals on these nights; `None` where they are near
/// enough to what they say, or too few to tell.
pub(super) fn warning(nights: &[NightRows]) -> Option<String> {
    let coverage = Coverage::of(nights).filter(Coverage::is_far)?;
    let share = 100.0 * coverage.share;
    let intervals = counted(coverage.intervals, "interval");
    let customers = counted(coverage.customers, "customer");
    let (verb, meaning) = if coverage.share < NOMINAL {
        (
            "held only",
            "dates are less certain than their intervals say",
        )
    } else {
        ("held", "dates are more certain than their intervals say")
    };
    Some(format!(
        "the 80 % intervals {verb} {share:.1} % of the next purchases on the held-out days ({intervals} \
         of {customers}), further from 80 % than chance explains: {meaning}; these weeks may differ \
         from those before them (holidays, a change in the feed), or the history is too short to \
         calibrate"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::protocol::EvaluationRow;
    use super::*;
    use crate::calendar::{AsOf, Day};

    /// Nights that are followed for so many days, on each of which the first `held` of `customers`
    /// return within their interval, and the others after it.
    fn nights(followed_days: i32, count: i32, customers: u32, held: u32) -> Vec<NightRows> {
        let row = |customer: u32| EvaluationRow {
            customer,
            actual_days: Some(if customer < held { 4 } else { 9 }),
            predicted_days: Some(4.0),
            interval: Some((2, 8)),
            return_probability: None,
            rankings: None,
        };
        (0..count)
            .map(|night| NightRows {
                as_of: AsOf(Day::from_epoch(17_000 + 7 * night)),
                followed_days,
                rows: (0..customers).map(row).collect(),
                listed_products: vec![],
            })
            .collect()
    }

    #[test]
    fn far_beyond_chance_is_said_and_chance_is_not() {
        let text = warning(&nights(28, 1, 1_000, 710)).unwrap();
        let said = "the 80 % intervals held only 71.0 % of the next purchases on the held-out days \
                    (1000 intervals of 1000 customers), further from 80 % than chance explains: ";
        assert!(text.starts_with(said), "{text}");
        let wide = warning(&nights(28, 1, 1_000, 900)).unwrap();
        assert!(
            wide.contains("held 90.0 %") && wide.contains("more certain"),
            "{wide}"
        );
        // .71 of a hundred is 1.9 standard errors; .77 of many is near enough.
        assert_eq!(warning(&nights(28, 1, 100, 71)), None);
        assert_eq!(warning(&nights(28, 1, 20_000, 15_400)), None);
        assert_eq!(warning(&[]), None);
    }

    #[test]
    fn the_nights_of_a_customer_are_one_observation() {
        // As independent rows, 400 of which 284 are held would be 3.9 standard errors.
        assert_eq!(warning(&nights(28, 4, 100, 71)), None);
        assert!(warning(&nights(28, 4, 400, 284)).is_some());
    }

    #[test]
    fn an_interval_that_goes_on_beyond_the_data_says_nothing() {
        assert_eq!(warning(&nights(7, 1, 1_000, 0)), None);
    }
}
