//! What offers brought: published offers beside the purchases that followed, one arm beside the
//! other.
//!
//! Two experiments are measured. **By customer**: the control arm's customers are sent nothing. **By
//! offer**: of the customers who are mailed, single offers are held back (`control_offer_share`). An
//! offer counts by the arm that was drawn for it, whatever happened to it later: only so do the arms
//! differ by chance alone. `estimate` says how intervals are made, `power` what arms of a size can
//! show, and `learned` how the next mix of offers follows from it.

mod estimate;
mod learned;
mod outcomes;
mod power;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

pub use estimate::{ArmDifference, ArmFigure};
pub use learned::{LearnedMix, LearnedStrategy};
pub use outcomes::{CampaignOutcomes, CustomerOutcome, OfferOutcome, OfferPrices};
pub use power::{EffectPlan, WeeksNeeded, small_arm};

use crate::offers::{Arm, Strategy};
use estimate::{ArmTotals, ClusterTotals, OutcomeKind, difference};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiftMeasure {
    /// Share of the offers whose product was bought while they were valid.
    Bought,
    /// Days with a purchase a week, from the customer's first mailing on.
    Visits,
    /// What was bought a week, by the latest price of each product of a basket.
    Spend,
    /// The margin of that, less the discounts.
    Margin,
}

impl LiftMeasure {
    /// The word in tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            LiftMeasure::Bought => "bought",
            LiftMeasure::Visits => "visits a week",
            LiftMeasure::Spend => "spend a week",
            LiftMeasure::Margin => "margin a week",
        }
    }
}

/// Which arms are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiftArms {
    /// Customers who are mailed and customers who are not.
    Customers,
    /// Offers that are sent and offers that are held back, of customers who are mailed.
    Offers,
    /// Offers that were really sent and those that were not. This is no experiment.
    AsTreated,
}

impl LiftArms {
    /// The word in tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            LiftArms::Customers => "customers",
            LiftArms::Offers => "offers",
            LiftArms::AsTreated => "as treated",
        }
    }
}

/// What an interval says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LiftVerdict {
    /// The whole interval lies above 0.
    More,
    /// The whole interval lies below 0.
    Less,
    /// 0 is within the interval.
    NoDifference,
    /// An arm has fewer than three customers.
    TooFew,
}

impl LiftVerdict {
    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            LiftVerdict::More => "more",
            LiftVerdict::Less => "less",
            LiftVerdict::NoDifference => "no difference can be seen",
            LiftVerdict::TooFew => "too few customers to say",
        }
    }
}

/// Of which offers a row speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "group", content = "value")]
pub enum LiftGroup {
    /// Of all.
    All,
    /// Of those of a strategy.
    Strategy(Strategy),
    /// Of those of a category.
    Category(String),
    /// Of those that were made in a month.
    Month(String),
}

impl LiftGroup {
    /// For people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            LiftGroup::All => "all".to_owned(),
            LiftGroup::Strategy(strategy) => strategy.word().to_owned(),
            LiftGroup::Category(category) => format!("category {category}"),
            LiftGroup::Month(month) => month.clone(),
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LiftRow {
    /// What is compared.
    pub measure: LiftMeasure,
    /// Which arms are.
    pub arms: LiftArms,
    /// Of which offers.
    #[serde(flatten)]
    pub of: LiftGroup,
    /// What the interval says.
    pub verdict: LiftVerdict,
    /// The figures; `None` if an arm has fewer than three customers.
    #[serde(flatten)]
    pub compared: Option<ArmDifference>,
}

impl LiftRow {
    fn new(
        measure: LiftMeasure,
        arms: LiftArms,
        of: LiftGroup,
        compared: Option<ArmDifference>,
    ) -> Self {
        let verdict = match &compared {
            None => LiftVerdict::TooFew,
            Some(compared) if compared.low > 0.0 => LiftVerdict::More,
            Some(compared) if compared.high < 0.0 => LiftVerdict::Less,
            Some(_) => LiftVerdict::NoDifference,
        };
        Self {
            measure,
            arms,
            of,
            verdict,
            compared,
        }
    }
}

/// All comparisons of a campaign: of all offers, then by strategy, category and month. Where nothing
/// was held back in one of the two ways, it has no rows.
#[must_use]
pub fn lift_rows(outcomes: &CampaignOutcomes) -> Vec<LiftRow> {
    let all = LiftGroup::All;
    let mut rows = vec![bought_row(
        outcomes.offers.iter(),
        LiftArms::Customers,
        all.clone(),
    )];
    rows.extend(customer_rows(outcomes));
    let mut designs = vec![LiftArms::Customers];
    let holds_back = |outcome: &OfferOutcome| outcome.offer.offer_arm == Arm::Control;
    if outcomes.offers.iter().any(holds_back) {
        designs.push(LiftArms::Offers);
    }
    if outcomes
        .offers
        .iter()
        .any(|outcome| outcome.was_sent.is_some())
    {
        designs.push(LiftArms::AsTreated);
    }
    for arms in designs.iter().skip(1) {
        rows.push(bought_row(outcomes.offers.iter(), *arms, all.clone()));
    }
    let mut groups = BTreeMap::<LiftGroup, Vec<&OfferOutcome>>::new();
    for outcome in &outcomes.offers {
        for group in groups_of(outcome) {
            groups.entry(group).or_default().push(outcome);
        }
    }
    for (group, of_group) in groups {
        for arms in designs.iter().filter(|arms| **arms != LiftArms::AsTreated) {
            rows.push(bought_row(of_group.iter().copied(), *arms, group.clone()));
        }
    }
    rows
}

/// The groups that an offer belongs to, besides all.
fn groups_of(outcome: &OfferOutcome) -> Vec<LiftGroup> {
    let offer = &outcome.offer;
    let mut groups = vec![
        LiftGroup::Strategy(offer.strategy),
        LiftGroup::Month(offer.night.day().month().to_string()),
    ];
    let category = offer.category.as_ref();
    groups.extend(category.map(|name| LiftGroup::Category(name.to_string())));
    groups
}

fn bought_row<'a>(
    outcomes: impl Iterator<Item = &'a OfferOutcome>,
    arms: LiftArms,
    of: LiftGroup,
) -> LiftRow {
    let clusters = bought_clusters(outcomes, arms);
    let compared = difference(&clusters, OutcomeKind::Share);
    LiftRow::new(LiftMeasure::Bought, arms, of, compared)
}

/// The offers of each customer by arm, and how many of their products were bought.
fn bought_clusters<'a>(
    outcomes: impl Iterator<Item = &'a OfferOutcome>,
    arms: LiftArms,
) -> Vec<ClusterTotals> {
    let mut clusters = BTreeMap::<u32, ClusterTotals>::new();
    for outcome in outcomes {
        let offer = &outcome.offer;
        let arm = match arms {
            // Of the control arm all count: each was held back, whatever its own arm.
            LiftArms::Customers if offer.arm == Arm::Control => Arm::Control,
            LiftArms::Customers if offer.offer_arm == Arm::Control => continue,
            LiftArms::Customers => Arm::Treatment,
            LiftArms::Offers if offer.arm == Arm::Control => continue,
            LiftArms::Offers => offer.offer_arm,
            LiftArms::AsTreated => match outcome.was_sent {
                Some(true) => Arm::Treatment,
                Some(false) => Arm::Control,
                None => continue,
            },
        };
        let cluster = clusters.entry(offer.customer).or_default();
        let totals = match arm {
            Arm::Treatment => &mut cluster.treatment,
            Arm::Control => &mut cluster.control,
        };
        totals.add(f64::from(u8::from(outcome.bought)), 1.0);
    }
    clusters.into_values().collect()
}

/// Visits, spend and margin by customer.
fn customer_rows(outcomes: &CampaignOutcomes) -> Vec<LiftRow> {
    let measures = [LiftMeasure::Visits, LiftMeasure::Spend, LiftMeasure::Margin];
    let rows = measures.into_iter().filter_map(|measure| {
        let clusters: Vec<ClusterTotals> = outcomes
            .customers
            .iter()
            .map(|customer| customer_cluster(customer, measure))
            .collect::<Option<_>>()?;
        let compared = difference(&clusters, OutcomeKind::Amount);
        let arms = LiftArms::Customers;
        Some(LiftRow::new(measure, arms, LiftGroup::All, compared))
    });
    rows.collect()
}

/// `None` if the outcome is not known.
fn customer_cluster(customer: &CustomerOutcome, measure: LiftMeasure) -> Option<ClusterTotals> {
    let outcome = match measure {
        LiftMeasure::Bought | LiftMeasure::Visits => f64::from(customer.visits),
        LiftMeasure::Spend => customer.spend?,
        LiftMeasure::Margin => customer.margin?,
    };
    let totals = ArmTotals {
        outcome,
        size: customer.weeks,
    };
    let none = ArmTotals::default();
    Some(match customer.arm {
        Arm::Treatment => ClusterTotals {
            treatment: totals,
            control: none,
        },
        Arm::Control => ClusterTotals {
            treatment: none,
            control: totals,
        },
    })
}
