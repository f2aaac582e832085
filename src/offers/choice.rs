//! Which of one customer's likely products are offered, and why not the others.

use super::mix::{STRATEGIES, Strategy};
use super::sent::{QUIET_WITHOUT_GAP, WEEK};
use super::window::OfferWindow;
use super::{
    Action, Arm, LONGEST_QUIET, Offer, OfferDates, OfferMaker, OfferParameters, SentToCustomer,
};
use crate::calendar::AsOf;
use crate::domain::{CustomerPrediction, Ids, ProductPrediction, words};
use crate::sampling::Draw;

/// A product of the first so many in a customer's list may be certain.
pub(super) const CERTAIN_RANKS: usize = 3;

/// One customer on one night.
pub(super) struct CustomerChoice<'a> {
    maker: &'a OfferMaker<'a>,
    customer: &'a CustomerPrediction,
    sent: SentToCustomer<'a>,
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
    pub(super) night: u64,
    pub(super) products: &'a Ids,
}

impl OfferArms<'_> {
    /// The arm of an offer of a product: drawn anew each night.
    fn of(&self, product: u32, control_share: f64) -> Arm {
        let ids = [self.key, self.night, self.products.key(product)];
        match Draw::OfferArm.keeps(self.seed, &ids, control_share) {
            true => Arm::Control,
            false => Arm::Treatment,
        }
    }
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
            customer,
            sent,
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
            ..self
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
        let mut categories = vec![];
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
                    let decided = self.consider(at, product, strategy, &categories);
                    if decided.action.is_chosen() {
                        wanted -= 1;
                        categories.extend(self.maker.categories.of(product.product));
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
        let offer_arm = arms.of(product.product, share);
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

    /// Whether the product at a position is offered, and why or why not. `categories` are those of
    /// what is offered already.
    fn consider(
        &self,
        at: usize,
        product: &ProductPrediction,
        strategy: Strategy,
        categories: &[u32],
    ) -> Considered {
        let p_window = self.window.buys(product.probability);
        let (action, reason) = self
            .blocked(at, product, p_window)
            .or_else(|| self.enough_of_category(product.product, categories))
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
        let parameters = &self.maker.parameters;
        if self.maker.excluded.binary_search(&product.product).is_ok() {
            return Some((Action::Excluded, "on the exclusion list".to_owned()));
        }
        if let Some(reason) = self.maker.categories.excludes(product.product) {
            return Some((Action::Excluded, reason.to_owned()));
        }
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

    fn enough_of_category(&self, product: u32, categories: &[u32]) -> Option<(Action, String)> {
        let most = self.maker.parameters.max_per_category?;
        let category = self.maker.categories.of(product)?;
        let offered = categories
            .iter()
            .filter(|other| **other == category)
            .count();
        let reason = "other offers of the night are of its category";
        (offered >= most).then(|| (Action::Category, reason.to_owned()))
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
