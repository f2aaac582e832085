//! An object as a stream of unpacked bytes, with a buffer to find whole lines in.

use std::io::Read;

use encoding_rs::Encoding;

use super::compression::{BoxedRead, Compression};
use super::content::okuo_error;
use super::encoding::{Utf8Reader, encoding_of};
use crate::error::{Error, Kind, Result};

/// How much is unpacked at a time, in bytes.
const BUFFER: usize = 1 << 20;

/// The unpacked bytes of an object, from the first to the last.
pub(super) struct ByteStream {
    /// The bytes as they are stored; from the first reading on unpacked.
    bytes: BoxedRead,
    compression: Option<&'static Compression>,
    /// How text is decoded, until that is settled.
    text: Option<TextEncoding>,
    /// Whether the bytes are those of a member of an archive, which have a checksum.
    is_of_archive: bool,
    has_begun: bool,
    has_ended: bool,
    buffer: Vec<u8>,
    filled: usize,
}

/// How bytes that are text are decoded where no byte-order mark tells: as what is set, or else as
/// UTF-8.
#[derive(Debug, Clone, Copy)]
struct TextEncoding {
    set: Option<&'static Encoding>,
}

impl ByteStream {
    /// The bytes that `packed` gives, unpacked.
    pub(super) fn new(
        packed: impl Read + Send + 'static,
        compression: Option<&'static Compression>,
    ) -> Self {
        Self {
            bytes: Box::new(packed),
            compression,
            text: None,
            is_of_archive: false,
            has_begun: false,
            has_ended: false,
            buffer: vec![],
            filled: 0,
        }
    }

    /// The same as text, decoded to UTF-8 if a byte-order mark, the bytes of UTF-16 or else `set` say
    /// that it is written in another encoding.
    #[must_use]
    pub(super) fn into_text(self, set: Option<&'static Encoding>) -> Self {
        Self {
            text: Some(TextEncoding { set }),
            ..self
        }
    }

    /// The same for a member of an archive.
    pub(super) fn of_archive(self) -> Self {
        Self {
            is_of_archive: true,
            ..self
        }
    }

    /// Fills the buffer, a larger one if no byte was consumed since it was full. Blocks until the
    /// bytes have come. `lines` is how many lines were read before, for the message of an error.
    ///
    /// # Errors
    /// If the object cannot be read, or not be unpacked.
    pub(super) fn fill(&mut self, lines: u64) -> Result<()> {
        if self.buffer.is_empty() {
            // The system zeroes it: only what is filled takes memory.
            self.buffer = vec![0; BUFFER];
            self.begin_unpacking()?;
        } else if self.filled == self.buffer.len() {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        self.fill_buffer(lines)?;
        if let Some(text) = self.text.take()
            && let Some(encoding) = encoding_of(self.data(), text.set)?
        {
            self.begin_decoding(encoding);
            self.fill_buffer(lines)?;
        }
        Ok(())
    }

    /// Reads until the buffer is full: a decoder may give a few bytes at a time, and lines are looked
    /// for in a full buffer only.
    fn fill_buffer(&mut self, lines: u64) -> Result<()> {
        while self.filled < self.buffer.len() && !self.has_ended {
            let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
            match self.bytes.read(room) {
                Ok(read) => {
                    self.filled += read;
                    self.has_begun |= read > 0;
                    self.has_ended = read == 0;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error, lines)),
            }
        }
        Ok(())
    }

    fn begin_unpacking(&mut self) -> Result<()> {
        let Some(compression) = self.compression else {
            return Ok(());
        };
        let packed = std::mem::replace(&mut self.bytes, Box::new(std::io::empty()));
        self.bytes = compression.unpack(packed).map_err(|error| {
            Error::system(format!("{} could not start", compression.name)).source(error)
        })?;
        Ok(())
    }

    /// Decodes all bytes, those in the buffer first.
    fn begin_decoding(&mut self, encoding: &'static Encoding) {
        let begun = std::io::Cursor::new(self.data().to_vec());
        let rest = std::mem::replace(&mut self.bytes, Box::new(std::io::empty()));
        self.bytes = Box::new(Utf8Reader::new(Box::new(begun.chain(rest)), encoding));
        self.filled = 0;
        self.has_ended = false;
    }

    /// The unpacked bytes from the first on, for who needs no buffer.
    ///
    /// # Errors
    /// If unpacking cannot be started.
    pub(super) fn into_read(mut self) -> Result<BoxedRead> {
        self.begin_unpacking()?;
        Ok(self.bytes)
    }

    /// The bytes in the buffer.
    pub(super) fn data(&self) -> &[u8] {
        self.buffer.get(..self.filled).unwrap_or_default()
    }

    /// Whether no bytes follow those in the buffer.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Drops the first bytes of the buffer: they were read.
    pub(super) fn consume(&mut self, len: usize) {
        let len = len.min(self.filled);
        self.buffer.copy_within(len..self.filled, 0);
        self.filled -= len;
    }

    fn unreadable(&self, error: std::io::Error, lines: u64) -> Error {
        // What the store or the archive said, and not the decoder.
        let error = match okuo_error(error) {
            Ok(own) if own.kind() == Kind::Input => return own,
            Ok(own) => return self.unreadable_here(own),
            Err(error) => error,
        };
        match self.compression {
            Some(compression) if compression.needs_memory(&error) => too_large(compression),
            Some(Compression { name, .. }) => Error::input(format!(
                "the {name} data are truncated or damaged after {lines} good lines"
            ))
            .source(error)
            .hint("write or transfer the object again"),
            None => self.unreadable_here(error),
        }
    }

    fn unreadable_here(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let what = if self.has_begun {
            "the object cannot be read to its end"
        } else {
            "the object cannot be read"
        };
        Error::system(what).source(error)
    }

    /// The error if the packed data are damaged. Damaged data may unpack to anything, which looks
    /// like a bad line, until the checksum at their end: this reads on to there.
    pub(super) fn damage(&mut self, lines: u64) -> Option<Error> {
        if self.compression.is_none() && !self.is_of_archive {
            return None;
        }
        let error = std::io::copy(&mut self.bytes, &mut std::io::sink()).err()?;
        match (okuo_error(error), self.compression) {
            (Err(_), Some(Compression { name, .. })) => Some(
                Error::input(format!(
                    "the {name} data are damaged after {lines} lines or before"
                ))
                .hint("write or transfer the object again"),
            ),
            (Ok(error), _) => Some(error),
            (Err(_), None) => None,
        }
    }
}

/// The error of data that only a decoder with much memory unpacks.
pub(super) fn too_large(compression: &Compression) -> Error {
    let Compression { name, command, .. } = compression;
    Error::input(format!(
        "to unpack the {name} data, more than 128 MiB of memory are needed: they were packed with a long window"
    ))
    .hint(format!(
        "unpack them into okuo: {command} FILE | okuo … --input -; or pack them without --long or --ultra"
    ))
}
