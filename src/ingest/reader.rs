//! Pieces of objects → history: some are read side by side while what was read of those before them
//! is gathered, in their order.

use std::collections::VecDeque;

use bytes::Bytes;
use rayon::prelude::*;

use super::gathered::Gathered;
use super::lines::Batch;
use super::pieces::{End, Opened, Piece, Reading};
use super::{Ingested, InputOptions, NeededDays};

use crate::error::{Error, Result};
use crate::purchases::{MemoryLimit, PartitionedPurchases};

/// Reads one object after another, whatever fetches them.
pub struct Reader {
    options: InputOptions,
    days: NeededDays,
    /// Pieces of which not all is gathered, in their order.
    pieces: VecDeque<Reading>,
    gatherer: Gatherer,
    /// Whether an object could not be read: nothing that follows may hide it.
    has_failed: bool,
}

/// What follows in the order of the objects.
enum Step {
    /// A piece begins, the first of an object or not.
    Begin {
        is_first: bool,
    },
    Lines(Box<Batch>),
    End(End),
}

struct Gatherer {
    gathered: Gathered,
    /// Lines before the present object.
    lines_before: u64,
    with_quantity: u64,
    without_quantity: u64,
    /// The first object without a quantity.
    first_without: Option<String>,
}

impl Reader {
    /// A reader of the lines of some days: those up to and including a night, or all.
    #[must_use]
    pub fn new(options: &InputOptions, days: impl Into<NeededDays>) -> Self {
        Self::limited(options, days.into(), None)
    }

    pub(super) fn limited(
        options: &InputOptions,
        days: NeededDays,
        limit: Option<MemoryLimit>,
    ) -> Self {
        let gathered = Gathered::new(options.clock, &options.exclude_products, limit);
        let gatherer = Gatherer {
            gathered,
            lines_before: 0,
            with_quantity: 0,
            without_quantity: 0,
            first_without: None,
        };
        Self {
            options: options.clone(),
            days,
            pieces: VecDeque::new(),
            gatherer,
            has_failed: false,
        }
    }

    /// Reads one object; `name` is for messages.
    ///
    /// # Errors
    /// If the object is not what its name says, is truncated or damaged, lacks a column, or has one
    /// of a type that cannot be read. Single bad lines are counted, and judged in
    /// [`Reader::finish`].
    pub fn object(&mut self, name: &str, bytes: Bytes) -> Result<()> {
        let pieces =
            Opened::whole(name, bytes, &self.options.columns)?.pieces(&self.options, self.days);
        self.take(
            pieces
                .into_iter()
                .map(|unfetched| unfetched.piece)
                .collect(),
        )?;
        self.gather_all()
    }

    /// Reads pieces that follow, but for what will be gathered while those after them are read.
    pub(super) fn take(&mut self, pieces: Vec<Piece>) -> Result<()> {
        self.pieces.extend(pieces.into_iter().map(Reading::new));
        while self.pieces.iter().any(Reading::is_unfinished) {
            let steps = self.ready()?;
            let Self {
                options,
                days,
                pieces,
                gatherer,
                ..
            } = self;
            let (gathered, ()) = rayon::join(
                || gatherer.gather(steps),
                || {
                    pieces
                        .par_iter_mut()
                        .with_max_len(1)
                        .filter(|piece| piece.goes_on())
                        .for_each(|piece| piece.read_on(options, *days))
                },
            );
            gathered?;
        }
        Ok(())
    }

    fn gather_all(&mut self) -> Result<()> {
        let steps = self.ready()?;
        self.gatherer.gather(steps)
    }

    /// What has been read of the pieces that come next.
    fn ready(&mut self) -> Result<Vec<Step>> {
        if self.has_failed {
            return Err(Error::system("an object before this could not be read"));
        }
        let mut steps = vec![];
        while let Some(piece) = self.pieces.front_mut() {
            steps.extend(
                piece
                    .beginning
                    .take()
                    .map(|is_first| Step::Begin { is_first }),
            );
            let (lines, end) = piece.take_ready();
            steps.extend(lines.into_iter().map(|lines| Step::Lines(Box::new(lines))));
            let Some(end) = end else { break };
            self.has_failed = end.is_err();
            steps.push(Step::End(end?));
            self.pieces.pop_front();
        }
        Ok(steps)
    }

    /// Judges the lines and builds the history.
    ///
    /// # Errors
    /// If there is no line, or too many are bad.
    pub fn finish(self) -> Result<Ingested> {
        self.finish_sharded()?.whole()
    }

    pub(super) fn finish_sharded(mut self) -> Result<Ingested<PartitionedPurchases>> {
        self.gather_all()?;
        let Gatherer {
            mut gathered,
            with_quantity,
            without_quantity,
            first_without,
            ..
        } = self.gatherer;
        gathered.decide()?;
        gathered.report.judge(self.options.max_bad_share)?;
        let mut warnings = gathered.warnings();
        let column = &self.options.columns.quantity;
        if with_quantity > 0 && without_quantity > 0 {
            warnings.push(format!(
                "{without_quantity} of {} objects have no column \"{column}\", the first is {}: all of their lines count as sales",
                with_quantity + without_quantity,
                first_without.as_deref().unwrap_or_default()
            ));
        }
        if with_quantity == 0 && without_quantity > 0 {
            warnings.push(format!(
                "there is no column \"{column}\": all lines count as sales, and no return can be dropped; name the column with --quantity"
            ));
        }
        let (purchases, report) = gathered.finish()?;
        Ok(Ingested {
            purchases,
            report,
            warnings,
        })
    }
}

impl Gatherer {
    fn gather(&mut self, steps: Vec<Step>) -> Result<()> {
        for step in steps {
            match step {
                Step::Begin { is_first } => {
                    if is_first {
                        self.lines_before = self.gathered.report.lines_read;
                    }
                    self.gathered.begin();
                }
                Step::Lines(lines) => self.gathered.absorb(*lines)?,
                Step::End(end) => self.end(end),
            }
        }
        Ok(())
    }

    fn end(&mut self, end: End) {
        if !end.is_last {
            return;
        }
        let is_empty = self.gathered.report.lines_read == self.lines_before;
        self.gathered.end(&end.object, is_empty);
        match (is_empty, end.has_quantity) {
            (true, _) => {}
            (false, true) => self.with_quantity += 1,
            (false, false) => {
                self.without_quantity += 1;
                self.first_without.get_or_insert(end.object);
            }
        }
    }
}
