//! Features: functions of what is known on a night, alone.
//!
//! Everything here takes [`crate::purchases::History`] or [`crate::purchases::CustomerPurchases`] that end
//! with the night, so that the future cannot leak: it is not there. A missing value is −1, below
//! every real one, since trees split on order.

pub mod basket;
pub mod timing;
pub mod store_snapshot;

/// What stands for a value that is not known.
pub const MISSING: f32 = -1.0;

#[cfg(test)]
mod tests;
