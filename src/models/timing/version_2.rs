//! The timing model as files of format versions 1 and 2 hold it.

use serde::Deserialize;

use super::{Boosted, LogDays, TimingCalibration, TimingModel};
use crate::domain::RETURN_HORIZONS;
use crate::models::calibration::Platt;

/// As [`TimingModel`] was: hazards were taken as the trees say, and customers who are away were
/// calibrated as those whom a run scores.
#[derive(Deserialize)]
pub(in crate::models) struct TimingModelVersion2 {
    linear: LogDays,
    hazard: Boosted,
    return_calibration: [Platt; RETURN_HORIZONS.len()],
    interval_masses: [f64; 3],
}

impl From<TimingModelVersion2> for TimingModel {
    fn from(old: TimingModelVersion2) -> Self {
        Self {
            linear: old.linear,
            hazard: old.hazard,
            calibration: TimingCalibration::version_2(old.return_calibration, old.interval_masses),
            closed_weekdays: [false; 7],
        }
    }
}
