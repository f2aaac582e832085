//! The summary of a history on one night, computed in one pass over its partitions.

use super::{RecentPurchases, Rule, recurrent};
use crate::calendar::{AsOf, DateRange};
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
    /// What was bought in the last weeks.
    pub lately: RecentPurchases,
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

    /// Summarizes a history on its last day with a purchase; `None` if there is no purchase. Finding
    /// that day takes a second pass.
    ///
    /// # Errors
    /// As [`PopulationSummary::new`].
    pub fn on_last_day(partitions: &dyn Partitions, rule: &Rule) -> Result<Option<Self>> {
        match PartitionedHistory::all(partitions).span()? {
            Some(span) => Self::new(partitions, AsOf(span.last), rule).map(Some),
            None => Ok(None),
        }
    }

    /// The summary, and which purchases it is of. `look` is shown each partition as in
    /// [`PopulationSummary::with_each`].
    ///
    /// # Errors
    /// As [`PopulationSummary::new`].
    pub fn with_provenance(
        partitions: &dyn Partitions,
        as_of: AsOf,
        rule: &Rule,
        mut look: impl FnMut(&History<'_>),
    ) -> Result<(Self, Provenance)> {
        let mut provenance = Provenance {
            fingerprint: Fingerprint::default(),
            bought_ever: vec![false; partitions.products().len()],
        };
        let summary = Self::with_each(partitions, as_of, rule, |history| {
            provenance.add(history);
            look(history);
        })?;
        Ok((summary, provenance))
    }

    /// The summary. `look` is shown each partition up to the night in the same pass, for callers
    /// that need more of the history.
    ///
    /// # Errors
    /// As [`PopulationSummary::new`].
    pub fn with_each(
        partitions: &dyn Partitions,
        as_of: AsOf,
        rule: &Rule,
        mut look: impl FnMut(&History<'_>),
    ) -> Result<Self> {
        let mut summary = Self::empty(partitions.products().len(), as_of, rule);
        PartitionedHistory::new(partitions, as_of).each(|history| {
            summary.add(history);
            look(history);
            Ok(())
        })?;
        Ok(summary)
    }

    /// The summary of a history without a purchase, of so many products.
    pub(crate) fn empty(product_count: usize, as_of: AsOf, rule: &Rule) -> Self {
        Self {
            as_of,
            rule: *rule,
            span: None,
            distinct_lines: 0,
            funnel: Funnel::default(),
            recurrent: vec![],
            lately: RecentPurchases::none(product_count),
        }
    }

    /// Adds the customers of one more partition, as they stand on the night.
    pub(crate) fn add(&mut self, history: &History<'_>) {
        let (recurrent, funnel) = recurrent(history, &self.rule);
        self.span = DateRange::union(self.span, history.span());
        self.distinct_lines += history.distinct_lines();
        self.funnel = std::mem::take(&mut self.funnel).merge(&funnel);
        self.recurrent.extend(recurrent);
        // Stable, since it merges what is ascending already.
        self.recurrent.sort();
        self.lately.add(history);
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

/// Sets every mark that is set in `more`.
fn mark(marks: &mut [bool], more: &[bool]) {
    for (mark, more) in marks.iter_mut().zip(more) {
        *mark |= more;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::models::examples::{NIGHT, read, rule, store};
    use crate::purchases::Purchases;
    use crate::purchases::tests::{CountedPartitions, limited};

    /// All that both say, to be compared.
    fn text(summary: &PopulationSummary, provenance: &Provenance) -> String {
        format!("{summary:?} {provenance:?}")
    }

    #[test]
    fn partitions_give_the_same_summary_in_one_look_at_each() {
        let whole = read(store(80, 250, 1));
        let partitions = limited(&whole, 1_000).partitions().unwrap();
        assert!(partitions.count() > 10, "{}", partitions.count());
        let counted = CountedPartitions::new(&*partitions);
        let [one, many] = [&whole as &dyn Partitions, &counted].map(|partitions| {
            let (summary, provenance) =
                PopulationSummary::with_provenance(partitions, NIGHT, &rule(), |_| {}).unwrap();
            text(&summary, &provenance)
        });
        assert_eq!(one, many);
        assert_eq!(counted.brought_back(), partitions.count());
    }

    #[test]
    fn nothing_after_the_night_counts() {
        let all = read(store(80, 250, 1));
        let known = all.known(NIGHT).unwrap();
        let of = |purchases: &Purchases| {
            PopulationSummary::with_provenance(purchases, NIGHT, &rule(), |_| {}).unwrap()
        };
        let ((all_summary, all_provenance), (summary, provenance)) = (of(&all), of(&known));
        assert_eq!(
            (all_summary.span, all_summary.distinct_lines),
            (known.span(), known.distinct_lines())
        );
        assert!(all.distinct_lines() > known.distinct_lines());
        assert_eq!(all_summary.recurrent, summary.recurrent);
        assert_eq!(all_summary.funnel, summary.funnel);
        assert!(summary.funnel.recurrent > 0);
        assert_eq!(
            all_provenance.fingerprint.hex(),
            provenance.fingerprint.hex()
        );
    }

    #[test]
    fn the_last_day_is_found_and_each_partition_is_shown() {
        let purchases = read(store(20, 100, 1));
        let last = AsOf(purchases.span().unwrap().last);
        let summary = PopulationSummary::on_last_day(&purchases, &rule())
            .unwrap()
            .unwrap();
        assert_eq!((summary.as_of, summary.rule), (last, rule()));
        let shown = RefCell::new(vec![]);
        let look = |history: &History<'_>| shown.borrow_mut().push(history.as_of());
        PopulationSummary::with_each(&purchases, NIGHT, &rule(), look).unwrap();
        assert_eq!(*shown.borrow(), [NIGHT]);
        let nobody = read(vec![]);
        assert!(
            PopulationSummary::on_last_day(&nobody, &rule())
                .unwrap()
                .is_none()
        );
        let summary = PopulationSummary::new(&nobody, NIGHT, &rule()).unwrap();
        assert_eq!((summary.span, summary.funnel.seen), (None, 0));
    }
}
