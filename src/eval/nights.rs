//! How the nights of a backtest are measured: in three walks over the partitions of a history, which
//! several nights share.
//!
//! The first walk, [`NightSurvey`], finds out whom to score and what the store and the baselines
//! have to know. The second, [`NightScoring`], scores the customers with every model and every
//! baseline but TIFUKNN, whose vectors it computes. The third, [`TifuknnScoring`], compares these.

use super::baselines::{
    GlobalFrequency, PurchaseCounts, TypicalGap, personal_frequency, personal_gap,
};
use super::protocol::{
    Actuals, NightRows, TextOrder, basket_rows, customers_in, prediction_rows, sort_as_text,
    timing_rows,
};
use super::tifuknn::{POOL, PoolDraw, Tifuknn, TifuknnBuilder, TifuknnParameters};
use crate::calendar::{AsOf, Day};
use crate::domain::{Funnel, Ids, Predictions};
use crate::error::Result;
use crate::models::{Model, NightScorer, NightSummaryBuilder};
use crate::purchases::{History, PartitionedHistory, Partitions, Purchases};
use crate::recurrence::{PopulationSummary, Rule};

/// The decay of the baseline that counts recent purchases more.
const DECAY: f64 = 0.9;

/// The names of the baselines that the second walk scores, in the order of their rows.
pub(super) const BASELINES: [&str; 6] = [
    "population median",
    "personal median gap",
    "personal mean gap",
    "P-TopFreq",
    "GP-TopFreq",
    "decayed frequency 0.9",
];

/// The name of the baseline of the third walk.
pub(super) const TIFUKNN: &str = "TIFUKNN";

/// Looks at one partition after the other.
pub(super) fn each_partition(
    partitions: &dyn Partitions,
    mut look: impl FnMut(&Purchases) -> Result<()>,
) -> Result<()> {
    for at in 0..partitions.count() {
        look(&*partitions.partition(at)?)?;
    }
    Ok(())
}

/// What all nights of a backtest have in common.
pub(super) struct Conditions<'a> {
    /// All purchases that count.
    pub(super) all: PartitionedHistory<'a>,
    /// The last day with one.
    pub(super) last: Day,
    pub(super) rule: Rule,
    pub(super) history_days: u32,
    pub(super) order: TextOrder,
    pub(super) population_median: f64,
    pub(super) with_tifuknn: bool,
}

impl Conditions<'_> {
    /// What a night knows.
    pub(super) fn known_on(&self, night: AsOf) -> KnownDays {
        KnownDays {
            first: night.first_of(self.history_days),
            until: self.all.as_of().min(night),
        }
    }

    fn products(&self) -> &Ids {
        self.all.products()
    }

    /// Predictions for nobody.
    pub(super) fn no_predictions(&self) -> Predictions {
        Predictions {
            as_of: self.all.as_of(),
            model_id: String::new(),
            funnel: Funnel::default(),
            customer_ids: Ids::Integer(vec![]),
            product_ids: self.products().clone(),
            customers: vec![],
        }
    }
}

/// The days of a history that a night knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownDays {
    first: Day,
    until: AsOf,
}

impl KnownDays {
    /// The last of them.
    pub(super) fn until(self) -> AsOf {
        self.until
    }

    /// What is known of a partition.
    pub(super) fn of<T>(self, partition: &Purchases, look: impl FnOnce(&History<'_>) -> T) -> T {
        look(&partition.since(self.first).until(self.until))
    }
}

/// The first walk of a night.
pub(super) struct NightSurvey<'m> {
    known: KnownDays,
    summary: NightSummaryBuilder<'m>,
    purchase_counts: PurchaseCounts,
    tifuknn_pool: Option<PoolDraw>,
}

impl<'m> NightSurvey<'m> {
    pub(super) fn new(
        night: AsOf,
        models: &[(&str, &'m Model)],
        conditions: &Conditions<'_>,
    ) -> Self {
        let products = conditions.products().len();
        let models = models.iter().map(|(_, model)| *model);
        Self {
            known: conditions.known_on(night),
            summary: NightSummaryBuilder::new(models, products, night, &conditions.rule),
            purchase_counts: PurchaseCounts::new(products),
            tifuknn_pool: conditions.with_tifuknn.then(|| PoolDraw::new(POOL)),
        }
    }

    pub(super) fn add(&mut self, partition: &Purchases) {
        self.known.of(partition, |known| {
            self.summary.add(known);
            self.purchase_counts.add(known);
            if let Some(pool) = &mut self.tifuknn_pool {
                pool.add(known);
            }
        });
    }

    pub(super) fn population(&self) -> &PopulationSummary {
        self.summary.population()
    }

    /// Begins the second walk, which scores these customers.
    pub(super) fn score(
        self,
        mut customers: Vec<u32>,
        conditions: &Conditions<'_>,
    ) -> Result<NightScoring<'m>> {
        let products = conditions.products();
        let night = self.population().as_of;
        sort_as_text(&mut customers, conditions.all.customers());
        Ok(NightScoring {
            night,
            known: self.known,
            customers,
            scorers: self.summary.scorers(products)?,
            global: GlobalFrequency::of(&self.purchase_counts, &conditions.order),
            tifuknn: self.tifuknn_pool.map(|drawn| {
                TifuknnBuilder::new(drawn, TifuknnParameters::default(), products.len())
            }),
            gathered: GatheredRows::default(),
        })
    }
}

/// The second walk of a night.
pub(super) struct NightScoring<'m> {
    night: AsOf,
    known: KnownDays,
    /// In the order of the rows.
    customers: Vec<u32>,
    scorers: Vec<NightScorer<'m>>,
    global: GlobalFrequency,
    tifuknn: Option<TifuknnBuilder>,
    gathered: GatheredRows,
}

impl NightScoring<'_> {
    /// Scores the customers of a partition. `predictions` is where predictions stay until they are
    /// rows.
    pub(super) fn add(
        &mut self,
        partition: &Purchases,
        conditions: &Conditions<'_>,
        predictions: &mut Predictions,
    ) -> Result<()> {
        self.known.of(partition, |known| {
            if let Some(tifuknn) = &mut self.tifuknn {
                tifuknn.add(known);
            }
            let (positions, present) = customers_in(known, &self.customers);
            let actuals = actuals_of(partition, self.night, present, conditions);
            let mut rows = vec![];
            for scorer in &self.scorers {
                scorer.predict_partition(known, &actuals.customers, predictions);
                rows.push(prediction_rows(predictions, conditions.all, &actuals)?);
            }
            rows.extend(baseline_rows(known, &actuals, &self.global, conditions));
            self.gathered.add(positions, rows);
            Ok(())
        })
    }

    /// The rows of the models, then those of [`BASELINES`]; and what the third walk begins with,
    /// unless TIFUKNN is left out.
    pub(super) fn finish(self) -> (MeasuredNight, Option<TifuknnScoring>) {
        let measured = MeasuredNight {
            night: self.night,
            rows: self.gathered.finish(),
        };
        let tifuknn = self.tifuknn.map(|builder| TifuknnScoring {
            night: self.night,
            known: self.known,
            customers: self.customers,
            model: builder.finish(),
            gathered: GatheredRows::default(),
        });
        (measured, tifuknn)
    }
}

/// The rows of one night.
pub(super) struct MeasuredNight {
    pub(super) night: AsOf,
    /// Of the models, then of [`BASELINES`], then of [`TIFUKNN`].
    pub(super) rows: Vec<NightRows>,
}

/// The third walk of a night.
pub(super) struct TifuknnScoring {
    night: AsOf,
    known: KnownDays,
    /// In the order of the rows.
    customers: Vec<u32>,
    model: Tifuknn,
    gathered: GatheredRows,
}

impl TifuknnScoring {
    /// Scores the customers of a partition.
    pub(super) fn add(&mut self, partition: &Purchases, conditions: &Conditions<'_>) {
        self.known.of(partition, |known| {
            let (positions, present) = customers_in(known, &self.customers);
            let actuals = actuals_of(partition, self.night, present, conditions);
            let lists = self
                .model
                .lists(known, &actuals.customers, &conditions.order);
            let rows = list_rows(&actuals, &lists);
            self.gathered.add(positions, vec![rows]);
        });
    }

    /// The rows of TIFUKNN.
    pub(super) fn finish(self) -> Vec<NightRows> {
        self.gathered.finish()
    }
}

/// What those customers of a night who are in a partition did afterwards.
fn actuals_of(
    partition: &Purchases,
    night: AsOf,
    present: Vec<u32>,
    conditions: &Conditions<'_>,
) -> Actuals {
    let all = partition.until(conditions.all.as_of());
    Actuals::in_partition(&all, conditions.last, night, present)
}

/// The rows of each of [`BASELINES`].
fn baseline_rows(
    known: &History<'_>,
    actuals: &Actuals,
    global: &GlobalFrequency,
    conditions: &Conditions<'_>,
) -> [NightRows; BASELINES.len()] {
    let (customers, order) = (&actuals.customers, &conditions.order);
    let medians = std::iter::repeat_n(conditions.population_median, customers.len());
    [
        timing_rows(actuals, medians),
        timing_rows(actuals, personal_gap(known, customers, TypicalGap::Median)),
        timing_rows(actuals, personal_gap(known, customers, TypicalGap::Mean)),
        list_rows(actuals, &personal_frequency(known, customers, 1.0, order)),
        list_rows(actuals, &global.lists(known, customers, order)),
        list_rows(actuals, &personal_frequency(known, customers, DECAY, order)),
    ]
}

/// Rows of a list of products for each customer.
fn list_rows(actuals: &Actuals, lists: &[Vec<u32>]) -> NightRows {
    basket_rows(actuals, lists.iter().map(Vec::as_slice))
}

/// Rows of one night as they come, partition by partition.
#[derive(Default)]
struct GatheredRows {
    /// The place of each row among those of the night.
    positions: Vec<usize>,
    /// Of each contender, rows in the order in which they came.
    contenders: Vec<NightRows>,
}

impl GatheredRows {
    /// Adds the rows of a partition, the same number for each contender.
    fn add(&mut self, positions: Vec<usize>, contenders: Vec<NightRows>) {
        self.positions.extend(positions);
        if self.contenders.is_empty() {
            self.contenders = contenders;
            return;
        }
        for (own, more) in self.contenders.iter_mut().zip(contenders) {
            own.rows.extend(more.rows);
            own.listed_products.extend(more.listed_products);
        }
    }

    /// The rows of each contender, in an order that does not depend on the partitions.
    fn finish(self) -> Vec<NightRows> {
        let Self {
            positions,
            mut contenders,
        } = self;
        for night in &mut contenders {
            let rows = positions.iter().zip(std::mem::take(&mut night.rows));
            let mut rows: Vec<_> = rows.collect();
            rows.sort_unstable_by_key(|(position, _)| **position);
            night.rows = rows.into_iter().map(|(_, row)| row).collect();
            // As they are published: by ascending customer, and each customer's in their order.
            night
                .listed_products
                .sort_by_key(|product| product.customer);
        }
        contenders
    }
}
