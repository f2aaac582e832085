//! Customers who are no person: a placeholder, a cashier's card, a card that many share.
//!
//! Such a customer comes on nearly all days, and buys far more than any other. Left in, it meets
//! every rule of recurrence, gets offers, and teaches the models what no person does.

use std::fmt;

use serde::Serialize;

use crate::calendar::Day;
use crate::domain::words::in_shell;
use crate::purchases::CustomerTotals;

/// Fewer days with sales than these tell nothing.
const MIN_DAYS: usize = 28;

/// From this share of the store's days on, a customer comes on nearly all of them.
const NEARLY_ALL: f64 = 0.8;

/// How many times as many lines as the customer after the few largest are far beyond the others.
const FAR_BEYOND: u32 = 4;

/// The smallest part of all lines that matters.
const LARGE_SHARE: f64 = 0.01;

/// How many times as large as the others' mean basket a shared card's days are at least.
const LARGE_DAY: f64 = 1.5;

/// A customer who looks like no person.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suspect {
    /// The id, as it came.
    pub customer: String,
    /// On how many days there is a purchase.
    pub days: usize,
    /// Of so many days on which the store sold something, from the first of them to the last.
    pub of_days: usize,
    /// Distinct (day, product).
    pub lines: usize,
    /// Their part of all distinct lines, 0 to 1.
    pub share: f64,
}

impl fmt::Display for Suspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            customer,
            days,
            of_days,
            lines,
            share,
        } = self;
        write!(
            f,
            "customer {customer} looks like a placeholder or a shared card, and not like a person: {lines} purchases (a product counts once a day), {:.1} % of those of all customers, on {days} of {of_days} days, \
             far beyond the other customers. It is left out of learning, scoring and offers; keep it with {}, or name it with \
             {}, so that its sales count for what the store sells",
            100.0 * share,
            named_with("--keep-customer", "keep_customers", customer),
            named_with("--anonymous", "anonymous", customer),
        )
    }
}

/// How an id is given with a flag in a shell, or in okuo.toml where commas would divide it.
fn named_with(flag: &str, key: &str, id: &str) -> String {
    if id.contains(',') {
        return format!("{key} = [{id:?}] under [input] in okuo.toml");
    }
    match id.starts_with('-') {
        true => format!("{flag}={}", in_shell(id)),
        false => format!("{flag} {}", in_shell(id)),
    }
}

/// Codes of the customers who buy so much more than the others that a look at their days is worth
/// it. `totals` are by code.
pub(super) fn candidates(totals: &[CustomerTotals]) -> Vec<u32> {
    let mut largest: Vec<(u32, u32)> = (0..)
        .zip(totals)
        .map(|(code, totals)| (totals.lines, code))
        .filter(|(lines, _)| *lines > 0)
        .collect();
    if largest.is_empty() {
        return vec![];
    }
    let all: u64 = largest.iter().map(|(lines, _)| u64::from(*lines)).sum();
    // A handful of cards may be shared, and of many customers one in a hundred.
    let few = (5 + largest.len() / 100).min(largest.len() / 4);
    let (_, (reference, _), _) = largest.select_nth_unstable_by(few, |a, b| b.cmp(a));
    let reference = *reference;
    largest.truncate(few);
    largest.sort_unstable_by(|a, b| b.cmp(a));
    largest
        .into_iter()
        .take_while(|(lines, _)| {
            *lines >= reference.saturating_mul(FAR_BEYOND)
                && f64::from(*lines) >= LARGE_SHARE * all as f64
        })
        .map(|(_, code)| code)
        .collect()
}

/// The mean basket of all customers but these, in products.
pub(super) fn mean_basket(totals: &[CustomerTotals], without: &[u32]) -> f64 {
    let (mut lines, mut purchases) = (0_u64, 0_u64);
    for (code, totals) in (0_u32..).zip(totals) {
        if !without.contains(&code) {
            lines += u64::from(totals.lines);
            purchases += u64::from(totals.purchases);
        }
    }
    lines as f64 / purchases.max(1) as f64
}

/// The customer with these distinct lines, ascending, if it looks like no person. `is_open` says
/// whether the store sold something on a day, `all_lines` how many distinct lines there are, and
/// `basket` how many products the others' baskets have.
pub(super) fn judge(
    customer: String,
    lines: &[(Day, u32)],
    is_open: impl Fn(Day) -> bool,
    all_lines: u64,
    basket: f64,
) -> Option<Suspect> {
    let (first, last) = (lines.first()?.0, lines.last()?.0);
    let days = lines.chunk_by(|(day, _), (next, _)| day == next).count();
    let span = last - first;
    let of_days = (0..=span).filter(|after| is_open(first + *after)).count();
    let is_suspect = of_days >= MIN_DAYS
        && days as f64 >= NEARLY_ALL * of_days as f64
        && lines.len() as f64 / days as f64 >= LARGE_DAY * basket;
    is_suspect.then_some(Suspect {
        customer,
        days,
        of_days,
        lines: lines.len(),
        share: lines.len() as f64 / all_lines.max(1) as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(lines: &[u32]) -> Vec<CustomerTotals> {
        let of = |lines: &u32| CustomerTotals {
            purchases: *lines,
            lines: *lines,
        };
        lines.iter().map(of).collect()
    }

    #[test]
    fn only_who_buys_far_more_than_the_others_is_looked_at() {
        let mut lines = vec![60; 40];
        lines[7] = 3_000;
        assert_eq!(candidates(&totals(&lines)), [7]);
        lines[8] = 200;
        assert_eq!(candidates(&totals(&lines)), [7], "a large household");
        // Where a quarter of the customers buy much, it is the store's way.
        let half: Vec<u32> = (0..40)
            .map(|code| if code % 2 == 0 { 3_000 } else { 60 })
            .collect();
        assert!(candidates(&totals(&half)).is_empty());
        assert!(
            candidates(&totals(&[5, 900])).is_empty(),
            "two customers tell nothing"
        );
        assert!(candidates(&[]).is_empty());
    }

    #[test]
    fn an_id_is_named_as_it_can_be_pasted() {
        let named: Vec<String> = ["7", "-1", "Walk-in Customer", "A, x"]
            .map(|id| named_with("--anonymous", "anonymous", id))
            .to_vec();
        assert_eq!(
            named,
            [
                "--anonymous 7",
                "--anonymous=-1",
                "--anonymous 'Walk-in Customer'",
                "anonymous = [\"A, x\"] under [input] in okuo.toml"
            ]
        );
    }

    fn lines(days: impl Iterator<Item = i32>, products: u32) -> Vec<(Day, u32)> {
        days.flat_map(|day| (0..products).map(move |product| (Day::from_epoch(day), product)))
            .collect()
    }

    #[test]
    fn a_suspect_comes_on_nearly_all_days_with_much() {
        let judged = |lines: &[(Day, u32)]| judge("7".into(), lines, |_| true, 10_000, 3.0);
        let suspect = judged(&lines(0..100, 9)).unwrap();
        assert_eq!(
            (suspect.days, suspect.of_days, suspect.lines),
            (100, 100, 900)
        );
        assert!((suspect.share - 0.09).abs() < 1e-12);
        assert!(suspect.to_string().contains("--keep-customer 7"));
        assert!(
            judged(&lines((0..100).step_by(2), 9)).is_none(),
            "every other day"
        );
        assert!(
            judged(&lines(0..100, 4)).is_none(),
            "baskets like the others'"
        );
        assert!(judged(&lines(0..20, 9)).is_none(), "too short to tell");
        // Closed days are no days on which it did not come.
        let six_days = lines((0..100).filter(|day| day % 7 != 0), 9);
        let open = |day: Day| day.epoch() % 7 != 0;
        assert!(judge("7".into(), &six_days, open, 10_000, 3.0).is_some());
    }
}
