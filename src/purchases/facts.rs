//! What lines tell beside purchases, where their columns are mapped: categories and prices of
//! products, stores of customers.
//!
//! A fact is dated. What is asked on a night is answered from the lines up to that night, and from
//! none after it.

use crate::calendar::{AsOf, Day};
use crate::domain::{Id, Ids};

/// Facts of one kind: (code, day, value), ascending, each once.
#[derive(Debug, Clone, PartialEq)]
pub struct DatedFacts<T>(Vec<(u32, Day, T)>);

impl<T> Default for DatedFacts<T> {
    fn default() -> Self {
        Self(vec![])
    }
}

impl<T: Copy + PartialEq> DatedFacts<T> {
    /// The facts of a code up to a night, by day.
    #[must_use]
    pub fn up_to(&self, code: u32, as_of: AsOf) -> &[(u32, Day, T)] {
        let start = self.0.partition_point(|(known, ..)| *known < code);
        let of_code = self.0.get(start..).unwrap_or_default();
        let until = (code, as_of.day());
        let len = of_code.partition_point(|(known, day, _)| (*known, *day) <= until);
        of_code.get(..len).unwrap_or_default()
    }

    /// The first value of the latest day up to a night that has one.
    #[must_use]
    pub fn latest(&self, code: u32, as_of: AsOf) -> Option<T> {
        let known = self.up_to(code, as_of);
        let (_, last, _) = known.last()?;
        let at = known.partition_point(|(_, day, _)| day < last);
        known.get(at).map(|(_, _, value)| *value)
    }

    /// Keeps one value of each day, the first, and only where it differs from the day before's.
    #[must_use]
    fn changes(mut self) -> Self {
        self.0
            .dedup_by(|next, kept| next.0 == kept.0 && next.1 == kept.1);
        self.0
            .dedup_by(|next, kept| next.0 == kept.0 && next.2 == kept.2);
        self
    }
}

/// Facts whose values are ids, as codes of these ids.
#[derive(Debug, Clone, PartialEq)]
struct DatedIds {
    ids: Ids,
    facts: DatedFacts<u32>,
}

/// A product or customer, the day, and the code of a category or store.
pub type CodeOnDay = (u32, Day, u32);

/// All facts that lines tell. What is not mapped is `None`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    categories: Option<DatedIds>,
    prices: Option<DatedFacts<f64>>,
    stores: Option<DatedIds>,
}

impl Facts {
    /// Facts of these codes, in any order: categories and unit prices of products, stores in which
    /// customers were.
    #[must_use]
    pub fn new(
        categories: Option<(Ids, Vec<CodeOnDay>)>,
        prices: Option<Vec<(u32, Day, f64)>>,
        stores: Option<(Ids, Vec<CodeOnDay>)>,
    ) -> Self {
        Self {
            categories: categories.map(|(ids, facts)| {
                let DatedIds { ids, facts } = sorted(ids, facts);
                let facts = facts.changes();
                DatedIds { ids, facts }
            }),
            prices: prices.map(|mut prices| {
                compact_prices(&mut prices);
                DatedFacts(prices).changes()
            }),
            stores: stores.map(|(ids, facts)| sorted(ids, facts)),
        }
    }

    /// Whether lines have categories.
    #[must_use]
    pub fn have_categories(&self) -> bool {
        self.categories.is_some()
    }

    /// Whether lines have prices.
    #[must_use]
    pub fn have_prices(&self) -> bool {
        self.prices.is_some()
    }

    /// Whether lines have stores.
    #[must_use]
    pub fn have_stores(&self) -> bool {
        self.stores.is_some()
    }

    /// The category of a product on the latest day up to a night on which a line named one; of
    /// several on that day, the smallest.
    #[must_use]
    pub fn category(&self, product: u32, as_of: AsOf) -> Option<Id<'_>> {
        let DatedIds { ids, facts } = self.categories.as_ref()?;
        ids.get(facts.latest(product, as_of)?)
    }

    /// The code of [`Facts::category`] in [`Facts::category_ids`].
    #[must_use]
    pub fn category_code(&self, product: u32, as_of: AsOf) -> Option<u32> {
        self.categories.as_ref()?.facts.latest(product, as_of)
    }

    /// All categories.
    #[must_use]
    pub fn category_ids(&self) -> Option<&Ids> {
        self.categories.as_ref().map(|categories| &categories.ids)
    }

    /// The unit price of a product on the latest day up to a night on which it had one; of several
    /// on that day, the highest, which is most likely the one without a discount.
    #[must_use]
    pub fn last_price(&self, product: u32, as_of: AsOf) -> Option<f64> {
        self.prices.as_ref()?.latest(product, as_of)
    }

    /// All stores, by their codes.
    pub fn store_ids(&self) -> impl Iterator<Item = Id<'_>> {
        let ids = self.stores.as_ref().map(|stores| &stores.ids);
        ids.into_iter().flat_map(|ids| {
            let codes = 0..u32::try_from(ids.len()).unwrap_or(u32::MAX);
            codes.filter_map(move |code| ids.get(code))
        })
    }

    /// The day and the store of each (customer, day, store).
    pub fn store_visits(&self) -> impl Iterator<Item = (Day, u32)> {
        let visits = self.stores.as_ref().map(|stores| &stores.facts.0);
        visits
            .into_iter()
            .flatten()
            .map(|(_, day, store)| (*day, *store))
    }

    /// The store in which a customer bought on the most days up to a night. Of several, the one
    /// visited last, and then the smallest.
    #[must_use]
    pub fn usual_store(&self, customer: u32, as_of: AsOf) -> Option<Id<'_>> {
        let DatedIds { ids, facts } = self.stores.as_ref()?;
        let mut days: Vec<(u32, Day)> = facts
            .up_to(customer, as_of)
            .iter()
            .map(|(_, day, store)| (*store, *day))
            .collect();
        days.sort_unstable();
        let usual = days
            .chunk_by(|a, b| a.0 == b.0)
            .filter_map(|days| days.last().map(|(store, last)| (days.len(), *last, *store)))
            .max_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.cmp(&a.2)))?;
        ids.get(usual.2)
    }
}

/// The facts under the codes of the sorted ids.
fn sorted(ids: Ids, mut facts: Vec<(u32, Day, u32)>) -> DatedIds {
    let (ids, ranks) = ids.sorted();
    for (_, _, value) in &mut facts {
        *value = ranks.get(*value as usize).copied().unwrap_or(*value);
    }
    compact_ids(&mut facts);
    DatedIds {
        ids,
        facts: DatedFacts(facts),
    }
}

/// Sorts facts, and keeps each once.
pub fn compact_ids(facts: &mut Vec<(u32, Day, u32)>) {
    facts.sort_unstable();
    facts.dedup();
}

/// Sorts prices, and keeps the highest of each product and day.
pub fn compact_prices(prices: &mut Vec<(u32, Day, f64)>) {
    prices.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)));
    prices.dedup_by_key(|(product, day, _)| (*product, *day));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i32) -> Day {
        Day::from_epoch(19_000 + number)
    }

    fn on(number: i32) -> AsOf {
        AsOf(day(number))
    }

    fn texts(ids: &[&str]) -> Ids {
        Ids::Text(ids.iter().map(|id| (*id).to_owned()).collect())
    }

    #[test]
    fn a_category_is_the_latest_days_and_never_a_later_one() {
        let facts = vec![
            (7, day(5), 0),
            (7, day(1), 1),
            (7, day(9), 2),
            (7, day(9), 1),
            (8, day(2), 2),
        ];
        let facts = Facts::new(
            Some((texts(&["dairy", "fresh", "bakery"]), facts)),
            None,
            None,
        );
        let category = |product, night| facts.category(product, on(night)).map(|id| id.to_string());
        assert_eq!(category(7, 0), None);
        assert_eq!(category(7, 1).unwrap(), "fresh");
        assert_eq!(category(7, 8).unwrap(), "dairy");
        assert_eq!(category(7, 9).unwrap(), "bakery", "the smallest of the day");
        assert_eq!(category(8, 1), None);
        assert_eq!(category(8, 99).unwrap(), "bakery");
        assert_eq!(category(9, 99), None);
        assert!(!facts.have_prices() && facts.last_price(7, on(9)).is_none());
    }

    #[test]
    fn a_price_is_the_highest_of_the_latest_day() {
        let prices = vec![
            (1, day(3), 2.5),
            (1, day(3), 1.99),
            (1, day(4), 2.5),
            (1, day(6), 2.75),
        ];
        let facts = Facts::new(None, Some(prices), None);
        let price = |night| facts.last_price(1, on(night));
        assert_eq!(
            [2, 3, 5, 6].map(price),
            [None, Some(2.5), Some(2.5), Some(2.75)]
        );
        assert_eq!(
            facts.prices.as_ref().unwrap().0.len(),
            2,
            "only changes are kept"
        );
    }

    #[test]
    fn the_usual_store_has_the_most_days() {
        let visits = vec![
            (4, day(1), 1),
            (4, day(1), 1),
            (4, day(1), 0),
            (4, day(2), 0),
            (4, day(3), 1),
            (4, day(5), 2),
            (4, day(6), 2),
            (4, day(7), 2),
        ];
        let facts = Facts::new(None, None, Some((Ids::Integer(vec![30, 20, 10]), visits)));
        let store = |night| facts.usual_store(4, on(night)).map(|id| id.to_string());
        assert_eq!(store(0), None);
        assert_eq!(store(1).unwrap(), "20", "both on one day: the smaller");
        assert_eq!(store(2).unwrap(), "30");
        assert_eq!(
            store(3).unwrap(),
            "20",
            "two days each: the one visited last"
        );
        assert_eq!(store(6).unwrap(), "10");
        assert_eq!(store(7).unwrap(), "10");
        assert_eq!(facts.usual_store(5, on(7)), None);
    }
}
