//! The values of one column in a group of rows, some rows at a time.
//!
//! Most writers store the distinct values of a column once, in a dictionary, and for each row a
//! position in it. Such columns stay as they are: an id is then looked up once for the whole group,
//! not once for each row. polars decodes all other columns.

use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use polars::prelude::{ArrowDataType, ArrowField, DataType, NamedFrom, PolarsResult, Series};
use polars_buffer::Buffer;
use polars_parquet::parquet::compression::Compression;
use polars_parquet::parquet::encoding::hybrid_rle::{HybridRleChunk, HybridRleDecoder};
use polars_parquet::parquet::encoding::plain_byte_array::BinaryIter;
use polars_parquet::parquet::page::{DictPage, EncodedSplitBuffer, split_buffer};
use polars_parquet::parquet::schema::types::PhysicalType;
use polars_parquet::read::{
    BasicDecompressor, ColumnChunkMetadata, Filter, PageReader, column_iter_to_arrays,
};

use super::footer::{NamedColumn, ParquetFooter};
use super::{damaged, guarded, pages};
use crate::error::Result;

/// How many rows polars decodes at a time: each time it reads the dictionary and the pages at both
/// ends again.
const POLARS_ROWS: usize = 1 << 19;

/// The position of a row that has no value.
pub(super) const NULL: u32 = u32::MAX;

/// Some rows of a column.
pub(super) struct ColumnSlice {
    /// The value of each row, or the values of a dictionary if there are positions.
    pub(super) values: Series,
    /// For each row the position of its value, or [`NULL`].
    pub(super) positions: Option<Vec<u32>>,
}

/// Reads the rows of a column chunk in their order.
pub(super) struct ColumnChunkReader {
    footer: Arc<ParquetFooter>,
    /// Position of the group, and of the column among those that are read.
    group: usize,
    column: usize,
    bytes: Bytes,
    indexed: Option<IndexedPages>,
    /// What polars decoded, and its rows.
    decoded: Option<Series>,
    decoded_rows: Range<usize>,
}

/// A column chunk of positions in a dictionary.
struct IndexedPages {
    pages: BasicDecompressor,
    dictionary: Series,
    /// Positions of the present page, and how many of them have been given.
    page: Vec<u32>,
    given: usize,
}

impl ColumnChunkReader {
    /// At the first row of a column of a group.
    ///
    /// # Errors
    /// If the column's pages are damaged.
    pub(super) fn new(
        footer: Arc<ParquetFooter>,
        group: usize,
        column: usize,
        bytes: Bytes,
    ) -> Result<Self> {
        let (chunk, named) = footer.chunk_at(group, column)?;
        let indexed = open_pages(chunk, &named.field, &bytes)
            .map_err(|error| error.column(named.field.name.as_str()))?;
        Ok(Self {
            footer,
            group,
            column,
            bytes,
            indexed,
            decoded: None,
            decoded_rows: 0..0,
        })
    }

    /// The values of the rows that follow those that were read before.
    ///
    /// # Errors
    /// If the column's pages are damaged.
    pub(super) fn read(&mut self, rows: &Range<usize>) -> Result<ColumnSlice> {
        let read = self.read_values(rows);
        let (_, NamedColumn { field, .. }) = self.footer.chunk_at(self.group, self.column)?;
        read.map_err(|error| error.column(field.name.as_str()))
    }

    fn read_values(&mut self, rows: &Range<usize>) -> Result<ColumnSlice> {
        let read = match &mut self.indexed {
            Some(indexed) => ColumnSlice {
                values: indexed.dictionary.clone(),
                positions: Some(indexed.read(rows.len())?),
            },
            None => ColumnSlice {
                values: self.decode(rows)?,
                positions: None,
            },
        };
        let len = read.positions.as_ref().map_or(read.values.len(), Vec::len);
        if len == rows.len() {
            Ok(read)
        } else {
            Err(damaged())
        }
    }

    fn decode(&mut self, rows: &Range<usize>) -> Result<Series> {
        let decoded = match self
            .decoded
            .take()
            .filter(|_| rows.end <= self.decoded_rows.end)
        {
            Some(decoded) => decoded,
            None => {
                let (chunk, NamedColumn { field, .. }) =
                    self.footer.chunk_at(self.group, self.column)?;
                let all = usize::try_from(chunk.num_values()).unwrap_or(rows.end);
                self.decoded_rows = rows.start..all.min(rows.start + POLARS_ROWS).max(rows.end);
                decode(chunk, field, &self.bytes, &self.decoded_rows)?
            }
        };
        let from = rows.start.saturating_sub(self.decoded_rows.start);
        let values = decoded.slice(from as i64, rows.len());
        self.decoded = Some(decoded);
        Ok(values)
    }
}

/// The pages of a column chunk, if their values are positions in a dictionary. The counts of the
/// footer and of the pages stand apart in the file, and must agree before polars trusts them.
fn open_pages(
    chunk: &ColumnChunkMetadata,
    field: &ArrowField,
    bytes: &Bytes,
) -> Result<Option<IndexedPages>> {
    let is_gzip = chunk.compression() == Compression::Gzip;
    let uncompressed = chunk.uncompressed_size();
    let is_indexed = pages::are_indexed(bytes, chunk.num_values(), uncompressed, is_gzip);
    if is_indexed.ok_or_else(damaged)? {
        IndexedPages::new(chunk, field, bytes)
    } else {
        Ok(None)
    }
}

fn pages_of(chunk: &ColumnChunkMetadata, bytes: &Bytes) -> BasicDecompressor {
    let reader = PageReader::new(
        Cursor::new(Buffer::from_owner(bytes.clone())),
        chunk,
        vec![],
        usize::MAX,
    );
    BasicDecompressor::new(reader, vec![])
}

fn decode(
    chunk: &ColumnChunkMetadata,
    field: &ArrowField,
    bytes: &Bytes,
    rows: &Range<usize>,
) -> Result<Series> {
    guarded(|| {
        let types = vec![&chunk.descriptor().descriptor.primitive_type];
        let filter = Filter::new_ranged(rows.start, rows.end);
        let (arrays, _) = column_iter_to_arrays(
            vec![pages_of(chunk, bytes)],
            types,
            field.clone(),
            Some(filter),
        )?;
        Ok(Series::try_from((field.name.clone(), arrays))?.rechunk())
    })
}

impl IndexedPages {
    /// `None` if polars must decode the dictionary's type.
    fn new(chunk: &ColumnChunkMetadata, field: &ArrowField, bytes: &Bytes) -> Result<Option<Self>> {
        let descriptor = &chunk.descriptor().descriptor;
        if descriptor.max_rep_level > 0 || descriptor.max_def_level > 1 {
            return Ok(None);
        }
        let mut pages = pages_of(chunk, bytes);
        let dictionary = guarded(|| {
            let Some(page) = pages.read_dict_page()? else {
                return Ok(None);
            };
            let values = values_of(&page, descriptor.primitive_type.physical_type, field)?;
            Ok(values.filter(|values| values.len() == page.num_values))
        })?;
        Ok(dictionary.map(|dictionary| Self {
            pages,
            dictionary,
            page: vec![],
            given: 0,
        }))
    }

    /// The positions of the rows that follow: fewer if there are no more.
    fn read(&mut self, rows: usize) -> Result<Vec<u32>> {
        let mut out = Vec::with_capacity(rows);
        loop {
            let rest = self.page.get(self.given..).unwrap_or_default();
            let some = &rest[..rest.len().min(rows - out.len())];
            out.extend_from_slice(some);
            self.given += some.len();
            if out.len() == rows {
                return Ok(out);
            }
            let Self {
                pages,
                dictionary,
                page,
                ..
            } = self;
            match guarded(|| next_page(pages, dictionary.len(), page))? {
                Some(true) => self.given = 0,
                Some(false) => return Err(damaged()),
                None => return Ok(out),
            }
        }
    }
}

/// Reads the positions of the next page into `positions`; they must lie in a dictionary of `values`
/// values. Returns whether the page is whole, or `None` if there is no page.
fn next_page(
    pages: &mut BasicDecompressor,
    values: usize,
    positions: &mut Vec<u32>,
) -> PolarsResult<Option<bool>> {
    let Some(page) = pages.next() else {
        return Ok(None);
    };
    let page = page?.decompress(pages)?;
    let EncodedSplitBuffer {
        def,
        values: encoded,
        ..
    } = split_buffer(&page)?;
    let rows = page.num_values();
    if rows > pages::LARGEST_INDEXED {
        return Ok(Some(false));
    }
    let present = if def.is_empty() {
        None
    } else {
        presence(def, rows)?
    };
    let count = present.as_ref().map_or(rows, |present| {
        present.iter().filter(|present| **present).count()
    });
    positions.clear();
    if let Some((bits, encoded)) = encoded.split_first().filter(|(bits, _)| **bits <= 32) {
        collect(
            HybridRleDecoder::new(encoded, u32::from(*bits), count),
            positions,
        )?;
    }
    let is_whole = positions.len() == count
        && positions
            .iter()
            .max()
            .is_none_or(|last| (*last as usize) < values);
    if let Some(present) = present {
        let mut some = std::mem::take(positions).into_iter();
        positions.extend(present.into_iter().map(|present| {
            if present {
                some.next().unwrap_or(NULL)
            } else {
                NULL
            }
        }));
    }
    pages.reuse_page_buffer(page);
    Ok(Some(is_whole && positions.len() == rows))
}

fn collect(decoder: HybridRleDecoder<'_>, out: &mut Vec<u32>) -> PolarsResult<()> {
    for chunk in decoder.into_chunk_iter() {
        match chunk? {
            HybridRleChunk::Rle(value, len) => out.resize(out.len() + len, value),
            HybridRleChunk::Bitpacked(values) => values.collect_into(out),
        }
    }
    Ok(())
}

/// Whether each row has a value, by definition levels that are at most 1; `None` if all rows have
/// one.
fn presence(levels: &[u8], rows: usize) -> PolarsResult<Option<Vec<bool>>> {
    let decoder = HybridRleDecoder::new(levels, 1, rows);
    if let Some(HybridRleChunk::Rle(1, len)) = decoder.clone().next_chunk()?
        && len == rows
    {
        return Ok(None);
    }
    let mut unpacked = Vec::with_capacity(rows);
    collect(decoder, &mut unpacked)?;
    Ok(Some(unpacked.into_iter().map(|level| level == 1).collect()))
}

/// Numbers that stand one after the other.
fn little_endian<const N: usize, T>(bytes: &[u8], number: fn([u8; N]) -> T) -> Vec<T> {
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|bytes| number(*bytes)).collect()
}

/// The values of a dictionary page, which are encoded plainly; `None` for types that polars must
/// decode.
fn values_of(
    page: &DictPage,
    physical: PhysicalType,
    field: &ArrowField,
) -> PolarsResult<Option<Series>> {
    use ArrowDataType as A;
    let (name, bytes) = (field.name.clone(), &page.buffer[..]);
    let values = match (physical, field.dtype()) {
        (PhysicalType::Int32, A::Int32) => {
            Series::new(name, little_endian(bytes, i32::from_le_bytes))
        }
        (PhysicalType::Int32, A::UInt32) => {
            Series::new(name, little_endian(bytes, u32::from_le_bytes))
        }
        (PhysicalType::Int32, A::Date32) => {
            Series::new(name, little_endian(bytes, i32::from_le_bytes)).cast(&DataType::Date)?
        }
        (PhysicalType::Int64, A::Int64) => {
            Series::new(name, little_endian(bytes, i64::from_le_bytes))
        }
        (PhysicalType::Int64, A::UInt64) => {
            Series::new(name, little_endian(bytes, u64::from_le_bytes))
        }
        (PhysicalType::Int64, timestamp @ A::Timestamp(..)) => {
            let dtype = DataType::from_arrow_dtype(timestamp);
            Series::new(name, little_endian(bytes, i64::from_le_bytes)).cast(&dtype)?
        }
        (PhysicalType::Float, A::Float32) => {
            Series::new(name, little_endian(bytes, f32::from_le_bytes))
        }
        (PhysicalType::Double, A::Float64) => {
            Series::new(name, little_endian(bytes, f64::from_le_bytes))
        }
        (PhysicalType::ByteArray, A::BinaryView) => Series::new(
            name,
            BinaryIter::new(bytes, None).collect::<std::result::Result<Vec<_>, _>>()?,
        ),
        (PhysicalType::ByteArray, A::Utf8View) => {
            // A count from a damaged file must not become a request for gigabytes: each text takes
            // four bytes or more.
            let mut texts = Vec::with_capacity(page.num_values.min(bytes.len() / 4));
            for text in BinaryIter::new(bytes, None) {
                match std::str::from_utf8(text?) {
                    Ok(text) => texts.push(text),
                    Err(_) => return Ok(None), // polars has words for it
                }
            }
            Series::new(name, texts)
        }
        _ => return Ok(None),
    };
    Ok(Some(values))
}
