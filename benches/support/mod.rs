//! Tickets and models for the benches.

#![allow(dead_code, unreachable_pub, reason = "each bench takes what it needs")]

use okuo::artifact::{self, Description};
use okuo::calendar::{AsOf, DateRange, StoreClock};
use okuo::domain::Ids;
use okuo::features::store_snapshot::CandidateLimits;
use okuo::ingest::report::Report;
use okuo::ingest::{ColumnNames, InputOptions, Reader};
use okuo::models::Model;
use okuo::purchases::{Line, Purchases};
use okuo::recurrence::Rule;
use okuo::simulate::{Order, Simulation, SimulationParameters, write_parquet};

pub const LIMITS: CandidateLimits = CandidateLimits {
    bought: 100,
    new: 50,
};
pub const SEED: u64 = 1;

/// The default rule with half of the purchases large, which some customers meet.
pub fn rule() -> Rule {
    Rule {
        basket_share: 0.5,
        ..Rule::default()
    }
}

/// The tickets of a simulated store as a Parquet file, in the order of days.
pub fn tickets(customers: u32, days: u32) -> Vec<u8> {
    let parameters = SimulationParameters {
        customers,
        days,
        ..SimulationParameters::default()
    };
    let mut parquet = vec![];
    Simulation::new(parameters)
        .and_then(|simulation| write_parquet(&simulation, Order::Days(7), &mut parquet))
        .expect("the store is simulated");
    parquet
}

/// Reads a Parquet file with tickets.
pub fn read(parquet: &[u8]) -> (Purchases, Report) {
    let clock = StoreClock::new("UTC", false, 0).expect("UTC exists");
    let options = InputOptions {
        columns: ColumnNames::default(),
        clock,
        exclude_products: vec![],
        max_bad_share: 0.0,
        ..InputOptions::default()
    };
    let mut reader = Reader::new(&options, None);
    reader
        .object("tickets.parquet", parquet.to_vec().into())
        .expect("the tickets are whole");
    let ingested = reader.finish().expect("the tickets are good");
    (ingested.purchases, ingested.report)
}

/// A history as ids and lines, in the order of days.
pub fn lines(purchases: &Purchases) -> (Ids, Ids, Vec<Line>) {
    let DateRange { first, last } = purchases.span().expect("there are purchases");
    let history = purchases.until(AsOf(last));
    let mut lines = vec![];
    for customer in 0..history.customer_count() {
        for (day, basket) in history.purchases_of(customer).iter() {
            lines.extend(basket.iter().map(|product| Line {
                customer,
                day,
                product: *product,
            }));
        }
    }
    lines.sort_by_key(|line| line.day - first);
    (
        purchases.customers().clone(),
        purchases.products().clone(),
        lines,
    )
}

/// A model as a file.
pub fn artifact(model: &Model) -> Vec<u8> {
    let description = Description {
        as_of: model.as_of,
        data_fingerprint: String::new(),
        rule: model.rule,
        feature_names: artifact::feature_names(),
        parameters: serde_json::Value::Null,
        figures: serde_json::Value::Null,
        warnings: vec![],
        origin: None,
        corrections: vec![],
        feed: None,
        features: None,
        learned_mix: None,
    };
    artifact::encode(description, model).expect("a model can be encoded")
}
