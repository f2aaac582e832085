use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::domain::Id;

/// The numbers of a customer, a day and a product.
type Triple = (i64, i32, u8);

impl Purchases {
    /// A copy that holds only what is known on the night `as_of`, dictionaries included: equal to
    /// what would have been read then.
    pub(crate) fn known(&self, as_of: AsOf) -> Result<Purchases> {
        let history = self.until(as_of);
        let mut builder = PurchasesBuilder::new(None);
        for customer in 0..history.customer_count() {
            for (day, basket) in history.purchases_of(customer).iter() {
                builder.add(basket.iter().map(|product| Line {
                    customer,
                    day,
                    product: *product,
                }))?;
            }
        }
        builder
            .finish((*self.customers).clone(), (*self.products).clone())?
            .purchases()
    }
}

fn build(triples: &[Triple]) -> Purchases {
    let (mut customers, mut products): (Vec<i64>, Vec<String>) = (vec![], vec![]);
    let mut code = |customer: i64| {
        customers
            .iter()
            .position(|id| *id == customer)
            .unwrap_or_else(|| {
                customers.push(customer);
                customers.len() - 1
            }) as u32
    };
    let mut lines = vec![];
    for (customer, day, product) in triples {
        let name = format!("p{product}");
        let product = products
            .iter()
            .position(|id| *id == name)
            .unwrap_or_else(|| {
                products.push(name);
                products.len() - 1
            });
        lines.push(Line {
            customer: code(*customer),
            day: Day::from_epoch(*day),
            product: product as u32,
        });
    }
    Purchases::from_lines(Ids::Integer(customers), Ids::Text(products), lines).unwrap()
}

/// customer → day → products.
type BasketsById = BTreeMap<i64, BTreeMap<i32, BTreeSet<String>>>;

/// The baskets of some lines, the slow and obvious way.
fn oracle(triples: &[Triple]) -> BasketsById {
    let mut out = BasketsById::new();
    for (customer, day, product) in triples {
        out.entry(*customer)
            .or_default()
            .entry(*day)
            .or_default()
            .insert(format!("p{product}"));
    }
    out
}

/// The baskets of a history.
fn by_id(history: &History<'_>) -> BasketsById {
    let mut out = BasketsById::new();
    for customer in 0..history.customer_count() {
        let Some(Id::Integer(id)) = history.customers().get(customer) else {
            panic!("customer {customer} has no integer id")
        };
        for (day, basket) in history.purchases_of(customer).iter() {
            assert!(
                basket.windows(2).all(|pair| pair[0] < pair[1]),
                "a basket is distinct and ascending"
            );
            let names = basket
                .iter()
                .map(|product| history.products().get(*product).unwrap().to_string())
                .collect();
            out.entry(id).or_default().insert(day.epoch(), names);
        }
    }
    out
}

fn triples() -> impl Strategy<Value = Vec<Triple>> {
    prop::collection::vec((-3_i64..6, -5_i32..40, 0_u8..12), 0..200)
}

/// Spill storage in memory instead of in a temporary file.
#[derive(Debug, Default)]
pub(crate) struct InMemorySpill(std::sync::Mutex<Vec<u8>>);

impl SpillStorage for InMemorySpill {
    fn append(&self, bytes: &[u8]) -> Result<u64> {
        let mut all = self.0.lock().unwrap();
        let start = all.len() as u64;
        all.extend(bytes);
        Ok(start)
    }

    fn read(&self, start: u64, len: usize) -> Result<Vec<u8>> {
        Ok(self.0.lock().unwrap()[start as usize..start as usize + len].to_vec())
    }
}

/// The same history under a memory limit in bytes, read in several sorted runs.
/// Counts how often a partition is brought back.
pub(crate) struct CountedPartitions<'a>(&'a dyn Partitions, std::sync::atomic::AtomicUsize);

impl<'a> CountedPartitions<'a> {
    pub(crate) fn new(partitions: &'a dyn Partitions) -> Self {
        Self(partitions, std::sync::atomic::AtomicUsize::new(0))
    }

    pub(crate) fn brought_back(&self) -> usize {
        self.1.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// How often all of them were.
    pub(crate) fn walks(&self) -> usize {
        self.brought_back() / self.count()
    }
}

impl Partitions for CountedPartitions<'_> {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn partition(&self, at: usize) -> Result<std::borrow::Cow<'_, Purchases>> {
        self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.0.partition(at)
    }

    fn customers(&self) -> &Ids {
        self.0.customers()
    }

    fn products(&self) -> &Ids {
        self.0.products()
    }
}

pub(crate) fn limited(purchases: &Purchases, bytes: u64) -> PartitionedPurchases {
    let history = purchases.until(AsOf(Day::from_epoch(i32::MAX)));
    let mut builder = PurchasesBuilder::new(Some(MemoryLimit {
        bytes,
        spill: std::sync::Arc::new(InMemorySpill::default()),
    }));
    // The last customers first, and each day in a run of its own.
    for customer in (0..history.customer_count()).rev() {
        for (day, basket) in history.purchases_of(customer).iter() {
            builder
                .add(basket.iter().map(|product| Line {
                    customer,
                    day,
                    product: *product,
                }))
                .unwrap();
            if customer % 7 == 0 {
                builder.sort_buffer().unwrap();
            }
        }
    }
    // Every other customer once more, so that runs have lines and days in common, and later runs
    // have earlier days.
    builder.sort_buffer().unwrap();
    for customer in (0..history.customer_count()).filter(|customer| customer % 2 == 0) {
        for (day, basket) in history.purchases_of(customer).iter().rev() {
            builder
                .add(basket.iter().rev().map(|product| Line {
                    customer,
                    day,
                    product: *product,
                }))
                .unwrap();
            builder.sort_buffer().unwrap();
        }
    }
    builder
        .finish(purchases.customers().clone(), purchases.products().clone())
        .unwrap()
}

proptest! {
    #[test]
    fn partitions_are_the_whole(triples in triples()) {
        let purchases = build(&triples);
        let all = purchases.until(AsOf(Day::from_epoch(100)));
        let partitioned = limited(&purchases, 8);
        let mut met = BTreeMap::new();
        for at in 0..partitioned.count() {
            let partition = partitioned.partition(at).unwrap();
            prop_assert_eq!(partition.products(), purchases.products());
            prop_assert_eq!(partition.customers(), purchases.customers());
            let theirs = by_id(&partition.until(AsOf(Day::from_epoch(100))));
            prop_assert!(theirs.keys().all(|customer| !met.contains_key(customer)));
            met.extend(theirs);
        }
        prop_assert_eq!(met, by_id(&all));
        prop_assert_eq!(limited(&purchases, 8).purchases().unwrap(), purchases.clone());
        prop_assert_eq!(limited(&purchases, 1_000_000).purchases().unwrap(), purchases);
    }

    #[test]
    fn any_lines_in_any_order_give_the_same_purchases(triples in triples(), night in -5_i32..40) {
        let purchases = build(&triples);
        prop_assert_eq!(by_id(&purchases.until(AsOf(Day::from_epoch(100)))), oracle(&triples));
        let mut shuffled = triples.clone();
        shuffled.reverse();
        shuffled.extend(triples.iter().take(5));
        prop_assert_eq!(&build(&shuffled), &purchases);

        // What is known on a night is what would have been read then; history + what follows =
        // everything.
        let night = Day::from_epoch(night);
        let early: Vec<Triple> = triples.iter().copied().filter(|(_, day, _)| *day <= night.epoch()).collect();
        prop_assert_eq!(&purchases.known(AsOf(night)).unwrap(), &build(&early));
        prop_assert_eq!(by_id(&purchases.until(AsOf(night))), oracle(&early));
        // Without the days before, a history is as if they had not been read.
        let late: Vec<Triple> = triples.iter().copied().filter(|(_, day, _)| *day > night.epoch()).collect();
        let (since, only) = (purchases.since(night + 1), build(&late));
        let counts = |purchases: &Purchases| (purchases.len(), purchases.distinct_lines(), purchases.span());
        prop_assert_eq!(counts(&since), counts(&only));
        prop_assert_eq!(by_id(&since.until(AsOf(Day::from_epoch(100)))), oracle(&late));
        let all = purchases.until(AsOf(Day::from_epoch(100)));
        for customer in 0..all.customer_count() {
            let (known, every) = (purchases.until(AsOf(night)).purchases_of(customer), all.purchases_of(customer));
            let following = all.following(customer, night);
            prop_assert_eq!(following.map(|(day, _)| day), every.days().get(known.len()).copied());
            prop_assert!(following.is_none_or(|(day, basket)| day > night && basket == every.basket(known.len())));
        }
    }
}

#[test]
fn ids_come_back_as_they_came_and_are_found_again() {
    let purchases = build(&[(20, 1, 3), (-4, 1, 10), (20, 2, 9)]);
    assert_eq!(purchases.customers(), &Ids::Integer(vec![-4, 20]));
    assert_eq!(
        purchases.products(),
        &Ids::Text(vec!["p10".into(), "p3".into(), "p9".into()])
    );
    assert_eq!(purchases.customers().code("20"), Some(1));
    for other in ["020", "+20", " 20", "20.0", ""] {
        assert_eq!(
            purchases.customers().code(other),
            None,
            "{other:?} is not how 20 is written"
        );
    }
    assert_eq!(purchases.products().code("p9"), Some(2));
    assert_eq!(purchases.products().code("p1"), None);
    assert_eq!((purchases.len(), purchases.distinct_lines()), (3, 3));
    assert_eq!(
        purchases
            .span()
            .map(|span| (span.first.epoch(), span.last.epoch())),
        Some((1, 2))
    );
}

#[test]
fn a_line_outside_the_dictionary_is_an_error() {
    let line = Line {
        customer: 1,
        day: Day::from_epoch(0),
        product: 0,
    };
    assert!(
        Purchases::from_lines(Ids::Integer(vec![7]), Ids::Integer(vec![7]), vec![line]).is_err()
    );
}
