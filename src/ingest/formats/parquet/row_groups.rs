//! Which groups of rows are read together.

use std::ops::Range;
use std::sync::Arc;

use super::footer::ParquetFooter;
use crate::ingest::line_checker::LineChecker;
use crate::ingest::time::ParsedTime;

/// Groups are read together up to about this many rows.
const ROWS: usize = 1 << 19;

/// Some groups of rows of a file that follow each other.
#[derive(Debug)]
pub(super) struct RowGroups {
    pub(super) footer: Arc<ParquetFooter>,
    /// Position of each group, and the rows before it.
    groups: Vec<(usize, u64)>,
    unneeded: Vec<UnneededGroup>,
}

/// A group of rows that are not needed.
#[derive(Debug)]
enum UnneededGroup {
    /// Of other days: how many, the earliest and the latest.
    OfOtherDays(u64, ParsedTime, ParsedTime),
    /// A filter leaves all of them out: the group, and how many.
    LeftOut(usize, u64),
}

impl RowGroups {
    /// All groups of rows in parts of a useful size, at least one. Those that filters leave out, and
    /// those of days that are not needed, by what `lines` says of their times, are not among them.
    pub(super) fn of(footer: &Arc<ParquetFooter>, mut lines: LineChecker) -> Vec<Self> {
        let mut present = Self::none(footer);
        let mut parts = vec![];
        let (mut rows, mut before) = (0, 0);
        for (group, in_group) in footer.rows_by_group().enumerate() {
            if rows > 0 && rows + in_group > ROWS {
                parts.push(std::mem::replace(&mut present, Self::none(footer)));
                rows = 0;
            }
            match unneeded(footer, group, &mut lines) {
                Some(unneeded) => present.unneeded.push(unneeded),
                None => {
                    present.groups.push((group, before));
                    rows += in_group;
                }
            }
            before += in_group as u64;
        }
        parts.push(present);
        parts
    }

    fn none(footer: &Arc<ParquetFooter>) -> Self {
        Self {
            footer: Arc::clone(footer),
            groups: vec![],
            unneeded: vec![],
        }
    }

    /// Of the group at a position among these: its position in the file, and the rows before it.
    pub(super) fn get(&self, at: usize) -> Option<(usize, u64)> {
        self.groups.get(at).copied()
    }

    /// The ranges of bytes of all columns that are read, group by group.
    pub(super) fn ranges(&self) -> Vec<Range<u64>> {
        self.groups
            .iter()
            .flat_map(|(group, _)| self.footer.ranges_in(*group))
            .collect()
    }

    /// Counts the rows that are not needed.
    pub(super) fn skip_unneeded(&self, lines: &mut LineChecker) {
        for group in &self.unneeded {
            match *group {
                UnneededGroup::OfOtherDays(rows, earliest, latest) => {
                    lines.skip(rows, earliest, latest);
                }
                UnneededGroup::LeftOut(group, rows) => {
                    self.footer.leaves_out(group, lines);
                    lines.filter_out(rows);
                }
            }
        }
    }
}

/// The group, if none of its rows is needed by what the footer says.
fn unneeded(
    footer: &ParquetFooter,
    group: usize,
    lines: &mut LineChecker,
) -> Option<UnneededGroup> {
    let rows = footer.rows_in(group) as u64;
    if footer.leaves_out(group, lines) {
        return Some(UnneededGroup::LeftOut(group, rows));
    }
    let (earliest, latest) = footer.times_in(group)?;
    let is_of_other_days = lines.skip(rows, earliest, latest);
    is_of_other_days.then_some(UnneededGroup::OfOtherDays(rows, earliest, latest))
}
