use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::calendar::AsOf;
use crate::domain::Ids;
use crate::purchases::{Line, PartitionedHistory, Purchases, PurchasesBuilder};

/// Purchases of several customers, each as `(day, number of products)`.
fn purchases(customers: &[Vec<(i32, u32)>]) -> Purchases {
    let ids = Ids::Integer((0..customers.len() as i64).collect());
    let products = Ids::Integer((0..40).collect());
    let mut lines = vec![];
    for (customer, purchases) in (0..).zip(customers) {
        for (day, size) in purchases {
            lines.extend((0..*size).map(|product| Line {
                customer,
                day: Day::from_epoch(*day),
                product,
            }));
        }
    }
    Purchases::from_lines(ids, products, lines).unwrap()
}

/// The rule word for word, for one customer.
fn obvious(purchases: &[(i32, u32)], night: i32, rule: &Rule) -> bool {
    let days: BTreeSet<i32> = purchases.iter().map(|(day, _)| *day).collect();
    let size = |day: i32| {
        purchases
            .iter()
            .filter(|(d, _)| *d == day)
            .map(|(_, size)| *size)
            .max()
            .unwrap_or(0)
    };
    let (mut all, mut large) = (0, 0);
    for period in 0..rule.periods as i32 {
        let length = rule.period_days as i32;
        let inside: Vec<i32> = days
            .iter()
            .copied()
            .filter(|day| *day <= night - period * length && *day > night - (period + 1) * length)
            .collect();
        if inside.len() < rule.min_purchases as usize {
            return false;
        }
        all += inside.len();
        large += inside
            .iter()
            .filter(|day| size(**day) >= rule.min_products)
            .count();
    }
    large as f64 / all as f64 >= rule.basket_share
}

proptest! {
    #[test]
    fn the_fast_rule_is_the_obvious_one(
        customers in prop::collection::vec(prop::collection::vec((0_i32..60, 1_u32..20), 1..30), 1..6),
        night in 10_i32..60, period_days in 1_u32..20, periods in 1_u32..4, min_purchases in 1_u32..4, min_products in 1_u32..15,
        share in prop::sample::select(vec![0.0, 0.3, 0.5, 2.0 / 3.0, 1.0]),
    ) {
        let rule = Rule { period_days, periods, min_purchases, min_products, basket_share: share }.check().unwrap();
        let purchases = purchases(&customers);
        let history = purchases.until(AsOf(Day::from_epoch(night)));
        let (found, funnel) = recurrent(&history, &rule);
        let expected: Vec<u32> = (0..).zip(&customers).filter(|(_, purchases)| obvious(purchases, night, &rule)).map(|(c, _)| c).collect();
        prop_assert_eq!(&found, &expected);
        prop_assert!(found.iter().all(|customer| rule.met(&history.purchases_of(*customer), history.as_of().day())));

        let widths = [funnel.seen, funnel.active, funnel.frequent, funnel.recurrent];
        prop_assert!(widths.windows(2).all(|pair| pair[0] >= pair[1]));
        prop_assert!(funnel.large_baskets <= funnel.frequent);
        prop_assert!(funnel.by_basket_share.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        prop_assert_eq!(funnel.by_basket_share.last().map(|(_, count)| *count), Some(funnel.frequent));
    }
}

#[test]
fn the_literal_default_is_more_than_one_purchase_and_every_basket_above_ten() {
    let rule = Rule::default();
    let good: Vec<(i32, u32)> = [1, 15, 31, 45, 61, 75].map(|day| (day, 11)).to_vec();
    let mut small_once = good.clone();
    small_once[3].1 = 10;
    let late: Vec<(i32, u32)> = good.iter().map(|(day, size)| (day - 1, *size)).collect(); // day 0 is outside the 90 days
    let purchases = purchases(&[good, small_once, late]);
    let (found, funnel) = recurrent(&purchases.until(AsOf(Day::from_epoch(90))), &rule);
    assert_eq!(found, vec![0]);
    assert_eq!(
        (
            funnel.seen,
            funnel.active,
            funnel.frequent,
            funnel.large_baskets,
            funnel.recurrent
        ),
        (3, 3, 2, 2, 1)
    );
}

#[test]
fn senseless_parameters_are_named() {
    let wrong = |rule: Rule| rule.check().unwrap_err().to_string();
    assert!(
        wrong(Rule {
            periods: 0,
            ..Rule::default()
        })
        .contains("periods should be at least 1, but is 0")
    );
    assert!(
        wrong(Rule {
            basket_share: 1.5,
            ..Rule::default()
        })
        .contains("basket_share should be between 0 and 1, but is 1.5")
    );
    assert!(
        wrong(Rule {
            basket_share: f64::NAN,
            ..Rule::default()
        })
        .contains("NaN")
    );
    assert!(
        wrong(Rule {
            period_days: 4000,
            ..Rule::default()
        })
        .contains("3653")
    );
}

/// A store of 60 customers, of whom 40 come on each open day.
fn store_open_on(is_open: impl Fn(i32) -> bool) -> Purchases {
    let visits = |customer: i32| {
        (17_000..17_100)
            .filter(|day| is_open(*day) && (day + customer) % 3 != 0)
            .map(|day| (day, 1))
            .collect::<Vec<_>>()
    };
    purchases(&(0..60).map(visits).collect::<Vec<_>>())
}

fn closed_days(purchases: &Purchases) -> ClosedDays {
    let mut sales = SalesByDay::default();
    sales.add(&purchases.until(AsOf(Day::from_epoch(17_099))));
    sales.closed_days()
}

#[test]
fn days_on_which_the_store_sold_nothing_are_closed() {
    let sunday = 6;
    let is_sunday = |day: i32| Day::from_epoch(day).weekday() == sunday;
    let found = closed_days(&store_open_on(|day| !is_sunday(day) && day != 17_050));
    let days = (17_000..17_110).map(Day::from_epoch);
    let closed: Vec<i32> = days
        .filter(|day| found.contains(*day))
        .map(Day::epoch)
        .collect();
    // The first week has too few days before to tell.
    let expected: Vec<i32> = (17_008..17_100)
        .filter(|day| is_sunday(*day) || *day == 17_050)
        .collect();
    assert_eq!(closed, expected);
    let mut weekdays = [false; 7];
    assert_eq!(
        closed_days(&store_open_on(|_| true)).weekdays(Day::from_epoch(17_099)),
        weekdays
    );
    weekdays[sunday] = true;
    assert_eq!(found.weekdays(Day::from_epoch(17_099)), weekdays);
    // After four weeks too few Sundays are known.
    assert_eq!(found.weekdays(Day::from_epoch(17_030)), [false; 7]);
}

/// Customers without a card alone show that the store was open.
#[test]
fn a_day_with_anonymous_sales_is_open() {
    let (without, alone) = (17_050, 17_060);
    let is_open = |day: i32| day != without && day != alone;
    let mut builder = PurchasesBuilder::new(None);
    for day in (17_000..17_100).filter(|day| is_open(*day)) {
        let day = Day::from_epoch(day);
        let lines = (0..30).map(|customer| Line {
            customer,
            day,
            product: 0,
        });
        builder.add(lines).unwrap();
    }
    builder.add_anonymous(Day::from_epoch(alone), 0, 1);
    let ids = [30, 1].map(|count| Ids::Integer((0..count).collect()));
    let [customers, products] = ids;
    let purchases = builder.finish(customers, products).unwrap();
    let partitions = purchases.partitions().unwrap();
    let mut sales = SalesByDay::default();
    let until = AsOf(Day::from_epoch(17_099));
    PartitionedHistory::new(&*partitions, until)
        .each(|history| {
            sales.add(history);
            Ok(())
        })
        .unwrap();
    let found = sales.closed_days();
    assert_eq!(
        [without, alone].map(|day| found.contains(Day::from_epoch(day))),
        [true, false]
    );
}

#[test]
fn a_small_store_that_nobody_comes_to_is_not_closed() {
    let one = (17_000..17_100)
        .filter(|day| day % 5 != 0)
        .map(|day| (day, 1));
    let found = closed_days(&purchases(&[one.collect()]));
    assert!((17_000..17_100).all(|day| !found.contains(Day::from_epoch(day))));
}

/// A gap of any length says nothing of weekdays, neither on a day within it nor after it.
#[test]
fn weeks_without_an_open_day_close_no_weekday() {
    let is_sunday = |day: i32| Day::from_epoch(day).weekday() == 6;
    let gap = 17_042..17_095;
    let found = closed_days(&store_open_on(|day| !is_sunday(day) && !gap.contains(&day)));
    let mut sunday = [false; 7];
    sunday[6] = true;
    let early = closed_days(&store_open_on(|day| !gap.contains(&day)));
    for until in [17_085, 17_094, 17_099].map(Day::from_epoch) {
        assert_eq!(early.weekdays(until), [false; 7], "{until}");
    }
    let longer = ClosedDays::on(
        (17_000..17_150)
            .filter(|day| is_sunday(*day) || (17_050..17_110).contains(day))
            .map(Day::from_epoch)
            .collect(),
    );
    for until in [17_100, 17_109, 17_112, 17_149].map(Day::from_epoch) {
        assert_eq!(longer.weekdays(until), sunday, "{until}");
    }
    // The days of the gap say nothing, on whatever weekday.
    let until = Day::from_epoch(17_099);
    let left_out = found.without_partly_closed_weekdays(until);
    let gap_is_left_out = gap
        .skip(6)
        .all(|day| left_out.contains(Day::from_epoch(day)));
    assert!(gap_is_left_out);
}

/// A weekday that is closed now and again says how often nobody comes; a holiday does not.
#[test]
fn only_weekdays_that_are_now_closed_and_now_open_say_something() {
    let last = Day::from_epoch(17_099);
    let sundays: Vec<Day> = (17_000..17_100)
        .map(Day::from_epoch)
        .filter(|day| day.weekday() == 6)
        .collect();
    let left_out = |open: usize, holiday: Day| {
        let mut days = sundays.clone();
        days.remove(days.len() - open);
        days.push(holiday);
        days.sort_unstable();
        let found = ClosedDays::on(days).without_partly_closed_weekdays(last);
        assert!(found.contains(holiday));
        (0..7)
            .filter(|weeks| found.contains(sundays[*weeks]))
            .count()
    };
    let monday = sundays[5] + 1;
    // The third last Sunday was open: none is left out. The tenth last: closed for good.
    assert_eq!([left_out(3, monday), left_out(10, monday)], [0, 6]);
}
