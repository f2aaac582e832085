//! Published predictions beside what followed: a night's figures, and whether a model keeps what its
//! own backtest promised.

use serde::Serialize;

use super::Verdict;
use super::backtest::draw_customers;
use super::bootstrap::{Bootstrap, Figure, Interval};
use super::metrics::{Figures, figures};
use super::protocol::{NightRows, night_rows};
use crate::calendar::AsOf;
use crate::domain::Predictions;
use crate::error::Result;
use crate::purchases::Partitions;
use crate::stats::{mean, rounded};

/// The figures that are compared with those of the backtest.
const PROMISED: [Figure; 2] = [Figure::MaeAll, Figure::NdcgAt10];

/// A figure that is off by less than this share of what was promised is no matter, however certain:
/// seasons differ.
const TOLERANCE: f64 = 0.1;

/// A published night beside what followed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MonitoredNight {
    /// The night.
    pub as_of: AsOf,
    /// The model that predicted.
    pub model_id: String,
    /// How many customers were published.
    pub customers: usize,
    /// Of these, those who are not in the tickets that followed or came before.
    pub unknown: usize,
    /// Share of the measured customers who came within the horizon.
    pub came: Option<f64>,
    /// The mean of the probabilities of that.
    pub expected: Option<f64>,
    /// The figures of the night. Its rows are the customers who are measured.
    pub figures: Figures,
}

/// A figure beside what the model's own backtest promised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PromiseComparison {
    /// The figure.
    pub figure: Figure,
    /// Its value in the backtest.
    pub promised: f64,
    /// Its value over the published nights.
    pub measured: f64,
    /// The 95 % interval of measured less promised.
    #[serde(flatten)]
    pub interval: Interval,
    /// What the interval says: a difference below a tenth of what was promised is a tie.
    pub verdict: Verdict,
}

/// Measures a night's published predictions on the purchases that followed. At most `most_customers`
/// are measured, drawn by their ids as `train` draws them. Customers who are not in the purchases
/// are counted and left out.
///
/// # Errors
/// If there is no purchase, or a customer, or a product of a customer, occurs twice.
pub fn monitor_night(
    mut predictions: Predictions,
    purchases: &dyn Partitions,
    most_customers: usize,
) -> Result<(MonitoredNight, NightRows)> {
    let published = predictions.customers.len();
    let ids = &predictions.customer_ids;
    predictions.customers.retain(|customer| {
        purchases
            .customers()
            .code(&ids.text(customer.customer))
            .is_some()
    });
    let unknown = published - predictions.customers.len();
    let known = predictions.customers.iter().map(|known| known.customer);
    let mut drawn = draw_customers(ids, known.collect(), most_customers);
    drawn.sort_unstable();
    predictions
        .customers
        .retain(|customer| drawn.binary_search(&customer.customer).is_ok());
    let rows = night_rows(&predictions, purchases)?;
    let came = rows
        .rows
        .iter()
        .map(|row| f64::from(u8::from(row.actual_days.is_some())));
    let expected = rows
        .rows
        .iter()
        .filter_map(|row| row.return_probability.map(|[_, _, within_28]| within_28));
    let night = MonitoredNight {
        as_of: predictions.as_of,
        model_id: predictions.model_id,
        customers: published,
        unknown,
        came: mean(came).map(|share| rounded(share, 4)),
        expected: mean(expected).map(|share| rounded(share, 4)),
        figures: figures(std::slice::from_ref(&rows)),
    };
    Ok((night, rows))
}

/// Compares the nights of one model with what its backtest promised. A figure that one of the two
/// does not have is left out.
#[must_use]
pub fn compare_with_promise(nights: &[NightRows], promised: &Figures) -> Vec<PromiseComparison> {
    let measured = figures(nights);
    let bootstrap = Bootstrap::new(&[nights]);
    let widening = widening(&measured, promised);
    let comparisons = PROMISED.into_iter().filter_map(|figure| {
        let (value, expected) = (figure.of(&measured)?, figure.of(promised)?);
        let own = bootstrap.interval(0, figure)?;
        let interval = Interval {
            low: rounded(value - expected - widening * (value - own.low), 4),
            high: rounded(value - expected + widening * (own.high - value), 4),
        };
        let is_hair = (value - expected).abs() < TOLERANCE * expected.abs();
        Some(PromiseComparison {
            figure,
            promised: expected,
            measured: value,
            interval,
            verdict: match is_hair {
                true => Verdict::Tie,
                false => Verdict::of(interval, figure.higher_is_better()),
            },
        })
    });
    comparisons.collect()
}

/// By how much the interval of a difference is wider than that of the measured figure: the backtest's
/// figure is uncertain too, by the root of the customers that it was measured on.
fn widening(measured: &Figures, promised: &Figures) -> f64 {
    (1.0 + customers_of(measured) / customers_of(promised).max(1.0)).sqrt()
}

/// Customers of a night. The nights of a customer are drawn together, so they count once.
fn customers_of(figures: &Figures) -> f64 {
    figures.rows as f64 / figures.nights.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Day;
    use crate::domain::{Ids, examples};
    use crate::eval::protocol::EvaluationRow;
    use crate::purchases::{Line, Purchases};

    /// Rows of so many customers who come after 1 to 10 days and were expected `off` days later.
    fn rows(customers: u32, off: f64) -> NightRows {
        let rows = (0..customers).map(|customer| {
            let actual = 1 + (customer % 10) as i32;
            EvaluationRow {
                customer,
                actual_days: Some(actual),
                predicted_days: Some(f64::from(actual) + off),
                interval: None,
                return_probability: None,
                rankings: None,
            }
        });
        NightRows {
            as_of: "2024-06-30".parse().unwrap(),
            followed_days: 28,
            rows: rows.collect(),
            listed_products: vec![],
        }
    }

    fn verdict_of(measured: &[NightRows], promised: f64, rows: usize) -> Verdict {
        let promised = Figures {
            rows,
            nights: 1,
            mae_all: Some(promised),
            ..Figures::default()
        };
        let compared = compare_with_promise(measured, &promised);
        assert_eq!(compared.len(), 1, "{compared:?}");
        compared[0].verdict
    }

    #[test]
    fn a_promise_is_broken_by_more_than_chance_and_more_than_a_tenth() {
        let night = rows(200, 3.0);
        let nights = [night.clone(), night];
        for (promised, customers, expected) in [
            (2.0, 200, Verdict::Worse),
            (2.8, 200, Verdict::Tie), // certain, and a hair
            (3.0, 200, Verdict::Tie),
            (4.0, 200, Verdict::Better),
        ] {
            assert_eq!(
                verdict_of(&nights, promised, customers),
                expected,
                "{promised}"
            );
        }
        // Errors that differ: a backtest of a few customers promises little.
        let mut wild = rows(40, 1.0);
        for row in wild.rows.iter_mut().step_by(5) {
            row.predicted_days = row.actual_days.map(|days| f64::from(days) + 9.0);
        }
        assert_eq!(verdict_of(&[wild.clone()], 1.5, 4_000), Verdict::Worse);
        assert_eq!(verdict_of(&[wild], 1.5, 4), Verdict::Tie);
    }

    fn line(customer: u32, day: Day, product: u32) -> Line {
        Line {
            customer,
            day,
            product,
        }
    }

    #[test]
    fn customers_without_tickets_are_counted_and_left_out() {
        // The customers -5, 2469 and another are published.
        let predictions = examples::integer();
        let night = predictions.as_of.day();
        let tickets = Purchases::from_lines(
            Ids::Integer(vec![-5, 99]),
            Ids::Integer(vec![10, 20]),
            vec![
                line(0, night - 1, 0),
                line(0, night + 3, 0),
                line(0, night + 3, 1),
                line(1, night + 40, 0),
            ],
        )
        .unwrap();
        let (monitored, rows) = monitor_night(predictions, &tickets, 10).unwrap();
        assert_eq!((monitored.customers, monitored.unknown), (3, 2));
        assert_eq!((rows.rows.len(), monitored.came), (1, Some(1.0)));
        assert_eq!(monitored.expected, Some(0.97));
        assert_eq!(monitored.figures.mae, Some(0.6));
    }
}
