//! The mix of strategies that finished campaigns speak for.
//!
//! Of each strategy the uplift is estimated as what was sent less what was held back, in the share of
//! products bought while the offer is valid. Together with a prior by which small campaigns say little,
//! that gives a normal distribution of its true uplift. A strategy gets the share of the offers that is
//! the probability that it is the best one: Thompson sampling (Thompson, Biometrika 1933), computed by
//! seeded draws. No strategy gets less than a floor, so that what was wrong, or changes, is found out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::estimate::{ArmTotals, ClusterTotals, OutcomeKind, difference};
use super::{ArmDifference, CampaignOutcomes};
use crate::calendar::AsOf;
use crate::offers::{OfferMix, Strategy};
use crate::sampling::{Draw, unit};
use crate::stats::rounded;

/// The standard deviation of what is believed of an uplift before any campaign: few offers move the
/// share of purchases by more than twice this.
const PRIOR_DEVIATION: f64 = 0.1;
/// The least share of the offers that a strategy of the mix gets.
const FLOOR: f64 = 0.05;
/// How often all uplifts are drawn.
const DRAWS: u64 = 10_000;
/// Decimals that a model's file keeps: so many are read back as they were written.
const DECIMALS: usize = 6;

/// Shares of the offers that were learned from campaigns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearnedMix {
    /// The first night whose offers count.
    pub from: AsOf,
    /// The last one.
    pub to: AsOf,
    /// The strategies of the mix, in the order of [`Strategy`].
    pub strategies: Vec<LearnedStrategy>,
}

/// What campaigns say of a strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LearnedStrategy {
    /// The strategy.
    pub strategy: Strategy,
    /// Offers that were to be sent.
    pub sent: usize,
    /// Offers that were held back, in either way.
    pub held_back: usize,
    /// By how much more often the product of what was sent was bought; `None` if too few were.
    pub uplift: Option<f64>,
    /// Its standard error.
    pub standard_error: Option<f64>,
    /// Its share of the offers, 0 to 1.
    pub share: f64,
}

impl LearnedMix {
    /// The mix that finished campaigns speak for, among the strategies that `mix` uses. `None` if there
    /// are no offers.
    #[must_use]
    pub fn new(outcomes: &CampaignOutcomes, mix: &OfferMix, seed: u64) -> Option<Self> {
        let nights = outcomes.offers.iter().map(|outcome| outcome.offer.night);
        let (from, to) = (nights.clone().min()?, nights.max()?);
        let used = Strategy::ALL
            .into_iter()
            .filter(|strategy| mix.uses(*strategy));
        let mut strategies: Vec<LearnedStrategy> =
            used.map(|strategy| measured(outcomes, strategy)).collect();
        let best = chances_of_best(&strategies, seed);
        let spread = 1.0 - FLOOR * strategies.len() as f64;
        for (strategy, best) in strategies.iter_mut().zip(best) {
            strategy.share = rounded(FLOOR + spread * best, DECIMALS);
        }
        Some(Self {
            from,
            to,
            strategies,
        })
    }

    /// The mix of offers: the learned shares of the strategies that `mix` uses. It is `mix` itself if
    /// none of them is learned.
    #[must_use]
    pub fn applied_to(&self, mix: &OfferMix) -> OfferMix {
        let share = |wanted: Strategy| {
            let mut learned = self.strategies.iter();
            let learned = learned.find(|learned| learned.strategy == wanted);
            let share = learned.filter(|_| mix.uses(wanted));
            Some(share.map_or(0.0, |learned| learned.share))
        };
        let learned = OfferMix {
            likely: share(Strategy::Likely),
            overdue: share(Strategy::Overdue),
            winback: share(Strategy::Winback),
            new: share(Strategy::New),
        };
        match Strategy::ALL
            .into_iter()
            .any(|strategy| learned.uses(strategy))
        {
            true => learned,
            false => *mix,
        }
    }

    /// For people: the shares of the strategies.
    #[must_use]
    pub fn in_words(&self) -> String {
        let strategies = self.strategies.iter().map(|learned| {
            let uplift = match (learned.uplift, learned.standard_error) {
                (Some(uplift), Some(error)) => {
                    format!("{:+.1} ± {:.1} points", 100.0 * uplift, 196.0 * error)
                }
                _ => "not measured".to_owned(),
            };
            let word = learned.strategy.word();
            format!("{word} {:.0} % ({uplift})", 100.0 * learned.share)
        });
        let strategies: Vec<String> = strategies.collect();
        format!(
            "mix learned from offers of {} to {}: {}",
            self.from,
            self.to,
            strategies.join(", ")
        )
    }
}

/// What was sent of a strategy beside what was held back, without its share yet.
fn measured(outcomes: &CampaignOutcomes, strategy: Strategy) -> LearnedStrategy {
    let mut clusters = BTreeMap::<u32, ClusterTotals>::new();
    let (mut sent, mut held_back) = (0, 0);
    for outcome in &outcomes.offers {
        let offer = &outcome.offer;
        if offer.strategy != strategy {
            continue;
        }
        let cluster = clusters.entry(offer.customer).or_default();
        let totals: &mut ArmTotals = match offer.is_sent() {
            true => {
                sent += 1;
                &mut cluster.treatment
            }
            false => {
                held_back += 1;
                &mut cluster.control
            }
        };
        totals.add(f64::from(u8::from(outcome.bought)), 1.0);
    }
    let clusters: Vec<ClusterTotals> = clusters.into_values().collect();
    let compared: Option<ArmDifference> = difference(&clusters, OutcomeKind::Share);
    LearnedStrategy {
        strategy,
        sent,
        held_back,
        uplift: compared.map(|compared| rounded(compared.difference, DECIMALS)),
        standard_error: compared.map(|compared| rounded(compared.standard_error, DECIMALS)),
        share: 0.0,
    }
}

/// The probability that each strategy has the largest uplift.
fn chances_of_best(strategies: &[LearnedStrategy], seed: u64) -> Vec<f64> {
    let beliefs: Vec<(f64, f64)> = strategies.iter().map(belief).collect();
    let mut wins = vec![0_u32; strategies.len()];
    for draw in 0..DRAWS {
        let drawn = strategies.iter().zip(&beliefs).map(|(strategy, belief)| {
            let (mean, deviation) = *belief;
            mean + deviation * normal(seed, draw, strategy.strategy as u64)
        });
        let best = (0..)
            .zip(drawn)
            .max_by(|(_, one), (_, other)| one.total_cmp(other));
        if let Some(win) = best.and_then(|(at, _): (usize, f64)| wins.get_mut(at)) {
            *win += 1;
        }
    }
    let shares = wins.into_iter();
    shares.map(|wins| f64::from(wins) / DRAWS as f64).collect()
}

/// Mean and standard deviation of a strategy's true uplift: the estimate and the prior, each by its
/// precision.
fn belief(strategy: &LearnedStrategy) -> (f64, f64) {
    let prior = PRIOR_DEVIATION.powi(2);
    let (Some(uplift), Some(error)) = (strategy.uplift, strategy.standard_error) else {
        return (0.0, PRIOR_DEVIATION);
    };
    let variance = error.powi(2);
    let weight = prior / (prior + variance);
    (weight * uplift, (weight * variance).sqrt())
}

/// A draw from the standard normal distribution (Box & Muller 1958).
fn normal(seed: u64, draw: u64, strategy: u64) -> f64 {
    let [radius, angle] =
        [0, 1].map(|part| unit(Draw::ThompsonSampling.hash(seed, &[draw, strategy, part])));
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
