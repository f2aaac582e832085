//! Which values that filters name were met, and what else their columns have.

use super::InputOptions;
use super::columns::TicketTable;
use super::filters::RowFilter;
use super::row_reader::Cell;
use crate::domain::words::{in_one_line, shortened};

/// How many other values of a column are kept.
const OTHERS: usize = 5;

/// How many characters of a value are shown.
const SHOWN: usize = 30;

/// What was met of one filter.
#[derive(Debug, Clone, Default)]
pub(super) struct ValuesMet {
    /// By the position of the value in the filter.
    met: Vec<bool>,
    /// The first values of the column that the filter does not name.
    others: Vec<String>,
}

impl ValuesMet {
    /// Notes the value of a row, which the filter names at a position or not at all.
    #[inline]
    pub(super) fn note(&mut self, position: Option<usize>, cell: &Cell<'_>) {
        match position {
            Some(at) => self.mark(at),
            None if self.others.len() < OTHERS => self.note_other(cell),
            None => {}
        }
    }

    fn mark(&mut self, at: usize) {
        if self.met.len() <= at {
            self.met.resize(at + 1, false);
        }
        if let Some(met) = self.met.get_mut(at) {
            *met = true;
        }
    }

    fn note_other(&mut self, cell: &Cell<'_>) {
        if let Some(text) = cell.text()
            && self.others.iter().all(|other| **other != *text)
        {
            self.others.push(text.into_owned());
        }
    }

    fn merge(&mut self, later: ValuesMet) {
        let marked = later.met.iter().enumerate().filter(|(_, met)| **met);
        marked.for_each(|(at, _)| self.mark(at));
        for other in later.others {
            if self.others.len() < OTHERS && !self.others.contains(&other) {
                self.others.push(other);
            }
        }
    }

    /// The values of a filter that no row had. An empty one stands for fields without a value, which
    /// need not be.
    fn unmet<'f>(&self, filter: &'f RowFilter) -> Vec<&'f str> {
        let values = filter.values.iter().enumerate();
        values
            .filter(|(at, value)| !value.is_empty() && self.met.get(*at) != Some(&true))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    fn warning(&self, filter: &RowFilter, flag: &str) -> Option<String> {
        let unmet = self.unmet(filter);
        if unmet.is_empty() || (self.met.is_empty() && self.others.is_empty()) {
            return None;
        }
        let others = match self.others.as_slice() {
            [] => String::new(),
            others => format!(
                "; other values are {}",
                quoted_list(others.iter().map(String::as_str))
            ),
        };
        Some(format!(
            "no row that was read has {} in the column \"{}\", which {flag} names{others}: values are compared as the data write them",
            quoted_list(unmet.into_iter()),
            filter.column
        ))
    }
}

fn quoted_list<'v>(values: impl Iterator<Item = &'v str>) -> String {
    let quoted = values.map(|value| format!("\"{}\"", shortened(&in_one_line(value), SHOWN)));
    quoted.collect::<Vec<_>>().join(", ")
}

/// What was met of all filters, in their order.
#[derive(Debug, Clone, Default)]
pub(super) struct FilterValues {
    filters: Vec<ValuesMet>,
    returns: Vec<ValuesMet>,
}

impl FilterValues {
    /// What was met of the filter at a position.
    #[inline]
    pub(super) fn of_filter(&mut self, at: usize) -> Option<&mut ValuesMet> {
        entry(&mut self.filters, at)
    }

    /// What was met of the filter for returns at a position.
    #[inline]
    pub(super) fn of_return(&mut self, at: usize) -> Option<&mut ValuesMet> {
        entry(&mut self.returns, at)
    }

    /// Adds what was met later.
    pub(super) fn merge(&mut self, later: FilterValues) {
        for (at, values) in later.filters.into_iter().enumerate() {
            if let Some(known) = self.of_filter(at) {
                known.merge(values);
            }
        }
        for (at, values) in later.returns.into_iter().enumerate() {
            if let Some(known) = self.of_return(at) {
                known.merge(values);
            }
        }
    }

    /// Warnings of values that no row has, which are most likely slips.
    pub(super) fn warnings(&self, options: &InputOptions) -> Vec<String> {
        let flag = match options.columns.table {
            TicketTable::Headers => "--tickets-where",
            _ => "--where",
        };
        let filters = self.filters.iter().zip(&options.filters);
        let returns = self.returns.iter().zip(&options.returns);
        filters
            .filter_map(|(met, filter)| met.warning(filter, flag))
            .chain(returns.filter_map(|(met, filter)| met.warning(filter, "--returns")))
            .collect()
    }

    /// Whether a filter wants values of which no row has any.
    pub(super) fn has_unmet_filter(&self, options: &InputOptions) -> bool {
        let mut filters = self.filters.iter().zip(&options.filters);
        filters.any(|(met, filter)| !filter.is_negated && !met.met.contains(&true))
    }
}

fn entry(values: &mut Vec<ValuesMet>, at: usize) -> Option<&mut ValuesMet> {
    if values.len() <= at {
        values.resize_with(at + 1, ValuesMet::default);
    }
    values.get_mut(at)
}
