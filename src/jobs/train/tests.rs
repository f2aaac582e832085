use std::sync::{Arc, Mutex};

use super::*;
use crate::calendar::Day;
use crate::config::Layer;
use crate::eval::{Figure, Verdict};
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
                mailing: None,
                merged: None,
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
    let reason = format!(
        "it is no worse than the promoted model {} and the baselines, and it has newer data: ndcg@10 +",
        old.model_id
    );
    assert!(
        new.promoted && new.reason.starts_with(&reason),
        "{}",
        new.reason
    );
    let compared = &new.compared[0];
    assert_eq!(
        (compared.figure, compared.to.as_str(), compared.verdict),
        (Figure::NdcgAt10, eval::REPLACED, Verdict::Better)
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
    let reason = format!(
        "its ndcg@10 is significantly worse than that of the promoted model {}: ndcg@10 -",
        old.model_id
    );
    assert!(new.reason.starts_with(&reason), "{}", new.reason);
    assert_eq!((new.promoted, new.was_promoted), (false, false));
    assert_eq!(trainer.promoted().await, Some(old.model_id));
    assert!(trainer.registry().load(&new.model_id).await.is_ok());
}

/// What happens to a model's file, and what is said of it then.
type Damage = (fn(&mut Vec<u8>), &'static str);

/// Ways in which a file cannot be read.
const DAMAGES: [Damage; 2] = [
    (
        |file| *file = b"no model".to_vec(),
        "this is not a model file of okuo",
    ),
    (
        |file| file.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1),
        "the model file is damaged: the body's checksum does not match",
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
        let reason = format!("{why}, and it is no worse than the baselines: ndcg@10 ");
        assert!(
            new.promoted && new.reason.starts_with(&reason),
            "{}",
            new.reason
        );
        let warning = format!("the promoted model {old} cannot be compared: memory/{key}: {what}");
        assert!(trainer.warned(&warning), "{:?}", trainer.warnings.0);
        assert_eq!(trainer.promoted().await, Some(new.model_id));
    }
}

#[tokio::test]
async fn a_promoted_model_of_a_newer_okuo_stays() {
    let trainer = Trainer::new();
    let old = trainer
        .train(EARLIER, poor(), PromotionPolicy::Always)
        .await
        .model_id;
    let key = format!("{old}/model.okuo");
    let mut file = trainer.memory.objects()[&key].to_vec();
    file[8] += 1;
    trainer.memory.set(&key, file);
    let new = trainer
        .train(NIGHT, small(), PromotionPolicy::IfBetter)
        .await;
    let reason = format!("the promoted model {old} was written by a newer okuo");
    assert!(
        !new.promoted && new.reason.starts_with(&reason),
        "{}",
        new.reason
    );
    assert!(trainer.warned("the model file has format version "));
    assert_eq!(trainer.promoted().await, Some(old));
}

/// A night whose held-out days a model of [`NIGHT`] has seen in part, and the other way round.
const WEEK_BEFORE: AsOf = AsOf(Day::from_epoch(NIGHT.0.epoch() - 7));

#[tokio::test]
async fn an_older_night_does_not_take_the_place_of_a_newer_one_unless_asked() {
    let trainer = Trainer::new();
    let newer = trainer
        .train(NIGHT, poor(), PromotionPolicy::Always)
        .await
        .model_id;
    let older = trainer
        .train(WEEK_BEFORE, small(), PromotionPolicy::IfBetter)
        .await;
    let reason = format!("the promoted model {newer} was trained up to a later night");
    assert!(
        !older.promoted && older.reason.starts_with(&reason),
        "{}",
        older.reason
    );
    assert_eq!(trainer.promoted().await, Some(newer));
    let asked = trainer
        .train(WEEK_BEFORE, small(), PromotionPolicy::Always)
        .await;
    assert_eq!(trainer.promoted().await, Some(asked.model_id));
}

#[tokio::test]
async fn a_model_that_has_seen_the_held_out_days_is_trained_again_without_them() {
    // The same settings, a week later: the same procedure, which is not compared with itself.
    let trainer = Trainer::new();
    let old = trainer
        .train(WEEK_BEFORE, small(), PromotionPolicy::Always)
        .await
        .model_id;
    let new = trainer
        .train(NIGHT, small(), PromotionPolicy::IfBetter)
        .await;
    let said = format!(
        "the promoted model {old} has the same settings and has seen these days, which cannot tell \
         the two apart; it is no worse than the baselines, and it has newer data: ndcg@10 "
    );
    assert!(
        new.promoted && new.reason.starts_with(&said),
        "{}",
        new.reason
    );
    let is_baseline = |difference: &Difference| difference.to != eval::REPLACED;
    assert!(new.compared.iter().all(is_baseline), "{:?}", new.compared);
    // Other settings that are worse: the old ones win, trained again.
    let trainer = Trainer::new();
    let same = trainer
        .train(WEEK_BEFORE, small(), PromotionPolicy::Always)
        .await
        .model_id;
    assert_eq!(old, same);
    let worse = trainer
        .train(NIGHT, poor(), PromotionPolicy::IfBetter)
        .await;
    let reason =
        format!("its ndcg@10 is significantly worse than that of the promoted model {old}: ");
    assert!(
        !worse.promoted && worse.reason.starts_with(&reason),
        "{}",
        worse.reason
    );
    // Its file says nothing of what it was compared with.
    let alone = Trainer::new();
    alone.train(NIGHT, poor(), PromotionPolicy::IfBetter).await;
    let key = format!("{}/model.okuo", worse.model_id);
    assert_eq!(trainer.memory.objects()[&key], alone.memory.objects()[&key]);
}

#[tokio::test]
async fn the_same_night_with_other_settings_takes_no_place_on_a_tie() {
    let trainer = Trainer::new();
    let full = trainer
        .train(NIGHT, small(), PromotionPolicy::IfBetter)
        .await;
    assert!(full.promoted, "{}", full.reason);
    let nearly_the_same = |promote| {
        let mut parameters = small();
        parameters.basket.boosting.learning_rate *= 1.001;
        trainer.train(NIGHT, parameters, promote)
    };
    let tie = nearly_the_same(PromotionPolicy::IfBetter).await;
    assert!(
        !tie.promoted && tie.reason.contains("was trained on the same data"),
        "{}",
        tie.reason
    );
    assert_eq!(trainer.promoted().await, Some(full.model_id));
    let asked = nearly_the_same(PromotionPolicy::Always).await;
    assert_eq!(asked.model_id, tie.model_id);
    assert_eq!(trainer.promoted().await, Some(asked.model_id));
}

#[test]
fn what_another_okuo_trained_is_said_not_to_be_measured() {
    assert_eq!(
        same_settings(env!("CARGO_PKG_VERSION")),
        "the same settings"
    );
    assert_eq!(
        same_settings("0.0.9"),
        "the same settings, by okuo 0.0.9 (what this okuo does otherwise is not measured),"
    );
}

#[tokio::test]
async fn a_promoted_model_is_trained_again_within_the_budget_only() {
    for (seconds, is_within) in [(0.01, false), (1_000.0, true)] {
        let trainer = Trainer::new();
        let old = trainer
            .train(WEEK_BEFORE, small(), PromotionPolicy::Always)
            .await
            .model_id;
        let (parameters, mut choice) = poor().within_budget(1_000.0);
        (choice.seconds, choice.expected_seconds) = (seconds, 0.0);
        let config = Config {
            rule: rule(),
            parameters,
            budget: Some(choice),
            ..Layer::default().check().unwrap()
        };
        let registry = trainer.registry();
        let new = train_into(
            &config,
            &trainer.tickets,
            NIGHT,
            registry,
            &trainer.warnings,
        )
        .await
        .unwrap();
        let reason = match is_within {
            true => "its ndcg@10 is significantly worse than that of the promoted model",
            false => "it could not be compared with the promoted model",
        };
        assert!(
            !new.promoted && new.reason.starts_with(&format!("{reason} {old}: ")),
            "{}",
            new.reason
        );
        let warning = "more than the budget of 0 s; give a larger --budget";
        assert_eq!(trainer.warned(warning), !is_within);
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
    let reason = format!("the promoted model {old} could not be read and was not compared, and");
    assert!(
        new.promoted && new.reason.starts_with(&reason),
        "{}",
        new.reason
    );
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
            (&first.model_id, true, policy != PromotionPolicy::Never)
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
    // Of the cards, all but what was measured of the two trainings.
    let models = [&trainer, &shorter].map(|trainer| {
        let mut objects = trainer.memory.objects();
        for (_, content) in objects
            .iter_mut()
            .filter(|(key, _)| key.ends_with("card.json"))
        {
            let mut card: serde_json::Value = serde_json::from_slice(content).unwrap();
            assert!(card.as_object_mut().unwrap().remove("measured").is_some());
            *content = serde_json::to_vec(&card).unwrap().into();
        }
        objects
    });
    assert!(models[0] == models[1] && !models[0].is_empty());
}

#[tokio::test]
async fn a_budget_gives_the_same_smaller_model_each_time_and_says_so() {
    let of_budget = |budget: &str| {
        let text = format!("budget = {budget}\n[training.basket]\nmax_training_rows = 40_000\n");
        Layer::parse("okuo.toml", &text).unwrap().check().unwrap()
    };
    let config = of_budget("1.5");
    let choice = config.budget.unwrap();
    assert!(
        choice.basket_trees < 300 && choice.basket_rows < 40_000,
        "{choice:?}"
    );
    assert_eq!(config.parameters.basket.boosting.trees, choice.basket_trees);
    assert_eq!(
        config.parameters.timing.max_training_rows,
        choice.timing_rows
    );
    assert_eq!(of_budget("1_000.0").parameters.basket.boosting.trees, 300);
    let train = async || {
        let trainer = Trainer::new();
        let config = Config {
            rule: rule(),
            ..config.clone()
        };
        let registry = trainer.registry();
        train_into(
            &config,
            &trainer.tickets,
            NIGHT,
            registry,
            &trainer.warnings,
        )
        .await
        .unwrap()
    };
    let (once, twice) = (train().await, train().await);
    assert_eq!(
        (&once.model_id, once.budget),
        (&twice.model_id, Some(choice))
    );
    let json = serde_json::to_value(&once).unwrap();
    assert_eq!(json["budget"]["basket_trees"], choice.basket_trees);
    let refused = Layer::parse("okuo.toml", "budget = 0\n").unwrap().check();
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("budget should be at least 1, but is 0"),
        "{refused}"
    );
}
