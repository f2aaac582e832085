//! What arms of a size can show, and how large and how long a campaign has to be.
//!
//! The offers of one customer are alike, so that ten of them tell less than ten of ten customers: by
//! the design effect 1 + (m − 1) ρ, where m is the number of a customer's offers, and ρ how alike
//! they are (Kish, *Survey Sampling*, 1965). A difference is visible if it is found, at 5 %, in 80 of
//! 100 cases.

use serde::Serialize;

use super::estimate::{ClusterTotals, Z_80, Z_95};
use super::{Arm, CampaignOutcomes, LiftArms, bought_clusters};

/// How alike the offers of one customer are, before a campaign says it.
const ASSUMED_LIKENESS: f64 = 0.05;
/// Weeks after which a control arm should show something.
const LOOKED_AHEAD_WEEKS: f64 = 4.0;
/// A control arm that shows only larger differences than this, in the share of offers that are bought,
/// teaches nothing: few offers bring as much.
const SANE_EFFECT: f64 = 0.05;
/// The shares of customers in the control arm for which weeks are given.
const SHARES: [f64; 5] = [0.05, 0.1, 0.2, 0.3, 0.5];
/// Longer campaigns are not thought about: by then, the store is another.
const MOST_WEEKS: u32 = 104;

/// What a campaign needs to show an effect.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EffectPlan {
    /// The difference in the share of offers that are bought.
    pub effect: f64,
    /// Share of the customers in the control arm so far.
    pub control_share: f64,
    /// Weeks of the campaign so far.
    pub weeks: f64,
    /// How alike the offers of one customer are, 0 to 1.
    pub likeness: f64,
    /// The share of the customers that would have to be in the control arm to show the effect in these
    /// weeks; `None` if half of them are too few.
    pub control_share_needed: Option<f64>,
    /// Weeks that the campaign needs, by share of the customers in the control arm.
    pub weeks_needed: Vec<WeeksNeeded>,
}

/// How long a campaign has to be with a control arm of a size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WeeksNeeded {
    /// Share of the customers in the control arm.
    pub control_share: f64,
    /// Weeks; `None` if two years are too few.
    pub weeks: Option<u32>,
}

/// A campaign as far as its size matters.
#[derive(Debug, Clone, Copy)]
struct CampaignSize {
    customers: f64,
    control_share: f64,
    /// Offers to each customer a week.
    offers_a_week: f64,
    /// Share of the offers that are bought.
    share: f64,
    /// How alike the offers of one customer are.
    likeness: f64,
    /// How much larger the number of a customer's offers is that an offer sees than its mean.
    unevenness: f64,
}

impl CampaignSize {
    /// The smallest difference that is visible after some weeks.
    fn smallest_visible(&self, weeks: f64) -> f64 {
        let offers = self.offers_a_week * weeks;
        let alike = (self.unevenness * offers - 1.0).max(0.0);
        let design = 1.0 + self.likeness * alike;
        let control = self.control_share * self.customers * offers;
        let treatment = (1.0 - self.control_share) * self.customers * offers;
        let variance = self.share * (1.0 - self.share) * design * (1.0 / control + 1.0 / treatment);
        (Z_95 + Z_80) * variance.sqrt()
    }

    /// The weeks after which an effect is visible.
    fn weeks_needed(&self, effect: f64) -> Option<u32> {
        (1..=MOST_WEEKS).find(|weeks| self.smallest_visible(f64::from(*weeks)) <= effect)
    }
}

impl EffectPlan {
    /// What a campaign like this one needs to show an effect; `None` if it has no customers in one of
    /// the arms.
    #[must_use]
    pub fn new(outcomes: &CampaignOutcomes, effect: f64) -> Option<Self> {
        let weeks = f64::from(outcomes.days?.days()) / 7.0;
        let all = outcomes.customers.len();
        let of_control = outcomes.customers.iter();
        let of_control = of_control.filter(|customer| customer.arm == Arm::Control);
        let control_share = of_control.count() as f64 / all.max(1) as f64;
        if control_share <= 0.0 || control_share >= 1.0 {
            return None;
        }
        let clusters = bought_clusters(outcomes.offers.iter(), LiftArms::Customers);
        let size = size_of(&clusters, all as f64, control_share, weeks)?;
        let with_share = |control_share: f64| CampaignSize {
            control_share,
            ..size
        };
        let mut hundredths = (1..=50_u8).map(|share| f64::from(share) / 100.0);
        Some(Self {
            effect,
            control_share,
            weeks,
            likeness: size.likeness,
            control_share_needed: hundredths
                .find(|share| with_share(*share).smallest_visible(weeks) <= effect),
            weeks_needed: SHARES
                .map(|control_share| WeeksNeeded {
                    control_share,
                    weeks: with_share(control_share).weeks_needed(effect),
                })
                .into(),
        })
    }
}

/// How large a campaign is, and how alike the offers of one customer are in it.
fn size_of(
    clusters: &[ClusterTotals],
    customers: f64,
    control_share: f64,
    weeks: f64,
) -> Option<CampaignSize> {
    let both = clusters.iter();
    let both = both.flat_map(|cluster| [cluster.treatment, cluster.control]);
    let (mut bought, mut offers, mut squared_sizes) = (0.0, 0.0, 0.0);
    for arm in both.clone() {
        bought += arm.outcome;
        offers += arm.size;
        squared_sizes += arm.size.powi(2);
    }
    let share = bought / offers;
    if !(share > 0.0 && share < 1.0) {
        return None;
    }
    let mut squares = 0.0;
    for arm in both {
        squares += (arm.outcome - share * arm.size).powi(2);
    }
    let design = squares / (offers * share * (1.0 - share));
    let seen = squared_sizes / offers;
    let likeness = match seen > 1.0 {
        true => ((design - 1.0) / (seen - 1.0)).clamp(0.0, 1.0),
        false => 0.0,
    };
    let a_customer = offers / customers;
    Some(CampaignSize {
        customers,
        control_share,
        offers_a_week: a_customer / weeks,
        share,
        likeness,
        unevenness: (seen / a_customer).max(1.0),
    })
}

/// What to say before sending if the control arm is too small to show anything; `None` if it is not,
/// or if there is none. `offers_a_week` is how many offers a customer gets, and `share` how many of them
/// are bought anyway.
#[must_use]
pub fn small_arm(
    customers: usize,
    of_control: usize,
    offers_a_week: f64,
    share: f64,
) -> Option<String> {
    if of_control == 0 || of_control >= customers || offers_a_week <= 0.0 {
        return None;
    }
    let size = CampaignSize {
        customers: customers as f64,
        control_share: of_control as f64 / customers as f64,
        offers_a_week,
        share: share.clamp(0.05, 0.95),
        likeness: ASSUMED_LIKENESS,
        unevenness: 1.0,
    };
    let smallest = size.smallest_visible(LOOKED_AHEAD_WEEKS);
    if smallest <= SANE_EFFECT {
        return None;
    }
    let mut shares = (1..=10_u8).map(|twentieth| f64::from(twentieth) / 20.0);
    let enough = shares.find(|control_share| {
        let larger = CampaignSize {
            control_share: *control_share,
            ..size
        };
        larger.smallest_visible(LOOKED_AHEAD_WEEKS) <= SANE_EFFECT
    });
    let way_out = match (enough, size.weeks_needed(SANE_EFFECT)) {
        (Some(share), Some(weeks)) => {
            format!("set control_share = {share} under [offers], or wait for {weeks} weeks")
        }
        (None, Some(weeks)) => format!("wait for {weeks} weeks"),
        (Some(share), None) => format!("set control_share = {share} under [offers]"),
        (None, None) => "there would have to be more customers".to_owned(),
    };
    Some(format!(
        "the control arm has {of_control} of {customers} customers: in {LOOKED_AHEAD_WEEKS:.0} weeks it can only show offers that raise the share of products bought by {:.0} points or more; to see {:.0} points, {way_out}",
        (100.0 * smallest).ceil(),
        100.0 * SANE_EFFECT
    ))
}
