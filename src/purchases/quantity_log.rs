//! What lines add to the quantity of their customer, day and product, in the order in which they
//! came: only read where a line takes back what was sold.
//!
//! Most lines are sales of one piece, and the sorted runs tell of them. The others are written here,
//! each as the difference to the one before it, in about seven bytes.

use super::spill::{MemoryLimit, SpillableBytes};
use super::{Line, varint};
use crate::calendar::Day;
use crate::error::{Error, Result};

/// A quantity in millionths of a piece (or of a kilogram, or of a litre), so that sums do not depend
/// on the order of what is summed.
pub type Millionths = i64;

/// One piece.
pub const PIECE: Millionths = 1_000_000;

/// What a line in a run tells of quantities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunQuantities {
    /// Nothing, and nothing is recorded: no line takes anything back.
    Unknown,
    /// It is a sale of one piece; what differs is recorded.
    OnePiece,
    /// Nothing: every sale is recorded, with its ticket.
    Recorded,
}

impl RunQuantities {
    /// What is recorded of a sale beside its line; nothing if the line tells all. `in_run` says
    /// whether it has a line of its own, or repeats the one before it.
    #[must_use]
    pub fn record_of_sale(
        self,
        line: Line,
        quantity: Millionths,
        ticket: u64,
        in_run: bool,
    ) -> Option<QuantityRecord> {
        let (quantity, kind, ticket) = match self {
            RunQuantities::Unknown => return None,
            RunQuantities::Recorded => (quantity, RecordKind::Sales(1), ticket),
            RunQuantities::OnePiece if !in_run => (quantity, RecordKind::Sales(1), 0),
            RunQuantities::OnePiece if quantity == PIECE => return None,
            RunQuantities::OnePiece => (quantity - PIECE, RecordKind::Counted, 0),
        };
        Some(QuantityRecord {
            line,
            ticket,
            quantity,
            kind,
        })
    }
}

/// What is added to the quantity of a customer, day and product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuantityRecord {
    /// The customer, the day and the product.
    pub line: Line,
    /// Tells the tickets of a customer on a day apart, where quantities are netted within tickets.
    pub ticket: u64,
    /// What is added; negative if it is taken back.
    pub quantity: Millionths,
    /// The lines that it is about.
    pub kind: RecordKind,
}

/// The lines that a [`QuantityRecord`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// A sale that was counted already.
    Counted,
    /// This many sales.
    Sales(u32),
    /// A line that takes back what was sold.
    TakeBack,
}

/// How many bytes make a part: enough that a freed part goes back to the system, and does not leave a
/// hole between runs.
const PART: usize = 1 << 20;

/// More bytes than a record takes: the first, and seven numbers.
const LONGEST: usize = 1 + 7 * 10;

/// Bits of the byte with which a record begins.
const SAME_PURCHASE: u8 = 1;
const SAME_TICKET: u8 = 1 << 1;
const IS_WHOLE: u8 = 1 << 2;
const KIND_SHIFT: u32 = 3;
const COUNTED: u8 = 0;
const ONE_SALE: u8 = 1;
const TAKE_BACK: u8 = 2;
const MANY_SALES: u8 = 3;

/// Records one after the other, as bytes.
#[derive(Debug, Default)]
pub struct QuantityLog {
    sealed: Vec<SpillableBytes>,
    bytes: Vec<u8>,
    last: LastRecord,
    /// How many lines take back what was sold.
    take_backs: u64,
}

/// What the next record is written as the difference to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct LastRecord {
    customer: u32,
    day: i32,
    ticket: u64,
}

impl LastRecord {
    fn of(record: &QuantityRecord) -> Self {
        Self {
            customer: record.line.customer,
            day: record.line.day.epoch(),
            ticket: record.ticket,
        }
    }

    fn is_same_purchase(self, other: Self) -> bool {
        (self.customer, self.day) == (other.customer, other.day)
    }
}

impl QuantityLog {
    /// How many lines take back what was sold.
    #[must_use]
    pub fn take_backs(&self) -> u64 {
        self.take_backs
    }

    /// Appends a record. Returns whether a part was ended, which may be spilled.
    pub fn push(&mut self, record: &QuantityRecord) -> bool {
        let (this, last) = (LastRecord::of(record), self.last);
        let is_whole = record.quantity % PIECE == 0;
        let (kind, sales) = match record.kind {
            RecordKind::Counted => (COUNTED, None),
            RecordKind::Sales(1) => (ONE_SALE, None),
            RecordKind::Sales(sales) => (MANY_SALES, Some(sales)),
            RecordKind::TakeBack => (TAKE_BACK, None),
        };
        let first = (kind << KIND_SHIFT)
            | flag(SAME_PURCHASE, this.is_same_purchase(last))
            | flag(SAME_TICKET, this.ticket == last.ticket)
            | flag(IS_WHOLE, is_whole);
        self.bytes.push(first);
        if first & SAME_PURCHASE == 0 {
            let customers = i64::from(this.customer) - i64::from(last.customer);
            varint::write_signed(&mut self.bytes, customers);
            varint::write_signed(&mut self.bytes, i64::from(this.day) - i64::from(last.day));
        }
        if first & SAME_TICKET == 0 {
            let tickets = this.ticket.wrapping_sub(last.ticket).cast_signed();
            varint::write_signed(&mut self.bytes, tickets);
        }
        varint::write(&mut self.bytes, u64::from(record.line.product));
        let unit = if is_whole { PIECE } else { 1 };
        varint::write_signed(&mut self.bytes, record.quantity / unit);
        if let Some(sales) = sales {
            varint::write(&mut self.bytes, u64::from(sales));
        }
        self.take_backs += u64::from(record.kind == RecordKind::TakeBack);
        self.last = this;
        let is_full = self.bytes.len() + LONGEST > PART;
        if is_full {
            let bytes = std::mem::replace(&mut self.bytes, Vec::with_capacity(PART));
            self.sealed.push(SpillableBytes::InMemory(bytes));
            self.last = LastRecord::default();
        }
        is_full
    }

    /// How many bytes the part has that was ended last.
    pub(super) const fn part_bytes() -> usize {
        PART
    }

    /// Spills the sealed parts.
    pub(super) fn spill(&mut self, limit: &MemoryLimit) -> Result<()> {
        self.sealed
            .iter_mut()
            .try_for_each(|part| part.spill(limit))
    }

    /// Calls `each` with every record, in their order.
    ///
    /// # Errors
    /// What `each` returns, or if a spilled part cannot be read.
    pub(super) fn each(
        &self,
        limit: Option<&MemoryLimit>,
        mut each: impl FnMut(QuantityRecord) -> Result<()>,
    ) -> Result<()> {
        for part in &self.sealed {
            each_of(&part.bytes(limit)?, &mut each)?;
        }
        each_of(&self.bytes, &mut each)
    }

    /// As `each`, of a log of which nothing is spilled.
    ///
    /// # Errors
    /// What `each` returns.
    pub fn each_in_memory(&self, each: impl FnMut(QuantityRecord) -> Result<()>) -> Result<()> {
        self.each(None, each)
    }
}

fn flag(bit: u8, is_set: bool) -> u8 {
    if is_set { bit } else { 0 }
}

/// Calls `each` with every record of a part.
fn each_of(bytes: &[u8], each: &mut impl FnMut(QuantityRecord) -> Result<()>) -> Result<()> {
    let (mut at, mut last) = (0, LastRecord::default());
    while at < bytes.len() {
        let record = read_record(bytes, &mut at, last).ok_or_else(damaged)?;
        last = LastRecord::of(&record);
        each(record)?;
    }
    Ok(())
}

fn read_record(bytes: &[u8], at: &mut usize, last: LastRecord) -> Option<QuantityRecord> {
    let first = *bytes.get(*at)?;
    *at += 1;
    let LastRecord {
        mut customer,
        mut day,
        mut ticket,
    } = last;
    if first & SAME_PURCHASE == 0 {
        let customers = varint::read_signed(bytes, at)?;
        customer = u32::try_from(i64::from(customer).checked_add(customers)?).ok()?;
        let days = varint::read_signed(bytes, at)?;
        day = i32::try_from(i64::from(day).checked_add(days)?).ok()?;
    }
    if first & SAME_TICKET == 0 {
        ticket = ticket.wrapping_add(varint::read_signed(bytes, at)?.cast_unsigned());
    }
    let product = u32::try_from(varint::read(bytes, at)?).ok()?;
    let unit = if first & IS_WHOLE == 0 { 1 } else { PIECE };
    let quantity = varint::read_signed(bytes, at)?.checked_mul(unit)?;
    let kind = match first >> KIND_SHIFT {
        COUNTED => RecordKind::Counted,
        ONE_SALE => RecordKind::Sales(1),
        TAKE_BACK => RecordKind::TakeBack,
        MANY_SALES => RecordKind::Sales(u32::try_from(varint::read(bytes, at)?).ok()?),
        _ => return None,
    };
    Some(QuantityRecord {
        line: Line {
            customer,
            day: Day::from_epoch(day),
            product,
        },
        ticket,
        quantity,
        kind,
    })
}

fn damaged() -> Error {
    Error::system("what was set aside of quantities while reading has changed")
        .hint("raise --memory-limit, or name another folder for temporary files in TMPDIR")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records() -> impl Strategy<Value = Vec<QuantityRecord>> {
        let kind = prop_oneof![
            Just(RecordKind::Counted),
            any::<u32>().prop_map(RecordKind::Sales),
            Just(RecordKind::Sales(1)),
            Just(RecordKind::TakeBack),
        ];
        let quantity = prop_oneof![
            any::<i64>(),
            (-9_i64..9).prop_map(|pieces| pieces * PIECE),
            -2 * PIECE..2 * PIECE
        ];
        let customer = prop_oneof![any::<u32>(), 0_u32..3];
        let day = prop_oneof![any::<i32>(), 17_000..17_003];
        let ticket = prop_oneof![any::<u64>(), 0_u64..3];
        let record = (customer, day, any::<u32>(), ticket, quantity, kind).prop_map(
            |(customer, day, product, ticket, quantity, kind)| QuantityRecord {
                line: Line {
                    customer,
                    day: Day::from_epoch(day),
                    product,
                },
                ticket,
                quantity,
                kind,
            },
        );
        prop::collection::vec(record, 0..40)
    }

    proptest! {
        #[test]
        fn records_come_back(records in records()) {
            let mut log = QuantityLog::default();
            for record in &records {
                log.push(record);
            }
            let mut read = vec![];
            log.each_in_memory(|record| {
                read.push(record);
                Ok(())
            }).unwrap();
            prop_assert_eq!(&read, &records);
            let take_backs = records.iter().filter(|record| record.kind == RecordKind::TakeBack);
            prop_assert_eq!(log.take_backs(), take_backs.count() as u64);
        }

        #[test]
        fn damage_is_an_error_or_other_records(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            _ = each_of(&bytes, &mut |_| Ok(()));
        }
    }

    #[test]
    fn parts_are_ended_before_they_grow() {
        let mut log = QuantityLog::default();
        let record = |at: u32| QuantityRecord {
            line: Line {
                customer: at % 7,
                day: Day::from_epoch(17_000),
                product: at,
            },
            ticket: u64::from(at) << 40,
            quantity: i64::from(at) - 9,
            kind: RecordKind::Sales(1),
        };
        let ended = (0..200_000).filter(|at| log.push(&record(*at))).count();
        assert!(ended > 1 && log.sealed.len() == ended);
        let mut next = 0;
        log.each_in_memory(|read| {
            assert_eq!(read, record(next));
            next += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(next, 200_000);
        for part in &log.sealed {
            assert!(part.bytes(None).unwrap().len() <= PART);
        }
    }

    #[test]
    fn a_cut_log_is_an_error() {
        let mut log = QuantityLog::default();
        log.push(&QuantityRecord {
            line: Line {
                customer: 3,
                day: Day::from_epoch(17_000),
                product: 500,
            },
            ticket: 7,
            quantity: -350_000,
            kind: RecordKind::TakeBack,
        });
        for len in 1..log.bytes.len() {
            assert!(
                each_of(&log.bytes[..len], &mut |_| Ok(())).is_err(),
                "{len}"
            );
        }
    }
}
