//! Categories, prices and stores on the lines, on their way to [`Facts`].

use super::InputOptions;
use super::columns::{ColumnRole, TicketTable};
use super::decoded_line::{LineFacts, Quantity};
use super::dictionary::{IdDictionary, NewIds, SameCodes};
use crate::calendar::Day;
use crate::domain::Ids;
use crate::error::Result;
use crate::purchases::CodeOnDay;
use crate::purchases::{Facts, PartitionedPurchases, Partitions, compact_ids, compact_prices};

/// How many facts of a kind are gathered at least before repeated ones are dropped.
const COMPACTED: usize = 1 << 20;

/// Facts of one kind whose values are ids, under the codes of a chunk.
#[derive(Debug, Clone)]
struct IdFacts {
    values: IdDictionary,
    facts: Vec<(u32, Day, u32)>,
}

impl IdFacts {
    fn new(what: &'static str) -> Self {
        Self {
            values: IdDictionary::new(what),
            facts: vec![],
        }
    }
}

/// The facts of the lines of a chunk, of the kinds that are mapped.
#[derive(Debug, Clone)]
pub(super) struct FactCollector {
    categories: Option<IdFacts>,
    prices: Option<Vec<(u32, Day, f64)>>,
    stores: Option<IdFacts>,
}

/// The facts of a batch. Codes are those of the chunk.
#[derive(Debug)]
pub(super) struct BatchFacts {
    categories: Option<(NewIds, Vec<CodeOnDay>)>,
    prices: Option<Vec<(u32, Day, f64)>>,
    stores: Option<(NewIds, Vec<CodeOnDay>)>,
}

impl FactCollector {
    /// A collector of what is mapped; `None` if nothing is.
    pub(super) fn new(options: &InputOptions) -> Option<Self> {
        let is_mapped = |role| options.columns.of(role).is_some();
        let headers = options.loaded.headers.as_ref();
        let [categories, prices, stores] = match options.columns.table {
            // The store of a ticket is taken like the category of a product.
            TicketTable::Headers => [is_mapped(ColumnRole::Store), false, false],
            TicketTable::Whole | TicketTable::Lines => [
                is_mapped(ColumnRole::Category),
                is_mapped(ColumnRole::Price),
                is_mapped(ColumnRole::Store)
                    || headers.is_some_and(|headers| headers.have_stores()),
            ],
            TicketTable::Products
            | TicketTable::Customers
            | TicketTable::Mailing
            | TicketTable::Merged => [false; 3],
        };
        (categories || prices || stores).then(|| Self {
            categories: categories.then(|| IdFacts::new("category")),
            prices: prices.then(Vec::new),
            stores: stores.then(|| IdFacts::new("store")),
        })
    }

    /// Takes what a line that is kept tells. A line without a customer tells of its product alone.
    /// What a line does not say is left out.
    ///
    /// # Errors
    /// If there are more categories or stores than codes.
    pub(super) fn add(
        &mut self,
        day: Day,
        customer: Option<u32>,
        product: u32,
        line: LineFacts<'_>,
    ) -> Result<()> {
        if let Some(categories) = &mut self.categories
            && line.category.key().is_ok()
        {
            let category = categories.values.code_of(line.category)?;
            push(&mut categories.facts, (product, day, category));
        }
        if let (Some(prices), Quantity::Number(price)) = (&mut self.prices, line.price)
            && price.is_finite()
        {
            push(prices, (product, day, price));
        }
        if let (Some(stores), Some(customer)) = (&mut self.stores, customer)
            && line.store.key().is_ok()
        {
            let store = stores.values.code_of(line.store)?;
            push(&mut stores.facts, (customer, day, store));
        }
        Ok(())
    }

    /// The facts since the last batch.
    pub(super) fn take_batch(&mut self) -> BatchFacts {
        fn taken(facts: &mut IdFacts) -> (NewIds, Vec<(u32, Day, u32)>) {
            let mut of_batch = std::mem::take(&mut facts.facts);
            compact_ids(&mut of_batch);
            (facts.values.take_new(), of_batch)
        }
        BatchFacts {
            categories: self.categories.as_mut().map(taken),
            prices: self.prices.as_mut().map(|prices| {
                let mut of_batch = std::mem::take(prices);
                compact_prices(&mut of_batch);
                of_batch
            }),
            stores: self.stores.as_mut().map(taken),
        }
    }
}

/// Lines mostly repeat what the line before them says.
fn push<T: PartialEq>(facts: &mut Vec<T>, fact: T) {
    if facts.last() != Some(&fact) {
        facts.push(fact);
    }
}

/// Facts of one kind whose values are ids, under the codes of the history.
#[derive(Debug)]
struct AllIdFacts {
    values: IdDictionary,
    /// The codes here of the values of the present chunk.
    codes: Vec<u32>,
    facts: Vec<(u32, Day, u32)>,
    compact_at: usize,
}

impl AllIdFacts {
    fn new(what: &'static str) -> Self {
        Self {
            values: IdDictionary::new(what),
            codes: vec![],
            facts: vec![],
            compact_at: COMPACTED,
        }
    }

    fn add(
        &mut self,
        (values, facts): (NewIds, Vec<(u32, Day, u32)>),
        begins_chunk: bool,
        subjects: &[u32],
    ) -> Result<()> {
        if begins_chunk {
            self.codes.clear();
        }
        self.values.merge(values, &mut self.codes)?;
        for (subject, day, value) in facts {
            if let (Some(subject), Some(value)) = (
                subjects.get(subject as usize),
                self.codes.get(value as usize),
            ) {
                self.facts.push((*subject, day, *value));
            }
        }
        if self.facts.len() >= self.compact_at {
            compact_ids(&mut self.facts);
            self.compact_at = COMPACTED.max(2 * self.facts.len());
        }
        Ok(())
    }

    /// The values' ids, and the facts of the subjects that have a code in the end.
    fn finish(mut self, code: impl Fn(u32) -> Option<u32>) -> (Ids, Vec<(u32, Day, u32)>) {
        let values = self.values.settle();
        let facts = self.facts.drain(..);
        let facts = facts
            .filter_map(|(subject, day, value)| Some((code(subject)?, day, values.one(value))));
        let facts = facts.collect();
        (values.ids, facts)
    }
}

/// The facts of all lines so far.
#[derive(Debug, Default)]
pub(super) struct FactsAssembler {
    categories: Option<AllIdFacts>,
    prices: Option<Vec<(u32, Day, f64)>>,
    stores: Option<AllIdFacts>,
    compact_prices_at: usize,
}

impl FactsAssembler {
    /// Takes the facts of a batch. `customers` and `products` are the codes of the history by those
    /// of the batch's chunk.
    ///
    /// # Errors
    /// If there are more categories or stores than codes.
    pub(super) fn add(
        &mut self,
        batch: BatchFacts,
        begins_chunk: bool,
        customers: &[u32],
        products: &[u32],
    ) -> Result<()> {
        if let Some(categories) = batch.categories {
            self.categories
                .get_or_insert_with(|| AllIdFacts::new("category"))
                .add(categories, begins_chunk, products)?;
        }
        if let Some(stores) = batch.stores {
            self.stores
                .get_or_insert_with(|| AllIdFacts::new("store"))
                .add(stores, begins_chunk, customers)?;
        }
        if let Some(prices) = batch.prices {
            self.add_prices(prices, products);
        }
        Ok(())
    }

    fn add_prices(&mut self, prices: Vec<(u32, Day, f64)>, products: &[u32]) {
        let all = self.prices.get_or_insert_default();
        all.extend(prices.into_iter().filter_map(|(product, day, price)| {
            Some((*products.get(product as usize)?, day, price))
        }));
        if all.len() >= self.compact_prices_at.max(COMPACTED) {
            compact_prices(all);
            self.compact_prices_at = 2 * all.len();
        }
    }

    /// The facts under the codes of a history that was built of the same lines. `product_ids` are
    /// those that `products` had.
    pub(super) fn finish(
        self,
        customers: &SameCodes,
        products: &SameCodes,
        product_ids: &Ids,
        purchases: &PartitionedPurchases,
    ) -> Facts {
        let codes = 0..u32::try_from(product_ids.len()).unwrap_or(u32::MAX);
        let product_codes: Vec<Option<u32>> = codes
            .map(|code| {
                purchases
                    .products()
                    .code(&product_ids.text(products.one(code)))
            })
            .collect();
        let product = |code: u32| *product_codes.get(code as usize)?;
        let customer_codes = purchases.customers_by_provisional_code();
        let customer = |code: u32| *customer_codes.get(customers.one(code) as usize)?;
        Facts::new(
            self.categories.map(|facts| facts.finish(product)),
            self.prices.map(|prices| {
                let coded = prices
                    .into_iter()
                    .filter_map(|(code, day, price)| Some((product(code)?, day, price)));
                coded.collect()
            }),
            self.stores.map(|facts| facts.finish(customer)),
        )
    }
}
