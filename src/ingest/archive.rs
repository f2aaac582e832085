//! Zip archives: each member that is a table is read as an object of its own.

use std::io::Read;
use std::ops::Range;

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::compression::{BoxedRead, COMPRESSIONS};
use super::content::SourceContent;
use crate::error::{Error, Result};

/// The most members that an archive may have.
const MAX_MEMBERS: usize = 10_000;

/// How an archive begins: with a member, or with its end if it has none.
const MAGICS: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Whether these are the first bytes of a zip archive (or of a file that is one, such as a workbook).
pub(super) fn is_zip(first_bytes: &[u8]) -> bool {
    MAGICS.iter().any(|magic| first_bytes.starts_with(magic))
}

/// A member of a zip archive, with its bytes there.
#[derive(Debug)]
pub(super) struct ZipMember {
    /// Its path in the archive.
    pub(super) name: String,
    archive: SourceContent,
    /// Where its packed bytes are.
    data: Range<u64>,
    packed_by: CompressionMethod,
    /// How many bytes it has, and their checksum.
    size: u64,
    checksum: u32,
}

impl ZipMember {
    /// How many bytes it has, as the archive says.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Its bytes, unpacked. They end with an error if they are not as many as the archive says, or
    /// others.
    pub(super) fn stream(&self) -> BoxedRead {
        let packed = PartReader {
            archive: self.archive.clone(),
            rest: self.data.clone(),
            here: bytes::Bytes::new(),
        };
        Box::new(MemberReader {
            unpacked: self.unpack(Box::new(packed)),
            name: self.name.clone(),
            rest: self.size,
            checksum: flate2::Crc::new(),
            expected: self.checksum,
        })
    }

    fn unpack(&self, packed: BoxedRead) -> BoxedRead {
        let by = match self.packed_by {
            CompressionMethod::Stored => return packed,
            CompressionMethod::Deflated => return Box::new(DeflateDecoder::new(packed)),
            method => compression_of(method),
        };
        let unpacked = by.map(|compression| compression.unpack(packed));
        unpacked
            .and_then(std::io::Result::ok)
            .unwrap_or_else(|| Box::new(std::io::empty()))
    }
}

/// The compression of an object that is the same as that of a member.
fn compression_of(method: CompressionMethod) -> Option<&'static super::compression::Compression> {
    let name = match method {
        CompressionMethod::BZIP2 => "bzip2",
        CompressionMethod::ZSTD => "zstd",
        CompressionMethod::XZ => "xz",
        _ => return None,
    };
    COMPRESSIONS
        .iter()
        .find(|compression| compression.name == name)
}

/// The members of a zip archive that are files and not hidden, in the order of their names. Waits
/// for the store.
///
/// # Errors
/// If the archive is truncated or damaged, encrypted, or packed in a way that is not read.
pub(super) fn members(archive: &SourceContent) -> Result<Vec<ZipMember>> {
    let mut zip = ZipArchive::new(archive.seekable()).map_err(damaged)?;
    if zip.len() > MAX_MEMBERS {
        return Err(
            Error::input(format!("the zip archive has {} members", zip.len()))
                .hint("unpack it, and name the folder"),
        );
    }
    if zip.has_duplicate_names() {
        return Err(
            Error::input("the zip archive has several members of one name")
                .hint("unpack it, and name the folder or the files that count"),
        );
    }
    let mut members = vec![];
    for at in 0..zip.len() {
        let member = zip.by_index_raw(at).map_err(damaged)?;
        let name = member.name().map_err(damaged)?.replace('\\', "/");
        if member.is_dir() || name.ends_with('/') || is_hidden(&name) {
            continue;
        }
        let start = member
            .data_start()
            .ok_or_else(|| damaged("a member has no place"))?;
        let found = ZipMember {
            archive: archive.clone(),
            data: start..start.saturating_add(member.compressed_size()),
            packed_by: member.compression(),
            size: member.size(),
            checksum: member.crc32(),
            name,
        };
        if member.encrypted() {
            return Err(encrypted(&found.name));
        }
        check_method(&found)?;
        members.push(found);
    }
    members.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(members)
}

/// As in a folder; `__MACOSX/` is what macOS adds.
fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with(['.', '_']))
}

fn check_method(member: &ZipMember) -> Result<()> {
    let is_known = matches!(
        member.packed_by,
        CompressionMethod::Stored | CompressionMethod::Deflated
    );
    if is_known || compression_of(member.packed_by).is_some() {
        return Ok(());
    }
    let name = &member.name;
    let method = match member.packed_by {
        CompressionMethod::DEFLATE64 => {
            "Deflate64, as Windows packs files of more than 2 GB".to_owned()
        }
        CompressionMethod::LZMA => "LZMA".to_owned(),
        CompressionMethod::PPMD => "PPMd".to_owned(),
        other => format!("{other:?}"),
    };
    Err(Error::input(format!(
        "the member {name} of the zip archive is packed in a way that is not read: {method}"
    ))
    .hint(format!(
        "unpack it, or pipe it: 7z x -so ARCHIVE '{name}' | okuo … --input -"
    )))
}

fn encrypted(name: &str) -> Error {
    Error::input(format!("the member {name} of the zip archive is encrypted"))
        .hint("unpack it with its password, and name the files; or pipe it: unzip -P PASSWORD -p ARCHIVE MEMBER | okuo … --input -")
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::input("the zip archive is truncated or damaged")
        .source(error)
        .hint("write or transfer the archive again, or repair it with zip -FF")
}

/// How many packed bytes are fetched at a time.
const PART: u64 = 1 << 20;

/// A part of an archive, from its first byte to its last.
struct PartReader {
    archive: SourceContent,
    rest: Range<u64>,
    here: bytes::Bytes,
}

impl Read for PartReader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.here.is_empty() && self.rest.start < self.rest.end {
            if self.rest.end > self.archive.size() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let end = self.rest.end.min(self.rest.start.saturating_add(PART));
            let range = self.rest.start..end;
            self.here = self.archive.range(range).map_err(std::io::Error::other)?;
            self.rest.start = end;
        }
        let len = out.len().min(self.here.len());
        let part = self.here.split_to(len);
        out[..len].copy_from_slice(&part);
        Ok(len)
    }
}

/// The unpacked bytes of a member, which are counted and summed.
struct MemberReader {
    unpacked: BoxedRead,
    name: String,
    /// How many must follow.
    rest: u64,
    checksum: flate2::Crc,
    expected: u32,
}

impl MemberReader {
    fn damaged(&self) -> std::io::Error {
        let name = &self.name;
        std::io::Error::other(
            Error::input(format!(
                "the member {name} of the zip archive is truncated or damaged"
            ))
            .hint("write or transfer the archive again"),
        )
    }
}

impl Read for MemberReader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        let read = match self.unpacked.read(out) {
            Ok(read) => read,
            Err(error) if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => {
                return Err(error);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Err(error),
            Err(_) => return Err(self.damaged()),
        };
        self.checksum.update(out.get(..read).unwrap_or_default());
        self.rest = self
            .rest
            .checked_sub(read as u64)
            .ok_or_else(|| self.damaged())?;
        if read == 0 && (self.rest > 0 || self.checksum.sum() != self.expected) {
            return Err(self.damaged());
        }
        Ok(read)
    }
}
