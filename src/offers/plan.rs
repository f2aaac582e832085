//! A plan that stands: what earlier offers a night keeps to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Arm, OfferDates, OfferParameters, Strategy};
use crate::calendar::{AsOf, Day};
use crate::domain::{Id, OwnedId};

/// An offer of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedOffer {
    /// When it is sent, and how long it is valid.
    pub dates: OfferDates,
    /// Product code of the night that keeps to the plan.
    pub product: u32,
    /// Which strategy chose it.
    pub strategy: Strategy,
}

/// The offers of some days, as they were planned on a night.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingPlan {
    as_of: AsOf,
    last: Day,
    /// By ascending id of the customer.
    customers: Vec<(OwnedId, Vec<PlannedOffer>)>,
}

impl StandingPlan {
    /// A plan that was made on a night and sends up to a day.
    #[must_use]
    pub fn new(as_of: AsOf, last: Day, customers: BTreeMap<OwnedId, Vec<PlannedOffer>>) -> Self {
        Self {
            as_of,
            last,
            customers: customers.into_iter().collect(),
        }
    }

    /// The night on which it was made.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        self.as_of
    }

    /// The last day on which it sends.
    #[must_use]
    pub fn last(&self) -> Day {
        self.last
    }

    /// The customers, each with the offers that are planned.
    pub fn customers(&self) -> impl Iterator<Item = (Id<'_>, &[PlannedOffer])> {
        let customers = self.customers.iter();
        customers.map(|(id, offers)| (id.as_id(), offers.as_slice()))
    }

    /// What is planned for a customer after a night.
    pub(super) fn after(&self, customer: Id<'_>, as_of: AsOf) -> Vec<PlannedOffer> {
        let find = |(known, _): &(OwnedId, Vec<PlannedOffer>)| known.as_id().cmp(&customer);
        let offers = self.customers.binary_search_by(find).ok();
        let offers = offers.and_then(|at| self.customers.get(at));
        let offers = offers.into_iter().flat_map(|(_, offers)| offers);
        offers
            .filter(|offer| offer.dates.send_on > as_of.day())
            .copied()
            .collect()
    }
}

/// How the offers of the next morning differ from what was planned for it. The control arm, to which
/// nothing is sent, is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PlanChanges {
    /// Offers that were planned for the morning.
    pub planned: usize,
    /// Of these, those that are sent.
    pub kept: usize,
    /// Of these, those to customers who came since.
    pub came_since: usize,
    /// Offers that are sent and were not planned: customers came since.
    pub added: usize,
}

impl PlanChanges {
    /// Of a morning of which nothing is known yet but the plan.
    pub(super) fn new(plan: &StandingPlan, as_of: AsOf, parameters: &OfferParameters) -> Self {
        let morning = as_of.day() + 1;
        let treated = plan.customers().filter(|(id, _)| {
            Arm::of(*id, &parameters.salt, parameters.control_share) == Arm::Treatment
        });
        let planned = treated.flat_map(|(_, offers)| offers);
        Self {
            planned: planned
                .filter(|offer| offer.dates.send_on == morning)
                .count(),
            ..Self::default()
        }
    }

    /// Planned offers that are sent no more, although the customer has not come since.
    #[must_use]
    pub fn withdrawn(&self) -> usize {
        self.planned
            .saturating_sub(self.kept)
            .saturating_sub(self.came_since)
    }
}
