//! Features: functions of what is known on a night, alone.
//!
//! Everything here takes [`crate::purchases::History`] or [`crate::purchases::CustomerPurchases`] that end
//! with the night, so that the future cannot leak: it is not there. A missing value is −1, below
//! every real one, since trees split on order.
//!
//! A feature is an entry of the table [`timing::TIMING_FEATURES`] or [`basket::BASKET_FEATURES`]: its
//! name, unit, documentation and value stand there and nowhere else. The tables can be listed, and
//! columns are named, so that a name that does not exist does not compile:
//!
//! ```
//! use okuo::features::timing::{TIMING_COLUMNS, TIMING_FEATURES};
//!
//! let feature = TIMING_FEATURES[TIMING_COLUMNS.gap_mean];
//! assert_eq!(feature.name, "gap_mean");
//! assert_eq!(feature.unit.name(), "days");
//! assert_eq!(feature.doc, "Mean of the recent gaps.");
//! ```
//!
//! To add one, write its entry, and in `tests/timing.rs` or `tests/basket.rs` its oracle: the obvious
//! way to compute it, which a property test compares.

pub mod basket;
pub mod store_snapshot;
mod table;
pub mod timing;

pub use table::{Feature, Unit};

/// What stands for a value that is not known.
pub const MISSING: f32 = -1.0;

/// Gaps and baskets older than this many days say little about a customer's habits.
const HABIT_DAYS: i32 = 120;

#[cfg(test)]
mod tests;
