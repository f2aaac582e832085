//! What tickets a model was trained on. A night's run compares its own tickets with them.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::calendar::{AsOf, RECENT_DAYS, StoreClock};
use crate::domain::Ids;

/// How many products a header lists at most.
const MAX_SAMPLE: usize = 1_000;

/// If the model knows less than this share of the products, the tickets are most likely those of
/// another store.
const MIN_KNOWN_SHARE: f64 = 0.5;

/// How the times of the training's tickets became days, and which products the tickets had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The store's time zone.
    pub time_zone: String,
    /// Whether times without a zone were taken as UTC.
    pub utc: bool,
    /// The hour at which the store's day began.
    pub day_start: u8,
    /// How many days of history were used, if the tickets had more; `None` in older models.
    #[serde(default)]
    pub history_days: Option<u32>,
    /// How many products there were.
    pub products: usize,
    /// The ids whose hash is at most `hashes_up_to`: all of them, or a sample that depends on
    /// nothing but the ids.
    pub sample: Vec<String>,
    /// The largest hash of the sample.
    pub hashes_up_to: u32,
}

/// The first 32 bits of an id's SHA-256. Whether a product is sampled depends on its id alone.
fn hash(id: &str) -> u32 {
    let digest: [u8; 32] = Sha256::digest(id).into();
    let [a, b, c, d, ..] = digest;
    u32::from_be_bytes([a, b, c, d])
}

/// The ids of the products that are marked as bought.
fn bought_ids(products: &Ids, bought: &[bool]) -> Vec<String> {
    let codes = (0_u32..)
        .zip(bought)
        .filter_map(|(code, bought)| bought.then_some(code));
    codes
        .filter_map(|code| products.get(code))
        .map(|id| id.to_string())
        .collect()
}

impl Origin {
    /// The origin of a model that is trained on tickets whose times were read with this clock.
    /// `bought_ever` marks the products that were bought; `history_days` is how many days of history
    /// were used, if the tickets had more.
    #[must_use]
    pub fn new(
        products: &Ids,
        bought_ever: &[bool],
        clock: &StoreClock,
        history_days: Option<u32>,
    ) -> Self {
        let mut hashed: Vec<(u32, String)> = bought_ids(products, bought_ever)
            .into_iter()
            .map(|id| (hash(&id), id))
            .collect();
        let products = hashed.len();
        hashed.sort_unstable();
        let hashes_up_to = match hashed.get(MAX_SAMPLE) {
            // Less than the hash of the first id that is left out, so that of ids with equal hashes
            // all are in or all are out.
            Some((first_out, _)) => first_out.saturating_sub(1),
            None => u32::MAX,
        };
        let mut sample: Vec<String> = hashed
            .into_iter()
            .take_while(|(hash, _)| *hash <= hashes_up_to)
            .map(|(_, id)| id)
            .collect();
        sample.sort_unstable();
        Self {
            time_zone: clock.zone().to_owned(),
            utc: clock.utc(),
            day_start: clock.day_start(),
            history_days,
            products,
            sample,
            hashes_up_to,
        }
    }

    /// A warning if the model was trained on histories of another length than `history_days`.
    #[must_use]
    pub fn doubt_of_length(&self, history_days: u32) -> Option<String> {
        let theirs = self.history_days.filter(|theirs| *theirs != history_days)?;
        Some(format!(
            "the model was trained with history_days = {theirs}, and this run has {history_days}: it learned from histories of another length"
        ))
    }

    /// A warning for each way in which a night's tickets do not fit the model. `lately` marks the
    /// products that were bought in the last [`RECENT_DAYS`] up to `night`; `clock` and
    /// `history_days` are those with which the tickets were read.
    #[must_use]
    pub fn doubts(
        &self,
        products: &Ids,
        lately: &[bool],
        night: AsOf,
        clock: &StoreClock,
        history_days: u32,
    ) -> Vec<String> {
        let mut doubts = self.doubts_of_clock(clock);
        doubts.extend(self.doubt_of_length(history_days));
        doubts.extend(self.doubt_of_products(&bought_ids(products, lately), night));
        doubts
    }

    fn doubts_of_clock(&self, clock: &StoreClock) -> Vec<String> {
        let settings = [
            ("time_zone", self.time_zone.clone(), clock.zone().to_owned()),
            ("utc", self.utc.to_string(), clock.utc().to_string()),
            (
                "day_start",
                self.day_start.to_string(),
                clock.day_start().to_string(),
            ),
        ];
        let different = settings
            .into_iter()
            .filter(|(_, theirs, ours)| theirs != ours);
        different
            .map(|(name, theirs, ours)| {
                format!(
                    "the model was trained with {name} = {theirs}, and this run has {ours}: purchases may fall on other days than it learned"
                )
            })
            .collect()
    }

    fn doubt_of_products(&self, bought: &[String], night: AsOf) -> Option<String> {
        // Of the products that would be in the sample, whether each is.
        let are_known: Vec<bool> = bought
            .par_iter()
            .filter(|id| hash(id) <= self.hashes_up_to)
            .map(|id| self.sample.binary_search(id).is_ok())
            .collect();
        let known = are_known.iter().filter(|is_known| **is_known).count() as f64;
        let all = are_known.len() as f64;
        (known < MIN_KNOWN_SHARE * all).then(|| {
            format!(
                "of the products bought in the {RECENT_DAYS} days up to {night}, the model knows {:.0} %: was it trained on another store's tickets, or with other product ids?",
                100.0 * known / all
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Ids;
    use crate::models::examples::{NIGHT, read, store};
    use crate::purchases::{History, Line, Purchases};

    const DAYS: u32 = 730;

    impl Origin {
        fn of(purchases: &Purchases, as_of: AsOf) -> Self {
            let ever = purchases.until(as_of).products_bought_within(i32::MAX);
            Self::new(purchases.products(), &ever, &clock(), Some(DAYS))
        }

        fn doubts_of(&self, history: &History<'_>, clock: &StoreClock) -> Vec<String> {
            self.doubts(
                history.products(),
                &history.products_bought_within(RECENT_DAYS),
                history.as_of(),
                clock,
                DAYS,
            )
        }
    }

    fn clock() -> StoreClock {
        StoreClock::new("Europe/Rome", false, 0).unwrap()
    }

    /// One customer who buys the products from `first` to `last`.
    fn products(first: i64, last: i64) -> Purchases {
        let lines = (0..(last - first) as u32).map(|product| Line {
            customer: 0,
            day: NIGHT.day() - 1,
            product,
        });
        Purchases::from_lines(
            Ids::Integer(vec![1]),
            Ids::Integer((first..last).collect()),
            lines.collect(),
        )
        .unwrap()
    }

    #[test]
    fn its_own_tickets_are_beyond_doubt() {
        let purchases = read(store(20, 100, 1));
        let origin = Origin::of(&purchases, NIGHT);
        assert_eq!(
            (origin.products, origin.sample.len(), origin.hashes_up_to),
            (60, 60, u32::MAX)
        );
        assert_eq!(
            origin.doubts_of(&purchases.until(NIGHT), &clock()),
            Vec::<String>::new()
        );
    }

    #[test]
    fn another_clock_is_told_by_its_settings() {
        let purchases = read(store(20, 100, 1));
        let origin = Origin::of(&purchases, NIGHT);
        let doubts = origin.doubts_of(
            &purchases.until(NIGHT),
            &StoreClock::new("UTC", true, 4).unwrap(),
        );
        let parts = [
            "time_zone = Europe/Rome, and this run has UTC",
            "utc = false, and this run has true",
            "day_start = 0, and this run has 4",
        ];
        let shorter = origin.doubts(purchases.products(), &[], NIGHT, &clock(), 365);
        assert!(
            shorter.len() == 1 && shorter[0].contains("history_days = 730, and this run has 365"),
            "{shorter:?}"
        );
        assert!(
            doubts.len() == 3
                && doubts
                    .iter()
                    .zip(parts)
                    .all(|(doubt, part)| doubt.contains(part)),
            "{doubts:?}"
        );
    }

    #[test]
    fn products_are_compared_by_a_sample_where_they_are_many() {
        let origin = Origin::of(&products(0, 20_000), NIGHT);
        assert_eq!((origin.products, origin.sample.len()), (20_000, MAX_SAMPLE));
        let doubts = |first, last| origin.doubts_of(&products(first, last).until(NIGHT), &clock());
        assert_eq!(doubts(0, 20_000), Vec::<String>::new());
        assert_eq!(
            doubts(8_000, 28_000),
            Vec::<String>::new(),
            "new products are no new store"
        );
        assert!(
            doubts(13_000, 33_000)[0].contains("the model knows 3"),
            "{:?}",
            doubts(13_000, 33_000)
        );
        assert!(
            doubts(20_000, 20_900)[0]
                .contains("the model knows 0 %: was it trained on another store's tickets")
        );
    }

    #[test]
    fn what_follows_the_night_is_not_looked_at() {
        let purchases = products(0, 10);
        let origin = Origin::of(&purchases, crate::calendar::AsOf(NIGHT.day() - 2));
        assert_eq!(
            (
                origin.products,
                origin.doubts_of(&purchases.until(NIGHT), &clock()).len()
            ),
            (0, 1)
        );
    }
}
