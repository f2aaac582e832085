use super::*;
use crate::calendar::{AsOf, HORIZON_DAYS};
use crate::domain::Ids;
use crate::features::store_snapshot::{SalesWindow, StoreSnapshot};
use crate::models::examples::{NIGHT, read, rule, small, store, tiny_model};
use crate::purchases::{Line, Purchases};

fn snapshot(nights: u32) -> Snapshot {
    Snapshot {
        customer: 0,
        night: NIGHT.day() - 10,
        next: NIGHT.day() - 8,
        nights,
    }
}

#[test]
fn weights_worked_by_hand() {
    let parameters = BasketParameters {
        night_power: 0.5,
        size_power: 0.25,
        ..BasketParameters::default()
    };
    // Four nights count √4 = 2; a product of 16 counts 16^(−1/4) = ½ of a product alone; one of
    // four candidates that were not bought is kept, and stands for the others.
    let weights = RowWeights::new(&snapshot(4), 16, 0.25, &parameters);
    assert_eq!(
        weights,
        RowWeights {
            nights: 4.0,
            purchase: 2.0,
            basket: 0.5,
            negatives: 0.25,
        }
    );
    assert_eq!(
        [true, false].map(|bought| weights.training_weight(bought)),
        [1.0, 4.0]
    );
    // A run speaks on any of the four nights: probabilities are calibrated for all of them alike.
    assert_eq!(
        [true, false].map(|bought| weights.sampling_weight(bought)),
        [4.0, 16.0]
    );
    // An empty basket counts like one with a product.
    let empty = RowWeights::new(&snapshot(1), 0, 1.0, &parameters);
    assert_eq!((empty.basket, empty.sampling_weight(false)), (1.0, 1.0));
}

#[test]
fn so_many_nights_are_counted_at_a_time_as_memory_allows() {
    let bytes = size_of::<ProductCounts>();
    assert_eq!(nights_at_a_time(0), 8);
    assert_eq!(nights_at_a_time(1_000), 8);
    // Half of the bytes for each night: two nights; more than all of them: one.
    assert_eq!(nights_at_a_time(MAX_COUNT_BYTES / 2 / bytes), 2);
    assert_eq!(nights_at_a_time(2 * MAX_COUNT_BYTES / bytes), 1);
}

/// What is needed to make rows of a store.
struct Workshop {
    purchases: Purchases,
    timing: TimingModel,
    parameters: BasketParameters,
    bins: Bins,
    rule: Rule,
}

impl Workshop {
    fn new(purchases: Purchases) -> Self {
        Self {
            purchases,
            timing: tiny_model(NIGHT, 1).timing,
            parameters: small().basket,
            rule: rule(),
            bins: Bins::from_sample(&[0.0; BASKET_WIDTH], BASKET_WIDTH, 64),
        }
    }

    fn history(&self) -> PartitionedHistory<'_> {
        PartitionedHistory::new(&self.purchases, NIGHT)
    }

    fn grid(&self) -> SnapshotGrid<'_> {
        SnapshotGrid::new(NIGHT.day(), &self.parameters, &self.rule, 1)
    }

    /// Rows of all snapshots, with this share of the candidates that were not bought.
    fn rows(&self, negatives: f64) -> Vec<(usize, SnapshotRows)> {
        let maker = RowMaker {
            timing: &self.timing,
            rule: &self.rule,
            bins: &self.bins,
            negatives,
            parameters: &self.parameters,
            seed: 1,
        };
        let (grid, history) = (self.grid(), self.history());
        let mut snapshots = grid.of_partition(&self.purchases.until(NIGHT), |_| true);
        grid.sort(&mut snapshots);
        let mut nights: Vec<Day> = snapshots.iter().map(|snapshot| snapshot.night).collect();
        nights.sort_unstable();
        nights.dedup();
        let groups = NightGroups::new(&nights, history);
        let mut stores = groups.first_stores(&grid);
        stores.add(&self.purchases.until(NIGHT));
        maker
            .all(&grid, history, &snapshots, &groups, stores)
            .unwrap()
    }
}

/// Products of rows with whether they were bought.
fn labelled(rows: &SnapshotRows) -> Vec<(u32, bool)> {
    rows.product
        .iter()
        .copied()
        .zip(rows.label.iter().copied())
        .collect()
}

#[test]
fn a_row_says_whether_the_candidate_was_in_the_next_basket() {
    // Every third day products 0, 1 and 2, and on the last day 1, 2 and 3, which nobody could
    // foresee.
    let end = NIGHT.day();
    let usual = (1..=40).flat_map(|back| [0, 1, 2].map(|product| (end - 3 * back, product)));
    let last = [1, 2, 3].map(|product| (end, product));
    let lines = usual.chain(last).map(|(day, product)| Line {
        customer: 0,
        day,
        product,
    });
    let ids = |len: i64| Ids::Integer((0..len).collect());
    let purchases = Purchases::from_lines(ids(1), ids(4), lines.collect()).unwrap();
    let workshop = Workshop::new(purchases);
    let rows = workshop.rows(1.0);
    let (_, last) = rows.last().unwrap();
    assert_eq!(labelled(last), [(0, false), (1, true), (2, true)]);
    let (_, before) = &rows[rows.len() - 2];
    assert_eq!(labelled(before), [(0, true), (1, true), (2, true)]);
    // Three products are no large basket by the rule of these tests, which asks for five.
    assert_eq!(last.scored, [false; 3]);
    // One night waits for each purchase, every third night: 3^(−.4) = .644 for each product.
    assert_eq!(last.sampling_weight, [1.0; 3]);
    assert!(
        last.weight
            .iter()
            .all(|weight| (weight - 0.644_4).abs() < 1e-4)
    );
}

#[test]
fn candidates_that_were_not_bought_stand_for_those_left_out() {
    let workshop = Workshop::new(read(store(60, 150, 2)));
    let (all, some) = (workshop.rows(1.0), workshop.rows(0.25));
    assert_eq!(all.len(), some.len());
    let (mut expected, mut found, mut count) = (0.0, 0.0, [0_usize; 2]);
    for ((at, all), (same, some)) in all.iter().zip(&some) {
        assert_eq!(at, same);
        let (every, kept) = (labelled(all), labelled(some));
        assert!(kept.iter().all(|row| every.contains(row)));
        let bought = |rows: &[(u32, bool)]| rows.iter().filter(|row| row.1).count();
        assert_eq!(bought(&every), bought(&kept), "all bought ones are kept");
        let not_bought = |rows: &SnapshotRows| -> f64 {
            let weights = rows.sampling_weight.iter().zip(&rows.label);
            weights
                .filter(|(_, bought)| !**bought)
                .map(|(w, _)| f64::from(*w))
                .sum()
        };
        expected += not_bought(all);
        found += not_bought(some);
        count[0] += every.len() - bought(&every);
        count[1] += kept.len() - bought(&kept);
    }
    let share = count[1] as f64 / count[0] as f64;
    assert!(
        count[0] > 10_000 && (0.24..0.26).contains(&share),
        "{count:?}"
    );
    assert!((found / expected - 1.0).abs() < 0.04, "{found} {expected}");
}

#[test]
fn the_rows_of_a_table_stand_by_folds_and_are_about_as_many_as_wanted() {
    let workshop = Workshop::new(read(store(80, 250, 1)));
    let table = |max_training_rows: usize| {
        let parameters = BasketParameters {
            max_training_rows,
            ..workshop.parameters.clone()
        };
        BasketRows::new(
            workshop.history(),
            &workshop.timing,
            &rule(),
            &parameters,
            1,
        )
        .unwrap()
    };
    let all = table(10_000_000);
    let some = table(10_000);
    assert!(all.rows.len() > 20_000, "{}", all.rows.len());
    assert!(
        (8_500..11_500).contains(&some.rows.len()),
        "{}",
        some.rows.len()
    );
    for table in [all, some] {
        let n = table.rows.len();
        let [early, split, end] = table.fold_ends;
        assert!(0 < early && early < split && split < end && end == n);
        let lengths = [
            table.rows.weight.len(),
            table.sampling_weight.len(),
            table.product.len(),
            table.scored.len(),
        ];
        assert_eq!(lengths, [n; 4]);
    }
}

/// Everything of the first rows of a table.
fn first_rows(table: &BasketRows, take: usize) -> String {
    let bins: Vec<Vec<u8>> = (0..take)
        .map(|row| (0..BASKET_WIDTH).map(|f| table.rows.bin(row, f)).collect())
        .collect();
    format!(
        "{bins:?} {:?} {:?} {:?} {:?} {:?}",
        &table.rows.label[..take],
        &table.rows.weight[..take],
        &table.sampling_weight[..take],
        &table.product[..take],
        &table.scored[..take],
    )
}

#[test]
fn rows_of_a_fold_know_nothing_of_purchases_after_it() {
    let lines = store(60, 250, 1);
    // The same customers on the same days, but after a day every product is another one.
    let changed_after = |last: Day| {
        let line = |line: &Line| Line {
            product: if line.day > last {
                59 - line.product
            } else {
                line.product
            },
            ..*line
        };
        Workshop::new(read(lines.iter().map(line).collect()))
    };
    let table = |workshop: &Workshop| {
        let parameters = &workshop.parameters;
        BasketRows::new(workshop.history(), &workshop.timing, &rule(), parameters, 1).unwrap()
    };
    let original = table(&changed_after(NIGHT.day()));
    let split = NIGHT.day() - HORIZON_DAYS;
    let changed = table(&changed_after(split));
    let [_, known, all] = original.fold_ends;
    assert_eq!(changed.fold_ends[..2], original.fold_ends[..2]);
    assert_eq!(changed.bins, original.bins);
    assert_eq!(first_rows(&changed, known), first_rows(&original, known));
    // The rows after them do know it.
    let all = all.min(changed.rows.len());
    assert_ne!(first_rows(&changed, all), first_rows(&original, all));
    // And what happens a day before the split matters.
    let earlier = table(&changed_after(split - 1));
    assert_ne!(first_rows(&earlier, known), first_rows(&original, known));
}

#[test]
fn the_store_of_a_row_is_that_of_its_night() {
    let workshop = Workshop::new(read(store(40, 150, 2)));
    let nights = [NIGHT.day() - 20, NIGHT.day() - 5];
    let stores = count_stores(&workshop.grid(), workshop.history(), &nights).unwrap();
    for (store, night) in stores.iter().zip(nights) {
        let history = workshop.purchases.until(AsOf(night));
        let alone = StoreSnapshot::new(&history, workshop.parameters.limits(), 1);
        assert_eq!(store.night(), night);
        assert_eq!(store.popular(), alone.popular());
        assert!(
            (0..60).all(|product| store.product(product).share(SalesWindow::Days28)
                == alone.product(product).share(SalesWindow::Days28))
        );
    }
}
