//! The data types that all rooms share: ids, predictions, and how many customers pass the rule.
//!
//! They hold data and do not compute it. So `models`, which makes predictions, `offers`, which
//! decides by them, `publish`, which writes them, and `eval`, which measures them, know these types
//! and not each other.

mod details;
mod funnel;
mod ids;
mod predictions;
pub(crate) mod words;

pub use details::Details;
pub use funnel::Funnel;
pub use ids::{Id, Ids, OwnedId};
pub use predictions::*;

#[cfg(test)]
pub(crate) use predictions::examples;
