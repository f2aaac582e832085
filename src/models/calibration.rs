//! Calibration: of the pairs said to have 0.3, 30 % are bought.

mod isotonic;
mod platt;

pub use isotonic::Isotonic;
pub use platt::{LogisticLine, Platt, fit_shift};
