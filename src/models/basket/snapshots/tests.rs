use super::*;
use crate::calendar::AsOf;
use crate::domain::Ids;
use crate::purchases::{Line, Purchases};

const END: Day = Day::from_epoch(1_000);

/// Asks for 6 purchases.
const RULE: Rule = Rule {
    period_days: 30,
    periods: 3,
    min_purchases: 2,
    min_products: 11,
    basket_share: 1.0,
};

fn day(epoch: i32) -> Day {
    Day::from_epoch(epoch)
}

fn parameters(days: u32, every: u32) -> BasketParameters {
    BasketParameters {
        days,
        max_days: days,
        every,
        min_purchases: 2,
        ..BasketParameters::default()
    }
}

/// So many customers, who all buy on these days.
fn purchases_on(days: &[i32], customers: u32) -> Purchases {
    let lines = (0..customers).flat_map(|customer| {
        days.iter().map(move |day| Line {
            customer,
            day: Day::from_epoch(*day),
            product: 0,
        })
    });
    let ids = Ids::Integer((0..i64::from(customers)).collect());
    Purchases::from_lines(ids, Ids::Integer(vec![1]), lines.collect()).unwrap()
}

/// The snapshots of a customer who buys on these days.
fn snapshots(parameters: &BasketParameters, days: &[i32]) -> Vec<Snapshot> {
    let purchases = purchases_on(days, 1);
    SnapshotGrid::new(END, parameters, &RULE, 1).of_customer(&purchases.until(AsOf(END)), 0)
}

#[test]
fn nights_are_taken_back_from_the_eve_of_the_last_day() {
    let parameters = parameters(20, 5);
    let grid = SnapshotGrid::new(END, &parameters, &RULE, 1);
    assert_eq!(grid.nights, [984, 989, 994, 999].map(day));
}

#[test]
fn a_purchase_has_one_snapshot_on_one_of_the_nights_that_wait_for_it() {
    let found = snapshots(&parameters(20, 5), &[900, 910, 985, 992, 1_000]);
    assert_eq!(found.len(), 3);
    let seen = |snapshot: &Snapshot| (snapshot.night, snapshot.next, snapshot.nights);
    assert_eq!(seen(&found[0]), (day(984), day(985), 1));
    assert_eq!(seen(&found[1]), (day(989), day(992), 1));
    // Two nights wait for the last purchase.
    assert_eq!((found[2].next, found[2].nights), (day(1_000), 2));
    assert!([994, 999].map(day).contains(&found[2].night));
}

#[test]
fn nights_that_nobody_could_learn_from_have_no_snapshot() {
    let parameters = parameters(60, 10);
    // Nights are 949, 959, …, 999. Only the last three are 28 days or less before the purchase.
    let found = snapshots(&parameters, &[900, 910, 1_000]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].nights, 3);
    assert!(found[0].night >= day(972));
    // One purchase is too little to learn from, and what follows the last one is not known.
    assert_eq!(snapshots(&parameters, &[960]), []);
    assert_eq!(snapshots(&parameters, &[900, 910]), []);
    assert_eq!(snapshots(&parameters, &[900, 910, 1_001]), []);
}

#[test]
fn every_night_that_waits_is_as_likely_as_the_others() {
    let parameters = parameters(60, 10);
    let purchases = purchases_on(&[900, 910, 1_000], 3_000);
    let grid = SnapshotGrid::new(END, &parameters, &RULE, 1);
    let history = purchases.until(AsOf(END));
    let mut nights: BTreeMap<Day, usize> = BTreeMap::new();
    for customer in 0..3_000 {
        for snapshot in grid.of_customer(&history, customer) {
            *nights.entry(snapshot.night).or_default() += 1;
        }
    }
    assert_eq!(
        nights.keys().copied().collect::<Vec<_>>(),
        [979, 989, 999].map(day)
    );
    // A third each; the standard deviation is 26.
    assert!(
        nights.values().all(|count| (900..1_100).contains(count)),
        "{nights:?}"
    );
}

#[test]
fn folds_are_months_of_the_next_purchase() {
    let parameters = parameters(150, 5);
    let grid = SnapshotGrid::new(END, &parameters, &RULE, 1);
    let fold = |next: i32| {
        grid.fold(&Snapshot {
            customer: 0,
            night: day(next - 1),
            next: day(next),
            nights: 1,
        })
    };
    // 1000 − 56 = 944 and 1000 − 28 = 972 are the last days of the first two.
    assert_eq!(
        [900, 944, 945, 972, 973, 1_000].map(fold),
        [0, 0, 1, 1, 2, 2]
    );
}

#[test]
fn what_is_gathered_is_in_the_order_of_folds_nights_and_customers() {
    let parameters = parameters(150, 5);
    let grid = SnapshotGrid::new(END, &parameters, &RULE, 1);
    let days: Vec<i32> = (800..=1_000).step_by(9).collect();
    let purchases = purchases_on(&days, 20);
    let history = purchases.until(AsOf(END));
    let gather = |wanted: fn(&Snapshot) -> bool| {
        let mut snapshots = grid.of_partition(&history, wanted);
        grid.sort(&mut snapshots);
        snapshots
    };
    let all = gather(|_| true);
    assert!(all.iter().map(|snapshot| grid.key(snapshot)).is_sorted());
    let of_fold = |fold: usize| all.iter().filter(|s| grid.fold(s) == fold).count();
    assert!(all.len() > 200 && (0..FOLDS).all(|fold| of_fold(fold) > 40));
    let even = gather(|snapshot| snapshot.customer % 2 == 0);
    let expected: Vec<Snapshot> = all
        .iter()
        .filter(|snapshot| snapshot.customer % 2 == 0)
        .copied()
        .collect();
    assert_eq!(even, expected);
}

/// Counts of so many snapshots of each (fold, night, stratum).
fn counts(of: &[(usize, i32, Stratum, usize)]) -> SnapshotCounts {
    let mut counts = SnapshotCounts::default();
    for (fold, night, stratum, count) in of {
        (0..*count).for_each(|_| counts.add(*fold, day(*night), *stratum));
    }
    counts
}

#[test]
fn counts_are_of_folds_strata_and_nights() {
    use Stratum::{Background, Target};
    let counts = counts(&[
        (0, 920, Target, 2),
        (0, 930, Background, 3),
        (1, 930, Target, 4),
        (2, 980, Target, 50),
    ]);
    assert_eq!((counts.early_folds(), counts.is_empty()), (2, false));
    let early = Strata {
        target: 6,
        background: 3,
    };
    assert_eq!(counts.early(), early);
    // Snapshots 0 and 1 are of 920, 2 to 4 of 930 in the first fold, 5 to 8 in the second.
    let nights = [0, 1, 2, 4, 5, 8, 9, 58].map(|at| counts.night_at(at));
    let expected = [920, 920, 930, 930, 930, 930, 980, 980].map(|epoch| Some(day(epoch)));
    assert_eq!(nights, expected);
    assert_eq!(counts.night_at(59), None);
}

#[test]
fn the_last_fold_counts_as_early_only_where_there_is_no_other() {
    let only_last = counts(&[(2, 980, Stratum::Target, 5)]);
    assert_eq!((only_last.early_folds(), only_last.early().target), (3, 5));
    let none = SnapshotCounts::default();
    assert!(none.is_empty() && none.night_at(0).is_none());
}

#[test]
fn counts_of_two_groups_of_customers_add_up() {
    use Stratum::{Background, Target};
    let merged = counts(&[(0, 920, Target, 2), (1, 960, Background, 1)])
        .merge(counts(&[(0, 920, Target, 3), (2, 980, Target, 4)]));
    let expected = counts(&[
        (0, 920, Target, 5),
        (1, 960, Background, 1),
        (2, 980, Target, 4),
    ]);
    assert_eq!(merged, expected);
}

#[test]
fn as_many_nights_are_kept_as_have_the_wanted_snapshots() {
    let parameters = BasketParameters {
        max_days: 400,
        ..parameters(50, 10)
    };
    let grid = SnapshotGrid::new(END, &parameters, &RULE, 1);
    let kept = |wanted: usize| {
        let mut counts = SnapshotCounts::default();
        for night in [609, 799, 899, 949, 969, 989] {
            for _ in 0..10 {
                counts.add(0, day(night), Stratum::Target);
            }
        }
        let days = counts.keep_last(&grid, wanted);
        (days, counts.nights().len())
    };
    // The last 50 days stay whatever is wanted: the nights 969 and 989.
    assert_eq!(kept(0), (50, 2));
    assert_eq!(kept(20), (50, 2));
    // One night more, and all of them where that is not enough.
    assert_eq!(kept(21), (51, 3));
    assert_eq!(kept(31), (101, 4));
    assert_eq!(kept(1_000), (391, 6));
}

#[test]
fn customers_with_few_purchases_come_after_the_others() {
    let parameters = BasketParameters {
        min_purchases: 4,
        ..parameters(60, 5)
    };
    let rule = Rule {
        periods: 1,
        min_products: 1,
        ..RULE
    };
    // Two purchases are enough for the rule; four make a row one of the first.
    let purchases = purchases_on(&[940, 950, 960, 970, 980, 990, 1_000], 1);
    let history = purchases.until(AsOf(END));
    let grid = SnapshotGrid::new(END, &parameters, &rule, 1);
    let found: Vec<(Day, Stratum)> = grid
        .of_customer(&history, 0)
        .iter()
        .map(|snapshot| (snapshot.next, grid.stratum(&history, snapshot)))
        .collect();
    let expected = [
        (960, Stratum::Background),
        (970, Stratum::Background),
        (980, Stratum::Target),
        (990, Stratum::Target),
        (1_000, Stratum::Target),
    ];
    assert_eq!(found, expected.map(|(next, stratum)| (day(next), stratum)));
}
