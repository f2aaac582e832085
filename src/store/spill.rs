//! A temporary file for what does not fit into memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};

/// Bytes that are set aside on the local disk (in `TMPDIR`, or /tmp) for as long as this process
/// lives. The file is made for the first of them, and has no name, so that nothing is left behind,
/// however the process ends.
#[derive(Debug, Default)]
pub struct Spill {
    file: Mutex<Option<File>>,
}

impl Spill {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A write that failed half way is an error for its caller, and nobody reads there.
    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends bytes; where they begin.
    ///
    /// # Errors
    /// If the folder for temporary files cannot be written, or the disk is full.
    pub fn append(&self, bytes: &[u8]) -> Result<u64> {
        let mut made = self.file();
        let file = match &mut *made {
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

    /// Reads what was appended.
    ///
    /// # Errors
    /// If it is not there any more.
    pub fn read(&self, start: u64, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        let mut made = self.file();
        let file = made
            .as_mut()
            .ok_or_else(|| Error::system("nothing was set aside"))?;
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
    fn what_is_set_aside_comes_back() {
        let spill = Spill::new();
        let places: Vec<u64> = ["one", "", "three"]
            .iter()
            .map(|text| spill.append(text.as_bytes()).unwrap())
            .collect();
        assert_eq!(
            (&places, spill.read(places[2], 5).unwrap()),
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
