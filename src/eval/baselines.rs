//! What a data team would do without okuo. Each baseline is a function of the history of a night
//! alone.
//!
//! Timing baselines give days to the next purchase, one a customer; basket baselines give lists of
//! products, the best first, at most [`TOP`], ties to the smaller product id as text.

use rayon::prelude::*;

use super::metrics::{mean, median};
use super::protocol::TextOrder;
use crate::calendar::{AsOf, DateRange, Day, HORIZON_DAYS};
use crate::error::Result;
use crate::purchases::{CustomerPurchases, History, PartitionedHistory};
use crate::recurrence::{Rule, recurrent};

/// How many products a baseline lists at most.
pub const TOP: usize = 50;

/// Gaps that ended this many days ago or more do not count for a customer's own.
const RECENT_DAYS: i32 = 120;

/// The population's median is taken over so many nights, so many days apart.
const MEDIAN_NIGHTS: i32 = 40;
const MEDIAN_EVERY: i32 = 3;

/// The median wait of the recurrent customers, over nights that lie [`HORIZON_DAYS`] days and more
/// before the history's end; those who did not return within the horizon count as it. It is learnt
/// once for several nights, as a model is. `None` where the history is too short.
///
/// # Errors
/// If a part of the history cannot be brought back from where it was set aside.
pub fn population_median(history: PartitionedHistory<'_>, rule: &Rule) -> Result<Option<f64>> {
    let Some(DateRange { first, .. }) = history.span()? else {
        return Ok(None);
    };
    let earliest = first + rule.window_days();
    let latest = history.as_of().day() - HORIZON_DAYS;
    let mut waits = vec![];
    history.each(|history| {
        for night in (0..MEDIAN_NIGHTS)
            .map(|back| latest - MEDIAN_EVERY * back)
            .filter(|night| *night >= earliest)
        {
            let (customers, _) = recurrent(&history.until(AsOf(night)), rule);
            waits.extend(customers.into_iter().map(|customer| {
                let wait = history
                    .following(customer, night)
                    .map_or(HORIZON_DAYS, |(day, _)| day - night);
                f64::from(wait.min(HORIZON_DAYS))
            }));
        }
        Ok(())
    })?;
    Ok(median(waits))
}

/// The middle of a customer's own gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Middle {
    /// Their median.
    Median,
    /// Their mean.
    Mean,
}

/// The middle of each customer's own gaps that ended in the last 120 days, less the days that have
/// already elapsed; the horizon where there is no such gap. Days may be below 1, for a customer who
/// is overdue.
#[must_use]
pub fn personal_gap(history: &History<'_>, customers: &[u32], middle: Middle) -> Vec<f64> {
    let night = history.as_of().day();
    let own = |customer: &u32| {
        own_gap(&history.purchases_of(*customer), night, middle).unwrap_or(f64::from(HORIZON_DAYS))
    };
    customers.iter().map(own).collect()
}

fn own_gap(purchases: &CustomerPurchases<'_>, night: Day, middle: Middle) -> Option<f64> {
    let days = purchases.days();
    let gaps = days
        .windows(2)
        .filter(|pair| night - pair[1] < RECENT_DAYS)
        .map(|pair| f64::from(pair[1] - pair[0]));
    let gap = match middle {
        Middle::Median => median(gaps.collect()),
        Middle::Mean => mean(gaps),
    }?;
    Some(gap - f64::from(night - *days.last()?))
}

/// P-TopFreq with a decay: each purchase that had the product counts `decay` to the power of the
/// number of purchases since. With 1.0 it is the plain count.
#[must_use]
pub fn personal_frequency(
    history: &History<'_>,
    customers: &[u32],
    decay: f64,
    order: &TextOrder,
) -> Vec<Vec<u32>> {
    let start = || Accumulator::new(history.product_count());
    let list = |scores: &mut Accumulator, customer: &u32| {
        count(scores, &history.purchases_of(*customer), decay);
        ranked(scores.take(), order)
    };
    customers.par_iter().map_init(start, list).collect()
}

/// GP-TopFreq: the personal count; ties, then the tail, by the number of purchases of all customers
/// that had the product.
#[derive(Debug)]
pub struct GlobalFrequency {
    /// Each product's share of the most frequent one's count, below 1.
    share: Vec<f64>,
    popular: Vec<u32>,
}

impl GlobalFrequency {
    /// Counts everybody's purchases.
    ///
    /// # Errors
    /// If a part of the history cannot be brought back from where it was set aside.
    pub fn new(history: PartitionedHistory<'_>, order: &TextOrder) -> Result<Self> {
        let mut store = vec![0_u32; history.products().len()];
        history.each(|history| {
            for product in (0..history.customer_count())
                .flat_map(|customer| history.purchases_of(customer).iter())
                .flat_map(|(_, basket)| basket)
            {
                if let Some(count) = store.get_mut(*product as usize) {
                    *count += 1;
                }
            }
            Ok(())
        })?;
        let most = f64::from(store.iter().copied().max().unwrap_or(0)) + 1.0;
        let share: Vec<f64> = store.iter().map(|count| f64::from(*count) / most).collect();
        let popular = (0_u32..)
            .zip(&share)
            .filter(|(_, share)| **share > 0.0)
            .map(|(product, share)| (product, *share));
        let popular = ranked(popular.collect(), order);
        Ok(Self { share, popular })
    }

    /// The lists of some customers.
    #[must_use]
    pub fn lists(
        &self,
        history: &History<'_>,
        customers: &[u32],
        order: &TextOrder,
    ) -> Vec<Vec<u32>> {
        let start = || Accumulator::new(history.product_count());
        let list = |scores: &mut Accumulator, customer: &u32| {
            count(scores, &history.purchases_of(*customer), 1.0);
            let mut own = scores.take_sorted();
            let new = |product: &u32| {
                own.binary_search_by_key(product, |(known, _)| *known)
                    .is_err()
            };
            let tail: Vec<(u32, f64)> = self
                .popular
                .iter()
                .copied()
                .filter(new)
                .map(|product| (product, 0.0))
                .collect();
            own.extend(tail);
            for (product, score) in &mut own {
                *score += self.share.get(*product as usize).copied().unwrap_or(0.0);
            }
            ranked(own, order)
        };
        customers.par_iter().map_init(start, list).collect()
    }
}

fn count(scores: &mut Accumulator, purchases: &CustomerPurchases<'_>, decay: f64) {
    let back = (0..purchases.len()).rev();
    for ((_, basket), back) in purchases.iter().zip(back) {
        let weight = decay.powf(back as f64);
        basket
            .iter()
            .for_each(|product| scores.add(*product, weight));
    }
}

/// The [`TOP`] products by descending score, ties by id as text.
pub(super) fn ranked(mut scores: Vec<(u32, f64)>, order: &TextOrder) -> Vec<u32> {
    let compare =
        |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then_with(|| order.compare(a.0, b.0));
    if scores.len() > TOP {
        scores.select_nth_unstable_by(TOP, compare);
        scores.truncate(TOP);
    }
    scores.sort_unstable_by(compare);
    scores.into_iter().map(|(product, _)| product).collect()
}

/// Sums of positive numbers by code: dense, so that adding is one access, with a list of the codes
/// that were touched, so that clearing is cheap.
#[derive(Debug)]
pub(super) struct Accumulator {
    sums: Vec<f64>,
    touched: Vec<u32>,
}

impl Accumulator {
    pub(super) fn new(codes: usize) -> Self {
        Self {
            sums: vec![0.0; codes],
            touched: vec![],
        }
    }

    /// Adds to the sum of a code; one that is out of range is nobody's.
    #[inline]
    pub(super) fn add(&mut self, code: u32, value: f64) {
        if let Some(sum) = self.sums.get_mut(code as usize) {
            if *sum == 0.0 {
                self.touched.push(code);
            }
            *sum += value;
        }
    }

    /// Multiplies all sums.
    pub(super) fn scale(&mut self, by: f64) {
        for code in &self.touched {
            if let Some(sum) = self.sums.get_mut(*code as usize) {
                *sum *= by;
            }
        }
    }

    /// The sums in no particular order; all are 0 again afterwards. A sum that vanishes (as a very
    /// old purchase's weight does) is left out.
    pub(super) fn take(&mut self) -> Vec<(u32, f64)> {
        let mut out = Vec::with_capacity(self.touched.len());
        for code in self.touched.drain(..) {
            if let Some(sum) = self.sums.get_mut(code as usize).filter(|sum| **sum > 0.0) {
                out.push((code, *sum));
                *sum = 0.0;
            }
        }
        out
    }

    /// The same by ascending code.
    pub(super) fn take_sorted(&mut self) -> Vec<(u32, f64)> {
        let mut out = self.take();
        out.sort_unstable_by_key(|(code, _)| *code);
        out
    }
}

#[cfg(test)]
mod tests;
