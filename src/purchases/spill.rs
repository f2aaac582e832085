//! A limit on memory, and where the sorted runs go that have no room within it.

use std::sync::Arc;

use crate::error::Result;

/// How much memory a history may take, and where the rest goes.
#[derive(Debug, Clone)]
pub struct MemoryLimit {
    /// The limit in bytes. A quarter of it is for sorted runs, and another for the partition of the
    /// customers that is worked on.
    pub bytes: u64,
    /// Takes the sorted runs that have no room in memory.
    pub spill: Arc<dyn SpillStorage>,
}

/// Storage for bytes that do not fit into memory, for instance a temporary file.
pub trait SpillStorage: std::fmt::Debug + Send + Sync {
    /// Appends bytes and returns the position at which they begin.
    ///
    /// # Errors
    /// If there is no room.
    fn append(&self, bytes: &[u8]) -> Result<u64>;

    /// Reads `len` bytes from a position on.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read(&self, start: u64, len: usize) -> Result<Vec<u8>>;
}
