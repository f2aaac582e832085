//! Which of one customer's likely products are offered, and why not the others.

use super::mix::{STRATEGIES, Strategy};
use super::sent::{QUIET_WITHOUT_GAP, WEEK};
use super::window::OfferWindow;
use super::{
    Action, Arm, LONGEST_QUIET, Offer, OfferDates, OfferMaker, OfferParameters, PlannedOffer,
    SentToCustomer, StandingPlan,
};
use crate::calendar::{AsOf, Day};
use crate::domain::{CustomerPrediction, Ids, ProductPrediction, words};
use crate::sampling::Draw;

/// A product of the first so many in a customer's list may be certain.
pub(super) const CERTAIN_RANKS: usize = 3;

/// One customer on one night.
pub(super) struct CustomerChoice<'a> {
    maker: &'a OfferMaker<'a>,
    as_of: AsOf,
    customer: &'a CustomerPrediction,
    sent: SentToCustomer<'a>,
    may_mail: bool,
    /// Days from the night to the expected day.
    days_ahead: i32,
    /// The dates of whatever is offered.
    dates: OfferDates,
    window: OfferWindow<'a>,
    /// Whether the dates are due on the day after the night.
    is_due: bool,
    /// Why the customer is not mailed, or not again yet.
    held_back: Option<(Action, String)>,
}

/// Draws the arms of one customer's offers on one night.
#[derive(Clone, Copy)]
pub(super) struct OfferArms<'a> {
    /// The customer's own.
    pub(super) customer: Arm,
    pub(super) seed: u64,
    /// Of the customer's id.
    pub(super) key: u64,
    pub(super) products: &'a Ids,
}

impl OfferArms<'_> {
    /// The arm of an offer of a product that is sent on a day: the same in a plan and on the night
    /// that keeps to it.
    fn of(&self, product: u32, send_on: Day, control_share: f64) -> Arm {
        let send_on = i64::from(send_on.epoch()) as u64;
        let ids = [self.key, send_on, self.products.key(product)];
        match Draw::OfferArm.keeps(self.seed, &ids, control_share) {
            true => Arm::Control,
            false => Arm::Treatment,
        }
    }
}

/// The categories and brands of what is offered to a customer already.
#[derive(Default)]
struct ChosenGroups {
    categories: Vec<u32>,
    brands: Vec<u32>,
}

impl ChosenGroups {
    fn add(&mut self, maker: &OfferMaker<'_>, product: u32) {
        self.categories.extend(maker.categories.of(product));
        self.brands.extend(maker.brands.of(product));
    }
}

/// Whether as many offers are of a group as may be.
fn is_full(group: Option<u32>, chosen: &[u32], most: Option<usize>) -> bool {
    let (Some(group), Some(most)) = (group, most) else {
        return false;
    };
    chosen.iter().filter(|other| **other == group).count() >= most
}

/// What became of a product.
struct Considered {
    strategy: Strategy,
    action: Action,
    reason: String,
    p_window: f64,
}

impl<'a> CustomerChoice<'a> {
    pub(super) fn new(
        maker: &'a OfferMaker<'a>,
        as_of: AsOf,
        customer: &'a CustomerPrediction,
        sent: SentToCustomer<'a>,
    ) -> Self {
        let dates = dates(as_of, customer, &maker.parameters);
        Self {
            maker,
            as_of,
            customer,
            sent,
            may_mail: true,
            days_ahead: customer.expected(as_of) - as_of.day(),
            dates,
            window: OfferWindow::new(as_of, customer, dates),
            is_due: dates.send_on == as_of.day() + 1,
            held_back: too_soon(customer, sent, dates, &maker.parameters)
                .map(|reason| (Action::TooSoon, reason)),
        }
    }

    /// The same for a customer who may be mailed, or may not.
    pub(super) fn may_mail(self, may_mail: bool) -> Self {
        let opted_out = || (Action::OptedOut, "may not be mailed".to_owned());
        Self {
            held_back: if may_mail {
                self.held_back
            } else {
                Some(opted_out())
            },
            may_mail,
            ..self
        }
    }

    /// The same with the dates of a plan.
    fn on(&self, dates: OfferDates) -> Self {
        let too_soon = too_soon(self.customer, self.sent, dates, &self.maker.parameters);
        let planned = Self {
            dates,
            window: OfferWindow::new(self.as_of, self.customer, dates),
            is_due: dates.send_on == self.as_of.day() + 1,
            held_back: too_soon.map(|reason| (Action::TooSoon, reason)),
            ..*self
        };
        planned.may_mail(self.may_mail)
    }

    /// The same for a customer to whom a plan sends nothing: nothing is sent before it ends.
    pub(super) fn without_plan(self, plan: &StandingPlan) -> Self {
        let is_planned_for = self.dates.send_on <= plan.last();
        let not_planned = || {
            let reason = format!(
                "the plan of {}, which holds until {}, has no mailing to the customer",
                plan.as_of(),
                plan.last()
            );
            (Action::NotPlanned, reason)
        };
        let held_back = self.held_back.clone();
        Self {
            held_back: held_back.or_else(|| is_planned_for.then(not_planned)),
            ..self
        }
    }

    /// Adds the rows of what is planned for the customer, by rank: as planned, unless it may not be
    /// sent any more. What is no candidate any more is left out.
    pub(super) fn planned_offers(
        &self,
        arms: OfferArms<'_>,
        planned: &[PlannedOffer],
        offers: &mut Vec<Offer>,
    ) {
        let candidates = self.customer.products.iter().chain(&self.customer.further);
        for (rank, product) in (1..).zip(candidates) {
            let planned = planned
                .iter()
                .find(|offer| offer.product == product.product);
            let Some(planned) = planned else { continue };
            let choice = self.on(planned.dates);
            let never = choice.never_offered(product.product);
            let (action, reason) = never
                .or_else(|| choice.held_back.clone())
                .unwrap_or_else(|| (Action::Offer, product.reason()));
            let considered = Considered {
                strategy: planned.strategy,
                action,
                reason,
                p_window: choice.window.buys(product.probability),
            };
            offers.push(Offer {
                planned: true,
                ..choice.row(rank, product, considered, arms)
            });
        }
    }

    /// Adds the customer's rows by rank. Each strategy goes through the candidates that it may
    /// choose, the likeliest first, until as many are offered, or would be, as its quota says. What
    /// one strategy finds no candidates for goes to the next.
    pub(super) fn offers(
        &self,
        arms: OfferArms<'_>,
        quotas: [usize; STRATEGIES],
        offers: &mut Vec<Offer>,
    ) {
        let customer = self.customer;
        let candidates: Vec<_> = customer.products.iter().chain(&customer.further).collect();
        let mut considered: Vec<Option<Considered>> = Vec::new();
        considered.resize_with(candidates.len(), || None);
        let mut wanted = 0;
        let mut chosen = ChosenGroups::default();
        for strategy in Strategy::IN_ORDER {
            let quota = quotas[strategy as usize];
            if !self.maker.parameters.mix.uses(strategy) {
                continue;
            }
            wanted += quota;
            for (at, product) in candidates.iter().enumerate() {
                if wanted == 0 {
                    break;
                }
                let is_open = considered[at].is_none();
                if is_open && strategy.may_choose(product, self.days_ahead) {
                    let decided = self.consider(at, product, strategy, &chosen);
                    if decided.action.is_chosen() {
                        wanted -= 1;
                        chosen.add(self.maker, product.product);
                    }
                    considered[at] = Some(decided);
                }
            }
        }
        let rows = (1..).zip(candidates).zip(considered);
        offers.extend(rows.filter_map(|((rank, product), considered)| {
            Some(self.row(rank, product, considered?, arms))
        }));
    }

    fn row(
        &self,
        rank: u32,
        product: &ProductPrediction,
        considered: Considered,
        arms: OfferArms<'_>,
    ) -> Offer {
        let Considered {
            strategy,
            action,
            reason,
            p_window,
        } = considered;
        let is_offered = action == Action::Offer;
        let arm = arms.customer;
        let share = self.maker.parameters.control_offer_share;
        let offer_arm = arms.of(product.product, self.dates.send_on, share);
        let is_sent = arm == Arm::Treatment && offer_arm == Arm::Treatment;
        Offer {
            customer: self.customer.customer,
            product: product.product,
            rank,
            probability: product.probability,
            dates: is_offered.then_some(self.dates),
            action,
            arm,
            offer_arm,
            due: is_offered && self.is_due && is_sent,
            strategy,
            p_window,
            expected_cost: self.maker.costs.expected_cost(product.product, p_window),
            gain_needed: self.maker.costs.gain_needed(product.product, p_window),
            discount: self.maker.costs.discount(product.product),
            planned: false,
            reason,
        }
    }

    /// The probabilities that the customer buys the likeliest products in the window.
    pub(super) fn likeliest(&self) -> Vec<f64> {
        let likeliest = self.customer.products.iter().take(CERTAIN_RANKS);
        likeliest
            .map(|product| self.window.buys(product.probability))
            .collect()
    }

    /// Whether the product at a position is offered, and why or why not. `chosen` is what is offered
    /// already.
    fn consider(
        &self,
        at: usize,
        product: &ProductPrediction,
        strategy: Strategy,
        chosen: &ChosenGroups,
    ) -> Considered {
        let p_window = self.window.buys(product.probability);
        let (action, reason) = self
            .blocked(at, product, p_window)
            .or_else(|| self.enough_of_group(product.product, chosen))
            .or_else(|| self.held_back.clone())
            .unwrap_or_else(|| (Action::Offer, product.reason()));
        Considered {
            strategy,
            action,
            reason,
            p_window,
        }
    }

    /// Why a product cannot be offered, whatever else is; `None` if it can.
    fn blocked(
        &self,
        at: usize,
        product: &ProductPrediction,
        p_window: f64,
    ) -> Option<(Action, String)> {
        if let Some(never) = self.never_offered(product.product) {
            return Some(never);
        }
        self.not_this_time(at, product, p_window)
    }

    /// Why a product is never offered; `None` if it is.
    fn never_offered(&self, product: u32) -> Option<(Action, String)> {
        if self.maker.excluded.binary_search(&product).is_ok() {
            return Some((Action::Excluded, "on the exclusion list".to_owned()));
        }
        if self.maker.not_offerable.binary_search(&product).is_ok() {
            let reason = "the table of products says that it is not offered";
            return Some((Action::Excluded, reason.to_owned()));
        }
        let reason = self.maker.categories.excludes(product)?;
        Some((Action::Excluded, reason.to_owned()))
    }

    /// Why a product is not offered on this night; `None` if it is.
    fn not_this_time(
        &self,
        at: usize,
        product: &ProductPrediction,
        p_window: f64,
    ) -> Option<(Action, String)> {
        let parameters = &self.maker.parameters;
        if product.probability > parameters.certain_above {
            let reason = format!("bought anyway with probability {:.2}", product.probability);
            return Some((Action::Certain, reason));
        }
        let certain = self.maker.certain_window.filter(|_| at < CERTAIN_RANKS);
        if certain.is_some_and(|most| p_window > most) {
            let reason = format!(
                "bought in the window anyway with probability {p_window:.2}, as few products of the night are"
            );
            return Some((Action::Certain, reason));
        }
        if let Some(reason) = not_due(product, self.days_ahead, parameters) {
            return Some((Action::Recent, reason));
        }
        let reason = self.already_sent(product)?;
        Some((Action::AlreadySent, reason))
    }

    /// Why a product cannot be offered beside what is offered already; `None` if it can.
    fn enough_of_group(&self, product: u32, chosen: &ChosenGroups) -> Option<(Action, String)> {
        let (maker, parameters) = (self.maker, &self.maker.parameters);
        let category = maker.categories.of(product);
        if is_full(category, &chosen.categories, parameters.max_per_category) {
            let reason = "other offers of the night are of its category";
            return Some((Action::Category, reason.to_owned()));
        }
        let brand = maker.brands.of(product);
        is_full(brand, &chosen.brands, parameters.max_per_brand).then(|| {
            let reason = "other offers of the night are of its brand";
            (Action::Brand, reason.to_owned())
        })
    }

    /// Why a product is not offered again yet; `None` if it may be.
    fn already_sent(&self, product: &ProductPrediction) -> Option<String> {
        let sent_on = self.sent.product(product.product)?;
        let quiet = quiet_days(product, &self.maker.parameters);
        let is_quiet = i64::from(self.dates.send_on - sent_on) < i64::from(quiet);
        is_quiet.then(|| {
            format!(
                "offered on {sent_on}, and not again for {}",
                words::counted(quiet, "day")
            )
        })
    }
}

/// For how many days a product that was offered is not offered again.
fn quiet_days(product: &ProductPrediction, parameters: &OfferParameters) -> u32 {
    let by_gap = match product.typical_gap_days {
        // A cast of a float saturates.
        Some(gap) => (gap.ceil() as u32).clamp(1, LONGEST_QUIET),
        None => QUIET_WITHOUT_GAP,
    };
    parameters.quiet_days_product.unwrap_or(by_gap)
}

/// Why a customer is not mailed again yet; `None` if it is time.
fn too_soon(
    customer: &CustomerPrediction,
    sent: SentToCustomer<'_>,
    dates: OfferDates,
    parameters: &OfferParameters,
) -> Option<String> {
    let (sent_on, valid_until) = sent.latest_mailing()?;
    if customer.last_purchase < sent_on && dates.send_on <= valid_until {
        return Some(format!(
            "mailed on {sent_on} and not back since; that is valid until {valid_until}"
        ));
    }
    let of_week = sent.mailings_since(dates.send_on - (WEEK - 1));
    (of_week >= parameters.max_per_week).then(|| {
        format!(
            "mailed {} in the 7 days up to {}",
            words::times(of_week as u32),
            dates.send_on
        )
    })
}

/// Why a product is not due yet on the expected day; `None` if it is due.
fn not_due(
    product: &ProductPrediction,
    days_ahead: i32,
    parameters: &OfferParameters,
) -> Option<String> {
    let since = product.days_since_bought?;
    let by_then = since.saturating_add(days_ahead);
    let bought = words::ago(since);
    let Some(gap) = product.typical_gap_days else {
        return (by_then < parameters.recent_days).then(|| format!("bought {bought}"));
    };
    let is_recent = f64::from(by_then) < parameters.recent_gap_share * gap;
    if !is_recent {
        return None;
    }
    // One gap is no habit.
    let habit = match product.times_bought {
        ..=2 => format!(
            "for the second time, {} after the first",
            words::counted(gap.round() as i32, "day")
        ),
        _ => format!("{} on average", words::every(gap)),
    };
    Some(format!("bought {bought}; {habit}"))
}

/// The dates of what is offered to a customer; see [`OfferDates`].
fn dates(as_of: AsOf, customer: &CustomerPrediction, parameters: &OfferParameters) -> OfferDates {
    let before_expected = customer.expected(as_of) - parameters.lead_days;
    let send_on = before_expected.min(customer.earliest).max(as_of.day() + 1);
    let valid_from = customer.earliest.max(send_on);
    let valid_until = customer
        .latest
        .max(valid_from + (parameters.min_valid_days - 1))
        .min(valid_from + (parameters.max_valid_days - 1));
    OfferDates {
        send_on,
        valid_from,
        valid_until,
    }
}
