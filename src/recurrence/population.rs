//! What all customers of a history say together on a night, found in one look at each partition.

use super::{Rule, recurrent};
use crate::calendar::{AsOf, DateRange, RECENT_DAYS};
use crate::domain::Funnel;
use crate::error::Result;
use crate::purchases::{Fingerprint, History, PartitionedHistory, Partitions};

/// A history on one night by one rule: when, who, and how much of it. Everything counts up to and
/// including the night.
#[derive(Debug, Clone)]
pub struct PopulationSummary {
    /// The night.
    pub as_of: AsOf,
    /// The rule that decides who is recurrent.
    pub rule: Rule,
    /// The first and the last day with a purchase; `None` if there is none.
    pub span: Option<DateRange>,
    /// Distinct (customer, day, product).
    pub distinct_lines: usize,
    /// How many customers pass each part of the rule.
    pub funnel: Funnel,
    /// Those who meet the rule, by ascending code.
    pub recurrent: Vec<u32>,
    /// Which products were bought in the last [`RECENT_DAYS`] days, by code.
    pub bought_lately: Vec<bool>,
}

/// Which purchases a history has up to a night: what a model file keeps of the data that it was
/// trained on.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// A checksum over all of them.
    pub fingerprint: Fingerprint,
    /// Which products were ever bought, by code.
    pub bought_ever: Vec<bool>,
}

impl PopulationSummary {
    /// Summarizes a history on the night `as_of`.
    ///
    /// # Errors
    /// If a partition cannot be brought back from where it was set aside.
    pub fn new(partitions: &dyn Partitions, as_of: AsOf, rule: &Rule) -> Result<Self> {
        Self::with_each(partitions, as_of, rule, |_| {})
    }

    /// Summarizes a history on its last day with a purchase, which takes one more look to find;
    /// `None` if there is no purchase.
    ///
    /// # Errors
    /// As [`PopulationSummary::new`].
    pub fn on_last_day(partitions: &dyn Partitions, rule: &Rule) -> Result<Option<Self>> {
        match PartitionedHistory::all(partitions).span()? {
            Some(span) => Self::new(partitions, AsOf(span.last), rule).map(Some),
            None => Ok(None),
        }
    }

    /// The summary, and which purchases it is of.
    ///
    /// # Errors
    /// As [`PopulationSummary::new`].
    pub fn with_provenance(
        partitions: &dyn Partitions,
        as_of: AsOf,
        rule: &Rule,
    ) -> Result<(Self, Provenance)> {
        let mut provenance = Provenance {
            fingerprint: Fingerprint::default(),
            bought_ever: vec![false; partitions.products().len()],
        };
        let summary = Self::with_each(partitions, as_of, rule, |history| provenance.add(history))?;
        Ok((summary, provenance))
    }

    /// The summary; `look` is shown each partition up to the night, too, so that whoever needs more
    /// of a history does not bring all of it back once again.
    ///
    /// # Errors
    /// As [`PopulationSummary::new`].
    pub fn with_each(
        partitions: &dyn Partitions,
        as_of: AsOf,
        rule: &Rule,
        mut look: impl FnMut(&History<'_>),
    ) -> Result<Self> {
        let mut summary = Self {
            as_of,
            rule: *rule,
            span: None,
            distinct_lines: 0,
            funnel: Funnel::default(),
            recurrent: vec![],
            bought_lately: vec![false; partitions.products().len()],
        };
        PartitionedHistory::new(partitions, as_of).each(|history| {
            summary.add(history);
            look(history);
            Ok(())
        })?;
        summary.recurrent.sort_unstable();
        Ok(summary)
    }

    fn add(&mut self, history: &History<'_>) {
        let (recurrent, funnel) = recurrent(history, &self.rule);
        self.span = DateRange::union(self.span, history.span());
        self.distinct_lines += history.distinct_lines();
        self.funnel = std::mem::take(&mut self.funnel).merge(&funnel);
        self.recurrent.extend(recurrent);
        mark(
            &mut self.bought_lately,
            &history.products_bought_within(RECENT_DAYS),
        );
    }
}

impl Provenance {
    fn add(&mut self, history: &History<'_>) {
        self.fingerprint = self.fingerprint.merge(history);
        mark(
            &mut self.bought_ever,
            &history.products_bought_within(i32::MAX),
        );
    }
}

/// Marks what is marked in `more`.
fn mark(marks: &mut [bool], more: &[bool]) {
    for (mark, more) in marks.iter_mut().zip(more) {
        *mark |= more;
    }
}
