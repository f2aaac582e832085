//! When: the distribution of the day of the next purchase.
//!
//! Least squares on log days ([`LogDays`]) gives an expected wait; a discrete-time hazard model
//! (Allison, Sociological Methodology 1982; boosted trees over person-days) turns it, with the
//! customer's habits, into the probability of a purchase on each coming day, given none before.
//! Every day of every customer is a row, so customers who have not come back yet count for each day
//! that they stayed away and censoring needs no repair. The median of the distribution is what is
//! predicted: it minimises the absolute error.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::TRAINING_DAYS;
use super::boosting::{BinnedRows, Bins, Boosted, BoostingParameters, log_odds, sigmoid};
use super::calibration::Platt;
use super::linear::LogDays;
use crate::calendar::{Day, HORIZON_DAYS};
use crate::domain::RETURN_HORIZONS;
use crate::error::{Error, Result};
use crate::features::timing::{TIMING_WIDTH, TimingFeatures};
use crate::purchases::{CustomerPurchases, History, PartitionedHistory};
use crate::recurrence::Rule;
use crate::sampling::Draw;
use crate::settings::{Allowed, section};

/// The least squares see this share of the person-days.
const LEAST_SQUARES_SHARE: f64 = 0.25;

/// The horizon as a length: one probability a day.
const HORIZON: usize = HORIZON_DAYS as usize;
/// Nights that fewer days are known after calibrate nothing.
pub const LEAST_FOLLOWED: i32 = 7;
/// Share of the outcomes that the interval holds.
const COVERAGE: f64 = 0.8;
/// Person-days that long after the latest purchase are out of reach of the horizon.
const MAX_ELAPSED: i32 = 58;
/// The hazard model sees the timing features and the expected wait.
const HAZARD_WIDTH: usize = TIMING_WIDTH + 2;
/// Intervals are calibrated apart for customers expected back within these many days, and later.
const GROUP_EDGES: [f64; 2] = [2.5, 5.5];
/// Bins of a feature.
const MAX_BINS: usize = 128;
/// Fewest outcomes that calibrate a group of its own.
const MIN_GROUP: usize = 150;

section! {
    /// How the timing model is fitted.
    pub struct TimingParameters {
        /// Days of the past that person-days are taken from
        #[setting(default = 200, allowed(TRAINING_DAYS))]
        pub days: u32,
        /// Most person-days to fit on
        #[was("max_rows")]
        #[setting(default = 150_000, allowed(Allowed::POSITIVE_COUNT))]
        pub max_training_rows: usize,
        /// Share of `max_training_rows` for customers who are far from meeting the rule, if there are
        /// more person-days than that
        #[setting(default = 0.3, allowed(Allowed::SHARE))]
        pub others: f64,
        /// Fewest purchases before a day for the day to count
        #[setting(default = 4, allowed(Allowed::POSITIVE_COUNT))]
        pub min_purchases: usize,
        /// How the trees of the hazard grow
        #[setting(default = BoostingParameters {
            trees: 150,
            leaves: 24,
            learning_rate: 0.05,
            row_share: 0.5,
            feature_share: 0.5,
            min_rows: 150,
            ridge: 10.0,
        })]
        pub boosting: BoostingParameters,
    }
}

/// The fitted timing model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimingModel {
    linear: LogDays,
    hazard: Boosted,
    returns: [Platt; RETURN_HORIZONS.len()],
    /// Least mass of a nested interval, a group of expected days each.
    masses: [f64; GROUP_EDGES.len() + 1],
}

/// The distribution of the days from a night to the next purchase.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnTimeDistribution {
    /// `probability[d]`: the next purchase comes on day `d + 1` after the night.
    pub probability: [f64; HORIZON],
}

impl ReturnTimeDistribution {
    /// The probability of a purchase within `days`.
    #[must_use]
    pub fn within(&self, days: u32) -> f64 {
        self.probability
            .iter()
            .take(days as usize)
            .sum::<f64>()
            .min(1.0)
    }

    /// The median in days, a whole number, and at most the horizon.
    #[must_use]
    pub fn median(&self) -> f64 {
        let mut before = 0.0;
        for (day, probability) in (1_u32..).zip(&self.probability) {
            if before + probability >= 0.5 {
                return f64::from(day);
            }
            before += probability;
        }
        HORIZON as f64
    }

    /// Days from the likeliest outward, always the likelier neighbour next: nested intervals
    /// (Gupta, Kuchibhotla & Ramdas, Pattern Recognition 2022). Calls `visit(first, last, mass)`
    /// for each until it returns true.
    fn nested(&self, mut visit: impl FnMut(usize, usize, f64) -> bool) {
        let mode = (0..HORIZON)
            .reduce(|best, day| {
                if self.probability[day] > self.probability[best] {
                    day
                } else {
                    best
                }
            })
            .unwrap_or(0);
        let (mut first, mut last, mut mass) = (mode, mode, self.probability[mode]);
        while !visit(first + 1, last + 1, mass) {
            let before = first.checked_sub(1).map(|day| self.probability[day]);
            let after = self.probability.get(last + 1).copied();
            match (before, after) {
                (None, None) => return,
                (Some(a), Some(b)) if a > b => (first, mass) = (first - 1, mass + a),
                (Some(a), None) => (first, mass) = (first - 1, mass + a),
                (_, Some(b)) => (last, mass) = (last + 1, mass + b),
            }
        }
    }

    /// The smallest nested interval with this mass: first and last day after the night.
    #[must_use]
    pub fn interval(&self, least: f64) -> (i32, i32) {
        let mut found = (1, HORIZON_DAYS);
        self.nested(|first, last, mass| {
            found = (first as i32, last as i32);
            mass >= least
        });
        found
    }

    /// The mass of the largest nested interval that does not hold an outcome yet; 1 for an outcome
    /// that none holds. An interval of at least mass `m` holds the outcome exactly if this is below
    /// `m`.
    fn conformal_score(&self, days: Option<i32>) -> f64 {
        let Some(days) = days else { return 1.0 };
        let mut before = 0.0;
        let mut found = 1.0;
        self.nested(|first, last, mass| {
            let holds = (first as i32..=last as i32).contains(&days);
            if holds {
                found = before;
            }
            before = mass;
            holds
        });
        found
    }
}

/// Rows of the hazard model for one customer: the night and each day after it as long as they do
/// not come.
fn hazard_row(linear: &LogDays, features: &[f32; TIMING_WIDTH]) -> [f32; HAZARD_WIDTH] {
    let days = linear.days(features);
    let mut row = [0.0; HAZARD_WIDTH];
    row[..TIMING_WIDTH].copy_from_slice(features);
    row[TIMING_WIDTH] = days as f32;
    row[TIMING_WIDTH + 1] = (days + f64::from(features[0])) as f32;
    row
}

/// One (customer, eve) that a model may be fitted on.
#[derive(Debug, Clone, Copy)]
struct PersonDay {
    customer: u32,
    eve: Day,
    /// The next purchase that is known.
    next: Option<Day>,
}

impl PersonDay {
    fn bought(&self) -> bool {
        self.next == Some(self.eve + 1)
    }
}

/// Calls `visit` with each person-day of a customer, and whether the customer was near the rule on
/// it.
fn each_person_day(
    history: &History<'_>,
    rule: &Rule,
    parameters: &TimingParameters,
    customer: u32,
    mut visit: impl FnMut(PersonDay, bool),
) {
    let end = history.as_of().day();
    let purchases = history.purchases_of(customer);
    let days = purchases.days();
    if days.is_empty() {
        return;
    }
    // Whether the rule is nearly met hardly changes within a week.
    let mut near = (0, false);
    for eve in ((end - parameters.days as i32).epoch()..end.epoch()).map(Day::from_epoch) {
        let known = days.partition_point(|day| *day <= eve);
        if known < parameters.min_purchases || eve - days[known - 1] > MAX_ELAPSED {
            continue;
        }
        let week = (end - eve) / 7 + 1;
        if near.0 != week {
            near = (week, rule.nearly_met(&purchases, eve));
        }
        visit(
            PersonDay {
                customer,
                eve,
                next: days.get(known).copied(),
            },
            near.1,
        );
    }
}

/// A sample of the person-days with their features: those of customers near the rule first, since
/// they are who is scored.
fn person_days(
    history: PartitionedHistory<'_>,
    rule: &Rule,
    parameters: &TimingParameters,
    seed: u64,
) -> Result<Vec<(PersonDay, [f32; TIMING_WIDTH])>> {
    let (mut far, mut near) = (0, 0);
    history.each(|history| {
        let count = |customer: u32| {
            let mut counts = [0_usize; 2];
            each_person_day(history, rule, parameters, customer, |_, near| {
                counts[usize::from(near)] += 1
            });
            counts
        };
        let customers = (0..history.customer_count()).into_par_iter();
        let counts = customers
            .map(count)
            .reduce(|| [0; 2], |a, b| [a[0] + b[0], a[1] + b[1]]);
        (far, near) = (far + counts[0], near + counts[1]);
        Ok(())
    })?;
    let wanted = parameters.max_training_rows as f64;
    let others = (far as f64).min((wanted - near as f64).max(wanted * parameters.others));
    let shares = [
        others / far.max(1) as f64,
        (wanted - others) / near.max(1) as f64,
    ];
    let sample = |history: &History<'_>| {
        let of_customer = |customer: u32| {
            let mut rows = vec![];
            let key = history.customers().key(customer);
            let purchases = history.purchases_of(customer);
            // One pass over a customer's purchases for all eves.
            let mut features = TimingFeatures::default();
            each_person_day(history, rule, parameters, customer, |row, near| {
                if Draw::PersonDays.keeps(
                    seed,
                    &[key, row.eve.epoch() as u64],
                    shares[usize::from(near)],
                ) {
                    rows.push((row, features.on(&purchases, row.eve)));
                }
            });
            rows
        };
        (0..history.customer_count())
            .into_par_iter()
            .flat_map_iter(of_customer)
            .collect()
    };
    let rows = history.gather(sample, |(row, _)| (row.customer, row.eve))?;
    if rows.is_empty() {
        return Err(Error::input(format!(
            "no customer has {} purchases within the days to learn from, which end on {}",
            parameters.min_purchases,
            history.as_of()
        ))
        .hint("check that --customer names the column of the customer, not of the ticket"));
    }
    Ok(rows)
}

/// What hazards are fitted to: person-days, and whether there was a purchase on the next day.
pub struct HazardRows {
    rows: BinnedRows,
    bins: Bins,
}

impl HazardRows {
    fn new(linear: &LogDays, person_days: Vec<(PersonDay, [f32; TIMING_WIDTH])>) -> Self {
        let step = person_days.len().div_ceil(20_000).max(1);
        let sample: Vec<f32> = person_days
            .iter()
            .step_by(step)
            .flat_map(|(_, features)| hazard_row(linear, features))
            .collect();
        let bins = Bins::from_sample(&sample, HAZARD_WIDTH, MAX_BINS);
        let mut rows = BinnedRows::with_capacity(HAZARD_WIDTH, person_days.len());
        let binned = |person_days: &[(PersonDay, [f32; TIMING_WIDTH])]| {
            let mut binned = Vec::with_capacity(person_days.len() * HAZARD_WIDTH);
            person_days
                .iter()
                .for_each(|(_, features)| bins.bin_row(&hazard_row(linear, features), &mut binned));
            binned
        };
        let chunks: Vec<Vec<u8>> = person_days.par_chunks(4096).map(binned).collect();
        for (person_days, binned) in person_days.chunks(4096).zip(chunks) {
            let label: Vec<bool> = person_days.iter().map(|(row, _)| row.bought()).collect();
            rows.extend(&binned, &label, &vec![1.0; label.len()]);
        }
        Self { rows, bins }
    }

    fn fit(&self, parameters: &TimingParameters, seed: u64) -> Result<Boosted> {
        Ok(Boosted::fit(
            &self.rows,
            &self.bins,
            &parameters.boosting,
            Draw::TimingTrees.hash(seed, &[]),
            self.rows.len(),
        )?
        .model)
    }
}

/// What a fit said on a night that it had not seen, and what became of it.
#[derive(Debug, Clone)]
pub struct CalibrationSample {
    customer: u32,
    night: Day,
    wait: ReturnTimeDistribution,
    /// Days to the next purchase, if it is known.
    days: Option<i32>,
    /// So many days after the night are known.
    followed: i32,
}

impl CalibrationSample {
    /// By night, then by customer: the order in which calibration sums.
    #[must_use]
    pub fn key(&self) -> (Day, u32) {
        (self.night, self.customer)
    }

    /// The same as it was known on an earlier day; `None` before the night.
    #[must_use]
    pub fn known_by(&self, end: Day) -> Option<Self> {
        let followed = end - self.night;
        let days = self.days.filter(|days| *days <= followed);
        (followed >= 0).then(|| Self {
            wait: self.wait.clone(),
            days,
            followed,
            ..*self
        })
    }

    /// Whether it is known for long enough to calibrate with.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.followed >= LEAST_FOLLOWED
    }
}

impl TimingModel {
    /// Fits to everything that the history knows; uncalibrated until [`TimingModel::calibrate`].
    /// `rule` says whose days count first.
    ///
    /// # Errors
    /// If there is too little to learn from, or a part cannot be brought back.
    pub fn fit(
        history: PartitionedHistory<'_>,
        rule: &Rule,
        parameters: &TimingParameters,
        seed: u64,
    ) -> Result<Self> {
        let person_days = person_days(history, rule, parameters, seed)?;
        // Least squares sees whole waits only: nights that the history follows for the horizon,
        // censored there.
        let latest = history.as_of().day() - HORIZON_DAYS;
        let (snapshots, waits): (Vec<_>, Vec<_>) = person_days
            .iter()
            .filter(|(row, _)| row.eve <= latest)
            .filter(|(row, _)| {
                let customer = history.customers().key(row.customer);
                Draw::LeastSquaresRows.keeps(
                    seed,
                    &[customer, row.eve.epoch() as u64],
                    LEAST_SQUARES_SHARE,
                )
            })
            .map(|(row, features)| {
                let wait = row.next.map_or(HORIZON_DAYS, |day| day - row.eve);
                (*features, f64::from(wait.min(HORIZON_DAYS)))
            })
            .unzip();
        let linear = LogDays::fit(&snapshots, &waits)?;
        let hazard = HazardRows::new(&linear, person_days).fit(parameters, seed)?;
        Ok(Self {
            linear,
            hazard,
            returns: [Platt::IDENTITY; 3],
            masses: [COVERAGE; GROUP_EDGES.len() + 1],
        })
    }

    /// What [`TimingModel::refit`] needs of a longer history.
    ///
    /// # Errors
    /// As [`TimingModel::fit`].
    pub fn hazard_rows(
        &self,
        history: PartitionedHistory<'_>,
        rule: &Rule,
        parameters: &TimingParameters,
        seed: u64,
    ) -> Result<HazardRows> {
        Ok(HazardRows::new(
            &self.linear,
            person_days(history, rule, parameters, seed)?,
        ))
    }

    /// The hazards fitted anew. Least squares stays, since the basket model has learned from its
    /// expectations. Calibration needs nights that a fit has not seen, and therefore the earlier
    /// one's: [`TimingModel::outcomes`].
    ///
    /// # Errors
    /// If there is too little to learn from.
    pub fn refit(
        &self,
        rows: &HazardRows,
        parameters: &TimingParameters,
        seed: u64,
    ) -> Result<Self> {
        Ok(Self {
            hazard: rows.fit(parameters, seed)?,
            ..self.clone()
        })
    }

    /// The expected days from a night to the next purchase, from least squares alone. `features`
    /// have looked at earlier nights of the customer, or at none.
    #[must_use]
    pub fn expected_days(
        &self,
        features: &mut TimingFeatures,
        purchases: &CustomerPurchases<'_>,
        night: Day,
    ) -> f64 {
        self.linear.days(&features.on(purchases, night))
    }

    /// The distribution of the next purchase of a customer who has the purchases `purchases` up to
    /// `night`.
    #[must_use]
    pub fn wait(
        &self,
        features: &mut TimingFeatures,
        purchases: &CustomerPurchases<'_>,
        night: Day,
    ) -> ReturnTimeDistribution {
        let mut rows = Vec::with_capacity(HORIZON * HAZARD_WIDTH);
        for ahead in 0..HORIZON_DAYS {
            rows.extend(hazard_row(
                &self.linear,
                &features.on(purchases, night + ahead),
            ));
        }
        let mut probability = [0.0; HORIZON];
        let mut stays_away = 1.0;
        for (out, score) in probability.iter_mut().zip(self.hazard.log_odds_of(&rows)) {
            let hazard = sigmoid(score);
            *out = stays_away * hazard;
            stays_away *= 1.0 - hazard;
        }
        ReturnTimeDistribution { probability }
    }

    /// The 80 % interval of a wait: first and last day after the night. The median is in it,
    /// whatever the calibration says.
    #[must_use]
    pub fn interval(&self, wait: &ReturnTimeDistribution) -> (i32, i32) {
        let (first, last) = wait.interval(self.masses[group(wait)]);
        let median = wait.median() as i32;
        (first.min(median), last.max(median))
    }

    /// Calibrated probabilities of a purchase within 7, 14 and 28 days, ascending.
    #[must_use]
    pub fn return_probability(
        &self,
        wait: &ReturnTimeDistribution,
    ) -> [f64; RETURN_HORIZONS.len()] {
        let mut least = 0.0;
        let mut at = 0;
        RETURN_HORIZONS.map(|days| {
            least = self.returns[at].probability(wait.within(days)).max(least);
            at += 1;
            least
        })
    }

    /// What this fit says on `nights` after the days that it knew, (customer, night) pairs, and
    /// what became of them in `history`.
    #[must_use]
    pub fn outcomes(&self, history: &History<'_>, nights: &[(u32, Day)]) -> Vec<CalibrationSample> {
        let end = history.as_of().day();
        let outcome = |(customer, night): &(u32, Day)| {
            let wait = self.wait(
                &mut TimingFeatures::default(),
                &history.purchases_of(*customer).until(*night),
                *night,
            );
            let days = history
                .following(*customer, *night)
                .map(|(day, _)| day - *night);
            CalibrationSample {
                customer: *customer,
                night: *night,
                wait,
                days,
                followed: end - *night,
            }
        };
        nights.par_iter().map(outcome).collect()
    }

    /// Calibrates intervals and return probabilities by what an earlier fit, the same but for the
    /// days it knew, said on later nights of the customers whom a run would score.
    pub fn calibrate(&mut self, outcomes: &[CalibrationSample]) {
        for (at, horizon) in RETURN_HORIZONS.iter().enumerate() {
            let points: Vec<(f64, bool)> = outcomes
                .iter()
                .filter(|outcome| outcome.followed >= *horizon as i32)
                .map(|outcome| {
                    (
                        log_odds(outcome.wait.within(*horizon)),
                        outcome.days.is_some_and(|days| days <= *horizon as i32),
                    )
                })
                .collect();
            self.returns[at] = Platt::fit(&points, 100.0);
        }
        // Split-conformal: the mass that held the share COVERAGE of the outcomes (Papadopoulos et
        // al., ECML 2002). A customer who has not come back while the data follow, for two weeks or
        // more, counts as held by no interval; shorter nights say nothing.
        let scores = |wanted: Option<usize>| {
            let of_group = outcomes.iter().filter(|outcome| {
                outcome.followed >= 14 && wanted.is_none_or(|g| group(&outcome.wait) == g)
            });
            let mut scores: Vec<f64> = of_group
                .map(|outcome| outcome.wait.conformal_score(outcome.days))
                .collect();
            scores.sort_unstable_by(f64::total_cmp);
            scores
        };
        let quantile = |scores: &[f64]| {
            let rank = (COVERAGE * (scores.len() + 1) as f64).ceil() as usize;
            scores.get(rank.saturating_sub(1)).copied().unwrap_or(1.0)
        };
        let all = scores(None);
        if all.len() < MIN_GROUP {
            return;
        }
        for group in 0..self.masses.len() {
            let own = scores(Some(group));
            self.masses[group] = quantile(if own.len() < MIN_GROUP { &all } else { &own });
        }
    }

    /// Whether everything is finite and in range.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.linear.is_consistent()
            && self.hazard.is_consistent()
            && self.hazard.width() == HAZARD_WIDTH
            && self.returns.iter().all(Platt::is_consistent)
            && self.masses.iter().all(|mass| (0.0..=1.0).contains(mass))
    }
}

fn group(wait: &ReturnTimeDistribution) -> usize {
    let median = wait.median();
    GROUP_EDGES.iter().filter(|edge| median > **edge).count()
}
