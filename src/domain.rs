//! The words that all rooms share: ids, what is predicted, how many customers pass the rule.
//!
//! Plain data without a way to compute them, so that who makes them (`models`), who decides on them
//! (`offers`), who writes them (`publish`) and who judges them (`eval`) know the types and not each
//! other.

mod funnel;
mod ids;
mod predictions;
pub(crate) mod words;

pub use funnel::Funnel;
pub use ids::{Id, Ids, OwnedId};
pub use predictions::*;

#[cfg(test)]
pub(crate) use predictions::examples;
