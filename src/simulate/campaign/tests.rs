use super::super::{Order, SimulationParameters};
use super::*;
use crate::calendar::{AsOf, DateRange};
use crate::offers::Arm;

fn parameters() -> SimulationParameters {
    SimulationParameters {
        customers: 120,
        products: 150,
        days: 120,
        seed: 5,
        ..SimulationParameters::default()
    }
}

fn store() -> Simulation {
    Simulation::new(parameters()).unwrap()
}

fn lines(simulation: &Simulation, order: Order) -> Vec<TicketLine> {
    let mut all = vec![];
    simulation
        .for_each_chunk(order, |chunk| {
            all.extend_from_slice(chunk);
            Ok(())
        })
        .unwrap();
    all
}

/// In an order that does not depend on that of the chunks.
fn sorted(mut lines: Vec<TicketLine>) -> Vec<TicketLine> {
    lines.sort_by_key(|line| {
        (
            line.customer,
            line.time,
            line.basket,
            line.product,
            line.quantity,
        )
    });
    lines
}

/// One offer to each customer on each of some nights, of a product that changes with both.
fn offers(nights: impl Iterator<Item = i32> + Clone, strategy: Strategy) -> Vec<CampaignOffer> {
    let start = parameters().start;
    let mut offers = vec![];
    for night in nights {
        for customer in 0..parameters().customers {
            let first = start + night + 1;
            offers.push(CampaignOffer {
                night: AsOf(start + night),
                customer,
                product: Some((customer * 7 + night as u32) % parameters().products),
                valid: DateRange {
                    first,
                    last: first + 9,
                },
                strategy,
                arm: if customer % 10 == 0 {
                    Arm::Control
                } else {
                    Arm::Treatment
                },
                offer_arm: Arm::Treatment,
                category: None,
            });
        }
    }
    offers
}

fn uplift(come: f64) -> PlantedUplift {
    PlantedUplift {
        come,
        ..PlantedUplift::NONE.with(Strategy::Overdue, 0.4)
    }
}

#[test]
fn offers_add_lines_and_change_none() {
    let untreated = lines(&store(), Order::Days(7));
    let offers = offers((20..90).step_by(10), Strategy::Overdue);
    let (nobody, truth) = store().with_campaign(&offers, PlantedUplift::NONE).unwrap();
    assert_eq!(lines(&nobody, Order::Days(7)), untreated);
    assert_eq!((truth.strategies[0].added, truth.unfinished), (0, 0));

    let (treated, truth) = store().with_campaign(&offers, uplift(0.5)).unwrap();
    let all = lines(&treated, Order::Days(7));
    assert!(all.is_sorted_by_key(|line| line.time));
    assert_eq!(all, lines(&treated, Order::Days(100)));
    assert_eq!(
        sorted(all.clone()),
        sorted(lines(&treated, Order::Customers(7)))
    );
    let mut rest = untreated.iter().peekable();
    let mut added = all;
    added.retain(|line| rest.next_if(|other| *other == line).is_none());
    assert_eq!(rest.next(), None);
    assert_eq!(added.len(), truth.strategies[0].added);
    for line in &added {
        assert_ne!(
            (line.customer - 1) % 10,
            0,
            "the control arm is sent nothing"
        );
        let mut made = offers.iter().filter(|offer| {
            i64::from(offer.customer) + 1 == line.customer
                && offer
                    .product
                    .is_some_and(|product| i64::from(product) + 1 == line.product)
        });
        assert!(made.any(|offer| offer.valid.contains(treated.day_of(line))));
    }
}

#[test]
fn as_much_is_added_as_is_planted() {
    let offers = offers((10..100).step_by(3), Strategy::Overdue);
    for come in [0.0, 1.0] {
        let (_, truth) = store().with_campaign(&offers, uplift(come)).unwrap();
        let [truth] = &truth.strategies[..] else {
            panic!("{truth:?}");
        };
        assert_eq!(
            (truth.offers, truth.sent),
            (offers.len(), offers.len() * 9 / 10)
        );
        let added = truth.added as f64 / truth.sent as f64;
        assert!((added - truth.uplift).abs() < 0.03, "{truth:?}");
        if come == 1.0 {
            let expected = 0.4 * (1.0 - truth.bought_without);
            assert!((truth.uplift - expected).abs() < 0.04, "{truth:?}");
        } else {
            assert!(
                truth.uplift < 0.35,
                "who does not come does not buy: {truth:?}"
            );
        }
    }
}

#[test]
fn a_campaign_that_goes_on_keeps_the_days_before() {
    let night = parameters().start + 50;
    let first = offers((20..50).step_by(5), Strategy::Overdue);
    let (short, _) = store()
        .until(night)
        .with_campaign(&first, uplift(1.0))
        .unwrap();
    let more = offers((20..80).step_by(5), Strategy::Overdue);
    let (long, _) = store().with_campaign(&more, uplift(1.0)).unwrap();
    let mut before = lines(&long, Order::Days(7));
    before.retain(|line| long.day_of(line) <= night);
    assert_eq!(lines(&short, Order::Days(7)), before);
    assert!(before.len() > lines(&store().until(night), Order::Days(7)).len());
}

#[test]
fn the_day_is_the_stores() {
    let utc = SimulationParameters {
        utc_zone: Some("America/New_York".into()),
        ..parameters()
    };
    let offers = offers((20..90).step_by(10), Strategy::Overdue);
    let utc = Simulation::new(utc).unwrap();
    let (utc, in_utc) = utc.with_campaign(&offers, uplift(1.0)).unwrap();
    let (_, local) = store().with_campaign(&offers, uplift(1.0)).unwrap();
    assert_eq!(in_utc, local);
    assert_eq!(lines(&utc, Order::Days(7)).len(), {
        let (local, _) = store().with_campaign(&offers, uplift(1.0)).unwrap();
        lines(&local, Order::Days(7)).len()
    });
}

#[test]
fn what_cannot_be_is_refused() {
    let mut foreign = offers([20].into_iter(), Strategy::New);
    foreign[3].product = Some(150);
    let error = store().with_campaign(&foreign, uplift(0.0)).unwrap_err();
    assert!(error.to_string().contains("does not have"), "{error}");
    let error = store().with_campaign(&[], PlantedUplift::NONE.with(Strategy::New, 1.5));
    assert!(error.unwrap_err().to_string().contains("but is 1.5"));
}
