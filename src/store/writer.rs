//! Objects that are written as a stream.

use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::temporary::TemporaryFile;
use super::{Location, PutMode, run_blocking};
use crate::error::{Error, Result};

/// How many bytes are collected before they are written to the temporary file.
const BUFFER_BYTES: usize = 1 << 20;

/// Writes an object as a stream of bytes.
///
/// The bytes go to a temporary file. [`ObjectWriter::commit`] makes it the object, as a whole:
/// until then readers see nothing of it. A writer that is dropped removes the temporary file, and
/// one that is killed leaves a hidden file that no listing names.
#[derive(Debug)]
pub struct ObjectWriter {
    location: Location,
    file: BufWriter<StagedFile>,
}

impl ObjectWriter {
    pub(super) async fn new(location: Location) -> Result<Self> {
        let staged = location.store.stage(&location.path).await?;
        Ok(Self {
            location,
            file: BufWriter::with_capacity(BUFFER_BYTES, staged),
        })
    }

    /// Stores what was written and returns the object's tag.
    ///
    /// # Errors
    /// [`crate::error::Kind::Conflict`] if the mode's condition does not hold,
    /// [`crate::error::Kind::System`] if it cannot be written.
    pub async fn commit(self, mode: PutMode) -> Result<String> {
        let Self { location, file } = self;
        let staged = file.into_inner().map_err(|error| {
            Error::system("cannot be written")
                .object(location.name())
                .source(error.into_error())
        })?;
        location
            .store
            .put_staged(&location.path, staged, mode)
            .await
    }
}

impl Write for ObjectWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// A temporary file that holds the content of an object until the object is stored. It is removed
/// when it is dropped.
#[derive(Debug)]
pub struct StagedFile(pub(super) TemporaryFile);

impl StagedFile {
    /// An empty file in the folder for temporary files (`TMPDIR`, or /tmp).
    pub(super) async fn in_temporary_folder() -> Result<Self> {
        run_blocking(|| {
            TemporaryFile::new(NamedTempFile::new)
                .map(Self)
                .map_err(unusable)
        })
        .await
    }

    /// All that was written to it.
    pub(super) async fn content(mut self) -> Result<Bytes> {
        run_blocking(move || {
            let mut content = vec![];
            self.0
                .seek(SeekFrom::Start(0))
                .and_then(|_| self.0.read_to_end(&mut content))
                .map_err(unusable)?;
            Ok(content.into())
        })
        .await
    }
}

impl Write for StagedFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

fn unusable(error: std::io::Error) -> Error {
    Error::system("a temporary file cannot be written or read")
        .object(std::env::temp_dir().display().to_string())
        .source(error)
        .hint("name a folder with room in TMPDIR")
}
