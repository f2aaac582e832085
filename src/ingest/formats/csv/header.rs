//! The columns of a CSV object, and how its lines are written.

use std::borrow::Cow;

use super::records::{RecordScanner, RecordStyle};
use crate::error::Result;
use crate::ingest::columns::{ColumnPlace, ColumnRole, PlainPositions, WantedColumns};
use crate::ingest::row_reader::RowReader;

/// What the lines of an object are read by.
#[derive(Debug, Clone)]
pub(super) struct CsvHeader {
    pub(super) style: RecordStyle,
    /// The columns' names; those of columns that have none are empty.
    pub(super) names: Vec<String>,
    /// How many fields a line has.
    pub(super) width: usize,
    /// Whether lines may end with a separator that the header does not have.
    pub(super) has_trailing_separators: bool,
    /// The positions of the columns, if no more are wanted than nearly all files have.
    pub(super) plain: Option<PlainPositions>,
    /// What makes lines of the rows, whatever is wanted.
    pub(super) rows: RowReader,
    pub(super) customer: Option<usize>,
    pub(super) product: Option<usize>,
    pub(super) time: Option<usize>,
    /// The names of columns that are wanted, which a header that comes again may have.
    pub(super) wanted: Vec<String>,
}

impl CsvHeader {
    /// The header of these names.
    ///
    /// # Errors
    /// If a wanted column is not among them, or stands there twice.
    pub(super) fn new(
        style: RecordStyle,
        names: Vec<String>,
        columns: &WantedColumns,
    ) -> Result<Self> {
        let present: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = columns.find(&present)?;
        let position = |role| match found.of(role)?.place {
            ColumnPlace::Field(at) => Some(at),
            ColumnPlace::Path(_) => None,
        };
        let [customer, product, time] =
            [ColumnRole::Customer, ColumnRole::Product, ColumnRole::Time].map(position);
        let wanted = ColumnRole::ALL
            .into_iter()
            .filter_map(|role| columns.names.of(role));
        Ok(Self {
            style,
            width: names.len(),
            has_trailing_separators: false,
            plain: found.plain(),
            rows: RowReader::new(found, style.separator != b','),
            names,
            customer,
            product,
            time,
            wanted: wanted.flat_map(|names| names.names().to_vec()).collect(),
        })
    }

    /// Whether a record of another number of fields than the header's is whole: an empty field more
    /// at the end, or one less if the header's last has no name.
    pub(super) fn fits(&self, record: &RecordScanner, data: &[u8]) -> bool {
        let fields = record.fields();
        if fields.len() == self.width {
            return true;
        }
        if fields.len() + 1 == self.width {
            return self.names.last().is_some_and(String::is_empty);
        }
        self.has_trailing_separators
            && fields.len() == self.width + 1
            && fields.last().is_some_and(|field| field.is_blank(data))
    }

    /// Whether a record may be no line: it has no time or neither customer nor product, or it is the
    /// header again.
    #[inline]
    pub(super) fn is_odd(&self, record: &RecordScanner, data: &[u8]) -> bool {
        let field = |at: Option<usize>| at.and_then(|at| record.fields().get(at));
        let is_without = |at| field(at).is_some_and(|field| field.is_blank(data));
        if is_without(self.time) || (is_without(self.customer) && is_without(self.product)) {
            return true;
        }
        // Headers of other files may have the columns in another order.
        let Some(field) = field(self.time.or(self.customer)) else {
            return false;
        };
        let mut words = self.names.iter().chain(&self.wanted);
        !field.begins_with_digit(data) && words.any(|word| !word.is_empty() && field.is(data, word))
    }

    /// The texts of a record, without blanks around them, as names of columns.
    pub(super) fn names_of(record: &RecordScanner, data: &[u8]) -> Vec<String> {
        let fields = record.fields().iter();
        fields.map(|field| name_of(&field.bytes(data))).collect()
    }
}

fn name_of(field: &[u8]) -> String {
    let text: Cow<'_, str> = String::from_utf8_lossy(field);
    text.trim_start_matches('\u{feff}').trim().to_owned()
}
