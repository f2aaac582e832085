//! What a data team would do without okuo. Each baseline is a function of the history of a night
//! alone.
//!
//! A timing baseline forecasts the days to the next purchase of each customer. A basket baseline
//! lists products for each customer, the best first, at most [`TOP`]; ties go to the smaller
//! product id as text.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::protocol::TextOrder;
use crate::calendar::{AsOf, DateRange, Day, HORIZON_DAYS};
use crate::error::Result;
use crate::purchases::{CustomerPurchases, History, PartitionedHistory};
use crate::recurrence::{Rule, recurrent};
use crate::stats::{mean, median};

/// How many products a baseline lists at most.
pub const TOP: usize = 50;

/// A customer's gaps that ended this many days ago or more do not count.
const RECENT_GAP_DAYS: i32 = 120;

/// How many nights the population's median is taken over.
const MEDIAN_NIGHTS: i32 = 40;

/// Days from one of these nights to the next.
const MEDIAN_NIGHTS_APART: i32 = 3;

/// The median time to the next purchase of the recurrent customers, over nights that lie
/// [`HORIZON_DAYS`] days or more before the history's end. A customer who did not return within the
/// horizon counts as the horizon. It is learned once for several nights, as a model is. `None` if
/// the history is too short.
///
/// # Errors
/// If a part of the history cannot be brought back from where it was set aside.
pub fn population_median(history: PartitionedHistory<'_>, rule: &Rule) -> Result<Option<f64>> {
    let mut median = PopulationMedian::new(history.as_of(), rule);
    history.each(|partition| {
        median.add(partition);
        Ok(())
    })?;
    Ok(median.finish())
}

/// Collects the waits of [`population_median`], partition by partition.
#[derive(Debug)]
pub struct PopulationMedian {
    rule: Rule,
    /// The nights, each with the days that its recurrent customers waited.
    waits: Vec<(Day, Vec<f64>)>,
    /// The first and the last day with a purchase.
    span: Option<DateRange>,
}

impl PopulationMedian {
    /// No waits yet of a history that ends on the night `as_of`.
    #[must_use]
    pub fn new(as_of: AsOf, rule: &Rule) -> Self {
        let latest = as_of.day() - HORIZON_DAYS;
        let nights = (0..MEDIAN_NIGHTS).map(|back| latest - MEDIAN_NIGHTS_APART * back);
        Self {
            rule: *rule,
            waits: nights.map(|night| (night, vec![])).collect(),
            span: None,
        }
    }

    /// Adds a partition of the history.
    pub fn add(&mut self, partition: &History<'_>) {
        self.span = DateRange::union(self.span, partition.span());
        for (night, waits) in &mut self.waits {
            let (customers, _) = recurrent(&partition.until(AsOf(*night)), &self.rule);
            let customers = customers.into_iter();
            waits.extend(customers.map(|customer| days_to_next(partition, customer, *night)));
        }
    }

    /// The median. Nights on which the history was shorter than what the rule looks back on do not
    /// count.
    #[must_use]
    pub fn finish(self) -> Option<f64> {
        let earliest = self.span?.first + self.rule.window_days();
        let waits = self.waits.into_iter();
        median(
            waits
                .filter(|(night, _)| *night >= earliest)
                .flat_map(|(_, waits)| waits)
                .collect(),
        )
    }
}

/// Days from a night to the customer's next purchase, at most [`HORIZON_DAYS`].
fn days_to_next(history: &History<'_>, customer: u32, night: Day) -> f64 {
    let days = history
        .following(customer, night)
        .map_or(HORIZON_DAYS, |(day, _)| day - night);
    f64::from(days.min(HORIZON_DAYS))
}

/// How a customer's typical gap is computed from the gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypicalGap {
    /// As their median.
    Median,
    /// As their mean.
    Mean,
}

/// For each customer, the typical one of the gaps that ended in the last 120 days, less the days
/// that have already elapsed; the horizon if there is no such gap. It may be below 1 day, for a
/// customer who is overdue.
#[must_use]
pub fn personal_gap(history: &History<'_>, customers: &[u32], typical: TypicalGap) -> Vec<f64> {
    let night = history.as_of().day();
    let forecasts = customers.iter().map(|customer| {
        remaining_gap(&history.purchases_of(*customer), night, typical)
            .unwrap_or(f64::from(HORIZON_DAYS))
    });
    forecasts.collect()
}

fn remaining_gap(
    purchases: &CustomerPurchases<'_>,
    night: Day,
    typical: TypicalGap,
) -> Option<f64> {
    let days = purchases.days();
    let gaps = days
        .windows(2)
        .filter(|pair| night - pair[1] < RECENT_GAP_DAYS)
        .map(|pair| f64::from(pair[1] - pair[0]));
    let gap = match typical {
        TypicalGap::Median => median(gaps.collect()),
        TypicalGap::Mean => mean(gaps),
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
    let lists = customers.par_iter().map_init(
        || Accumulator::new(history.product_count()),
        |scores, customer| {
            add_purchases(scores, &history.purchases_of(*customer), decay);
            top_ranked(scores.take(), order)
        },
    );
    lists.collect()
}

/// How many purchases of all customers had each product, by code; counted partition by partition.
#[derive(Debug)]
pub struct PurchaseCounts(Vec<u32>);

impl PurchaseCounts {
    /// No purchase yet, of so many products.
    #[must_use]
    pub fn new(products: usize) -> Self {
        Self(vec![0; products])
    }

    /// Adds the purchases of a partition.
    pub fn add(&mut self, partition: &History<'_>) {
        for product in (0..partition.customer_count())
            .flat_map(|customer| partition.purchases_of(customer).iter())
            .flat_map(|(_, basket)| basket)
        {
            self.0[*product as usize] += 1;
        }
    }
}

/// GP-TopFreq: products by the customer's own count. Ties, and the products that the customer has
/// not bought, are ranked by the number of purchases of all customers that had the product.
#[derive(Debug)]
pub struct GlobalFrequency {
    /// Each product's count divided by one more than the highest count, so below 1.
    share: Vec<f64>,
    /// The products by descending count.
    popular: Vec<u32>,
}

impl GlobalFrequency {
    /// Counts the purchases of all customers.
    ///
    /// # Errors
    /// If a part of the history cannot be brought back from where it was set aside.
    pub fn new(history: PartitionedHistory<'_>, order: &TextOrder) -> Result<Self> {
        let mut counts = PurchaseCounts::new(history.products().len());
        history.each(|partition| {
            counts.add(partition);
            Ok(())
        })?;
        Ok(Self::of(&counts, order))
    }

    /// The same of purchases that were counted.
    #[must_use]
    pub fn of(PurchaseCounts(counts): &PurchaseCounts, order: &TextOrder) -> Self {
        let most = f64::from(counts.iter().copied().max().unwrap_or(0)) + 1.0;
        let share: Vec<f64> = counts
            .iter()
            .map(|count| f64::from(*count) / most)
            .collect();
        let sold = (0_u32..)
            .zip(share.iter().copied())
            .filter(|(_, share)| *share > 0.0);
        let popular = top_ranked(sold.collect(), order);
        Self { share, popular }
    }

    /// A list for each of these customers.
    #[must_use]
    pub fn lists(
        &self,
        history: &History<'_>,
        customers: &[u32],
        order: &TextOrder,
    ) -> Vec<Vec<u32>> {
        let lists = customers.par_iter().map_init(
            || Accumulator::new(history.product_count()),
            |scores, customer| {
                add_purchases(scores, &history.purchases_of(*customer), 1.0);
                top_ranked(self.scores(scores.take_sorted()), order)
            },
        );
        lists.collect()
    }

    /// A customer's counts, and 0 for each popular product without one, each with the product's
    /// share added.
    fn scores(&self, mut counts: Vec<(u32, f64)>) -> Vec<(u32, f64)> {
        let own = counts.len();
        for product in &self.popular {
            let is_counted = counts[..own].binary_search_by_key(product, |(known, _)| *known);
            if is_counted.is_err() {
                counts.push((*product, 0.0));
            }
        }
        for (product, score) in &mut counts {
            *score += self.share.get(*product as usize).copied().unwrap_or(0.0);
        }
        counts
    }
}

/// Adds `decay` to the power of the number of purchases since, to each product of each purchase.
fn add_purchases(scores: &mut Accumulator, purchases: &CustomerPurchases<'_>, decay: f64) {
    let purchases_since = (0..purchases.len()).rev();
    for ((_, basket), since) in purchases.iter().zip(purchases_since) {
        let weight = decay.powf(since as f64);
        basket
            .iter()
            .for_each(|product| scores.add(*product, weight));
    }
}

/// The [`TOP`] products by descending score, ties by id as text.
pub(super) fn top_ranked(mut scores: Vec<(u32, f64)>, order: &TextOrder) -> Vec<u32> {
    if scores.len() > TOP {
        scores.select_nth_unstable_by(TOP, |a, b| compare_scores(*a, *b, order));
        scores.truncate(TOP);
    }
    scores.sort_unstable_by(|a, b| compare_scores(*a, *b, order));
    scores.into_iter().map(|(product, _)| product).collect()
}

fn compare_scores(a: (u32, f64), b: (u32, f64), order: &TextOrder) -> Ordering {
    b.1.total_cmp(&a.1).then_with(|| order.compare(a.0, b.0))
}

/// Sums of positive numbers by product code. They are dense, so adding is one access; the codes
/// that were touched are listed, so clearing is cheap.
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

    /// Adds to the sum of a code. A code that is out of range is ignored.
    #[inline]
    pub(super) fn add(&mut self, code: u32, value: f64) {
        if let Some(sum) = self.sums.get_mut(code as usize) {
            if *sum == 0.0 {
                self.touched.push(code);
            }
            *sum += value;
        }
    }

    /// Multiplies all sums by a factor.
    pub(super) fn scale(&mut self, factor: f64) {
        for code in &self.touched {
            if let Some(sum) = self.sums.get_mut(*code as usize) {
                *sum *= factor;
            }
        }
    }

    /// Returns the sums in no particular order and sets all of them back to 0. A sum that has
    /// vanished, as the weight of a very old purchase does, is left out.
    pub(super) fn take(&mut self) -> Vec<(u32, f64)> {
        let mut sums = Vec::with_capacity(self.touched.len());
        for code in self.touched.drain(..) {
            if let Some(sum) = self.sums.get_mut(code as usize).filter(|sum| **sum > 0.0) {
                sums.push((code, *sum));
                *sum = 0.0;
            }
        }
        sums
    }

    /// As [`Accumulator::take`], by ascending code.
    pub(super) fn take_sorted(&mut self) -> Vec<(u32, f64)> {
        let mut sums = self.take();
        sums.sort_unstable_by_key(|(code, _)| *code);
        sums
    }
}

#[cfg(test)]
mod tests;
