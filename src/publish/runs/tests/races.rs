//! Publishers and readers of one night, one operation of the store at a time, in an order that a seed
//! draws. Some publishers stop for hours between two operations, and some for ever.

use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::*;

/// Readers are promised this much time for a night.
const READING: Duration = Duration::from_secs(3600);

const SEEDS: u64 = 120;
const ROUNDS: u64 = 4;
const PUBLISHERS: u64 = 5;
const READERS: usize = 2;

type Task<T> = Pin<Box<dyn Future<Output = T>>>;

/// A publisher, and its latest operation.
struct Publisher {
    task: Task<Result<Published>>,
    operation: String,
}

struct Race {
    store: Arc<FaultyStore>,
    random: u64,
    broken: Arc<Mutex<Vec<String>>>,
    looks: Arc<Mutex<usize>>,
}

impl Race {
    fn new(seed: u64) -> Self {
        let store = FaultyStore::new();
        store.go_stepwise();
        Self {
            store,
            random: seed,
            broken: Arc::default(),
            looks: Arc::default(),
        }
    }

    /// A number below `end` (splitmix64).
    fn draw(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn publisher(&self, variant: u32) -> Publisher {
        let store = Arc::clone(&self.store);
        Publisher {
            task: Box::pin(async move { publish(&store, variant).await }),
            operation: String::new(),
        }
    }

    /// Follows the manifest and checks each table that it names, for ever.
    fn reader(&self) -> Task<()> {
        let (store, broken, looks) = (
            Arc::clone(&self.store),
            Arc::clone(&self.broken),
            Arc::clone(&self.looks),
        );
        Box::pin(async move {
            let night = output(&store).child(&night_folder(run(0).as_of));
            loop {
                let began = store.now();
                let Some((content, _)) = night.find(MANIFEST).await.unwrap() else {
                    continue;
                };
                let manifest = Manifest::read("m", &content).unwrap();
                for entry in manifest.tables.values() {
                    let found = night.find(&entry.path).await.unwrap();
                    let is_whole =
                        found.is_some_and(|(content, _)| sha256_hex(&content) == entry.sha256);
                    if !is_whole && store.now() - began < READING {
                        broken.lock().unwrap().push(entry.path.clone());
                    }
                }
                *looks.lock().unwrap() += 1;
            }
        })
    }

    /// One round: all publishers begin, and each ends or is killed.
    fn round(&mut self, number: u64, readers: &mut [Task<()>]) {
        let mut context = Context::from_waker(Waker::noop());
        let mut publishers: Vec<Publisher> = (0..PUBLISHERS)
            .map(|which| self.publisher(((which + 2 * number) % 9) as u32))
            .collect();
        while !publishers.is_empty() {
            let at = self.draw((publishers.len() + readers.len()) as u64) as usize;
            let Some(publisher) = publishers.get_mut(at) else {
                let reader = &mut readers[at - publishers.len()];
                let _ = reader.as_mut().poll(&mut context);
                continue;
            };
            if let Poll::Ready(published) = publisher.task.as_mut().poll(&mut context) {
                published.unwrap();
                publishers.remove(at);
            } else {
                publisher.operation = self.store.last_operation();
                if self.draw(150) == 0 {
                    publishers.remove(at);
                }
            }
            // Between a look at the manifest and the removal that it allows, nobody sleeps for hours.
            let may_sleep = publishers.iter().all(|other| other.operation != "head");
            if may_sleep && self.draw(100) == 0 {
                self.store.pass(2 * READING);
            }
        }
    }
}

#[tokio::test]
async fn many_publishers_at_any_interleaving_never_show_a_manifest_without_its_tables() {
    let (mut removals, mut looks) = (0, 0);
    for seed in 0..SEEDS {
        let mut race = Race::new(seed);
        let mut readers: Vec<Task<()>> = (0..READERS).map(|_| race.reader()).collect();
        for number in 0..ROUNDS {
            race.round(number, &mut readers);
            race.store.pass(Duration::from_secs(race.random % 9_000));
        }
        let broken = race.broken.lock().unwrap().clone();
        assert_eq!(broken, Vec::<String>::new(), "seed {seed}");
        let log = race.store.taken_log();
        removals += log
            .iter()
            .filter(|entry| entry.starts_with("delete"))
            .count();
        looks += *race.looks.lock().unwrap();
        leaves_nothing_behind(&race.store).await;
    }
    assert!(
        removals > 10 * SEEDS as usize && looks > 50 * SEEDS as usize,
        "{removals} removals and {looks} looks are too few to tell anything"
    );
}

/// Once nobody is in the way, two publishers an hour apart remove all that is not named.
async fn leaves_nothing_behind(store: &Arc<FaultyStore>) {
    let calm = store.copy();
    for variant in [7, 8] {
        calm.pass(2 * READING);
        publish(&calm, variant).await.unwrap();
    }
    assert_eq!((seen(&calm).await, folders(&calm)), (Some(8), vec![7, 8]));
}
