//! The nights that calibrate the timing model, and the customers that do on each.

use crate::calendar::{AsOf, Day};
use crate::models::Parameters;
use crate::models::timing::{CalibrationSample, LEAST_FOLLOWED, TimingModel, is_away};
use crate::purchases::History;
use crate::recurrence::{Rule, recurrent};
use crate::sampling::Draw;

/// About how many (customer, night) pairs of customers whom a run would have scored calibrate the
/// timing model at most.
const MAX_SCORED: usize = 30_000;
/// The same of customers who were away.
const MAX_AWAY: usize = 10_000;
/// Days between two nights.
const STEP_DAYS: i32 = 2;
/// Customers who are away are looked at on one of so many nights: hardly anything changes from one
/// to the next.
const AWAY_STEP: i32 = 4;

/// The (customer, night) pairs that calibrate the timing model: on every second night after the last
/// day of its first fit, as long as a week follows.
pub(super) struct CalibrationNights<'a> {
    rule: &'a Rule,
    parameters: &'a Parameters,
    first: Day,
    last: Day,
    /// The last day of the backtest model, after which that model sees nothing: pairs are counted on
    /// it, and so the share of them that is drawn is known by then.
    counted_on: AsOf,
    /// About how many pairs there are.
    scored: usize,
    away: usize,
}

/// The customers of one night.
#[derive(Default)]
struct CustomersOfNight {
    /// Whom a run would have scored.
    scored: Vec<u32>,
    /// Who had not come for long.
    away: Vec<u32>,
}

impl<'a> CalibrationNights<'a> {
    /// From the last day of a first fit to the last one that is known.
    pub(super) fn new(
        first_fit_end: Day,
        end: Day,
        counted_on: AsOf,
        rule: &'a Rule,
        parameters: &'a Parameters,
    ) -> Self {
        Self {
            rule,
            parameters,
            first: first_fit_end,
            last: end - LEAST_FOLLOWED,
            counted_on,
            scored: 0,
            away: 0,
        }
    }

    /// Counts the pairs of a partition. The customers of one night are about as many as those of
    /// each of the others.
    pub(super) fn count(&mut self, partition: &History<'_>) {
        let customers = self.customers(&partition.until(self.counted_on));
        let nights = ((self.last - self.first) / STEP_DAYS + 1).max(0) as usize;
        self.scored += customers.scored.len() * nights;
        self.away += customers.away.len() * nights.div_ceil(AWAY_STEP as usize);
    }

    /// What `timing` says of a sample of the pairs of a partition, and what became of it.
    pub(super) fn samples(
        &self,
        partition: &History<'_>,
        timing: &TimingModel,
    ) -> Vec<CalibrationSample> {
        let shares = [
            MAX_SCORED as f64 / self.scored.max(1) as f64,
            MAX_AWAY as f64 / self.away.max(1) as f64,
        ];
        let (mut scored, mut away) = (vec![], vec![]);
        let mut night = self.first;
        while night <= self.last {
            let customers = self.customers(&partition.until(AsOf(night)));
            self.draw(partition, &customers.scored, night, shares[0], &mut scored);
            if (night - self.first) % (STEP_DAYS * AWAY_STEP) == 0 {
                self.draw(partition, &customers.away, night, shares[1], &mut away);
            }
            night = night + STEP_DAYS;
        }
        let mut samples = timing.calibration_samples(partition, &scored, true);
        samples.extend(timing.calibration_samples(partition, &away, false));
        samples
    }

    fn customers(&self, on_night: &History<'_>) -> CustomersOfNight {
        let night = on_night.as_of().day();
        let (scored, _) = recurrent(on_night, self.rule);
        let least = self
            .rule
            .least_purchases(self.parameters.timing.min_purchases);
        let away = (0..on_night.customer_count())
            .filter(|customer| {
                let purchases = on_night.purchases_of(*customer);
                let days = purchases.days();
                days.len() >= least
                    && days.last().is_some_and(|last| is_away(night - *last))
                    && scored.binary_search(customer).is_err()
            })
            .collect();
        CustomersOfNight { scored, away }
    }

    fn draw(
        &self,
        partition: &History<'_>,
        customers: &[u32],
        night: Day,
        share: f64,
        pairs: &mut Vec<(u32, Day)>,
    ) {
        pairs.extend(
            customers
                .iter()
                .filter(|customer| {
                    let names = [partition.customers().key(**customer), night.epoch() as u64];
                    Draw::CalibrationSamples.keeps(self.parameters.seed, &names, share)
                })
                .map(|customer| (*customer, night)),
        );
    }
}
