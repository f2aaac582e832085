//! How objects are compressed: a layer below the formats, which see unpacked bytes only.
//!
//! A new compression is an entry of [`COMPRESSIONS`].

use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use flate2::bufread::GzDecoder;

/// The most memory that a decoder may need for what it has unpacked, as a power of two in bytes.
///
/// It is what zstd allows of itself, and twice what `xz -9` needs.
const MAX_WINDOW_LOG: u32 = 27;

/// How many packed bytes of a gzip object are buffered.
const PACKED_BYTES: usize = 1 << 15;

/// A way to compress.
#[derive(Debug)]
pub(super) struct Compression {
    /// For messages.
    pub(super) name: &'static str,
    /// How names of compressed objects end.
    pub(super) ending: &'static str,
    /// The first bytes of compressed objects.
    magic: &'static [u8],
    /// The command that unpacks a file to its standard output, whatever memory it takes.
    pub(super) command: &'static str,
    unpacker: fn(BoxedRead) -> std::io::Result<BoxedRead>,
    needs_memory: fn(&std::io::Error) -> bool,
}

/// Bytes that come one after the other.
pub(super) type BoxedRead = Box<dyn Read + Send>;

/// The compressions that are read.
pub(super) static COMPRESSIONS: [Compression; 4] = [
    Compression {
        name: "gzip",
        ending: ".gz",
        magic: &[0x1f, 0x8b],
        command: "gzip -dc",
        unpacker: unpack_gzip,
        needs_memory: never,
    },
    Compression {
        name: "zstd",
        ending: ".zst",
        magic: &[0x28, 0xb5, 0x2f, 0xfd],
        command: "zstd -dc --long=31",
        unpacker: unpack_zstd,
        needs_memory: zstd_needs_memory,
    },
    Compression {
        name: "bzip2",
        ending: ".bz2",
        magic: b"BZh",
        command: "bzip2 -dc",
        unpacker: unpack_bzip2,
        needs_memory: never,
    },
    Compression {
        name: "xz",
        ending: ".xz",
        magic: &[0xfd, b'7', b'z', b'X', b'Z', 0],
        command: "xz -dc",
        unpacker: unpack_xz,
        needs_memory: xz_needs_memory,
    },
];

fn unpack_gzip(packed: BoxedRead) -> std::io::Result<BoxedRead> {
    Ok(Box::new(GzipMembers {
        member: Some(GzDecoder::new(BufReader::with_capacity(
            PACKED_BYTES,
            packed,
        ))),
    }))
}

/// The members of a gzip object, one after the other. Zeros after the last are no data, as gzip itself
/// has it: tapes and other media of blocks fill their last block up with them.
struct GzipMembers {
    /// The member that is read; nothing at the end, and after an error.
    member: Option<GzDecoder<BufReader<BoxedRead>>>,
}

impl Read for GzipMembers {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while let Some(mut member) = self.member.take() {
            let read = member.read(out)?;
            if read > 0 {
                self.member = Some(member);
                return Ok(read);
            }
            let mut packed = member.into_inner();
            self.member = match skip_zeros(&mut packed)? {
                PackedRest::Nothing => None,
                PackedRest::Member => Some(GzDecoder::new(packed)),
                PackedRest::Other => return Err(std::io::ErrorKind::InvalidData.into()),
            };
        }
        Ok(0)
    }
}

/// What follows a member of a gzip object, after zeros.
enum PackedRest {
    Nothing,
    /// Another member, or what must be one.
    Member,
    /// Something after zeros, which stand at the end only.
    Other,
}

fn skip_zeros(packed: &mut impl BufRead) -> std::io::Result<PackedRest> {
    let mut any = false;
    loop {
        let bytes = packed.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        any |= zeros > 0;
        let is_all = zeros == bytes.len();
        if bytes.is_empty() {
            return Ok(PackedRest::Nothing);
        }
        packed.consume(zeros);
        if !is_all {
            return Ok(match any {
                true => PackedRest::Other,
                false => PackedRest::Member,
            });
        }
    }
}

fn unpack_zstd(packed: BoxedRead) -> std::io::Result<BoxedRead> {
    let mut decoder = zstd::stream::read::Decoder::new(packed)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(Box::new(decoder))
}

fn unpack_bzip2(packed: BoxedRead) -> std::io::Result<BoxedRead> {
    Ok(Box::new(bzip2::read::MultiBzDecoder::new(packed)))
}

fn unpack_xz(packed: BoxedRead) -> std::io::Result<BoxedRead> {
    // The decoder asks for a byte at a time.
    let buffered = std::io::BufReader::with_capacity(1 << 16, packed);
    let kibibytes = 1 << (MAX_WINDOW_LOG - 10);
    Ok(Box::new(lzma_rust2::XzReader::new_mem_limit(
        buffered, true, kibibytes,
    )))
}

fn never(_: &std::io::Error) -> bool {
    false
}

/// zstd says it in words only.
fn zstd_needs_memory(error: &std::io::Error) -> bool {
    error.to_string().contains("too much memory")
}

fn xz_needs_memory(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::OutOfMemory
}

impl Compression {
    /// How an object is compressed, if it is.
    ///
    /// Its first bytes say it, and not its name: S3 clients unpack on the way where an object's
    /// headers ask for it. Only an object shorter than the magic is taken at its name's word.
    pub(super) fn sniff(lower_case_name: &str, first_bytes: &[u8]) -> Option<&'static Self> {
        COMPRESSIONS.iter().find(|compression| {
            compression.has_magic(first_bytes)
                || (lower_case_name.ends_with(compression.ending)
                    && !first_bytes.is_empty()
                    && compression.magic.starts_with(first_bytes))
        })
    }

    /// Text may begin with the three letters of bzip2, whose fourth byte is a digit and whose fifth
    /// begins a block, or the end.
    fn has_magic(&self, first_bytes: &[u8]) -> bool {
        first_bytes.starts_with(self.magic)
            && (self.name != "bzip2"
                || matches!(
                    first_bytes,
                    [_, _, _, b'1'..=b'9'] | [_, _, _, b'1'..=b'9', 0x31 | 0x17, ..] | [_, _, _]
                ))
    }

    /// What packed bytes become.
    ///
    /// # Errors
    /// If the decoder cannot be made.
    pub(super) fn unpack(&self, packed: BoxedRead) -> std::io::Result<BoxedRead> {
        let unpacked = (self.unpacker)(packed)?;
        Ok(Box::new(GuardedRead {
            unpacked: Some(unpacked),
        }))
    }

    /// Whether a decoder stopped because it would have needed too much memory.
    pub(super) fn needs_memory(&self, error: &std::io::Error) -> bool {
        (self.needs_memory)(error)
    }
}

/// A decoder whose panic is an error: what is damaged is the file.
struct GuardedRead {
    /// Nothing after a panic.
    unpacked: Option<BoxedRead>,
}

impl Read for GuardedRead {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let broken =
            || std::io::Error::new(std::io::ErrorKind::InvalidData, "they are no such data");
        let mut unpacked = self.unpacked.take().ok_or_else(broken)?;
        let read = catch_unwind(AssertUnwindSafe(|| unpacked.read(out))).map_err(|_| broken())?;
        self.unpacked = Some(unpacked);
        read
    }
}

/// A name in lower case, without the ending of a compression.
pub(super) fn without_ending(lower_case_name: &str) -> &str {
    COMPRESSIONS
        .iter()
        .find_map(|compression| lower_case_name.strip_suffix(compression.ending))
        .unwrap_or(lower_case_name)
}
