//! What is counted of each day for the guards.

use super::*;

fn feed(options: &InputOptions, until: &str, text: &str) -> FeedDays {
    read_all(options, Some(until), &[("t.csv", csv(text))])
        .unwrap()
        .feed
}

fn tolerant() -> InputOptions {
    InputOptions {
        max_bad_share: 1.0,
        ..InputOptions::default()
    }
}

fn of(feed: &FeedDays, day: &str) -> (u64, u64, u64) {
    let LinesOfDay {
        kept,
        returned,
        bad,
    } = feed.of(day.parse().unwrap());
    (kept, returned, bad)
}

#[test]
fn kept_returned_and_bad_lines_are_counted_by_day() {
    let feed = feed(
        &tolerant(),
        "2024-03-02",
        "customer_id,product_id,timestamp,quantity\n\
         1,7,2024-03-01 09:00:00,1\n1,7,2024-03-01 09:00:00,1\n1,8,2024-03-01 09:00:00,0\n\
         2,7,2024-03-02 10:00:00,1\n2,8,2024-03-02 10:00:00,many\n2,9,no time,1\n",
    );
    assert_eq!(of(&feed, "2024-03-01"), (2, 1, 0));
    // A line without a day counts on that of the line before it.
    assert_eq!(of(&feed, "2024-03-02"), (1, 0, 2));
    assert_eq!(of(&feed, "2024-03-03"), (0, 0, 0));
}

#[test]
fn bad_lines_after_the_night_count_on_no_day() {
    let feed = feed(
        &tolerant(),
        "2024-03-01",
        "customer_id,product_id,timestamp,quantity\n\
         1,7,2024-03-01 09:00:00,1\n2,7,2024-03-02 10:00:00,1\n2,9,no time,1\n",
    );
    assert_eq!(of(&feed, "2024-03-01"), (1, 0, 0));
}

#[test]
fn bad_lines_before_any_day_count_on_the_newest_of_their_lines() {
    let feed = feed(
        &tolerant(),
        "2024-03-02",
        "customer_id,product_id,timestamp,quantity\n\
         2,9,no time,1\n1,7,2024-03-01 09:00:00,1\n2,7,2024-03-02 10:00:00,1\n",
    );
    assert_eq!(of(&feed, "2024-03-02"), (1, 0, 1));
}

#[test]
fn sales_are_counted_by_the_hour_of_the_stores_day() {
    let options = InputOptions {
        clock: StoreClock::new("America/New_York", true, 4).unwrap(),
        ..InputOptions::default()
    };
    let text = "customer_id,product_id,timestamp,quantity\n\
         1,7,2024-01-10 15:30:00,1\n1,8,2024-01-10 15:30:00,1\n\
         2,7,2024-03-01 08:30:00,1\n2,7,2024-03-01 09:30:00,1\n3,7,2024-03-02 20:00:00,1\n";
    let hours = feed(&options, "2024-03-01", text).hours.unwrap();
    let counted = |hours: [f64; 24]| {
        let of_hour = hours
            .into_iter()
            .enumerate()
            .filter(|(_, sales)| *sales > 0.0);
        of_hour.collect::<Vec<_>>()
    };
    // 03:30 is of the day before, whose last hour it is; 04:30 is the first hour.
    assert_eq!(counted(hours.of_night()), [(0, 1.0)]);
    assert_eq!(counted(hours.of_last_days()), [(0, 1.0), (23, 1.0)]);
    assert_eq!(counted(hours.of_earlier_days()), [(6, 1.0)]);
    // Clocks change on that day.
    let text = "customer_id,product_id,timestamp,quantity\n1,7,2024-03-10 15:30:00,1\n";
    let hours = feed(&options, "2024-03-10", text).hours.unwrap();
    assert_eq!(counted(hours.of_night()), [(7, 1.0)]);
}
