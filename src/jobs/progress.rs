//! How a job tells its caller what it is doing.

use crate::error::Result;
use crate::ingest::report::Report;
use crate::recurrence::PopulationSummary;
use crate::store::InputObject;

/// Is told how a job goes on. Every method does nothing unless it is implemented.
pub trait Progress: Sync {
    /// The job begins its next stage, described in a few words.
    fn stage(&self, _what: &str) {}

    /// The job begins to read an object, one of `count`.
    fn object(&self, _object: &InputObject, _count: usize) {}

    /// The job goes on, but the user should know something.
    fn warning(&self, _what: &str) {}

    /// All tickets were read: what became of their lines, and what they say of the customers.
    ///
    /// # Errors
    /// Any error ends the job, before it has stored or published anything.
    fn tickets(&self, _lines: &Report, _population: &PopulationSummary) -> Result<()> {
        Ok(())
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
