//! Lines that take back what was sold, and what else is known of quantities, on their way to
//! [`PurchasesBuilder::net`].
//!
//! A line that takes something back makes no customer and no product known: what is only ever
//! brought back is in no history. So these lines have dictionaries of their own, and are matched
//! with what was sold when all ids are known.
//!
//! Quantities are noted only if there are such lines. So the first of them has all be read again from
//! the start: see [`InputOptions::is_netted`].

use super::InputOptions;
use super::columns::{ColumnRole, TicketTable};
use super::dictionary::{IdDictionary, NewIds};
use super::ids::{IdKey, RawId};
use super::report::Report;
use crate::error::{Error, Result};
use crate::purchases::{
    Line, NettedLines, PurchasesBuilder, QuantityLog, QuantityRecord, RunQuantities,
};
use crate::sampling;

/// The ticket of a line that has none.
pub(super) const NO_TICKET: u64 = 0;

/// What runs tell of quantities. Nothing, until a line is met that takes something back. From then on,
/// if tickets are mapped, each sale is recorded with its ticket.
pub(super) fn run_quantities(options: &InputOptions) -> RunQuantities {
    if !options.is_netted || are_headers(options) {
        return RunQuantities::Unknown;
    }
    match options.columns.of(ColumnRole::Basket) {
        Some(_) => RunQuantities::Recorded,
        None => RunQuantities::OnePiece,
    }
}

/// Whether the lines are headers of tickets. These are no sales: nothing is taken back from them.
fn are_headers(options: &InputOptions) -> bool {
    options.columns.table == TicketTable::Headers
}

/// Whether a line takes something back, and quantities were not noted so far.
pub(super) fn lacks_quantities(options: &InputOptions, take_backs: &AllTakeBacks) -> bool {
    !options.is_netted && !are_headers(options) && take_backs.log.take_backs() > 0
}

/// A number that tells a customer's tickets of a day apart.
pub(super) fn ticket_of(id: RawId<'_>) -> u64 {
    match id.key() {
        // The same for a ticket that is written 7 here and 7.0 there.
        Ok(IdKey::Integer(id) | IdKey::WholeFloat(id)) => id.cast_unsigned().wrapping_add(1),
        Ok(IdKey::Text(id)) => sampling::hash_bytes(id.as_bytes()),
        Err(_) => NO_TICKET,
    }
}

/// Lines of a chunk that take something back.
#[derive(Debug, Clone)]
pub(super) struct TakeBacks {
    customers: IdDictionary,
    products: IdDictionary,
    records: Vec<QuantityRecord>,
}

/// Some of the lines of a chunk that take something back. Their codes are positions in the ids of
/// these and of those before them in the chunk.
#[derive(Debug)]
pub(super) struct NewTakeBacks {
    customers: NewIds,
    products: NewIds,
    records: Vec<QuantityRecord>,
}

impl Default for TakeBacks {
    fn default() -> Self {
        Self {
            customers: IdDictionary::new("customer"),
            products: IdDictionary::new("product"),
            records: vec![],
        }
    }
}

impl TakeBacks {
    /// How many lines were not taken yet.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Adds a line. `record` makes the record of its codes.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(super) fn add(
        &mut self,
        customer: RawId<'_>,
        product: RawId<'_>,
        record: impl FnOnce(u32, u32) -> QuantityRecord,
    ) -> Result<()> {
        let customer = self.customers.code_of(customer)?;
        let product = self.products.code_of(product)?;
        self.records.push(record(customer, product));
        Ok(())
    }

    /// The lines since the last call.
    pub(super) fn take_new(&mut self) -> NewTakeBacks {
        NewTakeBacks {
            customers: self.customers.take_new(),
            products: self.products.take_new(),
            records: std::mem::take(&mut self.records),
        }
    }
}

/// All lines that take something back.
#[derive(Debug)]
pub(super) struct AllTakeBacks {
    customers: IdDictionary,
    products: IdDictionary,
    /// The codes here of the ids of the present chunk.
    customer_codes: Vec<u32>,
    product_codes: Vec<u32>,
    log: QuantityLog,
}

impl Default for AllTakeBacks {
    fn default() -> Self {
        Self {
            customers: IdDictionary::new("customer"),
            products: IdDictionary::new("product"),
            customer_codes: vec![],
            product_codes: vec![],
            log: QuantityLog::default(),
        }
    }
}

impl AllTakeBacks {
    /// Begins a chunk.
    pub(super) fn begin_chunk(&mut self) {
        self.customer_codes.clear();
        self.product_codes.clear();
    }

    /// Adds the lines that follow.
    ///
    /// # Errors
    /// If there are more ids than codes.
    pub(super) fn merge(&mut self, new: NewTakeBacks) -> Result<()> {
        self.customers
            .merge(new.customers, &mut self.customer_codes)?;
        self.products.merge(new.products, &mut self.product_codes)?;
        for record in new.records {
            let line = with_codes(record.line, &self.customer_codes, &self.product_codes);
            self.log.push(&QuantityRecord { line, ..record });
        }
        Ok(())
    }

    /// Records the lines in `builder`, of which `customers` and `products` are the ids. Lines of a
    /// customer or product of whom nothing was sold are left out.
    ///
    /// # Errors
    /// If there is no room in memory and nothing can be spilled.
    pub(super) fn record(
        self,
        customers: &IdDictionary,
        products: &IdDictionary,
        builder: &mut PurchasesBuilder,
    ) -> Result<()> {
        if self.log.take_backs() == 0 {
            return Ok(());
        }
        let customers = customers.codes_of_all(&self.customers);
        let products = products.codes_of_all(&self.products);
        let code = |codes: &[Option<u32>], at: u32| {
            codes
                .get(at as usize)
                .copied()
                .ok_or_else(|| Error::system("a line names an id that is not in the dictionary"))
        };
        self.log.each_in_memory(|record| {
            let line = record.line;
            let codes = (
                code(&customers, line.customer)?,
                code(&products, line.product)?,
            );
            let (Some(customer), Some(product)) = codes else {
                return Ok(());
            };
            let line = Line {
                customer,
                product,
                ..line
            };
            builder.record([QuantityRecord { line, ..record }])
        })
    }
}

/// A line of a chunk under the codes of the history; every code of a chunk is that of one of its
/// ids.
#[inline(always)]
pub(super) fn with_codes(line: Line, customers: &[u32], products: &[u32]) -> Line {
    Line {
        customer: customers[line.customer as usize],
        product: products[line.product as usize],
        ..line
    }
}

/// Counts lines that were netted away: those that were kept, and those that took them back, which
/// were counted as returned.
pub(super) fn count_netted(report: &mut Report, netted: &NettedLines) {
    let sales = netted.voided_sales();
    report.kept -= sales;
    report.returned -= netted.voids;
    report.voided += sales + netted.voids;
}
