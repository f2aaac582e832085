//! How offers would have fared, as text for people.

use super::super::table::{Align, Column, Table, figure};
use crate::eval::{MailingEvaluation, StrategyComparison};

/// How few, how timely and how well chosen the mailings are.
pub(super) fn offers_text(offers: &MailingEvaluation) -> String {
    let mut counts = Table::new([Column::fitted(Align::Left), Column::fitted(Align::Left)]);
    counts.row([
        "offers".to_owned(),
        format!("as if each of {} nights had been sent", offers.nights),
    ]);
    counts.row([
        "mailings".to_owned(),
        format!(
            "{}, which is {} for each of {} visits",
            offers.mailings,
            figure(offers.mailings_per_visit, 2),
            offers.visits
        ),
    ]);
    counts.row([
        "offered again".to_owned(),
        format!(
            "{} of {} offers, within the customer's own gap between purchases of the product",
            offers.repeated_in_cycle, offers.offers
        ),
    ]);
    counts.row([
        "mailed".to_owned(),
        format!(
            "{} of those who visited, before one of the visits",
            percent(offers.visitors_mailed)
        ),
    ]);
    counts.row([
        "came".to_owned(),
        format!(
            "{} of {} mailings, while the offers were valid",
            percent(offers.came),
            offers.mailings_followed
        ),
    ]);
    counts.row([
        "calibration".to_owned(),
        format!(
            "the error of p_window is {}",
            figure(offers.ece_p_window, 4)
        ),
    ]);
    format!("{counts}\n{}", strategies(&offers.strategies))
}

/// What was bought while it was valid, without any offer, by strategy.
fn strategies(strategies: &[StrategyComparison]) -> String {
    let mut columns = vec![Column::fitted(Align::Right); 7];
    columns[0] = Column::fitted(Align::Left);
    columns.push(Column::fitted(Align::Left));
    let mut table = Table::new(columns);
    table.row([
        "bought in time",
        "offers",
        "bought",
        "expected",
        "by frequency",
        "difference",
        "95 % interval",
    ]);
    for compared in strategies {
        let interval = compared.interval.map(|interval| {
            format!(
                "({:+.1} … {:+.1})",
                100.0 * interval.low,
                100.0 * interval.high
            )
        });
        let difference = compared
            .difference
            .map(|difference| format!("{:+.1}", 100.0 * difference));
        let verdict = compared.verdict.map(|verdict| verdict.words().to_owned());
        table.row([
            compared.strategy.word().to_owned(),
            compared.offers.to_string(),
            percent(compared.bought),
            percent(compared.expected),
            percent(compared.bought_by_frequency),
            difference.unwrap_or_default(),
            interval.unwrap_or_default(),
            verdict.unwrap_or_default(),
        ]);
    }
    table.to_string()
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Interval, Verdict};
    use crate::offers::Strategy;

    #[test]
    fn people_can_read_how_offers_fared() {
        let likely = StrategyComparison {
            strategy: Strategy::Likely,
            offers: 2_100,
            bought: Some(0.299),
            expected: Some(0.2912),
            offers_by_frequency: 2_080,
            bought_by_frequency: Some(0.281),
            difference: Some(0.018),
            interval: Some(Interval {
                low: 0.004,
                high: 0.032,
            }),
            verdict: Some(Verdict::Better),
        };
        let new = StrategyComparison {
            strategy: Strategy::New,
            offers: 1,
            bought: Some(0.0),
            expected: Some(0.0126),
            offers_by_frequency: 0,
            bought_by_frequency: None,
            difference: None,
            interval: None,
            verdict: None,
        };
        let offers = MailingEvaluation {
            nights: 30,
            visits: 5_120,
            mailings: 4_311,
            mailings_per_visit: Some(0.842),
            offers: 5_133,
            repeated_in_cycle: 0,
            visitors_mailed: Some(1.0),
            mailings_followed: 4_020,
            came: Some(0.613),
            ece_p_window: Some(0.0171),
            strategies: vec![likely, new],
        };
        insta::assert_snapshot!(offers_text(&offers), @"
        offers         as if each of 30 nights had been sent
        mailings       4311, which is 0.84 for each of 5120 visits
        offered again  0 of 5133 offers, within the customer's own gap between purchases of the product
        mailed         100.0 % of those who visited, before one of the visits
        came           61.3 % of 4020 mailings, while the offers were valid
        calibration    the error of p_window is 0.0171

        bought in time  offers  bought  expected  by frequency  difference  95 % interval
        likely            2100  29.9 %    29.1 %        28.1 %        +1.8  (+0.4 … +3.2)  better
        new                  1   0.0 %     1.3 %             –
        ");
    }
}
