//! A small store and a small model, for tests.

use std::sync::OnceLock;

use crate::calendar::{AsOf, Day};
use crate::domain::Ids;
use crate::models::{Model, Parameters};
use crate::purchases::{Line, Purchases};
use crate::recurrence::Rule;
use crate::sampling::{hash, unit};

pub(crate) const NIGHT: AsOf = AsOf(Day::from_epoch(17_300));

/// A small store: each customer comes every few days and buys products on a cycle of its own, some
/// by chance.
pub(crate) fn store(customers: u32, days: i32, seed: u64) -> Vec<Line> {
    let mut lines = vec![];
    for customer in 0..customers {
        let random = |names: &[u64]| unit(hash(seed ^ u64::from(customer), names));
        let cadence = 2.0 + 4.0 * random(&[1]);
        let mut day = NIGHT.day() - days;
        let mut visit = 0_u64;
        while day <= NIGHT.day() + 40 {
            for product in 0..60_u64 {
                let cycle = 1 + (hash(seed, &[2, u64::from(customer), product]) % 9);
                let staple = hash(seed, &[3, u64::from(customer), product]).is_multiple_of(3);
                let bought = if staple {
                    visit.is_multiple_of(cycle)
                } else {
                    random(&[4, visit, product]) < 0.08
                };
                if bought {
                    lines.push(Line {
                        customer,
                        day,
                        product: product as u32,
                    });
                }
            }
            visit += 1;
            day = day + 1 + (cadence * (0.5 + random(&[5, visit]))) as i32;
        }
    }
    lines
}

pub(crate) fn read(lines: Vec<Line>) -> Purchases {
    Purchases::from_lines(
        Ids::Integer((0..200).collect()),
        Ids::Integer((0..70).collect()),
        lines,
    )
    .unwrap()
}

pub(crate) fn small() -> Parameters {
    let mut parameters = Parameters::default();
    parameters.timing.boosting.trees = 20;
    parameters.timing.max_training_rows = 20_000;
    parameters.basket.boosting.trees = 20;
    (parameters.basket.days, parameters.basket.every) = (60, 3);
    parameters.basket.max_training_rows = 40_000;
    parameters
}

pub(crate) fn rule() -> Rule {
    Rule {
        basket_share: 0.5,
        min_products: 5,
        ..Rule::default()
    }
}

/// A real model of a few kilobytes, trained once; `seed` only names it.
pub(crate) fn tiny_model(as_of: AsOf, seed: u64) -> Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    let model = MODEL.get_or_init(|| {
        let purchases = read(store(40, 150, 3)).known(NIGHT).unwrap();
        let mut parameters = small();
        parameters.timing.boosting = crate::models::boosting::BoostingParameters {
            trees: 2,
            leaves: 4,
            ..parameters.timing.boosting
        };
        parameters.basket.boosting = crate::models::boosting::BoostingParameters {
            trees: 2,
            leaves: 4,
            ..parameters.basket.boosting
        };
        parameters.basket.correction.min_information = 1e9;
        super::train(&purchases, NIGHT, &rule(), &parameters, &|_| {})
            .unwrap()
            .model
    });
    let mut model = Model {
        as_of,
        rule: Rule::default(),
        ..model.clone()
    };
    model.parameters = Parameters {
        seed,
        ..model.parameters
    };
    model
}
