use std::sync::{Arc, Mutex};

use super::*;
use crate::calendar::Day;
use crate::config::Layer;
use crate::ingest::FeedDays;
use crate::models::Parameters;
use crate::models::examples::{NIGHT, read, rule, small, store};
use crate::publish::faulty_store::FaultyStore;
use crate::publish::promotion::PromotionPolicy;
use crate::purchases::Facts;
use crate::store::{Location, Store};

/// A night whose model has not seen the 28 days that are held out on [`NIGHT`].
const EARLIER: AsOf = AsOf(Day::from_epoch(NIGHT.0.epoch() - 29));

/// Keeps the warnings.
#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Progress for Warnings {
    fn warning(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }
}

/// A registry in memory, and trainings on the example store.
struct Trainer {
    memory: Arc<FaultyStore>,
    tickets: Tickets,
    warnings: Warnings,
}

impl Trainer {
    fn new() -> Self {
        Self {
            memory: FaultyStore::new(),
            tickets: Tickets {
                partitions: Box::new(read(store(60, 200, 3)).known(NIGHT).unwrap()),
                lines: Report::default(),
                feed: FeedDays::default(),
                objects: vec![],
                facts: Facts::default(),
                products: None,
            },
            warnings: Warnings::default(),
        }
    }

    fn registry(&self) -> Registry {
        let store = Arc::clone(&self.memory) as Arc<dyn Store>;
        Registry::new(Location::new(store, ""))
    }

    async fn train(
        &self,
        as_of: AsOf,
        parameters: Parameters,
        promote: PromotionPolicy,
    ) -> TrainSummary {
        let config = Config {
            rule: rule(),
            parameters,
            promote,
            ..Layer::default().check().unwrap()
        };
        train_into(
            &config,
            &self.tickets,
            as_of,
            self.registry(),
            &self.warnings,
        )
        .await
        .unwrap()
    }

    async fn promoted(&self) -> Option<String> {
        let promoted = self.registry().promoted().await.unwrap();
        promoted.map(|promoted| promoted.pointer.model_id)
    }

    fn warned(&self, part: &str) -> bool {
        let warnings = self.warnings.0.lock().unwrap();
        warnings.iter().any(|warning| warning.contains(part))
    }
}

/// Parameters of a model that learns next to nothing.
fn poor() -> Parameters {
    let mut parameters = small();
    for boosting in [
        &mut parameters.timing.boosting,
        &mut parameters.basket.boosting,
    ] {
        (boosting.trees, boosting.leaves) = (1, 2);
        boosting.learning_rate = 0.001;
    }
    parameters
}

#[tokio::test]
async fn a_better_model_takes_the_place_of_the_promoted_one() {
    let trainer = Trainer::new();
    let old = trainer
        .train(EARLIER, poor(), PromotionPolicy::Always)
        .await;
    assert_eq!(
        (old.promoted, old.reason.as_str()),
        (true, "promotion was asked for, whatever the figures")
    );
    let new = trainer
        .train(NIGHT, small(), PromotionPolicy::IfBetter)
        .await;
    assert_eq!(
        (new.promoted, new.reason.as_str()),
        (true, "it is no worse than replaced model and the baselines")
    );
    assert_eq!(trainer.promoted().await, Some(new.model_id));
    let pointer = trainer
        .registry()
        .promoted()
        .await
        .unwrap()
        .unwrap()
        .pointer;
    assert_eq!(pointer.previous, Some(old.model_id));
}

#[tokio::test]
async fn a_worse_model_is_stored_and_not_promoted() {
    let trainer = Trainer::new();
    let old = trainer
        .train(EARLIER, small(), PromotionPolicy::Always)
        .await;
    let new = trainer
        .train(NIGHT, poor(), PromotionPolicy::IfBetter)
        .await;
    let (metrics, replaced, _) = new.held_out.as_ref().unwrap().contenders();
    let replaced = replaced.unwrap();
    assert!(metrics.ndcg_at_10 < replaced.ndcg_at_10);
    assert_eq!(
        (new.promoted, new.was_promoted, new.reason),
        (
            false,
            false,
            format!(
                "its ndcg@10 is {:.4}, that of replaced model is {:.4}",
                metrics.ndcg_at_10.unwrap(),
                replaced.ndcg_at_10.unwrap()
            )
        )
    );
    assert_eq!(trainer.promoted().await, Some(old.model_id));
    assert!(trainer.registry().load(&new.model_id).await.is_ok());
}

/// What happens to a model's file, and what is said of it then.
type Damage = (fn(&mut Vec<u8>), &'static str);

/// Ways in which a file cannot be read.
const DAMAGES: [Damage; 3] = [
    (
        |file| *file = b"no model".to_vec(),
        "this is not a model file of okuo",
    ),
    (
        |file| file.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1),
        "the model file is damaged: the body's checksum does not match",
    ),
    (
        |file| file[8..12].copy_from_slice(&3_u32.to_le_bytes()),
        "the model file has format version 3; this okuo reads 1 to 2",
    ),
];

#[tokio::test]
async fn a_promoted_model_that_cannot_be_read_is_not_compared() {
    for (damage, what) in DAMAGES {
        let trainer = Trainer::new();
        let old = trainer
            .train(EARLIER, poor(), PromotionPolicy::Always)
            .await
            .model_id;
        let key = format!("{old}/model.okuo");
        let mut file = trainer.memory.objects()[&key].to_vec();
        damage(&mut file);
        trainer.memory.set(&key, file);
        let new = trainer
            .train(NIGHT, small(), PromotionPolicy::IfBetter)
            .await;
        let why = format!("the promoted model {old} could not be read and was not compared");
        assert_eq!(
            (new.promoted, new.reason),
            (true, format!("it is no worse than the baselines; {why}"))
        );
        let warning = format!("the promoted model {old} cannot be compared: memory/{key}: {what}");
        assert!(trainer.warned(&warning), "{:?}", trainer.warnings.0);
        assert_eq!(trainer.promoted().await, Some(new.model_id));
    }
}

#[tokio::test]
async fn a_promoted_model_whose_file_is_gone_is_not_compared_either() {
    let trainer = Trainer::new();
    let old = trainer
        .train(EARLIER, poor(), PromotionPolicy::Always)
        .await
        .model_id;
    trainer.memory.remove(&format!("{old}/model.okuo"));
    let new = trainer
        .train(NIGHT, poor(), PromotionPolicy::IfBetter)
        .await;
    assert!(!new.promoted, "worse than the baselines: {}", new.reason);
    assert!(
        trainer.warned("there is no model"),
        "{:?}",
        trainer.warnings.0
    );
}

#[tokio::test]
async fn a_model_is_not_promoted_over_one_that_it_was_not_compared_with() {
    for (policy, promoted) in [
        (PromotionPolicy::IfBetter, false),
        (PromotionPolicy::Always, true),
    ] {
        let trainer = Trainer::new();
        let old = trainer
            .train(EARLIER, poor(), PromotionPolicy::Always)
            .await;
        let other = trainer
            .train(EARLIER, small(), PromotionPolicy::Never)
            .await
            .model_id;
        // Another process promotes its model when this one has been measured, and is being stored.
        let (memory, moved) = (Arc::clone(&trainer.memory), other.clone());
        trainer.memory.before_each(move |operation, key| {
            if operation == "put" && key.ends_with("card.json") {
                let pointer = format!("{{\"model_id\": \"{moved}\", \"previous\": null}}");
                memory.set("latest.json", pointer);
            }
        });
        let new = trainer.train(NIGHT, small(), policy).await;
        assert_ne!(old.model_id, other);
        assert_eq!(new.promoted, promoted, "{}", new.reason);
        if promoted {
            assert_eq!(trainer.promoted().await, Some(new.model_id));
        } else {
            assert_eq!(
                new.reason,
                "another model was promoted in the meantime, and was not compared"
            );
            assert_eq!(trainer.promoted().await, Some(other));
        }
    }
}

#[tokio::test]
async fn the_same_model_again_stays_promoted_whatever_is_decided() {
    let trainer = Trainer::new();
    let first = trainer.train(NIGHT, poor(), PromotionPolicy::Always).await;
    let objects = trainer.memory.objects();
    for policy in [
        PromotionPolicy::IfBetter,
        PromotionPolicy::Never,
        PromotionPolicy::Always,
    ] {
        let again = trainer.train(NIGHT, poor(), policy).await;
        assert_eq!(
            (&again.model_id, again.was_promoted, again.promoted),
            (&first.model_id, true, policy == PromotionPolicy::Always)
        );
        assert_eq!(trainer.memory.objects(), objects, "nothing changes");
    }
}

#[tokio::test]
async fn days_after_the_night_are_not_learned_from() {
    let trainer = Trainer::new();
    let known = trainer.train(EARLIER, poor(), PromotionPolicy::Never).await;
    let mut shorter = Trainer::new();
    shorter.tickets.partitions = Box::new(read(store(60, 200, 3)).known(EARLIER).unwrap());
    let alone = shorter.train(EARLIER, poor(), PromotionPolicy::Never).await;
    assert_eq!(known.model_id, alone.model_id);
    assert_eq!(known.held_out, alone.held_out);
    assert_eq!(trainer.memory.objects(), shorter.memory.objects());
}
