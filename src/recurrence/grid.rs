//! How many customers other values of the rule would keep.

use serde::Serialize;

use super::{Rule, recurrent};
use crate::calendar::AsOf;
use crate::domain::Funnel;
use crate::error::Result;
use crate::purchases::{PartitionedHistory, Partitions};

/// The customers that the rule keeps on a night, by `periods` and `basket_share`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleGrid {
    /// The night.
    pub as_of: AsOf,
    /// A row for each number of periods, in ascending order.
    pub rows: Vec<GridRow>,
}

/// What the rule keeps that looks back on so many periods.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridRow {
    /// How many periods the rule looks back.
    pub periods: u32,
    /// Customers by `basket_share`, from 1.0 down to 0.0.
    pub by_basket_share: Vec<(f64, usize)>,
}

impl RuleGrid {
    /// Counts the customers in one walk over the partitions. All but `periods` and `basket_share`
    /// is as in `rule`.
    ///
    /// # Errors
    /// If a partition cannot be brought back from where it was set aside.
    pub fn new(
        partitions: &dyn Partitions,
        as_of: AsOf,
        rule: &Rule,
        periods: &[u32],
    ) -> Result<Self> {
        let rules: Vec<Rule> = periods
            .iter()
            .map(|periods| Rule {
                periods: *periods,
                ..*rule
            })
            .collect();
        let mut funnels = vec![Funnel::default(); rules.len()];
        PartitionedHistory::new(partitions, as_of).each(|history| {
            for (funnel, rule) in funnels.iter_mut().zip(&rules) {
                let (_, more) = recurrent(history, rule);
                *funnel = std::mem::take(funnel).merge(&more);
            }
            Ok(())
        })?;
        let rows = rules.iter().zip(funnels).map(|(rule, funnel)| GridRow {
            periods: rule.periods,
            by_basket_share: funnel.by_basket_share,
        });
        Ok(Self {
            as_of,
            rows: rows.collect(),
        })
    }

    /// How many customers a number of periods and a share keep, if the grid has them.
    #[must_use]
    pub fn customers(&self, periods: u32, basket_share: f64) -> Option<usize> {
        let row = self.rows.iter().find(|row| row.periods == periods)?;
        row.by_basket_share
            .iter()
            .find(|(share, _)| (share - basket_share).abs() < 1e-9)
            .map(|(_, customers)| *customers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::examples::{NIGHT, read, rule, store};
    use crate::recurrence::PopulationSummary;

    #[test]
    fn each_cell_is_what_its_rule_keeps() {
        let purchases = read(store(80, 250, 1));
        let grid = RuleGrid::new(&purchases, NIGHT, &rule(), &[1, 2, 4]).unwrap();
        for periods in [1, 2, 4] {
            for basket_share in [1.0, 0.5, 0.0] {
                let rule = Rule {
                    periods,
                    basket_share,
                    ..rule()
                };
                let summary = PopulationSummary::new(&purchases, NIGHT, &rule).unwrap();
                assert_eq!(
                    grid.customers(periods, basket_share),
                    Some(summary.funnel.recurrent),
                    "{periods} {basket_share}"
                );
            }
        }
        assert!(grid.customers(1, 0.0) > grid.customers(4, 1.0));
        assert_eq!(grid.customers(3, 0.0), None);
    }
}
