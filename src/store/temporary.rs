//! Temporary files that have a name, and what becomes of them if the process is told to end.
//!
//! A file is removed when it is dropped. A process that ends by [`std::process::exit`] drops
//! nothing: it calls [`remove_temporary_files`] first.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, PersistError};

/// The files of this process that are to be removed.
static PATHS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn paths() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    PATHS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files of this process, and lets no more be made: threads that want one wait
/// for the end of the process, which must follow.
pub fn remove_temporary_files() {
    let paths = paths();
    // A lock stands before the files that it guards, and goes after them.
    for path in paths.iter().rev() {
        // What cannot be removed now is swept by a later run.
        let _ = std::fs::remove_file(path);
    }
    std::mem::forget(paths);
}

/// A path that is removed at the latest when the process is told to end.
#[derive(Debug)]
pub(super) struct Registered(PathBuf);

impl Registered {
    /// Registers the path of a file that is there.
    pub(super) fn of(path: PathBuf) -> Self {
        paths().insert(path.clone());
        Self(path)
    }

    /// Registers the path of a file that `make` makes.
    pub(super) fn made<T, E>(
        make: impl FnOnce() -> Result<(T, PathBuf), E>,
    ) -> Result<(T, Self), E> {
        let mut paths = paths();
        let (made, path) = make()?;
        paths.insert(path.clone());
        Ok((made, Self(path)))
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        paths().remove(&self.0);
    }
}

/// A temporary file with a name.
#[derive(Debug)]
pub(super) struct TemporaryFile {
    file: NamedTempFile,
    // After the file, so that it is dropped after it.
    _registered: Registered,
}

impl TemporaryFile {
    /// A file that `make` makes.
    pub(super) fn new(
        make: impl FnOnce() -> std::io::Result<NamedTempFile>,
    ) -> std::io::Result<Self> {
        let (file, registered) = Registered::made(|| {
            let file = make()?;
            let path = file.path().to_owned();
            Ok::<_, std::io::Error>((file, path))
        })?;
        Ok(Self {
            file,
            _registered: registered,
        })
    }

    /// The open file.
    pub(super) fn as_file(&self) -> &File {
        self.file.as_file()
    }

    /// Renames the file, over another one.
    pub(super) fn persist(self, target: &Path) -> Result<File, PersistError> {
        self.file.persist(target)
    }

    /// Renames the file, unless there is another one.
    pub(super) fn persist_noclobber(self, target: &Path) -> Result<File, PersistError> {
        self.file.persist_noclobber(target)
    }
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Read for TemporaryFile {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(bytes)
    }
}

impl Seek for TemporaryFile {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(position)
    }
}
