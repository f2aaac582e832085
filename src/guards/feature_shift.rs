//! Features of the recurrent customers beside those of the training: the population stability index.
//!
//! The index of a feature is Σ (p − q) · ln(p / q) over bins, of which the training's customers
//! have the shares q and those of the night the shares p (Siddiqi, *Credit Risk Scorecards*, 2006,
//! who calls values above .25 a shift that must be looked into). Between two samples of n and m of
//! one population it is about χ² with bins − 1 degrees of freedom, times 1/n + 1/m (Yurdakul &
//! Naranjo, *Statistical properties of the population stability index*, Journal of Risk Model
//! Validation 14(4), 2020): its mean is subtracted, and what chance alone may give counts as none.

use serde::{Deserialize, Serialize};

use super::{GuardFinding, GuardSettings};

/// Bins of a feature: deciles of the training's values, fewer where values are equal.
const BINS: usize = 10;

/// Fewer customers say nothing of a distribution.
const FEWEST_CUSTOMERS: usize = 50;

/// Chance alone moves an index by so many of its standard deviations at most, however many features
/// there are.
const BY_CHANCE: f64 = 5.0;

/// So many features are named.
const NAMED: usize = 5;

/// Features of some rows: a customer's rows weigh 1 in all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureColumns {
    names: Vec<String>,
    /// Row-major.
    values: Vec<f32>,
    weights: Vec<f32>,
}

impl FeatureColumns {
    /// No rows yet, of these features.
    #[must_use]
    pub fn new(names: Vec<String>) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl Iterator<Item = f32>, weight: f32) {
        self.values.extend(row);
        self.weights.push(weight);
    }

    /// Adds the rows of others, which have the same features.
    pub fn append(&mut self, others: &Self) {
        self.values.extend_from_slice(&others.values);
        self.weights.extend_from_slice(&others.weights);
    }

    /// The values of a feature with their weights.
    fn column(&self, at: usize) -> impl Iterator<Item = (f32, f64)> {
        let values = self.values.iter().skip(at);
        let values = values.step_by(self.names.len().max(1));
        values
            .zip(&self.weights)
            .map(|(value, weight)| (*value, f64::from(*weight)))
    }
}

/// The features of a sample of the recurrent customers of a night.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureRows {
    /// How many customers.
    pub customers: usize,
    /// Tables of features, which differ in their rows.
    pub tables: Vec<FeatureColumns>,
}

/// How a feature was spread over the customers of the training's night.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct FeatureBins {
    name: String,
    /// The largest value of each bin but the last, ascending.
    edges: Vec<f32>,
    /// The share of each bin.
    shares: Vec<f64>,
}

impl FeatureBins {
    /// `None` if all values are about equal.
    fn new(name: &str, values: impl Iterator<Item = (f32, f64)>) -> Option<Self> {
        let mut values: Vec<(f32, f64)> = values.collect();
        values.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
        let all: f64 = values.iter().map(|(_, weight)| weight).sum();
        let (mut edges, mut sum, mut full): (Vec<f32>, f64, f64) = (vec![], 0.0, 1.0);
        for equal in values.chunk_by(|one, other| one.0 == other.0) {
            sum += equal.iter().map(|(_, weight)| weight).sum::<f64>();
            // How many bins are full by now, but for what rounding takes.
            let bins = sum / all * BINS as f64 + 1e-6;
            if bins >= full {
                edges.extend(equal.first().map(|(value, _)| *value));
                full = bins.floor() + 1.0;
            }
        }
        // Nothing is above the largest value.
        if edges.last() == values.last().map(|(value, _)| value) {
            edges.pop();
        }
        let mut bins = Self {
            name: name.to_owned(),
            edges,
            shares: vec![],
        };
        bins.shares = bins.shares_of(values.into_iter());
        for share in &mut bins.shares {
            *share = crate::stats::rounded(*share, 6);
        }
        (!bins.edges.is_empty()).then_some(bins)
    }

    fn shares_of(&self, values: impl Iterator<Item = (f32, f64)>) -> Vec<f64> {
        let (mut shares, mut all) = (vec![0.0; self.edges.len() + 1], 0.0);
        for (value, weight) in values {
            let bin = self.edges.partition_point(|edge| *edge < value);
            if let Some(share) = shares.get_mut(bin) {
                *share += weight;
            }
            all += weight;
        }
        let all = f64::max(all, f64::MIN_POSITIVE);
        shares.iter().map(|share| share / all).collect()
    }
}

/// What the features of the customers were like on the night up to which a model was trained: kept in
/// its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingFeatures {
    customers: usize,
    bins: Vec<FeatureBins>,
}

impl TrainingFeatures {
    /// Of the customers of the training's night; `None` if there are too few.
    #[must_use]
    pub fn new(rows: &FeatureRows) -> Option<Self> {
        let bins = rows.tables.iter().flat_map(|table| {
            let names = table.names.iter().enumerate();
            names.filter_map(|(at, name)| FeatureBins::new(name, table.column(at)))
        });
        (rows.customers >= FEWEST_CUSTOMERS).then(|| Self {
            customers: rows.customers,
            bins: bins.collect(),
        })
    }

    /// How far each feature has shifted beyond chance, the farthest first; nothing if there are too
    /// few customers.
    #[must_use]
    pub fn shifts(&self, rows: &FeatureRows) -> Vec<FeatureShift> {
        if rows.customers < FEWEST_CUSTOMERS {
            return vec![];
        }
        let columns = rows.tables.iter().flat_map(|table| {
            let names = table.names.iter().enumerate();
            names.map(move |(at, name)| (name, table, at))
        });
        let mut shifts: Vec<FeatureShift> = columns
            .filter_map(|(name, table, at)| {
                let bins = self.bins.iter().find(|bins| bins.name == *name)?;
                Some(FeatureShift {
                    index: self.index_beyond_chance(bins, table.column(at), rows.customers),
                    name: name.clone(),
                })
            })
            .collect();
        shifts.sort_by(|one, other| other.index.total_cmp(&one.index));
        shifts
    }

    /// The index less what is expected of chance; 0 if chance may give as much.
    fn index_beyond_chance(
        &self,
        bins: &FeatureBins,
        values: impl Iterator<Item = (f32, f64)>,
        customers: usize,
    ) -> f64 {
        let freedom = bins.edges.len() as f64;
        let scale = 1.0 / self.customers as f64 + 1.0 / customers as f64;
        let smoothed = |share: f64, of: usize| {
            let (of, bins) = (of as f64, freedom + 1.0);
            (share * of + 0.5) / (of + 0.5 * bins)
        };
        let shares = bins.shares_of(values);
        let index: f64 = shares
            .iter()
            .zip(&bins.shares)
            .map(|(now, trained)| {
                let (now, trained) = (
                    smoothed(*now, customers),
                    smoothed(*trained, self.customers),
                );
                (now - trained) * (now / trained).ln()
            })
            .sum();
        let beyond = index - freedom * scale;
        match beyond > BY_CHANCE * (2.0 * freedom).sqrt() * scale {
            true => beyond,
            false => 0.0,
        }
    }
}

/// How far a feature has shifted.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureShift {
    /// The feature, as model files list it.
    pub name: String,
    /// Its population stability index beyond chance.
    pub index: f64,
}

/// The features that have shifted too far, in one finding.
pub(super) fn finding(shifts: &[FeatureShift], settings: &GuardSettings) -> Option<GuardFinding> {
    let limit = settings.max_feature_shift;
    let far = shifts.iter().filter(|shift| shift.index > limit);
    let count = far.clone().count();
    let most = far.clone().next()?;
    let mut named: Vec<String> = far
        .take(NAMED)
        .map(|shift| format!("{} {:.2}", shift.name, shift.index))
        .collect();
    if count > NAMED {
        named.push(format!("{} more", count - NAMED));
    }
    let text = format!(
        "the customers' features are not as in the training, by a population stability index above {limit} (max_feature_shift): {}. If the store has changed, train again",
        named.join(", ")
    );
    Some(GuardFinding::warn(
        "shifted-features",
        most.index,
        limit,
        text,
    ))
}
