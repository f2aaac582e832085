//! The timing model: the distribution of the day of the next purchase.
//!
//! Least squares on log days ([`LogDays`]) gives the expected days to the next purchase. A
//! discrete-time hazard model (Allison, Sociological Methodology 1982; boosted trees over
//! person-days) turns it, with the customer's habits, into the probability of a purchase on each
//! coming day, given none before. Every day of every customer is a row, so customers who have not
//! come back yet count for each day that they stayed away and censoring needs no repair. The median
//! of the distribution is what is predicted: it minimises the absolute error.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::boosting::{Boosted, BoostingParameters, sigmoid};
use super::linear::LogDays;
use super::parameters::TRAINING_DAYS;
use crate::calendar::{AsOf, Day, HORIZON_DAYS};
use crate::domain::{Ids, RETURN_HORIZONS};
use crate::error::Result;
use crate::features::timing::{TIMING_COLUMNS, TimingFeatures};
use crate::purchases::{CustomerPurchases, History};
use crate::sampling::Draw;
use crate::settings::{Allowed, section};

mod calibration;
mod calibration_sample;
mod hazard;
mod person_days;
mod return_time;
mod strength;
#[cfg(test)]
mod tests;
pub(super) mod version_2;

pub(super) use calibration::is_away;
pub use calibration::too_few_for_intervals;
pub use calibration_sample::{CalibrationSample, LEAST_FOLLOWED};
pub use hazard::HazardRows;
pub use person_days::PersonDaySample;
pub use return_time::ReturnTimeDistribution;

use calibration::TimingCalibration;
use hazard::{HAZARD_WIDTH, hazard_row};
use person_days::PersonDayRow;
use return_time::HORIZON;

/// Least squares sees this share of the person-days.
const LEAST_SQUARES_SHARE: f64 = 0.25;

/// So many person-days are enough to leave others out.
const ENOUGH_PERSON_DAYS: usize = 1_000;

section! {
    /// How the timing model is fitted.
    pub struct TimingParameters {
        /// Days of the past that person-days are taken from
        #[setting(default = 1_000, allowed(TRAINING_DAYS))]
        pub days: u32,
        /// Most person-days to fit on
        #[was("max_rows")]
        #[setting(default = 300_000, allowed(Allowed::POSITIVE_COUNT))]
        pub max_training_rows: usize,
        /// Share of the person-days kept for the background, if there are more than
        /// `max_training_rows`: for customers who do not nearly meet the rule
        #[was("others")]
        #[setting(default = 0.3, allowed(Allowed::SHARE))]
        pub background_share: f64,
        /// Fewest purchases before a day for the day to count; where the rule asks for fewer, as many as
        /// it asks for
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
    calibration: TimingCalibration,
    /// From Monday on. No customer comes on such a day.
    closed_weekdays: [bool; 7],
}

/// What is published of a customer's next purchase. Its parts do not contradict each other.
#[derive(Debug, Clone, PartialEq)]
pub struct ReturnForecast {
    /// The median, in days after the night.
    pub median: i32,
    /// The 80 % interval: first and last day after the night. The median is in it.
    pub interval: (i32, i32),
    /// Calibrated probabilities of a purchase within each of [`RETURN_HORIZONS`], ascending.
    pub returns: [f64; RETURN_HORIZONS.len()],
    /// The probability of each day, which adds up to these.
    pub distribution: ReturnTimeDistribution,
}

impl TimingModel {
    /// Fits to a sample of person-days; uncalibrated until [`TimingModel::calibrate`]. `customers`
    /// are the ids of the history.
    ///
    /// # Errors
    /// If there is too little to learn from.
    pub fn fit(sample: PersonDaySample<'_>, customers: &Ids) -> Result<Self> {
        let (end, first_eve) = (sample.end(), sample.first_eve());
        let (closed_weekdays, long_gone) = (sample.closed_weekdays(), sample.long_gone());
        let (parameters, seed) = (sample.parameters(), sample.seed());
        let person_days = sample.finish()?;
        let linear = fit_least_squares(&person_days, end, customers, seed)?;
        let person_days = from_eve(person_days, first_eve);
        let rows = HazardRows::of_person_days(linear, closed_weekdays, person_days);
        Ok(Self {
            hazard: rows.fit(parameters, seed)?,
            linear: rows.linear,
            calibration: TimingCalibration::uncalibrated(long_gone),
            closed_weekdays,
        })
    }

    /// What [`TimingModel::refit`] needs: the person-days of a longer history as this fit sees them.
    /// Where the history is young, least squares had hardly anything to learn from, and is fitted
    /// anew; else it stays, since the basket model has learned from its expectations. `customers`
    /// are the ids of the history.
    ///
    /// # Errors
    /// If there is none.
    pub fn hazard_rows(&self, sample: PersonDaySample<'_>, customers: &Ids) -> Result<HazardRows> {
        let (end, first_eve) = (sample.end(), sample.first_eve());
        let (is_young, seed) = (sample.is_young(), sample.seed());
        let closed_weekdays = sample.closed_weekdays();
        let person_days = sample.finish()?;
        let anew = is_young
            .then(|| fit_least_squares(&person_days, end, customers, seed).ok())
            .flatten();
        let linear = anew.unwrap_or_else(|| self.linear.clone());
        let person_days = from_eve(person_days, first_eve);
        Ok(HazardRows::of_person_days(
            linear,
            closed_weekdays,
            person_days,
        ))
    }

    /// The hazards fitted anew. Calibration needs nights that a fit has not seen, and therefore the earlier
    /// one's: [`TimingModel::calibration_samples`].
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
            linear: rows.linear.clone(),
            hazard: rows.fit(parameters, seed)?,
            closed_weekdays: rows.closed_weekdays,
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
    pub fn return_time(
        &self,
        features: &mut TimingFeatures,
        purchases: &CustomerPurchases<'_>,
        night: Day,
    ) -> ReturnTimeDistribution {
        let mut rows = Vec::with_capacity(HORIZON * HAZARD_WIDTH);
        let mut elapsed = [0; HORIZON];
        for (ahead, elapsed) in (0..HORIZON_DAYS).zip(&mut elapsed) {
            let features = features.on(purchases, night + ahead);
            // Missing only where there is no purchase at all, and no customer to speak of.
            *elapsed = features[TIMING_COLUMNS.elapsed] as i32;
            rows.extend(hazard_row(&self.linear, &features));
        }
        let scores = self.hazard.log_odds_of(&rows);
        ReturnTimeDistribution::from_hazards((1..).zip(scores).zip(elapsed).map(
            |((ahead, score), elapsed): ((i32, f64), i32)| {
                if self.closed_weekdays[(night + ahead).weekday()] {
                    0.0
                } else {
                    self.calibration.hazard(sigmoid(score), elapsed)
                }
            },
        ))
    }

    /// What is published of the next purchase of a customer whose latest one is `elapsed` days ago, by
    /// what [`TimingModel::return_time`] says.
    #[must_use]
    pub fn forecast(&self, return_time: &ReturnTimeDistribution, elapsed: i32) -> ReturnForecast {
        let returns = self.calibration.return_probabilities(return_time, elapsed);
        let median = return_time.median() as i32;
        let interval = self.calibration.interval(return_time);
        let (median, interval) = self.calibration.in_agreement(median, interval, returns);
        ReturnForecast {
            median,
            interval,
            returns,
            distribution: self.calibration.distribution(return_time, returns),
        }
    }

    /// What this fit says on `nights` after the days that it knew, (customer, night) pairs, and
    /// what became of them in `history`. `are_scored` says whether a run would have scored them.
    #[must_use]
    pub fn calibration_samples(
        &self,
        history: &History<'_>,
        nights: &[(u32, Day)],
        are_scored: bool,
    ) -> Vec<CalibrationSample> {
        nights
            .par_iter()
            .filter_map(|(customer, night)| {
                self.calibration_sample(history, *customer, *night, are_scored)
            })
            .collect()
    }

    fn calibration_sample(
        &self,
        history: &History<'_>,
        customer: u32,
        night: Day,
        is_scored: bool,
    ) -> Option<CalibrationSample> {
        let known = history.purchases_of(customer).until(night);
        let elapsed = night - *known.days().last()?;
        let return_time = self.return_time(&mut TimingFeatures::default(), &known, night);
        let days = history
            .following(customer, night)
            .map(|(day, _)| day - night);
        Some(CalibrationSample {
            customer,
            night,
            is_scored,
            elapsed,
            return_time,
            days,
            followed: history.as_of().day() - night,
        })
    }

    /// Calibrates by what an earlier fit, the same but for the days it knew, said on later nights of
    /// the customers whom a run would score, and of those who were away.
    pub fn calibrate(&mut self, samples: &[CalibrationSample]) {
        self.calibration = TimingCalibration::of(samples, self.calibration.long_gone);
    }

    /// Whether everything is finite and in range.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        self.linear.is_consistent()
            && self.hazard.is_consistent()
            && self.hazard.width() == HAZARD_WIDTH
            && self.calibration.is_consistent()
    }
}

/// The person-days from an eve on, if they are enough; else all.
fn from_eve(mut person_days: Vec<PersonDayRow>, eve: Day) -> Vec<PersonDayRow> {
    let is_late = |row: &PersonDayRow| row.person_day.eve >= eve;
    if person_days.iter().filter(|row| is_late(row)).count() > ENOUGH_PERSON_DAYS {
        person_days.retain(is_late);
    }
    person_days
}

/// Least squares on a sample of the person-days that are followed to `end` for the whole horizon.
/// Customers who do not return within it are censored there.
fn fit_least_squares(
    person_days: &[PersonDayRow],
    end: AsOf,
    customers: &Ids,
    seed: u64,
) -> Result<LogDays> {
    let latest = end.day() - HORIZON_DAYS;
    let (mut features, mut days) = (vec![], vec![]);
    for row in person_days {
        let person_day = &row.person_day;
        if person_day.eve > latest || person_day.is_long_gone {
            continue;
        }
        let names = [
            customers.key(person_day.customer),
            person_day.eve.epoch() as u64,
        ];
        if Draw::LeastSquaresRows.keeps(seed, &names, LEAST_SQUARES_SHARE) {
            features.push(row.features);
            days.push(f64::from(person_day.censored_days()));
        }
    }
    LogDays::fit(&features, &days)
}
