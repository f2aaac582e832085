//! The page headers of a column chunk, looked at before polars trusts them.
//!
//! polars believes a damaged count of values and asks for as much memory: the process ends without
//! an error. So the counts are compared with the file's footer first. A page
//! header is a struct of Thrift's compact protocol; the field numbers are those of the Parquet
//! format (parquet.thrift, PageHeader).

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// The largest page that is believed without asking the footer, in bytes.
const PLAIN_PAGE: i64 = 1 << 26;

/// Pages with more values are not decoded as a whole.
pub(super) const LARGEST_INDEXED: usize = 1 << 24;

/// Encodings whose values are positions in the dictionary: PLAIN_DICTIONARY and RLE_DICTIONARY.
const INDEXED: [i64; 2] = [2, 8];

/// How deep structs may stand in each other.
const DEPTH: u32 = 8;

const DATA_PAGE: i64 = 0;
const DICTIONARY_PAGE: i64 = 2;
const DATA_PAGE_V2: i64 = 3;

/// Whether all values of a column chunk are positions in a dictionary, which comes first. `None` if
/// its pages do not hold `values` values, do not fit in it, or differ from their checksums where they
/// have any. `uncompressed` is the chunk's size before compression, and `is_gzip` says whether that
/// is gzip, which has checksums of its own.
pub(super) fn are_indexed(
    chunk: &[u8],
    values: i64,
    uncompressed: i64,
    is_gzip: bool,
) -> Option<bool> {
    let mut thrift = Thrift { rest: chunk };
    let mut seen = 0_i64;
    let (mut has_dictionary, mut indexed) = (false, true);
    while seen < values {
        let page = thrift.page()?;
        let sizes = 0..=PLAIN_PAGE.max(uncompressed);
        if !sizes.contains(&page.uncompressed) || page.values < 0 || !page.parts_fit() {
            return None;
        }
        if page.kind != DICTIONARY_PAGE {
            seen = seen.saturating_add(page.values);
            indexed &= INDEXED.contains(&page.encoding) && page.values <= LARGEST_INDEXED as i64;
        } else if page.values > page.uncompressed {
            return None; // every value takes a byte or more
        } else {
            has_dictionary |= seen == 0;
        }
        let (bytes, rest) = usize::try_from(page.compressed)
            .ok()
            .and_then(|len| thrift.rest.split_at_checked(len))?;
        // Spark writes checksums, pyarrow where it is asked to; polars does not look at them.
        if page
            .checksum
            .is_some_and(|checksum| crc32fast::hash(bytes) != checksum)
        {
            return None;
        }
        if is_gzip && !page.is_plain && !page.is_whole_gzip(bytes) {
            return None;
        }
        thrift.rest = rest;
    }
    (seen == values).then_some(has_dictionary && indexed)
}

/// What a page header says; absent numbers are 0.
#[derive(Debug, Default)]
struct Page {
    kind: i64,
    uncompressed: i64,
    compressed: i64,
    values: i64,
    encoding: i64,
    /// CRC-32 of the page as it stands in the file.
    checksum: Option<u32>,
    /// Of a data page of version 2: nulls, rows, bytes of definition levels, bytes of repetition
    /// levels.
    nulls: i64,
    rows: i64,
    definition_bytes: i64,
    repetition_bytes: i64,
    /// Whether it is not compressed, though the column is.
    is_plain: bool,
}

impl Page {
    /// Whether what follows the levels is as long as the header says, and has gzip's checksum, at
    /// which polars does not look.
    fn is_whole_gzip(&self, bytes: &[u8]) -> bool {
        let levels = self.definition_bytes.saturating_add(self.repetition_bytes);
        let Some(compressed) = usize::try_from(levels)
            .ok()
            .and_then(|levels| bytes.get(levels..))
        else {
            return false;
        };
        let expected = self.uncompressed.saturating_sub(levels);
        if compressed.is_empty() {
            return expected == 0;
        }
        // No more than is expected is unpacked, and one byte to see that there is no more.
        let mut unpacked =
            MultiGzDecoder::new(compressed).take(expected.unsigned_abs().saturating_add(1));
        std::io::copy(&mut unpacked, &mut std::io::sink())
            .is_ok_and(|len| len == expected.unsigned_abs())
    }

    fn parts_fit(&self) -> bool {
        let level_bytes = self.definition_bytes.saturating_add(self.repetition_bytes);
        let not_negative = [
            self.nulls,
            self.rows,
            self.definition_bytes,
            self.repetition_bytes,
        ]
        .iter()
        .all(|number| *number >= 0);
        not_negative
            && self.nulls <= self.values
            && self.rows <= self.values
            && level_bytes <= self.compressed.min(self.uncompressed)
    }
}

/// A reader of Thrift's compact protocol; `None` where the bytes are none of it.
struct Thrift<'a> {
    rest: &'a [u8],
}

impl Thrift<'_> {
    fn page(&mut self) -> Option<Page> {
        let mut page = Page::default();
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (1, 5) => page.kind = self.integer()?,
                (2, 5) => page.uncompressed = self.integer()?,
                (3, 5) => page.compressed = self.integer()?,
                (4, 5) => page.checksum = Some(self.integer()? as u32),
                (5, 12) if page.kind == DATA_PAGE => self.counts(&mut page, false)?,
                (7, 12) if page.kind == DICTIONARY_PAGE => self.counts(&mut page, false)?,
                (8, 12) if page.kind == DATA_PAGE_V2 => self.counts(&mut page, true)?,
                _ => self.skip(kind, DEPTH)?,
            }
        }
        Some(page)
    }

    /// The header of a kind of page, whose first number is its count of values.
    fn counts(&mut self, page: &mut Page, version_2: bool) -> Option<()> {
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (1, 5) => page.values = self.integer()?,
                (2, 5) if !version_2 => page.encoding = self.integer()?,
                (4, 5) if version_2 => page.encoding = self.integer()?,
                (2, 5) if version_2 => page.nulls = self.integer()?,
                (3, 5) if version_2 => page.rows = self.integer()?,
                (5, 5) if version_2 => page.definition_bytes = self.integer()?,
                (6, 5) if version_2 => page.repetition_bytes = self.integer()?,
                (7, 1 | 2) if version_2 => page.is_plain = kind == 2, // "is_compressed": a boolean's value is its type
                _ => self.skip(kind, DEPTH)?,
            }
        }
        Some(())
    }

    /// The type of the next field, whose number it sets; `Some(None)` at the end of the struct.
    fn field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        *field = match head >> 4 {
            0 => self.integer()?,
            step => field.checked_add(i64::from(step))?,
        };
        Some(Some(head & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            1 | 2 => {} // a boolean's value is its type
            3 => self.take(1)?,
            4..=6 => {
                self.varint()?;
            }
            7 => self.take(8)?,
            8 => {
                let len = self.varint()?;
                self.take(len)?;
            }
            9 | 10 => {
                let head = self.byte()?;
                let len = if head >> 4 == 15 {
                    self.varint()?
                } else {
                    u64::from(head >> 4)
                };
                for _ in 0..len {
                    self.element(head & 0x0f, depth)?;
                }
            }
            11 => {
                let len = self.varint()?;
                let kinds = if len == 0 { 0 } else { self.byte()? };
                for _ in 0..len {
                    self.element(kinds >> 4, depth)?;
                    self.element(kinds & 0x0f, depth)?;
                }
            }
            12 => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// In a list or map a boolean takes a byte, so that each element ends the loop over a damaged
    /// length.
    fn element(&mut self, kind: u8, depth: u32) -> Option<()> {
        if matches!(kind, 1 | 2) {
            self.take(1)
        } else {
            self.skip(kind, depth)
        }
    }

    fn take(&mut self, len: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(len).ok()?..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
