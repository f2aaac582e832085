//! What became of each line: read = kept + dropped + bad, always.

use std::fmt;

use serde::Serialize;

use super::Suspect;
use super::rejects::PLACES;
pub use super::rejects::{RejectReason, RejectedLine, RejectedValue, Rejects};
use super::time::hints;
pub use super::time::{DateDecision, DateOrder, OrderRuledOut};
use crate::calendar::Day;
use crate::error::{Error, Result};

/// An object in a folder that was not read, because it is no table with the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The object as a person would name it.
    pub object: String,
    /// Why, in a few words: `a PDF document`.
    pub why: String,
}

/// What became of each line.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Objects read.
    pub objects: u64,
    /// Of those, without a line.
    pub empty_objects: u64,
    /// Objects in the named folders that were not read, in the order of their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// What a user should know of single objects: only for messages.
    #[serde(skip)]
    pub(super) notes: Vec<String>,
    /// Lines read: kept, without a customer, left out by a filter, voided, returned, excluded, after
    /// the as-of date, before the needed history, or bad.
    pub lines_read: u64,
    /// Lines that went into purchases.
    pub kept: u64,
    /// Of those, repeats of a customer, day and product, which change nothing.
    pub repeated: u64,
    /// Sales without a customer, or of an id that stands for nobody. They count for what the store
    /// sells, and for no customer.
    pub anonymous: u64,
    /// Dropped: rows that `--where` leaves out.
    pub filtered: u64,
    /// Dropped: headers that come again amid the lines, where files were put behind each other.
    pub repeated_headers: u64,
    /// Dropped: totals, footers and empty rows at the end of objects.
    pub footers: u64,
    /// Dropped: lines whose ticket has no header in the table of tickets.
    pub without_header: u64,
    /// Dropped: sales that were taken back on their day, and the lines that took back from a sale of
    /// their day.
    pub voided: u64,
    /// Dropped: lines with a quantity of 0, and those that take back what was not sold on their day.
    pub returned: u64,
    /// Of those, lines with a quantity of 0: only for a message.
    #[serde(skip)]
    pub(super) zero_quantities: u64,
    /// Dropped: products on the exclusion list.
    pub excluded: u64,
    /// Dropped: after the as-of date.
    pub after_as_of: u64,
    /// Dropped: longer ago than `history_days`.
    pub before_history: u64,
    /// What became of the headers, where tickets have them in a table of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<HeaderCounts>,
    /// Customers who look like no person and are left out. Their lines are among those kept.
    pub suspects: Vec<Suspect>,
    /// Bad lines by reason, in a fixed order.
    #[serde(rename = "bad")]
    pub rejects: Vec<Rejects>,
    /// In which order dates were read that could be in several, by the evidence of all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<DateDecision>,
    /// The first lines whose ticket has no header.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first_without_header: Vec<RejectedLine>,
    /// The first day after the as-of date: only for a message, since it must change no byte of a
    /// result.
    #[serde(skip)]
    pub(super) first_after: Option<Day>,
    /// Lines that lie far after all others.
    #[serde(skip)]
    pub(super) far_after: Option<LinesFarAfter>,
    /// Values that filters name and no row has, and whether a filter can be met by no row: only for
    /// messages.
    #[serde(skip)]
    pub(super) filter_notes: Vec<String>,
    #[serde(skip)]
    pub(super) is_filter_unmet: bool,
}

/// From this share of the lines on, quantities of 0 are warned of.
const NOTABLE_ZEROS: f64 = 0.01;

/// Fewer quantities of 0 may be slips.
const FEWEST_ZEROS: u64 = 10;

/// A handful of lines that lie far after all others, most likely with wrong dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinesFarAfter {
    /// How many there are.
    pub lines: u64,
    /// The first day of them.
    pub first: Day,
    /// The last day of all others.
    pub last_before: Day,
}

impl fmt::Display for LinesFarAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            lines,
            first,
            last_before,
        } = self;
        let lie = match lines {
            1 => "1 line lies".to_owned(),
            lines => format!("{lines} lines lie"),
        };
        write!(
            f,
            "{lie} far after all others, from {first} on, as with a slip in the year: the others end on {last_before}. \
             With --as-of {last_before} what comes later is left out"
        )
    }
}

/// What became of the headers of tickets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HeaderCounts {
    /// Tickets that have a header.
    pub tickets: u64,
    /// Of those, tickets without a line.
    pub unused: u64,
    /// Tickets with headers that contradict each other: their lines are left out.
    pub contradicting: u64,
}

impl Report {
    /// How many lines are bad.
    #[must_use]
    pub fn bad_lines(&self) -> u64 {
        self.rejects.iter().map(|rejects| rejects.lines).sum()
    }

    /// Whether read = kept + dropped + bad.
    #[must_use]
    pub fn balanced(&self) -> bool {
        let dropped = self.filtered
            + self.without_header
            + self.voided
            + self.repeated_headers
            + self.footers
            + self.returned
            + self.excluded
            + self.after_as_of
            + self.before_history;
        self.lines_read == self.kept + self.anonymous + dropped + self.bad_lines()
    }

    /// Counts a bad line; `line` is asked for only while places of the reason are wanted.
    pub(super) fn reject(&mut self, reason: RejectReason, line: impl FnOnce() -> RejectedLine) {
        self.lines_read += 1;
        Rejects::count(&mut self.rejects, reason, line);
    }

    /// Adds what became of the lines that follow.
    pub(super) fn merge(&mut self, other: Report) {
        self.objects += other.objects;
        self.empty_objects += other.empty_objects;
        self.left_out.extend(other.left_out);
        self.notes.extend(other.notes);
        self.lines_read += other.lines_read;
        self.kept += other.kept;
        self.repeated += other.repeated;
        self.anonymous += other.anonymous;
        self.filtered += other.filtered;
        self.repeated_headers += other.repeated_headers;
        self.footers += other.footers;
        self.without_header += other.without_header;
        self.first_without_header.extend(other.first_without_header);
        self.first_without_header.truncate(PLACES);
        self.voided += other.voided;
        self.returned += other.returned;
        self.zero_quantities += other.zero_quantities;
        self.excluded += other.excluded;
        self.after_as_of += other.after_as_of;
        self.before_history += other.before_history;
        self.first_after = self.first_after.into_iter().chain(other.first_after).min();
        Rejects::merge(&mut self.rejects, other.rejects);
    }

    /// Counts repeated lines, when it is known how many of the kept lines are distinct.
    pub(crate) fn count_repeated(&mut self, distinct: u64) {
        let left_out: usize = self.suspects.iter().map(|suspect| suspect.lines).sum();
        self.repeated = self.kept.saturating_sub(distinct + left_out as u64);
    }

    /// Lines that lie far after all others, if there are any.
    #[must_use]
    pub fn far_after(&self) -> Option<LinesFarAfter> {
        self.far_after
    }

    /// A warning if a notable share of the lines has a quantity of 0.
    pub(super) fn warning_of_zero_quantities(&self) -> Option<String> {
        let zero = self.zero_quantities;
        let judged = self.kept + self.anonymous + self.voided + self.returned + self.excluded;
        let share = zero as f64 / judged.max(1) as f64;
        (zero >= FEWEST_ZEROS && share > NOTABLE_ZEROS).then(|| {
            format!(
                "{} of {} lines ({:.1} %) have a quantity of 0: they count as returned, and not as sales. If they are sales, as of goods \
                 sold by weight, name a column with --quantity that is above 0 on each sale, such as the amount paid, or write one into the \
                 export: the quantity, or else the weight",
                thousands(zero),
                thousands(judged),
                100.0 * share
            )
        })
    }

    /// Whether the lines may be used.
    ///
    /// # Errors
    /// If there is no line, or a larger share than `max_bad_share` is bad: then every reason is listed.
    pub fn judge(&self, max_bad_share: f64) -> Result<()> {
        if self.lines_read == 0 {
            let what = match self.objects {
                0 => "there is no object to read".to_owned(),
                1 => "the input has no lines".to_owned(),
                objects => format!("the input has no lines in any of its {objects} objects"),
            };
            return Err(Error::no_data(what)
                .hint("check the --input location, and that the export has run"));
        }
        // Lines of other days are not looked at, and would hide bad ones.
        let no_sales = self.filtered + self.without_header + self.repeated_headers + self.footers;
        let looked_at = self.lines_read - self.after_as_of - self.before_history - no_sales;
        if self.kept == 0 && self.anonymous > 0 && self.anonymous == looked_at {
            return Err(Error::input(format!(
                "none of the {} lines has a customer",
                thousands(self.anonymous)
            ))
            .hint("map another column with --customer, and check the ids given with --anonymous"));
        }
        let bad = self.bad_lines();
        if bad as f64 <= max_bad_share * looked_at as f64 {
            return Ok(());
        }
        let what = format!(
            "{} of {} lines are bad ({:.2} %), more than the {} % allowed:{}",
            thousands(bad),
            thousands(looked_at),
            100.0 * bad as f64 / looked_at as f64,
            (100.0 * max_bad_share * 1e6).round() / 1e6, // 7, not 7.000000000000001
            self.causes()
        );
        Err(Error::input(what).hint(self.advice().join("\n      ")))
    }

    /// Whether so many of the lines may be bad.
    pub(super) fn may_be_bad(&self, lines: u64, max_bad_share: f64) -> bool {
        let not_looked_at = self.after_as_of + self.before_history + self.filtered;
        let looked_at = self.lines_read.saturating_sub(not_looked_at);
        lines as f64 <= max_bad_share * looked_at as f64
    }

    /// What to do about the bad lines, each advice once.
    fn advice(&self) -> Vec<String> {
        let mut advice = vec![];
        for rejects in &self.rejects {
            let hint = hints::of_time(rejects).unwrap_or_else(|| rejects.reason.hint().to_owned());
            if !advice.contains(&hint) {
                advice.push(hint);
            }
        }
        advice.push(
            "or accept more bad lines with --max-bad-share: they are left out and counted"
                .to_owned(),
        );
        advice
    }

    /// The error of an input in which no line is a purchase: it says what became of the lines.
    #[must_use]
    pub fn no_purchase(&self, until: &str) -> Error {
        if let Some(error) = self.filtered_all() {
            return error;
        }
        Error::input(format!(
            "no line is a purchase{until}: {self}{}",
            self.causes()
        ))
        .hint(match self.anonymous {
            0 => "check the column mapped with --quantity, and the excluded products",
            _ => {
                "check the columns mapped with --customer and --quantity, and the excluded products"
            }
        })
    }

    /// The error of an input of which `--where` leaves out all lines. Groups of rows may be skipped by
    /// their times before the filter has looked at them.
    #[must_use]
    pub(super) fn filtered_all(&self) -> Option<Error> {
        let skipped = self.after_as_of + self.before_history;
        let no_sales = self.filtered + self.repeated_headers + self.footers;
        let is_all = self.filtered > 0 && self.lines_read == no_sales + skipped;
        if !is_all || (skipped > 0 && !self.is_filter_unmet) {
            return None;
        }
        let what = format!(
            "--where leaves out all {} lines that were looked at",
            thousands(self.filtered)
        );
        let hint = match self.filter_notes.as_slice() {
            [] => "check the columns and values given with --where".to_owned(),
            notes => notes.join("\n      "),
        };
        Some(Error::input(what).hint(hint))
    }

    /// The error of an input that has lines, but none of the days that are needed for a night;
    /// `night` names it.
    #[must_use]
    pub fn out_of_reach(&self, night: &str) -> Error {
        if let Some(error) = self.filtered_all() {
            return error;
        }
        let lines = match self.after_as_of {
            0 => format!(
                "all {} usable lines are longer ago than history_days before {night}",
                thousands(self.before_history)
            ),
            after => format!(
                "no line is of the days that are looked at: {} lie after {night}, and {} are longer ago than history_days before it",
                thousands(after),
                thousands(self.before_history)
            ),
        };
        Error::request(lines).hint("choose another date, give the objects of the days between with --input too, or raise --history-days")
    }

    /// Every reason with its count and first places, each after a line break: the text of an error.
    #[must_use]
    pub fn causes(&self) -> String {
        self.rejects.iter().map(reason_and_places).collect()
    }
}

fn reason_and_places(rejects: &Rejects) -> String {
    let places: Vec<String> = rejects.first.iter().map(RejectedLine::to_string).collect();
    format!(
        "\n  {} × {}, first {}",
        thousands(rejects.lines),
        rejects.reason,
        places.join("; ")
    )
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lines read = {} kept",
            thousands(self.lines_read),
            thousands(self.kept)
        )?;
        for (lines, what) in [
            (self.anonymous, "without a customer"),
            (self.filtered, "left out by --where"),
            (self.repeated_headers, "repeated headers"),
            (self.footers, "totals or footers"),
            (self.without_header, "without a header of their ticket"),
            (self.voided, "voided"),
            (self.returned, "returned"),
            (self.excluded, "excluded"),
            (self.after_as_of, "after the as-of date"),
            (self.before_history, "longer ago than history_days"),
        ] {
            if lines > 0 {
                write!(f, " + {} {what}", thousands(lines))?;
            }
        }
        for Rejects { reason, lines, .. } in &self.rejects {
            write!(f, " + {} with {reason}", thousands(*lines))?;
        }
        if self.repeated > 0 {
            write!(
                f,
                " ({} of the kept repeat another)",
                thousands(self.repeated)
            )?;
        }
        Ok(())
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
