//! The budget of a morning: the offers that are worth most for what they cost are sent, the others are
//! held back.

use std::cmp::Ordering;

use super::{Action, Offer};
use crate::calendar::Day;
use crate::domain::Predictions;
use crate::sampling::Draw;

/// What an offer is expected to be worth for each unit of money that it costs if it changes nothing.
///
/// An offer is taken to shift the log-odds of a purchase, by the same for all. Then the rise of a
/// probability p is in proportion to p (1 − p), and the worth of the purchases won, divided by the
/// cost p · discount · price, is in proportion to (1 − p) (margin − discount) / discount.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum OfferWorth {
    /// What is left of the margin, for the cost.
    Margin(f64),
    /// The margin is not known: the turnover, for the cost.
    Turnover(f64),
    /// The discount takes all of the margin.
    Nothing,
}

impl OfferWorth {
    pub(super) fn new(p_window: f64, discount: f64, margin: Option<f64>) -> Self {
        let for_cost = |worth: f64| match discount > 0.0 {
            true => (1.0 - p_window) * worth / discount,
            false => f64::INFINITY,
        };
        match margin {
            Some(margin) if margin > discount => Self::Margin(for_cost(margin - discount)),
            Some(_) => Self::Nothing,
            None => Self::Turnover(for_cost(1.0)),
        }
    }

    /// The worth most first: offers whose margin is known before those whose is not, and those that
    /// cannot pay last.
    fn most_first(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Margin(one), Self::Margin(other))
            | (Self::Turnover(one), Self::Turnover(other)) => other.total_cmp(&one),
            (one, other) => one.class().cmp(&other.class()),
        }
    }

    fn class(self) -> u8 {
        match self {
            Self::Margin(_) => 0,
            Self::Turnover(_) => 1,
            Self::Nothing => 2,
        }
    }
}

/// An offer that the budget may hold back.
#[derive(Debug, Clone, Copy)]
struct BudgetCandidate {
    /// Its place among all of the night.
    place: usize,
    send_on: Day,
    worth: OfferWorth,
    /// Decides between offers that are worth the same.
    draw: u64,
    cost: Option<f64>,
    is_planned: bool,
    /// Whether it is sent, and costs something: those of the control arm are held back by the same
    /// rule, so that the arms differ in nothing but the sending.
    is_sent: bool,
}

/// The offers of a night that a budget may hold back: all are looked at before any is decided on.
#[derive(Debug, Clone)]
pub(super) struct OfferBudget {
    limit: f64,
    seed: u64,
    candidates: Vec<BudgetCandidate>,
    /// Whether each is held back, once that is decided.
    held_back: Option<Vec<bool>>,
    /// How many of those were asked for.
    asked: usize,
}

impl OfferBudget {
    pub(super) fn new(limit: f64, seed: u64) -> Self {
        Self {
            limit,
            seed,
            candidates: vec![],
            held_back: None,
            asked: 0,
        }
    }

    /// Looks at an offer that is due within the days of the budget.
    pub(super) fn look(&mut self, offer: &Offer, worth: OfferWorth, predictions: &Predictions) {
        let Some(dates) = offer.dates else { return };
        let keys = [
            predictions.customer_ids.key(offer.customer),
            predictions.product_ids.key(offer.product),
        ];
        self.candidates.push(BudgetCandidate {
            place: self.candidates.len(),
            send_on: dates.send_on,
            worth,
            draw: Draw::OfferBudget.hash(self.seed, &keys),
            cost: offer.expected_cost,
            is_planned: offer.planned,
            is_sent: offer.is_treated(),
        });
    }

    /// Whether nothing was looked at yet.
    pub(super) fn is_empty(&self) -> bool {
        self.candidates.is_empty() && !self.is_settled()
    }

    /// Whether it was decided which are held back.
    pub(super) fn is_settled(&self) -> bool {
        self.held_back.is_some()
    }

    /// Decides: for each day on which offers are sent, those that are worth most for their cost, as
    /// long as the budget reaches. One that costs more than is left is passed over.
    pub(super) fn settle(&mut self) {
        let mut order = std::mem::take(&mut self.candidates);
        order.sort_by(|one, other| {
            let by_day = one.send_on.cmp(&other.send_on);
            by_day
                // What was planned is kept.
                .then_with(|| other.is_planned.cmp(&one.is_planned))
                .then_with(|| one.worth.most_first(other.worth))
                .then_with(|| one.draw.cmp(&other.draw))
                .then_with(|| one.place.cmp(&other.place))
        });
        let mut held_back = vec![false; order.len()];
        for of_day in order.chunk_by(|one, next| one.send_on == next.send_on) {
            let mut left = self.limit;
            for offer in of_day {
                let fits = offer.cost.is_some_and(|cost| cost <= left);
                if let Some(held) = held_back.get_mut(offer.place) {
                    *held = !fits;
                }
                if fits && offer.is_sent {
                    left -= offer.cost.unwrap_or_default();
                }
            }
        }
        self.held_back = Some(held_back);
    }

    /// Holds an offer back, if that was decided. Offers come in the order in which they were looked
    /// at.
    pub(super) fn decide(&mut self, offer: &mut Offer) {
        let held_back = self.held_back.as_deref().unwrap_or_default();
        let is_held_back = held_back.get(self.asked).copied().unwrap_or_default();
        self.asked += 1;
        if !is_held_back {
            return;
        }
        offer.action = Action::OverBudget;
        offer.dates = None;
        offer.due = false;
        offer.reason = match offer.expected_cost {
            Some(_) => format!("others are worth more within the budget of {}", self.limit),
            None => "what it costs is not known, and there is a budget".to_owned(),
        };
    }
}
