//! Lines of tickets that stand in more than one table.

use std::sync::Arc;

use super::{CheckedLine, LineChecker};
use crate::error::Result;
use crate::ingest::InputOptions;
use crate::ingest::anonymous::Buyer;
use crate::ingest::columns::{ColumnRole, TicketTable};
use crate::ingest::decoded_line::{DecodedLine, LineFacts};
use crate::ingest::ids::{IdFault, RawId};
use crate::ingest::joined::{LookupRows, MergedCards, PersonTable, TicketHeaders};
use crate::ingest::rejects::{PLACES, RejectReason, RejectedLine, RejectedValue};
use crate::ingest::report::Report;

/// How the lines of a table are taken.
#[derive(Debug, Clone)]
pub(super) enum TableReading {
    /// As sales of the persons that their customers are.
    OfPersons(CustomerLookup),
    /// As headers of tickets, whose customers may be looked up.
    Headers(CustomerLookup),
    /// As sales whose customers and days are those of their tickets.
    Lines(Arc<TicketHeaders>),
    /// As values to look up.
    Lookup(Box<LookupRows>),
}

/// Where customers are looked up: first the person that a customer is, then who goes on in the
/// person's place.
#[derive(Debug, Clone)]
pub(super) struct CustomerLookup {
    persons: Option<Arc<PersonTable>>,
    merged: Option<Arc<MergedCards>>,
}

impl TableReading {
    /// How the lines are taken; `None` if they say everything themselves.
    pub(super) fn new(options: &InputOptions) -> Option<Self> {
        let lookup = CustomerLookup {
            persons: options.loaded.persons.clone(),
            merged: options.loaded.merged.clone(),
        };
        match options.columns.table {
            TicketTable::Whole => {
                let is_used = lookup.persons.is_some() || lookup.merged.is_some();
                is_used.then_some(Self::OfPersons(lookup))
            }
            TicketTable::Headers => Some(Self::Headers(lookup)),
            TicketTable::Lines => options.loaded.headers.clone().map(Self::Lines),
            table @ (TicketTable::Products
            | TicketTable::Customers
            | TicketTable::Mailing
            | TicketTable::Merged) => Some(Self::Lookup(Box::new(LookupRows::new(table)))),
        }
    }
}

impl LineChecker {
    /// As [`LineChecker::add`], of a line of one of several tables.
    pub(super) fn add_of_table<'a>(
        &mut self,
        row: u64,
        line: DecodedLine<'_>,
        at_fault: impl FnOnce(Option<ColumnRole>) -> (Option<&'a str>, RejectedValue),
    ) -> Result<()> {
        let Some(mut tables) = self.tables.take() else {
            return Ok(());
        };
        let added = match &mut *tables {
            TableReading::Lookup(rows) => {
                self.report.lines_read += 1;
                self.report.kept += 1;
                rows.add(&line)
            }
            TableReading::OfPersons(lookup) => {
                let customer = self.customer(lookup, line.customer);
                let line = DecodedLine { customer, ..line };
                let checked = self.check_line(&line);
                self.take_checked(checked, row, &line, at_fault)
            }
            TableReading::Headers(lookup) => {
                let customer = self.customer(lookup, line.customer);
                self.add_header(row, DecodedLine { customer, ..line }, at_fault)
            }
            TableReading::Lines(headers) => self.add_of_ticket(headers, row, line, at_fault),
        };
        self.tables = Some(tables);
        added
    }

    /// Goes on with rows to look up that were read before.
    pub(in crate::ingest) fn give_lookup(&mut self, rows: LookupRows) {
        self.tables = Some(Box::new(TableReading::Lookup(Box::new(rows))));
    }

    /// The rows to look up that were read, and what became of the lines.
    pub(in crate::ingest) fn into_lookup(self) -> Option<(LookupRows, Report)> {
        match self.tables.map(|tables| *tables) {
            Some(TableReading::Lookup(rows)) => Some((*rows, self.report)),
            _ => None,
        }
    }

    /// Who a line's customer is, after all that is known of persons and merged cards.
    fn customer<'p>(&mut self, lookup: &'p CustomerLookup, customer: RawId<'p>) -> RawId<'p> {
        let customer = match &lookup.persons {
            Some(persons) => self.person(persons, customer),
            None => customer,
        };
        let Some(merged) = &lookup.merged else {
            return customer;
        };
        match self.anonymous.buyer(customer) {
            Ok(Buyer::Known) => merged.survivor(customer),
            _ => customer,
        }
    }

    /// The person that a customer is: nobody, if the customer stands for nobody or is not known.
    fn person<'p>(&mut self, persons: &'p PersonTable, customer: RawId<'p>) -> RawId<'p> {
        match self.anonymous.buyer(customer) {
            Ok(Buyer::Anonymous) => RawId::Null,
            Ok(Buyer::Named(at)) => {
                self.anonymous.named.mark(at);
                RawId::Null
            }
            Ok(Buyer::Known) => persons.person(customer),
            // Told as what is wrong with the customer.
            Err(_) => customer,
        }
    }

    /// Adds a ticket's header: the ticket is taken like a product, and its store like that
    /// product's category.
    fn add_header<'a>(
        &mut self,
        row: u64,
        line: DecodedLine<'_>,
        at_fault: impl FnOnce(Option<ColumnRole>) -> (Option<&'a str>, RejectedValue),
    ) -> Result<()> {
        let mut header = DecodedLine {
            product: line.facts.basket,
            ..line
        };
        header.facts.category = line.facts.store;
        let checked = self.check_line(&header).map_err(reason_of_header);
        self.take_checked(checked, row, &header, at_fault)
    }

    /// Adds a line whose ticket has a header, or counts it as one that has none.
    fn add_of_ticket<'a>(
        &mut self,
        headers: &TicketHeaders,
        row: u64,
        line: DecodedLine<'_>,
        at_fault: impl FnOnce(Option<ColumnRole>) -> (Option<&'a str>, RejectedValue),
    ) -> Result<()> {
        let header = match headers.find(line.facts.basket) {
            Ok(Some(header)) => header,
            Ok(None) => {
                self.count_without_header(row, at_fault);
                return Ok(());
            }
            Err(fault) => {
                self.reject(row, reason_of_ticket(fault), at_fault);
                return Ok(());
            }
        };
        let store = headers.store(header).unwrap_or(line.facts.store);
        let line = DecodedLine {
            customer: headers.customer(header),
            facts: LineFacts {
                store,
                ..line.facts
            },
            ..line
        };
        let checked = self.check_on(
            header.day,
            |anonymous| anonymous.buyer(line.customer),
            |excluded| excluded.judge(line.product),
            line.quantity.taken_back_if(line.takes_back),
        );
        self.take_checked(checked, row, &line, at_fault)
    }

    fn count_without_header<'a>(
        &mut self,
        row: u64,
        at_fault: impl FnOnce(Option<ColumnRole>) -> (Option<&'a str>, RejectedValue),
    ) {
        self.report.lines_read += 1;
        self.report.without_header += 1;
        if self.report.first_without_header.len() < PLACES {
            let (column, value) = at_fault(Some(ColumnRole::Basket));
            self.report.first_without_header.push(RejectedLine {
                object: self.object.to_string(),
                row,
                column: column.map(str::to_owned),
                value,
            });
        }
    }

    /// Keeps or rejects a line that was checked.
    fn take_checked<'a>(
        &mut self,
        checked: Result<Option<CheckedLine>, RejectReason>,
        row: u64,
        line: &DecodedLine<'_>,
        at_fault: impl FnOnce(Option<ColumnRole>) -> (Option<&'a str>, RejectedValue),
    ) -> Result<()> {
        match checked {
            Ok(Some(sale)) => self.keep_line(sale, line),
            Ok(None) => Ok(()),
            Err(reason) => {
                self.reject(row, reason, at_fault);
                Ok(())
            }
        }
    }
}

/// Why a header is bad: its ticket was taken like a product.
fn reason_of_header(reason: RejectReason) -> RejectReason {
    match reason {
        RejectReason::NullProduct => RejectReason::NullTicket,
        RejectReason::FractionalProduct
        | RejectReason::RoundedProduct
        | RejectReason::ScientificProduct
        | RejectReason::ControlProduct
        | RejectReason::ProductNotText => RejectReason::TicketNotAnId,
        other => other,
    }
}

fn reason_of_ticket(fault: IdFault) -> RejectReason {
    match fault {
        IdFault::Null => RejectReason::NullTicket,
        _ => RejectReason::TicketNotAnId,
    }
}
