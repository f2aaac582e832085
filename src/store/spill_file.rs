//! A temporary file for what does not fit into memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// A temporary file on the local disk (in `TMPDIR`, or /tmp) for what does not fit into memory.
///
/// The file is created by the first write. It has no name, so nothing is left behind, however the
/// process ends.
#[derive(Debug, Default)]
pub struct SpillFile {
    file: Mutex<Option<File>>,
}

impl SpillFile {
    /// An empty file, which is not yet created.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A write that failed half-way is an error for its caller, and nobody reads there: a poisoned
    /// lock is as good as any.
    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends bytes and returns the position at which they begin.
    ///
    /// # Errors
    /// If the folder for temporary files cannot be written, or the disk is full.
    pub fn append(&self, bytes: &[u8]) -> Result<u64> {
        let mut created = self.file();
        let file = match &mut *created {
            Some(file) => file,
            none => none.insert(
                tempfile::tempfile()
                    .map_err(|error| failure(error, "no temporary file can be made"))?,
            ),
        };
        let start = file
            .seek(SeekFrom::End(0))
            .and_then(|start| file.write_all(bytes).map(|()| start));
        start.map_err(|error| failure(error, "the temporary file cannot be written"))
    }

    /// Reads `len` bytes from a position on.
    ///
    /// # Errors
    /// If the file ends before, or cannot be read.
    pub fn read(&self, start: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let mut created = self.file();
        let file = created
            .as_mut()
            .ok_or_else(|| Error::system("nothing was written to the temporary file"))?;
        let read = file
            .seek(SeekFrom::Start(start))
            .and_then(|_| file.read_exact(&mut bytes));
        read.map(|()| bytes)
            .map_err(|error| failure(error, "the temporary file cannot be read"))
    }
}

fn failure(error: std::io::Error, what: &str) -> Error {
    let folder = std::env::temp_dir().display().to_string();
    Error::system(what)
        .object(folder)
        .source(error)
        .hint("name a folder with room in TMPDIR, or raise --memory-limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spilled_comes_back() {
        let spill = SpillFile::new();
        let starts: Vec<u64> = ["one", "", "three"]
            .iter()
            .map(|text| spill.append(text.as_bytes()).unwrap())
            .collect();
        assert_eq!(
            (&starts, spill.read(starts[2], 5).unwrap()),
            (&vec![0, 3, 3], b"three".to_vec())
        );
        assert_eq!(spill.read(0, 3).unwrap(), b"one");
        assert!(
            spill
                .read(5, 9)
                .unwrap_err()
                .to_string()
                .contains("the temporary file cannot be read")
        );
    }
}
