//! What became of each offer, and of each customer who was offered something.

use std::collections::BTreeMap;

use crate::calendar::{DateRange, Day};
use crate::error::Result;
use crate::offers::{Arm, CampaignOffer};
use crate::purchases::{CustomerPurchases, PartitionedHistory};

const WEEK: f64 = 7.0;

/// What became of one offer.
#[derive(Debug, Clone, PartialEq)]
pub struct OfferOutcome {
    /// The offer.
    pub offer: CampaignOffer,
    /// Whether its product was bought while it was valid, or would have been.
    pub bought: bool,
    /// Whether it was really sent; `None` if that is not known.
    pub was_sent: Option<bool>,
}

/// What a customer bought from the first mailing on.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerOutcome {
    /// Customer code.
    pub customer: u32,
    /// The customer's arm.
    pub arm: Arm,
    /// Weeks from the first mailing to the end of the campaign.
    pub weeks: f64,
    /// Days with a purchase in them.
    pub visits: u32,
    /// What was bought, by the latest price of each product of a basket; `None` without prices.
    pub spend: Option<f64>,
    /// The margin of that, less the discounts; `None` if one of them is not known.
    pub margin: Option<f64>,
}

/// Prices, and what is left of them.
#[derive(Debug, Clone, Default)]
pub struct OfferPrices {
    /// The latest unit prices, by product code; `None` if they are not known.
    pub prices: Option<Vec<Option<f64>>>,
    /// The margin as a share of the price.
    pub margin: Option<f64>,
    /// The discount as a share of the price.
    pub discount: Option<f64>,
}

impl OfferPrices {
    fn of(&self, product: u32) -> f64 {
        let prices = self.prices.as_deref().unwrap_or_default();
        let price = prices.get(product as usize).copied();
        price.flatten().unwrap_or_default()
    }
}

/// What became of a campaign.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CampaignOutcomes {
    /// The offers whose days the purchases cover.
    pub offers: Vec<OfferOutcome>,
    /// The customers to whom these were, by ascending code.
    pub customers: Vec<CustomerOutcome>,
    /// How many offers are valid beyond the last day with a purchase, and do not count yet.
    pub waiting: usize,
    /// How many were valid before the first day with a purchase, and do not count.
    pub before: usize,
    /// The first and the last day that count.
    pub days: Option<DateRange>,
}

impl CampaignOutcomes {
    /// What became of some offers: those count whose days lie wholly within the purchases. A customer
    /// who was drawn into both arms, because the salt or the share was changed, is of the arm of the
    /// first offer.
    ///
    /// # Errors
    /// If the purchases cannot be read.
    pub fn new(
        offers: Vec<CampaignOffer>,
        history: PartitionedHistory<'_>,
        prices: &OfferPrices,
    ) -> Result<Self> {
        let Some(span) = history.span()? else {
            return Ok(Self {
                waiting: offers.len(),
                ..Self::default()
            });
        };
        let mut outcomes = Self::default();
        for offer in offers {
            if offer.valid.last > span.last {
                outcomes.waiting += 1;
            } else if offer.valid.first < span.first {
                outcomes.before += 1;
            } else {
                outcomes.offers.push(OfferOutcome {
                    offer,
                    bought: false,
                    was_sent: None,
                });
            }
        }
        outcomes
            .offers
            .sort_by_key(|outcome| (outcome.offer.customer, outcome.offer.night));
        let ends = outcomes
            .offers
            .iter()
            .map(|outcome| outcome.offer.valid.last);
        let starts = outcomes.offers.iter().map(|outcome| outcome.offer.night);
        if let (Some(first), Some(last)) = (starts.min(), ends.max()) {
            let first = first.day() + 1;
            outcomes.days = Some(DateRange { first, last });
            outcomes.follow(history, last, prices)?;
        }
        Ok(outcomes)
    }

    /// Looks at what each customer bought.
    fn follow(
        &mut self,
        history: PartitionedHistory<'_>,
        last: Day,
        prices: &OfferPrices,
    ) -> Result<()> {
        let mut customers = BTreeMap::<u32, CustomerOutcome>::new();
        history.each(|history| {
            let of_customers = self
                .offers
                .chunk_by_mut(|one, next| one.offer.customer == next.offer.customer);
            for offers in of_customers {
                let Some(first) = offers.first().map(|outcome| outcome.offer.clone()) else {
                    continue;
                };
                // In another partition, the customer has bought nothing.
                let purchases = history.purchases_of(first.customer);
                let entered = first.night.day() + 1;
                let customer = customers
                    .entry(first.customer)
                    .or_insert_with(|| CustomerOutcome {
                        customer: first.customer,
                        arm: first.arm,
                        weeks: f64::from(last - entered + 1) / WEEK,
                        visits: 0,
                        spend: prices.prices.as_ref().map(|_| 0.0),
                        margin: prices.prices.as_ref().and(prices.margin).map(|_| 0.0),
                    });
                customer.add(purchases.since(entered).until(last), offers, prices);
            }
            Ok(())
        })?;
        self.customers = customers.into_values().collect();
        Ok(())
    }
}

impl CustomerOutcome {
    fn add(
        &mut self,
        purchases: CustomerPurchases<'_>,
        offers: &mut [OfferOutcome],
        prices: &OfferPrices,
    ) {
        let mut spent = 0.0;
        for (_, basket) in purchases.iter() {
            self.visits += 1;
            spent += basket
                .iter()
                .map(|product| prices.of(*product))
                .sum::<f64>();
        }
        let mut discounts = 0.0;
        for outcome in offers {
            let offer = &outcome.offer;
            let Some(product) = offer.product else {
                continue;
            };
            let bought = purchases.within(offer.valid).have(product);
            outcome.bought |= bought;
            if bought && offer.is_sent() {
                discounts += prices.discount.unwrap_or_default() * prices.of(product);
            }
        }
        if let Some(spend) = &mut self.spend {
            *spend += spent;
        }
        if let Some(margin) = &mut self.margin {
            *margin += prices.margin.unwrap_or_default() * spent - discounts;
        }
    }
}
