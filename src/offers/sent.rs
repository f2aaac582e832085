//! What was sent before a night: whoever was mailed is mailed again only after coming back, and
//! with other products.

use std::collections::BTreeMap;

use crate::calendar::{AsOf, DateRange, Day};
use crate::domain::{Id, Ids};

/// The longest that a product offered to a customer is kept back by the pair's own gap, in days.
pub const LONGEST_QUIET: u32 = 84;
/// How long it is kept back where there is no gap, in days.
pub(super) const QUIET_WITHOUT_GAP: u32 = 28;
/// Days of a week, in which there are at most `max_per_week` mailings.
pub(super) const WEEK: i32 = 7;

/// One offer that was sent. The control arm's count as if they had been: else the arms would differ
/// in more than the sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SentOffer {
    /// The day on which it was sent.
    pub sent_on: Day,
    /// The last day of its validity.
    pub valid_until: Day,
    /// Product code of the night; `None` for a product that occurs in no ticket.
    pub product: Option<u32>,
}

/// What was sent to each customer before a night.
#[derive(Debug, Clone)]
pub struct SentOffers {
    /// Those who were sent something.
    customers: Ids,
    /// Where each customer's offers end in `offers`.
    ends: Vec<usize>,
    offers: Vec<SentOffer>,
}

impl Default for SentOffers {
    fn default() -> Self {
        Self {
            customers: Ids::Integer(vec![]),
            ends: vec![],
            offers: vec![],
        }
    }
}

impl SentOffers {
    /// Offers with the codes of their customers in `ids`, in any order.
    #[must_use]
    pub fn new(ids: &Ids, mut offers: Vec<(u32, SentOffer)>) -> Self {
        offers.sort_unstable();
        offers.dedup();
        let mut by_customer: BTreeMap<u32, usize> = BTreeMap::new();
        for (at, (customer, _)) in offers.iter().enumerate() {
            by_customer.insert(*customer, at + 1);
        }
        Self {
            customers: ids.select(by_customer.keys().copied()),
            ends: by_customer.into_values().collect(),
            offers: offers.into_iter().map(|(_, offer)| offer).collect(),
        }
    }

    /// Whether nothing was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty()
    }

    /// What a customer was sent, by ascending day.
    #[must_use]
    pub fn to(&self, customer: Id<'_>) -> SentToCustomer<'_> {
        let at = self.customers.code_of(customer).map(|code| code as usize);
        let offers = at.and_then(|at| {
            let first = match at.checked_sub(1) {
                Some(before) => *self.ends.get(before)?,
                None => 0,
            };
            self.offers.get(first..*self.ends.get(at)?)
        });
        SentToCustomer(offers.unwrap_or_default())
    }
}

/// The nights whose offers, sent on the day after each, can still hold something back on the night
/// `as_of`. `longest` is the longest validity or quiet time in days.
#[must_use]
pub fn nights_to_remember(as_of: AsOf, longest: u32) -> DateRange {
    let longest = i32::try_from(longest).unwrap_or(i32::MAX).max(WEEK);
    DateRange {
        first: as_of.day() - longest,
        last: as_of.day() - 1,
    }
}

/// What one customer was sent, by ascending day.
#[derive(Debug, Clone, Copy, Default)]
pub struct SentToCustomer<'a>(&'a [SentOffer]);

impl SentToCustomer<'_> {
    /// The day of the latest mailing and the last day on which any of its offers is valid.
    pub(super) fn latest_mailing(self) -> Option<(Day, Day)> {
        let sent_on = self.0.last()?.sent_on;
        let mailing = self.0.iter().filter(|offer| offer.sent_on == sent_on);
        let valid_until = mailing.map(|offer| offer.valid_until).max()?;
        Some((sent_on, valid_until))
    }

    /// On how many days from `first` on the customer was mailed.
    pub(super) fn mailings_since(self, first: Day) -> usize {
        let days = self.0.chunk_by(|one, next| one.sent_on == next.sent_on);
        days.filter(|mailing| mailing.first().is_some_and(|offer| offer.sent_on >= first))
            .count()
    }

    /// The day on which a product was last offered.
    pub(super) fn product(self, product: u32) -> Option<Day> {
        let mut latest_first = self.0.iter().rev();
        latest_first
            .find(|offer| offer.product == Some(product))
            .map(|offer| offer.sent_on)
    }
}
