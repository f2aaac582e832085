//! Rows of the hazard model: the probability of a purchase on a day, given none before.

use rayon::prelude::*;

use super::TimingParameters;
use super::person_days::PersonDayRow;
use crate::error::Result;
use crate::features::timing::{TIMING_COLUMNS, TIMING_WIDTH};
use crate::models::boosting::{BinnedRows, Bins, Boosted};
use crate::models::linear::LogDays;
use crate::sampling::Draw;

/// The hazard model sees the timing features and two expectations of least squares.
pub(super) const HAZARD_WIDTH: usize = TIMING_WIDTH + 2;
/// Bins of a feature.
const MAX_BINS: usize = 128;
/// About how many person-days say where a feature is cut into bins.
const BINNING_SAMPLE: usize = 20_000;
/// Rows that one task bins.
const ROWS_A_TASK: usize = 4_096;

/// What the hazard model sees of a customer on an eve: the timing features, the expected days from
/// the eve to the next purchase, and from the latest purchase to the next.
pub(super) fn hazard_row(linear: &LogDays, features: &[f32; TIMING_WIDTH]) -> [f32; HAZARD_WIDTH] {
    let days = linear.days(features);
    let mut row = [0.0; HAZARD_WIDTH];
    row[..TIMING_WIDTH].copy_from_slice(features);
    row[TIMING_WIDTH] = days as f32;
    row[TIMING_WIDTH + 1] = (days + f64::from(features[TIMING_COLUMNS.elapsed])) as f32;
    row
}

/// What hazards are fitted to: person-days, and whether there was a purchase on the next day.
pub struct HazardRows {
    /// What the expectations among the features are of.
    pub(super) linear: LogDays,
    pub(super) closed_weekdays: [bool; 7],
    rows: BinnedRows,
    bins: Bins,
}

impl HazardRows {
    pub(super) fn of_person_days(
        linear: LogDays,
        closed_weekdays: [bool; 7],
        person_days: Vec<PersonDayRow>,
    ) -> Self {
        let step = person_days.len().div_ceil(BINNING_SAMPLE).max(1);
        let sample: Vec<f32> = person_days
            .iter()
            .step_by(step)
            .flat_map(|row| hazard_row(&linear, &row.features))
            .collect();
        let bins = Bins::from_sample(&sample, HAZARD_WIDTH, MAX_BINS);
        let mut rows = BinnedRows::with_capacity(HAZARD_WIDTH, person_days.len());
        let binned: Vec<Vec<u8>> = person_days
            .par_chunks(ROWS_A_TASK)
            .map(|person_days| bin_rows(&linear, &bins, person_days))
            .collect();
        for (person_days, binned) in person_days.chunks(ROWS_A_TASK).zip(binned) {
            let label: Vec<bool> = person_days
                .iter()
                .map(|row| row.person_day.bought())
                .collect();
            let weight: Vec<f32> = person_days
                .iter()
                .map(|row| row.person_day.weight())
                .collect();
            rows.extend(&binned, &label, &weight);
        }
        Self {
            linear,
            closed_weekdays,
            rows,
            bins,
        }
    }

    pub(super) fn fit(&self, parameters: &TimingParameters, seed: u64) -> Result<Boosted> {
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

fn bin_rows(linear: &LogDays, bins: &Bins, person_days: &[PersonDayRow]) -> Vec<u8> {
    let mut binned = Vec::with_capacity(person_days.len() * HAZARD_WIDTH);
    person_days
        .iter()
        .for_each(|row| bins.bin_row(&hazard_row(linear, &row.features), &mut binned));
    binned
}
