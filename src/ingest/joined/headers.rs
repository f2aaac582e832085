//! The headers of tickets: who bought, and on which day.

use std::sync::atomic::{AtomicU64, Ordering};

use super::index::IdIndex;
use crate::calendar::{AsOf, Day};
use crate::domain::{Id, Ids};
use crate::ingest::ids::{IdFault, RawId};
use crate::purchases::{Facts, Purchases};

/// The code of no customer: the ticket is anonymous.
const NOBODY: u32 = u32::MAX;

/// The code of no store.
const NO_STORE: u32 = u32::MAX;

/// A night after all days.
const EVER: AsOf = AsOf(Day::from_epoch(i32::MAX));

/// How many conflicting tickets a message shows.
const SHOWN: usize = 2;

/// What is known of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) struct TicketHeader {
    /// The store's day.
    pub(in crate::ingest) day: Day,
    customer: u32,
    /// The store's code, or that of none.
    store: u32,
}

/// The headers of all tickets, to be looked up while lines are read.
#[derive(Debug)]
pub(in crate::ingest) struct TicketHeaders {
    tickets: IdIndex,
    /// By the position of the ticket; `None` where headers contradict each other.
    headers: Vec<Option<TicketHeader>>,
    customers: Ids,
    /// Those of the tickets, where stores are mapped and the table has them.
    stores: Option<Ids>,
    /// One bit for each ticket: whether a line has asked for it. Lines are read by several threads.
    used: Vec<AtomicU64>,
    conflicts: Conflicts,
}

/// Tickets whose headers contradict each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::ingest) struct Conflicts {
    /// How many tickets.
    pub(in crate::ingest) tickets: u64,
    /// Some of them in words: `ticket 7 is of customer 1 on 2024-03-01 and of nobody on 2024-03-01`.
    pub(in crate::ingest) examples: Vec<String>,
}

impl TicketHeaders {
    /// The headers of a table that was read like tickets whose products are the tickets' ids, and
    /// whose categories are the tickets' stores.
    pub(in crate::ingest) fn new(purchases: &Purchases, facts: &Facts) -> Self {
        let history = purchases.until(EVER);
        let mut found = FoundHeaders {
            headers: vec![None; history.product_count()],
            contradicted: vec![],
        };
        let store = |ticket| facts.category_code(ticket, EVER).unwrap_or(NO_STORE);
        for customer in 0..history.customer_count() {
            for (day, tickets) in history.purchases_of(customer).iter() {
                for ticket in tickets {
                    let header = TicketHeader {
                        day,
                        customer,
                        store: store(*ticket),
                    };
                    found.add(*ticket, header);
                }
            }
        }
        for sale in history.anonymous_sales() {
            let header = TicketHeader {
                day: sale.day,
                customer: NOBODY,
                store: store(sale.product),
            };
            found.add(sale.product, header);
        }
        let conflicts = found.conflicts(purchases);
        for (ticket, _) in &found.contradicted {
            if let Some(header) = found.headers.get_mut(*ticket as usize) {
                *header = None;
            }
        }
        let words = found.headers.len().div_ceil(u64::BITS as usize);
        Self {
            tickets: IdIndex::new(purchases.products().clone()),
            headers: found.headers,
            customers: purchases.customers().clone(),
            stores: facts.category_ids().filter(|ids| !ids.is_empty()).cloned(),
            used: (0..words).map(|_| AtomicU64::new(0)).collect(),
            conflicts,
        }
    }

    /// The header of a line's ticket; `None` if there is none, or several that differ.
    ///
    /// # Errors
    /// If the line names no ticket.
    #[inline]
    pub(in crate::ingest) fn find(
        &self,
        ticket: RawId<'_>,
    ) -> Result<Option<TicketHeader>, IdFault> {
        let Some(at) = self.tickets.find(ticket)? else {
            return Ok(None);
        };
        let at = at as usize;
        let bit = 1 << (at % u64::BITS as usize);
        if let Some(word) = self.used.get(at / u64::BITS as usize)
            // Most lines follow another of their ticket.
            && word.load(Ordering::Relaxed) & bit == 0
        {
            word.fetch_or(bit, Ordering::Relaxed);
        }
        Ok(self.headers.get(at).copied().flatten())
    }

    /// The customer of a header.
    #[inline]
    pub(in crate::ingest) fn customer(&self, header: TicketHeader) -> RawId<'_> {
        raw(&self.customers, header.customer)
    }

    /// The store of a header; `None` if the headers have no stores.
    #[inline]
    pub(in crate::ingest) fn store(&self, header: TicketHeader) -> Option<RawId<'_>> {
        self.stores.as_ref().map(|stores| raw(stores, header.store))
    }

    /// Whether headers have stores.
    pub(in crate::ingest) fn have_stores(&self) -> bool {
        self.stores.is_some()
    }

    /// How many tickets there are.
    pub(in crate::ingest) fn len(&self) -> u64 {
        self.headers.len() as u64
    }

    /// How many tickets no line has asked for.
    pub(in crate::ingest) fn unused(&self) -> u64 {
        let used = self.used.iter().map(|word| word.load(Ordering::Relaxed));
        self.len() - used.map(|word| u64::from(word.count_ones())).sum::<u64>()
    }

    /// The tickets whose headers contradict each other.
    pub(in crate::ingest) fn conflicts(&self) -> &Conflicts {
        &self.conflicts
    }

    /// What the tickets' ids are, with an example.
    pub(in crate::ingest) fn kind_of_ids(&self) -> String {
        match self.tickets.example() {
            Some(example) => format!("{}, such as {example}", self.tickets.kind()),
            None => self.tickets.kind().to_owned(),
        }
    }
}

/// The id of a code, as a line would have it.
#[inline]
fn raw(ids: &Ids, code: u32) -> RawId<'_> {
    match ids.get(code) {
        Some(Id::Integer(id)) => RawId::Integer(id),
        Some(Id::Text(id)) => RawId::Text(id),
        None => RawId::Null,
    }
}

/// Headers that were found so far.
struct FoundHeaders {
    headers: Vec<Option<TicketHeader>>,
    /// Tickets with a second header.
    contradicted: Vec<(u32, TicketHeader)>,
}

impl FoundHeaders {
    fn add(&mut self, ticket: u32, header: TicketHeader) {
        match self.headers.get_mut(ticket as usize) {
            Some(Some(_)) => self.contradicted.push((ticket, header)),
            Some(none) => *none = Some(header),
            None => {}
        }
    }

    fn conflicts(&self, purchases: &Purchases) -> Conflicts {
        let mut tickets: Vec<u32> = self
            .contradicted
            .iter()
            .map(|(ticket, _)| *ticket)
            .collect();
        tickets.sort_unstable();
        tickets.dedup();
        let in_words = |header: TicketHeader| {
            let who = match purchases.customers().get(header.customer) {
                Some(customer) => format!("customer {customer}"),
                None => "nobody".to_owned(),
            };
            format!("of {who} on {}", header.day)
        };
        let examples = tickets.iter().take(SHOWN).filter_map(|ticket| {
            let first = self.headers.get(*ticket as usize).copied().flatten()?;
            let (_, second) = self
                .contradicted
                .iter()
                .find(|(other, _)| other == ticket)?;
            Some(format!(
                "ticket {} is {} and {}",
                purchases.products().text(*ticket),
                in_words(first),
                in_words(*second)
            ))
        });
        Conflicts {
            tickets: tickets.len() as u64,
            examples: examples.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purchases::{Line, PurchasesBuilder};

    fn day(number: i32) -> Day {
        Day::from_epoch(19_800 + number)
    }

    /// Headers of (customer, day, ticket), and of (day, ticket) without a customer. Customers are
    /// 100, 101, …
    fn headers(
        lines: &[(u32, i32, u32)],
        tickets: &[&str],
        anonymous: &[(i32, u32)],
    ) -> TicketHeaders {
        let mut builder = PurchasesBuilder::new(None);
        let lines = lines.iter().map(|(customer, number, ticket)| Line {
            customer: *customer,
            day: day(*number),
            product: *ticket,
        });
        builder.add(lines).unwrap();
        for (number, ticket) in anonymous {
            builder.add_anonymous(day(*number), *ticket, 1);
        }
        let tickets = tickets.iter().map(|ticket| (*ticket).to_owned());
        let purchases = builder
            .finish(
                Ids::Integer((100..110).collect()),
                Ids::Text(tickets.collect()),
            )
            .unwrap();
        TicketHeaders::new(&purchases.purchases().unwrap(), &Facts::default())
    }

    #[test]
    fn a_ticket_has_the_customer_and_day_of_its_header() {
        let lines = [(0, 3, 0), (0, 3, 1), (2, 5, 2), (2, 5, 2)];
        let headers = headers(&lines, &["A1", "B2", "C3"], &[]);
        let found = |ticket| {
            let header = headers.find(RawId::Untyped(ticket)).unwrap()?;
            Some((headers.customer(header), header.day))
        };
        assert_eq!(headers.unused(), 3);
        assert_eq!(found("A1"), Some((RawId::Integer(100), day(3))));
        assert_eq!(found("C3"), Some((RawId::Integer(102), day(5))));
        assert_eq!(found("c3"), None);
        assert_eq!(found("C3").map(|(_, day)| day), Some(day(5)));
        assert_eq!((headers.unused(), headers.len()), (1, 3));
        assert_eq!(headers.conflicts(), &Conflicts::default());
    }

    #[test]
    fn headers_that_contradict_each_other_are_none() {
        let lines = [
            (0, 3, 0),
            (1, 3, 0),
            (1, 4, 0),
            (2, 5, 1),
            (2, 6, 1),
            (3, 6, 2),
        ];
        let headers = headers(&lines, &["A1", "B2", "C3"], &[(6, 2)]);
        assert_eq!(headers.conflicts().tickets, 3);
        assert_eq!(
            headers.conflicts().examples,
            [
                format!(
                    "ticket A1 is of customer 100 on {} and of customer 101 on {}",
                    day(3),
                    day(3)
                ),
                format!(
                    "ticket B2 is of customer 102 on {} and of customer 102 on {}",
                    day(5),
                    day(6)
                ),
            ]
        );
        for ticket in ["A1", "B2", "C3"] {
            assert_eq!(headers.find(RawId::Text(ticket)), Ok(None), "{ticket}");
        }
    }

    #[test]
    fn a_ticket_of_nobody_has_a_day() {
        let headers = headers(&[(0, 3, 0)], &["A1", "B2"], &[(4, 1)]);
        let header = headers.find(RawId::Text("B2")).unwrap().unwrap();
        assert_eq!(
            (headers.customer(header), header.day),
            (RawId::Null, day(4))
        );
        assert_eq!(headers.store(header), None);
    }
}
