//! A limit on memory, and where the sorted runs go that have no room within it.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{Error, Result};

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

/// Bytes in memory or in the spill storage of a memory limit.
#[derive(Debug)]
pub(super) enum SpillableBytes {
    InMemory(Vec<u8>),
    /// Both numbers in bytes.
    Spilled {
        start: u64,
        len: usize,
    },
}

impl SpillableBytes {
    /// The bytes; those that were spilled are read back.
    pub(super) fn bytes(&self, limit: Option<&MemoryLimit>) -> Result<Cow<'_, [u8]>> {
        match (self, limit) {
            (Self::InMemory(bytes), _) => Ok(Cow::Borrowed(bytes)),
            (Self::Spilled { start, len }, Some(limit)) => {
                limit.spill.read(*start, *len).map(Cow::Owned)
            }
            (Self::Spilled { .. }, None) => Err(Error::system(
                "a run was spilled without a place to spill to",
            )),
        }
    }

    /// Spills them, unless they are spilled already.
    pub(super) fn spill(&mut self, limit: &MemoryLimit) -> Result<()> {
        if let Self::InMemory(bytes) = self {
            *self = Self::Spilled {
                start: limit.spill.append(bytes)?,
                len: bytes.len(),
            };
        }
        Ok(())
    }
}
