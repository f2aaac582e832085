//! How objects are compressed: a layer below the formats, which see unpacked bytes only.
//!
//! A new compression is an entry of [`COMPRESSIONS`].

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// A way to compress.
#[derive(Debug)]
pub(super) struct Compression {
    /// For messages.
    pub(super) name: &'static str,
    /// How names of compressed objects end.
    pub(super) ending: &'static str,
    /// The first bytes of compressed objects.
    magic: &'static [u8],
    unpacker: fn(BoxedRead) -> std::io::Result<BoxedRead>,
}

/// Bytes that come one after the other.
pub(super) type BoxedRead = Box<dyn Read + Send>;

/// The compressions that are read.
pub(super) static COMPRESSIONS: [Compression; 2] = [
    Compression {
        name: "gzip",
        ending: ".gz",
        magic: &[0x1f, 0x8b],
        unpacker: unpack_gzip,
    },
    Compression {
        name: "zstd",
        ending: ".zst",
        magic: &[0x28, 0xb5, 0x2f, 0xfd],
        unpacker: unpack_zstd,
    },
];

fn unpack_gzip(packed: BoxedRead) -> std::io::Result<BoxedRead> {
    Ok(Box::new(MultiGzDecoder::new(packed)))
}

fn unpack_zstd(packed: BoxedRead) -> std::io::Result<BoxedRead> {
    Ok(Box::new(zstd::stream::read::Decoder::new(packed)?))
}

impl Compression {
    /// How an object is compressed, if it is.
    ///
    /// Its first bytes say it, and not its name: S3 clients unpack on the way where an object's
    /// headers ask for it. Only an object shorter than the magic is taken at its name's word.
    pub(super) fn sniff(lower_case_name: &str, first_bytes: &[u8]) -> Option<&'static Self> {
        COMPRESSIONS.iter().find(|compression| {
            first_bytes.starts_with(compression.magic)
                || (lower_case_name.ends_with(compression.ending)
                    && !first_bytes.is_empty()
                    && compression.magic.starts_with(first_bytes))
        })
    }

    /// What packed bytes become.
    ///
    /// # Errors
    /// If the decoder cannot be made.
    pub(super) fn unpack(&self, packed: BoxedRead) -> std::io::Result<BoxedRead> {
        (self.unpacker)(packed)
    }
}

/// A name in lower case, without the ending of a compression.
pub(super) fn without_ending(lower_case_name: &str) -> &str {
    COMPRESSIONS
        .iter()
        .find_map(|compression| lower_case_name.strip_suffix(compression.ending))
        .unwrap_or(lower_case_name)
}
